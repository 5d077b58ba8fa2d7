//! Event history: the last events of the topics that the configuration names, for those who ask later.
//!
//! Owns which events are in which history, and the filters of `wamp.subscription.get_events`. The events themselves are in
//! [`kept_events`](super::kept_events); who may ask is decided in
//! [`meta_api`](super::meta_api).
//! [wamp: advanced/pubsub_event_history]

use std::collections::VecDeque;

use serde_json::Value;

use super::kept_events::{KeptEvent, KeptEvents};
use super::outbox::Outbox;
use super::session::Joined;
use super::utc::utc_ms;
use crate::codec::value_as_id;
use crate::config::Limits;
use crate::id::{PublicationId, SubscriptionId};
use crate::message::Dict;
use crate::payload::{Payload, Values};

/// The histories of one realm.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    /// Sorted by subscription.
    histories: Vec<History>,
    /// Bytes of all events, each counted once.
    length: usize,
}

/// The events of one subscription, which the router itself holds.
#[derive(Debug)]
struct History {
    subscription: SubscriptionId,
    /// Most events.
    limit: usize,
    /// Slots, oldest first.
    events: VecDeque<usize>,
}

impl Histories {
    pub(crate) fn is_empty(&self) -> bool {
        self.histories.is_empty()
    }

    /// Whether this subscription has a history.
    pub(crate) fn contains(&self, subscription: SubscriptionId) -> bool {
        self.position(subscription).is_ok()
    }

    /// The subscriptions that have one, sorted.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = SubscriptionId> {
        self.histories.iter().map(|history| history.subscription)
    }

    fn position(&self, subscription: SubscriptionId) -> Result<usize, usize> {
        self.histories.binary_search_by_key(&subscription, |history| history.subscription)
    }

    /// Gives a subscription a history, or its history another limit.
    pub(crate) fn configure<P: Payload>(
        &mut self,
        subscription: SubscriptionId,
        limit: usize,
        events: &mut KeptEvents<P>,
        outbox: &mut Outbox<P>,
    ) {
        let position = match self.position(subscription) {
            Ok(position) => position,
            Err(position) => {
                self.histories.insert(position, History { subscription, limit, events: VecDeque::new() });
                position
            }
        };
        self.histories[position].limit = limit;
        self.shorten(position, limit, events, outbox);
    }

    /// Takes its history away from a subscription.
    pub(crate) fn remove<P: Payload>(
        &mut self,
        subscription: SubscriptionId,
        events: &mut KeptEvents<P>,
        outbox: &mut Outbox<P>,
    ) {
        if let Ok(position) = self.position(subscription) {
            self.shorten(position, 0, events, outbox);
            self.histories.remove(position);
        }
    }

    /// Puts an event that is newer than all others into the history of each of these subscriptions that has one.
    pub(crate) fn push<P: Payload>(
        &mut self,
        slot: usize,
        subscriptions: &[SubscriptionId],
        events: &mut KeptEvents<P>,
        limits: &Limits,
        outbox: &mut Outbox<P>,
    ) {
        let length = events.get(slot).length;
        if length > limits.history_length {
            return;
        }
        for subscription in subscriptions {
            let Ok(position) = self.position(*subscription) else { continue };
            let history = &mut self.histories[position];
            history.events.push_back(slot);
            let limit = history.limit;
            if events.add_history(slot) == 1 {
                self.length += length;
            }
            self.shorten(position, limit, events, outbox);
        }
        while self.length > limits.history_length {
            self.drop_oldest(events, outbox);
        }
    }

    /// Drops the oldest of all events, from all histories.
    fn drop_oldest<P: Payload>(&mut self, events: &mut KeptEvents<P>, outbox: &mut Outbox<P>) {
        let oldest = self.histories.iter().filter_map(|history| history.events.front());
        let Some(oldest) = oldest.min_by_key(|slot| events.get(**slot).sequence).copied() else { return };
        for position in 0..self.histories.len() {
            let history = &self.histories[position];
            if history.events.front() == Some(&oldest) {
                self.shorten(position, history.events.len() - 1, events, outbox);
            }
        }
    }

    fn shorten<P: Payload>(
        &mut self,
        position: usize,
        most: usize,
        events: &mut KeptEvents<P>,
        outbox: &mut Outbox<P>,
    ) {
        let history = &mut self.histories[position];
        while history.events.len() > most {
            let Some(slot) = history.events.pop_front() else { return };
            let length = events.get(slot).length;
            if events.release_history(slot, outbox) == 0 {
                self.length -= length;
            }
        }
    }

    /// The events that the query asks for and the reader may have, in the order of the query.
    pub(crate) fn query<'a, P: Payload>(
        &'a self,
        query: &'a Query,
        reader: &'a Joined,
        events: &'a KeptEvents<P>,
    ) -> impl Iterator<Item = &'a KeptEvent<P>> {
        let history = self.position(query.subscription).ok().map(|position| &self.histories[position].events);
        let len = history.map_or(0, VecDeque::len);
        let range = query.range(len, |publication| {
            history?.iter().position(|slot| events.get(*slot).publication == publication)
        });
        range.clone().filter_map(move |place| {
            let place = if query.is_reverse { range.start + (range.end - 1 - place) } else { place };
            let event = events.get(*history?.get(place)?);
            (query.wants(event) && event.is_for(reader)).then_some(event)
        })
    }

    /// Whether the tables agree.
    #[cfg(debug_assertions)]
    pub(crate) fn check<P: Payload>(&self, events: &KeptEvents<P>) {
        assert!(
            self.histories.is_sorted_by(|one, other| one.subscription < other.subscription),
            "histories are sorted"
        );
        for history in &self.histories {
            assert!(history.events.len() <= history.limit, "a history keeps its limit");
            let sequences = history.events.iter().map(|slot| events.get(*slot).sequence);
            assert!(sequences.is_sorted_by(|one, other| one < other), "the events of a history are in order");
        }
        let mut length = 0;
        for (slot, event) in events.iter() {
            let holders = self.histories.iter().filter(|history| history.events.contains(&slot)).count();
            assert_eq!(holders, event.histories, "an event knows how many histories hold it");
            assert!(holders == 0 || !event.names_sessions(), "no history depends on session ids");
            assert!(holders > 0 || event.is_retained, "somebody holds each event that is kept");
            length += if holders > 0 { event.length } else { 0 };
        }
        assert_eq!(length, self.length, "the bytes of the events in histories are counted");
    }
}

