//! The HTTP bridge: requests that become events and calls, by Crossbar.io's rules.
//!
//! Owns what a request to a `publisher`, `caller` or `webhook` must look like, and the answers. Who may do what is not
//! decided here: the session of the path has a role like any other. Pages of any origin may use it: nothing is asked here
//! that a browser adds by itself, such as a cookie, but where its address must be one of `require_ip`. That keeps programs
//! elsewhere out, and no page that somebody within opens: for pages, requests must be signed.
//!
//! | File | Holds |
//! |---|---|
//! | `signature` | what a request shows of who sent it |
//! | `request` | bodies to events and calls |
//! | `denial` | requests that become nothing |
//!
//! An ERROR of the router or of a callee is answered with 200, since HTTP has done what it should, as in Crossbar.io.

mod denial;
mod request;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use tracing::{debug, warn};

use self::denial::Denial;
use super::answer::{self, Answer, Refusal};
use super::body;
use crate::config::node::{self, BridgeAction, Terms, Webhook};
use crate::message::PublishOptions;
use crate::native::bridge::{Bridge, Failure};
use crate::native::gate::Gate;
use crate::native::hub::Hub;
use crate::native::stream::PeerInfo;
use crate::payload::{EncodedPayload, Payload, Values};

/// What is at a path of the bridge.
#[derive(Debug)]
pub(super) struct HttpBridge {
    gate: Arc<Gate>,
    /// Time for the body of a request.
    client_timeout: Duration,
}

impl HttpBridge {
    pub fn new(gate: Arc<Gate>, client_timeout: Duration) -> Self {
        Self { gate, client_timeout }
    }

