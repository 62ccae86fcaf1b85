use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<i64, ParseDurationError> {
    text.parse::<GoDuration>().map(GoDuration::nanoseconds)
}

#[test]
fn durations_are_read_as_go_reads_them() {
    const S: i64 = 1_000_000_000;
    for (text, nanoseconds) in [
        ("0", 0),
        ("-0", 0),
        ("+0", 0),
        ("0s", 0),
        ("1ns", 1),
        ("11us", 11_000),
        ("12µs", 12_000),
        ("12μs", 12_000),
        ("200ms", 200_000_000),
        ("5s", 5 * S),
        ("30s", 30 * S),
        ("1m30s", 90 * S),
        ("15m0s", 900 * S),
        ("1.5h", 5400 * S),
        ("3h30m", 12_600 * S),
        ("10.5s4m", 250 * S + S / 2),
        ("1h2m3s4ms5us6ns", 3_723 * S + 4_005_006),
        ("-5s", -5 * S),
        ("+5s", 5 * S),
        ("5.s", 5 * S),
        (".5s", S / 2),
        ("-.5s", -S / 2),
        ("52763797000ns", 52_763_797_000),
        ("0.3333333333333333333h", 1_200 * S),
        ("9223372036854775807ns", i64::MAX),
        ("-9223372036854775808ns", i64::MIN),
        ("9223372036s", 9_223_372_036 * S),
        ("0.9223372036854775807h", 3_320_413_933_267),
        ("0.100000000000000000000h", 360 * S),
    ] {
        assert_eq!(parse(text), Ok(nanoseconds), "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused() {
    use ParseDurationError::{Form, MissingUnit, Overflow, UnknownUnit};
    for (text, error) in [
        ("", Form),
        ("-", Form),
        ("s", Form),
        (".", Form),
        ("-.", Form),
        (".s", Form),
        ("+.s", Form),
        ("3", MissingUnit),
        ("1s2", MissingUnit),
        ("20 seconds", UnknownUnit),
        ("1d", UnknownUnit),
        ("1S", UnknownUnit),
        (" 1s", Form),
        ("1s ", UnknownUnit),
        ("--1s", Form),
        ("1e3s", UnknownUnit),
        ("\u{85}\u{85}", Form),
        ("hello \u{ffff} world", Form),
        ("9223372036854775808ns", Overflow),
        ("9223372036854775810ns", Overflow),
        ("-9223372036854775809ns", Overflow),
        ("99999999999999999999s", Overflow),
        ("3000000h", Overflow),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn durations_are_printed_as_go_prints_them() {
    for (nanoseconds, text) in [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (900_000_000_000, "15m0s"),
        (-1_500_000_000, "-1.5s"),
        (i64::MAX, "2562047h47m16.854775807s"),
        (i64::MIN, "-2562047h47m16.854775808s"),
    ] {
        assert_eq!(GoDuration::from_nanoseconds(nanoseconds).to_string(), text);
    }
}

/// The same meaning, computed in another way: exact fractions in 128 bits.
fn model(terms: &[(u32, Option<u32>, &str, u64)]) -> i128 {
    terms
        .iter()
        .map(|(whole, thousandths, _, unit)| {
            let fraction = thousandths.map_or(0, |n| i128::from(n) * i128::from(*unit) / 1000);
            i128::from(*whole) * i128::from(*unit) + fraction
        })
        .sum()
}

fn unit() -> impl Strategy<Value = (&'static str, u64)> {
    prop::sample::select(vec![
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ])
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(nanoseconds in any::<i64>()) {
        let text = GoDuration::from_nanoseconds(nanoseconds).to_string();
        prop_assert_eq!(parse(&text), Ok(nanoseconds), "{}", text);
    }

    #[test]
    fn small_durations_too(nanoseconds in -10_000_000_000_000_i64..10_000_000_000_000) {
        let text = GoDuration::from_nanoseconds(nanoseconds).to_string();
        prop_assert_eq!(parse(&text), Ok(nanoseconds), "{}", text);
    }

    #[test]
    fn sums_of_terms_agree_with_the_model(
        negative in any::<bool>(),
        terms in prop::collection::vec((0_u32..100_000, prop::option::of(0_u32..1000), unit()), 1..5),
    ) {
        let terms: Vec<_> = terms
            .into_iter()
            .map(|(whole, fraction, (name, unit))| (whole, fraction, name, unit))
            .collect();
        let mut text = String::from(if negative { "-" } else { "" });
        for (whole, fraction, name, _) in &terms {
            match fraction {
                Some(fraction) => text.push_str(&format!("{whole}.{fraction:03}{name}")),
                None => text.push_str(&format!("{whole}{name}")),
            }
        }
        let sign = if negative { -1 } else { 1 };
        let expected = i64::try_from(model(&terms) * sign).expect("in range");
        prop_assert_eq!(parse(&text), Ok(expected), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+]?[0-9.a-zµ\u{3bc} ]{0,24}") {
        let parsed = parse(&text);
        prop_assert!(parsed.is_err() || text.chars().any(|c| c.is_ascii_digit()));
    }
}
