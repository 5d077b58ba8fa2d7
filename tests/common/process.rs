//! The real binary as a child process, and clients of a few lines on real sockets.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};
use wamplet::codec::{Serializer, transcode};

/// Longer than anything here takes on a slow machine: who waits so long waits in vain.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A router in a process of its own.
pub struct Process {
    child: Child,
    log: Receiver<String>,
    /// What was logged and read so far.
    pub seen: Vec<String>,
    folder: PathBuf,
}

impl Process {
    /// Starts the router with this configuration, in a folder of its own.
    pub fn start(name: &str, config: &Value) -> Self {
        Self::start_as(name, config, &[])
    }

    /// The same, with further arguments.
    pub fn start_as(name: &str, config: &Value, arguments: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("wamplet-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let file = folder.join("config.json");
        std::fs::write(&file, config.to_string()).expect("a temporary file");
        let file = file.to_str().expect("a plain path");
        Self::start_with(folder, &[&["start", "--config", file], arguments].concat())
    }

    /// Runs the router with these arguments.
    pub fn start_with(folder: PathBuf, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wamplet"));
        command.args(arguments);
        Self::run(folder, command)
    }

    /// Runs what becomes the router, in its folder.
    pub fn run(folder: PathBuf, mut command: Command) -> Self {
        let mut child = command
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log, seen: Vec::new(), folder }
    }

    /// Waits for a line of the log that contains `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line with {text:?} in {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {text:?}: {:#?}", self.seen),
            }
        }
    }

    /// The address of the next listener that the log names.
    #[track_caller]
    pub fn tcp_address(&mut self) -> SocketAddr {
        let line = self.wait_for("listening on tcp ");
        let address = line.split("listening on tcp ").nth(1).and_then(|rest| rest.split(' ').next());
        address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
    }

    /// The next listener on a unix socket that the log names.
    #[track_caller]
    pub fn unix_path(&mut self) -> PathBuf {
        let line = self.wait_for("listening on unix ");
        line.split("listening on unix ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next())
            .expect("a path")
            .into()
    }

    /// Resident memory in KiB.
    pub fn memory_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most that it was, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    /// All that it has addresses for, in KiB.
    pub fn virtual_memory_kib(&self) -> u64 {
        self.status_kib("VmSize:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of the kernel");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is everywhere").success());
    }

    /// Writes another configuration, and tells the router to read it.
    pub fn configure(&self, config: &Value) {
        std::fs::write(self.folder.join("config.json"), config.to_string()).expect("a temporary file");
        self.signal("HUP");
    }

    /// The same, and waits until it was taken. Answers the lines of the log until then.
    #[track_caller]
    pub fn reload(&mut self, config: &Value) -> Vec<String> {
        let before = self.seen.len();
        self.configure(config);
        self.wait_for("was read again");
        self.seen[before..].to_vec()
    }

    /// Waits for its end, and answers the exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().expect("it was started").code()
    }

    /// The folder of its configuration.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.try_iter().for_each(|line| eprintln!("{line}"));
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The stack of each thread, in bytes, of a router that `with_large_stacks` ran.
pub const LARGE_STACK: u64 = 256 << 20;

/// Threads so large that a limit of memory which refuses one leaves plenty for everything else. With common ones, a thread
/// may just have its stack and then not the pages that it begins with, where the standard library gives up.
pub fn with_large_stacks(command: &mut Command) -> &mut Command {
    // A heap for each thread would count as well.
    command.env("RUST_MIN_STACK", LARGE_STACK.to_string()).env("MALLOC_ARENA_MAX", "1")
}

/// A node whose one realm, `realm1`, lets everybody do everything.
pub fn node(transports: Value) -> Value {
    node_with(transports, json!({}))
}

/// The same with limits.
pub fn node_with(transports: Value, limits: Value) -> Value {
    json!({
        "version": 2,
        "limits": limits,
        "workers": [{
            "type": "router",
            "realms": [{
                "name": "realm1",
                "roles": [{
                    "name": "anonymous",
                    "permissions": [{
                        "uri": "", "match": "prefix",
                        "allow": { "call": true, "register": true, "publish": true, "subscribe": true },
                    }],
                }],
            }],
            "transports": transports,
        }],
    })
}

/// A loopback endpoint whose port the system chooses.
pub fn loopback() -> Value {
    json!({ "type": "tcp", "port": 0, "interface": "127.0.0.1" })
}

/// A connection that waits for the router as long as it must, and not for ever.
#[track_caller]
pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the router listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    socket.set_write_timeout(Some(PATIENCE)).expect("a socket option");
    socket.set_nodelay(true).expect("a socket option");
    socket
}

