//! What the tests of components share: the log, files, and a router that its components can join.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64ct::Encoding;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use wamplet::codec::{self, Serializer};
use wamplet::config::Config;
use wamplet::config::node::{Component, ComponentConnection, Guest, Node, Restart, RestartPolicy};
use wamplet::id::SessionKey;
use wamplet::native::components::{Children, Inside};
use wamplet::payload::EncodedPayload;
use wamplet::router::{Action, Identity, Now, Outbox, Router, Transport};

/// No test waits longer for anything. Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// The grace for children that end when they are told.
pub const GRACE: Duration = Duration::from_secs(60);

/// The interpreter with Autobahn that the project's set-up makes.
pub fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    assert!(
        python.exists(),
        "the tests of components need Autobahn|Python in {}: run `node scripts/setup.mjs test` once",
        python.display()
    );
    python
}

/// The directory of the components that are files of the project.
pub fn project_components() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components")
}

/// A directory of its own for each test, which goes with it.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wamplet-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the directory for temporary files can be written");
        Self(path)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a new directory can be written");
        path
    }

    /// A file that can be run.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.file(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub level: String,
    pub component: String,
    /// Empty where the router says it.
    pub stream: String,
    pub pid: u32,
    pub text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "component" => self.component = value.into(),
            "stream" => self.stream = value.into(),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "pid" {
            self.pid = value.try_into().expect("ids of processes are small");
        }
    }
}

/// What is logged in this thread, as long as it lives.
pub struct Log {
    shared: Arc<Shared>,
    _guard: DefaultGuard,
}

#[derive(Default)]
struct Shared {
    lines: Mutex<Vec<Line>>,
    news: Notify,
}

impl<S: tracing::Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "wamplet::components" {
            let mut line = Line { level: event.metadata().level().to_string(), ..Line::default() };
            event.record(&mut line);
            self.0.lines.lock().expect("no test panics here").push(line);
            self.0.news.notify_waiters();
        }
    }
}

struct Recorder(Arc<Shared>);

impl Log {
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let subscriber = tracing_subscriber::registry().with(Recorder(Arc::clone(&shared)));
        Self { shared, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub fn lines(&self) -> Vec<Line> {
        self.shared.lines.lock().expect("no test panics here").clone()
    }

    /// The texts that the router itself wrote, at these levels or above, in order.
    pub fn router_says(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line.stream.is_empty() && line.level != "INFO")
            .map(|line| format!("{} {}", line.level, line.text))
            .collect()
    }

    /// Waits for a line with this text in it.
    pub async fn line(&self, text: &str) -> Line {
        self.nth(1, text).await
    }

