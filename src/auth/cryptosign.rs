//! `cryptosign`: a challenge, signed with the Ed25519 key of the client. [wamp: advanced/authentication_cryptosign]

use super::Provider;
use super::methods::{Channel, Hello, Step};

/// The public keys that a client may sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKeys(pub Vec<[u8; 32]>);

impl Provider<AuthorizedKeys> {
    pub(super) fn begin(&self, _hello: &Hello<'_>, _channel: &Channel) -> Step {
        Step::refuse()
    }
}
