//! The handshake: from HELLO to WELCOME or ABORT.
//!
//! Owns who may join and what it is told, and what is kept of a client that authenticates. How it authenticates is for
//! [`auth`](crate::auth) to say. [wamp: basic/sessions, advanced/authentication]

use std::sync::Arc;

use serde_json::Value;

use super::announced_roles::router_roles;
use super::authorization::Guard;
use super::fault::{self, Fault, Refusal};
use super::meta_api::sessions;
#[cfg(feature = "native")]
use super::news::{News, claim};
use super::outbox::{Close, Outbox};
use super::question::Asked;
use super::session::{Announced, Authenticating, Joined, PendingHello, State};
use super::sorted_map::SortedMap;
use super::stats::Meter;
use super::testament::Testaments;
use super::{Now, Router};
use crate::auth::{ANONYMOUS, Ask, Denial, Exchange, Failure, Hello, Identity, Methods, Step, TRUSTED};
use crate::config::RealmConfig;
use crate::id::{RequestId, SessionId, SessionKey, Ticket};
use crate::message::{Dict, Message, dict};
use crate::payload::{Payload, Values};
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
                let methods = match &session.transport.identity {
                    Some(_) => None,
                    None => session.transport.methods().or(self.auth.as_ref()),
                };
                match methods.cloned() {
                    Some(methods) => {
                        self.authenticate(key, &methods, realm.as_deref(), announced, &details, now, outbox);
                    }
                    None => self.admit(key, realm.as_deref(), announced, &details, now, outbox),
                }
                Ok(())
            }
            Message::Abort { .. } => {
                self.close(key, Close::Normal, now, outbox);
                Ok(())
            }
            other => Err(Fault::Violation(format!("expected HELLO, found {}", other.message_type().name()))),
        }
    }

    /// Handles a message of a client that authenticates: the one AUTHENTICATE that answers a CHALLENGE, or ABORT, or else it
    /// is a violation.
    pub(super) fn handle_authentication(
        &mut self,
        key: SessionKey,
        message: Message<'_, P>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let session = self.sessions.get(key).expect("the transport that sent a message is open");
        let State::Authenticating(pending) = &session.state else { return Ok(()) };
        let is_challenged = pending.exchange.is_challenged();
        match message {
            Message::Authenticate { signature, extra } if is_challenged => {
                if let Some((hello, exchange)) = self.resume(key, None) {
                    // What is shown after too many failures is not looked at.
                    let denied = self.deny_for_failures(key, now);
                    let step = denied.unwrap_or_else(|| {
                        let step = exchange.authenticate(&signature, &extra);
                        self.note_failure(key, &step, now);
                        step
                    });
                    self.take_step(key, hello, step, now, outbox);
                }
                Ok(())
            }
            Message::Abort { .. } => {
                self.close(key, Close::Normal, now, outbox);
                Ok(())
            }
            other => {
                let expected =
                    if is_challenged { "AUTHENTICATE" } else { "no message before WELCOME or CHALLENGE" };
                let found = other.message_type().name();
                Err(Fault::Violation(format!("expected {expected}, found {found}")))
            }
        }
    }

    /// Goes on where an authenticator has answered. Answers the realm that was joined.
    pub(super) fn handle_authenticated(
        &mut self,
        key: SessionKey,
        question: Ticket,
        answer: Result<Values, Failure>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Option<usize> {
        let (hello, exchange) = self.resume(key, Some(question))?;
        let step = exchange.answered(answer);
        self.note_failure(key, &step, now);
        self.take_step(key, hello, step, now, outbox);
        self.sessions.get(key)?.realm()
    }

    /// Begins to authenticate the client that says HELLO.
    #[expect(clippy::too_many_arguments, reason = "the parts of one HELLO, each used once")]
    fn authenticate(
        &mut self,
        key: SessionKey,
        methods: &Arc<Methods>,
        realm: Option<&str>,
        announced: Announced,
        details: &Dict,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        // Whether there is such a realm is only told to those who have authenticated.
        if let Some(Err(refusal)) = realm.map(|name| self.check_realm_name(name)) {
            return self.abort(key, refusal.error, &refusal.text, Close::Normal, now, outbox);
        }
        let id = SessionId(self.random.id());
        let serial = self.random.authid();
        let session = self.sessions.get(key).expect("the transport that said HELLO is open");
        #[cfg(feature = "native")]
        let serial = session.transport.channel.authid().unwrap_or(serial);
        let hello = Hello {
            realm,
            details,
            session: id,
            serial,
            transport: session.transport.confidential_details(),
            entropy: self.random.entropy(),
            now,
        };
        let mut step = methods.begin(&hello, &session.transport.channel);
        if let Step::Challenge { .. } | Step::Ask { .. } = step
            && let Some(denied) = self.deny_for_failures(key, now)
        {
            step = denied;
        }
        let realm = realm.map(str::to_owned);
        let pending = PendingHello {
            id,
            realm,
            announced,
            authextra: authextra(details),
            #[cfg(feature = "native")]
            authid: details.get("authid").and_then(Value::as_str).map(claim),
            #[cfg(feature = "native")]
            methods: Some(Arc::clone(methods)),
        };
        self.take_step(key, pending, step, now, outbox);
    }

    /// Denies a login from an address where too many have failed.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "nobody has an address there"))]
    fn deny_for_failures(&self, key: SessionKey, now: Now) -> Option<Step> {
        #[cfg(feature = "native")]
        if let Some(address) = self.sessions.get(key)?.transport.channel.address
            && self.failed_logins.has_reached(address, self.limits.failed_logins, now.mono_ms)
        {
            return Some(Step::Deny(Denial::for_failures()));
        }
        None
    }

    /// Counts a login that has failed. That of a client whose authenticator has failed is none.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "nobody has an address there"))]
    fn note_failure(&mut self, key: SessionKey, step: &Step, now: Now) {
        #[cfg(feature = "native")]
        if let Step::Deny(denial) = step
            && !denial.is_fault()
            && let Some(address) =
                self.sessions.get(key).and_then(|session| session.transport.channel.address)
        {
            self.failed_logins.add(address, now.mono_ms);
        }
    }

    /// Does what authentication says comes next.
    fn take_step(
        &mut self,
        key: SessionKey,
        hello: PendingHello,
        step: Step,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        #[cfg(feature = "native")]
        let step = match &step {
            Step::Accept { identity, .. } if !self.stands(key, &hello, identity) => Step::refuse(),
            _ => step,
        };
        match step {
            Step::Accept { identity, welcome_extra } => {
                match self.place(key, identity.realm.as_deref(), &identity.authrole) {
                    Ok(place) => {
                        let (realm, _) = place;
                        let id = match self.realms[realm].sessions.contains_key(&hello.id) {
                            false => hello.id,
                            true => self.session_id(realm),
                        };
                        let hello = PendingHello { id, ..hello };
                        #[cfg(feature = "native")]
                        self.remember_login(key, &identity, now);
                        self.join(key, identity, place, hello, welcome_extra, now, outbox);
                    }
                    Err(refusal) => self.abort(key, refusal.error, &refusal.text, Close::Normal, now, outbox),
                }
            }
            Step::Challenge { method, extra, exchange } => {
                self.suspend(key, hello, exchange, None);
                let session = self.sessions.get(key).expect("the transport that authenticates is open");
                let accepts = session.transport.accepts();
                outbox.send(key, accepts, Message::Challenge { method: method.into(), extra });
                self.meter_challenge(key, outbox);
            }
            Step::Ask { ask, values, exchange } => {
                let index = |name: &str| {
                    let index = self.realm_names.get(name).filter(|_| self.offers(key, name));
                    index.map(|index| *index as usize)
                };
                let home = hello.realm.as_deref().and_then(index);
                let has_realm = match &ask {
                    Ask::Procedure { realm: Some(realm), .. } => index(realm).is_some(),
                    Ask::Procedure { realm: None, .. } => home.is_some(),
                    Ask::Function(_) => true,
                };
                if !has_realm {
                    // To whom has not authenticated, a realm without the authenticator is as good as none.
                    let failure = Failure::new(fault::NO_SUCH_PROCEDURE, "its realm is not there");
                    let step = exchange.answered(Err(failure));
                    return self.take_step(key, hello, step, now, outbox);
                }
                let question = self.ask(&ask, home, values, Asked::Authenticate(key), now, outbox);
                self.suspend(key, hello, exchange, Some(question));
            }
            Step::Deny(Denial {
                error,
                text,
                #[cfg(feature = "native")]
                fault,
            }) => {
                #[cfg(feature = "native")]
                {
                    if !fault.is_empty() {
                        outbox.tell(News::AuthenticatorFailed { key, fault });
                    }
                    let (reason, message) = (error.to_string(), text.to_string());
                    let (realm, authid) = (hello.realm.as_deref().map(claim), hello.authid);
                    outbox.tell(News::Denied { key, realm, authid, reason, message });
                }
                self.end_with_abort(key, &error, &text, Close::Normal, now, outbox);
            }
        }
    }

    /// Whether a client that has proved to be this would be let in by the methods of its transport now: a reload may have
    /// come since its HELLO.
    #[cfg(feature = "native")]
    fn stands(&self, key: SessionKey, hello: &PendingHello, identity: &Identity) -> bool {
        let now = self.sessions.get(key).and_then(|session| session.transport.auth.as_ref());
        match (now, &hello.methods) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before) || now.confirm(before, identity),
            _ => true,
        }
    }

    /// Waits for AUTHENTICATE or an answer, as long as there was to say HELLO.
    fn suspend(
        &mut self,
        key: SessionKey,
        hello: PendingHello,
        exchange: Exchange,
        question: Option<Ticket>,
    ) {
        let session = self.sessions.get_mut(key).expect("the transport that authenticates is open");
        if let State::Open { timer, handshake } = &mut session.state {
            let (timer, handshake) = (*timer, std::mem::take(handshake));
            let pending = Authenticating { timer, handshake, hello, exchange, question };
            session.state = State::Authenticating(Box::new(pending));
        }
    }

    /// The end of that. `None` where something else is waited for.
    fn resume(&mut self, key: SessionKey, question: Option<Ticket>) -> Option<(PendingHello, Exchange)> {
        let session = self.sessions.get_mut(key)?;
        let State::Authenticating(pending) = &mut session.state else { return None };
        if pending.question != question {
            return None;
        }
        let open = State::Open { timer: pending.timer, handshake: std::mem::take(&mut pending.handshake) };
        let State::Authenticating(pending) = std::mem::replace(&mut session.state, open) else { return None };
        Some((pending.hello, pending.exchange))
    }

    /// Lets in, or not, a client that need not authenticate: as whom the driver says, or as `anonymous`.
    fn admit(
        &mut self,
        key: SessionKey,
        realm: Option<&str>,
        announced: Announced,
        details: &Dict,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let session = self.sessions.get(key).expect("the transport that said HELLO is open");
        let identity = session.transport.identity.clone().unwrap_or_else(|| Identity {
            #[cfg(feature = "native")]
            authid: session.transport.channel.authid(),
            ..Identity::anonymous()
        });
        match self.place_of_hello(key, &identity, realm, details) {
            Ok(place) => {
                let id = self.session_id(place.0);
                let authextra = authextra(details);
                let hello = PendingHello {
                    id,
                    realm: None,
                    announced,
                    authextra,
                    #[cfg(feature = "native")]
                    authid: None,
                    #[cfg(feature = "native")]
                    methods: None,
                };
                self.join(key, identity, place, hello, Dict::new(), now, outbox);
            }
            Err(refusal) => self.abort(key, refusal.error, &refusal.text, Close::Normal, now, outbox),
        }
    }

    /// The realm and the position of the role for such a HELLO: those that it names, or that the driver named.
    fn place_of_hello(
        &mut self,
        key: SessionKey,
        identity: &Identity,
        realm: Option<&str>,
        details: &Dict,
    ) -> Result<(usize, usize), Refusal> {
        let name = realm.or(identity.realm.as_deref());
        if let Some(name) = name {
            self.check_realm_name(name)?;
        }
        let refusal = match details.get("authmethods") {
            _ if identity.authmethod != ANONYMOUS => None,
            None | Some(Value::Null) => None,
            Some(Value::Array(methods)) => {
                let is_offered =
                    methods.is_empty() || methods.iter().any(|method| method.as_str() == Some(ANONYMOUS));
                (!is_offered).then_some(
                    "this router authenticates by 'anonymous', which HELLO.Details.authmethods does not offer",
                )
            }
            Some(_) => Some("HELLO.Details.authmethods: expected a list of names"),
        };
        if let (Some(text), true) = (refusal, name.is_some()) {
            return Err(Refusal::new(fault::NO_MATCHING_AUTH_METHOD, text));
        }
        if let (Some(fixed), Some(name)) = (&identity.realm, name)
            && fixed != name
            && (self.any_realm || self.realm_names.contains_key(name))
        {
            let text = format!("this transport is for the realm '{fixed}', not '{name}'");
            return Err(Refusal::new(fault::NOT_AUTHORIZED, text));
        }
        self.place_in(key, name, &identity.authrole)
    }

    /// The realm and the position of the role for a client that has authenticated.
    fn place(
        &mut self,
        key: SessionKey,
        realm: Option<&str>,
        authrole: &str,
    ) -> Result<(usize, usize), Refusal> {
        if let Some(name) = realm {
            self.check_realm_name(name)?;
        }
        // Only the driver may give it: an authenticator is asked by the router, and is not the router.
        if authrole == TRUSTED {
            return Err(Refusal::new(fault::NO_SUCH_ROLE, "no client has the role 'trusted'"));
        }
        self.place_in(key, realm, authrole)
    }

    fn place_in(
        &mut self,
        key: SessionKey,
        realm: Option<&str>,
        authrole: &str,
    ) -> Result<(usize, usize), Refusal> {
        let Some(name) = realm else {
            let text = "HELLO names no realm, and this router does not choose one";
            return Err(Refusal::new(fault::NO_SUCH_REALM, text));
        };
        let is_offered = self.offers(key, name);
        let realm = match self.realm_names.get(name) {
            Some(index) if is_offered => *index as usize,
            // Whether others may join such a realm is not told.
            _ if !(is_offered && self.any_realm) => {
                let text = format!("this router has no realm '{name}'");
                return Err(Refusal::new(fault::NO_SUCH_REALM, text));
            }
            _ if self.realms.len() >= self.limits.realms => {
                let text =
                    format!("this router has {} realms, the most that it may have", self.limits.realms);
                return Err(Refusal::new(fault::NO_SUCH_REALM, text));
            }
            _ => self.add_realm(RealmConfig::open(name), true),
        };
        let Some(role) = self.realms[realm].role(authrole) else {
            // It may have come into being for this HELLO.
            self.drop_empty_realm(realm);
            let text = format!("the realm '{name}' has no role '{authrole}'");
            return Err(Refusal::new(fault::NO_SUCH_ROLE, text));
        };
        Ok((realm, role))
    }

    /// Whether the realm of this name, if there is one, is one of the transport.
    #[cfg_attr(not(feature = "native"), expect(unused_variables, reason = "every transport has all there"))]
    fn offers(&self, key: SessionKey, name: &str) -> bool {
        #[cfg(feature = "native")]
        let is_offered = self.sessions.get(key).is_some_and(|session| session.transport.offers(name));
        #[cfg(not(feature = "native"))]
        let is_offered = true;
        is_offered
    }

    fn check_realm_name(&self, name: &str) -> Result<(), Refusal> {
        let (length, most) = (name.len(), self.limits.uri_length);
        let text = match length {
            0 => "HELLO.Realm|uri: expected a URI, found an empty string".to_owned(),
            _ if length > most => {
                format!("HELLO.Realm|uri: expected a URI of at most {most} bytes, found {length}")
            }
            _ if !uri::is_valid(name, uri::UriCheck::Loose) => {
                "HELLO.Realm|uri: expected a URI without white space and '#'".to_owned()
            }
            _ => return Ok(()),
        };
        Err(Refusal::new(fault::INVALID_URI, text))
    }

    /// An id that no session of the realm has.
    fn session_id(&mut self, realm: usize) -> SessionId {
        loop {
            let id = SessionId(self.random.id());
            if !self.realms[realm].sessions.contains_key(&id) {
                break id;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one WELCOME, each used once")]
    fn join(
        &mut self,
        key: SessionKey,
        identity: Identity,
        (realm_index, role): (usize, usize),
        hello: PendingHello,
        welcome_extra: Dict,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let PendingHello { id, mut announced, .. } = hello;
        let Identity { authid, authrole, authmethod, authprovider, .. } = identity;
        let authid = authid.unwrap_or_else(|| self.random.authid());
        // What a client says of itself is told to others as it came, unless authentication says something else.
        let authextra = identity.authextra.unwrap_or(hello.authextra);
        let realm = &mut self.realms[realm_index];
        let session = self.sessions.get_mut(key).expect("the transport that said HELLO is open");
        // Pieces that overtake one another are no call.
        announced.caller_progressive_call_invocations &= !session.transport.is_unordered;
        let mut welcome = dict([
            ("realm", realm.config.name.as_str().into()),
            ("authid", authid.as_str().into()),
            ("authrole", authrole.as_str().into()),
            ("authmethod", authmethod.as_str().into()),
            ("authprovider", authprovider.as_str().into()),
            ("authextra", authextra.into()),
        ]);
        let mut details = dict([("session", id.0.into())]);
        details.extend(welcome.clone());
        details.insert("transport".into(), session.transport.details());
        let details = Arc::new(details);
        if let Some(Value::Object(authextra)) = welcome.get_mut("authextra") {
            authextra.extend(welcome_extra);
        }
        welcome.insert("agent".into(), concat!("wamplet-", env!("CARGO_PKG_VERSION")).into());
        let roles = router_roles(
            realm.config.has_meta_api,
            realm.broker.has_history(),
            session.transport.is_unordered,
        );
        welcome.insert("roles".into(), roles);
        realm.sessions.insert(id, key);
        realm.broker.date(now);
        let stats = realm.config.stats;
        let guard = realm.config.roles[role].authorizer().is_some();
        let checks_request_ids = realm.config.checks_request_ids && !session.transport.is_unordered;
        let joined = Joined {
            id,
            realm: realm_index,
            authid: authid.as_str().into(),
            authrole: authrole.into(),
            role,
            details: Arc::clone(&details),
            announced,
            last_request: checks_request_ids.then_some(RequestId(0)),
            last_invocation: RequestId(0),
            subscriptions: SortedMap::default(),
            registrations: SortedMap::default(),
            calls: SortedMap::default(),
            kept_length: 0,
            cut_short: Vec::new(),
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
            outbox.tell(News::Joined {
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

/// `HELLO.Details.authextra`.
fn authextra(details: &Dict) -> Dict {
    match details.get("authextra") {
        Some(Value::Object(authextra)) => authextra.clone(),
        _ => Dict::new(),
    }
}
