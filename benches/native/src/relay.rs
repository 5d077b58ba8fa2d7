//! The lean relay: what the sockets alone cost, the lower bound of any router on them.
//!
//! One thread over epoll. A peer names a role and a group; every message of a source then goes to all sinks of its
//! group and the other way round, so a call crosses the same four sockets as through a router, an event the same two.
//! It reads frame headers and nothing else, keeps what is to be written per peer, and writes once to each touched peer
//! per wake-up. WebSocket frames are unmasked and get a server's header. No limits: its only peer is the generator.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, ensure};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::frame::{self, Transport};

const WEBSOCKET: Token = Token(0);
const RAWSOCKET: Token = Token(1);
const FIRST_PEER: usize = 2;

/// Serves both transports on free ports of loopback, prints the ports, and never returns but with an error.
pub fn serve() -> Result<()> {
    let poll = Poll::new()?;
    let mut websocket = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let mut rawsocket = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut websocket, WEBSOCKET, Interest::READABLE)?;
    poll.registry().register(&mut rawsocket, RAWSOCKET, Interest::READABLE)?;
    println!("{{\"ws\":{},\"rs\":{}}}", websocket.local_addr()?.port(), rawsocket.local_addr()?.port());

    let mut relay =
        Relay { poll, peers: Vec::new(), free: Vec::new(), groups: Vec::new(), touched: Vec::new() };
    let mut events = Events::with_capacity(1024);
    let mut inbox = vec![0; 256 * 1024];
    loop {
        match relay.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                WEBSOCKET => relay.accept(&websocket, Transport::WebSocket)?,
                RAWSOCKET => relay.accept(&rawsocket, Transport::RawSocket)?,
                Token(token) => {
                    let peer = token - FIRST_PEER;
                    if event.is_readable() && !relay.read(peer, &mut inbox) {
                        relay.remove(peer);
                    } else if event.is_writable() {
                        relay.touch(peer);
                    }
                }
            }
        }
        relay.flush();
    }
}

struct Relay {
    poll: Poll,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    /// Per group its sources and its sinks.
    groups: Vec<[Vec<usize>; 2]>,
    /// Peers with something to write since the last flush.
    touched: Vec<usize>,
}

struct Peer {
    socket: TcpStream,
    transport: Transport,
    stage: Stage,
    /// The start of a frame whose end has not come yet.
    partial: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    touched: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    Handshake,
    /// The first message says role and group.
    Greeting,
    Joined {
        role: usize,
        group: usize,
    },
}

