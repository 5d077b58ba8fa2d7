//! What a driver may want to log: who joined, who left, whose input was rejected.
//!
//! Owns nothing but the words. Sessions learn of each other through the session meta API.

use crate::id::{SessionId, SessionKey};

/// Something that happened to a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A session joined a realm.
    Joined {
        key: SessionKey,
        session: SessionId,
        realm: String,
        authid: String,
        authrole: String,
        authmethod: String,
    },
    /// A session left its realm, whatever the reason.
    Left { key: SessionKey, session: SessionId, realm: String },
    /// An authenticator gave no answer, or none that can be read, when it was asked about the client of a transport.
    AuthenticatorFailed {
        key: SessionKey,
        /// A sentence, which is for the operator and not for the client.
        fault: String,
    },
    /// A transport was sent ABORT because its client did not authenticate.
    Denied {
        key: SessionKey,
        /// What HELLO names, if it does: nobody has proved it. At most 256 characters of it.
        realm: Option<String>,
        /// The same of `HELLO.Details.authid`.
        authid: Option<String>,
        /// A URI.
        reason: String,
        /// A sentence.
        message: String,
    },
    /// A transport was sent ABORT for anything else.
    Aborted {
        key: SessionKey,
        /// A URI.
        reason: String,
        /// A sentence.
        message: String,
    },
}

/// Characters of what a client says of itself that are worth a place in a log.
const MAX_CLAIM: usize = 256;

/// The beginning of what a client says of itself.
pub(crate) fn claim(text: &str) -> String {
    text.chars().take(MAX_CLAIM).collect()
}
