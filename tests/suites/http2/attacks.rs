//! Clients that want the router to do much for little: each ends in a defined way, what it can make the router hold is
//! bounded, and others are served meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cloverleaf_tests::flag::{ACK, END_HEADERS, END_STREAM, NONE};
use cloverleaf_tests::frame_kind::*;
use cloverleaf_tests::{
    Backend, Frame, FrameClient, Gate, Http2Backend, Http2Client, LIMIT, Outcome, Registration,
    Router, eventually, header_block, ok, request,
};

const FLOW_CONTROL_ERROR: u32 = 3;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/attack"),
    (":authority", "app.test"),
];
const POST: [(&str, &str); 4] = [(":method", "POST"), GET[1], GET[2], GET[3]];

/// KiB that an attack of one connection may add to what the process holds; the build under test is not optimised, and its
/// allocator keeps what it had.
const FOR_ONE: u64 = 12 * 1024;

/// Appends the frames for which the router has to reset a stream.
type Provoke = fn(&mut Vec<u8>, u32);

struct Edge {
    router: Router,
    backend: Backend,
}

impl Edge {
    fn before(backend: Backend) -> Edge {
        let router = Router::builder()
            .with("enable_http2_prior_knowledge", true)
            .start();
        router.register(&Registration::of("app.test", &backend));
        let edge = Edge { router, backend };
        // Everything is there that a request needs.
        for _ in 0..20 {
            assert_eq!(edge.router.get("app.test", "/before").status, 200);
        }
        edge
    }

    fn new() -> Edge {
        Edge::before(Backend::answering(|request| ok(request.target())))
    }

    /// Before a backend that answers attacks only when the gate is open.
    fn held() -> (Edge, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        let held = Arc::clone(&gate);
        let edge = Edge::before(Backend::answering(move |request| {
            if request.target() == "/attack" {
                held.wait();
            }
            ok(request.target())
        }));
        (edge, gate)
    }

    /// Before a backend that reads what attacks bring and never answers.
    fn silent() -> Edge {
        Edge::before(Backend::scripted(|peer| {
            loop {
                let request = peer.head()?;
                if request.target() == "/attack" {
                    peer.wire().rest();
                    return Ok(());
                }
                peer.send(ok(request.target()))?;
            }
        }))
    }

    /// Attacks that have reached the backend.
    fn attacks(&self) -> usize {
        let seen = self.backend.requests();
        let attacks = seen.iter().filter(|seen| seen.target() == "/attack");
        attacks.count()
    }

    fn client(&self) -> FrameClient {
        FrameClient::connect(self.router.port())
    }

    /// Runs an attack beside clients who must not notice; gives what it gives.
    #[track_caller]
    fn bears<T>(&self, most: u64, attack: impl FnOnce() -> T) -> T {
        let before = self.router.memory();
        let over = Arc::new(AtomicBool::new(false));
        let (ended, port) = (Arc::clone(&over), self.router.port());
        let others = thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !ended.load(Ordering::Acquire) {
                let began = Instant::now();
                let answer = cloverleaf_tests::Client::connect(port).get("app.test", "/other");
                assert_eq!(answer.text(), "/other");
                slowest = slowest.max(began.elapsed());
            }
            slowest
        });
        let outcome = attack();
        over.store(true, Ordering::Release);
        let slowest = others.join().expect("others are served");
        assert!(
            slowest < Duration::from_secs(2),
            "others waited {slowest:?}"
        );
        let grown = self.router.memory().saturating_sub(before);
        assert!(grown < most, "{grown} KiB more");
        assert_eq!(self.router.get("app.test", "/after").text(), "/after");
        outcome
    }
}

/// Sends `bytes` again and again until the router has enough, at most so many times, and waits for its word.
fn flood(client: &mut FrameClient, bytes: &[u8], times: usize) -> Outcome {
    client.flood(bytes, times);
    client.outcome(u32::MAX)
}

