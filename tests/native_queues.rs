//! Readers that stop, on every kind of connection: what they cost, who notices, and how they go on. And many threads.

#[path = "common/http.rs"]
mod http;
#[path = "common/process.rs"]
mod process;
#[path = "common/websocket.rs"]
mod websocket;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use process::{Process, RawClient, connect, hello, loopback, node_with};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use websocket::{Deflate, RSV1, TEXT, WebSocketClient, masked};

type TlsSocket = StreamOwned<ClientConnection, TcpStream>;

const DEFLATE: &str = "permessage-deflate; client_max_window_bits";

/// A router with plain and TLS listeners, on which everything is spoken.
struct Node {
    router: Process,
    plain: SocketAddr,
    tls: SocketAddr,
    client: Arc<ClientConfig>,
    _folder: Folder,
}

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Node {
    fn start(name: &str, limits: Value) -> Self {
        Self::start_on(name, limits, 2)
    }

    fn start_on(name: &str, limits: Value, threads: u16) -> Self {
        let folder =
            Folder(std::env::temp_dir().join(format!("wamplet-native-{}-{name}", std::process::id())));
        std::fs::create_dir_all(&folder.0).expect("a temporary folder");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.0.join("key.pem"), key.serialize_pem()).expect("a file");
        std::fs::write(folder.0.join("cert.pem"), certificate.pem()).expect("a file");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a certificate");
        let client = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        let mut endpoint = loopback();
        endpoint["tls"] =
            json!({ "key": folder.0.join("key.pem"), "certificate": folder.0.join("cert.pem") });
        let transport = |endpoint: Value| {
            json!({
                "type": "universal",
                "endpoint": endpoint,
                "rawsocket": {},
                "websocket": { "ws": {
                    "type": "websocket",
                    // A reader that takes its time is not to find pings among its messages.
                    "options": { "compression": { "deflate": {} }, "auto_ping_interval": 0 },
                } },
                "web": {
                    "paths": { "/": { "type": "json", "value": 1 } },
                    "options": { "client_timeout": 60 },
                },
            })
        };
        let config = node_with(json!([transport(loopback()), transport(endpoint)]), limits);
        let file = folder.0.join("config.json");
        std::fs::write(&file, config.to_string()).expect("a file");
        let arguments =
            ["start", "--config", file.to_str().expect("a path"), "--threads", &threads.to_string()];
        let run = folder.0.join("run");
        std::fs::create_dir_all(&run).expect("a folder");
        let mut router = Process::start_with(run, &arguments);
        let (plain, tls) = (router.tcp_address(), router.tcp_address());
        Self { router, plain, tls, client, _folder: folder }
    }

    fn tls_socket(&self) -> TlsSocket {
        let name = "localhost".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::clone(&self.client), name).expect("a client");
        StreamOwned::new(connection, connect(self.tls))
    }

    /// One session of each kind, and its name.
    fn every_kind(&self) -> Vec<(&'static str, Box<dyn Session>)> {
        let websocket = |protocol, extensions| {
            let mut client = WebSocketClient::on(connect(self.plain), protocol, extensions);
            join(&mut client, protocol);
            Reader { client, is_batched: protocol.ends_with("batched"), waiting: Vec::new() }
        };
        let secure = |protocol, extensions| {
            let mut client = WebSocketClient::on(self.tls_socket(), protocol, extensions);
            join(&mut client, protocol);
            Reader { client, is_batched: protocol.ends_with("batched"), waiting: Vec::new() }
        };
        let mut raw_tls = RawClient::on(self.tls_socket());
        raw_tls.hello("realm1");
        vec![
            ("rawsocket", Box::new(RawClient::join(self.plain))),
            ("rawsocket over TLS", Box::new(raw_tls)),
            ("websocket", Box::new(websocket("wamp.2.json", ""))),
            ("websocket over TLS", Box::new(secure("wamp.2.json", ""))),
            ("deflate", Box::new(websocket("wamp.2.json", DEFLATE))),
            ("deflate over TLS", Box::new(secure("wamp.2.json", DEFLATE))),
            ("batched", Box::new(websocket("wamp.2.json.batched", ""))),
            ("batched and deflate over TLS", Box::new(secure("wamp.2.json.batched", DEFLATE))),
        ]
    }
}

