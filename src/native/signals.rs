//! What the world wants of the process, said by signals.
//!
//! Owns the handlers, which are there before a configuration is read: a signal of the first moments is not lost, and ends
//! nothing that it should not. What a reload does is in `run`.

use std::io;
use std::panic;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::log;
use super::run::RunError;
use super::threads::{runtime, start_reading};

/// The handlers of SIGTERM, SIGINT and SIGHUP. For a program to install as early as it can: from then on none of them ends
/// the process by itself. A SIGHUP that comes before the router runs is a reload as soon as it does.
#[derive(Debug)]
pub struct Signals {
    /// Of the thread that hears them.
    pub(super) main: Runtime,
    pub(super) wishes: Wishes,
}

/// The signals that have come, one after the other.
#[derive(Debug)]
pub(super) struct Wishes {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

pub(super) enum Wish {
    Reload,
    End(&'static str),
}

impl Signals {
    /// Installs the handlers. Fails where the system gives none, or no thread that reads files.
    pub fn install() -> Result<Self, RunError> {
        let main = runtime().map_err(|reason| RunError::System("event queue", reason))?;
        start_reading(&main).map_err(|reason| RunError::System("thread", reason))?;
        let context = main.enter();
        let wishes = Wishes::hear().map_err(|reason| RunError::System("signals", reason))?;
        drop(context);
        Ok(Self { main, wishes })
    }

    /// Does what comes before the router can run, such as reading a configuration, which may take as long as it likes.
    /// Answers what came of it, or `None` if the process is to end instead, at once and well.
    pub fn meanwhile<T: Send + 'static>(
        mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<(Self, T)> {
        match self.main.block_on(self.wishes.unless_end(work)) {
            Ok(done) => Some((self, done)),
            Err(name) => {
                info!("{name}: ended before the router was ready");
                log::flush();
                self.main.shutdown_background();
                None
            }
        }
    }
}

impl Wishes {
    fn hear() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.hang_up.recv() => Wish::Reload,
            name = Self::first_of(&mut self.terminate, &mut self.interrupt) => Wish::End(name),
        }
    }

    /// What comes of work that may take as long as it likes, on a thread of its own, or the wish to end if that is first.
    pub async fn unless_end<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        tokio::select! {
            done = tokio::task::spawn_blocking(work) => match done {
                Ok(done) => Ok(done),
                Err(failure) => panic::resume_unwind(failure.into_panic()),
            },
            name = self.end() => Err(name),
        }
    }

    /// The wish to end. One to reload stays for later.
    async fn end(&mut self) -> &'static str {
        Self::first_of(&mut self.terminate, &mut self.interrupt).await
    }

    async fn first_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }

    /// The second wish to end. `timeout` and others send one signal twice: what comes at once is the first one still.
    pub async fn second_end(&mut self) {
        let _ = tokio::time::timeout(SAME_WISH, async {
            loop {
                self.next().await;
            }
        })
        .await;
        self.end().await;
    }
}

/// Time in which a second signal is an echo of the first.
const SAME_WISH: Duration = Duration::from_secs(1);
