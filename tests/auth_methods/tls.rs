//! `tls`.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

#[test]
fn a_client_certificate_says_who_its_owner_is() {
    let certificate = Certificate::from_der(b"a certificate");
    // `printf 'a certificate' | sha1sum` and `sha256sum`
    let sha1 = "BB:B2:B7:B1:4F:22:4F:F6:EA:38:68:F9:80:32:40:40:67:26:B7:7C";
    let sha256 = hex::encode(&Sha256::digest(b"a certificate"));
    for text in [sha1, &sha1.to_lowercase(), &sha1.replace(':', ""), &sha256] {
        let fingerprint = Fingerprint::from_hex(text).expect("a fingerprint");
        let tls = Some(static_of([("joe", Fingerprints(vec![fingerprint]))]));
        let methods =
            Methods { tls, anonymous: Some(Anonymous::Static(grant("guest"))), ..Methods::default() };
        let login = |certificate: Option<&Certificate>| {
            let channel = Channel { certificate: certificate.cloned(), ..Channel::default() };
            let details = json!({ "authmethods": ["tls", "anonymous"] });
            methods.begin(&plain_hello(details.as_object().expect("an object")), &channel)
        };
        assert_eq!(accepted(login(Some(&certificate))).authid.as_deref(), Some("joe"), "{text}");
        assert_eq!(denied(login(Some(&Certificate::from_der(b"another")))).error, DENIED);
        assert_eq!(accepted(login(None)).authmethod, "anonymous", "without a certificate it is not possible");
    }
    for text in ["", "36", "zz", "BB:B2:B7:B1:4F:22:4F:F6:EA:38:68:F9:80:32:40:40:67:26:B7", &"00".repeat(64)]
    {
        assert_eq!(Fingerprint::from_hex(text), None, "{text}");
    }
}

#[test]
fn an_authenticator_sees_the_fingerprints_of_the_certificate() {
    let methods = Methods { tls: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let certificate = Certificate { sha1: [0xAB; 20], sha256: [0xCD; 32] };
    let channel = Channel { certificate: Some(certificate), ..Channel::default() };
    let details = json!({ "authmethods": ["tls"] });
    let step = methods.begin(&plain_hello(details.as_object().expect("an object")), &channel);
    let (values, exchange) = asked(step);
    let seen = &values.args[2]["transport"];
    assert_eq!(seen["type"], "websocket");
    assert_eq!(seen["peer_cert"]["sha1"], json!(vec!["AB"; 20].join(":")));
    let answer = json!({ "role": "user", "authid": "joe" });
    assert_eq!(accepted(exchange.answered(Ok(Values::args([answer])))).authid.as_deref(), Some("joe"));
}
