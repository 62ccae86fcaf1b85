//! Mends text in JSON the way Go's `encoding/json` does, which original emitters and routers use.
//!
//! Bytes that are no UTF-8, and `\u` escapes that are half a surrogate pair, become U+FFFD; other
//! parsers call them errors. Here they are mended in the JSON text, before it is parsed, and only
//! once parsing has failed: no well-meant message takes this path.

use std::borrow::Cow;

const REPLACEMENT: &str = "\u{fffd}";

/// The same JSON with what cannot be text replaced, or `None` if there was nothing to mend.
pub(crate) fn mend(json: &[u8]) -> Option<String> {
    let text = replace_invalid_bytes(json);
    match replace_lone_surrogates(&text) {
        Some(mended) => Some(mended),
        None => match text {
            Cow::Owned(mended) => Some(mended),
            Cow::Borrowed(_) => None,
        },
    }
}

/// Each byte that belongs to no character gives one replacement, as in Go; the standard library
/// gives one for a run of them.
fn replace_invalid_bytes(json: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(json) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for chunk in json.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| REPLACEMENT));
    }
    Cow::Owned(text)
}

fn replace_lone_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut kept_to = 0;
    let mut at = 0;
    while let Some(found) = text.as_bytes()[at..].iter().position(|&b| b == b'\\') {
        at += found;
        let width = match code_unit(text, at) {
            Some(0xd800..0xdc00) => match code_unit(text, at + 6) {
                Some(0xdc00..0xe000) => 12,
                _ => 0,
            },
            Some(0xdc00..0xe000) => 0,
            Some(_) => 6,
            // An escape of one character; the end of broken text is the parser's to refuse.
            None => 2,
        };
        if width == 0 {
            mended.push_str(&text[kept_to..at]);
            mended.push_str("\\ufffd");
            kept_to = at + 6;
        }
        at = (at + if width == 0 { 6 } else { width }).min(text.len());
    }
    (kept_to > 0).then(|| mended + &text[kept_to..])
}

/// The value of the `\uXXXX` escape that begins at byte `at`.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.as_bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mended(json: &[u8]) -> String {
        mend(json).unwrap()
    }

    #[test]
    fn each_invalid_byte_becomes_one_replacement() {
        assert_eq!(mended(b"\"a\xff\xfeb\""), "\"a\u{fffd}\u{fffd}b\"");
        // A character cut short: its bytes count singly.
        assert_eq!(mended(b"\"\xe2\x82\""), "\"\u{fffd}\u{fffd}\"");
    }

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement() {
        assert_eq!(mended(br#""\ud800""#), r#""\ufffd""#);
        assert_eq!(mended(br#""\uDC00x""#), r#""\ufffdx""#);
        assert_eq!(mended(br#""\ud800A""#), r#""\ufffdA""#);
        assert_eq!(
            mended(br#""\ud800\ud83d\ude00""#),
            r#""\ufffd\ud83d\ude00""#
        );
    }

    #[test]
    fn sound_text_is_left_alone() {
        for sound in [
            r#""\ud83d\ude00""#,
            r#""\\ud800""#,
            r#""\n\u00e9ü""#,
            "",
            "\\",
            "\\u12",
        ] {
            assert_eq!(mend(sound.as_bytes()), None, "{sound}");
        }
    }

    proptest! {
        #[test]
        fn mended_text_needs_no_second_mending(json in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(once) = mend(&json) {
                prop_assert_eq!(mend(once.as_bytes()), None);
            }
        }

        #[test]
        fn a_mended_string_parses(text in r#"([a-z]|\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\|\\u0[0-9a-f]{3}){0,12}"#) {
            let quoted = format!("\"{text}\"");
            let sound = mend(quoted.as_bytes()).unwrap_or(quoted);
            prop_assert!(serde_json::from_str::<String>(&sound).is_ok(), "{}", sound);
        }
    }
}
