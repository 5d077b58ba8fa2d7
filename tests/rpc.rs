//! Remote Procedure Calls: every call is answered once, whatever happens to those who take part.
//! [wamp: basic/remote_procedure_call]

mod common;

use common::{Wamp, all_roles};
use serde_json::json;

#[test]
fn a_call_reaches_its_callee_and_the_result_its_caller() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    let registration = w.register(callee, 1, "com.myapp.add2");
    w.say(caller, json!([48, 1, {}, "com.myapp.add2", [23, 7], { "k": "v" }]));
    w.expect(callee, json!([68, 1, registration, {}, [23, 7], { "k": "v" }]));
    w.say(callee, json!([70, 1, {}, [30], { "remainder": 0 }]));
    w.expect(caller, json!([50, 1, {}, [30], { "remainder": 0 }]));
    w.expect_silence();
}

#[test]
fn a_result_may_be_empty() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.ping");
    w.call(caller, 1, "com.myapp.ping");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
}

#[test]
fn an_error_of_the_callee_reaches_the_caller_as_it_is() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(callee, json!([8, 68, 1, {}, "com.myapp.error.object_write_protected", ["no"], { "severity": 3 }]));
    w.expect(
        caller,
        json!([8, 48, 1, {}, "com.myapp.error.object_write_protected", ["no"], { "severity": 3 }]),
    );
    w.call(caller, 2, "com.myapp.add2");
    w.expect(callee, json!([68, 2, "*", {}]));
    w.say(callee, json!([8, 68, 2, {}, "com.myapp.error1"]));
    w.expect(caller, json!([8, 48, 2, {}, "com.myapp.error1"]));
    w.expect_silence();
}

#[test]
fn an_error_that_is_no_uri_reaches_the_caller_as_one() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    for (request, error) in [(1, ""), (2, "not a uri"), (3, "a..b"), (4, "a.#")] {
        w.call(caller, request, "com.myapp.add2");
        w.expect(callee, json!([68, request, "*", {}]));
        w.say(callee, json!([8, 68, request, {}, error, ["no"], { "severity": 3 }]));
        w.expect(caller, json!([8, 48, request, {}, "wamp.error.invalid_uri", ["no"], { "severity": 3 }]));
    }
    w.expect_silence();
}

#[test]
fn a_procedure_that_nobody_registered_does_not_exist() {
    let mut w = Wamp::new();
    let [caller] = w.join("realm1");
    w.call(caller, 1, "com.myapp.add2");
    w.expect_error(caller, 48, 1, "wamp.error.no_such_procedure");
}

#[test]
fn a_procedure_is_registered_once() {
    let mut w = Wamp::new();
    let [alice, bob, caller] = w.join("realm1");
    let registration = w.register(alice, 1, "com.myapp.add2");
    w.say(bob, json!([64, 1, {}, "com.myapp.add2"]));
    w.expect_error(bob, 64, 1, "wamp.error.procedure_already_exists");
    w.say(alice, json!([64, 2, {}, "com.myapp.add2"]));
    w.expect_error(alice, 64, 2, "wamp.error.procedure_already_exists");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(alice, json!([68, 1, registration, {}]));
    w.expect_silence();
}

#[test]
fn an_unregistered_procedure_is_free_again() {
    let mut w = Wamp::new();
    let [alice, bob, caller] = w.join("realm1");
    let first = w.register(alice, 1, "com.myapp.add2");
    w.say(alice, json!([66, 2, first]));
    w.expect(alice, json!([67, 2]));
    w.call(caller, 1, "com.myapp.add2");
    w.expect_error(caller, 48, 1, "wamp.error.no_such_procedure");
    let second = w.register(bob, 1, "com.myapp.add2");
    assert_ne!(first, second, "a late UNREGISTER must not meet the new registration");
    w.say(alice, json!([66, 3, second]));
    w.expect_error(alice, 66, 3, "wamp.error.no_such_registration");
    w.say(alice, json!([66, 4, first]));
    w.expect_error(alice, 66, 4, "wamp.error.no_such_registration");
    w.call(caller, 2, "com.myapp.add2");
    w.expect(bob, json!([68, 1, second, {}]));
}

#[test]
fn a_call_under_way_survives_the_unregistration_of_its_procedure() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    let registration = w.register(callee, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(callee, json!([68, 1, registration, {}]));
    w.say(callee, json!([66, 2, registration]));
    w.expect(callee, json!([67, 2]));
    w.expect_silence();
    w.say(callee, json!([70, 1, {}, [30]]));
    w.expect(caller, json!([50, 1, {}, [30]]));
}

#[test]
fn invocation_ids_count_from_one_for_each_callee() {
    let mut w = Wamp::new();
    let [caller, alice, bob] = w.join("realm1");
    w.register(alice, 1, "com.alice");
    w.register(bob, 1, "com.bob");
    w.register(bob, 2, "com.bob2");
    for (request, (procedure, callee, invocation)) in (1..).zip([
        ("com.alice", alice, 1),
        ("com.bob", bob, 1),
        ("com.alice", alice, 2),
        ("com.bob2", bob, 2),
        ("com.alice", alice, 3),
    ]) {
        w.call(caller, request, procedure);
        w.expect(callee, json!([68, invocation, "*", {}]));
    }
    w.expect_silence();
}

