//! The handshake of a client that authenticates, message by message: what comes when, what a wrong message does, and what a
//! client is told that is not let in. What each method wants to see is for the tests of `auth`.

mod common;
#[path = "common/hashes.rs"]
mod hashes;

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use common::{Peer, Wamp, all_roles};
use hashes::mac;
use serde_json::{Value, json};
use wamplet::auth::{
    Anonymous, Channel, Failure, Grant, Identity, MemoryLogins, Methods, Principal, Principals, Provider,
    Ticket,
};
use wamplet::config::Config;
use wamplet::payload::Values;
use wamplet::router::{Close, TRUSTED, Transport};

/// Two realms, and clients that authenticate so.
fn config(auth: Value) -> Config {
    let role = |name: &str| json!({ "name": name, "permissions": [{ "uri": "*", "call": true, "register": true, "subscribe": true, "publish": true }] });
    let config = json!({
        "realms": [
            { "name": "realm1", "roles": [role("anonymous"), role("user")], "stats": {} },
            { "name": "realm2", "roles": [role("user"), role("guest")] },
        ],
        "auth": auth,
    });
    Config::from_value(&config).unwrap_or_else(|error| panic!("{error}")).config
}

fn wamp(auth: Value) -> Wamp {
    Wamp::with_config(config(auth))
}

/// Joe and Ann have tickets; Ann's place is realm2.
fn tickets() -> Value {
    json!({
        "ticket": {
            "type": "static",
            "principals": {
                "joe": { "ticket": "secret!!!", "role": "user" },
                "ann": { "ticket": "sesame", "role": "guest", "realm": "realm2", "extra": { "level": 3 } },
            },
        },
    })
}

/// Tickets that an authenticator knows.
fn by_procedure() -> Value {
    json!({ "ticket": { "type": "dynamic", "authenticator": "com.example.authenticate" } })
}

fn hello(realm: impl Into<Value>, details: Value) -> Value {
    let mut details = details;
    details["roles"] = all_roles();
    json!([1, realm.into(), details])
}

/// Says HELLO as somebody with a ticket.
fn present(w: &mut Wamp, realm: impl Into<Value>, authid: &str) -> Peer {
    let peer = w.open();
    w.say(peer, hello(realm, json!({ "authmethods": ["ticket"], "authid": authid })));
    peer
}

/// The same, and eats the CHALLENGE.
#[track_caller]
fn challenged(w: &mut Wamp, authid: &str) -> Peer {
    let peer = present(w, "realm1", authid);
    w.expect(peer, json!([4, "ticket", {}]));
    peer
}

/// Eats the WELCOME, and answers its details.
#[track_caller]
fn welcome(w: &mut Wamp, mut peer: Peer) -> (Peer, Value) {
    let mut heard = w.expect(peer, json!([2, "*", "*"]));
    peer.session = heard[1].as_u64().expect("an id");
    (peer, heard[2].take())
}

/// A session of the program that holds the router, which is asked for nothing.
fn join_trusted(w: &mut Wamp, realm: &str) -> Peer {
    let identity = Identity { authrole: TRUSTED.into(), ..Identity::anonymous() };
    let peer = w.open_transport(Transport { identity: Some(identity), ..Transport::default() });
    w.hello(peer, realm, all_roles())
}

#[test]
fn a_client_with_the_right_ticket_joins_as_whom_the_configuration_knows() {
    let mut w = wamp(tickets());
    let watcher = join_trusted(&mut w, "realm1");
    let subscription = w.subscribe(watcher, 1, "wamp.session.on_join");
    let peer = challenged(&mut w, "joe");
    w.expect_silence();
    w.say(peer, json!([5, "secret!!!", {}]));
    let (peer, details) = welcome(&mut w, peer);
    let joined = w.expect(watcher, json!([36, subscription, "*", {}, ["*"]]))[4][0].take();
    for (key, value) in [
        ("realm", "realm1"),
        ("authid", "joe"),
        ("authrole", "user"),
        ("authmethod", "ticket"),
        ("authprovider", "static"),
    ] {
        assert_eq!(details[key], value, "WELCOME, {key}");
        assert_eq!(joined[key], value, "on_join, {key}");
    }
    assert_eq!(joined["session"], peer.session);
    w.subscribe(peer, 1, "com.example.topic");
}

