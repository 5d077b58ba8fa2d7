//! Procedures that are taken from those who have them. [wamp: advanced/rpc_registration_revocation]

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::config::{CallQueue, CallQueues, Limits, RealmConfig};
use wamplet::uri::MatchPolicy;

const TAKEN: &str = "com.myapp.taken";

fn force() -> Value {
    json!({ "force_reregister": true })
}

#[track_caller]
fn expect_revoked(w: &mut Wamp, callee: Peer, registration: u64) {
    let details = json!({ "registration": registration, "reason": "wamp.error.unregistered" });
    w.expect(callee, json!([67, 0, details]));
}

#[test]
fn a_procedure_can_be_taken_from_its_callee() {
    let mut w = Wamp::new();
    let [caller, old, new] = w.join_with_all_features("realm1");
    let id = w.register(old, 1, TAKEN);
    w.say(new, json!([64, 1, {}, TAKEN]));
    w.expect_error(new, 64, 1, "wamp.error.procedure_already_exists");
    let taken = w.register_with(new, 2, force(), TAKEN);
    assert_ne!(taken, id);
    expect_revoked(&mut w, old, id);
    w.call(caller, 1, TAKEN);
    w.expect(new, json!([68, 1, taken, {}]));
    w.expect_silence();
    // The old one has nothing to give back any more.
    w.say(old, json!([66, 2, id]));
    w.expect_error(old, 66, 2, "wamp.error.no_such_registration");
    w.lose(old);
    w.call(caller, 2, TAKEN);
    w.expect(new, json!([68, 2, taken, {}]));
}

#[test]
fn all_callees_of_a_shared_registration_lose_it_and_the_policy_may_change() {
    let mut w = Wamp::new();
    let [caller, new] = w.join_with_all_features("realm1");
    let old = w.join_with_all_features::<3>("realm1");
    let ids = old.map(|callee| w.register_with(callee, 1, json!({ "invoke": "roundrobin" }), TAKEN));
    w.call(caller, 1, TAKEN);
    w.expect(old[0], json!([68, 1, ids[0], {}]));
    let options = json!({ "force_reregister": true, "invoke": "last" });
    let taken = w.register_with(new, 1, options, TAKEN);
    for callee in old {
        expect_revoked(&mut w, callee, ids[0]);
    }
    // They may come back, on the new terms.
    w.say(old[1], json!([64, 2, { "invoke": "roundrobin" }, TAKEN]));
    w.expect_error(old[1], 64, 2, "wamp.error.procedure_exists_with_different_invocation_policy");
    assert_eq!(w.register_with(old[1], 3, json!({ "invoke": "last" }), TAKEN), taken);
    w.call(caller, 2, TAKEN);
    w.expect(old[1], json!([68, 1, taken, {}]));
    w.expect_silence();
}

#[test]
fn whoever_did_not_announce_revocation_is_not_told() {
    // A client that knows no request 0 would end its connection.
    let mut w = Wamp::new();
    let [old] = w.join("realm1");
    let [caller, new] = w.join_with_all_features("realm1");
    let id = w.register(old, 1, TAKEN);
    let taken = w.register_with(new, 1, force(), TAKEN);
    w.call(caller, 1, TAKEN);
    w.expect(new, json!([68, 1, taken, {}]));
    w.expect_silence();
    w.say(old, json!([66, 2, id]));
    w.expect_error(old, 66, 2, "wamp.error.no_such_registration");
}

#[test]
fn a_procedure_that_nobody_has_needs_no_force_and_takes_it() {
    let mut w = Wamp::new();
    let [callee] = w.join_with_all_features("realm1");
    w.register_with(callee, 1, force(), TAKEN);
    w.expect_silence();
}