#[test]
fn answers_find_their_calls_in_any_order() {
    let mut w = Wamp::new();
    let [alice, bob, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    for (invocation, (caller, request)) in (1..).zip([(alice, 1), (bob, 1), (alice, 2), (bob, 2)]) {
        w.call(caller, request, "com.myapp.add2");
        w.expect(callee, json!([68, invocation, "*", {}]));
    }
    for (invocation, (caller, request)) in [(3, (alice, 2)), (1, (alice, 1)), (4, (bob, 2)), (2, (bob, 1))] {
        w.say(callee, json!([70, invocation, {}, [invocation]]));
        w.expect(caller, json!([50, request, {}, [invocation]]));
        w.expect_silence();
    }
}

#[test]
fn a_session_may_call_itself() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.register(alice, 1, "com.myapp.add2");
    w.call(alice, 2, "com.myapp.add2");
    w.expect(alice, json!([68, 1, "*", {}]));
    w.say(alice, json!([70, 1, {}, ["mine"]]));
    w.expect(alice, json!([50, 2, {}, ["mine"]]));
}

#[test]
fn a_session_that_leaves_while_it_calls_itself_leaves_nothing() {
    for lose in [true, false] {
        let mut w = Wamp::new();
        let [alice, bob] = w.join("realm1");
        w.register(alice, 1, "com.myapp.add2");
        w.call(alice, 2, "com.myapp.add2");
        w.expect(alice, json!([68, 1, "*", {}]));
        if lose {
            w.lose(alice);
        } else {
            w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
            w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
        }
        w.expect_silence();
        w.register(bob, 1, "com.myapp.add2");
    }
}

#[test]
fn callee_leaving_answers_pending_calls_with_canceled_once() {
    for goodbye in [true, false] {
        let mut w = Wamp::new();
        let [alice, bob, callee] = w.join("realm1");
        w.register(callee, 1, "com.myapp.add2");
        w.call(alice, 1, "com.myapp.add2");
        w.call(alice, 2, "com.myapp.add2");
        w.call(bob, 1, "com.myapp.add2");
        for invocation in 1..=3 {
            w.expect(callee, json!([68, invocation, "*", {}]));
        }
        w.say(callee, json!([70, 2, {}]));
        w.expect(alice, json!([50, 2, {}]));
        if goodbye {
            w.say(callee, json!([6, {}, "wamp.close.close_realm"]));
            w.expect(callee, json!([6, {}, "wamp.close.goodbye_and_out"]));
        } else {
            w.lose(callee);
        }
        w.expect_error(alice, 48, 1, "wamp.error.canceled");
        w.expect_error(bob, 48, 1, "wamp.error.canceled");
        w.expect_silence();
        w.advance_ms(1_000_000);
        w.expect_silence();
    }
}

#[test]
fn caller_leaving_interrupts_the_callee_and_discards_its_answer() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.lose(caller);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
    w.expect_silence();
    w.subscribe(callee, 2, "com.myapp.topic1");
}

#[test]
fn caller_leaving_does_not_interrupt_a_callee_that_cannot_be_interrupted() {
    let mut w = Wamp::new();
    let callee = w.join_as_callee("realm1", json!({ "progressive_call_results": true }));
    let [caller] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(caller, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(caller, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_silence();
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.expect_silence();
    w.subscribe(callee, 2, "com.myapp.topic1");
}

#[test]
fn a_second_answer_is_dropped() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(callee, json!([70, 1, {}, ["first"]]));
    w.expect(caller, json!([50, 1, {}, ["first"]]));
    w.say(callee, json!([70, 1, {}, ["second"]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["third"]]));
    w.say(callee, json!([8, 68, 1, {}, "com.myapp.error1"]));
    w.expect_silence();
    w.subscribe(callee, 2, "com.myapp.topic1");
}

#[test]
fn the_caller_is_revealed_when_it_asks_for_it_or_the_callee_does() {
    let mut w = Wamp::new();
    let peer = w.open();
    let (caller, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles() }));
    let [callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.open");
    w.register_with(callee, 2, json!({ "disclose_caller": true }), "com.myapp.curious");
    let revealed = json!({
        "caller": caller.session,
        "caller_authid": details["authid"],
        "caller_authrole": "anonymous",
    });
    w.call(caller, 1, "com.myapp.open");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(caller, json!([48, 2, { "disclose_me": true }, "com.myapp.open"]));
    w.expect(callee, json!([68, 2, "*", revealed]));
    w.call(caller, 3, "com.myapp.curious");
    w.expect(callee, json!([68, 3, "*", revealed]));
    // The answer does not reveal the callee.
    w.say(callee, json!([70, 3, {}]));
    w.expect(caller, json!([50, 3, {}]));
}

#[test]
fn payload_passthru_attributes_go_both_ways() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join_with_all_features("realm1");
    w.register(callee, 1, "com.myapp.add2");
    let ppt = json!({ "ppt_scheme": "x_own", "ppt_serializer": "cbor" });
    w.say(caller, json!([48, 1, ppt, "com.myapp.add2", ["\0AQID"]]));
    w.expect(callee, json!([68, 1, "*", ppt, ["\0AQID"]]));
    w.say(callee, json!([70, 1, ppt, ["\0BAUG"]]));
    w.expect(caller, json!([50, 1, ppt, ["\0BAUG"]]));
    w.call(caller, 2, "com.myapp.add2");
    w.expect(callee, json!([68, 2, "*", {}]));
    w.say(callee, json!([8, 68, 2, ppt, "com.myapp.error1", ["\0BAUG"]]));
    w.expect(caller, json!([8, 48, 2, ppt, "com.myapp.error1", ["\0BAUG"]]));
}

#[test]
fn calls_do_not_leave_their_realm() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let [bob, caller] = w.join("realm2");
    w.register(alice, 1, "com.myapp.add2");
    w.register(bob, 1, "com.myapp.add2");
    w.call(caller, 1, "com.myapp.add2");
    w.expect(bob, json!([68, 1, "*", {}]));
    w.expect_silence();
}
