//! One INVOCATION: what it says beside its CALL, and to whom it can be sent.
//!
//! Owns its details. Which callee gets it is in [`invocation`](super::invocation).
//! [wamp: basic/remote_procedure_call]

use super::super::context::Context;
use super::super::fault::{self, Refusal, too_long};
use super::super::outbox::Accepts;
use super::super::session::Announced;
use super::invocation::Caller;
use super::registration::Callee;
use crate::auth::authorizer::Decision;
use crate::id::{RegistrationId, RequestId, SessionKey};
use crate::message::{CallOptions, InvocationDetails, Message};
use crate::payload::Payload;
use crate::uri::MatchPolicy;

/// What all INVOCATIONs of a call to one callee say beside the options of the CALL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub registration: RegistrationId,
    pub is_pattern: bool,
    pub is_disclosed: bool,
    pub wants_progress: bool,
    pub forwards_timeout: bool,
    pub trustlevel: Option<u64>,
}

impl Terms {
    #[inline(always)]
    pub fn new(
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
            // Asks all: wampy gives progressive results without a word, and who has none ignores it.
            wants_progress: options.receive_progress,
            // The router does not leave it to somebody else how long it waits.
            forwards_timeout: callee.forward_timeout && announced.callee_call_timeout && caller.is_session(),
            trustlevel: decision.trustlevel.filter(|_| announced.callee_call_trustlevels),
        }
    }
}

/// Refuses a call that the callee would not understand.
#[cold]
pub(super) fn check_understood(announced: &Announced, options: &CallOptions<'_>) -> Result<(), Refusal> {
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
pub(super) fn invoke_inline<P: Payload>(
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
pub(super) fn invoke<P: Payload>(
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
