//! Heads between HTTP/2 and the text of HTTP/1.1: what is written is read back as the same message, and as nothing else.

use cloverleaf_router::http1::request::parse;
use cloverleaf_router::http1::{Framing, Parsed, write};
use cloverleaf_router::http2::{read_head, write_request};
use cloverleaf_router::message::Head;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use super::head::{self, Line};

/// Fields that mean a connection, and those that are written in another form.
const APART: [&str; 7] = [
    "host",
    "cookie",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Any bytes: a request of HTTP/2 in lines (whether there is a body, and the method; the host; the path; the fields), and
/// the head of a request of HTTP/1.1.
pub fn check(bytes: &[u8]) {
    if let Some((request, has_body)) = request(bytes) {
        into_text(&request, has_body);
    }
    out_of_text(bytes);
}

fn request(bytes: &[u8]) -> Option<(Request<()>, bool)> {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (kind, method) = lines.next()?.split_first()?;
    let mut uri = Uri::builder();
    let host = lines.next()?;
    if !host.is_empty() {
        uri = uri.scheme("http").authority(host);
    }
    let uri = uri.path_and_query(lines.next()?).build().ok()?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method).ok()?;
    *request.uri_mut() = uri;
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(&line[colon + 1..]).ok()?;
        request.headers_mut().append(name, value);
    }
    Some((request, kind & 1 == 1))
}

fn into_text(request: &Request<()>, has_body: bool) {
    let Ok(text) = write_request(request, has_body, || "key".to_owned()) else {
        return;
    };
    let mut head = Head::default();
    let parsed = match parse(&text, &mut head) {
        Parsed::Complete(parsed) => parsed,
        Parsed::Refused(_) => return,
        Parsed::Partial => panic!("the head is not whole"),
    };
    assert_eq!(
        parsed.head_length,
        text.len(),
        "something is behind the head"
    );
    assert_eq!(head.method.of(&text), request.method().as_str().as_bytes());
    if request.method() != Method::CONNECT {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        assert_eq!(head.target.of(&text), target.as_bytes());
    }
    let lines = head::lines(&text, &head);
    head::is_well_formed(&text, &lines);
    let is_apart = |name: &str| APART.iter().any(|apart| name.eq_ignore_ascii_case(apart));
    let mut read: Vec<(String, &[u8])> = lines
        .iter()
        .map(|line| {
            (
                String::from_utf8_lossy(line.name).to_ascii_lowercase(),
                line.value,
            )
        })
        .filter(|(name, _)| !is_apart(name))
        .collect();
    let mut said: Vec<(String, &[u8])> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().trim_ascii()))
        .filter(|(name, _)| !is_apart(name))
        .collect();
    read.sort();
    said.sort();
    assert_eq!(read, said);
    match parsed.framing {
        Framing::Chunked => assert!(has_body && !request.headers().contains_key("content-length")),
        Framing::Length(_) => assert!(request.headers().contains_key("content-length")),
        Framing::None => assert!(!has_body || request.headers().contains_key("content-length")),
        Framing::UntilClose => panic!("a request cannot end with its connection"),
    }
}

fn out_of_text(bytes: &[u8]) {
    let mut head = Head::default();
    let Parsed::Complete(parsed) = parse(bytes, &mut head) else {
        return;
    };
    let mut text = Vec::new();
    let (method, target) = (head.method.of(bytes), head.target.of(bytes));
    write::request_line(method, target, &mut text);
    write::fields(bytes, &head, &mut text);
    text.extend_from_slice(b"\r\n");
    let Ok(lines) = read_head(&text) else { return };
    assert_eq!(lines.length, text.len());
    let kept = head::lines(bytes, &head);
    let kept: Vec<&Line<'_>> = kept.iter().filter(|line| line.keep).collect();
    for (name, value) in &lines.fields {
        let is_it = |line: &&&Line<'_>| line.is(name.as_str()) && line.value == value.as_bytes();
        assert!(kept.iter().any(|line| is_it(&line)), "{name} was not said");
    }
    for line in kept {
        let name = String::from_utf8_lossy(line.name).to_ascii_lowercase();
        let is_gone = APART[2..].contains(&name.as_str())
            || name == "content-length" && lines.framing == Framing::Chunked;
        assert_eq!(lines.fields.contains_key(&name), !is_gone, "{name}");
    }
    match parsed.framing {
        Framing::None => assert!(matches!(lines.framing, Framing::None)),
        framing => assert_eq!(lines.framing, framing),
    }
}
