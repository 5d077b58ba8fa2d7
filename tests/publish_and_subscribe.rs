//! Publish & Subscribe: who gets which EVENT, and who does not. [wamp: basic/publish_subscribe]

mod common;

use common::{Wamp, all_roles};
use serde_json::json;
use wamplet::codec::Serializer;

#[test]
fn a_subscriber_gets_the_events_of_its_topic() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.say(bob, json!([32, 1, {}, "com.myapp.topic1"]));
    w.expect(bob, json!([33, 1, 1]));
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["hello"], { "k": 1 }]));
    w.expect(bob, json!([36, 1, "*", {}, ["hello"], { "k": 1 }]));
    w.say(alice, json!([16, 2, {}, "com.myapp.topic2", ["hello"]]));
    w.expect_silence();
}

#[test]
fn publisher_does_not_receive_its_own_event_unless_exclude_me_is_false() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, {}, "com.myapp.topic1"]));
    w.expect(alice, json!([33, 1, "*"]));
    w.say(alice, json!([16, 2, {}, "com.myapp.topic1"]));
    w.expect_silence();
    w.say(alice, json!([16, 3, { "exclude_me": false }, "com.myapp.topic1"]));
    w.expect(alice, json!([36, "*", "*", {}]));
}

#[test]
fn one_publication_reaches_every_serializer_with_the_same_values() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let peers = Serializer::ALL.map(|serializer| w.join_with("realm1", serializer));
    for peer in peers {
        w.say(peer, json!([32, 1, {}, "com.myapp.topic1"]));
        w.expect(peer, json!([33, 1, 1]));
    }
    let payload = (json!([1, "zwei", [null, true, 2.5]]), json!({ "k": {} }));
    w.say(alice, json!([16, 1, { "acknowledge": true }, "com.myapp.topic1", payload.0, payload.1]));
    let published = w.expect(alice, json!([17, 1, "*"]));
    for peer in peers {
        w.expect(peer, json!([36, 1, published[2], {}, payload.0, payload.1]));
    }
}

#[test]
fn a_publication_is_answered_only_when_acknowledge_is_true() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.publish(alice, 1, "com.myapp.topic1");
    w.say(alice, json!([16, 2, { "acknowledge": false }, "com.myapp.topic1"]));
    w.expect_silence();
    w.say(alice, json!([16, 3, { "acknowledge": true }, "com.myapp.topic1"]));
    let published = w.expect(alice, json!([17, 3, "*"]));
    assert!(published[2].as_u64().is_some_and(|id| (1..=1 << 53).contains(&id)), "{published}");
    w.expect_silence();
}

#[test]
fn a_failing_publication_is_answered_only_when_acknowledge_is_true() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.publish(alice, 1, "com..topic1");
    w.publish(alice, 2, "wamp.session.on_join");
    w.expect_silence();
    w.say(alice, json!([16, 3, { "acknowledge": true }, "com..topic1"]));
    w.expect_error(alice, 16, 3, "wamp.error.invalid_uri");
    // The session lives on.
    w.subscribe(alice, 4, "com.myapp.topic1");
}

#[test]
fn every_publication_has_an_id_of_its_own() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    let mut publications = Vec::new();
    for request in 1..=20 {
        w.publish(alice, request, "com.myapp.topic1");
        publications.push(w.expect(bob, json!([36, 1, "*", {}]))[2].as_u64().expect("an id"));
    }
    publications.sort_unstable();
    publications.dedup();
    assert_eq!(publications.len(), 20);
    // Global scope: random, so not in a row.
    assert!(publications.windows(2).all(|pair| pair[1] - pair[0] > 1), "{publications:?}");
}

#[test]
fn args_and_kwargs_come_as_they_were_sent() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.say_bytes(alice, br#"[16,1,{},"com.myapp.topic1"]"#);
    w.expect(bob, json!([36, 1, "*", {}]));
    w.say_bytes(alice, br#"[16,2,{},"com.myapp.topic1",[]]"#);
    w.expect(bob, json!([36, 1, "*", {}, []]));
    w.say_bytes(alice, br#"[16,3,{},"com.myapp.topic1",[],{}]"#);
    w.expect(bob, json!([36, 1, "*", {}, [], {}]));
    w.say_bytes(alice, r#" [16, 4, {}, "com.myapp.topic1" , ["ä", "\u00e4"] , {"k": 1.50} ] "#.as_bytes());
    w.expect(bob, json!([36, 1, "*", {}, ["ä", "ä"], { "k": 1.5 }]));
    w.expect_silence();
}

#[test]
fn unknown_options_are_ignored() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let subscription = w.subscribe_with(bob, 1, json!({ "_private": {}, "x_y": [1] }), "com.myapp.topic1");
    w.say(alice, json!([16, 1, { "_private": true, "juggle": { "deep": [[]] } }, "com.myapp.topic1"]));
    w.expect(bob, json!([36, subscription, "*", {}]));
}

#[test]
fn subscribing_again_answers_the_same_id_and_delivers_once() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let first = w.subscribe(bob, 1, "com.myapp.topic1");
    let second = w.subscribe(bob, 2, "com.myapp.topic1");
    assert_eq!(first, second);
    w.publish(alice, 1, "com.myapp.topic1");
    w.expect(bob, json!([36, first, "*", {}]));
    w.expect_silence();
    // And one UNSUBSCRIBE ends it.
    w.say(bob, json!([34, 3, first]));
    w.expect(bob, json!([35, 3]));
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect_silence();
    w.say(bob, json!([34, 4, first]));
    w.expect_error(bob, 34, 4, "wamp.error.no_such_subscription");
}

#[test]
fn all_subscribers_of_a_topic_share_its_subscription_id() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    assert_eq!(w.subscribe(carol, 1, "com.myapp.topic1"), subscription);
    assert_ne!(w.subscribe(carol, 2, "com.myapp.topic2"), subscription);
    w.publish(alice, 1, "com.myapp.topic1");
    let event = w.hear(bob);
    assert_eq!(event, w.hear(carol));
    w.expect_silence();
}

