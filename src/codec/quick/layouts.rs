//! The layouts of tails that came before: where their markers are.
//!
//! Most programs send messages of one shape again and again. A tail whose markers are what and where those of one before
//! it were is as well-formed as that, by the reasons that hold for [`records`](super::records): one comparison sees it,
//! in less than a third of the time of the walk. Owns a bounded number of such tails, one for each remainder of their lengths; it
//! does not matter whose they were. A tail that is like none of them is walked.

use super::super::{Serializer, TailSpan};
use super::binary::Markers;
use super::records::{WINDOW, common_bits};
use super::{Elements, Scan, walked_tail};

/// How many layouts are remembered.
const LAYOUTS: usize = 64;

/// Bytes of the shortest tail that is compared. The walk of shorter ones is as quick.
const SHORTEST: usize = 64;

/// Bytes of the longest tail that is compared: what is remembered takes twice that, 256 KiB all told.
const LONGEST: usize = 2048;

/// Tails of a remainder that are walked in a row before the last of them is remembered: that takes twice as long as a
/// walk, and must not be much to those who never send the same.
pub(super) const MISSES: u8 = 32;

/// Bytes that are compared at once.
const CHUNK: usize = 64;

/// What a router remembers.
#[derive(Debug)]
pub(crate) struct Layouts(pub(super) Box<[Layout]>);

/// A well-formed tail, and the bits of it that all have whose markers are at the same places.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    kind: Kind,
    /// How many in a row were not like it.
    misses: u8,
    tail: Vec<u8>,
    mask: Vec<u8>,
}

/// What decides with the bytes of a tail whether it is well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kind {
    serializer: Serializer,
    elements: u8,
    /// Levels of lists and maps that it may have.
    levels: usize,
}

impl Default for Layouts {
    fn default() -> Self {
        Self(vec![Layout::default(); LAYOUTS].into())
    }
}

/// [`Scan::tail`] in `bytes` for the serializers with markers.
#[inline]
pub(super) fn tail<'a, M: Markers>(
    scan: &mut impl Scan<'a>,
    bytes: &'a [u8],
    elements: &mut Elements,
    levels: usize,
    layouts: Option<&mut Layouts>,
) -> Option<TailSpan> {
    let (start, end) = (scan.position(), bytes.len());
    let tail = bytes.get(start..)?;
    let (Some(layouts), SHORTEST..=LONGEST) = (layouts, tail.len()) else {
        return walked_tail(scan, elements, levels);
    };
    let layout = layouts.0.get_mut(tail.len() % LAYOUTS)?;
    let kind = Kind { serializer: M::SERIALIZER, elements: *elements, levels };
    if layout.kind == kind && layout.is_of(tail) {
        layout.misses = 0;
        return Some(TailSpan { start, end, elements: kind.elements });
    }
    let walked = walked_tail(scan, elements, levels)?;
    layout.misses += 1;
    if layout.misses == MISSES {
        layout.remember::<M>(kind, tail);
    }
    Some(walked)
}

impl Layout {
    /// Whether a tail has this layout.
    #[inline]
    pub(super) fn is_of(&self, tail: &[u8]) -> bool {
        if tail.len() != self.tail.len() {
            return false;
        }
        let (Some(last), Some(own_last), Some(last_mask)) =
            (tail.last_chunk(), self.tail.last_chunk(), self.mask.last_chunk())
        else {
            return false;
        };
        let own = self.tail.as_chunks().0.iter().zip(self.mask.as_chunks().0);
        tail.as_chunks().0.iter().zip(own).all(|(chunk, (own, mask))| is_alike(chunk, own, mask))
            && is_alike(last, own_last, last_mask)
    }

    /// Becomes that of a well-formed tail, or of none where that has something that is not compared.
    #[inline(never)]
    fn remember<M: Markers>(&mut self, kind: Kind, tail: &[u8]) {
        self.kind = kind;
        self.misses = 0;
        self.tail.clear();
        self.mask.clear();
        self.mask.resize(tail.len() + WINDOW, 0);
        if common_bits::<M>(tail, &mut self.mask).is_some() {
            self.mask.truncate(tail.len());
            self.tail.extend_from_slice(tail);
        }
    }
}

/// Whether no bits under a mask differ.
#[inline(always)]
fn is_alike(some: &[u8; CHUNK], others: &[u8; CHUNK], mask: &[u8; CHUNK]) -> bool {
    let bits = some.iter().zip(others).zip(mask);
    bits.fold(0, |all, ((some, other), mask)| all | (some ^ other) & mask) == 0
}
