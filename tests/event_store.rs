//! Kept events over a restart: the journal of the router, the stores, and the real binary that is killed.

mod common;
#[path = "common/process.rs"]
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Peer, Wamp, named};
use futures::StreamExt;
use futures::executor::block_on;
use process::{Process, RawClient, loopback, node};
use serde_json::{Value, json};
use wamplet::auth::authorizer::Role;
use wamplet::config::{Config, HistoryRule, Limits, RealmConfig, RetentionRule, Store, StoreKind};
use wamplet::local::LocalRouter;
use wamplet::message::SubscribeOptions;
use wamplet::native::store::RedbStore;
use wamplet::payload::{EncodedPayload, Payload, Values};
use wamplet::router::{Now, Record, RecordedEvent, RestoreError};
use wamplet::store::{EventStore, MemoryStore};
use wamplet::uri::MatchPolicy;

/// A realm whose store is a database, with a history of `com.log`.
fn realm(name: &str, limit: usize) -> RealmConfig {
    let history = vec![HistoryRule { uri: "com.log".into(), match_policy: MatchPolicy::Prefix, limit }];
    let store = Store { kind: StoreKind::Database, history, ..Store::default() };
    RealmConfig { store: Some(store), ..RealmConfig::open(name) }
}

fn config(limit: usize) -> Config {
    named([realm("realm1", limit)])
}

/// The same, where nothing is retained of a topic.
fn config_without(topic: &str, limit: usize) -> Config {
    let mut realm = realm("realm1", limit);
    let none = RetentionRule {
        uri: topic.into(),
        match_policy: MatchPolicy::Exact,
        limit: 0,
        expires_after_s: None,
    };
    realm.store.as_mut().expect("it has one").retention = vec![none];
    named([realm])
}

/// A router that keeps a journal, with nothing in it.
fn fresh(config: Config) -> Wamp {
    let mut w = Wamp::with_config(config);
    assert_eq!(w.restore("realm1", &[]), Ok(0));
    w
}

/// Publishes as its request `n` the argument `n`.
fn publish(w: &mut Wamp, peer: Peer, n: u64, options: Value, topic: &str) -> u64 {
    let mut options = options;
    options["acknowledge"] = true.into();
    w.say(peer, json!([16, n, options, topic, [n]]));
    w.expect(peer, json!([17, n, "*"]))[2].as_u64().expect("a publication")
}

/// What `get_events` of the first subscription brings a new session.
fn history(w: &mut Wamp) -> Vec<Value> {
    let [peer] = w.join("realm1");
    w.say(peer, json!([48, 1, {}, "wamp.subscription.get_events", [1]]));
    let mut result = w.hear(peer);
    w.lose(peer);
    let Value::Array(events) = result[3][0].take() else { panic!("a list: {result}") };
    events
}

/// What is retained, as a new session gets it.
fn retained(w: &mut Wamp) -> Vec<Value> {
    let [peer] = w.join("realm1");
    w.subscribe_with(peer, 1, json!({ "match": "prefix", "get_retained": true }), "com.");
    let events = w.hear_all(peer);
    w.lose(peer);
    events
}

fn firsts(events: &[Value], at: &str) -> Vec<u64> {
    let args = events.iter().map(|event| if at.is_empty() { &event[4] } else { &event[at] });
    args.map(|args| args[0].as_u64().expect("a number")).collect()
}

#[test]
fn history_and_retained_events_are_there_again_as_they_were() {
    let mut w = fresh(config(100));
    let bob = w.join_as("realm1", "bob", "trusted");
    let all = json!({
        "retain": true, "x_retain_ms": 100_000, "exclude_me": false, "disclose_me": true, "ppt_scheme": "x_own",
        "eligible_authid": ["bob", "carol \"\n"], "exclude_authrole": ["guest"],
    });
    publish(&mut w, bob, 1, all, "com.log.a");
    publish(&mut w, bob, 2, json!({}), "com.log.b");
    publish(&mut w, bob, 3, json!({ "retain": true }), "com.other");
    publish(&mut w, bob, 4, json!({}), "com.other");
    let read = |w: &mut Wamp| {
        let bob = w.join_as("realm1", "bob", "trusted");
        w.say(bob, json!([48, 1, {}, "wamp.subscription.get_events", [1]]));
        let Value::Array(mut events) = w.hear(bob)[3][0].take() else { panic!("a list") };
        w.subscribe_with(bob, 2, json!({ "match": "prefix", "get_retained": true }), "com.");
        events.extend(w.hear_all(bob));
        w.lose(bob);
        events
    };
    let before = read(&mut w);
    assert_eq!(before.len(), 4, "{before:?}");
    let records = w.take_records();

    let mut w = Wamp::with_config(config(100));
    assert_eq!(w.restore("realm1", &records), Ok(3));
    assert_eq!(w.take_records(), []);
    assert_eq!(read(&mut w), before);
    // Everybody else still does not get what was not for it.
    assert_eq!(firsts(&history(&mut w), "args"), [2]);
    assert_eq!(firsts(&retained(&mut w), ""), [3]);
    w.advance_ms(100_000);
    assert_eq!(read(&mut w).len(), 3);
}

