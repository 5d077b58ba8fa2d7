//! Configurations of the native router: what loads, what it means, and what is said about what does not.
//!
//! Every `configs/node/broken/NAME.json` (or `.yaml`) has the exact text of its error in `NAME.error.txt`, every
//! `configs/node/good/NAME.json` the exact text of its warnings in `NAME.warnings.txt` (no file: no warnings).
//! `WAMPLET_BLESS=1 cargo test --test node_config` writes the texts anew; read the difference before you commit it.
//!
//! All of them stand in `/node/.crossbar`, with the environment of [`environment`].

#![cfg(feature = "native")]

mod configs;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use configs::{assert_text, count, files, folder, read, replace};
use wamplet::auth::{Anonymous, Grant, Methods};
use wamplet::codec::Serializer;
use wamplet::config::node::{
    Address, Auth, Bridge, BridgeAction, Component, ComponentConnection, Cookie, CookieStore, Deflate,
    JsonOptions, Listener, LoadedNode, LongPoll, Network, Node, Paths, RawSocket, Restart, RestartPolicy,
    Service, Signer, Static, Terms, Tls, WebSocket, WebSocketOptions, Webhook,
};
use wamplet::config::{Config, ConfigError, Format, Realms, Source, Stats, upgrade};

const BASE: &str = "/node/.crossbar";

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "PORT" => "9000",
        "WORD" => "many",
        "EMPTY" => "",
        "SECRET" => "of the environment",
        "KEY_FILE" => "/secrets/server.key",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load(file: &Path) -> Result<LoadedNode, ConfigError> {
    Node::from_text(&read(file), Format::of(file), Path::new(BASE), &environment)
}

/// A good file.
fn good(name: &str) -> Node {
    load(&folder("node/good").join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).node
}

#[test]
fn every_broken_node_is_refused_with_its_sentences() {
    let broken = files("node/broken");
    assert!(broken.len() >= 45, "only {} broken files", broken.len());
    for file in broken {
        let error = match load(&file) {
            Ok(_) => panic!("{} was taken for a good configuration", file.display()),
            Err(error) => error.to_string(),
        };
        assert_text(&file.with_extension("error.txt"), &error);
    }
}

#[test]
fn every_good_node_loads_with_its_warnings() {
    for file in files("node/good") {
        let warnings = match load(&file) {
            Ok(loaded) => loaded.warnings,
            Err(error) => panic!("{}: {error}", file.display()),
        };
        let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_text(&file.with_extension("warnings.txt"), &warnings.join("\n"));
    }
}

#[test]
fn no_text_is_left_without_its_file() {
    configs::assert_no_text_is_left("node/broken");
    configs::assert_no_text_is_left("node/good");
}

#[test]
fn the_embedded_node_is_one_open_realm_on_one_local_port() {
    let node = Node::embedded();
    let Realms::Named(realms) = &node.config.realms else { panic!("named realms") };
    let [realm] = &realms[..] else { panic!("one realm") };
    assert_eq!((realm.name.as_str(), realm.roles[0].name()), ("realm1", "anonymous"));
    let [Listener { endpoint, rawsocket, web, .. }] = &node.listeners[..] else { panic!("one listener") };
    assert_eq!(endpoint.address, tcp(8080, Some(Ipv4Addr::LOCALHOST.into())));
    assert_eq!(endpoint.tls, None);
    assert_eq!(rawsocket.as_ref(), Some(&RawSocket::default()));
    let paths = &web.as_ref().expect("HTTP").paths;
    assert!(matches!(paths.root.as_deref(), Some(Service::Status)));
    let [(name, Service::WebSocket(websocket))] = &paths.children[..] else { panic!("one WebSocket") };
    assert_eq!((name.as_str(), websocket), ("ws", &WebSocket::default()));
    assert!(node.components.is_empty() && node.guests.is_empty());
}