#[test]
fn whoever_is_refused_is_told_the_same_whatever_was_wrong() {
    let mut w = wamp(tickets());
    let mut told = Vec::new();
    for (authid, ticket) in [("joe", "wrong"), ("joe", ""), ("nobody", "secret!!!"), ("joe", "sesame")] {
        let peer = challenged(&mut w, authid);
        w.say(peer, json!([5, ticket, {}]));
        told.push(w.expect(peer, json!([3, { "message": "*" }, "wamp.error.authentication_denied"])));
        w.expect_closed(peer, Close::Normal);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0].to_string();
    assert!(!text.contains("joe") && !text.contains("nobody"), "{text}");
}

#[test]
fn a_realm_is_only_known_to_those_who_have_authenticated() {
    let mut w = wamp(tickets());
    let mut told = Vec::new();
    for realm in ["realm1", "nowhere"] {
        let peer = present(&mut w, realm, "joe");
        w.expect(peer, json!([4, "ticket", {}]));
        w.say(peer, json!([5, "wrong", {}]));
        told.push(w.hear(peer));
    }
    assert_eq!(told[0], told[1]);
    let peer = present(&mut w, "nowhere", "joe");
    w.expect(peer, json!([4, "ticket", {}]));
    w.say(peer, json!([5, "secret!!!", {}]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
}

#[test]
fn the_name_of_a_realm_must_be_a_uri_all_the_same() {
    let mut w = wamp(tickets());
    let peer = present(&mut w, "no where", "joe");
    w.expect_abort(peer, "wamp.error.invalid_uri");
}

#[test]
fn a_principal_with_a_realm_joins_that_one_whatever_it_asks_for() {
    let mut w = wamp(tickets());
    for realm in [json!("realm1"), json!("realm2"), json!("nowhere"), json!(null)] {
        let peer = present(&mut w, realm.clone(), "ann");
        w.expect(peer, json!([4, "ticket", {}]));
        w.say(peer, json!([5, "sesame", {}]));
        let (_, details) = welcome(&mut w, peer);
        assert_eq!((&details["realm"], &details["authrole"]), (&json!("realm2"), &json!("guest")), "{realm}");
        assert_eq!(details["authextra"], json!({ "level": 3 }));
    }
}

#[test]
fn a_client_that_names_no_realm_needs_one_from_its_authentication() {
    let mut w = wamp(tickets());
    let peer = present(&mut w, Value::Null, "joe");
    w.expect(peer, json!([4, "ticket", {}]));
    w.say(peer, json!([5, "secret!!!", {}]));
    w.expect_abort(peer, "wamp.error.no_such_realm");
}

#[test]
fn a_role_that_the_realm_does_not_have_is_no_place_to_join() {
    let mut auth = tickets();
    auth["ticket"]["principals"]["joe"]["role"] = json!("guest");
    let mut w = wamp(auth);
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret!!!", {}]));
    w.expect_abort(peer, "wamp.error.no_such_role");
}

#[test]
fn the_first_method_of_the_client_that_is_configured_decides() {
    let mut auth = tickets();
    auth["anonymous"] = json!({ "type": "static" });
    let mut w = wamp(auth);
    for (offered, expected) in [
        (json!(["ticket", "anonymous"]), 4),
        (json!(["anonymous", "ticket"]), 2),
        (json!(["wampcra", "fingerprint", 7, "ticket"]), 4),
        (json!([]), 2),
        (json!(null), 2),
    ] {
        let peer = w.open();
        w.say(peer, hello("realm1", json!({ "authmethods": offered, "authid": "joe" })));
        assert_eq!(w.hear(peer)[0], expected, "{offered}");
    }
    for offered in [json!(["wampcra"]), json!(["cookie", "tls"]), json!("ticket")] {
        let peer = w.open();
        w.say(peer, hello("realm1", json!({ "authmethods": offered, "authid": "joe" })));
        w.expect_abort(peer, "wamp.error.no_matching_auth_method");
    }
}

#[test]
fn nobody_is_anonymous_where_that_is_not_configured() {
    let mut w = wamp(tickets());
    for details in [json!({}), json!({ "authmethods": ["anonymous"] })] {
        let peer = w.open();
        w.say(peer, hello("realm1", details));
        w.expect_abort(peer, "wamp.error.no_matching_auth_method");
    }
}

#[test]
fn a_challenged_client_answers_or_breaks_the_protocol() {
    for message in [
        hello("realm1", json!({})),
        json!([32, 1, {}, "com.example.topic"]),
        json!([48, 1, {}, "com.example.procedure"]),
        json!([6, {}, "wamp.close.normal"]),
        json!([4, "ticket", {}]),
    ] {
        let mut w = wamp(tickets());
        let peer = challenged(&mut w, "joe");
        w.say(peer, message);
        w.expect_violation(peer, "");
        w.say(peer, json!([5, "secret!!!", {}]));
        w.expect_nothing(peer);
    }
}

#[test]
fn an_authenticate_that_nobody_asked_for_is_a_violation() {
    let mut w = wamp(tickets());
    let early = w.open();
    w.say(early, json!([5, "secret!!!", {}]));
    w.expect_violation(early, "expected HELLO, found AUTHENTICATE");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret!!!", {}]));
    welcome(&mut w, peer);
    w.say(peer, json!([5, "secret!!!", {}]));
    w.expect_violation(peer, "AUTHENTICATE");
}

#[test]
fn there_is_one_attempt_for_each_transport() {
    let mut w = wamp(tickets());
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "wrong", {}]));
    w.expect_abort(peer, "wamp.error.authentication_denied");
    w.say(peer, json!([5, "secret!!!", {}]));
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect_nothing(peer);
}

