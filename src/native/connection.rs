//! One connection: bytes in, messages to the router, and the rest of what waits out.
//!
//! Owns the reading side of a socket and the ends of a connection: silence, failures, closes. Framing is in [`Incoming`]'s
//! two kinds, [`rawsocket`](super::rawsocket) and [`websocket`](super::websocket); writing is in
//! [`outgoing`](super::outgoing).

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, tcp, unix};
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::flusher::{self, Turn};
use super::hub::{Counted, Hub};
use super::outgoing::{Peer, Writer};
use super::stream::{Socket, Stream};
use crate::id::SessionKey;
use crate::router::Close;

/// What a connection's framing makes of bytes, and of the ends of a connection.
pub(super) trait Incoming: Send {
    /// Takes whole frames off the front of `bytes`; their messages, of at most `limit` bytes each, go to `messages`.
    /// `reply` sends frames that are the answers to some of them.
    ///
    /// It begins no other frame behind `at_once` bytes, and may leave more whole frames where they are, so that what one
    /// turn makes of a few bytes stays bounded; then it is asked again. Taking nothing says that there is no whole frame.
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limit: usize,
        at_once: usize,
        reply: &dyn Fn(&[u8]),
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Failure>;

    /// Makes frames of messages that waited as they are ([`Framing::Later`](super::outgoing::Framing::Later)).
    fn frame(&mut self, _messages: &[Bytes], _frames: &mut Vec<u8>) {}

    /// The last frame, if the framing has one.
    fn close_frame(&self, _close: CloseWith<'_>) -> Option<Vec<u8>> {
        None
    }

    /// Whether the peer has said that it closes: it sends nothing more.
    fn is_closed(&self) -> bool {
        false
    }

    /// How long the peer may be silent; `None` is for ever.
    fn silence(&self) -> Option<Duration> {
        None
    }

    /// What to send to a peer that was silent for so long, and how long it then has to say anything at all; zero is for
    /// ever.
    fn ping(&mut self) -> Option<(Vec<u8>, Duration)> {
        None
    }

    /// How long the peer has to answer a close, once all is written.
    fn close_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Why a connection is closed by this side.
#[derive(Clone, Copy, Debug)]
pub(super) enum CloseWith<'a> {
    Router(Close),
    Failure(&'a Failure),
    Overflow,
}

/// Bytes that are not what the framing wants.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A message over the limit: the router answers it.
    #[error("a message of {0} bytes is too long")]
    Oversized(usize),
    /// A frame that breaks the framing's protocol.
    #[error("{text}")]
    Protocol {
        /// A WebSocket close code.
        code: u16,
        text: String,
    },
}

/// Where bytes come from.
enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    /// Both directions: only the connection's own task can encrypt.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What one thread uses for all of its connections in turn.
struct Scratch {
    /// Read into by whichever connection is ready; what a connection needs for longer it copies.
    bytes: BytesMut,
    messages: Vec<Bytes>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { bytes: BytesMut::new(), messages: Vec::new() });
}

/// The half of a socket that a connection reads.
pub(super) struct ReadHalf {
    reader: Reader,
    read_ahead: Bytes,
    counted: Option<Counted>,
}

/// Parts a socket into what its connection reads and what its peer's queue writes.
pub(super) fn split(stream: Stream) -> (ReadHalf, Writer) {
    let Stream { read_ahead, socket, counted } = stream;
    let (reader, writer) = match socket {
        Socket::Tcp(socket) => {
            let (reader, writer) = socket.into_split();
            (Reader::Tcp(reader), Writer::Tcp(writer))
        }
        Socket::Unix(socket) => {
            let (reader, writer) = socket.into_split();
            (Reader::Unix(reader), Writer::Unix(writer))
        }
        Socket::Tls(socket) => (Reader::Tls(socket), Writer::Task),
    };
    (ReadHalf { reader, read_ahead, counted }, writer)
}

/// A connection whose handshake is over: a future that ends with it.
///
/// It is spawned as it is, so that an idle session costs no more than these fields.
pub(super) struct Connection<I> {
    hub: Arc<Hub>,
    key: SessionKey,
    peer: Arc<Peer>,
    reader: Reader,
    incoming: I,
    /// The beginning of a frame that has not come as a whole; behind what is late whole frames, too.
    partial: BytesMut,
    /// What the last turn has left. Nothing is read before it is handled.
    late: Option<Box<Late>>,
    /// Bytes that the next message may have.
    limit: usize,
    state: State,
    failure: Option<Failure>,
    /// The peer's stream has ended: nothing more comes. It may still read.
    is_ended: bool,
    /// When the peer said something, for the last time; told to the timer alone.
    heard: Instant,
    ping: Option<Ping>,
    timer: Option<Pin<Box<Sleep>>>,
    is_begun: bool,
    _counted: Option<Counted>,
}

