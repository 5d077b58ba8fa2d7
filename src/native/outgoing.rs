//! What waits to be sent to one peer: a bounded [`queue`](super::queue), and who writes it to the socket.
//!
//! Owns framing on the way out and the limit of the queue. Messages are put in while the router is locked; at the
//! end of its turn the thread that put them in writes them ([`flusher`](super::flusher)), without waking another. Only
//! where the socket takes no more, or where bytes must be compressed or encrypted first, the connection's own task is woken
//! to go on.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::net::{tcp, unix};

use super::flusher;
use super::lock;
use super::queue::Queue;
use crate::codec::{self, Serializer};
use crate::config::Overflow;
use crate::payload::EncodedPayload;
use crate::rawsocket::{FrameHeader, FrameType};
use crate::router::Close;

/// One end of a transport, as the router's side sees it.
#[derive(Debug)]
pub(super) struct Peer {
    /// Where the other end is, for the log.
    pub address: Box<str>,
    serializer: Serializer,
    framing: Framing,
    limits: QueueLimits,
    /// The connection's task has left nothing to do here, and need not look again before it is woken.
    is_quiet: AtomicBool,
    outgoing: Mutex<Outgoing>,
}

/// How messages become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    RawSocket,
    /// One unmasked frame for each message.
    WebSocket,
    /// Not yet: the connection's task takes the messages as they are.
    Later,
}

/// The queue and its writer.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub queue: Queue,
    /// What waits under [`Framing::Later`].
    messages: VecDeque<Bytes>,
    /// Their bytes, and those of messages that the connection's task makes into frames.
    message_bytes: usize,
    writer: Writer,
    /// The router wants the transport closed, after what it sent before.
    pub closing: Option<Close>,
    /// More than may wait came to wait; nothing more is sent.
    pub overflowed: bool,
    /// Something came since the last flush.
    touched: bool,
    /// The connection's task has to go on: the socket takes no more, or only the task can write.
    blocked: bool,
    /// The socket took no more when the task wrote last.
    refused: bool,
    /// Wakes the connection's task.
    waker: Option<Waker>,
}

/// Who writes.
#[derive(Debug)]
pub(super) enum Writer {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    /// The connection's task, and nobody else.
    Task,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    /// It waits, and the peer is to be flushed.
    First,
    /// It waits behind others that were put in since the last flush.
    Behind,
    /// There is no room for it, and the policy is to do without.
    Dropped,
    /// There is no room for it, and the policy is to close.
    Overflow,
    /// The transport is being closed.
    Closed,
}

impl Peer {
    pub fn new(
        address: &str,
        serializer: Serializer,
        framing: Framing,
        writer: Writer,
        limits: QueueLimits,
    ) -> Self {
        let outgoing = Outgoing {
            queue: Queue::default(),
            messages: VecDeque::new(),
            message_bytes: 0,
            writer,
            closing: None,
            overflowed: false,
            touched: false,
            blocked: false,
            refused: false,
            waker: None,
        };
        Self {
            address: address.into(),
            serializer,
            framing,
            limits,
            is_quiet: AtomicBool::new(false),
            outgoing: Mutex::new(outgoing),
        }
    }

    /// What may wait.
    pub fn limits(&self) -> QueueLimits {
        self.limits
    }

