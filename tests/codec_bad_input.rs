//! What the codecs refuse, and the sentence that says so.

use wamplet::codec::{DecodeLimits, Serializer, decode, decode_head, decode_values, transcode};
use wamplet::message::Message;

/// Every frame of a table is refused with exactly the text beside it.
fn check(serializer: Serializer, table: &[(&[u8], &str)]) {
    for (frame, expected) in table {
        let shown = String::from_utf8_lossy(frame);
        match decode(serializer, frame, &DecodeLimits::default()) {
            Ok((message, _)) => panic!("{shown} is accepted as {message:?}, but should say {expected}"),
            Err(error) => assert_eq!(error.to_string(), *expected, "{shown}"),
        }
    }
}

fn check_json(table: &[(&str, &str)]) {
    for (frame, expected) in table {
        check(Serializer::Json, &[(frame.as_bytes(), expected)]);
    }
}

#[test]
fn what_is_no_message_array_is_refused() {
    check_json(&[
        ("", "message: expected a value at byte 0, found the end of the frame"),
        (" ", "message: expected a value at byte 1, found the end of the frame"),
        ("{}", "message: expected a list at byte 0, found a map"),
        ("17", "message: expected a list at byte 0, found an integer"),
        ("hello", "message: expected a value at byte 0, found `h`"),
        ("[]", "message: expected a message code at byte 1, found the end of the message"),
        ("[", "message: expected a value at byte 1, found the end of the frame"),
        ("[[]]", "message: expected a message code of WAMP at byte 1, found a list"),
        ("[\"16\"]", "message: expected a message code of WAMP at byte 1, found a string"),
        ("[true]", "message: expected a message code of WAMP at byte 1, found a boolean"),
        ("[1.0]", "message: expected a message code of WAMP at byte 1, found a float"),
        ("[-1]", "message: expected a message code of WAMP at byte 1, found a negative integer"),
        ("[0]", "message: expected a message code of WAMP at byte 1, found 0"),
        ("[7]", "message: expected a message code of WAMP at byte 1, found 7"),
        ("[999]", "message: expected a message code of WAMP at byte 1, found 999"),
        ("[99999999999999999999999]", "message: expected a message code of WAMP at byte 1, found a float"),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (b"", "message: expected a value at byte 0, found the end of the frame"),
            (b"\x90", "message: expected a message code at byte 1, found the end of the message"),
            (b"\x80", "message: expected a list at byte 0, found a map"),
            (b"\xc1", "message: expected a value at byte 0, found byte 0xc1"),
            (b"\x91\xff", "message: expected a message code of WAMP at byte 1, found a negative integer"),
            (b"\x91\xc1", "message: expected a value at byte 1, found byte 0xc1"),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (b"", "message: expected a value at byte 0, found the end of the frame"),
            (b"\x80", "message: expected a message code at byte 1, found the end of the message"),
            (b"\xff", "message: expected a value at byte 0, found a break"),
            (b"\x9f\xff", "message: expected a message code at byte 1, found the end of the message"),
            (b"\x9f", "message: expected a value at byte 1, found the end of the frame"),
            (b"\x1c", "message: expected a value at byte 0, found byte 0x1c"),
        ],
    );
}

#[test]
fn missing_and_extra_elements_are_refused() {
    check_json(&[
        ("[16]", "PUBLISH.Request: expected an id from 1 to 2^53 at byte 3, found the end of the message"),
        ("[16,1]", "PUBLISH.Options: expected a map at byte 5, found the end of the message"),
        ("[16,1,{}]", "PUBLISH.Topic: expected a string at byte 8, found the end of the message"),
        (
            "[16,1,{},\"t\",[],{},[]]",
            "PUBLISH: expected the end of the message at byte 19, found another element",
        ),
        ("[17,1,2,3]", "PUBLISHED: expected the end of the message at byte 8, found another element"),
        ("[1,\"r\"]", "HELLO.Details: expected a map at byte 6, found the end of the message"),
        (
            "[32,1,{},\"t\",[]]",
            "SUBSCRIBE: expected the end of the message at byte 13, found another element",
        ),
        (
            "[35]",
            "UNSUBSCRIBED.Request: expected an id from 1 to 2^53 at byte 3, found the end of the message",
        ),
        ("[35,1,{},{}]", "UNSUBSCRIBED: expected the end of the message at byte 9, found another element"),
        ("[66,1,2,{}]", "UNREGISTER: expected the end of the message at byte 8, found another element"),
        ("[70,1]", "YIELD.Options: expected a map at byte 5, found the end of the message"),
        (
            "[16,1,{\"enc_algo\":\"xbr\"},\"t\",\"p\",{}]",
            "PUBLISH: expected the end of the message at byte 33, found another element",
        ),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (
                b"\x93\x11\x01",
                "PUBLISHED.Publication: expected a value at byte 3, found the end of the frame",
            ),
            (
                b"\x92\x11\x01",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found the end of the message",
            ),
            (
                b"\x94\x11\x01\x02\x03",
                "PUBLISHED: expected the end of the message at byte 4, found another element",
            ),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (
                b"\x9f\x11\x01\xff",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found the end of the message",
            ),
            (
                b"\x9f\x11\x01\x02\x03\xff",
                "PUBLISHED: expected the end of the message at byte 4, found another element",
            ),
        ],
    );
}