/// Messages that were taken and are not handled yet, and what came behind them.
struct Late {
    messages: vec::IntoIter<Bytes>,
    taken: Result<(), Failure>,
}

/// The last ping that was sent.
#[derive(Clone, Copy)]
struct Ping {
    sent: Instant,
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What waits is made into frames, before the last one.
    Closing,
    /// What waits is written, and then the end of the stream.
    Flushing,
    /// Everything was written; what still comes is not looked at, until the peer closes.
    Draining,
}

impl<I: Incoming> Connection<I> {
    pub fn new(hub: Arc<Hub>, key: SessionKey, peer: Arc<Peer>, half: ReadHalf, incoming: I) -> Self {
        let ReadHalf { reader, read_ahead, counted } = half;
        Self {
            limit: hub.message_limit(key),
            hub,
            key,
            peer,
            reader,
            incoming,
            partial: BytesMut::from(&*read_ahead),
            late: None,
            state: State::Open,
            failure: None,
            is_ended: false,
            heard: Instant::now(),
            ping: None,
            timer: None,
            is_begun: false,
            _counted: counted,
        }
    }

    /// What came with the handshake is handled first, and the timer of silence is set.
    fn begin(&mut self) {
        self.is_begun = true;
        if !self.partial.is_empty() {
            self.handle_partial();
        }
        if let Some(silence) = self.incoming.silence() {
            self.timer = Some(Box::pin(self.hub.timers.sleep(silence)));
        }
    }

