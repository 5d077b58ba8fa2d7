//! The keys and words of `auth`, each said once: for the reader ([`auth`](super::auth)) and for the JSON Schema.
//!
//! Owns which keys there are, and which of them are refused or not served and why. What they mean is the reader's business.

use super::cursor::Key;
use crate::auth::Kdf;

#[cfg(feature = "native")]
pub(super) const SHA1: &str = "certificate-sha1";
#[cfg(feature = "native")]
pub(super) const SHA256: &str = "certificate-sha256";

pub(super) const TYPES: [(&str, &str); 3] =
    [("static", "static"), ("dynamic", "dynamic"), ("function", "function")];

pub(super) const KDFS: [(&str, Kdf); 3] =
    [("pbkdf2", Kdf::Pbkdf2), ("argon2id-13", Kdf::Argon2id13), ("argon2id13", Kdf::Argon2id13)];

pub(super) const AUTH_KEYS: [(&str, Key); 9] = [
    ("anonymous", Key::Served),
    ("ticket", Key::Served),
    ("wampcra", Key::Served),
    ("scram", Key::Served),
    ("cryptosign", Key::Served),
    ("tls", CHANNEL),
    ("cookie", CHANNEL),
    ("cryptosign-proxy", Key::Refused("\"cryptosign\" in its place (there is no worker of type \"proxy\")")),
    ("anonymous-proxy", Key::Refused("\"anonymous\" in its place (there is no worker of type \"proxy\")")),
];

#[cfg(feature = "native")]
pub(super) const PROXY_METHODS: [&str; 2] = ["cryptosign-proxy", "anonymous-proxy"];

#[cfg(feature = "native")]
pub(super) const AUTH_KEYS_BEHIND_PROXIES: [(&str, Key); 9] = {
    let mut keys = AUTH_KEYS;
    let mut position = keys.len() - PROXY_METHODS.len();
    while position < keys.len() {
        keys[position].1 =
            Key::NotServed("nobody can log in by it: what proxies listen to is the router's own here");
        position += 1;
    }
    keys
};

/// What only the sockets of the native router have.
const CHANNEL: Key = match cfg!(feature = "native") {
    true => Key::Served,
    false => Key::Refused("another method (a port has neither certificates nor cookies)"),
};

pub(super) const DYNAMIC_KEYS: [(&str, Key); 6] = [
    ("type", Key::Served),
    ("authenticator", Key::Served),
    ("authenticator-realm", Key::Served),
    (
        "authenticator-role",
        Key::NotServed("has no effect: it is the router itself that calls, and it needs no permission"),
    ),
    ("expose_controller", NO_CONTROLLER),
    ("default-role", Key::Served),
];

const NO_CONTROLLER: Key = Key::NotServed("has no effect: there is no controller");

pub(super) const FUNCTION_KEYS: [(&str, Key); 5] = [
    ("type", Key::Served),
    ("create", Key::Served),
    ("config", Key::NotServed("has no effect: the program that has the function configures it")),
    ("expose_controller", NO_CONTROLLER),
    ("default-role", Key::Served),
];

pub(super) const TRUSTROOTS: (&str, Key) =
    ("trustroots", Key::Refused("\"principals\" in its place (chains of certificates are not served)"));

pub(super) const ANONYMOUS_KEYS: [(&str, Key); 5] = [
    ("type", Key::Served),
    ("role", Key::Served),
    ("authid", Key::Served),
    ("realm", Key::Served),
    ("extra", Key::Served),
];

pub(super) const TICKET_KEYS: [(&str, Key); 4] =
    [("ticket", Key::Served), ("role", Key::Served), ("realm", Key::Served), ("extra", Key::Served)];

pub(super) const WAMPCRA_KEYS: [(&str, Key); 7] = [
    ("secret", Key::Served),
    ("role", Key::Served),
    ("salt", Key::Served),
    ("iterations", Key::Served),
    ("keylen", Key::Served),
    ("realm", Key::Served),
    ("extra", Key::Served),
];

pub(super) const SCRAM_KEYS: [(&str, Key); 9] = [
    ("kdf", Key::Served),
    ("iterations", Key::Served),
    ("memory", Key::Served),
    ("salt", Key::Served),
    ("stored-key", Key::Served),
    ("server-key", Key::Served),
    ("role", Key::Served),
    ("realm", Key::Served),
    ("extra", Key::Served),
];

pub(super) const CRYPTOSIGN_KEYS: [(&str, Key); 4] =
    [("authorized_keys", Key::Served), ("role", Key::Served), ("realm", Key::Served), ("extra", Key::Served)];

#[cfg(feature = "native")]
pub(super) const TLS_KEYS: [(&str, Key); 5] = [
    (SHA1, Key::Served),
    (SHA256, Key::Served),
    ("role", Key::Served),
    ("realm", Key::Served),
    ("extra", Key::Served),
];

#[cfg(feature = "native")]
pub(super) const COOKIE_KEYS: [(&str, Key); 1] = [("type", Key::Served)];
