//! `tls`: the client certificate of the connection. Crossbar.io's.

use super::authenticator::question;
use super::exchange::{Client, Wait};
use super::methods::{Hello, Step};
use super::{Certificate, Fingerprint, Fingerprints, Provider, hex};
use crate::message::{Dict, dict};

impl Provider<Fingerprints> {
    pub(super) fn begin(&self, hello: &Hello<'_>, certificate: &Certificate) -> Step {
        match self {
            Self::Static(principals) => {
                let has = |shown: &Fingerprints| shown.0.iter().any(|one| one.is_of(certificate));
                let known = principals.list().iter().find(|one| has(&one.credential));
                let Some(known) = known else { return Step::refuse() };
                Client::new(hello, TLS, Some(&known.authid), None).accept(known.grant.clone(), Dict::new())
            }
            Self::Dynamic(authenticator) => {
                let fingerprints = dict([
                    ("sha1", colons(&certificate.sha1).into()),
                    ("sha256", colons(&certificate.sha256).into()),
                ]);
                let mut values = question(hello, TLS, hello.authid(), None);
                let details = values.args.last_mut();
                if let Some(transport) = details.and_then(|details| details["transport"].as_object_mut()) {
                    transport.insert("peer_cert".to_owned(), fingerprints.into());
                }
                let own = hex::encode(&certificate.sha256);
                let client =
                    Client::new(hello, TLS, Some(hello.authid().unwrap_or(&own)), Some(authenticator));
                client.ask(authenticator, values, Wait::Admission)
            }
        }
    }
}

impl Fingerprint {
    fn is_of(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Sha1(sha1) => *sha1 == certificate.sha1,
            Self::Sha256(sha256) => *sha256 == certificate.sha256,
        }
    }
}

/// As Crossbar.io writes fingerprints: `0A:1B:..`.
fn colons(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !text.is_empty() {
            text.push(':');
        }
        text.push_str(&hex::encode(&[*byte]));
    }
    text.make_ascii_uppercase();
    text
}

const TLS: &str = "tls";