#[test]
fn a_listener_of_a_router_worker_has_its_realms_and_any_other_has_all() {
    let realms = |file: &str| {
        let listeners = good(file).listeners.into_iter();
        listeners.map(|listener| listener.realms.map(|realms| realms.to_vec())).collect::<Vec<_>>()
    };
    let named = |name: &str| Some(vec![name.to_owned()]);
    assert_eq!(realms("two-routers.json"), [named("public"), named("internal")]);
    assert_eq!(realms("worker-without-realms.json"), [named("realm1"), Some(vec![]), Some(vec![])]);
    assert!(realms("own-form.yaml").iter().all(Option::is_none), "a file without workers");
    assert_eq!(Node::embedded().listeners[0].realms, None);
}

#[test]
fn the_session_monitor_is_served_whole_and_its_paths_start_at_its_directory() {
    let node = good("session-monitor.json");
    let [listener] = &node.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.path, "workers[0].transports[0]");
    assert_eq!(listener.endpoint.address, tcp(8080, None));
    let paths = &listener.web.as_ref().expect("HTTP").paths;
    let Some(Service::Static(files)) = paths.root.as_deref() else { panic!("files") };
    assert_eq!(files, &static_files("/node/.crossbar/../web"));
    assert!(matches!(&paths.children[..], [(name, Service::WebSocket(_))] if name == "ws"));
    let [Component { name, classname, realm, pythonpath, connection, .. }] = &node.components[..] else {
        panic!("one component")
    };
    assert_eq!((name.as_str(), classname.as_str()), ("monitor.MySessionMonitor", "monitor.MySessionMonitor"));
    assert_eq!((realm.as_str(), &pythonpath[..]), ("realm1", &[PathBuf::from("/node/.crossbar/..")][..]));
    assert!(matches!(connection, ComponentConnection::Inside { role } if role == "monitor"));
}

#[test]
fn the_statistics_example_is_served_whole() {
    let node = good("statistics.json");
    let Realms::Named(realms) = &node.config.realms else { panic!("named realms") };
    let expected = Stats { rated_message_size: 256, trigger_after_rated_messages: 10, ..Stats::default() };
    assert_eq!(realms[0].stats, Some(expected));
    let [Component { connection, restart, inherit_env: true, .. }] = &node.components[..] else {
        panic!("one component")
    };
    let ComponentConnection::Transport { kind, url: None, endpoint, serializer } = connection else {
        panic!("a RawSocket of its own")
    };
    assert_eq!((kind.as_str(), *serializer), ("rawsocket", Serializer::MsgPack));
    assert_eq!(endpoint, &json!({ "type": "tcp", "host": "127.0.0.1", "port": 8080 }));
    assert_eq!(restart, &Restart::default());
}

