//! The WebSocket protocol between bytes and messages, without a socket. [RFC 6455, RFC 7692]
//!
//! Owns headers (soketto's codec reads them), masks, messages in fragments, control frames, closes, and when to compress.
//! What a message means is in [`websocket`](super).

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use soketto::Parsing;
use soketto::base::{Codec, OpCode};

use super::Negotiated;
use super::deflate::{Deflater, Inflater};
use crate::codec;
use crate::config::node;
use crate::native::connection::{CloseWith, Failure};
use crate::native::outgoing::put_websocket_header;
use crate::router::Close;

/// What came.
#[derive(Default)]
pub(super) struct Received {
    /// Text or binary, and the message.
    pub messages: Vec<(OpCode, Bytes)>,
    /// Frames to answer: pongs.
    pub replies: Vec<u8>,
}

/// Both directions of one WebSocket.
pub(super) struct Frames {
    codec: Codec,
    config: Arc<node::WebSocket>,
    /// Bytes of the longest message, decompressed.
    max_message_size: usize,
    /// The frames of this turn that are whole; kept for its memory while there is anything to do.
    whole: Vec<Whole>,
    /// A message of which the last frame has not come.
    assembling: Option<Assembling>,
    deflate: Option<Negotiated>,
    /// Made when they are needed first: they take a third of a mebibyte, which a handshake alone must not.
    deflater: Option<Box<Deflater>>,
    inflater: Option<Box<Inflater>>,
    /// The code with which the peer closed.
    closed: Option<u16>,
    pings: u32,
}

/// A whole frame, unmasked in its place.
struct Whole {
    opcode: OpCode,
    is_last: bool,
    is_compressed: bool,
    header: usize,
    length: usize,
}

struct Assembling {
    opcode: OpCode,
    is_compressed: bool,
    data: Vec<u8>,
    /// How much of the text was seen to be UTF-8.
    valid: usize,
}

impl Frames {
    /// `message_length`: bytes of the longest message, whatever the options say.
    pub fn new(deflate: Option<Negotiated>, config: Arc<node::WebSocket>, message_length: usize) -> Self {
        let mut codec = Codec::new();
        // The limits are this type's own: they name what is too long.
        codec.set_max_data_size(usize::MAX >> 1);
        if deflate.is_some() {
            codec.add_reserved_bits((true, false, false));
        }
        let max_message_size = match config.options.max_message_size {
            0 => message_length,
            size => size.min(message_length),
        };
        Self {
            codec,
            config,
            max_message_size,
            whole: Vec::new(),
            assembling: None,
            deflate,
            deflater: None,
            inflater: None,
            closed: None,
            pings: 0,
        }
    }

    /// Takes whole frames off the front of `bytes`, a bounded number of them, of which none begins behind `at_once` bytes;
    /// messages may have `limit` bytes each. What comes after a close is not looked at.
    pub fn take(
        &mut self,
        bytes: &mut BytesMut,
        limit: usize,
        at_once: usize,
        received: &mut Received,
    ) -> Result<(), Failure> {
        let (end, found) = self.find_whole(bytes, limit, at_once);
        let mut rest = bytes.split_to(end).freeze();
        let mut whole = std::mem::take(&mut self.whole);
        let mut handled = Ok(());
        for frame in whole.drain(..) {
            rest.advance(frame.header);
            let data = rest.split_to(frame.length);
            handled = self.handle_frame(&frame, data, limit, received);
            if handled.is_err() || self.closed.is_some() {
                break;
            }
        }
        whole.shrink_to(KEPT_FRAMES);
        self.whole = whole;
        handled.and(if self.closed.is_some() { Ok(()) } else { found })
    }

    /// Finds the whole frames at the front, unmasks them, and answers where they end.
    fn find_whole(&mut self, bytes: &mut [u8], limit: usize, at_once: usize) -> (usize, Result<(), Failure>) {
        let options = &self.config.options;
        let at_once = if self.deflate.is_some() { at_once.min(INFLATED_AT_ONCE) } else { at_once };
        let mut end = 0;
        while end < at_once && self.whole.len() < FRAMES_AT_ONCE {
            let header = match self.codec.decode_header(&bytes[end..]) {
                Ok(Parsing::Done { value, offset }) => (value, offset),
                Ok(Parsing::NeedMore(_)) => return (end, Ok(())),
                Err(error) => return (end, Err(protocol(1002, error.to_string()))),
            };
            let (header, offset) = header;
            let length = header.payload_len();
            if options.require_masked_client_frames && !header.is_masked() {
                return (end, Err(protocol(1002, "a client must mask its frames")));
            }
            let mut most = self.max_message_size.min(limit);
            // The limit is that of a message which is decompressed: see `append`. A fragment may be compressed as well.
            if self.deflate.is_some() && (header.is_rsv1() || header.opcode() == OpCode::Continue) {
                most = longest_deflated(most);
            }
            let most_in_frame = if options.max_frame_size == 0 { most } else { options.max_frame_size };
            if length > most.min(most_in_frame) {
                let failure = if most_in_frame < most && length > most_in_frame {
                    let text = format!("a frame may have {most_in_frame} bytes, this one has {length}");
                    protocol(1009, text)
                } else {
                    self.too_long(length, limit)
                };
                return (end, Err(failure));
            }
            let start = end + offset;
            if bytes.len() - start < length {
                return (end, Ok(()));
            }
            if header.is_masked() {
                unmask(&mut bytes[start..start + length], header.mask());
            }
            self.whole.push(Whole {
                opcode: header.opcode(),
                is_last: header.is_fin(),
                is_compressed: header.is_rsv1(),
                header: offset,
                length,
            });
            end = start + length;
        }
        (end, Ok(()))
    }

