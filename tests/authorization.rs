//! Authorization: what a role's permissions let its sessions do.

mod common;

use common::{Peer, Wamp, named};
use serde_json::{Value, json};
use wamplet::auth::authorizer::{Allow, Disclose, Disclosure, Permission, Role};
use wamplet::config::RealmConfig;
use wamplet::uri::MatchPolicy;

const NOTHING: Allow = Allow { call: false, register: false, publish: false, subscribe: false };

fn permission(uri: &str, match_policy: MatchPolicy, allow: Allow) -> Permission {
    Permission { uri: uri.into(), match_policy, allow, disclose: Disclose::default(), trustlevel: None }
}

/// A realm whose anonymous role has these permissions.
fn realm_with(permissions: Vec<Permission>) -> Wamp {
    let roles = vec![Role::new("anonymous", permissions)];
    Wamp::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]))
}

/// What a session may do with `uri`: call, register, publish, subscribe.
fn allowed(permissions: &[Permission], uri: &str) -> [bool; 4] {
    let messages = [
        json!([48, 1, {}, uri]),
        json!([64, 1, {}, uri]),
        json!([16, 1, { "acknowledge": true }, uri]),
        json!([32, 1, {}, uri]),
    ];
    messages.map(|message| {
        let mut w = realm_with(permissions.to_vec());
        let [peer] = w.join("realm1");
        w.say(peer, message);
        let answer = w.hear(peer);
        match &answer[4] {
            Value::String(error) if error == "wamp.error.not_authorized" => {
                assert!(answer[5][0].as_str().is_some_and(|text| text.contains(uri)), "{answer}");
                false
            }
            // Allowed, but nobody has registered it.
            Value::String(error) if error == "wamp.error.no_such_procedure" => true,
            Value::Null => true,
            other => panic!("{other}"),
        }
    })
}

#[test]
fn each_action_is_allowed_by_itself() {
    for (allow, expected) in [
        (Allow { call: true, ..NOTHING }, [true, false, false, false]),
        (Allow { register: true, ..NOTHING }, [false, true, false, false]),
        (Allow { publish: true, ..NOTHING }, [false, false, true, false]),
        (Allow { subscribe: true, ..NOTHING }, [false, false, false, true]),
        (NOTHING, [false; 4]),
    ] {
        let permissions = [permission("com.myapp.thing", MatchPolicy::Exact, allow)];
        assert_eq!(allowed(&permissions, "com.myapp.thing"), expected);
        assert_eq!(allowed(&permissions, "com.myapp.thing2"), [false; 4]);
    }
}

#[test]
fn what_no_permission_speaks_of_is_denied() {
    assert_eq!(allowed(&[], "com.myapp.thing"), [false; 4]);
}

#[test]
fn a_prefix_permission_matches_by_characters() {
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let permissions = [permission("com.example.", MatchPolicy::Prefix, all)];
    assert_eq!(allowed(&permissions, "com.example.anything.below"), [true; 4]);
    assert_eq!(allowed(&permissions, "com.example"), [false; 4]);
    assert_eq!(allowed(&permissions, "org.example.x"), [false; 4]);
}

#[test]
fn a_wildcard_permission_matches_whole_components() {
    let permissions = [permission("com..update", MatchPolicy::Wildcard, Allow { publish: true, ..NOTHING })];
    assert_eq!(allowed(&permissions, "com.myapp.update"), [false, false, true, false]);
    assert_eq!(allowed(&permissions, "com.myapp.other.update"), [false; 4]);
}

#[test]
fn the_most_specific_permission_decides_alone() {
    let permissions = [
        permission("com.", MatchPolicy::Prefix, Allow { publish: true, subscribe: true, ..NOTHING }),
        permission("com.secret.", MatchPolicy::Prefix, Allow { publish: true, ..NOTHING }),
        permission("com.secret.door", MatchPolicy::Exact, Allow { call: true, ..NOTHING }),
    ];
    assert_eq!(allowed(&permissions, "com.open"), [false, false, true, true]);
    assert_eq!(allowed(&permissions, "com.secret.x"), [false, false, true, false]);
    assert_eq!(allowed(&permissions, "com.secret.door"), [true, false, false, false]);
    assert_eq!(allowed(&permissions, "com.secret.door2"), [false, false, true, false]);
}

#[test]
fn a_denied_publication_without_acknowledge_is_dropped_silently() {
    let all_but_publish = Allow { publish: false, subscribe: true, ..NOTHING };
    let mut w = realm_with(vec![permission("", MatchPolicy::Prefix, all_but_publish)]);
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.publish(alice, 1, "com.myapp.topic1");
    w.expect_silence();
}

