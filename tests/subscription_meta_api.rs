//! The subscription meta API: what is subscribed to, by whom, since when, and who must not be any more.
//! [wamp: advanced/meta_api_subscriptions, advanced/pubsub_subscription_revocation]

mod common;

use common::{Peer, Wamp, event_args, named, result_of};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::RealmConfig;

const EVENTS: [&str; 4] = ["on_create", "on_subscribe", "on_unsubscribe", "on_delete"];

/// Joins as an observer of all four events; answers the subscription id of the first, which the others follow.
fn observe(w: &mut Wamp) -> (Peer, u64) {
    let [observer] = w.join("realm1");
    let ids: Vec<u64> = (1..)
        .zip(EVENTS)
        .map(|(request, event)| w.subscribe(observer, request, &format!("wamp.subscription.{event}")))
        .collect();
    (observer, ids[0])
}

/// The events that wait for an observer whose first subscription is `first`: name and args.
fn news(w: &mut Wamp, observer: Peer, first: u64) -> Vec<(&'static str, Value)> {
    let name = |event: &Value| EVENTS[(event[1].as_u64().expect("a subscription") - first) as usize];
    w.hear_all(observer).into_iter().map(|event| (name(&event), event[4].clone())).collect()
}

/// Joins with a subscriber that understands a revocation.
fn join_revocable(w: &mut Wamp) -> Peer {
    let peer = w.open();
    let subscriber = json!({ "features": { "subscription_revocation": true } });
    w.hello(peer, "realm1", json!({ "subscriber": subscriber, "publisher": {}, "caller": {} }))
}

#[test]
fn a_subscription_is_created_joined_left_and_deleted_in_this_order() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice, bob] = w.join("realm1");
    w.advance_ms(1_234);
    let id = w.subscribe_with(alice, 1, json!({ "match": "prefix" }), "com.myapp.");
    let details =
        json!({ "id": id, "created": "2023-11-14T22:13:21.234Z", "uri": "com.myapp.", "match": "prefix" });
    let created = ("on_create", json!([alice.session, details]));
    assert_eq!(news(&mut w, observer, first), [created, ("on_subscribe", json!([alice.session, id]))]);
    w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com.myapp.");
    assert_eq!(news(&mut w, observer, first), [("on_subscribe", json!([bob.session, id]))]);
    w.say(alice, json!([34, 2, id]));
    w.expect(alice, json!([35, 2]));
    assert_eq!(news(&mut w, observer, first), [("on_unsubscribe", json!([alice.session, id]))]);
    w.say(bob, json!([34, 2, id]));
    w.expect(bob, json!([35, 2]));
    assert_eq!(
        news(&mut w, observer, first),
        [("on_unsubscribe", json!([bob.session, id])), ("on_delete", json!([bob.session, id]))]
    );
}

#[test]
fn subscribing_twice_or_in_vain_is_no_news() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice] = w.join("realm1");
    let id = w.subscribe(alice, 1, "com.myapp.topic1");
    news(&mut w, observer, first);
    assert_eq!(w.subscribe(alice, 2, "com.myapp.topic1"), id);
    w.say(alice, json!([32, 3, {}, "not a uri"]));
    w.expect_error(alice, 32, 3, "wamp.error.invalid_uri");
    w.say(alice, json!([34, 4, 777]));
    w.expect_error(alice, 34, 4, "wamp.error.no_such_subscription");
    w.expect_silence();
}

#[test]
fn the_answer_comes_before_the_news() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    w.say(observer, json!([32, 5, {}, "com.myapp.topic1"]));
    let id = w.expect(observer, json!([33, 5, "*"]))[2].clone();
    w.expect(observer, json!([36, first, "*", {}, [observer.session, "*"]]));
    w.expect(observer, json!([36, first + 1, "*", {}, [observer.session, id]]));
    w.say(observer, json!([34, 6, id]));
    w.expect(observer, json!([35, 6]));
    w.expect(observer, json!([36, first + 2, "*", {}, [observer.session, id]]));
    w.expect(observer, json!([36, first + 3, "*", {}, [observer.session, id]]));
    w.expect_silence();
}

