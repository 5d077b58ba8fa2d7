//! The sessions behind the paths of the HTTP bridge: one for each path, whoever comes there.
//!
//! Owns the client's half of such a session: requests that many send at once, their answers, and what is given up when
//! nobody waits for it any more. A session that has ended, since somebody killed it or its realm was closed, is followed by
//! another one with the next request. What HTTP has to do with it is in `web::bridge`.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tracing::warn;

use super::hub::Hub;
use super::lock;
use super::mailbox::{Mailbox, MailboxLimits};
use crate::auth::Identity;
use crate::codec::{self, DecodeLimits, Serializer, TailSpan};
use crate::config::node;
use crate::id::{PublicationId, RequestId, SessionKey};
use crate::message::{CallOptions, CancelMode, Dict, Message, PublishOptions, dict};
use crate::payload::EncodedPayload;
use crate::router::Transport;

/// The session of one path, and what is configured of it now.
#[derive(Debug)]
pub(super) struct Bridge {
    path: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: the path is not in the configuration any more.
    config: Option<Arc<node::Bridge>>,
    session: Option<Arc<Session>>,
}

/// A session that has joined. It leaves when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Session {
    key: SessionKey,
    waiting: Arc<Mutex<Waiting>>,
    reader: AbortHandle,
}

/// Who waits for what.
#[derive(Debug, Default)]
struct Waiting {
    last_request: RequestId,
    /// As many as there are connections, at most: each waits for one answer at a time.
    replies: BTreeMap<RequestId, oneshot::Sender<Result<Reply, Failure>>>,
    /// Why nothing is answered any more.
    ended: Option<Failure>,
}

#[derive(Debug)]
enum Reply {
    Published(PublicationId),
    Result(EncodedPayload),
}

/// Why a request came to nothing.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The router or a callee has answered with ERROR.
    Refused { error: String, payload: EncodedPayload },
    /// It can be no message: a sentence.
    Unfit(String),
    /// It would be a message of more than so many bytes.
    TooLong(usize),
    /// There is no session, or not any more: a URI, and a sentence.
    NoSession { error: String, text: String },
}

/// Has each path join that has no session.
pub(super) fn join_all(hub: &Arc<Hub>) {
    for bridge in hub.gates.bridges() {
        let Some(config) = bridge.config() else { continue };
        if let Err(Failure::NoSession { error, text }) = bridge.session(hub, &config) {
            warn!(path = bridge.path, error, "the session of the HTTP bridge cannot join: {text}");
        }
    }
}

impl Bridge {
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), state: Mutex::default() }
    }

    /// Takes what is configured now. A session of before leaves when all that wait for it have their answers.
    pub fn configure(&self, config: Option<&node::Bridge>) {
        let mut state = lock(&self.state);
        // It stays where its path stays as it was.
        if state.config.as_deref() != config {
            *state = State { config: config.cloned().map(Arc::new), session: None };
        }
    }

    /// What is configured now.
    pub fn config(&self) -> Option<Arc<node::Bridge>> {
        lock(&self.state).config.clone()
    }

    /// The session, which joins if there is none. `config` is what the request was judged by: it fails if that is not
    /// what is configured any more.
    pub fn session(&self, hub: &Arc<Hub>, config: &Arc<node::Bridge>) -> Result<Arc<Session>, Failure> {
        let mut state = lock(&self.state);
        if !state.config.as_ref().is_some_and(|current| Arc::ptr_eq(current, config)) {
            return Err(no_session("wamp.error.canceled", "this path was configured anew meanwhile"));
        }
        if let Some(session) = state.session.as_ref().filter(|session| !session.has_ended()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(Session::join(hub, &self.path, config)?);
        state.session = Some(Arc::clone(&session));
        Ok(session)
    }
}

impl Session {
    fn join(hub: &Arc<Hub>, path: &str, config: &node::Bridge) -> Result<Self, Failure> {
        let identity = Identity {
            realm: Some(config.realm.clone()),
            authrole: config.role.clone(),
            authmethod: "bridge".into(),
            authprovider: "static".into(),
            ..Identity::default()
        };
        let transport = Transport {
            kind: "bridge".into(),
            protocol: "wamp.2.json".into(),
            peer: path.to_owned(),
            serializer: Serializer::Json,
            identity: Some(identity),
            // Those who send at once do not wait for one another.
            is_unordered: true,
            is_child: true,
            extra: dict([("channel_type", "function".into()), ("channel_framing", "native".into())]),
            ..Transport::default()
        };
        // What comes are answers, one for each request, and somebody holds a connection open for each.
        let limits = MailboxLimits { bytes: usize::MAX, messages: usize::MAX };
        let mailbox = Mailbox::open(hub, transport, None, limits)
            .map_err(|refused| no_session("wamplet.error.limit_exceeded", refused.to_string()))?;
        let key = mailbox.key();
        let roles = json!({ "publisher": {}, "caller": {} });
        let hello =
            Message::Hello { realm: Some(config.realm.as_str().into()), details: dict([("roles", roles)]) };
        hub.handle(key, frame(&hello));
        let first = mailbox.try_receive().unwrap_or_default();
        match decode(&first) {
            Some((Message::Welcome { .. }, _)) => {}
            Some((Message::Abort { details, reason, .. }, _)) => return Err(goodbye(&reason, &details)),
            _ => return Err(no_session("wamp.error.protocol_violation", "no WELCOME came")),
        }
        let waiting = Arc::<Mutex<Waiting>>::default();
        let reader = tokio::spawn(read(mailbox, Arc::clone(&waiting))).abort_handle();
        Ok(Self { key, waiting, reader })
    }