#[test]
fn truncated_frames_are_refused() {
    check_json(&[
        ("[16,1,{},\"t\"", "PUBLISH.Args: expected `,` or `]` at byte 12, found the end of the frame"),
        (
            "[16,1,{},\"t",
            "PUBLISH.Topic: expected the end of the string at byte 11, found the end of the frame",
        ),
        ("[16,1,{", "PUBLISH.Options: expected a string as key at byte 7, found the end of the frame"),
        ("[16,1,{\"acknowledge\"", "PUBLISH.Options: expected `:` at byte 20, found the end of the frame"),
        (
            "[16,1,{\"acknowledge\":",
            "PUBLISH.Options.acknowledge: expected a value at byte 21, found the end of the frame",
        ),
        (
            "[16,1,{\"acknowledge\":tru",
            "PUBLISH.Options.acknowledge: expected true at byte 24, found the end of the frame",
        ),
        ("[16,1,{},\"t\",[1", "PUBLISH.Args: expected `,` or `]` at byte 15, found the end of the frame"),
        ("[16,1,{},\"t\",[1]", "PUBLISH.Kwargs: expected `,` or `]` at byte 16, found the end of the frame"),
        (
            "[16,1,{},\"t\\",
            "PUBLISH.Topic: expected an escape character at byte 12, found the end of the frame",
        ),
        (
            "[16,1,{},\"t\\u00",
            "PUBLISH.Topic: expected a hexadecimal digit at byte 15, found the end of the frame",
        ),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (
                b"\x95\x10\xcd\x01",
                "PUBLISH.Request: expected the rest of a value at byte 4, found the end of the frame",
            ),
            (
                b"\x95\x10\x01\x80\xa5top",
                "PUBLISH.Topic: expected the rest of a value at byte 8, found the end of the frame",
            ),
            (
                b"\x95\x10\x01\x80\xa1t\x92\x01",
                "PUBLISH.Args: expected a value at byte 8, found the end of the frame",
            ),
            (
                b"\x95\x10\x01\x80\xa1t\x91\xcb\x00",
                "PUBLISH.Args: expected the rest of a value at byte 9, found the end of the frame",
            ),
            (
                b"\x95\x10\x01\x80\xa1t\x91\xd6\x01\x00",
                "PUBLISH.Args: expected the rest of a value at byte 10, found the end of the frame",
            ),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (
                b"\x85\x10\x19\x01",
                "PUBLISH.Request: expected the rest of a value at byte 4, found the end of the frame",
            ),
            (
                b"\x85\x10\x01\xa0\x65top",
                "PUBLISH.Topic: expected the rest of a value at byte 8, found the end of the frame",
            ),
            (
                b"\x85\x10\x01\xa0\x61t\x9f\x01",
                "PUBLISH.Args: expected a value at byte 8, found the end of the frame",
            ),
            (
                b"\x85\x10\x01\xa0\x61t\x81\x7f\x61a",
                "PUBLISH.Args: expected a value at byte 10, found the end of the frame",
            ),
        ],
    );
}

