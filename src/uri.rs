//! URIs: the loose and strict rules, patterns, and the names a client may not use.
//!
//! Owns what is a valid URI. Which pattern matches which URI is in
//! [`pattern_index`](crate::router::pattern_index). [wamp: basic/building_blocks, Identifiers]

/// Which alphabet the components of a URI may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UriCheck {
    /// Anything but white space, `.` and `#`. The default.
    #[default]
    Loose,
    /// `[0-9a-z_]`.
    Strict,
}

/// How the URI of a subscription or registration matches concrete URIs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchPolicy {
    /// The same URI. The default.
    #[default]
    Exact,
    /// URIs that begin with this text (by characters, not by components).
    Prefix,
    /// URIs with as many components, where an empty component of the pattern stands for any one component.
    Wildcard,
}

impl MatchPolicy {
    /// The value of the `match` option.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Wildcard => "wildcard",
        }
    }

    /// Whether a pattern of this policy matches the concrete `uri`.
    pub fn matches(self, pattern: &str, uri: &str) -> bool {
        match self {
            Self::Exact => pattern == uri,
            Self::Prefix => uri.starts_with(pattern),
            Self::Wildcard => {
                let (mut parts, mut uri) = (pattern.split('.'), uri.split('.'));
                loop {
                    match (parts.next(), uri.next()) {
                        (None, None) => return true,
                        (Some(part), Some(component)) if part.is_empty() || part == component => {}
                        _ => return false,
                    }
                }
            }
        }
    }

    /// The policy that the `match` option names, if any.
    pub fn from_option(text: &str) -> Option<Self> {
        match text {
            "exact" => Some(Self::Exact),
            "prefix" => Some(Self::Prefix),
            "wildcard" => Some(Self::Wildcard),
            _ => None,
        }
    }
}

/// Whether `uri` is a valid concrete URI: non-empty components joined by `.`.
pub fn is_valid(uri: &str, check: UriCheck) -> bool {
    if check == UriCheck::Loose && is_plain(uri.as_bytes()) {
        return true;
    }
    let mut is_part_empty = true;
    for byte in uri.bytes() {
        if byte == b'.' && is_part_empty {
            return false;
        }
        is_part_empty = byte == b'.';
    }
    !is_part_empty && has_alphabet(uri, check)
}

/// Whether `uri` is valid under `policy`: a prefix may end in an empty component (the empty text is the prefix of
/// every URI), and any component of a wildcard may be empty.
pub fn is_valid_pattern(uri: &str, policy: MatchPolicy, check: UriCheck) -> bool {
    match policy {
        MatchPolicy::Exact => is_valid(uri, check),
        MatchPolicy::Prefix => uri.is_empty() || is_valid(uri.strip_suffix('.').unwrap_or(uri), check),
        MatchPolicy::Wildcard => has_alphabet(uri, check),
    }
}

