//! One process: spawned in a group of its own, read line by line, ended with everything that it started.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::door::Door;
use super::output::{Output, Report, ToRouter};
use super::turn::{Held, Turn};
use super::{Inside, executable, python};
use crate::config::node::{Component, Guest, Restart};
use crate::native::open_files;
use crate::router::Identity;

/// Time for what a process left behind to end, after it has ended itself.
const LINGER: Duration = Duration::from_secs(2);
/// With this code the launcher says that no start will ever succeed. (EX_CONFIG of sysexits.h)
const HOPELESS: i32 = 78;

/// What to run.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each child, made once")]
pub(super) enum Program {
    Component(Component),
    Guest(Guest),
}

/// All that is needed for one start.
pub(super) struct Start {
    pub command: Command,
    /// What the process finds on its standard input, which ends with the router; `None`: at once.
    pub input: Option<Vec<u8>>,
    /// Where it comes in, and as whom.
    pub entrance: Option<(Door, Identity)>,
    /// A line of standard error that begins with it says why the process ends.
    pub marker: Option<String>,
}

/// Why a process did not start, or ended: part of a sentence.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Failed(String),
    /// As long as nobody changes something, every start will fail.
    Hopeless(String),
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    Finished,
    Failed(Failure),
    /// The router ends.
    Stopped,
}

impl Program {
    /// Where it stands in the configuration.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Component(component) => &component.path,
            Self::Guest(guest) => &guest.path,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Component(component) => &component.name,
            Self::Guest(guest) => &guest.name,
        }
    }

    pub(super) fn restart(&self) -> Restart {
        match self {
            Self::Component(component) => component.restart,
            Self::Guest(guest) => guest.restart,
        }
    }

    /// Whether it comes in through a door.
    pub(super) fn is_inside(&self) -> bool {
        matches!(self, Self::Component(component) if component.is_inside())
    }

    fn prepare(&self) -> Result<Start, Failure> {
        match self {
            Self::Component(component) => python::prepare(component),
            Self::Guest(guest) => prepare_guest(guest).map_err(Failure::Hopeless),
        }
    }

    /// Runs it once, until it ends or `stop` has a grace. A component inside is let in when its turn has come.
    pub(super) async fn run(
        &self,
        inside: &dyn Inside,
        turn: &mut Turn,
        stop: &mut watch::Receiver<Option<Duration>>,
    ) -> Ended {
        match self.spawn(turn.hold()) {
            Ok(process) => process.run(self, inside, turn, stop).await,
            Err(failure) => Ended::Failed(failure),
        }
    }

    /// Drops `held` when it is ready, or has not started.
    fn spawn(&self, held: Option<Held>) -> Result<Process, Failure> {
        let Start { mut command, input, entrance, marker } = self.prepare()?;
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            let program = command.as_std().get_program().display();
            match error.kind() {
                // The file is there: it is the interpreter of its first line that is not, or no program at all.
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                    Failure::Hopeless(format!("cannot run {program}: {error} (is its first line right?)"))
                }
                _ if error.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
                    Failure::Hopeless(format!("cannot run {program}: {error} (has it a first line with #!?)"))
                }
                _ => Failure::Failed(format!("cannot run {program}: {error}")),
            }
        })?;
        let pid = child.id().expect("a process that nobody waited for has an id");
        open_files::restore(pid);
        tracing::info!(target: "wamplet::components", component = self.name(), pid, "started");
        let report = Report::default();
        let output = |stream| Output { component: self.name().to_owned(), stream, pid };
        let stdout = child.stdout.take().expect("it was asked to be a pipe");
        let stderr = child.stderr.take().expect("it was asked to be a pipe");
        let mut readers = JoinSet::new();
        readers.spawn(output("stdout").log(stdout, None));
        let to_router = marker.map(|marker| ToRouter { marker, held, report: Arc::clone(&report) });
        readers.spawn(output("stderr").log(stderr, to_router));
        let stdin = child.stdin.take().zip(input);
        Ok(Process { child, group: Group(pid), stdin, entrance, readers, report })
    }
}

