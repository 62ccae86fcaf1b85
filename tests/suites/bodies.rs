//! Bodies in both directions, of any size, without keeping them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloverleaf_tests::{Backend, Client, End, Ended, Gate, Registration, Router, eventually, ok};

const MIB: u64 = 1024 * 1024;
/// What a large body may cost the router in memory, in KiB.
const MEMORY: u64 = 16 * 1024;

fn route(backend: &Backend) -> Router {
    let router = Router::start();
    router.register(&Registration::of("app.test", backend));
    router
}

//
#[test]
fn a_large_upload_is_streamed_with_bounded_memory() {
    const SIZE: u64 = 256 * MIB;
    let backend = Backend::scripted(|peer| {
        let head = peer.head()?;
        peer.wire().skip(head.length().unwrap_or(0))?;
        peer.send(ok("all there"))
    });
    let router = route(&backend);
    router.get("unknown.test", "/");
    let before = router.peak_memory();
    let mut client = router.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {SIZE}\r\n\r\n"
    ));
    let piece = vec![b'u'; MIB as usize];
    for _ in 0..SIZE / MIB {
        client.send(&piece);
    }
    assert_eq!(client.response().text(), "all there");
    let grown = router.peak_memory() - before;
    assert!(grown < MEMORY, "{grown} KiB more");
    let line = router.access_log().wait_for(2).remove(1);
    assert_eq!(line.request_bytes, SIZE.to_string());
}

//
#[test]
fn a_large_download_is_streamed_with_bounded_memory() {
    const SIZE: u64 = 256 * MIB;
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"))?;
        let piece = vec![b'd'; MIB as usize];
        (0..SIZE / MIB).try_for_each(|_| peer.send(&piece))
    });
    let router = route(&backend);
    router.get("unknown.test", "/");
    let before = router.peak_memory();
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.wire().skip(SIZE), Ok(()));
    let grown = router.peak_memory() - before;
    assert!(grown < MEMORY, "{grown} KiB more");
    let line = router.access_log().wait_for(2).remove(1);
    assert_eq!(line.response_bytes, SIZE.to_string());
}

#[test]
fn a_slow_reader_holds_the_backend_back_and_not_the_other_clients() {
    const SIZE: u64 = 64 * MIB;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let backend = Backend::scripted(move |peer| {
        while let Ok(request) = peer.request() {
            if request.target() != "/large" {
                peer.send(ok("quick"))?;
                continue;
            }
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"))?;
            let piece = vec![b'd'; 64 * 1024];
            for _ in 0..SIZE / piece.len() as u64 {
                peer.send(&piece)?;
                counter.fetch_add(piece.len() as u64, Ordering::AcqRel);
            }
        }
        Ok(())
    });
    // One worker, which a blocked connection would block for all.
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    let before = router.peak_memory();
    let mut slow = Client::connect_with_receive_buffer(router.port(), 16 * 1024);
    slow.send("GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(slow.head().status, 200);
    // Stalled: nothing more leaves the backend although nothing but this client stops it.
    let mut last = u64::MAX;
    eventually("the backend to be held back", || {
        assert_eq!(router.get("app.test", "/quick").text(), "quick");
        let now = sent.load(Ordering::Acquire);
        let stalled = now == last && now > 0;
        last = now;
        stalled.then_some(())
    });
    assert!(last < SIZE / 2, "{last} bytes went somewhere");
    assert_eq!(slow.wire().skip(SIZE), Ok(()));
    let grown = router.peak_memory() - before;
    assert!(grown < MEMORY, "{grown} KiB more");
}

#[test]
fn a_slow_backend_holds_the_client_back() {
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::scripted(move |peer| {
        let head = peer.head()?;
        shared.wait();
        peer.wire().skip(head.length().unwrap_or(0))?;
        peer.send(ok("all there"))
    });
    let router = route(&backend);
    let before = router.peak_memory();
    let mut client = router.client();
    let body = vec![b'u'; 64 * MIB as usize];
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    let taken = client.wire().send_within(&body, Duration::from_millis(500));
    assert!(taken < body.len() / 2, "{taken} bytes went somewhere");
    gate.open();
    client.send(&body[taken..]);
    assert_eq!(client.response().text(), "all there");
    let grown = router.peak_memory() - before;
    assert!(grown < MEMORY, "{grown} KiB more");
}

#[test]
fn a_chunked_upload_arrives_as_it_was_sent() {
    let backend = Backend::saying("thanks");
    let router = route(&backend);
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in ["5\r\nhello\r\n", "1;ext=1\r\n,\r\n", "6\r\n world\r\n"] {
        client.send(piece);
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().text(), "thanks");
    let seen = backend.request();
    assert_eq!(seen.text(), "hello, world");
    assert_eq!(
        (
            seen.header("Transfer-Encoding"),
            seen.header("Content-Length")
        ),
        (Some("chunked"), None)
    );
    assert_eq!(router.access_log().line().request_bytes, "12");
    assert_eq!(
        client.get("app.test", "/").text(),
        "thanks",
        "the connection is in step"
    );
}

// covers: R-153 R-154
#[test]
fn a_chunked_response_arrives_piece_by_piece() {
    for content_type in ["text/plain", "text/event-stream"] {
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        let backend = Backend::scripted(move |peer| {
            peer.request()?;
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"))?;
            peer.send("5\r\nfirst\r\n")?;
            shared.wait();
            peer.send("6\r\nsecond\r\n0\r\n\r\n")
        });
        let router = route(&backend);
        let mut client = router.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let head = client.head();
        assert_eq!(
            head.headers.all("Transfer-Encoding").collect::<Vec<_>>(),
            ["chunked"]
        );
        assert_eq!(client.chunk(), b"first", "before the backend goes on");
        gate.open();
        assert_eq!(client.chunk(), b"second");
        assert_eq!(client.chunk(), b"");
    }
}

//
#[test]
fn trailers_reach_the_client() {
    let backend = Backend::answering(
        |_| "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    let response = route(&backend).get("app.test", "/");
    assert_eq!(response.text(), "hi");
    assert_eq!(response.trailers.get("X-Sum"), Some("7"));
}

#[test]
fn a_body_that_ends_with_the_backends_connection_is_sent_on_in_chunks() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\n\r\nall of it")
    });
    let router = route(&backend);
    let mut client = router.client();
    let response = client.get("app.test", "/");
    assert_eq!(
        (
            response.text().as_str(),
            response.header("Transfer-Encoding")
        ),
        ("all of it", Some("chunked"))
    );
    assert!(response.is_complete());
    assert_eq!(
        client.get("app.test", "/").text(),
        "all of it",
        "the client's connection goes on"
    );
}

