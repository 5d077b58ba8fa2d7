//! The thread that sleeps for the others.
//!
//! A thread with a timer has to tell the system, each time that it waits for its sockets, when it must not wait any longer,
//! and to take that back when something came: a good half of a microsecond, for what is hardly ever due. So what rings late
//! or never (the pings of connections, the timers of the router) is here, and wakes its task from here.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// The way to the thread, which ends with it. A timer must not be polled after that.
#[derive(Debug)]
pub struct Timers {
    thread: Handle,
    _running: oneshot::Sender<()>,
}

impl Timers {
    /// Starts the thread. To be called outside of any runtime: where there is no thread to be had, the one that it was to
    /// run ends here, and could not within another.
    ///
    /// # Errors
    /// Those of the system, where it gives no more threads.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let thread = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("wamplet-timers".into()).spawn(move || {
            // An error says that the sender is gone.
            let _ = runtime.block_on(ended);
        })?;
        Ok(Self { thread, _running: running })
    }

    /// A timer that is over after so long. It costs the thread of whoever waits for it nothing.
    pub(super) fn sleep(&self, duration: Duration) -> Sleep {
        let _thread = self.thread.enter();
        sleep(duration)
    }
}
