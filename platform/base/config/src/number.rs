//! Numbers and booleans as Go's YAML reader takes them.

/// A whole number: decimal, `0x`, `0o`, `0b`, a leading `0` for octal, `_` between digits, or a
/// decimal fraction or exponent whose value is whole (`8e3`).
pub(crate) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let plain = digits.replace('_', "");
    let (radix, digits) = match plain.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &plain[2..]),
        [b'0', b'o' | b'O', ..] => (8, &plain[2..]),
        [b'0', b'b' | b'B', ..] => (2, &plain[2..]),
        [b'0', _, ..] => (8, &plain[1..]),
        _ => (10, plain.as_str()),
    };
    // A second sign would otherwise be taken.
    let number = if digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        i128::from_str_radix(digits, radix).ok()
    } else {
        None
    };
    let number = number.or_else(|| {
        let value = float(&plain).filter(|_| !plain.starts_with(['+', '-']))?;
        // Beyond 2^53 a float does not say which whole number was meant.
        (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i128)
    })?;
    Some(if negative { -number } else { number })
}

/// A decimal number with optional fraction and exponent, finite.
pub(crate) fn float(text: &str) -> Option<f64> {
    let numeric = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    if !numeric {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// `true` and `false` when `plain`; `yes`, `on`, `y` and their opposites also in quotes, because
/// Go's reader compares those as text.
pub(crate) fn boolean(text: &str, plain: bool) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" if plain => Some(true),
        "false" | "False" | "FALSE" if plain => Some(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling_that_go_knows() {
        for (text, value) in [
            ("80", 80),
            ("-1", -1),
            ("+7", 7),
            ("0x1F", 31),
            ("0o17", 15),
            ("017", 15),
            ("0b101", 5),
            ("1_000", 1000),
            ("8e3", 8000),
            ("80.0", 80),
            ("08", 8),
            ("0", 0),
            ("-0", 0),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        for text in [
            "", "-", "--1", "+-1", "1.5", "abc", "0x", "1e400", "nan", "inf", "٣", "0b2", "1 2",
            "0x-1",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn quoted_true_is_text_but_quoted_yes_is_a_boolean() {
        assert_eq!(boolean("true", true), Some(true));
        assert_eq!(boolean("true", false), None);
        assert_eq!(boolean("yes", false), Some(true));
        assert_eq!(boolean("off", true), Some(false));
        assert_eq!(boolean("1", true), None);
    }
}
