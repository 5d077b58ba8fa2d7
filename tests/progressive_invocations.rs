//! Calls whose arguments come in pieces. [wamp: advanced/rpc_progressive_call_invocations]

mod common;

use common::{Bystanders, Peer, Wamp, all_features, all_roles, named};
use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::payload::Values;
use wamplet::router::{Identity, TRUSTED, Transport};

const UPLOAD: &str = "com.myapp.upload";

/// A caller and the callee of [`UPLOAD`]; both know everything.
fn caller_and_callee(w: &mut Wamp) -> [Peer; 2] {
    let peers = w.join_with_all_features("realm1");
    w.register(peers[1], 1, UPLOAD);
    peers
}

/// The caller sends a piece of its call `request`.
fn send(w: &mut Wamp, caller: Peer, request: u64, is_unfinished: bool, argument: impl Into<Value>) {
    let argument: Value = argument.into();
    w.say(caller, json!([48, request, { "progress": is_unfinished }, UPLOAD, [argument]]));
}

#[test]
fn all_pieces_reach_the_callee_under_one_invocation_id() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, true, "a");
    let first = w.expect(callee, json!([68, 1, "*", { "progress": true }, ["a"]]));
    // Each piece has a payload of its own shape.
    w.say(caller, json!([48, 1, { "progress": true }, UPLOAD, [], { "part": 2 }]));
    w.expect(callee, json!([68, 1, first[2], { "progress": true }, [], { "part": 2 }]));
    w.say(caller, json!([48, 1, { "progress": true }, UPLOAD]));
    w.expect(callee, json!([68, 1, first[2], { "progress": true }]));
    w.say(caller, json!([48, 1, {}, UPLOAD, ["z"]]));
    w.expect(callee, json!([68, 1, first[2], {}, ["z"]]));
    w.say(callee, json!([70, 1, {}, ["done"]]));
    w.expect(caller, json!([50, 1, {}, ["done"]]));
    w.expect_silence();
}

#[test]
fn other_calls_go_their_way_between_the_pieces() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    w.register(callee, 2, "com.myapp.other");
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["a"]]));
    w.call(caller, 2, "com.myapp.other");
    w.expect(callee, json!([68, 2, "*", {}]));
    send(&mut w, caller, 1, true, "b");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["b"]]));
    send(&mut w, caller, 3, true, "x");
    w.expect(callee, json!([68, 3, "*", { "progress": true }, ["x"]]));
    send(&mut w, caller, 1, false, "c");
    w.expect(callee, json!([68, 1, "*", {}, ["c"]]));
    send(&mut w, caller, 3, false, "y");
    w.expect(callee, json!([68, 3, "*", {}, ["y"]]));
    for invocation in [3, 1, 2] {
        w.say(callee, json!([70, invocation, {}]));
        w.expect(caller, json!([50, invocation, {}]));
    }
}

#[test]
fn the_options_of_calls_in_pieces_are_kept_and_count() {
    let limits = Limits { kept_length: 100, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [caller, callee] = caller_and_callee(&mut w);
    let options =
        |length: usize| json!({ "progress": true, "ppt_scheme": "x_a", "ppt_keyid": "k".repeat(length - 3) });
    w.say(caller, json!([48, 1, options(60), UPLOAD]));
    assert_eq!(w.hear(callee)[0], 68);
    w.say(caller, json!([48, 2, options(41), UPLOAD]));
    w.expect_error(caller, 48, 2, "wamplet.error.limit_exceeded");
    w.say(caller, json!([48, 3, options(40), UPLOAD]));
    assert_eq!(w.hear(callee)[0], 68);
    // With the call they go.
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.say(caller, json!([48, 4, options(60), UPLOAD]));
    assert_eq!(w.hear(callee)[0], 68);
}

#[test]
fn a_gap_in_the_ids_is_a_violation_while_a_call_is_in_pieces() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", "*", ["a"]]));
    w.call(caller, 2, "com.myapp.nobody");
    w.expect_error(caller, 48, 2, "wamp.error.no_such_procedure");
    w.call(caller, 4, "com.myapp.nobody");
    w.expect_violation(caller, "expected 3");
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    bystanders.expect_undisturbed(&mut w);
}