fn join<S: Read + Write>(client: &mut WebSocketClient<S>, protocol: &str) {
    let end = if protocol.ends_with("batched") { "\x1e" } else { "" };
    client.send_frame(TEXT, format!("{}{end}", hello()).as_bytes());
    let (first, data) = client.frame();
    let welcome = client.inflate(first, data);
    assert!(welcome.starts_with(b"[2,"));
}

trait Session {
    fn say(&mut self, message: &Value);
    fn hear(&mut self) -> Value;
}

impl<S: Read + Write> Session for RawClient<S> {
    fn say(&mut self, message: &Value) {
        self.send(message);
    }

    fn hear(&mut self) -> Value {
        self.receive()
    }
}

struct Reader<S> {
    client: WebSocketClient<S>,
    is_batched: bool,
    waiting: Vec<Value>,
}

impl<S: Read + Write> Session for Reader<S> {
    fn say(&mut self, message: &Value) {
        let end = if self.is_batched { "\x1e" } else { "" };
        self.client.send_frame(TEXT, format!("{message}{end}").as_bytes());
    }

    fn hear(&mut self) -> Value {
        if let Some(message) = self.waiting.pop() {
            return message;
        }
        if !self.is_batched {
            return self.client.receive();
        }
        let (first, data) = self.client.frame();
        assert_eq!(first & !RSV1, TEXT);
        let data = self.client.inflate(first, data);
        let messages = data.split(|byte| *byte == 0x1e).filter(|message| !message.is_empty());
        self.waiting = messages.rev().map(|message| serde_json::from_slice(message).expect("JSON")).collect();
        self.waiting.pop().expect("a batch has a message")
    }
}

/// Text that does not become shorter, another each time.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(letters[(state % 64) as usize]));
    }
    text
}

#[test]
fn with_drop_a_reader_that_stops_misses_events_and_later_goes_on_whatever_it_speaks() {
    let node = Node::start("drop", json!({ "queue_length": 1 << 20, "overflow": "drop" }));
    let mut publisher = RawClient::join(node.plain);
    for (kind, mut session) in node.every_kind() {
        session.say(&json!([32, 1, {}, "com.example.flood"]));
        assert_eq!(session.hear()[0], 33, "{kind}");
        let before = node.router.memory_kib();
        let mut most = 0;
        for number in 0..400 {
            publisher.publish("com.example.flood", json!([number, noise(number, 50_000)]));
            most = most.max(node.router.memory_kib());
        }
        // Nothing was read of 20 MB. Now everything that waits is, and then there is room.
        session.say(&json!([48, 2, {}, "wamp.session.count"]));
        let mut last = -1;
        let mut events = 0;
        loop {
            let message = session.hear();
            if message[0] == 50 {
                break;
            }
            let number = message[4][0].as_i64().expect("an event");
            assert!(number > last, "{kind}: events in order, each once");
            assert_eq!(message[4][1], noise(number as u64, 50_000), "{kind}: whole events");
            (last, events) = (number, events + 1);
        }
        assert!((1..400).contains(&events), "{kind}: {events} of 400 events came");
        publisher.publish("com.example.flood", json!([1_000, "now"]));
        assert_eq!(session.hear()[4], json!([1_000, "now"]), "{kind}");
        let grown = most.saturating_sub(before);
        assert!(grown < 12 << 10, "{kind}: {grown} KiB with a queue of 1024 KiB");
    }
}

