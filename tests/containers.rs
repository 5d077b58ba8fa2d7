//! Components of a container: ordinary clients, which connect as their transport says. And guests of a router that is a
//! process of its own.
#![cfg(feature = "native")]

#[path = "common/certificates.rs"]
mod certificates;
#[path = "common/process.rs"]
mod process;
#[path = "components/world.rs"]
mod world;

use std::process::Command;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use wamplet::codec::Serializer;
use wamplet::config::node::{Component, ComponentConnection, RestartPolicy};

use certificates::Certificates;
use process::{Process, loopback, node};
use world::{ASYNCIO, Directory, GRACE, Log, World, component, python, restart, start};

/// Connects by RawSocket.
fn rawsocket(endpoint: Value) -> ComponentConnection {
    ComponentConnection::Transport {
        kind: "rawsocket".into(),
        url: None,
        endpoint,
        serializer: Serializer::Json,
    }
}

/// Connects by WebSocket.
fn websocket(url: String, port: u16) -> ComponentConnection {
    ComponentConnection::Transport {
        kind: "websocket".into(),
        url: Some(url),
        endpoint: json!({ "type": "tcp", "host": "127.0.0.1", "port": port }),
        serializer: Serializer::Json,
    }
}

#[tokio::test]
async fn a_component_of_a_container_waits_for_its_router() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("container"));
    files.file("watcher.py", ASYNCIO);
    let socket = files.0.join("router");
    let connection = ComponentConnection::Transport {
        kind: "rawsocket".into(),
        url: None,
        endpoint: json!({ "type": "unix", "path": socket }),
        serializer: Serializer::Cbor,
    };
    let children = start(Component { connection, ..component("watcher.Watcher", &files.0) }, &world);
    log.line("waits for a router at ").await;
    let listener = UnixListener::bind(&socket).expect("the directory is new");
    let (stream, _) = listener.accept().await.expect("the component comes");
    tokio::spawn(world.clone().serve(stream, None));
    log.line("onJoin cbor as anonymous").await;
    assert_eq!(world.identities(), [], "it did not come in as part of the router");
    children.stop(GRACE).await;
    assert_eq!(log.router_says(), Vec::<String>::new());
}

