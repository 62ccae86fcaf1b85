//! Request heads: strict parsing, and the framing of the body that follows.

use super::scan::{fields, lines_end_in_crlf, span, with_header_room};
use super::target::{Form, Target};
use super::{Framing, Parsed, host};
use crate::message::{ConnectionOption, Head, Name, Span, Version, list};

/// The longest head that is read at all, in bytes (spec 4.10: 1 MiB and 4 KiB).
pub const HEAD_LIMIT: usize = 1024 * 1024 + 4096;

/// What a complete request head says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Bytes of the head, with its empty line.
    pub head_length: usize,
    /// The target, cut.
    pub target: Target,
    /// The host that counts: the authority of an absolute target, else the Host field (spec 4.3). May be empty.
    pub host: Span,
    /// The body that follows.
    pub framing: Framing,
    /// Whether the client wants the connection kept.
    pub keep_alive: bool,
    /// What the client expects before it sends the body.
    pub expect: Expect,
    /// Whether `Connection` asks for an upgrade and `Upgrade` names a protocol.
    pub upgrade: bool,
}

/// The Expect field (RFC 9110 section 10.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// None.
    #[default]
    Nothing,
    /// `100-continue`
    Continue,
}

/// Why a request was refused; each is answered in a way of its own and ends the connection (spec 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a request, or one that two readers could understand in two ways.
    #[error("malformed request")]
    Malformed,
    /// White space before the colon, or another character that no name may have.
    #[error("invalid header name")]
    HeaderName,
    /// HTTP/1.1 without Host.
    #[error("missing required Host header")]
    HostMissing,
    /// A Host that no host can have.
    #[error("malformed Host header")]
    HostMalformed,
    /// Anything but exactly one `chunked`.
    #[error("unsupported transfer encoding")]
    TransferEncoding,
    /// An expectation other than `100-continue`.
    #[error("expectation failed")]
    Expectation,
    /// A minor version of HTTP/1 that does not exist.
    #[error("unknown minor version")]
    MinorVersion,
    /// Another major version.
    #[error("unsupported protocol version")]
    MajorVersion,
    /// The preface of HTTP/2 on a connection that speaks HTTP/1 (spec 4.2).
    #[error("HTTP/2 preface")]
    Http2Preface,
    /// A head that is too long.
    #[error("request head too large")]
    TooLarge,
}

/// Reads a request head from the beginning of `bytes` into `head`.
pub fn parse(bytes: &[u8], head: &mut Head) -> Parsed<Request, Refusal> {
    head.clear();
    // An empty line before the request line is tolerated by some; it is a classic of desynchronisation.
    if matches!(bytes.first(), Some(b'\r' | b'\n')) {
        return Parsed::Refused(Refusal::Malformed);
    }
    let parsed = with_header_room(bytes, |room| {
        let mut request = httparse::Request::new(&mut []);
        let status = request.parse_with_uninit_headers(bytes, room)?;
        let httparse::Status::Complete(length) = status else {
            return Ok(None);
        };
        head.method = span(bytes, request.method.unwrap_or_default().as_bytes());
        head.target = span(bytes, request.path.unwrap_or_default().as_bytes());
        head.version = if request.version == Some(0) {
            Version::Http10
        } else {
            Version::Http11
        };
        fields(bytes, request.headers, head);
        Ok(Some(length))
    });
    match parsed {
        Ok(None) => undecided(bytes),
        Ok(Some(length)) => match judge(bytes, head, length) {
            Ok(request) => Parsed::Complete(request),
            Err(refusal) => Parsed::Refused(refusal),
        },
        Err(httparse::Error::TooManyHeaders) => Parsed::Refused(Refusal::TooLarge),
        Err(httparse::Error::Version) => wrong_version(bytes),
        Err(httparse::Error::HeaderName) => wrong_header_name(bytes),
        Err(httparse::Error::Token) => match with_readable_target(bytes) {
            Some(readable) => parse(&readable, head),
            None => Parsed::Refused(Refusal::Malformed),
        },
        Err(_) => Parsed::Refused(Refusal::Malformed),
    }
}

