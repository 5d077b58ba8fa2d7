//! The procedures of the registration meta API.
//!
//! The router's own procedures are no registrations: they are neither listed nor matched.
//! [wamp: advanced/meta_api_registrations]

use serde_json::Value;

use super::{Answer, Effect, MetaCall, by_policy};
use crate::id::{RegistrationId, SessionId};
use crate::message::Dict;
use crate::payload::Payload;
use crate::router::dealer::Registration;
use crate::router::fault::{self, Refusal};
use crate::router::vetting::is_of_router;

/// `list(session_id?)`: of the realm, or of one session.
pub(super) fn list<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let dealer = &call.realm.dealer;
    let held = |id: RegistrationId| Some((id.0, dealer.get(id)?.policy));
    Ok(match call.wanted_session()? {
        None => by_policy(&mut dealer.registrations().map(|(id, held)| (id.0, held.policy))),
        Some(joined) => by_policy(&mut joined.registrations.iter().filter_map(|(id, ())| held(*id))),
    })
}

/// `lookup(procedure, {match}?)`: the one of exactly this URI and policy.
pub(super) fn lookup<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (procedure, policy) = (call.text(0, "procedure")?, call.match_policy()?);
    Ok(nullable(call.realm.dealer.find(procedure, policy)))
}

/// `match(procedure)`: the one that would answer a call.
pub(super) fn best_match<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let procedure = call.text(0, "procedure")?;
    // A catch-all does not answer in the router's name.
    let found = if is_of_router(procedure) { None } else { call.realm.dealer.best_match(procedure) };
    Ok(nullable(found))
}

/// `get(registration_id)`.
pub(super) fn get<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (id, registration) = registration(call)?;
    Ok(Answer::one(Value::Object(details(id, registration))))
}

/// `list_callees(registration_id)`: in the order in which they came.
pub(super) fn list_callees<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (_, registration) = registration(call)?;
    Ok(call.session_ids(&mut registration.callees.iter().map(|callee| callee.key)))
}

/// `count_callees(registration_id)`.
pub(super) fn count_callees<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (_, registration) = registration(call)?;
    Ok(Answer::one(registration.callees.len()))
}

/// `remove_callee(registration_id, callee_id, reason?)`.
pub(super) fn remove_callee<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let (id, registration) = registration(call)?;
    let (key, joined) = call.session(1, "callee_id")?;
    if !registration.callees.iter().any(|callee| callee.key == key) {
        return Err(no_callee(joined.id, id));
    }
    let reason = call.reason(2)?;
    Ok(Answer::effect(Effect::RemoveCallee { registration: id, callee: key, reason }))
}

/// What the meta API says of a registration.
pub(crate) fn details(id: RegistrationId, registration: &Registration) -> Dict {
    let mut details = super::details(id.0, &registration.uri, registration.policy, registration.created_ns);
    details.insert("invoke".into(), registration.invoke.as_str().into());
    details
}

fn registration<'a, P: Payload>(
    call: &MetaCall<'a, P>,
) -> Result<(RegistrationId, &'a Registration), Refusal> {
    let id = RegistrationId(call.id(0, "registration_id")?);
    let registration = call.realm.dealer.get(id).ok_or_else(|| {
        Refusal::new(fault::NO_SUCH_REGISTRATION, format!("this realm has no registration {id}"))
    })?;
    Ok((id, registration))
}

fn no_callee(session: SessionId, registration: RegistrationId) -> Refusal {
    let text = format!("the session {session} is no callee of the registration {registration}");
    Refusal::new(fault::NO_SUCH_SESSION, text)
}

fn nullable(id: Option<RegistrationId>) -> Answer {
    Answer::one(id.map_or(Value::Null, |id| id.0.into()))
}
