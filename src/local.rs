//! Sessions without a transport, for Rust programs that hold a router in their own process.
//!
//! Owns the client's half of WAMP for one in-process session: request ids, replies as futures, events and invocations
//! as streams. What comes of a call is in `host`. The router runs inside the caller's call, so there is nothing to
//! spawn. Only timers need a driver: sleep until [`LocalRouter::next_timeout`], then call
//! [`LocalRouter::handle_timeout`]. So do functions that decide who may do what: [`LocalRouter::with_decider`].
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

mod host;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use serde_json::json;

use self::host::{Client, Host, Reply, dropped, lock};
use crate::auth::{Decider, Identity};
use crate::config::{Config, ConfigError};
use crate::id::{PublicationId, RegistrationId, RequestId, SessionId, SessionKey, SubscriptionId};
use crate::message::{
    CallOptions, Dict, Message, MessageType, Passthru, PublishOptions, RegisterOptions, SubscribeOptions,
    YieldOptions,
};
use crate::payload::{EncodedPayload, Payload, Values};
use crate::router::{Now, Outbox, Question, Router, Transport};
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
            Reply::Subscribed(events) => Ok(events),
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
            Reply::Registered(invocations) => Ok(invocations),
            _ => Err(Failure::unexpected()),
        }
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
            self.answer(dropped(self.request));
        }
    }
}

/// What is given back when its receiver is dropped. The router hears of it; what comes of that is still to be delivered.
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
            host.say(key, Message::Unsubscribe { request, subscription: self });
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
            host.say(key, Message::Unregister { request, registration: self });
        }
    }
}

impl<Id: Give, T> Receiver<Id, T> {
    /// Has it give nothing back when it is dropped, for whoever does that in its place.
    fn disown(&mut self) {
        self.queue.close();
        self.host = Weak::new();
    }
}

impl<Id: Give, T> Drop for Receiver<Id, T> {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(host) = self.host.upgrade() {
            let mut host = lock(&host);
            self.id.give_back(&mut host, self.key);
            host.deliver();
        }
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
