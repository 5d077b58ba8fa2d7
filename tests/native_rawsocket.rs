//! RawSocket on real sockets, octet by octet.

#[path = "common/process.rs"]
mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};

use process::{PATIENCE, Process, RawClient, connect, decode, encode, hello, loopback, node, node_with};
use serde_json::{Value, json};
use wamplet::codec::Serializer;

const LONGEST: usize = 1 << 24;

fn rawsocket() -> Value {
    json!([{ "type": "rawsocket", "endpoint": loopback() }])
}

fn start(name: &str, limits: Value) -> (Process, SocketAddr) {
    let mut router = Process::start(name, &node_with(rawsocket(), limits));
    let address = router.tcp_address();
    (router, address)
}

fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = body.len().to_be_bytes();
    let first = if body.len() == LONGEST { first | 8 } else { first };
    [&[first, a, b, c], body].concat()
}

/// The first octet, and the body; `None` at the end of the stream.
fn read_frame(socket: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 4];
    socket.read_exact(&mut header).ok()?;
    let [first, a, b, c] = header;
    let length = if first & 8 == 0 { u32::from_be_bytes([0, a, b, c]) as usize } else { LONGEST };
    let mut body = vec![0; length];
    socket.read_exact(&mut body).ok()?;
    Some((first, body))
}

fn read_message(socket: &mut impl Read, serializer: Serializer) -> Value {
    let (first, body) = read_frame(socket).expect("the router is there");
    assert_eq!(first & 7, 0, "a message");
    decode(&body, serializer)
}

fn converse(mut socket: impl Read + Write, number: u8, serializer: Serializer) {
    socket.write_all(&[0x7f, 0xf0 | number, 0, 0]).expect("the router reads");
    let mut reply = [0; 4];
    socket.read_exact(&mut reply).expect("the router answers");
    assert_eq!(reply, [0x7f, 0xf0 | number, 0, 0]);
    for message in [
        hello(),
        json!([64, 1, {}, "com.example.echo"]),
        json!([48, 2, {}, "com.example.echo", ["ä", 1.5, null, 4_000_000_000_u64]]),
    ] {
        socket.write_all(&frame(0, &encode(&message, serializer))).expect("the router reads");
    }
    assert_eq!(read_message(&mut socket, serializer)[0], 2);
    assert_eq!(read_message(&mut socket, serializer)[0], 65);
    let invocation = read_message(&mut socket, serializer);
    let yielded = json!([70, invocation[1], {}, invocation[4]]);
    socket.write_all(&frame(0, &encode(&yielded, serializer))).expect("the router reads");
    let result = read_message(&mut socket, serializer);
    assert_eq!(result, json!([50, 2, {}, ["ä", 1.5, null, 4_000_000_000_u64]]));
}

#[test]
fn every_serializer_is_spoken_over_tcp_and_over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("wamplet-native-raw-{}.sock", std::process::id()));
    let transports = json!([
        { "type": "rawsocket", "endpoint": loopback() },
        { "type": "rawsocket", "endpoint": { "type": "unix", "path": path } },
    ]);
    let mut router = Process::start("native-serializers", &node(transports));
    let address = router.tcp_address();
    let path = router.unix_path();
    for (number, serializer) in [(1, Serializer::Json), (2, Serializer::MsgPack), (3, Serializer::Cbor)] {
        converse(connect(address), number, serializer);
        let socket = UnixStream::connect(&path).expect("the router listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        converse(socket, number, serializer);
    }
}

#[test]
fn a_unix_socket_lets_clients_of_other_users_in_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("wamplet-native-umask-{}.sock", std::process::id()));
    let listener = json!([{ "type": "rawsocket", "endpoint": { "type": "unix", "path": path } }]);
    let mut router = Process::start("native-umask", &node(listener));
    let mode = std::fs::metadata(router.unix_path()).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "connecting takes the right to write");
}

