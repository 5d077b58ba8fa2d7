//! Dynamic authorization: somebody else decides what the sessions of a role may do, and they wait for it in order.

mod common;

use std::collections::{BTreeMap, VecDeque};

use common::{Peer, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::{Config, Limits, RealmConfig, Stats};
use wamplet::payload::Values;
use wamplet::router::{Close, Question, TRUSTED};

const AUTHORIZE: &str = "com.example.authorize";

/// A realm in which a procedure decides what anonymous sessions may do, and a role `user` for which it decides too.
fn realm() -> RealmConfig {
    let ask = Ask::Procedure { uri: AUTHORIZE.into(), realm: None };
    let dynamic = |name: &str| Role::dynamic(name, Authorizer::new(ask.clone()));
    let roles = vec![dynamic("anonymous"), dynamic("user"), Role::allow_all("free")];
    RealmConfig { roles, ..RealmConfig::open("realm1") }
}

/// A router with an authorizer, and its clients.
struct Guarded {
    w: Wamp,
    authorizer: Peer,
    /// Of the last INVOCATION.
    asked: u64,
}

impl Guarded {
    fn new() -> Self {
        Self::with_config(named([realm()]))
    }

    fn with_config(config: Config) -> Self {
        let mut w = Wamp::with_config(config);
        let authorizer = w.join_as("realm1", "authorizer", TRUSTED);
        w.register(authorizer, 1, AUTHORIZE);
        Self { w, authorizer, asked: 0 }
    }

    /// The authorizer is asked this: `[session details, URI, action, options]`.
    #[track_caller]
    fn expect_asked(&mut self, question: Value) -> Value {
        self.asked += 1;
        let mut invocation = self.w.expect(self.authorizer, json!([68, self.asked, "*", {}, question]));
        invocation[4].take()
    }

    fn decide(&mut self, answer: Value) {
        self.w.say(self.authorizer, json!([70, self.asked, {}, [answer]]));
    }

    /// The authorizer is asked about this action on this URI, and answers.
    #[track_caller]
    fn decided(&mut self, uri: &str, action: &str, answer: Value) {
        self.expect_asked(json!(["*", uri, action, "*"]));
        self.decide(answer);
    }

    /// The peer subscribes, and may.
    #[track_caller]
    fn subscribe(&mut self, peer: Peer, request: u64, topic: &str) -> u64 {
        self.w.say(peer, json!([32, request, {}, topic]));
        self.decided(topic, "subscribe", json!(true));
        self.w.expect(peer, json!([33, request, "*"]))[2].as_u64().expect("a subscription id")
    }

    /// Whether the peer may publish to this topic without anybody being asked; `None` if somebody is, who says no.
    fn known(&mut self, peer: Peer, request: u64, topic: &str) -> Option<bool> {
        self.w.say(peer, json!([16, request, { "acknowledge": true }, topic]));
        let invocations = self.w.hear_all(self.authorizer);
        if !invocations.is_empty() {
            self.asked += 1;
            self.decide(json!(false));
        }
        let is_published = self.w.hear(peer)[0] == 17;
        invocations.is_empty().then_some(is_published)
    }
}

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
fn requests_of_a_session_wait_in_order_and_are_asked_about_one_by_one() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let subscription = g.w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.");
    g.w.register(bob, 2, "com.add");
    g.w.say(alice, json!([16, 1, { "acknowledge": true }, "com.one"]));
    g.w.say(alice, json!([32, 2, {}, "com.two"]));
    g.w.say(alice, json!([34, 3, 777]));
    g.w.say(alice, json!([48, 4, {}, "com.add"]));
    g.w.say(alice, json!([16, 5, {}, "com.five"]));
    g.expect_asked(json!(["*", "com.one", "publish", "*"]));
    g.w.expect_silence();

    g.decide(json!(true));
    g.w.expect(alice, json!([17, 1, "*"]));
    g.w.expect(bob, json!([36, subscription, "*", { "topic": "com.one" }]));
    g.expect_asked(json!(["*", "com.two", "subscribe", "*"]));
    g.w.expect_silence();

    g.decide(json!(false));
    g.w.expect_error(alice, 32, 2, "wamp.error.not_authorized");
    g.w.expect_error(alice, 34, 3, "wamp.error.no_such_subscription");
    g.expect_asked(json!(["*", "com.add", "call", "*"]));
    g.w.expect_silence();

    g.decide(json!(true));
    g.w.expect(bob, json!([68, 1, "*", {}]));
    g.decided("com.five", "publish", json!(true));
    g.w.expect(bob, json!([36, subscription, "*", { "topic": "com.five" }]));
    g.w.expect_silence();
}

