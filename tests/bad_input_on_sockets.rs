//! What a hostile or broken client can do to a router over its sockets, and what it cannot: the router's memory stays
//! bounded, and other sessions are undisturbed.

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use http::HttpClient;
use process::{Process, RawClient, connect, loopback, node, node_with};
use serde_json::{Value, json};

/// RawSocket, WebSocket and HTTP on one port, with short handshakes.
fn universal() -> Value {
    json!([{
        "type": "universal",
        "endpoint": loopback(),
        "rawsocket": {},
        "websocket": { "ws": { "type": "websocket" } },
        "web": { "paths": { "/": { "type": "json", "value": "hello" } }, "options": { "client_timeout": 2 } },
    }])
}

/// Reads until the router ends the connection, at most a megabyte; panics if it does not.
#[track_caller]
fn read_to_the_end(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => return bytes,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return bytes,
            Err(error) => panic!("the router did not end the connection: {error}"),
        }
        assert!(bytes.len() < 1 << 20, "the router talks on and on");
    }
}

/// Two sessions that talk to each other: what happens to others must not happen to them.
struct Witnesses {
    publisher: RawClient,
    subscriber: RawClient,
    published: u64,
}

impl Witnesses {
    fn join(address: SocketAddr) -> Self {
        let publisher = RawClient::join(address);
        let mut subscriber = RawClient::join(address);
        subscriber.subscribe("com.example.witness");
        Self { publisher, subscriber, published: 0 }
    }

    #[track_caller]
    fn are_undisturbed(&mut self) {
        self.published += 1;
        self.publisher.publish("com.example.witness", json!([self.published]));
        let event = self.subscriber.receive();
        assert_eq!((&event[0], &event[4]), (&json!(36), &json!([self.published])), "the next event");
    }
}

#[test]
fn garbage_ends_its_own_connection_and_no_other() {
    let mut router = Process::start("garbage", &node(universal()));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let garbage: Vec<Vec<u8>> = vec![
        vec![0; 64],
        vec![0xff; 64],
        b"\r\n\r\n\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        [b"GET /".to_vec(), vec![b'a'; 200_000], b" HTTP/1.1\r\n\r\n".to_vec()].concat(),
        [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03].to_vec(),
        vec![0x7f, 0xff, 0xff, 0xff],
        vec![0x7f, 0xf9, 0, 0],
        vec![0x7f, 0xf1, 0, 0, 0xf0, 0, 0, 1, b'x'],
        [vec![0x7f, 0xf1, 0, 0, 0, 0, 0, 5], b"[[[[[".to_vec()].concat(),
        [vec![0x7f, 0xf1, 0, 0, 0, 0, 0, 4], b"null".to_vec()].concat(),
        [vec![0x7f, 0xf1, 0, 0, 0, 0, 0, 5], b"[5,1]".to_vec()].concat(),
        [vec![0x7f, 0xf2, 0, 0, 0, 0, 0, 4], vec![0xc1; 4]].concat(),
        [vec![0x7f, 0xf3, 0, 0, 0, 0, 0, 4], vec![0xff; 4]].concat(),
    ];
    for bytes in garbage {
        let mut socket = connect(address);
        // The router may end the connection before it has read all.
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(Shutdown::Write);
        read_to_the_end(socket);
        witnesses.are_undisturbed();
    }
}

