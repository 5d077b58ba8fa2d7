//! Questions: what the router asks a WAMP procedure, or a function of the program that holds it.
//!
//! Owns who was asked what for, and the answers until they are looked at. A procedure is asked by an INVOCATION whose
//! caller is the router itself ([`dealer`](super::dealer)); a function by the driver, which takes the
//! [`Question`]s out of its outbox and brings the answers to [`Router::handle_answer`]. Whoever answers, and if nobody
//! does, there is one answer to each question, and it is looked at when the input that brought it has had its effects
//! ([`Router::do_tasks`]): never inside of what caused it. What an answer means is for those who asked:
//! [`authorization`](super::authorization).
//!
//! Nobody asks twice at a time for one transport, so there are no more questions than transports.

use slab::Slab;

use super::dealer::{Call, Caller};
use super::fault::{self, Fault, Refusal};
use super::outbox::Outbox;
use super::realm::Realm;
use super::timers::{Timer, TimerId, Timers};
use super::{Now, Router};
use crate::auth::authorizer::{Decision, Disclosure};
use crate::auth::{Ask, Failure};
use crate::id::{SessionKey, Ticket};
use crate::message::CallOptions;
use crate::payload::{Payload, Values};

/// A question to a function of the program that holds the router.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What the answer has to name.
    pub ticket: Ticket,
    /// The function, as the configuration names it.
    pub function: String,
    pub values: Values,
}

/// What the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The client of this transport, which says HELLO.
    Authenticate(SessionKey),
    /// The first waiting request of this session.
    Authorize(SessionKey),
}

/// What is to be done when the input has had its effects.
#[derive(Debug)]
pub(crate) enum Task {
    /// Look at an answer.
    Answered { ticket: Ticket, asked: Asked, answer: Result<Values, Failure> },
    /// Go on with the next waiting request of a session.
    GoOn(SessionKey),
}

/// The open questions, and what has come of others.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// How many questions there were.
    count: u64,
    /// By the last bits of their tickets.
    pub(super) open: Slab<Open>,
    /// In the order in which it came up.
    tasks: Vec<Task>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub ticket: Ticket,
    pub asked: Asked,
    pub answerer: Answerer,
}

/// Who was asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answerer {
    /// Nobody yet.
    Nobody,
    /// The callee of this invocation; how long it may take is watched by the dealer.
    Procedure {
        realm: usize,
        invocation: usize,
    },
    Function {
        timer: TimerId,
    },
}

impl Questions {
    /// Whether there is something to do.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Has the next waiting request of a session looked at.
    pub(crate) fn go_on(&mut self, key: SessionKey) {
        self.tasks.push(Task::GoOn(key));
    }

    /// Takes an answer; one to a question that is not open any more is nobody's.
    pub(crate) fn answered(&mut self, ticket: Ticket, answer: Result<Values, Failure>, timers: &mut Timers) {
        let Some(Open { asked, answerer, .. }) = self.remove(ticket) else { return };
        if let Answerer::Function { timer } = answerer {
            timers.stop(timer);
        }
        self.tasks.push(Task::Answered { ticket, asked, answer });
    }

