//! Peers that can receive messages of so many bytes only: what is longer is never sent to them.

mod common;

use common::{Peer, Wamp, all_roles};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::{Config, Realms};
use wamplet::router::{Close, Transport};

/// What the peers of most tests can receive: a WELCOME, and little more.
const LIMIT: usize = 1_024;

const TOO_LONG: &str = "wamp.error.payload_size_exceeded";

fn open(w: &mut Wamp, limit: usize) -> Peer {
    w.open_transport(Transport { max_message_length: Some(limit), ..Transport::default() })
}

fn join(w: &mut Wamp, limit: usize) -> Peer {
    let peer = open(w, limit);
    w.hello(peer, "realm1", all_roles())
}

fn text(length: usize) -> Value {
    "x".repeat(length).into()
}

#[test]
fn an_invocation_that_the_callee_cannot_take_is_an_error_for_the_caller() {
    let mut w = Wamp::new();
    let [caller] = w.join("realm1");
    let callee = join(&mut w, LIMIT);
    let registration = w.register(callee, 1, "com.myapp.echo");
    w.say(caller, json!([48, 1, {}, "com.myapp.echo", [text(LIMIT)]]));
    w.expect_error(caller, 48, 1, TOO_LONG);
    w.expect_silence();
    // No id of an invocation is lost by it, and the next call works.
    w.say(caller, json!([48, 2, {}, "com.myapp.echo", [1]]));
    w.expect(callee, json!([68, 1, registration, {}, [1]]));
    w.say(callee, json!([70, 1, {}, [2]]));
    w.expect(caller, json!([50, 2, {}, [2]]));
}

#[test]
fn a_message_of_exactly_the_limit_is_sent_and_one_byte_more_is_not() {
    let mut w = Wamp::new();
    let [publisher] = w.join("realm1");
    let subscriber = join(&mut w, LIMIT);
    let subscription = w.subscribe(subscriber, 1, "com.myapp.topic1");
    // Until the EVENT is exactly as long: the length of its id is not ours to choose.
    let mut heard = Vec::new();
    for (request, length) in (1..).zip(LIMIT - 64..LIMIT) {
        let before = w.router.dropped_events();
        w.say(publisher, json!([16, request, {}, "com.myapp.topic1", [text(length)]]));
        let event = w.hear_all(subscriber).pop();
        assert_eq!(event.is_none(), w.router.dropped_events() == before + 1);
        heard.extend(event.map(|event| event.to_string().len()));
    }
    assert!(heard.iter().all(|length| *length <= LIMIT), "{heard:?}");
    assert!(heard.contains(&LIMIT), "{heard:?}");
    assert!(heard.len() < 64, "some were too long");
    w.publish(publisher, 65, "com.myapp.topic1");
    w.expect(subscriber, json!([36, subscription, "*", {}]));
}

#[test]
fn a_result_that_the_caller_cannot_take_ends_its_call_with_an_error() {
    let mut w = Wamp::new();
    let caller = join(&mut w, LIMIT);
    let [callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.long");
    for (request, answer) in
        [(1, json!([70, 1, {}, [text(LIMIT)]])), (2, json!([8, 68, 2, {}, "com.myapp.error", [text(LIMIT)]]))]
    {
        w.call(caller, request, "com.myapp.long");
        w.hear(callee);
        w.say(callee, answer);
        w.expect_error(caller, 48, request, TOO_LONG);
    }
    // Neither is under way any more.
    w.say(caller, json!([49, 1, {}]));
    w.say(callee, json!([70, 1, {}]));
    w.expect_silence();
}

#[test]
fn a_piece_of_a_result_that_the_caller_cannot_take_ends_the_call() {
    let mut w = Wamp::new();
    let caller = join(&mut w, LIMIT);
    let [callee] = w.join("realm1");
    w.register(callee, 1, "com.myapp.long");
    w.say(caller, json!([48, 1, { "receive_progress": true }, "com.myapp.long"]));
    w.expect(callee, json!([68, 1, "*", { "receive_progress": true }]));
    w.say(callee, json!([70, 1, { "progress": true }, ["short"]]));
    w.expect(caller, json!([50, 1, { "progress": true }, ["short"]]));
    w.say(callee, json!([70, 1, { "progress": true }, [text(LIMIT)]]));
    w.expect(callee, json!([69, 1, { "mode": "killnowait" }]));
    w.expect_error(caller, 48, 1, TOO_LONG);
    w.say(callee, json!([70, 1, {}, ["the end"]]));
    w.expect_silence();
}

#[test]
fn an_answer_of_the_router_that_the_caller_cannot_take_is_an_error() {
    let mut w = Wamp::new();
    let _crowd: [Peer; 100] = w.join("realm1");
    let caller = join(&mut w, LIMIT);
    w.call(caller, 1, "wamp.session.list");
    w.expect_error(caller, 48, 1, TOO_LONG);
    w.call(caller, 2, "wamp.session.count");
    w.expect(caller, json!([50, 2, {}, [101]]));
}

#[test]
fn an_event_is_dropped_for_those_who_cannot_take_it_only() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    let short = join(&mut w, LIMIT);
    let packed = w.open_transport(Transport {
        max_message_length: Some(4 * LIMIT),
        serializer: Serializer::MsgPack,
        ..Transport::default()
    });
    let packed = w.hello(packed, "realm1", all_roles());
    for peer in [bob, short, packed] {
        w.subscribe(peer, 1, "com.myapp.topic1");
    }
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", [text(2 * LIMIT)]]));
    w.expect(bob, json!([36, 1, "*", {}, "*"]));
    w.expect(packed, json!([36, 1, "*", {}, "*"]));
    w.expect_silence();
    assert_eq!(w.router.dropped_events(), 1);
}

