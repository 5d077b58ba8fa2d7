//! Testaments of those about whom an authorizer decides: it is asked when they are added, not when they are published.

use serde_json::json;
use wamplet::auth::authorizer::Role;
use wamplet::config::RealmConfig;

use crate::common::named;
use crate::guarded::{Guarded, realm};

#[test]
fn a_testament_is_asked_about_when_it_is_added_and_published_as_was_decided() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    let topic = g.w.subscribe(bob, 1, "com.gone");
    let options = json!({ "publish_options": { "exclude": [7] } });
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone", ["alice"], {}], options]));
    // Behind it, in order.
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.secret"]]));
    g.w.call(alice, 3, "wamp.session.count");
    g.decided(ADD, "call", json!(true));
    g.expect_asked(json!(["*", "com.gone", "publish", { "exclude": [7] }]));
    g.w.expect_silence();
    g.decide(json!({ "allow": true, "disclose": true }));
    let publication = g.w.expect(alice, json!([50, 1, {}, ["*"]]))[3][0].clone();
    g.decided(ADD, "call", json!(true));
    g.decided("com.secret", "publish", json!(false));
    g.w.expect_error(alice, 48, 2, "wamp.error.not_authorized");
    g.decided("wamp.session.count", "call", json!(true));
    g.w.hear(alice);
    // Nobody is asked about who is gone.
    g.w.lose(alice);
    let who =
        json!({ "publisher": alice.session, "publisher_authid": "*", "publisher_authrole": "anonymous" });
    g.w.expect(bob, json!([36, topic, publication, who, ["alice"]]));
    g.w.expect_silence();
}

#[test]
fn who_may_not_add_testaments_is_not_asked_about_their_topics() {
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    g.w.say(alice, json!([48, 1, {}, "wamp.session.add_testament", ["com.gone"]]));
    g.decided("wamp.session.add_testament", "call", json!(false));
    g.w.expect_error(alice, 48, 1, "wamp.error.not_authorized");
    // Nor is anybody asked about what is refused in any case.
    for (request, topic) in [(2, json!("com..gone")), (3, json!("wamp.gone")), (4, json!(7))] {
        g.w.say(alice, json!([48, request, {}, "wamp.session.add_testament", [topic]]));
        g.decided("wamp.session.add_testament", "call", json!(true));
        assert_eq!(g.w.hear(alice)[0], 8, "{topic}");
    }
    g.w.lose(alice);
    g.w.expect_silence();
}

#[test]
fn what_is_remembered_holds_for_testaments_and_a_failure_refuses_them() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let alice = g.w.join_as("realm1", "alice", "user");
    let bob = g.w.join_as("realm1", "bob", "free");
    let topic = g.w.subscribe(bob, 1, "com.gone");
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone", [1]]]));
    g.decided(ADD, "call", json!({ "allow": true, "cache": true }));
    g.decided("com.gone", "publish", json!({ "allow": true, "cache": true }));
    g.w.hear(alice);
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.gone", [2]]]));
    g.w.expect(alice, json!([50, 2, {}, ["*"]]));
    // The call is remembered, the topic is not.
    g.w.say(alice, json!([48, 3, {}, ADD, ["com.other", [3]]]));
    g.decided("com.other", "publish", json!("rubbish"));
    g.w.expect_error(alice, 48, 3, "wamp.error.authorization_failed");
    g.w.lose(alice);
    for number in [1, 2] {
        g.w.expect(bob, json!([36, topic, "*", {}, [number]]));
    }
    g.w.expect_silence();
}

#[test]
fn a_testament_that_waits_is_decided_about_anew_by_a_new_configuration() {
    const ADD: &str = "wamp.session.add_testament";
    let mut g = Guarded::new();
    let [alice] = g.w.join("realm1");
    let bob = g.w.join_as("realm1", "bob", "free");
    g.w.subscribe(bob, 1, "com.gone");
    g.w.say(alice, json!([48, 1, {}, ADD, ["com.gone"]]));
    g.decided(ADD, "call", json!(true));
    g.expect_asked(json!(["*", "com.gone", "publish", {}]));
    g.w.reload(named([realm()]));
    g.w.expect(g.authorizer, json!([69, g.asked, { "mode": "killnowait" }]));
    g.decided(ADD, "call", json!(true));
    g.decided("com.gone", "publish", json!(true));
    g.w.expect(alice, json!([50, 1, {}, ["*"]]));
    // And what no authorizer has decided about is not published where one decides.
    let free =
        || RealmConfig { roles: vec![Role::allow_all("anonymous"), Role::allow_all("free")], ..realm() };
    g.w.reload(named([free()]));
    g.w.say(alice, json!([48, 2, {}, ADD, ["com.gone", ["late"]]]));
    g.w.expect(alice, json!([50, 2, {}, ["*"]]));
    g.w.reload(named([realm()]));
    g.w.lose(alice);
    g.w.expect(bob, json!([36, 1, "*", {}]));
    g.w.expect_silence();
}