#[test]
fn with_close_a_reader_that_stops_has_left_whatever_it_speaks() {
    let mut node = Node::start("close", json!({ "queue_length": 1 << 20 }));
    let mut watcher = RawClient::join(node.plain);
    watcher.subscribe("wamp.session.on_leave");
    let mut publisher = RawClient::join(node.plain);
    for (kind, mut session) in node.every_kind() {
        session.say(&json!([32, 1, {}, "com.example.flood"]));
        assert_eq!(session.hear()[0], 33, "{kind}");
        for number in 0..400 {
            publisher.publish("com.example.flood", json!([number, noise(number, 50_000)]));
        }
        assert_eq!(watcher.receive()[0], 36, "{kind}: it has left");
        node.router.wait_for("takes too little");
        drop(session);
    }
    assert_eq!(publisher.call("wamp.session.count", json!([])), json!([2]));
}

#[test]
fn one_long_payload_for_many_readers_that_stop_is_kept_once() {
    let node = Node::start("shared", json!({ "queue_length": 32 << 20 }));
    let mut publisher = RawClient::join(node.plain);
    let mut subscribers: Vec<RawClient> = (0..64).map(|_| RawClient::join(node.plain)).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("com.example.long");
    }
    let before = node.router.memory_kib();
    for number in 0..20 {
        publisher.publish("com.example.long", json!([number, noise(number, 1 << 20)]));
    }
    let grown = node.router.memory_kib().saturating_sub(before);
    assert!(grown < 100 << 10, "{grown} KiB");
    for subscriber in &mut subscribers {
        for number in 0..20 {
            assert_eq!(subscriber.receive()[4][0], number);
        }
    }
}

#[test]
fn a_reader_that_reads_is_not_closed_for_a_burst_whatever_it_speaks() {
    const BURST: i64 = 10_000;
    // The queue is far shorter than what one read of the publisher brings, and the burst is many reads.
    let node = Node::start_on("burst", json!({ "queue_length": 10_000 }), 1);
    let mut bytes = Vec::new();
    for number in 1..=BURST {
        let message = json!([16, number, {}, "a.b", [number]]).to_string();
        bytes.extend((message.len() as u32).to_be_bytes());
        bytes.extend(message.as_bytes());
    }
    for (kind, mut subscriber) in node.every_kind() {
        subscriber.say(&json!([32, 1, {}, "a.b"]));
        assert_eq!(subscriber.hear()[0], 33, "{kind}");
        let mut publisher = RawClient::join(node.plain);
        std::thread::scope(|threads| {
            threads.spawn(|| publisher.socket.write_all(&bytes).expect("the router reads"));
            for number in 1..=BURST {
                assert_eq!(subscriber.hear()[4], json!([number]), "{kind}");
            }
        });
    }
}

#[test]
fn a_burst_for_many_subscribers_keeps_nobody_else_waiting_and_a_close_behind_it_cuts_nothing_off() {
    const BURST: usize = 5_000;
    let node = Node::start_on("turns", json!({}), 1);
    let mut subscribers: Vec<RawClient> = (0..30).map(|_| RawClient::join(node.plain)).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("a.b");
    }
    let mut bytes = Vec::new();
    for number in 1..=BURST {
        bytes.extend(masked(TEXT, json!([16, number, {}, "a.b"]).to_string().as_bytes()));
    }
    bytes.extend(masked(0x88, &1000_u16.to_be_bytes()));
    let mut publisher = WebSocketClient::join(node.plain);
    publisher.socket.write_all(&bytes).expect("the router reads");
    // Whoever asks when it begins is answered before it is over.
    let witness = &mut subscribers[0];
    assert_eq!(witness.receive()[0], 36);
    witness.post(48, &[json!({}), json!("wamp.session.count")]);
    let before = (1..).find(|_| witness.receive()[0] == 50).expect("a result");
    assert!(before < BURST / 2, "answered behind {before} events");
    for _ in before..BURST {
        assert_eq!(witness.receive()[0], 36);
    }
    assert_eq!(publisher.expect_close(), (1000, String::new()));
}

