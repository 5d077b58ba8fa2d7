//! Reading MessagePack.
//!
//! Owns the token level: markers, lengths, UTF-8. Refuses the unused marker `c1`. Extension types are well-formed and
//! pass in tails; the one that stands for JavaScript's `undefined` is a token of its own.

use std::borrow::Cow;

#[cfg(not(target_family = "wasm"))]
use super::quick::{MsgPackScan, Scan as _};
use super::reader::{Container, Found, Reader, Step, Token, end_of_frame, expected, take, walk};

/// A [`Reader`] of MessagePack.
pub(super) struct MsgPackReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> MsgPackReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, len: u64) -> Step<&'a [u8]> {
        take(self.bytes, &mut self.at, len)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let taken = self.take(N as u64)?;
        Ok(*taken.first_chunk().expect("take() gives as many bytes as asked"))
    }

    /// A big-endian unsigned integer of `width` bytes.
    fn uint(&mut self, width: u64) -> Step<u64> {
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn str(&mut self, len: u64) -> Step<Token<'a>> {
        let start = self.at;
        let bytes = self.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Token::Str(Cow::Borrowed(text))),
            Err(error) => {
                let at = start + error.valid_up_to();
                Err(expected("UTF-8", at, Found::byte(self.bytes, at)))
            }
        }
    }

    fn bin(&mut self, len: u64) -> Step<Token<'a>> {
        Ok(Token::Bytes(Cow::Borrowed(self.take(len)?)))
    }

    fn ext(&mut self, len: u64) -> Step<Token<'a>> {
        let [kind] = self.array()?;
        self.take(len)?;
        Ok(Token::Ext(i8::from_be_bytes([kind])))
    }

    /// Goes where a scan from here on gets to, if it gets anywhere.
    #[cfg(not(target_family = "wasm"))]
    fn quick(&mut self, scan: impl FnOnce(&mut MsgPackScan<'a>) -> Option<()>) -> bool {
        let mut quick = MsgPackScan::new(self.bytes, self.at);
        if scan(&mut quick).is_none() {
            return false;
        }
        self.at = quick.position();
        true
    }
}

impl<'a> Reader<'a> for MsgPackReader<'a> {
    fn position(&mut self) -> usize {
        self.at
    }

    fn offset(&self) -> usize {
        self.at
    }

    fn token(&mut self) -> Step<Token<'a>> {
        let Some(&marker) = self.bytes.get(self.at) else {
            return Err(expected("a value", self.at, Found::End));
        };
        if self.bytes[self.at..].starts_with(UNDEFINED) {
            self.at += UNDEFINED.len();
            return Ok(Token::Undefined);
        }
        self.at += 1;
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(u64::from(marker)),
            0x80..=0x8f => Token::Map(Some(u64::from(marker & 0x0f))),
            0x90..=0x9f => Token::Array(Some(u64::from(marker & 0x0f))),
            0xa0..=0xbf => self.str(u64::from(marker & 0x1f))?,
            0xc0 => Token::Null,
            0xc1 => return Err(expected("a value", self.at - 1, Found::Byte(marker))),
            0xc2 | 0xc3 => Token::Bool(marker == 0xc3),
            0xc4..=0xc6 => {
                let len = self.uint(1 << (marker - 0xc4))?;
                self.bin(len)?
            }
            0xc7..=0xc9 => {
                let len = self.uint(1 << (marker - 0xc7))?;
                self.ext(len)?
            }
            0xca => Token::Float(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc..=0xcf => Token::Unsigned(self.uint(1 << (marker - 0xcc))?),
            0xd0 => signed(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => signed(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => signed(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.ext(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.uint(1 << (marker - 0xd9))?;
                self.str(len)?
            }
            0xdc | 0xdd => Token::Array(Some(self.uint(2 << (marker - 0xdc))?)),
            0xde | 0xdf => Token::Map(Some(self.uint(2 << (marker - 0xde))?)),
            0xe0..=0xff => signed(i64::from(i8::from_be_bytes([marker]))),
        })
    }

    fn more(&mut self, container: &mut Container) -> Step<bool> {
        Ok(container.count_down(container.remaining.unwrap_or_default()))
    }

    fn absent(&mut self) -> Step<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = match rest.first() {
            Some(0xc0) => 1,
            Some(0xd4) if rest.starts_with(UNDEFINED) => UNDEFINED.len(),
            _ => return Ok(false),
        };
        self.at += len;
        Ok(true)
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

fn signed(value: i64) -> Token<'static> {
    match u64::try_from(value) {
        Ok(value) => Token::Unsigned(value),
        // !v is -1 - v.
        Err(_) => Token::Negative(!value as u64),
    }
}

/// Fixext 1 of type 0 with the byte 0: how JavaScript's encoders write `undefined`.
const UNDEFINED: &[u8] = &[0xd4, 0x00, 0x00];
