//! Transcoding: one tail, another serializer, no values in between.
//!
//! Owns what has no counterpart on the other side: binary data and WAMP's JSON strings for it, integer keys, NaN,
//! `undefined`, tags. Tokens go straight into serde's sinks, which write the bytes.

use std::cell::RefCell;
use std::vec;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer as Sink};

use super::reader::{Container, Fault, Found, MAX_DEPTH, Reader, Step, Token, expected, too_deep, untagged};
use super::values::{binary_of_text, text_of_binary};
use super::{Serializer, TranscodeError, tail_reader};

/// Re-encodes a well-formed tail.
pub(super) fn transcode(
    tail: &[u8],
    elements: u8,
    from: Serializer,
    to: Serializer,
) -> Result<Vec<u8>, TranscodeError> {
    let fail = |fault: Box<Fault>| TranscodeError::new(fault.to_string());
    let lengths = match from {
        Serializer::Json | Serializer::Cbor => lengths(tail, elements, from).map_err(fail)?,
        Serializer::MsgPack => Vec::new(),
    };
    let source = RefCell::new(Source {
        reader: tail_reader(from, tail).map_err(fail)?,
        lengths: lengths.into_iter(),
        fault: None,
    });
    let mut out = Vec::with_capacity(tail.len());
    let mut items = Container::open(Some(u64::from(elements)));
    loop {
        let has_more = source.borrow_mut().reader.more(&mut items).map_err(fail)?;
        if !has_more {
            break;
        }
        if to == Serializer::Json && !out.is_empty() {
            out.push(b',');
        }
        let item = Item { source: &source, depth: MAX_DEPTH };
        let error = match to {
            Serializer::Json => {
                item.serialize(&mut serde_json::Serializer::new(&mut out)).err().map(|e| e.to_string())
            }
            Serializer::MsgPack => {
                item.serialize(&mut rmp_serde::Serializer::new(&mut out)).err().map(|e| e.to_string())
            }
            Serializer::Cbor => {
                item.serialize(&mut minicbor_serde::Serializer::new(&mut out)).err().map(|e| e.to_string())
            }
        };
        if let Some(message) = error {
            let fault = source.borrow_mut().fault.take();
            return Err(fault.map_or(TranscodeError::new(message), fail));
        }
    }
    source.borrow_mut().reader.finish().map_err(fail)?;
    Ok(out)
}

/// How many items each container of a tail has, outermost and first ones first: MessagePack and CBOR say it in front,
/// JSON does not.
fn lengths(tail: &[u8], elements: u8, serializer: Serializer) -> Step<Vec<usize>> {
    let mut lengths = Vec::new();
    let mut reader = tail_reader(serializer, tail)?;
    let mut items = Container::open(Some(u64::from(elements)));
    while reader.more(&mut items)? {
        count(&mut *reader, MAX_DEPTH, &mut lengths)?;
    }
    Ok(lengths)
}

fn count<'a>(reader: &mut (dyn Reader<'a> + 'a), depth: usize, lengths: &mut Vec<usize>) -> Step<()> {
    let at = reader.position();
    let mut container = match untagged(reader)? {
        Token::Array(items) => Container::array(items),
        Token::Map(pairs) => Container::map(pairs),
        _ => return Ok(()),
    };
    let Some(depth) = depth.checked_sub(1) else { return Err(too_deep(at)) };
    let slot = lengths.len();
    lengths.push(0);
    while reader.more(&mut container)? {
        lengths[slot] += 1;
        if container.is_map {
            key(reader)?;
        }
        count(reader, depth, lengths)?;
    }
    Ok(())
}

/// The next map key; JSON makes a decimal string of an integer.
fn key<'a>(reader: &mut (dyn Reader<'a> + 'a)) -> Step<Token<'a>> {
    let at = reader.position();
    match reader.key()? {
        key @ (Token::Str(_) | Token::Unsigned(_)) => Ok(key),
        Token::Negative(key) if i64::try_from(key).is_ok() => Ok(Token::Negative(key)),
        other => Err(expected("a string or an integer as key", at, Found::Kind(other.kind()))),
    }
}

struct Source<'a> {
    reader: Box<dyn Reader<'a> + 'a>,
    lengths: vec::IntoIter<usize>,
    /// Why the sink was told to stop; its own error type has no place for it.
    fault: Option<Box<Fault>>,
}

impl<'a> Source<'a> {
    /// The next item and where it is.
    fn item(&mut self) -> Step<(Token<'a>, usize)> {
        let at = self.reader.position();
        Ok((untagged(&mut *self.reader)?, at))
    }

    /// How many items the container has that just began; `announced` is what it said itself.
    fn length(&mut self, announced: Option<u64>) -> Option<usize> {
        self.lengths.next().or(announced.map(|length| length as usize))
    }
}

/// The next item of the source, whichever that is when a sink asks for it.
struct Item<'s, 'a> {
    source: &'s RefCell<Source<'a>>,
    depth: usize,
}

impl<'a> Item<'_, 'a> {
    fn fail<E: serde::ser::Error>(&self, fault: Box<Fault>) -> E {
        self.source.borrow_mut().fault = Some(fault);
        E::custom("the source has a fault")
    }

    fn more<E: serde::ser::Error>(&self, container: &mut Container) -> Result<bool, E> {
        let more = self.source.borrow_mut().reader.more(container);
        more.map_err(|fault| self.fail(fault))
    }

    /// The items of the container that begins at `at`.
    fn inner<E: serde::ser::Error>(&self, at: usize) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { source: self.source, depth }),
            None => Err(self.fail(too_deep(at))),
        }
    }
}

