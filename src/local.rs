//! Sessions without a transport, for Rust programs that hold a router in their own process.
//!
//! Owns the client's half of WAMP for one in-process session: request ids, replies as futures, events and invocations
//! as streams. The router runs inside the caller's call, so there is nothing to spawn. Only timers need a driver: sleep
//! until [`LocalRouter::next_timeout`], then call [`LocalRouter::handle_timeout`]. So do functions that decide who may do
//! what: [`LocalRouter::with_decider`].
//!
//! ```
//! use futures::StreamExt;
//! use futures::executor::block_on;
//! use serde_json::json;
//! use wamplet::config::Config;
//! use wamplet::local::LocalRouter;
//! use wamplet::payload::Values;
//! use wamplet::router::Now;
//!
//! let router = LocalRouter::new(Config::default(), [7; 32], Now::default);
//! let alice = router.join("realm1").expect("any realm will do");
//! let bob = router.join("realm1").expect("any realm will do");
//! block_on(async {
//!     let mut greetings = bob.subscribe("com.example.greeting").await.expect("bob may subscribe");
//!     alice.publish("com.example.greeting", &Values::args([json!("hello")])).await.expect("alice may publish");
//!     let event = greetings.next().await.expect("bob is still there");
//!     assert_eq!(event.values.args, [json!("hello")]);
//! });
//! ```

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use serde_json::json;

use crate::auth::{self, Decider, Identity};
use crate::codec::{self, DecodeLimits, Serializer};
use crate::config::{Config, ConfigError};
use crate::id::{PublicationId, RegistrationId, RequestId, SessionId, SessionKey, SubscriptionId, Ticket};
use crate::message::{
    CallOptions, Dict, Message, MessageType, Passthru, PublishOptions, RegisterOptions, SubscribeOptions,
    UnregisteredDetails, UnsubscribedDetails, YieldOptions,
};
use crate::payload::{EncodedPayload, Payload, Values};
use crate::router::{Action, Now, Outbox, Question, Router, Transport};
use crate::store::{self, EventStore, StoreError};

/// A router in this process. Clones are handles to the same router.
#[derive(Clone)]
pub struct LocalRouter(Arc<Mutex<Host>>);

/// A session that has joined a realm of a [`LocalRouter`]. Dropping it leaves the realm.
pub struct LocalSession {
    host: Arc<Mutex<Host>>,
    key: SessionKey,
    id: SessionId,
    details: Dict,
}

/// Why something did not come about: the ERROR, or the end of the session.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}{}", first_sentence(values))]
pub struct Failure {
    /// The URI of the error; `wamp.close.*` when the session ended instead of an answer.
    pub error: String,
    /// What came with it; a router's own ERROR has a sentence as its first argument.
    pub values: Values,
}

/// An event, as a subscriber gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub publication: PublicationId,
    /// The concrete topic, where the subscription is a pattern.
    pub topic: Option<String>,
    pub values: Values,
}

/// A call, as a callee gets it. Dropping it without an answer fails the call.
pub struct Invocation {
    host: Weak<Mutex<Host>>,
    key: SessionKey,
    request: RequestId,
    answered: bool,
    /// The concrete procedure, where the registration is a pattern.
    pub procedure: Option<String>,
    pub values: Values,
}

/// The events of one subscription. Dropping it unsubscribes.
pub struct Events(Receiver<SubscriptionId, Event>);

/// The calls of one registration. Dropping it unregisters.
pub struct Invocations(Receiver<RegistrationId, Invocation>);

/// Events or invocations that wait for one subscription or registration of a session; with one more the session is
/// closed, since it does not keep up.
pub const QUEUE_LENGTH: usize = 4_096;

struct Receiver<Id: Give, T> {
    host: Weak<Mutex<Host>>,
    key: SessionKey,
    id: Id,
    queue: mpsc::Receiver<T>,
}

struct Host {
    router: Router<EncodedPayload>,
    outbox: Outbox<EncodedPayload>,
    clock: Box<dyn Fn() -> Now + Send>,
    clients: BTreeMap<SessionKey, Client>,
    store: Option<Box<dyn EventStore>>,
    /// For the invocations, which answer later.
    this: Weak<Mutex<Self>>,
    /// To the functions of the program, if it has any.
    questions: Option<mpsc::UnboundedSender<Question>>,
}

