//! TLS on listeners: keys and certificates from PEM files.
//!
//! Owns reading them, at the start and at a reload, and saying what is wrong with them. Handshakes are in
//! [`listener`](super::listener).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    Error, InconsistentKeys, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
};

use super::gate::Socket;
use super::listener::ListenError;
use super::lock;
use crate::auth::{Certificate, Channel};
use crate::config::node::{Listener, Tls};
use crate::config::read_at_most;

/// What a listener with TLS shows to those who connect, and asks them for. A reload replaces it: certificates are renewed
/// while their listener stays. Connections keep what they began with.
#[derive(Debug)]
pub(super) struct Credentials(Mutex<Arc<ServerConfig>>);

impl Credentials {
    /// How the next handshake is made.
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&lock(&self.0)).into()
    }
}

/// What the files of a listener say, which is known by its socket.
pub(super) type Read = (Socket, Arc<ServerConfig>);

/// The credentials of all listeners of a process.
#[derive(Debug, Default)]
pub(super) struct AllCredentials(Mutex<BTreeMap<Socket, Arc<Credentials>>>);

impl AllCredentials {
    /// Reads those of a listener that is new, where it has TLS.
    pub fn add(&self, listener: &Listener) -> Result<Option<Arc<Credentials>>, ListenError> {
        let Some((socket, config)) = read(listener)? else { return Ok(None) };
        let credentials = Arc::new(Credentials(Mutex::new(config)));
        lock(&self.0).insert(socket, Arc::clone(&credentials));
        Ok(Some(credentials))
    }

    /// Whether this listener has TLS.
    pub fn has(&self, socket: &Socket) -> bool {
        lock(&self.0).contains_key(socket)
    }

    /// Takes what was [read again](read_all), where a listener has TLS already. Answers whether one has.
    pub fn replace(&self, read: Vec<Read>) -> bool {
        let known = lock(&self.0);
        let mut is_any = false;
        for (socket, config) in read {
            if let Some(credentials) = known.get(&socket) {
                *lock(&credentials.0) = config;
                is_any = true;
            }
        }
        is_any
    }
}

/// What the files of all listeners say.
pub(super) fn read_all(listeners: &[Listener]) -> Result<Vec<Read>, ListenError> {
    listeners.iter().filter_map(|listener| read(listener).transpose()).collect()
}

/// What the files of a listener say; nothing where it has no TLS.
pub(super) fn read(listener: &Listener) -> Result<Option<Read>, ListenError> {
    let Some(tls) = &listener.endpoint.tls else { return Ok(None) };
    match server_config(tls) {
        Ok(config) => Ok(Some((Socket::of(listener), config))),
        Err(reason) => Err(ListenError { path: listener.path.clone(), reason }),
    }
}

/// TLS as an endpoint configures it: version 1.2 or 1.3. Where there are authorities, clients must, or may, present a
/// certificate of one of them.
///
/// The error names the file and what is wrong with it.
fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, String> {
    let mut chain = certificates(&tls.certificate)?;
    for file in &tls.chain_certificates {
        chain.extend(certificates(file)?);
    }
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(private_key(&tls.key)?).map_err(|_| {
        problem(&tls.key, "expected a key for RSA of 2048 bits and more, ECDSA (P-256, P-384) or Ed25519")
    })?;
    let certified = CertifiedKey::new(chain, key);
    if !is_key_of_certificate(&certified) {
        let reason = format!("expected the key of the certificate {}", tls.certificate.display());
        return Err(problem(&tls.key, &format!("{reason}, the first one in that file; found another key")));
    }
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
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))))
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

/// Whether the first certificate is of the key. rustls reads certificates of version 3 alone. `openssl x509 -req` makes such
/// of version 1 where it is told nothing else, and clients take them; in those, the public key is looked for as it stands.
fn is_key_of_certificate(certified: &CertifiedKey) -> bool {
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => true,
        Err(Error::InvalidCertificate(_)) => {
            let (Some(key), Some(first)) = (certified.key.public_key(), certified.cert.first()) else {
                return false;
            };
            first.windows(key.len()).any(|place| place == key.as_ref())
        }
        Err(_) => false,
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = read_pem(file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        // In PKCS #8 that is another kind of section; older files say so in a header, which is no base64.
        pem::Error::NoItemsFound | pem::Error::Base64Decode(_) if is_encrypted(&pem) => {
            problem(file, "expected a private key without a password, found an encrypted one")
        }
        pem::Error::NoItemsFound => problem(file, "expected a private key in PEM, found none"),
        error => no_pem(file, &error),
    })
}

fn is_encrypted(pem: &[u8]) -> bool {
    const MARK: &[u8] = b"ENCRYPTED";
    pem.windows(MARK.len()).any(|place| place == MARK)
}

/// The certificates of a file, of which there must be one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read_pem(file)?).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(problem(file, "expected a certificate in PEM, found none"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(no_pem(file, &error)),
    }
}

fn read_pem(file: &Path) -> Result<Vec<u8>, String> {
    read_at_most(file, MAX_PEM, "a file in PEM").map_err(|error| problem(file, &error.to_string()))
}

fn no_pem(file: &Path, error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => problem(file, "expected PEM: a section has no last line"),
        pem::Error::IllegalSectionStart { .. } => {
            problem(file, "expected PEM: a section has no right first line")
        }
        error => problem(file, &format!("expected PEM: {error}")),
    }
}

/// Bytes of the longest file of keys or certificates. All authorities that browsers trust have a quarter of a mebibyte.
const MAX_PEM: u64 = 16 << 20;

fn problem(file: &Path, reason: &str) -> String {
    format!("{}: {reason}", file.display())
}
