//! The meta API: procedures that the router itself answers, and events that it publishes.
//!
//! Owns the table of procedures and how their arguments are read; each file below owns what the procedures of one kind
//! answer. They look and decide, and change nothing but the testaments of their caller: what a kill or a removal does
//! is in [`router`](super) and [`revocation`](super::revocation). Events about registrations and subscriptions are in
//! [`changes`], those about sessions in [`sessions`].
//! [wamp: advanced/meta_api_*, advanced/pubsub_testament]

mod authorization;
pub(crate) mod changes;
mod history;
pub(crate) mod registrations;
pub(crate) mod sessions;
pub(crate) mod subscriptions;
pub(super) mod testaments;

use serde_json::Value;

use super::context::{Now, Random};
use super::fault::{self, Refusal};
use super::realm::Realm;
use super::session::{Joined, Sessions};
use super::utc::utc_text;
use crate::codec::{self, Serializer, value_as_id};
use crate::config::{Limits, describe};
use crate::id::{RegistrationId, SessionId, SessionKey, SubscriptionId};
use crate::message::{Dict, dict};
use crate::payload::{Payload, Values};
use crate::uri::{self, MatchPolicy, UriCheck};

/// A call of one of the router's own procedures.
pub(crate) struct MetaCall<'a, P> {
    pub procedure: &'a str,
    pub values: &'a Values,
    pub caller: SessionKey,
    pub realm: &'a Realm<P>,
    pub sessions: &'a mut Sessions,
    pub random: &'a mut Random,
    pub limits: &'a Limits,
    pub now: Now,
}

/// Answers a call.
pub(crate) type Handler<P> = fn(&mut MetaCall<'_, P>) -> Result<Answer, Refusal>;

/// What a meta procedure answers, and what the router does then.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// A list of them as JSON, or nothing.
    pub results: Vec<u8>,
    pub effect: Option<Effect>,
}

/// What happens behind the answer.
#[derive(Debug)]
pub(crate) enum Effect {
    PurgeDecisions { authid: Option<String> },
    ClearRetained { topic: String, policy: MatchPolicy },
    Kill(sessions::Kill),
    RemoveCallee { registration: RegistrationId, callee: SessionKey, reason: Option<String> },
    RemoveSubscriber { subscription: SubscriptionId, subscriber: SessionKey, reason: Option<String> },
}

/// Who answers a call of `procedure`, if the router itself does.
pub(crate) fn handler<P: Payload>(procedure: &str) -> Option<Handler<P>> {
    let handler: Handler<P> = match procedure {
        "wamp.session.count" => sessions::count,
        "wamp.session.list" => sessions::list,
        "wamp.session.get" => sessions::get,
        "wamp.session.kill" => sessions::kill,
        "wamp.session.kill_by_authid" => sessions::kill_by_authid,
        "wamp.session.kill_by_authrole" => sessions::kill_by_authrole,
        "wamp.session.kill_all" => sessions::kill_all,
        testaments::ADD_TESTAMENT => testaments::add,
        "wamp.session.flush_testaments" => testaments::flush,
        "wamp.registration.list" => registrations::list,
        "wamp.registration.lookup" => registrations::lookup,
        "wamp.registration.match" => registrations::best_match,
        "wamp.registration.get" => registrations::get,
        "wamp.registration.list_callees" => registrations::list_callees,
        "wamp.registration.count_callees" => registrations::count_callees,
        "wamp.registration.remove_callee" => registrations::remove_callee,
        "wamp.subscription.list" => subscriptions::list,
        "wamp.subscription.lookup" => subscriptions::lookup,
        "wamp.subscription.match" => subscriptions::matches,
        "wamp.subscription.get" => subscriptions::get,
        "wamp.subscription.list_subscribers" => subscriptions::list_subscribers,
        "wamp.subscription.count_subscribers" => subscriptions::count_subscribers,
        "wamp.subscription.remove_subscriber" => subscriptions::remove_subscriber,
        "wamp.subscription.get_events" => history::get_events,
        CLEAR_RETAINED => history::clear_retained,
        PURGE => authorization::purge,
        _ => return None,
    };
    Some(handler)
}

/// Forgets what authorizers have decided; the specification has no procedure for it.
pub(crate) const PURGE: &str = "wamplet.authorization.purge";

/// Forgets retained events; the specification has no procedure for it.
pub(crate) const CLEAR_RETAINED: &str = "wamplet.retention.clear";

impl Answer {
    /// One positional result.
    fn one(value: impl Into<Value>) -> Self {
        Self::of(value.into())
    }

    fn of(value: Value) -> Self {
        let (results, _) = codec::encode_values(&Values::args([value]), Serializer::Json);
        Self { results, effect: None }
    }

    /// No result, but an effect.
    fn effect(effect: Effect) -> Self {
        Self { effect: Some(effect), ..Self::default() }
    }
}

/// The arguments of a call. As values they take many times the memory that they take in a message, so they may have no more
/// bytes than any that are of use: those of a testament, in the serializer that needs most for them.
pub(crate) fn arguments<P: Payload>(
    procedure: &str,
    payload: &P,
    limits: &Limits,
) -> Result<Values, Refusal> {
    let (length, most) =
        (payload.memory_len(), limits.testament_length.saturating_mul(4).saturating_add(MAX_ARGUMENTS));
    if length > most {
        let text = format!("{procedure}: expected arguments of at most {most} bytes, found {length}");
        return Err(Refusal::new(fault::LIMIT_EXCEEDED, text));
    }
    payload
        .to_values()
        .map_err(|error| Refusal::new(fault::INVALID_ARGUMENT, format!("{procedure}: {error}")))
}

