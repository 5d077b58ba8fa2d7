//! HTTP on a listener: services by path, and the way to WebSocket.
//!
//! Owns a connection as long as it speaks HTTP. What it must not do: hold any of that when it has become a WebSocket, which
//! may be idle for days.
//!
//! | File | Holds |
//! |---|---|
//! | `routes` | which service answers which path |
//! | `answer`, `page` | whole answers and refusals, the look of pages |
//! | `patience` | the end of a connection that takes nothing of an answer |
//! | `preference` | `Accept` and `Accept-Encoding` |
//! | `handshake`, `extensions`, `origin` | the WebSocket handshake |
//! | `body` | the bodies of requests |
//! | `longpoll` | WAMP over HTTP long polling |
//! | `bridge` | HTTP requests that become messages |
//! | `files`, `file_body`, `listing` | static files |
//! | `status`, `nodeinfo`, `metrics` | what the node says of itself |

mod answer;
mod body;
mod bridge;
mod extensions;
mod file_body;
mod files;
mod handshake;
mod listing;
mod longpoll;
mod metrics;
mod nodeinfo;
mod origin;
mod page;
mod patience;
mod preference;
mod routes;
mod status;

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{self, OnUpgrade};
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;
use tracing::{debug, info};

use self::answer::{Answer, Refusal};
use self::handshake::Agreed;
use self::longpoll::Asked;
use self::patience::Patient;
use self::routes::{Found, Routes, Server, Service};
use super::gate::{Gate, Gates};
use super::hub::Hub;
use super::lock;
use super::stream::{PeerInfo, Stream};
use super::websocket::{self, Accepted};
use crate::config::node::{self, JsonOptions};

/// What a listener serves over HTTP.
#[derive(Debug)]
pub struct Web {
    routes: Routes,
    access_log: bool,
    hsts: Option<HeaderValue>,
    client_timeout: Duration,
}

impl Web {
    /// What `listener` configures as `web`.
    pub fn new(web: &node::Web, listener: &node::Listener, gates: &Gates) -> Self {
        let hsts = |age: Duration| {
            HeaderValue::from_str(&format!("max-age={}", age.as_secs())).expect("a number is ASCII")
        };
        Self {
            routes: Routes::new(&web.paths, "", &Server { web, listener, gates }),
            access_log: web.access_log,
            hsts: web.hsts.map(hsts),
            client_timeout: web.client_timeout,
        }
    }
}

/// Serves a connection to its end: first HTTP, and then WebSocket if the client asks for it.
pub async fn serve(hub: Arc<Hub>, web: Arc<Web>, stream: Stream, info: PeerInfo) {
    // In a box, so that a connection that has become a WebSocket gives the memory for HTTP back.
    let upgraded = Box::pin(serve_http(Arc::clone(&hub), web, stream, info.clone())).await;
    let Some((stream, agreed)) = upgraded else { return };
    let Agreed { subprotocol, deflate, config, gate, channel, confidential } = agreed;
    let info = PeerInfo { channel, ..info };
    let accepted = Accepted { subprotocol, deflate, config, info, confidential, gate };
    if accepted.config.is_testee {
        return websocket::serve_testee(stream, accepted, hub.message_length()).await;
    }
    websocket::serve(hub, stream, accepted);
}