// CVE-2023-44487
#[test]
fn streams_that_are_opened_to_be_reset_end_their_connection() {
    const CONNECTIONS: usize = 20;
    // As an application does that is busy: nothing is answered before it is reset.
    let edge = Edge::before(Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            if request.target() == "/attack" {
                peer.wire().more()?;
            }
            peer.send(ok(request.target()))?;
        }
    }));
    let outcomes = edge.bears(4 * FOR_ONE, || {
        let attackers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let mut client = edge.client();
                thread::spawn(move || {
                    for first in (1..40_000).step_by(200) {
                        let mut bytes = Vec::new();
                        for stream in (first..first + 200).step_by(2) {
                            let (head, block) = (END_STREAM | END_HEADERS, header_block(&GET));
                            bytes.extend(Frame::bytes(HEADERS, head, stream, &block));
                            let code = CANCEL.to_be_bytes();
                            bytes.extend(Frame::bytes(RST_STREAM, NONE, stream, &code));
                        }
                        client.raw(bytes);
                    }
                    client.outcome(u32::MAX)
                })
            })
            .collect();
        let outcomes = attackers.into_iter().map(thread::JoinHandle::join);
        outcomes
            .map(|outcome| outcome.expect("an outcome"))
            .collect::<Vec<_>>()
    });
    for outcome in outcomes {
        let ended = matches!(
            outcome,
            Outcome::GoneAway(ENHANCE_YOUR_CALM) | Outcome::Closed
        );
        assert!(ended, "{outcome:?}");
    }
    let reached = edge.attacks();
    assert!(
        reached <= CONNECTIONS * 400,
        "{reached} requests reached the backend"
    );
}

#[test]
fn a_page_that_is_left_now_and_then_costs_nobody_the_connection() {
    let (edge, gate) = Edge::held();
    let mut client = edge.client();
    for stream in (1..200).step_by(2) {
        client.head(stream, &GET, END_STREAM);
        client.send(RST_STREAM, NONE, stream, &CANCEL.to_be_bytes());
    }
    client.get(201, "/on");
    assert_eq!(client.outcome(201), Outcome::Answer(200));
    gate.open();
}

// CVE-2025-8671
#[test]
fn streams_that_the_client_has_the_router_reset_end_their_connection_too() {
    let provoked: [(&str, Provoke); 3] = [
        ("no increment", |bytes, stream| {
            bytes.extend(Frame::bytes(WINDOW_UPDATE, NONE, stream, &[0; 4]));
        }),
        ("a window too large", |bytes, stream| {
            let most = 0x7fff_ffff_u32.to_be_bytes();
            bytes.extend(Frame::bytes(WINDOW_UPDATE, NONE, stream, &most));
        }),
        ("more than was said", |bytes, stream| {
            bytes.extend(Frame::bytes(DATA, END_STREAM, stream, b"longer"));
        }),
    ];
    for (name, provoke) in provoked {
        let edge = Edge::silent();
        let outcome = edge.bears(FOR_ONE, || {
            let mut client = edge.client();
            let fields = [POST[0], POST[1], POST[2], POST[3], ("content-length", "1")];
            let block = header_block(&fields);
            for first in (1..10_000).step_by(100) {
                let mut bytes = Vec::new();
                for stream in (first..first + 100).step_by(2) {
                    bytes.extend(Frame::bytes(HEADERS, END_HEADERS, stream, &block));
                    provoke(&mut bytes, stream);
                }
                client.raw(bytes);
            }
            client.outcome(u32::MAX)
        });
        let ended = matches!(outcome, Outcome::GoneAway(_) | Outcome::Closed);
        assert!(ended, "{name}: {outcome:?}");
        let reached = edge.attacks();
        assert!(
            reached <= 1500,
            "{name}: {reached} requests reached the backend"
        );
    }
}

#[test]
fn streams_that_are_reset_in_the_middle_of_their_answer_count_as_well() {
    let edge = Edge::before(Backend::answering(|request| match request.target() {
        "/attack" => ok(&"x".repeat(100_000)),
        target => ok(target),
    }));
    let outcome = edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        // The answers wait for a window.
        client.settings(&[(4, 0)]);
        for first in (1..4_000).step_by(200) {
            let streams = || (first..first + 200).step_by(2);
            streams().for_each(|stream| client.head(stream, &GET, END_STREAM));
            for _ in streams() {
                let fits = |frame: &Frame| matches!(frame.kind, HEADERS | GOAWAY);
                match client.until(fits) {
                    Ok(frame) if frame.kind == HEADERS => {}
                    Ok(_) => return Outcome::GoneAway(ENHANCE_YOUR_CALM),
                    Err(_) => return Outcome::Closed,
                }
            }
            for stream in streams() {
                client.send(RST_STREAM, NONE, stream, &CANCEL.to_be_bytes());
            }
        }
        client.outcome(u32::MAX)
    });
    let ended = matches!(
        outcome,
        Outcome::GoneAway(ENHANCE_YOUR_CALM) | Outcome::Closed
    );
    assert!(ended, "{outcome:?}");
    let reached = edge.attacks();
    assert!(reached <= 800, "{reached} requests reached the backend");
}

