//! What a request must pass before it has an effect.
//!
//! Owns the checks of ids, URIs, roles, receivers and permissions, and what a session hears that fails one. What
//! happens then is in [`request`](super::request). [wamp: basic/building_blocks (protocol errors)]

use slab::Slab;

use super::Router;
use super::authorization::Guard;
use super::fault::{self, Fault, Refusal, refuse};
use super::meta_api::{CLEAR_RETAINED, PURGE};
use super::session::{Announced, Joined, PassthruFeatures};
use crate::auth::authorizer::{Action, Decision, Disclosure, Role};
use crate::config::Limits;
use crate::id::{RequestId, SessionKey};
use crate::message::{Message, MessageType, Passthru, PublishOptions};
use crate::payload::Payload;
use crate::uri::{self, MatchPolicy, UriCheck};

impl<P: Payload> Router<P> {
    /// The checks of a request that need no permission: what the session announced, and the URI.
    pub(super) fn vet(
        &self,
        key: SessionKey,
        uri: &str,
        policy: MatchPolicy,
        action: Action,
    ) -> Result<(), Fault> {
        let (_, joined) = self.sessions.joined(key).expect("it has joined");
        let Announced { caller, callee, publisher, subscriber, .. } = joined.announced;
        let (announced, message_type) = match action {
            Action::Call => (caller, MessageType::Call),
            Action::Register => (callee, MessageType::Register),
            Action::Publish => (publisher, MessageType::Publish),
            Action::Subscribe => (subscriber, MessageType::Subscribe),
        };
        demand_role(announced, message_type)?;
        let check = self.realms[joined.realm].config.uri_check;
        check_uri(uri, policy, check, self.limits.uri_length)?;
        if let Action::Publish | Action::Register = action {
            refuse_reserved(uri)?;
        }
        if action == Action::Register && is_of_router(uri) {
            return Err(refuse(fault::INVALID_URI, format!("'{uri}' is a procedure of the router")));
        }
        Ok(())
    }

    /// By the permissions of the role, or by what its authorizer has decided.
    pub(super) fn authorize(
        &mut self,
        key: SessionKey,
        uri: &str,
        policy: MatchPolicy,
        action: Action,
    ) -> Result<Decision, Fault> {
        let (_, joined) = self.sessions.joined(key).expect("it has joined");
        if let Some(verdict) = joined.guard.and_then(|guard| self.guards[guard].take_verdict()) {
            return verdict.map_err(Fault::from);
        }
        let role = &self.realms[joined.realm].config.roles[joined.role];
        let decision = match policy {
            MatchPolicy::Exact => role.authorize(uri, action),
            _ => role.authorize_pattern(uri, policy, action),
        };
        if !decision.allow {
            return Err(denied(role, uri, action).into());
        }
        Ok(decision)
    }
}

/// The id of a message that its session counts. [wamp: basic/building_blocks, IDs]
pub(super) fn request_of<P>(message: &Message<'_, P>) -> Option<RequestId> {
    match message {
        Message::Subscribe { request, .. }
        | Message::Unsubscribe { request, .. }
        | Message::Publish { request, .. }
        | Message::Register { request, .. }
        | Message::Unregister { request, .. }
        | Message::Call { request, .. } => Some(*request),
        _ => None,
    }
}

/// [wamp: basic/building_blocks, IDs] requests of a session count from 1. A client whose first id is another one counts
/// in its own way, and is let be.
pub(super) fn check_request(
    joined: &mut Joined,
    request: RequestId,
    message_type: MessageType,
) -> Result<(), Fault> {
    let Some(last) = joined.last_request else { return Ok(()) };
    if request == last.next() {
        joined.last_request = Some(request);
        return Ok(());
    }
    if last == RequestId(0) {
        joined.last_request = None;
        return Ok(());
    }
    let name = message_type.name();
    let text =
        format!("{name}.Request|id: expected {}, the next of this session, found {request}", last.next());
    Err(Fault::Violation(text))
}

