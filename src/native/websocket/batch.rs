//! The `.batched` subprotocols: many WAMP messages in one message of the transport.
//!
//! MessagePack and CBOR messages have their length before them, as 32 bits. Behind JSON messages stands a separator: U+001E,
//! says the specification; Autobahn|Python writes U+0018. Neither can stand in JSON as it is, so both are read, and a
//! client is answered with its own.

use bytes::{Buf, Bytes};

use super::frames::protocol;
use crate::codec::Serializer;
use crate::native::connection::Failure;

/// How one client batches.
#[derive(Clone, Copy, Debug)]
pub(in crate::native) struct Batching {
    serializer: Serializer,
    separator: u8,
}

impl Batching {
    pub fn new(serializer: Serializer) -> Self {
        Self { serializer, separator: SEPARATORS[0] }
    }

    /// Appends a message to a batch.
    pub fn append(self, message: &[u8], batch: &mut Vec<u8>) {
        if self.serializer == Serializer::Json {
            batch.extend_from_slice(message);
            batch.push(self.separator);
        } else {
            let length = u32::try_from(message.len()).expect("a message is far shorter than 4 GiB");
            batch.extend_from_slice(&length.to_be_bytes());
            batch.extend_from_slice(message);
        }
    }

    /// Parts a batch into its messages.
    pub fn part(&mut self, mut data: Bytes, messages: &mut Vec<Bytes>) -> Result<(), Failure> {
        if data.is_empty() {
            return Err(protocol(1002, "a batch holds no message"));
        }
        for _ in 0..MAX_MESSAGES {
            if data.is_empty() {
                return Ok(());
            }
            let message = match self.serializer {
                Serializer::Json => self.json(&mut data),
                Serializer::MsgPack | Serializer::Cbor => measured(&mut data)?,
            };
            messages.push(message);
        }
        match data.is_empty() {
            true => Ok(()),
            false => Err(protocol(1009, format!("a batch holds more than {MAX_MESSAGES} messages"))),
        }
    }

    fn json(&mut self, data: &mut Bytes) -> Bytes {
        let Some(end) = data.iter().position(|byte| SEPARATORS.contains(byte)) else {
            return data.split_off(0);
        };
        self.separator = data[end];
        let message = data.split_to(end);
        data.advance(1);
        message
    }
}

fn measured(data: &mut Bytes) -> Result<Bytes, Failure> {
    let length = data.first_chunk().map(|length| u32::from_be_bytes(*length) as usize);
    match length {
        Some(length) if data.len() - LENGTH >= length => {
            data.advance(LENGTH);
            Ok(data.split_to(length))
        }
        _ => Err(protocol(1002, "a batch ends within a message")),
    }
}

/// The specification's, and Autobahn|Python's.
const SEPARATORS: [u8; 2] = [0x1e, 0x18];

/// Bytes of a length.
const LENGTH: usize = 4;

/// Messages of one batch: a batch of the smallest ones would otherwise take far more memory than its bytes.
const MAX_MESSAGES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(batching: &mut Batching, data: &[u8]) -> Result<Vec<Bytes>, String> {
        let mut messages = Vec::new();
        let parted = batching.part(Bytes::copy_from_slice(data), &mut messages);
        parted.map(|()| messages).map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_is_batched_is_parted_into_the_same_messages() {
        for serializer in Serializer::ALL {
            let mut batching = Batching::new(serializer);
            let mut batch = Vec::new();
            for message in [&b"[1]"[..], b"[2,3]", b"[]"] {
                batching.append(message, &mut batch);
            }
            assert_eq!(parted(&mut batching, &batch), Ok(vec!["[1]".into(), "[2,3]".into(), "[]".into()]));
        }
    }

    #[test]
    fn a_client_is_answered_with_its_own_separator() {
        let mut batching = Batching::new(Serializer::Json);
        assert_eq!(parted(&mut batching, b"[1]\x18[2]\x18"), Ok(vec!["[1]".into(), "[2]".into()]));
        let mut batch = Vec::new();
        batching.append(b"[3]", &mut batch);
        assert_eq!(batch, b"[3]\x18");
    }

    #[test]
    fn a_batch_that_is_none_or_too_many_is_refused() {
        let mut json = Batching::new(Serializer::Json);
        assert_eq!(parted(&mut json, b""), Err("a batch holds no message".into()));
        let many = b"[]\x1e".repeat(MAX_MESSAGES);
        assert_eq!(parted(&mut json, &many).map(|messages| messages.len()), Ok(MAX_MESSAGES));
        let more = [&many[..], b"[]"].concat();
        assert_eq!(parted(&mut json, &more), Err("a batch holds more than 16384 messages".into()));
        let mut cbor = Batching::new(Serializer::Cbor);
        for broken in [&b"\0"[..], b"\0\0\0\x02x", b"\xff\xff\xff\xffx"] {
            assert_eq!(parted(&mut cbor, broken), Err("a batch ends within a message".into()));
        }
    }
}
