//! Requests against hyper's server: what we accept, hyper accepts, and both see the same messages in the same places.
//!
//! The other way round is not asked for: hyper takes much that a router must refuse.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use cloverleaf_router::http1::request::parse;
use cloverleaf_router::http1::target::{self, Target};
use cloverleaf_router::http1::{Form, Framing, Parsed};
use cloverleaf_router::message::{Head, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::AsyncWriteExt;

use crate::generate::{cases, changed, changes, field_line, framed_body, sizes};
use crate::head::lines;
use crate::naive;
use crate::relay::relay;

/// Field values by name in lower case, each list in the order of the message.
pub type Fields = BTreeMap<String, Vec<Vec<u8>>>;

/// A request as one of the two saw it.
#[derive(Debug)]
struct Seen {
    method: String,
    version: Version,
    fields: Fields,
    /// `None` for the chunked coding.
    length: Option<u64>,
    /// Content and trailers; `None` when the body is broken or cut off.
    body: Option<(Vec<u8>, Fields)>,
}

/// What hyper's server makes of a connection that brings these bytes and then ends.
fn hyper(bytes: &[u8]) -> Vec<(Seen, Uri)> {
    let seen = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| async {
        let (parts, body) = request.into_parts();
        let length = body.size_hint().exact();
        let index = seen.borrow().len();
        let fields = fields_of(&parts.headers);
        let version = if parts.version == hyper::Version::HTTP_10 {
            Version::Http10
        } else {
            Version::Http11
        };
        seen.borrow_mut().push((
            Seen {
                method: parts.method.to_string(),
                version,
                fields,
                length,
                body: None,
            },
            parts.uri,
        ));
        if let Ok(body) = body.collect().await {
            let trailers = body.trailers().map(fields_of).unwrap_or_default();
            seen.borrow_mut()[index].0.body = Some((body.to_bytes().to_vec(), trailers));
        }
        // Not a success: that would turn a CONNECT into a tunnel.
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = hyper::StatusCode::NOT_FOUND;
        Ok::<_, Infallible>(response)
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut builder = hyper::server::conn::http1::Builder::new();
        // Whether hyper liked the end of the connection does not matter here.
        let _end = builder
            .half_close(true)
            .max_headers(4096)
            .serve_connection(TokioIo::new(server), service)
            .await;
    });
    seen.into_inner()
}

pub fn fields_of(headers: &hyper::HeaderMap) -> Fields {
    let values = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect()
    };
    headers
        .keys()
        .map(|name| (name.to_string(), values(name)))
        .collect()
}

/// The fields of a head of ours, in the same form.
pub fn grouped<'a>(lines: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in lines {
        let name = std::str::from_utf8(name).unwrap().to_ascii_lowercase();
        fields.entry(name).or_default().push(value.to_vec());
    }
    fields
}

/// Trailer fields as they stand.
pub fn trailers(section: &[u8]) -> Fields {
    let lines = section
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    grouped(lines.map(|line| {
        let colon = line.iter().position(|&byte| byte == b':').unwrap();
        (&line[..colon], line[colon + 1..].trim_ascii())
    }))
}

/// Goes through a connection as the router does, and holds each message that it accepts against what hyper saw.
fn compare(bytes: &[u8], sizes: &[usize]) {
    let mut theirs = hyper(bytes).into_iter();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let mut head = Head::default();
        let Parsed::Complete(request) = parse(rest, &mut head) else {
            return;
        };
        if request.target.form == target::Form::Authority {
            // CONNECT is answered by the router and ends the connection.
            return;
        }
        let text = head.target.of(rest);
        let Some((seen, uri)) = theirs.next() else {
            assert!(
                is_beyond_hyper(text),
                "accepted, but not by hyper: {:?}",
                rest.escape_ascii().to_string()
            );
            // Then it must be for the target alone.
            let (start, end) = (head.target.start as usize, head.target.end as usize);
            return compare(&[&rest[..start], b"/", &rest[end..]].concat(), sizes);
        };
        assert_eq!(seen.method.as_bytes(), head.method.of(rest));
        assert_eq!(seen.version, head.version);
        let ours = lines(rest, &head);
        assert_eq!(
            seen.fields,
            grouped(ours.iter().map(|line| (line.name, line.value)))
        );
        same_target(rest, &request.target, &uri);
        match request.framing {
            Framing::None => assert_eq!(seen.length, Some(0)),
            Framing::Length(length) => assert_eq!(seen.length, Some(length)),
            Framing::Chunked => assert_eq!(seen.length, None),
            Framing::UntilClose => panic!("a request cannot end with its connection"),
        }
        let body = &rest[request.head_length..];
        let content = relay(request.framing, body, sizes, Form::Unwrapped);
        match content.end {
            Ok(true) => {
                let section = match request.framing {
                    Framing::Chunked => naive::read(body).trailers,
                    _ => Vec::new(),
                };
                assert_eq!(seen.body, Some((content.output, trailers(&section))));
            }
            Ok(false) => {
                assert_eq!(seen.body, None, "hyper saw the end of a body that goes on");
                return;
            }
            Err(_) => return,
        }
        if !request.keep_alive {
            return;
        }
        at += request.head_length + content.consumed;
    }
    assert!(theirs.next().is_none(), "hyper saw another request");
}

