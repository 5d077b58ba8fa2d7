//! Pub/sub routing of one realm: who gets which EVENT.
//!
//! Owns subscriptions. Never sees sockets or clocks. Matching itself is in [`pattern_index`](super::pattern_index).
//! [wamp: basic/publish_subscribe, advanced/pubsub_*]

use foldhash::fast::FixedState;

use super::context::Now;
use super::outbox::{Accepts, Head, Outbox};
use super::pattern_index::{PatternIndex, SeededMap, sorted};
use super::session::{Joined, Sessions};
use super::sorted_map::SortedMap;
use crate::codec::Serializer;
use crate::id::{PublicationId, SessionKey, SubscriptionId};
use crate::message::{Audience, EventDetails, Message, Passthru};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// The subscriptions of one realm.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(super) index: PatternIndex,
    pub(super) subscriptions: SeededMap<SubscriptionId, Box<Subscription>>,
    pub(super) last_id: SubscriptionId,
    /// The subscriptions that match a publication; kept so that a warm publication allocates nothing.
    pub(super) matching: Vec<SubscriptionId>,
    /// EVENTs that a receiver could not take.
    pub dropped_events: u64,
}

/// One topic or pattern and those who listen to it.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub uri: Box<str>,
    pub policy: MatchPolicy,
    /// When the first subscriber came: nanoseconds of [`Now::unix_ns`](super::Now).
    pub created_ns: u64,
    /// With what each takes, so that delivering needs no look at the session.
    pub subscribers: SortedMap<SessionKey, Accepts>,
}

/// What is published: the parts of the EVENTs that do not depend on the subscription.
pub(crate) struct Publication<'a, P> {
    pub id: PublicationId,
    pub topic: &'a str,
    /// The publisher, when it must not get its own event.
    pub excluded: Option<SessionKey>,
    pub eligible: &'a Audience<'a>,
    pub exclude: &'a Audience<'a>,
    /// Who the subscribers are told published it.
    pub disclosed: Option<&'a Joined>,
    pub passthru: Passthru<'a>,
    pub payload: P,
}

