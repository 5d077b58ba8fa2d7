//! When a process that ended is started again: the policy of the configuration, as a function of what happened.

use std::time::Duration;

use crate::config::node::{Restart, RestartPolicy};

/// The longest pause before a start, where the first one is not longer.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// The shortest pause, so that a process that ends at once does not keep a processor busy.
const SHORTEST_DELAY: Duration = Duration::from_millis(10);
/// A process that ran so long had started: what follows is counted anew.
const SETTLED: Duration = Duration::from_secs(60);

/// What happened to one start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It ended as it should.
    Finished,
    /// It ended with an error, or did not start.
    Failed,
    /// It did not start and never will.
    Hopeless,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    StartAfter(Duration),
    Over,
    /// So many starts in a row failed.
    GiveUp(u32),
}

/// Counts the starts of one process.
#[derive(Clone, Debug)]
pub(super) struct Restarts {
    restart: Restart,
    /// Before the next start.
    delay: Duration,
    failures: u32,
}

impl Restarts {
    pub(super) fn new(restart: Restart) -> Self {
        Self { restart, delay: restart.delay.max(SHORTEST_DELAY), failures: 0 }
    }

    /// A process that ran for `lasted` has ended.
    pub(super) fn next(&mut self, end: End, lasted: Duration) -> Next {
        if lasted >= SETTLED {
            *self = Self::new(self.restart);
        }
        let is_wanted = match (self.restart.policy, end) {
            (_, End::Hopeless) | (RestartPolicy::Never, _) => false,
            (RestartPolicy::Always, _) => true,
            (RestartPolicy::OnFailure, end) => end == End::Failed,
        };
        if !is_wanted {
            return Next::Over;
        }
        self.failures = if end == End::Failed { self.failures + 1 } else { 0 };
        if self.failures > 0 && self.failures >= self.restart.attempts {
            return Next::GiveUp(self.failures);
        }
        let delay = self.delay;
        self.delay = (delay * 2).min(LONGEST_DELAY.max(delay));
        Next::StartAfter(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);

    fn restarts(policy: RestartPolicy, delay: u64, attempts: u32) -> Restarts {
        Restarts::new(Restart { policy, delay: Duration::from_secs(delay), attempts })
    }

    fn after(seconds: u64) -> Next {
        Next::StartAfter(Duration::from_secs(seconds))
    }

    #[test]
    fn the_delay_doubles_up_to_a_minute() {
        let mut restarts = restarts(RestartPolicy::OnFailure, 10, 100);
        let delays: Vec<Next> = (0..5).map(|_| restarts.next(End::Failed, SHORT)).collect();
        assert_eq!(delays, [after(10), after(20), after(40), after(60), after(60)]);
    }

    #[test]
    fn a_configured_delay_above_a_minute_stays() {
        let mut restarts = restarts(RestartPolicy::OnFailure, 90, 100);
        assert_eq!([0; 2].map(|_| restarts.next(End::Failed, SHORT)), [after(90), after(90)]);
    }

    #[test]
    fn the_last_attempt_gives_up_and_a_long_run_counts_anew() {
        let mut restarts = restarts(RestartPolicy::OnFailure, 1, 2);
        assert_eq!(restarts.next(End::Failed, SHORT), after(1));
        assert_eq!(restarts.next(End::Failed, SETTLED), after(1));
        assert_eq!(restarts.next(End::Failed, SHORT), Next::GiveUp(2));
    }

    #[test]
    fn each_policy_restarts_what_it_says() {
        let table = [
            (RestartPolicy::Always, End::Finished, after(1)),
            (RestartPolicy::Always, End::Failed, after(1)),
            (RestartPolicy::Always, End::Hopeless, Next::Over),
            (RestartPolicy::OnFailure, End::Finished, Next::Over),
            (RestartPolicy::OnFailure, End::Failed, after(1)),
            (RestartPolicy::OnFailure, End::Hopeless, Next::Over),
            (RestartPolicy::Never, End::Finished, Next::Over),
            (RestartPolicy::Never, End::Failed, Next::Over),
        ];
        for (policy, end, next) in table {
            assert_eq!(restarts(policy, 1, 10).next(end, SHORT), next, "{policy:?} {end:?}");
        }
    }

    #[test]
    fn ends_without_an_error_are_never_too_many_and_do_not_hurry() {
        let mut restarts = restarts(RestartPolicy::Always, 0, 1);
        let Next::StartAfter(first) = restarts.next(End::Finished, SHORT) else { panic!("given up") };
        let Next::StartAfter(second) = restarts.next(End::Finished, SHORT) else { panic!("given up") };
        assert!(first > Duration::ZERO && second > first);
    }
}