#[test]
fn a_challenged_client_may_give_up() {
    let mut w = wamp(tickets());
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([3, {}, "wamp.error.cannot_authenticate"]));
    w.expect_closed(peer, Close::Normal);
    assert_eq!(w.router.transports(), 0);
}

#[test]
fn the_whole_handshake_has_the_time_of_one_hello() {
    let mut w = wamp(tickets());
    let peer = w.open();
    w.advance_ms(6_000);
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect(peer, json!([4, "ticket", {}]));
    w.advance_ms(3_999);
    w.expect_nothing(peer);
    assert_eq!(w.closed(peer), None);
    w.advance_ms(1);
    w.expect_closed(peer, Close::Timeout);
}

#[test]
fn a_client_that_has_joined_has_all_the_time_there_is() {
    let mut w = wamp(tickets());
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret!!!", {}]));
    welcome(&mut w, peer);
    w.advance_ms(100_000);
    assert_eq!(w.closed(peer), None);
}

#[test]
fn a_client_that_says_goodbye_authenticates_again() {
    let mut w = wamp(tickets());
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret!!!", {}]));
    welcome(&mut w, peer);
    w.say(peer, json!([6, {}, "wamp.close.normal"]));
    w.expect(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect(peer, json!([4, "ticket", {}]));
    w.say(peer, json!([5, "wrong", {}]));
    w.expect_abort(peer, "wamp.error.authentication_denied");
}

#[test]
fn an_authenticate_may_not_be_longer_than_a_hello() {
    let mut config = config(tickets());
    config.limits.hello_length = 1_000;
    let mut w = Wamp::with_config(config);
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "x".repeat(1_000), {}]));
    w.expect_violation(peer, "1000 bytes");
}

#[test]
fn a_router_that_ends_waits_for_nobody_who_authenticates() {
    let mut w = wamp(tickets());
    let peer = challenged(&mut w, "joe");
    w.shut_down();
    w.expect_closed(peer, Close::Normal);
}

#[test]
fn a_peer_that_the_driver_knows_is_asked_for_nothing() {
    let mut w = wamp(tickets());
    let identity = Identity { authid: Some("page".into()), authrole: "user".into(), ..Identity::default() };
    let peer = w.open_transport(Transport { identity: Some(identity), ..Transport::default() });
    let (_, details) = w.hello_with(
        peer,
        "realm1",
        json!({ "roles": all_roles(), "authmethods": ["ticket"], "authid": "joe" }),
    );
    assert_eq!((&details["authid"], &details["authrole"]), (&json!("page"), &json!("user")));
}

#[test]
fn a_transport_with_methods_of_its_own_has_no_others() {
    let mut w = wamp(tickets());
    let methods = Methods {
        anonymous: Some(Anonymous::Static(Grant { role: "user".into(), ..Grant::default() })),
        ..Methods::default()
    };
    let transport = Transport { auth: Some(Arc::new(methods)), ..Transport::default() };
    let peer = w.open_transport(transport.clone());
    let (_, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles() }));
    assert_eq!(details["authrole"], "user");
    let peer = w.open_transport(transport);
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect_abort(peer, "wamp.error.no_matching_auth_method");
}

