//! A value for the place where it stands: the tables of Go's html/template.

/// How the value of an action is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// In text, and in an attribute with quotes.
    Html,
    /// In an attribute without.
    Unquoted,
    /// Inside an HTML comment, which is not sent.
    Nothing,
}

impl Escape {
    /// Appends `value`.
    pub(super) fn push(self, value: &str, out: &mut Vec<u8>) {
        if self == Escape::Nothing {
            return;
        }
        if self == Escape::Unquoted && value.is_empty() {
            // An attribute without a value would take the next word for one; this is what the original writes.
            out.extend_from_slice(b"ZgotmplZ");
            return;
        }
        for character in value.chars() {
            match (self, character) {
                (Escape::Html, '\0') => out.extend_from_slice("\u{fffd}".as_bytes()),
                (_, '"') => out.extend_from_slice(b"&#34;"),
                (_, '&') => out.extend_from_slice(b"&amp;"),
                (_, '\'') => out.extend_from_slice(b"&#39;"),
                (_, '+') => out.extend_from_slice(b"&#43;"),
                (_, '<') => out.extend_from_slice(b"&lt;"),
                (_, '>') => out.extend_from_slice(b"&gt;"),
                (Escape::Unquoted, '\0') => out.extend_from_slice(b"&#xfffd;"),
                (Escape::Unquoted, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ' | '=' | '`') => {
                    out.extend_from_slice(format!("&#{};", u32::from(character)).as_bytes());
                }
                (Escape::Unquoted, '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{ffff}') => {
                    out.extend_from_slice(format!("&#x{:x};", u32::from(character)).as_bytes());
                }
                _ => {
                    let mut bytes = [0; 4];
                    out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
                }
            }
        }
    }
}
