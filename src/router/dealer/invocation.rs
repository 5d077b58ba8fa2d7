//! The way of a call to a callee: chosen, sent, sent on in pieces, waiting, rerouted.
//!
//! Owns what is remembered of a call under way. How it ends is in [`ending`](super::ending).
//! [wamp: advanced/rpc_progressive_call_invocations, rpc_call_rerouting]

use super::super::context::Context;
use super::super::fault::{self, Fault, Refusal, limit_exceeded, refuse};
use super::super::session::Joined;
use super::super::timers::{Timer, TimerId};
use super::Dealer;
use super::ending::Ending;
use super::invoke::{Terms, check_understood, invoke, invoke_inline};
use super::kept::{Kept, kept_too_much};
use super::registration::Registration;
use crate::auth::authorizer::Decision;
use crate::config::CallQueues;
use crate::id::{RegistrationId, RequestId, SessionKey, Ticket};
use crate::message::{CallOptions, CancelMode};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// A call under way; or over, with a callee that works on it all the same and keeps a limit.
#[derive(Debug)]
pub(super) struct Invocation<P> {
    pub caller: Caller,
    pub registration: RegistrationId,
    /// Who was asked last; nobody yet while it waits in the queue of its registration.
    pub delivery: Option<Delivery>,
    pub wants_progress: bool,
    /// Whether the caller has got a piece of the result.
    pub has_progressed: bool,
    /// Whether the callee was sent an INTERRUPT.
    pub is_interrupted: bool,
    pub timeout_ms: u64,
    pub timer: Option<TimerId>,
    pub kept: Option<Box<Kept<P>>>,
}

/// Who waits for the answer, and what it has to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A session, by its CALL.
    Session { key: SessionKey, request: RequestId },
    /// The router itself: see [`question`](super::super::question).
    Router(Ticket),
    /// The call is over.
    Nobody,
}

impl Caller {
    pub(super) fn is_session(self) -> bool {
        matches!(self, Self::Session { .. })
    }

    /// The session, while it is in its realm.
    pub(super) fn session<'a, P>(self, cx: &'a mut Context<'_, P>) -> Option<&'a mut Joined> {
        let Self::Session { key, .. } = self else { return None };
        cx.sessions.joined_mut(key).map(|(_, joined)| joined)
    }
}

/// An INVOCATION that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    pub callee: SessionKey,
    /// Of the INVOCATION.
    pub request: RequestId,
    /// Whether it is one of those by which its callee is busy.
    pub is_counted: bool,
}

/// A CALL as it came, or a question of the router.
pub(crate) struct Call<'a, P> {
    pub caller: Caller,
    pub options: CallOptions<'a>,
    pub procedure: &'a str,
    pub payload: P,
    /// By which it may be called.
    pub decision: &'a Decision,
}

impl<P: Payload> Dealer<P> {
    /// Sends the INVOCATION of a call to the callee that its registration chooses. Where all are busy, the call waits, if
    /// `queues` say so. Answers its slot.
    pub(crate) fn call(
        &mut self,
        cx: &mut Context<'_, P>,
        call: Call<'_, P>,
        queues: &CallQueues,
    ) -> Result<usize, Fault> {
        let Some((policy, id)) = self.index.best_match(call.procedure) else {
            return Err(refuse(
                fault::NO_SUCH_PROCEDURE,
                format!("no callee has registered the procedure '{}'", call.procedure),
            ));
        };
        let id = RegistrationId(id);
        if let Caller::Session { key, request } = call.caller {
            let (_, joined) = cx.sessions.joined(key).expect("only a joined session calls");
            if joined.calls.get(request).is_some() {
                return Err(Fault::Violation(format!(
                    "CALL.Request|id: {request} is in use by a call under way"
                )));
            }
            if joined.calls.len() >= cx.limits.calls {
                return Err(limit_exceeded("calls that wait for their result", cx.limits.calls));
            }
        }
        let caller = call.caller;
        let registration = self.registrations.get_mut(&id).expect("an indexed registration exists");
        let invocation = match registration.choose(cx.random, &[]) {
            Some(position) => send(cx, registration, position, id, policy, call)?,
            None => wait(cx, registration, id, call, queues)?,
        };
        let (delivery, timeout_ms) = (invocation.delivery, invocation.timeout_ms);
        let slot = self.invocations.insert(invocation);
        if let Caller::Session { key, request } = caller {
            let (_, joined) = cx.sessions.joined_mut(key).expect("only a joined session calls");
            joined.calls.insert(request, slot);
        }
        match delivery {
            Some(Delivery { callee, request, .. }) => {
                let (_, answering) = cx.sessions.joined_mut(callee).expect("a callee has joined");
                answering.last_invocation = request;
                answering.invocations.insert(request, slot);
            }
            None => registration.queue.push_back(slot),
        }
        if timeout_ms > 0 {
            self.restart_timer(cx, slot);
        }
        Ok(slot)
    }