#[test]
fn nobody_else_is_held_up() {
    let mut g = Guarded::new();
    let [alice, carol] = g.w.join("realm1");
    let subscription = g.subscribe(alice, 1, "com.topic");
    g.w.say(alice, json!([64, 2, {}, "com.add"]));
    g.decided("com.add", "register", json!(true));
    g.w.hear(alice);
    g.w.publish(alice, 3, "com.waits");
    g.expect_asked(json!(["*", "com.waits", "publish", {}]));
    // Free sessions publish to her and call her, and she answers.
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.publish(bob, 1, "com.topic");
    g.w.expect(alice, json!([36, subscription, "*", {}]));
    g.w.call(bob, 2, "com.add");
    g.w.expect(alice, json!([68, 1, "*", {}]));
    g.w.say(alice, json!([70, 1, {}, [3]]));
    g.w.expect(bob, json!([50, 2, {}, [3]]));
    g.w.call(bob, 3, "com.add");
    g.w.expect(alice, json!([68, 2, "*", {}]));
    g.w.say(alice, json!([8, 68, 2, {}, "com.no"]));
    g.w.expect(bob, json!([8, 48, 3, {}, "com.no"]));
    // Another session of the role is asked about by itself.
    g.subscribe(carol, 1, "com.topic");
    g.w.expect_silence();
}

#[test]
fn a_question_to_each_of_many_sessions_is_open_at_once() {
    let mut g = Guarded::new();
    let peers: [Peer; 20] = g.w.join("realm1");
    for peer in peers {
        g.w.call(peer, 1, "com.add");
    }
    // Answered from the last to the first.
    for invocation in (1..=20u64).rev() {
        g.w.say(g.authorizer, json!([70, invocation, {}, [false]]));
        let peer = peers[invocation as usize - 1];
        g.w.expect_error(peer, 48, 1, "wamp.error.not_authorized");
    }
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
fn a_violation_ends_a_session_at_once_though_its_requests_wait() {
    let mut g = Guarded::new();
    let peers: [Peer; 2] = g.w.join("realm1");
    for (peer, message) in peers.into_iter().zip([json!([16, 7, {}, "com.topic"]), json!([99])]) {
        g.w.call(peer, 1, "com.add");
        g.expect_asked(json!("*"));
        g.w.say(peer, message);
        assert_eq!(g.w.closed(peer), Some(Close::ProtocolViolation));
        assert_eq!(g.w.hear(peer)[0], 3);
        g.w.hear_all(g.authorizer);
        g.decide(json!(true));
        g.w.expect_silence();
    }
    assert_eq!(g.w.router.next_timeout(), None);
}

#[test]
fn a_call_that_is_twice_is_a_violation_when_it_is_its_turn() {
    let mut g = Guarded::new();
    // Counts in its own way.
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.register(bob, 1, "com.add");
    g.w.call(alice, 7, "com.add");
    g.w.call(alice, 7, "com.add");
    g.decided("com.add", "call", json!(true));
    g.w.hear(bob);
    g.decided("com.add", "call", json!(true));
    g.w.expect_violation(alice, "in use");
}

#[test]
fn a_cancel_ends_a_call_that_waits_at_once() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.register(bob, 1, "com.add");
    for request in 1..=4 {
        g.w.call(alice, request, "com.add");
    }
    // Not the one that is asked about.
    g.w.say(alice, json!([49, 2, { "mode": "kill" }]));
    g.w.expect_error(alice, 48, 2, "wamp.error.canceled");
    g.decided("com.add", "call", json!(true));
    g.w.expect(bob, json!([68, 1, "*", {}]));
    // The one that is asked about: its answer does not matter any more, and the next one is asked about.
    g.expect_asked(json!(["*", "com.add", "call", "*"]));
    g.w.say(alice, json!([49, 3, {}]));
    g.w.expect_error(alice, 48, 3, "wamp.error.canceled");
    g.w.expect(g.authorizer, json!([69, g.asked, { "mode": "killnowait" }]));
    g.w.say(g.authorizer, json!([70, g.asked, {}, [true]]));
    g.expect_asked(json!(["*", "com.add", "call", "*"]));
    // One that is under way is canceled as ever.
    g.w.say(alice, json!([49, 1, { "mode": "killnowait" }]));
    g.w.expect(bob, json!([69, 1, { "mode": "killnowait" }]));
    g.w.expect_error(alice, 48, 1, "wamp.error.canceled");
    g.decide(json!(true));
    g.w.expect(bob, json!([68, 2, "*", {}]));
    g.w.expect_silence();
}

