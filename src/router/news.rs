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
    /// A transport was sent ABORT.
    Aborted {
        key: SessionKey,
        /// A URI.
        reason: String,
        /// A sentence.
        message: String,
    },
}