    /// Ready when the connection is over.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_begun {
            self.begin();
        } else if self.late.is_some() {
            self.handle_partial();
            if self.timer.is_some() {
                // What it said since, as an answer to a ping, was not read.
                self.heard = Instant::now();
            }
        }
        if self.poll_timer(cx).is_ready() || self.poll_send(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..READS {
            if self.late.is_some() {
                break;
            }
            if self.is_ended {
                return Poll::Pending;
            }
            match self.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    // Whoever says nothing more may still read what waits for it.
                    self.is_ended = true;
                    self.hub.closed(self.key);
                    if self.state == State::Draining || self.poll_send(cx).is_ready() {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                // Handling may have made something that only this task can write.
                Poll::Ready(Ok(())) if self.poll_send(cx).is_ready() => return Poll::Ready(()),
                Poll::Ready(Ok(())) if flusher::is_turn_over() => break,
                Poll::Ready(Ok(())) => {}
            }
        }
        // Others want to be read, too.
        let_others(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(cx));
            // It has not taken what waited, or not answered a close.
            let (State::Open, Some(silence)) = (self.state, self.incoming.silence()) else {
                return Poll::Ready(());
            };
            let now = Instant::now();
            let unanswered = self.ping.filter(|ping| ping.sent >= self.heard);
            let next = match unanswered {
                Some(Ping { sent, timeout }) if !timeout.is_zero() => {
                    if now >= sent + timeout {
                        self.hub.reject(&self.peer, &format!("no answer to a ping in {timeout:?}"));
                        return Poll::Ready(());
                    }
                    // Its answer may come before that, and then it is to be pinged as ever.
                    (sent + timeout).min(now + silence)
                }
                _ => {
                    let due = unanswered.map_or(self.heard, |ping| ping.sent) + silence;
                    if now < due { due } else { self.send_ping(now, silence) }
                }
            };
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(next);
            }
        }
        Poll::Pending
    }

    /// Pings a peer that was silent for so long, and answers when to look at it again.
    fn send_ping(&mut self, now: Instant, silence: Duration) -> Instant {
        let Some((frame, timeout)) = self.incoming.ping() else { return now + silence };
        self.ping = Some(Ping { sent: now, timeout });
        self.hub.send_frame(&self.peer, &frame);
        now + if timeout.is_zero() { silence } else { silence.min(timeout) }
    }

    /// Writes what only this task can write. Ready when the connection is over.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..SENDS {
            if !ready!(self.poll_send_some(cx)) {
                return Poll::Ready(());
            }
        }
        let_others(cx)
    }

    /// Ready with true where there is more to do at once, with false when the connection is over.
    fn poll_send_some(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let has_ended = self.is_ended || self.is_closed();
        if self.state == State::Open && self.failure.is_none() && !has_ended && self.peer.is_quiet() {
            return Poll::Pending;
        }
        let peer = Arc::clone(&self.peer);
        let mut outgoing = peer.lock();
        outgoing.set_waker(cx.waker());
        let messages = outgoing.take_messages(FRAMED_AT_ONCE);
        let has_framed = !messages.is_empty();
        if has_framed {
            // Compressing takes its time, and the whole router waits for whoever holds this lock.
            drop(outgoing);
            let mut frames = Vec::new();
            self.incoming.frame(&messages, &mut frames);
            outgoing = peer.lock();
            outgoing.put_frames(&messages, frames);
        }
        if matches!(self.state, State::Open | State::Closing) {
            let close = match (outgoing.overflowed, &self.failure, outgoing.closing) {
                (true, ..) => Some(CloseWith::Overflow),
                (_, Some(failure), _) => Some(CloseWith::Failure(failure)),
                (_, None, Some(close)) => Some(CloseWith::Router(close)),
                (_, None, None) if has_ended => Some(CloseWith::Router(Close::Normal)),
                (_, None, None) => None,
            };
            if let Some(CloseWith::Overflow) = close {
                // It does not read: there is no way to tell it anything.
                return Poll::Ready(false);
            }
            if close.is_some() && self.state == State::Open {
                outgoing.closing.get_or_insert(Close::Normal);
                self.state = State::Closing;
                // What waits may be much, and the way to the peer slow.
                let time = self.hub.goodbye_timeout().max(self.incoming.close_timeout());
                self.timer = Some(begin_timer(time, cx));
            }
            if let Some(close) = close
                && !outgoing.has_messages()
            {
                if let Some(frame) = self.incoming.close_frame(close) {
                    outgoing.queue.append(frame);
                }
                self.state = State::Flushing;
            }
        }
        if self.state == State::Open && !has_framed && peer.rest(&outgoing) {
            return Poll::Pending;
        }
        let socket: Option<&mut (dyn AsyncWrite + Unpin + Send)> = match &mut self.reader {
            Reader::Tls(socket) => Some(&mut **socket),
            Reader::Tcp(_) | Reader::Unix(_) => None,
        };
        match outgoing.poll_write(cx, socket) {
            Poll::Ready(Err(_)) => Poll::Ready(false),
            Poll::Ready(Ok(())) if outgoing.has_messages() => Poll::Ready(true),
            Poll::Ready(Ok(())) if self.state == State::Flushing => {
                // Only the end of the stream is sent now. Closing the socket while the peer's last bytes are on their
                // way would make the system throw away what it has not sent.
                self.state = State::Draining;
                self.timer = Some(begin_timer(self.incoming.close_timeout(), cx));
                outgoing.shut_down(cx);
                if let Reader::Tls(socket) = &mut self.reader {
                    // close_notify is a courtesy: what cannot be written at once is not waited for.
                    let _ = Pin::new(socket).poll_shutdown(cx);
                }
                let is_over = self.is_ended || self.incoming.is_closed();
                if is_over { Poll::Ready(false) } else { Poll::Pending }
            }
            _ => Poll::Pending,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.partial.len() > MAX_COPIED {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.reserve(bytes.len());
            let read = self.poll_read_into(cx, &mut bytes);
            if let Poll::Ready(Ok(())) = read {
                let length = bytes.len();
                self.handle_bytes(&mut bytes);
                if bytes.len() < length {
                    // A few bytes must not keep the memory of the long message before them.
                    bytes = BytesMut::from(&*bytes);
                }
            }
            if !bytes.is_empty() {
                self.partial = bytes;
            }
            return read;
        }
        let mut bytes = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.bytes));
        bytes.reserve(CHUNK);
        // Copied, so that the rest of the frame comes with whatever follows it in one read.
        bytes.extend_from_slice(&self.partial);
        let read = self.poll_read_into(cx, &mut bytes);
        if let Poll::Ready(Ok(())) = read {
            self.partial = BytesMut::new();
            self.handle_bytes(&mut bytes);
            self.partial = BytesMut::from(&*bytes);
        }
        bytes.clear();
        SCRATCH.with_borrow_mut(|scratch| scratch.bytes = bytes);
        read
    }

    /// Reads once, behind what is there. The end of the stream is an error.
    fn poll_read_into(&mut self, cx: &mut Context<'_>, bytes: &mut BytesMut) -> Poll<io::Result<()>> {
        let read = match &mut self.reader {
            Reader::Tcp(socket) => pin!(socket.read_buf(bytes)).poll(cx),
            Reader::Unix(socket) => pin!(socket.read_buf(bytes)).poll(cx),
            Reader::Tls(socket) => pin!(socket.read_buf(bytes)).poll(cx),
        };
        if ready!(read)? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if self.timer.is_some() {
            self.heard = Instant::now();
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on with what came before.
    fn handle_partial(&mut self) {
        let mut bytes = std::mem::take(&mut self.partial);
        self.handle_bytes(&mut bytes);
        // A few bytes must not keep the memory of those before them.
        self.partial = if self.late.is_some() { bytes } else { BytesMut::from(&*bytes) };
    }

    /// Handles what is whole, until this turn is over.
    fn handle_bytes(&mut self, bytes: &mut BytesMut) {
        if self.state != State::Open || self.failure.is_some() {
            bytes.clear();
            self.late = None;
            return;
        }
        if self.limit < self.hub.message_length() {
            // Somebody else may have let the session join since: an authenticator's answer comes from another connection.
            self.limit = self.hub.message_limit(self.key);
        }
        let mut turn = Turn::default();
        let mut taken = Ok(());
        if let Some(mut late) = self.late.take() {
            self.handle_messages(&mut late.messages, &mut turn);
            if late.messages.len() > 0 {
                self.late = Some(late);
                return;
            }
            taken = late.taken;
        }
        let mut messages = SCRATCH.with_borrow_mut(|scratch| std::mem::take(&mut scratch.messages));
        let memory = bytes.len();
        let mut has_more = !bytes.is_empty();
        while has_more && taken.is_ok() && !self.incoming.is_closed() {
            let length = bytes.len();
            taken = self.take(bytes, memory, &mut messages);
            has_more = !bytes.is_empty() && bytes.len() < length;
            let mut rest = messages.drain(..);
            self.handle_messages(&mut rest, &mut turn);
            if rest.len() > 0 || has_more && taken.is_ok() && turn.is_over() {
                let messages = rest.collect::<Vec<_>>().into_iter();
                self.late = Some(Box::new(Late { messages, taken }));
                taken = Ok(());
                break;
            }
        }
        messages.shrink_to(KEPT_MESSAGES);
        SCRATCH.with_borrow_mut(|scratch| scratch.messages = messages);
        match taken {
            // Whatever is left to write, for the others it is gone.
            Ok(()) if self.is_closed() => self.hub.closed(self.key),
            Ok(()) => {}
            Err(Failure::Oversized(length)) => {
                self.hub.oversized(self.key, length);
                bytes.clear();
            }
            Err(failure) => {
                self.hub.reject(&self.peer, &failure.to_string());
                self.hub.closed(self.key);
                self.failure = Some(failure);
                bytes.clear();
            }
        }
    }

    /// Handles messages until none is left or the turn is over.
    fn handle_messages(&mut self, messages: &mut impl ExactSizeIterator<Item = Bytes>, turn: &mut Turn) {
        if let Some(limit) = self.hub.handle_turn(self.key, messages, turn) {
            self.limit = limit;
        }
    }

    /// Takes frames off the front of `bytes`, of which there were `memory` when they were read.
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        memory: usize,
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Failure> {
        let reply = |frame: &[u8]| self.hub.send_frame(&self.peer, frame);
        // What follows a HELLO may be longer than one.
        let at_once = if self.limit < self.hub.message_length() { 1 } else { TAKEN_AT_ONCE };
        let taken = self.incoming.take(bytes, self.limit, at_once, &reply, messages);
        if memory > MAX_SHARED {
            // What waits for a receiver must not keep the memory of all that it was read with.
            for message in messages.iter_mut().filter(|message| message.len() < memory / 2) {
                *message = Bytes::copy_from_slice(message);
            }
        }
        taken
    }

    /// Whether the peer has closed, and what it said before is handled.
    fn is_closed(&self) -> bool {
        self.incoming.is_closed() && self.late.is_none()
    }
}

impl<I: Incoming + Unpin> Future for Connection<I> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_all(cx)
    }
}

