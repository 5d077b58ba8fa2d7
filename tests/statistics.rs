//! `wamp.session.on_stats`: what each session of a realm with `stats` has sent and received.

mod common;

use common::{Peer, Wamp, all_roles, named};
use serde_json::{Value, json};
use wamplet::codec::Serializer;
use wamplet::config::{RealmConfig, Stats};
use wamplet::router::{Close, Transport};

/// As in Crossbar.io's example.
const EXAMPLE: Stats = Stats {
    rated_message_size: 256,
    trigger_after_rated_messages: 10,
    trigger_after_duration: 0,
    trigger_on_join: true,
    trigger_on_leave: true,
};

/// Neither joining nor leaving is told.
const SILENT: Stats = Stats { trigger_on_join: false, trigger_on_leave: false, ..EXAMPLE };

const EVERY_MINUTE: Stats = Stats { trigger_after_rated_messages: 0, trigger_after_duration: 60, ..EXAMPLE };

/// A realm with statistics, one without, and somebody in the first who listens.
fn with_monitor(stats: Stats) -> (Wamp, Peer) {
    let realm1 = RealmConfig { stats: Some(stats), ..RealmConfig::open("realm1") };
    let mut w = Wamp::with_config(named([realm1, RealmConfig::open("realm2")]));
    let [monitor] = w.join("realm1");
    w.subscribe(monitor, 1, "wamp.session.on_stats");
    (w, monitor)
}

/// The one `on_stats` about this session that waits for the monitor; what is about others is not looked at.
#[track_caller]
fn hear_stats(w: &mut Wamp, monitor: Peer, about: Peer) -> Value {
    let mut heard = hear_all_stats(w, monitor);
    heard.retain(|(session, _)| session["session"] == about.session);
    let [(_, stats)] = &heard[..] else { panic!("expected one on_stats, found {heard:?}") };
    stats.clone()
}

fn hear_all_stats(w: &mut Wamp, monitor: Peer) -> Vec<(Value, Value)> {
    let events = w.hear_all(monitor).into_iter().map(|mut event| {
        assert_eq!((&event[0], &event[3], event.as_array().map(Vec::len)), (&json!(36), &json!({}), Some(5)));
        let args = event[4].as_array_mut().expect("arguments");
        assert_eq!(args.len(), 2, "{args:?}");
        (args[0].take(), args[1].take())
    });
    events.collect()
}

/// These frames are what the statistics counted.
#[track_caller]
fn expect_counted(stats: &Value, lengths: &[usize], rated_message_size: usize) {
    assert_eq!(stats["messages"], lengths.len(), "{stats}");
    assert_eq!(stats["bytes"], lengths.iter().sum::<usize>(), "{stats}");
    let rated: usize = lengths.iter().map(|length| length.div_ceil(rated_message_size)).sum();
    assert_eq!(stats["rated_messages"], rated, "{stats}");
}

fn flags(stats: &Value) -> (u64, bool, bool) {
    let flag = |key: &str| stats[key].as_bool().expect("a boolean");
    (stats["cycle"].as_u64().expect("a count"), flag("first"), flag("last"))
}

fn number(stats: &Value, key: &str) -> u64 {
    stats[key].as_u64().unwrap_or_else(|| panic!("{key} of {stats} is no count"))
}

fn say_goodbye(w: &mut Wamp, peer: Peer) {
    w.say(peer, json!([6, {}, "wamp.close.close_realm"]));
    w.expect(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
}

#[test]
fn the_life_of_a_session_is_told_in_cycles_from_its_first_byte_to_its_last() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let opened_ns = w.unix_ns();
    let alice = w.open();
    w.advance_ms(7);
    let (alice, welcome) = w.hello_with(alice, "realm1", json!({ "roles": all_roles() }));
    let heard = hear_all_stats(&mut w, monitor);
    let [(session, first)] = &heard[..] else { panic!("expected one on_stats, found {heard:?}") };
    let whom = json!({
        "realm": "realm1", "session": alice.session, "authid": welcome["authid"], "authrole": "anonymous",
    });
    assert_eq!(session, &whom);
    let mut fields: Vec<&str> = first.as_object().expect("a dictionary").keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = [
        "bytes",
        "cycle",
        "duration",
        "first",
        "last",
        "messages",
        "rated_messages",
        "serializer",
        "timestamp",
    ];
    assert_eq!(fields, expected);
    assert_eq!(flags(first), (1, true, false));
    assert_eq!((number(first, "timestamp"), number(first, "duration")), (opened_ns, 7_000_000));
    assert_eq!(first["serializer"], "json");
    expect_counted(first, &w.take_lengths(alice), 256);
    assert_eq!(first["messages"], 2, "HELLO and WELCOME");

    w.advance_ms(2_000);
    for request in 1..=12 {
        w.publish(alice, request, "com.myapp.topic1");
    }
    let lengths = w.take_lengths(alice);
    let second = hear_stats(&mut w, monitor, alice);
    assert_eq!(flags(&second), (2, false, false));
    expect_counted(&second, &lengths[..10], 256);

    w.advance_ms(3_000);
    say_goodbye(&mut w, alice);
    let third = hear_stats(&mut w, monitor, alice);
    assert_eq!(flags(&third), (3, false, true));
    let lengths: Vec<usize> = lengths.into_iter().skip(10).chain(w.take_lengths(alice)).collect();
    assert_eq!(lengths.len(), 4, "two publications and two GOODBYEs");
    expect_counted(&third, &lengths, 256);

    for [one, next] in [[first, &second], [&second, &third]] {
        assert_eq!(number(one, "timestamp") + number(one, "duration"), number(next, "timestamp"));
    }
    assert_eq!(number(&third, "timestamp") + number(&third, "duration"), w.unix_ns());
}