#[test]
fn a_call_that_waits_is_canceled_though_no_more_may_wait() {
    let limits = Limits { waiting_requests: 2, ..Limits::default() };
    let mut g = Guarded::with_config(Config { limits, ..named([realm()]) });
    let [alice] = g.w.join("realm1");
    g.w.call(alice, 1, "com.add");
    g.w.call(alice, 2, "com.add");
    g.w.say(alice, json!([49, 2, {}]));
    g.w.expect_error(alice, 48, 2, "wamp.error.canceled");
    // That leaves room.
    g.w.call(alice, 3, "com.add");
    for request in [1, 3] {
        g.decided("com.add", "call", json!(false));
        g.w.expect_error(alice, 48, request, "wamp.error.not_authorized");
    }
    g.w.expect_silence();
}

#[test]
fn a_cancel_ends_a_call_in_pieces_with_all_its_pieces_that_wait() {
    for first in [1, 7] {
        let mut g = Guarded::new();
        let caller = json!({ "caller": { "features": { "progressive_call_invocations": true } } });
        let alice = g.w.open();
        let alice = g.w.hello(alice, "realm1", caller);
        for _ in 0..2 {
            g.w.say(alice, json!([48, first, { "progress": true }, "com.add"]));
        }
        g.expect_asked(json!("*"));
        g.w.say(alice, json!([49, first, {}]));
        g.w.expect_error(alice, 48, first, "wamp.error.canceled");
        g.w.expect(g.authorizer, json!([69, g.asked, "*"]));
        // One that was on its way goes nowhere.
        g.w.say(alice, json!([48, first, {}, "com.add"]));
        g.w.call(alice, first + 1, "com.other");
        g.decided("com.other", "call", json!(false));
        g.w.expect_error(alice, 48, first + 1, "wamp.error.not_authorized");
        g.w.expect_silence();
    }
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

#[test]
fn a_cancel_ends_a_call_under_way_once_though_a_piece_of_it_waits() {
    let mut g = Guarded::new();
    let callee = g.w.join_as("realm1", "callee", "free");
    g.w.register(callee, 1, "com.add");
    let caller = json!({
        "caller": { "features": { "progressive_call_invocations": true, "call_canceling": true } },
        "publisher": {},
    });
    let alice = g.w.open();
    let alice = g.w.hello(alice, "realm1", caller);
    g.w.say(alice, json!([48, 1, { "progress": true }, "com.add"]));
    g.decided("com.add", "call", json!(true));
    g.w.expect(callee, json!([68, 1, "*", { "progress": true }]));
    g.w.say(alice, json!([16, 2, { "acknowledge": true }, "com.topic"]));
    g.w.say(alice, json!([48, 1, {}, "com.add"]));
    g.w.say(alice, json!([49, 1, {}]));
    g.w.expect_error(alice, 48, 1, "wamp.error.canceled");
    g.w.say(callee, json!([70, 1, {}]));
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(alice, json!([17, 2, "*"]));
    g.w.expect_silence();
}

#[test]
fn goodbye_waits_behind_the_requests_of_its_session() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let subscription = g.w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.");
    g.w.say(alice, json!([16, 1, { "acknowledge": true }, "com.one"]));
    g.w.publish(alice, 2, "com.two");
    g.w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    // Nothing comes after it.
    g.w.publish(alice, 3, "com.three");
    g.w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    g.decided("com.one", "publish", json!(true));
    g.w.expect(alice, json!([17, 1, "*"]));
    g.w.expect(bob, json!([36, subscription, "*", { "topic": "com.one" }]));
    g.expect_asked(json!(["*", "com.two", "publish", "*"]));
    g.w.expect_silence();
    g.decide(json!(true));
    g.w.expect(bob, json!([36, subscription, "*", { "topic": "com.two" }]));
    g.w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    g.w.expect_silence();
    g.w.hello(alice, "realm1", all_roles());
}

