//! The quick way through CBOR: items of definite length, and what is left of each open level.

use super::{Elements, MAX_LEVELS, Pairs, Scan, counted_element, counted_key, text, text_end};

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
        let initial = *self.bytes.get(self.at)?;
        if initial >> 5 != major {
            return None;
        }
        let (value, end) = argument(self.bytes, self.at, initial)?;
        self.at = end;
        Some(value)
    }
}

impl<'a> Scan<'a> for CborScan<'a> {
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
        self.at = item_end(self.bytes, self.at, levels)?;
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
    fn position(&self) -> usize {
        self.at
    }
}

/// The end of the item that begins at `at` and has at most `levels` levels of lists and maps, all of definite length.
fn item_end(bytes: &[u8], mut at: usize, levels: usize) -> Option<usize> {
    let levels = levels.min(MAX_LEVELS);
    // Items to come in the lists and maps around the innermost one.
    let mut around = [0u64; MAX_LEVELS];
    let mut level = 0;
    let mut left = 1u64;
    loop {
        let initial = *bytes.get(at)?;
        let (value, end) = argument(bytes, at, initial)?;
        at = end;
        match initial >> 5 {
            TEXT => at = text_end(bytes, at, usize::try_from(value).ok()?)?,
            BYTES => at = at.checked_add(usize::try_from(value).ok()?)?,
            kind @ (LIST | MAP) => {
                if level == levels {
                    return None;
                }
                around[level] = left - 1;
                level += 1;
                // One for the item that this one itself was.
                left = value.checked_mul(u64::from(kind - LIST) + 1)?.checked_add(1)?;
            }
            // The tagged item is still to come.
            TAG => continue,
            // Two-byte forms of one-byte values are not well-formed. [RFC 8949, 3.3]
            SIMPLE if initial == 0xf8 && value < 32 => return None,
            _ => {}
        }
        left -= 1;
        while left == 0 {
            let Some(outer) = level.checked_sub(1) else { return (at <= bytes.len()).then_some(at) };
            level = outer;
            left = around[level];
        }
    }
}

/// The argument in the head of an item, and the head's end.
#[inline]
fn argument(bytes: &[u8], at: usize, initial: u8) -> Option<(u64, usize)> {
    let start = at + 1;
    match initial & 0x1f {
        info @ 0..=23 => Some((u64::from(info), start)),
        info @ 24..=27 => {
            let end = start + (1 << (info - 24));
            let value = bytes.get(start..end)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            Some((value, end))
        }
        _ => None,
    }
}

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
