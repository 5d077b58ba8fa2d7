//! WebSocket connections after their handshake: frames to messages, and messages to frames. [RFC 6455, RFC 7692]
//!
//! Owns what is WAMP's part of it: which messages a subprotocol wants, and the `.batched` subprotocols. The protocol
//! itself is in `frames`, the handshake in `web`.

mod batch;
mod deflate;
mod frames;
mod testee;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use soketto::base::OpCode;

pub(super) use self::batch::Batching;
use self::frames::{Frames, Received, protocol};
pub use self::testee::serve_testee;
use super::connection::{CloseWith, Connection, Failure, Incoming, split};
use super::gate::Gate;
use super::hub::Hub;
use super::outgoing::{Framing, Peer};
use super::stream::{PeerInfo, Stream};
use super::subprotocol::Subprotocol;
use crate::codec::Serializer;
use crate::config::node;
use crate::message::Dict;
use crate::router::Transport;

/// What the handshake agreed on.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub subprotocol: Subprotocol,
    /// permessage-deflate, if the client offered it and the configuration wants it.
    pub deflate: Option<Negotiated>,
    pub config: Arc<node::WebSocket>,
    pub info: PeerInfo,
    /// What authenticators are told beside `info`.
    pub confidential: Dict,
    /// Says how the client authenticates.
    pub gate: Arc<Gate>,
}

/// The parameters of permessage-deflate. [RFC 7692, 7.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    /// 9 to 15.
    pub server_max_window_bits: u8,
    /// 9 to 15.
    pub client_max_window_bits: u8,
    /// Bytes below which a message is sent as it is.
    pub threshold: usize,
}

/// Serves a WebSocket connection, whose handshake is over, in a task of its own. Called within a runtime.
pub fn serve(hub: Arc<Hub>, stream: Stream, accepted: Accepted) {
    let Accepted { subprotocol, deflate, config, info, confidential, gate } = accepted;
    let Subprotocol { serializer, batched } = subprotocol;
    let protocol = subprotocol.to_string();
    let mut details = info.details("websocket");
    details.insert("websocket_protocol".into(), protocol.as_str().into());
    let extensions: Vec<Value> = deflate.iter().map(|_| "permessage-deflate".into()).collect();
    details.insert("websocket_extensions_in_use".into(), extensions.into());
    let transport = Transport {
        kind: "websocket".into(),
        protocol,
        peer: info.peer.clone(),
        serializer,
        channel: info.channel.clone(),
        extra: details,
        confidential,
        ..Transport::default()
    };
    let (half, writer) = split(stream);
    let is_plain = deflate.is_none() && !batched && config.options.auto_fragment_size == 0;
    let framing = if is_plain { Framing::WebSocket } else { Framing::Later };
    let peer = Arc::new(Peer::new(&info.peer, serializer, framing, writer, hub.queue_limits()));
    let key = match hub.open(transport, Some(&gate), Arc::clone(&peer)) {
        Ok(key) => key,
        Err(refused) => {
            hub.reject_handshake(&info.peer, &refused.to_string());
            return;
        }
    };
    let frames = Frames::new(deflate, Arc::clone(&config), hub.message_length());
    let messages = Messages {
        frames,
        serializer,
        batching: batched.then(|| Batching::new(serializer)),
        config,
        received: Received::default(),
    };
    // A task of its own: the one of the handshake is larger than a connection needs.
    tokio::spawn(Connection::new(hub, key, peer, half, messages));
}

/// WAMP messages in a WebSocket.
struct Messages {
    frames: Frames,
    serializer: Serializer,
    /// Where one message holds many.
    batching: Option<Batching>,
    config: Arc<node::WebSocket>,
    received: Received,
}

impl Messages {
    fn opcode(&self) -> OpCode {
        if self.serializer == Serializer::Json { OpCode::Text } else { OpCode::Binary }
    }

    /// A WebSocket message: one WAMP message, or a batch of them.
    fn message(&mut self, opcode: OpCode, data: Bytes, messages: &mut Vec<Bytes>) -> Result<(), Failure> {
        let expected = self.opcode();
        if opcode != expected {
            let expected = if expected == OpCode::Text { "text" } else { "binary" };
            return Err(protocol(1003, format!("this subprotocol wants {expected} messages")));
        }
        if let Some(batching) = &mut self.batching {
            return batching.part(data, messages);
        }
        messages.push(data);
        Ok(())
    }
}

impl Incoming for Messages {
    fn take(
        &mut self,
        bytes: &mut BytesMut,
        limit: usize,
        at_once: usize,
        reply: &dyn Fn(&[u8]),
        messages: &mut Vec<Bytes>,
    ) -> Result<(), Failure> {
        let mut received = std::mem::take(&mut self.received);
        let mut taken = self.frames.take(bytes, limit, at_once, &mut received);
        for (opcode, data) in received.messages.drain(..) {
            if let Err(failure) = self.message(opcode, data, messages) {
                taken = Err(failure);
                break;
            }
        }
        if !received.replies.is_empty() {
            reply(&received.replies);
            received.replies = Vec::new();
        }
        received.messages.shrink_to(KEPT_MESSAGES);
        self.received = received;
        taken
    }

    fn frame(&mut self, messages: &[Bytes], frames: &mut Vec<u8>) {
        let opcode = self.opcode();
        let Some(batching) = self.batching else {
            for message in messages {
                self.frames.put_message(opcode, message, frames);
            }
            return;
        };
        let mut batch = Vec::new();
        for message in messages {
            batching.append(message, &mut batch);
        }
        self.frames.put_message(opcode, &batch, frames);
    }

    fn close_frame(&self, close: CloseWith<'_>) -> Option<Vec<u8>> {
        self.frames.close_frame(close)
    }

    fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    fn silence(&self) -> Option<Duration> {
        Some(self.config.options.auto_ping_interval).filter(|interval| !interval.is_zero())
    }

    fn ping(&mut self) -> Option<(Vec<u8>, Duration)> {
        Some((self.frames.ping(), self.config.options.auto_ping_timeout))
    }

    fn close_timeout(&self) -> Duration {
        self.config.options.close_handshake_timeout
    }
}

/// Messages for which a connection keeps room.
const KEPT_MESSAGES: usize = 64;
