//! The quick way through MessagePack: a jump by the marker, and what is left of each open level.

use super::{Elements, MAX_LEVELS, Pairs, Scan, counted_element, counted_key, text, text_end};

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
        let marker = *self.bytes.get(self.at)?;
        let at = self.at + 1;
        let (left, end) = match marker {
            0x80..=0x8f => (u64::from(marker & 0x0f), at),
            0xde | 0xdf => uint(self.bytes, at, 2 << (marker - 0xde))?,
            _ => return None,
        };
        self.at = end;
        Some(Pairs { left, is_first: true })
    }

    #[inline]
    fn key(&mut self, pairs: &mut Pairs) -> Option<Option<&'a str>> {
        counted_key(self, pairs)
    }

    #[inline]
    fn uint(&mut self) -> Option<u64> {
        let marker = *self.bytes.get(self.at)?;
        let at = self.at + 1;
        let (value, end) = match marker {
            0x00..=0x7f => (u64::from(marker), at),
            0xcc..=0xcf => uint(self.bytes, at, 1 << (marker - 0xcc))?,
            _ => return None,
        };
        self.at = end;
        Some(value)
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        let marker = *self.bytes.get(self.at)?;
        let at = self.at + 1;
        let (len, start) = match marker {
            0xa0..=0xbf => (u64::from(marker & 0x1f), at),
            0xd9..=0xdb => uint(self.bytes, at, 1 << (marker - 0xd9))?,
            _ => return None,
        };
        text(self.bytes, start, len, &mut self.at)
    }

    #[inline]
    fn bool(&mut self) -> Option<bool> {
        let marker @ (0xc2 | 0xc3) = *self.bytes.get(self.at)? else { return None };
        self.at += 1;
        Some(marker == 0xc3)
    }

    #[inline]
    fn item(&mut self, levels: usize) -> Option<()> {
        self.at = item_end(self.bytes, self.at, levels)?;
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
    fn position(&self) -> usize {
        self.at
    }
}

/// The end of the item that begins at `at` and has at most `levels` levels of lists and maps.
fn item_end(bytes: &[u8], mut at: usize, levels: usize) -> Option<usize> {
    let levels = levels.min(MAX_LEVELS);
    // Items to come in the lists and maps around the innermost one.
    let mut around = [0u64; MAX_LEVELS];
    let mut level = 0;
    let mut left = 1u64;
    loop {
        let marker = *bytes.get(at)?;
        left -= 1;
        let (items, start) = match marker {
            0xa0..=0xbf => {
                at = text_end(bytes, at + 1, usize::from(marker & 0x1f))?;
                (0, None)
            }
            0x80..=0x8f => (2 * u64::from(marker & 0x0f), Some(at + 1)),
            0x90..=0x9f => (u64::from(marker & 0x0f), Some(at + 1)),
            0xc1 => return None,
            0xd9..=0xdb => {
                let (len, start) = uint(bytes, at + 1, 1 << (marker - 0xd9))?;
                at = text_end(bytes, start, usize::try_from(len).ok()?)?;
                (0, None)
            }
            0xc4..=0xc6 => {
                let (len, start) = uint(bytes, at + 1, 1 << (marker - 0xc4))?;
                at = start.checked_add(usize::try_from(len).ok()?)?;
                (0, None)
            }
            0xc7..=0xc9 => {
                let (len, start) = uint(bytes, at + 1, 1 << (marker - 0xc7))?;
                at = start.checked_add(usize::try_from(len).ok()?)?.checked_add(1)?;
                (0, None)
            }
            0xdc | 0xdd => {
                let (items, start) = uint(bytes, at + 1, 2 << (marker - 0xdc))?;
                (items, Some(start))
            }
            0xde | 0xdf => {
                let (pairs, start) = uint(bytes, at + 1, 2 << (marker - 0xde))?;
                (2 * pairs, Some(start))
            }
            // What is beyond the end is noticed at the next item, or at the last.
            _ => {
                at += usize::from(LENGTHS[usize::from(marker)]);
                (0, None)
            }
        };
        if let Some(start) = start {
            if level == levels {
                return None;
            }
            around[level] = left;
            level += 1;
            left = items;
            at = start;
        }
        while left == 0 {
            let Some(outer) = level.checked_sub(1) else { return (at <= bytes.len()).then_some(at) };
            level = outer;
            left = around[level];
        }
    }
}

/// A big-endian integer of `width` bytes at `at`, and its end.
#[inline]
fn uint(bytes: &[u8], at: usize, width: usize) -> Option<(u64, usize)> {
    let end = at + width;
    let value = bytes.get(at..end)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((value, end))
}

/// Bytes of the items whose marker says all about their length.
const LENGTHS: [u8; 256] = {
    let mut lengths = [1; 256];
    let fixed = [
        (0xca, 5),
        (0xcb, 9),
        (0xcc, 2),
        (0xcd, 3),
        (0xce, 5),
        (0xcf, 9),
        (0xd0, 2),
        (0xd1, 3),
        (0xd2, 5),
        (0xd3, 9),
        (0xd4, 3),
        (0xd5, 4),
        (0xd6, 6),
        (0xd7, 10),
        (0xd8, 18),
    ];
    let mut index = 0;
    while index < fixed.len() {
        lengths[fixed[index].0] = fixed[index].1;
        index += 1;
    }
    lengths
};