impl Serialize for Item<'_, '_> {
    fn serialize<S: Sink>(&self, sink: S) -> Result<S::Ok, S::Error> {
        let item = self.source.borrow_mut().item();
        let (token, at) = item.map_err(|fault| self.fail(fault))?;
        let is_json = sink.is_human_readable();
        match token {
            Token::Null | Token::Undefined => sink.serialize_none(),
            Token::Bool(value) => sink.serialize_bool(value),
            Token::Unsigned(value) => sink.serialize_u64(value),
            Token::Negative(value) => match i64::try_from(value) {
                Ok(value) => sink.serialize_i64(!value),
                Err(_) => sink.serialize_f64(-1.0 - value as f64),
            },
            // serde_json writes null for what is not finite.
            Token::Float(value) => sink.serialize_f64(value),
            Token::Bytes(bytes) if is_json => sink.serialize_str(&text_of_binary(&bytes)),
            Token::Bytes(bytes) => sink.serialize_bytes(&bytes),
            Token::Str(text) => match binary_of_text(&text) {
                Some(bytes) if !is_json => sink.serialize_bytes(&bytes),
                _ => sink.serialize_str(&text),
            },
            Token::Array(items) => {
                let inner = self.inner(at)?;
                let length = self.source.borrow_mut().length(items);
                let mut container = Container::array(items);
                let mut list = sink.serialize_seq(length)?;
                while self.more(&mut container)? {
                    list.serialize_element(&inner)?;
                }
                list.end()
            }
            Token::Map(pairs) => {
                let inner = self.inner(at)?;
                let length = self.source.borrow_mut().length(pairs);
                let mut container = Container::map(pairs);
                let mut map = sink.serialize_map(length)?;
                while self.more(&mut container)? {
                    let key = key(&mut *self.source.borrow_mut().reader);
                    match key.map_err(|fault| self.fail(fault))? {
                        Token::Unsigned(key) => map.serialize_key(&key)?,
                        Token::Negative(key) => map.serialize_key(&(!key as i64))?,
                        Token::Str(key) => map.serialize_key(&*key)?,
                        _ => unreachable!("key() gives strings and integers only"),
                    }
                    map.serialize_value(&inner)?;
                }
                map.end()
            }
            Token::Tag(_) | Token::Ext(_) | Token::Simple(_) => {
                Err(self.fail(expected("a value that every serializer has", at, Found::token(&token))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_counterpart_is_converted_as_promised() {
        use Serializer::{Cbor, Json, MsgPack};
        for (from, tail, to, expected) in [
            // Integers stay exact as far as 64 bits go; beyond, they are floats.
            (Json, &b"[18446744073709551615]"[..], MsgPack, &b"\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff"[..]),
            (Json, b"[-9223372036854775808]", Cbor, b"\x81\x3b\x7f\xff\xff\xff\xff\xff\xff\xff"),
            (Json, b"[18446744073709551616]", MsgPack, b"\x91\xcb\x43\xf0\0\0\0\0\0\0"),
            (Json, b"[9007199254740993]", MsgPack, b"\x91\xcf\0\x20\0\0\0\0\0\x01"),
            (Cbor, b"\x81\xc2\x48\xff\xff\xff\xff\xff\xff\xff\xff", Json, b"[18446744073709551615]"),
            (Cbor, b"\x81\xc3\x42\x01\x00", Json, b"[-257]"),
            (Cbor, b"\x81\x3b\xff\xff\xff\xff\xff\xff\xff\xff", MsgPack, b"\x91\xcb\xc3\xf0\0\0\0\0\0\0"),
            // What JSON lacks.
            (MsgPack, b"\x91\xcb\x7f\xf8\0\0\0\0\0\0", Json, b"[null]"),
            (Cbor, b"\x82\xf9\x7c\x00\xf7", Json, b"[null,null]"),
            (MsgPack, b"\x91\xd4\0\0", Cbor, b"\x81\xf6"),
            (MsgPack, b"\x91\x82\x05\x01\xff\x02", Json, b"[{\"5\":1,\"-1\":2}]"),
            (MsgPack, b"\x91\x82\x05\x01\xff\x02", Cbor, b"\x81\xa2\x05\x01\x20\x02"),
            // Tags go, what they tag stays.
            (Cbor, b"\x81\xd9\xd9\xf7\xc0\x61t", Json, b"[\"t\"]"),
            // Indefinite lengths become definite.
            (Cbor, b"\x9f\xbf\x7f\x61a\x61b\xff\x9f\xff\xff\xff", MsgPack, b"\x91\x81\xa2ab\x90"),
            // Strings that merely begin with U+0000 are no binary data.
            (Json, b"[\"\\u0000AQI=\",\"\\u0000 no\"]", Cbor, b"\x82\x42\x01\x02\x64\0 no"),
            // A payload that is no list.
            (Json, b" \"\\u0000AQI=\" ", MsgPack, b"\xc4\x02\x01\x02"),
        ] {
            let transcoded = transcode(tail, 1, from, to).expect("convertible");
            assert_eq!(transcoded, expected, "{tail:02x?} gave {transcoded:02x?}");
        }
        assert_eq!(transcode(b"[1] , {\"a\" : 2}", 2, Json, MsgPack).expect("two"), b"\x91\x01\x81\xa1a\x02");
        assert_eq!(transcode(b"\x90\x80", 2, MsgPack, Json).expect("two"), b"[],{}");
    }
}
