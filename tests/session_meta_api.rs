//! The session meta API: who is here, who comes, who goes, and who must go. [wamp: advanced/meta_api_sessions]

mod common;

use common::{Peer, Wamp, all_roles, event_args, named, result_of};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Limits, OnLeave, RealmConfig};
use wamplet::router::Close;

/// Joins; answers the WELCOME details too.
fn join(w: &mut Wamp) -> (Peer, Value) {
    let peer = w.open();
    w.hello_with(peer, "realm1", json!({ "roles": all_roles() }))
}

#[test]
fn on_join_tells_who_joined_under_both_names() {
    for topic in ["wamp.session.on_join", "wamp.metaevent.session.on_join"] {
        let mut w = Wamp::new();
        let [observer] = w.join("realm1");
        let subscription = w.subscribe(observer, 1, topic);
        let peer = w.open();
        let hello = json!({ "roles": all_roles(), "authextra": { "device": "phone" } });
        let (alice, welcome) = w.hello_with(peer, "realm1", hello);
        let args = event_args(&mut w, observer, subscription);
        assert_eq!(
            args,
            json!([{
                "session": alice.session,
                "realm": "realm1",
                "authid": welcome["authid"],
                "authrole": "anonymous",
                "authmethod": "anonymous",
                "authprovider": "static",
                "authextra": { "device": "phone" },
                "transport": {
                    "type": "test",
                    "protocol": "wamp.2.json",
                    "peer": "scripted",
                    "channel_serializer": "json",
                },
            }])
        );
        w.expect_silence();
    }
}

#[test]
fn on_leave_tells_the_session_id() {
    for goodbye in [true, false] {
        let mut w = Wamp::new();
        let [observer, alice] = w.join("realm1");
        let subscription = w.subscribe(observer, 1, "wamp.session.on_leave");
        if goodbye {
            w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
            w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
        } else {
            w.lose(alice);
        }
        assert_eq!(event_args(&mut w, observer, subscription), json!([alice.session]));
        w.expect_silence();
    }
}

#[test]
fn on_leave_tells_the_specifications_three_where_the_realm_says_so() {
    let on_leave = OnLeave::SessionAuthidAuthrole;
    let mut w = Wamp::with_config(named([RealmConfig { on_leave, ..RealmConfig::open("realm1") }]));
    let [observer] = w.join("realm1");
    let subscription = w.subscribe(observer, 1, "wamp.session.on_leave");
    let (alice, welcome) = join(&mut w);
    w.lose(alice);
    let args = event_args(&mut w, observer, subscription);
    assert_eq!(args, json!([alice.session, welcome["authid"], "anonymous"]));
}

#[test]
fn the_old_name_of_on_leave_tells_the_same_details_as_on_join() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    let joined = w.subscribe(observer, 1, "wamp.metaevent.session.on_join");
    let left = w.subscribe(observer, 2, "wamp.metaevent.session.on_leave");
    let [alice] = w.join("realm1");
    let details = event_args(&mut w, observer, joined);
    w.lose(alice);
    assert_eq!(event_args(&mut w, observer, left), details);
    w.expect_silence();
}

#[test]
fn a_violation_is_a_leave_too() {
    let mut w = Wamp::new();
    let [observer, alice] = w.join("realm1");
    let subscription = w.subscribe(observer, 1, "wamp.session.on_leave");
    w.say(alice, json!([99]));
    w.expect_violation(alice, "");
    assert_eq!(event_args(&mut w, observer, subscription), json!([alice.session]));
    // And the loss of the transport that follows is not another.
    w.lose(alice);
    w.expect_silence();
}

#[test]
fn a_goodbye_and_the_loss_of_the_transport_are_one_leave() {
    let mut w = Wamp::new();
    let [observer, alice] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.session.on_leave");
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.lose(alice);
    assert_eq!(w.hear_all(observer).len(), 1);
}

