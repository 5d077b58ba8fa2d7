//! Bytes as hexadecimal text: keys, salts, fingerprints and signatures.

/// The bytes that `text` stands for, in digits of either case.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 2];
    fill(&mut bytes, text).then_some(bytes)
}

/// The bytes that `text` stands for, if there are exactly so many.
pub fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes, text).then_some(bytes)
}

/// The text of `bytes`, in lower case.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

/// Whether `text` stands for as many bytes as there are, which then are they.
fn fill(bytes: &mut [u8], text: &str) -> bool {
    if text.len() != bytes.len() * 2 {
        return false;
    }
    for (position, character) in text.bytes().enumerate() {
        let digit = match character {
            b'0'..=b'9' => character - b'0',
            b'a'..=b'f' => character - b'a' + 10,
            b'A'..=b'F' => character - b'A' + 10,
            _ => return false,
        };
        let byte = &mut bytes[position / 2];
        *byte = *byte << 4 | digit;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_text_of_either_case_and_from_no_other() {
        let all: Vec<u8> = (0..=255).collect();
        let text = encode(&all);
        assert_eq!(decode(&text), Some(all.clone()));
        assert_eq!(decode(&text.to_uppercase()), Some(all));
        assert_eq!(decode_array("00ff"), Some([0, 255]));
        for text in ["0", "0g", "0x", " 0", "+1", "é", "0:"] {
            assert_eq!(decode(text), None, "{text}");
        }
        for text in ["", "00", "0000ff"] {
            assert_eq!(decode_array::<2>(text), None, "{text}");
        }
    }
}