impl Relay {
    fn accept(&mut self, listener: &TcpListener, transport: Transport) -> Result<()> {
        while let Ok((mut socket, _)) = listener.accept() {
            socket.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.peers.len());
            if index == self.peers.len() {
                self.peers.push(None);
            }
            let both = Interest::READABLE.add(Interest::WRITABLE);
            self.poll.registry().register(&mut socket, Token(index + FIRST_PEER), both)?;
            self.peers[index] = Some(Peer {
                socket,
                transport,
                stage: Stage::Handshake,
                partial: Vec::new(),
                output: Vec::new(),
                written: 0,
                touched: false,
            });
        }
        Ok(())
    }

    fn remove(&mut self, index: usize) {
        let Some(peer) = self.peers[index].take() else { return };
        if let Stage::Joined { role, group } = peer.stage {
            self.groups[group][role].retain(|member| *member != index);
        }
        self.free.push(index);
    }

    /// Reads all there is; false if the peer is gone.
    fn read(&mut self, index: usize, inbox: &mut [u8]) -> bool {
        loop {
            let Some(peer) = &mut self.peers[index] else { return true };
            let kept = peer.partial.len();
            inbox[..kept].copy_from_slice(&peer.partial);
            match peer.socket.read(&mut inbox[kept..]) {
                Ok(0) => return false,
                Ok(count) => {
                    let whole = kept + count == inbox.len();
                    let bytes = &inbox[..kept + count];
                    let Ok(used) = self.take(index, bytes) else { return false };
                    if let Some(peer) = &mut self.peers[index] {
                        peer.partial.clear();
                        peer.partial.extend_from_slice(&bytes[used..]);
                    }
                    // A short read has emptied the socket, and epoll reports what comes after it.
                    if !whole {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    /// Deals with all that is complete in `bytes`; returns how many bytes that was.
    fn take(&mut self, index: usize, bytes: &[u8]) -> Result<usize> {
        let peer = self.peers[index].as_mut().context("no such peer")?;
        let mut used = 0;
        if let Stage::Handshake = peer.stage {
            let Some(end) = shake(peer, bytes)? else { return Ok(0) };
            peer.stage = Stage::Greeting;
            used = end;
            self.touch(index);
        }
        let peer = self.peers[index].as_mut().context("no such peer")?;
        if let Stage::Greeting = peer.stage {
            let Some(frame) = frame::parse(peer.transport, &bytes[used..])? else { return Ok(used) };
            let mask = frame.mask.unwrap_or_default();
            let body = bytes.get(used + frame.body.start..used + frame.body.end).context("no body")?;
            ensure!(body.len() == 2, "expected role and group");
            let (role, group) = (usize::from((body[0] ^ mask[0]) & 1), usize::from(body[1] ^ mask[1]));
            peer.stage = Stage::Joined { role, group };
            match peer.transport {
                Transport::WebSocket => {
                    frame::write_unmasked(0x80 | frame::BINARY, &[0], [0; 4], &mut peer.output)
                }
                Transport::RawSocket => frame::write_raw(0, &mut peer.output, |out| out.push(0)),
            }
            used += frame.body.end;
            if self.groups.len() <= group {
                self.groups.resize_with(group + 1, Default::default);
            }
            self.groups[group][role].push(index);
            self.touch(index);
        }
        if let Some(Peer { stage: Stage::Joined { role, group }, transport, .. }) = self.peers[index] {
            used += self.forward(transport, role, group, &bytes[used..])?;
        }
        Ok(used)
    }

    fn forward(&mut self, transport: Transport, role: usize, group: usize, bytes: &[u8]) -> Result<usize> {
        let to = std::mem::take(&mut self.groups[group][1 - role]);
        let mut used = 0;
        // The frames are made in the first receiver's buffer and copied from there.
        let mut first = Vec::new();
        if let Some(Some(peer)) = to.first().map(|first| &mut self.peers[*first]) {
            first = std::mem::take(&mut peer.output);
        }
        let start = first.len();
        while let Some(frame) = frame::parse(transport, &bytes[used..])? {
            if let (Transport::WebSocket, Some(mask)) = (transport, frame.mask) {
                ensure!(frame.kind == frame::Kind::Message, "a control frame");
                let body = &bytes[used + frame.body.start..used + frame.body.end];
                frame::write_unmasked(frame.first, body, mask, &mut first);
            }
            used += frame.body.end;
        }
        if transport == Transport::RawSocket {
            first.extend_from_slice(&bytes[..used]);
        }
        for other in to.iter().skip(1) {
            if let Some(peer) = &mut self.peers[*other] {
                peer.output.extend_from_slice(&first[start..]);
            }
        }
        if let Some(Some(peer)) = to.first().map(|first| &mut self.peers[*first]) {
            peer.output = first;
        }
        if used > 0 {
            to.iter().for_each(|peer| self.touch(*peer));
        }
        self.groups[group][1 - role] = to;
        Ok(used)
    }

    fn touch(&mut self, index: usize) {
        if let Some(peer) = &mut self.peers[index]
            && !peer.touched
            && !peer.output.is_empty()
        {
            peer.touched = true;
            self.touched.push(index);
        }
    }

    fn flush(&mut self) {
        for index in self.touched.drain(..) {
            let Some(peer) = &mut self.peers[index] else { continue };
            peer.touched = false;
            // What does not fit goes out when epoll reports room; an error shows at the next read.
            if let Ok(count) = peer.socket.write(&peer.output[peer.written..]) {
                peer.written += count;
            }
            if peer.written == peer.output.len() {
                peer.output.clear();
                peer.written = 0;
            }
        }
    }
}

/// Answers a transport's handshake; returns how many bytes it took, or `None` if it is not all there.
fn shake(peer: &mut Peer, bytes: &[u8]) -> Result<Option<usize>> {
    match peer.transport {
        Transport::RawSocket => {
            let Some(hello) = bytes.get(..4) else { return Ok(None) };
            peer.output.extend_from_slice(hello);
            Ok(Some(4))
        }
        Transport::WebSocket => {
            let Some(end) = frame::end_of_http(bytes) else { return Ok(None) };
            let request = String::from_utf8_lossy(&bytes[..end]);
            ensure!(request.contains(frame::KEY), "only the generator may connect");
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                frame::ACCEPT
            );
            peer.output.extend_from_slice(answer.as_bytes());
            Ok(Some(end))
        }
    }
}
