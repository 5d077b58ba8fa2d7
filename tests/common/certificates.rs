//! Certificates of an authority of our own, and clients that trust it.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::connect;

pub type TlsSocket = StreamOwned<ClientConnection, TcpStream>;

/// An authority and what it signed, in a folder of its own.
pub struct Certificates {
    pub folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// Writes `key.pem`, `cert.pem` for `localhost`, and `ca.pem`.
    pub fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wamplet-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let certificates = Self { folder, authority };
        let (certificate, key) = certificates.sign("localhost");
        certificates.write("cert.pem", &certificate);
        certificates.write("key.pem", &key);
        certificates.write("ca.pem", &certificates.authority.pem());
        certificates
    }

    /// A certificate and its key in PEM.
    pub fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.join(name), content).expect("a temporary file");
    }

    pub fn endpoint(&self, changes: &Value) -> Value {
        let path = |name: &str| self.folder.join(name);
        let mut tls = json!({ "key": path("key.pem"), "certificate": path("cert.pem") });
        for (key, name) in changes.as_object().expect("an object") {
            tls[key] = match name {
                Value::Array(names) => {
                    names.iter().map(|name| json!(path(name.as_str().expect("a name")))).collect()
                }
                Value::Bool(flag) => json!(flag),
                name => json!(path(name.as_str().expect("a name"))),
            };
        }
        json!({ "type": "tcp", "port": 0, "interface": "127.0.0.1", "tls": tls })
    }

    /// A client that trusts the authority, and has a certificate if it is given one.
    pub fn connect(&self, address: SocketAddr, own: Option<(String, String)>) -> TlsSocket {
        use rustls_pki_types::pem::PemObject;
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a certificate");
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(vec![certificate], key).expect("a key for it")
            }
        };
        let name = "localhost".try_into().expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        StreamOwned::new(connection, connect(address))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
