//! What must hold between inputs: both sides of every relation of the router's tables agree.
//!
//! Owns the walk over all of them, which debug builds do after each input and other builds not at all. Whoever adds a
//! table adds what must hold of it here. It allocates nothing, so that tests of allocation see the router alone.

use super::Router;
use super::broker::Broker;
use super::dealer::Caller;
use super::question::{Answerer, Asked};
use super::realm::Realm;
use super::session::{Joined, Sessions, State};
use super::timers::{Timer, Timers};
use crate::id::SessionKey;
use crate::payload::Payload;

/// Sessions, subscribers, callees and calls all told, above which the walk is left out: it costs as much as they are,
/// after every input.
const WALKED: usize = 256;

impl<P: Payload> Router<P> {
    /// Panics with a sentence where a table contradicts another one.
    pub(super) fn check(&self) {
        let tables = self.realms.iter().map(|(_, realm)| realm.broker.size() + realm.dealer.size());
        if self.sessions.len() + tables.sum::<usize>() > WALKED {
            return;
        }
        assert_eq!(
            self.realms.len(),
            self.realm_names.len(),
            "every realm has a name, and every name a realm"
        );
        let (mut timers, mut guards) = (0, 0);
        for session in self.sessions.iter() {
            match &session.state {
                State::Open { timer, .. } => {
                    timers += 1;
                    assert_eq!(
                        self.timers.get(*timer),
                        Some(Timer::Hello(session.key)),
                        "a HELLO is awaited"
                    );
                }
                State::Authenticating(pending) => {
                    timers += 1;
                    assert_eq!(
                        self.timers.get(pending.timer),
                        Some(Timer::Hello(session.key)),
                        "the end of a handshake is awaited"
                    );
                    let is_asked = pending.question.is_some();
                    assert_ne!(pending.exchange.is_challenged(), is_asked, "one of two things is awaited");
                    if let Some(ticket) = pending.question {
                        let asked = self.questions.get(ticket).map(|open| open.asked);
                        assert_eq!(
                            asked,
                            Some(Asked::Authenticate(session.key)),
                            "an authenticator is asked"
                        );
                    }
                }
                State::Closing { timer } => {
                    timers += 1;
                    assert_eq!(
                        self.timers.get(*timer),
                        Some(Timer::Goodbye(session.key)),
                        "a GOODBYE is awaited"
                    );
                }
                State::Joined(joined) => {
                    let realm = self.realms.get(joined.realm).expect("the realm of a session exists");
                    let known = realm.sessions.get(&joined.id);
                    assert_eq!(known, Some(&session.key), "a joined session is in its realm");
                    let role = realm.config.roles.get(joined.role).expect("the role of a session exists");
                    assert_eq!(role.name(), &*joined.authrole, "a session has the role that it is told");
                    if let Some(slot) = joined.guard {
                        guards += 1;
                        let guard = self.guards.get(slot).expect("the guard of a session exists");
                        let is_needed = role.authorizer().is_some() || guard.asking().is_some();
                        assert!(is_needed, "who is guarded has an authorizer, or had one");
                        guard.check();
                        if let Some(timer) = guard.leaving() {
                            timers += 1;
                            let awaited = Some(Timer::Leave(session.key));
                            assert_eq!(self.timers.get(timer), awaited, "the end of a GOODBYE is awaited");
                        }
                        if let Some(ticket) = guard.asking() {
                            let asked = self.questions.get(ticket).map(|open| open.asked);
                            assert_eq!(asked, Some(Asked::Authorize(session.key)), "who waits has asked");
                        }
                    } else {
                        assert!(role.authorizer().is_none(), "whose role has an authorizer is guarded");
                    }
                    let statistics = joined.meter.as_ref().and_then(|meter| meter.timer);
                    if let Some(timer) = statistics {
                        timers += 1;
                        assert_eq!(
                            self.timers.get(timer),
                            Some(Timer::Stats(session.key)),
                            "statistics are awaited"
                        );
                    }
                }
            }
        }
        for (index, realm) in &self.realms {
            let name = realm.config.name.as_str();
            assert_eq!(self.realm_names.get(name), Some(&(index as u64)), "a realm is found by its name");
            timers += realm.check(index, &self.sessions, &self.timers);
        }
        assert_eq!(self.guards.len(), guards, "every guard is somebody's");
        timers += self.check_questions();
        assert_eq!(self.timers.check(), timers, "every timer that runs is somebody's");
    }
}