// CVE-2024-27316 and its kin
#[test]
fn a_header_block_without_an_end_ends_the_connection() {
    let edge = Edge::new();
    for (name, block) in [
        ("fields", header_block(&[("x-flood", &"x".repeat(16_000))])),
        ("many fields", header_block(&[("x", "y"); 1000])),
        ("nothing", Vec::new()),
    ] {
        let outcome = edge.bears(FOR_ONE, || {
            let mut client = edge.client();
            client.send(HEADERS, END_STREAM, 1, &header_block(&GET));
            let times = if block.is_empty() { 1_000_000 } else { 20_000 };
            flood(
                &mut client,
                &Frame::bytes(CONTINUATION, NONE, 1, &block),
                times,
            )
        });
        let ended = matches!(outcome, Outcome::GoneAway(_) | Outcome::Closed);
        assert!(ended, "{name}: {outcome:?}");
    }
}

#[test]
fn a_head_that_unpacks_to_far_more_than_was_sent_is_refused() {
    let edge = Edge::new();
    let outcome = edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        let mut block = header_block(&GET);
        // A field of 3,900 bytes is kept in the table, and then named 10,000 times at a byte each.
        block.extend_from_slice(&[0x40, 1, b'x', 0x7f]);
        block.extend_from_slice(&[(3900 - 127) as u8 & 0x7f | 0x80, ((3900 - 127) >> 7) as u8]);
        block.extend_from_slice(&[b'y'; 3900]);
        block.extend_from_slice(&[0xbe; 10_000]);
        client.send(HEADERS, END_STREAM | END_HEADERS, 1, &block);
        client.outcome(1)
    });
    let refused = matches!(
        outcome,
        Outcome::Answer(431) | Outcome::GoneAway(_) | Outcome::Reset(_)
    );
    assert!(refused, "{outcome:?}");
    assert_eq!(edge.attacks(), 0);
}

#[test]
fn cookies_in_ten_thousand_pieces_are_refused_or_bounded() {
    let edge = Edge::new();
    let outcome = edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        let mut block = header_block(&GET);
        // `cookie` by its index, with an empty value.
        block.extend([0x0f, 0x11, 0].repeat(5_000));
        client.send(HEADERS, END_STREAM | END_HEADERS, 1, &block);
        client.outcome(1)
    });
    let bounded = matches!(outcome, Outcome::Answer(200 | 431) | Outcome::GoneAway(_));
    assert!(bounded, "{outcome:?}");
}

#[test]
fn pings_and_settings_that_nobody_waits_for_cost_no_memory() {
    const MANY: usize = 64 * 1024 * 1024;
    let edge = Edge::new();
    for (name, frame) in [
        ("pings", Frame::bytes(PING, NONE, 0, b"whatever")),
        (
            "settings",
            Frame::bytes(SETTINGS, NONE, 0, &[0, 4, 0, 0, 255, 255]),
        ),
        ("empty settings", Frame::bytes(SETTINGS, NONE, 0, &[])),
    ] {
        let took_all = edge.bears(FOR_ONE, || {
            let port = edge.router.port();
            let mut client = FrameClient::connect_with_receive_buffer(port, 4 * 1024);
            // It reads no answer: the router stops reading too, far below what the kernel keeps in between.
            client.flood(&frame, MANY / frame.len())
        });
        assert!(!took_all, "{name}");
    }
    for (name, frame) in [
        ("answers to pings", Frame::bytes(PING, ACK, 0, b"whatever")),
        (
            "priorities",
            Frame::bytes(PRIORITY, NONE, 1, &[0, 0, 0, 0, 1]),
        ),
        ("unknown frames", Frame::bytes(0x16, NONE, 0, &[0; 100])),
        (
            "small windows",
            Frame::bytes(WINDOW_UPDATE, NONE, 0, &[0, 0, 0, 1]),
        ),
    ] {
        edge.bears(FOR_ONE, || {
            let mut client = edge.client();
            // Nothing is answered, so it has it all behind it.
            let took_all = client.flood(&frame, 300_000);
            assert!(took_all && client.is_alive(), "{name}");
        });
    }
}