/// hyper reads targets by a grammar of its own, which is narrower than what the router has to pass on byte for byte
/// (spec 4.3). None of this has to do with where a message ends.
fn is_beyond_hyper(target: &[u8]) -> bool {
    // `<`, `>`, `` ` `` and the like, which ought to be percent-encoded and often are not.
    target.iter().any(|byte| b"<>\"`".contains(byte))
        // Text in another encoding than UTF-8.
        || std::str::from_utf8(target).is_err()
        // An empty authority, or a scheme that is too long.
        || target.windows(4).any(|window| window == b":///" || window == b"://?")
        || target.ends_with(b"://")
        || target.iter().position(|&byte| byte == b':').is_some_and(|length| length > 64)
}

fn same_target(bytes: &[u8], target: &Target, uri: &Uri) {
    let origin = target.origin.of(bytes);
    // hyper drops a fragment, which no target should have; we pass it on as part of the path.
    let origin = origin.split(|&byte| byte == b'#').next().unwrap();
    let path_and_query = uri
        .path_and_query()
        .map(|text| text.as_str().as_bytes())
        .unwrap_or_default();
    match target.form {
        target::Form::Absolute if origin.is_empty() => assert_eq!(path_and_query, b"/"),
        _ => assert_eq!(path_and_query, origin),
    }
    let authority = uri
        .authority()
        .map(|text| text.as_str().as_bytes())
        .unwrap_or_default();
    assert_eq!(authority, target.authority.of(bytes));
}

/// Lines and targets about which readers have been known to disagree (RFC 9112 section 11.2).
const TARGETS: &[&str] = &[
    "/",
    "/a?b=c",
    "/%41?%zz",
    "//a/b",
    "/a#b",
    "*",
    "http://a.test/x",
    "http://a.test",
    "http://a.test?x",
    "http:///x",
    "http://a:80/",
    "http://a:b/",
    "http://[::1]:80/",
    "http://[::1/",
    "http://u@a/",
    "a.test:443",
    "a.test",
    "/<>",
    "/\"",
    "/{a}",
    "/a\\b",
    "/\u{e4}",
    "https://a/b://c",
    "ftp://a.test/x",
    "/a;b=c",
    "http://a%41/",
    "http://a_b~!$&'()*+,;=/",
];
const LINES: &[&str] = &[
    "Host: a.test",
    "Host: a.test",
    "Host: a.test",
    "Host: b.test:80",
    "host:",
    "Host: a,b",
    "Host: a b",
    "Content-Length: 5",
    "Content-Length: 5",
    "Content-Length: 05",
    "Content-Length: 0",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length: 0x5",
    "Content-Length: 5 ",
    "Content-Length:\t5",
    "Content-Length: ",
    "Content-Length: 9223372036854775807",
    "Content-Length: 9223372036854775808",
    "Content-Length: 18446744073709551616",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: CHUNKED",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ",
    "Transfer-Encoding:chunked\t",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding : chunked",
    " Transfer-Encoding: chunked",
    "X: a\n Y: b",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: x, Close",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "Expect: 100-Continue",
    "Expect: other",
    "X-Forwarded-For: 1.2.3.4",
    "X_Forwarded_For: 1",
    "Trailer: X",
    "TE: trailers",
    "X:",
    "X: \u{e4}",
    "X: a\tb",
    "X: a\rb",
    ": x",
    "X",
    "X(y): z",
];

fn message() -> impl Strategy<Value = Vec<u8>> {
    let method = select(vec![
        "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "CONNECT", "get", "M-SEARCH", "PRI",
    ]);
    let target = prop_oneof![5 => Just("/".to_owned()), 2 => select(TARGETS).prop_map(str::to_owned), 1 => "/[!-~]{0,6}"];
    let version = prop_oneof![
        20 => Just("HTTP/1.1"),
        3 => Just("HTTP/1.0"),
        1 => select(vec!["HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/1.10"]),
    ];
    let line_end = || prop_oneof![40 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r\r\n")];
    let field = prop_oneof![
        1 => select(LINES).prop_map(|line| line.as_bytes().to_vec()),
        1 => field_line().prop_map(|field| {
            let mut line = Vec::new();
            field.write(&mut line);
            line.truncate(line.len() - 2);
            line
        }),
    ];
    let fields = prop_oneof![1 => Just(0_usize), 1 => 1..4_usize];
    let fields = fields.prop_flat_map(move |count| vec((field.clone(), line_end()), count));
    (method, target, version, framed_body(), fields, line_end()).prop_map(
        |(method, target, version, (framing, body), fields, line_end)| {
            let mut bytes =
                format!("{method} {target} {version}{line_end}Host: a.test\r\n").into_bytes();
            if !framing.is_empty() {
                bytes.extend_from_slice(framing.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            for (field, line_end) in fields {
                // The line is there already; most messages have it once.
                if !field.eq_ignore_ascii_case(b"Host: a.test") {
                    bytes.extend_from_slice(&field);
                    bytes.extend_from_slice(line_end.as_bytes());
                }
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(cases(2500))]

    #[test]
    fn what_we_accept_hyper_reads_in_the_same_way(
        messages in vec(message(), 1..3),
        changes in changes(),
        sizes in sizes(),
    ) {
        let mut bytes = changed(messages.concat(), changes);
        bytes.extend_from_slice(b"GET /last HTTP/1.1\r\nHost: last.test\r\n\r\n");
        compare(&bytes, &sizes);
    }
}

/// So that the comparison compares something: all three of these are seen by both.
#[test]
fn both_see_every_message_of_a_connection() {
    let bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX-T: v\r\n\r\n\
        POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhoGET http://b/c?d HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(hyper(bytes).len(), 3);
    compare(bytes, &[1]);
}
