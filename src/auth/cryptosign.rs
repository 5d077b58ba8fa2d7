//! `cryptosign`: a challenge, signed with the Ed25519 key of the client. [wamp: advanced/authentication_cryptosign]
//!
//! Owns the binding of the signature to the TLS channel, where the client asks for it and the channel has an id. The router
//! has no key, so it signs no challenge of the client's.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;

use super::authenticator::{Answer, question};
use super::exchange::{Client, Wait};
use super::methods::{Channel, Hello, Step};
use super::{Grant, Provider, hex};
use crate::message::{Dict, dict};

/// The public keys that a client may sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKeys(pub Vec<[u8; 32]>);

/// What the challenge is made of.
pub(super) struct Offer {
    challenge: [u8; 32],
    /// Its type and its id.
    channel: Option<(&'static str, [u8; 32])>,
}

/// What the client must sign, and with which key.
pub(super) struct Challenged {
    message: [u8; 32],
    key: [u8; 32],
    grant: Option<Grant>,
}

impl Provider<AuthorizedKeys> {
    pub(super) fn begin(&self, hello: &Hello<'_>, channel: &Channel) -> Step {
        let offer = Offer { challenge: hello.entropy, channel: binding(hello, channel) };
        let pubkey = hello.authextra("pubkey").and_then(Value::as_str);
        let key = pubkey.and_then(hex::decode_array);
        match self {
            Self::Static(principals) => {
                let Some(key) = key else {
                    return Step::refuse_hello(
                        "cryptosign needs 64 hexadecimal digits as HELLO.Details.authextra.pubkey",
                    );
                };
                let mut owners = principals.list().iter().filter(|one| one.credential.0.contains(&key));
                let known = match hello.authid() {
                    Some(authid) => principals.find(authid).filter(|one| one.credential.0.contains(&key)),
                    // A key of several says of nobody who it is.
                    None => owners.next().filter(|_| owners.next().is_none()),
                };
                let authid = known.map_or("", |known| &known.authid);
                let grant = known.map(|known| known.grant.clone());
                offer.challenge_with(Client::new(hello, CRYPTOSIGN, Some(authid), None), key, grant)
            }
            Self::Dynamic(authenticator) => {
                let values = question(hello, CRYPTOSIGN, hello.authid(), None);
                let authid = hello.authid().or(pubkey).unwrap_or(&hello.serial);
                let client = Client::new(hello, CRYPTOSIGN, Some(authid), Some(authenticator));
                client.ask(authenticator, values, Wait::SignatureKey(offer))
            }
        }
    }
}

/// What the answer of an authenticator must have beside a role.
pub(super) const ANSWER: &str = "64 hexadecimal digits as \"pubkey\"";

impl Offer {
    /// Challenges the client to sign with the `pubkey` of the answer.
    pub(super) fn challenge(self, client: Client, answer: Answer) -> Option<Step> {
        let key = hex::decode_array(answer.text("pubkey")?)?;
        Some(self.challenge_with(client, key, Some(answer.grant)))
    }

    fn challenge_with(self, client: Client, key: [u8; 32], grant: Option<Grant>) -> Step {
        let extra = dict([
            ("challenge", hex::encode(&self.challenge).into()),
            ("channel_binding", self.channel.map(|(name, _)| name).into()),
        ]);
        let mut message = self.challenge;
        if let Some((_, id)) = self.channel {
            for (byte, id) in message.iter_mut().zip(id) {
                *byte ^= id;
            }
        }
        client.challenge(extra, Wait::Signature(Challenged { message, key, grant }))
    }
}

impl Challenged {
    pub(super) fn judge(self, client: Client, signature: &str) -> Step {
        let is_signed = self.is_signed(signature);
        client.judge(is_signed, self.grant, Dict::new())
    }

    /// Whether it is the signature of the message, followed by the message, in hexadecimal.
    fn is_signed(&self, signature: &str) -> bool {
        let Some(signed) = hex::decode_array::<96>(signature) else { return false };
        let Some((signature, message)) = signed.split_first_chunk() else { return false };
        let Ok(key) = VerifyingKey::from_bytes(&self.key) else { return false };
        message == self.message && key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The channel that the client wants its signature bound to, if the transport is such a one. A client that is told of no
/// binding must decide for itself whether it goes on.
fn binding(hello: &Hello<'_>, channel: &Channel) -> Option<(&'static str, [u8; 32])> {
    match hello.authextra("channel_binding")?.as_str()? {
        "tls-exporter" => Some(("tls-exporter", channel.tls_exporter?)),
        "tls-unique" => Some(("tls-unique", channel.tls_unique?)),
        _ => None,
    }
}

const CRYPTOSIGN: &str = "cryptosign";
