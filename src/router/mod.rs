//! The router: messages of many transports in, actions out.
//!
//! Owns transports, sessions and realms, and decides what each message causes. Never reads a clock, draws entropy,
//! opens a socket or spawns: time comes with every input, chance from one seed, and what must be done goes into the
//! caller's [`Outbox`]. Publishing is in `broker`, calling in `dealer`, the router's own procedures and what it tells of
//! itself in `meta_api`, what sessions leave behind in `testament`, what is taken away from them in `revocation`.
//!
//! Its methods `handle_*`, `hang_up` and `reload` take an input in. Only `handle_open` can fail, where there is no room: what
//! a peer does wrong ends in an answer to that peer. `next_timeout` says when [`handle_timeout`](Router::handle_timeout) wants
//! to be called.

mod announced_roles;
mod authorization;
mod broker;
#[cfg(debug_assertions)]
mod check;
pub(crate) mod context;
#[cfg(feature = "native")]
mod counters;
mod dealer;
mod decisions;
#[cfg(feature = "native")]
mod failed_logins;
mod fault;
mod handshake;
mod history;
mod journal;
mod kept_events;
mod kept_message;
mod leaving;
#[cfg(feature = "native")]
mod logins;
mod meta_api;
#[cfg(feature = "native")]
mod news;
mod outbox;
pub mod pattern_index;
mod question;
mod realm;
mod reload;
mod request;
mod retention;
mod revocation;
mod session;
mod sorted_map;
mod stats;
mod testament;
mod timers;
pub(crate) mod utc;
mod vetting;

use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::FixedState;
use serde_json::Value;
use slab::Slab;

use self::authorization::Guard;
pub use self::context::Now;
use self::context::{Context, Random, own_payload};
#[cfg(feature = "native")]
pub use self::counters::RealmCounters;
#[cfg(feature = "native")]
use self::failed_logins::FailedLogins;
use self::fault::Fault;
pub use self::journal::{Record, RecordedEvent, RestoreError};
use self::meta_api::{registrations, subscriptions};
#[cfg(feature = "native")]
pub use self::news::News;
pub use self::outbox::{Action, Close, Outbox};
use self::pattern_index::SeededMap;
pub use self::question::Question;
use self::question::Questions;
use self::realm::Realm;
pub use self::session::Transport;
use self::session::{Session, Sessions, State};
use self::stats::Handshake;
use self::timers::{Timer, Timers};
use crate::auth::Methods;
pub use crate::auth::{Identity, TRUSTED};
use crate::codec::{self, DecodeError};
use crate::config::{Config, Limits, RealmConfig, Realms};
use crate::id::{PublicationId, SessionKey};
use crate::message::{Dict, Message, Passthru, dict};
use crate::payload::{EncodedPayload, Payload, Values};

/// A WAMP router without I/O.
///
/// ```
/// use wamplet::config::Config;
/// use wamplet::payload::EncodedPayload;
/// use wamplet::router::{Action, Now, Outbox, Router, Transport};
///
/// let mut router: Router<EncodedPayload> = Router::new(Config::default(), [7; 32]);
/// let mut outbox = Outbox::new();
/// let now = Now { mono_ms: 0, unix_ns: 0 };
///
/// let alice = router.handle_open(Transport::default(), now).expect("far from the limit of transports");
/// let hello = r#"[1,"realm1",{"roles":{"caller":{}}}]"#;
/// router.handle(alice, hello.into(), now, &mut outbox);
/// for (key, action) in outbox.drain() {
///     let Action::Send { head, payload, .. } = action else { panic!("nobody closes") };
///     assert_eq!(key, alice);
///     assert!(head.starts_with(b"[2,"), "a WELCOME");
///     assert!(payload.bytes.is_empty());
/// }
/// ```
#[derive(Debug)]
pub struct Router<P> {
    limits: Limits,
    /// Of transports that say nothing else.
    auth: Option<Arc<Methods>>,
    /// Whether a HELLO may bring a realm into being.
    any_realm: bool,
    sessions: Sessions,
    realms: Slab<Realm<P>>,
    realm_names: SeededMap<Box<str>, u64>,
    timers: Timers,
    random: Random,
    questions: Questions,
    /// Of the sessions whose role has an authorizer.
    guards: Slab<Guard<P>>,
    #[cfg(feature = "native")]
    failed_logins: FailedLogins,
    /// Of the payloads that came.
    layouts: codec::Layouts,
    shutting_down: bool,
    /// Whether any realm has statistics.
    is_metering: bool,
    /// Sessions whose statistics are to be published at the end of this input.
    due: Vec<SessionKey>,
}