    fn has_ended(&self) -> bool {
        lock(&self.waiting).ended.is_some()
    }

    /// Publishes an event; answers what its publication is known by.
    pub async fn publish(
        &self,
        hub: &Hub,
        options: PublishOptions<'_>,
        topic: &str,
        payload: EncodedPayload,
    ) -> Result<PublicationId, Failure> {
        let options = PublishOptions { acknowledge: true, ..options };
        let topic = topic.into();
        match self.request(hub, |request| Message::Publish { request, options, topic, payload }).await? {
            Reply::Published(publication) => Ok(publication),
            Reply::Result(_) => Err(unexpected()),
        }
    }

    /// Calls a procedure. The result is for nobody where this is not waited for, and the callee does its work all the same.
    pub async fn call(
        &self,
        hub: &Hub,
        procedure: &str,
        payload: EncodedPayload,
    ) -> Result<EncodedPayload, Failure> {
        let options = CallOptions::default();
        let procedure = procedure.into();
        match self.request(hub, |request| Message::Call { request, options, procedure, payload }).await? {
            Reply::Result(payload) => Ok(payload),
            Reply::Published(_) => Err(unexpected()),
        }
    }

    /// Sends a request at once, and waits only for its answer.
    async fn request<'m>(
        &self,
        hub: &Hub,
        message: impl FnOnce(RequestId) -> Message<'m, EncodedPayload>,
    ) -> Result<Reply, Failure> {
        let (sender, reply) = oneshot::channel();
        let request = {
            let mut waiting = lock(&self.waiting);
            if let Some(ended) = &waiting.ended {
                return Err(ended.clone());
            }
            let request = waiting.last_request.next();
            waiting.last_request = request;
            waiting.replies.insert(request, sender);
            request
        };
        let message = message(request);
        let is_call = matches!(message, Message::Call { .. });
        let mut asked = Asked { hub, session: self, request, is_call: false };
        let message = frame(&message);
        let limit = hub.message_length();
        if message.len() > limit {
            return Err(Failure::TooLong(limit));
        }
        // What the router would take for a violation is the fault of one request, and not of the session.
        codec::decode(Serializer::Json, &message, &hub.decode_limits())
            .map_err(|error| Failure::Unfit(error.to_string()))?;
        asked.is_call = is_call;
        hub.handle(self.key, message);
        reply.await.unwrap_or_else(|_| Err(unexpected()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A request that waits for its answer.
struct Asked<'s> {
    hub: &'s Hub,
    session: &'s Session,
    request: RequestId,
    /// Whether the router would keep a result for it.
    is_call: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let is_open = lock(&self.session.waiting).replies.remove(&self.request).is_some();
        if is_open && self.is_call {
            // Scripts that call and go mean what they call: the callee is let be, and what it says is for nobody.
            let mode = Some(CancelMode::Skip);
            let cancel = Message::Cancel { request: self.request, mode };
            self.hub.handle(self.session.key, frame(&cancel));
        }
    }
}

/// Gives everybody their answers until the session ends.
async fn read(mailbox: Mailbox, waiting: Arc<Mutex<Waiting>>) {
    let end = loop {
        let Some(message) = mailbox.receive().await else {
            break no_session("wamp.close.normal", "the session has ended");
        };
        if let Some(end) = take(&message, &waiting) {
            break end;
        }
    };
    let replies = {
        let mut waiting = lock(&waiting);
        waiting.ended = Some(end.clone());
        mem::take(&mut waiting.replies)
    };
    for (_, reply) in replies {
        // Whoever has gone does not want it.
        let _ = reply.send(Err(end.clone()));
    }
}

/// Takes a message of the router; answers the end of the session, if it is that.
fn take(frame: &Bytes, waiting: &Mutex<Waiting>) -> Option<Failure> {
    let Some((message, TailSpan { start, end, elements })) = decode(frame) else {
        return Some(unexpected());
    };
    let payload =
        || EncodedPayload { bytes: frame.slice(start..end), elements, serializer: Serializer::Json };
    let (request, reply) = match message {
        Message::Published { request, publication } => (request, Ok(Reply::Published(publication))),
        Message::Result { request, .. } => (request, Ok(Reply::Result(payload()))),
        Message::Error { request, error, .. } => {
            (request, Err(Failure::Refused { error: error.into_owned(), payload: payload() }))
        }
        Message::Goodbye { details, reason } | Message::Abort { details, reason, .. } => {
            return Some(goodbye(&reason, &details));
        }
        _ => return None,
    };
    if let Some(waiting) = lock(waiting).replies.remove(&request) {
        // As above.
        let _ = waiting.send(reply);
    }
    None
}

/// What the router has sent; it sends nothing that is no message.
fn decode(frame: &[u8]) -> Option<(Message<'_, ()>, TailSpan)> {
    codec::decode(Serializer::Json, frame, &DecodeLimits::OWN).ok()
}

fn frame(message: &Message<'_, EncodedPayload>) -> Bytes {
    let mut frame = Vec::new();
    codec::encode_head(Serializer::Json, message, &mut frame);
    if let Some(payload) = message.payload() {
        frame.extend_from_slice(&payload.bytes);
    }
    frame.extend_from_slice(codec::closing(Serializer::Json));
    frame.into()
}

fn goodbye(reason: &str, details: &Dict) -> Failure {
    let text = details.get("message").and_then(|text| text.as_str());
    no_session(reason, text.unwrap_or("the session has ended"))
}

fn no_session(error: &str, text: impl Into<String>) -> Failure {
    Failure::NoSession { error: error.to_owned(), text: text.into() }
}

fn unexpected() -> Failure {
    no_session("wamp.error.runtime_error", "the router has answered something else")
}
