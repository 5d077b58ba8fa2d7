//! A message that is kept for later, when the frame that it came in is gone.
//!
//! Owns its form: the head as JSON, to be read again, and the tail. Small, and less code than a message that borrows
//! nothing; what is kept has time.

use serde_json::Value;

use crate::codec::{self, DecodeLimits, Serializer};
use crate::id::RequestId;
use crate::message::{Dict, Message};
use crate::payload::Payload;

/// A request, or whatever else a client may send.
#[derive(Debug)]
pub(crate) struct KeptMessage<P> {
    head: Vec<u8>,
    payload: P,
    /// If it is a CALL.
    pub call: Option<RequestId>,
}

impl<P: Payload> KeptMessage<P> {
    pub(crate) fn new(message: Message<'_, P>) -> Self {
        let mut head = Vec::new();
        codec::encode_head(Serializer::Json, &message, &mut head);
        // Where a tail follows there is a comma.
        if head.last() == Some(&b',') {
            head.pop();
        }
        let call = match &message {
            Message::Call { request, .. } => Some(*request),
            _ => None,
        };
        Self { head, payload: message.into_payload().unwrap_or_default(), call }
    }

    /// Bytes that it takes.
    pub(crate) fn length(&self) -> usize {
        self.head.len() + self.payload.encoded_len()
    }

    /// The same, with a tail that keeps nothing else in memory.
    pub(crate) fn into_owned(self) -> Self {
        Self { payload: self.payload.into_owned(), ..self }
    }

    /// The message.
    pub(crate) fn read(&self) -> Message<'_, P> {
        let head = codec::decode_head(&self.head, &DecodeLimits::OWN);
        head.expect("what the codec wrote of a message, it reads").with_payload(self.payload.clone())
    }

    /// Its options, without those that are as they are by default.
    pub(crate) fn options(&self) -> Dict {
        let message = [&self.head, codec::closing(Serializer::Json)].concat();
        let elements = codec::decode_values(&message, 1, Serializer::Json).map(|values| values.args);
        match elements.ok().and_then(|mut elements| elements.get_mut(2).map(Value::take)) {
            Some(Value::Object(options)) => options,
            _ => Dict::new(),
        }
    }
}
