//! The layouts of tails that came before: where their numbers and texts are.
//!
//! Most programs send messages of one shape again and again. A tail that is like one before it, but for digits where that
//! had digits and letters where that had letters, is as well-formed as that: one comparison sees it, in less than a third of
//! the time of the walk. Owns a bounded number of such tails, one for each remainder of their lengths; it does not matter
//! whose they were. A tail that is like none of them is walked.

use super::super::{Serializer, TailSpan};
use super::{Elements, Scan, walked_tail};

/// How many layouts are remembered.
pub(super) const LAYOUTS: usize = 64;

/// Bytes of the shortest tail that is compared. The walk of shorter ones is as quick.
const SHORTEST: usize = 64;

/// Bytes of the longest tail that is compared: what is remembered takes twice that and a [`CHUNK`], 260 KiB all told.
pub(super) const LONGEST: usize = 2048;

/// Tails of a remainder that are walked in a row before the last of them is remembered: that takes twice as long as a
/// walk, and must not be much to those who never send the same.
pub(super) const MISSES: u8 = 32;

/// Bytes that are compared at once.
pub(super) const CHUNK: usize = 64;

/// How the tails of a serializer are alike.
pub(crate) trait Alike {
    const SERIALIZER: Serializer;

    /// Says for each byte of a well-formed tail what another may have there, if the tail can be compared at all. At most a
    /// [`CHUNK`] more than that is taken of `marks` on the way.
    fn mark(tail: &[u8], marks: &mut Vec<u8>) -> Option<()>;

    /// Whether there are bytes that may be there, in the place of `own`.
    fn are_alike(bytes: &[u8; CHUNK], own: &[u8; CHUNK], marks: &[u8; CHUNK]) -> bool;
}

/// What a router remembers.
#[derive(Debug)]
pub(crate) struct Layouts(pub(super) Box<[Layout]>);

/// A well-formed tail, and what others of its layout may have for each of its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    kind: Kind,
    /// How many in a row were not like it.
    pub misses: u8,
    /// To the end of the frame.
    pub tail: Vec<u8>,
    pub marks: Vec<u8>,
    /// Of the tail, from its first byte.
    span: TailSpan,
}

/// What decides with the bytes of a tail whether it is well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kind {
    serializer: Serializer,
    /// As the message array says.
    elements: Elements,
    /// Levels of lists and maps that it may have.
    levels: usize,
}

impl Default for Layouts {
    fn default() -> Self {
        Self(vec![Layout::default(); LAYOUTS].into())
    }
}

/// Leaves the tail, of which `elements` are to come and behind which the frame must end: at once, if its layout is known.
#[inline]
pub(super) fn tail<'a, S: Scan<'a>>(
    scan: &mut S,
    elements: &mut Elements,
    levels: usize,
    layouts: Option<&mut Layouts>,
) -> Option<TailSpan> {
    let at = scan.position();
    let tail = scan.frame().get(at..)?;
    let (Some(layouts), SHORTEST..=LONGEST) = (layouts, tail.len()) else {
        return walked_tail(scan, elements, levels);
    };
    let layout = layouts.0.get_mut(tail.len() % LAYOUTS)?;
    let kind = Kind { serializer: S::Tails::SERIALIZER, elements: *elements, levels };
    if layout.kind == kind && layout.is_of::<S::Tails>(tail) {
        layout.misses = 0;
        let TailSpan { start, end, elements } = layout.span;
        return Some(TailSpan { start: at + start, end: at + end, elements });
    }
    let walked = walked_tail(scan, elements, levels)?;
    layout.misses += 1;
    if layout.misses == MISSES {
        let TailSpan { start, end, elements } = walked;
        layout.remember::<S::Tails>(kind, tail, TailSpan { start: start - at, end: end - at, elements });
    }
    Some(walked)
}

impl Layout {
    #[inline]
    fn is_of<A: Alike>(&self, tail: &[u8]) -> bool {
        if tail.len() != self.tail.len() {
            return false;
        }
        let (Some(last), Some(own_last), Some(last_marks)) =
            (tail.last_chunk(), self.tail.last_chunk(), self.marks.last_chunk())
        else {
            return false;
        };
        let own = self.tail.as_chunks().0.iter().zip(self.marks.as_chunks().0);
        tail.as_chunks().0.iter().zip(own).all(|(bytes, (own, marks))| A::are_alike(bytes, own, marks))
            && A::are_alike(last, own_last, last_marks)
    }

    /// Becomes that of a well-formed tail, or of none where it has something that is not compared.
    #[inline(never)]
    fn remember<A: Alike>(&mut self, kind: Kind, tail: &[u8], span: TailSpan) {
        self.kind = kind;
        self.span = span;
        self.misses = 0;
        // Vectors that grow by themselves grow to twice of what they had.
        self.tail.clear();
        self.tail.reserve_exact(tail.len());
        self.marks.clear();
        self.marks.reserve_exact(tail.len() + CHUNK);
        if A::mark(tail, &mut self.marks).is_some() {
            self.tail.extend_from_slice(tail);
        }
    }
}
