//! Retained events: the last ones of each topic, for those who subscribe later.
//!
//! Owns which events are retained, and for how long. The events themselves are in [`kept_events`](super::kept_events).
//! [wamp: advanced/pubsub_event_retention]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use super::kept_events::KeptEvents;
use super::outbox::Outbox;
use super::pattern_index::PatternIndex;
use super::session::Joined;
use crate::config::{Limits, RetentionRule};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// The retained events of one realm.
#[derive(Debug)]
pub(crate) struct Retention {
    rules: PatternIndex,
    rule_list: Vec<RetentionRule>,
    /// Topic, as a prefix, -> position in `topics`.
    index: PatternIndex,
    /// For each topic the slots of its events, oldest first: at most one that is for everybody, and no older ones.
    topics: Slab<Vec<usize>>,
    /// (milliseconds since 1970, sequence, slot) of events that expire. What has been replaced since stays until it
    /// comes to the top.
    expiries: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// How many of `expiries` are of events that are there.
    expiring: usize,
    /// Bytes of all events.
    length: usize,
}

impl Retention {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rules: PatternIndex::new(seed),
            rule_list: Vec::new(),
            index: PatternIndex::new(seed),
            topics: Slab::new(),
            expiries: BinaryHeap::new(),
            expiring: 0,
            length: 0,
        }
    }

    /// Replaces the rules; they hold for what is published from now on.
    pub(crate) fn configure(&mut self, rules: &[RetentionRule], seed: u64) {
        self.rules = PatternIndex::new(seed);
        self.rule_list = rules.to_vec();
        for (position, rule) in (0..).zip(rules) {
            self.rules.insert(&rule.uri, rule.match_policy, position);
        }
    }

    /// When an event is no longer retained, in milliseconds since 1970: what the configuration says or the publisher,
    /// whatever is earlier.
    pub(crate) fn expiry(&self, topic: &str, now_ms: u64, wanted_ms: Option<u64>) -> u64 {
        let at = |duration_ms: Option<u64>| duration_ms.map_or(u64::MAX, |ms| now_ms.saturating_add(ms));
        let rule = self.rule(topic).and_then(|rule| rule.expires_after_s);
        at(wanted_ms).min(at(rule.map(|seconds| seconds.saturating_mul(1_000))))
    }

    fn rule(&self, topic: &str) -> Option<&RetentionRule> {
        let (_, position) = self.rules.best_match(topic)?;
        Some(&self.rule_list[position as usize])
    }

    /// Retains a new event, if there is room for it; what it replaces is gone in any case.
    pub(crate) fn put<P: Payload>(
        &mut self,
        slot: usize,
        events: &mut KeptEvents<P>,
        now_ms: u64,
        limits: &Limits,
        outbox: &mut Outbox<P>,
    ) {
        self.expire(events, now_ms, outbox);
        let event = events.get(slot);
        let (sequence, expires_ms, length) = (event.sequence, event.expires_ms, event.length);
        let is_restricted = event.is_restricted();
        let topic = &*event.topic;
        let most = self.rule(topic).map_or(RetentionRule::LIMIT, |rule| rule.limit);
        let position = self.index.get(topic, MatchPolicy::Prefix).map(|position| position as usize);
        let mut replaced = Vec::new();
        if let Some(held) = position.map(|position| &self.topics[position]) {
            // More than one, where there may be fewer of them now.
            let mut excess = (held.len() + 1).saturating_sub(most);
            for slot in held {
                // The one for everybody stays, unless the new one is for everybody too.
                if !is_restricted || excess > 0 && events.get(*slot).is_restricted() {
                    replaced.push(*slot);
                    excess = excess.saturating_sub(1);
                }
            }
        }
        let left = position.map_or(0, |position| self.topics[position].len()) - replaced.len();
        for old in replaced {
            self.remove(old, events, outbox);
        }
        let topic = &*events.get(slot).topic;
        let position = self.index.get(topic, MatchPolicy::Prefix);
        let has_room = left < most
            && (position.is_some() || self.topics.len() < limits.retained_topics)
            && self.length + length <= limits.retained_length
            && expires_ms > now_ms;
        if !has_room {
            return;
        }
        match position {
            Some(position) => self.topics[position as usize].push(slot),
            None => {
                let position = self.topics.insert(vec![slot]);
                self.index.insert(topic, MatchPolicy::Prefix, position as u64);
            }
        }
        self.length += length;
        if expires_ms != u64::MAX {
            self.expiring += 1;
            self.expiries.push(Reverse((expires_ms, sequence, slot)));
        }
        events.retain(slot);
    }

    /// Forgets what has expired.
    pub(crate) fn expire<P: Payload>(
        &mut self,
        events: &mut KeptEvents<P>,
        now_ms: u64,
        outbox: &mut Outbox<P>,
    ) {
        while let Some(Reverse((expires_ms, sequence, slot))) = self.expiries.peek().copied()
            && expires_ms <= now_ms
        {
            self.expiries.pop();
            if events.is_retained(slot, sequence) {
                self.remove(slot, events, outbox);
            }
        }
        // What was replaced must not pile up below one that expires late.
        if self.expiries.len() > 2 * self.expiring + 64 {
            self.expiries.retain(|Reverse((_, sequence, slot))| events.is_retained(*slot, *sequence));
        }
    }

    /// Takes away an event that is retained.
    fn remove<P: Payload>(&mut self, slot: usize, events: &mut KeptEvents<P>, outbox: &mut Outbox<P>) {
        let event = events.get(slot);
        self.length -= event.length;
        self.expiring -= usize::from(event.expires_ms != u64::MAX);
        let position =
            self.index.get(&event.topic, MatchPolicy::Prefix).expect("the topic of a retained event");
        let topic = &mut self.topics[position as usize];
        topic.retain(|held| *held != slot);
        if topic.is_empty() {
            self.topics.remove(position as usize);
            self.index.remove(&event.topic, MatchPolicy::Prefix);
        }
        events.release_retained(slot, outbox);
    }

    /// The slots of the last event of each topic of the pattern that this receiver may have, oldest first: the newest
    /// `most` of them.
    pub(crate) fn matching<P: Payload>(
        &self,
        uri: &str,
        policy: MatchPolicy,
        receiver: &Joined,
        events: &KeptEvents<P>,
        most: usize,
    ) -> Vec<usize> {
        let mut found = BinaryHeap::new();
        self.for_each_topic(uri, policy, events, &mut |slots| {
            let newest = slots.iter().rev().find(|slot| events.get(**slot).reaches(receiver));
            if let Some(slot) = newest {
                found.push(Reverse((events.get(*slot).sequence, 0u64, *slot)));
                if found.len() > most {
                    found.pop();
                }
            }
        });
        let mut slots = Vec::with_capacity(found.len());
        while let Some(Reverse((_, _, slot))) = found.pop() {
            slots.push(slot);
        }
        slots
    }

    /// How many events the topic has, or all topics of the pattern, without what has expired.
    pub(crate) fn count<P: Payload>(
        &self,
        uri: &str,
        policy: MatchPolicy,
        events: &KeptEvents<P>,
        now_ms: u64,
    ) -> usize {
        let mut count = 0;
        let is_there = |slot: &&usize| events.get(**slot).expires_ms > now_ms;
        self.for_each_topic(uri, policy, events, &mut |slots| count += slots.iter().filter(is_there).count());
        count
    }

    /// Forgets all of these.
    pub(crate) fn clear<P: Payload>(
        &mut self,
        uri: &str,
        policy: MatchPolicy,
        events: &mut KeptEvents<P>,
        outbox: &mut Outbox<P>,
    ) {
        let mut slots = Vec::new();
        self.for_each_topic(uri, policy, events, &mut |held| slots.extend_from_slice(held));
        for slot in slots {
            self.remove(slot, events, outbox);
        }
    }

    fn for_each_topic<P: Payload>(
        &self,
        uri: &str,
        policy: MatchPolicy,
        events: &KeptEvents<P>,
        visit: &mut dyn FnMut(&[usize]),
    ) {
        let start = match policy {
            MatchPolicy::Exact => {
                if let Some(position) = self.index.get(uri, MatchPolicy::Prefix) {
                    visit(&self.topics[position as usize]);
                }
                return;
            }
            MatchPolicy::Prefix => uri,
            MatchPolicy::Wildcard => {
                // What comes before the first empty component.
                let literal = uri.split('.').take_while(|part| !part.is_empty());
                uri.get(..literal.map(|part| part.len() + 1).sum()).unwrap_or(uri)
            }
        };
        self.index.for_each_prefix_below(start, &mut |position| {
            let slots = &*self.topics[position as usize];
            if slots.first().is_some_and(|slot| policy.matches(uri, &events.get(*slot).topic)) {
                visit(slots);
            }
        });
    }

    /// Whether the tables agree.
    #[cfg(debug_assertions)]
    pub(crate) fn check<P: Payload>(&self, events: &KeptEvents<P>) {
        let (mut length, mut expiring, mut retained) = (0, 0, 0);
        for (position, slots) in &self.topics {
            assert!(!slots.is_empty(), "a topic with retained events has one");
            let topic = &events.get(slots[0]).topic;
            let indexed = self.index.get(topic, MatchPolicy::Prefix);
            assert_eq!(indexed, Some(position as u64), "a topic with retained events is indexed");
            let mut last = 0;
            for (place, slot) in slots.iter().enumerate() {
                let event = events.get(*slot);
                assert!(event.is_retained, "an event of a topic is retained");
                assert_eq!(event.topic, *topic, "the retained events of a topic are of that topic");
                assert!(event.sequence > last, "the retained events of a topic are in order");
                assert!(
                    place == 0 || event.is_restricted(),
                    "what is older than an event for everybody is gone"
                );
                last = event.sequence;
                length += event.length;
                expiring += usize::from(event.expires_ms != u64::MAX);
                retained += 1;
            }
        }
        assert_eq!(length, self.length, "the bytes of the retained events are counted");
        assert_eq!(expiring, self.expiring, "the retained events that expire are counted");
        let marked = events.iter().filter(|(_, event)| event.is_retained).count();
        assert_eq!(marked, retained, "a retained event is one of its topic");
        let waiting = self.expiries.iter();
        let waiting = waiting.filter(|Reverse((_, sequence, slot))| events.is_retained(*slot, *sequence));
        assert_eq!(waiting.count(), expiring, "each event that expires waits for it once");
    }
}
