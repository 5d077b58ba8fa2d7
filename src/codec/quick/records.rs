//! The quick way through the items of a list that have one layout, as records do.
//!
//! The walk takes a step for each key, number and text. But where a record begins like the one before, and the one behind
//! it does too, it mostly has its markers where the first has them. Then it is as well-formed as that, whatever its
//! numbers are, and its texts as long as they are ASCII: one comparison under a mask sees that, in a third of the time.

use super::alike::{WINDOW, common_bits};
use super::binary::{Markers, behind_item};

/// Items of the shortest list in which a layout is worth its making.
pub(super) const MANY: u64 = 4;

/// How many items of a list are walked in search of a layout.
const WALKS: usize = 4;

/// Bytes of the shortest record that is compared: so many at once.
const CHUNK: usize = 16;

/// Bytes of the longest record that is compared.
const LONGEST: usize = 256;

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
