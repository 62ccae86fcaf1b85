//! Heads of HTTP/2 messages as the text of HTTP/1.1.

use h2::Reason;
use h2::ext::Protocol;
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Response};

use super::memory;

/// Fields that mean a connection of HTTP/1.1 and are malformed in HTTP/2 (RFC 9113 section 8.2.2); they never go on.
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The head of a request that came on a stream. `key` makes the key of a WebSocket's handshake, which HTTP/2 has none of
/// (RFC 8441 section 5).
///
/// # Errors
/// The reason for which the stream is reset: the message is malformed.
pub fn request<T>(
    request: &Request<T>,
    has_body: bool,
    key: impl FnOnce() -> String,
) -> Result<Vec<u8>, Reason> {
    let (uri, fields) = (request.uri(), request.headers());
    let protocol = request.extensions().get::<Protocol>();
    let authority = authority(request)?;
    let mut text = memory::head();
    match protocol {
        None => text.extend_from_slice(request.method().as_str().as_bytes()),
        Some(_) => text.extend_from_slice(b"GET"),
    }
    text.push(b' ');
    if request.method() == Method::CONNECT && protocol.is_none() {
        text.extend_from_slice(authority);
    } else {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        text.extend_from_slice(path.as_bytes());
    }
    text.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    text.extend_from_slice(authority);
    text.extend_from_slice(b"\r\n");
    let mut has_cookies = false;
    for (name, value) in fields {
        match *name {
            header::HOST => {}
            header::COOKIE => has_cookies = true,
            ref name if is_of_connection(name) => {}
            // The router makes its own for a tunnel, and there is one only.
            ref name if protocol.is_some() && name == "sec-websocket-key" => {}
            ref name => line(name, value.as_bytes(), &mut text),
        }
    }
    if has_cookies {
        cookies(fields, &mut text);
    }
    if let Some(protocol) = protocol {
        text.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: ");
        text.extend_from_slice(protocol.as_str().as_bytes());
        text.extend_from_slice(b"\r\n");
        if protocol.as_str().eq_ignore_ascii_case("websocket") {
            text.extend_from_slice(b"Sec-WebSocket-Key: ");
            text.extend_from_slice(key().as_bytes());
            text.extend_from_slice(b"\r\n");
        }
    } else if has_body && !fields.contains_key(header::CONTENT_LENGTH) {
        text.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    text.extend_from_slice(b"\r\n");
    Ok(text)
}

/// The one host that a request is for.
///
/// # Errors
/// When there are two: which of them counts is not to be guessed (RFC 9113 section 8.3.1).
fn authority<T>(request: &Request<T>) -> Result<&[u8], Reason> {
    let mut names = request.headers().get_all(header::HOST).iter();
    let host = names.next().map(http::HeaderValue::as_bytes);
    if names.next().is_some() {
        return Err(Reason::PROTOCOL_ERROR);
    }
    let authority = request
        .uri()
        .authority()
        .map(|name| name.as_str().as_bytes());
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Reason::PROTOCOL_ERROR)
        }
        (authority, host) => Ok(authority.or(host).unwrap_or_default()),
    }
}

