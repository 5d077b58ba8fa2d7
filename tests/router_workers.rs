//! Router workers: the transports of each have its realms and no others, whatever a client says, shows or is told by an
//! authenticator, and whatever the file says when it is read anew.

#![cfg(feature = "native")]

mod common;
#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;
#[path = "common/websocket.rs"]
mod websocket;

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use common::{Peer, Wamp, all_roles, named};
use http::{HttpClient, get};
use process::{PATIENCE, Process, RawClient, hello_to, loopback};
use serde_json::{Value, json};
use wamplet::auth::{Ask, Authenticator, Channel, Identity, MemoryLogins, Methods, Provider};
use wamplet::config::RealmConfig;
use wamplet::router::Transport;
use websocket::WebSocketClient;

const NO_SUCH_REALM: &str = "wamp.error.no_such_realm";

/// A worker with these realms, in which everybody may do everything.
fn worker(realms: &[&str], transports: Value) -> Value {
    let all = json!({ "call": true, "register": true, "publish": true, "subscribe": true });
    let role =
        |name: &str| json!({ "name": name, "permissions": [{ "uri": "", "match": "prefix", "allow": all }] });
    let realm = |name: &&str| json!({ "name": name, "roles": [role("anonymous"), role("user")] });
    let realms: Vec<Value> = realms.iter().map(realm).collect();
    json!({ "type": "router", "realms": realms, "transports": transports })
}

fn node(workers: impl IntoIterator<Item = Value>) -> Value {
    json!({ "version": 2, "workers": workers.into_iter().collect::<Vec<_>>() })
}

/// All ways to come in, on one port.
fn all_ways() -> Value {
    let paths = json!({
        "/": { "type": "status" },
        "lp": { "type": "longpoll" },
        "node": { "type": "nodeinfo" },
    });
    let web = json!({ "paths": paths });
    let websocket = json!({ "ws": { "type": "websocket" } });
    json!([
        { "type": "universal", "endpoint": loopback(), "rawsocket": {}, "websocket": websocket, "web": web },
        { "type": "web", "endpoint": loopback(), "paths": { "ws": { "type": "websocket" } } },
        { "type": "websocket", "endpoint": loopback() },
        { "type": "rawsocket", "endpoint": loopback() },
    ])
}