#[test]
fn every_option_of_a_big_node_arrives_where_it_belongs() {
    let node = good("big-node.json");
    let [web, universal, rawsocket, websocket] = &node.listeners[..] else { panic!("four listeners") };

    assert_eq!(
        web.endpoint.address,
        Address::Tcp { port: 443, interface: None, version: None, backlog: 1_000 }
    );
    let expected = Tls {
        key: "/secrets/server.key".into(),
        certificate: "/node/.crossbar/server.crt".into(),
        chain_certificates: vec!["/node/.crossbar/lets-encrypt-x3.pem".into()],
        ca_certificates: vec!["/node/.crossbar/../ca.pem".into()],
        require_client_certificate: true,
    };
    assert_eq!(web.endpoint.tls, Some(expected));
    let http = web.web.as_ref().expect("HTTP");
    assert!(http.access_log);
    assert_eq!((http.hsts, http.client_timeout), (Some(seconds(86_400)), seconds(120)));
    let names: Vec<_> = http.paths.children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["call", "config", "docs", "hook", "info", "internal", "lp", "publish", "ws"]);

    let Some(Service::Static(files)) = http.paths.root.as_deref() else { panic!("files") };
    let expected = Static {
        enable_directory_listing: true,
        mime_types: vec![(".wasm".into(), "application/wasm".into()), (".md".into(), "text/markdown".into())],
        cache_timeout: Some(seconds(600)),
        default_file: Some("start.html".into()),
        allow_cross_origin: false,
        ..static_files("/node/.crossbar/../web")
    };
    assert_eq!(files, &expected);
    let Service::Json { value, options } = child(&http.paths, "config") else { panic!("JSON") };
    assert_eq!(value, &json!({ "realm": "com.example.main", "limits": [1, 2.5, null] }));
    let all = JsonOptions { prettify: true, allow_cross_origin: false, discourage_caching: true };
    assert_eq!(options, &all);
    assert!(
        matches!(child(&http.paths, "docs"), Service::Redirect { url } if url == "https://docs.example.com/")
    );
    assert!(matches!(child(&http.paths, "info"), Service::NodeInfo));
    let bridge = |name: &str| match child(&http.paths, name) {
        Service::Bridge(bridge) => bridge.clone(),
        other => panic!("{other:?}"),
    };
    let expected = Bridge {
        realm: "com.example.main".into(),
        role: "backend".into(),
        post_body_limit: None,
        action: BridgeAction::Publish(Terms::default()),
    };
    assert_eq!(bridge("publish"), expected);
    let terms = Terms {
        signer: Some(Signer { key: "script".into(), secret: "of the environment".into() }),
        timestamp_delta_limit: None,
        require_ip: ["192.168.1.0/24", "127.0.0.1"].iter().filter_map(|text| Network::parse(text)).collect(),
        require_tls: true,
    };
    let action = BridgeAction::Call(terms);
    assert_eq!(
        bridge("call"),
        Bridge { role: "frontend".into(), post_body_limit: Some(8_192), action, ..expected.clone() }
    );
    let webhook = Webhook {
        topic: "com.example.hook".into(),
        success_response: String::new(),
        error_response: "NOT OK".into(),
        github_secret: Some("of the environment".into()),
    };
    let action = BridgeAction::Webhook(webhook);
    let (realm, role) = ("com.example.admin".into(), "admin".into());
    assert_eq!(bridge("hook"), Bridge { realm, role, action, ..expected });
    let Service::Path(internal) = child(&http.paths, "internal") else { panic!("paths") };
    assert!(matches!(internal.root.as_deref(), Some(Service::Status)));
    assert!(matches!(child(internal, "metrics"), Service::Metrics));
    let Service::Path(deeper) = child(internal, "deeper") else { panic!("paths") };
    assert!(
        matches!(child(deeper, "ws"), Service::WebSocket(websocket) if *websocket == WebSocket::default())
    );

    let Service::LongPoll(poll) = child(&http.paths, "lp") else { panic!("long polling") };
    let expected = LongPoll {
        request_timeout: seconds(5),
        session_timeout: seconds(15),
        queue_limit_bytes: 1 << 20,
        queue_limit_messages: 50,
        auth: poll.auth.clone(),
        cookie: None,
    };
    assert_eq!(poll, &expected);
    assert_eq!(anonymous(&poll.auth), Grant { role: "admin".into(), ..Grant::default() });

    let Service::WebSocket(ws) = child(&http.paths, "ws") else { panic!("WebSocket") };
    let expected = WebSocket {
        is_testee: false,
        serializers: vec![Serializer::Cbor, Serializer::MsgPack, Serializer::Json],
        options: WebSocketOptions {
            allowed_origins: vec!["https://example.com".into(), "https://*.example.com:*".into()],
            allow_null_origin: false,
            enable_webstatus: false,
            max_frame_size: 1 << 20,
            max_message_size: 1 << 20,
            auto_fragment_size: 1 << 16,
            fail_by_drop: true,
            auto_ping_interval: seconds(10),
            auto_ping_timeout: seconds(5),
            auto_ping_size: 20,
            compression: Some(Deflate {
                request_no_context_takeover: true,
                request_max_window_bits: Some(11),
                no_context_takeover: true,
                max_window_bits: 11,
                ..Deflate::default()
            }),
            ..WebSocketOptions::default()
        },
        auth: ws.auth.clone(),
        cookie: Some(Cookie {
            store: CookieStore::File { path: "/node/.crossbar/cookies.dat".into(), purge_on_startup: false },
            ..Cookie::default()
        }),
    };
    assert_eq!(ws, &expected);
    let guest = Grant {
        role: "frontend".into(),
        authid: Some("guest".into()),
        realm: Some("com.example.main".into()),
        extra: None,
    };
    assert_eq!(anonymous(&ws.auth), guest);

    assert_eq!(
        universal.endpoint.address,
        Address::Tcp {
            port: 9_000,
            interface: Some(Ipv4Addr::LOCALHOST.into()),
            version: Some(4),
            backlog: 1_024
        }
    );
    let expected = RawSocket {
        serializers: vec![Serializer::MsgPack],
        max_message_size: 1 << 20,
        ..RawSocket::default()
    };
    assert_eq!(universal.rawsocket.as_ref(), Some(&expected));
    let paths = &universal.web.as_ref().expect("HTTP").paths;
    assert!(paths.root.is_none());
    assert!(matches!(child(paths, "favicon.ico"), Service::Redirect { .. }));
    assert!(matches!(child(paths, "wamp"), Service::WebSocket(ws) if ws.serializers == [Serializer::Json]));

    assert_eq!(rawsocket.endpoint.address, Address::Unix { path: "/node/.crossbar/router.sock".into() });
    assert!(rawsocket.web.is_none());
    let auth = &rawsocket.rawsocket.as_ref().expect("a RawSocket").auth;
    assert_eq!(anonymous(auth).role, "backend");

    assert!(websocket.rawsocket.is_none());
    let paths = &websocket.web.as_ref().expect("HTTP").paths;
    let Some(Service::WebSocket(everywhere)) = paths.root.as_deref() else { panic!("WebSocket") };
    assert_eq!(everywhere.options.compression, Some(Deflate::default()));
    assert_eq!(everywhere.options.auto_ping_interval, Duration::from_millis(10));
}

