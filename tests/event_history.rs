//! Event history: what `wamp.subscription.get_events` answers. [wamp: advanced/pubsub_event_history]

mod common;

use common::{Peer, Wamp, all_features, all_roles, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Allow, Authorizer, Permission, Role};
use wamplet::codec::Serializer;
use wamplet::config::{Config, HistoryRule, Limits, RealmConfig, Store};
use wamplet::payload::Values;
use wamplet::router::Transport;
use wamplet::uri::MatchPolicy;

const GET_EVENTS: &str = "wamp.subscription.get_events";

fn rule(uri: &str, match_policy: MatchPolicy, limit: usize) -> HistoryRule {
    HistoryRule { uri: uri.into(), match_policy, limit }
}

fn realm(history: Vec<HistoryRule>) -> RealmConfig {
    RealmConfig { store: Some(Store { history, ..Store::default() }), ..RealmConfig::open("realm1") }
}

fn with_history(history: Vec<HistoryRule>) -> Wamp {
    Wamp::with_config(named([realm(history)]))
}

/// The topics of the example in the specification.
fn logs() -> Wamp {
    with_history(vec![
        rule("com.log.auth", MatchPolicy::Exact, 100),
        rule("com.log.basket", MatchPolicy::Exact, 100),
        rule("com.log", MatchPolicy::Prefix, 100),
    ])
}

/// The session's next request, answered.
struct Reader {
    peer: Peer,
    requests: u64,
}

impl Reader {
    fn join(w: &mut Wamp) -> Self {
        let [peer] = w.join("realm1");
        Self { peer, requests: 0 }
    }

    fn as_role(w: &mut Wamp, authid: &str, authrole: &str) -> Self {
        Self { peer: w.join_as("realm1", authid, authrole), requests: 0 }
    }

    /// Publishes; answers the publication.
    fn publish(&mut self, w: &mut Wamp, options: Value, topic: &str, args: Value) -> u64 {
        self.requests += 1;
        let mut options = options;
        options["acknowledge"] = true.into();
        w.say(self.peer, json!([16, self.requests, options, topic, args]));
        w.expect(self.peer, json!([17, self.requests, "*"]))[2].as_u64().expect("a publication")
    }

    fn call(&mut self, w: &mut Wamp, args: Value, kwargs: Value) -> Value {
        self.requests += 1;
        w.say(self.peer, json!([48, self.requests, {}, GET_EVENTS, args, kwargs]));
        w.hear(self.peer)
    }

    /// The events that a call brings.
    #[track_caller]
    fn events(&mut self, w: &mut Wamp, args: Value, kwargs: Value) -> Vec<Value> {
        let mut result = self.call(w, args, kwargs);
        assert_eq!((&result[0], &result[2]), (&json!(50), &json!({})), "{result}");
        let Value::Array(events) = result[3][0].take() else { panic!("a list: {result}") };
        assert_eq!(result[3].as_array().map(Vec::len), Some(1), "one argument: {result}");
        assert_eq!(result.get(4), None, "{result}");
        events
    }

    /// The first arguments of the events.
    #[track_caller]
    fn read(&mut self, w: &mut Wamp, subscription: u64, kwargs: Value) -> Vec<u64> {
        let events = self.events(w, json!([subscription]), kwargs);
        events.iter().map(|event| event["args"][0].as_u64().expect("a number")).collect()
    }

    #[track_caller]
    fn refused(&mut self, w: &mut Wamp, args: Value, kwargs: Value, error: &str) {
        self.requests += 1;
        w.say(self.peer, json!([48, self.requests, {}, GET_EVENTS, args, kwargs]));
        w.expect_error(self.peer, 48, self.requests, error);
    }
}

const NONE: [u64; 0] = [];

