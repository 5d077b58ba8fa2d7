//! Requests that become events and calls, webhooks among them: what is carried, how it is answered, and what is refused.

use std::io::{Read, Write};
use std::net::Shutdown;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::bridge::*;
use crate::http::HttpClient;
use crate::process::{Process, RawClient};

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
