//! Durations as Kubernetes writes them.

use std::time::Duration;

/// Nanoseconds of the units. The longer name first: `m` begins `ms`.
const UNITS: [(&str, u32); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a duration such as `1h30m`, `1.5s` or `300ms`: all that the pattern of `spec.interval` allows, and to the nanosecond as long
/// as the API server takes it for (Go, `time.ParseDuration`). None: it is no such duration, or one of more than 292 years, which Go
/// can't hold either.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    loop {
        let (whole, after) = digits(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        let (unit, milliseconds) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        let whole: u64 = whole.parse().ok()?;
        let whole = Duration::from_millis(whole.checked_mul(u64::from(*milliseconds))?);
        total = total.checked_add(whole)?.checked_add(part(fraction, *milliseconds))?;
        rest = &after[unit.len()..];
        if rest.is_empty() {
            return i64::try_from(total.as_nanos()).ok().map(|_| total);
        }
    }
}

/// A fraction of a unit. Go counts it in floating point and cuts off what is beyond nanoseconds; so that both agree on what is 30s,
/// this does the same.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as Go does"
)]
fn part(fraction: &str, milliseconds: u32) -> Duration {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        // What does not fit into 63 bits is passed over.
        let more = (value <= i64::MAX as u64 / 10).then(|| value * 10 + u64::from(digit - b'0'));
        let Some(more) = more.filter(|more| *more <= 1 << 63) else {
            break;
        };
        value = more;
        scale *= 10.0;
    }
    let unit = f64::from(milliseconds) * 1_000_000.0;
    Duration::from_nanos((value as f64 * (unit / scale)) as u64)
}

/// The digits that a text begins with, at least one, and what comes after them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let table = [
            ("5m", Some(Duration::from_mins(5))),
            ("1h30m", Some(Duration::from_mins(90))),
            ("1m1h1m", Some(Duration::from_mins(62))),
            ("1.5h", Some(Duration::from_mins(90))),
            ("30000ms", Some(Duration::from_secs(30))),
            ("0.5ms", Some(Duration::from_micros(500))),
            ("0000000000000000000000000030s", Some(Duration::from_secs(30))),
            ("29.999999999s", Some(Duration::from_nanos(29_999_999_999))),
            ("29.9999999999s", Some(Duration::from_nanos(29_999_999_999))),
            // Here Go's floating point rounds up.
            ("29.99999999999999999999999999s", Some(Duration::from_secs(30))),
            ("2562047h47m16.854s", Some(Duration::from_millis(9_223_372_036_854))),
            ("2562048h", None),
            ("9999999999999999999999999999s", None),
            ("9223372036854775807h", None),
            ("", None),
            ("5", None),
            ("m", None),
            ("1.s", None),
            (".5s", None),
            ("-5m", None),
            ("5M", None),
            ("5 m", None),
            ("5us", None),
            ("٣s", None),
        ];
        for (text, expected) in table {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}
