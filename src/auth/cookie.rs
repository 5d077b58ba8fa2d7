//! `cookie`: whoever has logged in before, known again by the cookie of its connection. Crossbar.io's.
//!
//! Owns what a store of logins must do, and the store that forgets with the process.

use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;

use super::Identity;
use crate::router::Now;
use crate::router::pattern_index::SeededMap;

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
pub struct MemoryLogins {
    lifetime_ms: u64,
    most: usize,
    by_cookie: Mutex<SeededMap<Box<str>, Login>>,
}

struct Login {
    identity: Identity,
    /// On the clock that only ever grows.
    ends_ms: u64,
}

impl MemoryLogins {
    /// A store whose logins end `lifetime_ms` milliseconds after they were last used, and that keeps the `most` latest.
    pub fn new(lifetime_ms: u64, most: usize) -> Self {
        // Cookies are the driver's to choose, so the seed needs no chance.
        let by_cookie = Mutex::new(SeededMap::with_hasher(FixedState::with_seed(0)));
        Self { lifetime_ms, most, by_cookie }
    }

    /// How many cookies stand for somebody, among them those whose time is over and who have not been looked at.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether no cookie stands for anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, SeededMap<Box<str>, Login>> {
        self.by_cookie.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logins for MemoryLogins {
    fn login(&self, cookie: &str, now: Now) -> Option<Identity> {
        let mut by_cookie = self.lock();
        let login = by_cookie.get_mut(cookie)?;
        if login.ends_ms <= now.mono_ms {
            by_cookie.remove(cookie);
            return None;
        }
        login.ends_ms = now.mono_ms.saturating_add(self.lifetime_ms);
        Some(login.identity.clone())
    }

    fn remember(&self, cookie: &str, identity: &Identity, now: Now) {
        let mut by_cookie = self.lock();
        if by_cookie.len() >= self.most && !by_cookie.contains_key(cookie) {
            let first = by_cookie.iter().min_by_key(|(_, login)| login.ends_ms);
            let Some(first) = first.map(|(cookie, _)| cookie.clone()) else { return };
            by_cookie.remove(&first);
        }
        let ends_ms = now.mono_ms.saturating_add(self.lifetime_ms);
        by_cookie.insert(cookie.into(), Login { identity: identity.clone(), ends_ms });
    }

    fn forget(&self, cookie: &str) {
        self.lock().remove(cookie);
    }
}

/// Without cookies, which are secrets.
impl Debug for MemoryLogins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} logins", self.len())
    }
}
