//! Calls that go on to another callee where one is unavailable. [wamp: advanced/rpc_call_rerouting]

mod common;

use common::{Peer, Wamp, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::router::Transport;

const SHARED: &str = "com.myapp.shared";

/// A caller, and callees of [`SHARED`], which all know rerouting.
fn shared<const N: usize>(w: &mut Wamp, invoke: &str) -> (Peer, [Peer; N]) {
    let [caller] = w.join_with_all_features("realm1");
    let callees = w.join_with_all_features::<N>("realm1");
    for callee in callees {
        w.register_with(callee, 1, json!({ "invoke": invoke }), SHARED);
    }
    (caller, callees)
}

/// The one callee that was asked, and the INVOCATION.
#[track_caller]
fn asked(w: &mut Wamp, callees: &[Peer]) -> (usize, Value) {
    let heard: Vec<_> = callees.iter().map(|callee| w.hear_all(*callee)).collect();
    assert_eq!(heard.iter().map(Vec::len).sum::<usize>(), 1, "{heard:?}");
    let position = heard.iter().position(|heard| !heard.is_empty()).expect("one");
    (position, heard[position][0].clone())
}

fn say_unavailable(w: &mut Wamp, callee: Peer, invocation: u64) {
    w.say(callee, json!([8, 68, invocation, {}, "wamp.error.unavailable"]));
}

#[test]
fn a_call_goes_round_by_the_policy_until_somebody_answers() {
    for (invoke, order) in [("first", [0, 1, 2]), ("last", [2, 1, 0]), ("roundrobin", [0, 1, 2])] {
        let mut w = Wamp::new();
        let (caller, callees) = shared::<3>(&mut w, invoke);
        w.say(caller, json!([48, 1, { "disclose_me": true }, SHARED, ["a"], { "b": 1 }]));
        let mut details = json!(null);
        for position in order {
            let (at, invocation) = asked(&mut w, &callees);
            assert_eq!(at, position, "{invoke}");
            // With the arguments and options that it had.
            assert_eq!(invocation[4], json!(["a"]));
            assert_eq!(invocation[5], json!({ "b": 1 }));
            assert_eq!(invocation[3]["caller"], caller.session);
            if position != order[0] {
                assert_eq!(invocation[3], details);
            }
            details = invocation[3].clone();
            if position != order[2] {
                say_unavailable(&mut w, callees[at], 1);
            }
        }
        w.say(callees[order[2]], json!([70, 1, {}, ["done"]]));
        w.expect(caller, json!([50, 1, {}, ["done"]]));
        w.expect_silence();
    }
}

#[test]
fn random_asks_nobody_twice() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<5>(&mut w, "random");
    for request in 1..=20 {
        w.call(caller, request, SHARED);
        let mut order = Vec::new();
        for _ in 0..5 {
            let (at, invocation) = asked(&mut w, &callees);
            order.push(at);
            say_unavailable(&mut w, callees[at], invocation[1].as_u64().expect("an id"));
        }
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        w.expect_error(caller, 48, request, "wamp.error.no_available_callee");
        w.expect_silence();
    }
}

#[test]
fn a_call_that_nobody_is_available_for_ends_in_no_available_callee() {
    for invoke in ["first", "last", "roundrobin", "random"] {
        let mut w = Wamp::new();
        let (caller, callees) = shared::<2>(&mut w, invoke);
        w.call(caller, 1, SHARED);
        for _ in 0..2 {
            let (at, _) = asked(&mut w, &callees);
            say_unavailable(&mut w, callees[at], 1);
        }
        w.expect_error(caller, 48, 1, "wamp.error.no_available_callee");
        w.expect_silence();
    }
}

#[test]
fn the_only_callee_that_is_unavailable_ends_the_call() {
    for invoke in ["single", "roundrobin"] {
        let mut w = Wamp::new();
        let (caller, [callee]) = shared::<1>(&mut w, invoke);
        w.call(caller, 1, SHARED);
        w.expect(callee, json!([68, 1, "*", {}]));
        say_unavailable(&mut w, callee, 1);
        w.expect_error(caller, 48, 1, "wamp.error.no_available_callee");
        // The next call is a new one: it may be available again.
        w.call(caller, 2, SHARED);
        w.expect(callee, json!([68, 2, "*", {}]));
    }
}

