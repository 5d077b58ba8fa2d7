//! WAMP over HTTP long polling. [wamp: advanced/transport_http_longpoll]

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;

use std::net::SocketAddr;

use http::{Answer, HttpClient};
use process::{Process, RawClient, hello, loopback, node_with};
use serde_json::{Value, json};

fn start(name: &str, options: Value, limits: Value) -> (Process, SocketAddr) {
    let transport = json!({
        "type": "universal",
        "endpoint": loopback(),
        "rawsocket": {},
        "web": {
            "paths": {
                "/": { "type": "json", "value": 1 },
                "lp": { "type": "longpoll", "options": options },
                "metrics": { "type": "metrics" },
            },
            "options": { "client_timeout": 3, "access_log": true },
        },
    });
    let mut router = Process::start(name, &node_with(json!([transport]), limits));
    let address = router.tcp_address();
    (router, address)
}

#[track_caller]
fn post(client: &mut HttpClient, path: &str, body: &[u8]) -> Answer {
    let length = body.len();
    client.request(&format!("POST /lp/{path} HTTP/1.1\nHost: x\nContent-Length: {length}"), body)
}

/// A client with one connection for everything.
struct Poller {
    http: HttpClient,
    id: String,
}

impl Poller {
    #[track_caller]
    fn open(address: SocketAddr, protocol: &str) -> Self {
        let mut http = HttpClient::connect(address);
        let body = json!({ "protocols": ["unheard.of", protocol] }).to_string();
        let answer = post(&mut http, "open", body.as_bytes());
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let opened = answer.json();
        assert_eq!(opened["protocol"], protocol);
        Self { http, id: opened["transport"].as_str().expect("an id").to_owned() }
    }

    #[track_caller]
    fn join(address: SocketAddr) -> Self {
        let mut poller = Self::open(address, "wamp.2.json");
        poller.send(&hello());
        let welcome = poller.receive();
        assert_eq!(welcome[0], 2, "WELCOME: {welcome}");
        poller
    }

    #[track_caller]
    fn post(&mut self, action: &str, body: &[u8]) -> Answer {
        post(&mut self.http, &format!("{}/{action}", self.id), body)
    }

    #[track_caller]
    fn send(&mut self, message: &Value) {
        let answer = self.post("send", message.to_string().as_bytes());
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }

    #[track_caller]
    fn receive(&mut self) -> Value {
        let answer = self.post("receive", b"");
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        answer.json()
    }
}

#[test]
fn a_session_goes_from_open_to_close() {
    let (_router, address) = start("longpoll", json!({}), json!({}));
    let mut poller = Poller::join(address);
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    assert_eq!(poller.receive()[0], 33);
    let mut other = RawClient::join(address);
    for number in 0..3 {
        other.publish("com.example.topic", json!([number]));
    }
    for number in 0..3 {
        let event = poller.receive();
        assert_eq!((&event[0], &event[4]), (&json!(36), &json!([number])), "one at a time, in order");
    }
    other.subscribe("wamp.session.on_leave");
    assert_eq!(poller.post("close", b"").status, 204);
    assert_eq!(other.receive()[0], 36, "it has left");
    for action in ["receive", "send", "close"] {
        assert_eq!(poller.post(action, b"[]").status, 404, "{action}");
    }
}

#[test]
fn the_log_does_not_tell_how_to_be_another_client() {
    let (mut router, address) = start("log", json!({}), json!({}));
    let mut poller = Poller::join(address);
    assert_eq!(poller.post("close", b"").status, 204);
    router.wait_for(&format!("path=\"/lp/{}.../close\"", &poller.id[..8]));
    let telling: Vec<_> = router.seen.iter().filter(|line| line.contains(&poller.id)).collect();
    assert!(telling.is_empty(), "{telling:?}");
}

