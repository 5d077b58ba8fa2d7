//! `ticket`.

use serde_json::{Map, Value, json};
use wamplet::auth::*;
use wamplet::payload::Values;

use crate::clients::*;

#[test]
fn a_ticket_lets_in_whom_it_belongs_to_and_nobody_else() {
    let methods =
        Methods { ticket: Some(tickets([("joe", "secret"), ("amy", "other")])), ..Methods::default() };
    let login = |authid: &str, ticket: &str| {
        let (extra, exchange) = challenged(begin(&methods, hello("ticket", authid)), "ticket");
        assert!(extra.is_empty() && exchange.is_challenged());
        exchange.authenticate(ticket, &Map::new())
    };
    let identity = accepted(login("joe", "secret"));
    assert_eq!(
        (identity.authid.as_deref(), &*identity.authrole, &*identity.authmethod, &*identity.authprovider),
        (Some("joe"), "role of joe", "ticket", "static")
    );
    assert_eq!(identity.authextra, None, "what the client says of itself is told to others");
    for (authid, ticket) in
        [("joe", "Secret"), ("joe", ""), ("joe", "secret "), ("joe", "other"), ("eve", "secret"), ("eve", "")]
    {
        let denial = denied(login(authid, ticket));
        assert_eq!(denial.error, DENIED, "{authid} {ticket}");
        assert!(!denial.text.contains(authid), "{denial:?}");
    }
}

#[test]
fn a_principal_may_be_moved_to_another_realm_under_another_name() {
    let grant = Grant {
        realm: Some("realm9".into()),
        authid: Some("joseph".into()),
        role: "user".into(),
        extra: dict(json!({ "seat": 3 })),
    };
    let joe = Principal { authid: "joe".into(), credential: Ticket("secret".into()), grant };
    let methods =
        Methods { ticket: Some(Provider::Static(Principals::new(vec![joe]))), ..Methods::default() };
    let (_, exchange) = challenged(begin(&methods, hello("ticket", "joe")), "ticket");
    let identity = accepted(exchange.authenticate("secret", &Map::new()));
    assert_eq!(
        (identity.realm.as_deref(), identity.authid.as_deref(), identity.authextra),
        (Some("realm9"), Some("joseph"), dict(json!({ "seat": 3 })))
    );
}

#[test]
fn an_authenticator_of_tickets_sees_the_ticket_that_was_sent() {
    let methods = Methods { ticket: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let (_, exchange) = challenged(begin(&methods, hello("ticket", "joe")), "ticket");
    let (values, exchange) = asked(exchange.authenticate("secret", &Map::new()));
    assert!(!exchange.is_challenged());
    assert_eq!(values.args[1], "joe");
    assert_eq!(values.args[2]["ticket"], "secret");
    let answer = json!({ "role": "user", "realm": "realm2", "authid": "joseph", "extra": { "a": 1 } });
    let identity = accepted(exchange.answered(Ok(Values::args([answer]))));
    assert_eq!(
        (identity.realm.as_deref(), identity.authid.as_deref(), &*identity.authrole),
        (Some("realm2"), Some("joseph"), "user")
    );
    assert_eq!(identity.authextra, dict(json!({ "a": 1 })));
}

#[test]
fn an_authenticator_says_whose_ticket_it_is_where_the_client_does_not() {
    let methods = Methods { ticket: Some(Provider::Dynamic(authenticator())), ..Methods::default() };
    let answered = |answer: Value| {
        let (_, exchange) = challenged(begin(&methods, json!({ "authmethods": ["ticket"] })), "ticket");
        let (values, exchange) = asked(exchange.authenticate("token", &Map::new()));
        assert_eq!((&values.args[1], &values.args[2]["authid"]), (&Value::Null, &Value::Null));
        exchange.answered(Ok(Values::args([answer])))
    };
    let identity = accepted(answered(json!({ "role": "user", "authid": "joe" })));
    assert_eq!(identity.authid.as_deref(), Some("joe"));
    for answer in [json!("user"), json!({ "role": "user" })] {
        let denial = denied(answered(answer));
        assert_eq!(denial.error, "wamp.error.authentication_failed");
        assert!(denial.fault.contains("expected an \"authid\""), "{denial:?}");
    }
}
