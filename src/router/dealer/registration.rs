//! One procedure or pattern and those who answer it: which of them gets a call.
//!
//! Owns the policies of shared registrations and the limits of callees. Calls that find no callee free wait here by
//! number; what they say is in [`invocation`](super::invocation). [wamp: advanced/rpc_shared_registration]

use std::collections::VecDeque;

use super::super::context::{Now, Random};
use crate::id::SessionKey;
use crate::message::{InvokePolicy, RegisterOptions};
use crate::uri::MatchPolicy;

/// One procedure or pattern and those who answer it.
#[derive(Debug)]
pub(crate) struct Registration {
    pub uri: Box<str>,
    pub policy: MatchPolicy,
    pub invoke: InvokePolicy,
    /// When the first callee came: nanoseconds of [`Now::unix_ns`].
    pub created_ns: u64,
    /// In the order of registration.
    pub callees: Vec<Callee>,
    /// Calls that wait until a callee is free, the oldest first: slots of invocations.
    pub(super) queue: VecDeque<usize>,
    /// Whose turn it is under `roundrobin`: behind the last one called, so that a callee who comes is next after it.
    next: usize,
}

/// One session's share in a registration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee {
    pub key: SessionKey,
    pub(super) disclose_caller: bool,
    pub(super) forward_timeout: bool,
    /// Most invocations at once; the largest number is no limit.
    concurrency: u32,
    /// The invocations that it works on; counted only where there is a limit.
    busy: u32,
}

impl Registration {
    /// A registration without callees, and so one that must not stay.
    pub(super) fn new(uri: &str, options: &RegisterOptions, now: Now) -> Self {
        Self {
            uri: uri.into(),
            policy: options.match_policy,
            invoke: options.invoke,
            created_ns: now.unix_ns,
            callees: Vec::new(),
            queue: VecDeque::new(),
            next: 0,
        }
    }

    /// The position of a free callee for one call, by the registration's policy; none of `tried`.
    #[inline]
    pub(super) fn choose(&mut self, random: &mut Random, tried: &[SessionKey]) -> Option<usize> {
        let is_first_asked = matches!(self.invoke, InvokePolicy::Single | InvokePolicy::First);
        if is_first_asked && tried.is_empty() && self.callees.first().is_some_and(Callee::is_free) {
            return Some(0);
        }
        self.choose_among(random, tried)
    }

    fn choose_among(&mut self, random: &mut Random, tried: &[SessionKey]) -> Option<usize> {
        let callees = &self.callees;
        let may = |position: usize| callees[position].is_free() && !tried.contains(&callees[position].key);
        let all = 0..callees.len();
        match self.invoke {
            InvokePolicy::Single | InvokePolicy::First => all.into_iter().find(|position| may(*position)),
            InvokePolicy::Last => all.into_iter().rev().find(|position| may(*position)),
            InvokePolicy::RoundRobin => {
                let turn = if self.next < callees.len() { self.next } else { 0 };
                let position = (turn..callees.len()).chain(0..turn).find(|position| may(*position))?;
                self.next = position + 1;
                Some(position)
            }
            InvokePolicy::Random => {
                let position = random.below(callees.len());
                if may(position) {
                    return Some(position);
                }
                // Drawn again among those who may, all of them are as likely as before.
                match all.clone().filter(|position| may(*position)).count() {
                    0 => None,
                    count => all.into_iter().filter(|position| may(*position)).nth(random.below(count)),
                }
            }
        }
    }

    /// The share of a session, if it has one.
    pub(super) fn callee_mut(&mut self, key: SessionKey) -> Option<&mut Callee> {
        self.callees.iter_mut().find(|callee| callee.key == key)
    }

    /// Takes a callee away. False if there was none.
    pub(super) fn remove(&mut self, key: SessionKey) -> bool {
        let Some(position) = self.callees.iter().position(|callee| callee.key == key) else { return false };
        self.callees.remove(position);
        if position < self.next {
            self.next -= 1;
        }
        true
    }
}

impl Callee {
    pub(super) fn new(key: SessionKey, options: &RegisterOptions) -> Self {
        Self {
            key,
            disclose_caller: options.disclose_caller,
            forward_timeout: options.forward_timeout,
            concurrency: options.concurrency.map_or(u32::MAX, |most| most.try_into().unwrap_or(u32::MAX)),
            busy: 0,
        }
    }

    pub(super) fn is_limited(&self) -> bool {
        self.concurrency < u32::MAX
    }

    pub(super) fn is_free(&self) -> bool {
        self.busy < self.concurrency
    }

    /// How many of its invocations are counted.
    #[cfg(debug_assertions)]
    pub(super) fn busy(&self) -> usize {
        self.busy as usize
    }

    /// Gets one invocation more; whether it is counted.
    pub(super) fn take_on(&mut self) -> bool {
        let is_counted = self.is_limited();
        self.busy += u32::from(is_counted);
        is_counted
    }

    /// Has one of the invocations that are counted no more.
    pub(super) fn put_down(&mut self) {
        self.busy -= u32::from(self.is_limited());
    }
}