#[test]
fn the_id_of_an_ordinary_call_under_way_is_a_violation() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, false, "a");
    w.expect(callee, json!([68, 1, "*", {}, ["a"]]));
    send(&mut w, caller, 1, false, "b");
    w.expect_violation(caller, "not progressive");
}

#[test]
fn a_piece_behind_the_last_one_is_a_violation() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, true, "a");
    send(&mut w, caller, 1, false, "b");
    assert_eq!(w.hear_all(callee).len(), 2);
    send(&mut w, caller, 1, true, "c");
    w.expect_violation(caller, "last piece");
}

#[test]
fn a_piece_for_another_procedure_is_discarded() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    w.register(callee, 2, "com.myapp.other");
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["a"]]));
    w.say(caller, json!([48, 1, {}, "com.myapp.other", ["b"]]));
    w.say(caller, json!([48, 1, {}, "com.myapp.nobody", ["b"]]));
    w.say(caller, json!([48, 1, {}, "not valid", ["b"]]));
    w.expect_silence();
    send(&mut w, caller, 1, false, "c");
    w.expect(callee, json!([68, 1, "*", {}, ["c"]]));
}

#[test]
fn pieces_of_a_call_that_is_over_are_discarded_without_an_answer() {
    for (ending, answer) in [
        (json!([70, 1, {}, ["enough"]]), json!([50, 1, {}, ["enough"]])),
        (json!([8, 68, 1, {}, "com.myapp.error.full"]), json!([8, 48, 1, {}, "com.myapp.error.full"])),
    ] {
        let mut w = Wamp::new();
        let [caller, callee] = caller_and_callee(&mut w);
        send(&mut w, caller, 1, true, "a");
        w.expect(callee, json!([68, 1, "*", "*", ["a"]]));
        w.say(callee, ending);
        w.expect(caller, answer);
        send(&mut w, caller, 1, true, "b");
        send(&mut w, caller, 1, false, "c");
        w.expect_silence();
        // The next id is still the next one.
        send(&mut w, caller, 2, false, "d");
        w.expect(callee, json!([68, 2, "*", {}, ["d"]]));
    }
}

#[test]
fn pieces_of_a_call_that_was_refused_are_discarded_without_an_answer() {
    for first_request in [1, 77_245] {
        let mut w = Wamp::new();
        let [caller] = w.join_with_all_features("realm1");
        send(&mut w, caller, first_request, true, "a");
        w.expect_error(caller, 48, first_request, "wamp.error.no_such_procedure");
        let [callee] = w.join_with_all_features("realm1");
        w.register(callee, 1, UPLOAD);
        send(&mut w, caller, first_request, true, "b");
        send(&mut w, caller, first_request, false, "c");
        w.expect_silence();
    }
}

#[test]
fn a_session_that_counts_in_its_own_way_may_send_pieces_too() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 77_245, true, "a");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["a"]]));
    send(&mut w, caller, 9, true, "x");
    w.expect(callee, json!([68, 2, "*", { "progress": true }, ["x"]]));
    send(&mut w, caller, 77_245, true, "b");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["b"]]));
    w.say(callee, json!([8, 68, 1, {}, "com.myapp.error.full"]));
    w.expect(caller, json!([8, 48, 77_245, {}, "com.myapp.error.full"]));
    // On their way when the error was: no new call, up to the last of them.
    send(&mut w, caller, 77_245, true, "c");
    send(&mut w, caller, 77_245, false, "d");
    w.expect_silence();
    // Whoever uses an id again after that means a new call.
    send(&mut w, caller, 77_245, false, "e");
    w.expect(callee, json!([68, 3, "*", {}, ["e"]]));
    send(&mut w, caller, 77_245, false, "f");
    w.expect_violation(caller, "not progressive");
}

#[test]
fn how_many_calls_are_remembered_for_their_late_pieces_is_bounded() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    for request in 1_000..1_065 {
        send(&mut w, caller, request, true, "a");
        w.say(callee, json!([8, 68, request - 999, {}, "com.myapp.error.full"]));
        w.expect(caller, json!([8, 48, request, {}, "com.myapp.error.full"]));
    }
    w.hear_all(callee);
    send(&mut w, caller, 1_001, true, "late");
    w.expect_silence();
    // The oldest of the 65 is forgotten, and its id as good as new.
    send(&mut w, caller, 1_000, true, "new");
    w.expect(callee, json!([68, 66, "*", { "progress": true }, ["new"]]));
}

