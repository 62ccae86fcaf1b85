//! Responses against hyper's client: what we accept, hyper accepts, and both see the same head and the same content.

use cloverleaf_router::http1::response::{Limits, parse};
use cloverleaf_router::http1::{Form, Framing, Parsed};
use cloverleaf_router::message::Head;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::generate::{cases, changed, changes, field_line, framed_body, sizes};
use crate::head::lines;
use crate::hyper_requests::{Fields, fields_of, grouped, trailers};
use crate::naive;
use crate::relay::relay;

/// A response as one of the two saw it.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    fields: Fields,
    /// Content and trailers; `None` when the body is broken or cut off.
    body: Option<(Vec<u8>, Fields)>,
}

/// What hyper's client makes of these bytes as the answer on a connection that then ends.
fn hyper(method: &str, bytes: &[u8]) -> Option<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, mut server) = tokio::io::duplex(1024 * 1024);
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_headers(4096)
            .handshake(TokioIo::new(client))
            .await
            .unwrap();
        let request = Request::builder()
            .method(method)
            .uri("/")
            .header("Host", "a.test")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answered = async {
            let response = sender.send_request(request).await.ok()?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.ok();
            let body = body.map(|body| {
                let trailers = body.trailers().map(fields_of).unwrap_or_default();
                (body.to_bytes().to_vec(), trailers)
            });
            drop(sender);
            Some(Seen {
                status: parts.status.as_u16(),
                fields: fields_of(&parts.headers),
                body,
            })
        };
        let backend = async {
            // hyper refuses an answer that comes before it has asked.
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && server.read_buf(&mut asked).await.unwrap() > 0 {}
            server.write_all(bytes).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let (seen, _end, ()) = tokio::join!(answered, connection, backend);
        seen
    })
}

/// What the router makes of them: interim heads are passed over, the final one and its body count.
fn ours(method: &str, bytes: &[u8], sizes: &[usize]) -> Option<Seen> {
    let mut rest = bytes;
    loop {
        let mut head = Head::default();
        let Parsed::Complete(response) =
            parse(rest, &mut head, method == "HEAD", Limits::default())
        else {
            return None;
        };
        let body = &rest[response.head_length..];
        if head.status < 200 && head.status != 101 {
            rest = body;
            continue;
        }
        let content = relay(response.framing, body, sizes, Form::Unwrapped);
        let section = match response.framing {
            Framing::Chunked => naive::read(body).trailers,
            _ => Vec::new(),
        };
        // The connection has ended.
        let is_whole = content.end == Ok(true) || response.framing == Framing::UntilClose;
        return Some(Seen {
            status: head.status,
            fields: grouped(
                lines(rest, &head)
                    .iter()
                    .map(|line| (line.name, line.value)),
            ),
            body: is_whole.then(|| (content.output, trailers(&section))),
        });
    }
}

fn compare(method: &str, bytes: &[u8], sizes: &[usize]) {
    let Some(ours) = ours(method, bytes, sizes) else {
        return;
    };
    let theirs = hyper(method, bytes);
    let shown = || bytes.escape_ascii().to_string();
    let Some(theirs) = theirs else {
        panic!("accepted, but not by hyper: {:?}", shown())
    };
    assert_eq!(
        (theirs.status, &theirs.fields),
        (ours.status, &ours.fields),
        "{}",
        shown()
    );
    // A body that we break off, another reader may take.
    if ours.body.is_some() {
        assert_eq!(theirs.body, ours.body, "{}", shown());
    }
}

const LINES: &[&str] = &[
    "Content-Length: 5",
    "Content-Length: 5",
    "Content-Length: 05",
    "Content-Length: 0",
    "Content-Length: 5, 5",
    "Content-Length: 6",
    "Content-Length: +5",
    "Content-Length: ",
    "Content-Length: 9223372036854775808",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: ",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding : chunked",
    " folded: yes",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: upgrade",
    "Upgrade: websocket",
    "X:",
    "X: a\tb",
    "X: a\rb",
    "X: \u{e4}",
    ": x",
    "X",
    "Trailer: X",
    "Set-Cookie: a=1",
];

fn head(framing: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![20 => Just("HTTP/1.1"), 4 => Just("HTTP/1.0"), 1 => select(vec!["HTTP/1.2", "HTTP/2.0"])];
    let status = prop_oneof![
        12 => Just(200_u16),
        4 => select(vec![100_u16, 101, 103, 199, 204, 205, 206, 301, 304, 400, 502, 599, 600, 999]),
        1 => 0..1000_u16,
    ];
    let phrase = prop_oneof![5 => Just(" OK"), 2 => select(vec![" Not Found", " ", "", "  two", " \u{e4}", " a\tb", " a\0b"])];
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
    (version, status, phrase, fields, line_end()).prop_map(
        move |(version, status, phrase, fields, line_end)| {
            let mut bytes = format!("{version} {status:03}{phrase}{line_end}").into_bytes();
            if !framing.is_empty() {
                bytes.extend_from_slice(framing.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            for (field, line_end) in fields {
                bytes.extend_from_slice(&field);
                bytes.extend_from_slice(line_end.as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            bytes
        },
    )
}

fn interim() -> impl Strategy<Value = Vec<u8>> {
    let usual = [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
    ];
    prop_oneof![2 => select(usual.to_vec()).prop_map(|text| text.as_bytes().to_vec()), 1 => head("")]
}

proptest! {
    #![proptest_config(cases(2500))]

    #[test]
    fn what_we_accept_hyper_reads_in_the_same_way(
        method in select(vec!["GET", "GET", "GET", "HEAD"]),
        interim in prop_oneof![3 => Just(Vec::new()), 1 => vec(interim(), 1..3)],
        (head, body) in framed_body().prop_flat_map(|(framing, body)| (head(framing), Just(body))),
        changes in changes(),
        sizes in sizes(),
    ) {
        let bytes = changed([interim.concat(), head, body].concat(), changes);
        compare(method, &bytes, &sizes);
    }
}

/// So that the comparison compares something.
#[test]
fn both_see_an_answer_behind_an_interim_one() {
    let bytes = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: v\r\n\r\n";
    let seen = hyper("GET", bytes).unwrap();
    assert_eq!(
        (seen.status, seen.body.as_ref().unwrap().0.as_slice()),
        (200, &b"hi"[..])
    );
    assert_eq!(ours("GET", bytes, &[1]), Some(seen));
}
