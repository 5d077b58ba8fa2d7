//! What authorizers have decided, and no longer holds: wamplet's own procedure.

use super::{Answer, Effect, MetaCall};
use crate::payload::Payload;
use crate::router::fault::Refusal;

/// Forgets the decisions about the sessions of an authid, or about all; answers how many there were.
pub(super) fn purge<P: Payload>(call: &mut MetaCall<'_, P>) -> Result<Answer, Refusal> {
    let authid = match call.argument(0, "authid") {
        None => None,
        Some(_) => Some(call.text(0, "authid")?.to_owned()),
    };
    let count = call.realm.decisions.count(authid.as_deref());
    Ok(Answer { effect: Some(Effect::PurgeDecisions { authid }), ..Answer::one(count) })
}