#[test]
fn how_far_an_event_is_trusted_is_told_after_a_restart_too() {
    let mut permissions = Role::allow_all("anonymous").permissions().to_vec();
    permissions[0].trustlevel = Some(7);
    let roles = vec![Role::new("anonymous", permissions)];
    let config = named([RealmConfig { roles, ..realm("realm1", 100) }]);
    let mut w = fresh(config.clone());
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({}), "com.log.a");
    assert_eq!(history(&mut w)[0]["details"]["trustlevel"], 7);
    let records = w.take_records();
    let mut w = Wamp::with_config(config);
    assert_eq!(w.restore("realm1", &records), Ok(1));
    assert_eq!(history(&mut w)[0]["details"]["trustlevel"], 7);
}

#[test]
fn what_a_store_has_is_never_more_than_what_is_kept() {
    let mut w = fresh(config(3));
    let [alice] = w.join("realm1");
    for n in 1..=50 {
        publish(&mut w, alice, n, json!({ "retain": n % 5 == 0 }), "com.log.a");
    }
    w.say(alice, json!([48, 51, {}, "wamplet.retention.clear", ["com.log.a"]]));
    w.expect(alice, json!([50, 51, {}, [1]]));
    publish(&mut w, alice, 52, json!({}), "com.nowhere");
    let mut store = MemoryStore::default();
    let records = w.take_records();
    store.write(records.clone());
    let kept = store.load("realm1").expect("memory does not fail");
    assert_eq!(kept.len(), 3);
    let mut w = Wamp::with_config(config(3));
    assert_eq!(w.restore("realm1", &records), Ok(3));
    assert_eq!(firsts(&history(&mut w), "args"), [48, 49, 50]);
    assert_eq!(retained(&mut w), [] as [Value; 0]);
}

#[test]
fn numbers_go_on_where_they_stood() {
    let mut w = fresh(config(100));
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({}), "com.log.a");
    let mut records = w.take_records();
    for n in 2..=4 {
        let mut w = Wamp::with_config(config(100));
        w.restore("realm1", &records).expect("its own records");
        let [alice] = w.join("realm1");
        publish(&mut w, alice, n, json!({}), "com.log.a");
        let new = w.take_records();
        assert!(new.iter().all(|record| records.iter().all(|old| old.sequence < record.sequence)));
        records.extend(new);
    }
    assert_eq!(w.restore("realm1", &records[1..]), Ok(3));
    assert_eq!(firsts(&history(&mut w), "args"), [1, 2, 3, 4]);
}

#[test]
fn events_that_are_there_already_are_not_taken_back() {
    let mut w = fresh(config(100));
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({}), "com.log.a");
    let records = w.take_records();
    let error = w.restore("realm1", &records).expect_err("it is there");
    assert!(error.to_string().ends_with("it is not behind the events before it"), "{error}");
    assert_eq!(firsts(&history(&mut w), "args"), [1]);
}

#[test]
fn what_has_no_place_any_more_is_forgotten_by_the_store_too() {
    let mut w = fresh(config(100));
    let [alice] = w.join("realm1");
    for n in 1..=6 {
        publish(&mut w, alice, n, json!({}), "com.log.a");
    }
    publish(&mut w, alice, 7, json!({ "retain": true, "x_retain_ms": 1 }), "com.other");
    publish(&mut w, alice, 8, json!({ "retain": true, "x_retain_ms": 1 }), "com.log.b");
    publish(&mut w, alice, 9, json!({ "retain": true }), "com.none");
    let records = w.take_records();
    let mut w = Wamp::with_config(config_without("com.none", 2));
    w.advance_ms(5);
    assert_eq!(w.restore("realm1", &records), Ok(7));
    assert_eq!(firsts(&history(&mut w), "args"), [6, 8]);
    assert_eq!(retained(&mut w), [] as [Value; 0]);
    let mut store = MemoryStore::default();
    store.write(records);
    store.write(w.take_records());
    let kept = store.load("realm1").expect("memory does not fail");
    assert_eq!(kept.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [6, 8]);
}

