//! Authentication as clients meet it: on real sockets of the real server, by each method, with client certificates, bound to
//! the channel, and with cookies.

#![cfg(feature = "native")]

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;
#[path = "common/websocket.rs"]
mod websocket;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use base64ct::{Base64, Encoding};
use certificates::Certificates;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use http::{Answer, HttpClient};
use process::{PATIENCE, Process, RawClient, loopback};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wamplet::auth::hex;
use websocket::{TEXT, WebSocketClient, masked};

/// Two realms with roles that may do everything.
fn node(transports: Value) -> Value {
    let role = |name: &str| {
        let all = json!({ "call": true, "register": true, "publish": true, "subscribe": true });
        json!({ "name": name, "permissions": [{ "uri": "", "match": "prefix", "allow": all }] })
    };
    let realms = json!([{ "name": "realm1", "roles": [role("anonymous"), role("user")] }]);
    json!({ "version": 2, "workers": [{ "type": "router", "realms": realms, "transports": transports }] })
}

fn principals(principals: Value) -> Value {
    json!({ "type": "static", "principals": principals, "default-role": "user" })
}

/// Every method that needs no more than messages; `joe` has the password `pencil` and [`signing_key`].
fn all_methods() -> Value {
    let salted = pbkdf2(b"pencil", b"salty", 4_096);
    let stored_key: [u8; 32] = Sha256::digest(mac(&salted, b"Client Key")).into();
    json!({
        "anonymous": { "type": "static" },
        "ticket": principals(json!({ "joe": { "ticket": "pencil" } })),
        "wampcra": { "type": "static", "default-role": "user", "users": { "joe": { "secret": "pencil" } } },
        "scram": principals(json!({ "joe": {
            "kdf": "pbkdf2", "iterations": 4_096, "memory": 0, "salt": hex::encode(b"salty"),
            "stored-key": hex::encode(&stored_key), "server-key": hex::encode(&mac(&salted, b"Server Key")),
        } })),
        "cryptosign": principals(json!({ "joe": {
            "authorized_keys": [hex::encode(signing_key().verifying_key().as_bytes())],
        } })),
    })
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA256, one block.
fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = mac(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut key = block;
    for _ in 1..iterations {
        block = mac(password, &block);
        key.iter_mut().zip(block).for_each(|(key, block)| *key ^= block);
    }
    key
}

fn hello(method: &str, authextra: Value) -> Value {
    let roles = json!({ "publisher": {}, "subscriber": {}, "caller": {}, "callee": {} });
    json!([1, "realm1", { "roles": roles, "authmethods": [method], "authid": "joe", "authextra": authextra }])
}

const NONCE: &str = "Zm9vIGJhciBiYXogMTIzNA==";

/// What a client makes of the extra of a CHALLENGE: signature and extra.
type Answering = fn(&Value) -> (String, Value);

/// HELLO, and how a client answers the CHALLENGE.
fn client(method: &str) -> (Value, Answering) {
    let key = hex::encode(signing_key().verifying_key().as_bytes());
    match method {
        "ticket" => (hello(method, json!({})), |_| ("pencil".into(), json!({}))),
        "wampcra" => (hello(method, json!({})), |extra| {
            let challenge = extra["challenge"].as_str().expect("a text");
            (Base64::encode_string(&mac(b"pencil", challenge.as_bytes())), json!({}))
        }),
        "wamp-scram" => (hello(method, json!({ "nonce": NONCE })), |extra| {
            let text = |key: &str| extra[key].as_str().expect("a text");
            let (nonce, salt) = (text("nonce"), text("salt"));
            let salted = pbkdf2(b"pencil", &Base64::decode_vec(salt).expect("base64"), 4_096);
            let message = format!("n=joe,r={NONCE},r={nonce},s={salt},i=4096,c=biws,r={nonce}");
            let client_key = mac(&salted, b"Client Key");
            let signature = mac(&Sha256::digest(client_key), message.as_bytes());
            let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, byte)| key ^ byte).collect();
            let extra = json!({ "nonce": nonce, "channel_binding": null, "cbind_data": null });
            (Base64::encode_string(&proof), extra)
        }),
        _ => (hello(method, json!({ "pubkey": key })), |extra| (signed(extra, None), json!({}))),
    }
}