    /// Waits for so many lines with this text in them; the last of them.
    pub async fn nth(&self, count: usize, text: &str) -> Line {
        let found = async {
            loop {
                let news = self.shared.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(line) =
                    self.lines().into_iter().filter(|line| line.text.contains(text)).nth(count - 1)
                {
                    return line;
                }
                news.await;
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(line) => line,
            Err(_) => panic!("expected {text:?} in the log, found {:#?}", self.lines()),
        }
    }
}

/// A component of this router.
pub fn component(classname: &str, pythonpath: &Path) -> Component {
    Component {
        path: "workers[0].components[0]".into(),
        name: classname.into(),
        classname: classname.into(),
        realm: "realm1".into(),
        extra: Value::Null,
        pythonpath: vec![pythonpath.into()],
        python: Some(python()),
        env: Vec::new(),
        inherit_env: true,
        connection: ComponentConnection::Inside { role: "monitor".into() },
        restart: restart(RestartPolicy::OnFailure, 10),
    }
}

/// A guest that is a shell script.
pub fn shell(script: &str) -> Guest {
    Guest {
        path: "workers[1]".into(),
        name: "shell".into(),
        executable: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
        env: Vec::new(),
        inherit_env: true,
        workdir: None,
        closes_stdin: false,
        restart: restart(RestartPolicy::OnFailure, 10),
    }
}

pub fn restart(policy: RestartPolicy, attempts: u32) -> Restart {
    Restart { policy, delay: Duration::from_millis(20), attempts }
}

pub fn start_guest(guest: Guest) -> Children {
    let node = Node { guests: vec![guest], ..Node::default() };
    Children::start(&node, Arc::new(World::default()))
}

pub fn start(component: Component, world: &World) -> Children {
    let node = Node { components: vec![component], ..Node::default() };
    Children::start(&node, Arc::new(world.clone()))
}

/// Whether there is such a process, and it has not ended.
pub fn is_running(pid: u32) -> bool {
    let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    let state = String::from_utf8(output.expect("ps is there").stdout).expect("ps writes text");
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

/// Waits until the process has ended.
pub async fn gone(pid: u32) {
    let gone = async {
        while is_running(pid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the process ends");
}

/// A router, and whoever is connected to it.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct State {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    peers: Vec<(SessionKey, Serializer, mpsc::UnboundedSender<Vec<u8>>)>,
    identities: Vec<Identity>,
}

impl Default for World {
    /// A realm where sessions of the role `monitor` may follow who joins and leaves, and others only who joins.
    fn default() -> Self {
        let config = json!({ "workers": [{ "type": "router", "realms": [{ "name": "realm1", "roles": [
            { "name": "anonymous", "permissions": [{ "uri": "wamp.metaevent.session.on_join", "subscribe": true }] },
            { "name": "monitor", "permissions": [{ "uri": "wamp.metaevent.session.*", "subscribe": true }] },
        ] }] }] });
        let config = Config::from_value(&config).expect("the configuration is valid").config;
        let router = Router::new(config, [7; 32]);
        let state = State { router, outbox: Outbox::new(), peers: Vec::new(), identities: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }
}

const NOW: Now = Now { mono_ms: 1_000, unix_ns: 1_700_000_000_000_000_000 };

impl World {
    /// As whom components came in, in their order.
    pub fn identities(&self) -> Vec<Identity> {
        self.state().identities.clone()
    }

    /// The serializers of those that are connected.
    pub fn serializers(&self) -> Vec<Serializer> {
        self.state().peers.iter().map(|(_, serializer, _)| *serializer).collect()
    }

    /// A session joins and leaves.
    pub fn somebody_joins_and_leaves(&self) {
        let (key, _) = self.open(Serializer::Json, None);
        let hello = json!([1, "realm1", { "roles": { "subscriber": {} } }]);
        self.handle(key, hello.to_string().into_bytes());
        self.close(key);
    }

    /// Loses all connections.
    pub fn lose_all(&self) {
        let keys: Vec<SessionKey> = self.state().peers.iter().map(|(key, ..)| *key).collect();
        for key in keys {
            self.close(key);
        }
    }

    fn open(
        &self,
        serializer: Serializer,
        identity: Option<Identity>,
    ) -> (SessionKey, mpsc::UnboundedReceiver<Vec<u8>>) {
        let (send, receive) = mpsc::unbounded_channel();
        let transport = Transport { serializer, identity, ..Transport::default() };
        let mut state = self.state();
        let key = state.router.handle_open(transport, NOW).expect("there is room");
        state.peers.push((key, serializer, send));
        (key, receive)
    }

    pub fn handle(&self, key: SessionKey, frame: Vec<u8>) {
        let state = &mut *self.state();
        state.router.handle(key, frame.into(), NOW, &mut state.outbox);
        state.deliver();
    }

    pub fn close(&self, key: SessionKey) {
        let state = &mut *self.state();
        state.router.handle_closed(key, NOW, &mut state.outbox);
        state.peers.retain(|(peer, ..)| *peer != key);
        state.deliver();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics in it")
    }

    /// Speaks RawSocket on a stream, as a router.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite, identity: Option<Identity>) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut handshake = [0; 4];
        if reader.read_exact(&mut handshake).await.is_err() {
            return;
        }
        assert_eq!(handshake[0], 0x7F, "RawSocket begins with its magic byte");
        let serializer = match handshake[1] & 0x0F {
            1 => Serializer::Json,
            2 => Serializer::MsgPack,
            3 => Serializer::Cbor,
            other => panic!("no serializer {other}"),
        };
        let _ = writer.write_all(&[0x7F, 0xF0 | handshake[1] & 0x0F, 0, 0]).await;
        let (key, mut outgoing) = self.open(serializer, identity);
        let read = async {
            while let Ok(length) = reader.read_u32().await {
                let mut frame = vec![0; length as usize];
                if reader.read_exact(&mut frame).await.is_err() {
                    break;
                }
                self.handle(key, frame);
            }
        };
        let write = async {
            while let Some(frame) = outgoing.recv().await {
                let length = u32::try_from(frame.len()).expect("the tests send little");
                let _ = writer.write_u32(length).await;
                let _ = writer.write_all(&frame).await;
            }
        };
        tokio::select! { () = read => {}, () = write => {} }
        self.close(key);
    }

    /// Speaks WebSocket on a stream, as a router; as much of it as a session of a test needs.
    pub async fn serve_websocket(self, stream: TcpStream, serializer: Serializer) {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let (mut line, mut accept) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).await.expect("the request comes");
            if let Some(key) = line.strip_prefix("Sec-WebSocket-Key: ") {
                let digest = Sha1::digest(format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.trim()));
                accept = base64ct::Base64::encode_string(&digest);
            }
        }
        let protocol = serializer.name();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: wamp.2.{protocol}\r\n\r\n"
        );
        writer.write_all(answer.as_bytes()).await.expect("the client reads");
        let (key, mut outgoing) = self.open(serializer, None);
        let kind = if serializer == Serializer::Json { 0x81 } else { 0x82 };
        let read = async {
            while let Ok(opcode) = reader.read_u8().await {
                let mut length = reader.read_u8().await.unwrap_or_default() as usize & 0x7F;
                if length == 126 {
                    length = reader.read_u16().await.unwrap_or_default() as usize;
                }
                let mut mask = [0; 4];
                let _ = reader.read_exact(&mut mask).await;
                let mut frame = vec![0; length];
                let _ = reader.read_exact(&mut frame).await;
                frame.iter_mut().enumerate().for_each(|(index, byte)| *byte ^= mask[index % 4]);
                if opcode != kind {
                    break;
                }
                self.handle(key, frame);
            }
        };
        let write = async {
            while let Some(frame) = outgoing.recv().await {
                let mut head = vec![kind, 126];
                head.extend(u16::try_from(frame.len()).expect("the tests send little").to_be_bytes());
                if frame.len() < 126 {
                    head = vec![kind, frame.len() as u8];
                }
                let _ = writer.write_all(&[head, frame].concat()).await;
            }
        };
        tokio::select! { () = read => {}, () = write => {} }
        self.close(key);
    }
}

