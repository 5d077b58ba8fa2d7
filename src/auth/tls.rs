//! `tls`: the client certificate of the connection, by its fingerprint. Crossbar.io's.

use super::Provider;
use super::methods::{Hello, Step};

/// The certificate of a client, as its fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
}

/// One fingerprint of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// `certificate-sha1` of Crossbar.io.
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

/// The certificates that a client may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprints(pub Vec<Fingerprint>);

impl Certificate {
    /// The fingerprints of a certificate in DER.
    #[cfg(feature = "native")]
    pub fn from_der(_der: &[u8]) -> Self {
        Self { sha1: [0; 20], sha256: [0; 32] }
    }
}

impl Fingerprint {
    /// A fingerprint in hexadecimal, in either case, with or without colons; its length says which one it is.
    pub fn from_hex(_text: &str) -> Option<Self> {
        None
    }
}

impl Provider<Fingerprints> {
    pub(super) fn begin(&self, _hello: &Hello<'_>, _certificate: &Certificate) -> Step {
        Step::refuse()
    }
}
