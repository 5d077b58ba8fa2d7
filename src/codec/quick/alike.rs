//! Which items of MessagePack or CBOR are alike: those whose markers are what and where those of others are.
//!
//! Their numbers may be any, and their texts, as long as they are ASCII, for then they are as well-formed.

use super::super::Serializer;
use super::binary::{Item, MORE, Markers};
use super::layouts::{Alike, CHUNK};

/// Bytes of the mask that are written at once, at least as many as there are behind a marker that says a length.
pub(super) const WINDOW: usize = 32;

/// Finds the bits of well-formed items that all have whose markers are at the same places, whose texts are ASCII where
/// theirs are, and whose other texts and binaries are theirs. The mask is longer than the items by a [`WINDOW`].
#[inline(always)]
pub(super) fn common_bits<M: Markers>(items: &[u8], mask: &mut [u8]) -> Option<()> {
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
    fn are_alike(bytes: &[u8; CHUNK], own: &[u8; CHUNK], marks: &[u8; CHUNK]) -> bool {
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
