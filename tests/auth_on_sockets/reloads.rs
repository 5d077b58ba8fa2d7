//! Principals and listeners that change while the router runs: after a reload, people log in by what the file says then,
//! whenever they connected.

use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::clients::*;
use crate::http::HttpClient;
use crate::process::{PATIENCE, Process, RawClient, loopback};
use crate::websocket::WebSocketClient;

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