#[test]
fn a_subscription_that_the_router_holds_was_created_when_somebody_could_first_see_it() {
    let created = |w: &mut Wamp, id: u64| {
        let mut reader = Reader::join(w);
        reader.requests += 1;
        w.say(reader.peer, json!([48, reader.requests, {}, "wamp.subscription.get", [id]]));
        w.expect(reader.peer, json!([50, reader.requests, {}, ["*"]]))[3][0]["created"].clone()
    };
    let mut w = with_history(vec![rule("com.log", MatchPolicy::Prefix, 10)]);
    let first = created(&mut w, 1);
    assert!(first.as_str().is_some_and(|created| created.starts_with("2023-11-14T22:13:20")), "{first}");
    w.advance_ms(5_000);
    let mut reader = Reader::join(&mut w);
    reader.requests += 1;
    w.subscribe_with(reader.peer, 1, json!({ "match": "prefix" }), "com.log");
    assert_eq!(created(&mut w, 1), first);
    // One that comes with a new configuration.
    let rules = ["com.log", "com.new"].map(|uri| rule(uri, MatchPolicy::Prefix, 10));
    w.reload(named([realm(rules.to_vec())]));
    w.advance_ms(5_000);
    let second = created(&mut w, 2);
    assert!(second.as_str().is_some_and(|created| created.starts_with("2023-11-14T22:13:25")), "{second}");
}

#[test]
fn each_subscription_has_the_events_of_its_topics_though_nobody_was_there() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    let topics = ["com.log.auth", "com.log.basket", "com.log.basket", "com.log.checkout", "com.other"];
    for (n, topic) in (1u64..).zip(topics) {
        alice.publish(&mut w, json!({}), topic, json!([n]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), [1]);
    assert_eq!(alice.read(&mut w, 2, json!({})), [2, 3]);
    assert_eq!(alice.read(&mut w, 3, json!({})), [1, 2, 3, 4]);
}

