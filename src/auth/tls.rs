//! `tls`: the client certificate of the connection. Crossbar.io's.

use super::authenticator::question;
use super::exchange::{Client, Wait};
use super::methods::{Hello, Step};
use super::peer_cert::peer_cert;
use super::{Certificate, Fingerprint, Fingerprints, Provider, hex};
use crate::message::Dict;

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
                let mut values = question(hello, TLS, hello.authid(), None);
                let details = values.args.last_mut();
                if let Some(transport) = details.and_then(|details| details["transport"].as_object_mut()) {
                    transport.insert("peer_cert".to_owned(), peer_cert(certificate).into());
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

const TLS: &str = "tls";
