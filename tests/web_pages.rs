//! HTTP services beside WebSocket: what is where, what its answers say, and how connections behave.

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use http::{HttpClient, get, request};
use process::{PATIENCE, Process, RawClient, loopback, node};
use serde_json::{Value, json};

fn start(name: &str, paths: Value, options: Value) -> (Process, SocketAddr) {
    let transport = json!({
        "type": "universal",
        "endpoint": loopback(),
        "rawsocket": {},
        "web": { "paths": paths, "options": options },
    });
    let mut router = Process::start(name, &node(json!([transport])));
    let address = router.tcp_address();
    (router, address)
}

fn paths() -> Value {
    json!({
        "/": { "type": "status" },
        "ws": { "type": "websocket" },
        "config.json": {
            "type": "json",
            "value": { "a": [1, 2] },
            "options": { "prettify": true, "allow_cross_origin": false, "discourage_caching": true },
        },
        "plain": { "type": "json", "value": { "a": [1, 2] } },
        "old": { "type": "redirect", "url": "https://example.com/new?x=1" },
        "info": { "type": "nodeinfo" },
        "metrics": { "type": "metrics" },
        "lp": { "type": "longpoll", "options": { "request_timeout": 600 } },
        "below": { "type": "path", "paths": { "ws": { "type": "websocket" }, "x": { "type": "json", "value": 7 } } },
    })
}

