//! Ordering: what must come before what. [wamp: basic/security_model, Ordering Guarantees]

mod common;

use common::Wamp;
use serde_json::{Value, json};
use wamplet::codec::Serializer;

#[test]
fn events_of_one_publisher_keep_their_order_across_topics_and_serializers() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let subscribers = Serializer::ALL.map(|serializer| w.join_with("realm1", serializer));
    for subscriber in subscribers {
        w.subscribe(subscriber, 1, "com.myapp.topic1");
        w.subscribe(subscriber, 2, "com.myapp.topic2");
        w.subscribe_with(subscriber, 3, json!({ "match": "wildcard" }), "com..topic3");
    }
    for request in 1..=30_u64 {
        let topic = format!("com.myapp.topic{}", request % 3 + 1);
        w.say(alice, json!([16, request, {}, topic, [request]]));
    }
    for subscriber in subscribers {
        let numbers: Vec<Value> =
            w.hear_all(subscriber).into_iter().map(|event| event[4][0].clone()).collect();
        assert_eq!(numbers, (1..=30).map(Value::from).collect::<Vec<_>>());
    }
}

#[test]
fn subscribed_comes_before_the_first_event() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.publish(alice, 1, "com.myapp.topic1");
    w.say(bob, json!([32, 1, {}, "com.myapp.topic1"]));
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect(bob, json!([33, 1, 1]));
    w.expect(bob, json!([36, 1, "*", {}]));
    w.expect_silence();
}

#[test]
fn no_event_comes_after_unsubscribed() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.publish(alice, 1, "com.myapp.topic1");
    w.say(bob, json!([34, 2, 1]));
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect(bob, json!([36, 1, "*", {}]));
    w.expect(bob, json!([35, 2]));
    w.expect_silence();
}

#[test]
fn registered_comes_before_the_first_invocation() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.call(caller, 1, "com.myapp.procedure1");
    w.say(callee, json!([64, 1, {}, "com.myapp.procedure1"]));
    w.call(caller, 2, "com.myapp.procedure1");
    w.expect(callee, json!([65, 1, 1]));
    w.expect(callee, json!([68, 1, 1, {}]));
    w.expect_error(caller, 48, 1, "wamp.error.no_such_procedure");
    w.expect_silence();
}

#[test]
fn no_invocation_comes_after_unregistered() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.call(caller, 1, "com.myapp.procedure1");
    w.say(callee, json!([66, 2, 1]));
    w.call(caller, 2, "com.myapp.procedure1");
    w.expect(callee, json!([68, 1, 1, {}]));
    w.expect(callee, json!([67, 2]));
    w.expect_error(caller, 48, 2, "wamp.error.no_such_procedure");
    w.expect_silence();
}

#[test]
fn invocations_of_one_caller_keep_their_order_across_procedures() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.register_with(callee, 2, json!({ "match": "prefix" }), "com.other.");
    for request in 1..=20_u64 {
        let procedure = if request % 3 == 0 { "com.other.x" } else { "com.myapp.procedure1" };
        w.say(caller, json!([48, request, {}, procedure, [request]]));
    }
    let invocations = w.hear_all(callee);
    let ids: Vec<_> = invocations.iter().map(|invocation| invocation[1].clone()).collect();
    let numbers: Vec<_> = invocations.iter().map(|invocation| invocation[4][0].clone()).collect();
    assert_eq!(numbers, (1..=20).map(Value::from).collect::<Vec<_>>());
    assert_eq!(ids, numbers);
}

#[test]
fn progressive_results_keep_their_order_and_come_before_the_final_one() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.procedure1"]));
    for piece in 1..=9 {
        w.say(callee, json!([70, 1, { "progress": piece < 9 }, [piece]]));
    }
    let pieces: Vec<_> = w.hear_all(caller).into_iter().map(|result| result[3][0].clone()).collect();
    assert_eq!(pieces, (1..=9).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn published_comes_before_the_publishers_own_event() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.subscribe(alice, 1, "com.myapp.topic1");
    w.say(alice, json!([16, 2, { "acknowledge": true, "exclude_me": false }, "com.myapp.topic1"]));
    let published = w.expect(alice, json!([17, 2, "*"]));
    w.expect(alice, json!([36, 1, published[2], {}]));
}