    fn begin(&mut self, asked: Asked) -> Ticket {
        self.count += 1;
        let ticket = Ticket(self.count << SLOT_BITS | self.open.vacant_key() as u64);
        self.open.insert(Open { ticket, asked, answerer: Answerer::Nobody });
        ticket
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<&Open> {
        self.open.get(slot_of(ticket)).filter(|open| open.ticket == ticket)
    }

    fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Open> {
        self.open.get_mut(slot_of(ticket)).filter(|open| open.ticket == ticket)
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Open> {
        self.get(ticket)?;
        Some(self.open.remove(slot_of(ticket)))
    }
}

/// Enough for a question about each transport that a configuration allows; and of 2^33 questions the ticket is still a
/// number that JavaScript holds exactly.
const SLOT_BITS: u32 = 20;

fn slot_of(ticket: Ticket) -> usize {
    (ticket.0 & ((1 << SLOT_BITS) - 1)) as usize
}

impl<P: Payload> Router<P> {
    /// Takes the answer of a function to a [`Question`]: what a procedure would have given as a result, or why there is
    /// none. An answer that comes too late, or twice, is ignored.
    pub fn handle_answer(
        &mut self,
        ticket: Ticket,
        answer: Result<Values, Failure>,
        now: Now,
        outbox: &mut Outbox<P>,
    ) {
        // A driver cannot speak for a callee.
        let open = self.questions.get(ticket);
        if matches!(open, Some(Open { answerer: Answerer::Function { .. }, .. })) {
            // Elsewhere the shim looks at it, which has a log.
            #[cfg(feature = "native")]
            let answer = answer.map_err(Failure::checked);
            self.questions.answered(ticket, answer, &mut self.timers);
            self.finish_input(None, now, outbox);
        }
    }

    /// Asks somebody. There is exactly one answer, after this input at the earliest: a result, or a failure where
    /// nobody can answer or nobody did in [`Limits::answer_timeout_ms`](crate::config::Limits::answer_timeout_ms).
    ///
    /// `home` is the realm that the question is about, in which a procedure is looked for if `ask` names no other one.
    pub(super) fn ask(
        &mut self,
        ask: &Ask,
        home: Option<usize>,
        values: Values,
        asked: Asked,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Ticket {
        let ticket = self.questions.begin(asked);
        let answerer = match ask {
            Ask::Function(name) => {
                outbox.ask(Question { ticket, function: name.clone(), values });
                let deadline = now.mono_ms.saturating_add(self.limits.answer_timeout_ms);
                Ok(Answerer::Function { timer: self.timers.start(deadline, Timer::Question(ticket)) })
            }
            Ask::Procedure { uri, realm } => {
                self.ask_procedure(ticket, uri, realm.as_deref(), home, &values, now, outbox)
            }
        };
        match answerer {
            Ok(answerer) => {
                let open = self.questions.get_mut(ticket);
                open.expect("nobody has answered what was asked just now").answerer = answerer;
            }
            Err(refusal) => self.questions.answered(ticket, Err(refusal.into()), &mut self.timers),
        }
        ticket
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one question, each used once")]
    fn ask_procedure(
        &mut self,
        ticket: Ticket,
        procedure: &str,
        realm: Option<&str>,
        home: Option<usize>,
        values: &Values,
        now: Now,
        outbox: &mut Outbox<P>,
    ) -> Result<Answerer, Refusal> {
        let realm = match realm {
            None => home,
            Some(name) => self.realm_names.get(name).map(|index| *index as usize),
        };
        let no_realm = || Refusal::new(fault::NO_SUCH_REALM, "the procedure is in no realm of this router");
        let realm = realm.ok_or_else(no_realm)?;
        // What was sent before is the other realm's, and what is sent now this one's.
        self.settle(home, outbox);
        let options = CallOptions { timeout: self.limits.answer_timeout_ms, ..CallOptions::default() };
        let call = Call {
            caller: Caller::Router(ticket),
            options,
            procedure,
            payload: P::from_values(values),
            decision: &Decision { allow: true, disclose: Disclosure::Never, trustlevel: None },
        };
        let (realms, mut cx) = self.split(now, outbox);
        let Realm { dealer, config, .. } = &mut realms[realm];
        let called = dealer.call(&mut cx, call, &config.call_queues);
        self.settle(Some(realm), outbox);
        match called {
            Ok(invocation) => Ok(Answerer::Procedure { realm, invocation }),
            Err(Fault::Refusal(refusal)) => Err(refusal),
            Err(Fault::Violation(text)) => Err(Refusal::new(fault::INVALID_ARGUMENT, text)),
        }
    }

    /// Does without an answer: what comes is ignored, and a callee is told, if it wants to know. `home` as in
    /// [`ask`](Self::ask).
    pub(super) fn withdraw(&mut self, ticket: Ticket, home: Option<usize>, now: Now, outbox: &mut Outbox<P>) {
        let Some(Open { answerer, .. }) = self.questions.remove(ticket) else { return };
        match answerer {
            Answerer::Nobody => {}
            Answerer::Function { timer } => self.timers.stop(timer),
            Answerer::Procedure { realm, invocation } => {
                self.settle(home, outbox);
                let (realms, mut cx) = self.split(now, outbox);
                realms[realm].dealer.abandon(&mut cx, invocation);
                self.settle(Some(realm), outbox);
            }
        }
    }

    /// A function took too long.
    pub(super) fn time_out_question(&mut self, ticket: Ticket) {
        let ms = self.limits.answer_timeout_ms;
        let failure = Failure::new(fault::TIMEOUT, format!("there was no answer within {ms} ms"));
        self.questions.answered(ticket, Err(failure), &mut self.timers);
    }

    /// Looks at all answers, and at those that come of it.
    #[cold]
    pub(super) fn do_tasks(&mut self, now: Now, outbox: &mut Outbox<P>) {
        while self.questions.has_tasks() {
            for task in std::mem::take(&mut self.questions.tasks) {
                let realm = match task {
                    Task::Answered { ticket, asked: Asked::Authorize(key), answer } => {
                        self.handle_authorized(key, ticket, answer, now, outbox)
                    }
                    Task::Answered { ticket, asked: Asked::Authenticate(key), answer } => {
                        self.handle_authenticated(key, ticket, answer, now, outbox)
                    }
                    Task::GoOn(key) => self.go_on(key, now, outbox),
                };
                self.finish_step(realm, now, outbox);
            }
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.error, refusal.text)
    }
}
