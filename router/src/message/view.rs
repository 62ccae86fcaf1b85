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
        self.head.fields.iter().filter(move |field| field.id == id && field.keep).map(move |field| field.value.of(bytes))
    }

    /// Kept fields whose name is `name`, whatever its case.
    pub fn named(&self, name: &[u8]) -> impl Iterator<Item = &Field> {
        let bytes = self.bytes;
        self.head.fields.iter().filter(move |field| field.keep && field.name.of(bytes).eq_ignore_ascii_case(name))
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

/// The members of a comma-separated list, without the white space around them; empty members are left out.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}
