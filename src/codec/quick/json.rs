//! The quick way through JSON: one bit for each byte of 64, and one for each open list or map.
//!
//! Owns the search for the ends of strings and numbers. It needs no vector instructions by name, which safe Rust cannot
//! ask for, but is written so that compilers find them.

use super::super::reader::plain_len;
use super::{Elements, Pairs, Scan};

/// A [`Scan`] of JSON.
pub(in super::super) struct JsonScan<'a> {
    text: &'a str,
    at: usize,
    window: Window,
}

impl<'a> JsonScan<'a> {
    /// A scan of `text` from `at` on.
    pub fn new(text: &'a str, at: usize) -> Self {
        Self { text, at, window: Window::default() }
    }

    /// Takes the byte that must be next.
    #[inline]
    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.text.as_bytes().get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    #[inline]
    fn white_space(&mut self) {
        self.at = behind_white_space(self.text.as_bytes(), self.at);
    }
}

impl<'a> Scan<'a> for JsonScan<'a> {
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

    #[inline]
    fn item(&mut self, levels: usize) -> Option<()> {
        self.at = item_end(self.text.as_bytes(), self.at, levels, &mut self.window)?;
        Some(())
    }

    #[inline]
    fn list(&mut self, levels: usize) -> Option<()> {
        if self.text.as_bytes().get(self.at) != Some(&b'[') {
            return None;
        }
        self.item(levels)
    }

    #[inline]
    fn position(&self) -> usize {
        self.at
    }
}

/// The end of the item that begins at `at`, or behind white space there, and has at most `levels` levels of lists and
/// maps. `bytes` are UTF-8.
fn item_end(bytes: &[u8], mut at: usize, levels: usize, window: &mut Window) -> Option<usize> {
    // What is open around the innermost list or map, in the lowest bit the next one: 0 for a list, 1 for a map. The
    // highest bit that is set is the bottom.
    let mut around = 0u64;
    let top = 1u64 << levels.min(63);
    let mut is_map = false;
    'value: loop {
        let first = *bytes.get(at)?;
        if first == b'"' {
            at = window.string_end(bytes, at + 1)?;
        } else if first.is_ascii_digit() {
            at = window.number_end(bytes, at, first)?;
        } else {
            match first {
                b'{' | b'[' => {
                    let outer = if around == 0 { 1 } else { around << 1 | u64::from(is_map) };
                    if outer >= top {
                        return None;
                    }
                    at = behind_white_space(bytes, at + 1);
                    // The two brackets of a pair are two apart in ASCII.
                    if *bytes.get(at)? == first + 2 {
                        at += 1;
                    } else {
                        around = outer;
                        is_map = first == b'{';
                        if is_map {
                            at = window.key_end(bytes, at)?;
                        }
                        continue 'value;
                    }
                }
                b't' if bytes.get(at..at + 4) == Some(b"true") => at += 4,
                b'f' if bytes.get(at..at + 5) == Some(b"false") => at += 5,
                b'n' if bytes.get(at..at + 4) == Some(b"null") => at += 4,
                b'-' => at = window.number_end(bytes, at + 1, *bytes.get(at + 1)?)?,
                b' ' | b'\t' | b'\n' | b'\r' => {
                    at += 1;
                    continue 'value;
                }
                _ => return None,
            }
        }
        // A value has ended here.
        if around == 0 {
            return Some(at);
        }
        loop {
            let next = *bytes.get(at)?;
            at += 1;
            if next == b',' {
                if is_map {
                    at = window.key_end(bytes, at)?;
                }
                continue 'value;
            }
            if next == if is_map { b'}' } else { b']' } {
                if around == 1 {
                    return Some(at);
                }
                is_map = around & 1 == 1;
                around >>= 1;
            } else if !matches!(next, b' ' | b'\t' | b'\n' | b'\r') {
                return None;
            }
        }
    }
}

/// 64 bytes of the frame, with one bit for each, the first in the lowest: to the end of a string or number it takes a few
/// cycles then, however far that is.
#[derive(Default)]
struct Window {
    /// Behind its last byte, whose position is a multiple of 64.
    end: usize,
    /// Quotes, backslashes and control characters, and all that would stand behind the frame.
    special: u64,
    /// What is none of 0 to 9.
    no_digit: u64,
}

