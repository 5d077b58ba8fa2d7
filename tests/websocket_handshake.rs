//! The opening handshake of a WebSocket: what is agreed on, what is refused, and how that is said. [RFC 6455, 4.2]

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use http::{Answer, HttpClient, get, request};
use process::{PATIENCE, Process, loopback, node};
use serde_json::{Value, json};

/// A router with these options at `/ws`.
fn start(name: &str, options: Value) -> (Process, SocketAddr) {
    start_service(name, json!({ "type": "websocket", "options": options }))
}

fn start_service(name: &str, service: Value) -> (Process, SocketAddr) {
    let paths = json!({ "/": { "type": "json", "value": 1 }, "ws": service });
    let mut router =
        Process::start(name, &node(json!([{ "type": "web", "endpoint": loopback(), "paths": paths }])));
    let address = router.tcp_address();
    (router, address)
}

const HEADERS: [(&str, &str); 6] = [
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Protocol", "wamp.2.json"),
];

/// A head in which these headers stand instead of the usual ones; those without a value are left out.
fn head(changes: &[(&str, Option<&str>)]) -> String {
    let mut head = "GET /ws HTTP/1.1".to_owned();
    let usual = HEADERS.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let usual = usual.map(|(name, value)| (*name, Some(*value)));
    for (name, value) in usual.chain(changes.iter().copied()) {
        if let Some(value) = value {
            head.push_str(&format!("\n{name}: {value}"));
        }
    }
    head
}

#[track_caller]
fn shake(address: SocketAddr, changes: &[(&str, Option<&str>)]) -> Answer {
    request(address, &head(changes))
}

#[test]
fn a_handshake_ends_http_and_begins_a_session() {
    let (_router, address) = start("begins", json!({}));
    let mut client = HttpClient::connect(address);
    // On a connection that was used before, and with the first frame right behind the head.
    assert_eq!(client.request("GET /nothing HTTP/1.1\nHost: x", b"").status, 404);
    let hello = br#"[1,"realm1",{"roles":{"caller":{}}}]"#;
    let frame = [&[0x81, 0x80 | hello.len() as u8, 0, 0, 0, 0], &hello[..]].concat();
    let answer = client.request(&head(&[]), &frame);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), "websocket");
    assert_eq!(answer.header("connection"), "Upgrade");
    assert_eq!(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(answer.header("sec-websocket-protocol"), "wamp.2.json");
    assert_eq!(answer.header("sec-websocket-extensions"), "");
    let [first, length] = client.bytes(2).try_into().expect("two bytes");
    assert_eq!((first, length), (0x81, 126), "a text message");
    let length = u16::from_be_bytes(client.bytes(2).try_into().expect("two bytes"));
    let welcome: Value = serde_json::from_slice(&client.bytes(length.into())).expect("JSON");
    assert_eq!(welcome[0], 2, "WELCOME: {welcome}");
}

#[test]
fn a_handshake_is_refused_with_a_status_that_says_why() {
    let (mut router, address) = start("refused", json!({ "enable_webstatus": false }));
    for (changes, status, text) in [
        (&[("Host", None)][..], 400, "Host: it is missing"),
        (&[("Host", Some("a")), ("Host", Some("b"))], 400, "Host: it is there more than once"),
        (&[("Connection", Some("keep-alive"))], 400, "Connection"),
        (&[("Sec-WebSocket-Key", None)], 400, "Sec-WebSocket-Key: it is missing"),
        (&[("Sec-WebSocket-Key", Some("short=="))], 400, "Sec-WebSocket-Key"),
        (&[("Sec-WebSocket-Version", None)], 400, "Sec-WebSocket-Version: it is missing"),
        (&[("Sec-WebSocket-Version", Some("8"))], 426, "Sec-WebSocket-Version"),
        (&[("Content-Length", Some("1"))], 400, "no body"),
        (&[("Sec-WebSocket-Protocol", None)], 400, "found none"),
        (
            &[("Sec-WebSocket-Protocol", Some("wamp.1, mqtt"))],
            400,
            "expected one of wamp.2.json, wamp.2.msgpack, wamp.2.cbor, wamp.2.json.batched, \
             wamp.2.msgpack.batched, wamp.2.cbor.batched, found wamp.1, mqtt",
        ),
        (&[("Sec-WebSocket-Protocol", Some(",, ,"))], 400, "found none"),
        (&[("Sec-WebSocket-Protocol", Some("wamp.2.json;"))], 400, "found \"wamp.2.json;\""),
        (&[("Sec-WebSocket-Protocol", Some("wamp 2 json"))], 400, "found \"wamp 2 json\""),
        (&[("Sec-WebSocket-Protocol", Some("wamp.2.json, wamp.2.json"))], 400, "different"),
        (&[("Origin", Some("http://a")), ("Origin", Some("http://b"))], 400, "Origin"),
        (&[("Upgrade", Some("h2c"))], 426, "WebSocket"),
        (&[("Upgrade", None)], 426, "WebSocket"),
    ] {
        let answer = shake(address, changes);
        assert_eq!(answer.status, status, "{changes:?}: {}", answer.text());
        assert!(answer.text().contains(text), "{changes:?}: {}", answer.text());
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), "13");
            assert_eq!(answer.header("upgrade"), "websocket");
        }
    }
    router.wait_for("Sec-WebSocket-Key: it is missing");
    let post = head(&[]).replace("GET", "POST");
    assert_eq!(request(address, &post).status, 405);
    let old = head(&[]).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(request(address, &old).status, 400);
}