#[test]
fn an_event_that_the_first_cannot_take_reaches_the_others_whole() {
    let mut w = Wamp::new();
    let short = join(&mut w, LIMIT);
    let packed = w.join_with("realm1", Serializer::MsgPack);
    let [bob, alice] = w.join("realm1");
    for peer in [short, packed, bob] {
        w.subscribe_with(peer, 1, json!({ "match": "prefix" }), "com.");
    }
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", [text(2 * LIMIT)]]));
    for peer in [packed, bob] {
        w.expect(peer, json!([36, 1, "*", { "topic": "com.myapp.topic1" }, [text(2 * LIMIT)]]));
    }
    w.expect_silence();
}

#[test]
fn an_error_that_would_be_too_long_comes_without_its_sentence() {
    let mut w = Wamp::new();
    let caller = join(&mut w, LIMIT);
    let procedure = "a".repeat(LIMIT);
    w.call(caller, 1, &procedure);
    w.expect(caller, json!([8, 48, 1, {}, "wamp.error.no_such_procedure"]));
}

#[test]
fn who_cannot_take_a_welcome_is_told_so_and_closed() {
    let mut w = Wamp::new();
    let [watcher] = w.join("realm1");
    let peer = open(&mut w, 512);
    w.say(peer, json!([1, "realm1", { "roles": all_roles() }]));
    w.expect(peer, json!([3, { "message": "*" }, TOO_LONG]));
    w.expect_closed(peer, Close::Normal);
    assert_eq!(w.router.transports(), 1);
    w.call(watcher, 1, "wamp.session.count");
    w.expect(watcher, json!([50, 1, {}, [1]]));
}

#[test]
fn who_cannot_take_a_goodbye_is_told_so_and_closed() {
    let mut w = Wamp::new();
    let [admin] = w.join("realm1");
    let peer = join(&mut w, LIMIT);
    let subscription = w.subscribe(admin, 1, "wamp.session.on_leave");
    w.say(admin, json!([48, 2, {}, "wamp.session.kill", [peer.session], { "message": text(1_024) }]));
    w.expect(peer, json!([3, { "message": "*" }, TOO_LONG]));
    w.expect_closed(peer, Close::Normal);
    w.expect(admin, json!([50, 2, {}]));
    w.expect(admin, json!([36, subscription, "*", {}, [peer.session]]));
    w.expect_silence();
    assert_eq!(w.router.next_timeout(), None, "nobody waits for its answer");
}

#[test]
fn an_abort_that_would_be_too_long_comes_without_its_text() {
    let mut w = Wamp::with_config(Config { realms: Realms::Named(Vec::new()), ..Config::default() });
    // The least that a RawSocket can announce.
    let peer = open(&mut w, 512);
    let realm = format!("com.example.{}", "x".repeat(600));
    w.say(peer, json!([1, realm, { "roles": all_roles() }]));
    w.expect(peer, json!([3, {}, "wamp.error.no_such_realm"]));
    w.expect_closed(peer, Close::Normal);
}

#[test]
fn who_cannot_take_the_shortest_abort_is_closed_without_it() {
    let mut w = Wamp::new();
    let peer = open(&mut w, 16);
    w.say(peer, json!([1, "realm1", {}]));
    w.expect_closed(peer, Close::ProtocolViolation);
}
