//! What a walk over JSON knows of 64 bytes at a time: where among them the bytes of a kind are.
//!
//! Owns the vector instructions, and the way without them by name, in which compilers find some.

/// How many bytes are looked at at once: as many as a word has bits.
pub(super) const LEN: usize = 64;

/// The bytes that are asked for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// This one.
    Byte(u8),
    /// This one, which is of 0x40 to 0x5f, and the one 0x20 behind it: as `[` and `{`, or a letter in both cases.
    Pair(u8),
    /// From the first to the last.
    Range(u8, u8),
}

/// One bit for each byte, the first in the lowest, on any machine.
#[inline(always)]
pub(super) fn bits(block: &[u8; LEN], kind: Kind) -> u64 {
    match kind {
        Kind::Byte(wanted) => matching(block, |byte| byte == wanted),
        Kind::Pair(wanted) => matching(block, |byte| byte & !0x20 == wanted),
        Kind::Range(first, last) => matching(block, |byte| byte.wrapping_sub(first) <= last - first),
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

/// The same with vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bits_with_avx2(block: &[u8; LEN], kind: Kind) -> u64 {
    use std::arch::x86_64::*;

    let all = |byte: u8| _mm256_set1_epi8(byte as i8);
    let half = |[a, b, c, d]: [i64; 4]| {
        let bytes = _mm256_set_epi64x(d, c, b, a);
        let matching = match kind {
            Kind::Byte(wanted) => _mm256_cmpeq_epi8(bytes, all(wanted)),
            Kind::Pair(wanted) => _mm256_cmpeq_epi8(_mm256_and_si256(bytes, all(!0x20)), all(wanted)),
            Kind::Range(first, last) => {
                let bytes = _mm256_sub_epi8(bytes, all(first));
                _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, all(last - first)), bytes)
            }
        };
        _mm256_movemask_epi8(matching) as u32
    };
    let (words, _) = block.as_chunks::<8>();
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|index| i64::from_le_bytes(words[index]));
    u64::from(half([e, f, g, h])) << 32 | u64::from(half([a, b, c, d]))
}