#[test]
fn processes_of_a_big_node_have_their_environment_and_their_paths() {
    let node = good("big-node.json");
    let [backend, public, worker, local] = &node.components[..] else { panic!("four components") };
    assert_eq!((backend.name.as_str(), backend.classname.as_str()), ("backend1", "backend.main.Backend"));
    assert_eq!(backend.extra, json!({ "database": "main", "retries": 3, "cbdir": "/node/.crossbar" }));
    assert_eq!(backend.pythonpath, [PathBuf::from("/node/.crossbar/.."), PathBuf::from("/opt/components")]);
    let env = [("WORD".to_owned(), "many".to_owned()), ("MODE".to_owned(), "production".to_owned())];
    assert_eq!((&backend.env[..], backend.inherit_env), (&env[..], false));
    assert!(matches!(&public.connection, ComponentConnection::Inside { role } if role == "anonymous"));

    assert_eq!(worker.python.as_deref(), Some(Path::new("/opt/venv/bin/python")));
    assert_eq!((worker.inherit_env, &worker.extra), (false, &json!({ "cbdir": "/node/.crossbar" })));
    assert_eq!(worker.restart, Restart { policy: RestartPolicy::OnFailure, ..Restart::default() });
    let ComponentConnection::Transport { kind, url, endpoint, serializer } = &worker.connection else {
        panic!("a WebSocket of its own")
    };
    assert_eq!((kind.as_str(), *serializer), ("websocket", Serializer::Cbor));
    assert_eq!(url.as_deref(), Some("wss://wamp.example.com/ws"));
    let tls = json!({
        "hostname": "wamp.example.com",
        "key": "/node/.crossbar/client.key",
        "ca_certificates": ["/node/.crossbar/ca.pem"],
    });
    let expected =
        json!({ "type": "tcp", "host": "wamp.example.com", "port": 443, "tls": tls, "timeout": 5 });
    assert_eq!(endpoint, &expected);
    assert_eq!(local.restart, Restart { policy: RestartPolicy::Always, delay: seconds(5), attempts: 3 });

    let [build, tool] = &node.guests[..] else { panic!("two guests") };
    assert_eq!((build.name.as_str(), build.executable.as_path()), ("frontend-build", Path::new("node")));
    assert_eq!(build.arguments, ["build.js", "--watch"]);
    assert_eq!(build.workdir.as_deref(), Some(Path::new("/node/.crossbar/../node")));
    assert_eq!(build.restart.policy, RestartPolicy::Always);
    assert_eq!(build.env, [("NODE_ENV".to_owned(), "production".to_owned())]);
    assert!(build.inherit_env);
    assert_eq!(tool.name, "tool");
    assert_eq!(tool.executable, Path::new("/node/.crossbar/../bin/tool"));
    assert_eq!(tool.workdir.as_deref(), Some(Path::new(BASE)));
    assert!(tool.closes_stdin && !build.closes_stdin);
}