#[test]
fn every_message_counts_for_the_session_that_sent_it_and_those_that_got_it() {
    let stats = Stats { trigger_after_rated_messages: 0, ..EXAMPLE };
    let (mut w, monitor) = with_monitor(stats);
    let [alice, bob] = w.join("realm1");
    w.register(bob, 1, "com.myapp.add");
    w.subscribe(bob, 2, "com.myapp.topic1");
    w.hear_all(monitor);
    w.take_lengths(alice);
    w.say(alice, json!([48, 1, {}, "com.myapp.add", ["x".repeat(300)]]));
    w.hear(bob);
    w.say(bob, json!([70, 1, {}, ["y".repeat(600), "é\u{1f600}"]]));
    w.hear(alice);
    w.say(alice, json!([16, 2, { "acknowledge": true }, "com.myapp.topic1", ["z"], { "k": 1 }]));
    w.hear(alice);
    w.hear(bob);
    w.call(alice, 3, "com.myapp.none");
    w.hear(alice);

    say_goodbye(&mut w, alice);
    let of_alice = hear_stats(&mut w, monitor, alice);
    let lengths = w.take_lengths(alice);
    assert_eq!(lengths.len(), 8);
    expect_counted(&of_alice, &lengths, 256);
    w.lose(bob);
    let of_bob = hear_stats(&mut w, monitor, bob);
    let lengths = w.take_lengths(bob);
    assert_eq!(lengths.len(), 2 + 7);
    expect_counted(&of_bob, &lengths[2..], 256);
}

#[test]
fn bytes_are_those_of_the_serializer() {
    for serializer in Serializer::ALL {
        let (mut w, monitor) = with_monitor(EXAMPLE);
        let [alice] = w.join("realm1");
        let peer = w.join_with("realm1", serializer);
        let joined = hear_all_stats(&mut w, monitor).pop().expect("two joined").1;
        assert_eq!(joined["serializer"], serializer.name());
        expect_counted(&joined, &w.take_lengths(peer), 256);
        w.subscribe(peer, 1, "com.myapp.topic1");
        w.say(
            alice,
            json!([16, 1, {}, "com.myapp.topic1", [1.5, "€", [true, null]], { "k": "v".repeat(300) }]),
        );
        w.hear(peer);
        w.say(peer, json!([48, 2, {}, "com.myapp.none"]));
        w.hear(peer);
        let lengths = w.take_lengths(peer);
        assert_eq!(lengths.len(), 5);
        w.lose(peer);
        let last = hear_stats(&mut w, monitor, peer);
        expect_counted(&last, &lengths, 256);
        assert_eq!(last["serializer"], serializer.name());
    }
}

#[test]
fn batched_messages_count_with_what_separates_them() {
    for (serializer, separator) in [(Serializer::Json, 1), (Serializer::MsgPack, 4), (Serializer::Cbor, 4)] {
        let (mut w, monitor) = with_monitor(Stats { rated_message_size: 1, ..SILENT });
        let protocol = format!("wamp.2.{}.batched", serializer.name());
        let peer = w.open_transport(Transport { protocol, serializer, ..Transport::default() });
        let peer = w.hello(peer, "realm1", all_roles());
        let stats = hear_stats(&mut w, monitor, peer);
        assert_eq!(stats["serializer"], format!("{}.batched", serializer.name()));
        let lengths: Vec<usize> = w.take_lengths(peer).iter().map(|length| length + separator).collect();
        expect_counted(&stats, &lengths, 1);
    }
}

