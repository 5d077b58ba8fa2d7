//! Retained events: what a later subscriber gets of what was published before. [wamp: advanced/pubsub_event_retention]

mod common;

use common::{Peer, Wamp, named};
use serde_json::{Value, json};
use wamplet::auth::authorizer::{Allow, Permission, Role};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig, RetentionRule, Store};
use wamplet::router::Transport;
use wamplet::uri::MatchPolicy;

const TOPIC: &str = "com.myapp.topic1";

/// The peer publishes an event that is to be retained, as its request `request`; answers the publication.
#[track_caller]
fn retain(w: &mut Wamp, peer: Peer, request: u64, topic: &str, args: Value) -> u64 {
    retain_with(w, peer, request, json!({}), topic, args)
}

#[track_caller]
fn retain_with(w: &mut Wamp, peer: Peer, request: u64, options: Value, topic: &str, args: Value) -> u64 {
    let mut options = options;
    options["retain"] = true.into();
    options["acknowledge"] = true.into();
    w.say(peer, json!([16, request, options, topic, args]));
    w.expect(peer, json!([17, request, "*"]))[2].as_u64().expect("a publication")
}

/// What a new session gets that subscribes and asks for what was retained: the arguments of the events.
fn late(w: &mut Wamp, options: Value, topic: &str) -> Vec<Value> {
    let [peer] = w.join("realm1");
    retained_for(w, peer, options, topic)
}

fn retained_for(w: &mut Wamp, peer: Peer, options: Value, topic: &str) -> Vec<Value> {
    let mut options = options;
    options["get_retained"] = true.into();
    let subscription = w.subscribe_with(peer, 1, options, topic);
    // Behind them come the news of this subscription, if they match it.
    let is_kept = |event: &Value| !event[3]["topic"].as_str().is_some_and(|topic| topic.starts_with("wamp."));
    let events = w.hear_all(peer).into_iter().filter(is_kept);
    let args = events.map(|mut event| {
        assert_eq!((&event[0], &event[1]), (&json!(36), &json!(subscription)), "{event}");
        assert_eq!(event[3]["retained"], true, "{event}");
        event[4].take()
    });
    let args = args.collect();
    w.lose(peer);
    args
}

fn with_rules(rules: Vec<RetentionRule>) -> Wamp {
    let store = Some(Store { retention: rules, ..Store::default() });
    Wamp::with_config(named([RealmConfig { store, ..RealmConfig::open("realm1") }]))
}

fn rule(uri: &str, match_policy: MatchPolicy) -> RetentionRule {
    RetentionRule { uri: uri.into(), match_policy, limit: RetentionRule::LIMIT, expires_after_s: None }
}

#[test]
fn a_later_subscriber_gets_the_retained_event_after_subscribed_as_it_was_published() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let publication = retain(&mut w, alice, 1, TOPIC, json!([7]));
    w.say(bob, json!([32, 1, { "get_retained": true }, TOPIC]));
    let subscribed = w.expect(bob, json!([33, 1, "*"]));
    w.expect(bob, json!([36, subscribed[2], publication, { "retained": true }, [7]]));
    w.expect_silence();
    // What comes later is new to everybody.
    w.say(alice, json!([16, 2, { "retain": true }, TOPIC, [8], { "k": 9 }]));
    w.expect(bob, json!([36, subscribed[2], "*", {}, [8], { "k": 9 }]));
    // Who asks again is answered again.
    w.say(bob, json!([32, 2, { "get_retained": true }, TOPIC]));
    w.expect(bob, json!([33, 2, subscribed[2]]));
    w.expect(bob, json!([36, subscribed[2], "*", { "retained": true }, [8], { "k": 9 }]));
    w.expect_silence();
}

#[test]
fn nothing_is_retained_or_sent_that_nobody_asked_for() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.say(alice, json!([16, 1, {}, TOPIC, [7]]));
    assert_eq!(late(&mut w, json!({}), TOPIC), [] as [Value; 0]);
    retain(&mut w, alice, 2, TOPIC, json!([8]));
    w.subscribe(bob, 1, TOPIC);
    w.expect_silence();
    assert_eq!(late(&mut w, json!({}), "com.myapp.topic2"), [] as [Value; 0]);
    // An ordinary event does not replace the retained one.
    w.say(alice, json!([16, 3, {}, TOPIC, [9]]));
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([8])]);
}

