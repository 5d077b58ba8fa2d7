//! `anonymous`: no proof at all.

use super::authenticator::{Authenticator, question};
use super::exchange::{Client, Wait};
use super::methods::{Hello, Step};
use super::{ANONYMOUS, Grant};
use crate::message::Dict;

/// What a client gets that proves nothing.
#[derive(Clone, Debug)]
pub enum Anonymous {
    /// `type: static`. Its authid, where none is granted, is [`Hello::serial`].
    Static(Grant),
    /// `type: dynamic` and `type: function`.
    Dynamic(Authenticator),
    /// Nobody authenticates, whatever other methods there are: what is said of a transport of which the configuration
    /// says nothing, so that it can be told from others. The router joins its clients as those of a transport without
    /// methods.
    #[cfg(feature = "native")]
    Open,
}

impl Anonymous {
    pub(super) fn begin(&self, hello: &Hello<'_>) -> Step {
        match self {
            Self::Static(grant) => {
                Client::new(hello, ANONYMOUS, Some(&hello.serial), None).accept(grant.clone(), Dict::new())
            }
            Self::Dynamic(authenticator) => {
                let values = question(hello, ANONYMOUS, Some(&hello.serial), None);
                let client = Client::new(hello, ANONYMOUS, Some(&hello.serial), Some(authenticator));
                client.ask(authenticator, values, Wait::Admission)
            }
            #[cfg(feature = "native")]
            Self::Open => {
                let grant = Grant { role: ANONYMOUS.into(), ..Grant::default() };
                Self::Static(grant).begin(hello)
            }
        }
    }
}
