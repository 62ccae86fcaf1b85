//! A head together with the bytes that it points into.

use super::{Field, Head, Name, Span};

/// What a filter works on: the head, and the buffer behind its spans.
#[derive(Debug)]
pub struct View<'a> {
    /// The positions and edits.
    pub head: &'a mut Head,
    /// The bytes that the head was read from.
    pub bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// The bytes of a span.
    #[inline]
    pub fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// Request method.
    pub fn method(&self) -> &'a [u8] {
        self.text(self.head.method)
    }

    /// Value of the first kept field of this name.
    #[inline]
    pub fn value(&self, id: Name) -> Option<&'a [u8]> {
        self.head.find(id).map(|field| field.value.of(self.bytes))
    }

    /// Values of all kept fields of this name, in order.
    pub fn values(&self, id: Name) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.head
            .fields
            .iter()
            .filter(move |field| field.id == id && field.keep)
            .map(move |field| field.value.of(bytes))
    }

    /// Kept fields whose name is `name`, whatever its case.
    pub fn named(&self, name: &[u8]) -> impl Iterator<Item = &Field> {
        let bytes = self.bytes;
        self.head
            .fields
            .iter()
            .filter(move |field| field.keep && field.name.of(bytes).eq_ignore_ascii_case(name))
    }

    /// Takes every field with this name, whatever its case, out of the message.
    pub fn remove_named(&mut self, name: &[u8]) {
        let bytes = self.bytes;
        for field in &mut self.head.fields {
            if field.name.of(bytes).eq_ignore_ascii_case(name) {
                field.keep = false;
            }
        }
    }
}

/// What `Connection` holds in everyday traffic; anything else there names a field (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionOption {
    /// `close`
    Close,
    /// `keep-alive`
    KeepAlive,
    /// `upgrade`
    Upgrade,
}

impl ConnectionOption {
    /// The option that `name` is, whatever its case.
    pub fn of(name: &[u8]) -> Option<ConnectionOption> {
        let (text, option) = match name.len() {
            5 => (&b"close"[..], ConnectionOption::Close),
            7 => (&b"upgrade"[..], ConnectionOption::Upgrade),
            10 => (&b"keep-alive"[..], ConnectionOption::KeepAlive),
            _ => return None,
        };
        (name == text || name.eq_ignore_ascii_case(text)).then_some(option)
    }
}

/// The members of a comma-separated list, without the white space around them; empty members are left out.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Parsed, request};

    const BYTES: &[u8] =
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: b\r\nx-a: 2\r\nCookie: c\r\n\r\n";

    fn read(head: &mut Head) -> View<'_> {
        let parsed = request::parse(BYTES, head);
        assert!(matches!(parsed, Parsed::Complete(_)), "{parsed:?}");
        View { head, bytes: BYTES }
    }

    #[test]
    fn what_was_taken_out_is_not_found_any_more() {
        let mut head = Head::default();
        let view = read(&mut head);
        assert_eq!(view.value(Name::Cookie), Some(&b"b"[..]));
        assert_eq!(view.values(Name::Cookie).collect::<Vec<_>>(), [b"b", b"c"]);
        view.head.remove(Name::Cookie);
        assert_eq!(view.value(Name::Cookie), None);
        assert_eq!(view.values(Name::Cookie).count(), 0);
        assert_eq!(view.method(), b"GET");
    }

    #[test]
    fn a_name_is_found_and_taken_out_whatever_its_case() {
        let mut head = Head::default();
        let mut view = read(&mut head);
        let values: Vec<_> = view
            .named(b"X-a")
            .map(|field| view.text(field.value))
            .collect();
        assert_eq!(values, [b"1", b"2"]);
        view.remove_named(b"x-A");
        assert_eq!(view.named(b"X-A").count(), 0);
        assert_eq!(
            view.head.fields.iter().filter(|field| field.keep).count(),
            3
        );
    }

    #[test]
    fn a_span_of_another_buffer_is_empty_text() {
        assert_eq!(Span { start: 3, end: 9 }.of(b"short"), b"");
        assert_eq!(Span { start: 1, end: 3 }.of(b"short"), b"ho");
    }

    // RFC 9110 section 5.6.1
    #[test]
    fn members_of_a_list_come_without_white_space_and_empty_ones_not_at_all() {
        let members = |value: &'static str| list(value.as_bytes()).collect::<Vec<_>>();
        assert_eq!(members(" a,,\tb c ,"), [&b"a"[..], b"b c"]);
        assert!(members("").is_empty() && members(" , ").is_empty());
    }
}
