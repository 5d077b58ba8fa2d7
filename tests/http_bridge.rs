//! The HTTP bridge: requests that become events and calls, by Crossbar.io's rules.

#![cfg(feature = "native")]

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

use base64ct::{Base64Url, Encoding as _};
use certificates::Certificates;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Answer, HttpClient};
use process::{Process, RawClient, loopback};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;
use wamplet::native::clock::Clock;

/// A node whose bridge has these paths; the role of its sessions may do what begins with `com.example.`, and is shown.
fn node(paths: Value) -> Value {
    let everything = json!({ "call": true, "register": true, "publish": true, "subscribe": true });
    let some = json!({ "call": true, "publish": true });
    node_of(
        paths,
        json!([
            { "name": "anonymous", "permissions": [{ "uri": "", "match": "prefix", "allow": everything }] },
            { "name": "web", "permissions": [
                { "uri": "com.example.", "match": "prefix", "allow": some, "disclose": { "caller": true } },
            ] },
            { "name": "silent", "permissions": [] },
        ]),
    )
}

fn node_of(mut paths: Value, roles: Value) -> Value {
    paths["ws"] = json!({ "type": "websocket" });
    json!({
        "version": 2,
        "workers": [{
            "type": "router",
            "realms": [{ "name": "realm1", "roles": roles }],
            "transports": [{
                "type": "universal",
                "endpoint": loopback(),
                "rawsocket": {},
                "web": { "paths": paths },
            }],
        }],
    })
}

fn service(kind: &str, options: Value) -> Value {
    json!({ "type": kind, "realm": "realm1", "role": "web", "options": options })
}

fn start(name: &str, paths: Value) -> (Process, SocketAddr) {
    let mut router = Process::start(name, &node(paths));
    let address = router.tcp_address();
    router.wait_for("is ready");
    (router, address)
}

/// A publisher, a caller and a webhook.
fn usual(name: &str) -> (Process, SocketAddr) {
    start(
        name,
        json!({
            "publish": service("publisher", json!({})),
            "call": service("caller", json!({ "debug": false })),
            "hook": service("webhook", json!({ "topic": "com.example.hook" })),
        }),
    )
}

fn head(method: &str, path: &str, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: {length}\n{headers}")
}

#[track_caller]
fn send(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    HttpClient::connect(address).request(&head("POST", path, headers, body), body)
}

/// What a script sends.
#[track_caller]
fn post(address: SocketAddr, path: &str, body: &Value) -> Answer {
    send(address, path, "Content-Type: application/json", body.to_string().as_bytes())
}

#[track_caller]
fn assert_ok(answer: &Answer, expected: &Value) {
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    assert_eq!(answer.header("content-type"), "application/json; charset=UTF-8");
}

#[track_caller]
fn assert_published(answer: &Answer) {
    let id = answer.json()["id"].as_u64();
    assert!(answer.status == 200 && id.is_some(), "{} {}", answer.status, answer.text());
}

/// A denial has the shape of all errors, and says what is wrong.
#[track_caller]
fn assert_denied(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| error.starts_with("wamp.error.")), "{body}");
    assert!(body["args"][0].as_str().is_some_and(|text| text.contains(says)), "{body}");
    assert_eq!(body["kwargs"], json!({}));
}

/// The error of a request that HTTP has nothing to say about.
#[track_caller]
fn assert_error(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.json()["error"].clone()), (200, json!(error)), "{}", answer.text());
    assert!(answer.json()["args"].is_array() && answer.json()["kwargs"].is_object(), "{}", answer.text());
}

/// The next INVOCATION: its request, details, args and kwargs.
#[track_caller]
fn invocation(callee: &mut RawClient) -> [Value; 4] {
    let message = callee.receive();
    assert_eq!(message[0], 68, "expected an INVOCATION, found {message}");
    [1, 3, 4, 5].map(|position| message[position].clone())
}

/// Calls `com.example.slow`, and does not wait for the result.
fn call_slow(client: &mut HttpClient) {
    let body = json!({ "procedure": "com.example.slow" }).to_string();
    client.send(&head("POST", "/call", "", body.as_bytes()), body.as_bytes());
}

#[track_caller]
fn register(address: SocketAddr, procedure: &str) -> RawClient {
    let mut callee = RawClient::connect(address);
    let features = json!({ "features": { "call_canceling": true } });
    callee.send(&json!([1, "realm1", { "roles": { "callee": features, "caller": {} } }]));
    assert_eq!(callee.receive()[0], 2);
    assert_eq!(callee.request(64, &[json!({}), json!(procedure)])[0], 65);
    callee
}

