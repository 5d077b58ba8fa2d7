//! Events that a realm keeps, for later subscribers and for readers of history.
//!
//! Owns the events, each once, however many hold it, and the journal of what comes and goes. Who holds which is in
//! [`retention`](super::retention) and [`history`](super::history).

use std::sync::Arc;

use serde_json::Value;
use slab::Slab;

use super::broker::{Publication, passes};
use super::context::Now;
use super::journal::{Record, RecordedEvent};
use super::outbox::Outbox;
use super::session::{Joined, Sessions};
use super::utc::utc_text;
use crate::codec::{self, DecodeLimits, Serializer, value_as_id};
use crate::id::{PublicationId, RequestId, SessionId, SubscriptionId};
use crate::message::{EventDetails, Message, Passthru, PublishOptions, Restrictions};
use crate::payload::{Payload, Values};
use crate::uri::MatchPolicy;

/// The events of one realm by slot.
#[derive(Debug)]
pub(crate) struct KeptEvents<P> {
    slots: Slab<Box<KeptEvent<P>>>,
    last_sequence: u64,
    /// The name of the realm, where a journal is kept.
    journal: Option<Arc<str>>,
}

/// An event as it was published.
#[derive(Debug)]
pub(crate) struct KeptEvent<P> {
    /// Counts the kept events of a realm, over restarts too.
    pub sequence: u64,
    pub publication: PublicationId,
    pub topic: Box<str>,
    /// Milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// When it is no longer retained, in the same milliseconds; the largest number is never.
    pub expires_ms: u64,
    publisher: Option<Publisher>,
    /// The publisher, where it must not get its own event.
    excluded: Option<SessionId>,
    trustlevel: Option<u64>,
    restrictions: Option<Box<Restrictions<'static>>>,
    passthru: Passthru<'static>,
    pub payload: P,
    /// About how many bytes of memory it takes.
    pub length: usize,
    /// Whether later subscribers get it.
    pub is_retained: bool,
    /// How many histories it is in.
    pub histories: usize,
}

/// Who holds an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// It is retained.
    pub for_later: bool,
    /// Any history has it.
    pub by_history: bool,
}

/// Who published, as subscribers are told.
#[derive(Debug)]
struct Publisher {
    id: SessionId,
    authid: Arc<str>,
    authrole: Arc<str>,
}

impl<P> Default for KeptEvents<P> {
    fn default() -> Self {
        Self { slots: Slab::new(), last_sequence: 0, journal: None }
    }
}

impl<P: Payload> KeptEvents<P> {
    /// Keeps a journal from now on.
    pub(crate) fn start_journal(&mut self, realm: &str) {
        self.journal = Some(realm.into());
    }

    /// The event in a slot that somebody holds.
    pub(crate) fn get(&self, slot: usize) -> &KeptEvent<P> {
        &self.slots[slot]
    }

    /// Puts an event that nobody holds yet behind all others, and answers its slot.
    pub(crate) fn insert(&mut self, mut event: Box<KeptEvent<P>>) -> usize {
        event.sequence = event.sequence.max(self.last_sequence + 1);
        self.last_sequence = event.sequence;
        self.slots.insert(event)
    }

    /// Those who want to hold a new event do: it goes into the journal, or away if nobody does.
    pub(crate) fn settle(&mut self, slot: usize, outbox: &mut Outbox<P>) {
        if self.slots[slot].is_held() {
            self.record(slot, outbox);
        } else {
            self.slots.remove(slot);
        }
    }

    /// The same for an event that is in the journal, as held by these; answers whether anybody holds it.
    pub(crate) fn settle_restored(&mut self, slot: usize, was_held: Held, outbox: &mut Outbox<P>) -> bool {
        let event = &self.slots[slot];
        let (is_held, held) = (event.is_held(), event.held());
        if !is_held {
            self.forget(slot, outbox);
        } else if held != was_held {
            self.record(slot, outbox);
        }
        is_held
    }

    /// The number of the newest event.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// A new event is retained from now on.
    pub(crate) fn retain(&mut self, slot: usize) {
        self.slots[slot].is_retained = true;
    }

    /// Whether the event with this number is in the slot, and retained.
    pub(crate) fn is_retained(&self, slot: usize, sequence: u64) -> bool {
        self.slots.get(slot).is_some_and(|event| event.is_retained && event.sequence == sequence)
    }

    /// One more history holds a new event.
    pub(crate) fn add_history(&mut self, slot: usize) -> usize {
        let event = &mut self.slots[slot];
        event.histories += 1;
        event.histories
    }

    /// Later subscribers do not get it any more.
    pub(crate) fn release_retained(&mut self, slot: usize, outbox: &mut Outbox<P>) {
        self.slots[slot].is_retained = false;
        if self.slots[slot].is_held() {
            self.record(slot, outbox);
        } else {
            self.forget(slot, outbox);
        }
    }

    /// One history less holds it; answers how many do.
    pub(crate) fn release_history(&mut self, slot: usize, outbox: &mut Outbox<P>) -> usize {
        let event = &mut self.slots[slot];
        event.histories -= 1;
        let histories = event.histories;
        if !event.is_held() {
            self.forget(slot, outbox);
        } else if histories == 0 {
            self.record(slot, outbox);
        }
        histories
    }

