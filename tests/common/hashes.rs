//! HMAC-SHA256 and PBKDF2 with it, as clients compute them: independent of the router's own code.

#![allow(dead_code, reason = "each test binary uses another part of this module")]

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The first block of PBKDF2-HMAC-SHA256.
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = mac(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut key = block;
    for _ in 1..iterations {
        block = mac(password, &block);
        key.iter_mut().zip(block).for_each(|(key, block)| *key ^= block);
    }
    key
}