#[test]
fn what_follows_a_message_is_refused() {
    check_json(&[
        ("[17,1,2] [17,1,2]", "PUBLISHED: expected the end of the frame at byte 9, found `[`"),
        ("[17,1,2]\0", "PUBLISHED: expected the end of the frame at byte 8, found byte 0x00"),
        ("[17,1,2],", "PUBLISHED: expected the end of the frame at byte 8, found `,`"),
        ("[17,1,2]]", "PUBLISHED: expected the end of the frame at byte 8, found `]`"),
    ]);
    check(
        Serializer::MsgPack,
        &[(b"\x93\x11\x01\x02\xc0", "PUBLISHED: expected the end of the frame at byte 4, found byte 0xc0")],
    );
    check(
        Serializer::Cbor,
        &[
            (b"\x83\x11\x01\x02\xff", "PUBLISHED: expected the end of the frame at byte 4, found byte 0xff"),
            (
                b"\x9f\x11\x01\x02\xff\xff",
                "PUBLISHED: expected the end of the frame at byte 5, found byte 0xff",
            ),
        ],
    );
}

#[test]
fn wrong_types_name_message_field_and_key() {
    check_json(&[
        ("[1,5,{}]", "HELLO.Realm: expected a string at byte 3, found an integer"),
        ("[1,\"r\",[]]", "HELLO.Details: expected a map at byte 7, found a list"),
        ("[5,null,{}]", "AUTHENTICATE.Signature: expected a string at byte 3, found null"),
        ("[16,\"1\",{},\"t\"]", "PUBLISH.Request: expected an id from 1 to 2^53 at byte 4, found a string"),
        ("[16,1,[],\"t\"]", "PUBLISH.Options: expected a map at byte 6, found a list"),
        ("[16,1,null,\"t\"]", "PUBLISH.Options: expected a map at byte 6, found null"),
        ("[16,1,{},17]", "PUBLISH.Topic: expected a string at byte 9, found an integer"),
        ("[16,1,{},\"t\",{}]", "PUBLISH.Args: expected a list at byte 13, found a map"),
        ("[16,1,{},\"t\",null]", "PUBLISH.Args: expected a list at byte 13, found null"),
        ("[16,1,{},\"t\",\"opaque\"]", "PUBLISH.Args: expected a list at byte 13, found a string"),
        (
            "[16,1,{\"enc_algo\":\"xbr\"},\"t\",[]]",
            "PUBLISH.Args: expected a string or binary data at byte 29, found a list",
        ),
        ("[16,1,{},\"t\",[],[]]", "PUBLISH.Kwargs: expected a map at byte 16, found a list"),
        (
            "[16,1,{\"acknowledge\":1},\"t\"]",
            "PUBLISH.Options.acknowledge: expected a boolean at byte 21, found an integer",
        ),
        (
            "[16,1,{ \"acknowledge\" : \"yes\" },\"t\"]",
            "PUBLISH.Options.acknowledge: expected a boolean at byte 24, found a string",
        ),
        (
            "[16,1,{\"eligible\":7},\"t\"]",
            "PUBLISH.Options.eligible: expected a list at byte 18, found an integer",
        ),
        (
            "[16,1,{\"eligible\":[7,8,\"9\"]},\"t\"]",
            "PUBLISH.Options.eligible[2]: expected an id from 1 to 2^53 at byte 23, found a string",
        ),
        (
            "[16,1,{\"exclude_authid\":[null]},\"t\"]",
            "PUBLISH.Options.exclude_authid[0]: expected a string at byte 25, found null",
        ),
        (
            "[16,1,{\"enc_algo\":\"rot13\"},\"t\"]",
            "PUBLISH.Options.enc_algo: expected \"cryptobox\", \"mqtt\", \"xbr\" or \"x_...\" at byte 18, found \"rot13\"",
        ),
        (
            "[16,1,{\"enc_algo\":\"xbr\",\"enc_serializer\":\"yaml\"},\"t\"]",
            "PUBLISH.Options.enc_serializer: expected the name of a serializer or \"x_...\" at byte 41, found \"yaml\"",
        ),
        (
            "[16,1,{\"forward_for\":[{\"session\":1},2]},\"t\"]",
            "PUBLISH.Options.forward_for[1]: expected a map at byte 36, found an integer",
        ),
        (
            "[32,1,{\"match\":\"regex\"},\"t\"]",
            "SUBSCRIBE.Options.match: expected \"exact\", \"prefix\" or \"wildcard\" at byte 15, found \"regex\"",
        ),
        (
            "[32,1,{\"match\":true},\"t\"]",
            "SUBSCRIBE.Options.match: expected \"exact\", \"prefix\" or \"wildcard\" at byte 15, found a boolean",
        ),
        (
            "[48,1,{\"timeout\":-5},\"p\"]",
            "CALL.Options.timeout: expected an integer from 0 at byte 17, found a negative integer",
        ),
        (
            "[48,1,{\"timeout\":0.5},\"p\"]",
            "CALL.Options.timeout: expected an integer from 0 at byte 17, found a float",
        ),
        (
            "[49,1,{\"mode\":\"a very long text that nobody wants to read in an error message\"}]",
            "CANCEL.Options.mode: expected \"skip\", \"kill\" or \"killnowait\" at byte 14, found \"a very long text that nobody wants to re...\"",
        ),
        (
            "[64,1,{\"invoke\":\"all\"},\"p\"]",
            "REGISTER.Options.invoke: expected \"single\", \"first\", \"last\", \"roundrobin\" or \"random\" at byte 16, found \"all\"",
        ),
        (
            "[64,1,{\"concurrency\":0},\"p\"]",
            "REGISTER.Options.concurrency: expected an integer from 1 at byte 21, found 0",
        ),
        (
            "[8,\"68\",1,{},\"e\"]",
            "ERROR.REQUEST.Type: expected the message code of a request at byte 3, found a string",
        ),
        ("[8,9,1,{},\"e\"]", "ERROR.REQUEST.Type: expected the message code of a request at byte 3, found 9"),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (b"\x94\x10\x01\x80\xc4\x01t", "PUBLISH.Topic: expected a string at byte 4, found binary data"),
            (
                b"\x94\x10\x01\x80\xc7\x01\x05t",
                "PUBLISH.Topic: expected a string at byte 4, found an extension type",
            ),
            (b"\x95\x10\x01\x80\xa1t\x80", "PUBLISH.Args: expected a list at byte 6, found a map"),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (b"\x84\x10\x01\xa0\x41t", "PUBLISH.Topic: expected a string at byte 4, found binary data"),
            (b"\x84\x10\x01\xa0\xe0", "PUBLISH.Topic: expected a string at byte 4, found a simple value"),
        ],
    );
}

