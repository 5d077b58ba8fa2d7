//! The walk over a list or map of JSON, 64 bytes at a time: one bit of a word for each of them.
//!
//! Owns the grammar. It is checked for all tokens of a block at once, by what may come behind each kind of token; only
//! brackets, which decide whether a list or a map is open, and escapes are looked at one by one. Numbers and literals are
//! in [`scalars`](super::scalars). [RFC 8259]

use super::block::{self, Kind, LEN};
use super::scalars::Scalars;

/// The end of the list or map that begins at `at` and has at most `levels` levels. `bytes` are UTF-8.
pub(super) fn container_end(bytes: &[u8], at: usize, levels: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        #[expect(unsafe_code, reason = "the machine was just asked whether it has what the function needs")]
        return unsafe { container_end_with_avx2(bytes, at, levels) };
    }
    container_end_anywhere(bytes, at, levels)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn container_end_with_avx2(bytes: &[u8], at: usize, levels: usize) -> Option<usize> {
    walk(bytes, at, levels, |block, kind| block::bits_with_avx2(block, kind))
}

fn container_end_anywhere(bytes: &[u8], at: usize, levels: usize) -> Option<usize> {
    walk(bytes, at, levels, block::bits)
}

/// What the end of a block says of the beginning of the next one: each is one bit, the lowest.
#[derive(Default)]
struct Before {
    opener: u64,
    colon: u64,
    comma: u64,
    scalar: u64,
    /// A string that may be a key is open.
    key: u64,
    /// It has ended.
    key_end: u64,
    backslash: u64,
}