#[test]
fn the_turn_goes_on_behind_the_callee_that_answered() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<3>(&mut w, "roundrobin");
    w.call(caller, 1, SHARED);
    assert_eq!(asked(&mut w, &callees).0, 0);
    say_unavailable(&mut w, callees[0], 1);
    assert_eq!(asked(&mut w, &callees).0, 1);
    w.call(caller, 2, SHARED);
    assert_eq!(asked(&mut w, &callees).0, 2);
}

#[test]
fn the_error_of_a_callee_that_did_not_announce_rerouting_is_the_answer() {
    let mut w = Wamp::new();
    let [caller] = w.join("realm1");
    let callees = w.join::<2>("realm1");
    for callee in callees {
        w.register_with(callee, 1, json!({ "invoke": "first" }), SHARED);
    }
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, "*", {}]));
    w.say(callees[0], json!([8, 68, 1, {}, "wamp.error.unavailable", ["busy"]]));
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.unavailable", ["busy"]]));
    w.expect_silence();
}

#[test]
fn other_errors_are_not_rerouted() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, "*", {}]));
    w.say(callees[0], json!([8, 68, 1, {}, "com.myapp.error.unavailable"]));
    w.expect(caller, json!([8, 48, 1, {}, "com.myapp.error.unavailable"]));
    w.expect_silence();
}

#[test]
fn whoever_said_unavailable_answers_no_more() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, "*", {}]));
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[1], json!([68, 1, "*", {}]));
    w.say(callees[0], json!([70, 1, {}, ["after all"]]));
    say_unavailable(&mut w, callees[0], 1);
    w.expect_silence();
    // Nor does the call end with it.
    w.lose(callees[0]);
    w.expect_silence();
    w.lose(callees[1]);
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
}

#[test]
fn callees_that_come_and_go_meanwhile_are_asked_if_they_are_there() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<3>(&mut w, "first");
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, 1, {}]));
    w.lose(callees[1]);
    let [late] = w.join_with_all_features("realm1");
    w.register_with(late, 1, json!({ "invoke": "first" }), SHARED);
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[2], json!([68, 1, 1, {}]));
    say_unavailable(&mut w, callees[2], 1);
    w.expect(late, json!([68, 1, 1, {}]));
    w.say(late, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
}

#[test]
fn a_registration_that_is_gone_has_no_available_callee() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, 1, {}]));
    for callee in callees {
        w.say(callee, json!([66, 2, 1]));
        w.expect(callee, json!([67, 2]));
    }
    say_unavailable(&mut w, callees[0], 1);
    w.expect_error(caller, 48, 1, "wamp.error.no_available_callee");
}

#[test]
fn a_call_that_has_given_a_piece_of_its_result_is_not_rerouted() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.say(caller, json!([48, 1, { "receive_progress": true }, SHARED]));
    w.expect(callees[0], json!([68, 1, "*", { "receive_progress": true }]));
    w.say(callees[0], json!([70, 1, { "progress": true }, [1]]));
    w.expect(caller, json!([50, 1, { "progress": true }, [1]]));
    say_unavailable(&mut w, callees[0], 1);
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.unavailable"]));
    w.expect_silence();
}

#[test]
fn a_call_that_its_caller_kills_is_not_rerouted() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.call(caller, 1, SHARED);
    w.expect(callees[0], json!([68, 1, "*", {}]));
    w.say(caller, json!([49, 1, { "mode": "kill" }]));
    w.expect(callees[0], json!([69, 1, { "mode": "kill" }]));
    say_unavailable(&mut w, callees[0], 1);
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.unavailable"]));
    w.expect_silence();
}

