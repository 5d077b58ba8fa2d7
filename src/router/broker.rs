//! Pub/sub routing of one realm: who gets which EVENT.
//!
//! Owns subscriptions. Never sees sockets or clocks. Matching itself is in [`pattern_index`](super::pattern_index); the
//! events that are kept for later are in [`retention`](super::retention) and [`history`](super::history).
//! [wamp: basic/publish_subscribe, advanced/pubsub_*]

use foldhash::fast::FixedState;

use super::context::Now;
use super::history::{Histories, Query};
use super::journal::RecordedEvent;
use super::kept_events::{KeptEvent, KeptEvents};
use super::outbox::{Accepts, Head, Outbox};
use super::pattern_index::{PatternIndex, SeededMap, sorted};
use super::retention::Retention;
use super::session::{Joined, Sessions};
use super::sorted_map::SortedMap;
use crate::codec::Serializer;
use crate::config::{Limits, Store};
use crate::id::{PublicationId, SessionKey, SubscriptionId};
use crate::message::{Audience, EventDetails, Message, Passthru, Restrictions};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// The subscriptions of one realm.
#[derive(Debug)]
pub(crate) struct Broker<P> {
    pub(super) index: PatternIndex,
    pub(super) subscriptions: SeededMap<SubscriptionId, Box<Subscription>>,
    pub(super) last_id: SubscriptionId,
    /// The subscriptions that match a publication; kept so that a warm publication allocates nothing.
    pub(super) matching: Vec<SubscriptionId>,
    events: KeptEvents<P>,
    retention: Retention,
    histories: Histories,
    seed: u64,
    /// EVENTs that a receiver could not take.
    pub dropped_events: u64,
}

/// One topic or pattern and those who listen to it.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub uri: Box<str>,
    pub policy: MatchPolicy,
    /// When the first subscriber came: nanoseconds of [`Now::unix_ns`](super::Now). 0 where only the router holds it.
    pub created_ns: u64,
    /// With what each takes, so that delivering needs no look at the session.
    pub subscribers: SortedMap<SessionKey, Accepts>,
    /// The router itself holds it, and keeps its events: it is there also when nobody else holds it.
    pub has_history: bool,
}

/// What is published: the parts of the EVENTs that do not depend on the subscription.
pub(crate) struct Publication<'a, P> {
    pub id: PublicationId,
    pub topic: &'a str,
    /// The publisher, when it must not get its own event.
    pub excluded: Option<SessionKey>,
    pub restrictions: Option<&'a Restrictions<'a>>,
    /// Who the subscribers are told published it.
    pub disclosed: Option<&'a Joined>,
    /// How far its permission says that it can be trusted.
    pub trustlevel: Option<u64>,
    /// Where it is to be kept for later subscribers.
    pub retain: Option<Retain>,
    pub passthru: Passthru<'a>,
    pub payload: P,
}

/// How an event is to be retained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retain {
    /// Milliseconds; `None` is as long as the configuration says.
    pub for_ms: Option<u64>,
}

/// When a subscription was created that no session has seen.
const UNDATED: u64 = 0;

impl<P: Payload> Broker<P> {
    pub(crate) fn new(store: Option<&Store>, seed: u64) -> Self {
        let mut broker = Self {
            index: PatternIndex::new(seed),
            subscriptions: SeededMap::with_hasher(FixedState::with_seed(seed)),
            last_id: SubscriptionId(0),
            matching: Vec::new(),
            events: KeptEvents::default(),
            retention: Retention::new(seed),
            histories: Histories::default(),
            seed,
            dropped_events: 0,
        };
        // There is nothing yet that could be forgotten.
        broker.configure(store, &mut Outbox::new());
        broker
    }

    /// Keeps the events that `store` says from now on. Of the histories that it names again, the events stay.
    pub(crate) fn configure(&mut self, store: Option<&Store>, outbox: &mut Outbox<P>) {
        self.retention.configure(store.map_or(&[], |store| &store.retention), self.seed);
        let rules = store.map_or(&[][..], |store| &store.history);
        let mut wanted = Vec::new();
        for rule in rules {
            let id = self.find_or_create(&rule.uri, rule.match_policy, UNDATED);
            self.subscriptions.get_mut(&id).expect("it is there now").has_history = true;
            self.histories.configure(id, rule.limit, &mut self.events, outbox);
            wanted.push(id);
        }
        let unwanted: Vec<_> = self.histories.subscriptions().filter(|id| !wanted.contains(id)).collect();
        for id in unwanted {
            self.histories.remove(id, &mut self.events, outbox);
            self.subscriptions.get_mut(&id).expect("a history has a subscription").has_history = false;
            self.drop_unheld(id);
        }
    }

