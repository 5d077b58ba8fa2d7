//! The quick way through the items of a list that have one layout, as records do.
//!
//! The walk takes a step for each key, number and text. But where a record begins like the one before, and the one behind
//! it does too, it mostly has its markers where the first has them. Then it is as well-formed as that, whatever its
//! numbers are, and its texts as long as they are ASCII: one comparison under a mask sees that, in a third of the time.

use super::super::Serializer;
use super::binary::{Item, MORE, Markers, behind_item};
use super::layouts::{self, Alike};

/// Items of the shortest list in which a layout is worth its making.
pub(super) const MANY: u64 = 4;

/// How many items of a list are walked in search of a layout.
const WALKS: usize = 4;

/// Bytes of the shortest record that is compared: so many at once.
const CHUNK: usize = 16;

/// Bytes of the longest record that is compared.
const LONGEST: usize = 256;

/// Bytes of the mask that are written at once, at least as many as there are behind a marker that says a length.
const WINDOW: usize = 32;

/// What is behind the items that a list of `left` items begins with, and how many are left then.
#[inline(never)]
pub(super) fn behind_records<M: Markers>(
    mut rest: &[u8],
    mut left: u64,
    levels: usize,
) -> Option<(u64, &[u8])> {
    for _ in 0..WALKS {
        if left == 0 {
            break;
        }
        let behind = behind_item::<M>(rest, levels)?;
        let record = &rest[..rest.len() - behind.len()];
        (left, rest) = (left - 1, behind);
        if (CHUNK..=LONGEST).contains(&record.len()) && begin_alike(record, rest) {
            rest = behind_alike::<M>(record, rest, &mut left);
        }
    }
    Some((left, rest))
}

/// Whether another record seems to follow that is as long.
fn begin_alike(record: &[u8], rest: &[u8]) -> bool {
    let begin = record.first_chunk::<4>();
    begin == rest.first_chunk() && rest.get(record.len()..).is_some_and(|rest| begin == rest.first_chunk())
}

/// What is behind the records, at most `left`, that have the layout of `record`.
fn behind_alike<'a, M: Markers>(record: &[u8], mut rest: &'a [u8], left: &mut u64) -> &'a [u8] {
    let mut mask = [0; LONGEST + WINDOW];
    if common_bits::<M>(record, &mut mask).is_none() {
        return rest;
    }
    let mask = &mask[..record.len()];
    let (Some(last), Some(last_mask)) = (record.last_chunk(), mask.last_chunk()) else { return rest };
    let (chunks, masks) = (record.as_chunks().0, mask.as_chunks().0);
    while *left > 0
        && let Some((other, behind)) = rest.split_at_checked(record.len())
        && let Some(other_last) = other.last_chunk()
    {
        let mut differ = difference(other_last, last, last_mask);
        for ((other, chunk), mask) in other.as_chunks().0.iter().zip(chunks).zip(masks) {
            differ |= difference(other, chunk, mask);
        }
        if differ != 0 {
            break;
        }
        (*left, rest) = (*left - 1, behind);
    }
    rest
}

/// The bits under a mask in which bytes differ.
#[inline(always)]
fn difference(some: &[u8; CHUNK], others: &[u8; CHUNK], mask: &[u8; CHUNK]) -> u128 {
    (u128::from_ne_bytes(*some) ^ u128::from_ne_bytes(*others)) & u128::from_ne_bytes(*mask)
}

/// Finds the bits of well-formed items that all have whose markers are at the same places, whose texts are ASCII where
/// theirs are, and whose other texts and binaries are theirs. The mask is longer than the items by a [`WINDOW`].
#[inline(always)]
fn common_bits<M: Markers>(items: &[u8], mask: &mut [u8]) -> Option<()> {
    let mut rest = items;
    while let Some((&marker, behind)) = rest.split_first() {
        let mask = mask.get_mut(items.len() - rest.len()..)?;
        // The next marker writes over what is behind this item.
        let (here, window) = mask.split_first_chunk_mut::<1>()?;
        let window = window.first_chunk_mut::<WINDOW>()?;
        let len = marker.wrapping_sub(M::TEXT);
        *here = [u8::MAX];
        rest = if len <= M::SHORT {
            let (text, behind) = behind.split_at_checked(len.into())?;
            *window = [text_bits(text); WINDOW];
            behind
        } else {
            match M::LENGTHS[usize::from(marker)] {
                MORE => match M::more(marker, behind)? {
                    Item::List(_, behind) | Item::Map(_, behind) => {
                        *window = [u8::MAX; WINDOW];
                        behind
                    }
                    Item::End(behind) => {
                        let item = &rest[..rest.len() - behind.len()];
                        let mask = mask.get_mut(..item.len())?;
                        mask.fill(u8::MAX);
                        if M::LONG.contains(&marker) {
                            let head = 1 + (1 << (marker - M::LONG.start()));
                            mask[head..].fill(text_bits(&item[head..]));
                        }
                        behind
                    }
                },
                len => {
                    *here = [M::ALIKE[usize::from(marker)]];
                    *window = [0; WINDOW];
                    behind.get(len.into()..)?
                }
            }
        };
    }
    Some(())
}

/// For each byte the bits that others have, too.
impl<M: Markers> Alike for M {
    const SERIALIZER: Serializer = M::SERIALIZER;

    fn mark(tail: &[u8], marks: &mut Vec<u8>) -> Option<()> {
        marks.clear();
        marks.resize(tail.len() + WINDOW, 0);
        common_bits::<M>(tail, marks)?;
        marks.truncate(tail.len());
        Some(())
    }

    #[inline(always)]
    fn are_alike(
        bytes: &[u8; layouts::CHUNK],
        own: &[u8; layouts::CHUNK],
        marks: &[u8; layouts::CHUNK],
    ) -> bool {
        let bits = bytes.iter().zip(own).zip(marks);
        bits.fold(0, |all, ((byte, own), mark)| all | (byte ^ own) & mark) == 0
    }
}

/// The bits of each byte that another text of this length has, too, which then is one.
#[inline(always)]
fn text_bits(text: &[u8]) -> u8 {
    if text.is_ascii() { 0x80 } else { u8::MAX }
}

/// For each marker the bits that those around it share with it which say the same length.
pub(super) const fn alike(lengths: &[u8; 256]) -> [u8; 256] {
    let mut alike = [u8::MAX; 256];
    let mut marker = 0;
    while marker < alike.len() {
        let mut size = 1;
        while size <= 128 && is_one_length(lengths, marker & !(2 * size - 1), 2 * size) {
            size *= 2;
        }
        alike[marker] = !(size as u8 - 1);
        marker += 1;
    }
    alike
}

/// Whether all the `count` markers from `first` on say the same length.
const fn is_one_length(lengths: &[u8; 256], first: usize, count: usize) -> bool {
    let mut marker = first;
    while marker < first + count {
        if lengths[marker] != lengths[first] {
            return false;
        }
        marker += 1;
    }
    true
}