    /// Handles a CALL with the id of an earlier one: the next piece of its arguments. One for a call that is over crossed
    /// the answer.
    /// [wamp: advanced/rpc_progressive_call_invocations, verification of CALL request ids]
    pub(crate) fn resume(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        procedure: &str,
        options: &CallOptions<'_>,
        payload: P,
    ) -> Result<(), Fault> {
        let violation = |text: &str| Fault::Violation(format!("CALL.Request|id: the call {request} {text}"));
        let (_, joined) = cx.sessions.joined_mut(key).expect("only a joined session calls");
        let Some(slot) = joined.calls.get(request).copied() else {
            if !options.progress {
                joined.cut_short.retain(|id| *id != request);
            }
            return Ok(());
        };
        let invocation = &mut self.invocations[slot];
        let Some(kept) = invocation.kept.as_mut().filter(|kept| kept.options.progress) else {
            return Err(violation("is under way, and not progressive"));
        };
        if *kept.procedure != *procedure {
            return Ok(());
        }
        if !kept.is_unfinished {
            return Err(violation("has had its last piece"));
        }
        // The form of the payload is told by the options, and those of the first piece hold for all.
        if payload.elements() > 0
            && options.passthru.has_encoded_args() != kept.options.passthru.has_encoded_args()
        {
            return Err(violation("began with or without enc_algo, and must go on so"));
        }
        kept.is_unfinished = options.progress;
        // Whoever was told to stop needs no more.
        if invocation.is_interrupted {
            return Ok(());
        }
        let caller = invocation.caller;
        let Some(Delivery { callee, request, .. }) = invocation.delivery else {
            if kept.keep(cx, caller, payload) {
                self.restart_timer(cx, slot);
            } else {
                self.finish(cx, slot, Ending::Refusal(kept_too_much(cx.limits)));
            }
            return Ok(());
        };
        // Where a piece is not kept there is no rerouting any more, and no use for the others.
        if !kept.pieces.is_empty() && !kept.keep(cx, caller, payload.clone()) {
            kept.let_pieces_go(cx, caller);
        }
        let terms = kept.terms.expect("whoever was asked was told something");
        let sent =
            invoke(cx, caller, callee, request, &terms, procedure, &kept.options, options.progress, payload);
        match sent {
            Ok(()) => self.restart_timer(cx, slot),
            Err(refusal) => {
                self.interrupt(cx, slot, CancelMode::KillNoWait);
                self.finish(cx, slot, Ending::Refusal(refusal));
            }
        }
        Ok(())
    }

    /// Sends calls that wait to callees that are free.
    pub(crate) fn serve(&mut self, cx: &mut Context<'_, P>, id: RegistrationId) {
        while let Some(registration) = self.registrations.get_mut(&id)
            && let Some(slot) = registration.queue.front().copied()
            && let Some(position) = registration.choose(cx.random, &[])
        {
            let sent = self.dispatch(cx, slot, position);
            if self.invocations[slot].delivery.is_some()
                && let Some(registration) = self.registrations.get_mut(&id)
            {
                registration.queue.pop_front();
            }
            if let Err(refusal) = sent {
                self.refuse(cx, slot, refusal);
            }
        }
    }