/// Why a transport was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenRefused {
    /// [`Limits::transports`] are open.
    #[error("the router has {0} open transports, the most that it may have")]
    Full(usize),
    /// After [`Router::handle_shutdown`].
    #[error("the router is shutting down")]
    ShuttingDown,
}

/// Bytes of a frame whose memory a payload may keep, however small a part of it it is.
const MAX_SHARED: usize = 64 << 10;

impl Router<EncodedPayload> {
    /// Handles a frame in the serializer of its transport. A frame of a transport that was closed is ignored.
    pub fn handle(&mut self, key: SessionKey, frame: Bytes, now: Now, outbox: &mut Outbox<EncodedPayload>) {
        let Some(session) = self.sessions.get(key) else { return };
        let serializer = session.transport.serializer;
        let length = frame.len();
        if length > self.message_limit(key) {
            self.handle_oversized(key, length, now, outbox);
            return;
        }
        let decoded =
            codec::decode_with(serializer, &frame, &self.limits.decode(), &mut self.layouts, |tail| {
                let is_small = length > MAX_SHARED && tail.end - tail.start < length / 2;
                let bytes = if is_small {
                    // What waits for a receiver must not keep the memory of long options.
                    Bytes::copy_from_slice(&frame[tail.start..tail.end])
                } else {
                    frame.slice(tail.start..tail.end)
                };
                EncodedPayload { bytes, elements: tail.elements, serializer }
            });
        self.handle_message(key, decoded, length, now, outbox);
    }
}

