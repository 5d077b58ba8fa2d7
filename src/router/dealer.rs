//! RPC routing of one realm: which callee answers a call, and which answer ends it.
//!
//! Owns registrations and invocations. Every call ends in [`Dealer::finish`], so it is answered once. Never sees
//! sockets or clocks; deadlines are timers of the router. Matching itself is in
//! [`pattern_index`](super::pattern_index). [wamp: basic/remote_procedure_call, advanced/rpc_*]

use foldhash::fast::FixedState;
use slab::Slab;

use super::context::{Context, Now, Random};
use super::fault::{self, Fault, Refusal, limit_exceeded, refuse, too_long};
use super::pattern_index::{PatternIndex, SeededMap, sorted};
use super::session::{Joined, Sessions};
use super::timers::{Timer, TimerId};
use crate::auth::Failure;
use crate::id::{RegistrationId, RequestId, SessionKey, Ticket};
use crate::message::{
    CallOptions, CancelMode, InvocationDetails, InvokePolicy, Message, MessageType, Passthru,
    RegisterOptions, ResultDetails, YieldOptions,
};
use crate::payload::{Payload, Values};
use crate::uri::MatchPolicy;

/// The registrations and open invocations of one realm.
#[derive(Debug)]
pub(crate) struct Dealer {
    pub(super) index: PatternIndex,
    pub(super) registrations: SeededMap<RegistrationId, Box<Registration>>,
    pub(super) last_id: RegistrationId,
    pub(super) invocations: Slab<Invocation>,
    /// Position of the realm in the router, for the timers of calls.
    realm: usize,
}

/// One procedure or pattern and those who answer it.
#[derive(Debug)]
pub(crate) struct Registration {
    pub uri: Box<str>,
    pub policy: MatchPolicy,
    pub invoke: InvokePolicy,
    /// When the first callee came: nanoseconds of [`Now::unix_ns`](super::Now).
    pub created_ns: u64,
    /// In the order of registration.
    pub callees: Vec<Callee>,
    /// Whose turn it is under `roundrobin`: behind the last one called, so that a callee who comes is next after it.
    next: usize,
}

/// One session's share in a registration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee {
    pub key: SessionKey,
    disclose_caller: bool,
    forward_timeout: bool,
}

/// Who calls, and what the answer has to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A session, by its CALL.
    Session { key: SessionKey, request: RequestId },
    /// The router itself: see [`question`](super::question).
    Router(Ticket),
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Invocation {
    pub caller: Caller,
    pub callee: SessionKey,
    /// Of the INVOCATION.
    pub request: RequestId,
    wants_progress: bool,
    /// The strongest CANCEL so far: `kill` waits for the callee.
    killed: bool,
    pub timeout_ms: u64,
    pub timer: Option<TimerId>,
}

/// How a call ends.
pub(crate) enum Ending<'a, P> {
    /// The callee's final YIELD.
    Result { passthru: Passthru<'a>, payload: P },
    /// The callee's ERROR.
    Error { details: Passthru<'a>, error: &'a str, payload: P },
    /// The router's own ERROR.
    Refusal(Refusal),
}

/// A CALL as it came, or a question of the router.
pub(crate) struct Call<'a, P> {
    pub caller: Caller,
    pub options: CallOptions<'a>,
    pub procedure: &'a str,
    pub payload: P,
    /// Reveal the caller because it asked, or because its role says so.
    pub disclose: bool,
}

impl Dealer {
    pub(crate) fn new(realm: usize, seed: u64) -> Self {
        Self {
            index: PatternIndex::new(seed),
            registrations: SeededMap::with_hasher(FixedState::with_seed(seed)),
            last_id: RegistrationId(0),
            invocations: Slab::new(),
            realm,
        }
    }

    /// The registration of exactly this URI and match policy.
    pub(crate) fn find(&self, uri: &str, policy: MatchPolicy) -> Option<RegistrationId> {
        self.index.get(uri, policy).map(RegistrationId)
    }

