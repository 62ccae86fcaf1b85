//! Times as the log shows them.

use time::OffsetDateTime;

const NANOSECONDS: u64 = 1_000_000_000;

/// Appends nanoseconds as seconds with six decimals.
pub(super) fn push_seconds(out: &mut Vec<u8>, nanoseconds: u64) {
    let micros = nanoseconds.saturating_add(500) / 1_000;
    push_number(out, micros / 1_000_000);
    out.push(b'.');
    push_padded(out, micros, 1_000_000);
}

/// Appends a number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number below `limit`, a power of ten, with all its leading zeros.
fn push_padded(out: &mut Vec<u8>, number: u64, limit: u64) {
    let mut text = itoa::Buffer::new();
    let padded = text.format(limit + number % limit).as_bytes();
    out.extend_from_slice(padded.get(1..).unwrap_or_default());
}

/// Civil time, with the latest second kept: neighbours in a log mostly share it.
#[derive(Debug, Default)]
pub(super) struct CivilTime {
    second: Option<u64>,
    /// `2031-03-04T05:06:07.`
    text: Vec<u8>,
}

impl CivilTime {
    /// Appends a time in UTC with nine decimals and `Z`.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, unix_ns: u64) {
        let second = unix_ns / NANOSECONDS;
        if self.second != Some(second) {
            self.turn_to(second);
        }
        out.extend_from_slice(&self.text);
        push_padded(out, unix_ns, NANOSECONDS);
        out.push(b'Z');
    }

    fn turn_to(&mut self, second: u64) {
        self.second = Some(second);
        self.text.clear();
        // 64 bits of nanoseconds end in the year 2554: always a date.
        let time = i64::try_from(second)
            .ok()
            .and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        push_padded(
            &mut self.text,
            u64::from(time.year().unsigned_abs()),
            10_000,
        );
        for (mark, number) in [
            (b'-', u8::from(time.month())),
            (b'-', time.day()),
            (b'T', time.hour()),
            (b':', time.minute()),
            (b':', time.second()),
        ] {
            self.text.push(mark);
            push_padded(&mut self.text, u64::from(number), 100);
        }
        self.text.push(b'.');
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
