//! A new configuration for a router that runs: who stays, who goes, and what is allowed from then on.

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::json;
use wamplet::auth::authorizer::{Allow, Authorizer, Permission, Role};
use wamplet::auth::{Ask, Failure};
use wamplet::config::{Config, Limits, OnLeave, RealmConfig, Stats};
use wamplet::id::Ticket;
use wamplet::payload::Values;
use wamplet::router::{Identity, TRUSTED, Transport};
use wamplet::uri::MatchPolicy;

/// A role that may only do this, with any URI.
fn role(name: &str, allow: Allow) -> Role {
    let match_policy = MatchPolicy::Prefix;
    Role::new(
        name,
        vec![Permission {
            uri: String::new(),
            match_policy,
            allow,
            disclose: Default::default(),
            trustlevel: None,
        }],
    )
}

fn realm(name: &str, roles: Vec<Role>) -> RealmConfig {
    RealmConfig { roles, ..RealmConfig::open(name) }
}

fn with_stats(stats: Option<Stats>) -> Config {
    named([RealmConfig { stats, ..RealmConfig::open("realm1") }])
}

/// Joins as this role, which the driver gives.
fn join_as(w: &mut Wamp, realm: &str, authrole: &str) -> Peer {
    let identity = Identity {
        realm: Some(realm.into()),
        authid: None,
        authrole: authrole.into(),
        authmethod: "internal".into(),
        authprovider: "component".into(),
        authextra: None,
    };
    let peer = w.open_transport(Transport { identity: Some(identity), ..Transport::default() });
    w.hello(peer, realm, all_roles())
}

#[test]
fn new_permissions_hold_from_the_next_message_on() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let [alice] = w.join("realm1");
    w.subscribe(alice, 1, "com.myapp.topic1");
    let may_call = Allow { call: true, ..Allow::default() };
    // At another position than before.
    w.reload(named([realm("realm1", vec![Role::allow_all("admin"), role("anonymous", may_call)])]));
    w.expect_silence();
    w.say(alice, json!([32, 2, {}, "com.myapp.topic2"]));
    w.expect_error(alice, 32, 2, "wamp.error.not_authorized");
    w.call(alice, 3, "wamp.session.count");
    w.expect(alice, json!([50, 3, {}, [1]]));
    w.reload(named([RealmConfig::open("realm1")]));
    w.subscribe(alice, 4, "com.myapp.topic2");
}

#[test]
fn what_a_session_has_stays_though_its_role_could_not_have_it_now() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let [alice, bob] = w.join("realm1");
    let subscription = w.subscribe(bob, 1, "com.myapp.topic1");
    w.register(bob, 2, "com.myapp.add");
    w.call(alice, 1, "com.myapp.add");
    w.hear(bob);
    let may_publish = Allow { publish: true, call: true, ..Allow::default() };
    w.reload(named([realm("realm1", vec![role("anonymous", may_publish)])]));
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect(bob, json!([36, subscription, "*", {}]));
    w.say(bob, json!([70, 1, {}, [7]]));
    w.expect(alice, json!([50, 1, {}, [7]]));
    w.call(alice, 3, "com.myapp.add");
    w.expect(bob, json!([68, 2, "*", {}]));
}

#[test]
fn a_session_whose_role_is_gone_is_sent_away_and_the_others_hear_of_it() {
    let both = vec![Role::allow_all("anonymous"), Role::allow_all("backend")];
    let mut w = Wamp::with_config(named([realm("realm1", both)]));
    let [watcher] = w.join("realm1");
    let subscription = w.subscribe(watcher, 1, "wamp.session.on_leave");
    let backend = join_as(&mut w, "realm1", "backend");
    let trusted = join_as(&mut w, "realm1", TRUSTED);
    w.register(backend, 1, "com.myapp.slow");
    w.call(watcher, 2, "com.myapp.slow");
    w.hear(backend);

    w.reload(named([RealmConfig::open("realm1")]));
    w.expect(backend, json!([6, { "message": "*" }, "wamp.close.killed"]));
    w.expect_error(watcher, 48, 2, "wamp.error.canceled");
    w.expect(watcher, json!([36, subscription, "*", {}, [backend.session]]));
    w.subscribe(trusted, 1, "com.myapp.topic1");
    w.call(watcher, 3, "wamp.session.count");
    w.expect(watcher, json!([50, 3, {}, [2]]));
    w.expect_silence();
}