#[test]
fn the_subscription_of_a_history_keeps_its_id_whoever_comes_and_goes() {
    let mut w = logs();
    let [alice, bob] = w.join("realm1");
    assert_eq!(w.subscribe(alice, 1, "com.other"), 4);
    assert_eq!(w.subscribe(alice, 2, "com.log.basket"), 2);
    assert_eq!(w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.log"), 3);
    w.say(alice, json!([34, 3, 2]));
    w.expect(alice, json!([35, 3]));
    w.lose(bob);
    let [bob] = w.join("realm1");
    assert_eq!(w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.log"), 3);
    assert_eq!(w.subscribe(bob, 2, "com.log.basket"), 2);
    let inspected = w.router.inspect();
    let subscriptions = inspected["realms"][0]["subscriptions"].as_array().expect("a list");
    let of = |id: u64| subscriptions.iter().find(|subscription| subscription["id"] == id);
    assert_eq!(of(1).expect("it is there")["subscribers"], json!([]));
    assert_eq!(of(2).expect("it is there")["subscribers"], json!([bob.session]));
}

#[test]
fn an_event_is_answered_with_all_that_its_subscribers_got() {
    let mut w = logs();
    let (time, alice) = (w.unix_ns(), w.open());
    assert_eq!(time, 1_700_000_000_000_000_000);
    let (alice, welcome) = w.hello_with(alice, "realm1", json!({ "roles": all_features() }));
    let mut alice = Reader { peer: alice, requests: 0 };
    // Heard by two, once by its publisher: stored once all the same.
    let [bob, carol] = w.join("realm1");
    w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.log");
    w.subscribe_with(carol, 1, json!({ "match": "prefix" }), "com.log");
    let plain = alice.publish(&mut w, json!({}), "com.log.auth", json!([1, [2]]));
    w.advance_ms(1_234);
    alice.requests += 1;
    let options =
        json!({ "acknowledge": true, "disclose_me": true, "ppt_scheme": "x_own", "exclude_me": false });
    w.say(alice.peer, json!([16, 2, options, "com.log.auth", [], { "k": null }]));
    let revealing = w.expect(alice.peer, json!([17, 2, "*"]))[2].clone();
    let details = json!({
        "publisher": alice.peer.session, "publisher_authid": welcome["authid"],
        "publisher_authrole": "anonymous", "ppt_scheme": "x_own",
    });
    let exact = alice.events(&mut w, json!([1]), json!({}));
    assert_eq!(
        json!(exact),
        json!([
            {
                "timestamp": "2023-11-14T22:13:20.000Z", "subscription": 1, "publication": plain,
                "details": {}, "args": [1, [2]],
            },
            {
                "timestamp": "2023-11-14T22:13:21.234Z", "subscription": 1, "publication": revealing,
                "details": details, "args": [], "kwargs": { "k": null },
            },
        ])
    );
    let prefix = alice.events(&mut w, json!([3]), json!({}));
    assert_eq!(prefix.len(), 2);
    assert_eq!(prefix[0]["details"], json!({ "topic": "com.log.auth" }));
    w.say(alice.peer, json!([16, alice.requests + 1, {}, "com.log.basket"]));
    alice.requests += 1;
    let empty = alice.events(&mut w, json!([2]), json!({}));
    assert_eq!((empty[0].get("args"), empty[0].get("kwargs")), (None, None), "{empty:?}");
}

#[test]
fn every_filter_leaves_what_it_says_and_all_must_hold() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    let mut publications = vec![0];
    for n in 1..=6 {
        let topic = if n % 2 == 0 { "com.log.even" } else { "com.log.odd" };
        publications.push(alice.publish(&mut w, json!({}), topic, json!([n])));
        w.advance_ms(1_000);
    }
    let p = |n: usize| publications[n];
    // Second n - 1 after 22:13:20.
    let t = |n: u64| format!("2023-11-14T22:13:{}.000Z", 19 + n);
    for (kwargs, expected) in [
        (json!({}), &[1, 2, 3, 4, 5, 6][..]),
        (json!({ "reverse": false, "limit": null, "from_time": null, "topic": null }), &[1, 2, 3, 4, 5, 6]),
        (json!({ "reverse": true }), &[6, 5, 4, 3, 2, 1]),
        (json!({ "limit": 2 }), &[1, 2]),
        (json!({ "limit": 2, "reverse": true }), &[6, 5]),
        (json!({ "limit": 100 }), &[1, 2, 3, 4, 5, 6]),
        (json!({ "from_time": t(3) }), &[3, 4, 5, 6]),
        (json!({ "after_time": t(3) }), &[4, 5, 6]),
        (json!({ "before_time": t(3) }), &[1, 2]),
        (json!({ "until_time": t(3) }), &[1, 2, 3]),
        (json!({ "from_time": "2023-11-15T00:13:22+02:00" }), &[3, 4, 5, 6]),
        (json!({ "from_time": t(2), "after_time": t(3), "before_time": t(6), "until_time": t(6) }), &[4, 5]),
        (json!({ "topic": "com.log.even" }), &[2, 4, 6]),
        (json!({ "topic": "com.log.even", "limit": 2, "reverse": true }), &[6, 4]),
        (json!({ "topic": "com.log" }), &[]),
        (json!({ "from_publication": p(3) }), &[3, 4, 5, 6]),
        (json!({ "after_publication": p(3) }), &[4, 5, 6]),
        (json!({ "before_publication": p(3) }), &[1, 2]),
        (json!({ "until_publication": p(3) }), &[1, 2, 3]),
        (json!({ "after_publication": p(6) }), &[]),
        (json!({ "before_publication": p(1) }), &[]),
        (json!({ "after_publication": p(4), "before_publication": p(2) }), &[]),
        (json!({ "from_publication": p(2), "until_publication": p(5), "reverse": true }), &[5, 4, 3, 2]),
        (json!({ "from_publication": p(2), "after_publication": p(3), "until_time": t(5) }), &[4, 5]),
        (json!({ "after_publication": p(2), "limit": 1, "topic": "com.log.even" }), &[4]),
        (json!({ "before_publication": p(5), "limit": 2, "reverse": true }), &[4, 3]),
        (json!({ "something_else": 1 }), &[1, 2, 3, 4, 5, 6]),
    ] {
        assert_eq!(alice.read(&mut w, 3, kwargs.clone()), expected, "{kwargs}");
    }
}

#[test]
fn pages_follow_one_another_without_gap_or_overlap() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    // All in one millisecond.
    for n in 1..=10 {
        alice.publish(&mut w, json!({}), "com.log.auth", json!([n]));
    }
    for (reverse, filter) in [(false, "after_publication"), (true, "before_publication")] {
        let mut read = Vec::new();
        let mut kwargs = json!({ "limit": 3, "reverse": reverse });
        loop {
            let page = alice.events(&mut w, json!([1]), kwargs.clone());
            let Some(last) = page.last() else { break };
            kwargs[filter] = last["publication"].clone();
            read.extend(page.iter().map(|event| event["args"][0].as_u64().expect("a number")));
        }
        let expected: Vec<u64> = if reverse { (1..=10).rev().collect() } else { (1..=10).collect() };
        assert_eq!(read, expected);
    }
}

