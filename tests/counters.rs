//! What the router counts for metrics: messages by type, realm by realm.

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::json;
use wamplet::config::{HistoryRule, RealmConfig, Store};
use wamplet::message::MessageType;
use wamplet::router::{RealmCounters, Transport};
use wamplet::uri::MatchPolicy;

fn two_realms() -> Wamp {
    Wamp::with_config(named([RealmConfig::open("realm1"), RealmConfig::open("realm2")]))
}

fn counters(w: &Wamp, realm: &str) -> RealmCounters {
    w.router.counters().find(|counters| counters.name == realm).expect("a realm of the configuration")
}

fn received(w: &Wamp, realm: &str, of: MessageType) -> u64 {
    count(&counters(w, realm).received, of)
}

fn sent(w: &Wamp, realm: &str, of: MessageType) -> u64 {
    count(&counters(w, realm).sent, of)
}

fn count(list: &[(MessageType, u64)], of: MessageType) -> u64 {
    list.iter().find(|(message_type, _)| *message_type == of).map_or(0, |(_, count)| *count)
}

#[test]
fn messages_are_counted_in_the_realm_of_the_session_that_sent_or_got_them() {
    let mut w = two_realms();
    let [alice, bob] = w.join("realm1");
    let [carol] = w.join("realm2");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.subscribe(carol, 1, "com.myapp.topic1");
    w.register(bob, 2, "com.myapp.add");
    w.publish(alice, 1, "com.myapp.topic1");
    w.call(alice, 2, "com.myapp.add");
    w.say(bob, json!([70, 1, {}]));
    w.call(alice, 3, "com.myapp.none");

    use MessageType::*;
    let realm1 = counters(&w, "realm1");
    assert_eq!(
        realm1.received,
        [(Hello, 2), (Publish, 1), (Subscribe, 1), (Call, 2), (Register, 1), (Yield, 1)]
    );
    assert_eq!(
        realm1.sent,
        [
            (Welcome, 2),
            (Error, 1),
            (Subscribed, 1),
            (Event, 1),
            (Result, 1),
            (Registered, 1),
            (Invocation, 1)
        ]
    );
    let realm2 = counters(&w, "realm2");
    assert_eq!(realm2.received, [(Hello, 1), (Subscribe, 1)]);
    assert_eq!(realm2.sent, [(Welcome, 1), (Subscribed, 1)]);
}

#[test]
fn sessions_subscriptions_and_registrations_are_those_of_now() {
    let mut w = two_realms();
    let [alice, bob] = w.join("realm1");
    for peer in [alice, bob] {
        w.subscribe(peer, 1, "com.myapp.topic1");
    }
    w.register(bob, 2, "com.myapp.add");
    let now = |w: &Wamp| {
        let counters = counters(w, "realm1");
        (counters.sessions, counters.subscriptions, counters.registrations)
    };
    assert_eq!(now(&w), (2, 1, 1));
    w.lose(bob);
    assert_eq!(now(&w), (1, 1, 0));
}

#[test]
fn what_a_leaving_session_causes_is_counted_once() {
    let mut w = two_realms();
    let [alice, bob] = w.join("realm1");
    w.subscribe(alice, 1, "wamp.session.on_leave");
    w.say(bob, json!([6, {}, "wamp.close.close_realm"]));
    assert_eq!(received(&w, "realm1", MessageType::Goodbye), 1);
    assert_eq!(sent(&w, "realm1", MessageType::Goodbye), 1);
    assert_eq!(sent(&w, "realm1", MessageType::Event), 1);
}

#[test]
fn a_shutdown_is_counted_in_every_realm() {
    let mut w = two_realms();
    let _: [Peer; 2] = w.join("realm1");
    let _: [Peer; 3] = w.join("realm2");
    w.shut_down();
    assert_eq!(sent(&w, "realm1", MessageType::Goodbye), 2);
    assert_eq!(sent(&w, "realm2", MessageType::Goodbye), 3);
}

#[test]
fn a_call_that_times_out_is_counted_in_its_realm() {
    let mut w = two_realms();
    let [caller, callee] = w.join("realm2");
    w.register(callee, 1, "com.myapp.slow");
    w.say(caller, json!([48, 1, { "timeout": 10 }, "com.myapp.slow"]));
    w.advance_ms(10);
    assert_eq!(sent(&w, "realm2", MessageType::Error), 1);
    assert_eq!(sent(&w, "realm2", MessageType::Interrupt), 1);
    assert_eq!(sent(&w, "realm1", MessageType::Error), 0);
}

#[test]
fn a_handshake_that_leads_nowhere_is_counted_nowhere() {
    let mut w = two_realms();
    let peer = w.open();
    w.say(peer, json!([1, "realm3", { "roles": all_roles() }]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
    for realm in ["realm1", "realm2"] {
        assert_eq!(counters(&w, realm).received, []);
        assert_eq!(counters(&w, realm).sent, []);
    }
}

#[test]
fn outputs_that_the_driver_has_not_taken_yet_are_not_counted_again() {
    let mut w = two_realms();
    let [alice] = w.join("realm1");
    let message = json!([32, 1, {}, "com.myapp.topic1"]).to_string();
    w.say_without_taking(alice, message.as_bytes());
    w.say_without_taking(alice, json!([32, 2, {}, "com.myapp.topic2"]).to_string().as_bytes());
    assert_eq!(sent(&w, "realm1", MessageType::Subscribed), 2);
}

#[test]
fn events_that_were_too_long_for_their_receiver_are_dropped_and_counted() {
    let mut w = two_realms();
    let [alice] = w.join("realm1");
    let short = w.open_transport(Transport { max_message_length: Some(1_024), ..Transport::default() });
    let short = w.hello(short, "realm1", all_roles());
    w.subscribe(short, 1, "com.myapp.topic1");
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(1_024)]]));
    assert_eq!(counters(&w, "realm1").dropped_events, 1);
    assert_eq!(sent(&w, "realm1", MessageType::Event), 0);
    assert_eq!(counters(&w, "realm2").dropped_events, 0);
}

#[test]
fn what_the_router_holds_for_a_history_is_nobodys_subscription() {
    let history = vec![HistoryRule { uri: "com.log".into(), match_policy: MatchPolicy::Prefix, limit: 1 }];
    let store = Store { history, ..Store::default() };
    let realm = RealmConfig { store: Some(store), ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    assert_eq!(counters(&w, "realm1").subscriptions, 0);
    let [alice] = w.join("realm1");
    w.subscribe_with(alice, 1, json!({ "match": "prefix" }), "com.log");
    assert_eq!(counters(&w, "realm1").subscriptions, 1);
    w.lose(alice);
    assert_eq!(counters(&w, "realm1").subscriptions, 0);
}