/// The client's half of a session.
#[derive(Default)]
struct Client {
    welcome: Option<(SessionId, Dict)>,
    ended: Option<Failure>,
    last_request: RequestId,
    replies: BTreeMap<RequestId, oneshot::Sender<Result<Reply, Failure>>>,
    events: BTreeMap<SubscriptionId, Vec<mpsc::Sender<Event>>>,
    invocations: BTreeMap<RegistrationId, mpsc::Sender<Invocation>>,
}

enum Reply {
    Done,
    Subscribed(SubscriptionId, mpsc::Receiver<Event>),
    Registered(RegistrationId, mpsc::Receiver<Invocation>),
    Result(Values),
}

impl LocalRouter {
    /// A router for `config`, with one seed for all chance and a clock that answers the time. It has no functions:
    /// where the configuration wants one to decide, requests fail.
    pub fn new(config: Config, seed: [u8; 32], clock: impl Fn() -> Now + Send + 'static) -> Self {
        Self::with_questions(config, seed, clock, None)
    }

    /// The same with functions that decide where the configuration names one of them, and what asks them. It must be
    /// polled as long as they are to answer, and ends with the router:
    ///
    /// ```
    /// use std::pin::pin;
    ///
    /// use futures::executor::block_on;
    /// use futures::future::{Either, select};
    /// use serde_json::json;
    /// use wamplet::auth::Functions;
    /// use wamplet::config::Config;
    /// use wamplet::local::LocalRouter;
    /// use wamplet::payload::Values;
    /// use wamplet::router::Now;
    ///
    /// let config = r#"{ "realms": [{ "name": "realm1", "roles": [
    ///     { "name": "anonymous", "authorizer": { "type": "function", "create": "nobody" } }
    /// ] }] }"#;
    /// let config = Config::from_json(config).expect("a valid configuration").config;
    /// let nobody = Functions::default().with("nobody", |_| async { Ok(Values::args([json!(false)])) });
    /// let (router, deciding) =
    ///     LocalRouter::with_decider(config, [7; 32], Now::default, nobody).expect("there is this function");
    /// let alice = router.join("realm1").expect("there is this realm");
    /// let subscribing = pin!(async { alice.subscribe("com.example.topic").await.err() });
    /// // A program would spawn it.
    /// let Either::Left((refused, _)) = block_on(select(subscribing, pin!(deciding))) else {
    ///     panic!("it goes on as long as the router");
    /// };
    /// assert_eq!(refused.expect("nobody may").error, "wamp.error.not_authorized");
    /// ```
    ///
    /// # Errors
    /// The configuration names a function that there is not.
    pub fn with_decider(
        config: Config,
        seed: [u8; 32],
        clock: impl Fn() -> Now + Send + 'static,
        decider: impl Decider + 'static,
    ) -> Result<(Self, impl Future<Output = ()> + Send), ConfigError> {
        config.check_functions(|name| decider.has(name))?;
        let (sender, mut questions) = mpsc::unbounded();
        let router = Self::with_questions(config, seed, clock, Some(sender));
        let host = Arc::downgrade(&router.0);
        let mut thinking = FuturesUnordered::new();
        let deciding = poll_fn(move |cx| {
            loop {
                match questions.poll_next_unpin(cx) {
                    Poll::Ready(Some(Question { ticket, function, values })) => {
                        let answer = decider.decide(&function, values);
                        thinking.push(answer.map(move |answer| (ticket, answer)));
                    }
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => break,
                }
            }
            while let Poll::Ready(Some((ticket, answer))) = thinking.poll_next_unpin(cx) {
                let Some(host) = host.upgrade() else { return Poll::Ready(()) };
                lock(&host).answer(ticket, answer);
            }
            Poll::Pending
        });
        Ok((router, deciding))
    }

