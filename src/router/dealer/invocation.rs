//! The way of a call to a callee: chosen, sent, sent on in pieces, waiting, rerouted.
//!
//! Owns what is remembered of a call under way. How it ends is in [`ending`](super::ending).
//! [wamp: advanced/rpc_progressive_call_invocations, rpc_call_rerouting]

use super::super::context::Context;
use super::super::fault::{self, Fault, Refusal, limit_exceeded, refuse, too_long};
use super::super::outbox::Accepts;
use super::super::session::{Announced, Joined};
use super::super::timers::{Timer, TimerId};
use super::Dealer;
use super::ending::Ending;
use super::registration::{Callee, Registration};
use crate::auth::authorizer::Decision;
use crate::config::{CallQueues, Limits};
use crate::id::{RegistrationId, RequestId, SessionKey, Ticket};
use crate::message::{CallOptions, CancelMode, InvocationDetails, Message};
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
    fn is_session(self) -> bool {
        matches!(self, Self::Session { .. })
    }

    /// The session, while it is in its realm.
    fn session<'a, P>(self, cx: &'a mut Context<'_, P>) -> Option<&'a mut Joined> {
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

/// A CALL, for as long as it may have to be sent once more: there are more pieces to come, it waits for a callee, or its
/// callee may be unavailable.
#[derive(Debug)]
pub(super) struct Kept<P> {
    procedure: Box<str>,
    /// Of the first piece; they hold for all.
    options: CallOptions<'static>,
    decision: Decision,
    /// What the callee that was asked last is told.
    terms: Option<Terms>,
    /// The payloads until now, for the next callee; none where there can be no next one.
    pieces: Vec<P>,
    /// Bytes of these.
    pub length: usize,
    /// Whether the caller has more pieces to send.
    pub is_unfinished: bool,
    /// Those who were unavailable.
    tried: Vec<SessionKey>,
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

/// What all INVOCATIONs of a call to one callee say beside the options of the CALL.
#[derive(Clone, Copy, Debug)]
struct Terms {
    registration: RegistrationId,
    is_pattern: bool,
    is_disclosed: bool,
    wants_progress: bool,
    forwards_timeout: bool,
    trustlevel: Option<u64>,
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
        kept = Some(Kept::of_sent(cx, caller, &options, procedure, *decision, terms, spare));
    }
    let is_unfinished = options.progress;
    let sent = invoke_inline(cx, caller, to, request, &terms, procedure, &options, is_unfinished, payload);
    if let Err(refusal) = sent {
        if let Some(kept) = &mut kept {
            kept.let_pieces_go(cx, caller);
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
    let mut kept = Kept::new(procedure, options, *decision);
    if !kept.keep(cx, caller, payload) {
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

impl<P> Kept<P> {
    fn new(procedure: &str, options: CallOptions<'_>, decision: Decision) -> Box<Self> {
        Box::new(Self {
            procedure: procedure.into(),
            is_unfinished: options.progress,
            options: options.into_owned(),
            decision,
            terms: None,
            pieces: Vec::new(),
            length: 0,
            tried: Vec::new(),
        })
    }

    /// Of a call that is sent at once.
    #[cold]
    fn of_sent(
        cx: &mut Context<'_, P>,
        caller: Caller,
        options: &CallOptions<'_>,
        procedure: &str,
        decision: Decision,
        terms: Terms,
        spare: Option<P>,
    ) -> Box<Self>
    where
        P: Payload,
    {
        let mut kept = Self::new(procedure, options.clone(), decision);
        kept.terms = Some(terms);
        if let Some(payload) = spare {
            kept.keep(cx, caller, payload);
        }
        kept
    }

    /// Keeps a piece more, unless that is one too many, or more than the calls of the session may keep.
    fn keep(&mut self, cx: &mut Context<'_, P>, caller: Caller, payload: P) -> bool
    where
        P: Payload,
    {
        let (length, most) = (payload.encoded_len(), cx.limits.kept_length);
        if self.pieces.len() == KEPT_PIECES {
            return false;
        }
        if let Some(joined) = caller.session(cx) {
            if joined.kept_length + length > most {
                return false;
            }
            joined.kept_length += length;
        }
        self.length += length;
        // It may stay for long.
        self.pieces.push(payload.into_owned());
        true
    }

    /// Its call is over for the session that called.
    #[cold]
    pub(super) fn leave(self, joined: &mut Joined, request: RequestId) {
        joined.kept_length -= self.length;
        if self.is_unfinished {
            joined.note_cut_short(request);
        }
    }

    /// There will be no other callee.
    pub(super) fn let_pieces_go(&mut self, cx: &mut Context<'_, P>, caller: Caller) {
        self.pieces.clear();
        let length = std::mem::take(&mut self.length);
        if let Some(joined) = caller.session(cx) {
            joined.kept_length -= length;
        }
    }
}

impl Terms {
    #[inline(always)]
    fn new(
        registration: RegistrationId,
        policy: MatchPolicy,
        caller: Caller,
        callee: &Callee,
        announced: &Announced,
        options: &CallOptions<'_>,
        decision: &Decision,
    ) -> Self {
        Self {
            registration,
            is_pattern: policy != MatchPolicy::Exact,
            is_disclosed: decision.disclose.reveals(options.disclose_me || callee.disclose_caller),
            wants_progress: options.receive_progress && announced.callee_progressive_call_results,
            // The router does not leave it to somebody else how long it waits.
            forwards_timeout: callee.forward_timeout && announced.callee_call_timeout && caller.is_session(),
            trustlevel: decision.trustlevel.filter(|_| announced.callee_call_trustlevels),
        }
    }
}

/// Refuses a call that the callee would not understand.
#[cold]
fn check_understood(announced: &Announced, options: &CallOptions<'_>) -> Result<(), Refusal> {
    if options.progress && !(announced.callee_progressive_call_invocations && announced.callee_call_canceling)
    {
        let text = "the callee did not announce progressive_call_invocations and call_canceling";
        return Err(Refusal::new(fault::FEATURE_NOT_SUPPORTED, text));
    }
    if !announced.callee_passthru.covers(&options.passthru) {
        return Err(fault::passthru_not_supported("the callee"));
    }
    Ok(())
}

/// Sends one INVOCATION.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one INVOCATION, which are borrowed from several places"
)]
#[inline(always)]
fn invoke_inline<P: Payload>(
    cx: &mut Context<'_, P>,
    caller: Caller,
    (callee, accepts): (SessionKey, Accepts),
    request: RequestId,
    terms: &Terms,
    procedure: &str,
    options: &CallOptions<'_>,
    is_unfinished: bool,
    payload: P,
) -> Result<(), Refusal> {
    let payload = payload.into_serializer(accepts.serializer).map_err(|error| {
        Refusal::new(fault::INVALID_ARGUMENT, format!("the callee cannot take the arguments: {error}"))
    })?;
    let disclosed = match caller {
        Caller::Session { key, .. } if terms.is_disclosed => cx.sessions.joined(key),
        _ => None,
    };
    let disclosed = disclosed.map(|(_, joined)| joined);
    let message = Message::Invocation {
        request,
        registration: terms.registration,
        details: InvocationDetails {
            caller: disclosed.map(|caller| caller.id),
            caller_authid: disclosed.map(|caller| (&*caller.authid).into()),
            caller_authrole: disclosed.map(|caller| (&*caller.authrole).into()),
            procedure: terms.is_pattern.then(|| procedure.into()),
            receive_progress: terms.wants_progress,
            progress: is_unfinished,
            timeout: (terms.forwards_timeout && options.timeout > 0).then_some(options.timeout),
            trustlevel: terms.trustlevel,
            passthru: options.passthru.clone(),
        },
        payload,
    };
    if !cx.outbox.try_send(callee, accepts, message) {
        return Err(too_long("the callee", "INVOCATION"));
    }
    Ok(())
}

/// Sends one INVOCATION of several, or once more.
#[expect(clippy::too_many_arguments, reason = "those of the other")]
#[inline(never)]
fn invoke<P: Payload>(
    cx: &mut Context<'_, P>,
    caller: Caller,
    callee: SessionKey,
    request: RequestId,
    terms: &Terms,
    procedure: &str,
    options: &CallOptions<'_>,
    is_unfinished: bool,
    payload: P,
) -> Result<(), Refusal> {
    let (transport, _) = cx.sessions.joined(callee).expect("a callee has joined");
    let to = (callee, transport.accepts());
    invoke_inline(cx, caller, to, request, terms, procedure, options, is_unfinished, payload)
}

fn all_busy(procedure: &str) -> Refusal {
    let text = format!("all callees of '{procedure}' are busy");
    Refusal::new(fault::MAX_CONCURRENCY_REACHED, text)
}

fn kept_too_much(limits: &Limits) -> Refusal {
    let most = limits.kept_length;
    let text = format!(
        "a call that waits may have {KEPT_PIECES} pieces, and all that wait of a session {most} bytes"
    );
    Refusal::new(fault::LIMIT_EXCEEDED, text)
}

/// Payloads that are kept of one call. A call with more of them is not rerouted; where it waits for a callee to be free,
/// it ends.
const KEPT_PIECES: usize = 64;
