//! Distributed tracing headers.

use cloverleaf_tests::{Backend, Line, RefusedPort, Registration, Request, Router, Start};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn zipkin() -> Start {
    Router::builder().with("tracing.enable_zipkin", true)
}

fn w3c() -> Start {
    Router::builder().with("tracing.enable_w3c", true)
}

/// What the backend and the log see of a request with these lines.
fn seen(start: Start, lines: &str) -> (Request, Line) {
    let (router, backend) = (start.start(), Backend::saying("here"));
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"));
    assert_eq!(client.response().status, 200);
    (backend.request(), router.access_log().line())
}

/// The digits of the request's id.
fn id(request: &Request) -> String {
    let id = request.header("X-Vcap-Request-Id").unwrap_or_default();
    id.replace('-', "")
}

//
#[test]
fn zipkin_headers_are_made_from_the_request_id_where_they_are_not_whole() {
    for lines in [
        String::new(),
        format!("X-B3-TraceId: {TRACE}\r\n"),
        format!("X-B3-SpanId: {SPAN}\r\n"),
        "b3: nonsense\r\n".to_owned(),
    ] {
        let (request, line) = seen(zipkin(), &lines);
        let (trace, span) = (id(&request), request.header("X-B3-SpanId"));
        let span = span.unwrap_or_default().to_owned();
        assert!(
            span.len() == 16 && span.bytes().all(|byte| byte.is_ascii_hexdigit()) && span != SPAN,
            "{span}"
        );
        assert_eq!(request.header("X-B3-TraceId"), Some(trace.as_str()));
        let single = format!("{trace}-{span}");
        assert_eq!(request.header("b3"), Some(single.as_str()));
        for name in ["b3", "X-B3-TraceId", "X-B3-SpanId"] {
            assert_eq!(request.headers.all(name).count(), 1, "{name}");
        }
        assert_eq!(
            line.names()[9..],
            ["x_b3_traceid", "x_b3_spanid", "x_b3_parentspanid", "b3"]
        );
        let logged = ["x_b3_traceid", "x_b3_spanid", "x_b3_parentspanid", "b3"];
        assert_eq!(
            logged.map(|name| line.field(name)),
            [trace.as_str(), span.as_str(), "-", single.as_str()]
        );
        assert_eq!(line.field("vcap_request_id").replace('-', ""), trace);
    }
}

//
#[test]
fn zipkin_headers_that_came_are_kept_and_joined() {
    let lines = format!("X-B3-TraceId: {TRACE}\r\nX-B3-SpanId: {SPAN}\r\nX-B3-Sampled: 1\r\n");
    let (request, line) = seen(zipkin(), &lines);
    assert_eq!(request.header("X-B3-TraceId"), Some(TRACE));
    assert_eq!(request.header("X-B3-SpanId"), Some(SPAN));
    let single = format!("{TRACE}-{SPAN}-1");
    assert_eq!(request.header("b3"), Some(single.as_str()));
    assert_eq!(id(&request), TRACE);
    assert_eq!(line.field("b3"), single);

    let (request, _) = seen(zipkin(), &format!("b3: {TRACE}-{SPAN}-d\r\n"));
    assert_eq!(request.header("X-B3-TraceId"), None);
    assert_eq!(
        request.header("b3"),
        Some(format!("{TRACE}-{SPAN}-d").as_str())
    );
    assert_eq!(id(&request), TRACE);
}

//
#[test]
fn trace_context_begins_here_or_goes_on_with_us_as_parent() {
    let (request, line) = seen(w3c(), "");
    let parent = request.header("traceparent").unwrap_or_default();
    let span = parent.get(36..52).unwrap_or_default();
    assert_eq!(parent, format!("00-{}-{span}-01", id(&request)));
    assert_eq!(
        request.header("tracestate"),
        Some(format!("gorouter={span}").as_str())
    );
    assert_eq!(line.names()[9..], ["traceparent", "tracestate"]);
    assert_eq!(line.field("traceparent"), parent);

    let lines = format!(
        "traceparent: 00-{TRACE}-{SPAN}-00\r\ntracestate: other=1,t@gorouter=2,gorouter=3\r\n"
    );
    let (request, _) = seen(w3c().with("tracing.w3c_tenant_id", "t"), &lines);
    let parent = request.header("traceparent").unwrap_or_default();
    let span = parent.get(36..52).unwrap_or_default();
    assert_eq!(parent, format!("00-{TRACE}-{span}-00"));
    assert_ne!(span, SPAN);
    assert_eq!(
        request.header("tracestate"),
        Some(format!("t@gorouter={span},other=1,gorouter=3").as_str())
    );
    assert_eq!(id(&request), TRACE);
}

//
#[test]
fn a_parent_that_is_none_is_replaced_together_with_its_state() {
    let lines = format!("traceparent: 00-{TRACE}-{SPAN}\r\ntracestate: other=1\r\n");
    let (request, _) = seen(w3c(), &lines);
    let parent = request.header("traceparent").unwrap_or_default();
    assert!(
        parent.starts_with(&format!("00-{}-", id(&request))),
        "{parent}"
    );
    let state = request.header("tracestate").unwrap_or_default();
    assert!(
        state.starts_with("gorouter=") && !state.contains("other"),
        "{state}"
    );
}

//
#[test]
fn without_tracing_its_headers_pass_unchanged() {
    let lines = "b3: x\r\nX-B3-TraceId: y\r\ntraceparent: z\r\ntracestate: a=b\r\n";
    let (request, line) = seen(Router::builder(), lines);
    for (name, value) in [
        ("b3", "x"),
        ("X-B3-TraceId", "y"),
        ("traceparent", "z"),
        ("tracestate", "a=b"),
    ] {
        assert_eq!(request.header(name), Some(value));
    }
    assert_eq!(request.header("X-B3-SpanId"), None);
    assert_eq!(line.names().len(), 9);
}

//
#[test]
fn a_client_cannot_strip_what_is_made_here_and_errors_are_logged_with_it() {
    let start = zipkin().with("max_request_header_bytes", 400);
    let (request, _) = seen(start, "Connection: b3, X-B3-TraceId\r\n");
    assert_eq!(request.header("X-B3-TraceId"), Some(id(&request).as_str()));

    let (router, dead) = (zipkin().start(), RefusedPort::new());
    router.register(&Registration::at("app.test", dead.number()));
    let mut client = router.client();
    assert_eq!(client.get("app.test", "/").status, 502);
    assert_eq!(client.get("unknown.test", "/").status, 404);
    let event = router.wait_for_event("backend-endpoint-failed");
    let lines = router.access_log().wait_for(2);
    assert_eq!(event.data("trace-id"), lines[0].field("x_b3_traceid"));
    assert_eq!(event.data("span-id"), lines[0].field("x_b3_spanid"));
    let missing = &lines[1];
    assert_eq!(
        missing.field("x_b3_traceid"),
        missing.field("vcap_request_id").replace('-', "")
    );
}

//
#[test]
fn trace_headers_count_for_the_size_of_a_request() {
    // Without them the request counts 17 + 16 + 57 bytes, with them 48 + 31 + 55 more.
    for (limit, status) in [
        (17 + 16 + 57 + 48 + 31 + 55, 431),
        (17 + 16 + 57 + 48 + 31 + 56, 200),
    ] {
        let start = zipkin().with("max_request_header_bytes", limit);
        let (router, backend) = (start.start(), Backend::saying("here"));
        router.register(&Registration::of("app.test", &backend));
        assert_eq!(router.get("app.test", "/").status, status);
    }
}