#[test]
fn a_session_may_take_a_procedure_from_itself() {
    let mut w = Wamp::new();
    let [caller, callee] = w.join_with_all_features("realm1");
    let id = w.register(callee, 1, TAKEN);
    w.say(callee, json!([64, 2, force(), TAKEN]));
    expect_revoked(&mut w, callee, id);
    let taken = w.expect(callee, json!([65, 2, "*"]))[2].as_u64().expect("an id");
    assert_ne!(taken, id);
    w.call(caller, 1, TAKEN);
    w.expect(callee, json!([68, 1, taken, {}]));
    w.say(callee, json!([66, 3, id]));
    w.expect_error(callee, 66, 3, "wamp.error.no_such_registration");
    w.say(callee, json!([66, 4, taken]));
    w.expect(callee, json!([67, 4]));
    w.call(caller, 2, TAKEN);
    w.expect_error(caller, 48, 2, "wamp.error.no_such_procedure");
}

#[test]
fn only_the_same_pattern_is_taken() {
    let mut w = Wamp::new();
    let [caller, old, new] = w.join_with_all_features("realm1");
    w.register_with(old, 1, json!({ "match": "prefix" }), TAKEN);
    w.register(old, 2, "com.myapp.other");
    w.register_with(new, 1, force(), TAKEN);
    w.expect_silence();
    w.register_with(new, 2, json!({ "match": "prefix", "force_reregister": true }), TAKEN);
    expect_revoked(&mut w, old, 1);
    w.call(caller, 1, "com.myapp.other");
    w.expect(old, json!([68, 1, 2, {}]));
    w.expect_silence();
}