#[test]
fn a_session_does_not_hear_of_its_own_coming_and_going() {
    let mut w = Wamp::new();
    let (alice, _) = join(&mut w);
    for (request, topic) in (1..).zip([
        "wamp.session.on_join",
        "wamp.session.on_leave",
        "wamp.metaevent.session.on_join",
        "wamp.metaevent.session.on_leave",
    ]) {
        w.subscribe(alice, request, topic);
    }
    w.say(alice, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(alice, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_silence();
}

#[test]
fn nobody_hears_of_other_realms() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.session.on_join");
    w.subscribe(observer, 2, "wamp.session.on_leave");
    let [alice] = w.join("realm2");
    w.lose(alice);
    w.expect_silence();
    assert_eq!(result_of(&mut w, observer, 3, "wamp.session.count", json!([])), json!([1]));
    w.say(observer, json!([48, 4, {}, "wamp.session.get", [alice.session]]));
    w.expect_error(observer, 48, 4, "wamp.error.no_such_session");
}

#[test]
fn a_session_that_never_joined_neither_comes_nor_goes() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.session.on_join");
    w.subscribe(observer, 2, "wamp.session.on_leave");
    let peer = w.open();
    w.say(peer, json!([1, "realm1", { "roles": all_roles(), "authmethods": ["ticket"] }]));
    w.expect_abort(peer, "wamp.error.no_matching_auth_method");
    w.expect_silence();
}

#[test]
fn news_reach_every_serializer() {
    let mut w = Wamp::new();
    let observers = Serializer::ALL.map(|serializer| w.join_with("realm1", serializer));
    for observer in observers {
        w.subscribe(observer, 1, "wamp.session.on_join");
    }
    let (alice, welcome) = join(&mut w);
    for observer in observers {
        let args = event_args(&mut w, observer, 1);
        assert_eq!(args[0]["session"], alice.session);
        assert_eq!(args[0]["authid"], welcome["authid"]);
        assert_eq!(args[0]["transport"]["type"], "test");
    }
}

#[test]
fn count_list_and_get_agree() {
    let mut w = Wamp::new();
    let joined = [(); 3].map(|()| join(&mut w));
    let (alice, welcome) = joined[0].clone();
    assert_eq!(result_of(&mut w, alice, 1, "wamp.session.count", json!([])), json!([3]));
    let mut expected: Vec<u64> = joined.iter().map(|(peer, _)| peer.session).collect();
    expected.sort_unstable();
    assert_eq!(result_of(&mut w, alice, 2, "wamp.session.list", json!([])), json!([expected]));
    let details = result_of(&mut w, alice, 3, "wamp.session.get", json!([alice.session]));
    assert_eq!(details[0]["session"], alice.session);
    assert_eq!(details[0]["authid"], welcome["authid"]);
    assert_eq!(details.as_array().map(Vec::len), Some(1));
    w.lose(joined[2].0);
    assert_eq!(result_of(&mut w, alice, 4, "wamp.session.count", json!([])), json!([2]));
}

#[test]
fn get_answers_what_on_join_told() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    let subscription = w.subscribe(observer, 1, "wamp.session.on_join");
    let [alice] = w.join("realm1");
    let told = event_args(&mut w, observer, subscription);
    assert_eq!(result_of(&mut w, observer, 2, "wamp.session.get", json!([alice.session])), told);
}

#[test]
fn count_and_list_take_a_filter_of_authroles() {
    let mut w = Wamp::new();
    let [alice, _bob] = w.join("realm1");
    let mut request = 0;
    for (filter, count) in [
        (json!(["anonymous"]), 2),
        (json!(["admin", "anonymous"]), 2),
        (json!(["admin"]), 0),
        (json!([]), 0),
        (json!(null), 2),
    ] {
        request += 2;
        assert_eq!(
            result_of(&mut w, alice, request - 1, "wamp.session.count", json!([filter])),
            json!([count])
        );
        let list = result_of(&mut w, alice, request, "wamp.session.list", json!([filter]));
        assert_eq!(list[0].as_array().map(Vec::len), Some(count), "{filter}");
    }
    for filter in [json!("anonymous"), json!(7), json!({}), json!([7])] {
        for procedure in ["wamp.session.count", "wamp.session.list"] {
            request += 1;
            w.say(alice, json!([48, request, {}, procedure, [filter]]));
            w.expect_error(alice, 48, request, "wamp.error.invalid_argument");
        }
    }
}