/// The argument at a position, or else of this name; null is as good as none.
fn argument<'v>(values: &'v Values, position: usize, name: &str) -> Option<&'v Value> {
    let Values { args, kwargs } = values;
    let argument = args.get(position).filter(|value| !value.is_null()).or_else(|| kwargs.get(name));
    argument.filter(|value| !value.is_null())
}

impl<'a, P: Payload> MetaCall<'a, P> {
    fn argument(&self, position: usize, name: &str) -> Option<&'a Value> {
        argument(self.values, position, name)
    }

    fn text(&self, position: usize, name: &str) -> Result<&'a str, Refusal> {
        let found = self.argument(position, name);
        found.and_then(Value::as_str).ok_or_else(|| self.invalid(name, "a string", found))
    }

    fn id(&self, position: usize, name: &str) -> Result<u64, Refusal> {
        let found = self.argument(position, name);
        found.and_then(value_as_id).ok_or_else(|| self.invalid(name, "an id (an integer)", found))
    }

    /// A sentence that somebody is sent, if there is one.
    fn sentence(&self, position: usize, name: &str) -> Result<Option<String>, Refusal> {
        match self.argument(position, name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_SENTENCE => Ok(Some(text.clone())),
            found => Err(self.invalid(name, "a string of at most 1024 bytes", found)),
        }
    }

    /// The reason for what becomes of somebody, if one is given: it is sent on, so it is a URI.
    fn reason(&self, position: usize) -> Result<Option<String>, Refusal> {
        match self.argument(position, "reason") {
            None => Ok(None),
            Some(Value::String(reason))
                if reason.len() <= self.limits.uri_length && uri::is_valid(reason, UriCheck::Loose) =>
            {
                Ok(Some(reason.clone()))
            }
            found => Err(self.wrong(fault::INVALID_URI, "reason", "a valid URI", found)),
        }
    }

    /// The session that a call is about; Crossbar.io's name of the argument ends with `_id`.
    fn named_session(&self) -> Result<(SessionKey, &Joined), Refusal> {
        let is_crossbars = self.values.kwargs.contains_key("session_id");
        self.session(0, if is_crossbars { "session_id" } else { "session" })
    }

    /// The session that an argument names.
    fn session(&self, position: usize, name: &str) -> Result<(SessionKey, &Joined), Refusal> {
        let id = SessionId(self.id(position, name)?);
        let key = *self.realm.sessions.get(&id).ok_or_else(|| no_such_session(id))?;
        let (_, joined) = self.sessions.joined(key).expect("a session of the realm has joined");
        Ok((key, joined))
    }

    /// The session whose registrations or subscriptions are wanted, if not those of all.
    fn wanted_session(&self) -> Result<Option<&Joined>, Refusal> {
        if self.argument(0, "session_id").is_none() {
            return Ok(None);
        }
        self.session(0, "session_id").map(|(_, joined)| Some(joined))
    }

    /// The `match` of the options that a lookup may have.
    fn match_policy(&self) -> Result<MatchPolicy, Refusal> {
        let options = match self.argument(1, "options") {
            None => return Ok(MatchPolicy::default()),
            Some(Value::Object(options)) => options,
            found => return Err(self.invalid("options", "a dictionary", found)),
        };
        match options.get("match") {
            None | Some(Value::Null) => Ok(MatchPolicy::default()),
            Some(policy) => policy.as_str().and_then(MatchPolicy::from_option).ok_or_else(|| {
                self.invalid("options.match", "\"exact\", \"prefix\" or \"wildcard\"", Some(policy))
            }),
        }
    }

    /// The session ids of members of a registration or subscription.
    fn session_ids(&self, members: &mut dyn Iterator<Item = SessionKey>) -> Answer {
        let joined = members.filter_map(|key| self.sessions.joined(key));
        Answer::one(joined.map(|(_, joined)| joined.id.0).collect::<Vec<u64>>())
    }

    /// An argument that is not what it must be.
    fn invalid(&self, name: &str, expected: &str, found: Option<&Value>) -> Refusal {
        self.wrong(fault::INVALID_ARGUMENT, name, expected, found)
    }

    /// The same, where there is an error of its own for it.
    fn wrong(&self, error: &'static str, name: &str, expected: &str, found: Option<&Value>) -> Refusal {
        let found = describe(found);
        let text = [self.procedure, ": expected ", name, " to be ", expected, ", found ", &found].concat();
        Refusal::new(error, text)
    }
}

/// Bytes of arguments that hold no testament.
const MAX_ARGUMENTS: usize = 64 << 10;

/// Bytes of a text that the router passes on to a session in its own name.
const MAX_SENTENCE: usize = 1_024;

fn no_such_session(id: SessionId) -> Refusal {
    Refusal::new(fault::NO_SUCH_SESSION, format!("no other session {id} has joined this realm"))
}

/// What both lists answer: ids by match policy.
fn by_policy(entries: &mut dyn Iterator<Item = (u64, MatchPolicy)>) -> Answer {
    let [mut exact, mut prefix, mut wildcard]: [Vec<u64>; 3] = Default::default();
    for (id, policy) in entries {
        match policy {
            MatchPolicy::Exact => exact.push(id),
            MatchPolicy::Prefix => prefix.push(id),
            MatchPolicy::Wildcard => wildcard.push(id),
        }
    }
    let lists = [("exact", exact.into()), ("prefix", prefix.into()), ("wildcard", wildcard.into())];
    Answer::one(Value::Object(dict(lists)))
}

/// What is said of a registration and of a subscription alike.
fn details(id: u64, uri: &str, policy: MatchPolicy, created_ns: u64) -> Dict {
    dict([
        ("id", id.into()),
        ("created", utc_text(created_ns).into()),
        ("uri", uri.into()),
        ("match", policy.as_str().into()),
    ])
}