impl<I> Drop for Connection<I> {
    fn drop(&mut self) {
        self.hub.closed(self.key);
    }
}

/// Goes on when all sockets have been looked at, and whoever is ready has had a turn.
fn let_others(cx: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::yield_now()).poll(cx)
}

/// A timer that wakes the task; one of no time is over at the next turn.
fn begin_timer(time: Duration, cx: &mut Context<'_>) -> Pin<Box<Sleep>> {
    let mut timer = Box::pin(tokio::time::sleep(time));
    if timer.as_mut().poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
    timer
}

/// Reads of one turn: then others have theirs.
const READS: usize = 4;

/// Times that one turn makes frames and writes them: then others have theirs.
const SENDS: usize = 4;

/// Bytes of the messages that are made into frames before they are written.
const FRAMED_AT_ONCE: usize = 64 << 10;

/// Bytes of which the frames are taken before their messages are handled.
const TAKEN_AT_ONCE: usize = CHUNK;

/// Messages for which a thread keeps room.
const KEPT_MESSAGES: usize = 4_096;

/// Bytes that one read may bring.
const CHUNK: usize = 64 << 10;

/// Bytes of memory that a message may keep, of whatever it was read with.
const MAX_SHARED: usize = 4 * CHUNK;

/// Bytes of the beginning of a frame that are copied rather than read behind. Longer ones get memory of their own, which
/// grows with what came and not with what was announced.
const MAX_COPIED: usize = CHUNK / 4;