/// The challenge of cryptosign, signed, and bound to a channel.
fn signed(extra: &Value, channel: Option<[u8; 32]>) -> String {
    let challenge = hex::decode_array::<32>(extra["challenge"].as_str().expect("a text")).expect("digits");
    let channel = channel.unwrap_or_default();
    let message: Vec<u8> = challenge.iter().zip(channel).map(|(byte, channel)| byte ^ channel).collect();
    hex::encode(&[&signing_key().sign(&message).to_bytes(), &message[..]].concat())
}

#[track_caller]
fn assert_joe(welcome: &Value, method: &str) {
    assert_eq!(welcome[0], 2, "expected a WELCOME, found {welcome}");
    for (key, value) in
        [("authid", "joe"), ("authrole", "user"), ("authmethod", method), ("authprovider", "static")]
    {
        assert_eq!(welcome[2][key], value, "{key}");
    }
}

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
fn principals_are_those_of_the_file_when_it_was_read_last() {
    let config = |ticket: &str| {
        let auth = json!({ "ticket": principals(json!({ "joe": { "ticket": ticket } })) });
        let rawsocket = json!({ "type": "rawsocket", "endpoint": loopback(), "auth": auth });
        let paths = json!({ "ws": { "type": "websocket", "auth": auth } });
        node(json!([rawsocket, { "type": "web", "endpoint": loopback(), "paths": paths }]))
    };
    let mut router = Process::start("auth-reload", &config("old"));
    let (by_rawsocket, by_websocket) = (router.tcp_address(), router.tcp_address());
    let answers = |ticket: &str| {
        let mut raw = RawClient::connect(by_rawsocket);
        raw.send(&hello("ticket", json!({})));
        raw.receive();
        raw.send(&json!([5, ticket, {}]));
        let mut web = WebSocketClient::connect(by_websocket, "wamp.2.json");
        web.send(&hello("ticket", json!({})));
        web.receive();
        web.send(&json!([5, ticket, {}]));
        [raw.receive()[0].clone(), web.receive()[0].clone()]
    };
    assert_eq!(answers("old"), [2, 2]);
    assert_eq!(answers("new"), [3, 3]);
    let mut early = RawClient::connect(by_rawsocket);
    router.reload(&config("new"));
    assert_eq!(answers("old"), [3, 3]);
    assert_eq!(answers("new"), [2, 2]);
    early.send(&hello("ticket", json!({})));
    early.receive();
    early.send(&json!([5, "old", {}]));
    assert_eq!(early.receive()[0], 3, "a connection that was there before");
    let mut nobody = config("new");
    for pointer in ["/0/auth", "/1/paths/ws/auth"] {
        let pointer = format!("/workers/0/transports{pointer}/ticket/principals");
        *nobody.pointer_mut(&pointer).expect("principals") = json!({});
    }
    router.reload(&nobody);
    assert_eq!(answers("new"), [3, 3], "the last one was taken out");
}

/// RawSocket listeners on unix sockets of these names, where these have tickets.
fn with_tickets(sockets: &[&str], known: &[&str]) -> Value {
    let tickets: Value = known.iter().map(|one| (*one, json!({ "ticket": "pencil" }))).collect();
    let rawsocket = |socket: &&str| {
        let endpoint = json!({ "type": "unix", "path": socket });
        json!({ "type": "rawsocket", "endpoint": endpoint, "auth": { "ticket": principals(tickets.clone()) } })
    };
    node(sockets.iter().map(rawsocket).collect())
}

#[test]
fn a_place_is_found_again_by_its_address_whatever_else_has_changed() {
    let mut router = Process::start("auth-moved", &with_tickets(&["main"], &["joe", "amy"]));
    router.wait_for("is ready");
    let socket = router.folder().join("main");
    let answer = || {
        let mut raw = RawClient::on(UnixStream::connect(&socket).expect("it listens"));
        raw.send(&hello("ticket", json!({})));
        raw.receive();
        raw.send(&json!([5, "pencil", {}]));
        raw.receive()[0].clone()
    };
    assert_eq!(answer(), 2);
    // Another listener stands where it stood.
    router.reload(&with_tickets(&["other", "main"], &["amy"]));
    assert_eq!(answer(), 3, "joe is gone");
    router.reload(&with_tickets(&["main"], &["joe"]));
    assert_eq!(answer(), 2);
}

