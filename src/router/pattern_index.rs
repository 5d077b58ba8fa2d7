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
    prefix: Node,
    wildcard: Node,
}

impl PatternIndex {
    /// An empty index; `seed` seeds its hasher.
    #[inline(never)]
    pub fn new(seed: u64) -> Self {
        Self {
            exact: SeededMap::with_hasher(FixedState::with_seed(seed)),
            prefix: Node::new(b"", None),
            wildcard: Node::new(b"", None),
        }
    }

    /// Puts `value` at the pattern; returns what was there.
    pub fn insert(&mut self, uri: &str, policy: MatchPolicy, value: u64) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.insert(uri.into(), value),
            MatchPolicy::Prefix => self.prefix.insert(uri.as_bytes(), value),
            MatchPolicy::Wildcard => self.wildcard.insert(uri.as_bytes(), value),
        }
    }

    /// Takes the value away from the pattern.
    pub fn remove(&mut self, uri: &str, policy: MatchPolicy) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.remove(uri),
            MatchPolicy::Prefix => self.prefix.remove(uri.as_bytes()),
            MatchPolicy::Wildcard => self.wildcard.remove(uri.as_bytes()),
        }
    }

    /// The value at exactly this pattern.
    pub fn get(&self, uri: &str, policy: MatchPolicy) -> Option<u64> {
        match policy {
            MatchPolicy::Exact => self.exact.get(uri).copied(),
            MatchPolicy::Prefix => self.prefix.get(uri.as_bytes()),
            MatchPolicy::Wildcard => self.wildcard.get(uri.as_bytes()),
        }
    }

    /// How many patterns there are.
    #[cfg(debug_assertions)]
    pub(super) fn len(&self) -> usize {
        self.exact.len() + self.prefix.len() + self.wildcard.len()
    }

    /// Visits every prefix that begins with `start`.
    pub(super) fn for_each_prefix_below(&self, start: &str, visit: &mut dyn FnMut(u64)) {
        self.prefix.for_each_below(start.as_bytes(), visit);
    }

    /// Visits every pattern that matches `uri`: the exact one, the prefixes from short to long, the wildcards with
    /// literal components before empty ones.
    pub fn for_each_match(&self, uri: &str, mut visit: impl FnMut(MatchPolicy, u64)) {
        if let Some(value) = self.exact.get(uri) {
            visit(MatchPolicy::Exact, *value);
        }
        self.prefix.for_each_match(uri.as_bytes(), |value| visit(MatchPolicy::Prefix, value));
        self.wildcard.any_wildcard(uri.as_bytes(), true, &mut |value| {
            visit(MatchPolicy::Wildcard, value);
            false
        });
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
        longest.or_else(|| self.first_wildcard(uri))
    }

    fn first_wildcard(&self, uri: &str) -> Option<(MatchPolicy, u64)> {
        let mut first = None;
        self.wildcard.any_wildcard(uri.as_bytes(), true, &mut |value| {
            first = Some((MatchPolicy::Wildcard, value));
            true
        });
        first
    }
}

/// A radix tree over the bytes of patterns: an edge label, and below it the patterns that go on with it.
#[derive(Clone, Debug)]
struct Node {
    label: Box<[u8]>,
    value: Option<u64>,
    /// Sorted by the first byte of their labels, which are all different.
    children: Vec<Node>,
}

impl Node {
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
        let child = self.below(*first)?;
        child.get(prefix.strip_prefix(&*child.label)?)
    }

    /// The child whose label begins so.
    fn below(&self, first: u8) -> Option<&Self> {
        Some(&self.children[self.child(first).ok()?])
    }

    /// Visits the prefixes of `uri`, from short to long.
    fn for_each_match(&self, mut uri: &[u8], mut visit: impl FnMut(u64)) {
        let mut node = self;
        loop {
            if let Some(value) = node.value {
                visit(value);
            }
            let Some(first) = uri.first() else { return };
            let Some(child) = node.below(*first) else { return };
            node = child;
            let Some(rest) = uri.strip_prefix(&*node.label) else { return };
            uri = rest;
        }
    }

    /// Visits what is below this node and begins with `start`.
    fn for_each_below(&self, start: &[u8], visit: &mut dyn FnMut(u64)) {
        let Some(first) = start.first() else {
            if let Some(value) = self.value {
                visit(value);
            }
            return self.children.iter().for_each(|child| child.for_each_below(b"", visit));
        };
        let Some(child) = self.below(*first) else { return };
        let common = child.label.len().min(start.len());
        if child.label[..common] == start[..common] {
            child.for_each_below(&start[common..], visit);
        }
    }

    /// Visits the wildcards below this node that match the rest of a URI, literal components before empty ones, until one
    /// visit answers true. `is_start`: a component begins here.
    fn any_wildcard(&self, mut uri: &[u8], mut is_start: bool, visit: &mut dyn FnMut(u64) -> bool) -> bool {
        let mut node = self;
        loop {
            // At its start a dot is what follows an empty component.
            let first = uri.first().filter(|first| !is_start || **first != b'.');
            let literal = first.and_then(|first| node.below(*first)?.pass(uri, is_start));
            let is_last = if is_start { !uri.contains(&b'.') } else { uri.is_empty() };
            let next = match literal {
                Some(_) if !is_start => literal,
                Some((child, rest, starts)) if child.any_wildcard(rest, starts, visit) => return true,
                _ if is_last => return node.value.is_some_and(visit),
                _ if is_start => node.below(b'.').and_then(|child| child.pass(uri, true)),
                _ => None,
            };
            let Some(next) = next else { return false };
            (node, uri, is_start) = next;
        }
    }

    /// This node, the rest of a URI behind its label, which may have empty components, and whether a component begins
    /// there; nothing where they do not match.
    fn pass<'u>(&self, mut uri: &'u [u8], mut is_start: bool) -> Option<(&Self, &'u [u8], bool)> {
        for byte in &self.label {
            if is_start && *byte == b'.' {
                uri = &uri[uri.iter().position(|byte| *byte == b'.')?..];
            }
            uri = uri.strip_prefix(&[*byte])?;
            is_start = *byte == b'.';
        }
        Some((self, uri, is_start))
    }
}
