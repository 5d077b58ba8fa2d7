//! Advanced calls: progressive results, canceling, timeouts, shared registrations. [wamp: advanced/rpc_*]

mod common;

use std::collections::BTreeSet;

use common::{Peer, Wamp, all_roles};
use serde_json::{Value, json};

/// A caller and a callee with one call under way: request 1, invocation 1.
fn call_under_way(w: &mut Wamp, features: Value, options: Value) -> [Peer; 2] {
    let callee = w.join_as_callee("realm1", features);
    let [caller] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.say(caller, json!([48, 1, options, "com.myapp.procedure1"]));
    w.expect(callee, json!([68, 1, "*", "*"]));
    [caller, callee]
}

fn can_cancel() -> Value {
    json!({ "call_canceling": true })
}

#[test]
fn progressive_results_reach_the_caller_at_once_and_leave_the_call_open() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.compute_revenue");
    w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.compute_revenue", [2010]]));
    w.expect(callee, json!([68, 1, "*", { "receive_progress": true }, [2010]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["Y2010", 120]]));
    w.expect(caller, json!([50, 1, { "progress": true }, ["Y2010", 120]]));
    w.say(callee, json!([70, 1, { "progress": true }, [], { "foo": 10 }]));
    w.expect(caller, json!([50, 1, { "progress": true }, [], { "foo": 10 }]));
    w.say(callee, json!([70, 1, { "progress": true }]));
    w.expect(caller, json!([50, 1, { "progress": true }]));
    w.say(callee, json!([70, 1, {}, ["Total", 490]]));
    w.expect(caller, json!([50, 1, {}, ["Total", 490]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["late"]]));
    w.expect_silence();
}

#[test]
fn a_call_with_progressive_results_may_end_in_an_error() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.compute_revenue");
    w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.compute_revenue"]));
    w.expect(callee, json!([68, 1, "*", { "receive_progress": true }]));
    w.say(callee, json!([70, 1, { "progress": true }, [1]]));
    w.expect(caller, json!([50, 1, { "progress": true }, [1]]));
    w.say(callee, json!([8, 68, 1, {}, "com.myapp.invalid_revenue_year", [1830]]));
    w.expect(caller, json!([8, 48, 1, {}, "com.myapp.invalid_revenue_year", [1830]]));
}

#[test]
fn a_caller_that_did_not_ask_for_progress_gets_only_the_end() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, json!({ "progressive_call_results": true }), json!({}));
    w.say(callee, json!([70, 1, { "progress": true }, [1]]));
    w.expect_silence();
    w.say(callee, json!([70, 1, {}, [2]]));
    w.expect(caller, json!([50, 1, {}, [2]]));
}

#[test]
fn a_callee_that_did_not_announce_progressive_results_may_give_them_all_the_same() {
    // wampy is one; those that have none ignore the flag.
    let mut w = Wamp::new();
    let callee = w.join_as_callee("realm1", json!({}));
    let [caller] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.procedure1"]));
    w.expect(callee, json!([68, 1, "*", { "receive_progress": true }]));
    w.say(callee, json!([70, 1, { "progress": true }, [1]]));
    w.expect(caller, json!([50, 1, { "progress": true }, [1]]));
    w.say(callee, json!([70, 1, {}, [2]]));
    w.expect(caller, json!([50, 1, {}, [2]]));
}

#[test]
fn a_callee_without_call_canceling_may_give_progressive_results_all_the_same() {
    // Autobahn|JS is one; the specification would have its announcement disregarded.
    let mut w = Wamp::new();
    let features = json!({ "progressive_call_results": true });
    let [caller, callee] = call_under_way(&mut w, features, json!({ "receive_progress": true }));
    w.say(callee, json!([70, 1, { "progress": true }, [1]]));
    w.expect(caller, json!([50, 1, { "progress": true }, [1]]));
}

