//! The command line: its arguments, what it prints, its exit codes.
//!
//! Owns where a configuration is looked for and how the log is written. What is in a configuration is read by
//! [`wamplet::config`].

mod log;
mod upgrade;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use wamplet::config::node::{LoadedNode, Node};
use wamplet::config::{self, ConfigError, Problem, Source, Warning};
use wamplet::native;

use self::log::{LogFormat, LogLevel};

/// A WAMP router: WebSocket, RawSocket and HTTP, one binary, Crossbar.io's configuration.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the router until SIGTERM or SIGINT.
    #[command(after_help = AFTER_START_HELP)]
    Start(Start),
    /// Say what is wrong with a configuration, and what in it is not served.
    Check {
        #[command(flatten)]
        directory: NodeDirectory,
        /// The configuration: JSON, or YAML by its ending. Default: what `wamplet start` would take.
        file: Option<PathBuf>,
        /// The same file, named as for `wamplet start`.
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        config: Option<PathBuf>,
    },
    /// Turn the permissions of configuration version 1 into those of version 2.
    Upgrade {
        /// The configuration: JSON, or YAML by its ending.
        file: PathBuf,
        /// Write the file, if anything changes, instead of printing it. Not for YAML, which would lose its comments.
        #[arg(long)]
        write: bool,
    },
    /// Print a JSON Schema of the configuration, for editors.
    Schema,
    /// Print a completion script for a shell.
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
struct NodeDirectory {
    /// The folder of config.json or config.yaml, where relative paths in it start. Default `.crossbar`, if there is one.
    #[arg(long, value_name = "DIR", env = "CROSSBAR_DIR", hide_env_values = true)]
    cbdir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Start {
    #[command(flatten)]
    directory: NodeDirectory,
    /// The configuration: JSON, or YAML by its ending. With --cbdir it is looked for in that folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Threads for connections. Default: one less than there are cores, at least one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// At the end, drop WebSocket and long-poll connections instead of saying GOODBYE: Autobahn|JS and wampy come back to the
    /// next router where a connection was lost, and stay away where they were told goodbye.
    #[arg(long)]
    hang_up: bool,
    /// How the log is written.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// What is logged.
    #[arg(long, alias = "loglevel", value_enum, default_value_t)]
    log_level: LogLevel,
}

const AFTER_HELP: &str = "\
Examples:
  wamplet start                          realm1 for everybody on 127.0.0.1:8080
  wamplet start --cbdir /srv/node/.crossbar
  wamplet check config.json              every problem, with its place
  wamplet upgrade --write config.json    version 1 permissions to version 2

Exit codes: 0 all is well, 1 the configuration is not valid, 2 wrong arguments or a file that cannot be read,
3 the router could not start.";

const AFTER_START_HELP: &str = "\
Without --cbdir and --config, and without a folder .crossbar: realm \"realm1\", where everybody is \"anonymous\" and may do
everything, on 127.0.0.1:8080: WebSocket at /ws, RawSocket on the same port, a status page at /.

Signals: SIGTERM and SIGINT say goodbye to all sessions and end the router; SIGHUP reads realms, roles, permissions,
principals, limits, statistics options and TLS certificates anew, and keeps all as it was if a file has a problem or no
realms any more.";

/// Why a command failed, and the exit code that says so.
#[derive(Debug)]
enum Failure {
    /// Exit code 1.
    Config { file: String, error: ConfigError },
    /// Exit code 2.
    Usage(String),
    /// Exit code 3.
    Run(native::RunError),
    /// Exit code 3.
    Output(io::Error),
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let command = Arguments::parse().command;
    let format = match &command {
        Command::Start(start) => start.log_format,
        _ => LogFormat::Human,
    };
    let done = match command {
        Command::Start(start) => run_start(&start),
        Command::Check { file, config, directory } => check(file.or(config), directory.cbdir),
        Command::Upgrade { file, write } => upgrade::run(&file, write),
        Command::Schema => print(&pretty(&config::schema())),
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match format {
                // Nobody is left to tell if this fails, too.
                LogFormat::Human => drop(writeln!(io::stderr(), "{failure}")),
                LogFormat::Json => log::last_words(|| failure.log()),
            }
            failure.exit_code()
        }
    }
}