#[test]
fn a_message_is_rated_by_its_size_with_the_last_part_in_full() {
    let stats = Stats { rated_message_size: 64, trigger_after_rated_messages: 100, ..SILENT };
    let (mut w, monitor) = with_monitor(stats);
    let [alice] = w.join("realm1");
    let handshake: usize = w.take_lengths(alice).iter().map(|length| length.div_ceil(64)).sum();
    let empty = json!([16, 1, {}, "com.myapp.topic1", [""]]).to_string().len();
    // Exactly as many as are missing, then one byte less than would make one more.
    let parts = 100 - handshake - 1;
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(64 * parts - empty)]]));
    w.expect_silence();
    w.publish(alice, 2, "com.myapp.topic1");
    let stats = hear_stats(&mut w, monitor, alice);
    assert_eq!(stats["rated_messages"], 100);
}

#[test]
fn one_large_message_is_enough_and_its_answer_comes_first() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let [alice] = w.join("realm1");
    w.subscribe(alice, 1, "wamp.session.on_stats");
    w.hear_all(monitor);
    w.say(alice, json!([16, 2, { "acknowledge": true }, "com.myapp.topic1", ["x".repeat(2_560)]]));
    w.expect(alice, json!([17, 2, "*"]));
    let mut event = w.expect(alice, json!([36, "*", "*", {}, ["*", "*"]]));
    let stats = event[4][1].take();
    // SUBSCRIBE, SUBSCRIBED, PUBLISH, PUBLISHED.
    assert_eq!((number(&stats, "messages"), number(&stats, "rated_messages")), (4, 14));
    assert_eq!(hear_stats(&mut w, monitor, alice), stats);
}

#[test]
fn who_listens_to_the_router_is_not_charged_for_it() {
    let stats = Stats { trigger_after_rated_messages: 3, trigger_on_join: true, ..EXAMPLE };
    let (mut w, monitor) = with_monitor(stats);
    for (request, topic) in (2..).zip(["wamp.session.on_join", "wamp.session.on_leave"]) {
        w.subscribe(monitor, request, topic);
        w.hear_all(monitor);
    }
    w.take_lengths(monitor);
    for _ in 0..20 {
        let [peer] = w.join("realm1");
        say_goodbye(&mut w, peer);
    }
    let events = w.hear_all(monitor);
    assert_eq!(events.len(), 20 * 4, "on_join, on_stats, on_leave, on_stats");
    let about_monitor = events.iter().filter(|event| event[4][0]["session"] == monitor.session);
    assert_eq!(about_monitor.count(), 0);
    // What it does itself counts.
    w.call(monitor, 4, "wamp.session.count");
    let heard = w.hear_all(monitor);
    assert_eq!((heard[0][0].as_u64(), heard[1][0].as_u64()), (Some(50), Some(36)), "{heard:?}");
    assert_eq!(heard[1][4][1]["messages"], 4);
}

#[test]
fn statistics_come_after_the_events_of_joining_and_leaving() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let topics = ["wamp.session.on_join", "wamp.session.on_leave"];
    let old = ["wamp.metaevent.session.on_join", "wamp.metaevent.session.on_leave"];
    let mut names = vec!["on_stats"];
    for (request, topic) in (2..).zip(topics.into_iter().chain(old)) {
        w.subscribe(monitor, request, topic);
        names.push(topic);
    }
    let heard = |w: &mut Wamp| -> Vec<&str> {
        let events = w.hear_all(monitor);
        events.iter().map(|event| names[event[1].as_u64().expect("an id") as usize - 1]).collect()
    };
    heard(&mut w);
    let [alice, bob] = w.join("realm1");
    let joined = [topics[0], old[0], "on_stats"];
    assert_eq!(heard(&mut w), [joined, joined].concat());
    say_goodbye(&mut w, alice);
    assert_eq!(heard(&mut w), [topics[1], old[1], "on_stats"]);
    w.lose(bob);
    assert_eq!(heard(&mut w), [topics[1], old[1], "on_stats"]);
}

#[test]
fn an_idle_session_is_told_of_too() {
    let (mut w, monitor) = with_monitor(EVERY_MINUTE);
    let [alice] = w.join("realm1");
    hear_stats(&mut w, monitor, alice);
    w.take_lengths(alice);
    w.advance_ms(30_000);
    w.publish(alice, 1, "com.myapp.topic1");
    let lengths = w.take_lengths(alice);
    w.advance_ms(29_999);
    w.expect_silence();
    w.advance_ms(1);
    let second = hear_stats(&mut w, monitor, alice);
    assert_eq!((flags(&second), number(&second, "duration")), ((2, false, false), 60_000_000_000));
    expect_counted(&second, &lengths, 256);
    w.advance_ms(60_000);
    let third = hear_stats(&mut w, monitor, alice);
    assert_eq!((flags(&third), number(&third, "duration")), ((3, false, false), 60_000_000_000));
    expect_counted(&third, &[], 256);
    assert_eq!(number(&third, "timestamp"), number(&second, "timestamp") + 60_000_000_000);
}

