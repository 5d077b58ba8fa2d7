//! What systemd is told of the process, where it started it as a service of type `notify`.
//!
//! Owns the three words: ready, reloading, stopping. Without the variable `NOTIFY_SOCKET` nobody is told, and children
//! do not inherit it. [sd_notify(3)]

use std::io;

use sd_notify::{NotifyState, notify};
use tracing::debug;

/// Where systemd listens.
pub(super) const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// All listeners are bound, and the configuration that was read last is in force.
pub(super) fn ready() {
    tell(notify(&[NotifyState::Ready]));
}

/// The configuration is read anew; [`ready`] follows, whatever comes of it.
pub(super) fn reloading() {
    tell(NotifyState::monotonic_usec_now().and_then(|now| notify(&[NotifyState::Reloading, now])));
}

/// Nobody is accepted any more.
pub(super) fn stopping() {
    tell(notify(&[NotifyState::Stopping]));
}

/// Nobody is served worse because systemd does not listen.
fn tell(told: io::Result<()>) {
    if let Err(error) = told {
        debug!("systemd was not told: {error}");
    }
}