#[test]
fn a_response_that_breaks_off_is_seen_to_break_off() {
    let heads = [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for head in heads {
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        let backend = Backend::scripted(move |peer| {
            peer.request()?;
            peer.send(format!("HTTP/1.1 200 OK\r\n{head}"))?;
            shared.wait();
            Ok(())
        });
        let router = route(&backend);
        let mut client = router.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert_eq!(
            client
                .wire()
                .until(b"half")
                .map(|bytes| bytes.ends_with(b"half")),
            Ok(true)
        );
        gate.open();
        let (rest, end) = client.wire().rest();
        assert!(
            end != End::Silent && !rest.ends_with(b"0\r\n\r\n"),
            "{end:?} {}",
            rest.escape_ascii()
        );
        assert_eq!(router.access_log().line().status, "200");
    }
}

//
#[test]
fn a_response_that_takes_longer_than_the_endpoint_timeout_is_cut() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhalf")?;
        // Until the router gives up.
        peer.wire().more()
    });
    let router = Router::builder().with("endpoint_timeout", "300ms").start();
    router.register(&Registration::of("app.test", &backend));
    let response = router.get("app.test", "/");
    assert_eq!((response.status, response.text().as_str()), (201, "half"));
    assert!(
        matches!(response.ended, Ended::Cut(End::Closed | End::Reset)),
        "{response:?}"
    );
}

// covers: R-171 R-172
#[test]
fn a_client_that_leaves_takes_the_backends_request_with_it() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        let (_, end) = peer.wire().rest();
        if end == End::Silent { Err(end) } else { Ok(()) }
    });
    for rest in [
        "\r\n",
        "Content-Length: 1000000\r\n\r\npart",
        "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    ] {
        let router = route(&backend);
        let (seen, ended) = (backend.requests().len(), backend.ended_connections());
        let mut client = router.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{rest}"));
        backend.wait_for_requests(seen + 1);
        client.reset();
        eventually("the backend's connection to end", || {
            (backend.ended_connections() > ended).then_some(())
        });
        assert_eq!(router.access_log().line().status, "499", "{rest}");
        assert!(router.shows(&Registration::of("app.test", &backend)));
    }
}

//
#[test]
fn a_backend_may_answer_while_the_upload_goes_on() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            let line = peer.wire().until(b"\r\n")?;
            if line == b"0\r\n" {
                peer.wire().until(b"\r\n")?;
                return peer.send("0\r\n\r\n");
            }
            let text = peer.wire().until(b"\r\n")?;
            peer.send([line, text].concat())?;
        }
    });
    let router = Router::builder()
        .with("enable_http1_concurrent_read_write", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status, 200);
    for text in ["ping", "pong"] {
        client.send(format!("4\r\n{text}\r\n"));
        assert_eq!(client.chunk(), text.as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.chunk(), b"");
    assert_eq!(client.wire().until(b"\r\n"), Ok(b"\r\n".to_vec()));
}
