//! What an authorizer is asked, and what comes of its answer, of a wrong one and of none. Owns also who is not asked: the
//! authorizer about itself, and anybody about what is refused in any case.

use serde_json::json;
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::RealmConfig;
use wamplet::router::TRUSTED;

use crate::common::{self, Wamp, named};
use crate::guarded::{AUTHORIZE, Guarded};

#[test]
fn the_authorizer_is_told_who_wants_to_do_what_and_with_which_options() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    for (request, message, uri, action, options) in [
        (
            1,
            json!([48, 1, { "timeout": 5, "disclose_me": true }, "com.a"]),
            "com.a",
            "call",
            json!({ "timeout": 5, "disclose_me": true }),
        ),
        (
            2,
            json!([64, 2, { "invoke": "roundrobin" }, "com.b"]),
            "com.b",
            "register",
            json!({ "match": "exact", "invoke": "roundrobin" }),
        ),
        (
            3,
            json!([64, 3, { "match": "wildcard" }, "com..b"]),
            "com..b",
            "register",
            json!({ "match": "wildcard" }),
        ),
        (
            4,
            json!([16, 4, { "acknowledge": true, "eligible": [7] }, "com.c", [1], { "k": 2 }]),
            "com.c",
            "publish",
            json!({ "acknowledge": true, "eligible": [7] }),
        ),
        (5, json!([32, 5, {}, "com.d"]), "com.d", "subscribe", json!({ "match": "exact" })),
        (6, json!([32, 6, { "match": "prefix" }, "com."]), "com.", "subscribe", json!({ "match": "prefix" })),
    ] {
        let code = message[0].clone();
        g.w.say(alice, message);
        let asked = g.expect_asked(json!(["*", uri, action, options]));
        let who = json!({
            "session": alice.session, "realm": "realm1", "authid": "*", "authrole": "anonymous",
            "authmethod": "anonymous", "authprovider": "static", "authextra": {},
            "transport": { "type": "test", "protocol": "wamp.2.json", "peer": "scripted", "channel_serializer": "json" },
        });
        assert!(common::is_like(&asked[0], &who), "{asked}");
        g.decide(json!(false));
        g.w.expect_error(alice, code.as_u64().expect("a code"), request, "wamp.error.not_authorized");
    }
    g.w.expect_silence();
}

#[test]
fn what_is_allowed_is_done() {
    let mut g = Guarded::new();
    let [alice, bob] = g.w.join("realm1");
    let subscription = g.subscribe(bob, 1, "com.topic");
    g.w.say(bob, json!([64, 2, {}, "com.add"]));
    g.decided("com.add", "register", json!({ "allow": true }));
    let registration = g.w.expect(bob, json!([65, 2, "*"]))[2].clone();
    g.w.say(alice, json!([16, 1, { "acknowledge": true }, "com.topic", ["hello"]]));
    let answer = json!({ "allow": true, "disclose": false, "cache": null, "validate": null });
    g.decided("com.topic", "publish", answer);
    g.w.expect(alice, json!([17, 1, "*"]));
    g.w.expect(bob, json!([36, subscription, "*", {}, ["hello"]]));
    g.w.say(alice, json!([48, 2, {}, "com.add", [1, 2]]));
    g.decided("com.add", "call", json!(true));
    g.w.expect(bob, json!([68, 1, registration, {}, [1, 2]]));
    g.w.say(bob, json!([70, 1, {}, [3]]));
    g.w.expect(alice, json!([50, 2, {}, [3]]));
    // What needs no permission is not asked about.
    g.w.say(bob, json!([34, 3, subscription]));
    g.w.expect(bob, json!([35, 3]));
    g.w.say(bob, json!([66, 4, registration]));
    g.w.expect(bob, json!([67, 4]));
    g.w.expect_silence();
}

#[test]
fn the_authorizer_may_reveal_callers_and_publishers() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let subscription = g.w.subscribe(bob, 1, "com.topic");
    g.w.register(bob, 2, "com.add");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "disclose": true }));
    let who =
        json!({ "publisher": alice.session, "publisher_authid": "*", "publisher_authrole": "anonymous" });
    g.w.expect(bob, json!([36, subscription, "*", who]));
    g.w.call(alice, 2, "com.add");
    g.decided("com.add", "call", json!({ "allow": true, "disclose": true }));
    let who = json!({ "caller": alice.session, "caller_authid": "*", "caller_authrole": "anonymous" });
    g.w.expect(bob, json!([68, 1, "*", who]));
    g.w.call(alice, 3, "com.add");
    g.decided("com.add", "call", json!(true));
    g.w.expect(bob, json!([68, 2, "*", {}]));
}

