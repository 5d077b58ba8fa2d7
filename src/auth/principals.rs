//! Principals: whom a configuration knows.
//!
//! Owns the way from an authid to what its client must prove and what it gets then. What a credential is, is for each method
//! to say.

use foldhash::fast::FixedState;

use super::{Authenticator, Grant};
use crate::router::pattern_index::SeededMap;

/// Where a method looks up whom it lets in.
#[derive(Clone, Debug)]
pub enum Provider<C> {
    /// `type: static`.
    Static(Principals<C>),
    /// `type: dynamic` and `type: function`.
    Dynamic(Authenticator),
}

/// One client that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal<C> {
    /// What the client calls itself.
    pub authid: String,
    /// What it must prove that it has.
    pub credential: C,
    /// What it gets then.
    pub grant: Grant,
}

/// All that a method knows.
#[derive(Clone, Debug)]
pub struct Principals<C> {
    list: Vec<Principal<C>>,
    /// authid -> position in `list`
    by_authid: SeededMap<Box<str>, u64>,
}

impl<C> Principals<C> {
    /// These principals; of two with the same authid the later one holds.
    pub fn new(list: Vec<Principal<C>>) -> Self {
        // The configuration's authids are nobody's to choose, so the seed needs no chance.
        let mut by_authid = SeededMap::with_hasher(FixedState::with_seed(0));
        for (position, principal) in (0..).zip(&list) {
            by_authid.insert(principal.authid.as_str().into(), position);
        }
        Self { list, by_authid }
    }

    /// In the order in which they were given.
    pub fn list(&self) -> &[Principal<C>] {
        &self.list
    }

    /// The principal that calls itself so.
    pub(super) fn find(&self, authid: &str) -> Option<&Principal<C>> {
        self.by_authid.get(authid).and_then(|position| self.list.get(*position as usize))
    }
}
