//! Secrets that no seed may decide: the ids of long-poll transports, the tickets of components, the values of
//! cookies.

use std::io;

/// So many bytes of the system's chance, as hexadecimal digits.
pub(super) fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// So many characters of base64 for URLs: 6 bits of the system's chance each.
pub(super) fn random_text(length: usize) -> io::Result<String> {
    let mut random = vec![0; length];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 0x3f)])).collect())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
