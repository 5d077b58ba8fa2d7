//! Audience: a publisher narrows down who gets its event. [wamp: advanced/pubsub_subscriber_blackwhite_listing,
//! advanced/pubsub_publisher_exclusion]

mod common;

use common::{Peer, Wamp, all_roles};
use serde_json::{Value, json};

/// A publisher and three others, all subscribed to one topic.
struct Room {
    w: Wamp,
    peers: [Peer; 4],
    authids: [String; 4],
    requests: u64,
}

impl Room {
    fn new() -> Self {
        let mut w = Wamp::new();
        let joined = [(); 4].map(|()| {
            let peer = w.open();
            let (peer, details) = w.hello_with(peer, "realm1", json!({ "roles": all_roles() }));
            w.subscribe(peer, 1, "com.myapp.topic1");
            (peer, details["authid"].as_str().expect("an authid").to_owned())
        });
        let authids = joined.clone().map(|(_, authid)| authid);
        Self { w, peers: joined.map(|(peer, _)| peer), authids, requests: 1 }
    }

    fn session(&self, index: usize) -> u64 {
        self.peers[index].session
    }

    /// Peer 0 publishes; who gets it?
    fn reached_by(&mut self, options: Value) -> Vec<usize> {
        self.requests += 1;
        self.w.say(self.peers[0], json!([16, self.requests, options, "com.myapp.topic1"]));
        let reached = (0..4).filter(|index| match self.w.hear_all(self.peers[*index]).as_slice() {
            [] => false,
            [event] => event[0] == 36,
            more => panic!("at most one event each, found {more:?}"),
        });
        let reached = reached.collect();
        self.w.expect_silence();
        reached
    }
}

#[test]
fn everybody_but_the_publisher_gets_an_event_without_lists() {
    let mut room = Room::new();
    assert_eq!(room.reached_by(json!({})), [1, 2, 3]);
    assert_eq!(room.reached_by(json!({ "exclude_me": true })), [1, 2, 3]);
    assert_eq!(room.reached_by(json!({ "exclude_me": false })), [0, 1, 2, 3]);
}

#[test]
fn excluded_sessions_do_not_get_the_event() {
    let mut room = Room::new();
    let (one, three) = (room.session(1), room.session(3));
    assert_eq!(room.reached_by(json!({ "exclude": [one] })), [2, 3]);
    assert_eq!(room.reached_by(json!({ "exclude": [one, three, 7] })), [2]);
    let authids = [room.authids[2].clone(), "NOBODY".into()];
    assert_eq!(room.reached_by(json!({ "exclude_authid": authids })), [1, 3]);
    assert_eq!(room.reached_by(json!({ "exclude_authrole": ["anonymous"] })), [] as [usize; 0]);
    assert_eq!(room.reached_by(json!({ "exclude_authrole": ["admin", "anonymou"] })), [1, 2, 3]);
}

#[test]
fn only_eligible_sessions_get_the_event() {
    let mut room = Room::new();
    let (one, three) = (room.session(1), room.session(3));
    assert_eq!(room.reached_by(json!({ "eligible": [three, one, 7] })), [1, 3]);
    let authid = room.authids[2].clone();
    assert_eq!(room.reached_by(json!({ "eligible_authid": [authid] })), [2]);
    assert_eq!(room.reached_by(json!({ "eligible_authrole": ["admin", "anonymous"] })), [1, 2, 3]);
    assert_eq!(room.reached_by(json!({ "eligible_authrole": ["admin"] })), [] as [usize; 0]);
}

#[test]
fn an_empty_eligible_list_is_for_nobody_and_an_empty_exclude_list_for_everybody() {
    let mut room = Room::new();
    for key in ["eligible", "eligible_authid", "eligible_authrole"] {
        assert_eq!(room.reached_by(json!({ key: [] })), [] as [usize; 0], "{key}");
    }
    for key in ["exclude", "exclude_authid", "exclude_authrole"] {
        assert_eq!(room.reached_by(json!({ key: [] })), [1, 2, 3], "{key}");
    }
}

#[test]
fn a_list_that_is_null_is_absent() {
    let mut room = Room::new();
    assert_eq!(room.reached_by(json!({ "eligible": null, "exclude_authid": null })), [1, 2, 3]);
}

#[test]
fn a_receiver_passes_every_list() {
    let mut room = Room::new();
    let [_, one, two, three] = room.peers.map(|peer| peer.session);
    let authids = room.authids.clone();
    assert_eq!(room.reached_by(json!({ "eligible": [one, two, three], "exclude": [one] })), [2, 3]);
    assert_eq!(
        room.reached_by(json!({ "eligible": [one, two], "eligible_authid": [authids[2], authids[3]] })),
        [2]
    );
    assert_eq!(
        room.reached_by(json!({ "eligible": [one], "eligible_authrole": ["admin"] })),
        [] as [usize; 0]
    );
    assert_eq!(room.reached_by(json!({ "exclude": [one], "exclude_authid": [authids[2]] })), [3]);
    assert_eq!(
        room.reached_by(json!({ "eligible_authrole": ["anonymous"], "exclude_authrole": ["anonymous"] })),
        [] as [usize; 0]
    );
}

#[test]
fn being_eligible_does_not_bring_the_publisher_its_own_event() {
    let mut room = Room::new();
    let own = room.session(0);
    assert_eq!(room.reached_by(json!({ "eligible": [own] })), [] as [usize; 0]);
    assert_eq!(room.reached_by(json!({ "eligible": [own], "exclude_me": false })), [0]);
    assert_eq!(room.reached_by(json!({ "exclude": [own], "exclude_me": false })), [1, 2, 3]);
}

#[test]
fn lists_hold_for_pattern_subscriptions_too() {
    let mut w = Wamp::new();
    let [alice, bob, carol] = w.join("realm1");
    for peer in [bob, carol] {
        w.subscribe_with(peer, 1, json!({ "match": "prefix" }), "com.");
        w.subscribe_with(peer, 2, json!({ "match": "wildcard" }), "com..topic1");
    }
    w.say(alice, json!([16, 1, { "exclude": [bob.session] }, "com.myapp.topic1"]));
    assert_eq!(w.hear_all(carol).len(), 2);
    w.expect_silence();
}

#[test]
fn somebody_who_is_eligible_but_not_subscribed_gets_nothing() {
    let mut w = Wamp::new();
    let [alice, bob] = w.join("realm1");
    w.say(alice, json!([16, 1, { "eligible": [bob.session] }, "com.myapp.topic1"]));
    w.expect_silence();
}