#[test]
fn a_limit_beside_the_subscription_brings_the_newest_first_as_from_crossbar() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    for n in 1..=5 {
        alice.publish(&mut w, json!({}), "com.log.auth", json!([n]));
    }
    let mut numbers = |args: Value, kwargs: Value| -> Vec<u64> {
        let events = alice.events(&mut w, args, kwargs);
        events.iter().map(|event| event["args"][0].as_u64().expect("a number")).collect()
    };
    assert_eq!(numbers(json!([1, 2]), json!({})), [5, 4]);
    assert_eq!(numbers(json!([1, 2]), json!({ "reverse": false })), [1, 2]);
    assert_eq!(numbers(json!([1, null]), json!({})), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(json!([1, 2]), json!({ "limit": 1 })), [5]);
}

#[test]
fn an_event_that_had_to_go_is_older_than_all_that_are_left() {
    let mut w = with_history(vec![rule("com.log", MatchPolicy::Prefix, 3)]);
    let mut alice = Reader::join(&mut w);
    let first = alice.publish(&mut w, json!({}), "com.log.a", json!([1]));
    for n in 2..=5 {
        alice.publish(&mut w, json!({}), "com.log.a", json!([n]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), [3, 4, 5]);
    assert_eq!(alice.read(&mut w, 1, json!({ "after_publication": first })), [3, 4, 5]);
    assert_eq!(alice.read(&mut w, 1, json!({ "from_publication": first })), [3, 4, 5]);
    assert_eq!(alice.read(&mut w, 1, json!({ "before_publication": first })), NONE);
    assert_eq!(alice.read(&mut w, 1, json!({ "until_publication": first })), NONE);
}

#[test]
fn wrong_arguments_are_refused_with_a_sentence() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    let invalid = "wamp.error.invalid_argument";
    for args in
        [json!([]), json!(["1"]), json!([0]), json!([null]), json!([1, 0]), json!([1, -2]), json!([1, "2"])]
    {
        alice.refused(&mut w, args, json!({}), invalid);
    }
    for kwargs in [
        json!({ "reverse": 1 }),
        json!({ "limit": 0 }),
        json!({ "limit": 1.5 }),
        json!({ "topic": 7 }),
        json!({ "from_time": 1_700_000_000 }),
        json!({ "after_time": "yesterday" }),
        json!({ "before_time": "2023-02-30T00:00:00Z" }),
        json!({ "until_time": "" }),
        json!({ "from_publication": "1" }),
        json!({ "after_publication": -1 }),
        json!({ "before_publication": 0 }),
        json!({ "until_publication": [] }),
    ] {
        alice.refused(&mut w, json!([1]), kwargs, invalid);
    }
    alice.refused(&mut w, json!([99]), json!({}), "wamp.error.no_such_subscription");
    let other = w.subscribe(alice.peer, alice.requests + 1, "com.other");
    alice.requests += 1;
    alice.refused(&mut w, json!([other]), json!({}), "wamp.error.history_unavailable");
}

