//! What a request would rather have: `Accept` and `Accept-Encoding`. [RFC 9110, 12]

use hyper::header::{self, HeaderMap};

/// Whether HTML is asked for by its name, as browsers do.
pub(super) fn prefers_html(request: &HeaderMap) -> bool {
    quality(request, header::ACCEPT, "text/html") > 0
}

/// Whether JSON is asked for by its name, and not less than HTML.
pub(super) fn prefers_json(request: &HeaderMap) -> bool {
    let json = quality(request, header::ACCEPT, "application/json");
    json > 0 && json >= quality(request, header::ACCEPT, "text/html")
}

/// Whether a content coding may be used.
pub(super) fn accepts_encoding(request: &HeaderMap, coding: &str) -> bool {
    match listed(request, header::ACCEPT_ENCODING, coding) {
        Some(quality) => quality > 0,
        None => quality(request, header::ACCEPT_ENCODING, "*") > 0,
    }
}

/// In thousandths; 0 where it is not listed.
fn quality(request: &HeaderMap, name: header::HeaderName, wanted: &str) -> u16 {
    listed(request, name, wanted).unwrap_or(0)
}

fn listed(request: &HeaderMap, name: header::HeaderName, wanted: &str) -> Option<u16> {
    let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0));
        Some((quality.clamp(0.0, 1.0) * 1000.0) as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = value.parse().expect("a header");
        HeaderMap::from_iter([(header::HeaderName::from_static(name), value)])
    }

    #[test]
    fn the_better_liked_type_is_preferred() {
        let browser = headers("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assert!(prefers_html(&browser) && !prefers_json(&browser));
        assert!(prefers_json(&headers("accept", "application/json")));
        assert!(prefers_json(&headers("accept", "text/html;q=0.5, application/json; q=0.7")));
        assert!(!prefers_json(&headers("accept", "application/json;q=0")));
        assert!(!prefers_json(&headers("accept", "*/*")) && !prefers_html(&headers("accept", "*/*")));
    }

    #[test]
    fn an_encoding_that_is_not_listed_is_not_used() {
        let listed = headers("accept-encoding", "deflate, GZIP;q=1.0, br;q=0");
        assert!(accepts_encoding(&listed, "gzip") && !accepts_encoding(&listed, "br"));
        assert!(!accepts_encoding(&HeaderMap::new(), "gzip"));
        assert!(accepts_encoding(&headers("accept-encoding", "*"), "br"));
        assert!(!accepts_encoding(&headers("accept-encoding", "*;q=0"), "br"));
        assert!(!accepts_encoding(&headers("accept-encoding", "gzip;q=nonsense"), "gzip"));
    }
}
