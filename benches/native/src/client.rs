//! One WAMP session of the generator, or one peer of a relay: connects, shakes hands, joins, frames messages.
//!
//! Blocking, with time-outs, until a measurement makes it non-blocking. Owns its buffers; knows nothing of workloads.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::frame::{self, Transport};
use crate::wire::{Head, NO_OPTIONS, Serializer, Value};

/// How long a connection may wait for anything before the measurement begins.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to connect to, and how.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    path: String,
    transport: Transport,
    pub serializer: Serializer,
    /// A relay of this program: peers tell it their [`Role`] and send no HELLO.
    pub relay: bool,
    /// Acknowledge every read at once, which hides that a router has not set TCP_NODELAY.
    pub quick_ack: bool,
}

impl Target {
    /// `url` is `ws://127.0.0.1:PORT/PATH` or `rs://127.0.0.1:PORT`.
    pub fn parse(url: &str, serializer: Serializer, relay: bool, quick_ack: bool) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").context("--url: expected ws:// or rs://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address: SocketAddr = host.parse().context("--url: expected an IP address and a port")?;
        ensure!(address.ip().is_loopback(), "--url: only loopback addresses are measured");
        let transport = match scheme {
            "ws" => Transport::WebSocket,
            "rs" => Transport::RawSocket,
            _ => bail!("--url: expected ws:// or rs://, found {scheme}://"),
        };
        Ok(Self { address, path: format!("/{path}"), transport, serializer, relay, quick_ack })
    }
}

/// The two ends of a relay's group: what one sends, all of the other get.
#[derive(Clone, Copy)]
pub enum Role {
    /// Caller or publisher.
    Source = 0,
    /// Callee or subscriber.
    Sink = 1,
}

pub struct Client {
    socket: TcpStream,
    input: Input,
    pub output: Output,
    quick_ack: bool,
}

impl Client {
    /// Connects and joins `realm1`, or takes the `role` in the relay's `group`.
    pub fn join(target: &Target, role: Role, group: u8) -> Result<Self> {
        let mut client = Self::connect(target)?;
        if target.relay {
            client.output.frame(|out| out.extend_from_slice(&[role as u8, group]));
            client.receive().context("the relay")?;
            return Ok(client);
        }
        let roles = ["publisher", "subscriber", "caller", "callee"].map(|role| (role, NO_OPTIONS));
        let details =
            [("roles", Value::Dict(&roles)), ("authmethods", Value::List(&[Value::String("anonymous")]))];
        client.send(&[Value::Integer(1), Value::String("realm1"), Value::Dict(&details)]);
        let answer = client.receive().context("HELLO")?;
        match client.head(&answer)?.integer() {
            Some(2) => Ok(client),
            _ => bail!("HELLO was answered with {}", String::from_utf8_lossy(&answer)),
        }
    }

