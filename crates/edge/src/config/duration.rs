//! Durations as people write them: `500ms`, `10s`, `5m`, `1h30m`, `7d`.

use std::time::Duration;

/// The duration `text` stands for: whole numbers, each with its unit (`ms`, `s`, `m`, `h`, `d`), added up.
///
/// # Errors
/// What is wrong with it, and how to write it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let malformed = || {
        format!("`{text}` is no duration; write a number and a unit, such as \"500ms\", \"10s\", \"5m\" or \"1h30m\"")
    };
    if text.is_empty() {
        return Err(malformed());
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |character| !character.is_ascii_digit());
        let (unit, after) = split_where(after, |character| !character.is_ascii_alphabetic());
        let scale = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?.1;
        let count: u64 = number.parse().map_err(|_| malformed())?;
        let part = count.checked_mul(scale).map(Duration::from_millis);
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(|| format!("`{text}` is too long; a year (\"365d\") is the most"))?;
        rest = after;
    }
    Ok(total)
}

/// A duration as the configuration file writes it, the largest unit first.
pub fn show(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    if millis == 0 {
        return "0s".into();
    }
    let mut shown = String::new();
    for (unit, scale) in UNITS.iter().rev() {
        let scale = u128::from(*scale);
        if millis >= scale && *unit != "d" {
            shown += &format!("{}{unit}", millis / scale);
            millis %= scale;
        }
    }
    shown
}

fn split_where(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

/// With their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        let cases = [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("18h", 64_800_000),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("2d", 172_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in
            ["", "10", "s", "10 s", "-1s", "1.5h", "1h30", "10x", "10S", "1h 30m", "99999999999999999999s", "\u{663}s"]
        {
            assert!(parse(text).is_err_and(|why| why.contains("is no duration")), "{text}");
        }
        for text in ["366d", "18446744073709551615d", "300d300d"] {
            assert!(parse(text).is_err_and(|why| why.contains("too long")), "{text}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "500ms", "10s", "5m", "18h", "1h30m", "24h", "1m500ms"] {
            assert_eq!(parse(text).map(show).as_deref(), Ok(text));
        }
    }
}