    /// Somebody can ask from now on: what the router holds itself was made now, if it was not before. A router that is
    /// made does not know the time.
    pub(crate) fn date(&mut self, now: Now) {
        for id in self.histories.subscriptions() {
            let held = self.subscriptions.get_mut(&id).expect("a history has a subscription");
            if held.created_ns == UNDATED {
                held.created_ns = now.unix_ns;
            }
        }
    }

    /// Whether any events are kept for readers of history.
    pub(crate) fn has_history(&self) -> bool {
        !self.histories.is_empty()
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
        let id = self.find_or_create(uri, policy, now.unix_ns);
        let subscription = self.subscriptions.get_mut(&id).expect("an indexed subscription exists");
        subscription.subscribers.insert(key, accepts);
        id
    }

    fn find_or_create(&mut self, uri: &str, policy: MatchPolicy, created_ns: u64) -> SubscriptionId {
        if let Some(id) = self.find(uri, policy) {
            return id;
        }
        self.last_id = SubscriptionId(self.last_id.0 + 1);
        self.index.insert(uri, policy, self.last_id.0);
        let subscription = Subscription {
            uri: uri.into(),
            policy,
            created_ns,
            subscribers: SortedMap::default(),
            has_history: false,
        };
        self.subscriptions.insert(self.last_id, Box::new(subscription));
        self.last_id
    }