/// HELLO to `realm1` with every role.
pub fn hello() -> Value {
    hello_to("realm1")
}

/// The same to another realm.
pub fn hello_to(realm: &str) -> Value {
    json!([1, realm, { "roles": { "publisher": {}, "subscriber": {}, "caller": {}, "callee": {} } }])
}

/// A message as its serializer has it.
#[track_caller]
pub fn encode(message: &Value, serializer: Serializer) -> Vec<u8> {
    transcode(message.to_string().as_bytes(), 1, Serializer::Json, serializer).expect("a message")
}

/// What [`encode`] was given.
#[track_caller]
pub fn decode(bytes: &[u8], serializer: Serializer) -> Value {
    let json = transcode(bytes, 1, serializer, Serializer::Json).expect("a message");
    serde_json::from_slice(&json).expect("JSON")
}

/// A request of this type with this id.
pub fn request(message_type: u64, id: u64, rest: &[Value]) -> Value {
    Value::Array([&[json!(message_type), json!(id)], rest].concat())
}

/// The args of a RESULT.
#[track_caller]
pub fn result(mut reply: Value) -> Value {
    assert_eq!(reply[0], 50, "expected a RESULT, found {reply}");
    reply[3].take()
}

/// A RawSocket client that speaks JSON.
pub struct RawClient<S = TcpStream> {
    pub socket: S,
    requests: u64,
}

impl RawClient {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::on(connect(address))
    }

    /// Connects and joins `realm1`.
    #[track_caller]
    pub fn join(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.hello("realm1");
        client
    }
}

impl<S: Read + Write> RawClient<S> {
    /// Shakes hands on a connected socket.
    #[track_caller]
    pub fn on(mut socket: S) -> Self {
        socket.write_all(&[0x7f, 0xf1, 0, 0]).expect("the router reads");
        let mut answer = [0; 4];
        socket.read_exact(&mut answer).expect("the router answers");
        assert_eq!((answer[0], answer[1] & 0x0f), (0x7f, 1), "a handshake for JSON");
        Self { socket, requests: 0 }
    }

    #[track_caller]
    pub fn hello(&mut self, realm: &str) -> Value {
        self.send(&hello_to(realm));
        let welcome = self.receive();
        assert_eq!(welcome[0], 2, "expected a WELCOME, found {welcome}");
        welcome
    }

    pub fn send(&mut self, message: &Value) {
        self.send_bytes(message.to_string().as_bytes());
    }

    pub fn send_bytes(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a short message").to_be_bytes();
        self.socket.write_all(&[&length, body].concat()).expect("the router reads");
    }

    #[track_caller]
    pub fn receive(&mut self) -> Value {
        self.try_receive().expect("the router is still there")
    }

    /// `None` at the end of the stream.
    pub fn try_receive(&mut self) -> Option<Value> {
        let mut header = [0; 4];
        self.socket.read_exact(&mut header).ok()?;
        let mut body = vec![0; u32::from_be_bytes(header) as usize & 0x00ff_ffff];
        self.socket.read_exact(&mut body).ok()?;
        Some(serde_json::from_slice(&body).expect("a WAMP message in JSON"))
    }

    /// Sends a request of this type; its id is put in. Answers the reply.
    #[track_caller]
    pub fn request(&mut self, message_type: u64, rest: &[Value]) -> Value {
        self.post(message_type, rest);
        let reply = self.receive();
        let position = if reply[0] == 8 { 2 } else { 1 };
        assert_eq!(reply[position], self.requests, "expected the reply to this request, found {reply}");
        reply
    }

    /// Sends a request without waiting.
    pub fn post(&mut self, message_type: u64, rest: &[Value]) {
        self.requests += 1;
        self.send(&request(message_type, self.requests, rest));
    }

    #[track_caller]
    pub fn subscribe(&mut self, topic: &str) -> u64 {
        self.request(32, &[json!({}), json!(topic)])[2].as_u64().expect("a subscription id")
    }

    /// Publishes, and waits for the acknowledgement.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, args: Value) {
        let reply = self.request(16, &[json!({ "acknowledge": true }), json!(topic), args]);
        assert_eq!(reply[0], 17, "expected PUBLISHED, found {reply}");
    }

    /// Calls a procedure, and answers the args of its result.
    #[track_caller]
    pub fn call(&mut self, procedure: &str, args: Value) -> Value {
        result(self.request(48, &[json!({}), json!(procedure), args]))
    }
}
