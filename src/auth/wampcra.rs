//! `wampcra`: a challenge, signed with a secret that both sides have. [wamp: advanced/authentication_cra]

use super::Provider;
use super::methods::{Hello, Step};

/// What a client must sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CraSecret {
    /// The key itself. Where the password is salted, the base64 text that the client derives from it.
    pub secret: String,
    /// How the client derives the key from its password. Default not at all: the password is the key.
    pub salting: Option<Salting>,
}

/// The parameters of PBKDF2 with HMAC-SHA256, which the client computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salting {
    pub salt: String,
    pub iterations: u32,
    /// Bytes of the derived key.
    pub keylen: u32,
}

impl Provider<CraSecret> {
    pub(super) fn begin(&self, _hello: &Hello<'_>) -> Step {
        Step::refuse()
    }
}