    /// Has another callee answer a call whose callee is unavailable. False where that is a final answer like others.
    /// [wamp: advanced/rpc_call_rerouting]
    #[cold]
    pub(super) fn reroute(&mut self, cx: &mut Context<'_, P>, slot: usize) -> bool {
        let invocation = &mut self.invocations[slot];
        let Some(Delivery { callee, request, is_counted }) = invocation.delivery else { return false };
        let Some((_, joined)) = cx.sessions.joined_mut(callee) else { return false };
        if !joined.announced.callee_call_reroute
            || invocation.caller == Caller::Nobody
            || invocation.is_interrupted
            || invocation.has_progressed
        {
            return false;
        }
        joined.invocations.remove(request);
        invocation.delivery = None;
        let id = invocation.registration;
        if let Some(kept) = &mut invocation.kept {
            kept.tried.push(callee);
        }
        if is_counted {
            self.release(id, callee);
        }
        let found = self.find_another(cx, slot, id);
        let freed = found.err().and_then(|refusal| self.refuse(cx, slot, refusal));
        if is_counted || freed.is_some() {
            self.serve(cx, id);
        }
        true
    }

    /// Sends a call to one after the other of those callees that were not unavailable, until one can be sent it.
    fn find_another(
        &mut self,
        cx: &mut Context<'_, P>,
        slot: usize,
        id: RegistrationId,
    ) -> Result<(), Refusal> {
        let unavailable = || {
            Refusal::new(fault::NO_AVAILABLE_CALLEE, "no callee of the procedure is available for this call")
        };
        loop {
            let registration = self.registrations.get_mut(&id).ok_or_else(unavailable)?;
            let kept = self.invocations[slot].kept.as_mut();
            let kept = kept.filter(|kept| !kept.pieces.is_empty()).ok_or_else(unavailable)?;
            let Some(position) = registration.choose(cx.random, &kept.tried) else {
                let is_left = registration.callees.iter().any(|callee| !kept.tried.contains(&callee.key));
                return Err(if is_left { all_busy(&kept.procedure) } else { unavailable() });
            };
            kept.tried.push(registration.callees[position].key);
            match self.dispatch(cx, slot, position) {
                Ok(()) => return Ok(()),
                // Some of the pieces were sent.
                Err(refusal) if self.invocations[slot].delivery.is_some() => return Err(refusal),
                Err(_) => {}
            }
        }
    }

    /// Sends all that is there of a call to the callee at this position of its registration. Where that fails in the
    /// middle the callee is told to stop.
    fn dispatch(&mut self, cx: &mut Context<'_, P>, slot: usize, position: usize) -> Result<(), Refusal> {
        let invocation = &mut self.invocations[slot];
        let id = invocation.registration;
        let registration = self.registrations.get_mut(&id).expect("who waits has a registration");
        let callee = registration.callees[position];
        let caller = invocation.caller;
        let kept = invocation.kept.as_mut().expect("a call that may be sent again is kept");
        let (_, answering) = cx.sessions.joined(callee.key).expect("a callee has joined");
        let announced = &answering.announced;
        let request = answering.last_invocation.next();
        check_understood(announced, &kept.options)?;
        let Kept { options, decision, .. } = &**kept;
        let terms = Terms::new(id, registration.policy, caller, &callee, announced, options, decision);
        let can_move = announced.callee_call_reroute && registration.callees.len() > 1;
        let last = kept.pieces.len() - 1;
        for number in 0..=last {
            let payload = kept.pieces[number].clone();
            let is_unfinished = number < last || kept.is_unfinished;
            let sent = invoke(
                cx,
                caller,
                callee.key,
                request,
                &terms,
                &kept.procedure,
                &kept.options,
                is_unfinished,
                payload,
            );
            if let Err(refusal) = sent {
                if number > 0 {
                    self.interrupt(cx, slot, CancelMode::KillNoWait);
                }
                return Err(refusal);
            }
            if number == 0 {
                let (_, answering) = cx.sessions.joined_mut(callee.key).expect("a callee has joined");
                answering.last_invocation = request;
                answering.invocations.insert(request, slot);
                let is_counted = registration.callees[position].take_on();
                invocation.delivery = Some(Delivery { callee: callee.key, request, is_counted });
            }
        }
        invocation.wants_progress = terms.wants_progress;
        kept.terms = Some(terms);
        if !can_move {
            kept.let_pieces_go(cx, caller);
        }
        // The callee watches a timeout, or the router goes on watching it.
        if terms.forwards_timeout {
            invocation.timeout_ms = 0;
            self.restart_timer(cx, slot);
        } else if invocation.timer.is_none() {
            invocation.timeout_ms = kept.options.timeout;
            self.restart_timer(cx, slot);
        }
        Ok(())
    }

