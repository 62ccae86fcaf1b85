//! One connection, many requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloverleaf_tests::{Backend, End, Gate, Registration, Router, eventually, ok};
use rustix::process::Signal;

fn route(backend: &Backend) -> Router {
    let router = Router::start();
    router.register(&Registration::of("app.test", backend));
    router
}

// covers: R-164 R-182
#[test]
fn connections_on_both_sides_are_used_again() {
    let backend = Backend::saying("here");
    // Each worker has backend connections of its own, and one client connection stays with one worker.
    let router = route(&backend);
    let mut client = router.client();
    for _ in 0..5 {
        assert_eq!(client.get("app.test", "/").text(), "here");
        router.register(&Registration::of("app.test", &backend));
    }
    assert_eq!((backend.requests().len(), backend.connections()), (5, 1));
}

//
#[test]
fn with_keep_alive_disabled_each_request_has_a_backend_connection_of_its_own() {
    let backend = Backend::saying("here");
    let router = Router::builder().with("disable_keep_alives", true).start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(client.get("app.test", "/").text(), "here");
    }
    assert_eq!(backend.connections(), 3);
    assert!(
        backend
            .requests()
            .iter()
            .all(|request| request.header("Connection") == Some("close"))
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(|request| ok(request.target()));
    let router = route(&backend);
    let mut client = router.client();
    let request = |number: usize| format!("GET /{number} HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let unknown = "GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n";
    let post = "POST /post HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody";
    client.send(format!(
        "{}{post}{unknown}{}{}",
        request(1),
        request(2),
        request(3)
    ));
    assert_eq!(client.response().text(), "/1");
    assert_eq!(client.response().text(), "/post");
    assert_eq!(client.response().status, 404);
    assert_eq!(client.response().text(), "/2");
    assert_eq!(client.response().text(), "/3");
    assert_eq!(backend.requests()[1].text(), "body");
}

#[test]
fn a_request_that_comes_in_pieces_is_one_request() {
    let backend = Backend::saying("here");
    let router = route(&backend);
    let mut client = router.client();
    for byte in b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "here");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn the_connection_ends_when_the_client_says_so() {
    let backend = Backend::saying("here");
    let router = route(&backend);
    for (version, connection, kept) in [
        ("1.1", "close", false),
        ("1.1", "keep-alive", true),
        ("1.0", "", false),
        ("1.0", "keep-alive", true),
    ] {
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/{version}\r\nHost: app.test\r\nConnection: {connection}\r\n\r\n"
        ));
        assert_eq!(client.response().text(), "here", "{version} {connection}");
        if kept {
            assert_eq!(
                client.get("app.test", "/").text(),
                "here",
                "{version} {connection}"
            );
        } else {
            assert_eq!(client.end(), End::Closed, "{version} {connection}");
        }
    }
}

//
#[test]
fn an_idle_connection_is_closed_in_time_and_a_long_request_is_not() {
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::answering(move |request| {
        if request.target() == "/slow" {
            shared.wait();
        }
        ok("here")
    });
    let router = Router::builder()
        .with("frontend_idle_timeout", "300ms")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut active = router.client();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(900) {
        assert_eq!(
            active.get("app.test", "/").text(),
            "here",
            "each request starts the time anew"
        );
        assert!(active.is_silent(Duration::from_millis(100)));
    }
    let mut idle = router.client();
    assert_eq!(idle.get("app.test", "/").text(), "here");
    let mut busy = router.client();
    busy.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(idle.end(), End::Closed);
    assert!(busy.is_silent(Duration::from_millis(400)));
    gate.open();
    assert_eq!(busy.response().text(), "here");
}

//
#[test]
fn a_client_that_sends_its_head_too_slowly_is_cut_off() {
    let router = Router::builder()
        .with("read_header_timeout", "300ms")
        .start();
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.te");
    let (rest, end) = client.wire().rest();
    assert!(
        rest.is_empty() && end != End::Silent,
        "{end:?} {}",
        rest.escape_ascii()
    );
}

