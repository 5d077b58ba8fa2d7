//! Payloads: the tail of a message, carried and almost never read.
//!
//! Owns the [`Payload`] seam between the two homes of a tail: encoded bytes ([`EncodedPayload`]) and, in the browser
//! build, a JavaScript value. Walking, reading and transcoding bytes is in [`codec`].

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

use crate::codec::{self, Serializer, TranscodeError};
use crate::message::Dict;

/// Args and Kwargs as values: what the router's own procedures read and answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Dict,
}

impl Values {
    /// Positional arguments only.
    pub fn args(args: impl IntoIterator<Item = Value>) -> Self {
        Self { args: args.into_iter().collect(), kwargs: Dict::new() }
    }
}

/// The tail of a message. Cloning is cheap: one publication has many receivers.
pub trait Payload: Clone + Default + fmt::Debug {
    /// How many elements the tail adds to the message array: 0, 1 (Args) or 2 (Args and Kwargs).
    fn elements(&self) -> u8;

    /// Bytes of the tail as its serializer writes it.
    fn encoded_len(&self) -> usize;

    /// Bytes of the message that `head`, in `serializer`, makes with this tail, as a peer gets it that speaks `wire`:
    /// another serializer only where the driver translates at the edge.
    fn message_len(&self, head: &[u8], serializer: Serializer, _wire: Serializer) -> usize {
        head.len() + self.encoded_len() + codec::closing(serializer).len()
    }

    /// The same tail for a receiver that speaks `serializer`; a clone where nothing has to change.
    fn for_serializer(&self, serializer: Serializer) -> Result<Self, TranscodeError>;

    /// [`for_serializer`](Self::for_serializer) of a tail that has one receiver: nothing is cloned.
    fn into_serializer(self, serializer: Serializer) -> Result<Self, TranscodeError> {
        self.for_serializer(serializer)
    }

    /// The same tail for a message that is kept: nothing else stays in memory for its sake.
    fn into_owned(self) -> Self {
        self
    }

    /// About how many bytes of memory the tail takes.
    fn memory_len(&self) -> usize {
        self.encoded_len()
    }

    /// A tail made by the router.
    fn from_values(values: &Values) -> Self {
        let (text, elements) = codec::encode_values(values, Serializer::Json);
        Self::from_json(text, elements)
    }

    /// A tail of so many elements, as JSON.
    fn from_json(text: Vec<u8>, elements: u8) -> Self;

    /// The same tail as JSON, and how many bytes of that are Args.
    fn to_json(&self) -> Result<(Vec<u8>, usize), TranscodeError>;

    /// Reads the tail. Only the router's own procedures, authentication and authorization do.
    fn to_values(&self) -> Result<Values, TranscodeError>;
}

/// A tail as it came from the wire: the encoded elements, back to back, without the brackets of the message.
///
/// In JSON that is `[..args..]` or `[..args..],{..kwargs..}`; in MessagePack and CBOR the one or two items.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncodedPayload {
    pub bytes: Bytes,
    pub elements: u8,
    pub serializer: Serializer,
}

impl Payload for EncodedPayload {
    fn elements(&self) -> u8 {
        self.elements
    }

    fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    fn for_serializer(&self, serializer: Serializer) -> Result<Self, TranscodeError> {
        if self.elements == 0 || serializer == self.serializer {
            return Ok(self.clone());
        }
        let bytes = codec::transcode(&self.bytes, self.elements, self.serializer, serializer)?;
        Ok(Self { bytes: bytes.into(), elements: self.elements, serializer })
    }

    fn into_serializer(self, serializer: Serializer) -> Result<Self, TranscodeError> {
        if self.elements == 0 || serializer == self.serializer {
            return Ok(self);
        }
        self.for_serializer(serializer)
    }

    /// A copy: the bytes are part of a buffer that many frames were read into.
    fn into_owned(self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self }
    }

    fn from_json(text: Vec<u8>, elements: u8) -> Self {
        Self { bytes: text.into(), elements, serializer: Serializer::Json }
    }

    fn to_json(&self) -> Result<(Vec<u8>, usize), TranscodeError> {
        codec::tail_to_json(&self.bytes, self.elements, self.serializer)
    }

    fn to_values(&self) -> Result<Values, TranscodeError> {
        codec::decode_values(&self.bytes, self.elements, self.serializer)
    }
}