#[test]
fn the_last_retained_event_of_a_topic_replaces_the_one_before() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    for n in 1..=5 {
        retain(&mut w, alice, n, TOPIC, json!([n]));
    }
    retain(&mut w, bob, 1, "com.myapp.topic2", json!(["other"]));
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([5])]);
    retain(&mut w, bob, 2, TOPIC, json!([6]));
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([6])]);
}

#[test]
fn a_retained_event_outlives_its_publisher_and_the_last_subscription() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, TOPIC, json!([7]));
    w.lose(alice);
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([7])]);
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([7])]);
}

#[test]
fn a_publisher_does_not_get_its_own_event_unless_it_wanted_to() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    retain(&mut w, alice, 1, TOPIC, json!([7]));
    w.subscribe_with(alice, 2, json!({ "get_retained": true }), TOPIC);
    w.expect_silence();
    w.say(alice, json!([16, 3, { "retain": true, "exclude_me": false }, TOPIC, [8]]));
    w.hear(alice);
    let subscription = w.subscribe_with(alice, 4, json!({ "get_retained": true }), TOPIC);
    w.expect(alice, json!([36, subscription, "*", { "retained": true }, [8]]));
    assert_eq!(retained_for(&mut w, bob, json!({}), TOPIC), [json!([8])]);
}

#[test]
fn everybody_gets_the_last_event_that_was_for_it() {
    let mut w = Wamp::with_config(named([RealmConfig {
        roles: vec![Role::allow_all("anonymous"), Role::allow_all("admin"), Role::allow_all("guest")],
        ..RealmConfig::open("realm1")
    }]));
    let alice = w.join_as("realm1", "alice", "admin");
    let [known] = w.join("realm1");
    retain(&mut w, alice, 1, TOPIC, json!(["all"]));
    retain_with(&mut w, alice, 2, json!({ "eligible_authrole": ["admin"] }), TOPIC, json!(["admins"]));
    retain_with(&mut w, alice, 3, json!({ "eligible_authid": ["bob"] }), TOPIC, json!(["bob"]));
    retain_with(&mut w, alice, 4, json!({ "eligible": [known.session] }), TOPIC, json!(["known"]));
    retain_with(
        &mut w,
        alice,
        5,
        json!({ "exclude_authrole": ["admin", "anonymous"] }),
        TOPIC,
        json!(["guests"]),
    );
    let as_role = |w: &mut Wamp, authid: &str, authrole: &str| {
        let peer = w.join_as("realm1", authid, authrole);
        retained_for(w, peer, json!({}), TOPIC)
    };
    assert_eq!(as_role(&mut w, "carol", "admin"), [json!(["admins"])]);
    assert_eq!(as_role(&mut w, "bob", "admin"), [json!(["bob"])]);
    assert_eq!(as_role(&mut w, "bob", "guest"), [json!(["guests"])]);
    assert_eq!(as_role(&mut w, "carol", "anonymous"), [json!(["all"])]);
    assert_eq!(retained_for(&mut w, known, json!({}), TOPIC), [json!(["known"])]);
    // One for everybody ends them all; nobody is left out by lists that are empty.
    retain_with(&mut w, alice, 6, json!({ "exclude": [], "exclude_authid": [] }), TOPIC, json!(["new"]));
    assert_eq!(as_role(&mut w, "bob", "guest"), [json!(["new"])]);
    assert_eq!(as_role(&mut w, "carol", "admin"), [json!(["new"])]);
    retain_with(&mut w, alice, 7, json!({ "eligible_authid": [] }), TOPIC, json!(["nobody"]));
    assert_eq!(as_role(&mut w, "carol", "admin"), [json!(["new"])]);
}

