//! What Linux knows of a process: CPU time, memory, and on which CPUs it may run.

use std::fs;

use anyhow::{Context, Result};

/// CPU time that something has used so far, in seconds.
#[derive(Clone, Copy)]
pub struct CpuTime {
    /// Of the measured processes.
    pub servers: f64,
    /// Of this process.
    pub own: f64,
    /// Of everything on the machine, in steps of 10 ms.
    machine: f64,
}

impl CpuTime {
    pub fn now(pids: &[u32]) -> Result<Self> {
        let mut servers = 0.0;
        for pid in pids {
            servers += clock_of(*pid)?;
        }
        Ok(Self { servers, own: clock_of(0)?, machine: machine()? })
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            servers: self.servers - before.servers,
            own: self.own - before.own,
            machine: self.machine - before.machine,
        }
    }

    /// Of processes that have no part in the measurement.
    pub fn foreign(self) -> f64 {
        (self.machine - self.servers - self.own).max(0.0)
    }
}

/// Seconds on the CPU clock of a process (0 is this one). Exact, and unlike `/proc/PID/task/*/schedstat` it keeps the
/// time of threads that have ended.
fn clock_of(pid: u32) -> Result<f64> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls only write to the variable they are given.
    let failed = unsafe {
        libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) != 0
            || libc::clock_gettime(clock, &mut time) != 0
    };
    anyhow::ensure!(!failed, "process {pid} has ended");
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Seconds for which the machine's CPUs, together, were not idle.
fn machine() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks = |index| stat.split_whitespace().nth(index).and_then(|ticks| ticks.parse::<f64>().ok());
    // cpu user nice system idle iowait irq softirq steal
    let busy = [1, 2, 3, 6, 7, 8].into_iter().map(ticks).sum::<Option<f64>>().context("/proc/stat is odd")?;
    // SAFETY: reads a constant.
    Ok(busy / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64)
}

/// Resident memory of the processes together, in KiB.
pub fn resident(pids: &[u32]) -> Result<u64> {
    pids.iter()
        .map(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the router has ended")?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<u64>()?)
        })
        .sum()
}

/// Keeps this process and all threads of others on one CPU, until dropped.
pub struct Pinned {
    before: Vec<(libc::pid_t, libc::cpu_set_t)>,
}

impl Pinned {
    pub fn to(cpu: usize, pids: &[u32]) -> Result<Self> {
        let mut threads = vec![0];
        for pid in pids {
            for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
                threads.push(thread?.file_name().to_string_lossy().parse()?);
            }
        }
        let mut before = Vec::new();
        for thread in threads {
            // SAFETY: a set of CPUs is plain bits, zeros are a value of it; the calls get its right size.
            unsafe {
                let (mut old, mut new) = std::mem::zeroed::<(libc::cpu_set_t, libc::cpu_set_t)>();
                libc::CPU_SET(cpu, &mut new);
                let size = size_of::<libc::cpu_set_t>();
                let failed = libc::sched_getaffinity(thread, size, &mut old) != 0
                    || libc::sched_setaffinity(thread, size, &new) != 0;
                anyhow::ensure!(!failed, "cannot pin to CPU {cpu}: {}", std::io::Error::last_os_error());
                before.push((thread, old));
            }
        }
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        for (thread, cpus) in &self.before {
            // A thread that has ended meanwhile needs no CPUs, so a failure means nothing.
            // SAFETY: the set is one that the kernel gave out.
            unsafe { libc::sched_setaffinity(*thread, size_of::<libc::cpu_set_t>(), cpus) };
        }
    }
}

/// Allows as many open files as this user may have.
pub fn raise_file_limit() {
    // SAFETY: both calls only use the variable they are given.
    unsafe {
        let mut limit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}