    fn with_questions(
        config: Config,
        seed: [u8; 32],
        clock: impl Fn() -> Now + Send + 'static,
        questions: Option<mpsc::UnboundedSender<Question>>,
    ) -> Self {
        Self(Arc::new_cyclic(|this| {
            Mutex::new(Host {
                router: Router::new(config, seed),
                outbox: Outbox::new(),
                clock: Box::new(clock),
                clients: BTreeMap::new(),
                store: None,
                this: Weak::clone(this),
                questions,
            })
        }))
    }

    /// A router that has the events again that are in the store, and writes new ones there. The store writes within the
    /// calls of the sessions.
    ///
    /// # Errors
    /// Those of the store, and events in it that no router wrote.
    pub fn with_store(
        config: Config,
        seed: [u8; 32],
        clock: impl Fn() -> Now + Send + 'static,
        mut store: Box<dyn EventStore>,
    ) -> Result<Self, StoreError> {
        let router = Self::new(config, seed, clock);
        {
            let mut host = lock(&router.0);
            let now = (host.clock)();
            let Host { router, outbox, .. } = &mut *host;
            store::restore(router, &mut *store, now, outbox)?;
            host.store = Some(store);
        }
        Ok(router)
    }

    /// Joins a realm as an anonymous session with all four client roles.
    ///
    /// # Errors
    /// The reason of the router's ABORT, such as `wamp.error.no_such_realm`.
    pub fn join(&self, realm: &str) -> Result<LocalSession, Failure> {
        let mut host = lock(&self.0);
        let now = (host.clock)();
        let transport = Transport {
            kind: "local".into(),
            protocol: "wamp.2.json".into(),
            peer: "process".into(),
            // It is the program itself: what a configuration asks of others is not asked of it.
            identity: Some(Identity::anonymous()),
            ..Transport::default()
        };
        let key = host
            .router
            .handle_open(transport, now)
            .map_err(|refused| Failure::new("wamplet.error.limit_exceeded", refused.to_string()))?;
        host.clients.insert(key, Client::default());
        let mut details = Dict::new();
        let callee =
            json!({ "features": { "progressive_call_results": true, "registration_revocation": true } });
        let subscriber = json!({ "features": { "subscription_revocation": true } });
        let roles = json!({ "publisher": {}, "subscriber": subscriber, "caller": {}, "callee": callee });
        details.insert("roles".into(), roles);
        host.send(key, Message::Hello { realm: Some(realm.into()), details });
        let client = host.clients.get_mut(&key).expect("inserted above");
        match client.welcome.take() {
            Some((id, details)) => Ok(LocalSession { host: Arc::clone(&self.0), key, id, details }),
            None => {
                let client = host.clients.remove(&key).expect("inserted above");
                Err(client
                    .ended
                    .unwrap_or_else(|| Failure::new("wamp.error.protocol_violation", "no WELCOME came")))
            }
        }
    }

    /// Milliseconds of the clock at which [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn next_timeout(&self) -> Option<u64> {
        lock(&self.0).router.next_timeout()
    }

    /// Does what is due.
    pub fn handle_timeout(&self) {
        let mut host = lock(&self.0);
        let now = (host.clock)();
        let Host { router, outbox, .. } = &mut *host;
        router.handle_timeout(now, outbox);
        host.deliver();
    }
}

impl LocalSession {
    /// The session id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// `WELCOME.Details`.
    pub fn details(&self) -> &Dict {
        &self.details
    }

    /// Calls a procedure and waits for its final result.
    pub async fn call(&self, procedure: &str, values: &Values) -> Result<Values, Failure> {
        let reply = self.request(|request| Message::Call {
            request,
            options: CallOptions::default(),
            procedure: procedure.into(),
            payload: EncodedPayload::from_values(values),
        });
        match reply.await? {
            Reply::Result(values) => Ok(values),
            _ => Err(Failure::unexpected()),
        }
    }

    /// Publishes an event and waits until the router has taken it.
    pub async fn publish(&self, topic: &str, values: &Values) -> Result<(), Failure> {
        let options = PublishOptions { acknowledge: true, ..PublishOptions::default() };
        let payload = EncodedPayload::from_values(values);
        let reply =
            self.request(|request| Message::Publish { request, options, topic: topic.into(), payload });
        reply.await.map(|_| ())
    }

