//! The meta events of registrations and subscriptions: created, joined, left, deleted, in this order.
//!
//! Whoever changes the tables tells it here, behind the answer to who asked for it. Nothing is told of subscriptions to
//! the router's own topics: who watches is no news to those who watch, and could go on forever.
//! [wamp: advanced/meta_api_registrations, advanced/meta_api_subscriptions]

use serde_json::Value;

use super::{registrations, subscriptions};
use crate::id::{RegistrationId, SessionId, SubscriptionId};
use crate::message::Dict;
use crate::payload::{Payload, Values};
use crate::router::Router;
use crate::router::context::Now;
use crate::router::dealer::Departure;
use crate::router::outbox::Outbox;
use crate::router::realm::Realm;
use crate::router::session::Joined;
use crate::uri;

/// What sessions hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    Registration(RegistrationId),
    Subscription(SubscriptionId),
}

impl Held {
    /// Whether its changes are told: it is there, and its URI is none of the router's.
    pub(crate) fn is_told<P: Payload>(self, realm: &Realm<P>) -> bool {
        let uri = match self {
            Self::Registration(id) => realm.dealer.get(id).map(|registration| &*registration.uri),
            Self::Subscription(id) => realm.broker.get(id).map(|subscription| &*subscription.uri),
        };
        uri.is_some_and(|uri| !uri::is_reserved(uri))
    }

    fn details<P: Payload>(self, realm: &Realm<P>) -> Option<Dict> {
        match self {
            Self::Registration(id) => Some(registrations::details(id, realm.dealer.get(id)?)),
            Self::Subscription(id) => Some(subscriptions::details(id, realm.broker.get(id)?)),
        }
    }

    /// Whether it went with the last session that held it.
    pub(crate) fn is_gone<P: Payload>(self, realm: &Realm<P>) -> bool {
        match self {
            Self::Registration(id) => realm.dealer.get(id).is_none(),
            Self::Subscription(id) => realm.broker.get(id).is_none(),
        }
    }

    fn id(self) -> u64 {
        match self {
            Self::Registration(id) => id.0,
            Self::Subscription(id) => id.0,
        }
    }

    fn topics(self) -> &'static Topics {
        match self {
            Self::Registration(_) => &Topics::REGISTRATION,
            Self::Subscription(_) => &Topics::SUBSCRIPTION,
        }
    }
}

struct Topics {
    created: &'static str,
    joined: &'static str,
    left: &'static str,
    deleted: &'static str,
}

impl Topics {
    const REGISTRATION: Self = Self {
        created: "wamp.registration.on_create",
        joined: "wamp.registration.on_register",
        left: "wamp.registration.on_unregister",
        deleted: "wamp.registration.on_delete",
    };
    const SUBSCRIPTION: Self = Self {
        created: "wamp.subscription.on_create",
        joined: "wamp.subscription.on_subscribe",
        left: "wamp.subscription.on_unsubscribe",
        deleted: "wamp.subscription.on_delete",
    };

    fn is_end_wanted<P: Payload>(&self, realm: &Realm<P>) -> bool {
        realm.broker.has_subscription(self.left) || realm.broker.has_subscription(self.deleted)
    }
}

/// What a session holds whose end somebody wants to hear of, to be told when it has left.
pub(crate) fn held_by<P: Payload>(joined: &Joined, realm: &Realm<P>) -> Vec<Held> {
    let mut held = Vec::new();
    if Topics::REGISTRATION.is_end_wanted(realm) {
        held.extend(joined.registrations.iter().map(|(id, ())| Held::Registration(*id)));
    }
    if Topics::SUBSCRIPTION.is_end_wanted(realm) {
        held.extend(joined.subscriptions.iter().map(|(id, ())| Held::Subscription(*id)));
    }
    held.retain(|held| held.is_told(realm));
    held
}

impl<P: Payload> Router<P> {
    /// Tells that a session holds something that it did not before, and which was not there before if `is_new`.
    pub(in crate::router) fn publish_added(
        &mut self,
        realm: usize,
        session: SessionId,
        held: Held,
        is_new: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        if !held.is_told(&self.realms[realm]) {
            return;
        }
        let topics = held.topics();
        if is_new && self.realms[realm].broker.has_subscription(topics.created) {
            let details = held.details(&self.realms[realm]).map_or(Value::Null, Value::Object);
            let values = || Values::args([session.0.into(), details.clone()]);
            self.publish_meta(realm, topics.created, &values, now, outbox);
        }
        let values = || Values::args([session.0.into(), held.id().into()]);
        self.publish_meta(realm, topics.joined, &values, now, outbox);
    }

    /// Tells that a session is a callee no longer.
    pub(in crate::router) fn publish_departure(
        &mut self,
        realm: usize,
        departure: Departure,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let Departure { registration, session, was_last } = departure;
        // No registration has a URI of the router's.
        self.publish_removed(realm, session, Held::Registration(registration), was_last, now, outbox);
    }

    /// Tells that a session holds no longer what [was told](Held::is_told), and that it went with the session if
    /// `is_gone`.
    pub(in crate::router) fn publish_removed(
        &mut self,
        realm: usize,
        session: SessionId,
        held: Held,
        is_gone: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let topics = held.topics();
        let values = || Values::args([session.0.into(), held.id().into()]);
        self.publish_meta(realm, topics.left, &values, now, outbox);
        if is_gone {
            self.publish_meta(realm, topics.deleted, &values, now, outbox);
        }
    }
}
