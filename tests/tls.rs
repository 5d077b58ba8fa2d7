//! TLS on listeners: every transport on it, client certificates, and files that are not what they should be.

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::net::TcpStream;
use std::path::Path;

use certificates::Certificates;
use http::HttpClient;
use process::{Process, RawClient, node};
use serde_json::{Value, json};

fn universal(endpoint: Value, options: Value) -> Value {
    let paths = json!({ "/": { "type": "status" } });
    node(json!([{
        "type": "universal",
        "endpoint": endpoint,
        "rawsocket": {},
        "websocket": { "ws": { "type": "websocket" } },
        "web": { "paths": paths, "options": options },
    }]))
}

#[test]
fn every_transport_is_served_over_tls() {
    let certificates = Certificates::make("every");
    let options = json!({ "hsts": true, "hsts_max_age": 77 });
    let mut router = Process::start("tls", &universal(certificates.endpoint(&json!({})), options));
    let address = router.tcp_address();

    let mut raw = RawClient::on(certificates.connect(address, None));
    let welcome = raw.hello("realm1");
    let details = raw.call("wamp.session.get", json!([welcome[1]]));
    assert_eq!(details[0]["transport"]["is_secure"], true, "{details}");
    // Longer than a record, in both directions.
    raw.request(64, &[json!({}), json!("com.example.long")]);
    raw.post(48, &[json!({}), json!("com.example.long"), json!(["x".repeat(100_000)])]);
    let invocation = raw.receive();
    assert_eq!(invocation[4][0].as_str().map(str::len), Some(100_000));

    let mut web = HttpClient { socket: certificates.connect(address, None) };
    let page = web.request("GET / HTTP/1.1\nHost: localhost:1", b"");
    assert_eq!(page.header("strict-transport-security"), "max-age=77");
    assert!(page.text().contains("wss://localhost:1/ws") && page.text().contains("rss://localhost:1"));
    let answer = web.request(
        "GET /ws HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: wamp.2.json",
        // [5], which is no beginning.
        b"\x81\x83\0\0\0\0[5]",
    );
    assert_eq!(answer.status, 101);
    assert_eq!(web.bytes(1), [0x81], "an ABORT");
}

#[test]
fn clients_without_a_certificate_are_refused_where_one_is_asked_for() {
    let certificates = Certificates::make("clients");
    let endpoint = certificates.endpoint(&json!({ "ca_certificates": ["ca.pem"] }));
    let mut router = Process::start("mtls", &universal(endpoint, json!({})));
    let address = router.tcp_address();
    let known = certificates.sign("client");
    RawClient::on(certificates.connect(address, Some(known))).hello("realm1");

    let strangers = Certificates::make("strangers");
    for own in [None, Some(strangers.sign("client"))] {
        let mut web = HttpClient { socket: certificates.connect(address, own) };
        let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let exchange = std::io::Write::write_all(&mut web.socket, head)
            .and_then(|()| std::io::Read::read_exact(&mut web.socket, &mut [0]));
        assert!(exchange.is_err(), "a stranger was answered");
        router.wait_for("TLS: ");
    }
}

#[test]
fn what_does_not_speak_tls_is_sent_away() {
    let certificates = Certificates::make("plain");
    let mut router = Process::start("plain", &universal(certificates.endpoint(&json!({})), json!({})));
    let mut socket = TcpStream::connect(router.tcp_address()).expect("the router listens");
    std::io::Write::write_all(&mut socket, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("the router reads");
    router.wait_for("TLS: ");
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let certificates = Certificates::make("broken");
    let folder = &certificates.folder;
    certificates.write("empty.pem", "");
    certificates.write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    certificates.write("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    certificates.write("other.pem", &certificates.sign("other").1);
    for (changes, file, reason) in [
        (json!({ "key": "missing.pem" }), "missing.pem", "No such file"),
        (json!({ "certificate": "missing.pem" }), "missing.pem", "No such file"),
        (json!({ "key": "cert.pem" }), "cert.pem", "expected a private key in PEM, found none"),
        (json!({ "certificate": "empty.pem" }), "empty.pem", "expected a certificate in PEM, found none"),
        (json!({ "certificate": "cut.pem" }), "cut.pem", "expected PEM"),
        (json!({ "key": "other.pem" }), "other.pem", "key"),
        (
            json!({ "chain_certificates": ["key.pem"] }),
            "key.pem",
            "expected a certificate in PEM, found none",
        ),
        (json!({ "ca_certificates": ["nonsense.pem"] }), "nonsense.pem", ""),
    ] {
        let config = universal(certificates.endpoint(&changes), json!({}));
        let mut router = Process::start("broken-tls", &config);
        let line = router.wait_for(file);
        let path = Path::new(folder).join(file);
        assert!(line.contains(path.to_str().expect("a plain path")), "{line}");
        assert!(line.contains(reason), "expected {reason:?} in {line}");
        assert_ne!(router.exit_code(), Some(0));
    }
}
