//! The handshake: from HELLO to WELCOME or ABORT.
//!
//! Owns who may join and what it is told. [wamp: basic/sessions]

use std::sync::Arc;

use serde_json::Value;

use super::authorization::Guard;
use super::fault::{self, Fault};
use super::meta_api::sessions;
use super::outbox::{Close, Outbox};
use super::session::{Announced, Joined, State};
use super::sorted_map::SortedMap;
use super::stats::Meter;
use super::testament::Testaments;
use super::{Now, Router};
use crate::auth::{ANONYMOUS, Identity};
use crate::config::RealmConfig;
use crate::id::{RequestId, SessionId, SessionKey};
use crate::message::{Dict, Message, dict};
use crate::payload::Payload;
use crate::uri;

impl<P: Payload> Router<P> {
    /// Handles a message of a transport without a session: HELLO, or ABORT, or else it is a violation.
    pub(super) fn handle_handshake(
        &mut self,
        key: SessionKey,
        message: Message<'_, P>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        match message {
            Message::Hello { realm, details } => {
                let announced = Announced::from_hello(&details).map_err(Fault::Violation)?;
                let session = self.sessions.get(key).expect("the transport that said HELLO is open");
                let identity = session.transport.identity.clone();
                match self.admit(identity.as_ref(), realm.as_deref(), &details) {
                    Ok(place) => self.join(key, identity, place, announced, &details, now, outbox),
                    Err(refusal) => self.abort(key, refusal.error, &refusal.text, Close::Normal, now, outbox),
                }
                Ok(())
            }
            Message::Abort { .. } => {
                self.close(key, Close::Normal, outbox);
                Ok(())
            }
            other => Err(Fault::Violation(format!("expected HELLO, found {}", other.message_type().name()))),
        }
    }

    /// The realm and the position of the role for a HELLO: those that it names, or that the driver named.
    fn admit(
        &mut self,
        identity: Option<&Identity>,
        realm: Option<&str>,
        details: &Dict,
    ) -> Result<(usize, usize), fault::Refusal> {
        let refuse = |error, text: &str| fault::Refusal::new(error, text);
        let Some(name) = realm.or(identity.and_then(|identity| identity.realm.as_deref())) else {
            return Err(refuse(
                fault::NO_SUCH_REALM,
                "HELLO names no realm, and this router does not choose one",
            ));
        };
        if name.len() > self.limits.uri_length || !uri::is_valid(name, uri::UriCheck::Loose) {
            return Err(refuse(
                fault::INVALID_URI,
                "HELLO.Realm|uri: expected a URI without white space and '#'",
            ));
        }
        let anonymous = match details.get("authmethods") {
            _ if identity.is_some_and(|identity| identity.authmethod != ANONYMOUS) => true,
            None | Some(Value::Null) => true,
            Some(Value::Array(methods)) => {
                methods.is_empty() || methods.iter().any(|method| method.as_str() == Some(ANONYMOUS))
            }
            Some(_) => false,
        };
        if !anonymous {
            let text =
                "this router authenticates by 'anonymous', which HELLO.Details.authmethods does not offer";
            return Err(refuse(fault::NO_MATCHING_AUTH_METHOD, text));
        }
        if let Some(Identity { realm: Some(fixed), .. }) = identity
            && fixed != name
            && (self.any_realm || self.realm_names.contains_key(name))
        {
            let text = format!("this transport is for the realm '{fixed}', not '{name}'");
            return Err(refuse(fault::NOT_AUTHORIZED, &text));
        }
        let realm = match self.realm_names.get(name) {
            Some(index) => *index as usize,
            None if !self.any_realm => {
                return Err(refuse(fault::NO_SUCH_REALM, &format!("this router has no realm '{name}'")));
            }
            None if self.realms.len() >= self.limits.realms => {
                let text =
                    format!("this router has {} realms, the most that it may have", self.limits.realms);
                return Err(refuse(fault::NO_SUCH_REALM, &text));
            }
            None => self.add_realm(RealmConfig::open(name), true),
        };
        let authrole = identity.map_or(ANONYMOUS, |identity| &identity.authrole);
        let Some(role) = self.realms[realm].role(authrole) else {
            // It may have come into being for this HELLO.
            self.drop_empty_realm(realm);
            let text = format!("the realm '{name}' has no role '{authrole}'");
            return Err(refuse(fault::NO_SUCH_ROLE, &text));
        };
        Ok((realm, role))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one HELLO, each used once")]
    fn join(
        &mut self,
        key: SessionKey,
        identity: Option<Identity>,
        (realm_index, role): (usize, usize),
        announced: Announced,
        hello: &Dict,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let realm = &mut self.realms[realm_index];
        let id = loop {
            let id = SessionId(self.random.id());
            if !realm.sessions.contains_key(&id) {
                break id;
            }
        };
        let identity = identity.as_ref();
        let authid = identity.and_then(|identity| identity.authid.clone());
        let authid = authid.unwrap_or_else(|| self.random.authid());
        let authrole = identity.map_or(ANONYMOUS, |identity| &identity.authrole);
        let session = self.sessions.get_mut(key).expect("the transport that said HELLO is open");
        // What a client says of itself is told to others as it came.
        let authextra =
            match (identity.and_then(|identity| identity.authextra.clone()), hello.get("authextra")) {
                (Some(authextra), _) => authextra.into(),
                (None, Some(authextra @ Value::Object(_))) => authextra.clone(),
                _ => Dict::new().into(),
            };
        let mut welcome = dict([
            ("realm", realm.config.name.as_str().into()),
            ("authid", authid.as_str().into()),
            ("authrole", authrole.into()),
            ("authmethod", identity.map_or(ANONYMOUS, |identity| &identity.authmethod).into()),
            ("authprovider", identity.map_or("static", |identity| &identity.authprovider).into()),
            ("authextra", authextra),
        ]);
        let mut details = dict([("session", id.0.into())]);
        details.extend(welcome.clone());
        details.insert("transport".into(), session.transport.details());
        let details = Arc::new(details);
        welcome.insert("agent".into(), concat!("wamplet-", env!("CARGO_PKG_VERSION")).into());
        welcome.insert("roles".into(), router_roles(realm.config.has_meta_api, realm.broker.has_history()));
        realm.sessions.insert(id, key);
        let stats = realm.config.stats;
        let guard = realm.config.roles[role].authorizer().is_some();
        let joined = Joined {
            id,
            realm: realm_index,
            authid: authid.as_str().into(),
            authrole: authrole.into(),
            role,
            details: Arc::clone(&details),
            announced,
            last_request: (!session.transport.is_unordered).then_some(RequestId(0)),
            last_invocation: RequestId(0),
            subscriptions: SortedMap::default(),
            registrations: SortedMap::default(),
            calls: SortedMap::default(),
            invocations: SortedMap::default(),
            guard: guard.then(|| self.guards.insert(Guard::default())),
            testaments: Testaments::default(),
            meter: stats.map(|stats| Box::new(Meter::new(stats, &session.transport, session.handshake()))),
        };
        let accepts = session.transport.accepts();
        let opened = std::mem::replace(&mut session.state, State::Joined(Box::new(joined)));
        self.stop_state_timer(&opened);
        outbox.send(key, accepts, Message::Welcome { session: id, details: welcome });
        #[cfg(feature = "native")]
        {
            let text = |name| details.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            outbox.tell(super::News::Joined {
                key,
                session: id,
                realm: text("realm"),
                authid: text("authid"),
                authrole: text("authrole"),
                authmethod: text("authmethod"),
            });
        }
        for topic in [sessions::ON_JOIN, sessions::OLD_ON_JOIN] {
            self.publish_meta(realm_index, topic, &|| sessions::details(&details), now, outbox);
        }
        if stats.is_some() {
            // WELCOME is in the first statistics.
            self.settle(Some(realm_index), outbox);
            self.start_meter(key, now, outbox);
        }
    }
}

