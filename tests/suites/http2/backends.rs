//! What the router does with backends that speak HTTP/2.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use cloverleaf_tests::{
    Authority, Backend, Client, Gate, Http2Backend, Http2Request, Http2Settings, Port,
    Registration, Router, eventually, ok,
};
use h2::Reason;

use super::world::{over_tls, router};

fn start() -> Router {
    // One worker, so that it is clear whose connections are shared.
    router(&Authority::new("the authority"), &Port::reserve())
        .with("go_max_procs", 1)
        .start()
}

fn at(backend: &Http2Backend) -> Registration {
    Registration::at("app.test", backend.port()).with("protocol", "http2")
}

//
#[test]
fn a_plain_backend_is_spoken_to_in_http_2_only_where_that_is_enabled() {
    let backend = Backend::saying("one");
    for enabled in [false, true] {
        let router = router(&Authority::new("the authority"), &Port::reserve())
            .with("backends.enable_http2_prior_knowledge", enabled)
            .with("backends.max_attempts", 1)
            .start();
        router.register(&Registration::of("app.test", &backend).with("protocol", "http2"));
        // It speaks HTTP/1.1 alone.
        let status = if enabled { 502 } else { 200 };
        assert_eq!(router.get("app.test", "/").status, status);
    }
}

#[test]
fn a_backend_over_tls_that_speaks_http_1_alone_is_spoken_to_in_that() {
    let authority = Authority::new("the authority");
    let backend = Backend::saying("one");
    let front =
        cloverleaf_tests::TlsFront::before(&backend, &authority.identity(&["backend.test"]));
    let router = router(&authority, &Port::reserve()).start();
    router.register(&over_tls("app.test", front.port()).with("protocol", "http2"));
    assert_eq!(router.get("app.test", "/").text(), "one");
}

#[test]
fn a_backend_without_the_protocol_is_not_spoken_to_in_http_2() {
    let authority = Authority::new("the authority");
    let identity = Some(authority.identity(&["backend.test"]));
    let settings = Http2Settings {
        identity,
        ..Http2Settings::default()
    };
    let backend = Http2Backend::with(settings, |request| request.answer_with(200, &[], "two"));
    let router = router(&authority, &Port::reserve())
        .with("backends.max_attempts", 1)
        .start();
    router.register(&over_tls("app.test", backend.port()));
    assert_eq!(router.get("app.test", "/").status, 502);
    router.register(&over_tls("app.test", backend.port()).with("protocol", "http2"));
    assert_eq!(router.get("app.test", "/").text(), "two");
}

#[test]
fn requests_share_a_connection_one_behind_the_other_and_at_once() {
    const AT_ONCE: usize = 50;
    let together = Arc::new(Barrier::new(AT_ONCE));
    let backend = Http2Backend::scripted(move |request| {
        if request.target() == "/together" {
            together.wait();
        }
        request.answer_with(200, &[], "two")
    });
    let router = start();
    router.register(&at(&backend));
    for _ in 0..20 {
        assert_eq!(router.get("app.test", "/").text(), "two");
    }
    assert_eq!(backend.connections(), 1);
    let mut clients: Vec<_> = (0..AT_ONCE).map(|_| router.client()).collect();
    for client in &mut clients {
        client.send("GET /together HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "two");
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn requests_that_come_at_once_before_there_is_a_connection_share_one() {
    const AT_ONCE: usize = 50;
    let together = Arc::new(Barrier::new(AT_ONCE));
    let backend = Http2Backend::scripted(move |request| {
        together.wait();
        request.answer_with(200, &[], "two")
    });
    let router = start();
    router.register(&at(&backend));
    let mut clients: Vec<_> = (0..AT_ONCE).map(|_| router.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "two");
    }
    assert!(backend.connections() <= 3, "{}", backend.connections());
}

#[test]
fn a_backend_gets_no_more_streams_at_a_time_than_it_likes() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&open), Arc::clone(&most));
    let settings = Http2Settings {
        streams: Some(4),
        ..Http2Settings::default()
    };
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Http2Backend::with(settings, move |request| {
        if request.target() == "/first" {
            return request.answer_with(200, &[], "first");
        }
        let count = now.fetch_add(1, Ordering::AcqRel) + 1;
        peak.fetch_max(count, Ordering::AcqRel);
        held.wait();
        now.fetch_sub(1, Ordering::AcqRel);
        request.answer_with(200, &[], "two")
    });
    let router = start();
    router.register(&at(&backend));
    // The backend's settings are known from then on.
    assert_eq!(router.get("app.test", "/first").status, 200);
    let mut clients: Vec<_> = (0..12).map(|_| router.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    backend.wait_for_requests(13);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "two");
    }
    let on_first = backend
        .requests()
        .iter()
        .filter(|(number, _)| *number == 1)
        .count();
    assert!(on_first <= 5, "{on_first} on the first connection");
}