#[test]
fn an_answer_that_is_no_decision_fails_the_request() {
    for answer in [
        json!(null),
        json!(1),
        json!("true"),
        json!([true]),
        json!({}),
        json!({ "disclose": true }),
        json!({ "allow": 1 }),
        json!({ "allow": null }),
        json!({ "allow": true, "cache": "yes" }),
        json!({ "allow": true, "validate": { "call": "com.schema" } }),
        json!({ "allow": true, "alow": true }),
    ] {
        let mut g = Guarded::new();
        let [alice] = g.w.join("realm1");
        g.w.say(alice, json!([32, 1, {}, "com.topic"]));
        g.decided("com.topic", "subscribe", answer);
        g.w.expect_error(alice, 32, 1, "wamp.error.authorization_failed");
        // The session lives on.
        g.subscribe(alice, 2, "com.topic");
    }
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([32, 1, {}, "com.topic"]));
    g.expect_asked(json!("*"));
    g.w.say(g.authorizer, json!([70, g.asked, {}, [], { "allow": true }]));
    g.w.expect_error(alice, 32, 1, "wamp.error.authorization_failed");
}

#[test]
fn the_sentence_says_what_was_wrong_with_the_authorizer() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.call(alice, 1, "com.add");
    g.expect_asked(json!("*"));
    g.w.say(g.authorizer, json!([8, 68, g.asked, {}, "com.example.oops", ["the database is away"]]));
    let error = g.w.hear(alice);
    let text = error[5][0].as_str().expect("a sentence");
    assert!(text.contains("com.example.oops") && text.contains("the database is away"), "{text}");
}

#[test]
fn a_publication_that_is_refused_without_acknowledge_is_dropped_silently() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    for answer in [json!(false), json!("rubbish")] {
        let request = g.asked + 1;
        g.w.publish(alice, request, "com.topic");
        g.decided("com.topic", "publish", answer);
        g.w.expect_silence();
    }
    g.w.lose(g.authorizer);
    g.w.publish(alice, 3, "com.topic");
    g.w.expect_silence();
    g.w.say(alice, json!([16, 4, { "acknowledge": true }, "com.topic"]));
    g.w.expect_error(alice, 16, 4, "wamp.error.authorization_failed");
}

#[test]
fn what_would_be_refused_anyway_is_not_asked_about() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([32, 1, {}, "com..topic"]));
    g.w.expect_error(alice, 32, 1, "wamp.error.invalid_uri");
    g.w.say(alice, json!([64, 2, {}, "wamp.session.count"]));
    g.w.expect_error(alice, 64, 2, "wamp.error.invalid_uri");
    g.w.publish(alice, 3, "wamp.session.on_join");
    g.w.expect_silence();
    let deaf = g.w.open();
    let deaf = g.w.hello(deaf, "realm1", json!({ "publisher": {} }));
    g.w.say(deaf, json!([32, 1, {}, "com.topic"]));
    g.w.expect_violation(deaf, "SUBSCRIBE");
    g.w.expect_silence();
}

#[test]
fn a_callee_of_the_authorizer_is_not_asked_about_itself() {
    let mut g = Guarded::new();
    g.w.lose(g.authorizer);
    let free = g.w.join_as("realm1", "first", "free");
    g.w.register_with(free, 1, json!({ "invoke": "roundrobin" }), AUTHORIZE);
    // A second one, whose own role asks the first.
    let [second] = g.w.join("realm1");
    g.w.say(second, json!([64, 1, { "invoke": "roundrobin" }, AUTHORIZE]));
    g.w.expect(free, json!([68, 1, "*", {}, ["*", AUTHORIZE, "register", "*"]]));
    g.w.say(free, json!([70, 1, {}, [true]]));
    let registration = g.w.expect(second, json!([65, 1, "*"]))[2].clone();
    // Now it decides itself, and nobody is asked.
    g.w.subscribe(second, 2, "com.anything");
    g.w.call(second, 3, "wamp.session.count");
    g.w.expect(second, json!([50, 3, {}, [2]]));
    // Until it gives it up.
    g.w.say(second, json!([66, 4, registration]));
    g.w.expect(second, json!([67, 4]));
    g.w.say(second, json!([32, 5, {}, "com.other"]));
    g.w.expect(free, json!([68, 2, "*", {}, ["*", "com.other", "subscribe", "*"]]));
    g.w.expect_silence();
}

#[test]
fn who_has_registered_a_wider_pattern_is_asked_about_all_the_same() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([64, 1, { "match": "prefix" }, "com."]));
    g.decided("com.", "register", json!(true));
    g.w.hear(alice);
    g.subscribe(alice, 2, "com.topic");
}

