//! What the router wants done: heads to send with their tails, and transports to close.
//!
//! Owned by the caller and reused, so that a warm router allocates nothing. Heads stand in one buffer; a head that
//! goes to many receivers is encoded once and addressed many times.

use std::ops::Range;

use crate::codec::{self, Serializer};
use crate::id::SessionKey;
use crate::message::Message;
use crate::payload::Payload;

/// Actions in the order in which they must happen.
#[derive(Clone, Debug)]
pub struct Outbox<P> {
    heads: Vec<u8>,
    entries: Vec<(SessionKey, Entry<P>)>,
}

/// One thing to do for one transport.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'a, P> {
    /// Send `head`, the encoded `payload` and [`codec::closing`] as one frame.
    Send {
        /// In the serializer of the transport.
        head: &'a [u8],
        /// In the serializer of the transport, or empty.
        payload: P,
    },
    /// Close the transport, after what was sent to it before. The router has already forgotten it.
    Close(Close),
}

/// Why the router closes a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The conversation is over: GOODBYE or ABORT was sent.
    Normal,
    /// The peer broke the protocol.
    ProtocolViolation,
    /// The peer did not do in time what it had to.
    Timeout,
}

/// The place of an encoded head in an outbox.
#[derive(Clone, Debug)]
pub(crate) struct Head(Range<usize>);

#[derive(Clone, Debug)]
enum Entry<P> {
    Send { head: Range<usize>, payload: P },
    Close(Close),
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self { heads: Vec::new(), entries: Vec::new() }
    }
}

impl<P: Payload> Outbox<P> {
    /// An empty outbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all actions out, in order; the buffers stay for the next round.
    pub fn drain(&mut self) -> impl Iterator<Item = (SessionKey, Action<'_, P>)> {
        let heads = &self.heads;
        self.entries.drain(..).map(move |(key, entry)| {
            let action = match entry {
                Entry::Send { head, payload } => Action::Send { head: &heads[head], payload },
                Entry::Close(close) => Action::Close(close),
            };
            (key, action)
        })
    }

    /// Encodes the head of `message`, whose payload only counts elements here.
    pub(crate) fn encode(&mut self, serializer: Serializer, message: &Message<'_, P>) -> Head {
        if self.entries.is_empty() {
            self.heads.clear();
        }
        let start = self.heads.len();
        codec::encode_head(serializer, message, &mut self.heads);
        Head(start..self.heads.len())
    }

    /// Sends an encoded head with a payload of the same serializer.
    pub(crate) fn send_encoded(&mut self, key: SessionKey, head: &Head, payload: P) {
        self.entries.push((key, Entry::Send { head: head.0.clone(), payload }));
    }

    /// Sends a message whose payload is empty or of the same serializer.
    pub(crate) fn send(&mut self, key: SessionKey, serializer: Serializer, message: &Message<'_, P>) {
        let head = self.encode(serializer, message);
        let payload = message.payload().cloned().unwrap_or_default();
        self.send_encoded(key, &head, payload);
    }

    /// Closes a transport.
    pub(crate) fn close(&mut self, key: SessionKey, close: Close) {
        self.entries.push((key, Entry::Close(close)));
    }
}
