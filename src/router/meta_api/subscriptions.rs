//! The procedures of the subscription meta API. [wamp: advanced/meta_api_subscriptions]

use serde_json::Value;

use super::{Answer, Effect, MetaCall, by_policy};
use crate::id::SubscriptionId;
use crate::message::Dict;
use crate::payload::Payload;
use crate::router::broker::Subscription;
use crate::router::fault::{self, Refusal};

/// `list(session_id?)`: of the realm, or of one session.
pub(super) fn list<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let broker = &call.realm.broker;
    let held = |id: SubscriptionId| Some((id.0, broker.get(id)?.policy));
    Ok(match call.wanted_session()? {
        None => by_policy(&mut broker.subscriptions().map(|(id, held)| (id.0, held.policy))),
        Some(joined) => by_policy(&mut joined.subscriptions.iter().filter_map(|(id, ())| held(*id))),
    })
}

/// `lookup(topic, {match}?)`: the one of exactly this URI and policy.
pub(super) fn lookup<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (topic, policy) = (call.text(0, "topic")?, call.match_policy()?);
    let found = call.realm.broker.find(topic, policy);
    Ok(Answer::one(found.map_or(Value::Null, |id| id.0.into())))
}

/// `match(topic)`: all that an event on the topic would go to.
pub(super) fn matches<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let found = call.realm.broker.matches(call.text(0, "topic")?);
    Ok(Answer::one(if found.is_empty() { Value::Null } else { found.into() }))
}

/// `get(subscription_id)`.
pub(super) fn get<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (id, subscription) = subscription(call)?;
    Ok(Answer::one(Value::Object(details(id, subscription))))
}

/// `list_subscribers(subscription_id)`.
pub(super) fn list_subscribers<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (_, subscription) = subscription(call)?;
    Ok(call.session_ids(&mut subscription.subscribers.iter().map(|(key, _)| *key)))
}

/// `count_subscribers(subscription_id)`.
pub(super) fn count_subscribers<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (_, subscription) = subscription(call)?;
    Ok(Answer::one(subscription.subscribers.len()))
}

/// `remove_subscriber(subscription_id, subscriber_id, reason?)`.
pub(super) fn remove_subscriber<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (id, subscription) = subscription(call)?;
    let (key, joined) = call.session(1, "subscriber_id")?;
    if subscription.subscribers.get(key).is_none() {
        let text = format!("the session {} does not hold the subscription {id}", joined.id);
        return Err(Refusal::new(fault::NO_SUCH_SESSION, text));
    }
    let reason = call.reason(2)?;
    Ok(Answer::effect(Effect::RemoveSubscriber { subscription: id, subscriber: key, reason }))
}

/// What the meta API says of a subscription.
pub(crate) fn details(id: SubscriptionId, subscription: &Subscription) -> Dict {
    super::details(id.0, &subscription.uri, subscription.policy, subscription.created_ns)
}

fn subscription<'a, P: Payload>(
    call: &MetaCall<'a, P>,
) -> Result<(SubscriptionId, &'a Subscription), Refusal> {
    let id = SubscriptionId(call.id(0, "subscription_id")?);
    let subscription = call.realm.broker.get(id).ok_or_else(|| {
        Refusal::new(fault::NO_SUCH_SUBSCRIPTION, format!("this realm has no subscription {id}"))
    })?;
    Ok((id, subscription))
}
