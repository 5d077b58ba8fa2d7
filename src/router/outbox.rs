//! What the router wants done: heads to send with their tails, and transports to close.
//!
//! Owned by the caller and reused, so that a warm router allocates nothing. Heads stand in one buffer; a head that
//! goes to many receivers is encoded once and addressed many times.

use super::journal::Record;
#[cfg(feature = "native")]
use super::news::News;
use super::question::Question;
use crate::codec::{self, Serializer};
use crate::id::SessionKey;
use crate::message::Message;
#[cfg(feature = "native")]
use crate::message::MessageType;
use crate::payload::Payload;

/// Actions in the order in which they must happen.
#[derive(Clone, Debug)]
pub struct Outbox<P> {
    heads: Vec<u8>,
    /// Nobody will be sent one of `heads` any more.
    is_done: bool,
    entries: Vec<(SessionKey, Entry<P>)>,
    /// How many of the entries the router has added up.
    settled: usize,
    /// Peers that cannot take what they had to be sent: the router aborts their sessions.
    stranded: Vec<SessionKey>,
    questions: Vec<Question>,
    #[cfg(feature = "native")]
    news: Vec<News>,
    /// Where somebody takes them.
    records: Option<Vec<Record<P>>>,
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
        /// What it is, for a driver that can do without some.
        #[cfg(feature = "native")]
        message_type: MessageType,
    },
    /// Close the transport, after what was sent to it before. The router has already forgotten it.
    Close(Close),
}

/// Why the router closes a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The conversation is over: GOODBYE or ABORT was sent, or what had to be sent is longer than the peer can take.
    Normal,
    /// The peer broke the protocol.
    ProtocolViolation,
    /// The peer did not do in time what it had to.
    Timeout,
    /// The router goes, and may be back in a moment: the peer is to take the connection for lost.
    #[cfg(feature = "native")]
    Lost,
}

/// What a peer takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepts {
    pub serializer: Serializer,
    /// Bytes of a message; the largest number is no limit.
    pub length: u32,
}

/// The place of an encoded head in an outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    start: usize,
    /// Together with what follows it 16 bytes, so that an entry is one cache line.
    length: u32,
    #[cfg(feature = "native")]
    message_type: MessageType,
}

#[derive(Clone, Debug)]
enum Entry<P> {
    Send { head: Head, payload: P },
    Close(Close),
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self {
            heads: Vec::new(),
            is_done: false,
            entries: Vec::new(),
            settled: 0,
            stranded: Vec::new(),
            questions: Vec::new(),
            #[cfg(feature = "native")]
            news: Vec::new(),
            records: None,
        }
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

    /// Whether there are no questions, news and records to take.
    #[cfg(feature = "native")]
    pub fn has_actions_only(&self) -> bool {
        self.questions.is_empty() && self.news.is_empty() && self.records.as_ref().is_none_or(Vec::is_empty)
    }

    /// Takes all actions out, in order; the buffers stay for the next round.
    pub fn drain(&mut self) -> impl Iterator<Item = (SessionKey, Action<'_, P>)> {
        let heads = &self.heads;
        self.is_done = true;
        self.settled = 0;
        // Whoever wanted to know has asked before.
        #[cfg(feature = "native")]
        self.news.clear();
        self.entries.drain(..).map(move |(key, entry)| {
            let action = match entry {
                Entry::Send { head, payload } => Action::Send {
                    head: head.bytes(heads),
                    payload,
                    #[cfg(feature = "native")]
                    message_type: head.message_type,
                },
                Entry::Close(close) => Action::Close(close),
            };
            (key, action)
        })
    }

