//! Parsing, editing and writing of heads, and following of bodies: the codec's share of a request.

use std::hint::black_box;

use cloverleaf_router::http1::{Body, Form, Framing, Parsed, request, response, write};
use cloverleaf_router::message::{Head, Name};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const REQUEST: &[u8] = b"GET /api/v1/items?page=2 HTTP/1.1\r\nHost: app-50000.apps.example.com\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n\
Cookie: session=0123456789abcdef\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: keep-alive\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: app\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Content-Type: application/json\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n";

fn heads(c: &mut Criterion) {
    let mut head = Head::default();
    let mut group = c.benchmark_group("head");
    group.throughput(Throughput::Bytes(REQUEST.len() as u64));
    group.bench_function("request_parse", |b| {
        b.iter(|| match request::parse(black_box(REQUEST), &mut head) {
            Parsed::Complete(request) => request.head_length,
            _ => 0,
        });
    });
    let mut out = Vec::with_capacity(4096);
    group.bench_function("request_parse_edit_write", |b| {
        b.iter(|| {
            let Parsed::Complete(_) = request::parse(black_box(REQUEST), &mut head) else {
                return;
            };
            head.remove(Name::Connection);
            head.remove(Name::ForwardedFor);
            head.add("X-Forwarded-For", b"203.0.113.7, 10.0.0.1");
            head.add("X-Vcap-Request-Id", b"6f0c2c1e-93b4-4f0a-a5a2-0d5a7b1f7f10");
            out.clear();
            write::request_line(head.method.of(REQUEST), head.target.of(REQUEST), &mut out);
            write::fields(REQUEST, &head, &mut out);
            black_box(&out);
        });
    });
    group.throughput(Throughput::Bytes(RESPONSE.len() as u64));
    group.bench_function("response_parse", |b| {
        b.iter(|| {
            match response::parse(
                black_box(RESPONSE),
                &mut head,
                false,
                response::Limits::default(),
            ) {
                Parsed::Complete(response) => response.head_length,
                _ => 0,
            }
        });
    });
    group.finish();
}

fn bodies(c: &mut Criterion) {
    let mut chunked = Vec::new();
    for _ in 0..16 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b'x'; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut group = c.benchmark_group("body");
    group.throughput(Throughput::Bytes(chunked.len() as u64));
    group.bench_function("chunked_16_kib", |b| {
        b.iter(|| {
            let (mut body, mut at, mut content) = (Body::new(Framing::Chunked), 0, 0);
            while !body.is_done() {
                let Ok(take) = body.take(black_box(&chunked[at..]), Form::AsIs, &mut content)
                else {
                    break;
                };
                at += take.len();
            }
            content
        });
    });
    group.finish();
}

criterion_group!(benches, heads, bodies);
criterion_main!(benches);
