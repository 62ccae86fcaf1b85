//! The request and response head that every later room works on.
//!
//! A [`Head`] holds positions, not text: its ranges point into the buffer that the head was read into, so parsing copies
//! nothing and the same `Head` is used again for the next message. Edits are cheap: a removed field is a cleared flag, an
//! added one is a finished line in [`Head::added`]. The codecs read into it and write from it; filters see nothing else.

mod name;
mod view;

pub use name::{Name, Names, is_spelling};
pub use view::{ConnectionOption, View, list};

/// A piece of the buffer that a head was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes in `buffer`; empty when the buffer is not the one that the span was made for.
    #[inline]
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        buffer
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Number of bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are no bytes.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One header line.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name as sent.
    pub name: Span,
    /// The value without the white space around it.
    pub value: Span,
    /// Which of the known names it is.
    pub id: Name,
    /// Whether the line goes on.
    pub keep: bool,
}

/// Minor version of HTTP/1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// The head of a request or a response.
#[derive(Debug, Default)]
pub struct Head {
    /// Request method; empty in a response.
    pub method: Span,
    /// Request target as sent; empty in a response.
    pub target: Span,
    /// Minor version as sent.
    pub version: Version,
    /// Status code of a response; 0 in a request.
    pub status: u16,
    /// Header lines in the order in which they came.
    pub fields: Vec<Field>,
    /// The names of these lines, removed ones too: most questions about a head end here.
    pub present: Names,
    /// `Connection` names more than options everybody knows: fields that are to be taken out.
    pub names_fields: bool,
    /// Finished lines (`Name: value\r\n`) that are written behind the kept fields.
    pub added: Vec<u8>,
}

impl Head {
    /// Empties the head for the next message and keeps its memory.
    pub fn clear(&mut self) {
        self.method = Span::default();
        self.target = Span::default();
        self.version = Version::default();
        self.status = 0;
        self.fields.clear();
        self.present = Names::default();
        self.names_fields = false;
        self.added.clear();
    }

    /// The first kept field of this name.
    #[inline]
    pub fn find(&self, id: Name) -> Option<&Field> {
        if !self.present.has(id) {
            return None;
        }
        self.fields
            .iter()
            .find(|field| field.id == id && field.keep)
    }

    /// The first value that the message has under this name, whatever its case, as it goes on: kept fields, then added
    /// lines. `bytes` is what the head was read from. Looks at every line: for names that are not known beforehand.
    pub fn outgoing<'a>(&'a self, bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let kept = self.fields.iter().filter(|field| field.keep);
        let mut kept = kept.map(|field| (field.name.of(bytes), field.value.of(bytes)));
        let added = self.added.split(|&byte| byte == b'\n');
        let mut added = added.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
        });
        let found = kept.find(|(other, _)| other.eq_ignore_ascii_case(name));
        let found = found.or_else(|| added.find(|(other, _)| other.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value)
    }

    /// Takes every field of this name out of the message.
    #[inline]
    pub fn remove(&mut self, id: Name) {
        if !self.present.has(id) {
            return;
        }
        for field in self.fields.iter_mut().filter(|field| field.id == id) {
            field.keep = false;
        }
    }

    /// Adds a line. The caller makes sure that `value` holds no line end.
    #[inline]
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.added.extend_from_slice(name.as_bytes());
        self.added.extend_from_slice(b": ");
        self.added.extend_from_slice(value);
        self.added.extend_from_slice(b"\r\n");
    }
}
