//! The opening handshake of a WebSocket, the server's side. [RFC 6455, 4.2]
//!
//! Owns what is checked and what is agreed on. The extension is negotiated in [`extensions`](super::extensions), origins
//! are compared in [`origin`](super::origin).

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::answer::{self, Answer, Refusal};
use super::extensions::{self, is_token};
use super::origin;
use crate::auth::Channel;
use crate::config::node;
use crate::message::{Dict, dict};
use crate::native::gate::Gate;
use crate::native::subprotocol::Subprotocol;
use crate::native::websocket::Negotiated;

/// What a handshake came to.
#[derive(Debug)]
pub(super) struct Agreed {
    /// The default where the client named none.
    pub subprotocol: Subprotocol,
    pub deflate: Option<Negotiated>,
    pub config: Arc<node::WebSocket>,
    /// Says how the client authenticates, when it is let in.
    pub gate: Arc<Gate>,
    /// What may log it in.
    pub channel: Channel,
    /// What authenticators are told of the request.
    pub confidential: Dict,
}

/// Whether a request wants to become a WebSocket, well or badly said.
pub(super) fn is_asked_for<B>(request: &Request<B>) -> bool {
    has_token(request.headers(), header::UPGRADE, "websocket")
}

/// Says that only a WebSocket is served here, and which version of it.
pub(super) fn upgrade_required(reason: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UPGRADE_REQUIRED, reason)
        .with(header::UPGRADE, "websocket")
        .with(header::CONNECTION, "Upgrade")
        .with(header::SEC_WEBSOCKET_VERSION, VERSION)
}

/// What a request and the configuration agree on, and the answer that says so. `connection` is what the request came on.
pub(super) fn agree(
    request: &Request<Incoming>,
    config: &Arc<node::WebSocket>,
    gate: &Arc<Gate>,
    connection: &Channel,
) -> Result<(Agreed, Answer), Refusal> {
    let bad = |reason: &str| Refusal::new(StatusCode::BAD_REQUEST, reason);
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refusal::method("GET"));
    }
    if request.version() < Version::HTTP_11 {
        return Err(bad("A WebSocket handshake needs HTTP/1.1."));
    }
    if !request.body().is_end_stream() {
        return Err(bad("A WebSocket handshake has no body."));
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(bad("Connection: expected \"Upgrade\" among its tokens."));
    }
    let version = single(headers, header::SEC_WEBSOCKET_VERSION)?;
    if version != VERSION {
        return Err(upgrade_required(format!(
            "Sec-WebSocket-Version: expected {VERSION}, found {version:?}."
        )));
    }
    let key = single(headers, header::SEC_WEBSOCKET_KEY)?;
    if !is_key(key) {
        return Err(bad("Sec-WebSocket-Key: expected 16 bytes in base64."));
    }
    check_origin(headers, &config.options)?;
    let chosen = subprotocol(headers, config)?;
    let deflate = match &config.options.compression {
        Some(deflate) => {
            let offers = joined(headers, header::SEC_WEBSOCKET_EXTENSIONS)?;
            extensions::negotiate(&offers, deflate).map_err(|reason| bad(&reason))?
        }
        None => None,
    };

    let (channel, cookie) = recognize(gate, headers, &config.options.allowed_origins, connection)?;
    let confidential = confidential(gate, headers, &config.options.allowed_origins);

    let mut answer = Response::new(answer::body(""));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    let mut put = |name, value: &str| {
        let value = HeaderValue::from_str(value).expect("made of tokens and base64");
        headers.insert(name, value);
    };
    put(header::SEC_WEBSOCKET_ACCEPT, &accept(key));
    if let Some(chosen) = chosen {
        put(header::SEC_WEBSOCKET_PROTOCOL, &chosen.to_string());
    }
    if let Some((_, extensions)) = &deflate {
        put(header::SEC_WEBSOCKET_EXTENSIONS, extensions);
    }
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    let agreed = Agreed {
        subprotocol: chosen.unwrap_or_default(),
        deflate: deflate.map(|(negotiated, _)| negotiated),
        config: Arc::clone(config),
        gate: Arc::clone(gate),
        channel,
        confidential,
    };
    Ok((agreed, answer))
}

/// What may log in whoever sends a request, and the header that gives it a cookie, where there are some. Browsers show
/// cookies and client certificates by themselves, whatever page it is that asks: they count where it is to be trusted.
pub(super) fn recognize(
    gate: &Gate,
    headers: &HeaderMap,
    allowed_origins: &[String],
    connection: &Channel,
) -> Result<(Channel, Option<HeaderValue>), Refusal> {
    let recognized = gate.cookies().map(|cookies| cookies.recognize(headers)).transpose();
    let (cookie, header) = recognized.map_err(|_| Refusal::no_random_numbers())?.unzip();
    let mut channel = Channel { cookie: cookie.map(|cookie| cookie.to_string()), ..connection.clone() };
    if !is_trusted(headers, allowed_origins) {
        channel = Channel { cookie: None, certificate: None, ..channel };
    }
    Ok((channel, header))
}

/// What authenticators are told of the request, where there are some: its headers, by the name that Crossbar.io has for
/// them. What a browser adds by itself they are told where the page is to be trusted with it.
pub(super) fn confidential(gate: &Gate, headers: &HeaderMap, allowed_origins: &[String]) -> Dict {
    if gate.methods().authenticators().next().is_none() {
        return Dict::new();
    }
    let is_trusted = is_trusted(headers, allowed_origins);
    let is_told = |name: &&HeaderName| is_trusted || ![header::COOKIE, header::AUTHORIZATION].contains(name);
    let received = headers.keys().filter(is_told).map(|name| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        (name.to_string(), Value::from(values.collect::<Vec<_>>().join(", ")))
    });
    dict([("http_headers_received", Value::Object(received.collect()))])
}

