//! The pull reader that the three serializers share: tokens in, faults with their place out.
//!
//! Owns the vocabulary ([`Token`], [`Reader`], [`Fault`]) and the bounded walk. Knows no messages: their grammar is in
//! [`decode`](super::decode), values are in [`values`](super::values).

use std::borrow::Cow;
use std::fmt;

/// One item of a frame. Containers are only announced; [`Reader::more`] leads through them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Null,
    /// JavaScript's `undefined`: `d4 00 00` in MessagePack, `f7` in CBOR.
    Undefined,
    Bool(bool),
    Unsigned(u64),
    /// `Negative(n)` is `-1 - n`, as in CBOR.
    Negative(u64),
    Float(f64),
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// With the number of items where it stands in front.
    Array(Option<u64>),
    /// With the number of pairs where it stands in front.
    Map(Option<u64>),
    /// A CBOR tag; the tagged item follows.
    Tag(u64),
    /// A MessagePack extension other than `undefined`.
    Ext(i8),
    /// An unassigned CBOR simple value.
    Simple(u8),
}

impl Token<'_> {
    /// What an error message calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Undefined => "undefined",
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) => "an integer",
            Self::Negative(_) => "a negative integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bytes(_) => "binary data",
            Self::Array(_) => "a list",
            Self::Map(_) => "a map",
            Self::Tag(_) => "a tag",
            Self::Ext(_) => "an extension type",
            Self::Simple(_) => "a simple value",
        }
    }
}

/// Where a reader stands in an array or map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Container {
    /// Items or pairs still to come, where the container said how many.
    pub remaining: Option<u64>,
    pub is_map: bool,
    /// Nothing of it has been read yet.
    pub is_first: bool,
    /// It ends with the input, not with a bracket: a head without its tail, a tail without its message.
    pub is_open: bool,
}

impl Container {
    pub fn array(items: Option<u64>) -> Self {
        Self { remaining: items, is_map: false, is_first: true, is_open: false }
    }

    pub fn map(pairs: Option<u64>) -> Self {
        Self { remaining: pairs, is_map: true, is_first: true, is_open: false }
    }

    /// Items back to back until the end of the input.
    pub fn open(items: Option<u64>) -> Self {
        Self { remaining: items, is_map: false, is_first: true, is_open: true }
    }

    /// [`Reader::more`] of a container that said how many items it has.
    pub fn count_down(&mut self, remaining: u64) -> bool {
        self.remaining = Some(remaining.saturating_sub(1));
        remaining > 0
    }
}

/// Reads one serializer's bytes, front to back. Every method refuses what is not well-formed where it meets it.
pub(super) trait Reader<'a> {
    /// The byte at which the next token begins.
    fn position(&mut self) -> usize;

    /// The byte behind the last token.
    fn offset(&self) -> usize;

    /// The next token, which is not a map key.
    fn token(&mut self) -> Step<Token<'a>>;

    /// The next map key.
    fn key(&mut self) -> Step<Token<'a>> {
        self.token()
    }

    /// Whether `container` has another item or pair; leaves the container where not.
    fn more(&mut self, container: &mut Container) -> Step<bool>;

    /// Takes a null or undefined, if that is what comes next.
    fn absent(&mut self) -> Step<bool>;

    /// Whether the serializer's encoders write integers as floats (JavaScript's do, beyond 2^32).
    fn has_integral_floats(&self) -> bool {
        true
    }

    /// Proves that one item with at most `depth` levels of containers is well-formed.
    fn skip(&mut self, depth: usize) -> Step<()>;

    /// Leaves a list with at most `levels` levels, itself included, if that is what plainly comes next.
    #[cfg(not(target_family = "wasm"))]
    fn quick_list(&mut self, levels: usize) -> bool;

    /// Proves that nothing follows.
    fn finish(&mut self) -> Step<()>;
}

/// The next `len` bytes of a binary frame that has been read up to `at`.
pub(super) fn take<'a>(bytes: &'a [u8], at: &mut usize, len: u64) -> Step<&'a [u8]> {
    let rest = bytes.get(*at..).unwrap_or_default();
    match usize::try_from(len).ok().and_then(|len| rest.get(..len)) {
        Some(taken) => {
            *at += taken.len();
            Ok(taken)
        }
        None => Err(expected("the rest of a value", bytes.len(), Found::End)),
    }
}

/// Proves that nothing follows in a frame that has been read up to `at`.
pub(super) fn end_of_frame(bytes: &[u8], at: usize) -> Step<()> {
    match Found::byte(bytes, at) {
        Found::End => Ok(()),
        found => Err(expected("the end of the frame", at, found)),
    }
}

/// [`Reader::skip`] for serializers in which skipping costs no less than reading.
pub(super) fn walk<'a, R: Reader<'a>>(reader: &mut R, depth: usize) -> Step<()> {
    let at = reader.position();
    loop {
        let mut container = match reader.token()? {
            Token::Array(items) => Container::array(items),
            Token::Map(pairs) => Container::map(pairs),
            Token::Tag(_) => continue,
            _ => return Ok(()),
        };
        let Some(depth) = depth.checked_sub(1) else { return Err(too_deep(at)) };
        while reader.more(&mut container)? {
            if container.is_map {
                walk(reader, depth)?;
            }
            walk(reader, depth)?;
        }
        return Ok(());
    }
}

/// The next token behind any tags, which say nothing to WAMP but for the two that make big integers of byte strings.
#[inline]
pub(super) fn untagged<'a, R: Reader<'a> + ?Sized>(reader: &mut R) -> Step<Token<'a>> {
    match reader.token() {
        Ok(Token::Tag(tag)) => behind_tag(reader, tag),
        token => token,
    }
}

