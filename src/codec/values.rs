//! Values: dictionaries of the cold messages, and the tails that the router itself reads or makes.
//!
//! Owns the way between tokens and [`serde_json::Value`], with WAMP's form of binary data in JSON: a string of
//! U+0000 and base64. [wamp: basic/building_blocks, Binary conversion of JSON strings]

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Number, Value};

use crate::id::MAX_ID;
use crate::message::Dict;
use crate::payload::Values;

use super::reader::{
    Container, Found, MAX_DEPTH, Reader, Step, Token, duplicate_key, expected, too_deep, too_many_values,
    untagged,
};
use super::writer::Writer;
use super::{Serializer, TranscodeError, tail_reader};

/// The id in `value`. JavaScript's MessagePack and CBOR encoders write ids above 2^32 as floats.
pub fn value_as_id(value: &Value) -> Option<u64> {
    let id = value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        ((float as u64) as f64 == float).then_some(float as u64)
    })?;
    (1..=MAX_ID).contains(&id).then_some(id)
}

/// The bytes that a JSON string stands for, if it stands for any.
pub(super) fn binary_of_text(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text.strip_prefix('\0')?).ok()
}

/// The JSON string that stands for `bytes`.
pub(super) fn text_of_binary(bytes: &[u8]) -> String {
    format!("\0{}", Base64::encode_string(bytes))
}

/// Encodes values as a tail of as few elements as hold them.
pub(super) fn encode_values(values: &Values, serializer: Serializer) -> (Vec<u8>, u8) {
    let mut out = Vec::new();
    if values.args.is_empty() && values.kwargs.is_empty() {
        return (out, 0);
    }
    let mut writer = Writer::new(serializer, &mut out);
    write_list(&mut writer, &values.args);
    if values.kwargs.is_empty() {
        return (out, 1);
    }
    write_dict(&mut writer, &values.kwargs);
    (out, 2)
}

/// Reads a tail into values.
pub(super) fn decode_values(
    tail: &[u8],
    elements: u8,
    serializer: Serializer,
) -> Result<Values, TranscodeError> {
    read_values(tail, elements, serializer).map_err(|fault| TranscodeError::new(fault.to_string()))
}

fn read_values(tail: &[u8], elements: u8, serializer: Serializer) -> Step<Values> {
    let mut reader = tail_reader(serializer, tail)?;
    let reader = &mut *reader;
    let mut values = Values::default();
    let mut tail = Container::open(Some(u64::from(elements)));
    if reader.more(&mut tail)? {
        let at = reader.position();
        values.args = match value(reader, MAX_DEPTH)? {
            Value::Array(args) => args,
            other => return Err(expected("a list of arguments", at, Found::Kind(value_kind(&other)))),
        };
    }
    if reader.more(&mut tail)? {
        let at = reader.position();
        values.kwargs = match value(reader, MAX_DEPTH)? {
            Value::Object(kwargs) => kwargs,
            other => return Err(expected("a map of arguments", at, Found::Kind(value_kind(&other)))),
        };
    }
    reader.finish()?;
    Ok(values)
}

/// Appends a dictionary.
pub(super) fn write_dict(writer: &mut Writer<'_>, dict: &Dict) {
    writer.begin_map_of(dict.len());
    for (key, value) in dict {
        writer.text_key(key);
        write_value(writer, value);
    }
    writer.end_map_of();
}

fn write_list(writer: &mut Writer<'_>, list: &[Value]) {
    writer.begin_array(list.len());
    for value in list {
        write_value(writer, value);
    }
    writer.end_array();
}

fn write_value(writer: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Null => writer.null(),
        Value::Bool(value) => writer.bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => writer.uint(value),
            (None, Some(value)) => writer.negative(!value as u64),
            (None, None) => writer.float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => writer.text(text),
        Value::Array(list) => write_list(writer, list),
        Value::Object(dict) => write_dict(writer, dict),
    }
}

/// Reads the pairs of a dictionary, of at most so many values all told. Strict where tails are not: no key twice, none but
/// strings.
pub(super) fn dict<'a, R: Reader<'a> + ?Sized>(
    reader: &mut R,
    pairs: Container,
    depth: usize,
    mut values: usize,
) -> Step<Dict> {
    object(reader, pairs, depth, &mut values, true)
}

