//! What a process prints, on its way to the log: line by line, escaped, and no more of it than a log can take.

use std::borrow::Cow;
use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::{self, Instant};

use super::turn::Held;

/// Bytes of a line of output; longer lines are logged in pieces.
const LINE_LENGTH: usize = 8 << 10;
/// Lines of one stream that are logged in each [`WINDOW`]; the others are counted and dropped.
const MAX_LINES: u32 = 1_000;
/// In which lines are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines after which others have their turn: there is one thread for all.
const TURN: u32 = 32;
/// Pause before more is read of a stream whose lines are dropped. It leaves the processor to the router, and lets no
/// process print much more than 1 MiB a second.
const PAUSE: Duration = Duration::from_millis(5);

/// The last word of a process, as soon as it has been said.
pub(super) type Report = Arc<Mutex<Option<String>>>;

/// Where the launcher tells the router what is not for the log.
pub(super) struct ToRouter {
    /// A line begins with it. Where nothing follows, the component is ready; otherwise the process ends, and why.
    pub marker: String,
    pub held: Option<Held>,
    pub report: Report,
}

/// One stream of output of a process.
pub(super) struct Output {
    pub component: String,
    pub stream: &'static str,
    pub pid: u32,
}

impl Output {
    /// Logs every line, as far as there are not too many. One that begins with the marker is for the router.
    pub(super) async fn log<R: AsyncRead + Unpin>(self, stream: R, mut to_router: Option<ToRouter>) {
        let mut lines = Lines { stream: BufReader::new(stream), line: Vec::new() };
        let mut quota = Quota::new();
        let mut turn = 0;
        loop {
            turn += 1;
            if lines.stream.buffer().is_empty() && quota.dropped > 0 {
                time::sleep(PAUSE).await;
            } else if lines.stream.buffer().is_empty() || turn % TURN == 0 {
                tokio::task::yield_now().await;
            }
            let next = match quota.dropped {
                0 => lines.next().await,
                // Whoever falls silent after too much is told of in time, too.
                _ => match time::timeout_at(quota.end, lines.next()).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.account(quota.renew());
                        continue;
                    }
                },
            };
            let Ok(Some(line)) = next else { break };
            let line = line.trim_ascii_end();
            if let Some(ToRouter { marker, held, report }) = &mut to_router
                && let Some(text) = line.strip_prefix(marker.as_bytes())
            {
                if text.is_empty() {
                    *held = None;
                } else if let Ok(mut report) = report.lock() {
                    *report = Some(String::from_utf8_lossy(text).trim_start().to_owned());
                }
            } else if !line.is_empty() {
                if quota.is_over() {
                    self.account(quota.renew());
                }
                if quota.takes() {
                    self.line(&escaped(&String::from_utf8_lossy(line)));
                }
            }
        }
        self.account(quota.dropped);
    }

    fn line(&self, line: &str) {
        let Self { component, stream, pid } = self;
        match *stream {
            "stdout" => tracing::info!(target: "wamplet::components", component, stream, pid, "{line}"),
            _ => tracing::warn!(target: "wamplet::components", component, stream, pid, "{line}"),
        }
    }

    /// Says how many lines were dropped.
    fn account(&self, dropped: u64) {
        let Self { component, stream, pid } = self;
        if dropped > 0 {
            tracing::warn!(
                target: "wamplet::components",
                component,
                pid,
                "{dropped} lines of {stream} dropped: no more than {MAX_LINES} a second are logged",
            );
        }
    }
}

/// How much of a stream may be logged.
struct Quota {
    /// Of the window.
    end: Instant,
    left: u32,
    dropped: u64,
}

impl Quota {
    fn new() -> Self {
        Self { end: Instant::now() + WINDOW, left: MAX_LINES, dropped: 0 }
    }

    fn is_over(&self) -> bool {
        // The clock is asked where the answer matters only.
        self.left == 0 && Instant::now() >= self.end
    }

    /// Begins the next window; answers how many lines were dropped in this one.
    fn renew(&mut self) -> u64 {
        std::mem::replace(self, Self::new()).dropped
    }

    /// Whether one more line is logged.
    fn takes(&mut self) -> bool {
        let is_taken = self.left > 0;
        if is_taken {
            self.left -= 1;
        } else {
            self.dropped += 1;
        }
        is_taken
    }
}

/// The line with its control characters as `\x0d`: what a terminal would obey, and what ends a text elsewhere.
fn escaped(line: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() && c != '\t';
    if !line.contains(is_control) {
        return line.into();
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if is_control(c) {
            // Writing into a String does not fail.
            let _ = write!(escaped, "\\x{:02x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// Lines of bounded length.
struct Lines<R> {
    stream: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line, or the next piece of a long one.
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let read = self.stream.fill_buf().await?;
            if read.is_empty() {
                let rest = std::mem::take(&mut self.line);
                return Ok((!rest.is_empty()).then_some(rest));
            }
            let window = &read[..read.len().min(LINE_LENGTH - self.line.len())];
            let newline = window.iter().position(|byte| *byte == b'\n');
            let length = newline.unwrap_or(window.len());
            self.line.extend_from_slice(&window[..length]);
            self.stream.consume(newline.map_or(length, |newline| newline + 1));
            if newline.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
            if self.line.len() == LINE_LENGTH {
                let rest = self.line.split_off(end_of_characters(&self.line));
                return Ok(Some(std::mem::replace(&mut self.line, rest)));
            }
        }
    }
}

/// Where the last character of UTF-8 that may be incomplete begins: not more than three bytes before the end.
fn end_of_characters(line: &[u8]) -> usize {
    let begin = line.len().saturating_sub(3);
    let is_first = |byte: &u8| *byte >= 0xC0;
    line[begin..].iter().rposition(is_first).map_or(line.len(), |position| begin + position)
}