    pub fn lock(&self) -> MutexGuard<'_, Outgoing> {
        lock(&self.outgoing)
    }

    /// Puts a message in. `may_drop` says whether the peer can do without it.
    pub fn send(&self, head: &[u8], payload: EncodedPayload, may_drop: bool) -> Queued {
        let mut outgoing = self.lock();
        let outgoing = &mut *outgoing;
        if outgoing.closing.is_some() || outgoing.overflowed {
            return Queued::Closed;
        }
        let closing = codec::closing(self.serializer);
        let length = head.len() + payload.bytes.len() + closing.len();
        if self.is_full(outgoing, length) && !outgoing.blocked && !outgoing.write_now() {
            // It was not the peer that was slow, but those who write many messages before anybody is flushed.
            outgoing.blocked = true;
            self.wake(outgoing);
        }
        if self.is_full(outgoing, length) {
            if may_drop && self.limits.overflow == Overflow::Drop {
                return Queued::Dropped;
            }
            if !self.is_late(outgoing, length) {
                outgoing.overflowed = true;
                self.wake(outgoing);
                return Queued::Overflow;
            }
            flusher::end_turn();
        }
        match self.framing {
            Framing::RawSocket => {
                let header = FrameHeader { frame_type: FrameType::Message, length };
                outgoing.queue.own.extend_from_slice(&header.encode());
            }
            Framing::WebSocket => {
                let opcode = if self.serializer == Serializer::Json { 0x81 } else { 0x82 };
                put_websocket_header(&mut outgoing.queue.own, opcode, length);
            }
            Framing::Later => {
                let mut message = BytesMut::with_capacity(length);
                message.put_slice(head);
                message.put_slice(&payload.bytes);
                message.put_slice(closing);
                outgoing.messages.push_back(message.freeze());
                outgoing.message_bytes += length;
                return outgoing.touch();
            }
        }
        outgoing.queue.own.extend_from_slice(head);
        outgoing.queue.put(payload.bytes);
        outgoing.queue.own.extend_from_slice(closing);
        outgoing.touch()
    }

    fn is_full(&self, outgoing: &Outgoing, length: usize) -> bool {
        let waiting = outgoing.queue.len() + outgoing.message_bytes;
        waiting > 0 && waiting + length > self.limits.bytes || outgoing.messages.len() >= self.limits.messages
    }

    /// Whether it is no fault of the peer that there is no room: the connection's task, without which nothing is written,
    /// has not had its turn. It has it the sooner, the sooner that of whoever sends so much ends.
    fn is_late(&self, outgoing: &Outgoing, length: usize) -> bool {
        let needs_task = self.framing == Framing::Later || matches!(outgoing.writer, Writer::Task);
        let waiting = outgoing.queue.len() + outgoing.message_bytes;
        let most = self.limits.bytes.saturating_add(self.limits.burst);
        needs_task && self.limits.burst > 0 && !outgoing.refused && waiting + length <= most
    }

    /// Puts in a frame that is no message: a pong, a close. Its bytes count like a message's.
    pub fn send_frame(&self, bytes: &[u8]) -> Queued {
        let mut outgoing = self.lock();
        if outgoing.overflowed {
            return Queued::Closed;
        }
        let waiting = outgoing.queue.len() + outgoing.message_bytes;
        let is_full = waiting > 0 && waiting + bytes.len() > self.limits.bytes.max(MIN_LIMIT);
        if is_full && !self.is_late(&outgoing, bytes.len()) {
            outgoing.overflowed = true;
            self.wake(&outgoing);
            return Queued::Overflow;
        }
        outgoing.queue.own.extend_from_slice(bytes);
        outgoing.touch()
    }

    /// Has the transport closed, after what was sent before.
    pub fn close(&self, close: Close) -> Queued {
        let mut outgoing = self.lock();
        if outgoing.closing.is_some() {
            return Queued::Closed;
        }
        outgoing.closing = Some(close);
        outgoing.touch()
    }

    /// Whether the connection's task has nothing to do here. Asks for no lock, since a task asks at each of its turns.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet.load(Ordering::Acquire)
    }

    /// Takes note that the connection's task has done what there was to do, and waits to be woken; false where there is
    /// more that only it can write.
    pub fn rest(&self, outgoing: &Outgoing) -> bool {
        let is_quiet = !outgoing.needs_task();
        self.is_quiet.store(is_quiet, Ordering::Release);
        is_quiet
    }

    fn wake(&self, outgoing: &Outgoing) {
        self.is_quiet.store(false, Ordering::Release);
        if let Some(waker) = &outgoing.waker {
            waker.wake_by_ref();
        }
    }

    /// Writes what waits, as far as that goes without waiting.
    pub fn flush(&self) {
        let mut outgoing = self.lock();
        let outgoing = &mut *outgoing;
        outgoing.touched = false;
        if !outgoing.blocked && !outgoing.write_now() {
            outgoing.blocked = true;
            self.wake(outgoing);
        }
        if outgoing.closing.is_some() {
            self.wake(outgoing);
        }
    }
}

