//! Testaments: what a session has the router publish when it has ended. [wamp: advanced/pubsub_testament]

mod common;

use common::{Peer, Wamp, event_args, named, result_of};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, RealmConfig};

const ADD: &str = "wamp.session.add_testament";
const FLUSH: &str = "wamp.session.flush_testaments";

/// A peer adds a testament with these arguments; answers the publication id.
#[track_caller]
fn add(w: &mut Wamp, peer: Peer, request: u64, args: Value, kwargs: Value) -> u64 {
    w.say(peer, json!([48, request, {}, ADD, args, kwargs]));
    w.expect(peer, json!([50, request, {}, ["*"]]))[3][0].as_u64().expect("a publication id")
}

#[test]
fn a_testament_is_published_however_the_session_ends() {
    for way in ["goodbye", "loss", "kill", "violation"] {
        let mut w = Wamp::new();
        let [alice, bob] = w.join("realm1");
        let topic = w.subscribe(bob, 1, "com.myapp.gone");
        let args = json!(["com.myapp.gone", ["alice", 7], { "why": null }]);
        let publication = add(&mut w, alice, 1, args, json!({}));
        w.expect_silence();
        match way {
            "goodbye" => w.say(alice, json!([6, {}, "wamp.close.close_realm"])),
            "loss" => w.lose(alice),
            "kill" => {
                w.say(bob, json!([48, 2, {}, "wamp.session.kill", [alice.session]]));
                w.expect(bob, json!([50, 2, {}]));
            }
            _ => w.say(alice, json!([99])),
        }
        w.expect(bob, json!([36, topic, publication, {}, ["alice", 7], { "why": null }]));
        w.expect_nothing(bob);
        // And only once.
        w.lose(alice);
        w.expect_nothing(bob);
    }
}

#[test]
fn the_sessions_of_a_testament_may_be_named_by_integral_floats() {
    for serializer in [Serializer::MsgPack, Serializer::Cbor] {
        let mut w = Wamp::new();
        let alice = w.join_with("realm1", serializer);
        let [bob, carol] = w.join("realm1");
        let topic = w.subscribe(bob, 1, "com.myapp.gone");
        w.subscribe(carol, 1, "com.myapp.gone");
        // As clients in JavaScript write what is above 2^32.
        let options =
            json!({ "exclude": [carol.session as f64], "eligible": [bob.session as f64, carol.session] });
        add(&mut w, alice, 1, json!(["com.myapp.gone", ["alice"], {}, options]), json!({}));
        w.lose(alice);
        assert_eq!(event_args(&mut w, bob, topic), json!(["alice"]));
        w.expect_silence();
    }
}

#[test]
fn a_testament_may_be_retained_for_an_integral_float_of_milliseconds() {
    for serializer in [Serializer::MsgPack, Serializer::Cbor] {
        let mut w = Wamp::new();
        let alice = w.join_with("realm1", serializer);
        let [bob] = w.join("realm1");
        let options = json!({ "retain": true, "x_retain_ms": 6e9 });
        let id = add(&mut w, alice, 1, json!(["com.myapp.gone", ["alice"], {}, options]), json!({}));
        w.lose(alice);
        let topic = w.subscribe_with(bob, 1, json!({ "get_retained": true }), "com.myapp.gone");
        w.expect(bob, json!([36, topic, id, { "retained": true }, ["alice"]]));
    }
}

#[test]
fn detached_testaments_come_before_destroyed_ones_each_in_the_order_of_adding() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let topic = w.subscribe(bob, 1, "com.myapp.gone");
    let scopes = [json!({}), json!({ "scope": "detached" }), json!({ "scope": "destroyed" })];
    for number in 1..=6 {
        let scope = scopes[number as usize % 3].clone();
        add(&mut w, alice, number, json!(["com.myapp.gone", [number], {}]), scope);
    }
    w.lose(alice);
    for number in [1, 4, 2, 3, 5, 6] {
        assert_eq!(event_args(&mut w, bob, topic), json!([number]));
    }
    w.expect_silence();
}

#[test]
fn flushing_takes_away_one_scope_and_says_how_many() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let topic = w.subscribe(bob, 1, "com.myapp.gone");
    for (request, scope) in (1..).zip(["destroyed", "detached", "destroyed"]) {
        add(&mut w, alice, request, json!(["com.myapp.gone", [scope], {}]), json!({ "scope": scope }));
    }
    assert_eq!(result_of(&mut w, alice, 4, FLUSH, json!([])), json!([2]));
    assert_eq!(result_of(&mut w, alice, 5, FLUSH, json!(["destroyed"])), json!([0]));
    // Those of others are not its own.
    w.say(bob, json!([48, 2, {}, FLUSH, [], { "scope": "detached" }]));
    w.expect(bob, json!([50, 2, {}, [0]]));
    add(&mut w, alice, 6, json!(["com.myapp.gone", ["new"], {}]), json!({}));
    w.lose(alice);
    assert_eq!(event_args(&mut w, bob, topic), json!(["detached"]));
    assert_eq!(event_args(&mut w, bob, topic), json!(["new"]));
    w.expect_silence();
}