#[test]
fn the_session_id_of_a_wampcra_challenge_is_that_of_the_welcome() {
    let mut w = wamp(json!({
        "wampcra": { "type": "static", "users": { "joe": { "secret": "key", "role": "user" } } },
    }));
    let peer = w.open();
    w.say(peer, hello("realm1", json!({ "authmethods": ["wampcra"], "authid": "joe" })));
    let challenge = w.expect(peer, json!([4, "wampcra", { "challenge": "*" }]))[2]["challenge"].take();
    let challenge = challenge.as_str().expect("a text");
    let session = serde_json::from_str::<Value>(challenge).expect("JSON")["session"].as_u64();
    let signature = Base64::encode_string(&mac(b"key", challenge.as_bytes()));
    w.say(peer, json!([5, signature, {}]));
    let (peer, details) = welcome(&mut w, peer);
    assert_eq!(session, Some(peer.session));
    assert_eq!(details["authmethod"], "wampcra");
}

#[test]
fn the_first_statistics_count_every_message_of_the_handshake() {
    let mut w = wamp(tickets());
    let watcher = join_trusted(&mut w, "realm1");
    let subscription = w.subscribe(watcher, 1, "wamp.session.on_stats");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret!!!", {}]));
    let (peer, _) = welcome(&mut w, peer);
    let lengths = w.take_lengths(peer);
    let stats = w.expect(watcher, json!([36, subscription, "*", {}, ["*", "*"]]))[4][1].take();
    assert_eq!(lengths.len(), 4, "HELLO, CHALLENGE, AUTHENTICATE, WELCOME");
    assert_eq!(stats["messages"], 4);
    assert_eq!(stats["bytes"], lengths.iter().sum::<usize>());
    let rated: usize = lengths.iter().map(|length| length.div_ceil(512)).sum();
    assert_eq!(stats["rated_messages"], rated);
}

#[test]
fn an_authenticator_is_asked_and_chooses() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    let registration = w.register(authenticator, 1, "com.example.authenticate");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "open sesame", {}]));
    let question = w.expect(authenticator, json!([68, 1, registration, {}, ["realm1", "joe", "*"]]));
    let details = &question[4][2];
    assert_eq!((&details["ticket"], &details["authmethod"]), (&json!("open sesame"), &json!("ticket")));
    assert_eq!(details["transport"]["type"], "test");
    w.expect_silence();
    let answer = json!({ "role": "guest", "realm": "realm2", "authid": "joe-7", "extra": { "level": 9 } });
    w.say(authenticator, json!([70, 1, {}, [answer]]));
    let (peer, welcomed) = welcome(&mut w, peer);
    assert_eq!(details["session"], peer.session);
    for (key, value) in [
        ("realm", json!("realm2")),
        ("authid", json!("joe-7")),
        ("authrole", json!("guest")),
        ("authmethod", json!("ticket")),
        ("authprovider", json!("dynamic")),
        ("authextra", json!({ "level": 9 })),
    ] {
        assert_eq!(welcomed[key], value, "{key}");
    }
}

#[test]
fn an_authenticator_may_answer_with_a_role_alone() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "open sesame", {}]));
    w.hear(authenticator);
    w.say(authenticator, json!([70, 1, {}, ["user"]]));
    let (_, details) = welcome(&mut w, peer);
    assert_eq!((&details["authid"], &details["authrole"]), (&json!("joe"), &json!("user")));
}

#[test]
fn an_authenticator_that_refuses_is_quoted() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "open sesame", {}]));
    w.hear(authenticator);
    w.say(authenticator, json!([8, 68, 1, {}, "com.example.locked_out", ["come back tomorrow"]]));
    w.expect(peer, json!([3, { "message": "come back tomorrow" }, "com.example.locked_out"]));
    w.expect_closed(peer, Close::Normal);
}