/// What may wait for one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    /// One message is let in whatever its length.
    pub bytes: usize,
    /// Counted where they wait as messages; `usize::MAX` is no limit.
    pub messages: usize,
    /// Bytes beyond the others that may wait for the turn of a connection's task rather than close the connection; 0
    /// where there is no such task.
    pub burst: usize,
    pub overflow: Overflow,
}

impl fmt::Display for QueueLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)?;
        match self.messages {
            usize::MAX => Ok(()),
            messages => write!(f, " and {messages} messages"),
        }
    }
}

impl Outgoing {
    fn touch(&mut self) -> Queued {
        if std::mem::replace(&mut self.touched, true) { Queued::Behind } else { Queued::First }
    }

    /// Whether there is something that only the connection's task can write.
    fn needs_task(&self) -> bool {
        self.blocked || !self.messages.is_empty() || matches!(self.writer, Writer::Task)
    }

    /// Names the task that goes on where others cannot.
    pub fn set_waker(&mut self, waker: &Waker) {
        if self.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Says that the connection's task wants to be woken again.
    pub fn unblock(&mut self) {
        self.blocked = false;
    }

    /// The next message that waits as one.
    pub fn next_message(&mut self) -> Option<Bytes> {
        let message = self.messages.pop_front()?;
        self.message_bytes -= message.len();
        Some(message)
    }

    /// The next messages that wait as they are, of about this many bytes; nothing while as many wait as frames. They
    /// count as waiting until their frames are [put in](Self::put_frames).
    pub fn take_messages(&mut self, bytes: usize) -> Vec<Bytes> {
        let mut messages = Vec::new();
        let mut length = self.queue.len();
        while length < bytes
            && let Some(message) = self.messages.pop_front()
        {
            length += message.len();
            messages.push(message);
        }
        messages
    }

    /// Puts in the frames of these messages.
    pub fn put_frames(&mut self, messages: &[Bytes], frames: Vec<u8>) {
        self.message_bytes -= messages.iter().map(Bytes::len).sum::<usize>();
        self.queue.append(frames);
    }

    /// Whether messages wait that are no frames yet.
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// False if the connection's task has to go on.
    fn write_now(&mut self) -> bool {
        if !self.messages.is_empty() {
            return false;
        }
        while !self.queue.is_empty() {
            let written = match &self.writer {
                Writer::Task => return false,
                Writer::Tcp(socket) => self.queue.write(|slices| match slices {
                    [one] => socket.try_write(one),
                    slices => socket.try_write_vectored(slices),
                }),
                Writer::Unix(socket) => self.queue.write(|slices| socket.try_write_vectored(slices)),
            };
            if written.is_err() {
                return false;
            }
        }
        true
    }

    /// Sends the end of the stream; nothing is written after it.
    pub fn shut_down(&mut self, cx: &mut std::task::Context<'_>) {
        // A socket that is closed already has nothing left to lose, and neither of these waits for the peer.
        let _ = match &mut self.writer {
            Writer::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Writer::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Writer::Task => Poll::Ready(Ok(())),
        };
    }

    /// Writes what waits, for the connection's task; `stream` is the socket where that task has it.
    pub fn poll_write(
        &mut self,
        cx: &mut std::task::Context<'_>,
        mut stream: Option<&mut (dyn AsyncWrite + Unpin + Send)>,
    ) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let socket: &mut (dyn AsyncWrite + Unpin + Send) = match (&mut self.writer, &mut stream) {
                (Writer::Tcp(socket), _) => socket,
                (Writer::Unix(socket), _) => socket,
                (Writer::Task, Some(stream)) => &mut **stream,
                (Writer::Task, None) => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            };
            let mut is_pending = false;
            self.queue.write(|slices| match Pin::new(socket).poll_write_vectored(cx, slices) {
                Poll::Ready(written) => written,
                Poll::Pending => {
                    is_pending = true;
                    Ok(0)
                }
            })?;
            if is_pending {
                (self.blocked, self.refused) = (true, true);
                return Poll::Pending;
            }
        }
        if let (Writer::Task, Some(stream)) = (&self.writer, stream)
            && Pin::new(stream).poll_flush(cx)?.is_pending()
        {
            (self.blocked, self.refused) = (true, true);
            return Poll::Pending;
        }
        (self.blocked, self.refused) = (false, false);
        Poll::Ready(Ok(()))
    }
}

