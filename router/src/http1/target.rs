//! The request target (RFC 9112 section 3.2), checked and cut into what the look-up and the log need.

use crate::message::Span;

/// The form in which a target was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`
    Origin,
    /// `scheme://authority/path?query`
    Absolute,
    /// `host:port`: whatever follows CONNECT, which never goes on
    Authority,
    /// `*`
    Asterisk,
}

/// A target cut into its parts; spans refer to the buffer of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The form.
    pub form: Form,
    /// Authority of the absolute form; empty otherwise.
    pub authority: Span,
    /// Path and query as sent; empty when an absolute form has neither (read it as `/`).
    pub origin: Span,
    /// The path without the query.
    pub path: Span,
}

impl Target {
    /// Cuts the target that lies at `at` of `bytes`; `None` when it is none (spec 4.2).
    pub fn parse(bytes: &[u8], at: Span, is_connect: bool) -> Option<Target> {
        let text = at.of(bytes);
        let whole = |form| Target {
            form,
            authority: Span::default(),
            origin: at,
            path: at,
        };
        match text {
            _ if is_connect => return Some(whole(Form::Authority)),
            b"*" => return Some(whole(Form::Asterisk)),
            [b'/', ..] => return Target::origin(bytes, Form::Origin, Span::default(), at),
            _ => {}
        }
        let scheme = memchr::memmem::find(text, b"://")?;
        if !is_scheme(&text[..scheme]) {
            return None;
        }
        let start = at.start + scheme as u32 + 3;
        let rest = Span { start, end: at.end }.of(bytes);
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?'))
            .unwrap_or(rest.len()) as u32;
        let authority = Span {
            start,
            end: start + length,
        };
        if !super::host::is_authority(authority.of(bytes)) {
            return None;
        }
        Target::origin(
            bytes,
            Form::Absolute,
            authority,
            Span {
                start: authority.end,
                end: at.end,
            },
        )
    }

    fn origin(bytes: &[u8], form: Form, authority: Span, origin: Span) -> Option<Target> {
        let text = origin.of(bytes);
        let length = memchr::memchr(b'?', text).unwrap_or(text.len());
        if !escapes_are_valid(&text[..length]) {
            return None;
        }
        Some(Target {
            form,
            authority,
            origin,
            path: Span {
                start: origin.start,
                end: origin.start + length as u32,
            },
        })
    }
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// Every `%` is followed by two hexadecimal digits.
fn escapes_are_valid(path: &[u8]) -> bool {
    memchr::memchr_iter(b'%', path)
        .all(|at| matches!(path.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Option<(Form, String, String, String)> {
        cut_for(text, false)
    }

    fn cut_for(text: &str, is_connect: bool) -> Option<(Form, String, String, String)> {
        let bytes = text.as_bytes();
        let target = Target::parse(
            bytes,
            Span {
                start: 0,
                end: bytes.len() as u32,
            },
            is_connect,
        )?;
        let show = |span: Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
        Some((
            target.form,
            show(target.authority),
            show(target.origin),
            show(target.path),
        ))
    }

    #[test]
    fn the_four_forms_are_told_apart() {
        let parts = |form, authority: &str, origin: &str, path: &str| {
            Some((
                form,
                authority.to_owned(),
                origin.to_owned(),
                path.to_owned(),
            ))
        };
        assert_eq!(cut("/a?b=%zz"), parts(Form::Origin, "", "/a?b=%zz", "/a"));
        assert_eq!(
            cut("http://h.test:1/a?b"),
            parts(Form::Absolute, "h.test:1", "/a?b", "/a")
        );
        assert_eq!(
            cut("http://h.test"),
            parts(Form::Absolute, "h.test", "", "")
        );
        assert_eq!(cut("http:///x"), parts(Form::Absolute, "", "/x", "/x"));
        assert_eq!(cut("*"), parts(Form::Asterisk, "", "*", "*"));
        assert_eq!(cut("//a"), parts(Form::Origin, "", "//a", "//a"));
    }

    #[test]
    fn what_is_neither_path_nor_url_is_refused() {
        let paths = ["foo", "a/b", "a.test:443", "/a%zz", "/a%4", "http:/x", "**"];
        let urls = [
            "1http://x/",
            "h_t://x/",
            "://x/",
            "http://u@h/",
            "http://h:1:2/",
            "http://[::1/",
            "http://h#/",
            "http://h/%zz",
        ];
        for text in paths.iter().chain(&urls) {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn whatever_follows_connect_is_an_authority_and_so_never_a_path_to_pass_on() {
        for text in ["a.test:443", "*", "/a", "http://a.test/"] {
            assert_eq!(cut_for(text, true).unwrap().0, Form::Authority, "{text}");
        }
    }
}
