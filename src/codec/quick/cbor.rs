//! The quick way through CBOR: items of definite length, and what is left of each open level.

use std::ops::RangeInclusive;

use super::super::Serializer;
use super::alike::alike;
use super::binary::{Item, MORE, Markers, behind_item, behind_text, uint};
use super::{Elements, Pairs, Scan, counted_element, counted_key, text, text_keyed_map};

/// A [`Scan`] of CBOR.
pub(in super::super) struct CborScan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> CborScan<'a> {
    /// A scan of `bytes` from `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Takes the head of an item of this major type; gives its argument.
    #[inline]
    fn head(&mut self, major: u8) -> Option<u64> {
        let (&initial, rest) = self.bytes.get(self.at..)?.split_first()?;
        if initial >> 5 != major {
            return None;
        }
        let (value, rest) = argument(initial, rest)?;
        self.at = self.bytes.len() - rest.len();
        Some(value)
    }
}

impl<'a> Scan<'a> for CborScan<'a> {
    type Tails = Cbor;

    #[inline]
    fn frame(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn begin(&mut self) -> Option<Elements> {
        let initial @ 0x81..=0x97 = *self.bytes.get(self.at)? else { return None };
        self.at += 1;
        Some((initial & 0x1f) - 1)
    }

    #[inline]
    fn element(&mut self, left: &mut Elements) -> Option<bool> {
        counted_element(left, self.at == self.bytes.len())
    }

    #[inline]
    fn empty_map(&mut self) -> bool {
        let is_empty = self.bytes.get(self.at) == Some(&0xa0);
        self.at += usize::from(is_empty);
        is_empty
    }

    #[inline]
    fn begin_map(&mut self) -> Option<Pairs> {
        let left = self.head(MAP)?;
        Some(Pairs { left, is_first: true })
    }

    #[inline]
    fn key(&mut self, pairs: &mut Pairs) -> Option<Option<&'a str>> {
        counted_key(self, pairs)
    }

    #[inline]
    fn uint(&mut self) -> Option<u64> {
        self.head(UNSIGNED)
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        let len = self.head(TEXT)?;
        text(self.bytes, self.at, len, &mut self.at)
    }

    #[inline]
    fn bool(&mut self) -> Option<bool> {
        let initial @ (0xf4 | 0xf5) = *self.bytes.get(self.at)? else { return None };
        self.at += 1;
        Some(initial == 0xf5)
    }

    #[inline]
    fn item(&mut self, levels: usize) -> Option<()> {
        self.at = self.bytes.len() - behind_item::<Cbor>(self.bytes.get(self.at..)?, levels)?.len();
        Some(())
    }

    #[inline]
    fn list(&mut self, levels: usize) -> Option<()> {
        if *self.bytes.get(self.at)? >> 5 != LIST {
            return None;
        }
        self.item(levels)
    }

    #[inline]
    fn map(&mut self, levels: usize) -> Option<()> {
        text_keyed_map(self, levels)
    }

    #[inline]
    fn position(&self) -> usize {
        self.at
    }
}

/// The initial bytes of items, all of definite length.
pub(crate) struct Cbor;

impl Markers for Cbor {
    const SERIALIZER: Serializer = Serializer::Cbor;
    const TEXT: u8 = 0x60;
    const SHORT: u8 = 23;
    const LONG: RangeInclusive<u8> = 0x78..=0x7b;
    const LENGTHS: &'static [u8; 256] = &{
        let mut lengths = [MORE; 256];
        let mut initial = 0;
        while initial < lengths.len() {
            lengths[initial] = match initial {
                0x00..=0x17 | 0x20..=0x37 | 0xe0..=0xf7 => 0,
                0x18 | 0x38 => 1,
                0x19 | 0x39 | 0xf9 => 2,
                0x1a | 0x3a | 0xfa => 4,
                0x1b | 0x3b | 0xfb => 8,
                _ => MORE,
            };
            initial += 1;
        }
        lengths
    };
    const ALIKE: &'static [u8; 256] = &alike(Self::LENGTHS);

    #[inline(always)]
    fn more(initial: u8, rest: &[u8]) -> Option<Item<'_>> {
        let (argument, rest) = argument(initial, rest)?;
        Some(match initial >> 5 {
            BYTES => Item::End(rest.get(usize::try_from(argument).ok()?..)?),
            TEXT => Item::End(behind_text(rest, argument)?),
            LIST => Item::List(argument, rest),
            MAP => Item::Map(argument, rest),
            // The tagged item is still to come. As a list it counts as a level, which the careful reader does not.
            TAG => Item::List(1, rest),
            // Some two-byte forms of simple values are not well-formed. [RFC 8949, 3.3]
            _ => return None,
        })
    }
}

/// The argument in the head of an item, and what is behind the head.
#[inline]
fn argument(initial: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    match initial & 0x1f {
        info @ 0..=23 => Some((u64::from(info), rest)),
        info => uint(rest, info - 24),
    }
}

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