    fn handle_frame(
        &mut self,
        frame: &Whole,
        data: Bytes,
        limit: usize,
        received: &mut Received,
    ) -> Result<(), Failure> {
        if frame.is_compressed && !matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
            return Err(protocol(1002, "only the first frame of a message may say that it is compressed"));
        }
        match frame.opcode {
            OpCode::Text | OpCode::Binary if self.assembling.is_some() => {
                Err(protocol(1002, "a new message began before the last one ended"))
            }
            OpCode::Text | OpCode::Binary if frame.is_last && !frame.is_compressed => {
                self.check_text(frame.opcode, &data)?;
                received.messages.push((frame.opcode, data));
                Ok(())
            }
            opcode @ (OpCode::Text | OpCode::Binary) => {
                let is_compressed = frame.is_compressed;
                self.assembling = Some(Assembling { opcode, is_compressed, data: Vec::new(), valid: 0 });
                self.append(data, frame.is_last, limit, received)
            }
            OpCode::Continue => self.append(data, frame.is_last, limit, received),
            OpCode::Ping => {
                put_websocket_header(&mut received.replies, 0x8a, data.len());
                received.replies.extend_from_slice(&data);
                Ok(())
            }
            OpCode::Pong => Ok(()),
            OpCode::Close => {
                self.closed = Some(read_close(&data)?);
                Ok(())
            }
            _ => Err(protocol(1002, "a frame has a reserved opcode")),
        }
    }

    /// Appends to the message that is being assembled.
    fn append(
        &mut self,
        data: Bytes,
        is_last: bool,
        limit: usize,
        received: &mut Received,
    ) -> Result<(), Failure> {
        let Some(mut message) = self.assembling.take() else {
            return Err(protocol(1002, "a message began with a continuation"));
        };
        let most = self.max_message_size.min(limit);
        match self.deflate {
            Some(agreed) if message.is_compressed => {
                let inflater = self.inflater.get_or_insert_with(|| Box::new(Inflater::new(agreed)));
                inflater.append(&data, is_last, most, &mut message.data).map_err(
                    |failure| match failure {
                        Failure::Oversized(length) => self.too_long(length, limit),
                        failure => failure,
                    },
                )?;
            }
            _ if message.data.len() + data.len() > most => {
                return Err(self.too_long(message.data.len() + data.len(), limit));
            }
            _ => message.data.extend_from_slice(&data),
        }
        if message.opcode == OpCode::Text && self.config.options.validate_utf8 {
            // A character may be cut in two by the end of a frame, not by the end of the message.
            match std::str::from_utf8(&message.data[message.valid..]) {
                Ok(_) => message.valid = message.data.len(),
                Err(error) if error.error_len().is_none() && !is_last => message.valid += error.valid_up_to(),
                Err(_) => return Err(protocol(1007, NOT_UTF8)),
            }
        }
        if !is_last {
            self.assembling = Some(message);
            return Ok(());
        }
        received.messages.push((message.opcode, message.data.into()));
        Ok(())
    }

    /// The router answers for its own limit; one of the options is the framing's.
    fn too_long(&self, length: usize, limit: usize) -> Failure {
        match self.max_message_size {
            most if most < limit => {
                protocol(1009, format!("a message may have {most} bytes, this one has {length}"))
            }
            _ => Failure::Oversized(length),
        }
    }

    fn check_text(&self, opcode: OpCode, data: &[u8]) -> Result<(), Failure> {
        if opcode == OpCode::Text && self.config.options.validate_utf8 && codec::utf8(data).is_none() {
            return Err(protocol(1007, NOT_UTF8));
        }
        Ok(())
    }

    /// Appends one message to `bytes`: compressed if it pays, cut into frames if that is wanted.
    pub fn put_message(&mut self, opcode: OpCode, message: &[u8], bytes: &mut Vec<u8>) {
        let opcode = u8::from(opcode);
        let compressed = match self.deflate {
            Some(agreed) if message.len() >= agreed.threshold => {
                let deflater = self.deflater.get_or_insert_with(|| Box::new(Deflater::new(agreed)));
                Some(deflater.compress(message))
            }
            _ => None,
        };
        let rsv1 = if compressed.is_some() { 0x40 } else { 0 };
        let data = compressed.as_deref().unwrap_or(message);
        let most = match self.config.options.auto_fragment_size {
            0 => usize::MAX,
            size => size,
        };
        let mut first = opcode | rsv1;
        let mut rest = data;
        loop {
            let (part, next) = rest.split_at(rest.len().min(most));
            let fin = if next.is_empty() { 0x80 } else { 0 };
            put_websocket_header(bytes, first | fin, part.len());
            bytes.extend_from_slice(part);
            (first, rest) = (0, next);
            if rest.is_empty() {
                return;
            }
        }
    }

    /// The close, or the answer to the peer's.
    pub fn close_frame(&self, close: CloseWith<'_>) -> Option<Vec<u8>> {
        let (code, reason) = match (self.closed, close) {
            // [RFC 6455, 5.5.1] the answer to a close is its echo. To one without a code it is that of an orderly end, as in
            // Crossbar.io: in Node, Autobahn|JS sends none, and takes an answer with another code or none for a loss.
            (Some(NO_CODE), _) => (1000, ""),
            (Some(code), _) => (code, ""),
            (None, CloseWith::Router(close)) => close_code(close)?,
            (None, _) if self.config.options.fail_by_drop => return None,
            (None, CloseWith::Failure(Failure::Protocol { code, text })) => (*code, text.as_str()),
            (None, CloseWith::Failure(Failure::Oversized(_))) => (1009, "the message is too long"),
            (None, CloseWith::Overflow) => return None,
        };
        let reason = &reason.as_bytes()[..reason.len().min(MAX_REASON)];
        let mut frame = Vec::with_capacity(4 + reason.len());
        put_websocket_header(&mut frame, 0x88, 2 + reason.len());
        frame.extend_from_slice(&code.to_be_bytes());
        frame.extend_from_slice(reason);
        Some(frame)
    }

    /// Whether the peer has closed.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// A ping, each with another number.
    pub fn ping(&mut self) -> Vec<u8> {
        self.pings = self.pings.wrapping_add(1);
        let size = self.config.options.auto_ping_size.clamp(4, 125);
        let mut frame = Vec::with_capacity(2 + size);
        put_websocket_header(&mut frame, 0x89, size);
        frame.extend_from_slice(&self.pings.to_be_bytes());
        frame.resize(2 + size, 0);
        frame
    }
}

