//! The quick way through an item of MessagePack or CBOR, which differ in little but the values of their markers.
//!
//! Each step depends on the one before it, by as much as it takes to read a marker and to add up. The processor does not
//! wait where it can guess a branch: so lengths that repeat in lists of records (of keys, floats, booleans) are decided
//! by branches, and those that hardly ever do (of texts, integers) by arithmetic alone.

use std::ops::RangeInclusive;

use super::super::Serializer;
use super::records::{MANY, behind_records};
use super::utf8;

/// The markers of a serializer: the first bytes of its items.
pub(super) trait Markers {
    /// Which of the two they are of.
    const SERIALIZER: Serializer;

    /// The marker of the empty text, behind which those of short texts follow.
    const TEXT: u8;

    /// Bytes of the longest text of these.
    const SHORT: u8;

    /// The markers of the longer ones, which have 1, 2, 4 or 8 bytes of length behind them.
    const LONG: RangeInclusive<u8>;

    /// For each marker how many bytes are behind it, or [`MORE`].
    const LENGTHS: &'static [u8; 256];

    /// For each marker the bits that it shares with others that say the same length.
    const ALIKE: &'static [u8; 256];

    /// Takes what is behind a marker that says no length.
    fn more(marker: u8, rest: &[u8]) -> Option<Item<'_>>;
}

/// In [`Markers::LENGTHS`]: not the marker alone says it.
pub(super) const MORE: u8 = u8::MAX;

/// How an item went on, and the bytes behind that.
pub(super) enum Item<'a> {
    /// To its end.
    End(&'a [u8]),
    /// With so many items.
    List(u64, &'a [u8]),
    /// With so many pairs of items.
    Map(u64, &'a [u8]),
}

/// Deepest nesting that the walk follows: it counts what is left of each level on the stack.
const MAX_LEVELS: usize = 16;

/// What is behind the first item, if that has at most `levels` levels of lists and maps.
pub(super) fn behind_item<M: Markers>(mut rest: &[u8], levels: usize) -> Option<&[u8]> {
    let levels = levels.min(MAX_LEVELS);
    // Of the lists and maps around the innermost one, twice the items or pairs to come, and one more for a map.
    let mut around = [0u64; MAX_LEVELS];
    let mut level = 0;
    let (mut left, mut is_map) = (1, false);
    loop {
        let item =
            if is_map { items::<M, true>(rest, &mut left)? } else { items::<M, false>(rest, &mut left)? };
        let outer = left << 1 | u64::from(is_map);
        (left, is_map, rest) = match item {
            Item::List(items, rest) => (items, false, rest),
            Item::Map(pairs, rest) => (pairs, true, rest),
            Item::End(rest) if level == 0 => return Some(rest),
            Item::End(behind) => {
                level -= 1;
                (left, is_map, rest) = (around[level] >> 1, around[level] & 1 == 1, behind);
                continue;
            }
        };
        // Every item takes a byte at least.
        if level == levels || left > rest.len() as u64 {
            return None;
        }
        around[level] = outer;
        level += 1;
        if !is_map && left >= MANY && rest.first().is_some_and(|marker| is_inner::<M>(*marker)) {
            (left, rest) = behind_records::<M>(rest, left, levels - level)?;
        }
    }
}

/// Whether a marker may be that of a list or of a map.
#[inline]
fn is_inner<M: Markers>(marker: u8) -> bool {
    marker.wrapping_sub(M::TEXT) > M::SHORT && M::LENGTHS[usize::from(marker)] == MORE
}

/// Leaves items, or in a map pairs, until none are left or one is a list or a map.
#[inline(always)]
fn items<'a, M: Markers, const IN_MAP: bool>(mut rest: &'a [u8], left: &mut u64) -> Option<Item<'a>> {
    while *left > 0 {
        *left -= 1;
        let item = if IN_MAP { behind_key::<M>(rest)? } else { rest };
        let (&marker, behind) = item.split_first()?;
        rest = if marker.wrapping_sub(M::TEXT) <= M::SHORT {
            behind_text(behind, u64::from(marker) - u64::from(M::TEXT))?
        } else {
            match M::LENGTHS[usize::from(marker)] {
                0 if IN_MAP => behind,
                8 => behind.get(8..)?,
                MORE => match M::more(marker, behind)? {
                    Item::End(behind) => behind,
                    inner => return Some(inner),
                },
                len => behind.get(usize::from(len)..)?,
            }
        };
    }
    Some(Item::End(rest))
}