#[test]
fn a_socket_of_somebody_else_is_left_where_it_is() {
    let path = std::env::temp_dir().join(format!("wamplet-native-foreign-{}.sock", std::process::id()));
    let listener = json!([{ "type": "rawsocket", "endpoint": { "type": "unix", "path": path } }]);
    // Nobody listens there, and it is in use.
    let foreign = UnixDatagram::bind(&path).expect("a free path");
    let mut refused = Process::start("native-foreign", &node(listener.clone()));
    refused.wait_for("cannot listen on unix");
    assert_eq!(refused.exit_code(), Some(3));
    drop(foreign);
    std::fs::remove_file(&path).expect("it is still there");
    // One that took the place of the router's own.
    let mut first = Process::start("native-first", &node(listener.clone()));
    first.unix_path();
    std::fs::remove_file(&path).expect("the router's");
    let mut second = Process::start("native-second", &node(listener));
    second.unix_path();
    first.signal("TERM");
    assert_eq!(first.exit_code(), Some(0));
    UnixStream::connect(&path).expect("the second one listens");
}

#[test]
fn a_bad_handshake_gets_its_error_and_a_clean_end_even_with_more_bytes_behind_it() {
    let (_router, address) = start("native-handshake", json!({}));
    for (octets, expected) in [
        ([0x7f, 0xf0, 0, 0], &[0x7f, 0x10, 0, 0][..]),
        ([0x7f, 0xf4, 0, 0], &[0x7f, 0x10, 0, 0]),
        ([0x7f, 0xff, 0, 0], &[0x7f, 0x10, 0, 0]),
        ([0x7f, 0xf1, 1, 0], &[0x7f, 0x30, 0, 0]),
        ([0x7f, 0xf1, 0, 0x80], &[0x7f, 0x30, 0, 0]),
        ([0x7e, 0xf1, 0, 0], &[]),
    ] {
        let mut socket = connect(address);
        // A client that does not wait for the answer.
        let early = frame(0, hello().to_string().as_bytes());
        socket.write_all(&[&octets[..], &early, &vec![b' '; 50_000]].concat()).expect("the router reads");
        let mut answer = Vec::new();
        let end = socket.read_to_end(&mut answer);
        assert_eq!(answer, expected, "{octets:x?}");
        if !expected.is_empty() {
            end.expect("an end of the stream, no reset, which might overtake the answer");
        }
    }
}

#[test]
fn a_connection_that_ends_before_its_handshake_is_not_said_to_have_been_late() {
    let one_port =
        json!([{ "type": "universal", "endpoint": loopback(), "rawsocket": {}, "web": { "paths": {} } }]);
    for (name, transports) in [("native-looks", rawsocket()), ("native-looks-at-one-port", one_port)] {
        let mut router = Process::start(name, &node(transports));
        let address = router.tcp_address();
        drop(connect(address));
        connect(address).write_all(b"\x7f\xf1").expect("it is there");
        let line = router.wait_for("rejected connection");
        assert!(line.contains("reason=\"the connection ended before its RawSocket handshake\""), "{line}");
    }
}

#[test]
fn reserved_bits_and_types_end_the_connection() {
    let (_router, address) = start("native-reserved", json!({}));
    for header in [
        [0x03, 0, 0, 1],
        [0x04, 0, 0, 1],
        [0x07, 0, 0, 1],
        [0x10, 0, 0, 1],
        [0x80, 0, 0, 1],
        [0x08, 0, 0, 1],
        [0x0f, 0, 0, 0],
    ] {
        let mut client = RawClient::join(address);
        client.socket.write_all(&[&header[..], b"x"].concat()).expect("the router reads");
        assert!(client.try_receive().is_none(), "{header:x?}");
    }
}

