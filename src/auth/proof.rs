//! The two primitives that more than one method is made of, and comparison that tells nothing by its time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// HMAC-SHA256 of the parts of a message, one after the other.
pub(crate) fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Whether both are the same, in a time that depends on their lengths only.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64, Encoding as _};

    #[test]
    fn a_signature_is_what_autobahn_computes() {
        // Its own test of `compute_wcs`.
        for message in [&[&b"[1, 2, 3]"[..]][..], &[b"[1,", b" 2, ", b"3]"]] {
            let signature = Base64::encode_string(&hmac(b"L3L1YUE8Txlw", message));
            assert_eq!(signature, "1njQtmmeYO41N5EWEzD2kAjjEKRZ5kPZt/TzpYXOzR0=");
        }
    }
}
