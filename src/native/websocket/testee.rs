//! A WebSocket that sends every message back, for protocol test suites: no WAMP, the same stack and options.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frames::{Frames, Received};
use super::{Accepted, Stream};
use crate::native::connection::CloseWith;
use crate::router::Close;

/// Serves an echo from the end of the handshake to the end of the connection. Messages may have `message_length` bytes.
pub async fn serve_testee(mut stream: Stream, accepted: Accepted, message_length: usize) {
    let mut frames = Frames::new(accepted.deflate, Arc::clone(&accepted.config), message_length);
    let mut received = Received::default();
    let mut bytes = BytesMut::new();
    loop {
        let length = bytes.len();
        let taken = frames.take(&mut bytes, message_length, usize::MAX, &mut received);
        let mut output = std::mem::take(&mut received.replies);
        for (opcode, message) in received.messages.drain(..) {
            frames.put_message(opcode, &message, &mut output);
        }
        let close = match &taken {
            Err(failure) => frames.close_frame(CloseWith::Failure(failure)),
            Ok(()) if frames.is_closed() => frames.close_frame(CloseWith::Router(Close::Normal)),
            Ok(()) => None,
        };
        output.extend(close.iter().flatten());
        if stream.write_all(&output).await.is_err() || close.is_some() || taken.is_err() {
            break;
        }
        if bytes.len() < length {
            continue;
        }
        // An idle or dead peer is the test suite's affair: it is what connects here.
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    }
    // The client may be gone already.
    let _ = tokio::time::timeout(accepted.config.options.close_handshake_timeout, stream.end_with(&[])).await;
}
