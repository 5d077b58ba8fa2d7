//! The registration meta API: what is registered, by whom, since when, and who must not be any more.
//! [wamp: advanced/meta_api_registrations, advanced/rpc_registration_revocation]

mod common;

use common::{Peer, Wamp, result_of};
use serde_json::{Value, json};

const EVENTS: [&str; 4] = ["on_create", "on_register", "on_unregister", "on_delete"];

/// Joins as an observer of all four events; answers the subscription id of the first, which the others follow.
fn observe(w: &mut Wamp) -> (Peer, u64) {
    let [observer] = w.join("realm1");
    let ids: Vec<u64> = (1..)
        .zip(EVENTS)
        .map(|(request, event)| w.subscribe(observer, request, &format!("wamp.registration.{event}")))
        .collect();
    (observer, ids[0])
}

/// The events that wait for an observer whose first subscription is `first`: name and args.
fn news(w: &mut Wamp, observer: Peer, first: u64) -> Vec<(&'static str, Value)> {
    let name = |event: &Value| EVENTS[(event[1].as_u64().expect("a subscription") - first) as usize];
    w.hear_all(observer).into_iter().map(|event| (name(&event), event[4].clone())).collect()
}

fn shared(policy: &str) -> Value {
    json!({ "invoke": "roundrobin", "match": policy })
}

#[test]
fn a_registration_is_created_joined_left_and_deleted_in_this_order() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice, bob] = w.join("realm1");
    w.advance_ms(86_400_000);
    let id = w.register_with(alice, 1, shared("wildcard"), "com..procedure1");
    let details = json!({
        "id": id,
        "created": "2023-11-15T22:13:20.000Z",
        "uri": "com..procedure1",
        "match": "wildcard",
        "invoke": "roundrobin",
    });
    let created = ("on_create", json!([alice.session, details]));
    assert_eq!(news(&mut w, observer, first), [created, ("on_register", json!([alice.session, id]))]);
    w.register_with(bob, 1, shared("wildcard"), "com..procedure1");
    assert_eq!(news(&mut w, observer, first), [("on_register", json!([bob.session, id]))]);
    w.say(alice, json!([66, 2, id]));
    w.expect(alice, json!([67, 2]));
    assert_eq!(news(&mut w, observer, first), [("on_unregister", json!([alice.session, id]))]);
    w.say(bob, json!([66, 2, id]));
    w.expect(bob, json!([67, 2]));
    assert_eq!(
        news(&mut w, observer, first),
        [("on_unregister", json!([bob.session, id])), ("on_delete", json!([bob.session, id]))]
    );
}

#[test]
fn registering_twice_or_in_vain_is_no_news() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice, bob] = w.join("realm1");
    let id = w.register_with(alice, 1, shared("exact"), "com.myapp.procedure1");
    news(&mut w, observer, first);
    assert_eq!(w.register_with(alice, 2, shared("exact"), "com.myapp.procedure1"), id);
    w.say(bob, json!([64, 1, {}, "com.myapp.procedure1"]));
    w.expect_error(bob, 64, 1, "wamp.error.procedure_exists_with_different_invocation_policy");
    w.say(bob, json!([66, 2, id]));
    w.expect_error(bob, 66, 2, "wamp.error.no_such_registration");
    w.expect_silence();
}

#[test]
fn the_answer_comes_before_the_news() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    w.say(observer, json!([64, 5, {}, "com.myapp.procedure1"]));
    let id = w.expect(observer, json!([65, 5, "*"]))[2].clone();
    w.expect(observer, json!([36, first, "*", {}, [observer.session, "*"]]));
    w.expect(observer, json!([36, first + 1, "*", {}, [observer.session, id]]));
    w.say(observer, json!([66, 6, id]));
    w.expect(observer, json!([67, 6]));
    w.expect(observer, json!([36, first + 2, "*", {}, [observer.session, id]]));
    w.expect(observer, json!([36, first + 3, "*", {}, [observer.session, id]]));
    w.expect_silence();
}

#[test]
fn a_session_that_leaves_unregisters_under_its_own_id_behind_the_answers_to_its_callers() {
    for way in ["goodbye", "loss", "kill"] {
        let mut w = Wamp::new();
        let (observer, first) = observe(&mut w);
        let [alice, bob] = w.join("realm1");
        let both = w.register_with(alice, 1, shared("exact"), "com.myapp.procedure1");
        w.register_with(bob, 1, shared("exact"), "com.myapp.procedure1");
        let own = w.register(bob, 2, "com.myapp.procedure2");
        let topic = w.subscribe(bob, 3, "com.myapp.topic1");
        news(&mut w, observer, first);
        let unsubscribed = w.subscribe(observer, 5, "wamp.subscription.on_unsubscribe");
        w.call(observer, 6, "com.myapp.procedure2");
        match way {
            "goodbye" => w.say(bob, json!([6, {}, "wamp.close.close_realm"])),
            "loss" => w.lose(bob),
            _ => w.say(alice, json!([48, 2, {}, "wamp.session.kill", [bob.session]])),
        }
        w.expect_error(observer, 48, 6, "wamp.error.canceled");
        for (subscription, id) in
            [(first + 2, both), (first + 2, own), (first + 3, own), (unsubscribed, topic)]
        {
            w.expect(observer, json!([36, subscription, "*", {}, [bob.session, id]]));
        }
        w.expect_nothing(observer);
    }
}

