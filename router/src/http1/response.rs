//! Response heads from backends: strict parsing, and the framing of the body that follows.

use super::request::decimal;
use super::scan::{fields, lines_end_in_crlf, span, with_header_room};
use super::{Framing, Parsed};
use crate::message::{ConnectionOption, Head, Name, Version, list};

/// What a complete response head says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// Bytes of the head, with its empty line.
    pub head_length: usize,
    /// The body that follows.
    pub framing: Framing,
    /// Whether the backend keeps the connection.
    pub keep_alive: bool,
    /// Whether the backend sent a Content-Length that may be shown to the client (HEAD keeps it).
    pub content_length: Option<u64>,
}

/// Why a response cannot be passed on. The text is the one that ends up in `X-Cf-RouterError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Not a response, or one whose length two readers could understand in two ways.
    #[error("malformed HTTP response")]
    Malformed,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer encoding")]
    TransferEncoding,
    /// More header bytes than configured; the number is the limit.
    #[error(
        "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded {0} bytes; aborted"
    )]
    TooLarge(usize),
    /// More header lines than configured.
    #[error("Too many response headers")]
    TooMany,
    /// More interim answers than anybody has use for.
    #[error("net/http: too many 1xx informational responses")]
    TooManyInterim,
}

/// Limits of a response head.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole head.
    pub bytes: usize,
    /// Header lines; `None` for no limit.
    pub lines: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: 10 * 1024 * 1024,
            lines: None,
        }
    }
}

/// Reads a response head from the beginning of `bytes` into `head`. `to_head` says that the request was HEAD, so that no
/// body follows whatever the fields say.
pub fn parse(
    bytes: &[u8],
    head: &mut Head,
    to_head: bool,
    limits: Limits,
) -> Parsed<Response, Unusable> {
    head.clear();
    if matches!(bytes.first(), Some(b'\r' | b'\n')) {
        return Parsed::Refused(Unusable::Malformed);
    }
    let parsed = with_header_room(bytes, |room| {
        let mut response = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            room,
        )?;
        let httparse::Status::Complete(length) = status else {
            return Ok(None);
        };
        head.status = response.code.unwrap_or_default();
        head.version = if response.version == Some(0) {
            Version::Http10
        } else {
            Version::Http11
        };
        head.method = span(bytes, &[]);
        fields(bytes, response.headers, head);
        Ok(Some(length))
    });
    match parsed {
        Ok(None) if bytes.len() >= limits.bytes => {
            Parsed::Refused(Unusable::TooLarge(limits.bytes))
        }
        Ok(None) => Parsed::Partial,
        Ok(Some(length)) if length > limits.bytes => {
            Parsed::Refused(Unusable::TooLarge(limits.bytes))
        }
        Ok(Some(length)) => match judge(bytes, head, length, to_head, limits) {
            Ok(response) => Parsed::Complete(response),
            Err(unusable) => Parsed::Refused(unusable),
        },
        Err(httparse::Error::TooManyHeaders) => Parsed::Refused(Unusable::TooMany),
        Err(_) => Parsed::Refused(Unusable::Malformed),
    }
}

fn judge(
    bytes: &[u8],
    head: &mut Head,
    length: usize,
    to_head: bool,
    limits: Limits,
) -> Result<Response, Unusable> {
    if !lines_end_in_crlf(bytes, head, length) || !(100..=999).contains(&head.status) {
        return Err(Unusable::Malformed);
    }
    if limits.lines.is_some_and(|limit| head.fields.len() > limit) {
        return Err(Unusable::TooMany);
    }
    let mut content_length: Option<u64> = None;
    let (mut transfer_encodings, mut is_chunked, mut close, mut keep_alive) =
        (0_u32, false, false, false);
    let mut names_fields = false;
    for field in &head.fields {
        let value = field.value.of(bytes);
        match field.id {
            Name::ContentLength => {
                let length = decimal(value).ok_or(Unusable::Malformed)?;
                if content_length
                    .replace(length)
                    .is_some_and(|before| before != length)
                {
                    return Err(Unusable::Malformed);
                }
            }
            Name::TransferEncoding => {
                transfer_encodings += 1;
                is_chunked = value.eq_ignore_ascii_case(b"chunked");
            }
            Name::Connection => {
                for option in list(value) {
                    match ConnectionOption::of(option) {
                        Some(ConnectionOption::Close) => close = true,
                        Some(ConnectionOption::KeepAlive) => keep_alive = true,
                        Some(ConnectionOption::Upgrade) => {}
                        None => names_fields = true,
                    }
                }
            }
            _ => {}
        }
    }
    head.names_fields = names_fields;
    if transfer_encodings > 1 || transfer_encodings == 1 && !is_chunked {
        return Err(Unusable::TransferEncoding);
    }
    // Both fields: the chunked coding counts (RFC 9112 section 6.3), but the connection is not used again.
    let ambiguous = is_chunked && content_length.is_some();
    let bodiless = to_head || head.status < 200 || matches!(head.status, 204 | 304);
    if is_chunked && !bodiless && head.version == Version::Http10 {
        // Some read the chunks, some everything until the connection ends; section 6.1 calls it faulty framing.
        return Err(Unusable::TransferEncoding);
    }
    let framing = match (bodiless, is_chunked, content_length) {
        (true, ..) => Framing::None,
        (_, true, _) => Framing::Chunked,
        (_, _, Some(length)) => Framing::Length(length),
        _ => Framing::UntilClose,
    };
    Ok(Response {
        head_length: length,
        framing,
        // Behind a 101 comes another protocol, never a request.
        keep_alive: framing != Framing::UntilClose
            && head.status != 101
            && !ambiguous
            && match head.version {
                Version::Http11 => !close,
                Version::Http10 => keep_alive && !close,
            },
        content_length: if is_chunked { None } else { content_length },
    })
}

#[cfg(test)]
mod tests;
