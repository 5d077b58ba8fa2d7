//! Transports whose driver knows who the peer is.

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::auth::authorizer::{Allow, Permission, Role};
use wamplet::config::RealmConfig;
use wamplet::router::{Identity, TRUSTED, Transport};
use wamplet::uri::MatchPolicy;

fn identity(realm: &str, authid: Option<&str>, authrole: &str) -> Identity {
    Identity {
        realm: Some(realm.into()),
        authid: authid.map(Into::into),
        authrole: authrole.into(),
        authmethod: "internal".into(),
        authprovider: "component".into(),
        authextra: None,
    }
}

fn open(w: &mut Wamp, identity: Identity) -> Peer {
    w.open_transport(Transport { identity: Some(identity), ..Transport::default() })
}

/// Two realms; the role `backend` may only publish below `com.backend.`.
fn two_realms() -> Wamp {
    let permission = Permission {
        uri: "com.backend.".into(),
        match_policy: MatchPolicy::Prefix,
        allow: Allow { publish: true, ..Allow::default() },
        disclose: Default::default(),
        trustlevel: None,
    };
    let roles = vec![Role::allow_all("anonymous"), Role::new("backend", vec![permission])];
    let realm1 = RealmConfig { roles, ..RealmConfig::open("realm1") };
    Wamp::with_config(named([realm1, RealmConfig::open("realm2")]))
}

fn hello(realm: impl Into<Value>, details: Value) -> Value {
    let mut details = details;
    details["roles"] = all_roles();
    json!([1, realm.into(), details])
}

#[test]
fn a_peer_that_the_driver_knows_joins_as_whom_the_driver_says() {
    let mut w = two_realms();
    let [watcher] = w.join("realm1");
    let subscription = w.subscribe(watcher, 1, "wamp.session.on_join");
    let peer = open(&mut w, identity("realm1", Some("worker-1"), "backend"));
    let details = json!({ "roles": all_roles(), "authid": "mallory", "authmethods": ["ticket"] });
    let (_, welcome) = w.hello_with(peer, "realm1", details);
    let told = json!({
        "realm": "realm1",
        "authid": "worker-1",
        "authrole": "backend",
        "authmethod": "internal",
        "authprovider": "component",
    });
    let event = w.expect(watcher, json!([36, subscription, "*", {}, ["*"]]));
    for (key, value) in told.as_object().expect("an object") {
        assert_eq!(&welcome[key], value, "WELCOME, {key}");
        assert_eq!(&event[4][0][key], value, "on_join, {key}");
    }
}

#[test]
fn it_has_the_permissions_of_its_role() {
    let mut w = two_realms();
    let peer = open(&mut w, identity("realm1", None, "backend"));
    w.hello(peer, "realm1", all_roles());
    w.say(peer, json!([16, 1, { "acknowledge": true }, "com.backend.news"]));
    w.expect(peer, json!([17, 1, "*"]));
    w.say(peer, json!([32, 2, {}, "com.backend.news"]));
    w.expect_error(peer, 32, 2, "wamp.error.not_authorized");
}

#[test]
fn an_authid_that_the_driver_does_not_give_is_generated() {
    let mut w = two_realms();
    let peer = open(&mut w, identity("realm1", None, "backend"));
    let (_, welcome) = w.hello_with(peer, "realm1", json!({ "roles": all_roles(), "authid": "mallory" }));
    assert_eq!(welcome["authid"].as_str().map(str::len), Some(29), "{welcome}");
}

#[test]
fn it_joins_no_other_realm() {
    let mut w = two_realms();
    let peer = open(&mut w, identity("realm1", None, "anonymous"));
    w.say(peer, hello("realm2", json!({})));
    w.expect_abort(peer, "wamp.error.not_authorized");

    let peer = open(&mut w, identity("realm1", None, "anonymous"));
    w.say(peer, hello("realm3", json!({})));
    w.expect_abort(peer, "wamp.error.no_such_realm");

    let peer = open(&mut w, identity("realm3", None, "anonymous"));
    w.say(peer, hello("realm3", json!({})));
    w.expect_abort(peer, "wamp.error.no_such_realm");
}

#[test]
fn where_any_realm_will_do_it_joins_its_own_only() {
    let mut w = Wamp::new();
    let peer = open(&mut w, identity("realm1", None, "anonymous"));
    w.say(peer, hello("realm2", json!({})));
    w.expect_abort(peer, "wamp.error.not_authorized");
    let peer = open(&mut w, identity("realm1", None, "anonymous"));
    w.hello(peer, "realm1", all_roles());
    let realms = w.router.inspect()["realms"].clone();
    assert_eq!(realms.as_array().map(Vec::len), Some(1), "{realms}");
}

#[test]
fn a_hello_without_a_realm_joins_the_one_of_the_identity() {
    let mut w = two_realms();
    let peer = open(&mut w, identity("realm2", None, "anonymous"));
    w.say(peer, hello(Value::Null, json!({})));
    let welcome = w.hear(peer);
    assert_eq!((&welcome[0], &welcome[2]["realm"]), (&json!(2), &json!("realm2")), "{welcome}");
}

#[test]
fn a_role_that_the_realm_does_not_have_is_refused() {
    let mut w = two_realms();
    let peer = open(&mut w, identity("realm2", None, "backend"));
    w.say(peer, hello("realm2", json!({})));
    w.expect_abort(peer, "wamp.error.no_such_role");
}

#[test]
fn the_trusted_role_is_in_every_realm_and_may_do_everything() {
    let nobody = RealmConfig { roles: Vec::new(), ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([nobody]));
    for _ in 0..2 {
        let peer = open(&mut w, identity("realm1", None, TRUSTED));
        let peer = w.hello(peer, "realm1", all_roles());
        w.subscribe(peer, 1, "com.anything");
    }
    // Nobody else gets it by asking.
    let peer = w.open();
    w.say(peer, hello("realm1", json!({ "authrole": TRUSTED })));
    w.expect_abort(peer, "wamp.error.no_such_role");
}