#[test]
fn a_goodbye_that_waits_may_be_as_deep_as_any_message() {
    let limits = Limits { message_depth: 512, ..Limits::default() };
    let mut g = Guarded::with_config(Config { limits, ..named([realm()]) });
    let [alice] = g.w.join("realm1");
    g.w.publish(alice, 1, "com.topic");
    let (deep, deep_end) = ("[".repeat(510), "]".repeat(510));
    let goodbye = format!(r#"[6,{{"deep":{deep}{deep_end}}},"wamp.close.close_realm"]"#);
    g.w.say_bytes(alice, goodbye.as_bytes());
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    assert_eq!(g.w.closed(alice), None);
}

#[test]
fn who_said_goodbye_and_waits_still_answers_calls() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.say(alice, json!([64, 1, {}, "com.add"]));
    g.decided("com.add", "register", json!(true));
    g.w.hear(alice);
    g.w.call(bob, 1, "com.add");
    g.w.expect(alice, json!([68, 1, "*", {}]));
    g.w.publish(alice, 2, "com.topic");
    g.w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    g.w.say(alice, json!([70, 1, {}, [3]]));
    g.w.expect(bob, json!([50, 1, {}, [3]]));
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
}

#[test]
fn goodbye_waits_no_longer_than_an_answer_may_take_however_much_is_before_it() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let subscription = g.w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.");
    for request in 1..=3 {
        g.w.publish(alice, request, "com.topic");
    }
    g.w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    g.w.advance_ms(9_000);
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(bob, json!([36, subscription, "*", "*"]));
    g.expect_asked(json!("*"));
    g.w.advance_ms(999);
    g.w.expect_silence();
    g.w.advance_ms(1);
    g.w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    g.w.expect(g.authorizer, json!([69, g.asked, { "mode": "killnowait" }]));
    g.decide(json!(true));
    g.w.advance_ms(60_000);
    g.w.expect_silence();
}

#[test]
fn who_breaks_off_or_is_sent_away_gives_up_what_waits() {
    let leave: [fn(&mut Wamp, Peer); 4] = [
        |w, peer| w.lose(peer),
        |w, peer| {
            w.say(peer, json!([6, {}, "wamp.close.close_realm"]));
            w.lose(peer);
        },
        |w, peer| w.say(peer, json!([3, {}, "wamp.error.canceled"])),
        |w, peer| {
            let free = w.join_as("realm1", "admin", "free");
            w.say(free, json!([48, 1, {}, "wamp.session.kill", [peer.session]]));
            w.hear(free);
            w.expect(peer, json!([6, {}, "wamp.close.killed"]));
            w.say(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
        },
    ];
    for leave in leave {
        let mut g = Guarded::new();
        let bob = g.w.join_as("realm1", "bob", "free");
        let [alice] = g.w.join("realm1");
        g.w.subscribe(bob, 1, "com.topic");
        g.w.publish(alice, 1, "com.topic");
        g.w.say(alice, json!([32, 2, {}, "com.topic"]));
        g.expect_asked(json!("*"));
        leave(&mut g.w, alice);
        // The authorizer hears that nobody waits any more.
        g.w.expect(g.authorizer, json!([69, g.asked, { "mode": "killnowait" }]));
        g.decide(json!(true));
        g.w.expect_silence();
        let tables = &g.w.router.inspect()["realms"][0]["subscriptions"];
        assert_eq!(tables.as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn the_next_session_on_a_transport_has_nothing_to_do_with_the_last_one() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([32, 1, {}, "com.one"]));
    g.w.say(alice, json!([32, 2, {}, "com.one"]));
    g.w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    g.w.advance_ms(5_000);
    g.decided("com.one", "subscribe", json!(false));
    g.expect_asked(json!("*"));
    g.w.advance_ms(5_000);
    g.w.hear_all(alice);
    g.w.hear_all(g.authorizer);
    let alice = g.w.hello(alice, "realm1", all_roles());
    g.w.say(alice, json!([32, 1, {}, "com.two"]));
    // What the authorizer says of the old one.
    g.decide(json!(true));
    g.w.expect_nothing(alice);
    g.decided("com.two", "subscribe", json!(false));
    g.w.expect_error(alice, 32, 1, "wamp.error.not_authorized");
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
fn a_testament_is_asked_about_when_it_is_added_and_published_as_was_decided() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let topic = g.w.subscribe(bob, 1, "com.gone");
    let options = json!({ "publish_options": { "exclude": [7] } });
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone", ["alice"], {}], options]));
    // Behind it, in order.
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.secret"]]));
    g.w.call(alice, 3, "wamp.session.count");
    g.decided(ADD, "call", json!(true));
    g.expect_asked(json!(["*", "com.gone", "publish", { "exclude": [7] }]));
    g.w.expect_silence();
    g.decide(json!({ "allow": true, "disclose": true }));
    let publication = g.w.expect(alice, json!([50, 1, {}, ["*"]]))[3][0].clone();
    g.decided(ADD, "call", json!(true));
    g.decided("com.secret", "publish", json!(false));
    g.w.expect_error(alice, 48, 2, "wamp.error.not_authorized");
    g.decided("wamp.session.count", "call", json!(true));
    g.w.hear(alice);
    // Nobody is asked about who is gone.
    g.w.lose(alice);
    let who =
        json!({ "publisher": alice.session, "publisher_authid": "*", "publisher_authrole": "anonymous" });
    g.w.expect(bob, json!([36, topic, publication, who, ["alice"]]));
    g.w.expect_silence();
}

#[test]
fn who_may_not_add_testaments_is_not_asked_about_their_topics() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([48, 1, {}, "wamp.session.add_testament", ["com.gone"]]));
    g.decided("wamp.session.add_testament", "call", json!(false));
    g.w.expect_error(alice, 48, 1, "wamp.error.not_authorized");
    // Nor is anybody asked about what is refused in any case.
    for (request, topic) in [(2, json!("com..gone")), (3, json!("wamp.gone")), (4, json!(7))] {
        g.w.say(alice, json!([48, request, {}, "wamp.session.add_testament", [topic]]));
        g.decided("wamp.session.add_testament", "call", json!(true));
        assert_eq!(g.w.hear(alice)[0], 8, "{topic}");
    }
    g.w.lose(alice);
    g.w.expect_silence();
}