#[test]
fn every_publisher_keeps_its_order_for_every_subscriber_on_four_threads() {
    const EACH: u64 = 1_600;
    let node = Node::start_on("order", json!({ "queue_length": 1 << 28 }), 4);
    let mut readers = Vec::new();
    for mut session in node.every_kind().into_iter().map(|(_, session)| session).step_by(2) {
        session.say(&json!([32, 1, {}, "com.example.order"]));
        assert_eq!(session.hear()[0], 33);
        readers.push(session);
    }
    let mut plain: Vec<RawClient> = (0..4).map(|_| RawClient::join(node.plain)).collect();
    for subscriber in &mut plain {
        subscriber.subscribe("com.example.order");
    }
    let address = node.plain;
    let publishing: Vec<_> = (0..8)
        .map(|publisher| {
            std::thread::spawn(move || {
                let mut client = RawClient::join(address);
                for number in 0..EACH {
                    client.post(16, &[json!({}), json!("com.example.order"), json!([publisher, number])]);
                }
                client.call("wamp.session.count", json!([]));
            })
        })
        .collect();
    let check = |hear: &mut dyn FnMut() -> Value| {
        let mut next = [0; 8];
        for _ in 0..8 * EACH {
            let event = hear();
            let (publisher, number) = (event[4][0].as_u64().expect("who"), event[4][1].as_u64());
            assert_eq!(number, Some(next[publisher as usize]), "the next one of publisher {publisher}");
            next[publisher as usize] += 1;
        }
    };
    let reading: Vec<_> = plain
        .into_iter()
        .map(|mut client| {
            std::thread::spawn(move || {
                check(&mut || client.receive());
            })
        })
        .collect();
    for reader in &mut readers {
        check(&mut || reader.hear());
    }
    for thread in publishing.into_iter().chain(reading) {
        thread.join().expect("a thread");
    }
}

#[test]
fn every_call_of_a_storm_on_four_threads_is_answered_once_and_with_its_own_answer() {
    const EACH: u64 = 2_000;
    let node = Node::start_on("storm", json!({}), 4);
    let address = node.plain;
    for number in 0..4 {
        let mut callee = RawClient::join(address);
        callee.request(64, &[json!({}), json!(format!("com.example.echo{number}"))]);
        std::thread::spawn(move || {
            while let Some(invocation) = callee.try_receive() {
                callee.send(&json!([70, invocation[1], {}, invocation[4]]));
            }
        });
    }
    let calling: Vec<_> = (0..8_u64)
        .map(|caller| {
            std::thread::spawn(move || {
                let mut client = RawClient::join(address);
                let mut open = 0;
                let mut seen = vec![false; EACH as usize + 1];
                let mut hear = |client: &mut RawClient| {
                    let result = client.receive();
                    assert_eq!(result[0], 50, "{result}");
                    let id = result[1].as_u64().expect("an id");
                    assert_eq!(result[3], json!([caller, id]), "its own answer");
                    assert!(!std::mem::replace(&mut seen[id as usize], true), "answered once");
                };
                for number in 1..=EACH {
                    let procedure = format!("com.example.echo{}", number % 4);
                    client.post(48, &[json!({}), json!(procedure), json!([caller, number])]);
                    open += 1;
                    if open == 50 {
                        hear(&mut client);
                        open -= 1;
                    }
                }
                for _ in 0..open {
                    hear(&mut client);
                }
                assert_eq!(seen.iter().filter(|seen| **seen).count() as u64, EACH);
            })
        })
        .collect();
    for thread in calling {
        thread.join().expect("a thread");
    }
}

fn open_files(node: &Node) -> usize {
    let pid = node.router.id();
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
}