#[test]
fn every_ping_gets_one_pong_with_its_payload_among_the_messages() {
    let (_router, address) = start("native-ping", json!({}));
    let mut client = RawClient::join(address);
    let call = |number: u64| frame(0, json!([48, number, {}, "wamp.session.count"]).to_string().as_bytes());
    let bytes = [
        frame(1, b""),
        call(1),
        frame(1, b"two"),
        frame(2, b"a pong that nobody asked for"),
        frame(1, &vec![7; 70_000]),
        call(2),
        frame(1, b"last"),
    ];
    client.socket.write_all(&bytes.concat()).expect("the router reads");
    let mut pongs = Vec::new();
    let mut results = Vec::new();
    for _ in 0..6 {
        let (first, body) = read_frame(&mut client.socket).expect("the router is there");
        match first {
            2 => pongs.push(body),
            0 => results.push(serde_json::from_slice::<Value>(&body).expect("JSON")[1].clone()),
            _ => panic!("a frame with {first:#x}"),
        }
    }
    assert_eq!(pongs, [vec![], b"two".to_vec(), vec![7; 70_000], b"last".to_vec()]);
    assert_eq!(results, [1, 2]);
    client.socket.write_all(&call(3)).expect("the router reads");
    assert_eq!(client.receive()[1], 3, "nothing else came");
}

#[test]
fn a_ping_as_long_as_a_message_may_be_gets_its_pong() {
    let (_router, address) = start("native-long-ping", json!({}));
    let mut client = RawClient::join(address);
    let body = vec![9; LONGEST];
    let mut writer = client.socket.try_clone().expect("a second handle");
    let sent = frame(1, &body);
    let writing = std::thread::spawn(move || writer.write_all(&sent));
    let (first, pong) = read_frame(&mut client.socket).expect("a pong");
    assert!(first == 0x0a && pong == body, "the pong has the ping's payload");
    writing.join().expect("a thread").expect("the router reads");

    let (_router, address) = start("native-small-queue", json!({ "queue_length": 8_192 }));
    let mut client = RawClient::join(address);
    client.socket.write_all(&frame(1, &[9; 20_000])).expect("the router reads");
    assert_eq!(read_frame(&mut client.socket), Some((2, vec![9; 20_000])), "one frame is let in in any case");
}

/// `[70,N,{},["xxx"]]` or the like, of exactly this length.
fn padded(start: &str, end: &str, length: usize) -> Vec<u8> {
    [start, &"x".repeat(length - start.len() - end.len()), end].concat().into_bytes()
}