#[test]
fn a_rerouted_call_is_canceled_and_times_out_as_before() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.say(caller, json!([48, 1, { "timeout": 500 }, SHARED]));
    w.say(caller, json!([48, 2, { "timeout": 500 }, SHARED]));
    for invocation in [1, 2] {
        w.expect(callees[0], json!([68, invocation, "*", {}]));
        w.advance_ms(200);
        say_unavailable(&mut w, callees[0], invocation);
        w.expect(callees[1], json!([68, invocation, "*", {}]));
    }
    w.say(caller, json!([49, 1, { "mode": "killnowait" }]));
    w.expect(callees[1], json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    // The time since the CALL counts.
    w.advance_ms(99);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(callees[1], json!([69, 2, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 2, "wamp.error.timeout");
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn who_watches_the_timeout_is_decided_for_each_callee() {
    let mut w = Wamp::new();
    let watches = json!({ "call_reroute": true, "call_timeout": true, "call_canceling": true });
    let callees: [Peer; 3] = std::array::from_fn(|_| w.join_as_callee("realm1", watches.clone()));
    for (callee, forward_timeout) in callees.into_iter().zip([true, false, true]) {
        w.register_with(callee, 1, json!({ "invoke": "first", "forward_timeout": forward_timeout }), SHARED);
    }
    let [caller] = w.join("realm1");
    w.say(caller, json!([48, 1, { "timeout": 500 }, SHARED]));
    w.expect(callees[0], json!([68, 1, "*", { "timeout": 500 }]));
    assert_eq!(w.router.next_timeout(), None);
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[1], json!([68, 1, "*", {}]));
    assert!(w.router.next_timeout().is_some());
    say_unavailable(&mut w, callees[1], 1);
    w.expect(callees[2], json!([68, 1, "*", { "timeout": 500 }]));
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn all_pieces_of_a_call_go_to_the_next_callee_in_their_order() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, [1]]));
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, [2]]));
    assert_eq!(w.hear_all(callees[0]).len(), 2);
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[1], json!([68, 1, "*", { "progress": true }, [1]]));
    w.expect(callees[1], json!([68, 1, "*", { "progress": true }, [2]]));
    w.say(caller, json!([48, 1, {}, SHARED, [3]]));
    w.expect(callees[1], json!([68, 1, "*", {}, [3]]));
    w.expect_silence();
    say_unavailable(&mut w, callees[1], 1);
    w.expect_error(caller, 48, 1, "wamp.error.no_available_callee");
}

#[test]
fn the_last_piece_is_the_last_for_the_next_callee_too() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, [1]]));
    w.say(caller, json!([48, 1, {}, SHARED, [2]]));
    w.hear_all(callees[0]);
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[1], json!([68, 1, "*", { "progress": true }, [1]]));
    w.expect(callees[1], json!([68, 1, "*", {}, [2]]));
}

#[test]
fn a_call_with_more_pieces_than_are_kept_is_not_rerouted() {
    let mut w = Wamp::new();
    let (caller, callees) = shared::<2>(&mut w, "first");
    for number in 0..65 {
        w.say(caller, json!([48, 1, { "progress": true }, SHARED, [number]]));
    }
    assert_eq!(w.hear_all(callees[0]).len(), 65);
    say_unavailable(&mut w, callees[0], 1);
    w.expect_error(caller, 48, 1, "wamp.error.no_available_callee");
    w.expect_silence();
}

#[test]
fn a_callee_that_cannot_take_the_call_is_passed_over() {
    let mut w = Wamp::new();
    let [caller] = w.join_with_all_features("realm1");
    let register = json!({ "invoke": "first" });
    let [first] = w.join_with_all_features("realm1");
    w.register_with(first, 1, register.clone(), SHARED);
    // It does not know pieces.
    let [plain] = w.join("realm1");
    w.register_with(plain, 1, register.clone(), SHARED);
    // It cannot take that much.
    let peer = w.open_transport(Transport { max_message_length: Some(2_048), ..Transport::default() });
    let small = w.hello(peer, "realm1", common::all_features());
    w.register_with(small, 1, register.clone(), SHARED);
    let peer = w.open_with(Serializer::MsgPack);
    let last = w.hello(peer, "realm1", common::all_features());
    w.register_with(last, 1, register, SHARED);
    let long = "long ".repeat(500);
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, [long]]));
    w.expect(first, json!([68, 1, "*", { "progress": true }, [long]]));
    say_unavailable(&mut w, first, 1);
    w.expect(last, json!([68, 1, "*", { "progress": true }, [long]]));
    w.expect_silence();
}

#[test]
fn a_callee_that_cannot_take_a_later_piece_ends_the_call() {
    let mut w = Wamp::new();
    let (caller, [first]) = shared::<1>(&mut w, "first");
    let peer = w.open_transport(Transport { max_message_length: Some(2_048), ..Transport::default() });
    let small = w.hello(peer, "realm1", common::all_features());
    w.register_with(small, 1, json!({ "invoke": "first" }), SHARED);
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, ["short"]]));
    w.say(caller, json!([48, 1, { "progress": true }, SHARED, ["long ".repeat(500)]]));
    w.hear_all(first);
    say_unavailable(&mut w, first, 1);
    w.expect(small, json!([68, 1, "*", { "progress": true }, ["short"]]));
    w.expect(small, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.payload_size_exceeded");
    w.expect_silence();
}