#[test]
fn ids_are_integers_from_1_to_2_to_the_53() {
    check_json(&[
        ("[17,0,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found 0"),
        ("[17,-1,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found a negative integer"),
        (
            "[17,1,9007199254740993]",
            "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 6, found 9007199254740993",
        ),
        ("[17,1.0,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found a float"),
        ("[17,1e3,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found a float"),
        ("[17,null,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found null"),
        (
            "[35,9007199254740993]",
            "UNSUBSCRIBED.Request: expected an id from 0 to 2^53 at byte 4, found 9007199254740993",
        ),
        ("[37,1]", "message: expected a message code of WAMP at byte 1, found 37"),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (
                b"\x93\x11\x01\xcb\x3f\xf8\0\0\0\0\0\0",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found a float",
            ),
            (
                b"\x93\x11\x01\xcb\xbf\xf0\0\0\0\0\0\0",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found a float",
            ),
            (
                b"\x93\x11\x01\xcb\x7f\xf0\0\0\0\0\0\0",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found a float",
            ),
            (
                b"\x93\x11\x01\xcb\x7f\xf8\0\0\0\0\0\0",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found a float",
            ),
            (
                b"\x93\x11\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
                "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found 18446744073709551615",
            ),
        ],
    );
    check(
        Serializer::Cbor,
        &[(
            b"\x83\x11\x01\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
            "PUBLISHED.Publication: expected an id from 1 to 2^53 at byte 3, found a negative integer",
        )],
    );
    for (frame, serializer) in [
        (&b"\x93\x11\x01\xcb\x43\x40\0\0\0\0\0\0"[..], Serializer::MsgPack),
        (b"\x93\x11\x01\xd3\0\0\0\0\0\0\0\x05", Serializer::MsgPack),
        (b"\x83\x11\x01\xf9\x3c\x00", Serializer::Cbor),
        (b"\x83\x11\x01\xc2\x41\x07", Serializer::Cbor),
        (b"[35,0]", Serializer::Json),
        (b"[67,0,{}]", Serializer::Json),
    ] {
        decode(serializer, frame, &DecodeLimits::default()).expect("an id");
    }
}