fn value<'a, R: Reader<'a> + ?Sized>(reader: &mut R, depth: usize) -> Step<Value> {
    let at = reader.position();
    let token = untagged(reader)?;
    let mut values = usize::MAX;
    item(reader, token, at, depth, &mut values, false)
}

fn item<'a, R: Reader<'a> + ?Sized>(
    reader: &mut R,
    token: Token<'a>,
    at: usize,
    depth: usize,
    values: &mut usize,
    is_strict: bool,
) -> Step<Value> {
    *values = values.checked_sub(1).ok_or_else(|| too_many_values(at))?;
    Ok(match token {
        Token::Null | Token::Undefined => Value::Null,
        Token::Bool(value) => Value::Bool(value),
        Token::Unsigned(value) => Value::from(value),
        Token::Negative(value) => match i64::try_from(value) {
            Ok(value) => Value::from(!value),
            Err(_) => Value::from(-1.0 - value as f64),
        },
        // NaN and the infinities have no JSON: null, as in JavaScript.
        Token::Float(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        Token::Str(text) => Value::String(text.into_owned()),
        Token::Bytes(bytes) => Value::String(text_of_binary(&bytes)),
        Token::Array(items) => {
            let Some(depth) = depth.checked_sub(1) else { return Err(too_deep(at)) };
            let mut list = Vec::new();
            let mut container = Container::array(items);
            while reader.more(&mut container)? {
                let at = reader.position();
                let token = untagged(reader)?;
                list.push(item(reader, token, at, depth, values, is_strict)?);
            }
            Value::Array(list)
        }
        Token::Map(pairs) => {
            let Some(depth) = depth.checked_sub(1) else { return Err(too_deep(at)) };
            Value::Object(object(reader, Container::map(pairs), depth, values, is_strict)?)
        }
        Token::Tag(_) | Token::Ext(_) | Token::Simple(_) => {
            return Err(expected("a value that JSON has", at, Found::token(&token)));
        }
    })
}

fn object<'a, R: Reader<'a> + ?Sized>(
    reader: &mut R,
    mut pairs: Container,
    depth: usize,
    values: &mut usize,
    is_strict: bool,
) -> Step<Dict> {
    let mut map = Map::new();
    while reader.more(&mut pairs)? {
        let key_at = reader.position();
        let key = match reader.key()? {
            Token::Str(key) => key.into_owned(),
            Token::Unsigned(key) if !is_strict => key.to_string(),
            Token::Negative(key) if !is_strict && key < u64::MAX => format!("-{}", key + 1),
            other => return Err(expected("a string as key", key_at, Found::Kind(other.kind()))),
        };
        if is_strict && map.contains_key(&key) {
            return Err(duplicate_key(&key, key_at));
        }
        let at = reader.position();
        let token = untagged(reader)?;
        // JavaScript's `undefined` is the absence of a key.
        if token == Token::Undefined {
            continue;
        }
        let value = item(reader, token, at, depth, values, is_strict)?;
        map.insert(key, value);
    }
    Ok(map)
}

/// What a value is, for people.
pub(crate) fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string or binary data",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn integral_floats_are_ids_up_to_2_to_the_53() {
        assert_eq!(value_as_id(&json!(7)), Some(7));
        assert_eq!(value_as_id(&json!(5e9)), Some(5_000_000_000));
        assert_eq!(value_as_id(&json!(MAX_ID)), Some(MAX_ID));
        for value in
            [json!(0), json!(-1), json!(1.5), json!(MAX_ID + 1), json!(1e300), json!("1"), json!(null)]
        {
            assert_eq!(value_as_id(&value), None, "{value}");
        }
    }

    #[test]
    fn binary_data_stands_in_json_as_nul_and_base64() {
        assert_eq!(text_of_binary(&[1, 2, 3, 255]), "\0AQID/w==");
        assert_eq!(binary_of_text("\0AQID/w=="), Some(vec![1, 2, 3, 255]));
        assert_eq!(binary_of_text("\0"), Some(vec![]));
        for text in ["AQID/w==", "\0AQID/w", "\0not base64", ""] {
            assert_eq!(binary_of_text(text), None, "{text:?}");
        }
    }
}
