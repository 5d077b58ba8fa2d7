//! `scram` and `wamp-scram`.

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

#[test]
fn scram_proves_both_sides_in_both_dialects() {
    for method in ["scram", "wamp-scram"] {
        let methods = Methods { scram: Some(passwords([("joe", "pencil")])), ..Methods::default() };
        let (extra, exchange) = challenged(begin(&methods, scram_hello(method, "joe")), method);
        let client = ScramClient::new(method, "joe", "pencil", &extra);
        let (identity, welcome) =
            accepted_with(exchange.authenticate(&client.proof, &client.authenticate_extra));
        assert_eq!((&*identity.authmethod, identity.authid.as_deref()), (method, Some("joe")));
        assert_eq!(identity.authextra, dict(json!({})), "the router's proof is for the client alone");
        assert_eq!(welcome["scram_server_signature"], json!(client.server_signature));
        assert_eq!(welcome["verifier"], json!(format!("v={}", client.server_signature)));
    }
}

#[test]
fn a_scram_challenge_is_written_in_the_dialect_of_the_client() {
    let argon2 = ScramKeys { kdf: Kdf::Argon2id13, memory: Some(512), ..scram_keys("pencil") };
    for (keys, method, kdf, memory) in [
        (scram_keys("pencil"), "wamp-scram", "pbkdf2", Some(Value::Null)),
        (scram_keys("pencil"), "scram", "pbkdf2", None),
        (argon2.clone(), "wamp-scram", "argon2id13", Some(json!(512))),
        (argon2, "scram", "argon2id-13", Some(json!(512))),
    ] {
        let methods = Methods { scram: Some(static_of([("joe", keys)])), ..Methods::default() };
        let (extra, _) = challenged(begin(&methods, scram_hello(method, "joe")), method);
        assert_eq!((&extra["kdf"], extra.get("memory")), (&json!(kdf), memory.as_ref()), "{method}");
        assert_eq!(extra["iterations"], ITERATIONS);
        assert_eq!(extra["salt"], "W22ZaJ0SNY7soEsUEjb6gQ==");
        let own = Base64::encode_string(&ENTROPY[..16]);
        let both = [&Base64::decode_vec(NONCE).expect("base64"), &ENTROPY[..16]].concat();
        let nonce = if method == "scram" { Base64::encode_string(&both) } else { format!("{NONCE}{own}") };
        assert_eq!(extra["nonce"], json!(nonce));
    }
}

#[test]
fn a_scram_client_may_sign_the_message_of_the_other_dialect() {
    let methods = Methods { scram: Some(passwords([("joe,=x", "pencil")])), ..Methods::default() };
    for method in ["scram", "wamp-scram"] {
        for signed in ["scram", "wamp-scram"] {
            let (extra, exchange) = challenged(begin(&methods, scram_hello(method, "joe,=x")), method);
            let client = ScramClient::new(signed, "joe,=x", "pencil", &extra);
            let (_, welcome) = accepted_with(exchange.authenticate(&client.proof, &Map::new()));
            assert_eq!(welcome["scram_server_signature"], json!(client.server_signature));
        }
    }
}

#[test]
fn a_scram_proof_of_another_password_nonce_or_channel_is_refused() {
    let methods = Methods { scram: Some(passwords([("joe", "pencil")])), ..Methods::default() };
    let login = |authid: &str, password: &str, change: fn(&mut ScramClient)| {
        let (extra, exchange) = challenged(begin(&methods, scram_hello("wamp-scram", authid)), "wamp-scram");
        let mut client = ScramClient::new("wamp-scram", authid, password, &extra);
        change(&mut client);
        exchange.authenticate(&client.proof, &client.authenticate_extra)
    };
    accepted(login("joe", "pencil", |_| ()));
    let changes: [fn(&mut ScramClient); 8] = [
        |client| client.proof = String::new(),
        |client| client.proof = "AAAA".into(),
        |client| client.proof = Base64::encode_string(&[0; 32]),
        |client| client.proof.push(' '),
        |client| client.proof = "x".repeat(100_000),
        |client| drop(client.authenticate_extra.insert("nonce".into(), json!(NONCE))),
        |client| drop(client.authenticate_extra.insert("nonce".into(), json!(7))),
        |client| drop(client.authenticate_extra.insert("channel_binding".into(), json!("tls-unique"))),
    ];
    for change in changes {
        assert_eq!(denied(login("joe", "pencil", change)).error, DENIED);
    }
    for (authid, password) in [("joe", "pencils"), ("eve", "pencil")] {
        assert_eq!(denied(login(authid, password, |_| ())).error, DENIED, "{authid}");
    }
}

#[test]
fn a_scram_client_that_begins_wrongly_gets_no_challenge() {
    let methods = Methods { scram: Some(passwords([("joe", "pencil")])), ..Methods::default() };
    for authextra in [
        Value::Null,
        json!([]),
        json!({}),
        json!({ "nonce": "" }),
        json!({ "nonce": 7 }),
        json!({ "nonce": "not base64" }),
        json!({ "nonce": "AAA" }),
        json!({ "nonce": "A".repeat(400) }),
        json!({ "nonce": NONCE, "channel_binding": "tls-unique" }),
    ] {
        for authid in ["joe", "eve"] {
            let details = json!({ "authmethods": ["wamp-scram"], "authid": authid, "authextra": authextra });
            assert_eq!(denied(begin(&methods, details)).error, DENIED, "{authextra}");
        }
    }
}

#[test]
fn an_authenticator_brings_the_scram_keys() {
    let methods = Methods { scram: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let (values, exchange) = asked(begin(&methods, scram_hello("scram", "joe")));
    assert_eq!(values.args[2]["authmethod"], "scram");
    let keys = scram_keys("pencil");
    let answer = json!({
        "role": "user", "authid": "joseph", "kdf": "pbkdf2", "iterations": keys.iterations, "memory": null,
        "salt": hex::encode(&keys.salt), "stored-key": hex::encode(&keys.stored_key),
        "server-key": hex::encode(&keys.server_key),
    });
    let (extra, exchange) = challenged(exchange.answered(Ok(Values::args([answer]))), "scram");
    let client = ScramClient::new("scram", "joe", "pencil", &extra);
    let identity = accepted(exchange.authenticate(&client.proof, &Map::new()));
    assert_eq!((identity.authid.as_deref(), &*identity.authrole), (Some("joseph"), "user"));
}
