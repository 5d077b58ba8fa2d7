//! The walk over a payload of JSON, with one bit for each open list or map.
//!
//! Owns the grammar. How the ends of strings and numbers are found in a few cycles, however far they are, is in
//! [`window`](super::window). [RFC 8259]

use super::behind_white_space;
use super::window::{self, Bits, LEN, Window};

/// The end of the item that begins at `at`, or behind white space there, and has at most `levels` levels of lists and
/// maps. `bytes` are UTF-8, and those that `window` was moved over.
pub(super) fn item_end(bytes: &[u8], at: usize, levels: usize, window: &mut Window) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        #[expect(unsafe_code, reason = "the machine was just asked whether it has what the function needs")]
        return unsafe { item_end_with_avx2(bytes, at, levels, window) };
    }
    item_end_anywhere(bytes, at, levels, window)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn item_end_with_avx2(bytes: &[u8], at: usize, levels: usize, window: &mut Window) -> Option<usize> {
    Walk::go(bytes, at, levels, window, |block| window::bits_with_avx2(block))
}

fn item_end_anywhere(bytes: &[u8], at: usize, levels: usize, window: &mut Window) -> Option<usize> {
    Walk::go(bytes, at, levels, window, window::bits)
}

struct Walk<'a, F> {
    bytes: &'a [u8],
    bits_of: F,
    window: Window,
}

// All of it becomes part of the functions above, of which one may use more instructions.
impl<'a, F: Fn(&[u8; LEN]) -> Bits> Walk<'a, F> {
    #[inline(always)]
    fn go(bytes: &'a [u8], at: usize, levels: usize, window: &mut Window, bits_of: F) -> Option<usize> {
        let mut walk = Self { bytes, bits_of, window: *window };
        let end = walk.item_end(at, levels);
        *window = walk.window;
        end
    }