    /// The registration with this id.
    pub(crate) fn get(&self, id: RegistrationId) -> Option<&Registration> {
        self.registrations.get(&id).map(|registration| &**registration)
    }

    /// The registration that answers calls of `procedure`.
    pub(crate) fn best_match(&self, procedure: &str) -> Option<RegistrationId> {
        self.index.best_match(procedure).map(|(_, id)| RegistrationId(id))
    }

    /// Adds a callee, to the registration of its URI and match policy if there is one.
    pub(crate) fn register(
        &mut self,
        key: SessionKey,
        uri: &str,
        options: &RegisterOptions,
        now: Now,
    ) -> Result<RegistrationId, Refusal> {
        let callee = Callee {
            key,
            disclose_caller: options.disclose_caller,
            forward_timeout: options.forward_timeout,
        };
        let Some(id) = self.find(uri, options.match_policy) else {
            self.last_id = RegistrationId(self.last_id.0 + 1);
            let id = self.last_id;
            self.index.insert(uri, options.match_policy, id.0);
            let registration = Registration {
                uri: uri.into(),
                policy: options.match_policy,
                invoke: options.invoke,
                created_ns: now.unix_ns,
                callees: vec![callee],
                next: 0,
            };
            self.registrations.insert(id, Box::new(registration));
            return Ok(id);
        };
        let registration = self.registrations.get_mut(&id).expect("an indexed registration exists");
        if registration.invoke == InvokePolicy::Single && options.invoke == InvokePolicy::Single {
            return Err(Refusal::new(
                fault::PROCEDURE_ALREADY_EXISTS,
                format!("the procedure '{uri}' is already registered"),
            ));
        }
        if registration.invoke != options.invoke {
            return Err(Refusal::new(
                fault::DIFFERENT_INVOCATION_POLICY,
                format!(
                    "the procedure '{uri}' is registered with the invocation policy '{}', not '{}'",
                    registration.invoke.as_str(),
                    options.invoke.as_str()
                ),
            ));
        }
        if !registration.callees.iter().any(|callee| callee.key == key) {
            registration.callees.push(callee);
        }
        Ok(id)
    }

    /// Takes a callee away, and the registration with its last one. False if it did not hold it. Its open invocations
    /// go on.
    pub(crate) fn unregister(&mut self, id: RegistrationId, key: SessionKey) -> bool {
        let Some(registration) = self.registrations.get_mut(&id) else { return false };
        let Some(position) = registration.callees.iter().position(|callee| callee.key == key) else {
            return false;
        };
        registration.callees.remove(position);
        if registration.callees.is_empty() {
            self.index.remove(&registration.uri, registration.policy);
            self.registrations.remove(&id);
        } else if position < registration.next {
            registration.next -= 1;
        }
        true
    }

    /// How many registrations there are.
    #[cfg(feature = "native")]
    pub(crate) fn len(&self) -> usize {
        self.registrations.len()
    }

    /// Every registration, sorted by id.
    pub(crate) fn registrations(&self) -> impl Iterator<Item = (RegistrationId, &Registration)> {
        let ids = sorted(self.registrations.keys().map(|id| id.0)).into_iter().map(RegistrationId);
        ids.map(|id| (id, &*self.registrations[&id]))
    }

    /// Whether this session is a callee of the registration that a call of `procedure` would go to.
    pub(crate) fn is_callee(&self, key: SessionKey, procedure: &str) -> bool {
        self.index.best_match(procedure).is_some_and(|(_, id)| {
            let registration = &self.registrations[&RegistrationId(id)];
            registration.callees.iter().any(|callee| callee.key == key)
        })
    }