#[test]
fn skip_answers_the_caller_and_leaves_the_callee_alone() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "skip" }]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.expect_silence();
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.expect_silence();
    w.subscribe(callee, 2, "com.myapp.topic1");
}

#[test]
fn killnowait_answers_the_caller_and_interrupts_the_callee() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "killnowait" }]));
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
    w.expect_silence();
}

#[test]
fn kill_interrupts_the_callee_and_waits_for_its_answer() {
    for (answer, passed_on) in [
        (json!([70, 1, {}, ["in time"]]), json!([50, 1, {}, ["in time"]])),
        (
            json!([8, 68, 1, {}, "wamp.error.canceled", ["stopped"]]),
            json!([8, 48, 1, {}, "wamp.error.canceled", ["stopped"]]),
        ),
        (
            json!([8, 68, 1, {}, "com.example.error.rolled_back", ["stopped"]]),
            json!([8, 48, 1, {}, "com.example.error.rolled_back", ["stopped"]]),
        ),
    ] {
        let mut w = Wamp::new();
        let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
        w.say(caller, json!([49, 1, { "mode": "kill" }]));
        w.expect(callee, json!([69, 1, { "mode": "kill" }]));
        w.expect_silence();
        w.say(callee, answer);
        w.expect(caller, passed_on);
        w.expect_silence();
    }
}

/// Autobahn|Python stops a procedure by an exception, and tells of it as of any other.
#[test]
fn an_exception_by_which_a_killed_call_stops_is_canceled() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.say(callee, json!([8, 68, 1, {}, "wamp.error.runtime_error", ["stopped"]]));
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.canceled", ["stopped"]]));

    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(callee, json!([8, 68, 1, {}, "wamp.error.runtime_error", ["failed"]]));
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.runtime_error", ["failed"]]));
}

#[test]
fn every_mode_is_a_skip_for_a_callee_that_cannot_be_interrupted() {
    for options in
        [json!({ "mode": "skip" }), json!({ "mode": "kill" }), json!({ "mode": "killnowait" }), json!({})]
    {
        let mut w = Wamp::new();
        let [caller, callee] = call_under_way(&mut w, json!({}), json!({}));
        w.say(caller, json!([49, 1, options]));
        w.expect_error(caller, 48, 1, "wamp.error.canceled");
        w.expect_silence();
        w.say(callee, json!([70, 1, {}, ["late"]]));
        w.expect_silence();
    }
}

#[test]
fn a_cancel_without_mode_skips() {
    let mut w = Wamp::new();
    let [caller, _] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, {}]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.expect_silence();
}

#[test]
fn a_cancel_that_comes_too_late_is_ignored() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.say(caller, json!([49, 77, { "mode": "killnowait" }]));
    w.expect_silence();
}

#[test]
fn a_repeated_cancel_interrupts_once_and_may_become_impatient() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect_silence();
    w.say(caller, json!([49, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.expect_silence();
}

#[test]
fn nobody_cancels_the_call_of_another_session() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    let [mallory] = w.join("realm1");
    w.say(mallory, json!([49, 1, { "mode": "killnowait" }]));
    w.expect_silence();
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
}

#[test]
fn callee_leaving_after_a_kill_still_answers_the_caller_once() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.lose(callee);
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.expect_silence();
}

#[test]
fn caller_leaving_after_a_kill_does_not_interrupt_twice() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.lose(caller);
    w.expect_silence();
}

#[test]
fn a_call_without_a_result_in_time_ends_in_timeout() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({ "timeout": 500 }));
    w.advance_ms(499);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.advance_ms(10_000);
    w.expect_silence();
}

#[test]
fn a_timeout_does_not_interrupt_a_callee_that_cannot_be_interrupted() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, json!({}), json!({ "timeout": 500 }));
    w.advance_ms(500);
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.expect_silence();
}