#[test]
fn a_file_is_read_by_its_ending_and_from_its_directory() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node_config");
    fs::create_dir_all(&folder).expect("a writable folder");
    let text = "transports:\n  - { type: rawsocket, endpoint: { type: unix, path: router.sock } }\n";
    let file = folder.join("config.yaml");
    fs::write(&file, text).expect("a writable folder");
    for (directory, path) in
        [(None, folder.join("router.sock")), (Some("/node".into()), "/node/router.sock".into())]
    {
        let source = Source { file: file.clone(), directory };
        let LoadedNode { node, warnings } = Node::from_file(&source).expect("a good file");
        assert_eq!(warnings, []);
        assert_eq!(node.listeners[0].endpoint.address, Address::Unix { path });
    }

    let file = folder.join("config.json");
    fs::write(&file, text).expect("a writable folder");
    let error = Node::from_file(&file.clone().into()).expect_err("YAML is no JSON");
    assert_eq!(error.to_string(), "line 1, column 3: expected ident");
    let missing = folder.join("missing.json");
    let error = Node::from_file(&missing.clone().into()).expect_err("no such file").to_string();
    assert!(error.starts_with(&format!("{}: ", missing.display())), "{error}");
}

#[test]
fn json_reads_the_same_as_yaml() {
    for file in files("node/good").into_iter().chain(files("node/broken")) {
        let text = read(&file);
        let Ok(value) = Format::Json.parse(&text) else { continue };
        let same = Format::Yaml.parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(same, value, "{}", file.display());
    }
}

#[test]
fn a_browser_takes_every_good_node_with_realms_and_has_the_same_realms_and_limits() {
    for file in files("node/good") {
        let value = Format::of(&file).parse(&read(&file)).expect("JSON or YAML");
        let browser = Config::from_value(&value);
        let node = load(&file).expect("a good file").node;
        if let Realms::Named(realms) = &node.config.realms
            && realms.is_empty()
        {
            let error = browser.expect_err("there is nothing to join, and nothing else to do").to_string();
            assert_eq!(error, "workers: expected a worker of type \"router\" with \"realms\", found none");
            continue;
        }
        let browser = browser.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(browser.config.limits, node.config.limits);
        assert_eq!(format!("{:?}", browser.config.realms), format!("{:?}", node.config.realms));
    }
}

