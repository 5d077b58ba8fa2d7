//! A realm: its roles, its sessions, and the broker and dealer that serve them.
//!
//! Owns who has joined. What a session's messages cause is in [`router`](super), [`broker`](super::broker) and
//! [`dealer`](super::dealer).

use foldhash::fast::FixedState;

use super::broker::Broker;
use super::context::Random;
#[cfg(feature = "native")]
use super::counters::ByType;
use super::dealer::Dealer;
use super::decisions::Decisions;
use super::pattern_index::{SeededMap, sorted};
use crate::auth::TRUSTED;
use crate::auth::authorizer::Role;
use crate::config::RealmConfig;
use crate::id::{SessionId, SessionKey};
use crate::payload::Payload;

/// A realm that serves sessions.
#[derive(Debug)]
pub(crate) struct Realm<P> {
    pub config: RealmConfig,
    /// Came into being with a HELLO, and goes with its last session.
    pub transient: bool,
    pub sessions: SeededMap<SessionId, SessionKey>,
    pub broker: Broker<P>,
    pub dealer: Dealer<P>,
    /// Of the authorizers.
    pub decisions: Decisions,
    #[cfg(feature = "native")]
    pub received: ByType,
    #[cfg(feature = "native")]
    pub sent: ByType,
}

impl<P: Payload> Realm<P> {
    /// An empty realm at position `index` of the router.
    pub(crate) fn new(config: RealmConfig, transient: bool, index: usize, random: &mut Random) -> Self {
        let (sessions, broker, dealer) = (random.next_u64(), random.next_u64(), random.next_u64());
        let broker = Broker::new(config.store.as_ref(), broker);
        Self {
            config,
            transient,
            sessions: SeededMap::with_hasher(FixedState::with_seed(sessions)),
            broker,
            dealer: Dealer::new(index, dealer),
            decisions: Decisions::new(dealer),
            #[cfg(feature = "native")]
            received: ByType::default(),
            #[cfg(feature = "native")]
            sent: ByType::default(),
        }
    }

    /// The position of the role with this name.
    pub(crate) fn role(&mut self, name: &str) -> Option<usize> {
        let roles = &mut self.config.roles;
        let position = roles.iter().position(|role| role.name() == name);
        if position.is_none() && name == TRUSTED {
            roles.push(Role::allow_all(TRUSTED));
            return Some(roles.len() - 1);
        }
        position
    }

    /// The sessions, sorted by id.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionKey> {
        sorted(self.sessions.keys().map(|id| id.0)).into_iter().map(|id| self.sessions[&SessionId(id)])
    }
}