#[test]
fn publish_options_are_kept_but_for_acknowledge() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    for peer in [alice, bob, carol] {
        w.subscribe(peer, 1, "com.myapp.gone");
    }
    let options = json!({
        "eligible": [alice.session, bob.session, carol.session],
        "exclude": [carol.session],
        "disclose_me": true,
        "acknowledge": true,
        "exclude_me": false,
        "unknown": { "x": 1 },
    });
    add(&mut w, alice, 2, json!(["com.myapp.gone", [], {}]), json!({ "publish_options": options }));
    w.lose(alice);
    let disclosed = json!({
        "publisher": alice.session, "publisher_authid": "*", "publisher_authrole": "anonymous",
    });
    w.expect(bob, json!([36, 1, "*", disclosed]));
    w.expect_silence();
}

#[test]
fn options_and_scope_may_stand_among_the_arguments() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let topic = w.subscribe(bob, 1, "com.myapp.gone");
    let exclude = json!({ "exclude": [bob.session] });
    add(&mut w, alice, 1, json!(["com.myapp.gone", [1], {}, exclude]), json!({}));
    add(&mut w, alice, 2, json!(["com.myapp.gone", [2], {}, null, "destroyed"]), json!({}));
    add(&mut w, alice, 3, json!(["com.myapp.gone", [3], {}, {}, "detached"]), json!({}));
    add(&mut w, alice, 4, json!(["com.myapp.gone"]), json!({}));
    w.lose(alice);
    for args in [json!([3]), json!([2])] {
        assert_eq!(event_args(&mut w, bob, topic), args);
    }
    w.expect(bob, json!([36, topic, "*", {}]));
    w.expect_silence();
}

#[test]
fn binary_data_survives_until_then() {
    let mut w = Wamp::new();
    let [listener] = w.join("realm1");
    let packed = w.join_with("realm1", Serializer::MsgPack);
    for peer in [listener, packed] {
        w.subscribe(peer, 1, "com.myapp.gone");
    }
    let alice = w.join_with("realm1", Serializer::Cbor);
    let args = json!(["\u{0}AQID/w==", 1.5, -3, u64::MAX]);
    add(&mut w, alice, 1, json!(["com.myapp.gone", args, {}]), json!({}));
    w.lose(alice);
    for peer in [listener, packed] {
        assert_eq!(event_args(&mut w, peer, 1), args);
    }
}

#[test]
fn what_is_no_publication_is_refused_when_it_is_added() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "com");
    let cases = [
        (json!([]), json!({}), "wamp.error.invalid_argument"),
        (json!([7, [], {}]), json!({}), "wamp.error.invalid_argument"),
        (json!(["com.a", {}, {}]), json!({}), "wamp.error.invalid_argument"),
        (json!(["com.a", [], []]), json!({}), "wamp.error.invalid_argument"),
        (json!(["com.a", [], {}]), json!({ "publish_options": 7 }), "wamp.error.invalid_argument"),
        (
            json!(["com.a", [], {}]),
            json!({ "publish_options": { "retain": 1 } }),
            "wamp.error.invalid_argument",
        ),
        (json!(["com.a", [], {}]), json!({ "scope": "forever" }), "wamp.error.testament_error"),
        (json!(["com.a", [], {}]), json!({ "scope": 7 }), "wamp.error.testament_error"),
        (json!(["com..a", [], {}]), json!({}), "wamp.error.invalid_uri"),
        (json!(["wamp.session.on_join", [], {}]), json!({}), "wamp.error.invalid_uri"),
        (
            json!(["com.a", [], {}]),
            json!({ "publish_options": { "exclude": vec![7; 1_001] } }),
            "wamplet.error.limit_exceeded",
        ),
    ];
    for (request, (args, kwargs, error)) in (1..).zip(cases) {
        w.say(alice, json!([48, request, {}, ADD, args, kwargs]));
        w.expect_error(alice, 48, request, error);
    }
    w.say(alice, json!([48, 12, {}, FLUSH, [], { "scope": "forever" }]));
    w.expect_error(alice, 48, 12, "wamp.error.testament_error");
    w.lose(alice);
    w.expect_silence();
}

/// A realm whose role `anonymous` may publish to `com.mine` or not, and do all else.
fn permissions(publish: bool) -> Config {
    let rule = |uri: &str, publish: bool| {
        json!({
            "uri": uri,
            "allow": { "call": true, "register": true, "subscribe": true, "publish": publish },
        })
    };
    let role = json!({
        "name": "anonymous",
        "permissions": [rule("com.mine", publish), rule("com.others", false), rule("*", true)],
    });
    let config = json!({ "realms": [{ "name": "realm1", "roles": [role] }] });
    Config::from_value(&config).expect("a valid configuration").config
}

