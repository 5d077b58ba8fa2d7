//! What a stranger learns: nothing.

use ed25519_dalek::SigningKey;
use serde_json::{Map, json};
use wamplet::auth::*;

use crate::clients::*;

#[test]
fn an_unknown_client_is_treated_like_a_known_one_until_the_end() {
    let methods = everything_static();
    for method in ["ticket", "wampcra", "scram", "wamp-scram", "cryptosign"] {
        let path = |authid: &str| {
            let key = SigningKey::from_bytes(&[4; 32]);
            let authextra = json!({ "nonce": NONCE, "pubkey": public(&key) });
            let details = json!({ "authmethods": [method], "authid": authid, "authextra": authextra });
            let (mut extra, exchange) = challenged(begin(&methods, details), method);
            let signature = match method {
                "cryptosign" => signature(&key, &extra),
                "scram" | "wamp-scram" => ScramClient::new(method, authid, "wrong", &extra).proof,
                "wampcra" => cra_signature(&extra, "wrong"),
                _ => "wrong".into(),
            };
            // What differs from client to client, whether it is known or not.
            for key in ["challenge", "salt"] {
                if let Some(text) = extra.get_mut(key) {
                    let length = text.as_str().expect("text").len();
                    *text = if method == "wampcra" && key == "challenge" { json!(0) } else { json!(length) };
                }
            }
            (extra, denied(exchange.authenticate(&signature, &Map::new())))
        };
        assert_eq!(path("joe"), path("eve"), "{method}");
    }
}

#[test]
fn a_salt_of_nobody_stays_the_same_and_is_nobody_elses() {
    let salt = |password: &str, method: &str, authid: &str| {
        let salting = |salt: &str| Some(Salting { salt: salt.into(), iterations: 1000, keylen: 32 });
        let methods = Methods {
            scram: Some(passwords([("joe", password)])),
            wampcra: Some(secrets([
                ("joe", password, salting("pepper==")),
                ("amy", "x", salting("00ffaa11")),
            ])),
            ..Methods::default()
        };
        let details = json!({ "authmethods": [method], "authid": authid, "authextra": { "nonce": NONCE } });
        challenged(begin(&methods, details), method).0["salt"].as_str().expect("text").to_owned()
    };
    for method in ["wamp-scram", "wampcra"] {
        assert_eq!(salt("pencil", method, "eve"), salt("pencil", method, "eve"), "{method}");
        assert_ne!(salt("pencil", method, "eve"), salt("pencil", method, "eva"), "{method}");
        assert_ne!(salt("pencil", method, "eve"), salt("pencil", method, "joe"), "{method}");
        assert_ne!(salt("pencil", method, "eve"), salt("crayon", method, "eve"), "nobody can compute it");
    }
    assert_eq!(salt("pencil", "wamp-scram", "eve").len(), salt("pencil", "wamp-scram", "joe").len());
    // It looks like one of those that there are.
    for number in 0..50 {
        let salt = salt("pencil", "wampcra", &format!("nobody {number}"));
        assert_eq!(salt.len(), 8);
        assert!(salt.ends_with("==") || hex::decode(&salt).is_some(), "{salt}");
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let methods = everything_static();
    let (_, exchange) = challenged(begin(&methods, hello("ticket", "joe")), "ticket");
    let secret = CraSecret { secret: "pencil".into(), salting: None };
    let shown = format!(
        "{methods:?} {exchange:?} {:?} {secret:?} {:?}",
        Ticket("pencil".into()),
        scram_keys("pencil")
    );
    assert!(!shown.contains("pencil") && !shown.contains("stored_key"), "{shown}");
}

#[test]
fn a_method_that_knows_nobody_lets_nobody_in() {
    let methods = Methods {
        ticket: Some(static_of([])),
        wampcra: Some(static_of([])),
        scram: Some(static_of([])),
        cryptosign: Some(static_of([])),
        ..Methods::default()
    };
    for method in ["ticket", "wampcra", "scram", "wamp-scram", "cryptosign"] {
        let key = SigningKey::from_bytes(&[1; 32]);
        let authextra = json!({ "nonce": NONCE, "pubkey": public(&key) });
        let details = json!({ "authmethods": [method], "authid": "", "authextra": authextra });
        let denial = match begin(&methods, details) {
            Step::Challenge { extra, exchange, .. } if method == "cryptosign" => {
                denied(exchange.authenticate(&signature(&key, &extra), &Map::new()))
            }
            Step::Challenge { exchange, .. } => denied(exchange.authenticate("", &Map::new())),
            step => denied(step),
        };
        assert_eq!(denial.error, DENIED, "{method}");
    }
}
