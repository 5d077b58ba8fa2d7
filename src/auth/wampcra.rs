//! `wampcra`: a challenge, signed with a secret that both sides have. [wamp: advanced/authentication_cra]

use std::fmt;

use base64ct::{Base64, Encoding as _};
#[cfg(feature = "native")]
use pbkdf2::pbkdf2_hmac;
#[cfg(feature = "native")]
use sha2::Sha256;

use super::authenticator::{Answer, question};
use super::exchange::{Client, Wait};
use super::methods::{Hello, NO_AUTHID, Step};
use super::proof::{hmac, is_same};
use super::{Grant, Provider, hex};
use crate::codec::{Serializer, encode_values};
use crate::id::SessionId;
use crate::message::{Dict, dict};
use crate::payload::Values;
use crate::router::Now;
use crate::router::utc::utc_text;

/// What a client must sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct CraSecret {
    /// The key itself. Where the password is salted, the base64 text that the client derives from it.
    pub secret: String,
    /// How the client derives the key from its password. Default not at all: the password is the key.
    pub salting: Option<Salting>,
}

/// The parameters of PBKDF2 with HMAC-SHA256, which the client computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salting {
    pub salt: String,
    pub iterations: u32,
    /// Bytes of the derived key.
    pub keylen: u32,
}

#[cfg(feature = "native")]
impl Salting {
    /// The key that clients derive from this password, in base64.
    pub(crate) fn derive(&self, password: &str) -> String {
        let mut key = vec![0; self.keylen as usize];
        pbkdf2_hmac::<Sha256>(password.as_bytes(), self.salt.as_bytes(), self.iterations, &mut key);
        Base64::encode_string(&key)
    }

    /// Whether a secret may be a key that was derived so.
    pub(crate) fn may_have_made(&self, secret: &str) -> bool {
        Base64::decode_vec(secret).is_ok_and(|key| key.len() == self.keylen as usize)
    }

    /// The same at each login. `None` where that would keep all others waiting.
    fn derive_at_login(&self, password: &str) -> Option<String> {
        let blocks = self.keylen.div_ceil(BYTES_OF_A_BLOCK);
        let is_quick = u64::from(self.iterations) * u64::from(blocks) <= MOST_ITERATIONS_AT_LOGIN;
        is_quick.then(|| self.derive(password))
    }
}

/// Of SHA-256.
#[cfg(feature = "native")]
const BYTES_OF_A_BLOCK: u32 = 32;

/// Of PBKDF2 for one block: some milliseconds.
#[cfg(feature = "native")]
const MOST_ITERATIONS_AT_LOGIN: u64 = 10_000;

/// What the challenge is made of.
pub(super) struct Offer {
    session: SessionId,
    nonce: [u8; 32],
    now: Now,
}

/// The signature that the challenge has, in base64.
pub(super) struct Challenged {
    signature: String,
    grant: Option<Grant>,
}

impl Provider<CraSecret> {
    pub(super) fn begin(&self, hello: &Hello<'_>) -> Step {
        let Some(authid) = hello.authid() else { return Step::refuse_hello(NO_AUTHID) };
        let offer = Offer { session: hello.session, nonce: hello.entropy, now: hello.now };
        match self {
            Self::Static(principals) => {
                let Some(found) = principals.find_or_decoy(authid, |known| known.secret.as_bytes()) else {
                    return Step::refuse();
                };
                let CraSecret { secret, salting } = &found.principal.credential;
                let salting = salting.clone().map(|salting| {
                    let decoy = found.decoy_salt(salting.salt.len());
                    let salt = decoy.map_or(salting.salt.clone(), |noise| similar(&salting.salt, &noise));
                    Salting { salt, ..salting }
                });
                let client = Client::new(hello, WAMPCRA, Some(authid), None);
                let role = &found.principal.grant.role;
                offer.sign(client, role, secret, salting, found.grant)
            }
            Self::Dynamic(authenticator) => {
                let values = question(hello, WAMPCRA, Some(authid), None);
                let client = Client::new(hello, WAMPCRA, Some(authid), Some(authenticator));
                client.ask(authenticator, values, Wait::CraSecret(offer))
            }
        }
    }
}