#[test]
fn a_realm_that_is_gone_is_closed_and_a_new_one_is_served() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1"), RealmConfig::open("realm2")]));
    let [alice] = w.join("realm1");
    let [bob, carol] = w.join("realm2");
    w.subscribe(carol, 1, "wamp.session.on_leave");
    w.register(carol, 2, "com.myapp.slow");
    w.say(bob, json!([48, 1, { "timeout": 1_000 }, "com.myapp.slow"]));
    w.hear(carol);

    w.reload(named([RealmConfig::open("realm3"), RealmConfig::open("realm1")]));
    for peer in [bob, carol] {
        w.say(peer, json!([16, 2, {}, "com.myapp.topic1"]));
        let heard = w.hear_all(peer);
        let goodbye = heard.iter().find(|message| message[0] == 6).expect("a GOODBYE");
        assert_eq!(goodbye[2], "wamp.close.close_realm");
        assert!(heard.iter().all(|message| message[0] != 36), "no news of leaving: {heard:?}");
        w.say(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
    }
    let late = w.open();
    w.say(late, json!([1, "realm2", { "roles": all_roles() }]));
    w.expect_abort(late, "wamp.error.no_such_realm");
    let _: [Peer; 1] = w.join("realm3");
    w.call(alice, 1, "wamp.session.count");
    w.expect(alice, json!([50, 1, {}, [1]]));
    w.advance_ms(60_000);
    w.expect_silence();
}

#[test]
fn a_reload_is_not_noticed_by_those_whose_realm_is_the_same() {
    let config = || named([RealmConfig::open("realm1"), RealmConfig::open("realm2")]);
    let mut w = Wamp::with_config(config());
    let mut bystanders = common::Bystanders::join(&mut w, "realm1");
    for _ in 0..3 {
        w.reload(config());
        bystanders.expect_undisturbed(&mut w);
    }
    w.expect_silence();
}

#[test]
fn options_and_limits_are_those_of_the_new_configuration() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let [alice, bob] = w.join("realm1");
    let subscription = w.subscribe(alice, 1, "wamp.session.on_leave");
    let on_leave = OnLeave::SessionAuthidAuthrole;
    let limits = Limits { subscriptions: 1, ..Limits::default() };
    w.reload(Config { limits, ..named([RealmConfig { on_leave, ..RealmConfig::open("realm1") }]) });
    w.say(alice, json!([32, 2, {}, "com.myapp.topic1"]));
    w.expect_error(alice, 32, 2, "wamplet.error.limit_exceeded");
    w.lose(bob);
    w.expect(alice, json!([36, subscription, "*", {}, [bob.session, "*", "anonymous"]]));
}

#[test]
fn realms_that_came_by_themselves_stay_as_long_as_any_realm_will_do() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let [bob] = w.join("realm2");
    w.reload(Config::default());
    w.expect_silence();
    // Named from now on: the other one is gone.
    w.reload(named([RealmConfig::open("realm1")]));
    w.expect(bob, json!([6, { "message": "*" }, "wamp.close.close_realm"]));
    w.subscribe(alice, 1, "com.myapp.topic1");
    w.expect_silence();
}

#[test]
fn where_any_realm_will_do_now_named_realms_go_with_their_last_session() {
    let roles = vec![Role::allow_all("anonymous"), Role::allow_all("backend")];
    let mut w = Wamp::with_config(named([realm("realm1", roles), RealmConfig::open("realm2")]));
    let [alice] = w.join("realm1");
    let backend = join_as(&mut w, "realm1", "backend");
    w.reload(Config::default());
    w.expect(backend, json!([6, { "message": "*" }, "wamp.close.killed"]));
    let realms = |w: &Wamp| w.router.inspect()["realms"].as_array().map(Vec::len);
    assert_eq!(realms(&w), Some(1));
    w.subscribe(alice, 1, "com.myapp.topic1");
    w.lose(alice);
    assert_eq!(realms(&w), Some(0));
}

#[test]
fn statistics_can_be_switched_on_changed_and_off() {
    let mut w = Wamp::with_config(with_stats(None));
    let [monitor, alice] = w.join("realm1");
    let subscription = w.subscribe(monitor, 1, "wamp.session.on_stats");
    w.take_lengths(alice);

    w.reload(with_stats(Some(Stats { trigger_after_rated_messages: 100, ..Stats::default() })));
    w.expect_silence();
    w.advance_ms(5);
    w.publish(alice, 1, "com.myapp.topic1");
    w.publish(alice, 2, "com.myapp.topic1");
    let lengths = w.take_lengths(alice);
    w.expect_silence();

    // It has sent enough for this one already.
    w.reload(with_stats(Some(Stats {
        trigger_after_rated_messages: 2,
        trigger_after_duration: 60,
        ..Stats::default()
    })));
    let event = w.expect(monitor, json!([36, subscription, "*", {}, ["*", "*"]]));
    let stats = &event[4][1];
    assert_eq!((&stats["first"], &stats["messages"]), (&json!(true), &json!(2)), "{stats}");
    assert_eq!(stats["bytes"], lengths.iter().sum::<usize>());
    assert_eq!(stats["duration"], 5_000_000);
    w.advance_ms(60_000);
    assert_eq!(w.hear_all(monitor).len(), 2, "one for each session");

    w.reload(with_stats(None));
    assert_eq!(w.router.next_timeout(), None);
    w.lose(alice);
    w.expect_silence();
}

