//! The router of this process, and the client's half of each of its sessions.
//!
//! Owns what comes of every call: the router's answers become replies, events and invocations. What a program sees of it
//! is in [`local`](super).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use futures::channel::{mpsc, oneshot};
use serde_json::json;

use super::{Event, Events, Failure, Give, Invocation, Invocations, QUEUE_LENGTH, Receiver};
use crate::auth;
use crate::codec::{self, DecodeLimits, Serializer};
use crate::id::{RegistrationId, RequestId, SessionId, SessionKey, SubscriptionId, Ticket};
use crate::message::{Dict, Message, MessageType, Passthru, UnregisteredDetails, UnsubscribedDetails};
use crate::payload::{EncodedPayload, Payload, Values};
use crate::router::{Action, Now, Outbox, Question, Router};
use crate::store::EventStore;

pub(super) struct Host {
    pub router: Router<EncodedPayload>,
    pub outbox: Outbox<EncodedPayload>,
    pub clock: Box<dyn Fn() -> Now + Send>,
    pub clients: BTreeMap<SessionKey, Client>,
    pub store: Option<Box<dyn EventStore>>,
    /// For the invocations, which answer later.
    pub this: Weak<Mutex<Self>>,
    /// To the functions of the program, if it has any.
    pub questions: Option<mpsc::UnboundedSender<Question>>,
}

/// The client's half of a session.
#[derive(Default)]
pub(super) struct Client {
    pub welcome: Option<(SessionId, Dict)>,
    pub ended: Option<Failure>,
    pub last_request: RequestId,
    pub replies: BTreeMap<RequestId, oneshot::Sender<Result<Reply, Failure>>>,
    pub events: BTreeMap<SubscriptionId, Vec<mpsc::Sender<Event>>>,
    pub invocations: BTreeMap<RegistrationId, mpsc::Sender<Invocation>>,
}

pub(super) enum Reply {
    Done,
    Subscribed(Events),
    Registered(Invocations),
    Result(Values),
}

/// What is left to do for a session that has taken a message, once all have theirs.
enum After {
    Nothing,
    /// It is closed: a queue of its own is full.
    Close,
    /// A call has come for a registration that it gives up: nobody will answer it.
    Fail(RequestId),
    /// It was granted what nobody waits for any more.
    GiveBack(Unclaimed),
}

enum Unclaimed {
    Subscription(SubscriptionId),
    Registration(RegistrationId),
}

impl Host {
    pub fn send(&mut self, key: SessionKey, message: Message<'_, EncodedPayload>) {
        let now = (self.clock)();
        // There is no frame: the message counts as if it had one.
        let length = if self.router.is_metering() { frame_length(&message) } else { 0 };
        self.router.handle_message(key, Ok(message), length, now, &mut self.outbox);
        self.deliver();
    }

    pub fn answer(&mut self, ticket: Ticket, answer: Result<Values, auth::Failure>) {
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
    pub fn deliver(&mut self) {
        if let Some(store) = &mut self.store {
            let records = self.outbox.take_records();
            if !records.is_empty() {
                store.write(records);
            }
        }
        self.ask();
        let limits = DecodeLimits::default();
        let mut left = Vec::new();
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
                    match client.take(message.map_payload(|()| payload), key, &self.this) {
                        After::Nothing => {}
                        after => left.push((key, after)),
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
        for (key, after) in left {
            match after {
                After::Nothing => {}
                After::Close => self.close(key),
                After::Fail(request) => self.send(key, dropped(request)),
                After::GiveBack(Unclaimed::Subscription(id)) => id.give_back(self, key),
                After::GiveBack(Unclaimed::Registration(id)) => id.give_back(self, key),
            }
        }
    }

    /// Ends a session that does not keep up.
    fn close(&mut self, key: SessionKey) {
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

impl Client {
    /// Takes a message of the router.
    fn take(
        &mut self,
        message: Message<'_, EncodedPayload>,
        key: SessionKey,
        host: &Weak<Mutex<Host>>,
    ) -> After {
        match message {
            Message::Welcome { session, details } => self.welcome = Some((session, details)),
            Message::Abort { details, reason, .. } | Message::Goodbye { details, reason } => {
                let sentence = details.get("message").cloned();
                self.end(Failure { error: reason.into_owned(), values: Values::args(sentence) });
            }
            Message::Published { request, .. } => return self.reply(request, Ok(Reply::Done)),
            Message::Subscribed { request, subscription } => {
                let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
                self.events.entry(subscription).or_default().push(sender);
                let events =
                    Events(Receiver { host: Weak::clone(host), key, id: subscription, queue: receiver });
                return self.reply(request, Ok(Reply::Subscribed(events)));
            }
            Message::Registered { request, registration } => {
                let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
                self.invocations.insert(registration, sender);
                let host = Weak::clone(host);
                let invocations = Invocations(Receiver { host, key, id: registration, queue: receiver });
                return self.reply(request, Ok(Reply::Registered(invocations)));
            }
            Message::Result { request, payload, .. } => {
                return self.reply(request, read(&payload).map(Reply::Result));
            }
            Message::Error { request, error, payload, .. } => {
                let values = payload.to_values().unwrap_or_default();
                return self.reply(request, Err(Failure { error: error.into_owned(), values }));
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
                let Ok(values) = payload.to_values() else { return After::Nothing };
                let event = Event { publication, topic: details.topic.map(Into::into), values };
                let listeners = self.events.get_mut(&subscription).into_iter().flatten();
                let keeps_up = listeners.fold(true, |kept_up, listener| {
                    let sent = listener.try_send(event.clone());
                    kept_up && !sent.is_err_and(|error| error.is_full())
                });
                return if keeps_up { After::Nothing } else { After::Close };
            }
            Message::Invocation { request, registration, details, payload } => {
                let procedure = details.procedure.map(Into::into);
                let values = payload.to_values().unwrap_or_default();
                let host = Weak::clone(host);
                let mut invocation = Invocation { host, key, request, answered: false, procedure, values };
                let Some(queue) = self.invocations.get_mut(&registration) else {
                    // Dropping it must not lock the host.
                    invocation.answered = true;
                    return After::Fail(request);
                };
                if let Err(error) = queue.try_send(invocation) {
                    let is_full = error.is_full();
                    // As above. Where the session ends, its open invocations do with it.
                    error.into_inner().answered = true;
                    return if is_full { After::Close } else { After::Fail(request) };
                }
            }
            _ => {}
        }
        After::Nothing
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Failure>) -> After {
        let unclaimed = match self.replies.remove(&request) {
            Some(waiting) => waiting.send(reply),
            None => Err(reply),
        };
        // A future that was dropped does not want its answer. What the answer holds must not lock the host.
        match unclaimed {
            Err(Ok(Reply::Subscribed(Events(mut receiver)))) => {
                receiver.disown();
                After::GiveBack(Unclaimed::Subscription(receiver.id))
            }
            Err(Ok(Reply::Registered(Invocations(mut receiver)))) => {
                receiver.disown();
                After::GiveBack(Unclaimed::Registration(receiver.id))
            }
            _ => After::Nothing,
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
pub(super) fn lock(host: &Mutex<Host>) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to a call that nobody takes.
pub(super) fn dropped(request: RequestId) -> Message<'static, EncodedPayload> {
    let sentence = Values::args([json!("the callee dropped the call without an answer")]);
    Message::Error {
        request_type: MessageType::Invocation,
        request,
        details: Passthru::default(),
        error: "wamp.error.canceled".into(),
        payload: EncodedPayload::from_values(&sentence),
    }
}