/// What is behind a key that is neither a list nor a map.
#[inline(always)]
fn behind_key<M: Markers>(rest: &[u8]) -> Option<&[u8]> {
    // Short keys have a branch for each length, and one look at the head and the text.
    if let Some(word) = rest.first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        match (word as u8).wrapping_sub(M::TEXT) {
            1 if word & high_bits(1) == 0 => return rest.get(2..),
            2 if word & high_bits(2) == 0 => return rest.get(3..),
            3 if word & high_bits(3) == 0 => return rest.get(4..),
            4 if word & high_bits(4) == 0 => return rest.get(5..),
            5 if word & high_bits(5) == 0 => return rest.get(6..),
            6 if word & high_bits(6) == 0 => return rest.get(7..),
            7 if word & high_bits(7) == 0 => return rest.get(8..),
            _ => {}
        }
    }
    let (&marker, behind) = rest.split_first()?;
    let len = marker.wrapping_sub(M::TEXT);
    if len <= M::SHORT { behind_text(behind, len.into()) } else { behind_odd_key::<M>(marker, behind) }
}

/// The bits that are 0 where the `len` bytes behind the first one are ASCII.
const fn high_bits(len: u32) -> u64 {
    0x8080_8080_8080_8000 & u64::MAX >> (56 - 8 * len)
}

#[cold]
fn behind_odd_key<M: Markers>(marker: u8, rest: &[u8]) -> Option<&[u8]> {
    match M::LENGTHS[usize::from(marker)] {
        MORE => match M::more(marker, rest)? {
            Item::End(rest) => Some(rest),
            _ => None,
        },
        len => rest.get(usize::from(len)..),
    }
}

/// What is behind the text of `len` bytes that `rest` begins with.
#[inline(always)]
pub(super) fn behind_text(rest: &[u8], len: u64) -> Option<&[u8]> {
    // Most texts are short and ASCII. Whatever their length is, the same steps see that.
    if len <= WINDOW as u64
        && let Some(window) = rest.first_chunk::<WINDOW>()
    {
        let len = len as usize;
        let mask = HIGH_BITS[WINDOW - len..].first_chunk::<WINDOW>()?;
        if window.iter().zip(mask).fold(0, |all, (byte, mask)| all | byte & mask) == 0 {
            return Some(&rest[len..]);
        }
    }
    behind_any_text(rest, len)
}

/// Bytes that [`behind_text`] looks at.
const WINDOW: usize = 32;

/// From [`WINDOW`] - n on: the bits that are 0 in n bytes of ASCII, and none in what is behind them.
const HIGH_BITS: [u8; 2 * WINDOW] = {
    let mut bits = [0; 2 * WINDOW];
    bits.first_chunk_mut::<WINDOW>().expect("it is half as long").copy_from_slice(&[0x80; WINDOW]);
    bits
};

#[inline(never)]
fn behind_any_text(rest: &[u8], len: u64) -> Option<&[u8]> {
    let (text, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    (is_short_ascii(text) || utf8(text).is_some()).then_some(rest)
}

/// Words that overlap see up to sixteen bytes.
#[inline]
fn is_short_ascii(text: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        text.len() <= 16
            && (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & 0x8080_8080_8080_8080 == 0
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last)) & 0x8080_8080 == 0
    } else {
        text.iter().fold(0, |all, byte| all | byte) < 0x80
    }
}

/// A big-endian integer of 2^`power` bytes, up to eight, and what is behind it.
#[inline]
pub(super) fn uint(rest: &[u8], power: u8) -> Option<(u64, &[u8])> {
    match power {
        0 => rest.split_first().map(|(byte, rest)| (u64::from(*byte), rest)),
        1 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from(u16::from_be_bytes(*bytes)), rest)),
        2 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from(u32::from_be_bytes(*bytes)), rest)),
        3 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from_be_bytes(*bytes), rest)),
        _ => None,
    }
}
