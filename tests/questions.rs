//! Questions of the router: each has one answer, whatever becomes of those who were asked.

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::auth::{Ask, Failure};
use wamplet::config::{Config, Limits, RealmConfig};
use wamplet::id::Ticket;
use wamplet::payload::Values;
use wamplet::router::{Question, TRUSTED};

/// A realm in which somebody else decides what anonymous sessions may do.
fn asking(ask: Ask) -> Wamp {
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(ask))];
    Wamp::with_config(named([
        RealmConfig { roles, ..RealmConfig::open("realm1") },
        RealmConfig::open("other"),
    ]))
}

fn procedure(uri: &str, realm: Option<&str>) -> Ask {
    Ask::Procedure { uri: uri.into(), realm: realm.map(str::to_owned) }
}

/// Joins as a session that may do everything.
fn join_trusted(w: &mut Wamp, realm: &str, callee: Value) -> Peer {
    let peer = w.open_as("authorizer", TRUSTED);
    let mut roles = all_roles();
    roles["callee"]["features"] = callee;
    w.hello(peer, realm, roles)
}

/// A router with an authorizer that is asked whether alice may call something.
fn asked(callee: Value) -> (Wamp, Peer, Peer) {
    let mut w = asking(procedure("com.example.authorize", None));
    let authorizer = join_trusted(&mut w, "realm1", callee);
    w.register(authorizer, 1, "com.example.authorize");
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    (w, authorizer, alice)
}

#[test]
fn a_procedure_is_asked_by_a_caller_that_is_nobody() {
    let (mut w, authorizer, alice) = asked(json!({}));
    w.expect(authorizer, json!([68, 1, "*", {}, ["*", "com.myapp.add", "call", {}]]));
    w.expect_silence();
    w.say(authorizer, json!([70, 1, {}, [true]]));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
}

#[test]
fn only_the_final_result_counts() {
    let (mut w, authorizer, alice) = asked(json!({ "progressive_call_results": true }));
    w.hear(authorizer);
    w.say(authorizer, json!([70, 1, { "progress": true }, [false]]));
    w.expect_silence();
    w.say(authorizer, json!([70, 1, {}, [true]]));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
}

#[test]
fn a_callee_that_fails_or_leaves_is_an_answer() {
    let leave: fn(&mut Wamp, Peer) = |w, callee| w.lose(callee);
    let fail: fn(&mut Wamp, Peer) = |w, callee| w.say(callee, json!([8, 68, 1, {}, "com.oops", ["why"]]));
    for answer in [leave, fail] {
        let (mut w, authorizer, alice) = asked(json!({}));
        w.hear(authorizer);
        answer(&mut w, authorizer);
        w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
        w.expect_silence();
        assert_eq!(w.router.next_timeout(), None);
    }
}

#[test]
fn a_procedure_that_nobody_has_is_an_answer() {
    let mut w = asking(procedure("com.example.authorize", None));
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
}

#[test]
fn who_takes_too_long_is_interrupted_and_asked_no_more() {
    let (mut w, authorizer, alice) = asked(json!({ "call_canceling": true }));
    w.hear(authorizer);
    w.advance_ms(9_999);
    w.expect_silence();
    w.advance_ms(1);
    w.expect(authorizer, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
    // Too late.
    w.say(authorizer, json!([70, 1, {}, [true]]));
    w.expect_silence();
}

#[test]
fn a_callee_that_watches_timeouts_itself_does_not_decide_how_long_the_router_waits() {
    let mut w = asking(procedure("com.example.authorize", None));
    let authorizer = join_trusted(&mut w, "realm1", json!({ "call_timeout": true }));
    w.register_with(authorizer, 1, json!({ "forward_timeout": true }), "com.example.authorize");
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    w.expect(authorizer, json!([68, 1, "*", {}, "*"]));
    w.advance_ms(10_000);
    w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
}

#[test]
fn the_procedure_may_be_in_another_realm() {
    let mut w = asking(procedure("com.example.authorize", Some("other")));
    let authorizer = join_trusted(&mut w, "other", json!({}));
    w.register(authorizer, 1, "com.example.authorize");
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    w.expect(authorizer, json!([68, 1, "*", {}, "*"]));
    w.say(authorizer, json!([70, 1, {}, [true]]));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");

    let mut w = asking(procedure("com.example.authorize", Some("nowhere")));
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");
}

#[test]
fn a_question_is_withdrawn_when_the_session_that_it_is_about_leaves() {
    let (mut w, authorizer, alice) = asked(json!({ "call_canceling": true }));
    w.hear(authorizer);
    w.lose(alice);
    w.expect(authorizer, json!([69, 1, { "mode": "killnowait" }]));
    w.say(authorizer, json!([70, 1, {}, [true]]));
    w.expect_silence();
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_function_of_the_program_is_asked_through_the_driver() {
    let mut w = asking(Ask::Function("decide".into()));
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    let asked = w.take_questions();
    let [Question { ticket, function, values }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(function, "decide");
    assert_eq!(values.args[0]["session"], alice.session);
    assert_eq!(values.args[1..], [json!("com.myapp.add"), json!("call"), json!({})]);
    w.expect_silence();
    w.answer(*ticket, Ok(Values::args([json!(true)])));
    w.expect_error(alice, 48, 1, "wamp.error.no_such_procedure");
    // Twice is once.
    w.answer(*ticket, Ok(Values::args([json!(true)])));
    w.expect_silence();
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_function_may_fail_or_never_answer() {
    let limits = Limits { answer_timeout_ms: 500, ..Limits::default() };
    let roles = vec![Role::dynamic("anonymous", Authorizer::new(Ask::Function("decide".into())))];
    let realm = RealmConfig { roles, ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(Config { limits, ..named([realm]) });
    let [alice] = w.join("realm1");
    w.call(alice, 1, "com.myapp.add");
    let ticket = w.take_questions()[0].ticket;
    w.answer(ticket, Err(Failure::new("com.oops", "why")));
    w.expect_error(alice, 48, 1, "wamp.error.authorization_failed");

    w.call(alice, 2, "com.myapp.add");
    let ticket = w.take_questions()[0].ticket;
    w.advance_ms(500);
    w.expect_error(alice, 48, 2, "wamp.error.authorization_failed");
    w.answer(ticket, Ok(Values::args([json!(true)])));
    w.expect_silence();
}

#[test]
fn a_function_that_fails_with_what_is_no_uri_is_said_to() {
    for error in ["", "not a URI", "com..gap", "com.example#"] {
        let mut w = asking(Ask::Function("decide".into()));
        let [alice] = w.join("realm1");
        w.call(alice, 1, "com.myapp.add");
        let [question] = &w.take_questions()[..] else { panic!("one question") };
        w.answer(question.ticket, Err(Failure::new(error, "the sentence")));
        let answer = w.hear(alice);
        assert_eq!(answer[4], "wamp.error.authorization_failed");
        let text = answer[5][0].as_str().expect("a sentence");
        assert!(text.contains(&format!("'{error}', which is no URI: the sentence")), "{text}");
    }
}

#[test]
fn a_driver_cannot_answer_for_a_callee_nor_what_was_never_asked() {
    let (mut w, authorizer, alice) = asked(json!({}));
    w.hear(authorizer);
    for ticket in 0..10 {
        w.answer(Ticket(ticket), Ok(Values::args([json!(true)])));
    }
    w.expect_silence();
    w.say(authorizer, json!([70, 1, {}, [false]]));
    w.expect_error(alice, 48, 1, "wamp.error.not_authorized");
}
