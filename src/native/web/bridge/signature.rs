//! What a request shows of who sent it: the parameters of its address, or the header of GitHub.
//!
//! Owns the order in which that is looked at, and what is refused how, which is Crossbar.io's. Its `seq` and `nonce` must be
//! numbers, and are signed, but are not compared with those of before: whoever can hear a request can send it again as long
//! as its `timestamp` is good. That is why TLS should be between. Secrets are compared in a time that says nothing of them.

use base64ct::{Base64Url, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::header::HeaderMap;
use sha1::Sha1;

use super::denial::Denial;
use crate::auth::hex;
use crate::auth::proof::{hmac, is_same};
use crate::config::node::Terms;
use crate::router::Now;
use crate::router::utc::utc_ms;

/// Refuses requests that are not signed as they should be, or too old. `query` is what comes behind the path.
pub(super) fn check(terms: &Terms, query: Option<&str>, body: &[u8], now: Now) -> Result<(), Denial> {
    let query = query.unwrap_or_default();
    let is_signed = terms.signer.is_some();
    let shown = |name: &str| match parameter(query, name) {
        None if is_signed => Err(Denial::bad(format!("{name}: it is missing, and requests must be signed"))),
        shown => Ok(shown),
    };
    let key = shown("key")?;
    let timestamp = shown("timestamp")?;
    if let Some(timestamp) = &timestamp {
        check_time(terms, timestamp, now)?;
    }
    let number = |name: &str| {
        let shown = shown(name)?;
        if shown.as_ref().is_some_and(|shown| !is_integer(shown)) {
            return Err(Denial::bad(format!("{name}: expected an integer")));
        }
        Ok(shown)
    };
    let (seq, nonce) = (number("seq")?, number("nonce")?);
    let signature = shown("signature")?;
    let Some(signer) = &terms.signer else { return Ok(()) };
    let parts = [key, timestamp, seq, nonce].map(Option::unwrap_or_default);
    let [key, timestamp, seq, nonce] = &parts;
    if !is_same(key, signer.key.as_bytes()) {
        return Err(Denial::unauthorized("key: it is not the one of this path"));
    }
    let expected =
        Base64Url::encode_string(&hmac(signer.secret.as_bytes(), &[key, timestamp, seq, nonce, body]));
    if !is_same(&signature.unwrap_or_default(), expected.as_bytes()) {
        return Err(Denial::unauthorized("signature: it is not the one of this request"));
    }
    Ok(())
}

fn check_time(terms: &Terms, timestamp: &[u8], now: Now) -> Result<(), Denial> {
    let sent = std::str::from_utf8(timestamp).ok().and_then(utc_ms);
    let sent = sent
        .ok_or_else(|| Denial::bad("timestamp: expected a time of UTC such as 2011-10-14T16:59:51.123Z"))?;
    let now = i64::try_from(now.unix_ns / 1_000_000).unwrap_or(i64::MAX);
    let delta = u128::from(sent.abs_diff(now));
    if terms.timestamp_delta_limit.is_some_and(|limit| delta > limit.as_millis()) {
        return Err(Denial::bad("timestamp: it is too far from now"));
    }
    Ok(())
}

/// Refuses requests that GitHub has not signed. It signs twice; the better one counts, if it is there.
pub(super) fn check_github(secret: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<(), Denial> {
    let Some(secret) = secret else { return Ok(()) };
    let secret = secret.as_bytes();
    let (shown, expected) = match headers.get("x-hub-signature-256") {
        Some(shown) => (Some(shown), format!("sha256={}", hex::encode(&hmac(secret, &[body])))),
        None => {
            let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes a key of any length");
            mac.update(body);
            let signature = hex::encode(&mac.finalize().into_bytes());
            (headers.get("x-hub-signature"), format!("sha1={signature}"))
        }
    };
    let shown = shown.map(|shown| shown.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    if !is_same(&shown, expected.as_bytes()) {
        return Err(Denial::bad("X-Hub-Signature: it is missing, or not the one of this request"));
    }
    Ok(())
}

/// The first value that a query has for a name, without its encoding.
fn parameter(query: &str, name: &str) -> Option<Vec<u8>> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned().into_bytes())
}

fn is_integer(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_the_first_of_its_name_without_its_encoding() {
        for (query, value) in [
            ("", None),
            ("keys=1", None),
            ("key", Some("")),
            ("key=", Some("")),
            ("a=b&key=1&key=2", Some("1")),
            ("k%65y=a%20b+c%3D%3d", Some("a b c==")),
            ("key=100%&x", Some("100%")),
            ("key=%4", Some("%4")),
            ("key=a=b", Some("a=b")),
        ] {
            assert_eq!(parameter(query, "key").as_deref(), value.map(str::as_bytes), "{query}");
        }
    }

    #[test]
    fn an_integer_is_digits_with_a_sign_perhaps() {
        for text in ["0", "-1", "+1", " 12 ", "9007199254740992123"] {
            assert!(is_integer(text.as_bytes()), "{text:?}");
        }
        for text in ["", "-", "1.5", "1e3", "0x1", "a"] {
            assert!(!is_integer(text.as_bytes()), "{text:?}");
        }
    }
}