impl<P: Payload> Router<P> {
    /// Answers how many timers the questions have running.
    fn check_questions(&self) -> usize {
        assert!(!self.questions.has_tasks(), "all answers have been looked at");
        let mut running = 0;
        for (_, open) in &self.questions.open {
            let ticket = open.ticket;
            match open.asked {
                Asked::Authenticate(key) => {
                    let session = self.sessions.get(key).expect("who waits for an answer is there");
                    let State::Authenticating(pending) = &session.state else {
                        panic!("only who authenticates waits for an authenticator")
                    };
                    assert_eq!(pending.question, Some(ticket), "an answer is waited for");
                }
                Asked::Authorize(key) => {
                    let (_, joined) = self.sessions.joined(key).expect("who waits for an answer is there");
                    let guard = joined.guard.and_then(|slot| self.guards.get(slot));
                    let asking = guard.and_then(|guard| guard.asking());
                    assert_eq!(asking, Some(ticket), "an answer is waited for");
                }
            }
            match open.answerer {
                Answerer::Nobody => panic!("every question has somebody who answers"),
                Answerer::Function { timer } => {
                    running += 1;
                    assert_eq!(self.timers.get(timer), Some(Timer::Question(ticket)), "an answer is awaited");
                }
                Answerer::Procedure { realm, invocation } => {
                    let realm = self.realms.get(realm).expect("the realm of who is asked exists");
                    let caller = realm.dealer.caller(invocation);
                    assert_eq!(caller, Some(Caller::Router(ticket)), "a callee is asked");
                }
            }
        }
        let callers = self.realms.iter().flat_map(|(_, realm)| realm.dealer.callers());
        for caller in callers {
            if let Caller::Router(ticket) = caller {
                assert!(self.questions.get(ticket).is_some(), "the router waits for what it asked");
            }
        }
        running
    }
}

impl<P: Payload> Realm<P> {
    /// Answers how many timers the realm has running.
    fn check(&self, index: usize, sessions: &Sessions, timers: &Timers) -> usize {
        assert!(!self.transient || !self.sessions.is_empty(), "a realm goes with its last session");
        for (id, key) in &self.sessions {
            let (_, joined) = sessions.joined(*key).expect("a session of a realm has joined");
            assert_eq!((joined.id, joined.realm), (*id, index), "a realm has the sessions that joined it");
        }
        self.broker.check(index, sessions);
        self.dealer.check(index, sessions, timers)
    }
}

impl<P: Payload> Broker<P> {
    /// How many entries a walk meets.
    fn size(&self) -> usize {
        let subscribers = self.subscriptions.values().map(|subscription| 1 + subscription.subscribers.len());
        self.kept() + subscribers.sum::<usize>()
    }

    fn check(&self, realm: usize, sessions: &Sessions) {
        // Each is found by its own pattern, and there are no more patterns than subscriptions: none is left over.
        assert_eq!(self.index.len(), self.subscriptions.len(), "every pattern has its subscription");
        for (id, subscription) in &self.subscriptions {
            let found = self.index.get(&subscription.uri, subscription.policy);
            assert_eq!(found, Some(id.0), "a subscription is found by its pattern");
            assert!(*id <= self.last_id, "subscription ids are counted up");
            let is_held = subscription.has_history || !subscription.subscribers.is_empty();
            assert!(is_held, "a subscription goes with its last subscriber, unless the router holds it");
            for (key, accepts) in subscription.subscribers.iter() {
                let (transport, joined) = sessions.joined(*key).expect("a subscriber has joined");
                assert_eq!(joined.realm, realm, "a subscriber is in the realm");
                assert!(joined.subscriptions.get(*id).is_some(), "a subscriber knows its subscription");
                let known = transport.accepts();
                assert_eq!(
                    (accepts.serializer, accepts.length),
                    (known.serializer, known.length),
                    "a subscriber is sent what it takes"
                );
            }
        }
        for (key, joined) in sessions.joined_in(realm) {
            for (id, ()) in joined.subscriptions.iter() {
                let subscription = self.subscriptions.get(id).expect("the subscription of a session exists");
                assert!(subscription.subscribers.get(key).is_some(), "a subscription knows its subscriber");
            }
        }
        assert!(self.matching.is_empty(), "no publication is under way between inputs");
        self.check_kept();
    }
}

impl Sessions {
    pub(super) fn joined_in(&self, realm: usize) -> impl Iterator<Item = (SessionKey, &Joined)> {
        self.iter().filter_map(move |session| match &session.state {
            State::Joined(joined) if joined.realm == realm => Some((session.key, &**joined)),
            _ => None,
        })
    }
}
