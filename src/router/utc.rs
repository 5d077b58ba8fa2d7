//! Time as people read it: ISO 8601 in UTC. The clock itself comes from the driver, in [`Now`](super::Now).

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

#[cfg(test)]
mod tests {
    use super::utc_text;

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
        }
    }
}
