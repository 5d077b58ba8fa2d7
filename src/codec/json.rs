//! Reading JSON.
//!
//! Owns the token level of RFC 8259, strictly: no comments, no trailing commas, no bare control characters. The whole
//! frame must be UTF-8. A lone surrogate (`"\ud83d"`: what is left of an emoji that a JavaScript program cut in two)
//! is legal JSON and passes in tails; where text is really read it is refused in heads, because a URI must reach
//! everybody alike, and becomes U+FFFD in values.

use std::borrow::Cow;

use super::number::parse_float;
#[cfg(not(target_family = "wasm"))]
use super::quick::{JsonScan, Scan as _};
use super::reader::{Container, Found, Reader, Step, Token, expected, plain_len, too_deep};

/// A [`Reader`] of JSON.
pub(super) struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    is_lossy: bool,
}

impl<'a> JsonReader<'a> {
    /// A reader that refuses lone surrogates.
    pub fn new(bytes: &'a [u8]) -> Step<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0, is_lossy: false }),
            Err(error) => {
                let at = error.valid_up_to();
                Err(expected("UTF-8", at, Found::byte(bytes, at)))
            }
        }
    }

    /// A reader that replaces lone surrogates.
    pub fn lossy(bytes: &'a [u8]) -> Step<Self> {
        Ok(Self { is_lossy: true, ..Self::new(bytes)? })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The first byte behind white space.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        match self.peek() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => self.behind_white_space(),
            byte => byte,
        }
    }

    #[cold]
    fn behind_white_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn expected<T>(&self, what: &'static str) -> Step<T> {
        Err(expected(what, self.at, Found::byte(self.text.as_bytes(), self.at)))
    }

    fn literal(&mut self, literal: &'static str) -> Step<()> {
        for byte in literal.bytes() {
            if self.peek() != Some(byte) {
                return self.expected(literal);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Leaves the digits; there must be one.
    fn digits(&mut self) -> Step<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.expected("a digit") } else { Ok(()) }
    }

    /// Leaves a number; says whether it is an integer.
    fn scan_number(&mut self) -> Step<bool> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(is_integer)
    }

    fn number(&mut self) -> Step<Token<'a>> {
        let start = self.at;
        let is_integer = self.scan_number()?;
        let text = &self.text[start..self.at];
        if is_integer {
            let digits = text.strip_prefix('-');
            let value = digits
                .unwrap_or(text)
                .bytes()
                .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
            match (value, digits) {
                (Some(value), None) => return Ok(Token::Unsigned(value)),
                // -0 is a float; integers below i64 are too, as those above u64.
                (Some(value @ 1..=MAX_NEGATIVE), Some(_)) => return Ok(Token::Negative(value - 1)),
                _ => {}
            }
        }
        Ok(Token::Float(parse_float(text)))
    }

    /// Leaves a string; gives its inside and whether that has escapes.
    fn scan_string(&mut self) -> Step<(usize, usize, bool)> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain_len(&bytes[self.at..]);
            match bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start, self.at - 1, has_escapes));
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 1;
                    match bytes.get(self.at) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return self.expected("a hexadecimal digit");
                                }
                                self.at += 1;
                            }
                        }
                        _ => return self.expected("an escape character"),
                    }
                }
                Some(_) => return self.expected("control characters to be escaped"),
                None => return self.expected("the end of the string"),
            }
        }
    }

    fn string(&mut self) -> Step<Cow<'a, str>> {
        let (start, end, has_escapes) = self.scan_string()?;
        let text = &self.text[start..end];
        if has_escapes { self.unescape(start, text).map(Cow::Owned) } else { Ok(Cow::Borrowed(text)) }
    }

    /// `text` stands at `start` and has passed [`scan_string`](Self::scan_string).
    #[cold]
    fn unescape(&self, start: usize, text: &str) -> Step<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            out.push_str(plain);
            let at = start + text.len() - escape.len() - 1;
            let (kind, after) = escape.split_at(1);
            rest = after;
            match kind {
                "b" => out.push('\u{8}'),
                "f" => out.push('\u{c}'),
                "n" => out.push('\n'),
                "r" => out.push('\r'),
                "t" => out.push('\t'),
                "u" => {
                    let unit = code_unit(after);
                    rest = after.get(4..).unwrap_or_default();
                    let low =
                        rest.strip_prefix("\\u").map(code_unit).filter(|_| (0xd800..0xdc00).contains(&unit));
                    match char::decode_utf16([Some(unit), low].into_iter().flatten()).next() {
                        Some(Ok(char)) => {
                            out.push(char);
                            rest =
                                if char.len_utf16() == 2 { rest.get(6..).unwrap_or_default() } else { rest };
                        }
                        _ if self.is_lossy => out.push(char::REPLACEMENT_CHARACTER),
                        _ => return Err(expected("both halves of a surrogate pair", at, Found::Kind("one"))),
                    }
                }
                // `"`, `\` and `/` stand for themselves.
                _ => out.push_str(kind),
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn colon(&mut self) -> Step<()> {
        if self.next_byte() == Some(b':') {
            self.at += 1;
            return Ok(());
        }
        self.expected("`:`")
    }

    /// [`skip`](Reader::skip), to the byte that is wrong.
    pub fn walk(&mut self, depth: usize) -> Step<()> {
        let mut container = match self.next_byte() {
            Some(b'"') => return self.scan_string().map(drop),
            Some(b'-' | b'0'..=b'9') => return self.scan_number().map(drop),
            Some(b'[') => Container::array(None),
            Some(b'{') => Container::map(None),
            _ => return self.token().map(drop),
        };
        let Some(depth) = depth.checked_sub(1) else { return Err(too_deep(self.at)) };
        self.at += 1;
        while self.more(&mut container)? {
            if container.is_map {
                self.quote()?;
                self.scan_string()?;
                self.colon()?;
            }
            self.walk(depth)?;
        }
        Ok(())
    }

    fn quote(&mut self) -> Step<()> {
        if self.next_byte() == Some(b'"') { Ok(()) } else { self.expected("a string as key") }
    }

    /// Goes where a scan from here on gets to, if it gets anywhere.
    #[cfg(not(target_family = "wasm"))]
    fn quick(&mut self, scan: impl FnOnce(&mut JsonScan<'a>) -> Option<()>) -> bool {
        self.next_byte();
        let mut quick = JsonScan::new(self.text, self.at);
        if scan(&mut quick).is_none() {
            return false;
        }
        self.at = quick.position();
        true
    }
}

impl<'a> Reader<'a> for JsonReader<'a> {
    fn position(&mut self) -> usize {
        self.next_byte();
        self.at
    }

    fn offset(&self) -> usize {
        self.at
    }

    fn token(&mut self) -> Step<Token<'a>> {
        Ok(match self.next_byte() {
            Some(b'"') => Token::Str(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'[') => {
                self.at += 1;
                Token::Array(None)
            }
            Some(b'{') => {
                self.at += 1;
                Token::Map(None)
            }
            Some(b't') => {
                self.literal("true")?;
                Token::Bool(true)
            }
            Some(b'f') => {
                self.literal("false")?;
                Token::Bool(false)
            }
            Some(b'n') => {
                self.literal("null")?;
                Token::Null
            }
            _ => return self.expected("a value"),
        })
    }

    fn key(&mut self) -> Step<Token<'a>> {
        self.quote()?;
        let key = self.string()?;
        self.colon()?;
        Ok(Token::Str(key))
    }

    fn more(&mut self, container: &mut Container) -> Step<bool> {
        let is_first = std::mem::replace(&mut container.is_first, false);
        match self.next_byte() {
            Some(b']') if !container.is_map && !container.is_open => {}
            Some(b'}') if container.is_map => {}
            None if container.is_open => return Ok(false),
            _ if is_first => return Ok(true),
            Some(b',') => {
                self.at += 1;
                return Ok(true);
            }
            _ if container.is_map => return self.expected("`,` or `}`"),
            _ if container.is_open => return self.expected("`,` or the end"),
            _ => return self.expected("`,` or `]`"),
        }
        self.at += 1;
        Ok(false)
    }

    fn absent(&mut self) -> Step<bool> {
        let is_null = self.next_byte() == Some(b'n');
        if is_null {
            self.literal("null")?;
        }
        Ok(is_null)
    }

    fn has_integral_floats(&self) -> bool {
        false
    }

    fn skip(&mut self, depth: usize) -> Step<()> {
        #[cfg(not(target_family = "wasm"))]
        if self.quick(|scan| scan.item(depth)) {
            return Ok(());
        }
        self.walk(depth)
    }

    #[cfg(not(target_family = "wasm"))]
    fn quick_list(&mut self, levels: usize) -> bool {
        self.quick(|scan| scan.list(levels))
    }

    fn finish(&mut self) -> Step<()> {
        if self.next_byte().is_none() { Ok(()) } else { self.expected("the end of the frame") }
    }
}

/// The UTF-16 code unit that four hexadecimal digits write.
fn code_unit(text: &str) -> u16 {
    text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

/// 2^63: the magnitude of the smallest i64.
const MAX_NEGATIVE: u64 = 1 << 63;
