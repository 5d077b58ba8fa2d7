//! Protocol violations: ABORT and a closed transport for the offender, nothing for anybody else.
//! [wamp: basic/building_blocks, Protocol Errors]

mod common;

use common::{Bystanders, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::codec::{self, Serializer};
use wamplet::config::RealmConfig;
use wamplet::router::{Close, Transport};

/// An offender that has joined says `message`, and is aborted with `text`; the bystanders do not notice.
#[track_caller]
fn expect_violation_after_join(message: &Value, text: &str) {
    for serializer in Serializer::ALL {
        let mut w = Wamp::new();
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let offender = w.join_with("realm1", serializer);
        w.say(offender, message.clone());
        w.expect_violation(offender, text);
        bystanders.expect_undisturbed(&mut w);
    }
}

/// An offender that has not joined says `message`, and is aborted; the bystanders do not notice.
#[track_caller]
fn expect_violation_before_join(message: &Value, text: &str) {
    for serializer in Serializer::ALL {
        let mut w = Wamp::new();
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let offender = w.open_with(serializer);
        w.say(offender, message.clone());
        w.expect_violation(offender, text);
        bystanders.expect_undisturbed(&mut w);
    }
}

fn messages_of_a_session() -> Vec<Value> {
    vec![
        json!([5, "signature", {}]),
        json!([6, {}, "wamp.close.close_realm"]),
        json!([8, 68, 1, {}, "com.myapp.error1"]),
        json!([16, 1, {}, "com.myapp.topic1"]),
        json!([32, 1, {}, "com.myapp.topic1"]),
        json!([34, 1, 1]),
        json!([48, 1, {}, "com.myapp.procedure1"]),
        json!([49, 1, {}]),
        json!([64, 1, {}, "com.myapp.procedure1"]),
        json!([66, 1, 1]),
        json!([70, 1, {}]),
    ]
}

fn messages_of_a_router() -> Vec<Value> {
    vec![
        json!([2, 1, {}]),
        json!([4, "ticket", {}]),
        json!([17, 1, 1]),
        json!([33, 1, 1]),
        json!([35, 1]),
        json!([36, 1, 1, {}]),
        json!([50, 1, {}]),
        json!([65, 1, 1]),
        json!([67, 1]),
        json!([68, 1, 1, {}]),
        json!([69, 1, {}]),
    ]
}

#[test]
fn nothing_but_hello_and_abort_may_come_before_a_session() {
    for message in messages_of_a_session() {
        expect_violation_before_join(&message, "expected HELLO");
    }
    for message in messages_of_a_router() {
        expect_violation_before_join(&message, "");
    }
}

#[test]
fn a_message_that_only_routers_send_is_a_violation() {
    for message in messages_of_a_router() {
        expect_violation_after_join(&message, "client");
    }
}

#[test]
fn authenticate_without_a_challenge_is_a_violation() {
    expect_violation_after_join(&json!([5, "signature", {}]), "AUTHENTICATE");
}

#[test]
fn a_second_hello_is_a_violation() {
    expect_violation_after_join(&json!([1, "realm1", { "roles": all_roles() }]), "HELLO");
}

#[test]
fn an_error_for_anything_but_an_invocation_is_a_violation() {
    for request_type in [16, 32, 34, 48, 64, 66] {
        expect_violation_after_join(&json!([8, request_type, 1, {}, "com.myapp.error1"]), "ERROR");
    }
    expect_violation_after_join(&json!([8, 99, 1, {}, "com.myapp.error1"]), "ERROR");
}

#[test]
fn an_answer_to_an_invocation_that_was_never_made_is_a_violation() {
    expect_violation_after_join(&json!([70, 1, {}]), "YIELD");
    expect_violation_after_join(&json!([70, 9_007_199_254_740_992_u64, { "progress": true }]), "YIELD");
    expect_violation_after_join(&json!([8, 68, 1, {}, "com.myapp.error1"]), "ERROR");
}

#[test]
fn an_answer_to_another_sessions_invocation_is_a_violation() {
    let mut w = Wamp::new();
    let [caller, callee, offender] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.call(caller, 1, "com.myapp.procedure1");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.say(offender, json!([70, 1, {}, ["forged"]]));
    w.expect_violation(offender, "YIELD");
    w.expect_nothing(caller);
    w.say(callee, json!([70, 1, {}, ["true"]]));
    w.expect(caller, json!([50, 1, {}, ["true"]]));
}

#[test]
fn request_ids_of_a_session_count_from_one_without_gaps() {
    for message in [
        json!([16, 3, {}, "com.myapp.topic2"]),
        json!([32, 3, {}, "com.myapp.topic2"]),
        json!([34, 3, 1]),
        json!([48, 3, {}, "com.bystander.procedure"]),
        json!([64, 3, {}, "com.myapp.procedure2"]),
        json!([66, 3, 1]),
        json!([16, 1, {}, "com.myapp.topic2"]),
    ] {
        let mut w = Wamp::new();
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let [offender] = w.join("realm1");
        w.subscribe(offender, 1, "com.myapp.topic1");
        w.say(offender, message);
        w.expect_violation(offender, "Request|id");
        bystanders.expect_undisturbed(&mut w);
    }
}

#[test]
fn one_sequence_counts_all_kinds_of_requests() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let subscription = w.subscribe(alice, 1, "com.myapp.topic1");
    let registration = w.register(alice, 2, "com.myapp.procedure1");
    w.publish(alice, 3, "com.myapp.topic2");
    w.call(alice, 4, "com.myapp.procedure1");
    w.expect(alice, json!([68, 1, registration, {}]));
    // CANCEL repeats the id of its CALL, YIELD that of its INVOCATION: neither counts.
    w.say(alice, json!([49, 4, { "mode": "kill" }]));
    w.expect(alice, json!([69, 1, { "mode": "kill" }]));
    w.say(alice, json!([70, 1, {}]));
    w.expect(alice, json!([50, 4, {}]));
    w.say(alice, json!([34, 5, subscription]));
    w.expect(alice, json!([35, 5]));
    w.say(alice, json!([66, 6, registration]));
    w.expect(alice, json!([67, 6]));
    // Refused requests count as well.
    w.call(alice, 7, "com.myapp.procedure1");
    w.expect_error(alice, 48, 7, "wamp.error.no_such_procedure");
    w.subscribe(alice, 8, "com.myapp.topic1");
    w.expect_silence();
}