/// A router with a backend for `app.test`, and one for `stalled.test` that takes no body before the gate is open.
fn stalled() -> (Edge, Http2Backend, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let stalled = Http2Backend::scripted(move |request| {
        held.wait();
        request.answer_with(200, &[], "at last")
    });
    let backend = Backend::answering(|request| match request.body.len() {
        0 => ok(request.target()),
        length => ok(&length.to_string()),
    });
    let router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .with("backends.enable_http2_prior_knowledge", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let registration = Registration::at("stalled.test", stalled.port());
    router.register(&registration.with("protocol", "http2"));
    for _ in 0..20 {
        assert_eq!(router.get("app.test", "/before").status, 200);
    }
    (Edge { router, backend }, stalled, gate)
}

#[test]
fn uploads_that_no_application_takes_are_bounded_and_hold_no_other_up() {
    const BODY: usize = 1024 * 1024;
    let (edge, _stalled, _gate) = stalled();
    // For each stream its window, and what has left that: what was read ahead and a piece on its way (docs/http2.md).
    let stuck = edge.bears(127 * 192, || {
        let mut client = Http2Client::connect(edge.router.port());
        let mut stuck = Vec::new();
        for number in 0..127 {
            let upload = request("POST", "stalled.test", "/", &[]);
            let mut upload = client.open(upload, false).expect("a stream");
            let sent = upload
                .up
                .send_within(vec![b'x'; BODY], Duration::from_millis(50));
            assert!(sent < BODY / 2, "{sent} bytes of {number}");
            stuck.push(upload);
        }
        let upload = request("POST", "app.test", "/", &[]);
        let mut upload = client.open(upload, false).expect("the last stream");
        let sent = upload
            .up
            .send_within(vec![b'x'; 300_000], Duration::from_secs(5));
        assert_eq!(sent, 300_000, "there is a window");
        upload.up.end().expect("a stream");
        assert_eq!(upload.answer().text(), "300000");
        (client, stuck)
    });
    drop(stuck);
}

#[test]
fn a_body_in_tiny_pieces_that_no_application_takes_ends_the_connection() {
    let (edge, _stalled, _gate) = stalled();
    let outcome = edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        let fields = [POST[0], POST[1], POST[2], (":authority", "stalled.test")];
        client.head(1, &fields, NONE);
        flood(&mut client, &Frame::bytes(DATA, NONE, 1, b"x"), 1_000_000)
    });
    let ended = matches!(
        outcome,
        Outcome::GoneAway(ENHANCE_YOUR_CALM | FLOW_CONTROL_ERROR) | Outcome::Closed
    );
    assert!(ended, "{outcome:?}");
}

#[test]
fn data_without_content_ends_the_connection() {
    let edge = Edge::silent();
    for (name, frame) in [
        ("empty", Frame::bytes(DATA, NONE, 1, &[])),
        ("padding alone", Frame::bytes(DATA, 8, 1, &[3, 0, 0, 0])),
    ] {
        let outcome = edge.bears(FOR_ONE, || {
            let mut client = edge.client();
            client.head(1, &POST, NONE);
            flood(&mut client, &frame, 200_000)
        });
        let ended = matches!(outcome, Outcome::GoneAway(_) | Outcome::Closed);
        assert!(ended, "{name}: {outcome:?}");
    }
}

#[test]
fn a_body_beyond_the_windows_ends_stream_or_connection() {
    let edge = Edge::before(Backend::scripted(|peer| {
        loop {
            let request = peer.head()?;
            if request.target() == "/attack" {
                // Reads no more for as long as the router is there.
                thread::sleep(LIMIT);
            }
            peer.send(ok(request.target()))?;
        }
    }));
    let outcome = edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        client.head(1, &POST, NONE);
        client.flood(&Frame::bytes(DATA, NONE, 1, &[b'x'; 16_384]), 2_000);
        client.outcome(1)
    });
    let ended = matches!(
        outcome,
        Outcome::GoneAway(FLOW_CONTROL_ERROR)
            | Outcome::Reset(FLOW_CONTROL_ERROR)
            | Outcome::Closed
    );
    assert!(ended, "{outcome:?}");
}

