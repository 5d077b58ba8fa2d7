//! Serializers: what one session sends in one, another gets in its own. [wamp: basic/building_blocks, Serializers;
//! advanced/serialization_binary_json]

mod common;

use common::Wamp;
use serde_json::{Value, json};
use wamplet::codec::Serializer;

/// Values that every serializer has, as this repository's tests write them; binary data in WAMP's JSON form.
fn universal() -> Vec<Value> {
    vec![
        json!(null),
        json!([true, false]),
        json!([0, 1, 23, 24, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295_u64, 4_294_967_296_u64]),
        json!([-1, -24, -25, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648_i64, -2_147_483_649_i64]),
        // Around 2^53, where JavaScript's numbers end, and the ends of the 64-bit integers.
        json!([9_007_199_254_740_991_u64, 9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64]),
        json!([-9_007_199_254_740_993_i64, i64::MIN, i64::MAX, u64::MAX]),
        json!([0.5, -1.25, 1e300, 5e-324, 0.1]),
        json!(["", "a", "Übung 日本 \u{1f600}", "\"\\\n\u{1}", "x".repeat(300)]),
        json!(["\0", "\0AQID", "\0/+8="]),
        json!([[], [[]], {}, { "": {} }, { "a": [{ "b": null }], "c": "\0AQID" }]),
        json!((0..300).map(Value::from).collect::<Vec<_>>()),
    ]
}

fn pairs() -> impl Iterator<Item = (Serializer, Serializer)> {
    Serializer::ALL.into_iter().flat_map(|from| Serializer::ALL.map(|to| (from, to)))
}

