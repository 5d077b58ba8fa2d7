//! `auth` of a configuration: what its principals, authenticators and cookies become. What is wrong with others is in
//! `configs/broken/auth-*` and `configs/node/broken/auth-*`, beside the sentences about it.

#![cfg(feature = "native")]

mod configs;

use std::path::Path;
use std::time::Duration;

use configs::{folder, read};
use serde_json::json;
use wamplet::auth::{
    Anonymous, Ask, Authenticator, CraSecret, Fingerprint, Grant, Kdf, Methods, Principal, Provider, Salting,
    ScramKeys, Ticket,
};
use wamplet::config::node::{Auth, Cookie, CookieStore, Listener, Node, SameSite, Service};
use wamplet::config::{Config, Format, Loaded};

fn listeners() -> Vec<Listener> {
    let file = folder("node/good").join("authentication.json");
    let environment = |name: &str| (name == "SECRET").then(|| "of the environment".to_owned());
    let loaded = Node::from_text(&read(&file), Format::Json, Path::new("/node"), &environment);
    loaded.unwrap_or_else(|error| panic!("{error}")).node.listeners
}

/// What is configured of the WebSocket that has everything.
fn everything() -> (Auth, Cookie) {
    let listener = listeners().swap_remove(0);
    let paths = listener.web.expect("a WebSocket").paths;
    let Some(Service::WebSocket(websocket)) = paths.root.map(|service| *service) else {
        panic!("a WebSocket")
    };
    (websocket.auth.expect("auth"), websocket.cookie.expect("a cookie"))
}

fn known<C: Clone>(provider: &Option<Provider<C>>) -> Vec<Principal<C>> {
    match provider {
        Some(Provider::Static(principals)) => principals.list().to_vec(),
        _ => panic!("expected principals"),
    }
}

fn grant(role: &str) -> Grant {
    Grant { role: role.into(), ..Grant::default() }
}

#[test]
fn principals_have_their_secrets_roles_realms_and_extras() {
    let (Auth { methods, by_cookie }, _) = everything();
    assert!(by_cookie);
    assert!(matches!(&methods.anonymous, Some(Anonymous::Static(known)) if *known == grant("anonymous")));
    let extra = json!({ "level": 3 }).as_object().cloned();
    let [joe, ann, bob, eve] = &known(&methods.ticket)[..] else { panic!("four principals") };
    assert_eq!((joe.authid.as_str(), &joe.credential.0), ("joe", &"of the environment".to_owned()));
    assert_eq!(joe.grant, Grant { extra, ..grant("backend") }, "the default role");
    assert!(ann.credential == Ticket("plain".into()));
    assert!(bob.credential == joe.credential, "the same variable as Crossbar.io writes it");
    assert!(eve.credential == Ticket("$not-a-name".into()), "after a warning");
    assert_eq!(ann.grant, Grant { realm: Some("realm2".into()), ..grant("frontend") });
}

#[test]
fn a_secret_is_salted_where_it_has_a_salt() {
    let (Auth { methods, .. }, _) = everything();
    let [joe, ann] = &known(&methods.wampcra)[..] else { panic!("two users") };
    assert!(joe.credential == CraSecret { secret: "secret".into(), salting: None });
    let salting = Some(Salting { salt: "salt".into(), iterations: 100, keylen: 16 });
    assert!(ann.credential == CraSecret { secret: "gdT06v8w9n/fWK6XU2T2zw==".into(), salting }, "derived");
}

#[test]
fn a_salted_secret_that_can_be_no_derived_key_is_taken_for_the_password() {
    let read = |user: serde_json::Value| {
        let role = json!({ "name": "user", "permissions": [] });
        let auth =
            json!({ "wampcra": { "type": "static", "default-role": "user", "users": { "joe": user } } });
        let config = json!({ "realms": [{ "name": "realm1", "roles": [role] }], "auth": auth });
        let Loaded { config, warnings } = Config::from_value(&config).expect("a good configuration");
        assert!(
            warnings.iter().all(|warning| warning.path == "auth.wampcra.users.joe.secret"),
            "{warnings:?}"
        );
        let methods = config.auth.expect("methods");
        (known(&methods.wampcra)[0].credential.secret.clone(), !warnings.is_empty())
    };
    let password = "L3L1YUE8Txlw";
    let key = "qzcdsr9uu/L5hnss3kjNTRe490ETgA70ZBaB5rvnJ5Y=".to_owned();
    assert_eq!(read(json!({ "secret": key, "salt": "salt123" })), (key.clone(), false));
    assert_eq!(read(json!({ "secret": password, "salt": "salt123" })), (key.clone(), true));
    let long = "qzcdsr9uu/L5hnss3kjNTRe490ETgA70ZBaB5rvnJ5Y5LSaA0fvC8Q==".to_owned();
    assert_eq!(read(json!({ "secret": password, "salt": "salt123", "keylen": 40 })), (long, true));
    assert_ne!(read(json!({ "secret": key, "salt": "salt123", "keylen": 16 })).0, key);
    assert_eq!(read(json!({ "secret": password })), (password.to_owned(), false));
}

