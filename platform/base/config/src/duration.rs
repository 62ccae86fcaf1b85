//! Durations as Go writes them: `1m30s`, `1.5h`, `200ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration in nanoseconds, possibly negative, read and written exactly like Go's `time.Duration`.
///
/// ```
/// use cloverleaf_config::GoDuration;
///
/// let timeout: GoDuration = "1m30s".parse()?;
/// assert_eq!(timeout.nanoseconds(), 90_000_000_000);
/// assert_eq!(GoDuration::from_nanoseconds(1_500_000_000).to_string(), "1.5s");
/// # Ok::<(), cloverleaf_config::ParseDurationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GoDuration(i64);

impl GoDuration {
    /// From a number of nanoseconds.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// The number of nanoseconds.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }

    /// As an unsigned duration; none when negative.
    pub fn to_duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl From<Duration> for GoDuration {
    /// Saturates at the longest Go duration, some 292 years.
    fn from(duration: Duration) -> Self {
        Self(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseDurationError {
    /// Not of the form number, unit, number, unit, …
    #[error("it is not a number followed by a unit")]
    Form,
    /// A number without a unit; only `0` may do without.
    #[error("the unit is missing")]
    MissingUnit,
    /// A unit other than ns, us, ms, s, m, h.
    #[error("the unit is not one of ns, us, ms, s, m, h")]
    UnknownUnit,
    /// More than fits into 64 bits of nanoseconds.
    #[error("it is longer than 292 years")]
    Overflow,
}

const NANOSECONDS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    // Micro sign and Greek mu.
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Magnitude of the most negative duration, which has no positive counterpart.
const LARGEST: u64 = 1 << 63;

impl FromStr for GoDuration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(ParseDurationError::Form);
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            total = total
                .checked_add(term)
                .filter(|total| *total <= LARGEST)
                .ok_or(ParseDurationError::Overflow)?;
            rest = after;
        }
        if negative {
            // 2^63 becomes i64::MIN.
            return Ok(Self((total as i64).wrapping_neg()));
        }
        i64::try_from(total)
            .map(Self)
            .map_err(|_| ParseDurationError::Overflow)
    }
}

/// One number with its unit, in nanoseconds, and the text after it.
fn term(text: &str) -> Result<(u64, &str), ParseDurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(ParseDurationError::Form);
    }
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    if unit.is_empty() {
        return Err(ParseDurationError::MissingUnit);
    }
    let (_, unit) = NANOSECONDS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(ParseDurationError::UnknownUnit)?;
    let mut value: u64 = 0;
    for digit in whole.bytes() {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .filter(|value| *value <= LARGEST)
            .ok_or(ParseDurationError::Overflow)?;
    }
    let value = value
        .checked_mul(*unit)
        .and_then(|value| value.checked_add(part(fraction, *unit)))
        .filter(|value| *value <= LARGEST)
        .ok_or(ParseDurationError::Overflow)?;
    Ok((value, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The fraction of a unit, in nanoseconds. Digits beyond what 63 bits hold are dropped, and the
/// product is taken in floating point: both as Go does it, so that results agree to the nanosecond.
fn part(fraction: &str, unit: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale: f64 = 1.0;
    for digit in fraction.bytes() {
        let Some(next) = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .filter(|next| *next <= LARGEST)
        else {
            break;
        };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

impl fmt::Display for GoDuration {
    /// As Go prints it: `1m0s`, `1.5s`, `200ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let total = self.0.unsigned_abs();
        match total {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{total}ns"),
            1_000..1_000_000 => write_decimal(f, total, 1_000, "µs"),
            1_000_000..1_000_000_000 => write_decimal(f, total, 1_000_000, "ms"),
            _ => {
                let minutes = total / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write_decimal(f, total % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, total: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", total / unit)?;
    if !total.is_multiple_of(unit) {
        // As many digits as the unit has zeros, then without the trailing ones.
        let digits = (unit + total % unit).to_string();
        write!(f, ".{}", digits[1..].trim_end_matches('0'))?;
    }
    f.write_str(name)
}

#[cfg(test)]
mod tests;