#[test]
fn get_of_nobody_is_an_error() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.lose(bob);
    w.say(alice, json!([48, 1, {}, "wamp.session.get", [bob.session]]));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_session");
    for (request, args) in (2..).zip([json!([]), json!(["7"]), json!([null]), json!([-1]), json!([1.5])]) {
        w.say(alice, json!([48, request, {}, "wamp.session.get", args]));
        w.expect_error(alice, 48, request, "wamp.error.invalid_argument");
    }
}

#[test]
fn a_session_id_may_come_as_an_integral_float() {
    // wampy's MessagePack and CBOR encoders write ids above 2^32 so.
    let mut w = Wamp::new();
    let [bob] = w.join("realm1");
    let alice = w.join_with("realm1", Serializer::MsgPack);
    let mut frame = b"\x95\x30\x01\x80\xb0wamp.session.get\x91\xcb".to_vec();
    frame.extend_from_slice(&(bob.session as f64).to_be_bytes());
    w.say_bytes(alice, &frame);
    assert_eq!(w.expect(alice, json!([50, 1, {}, "*"]))[3][0]["session"], bob.session);
}

#[test]
fn kill_says_goodbye_with_reason_and_message() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    let subscription = w.subscribe(carol, 1, "wamp.session.on_leave");
    w.say(
        alice,
        json!([48, 1, {}, "wamp.session.kill", [bob.session], { "reason": "because", "message": "foobar" }]),
    );
    w.expect(alice, json!([50, 1, {}]));
    w.expect(bob, json!([6, { "message": "foobar" }, "because"]));
    assert_eq!(event_args(&mut w, carol, subscription), json!([bob.session]));
    w.expect_silence();
    w.say(bob, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_closed(bob, Close::Normal);
    w.expect_silence();
}

#[test]
fn arguments_may_be_given_as_crossbar_takes_them() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let procedures = ["wamp.session.kill", "wamp.session.kill_by_authid", "wamp.session.kill_by_authrole"];
    for (request, procedure) in (1..).zip(procedures) {
        let (bob, welcome) = join(&mut w);
        let (victim, answer) = match request {
            1 => (json!(bob.session), json!([50, 1, {}])),
            2 => (welcome["authid"].clone(), json!([50, 2, {}, [[bob.session]]])),
            _ => (welcome["authrole"].clone(), json!([50, 3, {}, [1]])),
        };
        w.say(alice, json!([48, request, {}, procedure, [victim, "because", "foobar"]]));
        w.expect(alice, answer);
        w.expect(bob, json!([6, { "message": "foobar" }, "because"]));
    }
    let [bob] = w.join("realm1");
    w.say(alice, json!([48, 4, {}, "wamp.session.get", [], { "session_id": bob.session }]));
    assert_eq!(w.expect(alice, json!([50, 4, {}, "*"]))[3][0]["session"], bob.session);
    w.say(alice, json!([48, 5, {}, "wamp.session.kill", [], { "session_id": bob.session }]));
    w.expect(alice, json!([50, 5, {}]));
    w.expect(bob, json!([6, {}, "wamp.close.killed"]));
}

#[test]
fn kill_without_keyword_arguments_says_killed() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [bob.session]]));
    w.expect(alice, json!([50, 1, {}]));
    w.expect(bob, json!([6, {}, "wamp.close.killed"]));
}

#[test]
fn a_killed_session_is_gone_at_once() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe(bob, 1, "com.myapp.topic1");
    w.register(bob, 2, "com.myapp.procedure1");
    w.call(alice, 1, "com.myapp.procedure1");
    w.expect(bob, json!([68, 1, "*", {}]));
    w.say(alice, json!([48, 2, {}, "wamp.session.kill", [bob.session]]));
    w.expect(alice, json!([50, 2, {}]));
    w.expect_error(alice, 48, 1, "wamp.error.canceled");
    w.expect(bob, json!([6, {}, "wamp.close.killed"]));
    w.publish(alice, 3, "com.myapp.topic1");
    w.call(alice, 4, "com.myapp.procedure1");
    w.expect_error(alice, 48, 4, "wamp.error.no_such_procedure");
    w.say(alice, json!([48, 5, {}, "wamp.session.kill", [bob.session]]));
    w.expect_error(alice, 48, 5, "wamp.error.no_such_session");
    assert_eq!(result_of(&mut w, alice, 6, "wamp.session.count", json!([])), json!([1]));
    // What it still says is discarded.
    w.say(bob, json!([16, 3, {}, "com.myapp.topic1"]));
    w.say(bob, json!([70, 1, {}]));
    w.expect_silence();
}

