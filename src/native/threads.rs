//! The threads of the native router: a runtime on each, which share nothing but the router.
//!
//! Owns their number and their end. A connection stays on the thread that it was given, so that reading, routing and
//! writing a message need no other one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use super::flusher;

/// The runtimes for connections, in turn.
#[derive(Clone, Debug)]
pub(super) struct Threads {
    handles: Arc<[Handle]>,
    next: Arc<AtomicUsize>,
    /// Ends the threads with its last clone.
    _running: Arc<watch::Sender<()>>,
}

impl Threads {
    /// `count` threads, of which `main` is the first.
    pub fn start(count: usize, main: &Runtime) -> io::Result<Self> {
        let (running, ended) = watch::channel(());
        let mut handles = vec![main.handle().clone()];
        main.spawn(flusher::run());
        for number in 1..count {
            let runtime = runtime()?;
            start_reading(&runtime)?;
            handles.push(runtime.handle().clone());
            runtime.spawn(flusher::run());
            let mut ended = ended.clone();
            std::thread::Builder::new().name(format!("wamplet-{number}")).spawn(move || {
                // An error says that the sender is gone.
                let _ = runtime.block_on(ended.changed());
                runtime.shutdown_background();
            })?;
        }
        Ok(Self { handles: handles.into(), next: Arc::default(), _running: Arc::new(running) })
    }

    /// Where the next connection runs.
    pub fn next(&self) -> &Handle {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[next % self.handles.len()]
    }
}

/// A runtime for one thread. Others read files for it, and stay once they are there.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS)
        .thread_keep_alive(Duration::MAX)
        .build()
}

/// Starts the first thread that reads files. Where the system gives no more threads, what is to be read waits for it; without
/// it tokio would panic.
pub(super) fn start_reading(runtime: &Runtime) -> io::Result<()> {
    // At the start, too, unless there is a thread to be had.
    let probe = std::thread::Builder::new().spawn(|| {})?;
    // Until it is gone it may be the last one.
    let _ = probe.join();
    runtime.spawn_blocking(|| {});
    Ok(())
}

/// Threads that read files for one runtime.
const READERS: usize = 32;

/// How many threads there are unless somebody says otherwise: one core is left to the system's own part of the work, since
/// a message that crosses threads costs half as much again as one that does not.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}
