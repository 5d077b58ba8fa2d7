//! The quick way through JSON: token by token in the head of a message, by [`walk`] in its payload.

use super::super::reader::plain_len;
use super::{Elements, Pairs, Scan};
use alike::Json;

mod alike;
mod block;
mod scalars;
mod walk;

/// A [`Scan`] of JSON.
pub(in super::super) struct JsonScan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> JsonScan<'a> {
    /// A scan of `text` from `at` on.
    pub fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Takes the byte that must be next.
    #[inline]
    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.text.as_bytes().get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// Leaves the list or map that begins with this bracket.
    #[inline]
    fn container(&mut self, bracket: u8, levels: usize) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at = match bytes.get(self.at..)? {
            // Where there are keyword arguments only, and the other way round. The brackets of a pair are two apart in ASCII.
            [first, second, ..] if *first == bracket && *second == bracket + 2 && levels > 0 => self.at + 2,
            [first, ..] if *first == bracket => walk::container_end(bytes, self.at, levels)?,
            _ => return None,
        };
        Some(())
    }

    #[inline]
    fn white_space(&mut self) {
        self.at = behind_white_space(self.text.as_bytes(), self.at);
    }
}

impl<'a> Scan<'a> for JsonScan<'a> {
    type Tails = Json;

    #[inline]
    fn frame(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline]
    fn begin(&mut self) -> Option<Elements> {
        self.byte(b'[')?;
        Some(0)
    }

    #[inline]
    fn element(&mut self, _left: &mut Elements) -> Option<bool> {
        self.white_space();
        if self.byte(b',').is_some() {
            self.white_space();
            return Some(true);
        }
        self.byte(b']')?;
        (self.at == self.text.len()).then_some(false)
    }

    #[inline]
    fn empty_map(&mut self) -> bool {
        let is_empty = self.text.as_bytes().get(self.at..self.at + 2) == Some(b"{}");
        self.at += 2 * usize::from(is_empty);
        is_empty
    }

    #[inline]
    fn begin_map(&mut self) -> Option<Pairs> {
        self.byte(b'{')?;
        Some(Pairs { left: 0, is_first: true })
    }

    #[inline]
    fn key(&mut self, pairs: &mut Pairs) -> Option<Option<&'a str>> {
        self.white_space();
        if self.byte(b'}').is_some() {
            return Some(None);
        }
        if !std::mem::replace(&mut pairs.is_first, false) {
            self.byte(b',')?;
            self.white_space();
        }
        let key = self.text()?;
        self.white_space();
        self.byte(b':')?;
        self.white_space();
        Some(Some(key))
    }

    #[inline]
    fn uint(&mut self) -> Option<u64> {
        let digits = self.text.as_bytes().get(self.at..)?;
        let mut value = 0u64;
        let mut len = 0;
        while let Some(digit @ b'0'..=b'9') = digits.get(len) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            len += 1;
        }
        // No leading zeros; nineteen digits always fit. What follows must be an element's end.
        if !(1..=19).contains(&len) || digits.first() == Some(&b'0') {
            return None;
        }
        self.at += len;
        Some(value)
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        let start = self.at;
        let end = start + plain_len(self.text.as_bytes().get(start..)?);
        self.at = end;
        self.byte(b'"')?;
        self.text.get(start..end)
    }

    #[inline]
    fn bool(&mut self) -> Option<bool> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let (value, len) = if rest.starts_with(b"true") {
            (true, 4)
        } else if rest.starts_with(b"false") {
            (false, 5)
        } else {
            return None;
        };
        self.at += len;
        Some(value)
    }

    /// Of lists and maps only: the careful reader is as quick with what is none.
    #[inline]
    fn item(&mut self, levels: usize) -> Option<()> {
        let first = *self.text.as_bytes().get(self.at)?;
        if matches!(first, b'[' | b'{') { self.container(first, levels) } else { None }
    }

    #[inline]
    fn list(&mut self, levels: usize) -> Option<()> {
        self.container(b'[', levels)
    }

    #[inline]
    fn map(&mut self, levels: usize) -> Option<()> {
        self.container(b'{', levels)
    }

    #[inline]
    fn position(&self) -> usize {
        self.at
    }
}

#[inline]
fn behind_white_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}
