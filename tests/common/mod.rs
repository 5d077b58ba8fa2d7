//! Scripted peers on the pure router, in virtual time: a test body reads as the sequence diagram.
//!
//! Messages are written as `json!` arrays whatever the serializer of the peer; `"*"` in an expectation stands for
//! anything.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use wamplet::auth::Failure;
use wamplet::codec::{self, Serializer};
use wamplet::config::{Config, RealmConfig, Realms};
use wamplet::id::{SessionKey, Ticket};
use wamplet::payload::{EncodedPayload, Values};
use wamplet::router::{
    Action, Close, Identity, Now, OpenRefused, Outbox, Question, Record, RestoreError, Router, Transport,
};

/// A router, its clock, and what it sent to whom.
pub struct Wamp {
    pub router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    now: Now,
    peers: BTreeMap<SessionKey, Inbox>,
}

/// One end of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub key: SessionKey,
    /// The session id, zero before WELCOME.
    pub session: u64,
    serializer: Serializer,
}

#[derive(Default)]
struct Inbox {
    serializer: Serializer,
    messages: VecDeque<Value>,
    unread: usize,
    closed: Option<Close>,
    /// Bytes of each frame that the peer sent or got.
    lengths: Vec<usize>,
}

/// The roles that Autobahn|JS announces.
pub fn all_roles() -> Value {
    json!({
        "publisher": { "features": { "publisher_identification": true } },
        "subscriber": { "features": { "pattern_based_subscription": true } },
        "caller": { "features": { "call_canceling": true, "progressive_call_results": true } },
        "callee": { "features": { "progressive_call_results": true, "call_canceling": true } },
    })
}

/// All roles, with every feature of calls and payloads that the router knows.
pub fn all_features() -> Value {
    let passthru = json!({ "payload_passthru_mode": true, "payload_transparency": true });
    json!({
        "publisher": { "features": passthru },
        "subscriber": { "features": passthru },
        "caller": {
            "features": {
                "call_canceling": true,
                "payload_passthru_mode": true,
                "payload_transparency": true,
                "progressive_call_invocations": true,
                "progressive_call_results": true,
            },
        },
        "callee": {
            "features": {
                "call_canceling": true,
                "call_reroute": true,
                "payload_passthru_mode": true,
                "payload_transparency": true,
                "progressive_call_invocations": true,
                "progressive_call_results": true,
                "registration_revocation": true,
                "shared_registration": true,
            },
        },
    })
}

impl Wamp {
    /// A router with any realm.
    pub fn new() -> Self {
        Self::with_config(Config::default())
    }

    pub fn with_config(config: Config) -> Self {
        let now = Now { mono_ms: 1_000, unix_ns: 1_700_000_000_000_000_000 };
        Self { router: Router::new(config, [7; 32]), outbox: Outbox::new(), now, peers: BTreeMap::new() }
    }

    /// Opens a transport that speaks JSON.
    pub fn open(&mut self) -> Peer {
        self.open_with(Serializer::Json)
    }

    pub fn open_with(&mut self, serializer: Serializer) -> Peer {
        self.open_transport(Transport { serializer, ..Transport::default() })
    }

    /// Opens a transport that has these particulars; kind, protocol and peer are filled in where they are empty.
    pub fn open_transport(&mut self, transport: Transport) -> Peer {
        let serializer = transport.serializer;
        let or = |text: String, other: &str| if text.is_empty() { other.into() } else { text };
        let transport = Transport {
            kind: or(transport.kind, "test"),
            protocol: or(transport.protocol, &format!("wamp.2.{}", serializer.name())),
            peer: or(transport.peer, "scripted"),
            ..transport
        };
        let key = self.router.handle_open(transport, self.now).expect("there is room for one more transport");
        self.peers.insert(key, Inbox { serializer, ..Inbox::default() });
        Peer { key, session: 0, serializer }
    }

    /// One more transport, if there is room.
    pub fn try_open(&mut self) -> Result<SessionKey, OpenRefused> {
        self.router.handle_open(Transport::default(), self.now)
    }