#[cold]
fn behind_tag<'a, R: Reader<'a> + ?Sized>(reader: &mut R, mut tag: u64) -> Step<Token<'a>> {
    loop {
        let at = reader.position();
        match (tag, reader.token()?) {
            (_, Token::Tag(next)) => tag = next,
            (2 | 3, Token::Bytes(bytes)) => {
                let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
                if bytes.len() > 8 {
                    return Err(expected("an integer of at most 64 bits", at, Found::Kind("a bignum")));
                }
                let value = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
                return Ok(if tag == 2 { Token::Unsigned(value) } else { Token::Negative(value) });
            }
            (_, token) => return Ok(token),
        }
    }
}

/// The length of the common beginning of `bytes` that needs no attention in a JSON string: no quote, backslash or
/// control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut len = 0;
    // Eight bytes at a time. A borrow can only raise false alarms behind a true one, and the lowest alarm counts.
    while let Some(chunk) = bytes.get(len..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero_where = |byte: u8| {
            let word = word ^ (ONES * u64::from(byte));
            word.wrapping_sub(ONES) & !word
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let alarms = (control | zero_where(b'"') | zero_where(b'\\')) & HIGH;
        if alarms != 0 {
            return len + (alarms.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count()
}

/// The outcome of reading a little. The fault is boxed to keep the good case in registers.
pub(super) type Step<T> = Result<T, Box<Fault>>;

/// What is wrong with the bytes, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub at: usize,
    pub problem: Problem,
}

#[derive(Debug, PartialEq)]
pub(super) enum Problem {
    Expected(&'static str, Found),
    DuplicateKey(String),
    TooDeep,
    TooManyValues,
    NotFromClient,
}

#[derive(Debug, PartialEq)]
pub(super) enum Found {
    End,
    Byte(u8),
    Kind(&'static str),
    /// A kind of which there are many, and which one.
    Numbered(&'static str, i16),
    Number(u64),
    Text(String),
}

impl Found {
    /// A token, as exactly as it helps.
    pub fn token(token: &Token<'_>) -> Self {
        match token {
            Token::Ext(number) => Self::Numbered("extension type", i16::from(*number)),
            Token::Simple(number) => Self::Numbered("simple value", i16::from(*number)),
            token => Self::Kind(token.kind()),
        }
    }

    /// What follows in `bytes`.
    pub fn byte(bytes: &[u8], at: usize) -> Self {
        bytes.get(at).map_or(Self::End, |byte| Self::Byte(*byte))
    }

    /// `text`, cut to what fits an error message.
    pub fn text(text: &str) -> Self {
        let end = text.char_indices().nth(MAX_QUOTE).map_or(text.len(), |(at, _)| at);
        let dots = if end < text.len() { "..." } else { "" };
        Self::Text(format!("{}{dots}", &text[..end]))
    }
}

#[cold]
pub(super) fn expected(what: &'static str, at: usize, found: Found) -> Box<Fault> {
    Box::new(Fault { at, problem: Problem::Expected(what, found) })
}

#[cold]
pub(super) fn duplicate_key(key: &str, at: usize) -> Box<Fault> {
    let Found::Text(key) = Found::text(key) else { unreachable!("text() makes Text") };
    Box::new(Fault { at, problem: Problem::DuplicateKey(key) })
}

#[cold]
pub(super) fn too_deep(at: usize) -> Box<Fault> {
    Box::new(Fault { at, problem: Problem::TooDeep })
}

#[cold]
pub(super) fn too_many_values(at: usize) -> Box<Fault> {
    Box::new(Fault { at, problem: Problem::TooManyValues })
}

#[cold]
pub(super) fn not_from_client() -> Box<Fault> {
    Box::new(Fault { at: 0, problem: Problem::NotFromClient })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.problem {
            Problem::Expected(what, found) => write!(f, "expected {what} at byte {at}, found {found}"),
            Problem::DuplicateKey(key) => {
                write!(f, "expected each key once, found {key:?} again at byte {at}")
            }
            Problem::TooDeep => write!(f, "lists and maps are nested too deep at byte {at}"),
            Problem::TooManyValues => write!(f, "a dictionary holds more values than it may at byte {at}"),
            Problem::NotFromClient => f.write_str("a client does not send this message"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("the end of the frame"),
            Self::Byte(byte @ b' '..=b'~') => write!(f, "`{}`", char::from(*byte)),
            Self::Byte(byte) => write!(f, "byte 0x{byte:02x}"),
            Self::Kind(kind) => f.write_str(kind),
            Self::Numbered(kind, number) => write!(f, "{kind} {number}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Deepest nesting that the codecs accept, whatever the limits say: reading recurses once per level.
pub(super) const MAX_DEPTH: usize = 512;

/// Characters of the peer's text that an error message repeats.
const MAX_QUOTE: usize = 40;

#[cfg(test)]
mod tests {
    use super::plain_len;

    #[test]
    fn plain_text_ends_at_the_first_byte_that_json_escapes() {
        for special in [b'"', b'\\', 0, 9, 0x1f] {
            for length in 0..40 {
                for at in 0..=length {
                    let mut text = vec![b'!'; length];
                    text.extend([0x7f, 0x80, 0xff, b'#', b'[']);
                    text.insert(at, special);
                    assert_eq!(plain_len(&text), at, "{special} at {at} of {length}");
                }
            }
        }
        assert_eq!(plain_len("äöü€😀 plain".as_bytes()), "äöü€😀 plain".len());
    }
}