#[test]
fn meta_procedures_are_authorized_as_any_call() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.call(alice, 1, "wamp.session.count");
    g.decided("wamp.session.count", "call", json!(false));
    g.w.expect_error(alice, 48, 1, "wamp.error.not_authorized");
    g.w.call(alice, 2, "wamp.session.count");
    g.decided("wamp.session.count", "call", json!(true));
    g.w.expect(alice, json!([50, 2, {}, [2]]));
    g.w.call(alice, 3, "wamplet.authorization.purge");
    g.decided("wamplet.authorization.purge", "call", json!(false));
    g.w.expect_error(alice, 48, 3, "wamp.error.not_authorized");
}

#[test]
fn an_authorizer_that_comes_late_is_asked_from_then_on() {
    let mut g = Guarded::new();
    g.w.lose(g.authorizer);
    let [alice] = g.w.join("realm1");
    g.w.call(alice, 1, "com.add");
    g.w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
    g.authorizer = g.w.join_as("realm1", "authorizer", TRUSTED);
    g.w.register(g.authorizer, 1, AUTHORIZE);
    g.w.call(alice, 2, "com.add");
    g.decided("com.add", "call", json!(true));
    g.w.expect_error(alice, 48, 2, "wamp.error.no_such_procedure");
}

#[test]
fn when_the_authorizer_leaves_all_that_waits_fails() {
    let mut g = Guarded::new();
    let [alice, bob] = g.w.join("realm1");
    for request in 1..=3 {
        g.w.call(alice, request, "com.add");
    }
    g.w.call(bob, 1, "com.add");
    g.w.hear_all(g.authorizer);
    g.w.lose(g.authorizer);
    for request in 1..=3 {
        g.w.expect_error(alice, 48, request, "wamp.error.authorization_failed");
    }
    g.w.expect_error(bob, 48, 1, "wamp.error.authorization_failed");
    g.w.expect_silence();
}

#[test]
fn authorizers_that_wait_for_each_other_are_bounded_by_time() {
    let ask = |uri: &str| Ask::Procedure { uri: uri.into(), realm: None };
    let roles = vec![
        Role::dynamic("a", Authorizer::new(ask("com.decides.a"))),
        Role::dynamic("b", Authorizer::new(ask("com.decides.b"))),
        Role::allow_all("free"),
    ];
    let mut w = Wamp::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    // Each decides about the other; somebody lets them in.
    let doorman = w.join_as("realm1", "doorman", "free");
    w.register(doorman, 1, "com.decides.a");
    let a = w.join_as("realm1", "a", "a");
    w.say(a, json!([64, 1, {}, "com.decides.b"]));
    w.hear(doorman);
    w.say(doorman, json!([70, 1, {}, [true]]));
    let registration = w.hear(a)[2].clone();
    w.say(doorman, json!([66, 2, 1]));
    w.hear(doorman);
    let b = w.join_as("realm1", "b", "b");
    w.say(b, json!([64, 1, {}, "com.decides.a"]));
    w.expect(a, json!([68, 1, registration, {}, "*"]));
    w.say(a, json!([70, 1, {}, [true]]));
    w.hear(b);
    // Before it answers about the other, each asks for something itself.
    w.say(a, json!([32, 2, {}, "com.topic"]));
    w.expect(b, json!([68, 1, "*", {}, ["*", "com.topic", "subscribe", "*"]]));
    w.say(b, json!([32, 2, {}, "com.topic"]));
    w.expect(a, json!([68, 2, "*", {}, ["*", "com.topic", "subscribe", "*"]]));
    w.advance_ms(9_999);
    w.expect_silence();
    w.advance_ms(1);
    for peer in [a, b] {
        let heard = w.hear_all(peer);
        let errors: Vec<_> = heard.iter().filter(|message| message[0] == 8).collect();
        assert_eq!(errors.len(), 1, "{heard:?}");
        assert_eq!(errors[0][4], "wamp.error.authorization_failed");
    }
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn who_registers_the_name_of_an_authorizer_of_another_realm_is_asked_about_all_the_same() {
    let ask = Ask::Procedure { uri: AUTHORIZE.into(), realm: Some("realm2".into()) };
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(ask))];
    let here = RealmConfig { roles, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([here, RealmConfig::open("realm2")]));
    let authorizer = w.join_as("realm2", "authorizer", TRUSTED);
    w.register(authorizer, 1, AUTHORIZE);
    let mut g = Guarded { w, authorizer, asked: 0 };
    let [mallory] = g.w.join("realm1");
    g.w.say(mallory, json!([64, 1, {}, AUTHORIZE]));
    g.decided(AUTHORIZE, "register", json!(true));
    g.w.expect(mallory, json!([65, 1, "*"]));
    g.w.say(mallory, json!([16, 2, { "acknowledge": true }, "com.a"]));
    g.decided("com.a", "publish", json!(false));
    g.w.expect_error(mallory, 16, 2, "wamp.error.not_authorized");
}
