//! Limits that a route has by its registrations' options, or by default.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cloverleaf_tests::{
    Backend, End, Frame, FrameClient, Gate, Outcome, Registration, Response, Router, Start,
    eventually, flag, frame_kind, ok,
};
use serde_json::{Value, json};

fn with_options(backend: &Backend, options: Value) -> Registration {
    Registration::of("app.test", backend).with("options", options)
}

/// A router with a backend for `app.test` that answers at once, and these options.
fn serving(options: Value) -> (Router, Backend) {
    let (router, backend) = (Router::start(), Backend::saying("served"));
    router.register(&with_options(&backend, options));
    (router, backend)
}

fn error(response: &Response) -> (u16, Option<&str>) {
    (response.status, response.header("X-Cf-RouterError"))
}

fn post(router: &Router, lines: &str, body: &str) -> Response {
    let mut client = router.client();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n{body}"
    ));
    client.response()
}

#[test]
fn a_body_that_is_announced_too_large_is_413_and_nothing_of_it_goes_on() {
    let (router, backend) = serving(json!({ "max_body_size": 10 }));
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 11\r\n\r\n");
    let response = client.response();
    assert_eq!(error(&response), (413, Some("max_body_size_exceeded")));
    assert_eq!(
        response.text(),
        "413 Request Entity Too Large: The request's body is larger than route ('app.test') takes.\n"
    );
    assert_eq!(response.header("Connection"), Some("close"));
    assert_eq!(client.end(), End::Closed);
    assert_eq!(backend.connections(), 0);
    assert_eq!(
        post(&router, "Content-Length: 10\r\n", "0123456789").status,
        200
    );
    assert_eq!(router.get("app.test", "/").status, 200);
    assert_eq!(router.metrics().sum("oversized_request_bodies"), 1.0);
}

#[test]
fn a_body_in_chunks_is_413_as_soon_as_it_is_too_large() {
    let (router, backend) = serving(json!({ "max_body_size": "10" }));
    let chunked = "Transfer-Encoding: chunked\r\n";
    let fits = "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n";
    assert_eq!(post(&router, chunked, fits).status, 200);
    // It does not end: what is there is enough to know.
    let response = post(&router, chunked, "5\r\n01234\r\n6\r\n56789a\r\n");
    assert_eq!(error(&response), (413, Some("max_body_size_exceeded")));
    assert_eq!(
        backend
            .requests()
            .iter()
            .filter(|request| request.body.len() > 10)
            .count(),
        0
    );
    let line = router.access_log().wait_for(2).remove(1);
    assert!(line.text.contains(" 413 "), "{}", line.text);
}

#[test]
fn a_body_that_grows_too_large_behind_the_answer_cuts_it() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nearly")?;
        // Until the router goes.
        peer.wire().rest();
        Ok(())
    });
    router.register(&with_options(&backend, json!({ "max_body_size": "1K" })));
    let mut client = router.client();
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    let response = client.head();
    assert_eq!(response.status, 200);
    client.send(format!("7d0\r\n{}\r\n", "x".repeat(2_000)));
    assert_eq!(client.wire().rest().0, b"early");
    let line = router.access_log().wait_for(1).remove(0);
    assert!(
        line.text
            .contains("x_cf_routererror:\"max_body_size_exceeded\""),
        "{}",
        line.text
    );
}

#[test]
fn more_requests_at_a_time_than_the_route_takes_are_503_until_one_ends() {
    let router = Router::start();
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::scripted(move |peer| {
        loop {
            let request = peer.request()?;
            if request.target() == "/held" {
                // The answer has begun: the request is under way all the same.
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe")?;
                shared.wait();
                peer.send("ld")?;
            } else {
                peer.send(ok("served"))?;
            }
        }
    });
    router.register(&with_options(
        &backend,
        json!({ "max_concurrent_requests": 2 }),
    ));
    let other = Backend::saying("other");
    router.register(&Registration::of("other.test", &other));
    let mut held: Vec<_> = (0..2)
        .map(|_| {
            let mut client = router.client();
            client.send("GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n");
            assert_eq!(client.head().status, 200);
            client
        })
        .collect();
    let response = router.get("app.test", "/");
    assert_eq!(error(&response), (503, Some("concurrency_limit_exceeded")));
    assert_eq!(response.header("Retry-After"), Some("1"));
    assert_eq!(router.get("other.test", "/").status, 200);
    // Registering again changes nothing of what is counted.
    router.register(&with_options(
        &backend,
        json!({ "max_concurrent_requests": 2 }),
    ));
    assert_eq!(router.get("app.test", "/").status, 503);
    gate.open();
    for client in &mut held {
        assert_eq!(client.wire().exactly(4), Ok(b"held".to_vec()));
    }
    eventually("a place", || {
        (router.get("app.test", "/").status == 200).then_some(())
    });
    let limited = router.metrics().sum("concurrency_limited_requests");
    assert!(limited >= 2.0, "{limited}");
    let line = eventually("a line about a refusal", || {
        let mut lines = router.access_log().lines().into_iter();
        lines.find(|line| line.status == "503")
    });
    assert!(line.text.contains("app_id:\"0b8e5c0e"), "{}", line.text);
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        let request = peer.request()?;
        match request.target() {
            "/silent" => drop(peer.wire().rest()),
            _ => peer.send(ok("served"))?,
        }
        Ok(())
    });
    router.register(&with_options(
        &backend,
        json!({ "max_concurrent_requests": 1 }),
    ));
    let mut client = router.client();
    client.send("GET /silent HTTP/1.1\r\nHost: app.test\r\n\r\n");
    backend.wait_for_requests(1);
    assert_eq!(router.get("app.test", "/").status, 503);
    client.reset();
    eventually("a place", || {
        (router.get("app.test", "/").status == 200).then_some(())
    });
}