fn run_start(start: &Start) -> Result<(), Failure> {
    let signals = native::Signals::install().map_err(Failure::Run)?;
    log::init(start.log_format, start.log_level);
    let (config, directory) = (start.config.clone(), start.directory.cbdir.clone());
    let Some((signals, loaded)) = signals.meanwhile(|| load_named(config, directory)) else {
        return Ok(());
    };
    let (source, LoadedNode { node, warnings }) = loaded?;
    match &source {
        Some(source) => tracing::info!("configuration {}", source.file.display()),
        None => tracing::info!("embedded configuration: --config FILE or --cbdir DIR for another one"),
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let threads = start.threads.map_or_else(native::default_threads, usize::from);
    let options = native::Options { source, threads, hang_up: start.hang_up, decider: None };
    native::run_with(signals, &node, &options).map_err(Failure::Run)
}

/// The configuration that the arguments name, and its file, if it has one.
fn load_named(
    config: Option<PathBuf>,
    directory: Option<PathBuf>,
) -> Result<(Option<Source>, LoadedNode), Failure> {
    let source = named(config, directory)?;
    let loaded = match &source {
        Some(source) => load(source)?,
        None => LoadedNode { node: Node::embedded(), warnings: Vec::new() },
    };
    Ok((source, loaded))
}

/// The file that the arguments name. A node without one must not become the open router that is embedded.
fn named(config: Option<PathBuf>, directory: Option<PathBuf>) -> Result<Option<Source>, Failure> {
    Ok(match (config, directory) {
        (Some(folder), None) if folder.is_dir() => Some(config_in(&folder)?.into()),
        (Some(file), None) => Some(file.into()),
        (Some(file), Some(folder)) => Some(Source { file: folder.join(file), directory: Some(folder) }),
        (None, Some(folder)) => Some(config_in(&folder)?.into()),
        (None, None) => {
            let folder = Path::new(".crossbar");
            if is_there(folder) { Some(config_in(folder)?.into()) } else { None }
        }
    })
}

fn check(file: Option<PathBuf>, directory: Option<PathBuf>) -> Result<(), Failure> {
    let source = named(file, directory)?
        .ok_or_else(|| Failure::Usage("there is no .crossbar/config.json here: name a file".into()))?;
    let loaded = load(&source);
    if let Err(Failure::Config { error: ConfigError::Invalid { warnings, .. }, .. }) = &loaded {
        print(&listed(warnings))?;
    }
    let LoadedNode { node, mut warnings } = loaded?;
    warnings.extend(native::missing(&node));
    let mut text = listed(&warnings);
    let realms = match &node.config.realms {
        config::Realms::Any => "any realm".to_owned(),
        config::Realms::Named(realms) => count(realms.len(), "realm"),
    };
    text.push_str(&format!(
        "{} is valid: {realms}, {}, {}, {}, {}\n",
        source.file.display(),
        count(node.listeners.len(), "listener"),
        count(node.components.len(), "component"),
        count(node.guests.len(), "guest"),
        count(warnings.len(), "warning"),
    ));
    print(&text)
}

fn listed(warnings: &[Warning]) -> String {
    warnings.iter().map(|warning| format!("warning: {warning}\n")).collect()
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wamplet", &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn load(source: &Source) -> Result<LoadedNode, Failure> {
    let loaded = Node::from_file(source).and_then(|loaded| {
        // A program of its own has none.
        loaded.node.check_functions(|_| false)?;
        Ok(loaded)
    });
    loaded.map_err(|error| Failure::of(&source.file, error))
}

/// The configuration in a folder, by the names that Crossbar.io looks for. One that is there and cannot be read is found,
/// so that its reader complains of it.
fn config_in(folder: &Path) -> Result<PathBuf, Failure> {
    let names = ["config.json", "config.yaml", "config.yml"];
    names.iter().map(|name| folder.join(name)).find(|file| is_there(file)).ok_or_else(|| {
        let folder = folder.display();
        Failure::Usage(format!("{folder}: expected config.json or config.yaml in it, found neither"))
    })
}

/// Whether the name is taken, be it by what cannot be read.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Output),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn log_problem(file: &str, problem: &Problem) {
    let Problem { path, expected, found, did_you_mean } = problem;
    tracing::error!(file, path, expected, found, did_you_mean = did_you_mean.as_deref(), "{problem}");
}

impl Failure {
    /// Of a file that is no configuration, or cannot be read.
    fn of(file: &Path, error: ConfigError) -> Self {
        match error {
            ConfigError::File { .. } => Self::Usage(format!("cannot read {error}")),
            _ => Self::Config { file: file.display().to_string(), error },
        }
    }

    /// Logs what its text says, a line for each problem of a configuration.
    fn log(&self) {
        match self {
            Self::Config { file, error } => {
                match error {
                    ConfigError::Invalid { problems, more, .. } => {
                        problems.iter().for_each(|problem| log_problem(file, problem));
                        if *more > 0 {
                            tracing::error!(file, "and {more} more");
                        }
                    }
                    ConfigError::Syntax { line, column, .. } => {
                        tracing::error!(file, line, column, "{error}")
                    }
                    ConfigError::File { .. } => tracing::error!(file, "{error}"),
                }
                tracing::error!(file, "{file} is not valid");
            }
            Self::Usage(text) => tracing::error!("{text}"),
            Self::Run(error) => tracing::error!("{error}"),
            Self::Output(error) => tracing::error!("cannot write: {error}"),
        }
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config { .. } => 1,
            Self::Usage(_) => 2,
            Self::Run(_) | Self::Output(_) => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { file, error } => {
                for problem in error.to_string().lines() {
                    writeln!(f, "error: {problem}")?;
                }
                write!(f, "{file} is not valid")
            }
            Self::Usage(text) => write!(f, "error: {text}"),
            Self::Run(error) => write!(f, "error: {error}"),
            Self::Output(error) => write!(f, "error: cannot write: {error}"),
        }
    }
}