#[test]
fn a_handshake_that_does_not_come_ends_the_connection() {
    let transports = json!([
        { "type": "rawsocket", "endpoint": loopback() },
        {
            "type": "web",
            "endpoint": loopback(),
            "paths": { "/": { "type": "json", "value": 1 }, "ws": { "type": "websocket" } },
            "options": { "client_timeout": 2 },
        },
    ]);
    let limits = json!({ "hello_timeout_ms": 2_000 });
    let mut router = Process::start("half-open", &node_with(transports, limits));
    let (raw, web) = (router.tcp_address(), router.tcp_address());
    let mut witnesses = Witnesses::join(raw);
    let mut sockets = Vec::new();
    for (address, begun) in [
        (raw, &b""[..]),
        (raw, &[0x7f]),
        (raw, &[0x7f, 0xf1, 0, 0]),
        (raw, &[0x7f, 0xf1, 0, 0, 0, 0, 1, 0, b'[']),
        (web, b""),
        (web, b"GET / HT"),
        (web, b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgr"),
    ] {
        let mut socket = connect(address);
        socket.write_all(begun).expect("the router reads");
        sockets.push(socket);
    }
    for socket in sockets {
        read_to_the_end(socket);
    }
    witnesses.are_undisturbed();
}

#[test]
fn a_slow_loris_is_cut_off_however_steadily_it_drips() {
    let mut router = Process::start("loris", &node(universal()));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let mut socket = connect(address);
    socket.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a socket option");
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Drip: ").expect("the router reads");
    // Far longer than its two seconds, and far shorter than for ever.
    let mut drips = 0;
    let ended = loop {
        drips += 1;
        let mut byte = [0; 512];
        let read = socket.read(&mut byte);
        match read {
            Ok(0) => break true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break true,
            _ => {}
        }
        if socket.write_all(b"x").is_err() {
            break true;
        }
        if drips > 1_000 {
            break false;
        }
    };
    assert!(ended, "the router still waits after {drips} drips");
    witnesses.are_undisturbed();
}

#[test]
fn a_frame_that_is_too_long_is_refused_by_its_header() {
    let mut router = Process::start(
        "oversized",
        &node_with(
            json!([{ "type": "rawsocket", "endpoint": loopback() }]),
            json!({ "message_length": 100_000 }),
        ),
    );
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);

    // Before there is a session, even less is read than later.
    let mut stranger = RawClient::connect(address);
    stranger.socket.write_all(&70_000_u32.to_be_bytes()).expect("the router reads");
    let abort = stranger.receive();
    assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!("wamp.error.protocol_violation")));
    read_to_the_end(stranger.socket);

    let mut member = RawClient::join(address);
    member.socket.write_all(&100_001_u32.to_be_bytes()).expect("the router reads");
    let abort = member.receive();
    assert_eq!(abort[1]["message"], "expected a message of at most 100000 bytes, found 100001");
    read_to_the_end(member.socket);
    witnesses.are_undisturbed();
}

#[test]
fn beginnings_of_frames_cost_what_was_sent_of_them() {
    let limits = json!({ "transports": 2_000 });
    let mut router = Process::start(
        "beginnings",
        &node_with(json!([{ "type": "rawsocket", "endpoint": loopback() }]), limits),
    );
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let before = router.memory_kib();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = RawClient::join(address);
        // 16 MiB are announced, 1 KiB comes: 200 of them would be 3 GiB.
        client.socket.write_all(&0x00ff_ffff_u32.to_be_bytes()).expect("the router reads");
        client.socket.write_all(&[b' '; 1024]).expect("the router reads");
        clients.push(client);
    }
    witnesses.are_undisturbed();
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 200 * 64, "200 connections with 1 KiB each took {grown} KiB");
}

#[test]
fn a_reader_that_stops_reading_is_closed_and_the_rest_of_the_realm_goes_on() {
    let limits = json!({ "queue_length": 4 << 20 });
    let mut router =
        Process::start("stops", &node_with(json!([{ "type": "rawsocket", "endpoint": loopback() }]), limits));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let mut watcher = RawClient::join(address);
    watcher.subscribe("wamp.session.on_leave");
    let mut slow = RawClient::join(address);
    slow.subscribe("com.example.flood");
    let mut reader = RawClient::join(address);
    reader.subscribe("com.example.flood");
    let mut publisher = RawClient::join(address);

    let before = router.memory_kib();
    let mut most = 0;
    let payload = "x".repeat(100_000);
    // 100 MB: the system's own buffers and the queue together hold a small part of it.
    for number in 0..1_000 {
        publisher.publish("com.example.flood", json!([number, payload]));
        let event = reader.receive();
        assert_eq!(event[4][0], number, "the one who reads gets every event, in order");
        most = most.max(router.memory_kib());
    }
    let left = watcher.receive();
    assert_eq!(left[0], 36, "the slow session has left: {left}");
    witnesses.are_undisturbed();
    let grown = most.saturating_sub(before);
    assert!(grown < 16 << 10, "the router grew by {grown} KiB with a queue of 4096 KiB");
    router.wait_for("takes too little");
    drop(slow);
}