#[test]
fn what_is_remembered_holds_for_testaments_and_a_failure_refuses_them() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    let bob = g.w.join_as("realm1", "bob", "free");
    let topic = g.w.subscribe(bob, 1, "com.gone");
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone", [1]]]));
    g.decided(ADD, "call", json!({ "allow": true, "cache": true }));
    g.decided("com.gone", "publish", json!({ "allow": true, "cache": true }));
    g.w.hear(alice);
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.gone", [2]]]));
    g.w.expect(alice, json!([50, 2, {}, ["*"]]));
    // The call is remembered, the topic is not.
    g.w.say(alice, json!([48, 3, {}, ADD, ["com.other", [3]]]));
    g.decided("com.other", "publish", json!("rubbish"));
    g.w.expect_error(alice, 48, 3, "wamp.error.authorization_failed");
    g.w.lose(alice);
    for number in [1, 2] {
        g.w.expect(bob, json!([36, topic, "*", {}, [number]]));
    }
    g.w.expect_silence();
}

#[test]
fn a_testament_that_waits_is_decided_about_anew_by_a_new_configuration() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.subscribe(bob, 1, "com.gone");
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone"]]));
    g.decided(ADD, "call", json!(true));
    g.expect_asked(json!(["*", "com.gone", "publish", {}]));
    g.w.reload(named([realm()]));
    g.w.expect(g.authorizer, json!([69, g.asked, { "mode": "killnowait" }]));
    g.decided(ADD, "call", json!(true));
    g.decided("com.gone", "publish", json!(true));
    g.w.expect(alice, json!([50, 1, {}, ["*"]]));
    // And what no authorizer has decided about is not published where one decides.
    let free =
        || RealmConfig { roles: vec![Role::allow_all("anonymous"), Role::allow_all("free")], ..realm() };
    g.w.reload(named([free()]));
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.gone", ["late"]]]));
    g.w.expect(alice, json!([50, 2, {}, ["*"]]));
    g.w.reload(named([realm()]));
    g.w.lose(alice);
    g.w.expect(bob, json!([36, 1, "*", {}]));
    g.w.expect_silence();
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
fn a_decision_is_remembered_if_the_authorizer_says_so() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    let answers = [
        ("com.bool", json!(true), None),
        ("com.absent", json!({ "allow": true }), None),
        ("com.not", json!({ "allow": true, "cache": false }), None),
        ("com.yes", json!({ "allow": true, "cache": true }), Some(true)),
        ("com.no", json!({ "allow": false, "cache": true }), Some(false)),
    ];
    for (request, (topic, answer, known)) in (1..).step_by(2).zip(answers) {
        g.w.publish(alice, request, topic);
        g.decided(topic, "publish", answer);
        assert_eq!(g.known(alice, request + 1, topic), known, "{topic}");
    }
}

#[test]
fn what_is_remembered_reveals_what_it_revealed() {
    let mut g = Guarded::new();
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.subscribe(bob, 1, "com.topic");
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "disclose": true, "cache": true }));
    assert_eq!(g.w.hear(bob)[3]["publisher"], alice.session);
    g.w.publish(alice, 2, "com.topic");
    assert_eq!(g.w.hear(bob)[3]["publisher"], alice.session);
    g.w.expect_silence();
}

