//! Time as people read and write it: ISO 8601, RFC 3339. The clock itself comes from the driver, in [`Now`](super::Now).

/// Nanoseconds since 1970 as `2024-01-31T12:00:00.000Z`, in milliseconds.
pub(crate) fn utc_text(unix_ns: u64) -> String {
    let unix_ms = unix_ns / 1_000_000;
    let (ms, seconds) = (unix_ms % 1_000, unix_ms / 1_000);
    let (mut day, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while day >= days_of_year(year) {
        day -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    for days in [31, days_of_year(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let mut text = String::with_capacity(24);
    for (number, width, end) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day + 1, 2, 'T'),
        (second / 3_600, 2, ':'),
        (second / 60 % 60, 2, ':'),
        (second % 60, 2, '.'),
        (ms, 3, 'Z'),
    ] {
        push_digits(&mut text, number, width);
        text.push(end);
    }
    text
}

fn days_of_year(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    365 + u64::from(is_leap)
}

/// By hand: formatting with padding would be most of the code of this module in a browser's download.
fn push_digits(text: &mut String, number: u64, width: u32) {
    for position in (0..width).rev() {
        let digit = number / 10_u64.pow(position) % 10;
        text.push(char::from(b'0' + digit as u8));
    }
}

/// Milliseconds since 1970-01-01 UTC; what is finer than a millisecond is cut off. `None` if it is no such text.
pub(crate) fn utc_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let is_at = |at: usize, separators: &[u8]| bytes.get(at).is_some_and(|byte| separators.contains(byte));
    if !(is_at(4, b"-") && is_at(7, b"-") && is_at(10, b"Tt ") && is_at(13, b":") && is_at(16, b":")) {
        return None;
    }
    let number = |from, to| digits(bytes.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // 60 is a leap second, and as good as the first of the next minute.
    if !(1..=12).contains(&month)
        || !(1..=days_of(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let mut shown = fraction[..length].iter().map(|digit| i64::from(digit - b'0'));
        for _ in 0..3 {
            ms = ms * 10 + shown.next().unwrap_or_default();
        }
        rest = &fraction[length..];
    }
    let offset = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] => {
            let (hours, minutes) = (digits(hours)?, digits(&[*m1, *m2])?);
            if rest.len() != 6 || hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some((minutes * 60 + second) * 1_000 + ms)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts years from March on, so that the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{utc_ms, utc_text};

    #[test]
    fn the_first_and_last_moments_of_days_months_and_years_are_told_apart() {
        for (unix_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (978_307_199_999, "2000-12-31T23:59:59.999Z"),
            (978_307_200_000, "2001-01-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (1_706_702_400_000, "2024-01-31T12:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (18_446_744_073_709, "2554-07-21T23:34:33.709Z"),
        ] {
            assert_eq!(utc_text(unix_ms * 1_000_000), expected);
            assert_eq!(utc_ms(expected), Some(unix_ms as i64));
        }
    }

    #[test]
    fn times_are_read_in_every_form_that_they_may_have() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:01.5z", 1_500),
            ("1970-01-01 00:00:01.123999+00:00", 1_123),
            ("1970-01-01T02:30:00+02:30", 0),
            ("1969-12-31T19:00:00-05:00", 0),
            ("1969-12-31T23:59:59Z", -1_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] {
            assert_eq!(utc_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "now",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00+2:00",
            "1970-01-01T00:00:00Z ",
            "1970-01-01T00:00:00+00:00:00",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00é",
        ] {
            assert_eq!(utc_ms(text), None, "{text}");
        }
    }
}
