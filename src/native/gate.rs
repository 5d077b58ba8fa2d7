//! How clients authenticate at each place where they connect, now.
//!
//! Owns the [`Methods`] of every RawSocket, WebSocket and long-poll path, which a reload replaces under the sockets that
//! listen, and the cookies there, which stay. A place is found again by where its listener stands in the configuration, its
//! address and its path: where one of them has changed, the old methods stay with the old socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use super::cookies::Cookies;
use crate::auth::Methods;
use crate::config::node::{self, Auth, Cookie, Place, RAWSOCKET};

/// How clients authenticate at one place. Default not at all.
#[derive(Debug, Default)]
pub struct Gate {
    methods: Mutex<Option<Arc<Methods>>>,
    cookies: Option<Arc<Cookies>>,
}

/// All places of a process.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<BTreeMap<String, Arc<Gate>>>);

impl Gate {
    /// How a client that connects now authenticates.
    pub(super) fn methods(&self) -> Option<Arc<Methods>> {
        lock(&self.methods).clone()
    }

    /// Where browsers are known again.
    pub(super) fn cookies(&self) -> Option<&Arc<Cookies>> {
        self.cookies.as_ref()
    }

    /// Takes what is configured now. Answers what it replaced, if that was anything.
    fn replace(&self, auth: Option<&Auth>) -> Option<(Arc<Methods>, Option<Arc<Methods>>)> {
        let methods = auth.map(|Auth { methods, by_cookie }| match &self.cookies {
            Some(cookies) if *by_cookie => {
                let logins = Arc::clone(cookies).as_logins();
                Arc::new(Methods { cookie: Some(logins), ..Methods::clone(methods) })
            }
            _ => Arc::clone(methods),
        });
        let old = std::mem::replace(&mut *lock(&self.methods), methods.clone());
        old.map(|old| (old, methods))
    }
}

impl Gates {
    /// Makes the places of a listener. The error says which cookies cannot be kept.
    pub fn open(&self, listener: &node::Listener) -> Result<(), String> {
        for Place { path, auth, cookie } in listener.places() {
            let cookies = match cookie {
                Some(cookie) => Some(self.cookies(cookie)?),
                None => None,
            };
            let gate = Gate { cookies, ..Gate::default() };
            gate.replace(auth);
            lock(&self.0).insert(name(listener, &path), Arc::new(gate));
        }
        Ok(())
    }

    /// The same cookies where the same are configured: a browser shows one value at all paths.
    fn cookies(&self, config: &Cookie) -> Result<Arc<Cookies>, String> {
        let known = lock(&self.0).values().find_map(|gate| {
            gate.cookies.as_ref().filter(|cookies| cookies.config() == config).map(Arc::clone)
        });
        known.map_or_else(|| Cookies::open(config, Clock::start()), Ok)
    }

    /// The RawSocket of a listener.
    pub fn rawsocket(&self, listener: &node::Listener) -> Arc<Gate> {
        self.path(listener, RAWSOCKET)
    }

    /// What is at a path of a listener: `/`, `/ws`, `/api/ws`.
    pub fn path(&self, listener: &node::Listener, path: &str) -> Arc<Gate> {
        lock(&self.0).get(&name(listener, path)).cloned().unwrap_or_default()
    }

    /// Waits until all cookies are where they are kept.
    pub fn close(&self) {
        lock(&self.0).values().filter_map(|gate| gate.cookies.as_ref()).for_each(|cookies| cookies.close());
    }

    /// Takes what the node says of its listeners now. Answers what was replaced by what.
    pub fn reload(&self, listeners: &[node::Listener]) -> Vec<(Arc<Methods>, Option<Arc<Methods>>)> {
        let gates = lock(&self.0);
        let mut replaced = Vec::new();
        for listener in listeners {
            for Place { path, auth, .. } in listener.places() {
                replaced.extend(gates.get(&name(listener, &path)).and_then(|gate| gate.replace(auth)));
            }
        }
        replaced
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it is held ends the process: see `panic = "abort"`.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(listener: &node::Listener, path: &str) -> String {
    format!("{} {:?} {path}", listener.path, listener.endpoint.address)
}
