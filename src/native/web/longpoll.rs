//! WAMP over HTTP long polling. [wamp: advanced/transport_http_longpoll]
//!
//! Owns transports that are no connection: `open` makes one, `receive` waits for its next message, `send` hands it one,
//! `close` ends it, and so does silence. Whoever knows the id of a transport is its client: ids are 128 bits of chance,
//! and what a browser shows by itself, a cookie or a certificate, counts where the page is of the same host. That is why
//! pages of any origin may use it: there is no `allowed_origins` here, and a page can do no more than a program that is no
//! browser. A router that keeps pages away from its WebSocket by `allowed_origins` must not serve this beside it.
//!
//! `send` and `close` are answered with 204, as Crossbar.io does it: Autobahn|JS takes any status but 200 and 204 for a
//! failure, also the 202 of the specification.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use super::answer::{self, Answer, Refusal};
use super::body;
use super::handshake::{confidential, recognize};
use crate::codec::Serializer;
use crate::config::node;
use crate::native::flusher::Turn;
use crate::native::gate::Gate;
use crate::native::hub::Hub;
use crate::native::lock;
use crate::native::mailbox::{Mailbox, MailboxLimits};
use crate::native::secret::random_hex;
use crate::native::stream::PeerInfo;
use crate::native::subprotocol::Subprotocol;
use crate::native::websocket::Batching;
use crate::router::Transport;

/// The transports of one path.
#[derive(Debug)]
pub(super) struct LongPolls {
    config: node::LongPoll,
    /// How clients authenticate.
    gate: Arc<Gate>,
    /// Time for the body of a request.
    client_timeout: Duration,
    /// By their ids.
    polls: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: the router has closed it, and the client may not know: its `close` is still to be answered.
    poll: Option<Arc<Poll>>,
    /// Ends with the entry.
    _watch: Watch,
}

/// The task that watches a transport for silence, as long as this lives.
#[derive(Debug)]
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One transport.
#[derive(Debug)]
struct Poll {
    mailbox: Mailbox,
    subprotocol: Subprotocol,
    /// How the client batches, where it does.
    batching: Mutex<Batching>,
    listening: Mutex<Listening>,
    /// The client has closed the transport.
    closed: Notify,
}

/// Whether the client is there.
#[derive(Debug)]
enum Listening {
    /// A `receive` waits.
    Now,
    /// The last one ended so long ago.
    Since(Instant),
}

/// What a request is about.
pub(super) struct Asked<'a> {
    pub hub: &'a Arc<Hub>,
    pub info: &'a PeerInfo,
    /// The segments behind the path of the service.
    pub rest: &'a [String],
}

