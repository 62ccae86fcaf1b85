//! What RFC 9113 asks of a server, case by case, in the order of its sections: the cases that the usual conformance suites
//! have, so far as they make sense for a proxy.
//!
//! An error of a stream may be answered with the end of the connection, which the RFC allows everywhere (section 5.4.2);
//! the end of a connection may come without a word. Where the RFC has a code for the particular error, PROTOCOL_ERROR is
//! taken too: the h2 library says that for most errors of a connection, and no peer acts on the difference (section 7).

use cloverleaf_tests::flag::{ACK, END_HEADERS, END_STREAM, NONE, PADDED, PRIORITY as PRIORITISED};
use cloverleaf_tests::frame_kind::*;
use cloverleaf_tests::{
    Backend, End, Frame, FrameClient, Outcome, Registration, Router, header_block, ok,
};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

const POST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "app.test"),
];

/// What has to become of stream 1.
#[derive(Debug)]
enum Expected {
    /// It is answered.
    Served,
    /// It ends, or the connection does, with one of these codes.
    Stream(&'static [u32]),
    /// The connection ends with one of these codes.
    Connection(&'static [u32]),
}

use Expected::{Connection, Served, Stream};

impl Expected {
    fn fits(&self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (Served, Outcome::Answer(status)) => status == 200,
            (Stream(codes), Outcome::Reset(code)) => codes.contains(&code),
            (Stream(codes) | Connection(codes), Outcome::GoneAway(code)) => {
                code == PROTOCOL_ERROR || codes.contains(&code)
            }
            (Stream(_) | Connection(_), Outcome::Closed) => true,
            _ => false,
        }
    }
}

type Case = (&'static str, fn(&mut FrameClient), Expected);

struct Edge {
    router: Router,
    _backend: Backend,
}

impl Edge {
    fn new() -> Edge {
        let router = Router::builder()
            .with("enable_http2_prior_knowledge", true)
            .start();
        let backend = Backend::answering(|request| ok(request.target()));
        router.register(&Registration::of("app.test", &backend));
        Edge {
            router,
            _backend: backend,
        }
    }

    /// Each case has a connection of its own; all failures are told at once.
    #[track_caller]
    fn check(&self, cases: &[Case]) {
        let mut failures = Vec::new();
        for (name, case, expected) in cases {
            let mut client = FrameClient::connect(self.router.port());
            case(&mut client);
            let mut outcome = client.outcome(1);
            if outcome == Outcome::Answer(200) && !matches!(expected, Served) {
                // To the request that was whole before the rest came.
                outcome = client.outcome(1);
            }
            if !expected.fits(outcome) {
                failures.push(format!("{name}: {outcome:?}, not {expected:?}"));
            }
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
        assert_eq!(self.router.get("app.test", "/after").text(), "/after");
    }
}

fn post(client: &mut FrameClient, stream: u32) {
    client.head(stream, &POST, NONE);
}

/// Asks with a field whose value is `code` in the code of RFC 7541 appendix B.
fn huffman(client: &mut FrameClient, code: &[u8]) {
    let mut block = header_block(&POST);
    block.extend_from_slice(&[0, 1, b'x', 0x80 | code.len() as u8]);
    block.extend_from_slice(code);
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
}

/// Opens stream 1 and resets it.
fn leave(client: &mut FrameClient) {
    post(client, 1);
    client.send(RST_STREAM, NONE, 1, &[0, 0, 0, 8]);
}

// RFC 9113 section 3.4
#[test]
fn what_is_no_preface_is_no_http_2() {
    let edge = Edge::new();
    let mut client = FrameClient::silent(edge.router.port());
    client.raw("PRI * HTTP/2.0\r\n\r\nSM\r\nX\r\n");
    client.settings(&[]);
    assert_ne!(client.end(), End::Silent);
    assert_eq!(edge.router.get("app.test", "/after").text(), "/after");
}

// RFC 9113 sections 4.1 to 4.3
#[test]
fn frames_are_read_as_they_are_defined() {
    Edge::new().check(&[
        (
            "unknown types are ignored",
            |client| {
                client.send(0x16, NONE, 0, b"whatever");
                client.send(0x16, NONE, 1, b"whatever");
                client.get(1, "/");
            },
            Served,
        ),
        (
            "undefined flags are ignored",
            |client| {
                client.send(PING, 0x16, 0, b"whatever");
                client.get(1, "/");
            },
            Served,
        ),
        (
            "the reserved bit is ignored",
            |client| {
                client.send(PING, NONE, 0x8000_0000, b"whatever");
                client.get(1, "/");
            },
            Served,
        ),
        (
            "a frame of DATA that is too large",
            |client| {
                post(client, 1);
                client.send(DATA, END_STREAM, 1, &[0; 16_385]);
            },
            Stream(&[FRAME_SIZE_ERROR]),
        ),
        (
            "a frame of HEADERS that is too large",
            |client| {
                let value = "x".repeat(20_000);
                let fields = [POST[0], POST[1], POST[2], POST[3], ("x", &value)];
                client.head(1, &fields, END_STREAM);
            },
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "a frame of another kind that is too large",
            |client| {
                client.send(0x16, NONE, 0, &[0; 16_385]);
            },
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "a header block that is none",
            |client| {
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0x40]);
            },
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "an index beyond the table",
            |client| {
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0x82, 0xff, 0x7f]);
            },
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "a table larger than allowed",
            |client| {
                let mut block = vec![0x3f, 0xe1, 0xff, 0x03];
                block.extend(header_block(&POST));
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
            },
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "an index that is zero",
            |client| {
                let mut block = vec![0x80];
                block.extend(header_block(&POST));
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
            },
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "a change of the table's size behind a field",
            |client| {
                let mut block = header_block(&POST);
                block.push(0x20);
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
            },
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "a change of the table's size before the first field",
            |client| {
                let mut block = vec![0x20];
                block.extend(header_block(&POST));
                client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block);
            },
            Served,
        ),
        (
            "padding in the code that is longer than seven bits",
            |client| huffman(client, &[0x1f, 0xff]),
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "padding in the code that is no beginning of its end",
            |client| huffman(client, &[0x18]),
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "the end of the code within a text",
            |client| huffman(client, &[0xff, 0xff, 0xff, 0xff]),
            Connection(&[COMPRESSION_ERROR]),
        ),
        (
            "padding in the code as it has to be",
            |client| huffman(client, &[0x1f]),
            Served,
        ),
        (
            "PRIORITY inside of a header block",
            |client| {
                client.send(HEADERS, END_STREAM, 1, &header_block(&POST));
                client.send(PRIORITY, NONE, 1, &[0, 0, 0, 0, 1]);
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS of another stream inside of a header block",
            |client| {
                client.send(HEADERS, END_STREAM, 1, &header_block(&POST));
                client.get(3, "/");
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "an unknown type inside of a header block",
            |client| {
                client.send(HEADERS, END_STREAM, 1, &header_block(&POST));
                client.send(0x16, NONE, 0, b"whatever");
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
    ]);
}

// RFC 9113 sections 5.1 to 5.3
#[test]
fn streams_are_in_the_state_in_which_they_are() {
    Edge::new().check(&[
        (
            "DATA on an idle stream",
            |client| client.send(DATA, END_STREAM, 1, b"x"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "RST_STREAM on an idle stream",
            |client| client.send(RST_STREAM, NONE, 1, &[0, 0, 0, 8]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE on an idle stream",
            |client| {
                client.send(WINDOW_UPDATE, NONE, 1, &[0, 0, 0, 100]);
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION on an idle stream",
            |client| {
                client.send(CONTINUATION, END_HEADERS, 1, &header_block(&POST));
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA behind the end of a stream",
            |client| {
                client.head(1, &POST, END_STREAM);
                client.send(DATA, END_STREAM, 1, b"x");
            },
            Stream(&[STREAM_CLOSED]),
        ),
        (
            "HEADERS behind the end of a stream",
            |client| {
                client.head(1, &POST, END_STREAM);
                client.head(1, &POST, END_STREAM);
            },
            Stream(&[STREAM_CLOSED]),
        ),
        (
            "CONTINUATION behind the end of a stream",
            |client| {
                client.head(1, &POST, END_STREAM);
                client.send(CONTINUATION, END_HEADERS, 1, &header_block(&POST));
            },
            Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        (
            "DATA behind a reset",
            |client| {
                leave(client);
                client.send(DATA, END_STREAM, 1, b"x");
            },
            Stream(&[STREAM_CLOSED]),
        ),
        (
            "HEADERS behind a reset",
            |client| {
                leave(client);
                client.head(1, &POST, END_STREAM);
            },
            Stream(&[STREAM_CLOSED]),
        ),
        (
            "CONTINUATION behind a reset",
            |client| {
                leave(client);
                client.send(CONTINUATION, END_HEADERS, 1, &header_block(&POST));
            },
            Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        (
            "a stream with an even number",
            |client| client.get(2, "/"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "a number lower than one before",
            |client| {
                client.get(5, "/");
                client.get(3, "/");
            },
            Connection(&[PROTOCOL_ERROR, STREAM_CLOSED]),
        ),
        (
            "PRIORITY on an idle stream",
            |client| {
                client.send(PRIORITY, NONE, 1, &[0, 0, 0, 0, 1]);
                client.get(1, "/");
            },
            Served,
        ),
    ]);
}

// RFC 9113 sections 6.1 to 6.4
#[test]
fn frames_of_streams_have_their_form() {
    Edge::new().check(&[
        (
            "padding is taken off",
            |client| {
                let mut block = vec![3];
                block.extend(header_block(&POST));
                block.extend([0, 0, 0]);
                client.send(HEADERS, END_HEADERS | PADDED, 1, &block);
                client.send(DATA, END_STREAM | PADDED, 1, &[2, b'x', 0, 0]);
            },
            Served,
        ),
        (
            "DATA without a stream",
            |client| client.send(DATA, END_STREAM, 0, b"x"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA with more padding than there is",
            |client| {
                post(client, 1);
                client.send(DATA, END_STREAM | PADDED, 1, &[6, 0, 0, 0, 0, 0]);
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS without a stream",
            |client| client.get(0, "/"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS with more padding than there is",
            |client| {
                let mut block = vec![255];
                block.extend(header_block(&POST));
                client.send(HEADERS, END_HEADERS | PADDED | END_STREAM, 1, &block);
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS with a priority",
            |client| {
                let mut block = vec![0, 0, 0, 0, 255];
                block.extend(header_block(&POST));
                client.send(HEADERS, END_HEADERS | PRIORITISED | END_STREAM, 1, &block);
            },
            Served,
        ),
        (
            "PRIORITY without a stream",
            |client| client.send(PRIORITY, NONE, 0, &[0, 0, 0, 0, 1]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PRIORITY of another length",
            |client| {
                post(client, 1);
                client.send(PRIORITY, NONE, 1, &[0, 0, 0, 1]);
            },
            Stream(&[FRAME_SIZE_ERROR]),
        ),
        (
            "RST_STREAM without a stream",
            |client| client.send(RST_STREAM, NONE, 0, &[0, 0, 0, 8]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "RST_STREAM of another length",
            |client| {
                post(client, 1);
                client.send(RST_STREAM, NONE, 1, &[0, 0, 8]);
            },
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "CONTINUATION frames in a row",
            |client| {
                client.send(HEADERS, END_STREAM, 1, &header_block(&POST));
                client.send(CONTINUATION, NONE, 1, &header_block(&[("x-one", "1")]));
                client.send(
                    CONTINUATION,
                    END_HEADERS,
                    1,
                    &header_block(&[("x-two", "2")]),
                );
            },
            Served,
        ),
        (
            "CONTINUATION behind the end of a block",
            |client| {
                post(client, 1);
                client.send(
                    CONTINUATION,
                    END_HEADERS,
                    1,
                    &header_block(&[("x-one", "1")]),
                );
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION without a stream",
            |client| {
                client.send(HEADERS, END_STREAM, 1, &header_block(&POST));
                client.send(
                    CONTINUATION,
                    END_HEADERS,
                    0,
                    &header_block(&[("x-one", "1")]),
                );
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "a promise of a client",
            |client| {
                post(client, 1);
                let mut block = vec![0, 0, 0, 2];
                block.extend(header_block(&POST));
                client.send(PUSH_PROMISE, END_HEADERS, 1, &block);
            },
            Connection(&[PROTOCOL_ERROR]),
        ),
    ]);
}

// RFC 9113 sections 6.5 to 6.8
#[test]
fn frames_of_connections_have_their_form() {
    Edge::new().check(&[
        (
            "unknown settings are ignored",
            |client| {
                client.settings(&[(0xff, 1)]);
                client.get(1, "/");
            },
            Served,
        ),
        (
            "an acknowledgement with settings",
            |client| client.send(SETTINGS, ACK, 0, &[0, 1, 0, 0, 0, 0]),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "settings of a stream",
            |client| client.send(SETTINGS, NONE, 1, &[]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "settings of another length",
            |client| client.send(SETTINGS, NONE, 0, &[0, 3, 0]),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "ENABLE_PUSH neither 0 nor 1",
            |client| client.settings(&[(2, 2)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "INITIAL_WINDOW_SIZE beyond the largest",
            |client| client.settings(&[(4, 0x8000_0000)]),
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "MAX_FRAME_SIZE below the smallest",
            |client| client.settings(&[(5, 16_383)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "MAX_FRAME_SIZE beyond the largest",
            |client| client.settings(&[(5, 1 << 24)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PING of a stream",
            |client| client.send(PING, NONE, 1, b"whatever"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PING of another length",
            |client| client.send(PING, NONE, 0, b"short"),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "GOAWAY of a stream",
            |client| client.send(GOAWAY, NONE, 1, &[0; 8]),
            Connection(&[PROTOCOL_ERROR]),
        ),
    ]);
    let edge = Edge::new();
    let mut client = FrameClient::connect(edge.router.port());
    // Codes that nobody knows have no meaning of their own (section 7).
    post(&mut client, 1);
    client.send(RST_STREAM, NONE, 1, &[0, 0, 0, 255]);
    client.get(3, "/");
    assert_eq!(client.outcome(3), Outcome::Answer(200));
    client.send(GOAWAY, NONE, 0, &[0, 0, 0, 0, 0, 0, 0, 255]);
    assert_ne!(client.end(), End::Silent);
    // Settings are acknowledged one by one, and of a setting that is repeated the last one counts.
    let mut client = FrameClient::connect(edge.router.port());
    client.settings(&[(4, 100), (4, 1)]);
    let acknowledged = |frame: &Frame| frame.kind == SETTINGS && frame.flags & ACK != 0;
    for _ in 0..2 {
        assert_eq!(client.until(acknowledged).expect("a word").payload, b"");
    }
    client.get(1, "/last");
    let data = client.until(|frame| frame.kind == DATA).expect("a byte");
    assert_eq!(data.payload, b"/");
    let mut client = FrameClient::connect(edge.router.port());
    assert!(client.is_alive());
    // An acknowledgement is not acknowledged.
    client.send(PING, ACK, 0, b"whatever");
    client.send(PING, NONE, 0, b"sentinel");
    let pong = client.until(|frame| frame.kind == PING).expect("a pong");
    assert_eq!((pong.flags, &pong.payload[..]), (ACK, &b"sentinel"[..]));
}

// RFC 9113 section 6.9
#[test]
fn windows_are_kept() {
    Edge::new().check(&[
        (
            "no increment for a connection",
            |client| client.send(WINDOW_UPDATE, NONE, 0, &[0; 4]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "no increment for a stream",
            |client| {
                post(client, 1);
                client.send(WINDOW_UPDATE, NONE, 1, &[0; 4]);
            },
            Stream(&[PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE of another length",
            |client| client.send(WINDOW_UPDATE, NONE, 0, &[0, 0, 1]),
            Connection(&[FRAME_SIZE_ERROR]),
        ),
        (
            "a window of a connection beyond the largest",
            |client| {
                for _ in 0..2 {
                    client.send(WINDOW_UPDATE, NONE, 0, &[0x7f, 0xff, 0xff, 0xff]);
                }
            },
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "a window of a stream beyond the largest",
            |client| {
                post(client, 1);
                for _ in 0..2 {
                    client.send(WINDOW_UPDATE, NONE, 1, &[0x7f, 0xff, 0xff, 0xff]);
                }
            },
            Stream(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "a window of a stream beyond the largest through settings",
            |client| {
                post(client, 1);
                client.send(WINDOW_UPDATE, NONE, 1, &[0x7f, 0xff, 0x00, 0x00]);
                client.settings(&[(4, 0x7fff_ffff)]);
            },
            Connection(&[FLOW_CONTROL_ERROR]),
        ),
    ]);
    let edge = Edge::new();
    let mut client = FrameClient::connect(edge.router.port());
    // A byte at a time, and none before its window is open.
    client.settings(&[(4, 1)]);
    client.get(1, "/window");
    let data = |frame: &Frame| frame.kind == DATA && frame.stream == 1;
    assert_eq!(client.until(data).expect("a byte").payload, b"/");
    assert!(
        client.is_alive(),
        "nothing more came before the answer to a ping"
    );
    client.settings(&[(4, 3)]);
    assert_eq!(client.until(data).expect("two bytes").payload, b"wi");
    client.send(WINDOW_UPDATE, NONE, 1, &[0, 0, 1, 0]);
    let rest = client.until(data).expect("the rest");
    assert_eq!(rest.payload, b"ndow");
    // A window can be below zero, and is opened from there.
    client.get(3, "/negative");
    assert_eq!(
        client
            .until(|frame| frame.kind == DATA)
            .expect("three bytes")
            .payload,
        b"/ne"
    );
    client.settings(&[(4, 0)]);
    client.send(WINDOW_UPDATE, NONE, 3, &[0, 0, 0, 5]);
    assert_eq!(
        client
            .until(|frame| frame.kind == DATA)
            .expect("two bytes")
            .payload,
        b"ga"
    );
}

// RFC 9113 section 5.4.1
#[test]
fn an_error_of_a_connection_is_told_before_its_end() {
    let edge = Edge::new();
    let mut client = FrameClient::connect(edge.router.port());
    client.send(PING, NONE, 1, b"whatever");
    let frame = client.until(|frame| frame.kind == GOAWAY).expect("GOAWAY");
    assert_eq!(frame.payload[4..8], PROTOCOL_ERROR.to_be_bytes());
    client.end();
}

// RFC 9113 section 8.1
#[test]
fn trailers_end_a_request() {
    Edge::new().check(&[
        (
            "trailers",
            |client| {
                post(client, 1);
                client.send(DATA, NONE, 1, b"x");
                client.head(1, &[("x-trailer", "1")], END_STREAM);
            },
            Served,
        ),
        (
            "trailers that do not end it",
            |client| {
                post(client, 1);
                client.head(1, &[("x-trailer", "1")], NONE);
            },
            Stream(&[PROTOCOL_ERROR]),
        ),
        (
            "trailers with a pseudo-field, which are dropped as all trailers of requests are",
            |client| {
                post(client, 1);
                client.head(1, &[(":method", "POST")], END_STREAM);
            },
            Served,
        ),
        (
            "DATA behind trailers",
            |client| {
                post(client, 1);
                client.head(1, &[("x-trailer", "1")], END_STREAM);
                client.send(DATA, END_STREAM, 1, b"x");
            },
            Stream(&[STREAM_CLOSED]),
        ),
    ]);
}
