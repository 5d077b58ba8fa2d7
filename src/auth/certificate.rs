//! Client certificates: their fingerprints, and what else an authenticator is told of them. What they are good for is in
//! `tls`, which only a driver with TLS has.

use super::hex;

/// The certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
    /// The certificate itself, in DER.
    pub der: Vec<u8>,
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
    /// A certificate in DER, with its fingerprints.
    #[cfg(feature = "native")]
    pub fn from_der(der: &[u8]) -> Self {
        use sha1::{Digest as _, Sha1};
        Self { sha1: Sha1::digest(der).into(), sha256: super::proof::sha256(der), der: der.to_vec() }
    }
}

impl Fingerprint {
    /// A fingerprint in hexadecimal, in either case, with or without colons; its length says which one it is.
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.chars().filter(|character| *character != ':').collect::<String>();
        hex::decode_array(&text).map(Self::Sha1).or_else(|| hex::decode_array(&text).map(Self::Sha256))
    }
}