#[test]
fn a_receive_waits_for_the_next_message() {
    let (_router, address) = start("waits", json!({}), json!({}));
    let mut poller = Poller::join(address);
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    poller.receive();
    let head = format!("POST /lp/{}/receive HTTP/1.1\nHost: x\nContent-Length: 0", poller.id);
    poller.http.send(&head, b"");
    let mut other = RawClient::join(address);
    let mut second = HttpClient::connect(address);
    let sent = post(&mut second, &format!("{}/send", poller.id), b"[32,2,{},\"com.example.other\"]");
    assert_eq!(sent.status, 204);
    let answer = poller.http.answer(true);
    assert_eq!(answer.json()[0], 33, "the answer to what was sent meanwhile");
    poller.http.send(&head, b"");
    other.publish("com.example.topic", json!(["now"]));
    assert_eq!(poller.http.answer(true).json()[4], json!(["now"]));
}

#[test]
fn one_receive_waits_at_a_time() {
    let (_router, address) = start("one", json!({ "request_timeout": 3 }), json!({}));
    let poller = Poller::join(address);
    let head = format!("POST /lp/{}/receive HTTP/1.1\nHost: x\nContent-Length: 0", poller.id);
    let mut clients = [HttpClient::connect(address), HttpClient::connect(address)];
    for client in &mut clients {
        client.send(&head, b"");
    }
    let mut statuses = clients.map(|mut client| client.answer(true).status);
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400], "one finds the other, which finds nothing in its time");
}

#[test]
fn requests_may_come_in_another_order_than_they_were_sent() {
    let (_router, address) = start("unordered", json!({}), json!({}));
    let mut poller = Poller::join(address);
    // A browser spreads them over its connections.
    for request in [1, 3, 2, 4] {
        poller.send(&json!([32, request, {}, "com.example.topic"]));
        let subscribed = poller.receive();
        assert_eq!((&subscribed[0], &subscribed[1]), (&json!(33), &json!(request)), "{subscribed}");
    }
}

