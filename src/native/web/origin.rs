//! Which pages may open a WebSocket: the origins that a configuration allows.

/// Whether one of `patterns` allows an origin as browsers send it, other than `null`. A pattern may name the port that the
/// scheme implies, or leave it out.
pub(super) fn is_allowed(patterns: &[String], origin: &str) -> bool {
    let origin = origin.to_ascii_lowercase();
    let port = match origin.split_once("://") {
        Some((_, authority)) if has_port(authority) => None,
        Some(("http", _)) => Some(80),
        Some(("https", _)) => Some(443),
        _ => None,
    };
    let with_port = port.map(|port| format!("{origin}:{port}"));
    patterns.iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        let allows = |origin: &str| matches(pattern.as_bytes(), origin.as_bytes());
        allows(&origin) || with_port.as_deref().is_some_and(allows)
    })
}

/// The same, but a pattern of stars, such as `*` or `*://*:*`, allows nobody: what a page that somebody has thought of may do.
pub(super) fn is_named(patterns: &[String], origin: &str) -> bool {
    let names = |pattern: &String| pattern.bytes().any(|byte| !b"*:/".contains(&byte));
    patterns.iter().any(|pattern| names(pattern) && is_allowed(std::slice::from_ref(pattern), origin))
}

/// Whether a page of this origin came from the host, and port, that its request is for.
pub(super) fn is_of_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let plain = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(port).map(str::to_owned).unwrap_or(text)
    };
    !authority.is_empty() && plain(authority) == plain(host)
}

fn has_port(authority: &str) -> bool {
    let behind_address = authority.rsplit(']').next().unwrap_or(authority);
    behind_address.contains(':')
}

/// Whether `text` is `pattern`, in which `*` stands for any text. Takes at most the product of their lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // Where to go on if what follows the last `*` does not fit here.
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, in_text));
            }
            Some(byte) if *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((behind_star, begin)) = retry else { return false };
                at = behind_star;
                in_text = begin + 1;
                retry = Some((behind_star, in_text));
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_allow_what_they_say_and_nothing_else() {
        for (pattern, origin, expected) in [
            ("*", "https://example.com", true),
            ("http://localhost:*", "http://localhost:3000", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "https://localhost", false),
            ("http://localhost:*", "http://localhost.evil.example", false),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.Example.COM", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://example.com.evil.example", false),
            ("https://example.com:443", "https://example.com", true),
            ("https://example.com", "https://example.com:8443", false),
            ("http://*:*", "http://[::1]", true),
            ("http://[::1]:80", "http://[::1]", true),
            ("file://", "file://", true),
            ("*a*b*", "xaxbx", true),
            ("*a*b", "xaxbx", false),
        ] {
            assert_eq!(is_allowed(&[pattern.into()], origin), expected, "{pattern} {origin}");
        }
        assert!(!is_allowed(&[], "https://example.com"));
    }

    #[test]
    fn a_page_is_of_a_host_if_name_and_port_are_the_same() {
        for (origin, host, expected) in [
            ("https://example.com", "example.com", true),
            ("https://example.com", "Example.com:443", true),
            ("http://localhost:8080", "localhost:8080", true),
            ("http://localhost:8080", "localhost:8081", false),
            ("http://example.com", "example.com:443", false),
            ("https://evil.example", "example.com", false),
            ("null", "example.com", false),
            ("file://", "", false),
        ] {
            assert_eq!(is_of_host(origin, host), expected, "{origin} {host}");
        }
    }

    #[test]
    fn a_star_names_nobody() {
        let patterns = ["*", "**", "*:*", "*://*", "https://*.example.com"].map(str::to_owned);
        assert!(is_named(&patterns, "https://a.example.com"));
        assert!(!is_named(&patterns, "https://example.org"));
    }
}