    /// Answers a request. A call whose client goes away before that goes on.
    pub async fn answer(
        &self,
        request: &mut Request<Incoming>,
        hub: &Arc<Hub>,
        info: &PeerInfo,
    ) -> Result<Answer, Refusal> {
        let bridge = self.gate.bridge().ok_or_else(Refusal::not_found)?;
        let config = bridge.config().ok_or_else(Refusal::not_found)?;
        let served = match *request.method() {
            Method::POST | Method::PUT => self.serve(request, bridge, &config, hub, info).await,
            Method::OPTIONS => Ok(preflight(request.headers())),
            _ => Err(Denial::method()),
        };
        let mut answer = served.unwrap_or_else(|denial| {
            debug!(peer = info.peer, "a request to the HTTP bridge is denied: {denial}");
            denial.into_answer()
        });
        let headers = answer.headers_mut();
        let origin = request.headers().get(header::ORIGIN).filter(|origin| *origin != "null");
        let origin = origin.cloned().unwrap_or(HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }

    async fn serve(
        &self,
        request: &mut Request<Incoming>,
        bridge: &Bridge,
        config: &Arc<node::Bridge>,
        hub: &Arc<Hub>,
        info: &PeerInfo,
    ) -> Result<Answer, Denial> {
        if let BridgeAction::Publish(terms) | BridgeAction::Call(terms) = &config.action {
            check_place(terms, info)?;
        }
        check_content_type(request.headers(), !matches!(config.action, BridgeAction::Webhook(_)))?;
        let limit = hub.message_length().min(config.post_body_limit.unwrap_or(usize::MAX));
        let body = body::read(request, limit, self.client_timeout).await.map_err(Denial::from_refusal)?;
        let body = body.map_err(|length| Denial::too_long(length, limit))?;
        let session = || bridge.session(hub, config);
        match &config.action {
            BridgeAction::Publish(terms) => {
                signature::check(terms, request.uri().query(), &body, hub.now())?;
                let body = request::object(&body)?;
                let most = hub.decode_limits().audience.saturating_mul(BYTES_OF_A_RECEIVER);
                let (topic, payload, options) = (body.uri("topic")?, body.payload()?, body.options(most)?);
                let options = request::publish_options(&options)?;
                let publication = session()?.publish(hub, options, &topic, payload).await?;
                Ok(whole(StatusCode::OK, json!({ "id": publication.0 }).to_string()))
            }
            BridgeAction::Call(terms) => {
                signature::check(terms, request.uri().query(), &body, hub.now())?;
                let body = request::object(&body)?;
                let (procedure, payload) = (body.uri("procedure")?, body.payload()?);
                let result = session()?.call(hub, &procedure, payload).await?;
                Ok(whole(StatusCode::OK, request::result(&result)))
            }
            BridgeAction::Webhook(webhook) => {
                signature::check_github(webhook.github_secret.as_deref(), request.headers(), &body)?;
                let event = event_of(request.headers(), &body)?;
                let published = match session() {
                    Ok(session) => {
                        session.publish(hub, PublishOptions::default(), &webhook.topic, event).await
                    }
                    Err(failure) => Err(failure),
                };
                Ok(forwarded(webhook, published.map(drop), info))
            }
        }
    }
}

/// What a webhook answers.
fn forwarded(webhook: &Webhook, published: Result<(), Failure>, info: &PeerInfo) -> Answer {
    match published {
        Ok(()) => whole(StatusCode::ACCEPTED, webhook.success_response.clone()),
        Err(failure) => {
            let (peer, topic) = (&info.peer, &webhook.topic);
            warn!(peer, topic, "a request to a webhook is not published: {}", Denial::from(failure));
            whole(StatusCode::INTERNAL_SERVER_ERROR, webhook.error_response.clone())
        }
    }
}

/// Whether the client is where it must be.
fn check_place(terms: &Terms, info: &PeerInfo) -> Result<(), Denial> {
    let is_within = |address| terms.require_ip.iter().any(|network| network.contains(address));
    if !terms.require_ip.is_empty() && !info.channel.address.is_some_and(is_within) {
        return Err(Denial::bad("requests from this address are not taken"));
    }
    if terms.require_tls && !info.is_secure {
        return Err(Denial::bad("requests are taken over TLS alone"));
    }
    Ok(())
}

/// Refuses what says of itself that it is something else. Whoever says nothing may send what is expected.
fn check_content_type(headers: &HeaderMap, must_be_json: bool) -> Result<(), Denial> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    if must_be_json && kind != "application/json" {
        return Err(Denial::bad(format!("Content-Type: expected application/json, found {kind:?}")));
    }
    let parameters = parts.filter_map(|part| part.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim() == "charset");
    let is_utf8 = |charset: &str| matches!(charset.trim().trim_matches('"'), "utf-8" | "utf8");
    let charset = charsets.next();
    if charset.is_some_and(|(_, charset)| !is_utf8(charset)) || charsets.next().is_some() {
        return Err(Denial::bad("Content-Type: expected charset=utf-8, or none"));
    }
    Ok(())
}

/// A whole request as the arguments of an event.
fn event_of(headers: &HeaderMap, body: &Bytes) -> Result<EncodedPayload, Denial> {
    let body = request::text(body)?;
    let mut listed = Map::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let values = listed.entry(capitalized(name.as_str())).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value.into());
        }
    }
    let values = Values::args([json!({ "headers": listed, "body": body })]);
    Ok(EncodedPayload::from_values(&values))
}

/// The name of a header as Crossbar.io's subscribers know it: `X-Github-Event`.
fn capitalized(name: &str) -> String {
    match name {
        "content-md5" => return "Content-MD5".to_owned(),
        "dnt" | "te" => return name.to_ascii_uppercase(),
        _ => {}
    }
    let mut is_first = true;
    let next = |letter: char| {
        let letter = if is_first { letter.to_ascii_uppercase() } else { letter };
        is_first = letter == '-';
        letter
    };
    name.chars().map(next).collect()
}

/// What a browser asks before a page of another origin may send JSON.
fn preflight(request: &HeaderMap) -> Answer {
    let mut answer = whole(StatusCode::OK, "");
    let headers = answer.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    if let Some(names) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    answer
}

/// Crossbar.io calls everything JSON here, the responses of webhooks too.
fn whole(status: StatusCode, bytes: impl Into<Bytes>) -> Answer {
    answer::whole(status, "application/json; charset=UTF-8", bytes)
}

/// Bytes of `options` for each receiver that an event may name.
const BYTES_OF_A_RECEIVER: usize = 1 << 10;

const METHODS: &str = "POST,PUT,OPTIONS";