#[test]
fn the_answer_of_a_kill_comes_before_its_news() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(alice, 1, "wamp.session.on_leave");
    w.subscribe(alice, 2, "wamp.metaevent.session.on_leave");
    w.register(bob, 1, "com.myapp.procedure1");
    w.call(alice, 3, "com.myapp.procedure1");
    w.say(alice, json!([48, 4, {}, "wamp.session.kill", [bob.session]]));
    w.expect(alice, json!([50, 4, {}]));
    w.expect_error(alice, 48, 3, "wamp.error.canceled");
    w.expect(alice, json!([36, 1, "*", {}, [bob.session]]));
    w.expect(alice, json!([36, 2, "*", {}, ["*"]]));
    w.expect_nothing(alice);
}

#[test]
fn what_a_kill_ends_is_told_in_the_order_of_its_ending() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let topics = [
        "wamp.session.on_leave",
        "wamp.subscription.on_delete",
        "wamp.registration.on_unregister",
        "com.myapp.testament",
        "wamp.subscription.on_unsubscribe",
        "wamp.registration.on_delete",
    ];
    let [left, deleted, unregistered, testament, unsubscribed, gone] =
        std::array::from_fn(|at| w.subscribe(alice, at as u64 + 1, topics[at]));
    w.register(bob, 1, "com.myapp.procedure1");
    w.subscribe(bob, 2, "com.myapp.topic1");
    w.say(bob, json!([48, 3, {}, "wamp.session.add_testament", ["com.myapp.testament", [], {}]]));
    w.expect(bob, json!([50, 3, {}, ["*"]]));
    w.call(alice, 7, "com.myapp.procedure1");
    w.hear_all(bob);
    w.say(alice, json!([48, 8, {}, "wamp.session.kill", [bob.session]]));
    w.expect(alice, json!([50, 8, {}]));
    w.expect_error(alice, 48, 7, "wamp.error.canceled");
    let events: Vec<_> = w.hear_all(alice).into_iter().map(|event| event[1].as_u64()).collect();
    assert_eq!(events, [unregistered, gone, unsubscribed, deleted, testament, left].map(Some));
    w.expect(bob, json!([6, {}, "wamp.close.killed"]));
    w.expect_silence();
}

#[test]
fn who_is_told_of_a_subscription_finds_it_and_who_is_told_of_its_end_does_not() {
    let mut w = Wamp::new();
    let [observer, alice] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.subscription.on_create");
    w.subscribe(observer, 2, "wamp.subscription.on_unsubscribe");
    let id = w.subscribe(alice, 1, "com.myapp.topic1");
    w.expect(observer, json!([36, 1, "*", {}, [alice.session, "*"]]));
    w.say(observer, json!([48, 3, {}, "wamp.subscription.list_subscribers", [id]]));
    w.expect(observer, json!([50, 3, {}, [[alice.session]]]));
    w.lose(alice);
    w.expect(observer, json!([36, 2, "*", {}, [alice.session, id]]));
    w.say(observer, json!([48, 4, {}, "wamp.subscription.get", [id]]));
    w.expect_error(observer, 48, 4, "wamp.error.no_such_subscription");
}

#[test]
fn who_is_told_of_a_join_finds_the_session_and_who_is_told_of_a_leave_does_not() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.session.on_join");
    w.subscribe(observer, 2, "wamp.session.on_leave");
    let [alice] = w.join("realm1");
    w.expect(observer, json!([36, 1, "*", {}, ["*"]]));
    w.say(observer, json!([48, 3, {}, "wamp.session.get", [alice.session]]));
    w.expect(observer, json!([50, 3, {}, ["*"]]));
    w.lose(alice);
    w.expect(observer, json!([36, 2, "*", {}, [alice.session]]));
    w.say(observer, json!([48, 4, {}, "wamp.session.list"]));
    w.expect(observer, json!([50, 4, {}, [[observer.session]]]));
}

#[test]
fn nothing_comes_after_the_answer_to_a_goodbye() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.register(bob, 2, "com.myapp.procedure1");
    w.call(bob, 3, "com.myapp.procedure1");
    w.expect(bob, json!([68, 1, "*", {}]));
    w.say(bob, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(bob, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.publish(alice, 1, "com.myapp.topic1");
    w.call(alice, 2, "com.myapp.procedure1");
    w.advance_ms(1);
    w.expect_nothing(bob);
}
