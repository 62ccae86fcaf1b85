//! Lines that have to fit in a datagram (spec 10.4).

use super::record::{Record, Text, View};

/// The most bytes of extra headers.
pub(super) const LONGEST_EXTRA: usize = 20_000;

/// What a client can make long, with the most bytes of it and what it is called where it was cut.
const BOUNDS: [(Text, usize, &str); 5] = [
    (Text::Target, 20_000, "REQUEST-URI"),
    (Text::Referer, 1_000, "REFERER"),
    (Text::UserAgent, 1_000, "USER-AGENT"),
    (Text::ForwardedFor, 1_000, "X-FORWARDED-FOR"),
    (Text::ForwardedProto, 1_000, "X-FORWARDED-PROTO"),
];

/// The record with its long texts cut: halved until they fit, with a mark behind them.
pub(super) fn shortened(record: &View<'_>) -> Record {
    let mut short = record.to_record();
    for (which, most, name) in BOUNDS {
        let text = record.get(which);
        if text.len() <= most {
            continue;
        }
        let mut length = text.len();
        while length > most {
            length /= 2;
        }
        let mark = format!("...{name}-TOO-LONG-TO-LOG--TRUNCATED");
        short.set(which, &[&text[..length], mark.as_bytes()].concat());
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_halved_until_they_fit_and_short_ones_stay() {
        let mut record = Record::default();
        record.set(Text::Target, &[b'/'; 20_001]);
        record.set(Text::Referer, &[b'r'; 1_000]);
        record.set(Text::UserAgent, &[b'u'; 4_100]);
        let short = shortened(&record.view());
        let target = String::from_utf8_lossy(short.get(Text::Target)).into_owned();
        assert_eq!(
            target,
            format!(
                "{}...REQUEST-URI-TOO-LONG-TO-LOG--TRUNCATED",
                "/".repeat(10_000)
            )
        );
        assert_eq!(short.get(Text::Referer), [b'r'; 1_000]);
        assert!(short.get(Text::UserAgent).starts_with(&[b'u'; 512]));
        assert!(
            short
                .get(Text::UserAgent)
                .ends_with(b"u...USER-AGENT-TOO-LONG-TO-LOG--TRUNCATED")
        );
    }
}