    /// The subscription with this id.
    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.get(&id).map(|subscription| &**subscription)
    }

    /// Takes a subscriber away, and the subscription with its last one, unless the router holds it. False if it did not
    /// hold it.
    pub(crate) fn unsubscribe(&mut self, id: SubscriptionId, key: SessionKey) -> bool {
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return false };
        if subscription.subscribers.remove(key).is_none() {
            return false;
        }
        self.drop_unheld(id);
        true
    }

    /// Takes a subscription away that nobody holds.
    fn drop_unheld(&mut self, id: SubscriptionId) {
        let subscription = &self.subscriptions[&id];
        if subscription.subscribers.is_empty() && !subscription.has_history {
            self.index.remove(&subscription.uri, subscription.policy);
            self.subscriptions.remove(&id);
        }
    }

    /// Whether anybody would be asked about an event on `topic`.
    pub(crate) fn has_subscription(&self, topic: &str) -> bool {
        let mut found = false;
        self.index.for_each_match(topic, |_, _| found = true);
        found
    }

    /// How many subscriptions somebody holds beside the router itself.
    #[cfg(feature = "native")]
    pub(crate) fn count_held(&self) -> usize {
        let is_held = |id: &SubscriptionId| !self.subscriptions[id].subscribers.is_empty();
        let unheld = self.histories.subscriptions().filter(|id| !is_held(id)).count();
        self.subscriptions.len() - unheld
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
    pub(crate) fn publish(
        &mut self,
        publication: Publication<'_, P>,
        now: Now,
        limits: &Limits,
        sessions: &Sessions,
        outbox: &mut Outbox<P>,
    ) {
        if publication.retain.is_some() || !self.histories.is_empty() {
            self.keep(&publication, now, limits, sessions, outbox);
        }
        let mut matching = std::mem::take(&mut self.matching);
        self.index.for_each_match(publication.topic, |_, id| matching.push(SubscriptionId(id)));
        let mut payloads: [Option<Option<P>>; Serializer::ALL.len()] = Default::default();
        let is_for_all = publication.is_for_all();
        for id in matching.drain(..) {
            let subscription = &self.subscriptions[&id];
            // A subscriber that did not announce trust levels is told none.
            let message = |is_told_trust: bool| Message::Event {
                subscription: id,
                publication: publication.id,
                details: event_details(&publication, subscription.policy, is_told_trust),
                payload: publication.payload.clone(),
            };
            let mut heads: [[Option<Head>; Serializer::ALL.len()]; 2] = Default::default();
            for (key, accepts) in subscription.subscribers.iter() {
                if publication.excluded == Some(*key) || !is_for_all && !publication.reaches(*key, sessions) {
                    continue;
                }
                let serializer = accepts.serializer;
                let slot = serializer as usize;
                let payload =
                    payloads[slot].get_or_insert_with(|| publication.payload.for_serializer(serializer).ok());
                let is_told_trust =
                    publication.trustlevel.is_some() && announced_trust_levels(*key, sessions);
                let is_sent = payload.as_ref().is_some_and(|payload| {
                    let head = heads[usize::from(is_told_trust)][slot]
                        .get_or_insert_with(|| outbox.encode(serializer, &message(is_told_trust)));
                    outbox.send_encoded(*key, *accepts, *head, payload.clone())
                });
                self.dropped_events += u64::from(!is_sent);
            }
        }
        self.matching = matching;
    }

    /// Keeps a publication for later, where it is to be kept.
    #[cold]
    fn keep(
        &mut self,
        publication: &Publication<'_, P>,
        now: Now,
        limits: &Limits,
        sessions: &Sessions,
        outbox: &mut Outbox<P>,
    ) {
        let histories = self.histories_of(publication.topic);
        if publication.retain.is_none() && histories.is_empty() {
            return;
        }
        let mut event = KeptEvent::new(publication, sessions, now);
        let now_ms = now.unix_ns / 1_000_000;
        if let Some(Retain { for_ms }) = publication.retain {
            event.expires_ms = self.retention.expiry(publication.topic, now_ms, for_ms);
        }
        let slot = self.hold(event, publication.retain.is_some(), &histories, now_ms, limits, outbox);
        self.events.settle(slot, outbox);
    }

    /// Puts an event behind all others, and lets those hold it that want to; answers its slot.
    fn hold(
        &mut self,
        event: Box<KeptEvent<P>>,
        is_retained: bool,
        histories: &[SubscriptionId],
        now_ms: u64,
        limits: &Limits,
        outbox: &mut Outbox<P>,
    ) -> usize {
        let is_for_readers = !event.names_sessions();
        let slot = self.events.insert(event);
        if is_retained {
            self.retention.put(slot, &mut self.events, now_ms, limits, outbox);
        }
        if is_for_readers {
            self.histories.push(slot, histories, &mut self.events, limits, outbox);
        }
        slot
    }

    /// The subscriptions with a history that match a topic.
    fn histories_of(&self, topic: &str) -> Vec<SubscriptionId> {
        let mut histories = Vec::new();
        self.index.for_each_match(topic, |_, id| {
            let id = SubscriptionId(id);
            if self.histories.contains(id) {
                histories.push(id);
            }
        });
        histories
    }

    /// Sends a new subscriber the retained events that it would have got, oldest first: of each topic the last one.
    #[expect(clippy::too_many_arguments, reason = "the parts of one input, each used once")]
    pub(crate) fn send_retained(
        &mut self,
        id: SubscriptionId,
        key: SessionKey,
        accepts: Accepts,
        now: Now,
        limits: &Limits,
        sessions: &Sessions,
        outbox: &mut Outbox<P>,
    ) {
        let Some((_, receiver)) = sessions.joined(key) else { return };
        self.retention.expire(&mut self.events, now.unix_ns / 1_000_000, outbox);
        let Subscription { uri, policy, .. } = &*self.subscriptions[&id];
        let slots = self.retention.matching(uri, *policy, receiver, &self.events, limits.events_at_once);
        for slot in slots {
            let event = self.events.get(slot);
            let payload = event.payload.for_serializer(accepts.serializer);
            let is_sent = payload.is_ok_and(|payload| {
                let mut message = event.message(id, *policy, true, payload);
                if let Message::Event { details, .. } = &mut message
                    && !receiver.announced.subscriber_publication_trustlevels
                {
                    details.trustlevel = None;
                }
                outbox.try_send(key, accepts, message)
            });
            self.dropped_events += u64::from(!is_sent);
        }
    }

    /// How many events are retained of a topic, or of all topics of a pattern.
    pub(crate) fn count_retained(&self, uri: &str, policy: MatchPolicy, now: Now) -> usize {
        self.retention.count(uri, policy, &self.events, now.unix_ns / 1_000_000)
    }

    /// Forgets these.
    pub(crate) fn clear_retained(&mut self, uri: &str, policy: MatchPolicy, outbox: &mut Outbox<P>) {
        self.retention.clear(uri, policy, &mut self.events, outbox);
    }

    /// The events of a history that the query asks for and the reader may have.
    pub(crate) fn history<'a>(
        &'a self,
        query: &'a Query,
        reader: &'a Joined,
    ) -> impl Iterator<Item = &'a KeptEvent<P>> {
        self.histories.query(query, reader, &self.events)
    }

    /// Has what comes and goes recorded from now on.
    pub(crate) fn start_journal(&mut self, realm: &str) {
        self.events.start_journal(realm);
    }

    /// Takes back an event that was recorded; answers whether it is still wanted. A sentence where it cannot be read.
    pub(crate) fn restore(
        &mut self,
        sequence: u64,
        recorded: RecordedEvent<P>,
        now: Now,
        limits: &Limits,
        outbox: &mut Outbox<P>,
    ) -> Result<bool, String> {
        let (event, held) = KeptEvent::from_record(sequence, recorded)?;
        if sequence <= self.events.last_sequence() {
            return Err("it is not behind the events before it".to_owned());
        }
        // What had to leave the histories does not come back, though there is more room now.
        let histories = if held.by_history { self.histories_of(&event.topic) } else { Vec::new() };
        let now_ms = now.unix_ns / 1_000_000;
        let slot = self.hold(event, held.for_later, &histories, now_ms, limits, outbox);
        Ok(self.events.settle_restored(slot, held, outbox))
    }

    /// How many events are kept.
    #[cfg(debug_assertions)]
    pub(super) fn kept(&self) -> usize {
        self.events.iter().count()
    }

    /// Whether the tables of kept events agree.
    #[cfg(debug_assertions)]
    pub(super) fn check_kept(&self) {
        self.retention.check(&self.events);
        self.histories.check(&self.events);
        for (id, subscription) in &self.subscriptions {
            let has_history = self.histories.contains(*id);
            assert_eq!(
                subscription.has_history, has_history,
                "a subscription knows whether it has a history"
            );
        }
        let has_subscription = |id| self.subscriptions.contains_key(&id);
        assert!(self.histories.subscriptions().all(has_subscription), "a history has a subscription");
    }
}

