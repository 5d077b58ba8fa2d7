//! Sessions: what the router knows of a transport and of the session on it.
//!
//! Owns the slots and the states. Who is in which realm is in [`realm`](super::realm); what a state allows is decided
//! in [`router`](super).

use std::sync::Arc;

use serde_json::Value;
use slab::Slab;

use super::outbox::Accepts;
use super::sorted_map::SortedMap;
use super::stats::{Handshake, Meter};
use super::testament::Testaments;
use super::timers::TimerId;
use crate::auth::{Channel, Exchange, Identity, Methods};
use crate::codec::Serializer;
use crate::id::{RegistrationId, RequestId, SessionId, SessionKey, SubscriptionId, Ticket};
use crate::message::{Dict, Message, MessageType, Passthru, dict};

/// A transport as its driver describes it; what other sessions learn of it through the session meta API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transport {
    /// `websocket`, `rawsocket`, `messageport`, ...
    pub kind: String,
    /// `wamp.2.json` and so on.
    pub protocol: String,
    /// The other end, in a form that people read: `tcp4:127.0.0.1:51234`, `port:7`.
    pub peer: String,
    /// What frames are encoded in.
    pub serializer: Serializer,
    /// Bytes of the longest message that the peer can receive, as a RawSocket peer announces it. Default no limit. A
    /// longer one is not sent: a call ends with `wamp.error.payload_size_exceeded`, an EVENT is dropped, and in the place
    /// of what the peer cannot go on without (WELCOME, GOODBYE) comes ABORT with that error, and the end.
    pub max_message_length: Option<usize>,
    /// Who the peer is, where the driver knows it: it need not authenticate. Default nobody.
    pub identity: Option<Identity>,
    /// How the peer authenticates, where `identity` is nobody, and for which realms. Default
    /// [`Config::auth`](crate::config::Config::auth), and if there is none, not at all: it joins as `anonymous`.
    pub auth: Option<Arc<Methods>>,
    /// What authentication may build on.
    pub channel: Channel,
    /// Messages may come in another order than they were sent in, so that the sequence of request ids says nothing: the
    /// requests of a browser that polls overtake one another. Default false.
    pub is_unordered: bool,
    /// It is a child of the router, and is let in however many transports there are. Default false.
    pub is_child: bool,
    /// More that the driver knows; appears beside the above in the session details, or instead of it.
    pub extra: Dict,
    /// The same for authenticators, and for nobody else to see: what a browser was asked with. Default nothing.
    pub confidential: Dict,
}

impl Transport {
    /// How its peer authenticates, if the driver has it do so.
    pub(super) fn methods(&self) -> Option<&Arc<Methods>> {
        let methods = self.auth.as_ref();
        #[cfg(feature = "native")]
        let methods = methods.filter(|methods| !methods.is_open());
        methods
    }

    /// Whether its peer may join the realm of this name, if there is one.
    #[cfg(feature = "native")]
    pub(super) fn offers(&self, realm: &str) -> bool {
        self.auth.as_ref().is_none_or(|methods| methods.offer(realm))
    }

    /// What the peer can be sent.
    pub(crate) fn accepts(&self) -> Accepts {
        let length = self.max_message_length.map_or(u32::MAX, |length| length.try_into().unwrap_or(u32::MAX));
        Accepts { serializer: self.serializer, length }
    }

    /// The `transport` dictionary of the session details.
    pub(crate) fn details(&self) -> Value {
        let mut details = dict([
            ("type", self.kind.as_str().into()),
            ("protocol", self.protocol.as_str().into()),
            ("peer", self.peer.as_str().into()),
            ("channel_serializer", self.serializer.name().into()),
        ]);
        details.extend(self.extra.clone());
        Value::Object(details)
    }

    /// The same for authenticators.
    pub(super) fn confidential_details(&self) -> Value {
        let mut details = self.details();
        if let Value::Object(details) = &mut details {
            details.extend(self.confidential.clone());
        }
        details
    }
}

/// The roles and features that a client announced. [wamp: basic/sessions, HELLO]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    pub publisher: bool,
    pub subscriber: bool,
    pub caller: bool,
    pub callee: bool,
    pub callee_call_canceling: bool,
    pub callee_call_timeout: bool,
    pub callee_call_reroute: bool,
    pub callee_call_trustlevels: bool,
    pub callee_progressive_call_invocations: bool,
    pub callee_registration_revocation: bool,
    pub subscriber_payload_transparency: bool,
    pub subscriber_publication_trustlevels: bool,
    pub callee_passthru: PassthruFeatures,
    pub caller_progressive_call_invocations: bool,
    pub caller_passthru: PassthruFeatures,
    pub publisher_passthru: PassthruFeatures,
    pub subscriber_subscription_revocation: bool,
}

/// The forms of payload that a role takes and gives beside the ordinary one. [wamp: advanced/payload_passthru_mode]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PassthruFeatures {
    /// `ppt_*`
    payload_passthru_mode: bool,
    /// `enc_*`, the older form, which is not the specification's any more.
    payload_transparency: bool,
}

