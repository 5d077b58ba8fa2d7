//! A stream whose peer must take what is sent to it.
//!
//! Owns the time that an answer may wait for its receiver: whoever asks for a long file and does not read it would hold a
//! connection and an open file for as long as it likes. What a WebSocket waits for is no business of this.
//!
//! The other way round it has patience: that its peer has sent its last is reported a turn late. hyper drops a request whose
//! sender has gone before it is looked at, and scripts post an event and close.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::native::stream::Stream;

/// A stream on which a write fails with [`io::ErrorKind::TimedOut`] when nothing of it is taken for a while.
#[derive(Debug)]
pub(super) struct Patient {
    stream: Stream,
    patience: Duration,
    /// Made when the first write has to wait: most never do.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether a write waits, and the timer runs.
    is_waiting: bool,
    /// The end of what the peer sends, which is to be reported in the next turn.
    end: Option<io::Result<()>>,
    /// Whether there was one.
    has_ended: bool,
}

impl Patient {
    pub fn new(stream: Stream, patience: Duration) -> Self {
        Self { stream, patience, timer: None, is_waiting: false, end: None, has_ended: false }
    }

    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// What came of a write, unless it has waited for too long.
    fn wait<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.is_waiting = false;
            return written;
        }
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !self.is_waiting {
            timer.as_mut().reset(Instant::now() + patience);
            self.is_waiting = true;
        }
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(end) = self.end.take() {
            return Poll::Ready(end);
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let is_end = read.is_err() || buffer.filled().len() == before && buffer.remaining() > 0;
        if is_end && !self.has_ended {
            self.has_ended = true;
            self.end = Some(read);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wait(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wait(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wait(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.wait(cx, shut_down)
    }
}
