//! Sessions: from HELLO to WELCOME, from GOODBYE to GOODBYE, and what keeps one from beginning. [wamp: basic/sessions]

mod common;

use common::{Wamp, all_roles, named};
use serde_json::json;
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::router::Close;
use wamplet::uri::UriCheck;

#[test]
fn welcome_names_realm_identity_and_agent() {
    let mut w = Wamp::new();
    let alice = w.open();
    let (alice, details) = w.hello_with(alice, "realm1", json!({ "roles": all_roles() }));
    assert!((1..=1 << 53).contains(&alice.session), "{} is an id of global scope", alice.session);
    assert_eq!(details["realm"], "realm1");
    assert_eq!(details["authrole"], "anonymous");
    assert_eq!(details["authmethod"], "anonymous");
    assert_eq!(details["authprovider"], "static");
    let agent = details["agent"].as_str().expect("an agent");
    assert!(agent.starts_with("wamplet-"), "{agent}");
    w.expect_silence();
}

#[test]
fn welcome_announces_broker_and_dealer_with_their_features() {
    let mut w = Wamp::new();
    let alice = w.open();
    let (_, details) = w.hello_with(alice, "realm1", json!({ "roles": { "caller": {} } }));
    let roles = details["roles"].as_object().expect("a dictionary of roles");
    assert_eq!(roles.keys().collect::<Vec<_>>(), ["broker", "dealer"]);
    for feature in [
        "event_retention",
        "pattern_based_subscription",
        "payload_passthru_mode",
        "payload_transparency",
        "publication_trustlevels",
        "publisher_exclusion",
        "publisher_identification",
        "session_meta_api",
        "subscriber_blackwhite_listing",
        "subscription_meta_api",
        "subscription_revocation",
    ] {
        assert_eq!(roles["broker"]["features"][feature], true, "broker {feature}");
    }
    for feature in [
        "call_canceling",
        "call_reroute",
        "call_timeout",
        "call_trustlevels",
        "caller_identification",
        "pattern_based_registration",
        "payload_passthru_mode",
        "payload_transparency",
        "progressive_call_invocations",
        "progressive_call_results",
        "registration_meta_api",
        "registration_revocation",
        "session_meta_api",
        "shared_registration",
        "testament_meta_api",
    ] {
        assert_eq!(roles["dealer"]["features"][feature], true, "dealer {feature}");
    }
    // What it does not do, it must not announce: clients would rely on it.
    for (role, feature) in
        [("broker", "event_history"), ("broker", "sharded_subscription"), ("dealer", "sharded_registration")]
    {
        assert_eq!(roles[role]["features"].get(feature), None, "{role} {feature}");
    }
}

#[test]
fn an_anonymous_authid_is_six_groups_of_four_unmistakable_characters() {
    let mut w = Wamp::new();
    let mut authids = Vec::new();
    for _ in 0..20 {
        let peer = w.open();
        let hello = json!({ "roles": all_roles(), "authid": "root", "authmethods": ["anonymous"] });
        let (_, details) = w.hello_with(peer, "realm1", hello);
        authids.push(details["authid"].as_str().expect("an authid").to_owned());
    }
    for authid in &authids {
        let groups: Vec<&str> = authid.split('-').collect();
        assert_eq!(groups.len(), 6, "{authid}");
        for group in groups {
            assert_eq!(group.len(), 4, "{authid}");
            assert!(group.chars().all(|c| "345679ACEFGHJKLMNPQRSTUVWXY".contains(c)), "{authid}");
        }
    }
    authids.sort();
    authids.dedup();
    assert_eq!(authids.len(), 20, "no two are the same");
}

#[test]
fn session_ids_are_drawn_from_the_whole_range() {
    let mut w = Wamp::new();
    let sessions: Vec<u64> = w.join::<64>("realm1").iter().map(|peer| peer.session).collect();
    // 64 uniform draws miss one of four quarters with a probability of about 4 * 10^-8, and the seed is fixed.
    for quarter in 0..4 {
        let range = quarter << 51..(quarter + 1) << 51;
        assert!(sessions.iter().any(|id| range.contains(id)), "none in quarter {quarter}: {sessions:?}");
    }
}

#[test]
fn the_clients_authextra_is_told_back() {
    let mut w = Wamp::new();
    let peer = w.open();
    let extra = json!({ "device": "phone", "nested": { "n": [1, 2] } });
    let (_, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles(), "authextra": extra }));
    assert_eq!(details["authextra"], extra);
}

#[test]
fn authextra_that_is_no_dictionary_is_left_out() {
    let mut w = Wamp::new();
    for extra in [json!(null), json!("x"), json!([1])] {
        let peer = w.open();
        let (_, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles(), "authextra": extra }));
        assert_eq!(details["authextra"], json!({}));
    }
}