#[test]
fn option_keys_are_strings_and_stand_once() {
    check_json(&[
        (
            "[16,1,{\"retain\":true,\"retain\":true},\"t\"]",
            "PUBLISH.Options: expected each key once, found \"retain\" again at byte 21",
        ),
        (
            "[16,1,{\"retain\":null,\"retain\":true},\"t\"]",
            "PUBLISH.Options: expected each key once, found \"retain\" again at byte 21",
        ),
        (
            "[16,1,{\"x_a\":1,\"x_b\":2,\"x_a\":3},\"t\"]",
            "PUBLISH.Options: expected each key once, found \"x_a\" again at byte 23",
        ),
        (
            "[16,1,{\"match\":1,\"match\":1},\"t\"]",
            "PUBLISH.Options: expected each key once, found \"match\" again at byte 17",
        ),
        (
            "[16,1,{\"ret\\u0061in\":true,\"retain\":true},\"t\"]",
            "PUBLISH.Options: expected each key once, found \"retain\" again at byte 26",
        ),
        (
            "[1,\"r\",{\"a\":1,\"a\":2}]",
            "HELLO.Details: expected each key once, found \"a\" again at byte 14",
        ),
        (
            "[1,\"r\",{\"roles\":{\"caller\":{},\"caller\":{}}}]",
            "HELLO.Details: expected each key once, found \"caller\" again at byte 29",
        ),
        ("[16,1,{1:2},\"t\"]", "PUBLISH.Options: expected a string as key at byte 7, found `1`"),
        ("[16,1,{null:2},\"t\"]", "PUBLISH.Options: expected a string as key at byte 7, found `n`"),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (
                b"\x94\x10\x01\x81\x01\x02\xa1t",
                "PUBLISH.Options: expected a string as key at byte 4, found an integer",
            ),
            (
                b"\x94\x10\x01\x81\xc4\x01a\x02\xa1t",
                "PUBLISH.Options: expected a string as key at byte 4, found binary data",
            ),
            (
                b"\x93\x01\xa1r\x81\x01\x02",
                "HELLO.Details: expected a string as key at byte 5, found an integer",
            ),
            (
                b"\x96\x10\x01\x80\xa1t\x90\x81\x01\x02",
                "PUBLISH.Kwargs: expected a string as key at byte 8, found an integer",
            ),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (
                b"\x84\x10\x01\xa2\x61a\x01\x61a\x01\x61t",
                "PUBLISH.Options: expected each key once, found \"a\" again at byte 7",
            ),
            (
                b"\x84\x10\x01\xa1\xf5\x01\x61t",
                "PUBLISH.Options: expected a string as key at byte 4, found a boolean",
            ),
        ],
    );
}