#[test]
fn without_keep_alives_a_connection_ends_with_its_stream() {
    let backend = Http2Backend::saying("two");
    let router = router(&Authority::new("the authority"), &Port::reserve())
        .with("disable_keep_alives", true)
        .start();
    router.register(&at(&backend));
    let mut client = router.client();
    for _ in 0..5 {
        assert_eq!(client.get("app.test", "/").text(), "two");
    }
    assert_eq!(backend.connections(), 5);
    eventually("the ends of all connections", || {
        (backend.ended_connections() == 5).then_some(())
    });
}

#[test]
fn interim_answers_that_cannot_go_on_are_bounded() {
    let lost = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&lost);
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Http2Backend::scripted(move |request| {
        let length = match request.target() {
            // Its body fills the windows.
            "/stalled" => {
                held.wait();
                return request.answer_with(200, &[], "at last");
            }
            "/large" => 100_000,
            "/small" => 10,
            _ => return request.answer_with(200, &[], "two"),
        };
        let value = "x".repeat(length);
        for _ in 0..1_000 {
            if request.interim(103, &[("x-large", &value)]).is_err() {
                break;
            }
        }
        // The stream is given up, and not only when the test ends.
        let given_up = request.reset_by_peer().is_ok();
        seen.fetch_add(usize::from(given_up), Ordering::AcqRel);
        Ok(())
    });
    let router = start();
    router.register(&at(&backend));
    assert_eq!(router.get("app.test", "/").text(), "two");

    // To a client that does not read.
    let before = router.memory();
    let mut slow = Client::connect_with_receive_buffer(router.port(), 4 * 1024);
    slow.send("GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n");
    eventually("an end of it", || {
        (lost.load(Ordering::Acquire) == 1).then_some(())
    });
    let grown = router.memory().saturating_sub(before);
    assert!(grown < 40 * 1024, "{grown} KiB more");

    // While the request itself cannot go out.
    let mut stalled = router.client();
    let length = 200_000;
    stalled.send(format!(
        "POST /stalled HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n{}",
        "x".repeat(length)
    ));
    backend.wait_for_requests(3);
    let mut client = router.client();
    client.send("POST /small HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody");
    let response = client.response();
    let error = response.header("X-Cf-RouterError").unwrap_or_default();
    assert_eq!(response.status, 502);
    assert!(error.contains("too many 1xx"), "{error}");
    gate.open();
    assert_eq!(router.get("app.test", "/").text(), "two");
}

/// Answers all but the first request with this target, with which it does something else.
fn once(
    target: &'static str,
    instead: impl Fn(&mut Http2Request) + Send + Sync + 'static,
) -> Http2Backend {
    let done = AtomicUsize::new(0);
    Http2Backend::scripted(move |request| {
        if request.target() == target && done.fetch_add(1, Ordering::AcqRel) == 0 {
            instead(request);
            return Ok(());
        }
        let body = request.body.rest().0;
        request.answer_with(200, &[], format!("{} {}", request.connection, body.len()))
    })
}

#[test]
fn a_stream_that_a_backend_refuses_is_sent_again_whatever_the_method() {
    for method in ["GET", "POST", "DELETE"] {
        let backend = once("/refused", |request| request.reset(Reason::REFUSED_STREAM));
        let router = start();
        router.register(&at(&backend));
        assert_eq!(router.get("app.test", "/").status, 200);
        let mut client = router.client();
        client.send(format!(
            "{method} /refused HTTP/1.1\r\nHost: app.test\r\n\r\n"
        ));
        assert_eq!(client.response().status, 200, "{method}");
        assert_eq!(backend.requests().len(), 3, "{method}");
    }
}