#[test]
fn more_requests_in_a_time_than_the_route_takes_are_429() {
    let (router, backend) = serving(json!({ "rate_limit": "3/h" }));
    let statuses: Vec<_> = (0..4).map(|_| router.get("app.test", "/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let response = router.get("app.test", "/");
    assert_eq!(error(&response), (429, Some("rate_limit_exceeded")));
    let wait: u64 = response
        .header("Retry-After")
        .unwrap_or("0")
        .parse()
        .unwrap_or(0);
    // Rounded up, and the clocks of two workers may be a tick apart.
    assert!((1_100..=1_201).contains(&wait), "{wait}");
    assert_eq!(backend.requests().len(), 3);
    assert_eq!(router.metrics().sum("rate_limited_requests"), 2.0);
    // Another endpoint of the route does not change what was counted.
    let second = Backend::saying("second");
    router.register(&with_options(&second, json!({ "rate_limit": "3/h" })));
    assert_eq!(router.get("app.test", "/").status, 429);
    router.register(&with_options(&second, json!({ "rate_limit": "0" })));
    router.settle();
    assert_eq!(router.get("app.test", "/").status, 200);
}

#[test]
fn a_rate_is_let_through_evenly() {
    let (router, _backend) = serving(json!({ "rate_limit": 2 }));
    let mut served = 0;
    eventually("six requests in about two seconds", || {
        served += usize::from(router.get("app.test", "/").status == 200);
        (served == 6).then_some(())
    });
}

#[test]
fn each_client_has_a_rate_of_its_own() {
    let start = |known_by: &str| {
        let router = Router::builder()
            .with("route_options.client_address", known_by)
            .start();
        let backend = Backend::saying("served");
        let options = json!({ "client_rate_limit": "2/h" });
        router.register(&with_options(&backend, options));
        (router, backend)
    };
    let ask = |router: &Router, forwarded: &str| {
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: {forwarded}\r\n\r\n"
        ));
        client.response()
    };
    let (router, _backend) = start("x-forwarded-for");
    for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1"] {
        // What stands before the last one is anybody's word.
        let statuses = ["1.1.1.1", "2.2.2.2", "3.3.3.3"]
            .map(|word| ask(&router, &format!("{word}, {client}")).status);
        assert_eq!(statuses, [200, 200, 429], "{client}");
    }
    let response = ask(&router, "203.0.113.1");
    assert_eq!(error(&response), (429, Some("client_rate_limit_exceeded")));
    assert!(response.header("Retry-After").is_some());
    assert_eq!(router.metrics().sum("client_rate_limited_requests"), 4.0);

    let (router, _backend) = start("connection");
    let statuses = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
        .map(|forwarded| ask(&router, forwarded).status);
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn a_route_has_a_time_of_its_own_for_requests_shorter_or_longer_than_the_routers() {
    let router = Router::builder().with("endpoint_timeout", "700ms").start();
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::answering(move |_| {
        shared.wait();
        ok("at last")
    });
    router.register(&with_options(
        &backend,
        json!({ "request_timeout": "200ms" }),
    ));
    router.register(
        &Registration::of("long.test", &backend).with("options", json!({ "request_timeout": 0 })),
    );
    let response = router.get("app.test", "/");
    assert_eq!(
        error(&response),
        (502, Some("endpoint_failure (context deadline exceeded)"))
    );
    let line = router.access_log().wait_for(1).remove(0);
    let took: f64 = line.field("response_time").parse().unwrap_or(9.0);
    assert!((0.2..0.65).contains(&took), "{took}");
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: long.test\r\n\r\n");
    assert!(client.is_silent(Duration::from_millis(1_500)));
    gate.open();
    assert_eq!(client.response().text(), "at last");
}