    /// Opens transports that speak JSON, and joins the realm on each.
    pub fn join<const N: usize>(&mut self, realm: &str) -> [Peer; N] {
        std::array::from_fn(|_| {
            let peer = self.open();
            self.hello(peer, realm, all_roles())
        })
    }

    /// Opens transports that speak JSON, and joins the realm with [`all_features`] on each.
    pub fn join_with_all_features<const N: usize>(&mut self, realm: &str) -> [Peer; N] {
        std::array::from_fn(|_| {
            let peer = self.open();
            self.hello(peer, realm, all_features())
        })
    }

    /// Joins on an open transport; eats the WELCOME.
    #[track_caller]
    pub fn hello(&mut self, peer: Peer, realm: &str, roles: Value) -> Peer {
        self.hello_with(peer, realm, json!({ "roles": roles })).0
    }

    /// Joins on an open transport with these HELLO details; answers those of the WELCOME.
    #[track_caller]
    pub fn hello_with(&mut self, peer: Peer, realm: &str, details: Value) -> (Peer, Value) {
        self.say(peer, json!([1, realm, details]));
        let mut welcome = self.hear(peer);
        assert_eq!(welcome[0], 2, "expected a WELCOME, found {welcome}");
        (Peer { session: welcome[1].as_u64().expect("a session id"), ..peer }, welcome[2].take())
    }

    /// Joins with a `callee` role that has these features, and all other roles.
    pub fn join_as_callee(&mut self, realm: &str, features: Value) -> Peer {
        let peer = self.open();
        let roles = json!({
            "publisher": {}, "subscriber": {}, "caller": {}, "callee": { "features": features },
        });
        self.hello(peer, realm, roles)
    }

    /// Joins with another serializer.
    pub fn join_with(&mut self, realm: &str, serializer: Serializer) -> Peer {
        let peer = self.open_with(serializer);
        self.hello(peer, realm, all_roles())
    }

    /// Joins as this principal, which the driver vouches for.
    pub fn join_as(&mut self, realm: &str, authid: &str, authrole: &str) -> Peer {
        let peer = self.open_as(authid, authrole);
        self.hello(peer, realm, all_features())
    }

    /// Opens a transport of this principal, which the driver vouches for.
    pub fn open_as(&mut self, authid: &str, authrole: &str) -> Peer {
        let identity = Identity {
            realm: None,
            authid: Some(authid.into()),
            authrole: authrole.into(),
            authmethod: "internal".into(),
            authprovider: "component".into(),
            authextra: None,
        };
        self.open_transport(Transport { identity: Some(identity), ..Transport::default() })
    }

    /// The peer sends a message.
    pub fn say(&mut self, peer: Peer, message: Value) {
        let text = message.to_string();
        let frame = codec::transcode(text.as_bytes(), 1, Serializer::Json, peer.serializer);
        self.say_bytes(peer, &frame.expect("a test message fits every serializer"));
    }

    /// The peer sends a frame as it is.
    pub fn say_bytes(&mut self, peer: Peer, frame: &[u8]) {
        self.peers.get_mut(&peer.key).expect("an opened peer").lengths.push(frame.len());
        self.router.handle(peer.key, frame.to_vec().into(), self.now, &mut self.outbox);
        self.deliver();
    }

    /// The length of each frame that the peer sent or got since this was asked the last time.
    pub fn take_lengths(&mut self, peer: Peer) -> Vec<usize> {
        std::mem::take(&mut self.peers.get_mut(&peer.key).expect("an opened peer").lengths)
    }

    /// The peer sends a frame, and the driver is too busy to take what comes of it.
    pub fn say_without_taking(&mut self, peer: Peer, frame: &[u8]) {
        self.router.handle(peer.key, frame.to_vec().into(), self.now, &mut self.outbox);
    }

    /// The peer subscribes as its request `request`; answers the subscription id.
    #[track_caller]
    pub fn subscribe(&mut self, peer: Peer, request: u64, topic: &str) -> u64 {
        self.subscribe_with(peer, request, json!({}), topic)
    }

