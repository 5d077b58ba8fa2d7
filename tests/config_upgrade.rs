//! `wamplet upgrade`: what changes in a configuration of version 1, and what does not.

#![cfg(feature = "native")]

mod configs;

use serde_json::{Value, json};

use std::path::Path;

use configs::{files, folder, read};
use wamplet::config::node::Node;
use wamplet::config::{Config, Format, Realms, Upgraded, upgrade};

/// Most variables are unset where a file is upgraded; which they are is no matter.
fn realms(value: &Value) -> Realms {
    let environment = |name: &str| Some(if name == "PORT" { "9000" } else { "set" }.to_owned());
    let environment = |name: &str| environment(name).filter(|_| name != "OFF");
    let loaded = Node::from_value(value, Path::new("/node"), &environment);
    loaded.unwrap_or_else(|error| panic!("{error}")).node.config.realms
}

#[test]
fn a_flat_permission_becomes_one_of_version_2() {
    let flat = json!({
        "workers": [{
            "type": "router",
            "realms": [{ "name": "realm1", "roles": [{ "name": "anonymous", "permissions": [
                { "uri": "com.example.*", "publish": true, "subscribe": true, "call": false },
                { "uri": "com.*.update.*", "register": true },
                { "subscribe": true, "uri": "com.example.add", "validate": { "call": "x" }, "call": null },
            ] }] }],
        }],
    });
    let Upgraded { value, changes } = upgrade(&flat).expect("a good configuration");
    let disclose = json!({ "caller": false, "publisher": false });
    let expected = json!({
        "version": 2,
        "workers": [{
            "type": "router",
            "realms": [{ "name": "realm1", "roles": [{ "name": "anonymous", "permissions": [
                {
                    "uri": "com.example.",
                    "match": "prefix",
                    "allow": { "call": false, "register": false, "publish": true, "subscribe": true },
                    "disclose": disclose,
                    "cache": true,
                },
                {
                    "uri": "com..update.",
                    "match": "wildcard",
                    "allow": { "call": false, "register": true, "publish": false, "subscribe": false },
                    "disclose": disclose,
                    "cache": true,
                },
                {
                    "allow": { "call": false, "register": false, "publish": false, "subscribe": true },
                    "uri": "com.example.add",
                    "match": "exact",
                    "validate": { "call": "x" },
                    "disclose": disclose,
                    "cache": true,
                },
            ] }] }],
        }],
    });
    // As text, since the order of keys counts.
    assert_eq!(format!("{value:#}"), format!("{expected:#}"));
    let permissions = "workers[0].realms[0].roles[0].permissions";
    assert_eq!(
        changes,
        [
            "version: 2 (there was none)".to_owned(),
            format!(
                r#"{permissions}[0]: "com.example.*" is prefix "com.example.", and its flags are in "allow""#
            ),
            format!(
                r#"{permissions}[1]: "com.*.update.*" is wildcard "com..update.", and its flags are in "allow""#
            ),
            format!(
                r#"{permissions}[2]: "com.example.add" is exact "com.example.add", and its flags are in "allow""#
            ),
        ]
    );
}

#[test]
fn what_stands_beside_flat_flags_is_kept() {
    let rule = json!({ "uri": "a*", "match": "prefix", "call": true, "disclose": { "caller": true }, "cache": false });
    let realm =
        |rule: &Value| json!({ "name": "r", "roles": [{ "name": "anonymous", "permissions": [rule] }] });
    let before = json!({ "$schema": "x", "realms": [realm(&rule)], "limits": { "calls": 5 }, "version": 1 });
    let Upgraded { value, changes } = upgrade(&before).expect("a good configuration");
    let rule = json!({
        "uri": "a*",
        "match": "prefix",
        "allow": { "call": true, "register": false, "publish": false, "subscribe": false },
        "disclose": { "caller": true },
        "cache": false,
    });
    let after = json!({ "$schema": "x", "realms": [realm(&rule)], "limits": { "calls": 5 }, "version": 2 });
    assert_eq!(value.to_string(), after.to_string());
    assert_eq!(changes[0], "version: 2 (it was 1)");

    let before = json!({ "$schema": "x", "realms": [realm(&rule)] });
    let Upgraded { value, .. } = upgrade(&before).expect("a good configuration");
    let keys: Vec<_> = value.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["$schema", "version", "realms"]);
}

#[test]
fn upgrading_changes_nothing_that_a_router_sees_and_doing_it_again_changes_nothing_at_all() {
    for file in files("node/good") {
        let name = file.display();
        let before = Format::of(&file).parse(&read(&file)).expect("JSON or YAML");
        let Upgraded { value, .. } = upgrade(&before).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(format!("{:?}", realms(&value)), format!("{:?}", realms(&before)), "{name}");
        let again = upgrade(&value).expect("what was upgraded is good");
        assert_eq!(again, Upgraded { value, changes: Vec::new() }, "{name}");
    }
}

#[test]
fn no_flat_flag_is_left() {
    let text = read(&folder("node/good").join("session-monitor.json"));
    let before = Format::Json.parse(&text).expect("JSON");
    let Upgraded { value, changes } = upgrade(&before).expect("a good file");
    assert_eq!(changes.len(), 3);
    let roles = value["workers"][0]["realms"][0]["roles"].as_array().expect("roles");
    for permission in roles.iter().flat_map(|role| role["permissions"].as_array().expect("permissions")) {
        let keys: Vec<_> = permission.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["uri", "match", "allow", "disclose", "cache"]);
    }
    let Realms::Named(realms) = Config::from_value(&value).expect("still good").config.realms else {
        panic!("named realms")
    };
    assert_eq!(realms.len(), 1);
}

#[test]
fn nothing_configured_stays_nothing() {
    for nothing in [json!({}), json!({ "limits": {} })] {
        let upgraded = upgrade(&nothing).expect("a good configuration");
        assert_eq!(upgraded, Upgraded { value: nothing, changes: Vec::new() });
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_problems() {
    let mut accepted = Vec::new();
    for file in files("node/broken") {
        let Ok(value) = Format::of(&file).parse(&read(&file)) else { continue };
        let expected = read(&file.with_extension("error.txt"));
        match upgrade(&value) {
            Ok(_) => accepted.push(file.file_stem().expect("a name").to_string_lossy().into_owned()),
            // Those of variables are not among them, nor what depends on their values.
            Err(error) => {
                for problem in error.to_string().lines() {
                    assert!(expected.lines().any(|known| known == problem), "{}: {problem}", file.display());
                }
            }
        }
    }
    assert_eq!(accepted, ["endpoint-port-of-a-variable"], "all that is wrong with it are variables");
}

#[test]
fn what_a_node_has_beside_realms_is_read_as_the_server_reads_it() {
    let realms = json!([{ "name": "realm1", "roles": [] }]);
    let ticket =
        json!({ "type": "static", "principals": { "joe": { "ticket": "${UNSET}" } }, "default-role": "x" });
    let ports = json!({ "type": "messageport", "auth": { "ticket": ticket, "tls": {} } });
    let node = json!({ "realms": realms, "transports": [ports, ports] });
    upgrade(&node).expect("the server warns of ports, and reads no further");
    let listener = json!({ "type": "rawsocket", "endpoint": { "type": "tcp", "port": "$UNSET" } });
    upgrade(&json!({ "realms": realms, "transports": [listener] }))
        .expect("there may be such a port elsewhere");
    for refused in
        [json!({ "realms": realms, "auth": {} }), json!({ "transports": [{ "type": "web" }] }), json!(null)]
    {
        upgrade(&refused).expect_err("the server would not start");
    }
}