#[test]
fn messages_of_exactly_the_longest_length_pass_both_ways_and_one_byte_more_does_not() {
    let limits = json!({ "queue_length": 64 << 20 });
    let (_router, address) = start("native-longest", limits);
    let mut callee = RawClient::join(address);
    callee.request(64, &[json!({}), json!("a.b")]);
    let mut caller = RawClient::join(address);

    // INVOCATION is longer than the CALL, so the payload is what makes the RESULT exactly 2^24.
    caller.post(48, &[json!({}), json!("a.b"), json!([])]);
    let invocation = callee.receive();
    let result = json!([50, 1, {}, ["~"]]).to_string();
    let (start_of_result, end) = result.split_once('~').expect("a mark");
    let payload = "x".repeat(LONGEST - start_of_result.len() - end.len());
    let yielded = json!([70, invocation[1], {}, [payload]]).to_string();
    assert_eq!(yielded.len(), LONGEST, "both have ids of one digit");
    callee.socket.write_all(&frame(0, yielded.as_bytes())).expect("the router reads");
    let (first, body) = read_frame(&mut caller.socket).expect("the result");
    assert_eq!((first, body.len()), (8, LONGEST), "the one length that 24 bits do not hold");
    let result: Value = serde_json::from_slice(&body).expect("JSON");
    assert!(result[3][0] == *payload);

    // An EVENT has a publication id, and so is longer than this PUBLISH: over the limit, it is not sent.
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("a.b");
    let publish = padded(r#"[16,2,{},"a.b",[""#, r#""]]"#, LONGEST - 2);
    caller.socket.write_all(&frame(0, &publish)).expect("the router reads");
    caller.socket.write_all(&frame(0, br#"[16,3,{},"a.b",["short"]]"#)).expect("the router reads");
    let event = subscriber.receive();
    assert_eq!(event[4], json!(["short"]), "the one before was too long for everybody");
}

#[test]
fn a_peer_that_announced_little_gets_no_more_and_a_caller_is_told() {
    let (_router, address) = start("native-small-peer", json!({}));
    let mut other = RawClient::join(address);
    for (octet, longest) in [(0x11, 1_024), (0x21, 2_048), (0x31, 4_096)] {
        let mut socket = connect(address);
        socket.write_all(&[0x7f, octet, 0, 0]).expect("the router reads");
        let mut reply = [0; 4];
        socket.read_exact(&mut reply).expect("the router answers");
        assert_eq!(reply, [0x7f, 0xf1, 0, 0], "the router announces its own length");
        socket.write_all(&frame(0, hello().to_string().as_bytes())).expect("the router reads");
        assert_eq!(read_message(&mut socket, Serializer::Json)[0], 2);
        let say = |socket: &mut TcpStream, message: Value| {
            socket.write_all(&frame(0, message.to_string().as_bytes())).expect("the router reads");
        };
        say(&mut socket, json!([32, 1, {}, "com.example.topic"]));
        assert_eq!(read_message(&mut socket, Serializer::Json)[0], 33);
        say(&mut socket, json!([64, 2, {}, format!("com.example.small{longest}")]));
        assert_eq!(read_message(&mut socket, Serializer::Json)[0], 65);
        other.publish("com.example.topic", json!(["x".repeat(longest)]));
        other.publish("com.example.topic", json!(["short"]));
        assert_eq!(read_message(&mut socket, Serializer::Json)[4], json!(["short"]));
        let arguments = json!(["x".repeat(longest)]);
        let error = other.request(48, &[json!({}), json!(format!("com.example.small{longest}")), arguments]);
        assert_eq!((&error[0], &error[4]), (&json!(8), &json!("wamp.error.payload_size_exceeded")));
        // And as a caller.
        let echo = format!("com.example.large{longest}");
        other.request(64, &[json!({}), json!(echo)]);
        say(&mut socket, json!([48, 3, {}, echo]));
        let invocation = other.receive();
        other.send(&json!([70, invocation[1], {}, ["x".repeat(longest)]]));
        let error = read_message(&mut socket, Serializer::Json);
        assert_eq!(
            (&error[0], &error[2], &error[4]),
            (&json!(8), &json!(3), &json!("wamp.error.payload_size_exceeded"))
        );
    }
}

#[test]
fn a_peer_that_takes_512_bytes_gets_no_more_and_does_not_wait_in_vain() {
    let (_router, address) = start("native-512", json!({ "hello_timeout_ms": 86_400_000 }));
    for (number, serializer) in [(1, Serializer::Json), (2, Serializer::MsgPack), (3, Serializer::Cbor)] {
        let mut socket = connect(address);
        socket.write_all(&[0x7f, number, 0, 0]).expect("the router reads");
        let mut reply = [0; 4];
        socket.read_exact(&mut reply).expect("the router answers");
        socket.write_all(&frame(0, &encode(&hello(), serializer))).expect("the router reads");
        // What is longer is not sent: then the connection ends.
        let mut header = [0; 4];
        match socket.read_exact(&mut header) {
            Ok(()) => assert!(u32::from_be_bytes(header) <= 512, "{header:x?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        }
    }
}

#[test]
fn a_message_may_be_longer_than_a_hello_however_soon_it_follows() {
    let (_router, address) = start("native-behind-hello", json!({ "hello_length": 2_000 }));
    let long = json!([48, 1, {}, "no.such", ["x".repeat(3_000)]]);
    let mut client = RawClient::connect(address);
    let both = [hello(), long].map(|message| frame(0, message.to_string().as_bytes())).concat();
    client.socket.write_all(&both).expect("the router reads");
    assert_eq!(client.receive()[0], 2, "a WELCOME");
    assert_eq!(client.receive()[0], 8, "no such procedure");
}

#[test]
fn the_same_bytes_in_any_pieces_get_the_same_answers() {
    let (_router, address) = start("native-pieces", json!({}));
    let messages = [
        json!([48, 1, {}, "no.such"]),
        json!([32, 2, {}, "com.example.topic"]),
        json!([16, 3, {}, "x.y", [1]]),
        json!([48, 4, {}, "no.such.either"]),
    ];
    let mut bytes = vec![];
    for message in &messages {
        bytes.extend(frame(0, message.to_string().as_bytes()));
        bytes.extend(frame(1, b"ping"));
    }
    let answers = |pieces: &[&[u8]]| {
        let mut client = RawClient::join(address);
        for piece in pieces {
            client.socket.write_all(piece).expect("the router reads");
        }
        let (mut replies, mut pongs) = (Vec::new(), 0);
        // A pong may overtake the answers to what came in the same read.
        while replies.len() + pongs < 7 {
            match read_frame(&mut client.socket).expect("the router is there") {
                (2, body) if body == b"ping" => pongs += 1,
                // The id of a subscription is the router's.
                (_, body) => {
                    replies.push(String::from_utf8(body).expect("text").replace(char::is_numeric, ""))
                }
            }
        }
        (replies, pongs)
    };
    let whole = answers(&[&bytes]);
    assert_eq!((whole.0.len(), whole.1), (3, 4), "{whole:?}");
    for cut in 1..bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(answers(&[a, b]), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(answers(&single), whole, "byte by byte");
}

#[test]
fn many_frames_in_one_write_are_all_answered_in_order() {
    let (_router, address) = start("native-many", json!({}));
    let mut client = RawClient::join(address);
    let mut bytes = Vec::new();
    for number in 1..=5_000 {
        bytes.extend(frame(0, json!([48, number, {}, "wamp.session.count"]).to_string().as_bytes()));
    }
    let mut writer = client.socket.try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    for number in 1..=5_000 {
        let reply = client.receive();
        assert_eq!((&reply[0], &reply[1]), (&json!(50), &json!(number)));
    }
    writing.join().expect("a thread").expect("the router reads");
}

/// A client for which 12 answers of 1 MiB wait, and which has nothing more to say.
fn half_closed(address: SocketAddr) -> RawClient {
    let mut callee = RawClient::join(address);
    callee.request(64, &[json!({}), json!("com.example.big")]);
    let mut caller = RawClient::join(address);
    // More than the system's buffers hold: most of the answers wait in the router when the half-close comes.
    let payload = "x".repeat(1 << 20);
    for _ in 0..12 {
        caller.post(48, &[json!({}), json!("com.example.big")]);
        let invocation = callee.receive();
        callee.send(&json!([70, invocation[1], {}, [payload]]));
    }
    // The router has all of them by now.
    callee.call("wamp.session.count", json!([]));
    caller.socket.shutdown(Shutdown::Write).expect("a socket");
    caller
}

#[test]
fn a_client_that_says_all_it_has_to_say_and_half_closes_gets_every_answer() {
    let (_router, address) = start("native-half-close", json!({ "goodbye_timeout_ms": 60_000 }));
    let mut caller = half_closed(address);
    // Longer than others have to answer a close.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    for number in 1..=12 {
        let reply = caller.try_receive().unwrap_or_else(|| panic!("answer {number} is lost"));
        assert_eq!(reply[1], number);
    }
    assert!(caller.try_receive().is_none(), "and then the end");
}

#[test]
fn a_half_closed_client_that_does_not_read_is_given_up() {
    let (router, address) = start("native-half-close-end", json!({ "goodbye_timeout_ms": 100 }));
    let open_files = || std::fs::read_dir(format!("/proc/{}/fd", router.id())).expect("it runs").count();
    let before = open_files();
    let mut caller = half_closed(address);
    for _ in 0..PATIENCE.as_millis() / 50 {
        if open_files() <= before {
            let mut rest = Vec::new();
            // The end, or a reset.
            let _ = caller.socket.read_to_end(&mut rest);
            assert!(rest.len() < 12 << 20, "what waited is thrown away");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the router holds what nobody takes");
}

#[test]
fn a_long_message_with_a_byte_behind_it_does_not_keep_the_memory_of_the_message() {
    let (router, address) = start("native-behind", json!({}));
    let before = router.memory_kib();
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = RawClient::join(address);
        let message = padded(r#"[16,1,{"acknowledge":true},"a.b",[""#, r#""]]"#, 8 << 20);
        client.socket.write_all(&[&frame(0, &message)[..], &[0]].concat()).expect("the router reads");
        assert_eq!(client.receive()[0], 17);
        clients.push(client);
    }
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 100 << 10, "one byte each is left, and it takes {grown} KiB");
}
