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
use process::{Process, RawClient, loopback, node};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
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
fn a_certificate_of_version_1_is_served() {
    let certificates = Certificates::make("version-1");
    certificates.write("old.pem", CERTIFICATE_OF_VERSION_1);
    certificates.write("old_key.pem", ITS_KEY);
    let endpoint = certificates.endpoint(&json!({ "certificate": "old.pem", "key": "old_key.pem" }));
    let mut router = Process::start("version-1", &universal(endpoint, json!({})));
    let mut socket = certificates.connect(router.tcp_address(), None);
    // This client takes no such certificate; that it has seen it is what counts.
    let error =
        std::io::Write::write_all(&mut socket, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect_err("a client");
    assert!(error.to_string().contains("UnsupportedCertVersion"), "{error}");
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload_and_sessions_stay() {
    let certificates = Certificates::make("renewed");
    let config = universal(certificates.endpoint(&json!({})), json!({}));
    let mut router = Process::start("renewed", &config);
    let address = router.tcp_address();
    let shown = || {
        let mut client = RawClient::on(certificates.connect(address, None));
        client.hello("realm1");
        let chain = client.socket.conn.peer_certificates().expect("a certificate");
        (chain[0].to_vec(), client)
    };
    let (first, mut stays) = shown();

    let (certificate, key) = certificates.sign("localhost");
    certificates.write("cert.pem", &certificate);
    certificates.write("key.pem", &key);
    assert_eq!(shown().0, first, "nobody has told the router");
    let lines = router.reload(&config);
    assert!(
        lines.iter().any(|line| line.contains("keys and certificates of TLS were read again")),
        "{lines:?}"
    );
    let (second, _) = shown();
    let renewed = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    assert_eq!(second, renewed.to_vec());
    stays.call("wamp.session.count", json!([]));

    // A key of another certificate: all stays as it was.
    certificates.write("key.pem", &certificates.sign("localhost").1);
    router.configure(&config);
    router.wait_for("the old configuration stays");
    let line = router.wait_for("key.pem");
    assert!(line.contains("workers[0].transports[0]: ") && line.contains("found another key"), "{line}");
    assert_eq!(shown().0, second);
    stays.call("wamp.session.count", json!([]));
}

#[test]
fn a_reload_changes_whose_certificates_clients_must_have() {
    let certificates = Certificates::make("authorities");
    let strangers = Certificates::make("other-authorities");
    let endpoint = certificates.endpoint(&json!({ "ca_certificates": ["ca.pem"] }));
    let config = universal(endpoint, json!({}));
    let mut router = Process::start("authorities", &config);
    let address = router.tcp_address();
    let joins = |own: &Certificates| {
        let socket = certificates.connect(address, Some(own.sign("client")));
        RawClient::on(socket).hello("realm1");
    };
    joins(&certificates);
    let others = std::fs::read_to_string(strangers.folder.join("ca.pem")).expect("its authority");
    certificates.write("ca.pem", &others);
    router.reload(&config);
    joins(&strangers);
    let mut refused = certificates.connect(address, Some(certificates.sign("client")));
    let exchange = std::io::Write::write_all(&mut refused, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .and_then(|()| std::io::Read::read_exact(&mut refused, &mut [0]));
    assert!(exchange.is_err(), "one of before was answered");
    router.wait_for("TLS: ");
}

#[test]
fn a_reload_neither_begins_nor_ends_tls_and_says_so() {
    let certificates = Certificates::make("begins");
    let [plain, encrypted] =
        [loopback(), certificates.endpoint(&json!({}))].map(|endpoint| universal(endpoint, json!({})));
    for (before, after, said) in [
        (&plain, &encrypted, "no TLS until the next start"),
        (&encrypted, &plain, "TLS until the next start"),
    ] {
        let mut router = Process::start("tls-begins", before);
        router.wait_for("wamplet is ready");
        let is_told = |lines: Vec<String>| lines.iter().any(|line| line.contains(said));
        assert!(!is_told(router.reload(before)));
        assert!(is_told(router.reload(after)), "{said}");
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let certificates = Certificates::make("broken");
    let folder = &certificates.folder;
    certificates.write("empty.pem", "");
    certificates.write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    certificates.write("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let section =
        |kind: &str, content: &str| format!("-----BEGIN {kind}-----\n{content}\n-----END {kind}-----\n");
    certificates.write("encrypted.pem", &section("ENCRYPTED PRIVATE KEY", "AAAA"));
    let header = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,41961FC0F5E1603C67BAEF4BA4FC5403\n\nAAAA";
    certificates.write("encrypted_ec.pem", &section("EC PRIVATE KEY", header));
    certificates.write("odd.pem", &section("PRIVATE KEY", "AAAA"));
    certificates.write("old.pem", CERTIFICATE_OF_VERSION_1);
    certificates.write("other.pem", &certificates.sign("other").1);
    for (changes, file, reason) in [
        (json!({ "key": "missing.pem" }), "missing.pem", "No such file"),
        (json!({ "certificate": "missing.pem" }), "missing.pem", "No such file"),
        (json!({ "key": "cert.pem" }), "cert.pem", "expected a private key in PEM, found none"),
        (json!({ "certificate": "empty.pem" }), "empty.pem", "expected a certificate in PEM, found none"),
        (json!({ "certificate": "cut.pem" }), "cut.pem", "expected PEM: a section has no last line"),
        (json!({ "key": "other.pem" }), "other.pem", "expected the key of the certificate"),
        (json!({ "key": "encrypted.pem" }), "encrypted.pem", "without a password, found an encrypted one"),
        (
            json!({ "key": "encrypted_ec.pem" }),
            "encrypted_ec.pem",
            "without a password, found an encrypted one",
        ),
        (json!({ "key": "odd.pem" }), "odd.pem", "expected a key for RSA of 2048 bits and more, ECDSA"),
        (json!({ "certificate": "old.pem" }), "key.pem", "expected the key of the certificate"),
        (
            json!({ "chain_certificates": ["key.pem"] }),
            "key.pem",
            "expected a certificate in PEM, found none",
        ),
        (json!({ "ca_certificates": ["nonsense.pem"] }), "nonsense.pem", ""),
        (
            json!({ "certificate": "/dev/zero" }),
            "/dev/zero",
            "a file in PEM has at most 16 MiB, this one has more",
        ),
        (json!({ "key": "/dev/zero" }), "/dev/zero", "a file in PEM has at most 16 MiB, this one has more"),
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

/// As `openssl x509 -req` makes them. rcgen makes none of this version.
const CERTIFICATE_OF_VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBIzCByQIUcjbhAq9HZn3caD5mClAKIX2DYFIwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyMjA1MTYyMVoXDTM2MTExOTA1MTYyMVow
FDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
1l7sJzUbZZpByIvYxlTdmPe3puuT6U1aJAa7zlx8InJKIFzwa4G0Hav3GC3fmt5o
lgSt1AugDfAxDvjTt9HBJDAKBggqhkjOPQQDAgNJADBGAiEA3/49Wg0h5wDfToZy
v8uwB0OxN3mh1yKJnb7PfmzPX0ICIQC6Ud77VTXB/yjcKJDGAFunAwMbDmClIUY2
9E1BqYKl9A==
-----END CERTIFICATE-----
";

const ITS_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqw6eD/kLlljJlGd1
CJG5sRB2noO7D+RL6YTf9cEbHWKhRANCAATWXuwnNRtlmkHIi9jGVN2Y97em65Pp
TVokBrvOXHwickogXPBrgbQdq/cYLd+a3miWBK3UC6AN8DEO+NO30cEk
-----END PRIVATE KEY-----
";