// It becomes part of the functions above, of which one may use more instructions.
#[inline(always)]
fn walk(bytes: &[u8], at: usize, levels: usize, bits: impl Fn(&[u8; LEN], Kind) -> u64) -> Option<usize> {
    // One bit for each open list or map, 0 or 1, the innermost one in the lowest; above them one bit more.
    let mut open = 1u64;
    let top = 1u64 << levels.min(63);
    // As if it were behind a colon: a value must begin.
    let mut before = Before { colon: 1, ..Before::default() };
    let mut scalars = Scalars::default();
    // All bits, while a string is open.
    let mut is_string = 0u64;
    let mut start = at;
    let mut last_block = [b' '; LEN];
    loop {
        let rest = bytes.get(start..)?;
        let block = match rest.first_chunk() {
            Some(block) => block,
            None if rest.is_empty() => return None,
            None => {
                last_block[..rest.len()].copy_from_slice(rest);
                &last_block
            }
        };

        let mut quote = bits(block, Kind::Byte(b'"'));
        let backslash = bits(block, Kind::Byte(b'\\'));
        let control = bits(block, Kind::Range(0, 0x1f));
        if backslash | before.backslash != 0 {
            let escaped = escaped(bytes, start, backslash, &mut before.backslash)?;
            quote &= !escaped;
        }
        // From the quote that opens a string to the byte before the one that closes it.
        let string = up_to_each_other(quote) ^ is_string;
        if quote == 0 && is_string != 0 {
            if control != 0 {
                return None;
            }
            start += LEN;
            continue;
        }
        is_string = ((string as i64) >> 63) as u64;
        let (opening, closing) = (quote & string, quote & !string);
        let outside = !(string | closing);
        let mut wrong = control & string | backslash & !string;

        let opener = bits(block, Kind::Pair(b'[')) & outside;
        let closer = bits(block, Kind::Pair(b']')) & outside;
        let colon = bits(block, Kind::Byte(b':')) & outside;
        let comma = bits(block, Kind::Byte(b',')) & outside;
        let mut white = bits(block, Kind::Byte(b' ')) & outside;
        let control = control & outside;
        if control != 0 {
            let lines = Kind::Range(b'\t', b'\n');
            let known = bits(block, lines) | bits(block, Kind::Byte(b'\r'));
            wrong |= control & !known;
            white |= control;
        }
        let scalar = outside & !(opener | closer | colon | comma | white);
        let behind_scalar = scalar << 1 | before.scalar;
        let scalar_start = scalar & !behind_scalar;
        if scalar | before.scalar != 0 {
            wrong |= scalars.wrong(bytes, start, block, scalar, scalar_start, &bits);
        }
        before.scalar = scalar >> 63;

        // What comes next behind a token, white space left out.
        let next = |tokens: u64, carry: &mut u64| {
            let next = tokens << 1 | *carry;
            *carry = tokens >> 63;
            if white == 0 {
                return next;
            }
            let (sum, is_over) = white.overflowing_add(next & white);
            *carry |= u64::from(is_over);
            (next | sum) & !white
        };
        // A value begins behind these, and nowhere else; the first of a list or map may be missing.
        let behind_opener = next(opener, &mut before.opener);
        let behind_comma = next(comma, &mut before.comma);
        let behind_colon = next(colon, &mut before.colon);
        let item = behind_opener | behind_comma;
        let value = opening | opener | scalar_start;
        wrong |= ((item | behind_colon) ^ value) & !(behind_opener & closer);

        // In a map an item is a string that a colon is behind, and no other colon is. The sum carries from where such a
        // string opens to where it closes.
        let (sum, is_over) = string.overflowing_add(item & opening | before.key);
        before.key = u64::from(is_over);
        let behind_key = next(sum & closing, &mut before.key_end);
        let wrong_in_map = behind_key ^ colon | item & !(opening | closer);
        let wrong_in_list = colon;

        // Up to each bracket, itself included, what is open decides.
        let mut map = (open & 1).wrapping_neg();
        let mut brackets = opener | closer;
        while brackets != 0 {
            let bracket = brackets & brackets.wrapping_neg();
            let up_to_bracket = brackets ^ (brackets - 1);
            brackets ^= bracket;
            let byte = block[bracket.trailing_zeros() as usize % LEN];
            let is_map = u64::from(byte >> 5 & 1);
            if opener & bracket != 0 {
                if open >= top {
                    return None;
                }
                open = open << 1 | is_map;
            } else {
                if open & 1 != is_map {
                    return None;
                }
                open >>= 1;
                if open == 1 {
                    let wrong = wrong | wrong_in_map & map | wrong_in_list & !map;
                    return (wrong & up_to_bracket == 0).then(|| start + up_to_bracket.count_ones() as usize);
                }
            }
            map = map & up_to_bracket | (open & 1).wrapping_neg() & !up_to_bracket;
        }
        if wrong | wrong_in_map & map | wrong_in_list & !map != 0 {
            return None;
        }
        start += LEN;
    }
}

/// From each first bit of a pair to the one before the second.
#[inline(always)]
fn up_to_each_other(mut bits: u64) -> u64 {
    for distance in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << distance;
    }
    bits
}

/// What is behind the backslashes of escapes that are well-formed. `carry` says whether the first byte is.
#[inline(never)]
fn escaped(bytes: &[u8], start: usize, mut backslash: u64, carry: &mut u64) -> Option<u64> {
    let mut escaped = *carry;
    backslash &= !*carry;
    *carry = 0;
    while backslash != 0 {
        let bit = backslash & backslash.wrapping_neg();
        if !is_escape(bytes, start + bit.trailing_zeros() as usize + 1)? {
            return None;
        }
        escaped |= bit << 1;
        *carry = bit >> 63;
        backslash &= !(bit | bit << 1);
    }
    Some(escaped)
}

/// Whether what is behind a backslash is an escape.
fn is_escape(bytes: &[u8], at: usize) -> Option<bool> {
    Some(match *bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => true,
        b'u' => bytes.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Short ones, and such that fill blocks.
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
        fn containers_end_where_they_end_anywhere(pieces in vec(piece(), 0..20), levels in 0..6usize) {
            let text = pieces.concat();
            for text in [format!("[{}]", pieces.join(",")), format!("[\"{text}"), format!("[{text}]"), text] {
                prop_assert_eq!(
                    container_end(text.as_bytes(), 0, levels),
                    container_end_anywhere(text.as_bytes(), 0, levels),
                    "{:?}", text
                );
            }
        }
    }
}