#[test]
fn an_event_for_some_alone_is_kept_from_the_others() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    retain_with(&mut w, alice, 1, json!({ "exclude": [bob.session] }), TOPIC, json!(["secret"]));
    assert_eq!(retained_for(&mut w, bob, json!({}), TOPIC), [] as [Value; 0]);
    assert_eq!(retained_for(&mut w, carol, json!({}), TOPIC), [json!(["secret"])]);
}

#[test]
fn a_pattern_brings_the_last_event_of_each_of_its_topics_in_the_order_of_publication() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let topics = ["com.myapp.b.x", "com.myapp.a.x", "com.other.b.x", "com.myapp.c.y", "com.myapp.a.x"];
    for (n, topic) in (1..).zip(topics) {
        retain(&mut w, alice, n, topic, json!([n]));
    }
    assert_eq!(
        late(&mut w, json!({ "match": "prefix" }), "com.myapp."),
        [json!([1]), json!([4]), json!([5])]
    );
    let wildcard = late(&mut w, json!({ "match": "wildcard" }), "com...x");
    assert_eq!(wildcard, [json!([1]), json!([3]), json!([5])]);
    assert_eq!(
        late(&mut w, json!({ "match": "prefix" }), ""),
        [json!([1]), json!([3]), json!([4]), json!([5])]
    );
    assert_eq!(late(&mut w, json!({}), "com.myapp"), [] as [Value; 0]);
    let [bob] = w.join("realm1");
    let subscription = w.subscribe_with(bob, 1, json!({ "match": "prefix", "get_retained": true }), "com.o");
    w.expect(bob, json!([36, subscription, "*", { "topic": "com.other.b.x", "retained": true }, [3]]));
    w.expect_silence();
}

#[test]
fn a_pattern_brings_the_events_of_exactly_the_topics_that_it_matches() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let topics = ["a", "ab", "a.b", "a.bc", "a.b.c", "a.bc.c", "b.b.c", "a.b.c.d", "a.ü.c", "a.û.c"];
    for (n, topic) in (1..).zip(topics) {
        retain(&mut w, alice, n, topic, json!([topic]));
    }
    let prefixes = ["", "a", "a.", "a.b", "a.b.", "a.bcd", "b", "c", "a.ü"];
    let wildcards = ["a..c", "..c", "a.b.", "a..", ".", "..", "a.b..d", "...", "a.bc.", "a.b.c.d.", ".b"];
    for (policy, patterns) in [(MatchPolicy::Prefix, &prefixes[..]), (MatchPolicy::Wildcard, &wildcards)] {
        for pattern in patterns {
            let matching = topics.iter().filter(|topic| policy.matches(pattern, topic));
            let expected: Vec<Value> = matching.map(|topic| json!([topic])).collect();
            assert_eq!(late(&mut w, json!({ "match": policy.as_str() }), pattern), expected, "{pattern}");
        }
    }
}

