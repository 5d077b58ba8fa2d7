//! Testaments: what a session wants published when it has ended, however it ends.
//!
//! A testament is the PUBLISH that its session will not be there to send. Owns what is kept of it, and its publication:
//! as the session, with the permissions that it has then, or with what its authorizer said when it was added. How
//! testaments are added is in [`meta_api`](super::meta_api). [wamp: advanced/pubsub_testament]

use super::Router;
use super::context::Now;
use super::fault::{self, Refusal};
use super::outbox::Outbox;
use super::request::publication;
use super::session::Joined;
use crate::auth::authorizer::{Action, Decision};
use crate::codec::{self, DecodeLimits, Serializer};
use crate::config::Limits;
use crate::id::PublicationId;
use crate::message::Message;
use crate::payload::Payload;

/// When a testament is published. A session of this router is destroyed as soon as it is detached, so the one follows
/// the other at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    Detached,
    #[default]
    Destroyed,
}

/// The testaments of one session.
#[derive(Debug, Default)]
pub(crate) struct Testaments {
    /// In the order in which they were added.
    entries: Vec<Testament>,
    /// Bytes that all of them take.
    length: usize,
    /// What an authorizer has decided about the next one; it is asked before each.
    pub allowed: Option<Decision>,
}

#[derive(Debug)]
struct Testament {
    scope: Scope,
    publication: PublicationId,
    /// A PUBLISH in JSON.
    publish: Box<[u8]>,
    /// By an authorizer, which was asked when the testament was added.
    decision: Option<Decision>,
}

impl Scope {
    /// The scope with this name, if any.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "detached" => Some(Self::Detached),
            "destroyed" => Some(Self::Destroyed),
            _ => None,
        }
    }
}

impl Testaments {
    /// Adds a PUBLISH in JSON, unless that is one too many or they become too long.
    pub(crate) fn add(
        &mut self,
        scope: Scope,
        publication: PublicationId,
        publish: Box<[u8]>,
        decision: Option<Decision>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let length = self.length + publish.len();
        if self.entries.len() >= limits.testaments || length > limits.testament_length {
            let text = format!(
                "a session may have {} testaments of {} bytes altogether, and no more",
                limits.testaments, limits.testament_length
            );
            return Err(Refusal::new(fault::LIMIT_EXCEEDED, text));
        }
        self.length = length;
        self.entries.push(Testament { scope, publication, publish, decision });
        Ok(())
    }

    /// Takes away those of a scope; how many there were.
    pub(crate) fn flush(&mut self, scope: Scope) -> usize {
        let count = self.entries.len();
        self.entries.retain(|testament| testament.scope != scope);
        self.length = self.entries.iter().map(|testament| testament.publish.len()).sum();
        count - self.entries.len()
    }
}

impl<P: Payload> Router<P> {
    /// Publishes the testaments of a session that has left. Those that it may not publish any more, after a
    /// [`reload`](Self::reload), go unread.
    pub(super) fn publish_testaments(&mut self, joined: &Joined, now: Now, outbox: &mut Outbox<P>) {
        for scope in [Scope::Detached, Scope::Destroyed] {
            for testament in joined.testaments.entries.iter().filter(|testament| testament.scope == scope) {
                self.publish_testament(joined, testament, now, outbox);
            }
        }
    }

    fn publish_testament(
        &mut self,
        joined: &Joined,
        testament: &Testament,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Option<()> {
        // A list of who is excluded must not become shorter than it was.
        let decoded = codec::decode(Serializer::Json, &testament.publish, &DecodeLimits::OWN);
        let Ok((Message::Publish { options, topic, .. }, tail)) = decoded else { return None };
        let values =
            codec::decode_values(&testament.publish[tail.start..tail.end], tail.elements, Serializer::Json);
        let payload = P::from_values(&values.ok()?);
        let (realms, cx) = self.split(now, outbox);
        let realm = &mut realms[joined.realm];
        let role = &realm.config.roles[joined.role];
        let decision = match role.authorizer() {
            // Who is gone has nobody asked.
            Some(_) => testament.decision.unwrap_or_default(),
            None => role.authorize(&topic, Action::Publish),
        };
        if decision.allow {
            let id = testament.publication;
            let publication = publication(id, &topic, &options, decision, None, joined, payload);
            realm.broker.publish(publication, now, cx.limits, cx.sessions, cx.outbox);
        }
        Some(())
    }
}