#[test]
fn only_who_may_subscribe_may_read_the_history() {
    let may = |uri: &str, match_policy, call, subscribe| {
        let allow = Allow { call, subscribe, publish: true, ..Allow::default() };
        Permission { uri: uri.into(), match_policy, allow, disclose: Default::default(), trustlevel: None }
    };
    let anonymous = Role::new(
        "anonymous",
        vec![may("", MatchPolicy::Prefix, true, false), may("com.log.auth", MatchPolicy::Exact, false, true)],
    );
    let deaf = Role::new("deaf", vec![may("", MatchPolicy::Prefix, false, true)]);
    let mut config =
        realm(vec![rule("com.log.auth", MatchPolicy::Exact, 100), rule("com.log", MatchPolicy::Prefix, 100)]);
    config.roles = vec![anonymous, deaf];
    let mut w = Wamp::with_config(named([config]));
    let mut alice = Reader::join(&mut w);
    alice.publish(&mut w, json!({}), "com.log.auth", json!([1]));
    assert_eq!(alice.read(&mut w, 1, json!({})), [1]);
    alice.refused(&mut w, json!([2]), json!({}), "wamp.error.not_authorized");
    let mut deaf = Reader::as_role(&mut w, "bob", "deaf");
    deaf.refused(&mut w, json!([1]), json!({}), "wamp.error.not_authorized");
}