#[test]
fn an_authenticator_that_cannot_answer_lets_nobody_in() {
    // Nobody is registered, in this realm or in one that is not there.
    for realm in ["realm1", "nowhere"] {
        let mut w = wamp(by_procedure());
        let peer = present(&mut w, realm, "joe");
        w.expect(peer, json!([4, "ticket", {}]));
        w.say(peer, json!([5, "open sesame", {}]));
        w.expect_abort(peer, "wamp.error.authentication_failed");
    }
    // It goes, it is silent, it answers nonsense, it makes somebody the router itself.
    let endings: [fn(&mut Wamp, Peer); 5] = [
        |w, authenticator| w.lose(authenticator),
        |w, _| w.advance_ms(w_answer_timeout()),
        |w, authenticator| w.say(authenticator, json!([70, 1, {}, [true]])),
        |w, authenticator| w.say(authenticator, json!([70, 1, {}])),
        |w, authenticator| w.say(authenticator, json!([70, 1, {}, [{ "realm": "realm1" }]])),
    ];
    for (number, end) in endings.into_iter().enumerate() {
        let mut config = config(by_procedure());
        config.limits.hello_timeout_ms = 60_000;
        let mut w = Wamp::with_config(config);
        let authenticator = join_trusted(&mut w, "realm1");
        w.register(authenticator, 1, "com.example.authenticate");
        let peer = challenged(&mut w, "joe");
        w.say(peer, json!([5, "open sesame", {}]));
        w.hear(authenticator);
        w.expect_silence();
        end(&mut w, authenticator);
        let abort = w.expect(peer, json!([3, "*", "wamp.error.authentication_failed"]));
        w.expect_closed(peer, Close::Normal);
        assert!(!abort.to_string().contains("example"), "ending {number}: {abort}");
    }
}

/// Milliseconds that an authenticator has.
fn w_answer_timeout() -> u64 {
    Config::default().limits.answer_timeout_ms
}

#[test]
fn nobody_is_let_in_as_the_router_itself() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "open sesame", {}]));
    w.hear(authenticator);
    w.say(authenticator, json!([70, 1, {}, ["trusted"]]));
    w.expect_abort(peer, "wamp.error.no_such_role");
}

#[test]
fn a_client_that_leaves_while_an_authenticator_thinks_is_forgotten() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let leaving: [fn(&mut Wamp, Peer); 2] =
        [|w, peer| w.lose(peer), |w, peer| w.say(peer, json!([3, {}, "wamp.error.cannot_authenticate"]))];
    for (invocation, leave) in (1..).zip(leaving) {
        let peer = challenged(&mut w, "joe");
        w.say(peer, json!([5, "open sesame", {}]));
        w.expect(authenticator, json!([68, invocation, "*", {}, "*"]));
        leave(&mut w, peer);
        w.hear_all(authenticator);
        w.say(authenticator, json!([70, invocation, {}, ["user"]]));
        w.expect_silence();
        assert_eq!(w.router.transports(), 1, "only the authenticator is left");
    }
}

#[test]
fn a_client_that_cannot_wait_for_an_authenticator_breaks_the_protocol() {
    for message in
        [json!([5, "open sesame", {}]), json!([32, 1, {}, "com.example.topic"]), hello("realm1", json!({}))]
    {
        let mut w = wamp(by_procedure());
        let authenticator = join_trusted(&mut w, "realm1");
        w.register(authenticator, 1, "com.example.authenticate");
        let peer = challenged(&mut w, "joe");
        w.say(peer, json!([5, "open sesame", {}]));
        w.say(peer, message);
        w.expect_violation(peer, "before WELCOME");
        w.hear_all(authenticator);
        w.say(authenticator, json!([70, 1, {}, ["user"]]));
        w.expect_nothing(peer);
    }
}

#[test]
fn time_runs_while_an_authenticator_thinks() {
    let mut w = wamp(by_procedure());
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let peer = w.open();
    w.advance_ms(5_000);
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect(peer, json!([4, "ticket", {}]));
    w.say(peer, json!([5, "open sesame", {}]));
    w.advance_ms(5_000);
    w.expect_closed(peer, Close::Timeout);
    w.hear_all(authenticator);
    w.say(authenticator, json!([70, 1, {}, ["user"]]));
    w.expect_silence();
}

#[test]
fn who_waits_for_an_authenticator_joins_the_router_as_it_is_then() {
    let mut without_role = config(by_procedure());
    let mut without_realm = config(by_procedure());
    let wamplet::config::Realms::Named(realms) = &mut without_role.realms else { panic!("named realms") };
    realms[1].roles.retain(|role| role.name() == "guest");
    let wamplet::config::Realms::Named(realms) = &mut without_realm.realms else { panic!("named realms") };
    realms.truncate(1);
    for (config, error) in
        [(without_role, "wamp.error.no_such_role"), (without_realm, "wamp.error.no_such_realm")]
    {
        let mut w = wamp(by_procedure());
        let authenticator = join_trusted(&mut w, "realm1");
        w.register(authenticator, 1, "com.example.authenticate");
        let peer = challenged(&mut w, "joe");
        w.say(peer, json!([5, "open sesame", {}]));
        w.hear(authenticator);
        w.reload(config);
        w.say(authenticator, json!([70, 1, {}, [{ "role": "user", "realm": "realm2" }]]));
        w.expect_abort(peer, error);
    }
}

