//! Which method a HELLO leads to, and what the simplest of them gives.

use serde_json::{Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

#[test]
fn a_client_that_names_no_method_is_anonymous() {
    let methods = Methods { anonymous: Some(Anonymous::Static(grant("guest"))), ..Methods::default() };
    for details in [json!({}), json!({ "authmethods": null }), json!({ "authmethods": [] })] {
        let identity = accepted(begin(&methods, details));
        assert_eq!(identity.realm.as_deref(), Some("realm1"));
        assert_eq!(identity.authid.as_deref(), Some("SERI-AL"));
        assert_eq!(
            (&*identity.authrole, &*identity.authmethod, &*identity.authprovider),
            ("guest", "anonymous", "static")
        );
    }
}

#[test]
fn the_order_of_the_client_decides_and_what_is_not_served_is_passed_over() {
    let methods = Methods {
        anonymous: Some(Anonymous::Static(grant("guest"))),
        ticket: Some(tickets([("joe", "secret")])),
        ..Methods::default()
    };
    for (offered, method) in [
        (json!(["ticket", "anonymous"]), "ticket"),
        (json!(["wampcra", "x_own", 7, "ticket", "anonymous"]), "ticket"),
        (json!(["anonymous", "ticket"]), "anonymous"),
        (json!(["tls", "cookie", "anonymous"]), "anonymous"),
    ] {
        let found = match begin(&methods, json!({ "authmethods": offered, "authid": "joe" })) {
            Step::Accept { identity, .. } => identity.authmethod,
            Step::Challenge { method, .. } => method.to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, method, "{offered}");
    }
}

#[test]
fn a_client_with_no_method_in_common_is_told_so() {
    let methods = Methods { ticket: Some(tickets([("joe", "secret")])), ..Methods::default() };
    for offered in [
        json!(["wampcra"]),
        json!(["Ticket"]),
        json!([]),
        json!(null),
        json!("ticket"),
        json!({}),
        json!(["tls"]),
    ] {
        let details = json!({ "authmethods": offered, "authid": "joe" });
        assert_eq!(denied(begin(&methods, details)).error, NO_METHOD, "{offered}");
    }
    assert_eq!(denied(begin(&Methods::default(), json!({}))).error, NO_METHOD);
}

#[test]
fn a_method_that_needs_an_authid_refuses_a_client_without_one() {
    let methods = everything_static();
    for method in ["ticket", "wampcra", "scram", "wamp-scram"] {
        for authid in [Value::Null, json!(7), json!(["joe"])] {
            let details =
                json!({ "authmethods": [method], "authid": authid, "authextra": { "nonce": "AAAA" } });
            assert_eq!(denied(begin(&methods, details)).error, DENIED, "{method} {authid}");
        }
    }
}

#[test]
fn an_anonymous_grant_says_realm_role_and_authid() {
    let grant = Grant {
        realm: Some("realm2".into()),
        authid: Some("nobody".into()),
        role: "guest".into(),
        extra: dict(json!({ "a": 1 })),
    };
    let methods = Methods { anonymous: Some(Anonymous::Static(grant)), ..Methods::default() };
    let identity = accepted(begin(&methods, json!({ "authid": "admin", "authextra": { "b": 2 } })));
    assert_eq!(
        (identity.realm.as_deref(), identity.authid.as_deref(), identity.authextra),
        (Some("realm2"), Some("nobody"), dict(json!({ "a": 1 })))
    );
}

#[test]
fn an_authenticator_of_anonymous_clients_is_asked_with_their_serial() {
    let methods = Methods { anonymous: Some(Anonymous::Dynamic(authenticator())), ..Methods::default() };
    let (values, exchange) = asked(begin(&methods, json!({ "authextra": { "x": 1 } })));
    assert_eq!(values.args[0], "realm1");
    assert_eq!(values.args[1], "SERI-AL");
    assert_eq!(values.args[2]["authmethod"], "anonymous");
    assert_eq!(values.args[2]["session"], 4711);
    assert_eq!(values.args[2]["authextra"], json!({ "x": 1 }));
    assert_eq!(values.args[2]["transport"], json!({ "type": "websocket" }));
    let identity = accepted(exchange.answered(Ok(Values::args([json!("guest")]))));
    assert_eq!((&*identity.authrole, &*identity.authprovider), ("guest", "dynamic"));
    assert_eq!(identity.authextra, dict(json!({})));
}
