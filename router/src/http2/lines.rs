//! The text of HTTP/1.1 heads as fields of HTTP/2. The text is the router's own writing, so its form is known; what is in it
//! came from a peer, so every name and value is looked at again.

use std::io;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use smallvec::SmallVec;

use super::memory;
use super::text::is_of_connection;
use crate::http1::Framing;
use crate::message::is_spelling;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-vcap-request-id");

/// A head in text.
pub struct Lines {
    /// The first line.
    pub first: Bytes,
    /// The fields, without those that mean a connection.
    pub fields: HeaderMap,
    /// The body behind it, as the fields say; [`Framing::None`] when they say nothing.
    pub framing: Framing,
    /// The protocol to which the connection changes.
    pub upgrade: Option<HeaderValue>,
    /// Bytes of the head with its empty line.
    pub length: usize,
}

/// Reads the head at the beginning of `bytes`, which all of it is part of.
///
/// # Errors
/// When it is not whole, or has what HTTP/2 has no form for.
pub fn head(bytes: &[u8]) -> io::Result<Lines> {
    let (length, ends) = extent(bytes).ok_or_else(malformed)?;
    let (&first, rest) = ends.split_first().ok_or_else(malformed)?;
    let text = memory::fields(&bytes[..length]);
    let mut lines = Lines {
        first: text.slice(..first.saturating_sub(1)),
        fields: HeaderMap::try_with_capacity(rest.len()).map_err(|_| malformed())?,
        framing: Framing::None,
        upgrade: None,
        length,
    };
    fields(&text, first + 1, rest, |name, value| match name {
        header::UPGRADE => {
            lines.upgrade = Some(value);
            Ok(())
        }
        header::TRANSFER_ENCODING => {
            lines.framing = Framing::Chunked;
            Ok(())
        }
        ref name if is_of_connection(name) => Ok(()),
        header::CONTENT_LENGTH => {
            let length = value.to_str().ok().and_then(|value| value.parse().ok());
            if let (Framing::None, Some(length)) = (lines.framing, length) {
                lines.framing = Framing::Length(length);
            }
            append(&mut lines.fields, name, value)
        }
        _ => append(&mut lines.fields, name, value),
    })?;
    if lines.framing == Framing::Chunked {
        lines.fields.remove(header::CONTENT_LENGTH);
    }
    Ok(lines)
}

/// Positions of line ends; most heads have fewer.
type Ends = SmallVec<[usize; 24]>;

/// Bytes of the head with its empty line, and where the lines before that end.
fn extent(bytes: &[u8]) -> Option<(usize, Ends)> {
    let (mut at, mut ends) = (0, Ends::new());
    for end in memchr::memchr_iter(b'\n', bytes) {
        if end - at <= 1 {
            return Some((end + 1, ends));
        }
        ends.push(end);
        at = end + 1;
    }
    None
}

/// Trailer fields from finished lines.
pub(super) fn trailers(bytes: &[u8]) -> io::Result<HeaderMap> {
    let text = memory::fields(bytes);
    let ends: Ends = memchr::memchr_iter(b'\n', bytes).collect();
    let mut map = HeaderMap::new();
    fields(&text, 0, &ends, |name, value| {
        match is_of_connection(&name) {
            true => Ok(()),
            false => append(&mut map, name, value),
        }
    })?;
    Ok(map)
}

/// A map takes some 24,000 names; a head can have more.
fn append(map: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> io::Result<()> {
    let appended = map.try_append(name, value);
    appended.map(drop).map_err(|_| malformed())
}

/// Gives the fields of lines that begin at `at` and end at `ends`.
fn fields(
    text: &Bytes,
    mut at: usize,
    ends: &[usize],
    mut found: impl FnMut(HeaderName, HeaderValue) -> io::Result<()>,
) -> io::Result<()> {
    for &end in ends {
        let line = &text[at..end];
        // Names are short: a search that begins with the first byte is over before a wide one has begun.
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.ok_or_else(malformed)?);
        let value = value[1..].trim_ascii();
        let mut value =
            HeaderValue::from_maybe_shared(text.slice_ref(value)).map_err(|_| malformed())?;
        let name = match known(name) {
            Some(name) => name,
            None => HeaderName::from_bytes(name).map_err(|_| malformed())?,
        };
        // Another one each time: in the other side's table it would only push out what comes again.
        value.set_sensitive(name == REQUEST_ID);
        found(name, value)?;
        at = end + 1;
    }
    Ok(())
}

/// The names that nearly every head has, without the search among all that there are.
fn known(text: &[u8]) -> Option<HeaderName> {
    let first = text.first()? | 0x20;
    let (known, name) = match (text.len(), first) {
        (4, b'd') => ("date", header::DATE),
        (6, b's') => ("server", header::SERVER),
        (10, b's') => ("set-cookie", header::SET_COOKIE),
        (10, b'c') => ("connection", header::CONNECTION),
        (10, b'u') => ("user-agent", header::USER_AGENT),
        (12, b'c') => ("content-type", header::CONTENT_TYPE),
        (13, b'c') => ("cache-control", header::CACHE_CONTROL),
        (14, b'c') => ("content-length", header::CONTENT_LENGTH),
        (17, b'x') => ("x-vcap-request-id", REQUEST_ID),
        (17, b't') => ("transfer-encoding", header::TRANSFER_ENCODING),
        _ => return None,
    };
    is_spelling(text, known.as_bytes()).then_some(name)
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a field that HTTP/2 has no form for",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_taken_apart_without_what_means_a_connection() {
        let text = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\nConnection: close\r\nx-a: 2\r\n\r\nabc";
        let lines = head(text).unwrap();
        assert_eq!(&lines.first[..], b"HTTP/1.1 200 OK");
        assert_eq!(lines.framing, Framing::Length(3));
        assert_eq!(lines.length, text.len() - 3);
        let values: Vec<_> = lines.fields.get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert!(!lines.fields.contains_key("connection"));
    }

    #[test]
    fn the_chunked_coding_leaves_no_trace_but_the_framing() {
        let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\n\r\n";
        let lines = head(text).unwrap();
        assert_eq!(lines.framing, Framing::Chunked);
        assert!(lines.fields.is_empty());
        assert_eq!(lines.upgrade.unwrap(), "x");
    }

    #[test]
    fn what_has_no_form_in_http_2_is_refused() {
        for text in [
            &b"HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nX-A\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-A: \x01\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\n",
        ] {
            assert!(head(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn more_names_than_a_map_takes_are_refused() {
        for count in [24_000, 25_000, 40_000] {
            let lines: String = (0..count)
                .map(|number| format!("x{number}: 1\r\n"))
                .collect();
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
            assert_eq!(head(text.as_bytes()).is_ok(), count == 24_000, "{count}");
            assert_eq!(
                trailers(lines.as_bytes()).is_ok(),
                count == 24_000,
                "{count}"
            );
        }
    }

    #[test]
    fn trailers_are_fields_of_their_own() {
        let map = trailers(b"Grpc-Status: 0\r\nX: \r\n").unwrap();
        assert_eq!(map["grpc-status"], "0");
        assert_eq!(map["x"], "");
    }
}