#[test]
fn a_reload_brings_new_principals_for_whoever_says_hello_from_then_on() {
    let mut w = wamp(tickets());
    let waiting = w.open();
    let joined = challenged(&mut w, "joe");
    w.say(joined, json!([5, "secret!!!", {}]));
    welcome(&mut w, joined);
    w.reload(config(json!({
        "ticket": { "type": "static", "principals": { "joe": { "ticket": "new", "role": "user" } } },
    })));
    w.subscribe(joined, 1, "com.example.topic");
    w.say(waiting, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.expect(waiting, json!([4, "ticket", {}]));
    w.say(waiting, json!([5, "secret!!!", {}]));
    w.expect_abort(waiting, "wamp.error.authentication_denied");
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "new", {}]));
    welcome(&mut w, peer);
}

#[test]
fn methods_of_open_transports_are_replaced_with_those_of_their_listener() {
    let methods = |ticket: &str| {
        let joe = Principal {
            authid: "joe".into(),
            credential: Ticket(ticket.into()),
            grant: Grant { role: "user".into(), ..Grant::default() },
        };
        let ticket = Some(Provider::Static(Principals::new(vec![joe])));
        Arc::new(Methods { ticket, ..Methods::default() })
    };
    let (old, new, others) = (methods("old"), methods("new"), methods("old"));
    let mut w = wamp(tickets());
    let open = |w: &mut Wamp, auth: &Arc<Methods>| {
        w.open_transport(Transport { auth: Some(Arc::clone(auth)), ..Transport::default() })
    };
    let [peer, other] = [open(&mut w, &old), open(&mut w, &others)];
    w.router.replace_methods(&[(old, new)]);
    for peer in [peer, other] {
        w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
        w.expect(peer, json!([4, "ticket", {}]));
        w.say(peer, json!([5, "old", {}]));
    }
    w.expect_abort(peer, "wamp.error.authentication_denied");
    welcome(&mut w, other);
}

#[test]
fn a_function_of_the_program_is_asked_by_its_name() {
    let mut w = wamp(json!({ "ticket": { "type": "function", "create": "check", "default-role": "user" } }));
    let asked = |w: &mut Wamp| {
        let peer = challenged(w, "joe");
        w.say(peer, json!([5, "open sesame", {}]));
        let [question] = &w.take_questions()[..] else { panic!("one question") };
        assert_eq!(question.function, "check");
        assert_eq!(question.values.args[..2], [json!("realm1"), json!("joe")]);
        assert_eq!(question.values.args[2]["ticket"], "open sesame");
        (peer, question.ticket)
    };
    let (peer, ticket) = asked(&mut w);
    w.answer(ticket, Ok(Values::args([json!({ "authid": "joe-1" })])));
    let (_, details) = welcome(&mut w, peer);
    for (key, value) in [("authid", "joe-1"), ("authrole", "user"), ("authprovider", "function")] {
        assert_eq!(details[key], value, "{key}");
    }
    let (peer, ticket) = asked(&mut w);
    w.answer(ticket, Err(Failure::new("com.example.error.banned", "no")));
    w.expect(peer, json!([3, { "message": "no" }, "com.example.error.banned"]));
    let (peer, ticket) = asked(&mut w);
    w.lose(peer);
    w.answer(ticket, Ok(Values::args([json!("user")])));
    w.expect_silence();
}

#[test]
fn a_client_that_is_refused_leaves_no_realm_behind() {
    let config = json!({ "auth": { "ticket": { "type": "static", "principals": { "joe": { "ticket": "secret", "role": "anonymous" } } } } });
    let mut config = Config::from_value(&config).unwrap_or_else(|error| panic!("{error}")).config;
    config.limits.realms = 1;
    let mut w = Wamp::with_config(config);
    for attempt in 0..3 {
        let peer = w.open();
        let realm = format!("realm{attempt}");
        w.say(peer, hello(realm, json!({ "authmethods": ["ticket"], "authid": "joe" })));
        w.expect(peer, json!([4, "ticket", {}]));
        w.say(peer, json!([5, "wrong", {}]));
        w.expect_abort(peer, "wamp.error.authentication_denied");
    }
    let peer = challenged(&mut w, "joe");
    w.say(peer, json!([5, "secret", {}]));
    welcome(&mut w, peer);
}