/// Appends the header of an unmasked frame. [RFC 6455, 5.2]
pub(super) fn put_websocket_header(bytes: &mut Vec<u8>, first: u8, length: usize) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => bytes.extend_from_slice(&[first, length]),
        (_, Ok(length)) => {
            let [a, b] = length.to_be_bytes();
            bytes.extend_from_slice(&[first, 126, a, b]);
        }
        _ => {
            bytes.extend_from_slice(&[first, 127]);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Bytes that may wait beyond the limit of a queue until a connection's task has had a turn: what one read of small
/// publications becomes, several times over.
pub(super) const BURST: usize = 1 << 20;

/// Room for pings and closes whatever the limit is.
const MIN_LIMIT: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;

    #[test]
    fn a_frame_behind_what_waits_for_the_turn_of_a_task_does_not_end_the_connection() {
        let limits =
            QueueLimits { bytes: 10, messages: usize::MAX, burst: 2 * MIN_LIMIT, overflow: Overflow::Close };
        let peer = Peer::new("test", Serializer::Json, Framing::Later, Writer::Task, limits);
        for _ in 0..3 {
            let queued = peer.send(&[b'1'; MIN_LIMIT / 2], EncodedPayload::default(), true);
            assert!(matches!(queued, Queued::First | Queued::Behind));
        }
        assert_eq!(peer.send_frame(b"pong"), Queued::Behind);
        // Who has taken no more when there was a turn is not waited for.
        peer.lock().refused = true;
        assert_eq!(peer.send_frame(b"pong"), Queued::Overflow);
    }

    #[test]
    fn there_is_room_for_pings_and_closes_whatever_the_limit() {
        let limits = QueueLimits { bytes: 10, messages: usize::MAX, burst: 0, overflow: Overflow::Close };
        let peer = Peer::new("test", Serializer::Json, Framing::WebSocket, Writer::Task, limits);
        assert_eq!(peer.send(b"[]", EncodedPayload::default(), false), Queued::First);
        assert_eq!(peer.send_frame(&[0; 100]), Queued::Behind);
        assert_eq!(peer.send_frame(&[0; MIN_LIMIT]), Queued::Overflow);
    }

    #[tokio::test]
    async fn what_a_socket_can_take_at_once_does_not_overflow() -> io::Result<()> {
        let (here, _there) = UnixStream::pair()?;
        here.writable().await?;
        let limits = QueueLimits { bytes: 100, messages: usize::MAX, burst: 0, overflow: Overflow::Close };
        let writer = Writer::Unix(here.into_split().1);
        let peer = Peer::new("test", Serializer::Json, Framing::RawSocket, writer, limits);
        for _ in 0..10 {
            let queued = peer.send(&[b'1'; 60], EncodedPayload::default(), false);
            assert!(matches!(queued, Queued::First | Queued::Behind));
        }
        Ok(())
    }
}