impl<P: Payload> Router<P> {
    /// A router for `config`. The same seed, configuration and inputs give the same outputs in the same order.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        // The realms' chance must be the same in every build.
        #[cfg(feature = "native")]
        let failed_logins = Random::new(seed).next_u64();
        let mut router = Self {
            limits: config.limits,
            auth: config.auth,
            any_realm: matches!(config.realms, Realms::Any),
            sessions: Sessions::default(),
            realms: Slab::new(),
            realm_names: SeededMap::with_hasher(FixedState::with_seed(random.next_u64())),
            timers: Timers::default(),
            random,
            questions: Questions::default(),
            guards: Slab::new(),
            #[cfg(feature = "native")]
            failed_logins: FailedLogins::new(failed_logins),
            layouts: codec::Layouts::default(),
            shutting_down: false,
            is_metering: false,
            due: Vec::new(),
        };
        if let Realms::Named(realms) = config.realms {
            for realm in realms {
                router.add_realm(realm, false);
            }
        }
        router
    }

    /// Lets a transport in; it has [`Limits::hello_timeout_ms`] to say HELLO.
    pub fn handle_open(&mut self, transport: Transport, now: Now) -> Result<SessionKey, OpenRefused> {
        match self.check_open() {
            Err(OpenRefused::Full(_)) if transport.is_child => {}
            checked => checked?,
        }
        let key = self.sessions.next_key();
        let state = self.open_state(key, now);
        self.sessions.insert(Session { key, transport, state, has_left: false });
        Ok(key)
    }

    /// Whether a transport that is no child would be let in now.
    pub fn check_open(&self) -> Result<(), OpenRefused> {
        if self.shutting_down {
            return Err(OpenRefused::ShuttingDown);
        }
        if self.sessions.len() >= self.limits.transports {
            return Err(OpenRefused::Full(self.limits.transports));
        }
        Ok(())
    }

    /// Handles a message whose frame the driver decoded, or could not decode. `length` is that of the frame in bytes;
    /// it may be wrong where the router is not [metering](Self::is_metering). A message of a transport that was closed
    /// is ignored.
    pub fn handle_message(
        &mut self,
        key: SessionKey,
        decoded: Result<Message<'_, P>, DecodeError>,
        length: usize,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let Some(session) = self.sessions.get(key) else { return };
        let realm = session.realm();
        #[cfg(feature = "native")]
        let message_type = decoded.as_ref().ok().map(Message::message_type);
        // The message is matched where it is: to pair it with the state would be to move it.
        let (is_closing, is_joined) =
            (matches!(session.state, State::Closing { .. }), matches!(session.state, State::Joined(_)));
        let is_open = matches!(session.state, State::Open { .. });
        if decoded.as_ref().is_ok_and(|message| session.is_late(message)) {
            return;
        }
        self.meter_received(key, length);
        let handled = match decoded {
            Ok(message) if is_joined => self.handle_joined(key, message, now, outbox),
            Ok(Message::Goodbye { .. } | Message::Abort { .. }) if is_closing => {
                self.close(key, Close::Normal, now, outbox);
                Ok(())
            }
            // [wamp: basic/sessions] after its GOODBYE the router discards all but the answer.
            _ if is_closing => Ok(()),
            Err(error) => Err(Fault::Violation(error.to_string())),
            Ok(message) if is_open => self.handle_handshake(key, message, now, outbox),
            Ok(message) => self.handle_authentication(key, message, now, outbox),
        };
        if let Err(Fault::Violation(text)) = handled {
            self.abort(key, fault::PROTOCOL_VIOLATION, &text, Close::ProtocolViolation, now, outbox);
        }
        let realm = realm.or_else(|| self.sessions.get(key)?.realm());
        #[cfg(feature = "native")]
        if let (Some(realm), Some(message_type)) =
            (realm.and_then(|realm| self.realms.get_mut(realm)), message_type)
        {
            realm.received.add(message_type);
        }
        self.finish_input(realm, now, outbox);
    }

    /// Answers a frame that is too long to be read: a protocol violation.
    pub fn handle_oversized(&mut self, key: SessionKey, length: usize, now: Now, outbox: &mut Outbox<P>) {
        if let Some(State::Closing { .. }) = self.sessions.get(key).map(|session| &session.state) {
            return;
        }
        self.meter_received(key, length);
        let limit = self.message_limit(key);
        let text = format!("expected a message of at most {limit} bytes, found {length}");
        self.abort(key, fault::PROTOCOL_VIOLATION, &text, Close::ProtocolViolation, now, outbox);
        self.finish_input(None, now, outbox);
    }

    /// Bytes that the next message of a transport may have: fewer before it has a session.
    pub fn message_limit(&self, key: SessionKey) -> usize {
        match self.sessions.get(key).map(|session| &session.state) {
            Some(State::Open { .. } | State::Authenticating(_)) => {
                self.limits.hello_length.min(self.limits.message_length)
            }
            _ => self.limits.message_length,
        }
    }

    /// Cleans up after a transport that was lost, as after a GOODBYE.
    pub fn handle_closed(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) {
        self.leave(key, true, now, outbox);
        self.forget(key, now, outbox);
        self.finish_input(None, now, outbox);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now, outbox: &mut Outbox<P>) {
        while let Some(timer) = self.timers.pop_due(now.mono_ms) {
            let realm = match timer {
                Timer::Hello(key) | Timer::Goodbye(key) => {
                    self.close(key, Close::Timeout, now, outbox);
                    None
                }
                Timer::Call { realm, invocation } => {
                    let (realms, mut cx) = self.split(now, outbox);
                    realms[realm].dealer.time_out(&mut cx, invocation);
                    Some(realm)
                }
                Timer::Question(ticket) => {
                    self.time_out_question(ticket);
                    None
                }
                Timer::Leave(key) => self.leave_at_last(key, now, outbox),
                Timer::Stats(key) => {
                    self.publish_stats(key, now, outbox);
                    None
                }
            };
            self.finish_input(realm, now, outbox);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next, in the milliseconds of
    /// [`Now::mono_ms`].
    pub fn next_timeout(&self) -> Option<u64> {
        self.timers.next_deadline_ms()
    }

    /// Says GOODBYE `wamp.close.system_shutdown` to all sessions, closes the transports that have none, and lets nobody
    /// in any more. The driver goes on until the sessions have answered or [`Limits::goodbye_timeout_ms`] are over.
    pub fn handle_shutdown(&mut self, now: Now, outbox: &mut Outbox<P>) {
        self.shutting_down = true;
        let keys: Vec<SessionKey> = self.sessions.iter().map(|session| session.key).collect();
        for key in keys {
            match self.sessions.get(key).map(|session| &session.state) {
                Some(State::Joined(_)) => {
                    // No meta events: everybody leaves.
                    self.say_goodbye(key, fault::CLOSE_SYSTEM_SHUTDOWN, Dict::new(), false, now, outbox);
                }
                Some(State::Open { .. } | State::Authenticating(_)) => {
                    self.close(key, Close::Normal, now, outbox);
                }
                _ => {}
            }
        }
        self.finish_input(None, now, outbox);
    }

    /// Ends the connections over transports of these kinds without a word, before [`handle_shutdown`](Self::handle_shutdown)
    /// says GOODBYE to the others: many clients take a GOODBYE for good, and come back where a connection is lost.
    #[cfg(feature = "native")]
    pub fn hang_up(&mut self, kinds: &[&str], now: Now, outbox: &mut Outbox<P>) {
        self.shutting_down = true;
        let peers = self.sessions.iter().filter(|session| kinds.contains(&&*session.transport.kind));
        let keys: Vec<SessionKey> = peers.map(|session| session.key).collect();
        for key in keys {
            // No meta events: everybody leaves.
            self.leave(key, false, now, outbox);
            self.close(key, Close::Lost, now, outbox);
        }
        self.finish_input(None, now, outbox);
    }

    /// How many EVENTs were dropped because their receivers could not take them: too long for the peer, or not to be
    /// said in its serializer. Those of realms that came into being with a HELLO go with their realm.
    pub fn dropped_events(&self) -> u64 {
        self.realms.iter().map(|(_, realm)| realm.broker.dropped_events).sum()
    }

    /// What peers may use up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many transports are open.
    pub fn transports(&self) -> usize {
        self.sessions.len()
    }

    /// What this router does for whom, as plain data for people: realms with their sessions, subscriptions and
    /// registrations.
    pub fn inspect(&self) -> Value {
        let id = |key: SessionKey| self.sessions.joined(key).map(|(_, joined)| Value::from(joined.id.0));
        let mut realms = Vec::new();
        for (_, realm) in &self.realms {
            let mut joined_sessions = Vec::new();
            for (_, joined) in realm.sessions().filter_map(|key| self.sessions.joined(key)) {
                joined_sessions.push(Value::Object(Dict::clone(&joined.details)));
            }
            let mut subscribed = Vec::new();
            for (number, subscription) in realm.broker.subscriptions() {
                let subscribers: Vec<_> =
                    subscription.subscribers.iter().filter_map(|(key, _)| id(*key)).collect();
                let mut details = subscriptions::details(number, subscription);
                details.insert("subscribers".into(), subscribers.into());
                subscribed.push(Value::Object(details));
            }
            let mut registered = Vec::new();
            for (number, registration) in realm.dealer.registrations() {
                let callees: Vec<_> =
                    registration.callees.iter().filter_map(|callee| id(callee.key)).collect();
                let mut details = registrations::details(number, registration);
                details.insert("callees".into(), callees.into());
                registered.push(Value::Object(details));
            }
            realms.push(Value::Object(dict([
                ("name", realm.config.name.as_str().into()),
                ("sessions", joined_sessions.into()),
                ("subscriptions", subscribed.into()),
                ("registrations", registered.into()),
            ])));
        }
        Value::Object(dict([("transports", self.sessions.len().into()), ("realms", realms.into())]))
    }

    /// What is left to do when an input has had its effects, all of them in one realm, if any: and what is left to do
    /// when that has had its effects.
    fn finish_input(&mut self, realm: Option<usize>, now: Now, outbox: &mut Outbox<P>) {
        self.finish_step(realm, now, outbox);
        if self.questions.has_tasks() {
            self.do_tasks(now, outbox);
        }
        #[cfg(debug_assertions)]
        self.check();
    }

    fn finish_step(&mut self, realm: Option<usize>, now: Now, outbox: &mut Outbox<P>) {
        while let Some(key) = outbox.next_stranded() {
            let text = "it takes no message of the length that it had to be sent";
            self.abort(key, fault::PAYLOAD_SIZE_EXCEEDED, text, Close::Normal, now, outbox);
        }
        self.settle(realm, outbox);
        if !self.due.is_empty() {
            self.publish_due_stats(now, outbox);
        }
    }

    /// Adds up what was sent since the last time, all of it to sessions of this realm.
    fn settle(&mut self, realm: Option<usize>, outbox: &mut Outbox<P>) {
        let metered = |realm| self.realms.get(realm).is_some_and(|realm| realm.config.stats.is_some());
        if realm.is_some_and(metered) {
            self.meter_sent(outbox);
        }
        self.settle_unmetered(realm, outbox);
    }

    /// The same, leaving what was sent out of the statistics of sessions.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "realms have no counters there"))]
    fn settle_unmetered(&mut self, realm: Option<usize>, outbox: &mut Outbox<P>) {
        #[cfg(feature = "native")]
        if let Some(realm) = realm.and_then(|realm| self.realms.get_mut(realm)) {
            outbox.unsettled_types().for_each(|message_type| realm.sent.add(message_type));
        }
        outbox.settle();
    }

    /// Publishes an event of the router itself; nothing is made where nobody listens, and those who do are not charged.
    fn publish_meta(
        &mut self,
        realm: usize,
        topic: &str,
        values: &dyn Fn() -> Values,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let Realm { config, broker, .. } = &self.realms[realm];
        let is_served = config.has_meta_api || topic == stats::ON_STATS;
        if !is_served || !broker.has_subscription(topic) {
            return;
        }
        self.settle(Some(realm), outbox);
        let (realms, cx) = self.split(now, outbox);
        let broker = &mut realms[realm].broker;
        let publication = broker::Publication {
            id: PublicationId(cx.random.id()),
            topic,
            excluded: None,
            restrictions: None,
            disclosed: None,
            trustlevel: None,
            retain: None,
            passthru: Passthru::default(),
            payload: own_payload(P::from_values(&values()), codec::Serializer::default()),
        };
        broker.publish(publication, now, cx.limits, cx.sessions, cx.outbox);
        self.settle_unmetered(Some(realm), outbox);
    }

    fn add_realm(&mut self, config: RealmConfig, transient: bool) -> usize {
        self.is_metering |= config.stats.is_some();
        let index = self.realms.vacant_key();
        self.realm_names.insert(config.name.as_str().into(), index as u64);
        let realm = Realm::new(config, transient, index, &mut self.random);
        self.realms.insert(realm)
    }

    fn open_state(&mut self, key: SessionKey, now: Now) -> State {
        let deadline = now.mono_ms.saturating_add(self.limits.hello_timeout_ms);
        let handshake = Handshake { since_ns: now.unix_ns, lengths: Vec::new() };
        State::Open { timer: self.timers.start(deadline, Timer::Hello(key)), handshake }
    }

    /// The realms on one side, what they need from the router on the other.
    fn split<'a>(
        &'a mut self,
        now: Now,
        outbox: &'a mut Outbox<P>,
    ) -> (&'a mut Slab<Realm<P>>, Context<'a, P>) {
        let context = Context {
            sessions: &mut self.sessions,
            timers: &mut self.timers,
            questions: &mut self.questions,
            random: &mut self.random,
            limits: &self.limits,
            now,
            outbox,
        };
        (&mut self.realms, context)
    }
}
