//! `anonymous`: no proof at all.

use super::methods::{Hello, Step};
use super::{Authenticator, Grant};

/// What a client gets that proves nothing.
#[derive(Clone, Debug)]
pub enum Anonymous {
    /// `type: static`. Its authid, where none is granted, is [`Hello::serial`].
    Static(Grant),
    /// `type: dynamic` and `type: function`.
    Dynamic(Authenticator),
}

impl Anonymous {
    pub(super) fn begin(&self, _hello: &Hello<'_>) -> Step {
        Step::refuse()
    }
}