    /// Subscribes to a topic.
    pub async fn subscribe(&self, topic: &str) -> Result<Events, Failure> {
        self.subscribe_with(topic, SubscribeOptions::default()).await
    }

    /// Subscribes to a topic or pattern.
    pub async fn subscribe_with(&self, topic: &str, options: SubscribeOptions) -> Result<Events, Failure> {
        match self.request(|request| Message::Subscribe { request, options, topic: topic.into() }).await? {
            Reply::Subscribed(id, queue) => Ok(Events(self.receiver(id, queue))),
            _ => Err(Failure::unexpected()),
        }
    }

    /// Registers a procedure.
    pub async fn register(&self, procedure: &str) -> Result<Invocations, Failure> {
        self.register_with(procedure, RegisterOptions::default()).await
    }

    /// Registers a procedure or pattern.
    pub async fn register_with(
        &self,
        procedure: &str,
        options: RegisterOptions,
    ) -> Result<Invocations, Failure> {
        match self
            .request(|request| Message::Register { request, options, procedure: procedure.into() })
            .await?
        {
            Reply::Registered(id, queue) => Ok(Invocations(self.receiver(id, queue))),
            _ => Err(Failure::unexpected()),
        }
    }

    fn receiver<Id: Give, T>(&self, id: Id, queue: mpsc::Receiver<T>) -> Receiver<Id, T> {
        Receiver { host: Arc::downgrade(&self.host), key: self.key, id, queue }
    }

    /// Sends a request at once, and waits only for its answer.
    async fn request<'a>(
        &self,
        message: impl FnOnce(RequestId) -> Message<'a, EncodedPayload>,
    ) -> Result<Reply, Failure> {
        let answer = {
            let mut host = lock(&self.host);
            let client = host.clients.get_mut(&self.key).ok_or_else(Failure::closed)?;
            if let Some(failure) = &client.ended {
                return Err(failure.clone());
            }
            let request = client.last_request.next();
            client.last_request = request;
            let (sender, answer) = oneshot::channel();
            client.replies.insert(request, sender);
            host.send(self.key, message(request));
            answer
        };
        answer.await.unwrap_or_else(|_| Err(Failure::closed()))
    }
}

impl Drop for LocalSession {
    fn drop(&mut self) {
        let mut host = lock(&self.host);
        let now = (host.clock)();
        let Host { router, outbox, clients, .. } = &mut *host;
        let gone = clients.remove(&self.key);
        router.handle_closed(self.key, now, outbox);
        host.deliver();
        drop(host);
        // Invocations that still wait in its queues lock the host when they are dropped.
        drop(gone);
    }
}

impl Stream for Events {
    type Item = Event;

    /// Ends when the session ends, or the subscription is taken away from it (`wamp.subscription.remove_subscriber`).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.0.queue).poll_next(cx)
    }
}

impl Stream for Invocations {
    type Item = Invocation;

    /// Ends when the session ends, or the registration is taken away from it (`wamp.registration.remove_callee`).
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Invocation>> {
        Pin::new(&mut self.0.queue).poll_next(cx)
    }
}

impl Invocation {
    /// Answers the call.
    pub fn succeed(mut self, values: &Values) {
        let payload = EncodedPayload::from_values(values);
        self.answer(Message::Yield { request: self.request, options: YieldOptions::default(), payload });
    }

    /// Fails the call with an error URI of the application.
    pub fn fail(mut self, error: &str, values: &Values) {
        self.answer_error(error, values);
    }

    fn answer_error(&mut self, error: &str, values: &Values) {
        let request_type = MessageType::Invocation;
        let payload = EncodedPayload::from_values(values);
        let details = Passthru::default();
        self.answer(Message::Error {
            request_type,
            request: self.request,
            details,
            error: error.into(),
            payload,
        });
    }

    fn answer(&mut self, message: Message<'_, EncodedPayload>) {
        self.answered = true;
        if let Some(host) = self.host.upgrade() {
            lock(&host).send(self.key, message);
        }
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        if !self.answered {
            let sentence = Values::args([json!("the callee dropped the call without an answer")]);
            self.answer_error("wamp.error.canceled", &sentence);
        }
    }
}

