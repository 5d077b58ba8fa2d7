//! Requests of sessions whose role has an authorizer: they wait, in order, while it thinks.
//!
//! Owns what waits, what an authorizer is told, and what its answer means for the request that it is about. Nothing
//! waits where the decision is known: from the cache ([`decisions`](super::decisions)), or because the session is itself
//! a callee of the authorizer, which would have to answer a question about its own request. How somebody is asked is in
//! [`question`](super::question); what a request then causes, in [`request`](super::request).
//!
//! YIELD, ERROR, GOODBYE and ABORT of a session never wait: a callee could not answer otherwise, and who leaves gives up
//! what it has asked for.

use std::collections::VecDeque;

use serde_json::Value;

use super::decisions::Decisions;
use super::fault::{self, Fault, Refusal, limit_exceeded};
use super::kept_message::KeptMessage;
use super::outbox::{Close, Outbox};
use super::question::Asked;
use super::request::{denied, request_of};
use super::{Now, Router};
use crate::auth::authorizer::{Action, Decision, Verdict};
use crate::auth::{Ask, Failure};
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
    /// About the request that is being carried out.
    verdict: Option<Result<Decision, Refusal>>,
}

#[derive(Debug)]
struct Waiting<P> {
    message: KeptMessage<P>,
    /// A CALL that goes on with one that has been decided about, or waits before it.
    is_piece: bool,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    ticket: Ticket,
    /// How often the cache had been purged by then.
    purges: u64,
}

impl<P> Default for Guard<P> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), length: 0, asking: None, verdict: None }
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

    /// Panics where something waits for nothing.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert_eq!(self.waiting.is_empty(), self.asking.is_none(), "what waits waits for an answer");
        let length: usize = self.waiting.iter().map(|waiting| waiting.length).sum();
        assert_eq!(self.length, length, "what waits has the length that counts against the limit");
        assert!(self.verdict.is_none(), "no request is carried out between inputs");
    }

    pub(crate) fn has_call(&self, call: RequestId) -> bool {
        self.waiting.iter().any(|waiting| waiting.message.call == Some(call))
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
        let guard = &self.guards[slot];
        let is_in_turn = match &message {
            Message::Cancel { request, .. } => guard.has_call(*request),
            message => request_of(message).is_some(),
        };
        if !is_in_turn || guard.waiting.is_empty() && (is_piece || self.may_go_on(key, slot, &message, now)) {
            return self.carry_out(key, message, is_piece, now, outbox);
        }
        let message = KeptMessage::new(message);
        let length = message.length();
        let guard = &mut self.guards[slot];
        let (most, most_bytes) = (self.limits.waiting_requests, self.limits.waiting_length);
        if guard.waiting.len() >= most || guard.length + length > most_bytes {
            let what = format!("requests or {most_bytes} bytes that wait for its authorizer");
            if is_piece {
                // The call cannot do without it, and may itself wait, to be answered later.
                return Err(Fault::Violation(format!("CALL: a session may have {most} {what}")));
            }
            self.refuse(key, &message.read(), limit_exceeded(&what, most), now, outbox);
            return Ok(());
        }
        let is_first = guard.waiting.is_empty();
        guard.length += length;
        guard.waiting.push_back(Waiting { message: message.into_owned(), is_piece, length });
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
        match self.guards[slot].next() {
            Some(waiting) if waiting.is_piece || self.may_go_on(key, slot, &waiting.message.read(), now) => {
                self.let_pass(key, waiting, now, outbox);
            }
            Some(waiting) => {
                self.guards[slot].put_back(waiting);
                self.ask_authorizer(key, slot, now, outbox);
            }
            None => self.end_guard(key),
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
        let waiting = guard.next().expect("an authorizer is asked about a request that waits");
        let message = waiting.message.read();
        let (action, uri, policy) =
            subject(&message).expect("an authorizer is asked about what needs permission");
        let realm = &mut self.realms[joined.realm];
        let role = &realm.config.roles[joined.role];
        let verdict = match &answer {
            Ok(values) => Verdict::from_answer(values).map_err(|expected| ("its answer", expected)),
            Err(Failure { error, text }) => Err((&**error, &**text)),
        };
        guard.verdict = Some(match verdict {
            Err((what, why)) => {
                let text = ["the authorizer did not decide: ", what, ": ", why].concat();
                Err(Refusal::new(fault::AUTHORIZATION_FAILED, text))
            }
            Ok(Verdict { decision, cache }) => {
                let lifetime_ms = role.authorizer().map_or(0, |authorizer| authorizer.cache_ms);
                if cache && lifetime_ms > 0 && asking.purges == realm.decisions.purges() {
                    let name = Decisions::key(joined, uri, policy, action);
                    let end_ms = now.mono_ms.saturating_add(lifetime_ms);
                    realm.decisions.insert(name, decision, end_ms, self.limits.authorization_cache);
                }
                if decision.allow { Ok(decision) } else { Err(denied(role, uri, action)) }
            }
        });
        let realm = joined.realm;
        self.let_pass(key, waiting, now, outbox);
        Some(realm)
    }

    /// Forgets what waits: the session has left `realm`.
    pub(super) fn drop_guard(&mut self, slot: usize, realm: usize, now: Now, outbox: &mut Outbox<P>) {
        if let Some(asking) = self.guards.remove(slot).asking {
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
            Some(slot) => {
                if let Some(asking) = self.guards[slot].asking.take() {
                    self.withdraw(asking.ticket, Some(realm), now, outbox);
                }
                self.questions.go_on(key);
            }
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

    /// Whether a message need not wait: nobody has to be asked, or the answer is known, which is then the verdict. What
    /// is refused in any case is refused without asking.
    fn may_go_on(&mut self, key: SessionKey, slot: usize, message: &Message<'_, P>, now: Now) -> bool {
        let Some((action, uri, policy)) = subject(message) else { return true };
        if self.vet(key, uri, policy, action).is_err() {
            return true;
        }
        let (_, joined) = self.sessions.joined(key).expect("a guarded session has joined");
        let realm = &self.realms[joined.realm];
        let role = &realm.config.roles[joined.role];
        // It had one before a new configuration came.
        let Some(authorizer) = role.authorizer() else { return true };
        let is_authorizer = match &authorizer.ask {
            Ask::Procedure { uri, realm: place } => {
                let is_here = place.as_ref().is_none_or(|name| *name == realm.config.name);
                is_here && realm.dealer.is_callee(key, uri)
            }
            Ask::Function(_) => false,
        };
        let decision = if is_authorizer {
            Decision { allow: true, ..Decision::default() }
        } else {
            let name = Decisions::key(joined, uri, policy, action);
            let Some(decision) = realm.decisions.get(&name, now.mono_ms) else { return false };
            decision
        };
        self.guards[slot].verdict =
            Some(if decision.allow { Ok(decision) } else { Err(denied(role, uri, action)) });
        true
    }

    /// Asks about the first request that waits.
    fn ask_authorizer(&mut self, key: SessionKey, slot: usize, now: Now, outbox: &mut Outbox<P>) {
        let (_, joined) = self.sessions.joined(key).expect("a guarded session has joined");
        let realm = &self.realms[joined.realm];
        let authorizer = realm.config.roles[joined.role].authorizer().cloned();
        let authorizer = authorizer.expect("only who has an authorizer has to wait for it");
        let waiting = self.guards[slot].waiting.front().expect("a request has just been made to wait");
        let message = waiting.message.read();
        let (action, uri, policy) =
            subject(&message).expect("an authorizer is asked about what needs permission");
        let mut options = waiting.message.options();
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

    /// Answers a request that is not even kept waiting.
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
