//! Times as the log shows them.

use time::OffsetDateTime;

const NANOSECONDS: u64 = 1_000_000_000;

/// Appends nanoseconds as seconds with six decimals.
#[inline]
pub(super) fn push_seconds(out: &mut Vec<u8>, nanoseconds: u64) {
    let micros = nanoseconds.saturating_add(500) / 1_000;
    let mut text = *b"0.000000";
    put_pairs(&mut text[2..], (micros % 1_000_000) as u32);
    match u8::try_from(micros / 1_000_000) {
        Ok(seconds @ 0..=9) => {
            text[0] += seconds;
            out.extend_from_slice(&text);
        }
        _ => {
            push_number(out, micros / 1_000_000);
            out.extend_from_slice(&text[1..]);
        }
    }
}

/// Appends a number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The numbers below a hundred, with two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

/// Writes a number with as many digits as there are places for, an even count; leading ones that do not fit are left out.
#[inline]
fn put_pairs(places: &mut [u8], mut number: u32) {
    let (pairs, _) = places.as_chunks_mut::<2>();
    for pair in pairs.iter_mut().rev() {
        *pair = PAIRS[(number % 100) as usize];
        number /= 100;
    }
}

/// Civil time, with the latest second kept: neighbours in a log mostly share it.
#[derive(Debug, Default)]
pub(super) struct CivilTime {
    second: Option<u64>,
    text: Option<[u8; SHOWN.len()]>,
}

/// How a time is shown.
const SHOWN: [u8; 30] = *b"1970-01-01T00:00:00.000000000Z";

impl CivilTime {
    /// Appends a time in UTC with nine decimals and `Z`.
    #[inline]
    pub(super) fn push(&mut self, out: &mut Vec<u8>, unix_ns: u64) {
        let second = unix_ns / NANOSECONDS;
        let known = self.text.filter(|_| self.second == Some(second));
        let mut text = known.unwrap_or_else(|| self.turn_to(second));
        let decimals = (unix_ns % NANOSECONDS) as u32;
        text[20] = b'0' + (decimals / 100_000_000) as u8;
        put_pairs(&mut text[21..29], decimals);
        out.extend_from_slice(&text);
    }

    #[cold]
    fn turn_to(&mut self, second: u64) -> [u8; SHOWN.len()] {
        // 64 bits of nanoseconds end in the year 2554: always a date.
        let time = i64::try_from(second)
            .ok()
            .and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = SHOWN;
        put_pairs(&mut text[..4], time.year().unsigned_abs());
        for (at, number) in [
            (5, u8::from(time.month())),
            (8, time.day()),
            (11, time.hour()),
            (14, time.minute()),
            (17, time.second()),
        ] {
            put_pairs(&mut text[at..at + 2], u32::from(number));
        }
        self.second = Some(second);
        self.text = Some(text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seconds_have_six_decimals_and_are_rounded() {
        for (ns, shown) in [
            (0, "0.000000"),
            (499, "0.000000"),
            (500, "0.000001"),
            (321_000, "0.000321"),
            (12_345_000, "0.012345"),
            (9_999_999_499, "9.999999"),
            (9_999_999_500, "10.000000"),
            (59_999_999_999, "60.000000"),
            (u64::MAX, "18446744073.709551"),
        ] {
            assert_eq!(text(|out| push_seconds(out, ns)), shown);
        }
    }

    ///
    #[test]
    fn civil_time_is_utc_with_nine_decimals() {
        let mut time = CivilTime::default();
        for (ns, shown) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_930_367_167_000_000_089, "2031-03-04T05:06:07.000000089Z"),
            (1_930_367_167_999_999_999, "2031-03-04T05:06:07.999999999Z"),
            (1_930_367_168_000_000_000, "2031-03-04T05:06:08.000000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(text(|out| time.push(out, ns)), shown);
        }
    }
}