#[test]
fn a_duration_counts_from_the_last_statistics_whatever_caused_them() {
    let (mut w, monitor) = with_monitor(Stats { trigger_after_duration: 60, ..EXAMPLE });
    let [alice] = w.join("realm1");
    w.advance_ms(40_000);
    w.hear_all(monitor);
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(2_560)]]));
    assert_eq!(number(&hear_stats(&mut w, monitor, alice), "duration"), 40_000_000_000);
    w.advance_ms(59_999);
    assert!(hear_all_stats(&mut w, monitor).iter().all(|(session, _)| session["session"] != alice.session));
    w.advance_ms(1);
    assert_eq!(number(&hear_stats(&mut w, monitor, alice), "duration"), 60_000_000_000);
}

#[test]
fn a_driver_that_overslept_publishes_once() {
    let (mut w, monitor) = with_monitor(EVERY_MINUTE);
    let [alice] = w.join("realm1");
    w.hear_all(monitor);
    w.sleep_ms(600_000);
    assert_eq!(number(&hear_stats(&mut w, monitor, alice), "duration"), 600_000_000_000);
    w.advance_ms(60_000);
    assert_eq!(number(&hear_stats(&mut w, monitor, alice), "duration"), 60_000_000_000);
}

#[test]
fn without_an_event_of_joining_the_first_one_includes_the_handshake() {
    let (mut w, monitor) = with_monitor(SILENT);
    let opened_ns = w.unix_ns();
    let alice = w.open();
    w.advance_ms(5);
    let alice = w.hello(alice, "realm1", all_roles());
    w.expect_silence();
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(2_560)]]));
    let first = hear_stats(&mut w, monitor, alice);
    assert_eq!((flags(&first), number(&first, "timestamp")), ((1, true, false), opened_ns));
    expect_counted(&first, &w.take_lengths(alice), 256);
    say_goodbye(&mut w, alice);
    w.expect_silence();
}

#[test]
fn what_was_never_told_before_the_end_is_first_and_last() {
    let stats = Stats { trigger_on_join: false, ..Stats::default() };
    let (mut w, monitor) = with_monitor(stats);
    let [alice] = w.join("realm1");
    w.expect_silence();
    say_goodbye(&mut w, alice);
    let only = hear_stats(&mut w, monitor, alice);
    assert_eq!(flags(&only), (1, true, true));
    expect_counted(&only, &w.take_lengths(alice), 512);
    assert_eq!(only["messages"], 4);
}

#[test]
fn the_defaults_tell_of_joining_and_leaving_only() {
    let (mut w, monitor) = with_monitor(Stats::default());
    let [alice] = w.join("realm1");
    assert_eq!(flags(&hear_stats(&mut w, monitor, alice)), (1, true, false));
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(100_000)]]));
    w.advance_ms(86_400_000);
    w.expect_silence();
    w.lose(alice);
    assert_eq!(flags(&hear_stats(&mut w, monitor, alice)), (2, false, true));
    w.expect_silence();
}

#[test]
fn a_killed_session_has_last_statistics_with_its_goodbye() {
    let (mut w, monitor) = with_monitor(Stats { trigger_after_rated_messages: 0, ..EXAMPLE });
    let on_leave = w.subscribe(monitor, 2, "wamp.session.on_leave");
    let [alice, bob] = w.join("realm1");
    w.hear_all(monitor);
    w.take_lengths(bob);
    w.say(alice, json!([48, 1, {}, "wamp.session.kill", [bob.session], { "message": "enough" }]));
    w.expect(alice, json!([50, 1, {}]));
    w.expect(bob, json!([6, { "message": "enough" }, "wamp.close.killed"]));
    w.expect(monitor, json!([36, on_leave, "*", {}, [bob.session]]));
    let last = hear_stats(&mut w, monitor, bob);
    assert_eq!(flags(&last), (2, false, true));
    expect_counted(&last, &w.take_lengths(bob), 256);
    assert_eq!(last["messages"], 1);
    // Its answer is nobody's message any more.
    w.say(bob, json!([6, {}, "wamp.close.goodbye_and_out"]));
    w.expect_silence();
}