#[test]
fn topics_that_each_begin_with_the_one_before_are_no_trouble() {
    let longest = 2_048;
    let limits = Limits { uri_length: longest, events_at_once: longest, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    for n in 1..=longest {
        retain(&mut w, alice, n as u64, &"a".repeat(n), json!([n]));
    }
    let expected: Vec<Value> = (1..=longest).map(|n| json!([n])).collect();
    assert_eq!(late(&mut w, json!({ "match": "prefix" }), "a"), expected);
}

#[test]
fn a_pattern_brings_no_more_events_than_one_request_may() {
    let limits = Limits { events_at_once: 3, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    for n in 1..=5 {
        retain(&mut w, alice, n, &format!("com.myapp.t{n}"), json!([n]));
    }
    assert_eq!(late(&mut w, json!({ "match": "prefix" }), "com."), [json!([3]), json!([4]), json!([5])]);
}

#[test]
fn publisher_and_passthru_are_told_later_as_they_were_then() {
    let mut w = Wamp::new();
    let alice = w.open();
    let (alice, welcome) = w.hello_with(alice, "realm1", json!({ "roles": common::all_features() }));
    retain_with(&mut w, alice, 1, json!({ "disclose_me": true, "ppt_scheme": "x_own" }), TOPIC, json!([7]));
    let session = alice.session;
    let [bob] = w.join("realm1");
    w.lose(alice);
    let subscription = w.subscribe_with(bob, 1, json!({ "get_retained": true }), TOPIC);
    let details = json!({
        "publisher": session, "publisher_authid": welcome["authid"], "publisher_authrole": "anonymous",
        "ppt_scheme": "x_own", "retained": true,
    });
    w.expect(bob, json!([36, subscription, "*", details, [7]]));
}

#[test]
fn who_may_not_subscribe_gets_nothing() {
    let allow = Allow { publish: true, ..Allow::default() };
    let uri = "com.".to_owned();
    let permission = Permission {
        uri,
        match_policy: MatchPolicy::Prefix,
        allow,
        disclose: Default::default(),
        trustlevel: None,
    };
    let roles = vec![Role::new("anonymous", vec![permission])];
    let mut w = Wamp::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    let [alice, bob] = w.join("realm1");
    retain(&mut w, alice, 1, TOPIC, json!([7]));
    w.say(bob, json!([32, 1, { "get_retained": true }, TOPIC]));
    w.expect_error(bob, 32, 1, "wamp.error.not_authorized");
    w.expect_silence();
}

#[test]
fn a_later_subscriber_gets_it_in_its_own_serializer() {
    let mut w = Wamp::new();
    let alice = w.join_with("realm1", Serializer::Cbor);
    retain(&mut w, alice, 1, TOPIC, json!([{ "a": [1, 2.5, null] }, "x"]));
    for serializer in Serializer::ALL {
        let peer = w.join_with("realm1", serializer);
        assert_eq!(retained_for(&mut w, peer, json!({}), TOPIC), [json!([{ "a": [1, 2.5, null] }, "x"])]);
    }
}

#[test]
fn an_event_that_is_too_long_for_a_later_subscriber_is_dropped() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, "com.myapp.long", json!(["x".repeat(2_000)]));
    retain(&mut w, alice, 2, "com.myapp.short", json!(["y"]));
    let peer = w.open_transport(Transport { max_message_length: Some(1_024), ..Transport::default() });
    let peer = w.hello(peer, "realm1", json!({ "subscriber": {} }));
    assert_eq!(retained_for(&mut w, peer, json!({ "match": "prefix" }), "com."), [json!(["y"])]);
    assert_eq!(w.router.dropped_events(), 1);
}

#[test]
fn an_event_expires_when_its_publisher_says_or_the_configuration_whatever_is_earlier() {
    let of_a_minute = RetentionRule { expires_after_s: Some(60), ..rule("com.myapp.", MatchPolicy::Prefix) };
    let forever = rule("com.myapp.forever", MatchPolicy::Exact);
    let mut w = with_rules(vec![of_a_minute, forever]);
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, "com.myapp.minute", json!(["minute"]));
    retain_with(&mut w, alice, 2, json!({ "x_retain_ms": 5_000 }), "com.myapp.short", json!(["short"]));
    retain_with(&mut w, alice, 3, json!({ "x_retain_ms": 500_000 }), "com.myapp.long", json!(["long"]));
    retain(&mut w, alice, 4, "com.myapp.forever", json!(["forever"]));
    retain_with(&mut w, alice, 5, json!({ "x_retain_ms": 5_000 }), "com.other", json!(["other"]));
    let all = |w: &mut Wamp| late(w, json!({ "match": "prefix" }), "com.");
    let words = |words: &[&str]| words.iter().map(|word| json!([word])).collect::<Vec<_>>();
    w.advance_ms(4_999);
    assert_eq!(all(&mut w), words(&["minute", "short", "long", "forever", "other"]));
    w.advance_ms(1);
    assert_eq!(all(&mut w), words(&["minute", "long", "forever"]));
    w.advance_ms(55_000);
    assert_eq!(all(&mut w), words(&["forever"]));
}