/// Whether a page may use what browsers add to its requests by themselves: one of this host, or of an origin that the
/// configuration names.
fn is_trusted(headers: &HeaderMap, allowed_origins: &[String]) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match headers.get(header::ORIGIN).map(HeaderValue::to_str) {
        None => true,
        Some(Ok(origin)) => origin::is_of_host(origin, host) || origin::is_named(allowed_origins, origin),
        Some(Err(_)) => false,
    }
}

/// Whether a key has the form of 16 bytes in base64. Bits behind them may be anything: they are in the RFC's own example.
fn is_key(key: &str) -> bool {
    let digits = key.strip_suffix("==").unwrap_or_default();
    digits.len() == 22
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// The proof that the handshake was read. [RFC 6455, 4.2.2]
fn accept(key: &str) -> String {
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    Base64::encode_string(&digest)
}

fn check_origin(headers: &HeaderMap, options: &node::WebSocketOptions) -> Result<(), Refusal> {
    if !headers.contains_key(header::ORIGIN) {
        // No browser, and whoever is none could send any.
        return Ok(());
    }
    let origin = single(headers, header::ORIGIN)?;
    let is_allowed = match origin {
        "null" => options.allow_null_origin,
        // What web views say of the pages of an app, where browsers say null.
        origin if origin.starts_with("file:") => {
            options.allow_null_origin || origin::is_named(&options.allowed_origins, origin)
        }
        origin => origin::is_allowed(&options.allowed_origins, origin),
    };
    if is_allowed {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, format!("Pages of the origin {origin:?} may not connect here.")))
}

/// The first subprotocol of the client's that is served; `None` where it names none such and need not.
fn subprotocol(headers: &HeaderMap, config: &node::WebSocket) -> Result<Option<Subprotocol>, Refusal> {
    let offered = joined(headers, header::SEC_WEBSOCKET_PROTOCOL)?;
    let refuse = |reason: String| Refusal::new(StatusCode::BAD_REQUEST, reason);
    let mut seen: Vec<&str> = Vec::new();
    // Empty elements of a list are passed over. [RFC 9110, 5.6.1.2]
    for name in offered.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !is_token(name) || seen.contains(&name) {
            return Err(refuse(format!(
                "Sec-WebSocket-Protocol: expected different names of subprotocols, found {name:?}."
            )));
        }
        if seen.len() == MAX_SUBPROTOCOLS {
            return Err(refuse(format!(
                "Sec-WebSocket-Protocol: expected at most {MAX_SUBPROTOCOLS} names of subprotocols, found more."
            )));
        }
        seen.push(name);
    }
    let is_served = |offered: &Subprotocol| config.serializers.contains(&offered.serializer);
    let chosen = seen.iter().filter_map(|name| Subprotocol::named(name)).find(is_served);
    if chosen.is_some() {
        return Ok(chosen);
    }
    let is_needed = config.options.require_websocket_subprotocol;
    // What a test suite sends is not looked at.
    if !is_needed && (is_served(&Subprotocol::default()) || config.is_testee) {
        return Ok(None);
    }
    let names = [false, true].into_iter().flat_map(|batched| {
        let name = move |serializer: &_| Subprotocol { serializer: *serializer, batched }.to_string();
        config.serializers.iter().map(name)
    });
    let served = names.collect::<Vec<_>>().join(", ");
    let found = if seen.is_empty() { "none".to_owned() } else { seen.join(", ") };
    let default = Subprotocol::default();
    let why =
        if is_needed { String::new() } else { format!("; without one it is {default}, which is not served") };
    Err(refuse(format!("Sec-WebSocket-Protocol: expected one of {served}, found {found}{why}.")))
}

/// The value of a header that must be there once.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<&str, Refusal> {
    let refuse = |what: &str| {
        let header = title(&name);
        Refusal::new(StatusCode::BAD_REQUEST, format!("{header}: {what}."))
    };
    let mut values = headers.get_all(&name).iter();
    let value = values.next().ok_or_else(|| refuse("it is missing"))?;
    if values.next().is_some() {
        return Err(refuse("it is there more than once"));
    }
    value.to_str().map(str::trim).map_err(|_| refuse("expected ASCII"))
}

/// The values of a header that is a list.
fn joined(headers: &HeaderMap, name: HeaderName) -> Result<String, Refusal> {
    let values = headers.get_all(&name).iter().map(|value| value.to_str());
    let values: Result<Vec<&str>, _> = values.collect();
    let values = values.map_err(|_| {
        let header = title(&name);
        Refusal::new(StatusCode::BAD_REQUEST, format!("{header}: expected ASCII."))
    })?;
    Ok(values.join(","))
}

/// The name of a header as people write it.
fn title(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| match word {
        "websocket" => "WebSocket".to_owned(),
        word => word[..1].to_ascii_uppercase() + &word[1..],
    });
    words.collect::<Vec<_>>().join("-")
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// The version of RFC 6455.
const VERSION: &str = "13";

/// Subprotocols that a client may name: each is compared with those before it.
const MAX_SUBPROTOCOLS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(is_key("dGhlIHNhbXBsZSBub25jZQ==") && is_key("AQIDBAUGBwgJCgsMDQ4PEC=="));
        assert!(!is_key("dGhlIHNhbXBsZSBub25jZQ") && !is_key("") && !is_key("dGhlIHNhbXBsZSBub25jZ===="));
    }

    #[test]
    fn headers_are_named_as_people_write_them() {
        assert_eq!(title(&header::SEC_WEBSOCKET_PROTOCOL), "Sec-WebSocket-Protocol");
        assert_eq!(title(&header::HOST), "Host");
    }
}