/// What WELCOME announces: exactly what works.
fn router_roles(has_meta_api: bool, has_history: bool) -> Value {
    let is_served = |feature: &str| match feature {
        "event_history" => has_history && has_meta_api,
        feature => has_meta_api || !feature.ends_with("_meta_api"),
    };
    let role = |features: &[&str]| {
        let mut announced = Dict::new();
        for feature in features.iter().filter(|feature| is_served(feature)) {
            announced.insert((*feature).to_owned(), true.into());
        }
        Value::Object(dict([("features", announced.into())]))
    };
    Value::Object(dict([("broker", role(BROKER_FEATURES)), ("dealer", role(DEALER_FEATURES))]))
}

const BROKER_FEATURES: &[&str] = &[
    "event_history",
    "event_retention",
    "pattern_based_subscription",
    "publisher_exclusion",
    "publisher_identification",
    "session_meta_api",
    "subscriber_blackwhite_listing",
    "subscription_meta_api",
    "subscription_revocation",
];

const DEALER_FEATURES: &[&str] = &[
    "call_canceling",
    "call_timeout",
    "caller_identification",
    "pattern_based_registration",
    "progressive_call_results",
    "registration_meta_api",
    "registration_revocation",
    "session_meta_api",
    "shared_registration",
    "testament_meta_api",
];
