//! `store.call-queue` of a realm: which calls wait where all callees of their procedure are busy.
//!
//! Owns the choice of the one rule that decides about a procedure. Calls wait in the
//! [`router`](crate::router).

use crate::router::pattern_index::PatternIndex;
use crate::uri::MatchPolicy;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallQueue {
    /// The procedures that it is about.
    pub uri: String,
    pub match_policy: MatchPolicy,
    /// Most calls that wait for the callees of one registration.
    pub limit: usize,
}

/// The rules of a realm. The most specific one that matches decides: exact, else the longest prefix, else a wildcard.
/// Default none: a call that finds no callee free is refused.
#[derive(Clone, Debug)]
pub struct CallQueues {
    rules: Vec<CallQueue>,
    /// Positions in `rules`.
    index: PatternIndex,
}

impl CallQueues {
    /// These rules; of two with the same URI and match policy the later one holds.
    pub fn new(rules: Vec<CallQueue>) -> Self {
        let mut index = PatternIndex::new(0);
        for (position, rule) in (0..).zip(&rules) {
            index.insert(&rule.uri, rule.match_policy, position);
        }
        Self { rules, index }
    }

    /// The rules, in the order in which they were given.
    pub fn rules(&self) -> &[CallQueue] {
        &self.rules
    }

    /// Most calls that wait where `procedure` is called; `None` where none does.
    pub fn limit(&self, procedure: &str) -> Option<usize> {
        let (_, position) = self.index.best_match(procedure)?;
        Some(self.rules[position as usize].limit)
    }
}

impl Default for CallQueues {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}