/// What is given back when its receiver is dropped.
trait Give: Copy {
    fn give_back(self, host: &mut Host, key: SessionKey);
}

impl Give for SubscriptionId {
    fn give_back(self, host: &mut Host, key: SessionKey) {
        let Some(client) = host.clients.get_mut(&key) else { return };
        let Some(listeners) = client.events.get_mut(&self) else { return };
        listeners.retain(|listener| !listener.is_closed());
        if listeners.is_empty() {
            client.events.remove(&self);
            let request = client.last_request.next();
            client.last_request = request;
            host.send(key, Message::Unsubscribe { request, subscription: self });
        }
    }
}

impl Give for RegistrationId {
    fn give_back(self, host: &mut Host, key: SessionKey) {
        let Some(client) = host.clients.get_mut(&key) else { return };
        // The same registration may have been taken away, and asked for again.
        if client.invocations.get(&self).is_some_and(mpsc::Sender::is_closed) {
            client.invocations.remove(&self);
            let request = client.last_request.next();
            client.last_request = request;
            host.send(key, Message::Unregister { request, registration: self });
        }
    }
}

impl<Id: Give, T> Drop for Receiver<Id, T> {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(host) = self.host.upgrade() {
            self.id.give_back(&mut lock(&host), self.key);
        }
    }
}

impl Host {
    fn send(&mut self, key: SessionKey, message: Message<'_, EncodedPayload>) {
        let now = (self.clock)();
        // There is no frame: the message counts as if it had one.
        let length = if self.router.is_metering() { frame_length(&message) } else { 0 };
        self.router.handle_message(key, Ok(message), length, now, &mut self.outbox);
        self.deliver();
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<Values, auth::Failure>) {
        let now = (self.clock)();
        self.router.handle_answer(ticket, answer, now, &mut self.outbox);
        self.deliver();
    }

    /// Has the functions of the program asked what the router wants to know of them.
    fn ask(&mut self) {
        for question in self.outbox.take_questions() {
            let ticket = question.ticket;
            let asked = self.questions.as_ref().is_some_and(|to| to.unbounded_send(question).is_ok());
            if !asked {
                let text = "nobody asks the functions of this program";
                self.answer(ticket, Err(auth::Failure::new("wamp.error.no_such_procedure", text)));
            }
        }
    }

    /// Gives every client what the router has for it.
    fn deliver(&mut self) {
        if let Some(store) = &mut self.store {
            let records = self.outbox.take_records();
            if !records.is_empty() {
                store.write(records);
            }
        }
        self.ask();
        let limits = DecodeLimits::default();
        let mut slow = Vec::new();
        let mut ended = Vec::new();
        for (key, action) in self.outbox.drain() {
            let Some(client) = self.clients.get_mut(&key) else { continue };
            match action {
                Action::Send { head, payload, .. } => {
                    let head = head.strip_suffix(b",").unwrap_or(head);
                    let message =
                        codec::decode_head(head, &limits).expect("the router sends well-formed messages");
                    if let Message::Goodbye { .. } = message {
                        ended.push(key);
                    }
                    if !client.take(message.map_payload(|()| payload), key, &self.this) {
                        slow.push(key);
                    }
                }
                Action::Close(_) => client.end(Failure::closed()),
            }
        }
        for key in ended {
            self.send(
                key,
                Message::Goodbye { details: Dict::new(), reason: "wamp.close.goodbye_and_out".into() },
            );
        }
        for key in slow {
            if let Some(client) = self.clients.get_mut(&key) {
                client.end(Failure::new(
                    "wamplet.error.limit_exceeded",
                    "the session did not keep up with its queue",
                ));
            }
            let now = (self.clock)();
            self.router.handle_closed(key, now, &mut self.outbox);
            self.deliver();
        }
    }
}