/// The arguments of `wamp.subscription.get_events`, all of which an event must meet.
#[derive(Debug)]
pub(crate) struct Query {
    pub subscription: SubscriptionId,
    is_reverse: bool,
    pub limit: Option<usize>,
    /// Milliseconds since 1970, both included.
    from_ms: i64,
    until_ms: i64,
    topic: Option<String>,
    /// As [`PUBLICATIONS`] names them.
    publications: [Option<PublicationId>; 4],
}

/// An argument of a query that is not what it must be.
pub(crate) struct Invalid<'v> {
    pub name: &'static str,
    pub expected: &'static str,
    pub found: Option<&'v Value>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            subscription: SubscriptionId(0),
            is_reverse: false,
            limit: None,
            from_ms: i64::MIN,
            until_ms: i64::MAX,
            topic: None,
            publications: [None; 4],
        }
    }
}

impl Query {
    /// Reads the arguments. Those that are unknown or null are passed over.
    pub(crate) fn read(values: &Values) -> Result<Self, Invalid<'_>> {
        let invalid = |name, expected, found| Invalid { name, expected, found };
        let found = values.args.first();
        let subscription = found.and_then(value_as_id);
        let subscription = subscription.ok_or(invalid("subscription", "an id (an integer)", found))?;
        let kwargs = &values.kwargs;
        let mut query = Self { subscription: SubscriptionId(subscription), ..Self::default() };
        // Crossbar.io's form of the call: (subscription, limit), newest first.
        let positional = values.args.get(1).filter(|value| !value.is_null());
        query.is_reverse = match given(kwargs, "reverse") {
            None => positional.is_some(),
            Some(Value::Bool(is_reverse)) => *is_reverse,
            found => return Err(invalid("reverse", "true or false", found)),
        };
        if let Some(found) = given(kwargs, "limit").or(positional) {
            // No larger than an id, which is more than there are.
            let limit = value_as_id(found).ok_or(invalid("limit", "a positive integer", Some(found)))?;
            query.limit = Some(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        if let Some(topic) = given(kwargs, "topic") {
            query.topic = Some(topic.as_str().ok_or(invalid("topic", "a string", Some(topic)))?.to_owned());
        }
        for (name, is_lower, shift) in TIMES {
            let Some(time) = given(kwargs, name) else { continue };
            let ms = time.as_str().and_then(utc_ms);
            let ms = ms.ok_or(invalid(name, "a time such as 2015-03-01T12:00:00.000Z", Some(time)))? + shift;
            if is_lower {
                query.from_ms = query.from_ms.max(ms);
            } else {
                query.until_ms = query.until_ms.min(ms);
            }
        }
        for (slot, name) in query.publications.iter_mut().zip(PUBLICATIONS) {
            let Some(publication) = given(kwargs, name) else { continue };
            let id = value_as_id(publication);
            let id = id.ok_or(invalid(name, "the id of a publication", Some(publication)))?;
            *slot = Some(PublicationId(id));
        }
        Ok(query)
    }

    /// The places of a history of `len` events that the publications of the query leave. One that is not there was
    /// there and had to go, and so is older than all: everything comes after it, and nothing before.
    fn range(&self, len: usize, place_of: impl Fn(PublicationId) -> Option<usize>) -> std::ops::Range<usize> {
        let mut range = 0..len;
        for (position, publication) in self.publications.iter().enumerate() {
            let Some(publication) = publication else { continue };
            // The bound lies behind the publication, or before it.
            let is_behind = matches!(position, AFTER | UNTIL);
            let bound = place_of(*publication).map_or(0, |place| place + usize::from(is_behind));
            if position <= AFTER {
                range.start = range.start.max(bound);
            } else {
                range.end = range.end.min(bound);
            }
        }
        range
    }

    fn wants<P>(&self, event: &KeptEvent<P>) -> bool {
        let time_ms = i64::try_from(event.time_ms).unwrap_or(i64::MAX);
        (self.from_ms..=self.until_ms).contains(&time_ms)
            && self.topic.as_ref().is_none_or(|topic| **topic == *event.topic)
    }
}

/// An argument that is there and not null.
fn given<'a>(kwargs: &'a Dict, name: &str) -> Option<&'a Value> {
    kwargs.get(name).filter(|value| !value.is_null())
}

/// Name, whether it is a lower bound, and how many milliseconds from it the first lies that is within.
const TIMES: [(&str, bool, i64); 4] =
    [("from_time", true, 0), ("after_time", true, 1), ("before_time", false, -1), ("until_time", false, 0)];

const PUBLICATIONS: [&str; 4] =
    ["from_publication", "after_publication", "before_publication", "until_publication"];
/// Positions in [`PUBLICATIONS`].
const AFTER: usize = 1;
const UNTIL: usize = 3;