#[test]
fn a_transport_whose_messages_overtake_one_another_has_no_calls_in_pieces() {
    let mut w = Wamp::new();
    let peer = w.open_transport(Transport { is_unordered: true, ..Transport::default() });
    let (caller, welcome) = w.hello_with(peer, "realm1", json!({ "roles": all_features() }));
    let features = &welcome["roles"]["dealer"]["features"];
    assert_eq!(features.get("progressive_call_invocations"), None);
    assert_eq!(features["progressive_call_results"], true);
    send(&mut w, caller, 1, true, "a");
    w.expect_violation(caller, "progressive_call_invocations");
}

#[test]
fn a_callee_that_does_not_know_pieces_is_not_asked() {
    for features in [
        json!({}),
        json!({ "call_canceling": true }),
        // Without call canceling the announcement does not count.
        json!({ "progressive_call_invocations": true }),
    ] {
        let mut w = Wamp::new();
        let [caller] = w.join_with_all_features("realm1");
        let callee = w.join_as_callee("realm1", features);
        w.register(callee, 1, UPLOAD);
        send(&mut w, caller, 1, true, "a");
        w.expect_error(caller, 48, 1, "wamp.error.feature_not_supported");
        send(&mut w, caller, 1, false, "b");
        w.expect_silence();
        send(&mut w, caller, 2, false, "c");
        w.expect(callee, json!([68, 1, "*", {}, ["c"]]));
    }
}

#[test]
fn the_procedures_of_the_router_take_no_pieces() {
    let mut w = Wamp::new();
    let [caller] = w.join_with_all_features("realm1");
    w.say(caller, json!([48, 1, { "progress": true }, "wamp.session.count"]));
    w.expect_error(caller, 48, 1, "wamp.error.feature_not_supported");
    w.say(caller, json!([48, 1, {}, "wamp.session.count"]));
    w.expect_silence();
}

#[test]
fn the_options_of_the_first_piece_hold_for_all() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    let options = json!({
        "progress": true,
        "disclose_me": true,
        "receive_progress": true,
        "ppt_scheme": "x_own",
        "ppt_keyid": "k",
    });
    w.say(caller, json!([48, 1, options, UPLOAD, ["\0AQID"]]));
    let first = w.hear(callee);
    assert_eq!(first[3]["caller"], caller.session);
    let mut details = first[3].clone();
    assert_eq!(details["progress"], true);
    assert_eq!(details["receive_progress"], true);
    assert_eq!(details["ppt_keyid"], "k");
    let other = json!({ "progress": true, "disclose_me": false, "ppt_scheme": "x_other", "timeout": 1 });
    w.say(caller, json!([48, 1, other, UPLOAD, ["\0AQID"]]));
    w.expect(callee, json!([68, 1, "*", details, ["\0AQID"]]));
    w.say(caller, json!([48, 1, {}, UPLOAD, ["\0AQID"]]));
    details.as_object_mut().expect("a dictionary").shift_remove("progress");
    w.expect(callee, json!([68, 1, "*", details, ["\0AQID"]]));
    w.advance_ms(1_000);
    w.expect_silence();
}

#[test]
fn pieces_to_a_pattern_name_the_procedure_each_time() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, json!({ "match": "prefix" }), "com.myapp.");
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", { "progress": true, "procedure": UPLOAD }, ["a"]]));
    send(&mut w, caller, 1, false, "b");
    w.expect(callee, json!([68, 1, "*", { "procedure": UPLOAD }, ["b"]]));
}

#[test]
fn the_form_of_the_arguments_cannot_change_in_the_middle() {
    // The callee reads them by the details, and those are of the first piece.
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["a"]]));
    w.say(caller, json!([48, 1, { "progress": true, "enc_algo": "x_own" }, UPLOAD, "opaque"]));
    w.expect_violation(caller, "enc_algo");
}

