//! TLS on listeners: keys and certificates from PEM files.
//!
//! Owns reading them and saying what is wrong with them. Handshakes are in [`listener`](super::listener).

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};

use crate::auth::{Certificate, Channel};
use crate::config::node::Tls;

/// TLS as an endpoint configures it: version 1.2 or 1.3. Where there are authorities, clients must, or may, present a
/// certificate of one of them.
///
/// The error names the file and what is wrong with it.
pub fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, String> {
    let mut chain = certificates(&tls.certificate)?;
    for file in &tls.chain_certificates {
        chain.extend(certificates(file)?);
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| match error {
        pem::Error::NoItemsFound => problem(&tls.key, "expected a private key in PEM, found none"),
        error => read_problem(&tls.key, &error),
    })?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if tls.ca_certificates.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut authorities = RootCertStore::empty();
        for file in &tls.ca_certificates {
            for certificate in certificates(file)? {
                authorities.add(certificate).map_err(|error| problem(file, &error.to_string()))?;
            }
        }
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
        if !tls.require_client_certificate {
            verifier = verifier.allow_unauthenticated();
        }
        builder.with_client_cert_verifier(verifier.build().map_err(|error| error.to_string())?)
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("{} and {}: {error}", tls.key.display(), tls.certificate.display()))?;
    Ok(Arc::new(config))
}

/// What authentication may build on: the certificate that the client presented, which was verified, and in TLS 1.3 the
/// channel id `tls-exporter` [RFC 9266]. There is no `tls-unique`: rustls does not show the messages it is made of. Nor is
/// there a `tls-exporter` in TLS 1.2, where it would need an extension that rustls does not tell of.
pub(super) fn channel(connection: &ServerConnection) -> Channel {
    let mut channel = Channel::default();
    let chain = connection.peer_certificates();
    channel.certificate = chain.and_then(|chain| Some(Certificate::from_der(chain.first()?)));
    if connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
        let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
        channel.tls_exporter = exported.ok();
    }
    channel
}

/// The certificates of a file, of which there must be one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).and_then(|found| found.collect());
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(problem(file, "expected a certificate in PEM, found none"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(read_problem(file, &error)),
    }
}

fn read_problem(file: &Path, error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => problem(file, &error.to_string()),
        error => problem(file, &format!("expected PEM: {error}")),
    }
}

fn problem(file: &Path, reason: &str) -> String {
    format!("{}: {reason}", file.display())
}
