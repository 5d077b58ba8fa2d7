//! The session meta API: procedures that the router itself answers, and events that it publishes.
//!
//! Owns names, arguments and answers. What a kill does to a session is in [`router`](super).
//! [wamp: advanced/meta_api_sessions]

use std::sync::Arc;

use serde_json::Value;

use super::fault::{self, Refusal};
use super::realm::Realm;
use super::session::{Joined, Sessions};
use crate::codec::value_as_id;
use crate::config::OnLeave;
use crate::id::{SessionId, SessionKey};
use crate::message::Dict;
use crate::payload::Values;
use crate::uri::{self, UriCheck};

pub(crate) const ON_JOIN: &str = "wamp.session.on_join";
pub(crate) const ON_LEAVE: &str = "wamp.session.on_leave";
/// The names of Crossbar.io before 0.11; both carry the details of the session.
pub(crate) const OLD_ON_JOIN: &str = "wamp.metaevent.session.on_join";
pub(crate) const OLD_ON_LEAVE: &str = "wamp.metaevent.session.on_leave";

/// What a meta procedure answers, and whom the router then ends.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub values: Values,
    pub kill: Option<Kill>,
}

/// Sessions to end with GOODBYE.
#[derive(Debug)]
pub(crate) struct Kill {
    pub sessions: Vec<SessionKey>,
    pub reason: String,
    pub message: Option<String>,
    /// Whether the others hear of it: [meta_api_sessions] `kill_all` causes no meta events.
    pub announce: bool,
}

/// Whether the router itself answers calls of `procedure`.
pub(crate) fn is_procedure(procedure: &str) -> bool {
    matches!(
        procedure,
        "wamp.session.count"
            | "wamp.session.list"
            | "wamp.session.get"
            | "wamp.session.kill"
            | "wamp.session.kill_by_authid"
            | "wamp.session.kill_by_authrole"
            | "wamp.session.kill_all"
    )
}

/// Answers a call of a procedure for which [`is_procedure`] holds.
pub(crate) fn call(
    procedure: &str,
    values: &Values,
    caller: SessionKey,
    realm: &Realm,
    sessions: &Sessions,
    uri_length: usize,
) -> Result<Answer, Refusal> {
    match procedure {
        "wamp.session.count" => {
            let count = filtered(procedure, values, realm, sessions)?.count();
            Ok(answer([Value::from(count)]))
        }
        "wamp.session.list" => {
            let ids: Vec<u64> =
                filtered(procedure, values, realm, sessions)?.map(|(_, joined)| joined.id.0).collect();
            Ok(answer([Value::from(ids)]))
        }
        "wamp.session.get" => {
            let (_, joined) = session_argument(procedure, values, realm, sessions)?;
            Ok(answer([Value::Object(Dict::clone(&joined.details))]))
        }
        "wamp.session.kill" => {
            let (key, joined) = session_argument(procedure, values, realm, sessions)?;
            if key == caller {
                return Err(no_such_session(joined.id));
            }
            let kill = kill(vec![key], true, procedure, &values.kwargs, uri_length)?;
            Ok(Answer { values: Values::default(), kill: Some(kill) })
        }
        "wamp.session.kill_by_authid" => {
            let authid = text_argument(procedure, "the authid", values)?;
            let others = others(caller, realm, sessions, |joined| *joined.authid == *authid);
            let ids: Vec<u64> = others.iter().map(|(_, id)| id.0).collect();
            let keys = others.into_iter().map(|(key, _)| key).collect();
            let kill = kill(keys, true, procedure, &values.kwargs, uri_length)?;
            Ok(Answer { values: Values::args([Value::from(ids)]), kill: Some(kill) })
        }
        "wamp.session.kill_by_authrole" => {
            let authrole = text_argument(procedure, "the authrole", values)?;
            let others = others(caller, realm, sessions, |joined| *joined.authrole == *authrole);
            kill_and_count(others, true, procedure, &values.kwargs, uri_length)
        }
        _ => kill_and_count(
            others(caller, realm, sessions, |_| true),
            false,
            procedure,
            &values.kwargs,
            uri_length,
        ),
    }
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

fn answer(args: impl IntoIterator<Item = Value>) -> Answer {
    Answer { values: Values::args(args), kill: None }
}

fn invalid_argument(procedure: &str, text: impl std::fmt::Display) -> Refusal {
    Refusal::new(fault::INVALID_ARGUMENT, format!("{procedure}: {text}"))
}

fn no_such_session(id: impl std::fmt::Display) -> Refusal {
    Refusal::new(fault::NO_SUCH_SESSION, format!("no other session {id} has joined this realm"))
}

/// The sessions of the realm, or those with one of the authroles of the optional filter.
fn filtered<'a>(
    procedure: &str,
    values: &Values,
    realm: &'a Realm,
    sessions: &'a Sessions,
) -> Result<impl Iterator<Item = (SessionKey, &'a Joined)>, Refusal> {
    let argument = values.args.first().or_else(|| values.kwargs.get("filter_authroles"));
    let roles = match argument {
        None | Some(Value::Null) => None,
        Some(Value::Array(roles)) => {
            let roles: Option<Vec<String>> =
                roles.iter().map(|role| role.as_str().map(str::to_owned)).collect();
            Some(roles.ok_or_else(|| {
                invalid_argument(procedure, "filter_authroles holds something that is no string")
            })?)
        }
        Some(_) => return Err(invalid_argument(procedure, "filter_authroles must be a list of authroles")),
    };
    Ok(all(realm, sessions).filter(move |(_, joined)| {
        roles.as_ref().is_none_or(|roles| roles.iter().any(|role| **role == *joined.authrole))
    }))
}