#[test]
fn a_subscription_to_everything_hears_of_itself_after_subscribed_and_not_after_unsubscribed() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.say(alice, json!([32, 1, { "match": "prefix" }, ""]));
    let id = w.expect(alice, json!([33, 1, "*"]))[2].clone();
    let topic = |name: &str| json!({ "topic": format!("wamp.subscription.{name}") });
    w.expect(alice, json!([36, id, "*", topic("on_create"), [alice.session, "*"]]));
    w.expect(alice, json!([36, id, "*", topic("on_subscribe"), [alice.session, id]]));
    w.say(alice, json!([34, 2, id]));
    w.expect(alice, json!([35, 2]));
    w.expect_silence();
}

#[test]
fn subscriptions_to_the_routers_own_topics_are_no_news() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice] = w.join("realm1");
    let id = w.subscribe(alice, 1, "wamp.session.on_join");
    w.subscribe_with(alice, 2, json!({ "match": "prefix" }), "wamp");
    w.hear_all(alice);
    w.say(alice, json!([34, 3, id]));
    w.expect(alice, json!([35, 3]));
    w.lose(alice);
    assert_eq!(news(&mut w, observer, first), []);
}

#[test]
fn a_session_that_leaves_unsubscribes_under_its_own_id() {
    for way in ["goodbye", "loss", "kill", "violation"] {
        let mut w = Wamp::new();
        let (observer, first) = observe(&mut w);
        let [alice, bob] = w.join("realm1");
        let shared = w.subscribe(alice, 1, "com.myapp.topic1");
        let own = w.subscribe_with(bob, 1, json!({ "match": "wildcard" }), "com..own");
        w.subscribe(bob, 2, "com.myapp.topic1");
        w.subscribe(bob, 3, "wamp.subscription.on_delete");
        w.hear_all(bob);
        news(&mut w, observer, first);
        match way {
            "goodbye" => w.say(bob, json!([6, {}, "wamp.close.close_realm"])),
            "loss" => w.lose(bob),
            "kill" => w.say(alice, json!([48, 2, {}, "wamp.session.kill", [bob.session]])),
            _ => w.say(bob, json!([99])),
        }
        assert_eq!(
            news(&mut w, observer, first),
            [
                ("on_unsubscribe", json!([bob.session, shared])),
                ("on_unsubscribe", json!([bob.session, own])),
                ("on_delete", json!([bob.session, own])),
            ],
            "{way}"
        );
        assert!(w.hear_all(bob).iter().all(|message| message[0] != 36), "{way}: nothing for who has left");
    }
}

#[test]
fn news_stay_in_their_realm() {
    let mut w = Wamp::new();
    let (_observer, _) = observe(&mut w);
    let [stranger] = w.join("realm2");
    w.subscribe(stranger, 1, "com.myapp.topic1");
    w.lose(stranger);
    w.expect_silence();
}

#[test]
fn list_sorts_ids_by_match_policy() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let empty = json!([{ "exact": [], "prefix": [], "wildcard": [] }]);
    assert_eq!(result_of(&mut w, alice, 1, "wamp.subscription.list", json!([])), empty);
    let exact = w.subscribe(alice, 2, "com.myapp.topic1");
    let prefix = w.subscribe_with(alice, 3, json!({ "match": "prefix" }), "com.myapp");
    let wildcard = w.subscribe_with(bob, 1, json!({ "match": "wildcard" }), "com..topic1");
    let other = w.subscribe(bob, 2, "com.myapp.topic2");
    w.subscribe(bob, 3, "com.myapp.topic1");
    let all = json!([{ "exact": [exact, other], "prefix": [prefix], "wildcard": [wildcard] }]);
    assert_eq!(result_of(&mut w, alice, 4, "wamp.subscription.list", json!([])), all);
    assert_eq!(result_of(&mut w, alice, 5, "wamp.subscription.list", json!([null])), all);
    assert_eq!(
        result_of(&mut w, alice, 6, "wamp.subscription.list", json!([alice.session])),
        json!([{ "exact": [exact], "prefix": [prefix], "wildcard": [] }])
    );
    w.say(alice, json!([48, 7, {}, "wamp.subscription.list", [777]]));
    w.expect_error(alice, 48, 7, "wamp.error.no_such_session");
}