#[test]
fn connections_that_end_in_any_way_leave_nothing_behind() {
    let node = Node::start_on("ends", json!({}), 4);
    let mut witness = RawClient::join(node.plain);
    drop(node.every_kind());
    let mut before = (0, 0);
    for round in 0..3 {
        for number in 0..350 {
            let address = node.plain;
            match number % 7 {
                // At once after the handshake, after HELLO, after WELCOME.
                0 => drop(RawClient::connect(address)),
                1 => RawClient::connect(address).send(&hello()),
                2 => drop(RawClient::join(address)),
                3 => {
                    // Unread bytes make the system send a reset.
                    let mut client = RawClient::join(address);
                    client.post(48, &[json!({}), json!("wamp.session.count")]);
                    client.socket.peek(&mut [0]).expect("an answer");
                }
                4 => {
                    let client = RawClient::join(address);
                    client.socket.shutdown(Shutdown::Write).expect("a socket");
                }
                5 => drop(WebSocketClient::join(address)),
                _ => {
                    let mut client = WebSocketClient::connect_with(address, "wamp.2.json", DEFLATE);
                    client.socket.write_all(&masked(TEXT, hello().to_string().as_bytes())).expect("sent");
                    client.send_frame(0x01 | RSV1, &Deflate::new().deflate(b"[48,"));
                }
            }
        }
        drop(node.every_kind());
        let mut tries = 0;
        while (witness.call("wamp.session.count", json!([])), open_files(&node)).1 > before.1.max(1)
            || witness.call("wamp.session.count", json!([])) != json!([1])
        {
            tries += 1;
            if round == 0 && tries > 30 {
                break;
            }
            assert!(tries < 200, "{} files are open", open_files(&node));
            std::thread::sleep(Duration::from_millis(50));
        }
        if round == 0 {
            before = (node.router.memory_kib(), open_files(&node));
        }
    }
    assert_eq!(witness.call("wamp.session.count", json!([])), json!([1]));
    let grown = node.router.memory_kib().saturating_sub(before.0);
    assert!(grown < 4 << 10, "{grown} KiB");
}

#[test]
fn the_router_ends_in_the_midst_of_traffic_and_of_readers_that_stop() {
    let mut node = Node::start_on("term", json!({ "goodbye_timeout_ms": 500 }), 4);
    let address = node.plain;
    let mut stopped = node.every_kind();
    for (_, session) in &mut stopped {
        session.say(&json!([32, 1, {}, "com.example.traffic"]));
    }
    let (tell, told) = std::sync::mpsc::channel();
    let traffic: Vec<_> = (0..4)
        .map(|number| {
            let (mut client, tell) = (RawClient::join(address), tell.clone());
            std::thread::spawn(move || {
                let mut sent = 0;
                loop {
                    sent += 1;
                    let message =
                        json!([16, sent, {}, "com.example.traffic", [noise(number, 2_000)]]).to_string();
                    let length = (message.len() as u32).to_be_bytes();
                    if client.socket.write_all(&[&length, message.as_bytes()].concat()).is_err() {
                        return sent;
                    }
                    if sent == 100 {
                        tell.send(()).expect("the test waits for it");
                    }
                }
            })
        })
        .collect();
    for _ in &traffic {
        told.recv_timeout(Duration::from_secs(60)).expect("the router takes what it is sent");
    }
    node.router.signal("TERM");
    assert_eq!(node.router.exit_code(), Some(0));
    for thread in traffic {
        assert!(thread.join().expect("a thread") > 100);
    }
}

#[test]
fn handshakes_of_tls_count_as_connections() {
    let node = Node::start("tls-count", json!({ "transports": 4 }));
    // They connect, and say nothing; the router gives them a minute.
    let mut silent: Vec<TcpStream> = (0..4).map(|_| connect(node.tls)).collect();
    let mut refused = 0;
    for _ in 0..8 {
        let mut socket = connect(node.tls);
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket option");
        // Sent away, politely or not; one that is let in waits in vain.
        let is_refused = match socket.read(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        if is_refused {
            refused += 1;
            break;
        }
        silent.push(socket);
    }
    assert_eq!(refused, 1, "the fifth is not waited for");
    drop(silent);
}