#[test]
fn all_pieces_go_to_the_callee_of_the_first() {
    for invoke in ["roundrobin", "random", "first", "last"] {
        let mut w = Wamp::new();
        let [caller] = w.join_with_all_features("realm1");
        let callees = w.join_with_all_features::<4>("realm1");
        for callee in callees {
            w.register_with(callee, 1, json!({ "invoke": invoke }), UPLOAD);
        }
        for number in 0..20 {
            send(&mut w, caller, 1, number < 19, number);
        }
        let heard = callees.map(|callee| w.hear_all(callee).len());
        assert_eq!(heard.iter().sum::<usize>(), 20);
        assert!(heard.contains(&20), "{invoke}: {heard:?}");
    }
}

#[test]
fn pieces_go_both_ways_at_once() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    let both = json!({ "progress": true, "receive_progress": true });
    w.say(caller, json!([48, 1, both, UPLOAD, [1]]));
    w.expect(callee, json!([68, 1, "*", both, [1]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["one"]]));
    w.expect(caller, json!([50, 1, { "progress": true }, ["one"]]));
    send(&mut w, caller, 1, true, 2);
    send(&mut w, caller, 1, true, 3);
    w.expect(callee, json!([68, 1, "*", both, [2]]));
    w.expect(callee, json!([68, 1, "*", both, [3]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["two"]]));
    w.expect(caller, json!([50, 1, { "progress": true }, ["two"]]));
    send(&mut w, caller, 1, false, 4);
    w.expect(callee, json!([68, 1, "*", { "receive_progress": true }, [4]]));
    w.say(callee, json!([70, 1, { "progress": true }, ["three"]]));
    w.expect(caller, json!([50, 1, { "progress": true }, ["three"]]));
    w.say(callee, json!([70, 1, {}, ["end"]]));
    w.expect(caller, json!([50, 1, {}, ["end"]]));
    w.expect_silence();
}

#[test]
fn each_piece_starts_the_timeout_anew() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    w.say(caller, json!([48, 1, { "progress": true, "timeout": 500 }, UPLOAD, [1]]));
    w.expect(callee, json!([68, 1, "*", { "progress": true }, [1]]));
    for number in 2..6 {
        w.advance_ms(400);
        send(&mut w, caller, 1, number < 5, number);
        w.expect(callee, json!([68, 1, "*", "*", [number]]));
    }
    w.advance_ms(499);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.timeout");
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_callee_that_watches_the_timeout_is_told_it_with_each_piece() {
    let mut w = Wamp::new();
    let features =
        json!({ "call_canceling": true, "call_timeout": true, "progressive_call_invocations": true });
    let callee = w.join_as_callee("realm1", features);
    let [caller] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, json!({ "forward_timeout": true }), UPLOAD);
    w.say(caller, json!([48, 1, { "progress": true, "timeout": 500 }, UPLOAD, [1]]));
    w.expect(callee, json!([68, 1, "*", { "progress": true, "timeout": 500 }, [1]]));
    send(&mut w, caller, 1, false, 2);
    w.expect(callee, json!([68, 1, "*", { "timeout": 500 }, [2]]));
    w.advance_ms(10_000);
    w.expect_silence();
}

#[test]
fn a_call_may_be_canceled_between_its_pieces() {
    for mode in ["skip", "kill", "killnowait"] {
        let mut w = Wamp::new();
        let [caller, callee] = caller_and_callee(&mut w);
        send(&mut w, caller, 1, true, "a");
        w.expect(callee, json!([68, 1, "*", "*", ["a"]]));
        w.say(caller, json!([49, 1, { "mode": mode }]));
        if mode != "skip" {
            w.expect(callee, json!([69, 1, { "mode": mode }]));
        }
        if mode != "kill" {
            w.expect_error(caller, 48, 1, "wamp.error.canceled");
        }
        // What was on its way is of no use to anybody.
        send(&mut w, caller, 1, true, "b");
        send(&mut w, caller, 1, false, "c");
        w.expect_silence();
        w.say(callee, json!([8, 68, 1, {}, "wamp.error.canceled"]));
        if mode == "kill" {
            w.expect(caller, json!([8, 48, 1, {}, "wamp.error.canceled"]));
        }
        w.expect_silence();
    }
}

#[test]
fn a_caller_that_leaves_between_its_pieces_interrupts_the_callee() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", "*", ["a"]]));
    w.lose(caller);
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.say(callee, json!([70, 1, {}, ["late"]]));
    w.expect_silence();
}

