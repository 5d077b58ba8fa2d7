//! Which patterns match a URI: exact, prefix and wildcard, in one index.
//!
//! Owns matching and precedence. `insert` and `remove` are the only writers. The cost of a match depends on the URI
//! and on the patterns that share its beginning, not on how many other patterns there are.
//! [wamp: advanced/rpc_pattern_based_registration, advanced/pubsub_pattern_based_subscription]

use std::collections::BinaryHeap;

use foldhash::fast::FixedState;

use crate::uri::MatchPolicy;

/// A map whose hasher is seeded by the router, so that no key can be chosen to collide and runs can be repeated. Its
/// order depends on the platform: whoever goes through one sorts what comes out.
pub(crate) type SeededMap<K, V> = hashbrown::HashMap<K, V, FixedState>;

/// The ids that a map of the router goes by, sorted.
pub(crate) fn sorted(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    // By a heap, which the timers have anyway: std's sort is 9 KB of a browser's download.
    ids.collect::<BinaryHeap<u64>>().into_sorted_vec()
}

/// Values by pattern. A value is a number: the id, or position, of what its owner keeps for the pattern.
#[derive(Clone, Debug)]
pub struct PatternIndex {
    exact: SeededMap<Box<str>, u64>,
    prefix: PrefixNode,
    wildcard: WildcardNode,
    seed: u64,
}

impl PatternIndex {
    /// An empty index; `seed` seeds its hasher.
    #[inline(never)]
    pub fn new(seed: u64) -> Self {
        Self {
            exact: SeededMap::with_hasher(FixedState::with_seed(seed)),
            prefix: PrefixNode::new(b"", None),
            wildcard: WildcardNode::new(seed),
            seed,
        }
    }

    /// Puts `value` at the pattern; returns what was there.
    pub fn insert(&mut self, uri: &str, policy: MatchPolicy, value: u64) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.insert(uri.into(), value),
            MatchPolicy::Prefix => self.prefix.insert(uri.as_bytes(), value),
            MatchPolicy::Wildcard => self.wildcard.insert(uri, value, self.seed),
        }
    }

    /// Takes the value away from the pattern.
    pub fn remove(&mut self, uri: &str, policy: MatchPolicy) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.remove(uri),
            MatchPolicy::Prefix => self.prefix.remove(uri.as_bytes()),
            MatchPolicy::Wildcard => self.wildcard.remove(uri),
        }
    }

    /// The value at exactly this pattern.
    pub fn get(&self, uri: &str, policy: MatchPolicy) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.get(uri).copied(),
            MatchPolicy::Prefix => self.prefix.get(uri.as_bytes()),
            MatchPolicy::Wildcard => self.wildcard.get(uri),
        }
    }

    /// How many patterns there are.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.exact.len() + self.prefix.len() + self.wildcard.len()
    }

    /// Visits every pattern that matches `uri`: the exact one, the prefixes from short to long, the wildcards with
    /// literal components before empty ones.
    pub fn for_each_match(&self, uri: &str, mut visit: impl FnMut(MatchPolicy, u64)) {
        if let Some(value) = self.exact.get(uri) {
            visit(MatchPolicy::Exact, *value);
        }
        self.prefix.for_each_match(uri.as_bytes(), |value| visit(MatchPolicy::Prefix, value));
        if self.wildcard.is_leaf() {
            return;
        }
        self.wildcard.for_each_match(Some(uri), &mut |value| visit(MatchPolicy::Wildcard, value));
    }

    /// The one pattern that answers for `uri`: the exact one; else the longest prefix; else the wildcard whose literal
    /// components run longest from the left.
    #[inline(always)] // Measured: 1 % of a call, which goes through here once.
    pub fn best_match(&self, uri: &str) -> Option<(MatchPolicy, u64)> {
        if let Some(value) = self.exact.get(uri) {
            return Some((MatchPolicy::Exact, *value));
        }
        let mut longest = None;
        self.prefix.for_each_match(uri.as_bytes(), |value| longest = Some((MatchPolicy::Prefix, value)));
        longest.or_else(|| self.wildcard.first_match(Some(uri)).map(|value| (MatchPolicy::Wildcard, value)))
    }
}

/// A radix tree over bytes: an edge label, and below it the longer prefixes.
#[derive(Clone, Debug)]
struct PrefixNode {
    label: Box<[u8]>,
    value: Option<u64>,
    /// Sorted by the first byte of their labels, which are all different.
    children: Vec<PrefixNode>,
}

impl PrefixNode {
    fn new(label: &[u8], value: Option<u64>) -> Self {
        Self { label: label.into(), value, children: Vec::new() }
    }

    #[cfg(debug_assertions)]
    fn len(&self) -> usize {
        usize::from(self.value.is_some()) + self.children.iter().map(Self::len).sum::<usize>()
    }