#[test]
fn events_carry_the_same_values_between_any_two_serializers() {
    for (from, to) in pairs() {
        let mut w = Wamp::new();
        let (alice, bob) = (w.join_with("realm1", from), w.join_with("realm1", to));
        w.subscribe(bob, 1, "com.myapp.topic1");
        for (request, value) in (1..).zip(universal()) {
            w.say(alice, json!([16, request, {}, "com.myapp.topic1", [value], { "k": value }]));
            let event = w.expect(bob, json!([36, 1, "*", {}, ["*"], { "k": "*" }]));
            assert_eq!(event[4][0], value, "{from:?} to {to:?}");
            assert_eq!(event[5]["k"], value, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn long_strings_lists_and_dictionaries_stay_whole() {
    let list = json!((0..66_000).map(Value::from).collect::<Vec<_>>());
    let dict: Value = (0..66_000).map(|number| (number.to_string(), json!(number % 7))).collect();
    let value = json!([list, dict, "x".repeat(66_000)]);
    for from in Serializer::ALL {
        let mut w = Wamp::new();
        let alice = w.join_with("realm1", from);
        let subscribers = Serializer::ALL.map(|to| w.join_with("realm1", to));
        for bob in subscribers {
            w.subscribe(bob, 1, "com.myapp.topic1");
        }
        w.say(alice, json!([16, 1, {}, "com.myapp.topic1", value]));
        for bob in subscribers {
            let event = w.hear(bob);
            assert!(event[4] == value, "{from:?} changed it on its way");
        }
    }
}

#[test]
fn calls_results_and_errors_carry_the_same_values_between_any_two_serializers() {
    for (from, to) in pairs() {
        let mut w = Wamp::new();
        let (caller, callee) = (w.join_with("realm1", from), w.join_with("realm1", to));
        let registration = w.register(callee, 1, "com.myapp.echo");
        for (number, value) in (0..).zip(universal()) {
            let (first, second) = (2 * number + 1, 2 * number + 2);
            w.say(caller, json!([48, first, {}, "com.myapp.echo", [value]]));
            w.expect(callee, json!([68, first, registration, {}, [value]]));
            w.say(callee, json!([70, first, {}, [value], { "k": value }]));
            w.expect(caller, json!([50, first, {}, [value], { "k": value }]));
            w.call(caller, second, "com.myapp.echo");
            w.expect(callee, json!([68, second, registration, {}]));
            w.say(callee, json!([8, 68, second, {}, "com.myapp.error1", [value], { "k": value }]));
            w.expect(caller, json!([8, 48, second, {}, "com.myapp.error1", [value], { "k": value }]));
        }
        w.expect_silence();
    }
}

#[test]
fn heads_mean_the_same_in_every_serializer() {
    for serializer in Serializer::ALL {
        let mut w = Wamp::new();
        let [alice] = w.join_with_all_features("realm1");
        let bob = w.join_with("realm1", serializer);
        w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.übung");
        w.say(
            alice,
            json!([16, 1, { "disclose_me": true, "ppt_scheme": "x_own" }, "com.übung.1", ["\0AQID"]]),
        );
        let event = w.expect(bob, json!([36, 1, "*", "*", ["\0AQID"]]));
        assert_eq!(event[3]["topic"], "com.übung.1");
        assert_eq!(event[3]["publisher"], alice.session);
        assert_eq!(event[3]["ppt_scheme"], "x_own");
        w.say(bob, json!([32, 2, {}, "not valid"]));
        w.expect_error(bob, 32, 2, "wamp.error.invalid_uri");
        w.say(bob, json!([6, { "message": "bye" }, "wamp.close.close_realm"]));
        w.expect(bob, json!([6, {}, "wamp.close.goodbye_and_out"]));
    }
}

/// Frames of one PUBLISH whose args one serializer has and JSON has not: an extension type of MessagePack, an
/// unassigned simple value of CBOR.
fn unspeakable() -> [(Serializer, Vec<u8>); 2] {
    [(Serializer::MsgPack, b"\x91\xd4\x05\x00".to_vec()), (Serializer::Cbor, b"\x81\xf0".to_vec())]
}

fn head(serializer: Serializer, code: u8, request: u8, uri: &str) -> Vec<u8> {
    let length = u8::try_from(uri.len()).expect("a short one");
    match serializer {
        Serializer::MsgPack => [&[0x95, code, request, 0x80, 0xd9, length], uri.as_bytes()].concat(),
        Serializer::Cbor if code < 24 => {
            [&[0x85, code, request, 0xa0, 0x78, length], uri.as_bytes()].concat()
        }
        Serializer::Cbor => [&[0x85, 0x18, code, request, 0xa0, 0x78, length], uri.as_bytes()].concat(),
        Serializer::Json => unreachable!("JSON can say all that JSON can"),
    }
}

#[test]
fn a_subscriber_whose_serializer_cannot_hold_the_payload_gets_no_event() {
    for (serializer, args) in unspeakable() {
        let mut w = Wamp::new();
        let (alice, twin) = (w.join_with("realm1", serializer), w.join_with("realm1", serializer));
        let [bob] = w.join("realm1");
        w.subscribe(bob, 1, "com.myapp.topic1");
        w.subscribe(alice, 1, "com.myapp.topic1");
        w.say_bytes_unread(twin, &[head(serializer, 16, 1, "com.myapp.topic1"), args].concat());
        assert_eq!(w.frames(bob), 0, "{serializer:?}");
        assert_eq!(w.frames(alice), 1, "one of the same serializer gets it as it came");
        assert_eq!(w.closed(bob), None);
    }
}

#[test]
fn a_call_whose_arguments_the_callee_cannot_take_is_refused() {
    for (serializer, args) in unspeakable() {
        let mut w = Wamp::new();
        let caller = w.join_with("realm1", serializer);
        let [callee] = w.join("realm1");
        w.register(callee, 1, "com.myapp.procedure1");
        w.say_bytes(caller, &[head(serializer, 48, 1, "com.myapp.procedure1"), args].concat());
        w.expect_error(caller, 48, 1, "wamp.error.invalid_argument");
        w.expect_silence();
        // Nothing is left of it.
        w.call(caller, 2, "com.myapp.procedure1");
        w.expect(callee, json!([68, 1, "*", {}]));
    }
}

#[test]
fn a_result_that_the_caller_cannot_take_ends_the_call_with_an_error() {
    for (serializer, args) in unspeakable() {
        let mut w = Wamp::new();
        let callee = w.join_with("realm1", serializer);
        let [caller] = w.join("realm1");
        w.register(callee, 1, "com.myapp.procedure1");
        w.call(caller, 1, "com.myapp.procedure1");
        w.expect(callee, json!([68, 1, "*", {}]));
        let head: &[u8] = match serializer {
            Serializer::MsgPack => b"\x94\x46\x01\x80",
            _ => b"\x84\x18\x46\x01\xa0",
        };
        w.say_bytes(callee, &[head, &args].concat());
        w.expect_error(caller, 48, 1, "wamp.error.invalid_argument");
        w.expect_silence();
        // The callee did nothing wrong.
        w.call(caller, 2, "com.myapp.procedure1");
        w.expect(callee, json!([68, 2, "*", {}]));
    }
}

#[test]
fn a_piece_of_a_result_that_the_caller_cannot_take_ends_the_call_with_an_error() {
    for (serializer, args) in unspeakable() {
        let mut w = Wamp::new();
        let callee = w.join_with("realm1", serializer);
        let [caller] = w.join("realm1");
        w.register(callee, 1, "com.myapp.procedure1");
        w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.procedure1"]));
        w.expect(callee, json!([68, 1, "*", { "receive_progress": true }]));
        let head: &[u8] = match serializer {
            Serializer::MsgPack => b"\x94\x46\x01\x81\xa8progress\xc3",
            _ => b"\x84\x18\x46\x01\xa1\x68progress\xf5",
        };
        w.say_bytes(callee, &[head, &args].concat());
        w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
        w.expect_error(caller, 48, 1, "wamp.error.invalid_argument");
        w.say(callee, json!([70, 1, {}, ["the end"]]));
        w.expect_silence();
    }
}

#[test]
fn undefined_options_of_javascript_encoders_are_absent() {
    // wampy: MessagePack's fixext 1 of type 0, CBOR's undefined.
    for (serializer, options) in [
        (Serializer::MsgPack, b"\x81\xabacknowledge\xd4\x00\x00".as_slice()),
        (Serializer::Cbor, b"\xa1\x6backnowledge\xf7"),
    ] {
        let mut w = Wamp::new();
        let alice = w.join_with("realm1", serializer);
        let [bob] = w.join("realm1");
        w.subscribe(bob, 1, "com.a");
        let (start, end): (&[u8], &[u8]) = match serializer {
            Serializer::MsgPack => (b"\x94\x10\x01", b"\xa5com.a"),
            _ => (b"\x84\x10\x01", b"\x65com.a"),
        };
        w.say_bytes(alice, &[start, options, end].concat());
        w.expect(bob, json!([36, 1, "*", {}]));
        w.expect_silence();
    }
}

#[test]
fn ids_may_come_as_integral_floats_in_binary_serializers() {
    for (serializer, frame) in [
        (Serializer::MsgPack, b"\x94\x20\xcb\x3f\xf0\0\0\0\0\0\0\x80\xa5com.a".as_slice()),
        (Serializer::Cbor, b"\x84\x18\x20\xfb\x3f\xf0\0\0\0\0\0\0\xa0\x65com.a"),
    ] {
        let mut w = Wamp::new();
        let alice = w.join_with("realm1", serializer);
        w.say_bytes(alice, frame);
        w.expect(alice, json!([33, 1, 1]));
    }
}