    /// What functions of the driver's program are to be asked, in order. Each answer goes to
    /// [`Router::handle_answer`](super::Router::handle_answer). Unlike actions, questions wait until they are taken.
    pub fn take_questions(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.questions)
    }

    /// Asks the driver.
    pub(crate) fn ask(&mut self, question: Question) {
        self.questions.push(question);
    }

    /// What happened since the last [`drain`](Self::drain), in order.
    #[cfg(feature = "native")]
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// What stores must write down, since this was asked the last time; in order, but only the last record of a realm and
    /// number counts. Empty unless [`Router::restore`](super::Router::restore) was called with this outbox: from then on
    /// the driver must take them.
    pub fn take_records(&mut self) -> Vec<Record<P>> {
        self.records.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn start_journal(&mut self) {
        self.records.get_or_insert_default();
    }

    pub(crate) fn record(&mut self, record: Record<P>) {
        if let Some(records) = &mut self.records {
            records.push(record);
        }
    }

    /// Lets the driver know, if it wants to.
    #[cfg(feature = "native")]
    pub(crate) fn tell(&mut self, news: News) {
        self.news.push(news);
    }

    /// Encodes the head of `message`, whose payload only counts elements here.
    pub(crate) fn encode(&mut self, serializer: Serializer, message: &Message<'_, P>) -> Head {
        // Not where there are no entries: the first receiver of an EVENT may not have taken it.
        if std::mem::take(&mut self.is_done) {
            self.heads.clear();
        }
        let start = self.heads.len();
        codec::encode_head(serializer, message, &mut self.heads);
        let length = u32::try_from(self.heads.len() - start).expect("a head is far shorter than 4 GiB");
        Head {
            start,
            length,
            #[cfg(feature = "native")]
            message_type: message.message_type(),
        }
    }

    /// Sends an encoded head with a payload of the same serializer. False, and nothing is sent, if they are longer
    /// than the peer can take.
    pub(crate) fn send_encoded(&mut self, key: SessionKey, accepts: Accepts, head: Head, payload: P) -> bool {
        if !accepts.fits(head, &payload) {
            return false;
        }
        self.entries.push((key, Entry::Send { head, payload }));
        true
    }

    /// Sends a message whose payload is empty or of the same serializer. False, and nothing is sent, if it is longer
    /// than the peer can take.
    pub(crate) fn try_send(&mut self, key: SessionKey, accepts: Accepts, message: Message<'_, P>) -> bool {
        let head = self.encode(accepts.serializer, &message);
        let payload = message.into_payload().unwrap_or_default();
        self.send_encoded(key, accepts, head, payload)
    }

    /// Sends a message without which the peer cannot go on: where it is longer than the peer can take, ABORT comes in its
    /// place, and the end of the transport.
    pub(crate) fn send(&mut self, key: SessionKey, accepts: Accepts, message: Message<'_, P>) {
        if !self.try_send(key, accepts, message) {
            self.stranded.push(key);
        }
    }

    /// The heads and payloads that were sent since [`settle`](Self::settle). What has the same head has the same
    /// payload.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = (SessionKey, &[u8], &P)> {
        self.entries[self.settled..].iter().filter_map(|(key, entry)| match entry {
            Entry::Send { head, payload } => Some((*key, head.bytes(&self.heads), payload)),
            Entry::Close(_) => None,
        })
    }

    /// The types of the messages that were sent since [`settle`](Self::settle).
    #[cfg(feature = "native")]
    pub(crate) fn unsettled_types(&self) -> impl Iterator<Item = MessageType> {
        self.entries[self.settled..].iter().filter_map(|(_, entry)| match entry {
            Entry::Send { head, .. } => Some(head.message_type),
            Entry::Close(_) => None,
        })
    }

    /// All that was sent until now has been added up.
    pub(crate) fn settle(&mut self) {
        self.settled = self.entries.len();
        self.is_done |= self.entries.is_empty();
    }

    /// A peer that could not be sent what it had to get.
    pub(crate) fn next_stranded(&mut self) -> Option<SessionKey> {
        self.stranded.pop()
    }

    /// Closes a transport.
    pub(crate) fn close(&mut self, key: SessionKey, close: Close) {
        self.entries.push((key, Entry::Close(close)));
    }
}

impl Accepts {
    fn fits<P: Payload>(self, head: Head, payload: &P) -> bool {
        // A port has no limit; where a transport has none, the payload is not even measured.
        cfg!(feature = "wasm") || self.length == u32::MAX || {
            let closing = codec::closing(self.serializer).len();
            head.length as usize + payload.encoded_len() + closing <= self.length as usize
        }
    }
}

impl Head {
    fn bytes(self, heads: &[u8]) -> &[u8] {
        &heads[self.start..self.start + self.length as usize]
    }
}