#[test]
fn nobody_logs_in_where_the_configuration_has_no_listener_any_more() {
    let mut router = Process::start("auth-gone", &with_tickets(&["main"], &["joe"]));
    router.wait_for("is ready");
    let socket = router.folder().join("main");
    let connect = || RawClient::on(UnixStream::connect(&socket).expect("it listens"));
    let mut early = connect();
    let log = router.reload(&with_tickets(&["other"], &["joe"]));
    let warning = log.iter().find(|line| line.contains("WARN")).expect("a warning");
    assert!(warning.contains("main rawsocket is not in the configuration any more"), "{warning}");
    for client in [&mut early, &mut connect()] {
        client.send(&hello("ticket", json!({})));
        assert_eq!(client.receive()[2], "wamp.error.no_matching_auth_method");
    }
    router.reload(&with_tickets(&["main"], &["joe"]));
    let mut late = connect();
    late.send(&hello("ticket", json!({})));
    assert_eq!(late.receive()[0], 4, "it is there again");
}

#[test]
fn connections_from_before_a_reload_authenticate_as_it_says() {
    let config = |auth: Option<Value>| {
        let mut rawsocket = json!({ "type": "rawsocket", "endpoint": loopback() });
        if let Some(auth) = auth {
            rawsocket["auth"] = auth;
        }
        node(json!([rawsocket]))
    };
    let tickets = || Some(json!({ "ticket": principals(json!({ "joe": { "ticket": "pencil" } })) }));
    let mut router = Process::start("auth-added", &config(None));
    let address = router.tcp_address();
    let (mut silent, mut joined) = (RawClient::connect(address), RawClient::join(address));
    router.reload(&config(tickets()));
    joined.subscribe("com.example.topic");
    joined.send(&json!([6, {}, "wamp.close.normal"]));
    assert_eq!(joined.receive()[0], 6);
    for client in [&mut silent, &mut joined] {
        client.send(&hello("anonymous", json!({})));
        assert_eq!(client.receive()[2], "wamp.error.no_matching_auth_method");
    }

    let mut silent = RawClient::connect(address);
    router.reload(&config(None));
    silent.hello("realm1");
    // What asked for nothing before is found again, time after time.
    let mut silent = RawClient::connect(address);
    router.reload(&config(None));
    router.reload(&config(tickets()));
    silent.send(&hello("ticket", json!({})));
    assert_eq!(silent.receive()[0], 4);
}

#[test]
fn a_handshake_that_a_reload_overtakes_leads_to_what_the_reload_says() {
    let config = |known: Value| {
        let websocket = json!({ "type": "websocket", "auth": { "ticket": principals(known) } });
        let long = json!({ "type": "json", "value": "x".repeat(16_000) });
        let endpoint = json!({ "type": "unix", "path": "web" });
        node(json!([{ "type": "web", "endpoint": endpoint, "paths": { "ws": websocket, "long": long } }]))
    };
    let mut router = Process::start("auth-overtaken", &config(json!({ "joe": { "ticket": "pencil" } })));
    router.wait_for("is ready");
    let socket = router.folder().join("web");
    let connect = || {
        let socket = UnixStream::connect(&socket).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        HttpClient { socket }
    };
    const PAGE: &str = "GET /long HTTP/1.1\nHost: localhost";
    // Who reads nothing until then: with a few pages, the answer to the last request waits behind them in the router.
    let waiting: Vec<_> = (0..40)
        .map(|pages| {
            let mut http = connect();
            (0..pages).for_each(|_| http.send(PAGE, b""));
            http.send(UPGRADE, b"");
            http
        })
        .collect();
    for _ in 0..50 {
        // The router has looked at those before in between.
        assert_eq!(connect().request(PAGE, b"").status, 200);
    }
    router.reload(&config(json!({ "amy": { "ticket": "pencil" } })));
    for (pages, mut http) in waiting.into_iter().enumerate() {
        (0..pages).for_each(|_| assert_eq!(http.answer(true).status, 200));
        assert_eq!(http.answer(false).status, 101);
        say(&mut http.socket, &hello("ticket", json!({})));
        assert_eq!(hear(&mut http.socket)[0], 4);
        say(&mut http.socket, &json!([5, "pencil", {}]));
        let heard = hear(&mut http.socket);
        assert_eq!(heard[0], 3, "behind {pages} pages joe is let in: {heard}");
    }
}

