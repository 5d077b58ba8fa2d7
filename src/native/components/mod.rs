//! The child processes of a node: components and guests.
//!
//! Owns their starts, their restarts, their output and their end. Knows nothing of WAMP: a component that belongs to
//! this router gets a socket, and what is spoken on it is the business of whoever implements [`Inside`].
//!
//! | File | Holds |
//! |---|---|
//! | `supervisor` | one child from start to start, until it is over or given up |
//! | `process` | one process: spawned, ended with everything that it started |
//! | `output` | what it prints, on its way to the log |
//! | `restarts` | when a process that ended is started again |
//! | `turn` | which component begins after which |
//! | `door` | the socket through which a component comes in, once |
//! | `python`, `launcher.py` | a class of Autobahn\|Python as a process |
//! | `executable` | which file a name stands for |
//!
//! What is logged here has the target `wamplet::components` and the field `component`, the name of the component or
//! guest. Lines of its output have also `stream` and `pid`; those of standard output are of the level info, those of
//! standard error of the level warn. Of each stream 1 000 lines a second are logged; how many more there were is a line
//! of its own, at the end of that second. Control characters are written as `\x0d`.
//!
//! The standard input of every child is a pipe on which nothing more is said and which ends when the router ends, even
//! when it is killed. Components end with it. A guest that must not outlive a router that was killed watches it;
//! otherwise guests are ended by [`Children::stop`] only. A guest whose `stdin` is `"close"` has no such pipe.
//!
//! The router takes as many open files as it may have; its children get the limit from before that (`native::open_files`).

mod door;
mod executable;
mod output;
mod process;
mod python;
mod restarts;
mod supervisor;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use self::process::Program;
use self::turn::{Turn, Wait};
use crate::config::node::{Component, Node};
use crate::router::Identity;

/// The router, as a component that runs inside it sees it.
pub trait Inside: Send + Sync {
    /// A component has shown its ticket. Its next bytes are the handshake of RawSocket. Closing the stream ends the
    /// component; the component ending closes the stream.
    fn connected(&self, stream: UnixStream, identity: Identity);
}

/// All child processes of a node. Dropping it kills them.
#[derive(Debug)]
pub struct Children {
    tasks: JoinSet<()>,
    /// The grace, once the end has come.
    stop: watch::Sender<Option<Duration>>,
    /// For the last component of each router worker.
    inside: Vec<Wait>,
}

impl Children {
    /// Starts the components and guests of a node, and starts them again as their policies say. What goes wrong is
    /// logged. Must be called within a tokio runtime.
    ///
    /// As in Crossbar.io, the components of one worker begin in their order, each when the one before is ready: when its
    /// `onJoin` has come to an end, its first start has failed, or 10 s are over.
    pub fn start(node: &Node, inside: Arc<dyn Inside>) -> Self {
        let (stop, stopped) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let mut supervise = |program, turn| {
            tasks.spawn(supervisor::supervise(program, turn, Arc::clone(&inside), stopped.clone()));
        };
        let mut last_inside = Vec::new();
        for worker in node.components.chunk_by(|one, next| one.worker() == next.worker()) {
            let mut before = None;
            for component in worker {
                let (turn, wait) = Turn::behind(before, &component.path);
                supervise(Program::Component(component.clone()), turn);
                before = Some(wait);
            }
            if worker.iter().any(Component::is_inside) {
                last_inside.extend(before);
            }
        }
        for guest in &node.guests {
            supervise(Program::Guest(guest.clone()), Turn::default());
        }
        Self { tasks, stop, inside: last_inside }
    }

    /// Waits until the components of this router are ready or have failed, so that clients find what they register. Those
    /// that are neither within 10 s are not waited for. May be awaited once.
    pub fn ready(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let inside = std::mem::take(&mut self.inside);
        let end = Instant::now() + turn::PATIENCE;
        async move {
            for mut wait in inside {
                if time::timeout_at(end, wait.end()).await.is_err() {
                    tracing::warn!(
                        target: "wamplet::components",
                        "{}: not ready after {:?}: clients are let in",
                        wait.path,
                        turn::PATIENCE,
                    );
                }
            }
        }
    }

    /// Ends all child processes, and whatever they started in their process groups: SIGTERM, and SIGKILL for those who
    /// are there when `grace` is over. Returns when they are gone. While a component of this router leaves its realm,
    /// the router should still be there to answer.
    pub async fn stop(mut self, grace: Duration) {
        self.stop.send_replace(Some(grace));
        while self.tasks.join_next().await.is_some() {}
    }
}