fn prepare_guest(guest: &Guest) -> Result<Start, String> {
    let directory = match &guest.workdir {
        Some(directory) if !directory.is_dir() => {
            return Err(format!("expected a directory as workdir, found none at {}", directory.display()));
        }
        Some(directory) => directory.clone(),
        None => std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
    };
    let path = executable::variable("PATH", &guest.env);
    let file = executable::find_beside(&guest.executable, &directory, path.as_deref())
        .map_err(|reason| format!("found no executable: {reason}"))?;
    let mut command = executable::command(&file, &guest.env, guest.inherit_env);
    command.args(&guest.arguments).current_dir(directory);
    let input = (!guest.closes_stdin).then(Vec::new);
    Ok(Start { command, input, entrance: None, marker: None })
}

/// A process that runs.
struct Process {
    child: Child,
    group: Group,
    /// With what is written to it.
    stdin: Option<(ChildStdin, Vec<u8>)>,
    entrance: Option<(Door, Identity)>,
    readers: Readers,
    /// What the launcher said last of all.
    report: Report,
}

impl Process {
    async fn run(
        self,
        program: &Program,
        inside: &dyn Inside,
        turn: &mut Turn,
        stop: &mut watch::Receiver<Option<Duration>>,
    ) -> Ended {
        let (name, path) = (program.name(), program.path());
        let Self { mut child, group, mut stdin, entrance, readers, report } = self;
        let attend = async {
            // A process that does not read it has ended, or will be seen to do nothing: either way it is not this
            // that fails.
            if let Some((stdin, input)) = &mut stdin {
                let _ = stdin.write_all(input).await;
            }
            if let Some((door, identity)) = entrance {
                let stream = door.admit().await;
                turn.come().await;
                turn.held = None;
                inside.connected(stream, identity);
            }
            // Standard input stays open as long as the router lives.
            std::future::pending::<()>().await;
        };
        let status = tokio::select! {
            status = child.wait() => status,
            () = attend => unreachable!("it waits for ever"),
            grace = stopped(stop) => {
                let end = Instant::now() + grace;
                group.signal(Signal::TERM);
                let is_over = time::timeout_at(end, child.wait()).await.is_ok();
                if !is_over {
                    tracing::warn!(
                        target: "wamplet::components",
                        component = name,
                        "{path}: did not end within {grace:?}: killed",
                    );
                }
                let readers = if is_over { finish_reading(readers, end).await } else { readers };
                // Whoever is left in it is killed.
                drop(group);
                // The child may have left its group. Waited for, it leaves no zombie.
                let _ = child.kill().await;
                finish_reading(readers, Instant::now() + LINGER).await;
                return Ended::Stopped;
            }
        };
        group.signal(Signal::TERM);
        drop(finish_reading(readers, Instant::now() + LINGER).await);
        let report = report.lock().ok().and_then(|mut report| report.take());
        match status {
            Ok(status) => ended(status, report),
            Err(error) => Ended::Failed(Failure::Failed(format!("cannot wait for it: {error}"))),
        }
    }
}

/// What an exit means.
fn ended(status: ExitStatus, report: Option<String>) -> Ended {
    match (status.code(), report) {
        (Some(0), _) => Ended::Finished,
        (Some(HOPELESS), Some(report)) => Ended::Failed(Failure::Hopeless(report)),
        (Some(_), Some(report)) => Ended::Failed(Failure::Failed(report)),
        _ => Ended::Failed(Failure::Failed(format!("ended with {status}"))),
    }
}

/// Waits until the end has come; answers the grace.
pub(super) async fn stopped(stop: &mut watch::Receiver<Option<Duration>>) -> Duration {
    match stop.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        // Whoever could have said so is gone.
        Err(_) => Duration::ZERO,
    }
}

/// Lets the readers come to the end of the output, but not later than `end`: somebody may hold it open. Answers those
/// that did not.
async fn finish_reading(mut readers: Readers, end: Instant) -> Readers {
    let all_read = async { while readers.join_next().await.is_some() {} };
    let _ = time::timeout_at(end, all_read).await;
    readers
}

/// The tasks that read the output of a process; dropped, they end.
type Readers = JoinSet<()>;

/// The process group that a child leads. Whoever is in it when this is dropped is killed.
struct Group(u32);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.0).ok().and_then(Pid::from_raw) {
            // A group that is gone is what was wanted. Its number is given to others only after all others are used up.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