    #[inline(always)]
    fn item_end(&mut self, mut at: usize, levels: usize) -> Option<usize> {
        let bytes = self.bytes;
        // One bit for each open list or map, 0 or 1, the innermost one in the lowest; above them one bit more.
        let mut open = 1u64;
        let top = 1u64 << levels.min(63);
        'value: loop {
            let first = *bytes.get(at)?;
            if first == b'"' {
                at = self.closing_quote(at + 1)? + 1;
            } else if first.is_ascii_digit() {
                at = self.number_end(at, first)?;
            } else {
                match first {
                    b'{' | b'[' => {
                        if open >= top {
                            return None;
                        }
                        at = behind_white_space(bytes, at + 1);
                        // The two brackets of a pair are two apart in ASCII.
                        if *bytes.get(at)? == first + 2 {
                            at += 1;
                        } else {
                            open <<= 1;
                            if first == b'{' {
                                open |= 1;
                                at = self.key(at)?;
                            }
                            continue 'value;
                        }
                    }
                    b't' if bytes.get(at..at + 4) == Some(b"true") => at += 4,
                    b'f' if bytes.get(at..at + 5) == Some(b"false") => at += 5,
                    b'n' if bytes.get(at..at + 4) == Some(b"null") => at += 4,
                    b'-' => at = self.number_end(at + 1, *bytes.get(at + 1)?)?,
                    b' ' | b'\t' | b'\n' | b'\r' => {
                        at += 1;
                        continue 'value;
                    }
                    _ => return None,
                }
            }
            // A value has ended here.
            while open > 1 {
                let is_map = open & 1 == 1;
                // Between the pairs of a map there is nothing else, mostly.
                if is_map && bytes.get(at..at + 2) == Some(b",\"") {
                    at = self.key_end(at + 2)?;
                    continue 'value;
                }
                let next = *bytes.get(at)?;
                at += 1;
                if next == b',' {
                    if is_map {
                        at = self.key(at)?;
                    }
                    continue 'value;
                }
                if next == if is_map { b'}' } else { b']' } {
                    open >>= 1;
                } else if !matches!(next, b' ' | b'\t' | b'\n' | b'\r') {
                    return None;
                }
            }
            return Some(at);
        }
    }

    /// Behind a key that begins at `at` or behind white space there, and its colon.
    #[inline(always)]
    fn key(&mut self, mut at: usize) -> Option<usize> {
        if self.byte(at)? != b'"' {
            at = behind_white_space(self.bytes, at);
            if self.byte(at)? != b'"' {
                return None;
            }
        }
        self.key_end(at + 1)
    }

    /// The same, where the key's inside begins at `at`.
    #[inline(always)]
    fn key_end(&mut self, at: usize) -> Option<usize> {
        let quote = self.closing_quote(at)?;
        if self.bytes.get(quote..quote + 2) == Some(b"\":") {
            return Some(quote + 2);
        }
        let at = behind_white_space(self.bytes, quote + 1);
        (self.byte(at)? == b':').then_some(at + 1)
    }

    /// The quote that ends a string whose inside begins at `at`.
    #[inline(always)]
    fn closing_quote(&mut self, mut at: usize) -> Option<usize> {
        loop {
            if at >= self.window.end {
                self.move_to(at);
            }
            let special = self.window.bits.special >> (at % LEN);
            if special == 0 {
                at = self.window.end;
                continue;
            }
            at += special.trailing_zeros() as usize;
            match self.byte(at)? {
                b'"' => return Some(at),
                b'\\' => at = escape_end(self.bytes, at + 1)?,
                _ => return None,
            }
        }
    }

    /// Behind a number whose first digit is `first` and stands at `at`, if it is a digit.
    #[inline(always)]
    fn number_end(&mut self, at: usize, first: u8) -> Option<usize> {
        let end = self.digits_end(at)?;
        if first == b'0' && end > at + 1 {
            return None;
        }
        match self.byte(end) {
            Some(b'.') => {
                let end = self.digits_end(end + 1)?;
                match self.byte(end) {
                    Some(b'e' | b'E') => self.exponent_end(end + 1),
                    _ => Some(end),
                }
            }
            Some(b'e' | b'E') => self.exponent_end(end + 1),
            _ => Some(end),
        }
    }

    /// Behind an exponent; `at` is behind its letter.
    #[inline(always)]
    fn exponent_end(&mut self, at: usize) -> Option<usize> {
        self.digits_end(at + usize::from(matches!(self.byte(at), Some(b'+' | b'-'))))
    }

    /// Behind digits; there must be one.
    #[inline(always)]
    fn digits_end(&mut self, start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            if at >= self.window.end {
                self.move_to(at);
            }
            let no_digit = self.window.bits.no_digit >> (at % LEN);
            if no_digit != 0 {
                at += no_digit.trailing_zeros() as usize;
                return (at > start).then_some(at);
            }
            at = self.window.end;
        }
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Moves to where `at` is.
    #[inline(always)]
    fn move_to(&mut self, at: usize) {
        let start = at - at % LEN;
        self.window.end = start + LEN;
        let rest = self.bytes.get(start..).unwrap_or_default();
        self.window.bits = match rest.first_chunk() {
            Some(block) => (self.bits_of)(block),
            None => bits_at_the_end(self.bytes, rest, &self.bits_of),
        };
    }
}

/// The bits of the last bytes of the frame, fewer than are looked at.
#[inline(never)]
fn bits_at_the_end(bytes: &[u8], rest: &[u8], bits_of: impl Fn(&[u8; LEN]) -> Bits) -> Bits {
    if let Some(block) = bytes.last_chunk() {
        return bits_of(block).behind(LEN - rest.len());
    }
    let mut block = [0; LEN];
    block[..rest.len()].copy_from_slice(rest);
    bits_of(&block)
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Short ones, and such that fill windows.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[\\[\\]{},:]{1,3}",
            "\"[ -~]{0,80}\"",
            "-?[0-9]{1,70}(\\.[0-9]{1,9})?([eE][+-]?[0-9])?",
            "true|false|null|[ \n\r\t]{1,70}",
            any::<String>(),
            any::<char>().prop_map(String::from),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Whichever instructions the machine has: the tests of the quick way take those that it has.
        #[test]
        fn items_end_where_they_end_anywhere(pieces in vec(piece(), 0..20), levels in 0..6usize) {
            let text = pieces.concat();
            for text in [format!("[{}]", pieces.join(",")), format!("[\"{text}"), text] {
                let (mut here, mut anywhere) = (Window::default(), Window::default());
                prop_assert_eq!(
                    item_end(text.as_bytes(), 0, levels, &mut here),
                    item_end_anywhere(text.as_bytes(), 0, levels, &mut anywhere),
                    "{:?}", text
                );
                prop_assert_eq!((here.end, here.bits), (anywhere.end, anywhere.bits), "{:?}", text);
            }
        }
    }
}