#[test]
fn what_is_remembered_holds_for_one_principal_one_action_and_one_pattern() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "cache": true }));
    // Another session of hers.
    let phone = g.w.join_as("realm1", "alice", "user");
    assert_eq!(g.known(phone, 1, "com.topic"), Some(true));
    // Somebody else, another role of hers, another topic.
    let bob = g.w.join_as("realm1", "bob", "user");
    assert_eq!(g.known(bob, 1, "com.topic"), None);
    let anonymous = g.w.join_as("realm1", "alice", "anonymous");
    assert_eq!(g.known(anonymous, 1, "com.topic"), None);
    assert_eq!(g.known(alice, 2, "com.topic2"), None);
    // Another action, and another match policy.
    g.w.say(alice, json!([32, 3, {}, "com.topic"]));
    g.decided("com.topic", "subscribe", json!({ "allow": true, "cache": true }));
    g.w.hear(alice);
    g.w.say(alice, json!([32, 4, { "match": "prefix" }, "com.topic"]));
    g.decided("com.topic", "subscribe", json!(false));
    g.w.expect_error(alice, 32, 4, "wamp.error.not_authorized");
    g.w.subscribe(alice, 5, "com.topic");
    // Names that look like parts of other names.
    let odd = g.w.join_as("realm1", "alice 4", "user");
    assert_eq!(g.known(odd, 1, "com.topic"), None);
}

#[test]
fn what_is_remembered_is_forgotten_when_its_time_is_over() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "cache": true }));
    g.w.advance_ms(59_999);
    assert_eq!(g.known(alice, 2, "com.topic"), Some(true));
    g.w.advance_ms(1);
    assert_eq!(g.known(alice, 3, "com.topic"), None);
}

#[test]
fn a_lifetime_of_zero_remembers_nothing() {
    let ask = Ask::Procedure { uri: AUTHORIZE.into(), realm: None };
    let roles = vec![Role::dynamic("user", Authorizer { ask, cache_ms: 0 })];
    let mut g = Guarded::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "cache": true }));
    assert_eq!(g.known(alice, 2, "com.topic"), None);
}

#[test]
fn what_is_remembered_can_be_purged_by_authid_or_all_of_it() {
    let mut g = Guarded::new();
    let [alice, bob] = ["alice", "bob"].map(|authid| g.w.join_as("realm1", authid, "user"));
    let admin = g.w.join_as("realm1", "admin", "free");
    let remember = |g: &mut Guarded, request| {
        for peer in [alice, bob] {
            g.w.publish(peer, request, "com.topic");
            g.decided("com.topic", "publish", json!({ "allow": true, "cache": true }));
        }
    };
    let purge = |g: &mut Guarded, request, args: Value| {
        g.w.say(admin, json!([48, request, {}, "wamplet.authorization.purge", args]));
        g.w.expect(admin, json!([50, request, {}, ["*"]]))[3][0].clone()
    };
    remember(&mut g, 1);
    // Nobody has that name, though another begins with it.
    assert_eq!(purge(&mut g, 1, json!(["ali"])), 0);
    assert_eq!(purge(&mut g, 2, json!(["alice"])), 1);
    assert_eq!(g.known(alice, 2, "com.topic"), None);
    assert_eq!(g.known(bob, 2, "com.topic"), Some(true));
    assert_eq!(purge(&mut g, 3, json!([])), 1);
    assert_eq!(g.known(bob, 3, "com.topic"), None);
    assert_eq!(g.known(alice, 3, "com.topic"), None);
    g.w.say(admin, json!([48, 4, {}, "wamplet.authorization.purge", [7]]));
    g.w.expect_error(admin, 48, 4, "wamp.error.invalid_argument");

    remember(&mut g, 4);
    assert_eq!(g.w.router.purge_decisions("realm1", Some("bob")), 1);
    assert_eq!(g.w.router.purge_decisions("realm1", None), 1);
    assert_eq!(g.w.router.purge_decisions("realm2", None), 0);
    assert_eq!(g.known(alice, 5, "com.topic"), None);
}

#[test]
fn a_decision_that_was_asked_for_before_a_purge_is_not_remembered_after_it() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.expect_asked(json!("*"));
    g.w.router.purge_decisions("realm1", None);
    g.decide(json!({ "allow": true, "cache": true }));
    assert_eq!(g.known(alice, 2, "com.topic"), None);
}