    /// Starts the timer of a call with a timeout, or starts it anew: the limit is between pieces, of arguments or results.
    pub(super) fn restart_timer(&mut self, cx: &mut Context<'_, P>, slot: usize) {
        let invocation = &mut self.invocations[slot];
        if let Some(timer) = invocation.timer.take() {
            cx.timers.stop(timer);
        }
        if invocation.timeout_ms > 0 {
            let deadline = cx.now.mono_ms.saturating_add(invocation.timeout_ms);
            let timer = Timer::Call { realm: self.realm, invocation: slot };
            invocation.timer = Some(cx.timers.start(deadline, timer));
        }
    }
}

/// Sends the first INVOCATION of a call to the callee at this position of its registration.
#[inline(always)]
fn send<P: Payload>(
    cx: &mut Context<'_, P>,
    registration: &mut Registration,
    position: usize,
    id: RegistrationId,
    policy: MatchPolicy,
    call: Call<'_, P>,
) -> Result<Invocation<P>, Refusal> {
    let Call { caller, options, procedure, payload, decision } = call;
    let has_others = registration.callees.len() > 1;
    let callee = &mut registration.callees[position];
    let (transport, answering) = cx.sessions.joined(callee.key).expect("a callee has joined");
    let to = (callee.key, transport.accepts());
    let announced = &answering.announced;
    let request = answering.last_invocation.next();
    if options.progress || options.passthru.0.is_some() {
        check_understood(announced, &options)?;
    }
    let terms = Terms::new(id, policy, caller, callee, announced, &options, decision);
    let may_move = has_others && announced.callee_call_reroute;
    let mut kept = None;
    if options.progress || may_move {
        let spare = may_move.then(|| payload.clone());
        kept = Kept::of_sent(cx, caller, &options, procedure, *decision, terms, spare);
        if options.progress && kept.is_none() {
            return Err(kept_too_much(cx.limits));
        }
    }
    let is_unfinished = options.progress;
    let sent = invoke_inline(cx, caller, to, request, &terms, procedure, &options, is_unfinished, payload);
    if let Err(refusal) = sent {
        if let Some(kept) = &kept {
            kept.give_up(cx, caller);
        }
        return Err(refusal);
    }
    let is_counted = callee.take_on();
    Ok(Invocation {
        caller,
        registration: id,
        delivery: Some(Delivery { callee: callee.key, request, is_counted }),
        wants_progress: terms.wants_progress,
        has_progressed: false,
        is_interrupted: false,
        timeout_ms: if terms.forwards_timeout { 0 } else { options.timeout },
        timer: None,
        kept,
    })
}

/// Lets a call wait until one of its callees, who are all busy, is free.
#[cold]
fn wait<P: Payload>(
    cx: &mut Context<'_, P>,
    registration: &Registration,
    id: RegistrationId,
    call: Call<'_, P>,
    queues: &CallQueues,
) -> Result<Invocation<P>, Refusal> {
    let Call { caller, options, procedure, payload, decision } = call;
    let Some(most) = queues.limit(procedure) else { return Err(all_busy(procedure)) };
    if registration.queue.len() >= most {
        let text = format!("all callees of '{procedure}' are busy, and {most} calls wait already");
        return Err(Refusal::new(fault::MAX_CONCURRENCY_REACHED, text));
    }
    let timeout_ms = options.timeout;
    let Some(mut kept) = Kept::new(cx, caller, procedure, options, *decision) else {
        return Err(kept_too_much(cx.limits));
    };
    if !kept.keep(cx, caller, payload) {
        kept.give_up(cx, caller);
        return Err(kept_too_much(cx.limits));
    }
    Ok(Invocation {
        caller,
        registration: id,
        delivery: None,
        wants_progress: false,
        has_progressed: false,
        is_interrupted: false,
        timeout_ms,
        timer: None,
        kept: Some(kept),
    })
}

fn all_busy(procedure: &str) -> Refusal {
    let text = format!("all callees of '{procedure}' are busy");
    Refusal::new(fault::MAX_CONCURRENCY_REACHED, text)
}