#[test]
fn a_result_in_time_stops_the_timer() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({ "timeout": 500 }));
    w.advance_ms(499);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    assert_eq!(w.router.next_timeout(), None);
    // The slot of the call is used again, by one that may take its time.
    w.call(caller, 2, "com.myapp.procedure1");
    w.expect(callee, json!([68, 2, "*", {}]));
    w.advance_ms(10_000);
    w.expect_silence();
}

#[test]
fn a_timer_that_was_stopped_wakes_nobody() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, json!({}), json!({ "timeout": 300 }));
    w.say(caller, json!([48, 2, { "timeout": 500 }, "com.myapp.procedure1"]));
    w.expect(callee, json!([68, 2, "*", {}]));
    w.say(callee, json!([70, 2, {}]));
    w.expect(caller, json!([50, 2, {}]));
    w.advance_ms(300);
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
    assert_eq!(w.router.next_timeout(), None, "nothing is left to do");
}

#[test]
fn timers_go_off_in_the_order_of_their_deadlines() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    for (request, timeout) in (1..).zip([500, 100, 300, 100, 200]) {
        w.say(caller, json!([48, request, { "timeout": timeout }, "com.myapp.procedure1"]));
    }
    w.advance_ms(1_000);
    let requests: Vec<_> = w.hear_all(caller).into_iter().map(|error| error[2].clone()).collect();
    assert_eq!(requests, [2, 4, 5, 3, 1]);
}

#[test]
fn a_late_driver_finds_everything_that_is_due() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    for request in 1..=3 {
        w.say(caller, json!([48, request, { "timeout": 100 * request }, "com.myapp.procedure1"]));
    }
    let silent = w.open();
    w.sleep_ms(1_000_000);
    assert_eq!(w.hear_all(caller).len(), 3);
    w.expect_closed(silent, wamplet::router::Close::Timeout);
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_caller_or_callee_that_leaves_takes_the_timer_along() {
    for leaver in [0, 1] {
        let mut w = Wamp::new();
        let peers = call_under_way(&mut w, json!({}), json!({ "timeout": 500 }));
        w.lose(peers[leaver]);
        assert_eq!(w.router.next_timeout(), None);
    }
}

#[test]
fn a_progressive_result_starts_the_timeout_anew() {
    let mut w = Wamp::new();
    let features = json!({ "progressive_call_results": true, "call_canceling": true });
    let options = json!({ "timeout": 500, "receive_progress": true });
    let [caller, callee] = call_under_way(&mut w, features, options);
    for _ in 0..5 {
        w.advance_ms(400);
        w.say(callee, json!([70, 1, { "progress": true }]));
        w.expect(caller, json!([50, 1, { "progress": true }]));
    }
    w.advance_ms(499);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
}

#[test]
fn a_timeout_of_zero_is_none_and_of_ages_no_overflow() {
    for timeout in [0_u64, 9_007_199_254_740_992, u64::MAX] {
        let mut w = Wamp::new();
        let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({ "timeout": timeout }));
        w.advance_ms(1 << 40);
        w.expect_silence();
        w.say(callee, json!([70, 1, {}]));
        w.expect(caller, json!([50, 1, {}]));
    }
}

#[test]
fn a_killed_call_with_a_timeout_ends_at_the_timeout() {
    let mut w = Wamp::new();
    let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({ "timeout": 500 }));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.advance_ms(500);
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
    w.expect_silence();
}

#[test]
fn a_callee_that_wants_to_watch_the_timeout_does() {
    let mut w = Wamp::new();
    let callee = w.join_as_callee("realm1", json!({ "call_timeout": true }));
    let [caller] = w.join("realm1");
    w.register_with(callee, 1, json!({ "forward_timeout": true }), "com.myapp.own");
    w.register(callee, 2, "com.myapp.routers");
    w.say(caller, json!([48, 1, { "timeout": 500 }, "com.myapp.own"]));
    w.expect(callee, json!([68, 1, "*", { "timeout": 500 }]));
    w.say(caller, json!([48, 2, { "timeout": 700 }, "com.myapp.routers"]));
    w.expect(callee, json!([68, 2, "*", {}]));
    w.advance_ms(10_000);
    w.expect_error(caller, 48, 2, "wamp.error.timeout");
    w.expect_silence();
    w.say(callee, json!([8, 68, 1, {}, "wamp.error.timeout"]));
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.timeout"]));
}