#[test]
fn a_killed_peer_that_never_answers_is_closed() {
    let limits = Limits { goodbye_timeout_ms: 1_000, ..Limits::default() };
    let mut w = Wamp::with_config(Config { limits, ..Config::default() });
    let [alice, bob] = w.join("realm1");
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [bob.session]]));
    w.expect(alice, json!([50, 1, {}]));
    w.expect(bob, json!([6, {}, "wamp.close.killed"]));
    w.advance_ms(999);
    assert_eq!(w.closed(bob), None);
    w.advance_ms(1);
    w.expect_closed(bob, Close::Timeout);
    assert_eq!(w.router.transports(), 1);
}

#[test]
fn nobody_kills_itself_or_nobody() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    for (request, session) in (1..).zip([alice.session, 7]) {
        w.say(alice, json!([48, request, {}, "wamp.session.kill", [session]]));
        w.expect_error(alice, 48, request, "wamp.error.no_such_session");
    }
    w.say(alice, json!([48, 3, {}, "wamp.session.kill"]));
    w.expect_error(alice, 48, 3, "wamp.error.invalid_argument");
}

#[test]
fn a_kill_with_a_bad_reason_kills_nobody() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let calls = [
        ("wamp.session.kill", json!([bob.session])),
        ("wamp.session.kill_by_authid", json!(["nobody"])),
        ("wamp.session.kill_by_authrole", json!(["anonymous"])),
        ("wamp.session.kill_all", json!([])),
    ];
    let mut request = 0;
    for (procedure, args) in calls {
        for reason in [json!(""), json!("not a uri"), json!("a..b"), json!(7)] {
            request += 1;
            w.say(alice, json!([48, request, {}, procedure, args, { "reason": reason }]));
            w.expect_error(alice, 48, request, "wamp.error.invalid_uri");
        }
        request += 1;
        w.say(alice, json!([48, request, {}, procedure, args, { "message": 7 }]));
        w.expect_error(alice, 48, request, "wamp.error.invalid_argument");
    }
    w.expect_nothing(bob);
}

#[test]
fn kill_by_authid_ends_all_sessions_of_somebody() {
    let mut w = Wamp::new();
    let ((alice, own), (bob, welcome), (carol, _)) = (join(&mut w), join(&mut w), join(&mut w));
    let subscription = w.subscribe(carol, 1, "wamp.session.on_leave");
    w.say(
        alice,
        json!([48, 1, {}, "wamp.session.kill_by_authid", [welcome["authid"]], { "reason": "because" }]),
    );
    w.expect(alice, json!([50, 1, {}, [[bob.session]]]));
    w.expect(bob, json!([6, {}, "because"]));
    assert_eq!(event_args(&mut w, carol, subscription), json!([bob.session]));
    // The caller is spared, and nobody is nobody.
    for (request, authid) in [(2, own["authid"].clone()), (3, json!("nobody"))] {
        assert_eq!(
            result_of(&mut w, alice, request, "wamp.session.kill_by_authid", json!([authid])),
            json!([[]])
        );
    }
    w.say(alice, json!([48, 4, {}, "wamp.session.kill_by_authid", [7]]));
    w.expect_error(alice, 48, 4, "wamp.error.invalid_argument");
    w.expect_silence();
}