impl State {
    fn deliver(&mut self) {
        for (key, action) in self.outbox.drain() {
            match action {
                Action::Send { head, payload, .. } => {
                    if let Some((_, serializer, peer)) = self.peers.iter().find(|(peer, ..)| *peer == key) {
                        let _ = peer.send([head, &payload.bytes, codec::closing(*serializer)].concat());
                    }
                }
                Action::Close(_) => self.peers.retain(|(peer, ..)| *peer != key),
            }
        }
    }
}

impl Inside for World {
    fn connected(&self, stream: UnixStream, identity: Identity) {
        self.state().identities.push(identity.clone());
        tokio::spawn(self.clone().serve(stream, Some(identity)));
    }
}

/// A component of asyncio that prints what happens to it.
pub const ASYNCIO: &str = r#"
from autobahn.asyncio.wamp import ApplicationSession

class Watcher(ApplicationSession):
    def onConnect(self):
        print("onConnect", self.config.realm, self.config.extra)
        self.join(self.config.realm)

    async def onJoin(self, details):
        def on_join(details):
            print("joined:", details["session"])
        await self.subscribe(on_join, "wamp.metaevent.session.on_join")
        self.log.info("onJoin {s} as {d.authrole}", s=details.serializer, d=details)

    async def onLeave(self, details):
        print("onLeave", details.reason)
        self.disconnect()

    def onDisconnect(self):
        print("onDisconnect")
"#;
