//! Limits: each one reached, and what it means for the offender and for everybody else.

mod common;

use common::{Bystanders, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::router::{Close, OpenRefused, Transport};

fn with_limits(limits: Limits) -> Wamp {
    Wamp::with_config(Config { limits, ..Config::default() })
}

#[test]
fn one_transport_too_many_is_refused_until_another_closes() {
    let mut w = with_limits(Limits { transports: 3, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let last = w.open();
    assert_eq!(w.try_open(), Err(OpenRefused::Full(3)));
    bystanders.expect_undisturbed(&mut w);
    w.lose(last);
    w.open();
    assert_eq!(w.try_open(), Err(OpenRefused::Full(3)));
}

#[test]
fn children_of_the_router_are_let_in_where_strangers_have_to_wait() {
    let mut w = with_limits(Limits { transports: 1, ..Limits::default() });
    w.open();
    w.open_transport(Transport { is_child: true, ..Transport::default() });
    assert_eq!(w.try_open(), Err(OpenRefused::Full(1)));
}

#[test]
fn a_transport_that_the_router_closed_does_not_count() {
    let mut w = with_limits(Limits { transports: 1, ..Limits::default() });
    for _ in 0..3 {
        let peer = w.open();
        w.say(peer, json!([99]));
        w.expect_violation(peer, "");
    }
}

#[test]
fn one_realm_too_many_does_not_come_into_being() {
    let mut w = with_limits(Limits { realms: 2, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let [alice] = w.join("realm2");
    let peer = w.open();
    w.say(peer, json!([1, "realm3", { "roles": all_roles() }]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
    bystanders.expect_undisturbed(&mut w);
    // The realms that are there take more sessions, and one that went makes room.
    w.join::<1>("realm1");
    w.lose(alice);
    w.join::<1>("realm3");
}

#[test]
fn the_limit_of_realms_is_not_for_those_of_the_configuration() {
    let realms = ["realm1", "realm2", "realm3"].map(RealmConfig::open);
    let limits = Limits { realms: 1, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..named(realms) });
    for realm in ["realm1", "realm2", "realm3"] {
        w.join::<1>(realm);
    }
}

#[test]
fn a_message_may_be_as_deep_as_the_limit_and_no_deeper() {
    for serializer in Serializer::ALL {
        let mut w = with_limits(Limits { message_depth: 5, ..Limits::default() });
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let alice = w.join_with("realm1", serializer);
        // The message, Args and three more.
        w.say(alice, json!([16, 1, { "acknowledge": true }, "com.myapp.topic1", [[[[7]]]]]));
        w.expect(alice, json!([17, 1, "*"]));
        w.say(alice, json!([16, 2, { "x_unknown": [[[7]]] }, "com.myapp.topic1"]));
        w.say(alice, json!([16, 3, {}, "com.myapp.topic1", [[[{ "k": [] }]]]]));
        w.expect_violation(alice, "");
        bystanders.expect_undisturbed(&mut w);
        let bob = w.join_with("realm1", serializer);
        w.say(bob, json!([16, 1, { "x_unknown": [[[[7]]]] }, "com.myapp.topic1"]));
        w.expect_violation(bob, "");
    }
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let mut w = with_limits(Limits { message_length: 300, ..Limits::default() });
    let peers = [(); 3].map(|()| w.open());
    let [alice, bob, carol] =
        peers.map(|peer| w.hello(peer, "realm1", json!({ "publisher": {}, "subscriber": {} })));
    w.subscribe(bob, 1, "com.myapp.topic1");
    let frame = |length: usize| {
        let start = r#"[16,1,{},"com.myapp.topic1",[""#;
        let end = r#""]]"#;
        format!("{start}{}{end}", "x".repeat(length - start.len() - end.len()))
    };
    w.say_bytes(alice, frame(300).as_bytes());
    w.expect(bob, json!([36, 1, "*", {}, ["*"]]));
    w.say_bytes(carol, frame(301).as_bytes());
    w.expect_violation(carol, "300");
    w.expect_silence();
    assert_eq!(w.closed(alice), None);
    assert_eq!(w.closed(bob), None);
}

#[test]
fn an_oversized_frame_aborts_its_session_alone_whatever_its_serializer() {
    for serializer in Serializer::ALL {
        let mut w = with_limits(Limits { message_length: 1_000, ..Limits::default() });
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let offender = w.join_with("realm1", serializer);
        w.say(offender, json!([16, 1, {}, "com.bystander.topic", ["x".repeat(1_000)]]));
        w.expect_violation(offender, "1000");
        bystanders.expect_undisturbed(&mut w);
    }
}

#[test]
fn a_transport_without_session_that_says_too_much_is_aborted() {
    let mut w = with_limits(Limits { message_length: 20, ..Limits::default() });
    let peer = w.open();
    w.say(peer, json!([1, "realm1", { "roles": all_roles() }]));
    w.expect_violation(peer, "20");
}

#[test]
fn one_subscription_too_many_is_refused() {
    let mut w = with_limits(Limits { subscriptions: 2, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let [alice] = w.join("realm1");
    let first = w.subscribe(alice, 1, "com.myapp.topic1");
    w.subscribe_with(alice, 2, json!({ "match": "prefix" }), "com.myapp.topic2");
    w.say(alice, json!([32, 3, {}, "com.myapp.topic3"]));
    w.expect_error(alice, 32, 3, "wamplet.error.limit_exceeded");
    bystanders.expect_undisturbed(&mut w);
    w.say(alice, json!([34, 4, first]));
    w.expect(alice, json!([35, 4]));
    w.subscribe(alice, 5, "com.myapp.topic3");
}

#[test]
fn subscribing_again_is_no_subscription_too_many() {
    let mut w = with_limits(Limits { subscriptions: 1, ..Limits::default() });
    let [alice] = w.join("realm1");
    let subscription = w.subscribe(alice, 1, "com.myapp.topic1");
    // It holds this one already, and asks for nothing more.
    assert_eq!(w.subscribe(alice, 2, "com.myapp.topic1"), subscription);
}

#[test]
fn one_registration_too_many_is_refused() {
    let mut w = with_limits(Limits { registrations: 2, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let [alice] = w.join("realm1");
    let first = w.register(alice, 1, "com.myapp.procedure1");
    w.register(alice, 2, "com.myapp.procedure2");
    w.say(alice, json!([64, 3, {}, "com.myapp.procedure3"]));
    w.expect_error(alice, 64, 3, "wamplet.error.limit_exceeded");
    bystanders.expect_undisturbed(&mut w);
    w.say(alice, json!([66, 4, first]));
    w.expect(alice, json!([67, 4]));
    w.register(alice, 5, "com.myapp.procedure3");
}

#[test]
fn registering_again_is_no_registration_too_many() {
    let mut w = with_limits(Limits { registrations: 1, ..Limits::default() });
    let [alice] = w.join("realm1");
    let shared = json!({ "invoke": "roundrobin" });
    let registration = w.register_with(alice, 1, shared.clone(), "com.myapp.procedure1");
    assert_eq!(w.register_with(alice, 2, shared, "com.myapp.procedure1"), registration);
    w.say(alice, json!([64, 3, { "match": "prefix" }, "com.myapp.procedure1"]));
    w.expect_error(alice, 64, 3, "wamplet.error.limit_exceeded");
}

#[test]
fn one_call_too_many_is_refused_until_another_ends() {
    let mut w = with_limits(Limits { calls: 2, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let [caller, other, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.call(caller, 1, "com.myapp.procedure1");
    w.call(caller, 2, "com.myapp.procedure1");
    w.call(caller, 3, "com.myapp.procedure1");
    w.expect_error(caller, 48, 3, "wamplet.error.limit_exceeded");
    // Each caller has its own.
    w.call(other, 1, "com.myapp.procedure1");
    assert_eq!(w.hear_all(callee).len(), 3);
    bystanders.expect_undisturbed(&mut w);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.call(caller, 4, "com.myapp.procedure1");
    w.expect(callee, json!([68, 4, "*", {}]));
}

#[test]
fn the_hello_timeout_is_for_one_transport_alone() {
    let mut w = with_limits(Limits { hello_timeout_ms: 100, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let early = w.open();
    w.advance_ms(60);
    let late = w.open();
    w.advance_ms(40);
    w.expect_closed(early, Close::Timeout);
    assert_eq!(w.closed(late), None);
    w.hello(late, "realm1", all_roles());
    w.advance_ms(1_000);
    assert_eq!(w.closed(late), None);
    bystanders.expect_undisturbed(&mut w);
}

#[test]
fn the_reason_of_a_kill_is_a_uri_like_any_other() {
    let mut w = with_limits(Limits { uri_length: 32, ..Limits::default() });
    let [alice, bob] = w.join("realm1");
    let reason = format!("com.myapp.{}", "x".repeat(23));
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [bob.session], { "reason": reason }]));
    w.expect_error(alice, 48, 1, "wamp.error.invalid_uri");
    w.expect_silence();
}

#[test]
fn the_goodbye_timeout_is_for_one_transport_alone() {
    let mut w = with_limits(Limits { goodbye_timeout_ms: 100, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    let [alice, victim] = w.join("realm1");
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [victim.session]]));
    w.expect(alice, json!([50, 1, {}]));
    w.expect(victim, json!([6, {}, "wamp.close.killed"]));
    w.advance_ms(100);
    w.expect_closed(victim, Close::Timeout);
    bystanders.expect_undisturbed(&mut w);
}

#[test]
fn a_refused_request_uses_up_nothing() {
    let mut w = with_limits(Limits { subscriptions: 1, registrations: 1, ..Limits::default() });
    let [alice, bob] = w.join("realm1");
    w.register(bob, 1, "com.myapp.taken");
    w.say(alice, json!([64, 1, {}, "com.myapp.taken"]));
    w.expect_error(alice, 64, 1, "wamp.error.procedure_already_exists");
    w.say(alice, json!([64, 2, {}, "com..x"]));
    w.expect_error(alice, 64, 2, "wamp.error.invalid_uri");
    w.say(alice, json!([32, 3, {}, "com..x"]));
    w.expect_error(alice, 32, 3, "wamp.error.invalid_uri");
    w.register(alice, 4, "com.myapp.free");
    w.subscribe(alice, 5, "com.myapp.topic1");
    let inspected: Value = w.router.inspect();
    assert_eq!(inspected["realms"][0]["registrations"].as_array().map(Vec::len), Some(2));
    assert_eq!(inspected["realms"][0]["subscriptions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_hello_longer_than_its_limit_is_a_violation_and_longer_messages_are_none_afterwards() {
    let mut w = with_limits(Limits { hello_length: 500, ..Limits::default() });
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, {}, "com.myapp.topic1"]));
    w.expect(alice, json!([33, 1, "*"]));
    let long = "x".repeat(1_000);
    w.say(alice, json!([16, 2, { "exclude_me": false }, "com.myapp.topic1", [long]]));
    w.expect(alice, json!([36, "*", "*", {}, [long]]));
    let mallory = w.open();
    w.say(mallory, json!([1, "realm1", { "roles": { "caller": {} }, "authextra": { "text": long } }]));
    w.expect_violation(mallory, "at most 500 bytes");
    w.expect_silence();
}

#[test]
fn a_dictionary_holds_no_more_values_than_its_limit() {
    let mut w = with_limits(Limits { hello_length: 64_000, ..Limits::default() });
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    // Three maps, and the empty ones in the last, which take a few bytes here and hundreds in memory.
    let hello = |count: usize| {
        let extra: serde_json::Map<_, _> = (0..count).map(|at| (at.to_string(), json!({}))).collect();
        json!([1, "realm1", { "roles": { "caller": {} }, "authextra": extra }])
    };
    let peer = w.open();
    w.say(peer, hello(998));
    w.expect_violation(peer, "HELLO.Details: a dictionary holds more values than it may at byte");
    let peer = w.open();
    w.say(peer, hello(997));
    w.expect(peer, json!([2, "*", "*"]));
    let list = vec![0; 1_000];
    w.say(peer, json!([6, { "list": [list] }, "wamp.close.normal"]));
    w.expect_violation(peer, "GOODBYE.Details: a dictionary holds more values than it may at byte");
    bystanders.expect_undisturbed(&mut w);
}

#[test]
fn arguments_of_the_routers_own_procedures_are_no_longer_than_those_of_testaments() {
    let mut w = with_limits(Limits { testament_length: 100, ..Limits::default() });
    let [alice] = w.join("realm1");
    let mut call = |request: u64, length: usize| {
        let text = "x".repeat(length - r#"[[""]]"#.len());
        w.say(alice, json!([48, request, {}, "wamp.session.count", [[text]]]));
        w.hear(alice)
    };
    assert_eq!(call(1, 65_536 + 400), json!([50, 1, {}, [0]]));
    let text = "wamp.session.count: expected arguments of at most 65936 bytes, found 65937";
    let error = json!([8, 48, 2, {}, "wamplet.error.limit_exceeded", [text]]);
    assert_eq!(call(2, 65_536 + 401), error);
}

#[test]
fn a_publication_names_no_more_receivers_than_its_limit() {
    let mut w = with_limits(Limits { audience: 3, ..Limits::default() });
    let [alice, bob] = w.join("realm1");
    w.say(bob, json!([32, 1, {}, "com.myapp.topic1"]));
    w.expect(bob, json!([33, 1, "*"]));
    let options = json!({ "acknowledge": true, "exclude": [1, 2], "eligible_authrole": ["anonymous"] });
    w.say(alice, json!([16, 1, options, "com.myapp.topic1"]));
    w.expect(alice, json!([17, 1, "*"]));
    w.expect(bob, json!([36, "*", "*", {}]));
    let options = json!({ "acknowledge": true, "exclude": [1, 2, 3], "eligible_authrole": ["anonymous"] });
    w.say(alice, json!([16, 2, options, "com.myapp.topic1"]));
    w.expect(alice, json!([8, 16, 2, {}, "wamplet.error.limit_exceeded", ["*"]]));
    w.expect_silence();
}

#[test]
fn a_wildcard_has_no_more_components_than_its_limit() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, { "match": "wildcard" }, ".".repeat(63)]));
    w.expect(alice, json!([33, 1, "*"]));
    w.say(alice, json!([32, 2, { "match": "wildcard" }, ".".repeat(64)]));
    w.expect(alice, json!([8, 32, 2, {}, "wamp.error.invalid_uri", ["*"]]));
    w.expect_silence();
}

#[test]
fn the_message_of_a_kill_has_a_limit() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [bob.session], { "message": "x".repeat(1_025) }]));
    w.expect(alice, json!([8, 48, 1, {}, "wamp.error.invalid_argument", ["*"]]));
    w.expect_silence();
}
