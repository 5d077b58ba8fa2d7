//! URIs in messages: loose and strict, and what an invalid one brings. [wamp: basic/building_blocks, URIs]

mod common;

use common::{Wamp, named};
use serde_json::{Value, json};
use wamplet::config::{Config, RealmConfig};
use wamplet::uri::UriCheck;

/// Whether each request that carries a URI takes this one; all agree.
#[track_caller]
fn is_taken(uri_check: UriCheck, uri: &str) -> bool {
    let realm = RealmConfig { uri_check, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, {}, uri]));
    w.say(alice, json!([64, 2, {}, uri]));
    w.say(alice, json!([16, 3, { "acknowledge": true }, uri]));
    w.say(alice, json!([48, 4, {}, uri]));
    let answers = w.hear_all(alice);
    let taken: Vec<bool> =
        answers.iter().map(|answer| answer[0] != 8 || answer[4] != "wamp.error.invalid_uri").collect();
    assert_eq!(taken.len(), 4, "each is answered: {answers:?}");
    assert!(taken.windows(2).all(|pair| pair[0] == pair[1]), "{uri:?}: {answers:?}");
    taken[0]
}

#[test]
fn loose_uris_have_components_without_white_space_and_hash() {
    for uri in [
        "com.myapp.topic1",
        "because",
        "com.My-App.Übung!",
        "com.myapp.日本",
        "a.b.c.d.e.f",
        "com.0",
        "com.\u{0}x",
    ] {
        assert!(is_taken(UriCheck::Loose, uri), "{uri:?}");
    }
    for uri in [
        "",
        ".",
        "com..topic1",
        ".com",
        "com.",
        "com.my app",
        "com.my#app",
        "com.my\tapp",
        "com.my\napp",
        "com.\u{a0}x",
        "#",
    ] {
        assert!(!is_taken(UriCheck::Loose, uri), "{uri:?}");
    }
}

#[test]
fn strict_uris_have_lower_case_letters_digits_and_underscores() {
    for uri in ["com.myapp.topic_1", "because", "0.9._"] {
        assert!(is_taken(UriCheck::Strict, uri), "{uri:?}");
    }
    for uri in ["", "com.MyApp", "com.my-app", "com.übung", "com..x", "com.", "com.my app", "com.my/app"] {
        assert!(!is_taken(UriCheck::Strict, uri), "{uri:?}");
    }
}

#[test]
fn patterns_follow_the_rule_of_their_realm() {
    let realm = RealmConfig { uri_check: UriCheck::Strict, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let [alice] = w.join("realm1");
    let mut request = 0;
    for (policy, uri, is_valid) in [
        ("prefix", "com.myapp.", true),
        ("prefix", "com.my-app.", false),
        ("wildcard", "com..topic_1", true),
        ("wildcard", "com..Topic", false),
    ] {
        request += 1;
        w.say(alice, json!([32, request, { "match": policy }, uri]));
        if is_valid {
            w.expect(alice, json!([33, request, "*"]));
        } else {
            w.expect_error(alice, 32, request, "wamp.error.invalid_uri");
        }
    }
}

#[test]
fn a_uri_may_be_escaped_in_json() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.übung");
    w.say_bytes(alice, br#"[16,1,{},"com.m\u0079app.\u00fcbung"]"#);
    w.expect(bob, json!([36, "*", "*", {}]));
    w.say_bytes(alice, br#"[16,2,{"acknowledge":true},"com.my\u0020app"]"#);
    w.expect_error(alice, 16, 2, "wamp.error.invalid_uri");
}

#[test]
fn a_uri_that_is_too_long_is_invalid() {
    let limits = wamplet::config::Limits { uri_length: 16, ..Default::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice] = w.join("realm1");
    w.subscribe(alice, 1, "com.myapp.topic1");
    let long = "com.myapp.topic12";
    w.say(alice, json!([32, 2, {}, long]));
    w.expect_error(alice, 32, 2, "wamp.error.invalid_uri");
    w.say(alice, json!([32, 3, { "match": "prefix" }, long]));
    w.expect_error(alice, 32, 3, "wamp.error.invalid_uri");
    w.say(alice, json!([64, 4, {}, long]));
    w.expect_error(alice, 64, 4, "wamp.error.invalid_uri");
    w.say(alice, json!([16, 5, { "acknowledge": true }, long]));
    w.expect_error(alice, 16, 5, "wamp.error.invalid_uri");
    w.say(alice, json!([48, 6, {}, long]));
    w.expect_error(alice, 48, 6, "wamp.error.invalid_uri");
    let peer = w.open();
    w.say(peer, json!([1, "a.realm.with.a.long.name", { "roles": { "caller": {} } }]));
    w.expect_abort(peer, "wamp.error.invalid_uri");
}

#[test]
fn an_error_sentence_does_not_echo_a_huge_uri() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let huge = "x".repeat(1_000_000);
    w.say(alice, json!([48, 1, {}, huge]));
    let error: Value = w.hear(alice);
    assert!(error.to_string().len() < 1_000, "{} bytes", error.to_string().len());
}
