//! Numbers and literals of JSON, all of 64 bytes at once.
//!
//! Owns their grammar. Digits are left by addition: a bit added where a run of them begins is carried to behind it.
//! [RFC 8259, 3 and 6]

use super::block::{Kind, LEN};

/// What the end of a block says of the beginning of the next one: each is one bit, the lowest.
#[derive(Default)]
pub(super) struct Scalars {
    minus: u64,
    zero: u64,
    /// The digits before a point are not at their end.
    integer: u64,
    point: u64,
    /// The digits behind a point are not at their end.
    fraction: u64,
    exponent: u64,
    sign: u64,
    /// The digits of an exponent are not at their end.
    power: u64,
    /// Of a literal: what is behind it.
    literal: u64,
}

impl Scalars {
    /// Where something is wrong with the scalars of a block, or right behind one. It begins at `offset` of `bytes`; `scalar`
    /// has the bits of all their bytes and `start` those of their first ones. A block without any need not be asked, if
    /// the last byte before it was of none.
    #[inline(always)]
    pub fn wrong(
        &mut self,
        bytes: &[u8],
        offset: usize,
        block: &[u8; LEN],
        scalar: u64,
        start: u64,
        bits: impl Fn(&[u8; LEN], Kind) -> u64,
    ) -> u64 {
        // A word from here on: else the compiler makes vectors of the words that it is combined with.
        let digit = std::hint::black_box(bits(block, Kind::Range(b'0', b'9')));
        let zero = bits(block, Kind::Byte(b'0'));
        let minus = bits(block, Kind::Byte(b'-'));
        let point = bits(block, Kind::Byte(b'.'));
        let next = |bits: u64, carry: &mut u64| {
            let next = bits << 1 | *carry;
            *carry = bits >> 63;
            next
        };
        let behind_digits = |start: u64, carry: &mut u64| {
            let (sum, is_over) = digit.overflowing_add(start | *carry);
            *carry = u64::from(is_over);
            sum & !digit
        };

        let integer = start & digit | next(start & minus, &mut self.minus);
        let mut wrong = integer & !digit | next(integer & zero, &mut self.zero) & digit;
        let integer_end = behind_digits(integer, &mut self.integer);
        let fraction = next(integer_end & point, &mut self.point);
        wrong |= fraction & !digit;
        let mut end = integer_end & !point | behind_digits(fraction, &mut self.fraction);
        if end & scalar | self.exponent | self.sign | self.power != 0 {
            let exponent = bits(block, Kind::Pair(b'E'));
            let letter = end & exponent;
            let sign = minus | bits(block, Kind::Byte(b'+'));
            let behind_letter = next(letter, &mut self.exponent);
            let power = behind_letter & !sign | next(behind_letter & sign, &mut self.sign);
            wrong |= power & !digit;
            end = end & !exponent | behind_digits(power, &mut self.power);
        }

        end |= self.literal;
        self.literal = 0;
        let mut literals = start & !(digit | minus);
        while literals != 0 {
            let first = literals & literals.wrapping_neg();
            literals ^= first;
            let rest = bytes.get(offset + first.trailing_zeros() as usize..).unwrap_or_default();
            let len = match rest.first_chunk().map(|four| u32::from_le_bytes(*four)) {
                Some(TRUE | NULL) => 4,
                Some(FALS) if rest.get(4) == Some(&b'e') => 5,
                _ => {
                    wrong |= first;
                    continue;
                }
            };
            end |= first << len;
            self.literal |= first >> (64 - len);
        }
        // Behind all that makes a scalar there is none.
        wrong | end & scalar
    }
}

const TRUE: u32 = u32::from_le_bytes(*b"true");
const NULL: u32 = u32::from_le_bytes(*b"null");
const FALS: u32 = u32::from_le_bytes(*b"fals");