/// A realm where this function decides what anonymous sessions may do.
fn asking(function: &str) -> Config {
    let ask = Ask::Function(function.into());
    named([realm("realm1", vec![Role::dynamic("anonymous", Authorizer::new(ask))])])
}

/// The one function that is asked, and its ticket.
fn asked(w: &mut Wamp) -> (String, Ticket) {
    let mut questions = w.take_questions();
    let question = questions.pop().expect("somebody is asked");
    assert_eq!(questions, []);
    (question.function, question.ticket)
}

fn allow() -> Result<Values, Failure> {
    Ok(Values::args([json!(true)]))
}

#[test]
fn what_waits_for_an_authorizer_is_asked_of_the_new_one() {
    let mut w = Wamp::with_config(asking("old"));
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, {}, "com.one"]));
    w.say(alice, json!([32, 2, {}, "com.two"]));
    let (_, old) = asked(&mut w);
    w.reload(asking("new"));
    w.answer(old, allow());
    w.expect_silence();
    for request in 1..=2 {
        let (function, ticket) = asked(&mut w);
        assert_eq!(function, "new");
        w.answer(ticket, allow());
        w.expect(alice, json!([33, request, "*"]));
    }
    w.expect_silence();
}

#[test]
fn what_waits_for_an_authorizer_is_decided_by_the_permissions_that_replace_it() {
    let mut w = Wamp::with_config(asking("old"));
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, {}, "com.one"]));
    w.say(alice, json!([16, 2, { "acknowledge": true }, "com.two"]));
    let (_, old) = asked(&mut w);
    let may_publish = Allow { publish: true, ..Allow::default() };
    w.reload(named([realm("realm1", vec![role("anonymous", may_publish)])]));
    w.expect_error(alice, 32, 1, "wamp.error.not_authorized");
    w.expect(alice, json!([17, 2, "*"]));
    w.answer(old, allow());
    w.say(alice, json!([16, 3, { "acknowledge": true }, "com.three"]));
    w.expect(alice, json!([17, 3, "*"]));
    assert_eq!(w.take_questions(), []);
    assert_eq!(w.router.next_timeout(), None);
    // And back again.
    w.reload(asking("new"));
    w.say(alice, json!([32, 4, {}, "com.one"]));
    let (_, new) = asked(&mut w);
    w.answer(new, allow());
    w.expect(alice, json!([33, 4, "*"]));
    w.expect_silence();
}

#[test]
fn who_loses_role_or_realm_gives_up_what_waits_for_its_authorizer() {
    let without_role = || named([realm("realm1", vec![Role::allow_all("backend")])]);
    for (config, reason) in [
        (without_role(), "wamp.close.killed"),
        (named([RealmConfig::open("realm2")]), "wamp.close.close_realm"),
    ] {
        let mut w = Wamp::with_config(asking("old"));
        let [alice] = w.join("realm1");
        w.say(alice, json!([32, 1, {}, "com.one"]));
        let (_, old) = asked(&mut w);
        w.reload(config);
        w.expect(alice, json!([6, { "message": "*" }, reason]));
        w.answer(old, allow());
        w.say(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
        w.expect_silence();
        assert_eq!(w.router.next_timeout(), None);
    }
}

#[test]
fn what_authorizers_have_decided_is_forgotten() {
    let mut w = Wamp::with_config(asking("decide"));
    let [alice] = w.join("realm1");
    let remember = || Ok(Values::args([json!({ "allow": true, "cache": true })]));
    w.publish(alice, 1, "com.one");
    let (_, ticket) = asked(&mut w);
    w.answer(ticket, remember());
    w.publish(alice, 2, "com.one");
    assert_eq!(w.take_questions(), []);
    w.reload(asking("decide"));
    w.publish(alice, 3, "com.one");
    asked(&mut w);
}

#[test]
fn those_who_have_not_said_hello_yet_join_by_the_new_configuration() {
    let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
    let peer = w.open();
    w.reload(named([RealmConfig::open("realm2")]));
    w.hello(peer, "realm2", all_roles());
}