#[test]
fn nobody_registers_the_purge() {
    let mut g = Guarded::new();
    let free = g.w.join_as("realm1", "free", "free");
    g.w.say(free, json!([64, 1, {}, "wamplet.authorization.purge"]));
    g.w.expect_error(free, 64, 1, "wamp.error.invalid_uri");
}

#[test]
fn the_cache_is_bounded() {
    let limits = Limits { authorization_cache: 3, ..Limits::default() };
    let mut g = Guarded::with_config(Config { limits, ..named([realm()]) });
    let alice = g.w.join_as("realm1", "alice", "user");
    for request in 1..=4 {
        let topic = format!("com.topic{request}");
        g.w.publish(alice, request, &topic);
        g.decided(&topic, "publish", json!({ "allow": true, "cache": true }));
    }
    assert_eq!(g.w.router.purge_decisions("realm1", None), 1);
}

#[test]
fn what_waits_is_bounded_by_number_and_by_length() {
    let limits = Limits { waiting_requests: 3, waiting_length: 2_000, ..Limits::default() };
    let mut g = Guarded::with_config(Config { limits, ..named([realm()]) });
    let [alice, bob] = g.w.join("realm1");
    for request in 1..=3 {
        g.w.call(alice, request, "com.add");
    }
    g.w.call(alice, 4, "com.add");
    g.w.expect_error(alice, 48, 4, "wamplet.error.limit_exceeded");
    g.w.publish(alice, 5, "com.topic");
    g.w.expect_nothing(alice);
    for _ in 1..=3 {
        g.decided("com.add", "call", json!(false));
        g.w.hear(alice);
    }
    g.w.expect_silence();

    let long = "x".repeat(1_500);
    for request in 1..=2 {
        g.w.say(bob, json!([16, request, { "acknowledge": true }, "com.topic", [long]]));
    }
    g.w.expect_error(bob, 16, 2, "wamplet.error.limit_exceeded");
    // Names of receivers count too.
    g.w.say(bob, json!([16, 3, { "acknowledge": true, "eligible_authid": [long] }, "com.topic"]));
    g.w.expect_error(bob, 16, 3, "wamplet.error.limit_exceeded");
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(bob, json!([17, 1, "*"]));
    // What has gone leaves room.
    g.w.say(bob, json!([16, 4, { "acknowledge": true }, "com.topic", [long]]));
    g.decided("com.topic", "publish", json!(true));
    g.w.expect(bob, json!([17, 4, "*"]));
    g.w.expect_silence();
}

#[test]
fn statistics_count_what_waits_when_it_comes_and_what_is_sent_when_it_is_sent() {
    let stats = Stats { trigger_on_join: false, ..Stats::default() };
    let mut g = Guarded::with_config(named([RealmConfig { stats: Some(stats), ..realm() }]));
    let monitor = g.w.join_as("realm1", "monitor", "free");
    g.w.subscribe(monitor, 1, "wamp.session.on_stats");
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([16, 1, { "acknowledge": true }, "com.topic"]));
    g.w.say(alice, json!([16, 2, { "acknowledge": true }, "com.topic"]));
    g.decided("com.topic", "publish", json!(true));
    g.decided("com.topic", "publish", json!(false));
    g.w.hear_all(alice);
    g.w.lose(alice);
    let lengths = g.w.take_lengths(alice);
    let event = g.w.hear(monitor);
    assert_eq!(event[4][1]["messages"], lengths.len(), "{event}");
    assert_eq!(event[4][1]["bytes"], lengths.iter().sum::<usize>(), "{event}");
}

#[cfg(feature = "native")]
#[test]
fn counters_count_a_request_that_waits_once() {
    use wamplet::message::MessageType;
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    for request in 1..=3 {
        g.w.say(alice, json!([16, request, { "acknowledge": true }, "com.topic"]));
    }
    for _ in 1..=3 {
        g.decided("com.topic", "publish", json!(true));
    }
    let counters = g.w.router.counters().next().expect("a realm");
    let count = |list: &[(MessageType, u64)], of| list.iter().find(|(kind, _)| *kind == of).map(|(_, n)| *n);
    assert_eq!(count(&counters.received, MessageType::Publish), Some(3));
    assert_eq!(count(&counters.sent, MessageType::Published), Some(3));
    assert_eq!(count(&counters.sent, MessageType::Invocation), Some(3));
    assert_eq!(count(&counters.received, MessageType::Yield), Some(3));
}

