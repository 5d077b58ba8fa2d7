//! WebSocket on real sockets, frame by frame. [RFC 6455, RFC 7692]

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;
#[path = "common/websocket.rs"]
mod websocket;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use process::{Process, RawClient, decode, encode, hello, loopback, node_with};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use websocket::{BINARY, CLOSE, Deflate, PING, PONG, RSV1, TEXT, WebSocketClient, masked};

const DEFLATE: &str = "permessage-deflate; client_max_window_bits";

/// WebSocket with these options, and RawSocket, on one port.
fn start_with(name: &str, options: Value, limits: Value) -> (Process, SocketAddr) {
    let transports = json!([{
        "type": "universal",
        "endpoint": loopback(),
        "rawsocket": {},
        "websocket": { "ws": { "type": "websocket", "options": options } },
        "web": { "paths": { "/": { "type": "json", "value": 1 } } },
    }]);
    let mut router = Process::start(name, &node_with(transports, limits));
    let address = router.tcp_address();
    (router, address)
}

fn start(name: &str, options: Value) -> (Process, SocketAddr) {
    start_with(name, options, json!({}))
}

fn deflate() -> Value {
    json!({ "compression": { "deflate": {} } })
}

#[test]
fn what_breaks_the_protocol_is_answered_with_the_close_code_for_it() {
    let (_router, address) = start("native-ws-codes", json!({ "max_frame_size": 50_000 }));
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("binary where text is wanted", masked(BINARY, b"[48,1,{},\"a.b\"]"), 1003),
        ("an unmasked frame", b"\x81\x02[]".to_vec(), 1002),
        ("RSV1 without an extension", masked(TEXT | RSV1, b"[]"), 1002),
        ("RSV2", masked(TEXT | 0x20, b"[]"), 1002),
        ("RSV3", masked(TEXT | 0x10, b"[]"), 1002),
        ("a reserved opcode", masked(0x83, b"[]"), 1002),
        ("a reserved control opcode", masked(0x8b, b""), 1002),
        ("no UTF-8", masked(TEXT, b"[48,1,{},\"\xff\"]"), 1007),
        ("a surrogate", masked(TEXT, b"\xed\xa0\x80"), 1007),
        ("half a character at the end", [masked(0x01, b"[\"\xc3"), masked(0x80, b"")].concat(), 1007),
        ("a continuation of nothing", masked(0x80, b"x"), 1002),
        ("text within a text", [masked(0x01, b"["), masked(TEXT, b"]")].concat(), 1002),
        ("a fragmented ping", masked(0x09, b""), 1002),
        ("a long ping", masked(PING, &[0; 126]), 1002),
        ("a close of one byte", masked(CLOSE, &[3]), 1002),
        ("a close with a code that is never sent", masked(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("a close with code 999", masked(CLOSE, &999_u16.to_be_bytes()), 1002),
        ("a close whose reason is no text", masked(CLOSE, &[3, 0xe8, 0xff]), 1007),
        ("a frame that is too long", masked(TEXT, &[b' '; 50_001])[..14].to_vec(), 1009),
        ("a length with its highest bit set", [&[0x81, 0xff, 0x80][..], &[0; 11]].concat(), 1002),
    ];
    for (what, bytes, expected) in cases {
        let mut client = WebSocketClient::join(address);
        client.socket.write_all(&bytes).expect("the router reads");
        let (code, reason) = client.expect_close();
        assert_eq!(code, expected, "{what}: {reason}");
    }
}

#[test]
fn a_close_is_echoed_after_what_was_asked_before_it() {
    let (_router, address) = start("native-ws-close", json!({}));
    let mut watcher = RawClient::join(address);
    watcher.subscribe("wamp.session.on_leave");
    for (data, expected) in [
        // Autobahn|JS closes without a code in Node, and takes 1000 alone for an orderly end.
        (&b""[..], &[0x03, 0xe8][..]),
        (&[0x03, 0xe8], &[0x03, 0xe8]),
        (&[0x03, 0xe9, b'b', b'y', b'e'], &[0x03, 0xe9]),
        (&[0x0b, 0xb8], &[0x0b, 0xb8]),
        (&[0x13, 0x87], &[0x13, 0x87]),
    ] {
        let mut client = WebSocketClient::join(address);
        let call = masked(TEXT, br#"[48,1,{},"wamp.session.count"]"#);
        let after = masked(TEXT, br#"[48,2,{},"wamp.session.count"]"#);
        client.socket.write_all(&[call, masked(CLOSE, data), after].concat()).expect("the router reads");
        assert_eq!(client.receive()[0], 50);
        let (first, echo) = client.frame();
        assert_eq!((first, &echo[..]), (CLOSE, expected));
        assert!(client.try_frame().is_none(), "nothing comes after a close");
        assert_eq!(watcher.receive()[0], 36, "it has left");
    }
}

#[test]
fn fragments_with_control_frames_between_them_are_one_message() {
    let (_router, address) = start("native-ws-fragments", json!({}));
    let mut client = WebSocketClient::join(address);
    let call = "[48,1,{},\"no.such.ä\",[\"ü€😀\"]]".as_bytes();
    // One byte in each fragment, so that every character is cut in pieces.
    for (index, byte) in call.iter().enumerate() {
        let opcode = if index == 0 { 0x01 } else { 0x00 };
        client.send_frame(opcode, &[*byte]);
        client.send_frame(PING, &[index as u8]);
        assert_eq!(client.frame(), (PONG, vec![index as u8]));
        client.send_frame(PONG, b"nobody asked");
    }
    client.send_frame(0x80, b"");
    let error = client.receive();
    assert_eq!((&error[0], &error[2]), (&json!(8), &json!(1)), "{error}");
    client.send_frame(PING, &[7; 125]);
    assert_eq!(client.frame(), (PONG, vec![7; 125]));
    client.send_frame(PING, b"");
    assert_eq!(client.frame(), (PONG, vec![]));
}

#[test]
fn a_message_over_the_limit_ends_the_session_however_it_is_cut() {
    let (_router, address) = start_with(
        "native-ws-long",
        deflate(),
        json!({ "message_length": 100_000, "hello_length": 100_000 }),
    );
    let mut whole = WebSocketClient::join(address);
    whole.send_frame(TEXT, &[b' '; 100_001]);
    let abort = whole.receive();
    assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!("wamp.error.protocol_violation")));
    whole.expect_close();

    let mut cut = WebSocketClient::join(address);
    cut.send_frame(0x01, &[b' '; 60_000]);
    cut.send_frame(0x80, &[b' '; 60_000]);
    assert_eq!(cut.receive()[0], 3);
    cut.expect_close();

    let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
    client.hello();
    client.send_frame(TEXT | RSV1, &Deflate::new().deflate(&vec![b' '; 100_001]));
    assert_eq!(client.receive()[0], 3);
    client.expect_close();

    let mut longest = WebSocketClient::join(address);
    let start = r#"[48,1,{},"no.such",[""#;
    let text = format!("{start}{}\"]]", "x".repeat(100_000 - start.len() - 3));
    assert_eq!(text.len(), 100_000);
    longest.send_frame(TEXT, text.as_bytes());
    assert_eq!(longest.receive()[0], 8, "exactly the limit is read");
}

#[test]
fn the_same_bytes_in_any_pieces_get_the_same_answers() {
    let (_router, address) = start("native-ws-pieces", deflate());
    let mut compressor = Deflate::new();
    let long = json!([48, 3, {}, "no.such", ["x".repeat(200)]]).to_string();
    let frames = [
        masked(TEXT, br#"[48,1,{},"no.such"]"#),
        masked(PING, b"one"),
        masked(0x01 | RSV1, &compressor.deflate(br#"[48,2,{},"no.such.other"]"#)),
        masked(PING, b"two"),
        masked(0x80, b""),
        masked(TEXT, long.as_bytes()),
        masked(CLOSE, &[0x03, 0xe8]),
    ];
    let bytes = frames.concat();
    let answers = |pieces: &[&[u8]]| {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
        client.hello();
        for piece in pieces {
            client.socket.write_all(piece).expect("the router reads");
        }
        let mut frames = Vec::new();
        while let Some((first, data)) = client.try_frame() {
            frames.push((first & !RSV1, client.inflate(first, data)));
        }
        // A pong may overtake what is in the same read.
        frames.sort_by_key(|(first, _)| *first == PONG);
        frames
    };
    let whole = answers(&[&bytes]);
    assert_eq!(whole.len(), 6, "three errors, a close, two pongs: {whole:?}");
    for cut in 1..bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(answers(&[a, b]), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(answers(&single), whole, "byte by byte");
}

#[test]
fn compression_works_both_ways_with_and_without_memory() {
    let forgetful = json!({ "compression": { "deflate": {
        "request_no_context_takeover": true, "no_context_takeover": true,
    } } });
    let (_r1, remembers) = start("native-ws-deflate", deflate());
    let (_r2, forgets) = start("native-ws-forgets", forgetful);
    let offers = "permessage-deflate; client_no_context_takeover; server_no_context_takeover; \
                  client_max_window_bits";
    for (address, offer) in [(remembers, DEFLATE), (forgets, offers), (remembers, offers)] {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json", offer);
        assert!(client.extensions.contains("permessage-deflate"), "{}", client.extensions);
        let client_forgets = client.extensions.contains("client_no_context_takeover");
        client.hello();
        let mut sender = Deflate::new();
        let random: String = (0..3_000_u32).map(|n| char::from(b'a' + (n * n % 251 % 26) as u8)).collect();
        for number in 1..=20 {
            let call = json!([48, number, {}, "no.such", [random]]).to_string();
            if client_forgets {
                sender = Deflate::new();
            }
            client.send_frame(TEXT | RSV1, &sender.deflate(call.as_bytes()));
            assert_eq!(client.receive()[2], number);
        }
        // Large enough to be compressed by the router.
        client.send_frame(TEXT, br#"[32,21,{},"com.example.topic"]"#);
        assert_eq!(client.receive()[0], 33);
        let mut publisher = RawClient::join(address);
        for number in 0..10 {
            publisher.publish("com.example.topic", json!([number, random]));
            let (first, data) = client.frame();
            assert_eq!(first, TEXT | RSV1);
            assert!(data.len() < random.len(), "it is compressed");
            let event: Value = serde_json::from_slice(&client.inflate(first, data)).expect("JSON");
            assert_eq!(event[4], json!([number, random]));
        }
    }
}

#[test]
fn a_message_that_does_not_compress_may_be_as_long_as_any_other() {
    const LIMIT: usize = 100_000;
    let options = json!({ "max_message_size": LIMIT, "compression": { "deflate": {} } });
    let (_router, address) = start("native-ws-incompressible", options);
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(LIMIT + 1)
    .collect();
    // A CALL with one argument of bytes, in MessagePack.
    let call = |length: usize, request: u8| {
        let head = [&[0x95, 48, request, 0x80, 0xa7], &b"no.such"[..], &[0x91, 0xc6]].concat();
        let rest = length - head.len() - 4;
        [&head[..], &(rest as u32).to_be_bytes(), &noise[..rest]].concat()
    };
    let message_type = |client: &mut WebSocketClient| {
        let (first, data) = client.frame();
        decode(&client.inflate(first, data), Serializer::MsgPack)[0].take()
    };
    let join = || {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.msgpack", DEFLATE);
        client.send_frame(BINARY, &encode(&hello(), Serializer::MsgPack));
        assert_eq!(message_type(&mut client), 2);
        client
    };
    for level in [Compression::none(), Compression::fast(), Compression::best()] {
        let mut sender = Deflate::with_level(level);
        let mut client = join();
        let longest = sender.deflate(&call(LIMIT, 1));
        assert!(longest.len() > LIMIT, "it did not become shorter");
        client.send_frame(BINARY | RSV1, &longest);
        assert_eq!(message_type(&mut client), 8);
        let longest = sender.deflate(&call(LIMIT, 2));
        client.send_frame(0x02 | RSV1, b"");
        client.send_frame(0x80, &longest);
        assert_eq!(message_type(&mut client), 8, "and in fragments");
        client.send_frame(BINARY | RSV1, &sender.deflate(&call(LIMIT + 1, 3)));
        assert_eq!(client.expect_close().0, 1009, "the limit is that of the message itself");
    }
    let mut client = join();
    client.send_frame(BINARY, &call(LIMIT + 1, 1));
    assert_eq!(client.expect_close().0, 1009, "as it is where it is not compressed");
}

#[test]
fn bytes_that_are_no_deflate_stream_are_a_failure() {
    let (_router, address) = start("native-ws-no-deflate", deflate());
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\x07", b"hello, this is no deflate stream"] {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
        client.hello();
        client.send_frame(TEXT | RSV1, bytes);
        let (code, reason) = client.expect_close();
        assert!(matches!(code, 1002 | 1007), "{code}: {reason}");
    }
}

#[test]
fn decompression_bombs_take_no_more_memory_than_one_message_may_have() {
    let (router, address) = start_with("native-ws-bomb", deflate(), json!({ "message_length": 4 << 20 }));
    let mut witness = RawClient::join(address);
    let before = router.memory_kib();
    let bomb = Deflate::new().deflate(&vec![b' '; 64 << 20]);
    let mut most = 0;
    for _ in 0..5 {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
        client.hello();
        client.send_frame(TEXT | RSV1, &bomb);
        assert_eq!(client.receive()[0], 3, "an ABORT");
        most = most.max(router.memory_kib());
    }
    // Many messages of the longest length, which together are a few kilobytes on the wire.
    let mut sender = Deflate::new();
    let mut bytes = Vec::new();
    let mut text = vec![b' '; 4 << 20];
    for number in 1..=60 {
        let publish = json!([16, number, {}, "com.example.bomb"]).to_string();
        text[..publish.len()].copy_from_slice(publish.as_bytes());
        bytes.extend(masked(TEXT | RSV1, &sender.deflate(&text)));
        text[..publish.len()].fill(b' ');
    }
    let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
    client.hello();
    bytes.extend(masked(TEXT, br#"[48,61,{},"wamp.session.count"]"#));
    client.socket.write_all(&bytes).expect("the router reads");
    let watching = thread::spawn(move || (client.receive(), client));
    while !watching.is_finished() {
        most = most.max(router.memory_kib());
    }
    let (reply, _client) = watching.join().expect("a thread");
    assert_eq!(reply[0], 50, "240 MiB in {} bytes are read: {reply}", bytes.len());
    let grown = most.max(router.memory_kib()).saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB");
    witness.call("wamp.session.count", json!([]));
}

#[test]
fn batches_of_every_serializer_are_read_and_written() {
    let (_router, address) = start("native-ws-batched", json!({}));
    for serializer in [Serializer::Json, Serializer::MsgPack, Serializer::Cbor] {
        let protocol = format!("wamp.2.{}.batched", serializer.name());
        let opcode = if serializer == Serializer::Json { TEXT } else { BINARY };
        let batch = |messages: &[Value]| {
            let mut batch = Vec::new();
            for message in messages {
                let message = encode(message, serializer);
                if serializer == Serializer::Json {
                    batch.extend_from_slice(&message);
                    batch.push(0x1e);
                } else {
                    batch.extend_from_slice(&(message.len() as u32).to_be_bytes());
                    batch.extend_from_slice(&message);
                }
            }
            batch
        };
        let unbatch = |mut batch: &[u8]| {
            let mut messages = Vec::new();
            while !batch.is_empty() {
                let length;
                if serializer == Serializer::Json {
                    length = batch.iter().position(|byte| *byte == 0x1e).expect("each has its end");
                    messages.push(decode(&batch[..length], serializer));
                    batch = &batch[length + 1..];
                } else {
                    length = u32::from_be_bytes(*batch.first_chunk().expect("a length")) as usize;
                    messages.push(decode(&batch[4..4 + length], serializer));
                    batch = &batch[4 + length..];
                }
            }
            messages
        };
        let mut client = WebSocketClient::connect(address, &protocol);
        client.send_frame(opcode, &batch(&[hello()]));
        let welcome = client.frame();
        assert_eq!((welcome.0, unbatch(&welcome.1)[0][0].clone()), (opcode, json!(2)));
        let calls: Vec<Value> = (1..=3_000).map(|n| json!([48, n, {}, "wamp.session.count"])).collect();
        client.send_frame(opcode, &batch(&calls));
        let mut replies = Vec::new();
        let mut frames = 0;
        while replies.len() < 3_000 {
            replies.extend(unbatch(&client.frame().1));
            frames += 1;
        }
        assert!(replies.iter().enumerate().all(|(n, reply)| reply[1] == n as u64 + 1), "in order");
        assert!(frames < 100, "{frames} batches for 3000 answers");
        let malformed: Vec<Vec<u8>> = match serializer {
            Serializer::Json => vec![vec![], vec![0x1e], b"[48,1".to_vec(), b"\x1e\x1e".to_vec()],
            _ => vec![vec![], vec![0, 0, 0], vec![0, 0, 0, 5, 1], vec![0xff; 8], vec![0; 4]],
        };
        for bytes in malformed {
            let mut client = WebSocketClient::connect(address, &protocol);
            client.send_frame(opcode, &batch(&[hello()]));
            client.frame();
            client.send_frame(opcode, &bytes);
            let mut last = None;
            while let Some(frame) = client.try_frame() {
                last = Some(frame);
            }
            let (first, data) = last.expect("a close");
            assert_eq!((first, &data[..2]), (CLOSE, &1002_u16.to_be_bytes()[..]), "{bytes:x?}");
        }
    }
}

#[test]
fn a_batch_of_nothing_but_separators_takes_little_memory() {
    let (router, address) = start("native-ws-separators", deflate());
    let before = router.memory_kib();
    let mut most = 0;
    for separators in [vec![0x1e; 16 << 20], b"1\x1e".repeat(8 << 20)] {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json.batched", DEFLATE);
        client.send_frame(TEXT, format!("{}\x1e", hello()).as_bytes());
        client.frame();
        client.send_frame(TEXT | RSV1, &Deflate::new().deflate(&separators));
        let watching = thread::spawn(move || while client.try_frame().is_some() {});
        while !watching.is_finished() {
            most = most.max(router.memory_kib());
        }
        watching.join().expect("a thread");
    }
    let grown = most.max(router.memory_kib()).saturating_sub(before);
    assert!(grown < 96 << 10, "{grown} KiB");
}

#[test]
fn long_messages_are_sent_in_fragments_where_that_is_wanted() {
    let (_router, address) = start("native-ws-auto-fragment", json!({ "auto_fragment_size": 1_000 }));
    let mut client = WebSocketClient::connect(address, "wamp.2.json");
    client.send(&hello());
    let message = |client: &mut WebSocketClient| {
        let (mut data, mut frames) = (Vec::new(), 0);
        loop {
            let (first, part) = client.frame();
            assert_eq!(first & 0x0f, u8::from(frames == 0), "text, then continuations");
            assert!(part.len() <= 1_000);
            frames += 1;
            data.extend(part);
            if first & 0x80 != 0 {
                return serde_json::from_slice::<Value>(&data).expect("JSON");
            }
        }
    };
    assert_eq!(message(&mut client)[0], 2);
    client.post(32, &[json!({}), json!("com.example.topic")]);
    assert_eq!(message(&mut client)[0], 33);
    let mut publisher = RawClient::join(address);
    publisher.publish("com.example.topic", json!(["x".repeat(10_000)]));
    assert_eq!(message(&mut client)[4][0].as_str().map(str::len), Some(10_000));
}

#[test]
fn a_peer_that_answers_no_ping_leaves_and_one_that_does_stays() {
    let options = json!({ "auto_ping_interval": 200, "auto_ping_timeout": 300, "auto_ping_size": 12 });
    let (_router, address) = start("native-ws-auto-ping", options);
    let mut watcher = RawClient::join(address);
    watcher.subscribe("wamp.session.on_leave");
    let mut alive = WebSocketClient::join(address);
    let mut dead = WebSocketClient::connect(address, "wamp.2.json");
    let id = dead.hello();
    for _ in 0..4 {
        let (first, data) = alive.frame();
        assert_eq!((first, data.len()), (PING, 12));
        alive.send_frame(PONG, &data);
    }
    assert_eq!(watcher.receive()[4][0], id, "the dead one has left");
    assert_eq!(dead.frame().0, PING);
    assert!(!matches!(dead.try_frame(), Some((PING, _))), "one ping, and then the end");
}

#[test]
fn a_peer_whose_burst_takes_longer_than_it_has_for_an_answer_to_a_ping_stays() {
    let options = json!({ "auto_ping_interval": 100, "auto_ping_timeout": 100 });
    let (_router, address) = start("native-ws-ping-in-a-burst", options);
    let mut subscribers: Vec<RawClient> = (0..300).map(|_| RawClient::join(address)).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("a.b");
    }
    // The router reads it at once, and has nothing to read from this peer until all of it is handled.
    let messages =
        (1..=1_600).map(|id| json!([16, id, {}, "a.b"])).chain([json!([48, 1_601, {}, "no.such"])]);
    let burst: Vec<u8> = messages.flat_map(|message| masked(TEXT, message.to_string().as_bytes())).collect();
    let mut publisher = WebSocketClient::join(address);
    publisher.socket.write_all(&burst).expect("the router reads");
    loop {
        let (first, data) = publisher.frame();
        if first == TEXT {
            return assert!(data.starts_with(b"[8,48,1601,"), "{data:?}");
        }
        publisher.send_frame(PONG, &data);
    }
}

#[test]
fn a_peer_that_answers_its_pings_is_pinged_at_the_interval_whatever_time_it_has_to_answer() {
    // Otherwise the second ping comes after an hour.
    let options = json!({ "auto_ping_interval": 100, "auto_ping_timeout": 3_600_000 });
    let (_router, address) = start("native-ws-ping-interval", options);
    let mut client = WebSocketClient::join(address);
    for takes_long in [false, false, true, false] {
        let (first, data) = client.frame();
        assert_eq!(first, PING);
        if takes_long {
            // Longer than the interval, and nothing like the timeout.
            thread::sleep(Duration::from_millis(300));
        }
        client.send_frame(PONG, &data);
    }
}

#[test]
fn a_peer_with_any_time_to_answer_is_pinged_again_and_stays() {
    let options = json!({ "auto_ping_interval": 100, "auto_ping_timeout": 0 });
    let (_router, address) = start("native-ws-ping-for-ever", options);
    let mut silent = WebSocketClient::join(address);
    for _ in 0..4 {
        assert_eq!(silent.frame().0, PING);
    }
    silent.send(&json!([48, 1, {}, "no.such"]));
    loop {
        match silent.frame() {
            (PING, _) => {}
            (first, data) => {
                return assert!(first == TEXT && data.starts_with(b"[8,48,1,"), "{first} {data:?}");
            }
        }
    }
}

#[test]
fn a_message_may_be_longer_than_a_hello_however_soon_it_follows() {
    let (_router, address) =
        start_with("native-ws-behind-hello", deflate(), json!({ "hello_length": 2_000 }));
    let call = json!([48, 1, {}, "no.such", ["x".repeat(3_000)]]).to_string();
    let long = masked(TEXT, call.as_bytes());
    for (extensions, long) in [
        ("", long.clone()),
        (DEFLATE, long),
        (DEFLATE, {
            let noise: String = (0..3_000u32).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
            let call = json!([48, 1, {}, "no.such", [noise]]).to_string();
            masked(TEXT | RSV1, &Deflate::new().deflate(call.as_bytes()))
        }),
    ] {
        let mut client = WebSocketClient::connect_with(address, "wamp.2.json", extensions);
        let hello = masked(TEXT, hello().to_string().as_bytes());
        client.socket.write_all(&[hello, long].concat()).expect("the router reads");
        assert_eq!(client.receive()[0], 2, "a WELCOME");
        assert_eq!(client.receive()[0], 8, "no such procedure");
    }
}

#[test]
fn no_handshake_is_agreed_to_where_no_transport_may_be_opened() {
    let (_router, address) = start_with("native-ws-full", json!({}), json!({ "transports": 1 }));
    let _first = RawClient::join(address);
    let head = "GET /ws HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n\
                Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
                Sec-WebSocket-Protocol: wamp.2.json";
    assert_eq!(http::request(address, head).status, 503);
    let mut rawsocket = process::connect(address);
    rawsocket.write_all(&[0x7f, 0xf1, 0, 0]).expect("the router reads");
    let mut reply = Vec::new();
    rawsocket.read_to_end(&mut reply).expect("the end of the stream");
    assert_eq!(reply, [0x7f, 0x40, 0, 0], "too many connections");
}

#[test]
fn who_says_nothing_does_not_hold_up_the_end() {
    let web =
        json!({ "paths": { "/": { "type": "json", "value": 1 } }, "options": { "client_timeout": 600 } });
    let transports = json!([{ "type": "universal", "endpoint": loopback(), "rawsocket": {}, "web": web }]);
    // It would be waited for, for as long.
    let limits = json!({ "goodbye_timeout_ms": 600_000 });
    let mut router = Process::start("native-silent-end", &node_with(transports, limits));
    let address = router.tcp_address();
    let mut silent = process::connect(address);
    let mut begun = process::connect(address);
    begun.write_all(&[0x7f]).expect("the router reads");
    // What came behind them has been seen, and so have they.
    drop(RawClient::join(address));
    router.signal("TERM");
    for socket in [&mut silent, &mut begun] {
        assert_eq!(socket.read(&mut [0]).unwrap_or_default(), 0, "the end of the stream");
    }
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn a_router_that_hangs_up_says_goodbye_over_rawsocket_alone() {
    let transports = json!([{
        "type": "universal",
        "endpoint": loopback(),
        "rawsocket": {},
        "websocket": { "ws": { "type": "websocket" } },
    }]);
    let mut router =
        Process::start_as("native-ws-hang-up", &node_with(transports, json!({})), &["--hang-up"]);
    let address = router.tcp_address();
    let mut browser = WebSocketClient::join(address);
    let mut component = RawClient::join(address);
    router.signal("TERM");
    // No close, by which a browser would say that all was well.
    assert_eq!(browser.socket.read(&mut [0]).expect("the end of the stream"), 0);
    assert_eq!(component.receive()[2], "wamp.close.system_shutdown");
    drop((browser, component));
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn a_peer_that_never_answers_a_close_is_not_waited_for() {
    let (_router, address) = start("native-ws-no-answer", json!({ "close_handshake_timeout": 300 }));
    let mut client = WebSocketClient::join(address);
    client.send(&json!([99]));
    assert_eq!(client.receive()[0], 3);
    client.expect_close();
    // The socket is closed at last: writing fails.
    for _ in 0..200 {
        if client.socket.write_all(b"x").is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the socket is still open");
}

#[test]
fn whoever_breaks_the_protocol_or_closes_has_left_for_the_others_at_once() {
    // It has a day to answer the close.
    let (_router, address) = start("native-ws-left", json!({ "close_handshake_timeout": 86_400_000 }));
    let mut watcher = RawClient::join(address);
    watcher.subscribe("wamp.session.on_leave");
    let mut client = WebSocketClient::connect(address, "wamp.2.json");
    let id = client.hello();
    client.send_frame(BINARY, b"x");
    assert_eq!(watcher.receive()[4][0], id);
    assert_eq!(client.expect_close().0, 1003);
}

#[test]
fn a_half_closed_websocket_gets_the_answers_and_a_close() {
    let (_router, address) = start("native-ws-half", json!({}));
    let mut client = WebSocketClient::join(address);
    client.send(&json!([48, 1, {}, "wamp.session.count"]));
    client.socket.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(client.receive()[0], 50);
    let mut rest = Vec::new();
    client.socket.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest.first(), Some(&CLOSE));
}

#[test]
fn a_websocket_that_ends_gets_what_waits_for_it_however_long_it_has_to_answer_the_close() {
    let options = json!({ "close_handshake_timeout": 50, "compression": { "deflate": {} } });
    let (_router, address) = start_with("native-ws-end", options, json!({ "goodbye_timeout_ms": 60_000 }));
    let mut callee = RawClient::join(address);
    callee.request(64, &[json!({}), json!("com.example.big")]);
    // What compresses badly, so that it waits.
    let payload: String =
        (0..400_000_u32).map(|number| format!("{:x} ", number.wrapping_mul(0x9e37_79b9))).collect();
    for (extensions, half_closes) in [("", false), (DEFLATE, true)] {
        let mut caller = WebSocketClient::connect_with(address, "wamp.2.json", extensions);
        caller.hello();
        for _ in 0..4 {
            caller.post(48, &[json!({}), json!("com.example.big")]);
            let invocation = callee.receive();
            callee.send(&json!([70, invocation[1], {}, [payload]]));
        }
        callee.call("wamp.session.count", json!([]));
        if half_closes {
            caller.socket.shutdown(Shutdown::Write).expect("a socket");
        } else {
            caller.send_frame(CLOSE, &1000_u16.to_be_bytes());
        }
        thread::sleep(Duration::from_millis(300));
        for number in 1..=4 {
            let reply = caller.receive();
            assert_eq!((&reply[0], &reply[1]), (&json!(50), &json!(number)));
        }
        assert_eq!(caller.expect_close().0, 1000);
    }
}

#[test]
fn a_limit_of_the_listener_is_named_as_it_is() {
    let (_router, address) = start("native-ws-own-limit", json!({ "max_message_size": 5_000 }));
    let mut client = WebSocketClient::join(address);
    client.send_frame(TEXT, &[b' '; 5_001]);
    let mut said = String::new();
    while let Some((_, data)) = client.try_frame() {
        said.push_str(&String::from_utf8_lossy(&data));
    }
    assert!(said.contains("5000") && said.contains("5001"), "{said}");
}
