//! Writing: the primitives of the three serializers behind one type.
//!
//! Owns the bytes: compact JSON, shortest forms in MessagePack and CBOR. Nothing here allocates beyond the caller's
//! buffer, but for binary data in JSON. What is written, and in which order, is the business of
//! [`encode`](super::encode), [`values`](super::values) and [`transcode`](super::transcode).

use super::Serializer;
use super::number::write_float;
use super::reader::plain_len;
use super::values::{binary_of_text, text_of_binary};

/// Appends items to a buffer.
pub(super) struct Writer<'o> {
    pub serializer: Serializer,
    out: &'o mut Vec<u8>,
}

/// An unfinished map: where its header stands and how many pairs it has so far.
pub(super) struct MapStart {
    at: usize,
    pub pairs: u8,
}

impl<'o> Writer<'o> {
    pub fn new(serializer: Serializer, out: &'o mut Vec<u8>) -> Self {
        Self { serializer, out }
    }

    /// Begins a message array of `items` elements, at most 15.
    pub fn begin_head(&mut self, items: u8) {
        self.out.push(match self.serializer {
            Serializer::Json => b'[',
            Serializer::MsgPack => 0x90 | items,
            Serializer::Cbor => 0x80 | items,
        });
    }

    /// Ends the head; what follows is the tail or [`closing`](super::closing).
    pub fn end_head(&mut self, has_tail: bool) {
        if has_tail && self.serializer == Serializer::Json {
            self.out.push(b',');
        }
    }

