//! What the answers of authenticators lead to.

use serde_json::{Map, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

#[test]
fn the_error_of_an_authenticator_is_passed_on() {
    for error in ["com.example.locked", "wamp.error.no_such_principal", DENIED, "wamp.error.not_authorized"] {
        let denial = denied(answered_by("ticket", Err((error, "come back tomorrow"))));
        assert_eq!((&*denial.error, &*denial.text), (error, "come back tomorrow"));
    }
}

#[test]
fn what_is_wrong_with_an_authenticator_is_not_told() {
    for error in [
        "wamp.error.no_such_procedure",
        "wamp.error.canceled",
        "wamp.error.timeout",
        "wamp.error.runtime_error",
        "wamp.error.invalid_argument",
        "wamp.error.unavailable",
        "wamplet.error.limit_exceeded",
    ] {
        let denial = denied(answered_by("ticket", Err((error, "no procedure 'com.example.secret'"))));
        assert_eq!(denial.error, FAILED, "{error}");
        assert!(!denial.text.contains("secret"), "{denial:?}");
    }
}

#[test]
fn an_answer_that_names_no_role_gets_the_default_role() {
    let ask = Authenticator { default_role: Some("user".into()), ..authenticator() };
    let methods = Methods { ticket: Some(Provider::Dynamic(ask)), ..Methods::default() };
    let (_, exchange) = challenged(begin(&methods, hello("ticket", "joe")), "ticket");
    let (_, exchange) = asked(exchange.authenticate("secret", &Map::new()));
    assert_eq!(accepted(exchange.answered(Ok(Values::args([json!({})])))).authrole, "user");
}

#[test]
fn an_answer_that_cannot_be_read_lets_nobody_in() {
    for args in [
        vec![],
        vec![json!(null)],
        vec![json!(true)],
        vec![json!(["user"])],
        vec![json!({})],
        vec![json!({ "role": 7 })],
        vec![json!({ "role": "user", "realm": 7 })],
        vec![json!({ "role": "user", "authid": ["joe"] })],
        vec![json!({ "role": "user", "extra": "more" })],
    ] {
        let text = format!("{args:?}");
        assert_eq!(denied(answered_by("ticket", Ok(args))).error, FAILED, "{text}");
    }
    for (method, args) in [
        ("wampcra", json!("user")),
        ("wampcra", json!({ "role": "user" })),
        ("wampcra", json!({ "role": "user", "secret": 7 })),
        ("wampcra", json!({ "role": "user", "secret": "x", "salt": "y" })),
        ("wampcra", json!({ "role": "user", "secret": "x", "salt": "y", "iterations": -1, "keylen": 32 })),
        ("cryptosign", json!("user")),
        ("cryptosign", json!({ "role": "user", "pubkey": "abc" })),
        ("scram", json!({ "role": "user", "kdf": "md5" })),
        ("scram", json!({ "role": "user", "kdf": "pbkdf2", "iterations": 1, "salt": "zz" })),
    ] {
        assert_eq!(denied(answered_by(method, Ok(vec![args.clone()]))).error, FAILED, "{method} {args}");
    }
}

#[cfg(feature = "native")]
#[test]
fn why_an_authenticator_has_failed_is_for_the_log() {
    for (method, answer, expected) in [
        ("ticket", Ok(vec![]), ["a role, or a dictionary with", "found nothing"]),
        ("ticket", Ok(vec![json!(5)]), ["a role, or a dictionary with", "found a number"]),
        (
            "ticket",
            Ok(vec![json!({ "rolee": "user", "realm": 7 })]),
            ["\"role\" (which", "\"rolee\": a string or binary data, \"realm\": a number"],
        ),
        ("wampcra", Ok(vec![json!({ "role": "user" })]), ["a text as \"secret\"", "\"role\": a string"]),
        ("cryptosign", Ok(vec![json!({ "role": "user", "pubkey": "hunter2" })]), ["64 hex", "\"pubkey\": a"]),
        ("scram", Ok(vec![json!("user")]), ["\"stored-key\"", "found a string"]),
        ("ticket", Err(("wamp.error.timeout", "too\nlate")), ["wamp.error.timeout", "too\\nlate"]),
    ] {
        let denial = denied(answered_by(method, answer));
        assert_eq!(denial.text, "the authenticator has failed");
        let begin = "the authenticator com.example.authenticate has failed: ";
        assert!(denial.fault.starts_with(begin), "{}", denial.fault);
        for part in expected {
            assert!(denial.fault.contains(part), "{part} is missing in {}", denial.fault);
        }
        // Among what it has said may be secrets.
        assert!(!denial.fault.contains("hunter2"), "{}", denial.fault);
    }
    assert_eq!(denied(answered_by("ticket", Err(("com.example.locked", "no")))).fault, "");
}

#[test]
fn an_exchange_out_of_order_ends_in_a_refusal() {
    let methods = everything_dynamic();
    let (_, exchange) = asked(begin(&methods, hello("wampcra", "joe")));
    assert_eq!(denied(exchange.authenticate("AAAA", &Map::new())).error, DENIED);
    let (_, exchange) = challenged(begin(&methods, hello("ticket", "joe")), "ticket");
    assert_eq!(denied(exchange.answered(Ok(Values::args([json!("user")])))).error, DENIED);
}
