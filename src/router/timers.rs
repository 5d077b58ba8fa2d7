//! Timers as data: deadlines in the router's monotonic milliseconds. Never reads a clock, never sleeps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use crate::id::{SessionKey, Ticket};

/// What happens at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The transport has not said HELLO.
    Hello(SessionKey),
    /// The peer has not answered the router's GOODBYE.
    Goodbye(SessionKey),
    /// The peer's GOODBYE waits behind its requests.
    Leave(SessionKey),
    /// The statistics of this session are to be published.
    Stats(SessionKey),
    /// The call in this slot of the realm's dealer has not ended.
    Call { realm: usize, invocation: usize },
    /// The embedding program has not answered.
    Question(Ticket),
}

/// Names a timer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId {
    slot: usize,
    sequence: u64,
}

/// The timers that run.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// (deadline, sequence, slot), so that two timers of one deadline go off in the order in which they were set. A
    /// timer that was stopped stays here until it comes to the top.
    deadlines: BinaryHeap<Reverse<(u64, u64, usize)>>,
    /// With the sequence, by which a deadline knows whether the slot is still its own.
    running: Slab<(u64, Timer)>,
    sequence: u64,
}

impl Timers {
    /// Starts a timer that goes off at `deadline_ms`.
    pub(crate) fn start(&mut self, deadline_ms: u64, timer: Timer) -> TimerId {
        self.sequence += 1;
        let slot = self.running.insert((self.sequence, timer));
        self.deadlines.push(Reverse((deadline_ms, self.sequence, slot)));
        TimerId { slot, sequence: self.sequence }
    }

    /// Stops a timer; one that has gone off is no mistake.
    pub(crate) fn stop(&mut self, TimerId { slot, sequence }: TimerId) {
        if !is_running(&self.running, slot, sequence) {
            return;
        }
        self.running.remove(slot);
        // Stopped timers must not pile up below one that runs for long.
        if self.deadlines.len() > 2 * self.running.len() + 64 {
            let Self { deadlines, running, .. } = self;
            deadlines.retain(|Reverse((_, sequence, slot))| is_running(running, *slot, *sequence));
        }
        self.uncover();
    }

    /// The deadline of the timer that goes off next.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.peek().map(|Reverse((deadline_ms, ..))| *deadline_ms)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Timer> {
        while self.next_deadline_ms()? <= now_ms {
            let Reverse((_, sequence, slot)) = self.deadlines.pop()?;
            if is_running(&self.running, slot, sequence) {
                let (_, timer) = self.running.remove(slot);
                self.uncover();
                return Some(timer);
            }
        }
        None
    }

    /// What a timer that runs is for.
    #[cfg(debug_assertions)]
    pub(super) fn get(&self, TimerId { slot, sequence }: TimerId) -> Option<Timer> {
        self.running.get(slot).filter(|(running, _)| *running == sequence).map(|(_, timer)| *timer)
    }

    /// How many timers run; panics where one has no deadline, or where the next deadline is that of none.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) -> usize {
        let runs = |Reverse((_, sequence, slot)): &Reverse<(u64, u64, usize)>| {
            is_running(&self.running, *slot, *sequence)
        };
        assert_eq!(self.deadlines.iter().filter(|deadline| runs(deadline)).count(), self.running.len());
        assert!(self.deadlines.peek().is_none_or(runs), "the next deadline is that of a timer that runs");
        self.running.len()
    }

    /// Takes away stopped timers from the top, so that the next deadline is that of one that runs.
    fn uncover(&mut self) {
        while let Some(Reverse((_, sequence, slot))) = self.deadlines.peek()
            && !is_running(&self.running, *slot, *sequence)
        {
            self.deadlines.pop();
        }
    }
}

fn is_running(running: &Slab<(u64, Timer)>, slot: usize, sequence: u64) -> bool {
    running.get(slot).is_some_and(|(running, _)| *running == sequence)
}
