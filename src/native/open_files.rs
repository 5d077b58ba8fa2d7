//! How many files the process may have open: each connection is one.
//!
//! Owns the limit from before the router raised it, which its children get back. Many programs take a low one for granted:
//! they use `select`, which knows numbers below 1 024 only, or close all that might be open, one by one.
//!
//! A child gets it when it has been started: between `fork` and `exec` only unsafe code could do that. So for its first
//! microseconds it has the router's. Systems other than Linux cannot change the limit of another process: there it stays so.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit};
use tracing::warn;

/// Of the process, as its limit is: a second node that it runs finds it raised.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Takes as many as the system allows.
pub(super) fn raise() {
    BEFORE.get_or_init(|| getrlimit(Resource::Nofile));
    if let Err(reason) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!("the number of open files stays as it is: {reason}");
    }
}

/// Gives a child, which nobody has waited for yet, what the process had before.
pub(super) fn restore(child: u32) {
    #[cfg(target_os = "linux")]
    if let Some(limit) = BEFORE.get()
        && let Some(child) = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw)
    {
        // One that has ended needs none, one that is another user by now has only more than it expects.
        let _ = rustix::process::prlimit(Some(child), Resource::Nofile, *limit);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}
