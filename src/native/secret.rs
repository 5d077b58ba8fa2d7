//! Secrets that no seed may decide: the ids of long-poll transports, the tickets of components.

use std::io;

/// So many bytes of the system's chance, as hexadecimal digits.
pub(super) fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
