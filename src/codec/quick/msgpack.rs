//! The quick way through MessagePack: a jump by the marker, and what is left of each open level.

use std::ops::RangeInclusive;

use super::super::Serializer;
use super::alike::alike;
use super::binary::{Item, MORE, Markers, behind_item, behind_text, uint};
use super::{Elements, Pairs, Scan, counted_element, counted_key, text, text_keyed_map};

/// A [`Scan`] of MessagePack.
pub(in super::super) struct MsgPackScan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> MsgPackScan<'a> {
    /// A scan of `bytes` from `at` on.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }
}

impl<'a> Scan<'a> for MsgPackScan<'a> {
    type Tails = MsgPack;

    #[inline]
    fn frame(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    fn begin(&mut self) -> Option<Elements> {
        let marker @ 0x91..=0x9f = *self.bytes.get(self.at)? else { return None };
        self.at += 1;
        Some((marker & 0x0f) - 1)
    }

    #[inline]
    fn element(&mut self, left: &mut Elements) -> Option<bool> {
        counted_element(left, self.at == self.bytes.len())
    }

    #[inline]
    fn empty_map(&mut self) -> bool {
        let is_empty = self.bytes.get(self.at) == Some(&0x80);
        self.at += usize::from(is_empty);
        is_empty
    }

    #[inline]
    fn begin_map(&mut self) -> Option<Pairs> {
        let (&marker, rest) = self.bytes.get(self.at..)?.split_first()?;
        let (left, rest) = match marker {
            0x80..=0x8f => (u64::from(marker & 0x0f), rest),
            0xde | 0xdf => uint(rest, marker - 0xdd)?,
            _ => return None,
        };
        self.at = self.bytes.len() - rest.len();
        Some(Pairs { left, is_first: true })
    }

    #[inline]
    fn key(&mut self, pairs: &mut Pairs) -> Option<Option<&'a str>> {
        counted_key(self, pairs)
    }

    #[inline]
    fn uint(&mut self) -> Option<u64> {
        let (&marker, rest) = self.bytes.get(self.at..)?.split_first()?;
        let (value, rest) = match marker {
            0x00..=0x7f => (u64::from(marker), rest),
            0xcc..=0xcf => uint(rest, marker - 0xcc)?,
            _ => return None,
        };
        self.at = self.bytes.len() - rest.len();
        Some(value)
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        let (&marker, rest) = self.bytes.get(self.at..)?.split_first()?;
        let (len, rest) = match marker {
            0xa0..=0xbf => (u64::from(marker & 0x1f), rest),
            0xd9..=0xdb => uint(rest, marker - 0xd9)?,
            _ => return None,
        };
        text(self.bytes, self.bytes.len() - rest.len(), len, &mut self.at)
    }

    #[inline]
    fn bool(&mut self) -> Option<bool> {
        let marker @ (0xc2 | 0xc3) = *self.bytes.get(self.at)? else { return None };
        self.at += 1;
        Some(marker == 0xc3)
    }

    #[inline]
    fn item(&mut self, levels: usize) -> Option<()> {
        self.at = self.bytes.len() - behind_item::<MsgPack>(self.bytes.get(self.at..)?, levels)?.len();
        Some(())
    }

    #[inline]
    fn list(&mut self, levels: usize) -> Option<()> {
        if !matches!(self.bytes.get(self.at), Some(0x90..=0x9f | 0xdc | 0xdd)) {
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

/// The markers of MessagePack.
pub(crate) struct MsgPack;

impl Markers for MsgPack {
    const SERIALIZER: Serializer = Serializer::MsgPack;
    const TEXT: u8 = 0xa0;
    const SHORT: u8 = 31;
    const LONG: RangeInclusive<u8> = 0xd9..=0xdb;
    const LENGTHS: &'static [u8; 256] = &{
        let mut lengths = [MORE; 256];
        let mut marker = 0;
        while marker < lengths.len() {
            lengths[marker] = match marker {
                0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 0,
                0xcc | 0xd0 => 1,
                0xcd | 0xd1 | 0xd4 => 2,
                0xd5 => 3,
                0xca | 0xce | 0xd2 => 4,
                0xd6 => 5,
                0xcb | 0xcf | 0xd3 => 8,
                0xd7 => 9,
                0xd8 => 17,
                _ => MORE,
            };
            marker += 1;
        }
        lengths
    };
    const ALIKE: &'static [u8; 256] = &alike(Self::LENGTHS);

    #[inline(always)]
    fn more(marker: u8, rest: &[u8]) -> Option<Item<'_>> {
        Some(match marker {
            0x80..=0x8f => Item::Map(u64::from(marker & 0x0f), rest),
            0x90..=0x9f => Item::List(u64::from(marker & 0x0f), rest),
            0xc4..=0xc6 => {
                let (len, rest) = uint(rest, marker - 0xc4)?;
                Item::End(rest.get(usize::try_from(len).ok()?..)?)
            }
            0xc7..=0xc9 => {
                let (len, rest) = uint(rest, marker - 0xc7)?;
                Item::End(rest.get(usize::try_from(len).ok()?.checked_add(1)?..)?)
            }
            0xd9..=0xdb => {
                let (len, rest) = uint(rest, marker - 0xd9)?;
                Item::End(behind_text(rest, len)?)
            }
            0xdc | 0xdd => {
                let (items, rest) = uint(rest, marker - 0xdb)?;
                Item::List(items, rest)
            }
            0xde | 0xdf => {
                let (pairs, rest) = uint(rest, marker - 0xdd)?;
                Item::Map(pairs, rest)
            }
            _ => return None,
        })
    }
}
