//! A node with a bridge, and what its clients send and expect: all modules begin here.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Answer, HttpClient};
use crate::process::{Process, RawClient, loopback};

/// A node whose bridge has these paths; the role of its sessions may do what begins with `com.example.`, and is shown.
pub fn node(paths: Value) -> Value {
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

pub fn node_of(mut paths: Value, roles: Value) -> Value {
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

pub fn service(kind: &str, options: Value) -> Value {
    json!({ "type": kind, "realm": "realm1", "role": "web", "options": options })
}

pub fn start(name: &str, paths: Value) -> (Process, SocketAddr) {
    let mut router = Process::start(name, &node(paths));
    let address = router.tcp_address();
    router.wait_for("is ready");
    (router, address)
}

/// A publisher, a caller and a webhook.
pub fn usual(name: &str) -> (Process, SocketAddr) {
    start(
        name,
        json!({
            "publish": service("publisher", json!({})),
            "call": service("caller", json!({ "debug": false })),
            "hook": service("webhook", json!({ "topic": "com.example.hook" })),
        }),
    )
}

pub fn head(method: &str, path: &str, headers: &str, body: &[u8]) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\nHost: localhost\nContent-Length: {length}\n{headers}")
}

#[track_caller]
pub fn send(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    HttpClient::connect(address).request(&head("POST", path, headers, body), body)
}

/// What a script sends.
#[track_caller]
pub fn post(address: SocketAddr, path: &str, body: &Value) -> Answer {
    send(address, path, "Content-Type: application/json", body.to_string().as_bytes())
}

#[track_caller]
pub fn assert_ok(answer: &Answer, expected: &Value) {
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    assert_eq!(answer.header("content-type"), "application/json; charset=UTF-8");
}

#[track_caller]
pub fn assert_published(answer: &Answer) {
    let id = answer.json()["id"].as_u64();
    assert!(answer.status == 200 && id.is_some(), "{} {}", answer.status, answer.text());
}

/// A denial has the shape of all errors, and says what is wrong.
#[track_caller]
pub fn assert_denied(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| error.starts_with("wamp.error.")), "{body}");
    assert!(body["args"][0].as_str().is_some_and(|text| text.contains(says)), "{body}");
    assert_eq!(body["kwargs"], json!({}));
}

/// The error of a request that HTTP has nothing to say about.
#[track_caller]
pub fn assert_error(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.json()["error"].clone()), (200, json!(error)), "{}", answer.text());
    assert!(answer.json()["args"].is_array() && answer.json()["kwargs"].is_object(), "{}", answer.text());
}

/// The next INVOCATION: its request, details, args and kwargs.
#[track_caller]
pub fn invocation(callee: &mut RawClient) -> [Value; 4] {
    let message = callee.receive();
    assert_eq!(message[0], 68, "expected an INVOCATION, found {message}");
    [1, 3, 4, 5].map(|position| message[position].clone())
}

/// Calls `com.example.slow`, and does not wait for the result.
pub fn call_slow(client: &mut HttpClient) {
    let body = json!({ "procedure": "com.example.slow" }).to_string();
    client.send(&head("POST", "/call", "", body.as_bytes()), body.as_bytes());
}

#[track_caller]
pub fn register(address: SocketAddr, procedure: &str) -> RawClient {
    let mut callee = RawClient::connect(address);
    let features = json!({ "features": { "call_canceling": true } });
    callee.send(&json!([1, "realm1", { "roles": { "callee": features, "caller": {} } }]));
    assert_eq!(callee.receive()[0], 2);
    assert_eq!(callee.request(64, &[json!({}), json!(procedure)])[0], 65);
    callee
}

/// The ids of the sessions of the bridge, by its role.
#[track_caller]
pub fn sessions(address: SocketAddr) -> Vec<u64> {
    let mut client = RawClient::join(address);
    let list = client.call("wamp.session.list", json!([["web"]]));
    serde_json::from_value(list[0].clone()).expect("a list of ids")
}
