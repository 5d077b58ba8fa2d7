//! The log: where it goes, and in which form.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use wamplet::native::LogWriter;

/// `--log-format`
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// One JSON object a line, also where the start fails.
    Json,
}

/// `--log-level`, or one of those of Crossbar.io.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LogLevel {
    #[value(alias = "none")]
    Off,
    #[value(alias = "critical")]
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Sends the log to standard error.
pub(super) fn init(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries are asked for what goes wrong, and otherwise only by whoever debugs them.
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy("");
    let filter = match format!("wamplet={level}").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let writer = LogWriter::start();
    let log = tracing_subscriber::fmt().with_writer(move || writer).with_env_filter(filter);
    // It would report a line that it cannot write to standard error, and panic where that fails, too.
    let log = log.log_internal_errors(false);
    match format {
        LogFormat::Human => log.with_target(false).with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Writes what is logged meanwhile as JSON, at once and whatever the level: why the process ends is said even where
/// nothing else is.
pub(super) fn last_words(say: impl FnOnce()) {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).log_internal_errors(false);
    tracing::subscriber::with_default(log.json().flatten_event(true).finish(), say);
}