    #[track_caller]
    pub fn subscribe_with(&mut self, peer: Peer, request: u64, options: Value, topic: &str) -> u64 {
        self.say(peer, json!([32, request, options, topic]));
        self.expect(peer, json!([33, request, "*"]))[2].as_u64().expect("a subscription id")
    }

    /// The peer registers as its request `request`; answers the registration id.
    #[track_caller]
    pub fn register(&mut self, peer: Peer, request: u64, procedure: &str) -> u64 {
        self.register_with(peer, request, json!({}), procedure)
    }

    #[track_caller]
    pub fn register_with(&mut self, peer: Peer, request: u64, options: Value, procedure: &str) -> u64 {
        self.say(peer, json!([64, request, options, procedure]));
        self.expect(peer, json!([65, request, "*"]))[2].as_u64().expect("a registration id")
    }

    /// The peer calls as its request `request`, without arguments.
    pub fn call(&mut self, peer: Peer, request: u64, procedure: &str) {
        self.say(peer, json!([48, request, {}, procedure]));
    }

    /// The peer publishes as its request `request`, without arguments.
    pub fn publish(&mut self, peer: Peer, request: u64, topic: &str) {
        self.say(peer, json!([16, request, {}, topic]));
    }

    /// The peer's transport is lost.
    pub fn lose(&mut self, peer: Peer) {
        self.router.handle_closed(peer.key, self.now, &mut self.outbox);
        self.deliver();
    }

    /// The time of day in nanoseconds.
    pub fn unix_ns(&self) -> u64 {
        self.now.unix_ns
    }

    /// Time passes, and what comes due is done when it is due.
    pub fn advance_ms(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(deadline) = self.router.next_timeout().filter(|deadline| *deadline <= end) {
            self.set_mono_ms(deadline.max(self.now.mono_ms));
            self.router.handle_timeout(self.now, &mut self.outbox);
            self.deliver();
        }
        self.set_mono_ms(end);
    }

    /// Time passes while the driver sleeps; then it does once what is due.
    pub fn sleep_ms(&mut self, ms: u64) {
        self.set_mono_ms(self.now.mono_ms + ms);
        self.router.handle_timeout(self.now, &mut self.outbox);
        self.deliver();
    }

    /// Somebody corrects the time of day.
    pub fn set_clock_back_ms(&mut self, ms: u64) {
        self.now.unix_ns -= ms * 1_000_000;
    }

    fn set_mono_ms(&mut self, mono_ms: u64) {
        self.now.unix_ns += (mono_ms - self.now.mono_ms) * 1_000_000;
        self.now.mono_ms = mono_ms;
    }

    /// The questions to functions of the program.
    pub fn take_questions(&mut self) -> Vec<Question> {
        self.outbox.take_questions()
    }

    /// A function of the program answers.
    pub fn answer(&mut self, ticket: Ticket, answer: Result<Values, Failure>) {
        self.router.handle_answer(ticket, answer, self.now, &mut self.outbox);
        self.deliver();
    }

    /// What stores must write down since this was asked the last time.
    pub fn take_records(&mut self) -> Vec<Record<EncodedPayload>> {
        self.outbox.take_records()
    }

    /// Gives a realm the events of these records; answers how many it keeps.
    pub fn restore(
        &mut self,
        realm: &str,
        records: &[Record<EncodedPayload>],
    ) -> Result<usize, RestoreError> {
        let mut events = BTreeMap::new();
        for Record { sequence, event, .. } in records.iter().filter(|record| *record.realm == *realm) {
            match event {
                Some(event) => drop(events.insert(*sequence, event.clone())),
                None => drop(events.remove(sequence)),
            }
        }
        self.router.restore(realm, events, self.now, &mut self.outbox)
    }

    pub fn reload(&mut self, config: Config) {
        self.router.reload(config, self.now, &mut self.outbox);
        self.deliver();
    }

