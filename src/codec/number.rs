//! Floats as JSON text, and back.
//!
//! Owns the one form in which a float is written: what JavaScript's `String(number)` gives, with `.0` where that would
//! read as an integer. In the browser the engine's own conversions do it, because the tables that Rust has for them are
//! a tenth of the download; both give the same text.

/// Appends a finite float.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    debug_assert!(value.is_finite(), "JSON has finite numbers only");
    let start = out.len();
    if value == 0.0 && value.is_sign_negative() {
        // JavaScript's own text for it, `0`, forgets the sign.
        out.push(b'-');
    }
    engine::write(value, out);
    if out[start..].iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9')) {
        out.extend_from_slice(b".0");
    }
}

/// The float nearest to a number of JSON's grammar; too large is infinite, as in JavaScript.
pub(super) fn parse_float(text: &str) -> f64 {
    engine::parse(text)
}

#[cfg(all(target_family = "wasm", feature = "wasm"))]
mod engine {
    use js_sys::Number;

    pub(super) fn write(value: f64, out: &mut Vec<u8>) {
        let text = Number::from(value).to_string_with_radix(10).expect("10 is a radix");
        out.extend_from_slice(String::from(text).as_bytes());
    }

    pub(super) fn parse(text: &str) -> f64 {
        Number::parse_float(text)
    }
}

#[cfg(not(all(target_family = "wasm", feature = "wasm")))]
mod engine {
    pub(super) fn write(value: f64, out: &mut Vec<u8>) {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    }

    pub(super) fn parse(text: &str) -> f64 {
        text.parse().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_javascript_writes_them_and_stay_floats() {
        for (value, expected) in [
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (123_456_789_012_345_680_000.0, "123456789012345680000.0"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            let mut out = Vec::new();
            write_float(value, &mut out);
            assert_eq!(std::str::from_utf8(&out), Ok(expected));
            assert_eq!(parse_float(expected), value);
        }
    }
}