impl Window {
    /// Behind a key and its colon.
    #[inline(always)]
    fn key_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        if *bytes.get(at)? != b'"' {
            at = behind_white_space(bytes, at);
            if *bytes.get(at)? != b'"' {
                return None;
            }
        }
        at = self.string_end(bytes, at + 1)?;
        if *bytes.get(at)? != b':' {
            at = behind_white_space(bytes, at);
            if *bytes.get(at)? != b':' {
                return None;
            }
        }
        Some(at + 1)
    }

    /// Behind a string whose inside begins at `at`.
    #[inline(always)]
    fn string_end(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            if at >= self.end {
                self.move_to(bytes, at);
            }
            let special = self.special >> (at % WINDOW);
            if special == 0 {
                at = self.end;
                continue;
            }
            at += special.trailing_zeros() as usize;
            let byte = *bytes.get(at)?;
            if byte == b'"' {
                return Some(at + 1);
            }
            if byte != b'\\' {
                return None;
            }
            at = escape_end(bytes, at + 1)?;
        }
    }

    /// Behind a number whose first digit is `first` and stands at `at`, if it is a digit.
    #[inline(always)]
    fn number_end(&mut self, bytes: &[u8], at: usize, first: u8) -> Option<usize> {
        let end = self.digits_end(bytes, at)?;
        if first == b'0' && end > at + 1 {
            return None;
        }
        match bytes.get(end) {
            Some(b'.') => {
                let end = self.digits_end(bytes, end + 1)?;
                if matches!(bytes.get(end), Some(b'e' | b'E')) {
                    self.exponent_end(bytes, end + 1)
                } else {
                    Some(end)
                }
            }
            Some(b'e' | b'E') => self.exponent_end(bytes, end + 1),
            _ => Some(end),
        }
    }

    /// Behind an exponent; `at` is behind its letter.
    #[inline(never)]
    fn exponent_end(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        self.digits_end(bytes, at + usize::from(matches!(bytes.get(at), Some(b'+' | b'-'))))
    }

    /// Behind digits; there must be one.
    #[inline(always)]
    fn digits_end(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            if at >= self.end {
                self.move_to(bytes, at);
            }
            let no_digit = self.no_digit >> (at % WINDOW);
            if no_digit != 0 {
                at += no_digit.trailing_zeros() as usize;
                return (at > start).then_some(at);
            }
            at = self.end;
        }
    }

    /// Moves to where `at` is.
    #[inline(never)]
    fn move_to(&mut self, bytes: &[u8], at: usize) {
        let start = at - at % WINDOW;
        self.end = start + WINDOW;
        let rest = bytes.get(start..).unwrap_or_default();
        if let Some(block) = rest.first_chunk() {
            self.special = bits(block, is_special);
            self.no_digit = bits(block, is_no_digit);
            return;
        }
        self.move_to_the_end(bytes, rest.len());
    }

    /// Looks at the last bytes of the frame, fewer than a window; what would be behind it is special.
    fn move_to_the_end(&mut self, bytes: &[u8], len: usize) {
        let beyond = u64::MAX << len;
        let mut copy = [0; WINDOW];
        let (block, before) = match bytes.last_chunk() {
            Some(block) => (block, WINDOW - len),
            None => {
                copy[..len].copy_from_slice(&bytes[bytes.len() - len..]);
                (&copy, 0)
            }
        };
        // In two steps, since there may be 64 bytes before.
        let (half, rest) = (before / 2, before - before / 2);
        self.special = bits(block, is_special) >> half >> rest | beyond;
        self.no_digit = bits(block, is_no_digit) >> half >> rest | beyond;
    }
}

const WINDOW: usize = 64;

#[inline(always)]
fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[inline(always)]
fn is_no_digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') > 9
}

/// One bit for each byte, the first in the lowest.
#[inline(always)]
fn bits(block: &[u8; WINDOW], is: impl Fn(u8) -> bool) -> u64 {
    // The eight bytes at the same place of each octet share a byte, which vector instructions do quickly ...
    let mut bits = *block;
    for (position, byte) in bits.iter_mut().enumerate() {
        *byte = if is(*byte) { 1 << (position / 8) } else { 0 };
    }
    let (octets, _) = bits.as_chunks::<8>();
    let matrix = octets.iter().fold(0, |all, octet| all | u64::from_le_bytes(*octet));
    // ... and are then brought into their order: a matrix of 8 by 8 bits is transposed.
    let swap = |matrix: u64, distance: u32, mask: u64| {
        let differing = (matrix ^ matrix >> distance) & mask;
        matrix ^ differing ^ differing << distance
    };
    let matrix = swap(matrix, 7, 0x00aa_00aa_00aa_00aa);
    let matrix = swap(matrix, 14, 0x0000_cccc_0000_cccc);
    swap(matrix, 28, 0x0000_0000_f0f0_f0f0)
}

/// Behind an escape in a string; `at` is behind its backslash.
#[inline(never)]
fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

#[inline]
fn behind_white_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}
