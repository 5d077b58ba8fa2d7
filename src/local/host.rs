//! The router of this process, and the client's half of each of its sessions.
//!
//! Owns what comes of every call: the router's answers become replies, events and invocations. What a program sees of it
//! is in [`local`](super).

use std::collections::{BTreeMap, VecDeque};
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

/// What a client says to the router when it has taken a message.
enum After {
    /// GOODBYE to its GOODBYE.
    Leave,
    /// That it is gone: a queue of its own is full.
    Close,
    /// That nobody answers a call, which has come for a registration that it gives up.
    Fail(RequestId),
    /// That nobody waits for this any more.
    Unsubscribe(SubscriptionId),
    Unregister(RegistrationId),
}

impl Host {
    pub fn send(&mut self, key: SessionKey, message: Message<'_, EncodedPayload>) {
        self.say(key, message);
        self.deliver();
    }

    /// Gives the router a message; what comes of it is still to be [delivered](Self::deliver).
    pub fn say(&mut self, key: SessionKey, message: Message<'_, EncodedPayload>) {
        let now = (self.clock)();
        // There is no frame: the message counts as if it had one.
        let length = if self.router.is_metering() { frame_length(&message) } else { 0 };
        self.router.handle_message(key, Ok(message), length, now, &mut self.outbox);
    }

    pub fn answer(&mut self, ticket: Ticket, answer: Result<Values, auth::Failure>) {
        let now = (self.clock)();
        self.router.handle_answer(ticket, answer, now, &mut self.outbox);
        self.deliver();
    }

    /// Gives every client what the router has for it, and the router what they say to that, until nobody says anything: in
    /// a loop, since there may be as many calls to refuse as wait for a callee.
    pub fn deliver(&mut self) {
        let mut said = VecDeque::new();
        loop {
            self.ask();
            if let Some(store) = &mut self.store {
                let records = self.outbox.take_records();
                if !records.is_empty() {
                    store.write(records);
                }
            }
            self.hand_out(&mut said);
            let Some((key, after)) = said.pop_front() else { return };
            self.tell(key, after);
        }
    }

    /// Has the functions of the program asked what the router wants to know of them.
    fn ask(&mut self) {
        loop {
            let mut is_answered = false;
            for question in self.outbox.take_questions() {
                let ticket = question.ticket;
                let asked = self.questions.as_ref().is_some_and(|to| to.unbounded_send(question).is_ok());
                if !asked {
                    let text = "nobody asks the functions of this program";
                    let failure = auth::Failure::new("wamp.error.no_such_procedure", text);
                    let now = (self.clock)();
                    self.router.handle_answer(ticket, Err(failure), now, &mut self.outbox);
                    is_answered = true;
                }
            }
            // The answer to one question may lead to the next one.
            if !is_answered {
                return;
            }
        }
    }

    fn hand_out(&mut self, said: &mut VecDeque<(SessionKey, After)>) {
        for (key, action) in self.outbox.drain() {
            let Some(client) = self.clients.get_mut(&key) else { continue };
            match action {
                Action::Send { head, payload, .. } => {
                    let head = head.strip_suffix(b",").unwrap_or(head);
                    let message = codec::decode_head(head, &DecodeLimits::OWN);
                    let message = message.expect("the router sends well-formed messages");
                    let after = client.take(message.map_payload(|()| payload), key, &self.this);
                    said.extend(after.map(|after| (key, after)));
                }
                Action::Close(_) => client.end(Failure::closed()),
            }
        }
    }

    fn tell(&mut self, key: SessionKey, after: After) {
        match after {
            After::Leave => {
                let reason = "wamp.close.goodbye_and_out".into();
                self.say(key, Message::Goodbye { details: Dict::new(), reason });
            }
            After::Close => {
                if let Some(client) = self.clients.get_mut(&key) {
                    client.end(Failure::new(
                        "wamplet.error.limit_exceeded",
                        "the session did not keep up with its queue",
                    ));
                }
                let now = (self.clock)();
                self.router.handle_closed(key, now, &mut self.outbox);
            }
            After::Fail(request) => self.say(key, dropped(request)),
            After::Unsubscribe(id) => id.give_back(self, key),
            After::Unregister(id) => id.give_back(self, key),
        }
    }
}

impl Client {
    /// Takes a message of the router, and says what it has to say to that.
    fn take(
        &mut self,
        message: Message<'_, EncodedPayload>,
        key: SessionKey,
        host: &Weak<Mutex<Host>>,
    ) -> Option<After> {
        match message {
            Message::Welcome { session, details } => self.welcome = Some((session, details)),
            Message::Abort { details, reason, .. } => self.end(farewell(&details, &reason)),
            Message::Goodbye { details, reason } => {
                self.end(farewell(&details, &reason));
                return Some(After::Leave);
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
                let Ok(values) = payload.to_values() else { return None };
                let event = Event { publication, topic: details.topic.map(Into::into), values };
                let listeners = self.events.get_mut(&subscription).into_iter().flatten();
                let keeps_up = listeners.fold(true, |kept_up, listener| {
                    let sent = listener.try_send(event.clone());
                    kept_up && !sent.is_err_and(|error| error.is_full())
                });
                return (!keeps_up).then_some(After::Close);
            }
            Message::Invocation { request, registration, details, payload } => {
                let procedure = details.procedure.map(Into::into);
                let values = payload.to_values().unwrap_or_default();
                let host = Weak::clone(host);
                let mut invocation = Invocation { host, key, request, answered: false, procedure, values };
                let Some(queue) = self.invocations.get_mut(&registration) else {
                    // Dropping it must not lock the host.
                    invocation.answered = true;
                    return Some(After::Fail(request));
                };
                if let Err(error) = queue.try_send(invocation) {
                    let is_full = error.is_full();
                    // As above. Where the session ends, its open invocations do with it.
                    error.into_inner().answered = true;
                    return Some(if is_full { After::Close } else { After::Fail(request) });
                }
            }
            _ => {}
        }
        None
    }

    fn reply(&mut self, request: RequestId, reply: Result<Reply, Failure>) -> Option<After> {
        let unclaimed = match self.replies.remove(&request) {
            Some(waiting) => waiting.send(reply),
            None => Err(reply),
        };
        // A future that was dropped does not want its answer. What the answer holds must not lock the host.
        match unclaimed {
            Err(Ok(Reply::Subscribed(Events(mut receiver)))) => {
                receiver.disown();
                Some(After::Unsubscribe(receiver.id))
            }
            Err(Ok(Reply::Registered(Invocations(mut receiver)))) => {
                receiver.disown();
                Some(After::Unregister(receiver.id))
            }
            _ => None,
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

/// Why the router has ended a session.
fn farewell(details: &Dict, reason: &str) -> Failure {
    Failure { error: reason.to_owned(), values: Values::args(details.get("message").cloned()) }
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
