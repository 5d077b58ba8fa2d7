//! The way of an answer to the caller, and all other ways in which a call ends.
//!
//! Owns the rule that a call is answered once: [`Dealer::finish`] is where it ends, whatever ends it.
//! [wamp: advanced/rpc_progressive_call_results, rpc_call_canceling, rpc_call_timeout]

use super::super::context::Context;
use super::super::fault::{self, Fault, Refusal, too_long};
use super::super::session::{Joined, Sessions};
use super::Dealer;
use super::invocation::Caller;
use crate::auth::Failure;
use crate::codec::TranscodeError;
use crate::id::{RegistrationId, RequestId, SessionKey};
use crate::message::{CancelMode, Message, MessageType, Passthru, ResultDetails, YieldOptions};
use crate::payload::{Payload, Values};
use crate::uri::{self, UriCheck};

/// How a call ends.
pub(super) enum Ending<'a, P> {
    /// The callee's final YIELD.
    Result { passthru: Passthru<'a>, payload: P },
    /// The callee's ERROR.
    Error { details: Passthru<'a>, error: &'a str, payload: P },
    /// The router's own ERROR.
    Refusal(Refusal),
}

impl<P: Payload> Dealer<P> {
    /// Passes a YIELD on: a piece of a progressive result, or the end of the call.
    #[inline(always)]
    pub(crate) fn answer(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        options: YieldOptions<'_>,
        payload: P,
    ) -> Result<(), Fault> {
        let Some(slot) = open_invocation(cx.sessions, key, request, "YIELD")? else { return Ok(()) };
        match options.progress {
            true => self.pass_piece(cx, slot, options.passthru, payload),
            false => self.finish(cx, slot, Ending::Result { passthru: options.passthru, payload }),
        }
        Ok(())
    }

    /// Passes a piece of a result on, and leaves the call open.
    fn pass_piece(&mut self, cx: &mut Context<'_, P>, slot: usize, passthru: Passthru<'_>, payload: P) {
        let invocation = &mut self.invocations[slot];
        // A caller that did not ask for progress gets none of it, only the final result. The router never asks.
        let Caller::Session { key, request } = invocation.caller else { return };
        if !invocation.wants_progress {
            return;
        }
        invocation.has_progressed = true;
        if let Some(kept) = &mut invocation.kept {
            kept.let_pieces_go(cx, invocation.caller);
        }
        self.restart_timer(cx, slot);
        let (transport, caller) = cx.sessions.joined(key).expect("a caller that left has no open invocation");
        let accepts = transport.accepts();
        let refusal = if !caller.announced.caller_passthru.covers(&passthru) {
            fault::passthru_not_supported("the caller")
        } else {
            match payload.into_serializer(accepts.serializer) {
                Ok(payload) => {
                    let details = ResultDetails { progress: true, passthru };
                    if cx.outbox.try_send(key, accepts, Message::Result { request, details, payload }) {
                        return;
                    }
                    too_long("the caller", "answer")
                }
                Err(error) => not_taken(&error),
            }
        };
        // The pieces make one result, of which this one would be missing.
        self.interrupt(cx, slot, CancelMode::KillNoWait);
        self.finish(cx, slot, Ending::Refusal(refusal));
    }

    /// Passes a callee's ERROR on, or the call to another callee.
    pub(crate) fn fail(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        details: Passthru<'_>,
        error: &str,
        payload: P,
    ) -> Result<(), Fault> {
        if let Some(slot) = open_invocation(cx.sessions, key, request, "ERROR")?
            && !(error == fault::UNAVAILABLE && self.reroute(cx, slot))
        {
            let error = match error {
                // Autobahn|Python stops a procedure by an exception, and tells of it as of any other.
                fault::RUNTIME_ERROR if self.invocations[slot].is_interrupted => fault::CANCELED,
                _ if uri::is_valid(error, UriCheck::Loose) => error,
                // Autobahn closes its connection where it is sent an error that is no URI: callers must not pay for a callee.
                _ => fault::INVALID_URI,
            };
            self.finish(cx, slot, Ending::Error { details, error, payload });
        }
        Ok(())
    }

    /// Ends a call by its caller's wish. A call that is over already is no mistake: the two messages crossed.
    pub(crate) fn cancel(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        mode: CancelMode,
    ) {
        let (_, joined) = cx.sessions.joined(key).expect("only a joined session cancels");
        let Some(slot) = joined.calls.get(request).copied() else { return };
        if mode != CancelMode::Skip {
            self.interrupt(cx, slot, mode);
        }
        // [advanced/rpc_call_canceling] a callee that cannot be interrupted makes every mode a skip.
        if mode != CancelMode::Kill || !self.invocations[slot].is_interrupted {
            self.finish(cx, slot, Ending::Refusal(fault::canceled()));
        }
    }

    /// Ends a call whose time is over.
    pub(crate) fn time_out(&mut self, cx: &mut Context<'_, P>, slot: usize) {
        let Some(invocation) = self.invocations.get_mut(slot) else { return };
        invocation.timer = None;
        let text = format!("the call had no result within {} ms", invocation.timeout_ms);
        self.interrupt(cx, slot, CancelMode::KillNoWait);
        self.finish(cx, slot, Ending::Refusal(Refusal::new(fault::TIMEOUT, text)));
    }