    fn forget(&mut self, slot: usize, outbox: &mut Outbox<P>) {
        let event = self.slots.remove(slot);
        if let Some(realm) = &self.journal
            && event.is_recorded()
        {
            outbox.record(Record { realm: Arc::clone(realm), sequence: event.sequence, event: None });
        }
    }

    fn record(&self, slot: usize, outbox: &mut Outbox<P>) {
        let Some(realm) = &self.journal else { return };
        let event = &self.slots[slot];
        if event.is_recorded() {
            let recorded = RecordedEvent { head: event.to_head(), payload: event.payload.clone() };
            outbox.record(Record {
                realm: Arc::clone(realm),
                sequence: event.sequence,
                event: Some(recorded),
            });
        }
    }

    /// Every event, by slot.
    #[cfg(debug_assertions)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &KeptEvent<P>)> {
        self.slots.iter().map(|(slot, event)| (slot, &**event))
    }
}

impl<P: Payload> KeptEvent<P> {
    /// What is to be kept of a publication.
    pub(crate) fn new(publication: &Publication<'_, P>, sessions: &Sessions, now: Now) -> Box<Self> {
        let publisher = publication.disclosed.map(|publisher| Publisher {
            id: publisher.id,
            authid: Arc::clone(&publisher.authid),
            authrole: Arc::clone(&publisher.authrole),
        });
        let restrictions = publication.restrictions.filter(|restrictions| !restrictions.exclude_nobody());
        let excluded = publication.excluded.and_then(|key| sessions.joined(key));
        let mut event = Self {
            sequence: 0,
            publication: publication.id,
            topic: publication.topic.into(),
            time_ms: now.unix_ns / 1_000_000,
            expires_ms: u64::MAX,
            publisher,
            excluded: excluded.map(|(_, joined)| joined.id),
            trustlevel: publication.trustlevel,
            restrictions: restrictions.map(|restrictions| Box::new(restrictions.clone().into_owned())),
            passthru: publication.passthru.clone().into_owned(),
            payload: publication.payload.clone().into_owned(),
            length: 0,
            is_retained: false,
            histories: 0,
        };
        event.measure();
        Box::new(event)
    }

    fn measure(&mut self) {
        let publisher = self.publisher.as_ref();
        self.length = OVERHEAD
            + self.topic.len()
            + publisher.map_or(0, |publisher| publisher.authid.len() + publisher.authrole.len())
            + self.restrictions.as_ref().map_or(0, |restrictions| restrictions.text_len())
            + self.passthru.text_len()
            + self.payload.memory_len();
    }

    fn held(&self) -> Held {
        Held { for_later: self.is_retained, by_history: self.histories > 0 }
    }

    fn is_held(&self) -> bool {
        self.is_retained || self.histories > 0
    }

    /// Whether it may be for some and not for others.
    pub(crate) fn is_restricted(&self) -> bool {
        self.restrictions.is_some()
    }

    /// [advanced/pubsub_event_history, Security Aspects] session ids mean nothing to later readers: what depends on them
    /// is in no history. A list that excludes nobody does not depend on them.
    pub(crate) fn names_sessions(&self) -> bool {
        self.restrictions.as_ref().is_some_and(|restrictions| {
            let Restrictions { eligible, exclude } = &**restrictions;
            eligible.sessions.is_some() || exclude.sessions.as_ref().is_some_and(|list| !list.is_empty())
        })
    }

    /// What is for sessions that will not be there after a restart is not recorded.
    fn is_recorded(&self) -> bool {
        self.restrictions.as_ref().is_none_or(|restrictions| restrictions.eligible.sessions.is_none())
    }

    /// Whether this session would have got it, had it been a subscriber then.
    pub(crate) fn reaches(&self, receiver: &Joined) -> bool {
        self.excluded != Some(receiver.id)
            && (receiver.announced.subscriber_payload_transparency || !self.passthru.has_encoded_args())
            && self.is_for(receiver)
    }

    /// The same, its publisher included.
    pub(crate) fn is_for(&self, reader: &Joined) -> bool {
        self.restrictions.as_ref().is_none_or(|restrictions| passes(restrictions, reader))
    }

