//! The messages of a joined session: checked, authorized, and handed to broker, dealer or meta API.
//!
//! Owns who acts on which message; what a request must pass before is in [`vetting`](super::vetting).
//! [wamp: basic/publish_subscribe, basic/remote_procedure_call]

use super::broker::{Publication, Retain};
use super::context::own_payload;
use super::dealer::{Call, Caller, Registered};
use super::fault::{self, Fault, limit_exceeded, refuse, too_long};
use super::meta_api::changes::Held;
use super::meta_api::{self, Effect, MetaCall};
use super::outbox::Outbox;
use super::session::{Announced, Joined, PassthruFeatures};
use super::vetting::{
    check_audience, check_disclosure, check_request, demand_passthru, demand_role, is_of_router,
    is_piece_of_call, request_of,
};
use super::{Now, Router};
use crate::auth::authorizer::{Action, Decision};
use crate::id::{PublicationId, RegistrationId, RequestId, SessionKey, SubscriptionId};
use crate::message::{
    CallOptions, CancelMode, Dict, Message, MessageType, PublishOptions, RegisterOptions, ResultDetails,
    SubscribeOptions,
};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

impl<P: Payload> Router<P> {
    /// Handles a message of a joined session, which may have to wait for the guard of its session. What comes back is a
    /// violation; refusals were answered.
    pub(super) fn handle_joined(
        &mut self,
        key: SessionKey,
        message: Message<'_, P>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let (_, joined) = self.sessions.joined_mut(key).expect("it has joined");
        let mut is_piece = false;
        if let Some(request) = request_of(&message) {
            let message_type = message.message_type();
            is_piece = message_type == MessageType::Call
                && joined.announced.caller_progressive_call_invocations
                && is_piece_of_call(joined, &self.guards, request);
            if !is_piece {
                check_request(joined, request, message_type)?;
            }
        }
        match joined.guard {
            Some(guard) => self.handle_guarded(key, guard, message, is_piece, now, outbox),
            None => self.carry_out(key, message, is_piece, now, outbox),
        }
    }

    /// Handles a message that does not wait, or not any more. `is_piece` where it is a CALL that goes on with an earlier
    /// one. What comes back is a violation; refusals were answered.
    pub(super) fn carry_out(
        &mut self,
        key: SessionKey,
        message: Message<'_, P>,
        is_piece: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let message_type = message.message_type();
        let begins_in_pieces = matches!(&message, Message::Call { options, .. } if options.progress);
        let (request, answered) = match message {
            #[cfg(feature = "native")]
            Message::Goodbye { reason, .. } if reason == fault::CLOSE_LOGOUT => {
                self.answer_goodbye(key, now, outbox);
                self.log_out(key, now, outbox);
                return Ok(());
            }
            Message::Goodbye { .. } => {
                self.answer_goodbye(key, now, outbox);
                return Ok(());
            }
            Message::Abort { .. } => {
                self.leave(key, true, now, outbox);
                self.close(key, super::Close::Normal, now, outbox);
                return Ok(());
            }
            Message::Yield { request, options, payload } => {
                let announced = self.announced(key);
                demand_role(announced.callee, message_type)?;
                demand_passthru(announced.callee_passthru, &options.passthru, message_type)?;
                let (realm, mut cx) = self.realm_of(key, now, outbox);
                return realm.dealer.answer(&mut cx, key, request, options, payload);
            }
            Message::Error { request_type, request, details, error, payload } => {
                if request_type != MessageType::Invocation {
                    let name = request_type.name();
                    return Err(Fault::Violation(format!(
                        "ERROR.Request.Type: expected INVOCATION, found {name}"
                    )));
                }
                let announced = self.announced(key);
                demand_role(announced.callee, message_type)?;
                demand_passthru(announced.callee_passthru, &details, message_type)?;
                let (realm, mut cx) = self.realm_of(key, now, outbox);
                return realm.dealer.fail(&mut cx, key, request, details, &error, payload);
            }
            Message::Cancel { request, mode } => {
                // The specification names no default; what Autobahn does is the mildest.
                let mode = mode.unwrap_or(CancelMode::Skip);
                let (realm, mut cx) = self.realm_of(key, now, outbox);
                realm.dealer.cancel(&mut cx, key, request, mode);
                return Ok(());
            }
            // Its sender announced acknowledged event delivery, which this router does not: nothing waits for it.
            Message::EventReceived { .. } => return Ok(()),
            Message::Subscribe { request, options, topic } => {
                (request, self.subscribe(key, request, &options, &topic, now, outbox))
            }
            Message::Unsubscribe { request, subscription } => {
                (request, self.unsubscribe(key, request, subscription, now, outbox))
            }
            Message::Publish { request, options, topic, payload } => {
                let acknowledge = options.acknowledge;
                let published = self.publish(key, request, options, &topic, payload, now, outbox);
                if let (false, Err(Fault::Refusal(_))) = (acknowledge, &published) {
                    return Ok(());
                }
                (request, published)
            }
            Message::Register { request, options, procedure } => {
                (request, self.register(key, request, &options, &procedure, now, outbox))
            }
            Message::Unregister { request, registration } => {
                (request, self.unregister(key, request, registration, now, outbox))
            }
            Message::Call { request, options, procedure, payload } if is_piece => {
                let (realm, mut cx) = self.realm_of(key, now, outbox);
                return realm.dealer.resume(&mut cx, key, request, &procedure, &options, payload);
            }
            Message::Call { request, options, procedure, payload } => {
                (request, self.call(key, request, options, &procedure, payload, now, outbox))
            }
            Message::Hello { .. } => {
                return Err(Fault::Violation("HELLO: this session has joined a realm already".into()));
            }
            _ => {
                let text = format!("{}: nothing asked for this message", message_type.name());
                return Err(Fault::Violation(text));
            }
        };
        match answered {
            Err(Fault::Refusal(refusal)) => {
                let (_, mut cx) = self.split(now, outbox);
                if begins_in_pieces && let Some((_, joined)) = cx.sessions.joined_mut(key) {
                    joined.note_cut_short(request);
                }
                cx.send_error(key, message_type, request, &refusal);
                Ok(())
            }
            other => other,
        }
    }

