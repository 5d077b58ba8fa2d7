//! Revocation: registrations and subscriptions that are taken away from those who hold them.
//!
//! Owns what the session is told, and the others. [wamp: advanced/rpc_registration_revocation,
//! advanced/pubsub_subscription_revocation]

use super::Router;
use super::context::Now;
use super::meta_api::changes::Held;
use super::outbox::Outbox;
use crate::id::{RegistrationId, RequestId, SessionKey, SubscriptionId};
use crate::message::{Message, UnsubscribedDetails};
use crate::payload::Payload;

/// The request of what nobody asked for.
const UNASKED: RequestId = RequestId(0);

impl<P: Payload> Router<P> {
    /// Takes a callee out of a registration; it may still answer the invocations that it has. Where it did not announce
    /// that it understands an UNREGISTERED that it did not ask for, it is told nothing.
    pub(super) fn remove_callee(
        &mut self,
        registration: RegistrationId,
        key: SessionKey,
        reason: Option<&str>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let (realms, mut cx) = self.split(now, outbox);
        let Some((_, joined)) = cx.sessions.joined(key) else { return };
        let realm = joined.realm;
        if let Some(departure) = realms[realm].dealer.revoke(&mut cx, registration, key, reason) {
            self.publish_departure(realm, departure, now, outbox);
        }
    }

    /// Takes a subscriber out of a subscription. Where it did not announce that it understands an UNSUBSCRIBED that it
    /// did not ask for, it is told nothing.
    pub(super) fn remove_subscriber(
        &mut self,
        subscription: SubscriptionId,
        key: SessionKey,
        reason: Option<&str>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let (realms, cx) = self.split(now, outbox);
        let Some((transport, joined)) = cx.sessions.joined_mut(key) else { return };
        let (realm, session) = (joined.realm, joined.id);
        if joined.subscriptions.remove(subscription).is_none() {
            return;
        }
        let held = Held::Subscription(subscription);
        let is_told = held.is_told(&realms[realm]);
        realms[realm].broker.unsubscribe(subscription, key);
        let is_gone = held.is_gone(&realms[realm]);
        if joined.announced.subscriber_subscription_revocation {
            let reason = reason.map(Into::into);
            let details = Some(UnsubscribedDetails { subscription: Some(subscription), reason });
            let message = Message::Unsubscribed { request: UNASKED, details };
            cx.outbox.send(key, transport.accepts(), message);
        }
        if is_told {
            self.publish_removed(realm, session, held, is_gone, now, outbox);
        }
    }
}
