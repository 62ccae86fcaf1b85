//! Heads that are larger than the operator allows, on either side.

use cloverleaf_tests::{Backend, Registration, Response, Router, ok};

/// A GET whose head counts `size` bytes in the way of spec 4.11.
fn sized(size: usize) -> String {
    // Request line 17, Host 16, the id's line 57, `X-Fill: ` and the line's end 10.
    let length = size - 17 - 16 - 57 - 10;
    let fill = "a".repeat(length);
    format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Fill: {fill}\r\n\r\n")
}

fn is_refused(answer: &Response) {
    assert_eq!(answer.status, 431);
    assert_eq!(
        answer.header("X-Cf-RouterError"),
        Some("max-request-size-exceeded")
    );
    assert_eq!(answer.header("Content-Length"), Some("0"));
    assert_eq!(answer.header("Connection"), None);
}

//
#[test]
fn a_head_of_the_limit_is_refused_and_logged_with_its_application() {
    for key in ["max_request_header_bytes", "max_header_bytes"] {
        let router = Router::builder().with(key, 2048).start();
        let backend = Backend::saying("here");
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        client.send(sized(2048));
        is_refused(&client.response());
        client.send(sized(2047));
        assert_eq!(client.response().status, 200, "on the same connection");
        client.send(format!(
            "GET /{:a>2048} HTTP/1.1\r\nHost: unknown.test\r\n\r\n",
            ""
        ));
        assert_eq!(client.response().status, 404, "the look-up comes first");

        let lines = router.access_log().wait_for(3);
        assert_eq!(lines[0].status, "431");
        assert_eq!(
            lines[0].field("app_id"),
            "0b8e5c0e-1111-2222-3333-444455556666"
        );
        assert_eq!(lines[0].endpoint, backend.address());
        assert_eq!(
            lines[0].field("x_cf_routererror"),
            "max-request-size-exceeded"
        );
        assert_eq!(backend.requests().len(), 1, "the large one was not sent");
    }
}

//
#[test]
fn the_body_of_a_refused_request_is_skipped() {
    let router = Router::builder()
        .with("max_request_header_bytes", 1024)
        .start();
    let backend = Backend::saying("here");
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(format!(
        "POST /{:a>1024} HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello",
        ""
    ));
    is_refused(&client.response());
    assert_eq!(client.get("app.test", "/").text(), "here");
}

//
#[test]
fn more_lines_than_allowed_are_refused() {
    let router = Router::builder().with("max_request_headers", 3).start();
    let backend = Backend::saying("here");
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\nX-A: 2\r\n\r\n");
    assert_eq!(client.response().status, 200, "with the id there are three");
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\n\r\n");
    is_refused(&client.response());
}

//
#[test]
fn a_head_beyond_what_is_read_at_all_ends_the_connection() {
    let (router, backend) = (Router::start(), Backend::saying("here"));
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(sized(1 << 20));
    is_refused(&client.response());
    assert_eq!(client.get("app.test", "/").status, 200);

    client.send(sized((1 << 20) + 8192));
    let answer = client.response();
    assert_eq!(answer.status, 431);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(answer.header("X-Cf-RouterError"), None);
    router.access_log().wait_for(2);
}

//
#[test]
fn a_response_head_over_its_limit_is_502() {
    let router = Router::builder()
        .with("max_response_header_bytes", 1000)
        .start();
    let backend = Backend::answering(|request| match request.target() {
        "/large" => format!(
            "HTTP/1.1 200 OK\r\nX-Big: {:a>1000}\r\nContent-Length: 0\r\n\r\n",
            ""
        ),
        _ => ok("small"),
    });
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    let answer = client.get("app.test", "/large");
    assert_eq!(answer.status, 502);
    let error = answer.header("X-Cf-RouterError").unwrap_or_default();
    assert!(
        error.starts_with("endpoint_failure (") && error.contains("exceeded 1000 bytes"),
        "{error}"
    );
    assert_eq!(client.get("app.test", "/").text(), "small");
    assert_eq!(backend.requests().len(), 2, "nothing was tried again");
}

//
#[test]
fn too_many_response_headers_are_502() {
    let router = Router::builder().with("max_response_headers", 3).start();
    let backend = Backend::answering(|request| {
        let lines = match request.target() {
            "/many" => "X-A: 1\r\nX-B: 2\r\nX-C: 3\r\n",
            _ => "X-A: 1\r\nX-B: 2\r\n",
        };
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")
    });
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    let answer = client.get("app.test", "/many");
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("X-Cf-RouterError"),
        Some("endpoint_failure (Too many response headers)")
    );
    assert_eq!(client.get("app.test", "/").status, 200);
}