/// Whether the first component is `wamp`: such URIs belong to the router, and a client may neither publish to them nor
/// register them or a pattern of them.
pub fn is_reserved(uri: &str) -> bool {
    uri.strip_prefix("wamp").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a look at eight bytes at a time finds nothing that a concrete URI may not have under the loose rule: what
/// almost every URI of a request is, at a fifth of the instructions. No proof of the contrary.
fn is_plain(uri: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    const FIRST: u64 = b'$' as u64;
    let Some(last) = uri.len().checked_sub(8) else { return false };
    if uri[0] == b'.' || uri[last + 7] == b'.' {
        return false;
    }
    let mut at = 0;
    loop {
        let bytes = uri[at..].first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
        // White space and '#' come before '$'; what is not ASCII has the highest bit.
        let outside = (bytes.wrapping_sub(ONES * FIRST) & !bytes) | bytes;
        // A byte is zero where it is a dot; of a pair of bytes the lower one is zero where both are.
        let dots = bytes ^ (ONES * b'.' as u64);
        let pairs = dots | dots >> 8 | 0xff << 56;
        if (outside | (pairs.wrapping_sub(ONES) & !pairs)) & HIGH != 0 {
            return false;
        }
        if at == last {
            return true;
        }
        // Seven on: the pair across two chunks is looked at too.
        at = (at + 7).min(last);
    }
}

/// Whether components and the dots between them are made of what they may be made of.
fn has_alphabet(uri: &str, check: UriCheck) -> bool {
    match check {
        // Characters are only looked at where bytes do not say enough.
        UriCheck::Loose if uri.is_ascii() => !uri.bytes().any(|b| matches!(b, b'#' | b' ' | b'\t'..=b'\r')),
        UriCheck::Loose => !uri.contains(|c: char| c.is_whitespace() || c == '#'),
        UriCheck::Strict => uri.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concrete_uris_have_no_empty_component() {
        for (uri, loose, strict) in [
            ("com.myapp.topic1", true, true),
            ("com.My-App.Übung", true, false),
            ("because", true, true),
            ("", false, false),
            ("com..topic", false, false),
            (".com", false, false),
            ("com.", false, false),
            ("com.my app", false, false),
            ("com.my#app", false, false),
        ] {
            assert_eq!(is_valid(uri, UriCheck::Loose), loose, "{uri:?} loose");
            assert_eq!(is_valid(uri, UriCheck::Strict), strict, "{uri:?} strict");
        }
    }

    #[test]
    fn eight_bytes_at_a_time_say_what_one_at_a_time_says() {
        let plain = "com.example.procedure_17";
        assert!(is_plain(plain.as_bytes()));
        for length in 1..=plain.len() {
            for place in 0..length {
                for byte in 0..=0x7f {
                    let mut uri = plain.as_bytes()[..length].to_vec();
                    uri[place] = byte;
                    let is_valid = uri.split(|&b| b == b'.').all(|component| !component.is_empty())
                        && has_alphabet(std::str::from_utf8(&uri).expect("ASCII is UTF-8"), UriCheck::Loose);
                    assert!(is_valid || !is_plain(&uri), "{uri:?}");
                    // What is refused here although it is valid is what has a rare character, or is short.
                    let is_usual = length >= 8 && uri.iter().all(|&b| b >= b'$');
                    assert_eq!(is_plain(&uri), is_valid && is_usual, "{uri:?}");
                }
            }
        }
        assert!(!is_plain("com.example.Übung".as_bytes()));
    }

    #[test]
    fn a_pattern_matches_what_its_policy_says() {
        use MatchPolicy::{Exact, Prefix, Wildcard};
        for (policy, pattern, uri, matches) in [
            (Exact, "com.a", "com.a", true),
            (Exact, "com.a", "com.a.b", false),
            (Prefix, "com.a", "com.ab", true),
            (Prefix, "", "com", true),
            (Prefix, "com.", "com", false),
            (Wildcard, "com..b", "com.a.b", true),
            (Wildcard, "com..b", "com.a.c", false),
            (Wildcard, "com..b", "com.a.b.c", false),
            (Wildcard, "com.a.", "com.a", false),
            (Wildcard, "", "com", true),
        ] {
            assert_eq!(policy.matches(pattern, uri), matches, "{policy:?} {pattern:?} {uri:?}");
        }
    }

    #[test]
    fn patterns_may_leave_out_what_their_policy_says() {
        assert!(is_valid_pattern("", MatchPolicy::Prefix, UriCheck::Strict));
        assert!(is_valid_pattern("com.myapp.", MatchPolicy::Prefix, UriCheck::Strict));
        assert!(!is_valid_pattern("com..", MatchPolicy::Prefix, UriCheck::Loose));
        assert!(is_valid_pattern("com..update", MatchPolicy::Wildcard, UriCheck::Strict));
        assert!(is_valid_pattern(".", MatchPolicy::Wildcard, UriCheck::Strict));
        assert!(!is_valid_pattern("com. .x", MatchPolicy::Wildcard, UriCheck::Loose));
    }
}
