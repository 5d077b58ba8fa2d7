//! WAMP messages: a head that the router reads and a tail (the payload) that it carries.
//!
//! Owns the message types and the direction table; options are in `options`. Bytes are the business of
//! [`codec`](crate::codec); what a message causes, of [`router`](crate::router). [wamp: basic/messages]

mod options;
mod owned;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::id::{PublicationId, RegistrationId, RequestId, SessionId, SubscriptionId};

pub use self::options::*;

/// A details or options dictionary of a message that is not on the hot path.
///
/// Binary values stand as WAMP's binary-in-JSON strings (`"\0"` + base64), whatever the serializer.
pub type Dict = Map<String, Value>;

/// A dictionary of these entries.
pub(crate) fn dict<const N: usize>(mut entries: [(&str, Value); N]) -> Dict {
    dict_of(&mut entries)
}

/// Not generic, so that it is in the binary once.
fn dict_of(entries: &mut [(&str, Value)]) -> Dict {
    let mut dict = Dict::new();
    for (key, value) in entries {
        dict.insert((*key).to_owned(), value.take());
    }
    dict
}

/// The message codes of the basic and advanced profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum MessageType {
    Hello = 1,
    Welcome = 2,
    Abort = 3,
    Challenge = 4,
    Authenticate = 5,
    Goodbye = 6,
    Error = 8,
    Publish = 16,
    Published = 17,
    Subscribe = 32,
    Subscribed = 33,
    Unsubscribe = 34,
    Unsubscribed = 35,
    Event = 36,
    Call = 48,
    Cancel = 49,
    Result = 50,
    Register = 64,
    Registered = 65,
    Unregister = 66,
    Unregistered = 67,
    Invocation = 68,
    Interrupt = 69,
    Yield = 70,
    EventReceived = 337,
}

impl MessageType {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 25] = [
        Self::Hello,
        Self::Welcome,
        Self::Abort,
        Self::Challenge,
        Self::Authenticate,
        Self::Goodbye,
        Self::Error,
        Self::Publish,
        Self::Published,
        Self::Subscribe,
        Self::Subscribed,
        Self::Unsubscribe,
        Self::Unsubscribed,
        Self::Event,
        Self::Call,
        Self::Cancel,
        Self::Result,
        Self::Register,
        Self::Registered,
        Self::Unregister,
        Self::Unregistered,
        Self::Invocation,
        Self::Interrupt,
        Self::Yield,
        Self::EventReceived,
    ];

    /// The type with this code, if WAMP has one.
    pub fn from_code(code: u64) -> Option<Self> {
        use MessageType::*;
        Some(match code {
            1 => Hello,
            2 => Welcome,
            3 => Abort,
            4 => Challenge,
            5 => Authenticate,
            6 => Goodbye,
            8 => Error,
            16 => Publish,
            17 => Published,
            32 => Subscribe,
            33 => Subscribed,
            34 => Unsubscribe,
            35 => Unsubscribed,
            36 => Event,
            48 => Call,
            49 => Cancel,
            50 => Result,
            64 => Register,
            65 => Registered,
            66 => Unregister,
            67 => Unregistered,
            68 => Invocation,
            69 => Interrupt,
            70 => Yield,
            337 => EventReceived,
            _ => return None,
        })
    }

    /// The integer that begins the message.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The name in the specification, in capitals.
    pub fn name(self) -> &'static str {
        use MessageType::*;
        match self {
            Hello => "HELLO",
            Welcome => "WELCOME",
            Abort => "ABORT",
            Challenge => "CHALLENGE",
            Authenticate => "AUTHENTICATE",
            Goodbye => "GOODBYE",
            Error => "ERROR",
            Publish => "PUBLISH",
            Published => "PUBLISHED",
            Subscribe => "SUBSCRIBE",
            Subscribed => "SUBSCRIBED",
            Unsubscribe => "UNSUBSCRIBE",
            Unsubscribed => "UNSUBSCRIBED",
            Event => "EVENT",
            Call => "CALL",
            Cancel => "CANCEL",
            Result => "RESULT",
            Register => "REGISTER",
            Registered => "REGISTERED",
            Unregister => "UNREGISTER",
            Unregistered => "UNREGISTERED",
            Invocation => "INVOCATION",
            Interrupt => "INTERRUPT",
            Yield => "YIELD",
            EventReceived => "EVENT_RECEIVED",
        }
    }

    /// Whether a client may send it (and so a router must be ready to receive it). The direction table of the
    /// specification: everything else on the wire from a client is a protocol violation.
    pub fn is_from_client(self) -> bool {
        use MessageType::*;
        matches!(
            self,
            Hello
                | Abort
                | Authenticate
                | Goodbye
                | Error
                | Publish
                | Subscribe
                | Unsubscribe
                | Call
                | Cancel
                | Register
                | Unregister
                | Yield
                | EventReceived
        )
    }
}