impl LongPolls {
    pub fn new(config: &node::LongPoll, gate: Arc<Gate>, client_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { config: config.clone(), gate, client_timeout, polls: Mutex::default() })
    }

    /// Answers a request; pages of any origin may read the answer.
    pub async fn answer(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        asked: Asked<'_>,
    ) -> Result<Answer, Refusal> {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let mut answer = self.serve(request, asked).await;
        let mut put = |name, value| answer::put(&mut answer, name, value);
        put(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        put(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            // Autobahn|JS asks with credentials, for which `*` would not do.
            put(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            put(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        answer
    }

    async fn serve(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        Asked { hub, info, rest }: Asked<'_>,
    ) -> Result<Answer, Refusal> {
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        if !matches!(*rest, ["open"] | [_, "receive" | "send" | "close"]) {
            return Err(Refusal::not_found());
        }
        match *request.method() {
            Method::POST => {}
            Method::OPTIONS => return Ok(preflight()),
            _ => return Err(Refusal::method("POST, OPTIONS")),
        }
        match *rest {
            [id, "receive"] => self.receive(id).await,
            [id, "send"] => self.send(hub, id, request).await,
            [id, "close"] => self.close(id),
            _ => self.open(hub, info, request).await,
        }
    }

    async fn open(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        info: &PeerInfo,
        request: &mut Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let body = body::read(request, MAX_OPEN, self.client_timeout).await?;
        let body = body.map_err(|_| too_long(MAX_OPEN))?;
        let subprotocol = choose(&body).map_err(bad)?;
        self.make_room(hub.transport_limit())?;
        let (channel, cookie) = recognize(&self.gate, request.headers(), &[], &info.channel)?;
        let transport = Transport {
            kind: "longpoll".into(),
            protocol: subprotocol.to_string(),
            peer: info.peer.clone(),
            serializer: subprotocol.serializer,
            channel,
            // Autobahn|JS sends each message as a request of its own, and a browser spreads them over its connections.
            is_unordered: true,
            extra: info.details("longpoll"),
            confidential: confidential(&self.gate, request.headers(), &[]),
            ..Transport::default()
        };
        let limits = MailboxLimits {
            bytes: self.config.queue_limit_bytes,
            messages: self.config.queue_limit_messages,
        };
        let mailbox = Mailbox::open(hub, transport, Some(&self.gate), limits).map_err(|refused| {
            hub.reject_handshake(&info.peer, &refused.to_string());
            Refusal::not_now(&refused)
        })?;
        let id = random_hex(16).map_err(|_| Refusal::no_random_numbers())?;
        let poll = Arc::new(Poll {
            mailbox,
            subprotocol,
            batching: Mutex::new(Batching::new(subprotocol.serializer)),
            listening: Mutex::new(Listening::Since(Instant::now())),
            closed: Notify::new(),
        });
        let watch = tokio::spawn(watch(Arc::clone(self), id.clone(), Arc::downgrade(&poll)));
        let watch = Watch(watch.abort_handle());
        self.lock().insert(id.clone(), Entry { poll: Some(poll), _watch: watch });
        let answer = json!({ "protocol": subprotocol.to_string(), "transport": id }).to_string();
        let mut answer = answer::whole(StatusCode::OK, "application/json", answer);
        if let Some(cookie) = cookie {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(answer)
    }

    async fn receive(&self, id: &str) -> Result<Answer, Refusal> {
        let poll = self.find(id)?;
        let _listening = Listener::begin(&poll)?;
        let first = tokio::select! {
            message = poll.mailbox.receive() => message,
            () = poll.closed.notified() => return Ok(nothing()),
            () = sleep(self.config.request_timeout) => return Ok(nothing()),
        };
        let Some(first) = first else {
            // Nothing is left to be fetched, and nothing more will come.
            if let Some(entry) = self.lock().get_mut(id) {
                entry.poll = None;
            }
            return Ok(nothing());
        };
        let Subprotocol { serializer, batched } = poll.subprotocol;
        let content_type = match serializer {
            Serializer::Json => "application/json",
            Serializer::MsgPack | Serializer::Cbor => "application/octet-stream",
        };
        if !batched {
            return Ok(answer::whole(StatusCode::OK, content_type, first));
        }
        let batching = *lock(&poll.batching);
        let mut batch = Vec::new();
        batching.append(&first, &mut batch);
        while batch.len() < MAX_BATCH
            && let Some(message) = poll.mailbox.try_receive()
        {
            batching.append(&message, &mut batch);
        }
        Ok(answer::whole(StatusCode::OK, content_type, batch))
    }

    async fn send(
        &self,
        hub: &Arc<Hub>,
        id: &str,
        request: &mut Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let poll = self.find(id)?;
        let key = poll.mailbox.key();
        let limit = hub.message_limit(key);
        let body = match body::read(request, limit, self.client_timeout).await? {
            Ok(body) => body,
            Err(length) => {
                hub.oversized(key, length);
                return Err(too_long(limit));
            }
        };
        if poll.subprotocol.batched {
            let mut messages = Vec::new();
            lock(&poll.batching)
                .part(body, &mut messages)
                .map_err(|failure| bad(&format!("expected a batch: {failure}")))?;
            let mut rest = messages.into_iter();
            while hub.handle_turn(key, &mut rest, &mut Turn::default()).is_some() {
                tokio::task::yield_now().await;
            }
        } else if body.is_empty() {
            return Err(bad("expected a message, found nothing"));
        } else {
            hub.handle(key, body);
        }
        Ok(nothing())
    }

    fn close(&self, id: &str) -> Result<Answer, Refusal> {
        let entry = self.lock().remove(id).ok_or_else(no_such_transport)?;
        if let Some(poll) = &entry.poll {
            poll.closed.notify_one();
        }
        Ok(nothing())
    }

    fn find(&self, id: &str) -> Result<Arc<Poll>, Refusal> {
        self.lock().get(id).and_then(|entry| entry.poll.clone()).ok_or_else(no_such_transport)
    }

    /// Keeps what is remembered as bounded as what is open.
    fn make_room(&self, limit: usize) -> Result<(), Refusal> {
        let mut polls = self.lock();
        if polls.len() >= limit {
            polls.retain(|_, entry| entry.poll.is_some());
        }
        if polls.len() >= limit {
            return Err(Refusal::not_now(&"there are as many transports as there may be"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        lock(&self.polls)
    }
}

impl Poll {
    fn listening(&self) -> MutexGuard<'_, Listening> {
        lock(&self.listening)
    }
}

/// A `receive` that waits, from its beginning to its end, whichever that is.
struct Listener<'a>(&'a Poll);

impl<'a> Listener<'a> {
    fn begin(poll: &'a Poll) -> Result<Self, Refusal> {
        match std::mem::replace(&mut *poll.listening(), Listening::Now) {
            Listening::Now => Err(bad("a receive of this transport waits already")),
            Listening::Since(_) => Ok(Self(poll)),
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        *self.0.listening() = Listening::Since(Instant::now());
    }
}

/// Ends a transport whose client does not listen, and forgets it.
async fn watch(polls: Arc<LongPolls>, id: String, poll: Weak<Poll>) {
    let session_timeout = polls.config.session_timeout;
    loop {
        let Some(poll) = poll.upgrade() else {
            // The client has this long to close what the router has closed.
            sleep(session_timeout).await;
            break;
        };
        let ends_at = match *poll.listening() {
            Listening::Now => Instant::now() + session_timeout,
            Listening::Since(last) => last + session_timeout,
        };
        drop(poll);
        if ends_at <= Instant::now() {
            debug!("a long-poll transport has timed out");
            break;
        }
        sleep_until(ends_at).await;
    }
    // Dropped when the lock is let go: what it ends takes the router's lock.
    let _entry = polls.lock().remove(&id);
}

/// The first of the client's protocols that is served.
fn choose(body: &[u8]) -> Result<Subprotocol, &'static str> {
    const EXPECTED: &str = "expected {\"protocols\": [..]} with the names of subprotocols";
    let value: Value = serde_json::from_slice(body).map_err(|_| EXPECTED)?;
    let protocols = value.get("protocols").and_then(Value::as_array).ok_or(EXPECTED)?;
    for protocol in protocols {
        if let Some(served) = Subprotocol::named(protocol.as_str().ok_or(EXPECTED)?) {
            return Ok(served);
        }
    }
    Err(
        "expected wamp.2.json, wamp.2.msgpack or wamp.2.cbor among the protocols, or one of them with .batched",
    )
}

/// What a browser asks before a page of another origin may send JSON.
fn preflight() -> Answer {
    let mut answer = nothing();
    let headers: &mut HeaderMap = answer.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    answer
}

fn nothing() -> Answer {
    let mut answer = Response::new(answer::body(""));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn bad(reason: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}

fn too_long(limit: usize) -> Refusal {
    let reason = format!("At most {limit} bytes may be sent here.");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
}

fn no_such_transport() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "There is no such transport, or not any more.")
}

/// Bytes of what `open` is told.
const MAX_OPEN: usize = 4 << 10;

/// Bytes from which on a batch is sent without waiting messages.
const MAX_BATCH: usize = 64 << 10;
