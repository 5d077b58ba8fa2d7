//! The only clock of the native router.
//!
//! Everything else is told the time: see [`Now`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::router::Now;

/// Tells the time since it was made, and the time of day.
///
/// The time of day is asked for now and then, and counted in between: each input of the router wants both, and one look
/// at the system's clock for each is enough.
#[derive(Debug)]
pub struct Clock {
    begun: Instant,
    /// The time of day when the clock began, as it was last found: nanoseconds since 1970.
    begun_unix_ns: AtomicU64,
    /// When that was: milliseconds since the clock began.
    looked_at_ms: AtomicU64,
}

impl Clock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        let begun = Instant::now();
        let begun_unix_ns = AtomicU64::new(nanoseconds(since_1970()));
        Self { begun, begun_unix_ns, looked_at_ms: AtomicU64::new(0) }
    }

    /// The time, as the router wants to be told it.
    pub fn now(&self) -> Now {
        let elapsed = self.begun.elapsed();
        let mono_ms = milliseconds(elapsed);
        let elapsed_ns = nanoseconds(elapsed);
        if mono_ms.saturating_sub(self.looked_at_ms.load(Ordering::Relaxed)) >= LOOKS_MS {
            let begun = nanoseconds(since_1970()).saturating_sub(elapsed_ns);
            self.begun_unix_ns.store(begun, Ordering::Relaxed);
            self.looked_at_ms.store(mono_ms, Ordering::Relaxed);
        }
        let unix_ns = self.begun_unix_ns.load(Ordering::Relaxed).saturating_add(elapsed_ns);
        Now { mono_ms, unix_ns }
    }

    /// Milliseconds since the clock began.
    pub fn mono_ms(&self) -> u64 {
        milliseconds(self.begun.elapsed())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds after which the time of day is looked at again: somebody may have set it.
const LOOKS_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_that_of_the_system_also_when_somebody_has_set_it() {
        let clock = Clock::start();
        // As if the system's clock had been set by an hour since.
        let hour_ns = 3_600_000_000_000;
        clock.begun_unix_ns.fetch_sub(hour_ns, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(LOOKS_MS + 1));
        let before = nanoseconds(since_1970());
        let told = clock.now().unix_ns;
        let after = nanoseconds(since_1970());
        assert!((before..=after).contains(&told), "{before} {told} {after}");
    }

    #[test]
    fn both_times_go_on_alike_between_two_looks() {
        let clock = Clock::start();
        let first = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        let second = clock.now();
        let passed_ms = (second.unix_ns - first.unix_ns) / 1_000_000;
        assert!(second.mono_ms > first.mono_ms);
        assert!(passed_ms.abs_diff(second.mono_ms - first.mono_ms) <= 1, "{passed_ms} ms");
    }
}