    pub fn begin_array(&mut self, items: usize) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.push(b'[');
            }
            Serializer::MsgPack => match u16::try_from(items) {
                Ok(items @ 0..=15) => self.out.push(0x90 | items as u8),
                Ok(items) => self.msgpack(0xdc, &items.to_be_bytes()),
                Err(_) => self.msgpack(0xdd, &(items as u32).to_be_bytes()),
            },
            Serializer::Cbor => self.cbor(4, items as u64),
        }
    }

    pub fn end_array(&mut self) {
        if self.serializer == Serializer::Json {
            self.out.push(b']');
        }
    }

    /// Begins a map whose number of pairs [`end_map`](Self::end_map) will know.
    pub fn begin_map(&mut self) -> MapStart {
        self.comma();
        let start = MapStart { at: self.out.len(), pairs: 0 };
        self.out.push(match self.serializer {
            Serializer::Json => b'{',
            Serializer::MsgPack => 0x80,
            Serializer::Cbor => 0xa0,
        });
        start
    }

    pub fn end_map(&mut self, MapStart { at, pairs }: MapStart) {
        match (self.serializer, pairs) {
            (Serializer::Json, _) => self.out.push(b'}'),
            (Serializer::MsgPack, 0..=15) | (Serializer::Cbor, 0..=23) => self.out[at] |= pairs,
            // The header outgrows the byte kept for it; PUBLISH with every option there is gets here.
            (Serializer::MsgPack, _) => drop(self.out.splice(at..=at, [0xde, 0, pairs])),
            (Serializer::Cbor, _) => drop(self.out.splice(at..=at, [0xb8, pairs])),
        }
    }

    /// Begins a map of `pairs` pairs.
    pub fn begin_map_of(&mut self, pairs: usize) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.push(b'{');
            }
            Serializer::MsgPack => match u16::try_from(pairs) {
                Ok(pairs @ 0..=15) => self.out.push(0x80 | pairs as u8),
                Ok(pairs) => self.msgpack(0xde, &pairs.to_be_bytes()),
                Err(_) => self.msgpack(0xdf, &(pairs as u32).to_be_bytes()),
            },
            Serializer::Cbor => self.cbor(5, pairs as u64),
        }
    }

    /// Ends what [`begin_map_of`](Self::begin_map_of) began.
    pub fn end_map_of(&mut self) {
        if self.serializer == Serializer::Json {
            self.out.push(b'}');
        }
    }

    /// Any text as the key of a map.
    pub fn text_key(&mut self, key: &str) {
        self.str(key);
        if self.serializer == Serializer::Json {
            self.out.push(b':');
        }
    }

    /// A key of the codecs' own list: plain ASCII, at most 31 bytes.
    pub fn key(&mut self, key: &'static str) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.push(b'"');
                self.out.extend_from_slice(key.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Serializer::MsgPack | Serializer::Cbor => self.str(key),
        }
    }

    pub fn null(&mut self) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.extend_from_slice(b"null");
            }
            Serializer::MsgPack => self.out.push(0xc0),
            Serializer::Cbor => self.out.push(0xf6),
        }
    }

    pub fn bool(&mut self, value: bool) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            Serializer::MsgPack => self.out.push(0xc2 | u8::from(value)),
            Serializer::Cbor => self.out.push(0xf4 | u8::from(value)),
        }
    }

    pub fn uint(&mut self, value: u64) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.decimal(value);
            }
            Serializer::MsgPack => match value {
                0..=0x7f => self.out.push(value as u8),
                0x80..=0xff => self.msgpack(0xcc, &[value as u8]),
                0x100..=0xffff => self.msgpack(0xcd, &(value as u16).to_be_bytes()),
                0x1_0000..=0xffff_ffff => self.msgpack(0xce, &(value as u32).to_be_bytes()),
                _ => self.msgpack(0xcf, &value.to_be_bytes()),
            },
            Serializer::Cbor => self.cbor(0, value),
        }
    }

    pub fn str(&mut self, text: &str) {
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.json_str(text);
            }
            Serializer::MsgPack => {
                match text.len() {
                    len @ 0..=31 => self.out.push(0xa0 | len as u8),
                    len @ 32..=0xff => self.msgpack(0xd9, &[len as u8]),
                    len @ 0x100..=0xffff => self.msgpack(0xda, &(len as u16).to_be_bytes()),
                    len => self.msgpack(0xdb, &(len as u32).to_be_bytes()),
                }
                self.out.extend_from_slice(text.as_bytes());
            }
            Serializer::Cbor => {
                self.cbor(3, text.len() as u64);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// `-1 - value`, as an integer where 64 bits with a sign hold it.
    pub fn negative(&mut self, value: u64) {
        let Ok(signed) = i64::try_from(value) else {
            self.float(-1.0 - value as f64);
            return;
        };
        let signed = !signed;
        match self.serializer {
            Serializer::Json => {
                self.comma();
                self.out.push(b'-');
                self.decimal(signed.unsigned_abs());
            }
            Serializer::MsgPack => match signed {
                -0x20..=-1 => self.out.push(signed as u8),
                -0x80..=-0x21 => self.msgpack(0xd0, &[signed as u8]),
                -0x8000..=-0x81 => self.msgpack(0xd1, &(signed as i16).to_be_bytes()),
                -0x8000_0000..=-0x8001 => self.msgpack(0xd2, &(signed as i32).to_be_bytes()),
                _ => self.msgpack(0xd3, &signed.to_be_bytes()),
            },
            Serializer::Cbor => self.cbor(1, value),
        }
    }

    /// A float; null in JSON where it is not finite, as in JavaScript.
    pub fn float(&mut self, value: f64) {
        match self.serializer {
            Serializer::Json if !value.is_finite() => self.null(),
            Serializer::Json => {
                self.comma();
                write_float(value, self.out);
            }
            Serializer::MsgPack => self.msgpack(0xcb, &value.to_be_bytes()),
            Serializer::Cbor => {
                self.out.push(0xfb);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    /// Binary data; in JSON WAMP's string for it.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match self.serializer {
            Serializer::Json => {
                self.str(&text_of_binary(bytes));
                return;
            }
            Serializer::MsgPack => match bytes.len() {
                len @ 0..=0xff => self.msgpack(0xc4, &[len as u8]),
                len @ 0x100..=0xffff => self.msgpack(0xc5, &(len as u16).to_be_bytes()),
                len => self.msgpack(0xc6, &(len as u32).to_be_bytes()),
            },
            Serializer::Cbor => self.cbor(2, bytes.len() as u64),
        }
        self.out.extend_from_slice(bytes);
    }

    /// Text that came from JSON or goes there: what stands for binary data becomes binary data elsewhere.
    pub fn text(&mut self, text: &str) {
        match (self.serializer, binary_of_text(text)) {
            (Serializer::MsgPack | Serializer::Cbor, Some(bytes)) => self.bytes(&bytes),
            _ => self.str(text),
        }
    }

    /// The comma of JSON, but not at the beginning, behind what opens a container, or behind a key.
    fn comma(&mut self) {
        if self.serializer == Serializer::Json && !matches!(self.out.last(), None | Some(b'[' | b'{' | b':'))
        {
            self.out.push(b',');
        }
    }

    fn decimal(&mut self, mut value: u64) {
        // Message codes, and the ids of a young router.
        if value < 100 {
            if value >= 10 {
                self.out.push(b'0' + (value / 10) as u8);
            }
            self.out.push(b'0' + (value % 10) as u8);
            return;
        }
        let mut digits = [0; 20];
        let mut start = digits.len();
        while value > 0 {
            start -= 1;
            digits[start] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.out.extend_from_slice(&digits[start..]);
    }

    fn json_str(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        loop {
            let (plain, special) = rest.split_at(plain_len(rest));
            self.out.extend_from_slice(plain);
            let Some((&byte, after)) = special.split_first() else { break };
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                _ => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.extend([byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]));
                }
            }
            rest = after;
        }
        self.out.push(b'"');
    }

    fn msgpack(&mut self, marker: u8, bytes: &[u8]) {
        self.out.push(marker);
        self.out.extend_from_slice(bytes);
    }

    /// The head of a CBOR item in its shortest form.
    fn cbor(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match argument {
            0..=23 => self.out.push(major | argument as u8),
            24..=0xff => self.out.extend_from_slice(&[major | 24, argument as u8]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&(argument as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&(argument as u32).to_be_bytes());
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&argument.to_be_bytes());
            }
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