#[test]
fn a_receive_without_a_message_ends_with_nothing_and_can_be_repeated() {
    let (_router, address) = start("nothing", json!({ "request_timeout": 1 }), json!({}));
    let mut poller = Poller::join(address);
    for _ in 0..2 {
        let answer = poller.post("receive", b"");
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    assert_eq!(poller.receive()[0], 33);
}

#[test]
fn a_client_that_does_not_ask_any_more_has_left() {
    let (_router, address) =
        start("silent", json!({ "session_timeout": 1, "request_timeout": 2 }), json!({}));
    let mut other = RawClient::join(address);
    other.subscribe("wamp.session.on_leave");
    let mut poller = Poller::join(address);
    // One that waits longer than a silence may last is no silence.
    assert_eq!(poller.post("receive", b"").status, 204);
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    assert_eq!(poller.receive()[0], 33);
    assert_eq!(other.receive()[0], 36, "it has left");
    assert_eq!(poller.post("receive", b"").status, 404);
}

#[test]
fn a_goodbye_of_the_router_is_received_before_the_end() {
    let (_router, address) = start("goodbye", json!({}), json!({}));
    let mut poller = Poller::join(address);
    poller.send(&json!([6, {}, "wamp.close.normal"]));
    assert_eq!(poller.receive()[0], 6);
    // Autobahn|JS says close after it, and is only content if that is answered well.
    assert_eq!(poller.post("close", b"").status, 204);

    let mut poller = Poller::join(address);
    poller.send(&json!([5]));
    assert_eq!(poller.receive()[0], 3, "an ABORT");
    assert_eq!(poller.post("receive", b"").status, 204);
    assert_eq!(poller.post("receive", b"").status, 404);
    assert_eq!(
        poller.post("close", b"").status,
        204,
        "what the router has closed is still there to be closed"
    );
    assert_eq!(poller.post("close", b"").status, 404);
}

#[test]
fn closing_ends_the_receive_that_waits() {
    let (_router, address) = start("closing", json!({ "request_timeout": 600 }), json!({}));
    let mut poller = Poller::join(address);
    let head = format!("POST /lp/{}/receive HTTP/1.1\nHost: x\nContent-Length: 0", poller.id);
    poller.http.send(&head, b"");
    let mut second = HttpClient::connect(address);
    assert_eq!(post(&mut second, &format!("{}/close", poller.id), b"").status, 204);
    assert!(matches!(poller.http.answer(true).status, 204 | 404));
}

#[test]
fn batches_hold_many_messages() {
    let (_router, address) = start("batches", json!({}), json!({}));
    // The separator of the specification, and that of Autobahn|Python: each client is answered with its own.
    for separator in ['\u{1e}', '\u{18}'] {
        let mut poller = Poller::open(address, "wamp.2.json.batched");
        let hello = ["[1,\"realm1\",{\"roles\":{\"subscriber\":{}}}]", "[32,1,{},\"com.example.a\"]"];
        let hello = hello.map(|message| format!("{message}{separator}")).concat();
        assert_eq!(poller.post("send", hello.as_bytes()).status, 204);
        let batch = poller.post("receive", b"");
        let codes: Vec<Value> = batch
            .text()
            .split_terminator(separator)
            .map(|message| serde_json::from_str::<Value>(message).expect("JSON")[0].take())
            .collect();
        assert_eq!(codes, [json!(2), json!(33)]);
        assert_eq!(poller.post("send", b"").status, 400);
    }

    let mut poller = Poller::open(address, "wamp.2.msgpack");
    let hello = rmp_serde::to_vec(&json!([1, "realm1", { "roles": { "caller": {} } }])).expect("MessagePack");
    assert_eq!(poller.post("send", &hello).status, 204);
    let welcome = poller.post("receive", b"");
    assert_eq!(welcome.header("content-type"), "application/octet-stream");
    let welcome: Value = rmp_serde::from_slice(&welcome.body).expect("MessagePack");
    assert_eq!(welcome[0], 2);
}

#[test]
fn what_is_wrong_is_said_with_a_status() {
    let (_router, address) = start("wrong", json!({}), json!({ "message_length": 100_000 }));
    let mut http = HttpClient::connect(address);
    for body in [&b""[..], b"[]", b"{}", b"{\"protocols\":[1]}", b"{\"protocols\":[\"wamp.2.x\"]}", b"\xff"] {
        let answer = post(&mut http, "open", body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
    }
    for path in ["", "x", "x/y", "x/receive/y", "open/receive"] {
        assert_eq!(post(&mut http, path, b"").status, 404, "{path}");
    }
    assert_eq!(post(&mut http, &format!("{}/receive", "0".repeat(32)), b"").status, 404);
    let get = http.request("GET /lp/open HTTP/1.1\nHost: x", b"");
    assert_eq!((get.status, get.header("allow")), (405, "POST, OPTIONS"));
    let mut long = HttpClient::connect(address);
    assert_eq!(post(&mut long, "open", &[b' '; 5_000]).status, 413);

    let mut poller = Poller::join(address);
    assert_eq!(poller.post("send", b"").status, 400);
    let message = json!([32, 1, {}, "x".repeat(200_000)]).to_string();
    assert_eq!(poller.post("send", message.as_bytes()).status, 413);
    poller.http = HttpClient::connect(address);
    assert_eq!(poller.receive()[0], 3, "an ABORT");
    // A body that does not come.
    let mut slow = HttpClient::connect(address);
    slow.send("POST /lp/open HTTP/1.1\nHost: x\nContent-Length: 10", b"{");
    assert_eq!(slow.answer(true).status, 408);
}

#[test]
fn what_a_client_can_pile_up_is_bounded() {
    let options = json!({ "queue_limit_messages": 5 });
    let (mut router, address) = start("bounded", options, json!({ "transports": 3 }));
    let mut member = RawClient::join(address);
    member.subscribe("wamp.session.on_leave");
    let mut poller = Poller::join(address);
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    poller.receive();
    for number in 0..6 {
        member.post(16, &[json!({}), json!("com.example.topic"), json!([number])]);
    }
    assert_eq!(member.receive()[0], 36, "more waited for it than may: it has left");
    let line = router.wait_for("takes too little");
    assert!(line.contains(" and 5 messages may wait)"), "the limits of its transport: {line}");

    // Of three transports the member has one.
    let body = br#"{"protocols":["wamp.2.json"]}"#;
    for status in [200, 200, 503] {
        assert_eq!(post(&mut poller.http, "open", body).status, status);
    }
}

#[test]
fn with_drop_a_client_that_does_not_ask_misses_events_and_later_goes_on() {
    const WAITING: usize = 5;
    let options = json!({ "queue_limit_messages": WAITING });
    let (mut router, address) = start("drop", options, json!({ "overflow": "drop" }));
    let mut member = RawClient::join(address);
    let mut poller = Poller::join(address);
    poller.send(&json!([32, 1, {}, "com.example.topic"]));
    poller.receive();
    for number in 0..3 * WAITING {
        member.publish("com.example.topic", json!([number]));
    }
    for number in 0..WAITING {
        assert_eq!(poller.receive()[4], json!([number]), "what there was room for");
    }
    let metrics = HttpClient::connect(address).request("GET /metrics HTTP/1.1\nHost: x", b"");
    let dropped = format!("\nwamplet_queue_dropped_messages_total {}\n", 2 * WAITING);
    assert!(metrics.text().contains(&dropped), "{}", metrics.text());
    member.publish("com.example.topic", json!(["now"]));
    assert_eq!(poller.receive()[4], json!(["now"]), "there is room again");

    // An answer is nothing that a client could do without.
    member.subscribe("wamp.session.on_leave");
    for request in 2..=2 + WAITING {
        poller.send(&json!([48, request, {}, "wamp.session.count"]));
    }
    assert_eq!(member.receive()[0], 36, "it has left");
    router.wait_for("takes too little");
}

#[test]
fn opening_and_closing_leaves_nothing_behind() {
    const AT_ONCE: usize = 50;
    let (router, address) = start("leaves-nothing", json!({ "session_timeout": 600 }), json!({}));
    let mut http = HttpClient::connect(address);
    let open = r#"{"protocols":["wamp.2.json"]}"#;
    let head = format!("POST /lp/open HTTP/1.1\nHost: x\nContent-Length: {}", open.len());
    let mut open_and_close = |pairs: usize| {
        for _ in 0..pairs / AT_ONCE {
            (0..AT_ONCE).for_each(|_| http.send(&head, open.as_bytes()));
            let ids: Vec<Value> =
                (0..AT_ONCE).map(|_| http.answer(true).json()["transport"].take()).collect();
            for id in &ids {
                let id = id.as_str().expect("an id");
                http.send(&format!("POST /lp/{id}/close HTTP/1.1\nHost: x\nContent-Length: 0"), b"");
            }
            ids.iter().for_each(|_| assert_eq!(http.answer(true).status, 204));
        }
    };
    open_and_close(2_000);
    let before = router.memory_kib();
    open_and_close(10_000);
    let grown = router.memory_kib().saturating_sub(before);
    assert!(grown < 2_048, "{grown} KiB more after 10 000 transports, which were all closed");
}

#[test]
fn pages_of_other_origins_may_use_it() {
    let (_router, address) = start("cors", json!({}), json!({}));
    let mut http = HttpClient::connect(address);
    let head = "OPTIONS /lp/open HTTP/1.1\nHost: x\nOrigin: http://page.example\n\
                Access-Control-Request-Method: POST\nAccess-Control-Request-Headers: content-type";
    let preflight = http.request(head, b"");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-methods"), "POST");
    assert_eq!(preflight.header("access-control-allow-headers"), "content-type");
    let wrong = "POST /lp/open HTTP/1.1\nHost: x\nOrigin: http://page.example\nContent-Length: 0";
    for answer in [preflight, http.request(wrong, b"")] {
        assert_eq!(answer.header("access-control-allow-origin"), "http://page.example");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("vary"), "Origin");
    }
}
