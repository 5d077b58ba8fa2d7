//! Timers as data: deadlines in the router's monotonic milliseconds. Never reads a clock, never sleeps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use foldhash::fast::FixedState;

use super::pattern_index::SeededMap;
use crate::id::SessionKey;

/// What happens at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The transport has not said HELLO.
    Hello(SessionKey),
    /// The peer has not answered the router's GOODBYE.
    Goodbye(SessionKey),
    /// The call in this slot of the realm's dealer has not ended.
    Call { realm: usize, invocation: usize },
}

/// Names a timer that runs. Two timers of one deadline go off in the order in which they were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId(u64);

/// The timers that run.
#[derive(Debug)]
pub(crate) struct Timers {
    /// (deadline, id); a timer that was stopped stays here until it comes to the top.
    deadlines: BinaryHeap<Reverse<(u64, u64)>>,
    running: SeededMap<u64, Timer>,
    last_id: u64,
}

impl Timers {
    pub(crate) fn new(seed: u64) -> Self {
        let running = SeededMap::with_hasher(FixedState::with_seed(seed));
        Self { deadlines: BinaryHeap::new(), running, last_id: 0 }
    }

    /// Starts a timer that goes off at `deadline_ms`.
    pub(crate) fn start(&mut self, deadline_ms: u64, timer: Timer) -> TimerId {
        self.last_id += 1;
        self.deadlines.push(Reverse((deadline_ms, self.last_id)));
        self.running.insert(self.last_id, timer);
        TimerId(self.last_id)
    }

    /// Stops a timer; one that has gone off is no mistake.
    pub(crate) fn stop(&mut self, id: TimerId) {
        self.running.remove(&id.0);
        // Stopped timers must not pile up below one that runs for long.
        if self.deadlines.len() > 2 * self.running.len() + 64 {
            self.deadlines.retain(|Reverse((_, id))| self.running.contains_key(id));
        }
        while let Some(Reverse((_, id))) = self.deadlines.peek()
            && !self.running.contains_key(id)
        {
            self.deadlines.pop();
        }
    }

    /// The deadline of the timer that goes off next.
    pub(crate) fn next_deadline_ms(&self) -> Option<u64> {
        self.deadlines.peek().map(|Reverse((deadline_ms, _))| *deadline_ms)
    }

    /// Takes out the next timer that is due.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Timer> {
        while self.next_deadline_ms()? <= now_ms {
            let Reverse((_, id)) = self.deadlines.pop()?;
            if let Some(timer) = self.running.remove(&id) {
                return Some(timer);
            }
        }
        None
    }
}
