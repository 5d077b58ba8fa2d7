//! Tails that are JavaScript values: they go through the router and never into it.
//!
//! A tail is the JSON text of the elements without the brackets of the message (`["a"]` or `["a"],{"k":1}`), or, where
//! it holds binary, an array of the elements for structured clone. No tail is `''` or `undefined`.

use js_sys::JsString;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::codec::{self, Serializer, TranscodeError};
use crate::payload::{Payload, Values};

#[wasm_bindgen(raw_module = "wamplet-imports")]
extern "C" {
    /// The JSON text of a tail, binary data and all (`www/lib/tail.ts`).
    #[wasm_bindgen(js_name = tailText)]
    fn tail_text(tail: &JsValue) -> JsString;
}

/// A tail; a clone is another reference to the same JavaScript value.
#[derive(Clone, Debug)]
pub(super) struct JsPayload {
    tail: JsValue,
    empty: bool,
}

impl JsPayload {
    /// What stood beside a head.
    pub(super) fn new(tail: JsValue) -> Self {
        let empty = tail.is_falsy();
        Self { tail, empty }
    }

    /// JSON text.
    pub(super) fn text(tail: JsString) -> Self {
        Self::new(tail.into())
    }

    /// Bytes of the JSON text that came as `head` and this tail.
    pub(super) fn received_len(&self, head: &str) -> usize {
        let comma = usize::from(!self.empty);
        head.len() + comma + self.encoded_len() + codec::closing(Serializer::Json).len()
    }

    fn to_text(&self) -> String {
        if self.empty { String::new() } else { tail_text(&self.tail).into() }
    }

    /// What must stand beside a head: the empty text where there is no tail.
    pub(super) fn into_tail(self) -> JsValue {
        if self.empty { JsValue::from_str("") } else { self.tail }
    }
}

impl Default for JsPayload {
    fn default() -> Self {
        Self { tail: JsValue::UNDEFINED, empty: true }
    }
}

impl Payload for JsPayload {
    /// Whether there are kwargs is not known, and a JSON head does not say.
    fn elements(&self) -> u8 {
        u8::from(!self.empty)
    }

    fn encoded_len(&self) -> usize {
        self.to_text().len()
    }

    /// A frame of another serializer is made when it leaves; to know its length it is made here too.
    fn message_len(&self, head: &[u8], serializer: Serializer, wire: Serializer) -> usize {
        let json = [head, self.to_text().as_bytes(), codec::closing(serializer)].concat();
        if wire == serializer {
            return json.len();
        }
        // What cannot be said in the peer's serializer is not sent.
        codec::transcode(&json, 1, serializer, wire).map_or(0, |frame| frame.len())
    }

    /// Where a tail has to become bytes, the driver makes them, at the edge.
    fn for_serializer(&self, _serializer: Serializer) -> Result<Self, TranscodeError> {
        Ok(self.clone())
    }

    /// Text need not cross over to be measured.
    fn memory_len(&self) -> usize {
        match self.tail.dyn_ref::<JsString>() {
            Some(text) => text.length() as usize,
            None => self.encoded_len(),
        }
    }

    fn from_json(text: Vec<u8>, _elements: u8) -> Self {
        Self::text(super::text(&text))
    }

    fn to_json(&self) -> Result<(Vec<u8>, usize), TranscodeError> {
        codec::tail_to_json(self.to_text().as_bytes(), 1, Serializer::Json)
    }

    fn to_values(&self) -> Result<Values, TranscodeError> {
        if self.empty {
            return Ok(Values::default());
        }
        let text = self.to_text();
        // How many elements there are stands nowhere but in the text.
        codec::decode_values(text.as_bytes(), 1, Serializer::Json)
            .or_else(|_| codec::decode_values(text.as_bytes(), 2, Serializer::Json))
    }
}