impl PassthruFeatures {
    /// Whether the role announced what a message with these attributes takes.
    pub(crate) fn covers(self, passthru: &Passthru<'_>) -> bool {
        let Some(attributes) = &passthru.0 else { return true };
        // The scheme marks the mode; without it the other attributes are as good as unknown ones.
        let has_scheme = attributes.ppt_scheme.as_ref().is_some_and(|scheme| !scheme.is_empty());
        (self.payload_passthru_mode || !has_scheme)
            && (self.payload_transparency || !passthru.has_encoded_args())
    }
}

impl Announced {
    /// Reads `HELLO.Details.roles`; what is wrong with it as a sentence.
    pub(crate) fn from_hello(details: &Dict) -> Result<Self, String> {
        let Some(roles) = details.get("roles") else {
            return Err(
                "HELLO.Details.roles: expected a dictionary of the client's roles, found nothing".into()
            );
        };
        let Value::Object(roles) = roles else {
            return Err("HELLO.Details.roles: expected a dictionary of the client's roles".into());
        };
        let mut announced = Self::default();
        for (name, role) in roles {
            let features = match role {
                Value::Object(role) => match role.get("features") {
                    None | Some(Value::Null) => None,
                    Some(Value::Object(features)) => Some(features),
                    Some(_) => {
                        return Err(
                            "HELLO.Details.roles: expected the features of each role to be a dictionary"
                                .into(),
                        );
                    }
                },
                _ => return Err("HELLO.Details.roles: expected each role to be a dictionary".into()),
            };
            let has = |feature: &str| {
                features
                    .and_then(|features| features.get(feature))
                    .is_some_and(|value| value == &Value::Bool(true))
            };
            let passthru = || PassthruFeatures {
                payload_passthru_mode: has("payload_passthru_mode"),
                payload_transparency: has("payload_transparency"),
            };
            match name.as_str() {
                "publisher" => {
                    announced.publisher = true;
                    announced.publisher_passthru = passthru();
                }
                "subscriber" => {
                    announced.subscriber = true;
                    announced.subscriber_payload_transparency = has("payload_transparency");
                    announced.subscriber_publication_trustlevels = has("publication_trustlevels");
                    announced.subscriber_subscription_revocation = has("subscription_revocation");
                }
                "caller" => {
                    announced.caller = true;
                    announced.caller_progressive_call_invocations = has("progressive_call_invocations");
                    announced.caller_passthru = passthru();
                }
                "callee" => {
                    announced.callee = true;
                    announced.callee_call_canceling = has("call_canceling");
                    announced.callee_call_timeout = has("call_timeout");
                    announced.callee_call_reroute = has("call_reroute");
                    announced.callee_call_trustlevels = has("call_trustlevels");
                    announced.callee_progressive_call_invocations = has("progressive_call_invocations");
                    announced.callee_registration_revocation = has("registration_revocation");
                    announced.callee_passthru = passthru();
                }
                _ => {}
            }
        }
        if !(announced.publisher || announced.subscriber || announced.caller || announced.callee) {
            return Err(
                "HELLO.Details.roles: expected at least one of publisher, subscriber, caller and callee, \
                        found none"
                    .into(),
            );
        }
        Ok(announced)
    }
}

/// A session that has joined a realm.
#[derive(Debug)]
pub(crate) struct Joined {
    pub id: SessionId,
    pub realm: usize,
    pub authid: Arc<str>,
    pub authrole: Arc<str>,
    /// Position in the roles of the realm.
    pub role: usize,
    /// What `wamp.session.get` answers.
    pub details: Arc<Dict>,
    pub announced: Announced,
    /// The last request id of the client, where it counts from 1 as the specification says; `None` where its first
    /// id was another, or its realm does not care, and no sequence is checked.
    pub last_request: Option<RequestId>,
    /// The last id given to an INVOCATION of this callee.
    pub last_invocation: RequestId,
    pub subscriptions: SortedMap<SubscriptionId, ()>,
    pub registrations: SortedMap<RegistrationId, ()>,
    /// Calls that wait for their result: request -> slot of the invocation.
    pub calls: SortedMap<RequestId, usize>,
    /// Bytes of the arguments that are kept of these.
    pub kept_length: usize,
    /// Progressive calls that ended before their last piece came, the oldest first: where no sequence is checked, only
    /// this tells a piece that comes too late from a new call.
    pub cut_short: Vec<RequestId>,
    /// Invocations that wait for their answer: invocation -> slot.
    pub invocations: SortedMap<RequestId, usize>,
    /// Where its requests wait, if its role has an authorizer. [`super::authorization`]
    pub guard: Option<usize>,
    pub testaments: Testaments,
    /// Where the realm has statistics.
    pub meter: Option<Box<Meter>>,
}