#[test]
fn a_new_event_begins_its_own_time() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    retain_with(&mut w, alice, 1, json!({ "x_retain_ms": 1_000 }), TOPIC, json!([1]));
    w.advance_ms(900);
    retain_with(&mut w, alice, 2, json!({ "x_retain_ms": 1_000 }), TOPIC, json!([2]));
    w.advance_ms(900);
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([2])]);
    w.advance_ms(100);
    assert_eq!(late(&mut w, json!({}), TOPIC), [] as [Value; 0]);
    for ms in [json!(0), json!(-1), json!("1000")] {
        let [peer] = w.join("realm1");
        w.say(peer, json!([16, 1, { "retain": true, "x_retain_ms": ms }, TOPIC]));
        w.expect_violation(peer, "PUBLISH.Options.x_retain_ms: expected an integer");
    }
}

#[test]
fn a_rule_may_retain_nothing_or_fewer_events_for_some() {
    let none = RetentionRule { limit: 0, ..rule("com.none.", MatchPolicy::Prefix) };
    let two = RetentionRule { limit: 2, ..rule("com.two", MatchPolicy::Exact) };
    let mut w = with_rules(vec![none, two]);
    let [alice, bob, carol] = w.join("realm1");
    retain(&mut w, alice, 1, "com.none.a", json!([1]));
    assert_eq!(late(&mut w, json!({}), "com.none.a"), [] as [Value; 0]);
    retain(&mut w, alice, 2, "com.two", json!(["all"]));
    retain_with(&mut w, alice, 3, json!({ "eligible": [bob.session] }), "com.two", json!(["bob"]));
    retain_with(&mut w, alice, 4, json!({ "eligible": [carol.session] }), "com.two", json!(["carol"]));
    assert_eq!(retained_for(&mut w, bob, json!({}), "com.two"), [json!(["all"])]);
    assert_eq!(retained_for(&mut w, carol, json!({}), "com.two"), [json!(["carol"])]);
    assert_eq!(late(&mut w, json!({}), "com.two"), [json!(["all"])]);
}

#[test]
fn one_topic_too_many_is_published_and_not_retained_until_another_has_gone() {
    let limits = Limits { retained_topics: 2, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.t3");
    for n in 1..=3 {
        retain_with(
            &mut w,
            alice,
            n,
            json!({ "x_retain_ms": 1_000 * n }),
            &format!("com.myapp.t{n}"),
            json!([n]),
        );
    }
    w.expect(bob, json!([36, 1, "*", {}, [3]]));
    // A topic that has its place keeps it.
    retain(&mut w, alice, 4, "com.myapp.t2", json!([4]));
    assert_eq!(late(&mut w, json!({ "match": "prefix" }), "com."), [json!([1]), json!([4])]);
    w.advance_ms(1_000);
    retain(&mut w, alice, 5, "com.myapp.t3", json!([5]));
    assert_eq!(late(&mut w, json!({ "match": "prefix" }), "com."), [json!([4]), json!([5])]);
}

#[test]
fn bytes_of_retained_events_are_bounded_and_nobody_is_told_what_is_out_of_date() {
    let limits = Limits { retained_length: 10_000, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, "com.myapp.a", json!(["a".repeat(4_000)]));
    retain(&mut w, alice, 2, "com.myapp.b", json!(["b".repeat(4_000)]));
    retain(&mut w, alice, 3, "com.myapp.c", json!(["c".repeat(4_000)]));
    let first = |w: &mut Wamp| {
        let letters = late(w, json!({ "match": "prefix" }), "com.").into_iter();
        letters.map(|args| args[0].as_str().expect("a text")[..1].to_owned()).collect::<String>()
    };
    assert_eq!(first(&mut w), "ab");
    retain(&mut w, alice, 4, "com.myapp.a", json!(["A".repeat(9_000)]));
    assert_eq!(first(&mut w), "b");
    retain(&mut w, alice, 5, "com.myapp.c", json!(["c".repeat(4_000)]));
    assert_eq!(first(&mut w), "bc");
}

#[test]
fn retained_events_are_cleared_by_topic_and_by_pattern() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    for (n, topic) in (1..).zip(["com.a.x", "com.a.y", "com.b.x", "com.b.y", "org.z"]) {
        retain(&mut w, alice, n, topic, json!([n]));
    }
    retain_with(&mut w, alice, 6, json!({ "eligible": [7] }), "com.a.x", json!([6]));
    let clear = |w: &mut Wamp, request: u64, args: Value| {
        w.say(bob, json!([48, request, {}, "wamplet.retention.clear", args]));
        w.hear(bob)
    };
    let rest = |w: &mut Wamp| late(w, json!({ "match": "prefix" }), "");
    assert_eq!(clear(&mut w, 1, json!(["com.a.x"])), json!([50, 1, {}, [2]]));
    assert_eq!(clear(&mut w, 2, json!(["com.a.x", { "match": "exact" }])), json!([50, 2, {}, [0]]));
    assert_eq!(rest(&mut w), [json!([2]), json!([3]), json!([4]), json!([5])]);
    assert_eq!(clear(&mut w, 3, json!(["com..y", { "match": "wildcard" }])), json!([50, 3, {}, [2]]));
    assert_eq!(rest(&mut w), [json!([3]), json!([5])]);
    assert_eq!(clear(&mut w, 4, json!(["", { "match": "prefix" }])), json!([50, 4, {}, [2]]));
    assert_eq!(rest(&mut w), [] as [Value; 0]);
    for (request, args) in [
        (5, json!([])),
        (6, json!([7])),
        (7, json!(["com.", "prefix"])),
        (8, json!(["com.", { "match": "suffix" }])),
        (9, json!(["com.", { "match": 1 }])),
    ] {
        w.say(bob, json!([48, request, {}, "wamplet.retention.clear", args]));
        w.expect_error(bob, 48, request, "wamp.error.invalid_argument");
    }
}