#[test]
fn a_backend_connection_that_its_owner_closed_is_not_used_again() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send(ok("once"))
    });
    let router = route(&backend);
    let mut client = router.client();
    for number in 1..=5 {
        assert_eq!(client.get("app.test", "/").text(), "once");
        eventually("the backend to close", || {
            (backend.ended_connections() == number).then_some(())
        });
    }
    assert_eq!(backend.connections(), 5);
}

#[test]
fn a_response_that_is_followed_by_more_than_itself_spoils_its_connection_only() {
    let backend = Backend::answering(|_| {
        format!(
            "{}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray",
            ok("mine")
        )
    });
    let router = route(&backend);
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(client.get("app.test", "/").text(), "mine");
    }
    assert_eq!(backend.connections(), 3);
}

//
#[test]
fn an_answer_before_the_body_was_read_leaves_no_rest_for_the_next_request() {
    let backend = Backend::scripted(|peer| {
        loop {
            let head = peer.head()?;
            if head.method() == "POST" {
                return peer.send("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
            peer.send(ok("clean"))?;
        }
    });
    let router = route(&backend);
    let mut client = router.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 35\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.response().status, 405);
    // The client may send the body all the same, or not: either way nothing of it may be taken for a request.
    client
        .wire()
        .send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        .ok();
    let (rest, _) = client.wire().rest();
    assert_eq!(rest, b"", "{}", rest.escape_ascii());
    assert_eq!(router.get("app.test", "/").text(), "clean");
    assert!(
        backend
            .requests()
            .iter()
            .all(|request| request.target() != "/smuggled")
    );
}

#[test]
fn an_answer_before_the_end_of_the_body_costs_the_client_no_connection() {
    let backend = Backend::scripted(|peer| {
        loop {
            let head = peer.head()?;
            peer.send(ok(head.method()))?;
            if head.method() == "POST" {
                // Until its connection ends.
                peer.wire().rest();
                return Ok(());
            }
        }
    });
    let router = route(&backend);
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 35\r\n\r\nGET /smug");
    assert_eq!(client.response().text(), "POST");
    // Its line is in the log, and the backend is left alone, while the rest is still to come.
    router.access_log().line();
    eventually("the backend's connection to end", || {
        (backend.ended_connections() == 1).then_some(())
    });
    client.send("gled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.get("app.test", "/").text(), "GET");
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_drain_does_not_wait_for_the_rest_of_a_body_that_was_answered() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(ok("early"))
    });
    let mut router = Router::builder().with("drain_timeout", "15s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 35\r\n\r\nbegun");
    assert_eq!(client.response().text(), "early");
    router.access_log().line();
    router.process().signal(Signal::USR1);
    assert_eq!(router.process().wait().code(), Some(0));
    assert!(
        router
            .log()
            .with_message("router.drain.timed-out")
            .is_empty()
    );
}

#[test]
fn a_body_that_goes_on_for_long_behind_its_answer_ends_the_connection() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(ok("enough"))
    });
    let router = route(&backend);
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000000\r\n\r\nx");
    assert_eq!(client.response().text(), "enough");
    let piece = [b'x'; 64 * 1024];
    let mut sent = 0;
    while sent < 64 * 1024 * 1024 && client.wire().send(piece).is_ok() {
        sent += piece.len();
    }
    let (rest, end) = client.wire().rest();
    assert!(
        rest.is_empty() && end != End::Silent,
        "{end:?} after {sent} bytes"
    );
}

// What comes next may be the body or another request: nobody knows.
#[test]
fn who_asked_for_a_100_and_got_the_answer_with_it_is_not_asked_for_the_body() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok("early")))?;
        peer.wire().rest();
        Ok(())
    });
    let router = route(&backend);
    let mut client = router.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 35\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.response().text(), "early");
    client
        .wire()
        .send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
        .ok();
    let (rest, end) = client.wire().rest();
    assert!(
        rest.is_empty() && end != End::Silent,
        "{end:?} {}",
        rest.escape_ascii()
    );
}