    /// Forgets a session that left: the calls it waits for, its registrations, and the calls that wait for it.
    pub(crate) fn leave(&mut self, cx: &mut Context<'_, P>, key: SessionKey, joined: &Joined) {
        let mut freed: Vec<RegistrationId> = Vec::new();
        for (_, slot) in joined.calls.iter() {
            self.interrupt(cx, *slot, CancelMode::KillNoWait);
            freed.extend(self.drop_call(cx, *slot));
        }
        for (id, ()) in joined.registrations.iter() {
            self.remove_callee(cx, *id, key);
        }
        for (_, slot) in joined.invocations.iter() {
            // A session that called itself: gone with its calls.
            if self.invocations.contains(*slot) {
                self.finish(cx, *slot, Ending::Refusal(Refusal::new(fault::CANCELED, "the callee left")));
            }
        }
        // Only now that nothing of the session is left: no call of its own goes to a callee, and none to it.
        for id in freed {
            self.serve(cx, id);
        }
    }

    /// Forgets a call whose caller does not want its answer any more.
    pub(crate) fn abandon(&mut self, cx: &mut Context<'_, P>, slot: usize) {
        self.interrupt(cx, slot, CancelMode::KillNoWait);
        if let Some(id) = self.drop_call(cx, slot) {
            self.serve(cx, id);
        }
    }

    /// The one place where a call ends: forgets the invocation and answers the caller. A callee that has become free gets
    /// the next call.
    pub(super) fn finish(&mut self, cx: &mut Context<'_, P>, slot: usize, ending: Ending<'_, P>) {
        let caller = self.invocations[slot].caller;
        let freed = self.let_go(cx, slot, !matches!(ending, Ending::Refusal(_)));
        answer_caller(cx, caller, ending);
        if let Some(id) = freed {
            self.serve(cx, id);
        }
    }

    /// [`finish`](Self::finish) with the next call left waiting: answers the registration in which a callee is free now.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        cx: &mut Context<'_, P>,
        slot: usize,
        refusal: Refusal,
    ) -> Option<RegistrationId> {
        let caller = self.invocations[slot].caller;
        let freed = self.drop_call(cx, slot);
        answer_caller(cx, caller, Ending::Refusal(refusal));
        freed
    }

    /// Forgets an invocation that its callee has not answered; answers as [`let_go`](Self::let_go).
    #[cold]
    fn drop_call(&mut self, cx: &mut Context<'_, P>, slot: usize) -> Option<RegistrationId> {
        self.let_go(cx, slot, false)
    }

    /// Forgets an invocation, but for a callee with a limit that works on it all the same: until its answer it is busy.
    /// Answers the registration in which a callee is free now.
    #[inline(always)]
    fn let_go(&mut self, cx: &mut Context<'_, P>, slot: usize, is_answered: bool) -> Option<RegistrationId> {
        let delivery = self.invocations[slot].delivery;
        let is_counted = delivery.is_some_and(|delivery| delivery.is_counted);
        if is_counted && !is_answered && self.stays_busy(cx, slot) {
            return None;
        }
        let invocation = self.invocations.remove(slot);
        if let Some(timer) = invocation.timer {
            cx.timers.stop(timer);
        }
        if let Caller::Session { key, request } = invocation.caller
            && let Some((_, joined)) = cx.sessions.joined_mut(key)
        {
            joined.calls.remove(request);
            if let Some(kept) = invocation.kept {
                kept.leave(joined, request);
            }
        }
        let Some(delivery) = delivery else {
            self.leave_queue(invocation.registration, slot);
            return None;
        };
        if let Some((_, callee)) = cx.sessions.joined_mut(delivery.callee) {
            callee.invocations.remove(delivery.request);
        }
        if !is_counted {
            return None;
        }
        self.release(invocation.registration, delivery.callee);
        Some(invocation.registration)
    }

    #[cold]
    fn leave_queue(&mut self, id: RegistrationId, slot: usize) {
        if let Some(registration) = self.registrations.get_mut(&id)
            // The first one, where all that wait cannot be sent one after the other.
            && let Some(at) = registration.queue.iter().position(|waiting| *waiting == slot)
        {
            registration.queue.remove(at);
        }
    }

    /// Has an invocation that is over stay, if its callee works on it all the same because nobody has told it: then nothing
    /// else is left of the call. How many stay is bounded.
    #[cold]
    fn stays_busy(&mut self, cx: &mut Context<'_, P>, slot: usize) -> bool {
        let invocation = &mut self.invocations[slot];
        let callee = invocation.delivery.and_then(|delivery| cx.sessions.joined(delivery.callee));
        if invocation.is_interrupted
            || callee.is_none_or(|(_, callee)| callee.invocations.len() > cx.limits.calls)
        {
            return false;
        }
        if let Some(timer) = invocation.timer.take() {
            cx.timers.stop(timer);
        }
        invocation.timeout_ms = 0;
        let kept = invocation.kept.take();
        let caller = std::mem::replace(&mut invocation.caller, Caller::Nobody);
        if let Caller::Session { key, request } = caller
            && let Some((_, joined)) = cx.sessions.joined_mut(key)
        {
            joined.calls.remove(request);
            if let Some(kept) = kept {
                kept.leave(joined, request);
            }
        }
        true
    }

    /// A callee is done with one of the invocations by which it is busy.
    pub(super) fn release(&mut self, id: RegistrationId, key: SessionKey) {
        let registration = self.registrations.get_mut(&id);
        if let Some(callee) = registration.and_then(|registration| registration.callee_mut(key)) {
            callee.put_down();
        }
    }

    /// Sends INTERRUPT, once, to a callee that announced that it understands it.
    pub(super) fn interrupt(&mut self, cx: &mut Context<'_, P>, slot: usize, mode: CancelMode) {
        let invocation = &mut self.invocations[slot];
        let Some(delivery) = invocation.delivery else { return };
        let Some((transport, callee)) = cx.sessions.joined(delivery.callee) else { return };
        if callee.announced.callee_call_canceling && !invocation.is_interrupted {
            invocation.is_interrupted = true;
            let message = Message::Interrupt { request: delivery.request, mode: Some(mode), reason: None };
            cx.outbox.send(delivery.callee, transport.accepts(), message);
        }
    }
}