impl Client {
    /// Takes a message of the router; false if a queue is full.
    fn take(
        &mut self,
        message: Message<'_, EncodedPayload>,
        key: SessionKey,
        host: &Weak<Mutex<Host>>,
    ) -> bool {
        match message {
            Message::Welcome { session, details } => self.welcome = Some((session, details)),
            Message::Abort { details, reason, .. } | Message::Goodbye { details, reason } => {
                let sentence = details.get("message").cloned();
                self.end(Failure { error: reason.into_owned(), values: Values::args(sentence) });
            }
            Message::Published { request, .. } => self.reply(request, Ok(Reply::Done)),
            Message::Subscribed { request, subscription } => {
                let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
                self.events.entry(subscription).or_default().push(sender);
                self.reply(request, Ok(Reply::Subscribed(subscription, receiver)));
            }
            Message::Registered { request, registration } => {
                let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
                self.invocations.insert(registration, sender);
                self.reply(request, Ok(Reply::Registered(registration, receiver)));
            }
            Message::Result { request, payload, .. } => {
                self.reply(request, read(&payload).map(Reply::Result));
            }
            Message::Error { request, error, payload, .. } => {
                let values = payload.to_values().unwrap_or_default();
                self.reply(request, Err(Failure { error: error.into_owned(), values }));
            }
            // Taken away: nobody asked for it. What is in the queues is still there to be taken.
            Message::Unsubscribed {
                details: Some(UnsubscribedDetails { subscription: Some(id), .. }),
                ..
            } => {
                self.events.remove(&id);
            }
            Message::Unregistered {
                details: Some(UnregisteredDetails { registration: Some(id), .. }),
                ..
            } => {
                self.invocations.remove(&id);
            }
            Message::Event { subscription, publication, details, payload } => {
                let Ok(values) = payload.to_values() else { return true };
                let event = Event { publication, topic: details.topic.map(Into::into), values };
                let listeners = self.events.get_mut(&subscription).into_iter().flatten();
                return listeners.fold(true, |kept_up, listener| {
                    let sent = listener.try_send(event.clone());
                    kept_up && !sent.is_err_and(|error| error.is_full())
                });
            }
            Message::Invocation { request, registration, details, payload } => {
                let procedure = details.procedure.map(Into::into);
                let values = payload.to_values().unwrap_or_default();
                let host = Weak::clone(host);
                let invocation = Invocation { host, key, request, answered: false, procedure, values };
                let Some(queue) = self.invocations.get_mut(&registration) else { return true };
                if let Err(error) = queue.try_send(invocation) {
                    let full = error.is_full();
                    // The session ends, and its open invocations with it: dropping this one must not lock the host.
                    error.into_inner().answered = true;
                    return !full;
                }
            }
            _ => {}
        }
        true
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Failure>) {
        if let Some(waiting) = self.replies.remove(&request) {
            // A future that was dropped does not want its answer.
            let _ = waiting.send(reply);
        }
    }

    fn end(&mut self, failure: Failure) {
        for (_, waiting) in std::mem::take(&mut self.replies) {
            let _ = waiting.send(Err(failure.clone()));
        }
        self.events.clear();
        for (_, mut queue) in std::mem::take(&mut self.invocations) {
            queue.close_channel();
        }
        self.ended.get_or_insert(failure);
    }
}

impl Failure {
    fn new(error: &str, sentence: impl Into<String>) -> Self {
        Self { error: error.into(), values: Values::args([json!(sentence.into())]) }
    }

    fn closed() -> Self {
        Self::new("wamp.close.close_realm", "the session has ended")
    }

    fn unexpected() -> Self {
        Self::new("wamp.error.protocol_violation", "the router answered with a message of another kind")
    }
}

fn first_sentence(values: &Values) -> String {
    values.args.first().and_then(|value| value.as_str()).map(|text| format!(": {text}")).unwrap_or_default()
}

fn frame_length(message: &Message<'_, EncodedPayload>) -> usize {
    let mut head = Vec::new();
    codec::encode_head(Serializer::Json, message, &mut head);
    let payload = message.payload().cloned().unwrap_or_default();
    payload.message_len(&head, Serializer::Json, Serializer::Json)
}

fn read(payload: &EncodedPayload) -> Result<Values, Failure> {
    payload.to_values().map_err(|error| Failure::new("wamp.error.invalid_argument", error.to_string()))
}

/// A panic of a waker while the host was locked leaves the host as it is between two actions, which is whole.
fn lock(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}