/// What the answer of an authenticator must have beside a role.
#[cfg(feature = "native")]
pub(super) const ANSWER: &str = "a text as \"secret\"; with a \"salt\", numbers from 1 as \"iterations\" and \"keylen\", and as \
                                 \"secret\" the key derived by them, or for up to 10 000 iterations the password";
#[cfg(not(feature = "native"))]
pub(super) const ANSWER: &str =
    "a text as \"secret\"; with a \"salt\", numbers from 1 as \"iterations\" and \"keylen\"";

impl Offer {
    /// Challenges the client with the `secret` of the answer; salted where it has a `salt`.
    pub(super) fn challenge(self, client: Client, answer: Answer) -> Option<Step> {
        let secret = answer.text("secret")?;
        let salting = match answer.text("salt") {
            None => None,
            Some(salt) => Some(Salting {
                salt: salt.to_owned(),
                iterations: answer.number("iterations")?,
                keylen: answer.number("keylen")?,
            }),
        };
        // An authenticator for Crossbar.io answers with the password since 2025.
        #[cfg(feature = "native")]
        let secret = match &salting {
            Some(salting) if !salting.may_have_made(secret) => &*salting.derive_at_login(secret)?,
            _ => secret,
        };
        let role = answer.grant.role.clone();
        Some(self.sign(client, &role, secret, salting, Some(answer.grant.clone())))
    }

    fn sign(
        self,
        client: Client,
        role: &str,
        secret: &str,
        salting: Option<Salting>,
        grant: Option<Grant>,
    ) -> Step {
        let challenge = text_of(dict([
            ("authid", client.authid().into()),
            ("authrole", role.into()),
            ("authmethod", WAMPCRA.into()),
            ("authprovider", client.provider().into()),
            ("session", self.session.0.into()),
            ("nonce", hex::encode(&self.nonce).into()),
            ("timestamp", utc_text(self.now.unix_ns).into()),
        ]));
        let signature = Base64::encode_string(&hmac(secret.as_bytes(), &[challenge.as_bytes()]));
        let mut extra = dict([("challenge", challenge.into())]);
        if let Some(Salting { salt, iterations, keylen }) = salting {
            extra.extend(dict([
                ("salt", salt.into()),
                ("iterations", iterations.into()),
                ("keylen", keylen.into()),
            ]));
        }
        client.challenge(extra, Wait::CraSignature(Challenged { signature, grant }))
    }
}

impl Challenged {
    pub(super) fn judge(self, client: Client, signature: &str) -> Step {
        let is_signed = is_same(self.signature.as_bytes(), signature.as_bytes());
        client.judge(is_signed, self.grant, Dict::new())
    }
}

/// JSON text.
fn text_of(dict: Dict) -> String {
    let (list, _) = encode_values(&Values::args([dict.into()]), Serializer::Json);
    // The list has brackets around its one element.
    String::from_utf8(list[1..list.len() - 1].to_vec()).expect("the JSON codec writes UTF-8")
}

/// A salt of these bytes that looks like `salt`, which has as many characters.
fn similar(salt: &str, noise: &[u8]) -> String {
    let mut text = match hex::decode(salt) {
        Some(_) => hex::encode(noise),
        None => {
            let padding = salt.bytes().rev().take_while(|byte| *byte == b'=').count();
            Base64::encode_string(&noise[..(salt.len() * 3).div_ceil(4).saturating_sub(padding)])
        }
    };
    text.truncate(salt.len());
    text
}

/// Without the secret.
impl fmt::Debug for CraSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CraSecret")
    }
}

const WAMPCRA: &str = "wampcra";