#[test]
fn what_waits_keeps_no_memory_of_what_it_was_read_with() {
    let transports = json!([{ "type": "rawsocket", "endpoint": loopback() }]);
    let mut router = Process::start("kept", &node(transports));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let mut slow = RawClient::join(address);
    slow.subscribe("com.example.topic");
    let mut publisher = RawClient::join(address);
    let before = router.memory_kib();
    let (long, payload) = ("x".repeat(8 << 20), "y".repeat(20 << 10));
    // Each with a large one before it in one write, or with large options.
    for request in (1..=40).step_by(4) {
        let bytes: Vec<u8> = [
            json!([16, request, {}, "com.example.nobody", [long]]),
            json!([16, request + 1, {}, "com.example.topic", [payload]]),
            json!([16, request + 2, { "x_long": long }, "com.example.topic", [payload]]),
            json!([48, request + 3, {}, "no.such"]),
        ]
        .iter()
        .flat_map(|message| {
            let message = message.to_string();
            [&(message.len() as u32).to_be_bytes(), message.as_bytes()].concat()
        })
        .collect();
        publisher.socket.write_all(&bytes).expect("the router reads");
        assert_eq!(publisher.receive()[0], 8, "all of it has been handled");
    }
    witnesses.are_undisturbed();
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "the router grew by {grown} KiB for 1 MB of events");
}

#[test]
fn a_request_to_the_http_bridge_takes_no_multiple_of_its_length() {
    let service = |kind: &str| json!({ "type": kind, "realm": "realm1", "role": "anonymous" });
    let paths = json!({ "call": service("caller"), "publish": service("publisher") });
    let web = json!({ "type": "web", "endpoint": loopback(), "paths": paths });
    let mut router = Process::start("bridge-values", &node(json!([web])));
    let address = router.tcp_address();
    router.wait_for("is ready");
    let before = router.peak_memory_kib();
    // 2 MB, and 130 MB as values.
    let maps = format!("[{}{{}}]", "{\"\":0},".repeat(250_000));
    for (path, body, expected) in [
        ("call", maps.clone(), "the body: expected an object, found an array"),
        ("call", format!("{{\"procedure\":{maps}}}"), "procedure: expected a URI, found an array"),
        (
            "call",
            format!("{{\"procedure\":\"a\",\"args\":{{\"a\":{maps}}}}}"),
            "args: expected a list, found an object",
        ),
        (
            "publish",
            format!("{{\"topic\":\"a\",\"options\":{{\"eligible\":{maps}}}}}"),
            "options: expected at most 1025024 bytes, found",
        ),
    ] {
        let length = body.len();
        let head = format!("POST /{path} HTTP/1.1\nHost: x\nContent-Length: {length}");
        let answer = HttpClient::connect(address).request(&head, body.as_bytes());
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
    let grown = router.peak_memory_kib() - before;
    assert!(grown < 24 << 10, "2 MB of a request took {grown} KiB");
}

#[test]
fn a_kept_event_of_small_maps_is_read_without_a_multiple_of_its_length() {
    let mut config = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    config["workers"][0]["realms"][0]["store"] =
        json!({ "event-history": [{ "uri": "com.example.long", "limit": 1 }] });
    let mut router = Process::start("long-history", &config);
    let mut client = RawClient::join(router.tcp_address());
    let id = client.subscribe("com.example.long");
    // 2 MB, and 130 MB as values.
    client.publish("com.example.long", Value::from(vec![json!({ "": 0 }); 250_000]));
    let before = router.peak_memory_kib();
    let events = client.call("wamp.subscription.get_events", json!([id]));
    assert_eq!(events[0][0]["args"].as_array().map(Vec::len), Some(250_000));
    let grown = router.peak_memory_kib() - before;
    assert!(grown < 24 << 10, "2 MB of an event took {grown} KiB");
}

#[test]
fn a_body_in_tiny_chunks_takes_no_multiple_of_its_length() {
    let call = json!({ "type": "caller", "realm": "realm1", "role": "anonymous" });
    let web = json!({ "type": "web", "endpoint": loopback(), "paths": { "call": call } });
    let mut router = Process::start("tiny-chunks", &node(json!([web])));
    let address = router.tcp_address();
    router.wait_for("is ready");
    let before = router.peak_memory_kib();
    let mut http = HttpClient::connect(address);
    http.send("POST /call HTTP/1.1\nHost: x\nTransfer-Encoding: chunked", b"");
    for _ in 0..100 {
        http.socket.write_all(&b"1\r\n[\r\n".repeat(10_000)).expect("the router reads");
    }
    http.socket.write_all(b"0\r\n\r\n").expect("the router reads");
    assert_eq!(http.answer(true).status, 400);
    let grown = router.peak_memory_kib() - before;
    assert!(grown < 16 << 10, "1 MB of a body took {grown} KiB");
}

#[test]
fn whoever_offers_compression_and_says_nothing_takes_no_memory_for_it() {
    let options = json!({ "compression": { "deflate": {} } });
    let paths = json!({ "ws": { "type": "websocket", "options": options } });
    let web = json!({ "type": "web", "endpoint": loopback(), "paths": paths });
    let mut router = Process::start("offers-deflate", &node(json!([web])));
    let address = router.tcp_address();
    router.wait_for("is ready");
    let before = router.memory_kib();
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let mut http = HttpClient::connect(address);
            let head = "GET /ws HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\n\
                        Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
                        Sec-WebSocket-Protocol: wamp.2.json\nSec-WebSocket-Extensions: permessage-deflate";
            let answer = http.request(head, b"");
            assert_eq!(answer.header("sec-websocket-extensions"), "permessage-deflate");
            http
        })
        .collect();
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 100 * 64, "{} handshakes took {grown} KiB", clients.len());
}