#[test]
fn keys_are_read_from_their_digits() {
    let (Auth { methods, .. }, _) = everything();
    let [joe, ann] = &known(&methods.scram)[..] else { panic!("two principals") };
    let keys = ScramKeys {
        kdf: Kdf::Pbkdf2,
        iterations: 4_096,
        memory: Some(0),
        salt: vec![0x00, 0xff],
        stored_key: [0xab; 32],
        server_key: [0xcd; 32],
    };
    assert!(joe.credential == keys);
    assert!(ann.credential == ScramKeys { kdf: Kdf::Argon2id13, memory: Some(4_096), ..keys });
    let [joe] = &known(&methods.cryptosign)[..] else { panic!("one principal") };
    assert_eq!((&joe.credential.0[..], joe.grant.realm.as_deref()), (&[[0xab; 32]][..], Some("realm1")));
    let [joe, ann] = &known(&methods.tls)[..] else { panic!("two principals") };
    assert_eq!(joe.credential.0, [Fingerprint::Sha1([0xab; 20])]);
    assert_eq!(ann.credential.0, [Fingerprint::Sha1([0xcd; 20]), Fingerprint::Sha256([0xef; 32])]);
}

#[test]
fn an_authenticator_is_a_procedure_or_a_function() {
    let listener = listeners().swap_remove(1);
    let auth = listener.rawsocket.expect("a RawSocket").auth.expect("auth");
    assert!(!auth.by_cookie);
    let Methods {
        anonymous, ticket, wampcra, scram: None, cryptosign: None, tls: None, cookie: None, ..
    } = &*auth.methods
    else {
        panic!("no other methods")
    };
    let procedure = |realm: Option<&str>| Ask::Procedure {
        uri: "com.example.auth".into(),
        realm: realm.map(str::to_owned),
    };
    let expected = Authenticator { ask: procedure(None), default_role: None };
    assert!(matches!(anonymous, Some(Anonymous::Dynamic(found)) if *found == expected));
    let expected = Authenticator { ask: procedure(Some("realm1")), default_role: Some("backend".into()) };
    assert!(matches!(ticket, Some(Provider::Dynamic(found)) if *found == expected));
    let expected = Authenticator { ask: Ask::Function("auth.create".into()), default_role: None };
    assert!(matches!(wampcra, Some(Provider::Dynamic(found)) if *found == expected));
}

#[test]
fn a_node_that_names_functions_needs_a_program_that_has_them() {
    let transport = json!({
        "type": "rawsocket",
        "endpoint": { "type": "unix", "path": "socket" },
        "auth": { "ticket": { "type": "function", "create": "check_ticket" } },
    });
    let text = json!({ "transports": [transport] }).to_string();
    let node = Node::from_json(&text, Path::new("/node")).unwrap_or_else(|error| panic!("{error}")).node;
    assert!(node.check_functions(|name| name == "check_ticket").is_ok());
    let error = node.check_functions(|_| false).expect_err("there is no such function").to_string();
    let expected = "auth.ticket of transports[0], rawsocket: expected a function of this program, found \"check_ticket\"";
    assert_eq!(error, expected);
}

#[test]
fn cookies_have_their_names_ages_and_stores() {
    let (_, cookie) = everything();
    let expected = Cookie {
        name: "id".into(),
        length: 8,
        max_age: Duration::from_secs(3_600),
        store: CookieStore::File { path: "/node/cookies.json".into(), purge_on_startup: true },
        secure: false,
        http_strict: true,
        same_site: Some(SameSite::None),
    };
    assert_eq!(cookie, expected);
    let listener = listeners().swap_remove(2);
    let paths = listener.web.expect("HTTP").paths;
    let [(_, Service::LongPoll(long_poll)), (_, Service::WebSocket(websocket))] = &paths.children[..] else {
        panic!("two services")
    };
    let store = CookieStore::File { path: "/node/cookies/cookies".into(), purge_on_startup: false };
    assert_eq!(long_poll.cookie, Some(Cookie { store, ..Cookie::default() }));
    assert!(long_poll.auth.as_ref().is_some_and(|auth| auth.by_cookie));
    assert_eq!((&websocket.cookie, &websocket.auth), (&Some(Cookie::default()), &None));
    assert_eq!(Cookie::default().max_age, Duration::from_secs(604_800), "as in Crossbar.io");
}

#[test]
fn the_ports_of_a_browser_have_the_auth_of_their_transport_or_of_the_whole() {
    for file in ["auth-of-ports.json", "auth-of-all-ports.json"] {
        let loaded = Config::from_json(&read(&folder("good").join(file)));
        let methods = loaded.unwrap_or_else(|error| panic!("{file}: {error}")).config.auth.expect("auth");
        let [joe] = &known(&methods.ticket)[..] else { panic!("one principal") };
        assert_eq!((joe.credential.0.as_str(), &joe.grant), ("secret", &grant("backend")), "{file}");
    }
    let open = Config::from_json(r#"{ "realms": [{ "name": "realm1", "roles": [] }] }"#);
    assert!(open.expect("a good configuration").config.auth.is_none());
}

#[test]
fn what_is_secret_is_not_in_what_is_printed() {
    let (Auth { methods, .. }, _) = everything();
    let printed = format!("{methods:?}");
    for secret in ["of the environment", "plain", "\"secret\"", "\"key\"", "171, 171", "205, 205"] {
        assert!(!printed.contains(secret), "{secret} is in {printed}");
    }
}