#[test]
fn calls_under_way_end_with_the_answer_of_the_old_callee() {
    let mut w = Wamp::new();
    let [caller, old, new] = w.join_with_all_features("realm1");
    let id = w.register(old, 1, TAKEN);
    w.call(caller, 1, TAKEN);
    w.say(caller, json!([48, 2, { "progress": true }, TAKEN, ["a"]]));
    w.call(caller, 3, TAKEN);
    assert_eq!(w.hear_all(old).len(), 3);
    w.register_with(new, 1, force(), TAKEN);
    expect_revoked(&mut w, old, id);
    w.say(old, json!([70, 1, {}, ["old"]]));
    w.expect(caller, json!([50, 1, {}, ["old"]]));
    w.say(caller, json!([48, 2, {}, TAKEN, ["b"]]));
    w.expect(old, json!([68, 2, id, {}, ["b"]]));
    w.say(caller, json!([49, 2, { "mode": "killnowait" }]));
    w.expect(old, json!([69, 2, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 2, "wamp.error.canceled");
    w.lose(old);
    w.expect_error(caller, 48, 3, "wamp.error.canceled");
    w.expect_silence();
}

#[test]
fn calls_that_wait_go_to_the_new_callee() {
    let rule = CallQueue { uri: String::new(), match_policy: MatchPolicy::Prefix, limit: 9 };
    let call_queues = CallQueues::new(vec![rule]);
    let mut w = Wamp::with_config(named([RealmConfig { call_queues, ..RealmConfig::open("realm1") }]));
    let [caller, old, new] = w.join_with_all_features("realm1");
    let id = w.register_with(old, 1, json!({ "concurrency": 1 }), TAKEN);
    for request in 1..=4 {
        w.call(caller, request, TAKEN);
    }
    w.expect(old, json!([68, 1, id, {}]));
    w.say(new, json!([64, 1, { "force_reregister": true, "concurrency": 2 }, TAKEN]));
    let taken = w.expect(new, json!([65, 1, "*"]))[2].as_u64().expect("an id");
    w.expect(new, json!([68, 1, taken, {}]));
    w.expect(new, json!([68, 2, taken, {}]));
    expect_revoked(&mut w, old, id);
    w.expect_silence();
    // What the old callee still works on does not keep the new one busy.
    w.say(old, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect_silence();
    w.say(caller, json!([49, 4, {}]));
    w.expect_error(caller, 48, 4, "wamp.error.canceled");
    w.say(new, json!([70, 1, {}]));
    w.expect(caller, json!([50, 2, {}]));
    w.expect_silence();
}

#[test]
fn a_registration_that_is_refused_takes_nothing() {
    let mut w = Wamp::with_config(wamplet::config::Config {
        limits: Limits { registrations: 1, ..Limits::default() },
        ..Default::default()
    });
    let [caller, old, new] = w.join_with_all_features("realm1");
    let id = w.register(old, 1, TAKEN);
    w.register(new, 1, "com.myapp.other");
    w.say(new, json!([64, 2, force(), TAKEN]));
    w.expect_error(new, 64, 2, "wamplet.error.limit_exceeded");
    w.say(new, json!([64, 3, force(), "wamp.session.count"]));
    w.expect_error(new, 64, 3, "wamp.error.invalid_uri");
    w.call(caller, 1, TAKEN);
    w.expect(old, json!([68, 1, id, {}]));
    w.expect_silence();
    // Whoever has it and takes it from itself has no more than before.
    w.say(new, json!([64, 4, force(), "com.myapp.other"]));
    expect_revoked(&mut w, new, 2);
    w.expect(new, json!([65, 4, 3]));
}

#[test]
fn force_reregister_must_be_a_boolean() {
    let mut w = Wamp::new();
    let peer = w.open();
    let callee = w.hello(peer, "realm1", all_roles());
    w.say(callee, json!([64, 1, { "force_reregister": 1 }, TAKEN]));
    w.expect_violation(callee, "force_reregister");
}

#[test]
fn meta_events_tell_who_lost_the_procedure_and_who_has_it() {
    let mut w = Wamp::new();
    let [watcher, new] = w.join_with_all_features("realm1");
    let old = w.join_with_all_features::<2>("realm1");
    for callee in old {
        w.register_with(callee, 1, json!({ "invoke": "first" }), TAKEN);
    }
    let topics = ["on_unregister", "on_delete", "on_create", "on_register"];
    let [left, deleted, created, joined] = std::array::from_fn(|at| {
        w.subscribe(watcher, at as u64 + 1, &format!("wamp.registration.{}", topics[at]))
    });
    w.register_with(new, 1, force(), TAKEN);
    for callee in old {
        w.expect(watcher, json!([36, left, "*", {}, [callee.session, 1]]));
    }
    w.expect(watcher, json!([36, deleted, "*", {}, [old[1].session, 1]]));
    let event = w.expect(watcher, json!([36, created, "*", {}, [new.session, "*"]]));
    assert_eq!((&event[4][1]["id"], &event[4][1]["uri"]), (&json!(2), &json!(TAKEN)));
    w.expect(watcher, json!([36, joined, "*", {}, [new.session, 2]]));
    w.expect_nothing(watcher);
    for callee in old {
        expect_revoked(&mut w, callee, 1);
    }
    // Nothing of it is told again when they leave.
    w.lose(old[0]);
    w.expect_silence();
}

#[test]
fn calls_that_wait_end_when_the_last_callee_is_removed() {
    let rule = CallQueue { uri: String::new(), match_policy: MatchPolicy::Prefix, limit: 9 };
    let call_queues = CallQueues::new(vec![rule]);
    let mut w = Wamp::with_config(named([RealmConfig { call_queues, ..RealmConfig::open("realm1") }]));
    let [caller, callee] = w.join_with_all_features("realm1");
    let id = w.register_with(callee, 1, json!({ "concurrency": 1 }), TAKEN);
    w.call(caller, 1, TAKEN);
    w.call(caller, 2, TAKEN);
    w.expect(callee, json!([68, 1, id, {}]));
    w.say(caller, json!([48, 3, {}, "wamp.registration.remove_callee", [id, callee.session]]));
    w.expect(caller, json!([50, 3, {}]));
    w.expect_error(caller, 48, 2, "wamp.error.canceled");
    w.expect(callee, json!([67, 0, { "registration": id }]));
    w.say(callee, json!([70, 1, {}]));
    w.expect(caller, json!([50, 1, {}]));
    w.expect_silence();
}