#[test]
fn forward_timeout_of_a_callee_that_did_not_announce_call_timeout_is_not_trusted() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register_with(callee, 1, json!({ "forward_timeout": true }), "com.myapp.own");
    w.say(caller, json!([48, 1, { "timeout": 500 }, "com.myapp.own"]));
    w.expect(callee, json!([68, 1, "*", {}]));
    w.advance_ms(500);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
}

/// Three callees share a registration; which of them gets each of `calls` calls?
fn shares(invoke: &str, calls: u64) -> Vec<usize> {
    let mut w = Wamp::new();
    let callees = w.join::<3>("realm1");
    let [caller] = w.join("realm1");
    let ids =
        callees.map(|callee| w.register_with(callee, 1, json!({ "invoke": invoke }), "com.myapp.shared"));
    assert_eq!(ids, [ids[0]; 3], "one registration");
    (1..=calls)
        .map(|request| {
            w.call(caller, request, "com.myapp.shared");
            let heard = callees.map(|callee| w.hear_all(callee).len());
            assert_eq!(heard.iter().sum::<usize>(), 1, "exactly one callee is asked");
            heard.iter().position(|count| *count == 1).expect("one")
        })
        .collect()
}

#[test]
fn a_shared_registration_chooses_by_its_policy() {
    assert_eq!(shares("first", 4), [0, 0, 0, 0]);
    assert_eq!(shares("last", 4), [2, 2, 2, 2]);
    assert_eq!(shares("roundrobin", 7), [0, 1, 2, 0, 1, 2, 0]);
    let random = shares("random", 60);
    assert_eq!(random.iter().collect::<BTreeSet<_>>().len(), 3, "{random:?}");
    assert_ne!(random, shares("roundrobin", 60));
}

#[test]
fn roundrobin_goes_on_in_order_when_callees_come_and_go() {
    let mut w = Wamp::new();
    let [caller, a, b, c, d] = w.join("realm1");
    for callee in [a, b, c] {
        w.register_with(callee, 1, json!({ "invoke": "roundrobin" }), "com.myapp.shared");
    }
    let mut request = 0;
    let mut expect_at = |w: &mut Wamp, callee: Peer| {
        request += 1;
        w.call(caller, request, "com.myapp.shared");
        w.expect(callee, json!([68, "*", "*", {}]));
        w.expect_silence();
    };
    expect_at(&mut w, a);
    expect_at(&mut w, b);
    // Whose turn is over leaves: the turn stays with c.
    w.say(a, json!([66, 2, 1]));
    w.expect(a, json!([67, 2]));
    expect_at(&mut w, c);
    expect_at(&mut w, b);
    w.register_with(d, 1, json!({ "invoke": "roundrobin" }), "com.myapp.shared");
    expect_at(&mut w, c);
    // Whose turn it is leaves: the next one has it.
    w.say(d, json!([66, 2, 1]));
    w.expect(d, json!([67, 2]));
    expect_at(&mut w, b);
}

#[test]
fn a_registration_keeps_the_policy_of_its_first_callee() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let policies = ["single", "first", "last", "roundrobin", "random"];
    let mut request = 0;
    for first in policies {
        let uri = format!("com.myapp.{first}");
        request += 1;
        w.register_with(alice, request, json!({ "invoke": first }), &uri);
    }
    let mut request = 0;
    for first in policies {
        let uri = format!("com.myapp.{first}");
        for second in policies {
            request += 1;
            w.say(bob, json!([64, request, { "invoke": second }, uri]));
            if first == second && first != "single" {
                w.expect(bob, json!([65, request, "*"]));
            } else {
                let error = w.expect(bob, json!([8, 64, request, {}, "*", ["*"]]));
                let expected = match first == second {
                    true => "wamp.error.procedure_already_exists",
                    false => "wamp.error.procedure_exists_with_different_invocation_policy",
                };
                assert_eq!(error[4], expected, "{first} then {second}");
            }
        }
    }
}

