//! `wampcra`.

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;
use crate::hashes::pbkdf2;

#[test]
fn a_wampcra_challenge_says_who_is_being_authenticated() {
    let methods = Methods { wampcra: Some(secrets([("joe", "L3L1YUE8Txlw", None)])), ..Methods::default() };
    let (extra, _) = challenged(begin(&methods, hello("wampcra", "joe")), "wampcra");
    assert_eq!(extra.len(), 1, "{extra:?}");
    let challenge: Value = serde_json::from_str(extra["challenge"].as_str().expect("text")).expect("JSON");
    assert_eq!(
        challenge,
        json!({
            "authid": "joe",
            "authrole": "role of joe",
            "authmethod": "wampcra",
            "authprovider": "static",
            "session": 4711,
            "nonce": "a7".repeat(32),
            "timestamp": "2026-11-21T12:31:03.007Z",
        })
    );
}

#[test]
fn a_wampcra_signature_lets_in_who_has_the_secret() {
    let methods = Methods {
        wampcra: Some(secrets([("joe", "L3L1YUE8Txlw", None), ("amy", "other", None)])),
        ..Methods::default()
    };
    let login = |authid: &str, key: &str| {
        let (extra, exchange) = challenged(begin(&methods, hello("wampcra", authid)), "wampcra");
        exchange.authenticate(&cra_signature(&extra, key), &Map::new())
    };
    let identity = accepted(login("joe", "L3L1YUE8Txlw"));
    assert_eq!((identity.authid.as_deref(), &*identity.authrole), (Some("joe"), "role of joe"));
    assert_eq!(identity.authextra, dict(json!({})));
    for (authid, key) in [("joe", "other"), ("joe", ""), ("eve", "L3L1YUE8Txlw"), ("eve", "other")] {
        assert_eq!(denied(login(authid, key)).error, DENIED, "{authid} {key}");
    }
}

#[test]
fn a_salted_wampcra_secret_is_the_derived_key() {
    // Autobahn's own test of `derive_key`: L3L1YUE8Txlw, salt123, 1 000 iterations, 32 bytes.
    let key = "qzcdsr9uu/L5hnss3kjNTRe490ETgA70ZBaB5rvnJ5Y=";
    let derived = Base64::encode_string(&pbkdf2(b"L3L1YUE8Txlw", b"salt123", 1000));
    assert_eq!(derived, key);
    let salting = Salting { salt: "salt123".into(), iterations: 1000, keylen: 32 };
    let methods = Methods { wampcra: Some(secrets([("peter", key, Some(salting))])), ..Methods::default() };
    let (extra, exchange) = challenged(begin(&methods, hello("wampcra", "peter")), "wampcra");
    assert_eq!(
        (&extra["salt"], &extra["iterations"], &extra["keylen"]),
        (&json!("salt123"), &json!(1000), &json!(32))
    );
    accepted(exchange.authenticate(&cra_signature(&extra, &derived), &Map::new()));
}

#[test]
fn an_authenticator_brings_the_wampcra_secret() {
    let methods = Methods { wampcra: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let (values, exchange) = asked(begin(&methods, hello("wampcra", "joe")));
    assert!(!exchange.is_challenged());
    assert_eq!(values.args[2]["authid"], "joe");
    let key = Base64::encode_string(&[7; 32]);
    let answer = json!({ "role": "user", "secret": key, "salt": "x", "iterations": 1000.0, "keylen": 32 });
    let (extra, exchange) = challenged(exchange.answered(Ok(Values::args([answer]))), "wampcra");
    assert_eq!(extra["iterations"], 1000);
    let identity = accepted(exchange.authenticate(&cra_signature(&extra, &key), &Map::new()));
    assert_eq!((&*identity.authrole, &*identity.authprovider), ("user", "dynamic"));
}

#[cfg(feature = "native")]
#[test]
fn a_salted_secret_of_an_authenticator_that_can_be_no_derived_key_is_the_password() {
    let answer = |iterations: u32| {
        let salted = json!({ "role": "user", "secret": "pencil", "salt": "x", "iterations": iterations, "keylen": 32 });
        answered_by("wampcra", Ok(vec![salted]))
    };
    let (extra, exchange) = challenged(answer(100), "wampcra");
    let derived = Base64::encode_string(&pbkdf2(b"pencil", b"x", 100));
    accepted(exchange.authenticate(&cra_signature(&extra, &derived), &Map::new()));
    // More would take the router's time from everybody else.
    challenged(answer(10_000), "wampcra");
    let denial = denied(answer(10_001));
    assert_eq!(denial.error, "wamp.error.authentication_failed");
    assert!(denial.fault.contains("10 000 iterations"), "{}", denial.fault);
}
