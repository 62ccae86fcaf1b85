//! JSON text: strings, and any serialisable value as an event's field.

use std::fmt::{self, Write};

use serde::Serialize;

/// Shows a value as JSON text, for fields whose name ends in `.json`.
///
/// A value that cannot be written as JSON (a map with keys that are no strings) shows as `null`.
///
/// ```
/// assert_eq!(cloverleaf_telemetry::Json(["a", "b"]).to_string(), r#"["a","b"]"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> fmt::Display for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(&self.0) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str("null"),
        }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text);
    out.push('"');
}

/// Appends what `value` displays as a JSON string, quotes included.
pub(crate) fn push_displayed(out: &mut String, value: &dyn fmt::Display) {
    out.push('"');
    // A failing `Display` leaves a cut-off text: better than no line.
    write!(Escaping(out), "{value}").ok();
    out.push('"');
}

/// Appends what `value` displays as JSON text. Line breaks, which JSON allows between its tokens
/// only, become blanks, so that a line of the log stays one line. Nothing at all becomes `null`.
pub(crate) fn push_raw(out: &mut String, value: &dyn fmt::Display) {
    let start = out.len();
    write!(OneLine(out), "{value}").ok();
    if out.len() == start {
        out.push_str("null");
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

struct OneLine<'a>(&'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(['\n', '\r']) {
            match part.strip_suffix(['\n', '\r']) {
                Some(line) => {
                    self.0.push_str(line);
                    self.0.push(' ');
                }
                None => self.0.push_str(part),
            }
        }
        Ok(())
    }
}

/// Escapes what JSON (RFC 8259, section 7) wants escaped and nothing else: lines are matched as text.
fn escape(out: &mut String, text: &str) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        if short.is_empty() {
            write!(out, "\\u{byte:04x}").ok();
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[plain_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_from_a_json_parser(text in any::<String>()) {
            let mut out = String::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
            prop_assert!(!out.contains('\n'));
        }
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let mut out = String::new();
        push_string(&mut out, "a/b <ü> \"q\" \\ \u{1b}[0m\t");
        assert_eq!(out, r#""a/b <ü> \"q\" \\ \u001b[0m\t""#);
    }

    #[test]
    fn raw_json_keeps_to_one_line() {
        let mut out = String::new();
        push_raw(&mut out, &"{\n  \"a\": 1\r\n}");
        assert_eq!(out, "{   \"a\": 1  }");
    }

    #[test]
    fn raw_json_of_nothing_is_null() {
        let mut out = String::new();
        push_raw(&mut out, &"");
        assert_eq!(out, "null");
    }
}