#[tokio::test]
async fn components_of_a_container_speak_websocket_whatever_their_framework() {
    let files = Directory::new("websocket");
    files.file("watcher.py", ASYNCIO);
    files.file("twisted_watcher.py", &ASYNCIO.replace("asyncio", "twisted"));
    for (classname, serializer) in
        [("watcher.Watcher", Serializer::MsgPack), ("twisted_watcher.Watcher", Serializer::Json)]
    {
        let (log, world) = (Log::start(), World::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let port = listener.local_addr().expect("it listens").port();
        let connection = ComponentConnection::Transport {
            kind: "websocket".into(),
            url: Some(format!("ws://localhost:{port}/ws")),
            endpoint: json!({ "type": "tcp", "host": "127.0.0.1", "port": port }),
            serializer,
        };
        let children = start(Component { connection, ..component(classname, &files.0) }, &world);
        let (stream, _) = listener.accept().await.expect("the component comes");
        tokio::spawn(world.clone().serve_websocket(stream, serializer));
        log.line(&format!("onJoin {} as anonymous", serializer.name())).await;
        children.stop(GRACE).await;
        log.line("onLeave wamp.close.goodbye_and_out").await;
        assert_eq!(log.router_says(), Vec::<String>::new());
    }
}

#[test]
fn a_node_without_a_router_runs_components_of_another_one() {
    let files = Directory::new("without-a-router");
    files.file("watcher.py", ASYNCIO);
    let mut router =
        Process::start("its-router", &node(json!([{ "type": "rawsocket", "endpoint": loopback() }])));
    let port = router.tcp_address().port();
    let endpoint = json!({ "type": "tcp", "host": "127.0.0.1", "port": port });
    let mut other = Process::start(
        "without-a-router",
        &json!({ "version": 2, "workers": [{
            "type": "container",
            "options": { "pythonpath": [files.0], "python": python() },
            "components": [{
                "type": "class", "classname": "watcher.Watcher", "realm": "realm1",
                "transport": { "type": "rawsocket", "serializer": "json", "endpoint": endpoint },
            }],
        }] }),
    );
    other.wait_for("wamplet is ready");
    other.wait_for("onJoin json as anonymous");
    router.wait_for("session attached");
    other.signal("TERM");
    other.wait_for("onLeave wamp.close.goodbye_and_out");
    router.wait_for("session detached");
    assert_eq!(other.exit_code(), Some(0));
}

#[tokio::test]
async fn each_attempt_has_a_timeout_and_the_wanted_version_of_ip() {
    let (world, files) = (World::default(), Directory::new("attempts"));
    files.file("watcher.py", ASYNCIO);
    // Nobody accepts, and there is room for one.
    let socket = TcpSocket::new_v4().expect("IP is there");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("loopback is there");
    let listener = socket.listen(0).expect("it is bound");
    let address = listener.local_addr().expect("it listens");
    let _first = TcpStream::connect(address).await.expect("there is room");
    let table = [
        (json!({ "timeout": 1 }), "TimeoutError: timed out"),
        (json!({ "version": 6 }), "gaierror: [Errno -9] Address family for hostname not supported"),
    ];
    for (options, expected) in table {
        let log = Log::start();
        let mut endpoint = json!({ "type": "tcp", "host": "127.0.0.1", "port": address.port() });
        endpoint.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
        let connection = rawsocket(endpoint);
        let children = start(Component { connection, ..component("watcher.Watcher", &files.0) }, &world);
        log.line(&format!("waits for a router at {address}: {expected}")).await;
        children.stop(GRACE).await;
    }
}

#[tokio::test]
async fn a_component_trusts_whom_it_is_told_to_and_shows_its_own_certificate() {
    let (world, files) = (World::default(), Directory::new("tls-component"));
    files.file("watcher.py", ASYNCIO);
    let certificates = Certificates::make("component");
    let endpoint = certificates.endpoint(&json!({ "ca_certificates": ["ca.pem"] }));
    let mut router =
        Process::start("component", &node(json!([{ "type": "rawsocket", "endpoint": endpoint }])));
    let port = router.tcp_address().port();
    let (certificate, key) = certificates.sign("client");
    certificates.write("client.pem", &certificate);
    certificates.write("client-key.pem", &key);
    certificates.write("both.pem", &format!("{key}{certificate}"));
    let at = |name: &str| certificates.folder.join(name);
    let own = json!({ "certificate": at("client.pem"), "key": at("client-key.pem") });
    for own in [own, json!({ "certificate": at("both.pem") })] {
        let log = Log::start();
        let mut tls = json!({ "hostname": "localhost", "ca_certificates": [at("ca.pem")] });
        tls.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
        let connection = rawsocket(json!({ "type": "tcp", "host": "127.0.0.1", "port": port, "tls": tls }));
        let children = start(Component { connection, ..component("watcher.Watcher", &files.0) }, &world);
        log.line("onJoin json as anonymous").await;
        children.stop(GRACE).await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_transport_of_a_component_is_one_line() {
    let (world, files) = (World::default(), Directory::new("wrong-transport"));
    files.file("watcher.py", ASYNCIO);
    files.file("twisted_watcher.py", &ASYNCIO.replace("asyncio", "twisted"));
    let ws = json!({ "ws": { "type": "websocket" } });
    let universal = json!([{ "type": "universal", "endpoint": loopback(), "websocket": ws }]);
    let mut router = Process::start("wrong-transport", &node(universal));
    let port = router.tcp_address().port();
    let missing = files.0.join("missing.pem");
    let tls = |key: &str, tls: Value| {
        let mut endpoint = json!({ "type": "tcp", "host": "127.0.0.1", "port": port });
        endpoint["tls"] = json!({ "hostname": "localhost" });
        endpoint["tls"][key] = tls;
        rawsocket(endpoint)
    };
    let (asyncio, both) = (&["watcher.Watcher"][..], &["watcher.Watcher", "twisted_watcher.Watcher"][..]);
    let fragment = "ValueError: invalid WebSocket URL: non-empty fragment 'fragment'";
    let over = "not started again";
    let again = "given up after 1 failed starts in a row";
    let table = [
        (
            tls("ca_certificates", json!([missing])),
            asyncio,
            format!(
                "cannot use {}, which \"ca_certificates\" of \"tls\" names: No such file or directory; {over}",
                missing.display()
            ),
        ),
        (
            tls("certificate", json!(missing)),
            asyncio,
            format!(
                "cannot use {}, which \"certificate\" of \"tls\" names: No such file or directory; {over}",
                missing.display()
            ),
        ),
        (
            websocket(format!("ws://127.0.0.1:{port}/ws#fragment"), port),
            both,
            format!("cannot use the url \"ws://127.0.0.1:{port}/ws#fragment\": {fragment}; {over}"),
        ),
        (
            websocket(format!("ws://127.0.0.1:{port}/wrong"), port),
            both,
            format!("cannot connect: WebSocket connection upgrade failed [404]: Not Found; {again}"),
        ),
    ];
    for (connection, classnames, expected) in table {
        for classname in classnames {
            let log = Log::start();
            let restart = restart(RestartPolicy::OnFailure, 1);
            let connection = connection.clone();
            let children = start(Component { connection, restart, ..component(classname, &files.0) }, &world);
            log.line("workers[0].components[0]: ").await;
            assert_eq!(log.router_says(), [format!("ERROR workers[0].components[0]: {expected}")]);
            children.stop(GRACE).await;
        }
    }
}

const STOPS: &str = r#"
from autobahn.twisted.wamp import ApplicationSession
from twisted.internet import reactor

class Stops(ApplicationSession):
    def onJoin(self, details):
        self.leave()

    def onDisconnect(self):
        reactor.stop()
"#;

#[tokio::test]
async fn a_component_may_stop_the_reactor_by_itself() {
    let (log, world, files) = (Log::start(), World::default(), Directory::new("stops"));
    files.file("stops.py", STOPS);
    let children = start(component("stops.Stops", &files.0), &world);
    log.line("workers[0].components[0]: ended").await;
    let lines = log.lines();
    assert!(!lines.iter().any(|line| line.text.contains("ReactorNotRunning")), "{lines:#?}");
    children.stop(GRACE).await;
}

#[test]
fn a_guest_that_inherits_nothing_is_found_where_the_router_finds_programs() {
    let files = Directory::new("inherits-nothing");
    files.script("tool-of-mine", "#!/bin/sh\necho here is ${NUMBER-nothing} and ${WAMPLET_SECRET-nothing}\n");
    let mut config = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    config["workers"].as_array_mut().expect("workers").push(json!({
        "type": "guest",
        "executable": "tool-of-mine",
        "options": { "workdir": "/", "env": { "inherit": false, "vars": { "NUMBER": "7" } } },
    }));
    let file = files.file("config.json", &config.to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
    command.args(["start", "--config"]).arg(file).env("PATH", &files.0).env("WAMPLET_SECRET", "secret");
    let mut router = Process::run(files.0.clone(), command);
    router.wait_for("here is 7 and nothing");
}