    /// Sends the INVOCATION of a call to the callee that its registration chooses. Answers its slot.
    pub(crate) fn call<P: Payload>(
        &mut self,
        cx: &mut Context<'_, P>,
        call: Call<'_, P>,
    ) -> Result<usize, Fault> {
        let Call { caller, options, procedure, payload, disclose } = call;
        let Some((policy, id)) = self.index.best_match(procedure) else {
            return Err(refuse(
                fault::NO_SUCH_PROCEDURE,
                format!("no callee has registered the procedure '{procedure}'"),
            ));
        };
        let id = RegistrationId(id);
        let calling = match caller {
            Caller::Session { key, request } => {
                let (_, joined) = cx.sessions.joined(key).expect("only a joined session calls");
                if joined.calls.get(request).is_some() {
                    return Err(Fault::Violation(format!(
                        "CALL.Request|id: {request} is in use by a call under way"
                    )));
                }
                if joined.calls.len() >= cx.limits.calls {
                    return Err(limit_exceeded("calls that wait for their result", cx.limits.calls));
                }
                Some(joined)
            }
            Caller::Router(_) => None,
        };
        let registration = self.registrations.get_mut(&id).expect("an indexed registration exists");
        let callee = registration.choose(cx.random);
        let (transport, answering) = cx.sessions.joined(callee.key).expect("a callee has joined");
        let accepts = transport.accepts();
        let announced = answering.announced;
        let invocation = answering.last_invocation.next();
        let payload = payload.into_serializer(accepts.serializer).map_err(|error| {
            refuse(fault::INVALID_ARGUMENT, format!("the callee cannot take the arguments: {error}"))
        })?;
        let disclosed = calling
            .filter(|_| disclose || callee.disclose_caller)
            .map(|joined| (joined.id, joined.authid.clone(), joined.authrole.clone()));
        let wants_progress = options.receive_progress && announced.callee_progressive_call_results;
        // The router does not leave it to somebody else how long it waits.
        let forward_timeout = callee.forward_timeout && announced.callee_call_timeout && calling.is_some();

        let (caller_id, caller_authid, caller_authrole) = match &disclosed {
            Some((id, authid, authrole)) => (Some(*id), Some((&**authid).into()), Some((&**authrole).into())),
            None => (None, None, None),
        };
        let message = Message::Invocation {
            request: invocation,
            registration: id,
            details: InvocationDetails {
                caller: caller_id,
                caller_authid,
                caller_authrole,
                procedure: (policy != MatchPolicy::Exact).then(|| procedure.into()),
                receive_progress: wants_progress,
                progress: false,
                timeout: (forward_timeout && options.timeout > 0).then_some(options.timeout),
                trustlevel: None,
                passthru: options.passthru,
            },
            payload,
        };
        if !cx.outbox.try_send(callee.key, accepts, message) {
            return Err(too_long("the callee", "INVOCATION").into());
        }

        let slot = self.invocations.vacant_key();
        if let Caller::Session { key, request } = caller {
            let (_, joined) = cx.sessions.joined_mut(key).expect("only a joined session calls");
            joined.calls.insert(request, slot);
        }
        let (_, answering) = cx.sessions.joined_mut(callee.key).expect("a callee has joined");
        answering.last_invocation = invocation;
        answering.invocations.insert(invocation, slot);
        let timeout_ms = if forward_timeout { 0 } else { options.timeout };
        self.invocations.insert(Invocation {
            caller,
            callee: callee.key,
            request: invocation,
            wants_progress,
            killed: false,
            timeout_ms,
            timer: None,
        });
        self.restart_timer(cx, slot);
        Ok(slot)
    }

