//! The options and details of messages on the hot path, as types.
//!
//! Owns their fields, names and defaults. How they are read and written is in [`codec`](crate::codec).

use std::borrow::Cow;

use crate::id::{RegistrationId, SessionId, SubscriptionId};
use crate::uri::MatchPolicy;

/// Payload passthru attributes, carried opaquely: the specification's `ppt_*` and Autobahn's older `enc_*`.
/// `None` everywhere for an ordinary message. [wamp: advanced/payload_passthru_mode]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passthru<'a>(pub Option<Box<PassthruAttributes<'a>>>);

/// The attributes behind [`Passthru`]; boxed because almost no message has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PassthruAttributes<'a> {
    pub ppt_scheme: Option<Cow<'a, str>>,
    pub ppt_serializer: Option<Cow<'a, str>>,
    pub ppt_cipher: Option<Cow<'a, str>>,
    pub ppt_keyid: Option<Cow<'a, str>>,
    /// One of `cryptobox`, `mqtt`, `xbr` or `x_*`; the Args slot then holds one string or binary.
    pub enc_algo: Option<Cow<'a, str>>,
    pub enc_key: Option<Cow<'a, str>>,
    /// One of `json`, `msgpack`, `cbor`, `ubjson`, `flatbuffers`, `opaque` or `x_*`.
    pub enc_serializer: Option<Cow<'a, str>>,
}

impl Passthru<'_> {
    /// Whether the Args slot holds one string or binary.
    pub fn has_encoded_args(&self) -> bool {
        self.0.as_ref().is_some_and(|attributes| attributes.enc_algo.is_some())
    }

    /// Bytes of all its texts.
    pub(crate) fn text_len(&self) -> usize {
        let Some(attributes) = &self.0 else { return 0 };
        let PassthruAttributes { ppt_scheme, ppt_serializer, ppt_cipher, ppt_keyid, .. } = &**attributes;
        let PassthruAttributes { enc_algo, enc_key, enc_serializer, .. } = &**attributes;
        [ppt_scheme, ppt_serializer, ppt_cipher, ppt_keyid, enc_algo, enc_key, enc_serializer]
            .into_iter()
            .flatten()
            .map(|text| text.len())
            .sum()
    }
}

/// A set of sessions named by id, authid and authrole; `None` where the attribute is absent, which differs from an
/// empty list. [wamp: advanced/pubsub_subscriber_blackwhite_listing]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audience<'a> {
    pub sessions: Option<Vec<SessionId>>,
    pub authids: Option<Vec<Cow<'a, str>>>,
    pub authroles: Option<Vec<Cow<'a, str>>>,
}

impl Audience<'_> {
    /// Bytes of all its names.
    pub(crate) fn text_len(&self) -> usize {
        let texts = [&self.authids, &self.authroles].into_iter().flatten().flatten();
        texts.map(|text| text.len()).sum::<usize>() + 8 * self.sessions.as_ref().map_or(0, Vec::len)
    }

    /// How many names all lists have together.
    pub fn len(&self) -> usize {
        let Self { sessions, authids, authroles } = self;
        sessions.as_ref().map_or(0, Vec::len)
            + authids.as_ref().map_or(0, Vec::len)
            + authroles.as_ref().map_or(0, Vec::len)
    }

    /// Whether no list has a name in it; an empty list may still be there, and mean something.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Who may get an event, where not everybody may: whom all lists of `eligible` name, and none of `exclude`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restrictions<'a> {
    /// `eligible`, `eligible_authid`, `eligible_authrole`.
    pub eligible: Audience<'a>,
    /// `exclude`, `exclude_authid`, `exclude_authrole`.
    pub exclude: Audience<'a>,
}

impl Restrictions<'_> {
    /// Bytes of all its names.
    pub(crate) fn text_len(&self) -> usize {
        self.eligible.text_len() + self.exclude.text_len()
    }

    /// How many names they have.
    pub fn names(&self) -> usize {
        self.eligible.len() + self.exclude.len()
    }

    /// Whether they are such that everybody may get it.
    pub fn exclude_nobody(&self) -> bool {
        self.eligible == Audience::default() && self.exclude.is_empty()
    }
}

/// `PUBLISH.Options`.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishOptions<'a> {
    /// Answer with PUBLISHED or ERROR. Default false.
    pub acknowledge: bool,
    /// Do not send the event to its publisher. Default true.
    pub exclude_me: bool,
    /// Reveal the publisher to the subscribers. Default false.
    pub disclose_me: bool,
    /// Keep the event for later subscribers. Default false.
    pub retain: bool,
    /// `x_retain_ms`: milliseconds for which it is kept. Default as long as the realm's configuration says.
    pub retain_ms: Option<u64>,
    /// Boxed because almost no message has them.
    pub restrictions: Option<Box<Restrictions<'a>>>,
    pub passthru: Passthru<'a>,
}