#[test]
fn json_is_served_with_the_headers_of_its_options() {
    let (_router, address) = start("json", paths(), json!({}));
    let answer = get(address, "/config.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.text(), "{\n  \"a\": [\n    1,\n    2\n  ]\n}\n");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let answer = get(address, "/plain?query=1");
    assert_eq!(answer.text(), r#"{"a":[1,2]}"#);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "");
    assert_eq!(get(address, "/below/x").text(), "7");
}

#[test]
fn a_redirect_keeps_the_method() {
    let (_router, address) = start("redirect", paths(), json!({}));
    let answer = get(address, "/old");
    assert_eq!((answer.status, answer.header("location")), (307, "https://example.com/new?x=1"));
    let mut client = HttpClient::connect(address);
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let head = format!("{method} /old/below HTTP/1.1\nHost: x\nContent-Length: 4");
        let answer = client.request(&head, b"body");
        let found = (answer.status, answer.header("location"));
        assert_eq!(found, (307, "https://example.com/new?x=1"), "{method}");
    }
}

#[test]
fn what_is_not_there_is_said_not_to_be_there() {
    let (_router, address) = start("missing", paths(), json!({}));
    for path in ["/nothing", "/plain/more", "/below", "/below/", "/below/y", "/wsx"] {
        let answer = get(address, path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    let page = request(address, "GET /nowhere HTTP/1.1\nHost: x\nAccept: text/html");
    assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
    let refused = request(address, "DELETE /plain HTTP/1.1\nHost: x");
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
    assert_eq!(refused.text(), "405 Method Not Allowed: The methods of this path: GET, HEAD.\n");
}

#[test]
fn a_request_says_once_which_host_it_is_for() {
    let (_router, address) = start("host", paths(), json!({}));
    for path in ["/plain", "/", "/nothing", "/old", "/ws", "/lp/open"] {
        for (host, reason) in [("", "Host: it is missing"), ("Host: x\nHost: x", "more than once")] {
            let answer = request(address, &format!("GET {path} HTTP/1.1\n{host}"));
            assert_eq!(answer.status, 400, "{path}: {}", answer.text());
            assert!(answer.text().contains(reason), "{path}: {}", answer.text());
        }
    }
    // There was no such header yet.
    assert_eq!(request(address, "GET /plain HTTP/1.0").status, 200);
    assert_eq!(request(address, "GET /plain HTTP/1.0\nHost: x\nHost: y").status, 400);
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    let (_router, address) = start("head", paths(), json!({}));
    let mut client = HttpClient::connect(address);
    for path in ["/plain", "/", "/info", "/nothing"] {
        let head = client.request(&format!("HEAD {path} HTTP/1.1\nHost: x"), b"");
        let get = client.request(&format!("GET {path} HTTP/1.1\nHost: x"), b"");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
    }
}

#[test]
fn the_status_page_names_the_addresses_as_the_browser_has_them() {
    let (_router, address) = start("status", paths(), json!({}));
    let page = request(address, "GET / HTTP/1.1\nHost: router.example:8080");
    assert!(page.text().contains("ws://router.example:8080/below/ws"), "{}", page.text());
    assert!(page.text().contains("rs://router.example:8080"), "{}", page.text());
    assert!(page.text().contains("realm1"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let page = request(address, "GET / HTTP/1.1\nHost: router.example\nX-Forwarded-Proto: https");
    assert!(page.text().contains("<code>wss://router.example/below/ws<"), "{}", page.text());
    assert!(page.text().contains("<code>rs://router.example<"), "{}", page.text());
    let page = request(address, "GET / HTTP/1.1\nHost: \"><script>alert(1)</script>");
    assert!(!page.text().contains("<script>"), "{}", page.text());
}

#[test]
fn the_status_page_shows_an_address_that_works_whatever_the_path_is() {
    for (number, (paths, expected)) in [
        (json!({ "/": { "type": "status" }, "REALM": { "type": "websocket" } }), "/REALM"),
        (
            json!({
                "page": { "type": "status" },
                "a": { "type": "json", "value": 1 },
                "b": { "type": "path", "paths": { "/": { "type": "websocket" } } },
            }),
            "/b/",
        ),
        (json!({ "/": { "type": "websocket" }, "page": { "type": "status" } }), "/"),
    ]
    .into_iter()
    .enumerate()
    {
        let (_router, address) = start(&format!("status-path-{number}"), paths, json!({}));
        let page = request(address, &format!("GET /page HTTP/1.1\nHost: {address}"));
        let page = if page.status == 200 {
            page
        } else {
            request(address, &format!("GET / HTTP/1.1\nHost: {address}"))
        };
        let code = page.text().replace("&quot;", "\"");
        assert!(code.contains(&format!("<code>ws://{address}{expected}</code>")), "{expected}: {code}");
        assert!(
            code.contains(&format!("  url: \"ws://{address}{expected}\",\n  realm: \"realm1\",\n")),
            "{code}"
        );
        let handshake = "HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: wamp.2.json";
        assert_eq!(request(address, &format!("GET {expected} {handshake}")).status, 101, "{expected}");
    }
}

#[test]
fn nodeinfo_names_what_the_node_listens_on() {
    let paths = json!({ "info": { "type": "nodeinfo" } });
    let web = json!({ "type": "web", "endpoint": loopback(), "paths": paths });
    let unix = std::env::temp_dir().join(format!("wamplet-nodeinfo-{}.sock", std::process::id()));
    let raw = json!({ "type": "rawsocket", "endpoint": { "type": "unix", "path": unix } });
    let mut router = Process::start("listeners", &node(json!([web, raw])));
    let address = router.tcp_address();
    let info = request(address, "GET /info HTTP/1.1\nHost: x\nAccept: application/json").json();
    let tcp = format!("tcp {address}");
    let expected = json!([
        { "address": tcp, "protocols": ["websocket", "http"], "is_secure": false },
        { "address": "unix", "protocols": ["rawsocket"], "is_secure": false },
    ]);
    assert_eq!(info["listeners"], expected);
    let page = get(address, "/info");
    assert!(
        page.text().contains(&format!("<dt><code>{tcp}</code></dt><dd>websocket, http</dd>")),
        "{}",
        page.text()
    );
    assert!(!page.text().contains(".sock"), "{}", page.text());
}

#[test]
fn nodeinfo_counts_sessions_for_people_and_programs() {
    let (_router, address) = start("nodeinfo", paths(), json!({}));
    let _member = RawClient::join(address);
    let info = request(address, "GET /info HTTP/1.1\nHost: x\nAccept: application/json").json();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert!(info["uptime"].is_u64());
    assert_eq!((&info["realms"][0]["name"], &info["realms"][0]["sessions"]), (&json!("realm1"), &json!(1)));
    let page = get(address, "/info");
    assert_eq!(page.header("vary"), "Accept");
    assert!(
        page.text().contains("<th scope=\"row\">realm1</th><td class=\"number\">1</td>"),
        "{}",
        page.text()
    );
}

#[test]
fn metrics_count_messages_by_realm_and_type() {
    let (_router, address) = start("metrics", paths(), json!({}));
    let mut member = RawClient::join(address);
    member.subscribe("com.example.topic");
    let metrics = get(address, "/metrics");
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE wamplet_sessions gauge",
        "wamplet_sessions{realm=\"realm1\"} 1",
        "wamplet_subscriptions{realm=\"realm1\"} 1",
        "# TYPE wamplet_messages_received_total counter",
        "wamplet_messages_received_total{realm=\"realm1\",type=\"HELLO\"} 1",
        "wamplet_messages_sent_total{realm=\"realm1\",type=\"SUBSCRIBED\"} 1",
        "wamplet_connections 2",
        "wamplet_handshakes_failed_total 0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} is not in {}", metrics.text());
    }
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn metrics_are_named_as_prometheus_wants_it_and_as_is_documented() {
    let (_router, address) = start("metric-names", paths(), json!({}));
    let metrics = get(address, "/metrics");
    let mut served = Vec::new();
    for line in metrics.text().lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').expect("a name and a kind");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(metrics.text().contains(&format!("# HELP {name} ")), "{name}");
            served.push((name, kind));
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().expect("a name");
            assert_eq!(Some(name), served.last().map(|(name, _)| *name), "families are not mixed");
        }
    }
    let rows = include_str!("../src/native/web/metrics.rs").lines();
    let rows = rows.filter_map(|line| line.strip_prefix("//! | `")).map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        (cells.next().expect("a name"), cells.next().expect("a kind"))
    });
    assert_eq!(served, rows.collect::<Vec<_>>());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("wamplet_build_info{{version=\"{version}\",os=\"{os}\",arch=\"{arch}\"}} 1\n");
    assert!(metrics.text().contains(&build), "{}", metrics.text());
}

