//! Clients, made of primitives independent of the router's own code, and what they meet.

use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use wamplet::auth::*;
use wamplet::id::SessionId;
use wamplet::payload::Values;
use wamplet::router::Now;

use crate::hashes::{mac, pbkdf2};

pub const DENIED: &str = "wamp.error.authentication_denied";
pub const FAILED: &str = "wamp.error.authentication_failed";
pub const NO_METHOD: &str = "wamp.error.no_matching_auth_method";
pub const ENTROPY: [u8; 32] = [0xA7; 32];

/// Of a client.
pub const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// Few, since it is the clients of the tests that pay for them.
pub const ITERATIONS: u32 = 16;

pub fn grant(role: &str) -> Grant {
    Grant { role: role.into(), ..Grant::default() }
}

pub fn static_of<C, const N: usize>(known: [(&str, C); N]) -> Provider<C> {
    let principal = |(authid, credential): (&str, C)| Principal {
        authid: authid.into(),
        credential,
        grant: grant(&format!("role of {authid}")),
    };
    Provider::Static(Principals::new(known.into_iter().map(principal).collect()))
}

pub fn tickets<const N: usize>(known: [(&str, &str); N]) -> Provider<Ticket> {
    static_of(known.map(|(authid, ticket)| (authid, Ticket(ticket.into()))))
}

pub fn secrets<const N: usize>(known: [(&str, &str, Option<Salting>); N]) -> Provider<CraSecret> {
    static_of(known.map(|(authid, secret, salting)| (authid, CraSecret { secret: secret.into(), salting })))
}

pub fn passwords<const N: usize>(known: [(&str, &str); N]) -> Provider<ScramKeys> {
    static_of(known.map(|(authid, password)| (authid, scram_keys(password))))
}

pub fn keys<const N: usize>(known: [(&str, &[&SigningKey]); N]) -> Methods {
    let known = known.map(|(authid, keys)| {
        (authid, AuthorizedKeys(keys.iter().map(|key| key.verifying_key().to_bytes()).collect()))
    });
    Methods { cryptosign: Some(static_of(known)), ..Methods::default() }
}

pub fn cookies(lifetime_ms: u64, most: usize) -> Methods {
    Methods { cookie: Some(Arc::new(MemoryLogins::new(lifetime_ms, most))), ..Methods::default() }
}

pub fn everything_static() -> Methods {
    let key = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
    Methods {
        anonymous: Some(Anonymous::Static(grant("guest"))),
        ticket: Some(tickets([("joe", "secret")])),
        wampcra: Some(secrets([("joe", "secret", None)])),
        scram: Some(passwords([("joe", "pencil")])),
        cryptosign: Some(static_of([("joe", AuthorizedKeys(vec![key]))])),
        tls: Some(static_of([("joe", Fingerprints(vec![Fingerprint::Sha1([1; 20])]))])),
        cookie: Some(Arc::new(MemoryLogins::new(1_000, 10))),
        ..Methods::default()
    }
}

pub fn everything_dynamic() -> Methods {
    let ask = authenticator;
    Methods {
        anonymous: Some(Anonymous::Dynamic(ask())),
        ticket: Some(Provider::Dynamic(ask())),
        wampcra: Some(Provider::Dynamic(ask())),
        scram: Some(Provider::Dynamic(ask())),
        cryptosign: Some(Provider::Dynamic(ask())),
        tls: Some(Provider::Dynamic(ask())),
        ..Methods::default()
    }
}

pub fn authenticator() -> Authenticator {
    Authenticator {
        ask: Ask::Procedure { uri: "com.example.authenticate".into(), realm: None },
        default_role: None,
    }
}

pub fn joe() -> Identity {
    Identity {
        realm: Some("realm1".into()),
        authid: Some("joe".into()),
        authrole: "user".into(),
        authmethod: "ticket".into(),
        authprovider: "static".into(),
        authextra: None,
    }
}

pub fn channel_of(cookie: Option<&str>) -> Channel {
    Channel { cookie: cookie.map(str::to_owned), ..Channel::default() }
}

pub fn by_cookie(methods: &Methods, cookie: Option<&str>, realm: &str, mono_ms: u64) -> Step {
    let details = json!({ "authmethods": ["cookie", "ticket"] });
    let details = details.as_object().expect("an object");
    let hello = Hello { realm: Some(realm), now: at(mono_ms), ..plain_hello(details) };
    methods.begin(&hello, &channel_of(cookie))
}

pub fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ns: 0 }
}

pub fn hello(method: &str, authid: &str) -> Value {
    json!({ "authmethods": [method], "authid": authid })
}

pub fn scram_hello(method: &str, authid: &str) -> Value {
    json!({
        "authmethods": [method], "authid": authid, "authextra": { "nonce": NONCE, "channel_binding": null },
    })
}

pub fn plain_hello(details: &Map<String, Value>) -> Hello<'_> {
    Hello {
        realm: Some("realm1"),
        details,
        session: SessionId(4711),
        serial: "SERI-AL".into(),
        transport: json!({ "type": "websocket" }),
        entropy: ENTROPY,
        now: Now { mono_ms: 0, unix_ns: 1_795_264_263_007_000_000 },
    }
}

