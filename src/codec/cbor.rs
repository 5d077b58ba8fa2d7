//! Reading CBOR.
//!
//! Owns the token level of RFC 8949: heads, indefinite lengths, half floats, UTF-8. Refuses reserved additional
//! information, breaks where nothing indefinite ends, and chunks of the wrong kind. Tags are passed on as tokens.

use std::borrow::Cow;

#[cfg(not(target_family = "wasm"))]
use super::quick::{CborScan, Scan as _};
use super::reader::{Container, Found, Reader, Step, Token, end_of_frame, expected, take, walk};

/// A [`Reader`] of CBOR.
pub(super) struct CborReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The head of an item: its major type and its argument, `None` for an indefinite length.
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

impl<'a> CborReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, len: u64) -> Step<&'a [u8]> {
        take(self.bytes, &mut self.at, len)
    }

    fn head(&mut self) -> Step<Head> {
        let at = self.at;
        let Some(&initial) = self.bytes.get(at) else { return Err(expected("a value", at, Found::End)) };
        self.at += 1;
        let (major, info) = (initial >> 5, initial & 0x1f);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            31 if (2..=5).contains(&major) => None,
            _ if initial == BREAK => return Err(expected("a value", at, Found::Kind("a break"))),
            _ => return Err(expected("a value", at, Found::Byte(initial))),
        };
        Ok(Head { major, info, argument })
    }

    fn text(&self, start: usize, bytes: &'a [u8]) -> Step<&'a str> {
        std::str::from_utf8(bytes).map_err(|error| {
            let at = start + error.valid_up_to();
            expected("UTF-8", at, Found::byte(self.bytes, at))
        })
    }

    /// The next chunk of a string of indefinite length; `None` at its break.
    fn chunk(&mut self, major: u8) -> Step<Option<&'a [u8]>> {
        let at = self.at;
        if self.bytes.get(at) == Some(&BREAK) {
            self.at += 1;
            return Ok(None);
        }
        match self.head()? {
            Head { major: chunk, argument: Some(len), .. } if chunk == major => self.take(len).map(Some),
            _ => Err(expected("a chunk of the same string", at, Found::byte(self.bytes, at))),
        }
    }

    fn bytes_token(&mut self, len: Option<u64>) -> Step<Token<'a>> {
        if let Some(len) = len {
            return Ok(Token::Bytes(Cow::Borrowed(self.take(len)?)));
        }
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk(2)? {
            whole.extend_from_slice(chunk);
        }
        Ok(Token::Bytes(Cow::Owned(whole)))
    }

    fn text_token(&mut self, len: Option<u64>) -> Step<Token<'a>> {
        if let Some(len) = len {
            let start = self.at;
            let bytes = self.take(len)?;
            return Ok(Token::Str(Cow::Borrowed(self.text(start, bytes)?)));
        }
        let mut whole = String::new();
        while let Some(chunk) = self.chunk(3)? {
            // Each chunk is UTF-8 by itself. [RFC 8949, 3.2.3]
            whole.push_str(self.text(self.at - chunk.len(), chunk)?);
        }
        Ok(Token::Str(Cow::Owned(whole)))
    }

    /// Goes where a scan from here on gets to, if it gets anywhere.
    #[cfg(not(target_family = "wasm"))]
    fn quick(&mut self, scan: impl FnOnce(&mut CborScan<'a>) -> Option<()>) -> bool {
        let mut quick = CborScan::new(self.bytes, self.at);
        if scan(&mut quick).is_none() {
            return false;
        }
        self.at = quick.position();
        true
    }
}

impl<'a> Reader<'a> for CborReader<'a> {
    fn position(&mut self) -> usize {
        self.at
    }

    fn offset(&self) -> usize {
        self.at
    }

    fn token(&mut self) -> Step<Token<'a>> {
        let at = self.at;
        let Head { major, info, argument } = self.head()?;
        Ok(match (major, argument) {
            (2, len) => self.bytes_token(len)?,
            (3, len) => self.text_token(len)?,
            (4, items) => Token::Array(items),
            (5, pairs) => Token::Map(pairs),
            (0, Some(value)) => Token::Unsigned(value),
            (1, Some(value)) => Token::Negative(value),
            (6, Some(tag)) => Token::Tag(tag),
            (_, argument) => {
                let value = argument.unwrap_or_default();
                match info {
                    20 | 21 => Token::Bool(info == 21),
                    22 => Token::Null,
                    23 => Token::Undefined,
                    // Two-byte forms of one-byte values are not well-formed. [RFC 8949, 3.3]
                    24 if value < 32 => {
                        return Err(expected("a value", at + 1, Found::byte(self.bytes, at + 1)));
                    }
                    25 => Token::Float(half(value as u16)),
                    26 => Token::Float(f64::from(f32::from_bits(value as u32))),
                    27 => Token::Float(f64::from_bits(value)),
                    _ => Token::Simple(value as u8),
                }
            }
        })
    }

    fn more(&mut self, container: &mut Container) -> Step<bool> {
        if let Some(remaining) = container.remaining {
            return Ok(container.count_down(remaining));
        }
        let ends = self.bytes.get(self.at) == Some(&BREAK);
        self.at += usize::from(ends);
        Ok(!ends)
    }

    fn absent(&mut self) -> Step<bool> {
        let absent = matches!(self.bytes.get(self.at), Some(0xf6 | 0xf7));
        self.at += usize::from(absent);
        Ok(absent)
    }

    fn skip(&mut self, depth: usize) -> Step<()> {
        #[cfg(not(target_family = "wasm"))]
        if self.quick(|scan| scan.item(depth)) {
            return Ok(());
        }
        walk(self, depth)
    }

    #[cfg(not(target_family = "wasm"))]
    fn quick_list(&mut self, levels: usize) -> bool {
        self.quick(|scan| scan.list(levels))
    }

    fn finish(&mut self) -> Step<()> {
        end_of_frame(self.bytes, self.at)
    }
}

/// An IEEE 754 half-precision float. [RFC 8949, appendix D]
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// Ends what has an indefinite length.
const BREAK: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn half_floats_are_read_as_appendix_a_of_rfc_8949_says() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0x7bff, 65504.0),
            (0x0001, 5.960464477539063e-8),
            (0x0400, 0.00006103515625),
            (0xc400, -4.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
        assert!(half(0x8000).is_sign_negative());
    }
}