#[test]
fn pings_without_reading_the_pongs_fill_no_memory() {
    let limits = json!({ "queue_length": 1 << 20 });
    let mut router =
        Process::start("pings", &node_with(json!([{ "type": "rawsocket", "endpoint": loopback() }]), limits));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let before = router.memory_kib();
    let mut client = RawClient::join(address);
    let ping = [&[1, 0, 0xff, 0xff][..], &vec![7; 0xffff]].concat();
    let mut sent = 0;
    while client.socket.write_all(&ping).is_ok() {
        sent += 1;
        assert!(sent < 2_000, "130 MB of pings, and nobody minds");
    }
    let line = router.wait_for("takes too little");
    assert!(line.contains("(1048576 bytes may wait)"), "{line}");
    witnesses.are_undisturbed();
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 8 << 10, "the router grew by {grown} KiB");
}

#[test]
fn one_connection_more_than_there_may_be_is_refused_and_the_others_stay() {
    let limits = json!({ "transports": 4 });
    let mut router =
        Process::start("full", &node_with(json!([{ "type": "rawsocket", "endpoint": loopback() }]), limits));
    let address = router.tcp_address();
    let mut witnesses = Witnesses::join(address);
    let mut others = vec![RawClient::join(address), RawClient::join(address)];
    let mut refused = connect(address);
    let _ = refused.write_all(&[0x7f, 0xf1, 0, 0]);
    let answer = read_to_the_end(refused);
    assert_eq!(answer, [0x7f, 0x40, 0, 0], "the handshake's error 4");
    witnesses.are_undisturbed();
    others.pop();
    // The router sees the end of a connection a moment later than its client.
    let mut joined = false;
    for _ in 0..100 {
        let mut socket = connect(address);
        let _ = socket.write_all(&[0x7f, 0xf1, 0, 0]);
        let mut answer = [0; 4];
        if socket.read_exact(&mut answer).is_ok() && answer[1] == 0xf1 {
            joined = true;
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(joined, "there is room again");
    witnesses.are_undisturbed();
}