pub fn begin(methods: &Methods, details: Value) -> Step {
    let details = details.as_object().expect("details are an object");
    methods.begin(&plain_hello(details), &Channel::default())
}

/// The end of an exchange by this method whose authenticator answers so.
pub fn answered_by(method: &str, answer: Result<Vec<Value>, (&str, &str)>) -> Step {
    let details = json!({ "authmethods": [method], "authid": "joe", "authextra": { "nonce": NONCE } });
    let exchange = match begin(&everything_dynamic(), details) {
        Step::Challenge { exchange, .. } => asked(exchange.authenticate("secret", &Map::new())).1,
        step => asked(step).1,
    };
    exchange.answered(match answer {
        Ok(args) => Ok(Values::args(args)),
        Err((error, text)) => Err(Failure { error: error.into(), text: text.into() }),
    })
}

pub fn accepted(step: Step) -> Identity {
    accepted_with(step).0
}

pub fn accepted_with(step: Step) -> (Identity, Map<String, Value>) {
    match step {
        Step::Accept { identity, welcome_extra } => (identity, welcome_extra),
        other => panic!("expected to be let in, found {other:?}"),
    }
}

pub fn denied(step: Step) -> Denial {
    match step {
        Step::Deny(denial) => denial,
        other => panic!("expected a denial, found {other:?}"),
    }
}

pub fn challenged(step: Step, by: &str) -> (Map<String, Value>, Exchange) {
    match step {
        Step::Challenge { method, extra, exchange } => {
            assert_eq!(method, by);
            assert!(exchange.is_challenged());
            (extra, exchange)
        }
        other => panic!("expected a challenge, found {other:?}"),
    }
}

pub fn asked(step: Step) -> (Values, Exchange) {
    match step {
        Step::Ask { ask, values, exchange } => {
            assert_eq!(ask, authenticator().ask);
            (values, exchange)
        }
        other => panic!("expected a question, found {other:?}"),
    }
}

pub fn dict(value: Value) -> Option<Map<String, Value>> {
    value.as_object().cloned()
}

pub fn bytes(text: &str) -> [u8; 32] {
    hex::decode_array(text).expect("32 bytes in hexadecimal")
}

pub fn public(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().as_bytes())
}

/// What a client of cryptosign sends.
pub fn signature(key: &SigningKey, extra: &Map<String, Value>) -> String {
    let challenge = bytes(extra["challenge"].as_str().expect("text"));
    hex::encode(&key.sign(&challenge).to_bytes()) + &hex::encode(&challenge)
}

/// What a client of WAMP-CRA sends.
pub fn cra_signature(extra: &Map<String, Value>, key: &str) -> String {
    let challenge = extra["challenge"].as_str().expect("text");
    Base64::encode_string(&mac(key.as_bytes(), challenge.as_bytes()))
}

/// What a client of SCRAM computes, step by step as the specification has it.
pub struct ScramClient {
    pub proof: String,
    pub server_signature: String,
    pub authenticate_extra: Map<String, Value>,
}

impl ScramClient {
    pub fn new(dialect: &str, authid: &str, password: &str, challenge: &Map<String, Value>) -> Self {
        let text = |key: &str| challenge[key].as_str().expect("text");
        let salt = Base64::decode_vec(text("salt")).expect("base64");
        let iterations = challenge["iterations"].as_u64().expect("a number");
        let salted_password = pbkdf2(password.as_bytes(), &salt, iterations as u32);
        let (name, binding) = match dialect {
            "scram" => (authid.to_owned(), ""),
            _ => (authid.replace('=', "=3D").replace(',', "=2C"), "biws"),
        };
        let message = format!(
            "n={name},r={NONCE},r={nonce},s={salt},i={iterations},c={binding},r={nonce}",
            nonce = text("nonce"),
            salt = text("salt"),
        );
        let client_key = mac(&salted_password, b"Client Key");
        let stored_key = Sha256::digest(client_key);
        let client_signature = mac(&stored_key, message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(client_signature).map(|(a, b)| a ^ b).collect();
        let server_key = mac(&salted_password, b"Server Key");
        let authenticate_extra =
            json!({ "nonce": text("nonce"), "channel_binding": null, "cbind_data": null });
        Self {
            proof: Base64::encode_string(&proof),
            server_signature: Base64::encode_string(&mac(&server_key, message.as_bytes())),
            authenticate_extra: dict(authenticate_extra).expect("an object"),
        }
    }
}

/// What a server stores of a password.
pub fn scram_keys(password: &str) -> ScramKeys {
    let salt = Base64::decode_vec("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
    let salted_password = pbkdf2(password.as_bytes(), &salt, ITERATIONS);
    ScramKeys {
        kdf: Kdf::Pbkdf2,
        iterations: ITERATIONS,
        memory: None,
        salt,
        stored_key: Sha256::digest(mac(&salted_password, b"Client Key")).into(),
        server_key: mac(&salted_password, b"Server Key"),
    }
}
