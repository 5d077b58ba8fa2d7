//! The procedures of the testament meta API. What is kept, and what becomes of it, is in
//! [`testament`](crate::router::testament). [wamp: advanced/pubsub_testament]

use std::slice;

use serde_json::Value;

use super::{Answer, MetaCall, argument, arguments};
use crate::auth::authorizer::Action;
use crate::codec::{self, Serializer, value_as_id};
use crate::config::Limits;
use crate::id::PublicationId;
use crate::message::{Dict, Message, MessageType};
use crate::payload::{Payload, Values};
use crate::router::fault::{self, Refusal};
use crate::router::testament::Scope;
use crate::router::vetting::{check_audience, check_disclosure, check_uri, denied, refuse_reserved};
use crate::uri::MatchPolicy;

/// The procedure that adds one.
pub(super) const ADD_TESTAMENT: &str = "wamp.session.add_testament";

/// `add_testament(topic, args, kwargs; publish_options?, scope?)`: the id that the publication will have.
///
/// Whatever a PUBLISH would be refused for is refused now, when there is somebody to hear it. So it is now that an
/// authorizer is asked about the publication, after the call; what it says holds when the session has ended.
pub(super) fn add<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let scope = scope(call, 4)?;
    let topic = call.text(0, "topic")?;
    let (args, kwargs) = (list(call, 1, "args")?, dictionary(call, 2, "kwargs")?);
    let mut options = dictionary(call, 3, "publish_options")?;
    // An integral float is an integer, but in JSON it would be none.
    for name in ["exclude", "eligible", "x_retain_ms"] {
        let values = match options.get_mut(name) {
            Some(Value::Array(sessions)) => &mut sessions[..],
            Some(value) => slice::from_mut(value),
            None => continue,
        };
        for value in values {
            if let Some(integer) = value_as_id(value) {
                *value = integer.into();
            }
        }
    }

    let code = u64::from(MessageType::Publish.code());
    let mut publish = vec![code.into(), 1.into(), Value::Object(options), topic.into()];
    if !args.is_empty() || !kwargs.is_empty() {
        publish.push(Value::Array(args));
    }
    if !kwargs.is_empty() {
        publish.push(Value::Object(kwargs));
    }
    let (publish, _) = codec::encode_values(&Values::args(publish), Serializer::Json);
    let options = match codec::decode(Serializer::Json, &publish, &call.limits.decode()) {
        Ok((Message::Publish { options, .. }, _)) => options,
        Ok(_) => return Err(call.invalid("topic", "that of a PUBLISH", None)),
        Err(error) => {
            let text = format!("{}: {error}", call.procedure);
            return Err(Refusal::new(fault::INVALID_ARGUMENT, text));
        }
    };
    let (_, joined) = call.sessions.joined(call.caller).expect("the caller has joined");
    let config = &call.realm.config;
    check_uri(topic, MatchPolicy::Exact, config.uri_check, call.limits.uri_length)?;
    refuse_reserved(topic)?;
    check_audience(&options, call.limits)?;
    let role = &config.roles[joined.role];
    let asked = role.authorizer().and(joined.testaments.allowed);
    let decision = asked.unwrap_or_else(|| role.authorize(topic, Action::Publish));
    if !decision.allow {
        return Err(denied(role, topic, Action::Publish));
    }
    check_disclosure(options.disclose_me, decision)?;
    if !joined.announced.publisher_passthru.covers(&options.passthru) {
        return Err(fault::passthru_not_supported("the publisher"));
    }

    let id = PublicationId(call.random.id());
    let (_, joined) = call.sessions.joined_mut(call.caller).expect("the caller has joined");
    joined.testaments.add(scope, id, publish.into(), asked, call.limits)?;
    Ok(Answer::one(id.0))
}

/// The topic and the `publish_options` of the testament that a message adds, if it does.
pub(in crate::router) fn wanted<P: Payload>(
    message: &Message<'_, P>,
    limits: &Limits,
) -> Option<(String, Dict)> {
    let Message::Call { procedure, payload, .. } = message else { return None };
    if procedure != ADD_TESTAMENT {
        return None;
    }
    let values = arguments(procedure, payload, limits).ok()?;
    let topic = argument(&values, 0, "topic")?.as_str()?.to_owned();
    let options = argument(&values, 3, "publish_options").and_then(Value::as_object).cloned();
    Some((topic, options.unwrap_or_default()))
}

/// `flush_testaments(scope?)`: how many there were.
pub(super) fn flush<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let scope = scope(call, 0)?;
    let (_, joined) = call.sessions.joined_mut(call.caller).expect("the caller has joined");
    Ok(Answer::one(joined.testaments.flush(scope)))
}

fn scope<P: Payload>(call: &MetaCall<'_, P>, position: usize) -> Result<Scope, Refusal> {
    let Some(scope) = call.argument(position, "scope") else { return Ok(Scope::default()) };
    let known = scope.as_str().and_then(Scope::from_name);
    known.ok_or_else(|| {
        call.wrong(fault::TESTAMENT_ERROR, "scope", "\"detached\" or \"destroyed\"", Some(scope))
    })
}

fn list<P: Payload>(call: &MetaCall<'_, P>, position: usize, name: &str) -> Result<Vec<Value>, Refusal> {
    match call.argument(position, name) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.clone()),
        found => Err(call.invalid(name, "a list", found)),
    }
}

fn dictionary<P: Payload>(call: &MetaCall<'_, P>, position: usize, name: &str) -> Result<Dict, Refusal> {
    match call.argument(position, name) {
        None => Ok(Dict::new()),
        Some(Value::Object(dict)) => Ok(dict.clone()),
        found => Err(call.invalid(name, "a dictionary", found)),
    }
}