#[test]
fn the_meta_api_needs_permission_like_anything_else() {
    let mut w = realm_with(vec![
        permission("wamp.session.count", MatchPolicy::Exact, Allow { call: true, ..NOTHING }),
        permission("wamp.metaevent.session.", MatchPolicy::Prefix, Allow { subscribe: true, ..NOTHING }),
    ]);
    let [alice] = w.join("realm1");
    w.call(alice, 1, "wamp.session.count");
    w.expect(alice, json!([50, 1, {}, [1]]));
    w.call(alice, 2, "wamp.session.list");
    w.expect_error(alice, 48, 2, "wamp.error.not_authorized");
    w.subscribe(alice, 3, "wamp.metaevent.session.on_join");
    w.say(alice, json!([32, 4, {}, "wamp.session.on_join"]));
    w.expect_error(alice, 32, 4, "wamp.error.not_authorized");
    w.join::<1>("realm1");
    w.expect(alice, json!([36, "*", "*", {}, ["*"]]));
}

#[test]
fn permission_for_the_routers_names_does_not_let_clients_use_them() {
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let mut w = realm_with(vec![permission("wamp.", MatchPolicy::Prefix, all)]);
    let [alice] = w.join("realm1");
    w.say(alice, json!([16, 1, { "acknowledge": true }, "wamp.session.on_join"]));
    w.expect_error(alice, 16, 1, "wamp.error.invalid_uri");
    w.say(alice, json!([64, 2, {}, "wamp.session.count"]));
    w.expect_error(alice, 64, 2, "wamp.error.invalid_uri");
}

#[test]
fn a_pattern_is_authorized_by_its_own_text() {
    let allow = Allow { subscribe: true, register: true, ..NOTHING };
    let permissions = vec![
        permission("com.example.", MatchPolicy::Prefix, allow),
        permission("com.example.secret", MatchPolicy::Exact, NOTHING),
    ];
    let mut w = realm_with(permissions);
    let [alice] = w.join("realm1");
    let mut request = 0;
    for (policy, uri, is_allowed) in [
        ("prefix", "com.example.", true),
        ("prefix", "com.example.open", true),
        ("wildcard", "com.example..x", true),
        // Wider than what is allowed.
        ("prefix", "com.", false),
        ("prefix", "", false),
        ("wildcard", "..secret", false),
        ("wildcard", "com..x", false),
    ] {
        for code in [32, 64] {
            request += 1;
            w.say(alice, json!([code, request, { "match": policy }, uri]));
            if is_allowed {
                w.expect(alice, json!([code + 1, request, "*"]));
            } else {
                w.expect_error(alice, code, request, "wamp.error.not_authorized");
            }
        }
    }
}

#[test]
fn an_exact_permission_does_not_allow_the_prefix_of_the_same_text() {
    let allow = Allow { subscribe: true, register: true, ..NOTHING };
    let mut w = realm_with(vec![permission("com.example", MatchPolicy::Exact, allow)]);
    let [alice] = w.join("realm1");
    // It would get the events of com.example.secret, and answer its calls.
    w.say(alice, json!([32, 1, { "match": "prefix" }, "com.example"]));
    w.expect_error(alice, 32, 1, "wamp.error.not_authorized");
    w.say(alice, json!([64, 2, { "match": "prefix" }, "com.example"]));
    w.expect_error(alice, 64, 2, "wamp.error.not_authorized");
    w.subscribe(alice, 3, "com.example");
}

#[test]
fn an_exact_permission_does_not_allow_the_wildcard_of_the_same_text() {
    let allow = Allow { subscribe: true, register: true, ..NOTHING };
    let mut w = realm_with(vec![permission("com.example", MatchPolicy::Exact, allow)]);
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, { "match": "wildcard" }, "com.example"]));
    w.expect_error(alice, 32, 1, "wamp.error.not_authorized");
    w.say(alice, json!([64, 2, { "match": "wildcard" }, "com.example"]));
    w.expect_error(alice, 64, 2, "wamp.error.not_authorized");
}

#[test]
fn the_configuration_may_reveal_callers_and_publishers() {
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let rule = |uri: &str, caller, publisher| Permission {
        disclose: Disclose { caller, publisher },
        ..permission(uri, MatchPolicy::Prefix, all)
    };
    let mut w = realm_with(vec![
        rule("com.calls.", Disclosure::Always, Disclosure::OnRequest),
        rule("com.events.", Disclosure::OnRequest, Disclosure::Always),
        rule("com.", Disclosure::OnRequest, Disclosure::OnRequest),
    ]);
    let [alice, bob] = w.join("realm1");
    let mut requests = 0;
    let mut details_of = |w: &mut Wamp, alice: Peer, bob: Peer, prefix: &str| {
        let uri = format!("{prefix}thing");
        requests += 2;
        w.register(bob, requests - 1, &uri);
        w.subscribe(bob, requests, &uri);
        w.call(alice, requests - 1, &uri);
        let caller = w.hear(bob)[3]["caller"].as_u64();
        w.publish(alice, requests, &uri);
        let publisher = w.hear(bob)[3]["publisher"].as_u64();
        (caller, publisher)
    };
    let own = Some(alice.session);
    assert_eq!(details_of(&mut w, alice, bob, "com.calls."), (own, None));
    assert_eq!(details_of(&mut w, alice, bob, "com.events."), (None, own));
    assert_eq!(details_of(&mut w, alice, bob, "com."), (None, None));
}