/// SplitMix64: enough chance for a test, in four lines.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What a run of random requests had each session send to each other one: who, to whom -> what, in order; and to itself,
/// its answers.
type Transcripts = BTreeMap<(usize, usize), Vec<Value>>;

/// Sessions say random things, each knowing nothing of the others. `patience` is how many messages are said, on average,
/// before the authorizer answers one question; zero is without an authorizer.
fn run(seed: u64, patience: u64) -> Transcripts {
    const PEERS: usize = 5;
    let role = match patience {
        0 => Role::allow_all("user"),
        _ => Role::dynamic("user", Authorizer::new(Ask::Function("decide".into()))),
    };
    let realm = RealmConfig { roles: vec![role, Role::allow_all("free")], ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let peers: Vec<Peer> = (0..PEERS).map(|n| w.join_as("realm1", &format!("peer{n}"), "user")).collect();
    // Where events and calls go is fixed: when a request is carried out must not matter for whom it reaches.
    let listeners: Vec<Peer> = (0..3).map(|n| w.join_as("realm1", &format!("listener{n}"), "free")).collect();
    let mut patterns = Vec::new();
    for (n, listener) in listeners.iter().enumerate() {
        for (request, (policy, topic)) in
            (1..).zip([("exact", "com.topic0"), ("prefix", "com."), ("wildcard", ".topic1")])
        {
            patterns.push(w.subscribe_with(*listener, request, json!({ "match": policy }), topic));
        }
        w.register(*listener, 4, &format!("com.procedure{n}"));
    }
    let mut random = SplitMix(seed);
    let mut chance = SplitMix(!seed);
    let mut open = VecDeque::new();
    let mut requests = [0; PEERS];
    let answer_one = |w: &mut Wamp, open: &mut VecDeque<_>, chance: &mut SplitMix| {
        open.extend(w.take_questions());
        let Some(question) = open.remove(chance.below(open.len().max(1) as u64) as usize) else {
            return false;
        };
        let question: Question = question;
        let cache = chance.below(3) == 0;
        let cut = chance.below(2) == 0;
        let answer = if cut { json!(true) } else { json!({ "allow": true, "cache": cache }) };
        w.answer(question.ticket, Ok(Values::args([answer])));
        true
    };
    for tag in 0..400 {
        let at = random.below(PEERS as u64) as usize;
        requests[at] += 1;
        let request = requests[at];
        let which = random.below(2);
        let message = match random.below(10) {
            0..5 => {
                let acknowledge = random.below(2) == 0;
                let topic = format!("com.topic{which}");
                json!([16, request, { "acknowledge": acknowledge }, topic, [at, tag]])
            }
            5..8 => json!([48, request, {}, format!("com.procedure{}", random.below(3)), [at, tag]]),
            8 => json!([32, request, {}, format!("org.own{at}")]),
            _ => json!([34, request, 100_000]),
        };
        w.say(peers[at], message);
        if patience > 0 && chance.below(patience) == 0 {
            answer_one(&mut w, &mut open, &mut chance);
        }
        if chance.below(100) == 0 {
            w.router.purge_decisions("realm1", None);
        }
    }
    while answer_one(&mut w, &mut open, &mut chance) {}
    let mut transcripts = Transcripts::new();
    for (n, listener) in listeners.iter().enumerate() {
        for mut message in w.hear_all(*listener) {
            let payload = message.as_array_mut().expect("a message").pop().expect("a payload");
            let from = payload[0].as_u64().expect("who") as usize;
            // Ids that say when something was carried out, among those of others, are not to be compared.
            let kind = json!([message[0], message[0] == 36 && message[1] == patterns[0], payload]);
            transcripts.entry((from, PEERS + n)).or_default().push(kind);
        }
    }
    for (n, peer) in peers.iter().enumerate() {
        let answers = w.hear_all(*peer).into_iter().map(|message| match message[0].as_u64() {
            Some(8) => json!([8, message[2], message[4]]),
            code => json!([code, message[1]]),
        });
        transcripts.insert((n, n), answers.collect());
    }
    transcripts
}

#[test]
fn with_an_authorizer_that_allows_all_each_session_hears_the_same_of_each_other_in_the_same_order() {
    for seed in 0..20 {
        let expected = run(seed, 0);
        assert!(expected.values().all(|heard| heard.len() > 10), "{expected:?}");
        for patience in [1, 2, 20, 1_000] {
            assert_eq!(run(seed, patience), expected, "seed {seed}, patience {patience}");
        }
    }
}
