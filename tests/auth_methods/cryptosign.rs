//! `cryptosign`.

use ed25519_dalek::SigningKey;
use serde_json::{Map, Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

/// Private key, challenge, channel id, signature and message. [wamp: advanced/authentication_cryptosign, Test Vectors]
const VECTORS: [(&str, &str, Option<&str>, &str); 6] = [
    (
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        None,
        "b32675b221f08593213737bef8240e7c15228b07028e19595294678c90d11c0cae80a357331bfc5cc9fb71081464e6e7\
         5013517c2cf067ad566a6b7b728e5d03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ),
    (
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        None,
        "d4209ad10d5aff6bfbc009d7e924795de138a63515efc7afc6b01b7fe5201372190374886a70207b042294af5bd64ce7\
         25cd8dceb344e6d11c09d1aaaf4d660fb26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
    ),
    (
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        None,
        "7beb282184baadd08f166f16dd683b39cab53816ed81e6955def951cb2ddad1ec184e206746fd82bda075af03711d3d5\
         658fc84a76196b0fa8d1ebc92ef9f30bb05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
    ),
    (
        "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        Some("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff"),
        "9b6f41540c9b95b4b7b281c3042fa9c54cef43c842d62ea3fd6030fcb66e70b3e80d49d44c29d1635da9348d02ec93f3\
         ed1ef227dfb59a07b580095c2b82f80f9d16ca518aa0c2b707f2b2a609edeca73bca8dd59817a633f35574ac6fd80d00",
    ),
    (
        "d511fe78e23934b3dadb52fcd022974b80bd92bccc7c5cf404e46cc0a8a2f5cd",
        "b26c1f87c13fc1da14997f1b5a71995dff8fbe0a62fae8473c7bdbd05bfb607d",
        Some("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff"),
        "305aaa3ac25e98f651427688b3fc43fe7d8a68a7ec1d7d61c61517c519bd4a427c3015599d83ca28b4c6523339202238\
         44ef0725eb5dc2febfd6af7677b73f01d0852a29b460fc92ec943242ac638a053bbacc200512b18b30d15083cbdc9282",
    ),
    (
        "6e1fde9cf9e2359a87420b65a87dc0c66136e66945196ba2475990d8a0c3a25b",
        "b05e6b8ad4d69abf74aa3be3c0ee40ae07d66e1895b9ab09285a2f1192d562d2",
        Some("62e935ae755f3d48f80d4d59f6121358c435722a67e859cc0caa8b539027f2ff"),
        "ee3c7644fd8070532bc1fde3d70d742267da545d8c8f03e63bda63f1ad4214f4d2c4bfdb4eb9526def42deeb7e31602a\
         6ff99eba893e0a4ad4d45892ca75e608d2b75e24a189a7f78ca776ba36fc53f6c3e31c32f251f2c524f0a44202f2902d",
    ),
];

#[test]
fn the_cryptosign_vectors_of_the_specification_are_accepted() {
    for (private, challenge, channel_id, signature) in VECTORS {
        let key = SigningKey::from_bytes(&bytes(private));
        let methods = keys([("joe", &[&key])]);
        let id = channel_id.map(bytes);
        for (binding, channel) in [
            ("tls-unique", Channel { tls_unique: id, ..Channel::default() }),
            ("tls-exporter", Channel { tls_exporter: id, ..Channel::default() }),
        ] {
            let binding = channel_id.map(|_| binding);
            let authextra = json!({ "pubkey": public(&key), "channel_binding": binding });
            let login = |signature: &str| {
                let details =
                    json!({ "authmethods": ["cryptosign"], "authid": "joe", "authextra": authextra });
                let details = details.as_object().expect("an object");
                let hello = Hello { entropy: bytes(challenge), ..plain_hello(details) };
                let (extra, exchange) = challenged(methods.begin(&hello, &channel), "cryptosign");
                assert_eq!(extra["challenge"], challenge);
                assert_eq!(extra["channel_binding"], json!(binding));
                exchange.authenticate(signature, &Map::new())
            };
            let identity = accepted(login(signature));
            assert_eq!(
                (identity.authid.as_deref(), &*identity.authmethod, &*identity.authrole),
                (Some("joe"), "cryptosign", "role of joe")
            );
            accepted(login(&signature.to_uppercase()));
            for position in [0, 64, 127, 128, 191] {
                let mut other = signature.to_owned();
                let digit = if &other[position..=position] == "0" { "1" } else { "0" };
                other.replace_range(position..=position, digit);
                assert_eq!(denied(login(&other)).error, DENIED, "{position}");
            }
        }
    }
}

#[test]
fn a_signature_that_is_bound_to_another_channel_is_refused() {
    for (private, challenge, channel_id, signature) in VECTORS {
        let key = SigningKey::from_bytes(&bytes(private));
        let methods = keys([("joe", &[&key])]);
        let other = if channel_id.is_some() { None } else { Some([9; 32]) };
        let channel = Channel { tls_exporter: other, ..Channel::default() };
        let authextra = json!({ "pubkey": public(&key), "channel_binding": "tls-exporter" });
        let details = json!({ "authmethods": ["cryptosign"], "authextra": authextra });
        let hello =
            Hello { entropy: bytes(challenge), ..plain_hello(details.as_object().expect("an object")) };
        let (extra, exchange) = challenged(methods.begin(&hello, &channel), "cryptosign");
        assert_eq!(extra["channel_binding"], json!(other.map(|_| "tls-exporter")));
        assert_eq!(denied(exchange.authenticate(signature, &Map::new())).error, DENIED);
    }
}

#[test]
fn a_key_says_who_its_owner_is_where_the_client_does_not() {
    let [one, two, both] = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let methods = keys([("joe", &[&one, &both]), ("amy", &[&two, &both])]);
    let login = |authid: Option<&str>, key: &SigningKey| {
        let details = json!({
            "authmethods": ["cryptosign"], "authid": authid, "authextra": { "pubkey": public(key) },
        });
        let (extra, exchange) = challenged(begin(&methods, details), "cryptosign");
        exchange.authenticate(&signature(key, &extra), &Map::new())
    };
    for (authid, key, owner) in [
        (None, &one, Some("joe")),
        (None, &two, Some("amy")),
        (None, &both, None),
        (Some("joe"), &both, Some("joe")),
        (Some("amy"), &both, Some("amy")),
        (Some("amy"), &one, None),
        (Some("eve"), &one, None),
    ] {
        match owner {
            Some(owner) => assert_eq!(accepted(login(authid, key)).authid.as_deref(), Some(owner)),
            None => assert_eq!(denied(login(authid, key)).error, DENIED, "{authid:?}"),
        }
    }
}

#[test]
fn a_signature_that_is_none_is_refused_like_a_wrong_one() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let methods = keys([("joe", &[&key])]);
    let login = |signature: &str| {
        let details = json!({ "authmethods": ["cryptosign"], "authextra": { "pubkey": public(&key) } });
        let (_, exchange) = challenged(begin(&methods, details), "cryptosign");
        denied(exchange.authenticate(signature, &Map::new()))
    };
    let wrong = login(&"00".repeat(96));
    assert_eq!(wrong.error, DENIED);
    let message = hex::encode(&ENTROPY);
    for signature in [
        String::new(),
        "zz".repeat(96),
        "0".repeat(191),
        "00".repeat(64),
        "é".repeat(96),
        "ff".repeat(64) + &message,
        "x".repeat(1 << 20),
    ] {
        assert_eq!(login(&signature), wrong);
    }
    for pubkey in
        [json!(null), json!(7), json!(""), json!("ab"), json!("zz".repeat(32)), json!("ab".repeat(33))]
    {
        let details =
            json!({ "authmethods": ["cryptosign"], "authid": "joe", "authextra": { "pubkey": pubkey } });
        assert_eq!(denied(begin(&methods, details)).error, DENIED, "{pubkey}");
    }
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element: with it, R = identity and s = 0 verify for any message, unless checks are strict.
    let neutral = "01".to_owned() + &"00".repeat(31);
    let principal = Principal {
        authid: "joe".into(),
        credential: AuthorizedKeys(vec![bytes(&neutral)]),
        grant: grant("user"),
    };
    let cryptosign = Some(Provider::Static(Principals::new(vec![principal])));
    let methods = Methods { cryptosign, ..Methods::default() };
    let details = json!({ "authmethods": ["cryptosign"], "authextra": { "pubkey": neutral } });
    let (_, exchange) = challenged(begin(&methods, details), "cryptosign");
    let forged = neutral + &"00".repeat(32) + &hex::encode(&ENTROPY);
    assert_eq!(denied(exchange.authenticate(&forged, &Map::new())).error, DENIED);
}

#[test]
fn an_authenticator_brings_the_public_key() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let methods = Methods { cryptosign: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let details = json!({ "authmethods": ["cryptosign"], "authextra": { "pubkey": public(&key) } });
    let (values, exchange) = asked(begin(&methods, details));
    assert_eq!(values.args[1], Value::Null);
    assert_eq!(values.args[2]["authextra"]["pubkey"], json!(public(&key)));
    let answer = json!({ "role": "user", "pubkey": public(&key) });
    let (extra, exchange) = challenged(exchange.answered(Ok(Values::args([answer]))), "cryptosign");
    let identity = accepted(exchange.authenticate(&signature(&key, &extra), &Map::new()));
    assert_eq!(identity.authid, Some(public(&key)), "the key is a name where there is no other");
}