#[test]
fn json_is_read_strictly() {
    check_json(&[
        ("[17,01,1]", "PUBLISHED.Request: expected an id from 1 to 2^53 at byte 4, found 0"),
        ("[17,+1,1]", "PUBLISHED.Request: expected a value at byte 4, found `+`"),
        ("[17,1,1,]", "PUBLISHED: expected the end of the message at byte 8, found another element"),
        ("[17,,1]", "PUBLISHED.Request: expected a value at byte 4, found `,`"),
        ("[17 1]", "PUBLISHED.Request: expected `,` or `]` at byte 4, found `1`"),
        ("[36,1,2,{},[1.]]", "EVENT.Args: expected a digit at byte 14, found `]`"),
        ("[36,1,2,{},[.5]]", "EVENT.Args: expected a value at byte 12, found `.`"),
        ("[36,1,2,{},[1e]]", "EVENT.Args: expected a digit at byte 14, found `]`"),
        ("[36,1,2,{},[1e+]]", "EVENT.Args: expected a digit at byte 15, found `]`"),
        ("[36,1,2,{},[-]]", "EVENT.Args: expected a digit at byte 13, found `]`"),
        ("[36,1,2,{},[0x10]]", "EVENT.Args: expected `,` or `]` at byte 13, found `x`"),
        ("[36,1,2,{},[NaN]]", "EVENT.Args: expected a value at byte 12, found `N`"),
        ("[36,1,2,{},[nul]]", "EVENT.Args: expected null at byte 15, found `]`"),
        ("[36,1,2,{},[True]]", "EVENT.Args: expected a value at byte 12, found `T`"),
        ("[36,1,2,{},['a']]", "EVENT.Args: expected a value at byte 12, found `'`"),
        (
            "[36,1,2,{},[\"a\tb\"]]",
            "EVENT.Args: expected control characters to be escaped at byte 14, found byte 0x09",
        ),
        ("[36,1,2,{},[\"\\x41\"]]", "EVENT.Args: expected an escape character at byte 14, found `x`"),
        ("[36,1,2,{},[\"\\u12g4\"]]", "EVENT.Args: expected a hexadecimal digit at byte 17, found `g`"),
        ("[36,1,2,{},[1,]]", "EVENT.Args: expected a value at byte 14, found `]`"),
        ("[36,1,2,{},[{\"a\":1,}]]", "EVENT.Args: expected a string as key at byte 19, found `}`"),
        ("[36,1,2,{},[{\"a\" 1}]]", "EVENT.Args: expected `:` at byte 17, found `1`"),
        ("[36,1,2,{},[{a:1}]]", "EVENT.Args: expected a string as key at byte 13, found `a`"),
        ("[36,1,2,{},[/* no */]]", "EVENT.Args: expected a value at byte 12, found `/`"),
        ("[36,1,2,{},[1}]", "EVENT.Args: expected `,` or `]` at byte 13, found `}`"),
        ("\u{feff}[17,1,2]", "message: expected a value at byte 0, found byte 0xef"),
        (
            "[5,\"half of an emoji \\ud83d\",{}]",
            "AUTHENTICATE.Signature: expected both halves of a surrogate pair at byte 21, found one",
        ),
        (
            "[5,\"\\ude00\",{}]",
            "AUTHENTICATE.Signature: expected both halves of a surrogate pair at byte 4, found one",
        ),
        (
            "[5,\"\\ud83d\\u0041\",{}]",
            "AUTHENTICATE.Signature: expected both halves of a surrogate pair at byte 4, found one",
        ),
    ]);
    check(
        Serializer::Json,
        &[
            (b"[36,1,2,{},[\"\xff\"]]", "message: expected UTF-8 at byte 13, found byte 0xff"),
            (b"[36,1,2,{},[\"\xed\xa0\xbd\"]]", "message: expected UTF-8 at byte 13, found byte 0xed"),
        ],
    );
    // What is left of an emoji that JavaScript cut in two is legal JSON; tails carry it.
    decode(Serializer::Json, br#"[36,1,2,{},["\ud83d"]]"#, &DecodeLimits::default())
        .expect("a lone surrogate");
    let values =
        decode_values(br#"["a\ud83d\u0041\ud83d\ude00\ude00"]"#, 1, Serializer::Json).expect("values");
    assert_eq!(values.args, ["a\u{fffd}A\u{1f600}\u{fffd}"]);
}

#[test]
fn malformed_items_of_a_binary_tail_are_refused() {
    let msgpack = |item: &[u8]| [b"\x95\x24\x01\x02\x80\x91".as_slice(), item].concat();
    for (item, expected) in [
        (&b"\xc1"[..], "EVENT.Args: expected a value at byte 6, found byte 0xc1"),
        (b"\xa1\xff", "EVENT.Args: expected UTF-8 at byte 7, found byte 0xff"),
        (b"\xa3\xed\xa0\xbd", "EVENT.Args: expected UTF-8 at byte 7, found byte 0xed"),
        (
            b"\xdb\xff\xff\xff\xff",
            "EVENT.Args: expected the rest of a value at byte 11, found the end of the frame",
        ),
        (
            b"\xc6\xff\xff\xff\xffabc",
            "EVENT.Args: expected the rest of a value at byte 14, found the end of the frame",
        ),
        (b"\xdd\xff\xff\xff\xff\x01", "EVENT.Args: expected a value at byte 12, found the end of the frame"),
        (
            b"\xdf\xff\xff\xff\xff\x01\x01",
            "EVENT.Args: expected a value at byte 13, found the end of the frame",
        ),
        (
            b"\xc9\xff\xff\xff\xff\x01",
            "EVENT.Args: expected the rest of a value at byte 12, found the end of the frame",
        ),
        (b"\x81\x01", "EVENT.Args: expected a value at byte 8, found the end of the frame"),
    ] {
        check(Serializer::MsgPack, &[(&msgpack(item), expected)]);
    }
    let cbor = |item: &[u8]| [b"\x85\x18\x24\x01\x02\xa0\x81".as_slice(), item].concat();
    for (item, expected) in [
        (&b"\x1c"[..], "EVENT.Args: expected a value at byte 7, found byte 0x1c"),
        (b"\x3d", "EVENT.Args: expected a value at byte 7, found `=`"),
        (b"\x1f", "EVENT.Args: expected a value at byte 7, found byte 0x1f"),
        (b"\xdf\x01", "EVENT.Args: expected a value at byte 7, found byte 0xdf"),
        (b"\xfc", "EVENT.Args: expected a value at byte 7, found byte 0xfc"),
        (b"\xff", "EVENT.Args: expected a value at byte 7, found a break"),
        (b"\xf8\x14", "EVENT.Args: expected a value at byte 8, found byte 0x14"),
        (b"\x61\xff", "EVENT.Args: expected UTF-8 at byte 8, found byte 0xff"),
        (b"\x7f\x41a\xff", "EVENT.Args: expected a chunk of the same string at byte 8, found `A`"),
        (
            b"\x7f\x7f\x61a\xff\xff",
            "EVENT.Args: expected a chunk of the same string at byte 8, found byte 0x7f",
        ),
        (b"\x7f\x61\xc3\x61\xa4\xff", "EVENT.Args: expected UTF-8 at byte 9, found byte 0xc3"),
        (b"\xbf\x61a\xff", "EVENT.Args: expected a value at byte 10, found a break"),
        (b"\xc1", "EVENT.Args: expected a value at byte 8, found the end of the frame"),
        (
            b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
            "EVENT.Args: expected the rest of a value at byte 16, found the end of the frame",
        ),
        (
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "EVENT.Args: expected a value at byte 17, found the end of the frame",
        ),
        (
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01",
            "EVENT.Args: expected a value at byte 18, found the end of the frame",
        ),
    ] {
        check(Serializer::Cbor, &[(&cbor(item), expected)]);
    }
}

#[test]
fn nesting_is_bounded_and_counts_the_message_array() {
    let json = |levels: usize| format!("[36,1,2,{{}},{}{}]", "[".repeat(levels), "]".repeat(levels));
    let limits = DecodeLimits { depth: 4, ..DecodeLimits::default() };
    decode(Serializer::Json, json(3).as_bytes(), &limits).expect("four levels with the message");
    let error = decode(Serializer::Json, json(4).as_bytes(), &limits).expect_err("five levels");
    assert_eq!(error.to_string(), "EVENT.Args: lists and maps are nested too deep at byte 14");

    let options = format!("[16,1,{{\"x_deep\":{}{}}},\"t\"]", "[".repeat(100_000), "]".repeat(100_000));
    let kwargs = format!("[16,1,{{}},\"t\",[],{{\"k\":{}", "{\"k\":".repeat(100_000));
    let details = format!("[1,\"r\",{{\"x_deep\":{}", "[".repeat(100_000));
    check_json(&[
        (&options, "PUBLISH.Options: lists and maps are nested too deep at byte 142"),
        (&kwargs, "PUBLISH.Kwargs: lists and maps are nested too deep at byte 651"),
        (&details, "HELLO.Details: lists and maps are nested too deep at byte 143"),
    ]);
    check(
        Serializer::MsgPack,
        &[
            (
                &[b"\x95\x24\x01\x02\x80\x91".as_slice(), &[0x91; 100_000]].concat(),
                "EVENT.Args: lists and maps are nested too deep at byte 132",
            ),
            (
                &[b"\x95\x24\x01\x02\x80\x91".as_slice(), &[0x81; 100_000]].concat(),
                "EVENT.Args: lists and maps are nested too deep at byte 132",
            ),
            (
                &[b"\x93\x01\xa1r\x81\xa1d".as_slice(), &[0x91; 100_000]].concat(),
                "HELLO.Details: lists and maps are nested too deep at byte 133",
            ),
        ],
    );
    check(
        Serializer::Cbor,
        &[
            (
                &[b"\x85\x18\x24\x01\x02\xa0\x81".as_slice(), &[0x9f; 100_000]].concat(),
                "EVENT.Args: lists and maps are nested too deep at byte 133",
            ),
            (
                &[b"\x85\x18\x24\x01\x02\xa0\x81".as_slice(), &[0xc1; 100_000]].concat(),
                "EVENT.Args: expected a value at byte 100007, found the end of the frame",
            ),
        ],
    );
    // The limit itself has a limit: reading recurses.
    let limits = DecodeLimits { depth: usize::MAX, ..DecodeLimits::default() };
    decode(Serializer::Json, json(500).as_bytes(), &limits).expect("500 levels");
    let error = decode(Serializer::Json, json(100_000).as_bytes(), &limits).expect_err("100000 levels");
    assert_eq!(error.to_string(), "EVENT.Args: lists and maps are nested too deep at byte 522");
}

#[test]
fn receivers_behind_the_most_that_are_read_are_checked_and_take_no_memory() {
    let limits = DecodeLimits { audience: 2, ..DecodeLimits::default() };
    let publish = b"[16,1,{\"eligible\":[1,2,3],\"exclude_authid\":[\"a\",\"b\",\"c\"]},\"t\"]";
    let (message, _) = decode(Serializer::Json, publish, &limits).expect("a PUBLISH");
    let Message::Publish { options, .. } = message else { panic!("it is no PUBLISH") };
    assert_eq!(options.restrictions.expect("receivers").names(), 4);
    let wrong = b"[16,1,{\"exclude_authid\":[\"a\",\"b\",3]},\"t\"]";
    let error = decode(Serializer::Json, wrong, &limits).expect_err("a number");
    assert_eq!(
        error.to_string(),
        "PUBLISH.Options.exclude_authid[2]: expected a string at byte 33, found an integer"
    );
}

#[test]
fn a_head_without_its_tail_ends_with_its_last_element() {
    let limits = DecodeLimits::default();
    for head in
        ["[16,1,{},\"t\"", " [ 16 , 1 , {} , \"t\" \r\n\t", "[17,1,2", "[35,7", "[35,0,{}", "[70,1,{}"]
    {
        decode_head(head.as_bytes(), &limits).unwrap_or_else(|error| panic!("{head}: {error}"));
    }
    for (head, expected) in [
        ("", "message: expected a value at byte 0, found the end of the frame"),
        ("[", "message: expected a message code at byte 1, found the end of the message"),
        ("[16,1,{}", "PUBLISH.Topic: expected a string at byte 8, found the end of the message"),
        ("[16,1,{},", "PUBLISH.Topic: expected a value at byte 9, found the end of the frame"),
        ("[16,1,{},\"t\",", "PUBLISH: expected the end of the message at byte 13, found another element"),
        ("[16,1,{},\"t\",[]", "PUBLISH: expected the end of the message at byte 13, found another element"),
        ("[16,1,{},\"t\"]", "PUBLISH: expected `,` or the end at byte 12, found `]`"),
        (
            "[16,1,{\"retain\":true",
            "PUBLISH.Options: expected `,` or `}` at byte 20, found the end of the frame",
        ),
        ("[17,1,2,3", "PUBLISHED: expected the end of the message at byte 8, found another element"),
        ("{\"a\":1", "message: expected a list at byte 0, found a map"),
    ] {
        let error = decode_head(head.as_bytes(), &limits).expect_err(head);
        assert_eq!(error.to_string(), expected, "{head}");
    }
}

#[test]
fn what_the_other_serializer_lacks_is_named() {
    use Serializer::{Cbor, Json, MsgPack};
    for (tail, from, to, expected) in [
        (
            &b"\x91\xd4\x05\x00"[..],
            MsgPack,
            Json,
            "expected a value that every serializer has at byte 1, found extension type 5",
        ),
        (
            b"\x91\xd6\xff\0\0\0\0",
            MsgPack,
            Cbor,
            "expected a value that every serializer has at byte 1, found extension type -1",
        ),
        (
            b"\x91\x81\x90\x01",
            MsgPack,
            Json,
            "expected a string or an integer as key at byte 2, found a list",
        ),
        (
            b"\x91\x81\xcb\0\0\0\0\0\0\0\0\x01",
            MsgPack,
            Cbor,
            "expected a string or an integer as key at byte 2, found a float",
        ),
        (
            b"\x81\xe1",
            Cbor,
            Json,
            "expected a value that every serializer has at byte 1, found simple value 1",
        ),
        (
            b"\x81\xc2\x49\x01\0\0\0\0\0\0\0\0",
            Cbor,
            MsgPack,
            "expected an integer of at most 64 bits at byte 2, found a bignum",
        ),
        (b"\x91\x91", MsgPack, Json, "expected a value at byte 2, found the end of the frame"),
        (b"\x90\x90\x90", MsgPack, Json, "expected the end of the frame at byte 2, found byte 0x90"),
        (b"[1] x", Json, MsgPack, "expected `,` or the end at byte 4, found `x`"),
    ] {
        let error = transcode(tail, if tail.len() == 3 { 2 } else { 1 }, from, to).expect_err(expected);
        assert_eq!(error.to_string(), expected, "{tail:02x?}");
    }
}

#[test]
fn opaque_payloads_are_not_values() {
    let error = decode_values(b"\"p\"", 1, Serializer::Json).expect_err("a string");
    assert_eq!(error.to_string(), "expected a list of arguments at byte 0, found a string or binary data");
    let error = decode_values(b"[],[]", 2, Serializer::Json).expect_err("two lists");
    assert_eq!(error.to_string(), "expected a map of arguments at byte 3, found a list");
}
