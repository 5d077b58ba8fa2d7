//! RawSocket: handshake and framing as pure functions. [wamp: advanced/transport_rawsocket]
//!
//! Owns the octets. Reads and writes no socket: that is the native router's part (`native`).

use crate::codec::Serializer;

/// The first octet of every RawSocket connection; no HTTP request and no TLS handshake begins with it.
pub const MAGIC: u8 = 0x7f;

/// The longest message there is: 2^24 bytes.
pub const MAX_LENGTH: usize = 1 << 24;

/// What a client asks for in its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    pub serializer: Serializer,
    /// Bytes of the longest message that the sender of the handshake takes.
    pub max_length: usize,
}

/// Why a handshake is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first octet is not 0x7F. There is no answer to it: the other end speaks something else.
    #[error("expected 0x7F as the first octet, found {0:#04x}")]
    NotRawSocket(u8),
    #[error("the serializer {0} is not served here")]
    SerializerUnsupported(u8),
    #[error("the last two octets are reserved and must be zero")]
    ReservedBits,
    #[error("the router has as many connections as it may have")]
    TooManyConnections,
}

impl HandshakeError {
    /// The four octets to answer before the connection is closed.
    pub fn reply(self) -> Option<[u8; 4]> {
        let code = match self {
            Self::NotRawSocket(_) => return None,
            Self::SerializerUnsupported(_) => 1,
            Self::ReservedBits => 3,
            Self::TooManyConnections => 4,
        };
        Some([MAGIC, code << 4, 0, 0])
    }
}

/// Reads a client's handshake.
pub fn read_handshake(octets: [u8; 4], served: &[Serializer]) -> Result<Handshake, HandshakeError> {
    let [magic, length_and_serializer, reserved @ ..] = octets;
    if magic != MAGIC {
        return Err(HandshakeError::NotRawSocket(magic));
    }
    if reserved != [0, 0] {
        return Err(HandshakeError::ReservedBits);
    }
    let number = length_and_serializer & 0x0f;
    let serializer = served.iter().copied().find(|serializer| number_of(*serializer) == number);
    let serializer = serializer.ok_or(HandshakeError::SerializerUnsupported(number))?;
    Ok(Handshake { serializer, max_length: 1 << (9 + (length_and_serializer >> 4)) })
}

/// The answer to a good handshake. `max_length` is what the router takes: a power of two from 2^9 to 2^24; others are
/// rounded down.
pub fn accept(Handshake { serializer, max_length }: Handshake) -> [u8; 4] {
    let length = max_length.clamp(1 << 9, MAX_LENGTH).ilog2() as u8 - 9;
    [MAGIC, (length << 4) | number_of(serializer), 0, 0]
}

fn number_of(serializer: Serializer) -> u8 {
    match serializer {
        Serializer::Json => 1,
        Serializer::MsgPack => 2,
        Serializer::Cbor => 3,
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    Message,
    Ping,
    Pong,
}

/// The four octets before every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub frame_type: FrameType,
    /// Bytes that follow: at most 2^24.
    pub length: usize,
}

/// Octets that are no frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a frame of type 0, 1 or 2, found the first octet {0:#04x}")]
pub struct FrameError(u8);

impl FrameHeader {
    /// Bytes of a header.
    pub const LENGTH: usize = 4;

    /// Reads a header.
    pub fn decode(octets: [u8; 4]) -> Result<Self, FrameError> {
        let [first, length @ ..] = octets;
        let length = length.into_iter().fold(0, |length, octet| (length << 8) | usize::from(octet));
        // Bit 3 stands for the one length that 24 bits do not hold.
        let length = match (first & 0x08 != 0, length) {
            (false, length) => length,
            (true, 0) => MAX_LENGTH,
            (true, _) => return Err(FrameError(first)),
        };
        let frame_type = match first & 0xf7 {
            0 => FrameType::Message,
            1 => FrameType::Ping,
            2 => FrameType::Pong,
            _ => return Err(FrameError(first)),
        };
        Ok(Self { frame_type, length })
    }

    /// Writes a header; `length` must be at most 2^24.
    pub fn encode(self) -> [u8; 4] {
        let first = match self.frame_type {
            FrameType::Message => 0,
            FrameType::Ping => 1,
            FrameType::Pong => 2,
        };
        let [.., a, b, c] = self.length.to_be_bytes();
        if self.length == MAX_LENGTH { [first | 0x08, 0, 0, 0] } else { [first, a, b, c] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_of_the_specification_are_read_and_written() {
        let handshake = read_handshake([0x7f, 0xf1, 0, 0], &Serializer::ALL).expect("JSON, 16 MiB");
        assert_eq!(handshake, Handshake { serializer: Serializer::Json, max_length: 1 << 24 });
        assert_eq!(accept(handshake), [0x7f, 0xf1, 0, 0]);
        let handshake = read_handshake([0x7f, 0x02, 0, 0], &Serializer::ALL).expect("MessagePack, 512 B");
        assert_eq!(handshake, Handshake { serializer: Serializer::MsgPack, max_length: 512 });
        assert_eq!(accept(Handshake { max_length: 1000, ..handshake }), [0x7f, 0x02, 0, 0]);
    }

    #[test]
    fn a_bad_handshake_gets_the_error_reply_of_the_specification() {
        for (octets, reply) in [
            ([0x7f, 0xf4, 0, 0], Some([0x7f, 0x10, 0, 0])),
            ([0x7f, 0xf0, 0, 0], Some([0x7f, 0x10, 0, 0])),
            ([0x7f, 0xf1, 0, 1], Some([0x7f, 0x30, 0, 0])),
            ([0x7f, 0xf1, 1, 0], Some([0x7f, 0x30, 0, 0])),
            (*b"GET ", None),
        ] {
            let error = read_handshake(octets, &Serializer::ALL).expect_err("a bad handshake");
            assert_eq!(error.reply(), reply, "{octets:x?}");
        }
        let error = read_handshake([0x7f, 0xf3, 0, 0], &[Serializer::Json]).expect_err("CBOR is not served");
        assert_eq!(error, HandshakeError::SerializerUnsupported(3));
    }

    #[test]
    fn headers_of_every_type_and_length_survive_a_round_trip() {
        for frame_type in [FrameType::Message, FrameType::Ping, FrameType::Pong] {
            for length in [0, 1, 255, 256, 65_536, MAX_LENGTH - 1, MAX_LENGTH] {
                let header = FrameHeader { frame_type, length };
                assert_eq!(FrameHeader::decode(header.encode()), Ok(header));
            }
        }
        assert_eq!(FrameHeader { frame_type: FrameType::Message, length: MAX_LENGTH }.encode(), [8, 0, 0, 0]);
    }

    #[test]
    fn reserved_types_and_bits_are_no_frame() {
        for octets in [[3, 0, 0, 0], [7, 0, 0, 1], [0x10, 0, 0, 0], [0x80, 0, 0, 0], [8, 0, 0, 1]] {
            FrameHeader::decode(octets).expect_err("a reserved bit is set");
        }
    }
}
