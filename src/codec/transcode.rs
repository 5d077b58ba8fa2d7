//! Transcoding: one tail, another serializer, no values in between.
//!
//! Owns what has no counterpart on the other side: integer keys, NaN, `undefined`, tags. Tokens of a
//! [`Reader`] go straight into a [`Writer`].

use std::vec;

use super::reader::{Container, Found, MAX_DEPTH, Reader, Step, Token, expected, too_deep, untagged};
use super::writer::Writer;
use super::{Serializer, TranscodeError, tail_reader};

/// Re-encodes a well-formed tail of so many elements (of JSON, which says itself where it ends, any number will do). Answers
/// how long the first one is then, too.
pub(super) fn transcode(
    tail: &[u8],
    elements: u8,
    from: Serializer,
    to: Serializer,
) -> Result<(Vec<u8>, usize), TranscodeError> {
    convert(tail, elements, from, to).map_err(|fault| TranscodeError::new(fault.to_string()))
}

fn convert(tail: &[u8], elements: u8, from: Serializer, to: Serializer) -> Step<(Vec<u8>, usize)> {
    // MessagePack and CBOR say in front how many items a container has; JSON, and CBOR if it likes, do not.
    let lengths = match (from, to) {
        (Serializer::MsgPack, _) | (_, Serializer::Json) => Vec::new(),
        _ => lengths(tail, elements, from)?,
    };
    let mut out = Vec::with_capacity(tail.len());
    let mut first = 0;
    let is_json = from == Serializer::Json;
    let mut source = Source { reader: tail_reader(from, tail)?, is_json, lengths: lengths.into_iter() };
    let mut items = Container::open(Some(u64::from(elements)));
    while source.reader.more(&mut items)? {
        source.item(&mut Writer::new(to, &mut out), MAX_DEPTH)?;
        if first == 0 {
            first = out.len();
        }
    }
    source.reader.finish()?;
    Ok((out, first))
}

/// How many items each container of a tail has, outermost and first ones first.
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
            reader.key()?;
        }
        count(reader, depth, lengths)?;
    }
    Ok(())
}

struct Source<'a> {
    reader: Box<dyn Reader<'a> + 'a>,
    /// What is read is JSON.
    is_json: bool,
    lengths: vec::IntoIter<usize>,
}

impl Source<'_> {
    /// Writes the next item.
    fn item(&mut self, writer: &mut Writer<'_>, depth: usize) -> Step<()> {
        let at = self.reader.position();
        let inner_depth = depth.checked_sub(1).ok_or_else(|| too_deep(at));
        match untagged(&mut *self.reader)? {
            Token::Null | Token::Undefined => writer.null(),
            Token::Bool(value) => writer.bool(value),
            Token::Unsigned(value) => writer.uint(value),
            Token::Negative(value) => writer.negative(value),
            Token::Float(value) => writer.float(value),
            Token::Bytes(bytes) => writer.bytes(&bytes),
            // Between the other two, text is text.
            Token::Str(text) if self.is_json || writer.serializer == Serializer::Json => writer.text(&text),
            Token::Str(text) => writer.str(&text),
            Token::Array(items) => {
                let depth = inner_depth?;
                writer.begin_array(self.length(items));
                let mut container = Container::array(items);
                while self.reader.more(&mut container)? {
                    self.item(writer, depth)?;
                }
                writer.end_array();
            }
            Token::Map(pairs) => {
                let depth = inner_depth?;
                writer.begin_map_of(self.length(pairs));
                let mut container = Container::map(pairs);
                while self.reader.more(&mut container)? {
                    self.key(writer)?;
                    self.item(writer, depth)?;
                }
                writer.end_map_of();
            }
            token @ (Token::Tag(_) | Token::Ext(_) | Token::Simple(_)) => {
                return Err(expected("a value that every serializer has", at, Found::token(&token)));
            }
        }
        Ok(())
    }

    /// Writes the next map key; JSON makes a decimal string of an integer.
    fn key(&mut self, writer: &mut Writer<'_>) -> Step<()> {
        let at = self.reader.position();
        match (self.reader.key()?, writer.serializer) {
            (Token::Str(key), _) => writer.text_key(&key),
            (Token::Unsigned(key), Serializer::Json) => writer.text_key(&key.to_string()),
            (Token::Negative(key), Serializer::Json) if key < u64::MAX => {
                writer.text_key(&format!("-{}", key + 1))
            }
            (Token::Unsigned(key), _) => writer.uint(key),
            (Token::Negative(key), _) if i64::try_from(key).is_ok() => writer.negative(key),
            (other, _) => {
                return Err(expected("a string or an integer as key", at, Found::Kind(other.kind())));
            }
        }
        Ok(())
    }

    /// How many items the container has that just began; `announced` is what it said itself, and JSON need not know.
    fn length(&mut self, announced: Option<u64>) -> usize {
        self.lengths.next().or(announced.map(|length| length as usize)).unwrap_or_default()
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
            (MsgPack, b"\x91\xa5\0AQI=", Cbor, b"\x81\x65\0AQI="),
            (Cbor, b"\x81\x65\0AQI=", MsgPack, b"\x91\xa5\0AQI="),
            // A payload that is no list.
            (Json, b" \"\\u0000AQI=\" ", MsgPack, b"\xc4\x02\x01\x02"),
        ] {
            let (transcoded, first) = transcode(tail, 1, from, to).expect("convertible");
            assert_eq!(first, transcoded.len());
            assert_eq!(transcoded, expected, "{tail:02x?} gave {transcoded:02x?}");
        }
        let (two, first) = transcode(b"[1] , {\"a\" : 2}", 2, Json, MsgPack).expect("two");
        assert_eq!((&*two, first), (&b"\x91\x01\x81\xa1a\x02"[..], 2));
        let (two, first) = transcode(b"\x90\x80", 2, MsgPack, Json).expect("two");
        assert_eq!((&*two, first), (&b"[],{}"[..], 2));
    }
}