#[test]
fn who_is_challenged_when_a_reload_comes_is_let_in_by_what_still_stands_alone() {
    let config = |known: Value| {
        let auth = json!({ "ticket": principals(known) });
        node(json!([{ "type": "rawsocket", "endpoint": { "type": "unix", "path": "raw" }, "auth": auth }]))
    };
    let joe = |ticket: &str| json!({ "joe": { "ticket": ticket } });
    let mut router = Process::start("auth-challenged", &config(joe("pencil")));
    router.wait_for("is ready");
    let socket = router.folder().join("raw");
    for (new, expected) in [
        (json!({ "joe": { "ticket": "pencil" }, "amy": { "ticket": "pen" } }), 2),
        (json!({ "amy": { "ticket": "pencil" } }), 3),
        (joe("another"), 3),
        (json!({ "joe": { "ticket": "pencil", "role": "anonymous" } }), 3),
    ] {
        router.reload(&config(joe("pencil")));
        let mut raw = RawClient::on(UnixStream::connect(&socket).expect("it listens"));
        raw.send(&hello("ticket", json!({})));
        assert_eq!(raw.receive()[0], 4);
        router.reload(&config(new.clone()));
        raw.send(&json!([5, "pencil", {}]));
        let heard = raw.receive();
        assert_eq!(heard[0], expected, "{new}: {heard}");
    }
}