/// The code of a close frame, checked. [RFC 6455, 7.4]
fn read_close(data: &[u8]) -> Result<u16, Failure> {
    let Some((code, reason)) = data.split_first_chunk() else {
        return match data {
            [] => Ok(NO_CODE),
            _ => Err(protocol(1002, "a close frame has one byte")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(protocol(1002, format!("{code} is no close code that may be sent")));
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(code),
        Err(_) => Err(protocol(1007, "the reason of a close is no UTF-8")),
    }
}

/// What the router's close becomes, if anything is said of it. [RFC 6455, 7.4.1]
fn close_code(close: Close) -> Option<(u16, &'static str)> {
    match close {
        Close::Normal => Some((1000, "")),
        Close::ProtocolViolation => Some((1002, "protocol violation")),
        Close::Timeout => Some((1008, "timeout")),
        Close::Lost => None,
    }
}

/// Takes the mask off. Lengths that are known become vector instructions.
fn unmask(data: &mut [u8], mask: u32) {
    let mask = mask.to_be_bytes();
    let (blocks, rest) = data.as_chunks_mut::<64>();
    for block in blocks {
        unmask_words(block.as_chunks_mut().0, mask);
    }
    let (words, rest) = rest.as_chunks_mut();
    unmask_words(words, mask);
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[inline(always)]
fn unmask_words(words: &mut [[u8; 4]], mask: [u8; 4]) {
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
}

/// The most bytes that zlib makes of a message of `length` bytes, whatever its settings: codes of nine bits for eight,
/// and the headers of blocks.
fn longest_deflated(length: usize) -> usize {
    length.saturating_add(length / 8 + length / 128 + 16)
}

pub(super) fn protocol(code: u16, text: impl Into<String>) -> Failure {
    Failure::Protocol { code, text: text.into() }
}

const NOT_UTF8: &str = "a text message is no UTF-8";

/// What stands for a close without a code; it is never sent. [RFC 6455, 7.1.5]
const NO_CODE: u16 = 1005;

/// Frames that are looked at before their messages are handled.
const FRAMES_AT_ONCE: usize = 1_024;

/// Frames for which a connection keeps room.
const KEPT_FRAMES: usize = 64;

/// Compressed bytes of which this is true: they may become a thousand times as many.
const INFLATED_AT_ONCE: usize = 4 << 10;

/// Bytes of a close reason: a control frame has 125, two of them are the code.
const MAX_REASON: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_loses_its_octet_of_the_mask_whatever_the_length() {
        for length in 0..300 {
            let plain: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
            let octets = [0x12, 0x34, 0xab, 0xcd].into_iter().cycle();
            let mut data: Vec<u8> = plain.iter().zip(octets).map(|(byte, octet)| byte ^ octet).collect();
            unmask(&mut data, 0x1234_abcd);
            assert_eq!(data, plain);
        }
    }
}