#[test]
fn a_shared_registration_lives_until_its_last_callee_goes() {
    let mut w = Wamp::new();
    let [caller, alice, bob] = w.join("realm1");
    let options = json!({ "invoke": "first" });
    let id = w.register_with(alice, 1, options.clone(), "com.myapp.shared");
    // Registering again adds no second entry.
    assert_eq!(w.register_with(alice, 2, options.clone(), "com.myapp.shared"), id);
    w.register_with(bob, 1, options, "com.myapp.shared");
    w.say(alice, json!([66, 3, id]));
    w.expect(alice, json!([67, 3]));
    w.call(caller, 1, "com.myapp.shared");
    w.expect(bob, json!([68, 1, id, {}]));
    w.say(alice, json!([66, 4, id]));
    w.expect_error(alice, 66, 4, "wamp.error.no_such_registration");
    w.lose(bob);
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    w.call(caller, 2, "com.myapp.shared");
    w.expect_error(caller, 48, 2, "wamp.error.no_such_procedure");
}

#[test]
fn each_callee_of_a_shared_registration_has_its_own_options() {
    let mut w = Wamp::new();
    let [caller, alice, bob] = w.join("realm1");
    let shared = |more: Value| {
        let mut options = json!({ "invoke": "roundrobin" });
        options.as_object_mut().expect("a dictionary").extend(more.as_object().expect("one more").clone());
        options
    };
    w.register_with(alice, 1, shared(json!({ "disclose_caller": true })), "com.myapp.shared");
    w.register_with(bob, 1, shared(json!({})), "com.myapp.shared");
    w.call(caller, 1, "com.myapp.shared");
    let invocation = w.expect(alice, json!([68, 1, "*", "*"]));
    assert_eq!(invocation[3]["caller"], caller.session);
    w.call(caller, 2, "com.myapp.shared");
    w.expect(bob, json!([68, 1, "*", {}]));
}

#[test]
fn a_kill_may_become_impatient_in_each_way() {
    for mode in [json!({ "mode": "killnowait" }), json!({ "mode": "skip" }), json!({})] {
        let mut w = Wamp::new();
        let [caller, callee] = call_under_way(&mut w, can_cancel(), json!({}));
        w.say(caller, json!([49, 1, { "mode": "kill" }]));
        w.expect(callee, json!([69, 1, { "mode": "kill" }]));
        w.say(caller, json!([49, 1, mode]));
        w.expect_error(caller, 48, 1, "wamp.error.canceled");
        w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
        w.expect_silence();
    }
}

#[test]
fn a_killed_call_goes_on_with_its_progressive_results_until_it_ends() {
    let mut w = Wamp::new();
    let features = json!({ "progressive_call_results": true, "call_canceling": true });
    let [caller, callee] = call_under_way(&mut w, features, json!({ "receive_progress": true }));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callee, json!([69, 1, { "mode": "kill" }]));
    w.say(callee, json!([70, 1, { "progress": true }, [1]]));
    w.expect(caller, json!([50, 1, { "progress": true }, [1]]));
    w.say(callee, json!([70, 1, {}, [2]]));
    w.expect(caller, json!([50, 1, {}, [2]]));
    w.expect_silence();
}

/// The attributes of both forms of opaque payload, and a payload of each.
fn opaque_payloads() -> [(Value, Value); 2] {
    [
        (json!({ "ppt_scheme": "x_own", "ppt_serializer": "cbor" }), json!(["\0AQID"])),
        (json!({ "enc_algo": "cryptobox", "enc_serializer": "json" }), json!("opaque")),
    ]
}