#[test]
fn a_callee_that_leaves_between_the_pieces_cancels_the_call() {
    let mut w = Wamp::new();
    let [caller, callee] = caller_and_callee(&mut w);
    send(&mut w, caller, 1, true, "a");
    w.expect(callee, json!([68, 1, "*", "*", ["a"]]));
    w.lose(callee);
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    send(&mut w, caller, 1, true, "b");
    send(&mut w, caller, 1, false, "c");
    w.expect_silence();
}

#[test]
fn a_callee_that_unregisters_between_the_pieces_gets_the_others_all_the_same() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join_with_all_features("realm1");
    let id = w.register_with(callee, 1, json!({ "disclose_caller": true }), UPLOAD);
    send(&mut w, caller, 1, true, "a");
    let first = w.expect(callee, json!([68, 1, id, "*", ["a"]]));
    assert_eq!(first[3]["caller"], caller.session);
    w.say(callee, json!([66, 2, id]));
    w.expect(callee, json!([67, 2]));
    send(&mut w, caller, 1, true, "b");
    w.expect(callee, json!([68, 1, id, first[3], ["b"]]));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
}

#[test]
fn a_session_may_send_pieces_to_itself() {
    let mut w = Wamp::new();
    let [both] = w.join_with_all_features("realm1");
    w.register(both, 1, UPLOAD);
    w.say(both, json!([48, 2, { "progress": true, "receive_progress": true }, UPLOAD, ["a"]]));
    w.expect(both, json!([68, 1, "*", { "progress": true, "receive_progress": true }, ["a"]]));
    w.say(both, json!([70, 1, { "progress": true }, ["A"]]));
    w.expect(both, json!([50, 2, { "progress": true }, ["A"]]));
    send(&mut w, both, 2, false, "b");
    w.expect(both, json!([68, 1, "*", { "receive_progress": true }, ["b"]]));
    send(&mut w, both, 3, true, "x");
    w.expect(both, json!([68, 2, "*", { "progress": true }, ["x"]]));
    w.say(both, json!([6, {}, "wamp.close.normal"]));
    w.expect(both, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_silence();
}

#[test]
fn each_piece_is_translated_for_the_callee() {
    let mut w = Wamp::new();
    let [caller] = w.join_with_all_features("realm1");
    let peer = w.open_with(Serializer::Cbor);
    let callee = w.hello(peer, "realm1", all_features());
    w.register(callee, 1, UPLOAD);
    send(&mut w, caller, 1, true, "\0AQID");
    w.expect(callee, json!([68, 1, "*", { "progress": true }, ["\0AQID"]]));
    send(&mut w, caller, 1, false, [1.5, -3.0].to_vec());
    w.expect(callee, json!([68, 1, "*", {}, [[1.5, -3.0]]]));
}

#[test]
fn a_piece_that_the_callee_cannot_take_ends_the_call() {
    let mut w = Wamp::new();
    let [caller] = w.join_with_all_features("realm1");
    let peer = w.open_transport(Transport { max_message_length: Some(2_048), ..Transport::default() });
    let callee = w.hello(peer, "realm1", all_features());
    w.register(callee, 1, UPLOAD);
    send(&mut w, caller, 1, true, "short");
    w.expect(callee, json!([68, 1, "*", "*", ["short"]]));
    send(&mut w, caller, 1, true, "long ".repeat(500));
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, "wamp.error.payload_size_exceeded");
    send(&mut w, caller, 1, false, "short");
    w.expect_silence();
}

#[test]
fn a_call_in_pieces_counts_once_among_the_calls_of_its_session() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [caller, callee] = caller_and_callee(&mut w);
    for number in 0..5 {
        send(&mut w, caller, 1, number < 4, number);
        w.expect(callee, json!([68, 1, "*", "*", [number]]));
    }
    send(&mut w, caller, 2, true, "more");
    w.expect_error(caller, 48, 2, "wamplet.error.limit_exceeded");
}

#[test]
fn whoever_did_not_announce_pieces_keeps_the_strict_sequence() {
    let mut w = Wamp::new();
    let [callee] = w.join_with_all_features("realm1");
    w.register(callee, 1, UPLOAD);
    let peer = w.open();
    let caller = w.hello(peer, "realm1", all_roles());
    w.call(caller, 1, UPLOAD);
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.call(caller, 1, UPLOAD);
    w.expect_violation(caller, "expected 2");
}