/// What a client of a path `/lp` hears that shows a cookie and says this; and the cookie that it is given.
#[track_caller]
fn by_poll(address: SocketAddr, cookie: &str, said: &[Value]) -> (Value, String) {
    let mut http = HttpClient::connect(address);
    let mut post = |path: &str, body: &[u8]| {
        let length = body.len();
        let head = format!("POST /lp/{path} HTTP/1.1\nHost: x\nContent-Length: {length}\nCookie: {cookie}");
        http.request(&head, body)
    };
    let opened = post("open", br#"{"protocols": ["wamp.2.json"]}"#);
    let cookie = opened.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    let opened = opened.json();
    let id = opened["transport"].as_str().expect("an id");
    let mut heard = Value::Null;
    for message in said {
        assert_eq!(post(&format!("{id}/send"), message.to_string().as_bytes()).status, 204);
        heard = post(&format!("{id}/receive"), b"").json();
    }
    (heard, cookie)
}

#[test]
fn the_clients_of_a_proxy_join_as_it_routes_them_and_nobody_comes_in_its_way() {
    let folder = std::env::temp_dir().join(format!("wamplet-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let socket = folder.join("router.sock");
    let endpoint = json!({ "type": "unix", "path": socket });
    let inside = json!([
        { "type": "rawsocket", "endpoint": endpoint, "auth": { "anonymous-proxy": { "type": "static" } } },
    ]);
    let transport = json!({ "type": "rawsocket", "endpoint": endpoint, "serializer": "cbor" });
    let proxy = json!({
        "type": "proxy",
        "connections": { "inside": { "transport": transport } },
        "routes": { "public": { "anonymous": "inside" } },
        "transports": [{ "type": "rawsocket", "endpoint": loopback() }],
    });
    let mut router = Process::start("proxy", &node([worker(&["public", "private"], inside), proxy]));
    let address = router.tcp_address();
    for (realm, expected) in [("public", json!("anonymous")), ("private", Value::Null)] {
        let mut client = RawClient::connect(address);
        client.send(&hello_to(realm));
        let heard = client.receive();
        assert_eq!(heard[2]["authrole"], expected, "{realm}: {heard}");
    }
    let mut client = RawClient::on(UnixStream::connect(&socket).expect("it listens"));
    client.send(&hello_to("public"));
    assert_eq!(client.receive()[0], 3);
    drop(router);
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn every_way_to_a_worker_leads_to_its_realms_and_to_no_others() {
    let workers = [worker(&["public"], all_ways()), worker(&["private", "secret"], all_ways())];
    let mut router = Process::start("workers", &node(workers));
    let [public, private] = [(); 2].map(|()| [(); 4].map(|()| router.tcp_address()));
    type Way = fn(SocketAddr, Value) -> Value;
    let raw: Way = |address, hello| {
        let mut client = RawClient::connect(address);
        client.send(&hello);
        client.receive()
    };
    let websocket: Way = |address, hello| {
        let mut client = WebSocketClient::connect(address, "wamp.2.json");
        client.send(&hello);
        client.receive()
    };
    let long_poll: Way = |address, hello| by_poll(address, "", &[hello]).0;
    for (name, listener, way) in [
        ("rawsocket of a universal transport", 0, raw),
        ("websocket of a universal transport", 0, websocket),
        ("long poll", 0, long_poll),
        ("websocket at a path", 1, websocket),
        ("websocket", 2, websocket),
        ("rawsocket", 3, raw),
    ] {
        let answers = |addresses: [SocketAddr; 4], realm: &str| way(addresses[listener], hello_to(realm));
        for (worker, own, others) in [
            (public, vec!["public"], vec!["private", "secret"]),
            (private, vec!["private", "secret"], vec!["public"]),
        ] {
            for realm in own {
                let welcome = answers(worker, realm);
                assert_eq!(
                    (&welcome[0], &welcome[2]["realm"]),
                    (&json!(2), &json!(realm)),
                    "{name}: {welcome}"
                );
            }
            for realm in others {
                let abort = answers(worker, realm);
                assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!(NO_SUCH_REALM)), "{name}: {abort}");
                // It cannot be told from one that is nowhere.
                let nowhere = answers(worker, "nowhere").to_string();
                assert_eq!(abort.to_string(), nowhere.replace("nowhere", realm), "{name}");
            }
        }
    }
}

#[test]
fn pages_of_a_worker_name_its_realms_and_no_others() {
    let file = |own: &[&str]| node([worker(own, all_ways()), worker(&["private"], all_ways())]);
    let mut router = Process::start("workers-pages", &file(&["public"]));
    let address = router.tcp_address();
    let listed = || {
        let head = "GET /node HTTP/1.1\nHost: localhost\nAccept: application/json";
        let node = HttpClient::connect(address).request(head, b"").json();
        let realms = node["realms"].as_array().expect("a list").iter();
        realms.map(|realm| realm["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for path in ["/", "/node"] {
        let page = get(address, path);
        assert!(page.text().contains("public") && !page.text().contains("private"), "{}", page.text());
    }
    assert_eq!(listed(), ["public"]);
    router.reload(&file(&["public", "second"]));
    assert_eq!(listed(), ["public", "second"]);
}

/// Two workers with a RawSocket each, on unix sockets of these names.
fn two_workers(public: &[&str], private: &[&str]) -> [Value; 2] {
    [("public", public), ("private", private)].map(|(socket, realms)| {
        let endpoint = json!({ "type": "unix", "path": socket });
        worker(realms, json!([{ "type": "rawsocket", "endpoint": endpoint }]))
    })
}

fn connect(router: &Process, socket: &str) -> RawClient<UnixStream> {
    let socket = UnixStream::connect(router.folder().join(socket)).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    RawClient::on(socket)
}

#[track_caller]
fn assert_no_such_realm(router: &Process, socket: &str, realm: &str) {
    let mut client = connect(router, socket);
    client.send(&hello_to(realm));
    let abort = client.receive();
    assert_eq!((&abort[0], &abort[2]), (&json!(3), &json!(NO_SUCH_REALM)), "{realm} at {socket}: {abort}");
}

#[test]
fn a_realm_that_moves_to_another_worker_is_closed_to_the_sessions_of_the_first() {
    let mut router = Process::start("workers-move", &node(two_workers(&["one", "two"], &["three"])));
    router.wait_for("is ready");
    let [mut stays, mut moves, mut early] = [(); 3].map(|()| connect(&router, "public"));
    stays.hello("one");
    moves.hello("two");
    router.reload(&node(two_workers(&["one"], &["three", "two"])));
    assert_eq!(moves.receive()[2], "wamp.close.close_realm");
    // The other has neither heard of that nor been ended.
    stays.subscribe("com.example.topic");
    early.send(&hello_to("two"));
    assert_eq!(early.receive()[2], NO_SUCH_REALM, "a connection from before");
    assert_no_such_realm(&router, "public", "two");
    connect(&router, "private").hello("two");
}

#[test]
fn a_listener_that_moves_to_another_worker_brings_nobody_along() {
    let socket = |path: &str| json!({ "type": "rawsocket", "endpoint": { "type": "unix", "path": path } });
    let [a, b, c] = ["a", "b", "c"].map(socket);
    let before = [worker(&["one"], json!([a, b])), worker(&["two"], json!([c]))];
    let after = [worker(&["one"], json!([a])), worker(&["two"], json!([c, b]))];
    let mut router = Process::start("workers-listener", &node(before));
    router.wait_for("is ready");
    let [mut stays, mut moves] = ["a", "b"].map(|socket| connect(&router, socket));
    stays.hello("one");
    stays.subscribe("wamp.session.on_leave");
    let session = moves.hello("one")[1].clone();
    router.reload(&node(after));
    assert_eq!(moves.receive()[2], "wamp.close.close_realm");
    assert_eq!(stays.receive()[4], json!([session]), "who stays hears of it");
    assert_no_such_realm(&router, "b", "one");
    connect(&router, "b").hello("two");
}

#[test]
fn who_authenticates_while_its_listener_goes_comes_into_no_realm_of_another_worker() {
    let [mut public, private] = two_workers(&["one"], &["two"]);
    let tickets =
        json!({ "type": "static", "principals": { "joe": { "ticket": "pencil", "role": "user" } } });
    public["transports"][0]["auth"] = json!({ "ticket": tickets });
    let mut router = Process::start("workers-gone", &node([public.clone(), private.clone()]));
    router.wait_for("is ready");
    let hello = json!([1, "two", { "roles": all_roles(), "authmethods": ["ticket"], "authid": "joe" }]);
    let mut client = connect(&router, "public");
    client.send(&hello);
    assert_eq!(client.receive()[0], 4);
    public["transports"] = json!([]);
    router.reload(&node([public, private]));
    client.send(&json!([5, "pencil", {}]));
    assert_eq!(client.receive()[2], "wamp.error.authentication_denied");
}

#[test]
fn the_order_of_the_workers_is_of_no_meaning_to_a_reload() {
    let [public, private] = two_workers(&["one"], &["two"]);
    let mut router = Process::start("workers-order", &node([public.clone(), private.clone()]));
    router.wait_for("is ready");
    let mut client = connect(&router, "public");
    client.hello("one");
    router.reload(&node([private, worker(&["three"], json!([])), public]));
    client.subscribe("com.example.topic");
    connect(&router, "public").hello("one");
    for (socket, realm) in [("public", "two"), ("public", "three"), ("private", "one")] {
        assert_no_such_realm(&router, socket, realm);
    }
}

/// A port that the system chose is in no file: it is known by the place of its listener, where another one stands now.
#[test]
fn a_port_of_any_number_is_not_given_to_another_worker() {
    let worker = |realm| worker(&[realm], json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    let mut router = Process::start("workers-any-port", &node([worker("one"), worker("two")]));
    let public = router.tcp_address();
    router.wait_for("is ready");
    RawClient::connect(public).hello("one");
    router.reload(&node([worker("two"), worker("one")]));
    for realm in ["one", "two"] {
        let mut client = RawClient::connect(public);
        client.send(&hello_to(realm));
        assert_eq!(client.receive()[0], 3, "{realm}");
    }
}

#[test]
fn a_reload_with_one_realm_in_two_workers_is_refused() {
    let mut router = Process::start("workers-twice", &node(two_workers(&["one"], &["two"])));
    router.wait_for("is ready");
    router.configure(&node(two_workers(&["one"], &["two", "one"])));
    router.wait_for("is not valid, the old configuration stays");
    let why = router.wait_for("workers[1].realms[1].name");
    assert!(why.contains("in other workers either"), "{why}");
    assert_no_such_realm(&router, "private", "one");
}

#[test]
fn the_cookie_of_one_worker_logs_in_nobody_at_another() {
    let ticket = |name: &str| json!({ name: { "ticket": "pencil", "role": "user" } });
    let transports = |known: Value| {
        let auth = json!({
            "ticket": { "type": "static", "principals": known },
            "anonymous": { "type": "static" },
            "cookie": {},
        });
        let paths = json!({ "lp": { "type": "longpoll", "auth": auth, "cookie": {} } });
        json!([{ "type": "web", "endpoint": loopback(), "paths": paths }])
    };
    let config = |known: &str| {
        node([worker(&["one"], transports(ticket(known))), worker(&["two"], transports(ticket("joe")))])
    };
    let mut router = Process::start("workers-cookie", &config("joe"));
    let [one, two] = [router.tcp_address(), router.tcp_address()];
    let hello = |realm: Value, methods: &[&str]| json!([1, realm, { "roles": all_roles(), "authmethods": methods, "authid": "joe" }]);
    let proof = json!([5, "pencil", {}]);
    let (welcome, cookie) = by_poll(one, "", &[hello(json!("one"), &["ticket"]), proof]);
    assert_eq!((&welcome[0], &welcome[2]["authid"]), (&json!(2), &json!("joe")), "{welcome}");

    let by_cookie =
        |address, realm: Value, methods: &[&str]| by_poll(address, &cookie, &[hello(realm, methods)]).0;
    let known = by_cookie(one, Value::Null, &["cookie"]);
    assert_eq!((&known[0], &known[2]["realm"]), (&json!(2), &json!("one")), "{known}");
    for realm in [Value::Null, json!("one"), json!("two")] {
        let abort = by_cookie(two, realm, &["cookie"]);
        assert_eq!(abort[2], "wamp.error.no_matching_auth_method", "{abort}");
    }
    // It is as good as none.
    let abort = by_cookie(two, json!("one"), &["cookie", "anonymous"]);
    assert_eq!(abort[2], NO_SUCH_REALM);
    let nobody = by_cookie(two, json!("two"), &["cookie", "anonymous"]);
    assert_eq!((&nobody[0], &nobody[2]["authrole"]), (&json!(2), &json!("anonymous")));
    // The joe of the other worker is another one.
    router.reload(&config("amy"));
    assert_eq!(by_cookie(one, Value::Null, &["cookie"])[2], "wamp.error.no_matching_auth_method");
}

/// A transport that has the realm `one`, of a router with `one` and `two`.
fn wamp() -> Wamp {
    Wamp::with_config(named(["one", "two"].map(RealmConfig::open)))
}

fn transport(methods: Methods) -> Transport {
    let methods = Methods { realms: Some(["one".to_owned()].into()), ..methods };
    Transport { auth: Some(Arc::new(methods)), ..Transport::default() }
}

#[track_caller]
fn assert_joined(w: &mut Wamp, peer: Peer, realm: &str) {
    let welcome = w.hear(peer);
    assert_eq!((&welcome[0], &welcome[2]["realm"]), (&json!(2), &json!(realm)), "{welcome}");
}

fn by_ticket(realm: Option<&str>) -> Methods {
    let ask = Ask::Procedure { uri: "com.example.check".into(), realm: realm.map(str::to_owned) };
    let ticket = Some(Provider::Dynamic(Authenticator { ask, default_role: Some("anonymous".into()) }));
    Methods { ticket, ..Methods::default() }
}

#[test]
fn an_authenticator_cannot_choose_a_realm_of_another_worker() {
    let mut w = wamp();
    let [authenticator] = w.join("one");
    w.register(authenticator, 1, "com.example.check");
    for (invocation, (realm, chosen)) in
        (1..).zip([(json!(null), "two"), (json!("one"), "two"), (json!("two"), "two"), (json!("one"), "one")])
    {
        let peer = w.open_transport(transport(by_ticket(Some("one"))));
        w.say(peer, json!([1, realm, { "roles": all_roles(), "authmethods": ["ticket"], "authid": "joe" }]));
        w.hear(peer);
        w.say(peer, json!([5, "pencil", {}]));
        w.hear(authenticator);
        w.say(authenticator, json!([70, invocation, {}, [{ "role": "anonymous", "realm": chosen }]]));
        if chosen == "one" {
            assert_joined(&mut w, peer, "one");
        } else {
            w.expect_abort(peer, NO_SUCH_REALM);
        }
    }
}

#[test]
fn an_authenticator_in_a_realm_of_another_worker_is_not_asked() {
    for named in [None, Some("two")] {
        let mut w = wamp();
        let [authenticator] = w.join("two");
        w.register(authenticator, 1, "com.example.check");
        for realm in ["two", "nowhere"] {
            let peer = w.open_transport(transport(by_ticket(named)));
            let details = json!({ "roles": all_roles(), "authmethods": ["ticket"], "authid": "joe" });
            w.say(peer, json!([1, realm, details]));
            w.hear(peer);
            w.say(peer, json!([5, "pencil", {}]));
            w.expect_abort(peer, "wamp.error.authentication_failed");
        }
        w.expect_nothing(authenticator);
    }
}

#[test]
fn a_login_of_another_worker_is_passed_over() {
    let mut w = wamp();
    let logins = Arc::new(MemoryLogins::new(1_000_000, 10));
    let cookie = Methods { cookie: Some(logins), ..Methods::default() };
    let channel = Channel { cookie: Some("chip".into()), ..Channel::default() };
    let joe = Identity {
        realm: Some("two".into()),
        authid: Some("joe".into()),
        authmethod: "ticket".into(),
        ..Identity::anonymous()
    };
    cookie.remember(&channel, &joe, wamplet::router::Now { mono_ms: 0, unix_ns: 0 });
    for realm in [json!(null), json!("two")] {
        let hello = json!([1, realm, { "roles": all_roles(), "authmethods": ["cookie"] }]);
        let peer = w.open_transport(Transport { channel: channel.clone(), ..transport(cookie.clone()) });
        w.say(peer, hello.clone());
        w.expect_abort(peer, "wamp.error.no_matching_auth_method");
        let methods = Arc::new(cookie.clone());
        let peer = w.open_transport(Transport {
            channel: channel.clone(),
            auth: Some(methods),
            ..Transport::default()
        });
        w.say(peer, hello);
        assert_joined(&mut w, peer, "two");
    }
}

#[test]
fn a_realm_that_a_transport_has_not_does_not_come_into_being_either() {
    let mut w = Wamp::new();
    let open = || Transport {
        auth: transport(Methods::default()).auth,
        identity: Some(Identity::anonymous()),
        ..Transport::default()
    };
    let [_inside] = w.join("two");
    for realm in ["two", "three"] {
        let peer = w.open_transport(open());
        w.say(peer, hello_to(realm));
        w.expect_abort(peer, NO_SUCH_REALM);
    }
    let peer = w.open_transport(open());
    w.say(peer, hello_to("one"));
    assert_joined(&mut w, peer, "one");
}