/// The rules that a grammar does not know.
fn judge(bytes: &[u8], head: &mut Head, length: usize) -> Result<Request, Refusal> {
    if !lines_end_in_crlf(bytes, head, length) {
        return Err(Refusal::Malformed);
    }
    let mut host_field: Option<Span> = None;
    let mut content_length: Option<u64> = None;
    let mut repeated = false;
    let mut transfer_encodings = 0_u32;
    let mut is_chunked = false;
    let (mut expect, mut unknown_expectation) = (Expect::Nothing, false);
    let (mut close, mut keep_alive, mut asks_upgrade, mut names_protocol) =
        (false, false, false, false);
    let mut names_fields = false;
    for field in &head.fields {
        let value = field.value.of(bytes);
        match field.id {
            Name::Host => repeated |= host_field.replace(field.value).is_some(),
            Name::ContentLength => {
                let length = decimal(value).ok_or(Refusal::Malformed)?;
                repeated |= content_length.replace(length).is_some();
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
                        Some(ConnectionOption::Upgrade) => asks_upgrade = true,
                        None => names_fields = true,
                    }
                }
            }
            Name::Upgrade => names_protocol |= !value.is_empty(),
            Name::Expect => {
                if value.eq_ignore_ascii_case(b"100-continue") {
                    expect = Expect::Continue;
                } else {
                    unknown_expectation |= !value.is_empty();
                }
            }
            _ => {}
        }
    }
    head.names_fields = names_fields;
    if repeated {
        return Err(Refusal::Malformed);
    }
    let framing = match (transfer_encodings, content_length) {
        (0, None) => Framing::None,
        (0, Some(length)) => Framing::Length(length),
        (1, _) if !is_chunked => return Err(Refusal::TransferEncoding),
        // RFC 9112 section 6.1: both fields together ought to be handled as an error, and HTTP/1.0 has no chunks.
        (1, None) if head.version == Version::Http11 => Framing::Chunked,
        (1, _) => return Err(Refusal::Malformed),
        _ => return Err(Refusal::TransferEncoding),
    };
    let is_connect = head.method.of(bytes) == b"CONNECT";
    let target = Target::parse(bytes, head.target, is_connect).ok_or(Refusal::Malformed)?;
    let mut host = match host_field {
        Some(host) => host,
        None if head.version == Version::Http11 => return Err(Refusal::HostMissing),
        None => Span::default(),
    };
    if !host::is_well_formed(host.of(bytes)) {
        return Err(Refusal::HostMalformed);
    }
    if unknown_expectation {
        return Err(Refusal::Expectation);
    }
    if target.form == Form::Absolute && !target.authority.is_empty() {
        host = target.authority;
    }
    Ok(Request {
        head_length: length,
        target,
        host,
        framing,
        keep_alive: match head.version {
            Version::Http11 => !close,
            Version::Http10 => keep_alive && !close,
        },
        expect: if head.version == Version::Http11 {
            expect
        } else {
            Expect::Nothing
        },
        upgrade: asks_upgrade && names_protocol && head.version == Version::Http11,
    })
}

/// Digits only: never a sign, a list, or more than 63 bits, which is what the backends' own parsers hold.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    let mut number = 0_u64;
    for byte in value {
        if !byte.is_ascii_digit() {
            return None;
        }
        // Nineteen digits cannot overflow.
        number = number * 10 + u64::from(byte - b'0');
    }
    i64::try_from(number).is_ok().then_some(number)
}

/// The bytes with quotation marks in place of what is not ASCII in the target: the parser wants it to be UTF-8, but any
/// bytes go on (spec 4.3). A quotation mark is refused where they would be, and everything lies where it lay. `None` when
/// there is nothing of the kind.
#[cold]
fn with_readable_target(bytes: &[u8]) -> Option<Vec<u8>> {
    let start = memchr::memchr(b' ', bytes)? + 1;
    let length = bytes[start..]
        .iter()
        .position(|&byte| byte <= b' ')
        .unwrap_or(bytes.len() - start);
    let target = start..start + length;
    if bytes[target.clone()].is_ascii() {
        return None;
    }
    let mut readable = bytes.to_vec();
    readable[target]
        .iter_mut()
        .filter(|byte| !byte.is_ascii())
        .for_each(|byte| *byte = b'"');
    Some(readable)
}

/// More may come and change the answer, unless too much came already.
fn undecided(bytes: &[u8]) -> Parsed<Request, Refusal> {
    if bytes.len() >= HEAD_LIMIT {
        Parsed::Refused(Refusal::TooLarge)
    } else {
        Parsed::Partial
    }
}

/// The parser stopped at the version: which of the three kinds of wrong version is it?
fn wrong_version(bytes: &[u8]) -> Parsed<Request, Refusal> {
    let end = memchr::memchr(b'\n', bytes);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let version = line
        .splitn(3, |&byte| byte == b' ')
        .nth(2)
        .unwrap_or_default();
    if end.is_none() && version.len() <= b"HTTP/1.1\r".len() {
        return undecided(bytes);
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Parsed::Refused(match version.strip_suffix(b"\r").unwrap_or(version) {
        _ if line == b"PRI * HTTP/2.0" => Refusal::Http2Preface,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit() => {
            Refusal::MinorVersion
        }
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Refusal::MajorVersion
        }
        _ => Refusal::Malformed,
    })
}

/// The parser stopped at a field name: only white space in it, or behind it, has an answer of its own (spec 4.2).
fn wrong_header_name(bytes: &[u8]) -> Parsed<Request, Refusal> {
    for line in bytes.split_inclusive(|&byte| byte == b'\n').skip(1) {
        let colon = memchr::memchr(b':', line);
        let name = &line[..colon.unwrap_or(line.len())];
        if colon.is_some() && !name.is_empty() && name.iter().all(|&byte| is_token(byte)) {
            continue;
        }
        let spaced =
            !name.starts_with(b" ") && name.iter().all(|&byte| byte == b' ' || is_token(byte));
        return match colon {
            None if spaced => undecided(bytes),
            Some(1..) if spaced => Parsed::Refused(Refusal::HeaderName),
            _ => Parsed::Refused(Refusal::Malformed),
        };
    }
    Parsed::Refused(Refusal::Malformed)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