    /// Passes a YIELD on: a piece of a progressive result, or the end of the call.
    pub(crate) fn answer<P: Payload>(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        options: YieldOptions<'_>,
        payload: P,
    ) -> Result<(), Fault> {
        let Some(slot) = open_invocation(cx.sessions, key, request, "YIELD")? else { return Ok(()) };
        if !options.progress {
            self.finish(cx, slot, Ending::Result { passthru: options.passthru, payload });
            return Ok(());
        }
        let invocation = &self.invocations[slot];
        let killed = invocation.killed;
        // A caller that did not ask for progress gets none of it, only the final result. The router never asks.
        let Caller::Session { key: caller, request: call } = invocation.caller else { return Ok(()) };
        if !invocation.wants_progress {
            return Ok(());
        }
        self.restart_timer(cx, slot);
        let (transport, _) = cx.sessions.joined(caller).expect("a caller that left has no open invocation");
        let accepts = transport.accepts();
        if let Ok(payload) = payload.into_serializer(accepts.serializer) {
            let details = ResultDetails { progress: true, passthru: options.passthru };
            let result = Message::Result { request: call, details, payload };
            if !cx.outbox.try_send(caller, accepts, result) {
                // The pieces make one result, of which this one would be missing.
                if !killed {
                    interrupt(cx, key, request, CancelMode::KillNoWait);
                }
                self.finish(cx, slot, Ending::Refusal(too_long("the caller", "answer")));
            }
        }
        Ok(())
    }

    /// Passes a callee's ERROR on.
    pub(crate) fn fail<P: Payload>(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        details: Passthru<'_>,
        error: &str,
        payload: P,
    ) -> Result<(), Fault> {
        if let Some(slot) = open_invocation(cx.sessions, key, request, "ERROR")? {
            self.finish(cx, slot, Ending::Error { details, error, payload });
        }
        Ok(())
    }

    /// Ends a call by its caller's wish. A call that is over already is no mistake: the two messages crossed.
    pub(crate) fn cancel<P: Payload>(
        &mut self,
        cx: &mut Context<'_, P>,
        key: SessionKey,
        request: RequestId,
        mode: CancelMode,
    ) {
        let (_, joined) = cx.sessions.joined(key).expect("only a joined session cancels");
        let Some(slot) = joined.calls.get(request).copied() else { return };
        let invocation = &mut self.invocations[slot];
        let interruptible = cx
            .sessions
            .joined(invocation.callee)
            .is_some_and(|(_, callee)| callee.announced.callee_call_canceling);
        // [advanced/rpc_call_canceling] a callee that cannot be interrupted makes every mode a skip.
        let mode = if interruptible { mode } else { CancelMode::Skip };
        let interrupted = invocation.killed;
        invocation.killed |= mode != CancelMode::Skip;
        if mode != CancelMode::Skip && !interrupted {
            interrupt(cx, invocation.callee, invocation.request, mode);
        }
        if mode != CancelMode::Kill {
            self.finish(
                cx,
                slot,
                Ending::Refusal(Refusal::new(fault::CANCELED, "the caller canceled the call")),
            );
        }
    }

    /// Ends a call whose time is over.
    pub(crate) fn time_out<P: Payload>(&mut self, cx: &mut Context<'_, P>, slot: usize) {
        let Some(invocation) = self.invocations.get_mut(slot) else { return };
        invocation.timer = None;
        let (callee, request, ms) = (invocation.callee, invocation.request, invocation.timeout_ms);
        if !invocation.killed {
            interrupt(cx, callee, request, CancelMode::KillNoWait);
        }
        let text = format!("the call had no result within {ms} ms");
        self.finish(cx, slot, Ending::Refusal(Refusal::new(fault::TIMEOUT, text)));
    }

    /// Forgets a session that left: its registrations, the calls it waits for, and the calls that wait for it.
    pub(crate) fn leave<P: Payload>(&mut self, cx: &mut Context<'_, P>, key: SessionKey, joined: &Joined) {
        for (id, ()) in joined.registrations.iter() {
            self.unregister(*id, key);
        }
        for (_, slot) in joined.calls.iter() {
            self.abandon(cx, *slot);
        }
        for (_, slot) in joined.invocations.iter() {
            // A session that called itself: gone with its calls.
            if self.invocations.contains(*slot) {
                self.finish(cx, *slot, Ending::Refusal(Refusal::new(fault::CANCELED, "the callee left")));
            }
        }
    }

