//! A WebSocket client of a few lines: what it sends is exactly what a test wrote.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};

use super::http::HttpClient;
use super::process::{hello, request, result};

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
/// The bit of a compressed message.
pub const RSV1: u8 = 0x40;

/// A WebSocket at `/ws`, after its handshake.
pub struct WebSocketClient<S = TcpStream> {
    pub socket: S,
    /// What the router agreed to.
    pub extensions: String,
    inflater: Deflate,
    requests: u64,
}

impl WebSocketClient {
    #[track_caller]
    pub fn connect(address: SocketAddr, protocol: &str) -> Self {
        Self::connect_with(address, protocol, "")
    }

    #[track_caller]
    pub fn connect_with(address: SocketAddr, protocol: &str, extensions: &str) -> Self {
        Self::on(HttpClient::connect(address).socket, protocol, extensions)
    }

    /// Connects with JSON, and joins `realm1`.
    #[track_caller]
    pub fn join(address: SocketAddr) -> Self {
        let mut client = Self::connect(address, "wamp.2.json");
        client.hello();
        client
    }
}

impl<S: Read + Write> WebSocketClient<S> {
    /// Shakes hands on a connected socket.
    #[track_caller]
    pub fn on(socket: S, protocol: &str, extensions: &str) -> Self {
        let mut http = HttpClient { socket };
        let mut head = format!(
            "GET /ws HTTP/1.1\nHost: localhost\nUpgrade: websocket\nConnection: Upgrade\n\
             Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
             Sec-WebSocket-Protocol: {protocol}"
        );
        if !extensions.is_empty() {
            head.push_str(&format!("\nSec-WebSocket-Extensions: {extensions}"));
        }
        let answer = http.request(&head, b"");
        assert_eq!(answer.status, 101, "the handshake: {answer:?}");
        let extensions = answer.header("sec-websocket-extensions").to_owned();
        Self { socket: http.socket, extensions, inflater: Deflate::new(), requests: 0 }
    }

    pub fn send_frame(&mut self, first: u8, data: &[u8]) {
        self.socket.write_all(&masked(first, data)).expect("the router reads");
    }

    pub fn send(&mut self, message: &Value) {
        self.send_frame(TEXT, message.to_string().as_bytes());
    }

    /// The next frame: its first byte, and its data.
    #[track_caller]
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        self.try_frame().expect("the router is still there")
    }

    /// `None` at the end of the stream.
    pub fn try_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.socket.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.socket.read_exact(&mut length).ok()?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.socket.read_exact(&mut length).ok()?;
                u64::from_be_bytes(length)
            }
            length => length.into(),
        };
        assert!(length < 1 << 30, "a server does not mask, and sends no gigabyte: {head:x?}");
        let mut data = vec![0; length as usize];
        self.socket.read_exact(&mut data).ok()?;
        Some((head[0], data))
    }

    /// The next message in JSON, in one frame.
    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let (first, data) = self.frame();
        assert_eq!(first & !RSV1, TEXT, "a text message: {}", String::from_utf8_lossy(&data));
        serde_json::from_slice(&self.inflate(first, data)).expect("a WAMP message in JSON")
    }

    /// The data of a frame that is a whole message, decompressed if it was compressed.
    pub fn inflate(&mut self, first: u8, data: Vec<u8>) -> Vec<u8> {
        if first & RSV1 == 0 {
            return data;
        }
        if self.extensions.contains("server_no_context_takeover") {
            self.inflater = Deflate::new();
        }
        self.inflater.inflate(&data)
    }

    /// The code and reason of the close that comes next; then the stream ends.
    #[track_caller]
    pub fn expect_close(&mut self) -> (u16, String) {
        let (first, data) = self.frame();
        assert_eq!(first, CLOSE, "a close, found {}", String::from_utf8_lossy(&data));
        assert!(self.try_frame().is_none(), "nothing comes after a close");
        let code = data.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
        (code, String::from_utf8(data.get(2..).unwrap_or_default().to_vec()).expect("a reason is text"))
    }

    #[track_caller]
    pub fn hello(&mut self) -> u64 {
        self.send(&hello());
        let welcome = self.receive();
        assert_eq!(welcome[0], 2, "expected a WELCOME, found {welcome}");
        welcome[1].as_u64().expect("a session id")
    }

    /// Sends a request of this type; its id is put in. Answers the reply.
    #[track_caller]
    pub fn request(&mut self, message_type: u64, rest: &[Value]) -> Value {
        self.post(message_type, rest);
        self.receive()
    }

    /// Sends a request without waiting.
    pub fn post(&mut self, message_type: u64, rest: &[Value]) {
        self.requests += 1;
        self.send(&request(message_type, self.requests, rest));
    }

    #[track_caller]
    pub fn call(&mut self, procedure: &str, args: Value) -> Value {
        result(self.request(48, &[json!({}), json!(procedure), args]))
    }

    #[track_caller]
    pub fn subscribe(&mut self, topic: &str) {
        let reply = self.request(32, &[json!({}), json!(topic)]);
        assert_eq!(reply[0], 33, "expected SUBSCRIBED, found {reply}");
    }
}

/// A frame of a client.
pub fn masked(first: u8, data: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first];
    match data.len() {
        length @ ..126 => frame.push(0x80 | length as u8),
        length @ ..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(data.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A client's side of permessage-deflate.
pub struct Deflate {
    compress: Compress,
    decompress: Decompress,
}

impl Deflate {
    pub fn new() -> Self {
        Self::with_level(Compression::fast())
    }

    pub fn with_level(level: Compression) -> Self {
        Self { compress: Compress::new(level, false), decompress: Decompress::new(false) }
    }

    pub fn deflate(&mut self, data: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(data.len() * 5 / 4 + 1024);
        self.compress.compress_vec(data, &mut output, FlushCompress::Sync).expect("bytes");
        assert!(output.ends_with(&[0, 0, 0xff, 0xff]), "the end of a flush");
        output.truncate(output.len() - 4);
        output
    }

    #[track_caller]
    pub fn inflate(&mut self, data: &[u8]) -> Vec<u8> {
        let data = [data, &[0, 0, 0xff, 0xff]].concat();
        let mut output = Vec::with_capacity(4 << 20);
        self.decompress.decompress_vec(&data, &mut output, FlushDecompress::Sync).expect("a deflate stream");
        output
    }
}
