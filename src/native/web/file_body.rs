//! The body of an answer that is a file, or a part of one, compressed or not.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// Reads a file piece by piece, each when the one before was taken.
pub(super) struct FileBody {
    state: State,
    /// Bytes that are still to come; `None` where nobody knows.
    left: Option<u64>,
}

enum State {
    Idle(Box<Reading>),
    Busy(JoinHandle<io::Result<(Box<Reading>, Bytes)>>),
    Ended,
}

/// A file and how far it was read.
struct Reading {
    file: File,
    left: u64,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl FileBody {
    /// `length` bytes from `first` on.
    pub fn new(mut file: File, first: u64, length: u64, compress: bool) -> io::Result<Self> {
        if first > 0 {
            file.seek(SeekFrom::Start(first))?;
        }
        let encoder = compress.then(|| GzEncoder::new(Vec::new(), Compression::new(LEVEL)));
        let left = (!compress).then_some(length);
        let reading = Box::new(Reading { file, left: length, encoder });
        Ok(Self { state: State::Idle(reading), left })
    }
}

impl Reading {
    /// The next piece; an empty one is the end.
    fn read(mut self: Box<Self>) -> io::Result<(Box<Self>, Bytes)> {
        loop {
            if self.left == 0 {
                let last = self.encoder.take().map(GzEncoder::finish).transpose()?;
                return Ok((self, last.unwrap_or_default().into()));
            }
            let mut piece = Vec::new();
            let length = self.left.min(PIECE);
            (&self.file).take(length).read_to_end(&mut piece)?;
            if (piece.len() as u64) < length {
                // It became shorter. What was promised cannot be sent, and the client must not take it for the whole.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left -= length;
            let Some(encoder) = &mut self.encoder else { return Ok((self, piece.into())) };
            encoder.write_all(&piece)?;
            let compressed = std::mem::take(encoder.get_mut());
            if !compressed.is_empty() {
                return Ok((self, compressed.into()));
            }
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let State::Idle(_) = self.state
            && let State::Idle(reading) = std::mem::replace(&mut self.state, State::Ended)
        {
            self.state = State::Busy(spawn_blocking(move || reading.read()));
        }
        let State::Busy(task) = &mut self.state else { return Poll::Ready(None) };
        let read = ready!(Pin::new(task).poll(cx)).unwrap_or_else(|error| Err(error.into()));
        match read {
            Ok((_, piece)) if piece.is_empty() => {
                self.state = State::Ended;
                Poll::Ready(None)
            }
            Ok((reading, piece)) => {
                self.left = self.left.map(|left| left - piece.len() as u64);
                self.state = if self.left == Some(0) { State::Ended } else { State::Idle(reading) };
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Err(error) => {
                self.state = State::Ended;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended) || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Bytes that are read at once.
const PIECE: u64 = 64 << 10;

/// Quick, and hardly longer than what the slower levels come to.
const LEVEL: u32 = 5;