    /// Forgets a call whose caller does not want its answer any more.
    pub(crate) fn abandon<P: Payload>(&mut self, cx: &mut Context<'_, P>, slot: usize) {
        let invocation = self.invocations.remove(slot);
        stop_timer(cx, &invocation);
        if let Some((_, callee)) = cx.sessions.joined_mut(invocation.callee) {
            callee.invocations.remove(invocation.request);
            if !invocation.killed {
                interrupt(cx, invocation.callee, invocation.request, CancelMode::KillNoWait);
            }
        }
    }

    /// The one place where a call ends: forgets the invocation and answers the caller.
    fn finish<P: Payload>(&mut self, cx: &mut Context<'_, P>, slot: usize, ending: Ending<'_, P>) {
        let invocation = self.invocations.remove(slot);
        stop_timer(cx, &invocation);
        if let Some((_, callee)) = cx.sessions.joined_mut(invocation.callee) {
            callee.invocations.remove(invocation.request);
        }
        let (key, request) = match invocation.caller {
            Caller::Session { key, request } => (key, request),
            Caller::Router(ticket) => {
                cx.questions.answered(ticket, ending.into_answer(), cx.timers);
                return;
            }
        };
        let Some((transport, caller)) = cx.sessions.joined_mut(key) else { return };
        let accepts = transport.accepts();
        let serializer = accepts.serializer;
        caller.calls.remove(request);
        let message = match ending {
            Ending::Result { passthru, payload } => payload.into_serializer(serializer).map(|payload| {
                let details = ResultDetails { progress: false, passthru };
                Message::Result { request, details, payload }
            }),
            Ending::Error { details, error, payload } => payload.into_serializer(serializer).map(|payload| {
                let request_type = MessageType::Call;
                Message::Error { request_type, request, details, error: error.into(), payload }
            }),
            Ending::Refusal(refusal) => {
                cx.send_error(key, MessageType::Call, request, &refusal);
                return;
            }
        };
        let refusal = match message {
            Ok(message) => {
                if cx.outbox.try_send(key, accepts, message) {
                    return;
                }
                too_long("the caller", "answer")
            }
            Err(error) => {
                let text = format!("the caller cannot take the callee's answer: {error}");
                Refusal::new(fault::INVALID_ARGUMENT, text)
            }
        };
        cx.send_error(key, MessageType::Call, request, &refusal);
    }

    /// Starts the timer of a call with a timeout, or starts it anew: the limit is between results.
    fn restart_timer<P: Payload>(&mut self, cx: &mut Context<'_, P>, slot: usize) {
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

impl<P: Payload> Ending<'_, P> {
    /// What the router makes of it as the caller.
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

impl Registration {
    /// The callee for one call, by the registration's policy. [wamp: advanced/rpc_shared_registration]
    fn choose(&mut self, random: &mut Random) -> Callee {
        let last = self.callees.len() - 1;
        let position = match self.invoke {
            InvokePolicy::Single | InvokePolicy::First => 0,
            InvokePolicy::Last => last,
            InvokePolicy::RoundRobin => {
                let position = if self.next > last { 0 } else { self.next };
                self.next = position + 1;
                position
            }
            InvokePolicy::Random => random.below(self.callees.len()),
        };
        self.callees[position]
    }
}

/// The slot of an invocation that this callee may answer; `None` if it ended before the answer came.
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

/// Sends INTERRUPT, to a callee that announced that it understands it.
fn interrupt<P: Payload>(cx: &mut Context<'_, P>, callee: SessionKey, request: RequestId, mode: CancelMode) {
    let Some((transport, joined)) = cx.sessions.joined(callee) else { return };
    if joined.announced.callee_call_canceling {
        let message = Message::Interrupt { request, mode: Some(mode), reason: None };
        cx.outbox.send(callee, transport.accepts(), message);
    }
}

fn stop_timer<P: Payload>(cx: &mut Context<'_, P>, invocation: &Invocation) {
    if let Some(timer) = invocation.timer {
        cx.timers.stop(timer);
    }
}