    fn answer_goodbye(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) {
        let session = self.sessions.get(key).expect("the transport that said GOODBYE is open");
        let accepts = session.transport.accepts();
        let reason = fault::CLOSE_GOODBYE_AND_OUT.into();
        outbox.send(key, accepts, Message::Goodbye { details: Dict::new(), reason });
        self.leave(key, true, now, outbox);
    }

    fn subscribe(
        &mut self,
        key: SessionKey,
        request: RequestId,
        options: &SubscribeOptions,
        topic: &str,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        self.vet(key, topic, options.match_policy, Action::Subscribe)?;
        self.authorize(key, topic, options.match_policy, Action::Subscribe)?;
        let most = self.limits.subscriptions;
        let (realm, cx) = self.realm_of(key, now, outbox);
        let (transport, joined) = cx.sessions.joined_mut(key).expect("it has joined");
        let known = realm.broker.find(topic, options.match_policy);
        let is_held = known.is_some_and(|id| joined.subscriptions.get(id).is_some());
        if !is_held && joined.subscriptions.len() >= most {
            return Err(limit_exceeded("subscriptions", most));
        }
        let accepts = transport.accepts();
        let subscription = realm.broker.subscribe(topic, options.match_policy, key, accepts, cx.now);
        joined.subscriptions.insert(subscription, ());
        let (realm, session) = (joined.realm, joined.id);
        cx.outbox.send(key, accepts, Message::Subscribed { request, subscription });
        if options.get_retained {
            let (realms, cx) = self.split(now, outbox);
            let broker = &mut realms[realm].broker;
            broker.send_retained(subscription, key, accepts, now, cx.limits, cx.sessions, cx.outbox);
        }
        if !is_held {
            let held = Held::Subscription(subscription);
            self.publish_added(realm, session, held, known.is_none(), now, outbox);
        }
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        key: SessionKey,
        request: RequestId,
        subscription: SubscriptionId,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let (realm, cx) = self.realm_of(key, now, outbox);
        let (transport, joined) = cx.sessions.joined_mut(key).expect("it has joined");
        if joined.subscriptions.remove(subscription).is_none() {
            let text = format!("this session does not hold the subscription {subscription}");
            return Err(refuse(fault::NO_SUCH_SUBSCRIPTION, text));
        }
        let held = Held::Subscription(subscription);
        let is_told = held.is_told(realm);
        realm.broker.unsubscribe(subscription, key);
        let is_gone = held.is_gone(realm);
        let (realm, session) = (joined.realm, joined.id);
        cx.outbox.send(key, transport.accepts(), Message::Unsubscribed { request, details: None });
        if is_told {
            self.publish_removed(realm, session, held, is_gone, now, outbox);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one PUBLISH, each used once")]
    fn publish(
        &mut self,
        key: SessionKey,
        request: RequestId,
        options: PublishOptions<'_>,
        topic: &str,
        payload: P,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        self.vet(key, topic, MatchPolicy::Exact, Action::Publish)?;
        if options.passthru.0.is_some() {
            let announced = self.announced(key).publisher_passthru;
            demand_passthru(announced, &options.passthru, MessageType::Publish)?;
        }
        let decision = self.authorize(key, topic, MatchPolicy::Exact, Action::Publish)?;
        check_disclosure(options.disclose_me, decision)?;
        check_audience(&options, &self.limits)?;
        let (realm, cx) = self.realm_of(key, now, outbox);
        let id = PublicationId(cx.random.id());
        let (transport, publisher) = cx.sessions.joined(key).expect("it has joined");
        if options.acknowledge {
            let message = Message::Published { request, publication: id };
            cx.outbox.send(key, transport.accepts(), message);
        }
        let excluded = options.exclude_me.then_some(key);
        let publication = publication(id, topic, &options, decision, excluded, publisher, payload);
        realm.broker.publish(publication, now, cx.limits, cx.sessions, cx.outbox);
        Ok(())
    }

    fn register(
        &mut self,
        key: SessionKey,
        request: RequestId,
        options: &RegisterOptions,
        procedure: &str,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        self.vet(key, procedure, options.match_policy, Action::Register)?;
        self.authorize(key, procedure, options.match_policy, Action::Register)?;
        let most = self.limits.registrations;
        let (realm, mut cx) = self.realm_of(key, now, outbox);
        let (transport, joined) = cx.sessions.joined(key).expect("it has joined");
        let (accepts, index, session) = (transport.accepts(), joined.realm, joined.id);
        let known = realm.dealer.find(procedure, options.match_policy);
        let is_held = known.is_some_and(|id| joined.registrations.get(id).is_some());
        if !is_held && joined.registrations.len() >= most {
            return Err(limit_exceeded("registrations", most));
        }
        let Registered { id, is_created, is_added, departures } =
            realm.dealer.register(&mut cx, key, procedure, options)?;
        cx.outbox.send(key, accepts, Message::Registered { request, registration: id });
        realm.dealer.serve(&mut cx, id);
        for departure in departures {
            self.publish_departure(index, departure, now, outbox);
        }
        if is_added {
            self.publish_added(index, session, Held::Registration(id), is_created, now, outbox);
        }
        Ok(())
    }

    fn unregister(
        &mut self,
        key: SessionKey,
        request: RequestId,
        registration: RegistrationId,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let (realm, mut cx) = self.realm_of(key, now, outbox);
        let (transport, joined) = cx.sessions.joined(key).expect("it has joined");
        let (accepts, index) = (transport.accepts(), joined.realm);
        let Some(departure) = realm.dealer.unregister(&mut cx, registration, key) else {
            let text = format!("this session does not hold the registration {registration}");
            return Err(refuse(fault::NO_SUCH_REGISTRATION, text));
        };
        cx.outbox.send(key, accepts, Message::Unregistered { request, details: None });
        self.publish_departure(index, departure, now, outbox);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one CALL, each used once")]
    fn call(
        &mut self,
        key: SessionKey,
        request: RequestId,
        options: CallOptions<'_>,
        procedure: &str,
        payload: P,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        if options.progress && !self.announced(key).caller_progressive_call_invocations {
            let text =
                "CALL.Options.progress: HELLO did not announce progressive_call_invocations, or WELCOME";
            return Err(Fault::Violation(text.into()));
        }
        if options.passthru.0.is_some() {
            let announced = self.announced(key).caller_passthru;
            demand_passthru(announced, &options.passthru, MessageType::Call)?;
        }
        self.vet(key, procedure, MatchPolicy::Exact, Action::Call)?;
        let decision = self.authorize(key, procedure, MatchPolicy::Exact, Action::Call)?;
        check_disclosure(options.disclose_me, decision)?;
        // A catch-all registration does not answer in the router's name.
        if is_of_router(procedure) {
            if options.progress {
                let text = "the router's own procedures take their arguments in one piece";
                return Err(refuse(fault::FEATURE_NOT_SUPPORTED, text));
            }
            if !PassthruFeatures::default().covers(&options.passthru) {
                return Err(fault::passthru_not_supported("the router").into());
            }
            return self.call_meta(key, request, procedure, &payload, now, outbox);
        }
        let (realm, mut cx) = self.realm_of(key, now, outbox);
        let caller = Caller::Session { key, request };
        let call = Call { caller, options, procedure, payload, decision: &decision };
        realm.dealer.call(&mut cx, call, &realm.config.call_queues)?;
        Ok(())
    }

    fn call_meta(
        &mut self,
        key: SessionKey,
        request: RequestId,
        procedure: &str,
        payload: &P,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let (realm, cx) = self.realm_of(key, now, outbox);
        let handler = meta_api::handler(procedure).filter(|_| realm.config.has_meta_api);
        let handler = handler.ok_or_else(|| {
            refuse(fault::NO_SUCH_PROCEDURE, format!("this router has no procedure '{procedure}'"))
        })?;
        let values = meta_api::arguments(procedure, payload, cx.limits)?;
        let answer = handler(&mut MetaCall {
            procedure,
            values: &values,
            caller: key,
            realm,
            sessions: cx.sessions,
            random: cx.random,
            limits: cx.limits,
            now,
        })?;
        let accepts = cx.sessions.get(key).expect("it has joined").transport.accepts();
        let elements = u8::from(!answer.results.is_empty());
        let payload = own_payload(P::from_json(answer.results, elements), accepts.serializer);
        let result = Message::Result { request, details: ResultDetails::default(), payload };
        if !cx.outbox.try_send(key, accepts, result) {
            return Err(too_long("the caller", "answer").into());
        }
        match answer.effect {
            None => {}
            Some(Effect::ClearRetained { topic, policy }) => {
                realm.broker.clear_retained(&topic, policy, cx.outbox);
            }
            Some(Effect::PurgeDecisions { authid }) => {
                let (realm, _) = self.realm_of(key, now, outbox);
                realm.decisions.purge(authid.as_deref());
            }
            Some(Effect::Kill(kill)) => self.kill(kill, now, outbox),
            Some(Effect::RemoveCallee { registration, callee, reason }) => {
                self.remove_callee(registration, callee, reason.as_deref(), now, outbox);
            }
            Some(Effect::RemoveSubscriber { subscription, subscriber, reason }) => {
                self.remove_subscriber(subscription, subscriber, reason.as_deref(), now, outbox);
            }
        }
        Ok(())
    }

    fn announced(&self, key: SessionKey) -> Announced {
        let (_, joined) = self.sessions.joined(key).expect("it has joined");
        joined.announced
    }

    /// The realm of a joined session, and the rest of the router.
    #[inline]
    fn realm_of<'a>(
        &'a mut self,
        key: SessionKey,
        now: Now,
        outbox: &'a mut Outbox<P>,
    ) -> (&'a mut super::Realm<P>, super::Context<'a, P>) {
        let (_, joined) = self.sessions.joined(key).expect("it has joined");
        let index = joined.realm;
        let (realms, cx) = self.split(now, outbox);
        (&mut realms[index], cx)
    }
}

/// What becomes of a PUBLISH that may be published.
pub(super) fn publication<'a, P>(
    id: PublicationId,
    topic: &'a str,
    options: &'a PublishOptions<'a>,
    decision: Decision,
    excluded: Option<SessionKey>,
    publisher: &'a Joined,
    payload: P,
) -> Publication<'a, P> {
    Publication {
        id,
        topic,
        excluded,
        restrictions: options.restrictions.as_deref(),
        disclosed: decision.disclose.reveals(options.disclose_me).then_some(publisher),
        trustlevel: decision.trustlevel,
        retain: options.retain.then_some(Retain { for_ms: options.retain_ms }),
        passthru: options.passthru.clone(),
        payload,
    }
}
