//! Callees that work on so many calls at once and no more, and calls that wait for them.

mod common;

use common::{Peer, Wamp, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::{CallQueue, CallQueues, Config, Limits, RealmConfig};
use wamplet::uri::MatchPolicy;

const SLOW: &str = "com.myapp.slow";
const BUSY: &str = "crossbar.error.max_concurrency_reached";

fn limited(invoke: &str, concurrency: u64) -> Value {
    json!({ "invoke": invoke, "concurrency": concurrency })
}

/// A callee with these features that registers [`SLOW`] for one call at a time.
fn busy_callee(w: &mut Wamp, features: Value) -> Peer {
    let callee = w.join_as_callee("realm1", features);
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    callee
}

fn can_cancel() -> Value {
    json!({ "call_canceling": true, "progressive_call_results": true })
}

/// The caller's call `request` gets to the callee, as its invocation `invocation`.
#[track_caller]
fn expect_free(w: &mut Wamp, caller: Peer, request: u64, callee: Peer, invocation: u64) {
    w.call(caller, request, SLOW);
    w.expect(callee, json!([68, invocation, "*", {}]));
    w.expect_silence();
}

#[track_caller]
fn expect_busy(w: &mut Wamp, caller: Peer, request: u64) {
    w.call(caller, request, SLOW);
    w.expect_error(caller, 48, request, BUSY);
    w.expect_silence();
}

/// A realm in which at most so many calls wait.
fn with_queue(limit: usize) -> Wamp {
    let rule = CallQueue { uri: "com.myapp.".into(), match_policy: MatchPolicy::Prefix, limit };
    let call_queues = CallQueues::new(vec![rule]);
    Wamp::with_config(named([RealmConfig { call_queues, ..RealmConfig::open("realm1") }]))
}

#[test]
fn a_callee_gets_so_many_calls_at_once_and_no_more() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 3 }), SLOW);
    for request in 1..=3 {
        expect_free(&mut w, caller, request, callee, request);
    }
    expect_busy(&mut w, caller, 4);
    w.say(callee, json!([70, 2, {}]));
    w.expect(caller, json!([50, 2, {}]));
    expect_free(&mut w, caller, 5, callee, 4);
    expect_busy(&mut w, caller, 6);
    w.say(callee, json!([8, 68, 1, {}, "com.myapp.error1"]));
    w.expect(caller, json!([8, 48, 1, {}, "com.myapp.error1"]));
    expect_free(&mut w, caller, 7, callee, 5);
    expect_busy(&mut w, caller, 8);
}

#[test]
fn every_policy_chooses_among_those_who_are_free() {
    for (invoke, expected) in [
        ("first", vec![0, 0, 1, 1, 2, 2]),
        ("last", vec![2, 2, 1, 1, 0, 0]),
        ("roundrobin", vec![0, 1, 2, 0, 1, 2]),
        ("random", vec![0, 0, 1, 1, 2, 2]),
    ] {
        let mut w = Wamp::new();
        let callees = w.join::<3>("realm1");
        let [caller] = w.join("realm1");
        for callee in callees {
            w.register_with(callee, 1, limited(invoke, 2), SLOW);
        }
        let mut asked = Vec::new();
        for request in 1..=6 {
            w.call(caller, request, SLOW);
            let heard = callees.map(|callee| w.hear_all(callee).len());
            asked.extend(heard.iter().position(|count| *count == 1));
        }
        if invoke == "random" {
            assert_ne!(asked, expected, "in no order");
            asked.sort_unstable();
        }
        assert_eq!(asked, expected, "{invoke}");
        expect_busy(&mut w, caller, 7);
    }
}