#[test]
fn the_first_subprotocol_of_the_client_that_is_served_is_taken() {
    let service = json!({ "type": "websocket", "serializers": ["json", "cbor"] });
    let (_router, address) = start_service("subprotocols", service);
    for (offered, expected) in [
        ("wamp.2.cbor, wamp.2.json", "wamp.2.cbor"),
        ("wamp.2.msgpack,wamp.2.json,wamp.2.cbor", "wamp.2.json"),
        ("wamp.2.cbor.batched, wamp.2.cbor", "wamp.2.cbor.batched"),
        ("x, wamp.2.json.batched", "wamp.2.json.batched"),
        ("wamp.2.json,", "wamp.2.json"),
        (" , ,,wamp.2.cbor ,\t, wamp.2.json,,", "wamp.2.cbor"),
    ] {
        let answer = shake(address, &[("Sec-WebSocket-Protocol", Some(offered))]);
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, expected), "{offered}");
    }
    let two = &[("Sec-WebSocket-Protocol", Some("x")), ("Sec-WebSocket-Protocol", Some("wamp.2.cbor"))];
    assert_eq!(shake(address, two).header("sec-websocket-protocol"), "wamp.2.cbor");
    assert_eq!(shake(address, &[("Sec-WebSocket-Protocol", Some("wamp.2.msgpack"))]).status, 400);
}

#[test]
fn a_client_names_no_more_subprotocols_than_can_be_compared_at_once() {
    let (_router, address) = start("many-subprotocols", json!({}));
    for (others, status) in [(63, 101), (64, 400), (5_000, 400)] {
        let others: String = (0..others).map(|number| format!("x{number},")).collect();
        let offered = format!("{others}wamp.2.json");
        let answer = shake(address, &[("Sec-WebSocket-Protocol", Some(&offered))]);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.len() < 200, "{}", answer.text());
    }
}

#[test]
fn without_a_subprotocol_it_is_json_where_the_configuration_allows_that() {
    let (_router, address) = start("no-subprotocol", json!({ "require_websocket_subprotocol": false }));
    let mut client = HttpClient::connect(address);
    let answer = client.request(&head(&[("Sec-WebSocket-Protocol", None)]), b"");
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, ""));
    client.socket.write_all(b"\x81\x84\0\0\0\0[99]").expect("the router reads");
    assert_eq!(client.bytes(1), [0x81], "an answer in JSON");
    for (offered, chosen) in [
        (Some("mqtt"), ""),
        (Some("wamp.1, wamp.2.ubjson"), ""),
        (Some(","), ""),
        (Some("mqtt, wamp.2.cbor"), "wamp.2.cbor"),
    ] {
        let answer = shake(address, &[("Sec-WebSocket-Protocol", offered)]);
        let found = (answer.status, answer.header("sec-websocket-protocol"));
        assert_eq!(found, (101, chosen), "{offered:?}");
    }
    assert_eq!(shake(address, &[("Sec-WebSocket-Protocol", Some("a b"))]).status, 400);
}

#[test]
fn without_a_subprotocol_nothing_is_served_where_json_is_not() {
    let options = json!({ "require_websocket_subprotocol": false });
    let service = json!({ "type": "websocket", "serializers": ["cbor"], "options": options });
    let (_router, address) = start_service("no-json", service);
    for (offered, found) in [(None, "none"), (Some("mqtt"), "mqtt"), (Some("wamp.2.json"), "wamp.2.json")] {
        let answer = shake(address, &[("Sec-WebSocket-Protocol", offered)]);
        let text = format!("found {found}; without one it is wamp.2.json, which is not served.");
        assert_eq!(answer.status, 400, "{offered:?}");
        assert!(answer.text().contains(&text), "{offered:?}: {}", answer.text());
    }
    let answer = shake(address, &[("Sec-WebSocket-Protocol", Some("wamp.2.cbor"))]);
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, "wamp.2.cbor"));
    let testee = json!({ "type": "websocket.testee", "endpoint": loopback(), "serializers": ["cbor"] });
    let mut router = Process::start("testee-without-json", &node(json!([testee])));
    let address = router.tcp_address();
    let answer = shake(address, &[("Sec-WebSocket-Protocol", None)]);
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, ""));
}

