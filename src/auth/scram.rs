//! `scram` and `wamp-scram`: a proof that the client knows a password, of which the router has no more than a check.
//! [wamp: advanced/authentication_scram, RFC 5802, RFC 7677]
//!
//! Owns both dialects: the specification's, and that of Crossbar.io and Autobahn|Python. They differ in the method's name,
//! the name of Argon2, the nonce, the message that is signed, and where the router's own proof stands. A client of either
//! may sign either message.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use super::authenticator::{Answer, question};
use super::exchange::{Client, Wait};
use super::methods::{Hello, NO_AUTHID, Step};
use super::proof::{hmac, is_same, sha256};
use super::{Grant, Provider, hex};
use crate::message::{Dict, dict};

/// What the router has of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    pub kdf: Kdf,
    pub iterations: u32,
    /// Kibibytes, for Argon2.
    pub memory: Option<u32>,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

/// How the client derives the keys from its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    Pbkdf2,
    /// Argon2id, version 1.3.
    Argon2id13,
}

/// What the client speaks, as the name says that it gives to the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `wamp-scram`: the specification.
    Wamp,
    /// `scram`: Crossbar.io and Autobahn|Python.
    Crossbar,
}

/// What the client has begun with.
pub(super) struct Offer {
    dialect: Dialect,
    /// As the client said it, not as the authenticator may call it.
    authid: String,
    client_nonce: String,
    nonce: String,
}

/// What the client has been challenged with.
pub(super) struct Challenged {
    offer: Offer,
    salt: String,
    keys: ScramKeys,
    grant: Option<Grant>,
}

impl Kdf {
    /// The function that a configuration or an authenticator names, by the specification's names or Crossbar.io's.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pbkdf2" => Some(Self::Pbkdf2),
            "argon2id13" | "argon2id-13" => Some(Self::Argon2id13),
            _ => None,
        }
    }

    fn name(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Pbkdf2, _) => "pbkdf2",
            (Self::Argon2id13, Dialect::Wamp) => "argon2id13",
            (Self::Argon2id13, Dialect::Crossbar) => "argon2id-13",
        }
    }
}

impl Dialect {
    fn method(self) -> &'static str {
        match self {
            Self::Wamp => "wamp-scram",
            Self::Crossbar => "scram",
        }
    }
}

impl Provider<ScramKeys> {
    pub(super) fn begin(&self, hello: &Hello<'_>, dialect: Dialect) -> Step {
        let Some(authid) = hello.authid() else { return Step::refuse_hello(NO_AUTHID) };
        let offer = match Offer::new(hello, dialect, authid) {
            Ok(offer) => offer,
            Err(text) => return Step::refuse_hello(text),
        };
        let method = dialect.method();
        match self {
            Self::Static(principals) => {
                let Some(found) = principals.find_or_decoy(authid, |known| &known.server_key) else {
                    return Step::refuse();
                };
                let mut keys = found.principal.credential.clone();
                if let Some(decoy) = found.decoy_salt(keys.salt.len()) {
                    keys.salt = decoy;
                }
                offer.challenge_with(Client::new(hello, method, Some(authid), None), keys, found.grant)
            }
            Self::Dynamic(authenticator) => {
                let values = question(hello, method, Some(authid), None);
                let client = Client::new(hello, method, Some(authid), Some(authenticator));
                client.ask(authenticator, values, Wait::ScramKeys(offer))
            }
        }
    }
}

/// What the answer of an authenticator must have beside a role.
pub(super) const ANSWER: &str = "\"kdf\" (pbkdf2 or argon2id-13), \"iterations\" from 1, and in hexadecimal digits \"salt\", \"stored-key\" and \"server-key\"";

