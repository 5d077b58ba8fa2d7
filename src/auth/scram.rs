//! `scram` and `wamp-scram`: a proof that the client knows a password, of which the router has no more than a check.
//! [wamp: advanced/authentication_scram, RFC 5802, RFC 7677]

use super::Provider;
use super::methods::{Hello, Step};

/// What the router has of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramKeys {
    pub kdf: Kdf,
    pub iterations: u32,
    /// Kibibytes, for Argon2.
    pub memory: Option<u32>,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

/// How the client derives the keys from its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    Pbkdf2,
    /// Argon2id, version 1.3.
    Argon2id13,
}

/// What the client speaks, as the name says that it gives to the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `wamp-scram`: the specification.
    Wamp,
    /// `scram`: Crossbar.io and Autobahn|Python.
    Crossbar,
}

impl Kdf {
    /// The function that a configuration or an authenticator names, by the specification's names or Crossbar.io's.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pbkdf2" => Some(Self::Pbkdf2),
            "argon2id13" | "argon2id-13" => Some(Self::Argon2id13),
            _ => None,
        }
    }
}

impl Provider<ScramKeys> {
    pub(super) fn begin(&self, _hello: &Hello<'_>, _dialect: Dialect) -> Step {
        Step::refuse()
    }
}