/// The head of an answer that came on a stream. `extra` is what the upgrade of a connection has in place of a body.
pub(super) fn response<T>(response: &Response<T>, extra: Extra<'_>) -> Vec<u8> {
    let mut text = memory::head();
    let status = match extra {
        Extra::Upgraded { .. } => 101,
        _ => response.status().as_u16(),
    };
    crate::http1::write::status_line(crate::message::Version::Http11, status, &mut text);
    for (name, value) in response.headers() {
        if !is_of_connection(name) {
            line(name, value.as_bytes(), &mut text);
        }
    }
    match extra {
        Extra::None => {}
        Extra::Empty => text.extend_from_slice(b"Content-Length: 0\r\n"),
        Extra::Chunked => text.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Extra::Upgraded { protocol, accept } => {
            for (name, value) in [("Connection", "Upgrade"), ("Upgrade", protocol)] {
                text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            if let Some(accept) = accept {
                text.extend_from_slice(format!("Sec-WebSocket-Accept: {accept}\r\n").as_bytes());
            }
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// What the text of an answer says that the message itself does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra<'a> {
    /// Nothing.
    None,
    /// There is no body, where there could be one.
    Empty,
    /// The body comes in the chunked coding.
    Chunked,
    /// The stream is a tunnel now.
    Upgraded {
        /// The protocol in it.
        protocol: &'a str,
        /// The answer to a WebSocket's key.
        accept: Option<&'a str>,
    },
}

/// Trailer fields as lines; those that would change what the message is are left out (RFC 9110 section 6.5.1).
pub(super) fn trailers(fields: &HeaderMap, text: &mut Vec<u8>) {
    for (name, value) in fields {
        let says_framing = matches!(
            *name,
            header::CONTENT_LENGTH | header::HOST | header::TRAILER | header::TE
        );
        if !says_framing && !is_of_connection(name) {
            line(name, value.as_bytes(), text);
        }
    }
}

/// A field's line. Names get the capitals that applications know from HTTP/1.1.
fn line(name: &HeaderName, value: &[u8], text: &mut Vec<u8>) {
    let start = text.len();
    text.extend_from_slice(name.as_str().as_bytes());
    let mut first = true;
    for byte in &mut text[start..] {
        if first {
            byte.make_ascii_uppercase();
        }
        first = *byte == b'-';
    }
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Cookies may come in pieces and go on as one field (RFC 9113 section 8.2.3).
fn cookies(fields: &HeaderMap, text: &mut Vec<u8>) {
    let mut first = true;
    for value in fields.get_all(header::COOKIE) {
        text.extend_from_slice(if first { b"Cookie: " } else { b"; " });
        text.extend_from_slice(value.as_bytes());
        first = false;
    }
    if !first {
        text.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(builder: http::request::Builder, has_body: bool) -> Result<String, Reason> {
        let request = builder.body(()).unwrap();
        let text = super::request(&request, has_body, || "key".to_owned())?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_request_reads_as_if_it_had_come_in_http_1() {
        let request = Request::get("https://a.test/x?y=1")
            .header("user-agent", "u")
            .header("cookie", "a=1")
            .header("x-b3-traceid", "7")
            .header("cookie", "b=2");
        assert_eq!(
            shown(request, false).unwrap(),
            "GET /x?y=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: u\r\nX-B3-Traceid: 7\r\nCookie: a=1; b=2\r\n\r\n"
        );
    }

    #[test]
    fn a_body_has_its_length_or_the_chunked_coding() {
        let text = shown(Request::post("https://a.test/"), true).unwrap();
        assert!(
            text.ends_with("\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "{text}"
        );
        let text = shown(
            Request::post("https://a.test/").header("content-length", "5"),
            true,
        );
        assert!(text.unwrap().ends_with("\r\nContent-Length: 5\r\n\r\n"));
    }

    // RFC 9113 section 8.3.1
    #[test]
    fn an_authority_and_a_host_that_differ_are_malformed() {
        let request = |host| shown(Request::get("https://a.test/").header("host", host), false);
        assert_eq!(request("b.test"), Err(Reason::PROTOCOL_ERROR));
        assert_eq!(
            request("A.test").unwrap(),
            "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
        );
        let twice = Request::get("https://a.test/").header("host", "a.test");
        assert_eq!(
            shown(twice.header("host", "a.test"), false),
            Err(Reason::PROTOCOL_ERROR)
        );
    }

    proptest::proptest! {
        // Whatever a client can say: our own parser reads the same request from it, and nothing behind it.
        #[test]
        fn what_is_written_is_read_back_as_the_same_request_or_refused(
            target in "/[!$-;=@-Z_a-z~]{0,20}(\\?[ -~]{0,10})?",
            host in "[a-z0-9.:@\\[\\]-]{0,12}",
            fields in proptest::collection::vec(
                ("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}", "[\\t -~\\u{80}-\\u{ff}]{0,12}"), 0..12),
            length in proptest::option::of(0_u32..20),
            has_body in proptest::bool::ANY,
        ) {
            let mut builder = Request::post(target.as_str()).header("host", host.as_str());
            for (name, value) in &fields {
                builder = builder.header(name.as_str(), value.as_str());
            }
            if let Some(length) = length {
                builder = builder.header("content-length", length);
            }
            let Ok(request) = builder.body(()) else { return Ok(()) };
            let Ok(text) = super::request(&request, has_body, String::new) else { return Ok(()) };
            let mut head = crate::message::Head::default();
            match crate::http1::request::parse(&text, &mut head) {
                crate::http1::Parsed::Partial => panic!("not whole: {}", text.escape_ascii()),
                crate::http1::Parsed::Refused(_) => {}
                crate::http1::Parsed::Complete(parsed) => {
                    proptest::prop_assert_eq!(parsed.head_length, text.len());
                    proptest::prop_assert_eq!(head.method.of(&text), b"POST");
                    let mut read: Vec<(String, Vec<u8>)> = head.fields.iter()
                        .map(|field| {
                            let name = String::from_utf8_lossy(field.name.of(&text));
                            (name.to_ascii_lowercase(), field.value.of(&text).to_vec())
                        })
                        .filter(|(name, _)| !matches!(name.as_str(), "host" | "cookie" | "transfer-encoding"))
                        .collect();
                    let mut said: Vec<(String, Vec<u8>)> = request.headers().iter()
                        .filter(|(name, _)| !is_of_connection(name))
                        .map(|(name, value)| (name.to_string(), value.as_bytes().trim_ascii().to_vec()))
                        .filter(|(name, _)| !matches!(name.as_str(), "host" | "cookie"))
                        .collect();
                    read.sort();
                    said.sort();
                    proptest::prop_assert_eq!(read, said);
                }
            }
        }
    }

    // RFC 8441 section 5
    #[test]
    fn a_websocket_asks_for_an_upgrade() {
        let request = Request::connect("https://a.test/chat")
            .header("sec-websocket-version", "13")
            .extension(Protocol::from_static("websocket"));
        assert_eq!(
            shown(request, true).unwrap(),
            "GET /chat HTTP/1.1\r\nHost: a.test\r\nSec-Websocket-Version: 13\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: key\r\n\r\n"
        );
    }

    #[test]
    fn trailers_do_not_say_where_a_message_ends() {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", "0".parse().unwrap());
        fields.insert("content-length", "7".parse().unwrap());
        let mut text = Vec::new();
        trailers(&fields, &mut text);
        assert_eq!(text, b"Grpc-Status: 0\r\n");
    }
}
