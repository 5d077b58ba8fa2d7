//! Publish & Subscribe: who gets which EVENT, and who does not. [wamp: basic/publish_subscribe]

mod common;

use common::Wamp;
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
    w.say(alice, json!([16, 1, { "acknowledge": true }, "com.myapp.topic1", [1, "zwei", [null, true, 2.5]], { "k": {} }]));
    let published = w.expect(alice, json!([17, 1, "*"]));
    for peer in peers {
        w.expect(peer, json!([36, 1, published[2], {}, [1, "zwei", [null, true, 2.5]], { "k": {} }]));
    }
}