#[test]
fn random_is_as_likely_for_all_who_are_free() {
    let mut w = Wamp::new();
    let callees = w.join::<4>("realm1");
    let [caller] = w.join("realm1");
    for callee in callees {
        w.register_with(callee, 1, limited("random", 1), SLOW);
    }
    let mut counts = [0; 4];
    let mut request = 0;
    let mut ask = |w: &mut Wamp| {
        request += 1;
        w.call(caller, request, SLOW);
        let heard = callees.map(|callee| w.hear_all(callee));
        let at = heard.iter().position(|heard| !heard.is_empty()).expect("one is free");
        (at, heard[at][0][1].clone())
    };
    let (busy, _) = ask(&mut w);
    for _ in 0..900 {
        let (at, invocation) = ask(&mut w);
        counts[at] += 1;
        w.say(callees[at], json!([70, invocation, {}]));
        w.hear(caller);
    }
    for (at, count) in counts.into_iter().enumerate() {
        let likely = if at == busy { 0..1 } else { 230..370 };
        assert!(likely.contains(&count), "{counts:?}, {busy} is busy");
    }
}

#[test]
fn callees_with_and_without_a_limit_may_share_a_registration() {
    let mut w = Wamp::new();
    let [caller, a, b] = w.join("realm1");
    w.register_with(a, 1, limited("first", 1), SLOW);
    w.register_with(b, 1, json!({ "invoke": "first" }), SLOW);
    w.call(caller, 1, SLOW);
    w.expect(a, json!([68, 1, "*", {}]));
    for request in 2..=20 {
        w.call(caller, request, SLOW);
        w.expect(b, json!([68, request - 1, "*", {}]));
    }
    w.say(a, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.call(caller, 21, SLOW);
    w.expect(a, json!([68, 2, "*", {}]));
}

#[test]
fn limits_are_of_one_registration_each() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    w.register_with(callee, 2, json!({ "concurrency": 1 }), "com.myapp.other");
    w.register(callee, 3, "com.myapp.unlimited");
    expect_free(&mut w, caller, 1, callee, 1);
    w.call(caller, 2, "com.myapp.other");
    w.expect(callee, json!([68, 2, "*", {}]));
    w.call(caller, 3, "com.myapp.unlimited");
    w.expect(callee, json!([68, 3, "*", {}]));
    expect_busy(&mut w, caller, 4);
}

#[test]
fn a_callee_that_was_told_to_stop_is_free_at_once() {
    for mode in ["kill", "killnowait"] {
        let mut w = Wamp::new();
        let callee = busy_callee(&mut w, can_cancel());
        let [caller] = w.join("realm1");
        expect_free(&mut w, caller, 1, callee, 1);
        w.say(caller, json!([49, 1, { "mode": mode }]));
        w.expect(callee, json!([69, 1, { "mode": mode }]));
        if mode == "kill" {
            // Until it has answered there is no end to the call.
            expect_busy(&mut w, caller, 2);
            w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
            w.expect(caller, json!([8, 48, 1, {}, "wamp.error.canceled"]));
            expect_free(&mut w, caller, 3, callee, 2);
        } else {
            w.expect_error(caller, 48, 1, "wamp.error.canceled");
            expect_free(&mut w, caller, 2, callee, 2);
            // Its late answer does not count twice.
            w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
            expect_busy(&mut w, caller, 3);
        }
    }
}

#[test]
fn a_callee_that_was_not_told_to_stop_is_busy_until_it_answers() {
    for (features, mode) in [(can_cancel(), "skip"), (json!({}), "kill"), (json!({}), "killnowait")] {
        for answer in [json!([70, 1, {}, ["late"]]), json!([8, 68, 1, {}, "wamp.error.unavailable"])] {
            let mut w = Wamp::new();
            let callee = busy_callee(&mut w, features.clone());
            let [caller] = w.join("realm1");
            expect_free(&mut w, caller, 1, callee, 1);
            w.say(caller, json!([49, 1, { "mode": mode }]));
            w.expect_error(caller, 48, 1, "wamp.error.canceled");
            expect_busy(&mut w, caller, 2);
            // A piece of a result is no end of it.
            w.say(callee, json!([70, 1, { "progress": true }]));
            expect_busy(&mut w, caller, 3);
            w.say(callee, answer.clone());
            w.expect_silence();
            expect_free(&mut w, caller, 4, callee, 2);
            // Once.
            w.say(callee, answer);
            expect_busy(&mut w, caller, 5);
        }
    }
}

