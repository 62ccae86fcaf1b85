//! What a backend sees of a request, and a client of a response.

use cloverleaf_tests::{Backend, Client, Registration, Request, Response, Router, ok};
use serde_json::json;

/// A router with a backend at `app.test`.
fn route(backend: &Backend) -> Router {
    let router = Router::start();
    router.register(&Registration::of("app.test", backend));
    router
}

/// Sends a request with these header lines and gives what the backend saw.
fn forwarded(router: &Router, backend: &Backend, lines: &str) -> Request {
    let before = backend.requests().len();
    let mut client = router.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"));
    assert_eq!(client.response().status, 200, "{lines}");
    backend.requests().remove(before)
}

/// The answer to a GET behind which the backend says this.
fn returned(response: &str) -> Response {
    let response = response.replace('\n', "\r\n");
    let backend = Backend::answering(move |_| response.clone());
    route(&backend).get("app.test", "/")
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

// covers: R-130 R-131 R-132 R-134 R-135 R-136
#[test]
fn the_backend_is_told_where_a_request_comes_from_and_what_serves_it() {
    let backend = Backend::saying("here");
    let router = route(&backend);
    let plain = forwarded(&router, &backend, "");
    assert_eq!(plain.header("Host"), Some("app.test"));
    assert_eq!(plain.header("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(plain.header("X-Forwarded-Proto"), Some("http"));
    assert!(
        plain
            .header("X-Request-Start")
            .is_some_and(|time| time.len() == 13),
        "{plain:?}"
    );
    assert!(
        plain.header("X-Vcap-Request-Id").is_some_and(is_uuid),
        "{plain:?}"
    );
    assert_eq!(
        plain.header("X-CF-ApplicationID"),
        Some("0b8e5c0e-1111-2222-3333-444455556666")
    );
    assert_eq!(
        plain.header("X-CF-InstanceID"),
        Some(format!("instance-{}", backend.port()).as_str())
    );
    assert_eq!(plain.header("X-CF-InstanceIndex"), Some("0"));
    assert!(
        plain.headers.get("User-Agent").is_none() && plain.headers.get("Accept-Encoding").is_none(),
        "{plain:?}"
    );

    let told = forwarded(
        &router,
        &backend,
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Request-Start: 5\r\nX-Vcap-Request-Id: mine\r\n\
         X-CF-ApplicationID: mine\r\nX-CF-InstanceIndex: 9\r\nX-CF-InstanceID: mine\r\n",
    );
    assert_eq!(
        told.headers.all("X-Forwarded-For").collect::<Vec<_>>(),
        ["1.2.3.4, 127.0.0.1"]
    );
    assert_eq!(told.header("X-Forwarded-Proto"), Some("https"));
    assert_eq!(told.header("X-Request-Start"), Some("5"));
    assert!(
        told.headers.all("X-Vcap-Request-Id").all(is_uuid),
        "{told:?}"
    );
    for name in [
        "X-CF-ApplicationID",
        "X-CF-InstanceIndex",
        "X-CF-InstanceID",
    ] {
        assert_eq!(
            told.headers.all(name).collect::<Vec<_>>(),
            plain.headers.all(name).collect::<Vec<_>>(),
            "{name}"
        );
    }
}

//
#[test]
fn an_endpoint_without_an_instance_id_is_named_by_its_address() {
    let (router, backend) = (Router::start(), Backend::saying("here"));
    router
        .register(&Registration::of("app.test", &backend).with("private_instance_id", json!(null)));
    assert_eq!(
        forwarded(&router, &backend, "").header("X-CF-InstanceID"),
        Some(backend.address().as_str())
    );
}

// covers: R-137 R-138
#[test]
fn the_protocol_can_be_forced_or_cleaned() {
    for (key, expected) in [
        ("sanitize_forwarded_proto", "http"),
        ("force_forwarded_proto_https", "https"),
    ] {
        let backend = Backend::saying("here");
        let router = Router::builder().with(key, true).start();
        router.register(&Registration::of("app.test", &backend));
        for sent in [
            "",
            "X-Forwarded-Proto: https\r\n",
            "X-Forwarded-Proto: http\r\n",
        ] {
            let seen = forwarded(&router, &backend, sent);
            assert_eq!(
                seen.headers.all("X-Forwarded-Proto").collect::<Vec<_>>(),
                [expected],
                "{key} {sent}"
            );
        }
    }
}

// covers: R-139 R-140 R-141
#[test]
fn a_client_cannot_strip_the_headers_that_are_protected() {
    let backend = Backend::saying("here");
    let lines =
        "X-Forwarded-For: 1.2.3.4\r\nX-Mine: 1\r\nConnection: close, x-forwarded-for, x-mine\r\n";
    let router = route(&backend);
    let seen = forwarded(&router, &backend, lines);
    assert_eq!(
        seen.header("X-Forwarded-For"),
        Some("127.0.0.1"),
        "stripped, then made anew"
    );
    assert_eq!(
        (seen.header("X-Mine"), seen.header("Connection")),
        (None, None)
    );

    let router = Router::builder()
        .with("hop_by_hop_headers_to_filter", json!(["X-Forwarded-For"]))
        .start();
    router.register(&Registration::of("app.test", &backend));
    let seen = forwarded(&router, &backend, lines);
    assert_eq!(seen.header("X-Forwarded-For"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(seen.header("X-Mine"), None);
}

// covers: R-142 R-143
#[test]
fn headers_that_concern_one_connection_only_are_not_passed_on() {
    let backend = Backend::saying("here");
    let lines = "Keep-Alive: 5\r\nProxy-Connection: close\r\nProxy-Authorization: x\r\nTE: gzip, trailers\r\n\
                 Trailer: X-End\r\nAccept-Encoding: gzip\r\nUser-Agent: curl\r\n";
    let seen = forwarded(&route(&backend), &backend, lines);
    for name in [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Trailer",
        "Connection",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("TE"), Some("trailers"));
    assert_eq!(
        (seen.header("Accept-Encoding"), seen.header("User-Agent")),
        (Some("gzip"), Some("curl"))
    );
}

// covers: R-144 R-145 R-146 R-147 R-148 R-149
#[test]
fn the_target_reaches_the_backend_byte_for_byte() {
    let backend = Backend::saying("here");
    let router = route(&backend);
    let targets = [
        "/a%2fb?x=%20",
        "/?",
        "/a/../b/./c",
        "/%c3%a9?q=%zz",
        "/a;b?c;d=e",
        "http://app.test/x?y",
        "//something.test",
        "//path?q=x%0a",
    ];
    for target in targets {
        assert_eq!(router.get("app.test", target).status, 200, "{target}");
    }
    let seen: Vec<_> = backend
        .requests()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    assert_eq!(seen, targets);
    router.wait_for_event("deprecated-semicolon-params");
}

// covers: R-132 R-133
#[test]
fn the_response_carries_the_request_id_unless_the_app_set_its_own() {
    let backend = Backend::answering(|request| {
        let own = if request.target() == "/own" {
            "X-Vcap-Request-Id: own\r\n"
        } else {
            ""
        };
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{own}\r\n")
    });
    let router = route(&backend);
    let response = router.get("app.test", "/");
    assert_eq!(
        response.header("X-Vcap-Request-Id"),
        backend.request().header("X-Vcap-Request-Id")
    );
    let own = router.get("app.test", "/own");
    assert_eq!(
        own.headers.all("X-Vcap-Request-Id").collect::<Vec<_>>(),
        ["own"]
    );
}

// covers: R-150 R-151 R-162
#[test]
fn a_response_is_passed_on_without_inventions() {
    let response = returned(
        "HTTP/1.1 302 Whatever\nLocation: /there\nX-CF-Proxy-Signature: secret\nX-Cf-RouterError: mine\n\
         Connection: X-Hop\nX-Hop: 1\nKeep-Alive: 5\nDate: Thu, 01 Jan 1970 00:00:00 GMT\nContent-Length: 2\n\nhi",
    );
    assert_eq!(response.line, "HTTP/1.1 302 Found");
    assert_eq!(response.text(), "hi");
    assert_eq!(response.header("Location"), Some("/there"));
    assert_eq!(
        response.header("Date"),
        Some("Thu, 01 Jan 1970 00:00:00 GMT")
    );
    assert_eq!(response.header("X-Cf-RouterError"), Some("mine"));
    for name in [
        "Content-Type",
        "Server",
        "X-CF-Proxy-Signature",
        "X-Hop",
        "Keep-Alive",
        "Connection",
    ] {
        assert_eq!(response.header(name), None, "{name}");
    }
    let undated = returned("HTTP/1.1 200 OK\nContent-Length: 0\n\n");
    assert!(
        undated
            .header("Date")
            .is_some_and(|date| date.ends_with(" GMT")),
        "{undated:?}"
    );
}

//
#[test]
fn a_response_without_a_body_says_nothing_of_a_length() {
    for status in ["204 No Content", "304 Not Modified"] {
        let response = returned(&format!(
            "HTTP/1.1 {status}\nTransfer-Encoding: chunked\nX-Mine: 1\n\n"
        ));
        assert_eq!(response.header("X-Mine"), Some("1"), "{status}");
        assert_eq!(
            (
                response.header("Transfer-Encoding"),
                response.header("Content-Length")
            ),
            (None, None),
            "{status}"
        );
    }
}

#[test]
fn the_answer_to_head_has_the_length_but_no_body() {
    let backend = Backend::answering(|request| {
        if request.method() == "HEAD" {
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_owned()
        } else {
            ok("next")
        }
    });
    let router = route(&backend);
    let mut client = router.client();
    client.send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(
        client.response_to("HEAD").header("Content-Length"),
        Some("9")
    );
    assert_eq!(client.get("app.test", "/").text(), "next");
    client.send("HEAD / HTTP/1.1\r\nHost: unknown.test\r\n\r\n");
    assert_eq!(client.response_to("HEAD").status, 404);
    assert_eq!(
        client.get("app.test", "/").text(),
        "next",
        "an answer of the router's own has no body either"
    );
}

//
#[test]
fn an_old_client_gets_an_old_answer_and_the_backend_never_knows() {
    let backend = Backend::answering(
        |_| "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    let router = route(&backend);
    let mut client = router.client();
    client.send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n");
    let response = client.response();
    assert_eq!(response.line, "HTTP/1.0 200 OK");
    assert_eq!(
        (
            response.header("Transfer-Encoding"),
            response.text().as_str()
        ),
        (None, "hi")
    );
    assert!(backend.request().line.ends_with(" HTTP/1.1"));
}

//
#[test]
fn an_unknown_minor_version_is_refused_and_logged_without_a_status() {
    let router = Router::start();
    let mut client = router.client();
    client.send("GET / HTTP/1.5\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.wire().rest().0, b"HTTP/1.0 400 Bad Request\r\n\r\n");
    assert_eq!(router.access_log().line().status, "-");
}

//
#[test]
fn the_trace_key_shows_the_way_that_a_request_took() {
    let backend = Backend::saying("here");
    let router = Router::builder().with("trace_key", "sesame").start();
    router.register(&Registration::of("app.test", &backend));
    let get = |key: &str| {
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nX-Vcap-Trace: {key}\r\n\r\n"
        ));
        client.response()
    };
    let traced = get("sesame");
    assert_eq!(
        traced.header("X-Vcap-Backend"),
        Some(backend.address().as_str())
    );
    assert_eq!(
        traced.header("X-Cf-RouteEndpoint"),
        Some(backend.address().as_str())
    );
    assert!(
        traced
            .header("X-Vcap-Router")
            .is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
        "{traced:?}"
    );
    for wrong in ["", "other"] {
        let untraced = get(wrong);
        assert_eq!(
            (
                untraced.header("X-Vcap-Backend"),
                untraced.header("X-Vcap-Router")
            ),
            (None, None),
            "{wrong}"
        );
    }
}

/// Sends 100 and then gives back the body that it gets for it.
fn expectant() -> Backend {
    Backend::scripted(|peer| {
        loop {
            let head = peer.head()?;
            peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
            let length = head.length().unwrap_or(0);
            let body = peer.wire().exactly(usize::try_from(length).unwrap_or(0))?;
            peer.send(ok(&String::from_utf8_lossy(&body)))?;
        }
    })
}

/// Sends a head that waits for 100, and the body once it has come.
fn hesitate(client: &mut Client) -> Response {
    client.send(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nX-Forwarded-Host: h\r\n\
         X-Forwarded-For: 1.2.3.4\r\n\r\n",
    );
    let go_on = client.wire().until(b"\r\n\r\n");
    assert_eq!(go_on, Ok(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()));
    client.send("hello");
    client.response()
}

//
#[test]
fn a_client_that_waits_for_100_gets_it_from_the_backend() {
    let backend = expectant();
    let router = route(&backend);
    let response = hesitate(&mut router.client());
    assert!(response.interim.is_empty(), "one 100 is enough");
    assert_eq!(response.text(), "hello");
    let seen = backend.request();
    assert_eq!(seen.header("Expect"), Some("100-continue"));
    assert_eq!(seen.header("Connection"), Some("close"));
    assert_eq!(seen.header("X-Forwarded-For"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(seen.header("X-Forwarded-Host"), Some("h"));
}

//
#[test]
fn a_backend_connection_that_saw_a_100_is_kept_when_that_is_wanted() {
    let backend = expectant();
    let router = Router::builder()
        .with("keep_alive_100_continue_requests", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    for _ in 0..2 {
        assert_eq!(hesitate(&mut client).text(), "hello");
    }
    assert_eq!(backend.connections(), 1);
    assert_eq!(backend.requests()[0].header("Connection"), None);
}

//
#[test]
fn early_hints_are_relayed_and_the_final_status_is_logged() {
    let backend = Backend::answering(|_| {
        format!(
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{}",
            ok("done")
        )
    });
    let router = route(&backend);
    let response = router.get("app.test", "/");
    assert_eq!(
        (
            response.interim.len(),
            response.status,
            response.text().as_str()
        ),
        (1, 200, "done")
    );
    assert_eq!(router.access_log().line().status, "200");
}

//
#[test]
fn a_request_head_beyond_all_bounds_is_refused() {
    let router = Router::start();
    let mut client = router.client();
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: app.test\r\nX-Fill: {}\r\n\r\n",
        "x".repeat(1024 * 1024 + 8192)
    ));
    assert_eq!(client.response().status, 431);
}

//
#[test]
fn the_load_balancers_user_agent_gets_a_health_check_on_any_path() {
    let router = Router::start();
    let mut client = router.client();
    client.send("GET /any HTTP/1.1\r\nHost: unknown.test\r\nUser-Agent: HTTP-Monitor/1.1\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (200, "ok\n"));
    assert_eq!(response.header("Cache-Control"), Some("private, max-age=0"));
    assert_eq!(response.header("Expires"), Some("0"));
    assert_eq!(router.access_log().line().status, "200");
}

//
#[test]
fn the_load_balancers_user_agent_is_told_when_the_router_is_about_to_leave() {
    let mut router = Router::builder().with("drain_wait", "10s").start();
    router.process().signal(rustix::process::Signal::USR1);
    let response = cloverleaf_tests::eventually("an unhealthy router", || {
        let mut client = router.client();
        client.send("GET / HTTP/1.1\r\nHost: any\r\nUser-Agent: HTTP-Monitor/1.1\r\n\r\n");
        Some(client.response()).filter(|response| response.status != 200)
    });
    assert_eq!((response.status, response.text().as_str()), (503, ""));
    assert_eq!(response.header("Cache-Control"), Some("private, max-age=0"));
}
