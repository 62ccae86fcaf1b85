//! What clients that speak HTTP/2 see of the router.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cloverleaf_tests::{
    Authority, Backend, Broken, End, FrameClient, Gate, Http2Client, LIMIT, Outcome, Port,
    Registration, Router, TlsClient, eventually, ok, request,
};
use rustix::process::Signal;

use super::world::router;

struct Edge {
    authority: Authority,
    tls_port: Port,
}

impl Edge {
    fn new() -> Edge {
        Edge {
            authority: Authority::new("edge authority"),
            tls_port: Port::reserve(),
        }
    }

    fn router(&self) -> cloverleaf_tests::Start {
        router(&self.authority, &self.tls_port)
    }

    #[track_caller]
    fn alpn(&self, offered: &[&str]) -> Option<String> {
        let config = self.authority.anonymous_client_config(offered);
        TlsClient::connect(self.tls_port.number(), config)
            .expect("a TLS connection")
            .alpn()
    }
}

/// A router with a backend at `app.test`.
#[track_caller]
fn before(backend: &Backend) -> Router {
    let edge = Edge::new();
    let router = edge.router().start();
    router.register(&Registration::of("app.test", backend));
    router
}

//
#[test]
fn http_2_is_offered_over_tls_unless_it_is_off() {
    let edge = Edge::new();
    let on = edge.router().start();
    assert_eq!(edge.alpn(&["h2", "http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(edge.alpn(&["http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(edge.alpn(&[]), None);
    let backend = Backend::saying("one");
    on.register(&Registration::of("app.test", &backend));
    let config = edge.authority.anonymous_client_config(&["h2"]);
    let mut client = Http2Client::over_tls(edge.tls_port.number(), config).expect("HTTP/2");
    assert_eq!(client.get("app.test", "/").text(), "one");
    drop(on);

    let edge = Edge::new();
    let _off = edge.router().with("enable_http2", false).start();
    assert_ne!(edge.alpn(&["h2", "http/1.1"]).as_deref(), Some("h2"));
}

#[test]
fn a_client_that_stops_within_the_preface_is_not_waited_for_without_end() {
    let edge = Edge::new();
    let router = edge.router().with("frontend_idle_timeout", "300ms").start();
    for begun in ["P", "PRI * HTTP/2.0\r\n"] {
        let mut client = router.client();
        client.send(begun);
        assert!(matches!(client.end(), End::Closed | End::Reset), "{begun}");
    }
}

#[test]
fn prior_knowledge_counts_only_where_that_is_enabled_and_leaves_http_1_alone() {
    let backend = Backend::saying("one");
    let router = before(&backend);
    assert_eq!(router.get("app.test", "/").text(), "one");
    assert_eq!(
        Http2Client::connect(router.port())
            .get("app.test", "/")
            .text(),
        "one"
    );
    // A method that begins as the preface does, in pieces.
    let mut client = router.client();
    client.send("PR");
    assert!(client.is_silent(Duration::from_millis(100)));
    client.send("OPFIND / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.response().status, 200);

    let edge = Edge::new();
    let router = edge
        .router()
        .with("enable_http2_prior_knowledge", false)
        .start();
    let mut client = router.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(client.response().status, 400);
}

#[test]
fn a_hundred_requests_share_a_connection_at_once_and_keep_their_answers() {
    const AT_ONCE: usize = 100;
    let together = Arc::new(Barrier::new(AT_ONCE));
    let backend = Backend::scripted(move |peer| {
        let request = peer.request()?;
        // No answer before all are there.
        together.wait();
        peer.send(ok(request.target()))
    });
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    let mut open: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let target = format!("/{number}");
            let head = request("GET", "app.test", &target, &[]);
            (target, client.open(head, true).expect("a stream"))
        })
        .collect();
    for (target, conversation) in open.iter_mut().rev() {
        assert_eq!(conversation.answer().text(), *target);
    }
    let clients: BTreeSet<String> = router
        .access_log()
        .wait_for(AT_ONCE)
        .into_iter()
        .map(|line| line.client)
        .collect();
    assert_eq!(clients.len(), 1, "{clients:?}");
}

#[test]
fn cookies_in_pieces_and_other_fields_reach_a_backend_as_it_knows_them() {
    let backend = Backend::saying("one");
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    let fields = [
        ("cookie", "a=1"),
        ("x-twice", "one"),
        ("cookie", "b=2; c=3"),
        ("x-twice", "two"),
        ("cookie", "d=4"),
        ("te", "trailers"),
        ("user-agent", "tests"),
        ("x_under_score", "kept"),
    ];
    assert_eq!(
        client.ask(request("GET", "app.test", "/", &fields)).status,
        200
    );
    let seen = backend.request();
    let all = |name| seen.headers.all(name).collect::<Vec<_>>();
    assert_eq!(all("Cookie"), ["a=1; b=2; c=3; d=4"]);
    assert_eq!(all("X-Twice"), ["one", "two"]);
    assert_eq!(all("X_Under_Score"), ["kept"]);
    assert_eq!(all("Host"), ["app.test"]);
    let names: Vec<&str> = seen.headers.iter().map(|field| field.0.as_str()).collect();
    assert!(names.contains(&"User-Agent"), "{names:?}");
    assert_eq!(router.access_log().line().user_agent, "tests");
}

//
#[test]
fn errors_of_the_router_are_told_over_http_2_too() {
    let backend = Backend::saying("one");
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    let answer = client.get("unknown.test", "/");
    assert_eq!(
        (answer.status, answer.header("x-cf-routererror")),
        (404, Some("unknown_route"))
    );
    assert_eq!(answer.header("connection"), None);
    assert!(answer.text().contains("unknown.test"), "{}", answer.text());
    // Others on the connection are not touched, a body that is not read does no harm.
    let mut posted = client
        .open(request("POST", "unknown.test", "/", &[]), false)
        .expect("a stream");
    posted
        .up
        .send_within(vec![b'x'; 100_000], Duration::from_millis(100));
    assert_eq!(posted.answer().status, 404);
    assert_eq!(client.get("app.test", "/").text(), "one");
    let lines = router.access_log().wait_for(3);
    assert_eq!(lines[0].request, "GET / HTTP/2.0");
    assert_eq!(lines[0].field("x_cf_routererror"), "unknown_route");
    // CONNECT is refused as in HTTP/1.1.
    let head = http::Request::builder()
        .method("CONNECT")
        .uri("app.test:443")
        .body(())
        .expect("a request");
    assert!(client.ask(head).status >= 400);
}

#[test]
fn a_body_whose_end_comes_late_is_a_whole_body() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Backend::scripted(move |peer| {
        let request = peer.request()?;
        held.wait();
        peer.send(ok(&request.text()))
    });
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    let head = request("POST", "app.test", "/", &[("content-length", "5")]);
    let mut conversation = client.open(head, false).expect("a stream");
    conversation.up.send("whole").expect("room");
    backend.wait_for_requests(1);
    conversation.up.end().expect("room");
    // The router has seen the end when it has answered what comes behind it.
    assert_eq!(client.get("unknown.test", "/").status, 404);
    gate.open();
    assert_eq!(conversation.answer().text(), "whole");
}

#[test]
fn where_a_client_comes_from_is_told_and_sessions_stick() {
    let sticky = || {
        Backend::answering(
            |_| "HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=1\r\nContent-Length: 0\r\n\r\n",
        )
    };
    let (one, two) = (sticky(), sticky());
    let router = before(&one);
    router.register(&Registration::of("app.test", &two));
    let mut client = Http2Client::connect(router.port());
    let forwarded = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = client.ask(request("GET", "app.test", "/", &forwarded));
    let cookies: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .filter(|cookie| !cookie.ends_with('='))
        .collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let chosen = if one.requests().is_empty() {
        &two
    } else {
        &one
    };
    let seen = chosen.request();
    assert_eq!(
        seen.header("X-Forwarded-For"),
        Some("203.0.113.7, 127.0.0.1")
    );
    assert_eq!(seen.header("X-Forwarded-Proto"), Some("https"));
    let fields: Vec<(&str, &str)> = cookies.iter().map(|cookie| ("cookie", *cookie)).collect();
    for _ in 0..5 {
        assert_eq!(
            client.ask(request("GET", "app.test", "/", &fields)).status,
            200
        );
    }
    assert_eq!(chosen.requests().len(), 6);
}

#[test]
fn a_head_that_is_too_large_is_answered_431_and_the_connection_goes_on() {
    let backend = Backend::saying("one");
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    assert_eq!(client.get("app.test", "/").status, 200);
    let within = "x".repeat(100 * 1024);
    let head = request("GET", "app.test", "/", &[("x-large", &within)]);
    assert_eq!(client.ask(head).status, 200);
    let beyond = "x".repeat(300 * 1024);
    let head = request("GET", "app.test", "/", &[("x-large", &beyond)]);
    assert_eq!(client.ask(head).status, 431);
    assert_eq!(client.get("app.test", "/").text(), "one");
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn an_answer_with_very_many_fields_passes_or_is_a_502() {
    let backend = Backend::answering(|request| {
        let count = request.target()[1..].parse().unwrap_or(0);
        let lines: String = (0..count)
            .map(|number| format!("x{number}: 1\r\n"))
            .collect();
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n")
    });
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    for (target, status) in [("/2000", 200), ("/30000", 502), ("/70000", 502)] {
        assert_eq!(client.get("app.test", target).status, status, "{target}");
    }
    assert_eq!(client.get("app.test", "/10").status, 200);
}

//
#[test]
fn a_route_service_stands_before_a_client_of_http_2_too() {
    let app = Backend::saying("app");
    let edge = Edge::new();
    let service = Backend::answering(|request| {
        assert!(
            request.header("X-CF-Forwarded-Url").is_some(),
            "{request:?}"
        );
        ok("service")
    });
    let front = cloverleaf_tests::TlsFront::before(
        &service,
        &edge.authority.identity(&["localhost", "127.0.0.1"]),
    );
    let router = edge
        .router()
        .with(
            "route_services_secret",
            "a secret of 32 bytes, more or less",
        )
        .start();
    let url = format!("https://localhost:{}/", front.port());
    router.register(&Registration::of("app.test", &app).with("route_service_url", url));
    let mut client = Http2Client::connect(router.port());
    assert_eq!(client.get("app.test", "/path").text(), "service");
    let forwarded = service.request();
    assert_eq!(
        forwarded.header("X-CF-Forwarded-Url"),
        Some("http://app.test/path")
    );
    // The way back comes in HTTP/2 as well.
    let fields: Vec<(&str, &str)> = [
        "X-CF-Forwarded-Url",
        "X-CF-Proxy-Signature",
        "X-CF-Proxy-Metadata",
    ]
    .into_iter()
    .filter_map(|name| Some((name, forwarded.header(name)?)))
    .collect();
    let back = client.ask(request("GET", "app.test", "/path", &fields));
    assert_eq!(back.text(), "app");
}

#[test]
fn a_drain_lets_streams_finish_and_takes_no_more() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Backend::answering(move |request| {
        if request.target() == "/held" {
            held.wait();
        }
        ok("one")
    });
    let edge = Edge::new();
    let mut router = edge.router().with("drain_wait", "0s").start();
    router.register(&Registration::of("app.test", &backend));
    let (mut idle, mut busy) = (
        Http2Client::connect(router.port()),
        Http2Client::connect(router.port()),
    );
    assert_eq!(idle.get("app.test", "/").status, 200);
    let mut slow = busy
        .open(request("GET", "app.test", "/held", &[]), true)
        .expect("a stream");
    backend.wait_for_requests(2);
    router.process().signal(Signal::USR1);
    router.wait_for_event("gorouter-draining");
    assert_eq!(idle.ended(), Ok(()), "an idle connection ends in order");
    eventually("no more streams", || {
        busy.open(request("GET", "app.test", "/", &[]), true)
            .is_err()
            .then_some(())
    });
    gate.open();
    let answer = slow.answer();
    assert_eq!((answer.text().as_str(), answer.ended), ("one", Ok(())));
    assert_eq!(router.process().wait().code(), Some(0));
}

#[test]
fn a_client_that_is_not_there_any_more_does_not_hold_a_drain_up() {
    let backend = Backend::saying("one");
    let edge = Edge::new();
    let mut router = edge.router().with("drain_timeout", "60s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut gone = FrameClient::connect(router.port());
    gone.get(1, "/");
    assert_eq!(gone.outcome(1), Outcome::Answer(200));
    // From here on it reads nothing, and so does not answer to the ping that the end begins with.
    router.process().signal(Signal::USR1);
    let ended = router.process().wait_for(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0));
    assert!(
        router
            .log()
            .with_message("router.drain.timed-out")
            .is_empty()
    );
}

#[test]
fn an_idle_connection_ends_in_order_when_its_time_is_over() {
    let edge = Edge::new();
    let backend = Backend::saying("one");
    let router = edge
        .router()
        .with("frontend_idle_timeout", "1s")
        .with("read_header_timeout", "1s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = Http2Client::connect(router.port());
    assert_eq!(client.get("app.test", "/").status, 200);
    let began = Instant::now();
    assert_eq!(client.ended(), Ok(()));
    assert!(began.elapsed() > Duration::from_millis(500) && began.elapsed() < LIMIT);
    // A connection on which nothing ever comes ends as well.
    let mut silent = router.client();
    silent.send("PRI * HTTP/2.0\r\n\r\nSM");
    assert_ne!(silent.wire().rest().1, End::Silent);
}

//
#[test]
fn clients_of_each_version_have_a_time_limit_of_their_own() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.wire().more()
    });
    let edge = Edge::new();
    let router = edge
        .router()
        .with("endpoint_timeout", "15s")
        .with("http_1_endpoint_timeout", "3s")
        .with("http_2_endpoint_timeout", "500ms")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let began = Instant::now();
    let answer = Http2Client::connect(router.port()).get("app.test", "/");
    assert_eq!(answer.status, 502);
    let taken = began.elapsed();
    assert!(
        taken > Duration::from_millis(400) && taken < Duration::from_millis(2500),
        "{taken:?}"
    );
    assert_eq!(client.response().status, 502);
    let taken = began.elapsed();
    assert!(
        taken > Duration::from_millis(2500) && taken < Duration::from_secs(10),
        "{taken:?}"
    );
}

//
#[test]
fn without_a_limit_of_its_own_each_version_has_that_for_all() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.wire().more()
    });
    let edge = Edge::new();
    let router = edge.router().with("endpoint_timeout", "500ms").start();
    router.register(&Registration::of("app.test", &backend));
    let began = Instant::now();
    assert_eq!(
        Http2Client::connect(router.port())
            .get("app.test", "/")
            .status,
        502
    );
    assert_eq!(router.get("app.test", "/").status, 502);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_client_that_is_cut_off_leaves_no_request_behind() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.wire().more()
    });
    let router = before(&backend);
    let mut client = Http2Client::connect(router.port());
    let mut open: Vec<_> = (0..20)
        .map(|_| {
            let head = request("GET", "app.test", "/", &[]);
            client.open(head, true).expect("a stream")
        })
        .collect();
    backend.wait_for_requests(20);
    client.cut();
    eventually("all of them to end", || {
        (backend.ended_connections() == 20).then_some(())
    });
    assert!(
        router
            .access_log()
            .wait_for(20)
            .iter()
            .all(|line| line.status == "499")
    );
    assert!(matches!(open[0].head(), Err(Broken::Lost)));
}
