//! `ticket`: a secret that the client sends as it is. [wamp: advanced/authentication_ticket]

use super::Provider;
use super::methods::{Hello, Step};

/// What a client must send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(pub String);

impl Provider<Ticket> {
    pub(super) fn begin(&self, _hello: &Hello<'_>) -> Step {
        Step::refuse()
    }
}
