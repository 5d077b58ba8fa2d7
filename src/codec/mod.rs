//! Codecs: frames to messages and messages to frames, in JSON, MessagePack and CBOR.
//!
//! Owns the bytes: heads are decoded, tails are walked once to prove that they are well-formed and are then carried as
//! they came. What a message means is the business of [`router`](crate::router).
//!
//! | File | Holds |
//! |---|---|
//! | `reader` | the token vocabulary, the reader trait, the walk, what is wrong and where |
//! | `json`, `msgpack`, `cbor` | one reader each |
//! | `decode`, `options`, `keys` | the grammar of incoming messages, once for all three |
//! | `quick` | the quick way through what is plainly well-formed; not in the browser's build |
//! | `encode`, `writer` | the grammar of outgoing messages and the bytes of heads |
//! | `values`, `transcode` | the cold paths: tails as values, tails in another serializer |

use crate::message::Message;
use crate::payload::{Payload, Values};

mod cbor;
mod decode;
mod encode;
#[cfg(not(all(target_family = "wasm", feature = "wasm")))]
mod from_router;
mod json;
mod keys;
mod msgpack;
mod number;
mod options;
#[cfg(not(target_family = "wasm"))]
mod quick;
mod reader;
mod transcode;
mod values;
mod writer;

use cbor::CborReader;
use decode::Part;
use json::JsonReader;
use msgpack::MsgPackReader;
#[cfg(not(target_family = "wasm"))]
use quick::{CborScan, JsonScan, MsgPackScan};
#[cfg(not(target_family = "wasm"))]
pub(crate) use quick::{Layouts, utf8};
use reader::{Fault, Reader, Step};

/// In the browser's build tails are always walked.
#[cfg(target_family = "wasm")]
#[derive(Debug, Default)]
pub(crate) struct Layouts;

pub use values::value_as_id;
pub(crate) use values::value_kind;

/// The serializers of the WAMP subprotocols `wamp.2.json`, `wamp.2.msgpack` and `wamp.2.cbor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serializer {
    /// Text. The default.
    #[default]
    Json,
    MsgPack,
    Cbor,
}

impl Serializer {
    /// All of them, in the order above.
    pub const ALL: [Self; 3] = [Self::Json, Self::MsgPack, Self::Cbor];

    /// The name in subprotocols and session details: `json`, `msgpack`, `cbor`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MsgPack => "msgpack",
            Self::Cbor => "cbor",
        }
    }

    /// The one that has this [`name`](Self::name), if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|serializer| serializer.name() == name)
    }
}

/// What the codecs refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Deepest nesting of arrays and maps in a frame, the message array included. Default 128; more than 512 is 512.
    pub depth: usize,
    /// Refuse the messages that only a router sends. Default false.
    pub only_from_client: bool,
    /// Values, all told, in a dictionary that is read as it is, such as that of a HELLO: in memory each takes many times
    /// what it takes in a frame. Default any number.
    pub values: usize,
    /// Receivers in a list of a PUBLISH that are read; those behind them are checked and passed over. Default all.
    pub audience: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { depth: 128, ..Self::OWN }
    }
}

impl DecodeLimits {
    /// For what the router itself has written: it was measured when it came.
    pub(crate) const OWN: Self =
        Self { depth: usize::MAX, only_from_client: false, values: usize::MAX, audience: usize::MAX };
}

/// Where the tail of a decoded frame lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailSpan {
    pub start: usize,
    pub end: usize,
    /// 0, 1 or 2.
    pub elements: u8,
}

/// A frame that is not a WAMP message: says where, what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    message: String,
}

/// A tail that the receiver's serializer cannot hold, or that cannot be read as values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TranscodeError {
    message: String,
}

impl From<Box<Fault>> for DecodeError {
    fn from(fault: Box<Fault>) -> Self {
        Self { message: format!("message: {fault}") }
    }
}

impl TranscodeError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Where a tail must be transcoded to be carried at all, one that cannot be is no message.
impl From<TranscodeError> for DecodeError {
    fn from(error: TranscodeError) -> Self {
        Self { message: error.message }
    }
}

/// Decodes a whole frame; the tail is validated and located, not read.
pub fn decode<'a>(
    serializer: Serializer,
    frame: &'a [u8],
    limits: &DecodeLimits,
) -> Result<(Message<'a, ()>, TailSpan), DecodeError> {
    #[cfg(not(target_family = "wasm"))]
    if let Some(message) = quick_decode(serializer, frame, limits, None, |tail| tail) {
        let tail = message.payload().copied().unwrap_or_default();
        return Ok((message.map_payload(drop), tail));
    }
    careful_decode(serializer, frame, limits)
}

/// [`decode`], with the payload that `payload` makes of the tail. Tails like those before it are quicker.
pub(crate) fn decode_with<'a, P>(
    serializer: Serializer,
    frame: &'a [u8],
    limits: &DecodeLimits,
    layouts: &mut Layouts,
    payload: impl Fn(TailSpan) -> P,
) -> Result<Message<'a, P>, DecodeError> {
    #[cfg(not(target_family = "wasm"))]
    if let Some(message) = quick_decode(serializer, frame, limits, Some(layouts), &payload) {
        return Ok(message);
    }
    #[cfg(target_family = "wasm")]
    let Layouts = layouts;
    let (message, tail) = careful_decode(serializer, frame, limits)?;
    Ok(message.map_payload(|()| payload(tail)))
}

