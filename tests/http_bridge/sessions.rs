//! The sessions that stand behind the paths: their roles, how they end, and what a reload makes of them.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::bridge::*;
use crate::http::HttpClient;
use crate::process::{self, Process, RawClient};
use crate::signed::Signed;

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