#[test]
fn clearing_needs_the_permission_to_call() {
    let allow = Allow { publish: true, subscribe: true, ..Allow::default() };
    let permission = Permission {
        uri: String::new(),
        match_policy: MatchPolicy::Prefix,
        allow,
        disclose: Default::default(),
        trustlevel: None,
    };
    let roles = vec![Role::new("anonymous", vec![permission])];
    let mut w = Wamp::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, TOPIC, json!([7]));
    w.say(alice, json!([48, 2, {}, "wamplet.retention.clear", [TOPIC]]));
    w.expect_error(alice, 48, 2, "wamp.error.not_authorized");
    assert_eq!(late(&mut w, json!({}), TOPIC), [json!([7])]);
}

#[test]
fn new_rules_hold_for_what_is_published_from_then_on() {
    let mut w = with_rules(Vec::new());
    let [alice] = w.join("realm1");
    retain(&mut w, alice, 1, "com.a", json!([1]));
    let none = RetentionRule { limit: 0, ..rule("", MatchPolicy::Prefix) };
    let store = Some(Store { retention: vec![none], ..Store::default() });
    w.reload(named([RealmConfig { store, ..RealmConfig::open("realm1") }]));
    retain(&mut w, alice, 2, "com.b", json!([2]));
    assert_eq!(late(&mut w, json!({ "match": "prefix" }), "com."), [json!([1])]);
}

#[test]
fn where_fewer_events_for_some_may_stay_than_there_are_the_newest_stays() {
    let mut w = with_rules(Vec::new());
    let [alice, bob] = w.join("realm1");
    let for_bob = json!({ "eligible": [bob.session] });
    for request in 1..=3 {
        retain_with(&mut w, alice, request, for_bob.clone(), TOPIC, json!([request]));
    }
    let one = RetentionRule { limit: 1, ..rule("", MatchPolicy::Prefix) };
    let store = Some(Store { retention: vec![one], ..Store::default() });
    w.reload(named([RealmConfig { store, ..RealmConfig::open("realm1") }]));
    retain_with(&mut w, alice, 4, for_bob, TOPIC, json!([4]));
    assert_eq!(retained_for(&mut w, bob, json!({}), TOPIC), [json!([4])]);
}