#[test]
fn one_role_is_enough_and_unknown_ones_are_ignored() {
    let mut w = Wamp::new();
    for roles in [
        json!({ "publisher": {} }),
        json!({ "subscriber": {} }),
        json!({ "caller": { "features": {} } }),
        json!({ "callee": { "features": { "call_canceling": true, "x_private": 7 } }, "juggler": {} }),
    ] {
        let peer = w.open();
        w.hello(peer, "realm1", roles);
    }
}

#[test]
fn a_hello_without_roles_is_a_protocol_violation() {
    for details in [
        json!({}),
        json!({ "roles": null }),
        json!({ "roles": [] }),
        json!({ "roles": {} }),
        json!({ "roles": { "broker": {}, "dealer": {} } }),
        json!({ "roles": { "caller": true } }),
        json!({ "roles": { "caller": { "features": [] } } }),
    ] {
        let mut w = Wamp::new();
        let peer = w.open();
        w.say(peer, json!([1, "realm1", details]));
        w.expect_violation(peer, "HELLO.Details.roles");
    }
}

#[test]
fn goodbye_is_answered_once_and_ends_the_session() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    w.say(bob, json!([6, { "message": "see you" }, "wamp.close.close_realm"]));
    w.expect(bob, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.publish(alice, 1, "com.myapp.topic1");
    w.expect_silence();
    assert_eq!(subscription, 1);
    assert_eq!(w.closed(bob), None, "a client may join again on the same transport");
    assert_eq!(w.router.inspect()["realms"][0]["sessions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_transport_may_have_one_session_after_the_other() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    let peer = w.open();
    let first = w.hello(peer, "realm1", all_roles());
    w.register(first, 1, "com.myapp.procedure1");
    w.say(first, json!([6, {}, "wamp.close.normal"]));
    w.expect(first, json!([6, {}, "wamp.close.goodbye_and_out"]));

    let second = w.hello(peer, "realm2", json!({ "callee": {} }));
    assert_ne!(first.session, second.session);
    // Request ids count from 1 again, and so do those of invocations.
    assert_eq!(w.register(second, 1, "com.myapp.procedure1"), 1);
    w.call(observer, 1, "com.myapp.procedure1");
    w.expect_error(observer, 48, 1, "wamp.error.no_such_procedure");
    // The roles are those of the second HELLO.
    w.publish(second, 2, "com.myapp.topic1");
    w.expect_violation(second, "PUBLISH");
}

#[test]
fn answers_to_invocations_are_discarded_when_their_session_has_left() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    for request in [1, 2] {
        w.call(caller, request, "com.myapp.procedure1");
        w.hear(callee);
    }
    w.say(callee, json!([6, {}, "wamp.close.normal"]));
    w.expect(callee, json!([6, {}, "wamp.close.goodbye_and_out"]));
    for request in [1, 2] {
        w.expect_error(caller, 48, request, "wamp.error.canceled");
    }
    w.say(callee, json!([70, 1, {}, ["too late"]]));
    w.say(callee, json!([8, 68, 2, {}, "com.myapp.error"]));
    w.expect_silence();
    // Its transport is as good as before.
    w.hello(callee, "realm1", all_roles());
    w.say(callee, json!([6, {}, "wamp.close.normal"]));
    w.expect(callee, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.publish(callee, 1, "com.myapp.topic1");
    w.expect_violation(callee, "expected HELLO");
}

#[test]
fn a_cancel_is_discarded_when_its_session_has_left() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.call(caller, 1, "com.myapp.procedure1");
    w.hear(callee);
    // Autobahn|Python with asyncio, of which an app cancels a call and leaves in one go.
    w.say(caller, json!([6, {}, "wamp.close.normal"]));
    w.say(caller, json!([49, 1, {}]));
    w.expect(caller, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_silence();
    w.hello(caller, "realm1", all_roles());
}

#[test]
fn abort_instead_of_hello_closes_the_transport_unanswered() {
    let mut w = Wamp::new();
    let peer = w.open();
    w.say(peer, json!([3, { "message": "changed my mind" }, "wamp.error.cannot_authenticate"]));
    w.expect_closed(peer, Close::Normal);
    assert_eq!(w.router.transports(), 0);
    assert_eq!(w.router.next_timeout(), None, "nothing is left to wait for");
}

#[test]
fn abort_ends_a_session_unanswered() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.register(bob, 1, "com.myapp.procedure1");
    w.say(bob, json!([3, {}, "wamp.error.protocol_violation"]));
    w.expect_closed(bob, Close::Normal);
    w.call(alice, 1, "com.myapp.procedure1");
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
}

#[test]
fn a_transport_that_says_no_hello_is_closed() {
    let limits = Limits { hello_timeout_ms: 3_000, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    let silent = w.open();
    w.advance_ms(2_999);
    assert_eq!(w.closed(silent), None);
    w.advance_ms(1);
    w.expect_closed(silent, Close::Timeout);
    w.advance_ms(1_000_000);
    assert_eq!(w.closed(alice), None, "a session may be silent for as long as it likes");
}

#[test]
fn a_transport_has_the_hello_timeout_again_after_a_goodbye() {
    let limits = Limits { hello_timeout_ms: 3_000, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    w.advance_ms(60_000);
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.advance_ms(2_999);
    assert_eq!(w.closed(alice), None);
    w.advance_ms(1);
    w.expect_closed(alice, Close::Timeout);
}

#[test]
fn shutdown_says_goodbye_to_sessions_and_closes_the_rest() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let silent = w.open();
    w.subscribe(bob, 1, "wamp.session.on_leave");
    w.shut_down();
    w.expect_closed(silent, Close::Normal);
    for peer in [alice, bob] {
        w.expect(peer, json!([6, {}, "wamp.close.system_shutdown"]));
        assert_eq!(w.closed(peer), None, "the answer is waited for");
        w.say(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
        w.expect_closed(peer, Close::Normal);
    }
    assert!(w.try_open().is_err(), "nobody is let in any more");
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_second_shutdown_says_nothing_more() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.shut_down();
    w.expect(alice, json!([6, {}, "wamp.close.system_shutdown"]));
    w.shut_down();
    w.expect_silence();
    w.lose(alice);
    w.expect_silence();
    assert_eq!(w.router.transports(), 0);
}

#[test]
fn a_goodbye_that_crosses_the_routers_goodbye_is_its_answer() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.shut_down();
    w.expect(alice, json!([6, {}, "wamp.close.system_shutdown"]));
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.expect_closed(alice, Close::Normal);
}

#[test]
fn a_peer_that_does_not_answer_the_routers_goodbye_is_closed() {
    let limits = Limits { goodbye_timeout_ms: 700, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    w.shut_down();
    w.expect(alice, json!([6, {}, "wamp.close.system_shutdown"]));
    w.advance_ms(699);
    assert_eq!(w.closed(alice), None);
    w.advance_ms(1);
    w.expect_closed(alice, Close::Timeout);
}

#[test]
fn everything_but_the_answer_is_ignored_after_the_routers_goodbye() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.shut_down();
    w.expect(alice, json!([6, {}, "wamp.close.system_shutdown"]));
    w.say(alice, json!([32, 1, {}, "com.myapp.topic1"]));
    w.say(alice, json!([1, "realm1", { "roles": all_roles() }]));
    w.say(alice, json!([99]));
    w.say_bytes(alice, b"no JSON at all");
    w.expect_silence();
    assert_eq!(w.closed(alice), None);
    w.say(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_closed(alice, Close::Normal);
}

#[test]
fn an_oversized_frame_is_ignored_after_the_routers_goodbye() {
    let limits = Limits { message_length: 100, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let peer = w.open();
    let alice = w.hello(peer, "realm1", json!({ "caller": {} }));
    w.shut_down();
    w.expect(alice, json!([6, {}, "wamp.close.system_shutdown"]));
    w.say_bytes(alice, &[b' '; 101]);
    // [basic/sessions] SHUTTING DOWN, 14: received other / ignore.
    w.expect_silence();
    assert_eq!(w.closed(alice), None);
}

#[test]
fn any_realm_comes_into_being_and_goes_with_its_last_session() {
    let mut w = Wamp::new();
    let [alice] = w.join("com.some.realm");
    let [bob] = w.join("com.some.realm");
    let [carol] = w.join("another");
    let names = |w: &Wamp| -> Vec<String> {
        let inspected = w.router.inspect();
        let realms = inspected["realms"].as_array().expect("a list of realms");
        let mut names: Vec<_> =
            realms.iter().map(|realm| realm["name"].as_str().expect("a name").to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&w), ["another", "com.some.realm"]);
    w.lose(alice);
    assert_eq!(names(&w), ["another", "com.some.realm"]);
    w.say(bob, json!([6, {}, "wamp.close.close_realm"]));
    assert_eq!(names(&w), ["another"]);
    w.say(carol, json!([1, "again", { "roles": all_roles() }]));
    w.expect_violation(carol, "HELLO");
    assert_eq!(names(&w), [] as [&str; 0]);
}

#[test]
fn realms_do_not_hear_of_each_other() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let [bob] = w.join("realm2");
    w.subscribe(alice, 1, "com.myapp.topic1");
    w.register(alice, 2, "com.myapp.procedure1");
    w.publish(bob, 1, "com.myapp.topic1");
    w.call(bob, 2, "com.myapp.procedure1");
    w.expect_error(bob, 48, 2, "wamp.error.no_such_procedure");
    w.expect_silence();
}

#[test]
fn a_realm_that_the_configuration_does_not_name_is_refused() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    w.join::<1>("realm1");
    let peer = w.open();
    w.say(peer, json!([1, "realm2", { "roles": all_roles() }]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
}

#[test]
fn a_configured_realm_stays_without_sessions() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let [alice] = w.join("realm1");
    w.lose(alice);
    assert_eq!(w.router.inspect()["realms"][0]["name"], "realm1");
    w.join::<1>("realm1");
}

#[test]
fn a_realm_without_an_anonymous_role_refuses_everybody() {
    let mut w = Wamp::with_config(named([RealmConfig { roles: Vec::new(), ..RealmConfig::open("realm1") }]));
    let peer = w.open();
    w.say(peer, json!([1, "realm1", { "roles": all_roles() }]));
    w.expect_abort(peer, "wamp.error.no_such_role");
}

#[test]
fn a_client_that_does_not_offer_anonymous_is_refused() {
    let mut w = Wamp::new();
    for methods in [json!(["ticket"]), json!(["wampcra", "cryptosign"]), json!("anonymous"), json!([7])] {
        let peer = w.open();
        w.say(peer, json!([1, "realm1", { "roles": all_roles(), "authmethods": methods }]));
        w.expect_abort(peer, "wamp.error.no_matching_auth_method");
    }
    for methods in [json!(["ticket", "anonymous"]), json!([]), json!(null)] {
        let peer = w.open();
        w.hello_with(peer, "realm1", json!({ "roles": all_roles(), "authmethods": methods }));
    }
}

#[test]
fn an_invalid_realm_uri_is_refused() {
    let mut w = Wamp::new();
    for realm in ["", "a..b", ".a", "a.", "my realm", "my#realm", "tab\trealm"] {
        let peer = w.open();
        w.say(peer, json!([1, realm, { "roles": all_roles() }]));
        w.expect_abort(peer, "wamp.error.invalid_uri");
    }
}

#[test]
fn a_hello_that_names_no_realm_is_refused() {
    let mut w = Wamp::new();
    let peer = w.open();
    w.say(peer, json!([1, null, { "roles": all_roles() }]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
}

#[test]
fn realm_names_are_loose_uris_even_where_other_uris_are_strict() {
    let realm = RealmConfig { uri_check: UriCheck::Strict, ..RealmConfig::open("My-Realm") };
    let mut w = Wamp::with_config(named([realm]));
    w.join::<1>("My-Realm");
}

#[test]
fn a_refused_hello_leaves_nothing_behind() {
    let mut w = Wamp::new();
    for hello in [
        json!([1, "fresh", { "roles": all_roles(), "authmethods": ["ticket"] }]),
        json!([1, "fresh", {}]),
        json!([1, "not valid", { "roles": all_roles() }]),
    ] {
        let peer = w.open();
        w.say(peer, hello);
    }
    assert_eq!(w.router.inspect(), json!({ "transports": 0, "realms": [] }));
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_lost_transport_ends_its_session_like_a_goodbye() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.register(bob, 1, "com.myapp.procedure1");
    w.subscribe(bob, 2, "com.myapp.topic1");
    w.lose(bob);
    w.call(alice, 1, "com.myapp.procedure1");
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect_silence();
    assert_eq!(w.router.transports(), 1);
}

#[test]
fn late_frames_of_a_closed_transport_reach_nobody() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.lose(alice);
    // The slot is used again; the old key must not reach the new session.
    let [bob] = w.join("realm1");
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.say(alice, json!([99]));
    w.lose(alice);
    w.expect_silence();
    w.subscribe(bob, 1, "com.myapp.topic1");
}

#[test]
fn the_same_seed_and_input_give_the_same_bytes() {
    let run = || {
        let mut w = Wamp::new();
        let peers = Serializer::ALL.map(|serializer| w.join_with("realm1", serializer));
        for peer in peers {
            w.say(peer, json!([32, 1, {}, "com.myapp.topic1"]));
            w.say(
                peer,
                json!([16, 2, { "acknowledge": true, "exclude_me": false }, "com.myapp.topic1", [1]]),
            );
        }
        peers.map(|peer| (peer.session, w.hear_all(peer)))
    };
    assert_eq!(run(), run());
}
