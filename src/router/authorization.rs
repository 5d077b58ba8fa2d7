//! Requests of sessions whose role has an authorizer: they wait, in order, while it thinks.
//!
//! Owns what waits, what an authorizer is told, and what its answer means for the request that it is about. Nothing
//! waits where the decision is known: from the cache ([`decisions`](super::decisions)), or because the session is itself
//! a callee of the authorizer, which would have to answer a question about its own request. How somebody is asked is in
//! [`question`](super::question); what a request then causes, in [`request`](super::request).
//!
//! YIELD, ERROR and ABORT of a session never wait: a callee could not answer otherwise, and who breaks off gives up what
//! it has asked for, as do those whose transport is lost. GOODBYE is not an end before its turn: it waits behind the
//! requests, but for no longer than an answer may take. CANCEL of a call that waits ends it at once.

use std::collections::VecDeque;

use serde_json::Value;

use super::decisions::Decisions;
use super::fault::{self, Fault, Refusal, limit_exceeded};
use super::kept_message::KeptMessage;
use super::meta_api::testaments;
use super::outbox::{Close, Outbox};
use super::question::Asked;
use super::realm::Realm;
use super::timers::{Timer, TimerId};
use super::vetting::{check_uri, denied, refuse_reserved, request_of};
use super::{Now, Router};
use crate::auth::authorizer::{Action, Decision, Verdict};
use crate::auth::{Ask, Failure};
use crate::config::Limits;
use crate::id::{RequestId, SessionKey, Ticket};
use crate::message::{Dict, Message};
use crate::payload::{Payload, Values};
use crate::uri::MatchPolicy;

/// The requests of one session on their way past its authorizer.
#[derive(Debug)]
pub(crate) struct Guard<P> {
    /// In the order in which they came; it is the first one that is asked about.
    waiting: VecDeque<Waiting<P>>,
    /// Bytes of these.
    length: usize,
    asking: Option<Asking>,
    /// When a GOODBYE, which is then the last that waits, is carried out at the latest.
    leaving: Option<TimerId>,
    /// About the request that is being carried out.
    verdict: Option<Result<Decision, Refusal>>,
}

#[derive(Debug)]
struct Waiting<P> {
    message: KeptMessage<P>,
    /// A CALL that goes on with one that has been decided about, or waits before it.
    is_piece: bool,
    /// What was decided about it, if it is a call that adds a testament, and waits for another decision: about that.
    passed: Option<Decision>,
    length: usize,
}

/// What an authorizer is asked about.
struct Matter {
    action: Action,
    uri: String,
    policy: MatchPolicy,
    options: Dict,
}

/// What becomes of a request that is the first one.
enum Step {
    /// Nobody has to be asked, or the answers are known.
    CarryOut,
    /// It has to wait for the authorizer; with what is known of it ([`Waiting::passed`]).
    Ask(Option<Decision>),
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    ticket: Ticket,
    /// How often the cache had been purged by then.
    purges: u64,
}

impl<P> Default for Guard<P> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), length: 0, asking: None, leaving: None, verdict: None }
    }
}

impl<P> Guard<P> {
    pub(crate) fn take_verdict(&mut self) -> Option<Result<Decision, Refusal>> {
        self.verdict.take()
    }

    /// The question whose answer the first request waits for.
    #[cfg(debug_assertions)]
    pub(super) fn asking(&self) -> Option<Ticket> {
        self.asking.map(|asking| asking.ticket)
    }

    /// The end of the time that a GOODBYE waits.
    #[cfg(debug_assertions)]
    pub(super) fn leaving(&self) -> Option<TimerId> {
        self.leaving
    }