/// Serves HTTP to the end of the connection, or until it is a WebSocket.
async fn serve_http(
    hub: Arc<Hub>,
    web: Arc<Web>,
    stream: Stream,
    info: PeerInfo,
) -> Option<(Stream, Agreed)> {
    let upgrade = Mutex::new(None);
    let is_used = AtomicBool::new(false);
    let exchange = Exchange { hub: &hub, web: &web, info: &info, upgrade: &upgrade, is_used: &is_used };
    let service = service_fn(|request| async { Ok::<_, Infallible>(exchange.answer(request).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(web.client_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, web.client_timeout)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = hub.ending() => {
            if !is_used.load(Ordering::Relaxed) {
                // Browsers open connections that they may need later; hyper waits for the first request on them.
                return None;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Once there was a request, silence and leaving are ordinary ends: idle connections, polls that nobody waits for.
        let is_silent = error.is_timeout() || error.is_incomplete_message();
        if error.is_parse() || is_silent && !is_used.load(Ordering::Relaxed) {
            hub.reject_handshake(&info.peer, &format!("HTTP: {error}"));
        } else {
            debug!(peer = info.peer, "the connection ended: {error}");
        }
        return None;
    }
    let (on_upgrade, agreed) = lock(&upgrade).take()?;
    let parts = on_upgrade.await.ok()?.downcast::<TokioIo<Patient>>().ok()?;
    let stream = parts.io.into_inner().into_inner();
    let read_ahead = if stream.read_ahead.is_empty() {
        parts.read_buf
    } else {
        let mut both = BytesMut::from(parts.read_buf);
        both.extend_from_slice(&stream.read_ahead);
        both.freeze()
    };
    Some((stream.with_read_ahead(read_ahead), agreed))
}

/// What the requests of one connection have in common.
struct Exchange<'a> {
    hub: &'a Arc<Hub>,
    web: &'a Arc<Web>,
    info: &'a PeerInfo,
    /// Where to go on after this HTTP, if it ends as WebSocket.
    upgrade: &'a Mutex<Option<(OnUpgrade, Agreed)>>,
    /// Whether there was a request.
    is_used: &'a AtomicBool,
}

impl Exchange<'_> {
    async fn answer(&self, mut request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        self.is_used.store(true, Ordering::Relaxed);
        let served = self.serve(&mut request).await;
        let mut answer = served.unwrap_or_else(|refusal| refusal.into_answer(request.headers()));
        let headers = answer.headers_mut();
        headers.entry(header::SERVER).or_insert(HeaderValue::from_static(SERVER));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(hsts) = &self.web.hsts
            && self.info.is_secure
        {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        if self.web.access_log {
            let (method, path) = (request.method().as_str(), &*self.loggable(request.uri().path()));
            let (status, microseconds) = (answer.status().as_u16(), begun.elapsed().as_micros() as u64);
            info!(target: "wamplet::access", peer = self.info.peer, method, path, status, microseconds, "request");
        }
        answer
    }

    /// The path without the id of a long-poll transport, of which the beginning is enough to follow it through the log:
    /// whoever knows all of it is its client.
    fn loggable<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match self.web.routes.find(path) {
            Some(Found { service: Service::LongPoll(_), rest, .. }) => match rest.first() {
                Some(id) if id.len() > LOGGED_ID => {
                    let shown: String = id.chars().take(LOGGED_ID).collect();
                    path.replace(id, &format!("{shown}...")).into()
                }
                _ => path.into(),
            },
            _ => path.into(),
        }
    }

    async fn serve(&self, request: &mut Request<Incoming>) -> Result<Answer, Refusal> {
        let found = self.web.routes.find(request.uri().path());
        let found = found.filter(|found| found.rest.is_empty() || found.service.has_paths());
        let host = check_host(request);
        if let Some(Found { service: Service::WebSocket(config, gate), .. }) = &found {
            return self.websocket(request, config, gate, host);
        }
        host?;
        let found = found.ok_or_else(Refusal::not_found)?;
        match found.service {
            Service::LongPoll(polls) => {
                let asked = Asked { hub: self.hub, info: self.info, rest: &found.rest };
                return polls.answer(request, asked).await;
            }
            Service::Bridge(bridge) => return bridge.answer(request, self.hub, self.info).await,
            // Its status keeps the method, whichever that is.
            Service::Redirect(url) => {
                let mut answer = answer::whole(StatusCode::TEMPORARY_REDIRECT, "text/plain", "");
                answer.headers_mut().insert(header::LOCATION, url.clone());
                return Ok(answer);
            }
            _ => {}
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Refusal::method("GET, HEAD"));
        }
        if *request.method() == Method::HEAD {
            // Ranges are of GET alone. [RFC 9110, 14.2]
            request.headers_mut().remove(header::RANGE);
        }
        match found.service {
            Service::WebSocket(..)
            | Service::LongPoll(_)
            | Service::Bridge(_)
            | Service::Redirect(_)
            | Service::Nothing => Err(Refusal::not_found()),
            Service::Json { text, options } => Ok(json(text, *options)),
            Service::NodeInfo(gate) => Ok(nodeinfo::answer(request.headers(), self.hub, gate)),
            Service::Metrics => Ok(metrics::answer(self.hub)),
            Service::Status(status) => Ok(status.answer(request.headers(), self.hub)),
            Service::Files(files) => files.answer(&found, request.uri(), request.headers()).await,
        }
    }

    /// `host`: what [`check_host`] said.
    fn websocket(
        &self,
        request: &mut Request<Incoming>,
        config: &Arc<node::WebSocket>,
        gate: &Arc<Gate>,
        host: Result<(), Refusal>,
    ) -> Result<Answer, Refusal> {
        let mut answer = if let Err(refusal) = host {
            Err(refusal)
        } else if handshake::is_asked_for(request) {
            let room = self.hub.check_open().map_err(|refused| Refusal::not_now(&refused));
            let agreed = room.and_then(|()| handshake::agree(request, config, gate, &self.info.channel));
            agreed.map(|(agreed, answer)| {
                let on_upgrade = upgrade::on(&mut *request);
                *lock(self.upgrade) = Some((on_upgrade, agreed));
                answer
            })
        } else if config.options.enable_webstatus && matches!(*request.method(), Method::GET | Method::HEAD) {
            Ok(answer::html(StatusCode::OK, page::page("WebSocket", WEBSOCKET_PAGE)))
        } else {
            Err(handshake::upgrade_required("A WebSocket is served at this path."))
        };
        if let Err(refusal) = &answer {
            self.hub.reject_handshake(&self.info.peer, &refusal.reason);
        }
        if !config.options.show_server_version {
            answer::put(&mut answer, header::SERVER, HeaderValue::from_static("wamplet"));
        }
        answer
    }
}

/// Refuses a request that does not say which host it is for, or says it twice: a proxy might have read another one than we
/// would. [RFC 9112, 3.2]
fn check_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let problem = match request.headers().get_all(header::HOST).iter().count() {
        1 => return Ok(()),
        0 if request.version() < Version::HTTP_11 => return Ok(()),
        0 => "Host: it is missing.",
        _ => "Host: it is there more than once.",
    };
    Err(Refusal::new(StatusCode::BAD_REQUEST, problem))
}

fn json(text: &Bytes, options: JsonOptions) -> Answer {
    let mut answer = answer::whole(StatusCode::OK, "application/json", text.clone());
    let headers = answer.headers_mut();
    if options.allow_cross_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if options.discourage_caching {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    answer
}

const WEBSOCKET_PAGE: &str = "<p class=\"state\">Running</p>\n<h1>A WebSocket is here</h1>\n\
     <p>This address is for WAMP clients. A browser shows nothing of it but this page.</p>\n";

/// What answers say of who made them.
const SERVER: &str = concat!("wamplet/", env!("CARGO_PKG_VERSION"));

/// Characters of the id of a long-poll transport that are logged.
const LOGGED_ID: usize = 8;

/// Bytes of a request's head, and of what is read ahead of a body.
const MAX_HEAD: usize = 32 << 10;