#[test]
fn the_configuration_may_refuse_to_reveal_callers_and_publishers() {
    let disclose = Disclose { caller: Disclosure::Never, publisher: Disclosure::Never };
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let permission = Permission { disclose, ..permission("", MatchPolicy::Prefix, all) };
    let mut w = realm_with(vec![permission]);
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.register_with(bob, 2, json!({ "disclose_caller": true }), "com.myapp.curious");
    let disclose_me = json!({ "disclose_me": true });
    w.say(alice, json!([48, 1, disclose_me, "com.myapp.curious"]));
    w.expect_error(alice, 48, 1, "wamp.error.option_disallowed.disclose_me");
    w.say(alice, json!([48, 2, disclose_me, "wamp.session.count"]));
    w.expect_error(alice, 48, 2, "wamp.error.option_disallowed.disclose_me");
    w.say(alice, json!([16, 3, { "disclose_me": true, "acknowledge": true }, "com.myapp.topic1"]));
    w.expect_error(alice, 16, 3, "wamp.error.option_disallowed.disclose_me");
    // Without an acknowledgement a PUBLISH fails silently.
    w.say(alice, json!([16, 4, disclose_me, "com.myapp.topic1"]));
    w.expect_silence();
    // Nor does the callee learn it.
    w.call(alice, 5, "com.myapp.curious");
    w.expect(bob, json!([68, 1, "*", {}]));
    w.publish(alice, 6, "com.myapp.topic1");
    w.expect(bob, json!([36, 1, "*", {}]));
}

#[test]
fn a_callee_that_announced_trust_levels_is_told_how_far_a_call_is_trusted() {
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let rule = |uri: &str, trustlevel| Permission { trustlevel, ..permission(uri, MatchPolicy::Prefix, all) };
    let mut w = realm_with(vec![rule("", None), rule("com.low", Some(0)), rule("com.high", Some(1 << 31))]);
    let callee = w.join_as_callee("realm1", json!({ "call_trustlevels": true }));
    let [caller, other] = w.join("realm1");
    for (request, (procedure, details)) in (1..).zip([
        ("com.any", json!({})),
        ("com.low", json!({ "trustlevel": 0 })),
        ("com.high", json!({ "trustlevel": 2_147_483_648_u64 })),
    ]) {
        w.register(callee, request, procedure);
        w.call(caller, request, procedure);
        w.expect(callee, json!([68, request, "*", details]));
    }
    w.register(other, 1, "com.high.other");
    w.call(caller, 4, "com.high.other");
    w.expect(other, json!([68, 1, "*", {}]));
}

#[test]
fn a_subscriber_that_announced_trust_levels_is_told_how_far_an_event_is_trusted() {
    let all = Allow { call: true, register: true, publish: true, subscribe: true };
    let rule = |uri: &str, trustlevel| Permission { trustlevel, ..permission(uri, MatchPolicy::Prefix, all) };
    let mut w = realm_with(vec![rule("", None), rule("com.high", Some(7))]);
    let [publisher, other] = w.join("realm1");
    let told = w.open();
    let roles = json!({ "subscriber": { "features": { "publication_trustlevels": true } } });
    let told = w.hello(told, "realm1", roles);
    let retain = json!({ "retain": true });
    for (request, topic) in [(1, "com.any"), (2, "com.high")] {
        w.subscribe(other, request, topic);
        w.subscribe(told, request, topic);
    }
    w.say(publisher, json!([16, 1, retain, "com.any"]));
    w.expect(other, json!([36, 1, "*", {}]));
    w.expect(told, json!([36, 1, "*", {}]));
    w.say(publisher, json!([16, 2, retain, "com.high"]));
    w.expect(other, json!([36, 2, "*", {}]));
    w.expect(told, json!([36, 2, "*", { "trustlevel": 7 }]));
    // And so it is with what was retained.
    let get_retained = json!({ "get_retained": true });
    w.say(other, json!([32, 3, get_retained, "com.high"]));
    w.expect(other, json!([33, 3, 2]));
    w.expect(other, json!([36, 2, "*", { "retained": true }]));
    w.say(told, json!([32, 3, get_retained, "com.high"]));
    w.expect(told, json!([33, 3, 2]));
    w.expect(told, json!([36, 2, "*", { "retained": true, "trustlevel": 7 }]));
}

#[test]
fn a_role_other_than_anonymous_is_nobodys_yet() {
    let roles = vec![Role::allow_all("admin"), Role::new("anonymous", Vec::new())];
    let mut w = Wamp::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    let peer = w.open();
    let hello = json!({ "roles": common::all_roles(), "authrole": "admin" });
    let (peer, details) = w.hello_with(peer, "realm1", hello);
    assert_eq!(details["authrole"], "anonymous");
    w.say(peer, json!([32, 1, {}, "com.myapp.topic1"]));
    w.expect_error(peer, 32, 1, "wamp.error.not_authorized");
}