/// A transport with a cookie, where cookies log in.
fn with_cookie(w: &mut Wamp, methods: &Arc<Methods>, cookie: &str) -> Peer {
    let channel = Channel { cookie: Some(cookie.into()), ..Channel::default() };
    w.open_transport(Transport { auth: Some(Arc::clone(methods)), channel, ..Transport::default() })
}

fn log_in(w: &mut Wamp, methods: &Arc<Methods>, cookie: &str) -> Peer {
    let peer = with_cookie(w, methods, cookie);
    w.say(peer, hello("realm1", json!({ "authmethods": ["cookie", "ticket"], "authid": "joe" })));
    w.expect(peer, json!([4, "ticket", {}]));
    w.say(peer, json!([5, "secret!!!", {}]));
    welcome(w, peer).0
}

/// Who joins with a cookie alone, if anybody does.
fn with_cookie_alone(w: &mut Wamp, methods: &Arc<Methods>, cookie: &str) -> Option<(Peer, Value)> {
    let mut peer = with_cookie(w, methods, cookie);
    w.say(peer, hello("realm1", json!({ "authmethods": ["cookie"] })));
    let heard = w.hear(peer);
    match heard[0].as_u64() {
        Some(2) => {
            peer.session = heard[1].as_u64().expect("an id");
            Some((peer, heard[2].clone()))
        }
        _ => {
            assert_eq!(heard[2], "wamp.error.no_matching_auth_method");
            None
        }
    }
}

fn cookie_methods() -> Arc<Methods> {
    let auth = config(tickets()).auth.expect("there is auth");
    let logins = MemoryLogins::new(60_000, 100);
    Arc::new(Methods { cookie: Some(Arc::new(logins)), ..Methods::clone(&auth) })
}

#[test]
fn a_cookie_stands_for_whom_authenticated_with_it() {
    let mut w = wamp(tickets());
    let methods = cookie_methods();
    assert!(with_cookie_alone(&mut w, &methods, "one").is_none());
    log_in(&mut w, &methods, "one");
    let (_, details) = with_cookie_alone(&mut w, &methods, "one").expect("it logs in");
    for (key, value) in
        [("authid", "joe"), ("authrole", "user"), ("authmethod", "ticket"), ("authprovider", "cookie")]
    {
        assert_eq!(details[key], value, "{key}");
    }
    assert!(with_cookie_alone(&mut w, &methods, "two").is_none());
}

