//! What happens when an attempt fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloverleaf_tests::{Backend, RefusedPort, Registration, Router, eventually, ok};

fn route(ports: impl IntoIterator<Item = u16>) -> Router {
    let router = Router::start();
    ports
        .into_iter()
        .for_each(|port| router.register(&Registration::at("app.test", port)));
    router
}

/// A backend that closes every connection behind a request, without a word.
fn silent() -> Backend {
    Backend::scripted(|peer| peer.request().map(drop))
}

fn send(router: &Router, request: &str) -> cloverleaf_tests::Response {
    let mut client = router.client();
    client.send(request);
    client.response()
}

const POST: &str = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody";

//
#[test]
fn a_refused_connection_is_tried_elsewhere_whatever_the_method() {
    for request in ["GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", POST] {
        for _ in 0..4 {
            let (dead, alive) = (RefusedPort::new(), Backend::saying("alive"));
            let router = route([dead.number(), alive.port()]);
            assert_eq!(send(&router, request).text(), "alive");
            assert_eq!(send(&router, request).text(), "alive");
            assert!(
                alive
                    .requests()
                    .iter()
                    .all(|seen| seen.text() == if request == POST { "body" } else { "" })
            );
        }
    }
}

// covers: R-191 R-192 R-193
#[test]
fn there_are_never_more_tries_than_configured_nor_more_than_endpoints() {
    for (limit, endpoints, tries) in [(2, 4, 2), (10, 5, 5), (0, 3, 1), (-1, 3, 1)] {
        let dead: Vec<RefusedPort> = (0..endpoints).map(|_| RefusedPort::new()).collect();
        let router = Router::builder()
            .with("backends.max_attempts", limit)
            .start();
        dead.iter()
            .for_each(|port| router.register(&Registration::at("app.test", port.number())));
        let response = router.get("app.test", "/");
        assert_eq!(response.status, 502);
        router.access_log().line();
        let failures = || router.log().with_message("backend-endpoint-failed").len();
        eventually("the failures to be logged", || {
            (failures() >= tries).then_some(())
        });
        router.settle();
        assert_eq!(failures(), tries, "max_attempts {limit}");
    }
}

//
#[test]
fn a_request_with_a_body_that_may_have_been_served_is_not_sent_twice() {
    let (one, two) = (silent(), silent());
    let router = route([one.port(), two.port()]);
    let response = send(&router, POST);
    assert_eq!(response.status, 502);
    assert_eq!(
        response.text(),
        "502 Bad Gateway: Registered endpoint failed to handle the request.\n"
    );
    assert_eq!(one.requests().len() + two.requests().len(), 1);
}

// covers: R-195 R-196
#[test]
fn a_request_that_may_be_repeated_is_tried_elsewhere_when_the_backend_closes() {
    for request in [
        "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\nIdempotency-Key: k\r\n\r\n",
    ] {
        let (closing, alive) = (silent(), Backend::saying("alive"));
        let router = route([closing.port(), alive.port()]);
        for _ in 0..4 {
            assert_eq!(send(&router, request).text(), "alive", "{request}");
        }
        assert!(!closing.requests().is_empty(), "never asked");
    }
}

//
#[test]
fn an_error_status_of_the_app_is_an_answer() {
    let failing =
        Backend::answering(|_| "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nown");
    let other =
        Backend::answering(|_| "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nown");
    let router = route([failing.port(), other.port()]);
    let response = router.get("app.test", "/");
    assert_eq!((response.status, response.text().as_str()), (503, "own"));
    assert_eq!(response.header("X-Cf-RouterError"), None);
    assert_eq!(failing.requests().len() + other.requests().len(), 1);
}

//
#[test]
fn a_backend_that_closes_without_an_answer_is_a_bad_gateway() {
    let backend = silent();
    let router = route([backend.port()]);
    let response = send(&router, POST);
    assert_eq!(response.status, 502);
    assert_eq!(
        response.header("X-Cf-RouterError"),
        Some("endpoint_failure (EOF)")
    );
    assert_eq!(
        response.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(
        response.text(),
        "502 Bad Gateway: Registered endpoint failed to handle the request.\n"
    );
    eventually("the counter", || {
        (router.metrics().sum("bad_gateways") == 1.0).then_some(())
    });
    assert_eq!(
        router.access_log().line().field("x_cf_routererror"),
        "endpoint_failure (EOF)"
    );
}

//
#[test]
fn a_backend_that_does_not_answer_in_time_is_a_bad_gateway_and_is_not_tried_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let backends = [(); 2].map(|()| {
        let asked = Arc::clone(&asked);
        Backend::scripted(move |peer| {
            peer.request()?;
            asked.fetch_add(1, Ordering::AcqRel);
            peer.wire().more()
        })
    });
    let router = Router::builder().with("endpoint_timeout", "300ms").start();
    backends
        .iter()
        .for_each(|backend| router.register(&Registration::of("app.test", backend)));
    let response = router.get("app.test", "/");
    assert_eq!(response.status, 502);
    assert_eq!(
        response.header("X-Cf-RouterError"),
        Some("endpoint_failure (context deadline exceeded)")
    );
    assert_eq!(asked.load(Ordering::Acquire), 1);
    let event = router.wait_for_event("backend-request-timeout");
    assert!(
        event.text.contains("context deadline exceeded"),
        "{}",
        event.text
    );
    eventually("the counter", || {
        (router.metrics().sum("bad_gateways") == 1.0).then_some(())
    });
}

//
#[test]
fn what_a_client_does_never_marks_an_endpoint() {
    let backend = Backend::scripted(|peer| {
        let head = peer.head()?;
        if head.target() == "/slow" {
            return peer.wire().more();
        }
        peer.send(ok("alive"))
    });
    let router = route([backend.port()]);
    for number in 1..=3 {
        let mut client = router.client();
        client.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n");
        backend.wait_for_requests(number);
        client.reset();
    }
    router.access_log().wait_for(3);
    assert_eq!(router.get("app.test", "/").text(), "alive");
    assert!(
        router
            .log()
            .with_message("endpoint-marked-as-ineligible")
            .is_empty()
    );
    assert_eq!(router.log().with_message("prune-failed-endpoint").len(), 0);
}

#[test]
fn a_stale_connection_is_replaced_and_the_client_does_not_notice() {
    // Closes each connection as soon as a second request is on it: too late for the router to have seen it coming.
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send(ok("first"))?;
        peer.request().map(drop)
    });
    let router = route([backend.port()]);
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(client.get("app.test", "/").text(), "first");
    }
}

#[test]
fn a_response_head_that_is_malformed_is_a_bad_gateway() {
    for head in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        let backend = Backend::answering(move |_| head);
        let router = route([backend.port()]);
        let response = router.get("app.test", "/");
        let error = response.header("X-Cf-RouterError").unwrap_or_default();
        assert_eq!(response.status, 502, "{head}");
        assert!(
            error.starts_with("endpoint_failure (") && error.ends_with(')'),
            "{error}"
        );
    }
}
