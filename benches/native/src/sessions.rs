//! What sessions cost that do nothing: their memory while they last, and the CPU time of coming and going.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::client::{Client, Role, Target};
use crate::process::{CpuTime, resident};
use crate::traffic::Measured;

/// How long a router may take to free or allocate what it does in the background.
const SETTLE: Duration = Duration::from_millis(500);

/// Opens `sessions` that stay silent. Returns KiB of resident memory: before the first of them, and with all of them.
pub fn idle(target: &Target, pids: &[u32], sessions: usize) -> Result<(u64, u64)> {
    // The first session may cause what only happens once.
    let first = Client::join(target, Role::Source, 0)?;
    thread::sleep(SETTLE);
    let before = resident(pids)?;
    let mut open = Vec::with_capacity(sessions);
    for number in 0..sessions {
        let client = Client::join(target, Role::Source, 0).with_context(|| format!("session {number}"))?;
        open.push(client.into_socket());
    }
    thread::sleep(SETTLE);
    let after = resident(pids)?;
    drop((first, open));
    Ok((before, after))
}

/// Joins, leaves and closes, from several threads, for so long or so many times.
pub fn churn(target: &Target, pids: &[u32], measured: Duration, most: u64) -> Result<Measured> {
    const THREADS: usize = 4;
    let (begun, before, joins) = (Instant::now(), CpuTime::now(pids)?, AtomicU64::new(0));
    thread::scope(|scope| {
        let work = || {
            while begun.elapsed() < measured && joins.fetch_add(1, Ordering::Relaxed) < most {
                let mut client = Client::join(target, Role::Source, 0)?;
                if !target.relay {
                    client.leave()?;
                }
            }
            anyhow::Ok(())
        };
        let threads = [(); THREADS].map(|()| scope.spawn(work));
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = CpuTime::now(pids)?.since(before);
    let operations = joins.into_inner().min(most);
    // HELLO, WELCOME and two GOODBYEs.
    Ok(Measured { operations, messages: 4 * operations, seconds, cpu })
}