impl<P: Payload> Ending<'_, P> {
    /// What it says to a question of the router.
    fn into_answer(self) -> Result<Values, Failure> {
        match self {
            Self::Result { payload, .. } => payload.to_values().map_err(|error| {
                Failure::new(fault::INVALID_ARGUMENT, format!("the answer cannot be read: {error}"))
            }),
            Self::Error { error, payload, .. } => {
                let values = payload.to_values().unwrap_or_default();
                let text = values.args.first().and_then(|text| text.as_str()).unwrap_or_default();
                Err(Failure::new(error, text))
            }
            Self::Refusal(refusal) => Err(refusal.into()),
        }
    }
}

/// Gives whoever waits its one final answer.
#[inline(always)]
fn answer_caller<P: Payload>(cx: &mut Context<'_, P>, caller: Caller, ending: Ending<'_, P>) {
    match caller {
        Caller::Session { key, request } => reply(cx, key, request, ending),
        Caller::Router(ticket) => cx.questions.answered(ticket, ending.into_answer(), cx.timers),
        Caller::Nobody => {}
    }
}

/// Sends a caller its one final answer.
#[inline(always)]
fn reply<P: Payload>(cx: &mut Context<'_, P>, key: SessionKey, request: RequestId, ending: Ending<'_, P>) {
    let Some((transport, caller)) = cx.sessions.joined(key) else { return };
    let accepts = transport.accepts();
    let serializer = accepts.serializer;
    let passthru = match &ending {
        Ending::Result { passthru, .. } | Ending::Error { details: passthru, .. } => passthru,
        Ending::Refusal(refusal) => {
            cx.send_error(key, MessageType::Call, request, refusal);
            return;
        }
    };
    if !caller.announced.caller_passthru.covers(passthru) {
        cx.send_error(key, MessageType::Call, request, &fault::passthru_not_supported("the caller"));
        return;
    }
    let message = match ending {
        Ending::Result { passthru, payload } => payload.into_serializer(serializer).map(|payload| {
            let details = ResultDetails { progress: false, passthru };
            Message::Result { request, details, payload }
        }),
        Ending::Error { details, error, payload } => payload.into_serializer(serializer).map(|payload| {
            let request_type = MessageType::Call;
            Message::Error { request_type, request, details, error: error.into(), payload }
        }),
        Ending::Refusal(_) => return,
    };
    let refusal = match message {
        Ok(message) => {
            if cx.outbox.try_send(key, accepts, message) {
                return;
            }
            too_long("the caller", "answer")
        }
        Err(error) => not_taken(&error),
    };
    cx.send_error(key, MessageType::Call, request, &refusal);
}

/// What a caller hears whose serializer does not have what the callee has answered.
#[cold]
fn not_taken(error: &TranscodeError) -> Refusal {
    let text = format!("the caller cannot take the callee's answer: {error}");
    Refusal::new(fault::INVALID_ARGUMENT, text)
}

/// The slot of an invocation that this callee may answer; `None` if it ended before the answer came.
#[inline]
fn open_invocation(
    sessions: &Sessions,
    key: SessionKey,
    request: RequestId,
    message: &str,
) -> Result<Option<usize>, Fault> {
    let (_, callee) = sessions.joined(key).expect("only a joined session answers");
    if let Some(slot) = callee.invocations.get(request) {
        return Ok(Some(*slot));
    }
    // Invocation ids of a session are counted from 1: a larger one than the last was never given out.
    if request > callee.last_invocation {
        return Err(Fault::Violation(format!(
            "{message}: this session was never sent the invocation {request}"
        )));
    }
    Ok(None)
}