#[test]
fn a_testament_needs_the_permission_to_publish_when_it_is_added_and_when_it_is_published() {
    for still_allowed in [true, false] {
        let mut w = Wamp::with_config(permissions(true));
        let [alice, bob] = w.join("realm1");
        let topic = w.subscribe(bob, 1, "com.mine");
        w.say(alice, json!([48, 1, {}, ADD, ["com.others", [], {}]]));
        w.expect_error(alice, 48, 1, "wamp.error.not_authorized");
        let publication = add(&mut w, alice, 2, json!(["com.mine", [], {}]), json!({}));
        w.reload(permissions(still_allowed));
        w.lose(alice);
        if still_allowed {
            w.expect(bob, json!([36, topic, publication, {}]));
        }
        w.expect_silence();
    }
}

#[test]
fn a_testament_stays_as_it_was_added_though_less_would_be_taken_now() {
    let with = |limits| Config { limits, ..named([RealmConfig::open("realm1")]) };
    let mut w = Wamp::with_config(with(Limits::default()));
    let [alice, bob, carol] = w.join("realm1");
    let topic = w.subscribe(bob, 1, "com.myapp.last");
    w.subscribe(carol, 1, "com.myapp.last");
    let args = json!([[[["deep"]]]]);
    let exclude = json!({ "exclude": [1, 2, 3, carol.session] });
    let publication = add(&mut w, alice, 1, json!(["com.myapp.last", args, {}, exclude]), json!({}));
    w.reload(with(Limits { audience: 1, message_depth: 4, ..Limits::default() }));
    w.lose(alice);
    w.expect(bob, json!([36, topic, publication, {}, args]));
    w.expect_silence();
}

#[test]
fn testaments_are_bounded_by_number_and_by_length() {
    let limits = Limits { testaments: 2, testament_length: 200, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice, bob, carol] = w.join("realm1");
    w.subscribe(carol, 1, "com.a");
    for request in [1, 2] {
        add(&mut w, alice, request, json!(["com.a", [], {}]), json!({}));
    }
    w.say(alice, json!([48, 3, {}, ADD, ["com.a", [], {}]]));
    w.expect_error(alice, 48, 3, "wamplet.error.limit_exceeded");
    // What was flushed leaves room.
    result_of(&mut w, alice, 4, FLUSH, json!([]));
    add(&mut w, alice, 5, json!(["com.a", [], {}]), json!({}));
    let long = "x".repeat(150);
    add(&mut w, bob, 1, json!(["com.a", [long], {}]), json!({}));
    w.say(bob, json!([48, 2, {}, ADD, ["com.a", [long], {}]]));
    w.expect_error(bob, 48, 2, "wamplet.error.limit_exceeded");
    result_of(&mut w, bob, 3, FLUSH, json!([]));
    add(&mut w, bob, 4, json!(["com.a", [long], {}]), json!({}));
    w.lose(alice);
    w.lose(bob);
    assert_eq!(w.hear_all(carol).len(), 2);
}

#[test]
fn testaments_come_between_the_news_of_what_the_session_held_and_the_news_that_it_left() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let held = w.subscribe(alice, 1, "com.myapp.gone");
    add(&mut w, alice, 2, json!(["com.myapp.gone", [], {}]), json!({}));
    let left = w.subscribe(bob, 1, "wamp.session.on_leave");
    let unsubscribed = w.subscribe(bob, 2, "wamp.subscription.on_unsubscribe");
    let deleted = w.subscribe(bob, 3, "wamp.subscription.on_delete");
    let testament = w.subscribe_with(bob, 4, json!({ "match": "prefix" }), "com.myapp.");
    w.lose(alice);
    w.expect(bob, json!([36, unsubscribed, "*", {}, [alice.session, held]]));
    w.expect(bob, json!([36, deleted, "*", {}, [alice.session, held]]));
    w.expect(bob, json!([36, testament, "*", { "topic": "com.myapp.gone" }]));
    w.expect(bob, json!([36, left, "*", {}, [alice.session]]));
    w.expect_silence();
}

#[test]
fn where_everybody_is_sent_away_nobody_has_a_testament() {
    for way in ["kill_all", "the realm goes", "the router goes"] {
        let mut w = Wamp::with_config(named([RealmConfig::open("realm1")]));
        let [alice, bob] = w.join("realm1");
        w.subscribe(bob, 1, "com.myapp.gone");
        add(&mut w, alice, 1, json!(["com.myapp.gone", [], {}]), json!({}));
        match way {
            "kill_all" => w.call(bob, 2, "wamp.session.kill_all"),
            "the realm goes" => w.reload(named([RealmConfig::open("realm2")])),
            _ => w.shut_down(),
        }
        w.expect(alice, json!([6, "*", "*"]));
        assert!(w.hear_all(bob).iter().all(|message| message[0] != 36), "{way}");
    }
}

#[test]
fn a_second_session_on_the_same_transport_has_no_testaments_of_the_first() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let topic = w.subscribe(bob, 1, "com.myapp.gone");
    add(&mut w, alice, 1, json!(["com.myapp.gone", ["first"], {}]), json!({}));
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(alice, json!([6, {}, "*"]));
    assert_eq!(event_args(&mut w, bob, topic), json!(["first"]));
    w.hello(alice, "realm1", common::all_roles());
    w.lose(alice);
    w.expect_silence();
}
