//! URIs and patterns, said again in the slow way.

/// Whether a client may use this text under this match policy.
pub fn is_valid(uri: &str, policy: &str, is_strict: bool) -> bool {
    let is_letter = |c: char| match is_strict {
        true => c.is_ascii_digit() || c.is_ascii_lowercase() || c == '_',
        false => !c.is_whitespace() && c != '#',
    };
    let components: Vec<&str> = uri.split('.').collect();
    let last = components.len() - 1;
    components.iter().enumerate().all(|(position, component)| {
        let may_be_empty = match policy {
            "exact" => false,
            "prefix" => position == last,
            _ => true,
        };
        (may_be_empty || !component.is_empty()) && component.chars().all(is_letter)
    })
}

/// Whether it is the router's own: the first component is `wamp`.
pub fn is_reserved(uri: &str) -> bool {
    uri.split('.').next() == Some("wamp")
}

/// Whether a pattern means a concrete URI.
pub fn matches(pattern: &str, policy: &str, uri: &str) -> bool {
    match policy {
        "exact" => pattern == uri,
        "prefix" => uri.starts_with(pattern),
        _ => {
            let (wanted, found): (Vec<&str>, Vec<&str>) =
                (pattern.split('.').collect(), uri.split('.').collect());
            wanted.len() == found.len()
                && wanted.iter().zip(&found).all(|(wanted, found)| wanted.is_empty() || wanted == found)
        }
    }
}

/// Whether the router itself answers calls of this procedure, or nobody does.
pub fn is_of_router(procedure: &str) -> bool {
    let own = ["wamplet.authorization.purge", "wamplet.retention.clear"];
    is_reserved(procedure) || own.contains(&procedure)
}

/// The position of the one pattern that decides about a URI: the exact one; else the longest prefix; else the wildcard
/// with the longest portions of literal components. [advanced/rpc_pattern_based_registration]
pub fn best<'p>(patterns: impl Iterator<Item = (&'p str, &'p str)>, uri: &str) -> Option<usize> {
    let matching = patterns.enumerate().filter(|(_, (pattern, policy))| matches(pattern, policy, uri));
    let best = matching.max_by_key(|(_, (pattern, policy))| match *policy {
        "exact" => (2, 0, Vec::new()),
        "prefix" => (1, pattern.len(), Vec::new()),
        _ => (0, 0, portions(pattern)),
    });
    best.map(|(position, _)| position)
}

/// How many literal components stand before each wildcard of a pattern, from left to right: of two patterns that
/// match a URI, the one with more of them answers.
fn portions(pattern: &str) -> Vec<usize> {
    let mut portions = vec![0];
    for component in pattern.split('.') {
        if component.is_empty() {
            portions.push(0);
        } else {
            *portions.last_mut().expect("there is one from the beginning") += 1;
        }
    }
    portions
}