#[test]
fn requests_are_logged_where_the_configuration_asks_for_it() {
    let (mut router, address) = start("access-log", paths(), json!({ "access_log": true }));
    get(address, "/nothing?secret=1");
    let line = router.wait_for("/nothing");
    assert!(line.contains("404") && line.contains("GET") && !line.contains("secret"), "{line}");
    let time = line.split("microseconds=").nth(1).expect("how long it took");
    assert!(time.trim_end().parse::<u32>().is_ok(), "a number, for programs: {line}");
}

#[test]
fn a_connection_is_kept_for_the_next_request_and_ended_when_none_comes() {
    let (_router, address) = start("keep-alive", paths(), json!({ "client_timeout": 1 }));
    let mut client = HttpClient::connect(address);
    for _ in 0..3 {
        assert_eq!(client.request("GET /plain HTTP/1.1\nHost: x", b"").status, 200);
    }
    // One that is idle must end; the socket's own time limit is far longer than the router's.
    let mut byte = [0];
    assert_eq!(client.socket.read(&mut byte).expect("the end of the stream"), 0);
}

/// The value of a metric without labels.
#[track_caller]
fn metric(address: SocketAddr, name: &str) -> f64 {
    let metrics = get(address, "/metrics");
    let value = metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {}", metrics.text()))
}

/// Waits until the connection that asks is the only one.
#[track_caller]
fn wait_for_the_others_to_end(address: SocketAddr) {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut pauses = PATIENCE.as_millis() / PAUSE.as_millis();
    while metric(address, "wamplet_connections") > 1.0 {
        assert!(pauses > 0, "connections do not end");
        pauses -= 1;
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn only_connections_that_never_made_a_request_are_rejected_ones() {
    let (mut router, address) = start("rejected", paths(), json!({ "client_timeout": 1 }));
    let mut idle = HttpClient::connect(address);
    assert_eq!(idle.request("GET /plain HTTP/1.1\nHost: x", b"").status, 200);
    assert_eq!(idle.socket.read(&mut [0]).expect("the end of the stream"), 0);
    let mut leaves = HttpClient::connect(address);
    let open = br#"{"protocols":["wamp.2.json"]}"#;
    let opened = leaves.request("POST /lp/open HTTP/1.1\nHost: x\nContent-Length: 29", open).json();
    let receive = format!("POST /lp/{}/receive HTTP/1.1", opened["transport"].as_str().expect("an id"));
    leaves.send(&format!("{receive}\nHost: x\nContent-Length: 0"), b"");
    drop(leaves);
    let mut half = HttpClient::connect(address);
    assert_eq!(half.request("GET /plain HTTP/1.1\nHost: x", b"").status, 200);
    half.socket.write_all(b"GET /pl").expect("the router reads");
    drop(half);
    wait_for_the_others_to_end(address);
    assert_eq!(metric(address, "wamplet_handshakes_failed_total"), 0.0);

    for (bytes, reason) in
        [(&b"G"[..], "HTTP"), (b"\x16\x03\x01 no HTTP\r\n\r\n", "HTTP"), (b"", "nothing came")]
    {
        let mut wrong = HttpClient::connect(address);
        wrong.socket.write_all(bytes).expect("the router reads");
        let mut answer = Vec::new();
        wrong.socket.read_to_end(&mut answer).expect("the end of the stream");
        let line = router.wait_for("rejected connection");
        assert!(line.contains(reason), "{line}");
    }
    wait_for_the_others_to_end(address);
    assert_eq!(metric(address, "wamplet_handshakes_failed_total"), 3.0);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let (_router, address) = start("long-head", paths(), json!({}));
    let many = "x: y\n".repeat(1_000);
    assert_eq!(request(address, &format!("GET /plain HTTP/1.1\nHost: x\n{many}")).status, 431);
    let mut client = HttpClient::connect(address);
    let long = format!("GET /plain HTTP/1.1\r\nHost: x\r\nx: {}", "y".repeat(200_000));
    // The router may end the connection before it has read all.
    let _ = client.socket.write_all(long.as_bytes());
    let mut answer = Vec::new();
    match client.socket.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let (mut router, address) = start("idle-end", paths(), json!({ "client_timeout": 600 }));
    let mut used = HttpClient::connect(address);
    assert_eq!(used.request("GET /plain HTTP/1.1\nHost: x", b"").status, 200);
    let mut unused = HttpClient::connect(address);
    unused.socket.write_all(b"G").expect("the router reads");
    router.signal("TERM");
    assert_eq!(used.socket.read(&mut [0]).expect("the end of the stream"), 0);
    // A busy machine may end the router before it has read what came, and then the system resets the connection.
    match unused.socket.read(&mut [0]) {
        Ok(length) => assert_eq!(length, 0, "the end of the stream"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    assert_eq!(router.exit_code(), Some(0));
}