fn all<'a>(realm: &'a Realm, sessions: &'a Sessions) -> impl Iterator<Item = (SessionKey, &'a Joined)> {
    realm.sessions().map(|key| {
        let (_, joined) = sessions.joined(key).expect("a session of the realm has joined");
        (key, joined)
    })
}

fn others(
    caller: SessionKey,
    realm: &Realm,
    sessions: &Sessions,
    wanted: impl Fn(&Joined) -> bool,
) -> Vec<(SessionKey, SessionId)> {
    all(realm, sessions)
        .filter(|(key, joined)| *key != caller && wanted(joined))
        .map(|(key, joined)| (key, joined.id))
        .collect()
}

fn session_argument<'a>(
    procedure: &str,
    values: &Values,
    realm: &Realm,
    sessions: &'a Sessions,
) -> Result<(SessionKey, &'a Joined), Refusal> {
    let argument = values.args.first().or_else(|| values.kwargs.get("session"));
    let Some(id) = argument.and_then(value_as_id) else {
        return Err(invalid_argument(procedure, "the first argument must be a session id"));
    };
    let key = realm.sessions.get(&SessionId(id)).ok_or_else(|| no_such_session(id))?;
    let (_, joined) = sessions.joined(*key).expect("a session of the realm has joined");
    Ok((*key, joined))
}

fn text_argument<'a>(procedure: &str, what: &str, values: &'a Values) -> Result<&'a str, Refusal> {
    let argument = values.args.first().and_then(Value::as_str);
    argument.ok_or_else(|| {
        invalid_argument(procedure, format_args!("the first argument must be {what}, a string"))
    })
}

fn kill(
    sessions: Vec<SessionKey>,
    announce: bool,
    procedure: &str,
    kwargs: &Dict,
    uri_length: usize,
) -> Result<Kill, Refusal> {
    let reason = match kwargs.get("reason") {
        None | Some(Value::Null) => fault::CLOSE_KILLED.to_owned(),
        Some(Value::String(reason))
            if reason.len() <= uri_length && uri::is_valid(reason, UriCheck::Loose) =>
        {
            reason.clone()
        }
        Some(_) => {
            return Err(Refusal::new(
                fault::INVALID_URI,
                format!("{procedure}: the reason must be a valid URI"),
            ));
        }
    };
    let message = match kwargs.get("message") {
        None | Some(Value::Null) => None,
        Some(Value::String(message)) if message.len() <= MAX_MESSAGE => Some(message.clone()),
        Some(_) => {
            return Err(invalid_argument(procedure, "the message must be a string of at most 1024 bytes"));
        }
    };
    Ok(Kill { sessions, reason, message, announce })
}

/// Bytes of the text that is sent to every session that is killed.
const MAX_MESSAGE: usize = 1_024;

fn kill_and_count(
    others: Vec<(SessionKey, SessionId)>,
    announce: bool,
    procedure: &str,
    kwargs: &Dict,
    uri_length: usize,
) -> Result<Answer, Refusal> {
    let count = others.len();
    let kill =
        kill(others.into_iter().map(|(key, _)| key).collect(), announce, procedure, kwargs, uri_length)?;
    Ok(Answer { values: Values::args([Value::from(count)]), kill: Some(kill) })
}