#[test]
fn logging_out_ends_all_sessions_of_a_cookie_and_what_it_stands_for() {
    let mut w = wamp(tickets());
    let methods = cookie_methods();
    let first = log_in(&mut w, &methods, "one");
    let (second, _) = with_cookie_alone(&mut w, &methods, "one").expect("it logs in");
    let other = log_in(&mut w, &methods, "two");
    w.say(first, json!([6, {}, "wamp.close.normal"]));
    w.expect(first, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_silence();
    let (third, _) = with_cookie_alone(&mut w, &methods, "one").expect("it logs in still");
    w.say(third, json!([6, {}, "wamp.close.logout"]));
    w.expect(third, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect(second, json!([6, "*", "wamp.close.logout"]));
    w.expect_nothing(other);
    assert!(with_cookie_alone(&mut w, &methods, "one").is_none());
    assert!(with_cookie_alone(&mut w, &methods, "two").is_some());
}

#[test]
fn logging_out_where_cookies_log_nobody_in_ends_that_session_alone() {
    let mut w = wamp(tickets());
    let methods = config(tickets()).auth.expect("there is auth");
    let [first, second] = ["one"; 2].map(|cookie| log_in(&mut w, &methods, cookie));
    w.say(first, json!([6, {}, "wamp.close.logout"]));
    w.expect(first, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_nothing(second);
}

#[test]
fn the_cookie_of_a_session_that_was_killed_logs_nobody_in() {
    let mut w = wamp(tickets());
    let methods = cookie_methods();
    let admin = join_trusted(&mut w, "realm1");
    let peer = log_in(&mut w, &methods, "one");
    w.say(admin, json!([48, 1, {}, "wamp.session.kill", [peer.session]]));
    w.expect(peer, json!([6, "*", "*"]));
    assert!(with_cookie_alone(&mut w, &methods, "one").is_none());
}

/// Says HELLO from an address as somebody with a ticket; answers what it is told in the end.
#[cfg(feature = "native")]
fn try_from(w: &mut Wamp, address: &str, authid: &str, ticket: &str) -> Value {
    let address = Some(address.parse().expect("an address"));
    let channel = Channel { address, ..Channel::default() };
    let peer = w.open_transport(Transport { channel, ..Transport::default() });
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": authid })));
    let answer = w.hear(peer);
    if answer[0] != 4 {
        return answer;
    }
    w.say(peer, json!([5, ticket, {}]));
    w.hear(peer)
}

#[cfg(feature = "native")]
fn with_failed_logins(auth: Value, failed_logins: usize) -> Wamp {
    let config = config(auth);
    let limits = wamplet::config::Limits { failed_logins, ..config.limits };
    Wamp::with_config(Config { limits, ..config })
}

#[cfg(feature = "native")]
#[test]
fn an_address_at_which_too_many_logins_failed_is_denied_until_the_minute_is_over() {
    let mut w = with_failed_logins(tickets(), 3);
    let [here, there] = ["127.0.0.1", "192.0.2.1"];
    for n in 0..3 {
        assert_eq!(
            try_from(&mut w, here, "joe", &format!("guess {n}"))[2],
            "wamp.error.authentication_denied"
        );
        // Those that succeed are not counted.
        assert_eq!(try_from(&mut w, there, "joe", "secret!!!")[0], 2);
        w.advance_ms(1_000);
    }
    let [right, wrong] = ["secret!!!", "guess"].map(|ticket| try_from(&mut w, here, "joe", ticket));
    assert_eq!(right, wrong, "it is not told whether it was right");
    assert_eq!(right[2], "wamp.error.authentication_denied");
    assert_eq!(try_from(&mut w, there, "joe", "secret!!!")[0], 2);
    w.advance_ms(56_999);
    assert_eq!(try_from(&mut w, here, "joe", "secret!!!")[0], 3);
    w.advance_ms(1);
    assert_eq!(try_from(&mut w, here, "joe", "secret!!!")[0], 2);
    // A network of IPv6 is one address.
    for n in 0..3 {
        try_from(&mut w, &format!("2001:db8::{n}"), "joe", "guess");
    }
    assert_eq!(try_from(&mut w, "2001:db8::ffff", "joe", "secret!!!")[0], 3);
    assert_eq!(try_from(&mut w, "2001:db8:0:1::1", "joe", "secret!!!")[0], 2);
}

#[cfg(feature = "native")]
#[test]
fn a_challenge_that_was_open_before_too_many_failed_is_denied_too() {
    let mut w = with_failed_logins(tickets(), 1);
    let channel = Channel { address: Some([127, 0, 0, 1].into()), ..Channel::default() };
    let peer = w.open_transport(Transport { channel, ..Transport::default() });
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.hear(peer);
    try_from(&mut w, "127.0.0.1", "joe", "guess");
    w.say(peer, json!([5, "secret!!!", {}]));
    w.expect_abort(peer, "wamp.error.authentication_denied");
}

#[cfg(feature = "native")]
#[test]
fn what_an_authenticator_denies_is_counted_and_its_own_faults_are_not() {
    let mut w = with_failed_logins(by_procedure(), 1);
    // Nobody has registered it.
    for _ in 0..2 {
        assert_eq!(try_from(&mut w, "127.0.0.1", "joe", "x")[2], "wamp.error.authentication_failed");
    }
    let authenticator = join_trusted(&mut w, "realm1");
    w.register(authenticator, 1, "com.example.authenticate");
    let channel = Channel { address: Some([127, 0, 0, 1].into()), ..Channel::default() };
    let peer = w.open_transport(Transport { channel, ..Transport::default() });
    w.say(peer, hello("realm1", json!({ "authmethods": ["ticket"], "authid": "joe" })));
    w.hear(peer);
    w.say(peer, json!([5, "guess", {}]));
    w.expect(authenticator, json!([68, 1, "*", {}, "*"]));
    w.say(authenticator, json!([8, 68, 1, {}, "com.example.wrong_ticket", ["no"]]));
    w.expect_abort(peer, "com.example.wrong_ticket");
    // It is not asked again.
    assert_eq!(try_from(&mut w, "127.0.0.1", "joe", "x")[2], "wamp.error.authentication_denied");
    w.expect_nothing(authenticator);
}
