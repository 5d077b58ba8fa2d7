//! The procedures of kept events. [wamp: advanced/pubsub_event_history]

use super::{Answer, Effect, MetaCall};
use crate::auth::authorizer::Action;
use crate::codec::{self, Serializer};
use crate::payload::Payload;
use crate::router::fault::{self, Refusal, too_long};
use crate::router::history::{Invalid, Query};
use crate::router::vetting::denied;
use crate::uri::MatchPolicy;

/// `get_events(subscription_id, limit?; filters)`: as many events as the caller can take, or the limits allow.
pub(super) fn get_events<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let query = Query::read(call.values)
        .map_err(|Invalid { name, expected, found }| call.invalid(name, expected, found))?;
    let realm = call.realm;
    let id = query.subscription;
    let subscription = realm.broker.get(id).ok_or_else(|| {
        Refusal::new(fault::NO_SUCH_SUBSCRIPTION, format!("this realm has no subscription {id}"))
    })?;
    let (transport, reader) = call.sessions.joined(call.caller).expect("a caller has joined");
    // Who may subscribe may read. Where an authorizer decides, it has for those who are subscribed.
    let role = &realm.config.roles[reader.role];
    let may_read = match (role.authorizer(), subscription.policy) {
        (Some(_), _) => reader.subscriptions.get(id).is_some(),
        (None, MatchPolicy::Exact) => role.authorize(&subscription.uri, Action::Subscribe).allow,
        (None, policy) => role.authorize_pattern(&subscription.uri, policy, Action::Subscribe).allow,
    };
    if !may_read {
        return Err(denied(role, &subscription.uri, Action::Subscribe));
    }
    if !subscription.has_history {
        let text = format!("events of the subscription {id} are not kept");
        return Err(Refusal::new(fault::HISTORY_UNAVAILABLE, text));
    }
    let accepts = transport.accepts();
    let most = query.limit.unwrap_or(usize::MAX).min(call.limits.events_at_once);
    let mut room = call.limits.message_length.min(accepts.length as usize).saturating_sub(HEAD);
    let mut results = NONE.to_vec();
    for event in realm.broker.history(&query, reader).take(most) {
        let one = event.to_answer(id, subscription.policy);
        let Ok(encoded) = codec::transcode(&one, 1, Serializer::Json, accepts.serializer) else {
            // It is as deep as messages may be, and the answer would be deeper.
            continue;
        };
        let Some(left) = room.checked_sub(encoded.len()) else {
            if results.len() == NONE.len() {
                return Err(too_long("the caller", "event"));
            }
            break;
        };
        room = left;
        if results.len() == NONE.len() {
            results = one;
        } else {
            // They become one list.
            results.truncate(results.len() - 2);
            results.push(b',');
            results.extend_from_slice(&one[2..]);
        }
    }
    Ok(Answer { results, effect: None })
}

/// `clear(topic, {match}?)`: how many retained events are forgotten.
pub(super) fn clear_retained<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (topic, policy) = (call.text(0, "topic")?, call.match_policy()?);
    let count = call.realm.broker.count_retained(topic, policy, call.now);
    let effect = Effect::ClearRetained { topic: topic.to_owned(), policy };
    Ok(Answer { effect: Some(effect), ..Answer::one(count) })
}

/// The answer where there is no event.
const NONE: &[u8] = b"[[]]";

/// Bytes that a RESULT has beside its events, at most.
const HEAD: usize = 64;