#[test]
fn an_opaque_payload_is_for_callees_that_announced_it() {
    for (options, payload) in opaque_payloads() {
        let mut w = Wamp::new();
        let [caller, able] = w.join_with_all_features("realm1");
        let [plain] = w.join("realm1");
        w.register(able, 1, "com.myapp.able");
        w.register(plain, 1, "com.myapp.plain");
        w.say(caller, json!([48, 1, options, "com.myapp.plain", payload]));
        w.expect_error(caller, 48, 1, "wamp.error.feature_not_supported");
        w.say(caller, json!([48, 2, options, "wamp.session.count", payload]));
        w.expect_error(caller, 48, 2, "wamp.error.feature_not_supported");
        w.expect_silence();
        w.say(caller, json!([48, 3, options, "com.myapp.able", payload]));
        w.expect(able, json!([68, 1, "*", options, payload]));
        w.say(able, json!([70, 1, options, payload]));
        w.expect(caller, json!([50, 3, options, payload]));
    }
}

#[test]
fn an_opaque_result_or_error_is_for_callers_that_announced_it() {
    for (options, payload) in opaque_payloads() {
        let mut w = Wamp::new();
        let [able] = w.join_with_all_features("realm1");
        let [plain] = w.join("realm1");
        w.register(able, 1, "com.myapp.able");
        for (request, answer) in (1..)
            .zip([json!([70, 1, options, payload]), json!([8, 68, 2, options, "com.myapp.error1", payload])])
        {
            w.call(plain, request, "com.myapp.able");
            w.expect(able, json!([68, request, "*", {}]));
            w.say(able, answer);
            w.expect_error(plain, 48, request, "wamp.error.feature_not_supported");
            w.expect_silence();
        }
        // A piece of a result cannot be left out.
        w.say(plain, json!([48, 3, { "receive_progress": true }, "com.myapp.able"]));
        w.expect(able, json!([68, 3, "*", { "receive_progress": true }]));
        let mut piece = options.clone();
        piece["progress"] = json!(true);
        w.say(able, json!([70, 3, piece, payload]));
        w.expect(able, json!([69, 3, { "mode": "killnowait" }]));
        w.expect_error(plain, 48, 3, "wamp.error.feature_not_supported");
        w.say(able, json!([70, 3, {}]));
        w.expect_silence();
    }
}

#[test]
fn attributes_of_passthru_without_a_scheme_are_as_good_as_unknown_ones() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    for (request, scheme) in (1..).zip([json!({ "ppt_keyid": "k" }), json!({ "ppt_scheme": "" })]) {
        w.say(caller, json!([48, request, scheme, "com.myapp.procedure1", [1]]));
        w.expect(callee, json!([68, request, "*", "*", [1]]));
        w.say(callee, json!([70, request, scheme]));
        w.expect(caller, json!([50, request, "*"]));
    }
}

#[test]
fn a_callee_without_call_canceling_is_never_interrupted() {
    // Autobahn|JS closes its connection on an INTERRUPT.
    let mut w = Wamp::new();
    let peer = w.open();
    let callee =
        w.hello(peer, "realm1", json!({ "callee": { "features": { "progressive_call_results": true } } }));
    w.register(callee, 1, "com.myapp.procedure1");
    let [caller] = w.join("realm1");
    for (request, mode) in (1..).zip(["skip", "kill", "killnowait"]) {
        w.say(caller, json!([48, request, { "timeout": 100 }, "com.myapp.procedure1"]));
        w.say(caller, json!([49, request, { "mode": mode }]));
    }
    w.say(caller, json!([48, 4, { "timeout": 100 }, "com.myapp.procedure1"]));
    w.advance_ms(100);
    w.call(caller, 5, "com.myapp.procedure1");
    w.lose(caller);
    assert!(w.hear_all(callee).iter().all(|message| message[0] == 68));
    let peer = w.open();
    w.hello(peer, "realm1", all_roles());
    w.expect_nothing(callee);
}
