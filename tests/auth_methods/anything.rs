//! Anything at all that a client or an authenticator may say.

use base64ct::{Base64, Encoding as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;
use wamplet::router::Now;

use crate::clients::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_client_or_an_authenticator_says_panics(
        is_static in any::<bool>(),
        details in details(),
        entropy in any::<[u8; 32]>(),
        unix_ns in any::<u64>(),
        signatures in vec(text(), 4),
        answers in vec(answer(), 4),
    ) {
        let methods = if is_static { everything_static() } else { everything_dynamic() };
        let channel = Channel {
            tls_exporter: Some(entropy),
            certificate: Some(Certificate { sha1: [0; 20], sha256: entropy, der: entropy.to_vec() }),
            cookie: Some("chip".into()),
            ..Channel::default()
        };
        let hello = Hello { entropy, now: Now { mono_ms: 0, unix_ns }, ..plain_hello(&details) };
        let mut step = methods.begin(&hello, &channel);
        for (signature, answer) in signatures.into_iter().zip(answers) {
            step = match step {
                Step::Challenge { exchange, .. } => exchange.authenticate(&signature, &details),
                Step::Ask { exchange, .. } => exchange.answered(answer),
                end => {
                    if let Step::Accept { identity, .. } = end {
                        let proofless = ["anonymous", "tls", "ticket"].contains(&&*identity.authmethod);
                        prop_assert!(!is_static || identity.authmethod == "anonymous", "{identity:?}");
                        prop_assert!(proofless, "{identity:?}");
                    }
                    return Ok(());
                }
            };
        }
        prop_assert!(false, "an exchange has at most four steps");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        vec(any::<u8>(), 0..120).prop_map(|bytes| hex::encode(&bytes)),
        vec(any::<u8>(), 0..80).prop_map(|bytes| Base64::encode_string(&bytes)),
        Just("0".repeat(192)),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        vec(text(), 0..3).prop_map(Value::from),
        Just(json!({ "nonce": NONCE })),
    ]
}

fn details() -> impl Strategy<Value = Map<String, Value>> {
    let method = prop_oneof![
        proptest::sample::select(vec![
            "anonymous",
            "ticket",
            "wampcra",
            "scram",
            "wamp-scram",
            "cryptosign",
            "tls",
            "cookie",
            "other",
        ])
        .prop_map(Value::from),
        any_value(),
    ];
    let authmethods = prop_oneof![4 => vec(method, 0..4).prop_map(Value::from), 1 => any_value()];
    let authid = prop_oneof![Just(json!("joe")), any_value()];
    let pubkey = prop_oneof![any::<[u8; 32]>().prop_map(|key| json!(hex::encode(&key))), any_value()];
    let binding = prop_oneof![Just(json!("tls-exporter")), Just(Value::Null), any_value()];
    let nonce = prop_oneof![Just(json!(NONCE)), any_value()];
    let authextra = (pubkey, option::of(binding), nonce).prop_map(
        |(pubkey, binding, nonce)| json!({ "pubkey": pubkey, "channel_binding": binding, "nonce": nonce }),
    );
    let authextra = prop_oneof![4 => authextra, 1 => any_value()];
    (option::of(authmethods), option::of(authid), option::of(authextra)).prop_map(
        |(methods, authid, authextra)| {
            let entries = [("authmethods", methods), ("authid", authid), ("authextra", authextra)];
            entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
        },
    )
}

fn answer() -> impl Strategy<Value = Result<Values, Failure>> {
    const KEYS: [&str; 13] = [
        "role",
        "realm",
        "authid",
        "extra",
        "secret",
        "salt",
        "iterations",
        "keylen",
        "pubkey",
        "kdf",
        "memory",
        "stored-key",
        "server-key",
    ];
    let fields = vec(option::of(any_value()), KEYS.len()).prop_map(|values| {
        let entries = KEYS.into_iter().zip(values);
        Value::from(entries.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<Map<_, _>>())
    });
    prop_oneof![
        (text(), text()).prop_map(|(error, text)| Err(Failure { error, text })),
        vec(any_value(), 0..2).prop_map(|args| Ok(Values::args(args))),
        fields.prop_map(|fields| Ok(Values::args([fields]))),
    ]
}