#[test]
fn unsubscribing_ends_the_events_of_this_session_alone() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    w.subscribe(carol, 1, "com.myapp.topic1");
    w.say(bob, json!([34, 2, subscription]));
    w.expect(bob, json!([35, 2]));
    w.publish(alice, 1, "com.myapp.topic1");
    w.expect(carol, json!([36, subscription, "*", {}]));
    w.expect_silence();
}

#[test]
fn a_subscription_that_the_session_does_not_hold_cannot_be_ended() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    w.say(alice, json!([34, 1, subscription]));
    w.expect_error(alice, 34, 1, "wamp.error.no_such_subscription");
    w.say(alice, json!([34, 2, 9_007_199_254_740_992_u64]));
    w.expect_error(alice, 34, 2, "wamp.error.no_such_subscription");
    w.publish(alice, 3, "com.myapp.topic1");
    w.expect(bob, json!([36, subscription, "*", {}]));
}

#[test]
fn a_topic_that_everybody_left_gets_a_new_id() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let first = w.subscribe(alice, 1, "com.myapp.topic1");
    w.say(alice, json!([34, 2, first]));
    w.expect(alice, json!([35, 2]));
    // A late UNSUBSCRIBE of the old id must not meet the new subscription.
    let second = w.subscribe(bob, 1, "com.myapp.topic1");
    assert_ne!(first, second);
}

#[test]
fn topics_and_procedures_are_one_namespace_but_not_one_table() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.thing");
    w.register(bob, 2, "com.myapp.thing");
    w.publish(alice, 1, "com.myapp.thing");
    w.expect(bob, json!([36, "*", "*", {}]));
    w.call(alice, 2, "com.myapp.thing");
    w.expect(bob, json!([68, 1, "*", {}]));
    w.expect_silence();
}

#[test]
fn the_publisher_is_revealed_when_it_asks_for_it() {
    let mut w = Wamp::new();
    let [bob] = w.join("realm1");
    let peer = w.open();
    let (alice, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles() }));
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    w.say(alice, json!([16, 1, { "disclose_me": true }, "com.myapp.topic1"]));
    w.expect(
        bob,
        json!([36, subscription, "*", {
            "publisher": alice.session,
            "publisher_authid": details["authid"],
            "publisher_authrole": "anonymous",
        }]),
    );
    w.say(alice, json!([16, 2, { "disclose_me": false }, "com.myapp.topic1"]));
    w.expect(bob, json!([36, subscription, "*", {}]));
}

#[test]
fn payload_passthru_attributes_reach_the_subscribers() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join_with_all_features("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    let attributes =
        json!({ "ppt_scheme": "x_own", "ppt_serializer": "cbor", "ppt_cipher": "c", "ppt_keyid": "k" });
    w.say(alice, json!([16, 1, attributes, "com.myapp.topic1", ["\0AQID"]]));
    w.expect(bob, json!([36, 1, "*", attributes, ["\0AQID"]]));
    let attributes = json!({ "enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "json" });
    w.say(alice, json!([16, 2, attributes, "com.myapp.topic1", "opaque"]));
    w.expect(bob, json!([36, 1, "*", attributes, "opaque"]));
}

#[test]
fn an_event_without_arguments_in_the_ordinary_form_is_for_subscribers_that_announced_it() {
    let mut w = Wamp::new();
    let [alice, able] = w.join_with_all_features("realm1");
    let [plain] = w.join("realm1");
    for peer in [able, plain] {
        w.subscribe(peer, 1, "com.myapp.topic1");
    }
    let attributes = json!({ "enc_algo": "x_own", "retain": true });
    w.say(alice, json!([16, 1, attributes, "com.myapp.topic1", "opaque"]));
    w.expect(able, json!([36, 1, "*", { "enc_algo": "x_own" }, "opaque"]));
    w.expect_silence();
    // Nor do they get it later.
    for (peer, is_told) in [(plain, false), (able, true)] {
        w.say(peer, json!([32, 2, { "get_retained": true }, "com.myapp.topic1"]));
        w.expect(peer, json!([33, 2, 1]));
        if is_told {
            w.expect(peer, json!([36, 1, "*", { "enc_algo": "x_own", "retained": true }, "opaque"]));
        }
        w.expect_silence();
    }
    // An event with the specification's attributes reaches all: its arguments are a list.
    let attributes = json!({ "ppt_scheme": "x_own" });
    w.say(alice, json!([16, 2, attributes, "com.myapp.topic1", ["\0AQID"]]));
    for peer in [able, plain] {
        w.expect(peer, json!([36, 1, "*", attributes, ["\0AQID"]]));
    }
}

#[test]
fn event_received_is_let_pass() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.say(alice, json!([337, 7]));
    w.expect_silence();
    w.subscribe(alice, 1, "com.myapp.topic1");
}