impl Broker {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            index: PatternIndex::new(seed),
            subscriptions: SeededMap::with_hasher(FixedState::with_seed(seed)),
            last_id: SubscriptionId(0),
            matching: Vec::new(),
            dropped_events: 0,
        }
    }

    /// The subscription of exactly this topic and match policy.
    pub(crate) fn find(&self, uri: &str, policy: MatchPolicy) -> Option<SubscriptionId> {
        self.index.get(uri, policy).map(SubscriptionId)
    }

    /// Adds a subscriber; the same id again for the same topic and match policy.
    pub(crate) fn subscribe(
        &mut self,
        uri: &str,
        policy: MatchPolicy,
        key: SessionKey,
        accepts: Accepts,
        now: Now,
    ) -> SubscriptionId {
        let id = match self.find(uri, policy) {
            Some(id) => id,
            None => {
                self.last_id = SubscriptionId(self.last_id.0 + 1);
                self.index.insert(uri, policy, self.last_id.0);
                let created_ns = now.unix_ns;
                let subscription =
                    Subscription { uri: uri.into(), policy, created_ns, subscribers: SortedMap::default() };
                self.subscriptions.insert(self.last_id, Box::new(subscription));
                self.last_id
            }
        };
        let subscription = self.subscriptions.get_mut(&id).expect("an indexed subscription exists");
        subscription.subscribers.insert(key, accepts);
        id
    }

    /// Takes a subscriber away, and the subscription with its last one. False if it did not hold it.
    pub(crate) fn unsubscribe(&mut self, id: SubscriptionId, key: SessionKey) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return false };
        if subscription.subscribers.remove(key).is_none() {
            return false;
        }
        if subscription.subscribers.is_empty() {
            self.index.remove(&subscription.uri, subscription.policy);
            self.subscriptions.remove(&id);
        }
        true
    }

    /// Whether anybody would be asked about an event on `topic`.
    pub(crate) fn has_subscription(&self, topic: &str) -> bool {
        let mut found = false;
        self.index.for_each_match(topic, |_, _| found = true);
        found
    }

    /// How many subscriptions there are.
    #[cfg(feature = "native")]
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// The subscription with this id.
    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.get(&id).map(|subscription| &**subscription)
    }

    /// The ids of the subscriptions that match `topic`.
    pub(crate) fn matches(&self, topic: &str) -> Vec<u64> {
        let mut matching = Vec::new();
        self.index.for_each_match(topic, |_, id| matching.push(id));
        matching
    }

    /// Every subscription, sorted by id.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        let ids = sorted(self.subscriptions.keys().map(|id| id.0)).into_iter().map(SubscriptionId);
        ids.map(|id| (id, &*self.subscriptions[&id]))
    }

    /// Sends one EVENT per matching subscription and receiver. A head is encoded once per subscription and serializer,
    /// the payload transcoded once per serializer; a serializer that cannot hold the payload gets no event, nor does a
    /// peer for which it is too long.
    pub(crate) fn publish<P: Payload>(
        &mut self,
        publication: Publication<'_, P>,
        sessions: &Sessions,
        outbox: &mut Outbox<P>,
    ) {
        let mut matching = std::mem::take(&mut self.matching);
        self.index.for_each_match(publication.topic, |_, id| matching.push(SubscriptionId(id)));
        let mut payloads: [Option<Option<P>>; Serializer::ALL.len()] = Default::default();
        for id in matching.drain(..) {
            let subscription = &self.subscriptions[&id];
            let message = Message::Event {
                subscription: id,
                publication: publication.id,
                details: event_details(&publication, subscription.policy),
                payload: publication.payload.clone(),
            };
            let mut heads: [Option<Head>; Serializer::ALL.len()] = Default::default();
            for (key, accepts) in subscription.subscribers.iter() {
                if publication.excluded == Some(*key) || !publication.reaches(*key, sessions) {
                    continue;
                }
                let serializer = accepts.serializer;
                let slot = serializer as usize;
                let payload =
                    payloads[slot].get_or_insert_with(|| publication.payload.for_serializer(serializer).ok());
                let is_sent = payload.as_ref().is_some_and(|payload| {
                    let head = heads[slot].get_or_insert_with(|| outbox.encode(serializer, &message));
                    outbox.send_encoded(*key, *accepts, *head, payload.clone())
                });
                self.dropped_events += u64::from(!is_sent);
            }
        }
        self.matching = matching;
    }
}

impl<P> Publication<'_, P> {
    /// [wamp: advanced/pubsub_subscriber_blackwhite_listing] a receiver passes every list that is present.
    fn reaches(&self, key: SessionKey, sessions: &Sessions) -> bool {
        if is_unset(self.eligible) && is_unset(self.exclude) {
            return true;
        }
        let Some((_, receiver)) = sessions.joined(key) else { return false };
        passes(self.eligible, receiver, true) && passes(self.exclude, receiver, false)
    }
}

fn is_unset(audience: &Audience<'_>) -> bool {
    audience.sessions.is_none() && audience.authids.is_none() && audience.authroles.is_none()
}

/// Whether being in each list that is present is what `wanted` says.
fn passes(audience: &Audience<'_>, receiver: &Joined, wanted: bool) -> bool {
    let session = audience.sessions.as_ref().map(|list| list.contains(&receiver.id));
    let authid = audience.authids.as_ref().map(|list| list.iter().any(|authid| **authid == *receiver.authid));
    let authrole =
        audience.authroles.as_ref().map(|list| list.iter().any(|role| **role == *receiver.authrole));
    [session, authid, authrole].into_iter().flatten().all(|contained| contained == wanted)
}

fn event_details<'a, P>(publication: &Publication<'a, P>, policy: MatchPolicy) -> EventDetails<'a> {
    EventDetails {
        publisher: publication.disclosed.map(|publisher| publisher.id),
        publisher_authid: publication.disclosed.map(|publisher| (&*publisher.authid).into()),
        publisher_authrole: publication.disclosed.map(|publisher| (&*publisher.authrole).into()),
        // The concrete topic is news only to the holder of a pattern.
        topic: (policy != MatchPolicy::Exact).then(|| publication.topic.into()),
        retained: false,
        trustlevel: None,
        passthru: publication.passthru.clone(),
    }
}