#[test]
fn only_pages_of_the_allowed_origins_connect() {
    let options = json!({
        "allowed_origins": ["https://*.example.com", "http://localhost:*", "*.example.org:*"],
        "allow_null_origin": false,
    });
    let (_router, address) = start("origins", options);
    for (origin, status) in [
        (None, 101),
        (Some("https://a.example.com"), 101),
        (Some("http://localhost:3000"), 101),
        (Some("http://localhost"), 101),
        (Some("http://a.example.org"), 101),
        (Some("https://a.example.org:8443"), 101),
        (Some("https://example.org"), 403),
        (Some("https://example.com.evil.example"), 403),
        (Some("http://localhost.evil.example:80"), 403),
        (Some("null"), 403),
    ] {
        assert_eq!(shake(address, &[("Origin", origin)]).status, status, "{origin:?}");
    }
}

#[test]
fn pages_without_an_origin_connect_where_they_may() {
    for (name, options, of_nobody, of_files) in [
        ("null-origin", json!({}), 101, 101),
        ("null-origin-beside-others", json!({ "allowed_origins": ["https://example.com"] }), 101, 101),
        ("no-null-origin", json!({ "allow_null_origin": false }), 403, 403),
        ("named-files", json!({ "allow_null_origin": false, "allowed_origins": ["file://*"] }), 403, 101),
    ] {
        let (_router, address) = start(name, options);
        for (origin, status) in [("null", of_nobody), ("file://", of_files)] {
            assert_eq!(shake(address, &[("Origin", Some(origin))]).status, status, "{name}: {origin}");
        }
    }
}

#[test]
fn permessage_deflate_is_agreed_on_where_it_is_configured() {
    let offer = &[("Sec-WebSocket-Extensions", Some("permessage-deflate; client_max_window_bits"))];
    let (_router, address) = start("no-deflate", json!({}));
    assert_eq!(shake(address, offer).header("sec-websocket-extensions"), "");
    let options = json!({ "compression": { "deflate": { "request_max_window_bits": 10 } } });
    let (_router, address) = start("deflate", options);
    let agreed = "permessage-deflate; client_max_window_bits=10";
    assert_eq!(shake(address, offer).header("sec-websocket-extensions"), agreed);
    assert_eq!(shake(address, &[]).header("sec-websocket-extensions"), "");
    assert_eq!(shake(address, &[("Sec-WebSocket-Extensions", Some("a b"))]).status, 400);
}

#[test]
fn the_answer_names_the_version_unless_it_must_not() {
    let (_router, address) = start("server", json!({}));
    let server = concat!("wamplet/", env!("CARGO_PKG_VERSION"));
    assert_eq!(shake(address, &[]).header("server"), server);
    assert_eq!(get(address, "/nothing").header("server"), server);
    let (_router, address) = start("no-server", json!({ "show_server_version": false }));
    assert_eq!(shake(address, &[]).header("server"), "wamplet");
}

#[test]
fn an_ordinary_request_gets_a_page() {
    let (_router, address) = start("webstatus", json!({}));
    let page = get(address, "/ws");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().contains("WebSocket"));
}

#[test]
fn a_handshake_that_does_not_come_in_its_time_is_none() {
    let options = json!({ "open_handshake_timeout": 200 });
    let transport = json!({ "type": "websocket", "endpoint": loopback(), "options": options });
    let mut router = Process::start("late", &node(json!([transport])));
    let address = router.tcp_address();
    for begin in ["", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: webso"] {
        let mut client = HttpClient::connect(address);
        // Any other web listener would wait for 30 s.
        client.socket.set_read_timeout(Some(PATIENCE / 2)).expect("a socket option");
        client.socket.write_all(begin.as_bytes()).expect("the router reads");
        assert_eq!(client.socket.read(&mut [0]).expect("the end of the stream"), 0);
        router.wait_for("rejected connection");
    }
    // One that was in time is not ended by it.
    let mut client = HttpClient::connect(address);
    assert_eq!(client.request(&head(&[]), b"").status, 101);
    std::thread::sleep(Duration::from_millis(500));
    client.socket.write_all(b"\x81\x84\0\0\0\0[99]").expect("the router reads");
    assert_eq!(client.bytes(1), [0x81], "an answer");
}