#[test]
fn a_retained_event_that_had_to_leave_the_history_does_not_come_back_into_it() {
    let mut w = fresh(config(2));
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({ "retain": true }), "com.log.kept");
    for n in 2..=5 {
        publish(&mut w, alice, n, json!({}), "com.log.a");
    }
    assert_eq!(firsts(&history(&mut w), "args"), [4, 5]);
    let records = w.take_records();

    let mut w = Wamp::with_config(config(100));
    assert_eq!(w.restore("realm1", &records), Ok(3));
    assert_eq!(firsts(&history(&mut w), "args"), [4, 5]);
    assert_eq!(firsts(&retained(&mut w), ""), [1]);
}

#[test]
fn an_event_that_was_not_retained_for_a_while_is_in_the_history_alone() {
    let mut w = fresh(config(100));
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({ "retain": true }), "com.log.a");
    let mut records = w.take_records();
    let mut w = Wamp::with_config(config_without("com.log.a", 100));
    assert_eq!(w.restore("realm1", &records), Ok(1));
    records.extend(w.take_records());
    let mut w = Wamp::with_config(config(100));
    assert_eq!(w.restore("realm1", &records), Ok(1));
    assert_eq!(firsts(&history(&mut w), "args"), [1]);
    assert_eq!(retained(&mut w), [] as [Value; 0]);
}

#[test]
fn what_is_for_sessions_alone_is_not_recorded() {
    let mut w = fresh(config(100));
    let [alice, bob] = w.join("realm1");
    publish(&mut w, alice, 1, json!({ "retain": true, "eligible": [bob.session] }), "com.other");
    assert_eq!(w.take_records(), []);
    publish(&mut w, alice, 2, json!({ "retain": true, "exclude": [bob.session] }), "com.other");
    let records = w.take_records();
    let mut w = Wamp::with_config(config(100));
    assert_eq!(w.restore("realm1", &records), Ok(1));
    // The same seed, and so the same ids again.
    let [_, bob] = w.join("realm1");
    assert_eq!(firsts(&retained(&mut w), ""), [2]);
    w.subscribe_with(bob, 1, json!({ "get_retained": true }), "com.other");
    w.expect_silence();
}

#[test]
fn a_realm_in_memory_records_nothing() {
    let mut of_memory = realm("realm1", 100);
    of_memory.store.as_mut().expect("it has one").kind = StoreKind::Memory;
    let mut w = Wamp::with_config(named([of_memory, RealmConfig::open("realm2"), realm("realm3", 1)]));
    assert_eq!(w.router.persistent_realms().collect::<Vec<_>>(), ["realm3"]);
    for name in ["realm1", "realm2", "realm4"] {
        assert_eq!(w.restore(name, &[]), Err(RestoreError::NoSuchRealm(name.into())));
    }
    let [alice] = w.join("realm1");
    publish(&mut w, alice, 1, json!({ "retain": true }), "com.log.a");
    let [carol] = w.join("realm3");
    publish(&mut w, carol, 1, json!({}), "com.log.a");
    assert_eq!(w.take_records(), [], "nobody said that it is written");
}

#[test]
fn records_that_no_router_wrote_are_named() {
    let event = |head: &str| {
        let payload = EncodedPayload::from_values(&Values::args([json!(1)]));
        Some(RecordedEvent { head: head.into(), payload })
    };
    for head in [
        "",
        "{}",
        "[16,1,{},\"com.log.a\"",
        "[16,1,{},\"com.log.a\"\n",
        "[16,1,{},\"com.log.a\"\n[]",
        "[16,1,{},\"com.log.a\"\n[null,null,false,null,null,null,null,true]",
        "[48,1,{},\"com.log.a\"\n[1,null,false,null,null,null,null,true]",
        "[16,1,{\"retain\":7},\"com.log.a\"\n[1,null,false,null,null,null,null,true]",
    ] {
        let mut w = Wamp::with_config(config(100));
        let record = Record { realm: "realm1".into(), sequence: 7, event: event(head) };
        let Err(error) = w.restore("realm1", &[record]) else { panic!("{head:?} was read") };
        assert!(error.to_string().starts_with("the event 7 of realm 'realm1' cannot be read: "), "{error}");
    }
    let mut w = Wamp::with_config(config(100));
    let head = "[16,1,{},\"com.log.a\"\n[1,null,false,null,null,null,null,true]";
    let record = Record { realm: "realm1".into(), sequence: 7, event: event(head) };
    assert_eq!(w.restore("realm1", &[record]), Ok(1));
}