    fn child(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |child| child.label[0])
    }

    fn insert(&mut self, prefix: &[u8], value: u64) -> Option<u64> {
        let Some(first) = prefix.first() else { return self.value.replace(value) };
        let at = match self.child(*first) {
            Ok(at) => at,
            Err(at) => {
                self.children.insert(at, Self::new(prefix, Some(value)));
                return None;
            }
        };
        let child = &mut self.children[at];
        let common = child.label.iter().zip(prefix).take_while(|(a, b)| a == b).count();
        if common < child.label.len() {
            let below = Self {
                label: child.label[common..].into(),
                value: child.value.take(),
                children: std::mem::take(&mut child.children),
            };
            child.label = child.label[..common].into();
            child.children.push(below);
        }
        child.insert(&prefix[common..], value)
    }

    fn remove(&mut self, prefix: &[u8]) -> Option<u64> {
        let Some(first) = prefix.first() else { return self.value.take() };
        let at = self.child(*first).ok()?;
        let child = &mut self.children[at];
        let rest = prefix.strip_prefix(&*child.label)?;
        let removed = child.remove(rest)?;
        if child.value.is_none() {
            match child.children.len() {
                0 => {
                    self.children.remove(at);
                }
                1 => {
                    let mut only = child.children.remove(0);
                    only.label = [&*child.label, &*only.label].concat().into();
                    self.children[at] = only;
                }
                _ => {}
            }
        }
        Some(removed)
    }

    fn get(&self, prefix: &[u8]) -> Option<u64> {
        let Some(first) = prefix.first() else { return self.value };
        let child = &self.children[self.child(*first).ok()?];
        child.get(prefix.strip_prefix(&*child.label)?)
    }

    fn for_each_match(&self, mut uri: &[u8], mut visit: impl FnMut(u64)) {
        let mut node = self;
        loop {
            if let Some(value) = node.value {
                visit(value);
            }
            let Some(first) = uri.first() else { return };
            let Ok(at) = node.child(*first) else { return };
            node = &node.children[at];
            let Some(rest) = uri.strip_prefix(&*node.label) else { return };
            uri = rest;
        }
    }
}

/// A tree over components; an empty component of a pattern is the branch `any`.
#[derive(Clone, Debug)]
struct WildcardNode {
    value: Option<u64>,
    literal: SeededMap<Box<str>, Box<WildcardNode>>,
    any: Option<Box<WildcardNode>>,
}

impl WildcardNode {
    fn new(seed: u64) -> Self {
        Self { value: None, literal: SeededMap::with_hasher(FixedState::with_seed(seed)), any: None }
    }

    #[cfg(debug_assertions)]
    fn len(&self) -> usize {
        let below = self.literal.values().map(|child| child.len()).sum::<usize>();
        usize::from(self.value.is_some()) + below + self.any.as_ref().map_or(0, |child| child.len())
    }

    fn is_leaf(&self) -> bool {
        self.literal.is_empty() && self.any.is_none()
    }

    fn insert(&mut self, pattern: &str, value: u64, seed: u64) -> Option<u64> {
        let mut node = self;
        let fresh = || Box::new(Self::new(seed));
        for part in pattern.split('.') {
            node = if part.is_empty() {
                node.any.get_or_insert_with(fresh)
            } else {
                node.literal.entry(part.into()).or_insert_with(fresh)
            };
        }
        node.value.replace(value)
    }

    fn get(&self, pattern: &str) -> Option<u64> {
        let mut node = self;
        for part in pattern.split('.') {
            node = if part.is_empty() { node.any.as_deref()? } else { node.literal.get(part)? };
        }
        node.value
    }

    fn remove(&mut self, pattern: &str) -> Option<u64> {
        self.remove_below(Some(pattern))
    }

    fn remove_below(&mut self, pattern: Option<&str>) -> Option<u64> {
        let Some(pattern) = pattern else { return self.value.take() };
        let (part, rest) = split_component(pattern);
        if part.is_empty() {
            let child = self.any.as_mut()?;
            let removed = child.remove_below(rest);
            if child.value.is_none() && child.is_leaf() {
                self.any = None;
            }
            removed
        } else {
            let child = self.literal.get_mut(part)?;
            let removed = child.remove_below(rest);
            if child.value.is_none() && child.is_leaf() {
                self.literal.remove(part);
            }
            removed
        }
    }

    fn for_each_match(&self, uri: Option<&str>, visit: &mut impl FnMut(u64)) {
        let Some(uri) = uri else {
            self.value.into_iter().for_each(visit);
            return;
        };
        let (part, rest) = split_component(uri);
        if let Some(child) = self.literal.get(part) {
            child.for_each_match(rest, visit);
        }
        if let Some(child) = &self.any {
            child.for_each_match(rest, visit);
        }
    }

    fn first_match(&self, uri: Option<&str>) -> Option<u64> {
        let Some(uri) = uri else { return self.value };
        let (part, rest) = split_component(uri);
        let literal = self.literal.get(part).and_then(|child| child.first_match(rest));
        literal.or_else(|| self.any.as_ref()?.first_match(rest))
    }
}

fn split_component(uri: &str) -> (&str, Option<&str>) {
    match uri.split_once('.') {
        Some((part, rest)) => (part, Some(rest)),
        None => (uri, None),
    }
}