#[test]
fn lookup_finds_exactly_this_pattern() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let exact = w.subscribe(alice, 1, "com.myapp.topic1");
    let prefix = w.subscribe_with(alice, 2, json!({ "match": "prefix" }), "com.myapp");
    let mut request = 2;
    for (args, found) in [
        (json!(["com.myapp.topic1"]), json!([exact])),
        (json!(["com.myapp.topic1", {}]), json!([exact])),
        (json!(["com.myapp.topic1", { "match": "prefix" }]), json!([null])),
        (json!(["com.myapp", { "match": "prefix" }]), json!([prefix])),
        (json!(["com.myapp", { "match": null }]), json!([null])),
    ] {
        request += 1;
        assert_eq!(
            result_of(&mut w, alice, request, "wamp.subscription.lookup", args.clone()),
            found,
            "{args}"
        );
    }
    for args in [json!([]), json!([7]), json!(["a", 7]), json!(["a", { "match": "fuzzy" }])] {
        request += 1;
        w.say(alice, json!([48, request, {}, "wamp.subscription.lookup", args]));
        w.expect_error(alice, 48, request, "wamp.error.invalid_argument");
    }
}

#[test]
fn match_finds_all_that_would_get_an_event() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    assert_eq!(
        result_of(&mut w, alice, 1, "wamp.subscription.match", json!(["com.myapp.topic1"])),
        json!([null])
    );
    let exact = w.subscribe(alice, 2, "com.myapp.topic1");
    let prefix = w.subscribe_with(alice, 3, json!({ "match": "prefix" }), "com.myapp");
    let wildcard = w.subscribe_with(alice, 4, json!({ "match": "wildcard" }), "com..topic1");
    w.subscribe(alice, 5, "com.myapp.topic2");
    assert_eq!(
        result_of(&mut w, alice, 6, "wamp.subscription.match", json!(["com.myapp.topic1"])),
        json!([[exact, prefix, wildcard]])
    );
}

#[test]
fn get_list_and_count_tell_of_one_subscription() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let id = w.subscribe(alice, 1, "com.myapp.topic1");
    w.advance_ms(5_000);
    w.subscribe(bob, 1, "com.myapp.topic1");
    assert_eq!(
        result_of(&mut w, bob, 2, "wamp.subscription.get", json!([id])),
        json!([{
            "id": id,
            "created": "2023-11-14T22:13:20.000Z",
            "uri": "com.myapp.topic1",
            "match": "exact",
        }])
    );
    let subscribers = json!([[alice.session, bob.session]]);
    assert_eq!(result_of(&mut w, bob, 3, "wamp.subscription.list_subscribers", json!([id])), subscribers);
    assert_eq!(result_of(&mut w, bob, 4, "wamp.subscription.count_subscribers", json!([id])), json!([2]));
    // JavaScript's encoders write integers as floats.
    let float = json!(id as f64);
    assert_eq!(result_of(&mut w, bob, 5, "wamp.subscription.count_subscribers", json!([float])), json!([2]));
    let mut request = 5;
    for procedure in ["get", "list_subscribers", "count_subscribers", "remove_subscriber"] {
        let procedure = format!("wamp.subscription.{procedure}");
        for (args, error) in [
            (json!([777, alice.session]), "wamp.error.no_such_subscription"),
            (json!([]), "wamp.error.invalid_argument"),
            (json!(["one"]), "wamp.error.invalid_argument"),
        ] {
            request += 1;
            w.say(bob, json!([48, request, {}, procedure, args]));
            w.expect_error(bob, 48, request, error);
        }
    }
}

