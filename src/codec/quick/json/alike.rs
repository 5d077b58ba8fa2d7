//! Which tails of JSON are alike: those with other digits, and other letters in texts without escapes.

use super::super::layouts::{Alike, CHUNK};
use crate::codec::Serializer;

/// The tails of JSON.
pub(crate) struct Json;

/// What may be where a tail has another byte; where nothing is said, the same must be.
const DIGIT: u8 = 1;
const DIGIT_BUT_0: u8 = 2;
/// ASCII that ends no text and begins no escape.
const LETTER: u8 = 4;

impl Alike for Json {
    const SERIALIZER: Serializer = Serializer::Json;

    fn mark(tail: &[u8], marks: &mut Vec<u8>) -> Option<()> {
        marks.clear();
        marks.resize(tail.len(), 0);
        let mut at = 0;
        while let Some(byte) = tail.get(at) {
            at = match byte {
                b'"' => mark_text(tail, at + 1, marks)?,
                b'0'..=b'9' => mark_number(tail, at, marks)?,
                _ => at + 1,
            };
        }
        Some(())
    }

    #[inline(always)]
    fn are_alike(bytes: &[u8; CHUNK], own: &[u8; CHUNK], marks: &[u8; CHUNK]) -> bool {
        // Most of a tail is mostly the same.
        bytes == own
            || bytes.iter().zip(own).zip(marks).fold(true, |all, ((&byte, &own), &mark)| {
                let is_digit = byte.wrapping_sub(b'0') < 10;
                let is_letter = byte.wrapping_sub(b' ') < 0x60 && byte != b'"' && byte != b'\\';
                let may_be = u8::from(is_digit) * DIGIT
                    + u8::from(is_digit && byte != b'0') * DIGIT_BUT_0
                    + u8::from(is_letter) * LETTER;
                all & (byte == own || may_be & mark != 0)
            })
    }
}

/// Marks the text that begins at `start`; says where its quotation mark is behind.
fn mark_text(tail: &[u8], start: usize, marks: &mut [u8]) -> Option<usize> {
    let mut end = start;
    let mut has_escapes = false;
    loop {
        match tail.get(end)? {
            b'"' => break,
            b'\\' => {
                has_escapes = true;
                end += 2;
            }
            _ => end += 1,
        }
    }
    if !has_escapes {
        for (byte, mark) in tail[start..end].iter().zip(&mut marks[start..end]) {
            *mark = if byte.is_ascii() { LETTER } else { 0 };
        }
    }
    Some(end + 1)
}

/// Marks the number whose digits begin at `start`; says where it ends. The digits of an exponent decide whether there is
/// such a number: they stay as they are.
fn mark_number(tail: &[u8], start: usize, marks: &mut [u8]) -> Option<usize> {
    let mut end = mark_digits(tail, start, marks);
    if end - start > 1 {
        marks[start] = DIGIT_BUT_0;
    }
    if tail.get(end) == Some(&b'.') {
        end = mark_digits(tail, end + 1, marks);
    }
    let exponent =
        tail.get(end..)?.iter().take_while(|byte| matches!(byte, b'e' | b'E' | b'+' | b'-' | b'0'..=b'9'));
    Some(end + exponent.count())
}

/// Marks the digits from `start` on; says where they end.
fn mark_digits(tail: &[u8], start: usize, marks: &mut [u8]) -> usize {
    let mut end = start;
    while let Some(b'0'..=b'9') = tail.get(end) {
        marks[end] = DIGIT;
        end += 1;
    }
    end
}
