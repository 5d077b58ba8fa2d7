//! The only clock of the native router.
//!
//! Everything else is told the time: see [`Now`].

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::router::Now;

/// Tells the time since it was made, and the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    begun: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { begun: Instant::now() }
    }

    /// The time, as the router wants to be told it.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            unix_ns: u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Milliseconds since the clock began.
    pub fn mono_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
