//! What is pending between two messages of a client that authenticates.
//!
//! Owns the order of the steps: an exchange waits either for AUTHENTICATE or for the answer of an authenticator, and each of
//! them ends it or makes the next one. A failed attempt ends it; there is no second one.

use super::Failure;
use super::methods::Step;
use crate::message::Dict;
use crate::payload::Values;

/// An authentication that has begun.
#[derive(Debug)]
pub struct Exchange(Box<Pending>);

#[derive(Debug)]
pub(super) struct Pending {
    is_challenged: bool,
}

impl Exchange {
    /// Whether AUTHENTICATE comes next. Otherwise the answer of an authenticator does, and AUTHENTICATE is a violation.
    pub fn is_challenged(&self) -> bool {
        self.0.is_challenged
    }

    /// Takes the client's answer to the CHALLENGE.
    pub fn authenticate(self, _signature: &str, _extra: &Dict) -> Step {
        Step::refuse()
    }

    /// Takes the answer of the authenticator.
    pub fn answered(self, _answer: Result<Values, Failure>) -> Step {
        Step::refuse()
    }
}