#[test]
fn an_event_that_a_script_posts_reaches_its_subscribers() {
    let (_router, address) = usual("bridge-publish");
    let mut subscriber = RawClient::join(address);
    let subscription = subscriber.subscribe("com.example.topic");
    for (method, headers) in [
        ("POST", "Content-Type: application/json"),
        ("PUT", "Content-Type: Application/JSON; charset=UTF-8; version=1"),
        ("POST", "Content-Type: application/json;charset=\"utf8\""),
        ("POST", ""),
    ] {
        let body = r#"{"topic": "com.example.topic", "args": ["é", 1.5], "kwargs": {"n": null}}"#.as_bytes();
        let answer = HttpClient::connect(address).request(&head(method, "/publish", headers, body), body);
        assert_published(&answer);
        let event = subscriber.receive();
        assert_eq!((&event[0], &event[1]), (&json!(36), &json!(subscription)));
        assert_eq!(event[2], answer.json()["id"], "{event}");
        assert_eq!((&event[4], &event[5]), (&json!(["é", 1.5]), &json!({ "n": null })));
    }
    // One connection may send one after the other, to a path below too.
    let mut client = HttpClient::connect(address);
    for (path, number) in [("/publish", 1), ("/publish/", 2), ("/publish/below", 3)] {
        let body = json!({ "topic": "com.example.topic", "args": [number] }).to_string();
        assert_published(&client.request(&head("POST", path, "", body.as_bytes()), body.as_bytes()));
        assert_eq!(subscriber.receive()[4], json!([number]));
    }
}

