//! Each method on a real socket: whom it lets in and keeps out, what an authenticator is told, and what TLS adds: client
//! certificates and signatures that are bound to the channel.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use sha2::{Digest, Sha256};
use wamplet::auth::hex;

use crate::certificates::Certificates;
use crate::clients::*;
use crate::http::HttpClient;
use crate::process::{Process, RawClient, loopback};
use crate::websocket::WebSocketClient;

#[test]
fn every_method_lets_in_over_websocket_and_rawsocket_and_keeps_out() {
    let websocket = json!({ "type": "websocket", "endpoint": loopback(), "auth": all_methods() });
    let rawsocket = json!({ "type": "rawsocket", "endpoint": loopback(), "auth": all_methods() });
    let mut router = Process::start("auth-all", &node(json!([websocket, rawsocket])));
    let (by_websocket, by_rawsocket) = (router.tcp_address(), router.tcp_address());
    for method in ["ticket", "wampcra", "wamp-scram", "cryptosign"] {
        let (hello, answer) = client(method);

        let mut raw = RawClient::connect(by_rawsocket);
        raw.send(&hello);
        let challenge = raw.receive();
        assert_eq!((&challenge[0], &challenge[1]), (&json!(4), &json!(method)));
        let (signature, extra) = answer(&challenge[2]);
        raw.send(&json!([5, signature, extra]));
        assert_joe(&raw.receive(), method);
        raw.subscribe("com.example.topic");

        let mut web = WebSocketClient::connect(by_websocket, "wamp.2.json");
        web.send(&hello);
        let (signature, extra) = answer(&web.receive()[2]);
        web.send(&json!([5, signature, extra]));
        assert_joe(&web.receive(), method);
        web.subscribe("com.example.topic");

        let mut liar = WebSocketClient::connect(by_websocket, "wamp.2.json");
        liar.send(&hello);
        let (mut signature, extra) = answer(&liar.receive()[2]);
        signature.insert(0, 'x');
        liar.send(&json!([5, signature, extra]));
        assert_eq!(liar.receive()[2], "wamp.error.authentication_denied", "{method}");
        assert_eq!(liar.expect_close().0, 1000);
        let rejected = router.wait_for("rejected input");
        assert!(rejected.contains(r#"realm="realm1" authid="joe""#), "{rejected}");
    }
    RawClient::connect(by_rawsocket).hello("realm1");
}

#[test]
fn a_client_that_never_answers_its_challenge_is_closed() {
    let rawsocket = json!({ "type": "rawsocket", "endpoint": loopback(), "auth": all_methods() });
    let mut config = node(json!([rawsocket]));
    config["limits"] = json!({ "hello_timeout_ms": 100 });
    let mut router = Process::start("auth-silence", &config);
    let mut raw = RawClient::connect(router.tcp_address());
    raw.send(&hello("ticket", json!({})));
    assert_eq!(raw.receive()[0], 4);
    assert!(raw.try_receive().is_none(), "the connection is closed");
}

#[test]
fn guesses_over_ever_new_connections_are_denied_after_a_while() {
    let websocket = json!({ "type": "websocket", "endpoint": loopback(), "auth": all_methods() });
    let rawsocket = json!({ "type": "rawsocket", "endpoint": loopback(), "auth": all_methods() });
    let mut config = node(json!([websocket, rawsocket]));
    config["limits"] = json!({ "failed_logins": 4 });
    let mut router = Process::start("auth-guesses", &config);
    let (by_websocket, by_rawsocket) = (router.tcp_address(), router.tcp_address());
    for _ in 0..2 {
        let mut raw = RawClient::connect(by_rawsocket);
        raw.send(&hello("ticket", json!({})));
        raw.receive();
        raw.send(&json!([5, "guess", {}]));
        assert_eq!(raw.receive()[2], "wamp.error.authentication_denied");
        let mut web = WebSocketClient::connect(by_websocket, "wamp.2.json");
        web.send(&hello("ticket", json!({})));
        web.receive();
        web.send(&json!([5, "guess", {}]));
        assert_eq!(web.receive()[2], "wamp.error.authentication_denied");
    }
    let mut raw = RawClient::connect(by_rawsocket);
    raw.send(&hello("ticket", json!({})));
    let denied = raw.receive();
    assert_eq!(denied[2], "wamp.error.authentication_denied", "{denied}");
    // Who shows no secret is let in as before.
    RawClient::connect(by_rawsocket).hello("realm1");
}

#[test]
fn an_authenticator_lets_in_whom_it_likes() {
    let dynamic = json!({
        "type": "dynamic", "authenticator": "com.example.authenticate", "authenticator-realm": "realm1",
    });
    let inside = json!({ "type": "rawsocket", "endpoint": loopback() });
    let outside = json!({ "type": "rawsocket", "endpoint": loopback(), "auth": { "ticket": dynamic } });
    let mut router = Process::start("auth-dynamic", &node(json!([inside, outside])));
    let mut authenticator = RawClient::join(router.tcp_address());
    let address = router.tcp_address();
    assert_eq!(authenticator.request(64, &[json!({}), json!("com.example.authenticate")])[0], 65);
    for (invocation, (answer, expected)) in
        (1..).zip([(json!([70, 1, {}, ["user"]]), 2), (json!([8, 68, 2, {}, "com.example.no", ["no"]]), 3)])
    {
        let mut client = RawClient::connect(address);
        client.send(&hello("ticket", json!({})));
        client.receive();
        client.send(&json!([5, "pencil", {}]));
        let question = authenticator.receive();
        assert_eq!((&question[1], &question[4][2]["ticket"]), (&json!(invocation), &json!("pencil")));
        let peer = question[4][2]["transport"]["peer"].as_str().expect("a text");
        assert!(peer.starts_with("tcp4:127.0.0.1:"), "{peer}");
        authenticator.send(&answer);
        let heard = client.receive();
        assert_eq!(heard[0], expected, "{heard}");
        if expected == 2 {
            // Longer than anything may be before a login.
            let reply = client.request(48, &[json!({}), json!("no.such"), json!(["x".repeat(70_000)])]);
            assert_eq!(
                (&reply[0], &reply[4]),
                (&json!(8), &json!("wamp.error.no_such_procedure")),
                "{reply}"
            );
        }
    }
    let mut client = RawClient::connect(address);
    client.send(&hello("ticket", json!({})));
    client.receive();
    client.send(&json!([5, "pencil", {}]));
    authenticator.receive();
    authenticator.send(&json!([70, 3, {}, [{ "rolle": "user" }]]));
    assert_eq!(client.receive()[1]["message"], "the authenticator has failed", "and no more");
    let reason = router.wait_for("com.example.authenticate has failed");
    assert!(reason.contains("expected a role"), "{reason}");
    assert!(reason.contains("found a dictionary of \"rolle\": a string"), "{reason}");
    // Authenticators repeat what a client says of itself, of which no line of the log may be made.
    let forged = "nobody is called joe\nINFO session attached";
    for answer in [json!([8, 68, 4, {}, "com.example.no", [forged]]), json!([70, 5, {}, [forged]])] {
        let mut client = RawClient::connect(address);
        client.send(&hello("ticket", json!({})));
        client.receive();
        client.send(&json!([5, "pencil", {}]));
        authenticator.receive();
        authenticator.send(&answer);
        assert_eq!(client.receive()[0], 3);
        let line = router.wait_for("nobody is called joe");
        assert!(line.contains("joe\\x0aINFO session attached"), "{line}");
    }
}

#[test]
fn an_authenticator_is_told_the_headers_of_the_request_and_nobody_else() {
    let dynamic = json!({
        "type": "dynamic", "authenticator": "com.example.authenticate", "authenticator-realm": "realm1",
    });
    let websocket = json!({
        "type": "websocket",
        "auth": { "ticket": dynamic },
        "options": { "allowed_origins": ["*", "https://app.example.com"] },
    });
    let inside = json!({ "type": "rawsocket", "endpoint": loopback() });
    let outside = json!({ "type": "web", "endpoint": loopback(), "paths": { "ws": websocket } });
    let mut router = Process::start("auth-headers", &node(json!([inside, outside])));
    let mut authenticator = RawClient::join(router.tcp_address());
    let address = router.tcp_address();
    assert_eq!(authenticator.request(64, &[json!({}), json!("com.example.authenticate")])[0], 65);
    let news = authenticator.request(32, &[json!({}), json!("wamp.session.on_join")]);
    // What browsers add by themselves is kept from pages of other sites, unless the configuration names them.
    for (invocation, (origin, cookie)) in (1..).zip([
        ("http://localhost:8080", json!("a=b; c=d")),
        ("https://app.example.com", json!("a=b; c=d")),
        ("https://evil.example", json!(null)),
    ]) {
        let mut http = HttpClient::connect(address);
        let headers =
            format!("Cookie: a=b; c=d\nOrigin: {origin}\nX-Forwarded-For: 10.0.0.1\nX-Forwarded-For: é");
        assert_eq!(http.request(&format!("{UPGRADE}\n{headers}"), b"").status, 101);
        say(&mut http.socket, &hello("ticket", json!({})));
        assert_eq!(hear(&mut http.socket)[0], 4);
        say(&mut http.socket, &json!([5, "pencil", {}]));
        let question = authenticator.receive();
        let received = &question[4][2]["transport"]["http_headers_received"];
        assert_eq!((&received["origin"], &received["cookie"]), (&json!(origin), &cookie));
        assert_eq!(received["x-forwarded-for"], "10.0.0.1, é");
        authenticator.send(&json!([70, invocation, {}, ["user"]]));
        let welcome = hear(&mut http.socket);
        assert_eq!(welcome[0], 2, "{welcome}");
        let event = authenticator.receive();
        assert_eq!((&event[1], &event[4][0]["session"]), (&news[2], &welcome[1]));
        let transport = &event[4][0]["transport"];
        assert_eq!(
            (&transport["type"], &transport["http_headers_received"]),
            (&json!("websocket"), &json!(null))
        );
    }
}

#[test]
fn a_client_certificate_says_who_its_owner_is() {
    let certificates = Certificates::make("auth-tls");
    let (joe, stranger) = (certificates.sign("joe"), certificates.sign("stranger"));
    let der = CertificateDer::from_pem_slice(joe.0.as_bytes()).expect("PEM");
    let auth = json!({
        "tls": principals(json!({ "joe": { "certificate-sha256": hex::encode(&Sha256::digest(&der)) } })),
        "anonymous": { "type": "static" },
    });
    let changes = json!({ "ca_certificates": ["ca.pem"], "require_client_certificate": false });
    let rawsocket = json!({ "type": "rawsocket", "endpoint": certificates.endpoint(&changes), "auth": auth });
    let mut router = Process::start("auth-tls", &node(json!([rawsocket])));
    let address = router.tcp_address();
    let mut known = RawClient::on(certificates.connect(address, Some(joe)));
    known.send(&hello("tls", json!({})));
    assert_joe(&known.receive(), "tls");
    let mut unknown = RawClient::on(certificates.connect(address, Some(stranger)));
    unknown.send(&hello("tls", json!({})));
    assert_eq!(unknown.receive()[2], "wamp.error.authentication_denied");
    let mut without = RawClient::on(certificates.connect(address, None));
    without.send(&hello("tls", json!({})));
    assert_eq!(without.receive()[2], "wamp.error.no_matching_auth_method");
    RawClient::on(certificates.connect(address, None)).hello("realm1");
}

#[test]
fn a_signature_is_bound_to_the_channel_where_the_client_wants_it() {
    let certificates = Certificates::make("auth-channel");
    let endpoint = certificates.endpoint(&json!({}));
    let rawsocket = json!({ "type": "rawsocket", "endpoint": endpoint, "auth": all_methods() });
    let mut router = Process::start("auth-channel", &node(json!([rawsocket])));
    let address = router.tcp_address();
    let key = hex::encode(signing_key().verifying_key().as_bytes());
    let asked = json!({ "pubkey": key, "channel_binding": "tls-exporter" });
    let begin = || {
        let mut client = RawClient::on(certificates.connect(address, None));
        client.send(&hello("cryptosign", asked.clone()));
        let challenge = client.receive();
        assert_eq!(challenge[2]["channel_binding"], "tls-exporter");
        let id = client.socket.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
        (client, challenge, id.expect("TLS 1.3"))
    };
    let (mut bound, challenge, id) = begin();
    bound.send(&json!([5, signed(&challenge[2], Some(id)), {}]));
    assert_joe(&bound.receive(), "cryptosign");
    let (mut relayed, challenge, _) = begin();
    relayed.send(&json!([5, signed(&challenge[2], Some(id)), {}]));
    assert_eq!(relayed.receive()[2], "wamp.error.authentication_denied");
}
