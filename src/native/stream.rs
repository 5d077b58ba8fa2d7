//! The byte stream of one connection, whatever carries it.
//!
//! Owns the kinds of sockets, and the bytes that were read while finding out what the other end speaks. What is done
//! with them is in `listener` and `connection`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use super::hub::Counted;
use crate::auth::Channel;
use crate::message::{Dict, dict};

/// A connected socket. Bytes that were read ahead come first.
#[derive(Debug)]
pub struct Stream {
    pub(super) read_ahead: Bytes,
    pub(super) socket: Socket,
    /// Counts the connection as long as it is open.
    pub(super) counted: Option<Counted>,
}

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is known of the other end.
#[derive(Clone, Debug, Default)]
pub struct PeerInfo {
    /// `tcp4:127.0.0.1:51234`, `tcp6:[::1]:51234`, `unix`.
    pub peer: String,
    /// Whether the bytes are encrypted.
    pub is_secure: bool,
    /// What its address is, and what TLS says of the connection.
    pub channel: Channel,
}

impl PeerInfo {
    /// The details of a transport that every native one has.
    pub(super) fn details(&self, framing: &str) -> Dict {
        let channel = if self.is_secure { "tls" } else { self.peer.split(':').next().unwrap_or_default() };
        let channel = channel.trim_end_matches(|version: char| version.is_ascii_digit());
        dict([
            ("channel_type", channel.into()),
            ("channel_framing", framing.into()),
            ("is_secure", self.is_secure.into()),
        ])
    }
}

impl Stream {
    fn new(socket: Socket) -> Self {
        Self { read_ahead: Bytes::new(), socket, counted: None }
    }

    /// The same stream, with bytes that were read already in front.
    pub fn with_read_ahead(mut self, read_ahead: Bytes) -> Self {
        self.read_ahead = read_ahead;
        self
    }

    /// Sends the last bytes and the end of the stream, and returns when the other end has closed, too. Callers bound
    /// the time that it has for that.
    pub(super) async fn end_with(mut self, last: &[u8]) -> io::Result<()> {
        self.write_all(last).await?;
        self.shutdown().await?;
        // What still comes is thrown away, so that what was sent last is not lost with it.
        while self.read(&mut [0; 1024]).await? > 0 {}
        Ok(())
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::new(Socket::Tcp(socket))
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Self::new(Socket::Unix(socket))
    }
}

impl From<TlsStream<TcpStream>> for Stream {
    fn from(socket: TlsStream<TcpStream>) -> Self {
        Self::new(Socket::Tls(Box::new(socket)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read_ahead.is_empty() {
            let length = self.read_ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.read_ahead[..length]);
            self.read_ahead.advance(length);
            return Poll::Ready(Ok(()));
        }
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            Socket::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
            Socket::Tls(socket) => Pin::new(socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Tls(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Socket::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Socket::Tls(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

/// Time to tell a connection that it is refused.
pub(super) const REFUSAL: Duration = Duration::from_secs(1);