impl Default for PublishOptions<'_> {
    fn default() -> Self {
        Self {
            acknowledge: false,
            exclude_me: true,
            disclose_me: false,
            retain: false,
            retain_ms: None,
            restrictions: None,
            passthru: Passthru::default(),
        }
    }
}

/// `SUBSCRIBE.Options`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubscribeOptions {
    /// `match`. Default exact.
    pub match_policy: MatchPolicy,
    /// Send the retained event of the topic, if any. Default false.
    pub get_retained: bool,
}

/// `UNSUBSCRIBED.Details` of a revocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnsubscribedDetails<'a> {
    pub subscription: Option<SubscriptionId>,
    pub reason: Option<Cow<'a, str>>,
}

/// `EVENT.Details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventDetails<'a> {
    pub publisher: Option<SessionId>,
    pub publisher_authid: Option<Cow<'a, str>>,
    pub publisher_authrole: Option<Cow<'a, str>>,
    /// The concrete topic; present on pattern subscriptions.
    pub topic: Option<Cow<'a, str>>,
    pub retained: bool,
    pub trustlevel: Option<u64>,
    pub passthru: Passthru<'a>,
}

/// `CALL.Options`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallOptions<'a> {
    /// Milliseconds; zero or absent is no limit.
    pub timeout: u64,
    pub receive_progress: bool,
    /// This CALL is one piece of a progressive call invocation.
    pub progress: bool,
    pub disclose_me: bool,
    pub passthru: Passthru<'a>,
}

/// `CANCEL.Options.mode` and `INTERRUPT.Options.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelMode {
    Skip,
    Kill,
    KillNoWait,
}

impl CancelMode {
    /// The value of the `mode` option.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Kill => "kill",
            Self::KillNoWait => "killnowait",
        }
    }

    /// The mode that the option names, if any.
    pub fn from_option(text: &str) -> Option<Self> {
        match text {
            "skip" => Some(Self::Skip),
            "kill" => Some(Self::Kill),
            "killnowait" => Some(Self::KillNoWait),
            _ => None,
        }
    }
}

/// `RESULT.Details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultDetails<'a> {
    pub progress: bool,
    pub passthru: Passthru<'a>,
}

/// `REGISTER.Options.invoke`: which callee of a shared registration answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvokePolicy {
    #[default]
    Single,
    First,
    Last,
    RoundRobin,
    Random,
}

impl InvokePolicy {
    /// The value of the `invoke` option.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::First => "first",
            Self::Last => "last",
            Self::RoundRobin => "roundrobin",
            Self::Random => "random",
        }
    }

    /// The policy that the option names, if any.
    pub fn from_option(text: &str) -> Option<Self> {
        match text {
            "single" => Some(Self::Single),
            "first" => Some(Self::First),
            "last" => Some(Self::Last),
            "roundrobin" => Some(Self::RoundRobin),
            "random" => Some(Self::Random),
            _ => None,
        }
    }
}

/// `REGISTER.Options`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegisterOptions {
    /// `match`. Default exact.
    pub match_policy: MatchPolicy,
    /// `invoke`. Default single.
    pub invoke: InvokePolicy,
    /// Ask for every caller's identity. Default false.
    pub disclose_caller: bool,
    /// Most invocations at once, per callee; absent is no limit.
    pub concurrency: Option<u64>,
    /// Take the procedure from whoever holds it. Default false.
    pub force_reregister: bool,
    /// The callee watches call timeouts itself. Default false.
    pub forward_timeout: bool,
}

/// `UNREGISTERED.Details` of a revocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnregisteredDetails<'a> {
    pub registration: Option<RegistrationId>,
    pub reason: Option<Cow<'a, str>>,
}

/// `INVOCATION.Details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InvocationDetails<'a> {
    pub caller: Option<SessionId>,
    pub caller_authid: Option<Cow<'a, str>>,
    pub caller_authrole: Option<Cow<'a, str>>,
    /// The concrete procedure; present on pattern registrations.
    pub procedure: Option<Cow<'a, str>>,
    pub receive_progress: bool,
    pub progress: bool,
    /// Milliseconds.
    pub timeout: Option<u64>,
    pub trustlevel: Option<u64>,
    pub passthru: Passthru<'a>,
}

/// `YIELD.Options`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct YieldOptions<'a> {
    pub progress: bool,
    pub passthru: Passthru<'a>,
}