#[test]
fn list_lookup_and_match_find_registrations() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let empty = json!([{ "exact": [], "prefix": [], "wildcard": [] }]);
    assert_eq!(result_of(&mut w, alice, 1, "wamp.registration.list", json!([])), empty);
    let exact = w.register_with(alice, 2, shared("exact"), "com.myapp.one");
    let everything = w.register_with(alice, 3, json!({ "match": "prefix" }), "");
    let prefix = w.register_with(bob, 1, json!({ "match": "prefix" }), "com.myapp");
    let wildcard = w.register_with(bob, 2, json!({ "match": "wildcard" }), "com..one");
    w.register_with(bob, 3, shared("exact"), "com.myapp.one");
    for (request, args, expected) in [
        (4, json!([]), json!([{ "exact": [exact], "prefix": [everything, prefix], "wildcard": [wildcard] }])),
        (5, json!([bob.session]), json!([{ "exact": [exact], "prefix": [prefix], "wildcard": [wildcard] }])),
    ] {
        assert_eq!(result_of(&mut w, alice, request, "wamp.registration.list", args), expected);
    }
    for (request, args, expected) in [
        (6, json!(["com.myapp.one"]), json!([exact])),
        (7, json!(["com.myapp", { "match": "prefix" }]), json!([prefix])),
        (8, json!(["com.myapp", { "match": "wildcard" }]), json!([null])),
    ] {
        assert_eq!(result_of(&mut w, alice, request, "wamp.registration.lookup", args), expected);
    }
    for (request, procedure, expected) in [
        (9, "com.myapp.one", json!([exact])),
        (10, "com.myapp.two", json!([prefix])),
        (11, "com.other.one", json!([everything])),
        // Whatever is registered, the router answers for itself.
        (12, "wamp.session.count", json!([null])),
        (13, "wamplet.retention.clear", json!([null])),
    ] {
        let found = result_of(&mut w, alice, request, "wamp.registration.match", json!([procedure]));
        assert_eq!(found, expected, "{procedure}");
    }
}

#[test]
fn get_list_and_count_tell_of_one_registration() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    // In the order of registration, which is not that of joining.
    let id = w.register_with(bob, 1, shared("exact"), "com.myapp.procedure1");
    w.advance_ms(5_000);
    w.register_with(alice, 1, shared("exact"), "com.myapp.procedure1");
    assert_eq!(
        result_of(&mut w, alice, 2, "wamp.registration.get", json!([id])),
        json!([{
            "id": id,
            "created": "2023-11-14T22:13:20.000Z",
            "uri": "com.myapp.procedure1",
            "match": "exact",
            "invoke": "roundrobin",
        }])
    );
    let callees = json!([[bob.session, alice.session]]);
    assert_eq!(result_of(&mut w, alice, 3, "wamp.registration.list_callees", json!([id])), callees);
    assert_eq!(result_of(&mut w, alice, 4, "wamp.registration.count_callees", json!([id])), json!([2]));
    let mut request = 4;
    for procedure in ["get", "list_callees", "count_callees", "remove_callee"] {
        let procedure = format!("wamp.registration.{procedure}");
        for (args, error) in [
            (json!([777, alice.session]), "wamp.error.no_such_registration"),
            (json!([]), "wamp.error.invalid_argument"),
            (json!([1.5]), "wamp.error.invalid_argument"),
        ] {
            request += 1;
            w.say(alice, json!([48, request, {}, procedure, args]));
            w.expect_error(alice, 48, request, error);
        }
    }
}

#[test]
fn a_removed_callee_that_understands_it_is_told_so_and_answers_what_it_was_asked_before() {
    let mut w = Wamp::new();
    let (observer, first) = observe(&mut w);
    let [alice] = w.join("realm1");
    let bob = w.join_as_callee("realm1", json!({ "registration_revocation": true }));
    let id = w.register(bob, 1, "com.myapp.procedure1");
    news(&mut w, observer, first);
    w.call(alice, 1, "com.myapp.procedure1");
    w.expect(bob, json!([68, 1, id, {}]));
    let remove = |request, reason| {
        json!([48, request, {}, "wamp.registration.remove_callee", [id, bob.session, reason]])
    };
    // Clients close the connection where they are told a reason that is no URI.
    w.say(alice, remove(2, "too slow"));
    w.expect_error(alice, 48, 2, "wamp.error.invalid_uri");
    w.say(alice, remove(3, "com.myapp.too_slow"));
    w.expect(alice, json!([50, 3, {}]));
    w.expect(bob, json!([67, 0, { "registration": id, "reason": "com.myapp.too_slow" }]));
    assert_eq!(
        news(&mut w, observer, first),
        [("on_unregister", json!([bob.session, id])), ("on_delete", json!([bob.session, id]))]
    );
    w.call(alice, 4, "com.myapp.procedure1");
    w.expect_error(alice, 48, 4, "wamp.error.no_such_procedure");
    w.say(bob, json!([70, 1, {}, ["late"]]));
    w.expect(alice, json!([50, 1, {}, ["late"]]));
    w.say(bob, json!([66, 2, id]));
    w.expect_error(bob, 66, 2, "wamp.error.no_such_registration");
    w.expect_silence();
}

#[test]
fn a_removed_callee_that_does_not_understand_it_is_told_nothing() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let id = w.register_with(alice, 1, shared("exact"), "com.myapp.procedure1");
    w.register_with(bob, 1, shared("exact"), "com.myapp.procedure1");
    w.say(alice, json!([48, 2, {}, "wamp.registration.remove_callee", [id, bob.session]]));
    w.expect(alice, json!([50, 2, {}]));
    for request in [3, 4] {
        w.call(alice, request, "com.myapp.procedure1");
        w.expect(alice, json!([68, request - 2, id, {}]));
    }
    w.expect_silence();
    for (request, session) in [(5, bob.session), (6, 777)] {
        w.say(alice, json!([48, request, {}, "wamp.registration.remove_callee", [id, session]]));
        w.expect_error(alice, 48, request, "wamp.error.no_such_session");
    }
}