    fn connect(target: &Target) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&target.address, PATIENCE).context("connect")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self {
            socket,
            input: Input { transport: target.transport, bytes: vec![0; 16 * 1024], start: 0, end: 0 },
            output: Output {
                transport: target.transport,
                serializer: target.serializer,
                bytes: Vec::new(),
                written: 0,
            },
            quick_ack: target.quick_ack,
        };
        match target.transport {
            Transport::WebSocket => client.upgrade(target)?,
            Transport::RawSocket => {
                let hello = [0x7f, 0xf0 | target.serializer.rawsocket_id(), 0, 0];
                client.socket.write_all(&hello)?;
                let mut answer = [0; 4];
                client.socket.read_exact(&mut answer).context("RawSocket handshake")?;
                ensure!(answer[..2] == [0x7f, answer[1] & 0xf0 | hello[1] & 0x0f], "refused: {answer:02x?}");
            }
        }
        Ok(client)
    }

    fn upgrade(&mut self, target: &Target) -> Result<()> {
        write!(
            self.socket,
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wamp.2.{}\r\n\r\n",
            target.path,
            target.address,
            frame::KEY,
            target.serializer.name(),
        )?;
        let end = loop {
            ensure!(self.wait().context("WebSocket handshake")?, "closed in the WebSocket handshake");
            if let Some(end) = frame::end_of_http(self.input.pending()) {
                break end;
            }
        };
        let answer = String::from_utf8_lossy(&self.input.pending()[..end]);
        ensure!(
            answer.contains(" 101 ") && answer.contains(frame::ACCEPT),
            "WebSocket refused: {}",
            answer.lines().next().unwrap_or_default()
        );
        self.input.start += end;
        Ok(())
    }

    /// Sends a request `[type, 1, {}, uri]`; fails unless the answer is of the expected type.
    pub fn request(&mut self, message_type: u64, answer_type: u64, uri: &str) -> Result<()> {
        self.send(&[Value::Integer(message_type), Value::Integer(1), NO_OPTIONS, Value::String(uri)]);
        let answer = self.receive()?;
        let answered = self.head(&answer)?.integer() == Some(answer_type);
        ensure!(answered, "{uri} was answered with {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// Leaves the realm and waits until the router has confirmed it or closed.
    pub fn leave(&mut self) -> Result<()> {
        self.send(&[Value::Integer(6), NO_OPTIONS, Value::String("wamp.close.close_realm")]);
        self.flush()?;
        while let Some(message) = self.receive_or_end()? {
            if self.head(&message)?.integer() == Some(6) {
                break;
            }
        }
        Ok(())
    }

    /// What stays of a session that will only be idle.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    pub fn set_nonblocking(&self) -> Result<RawFd> {
        self.socket.set_nonblocking(true)?;
        Ok(self.socket.as_raw_fd())
    }

    /// Writes what is queued, as much as the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        let output = &mut self.output;
        while output.written < output.bytes.len() {
            match self.socket.write(&output.bytes[output.written..]) {
                Ok(count) => output.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("write"),
            }
        }
        output.bytes.clear();
        output.written = 0;
        Ok(())
    }

    /// Reads once. True if that filled the buffer, so that more may be waiting.
    pub fn fill(&mut self) -> Result<bool> {
        let space = self.input.space();
        let (room, read) = (space.len(), self.socket.read(space));
        match read {
            Ok(0) => bail!("the router closed a connection"),
            Ok(count) => {
                self.input.end += count;
                if self.quick_ack {
                    let on = 1_i32;
                    // SAFETY: the option is an int that outlives the call.
                    unsafe {
                        let (level, name) = (libc::IPPROTO_TCP, libc::TCP_QUICKACK);
                        libc::setsockopt(self.socket.as_raw_fd(), level, name, (&raw const on).cast(), 4);
                    }
                }
                Ok(count == room)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("read"),
        }
    }

    /// Hands every complete message to `on_message`, with the output to answer to.
    pub fn drain(&mut self, mut on_message: impl FnMut(&[u8], &mut Output) -> Result<()>) -> Result<()> {
        while let Some(message) = self.input.next(&mut self.output)? {
            on_message(&self.input.bytes[message], &mut self.output)?;
        }
        Ok(())
    }

    fn send(&mut self, message: &[Value]) {
        let serializer = self.output.serializer;
        self.output.frame(|out| Value::List(message).write(serializer, out));
    }

    /// The next message, on a blocking socket.
    fn receive(&mut self) -> Result<Vec<u8>> {
        self.receive_or_end()?.context("the router closed the connection")
    }

    fn receive_or_end(&mut self) -> Result<Option<Vec<u8>>> {
        self.flush()?;
        loop {
            if let Some(message) = self.input.next(&mut self.output)? {
                return Ok(Some(self.input.bytes[message].to_vec()));
            }
            if !self.wait()? {
                return Ok(None);
            }
        }
    }

    /// Reads once from a blocking socket; false at its end.
    fn wait(&mut self) -> Result<bool> {
        match self.socket.read(self.input.space()) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            read => {
                let count = read.context("no answer")?;
                self.input.end += count;
                Ok(count > 0)
            }
        }
    }

    fn head<'a>(&self, message: &'a [u8]) -> Result<Head<'a>> {
        Head::open(self.output.serializer, message).context("an answer is no WAMP message")
    }
}

struct Input {
    transport: Transport,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn pending(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where to read to; never empty.
    fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end > self.bytes.len() / 2 {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// Where the next message lies; pings are answered on the way.
    fn next(&mut self, output: &mut Output) -> Result<Option<Range<usize>>> {
        while let Some(frame) = frame::parse(self.transport, self.pending())? {
            ensure!(frame.mask.is_none(), "the router masks its frames");
            let body = self.start + frame.body.start..self.start + frame.body.end;
            self.start = body.end;
            match frame.kind {
                frame::Kind::Message => return Ok(Some(body)),
                frame::Kind::Ping => output.pong(&self.bytes[body]),
                frame::Kind::Pong => {}
                frame::Kind::Close => bail!("the router closed a connection"),
            }
        }
        Ok(None)
    }
}

/// Frames that wait to be written.
pub struct Output {
    transport: Transport,
    pub serializer: Serializer,
    bytes: Vec<u8>,
    written: usize,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Queues one message that `write` appends to the buffer it is lent.
    pub fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let opcode = if self.serializer == Serializer::Json { frame::TEXT } else { frame::BINARY };
        match self.transport {
            Transport::WebSocket => frame::write_masked(opcode, &mut self.bytes, write),
            Transport::RawSocket => frame::write_raw(0, &mut self.bytes, write),
        }
    }

    fn pong(&mut self, body: &[u8]) {
        match self.transport {
            Transport::WebSocket => {
                frame::write_masked(frame::PONG, &mut self.bytes, |out| out.extend_from_slice(body));
            }
            Transport::RawSocket => frame::write_raw(2, &mut self.bytes, |out| out.extend_from_slice(body)),
        }
    }
}
