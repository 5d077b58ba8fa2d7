//! What must hold of the tables of a dealer between inputs; a part of the walk of [`check`](super::super::check).

use super::super::session::{Joined, Sessions};
use super::super::timers::{Timer, Timers};
use super::Dealer;
use super::invocation::{Caller, Invocation};
use super::registration::Registration;
use crate::id::{RegistrationId, SessionKey};

impl<P> Dealer<P> {
    /// How many entries a walk meets.
    pub(in crate::router) fn size(&self) -> usize {
        let callees = self.registrations.values().map(|registration| 1 + registration.callees.len());
        self.invocations.len() + callees.sum::<usize>()
    }

    /// Who waits for the call in this slot, if there is one.
    pub(in crate::router) fn caller(&self, slot: usize) -> Option<Caller> {
        self.invocations.get(slot).map(|invocation| invocation.caller)
    }

    pub(in crate::router) fn callers(&self) -> impl Iterator<Item = Caller> {
        self.invocations.iter().map(|(_, invocation)| invocation.caller)
    }

    /// Answers how many timers the calls have running.
    pub(in crate::router) fn check(&self, realm: usize, sessions: &Sessions, timers: &Timers) -> usize {
        assert_eq!(self.index.len(), self.registrations.len(), "every pattern has its registration");
        for (id, registration) in &self.registrations {
            let found = self.index.get(&registration.uri, registration.policy);
            assert_eq!(found, Some(id.0), "a registration is found by its pattern");
            assert!(*id <= self.last_id, "registration ids are counted up");
            assert!(!registration.callees.is_empty(), "a registration goes with its last callee");
            self.check_callees(realm, *id, registration, sessions);
        }
        for (key, joined) in sessions.joined_in(realm) {
            self.check_session(key, joined);
        }
        let mut running = 0;
        for (slot, invocation) in &self.invocations {
            self.check_invocation(realm, slot, invocation, sessions);
            if let Some(timer) = invocation.timer {
                running += 1;
                let expected = Timer::Call { realm, invocation: slot };
                assert_eq!(timers.get(timer), Some(expected), "the timer of a call is its own");
            }
        }
        running
    }

    fn check_callees(
        &self,
        realm: usize,
        id: RegistrationId,
        registration: &Registration,
        sessions: &Sessions,
    ) {
        for (position, callee) in registration.callees.iter().enumerate() {
            let (_, joined) = sessions.joined(callee.key).expect("a callee has joined");
            assert_eq!(joined.realm, realm, "a callee is in the realm");
            assert!(joined.registrations.get(id).is_some(), "a callee knows its registration");
            let earlier = &registration.callees[..position];
            assert!(earlier.iter().all(|other| other.key != callee.key), "a callee is there once");
            if callee.is_limited() {
                let counted = joined.invocations.iter().filter(|(_, slot)| {
                    let invocation = &self.invocations[*slot];
                    invocation.registration == id
                        && invocation.delivery.is_some_and(|delivery| delivery.is_counted)
                });
                assert_eq!(callee.busy(), counted.count(), "a callee is as busy as it has calls to answer");
            }
            let is_needed = !registration.queue.is_empty();
            assert!(!(is_needed && callee.is_free()), "no call waits while a callee is free");
        }
        for slot in &registration.queue {
            let invocation = self.invocations.get(*slot).expect("what waits is a call under way");
            let waits = invocation.delivery.is_none() && invocation.registration == id;
            assert!(waits, "a call waits where it knows");
        }
    }

    fn check_session(&self, key: SessionKey, joined: &Joined) {
        for (id, ()) in joined.registrations.iter() {
            let registration = self.registrations.get(id).expect("the registration of a session exists");
            let is_callee = registration.callees.iter().any(|callee| callee.key == key);
            assert!(is_callee, "a registration knows its callee");
        }
        let mut kept_length = 0;
        for (request, slot) in joined.calls.iter() {
            let invocation = self.invocations.get(*slot).expect("the call of a session is under way");
            let caller = Caller::Session { key, request: *request };
            assert_eq!(invocation.caller, caller, "a call is its caller's");
            kept_length += invocation.kept.as_ref().map_or(0, |kept| kept.length);
        }
        assert_eq!(joined.kept_length, kept_length, "what is kept counts against the limit");
        for (request, slot) in joined.invocations.iter() {
            let invocation = self.invocations.get(*slot).expect("the invocation of a callee is open");
            let delivery = invocation.delivery.expect("whoever has an invocation was sent it");
            assert_eq!((delivery.callee, delivery.request), (key, *request), "an invocation is its callee's");
            assert!(*request <= joined.last_invocation, "invocation ids are counted up");
        }
    }

    fn check_invocation(&self, realm: usize, slot: usize, invocation: &Invocation<P>, sessions: &Sessions) {
        match invocation.caller {
            Caller::Session { key, request } => {
                let (_, caller) = sessions.joined(key).expect("a caller has joined");
                assert_eq!(caller.realm, realm, "a caller is in the realm");
                assert_eq!(caller.calls.get(request), Some(&slot), "a caller knows its call");
            }
            Caller::Router(_) => {}
            Caller::Nobody => {
                let is_counted = invocation.delivery.is_some_and(|delivery| delivery.is_counted);
                assert!(is_counted, "a call that is over is known only for its callee to be busy");
            }
        }
        if let Some(delivery) = invocation.delivery {
            let (_, callee) = sessions.joined(delivery.callee).expect("who is asked has joined");
            assert_eq!(callee.realm, realm, "who is asked is in the realm");
            assert_eq!(
                callee.invocations.get(delivery.request),
                Some(&slot),
                "a callee knows its invocation"
            );
        } else {
            let registration = self.registrations.get(&invocation.registration);
            let is_there = registration.is_some_and(|registration| registration.queue.contains(&slot));
            assert!(is_there, "a call waits for a registration that is there");
        }
        assert_eq!(
            invocation.timer.is_some(),
            invocation.timeout_ms > 0,
            "a call with a timeout has a timer"
        );
    }
}
