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
    let certificate = Certificate { sha1: [0xAB; 20], sha256: [0xCD; 32], der: Vec::new() };
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

#[test]
fn an_authenticator_sees_what_is_in_the_certificate() {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, SerialNumber,
        date_time_ymd,
    };
    let name = |params: &mut CertificateParams, of: &[(DnType, &str)]| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        of.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), *value));
    };
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    name(&mut params, &[(DnType::CommonName, "The Authority")]);
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");

    let names = vec!["client.example.com".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let mut params = CertificateParams::new(names).expect("parameters");
    let uri = "spiffe://example.com/joe".try_into().expect("a URI");
    let address = "joe@example.com".try_into().expect("an address");
    params.subject_alt_names.extend([SanType::URI(uri), SanType::Rfc822Name(address)]);
    let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let of_nobody = DnType::CustomDnType(vec![1, 2, 3, 4]);
    let subject = [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, "Müller & Söhne"),
        (DnType::OrganizationalUnitName, "Sensors"),
        (DnType::CommonName, "joe"),
        (email, "joe@example.com"),
        (of_nobody, "x"),
    ];
    name(&mut params, &subject);
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2061, 12, 31);
    for (serial, seen_serial) in [
        (SerialNumber::from(77), json!(77)),
        // JavaScript has no such number.
        (SerialNumber::from((1 << 53) + 1), json!("9007199254740993")),
        (SerialNumber::from_slice(&[0x7f; 20]), json!("727885129180488904360266563744972327436484050815")),
    ] {
        params.serial_number = Some(serial);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.clone().signed_by(&key, &authority).expect("a certificate");
        let certificate = Certificate::from_der(certificate.der());
        let channel = Channel { certificate: Some(certificate), ..Channel::default() };
        let methods = Methods { tls: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
        let details = json!({ "authmethods": ["tls"] });
        let step = methods.begin(&plain_hello(details.as_object().expect("an object")), &channel);
        let (values, _) = asked(step);
        let mut seen = values.args[2]["transport"]["peer_cert"].clone();
        for fingerprint in ["sha1", "sha256"] {
            seen.as_object_mut().and_then(|seen| seen.remove(fingerprint)).expect(fingerprint);
        }
        let names = "DNS:client.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://example.com/joe, \
                     email:joe@example.com";
        let expected = json!({
            "serial": seen_serial,
            "version": 2,
            "signature_algorithm": "ecdsa-with-SHA256",
            "not_before": "20260102000000Z",
            "not_after": "20611231000000Z",
            "subject": {
                "c": "DE", "o": "Müller & Söhne", "ou": "Sensors", "cn": "joe", "emailaddress": "joe@example.com",
                "1.2.3.4": "x",
            },
            "issuer": { "cn": "The Authority" },
            "extensions": [{ "name": "subjectAltName", "value": names, "critical": false }],
        });
        assert_eq!(seen, expected);
    }
}