#[test]
fn the_transports_of_proxies_are_those_of_the_router_with_the_realms_that_they_route() {
    let node = good("proxies.json");
    let [inside, backend, web] = &node.listeners[..] else { panic!("three listeners: proxies share one") };
    assert_eq!(web.path, "workers[0].transports[0]");
    assert_eq!(web.realms.as_deref(), Some(&["realm1".to_owned()][..]));
    assert_eq!(inside.realms.as_ref().map(|realms| realms.len()), Some(2));
    let methods = |listener: &Listener| {
        let auth = listener.rawsocket.as_ref().and_then(|rawsocket| rawsocket.auth.clone());
        auth.expect("auth").methods
    };
    let Methods { anonymous, ticket, cryptosign, .. } = &*methods(inside);
    assert!(anonymous.is_none() && ticket.is_none() && cryptosign.is_none(), "nobody gets in");
    assert!(methods(backend).anonymous.is_some() && methods(backend).cryptosign.is_none());
    let Realms::Named(realms) = &node.config.realms else { panic!("named realms") };
    assert_eq!(realms[0].roles.len(), 3, "they are not narrower than they were");
}

#[test]
fn what_older_versions_wrote_is_served_as_they_did() {
    let node = good("of-older-versions.json");
    let [rawsocket, web, socket] = &node.listeners[..] else { panic!("three listeners, and no MQTT") };
    let path = PathBuf::from("/node/.crossbar/run/many-9000/$5.sock");
    assert_eq!(socket.endpoint.address, Address::Unix { path });
    assert_eq!(rawsocket.rawsocket.as_ref().map(|rawsocket| rawsocket.max_message_size), Some(65_536));
    let Service::WebSocket(ws) = child(&web.web.as_ref().expect("HTTP").paths, "ws") else {
        panic!("WebSocket")
    };
    assert_eq!(ws.options.auto_ping_size, 4);
    assert_eq!(anonymous(&ws.auth), Grant { role: "anonymous".into(), ..Grant::default() });
}

#[test]
fn a_websocket_of_a_universal_transport_is_before_what_its_web_has_at_the_same_path() {
    let node = good("universal-path-twice.json");
    let paths = &node.listeners[0].web.as_ref().expect("HTTP").paths;
    assert!(matches!(paths.root.as_deref(), Some(Service::WebSocket(_))));
    let names: Vec<_> = paths.children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["info", "ws"]);
    assert!(matches!(child(paths, "ws"), Service::WebSocket(_)));
}

#[test]
fn the_database_of_crossbar_is_one_of_our_own_beside_the_configuration() {
    let realm = json!({
        "name": "realm1", "roles": [], "store": { "type": "cfxdb", "path": "its-own-folder" },
    });
    let node = Node::from_value(&json!({ "realms": [realm] }), Path::new(BASE), &environment);
    let Realms::Named(realms) = node.expect("a good configuration").node.config.realms else {
        panic!("named realms")
    };
    let store = realms[0].store.as_ref().expect("a store");
    assert_eq!(store.path.as_deref(), Some("/node/.crossbar/events.redb"));
}

#[test]
fn a_component_is_not_checked_against_realms_that_have_problems_of_their_own() {
    let broken = json!({
        "realms": [{ "name": "realm1", "roles": [{ "name": "anonymous", "permissions": 5 }] }],
        "components": [{ "type": "class", "classname": "a.B", "realm": "realm1", "role": "anonymous" }],
    });
    let error = Node::from_value(&broken, Path::new(BASE), &environment).expect_err("no permissions");
    assert_eq!(
        error.to_string(),
        "realms[0].roles[0].permissions: expected an array of permissions, found 5"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_a_node_makes_the_loader_panic(
        file in prop::sample::select(files("node/good")),
        place in any::<prop::sample::Index>(),
        damage in damages(),
    ) {
        let Ok(mut value) = Format::of(&file).parse(&read(&file)) else { return Ok(()) };
        let places = count(&value);
        replace(&mut value, &mut place.index(places), damage);
        let _ = upgrade(&value);
        if let Ok(LoadedNode { node, .. }) = Node::from_value(&value, Path::new(BASE), &environment) {
            check(&node);
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_yaml_panic(text in "[a-c:&*<!>\\[\\]{}, \\-\n\t\"'|#%@`0-9]{0,60}") {
        let _ = Node::from_text(&text, Format::Yaml, Path::new(BASE), &environment);
    }
}

fn damages() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 12] =
        ["", "/", "$PORT", "$UNSET", "realm1", "a.B", "..", "json", "tcp", "websocket", "anonymous", "\0"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u32..70_000).prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "type": "path", "paths": {} })),
        Just(json!([{ "type": "class" }])),
    ]
}