    pub fn shut_down(&mut self) {
        self.router.handle_shutdown(self.now, &mut self.outbox);
        self.deliver();
    }

    /// The peer sends a frame that not every receiver of its payload could show as JSON: what comes of it is counted
    /// for [`frames`](Self::frames), not kept.
    pub fn say_bytes_unread(&mut self, peer: Peer, frame: &[u8]) {
        self.router.handle(peer.key, frame.to_vec().into(), self.now, &mut self.outbox);
        for (key, action) in self.outbox.drain() {
            let inbox = self.peers.get_mut(&key).expect("the router acts on transports that were opened");
            assert!(matches!(action, Action::Send { .. }), "{key} was closed");
            inbox.unread += 1;
        }
    }

    /// How many frames the peer got and did not read.
    pub fn frames(&self, peer: Peer) -> usize {
        self.peers[&peer.key].unread
    }

    fn deliver(&mut self) {
        for (key, action) in self.outbox.drain() {
            let inbox = self.peers.get_mut(&key).expect("the router acts on transports that were opened");
            assert_eq!(inbox.closed, None, "nothing is sent to {key} after it was closed");
            match action {
                Action::Send { head, payload, .. } => {
                    let frame = [head, &payload.bytes, codec::closing(inbox.serializer)].concat();
                    inbox.lengths.push(frame.len());
                    inbox.messages.push_back(to_value(&frame, inbox.serializer));
                }
                Action::Close(close) => inbox.closed = Some(close),
            }
        }
    }

    /// The next message that the peer gets.
    pub fn hear(&mut self, peer: Peer) -> Value {
        let inbox = self.peers.get_mut(&peer.key).expect("an opened peer");
        inbox.messages.pop_front().expect("expected a message, found silence")
    }

    /// The next message that the peer gets is like this one; returns it.
    #[track_caller]
    pub fn expect(&mut self, peer: Peer, expected: Value) -> Value {
        let heard = self.hear(peer);
        assert!(is_like(&heard, &expected), "expected {expected}\n   found {heard}");
        heard
    }

    /// The peer's request is answered with ERROR, and a sentence says why.
    #[track_caller]
    pub fn expect_error(&mut self, peer: Peer, request_type: u64, request: u64, error: &str) {
        let heard = self.expect(peer, json!([8, request_type, request, {}, error, ["*"]]));
        let text = heard[5][0].as_str().expect("a sentence");
        assert!(!text.is_empty(), "expected a sentence, found {heard}");
    }

    /// The peer gets ABORT for this reason, with a sentence, and its transport is closed.
    #[track_caller]
    pub fn expect_abort(&mut self, peer: Peer, reason: &str) {
        let abort = self.expect(peer, json!([3, { "message": "*" }, reason]));
        assert!(
            abort[1]["message"].as_str().is_some_and(|text| !text.is_empty()),
            "expected a sentence: {abort}"
        );
        self.expect_closed(peer, Close::Normal);
    }

    /// All that waits for the peer.
    pub fn hear_all(&mut self, peer: Peer) -> Vec<Value> {
        self.peers.get_mut(&peer.key).expect("an opened peer").messages.drain(..).collect()
    }

    /// Why the router closed the peer's transport, if it did.
    pub fn closed(&self, peer: Peer) -> Option<Close> {
        self.peers[&peer.key].closed
    }

    /// The peer gets nothing more.
    #[track_caller]
    pub fn expect_nothing(&self, peer: Peer) {
        let inbox = &self.peers[&peer.key];
        assert!(inbox.messages.is_empty(), "expected silence, {} got {:?}", peer.key, inbox.messages);
    }

    /// Nobody gets anything more.
    #[track_caller]
    pub fn expect_silence(&self) {
        for (key, inbox) in &self.peers {
            assert!(inbox.messages.is_empty(), "expected silence, {key} got {:?}", inbox.messages);
        }
    }