#[test]
fn a_removed_subscriber_that_understands_it_is_told_so_and_gets_no_more_events() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice] = w.join("realm1");
    let bob = join_revocable(&mut w);
    let id = w.subscribe(bob, 1, "com.myapp.topic1");
    news(&mut w, observer, first);
    let args = json!([id, bob.session]);
    w.say(
        alice,
        json!([48, 1, {}, "wamp.subscription.remove_subscriber", args, { "reason": "com.myapp.unwelcome" }]),
    );
    w.expect(alice, json!([50, 1, {}]));
    w.expect(bob, json!([35, 0, { "subscription": id, "reason": "com.myapp.unwelcome" }]));
    assert_eq!(
        news(&mut w, observer, first),
        [("on_unsubscribe", json!([bob.session, id])), ("on_delete", json!([bob.session, id]))]
    );
    w.publish(alice, 2, "com.myapp.topic1");
    w.expect_silence();
    // An UNSUBSCRIBE that crossed it has its answer.
    w.say(bob, json!([34, 2, id]));
    w.expect_error(bob, 34, 2, "wamp.error.no_such_subscription");
    assert_ne!(w.subscribe(bob, 3, "com.myapp.topic1"), id);
}

#[test]
fn a_removed_subscriber_that_does_not_understand_it_is_told_nothing() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let id = w.subscribe(alice, 1, "com.myapp.topic1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.say(alice, json!([48, 2, {}, "wamp.subscription.remove_subscriber", [id, bob.session]]));
    w.expect(alice, json!([50, 2, {}]));
    w.say(bob, json!([16, 2, { "exclude_me": false }, "com.myapp.topic1"]));
    w.expect(alice, json!([36, id, "*", {}]));
    w.expect_silence();
    // Who is no subscriber, and who is not there, cannot be removed.
    for (request, session) in [(3, bob.session), (4, 777)] {
        w.say(alice, json!([48, request, {}, "wamp.subscription.remove_subscriber", [id, session]]));
        w.expect_error(alice, 48, request, "wamp.error.no_such_session");
    }
    // Clients close the connection where they are told a reason that is no URI.
    for (request, reason) in [(5, json!(7)), (6, json!("no uri"))] {
        let kwargs = json!({ "reason": reason });
        w.say(
            alice,
            json!([48, request, {}, "wamp.subscription.remove_subscriber", [id, alice.session], kwargs]),
        );
        w.expect_error(alice, 48, request, "wamp.error.invalid_uri");
    }
    assert_eq!(result_of(&mut w, alice, 7, "wamp.subscription.count_subscribers", json!([id])), json!([1]));
}

#[test]
fn who_removes_itself_is_answered_first() {
    let mut w = Wamp::new();
    let alice = join_revocable(&mut w);
    let id = w.subscribe(alice, 1, "com.myapp.topic1");
    let left = w.subscribe(alice, 2, "wamp.subscription.on_unsubscribe");
    w.say(alice, json!([48, 3, {}, "wamp.subscription.remove_subscriber", [id, alice.session]]));
    w.expect(alice, json!([50, 3, {}]));
    w.expect(alice, json!([35, 0, { "subscription": id }]));
    assert_eq!(event_args(&mut w, alice, left), json!([alice.session, id]));
    w.expect_silence();
}

#[test]
fn every_serializer_is_answered() {
    let mut w = Wamp::new();
    for peer in Serializer::ALL.map(|serializer| w.join_with("realm1", serializer)) {
        let id = w.subscribe(peer, 1, "com.myapp.topic1");
        let details = result_of(&mut w, peer, 2, "wamp.subscription.get", json!([id]));
        assert_eq!(details[0]["uri"], "com.myapp.topic1");
    }
}

#[test]
fn a_realm_may_do_without_the_meta_api() {
    let realm = RealmConfig { has_meta_api: false, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm]));
    let (_observer, _) = observe(&mut w);
    let peer = w.open();
    let (alice, welcome) = w.hello_with(peer, "realm1", json!({ "roles": common::all_roles() }));
    for role in ["broker", "dealer"] {
        let features = welcome["roles"][role]["features"].as_object().expect("features");
        assert!(!features.keys().any(|feature| feature.ends_with("_meta_api")), "{features:?}");
    }
    w.subscribe(alice, 1, "com.myapp.topic1");
    for (request, procedure) in (2..).zip(["session.count", "subscription.list", "session.flush_testaments"])
    {
        w.call(alice, request, &format!("wamp.{procedure}"));
        w.expect_error(alice, 48, request, "wamp.error.no_such_procedure");
    }
    w.lose(alice);
    w.expect_silence();
}
