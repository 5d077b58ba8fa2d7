//! The native router: sockets around the core.
//!
//! Owns everything that touches the system: sockets, TLS, files, child processes, signals, and the one clock. Decides
//! nothing about WAMP: that is the business of [`router`](crate::router).
//!
//! | File | Holds |
//! |---|---|
//! | `run` | a node from its start to its end: listeners, children, reloads |
//! | `signals` | what the world wants of the process, from its first moments on |
//! | `systemd` | what the system is told of the process |
//! | `hub` | the router under its lock, the peers, timers |
//! | `threads` | the threads on which connections run |
//! | `timers` | the thread that sleeps for them |
//! | `listener`, `stream`, `tls` | listening sockets and what they accept |
//! | `missing` | what is named and not there |
//! | `connection` | the reading side of a connection, and its ends |
//! | `rawsocket`, `websocket` | frames to messages |
//! | `subprotocol` | the names of what is spoken |
//! | `flusher` | one write for each peer and turn of a thread |
//! | `outgoing`, `queue` | what waits for a peer and its limit, framing on the way out, who writes |
//! | `mailbox` | messages that are fetched instead of written |
//! | `web` | HTTP: services by path, the WebSocket handshake, long polling |
//! | `components` | child processes: their starts, output and end |
//! | `open_files` | how many there may be, and how many a child may have |
//! | `secret` | what nobody may guess |
//! | `store` | kept events in files |
//! | `bridge` | the sessions behind paths of the HTTP bridge |
//! | `gate`, `cookies` | how clients of each listening path authenticate, and how browsers are known again |
//! | `crossbar_cookies` | the cookies that Crossbar.io kept |
//! | `clock` | the only clock |
//! | `news` | what the log says of sessions |
//! | `log` | the way of the log to standard error |

use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod clock;
pub mod components;
pub mod store;

mod bridge;
mod connection;
mod cookies;
mod crossbar_cookies;
mod flusher;
mod gate;
mod hub;
mod listener;
mod log;
mod mailbox;
mod missing;
mod news;
mod open_files;
mod outgoing;
mod queue;
mod rawsocket;
mod run;
mod secret;
mod signals;
mod stream;
mod subprotocol;
mod systemd;
mod threads;
mod timers;
mod tls;
mod web;
mod websocket;

pub use listener::ListenError;
pub use log::LogWriter;
pub use missing::missing;
pub use run::{Options, RunError, run, run_with};
pub use signals::Signals;
pub use threads::default_threads;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it is held ends the process: see `panic = "abort"`.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