#[test]
fn a_client_whose_first_request_id_is_not_one_may_count_as_it_likes() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    for request in [713_845_233, 25_349_185, 1, 9_007_199_254_740_992] {
        w.subscribe(alice, request, "com.myapp.topic1");
    }
}

#[test]
fn a_realm_may_leave_the_request_ids_of_its_sessions_unchecked() {
    let realm = RealmConfig { checks_request_ids: false, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let [alice] = w.join("realm1");
    for request in [1, 1, 9, 17, 2] {
        w.subscribe(alice, request, "com.myapp.topic1");
    }
}

#[test]
fn two_calls_under_way_with_one_request_id_are_a_violation() {
    let mut w = Wamp::new();
    let [callee, offender] = w.join("realm1");
    w.register(callee, 1, "com.myapp.procedure1");
    w.call(offender, 70, "com.myapp.procedure1");
    w.expect(callee, json!([68, 1, "*", {}]));
    w.call(offender, 70, "com.myapp.procedure1");
    w.expect_violation(offender, "70");
    // The call of the session that was aborted is over.
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_silence();
}

#[test]
fn what_is_no_wamp_message_is_a_violation() {
    for message in [
        json!([]),
        json!({}),
        json!("HELLO"),
        json!(16),
        json!(null),
        json!(["16", 1, {}, "com.myapp.topic1"]),
        json!([16.5, 1, {}, "com.myapp.topic1"]),
        json!([-1]),
        json!([0]),
        json!([7]),
        json!([99, 1]),
        json!([255]),
        json!([1024]),
        json!([18_446_744_073_709_551_615_u64]),
        json!([[16]]),
    ] {
        expect_violation_after_join(&message, "message");
    }
}

#[test]
fn wrong_arity_is_a_violation() {
    for (message, text) in [
        (json!([1]), "HELLO"),
        (json!([1, "realm1"]), "HELLO"),
        (json!([6, {}]), "GOODBYE"),
        (json!([6, {}, "wamp.close.normal", []]), "GOODBYE"),
        (json!([8, 68, 1, {}]), "ERROR"),
        (json!([16, 1, {}]), "PUBLISH"),
        (json!([16, 1, {}, "com.myapp.topic1", [], {}, 1]), "PUBLISH"),
        (json!([32, 1, {}]), "SUBSCRIBE"),
        (json!([32, 1, {}, "com.myapp.topic1", []]), "SUBSCRIBE"),
        (json!([34, 1]), "UNSUBSCRIBE"),
        (json!([48, 1, {}]), "CALL"),
        (json!([48, 1, {}, "com.myapp.procedure1", [], {}, []]), "CALL"),
        (json!([49, 1]), "CANCEL"),
        (json!([64, 1, {}]), "REGISTER"),
        (json!([66]), "UNREGISTER"),
        (json!([70, 1]), "YIELD"),
    ] {
        expect_violation_after_join(&message, text);
    }
}

#[test]
fn wrong_types_are_a_violation() {
    for (message, text) in [
        (json!([6, [], "wamp.close.normal"]), "GOODBYE"),
        (json!([6, {}, 7]), "GOODBYE"),
        (json!([16, "1", {}, "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, 0, {}, "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, -1, {}, "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, 9_007_199_254_740_993_u64, {}, "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, 1.5, {}, "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, 1, [], "com.myapp.topic1"]), "PUBLISH"),
        (json!([16, 1, {}, 7]), "PUBLISH"),
        (json!([16, 1, {}, "com.myapp.topic1", {}]), "PUBLISH"),
        (json!([16, 1, {}, "com.myapp.topic1", "args"]), "PUBLISH"),
        (json!([16, 1, {}, "com.myapp.topic1", [], []]), "PUBLISH"),
        (json!([32, 1, {}, null]), "SUBSCRIBE"),
        (json!([34, 1, {}]), "UNSUBSCRIBE"),
        (json!([48, 1, {}, ["com.myapp.procedure1"]]), "CALL"),
        (json!([48, 1, {}, "com.myapp.procedure1", [], 1]), "CALL"),
        (json!([64, 1, 1, "com.myapp.procedure1"]), "REGISTER"),
        (json!([70, 1, null]), "YIELD"),
    ] {
        expect_violation_after_join(&message, text);
    }
}

#[test]
fn options_of_wrong_types_are_a_violation() {
    for (options, key) in [
        (json!({ "acknowledge": 1 }), "acknowledge"),
        (json!({ "exclude_me": "true" }), "exclude_me"),
        (json!({ "disclose_me": 0 }), "disclose_me"),
        (json!({ "exclude": 7 }), "exclude"),
        (json!({ "exclude": ["7"] }), "exclude"),
        (json!({ "exclude": [0] }), "exclude"),
        (json!({ "exclude_authid": "joe" }), "exclude_authid"),
        (json!({ "exclude_authrole": [1] }), "exclude_authrole"),
        (json!({ "eligible": {} }), "eligible"),
        (json!({ "eligible_authid": [null] }), "eligible_authid"),
        (json!({ "eligible_authrole": [["admin"]] }), "eligible_authrole"),
    ] {
        expect_violation_after_join(&json!([16, 1, options, "com.myapp.topic1"]), key);
    }
    for (options, key) in [
        (json!({ "timeout": "soon" }), "timeout"),
        (json!({ "timeout": -1 }), "timeout"),
        (json!({ "receive_progress": 1 }), "receive_progress"),
        (json!({ "disclose_me": "yes" }), "disclose_me"),
    ] {
        expect_violation_after_join(&json!([48, 1, options, "com.myapp.procedure1"]), key);
    }
    for (options, key) in [
        (json!({ "match": "regex" }), "match"),
        (json!({ "match": 1 }), "match"),
        (json!({ "invoke": "loudest" }), "invoke"),
        (json!({ "disclose_caller": 1 }), "disclose_caller"),
    ] {
        expect_violation_after_join(&json!([64, 1, options, "com.myapp.procedure1"]), key);
    }
    expect_violation_after_join(&json!([32, 1, { "match": "regex" }, "com.myapp.topic1"]), "match");
    expect_violation_after_join(&json!([49, 1, { "mode": "gently" }]), "mode");
    expect_violation_after_join(&json!([70, 1, { "progress": 1 }]), "progress");
}

#[test]
fn a_progressive_call_of_a_caller_that_did_not_announce_it_is_a_violation() {
    expect_violation_after_join(&json!([48, 1, { "progress": true }, "com.myapp.procedure1"]), "progress");
}

#[test]
fn a_payload_in_a_form_that_its_sender_did_not_announce_is_a_violation() {
    let ppt = json!({ "ppt_scheme": "x_own" });
    let enc = json!({ "enc_algo": "x_own" });
    for (options, tail) in [(ppt, json!(["\0AQID"])), (enc, json!("\0AQID"))] {
        for message in [
            json!([16, 1, options, "com.myapp.topic1", tail]),
            json!([48, 1, options, "com.myapp.procedure1", tail]),
            json!([70, 1, options, tail]),
            json!([8, 68, 1, options, "com.myapp.error1", tail]),
        ] {
            expect_violation_after_join(&message, "payload_passthru_mode");
        }
    }
}

#[test]
fn a_message_of_a_role_that_was_not_announced_is_a_violation() {
    for (role, message) in [
        ("subscriber", json!([16, 1, {}, "com.myapp.topic1"])),
        ("publisher", json!([32, 1, {}, "com.myapp.topic1"])),
        ("callee", json!([48, 1, {}, "com.myapp.procedure1"])),
        ("caller", json!([64, 1, {}, "com.myapp.procedure1"])),
        ("caller", json!([70, 1, {}])),
        ("caller", json!([8, 68, 1, {}, "com.myapp.error1"])),
    ] {
        let mut w = Wamp::new();
        let mut bystanders = Bystanders::join(&mut w, "realm1");
        let peer = w.open();
        let offender = w.hello(peer, "realm1", json!({ role: {} }));
        w.say(offender, message);
        w.expect_violation(offender, "role");
        bystanders.expect_undisturbed(&mut w);
    }
}

#[test]
fn keys_that_stand_twice_in_options_are_a_violation() {
    let mut w = Wamp::new();
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    for frame in [
        r#"[16,1,{"acknowledge":true,"acknowledge":false},"com.myapp.topic1"]"#,
        r#"[16,1,{"x_private":1,"x_private":1},"com.myapp.topic1"]"#,
        r#"[6,{"message":"a","message":"b"},"wamp.close.normal"]"#,
    ] {
        let [offender] = w.join("realm1");
        w.say_bytes(offender, frame.as_bytes());
        w.expect_violation(offender, "");
        bystanders.expect_undisturbed(&mut w);
    }
}

/// Every frame of `frames` aborts the session that sent it, before and after its HELLO, and nobody else's.
fn expect_bad_frames(serializer: Serializer, frames: &[Vec<u8>]) {
    let mut w = Wamp::new();
    let mut bystanders = Bystanders::join(&mut w, "realm1");
    for frame in frames {
        let stranger = w.open_with(serializer);
        w.say_bytes(stranger, frame);
        w.expect_violation(stranger, "");
        let offender = w.join_with("realm1", serializer);
        w.say_bytes(offender, frame);
        w.expect_violation(offender, "");
        bystanders.expect_undisturbed(&mut w);
    }
}

/// A PUBLISH with some of everything, cut off after each of its bytes.
fn truncated(serializer: Serializer) -> Vec<Vec<u8>> {
    let message = json!([16, 1, { "acknowledge": true }, "com.myapp.topic1", [1, -2, 2.5, "zwei", [null]], { "k": {} }]);
    let frame = codec::transcode(message.to_string().as_bytes(), 1, Serializer::Json, serializer);
    let frame = frame.expect("a test message fits every serializer");
    (0..frame.len()).map(|length| frame[..length].to_vec()).collect()
}

#[test]
fn bad_json_is_a_violation() {
    let mut frames = truncated(Serializer::Json);
    frames.extend(
        [
            "no JSON at all",
            r#"[16,1,{},"com.myapp.topic1"]]"#,
            r#"[16,1,{},"com.myapp.topic1"] [16,2,{},"com.myapp.topic1"]"#,
            r#"[16,1,{},"com.myapp.topic1",]"#,
            r#"[16,1,{},"com.myapp.topic1",[01]]"#,
            r#"[16,1,{},"com.myapp.topic1",[NaN]]"#,
            r#"[16,1,{},"com.myapp.topic1",["\x"]]"#,
            r#"[16,1,{},"com.myapp.topic1",[],{7:1}]"#,
            "[16,1,{},\"com.myapp\u{7}.topic1\"]",
        ]
        .map(Vec::from),
    );
    frames.push(b"[16,1,{},\"com.myapp.topic1\",[\"\xff\"]]".to_vec());
    expect_bad_frames(Serializer::Json, &frames);
}

#[test]
fn bad_messagepack_is_a_violation() {
    let mut frames = truncated(Serializer::MsgPack);
    frames.extend([
        vec![0xc1],
        vec![0x94, 16, 1, 0x80],
        // An array that says that it has four billion items.
        vec![0xdd, 0xff, 0xff, 0xff, 0xff, 16],
        // [16, 1, {}, "a"] and one byte more.
        vec![0x94, 16, 1, 0x80, 0xa1, b'a', 0xc0],
        // A topic that is not UTF-8, and one that is binary.
        vec![0x94, 16, 1, 0x80, 0xa1, 0xff],
        vec![0x94, 16, 1, 0x80, 0xc4, 1, b'a'],
        // [16, 1, {1: 1}, "a"].
        vec![0x94, 16, 1, 0x81, 1, 1, 0xa1, b'a'],
        // [16, 1, {}, "a", [<four billion bytes>]].
        vec![0x95, 16, 1, 0x80, 0xa1, b'a', 0x91, 0xdb, 0xff, 0xff, 0xff, 0xff],
    ]);
    expect_bad_frames(Serializer::MsgPack, &frames);
}

#[test]
fn bad_cbor_is_a_violation() {
    let mut frames = truncated(Serializer::Cbor);
    frames.extend([
        vec![0xff],
        vec![0x1c],
        // An array that says that it has 2^64 - 1 items.
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 16],
        // An array without an end.
        vec![0x9f, 16, 1, 0xa0, 0x61, b'a'],
        // [16, 1, {}, "a"] and one byte more.
        vec![0x84, 16, 1, 0xa0, 0x61, b'a', 0xf6],
        // A topic that is not UTF-8, and one that is binary.
        vec![0x84, 16, 1, 0xa0, 0x61, 0xff],
        vec![0x84, 16, 1, 0xa0, 0x41, b'a'],
        // [16, 1, {1: 1}, "a"].
        vec![0x84, 16, 1, 0xa1, 1, 1, 0x61, b'a'],
        // A break where an item must stand.
        vec![0x85, 16, 1, 0xa0, 0x61, b'a', 0x81, 0xff],
    ]);
    expect_bad_frames(Serializer::Cbor, &frames);
}

#[test]
fn nesting_without_end_is_a_violation() {
    for (serializer, open, start) in [
        (Serializer::Json, b'[', b"[16,1,{},\"a\",".to_vec()),
        (Serializer::MsgPack, 0x91, vec![0x95, 16, 1, 0x80, 0xa1, b'a']),
        (Serializer::Cbor, 0x81, vec![0x85, 16, 1, 0xa0, 0x61, b'a']),
        (Serializer::Cbor, 0x9f, vec![0x85, 16, 1, 0xa0, 0x61, b'a']),
        (Serializer::Cbor, 0xc0, vec![0x85, 16, 1, 0xa0, 0x61, b'a', 0x81]),
    ] {
        let frame = [start, vec![open; 1_000_000]].concat();
        expect_bad_frames(serializer, &[frame, vec![open; 1_000_000]]);
    }
}

#[test]
fn an_abort_does_not_echo_megabytes() {
    let huge = "x".repeat(1_000_000);
    for message in [
        json!([32, 1, { "match": huge }, "com.myapp.topic1"]),
        json!([49, 1, { "mode": huge }]),
        json!([16, 1, { "enc_algo": huge }, "com.myapp.topic1"]),
        json!([16, 1, huge, "com.myapp.topic1"]),
        json!([huge]),
        json!([1, "realm1", { "roles": { huge.clone(): 7 } }]),
    ] {
        for serializer in Serializer::ALL {
            let mut w = Wamp::new();
            let peer = w.open_with(serializer);
            // HELLO is looked into before a session, the others in one.
            let offender = if message[0] == 1 { peer } else { w.hello(peer, "realm1", all_roles()) };
            w.say(offender, message.clone());
            let abort = w.expect(offender, json!([3, "*", "wamp.error.protocol_violation"]));
            let text: String = abort.to_string().chars().take(100).collect();
            assert!(abort.to_string().len() < 1_000, "{} bytes: {text}", abort.to_string().len());
        }
    }
    let mut w = Wamp::new();
    let [offender] = w.join("realm1");
    w.say_bytes(offender, format!(r#"[16,1,{{"{huge}":1,"{huge}":2}},"com.myapp.topic1"]"#).as_bytes());
    let abort = w.expect(offender, json!([3, "*", "wamp.error.protocol_violation"]));
    assert!(abort.to_string().len() < 1_000, "{} bytes", abort.to_string().len());
}

#[test]
fn the_offenders_subscriptions_and_registrations_are_gone() {
    let mut w = Wamp::new();
    let [alice, offender] = w.join("realm1");
    w.subscribe(offender, 1, "com.myapp.topic1");
    w.register(offender, 2, "com.myapp.procedure1");
    w.call(alice, 1, "com.myapp.procedure1");
    w.expect(offender, json!([68, 1, "*", {}]));
    w.say(offender, json!([99]));
    w.expect_violation(offender, "message");
    w.expect_error(alice, 48, 1, "wamp.error.canceled");
    w.publish(alice, 2, "com.myapp.topic1");
    w.register(alice, 3, "com.myapp.procedure1");
    w.expect_silence();
}

#[test]
fn what_follows_a_violation_is_not_processed() {
    let mut w = Wamp::new();
    let [alice, offender] = w.join("realm1");
    w.subscribe(alice, 1, "com.myapp.topic1");
    w.say(offender, json!([99]));
    w.expect_violation(offender, "message");
    for message in messages_of_a_session() {
        w.say(offender, message);
    }
    w.expect_silence();
    assert_eq!(w.closed(offender), Some(Close::ProtocolViolation));
    assert_eq!(w.router.transports(), 1);
}

#[test]
fn requests_of_an_unordered_transport_may_overtake_one_another() {
    let mut w = Wamp::new();
    let transport = Transport { is_unordered: true, ..Transport::default() };
    let alice = w.open_transport(transport);
    let alice = w.hello(alice, "realm1", all_roles());
    for request in [2, 1, 4, 3] {
        w.say(alice, json!([32, request, {}, format!("com.example.topic{request}")]));
        w.expect(alice, json!([33, request, "*"]));
    }
}