#[test]
fn kill_by_authrole_ends_all_but_the_caller() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    assert_eq!(result_of(&mut w, alice, 1, "wamp.session.kill_by_authrole", json!(["admin"])), json!([0]));
    w.expect_silence();
    w.subscribe(alice, 2, "wamp.session.on_leave");
    assert_eq!(
        result_of(&mut w, alice, 3, "wamp.session.kill_by_authrole", json!(["anonymous"])),
        json!([2])
    );
    for peer in [bob, carol] {
        w.expect(peer, json!([6, {}, "wamp.close.killed"]));
    }
    assert_eq!(w.hear_all(alice).len(), 2);
    w.expect_silence();
}

#[test]
fn kill_all_ends_all_but_the_caller_without_news() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    let [stranger] = w.join("realm2");
    w.subscribe(alice, 1, "wamp.session.on_leave");
    w.say(
        alice,
        json!([48, 2, {}, "wamp.session.kill_all", [], { "reason": "because", "message": "all out" }]),
    );
    w.expect(alice, json!([50, 2, {}, [2]]));
    for peer in [bob, carol] {
        w.expect(peer, json!([6, { "message": "all out" }, "because"]));
    }
    w.expect_silence();
    assert_eq!(w.closed(stranger), None);
    w.subscribe(stranger, 1, "com.myapp.topic1");
}

#[test]
fn meta_procedures_answer_every_serializer() {
    let mut w = Wamp::new();
    let peers = Serializer::ALL.map(|serializer| w.join_with("realm1", serializer));
    for peer in peers {
        assert_eq!(result_of(&mut w, peer, 1, "wamp.session.count", json!([])), json!([3]));
        let details = result_of(&mut w, peer, 2, "wamp.session.get", json!([peer.session]));
        assert_eq!(details[0]["session"], peer.session);
    }
}

#[test]
fn clients_cannot_speak_in_the_routers_name() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.subscribe_with(bob, 1, json!({ "match": "prefix" }), "wamp");
    let mut request = 0;
    for uri in ["wamp.session.on_join", "wamp.metaevent.session.on_leave", "wamp.anything", "wamp"] {
        request += 1;
        w.say(alice, json!([16, request, { "acknowledge": true }, uri, [{}]]));
        w.expect_error(alice, 16, request, "wamp.error.invalid_uri");
        request += 1;
        w.say(alice, json!([64, request, {}, uri]));
        w.expect_error(alice, 64, request, "wamp.error.invalid_uri");
    }
    for (policy, uri) in [("prefix", "wamp."), ("prefix", "wamp"), ("wildcard", "wamp..count")] {
        request += 1;
        w.say(alice, json!([64, request, { "match": policy }, uri]));
        w.expect_error(alice, 64, request, "wamp.error.invalid_uri");
    }
    w.expect_silence();
    // Only the first component counts, and the whole of it.
    w.register(alice, request + 1, "wampum.count");
    w.register(alice, request + 2, "com.wamp.count");
}

#[test]
fn an_unknown_meta_procedure_does_not_exist() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    w.call(alice, 1, "wamp.session.juggle");
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
}

#[test]
fn meta_events_reveal_no_publisher_and_have_publication_ids() {
    let mut w = Wamp::new();
    let [observer] = w.join("realm1");
    w.subscribe(observer, 1, "wamp.session.on_join");
    w.join::<2>("realm1");
    let publications: Vec<_> = w.hear_all(observer).into_iter().map(|event| event[2].as_u64()).collect();
    assert_eq!(publications.len(), 2);
    assert!(publications[0] != publications[1] && publications.iter().all(Option::is_some));
}

#[test]
fn a_filter_may_be_named_and_may_be_empty() {
    let mut w = Wamp::new();
    let [alice, _bob] = w.join("realm1");
    let cases = [
        (json!([]), json!({ "filter_authroles": ["anonymous"] }), 2),
        (json!([["anonymous", "admin"]]), json!({}), 2),
        (json!([null]), json!({}), 2),
        (json!([null]), json!({ "filter_authroles": ["admin"] }), 0),
        (json!([[]]), json!({}), 0),
        (json!([]), json!({ "filter_authroles": ["admin"] }), 0),
    ];
    let mut request = 0;
    for (args, kwargs, expected) in cases {
        for procedure in ["wamp.session.count", "wamp.session.list"] {
            request += 1;
            w.say(alice, json!([48, request, {}, procedure, args, kwargs]));
            let answer = w.expect(alice, json!([50, request, {}, ["*"]]))[3][0].clone();
            let count = answer.as_array().map_or(answer.as_u64(), |list| Some(list.len() as u64));
            assert_eq!(count, Some(expected), "{procedure} {args} {kwargs}");
        }
    }
}

