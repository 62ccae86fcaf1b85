//! Durations as Go writes them.

use cloverleaf_config::GoDuration;

/// Any value of a configuration key.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(duration) = text.parse::<GoDuration>() else {
        return;
    };
    assert_eq!(
        duration.to_string().parse(),
        Ok(duration),
        "printed and read again it is the same"
    );
    assert_eq!(
        duration.to_duration().is_some(),
        duration.nanoseconds() >= 0
    );
    assert_eq!(
        format!("-{text}").parse::<GoDuration>().is_ok(),
        !text.starts_with(['-', '+'])
    );
}
