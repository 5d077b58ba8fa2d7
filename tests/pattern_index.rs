//! The pattern index against a naive scan: the same matches, the same best match, whatever was put in and taken out.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use wamplet::router::pattern_index::PatternIndex;
use wamplet::uri::MatchPolicy;

const POLICIES: [MatchPolicy; 3] = [MatchPolicy::Exact, MatchPolicy::Prefix, MatchPolicy::Wildcard];

/// Patterns in no order; every question looks at each of them.
#[derive(Default)]
struct Naive(BTreeMap<(MatchPolicy, String), u64>);

impl Naive {
    fn matches(&self, uri: &str) -> Vec<(MatchPolicy, u64)> {
        let matching = self.0.iter().filter(|((policy, pattern), _)| is_match(*policy, pattern, uri));
        matching.map(|((policy, _), value)| (*policy, *value)).collect()
    }

    /// [advanced/rpc_pattern_based_registration] exact; else the longest prefix; else the wildcard with the longest
    /// run of literal components before its first empty one, then before its second, and so on.
    fn best(&self, uri: &str) -> Option<(MatchPolicy, u64)> {
        let matching = self.0.iter().filter(|((policy, pattern), _)| is_match(*policy, pattern, uri));
        let best = matching.max_by_key(|((policy, pattern), _)| {
            let runs = if *policy == MatchPolicy::Wildcard { literal_runs(pattern) } else { Vec::new() };
            (Reverse(*policy), pattern.len() * usize::from(*policy == MatchPolicy::Prefix), runs)
        });
        best.map(|((policy, _), value)| (*policy, *value))
    }
}

fn is_match(policy: MatchPolicy, pattern: &str, uri: &str) -> bool {
    match policy {
        MatchPolicy::Exact => pattern == uri,
        MatchPolicy::Prefix => uri.starts_with(pattern),
        MatchPolicy::Wildcard => {
            let (pattern, uri): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), uri.split('.').collect());
            pattern.len() == uri.len()
                && pattern.iter().zip(&uri).all(|(part, of)| part.is_empty() || part == of)
        }
    }
}

/// How many literal components stand before, between and after the empty ones.
fn literal_runs(pattern: &str) -> Vec<usize> {
    let mut runs = vec![0];
    for part in pattern.split('.') {
        match (part.is_empty(), runs.last_mut()) {
            (false, Some(run)) => *run += 1,
            _ => runs.push(0),
        }
    }
    runs
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(MatchPolicy, String),
    Remove(MatchPolicy, String),
    Match(String),
}

/// Few letters and few components, so that patterns meet; one component begins like another, one is not ASCII.
fn uri(components: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(components), 1..=4).prop_map(|parts| parts.join("."))
}

fn pattern() -> impl Strategy<Value = (MatchPolicy, String)> {
    let concrete = uri(&["a", "b", "ab", "ü", "û"]);
    let with_empty = uri(&["a", "b", "ab", "ü", ""]);
    let cut = (uri(&["a", "b", "ab", "ü", "û"]), 0..12_usize)
        .prop_map(|(uri, length)| uri.chars().take(length).collect::<String>());
    prop_oneof![
        concrete.prop_map(|uri| (MatchPolicy::Exact, uri)),
        cut.prop_map(|uri| (MatchPolicy::Prefix, uri)),
        with_empty.prop_map(|uri| (MatchPolicy::Wildcard, uri)),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => pattern().prop_map(|(policy, uri)| Operation::Insert(policy, uri)),
        2 => pattern().prop_map(|(policy, uri)| Operation::Remove(policy, uri)),
        4 => uri(&["a", "b", "ab", "ü", "û"]).prop_map(Operation::Match),
        1 => uri(&["a", "b", ""]).prop_map(Operation::Match),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_like_a_scan_of_all_patterns(operations in vec(operation(), 1..120)) {
        let mut index = PatternIndex::new(7);
        let mut naive = Naive::default();
        for (value, operation) in (0..).zip(operations) {
            match operation {
                Operation::Insert(policy, uri) => {
                    prop_assert_eq!(index.insert(&uri, policy, value), naive.0.insert((policy, uri), value));
                }
                Operation::Remove(policy, uri) => {
                    prop_assert_eq!(index.remove(&uri, policy), naive.0.remove(&(policy, uri)));
                }
                Operation::Match(uri) => {
                    let mut found = Vec::new();
                    index.for_each_match(&uri, |policy, value| found.push((policy, value)));
                    found.sort_unstable();
                    let mut expected = naive.matches(&uri);
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected, "{}", &uri);
                    let best = index.best_match(&uri);
                    prop_assert_eq!(best, naive.best(&uri), "{}", &uri);
                    for policy in POLICIES {
                        let expected = naive.0.get(&(policy, uri.clone())).copied();
                        prop_assert_eq!(index.get(&uri, policy), expected, "{}", &uri);
                    }
                }
            }
        }
        // Everything can be taken out again, and then nothing matches.
        for ((policy, uri), value) in std::mem::take(&mut naive.0) {
            prop_assert_eq!(index.remove(&uri, policy), Some(value));
        }
        index.for_each_match("a.b", |_, value| panic!("{value} was taken out"));
    }
}

#[test]
fn prefixes_are_visited_from_short_to_long() {
    let mut index = PatternIndex::new(7);
    for (value, prefix) in (0..).zip(["com.myapp", "", "com", "com.", "com.my", "org"]) {
        index.insert(prefix, MatchPolicy::Prefix, value);
    }
    let mut found = Vec::new();
    index.for_each_match("com.myapp.topic1", |_, value| found.push(value));
    assert_eq!(found, [1, 2, 3, 4, 0]);
}

#[test]
fn the_longest_pattern_that_a_configuration_allows_is_no_trouble() {
    let mut index = PatternIndex::new(7);
    let dots = ".".repeat(2_048);
    index.insert(&dots, MatchPolicy::Wildcard, 1);
    index.insert(&"a".repeat(2_048), MatchPolicy::Prefix, 2);
    let uri = vec!["a"; 2_049].join(".");
    assert_eq!(index.best_match(&uri), Some((MatchPolicy::Wildcard, 1)));
    assert_eq!(index.remove(&dots, MatchPolicy::Wildcard), Some(1));
    assert_eq!(index.best_match(&uri), None);
}