#[test]
fn a_frame_that_ends_a_session_and_its_abort_are_in_the_last_statistics() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let [alice] = w.join("realm1");
    w.hear_all(monitor);
    w.take_lengths(alice);
    w.say_bytes(alice, b"[16,1,{},");
    w.hear(alice);
    w.expect_closed(alice, Close::ProtocolViolation);
    let last = hear_stats(&mut w, monitor, alice);
    expect_counted(&last, &w.take_lengths(alice), 256);
    assert_eq!(last["messages"], 2);
}

#[test]
fn where_all_leave_there_are_no_last_statistics() {
    let (mut w, monitor) = with_monitor(EVERY_MINUTE);
    let [alice, bob] = w.join("realm1");
    w.hear_all(monitor);
    w.call(monitor, 2, "wamp.session.kill_all");
    w.expect(monitor, json!([50, 2, {}, [2]]));
    for peer in [alice, bob] {
        w.expect(peer, json!([6, {}, "wamp.close.killed"]));
    }
    w.expect_silence();
    w.shut_down();
    w.expect(monitor, json!([6, {}, "wamp.close.system_shutdown"]));
    w.expect_silence();
    for peer in [alice, bob, monitor] {
        w.say(peer, json!([6, {}, "wamp.close.goodbye_and_out"]));
    }
    assert_eq!(w.router.next_timeout(), None);
}

#[test]
fn a_second_session_on_a_transport_is_counted_by_itself() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let [first] = w.join("realm1");
    w.advance_ms(10);
    say_goodbye(&mut w, first);
    let ended_ns = w.unix_ns();
    w.take_lengths(first);
    w.advance_ms(10);
    let second = w.hello(first, "realm1", all_roles());
    let stats = hear_stats(&mut w, monitor, second);
    assert_eq!((flags(&stats), number(&stats, "timestamp")), ((1, true, false), ended_ns));
    expect_counted(&stats, &w.take_lengths(first), 256);
}

#[test]
fn a_realm_without_statistics_has_none() {
    let (mut w, _) = with_monitor(EVERY_MINUTE);
    let [monitor] = w.join("realm2");
    w.subscribe(monitor, 1, "wamp.session.on_stats");
    let [alice] = w.join("realm2");
    w.say(alice, json!([16, 1, {}, "com.myapp.topic1", ["x".repeat(100_000)]]));
    w.advance_ms(600_000);
    say_goodbye(&mut w, alice);
    w.expect_nothing(monitor);
}

#[test]
fn a_clock_that_is_set_back_gives_no_negative_duration() {
    let (mut w, monitor) = with_monitor(EXAMPLE);
    let [alice] = w.join("realm1");
    let first = hear_stats(&mut w, monitor, alice);
    w.set_clock_back_ms(5_000);
    w.lose(alice);
    let last = hear_stats(&mut w, monitor, alice);
    assert_eq!(number(&last, "duration"), 0);
    assert_eq!(number(&last, "timestamp"), number(&first, "timestamp") + number(&first, "duration"));
}

#[test]
fn sessions_in_the_same_process_count_as_if_they_spoke_json() {
    use futures::executor::block_on;
    use futures::{FutureExt, StreamExt};
    use wamplet::local::LocalRouter;
    use wamplet::payload::Values;
    use wamplet::router::Now;

    let stats = Stats { rated_message_size: 1, trigger_after_rated_messages: 0, ..EXAMPLE };
    let realm = RealmConfig { stats: Some(stats), ..RealmConfig::open("realm1") };
    let router = LocalRouter::new(named([realm]), [7; 32], Now::default);
    let monitor = router.join("realm1").expect("anybody may join");
    block_on(async {
        let mut events = monitor.subscribe("wamp.session.on_stats").await.expect("anybody may subscribe");
        let alice = router.join("realm1").expect("anybody may join");
        let joined = events.next().now_or_never().flatten().expect("on_stats of joining").values.args;
        assert_eq!(
            (joined[0]["session"].as_u64(), joined[1]["messages"].as_u64()),
            (Some(alice.id().0), Some(2))
        );
        alice.publish("com.myapp.topic1", &Values::args([json!("é")])).await.expect("anybody may publish");
        drop(alice);
        let last = events.next().now_or_never().flatten().expect("on_stats of leaving").values.args;
        let publish = r#"[16,1,{"acknowledge":true},"com.myapp.topic1",["é"]]"#.len() as u64;
        let bytes = number(&last[1], "bytes");
        // With a PUBLISHED, in which the id has up to 16 digits.
        assert!(bytes > publish + "[17,1,]".len() as u64 && bytes <= publish + "[17,1,]".len() as u64 + 16);
        assert_eq!(number(&last[1], "rated_messages"), bytes);
    });
}
