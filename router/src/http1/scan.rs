//! Reading the field lines of a head into a [`Head`], common to requests and responses.

use std::mem::MaybeUninit;

use crate::message::{Field, Head, Name, Names, Span};

/// Field lines that fit on the stack; a head with more of them is parsed a second time with room on the heap.
const ON_STACK: usize = 64;
/// Field lines that are read at all, whatever the configured limit says.
const AT_MOST: usize = 16 * 1024;

/// Room for the parser's view of the field lines of the head at the beginning of `bytes`; grows only for unusual heads.
pub(super) fn with_header_room<'b, T>(
    bytes: &[u8],
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'b>>]) -> Result<T, httparse::Error>,
) -> Result<T, httparse::Error> {
    let mut room = [const { MaybeUninit::uninit() }; ON_STACK];
    match parse(&mut room) {
        Err(httparse::Error::TooManyHeaders) => {
            // No more than the bytes can fill: room for the most would be half a megabyte for each such head.
            let lines = memchr::memchr_iter(b'\n', bytes).take(AT_MOST).count();
            let mut room = Vec::new();
            room.resize_with(lines, MaybeUninit::uninit);
            parse(&mut room)
        }
        result => result,
    }
}

/// Where `part`, which lies inside `whole`, begins and ends.
#[inline]
pub(super) fn span(whole: &[u8], part: &[u8]) -> Span {
    if part.is_empty() {
        return Span::default();
    }
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    Span {
        start: start as u32,
        end: (start + part.len()) as u32,
    }
}

/// Puts the parsed lines into `head`. The parser has taken the white space around values off.
#[inline]
pub(super) fn fields(whole: &[u8], headers: &[httparse::Header<'_>], head: &mut Head) {
    head.fields.clear();
    head.fields.reserve(headers.len());
    head.present = Names::default();
    for header in headers {
        let id = Name::of(header.name.as_bytes());
        head.present.insert(id);
        head.fields.push(Field {
            name: span(whole, header.name.as_bytes()),
            value: span(whole, header.value),
            id,
            keep: id != Name::Lookalike,
        });
    }
}

/// Whether every line ends in CRLF (RFC 9112 section 2.2 lets a recipient take a bare LF; we don't, since the next hop
/// may not).
pub(super) fn only_crlf(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head[at - 1] == b'\r')
}

/// The same for a head that the parser has taken: line ends can then be nowhere but in front of a field's name and at the
/// end, so only these places are looked at.
#[inline]
pub(super) fn lines_end_in_crlf(bytes: &[u8], head: &Head, length: usize) -> bool {
    let behind_cr =
        |name: Span| name.start >= 2 && bytes.get(name.start as usize - 2) == Some(&b'\r');
    bytes[..length].ends_with(b"\r\n\r\n") && head.fields.iter().all(|field| behind_cr(field.name))
}

/// Decides whether parsing again can bring anything new, so that a head in many small pieces costs linear time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    parsed: usize,
    seen: usize,
}

impl Progress {
    /// Whether `bytes`, which begins with all that was given before, should be parsed now.
    pub fn worth_parsing(&mut self, bytes: &[u8]) -> bool {
        if self.seen == 0 {
            // Nearly always the only time.
            (self.seen, self.parsed) = (bytes.len(), bytes.len());
            return true;
        }
        let from = self.seen.saturating_sub(3).min(bytes.len());
        let tail = &bytes[from..];
        let complete = memchr::memmem::find(tail, b"\n\r\n").is_some()
            || memchr::memmem::find(tail, b"\n\n").is_some();
        self.seen = bytes.len();
        if complete || bytes.len() > self.parsed + self.parsed / 2 {
            self.parsed = bytes.len();
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests;