#[test]
fn a_timeout_frees_a_callee_that_can_be_told() {
    for (features, is_told) in [(can_cancel(), true), (json!({}), false)] {
        let mut w = Wamp::new();
        let callee = busy_callee(&mut w, features);
        let [caller] = w.join("realm1");
        w.say(caller, json!([48, 1, { "timeout": 100 }, SLOW]));
        w.expect(callee, json!([68, 1, "*", {}]));
        w.advance_ms(100);
        w.expect_error(caller, 48, 1, "wamp.error.timeout");
        let mut request = 2;
        if is_told {
            w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
        } else {
            expect_busy(&mut w, caller, request);
            request += 1;
            w.say(callee, json!([70, 1, {}]));
        }
        expect_free(&mut w, caller, request, callee, 2);
        assert_eq!(w.router.next_timeout(), None);
    }
}

#[test]
fn a_caller_that_leaves_frees_a_callee_that_can_be_told() {
    for (features, is_told) in [(can_cancel(), true), (json!({}), false)] {
        let mut w = Wamp::new();
        let callee = busy_callee(&mut w, features);
        let [leaver, caller] = w.join("realm1");
        expect_free(&mut w, leaver, 1, callee, 1);
        w.lose(leaver);
        let mut request = 1;
        if is_told {
            w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
        } else {
            expect_busy(&mut w, caller, request);
            request += 1;
            w.say(callee, json!([70, 1, {}]));
            w.expect_silence();
        }
        expect_free(&mut w, caller, request, callee, 2);
    }
}