#[test]
fn arguments_are_carried_as_they_were_written() {
    let (_router, address) = usual("bridge-written");
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    let mut callee = register(address, "com.example.echo");
    // What readers of numbers, and of keys that are there twice, would change.
    let args = r#"[1.0,0.1e1, 123456789012345678901234567890,{"b":1,"a":{},"b":2}]"#;
    let kwargs = r#"{"z":-0.0,"a":"\u0041/"}"#;
    let body = |key: &str, uri: &str| format!(r#"{{"kwargs": {kwargs}, "args": {args}, "{key}": "{uri}"}}"#);

    let event = body("topic", "com.example.topic");
    assert_published(&send(address, "/publish", "", event.as_bytes()));
    let mut header = [0; 4];
    subscriber.socket.read_exact(&mut header).expect("an event");
    let mut event = vec![0; u32::from_be_bytes(header) as usize];
    subscriber.socket.read_exact(&mut event).expect("an event");
    let event = String::from_utf8(event).expect("JSON");
    assert!(event.ends_with(&format!(",{args},{kwargs}]")), "{event}");

    let mut client = HttpClient::connect(address);
    let call = body("procedure", "com.example.echo");
    client.send(&head("POST", "/call", "", call.as_bytes()), call.as_bytes());
    let [request, ..] = invocation(&mut callee);
    callee.send_bytes(format!("[70,{request},{{}},{args}, {kwargs}]").as_bytes());
    let result = client.answer(true);
    assert_eq!(result.text(), format!(r#"{{"args":{args},"kwargs":{kwargs}}}"#));
}

#[test]
fn what_php_writes_for_nothing_is_nothing() {
    let (_router, address) = usual("bridge-empty");
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    for empty in [json!([]), json!({}), json!(null), json!(""), json!(0), json!(false)] {
        let body =
            json!({ "topic": "com.example.topic", "args": empty, "kwargs": empty, "options": empty, "x": 1 });
        assert_published(&post(address, "/publish", &body));
        assert_eq!(subscriber.receive().as_array().map(Vec::len), Some(4), "{empty}");
    }
}

#[test]
fn the_options_of_an_event_say_who_gets_it() {
    let (_router, address) = usual("bridge-options");
    let mut client = RawClient::connect(address);
    let session = client.hello("realm1")[1].clone();
    client.subscribe("com.example.topic");
    let role = json!("anonymous");
    for (options, arrives) in [
        (json!({ "exclude": session }), false),
        (json!({ "exclude": [session] }), false),
        (json!({ "eligible": session }), true),
        (json!({ "eligible": [] }), false),
        (json!({ "exclude_authrole": [role] }), false),
        (json!({ "eligible_authrole": role }), true),
        (json!({ "eligible_authid": ["somebody"], "exclude_authid": null }), false),
        (json!({ "exclude_me": false, "acknowledge": false, "forward_for": 1, "other": {} }), true),
    ] {
        let said = options.to_string();
        let event = |args: Value, options: &Value| {
            let body = json!({ "topic": "com.example.topic", "args": args, "options": options });
            assert_published(&post(address, "/publish", &body));
        };
        event(json!([said]), &options);
        event(json!(["last"]), &json!({}));
        let first = client.receive()[4][0].clone();
        assert_eq!(first == said, arrives, "{said}");
        if arrives {
            assert_eq!(client.receive()[4][0], "last");
        }
    }
    let body = json!({ "topic": "com.example.kept", "args": [1], "options": { "retain": true } });
    assert_published(&post(address, "/publish", &body));
    let reply = client.request(32, &[json!({ "get_retained": true }), json!("com.example.kept")]);
    assert_eq!(reply[0], 33);
    assert_eq!(client.receive()[4], json!([1]));
}

#[test]
fn a_call_is_answered_with_what_the_callee_yields() {
    let (_router, address) = usual("bridge-call");
    let mut callee = register(address, "com.example.echo");
    for (yielded, expected) in [
        (vec![], json!({ "args": [null] })),
        (vec![json!(["one"])], json!({ "args": ["one"] })),
        (vec![json!([["a", "list"]])], json!({ "args": [["a", "list"]] })),
        (vec![json!([1, 2.5, "ü"])], json!({ "args": [1, 2.5, "ü"] })),
        (vec![json!([]), json!({ "n": 1 })], json!({ "kwargs": { "n": 1 } })),
        (vec![json!([1]), json!({ "n": [{}] })], json!({ "args": [1], "kwargs": { "n": [{}] } })),
    ] {
        let body = json!({ "procedure": "com.example.echo", "args": [1, "x"], "kwargs": { "y": 2 } });
        let mut client = HttpClient::connect(address);
        let body = body.to_string();
        client.send(&head("POST", "/call", "", body.as_bytes()), body.as_bytes());
        let [request, details, args, kwargs] = invocation(&mut callee);
        assert_eq!((args, kwargs), (json!([1, "x"]), json!({ "y": 2 })));
        assert_eq!(details["caller_authrole"], "web");
        callee.send(&Value::Array([vec![json!(70), request, json!({})], yielded].concat()));
        assert_ok(&client.answer(true), &expected);
    }
}

#[test]
fn an_error_of_a_callee_or_of_the_router_is_an_answer_like_any_other() {
    let (_router, address) = usual("bridge-errors");
    let mut callee = register(address, "com.example.fail");
    let mut client = HttpClient::connect(address);
    let body = json!({ "procedure": "com.example.fail" }).to_string();
    for (tail, args, kwargs) in [
        (vec![], json!([]), json!({})),
        (vec![json!(["why", 1]), json!({ "min": 3 })], json!(["why", 1]), json!({ "min": 3 })),
    ] {
        client.send(&head("POST", "/call", "", body.as_bytes()), body.as_bytes());
        let [request, ..] = invocation(&mut callee);
        let error = vec![json!(8), json!(68), request, json!({}), json!("com.example.error.reserved")];
        callee.send(&Value::Array([error, tail].concat()));
        let expected = json!({ "error": "com.example.error.reserved", "args": args, "kwargs": kwargs });
        assert_ok(&client.answer(true), &expected);
    }
    let call = |procedure: &str| post(address, "/call", &json!({ "procedure": procedure }));
    let publish = |topic: &str| post(address, "/publish", &json!({ "topic": topic }));
    assert_error(&call("com.example.nobody"), "wamp.error.no_such_procedure");
    assert_error(&call("com.other.procedure"), "wamp.error.not_authorized");
    assert_error(&publish("com.other.topic"), "wamp.error.not_authorized");
    for invalid in ["", "com..example", "com.example.a b", "com.example.#"] {
        assert_denied(&call(invalid), 400, "procedure: expected a URI");
        assert_denied(&publish(invalid), 400, "topic: expected a URI");
    }
    assert_error(&publish("wamp.session.on_join"), "wamp.error.invalid_uri");
}

#[test]
fn what_is_no_request_is_refused_and_disturbs_nobody() {
    let (_router, address) = usual("bridge-bad");
    let mut callee = register(address, "com.example.slow");
    let mut waits = HttpClient::connect(address);
    call_slow(&mut waits);
    let [request, ..] = invocation(&mut callee);

    for (headers, says) in [
        ("Content-Type: text/plain", "expected application/json"),
        ("Content-Type: application/x-www-form-urlencoded", "expected application/json"),
        ("Content-Type: charset=utf-8; application/json", "expected application/json"),
        ("Content-Type: application/json; charset=latin-1", "expected charset=utf-8"),
        ("Content-Type: application/json; charset=utf-8; charset=utf-8", "expected charset=utf-8"),
    ] {
        assert_denied(&send(address, "/publish", headers, b"{\"topic\": \"com.example.a\"}"), 400, says);
    }
    let deep = format!("{{\"topic\": \"a\", \"args\": {}{}}}", "[".repeat(1_000), "]".repeat(1_000));
    for (body, says) in [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("topic=com.example.a", "no JSON"),
        (&deep, "nested too deep"),
        (r#"{"topic": "a"} {}"#, "no JSON"),
        (r#"{"topic": "a", "args": [1,]}"#, "no JSON"),
        (r#"{"topic": "a", "kwargs": {1: 2}}"#, "no JSON"),
        ("[]", "expected an object, found an array"),
        ("null", "expected an object, found null"),
        ("{}", "topic: expected a URI, found nothing"),
        (r#"{"procedure": "com.example.a"}"#, "topic: expected a URI, found nothing"),
        (r#"{"topic": 1}"#, "topic: expected a URI, found 1"),
        (r#"{"topic": "a", "args": "abc"}"#, "args: expected a list"),
        (r#"{"topic": "a", "args": {"a": 1}}"#, "args: expected a list"),
        (r#"{"topic": "a", "kwargs": [1]}"#, "kwargs: expected an object"),
        (r#"{"topic": "a", "options": [1]}"#, "options: expected an object"),
        (r#"{"topic": "a", "options": {"retain": 1}}"#, "retain: expected true or false"),
        (r#"{"topic": "a", "options": {"exclude": ["x"]}}"#, "exclude: expected a list of session ids"),
        (r#"{"topic": "a", "options": {"eligible": 0}}"#, "eligible: expected a list of session ids"),
        (
            r#"{"topic": "a", "options": {"eligible_authid": [1]}}"#,
            "eligible_authid: expected a list of texts",
        ),
    ] {
        assert_denied(&send(address, "/publish", "", body.as_bytes()), 400, says);
    }
    assert_denied(&send(address, "/publish", "", b"{\"topic\": \"\xe9\"}"), 400, "not UTF-8");
    assert_denied(&send(address, "/call", "", br#"{"topic": "a"}"#), 400, "procedure: expected a URI");

    for method in ["GET", "DELETE", "PATCH"] {
        let answer = HttpClient::connect(address).request(&head(method, "/call", "", b""), b"");
        assert_denied(&answer, 405, "expected POST or PUT");
        assert_eq!(answer.header("allow"), "POST,PUT,OPTIONS");
    }
    // The call is still there, in the same session.
    callee.send(&json!([70, request, {}, ["slow"]]));
    assert_ok(&waits.answer(true), &json!({ "args": ["slow"] }));
}

#[test]
fn a_message_that_the_router_would_not_take_ends_no_session() {
    let paths = json!({ "publish": service("publisher", json!({})), "call": service("caller", json!({})) });
    let mut config = node(paths);
    config["limits"] = json!({ "message_depth": 4, "message_length": 2_000 });
    let mut router = Process::start("bridge-limits", &config);
    let address = router.tcp_address();
    router.wait_for("is ready");
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    let publish =
        |args: Value| post(address, "/publish", &json!({ "topic": "com.example.topic", "args": args }));
    let before = sessions(address);
    assert_published(&publish(json!([[[1]]])));
    assert_denied(&publish(json!([[[[1]]]])), 400, "deep");
    assert_denied(&publish(json!(["x".repeat(2_000)])), 413, "may have 2000");
    // The body is short enough, and what becomes of it is not.
    let body = format!("{{\"topic\":\"com.example.topic\",\"args\":[\"{}\"]}}", "\u{7f}".repeat(1_900));
    assert!(body.len() < 2_000);
    let answer = send(address, "/publish", "", body.as_bytes());
    assert!(matches!(answer.status, 200 | 413), "{}", answer.text());
    assert_eq!(sessions(address), before);
}

#[test]
fn a_body_that_is_too_long_is_not_read() {
    let options = json!({ "post_body_limit": 100 });
    let (_router, address) = start(
        "bridge-long",
        json!({
            "publish": service("publisher", options.clone()),
            "call": service("caller", options),
            "hook": service("webhook", json!({ "topic": "com.example.hook", "post_body_limit": 100 })),
        }),
    );
    for path in ["/publish", "/call", "/hook"] {
        assert_denied(&send(address, path, "", &[b'x'; 101]), 413, "may have 100");
        let mut client = HttpClient::connect(address);
        client.send(&format!("POST {path} HTTP/1.1\nHost: x\nContent-Length: 1000000000"), b"");
        assert_denied(&client.answer(true), 413, "may have 100");
        let mut client = HttpClient::connect(address);
        let chunks = [format!("65\r\n{}\r\n", "x".repeat(0x65)).as_bytes(), b"0\r\n\r\n"].concat();
        client.send(&format!("POST {path} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked"), &chunks);
        assert_denied(&client.answer(true), 413, "may have 100");
    }
    let body = format!("{:100}", json!({ "topic": "com.example.topic" }).to_string());
    assert_published(&send(address, "/publish", "", body.as_bytes()));
}

#[test]
fn pages_of_other_origins_may_use_it() {
    let (_router, address) = usual("bridge-origins");
    let headers = "Origin: http://example.com\nAccess-Control-Request-Headers: content-type, x-other";
    let answer = HttpClient::connect(address).request(&head("OPTIONS", "/call", headers, b""), b"");
    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(answer.header("access-control-allow-methods"), "POST,PUT,OPTIONS");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type, x-other");
    assert_eq!(answer.header("access-control-allow-origin"), "http://example.com");
    let answer = send(address, "/call", "Origin: http://example.com", b"");
    assert_eq!(answer.header("access-control-allow-origin"), "http://example.com");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("cache-control"), "no-store");
    for headers in ["", "Origin: null"] {
        assert_eq!(send(address, "/call", headers, b"").header("access-control-allow-origin"), "*");
    }
}

/// A time so many seconds from now, as clients write it.
fn timestamp(seconds: i64) -> String {
    let now = Clock::start().now().unix_ns / 1_000_000_000;
    let then = now.checked_add_signed(seconds).expect("a time after 1970");
    // Sun, 06 Nov 1994 08:49:37 GMT
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(then));
    let parts: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, _] = parts[..] else { panic!("{date}") };
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(month).expect("a month") / 3 + 1;
    format!("{year}-{month:02}-{day}T{time}.123Z")
}

struct Signed {
    key: &'static str,
    secret: &'static str,
    timestamp: String,
    seq: &'static str,
    nonce: &'static str,
}

impl Signed {
    fn now() -> Self {
        Self { key: "app", secret: "sec/ret", timestamp: timestamp(0), seq: "1", nonce: "4711" }
    }

    fn signature(&self, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length");
        for part in [self.key, &self.timestamp, self.seq, self.nonce, body] {
            mac.update(part.as_bytes());
        }
        Base64Url::encode_string(&mac.finalize().into_bytes())
    }

    fn path(&self, path: &str, body: &str) -> String {
        let Self { key, timestamp, seq, nonce, .. } = self;
        let [timestamp, signature] =
            [timestamp, &self.signature(body)].map(|text| text.replace(':', "%3A").replace('=', "%3d"));
        format!("{path}?timestamp={timestamp}&seq={seq}&key={key}&nonce={nonce}&signature={signature}")
    }
}

#[test]
fn where_there_is_a_secret_requests_must_be_signed_with_it() {
    let options = json!({ "key": "app", "secret": "sec/ret", "timestamp_delta_limit": 60 });
    let (_router, address) = start(
        "bridge-signed",
        json!({ "publish": service("publisher", options.clone()), "call": service("caller", options) }),
    );
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    let body = json!({ "topic": "com.example.topic", "args": ["é"] }).to_string();
    let ask = |path: &str| send(address, path, "Content-Type: application/json", body.as_bytes());

    let good = Signed::now().path("/publish", &body);
    assert_published(&ask(&good));
    assert_eq!(subscriber.receive()[4], json!(["é"]));
    // As in Crossbar.io, it is good again as long as it is new.
    assert_published(&ask(&good));

    assert_denied(&ask("/publish"), 400, "key: it is missing");
    for parameter in ["key", "timestamp", "seq", "nonce", "signature"] {
        let says = format!("{parameter}: it is missing");
        assert_denied(&ask(&good.replace(&format!("{parameter}="), "other=")), 400, &says);
    }
    for (seq, nonce, says) in
        [("one", "1", "seq: expected an integer"), ("1", "1.5", "nonce: expected an integer")]
    {
        assert_denied(&ask(&Signed { seq, nonce, ..Signed::now() }.path("/publish", &body)), 400, says);
    }
    for (seconds, is_good) in [(-40, true), (40, true), (-3_600, false), (3_600, false)] {
        let signed = Signed { timestamp: timestamp(seconds), ..Signed::now() };
        let answer = ask(&signed.path("/publish", &body));
        if is_good {
            assert_published(&answer);
        } else {
            assert_denied(&answer, 400, "timestamp: it is too far from now");
        }
    }
    for timestamp in ["", "now", "1700000000", "2024-01-01", "2024-13-01T00:00:00.000Z"] {
        let signed = Signed { timestamp: timestamp.into(), ..Signed::now() };
        assert_denied(&ask(&signed.path("/publish", &body)), 400, "timestamp: expected a time of UTC");
    }
    for wrong in [Signed { key: "other", ..Signed::now() }, Signed { key: "", ..Signed::now() }] {
        assert_denied(&ask(&wrong.path("/publish", &body)), 401, "key: it is not the one of this path");
    }
    let other_body = Signed::now().path("/publish", &body.replace('1', "2").replace("é", "e"));
    let other_secret = Signed { secret: "secret", ..Signed::now() }.path("/publish", &body);
    let other_nonce = good.replace("nonce=4711", "nonce=4712");
    let no_padding = good.replace("%3d", "");
    let nothing = good.split("signature=").next().map(|path| format!("{path}signature="));
    for path in [other_body, other_secret, other_nonce, no_padding, nothing.expect("a path")] {
        assert_denied(&ask(&path), 401, "signature: it is not the one of this request");
    }
    let body = json!({ "procedure": "com.example.nobody" }).to_string();
    let answer = send(address, &Signed::now().path("/call", &body), "", body.as_bytes());
    assert_error(&answer, "wamp.error.no_such_procedure");
}

#[test]
fn requests_that_need_no_signature_may_say_when_they_were_made() {
    let (_router, address) = start(
        "bridge-unsigned",
        json!({
            "publish": service("publisher", json!({})),
            "always": service("publisher", json!({ "timestamp_delta_limit": 0 })),
        }),
    );
    let body = json!({ "topic": "com.example.topic" });
    let ask =
        |path: &str, seconds: i64| post(address, &format!("{path}&timestamp={}", timestamp(seconds)), &body);
    assert_published(&ask("/publish?seq=1", 0));
    assert_denied(&ask("/publish?seq=1", -3_600), 400, "too far from now");
    assert_denied(&ask("/publish?seq=x", 0), 400, "seq: expected an integer");
    assert_published(&ask("/always?seq=1", -3_600));
}

#[test]
fn requests_must_come_from_where_they_are_taken() {
    let (_router, address) = start(
        "bridge-places",
        json!({
            "here": service("publisher", json!({ "require_ip": ["10.0.0.0/8", "127.0.0.0/255.0.0.0"] })),
            "there": service("publisher", json!({ "require_ip": ["10.0.0.0/8", "::1"] })),
            "tls": service("publisher", json!({ "require_tls": true })),
        }),
    );
    let body = json!({ "topic": "com.example.topic" });
    assert_published(&post(address, "/here", &body));
    assert_denied(&post(address, "/there", &body), 400, "this address");
    assert_denied(&post(address, "/tls", &body), 400, "TLS alone");

    let certificates = Certificates::make("bridge");
    let options = json!({ "require_tls": true, "require_ip": ["127.0.0.1"] });
    let mut config = node(json!({ "tls": service("publisher", options) }));
    config["workers"][0]["transports"][0]["endpoint"] = certificates.endpoint(&json!({}));
    let mut router = Process::start("bridge-tls", &config);
    let address = router.tcp_address();
    let mut client = HttpClient { socket: certificates.connect(address, None) };
    let body = body.to_string();
    assert_published(&client.request(&head("POST", "/tls", "", body.as_bytes()), body.as_bytes()));
}

/// The ids of the sessions of the bridge, by its role.
#[track_caller]
fn sessions(address: SocketAddr) -> Vec<u64> {
    let mut client = RawClient::join(address);
    let list = client.call("wamp.session.list", json!([["web"]]));
    serde_json::from_value(list[0].clone()).expect("a list of ids")
}

#[test]
fn each_path_is_one_session_with_the_role_of_the_configuration() {
    let (_router, address) = usual("bridge-sessions");
    let listed = sessions(address);
    assert_eq!(listed.len(), 3);
    let mut client = RawClient::join(address);
    let mut paths = Vec::new();
    for session in &listed {
        let details = client.call("wamp.session.get", json!([session]))[0].clone();
        assert_eq!(details["authrole"], "web");
        paths.push(details["transport"]["peer"].as_str().expect("a path").to_owned());
    }
    paths.sort();
    assert_eq!(paths, ["/call", "/hook", "/publish"]);
    // Whoever comes, and however often.
    for _ in 0..3 {
        assert_published(&post(address, "/publish", &json!({ "topic": "com.example.topic" })));
    }
    assert_eq!(sessions(address), listed);
}

#[test]
fn a_session_that_was_killed_is_followed_by_another_one() {
    let (_router, address) = usual("bridge-killed");
    let mut callee = register(address, "com.example.slow");
    let mut waits = HttpClient::connect(address);
    call_slow(&mut waits);
    invocation(&mut callee);
    let before = sessions(address);
    let mut client = RawClient::join(address);
    for session in &before {
        let killed = client.request(48, &[json!({}), json!("wamp.session.kill"), json!([session])]);
        assert_eq!(killed[0], 50, "{killed}");
    }
    let answer = waits.answer(true);
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("wamp.close.killed")));
    assert_published(&post(address, "/publish", &json!({ "topic": "com.example.topic" })));
    call_slow(&mut waits);
    assert_eq!(callee.receive()[0], 69, "the first call has ended");
    let [request, ..] = invocation(&mut callee);
    callee.send(&json!([70, request, {}, [1]]));
    assert_ok(&waits.answer(true), &json!({ "args": [1] }));
    let after = sessions(address);
    assert!(
        after.len() == 2 && after.iter().all(|session| !before.contains(session)),
        "{before:?} {after:?}"
    );
}

#[test]
fn nobody_waits_for_the_bridge_when_the_router_ends() {
    let (mut router, address) = usual("bridge-end");
    let mut callee = register(address, "com.example.slow");
    let mut waits = HttpClient::connect(address);
    call_slow(&mut waits);
    invocation(&mut callee);
    drop(callee);
    assert_error(&waits.answer(true), "wamp.error.canceled");
    let mut callee = register(address, "com.example.slow");
    call_slow(&mut waits);
    invocation(&mut callee);
    router.signal("TERM");
    let answer = waits.answer(true);
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("wamp.close.system_shutdown")));
    drop(callee);
    assert_eq!(router.exit_code(), Some(0));
}

#[test]
fn a_callee_is_let_be_when_the_client_goes_away() {
    let (_router, address) = usual("bridge-gone");
    let mut callee = register(address, "com.example.slow");
    let mut late = Vec::new();
    for _ in 0..2 {
        let mut client = HttpClient::connect(address);
        call_slow(&mut client);
        let [request, ..] = invocation(&mut callee);
        drop(client);
        late.push(request);
    }
    // Had it been interrupted, that would come before the next call.
    let mut client = HttpClient::connect(address);
    call_slow(&mut client);
    let [request, ..] = invocation(&mut callee);
    for request in late {
        callee.send(&json!([70, request, {}, ["too late"]]));
    }
    callee.send(&json!([70, request, {}, ["in time"]]));
    assert_ok(&client.answer(true), &json!({ "args": ["in time"] }));
}

#[test]
fn an_event_is_published_though_its_client_does_not_wait() {
    let (_router, address) = usual("bridge-forget");
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.topic");
    for number in 0..20 {
        let mut client = HttpClient::connect(address);
        let body = json!({ "topic": "com.example.topic", "args": [number] }).to_string();
        client.send(&head("POST", "/publish", "Connection: close", body.as_bytes()), body.as_bytes());
        client.socket.flush().expect("it was sent");
        if number % 2 == 0 {
            client.socket.shutdown(Shutdown::Write).expect("it is open");
        }
        drop(client);
        assert_eq!(subscriber.receive()[4], json!([number]));
    }
}

#[test]
fn many_calls_at_once_have_their_own_answers() {
    let (_router, address) = usual("bridge-many");
    let mut callee = register(address, "com.example.echo");
    let mut clients: Vec<_> = (0..50).map(|_| HttpClient::connect(address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let body = json!({ "procedure": "com.example.echo", "args": [number] }).to_string();
        client.send(&head("POST", "/call", "", body.as_bytes()), body.as_bytes());
    }
    let mut calls: Vec<_> = (0..50).map(|_| invocation(&mut callee)).collect();
    calls.reverse();
    for [request, _, args, _] in calls {
        callee.send(&json!([70, request, {}, args]));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_ok(&client.answer(true), &json!({ "args": [number] }));
    }
}

#[test]
fn a_webhook_publishes_the_whole_request() {
    let silent = json!({ "type": "webhook", "realm": "realm1", "role": "silent", "options": {
        "topic": "com.example.hook", "error_response": "try again",
    } });
    let custom = json!({ "topic": "com.example.hook", "success_response": "" });
    let (_router, address) = start(
        "bridge-webhook",
        json!({
            "hook": service("webhook", json!({ "topic": "com.example.hook" })),
            "custom": service("webhook", custom),
            "silent": silent,
        }),
    );
    let mut subscriber = RawClient::join(address);
    subscriber.subscribe("com.example.hook");
    let headers = "Content-Type: application/x-www-form-urlencoded\nX-GitHub-Event: ping\nTE: trailers\nX-Two: 1\nx-two: 2";
    let answer = send(address, "/hook?timestamp=none", headers, "frésh=1".as_bytes());
    assert_eq!((answer.status, answer.text()), (202, "OK"));
    let event = subscriber.receive();
    let expected = json!({
        "headers": {
            "Host": ["localhost"], "Content-Length": ["8"],
            "Content-Type": ["application/x-www-form-urlencoded"],
            "X-Github-Event": ["ping"], "TE": ["trailers"], "X-Two": ["1", "2"],
        },
        "body": "frésh=1",
    });
    assert_eq!(event[4], json!([expected]));
    let answer = send(address, "/custom", "", b"");
    assert_eq!((answer.status, answer.text()), (202, ""));
    assert_eq!(subscriber.receive()[4][0]["body"], "");
    let answer = send(address, "/silent", "", b"");
    assert_eq!((answer.status, answer.text()), (500, "try again"));
    assert_denied(&send(address, "/hook", "", b"\xff"), 400, "not UTF-8");
    assert_denied(&send(address, "/hook", "Content-Type: text/plain; charset=latin-1", b""), 400, "charset");
}

#[test]
fn github_signs_what_it_sends() {
    let options = json!({ "topic": "com.example.hook", "github_secret": "It's a Secret to Everybody" });
    let (_router, address) = start("bridge-github", json!({ "hook": service("webhook", options) }));
    let body = b"Hello, World!";
    // GitHub's own example.
    let sha256 =
        "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let mut mac = Hmac::<Sha1>::new_from_slice(b"It's a Secret to Everybody").expect("any length");
    mac.update(body);
    let sha1: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let [sha1, loud] = [&sha1, &sha1.to_uppercase()].map(|text| format!("X-Hub-Signature: sha1={text}"));
    let both = format!("{sha256}\n{sha1}");
    for good in [sha256, &sha1, &loud, &both] {
        let answer = send(address, "/hook", good, body);
        assert_eq!((answer.status, answer.text()), (202, "OK"), "{good}");
    }
    let wrong = sha256.replace("7571", "7572");
    let wrong_of_two = format!("{wrong}\n{sha1}");
    for bad in ["", &wrong, &wrong_of_two, &sha1.replace("sha1=", ""), "X-Hub-Signature: sha1="] {
        assert_denied(&send(address, "/hook", bad, body), 400, "X-Hub-Signature");
    }
    assert_denied(&send(address, "/hook", &both, b"Hello, World?"), 400, "X-Hub-Signature");
}

/// Waits until there are so many sessions with these roles: one that was replaced leaves by and by.
#[track_caller]
fn wait_for_sessions(address: SocketAddr, roles: &[&str], expected: u64) {
    let mut client = RawClient::join(address);
    for _ in 0..1_000 {
        if client.call("wamp.session.count", json!([roles])) == json!([expected]) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} of {roles:?}", client.call("wamp.session.count", json!([roles])));
}

#[test]
fn a_request_that_began_before_a_reload_is_judged_by_no_other_configuration() {
    let paths = |role: &str, options: Value| {
        let mut service = service("publisher", options);
        service["role"] = json!(role);
        json!({ "publish": service })
    };
    let mut router = Process::start("bridge-began", &node(paths("silent", json!({}))));
    let address = router.tcp_address();
    router.wait_for("is ready");
    let body = json!({ "topic": "com.example.topic" }).to_string();
    let mut began = HttpClient::connect(address);
    began.send(&head("POST", "/publish", "Expect: 100-continue", body.as_bytes()), b"");
    assert_eq!(began.answer(false).status, 100, "its terms have been looked at");
    let signed = json!({ "key": "app", "secret": "sec/ret" });
    router.reload(&node(paths("web", signed)));
    began.socket.write_all(body.as_bytes()).expect("it waits for it");
    let answer = began.answer(true);
    assert_eq!((answer.status, &answer.json()["error"]), (500, &json!("wamp.error.canceled")));
}

#[test]
fn a_reload_holds_for_the_next_request() {
    let paths = |options: Value| json!({ "publish": service("publisher", options) });
    let (mut router, address) = start("bridge-reload", paths(json!({})));
    let body = json!({ "topic": "com.example.topic" });
    let before = sessions(address);

    // Permissions: of the session that is there.
    let mut config = node(paths(json!({})));
    config["workers"][0]["realms"][0]["roles"][1]["permissions"] = json!([]);
    router.reload(&config);
    assert_error(&post(address, "/publish", &body), "wamp.error.not_authorized");
    assert_eq!(sessions(address), before);

    // What requests must show: of the path.
    router.reload(&node(paths(json!({ "key": "app", "secret": "sec/ret" }))));
    assert_denied(&post(address, "/publish", &body), 400, "key: it is missing");
    let text = body.to_string();
    assert_published(&send(address, &Signed::now().path("/publish", &text), "", text.as_bytes()));

    // The role: of a session that comes in its place.
    let mut moved = paths(json!({}));
    moved["publish"]["role"] = json!("silent");
    router.reload(&node(moved));
    assert_error(&post(address, "/publish", &body), "wamp.error.not_authorized");
    wait_for_sessions(address, &["silent", "web"], 1);

    // A file with a problem changes nothing.
    let mut broken = paths(json!({}));
    broken["publish"]["role"] = json!("wob");
    router.configure(&node(broken));
    router.wait_for("is not valid, the old configuration stays");
    let why = router.wait_for("paths.publish.role");
    assert!(why.contains("(did you mean \"web\"?)"), "{why}");
    assert_error(&post(address, "/publish", &body), "wamp.error.not_authorized");

    // A path that is gone, and one that is something else.
    for paths in [json!({}), json!({ "publish": { "type": "longpoll" } })] {
        router.reload(&node(paths));
        assert_eq!(post(address, "/publish", &body).status, 404);
        wait_for_sessions(address, &["silent", "web"], 0);
    }
    router.reload(&node(paths(json!({}))));
    assert_published(&post(address, "/publish", &body));
}

#[test]
fn a_path_that_becomes_one_of_the_bridge_lets_no_client_in() {
    let ticket = json!({ "ticket": { "type": "static", "principals": {
        "joe": { "ticket": "pencil", "role": "web" },
    } } });
    let (mut router, address) =
        start("bridge-becomes", json!({ "lp": { "type": "longpoll", "auth": ticket } }));
    router.reload(&node(json!({ "lp": service("publisher", json!({})) })));
    let opened = send(address, "/lp/open", "", br#"{"protocols": ["wamp.2.json"]}"#).json();
    let path = format!("/lp/{}", opened["transport"].as_str().expect("an id"));
    let hello = process::hello().to_string();
    assert_eq!(send(address, &format!("{path}/send"), "", hello.as_bytes()).status, 204);
    let abort = send(address, &format!("{path}/receive"), "", b"").json();
    assert_eq!(abort[0], 3, "{abort}");
}
