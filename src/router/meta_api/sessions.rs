//! The procedures of the session meta API, and what its events say. [wamp: advanced/meta_api_sessions]

use std::sync::Arc;

use serde_json::Value;

use super::{Answer, Effect, MetaCall, no_such_session};
use crate::config::OnLeave;
use crate::id::{SessionId, SessionKey};
use crate::message::Dict;
use crate::payload::{Payload, Values};
use crate::router::fault::{self, Refusal};
use crate::router::session::Joined;

/// The argument of `count` and `list`.
const FILTER: &str = "filter_authroles";

pub(crate) const ON_JOIN: &str = "wamp.session.on_join";
pub(crate) const ON_LEAVE: &str = "wamp.session.on_leave";
/// The names of Crossbar.io before 0.11; both carry the details of the session.
pub(crate) const OLD_ON_JOIN: &str = "wamp.metaevent.session.on_join";
pub(crate) const OLD_ON_LEAVE: &str = "wamp.metaevent.session.on_leave";

/// Sessions to end with GOODBYE.
#[derive(Debug)]
pub(crate) struct Kill {
    pub sessions: Vec<SessionKey>,
    pub reason: String,
    pub message: Option<String>,
    /// Whether the others hear of it: [meta_api_sessions] `kill_all` causes neither meta events nor testaments.
    pub announce: bool,
}

/// `count(filter_authroles?)`.
pub(super) fn count<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    Ok(Answer::one(match call.argument(0, FILTER) {
        None => call.realm.sessions.len(),
        Some(_) => filtered(call)?.len(),
    }))
}

/// `list(filter_authroles?)`.
pub(super) fn list<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    Ok(Answer::one(ids(&filtered(call)?)))
}

/// `get(session)`.
pub(super) fn get<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (_, joined) = call.named_session()?;
    Ok(Answer::one(Value::Object(Dict::clone(&joined.details))))
}

/// `kill(session; reason?, message?)`.
pub(super) fn kill<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (key, joined) = call.named_session()?;
    if key == call.caller {
        return Err(no_such_session(joined.id));
    }
    kill_all_of(call, Value::Null, &[(key, joined.id)], true)
}

/// `kill_by_authid(authid; reason?, message?)`: which sessions there were, but for the caller.
pub(super) fn kill_by_authid<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let authid = call.text(0, "authid")?;
    let others = others(call, |joined| *joined.authid == *authid);
    kill_all_of(call, ids(&others), &others, true)
}

/// `kill_by_authrole(authrole; reason?, message?)`: how many sessions there were, but for the caller.
pub(super) fn kill_by_authrole<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let authrole = call.text(0, "authrole")?;
    let others = others(call, |joined| *joined.authrole == *authrole);
    kill_all_of(call, others.len().into(), &others, true)
}

/// `kill_all(; reason?, message?)`: how many sessions there were, but for the caller.
pub(super) fn kill_all<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let others = others(call, |_| true);
    kill_all_of(call, others.len().into(), &others, false)
}

/// The positional arguments of `wamp.session.on_leave`.
pub(crate) fn on_leave(joined: &Joined, style: OnLeave) -> Values {
    match style {
        OnLeave::Session => Values::args([Value::from(joined.id.0)]),
        OnLeave::SessionAuthidAuthrole => Values::args([
            Value::from(joined.id.0),
            Value::from(&*joined.authid),
            Value::from(&*joined.authrole),
        ]),
    }
}

/// The one positional argument of the other session events.
pub(crate) fn details(details: &Arc<Dict>) -> Values {
    Values::args([Value::Object(Dict::clone(details))])
}

/// The sessions of the realm, or those with one of the authroles of the optional filter.
fn filtered<P: Payload>(call: &MetaCall<'_, P>) -> Result<Vec<(SessionKey, SessionId)>, Refusal> {
    let roles = match call.argument(0, FILTER) {
        None => None,
        Some(Value::Array(roles)) if roles.iter().all(Value::is_string) => Some(roles),
        found => {
            let other =
                found.and_then(Value::as_array).and_then(|roles| roles.iter().find(|role| !role.is_string()));
            return Err(call.invalid(FILTER, "a list of authroles", other.or(found)));
        }
    };
    Ok(all(call, |_, joined| {
        roles.is_none_or(|roles| roles.iter().any(|role| role.as_str() == Some(&joined.authrole)))
    }))
}

fn others<P: Payload>(
    call: &MetaCall<'_, P>,
    wanted: impl Fn(&Joined) -> bool,
) -> Vec<(SessionKey, SessionId)> {
    all(call, |key, joined| key != call.caller && wanted(joined))
}

fn all<P: Payload>(
    call: &MetaCall<'_, P>,
    wanted: impl Fn(SessionKey, &Joined) -> bool,
) -> Vec<(SessionKey, SessionId)> {
    let joined = |key| {
        let (_, joined) = call.sessions.joined(key).expect("a session of the realm has joined");
        wanted(key, joined).then_some((key, joined.id))
    };
    call.realm.sessions().filter_map(joined).collect()
}

fn ids(sessions: &[(SessionKey, SessionId)]) -> Value {
    sessions.iter().map(|(_, id)| id.0).collect::<Vec<u64>>().into()
}

/// Kills sessions for the reason that the arguments give; null answers nothing.
fn kill_all_of<P: Payload>(
    call: &MetaCall<'_, P>,
    answer: Value,
    sessions: &[(SessionKey, SessionId)],
    announce: bool,
) -> Result<Answer, Refusal> {
    // Crossbar.io, which has no `kill_all`, takes both by position, too.
    let (reason, message) = if announce { (1, 2) } else { (usize::MAX, usize::MAX) };
    let reason = call.reason(reason)?.unwrap_or_else(|| fault::CLOSE_KILLED.to_owned());
    let message = call.sentence(message, "message")?;
    let sessions = sessions.iter().map(|(key, _)| *key).collect();
    let kill = Effect::Kill(Kill { sessions, reason, message, announce });
    let results = if answer.is_null() { Answer::default() } else { Answer::one(answer) };
    Ok(Answer { effect: Some(kill), ..results })
}