#[test]
fn a_session_may_reroute_its_own_call_to_others_and_to_itself() {
    let mut w = Wamp::new();
    let [both, other] = w.join_with_all_features("realm1");
    for callee in [both, other] {
        w.register_with(callee, 1, json!({ "invoke": "roundrobin" }), SHARED);
    }
    w.call(both, 2, SHARED);
    w.expect(both, json!([68, 1, "*", {}]));
    say_unavailable(&mut w, both, 1);
    w.expect(other, json!([68, 1, "*", {}]));
    w.say(other, json!([70, 1, {}]));
    w.expect(both, json!([50, 2, {}]));
    w.call(both, 3, SHARED);
    w.expect(both, json!([68, 2, "*", {}]));
    say_unavailable(&mut w, both, 2);
    w.expect(other, json!([68, 2, "*", {}]));
    w.lose(both);
    w.expect(other, json!([69, 2, { "mode": "killnowait" }]));
    w.expect_silence();
}

#[test]
fn a_question_of_the_router_goes_on_to_another_callee_too() {
    let ask = Ask::Procedure { uri: SHARED.into(), realm: Some("other".into()) };
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(ask))];
    let realm = RealmConfig { roles, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm, RealmConfig::open("other")]));
    let callees = w.join_with_all_features::<2>("other");
    for callee in callees {
        w.register_with(callee, 1, json!({ "invoke": "first" }), SHARED);
    }
    let [alice] = w.join("realm1");
    for (request, answers) in [(1, true), (2, false)] {
        w.call(alice, request, "com.myapp.nobody");
        w.expect(callees[0], json!([68, request, "*", {}, "*"]));
        say_unavailable(&mut w, callees[0], request);
        w.expect(callees[1], json!([68, request, "*", {}, "*"]));
        if answers {
            w.say(callees[1], json!([70, request, {}, [true]]));
            w.expect_error(alice, 48, request, "wamp.error.no_such_procedure");
        } else {
            say_unavailable(&mut w, callees[1], request);
            w.expect_error(alice, 48, request, "wamp.error.authorization_failed");
        }
        w.expect_silence();
    }
}

#[test]
fn more_than_may_be_kept_of_a_session_is_not_rerouted() {
    let limits = Limits { kept_length: 100, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let (caller, callees) = shared::<2>(&mut w, "first");
    let text = "a".repeat(56);
    for request in 1..=2 {
        w.say(caller, json!([48, request, {}, SHARED, [text]]));
        w.expect(callees[0], json!([68, request, "*", {}, [text]]));
    }
    say_unavailable(&mut w, callees[0], 2);
    w.expect_error(caller, 48, 2, "wamp.error.no_available_callee");
    say_unavailable(&mut w, callees[0], 1);
    w.expect(callees[1], json!([68, 1, "*", {}, [text]]));
    w.say(callees[1], json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    // A piece that is too much takes the others along.
    w.say(caller, json!([48, 3, { "progress": true }, SHARED, [text]]));
    w.say(caller, json!([48, 3, { "progress": true }, SHARED, [text]]));
    assert_eq!(w.hear_all(callees[0]).len(), 2);
    w.say(caller, json!([48, 4, {}, SHARED, [text]]));
    w.expect(callees[0], json!([68, 4, "*", {}, [text]]));
    say_unavailable(&mut w, callees[0], 3);
    w.expect_error(caller, 48, 3, "wamp.error.no_available_callee");
    say_unavailable(&mut w, callees[0], 4);
    w.expect(callees[1], json!([68, 2, "*", {}, [text]]));
    w.say(callees[1], json!([70, 2, {}]));
    w.expect(caller, json!([50, 4, {}]));
    // What has given a piece of its result is not rerouted, and leaves the room to others.
    w.say(caller, json!([48, 5, { "receive_progress": true }, SHARED, [text]]));
    w.expect(callees[0], json!([68, 5, "*", { "receive_progress": true }, [text]]));
    w.say(callees[0], json!([70, 5, { "progress": true }]));
    w.expect(caller, json!([50, 5, { "progress": true }]));
    w.say(caller, json!([48, 6, {}, SHARED, [text]]));
    w.expect(callees[0], json!([68, 6, "*", {}, [text]]));
    say_unavailable(&mut w, callees[0], 6);
    w.expect(callees[1], json!([68, 3, "*", {}, [text]]));
}