/// [`decode_with`], of what the busy messages ordinarily look like.
#[cfg(not(target_family = "wasm"))]
fn quick_decode<'a, P>(
    serializer: Serializer,
    frame: &'a [u8],
    limits: &DecodeLimits,
    layouts: Option<&mut Layouts>,
    payload: impl Fn(TailSpan) -> P,
) -> Option<Message<'a, P>> {
    match serializer {
        Serializer::Json => quick::decode(JsonScan::new(utf8(frame)?, 0), limits, layouts, payload),
        Serializer::MsgPack => quick::decode(MsgPackScan::new(frame, 0), limits, layouts, payload),
        Serializer::Cbor => quick::decode(CborScan::new(frame, 0), limits, layouts, payload),
    }
}

/// [`decode`] of anything.
fn careful_decode<'a>(
    serializer: Serializer,
    frame: &'a [u8],
    limits: &DecodeLimits,
) -> Result<(Message<'a, ()>, TailSpan), DecodeError> {
    match serializer {
        Serializer::Json => read(&mut JsonReader::new(frame)?, Part::Whole, limits),
        Serializer::MsgPack => read(&mut MsgPackReader::new(frame), Part::Whole, limits),
        Serializer::Cbor => read(&mut CborReader::new(frame), Part::Whole, limits),
    }
}

/// One decoder for each reader: the quickest.
#[cfg(not(target_family = "wasm"))]
fn read<'a, R: Reader<'a>>(
    reader: &mut R,
    part: Part,
    limits: &DecodeLimits,
) -> Result<(Message<'a, ()>, TailSpan), DecodeError> {
    decode::decode(reader, part, limits)
}

/// One decoder for all readers: the smallest, since a tab downloads it.
#[cfg(target_family = "wasm")]
fn read<'a>(
    reader: &mut (dyn Reader<'a> + 'a),
    part: Part,
    limits: &DecodeLimits,
) -> Result<(Message<'a, ()>, TailSpan), DecodeError> {
    decode::decode(reader, part, limits)
}

/// Decodes a JSON head that came apart from its tail: the message array up to the last head element, without the
/// closing bracket (`[16,1,{},"com.myapp.topic1"`).
pub fn decode_head<'a>(head: &'a [u8], limits: &DecodeLimits) -> Result<Message<'a, ()>, DecodeError> {
    let (message, _) = read(&mut JsonReader::new(head)?, Part::Head, limits)?;
    Ok(message)
}

/// Appends the head of `message` to `out`; head, tail and [`closing`] in a row are the frame.
///
/// JSON heads end with a comma where a tail follows.
pub fn encode_head<P: Payload>(serializer: Serializer, message: &Message<'_, P>, out: &mut Vec<u8>) {
    encode::encode_head(serializer, message, out);
}

/// What closes a frame behind the tail: `]` in JSON, nothing elsewhere.
pub fn closing(serializer: Serializer) -> &'static [u8] {
    match serializer {
        Serializer::Json => b"]",
        Serializer::MsgPack | Serializer::Cbor => b"",
    }
}

/// Re-encodes a well-formed tail.
///
/// Binary data and WAMP's JSON strings for it (U+0000 and base64) become each other. Integers stay exact from the
/// smallest i64 to the largest u64; beyond that they become floats. What JSON lacks becomes null (NaN, infinities,
/// `undefined`) or a decimal string (integer keys); tags of anything but keys are dropped. Extension types, unassigned
/// simple values and other keys have no counterpart and are errors.
pub fn transcode(
    tail: &[u8],
    elements: u8,
    from: Serializer,
    to: Serializer,
) -> Result<Vec<u8>, TranscodeError> {
    transcode::transcode(tail, elements, from, to).map(|(tail, _)| tail)
}

/// Encodes values as a tail; the count is 0, 1 or 2 elements, as few as hold the values.
pub fn encode_values(values: &Values, serializer: Serializer) -> (Vec<u8>, u8) {
    values::encode_values(values, serializer)
}

/// Reads a well-formed tail into values; [`value_as_id`] reads ids among them.
pub fn decode_values(tail: &[u8], elements: u8, serializer: Serializer) -> Result<Values, TranscodeError> {
    values::decode_values(tail, elements, serializer)
}

/// A well-formed tail as JSON, and how many bytes of that are Args. Of one that is JSON, any number of elements will do.
pub(crate) fn tail_to_json(
    tail: &[u8],
    elements: u8,
    serializer: Serializer,
) -> Result<(Vec<u8>, usize), TranscodeError> {
    transcode::transcode(tail, elements, serializer, Serializer::Json)
}

/// A reader for the cold paths.
fn tail_reader<'a>(serializer: Serializer, tail: &'a [u8]) -> Step<Box<dyn Reader<'a> + 'a>> {
    Ok(match serializer {
        Serializer::Json => Box::new(JsonReader::lossy(tail)?),
        Serializer::MsgPack => Box::new(MsgPackReader::new(tail)),
        Serializer::Cbor => Box::new(CborReader::new(tail)),
    })
}