    /// Panics where something waits for nothing.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert_eq!(self.waiting.is_empty(), self.asking.is_none(), "what waits waits for an answer");
        let length: usize = self.waiting.iter().map(|waiting| waiting.length).sum();
        assert_eq!(self.length, length, "what waits has the length that counts against the limit");
        assert!(self.leaving.is_none() || !self.waiting.is_empty(), "a GOODBYE waits behind something");
        assert!(self.verdict.is_none(), "no request is carried out between inputs");
    }

    pub(crate) fn has_call(&self, call: RequestId) -> bool {
        self.waiting.iter().any(|waiting| waiting.message.call == Some(call))
    }

    fn push(&mut self, waiting: Waiting<P>) {
        self.length += waiting.length;
        self.waiting.push_back(waiting);
    }

    fn next(&mut self) -> Option<Waiting<P>> {
        let waiting = self.waiting.pop_front()?;
        self.length -= waiting.length;
        Some(waiting)
    }

    fn put_back(&mut self, waiting: Waiting<P>) {
        self.length += waiting.length;
        self.waiting.push_front(waiting);
    }
}

impl<P: Payload> Router<P> {
    /// Handles a message of a session whose role has an authorizer, or whose requests still wait for one. What comes
    /// back is a violation.
    #[cold]
    pub(super) fn handle_guarded(
        &mut self,
        key: SessionKey,
        slot: usize,
        message: Message<'_, P>,
        is_piece: bool,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<(), Fault> {
        let (is_goodbye, is_request) =
            (matches!(message, Message::Goodbye { .. }), request_of(&message).is_some());
        if let Message::Cancel { request, .. } = message
            && self.cancel_waiting(key, slot, request, now, outbox)
        {
            return Ok(());
        }
        let guard = &self.guards[slot];
        // [wamp: basic/sessions] nothing comes after it.
        if guard.leaving.is_some() && (is_goodbye || is_request) {
            return Ok(());
        }
        let is_in_turn = is_request || is_goodbye && !guard.waiting.is_empty();
        let is_first = guard.waiting.is_empty();
        let step = match is_in_turn {
            true if !is_first => Step::Ask(None),
            true if !is_piece => self.step(key, slot, &message, None, now),
            _ => Step::CarryOut,
        };
        let Step::Ask(passed) = step else {
            return self.carry_out(key, message, is_piece, now, outbox);
        };
        let message = KeptMessage::new(message);
        let length = message.length();
        let guard = &mut self.guards[slot];
        if is_goodbye {
            let deadline = now.mono_ms.saturating_add(self.limits.answer_timeout_ms);
            guard.leaving = Some(self.timers.start(deadline, Timer::Leave(key)));
        }
        let (most, most_bytes) = (self.limits.waiting_requests, self.limits.waiting_length);
        if !is_goodbye && (guard.waiting.len() >= most || guard.length + length > most_bytes) {
            let what = format!("requests or {most_bytes} bytes that wait for its authorizer");
            if is_piece {
                // The call cannot do without it, and may itself wait, to be answered later.
                return Err(Fault::Violation(format!("CALL: a session may have {most} {what}")));
            }
            self.refuse(key, &message.read(), limit_exceeded(&what, most), now, outbox);
            return Ok(());
        }
        guard.push(Waiting { message: message.into_owned(), is_piece, passed, length });
        if is_first {
            self.ask_authorizer(key, slot, now, outbox);
        }
        Ok(())
    }

    /// Looks at the next waiting request of a session; answers its realm.
    pub(super) fn go_on(&mut self, key: SessionKey, now: Now, outbox: &mut Outbox<P>) -> Option<usize> {
        let (_, joined) = self.sessions.joined(key)?;
        let (realm, slot) = (joined.realm, joined.guard?);
        if self.guards[slot].asking.is_some() {
            return None;
        }
        let Some(mut waiting) = self.guards[slot].next() else {
            self.end_guard(key);
            return Some(realm);
        };
        let step = match waiting.is_piece {
            true => Step::CarryOut,
            false => self.step(key, slot, &waiting.message.read(), waiting.passed, now),
        };
        match step {
            Step::CarryOut => self.let_pass(key, waiting, now, outbox),
            Step::Ask(passed) => {
                waiting.passed = passed;
                self.guards[slot].put_back(waiting);
                self.ask_authorizer(key, slot, now, outbox);
            }
        }
        Some(realm)
    }

    /// Takes the answer of an authorizer; answers the realm of the session.
    pub(super) fn handle_authorized(
        &mut self,
        key: SessionKey,
        ticket: Ticket,
        answer: Result<Values, Failure>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Option<usize> {
        let (_, joined) = self.sessions.joined(key)?;
        let guard = &mut self.guards[joined.guard?];
        let asking = guard.asking.take_if(|asking| asking.ticket == ticket)?;
        let mut waiting = guard.next().expect("an authorizer is asked about a request that waits");
        let Matter { action, uri, policy, .. } = waiting.matter(&self.limits);
        let realm = &mut self.realms[joined.realm];
        let role = &realm.config.roles[joined.role];
        let verdict = match &answer {
            Ok(values) => Verdict::from_answer(values).map_err(|expected| ("its answer", expected)),
            Err(Failure { error, text }) => Err((&**error, &**text)),
        };
        let verdict = match verdict {
            Err((what, why)) => {
                let text = ["the authorizer did not decide: ", what, ": ", why].concat();
                Err(Refusal::new(fault::AUTHORIZATION_FAILED, text))
            }
            Ok(Verdict { decision, cache }) => {
                let lifetime_ms = role.authorizer().map_or(0, |authorizer| authorizer.cache_ms);
                if cache && lifetime_ms > 0 && asking.purges == realm.decisions.purges() {
                    let name = Decisions::key(joined, &uri, policy, action);
                    let end_ms = now.mono_ms.saturating_add(lifetime_ms);
                    realm.decisions.insert(name, decision, end_ms, self.limits.authorization_cache);
                }
                if decision.allow { Ok(decision) } else { Err(denied(role, &uri, action)) }
            }
        };
        let realm = joined.realm;
        match (waiting.passed, &verdict) {
            (Some(passed), Ok(decision)) => {
                guard.verdict = Some(Ok(passed));
                self.allow_testament(key, *decision);
            }
            (None, Ok(decision)) if testaments::wanted(&waiting.message.read(), &self.limits).is_some() => {
                waiting.passed = Some(*decision);
                guard.put_back(waiting);
                self.questions.go_on(key);
                return Some(realm);
            }
            _ => guard.verdict = Some(verdict),
        }
        self.let_pass(key, waiting, now, outbox);
        Some(realm)
    }

    /// Forgets what waits: the session has left `realm`.
    pub(super) fn drop_guard(&mut self, slot: usize, realm: usize, now: Now, outbox: &mut Outbox<P>) {
        let Guard { asking, leaving, .. } = self.guards.remove(slot);
        if let Some(timer) = leaving {
            self.timers.stop(timer);
        }
        if let Some(asking) = asking {
            self.withdraw(asking.ticket, Some(realm), now, outbox);
        }
    }

    /// Has a session of `realm` guarded where its role now has an authorizer. Who was asked about a request that waits is
    /// not asked any more: the new configuration decides.
    pub(super) fn reconfigure_guard(
        &mut self,
        key: SessionKey,
        realm: usize,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let (_, joined) = self.sessions.joined_mut(key).expect("a session of the realm has joined");
        let has_authorizer = self.realms[realm].config.roles[joined.role].authorizer().is_some();
        match joined.guard {
            None if has_authorizer => joined.guard = Some(self.guards.insert(Guard::default())),
            None => {}
            Some(slot) => self.ask_anew(key, slot, now, outbox),
        }
    }

    /// Forgets what authorizers have decided about the sessions of an authid, or about all, in a realm; answers how many
    /// decisions. Those that are still thought about are not remembered either.
    pub fn purge_decisions(&mut self, realm: &str, authid: Option<&str>) -> usize {
        let realm = self.realm_names.get(realm).and_then(|index| self.realms.get_mut(*index as usize));
        realm.map_or(0, |realm| {
            let count = realm.decisions.count(authid);
            realm.decisions.purge(authid);
            count
        })
    }

    /// Ends a call that waits, and that no callee has heard of; whether there is one.
    fn cancel_waiting(
        &mut self,
        key: SessionKey,
        slot: usize,
        request: RequestId,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> bool {
        let guard = &mut self.guards[slot];
        let (mut last, mut is_first) = (None, false);
        for position in 0..guard.waiting.len() {
            let Some(waiting) = guard.next() else { break };
            // Pieces alone are of a call that is under way.
            if waiting.message.call == Some(request) && (last.is_some() || !waiting.is_piece) {
                last = Some(waiting.message);
                is_first |= position == 0;
            } else {
                guard.push(waiting);
            }
        }
        let Some(last) = last else { return false };
        self.refuse(key, &last.read(), fault::canceled().into(), now, outbox);
        if is_first {
            self.ask_anew(key, slot, now, outbox);
        }
        true
    }

    /// A GOODBYE has waited for as long as it may: what is before it is given up. Answers the realm.
    pub(super) fn leave_at_last(
        &mut self,
        key: SessionKey,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Option<usize> {
        let (_, joined) = self.sessions.joined(key)?;
        let (realm, slot) = (joined.realm, joined.guard?);
        let guard = &mut self.guards[slot];
        guard.leaving = None;
        while guard.waiting.len() > 1 {
            guard.next();
        }
        self.ask_anew(key, slot, now, outbox);
        Some(realm)
    }

    /// Does without the answer that is waited for, and looks at the first request anew.
    fn ask_anew(&mut self, key: SessionKey, slot: usize, now: Now, outbox: &mut Outbox<P>) {
        let guard = &mut self.guards[slot];
        if let Some(first) = guard.waiting.front_mut() {
            first.passed = None;
        }
        if let Some(asking) = guard.asking.take() {
            let realm = self.sessions.joined(key).map(|(_, joined)| joined.realm);
            self.withdraw(asking.ticket, realm, now, outbox);
        }
        self.questions.go_on(key);
    }

    /// Whether a message has to wait. Where it need not because the answer is known, that is then the verdict. What is
    /// refused in any case is refused without asking.
    fn step(
        &mut self,
        key: SessionKey,
        slot: usize,
        message: &Message<'_, P>,
        passed: Option<Decision>,
        now: Now,
    ) -> Step {
        let Some((action, uri, policy)) = subject(message) else { return Step::CarryOut };
        let (_, joined) = self.sessions.joined(key).expect("a guarded session has joined");
        let Realm { config, .. } = &self.realms[joined.realm];
        let is_guarded = config.roles[joined.role].authorizer().is_some();
        // It had one before a new configuration came.
        if !is_guarded || self.vet(key, uri, policy, action).is_err() {
            return Step::CarryOut;
        }
        let mut verdict = match passed {
            Some(decision) => Ok(decision),
            None => match self.known(key, uri, policy, action, now) {
                Some(verdict) => verdict,
                None => return Step::Ask(None),
            },
        };
        if let Ok(decision) = &verdict
            && let Some((topic, _)) = testaments::wanted(message, &self.limits)
            && check_uri(&topic, MatchPolicy::Exact, config.uri_check, self.limits.uri_length).is_ok()
            && refuse_reserved(&topic).is_ok()
        {
            match self.known(key, &topic, MatchPolicy::Exact, Action::Publish, now) {
                None => return Step::Ask(Some(*decision)),
                Some(Ok(decision)) => self.allow_testament(key, decision),
                Some(refused) => verdict = refused,
            }
        }
        self.guards[slot].verdict = Some(verdict);
        Step::CarryOut
    }

    /// What an authorizer has decided about the testament that a session is about to add.
    fn allow_testament(&mut self, key: SessionKey, decision: Decision) {
        if let Some((_, joined)) = self.sessions.joined_mut(key) {
            joined.testaments.allowed = Some(decision);
        }
    }

    /// What is decided without asking: the authorizer's own requests, and what is remembered.
    fn known(
        &self,
        key: SessionKey,
        uri: &str,
        policy: MatchPolicy,
        action: Action,
        now: Now,
    ) -> Option<Result<Decision, Refusal>> {
        let (_, joined) = self.sessions.joined(key).expect("a guarded session has joined");
        let realm = &self.realms[joined.realm];
        let role = &realm.config.roles[joined.role];
        let is_authorizer = match &role.authorizer()?.ask {
            Ask::Procedure { uri, realm: place } => {
                let is_here = place.as_ref().is_none_or(|name| *name == realm.config.name);
                is_here && realm.dealer.is_callee(key, uri)
            }
            Ask::Function(_) => false,
        };
        let decision = match is_authorizer {
            true => Decision { allow: true, ..Decision::default() },
            false => realm.decisions.get(&Decisions::key(joined, uri, policy, action), now.mono_ms)?,
        };
        Some(if decision.allow { Ok(decision) } else { Err(denied(role, uri, action)) })
    }

    /// Asks about the first request that waits.
    fn ask_authorizer(&mut self, key: SessionKey, slot: usize, now: Now, outbox: &mut Outbox<P>) {
        let (_, joined) = self.sessions.joined(key).expect("a guarded session has joined");
        let realm = &self.realms[joined.realm];
        let authorizer = realm.config.roles[joined.role].authorizer().cloned();
        let authorizer = authorizer.expect("only who has an authorizer has to wait for it");
        let waiting = self.guards[slot].waiting.front().expect("a request has just been made to wait");
        let Matter { action, uri, policy, mut options } = waiting.matter(&self.limits);
        if let Action::Subscribe | Action::Register = action {
            options.insert("match".into(), policy.as_str().into());
        }
        let values = Values::args([
            Value::Object(Dict::clone(&joined.details)),
            uri.into(),
            action.name().into(),
            Value::Object(options),
        ]);
        let purges = realm.decisions.purges();
        let home = Some(joined.realm);
        let ticket = self.ask(&authorizer.ask, home, values, Asked::Authorize(key), now, outbox);
        self.guards[slot].asking = Some(Asking { ticket, purges });
    }

    /// Carries out a request that has waited, and has the next one looked at afterwards.
    fn let_pass(&mut self, key: SessionKey, waiting: Waiting<P>, now: Now, outbox: &mut Outbox<P>) {
        self.questions.go_on(key);
        let Waiting { message, is_piece, .. } = waiting;
        if let Err(Fault::Violation(text)) = self.carry_out(key, message.read(), is_piece, now, outbox) {
            self.abort(key, fault::PROTOCOL_VIOLATION, &text, Close::ProtocolViolation, now, outbox);
        }
    }

    /// A session that nothing waits for needs a guard only if its role has an authorizer.
    fn end_guard(&mut self, key: SessionKey) {
        let Some((_, joined)) = self.sessions.joined_mut(key) else { return };
        let role = &self.realms[joined.realm].config.roles[joined.role];
        if role.authorizer().is_none()
            && let Some(slot) = joined.guard.take()
        {
            self.guards.remove(slot);
        }
    }

    /// Answers a request that is not kept waiting, or not any more.
    fn refuse(
        &mut self,
        key: SessionKey,
        message: &Message<'_, P>,
        fault: Fault,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        let is_silent = matches!(message, Message::Publish { options, .. } if !options.acknowledge);
        if let (false, Some(request), Fault::Refusal(refusal)) = (is_silent, request_of(message), fault) {
            let (_, mut cx) = self.split(now, outbox);
            if matches!(message, Message::Call { options, .. } if options.progress)
                && let Some((_, joined)) = cx.sessions.joined_mut(key)
            {
                joined.note_cut_short(request);
            }
            cx.send_error(key, message.message_type(), request, &refusal);
        }
    }
}

impl<P: Payload> Waiting<P> {
    /// What the authorizer is asked about.
    fn matter(&self, limits: &Limits) -> Matter {
        let message = self.message.read();
        if self.passed.is_some()
            && let Some((topic, options)) = testaments::wanted(&message, limits)
        {
            return Matter { action: Action::Publish, uri: topic, policy: MatchPolicy::Exact, options };
        }
        let (action, uri, policy) =
            subject(&message).expect("an authorizer is asked about what needs permission");
        Matter { action, uri: uri.to_owned(), policy, options: self.message.options() }
    }
}

/// What a message needs permission for; `None` where it needs none.
fn subject<'m, P>(message: &'m Message<'_, P>) -> Option<(Action, &'m str, MatchPolicy)> {
    match message {
        Message::Subscribe { options, topic, .. } => Some((Action::Subscribe, topic, options.match_policy)),
        Message::Publish { topic, .. } => Some((Action::Publish, topic, MatchPolicy::Exact)),
        Message::Register { options, procedure, .. } => {
            Some((Action::Register, procedure, options.match_policy))
        }
        Message::Call { procedure, .. } => Some((Action::Call, procedure, MatchPolicy::Exact)),
        _ => None,
    }
}