impl<P> Publication<'_, P> {
    /// Whether nothing is asked of its receivers.
    fn is_for_all(&self) -> bool {
        self.restrictions.is_none() && !self.passthru.has_encoded_args()
    }

    /// [wamp: advanced/pubsub_subscriber_blackwhite_listing] a receiver passes every list that is present. Where a text
    /// or binary stands in the place of the arguments it has announced that it reads such an event; `ppt_*` is told to
    /// all. [wamp: advanced/payload_passthru_mode]
    fn reaches(&self, key: SessionKey, sessions: &Sessions) -> bool {
        let Some((_, receiver)) = sessions.joined(key) else { return false };
        self.restrictions.is_none_or(|restrictions| passes(restrictions, receiver))
            && (receiver.announced.subscriber_payload_transparency || !self.passthru.has_encoded_args())
    }
}

pub(super) fn passes(restrictions: &Restrictions<'_>, receiver: &Joined) -> bool {
    is_in(&restrictions.eligible, receiver, true) && is_in(&restrictions.exclude, receiver, false)
}

/// Whether being in each list that is present is what `wanted` says.
fn is_in(audience: &Audience<'_>, receiver: &Joined, wanted: bool) -> bool {
    let session = audience.sessions.as_ref().map(|list| list.contains(&receiver.id));
    let authid = audience.authids.as_ref().map(|list| list.iter().any(|authid| **authid == *receiver.authid));
    let authrole =
        audience.authroles.as_ref().map(|list| list.iter().any(|role| **role == *receiver.authrole));
    [session, authid, authrole].into_iter().flatten().all(|contained| contained == wanted)
}

fn announced_trust_levels(key: SessionKey, sessions: &Sessions) -> bool {
    sessions.joined(key).is_some_and(|(_, joined)| joined.announced.subscriber_publication_trustlevels)
}

fn event_details<'a, P>(
    publication: &Publication<'a, P>,
    policy: MatchPolicy,
    is_told_trust: bool,
) -> EventDetails<'a> {
    EventDetails {
        publisher: publication.disclosed.map(|publisher| publisher.id),
        publisher_authid: publication.disclosed.map(|publisher| (&*publisher.authid).into()),
        publisher_authrole: publication.disclosed.map(|publisher| (&*publisher.authrole).into()),
        // The concrete topic is news only to the holder of a pattern.
        topic: (policy != MatchPolicy::Exact).then(|| publication.topic.into()),
        retained: false,
        trustlevel: publication.trustlevel.filter(|_| is_told_trust),
        passthru: publication.passthru.clone(),
    }
}