#[test]
fn a_stream_that_fails_otherwise_is_sent_again_only_when_that_does_no_harm() {
    let backend = once("/fails", |request| request.reset(Reason::INTERNAL_ERROR));
    let router = start();
    router.register(&at(&backend));
    let mut client = router.client();
    client.send("POST /fails HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 502);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_connection_that_a_backend_ends_is_replaced_without_a_failure() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Http2Backend::scripted(move |request| {
        if request.target() == "/held" {
            held.wait();
        }
        let connection = request.connection.to_string();
        request.answer_with(200, &[], connection)
    });
    let router = start();
    router.register(&at(&backend));
    assert_eq!(router.get("app.test", "/").text(), "1");
    let mut slow = router.client();
    slow.send("POST /held HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    backend.wait_for_requests(2);
    // What is open goes on, what comes goes elsewhere.
    backend.go_away();
    let mut other = router.client();
    for _ in 0..20 {
        other.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(other.response().status, 200);
    }
    eventually("a new connection", || {
        (router.get("app.test", "/").text() == "2").then_some(())
    });
    gate.open();
    assert_eq!(slow.response().text(), "1");
}

#[test]
fn a_connection_that_a_backend_cuts_is_replaced_without_a_failure() {
    let backend = Http2Backend::scripted(|request| {
        let connection = request.connection.to_string();
        request.answer_with(200, &[], connection)
    });
    let router = start();
    router.register(&at(&backend));
    for number in 1..4 {
        assert_eq!(router.get("app.test", "/").text(), number.to_string());
        backend.cut();
        eventually("the end of the connection", || {
            (backend.ended_connections() == number).then_some(())
        });
    }
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().text(), "4");
}

#[test]
fn a_backend_that_falls_silent_gets_no_further_requests_on_that_connection() {
    // Accepts, answers once, and then reads no more: as a machine that is gone without a word.
    let deaf = Backend::scripted(|peer| {
        peer.wire().until(b"SM\r\n\r\n")?;
        // Empty settings, and theirs acknowledged.
        peer.send([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0])?;
        loop {
            peer.wire().more()?;
        }
    });
    let router = router(&Authority::new("the authority"), &Port::reserve())
        .with("go_max_procs", 1)
        .with("endpoint_timeout", "500ms")
        .start();
    router.register(&Registration::of("app.test", &deaf).with("protocol", "http2"));
    eventually("another connection", || {
        assert_eq!(router.get("app.test", "/").status, 502);
        (deaf.connections() > 1).then_some(())
    });
}

#[test]
fn an_answer_whose_length_is_a_lie_is_no_whole_answer() {
    let backend = Http2Backend::scripted(|request| {
        request.answer_with(200, &[("content-length", "10")], "short")
    });
    let router = start();
    router.register(&at(&backend));
    let answer = router.get("app.test", "/");
    assert!(answer.status == 502 || !answer.is_complete(), "{answer:?}");
}

#[test]
fn a_large_head_comes_back_whole_and_one_beyond_the_bound_is_a_502() {
    let backend = Http2Backend::scripted(|request| {
        let value = match request.target() {
            "/large" => "x".repeat(200 * 1024),
            _ => "x".repeat(3 * 1024 * 1024),
        };
        request.answer_head(200, &[("x-large", &value)])
    });
    let router = start();
    router.register(&at(&backend));
    let answer = router.get("app.test", "/large");
    assert_eq!(answer.header("X-Large").map(str::len), Some(200 * 1024));
    assert_eq!(router.get("app.test", "/larger").status, 502);
}

#[test]
fn a_request_with_very_many_fields_passes_or_is_refused() {
    let backend = Http2Backend::saying("two");
    let router = start();
    router.register(&at(&backend));
    for (count, status) in [(2_000, 200), (30_000, 431), (70_000, 431)] {
        let lines: String = (0..count)
            .map(|number| format!("x{number}: 1\r\n"))
            .collect();
        let mut client = router.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"));
        assert_eq!(client.response().status, status, "{count} fields");
        assert_eq!(router.get("app.test", "/").text(), "two");
    }
}

#[test]
fn a_target_that_http_2_has_no_form_for_is_escaped_on_its_way() {
    let backend = Http2Backend::scripted(|request| {
        let target = request.target().to_owned();
        request.answer_with(200, &[], target)
    });
    let router = start();
    router.register(&at(&backend));
    assert_eq!(
        router.get("app.test", "/a|b?c^d`e\"").text(),
        "/a%7Cb?c%5Ed%60e%22"
    );
}

#[test]
fn both_versions_of_an_instance_are_told_apart() {
    let old = Backend::answering(|_| ok("one"));
    let new = Http2Backend::saying("two");
    let router = start();
    router.register(&Registration::of("app.test", &old));
    router.register(&at(&new));
    let mut seen: Vec<String> = (0..4).map(|_| router.get("app.test", "/").text()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["one", "one", "two", "two"]);
}
