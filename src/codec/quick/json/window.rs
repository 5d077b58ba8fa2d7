//! What a walk over JSON knows of 64 bytes at a time: at which of them it stops.
//!
//! Owns the vector instructions, and the way without them by name, in which compilers find some.

/// How many bytes are looked at at once: as many as a word has bits.
pub(super) const LEN: usize = 64;

/// Where in a frame the 64 bytes are.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    /// Behind the last one, a multiple of 64.
    pub end: usize,
    pub bits: Bits,
}

/// One bit for each byte, the first in the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits {
    /// Quotes, backslashes and control characters: a string ends there, or is none.
    pub special: u64,
    /// What is none of 0 to 9.
    pub no_digit: u64,
}

impl Bits {
    /// The bits of the bytes from the `count`th on. What is behind them is set.
    #[inline(always)]
    pub fn behind(self, count: usize) -> Self {
        // In two steps, since all 64 may be before.
        let (half, rest) = (count / 2, count - count / 2);
        let behind = |bits: u64| !(!bits >> half >> rest);
        Self { special: behind(self.special), no_digit: behind(self.no_digit) }
    }
}

/// On any machine.
#[inline(always)]
pub(super) fn bits(block: &[u8; LEN]) -> Bits {
    Bits {
        special: matching(block, |byte| (byte < 0x20) | (byte == b'"') | (byte == b'\\')),
        no_digit: matching(block, |byte| byte.wrapping_sub(b'0') > 9),
    }
}

#[inline(always)]
fn matching(block: &[u8; LEN], is: impl Fn(u8) -> bool) -> u64 {
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

/// With vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bits_with_avx2(block: &[u8; LEN]) -> Bits {
    use std::arch::x86_64::*;

    let all = |byte: u8| _mm256_set1_epi8(byte as i8);
    let at_most = |bytes, byte| _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, all(byte)), bytes);
    let half = |[a, b, c, d]: [i64; 4]| {
        let bytes = _mm256_set_epi64x(d, c, b, a);
        let quote = _mm256_cmpeq_epi8(bytes, all(b'"'));
        let backslash = _mm256_cmpeq_epi8(bytes, all(b'\\'));
        let special = _mm256_or_si256(_mm256_or_si256(quote, backslash), at_most(bytes, 0x1f));
        let digit = at_most(_mm256_sub_epi8(bytes, all(b'0')), 9);
        (_mm256_movemask_epi8(special) as u32, !_mm256_movemask_epi8(digit) as u32)
    };
    let (words, _) = block.as_chunks::<8>();
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|index| i64::from_le_bytes(words[index]));
    let (low, high) = (half([a, b, c, d]), half([e, f, g, h]));
    let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    Bits { special: join(low.0, high.0), no_digit: join(low.1, high.1) }
}