#[test]
fn principals_of_a_listener_whose_backlog_changes_are_read_too() {
    let config = |backlog: u32, ticket: &str| {
        let mut endpoint = loopback();
        endpoint["backlog"] = json!(backlog);
        let auth = json!({ "ticket": principals(json!({ "joe": { "ticket": ticket } })) });
        node(json!([{ "type": "rawsocket", "endpoint": endpoint, "auth": auth }]))
    };
    let mut router = Process::start("auth-backlog", &config(64, "old"));
    let address = router.tcp_address();
    router.reload(&config(32, "new"));
    for (ticket, expected) in [("old", 3), ("new", 2)] {
        let mut raw = RawClient::connect(address);
        raw.send(&hello("ticket", json!({})));
        raw.receive();
        raw.send(&json!([5, ticket, {}]));
        assert_eq!(raw.receive()[0], expected, "{ticket}");
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

const UPGRADE: &str = "GET /ws HTTP/1.1\nHost: localhost:8080\nUpgrade: websocket\nConnection: Upgrade\n\
     Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: wamp.2.json";

/// Shakes hands as a browser with these headers, says HELLO, and goes on to WELCOME or ABORT. Answers that, and the
/// handshake.
fn by_browser(address: SocketAddr, headers: &str, methods: &[&str]) -> (HttpClient, Answer, Value) {
    let mut http = HttpClient::connect(address);
    let head = format!("{UPGRADE}\n{headers}");
    let answer = http.request(&head, b"");
    assert_eq!(answer.status, 101, "{answer:?}");
    let mut message = hello("ticket", json!({}));
    message[2]["authmethods"] = json!(methods);
    say(&mut http.socket, &message);
    let mut heard = hear(&mut http.socket);
    if heard[0] == 4 {
        say(&mut http.socket, &json!([5, "pencil", {}]));
        heard = hear(&mut http.socket);
    }
    (http, answer, heard)
}

fn say(socket: &mut impl Write, message: &Value) {
    socket.write_all(&masked(TEXT, message.to_string().as_bytes())).expect("the router reads");
}

fn hear(socket: &mut impl Read) -> Value {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("the router answers");
    assert_eq!(head[0], TEXT);
    let mut length = usize::from(head[1]);
    if head[1] == 126 {
        let mut long = [0; 2];
        socket.read_exact(&mut long).expect("the router answers");
        length = u16::from_be_bytes(long).into();
    }
    let mut text = vec![0; length];
    socket.read_exact(&mut text).expect("the router answers");
    serde_json::from_slice(&text).expect("JSON")
}

/// A WebSocket and long polling with cookies that log in.
fn with_cookies(cookie: Value, options: Value) -> Value {
    let auth = json!({
        "ticket": principals(json!({ "joe": { "ticket": "pencil" } })),
        "anonymous": { "type": "static" },
        "cookie": {},
    });
    let websocket = json!({ "type": "websocket", "auth": auth, "cookie": cookie, "options": options });
    let long_poll = json!({ "type": "longpoll", "auth": auth, "cookie": cookie });
    let paths = json!({ "ws": websocket, "lp": long_poll });
    node(json!([{ "type": "web", "endpoint": loopback(), "paths": paths }]))
}

/// `name=value` of the cookie that an answer sets.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

#[test]
fn a_browser_that_has_logged_in_is_known_again_by_its_cookie() {
    let cookie = json!({ "name": "id", "max_age": 3_600, "http_strict": true, "same_site": "Lax" });
    let mut router = Process::start("auth-cookie", &with_cookies(cookie, json!({})));
    let address = router.tcp_address();
    let methods = ["cookie", "ticket"];

    let (_first, answer, welcome) = by_browser(address, "", &methods);
    assert_joe(&welcome, "ticket");
    let header = answer.header("set-cookie");
    let value = cookie_of(&answer);
    assert_eq!(header, format!("{value}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(value.len(), "id=".len() + 24);

    let (_second, answer, welcome) = by_browser(address, &format!("Cookie: a=b; {value}"), &["cookie"]);
    assert_eq!(cookie_of(&answer), value);
    assert_eq!((&welcome[0], &welcome[2]["authid"]), (&json!(2), &json!("joe")));
    assert_eq!(welcome[2]["authprovider"], "cookie");

    // Another program of the host may have set a cookie that is no ASCII.
    let (_third, answer, welcome) = by_browser(address, &format!("Cookie: a=ü; {value}"), &["cookie"]);
    assert_eq!((cookie_of(&answer), &welcome[0]), (value, &json!(2)));

    // A value that was never handed out is not taken, whoever has thought of it.
    let (_, answer, abort) = by_browser(address, "Cookie: id=AAAAAAAAAAAAAAAAAAAAAAAA", &["cookie"]);
    assert_ne!(cookie_of(&answer), "id=AAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(abort[2], "wamp.error.no_matching_auth_method");
    // An anonymous session makes its cookie stand for nobody.
    let (_, answer, welcome) = by_browser(address, "", &["anonymous"]);
    assert_eq!(welcome[0], 2);
    let (_, _, abort) = by_browser(address, &format!("Cookie: {}", cookie_of(&answer)), &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn who_proves_nothing_keeps_its_authid_as_long_as_its_cookie() {
    let websocket = |auth: Value| {
        let mut service = json!({ "type": "websocket", "cookie": {} });
        if auth != json!(null) {
            service["auth"] = auth;
        }
        node(json!([{ "type": "web", "endpoint": loopback(), "paths": { "ws": service } }]))
    };
    for (name, auth) in
        [("auth-serial-open", json!(null)), ("auth-serial", json!({ "anonymous": { "type": "static" } }))]
    {
        let mut router = Process::start(name, &websocket(auth));
        let address = router.tcp_address();
        let authid = |headers: &str| {
            let (_, answer, welcome) = by_browser(address, headers, &["anonymous"]);
            (cookie_of(&answer), welcome[2]["authid"].as_str().expect("an authid").to_owned())
        };
        let (cookie, first) = authid("");
        assert_eq!(first.len(), "QWKN-EVF9-STW3-UUJ6-67KF-9UG4".len());
        assert_eq!(authid(&format!("Cookie: {cookie}")), (cookie.clone(), first.clone()));
        assert_ne!(authid("").1, first);
        // Neither is the cookie told to others, nor a page of another site taken for one of this.
        assert!(!cookie.contains(&first));
        assert_ne!(authid(&format!("Cookie: {cookie}\nOrigin: https://evil.example")).1, first);
    }
}

#[test]
fn a_page_of_another_site_cannot_use_the_cookie_unless_it_is_named() {
    let options = json!({ "allowed_origins": ["*", "https://app.example.com"] });
    let mut router = Process::start("auth-origin", &with_cookies(json!({}), options));
    let address = router.tcp_address();
    let (_, answer, _) = by_browser(address, "", &["ticket"]);
    let cookie = cookie_of(&answer);
    for (origin, expected) in [
        ("http://localhost:8080", 2),
        ("https://app.example.com", 2),
        ("https://evil.example", 3),
        ("http://localhost:9090", 3),
        ("null", 3),
    ] {
        let headers = format!("Cookie: {cookie}\nOrigin: {origin}");
        let (_, _, heard) = by_browser(address, &headers, &["cookie"]);
        assert_eq!(heard[0], expected, "{origin}");
    }
}

#[test]
fn a_page_of_another_site_cannot_use_the_certificate_unless_it_is_named() {
    let certificates = Certificates::make("auth-certificate-origin");
    let joe = certificates.sign("joe");
    let der = CertificateDer::from_pem_slice(joe.0.as_bytes()).expect("PEM");
    let certificate = json!({ "certificate-sha256": hex::encode(&Sha256::digest(&der)) });
    let auth = json!({ "tls": principals(json!({ "joe": certificate })) });
    let options = json!({ "allowed_origins": ["*", "https://app.example.com"] });
    let changes = json!({ "ca_certificates": ["ca.pem"] });
    let web = json!({
        "type": "web",
        "endpoint": certificates.endpoint(&changes),
        "paths": {
            "ws": { "type": "websocket", "auth": auth, "options": options },
            "lp": { "type": "longpoll", "auth": auth },
        },
    });
    let mut router = Process::start("auth-certificate-origin", &node(json!([web])));
    let address = router.tcp_address();
    let connect = || HttpClient { socket: certificates.connect(address, Some(joe.clone())) };
    for (origin, by_websocket, by_longpoll) in [
        ("", 2, 2),
        ("Origin: https://localhost:8080", 2, 2),
        ("Origin: https://app.example.com", 2, 3),
        ("Origin: https://evil.example", 3, 3),
    ] {
        let mut http = connect();
        assert_eq!(http.request(&format!("{UPGRADE}\n{origin}"), b"").status, 101);
        say(&mut http.socket, &hello("tls", json!({})));
        assert_eq!(hear(&mut http.socket)[0], by_websocket, "{origin:?}");

        let mut http = connect();
        let mut post = |path: &str, body: &str| {
            let length = body.len();
            let head =
                format!("POST {path} HTTP/1.1\nHost: localhost:8080\nContent-Length: {length}\n{origin}");
            http.request(&head, body.as_bytes())
        };
        let opened = post("/lp/open", "{\"protocols\": [\"wamp.2.json\"]}").json();
        let id = opened["transport"].as_str().expect("an id");
        post(&format!("/lp/{id}/send"), &hello("tls", json!({})).to_string());
        assert_eq!(post(&format!("/lp/{id}/receive"), "").json()[0], by_longpoll, "{origin:?}");
    }
}

#[test]
fn logging_out_makes_a_cookie_worthless() {
    let mut router = Process::start("auth-logout", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (mut first, answer, _) = by_browser(address, "", &["ticket"]);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let (mut second, _, welcome) = by_browser(address, &header, &["cookie"]);
    assert_eq!(welcome[0], 2);
    say(&mut first.socket, &json!([6, {}, "wamp.close.logout"]));
    assert_eq!(hear(&mut first.socket)[2], "wamp.close.goodbye_and_out");
    assert_eq!(hear(&mut second.socket)[2], "wamp.close.logout", "the other tab");
    let (_, _, abort) = by_browser(address, &header, &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn the_cookie_of_a_session_that_was_killed_is_worthless() {
    let mut router = Process::start("auth-kill", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (_first, answer, welcome) = by_browser(address, "", &["ticket"]);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let (mut admin, _, _) = by_browser(address, "", &["anonymous"]);
    say(&mut admin.socket, &json!([48, 1, {}, "wamp.session.kill", [welcome[1]]]));
    assert_eq!(hear(&mut admin.socket)[0], 50);
    let (_, _, abort) = by_browser(address, &header, &["cookie"]);
    assert_eq!(abort[0], 3);
}

#[test]
fn a_cookie_logs_in_nobody_whom_the_configuration_does_not_know_any_more() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-known-{}", std::process::id()));
    let store = json!({ "type": "file", "filename": folder.join("cookies.json") });
    let config = |auth: Value| {
        let mut config = with_cookies(json!({ "store": store }), json!({}));
        for path in ["ws", "lp"] {
            config["workers"][0]["transports"][0]["paths"][path]["auth"] = auth.clone();
        }
        config
    };
    let known = |name: &str, role: &str| {
        let known = json!({ name: { "ticket": "pencil", "role": role } });
        config(json!({ "ticket": { "type": "static", "principals": known }, "cookie": {} }))
    };
    let mut router = Process::start("auth-cookie-known", &known("joe", "user"));
    let address = router.tcp_address();
    let (_, answer, welcome) = by_browser(address, "", &["ticket"]);
    assert_eq!(welcome[0], 2);
    let header = format!("Cookie: {}", cookie_of(&answer));
    let changed = json!({ "ticket": principals(json!({ "joe": { "ticket": "other" } })), "cookie": {} });
    let method_gone = json!({ "wampcra": { "type": "static", "users": { "joe": {
        "secret": "pencil", "role": "user",
    } } }, "cookie": {} });
    let dynamic =
        json!({ "ticket": { "type": "dynamic", "authenticator": "com.example.check" }, "cookie": {} });
    for (config, expected) in [
        (known("amy", "user"), 3),
        (known("joe", "user"), 2),
        (known("joe", "anonymous"), 3),
        (config(changed), 2),
        (config(method_gone), 3),
        (config(dynamic), 2),
        (known("amy", "user"), 3),
    ] {
        router.reload(&config);
        let (_, _, heard) = by_browser(address, &header, &["cookie"]);
        assert_eq!(heard[0], expected, "{config}");
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    // Nor does one from before the start.
    for (name, expected) in [("amy", 3), ("joe", 2)] {
        let mut router = Process::start("auth-cookie-known", &known(name, "user"));
        let (_, _, heard) = by_browser(router.tcp_address(), &header, &["cookie"]);
        assert_eq!(heard[0], expected, "{name}");
        router.signal("TERM");
        assert_eq!(router.exit_code(), Some(0));
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn who_was_logged_in_at_a_crossbar_node_stays_so_and_its_file_is_kept() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-crossbar-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("cookies.dat");
    let line = |id: &str, value: &str, created: &str, authid: Value| {
        let role = if authid.is_null() { json!(null) } else { json!("user") };
        let method = if authid.is_null() { json!(null) } else { json!("ticket") };
        json!({
            id: value, "created": created, "max_age": 604_800, "authid": authid, "authrole": role,
            "authmethod": method, "authrealm": "realm1", "authextra": null,
        })
    };
    let mut deleted = line("cbtid", "deleted", "2099-01-01T00:00:00.000Z", json!("joe"));
    deleted["deleted"] = json!("2099-01-02T00:00:00.000Z");
    let lines = [
        line("cbtid", "known", "2020-01-01T00:00:00.000Z", json!(null)),
        line("cbtid", "known", "2099-01-01T00:00:00.000Z", json!("joe")),
        line("id", "of-old", "2099-01-01T00:00:00.000Z", json!("joe")),
        line("cbtid", "no-login", "2099-01-01T00:00:00.000Z", json!(null)),
        line("cbtid", "nobody", "2099-01-01T00:00:00.000Z", json!("amy")),
        line("cbtid", "too-old", "2020-01-01T00:00:00.000Z", json!("joe")),
        line("cbtid", "deleted", "2099-01-01T00:00:00.000Z", json!("joe")),
        deleted,
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, &text).expect("a temporary file");
    let store = json!({ "type": "file", "filename": file });
    let config = with_cookies(json!({ "store": store }), json!({}));
    for start in ["with the file of Crossbar.io", "with our own"] {
        let mut router = Process::start("auth-cookie-crossbar", &config);
        let address = router.tcp_address();
        let values =
            [("known", 2), ("of-old", 2), ("no-login", 3), ("nobody", 3), ("too-old", 3), ("deleted", 3)];
        for (value, expected) in values {
            let header = format!("Cookie: cbtid={value}");
            let (_, _, heard) = by_browser(address, &header, &["cookie"]);
            assert_eq!(heard[0], expected, "{value}, {start}");
            if expected == 2 {
                assert_eq!((&heard[2]["authid"], &heard[2]["authrole"]), (&json!("joe"), &json!("user")));
            }
        }
        router.signal("TERM");
        assert_eq!(router.exit_code(), Some(0));
    }
    let copy = std::fs::read_to_string(folder.join("cookies.dat.crossbar"));
    assert_eq!(copy.expect("it was kept"), text);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn logins_in_a_file_outlive_the_process() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-{}", std::process::id()));
    let file = folder.join("kept/cookies.json");
    let store = |purge: bool| {
        let store = json!({ "type": "file", "filename": file, "purge_on_startup": purge });
        with_cookies(json!({ "store": store }), json!({}))
    };
    let mut router = Process::start("auth-file", &store(false));
    let (_, answer, welcome) = by_browser(router.tcp_address(), "", &["ticket"]);
    assert_eq!(welcome[0], 2);
    let header = format!("Cookie: {}", cookie_of(&answer));
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);

    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else's business");
    let mut router = Process::start("auth-file", &store(false));
    let (_, _, welcome) = by_browser(router.tcp_address(), &header, &["cookie"]);
    assert_eq!((&welcome[2]["authid"], &welcome[2]["authmethod"]), (&json!("joe"), &json!("ticket")));
    drop(router);
    let mut router = Process::start("auth-file", &store(true));
    let (_, _, abort) = by_browser(router.tcp_address(), &header, &["cookie"]);
    assert_eq!(abort[0], 3, "forgotten at the start");
    drop(router);

    std::fs::write(&file, "no cookies").expect("a temporary file");
    let mut router = Process::start("auth-file", &store(false));
    assert!(router.wait_for("cookies.json").contains("expected cookies"));
    assert_ne!(router.exit_code(), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn cookies_that_are_kept_in_one_file_stand_for_the_same_logins() {
    let folder = std::env::temp_dir().join(format!("wamplet-cookies-shared-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("cookies.json");
    let config = |second: Value, known: &str| {
        let auth = json!({ "ticket": principals(json!({ known: { "ticket": "pencil" } })), "cookie": {} });
        let listener = |name: &str, store: Value| {
            let websocket =
                json!({ "type": "websocket", "auth": auth, "cookie": { "name": name, "store": store } });
            json!({ "type": "web", "endpoint": loopback(), "paths": { "ws": websocket } })
        };
        node(json!([listener("one", json!({ "type": "file", "filename": file })), listener("two", second)]))
    };
    let kept = || {
        let text = std::fs::read_to_string(&file).expect("it was written");
        serde_json::from_str::<Vec<Value>>(&text).expect("JSON").len()
    };
    // The process runs in a folder beside that of the file.
    let relative = format!("../{}/./cookies.json", folder.file_name().expect("a name").display());
    let relative = json!({ "type": "file", "filename": relative });
    let mut router = Process::start("auth-shared", &config(relative.clone(), "joe"));
    let mut cookies = Vec::new();
    for _ in 0..2 {
        let address = router.tcp_address();
        let (_, answer, welcome) = by_browser(address, "", &["ticket"]);
        assert_joe(&welcome, "ticket");
        cookies.push(cookie_of(&answer));
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    assert_eq!(kept(), 2, "no listener overwrites the logins of another one");

    let mut router = Process::start("auth-shared", &config(relative, "joe"));
    let addresses = [router.tcp_address(), router.tcp_address()];
    let values = cookies.iter().filter_map(|cookie| cookie.split_once('=')).map(|(_, value)| value);
    let all: Vec<_> = addresses
        .iter()
        .zip(["one", "two"])
        .flat_map(|(address, name)| {
            values.clone().map(move |value| (*address, format!("Cookie: {name}={value}")))
        })
        .collect();
    for (address, header) in &all {
        assert_eq!(by_browser(*address, header, &["cookie"]).2[0], 2, "{header} at {address}");
    }
    // Which file it is stays as it was at the start; who may log in does not.
    let elsewhere = json!({ "type": "file", "filename": folder.join("elsewhere.json") });
    router.reload(&config(elsewhere, "amy"));
    for (address, header) in &all {
        assert_eq!(by_browser(*address, header, &["cookie"]).2[0], 3, "{header} at {address}");
    }
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    drop(router);
    assert_eq!(kept(), 2);

    // One that wants it forgotten is enough.
    let purge = json!({ "type": "file", "filename": file, "purge_on_startup": true });
    let mut router = Process::start("auth-shared", &config(purge, "joe"));
    let address = router.tcp_address();
    let (_, header) = &all[0];
    assert_eq!(by_browser(address, header, &["cookie"]).2[0], 3);
    router.signal("TERM");
    assert_eq!(router.exit_code(), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn long_polling_has_the_cookies_of_the_websocket_beside_it() {
    let mut router = Process::start("auth-longpoll", &with_cookies(json!({}), json!({})));
    let address = router.tcp_address();
    let (_, answer, _) = by_browser(address, "", &["ticket"]);
    let cookie = cookie_of(&answer);
    for (headers, expected) in [
        (format!("Cookie: {cookie}"), 2),
        (format!("Cookie: {cookie}\nOrigin: http://localhost:8080"), 2),
        (format!("Cookie: {cookie}\nOrigin: https://evil.example"), 3),
        (String::new(), 3),
    ] {
        let mut http = HttpClient::connect(address);
        let mut post = |path: &str, body: &Value| {
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "POST /lp/{path} HTTP/1.1\nHost: localhost:8080\nContent-Length: {length}\n{headers}"
            );
            http.request(&head, body.as_bytes())
        };
        let opened = post("open", &json!({ "protocols": ["wamp.2.json"] }));
        assert_eq!(cookie_of(&opened) == cookie, !headers.is_empty(), "{headers}");
        let id = opened.json()["transport"].as_str().expect("an id").to_owned();
        let mut message = hello("cookie", json!({}));
        message[2]["authid"] = json!(null);
        post(&format!("{id}/send"), &message);
        let heard = post(&format!("{id}/receive"), &json!(""));
        assert_eq!(heard.json()[0], expected, "{headers}");
    }
}
