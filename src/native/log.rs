//! The way of the log to standard error.
//!
//! Owns the lines that nobody has taken yet, and the thread that writes them: a pipe that is full, a terminal that is held
//! or a disk without room costs the log, and nothing else waits for it. What there is no room for is lost, and the log
//! says how many lines that were as soon as it can. What is logged, and in which form, is not decided here.
//!
//! Why not `tracing-appender`: at the end it prints to standard output where its queue is full, which is for ever if that is
//! the same pipe, and it bounds lines and not bytes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::panic;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::warn;

/// Writes to the log of the process, a line for each `write`: an end of a line within it is written as `\x0a`, since what
/// peers say may be a part of it. Never waits and never fails; a line is lost where 1 MiB waits already.
#[derive(Clone, Copy, Debug)]
pub struct LogWriter(());

#[derive(Debug)]
struct Lines {
    waiting: VecDeque<Box<[u8]>>,
    /// Bytes of those that wait.
    length: usize,
    lost: u64,
    /// The thread has one in its hands.
    is_writing: bool,
}

static LINES: Mutex<Lines> =
    Mutex::new(Lines { waiting: VecDeque::new(), length: 0, lost: 0, is_writing: false });
static COME: Condvar = Condvar::new();
static GONE: Condvar = Condvar::new();

impl LogWriter {
    /// Starts the thread that writes. For a program to call once.
    pub fn start() -> Self {
        // A system that has no thread for this has none for connections either: the router does not start.
        let _ = thread::Builder::new().name("log".into()).spawn(write_lines);
        let report = panic::take_hook();
        // A panic ends the process (see `panic = "abort"`); what was logged before it says most of why.
        panic::set_hook(Box::new(move |reason| {
            flush();
            report(reason);
        }));
        Self(())
    }
}

impl Write for LogWriter {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let line = one_line(written);
        let mut lines = lock();
        if lines.length + line.len() > MAX_WAITING {
            lines.lost += 1;
        } else {
            lines.length += line.len();
            // Whoever writes one looks for the next.
            let is_asleep = !lines.is_writing && lines.waiting.is_empty();
            lines.waiting.push_back(line.into_owned().into());
            drop(lines);
            if is_asleep {
                COME.notify_one();
            }
        }
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line without what would end it before its end. Other control characters are escaped by whoever formats it.
fn one_line(line: &[u8]) -> Cow<'_, [u8]> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if !text.iter().any(is_end) {
        return line.into();
    }
    let mut escaped = Vec::with_capacity(line.len() + 16);
    for byte in text {
        match byte {
            b'\n' => escaped.extend_from_slice(b"\\x0a"),
            b'\r' => escaped.extend_from_slice(b"\\x0d"),
            byte => escaped.push(*byte),
        }
    }
    escaped.extend_from_slice(&line[text.len()..]);
    escaped.into()
}

/// Waits until all is written that was logged: at most [`LAST_LINES`]. For whoever ends the process.
pub(super) fn flush() {
    let has_more = |lines: &mut Lines| lines.is_writing || !lines.waiting.is_empty();
    drop(GONE.wait_timeout_while(lock(), LAST_LINES, has_more));
}

fn write_lines() {
    loop {
        let line = next_line();
        let is_written = io::stderr().write_all(&line).is_ok();
        let mut lines = lock();
        if !is_written {
            lines.lost += 1;
        } else if lines.lost > 0 && lines.length <= MAX_WAITING / 2 {
            // There is room for the line that says so.
            let lost = std::mem::take(&mut lines.lost);
            drop(lines);
            warn!("{lost} lines of the log are lost: they could not be written");
            lines = lock();
        }
        lines.is_writing = false;
        if lines.waiting.is_empty() {
            GONE.notify_all();
        }
    }
}

fn next_line() -> Box<[u8]> {
    let mut lines = lock();
    loop {
        if let Some(line) = lines.waiting.pop_front() {
            lines.length -= line.len();
            lines.is_writing = true;
            return line;
        }
        lines = COME.wait(lines).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock() -> MutexGuard<'static, Lines> {
    super::lock(&LINES)
}

/// Bytes of the log that may wait for whoever reads it.
const MAX_WAITING: usize = 1_048_576;

/// Time for the last lines, where nobody may be reading them.
const LAST_LINES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_it_was_to_end_and_nowhere_else() {
        for (line, written) in [
            ("as it is\n", "as it is\n"),
            ("no end", "no end"),
            ("a\nb\n", "a\\x0ab\n"),
            ("back\rto its beginning\n", "back\\x0dto its beginning\n"),
        ] {
            assert_eq!(one_line(line.as_bytes()), written.as_bytes());
        }
    }
}