#[test]
fn streams_beyond_the_bound_are_refused_and_the_others_are_served() {
    let (edge, gate) = Edge::held();
    let mut client = edge.client();
    // The bound is known.
    let settings = client.until(|frame| frame.kind == SETTINGS && frame.flags & ACK == 0);
    let settings = settings.expect("settings").payload;
    let bound = |number: u8| {
        let mut settings = settings.chunks_exact(6);
        let setting = settings.find(|setting| setting[..2] == [0, number]);
        setting.expect("a bound")[2..].to_vec()
    };
    assert_eq!(bound(3), 128_u32.to_be_bytes());
    // The windows of all of them fit into the connection's, which begins with 65,535 bytes.
    assert_eq!(bound(4), 65_536_u32.to_be_bytes());
    let window = client.until(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0);
    let more = (128 * 65_536 - 65_535_u32).to_be_bytes();
    assert_eq!(window.expect("a window").payload, more);
    for stream in (1..401).step_by(2) {
        client.head(stream, &GET, END_STREAM);
    }
    let reset = client
        .until(|frame| frame.kind == RST_STREAM)
        .expect("a reset");
    assert_eq!(
        (reset.stream, &reset.payload[..]),
        (257, &REFUSED_STREAM.to_be_bytes()[..])
    );
    assert!(client.is_alive());
    eventually("the others at the backend", || {
        (edge.attacks() == 128).then_some(())
    });
    gate.open();
    assert_eq!(client.outcome(1), Outcome::Answer(200));
    client.get(1001, "/on");
    assert_eq!(client.outcome(1001), Outcome::Answer(200));
}

#[test]
fn clients_that_open_no_window_hold_a_bounded_part_of_their_answers() {
    const BODY: usize = 4 * 1024 * 1024;
    let edge = Edge::before(Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            let body = match request.target() {
                "/attack" => "x".repeat(BODY),
                target => target.to_owned(),
            };
            peer.send(ok(&body))?;
        }
    }));
    // 128 streams, each with what one may hold: a piece, what waits behind it and what was read ahead (docs/http2.md).
    let client = edge.bears(128 * 160, || {
        let mut client = edge.client();
        client.settings(&[(4, 0)]);
        for stream in (1..256).step_by(2) {
            client.head(stream, &GET, END_STREAM);
        }
        eventually("all of them at the backend", || {
            (edge.attacks() == 128).then_some(())
        });
        assert!(client.is_alive());
        client
    });
    drop(client);
    eventually("the end of what nobody reads", || {
        (edge.backend.ended_connections() >= 128).then_some(())
    });
}

#[test]
fn a_window_that_opens_byte_by_byte_is_no_trouble_for_others() {
    let edge = Edge::before(Backend::answering(|request| match request.target() {
        "/attack" => ok(&"x".repeat(100_000)),
        target => ok(target),
    }));
    edge.bears(FOR_ONE, || {
        let mut client = edge.client();
        client.settings(&[(4, 1)]);
        for stream in (1..200).step_by(2) {
            client.head(stream, &GET, END_STREAM);
        }
        let windows: Vec<u8> = (1..200)
            .step_by(2)
            .flat_map(|stream| Frame::bytes(WINDOW_UPDATE, NONE, stream, &[0, 0, 0, 1]))
            .collect();
        client.flood(&windows, 300);
    });
}

#[test]
fn a_client_that_begins_and_says_no_more_is_let_go() {
    let router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .with("frontend_idle_timeout", "500ms")
        .with("read_header_timeout", "500ms")
        .start();
    for beginning in [
        &b"P"[..],
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        // A header block that stops in its middle.
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82",
    ] {
        let mut client = FrameClient::silent(router.port());
        client.raw(beginning);
        assert_ne!(client.end(), cloverleaf_tests::End::Silent, "{beginning:?}");
    }
}