/// A message: typed head, opaque tail `P`.
///
/// Decoding borrows from the frame; a message never outlives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a, P> {
    /// `[1, Realm, Details]`. The realm may be absent (`null`): an authenticator then chooses it.
    Hello { realm: Option<Cow<'a, str>>, details: Dict },
    /// `[2, Session, Details]`.
    Welcome { session: SessionId, details: Dict },
    /// `[3, Details, Reason, Args?, Kwargs?]`.
    Abort { details: Dict, reason: Cow<'a, str>, payload: P },
    /// `[4, AuthMethod, Extra]`.
    Challenge { method: Cow<'a, str>, extra: Dict },
    /// `[5, Signature, Extra]`.
    Authenticate { signature: Cow<'a, str>, extra: Dict },
    /// `[6, Details, Reason]`.
    Goodbye { details: Dict, reason: Cow<'a, str> },
    /// `[8, Request.Type, Request, Details, Error, Args?, Kwargs?]`.
    Error {
        request_type: MessageType,
        request: RequestId,
        details: Passthru<'a>,
        error: Cow<'a, str>,
        payload: P,
    },
    /// `[16, Request, Options, Topic, Args?, Kwargs?]`.
    Publish { request: RequestId, options: PublishOptions<'a>, topic: Cow<'a, str>, payload: P },
    /// `[17, Request, Publication]`.
    Published { request: RequestId, publication: PublicationId },
    /// `[32, Request, Options, Topic]`.
    Subscribe { request: RequestId, options: SubscribeOptions, topic: Cow<'a, str> },
    /// `[33, Request, Subscription]`.
    Subscribed { request: RequestId, subscription: SubscriptionId },
    /// `[34, Request, Subscription]`.
    Unsubscribe { request: RequestId, subscription: SubscriptionId },
    /// `[35, Request, Details?]`: with request 0 and details, a revocation.
    Unsubscribed { request: RequestId, details: Option<UnsubscribedDetails<'a>> },
    /// `[36, Subscription, Publication, Details, Args?, Kwargs?]`.
    Event { subscription: SubscriptionId, publication: PublicationId, details: EventDetails<'a>, payload: P },
    /// `[337, Publication]`.
    EventReceived { publication: PublicationId },
    /// `[48, Request, Options, Procedure, Args?, Kwargs?]`.
    Call { request: RequestId, options: CallOptions<'a>, procedure: Cow<'a, str>, payload: P },
    /// `[49, Request, Options]`.
    Cancel { request: RequestId, mode: Option<CancelMode> },
    /// `[50, Request, Details, Args?, Kwargs?]`.
    Result { request: RequestId, details: ResultDetails<'a>, payload: P },
    /// `[64, Request, Options, Procedure]`.
    Register { request: RequestId, options: RegisterOptions, procedure: Cow<'a, str> },
    /// `[65, Request, Registration]`.
    Registered { request: RequestId, registration: RegistrationId },
    /// `[66, Request, Registration]`.
    Unregister { request: RequestId, registration: RegistrationId },
    /// `[67, Request, Details?]`: with request 0 and details, a revocation.
    Unregistered { request: RequestId, details: Option<UnregisteredDetails<'a>> },
    /// `[68, Request, Registration, Details, Args?, Kwargs?]`.
    Invocation {
        request: RequestId,
        registration: RegistrationId,
        details: InvocationDetails<'a>,
        payload: P,
    },
    /// `[69, Request, Options]`.
    Interrupt { request: RequestId, mode: Option<CancelMode>, reason: Option<Cow<'a, str>> },
    /// `[70, Request, Options, Args?, Kwargs?]`.
    Yield { request: RequestId, options: YieldOptions<'a>, payload: P },
}

/// The tail of a message, for the message types that have one: by value or by reference, as the message is given.
macro_rules! tail {
    ($message:expr) => {
        match $message {
            Message::Abort { payload, .. }
            | Message::Error { payload, .. }
            | Message::Publish { payload, .. }
            | Message::Event { payload, .. }
            | Message::Call { payload, .. }
            | Message::Result { payload, .. }
            | Message::Invocation { payload, .. }
            | Message::Yield { payload, .. } => Some(payload),
            _ => None,
        }
    };
}

impl<'a> Message<'a, ()> {
    /// The message of this head and a tail.
    pub(crate) fn with_payload<P>(self, payload: P) -> Message<'a, P> {
        self.map_payload(|()| payload)
    }
}

impl<'a, P> Message<'a, P> {
    /// Which of the message types this is.
    pub fn message_type(&self) -> MessageType {
        match self {
            Self::Hello { .. } => MessageType::Hello,
            Self::Welcome { .. } => MessageType::Welcome,
            Self::Abort { .. } => MessageType::Abort,
            Self::Challenge { .. } => MessageType::Challenge,
            Self::Authenticate { .. } => MessageType::Authenticate,
            Self::Goodbye { .. } => MessageType::Goodbye,
            Self::Error { .. } => MessageType::Error,
            Self::Publish { .. } => MessageType::Publish,
            Self::Published { .. } => MessageType::Published,
            Self::Subscribe { .. } => MessageType::Subscribe,
            Self::Subscribed { .. } => MessageType::Subscribed,
            Self::Unsubscribe { .. } => MessageType::Unsubscribe,
            Self::Unsubscribed { .. } => MessageType::Unsubscribed,
            Self::Event { .. } => MessageType::Event,
            Self::EventReceived { .. } => MessageType::EventReceived,
            Self::Call { .. } => MessageType::Call,
            Self::Cancel { .. } => MessageType::Cancel,
            Self::Result { .. } => MessageType::Result,
            Self::Register { .. } => MessageType::Register,
            Self::Registered { .. } => MessageType::Registered,
            Self::Unregister { .. } => MessageType::Unregister,
            Self::Unregistered { .. } => MessageType::Unregistered,
            Self::Invocation { .. } => MessageType::Invocation,
            Self::Interrupt { .. } => MessageType::Interrupt,
            Self::Yield { .. } => MessageType::Yield,
        }
    }

    /// The tail, for the message types that have one.
    pub fn payload(&self) -> Option<&P> {
        tail!(self)
    }

    /// Takes the tail out of the message types that have one.
    pub fn into_payload(self) -> Option<P> {
        tail!(self)
    }

    /// The same head with the tail that `tail` makes of the old one.
    pub fn map_payload<Q>(self, tail: impl FnOnce(P) -> Q) -> Message<'a, Q> {
        match self {
            Self::Hello { realm, details } => Message::Hello { realm, details },
            Self::Welcome { session, details } => Message::Welcome { session, details },
            Self::Abort { details, reason, payload } => {
                Message::Abort { details, reason, payload: tail(payload) }
            }
            Self::Challenge { method, extra } => Message::Challenge { method, extra },
            Self::Authenticate { signature, extra } => Message::Authenticate { signature, extra },
            Self::Goodbye { details, reason } => Message::Goodbye { details, reason },
            Self::Error { request_type, request, details, error, payload } => {
                Message::Error { request_type, request, details, error, payload: tail(payload) }
            }
            Self::Publish { request, options, topic, payload } => {
                Message::Publish { request, options, topic, payload: tail(payload) }
            }
            Self::Published { request, publication } => Message::Published { request, publication },
            Self::Subscribe { request, options, topic } => Message::Subscribe { request, options, topic },
            Self::Subscribed { request, subscription } => Message::Subscribed { request, subscription },
            Self::Unsubscribe { request, subscription } => Message::Unsubscribe { request, subscription },
            Self::Unsubscribed { request, details } => Message::Unsubscribed { request, details },
            Self::Event { subscription, publication, details, payload } => {
                Message::Event { subscription, publication, details, payload: tail(payload) }
            }
            Self::EventReceived { publication } => Message::EventReceived { publication },
            Self::Call { request, options, procedure, payload } => {
                Message::Call { request, options, procedure, payload: tail(payload) }
            }
            Self::Cancel { request, mode } => Message::Cancel { request, mode },
            Self::Result { request, details, payload } => {
                Message::Result { request, details, payload: tail(payload) }
            }
            Self::Register { request, options, procedure } => {
                Message::Register { request, options, procedure }
            }
            Self::Registered { request, registration } => Message::Registered { request, registration },
            Self::Unregister { request, registration } => Message::Unregister { request, registration },
            Self::Unregistered { request, details } => Message::Unregistered { request, details },
            Self::Invocation { request, registration, details, payload } => {
                Message::Invocation { request, registration, details, payload: tail(payload) }
            }
            Self::Interrupt { request, mode, reason } => Message::Interrupt { request, mode, reason },
            Self::Yield { request, options, payload } => {
                Message::Yield { request, options, payload: tail(payload) }
            }
        }
    }
}
