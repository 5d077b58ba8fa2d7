//! RawSocket connections: the handshake, and frames to messages.
//!
//! Owns what happens on a socket; what the octets mean is in [`rawsocket`](crate::rawsocket).

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::connection::{Connection, Failure, Incoming, split};
use super::gate::Gate;
use super::hub::Hub;
use super::outgoing::{Framing, Peer};
use super::stream::{PeerInfo, REFUSAL, Stream};
use super::subprotocol::Subprotocol;
use crate::config::node;
use crate::rawsocket::{FrameHeader, FrameType, HandshakeError, accept, read_handshake};
use crate::router::{Identity, OpenRefused, Transport};

/// How a client comes in.
pub(super) enum Doorway<'a> {
    /// As a child of the router, which knows who it is.
    Known(Identity),
    /// As a stranger.
    Gate(&'a Gate),
}

/// Shakes hands with one RawSocket connection, and serves it in a task of its own.
pub(super) async fn serve(
    hub: Arc<Hub>,
    mut stream: Stream,
    config: &node::RawSocket,
    info: PeerInfo,
    doorway: Doorway<'_>,
) {
    let mut octets = [0; 4];
    let mut length = 0;
    let handshake = hub.unless_ending(async {
        while length < octets.len() {
            match stream.read(&mut octets[length..]).await {
                Ok(0) | Err(_) => return false,
                Ok(more) => length += more,
            }
        }
        true
    });
    match tokio::time::timeout(config.handshake_timeout, handshake).await {
        Ok(Some(true)) => {}
        // Whoever asks no more than whether somebody listens is no reason for a line.
        Ok(Some(false)) if length == 0 => return,
        Ok(Some(false)) => {
            hub.reject_handshake(&info.peer, "the connection ended before its RawSocket handshake");
            return;
        }
        Ok(None) => return,
        Err(_) => {
            hub.reject_handshake(&info.peer, "no RawSocket handshake came in time");
            return;
        }
    }
    let is_child = matches!(doorway, Doorway::Known(_));
    let asked = read_handshake(octets, &config.serializers)
        .map_err(|error| (error.to_string(), error))
        .and_then(|asked| {
            let full = |refused: OpenRefused| (refused.to_string(), HandshakeError::TooManyConnections);
            if is_child { Ok(asked) } else { hub.check_open().map(|()| asked).map_err(full) }
        });
    let asked = match asked {
        Ok(asked) => asked,
        Err((reason, error)) => {
            hub.reject_handshake(&info.peer, &reason);
            if let Some(reply) = error.reply() {
                // The peer may be gone; it is told if it is not.
                let _ = tokio::time::timeout(REFUSAL, stream.end_with(&reply)).await;
            }
            return;
        }
    };
    let (identity, gate) = match doorway {
        Doorway::Known(identity) => (Some(identity), None),
        Doorway::Gate(gate) => (None, Some(gate)),
    };
    let transport = Transport {
        kind: "rawsocket".into(),
        protocol: Subprotocol::from(asked.serializer).to_string(),
        peer: info.peer.clone(),
        serializer: asked.serializer,
        max_message_length: Some(asked.max_length),
        is_unordered: false,
        is_child,
        identity,
        channel: info.channel.clone(),
        extra: info.details("rawsocket"),
        ..Transport::default()
    };
    let (half, writer) = split(stream);
    let peer =
        Arc::new(Peer::new(&info.peer, asked.serializer, Framing::RawSocket, writer, hub.queue_limits()));
    let ours = config.max_message_size.min(hub.message_length());
    peer.send_frame(&accept(crate::rawsocket::Handshake { max_length: ours, ..asked }));
    let key = match hub.open(transport, gate, Arc::clone(&peer)) {
        Ok(key) => key,
        Err(refused) => {
            hub.reject_handshake(&info.peer, &refused.to_string());
            return;
        }
    };
    peer.flush();
    let incoming = Frames { max_message_size: config.max_message_size };
    // A task of its own: the one of the handshake is larger than a connection needs.
    tokio::spawn(Connection::new(hub, key, peer, half, incoming));
}

struct Frames {
    max_message_size: usize,
}

impl Incoming for Frames {
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limit: usize,
        at_once: usize,
        reply: &dyn Fn(&[u8]),
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Failure> {
        let mut end = 0;
        let mut checked = Ok(());
        while end < at_once
            && let Some(octets) = bytes[end..].first_chunk()
        {
            match FrameHeader::decode(*octets) {
                Ok(FrameHeader { length, .. }) if length > self.max_message_size => {
                    let most = self.max_message_size;
                    let text = format!("RawSocket: a frame may have {most} bytes, this one has {length}");
                    checked = Err(Failure::Protocol { code: 1009, text });
                    break;
                }
                Ok(FrameHeader { length, .. }) if length > limit => {
                    checked = Err(Failure::Oversized(length));
                    break;
                }
                Ok(FrameHeader { length, .. }) if bytes.len() - end < FrameHeader::LENGTH + length => break,
                Ok(FrameHeader { length, .. }) => end += FrameHeader::LENGTH + length,
                Err(error) => {
                    checked = Err(Failure::Protocol { code: 1002, text: format!("RawSocket: {error}") });
                    break;
                }
            }
        }
        let mut frames = bytes.split_to(end).freeze();
        let mut pongs = Vec::new();
        while let Some(octets) = frames.first_chunk() {
            let Ok(FrameHeader { frame_type, length }) = FrameHeader::decode(*octets) else { break };
            frames.advance(FrameHeader::LENGTH);
            let body = frames.split_to(length);
            match frame_type {
                FrameType::Message => messages.push(body),
                FrameType::Ping => {
                    let header = FrameHeader { frame_type: FrameType::Pong, length }.encode();
                    pongs.extend_from_slice(&header);
                    pongs.extend_from_slice(&body);
                }
                FrameType::Pong => {}
            }
        }
        if !pongs.is_empty() {
            // Together: each reply is a write, and pings are small.
            reply(&pongs);
        }
        checked
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_pings_of_one_read_are_answered_together_and_in_their_order() {
        let mut bytes = BytesMut::from(&b"\x01\0\0\0\0\0\0\x02[]\x01\0\0\x03abc\x01\0\0\x01"[..]);
        let replies = RefCell::new(Vec::new());
        let reply = |frame: &[u8]| replies.borrow_mut().push(frame.to_vec());
        let mut messages = Vec::new();
        let mut frames = Frames { max_message_size: 512 };
        let taken = frames.take(&mut bytes, 512, usize::MAX, &reply, &mut messages);
        assert!(taken.is_ok());
        assert_eq!(replies.into_inner(), [b"\x02\0\0\0\x02\0\0\x03abc"]);
        assert_eq!((messages, &*bytes), (vec![Bytes::from("[]")], &b"\x01\0\0\x01"[..]));
    }
}
