//! A router whose realm asks an authorizer, with that authorizer in the hands of the test.

use serde_json::{Value, json};
use wamplet::auth::Ask;
use wamplet::auth::authorizer::{Authorizer, Role};
use wamplet::config::{Config, RealmConfig};
use wamplet::router::TRUSTED;

use crate::common::{Peer, Wamp, named};

pub const AUTHORIZE: &str = "com.example.authorize";

/// A realm in which a procedure decides what anonymous sessions may do, and a role `user` for which it decides too.
pub fn realm() -> RealmConfig {
    let ask = Ask::Procedure { uri: AUTHORIZE.into(), realm: None };
    let dynamic = |name: &str| Role::dynamic(name, Authorizer::new(ask.clone()));
    let roles = vec![dynamic("anonymous"), dynamic("user"), Role::allow_all("free")];
    RealmConfig { roles, ..RealmConfig::open("realm1") }
}

/// A router with an authorizer, and its clients.
pub struct Guarded {
    pub w: Wamp,
    pub authorizer: Peer,
    /// Of the last INVOCATION.
    pub asked: u64,
}

impl Guarded {
    pub fn new() -> Self {
        Self::with_config(named([realm()]))
    }

    pub fn with_config(config: Config) -> Self {
        let mut w = Wamp::with_config(config);
        let authorizer = w.join_as("realm1", "authorizer", TRUSTED);
        w.register(authorizer, 1, AUTHORIZE);
        Self { w, authorizer, asked: 0 }
    }

    /// The authorizer is asked this: `[session details, URI, action, options]`.
    #[track_caller]
    pub fn expect_asked(&mut self, question: Value) -> Value {
        self.asked += 1;
        let mut invocation = self.w.expect(self.authorizer, json!([68, self.asked, "*", {}, question]));
        invocation[4].take()
    }

    pub fn decide(&mut self, answer: Value) {
        self.w.say(self.authorizer, json!([70, self.asked, {}, [answer]]));
    }

    /// The authorizer is asked about this action on this URI, and answers.
    #[track_caller]
    pub fn decided(&mut self, uri: &str, action: &str, answer: Value) {
        self.expect_asked(json!(["*", uri, action, "*"]));
        self.decide(answer);
    }

    /// The peer subscribes, and may.
    #[track_caller]
    pub fn subscribe(&mut self, peer: Peer, request: u64, topic: &str) -> u64 {
        self.w.say(peer, json!([32, request, {}, topic]));
        self.decided(topic, "subscribe", json!(true));
        self.w.expect(peer, json!([33, request, "*"]))[2].as_u64().expect("a subscription id")
    }

    /// The peer publishes to this topic; the authorizer allows it, and wants that remembered.
    #[track_caller]
    pub fn allowed_with_cache(&mut self, peer: Peer, request: u64, topic: &str) {
        self.w.publish(peer, request, topic);
        self.decided(topic, "publish", json!({ "allow": true, "cache": true }));
    }

    /// Whether the peer may publish to this topic without anybody being asked; `None` if somebody is, who says no.
    pub fn known(&mut self, peer: Peer, request: u64, topic: &str) -> Option<bool> {
        self.w.say(peer, json!([16, request, { "acknowledge": true }, topic]));
        let invocations = self.w.hear_all(self.authorizer);
        if !invocations.is_empty() {
            self.asked += 1;
            self.decide(json!(false));
        }
        let is_published = self.w.hear(peer)[0] == 17;
        invocations.is_empty().then_some(is_published)
    }
}