#[test]
fn a_callee_that_leaves_takes_its_calls_along() {
    let mut w = Wamp::new();
    let [a] = [busy_callee(&mut w, json!({}))];
    let [caller] = w.join("realm1");
    expect_free(&mut w, caller, 1, a, 1);
    w.say(caller, json!([49, 1, {}]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.lose(a);
    w.expect_silence();
    let b = busy_callee(&mut w, json!({}));
    expect_free(&mut w, caller, 2, b, 1);
    w.lose(b);
    w.expect_error(caller, 48, 2, "wamp.error.canceled");
}

#[test]
fn a_session_that_calls_itself_is_busy_too() {
    let mut w = Wamp::new();
    let [both] = w.join("realm1");
    w.register_with(both, 1, json!({ "concurrency": 1 }), SLOW);
    expect_free(&mut w, both, 2, both, 1);
    expect_busy(&mut w, both, 3);
    w.say(both, json!([49, 2, { "mode": "skip" }]));
    w.expect_error(both, 48, 2, "wamp.error.canceled");
    expect_busy(&mut w, both, 4);
    w.lose(both);
    w.expect_silence();
}

#[test]
fn registering_anew_does_not_make_a_callee_free() {
    let mut w = Wamp::new();
    let [caller, a, b] = w.join("realm1");
    let id = w.register_with(a, 1, limited("first", 2), SLOW);
    w.register_with(b, 1, limited("first", 1), SLOW);
    w.call(caller, 1, SLOW);
    w.call(caller, 2, SLOW);
    assert_eq!(w.hear_all(a).len(), 2);
    w.say(a, json!([66, 2, id]));
    w.expect(a, json!([67, 2]));
    expect_free(&mut w, caller, 3, b, 1);
    assert_eq!(w.register_with(a, 3, limited("first", 2), SLOW), id);
    expect_busy(&mut w, caller, 4);
    w.say(a, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    expect_free(&mut w, caller, 5, a, 3);
    expect_busy(&mut w, caller, 6);
}

#[test]
fn a_callee_that_registers_anew_with_another_limit_is_held_to_that() {
    let mut w = Wamp::new();
    let [caller, a, b] = w.join("realm1");
    let id = w.register_with(a, 1, json!({ "invoke": "last" }), SLOW);
    w.register_with(b, 1, limited("last", 1), SLOW);
    expect_free(&mut w, caller, 1, b, 1);
    expect_free(&mut w, caller, 2, a, 1);
    w.say(a, json!([66, 2, id]));
    w.expect(a, json!([67, 2]));
    w.register_with(a, 3, limited("last", 1), SLOW);
    expect_busy(&mut w, caller, 3);
    w.say(a, json!([66, 4, id]));
    w.expect(a, json!([67, 4]));
    w.register_with(a, 5, json!({ "invoke": "last" }), SLOW);
    expect_free(&mut w, caller, 4, a, 2);
    for invocation in [1, 2] {
        w.say(a, json!([70, invocation, {}]));
        w.hear(caller);
    }
    expect_free(&mut w, caller, 5, a, 3);
}

#[test]
fn all_pieces_of_a_call_count_as_one() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    for number in 0..3 {
        w.say(caller, json!([48, 1, { "progress": true }, SLOW, [number]]));
        w.expect(callee, json!([68, 1, "*", { "progress": true }, [number]]));
    }
    expect_busy(&mut w, caller, 2);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    expect_free(&mut w, caller, 3, callee, 2);
}

#[test]
fn an_unavailable_callee_is_free_for_other_calls() {
    let mut w = Wamp::new();
    let [caller, a, b] = w.join_with_all_features("realm1");
    w.register_with(a, 1, limited("first", 1), SLOW);
    w.register_with(b, 1, limited("first", 1), SLOW);
    expect_free(&mut w, caller, 1, a, 1);
    w.say(a, json!([8, 68, 1, {}, "wamp.error.unavailable"]));
    w.expect(b, json!([68, 1, "*", {}]));
    expect_free(&mut w, caller, 2, a, 2);
    // Whoever has not been asked about a call is there, but busy.
    w.say(a, json!([8, 68, 2, {}, "wamp.error.unavailable"]));
    w.expect_error(caller, 48, 2, BUSY);
    w.say(b, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
}

#[test]
fn an_invocation_that_cannot_be_sent_keeps_nobody_busy() {
    let mut w = Wamp::new();
    let [caller] = w.join("realm1");
    let transport = wamplet::router::Transport { max_message_length: Some(2_048), ..Default::default() };
    let peer = w.open_transport(transport);
    let callee = w.hello(peer, "realm1", common::all_roles());
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    w.say(caller, json!([48, 1, {}, SLOW, ["long ".repeat(500)]]));
    w.expect_error(caller, 48, 1, "wamp.error.payload_size_exceeded");
    expect_free(&mut w, caller, 2, callee, 1);
}

#[test]
fn calls_wait_in_order_where_the_realm_has_a_queue() {
    let mut w = with_queue(2);
    let [caller, other] = w.join("realm1");
    let callee = busy_callee(&mut w, can_cancel());
    w.say(caller, json!([48, 1, {}, SLOW, [1]]));
    w.expect(callee, json!([68, 1, "*", {}, [1]]));
    w.say(caller, json!([48, 2, {}, SLOW, [2], { "two": true }]));
    w.say(other, json!([48, 1, { "disclose_me": true }, SLOW, [3]]));
    w.expect_silence();
    w.call(caller, 3, SLOW);
    w.expect_error(caller, 48, 3, BUSY);
    w.say(callee, json!([70, 1, {}, ["one"]]));
    // The answer comes before the next call.
    w.expect(caller, json!([50, 1, {}, ["one"]]));
    w.expect(callee, json!([68, 2, "*", {}, [2], { "two": true }]));
    w.call(caller, 4, SLOW);
    w.say(callee, json!([70, 2, {}, ["two"]]));
    w.expect(caller, json!([50, 2, {}, ["two"]]));
    let invocation = w.expect(callee, json!([68, 3, "*", "*", [3]]));
    assert_eq!(invocation[3]["caller"], other.session);
    w.say(callee, json!([70, 3, {}]));
    w.expect(other, json!([50, 1, {}]));
    w.expect(callee, json!([68, 4, "*", {}]));
    w.say(callee, json!([70, 4, {}]));
    w.expect(caller, json!([50, 4, {}]));
    w.expect_silence();
}

#[test]
fn only_procedures_with_a_rule_have_a_queue() {
    let mut w = with_queue(2);
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), "org.other");
    w.call(caller, 1, "org.other");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.call(caller, 2, "org.other");
    w.expect_error(caller, 48, 2, BUSY);
}

#[test]
fn every_ending_lets_the_next_call_in() {
    type End = fn(&mut Wamp, Peer, Peer);
    let endings: [(&str, End); 5] = [
        ("error", |w, _, callee| w.say(callee, json!([8, 68, 1, {}, "com.myapp.error1"]))),
        ("killnowait", |w, caller, _| w.say(caller, json!([49, 1, { "mode": "killnowait" }]))),
        ("timeout", |w, _, _| w.advance_ms(300)),
        ("caller gone", |w, caller, _| w.lose(caller)),
        ("late answer", |w, caller, callee| {
            w.say(caller, json!([49, 1, { "mode": "skip" }]));
            w.say(callee, json!([70, 1, {}]));
        }),
    ];
    for (name, end) in endings {
        let mut w = with_queue(2);
        let [first, second] = w.join("realm1");
        let callee = busy_callee(&mut w, can_cancel());
        w.say(first, json!([48, 1, { "timeout": 300 }, SLOW]));
        w.expect(callee, json!([68, 1, "*", {}]));
        w.call(second, 1, SLOW);
        w.expect_silence();
        end(&mut w, first, callee);
        let heard = w.hear_all(callee);
        assert_eq!(heard.last().expect("a call")[0], 68, "{name}: {heard:?}");
        assert_eq!(heard.last().expect("a call")[1], 2, "{name}: {heard:?}");
        w.say(callee, json!([70, 2, {}]));
        w.expect(second, json!([50, 1, {}]));
    }
}

#[test]
fn a_callee_that_comes_gets_the_calls_that_wait() {
    let mut w = with_queue(5);
    let [caller, a, b] = w.join("realm1");
    let id = w.register_with(a, 1, limited("first", 1), SLOW);
    for request in 1..=4 {
        w.call(caller, request, SLOW);
    }
    assert_eq!(w.hear_all(a).len(), 1);
    w.say(b, json!([64, 1, limited("first", 2), SLOW]));
    // REGISTERED before the first INVOCATION.
    w.expect(b, json!([65, 1, id]));
    w.expect(b, json!([68, 1, id, {}]));
    w.expect(b, json!([68, 2, id, {}]));
    w.expect_silence();
}

#[test]
fn a_call_that_waits_can_be_canceled_in_every_mode() {
    let mut w = with_queue(9);
    let [caller] = w.join("realm1");
    let callee = busy_callee(&mut w, can_cancel());
    expect_free(&mut w, caller, 1, callee, 1);
    for (request, mode) in (2..).zip(["skip", "kill", "killnowait"]) {
        w.call(caller, request, SLOW);
        w.say(caller, json!([49, request, { "mode": mode }]));
        w.expect_error(caller, 48, request, "wamp.error.canceled");
        w.expect_silence();
    }
    w.call(caller, 5, SLOW);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect(callee, json!([68, 2, "*", {}]));
    w.expect_silence();
}

#[test]
fn the_timeout_of_a_call_runs_while_it_waits() {
    let mut w = with_queue(9);
    let [caller] = w.join("realm1");
    let callee = busy_callee(&mut w, can_cancel());
    expect_free(&mut w, caller, 1, callee, 1);
    w.say(caller, json!([48, 2, { "timeout": 500 }, SLOW]));
    w.say(caller, json!([48, 3, { "timeout": 900 }, SLOW]));
    w.advance_ms(500);
    w.expect_error(caller, 48, 2, "wamp.error.timeout");
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect(callee, json!([68, 2, "*", {}]));
    w.advance_ms(399);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(callee, json!([69, 2, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 3, "wamp.error.timeout");
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_caller_that_leaves_waits_no_more() {
    let mut w = with_queue(9);
    let [leaver, caller] = w.join("realm1");
    let callee = busy_callee(&mut w, can_cancel());
    // One of its calls is under way, and two wait: the end of the first must not let in the others.
    expect_free(&mut w, leaver, 1, callee, 1);
    w.call(leaver, 2, SLOW);
    w.call(caller, 1, SLOW);
    w.call(leaver, 3, SLOW);
    w.lose(leaver);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect(callee, json!([68, 2, "*", {}]));
    w.expect_silence();
    w.say(callee, json!([70, 2, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect_silence();
}

#[test]
fn calls_wait_for_no_procedure_that_is_gone() {
    for leaves in [false, true] {
        let mut w = with_queue(9);
        let [caller] = w.join("realm1");
        let callee = busy_callee(&mut w, can_cancel());
        expect_free(&mut w, caller, 1, callee, 1);
        w.call(caller, 2, SLOW);
        w.call(caller, 3, SLOW);
        // A session may wait for itself.
        w.call(callee, 2, SLOW);
        w.expect_silence();
        if leaves {
            w.lose(callee);
            let errors = w.hear_all(caller);
            let requests: Vec<_> = errors.iter().map(|error| error[2].as_u64()).collect();
            assert_eq!(requests, [Some(2), Some(3), Some(1)]);
            assert!(errors.iter().all(|error| error[4] == "wamp.error.canceled"), "{errors:?}");
        } else {
            w.say(callee, json!([66, 3, 1]));
            w.expect_error(caller, 48, 2, "wamp.error.canceled");
            w.expect_error(caller, 48, 3, "wamp.error.canceled");
            w.expect_error(callee, 48, 2, "wamp.error.canceled");
            w.expect(callee, json!([67, 3]));
            w.say(callee, json!([70, 1, {}]));
            w.expect(caller, json!([50, 1, {}]));
        }
        w.expect_silence();
    }
}

#[test]
fn a_call_that_waits_counts_among_the_calls_of_its_session() {
    let rule = CallQueue { uri: SLOW.into(), match_policy: MatchPolicy::Exact, limit: 9 };
    let call_queues = CallQueues::new(vec![rule]);
    let realm = RealmConfig { call_queues, ..RealmConfig::open("realm1") };
    let limits = Limits { calls: 2, ..Default::default() };
    let mut w = Wamp::with_config(Config { limits, ..named([realm]) });
    let [caller] = w.join("realm1");
    let callee = busy_callee(&mut w, can_cancel());
    expect_free(&mut w, caller, 1, callee, 1);
    w.call(caller, 2, SLOW);
    w.call(caller, 3, SLOW);
    w.expect_error(caller, 48, 3, "wamplet.error.limit_exceeded");
}

#[test]
fn pieces_of_a_call_that_waits_wait_with_it() {
    let mut w = with_queue(9);
    let [caller, callee] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    expect_free(&mut w, caller, 1, callee, 1);
    w.say(caller, json!([48, 2, { "progress": true }, SLOW, [1]]));
    w.say(caller, json!([48, 2, { "progress": true }, SLOW, [2]]));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect(callee, json!([68, 2, "*", { "progress": true }, [1]]));
    w.expect(callee, json!([68, 2, "*", { "progress": true }, [2]]));
    w.say(caller, json!([48, 2, {}, SLOW, [3]]));
    w.expect(callee, json!([68, 2, "*", {}, [3]]));
    // More of them than are kept end the call.
    for number in 0..65 {
        w.say(caller, json!([48, 3, { "progress": true }, SLOW, [number]]));
    }
    w.expect_error(caller, 48, 3, "wamplet.error.limit_exceeded");
    w.say(caller, json!([48, 3, {}, SLOW, [65]]));
    w.expect_silence();
}

#[test]
fn a_call_that_no_callee_can_take_makes_room_for_the_next() {
    let mut w = with_queue(9);
    let [caller] = w.join_with_all_features("realm1");
    // It does not know pieces.
    let callee = busy_callee(&mut w, can_cancel());
    expect_free(&mut w, caller, 1, callee, 1);
    w.say(caller, json!([48, 2, { "progress": true }, SLOW, [1]]));
    w.call(caller, 3, SLOW);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect_error(caller, 48, 2, "wamp.error.feature_not_supported");
    w.expect(callee, json!([68, 2, "*", {}]));
    w.expect_silence();
}

#[test]
fn a_callee_that_never_answers_keeps_no_more_than_the_calls_of_a_session_in_memory() {
    let limits = Limits { calls: 3, ..Default::default() };
    let config = Config { limits, ..Default::default() };
    let mut w = Wamp::with_config(config);
    let callee = w.join_as_callee("realm1", json!({}));
    let [caller] = w.join("realm1");
    // Were all of them kept, it would be busy after four.
    w.register_with(callee, 1, json!({ "concurrency": 4 }), SLOW);
    for request in 1..=10 {
        expect_free(&mut w, caller, request, callee, request);
        w.say(caller, json!([49, request, { "mode": "skip" }]));
        w.expect_error(caller, 48, request, "wamp.error.canceled");
    }
    // Those that were forgotten are answered to nobody, like all others.
    for invocation in 1..=10 {
        w.say(callee, json!([70, invocation, {}]));
    }
    w.expect_silence();
}

#[test]
fn a_question_of_the_router_waits_like_a_call() {
    let rule = CallQueue { uri: SLOW.into(), match_policy: MatchPolicy::Exact, limit: 9 };
    let other = RealmConfig { call_queues: CallQueues::new(vec![rule]), ..RealmConfig::open("other") };
    let ask = Ask::Procedure { uri: SLOW.into(), realm: Some("other".into()) };
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(ask))];
    let realm = RealmConfig { roles, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm, other]));
    let [callee] = w.join("other");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    let [alice, bob, carol, dave] = w.join("realm1");
    for asker in [alice, bob, carol, dave] {
        w.call(asker, 1, "com.myapp.nobody");
    }
    w.expect(callee, json!([68, 1, "*", {}, "*"]));
    // Whoever leaves withdraws what it was asked for.
    w.lose(bob);
    w.expect_silence();
    w.say(callee, json!([70, 1, {}, [true]]));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
    w.expect(callee, json!([68, 2, "*", {}, "*"]));
    // The router waits for so long and no longer, and does not mind who keeps it waiting.
    w.advance_ms(10_000);
    w.expect(callee, json!([69, 2, { "mode": "killnowait" }]));
    w.expect_error(carol, 48, 1, "wamp.error.authorization_failed");
    w.expect(callee, json!([68, 3, "*", {}, "*"]));
    w.expect(callee, json!([69, 3, { "mode": "killnowait" }]));
    w.expect_error(dave, 48, 1, "wamp.error.authorization_failed");
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn what_the_waiting_calls_of_a_session_take_is_bounded() {
    let rule = CallQueue { uri: SLOW.into(), match_policy: MatchPolicy::Exact, limit: 9 };
    let realm = RealmConfig { call_queues: CallQueues::new(vec![rule]), ..RealmConfig::open("realm1") };
    let limits = Limits { kept_length: 100, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..named([realm]) });
    let [caller, other, callee] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, json!({ "concurrency": 1 }), SLOW);
    let text = "a".repeat(56);
    let call = |request: u64, progress: bool| json!([48, request, { "progress": progress }, SLOW, [text]]);
    w.say(caller, call(1, false));
    w.expect(callee, json!([68, 1, "*", {}, "*"]));
    w.say(caller, call(2, false));
    w.expect_silence();
    w.say(caller, call(3, false));
    w.expect_error(caller, 48, 3, "wamplet.error.limit_exceeded");
    // It is for each session.
    w.say(other, call(1, true));
    w.expect_silence();
    w.say(other, call(1, true));
    w.expect_error(other, 48, 1, "wamplet.error.limit_exceeded");
    // What waits no longer takes nothing.
    w.say(caller, json!([49, 2, {}]));
    w.expect_error(caller, 48, 2, "wamp.error.canceled");
    w.say(caller, call(4, false));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect(callee, json!([68, 2, "*", {}, [text]]));
    w.say(caller, call(5, false));
    w.expect_silence();
    w.say(callee, json!([70, 2, {}]));
    w.expect(caller, json!([50, 4, {}]));
    w.expect(callee, json!([68, 3, "*", {}, [text]]));
}