#[test]
fn an_argument_that_is_refused_is_named_with_what_was_expected_and_what_came() {
    let mut w = Wamp::new();
    let [alice] = w.join("realm1");
    let subscription = w.subscribe(alice, 1, "com.myapp.topic1");
    let long = "x".repeat(10_000);
    let shown = format!("\"{}\u{2026}\"", "x".repeat(60));
    let id = "an id (an integer)";
    let cases = [
        ("wamp.session.get", json!(["abc"]), json!({}), "session", id, "\"abc\""),
        ("wamp.session.get", json!([]), json!({ "session": -1.5 }), "session", id, "-1.5"),
        ("wamp.session.kill", json!([]), json!({}), "session", id, "nothing"),
        (
            "wamp.session.count",
            json!(["anonymous"]),
            json!({}),
            "filter_authroles",
            "a list of authroles",
            "\"anonymous\"",
        ),
        (
            "wamp.session.list",
            json!([["anonymous", 5]]),
            json!({}),
            "filter_authroles",
            "a list of authroles",
            "5",
        ),
        ("wamp.session.kill_by_authid", json!([[1]]), json!({}), "authid", "a string", "an array"),
        (
            "wamp.session.kill_all",
            json!([]),
            json!({ "message": long }),
            "message",
            "a string of at most 1024 bytes",
            &shown,
        ),
        ("wamp.registration.get", json!([long]), json!({}), "registration_id", id, &shown),
        (
            "wamp.registration.lookup",
            json!(["com.a", "prefix"]),
            json!({}),
            "options",
            "a dictionary",
            "\"prefix\"",
        ),
        (
            "wamp.registration.lookup",
            json!(["com.a", { "match": "prefx" }]),
            json!({}),
            "options.match",
            "\"exact\", \"prefix\" or \"wildcard\"",
            "\"prefx\"",
        ),
        ("wamp.registration.match", json!([true]), json!({}), "procedure", "a string", "true"),
        ("wamp.subscription.list", json!([{}]), json!({}), "session_id", id, "an object"),
        ("wamp.subscription.get_events", json!(["abc"]), json!({}), "subscription", id, "\"abc\""),
        (
            "wamp.subscription.get_events",
            json!([subscription]),
            json!({ "from_time": "yesterday" }),
            "from_time",
            "a time such as 2015-03-01T12:00:00.000Z",
            "\"yesterday\"",
        ),
        ("wamp.session.add_testament", json!(["com.a", [], 7]), json!({}), "kwargs", "a dictionary", "7"),
        ("wamplet.authorization.purge", json!([8]), json!({}), "authid", "a string", "8"),
    ];
    let mut request = 1;
    let mut text_of = |args: Value, kwargs: Value, procedure: &str, error: &str| {
        request += 1;
        w.say(alice, json!([48, request, {}, procedure, args, kwargs]));
        let heard = w.expect(alice, json!([8, 48, request, {}, error, ["*"]]));
        heard[5][0].as_str().expect("a sentence").to_owned()
    };
    for (procedure, args, kwargs, name, expected, found) in cases {
        let text = text_of(args, kwargs, procedure, "wamp.error.invalid_argument");
        assert_eq!(text, format!("{procedure}: expected {name} to be {expected}, found {found}"));
    }
    for (procedure, args, kwargs, error, found) in [
        (
            "wamp.session.kill_all",
            json!([]),
            json!({ "reason": "no uri" }),
            "wamp.error.invalid_uri",
            "\"no uri\"",
        ),
        ("wamp.session.flush_testaments", json!(["all"]), json!({}), "wamp.error.testament_error", "\"all\""),
    ] {
        let text = text_of(args, kwargs, procedure, error);
        assert!(text.ends_with(&format!(", found {found}")), "{text}");
    }
}
