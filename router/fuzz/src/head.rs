//! What holds for the field lines of every head that is accepted.

use cloverleaf_router::message::{Head, Name};

use super::naive::is_token;

/// A field line, as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Whether it goes on.
    pub keep: bool,
}

impl Line<'_> {
    /// Whether this is its name, whatever the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The lines of a head.
pub fn lines<'a>(bytes: &'a [u8], head: &Head) -> Vec<Line<'a>> {
    head.fields
        .iter()
        .map(|field| Line {
            name: field.name.of(bytes),
            value: field.value.of(bytes),
            keep: field.keep,
        })
        .collect()
}

/// Line ends are CRLF, the empty line comes last, and no line can be taken for two or for none (RFC 9112 section 2.2 and 5).
pub fn is_well_formed(head: &[u8], lines: &[Line<'_>]) {
    assert!(head.ends_with(b"\r\n\r\n"));
    let line_ends = head.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(
        head.iter().filter(|&&byte| byte == b'\n').count(),
        line_ends,
        "bare LF"
    );
    assert_eq!(
        head.iter().filter(|&&byte| byte == b'\r').count(),
        line_ends,
        "bare CR"
    );
    assert_eq!(line_ends, lines.len() + 2, "each line is one field");
    for line in lines {
        assert!(
            !line.name.is_empty() && line.name.iter().all(|&byte| is_token(byte)),
            "{line:?}"
        );
        assert!(
            line.value
                .iter()
                .all(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f),
            "{line:?}"
        );
        assert_eq!(line.value.trim_ascii(), line.value);
        assert_eq!(line.keep, Name::of(line.name) != Name::Lookalike);
    }
}