/// A realm in which a function decides what anonymous sessions may do, with a trusted callee of [`UPLOAD`].
fn guarded(limits: Limits) -> (Wamp, [Peer; 2]) {
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(Ask::Function("decide".into())))];
    let realm = RealmConfig { roles, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(Config { limits, ..named([realm]) });
    let [caller] = w.join_with_all_features("realm1");
    let identity = Identity {
        realm: None,
        authid: None,
        authrole: TRUSTED.into(),
        authmethod: "internal".into(),
        authprovider: "component".into(),
        authextra: Default::default(),
    };
    let peer = w.open_transport(Transport { identity: Some(identity), ..Transport::default() });
    let callee = w.hello(peer, "realm1", all_features());
    w.register(callee, 1, UPLOAD);
    (w, [caller, callee])
}

#[track_caller]
fn decide(w: &mut Wamp, allow: bool) {
    let questions = w.take_questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    w.answer(questions[0].ticket, Ok(Values::args([allow.into()])));
}

#[test]
fn pieces_wait_in_order_while_an_authorizer_thinks_about_the_first() {
    for request in [1, 77_245] {
        let (mut w, [caller, callee]) = guarded(Limits::default());
        for number in 0..4 {
            send(&mut w, caller, request, number < 3, number);
        }
        w.expect_silence();
        decide(&mut w, true);
        for number in 0..4 {
            let details = if number < 3 { json!({ "progress": true }) } else { json!({}) };
            w.expect(callee, json!([68, 1, "*", details, [number]]));
        }
        // Nobody is asked about the rest of a call.
        assert!(w.take_questions().is_empty());
        w.say(callee, json!([70, 1, {}]));
        w.expect(caller, json!([50, request, {}]));
        w.expect_silence();
    }
}

#[test]
fn pieces_of_a_call_that_an_authorizer_forbids_are_discarded() {
    for request in [1, 77_245] {
        let (mut w, [caller, _]) = guarded(Limits::default());
        send(&mut w, caller, request, true, 1);
        send(&mut w, caller, request, true, 2);
        decide(&mut w, false);
        w.expect_error(caller, 48, request, "wamp.error.not_authorized");
        send(&mut w, caller, request, true, 3);
        send(&mut w, caller, request, false, 4);
        w.expect_silence();
        assert!(w.take_questions().is_empty());
    }
}

#[test]
fn a_call_whose_pieces_wait_for_an_authorizer_may_be_canceled() {
    let (mut w, [caller, callee]) = guarded(Limits::default());
    send(&mut w, caller, 1, true, 1);
    send(&mut w, caller, 1, true, 2);
    w.say(caller, json!([49, 1, { "mode": "skip" }]));
    // No callee has heard of it yet, and none will.
    w.expect_error(caller, 48, 1, "wamp.error.canceled");
    send(&mut w, caller, 1, true, 3);
    w.expect_silence();
    decide(&mut w, true);
    w.expect_nothing(callee);
    w.expect_silence();
}

#[test]
fn more_pieces_than_may_wait_for_an_authorizer_end_the_session() {
    // None of them can be left out, and the call has its answer still to come.
    let (mut w, [caller, callee]) = guarded(Limits { waiting_requests: 3, ..Limits::default() });
    for number in 0..3 {
        send(&mut w, caller, 1, true, number);
    }
    w.expect_silence();
    send(&mut w, caller, 1, true, 3);
    w.expect_violation(caller, "wait for its authorizer");
    w.expect_nothing(callee);
}

#[test]
fn a_call_in_pieces_that_may_not_even_wait_is_refused_once() {
    let (mut w, [caller, callee]) = guarded(Limits { waiting_requests: 1, ..Limits::default() });
    w.call(caller, 7, UPLOAD);
    send(&mut w, caller, 8, true, 1);
    w.expect_error(caller, 48, 8, "wamplet.error.limit_exceeded");
    decide(&mut w, true);
    w.expect(callee, json!([68, 1, "*", {}]));
    send(&mut w, caller, 8, false, 2);
    w.expect_silence();
}
