//! Decisions that are remembered: of whom, of what, for how long, how many, and how they are purged.

use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::{Config, Limits, RealmConfig};

use crate::common::named;
use crate::guarded::{AUTHORIZE, Guarded, realm};

#[test]
fn a_decision_is_remembered_if_the_authorizer_says_so() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    let answers = [
        ("com.bool", json!(true), None),
        ("com.absent", json!({ "allow": true }), None),
        ("com.not", json!({ "allow": true, "cache": false }), None),
        ("com.yes", json!({ "allow": true, "cache": true }), Some(true)),
        ("com.no", json!({ "allow": false, "cache": true }), Some(false)),
    ];
    for (request, (topic, answer, known)) in (1..).step_by(2).zip(answers) {
        g.w.publish(alice, request, topic);
        g.decided(topic, "publish", answer);
        assert_eq!(g.known(alice, request + 1, topic), known, "{topic}");
    }
}

#[test]
fn what_is_remembered_reveals_what_it_revealed() {
    let mut g = Guarded::new();
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.subscribe(bob, 1, "com.topic");
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.decided("com.topic", "publish", json!({ "allow": true, "disclose": true, "cache": true }));
    assert_eq!(g.w.hear(bob)[3]["publisher"], alice.session);
    g.w.publish(alice, 2, "com.topic");
    assert_eq!(g.w.hear(bob)[3]["publisher"], alice.session);
    g.w.expect_silence();
}

#[test]
fn what_is_remembered_holds_for_one_principal_one_action_and_one_pattern() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.allowed_with_cache(alice, 1, "com.topic");
    // Another session of hers.
    let phone = g.w.join_as("realm1", "alice", "user");
    assert_eq!(g.known(phone, 1, "com.topic"), Some(true));
    // Somebody else, another role of hers, another topic.
    let bob = g.w.join_as("realm1", "bob", "user");
    assert_eq!(g.known(bob, 1, "com.topic"), None);
    let anonymous = g.w.join_as("realm1", "alice", "anonymous");
    assert_eq!(g.known(anonymous, 1, "com.topic"), None);
    assert_eq!(g.known(alice, 2, "com.topic2"), None);
    // Another action, and another match policy.
    g.w.say(alice, json!([32, 3, {}, "com.topic"]));
    g.decided("com.topic", "subscribe", json!({ "allow": true, "cache": true }));
    g.w.hear(alice);
    g.w.say(alice, json!([32, 4, { "match": "prefix" }, "com.topic"]));
    g.decided("com.topic", "subscribe", json!(false));
    g.w.expect_error(alice, 32, 4, "wamp.error.not_authorized");
    g.w.subscribe(alice, 5, "com.topic");
    // Names that look like parts of other names.
    let odd = g.w.join_as("realm1", "alice 4", "user");
    assert_eq!(g.known(odd, 1, "com.topic"), None);
}

#[test]
fn what_is_remembered_is_forgotten_when_its_time_is_over() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.allowed_with_cache(alice, 1, "com.topic");
    g.w.advance_ms(59_999);
    assert_eq!(g.known(alice, 2, "com.topic"), Some(true));
    g.w.advance_ms(1);
    assert_eq!(g.known(alice, 3, "com.topic"), None);
}

#[test]
fn a_lifetime_of_zero_remembers_nothing() {
    let ask = Ask::Procedure { uri: AUTHORIZE.into(), realm: None };
    let roles = vec![Role::dynamic("user", Authorizer { ask, cache_ms: 0 })];
    let mut g = Guarded::with_config(named([RealmConfig { roles, ..RealmConfig::open("realm1") }]));
    let alice = g.w.join_as("realm1", "alice", "user");
    g.allowed_with_cache(alice, 1, "com.topic");
    assert_eq!(g.known(alice, 2, "com.topic"), None);
}

#[test]
fn what_is_remembered_can_be_purged_by_authid_or_all_of_it() {
    let mut g = Guarded::new();
    let [alice, bob] = ["alice", "bob"].map(|authid| g.w.join_as("realm1", authid, "user"));
    let admin = g.w.join_as("realm1", "admin", "free");
    let remember = |g: &mut Guarded, request| {
        for peer in [alice, bob] {
            g.allowed_with_cache(peer, request, "com.topic");
        }
    };
    let purge = |g: &mut Guarded, request, args: Value| {
        g.w.say(admin, json!([48, request, {}, "wamplet.authorization.purge", args]));
        g.w.expect(admin, json!([50, request, {}, ["*"]]))[3][0].clone()
    };
    remember(&mut g, 1);
    // Nobody has that name, though another begins with it.
    assert_eq!(purge(&mut g, 1, json!(["ali"])), 0);
    assert_eq!(purge(&mut g, 2, json!(["alice"])), 1);
    assert_eq!(g.known(alice, 2, "com.topic"), None);
    assert_eq!(g.known(bob, 2, "com.topic"), Some(true));
    assert_eq!(purge(&mut g, 3, json!([])), 1);
    assert_eq!(g.known(bob, 3, "com.topic"), None);
    assert_eq!(g.known(alice, 3, "com.topic"), None);
    g.w.say(admin, json!([48, 4, {}, "wamplet.authorization.purge", [7]]));
    g.w.expect_error(admin, 48, 4, "wamp.error.invalid_argument");

    remember(&mut g, 4);
    assert_eq!(g.w.router.purge_decisions("realm1", Some("bob")), 1);
    assert_eq!(g.w.router.purge_decisions("realm1", None), 1);
    assert_eq!(g.w.router.purge_decisions("realm2", None), 0);
    assert_eq!(g.known(alice, 5, "com.topic"), None);
}

#[test]
fn a_decision_that_was_asked_for_before_a_purge_is_not_remembered_after_it() {
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    g.w.publish(alice, 1, "com.topic");
    g.expect_asked(json!("*"));
    g.w.router.purge_decisions("realm1", None);
    g.decide(json!({ "allow": true, "cache": true }));
    assert_eq!(g.known(alice, 2, "com.topic"), None);
}

#[test]
fn nobody_registers_the_purge() {
    let mut g = Guarded::new();
    let free = g.w.join_as("realm1", "free", "free");
    g.w.say(free, json!([64, 1, {}, "wamplet.authorization.purge"]));
    g.w.expect_error(free, 64, 1, "wamp.error.invalid_uri");
}

#[test]
fn the_cache_is_bounded() {
    let limits = Limits { authorization_cache: 3, ..Limits::default() };
    let mut g = Guarded::with_config(Config { limits, ..named([realm()]) });
    let alice = g.w.join_as("realm1", "alice", "user");
    for request in 1..=4 {
        let topic = format!("com.topic{request}");
        g.allowed_with_cache(alice, request, &topic);
    }
    assert_eq!(g.w.router.purge_decisions("realm1", None), 1);
}