impl Offer {
    fn new(hello: &Hello<'_>, dialect: Dialect, authid: &str) -> Result<Self, &'static str> {
        let client_nonce = hello.authextra("nonce").and_then(Value::as_str).unwrap_or_default();
        let mut bytes = Base64::decode_vec(client_nonce).unwrap_or_default();
        if bytes.is_empty() || bytes.len() > LONGEST_NONCE {
            return Err("SCRAM needs up to 256 bytes in base64 as HELLO.Details.authextra.nonce");
        }
        if hello.authextra("channel_binding").is_some() {
            return Err("SCRAM is served here without channel binding");
        }
        let own = &hello.entropy[..16];
        let nonce = match dialect {
            Dialect::Wamp => {
                let mut nonce = client_nonce.to_owned();
                nonce.push_str(&Base64::encode_string(own));
                nonce
            }
            Dialect::Crossbar => {
                bytes.extend_from_slice(own);
                Base64::encode_string(&bytes)
            }
        };
        Ok(Self { dialect, authid: authid.to_owned(), client_nonce: client_nonce.to_owned(), nonce })
    }

    /// Challenges the client with the `salt`, `stored-key`, `server-key` and so on of the answer.
    pub(super) fn challenge(self, client: Client, answer: Answer) -> Option<Step> {
        let key = |name| hex::decode_array(answer.text(name)?);
        let keys = ScramKeys {
            kdf: Kdf::from_name(answer.text("kdf")?)?,
            iterations: answer.number("iterations")?,
            memory: answer.number("memory"),
            salt: hex::decode(answer.text("salt")?)?,
            stored_key: key("stored-key")?,
            server_key: key("server-key")?,
        };
        Some(self.challenge_with(client, keys, Some(answer.grant)))
    }

    fn challenge_with(self, client: Client, keys: ScramKeys, grant: Option<Grant>) -> Step {
        let salt = Base64::encode_string(&keys.salt);
        let mut extra = dict([
            ("nonce", self.nonce.as_str().into()),
            ("salt", salt.as_str().into()),
            ("kdf", keys.kdf.name(self.dialect).into()),
            ("iterations", keys.iterations.into()),
        ]);
        // Autobahn|Python makes a number of whatever is there, and stumbles over null.
        if keys.memory.is_some() || self.dialect == Dialect::Wamp {
            extra.insert("memory".to_owned(), keys.memory.into());
        }
        client.challenge(extra, Wait::ScramProof(Challenged { offer: self, salt, keys, grant }))
    }
}

impl Challenged {
    pub(super) fn judge(self, client: Client, signature: &str, extra: &Dict) -> Step {
        // What is no proof fails like a wrong one, with the same work.
        let mut proof = Base64::decode_vec(signature).unwrap_or_default();
        let is_proof = proof.len() == 32;
        proof.resize(32, 0);
        let repeats = match extra.get("nonce") {
            None | Some(Value::Null) => true,
            Some(nonce) => nonce.as_str() == Some(&self.offer.nonce),
        };
        let is_unbound = extra.get("channel_binding").is_none_or(Value::is_null);
        let mut is_proved = false;
        let mut server_signature = [0; 32];
        for dialect in [Dialect::Wamp, Dialect::Crossbar] {
            let message = self.auth_message(dialect);
            let mut key = hmac(&self.keys.stored_key, &[message.as_bytes()]);
            for (byte, proof) in key.iter_mut().zip(&proof) {
                *byte ^= proof;
            }
            let signature = hmac(&self.keys.server_key, &[message.as_bytes()]);
            if is_same(&sha256(&key), &self.keys.stored_key) {
                is_proved = true;
                server_signature = signature;
            }
        }
        let signature = Base64::encode_string(&server_signature);
        let mut verifier = "v=".to_owned();
        verifier.push_str(&signature);
        let welcome_extra =
            dict([("verifier", verifier.into()), ("scram_server_signature", signature.into())]);
        let has_proved = is_proof & repeats & is_unbound & is_proved;
        client.judge(has_proved, self.grant, welcome_extra)
    }

    /// `AuthMessage`.
    fn auth_message(&self, dialect: Dialect) -> String {
        let Self { offer: Offer { authid, client_nonce, nonce, .. }, salt, keys, .. } = self;
        let iterations = keys.iterations;
        let (authid, binding) = match dialect {
            // "n,," in base64: no channel is bound.
            Dialect::Wamp => (&escaped(authid), "biws"),
            Dialect::Crossbar => (authid, ""),
        };
        format!("n={authid},r={client_nonce},r={nonce},s={salt},i={iterations},c={binding},r={nonce}")
    }
}

/// `saslname`.
fn escaped(authid: &str) -> String {
    let mut text = String::with_capacity(authid.len());
    for character in authid.chars() {
        match character {
            '=' => text.push_str("=3D"),
            ',' => text.push_str("=2C"),
            _ => text.push(character),
        }
    }
    text
}

/// Without the keys.
impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys")
    }
}

/// Bytes of chance that a client may send; 16 are usual.
const LONGEST_NONCE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::router::Now;

    #[test]
    fn the_example_of_rfc_7677_is_proved_and_answered() {
        let details = dict([]);
        let hello = Hello {
            realm: None,
            details: &details,
            session: SessionId(1),
            serial: String::new(),
            transport: Value::Null,
            entropy: [0; 32],
            now: Now::default(),
        };
        // SaltedPassword of "pencil", the salt and 4 096 iterations gives these.
        let key = |text| hex::decode_array(text).expect("hexadecimal");
        let keys = ScramKeys {
            kdf: Kdf::Pbkdf2,
            iterations: 4096,
            memory: None,
            salt: Vec::new(),
            stored_key: key("586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6"),
            server_key: key("c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5"),
        };
        let challenged = Challenged {
            offer: Offer {
                dialect: Dialect::Wamp,
                authid: "user".into(),
                client_nonce: "rOprNGfwEbeRWgbNEkqO".into(),
                nonce: "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
            },
            salt: "W22ZaJ0SNY7soEsUEjb6gQ==".into(),
            keys,
            grant: Some(Grant::default()),
        };
        let client = Client::new(&hello, "wamp-scram", Some("user"), None);
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let Step::Accept { welcome_extra, .. } = challenged.judge(client, proof, &Dict::new()) else {
            panic!("the proof is right");
        };
        assert_eq!(welcome_extra["verifier"], "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }
}