    /// The EVENT as a subscriber gets it, but for its payload.
    pub(crate) fn message<Q>(
        &self,
        subscription: SubscriptionId,
        policy: MatchPolicy,
        retained: bool,
        payload: Q,
    ) -> Message<'_, Q> {
        let publisher = self.publisher.as_ref();
        let details = EventDetails {
            publisher: publisher.map(|publisher| publisher.id),
            publisher_authid: publisher.map(|publisher| (&*publisher.authid).into()),
            publisher_authrole: publisher.map(|publisher| (&*publisher.authrole).into()),
            topic: (policy != MatchPolicy::Exact).then(|| (&*self.topic).into()),
            retained,
            trustlevel: self.trustlevel,
            passthru: self.passthru.clone(),
        };
        Message::Event { subscription, publication: self.publication, details, payload }
    }

    /// All but the payload, as text: the head of its PUBLISH with the publication's id, and a list of the rest. After a
    /// restart its publisher is another session, which is not excluded.
    fn to_head(&self) -> String {
        let (restrictions, passthru) = (self.restrictions.clone(), self.passthru.clone());
        let options = PublishOptions { restrictions, passthru, ..PublishOptions::default() };
        let message: Message<'_, P> = Message::Publish {
            request: RequestId(self.publication.0),
            options,
            topic: (&*self.topic).into(),
            payload: P::default(),
        };
        let mut head = Vec::new();
        codec::encode_head(Serializer::Json, &message, &mut head);
        head.push(b'\n');
        let publisher = self.publisher.as_ref();
        let rest = Values::args([
            self.time_ms.into(),
            (self.expires_ms != u64::MAX).then_some(self.expires_ms).into(),
            self.is_retained.into(),
            publisher.map(|publisher| publisher.id.0).into(),
            publisher.map(|publisher| &*publisher.authid).into(),
            publisher.map(|publisher| &*publisher.authrole).into(),
            self.trustlevel.into(),
            (self.histories > 0).into(),
        ]);
        let (rest, _) = codec::encode_values(&rest, Serializer::Json);
        head.extend(rest);
        String::from_utf8(head).expect("the JSON codec writes UTF-8")
    }

    /// Reads what [`to_head`](Self::to_head) wrote: the event, which nobody holds yet, and who held it; a sentence
    /// where it did not.
    pub(crate) fn from_record(
        sequence: u64,
        recorded: RecordedEvent<P>,
    ) -> Result<(Box<Self>, Held), String> {
        let RecordedEvent { head, payload } = recorded;
        let (publish, rest) = head.split_once('\n').ok_or("its head is one line")?;
        let publish = codec::decode_head(publish.as_bytes(), &DecodeLimits::OWN);
        let Message::Publish { request, options, topic, .. } = publish.map_err(|error| error.to_string())?
        else {
            return Err("its head is that of another message".to_owned());
        };
        let rest = codec::decode_values(rest.as_bytes(), 1, Serializer::Json);
        let rest = rest.map_err(|error| error.to_string())?.args;
        let [time, expires, retained, publisher, authid, authrole, trustlevel, in_history] = &rest[..] else {
            return Err(format!("its head has {} particulars in place of 8", rest.len()));
        };
        let publisher = match (value_as_id(publisher), authid.as_str(), authrole.as_str()) {
            (Some(id), Some(authid), Some(authrole)) => {
                Some(Publisher { id: SessionId(id), authid: authid.into(), authrole: authrole.into() })
            }
            _ => None,
        };
        let PublishOptions { restrictions, passthru, .. } = options;
        let restrictions = restrictions.filter(|restrictions| !restrictions.exclude_nobody());
        let mut event = Self {
            sequence,
            publication: PublicationId(request.0),
            topic: (&*topic).into(),
            time_ms: time.as_u64().ok_or("its time is no number")?,
            expires_ms: expires.as_u64().unwrap_or(u64::MAX),
            publisher,
            excluded: None,
            trustlevel: trustlevel.as_u64(),
            restrictions: restrictions.map(|restrictions| Box::new(restrictions.into_owned())),
            passthru: passthru.into_owned(),
            payload: payload.into_owned(),
            length: 0,
            is_retained: false,
            histories: 0,
        };
        event.measure();
        let is = |flag: &Value| flag.as_bool().unwrap_or_default();
        Ok((Box::new(event), Held { for_later: is(retained), by_history: is(in_history) }))
    }

    /// What `wamp.subscription.get_events` answers where this is the only event: Args as JSON. The payload is not read into
    /// values: those of small maps take a hundred times its memory.
    pub(crate) fn to_answer(&self, subscription: SubscriptionId, policy: MatchPolicy) -> Vec<u8> {
        let mut head = Vec::new();
        codec::encode_head(
            Serializer::Json,
            &self.message(subscription, policy, false, P::default()),
            &mut head,
        );
        // Before them are numbers only.
        let details = head.iter().position(|byte| *byte == b'{').unwrap_or_default();
        let mut answer = Vec::new();
        let mut add = |name: &[u8], value: &[u8]| {
            answer.extend_from_slice(name);
            answer.extend_from_slice(value);
        };
        add(br#"[[{"timestamp":""#, utc_text(self.time_ms * 1_000_000).as_bytes());
        add(br#"","subscription":"#, subscription.0.to_string().as_bytes());
        add(br#","publication":"#, self.publication.0.to_string().as_bytes());
        add(br#","details":"#, &head[details..]);
        // What is no list of values, such as an encrypted payload in the older form, is left out.
        let (tail, length) = self.payload.to_json().unwrap_or_default();
        let (args, kwargs) = tail.split_at(length);
        if args.starts_with(b"[") && tail != b"[]" {
            add(br#","args":"#, args);
            if kwargs.len() > b",{}".len() {
                add(br#","kwargs":"#, &kwargs[1..]);
            }
        }
        add(b"}]]", b"");
        answer
    }
}

/// About how many bytes an event takes beside its texts: itself, and its places in tables.
const OVERHEAD: usize = 400;