/// Whether a CALL of a session that may send calls in pieces goes on with an earlier one, or is for one that is over;
/// otherwise it is a new one. [wamp: advanced/rpc_progressive_call_invocations, verification of CALL request ids]
pub(super) fn is_piece_of_call<P>(joined: &Joined, guards: &Slab<Guard<P>>, request: RequestId) -> bool {
    match joined.last_request {
        // Before its first request a session has none to go on with.
        Some(last) => last != RequestId(0) && request <= last && request != last.next(),
        None => {
            joined.calls.get(request).is_some()
                || joined.cut_short.contains(&request)
                || joined.guard.is_some_and(|guard| guards[guard].has_call(request))
        }
    }
}

/// A payload in another form than the ordinary one is for those who announced it.
/// [wamp: advanced/payload_passthru_mode]
pub(super) fn demand_passthru(
    announced: PassthruFeatures,
    passthru: &Passthru<'_>,
    message_type: MessageType,
) -> Result<(), Fault> {
    if announced.covers(passthru) {
        return Ok(());
    }
    let text = format!(
        "{}: HELLO did not announce payload_passthru_mode (for ppt_*) or payload_transparency (for enc_*)",
        message_type.name()
    );
    Err(Fault::Violation(text))
}

/// Whether a caller or publisher that wants to be revealed may be.
pub(super) fn check_disclosure(disclose_me: bool, decision: Decision) -> Result<(), Refusal> {
    if disclose_me && decision.disclose == Disclosure::Never {
        return Err(Refusal::new(fault::DISCLOSE_ME, "nobody is revealed here, not even by their own wish"));
    }
    Ok(())
}

pub(super) fn demand_role(announced: bool, message_type: MessageType) -> Result<(), Fault> {
    if announced {
        return Ok(());
    }
    let text = format!("{}: HELLO did not announce the role that sends this message", message_type.name());
    Err(Fault::Violation(text))
}

/// What a session hears that may not do this.
pub(super) fn denied(role: &Role, uri: &str, action: Action) -> Refusal {
    let text = format!("the role '{}' may not {} '{uri}'", role.name(), action.name());
    Refusal::new(fault::NOT_AUTHORIZED, text)
}

/// Components of a wildcard: the index is searched by recursion over them.
const MAX_COMPONENTS: usize = 64;

/// Whether a request may have this URI.
pub(super) fn check_uri(uri: &str, policy: MatchPolicy, check: UriCheck, most: usize) -> Result<(), Refusal> {
    if uri.len() > most {
        let text = format!("expected a URI of at most {most} bytes, found {}", uri.len());
        return Err(Refusal::new(fault::INVALID_URI, text));
    }
    if policy == MatchPolicy::Wildcard && uri.split('.').count() > MAX_COMPONENTS {
        let text = format!("expected a wildcard of at most {MAX_COMPONENTS} components");
        return Err(Refusal::new(fault::INVALID_URI, text));
    }
    if !uri::is_valid_pattern(uri, policy, check) {
        let text = format!("'{uri}' is no valid URI (match: {})", policy.as_str());
        return Err(Refusal::new(fault::INVALID_URI, text));
    }
    Ok(())
}

/// [wamp: basic/building_blocks, URIs] the first component `wamp` belongs to the router.
pub(super) fn refuse_reserved(uri: &str) -> Result<(), Refusal> {
    if uri::is_reserved(uri) {
        let text = format!("'{uri}' is reserved: URIs that begin with 'wamp' belong to the router");
        return Err(Refusal::new(fault::INVALID_URI, text));
    }
    Ok(())
}

/// Whether the router itself answers calls of this procedure, or nobody does.
pub(super) fn is_of_router(procedure: &str) -> bool {
    uri::is_reserved(procedure) || procedure == PURGE || procedure == CLEAR_RETAINED
}

/// Whether a PUBLISH may name so many receivers.
pub(super) fn check_audience(options: &PublishOptions<'_>, limits: &Limits) -> Result<(), Refusal> {
    if options.restrictions.as_ref().is_some_and(|restrictions| restrictions.names() > limits.audience) {
        let text =
            format!("this PUBLISH names more than {} receivers, the most that it may", limits.audience);
        return Err(Refusal::new(fault::LIMIT_EXCEEDED, text));
    }
    Ok(())
}