#[test]
fn the_first_byte_has_to_come_in_time_and_the_rest_may_take_longer() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            if request.target() == "/silent" {
                peer.wire().rest();
                return Ok(());
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")?;
            thread::sleep(Duration::from_millis(1_200));
            peer.send("lf")?;
        }
    });
    router.register(&with_options(
        &backend,
        json!({ "first_byte_timeout": "400ms" }),
    ));
    let response = router.get("app.test", "/silent");
    let expected = "endpoint_failure (net/http: timeout awaiting response headers)";
    assert_eq!(error(&response), (502, Some(expected)));
    assert_eq!(router.get("app.test", "/").text(), "half");
    // The whole request has its own time all the same.
    router.register(&with_options(
        &backend,
        json!({ "first_byte_timeout": "400ms", "request_timeout": "700ms" }),
    ));
    router.settle();
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.wire().rest().0, b"ha");
}

#[test]
fn the_time_for_the_first_byte_begins_behind_the_request() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        let request = peer.request()?;
        match request.target() {
            "/silent" => peer.wire().more(),
            _ => peer.send(ok("whole")),
        }
    });
    router.register(&with_options(
        &backend,
        json!({ "first_byte_timeout": "400ms" }),
    ));
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbo");
    assert!(client.is_silent(Duration::from_millis(1_000)));
    client.send("dy");
    assert_eq!(client.response().text(), "whole");
    let mut client = router.client();
    client.send("POST /silent HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbo");
    assert!(client.is_silent(Duration::from_millis(100)));
    client.send("dy");
    let expected = "endpoint_failure (net/http: timeout awaiting response headers)";
    assert_eq!(error(&client.response()), (502, Some(expected)));
    // A client that waits for a 100 has the time for that.
    let mut client = router.client();
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    );
    assert!(client.wire().until(b"100 Continue\r\n\r\n").is_ok());
    client.send("body");
    assert_eq!(client.response().text(), "whole");
    // The whole attempt has its own time all the same.
    router.register(&with_options(
        &backend,
        json!({ "first_byte_timeout": "10s", "request_timeout": "500ms" }),
    ));
    router.settle();
    for (target, body) in [("/", "bo"), ("/silent", "body")] {
        let mut client = router.client();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\n{body}"
        ));
        let expected = "endpoint_failure (context deadline exceeded)";
        assert_eq!(error(&client.response()), (502, Some(expected)));
    }
}

#[test]
fn who_has_seen_the_end_of_an_answer_is_let_in_at_once() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            match request.target() {
                "/known" => peer.send(ok("known"))?,
                "/chunked" => peer.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nknown\r\n0\r\n\r\n",
                )?,
                "/empty" => peer.send("HTTP/1.1 204 No Content\r\n\r\n")?,
                "/closes" => return peer.send("HTTP/1.1 200 OK\r\n\r\nknown"),
                _ => return Ok(()),
            }
        }
    });
    router.register(&with_options(
        &backend,
        json!({ "max_concurrent_requests": 1 }),
    ));
    let mut clients = [router.client(), router.client()];
    for number in 0..100 {
        for (target, status) in [
            ("/known", 200),
            ("/chunked", 200),
            ("/empty", 204),
            ("/closes", 200),
            ("/fails", 502),
        ] {
            for client in &mut clients {
                let response = client.get("app.test", target);
                assert_eq!(response.status, status, "{number} {target}");
            }
        }
    }
}

#[test]
fn a_client_that_does_not_read_on_keeps_no_place_of_an_answer_that_is_whole() {
    let router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .start();
    let backend = Backend::answering(|request| match request.target() {
        "/large" => ok(&"x".repeat(20_000)),
        target => ok(target),
    });
    router.register(&with_options(
        &backend,
        json!({ "max_concurrent_requests": 1 }),
    ));
    let mut client = FrameClient::connect(router.port());
    // It has no room for a body.
    client.settings(&[(4, 0)]);
    client.get(1, "/large");
    assert_eq!(client.outcome(1), Outcome::Answer(200));
    eventually("a place", || {
        (router.get("app.test", "/").status == 200).then_some(())
    });
    client.settings(&[(4, 30_000)]);
    let ends = |frame: &Frame| frame.kind == frame_kind::DATA && frame.flags & flag::END_STREAM > 0;
    assert!(client.until(ends).is_ok());
}

