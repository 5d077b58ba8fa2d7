//! The requests that wait while the authorizer thinks: their order, how CANCEL, GOODBYE and the end of a session treat
//! them, how many there may be, and when they are counted.

use serde_json::json;
use wamplet::config::{Config, Limits, RealmConfig, Stats};
use wamplet::router::Close;

use crate::common::{Peer, Wamp, all_roles, named};
use crate::guarded::{Guarded, realm};

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