    /// The router closed the peer's transport, after all that the peer heard.
    #[track_caller]
    pub fn expect_closed(&self, peer: Peer, close: Close) {
        let inbox = &self.peers[&peer.key];
        assert!(inbox.messages.is_empty(), "expected nothing more, found {:?}", inbox.messages);
        assert_eq!(inbox.closed, Some(close));
    }

    /// The peer gets ABORT `wamp.error.protocol_violation` with this text in its message, and its transport is closed.
    #[track_caller]
    pub fn expect_violation(&mut self, peer: Peer, text: &str) {
        let abort = self.expect(peer, json!([3, { "message": "*" }, "wamp.error.protocol_violation"]));
        let message = abort[1]["message"].as_str().expect("a message");
        assert!(message.contains(text), "expected {text:?} in {message:?}");
        self.expect_closed(peer, Close::ProtocolViolation);
    }
}

/// Two bystanders: one publishes and calls, the other has subscribed and registered. Whatever a third one does wrong,
/// they go on.
#[derive(Clone, Copy)]
pub struct Bystanders {
    alice: Peer,
    bob: Peer,
    subscription: u64,
    registration: u64,
    invocations: u64,
}

impl Bystanders {
    /// Joins both. Their request ids begin at 100, so that they may repeat.
    pub fn join(w: &mut Wamp, realm: &str) -> Self {
        let [alice, bob] = w.join(realm);
        let subscription = w.subscribe(bob, 100, "com.bystander.topic");
        let registration = w.register(bob, 100, "com.bystander.procedure");
        Self { alice, bob, subscription, registration, invocations: 0 }
    }

    /// Nothing came to them, and they publish and call as before.
    #[track_caller]
    pub fn expect_undisturbed(&mut self, w: &mut Wamp) {
        let Self { alice, bob, subscription, registration, .. } = *self;
        w.expect_nothing(alice);
        w.expect_nothing(bob);
        w.say(alice, json!([16, 100, {}, "com.bystander.topic", ["still"]]));
        w.expect(bob, json!([36, subscription, "*", {}, ["still"]]));
        w.say(alice, json!([48, 100, {}, "com.bystander.procedure", ["here"]]));
        self.invocations += 1;
        w.expect(bob, json!([68, self.invocations, registration, {}, ["here"]]));
        w.say(bob, json!([70, self.invocations, {}, ["yes"]]));
        w.expect(alice, json!([50, 100, {}, ["yes"]]));
        w.expect_nothing(bob);
    }
}

/// The one event on `subscription` that comes next; answers its args.
#[track_caller]
pub fn event_args(w: &mut Wamp, peer: Peer, subscription: u64) -> Value {
    w.expect(peer, json!([36, subscription, "*", {}, "*"]))[4].clone()
}

/// A peer calls a meta procedure; answers the args of the RESULT.
#[track_caller]
pub fn result_of(w: &mut Wamp, peer: Peer, request: u64, procedure: &str, args: Value) -> Value {
    w.say(peer, json!([48, request, {}, procedure, args]));
    w.expect(peer, json!([50, request, {}, "*"]))[3].clone()
}

/// A configuration with these realms and no others.
pub fn named(realms: impl IntoIterator<Item = RealmConfig>) -> Config {
    Config { realms: Realms::Named(realms.into_iter().collect()), ..Config::default() }
}

fn to_value(frame: &[u8], serializer: Serializer) -> Value {
    let json = codec::transcode(frame, 1, serializer, Serializer::Json)
        .expect("the router sends well-formed frames");
    serde_json::from_slice(&json).expect("transcoding to JSON gives JSON")
}

/// Equality, but for `"*"` in the expectation.
pub fn is_like(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (_, Value::String(any)) if any == "*" => true,
        (Value::Array(values), Value::Array(expected)) => {
            values.len() == expected.len()
                && values.iter().zip(expected).all(|(value, expected)| is_like(value, expected))
        }
        (Value::Object(values), Value::Object(expected)) => {
            values.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, expected)| values.get(key).is_some_and(|value| is_like(value, expected)))
        }
        _ => value == expected,
    }
}