#[test]
fn a_reader_gets_what_was_for_its_authid_and_role_and_nothing_that_was_for_sessions() {
    let mut config = realm(vec![rule("com.log", MatchPolicy::Prefix, 100)]);
    config.roles = vec![Role::allow_all("anonymous"), Role::allow_all("admin")];
    let mut w = Wamp::with_config(named([config]));
    let mut alice = Reader::as_role(&mut w, "alice", "admin");
    let mut bob = Reader::as_role(&mut w, "bob", "anonymous");
    let session = bob.peer.session;
    for (n, options) in (1..).zip([
        json!({ "eligible_authrole": ["admin"] }),
        json!({ "exclude_authrole": ["admin"] }),
        json!({ "eligible_authid": ["bob", "carol"] }),
        json!({ "exclude_authid": ["bob"] }),
        json!({ "eligible_authid": ["bob"], "exclude_authrole": ["anonymous"] }),
        json!({ "eligible": [session] }),
        json!({ "exclude": [session] }),
        json!({ "eligible": [] }),
        json!({ "exclude": [] }),
        json!({ "eligible_authid": [] }),
    ]) {
        alice.publish(&mut w, options, "com.log.a", json!([n]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), [1, 4, 9]);
    assert_eq!(bob.read(&mut w, 1, json!({})), [2, 3, 9]);
    // What a reader may not have does not count.
    assert_eq!(bob.read(&mut w, 1, json!({ "limit": 2 })), [2, 3]);
    assert_eq!(bob.read(&mut w, 1, json!({ "limit": 2, "reverse": true })), [9, 3]);
}

#[test]
fn a_history_keeps_its_limit_and_all_together_their_bytes() {
    let limits = Limits { history_length: 10_000, ..Limits::default() };
    let history = vec![
        rule("com.a", MatchPolicy::Exact, 2),
        rule("com.b", MatchPolicy::Exact, 50),
        rule("com.", MatchPolicy::Prefix, 50),
    ];
    let mut w = Wamp::with_config(Config { limits, ..named([realm(history)]) });
    let mut alice = Reader::join(&mut w);
    for n in 1..=4 {
        alice.publish(&mut w, json!({}), "com.a", json!([n]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), [3, 4]);
    assert_eq!(alice.read(&mut w, 3, json!({})), [1, 2, 3, 4]);
    for n in 5..=8 {
        alice.publish(&mut w, json!({}), "com.b", json!([n, "x".repeat(3_000)]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), NONE);
    assert_eq!(alice.read(&mut w, 2, json!({})), [7, 8]);
    assert_eq!(alice.read(&mut w, 3, json!({})), [7, 8]);
    // What has no room even alone takes nothing away.
    alice.publish(&mut w, json!({}), "com.b", json!([9, "x".repeat(20_000)]));
    assert_eq!(alice.read(&mut w, 2, json!({})), [7, 8]);
}

#[test]
fn an_answer_has_no_more_events_than_one_request_may_bring() {
    let limits = Limits { events_at_once: 3, ..Limits::default() };
    let history = vec![rule("com.log", MatchPolicy::Prefix, 100)];
    let mut w = Wamp::with_config(Config { limits, ..named([realm(history)]) });
    let mut alice = Reader::join(&mut w);
    for n in 1..=5 {
        alice.publish(&mut w, json!({}), "com.log.a", json!([n]));
    }
    assert_eq!(alice.read(&mut w, 1, json!({})), [1, 2, 3]);
    assert_eq!(alice.read(&mut w, 1, json!({ "limit": 4, "reverse": true })), [5, 4, 3]);
}

#[test]
fn an_answer_is_no_longer_than_its_caller_can_take() {
    for serializer in Serializer::ALL {
        let mut w = logs();
        let mut alice = Reader::join(&mut w);
        for n in 1..=9 {
            alice.publish(&mut w, json!({}), "com.log.auth", json!([n, "x".repeat(300)]));
        }
        let transport = Transport { serializer, max_message_length: Some(2_048), ..Transport::default() };
        let peer = w.open_transport(transport);
        let mut bob = Reader { peer: w.hello(peer, "realm1", json!({ "caller": {} })), requests: 0 };
        w.take_lengths(bob.peer);
        // What JSON takes more for its texts, the others have for one event more.
        let fit = if serializer == Serializer::Json { 4 } else { 5 };
        assert_eq!(bob.read(&mut w, 1, json!({})), (1..=9).take(fit).collect::<Vec<_>>(), "{serializer:?}");
        let newest = bob.read(&mut w, 1, json!({ "reverse": true }));
        assert_eq!(newest, (1..=9).rev().take(fit).collect::<Vec<_>>(), "{serializer:?}");
        assert!(w.take_lengths(bob.peer).iter().all(|length| *length <= 2_048));
        alice.publish(&mut w, json!({}), "com.log.basket", json!([1, "x".repeat(2_000)]));
        bob.refused(&mut w, json!([2]), json!({}), "wamp.error.payload_size_exceeded");
    }
}

#[test]
fn events_are_kept_as_they_came_and_read_in_any_serializer() {
    let mut w = logs();
    for publisher in Serializer::ALL {
        let peer = w.join_with("realm1", publisher);
        let mut publisher = Reader { peer, requests: 0 };
        publisher.publish(&mut w, json!({}), "com.log.auth", json!([{ "a": [1, 2.5, null] }, "\0AAEC"]));
    }
    for reader in Serializer::ALL {
        let mut reader = Reader { peer: w.join_with("realm1", reader), requests: 0 };
        for event in reader.events(&mut w, json!([1]), json!({})) {
            assert_eq!(event["args"], json!([{ "a": [1, 2.5, null] }, "\0AAEC"]));
        }
    }
}

#[test]
fn an_event_too_deep_for_an_answer_is_left_out_of_it() {
    let limits = Limits { message_depth: 512, ..Limits::default() };
    let realm = realm(vec![rule("com.log.auth", MatchPolicy::Exact, 100)]);
    let mut w = Wamp::with_config(Config { limits, ..named([realm]) });
    let mut alice = Reader::join(&mut w);
    // The message is a list, and so are Args; an answer has two more levels around an event.
    let nested = (0..510).fold(json!(1), |inner, _| json!([inner]));
    alice.publish(&mut w, json!({}), "com.log.auth", json!([nested]));
    alice.publish(&mut w, json!({}), "com.log.auth", json!([2]));
    for serializer in [Serializer::MsgPack, Serializer::Cbor, Serializer::Json] {
        let mut bob = Reader { peer: w.join_with("realm1", serializer), requests: 0 };
        assert_eq!(bob.read(&mut w, 1, json!({})), [2], "{serializer:?}");
    }
}

#[test]
fn meta_events_have_a_history_where_the_configuration_says_so() {
    let mut w = with_history(vec![rule("wamp.session.", MatchPolicy::Prefix, 100)]);
    let mut alice = Reader::join(&mut w);
    let [bob] = w.join("realm1");
    w.lose(bob);
    let events = alice.events(&mut w, json!([1]), json!({}));
    let topics: Vec<_> = events.iter().map(|event| event["details"]["topic"].as_str()).collect();
    let (join, leave) = (Some("wamp.session.on_join"), Some("wamp.session.on_leave"));
    assert_eq!(topics, [join, join, leave]);
    assert_eq!(events[2]["args"], json!([bob.session]));
}

#[test]
fn an_event_may_be_retained_and_in_a_history_at_once() {
    let mut w = with_history(vec![rule("com.log", MatchPolicy::Prefix, 2)]);
    let mut alice = Reader::join(&mut w);
    alice.publish(&mut w, json!({ "retain": true }), "com.log.a", json!([1]));
    alice.publish(&mut w, json!({}), "com.log.b", json!([2]));
    alice.publish(&mut w, json!({ "retain": true }), "com.log.c", json!([3]));
    assert_eq!(alice.read(&mut w, 1, json!({})), [2, 3]);
    let [bob] = w.join("realm1");
    let subscription = w.subscribe_with(bob, 1, json!({ "get_retained": true }), "com.log.a");
    w.expect(bob, json!([36, subscription, "*", { "retained": true }, [1]]));
    alice.publish(&mut w, json!({ "retain": true }), "com.log.c", json!([4]));
    assert_eq!(alice.read(&mut w, 1, json!({})), [3, 4]);
}

#[test]
fn history_is_announced_where_there_is_one() {
    let mut w = Wamp::with_config(named([
        realm(vec![rule("com.log", MatchPolicy::Prefix, 2)]),
        RealmConfig { store: Some(Store::default()), ..RealmConfig::open("realm2") },
    ]));
    for (realm, announced) in [("realm1", json!(true)), ("realm2", json!(null))] {
        let peer = w.open();
        let (_, welcome) = w.hello_with(peer, realm, json!({ "roles": all_roles() }));
        assert_eq!(welcome["roles"]["broker"]["features"]["event_history"], announced, "{realm}");
    }
}

#[test]
fn a_new_configuration_keeps_the_events_of_histories_that_it_names_again() {
    let mut w = logs();
    let mut alice = Reader::join(&mut w);
    for n in 1..=4 {
        alice.publish(&mut w, json!({}), "com.log.auth", json!([n]));
    }
    w.subscribe(alice.peer, alice.requests + 1, "com.log.basket");
    alice.requests += 1;
    // The one of a topic without subscribers goes, one with a subscriber becomes ordinary.
    w.reload(named([realm(vec![
        rule("com.new", MatchPolicy::Exact, 5),
        rule("com.log", MatchPolicy::Prefix, 2),
    ])]));
    alice.refused(&mut w, json!([1]), json!({}), "wamp.error.no_such_subscription");
    alice.refused(&mut w, json!([2]), json!({}), "wamp.error.history_unavailable");
    assert_eq!(alice.read(&mut w, 3, json!({})), [3, 4]);
    alice.publish(&mut w, json!({}), "com.new", json!([5]));
    assert_eq!(alice.read(&mut w, 4, json!({})), [5]);
    w.reload(named([RealmConfig::open("realm1")]));
    alice.refused(&mut w, json!([3]), json!({}), "wamp.error.no_such_subscription");
    alice.publish(&mut w, json!({}), "com.new", json!([6]));
}

#[test]
fn the_meta_api_knows_the_subscription_of_a_history_and_tells_of_no_end_of_it() {
    let mut w = with_history(vec![rule("com.log", MatchPolicy::Prefix, 5)]);
    let [watcher, bob] = w.join("realm1");
    w.subscribe_with(watcher, 1, json!({ "match": "prefix" }), "wamp.subscription.");
    let ask = |w: &mut Wamp, request: u64, procedure: &str, args: Value| {
        w.say(bob, json!([48, request, {}, procedure, args]));
        w.hear(bob)[3][0].take()
    };
    assert_eq!(ask(&mut w, 1, "wamp.subscription.lookup", json!(["com.log", { "match": "prefix" }])), 1);
    assert_eq!(ask(&mut w, 2, "wamp.subscription.match", json!(["com.log.a"])), json!([1]));
    assert_eq!(ask(&mut w, 3, "wamp.subscription.count_subscribers", json!([1])), 0);
    assert_eq!(ask(&mut w, 4, "wamp.subscription.list", json!([]))["prefix"], json!([1, 2]));
    assert_eq!(w.subscribe_with(bob, 5, json!({ "match": "prefix" }), "com.log"), 1);
    w.say(bob, json!([34, 6, 1]));
    w.expect(bob, json!([35, 6]));
    let topics = w.hear_all(watcher).into_iter().map(|event| event[3]["topic"].clone());
    let expected = ["wamp.subscription.on_subscribe", "wamp.subscription.on_unsubscribe"];
    assert_eq!(topics.collect::<Vec<_>>(), expected);
    assert_eq!(ask(&mut w, 7, "wamp.subscription.count_subscribers", json!([1])), 0);
}

#[test]
fn a_testament_is_kept_as_any_other_event() {
    let mut w = with_history(vec![rule("com.log", MatchPolicy::Prefix, 5)]);
    let [alice] = w.join("realm1");
    let options = json!({ "publish_options": { "retain": true } });
    w.say(alice, json!([48, 1, {}, "wamp.session.add_testament", ["com.log.gone", [7], {}], options]));
    w.hear(alice);
    w.lose(alice);
    let mut bob = Reader::join(&mut w);
    assert_eq!(bob.read(&mut w, 1, json!({})), [7]);
    let subscription =
        w.subscribe_with(bob.peer, bob.requests + 1, json!({ "get_retained": true }), "com.log.gone");
    w.expect(bob.peer, json!([36, subscription, "*", { "retained": true }, [7]]));
}

#[test]
fn whom_an_authorizer_let_subscribe_may_read() {
    let mut config = realm(vec![rule("com.log", MatchPolicy::Prefix, 5)]);
    config.roles = vec![Role::dynamic("anonymous", Authorizer::new(Ask::Function("authorize".into())))];
    let mut w = Wamp::with_config(named([config]));
    let mut trusted = Reader::as_role(&mut w, "carol", "trusted");
    trusted.publish(&mut w, json!({}), "com.log.a", json!([1]));
    let alice = Reader::join(&mut w);
    let allowed = |w: &mut Wamp, message: Value| {
        w.say(alice.peer, message);
        let [question] = &w.take_questions()[..] else { panic!("one question") };
        w.answer(question.ticket, Ok(Values::args([json!(true)])));
        w.hear(alice.peer)
    };
    let refused = allowed(&mut w, json!([48, 1, {}, GET_EVENTS, [1]]));
    assert_eq!(refused[4], "wamp.error.not_authorized");
    allowed(&mut w, json!([32, 2, { "match": "prefix" }, "com.log"]));
    let read = allowed(&mut w, json!([48, 3, {}, GET_EVENTS, [1]]));
    assert_eq!(read[3][0][0]["args"], json!([1]));
}
