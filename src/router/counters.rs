//! What each realm has done, in numbers, for metrics pages and people.
//!
//! Owns the counts of messages by type; they cost one addition per message and nothing more. What one session sends and
//! receives is in [`stats`](super::stats).

use std::fmt;

use super::Router;
use crate::message::MessageType;
use crate::payload::Payload;

/// The numbers of one realm. All counts begin with the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmCounters {
    pub name: String,
    /// Sessions that have joined now.
    pub sessions: usize,
    /// Topics and patterns that somebody listens to now.
    pub subscriptions: usize,
    /// Procedures and patterns that somebody answers now.
    pub registrations: usize,
    /// Messages that sessions of the realm sent, from their HELLO on, by type; types that none was of are left out.
    pub received: Vec<(MessageType, u64)>,
    /// Messages that sessions of the realm were sent, from their WELCOME on, by type; types that none was of are left
    /// out.
    pub sent: Vec<(MessageType, u64)>,
    /// EVENTs that a receiver could not take: too long for it, or not to be said in its serializer.
    pub dropped_events: u64,
}

/// How many messages there were of each type.
#[derive(Clone)]
pub(super) struct ByType([u64; SLOTS]);

/// One for each code up to YIELD's, and one behind them for EVENT_RECEIVED, whose code is far from the others.
const SLOTS: usize = 72;

impl ByType {
    pub(super) fn add(&mut self, message_type: MessageType) {
        self.0[slot(message_type)] += 1;
    }

    fn list(&self) -> Vec<(MessageType, u64)> {
        let counts = MessageType::ALL.into_iter().map(|of| (of, self.0[slot(of)]));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

impl Default for ByType {
    fn default() -> Self {
        Self([0; SLOTS])
    }
}

impl fmt::Debug for ByType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.list()).finish()
    }
}

fn slot(message_type: MessageType) -> usize {
    usize::from(message_type.code()).min(SLOTS - 1)
}

impl<P: Payload> Router<P> {
    /// The numbers of each realm, in no particular order.
    pub fn counters(&self) -> impl Iterator<Item = RealmCounters> {
        self.realms.iter().map(|(_, realm)| RealmCounters {
            name: realm.config.name.clone(),
            sessions: realm.sessions.len(),
            subscriptions: realm.broker.count_held(),
            registrations: realm.dealer.len(),
            received: realm.received.list(),
            sent: realm.sent.list(),
            dropped_events: realm.broker.dropped_events,
        })
    }
}