/// What is true of every node that loads.
fn check(node: &Node) {
    let roles: Vec<_> = match &node.config.realms {
        Realms::Named(realms) => {
            realms.iter().flat_map(|realm| realm.roles.iter().map(|role| role.name().to_owned())).collect()
        }
        Realms::Any => vec!["anonymous".to_owned()],
    };
    let is_known = |auth: &Option<Auth>| match auth.as_ref().map(|auth| &auth.methods.anonymous) {
        Some(Some(Anonymous::Static(grant))) => grant.role == "anonymous" || roles.contains(&grant.role),
        _ => true,
    };
    for listener in &node.listeners {
        assert!(listener.rawsocket.is_some() || listener.web.is_some());
        if let Some(rawsocket) = &listener.rawsocket {
            assert!(rawsocket.max_message_size.is_power_of_two() && !rawsocket.serializers.is_empty());
            assert!(is_known(&rawsocket.auth));
        }
        if let Some(web) = &listener.web {
            check_paths(&web.paths, &is_known);
        }
    }
    for component in &node.components {
        if let ComponentConnection::Inside { role } = &component.connection {
            assert!(roles.contains(role));
        }
    }
}

fn check_paths(paths: &Paths, is_known: &dyn Fn(&Option<Auth>) -> bool) {
    assert!(paths.children.is_sorted_by(|(one, _), (other, _)| one < other), "sorted and unique");
    assert!(paths.children.iter().all(|(name, _)| !name.is_empty() && !name.contains('/')));
    for service in paths.root.as_deref().into_iter().chain(paths.children.iter().map(|(_, service)| service))
    {
        match service {
            Service::WebSocket(websocket) => assert!(is_known(&websocket.auth)),
            Service::LongPoll(poll) => assert!(is_known(&poll.auth)),
            Service::Path(paths) => check_paths(paths, is_known),
            _ => {}
        }
    }
}

#[test]
fn a_rawsocket_takes_the_next_size_that_its_handshake_can_say() {
    let sizes: Vec<_> = good("odd-but-harmless.json")
        .listeners
        .iter()
        .filter_map(|listener| Some(listener.rawsocket.as_ref()?.max_message_size))
        .collect();
    assert_eq!(sizes, [1 << 20, 1 << 24, 512]);
}

#[test]
fn a_session_of_long_polling_that_never_times_out_lives_for_a_day() {
    let node = good("odd-but-harmless.json");
    let paths = &node.listeners[1].web.as_ref().expect("HTTP").paths;
    let Service::LongPoll(poll) = child(paths, "lp") else { panic!("long polling") };
    assert_eq!(poll.session_timeout, seconds(86_400));
}

/// What clients get that prove nothing.
fn anonymous(auth: &Option<Auth>) -> Grant {
    match auth.as_ref().map(|auth| &auth.methods.anonymous) {
        Some(Some(Anonymous::Static(grant))) => grant.clone(),
        other => panic!("no static anonymous: {other:?}"),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn tcp(port: u16, interface: Option<IpAddr>) -> Address {
    Address::Tcp { port, interface, version: None, backlog: 1_024 }
}

fn static_files(directory: &str) -> Static {
    Static {
        directory: directory.into(),
        enable_directory_listing: false,
        mime_types: Vec::new(),
        cache_timeout: None,
        default_file: None,
        allow_cross_origin: true,
    }
}

fn child<'p>(paths: &'p Paths, name: &str) -> &'p Service {
    let found = paths.children.iter().find(|(child, _)| child == name);
    &found.unwrap_or_else(|| panic!("nothing at {name}")).1
}