#[test]
fn silence_ends_a_request_and_a_trickle_does_not() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            match request.target() {
                "/silent" => {
                    peer.wire().rest();
                    return Ok(());
                }
                "/stalls" => {
                    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nstalled")?;
                    peer.wire().rest();
                    return Ok(());
                }
                _ => {}
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")?;
            for _ in 0..10 {
                thread::sleep(Duration::from_millis(200));
                peer.send("x")?;
            }
        }
    });
    router.register(&with_options(&backend, json!({ "idle_timeout": "800ms" })));
    let response = router.get("app.test", "/silent");
    assert_eq!(
        error(&response),
        (502, Some("endpoint_failure (idle timeout)"))
    );
    let mut client = router.client();
    client.send("GET /stalls HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.wire().rest().0, b"stalled");
    assert_eq!(router.get("app.test", "/").text(), "x".repeat(10));
}

#[test]
fn silence_ends_a_websocket_only_where_the_route_says_so() {
    let router = Router::start();
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )?;
        peer.wire().rest();
        Ok(())
    });
    router.register(&with_options(&backend, json!({ "idle_timeout": "400ms" })));
    router.register(&Registration::of("patient.test", &backend));
    let open = |host: &str| {
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        ));
        assert_eq!(client.head().status, 101);
        client
    };
    let mut patient = open("patient.test");
    let mut client = open("app.test");
    for _ in 0..5 {
        client.send("ping");
        assert!(client.is_silent(Duration::from_millis(200)));
    }
    assert_eq!(client.end(), End::Closed);
    assert!(patient.is_silent(Duration::from_millis(100)));
}

/// A router with three attempts, and for `app.test` one endpoint that breaks off every request and one that answers.
fn half_broken(options: Value) -> (Router, [Backend; 2]) {
    let router = Router::builder().with("backends.max_attempts", 3).start();
    let broken = Backend::scripted(|peer| peer.request().map(drop));
    let sound = Backend::saying("sound");
    router.register(&with_options(&broken, options.clone()));
    router.register(&with_options(&sound, options));
    (router, [broken, sound])
}

#[test]
fn a_route_has_its_own_number_of_attempts() {
    let (router, _backends) = half_broken(json!({}));
    assert!((0..6).all(|_| router.get("app.test", "/").status == 200));
    let (router, _backends) = half_broken(json!({ "max_attempts": 1 }));
    let failed = (0..6).filter(|_| router.get("app.test", "/").status == 502);
    assert_eq!(failed.count(), 3);
}

#[test]
fn retries_end_with_their_budget() {
    let (router, [broken, _sound]) = half_broken(json!({ "retry_budget": 10 }));
    let statuses: Vec<_> = (0..60)
        .map(|_| router.get("app.test", "/").status)
        .collect();
    let failed = statuses.iter().filter(|status| **status == 502).count();
    // Ten at once, and one for each ten requests.
    let retried = broken.requests().len() - failed;
    assert!((12..=17).contains(&retried), "{retried} of {statuses:?}");
    assert!(failed > 5, "{statuses:?}");
    assert_eq!(router.metrics().sum("retries_denied"), failed as f64);
}

#[test]
fn an_option_that_nobody_knows_is_ignored_and_counted() {
    let options = json!({
        "unheard_of": { "deep": [1] }, "max_body_size": "much", "rate_limit": true, "request_timeout": "10s",
    });
    let (router, _backend) = serving(options);
    assert_eq!(post(&router, "Content-Length: 4\r\n", "body").status, 200);
    assert_eq!(router.metrics().sum("route_options_ignored"), 3.0);
    let names: Vec<_> = router
        .log()
        .with_message("route-option-ignored")
        .iter()
        .map(|event| event.data("option").clone())
        .collect();
    assert_eq!(names, ["rate_limit", "unheard_of", "max_body_size"]);
    let shown = &router.routes()["app.test"][0]["limits"];
    assert_eq!(*shown, json!({ "request_timeout": 10.0 }));
}

#[test]
fn the_configuration_has_the_limits_of_routes_that_say_nothing() {
    let router = Router::builder()
        .with("route_options.max_body_size", "1K")
        .with("route_options.rate_limit", "2/h")
        .start();
    let backend = Backend::saying("served");
    router.register(&Registration::of("app.test", &backend));
    let options = json!({ "max_body_size": 0, "rate_limit": "0" });
    router.register(&Registration::of("free.test", &backend).with("options", options));
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1025\r\n\r\n");
    assert_eq!(client.response().status, 413);
    let statuses = [(); 3].map(|()| router.get("app.test", "/").status);
    assert_eq!(statuses, [200, 200, 429]);
    let mut client = router.client();
    for _ in 0..4 {
        let body = "x".repeat(1_025);
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: free.test\r\nContent-Length: 1025\r\n\r\n{body}"
        ));
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn a_rate_that_is_none_ends_the_start() {
    let finished = Start::run(
        "route_options: {rate_limit: many}
",
        &[],
    );
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.output.contains("route_options.rate_limit"),
        "{}",
        finished.output
    );
}