impl Joined {
    /// A progressive call has ended, and its caller may have sent more of it.
    pub(crate) fn note_cut_short(&mut self, call: RequestId) {
        if self.last_request.is_none() {
            if self.cut_short.len() == CUT_SHORT {
                self.cut_short.remove(0);
            }
            self.cut_short.push(call);
        }
    }
}

/// How many calls of one session are remembered when they are over.
const CUT_SHORT: usize = 64;

/// Where a transport stands. [wamp: basic/sessions, session state machine]
#[derive(Debug)]
pub(crate) enum State {
    /// Waits for HELLO.
    Open { timer: TimerId, handshake: Handshake },
    /// Authenticates.
    Authenticating(Box<Authenticating>),
    /// Has a session.
    Joined(Box<Joined>),
    /// GOODBYE was sent; everything but its answer is ignored.
    Closing { timer: TimerId },
}

/// What is kept of a HELLO while its client authenticates.
#[derive(Debug)]
pub(crate) struct Authenticating {
    /// Of the whole handshake.
    pub timer: TimerId,
    pub handshake: Handshake,
    pub hello: PendingHello,
    /// What comes next.
    pub exchange: Exchange,
    /// An authenticator that is asked.
    pub question: Option<Ticket>,
}

/// The parts of a HELLO that WELCOME needs.
#[derive(Debug)]
pub(crate) struct PendingHello {
    /// The id that WELCOME will carry, if nobody takes it.
    pub id: SessionId,
    /// The realm that it names.
    pub realm: Option<String>,
    pub announced: Announced,
    /// `HELLO.Details.authextra`, or nothing.
    pub authextra: Dict,
    /// `HELLO.Details.authid`, for the log.
    #[cfg(feature = "native")]
    pub authid: Option<String>,
    /// By which the client began to authenticate, if it did.
    #[cfg(feature = "native")]
    pub methods: Option<Arc<Methods>>,
}

/// A transport and its state.
#[derive(Debug)]
pub(crate) struct Session {
    pub key: SessionKey,
    pub transport: Transport,
    pub state: State,
    /// Whether a session on this transport has ended before: what it says of its calls may still be on its way.
    pub has_left: bool,
}

impl Session {
    /// Whether this is about a call of a session that has ended. A callee that leaves does not wait for its own procedures:
    /// Autobahn|JS sends what they return, whenever that is. Autobahn|Python with asyncio sends the CANCEL of a caller that
    /// leaves after its GOODBYE.
    pub(super) fn is_late<P>(&self, message: &Message<'_, P>) -> bool {
        let is_about_calls = match message {
            Message::Yield { .. } | Message::Cancel { .. } => true,
            Message::Error { request_type, .. } => *request_type == MessageType::Invocation,
            _ => false,
        };
        // Once it has joined again, they are those of the session that it has now.
        is_about_calls && self.has_left && matches!(self.state, State::Open { .. } | State::Authenticating(_))
    }

    /// What came before it joins.
    pub(crate) fn handshake(&self) -> Handshake {
        match &self.state {
            State::Open { handshake, .. } => handshake.clone(),
            State::Authenticating(pending) => pending.handshake.clone(),
            _ => Handshake::default(),
        }
    }

    /// The realm that it has joined.
    pub(crate) fn realm(&self) -> Option<usize> {
        match &self.state {
            State::Joined(joined) => Some(joined.realm),
            _ => None,
        }
    }
}

/// All transports of a router.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: Slab<Session>,
    /// Never the same twice, so that a key of a closed transport is nobody's.
    generation: u32,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The key that [`insert`](Self::insert) will use next.
    pub(crate) fn next_key(&mut self) -> SessionKey {
        self.generation = self.generation.wrapping_add(1);
        let index =
            u32::try_from(self.slots.vacant_key()).expect("the limit of transports is far below 2^32");
        SessionKey { index, generation: self.generation }
    }

    pub(crate) fn insert(&mut self, session: Session) {
        self.slots.insert(session);
    }

    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.slots.get(key.index as usize).filter(|session| session.key == key)
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.slots.get_mut(key.index as usize).filter(|session| session.key == key)
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        self.get(key)?;
        Some(self.slots.remove(key.index as usize))
    }

    /// The joined session at `key`.
    pub(crate) fn joined(&self, key: SessionKey) -> Option<(&Transport, &Joined)> {
        let session = self.get(key)?;
        match &session.state {
            State::Joined(joined) => Some((&session.transport, joined)),
            _ => None,
        }
    }

    /// The joined session at `key`, to change it.
    pub(crate) fn joined_mut(&mut self, key: SessionKey) -> Option<(&Transport, &mut Joined)> {
        let session = self.get_mut(key)?;
        match &mut session.state {
            State::Joined(joined) => Some((&session.transport, joined)),
            _ => None,
        }
    }

    /// Every transport, to change it.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots.iter_mut().map(|(_, session)| session)
    }

    /// Every transport, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().map(|(_, session)| session)
    }
}