#[test]
fn a_program_that_holds_a_router_brings_its_store() {
    let store = MemoryStore::default();
    let new = || {
        let config = Config { limits: Limits::default(), ..config(100) };
        LocalRouter::with_store(config, [7; 32], Now::default, Box::new(store.clone()))
            .expect("memory does not fail")
    };
    let router = new();
    let alice = router.join("realm1").expect("it is there");
    block_on(alice.publish("com.log.a", &Values::args([json!(1)]))).expect("it may publish");
    drop((alice, router));
    let router = new();
    let bob = router.join("realm1").expect("it is there");
    let events = block_on(bob.call("wamp.subscription.get_events", &Values::args([json!(1)])));
    assert_eq!(events.expect("it may read").args[0][0]["args"], json!([1]));
    let options = SubscribeOptions { match_policy: MatchPolicy::Prefix, get_retained: true };
    let mut later = block_on(bob.subscribe_with("com.", options)).expect("it may subscribe");
    let carol = router.join("realm1").expect("it is there");
    block_on(carol.publish("com.new", &Values::default())).expect("it may publish");
    assert_eq!(block_on(later.next()).expect("an event").topic.as_deref(), Some("com.new"));
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The tables are walked after each input: see `Broker::check`.
#[test]
fn whatever_is_published_a_router_with_its_records_has_what_the_old_one_had() {
    for seed in 0..30u64 {
        let mut state = seed;
        let mut below = |end: u64| next(&mut state) % end;
        let limits = Limits {
            retained_topics: 1 + below(6) as usize,
            retained_length: 1_500 + below(3_000) as usize,
            history_length: 1_500 + below(5_000) as usize,
            ..Limits::default()
        };
        // What is retained already stays under new rules, and would not be taken back under them.
        let rule = RetentionRule {
            uri: "com.log.b".into(),
            match_policy: MatchPolicy::Exact,
            limit: below(4) as usize,
            expires_after_s: Some(1 + below(20)),
        };
        let configs = [1 + below(9), 1 + below(9)].map(|limit| {
            let mut realm = realm("realm1", limit as usize);
            let store = realm.store.as_mut().expect("it has one");
            store.history.push(HistoryRule {
                uri: ".log.a".into(),
                match_policy: MatchPolicy::Wildcard,
                limit: 3,
            });
            store.retention = vec![rule.clone()];
            Config { limits: limits.clone(), ..named([realm]) }
        });
        let mut current = 0;
        let mut w = fresh(configs[0].clone());
        let mut records = Vec::new();
        let mut alice = w.join_as("realm1", "alice", "trusted");
        let mut request = 0;
        for _ in 0..150 {
            let topic =
                format!("com.{}.{}", ["log", "other"][below(2) as usize], ["a", "b", "c"][below(3) as usize]);
            request += 1;
            match below(20) {
                0 => {
                    w.say(alice, json!([48, request, {}, "wamplet.retention.clear", [topic]]));
                    w.hear(alice);
                }
                1 => {
                    request -= 1;
                    w.advance_ms(below(10_000));
                }
                2 => {
                    request -= 1;
                    current = 1 - current;
                    w.reload(configs[current].clone());
                }
                3 => {
                    let before = (firsts(&retained(&mut w), ""), firsts(&history(&mut w), "args"));
                    records.extend(w.take_records());
                    let passed = w.unix_ns();
                    w = Wamp::with_config(configs[current].clone());
                    w.advance_ms((passed - w.unix_ns()) / 1_000_000);
                    w.restore("realm1", &records).expect("its own records");
                    records.extend(w.take_records());
                    let after = (firsts(&retained(&mut w), ""), firsts(&history(&mut w), "args"));
                    assert_eq!(after.0, before.0, "seed {seed}");
                    // What had to leave its history, and is retained, may find room there again.
                    assert!(after.1.ends_with(&before.1), "seed {seed}: {after:?} {before:?}");
                    alice = w.join_as("realm1", "alice", "trusted");
                    request = 0;
                }
                _ => {
                    let options = match below(7) {
                        0 => json!({}),
                        1 => json!({ "retain": true, "eligible_authrole": ["trusted"] }),
                        2 => json!({ "retain": true, "exclude_authid": ["alice"] }),
                        3 => json!({ "retain": true, "x_retain_ms": 1 + below(20_000) }),
                        4 => json!({ "eligible": [alice.session] }),
                        _ => json!({ "retain": true }),
                    };
                    let text = "x".repeat(below(600) as usize);
                    w.say(alice, json!([16, request, options, topic, [below(1_000_000), text]]));
                }
            }
        }
    }
}

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wamplet-store-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(realm: &str, sequence: u64, text: Option<&str>) -> Record<EncodedPayload> {
    let event = text.map(|text| RecordedEvent {
        head: format!("head of {text}"),
        payload: EncodedPayload::from_values(&Values::args([json!(text)])),
    });
    Record { realm: realm.into(), sequence, event }
}

fn texts(store: &mut dyn EventStore, realm: &str) -> Vec<(u64, Value)> {
    let events = store.load(realm).expect("a good file").into_iter();
    let events = events.map(|(sequence, event)| {
        let values = event.payload.to_values().expect("a good tail");
        assert_eq!(event.head, format!("head of {}", values.args[0].as_str().expect("a text")));
        (sequence, values.args[0].clone())
    });
    events.collect()
}

#[test]
fn a_file_has_the_last_word_on_each_event_of_each_realm() {
    let folder = Folder::new("last-word");
    let path = folder.file("events.redb");
    let mut store = RedbStore::open(&path).expect("a new file");
    assert_eq!(texts(&mut store, "one"), []);
    store.write(vec![
        record("one", 1, Some("a")),
        record("one", 2, Some("b")),
        record("one", 3, Some("c")),
        record("onetwo", 1, Some("x")),
        record("one", 2, None),
        record("one", 3, Some("d")),
    ]);
    drop(store);
    let mut store = RedbStore::open(&path).expect("its own file");
    assert_eq!(texts(&mut store, "one"), [(1, json!("a")), (3, json!("d"))]);
    assert_eq!(texts(&mut store, "onetwo"), [(1, json!("x"))]);
    assert_eq!(texts(&mut store, "on"), []);
    store.write(vec![record("one", 1, None), record("one", 4, Some("e"))]);
    drop(store);
    let mut store = RedbStore::open(&path).expect("its own file");
    assert_eq!(texts(&mut store, "one"), [(3, json!("d")), (4, json!("e"))]);
}

#[test]
fn a_file_that_is_open_already_is_named() {
    let folder = Folder::new("open");
    let path = folder.file("events.redb");
    let store = RedbStore::open(&path).expect("a new file");
    let error = RedbStore::open(&path).expect_err("it is open").to_string();
    assert!(error.contains(path.to_str().expect("a plain path")), "{error}");
    drop(store);
    RedbStore::open(&path).expect("it is closed");
    let nowhere = folder.file("nowhere/events.redb");
    let error = RedbStore::open(&nowhere).expect_err("there is no such folder").to_string();
    assert!(error.contains("nowhere/events.redb"), "{error}");
}

/// A node with a history and a database beside its configuration.
fn persistent_node(store: Value) -> Value {
    let mut node = node(json!([{ "type": "rawsocket", "endpoint": loopback() }]));
    let realm = &mut node["workers"][0]["realms"][0];
    realm["store"] = json!({
        "type": "database",
        "event-history": [{ "uri": "com.log", "match": "prefix", "limit": 100 }],
    });
    realm["store"].as_object_mut().expect("an object").extend(store.as_object().expect("an object").clone());
    node
}

/// The binary with the configuration in a folder that outlives it.
fn start(folder: &Folder, node: &Value) -> Process {
    let file = folder.file("config.json");
    fs::write(&file, node.to_string()).expect("a temporary file");
    let own = folder.file("run");
    fs::create_dir_all(&own).expect("a temporary folder");
    Process::start_with(
        own,
        &["start", "--config", file.to_str().expect("a plain path"), "--log-level", "debug"],
    )
}

/// Waits until the log says that so many records were written.
fn wait_for_records(router: &mut Process, mut count: usize) {
    while count > 0 {
        let line = router.wait_for("written records=");
        let written = line.split("records=").nth(1).and_then(|rest| rest.split(' ').next());
        count -=
            written.and_then(|written| written.trim().parse::<usize>().ok()).expect("a number").min(count);
    }
}

fn kept(client: &mut RawClient) -> (Vec<u64>, Vec<Value>) {
    let events = client.call("wamp.subscription.get_events", json!([1]));
    let history = events[0].as_array().expect("a list").iter();
    let history = history.map(|event| event["args"][0].as_u64().expect("a number")).collect();
    let subscribed = client.request(32, &[json!({ "get_retained": true }), json!("com.state")]);
    assert_eq!(subscribed[0], 33, "{subscribed}");
    // The answer of a call comes behind the retained events.
    client.post(48, &[json!({}), json!("wamp.session.count")]);
    let mut retained = Vec::new();
    loop {
        let mut message = client.receive();
        if message[0] == 50 {
            return (history, retained);
        }
        retained.push(message[4].take());
    }
}

#[test]
fn events_survive_a_router_that_is_told_to_end_and_one_that_is_killed() {
    let folder = Folder::new("killed");
    let node = persistent_node(json!({}));
    let publish = |client: &mut RawClient, n: u64| {
        client.publish("com.log.a", json!([n]));
        let retain = json!({ "acknowledge": true, "retain": true });
        assert_eq!(client.request(16, &[retain, json!("com.state"), json!([n])])[0], 17);
    };

    let mut router = start(&folder, &node);
    let mut client = RawClient::join(router.tcp_address());
    publish(&mut client, 1);
    publish(&mut client, 2);
    router.signal("TERM");
    assert_eq!(client.receive()[0], 6);
    client.send(&json!([6, {}, "wamp.close.goodbye_and_out"]));
    assert_eq!(router.exit_code(), Some(0));
    assert!(folder.file("events.redb").is_file(), "beside the configuration");

    let mut router = start(&folder, &node);
    let mut client = RawClient::join(router.tcp_address());
    assert_eq!(kept(&mut client), (vec![1, 2], vec![json!([2])]));
    publish(&mut client, 3);
    wait_for_records(&mut router, 2);
    router.signal("KILL");
    assert_eq!(router.exit_code(), None);

    let mut router = start(&folder, &node);
    let mut client = RawClient::join(router.tcp_address());
    assert_eq!(kept(&mut client), (vec![1, 2, 3], vec![json!([3])]));
    // Killed in the midst of it: what is there is the beginning of what was published.
    for n in 4..=60 {
        publish(&mut client, n);
    }
    router.signal("KILL");
    router.exit_code();
    let mut router = start(&folder, &node);
    let mut client = RawClient::join(router.tcp_address());
    let (history, retained) = kept(&mut client);
    assert_eq!(history, (1..=history.len() as u64).collect::<Vec<_>>());
    assert!(history.len() >= 3);
    let last = history.len() as u64;
    assert!(retained == [json!([last])] || retained == [json!([last - 1])], "{retained:?} beside {last}");
}

/// Sets how long the files of a process may become; `None` is without end.
#[cfg(target_os = "linux")]
fn limit_files(router: &Process, length: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let pid = i32::try_from(router.id()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: length, maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("the limit of a child");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_was_full_for_a_while_costs_no_event() {
    let folder = Folder::new("full");
    let node = persistent_node(json!({}));
    let file = folder.file("config.json");
    fs::write(&file, node.to_string()).expect("a temporary file");
    let own = folder.file("run");
    fs::create_dir_all(&own).expect("a temporary folder");
    let mut command = Command::new("sh");
    // What is too long for its limit fails to be written, rather than end the process.
    command.args(["-c", "trap '' XFSZ; exec \"$0\" start --log-level debug --config \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_wamplet")).arg(&file);
    let mut router = Process::run(own, command);
    let mut client = RawClient::join(router.tcp_address());
    client.publish("com.log.a", json!([1]));
    wait_for_records(&mut router, 1);
    limit_files(&router, Some(0));
    for n in 2..=40 {
        client.publish("com.log.a", json!([n]));
    }
    router.wait_for("cannot be written: ");
    client.publish("com.log.a", json!([41]));
    limit_files(&router, None);
    wait_for_records(&mut router, 40);
    client.publish("com.log.a", json!([42]));
    wait_for_records(&mut router, 1);
    limit_files(&router, Some(0));
    client.publish("com.log.a", json!([43]));
    router.wait_for("cannot be written: ");
    drop(client);
    router.signal("TERM");
    router.wait_for("could not be written: 1 records are lost");
    router.exit_code();

    let mut router = start(&folder, &node);
    let mut client = RawClient::join(router.tcp_address());
    assert_eq!(kept(&mut client).0, (1..=42).collect::<Vec<_>>());
}

fn run_to_its_end(folder: &Folder) -> Output {
    let file = folder.file("config.json");
    let arguments = ["start", "--config", file.to_str().expect("a plain path"), "--log-level", "off"];
    Command::new(env!("CARGO_BIN_EXE_wamplet")).args(arguments).output().expect("the binary was built")
}

#[test]
fn a_damaged_file_ends_the_start_with_its_name_and_stays_as_it_is() {
    let folder = Folder::new("damaged");
    let path = folder.file("data.redb");
    let node = persistent_node(json!({ "path": "data.redb" }));
    fs::write(folder.file("config.json"), node.to_string()).expect("a temporary file");
    let mut store = RedbStore::open(&path).expect("a new file");
    let long = "x".repeat(1_000);
    store.write((1..200).map(|sequence| record("realm1", sequence, Some(&long))).collect());
    drop(store);
    let good = fs::read(&path).expect("it was written");
    let damage = |name: &str, bytes: Vec<u8>| {
        fs::write(&path, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = run_to_its_end(&folder);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{name}: {said}");
        let expected = format!("error: the event store {}: ", path.display());
        assert!(said.contains(&expected), "{name}: {said}");
        assert_eq!(fs::read(&path).expect("it is there").len(), bytes.len(), "{name}");
    };
    damage("no database", b"my shopping list".repeat(1_000));
    damage("cut off", good[..good.len() / 2].to_vec());
    let at = good.windows(16).position(|window| window == b"xxxxxxxxxxxxxxxx").expect("an event");
    let page = at / 4_096 * 4_096;
    let mut zeroed = good.clone();
    zeroed[page..page + 4_096].fill(0);
    damage("a page of zeros", zeroed);
    let mut flipped = good.clone();
    flipped[at] ^= 1;
    damage("a bit", flipped);
    // A good file with events of somebody else.
    fs::write(&path, &good).expect("a temporary file");
    damage("other records", good);
}

#[test]
fn realms_share_a_file_or_have_one_each() {
    let folder = Folder::new("realms");
    let mut node = persistent_node(json!({ "path": "shared.redb" }));
    let realms = &mut node["workers"][0]["realms"];
    for (name, path) in [("realm2", "shared.redb"), ("realm3", "alone.redb")] {
        let mut realm = realms[0].clone();
        realm["name"] = name.into();
        realm["store"]["path"] = path.into();
        realms.as_array_mut().expect("a list").push(realm);
    }
    for round in 0..2u64 {
        let mut router = start(&folder, &node);
        let address = router.tcp_address();
        for (position, name) in (0..).zip(["realm1", "realm2", "realm3"]) {
            let mut client = RawClient::connect(address);
            client.hello(name);
            let before: Vec<u64> = (0..round).map(|round| position * 10 + round).collect();
            assert_eq!(kept(&mut client).0, before, "{name}");
            client.publish("com.log.a", json!([position * 10 + round]));
        }
        wait_for_records(&mut router, 3);
        router.signal("KILL");
        router.exit_code();
    }
    assert!(folder.file("shared.redb").is_file() && folder.file("alone.redb").is_file());
    assert!(!Path::new(&folder.file("events.redb")).exists());
}

#[test]
fn a_realm_that_was_gone_for_a_while_is_said_to_be_in_memory_only() {
    let mut node = persistent_node(json!({}));
    let mut router = Process::start("gone", &node);
    router.wait_for("wamplet is ready");
    let is_told = |lines: Vec<String>| lines.iter().any(|line| line.contains("in memory only until"));
    assert!(!is_told(router.reload(&node)), "it is in the file");
    let realm = node["workers"][0]["realms"][0].take();
    let mut other = realm.clone();
    other["name"] = "realm2".into();
    other["store"] = json!({});
    node["workers"][0]["realms"][0] = other;
    router.reload(&node);
    node["workers"][0]["realms"][0] = realm;
    assert!(is_told(router.reload(&node)), "what it had went with it, and the file is read at the start");
}
