//! What the authorizers of a realm have decided, for as long as they let it be remembered.
//!
//! Owns the cache. By authid, role, action and URI with its match policy: sessions of one principal share what was decided
//! about one of them. Never larger than [`Limits::authorization_cache`](crate::config::Limits::authorization_cache): a
//! full cache is emptied, and fills anew with what is asked for.

use foldhash::fast::FixedState;

use super::pattern_index::SeededMap;
use super::session::Joined;
use crate::auth::authorizer::{Action, Decision, Disclosure};
use crate::uri::MatchPolicy;

/// The remembered decisions of one realm.
#[derive(Debug)]
pub(crate) struct Decisions {
    /// key -> the millisecond in which it is too old, and behind it a bit each for `allow` and `disclose`.
    ///
    /// One number rather than a struct: this map is then the same as others, and in the binary once.
    decided: SeededMap<Box<str>, u64>,
    /// How often it was purged: what was asked before is not to be remembered afterwards.
    purges: u64,
}

/// What a decision is about, as text.
pub(crate) type DecisionKey = Box<str>;

impl Decisions {
    pub(crate) fn new(seed: u64) -> Self {
        Self { decided: SeededMap::with_hasher(FixedState::with_seed(seed)), purges: 0 }
    }

    /// The name of a decision.
    pub(crate) fn key(joined: &Joined, uri: &str, policy: MatchPolicy, action: Action) -> DecisionKey {
        let mut key = prefix(&joined.authid);
        key.push_str(&prefix(&joined.authrole));
        key.push_str(action.name());
        key.push(' ');
        key.push_str(policy.as_str());
        key.push(' ');
        key.push_str(uri);
        key.into()
    }

    /// What was decided, if that is not too old.
    pub(crate) fn get(&self, key: &str, now_ms: u64) -> Option<Decision> {
        let decided = *self.decided.get(key)?;
        let disclose = if decided & DISCLOSE == 0 { Disclosure::OnRequest } else { Disclosure::Always };
        let decision = Decision { allow: decided & ALLOW != 0, disclose, trustlevel: None };
        (decided >> BITS > now_ms).then_some(decision)
    }

    /// Remembers a decision until `end_ms`, in a cache of at most so many.
    pub(crate) fn insert(&mut self, key: DecisionKey, decision: Decision, end_ms: u64, most: usize) {
        if self.decided.len() >= most {
            self.decided.clear();
        }
        let allow = if decision.allow { ALLOW } else { 0 };
        let disclose = if decision.disclose == Disclosure::Always { DISCLOSE } else { 0 };
        self.decided.insert(key, end_ms.min(u64::MAX >> BITS) << BITS | allow | disclose);
    }

    /// How many decisions there are about the sessions of this authid, or about all.
    pub(crate) fn count(&self, authid: Option<&str>) -> usize {
        let Some(prefix) = authid.map(prefix) else { return self.decided.len() };
        self.decided.keys().filter(|key| key.starts_with(&*prefix)).count()
    }

    /// Forgets these.
    pub(crate) fn purge(&mut self, authid: Option<&str>) {
        self.purges += 1;
        match authid.map(prefix) {
            Some(prefix) => self.decided.retain(|key, _| !key.starts_with(&*prefix)),
            None => self.decided.clear(),
        }
    }

    /// How often it was purged until now.
    pub(crate) fn purges(&self) -> u64 {
        self.purges
    }
}

/// A part of a key with its length before it: no part can pass for more than itself.
fn prefix(part: &str) -> String {
    let mut prefix = part.len().to_string();
    prefix.push(' ');
    prefix.push_str(part);
    prefix
}

const BITS: u32 = 2;
const ALLOW: u64 = 1;
const DISCLOSE: u64 = 2;
