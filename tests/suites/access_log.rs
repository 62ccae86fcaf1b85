//! One line for each request.

use cloverleaf_tests::{Backend, Registration, Router, ok};
use serde_json::json;

const FIELDS: [&str; 9] = [
    "x_forwarded_for",
    "x_forwarded_proto",
    "vcap_request_id",
    "response_time",
    "gorouter_time",
    "app_id",
    "app_index",
    "instance_id",
    "x_cf_routererror",
];

/// Seconds with six decimals.
pub fn is_time(value: &str) -> bool {
    value.split_once('.').is_some_and(|(whole, part)| {
        !whole.is_empty()
            && part.len() == 6
            && value
                .bytes()
                .all(|byte| byte == b'.' || byte.is_ascii_digit())
    })
}

// covers: R-280
#[test]
fn a_proxied_request_leaves_a_full_line() {
    let (router, backend) = (Router::start(), Backend::saying("four"));
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(
        "POST /a?b=c HTTP/1.1\r\nHost: app.test:8080\r\nReferer: http://r\r\nUser-Agent: a\"b\\c\r\n\
         X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert_eq!(client.response().text(), "four");

    let line = router.access_log().line();
    assert_eq!(line.host, "app.test:8080");
    let mut time = line.received.bytes();
    assert!(
        "dddd-dd-ddTdd:dd:dd.dddddddddZ"
            .bytes()
            .all(|form| match (form, time.next()) {
                (b'd', byte) => byte.is_some_and(|byte| byte.is_ascii_digit()),
                (form, byte) => byte == Some(form),
            }),
        "{}",
        line.received
    );
    assert_eq!(line.request, "POST /a?b=c HTTP/1.1");
    assert_eq!(
        (
            line.status.as_str(),
            line.request_bytes.as_str(),
            line.response_bytes.as_str()
        ),
        ("200", "3", "4")
    );
    assert_eq!(
        (line.referer.as_str(), line.user_agent.as_str()),
        ("http://r", r#"a\"b\\c"#)
    );
    assert_eq!(line.client, client.address().to_string());
    assert_eq!(line.endpoint, backend.address());
    assert_eq!(line.names(), FIELDS);
    assert_eq!(line.field("x_forwarded_for"), "1.2.3.4, 127.0.0.1");
    assert_eq!(line.field("x_forwarded_proto"), "https");
    assert_eq!(
        Some(line.field("vcap_request_id")),
        backend.request().header("X-Vcap-Request-Id")
    );
    assert!(
        is_time(line.field("response_time")) && is_time(line.field("gorouter_time")),
        "{}",
        line.text
    );
    assert_eq!(line.field("app_id"), "0b8e5c0e-1111-2222-3333-444455556666");
    assert_eq!(line.field("app_index"), "0");
    assert_eq!(
        line.field("instance_id"),
        format!("instance-{}", backend.port())
    );
    assert_eq!(line.field("x_cf_routererror"), "-");
}

// covers: R-280
#[test]
fn an_answer_of_the_routers_own_leaves_a_line_with_the_unknown_left_out() {
    let router = Router::start();
    let body = router.get("unknown.test", "/x").text();
    let line = router.access_log().line();
    assert_eq!(
        (
            line.status.as_str(),
            line.endpoint.as_str(),
            line.referer.as_str()
        ),
        ("404", "-", "-")
    );
    assert_eq!(line.response_bytes, body.len().to_string());
    assert_eq!(line.names(), FIELDS);
    assert_eq!(
        (line.field("app_id"), line.field("instance_id")),
        ("-", "-")
    );
    assert_eq!(line.field("gorouter_time"), "0.000000");
    assert_eq!(line.field("x_cf_routererror"), "unknown_route");
}

// covers: R-281
#[test]
fn what_tells_who_the_client_is_can_be_left_out() {
    let (backend, logging) = (
        Backend::saying("here"),
        ["disable_log_forwarded_for", "disable_log_source_ip"],
    );
    let router = logging
        .iter()
        .fold(Router::builder(), |start, key| {
            start.with(&format!("logging.{key}"), true)
        })
        .start();
    router.register(&Registration::of("app.test", &backend));
    router.get("app.test", "/");
    let line = router.access_log().line();
    assert_eq!(
        (line.client.as_str(), line.field("x_forwarded_for")),
        ("-", "-")
    );
    assert_eq!(
        backend.request().header("X-Forwarded-For"),
        Some("127.0.0.1"),
        "the backend is told all the same"
    );
}

// covers: R-282
#[test]
fn queries_of_get_requests_are_redacted_as_configured() {
    let hashed = "/p?hash=9c9042adbe045596c2299990920eaa18536d66a1";
    for (mode, logged) in [("none", "/p?query=value"), ("all", "/p"), ("hash", hashed)] {
        let (router, backend) = (
            Router::builder()
                .with("logging.redact_query_params", mode)
                .start(),
            Backend::saying("here"),
        );
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        assert_eq!(client.get("app.test", "/p?query=value").status, 200);
        client.send("DELETE /p?query=value HTTP/1.1\r\nHost: app.test\r\n\r\n");
        assert_eq!(client.response().status, 200);
        let lines = router.access_log().wait_for(2);
        assert_eq!(lines[0].request, format!("GET {logged} HTTP/1.1"), "{mode}");
        assert_eq!(lines[1].request, "DELETE /p?query=value HTTP/1.1", "{mode}");
        assert!(
            backend
                .requests()
                .iter()
                .all(|request| request.target() == "/p?query=value")
        );
    }
}

// covers: R-149
#[test]
fn a_semicolon_in_the_target_is_logged_unless_something_worse_is() {
    let backend = Backend::answering(|request| match request.target() {
        "/own;" => "HTTP/1.1 200 OK\r\nX-Cf-RouterError: mine\r\nContent-Length: 0\r\n\r\n",
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    });
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    for (host, target) in [
        ("app.test", "/?a=1;b=2"),
        ("app.test", "/own;"),
        ("unknown.test", "/?;"),
        ("app.test", "/?a=1&b=2"),
    ] {
        let answer = client.get(host, target);
        assert_ne!(
            answer.header("X-Cf-RouterError"),
            Some("deprecated-semicolon-params"),
            "the client is not told"
        );
    }
    let lines = router.access_log().wait_for(4);
    let logged: Vec<&str> = lines
        .iter()
        .map(|line| line.field("x_cf_routererror"))
        .collect();
    assert_eq!(
        logged,
        ["deprecated-semicolon-params", "mine", "unknown_route", "-"]
    );
    let events = router.log().with_message("deprecated-semicolon-params");
    let warned: Vec<_> = events
        .iter()
        .map(|event| event.data("vcap_request_id"))
        .collect();
    let ids: Vec<_> = lines[..3]
        .iter()
        .map(|line| line.field("vcap_request_id"))
        .collect();
    assert_eq!(warned, ids);
    assert!(events.iter().all(|event| event.level() == 2));
}

// covers: R-283
#[test]
fn extra_headers_are_logged_in_order() {
    let extra = json!(["Cache-Control", "X-Mine", "Accept-Encoding"]);
    let (router, backend) = (
        Router::builder()
            .with("extra_headers_to_log", extra)
            .start(),
        Backend::saying("here"),
    );
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Mine: one\r\nX-Mine: two\r\nCache-Control: no-cache\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let line = router.access_log().line();
    assert_eq!(
        line.names()[FIELDS.len()..],
        ["cache_control", "x_mine", "accept_encoding"]
    );
    let values =
        ["cache_control", "x_mine", "accept_encoding"].map(|name| line.field(name).to_owned());
    assert_eq!(values, ["no-cache", "one", "-"]);
}

// covers: R-281
#[test]
fn what_tells_who_the_client_is_can_be_left_out_for_websockets_too() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
    });
    let router = Router::builder()
        .with("logging.disable_log_forwarded_for", true)
        .with("logging.disable_log_source_ip", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.head().status, 101);
    let line = router.access_log().line();
    assert_eq!(
        (
            line.status.as_str(),
            line.client.as_str(),
            line.field("x_forwarded_for")
        ),
        ("101", "-", "-")
    );
}

// covers: R-354
#[test]
fn a_client_that_leaves_during_the_body_is_logged_with_what_it_got() {
    let backend = Backend::scripted(|peer| {
        let request = peer.request()?;
        let (error, length) = match request.target() {
            "/own" => ("X-Cf-RouterError: mine\r\n", "Content-Length: 9\r\n"),
            "/chunks" => ("", "Transfer-Encoding: chunked\r\n"),
            _ => ("", "Content-Length: 9\r\n"),
        };
        let begin = match request.target() {
            "/chunks" => "4\r\nhalf\r\n",
            _ => "half",
        };
        peer.send(format!("HTTP/1.1 200 OK\r\n{error}{length}\r\n{begin}"))?;
        // Until the router gives up, too.
        peer.wire().more()
    });
    let name = "client-conn-closed-during-response-streaming";
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    for (number, (target, logged, total)) in
        [("/", name, 9), ("/chunks", name, -1), ("/own", "mine", 9)]
            .into_iter()
            .enumerate()
    {
        let mut client = router.client();
        client.send(format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
        client.wire().until(b"half").expect("the first half");
        drop(client);
        let lines = router.access_log().wait_for(number + 1);
        let line = lines.last().expect("a line");
        assert_eq!(
            (line.status.as_str(), line.response_bytes.as_str()),
            ("200", "4")
        );
        assert_eq!(line.field("x_cf_routererror"), logged);
        let event = cloverleaf_tests::eventually("the event", || {
            router.log().with_message(name).into_iter().nth(number)
        });
        assert_eq!(event.level(), 3);
        assert_eq!(event.data("bytes_written"), 4);
        assert_eq!(event.data("total_size"), total);
        assert_eq!(event.data("status"), 200);
        assert_eq!(event.data("vcap_request_id"), line.field("vcap_request_id"));
    }
}

// covers: R-354
#[test]
fn a_backend_that_breaks_off_is_not_taken_for_a_client_that_left() {
    let (router, backend) = (
        Router::start(),
        Backend::scripted(|peer| {
            peer.request()?;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        }),
    );
    router.register(&Registration::of("app.test", &backend));
    assert!(!router.get("app.test", "/").is_complete());
    assert_eq!(router.access_log().line().field("x_cf_routererror"), "-");
}

// covers: R-286
#[test]
fn the_time_of_a_slow_body_is_not_the_routers() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")?;
        // Nothing comes from the router: this is a wait of a quarter of a second.
        peer.wire()
            .more_within(std::time::Duration::from_millis(250))
            .ok();
        peer.send("lf")
    });
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").text(), "half");
    let line = router.access_log().line();
    let seconds = |name: &str| {
        line.field(name)
            .parse::<f64>()
            .expect("a number of seconds")
    };
    assert!(seconds("response_time") >= 0.25, "{}", line.text);
    assert!(seconds("gorouter_time") < 0.2, "{}", line.text);
}

#[test]
fn lines_of_many_clients_are_never_mixed_nor_lost() {
    const CLIENTS: usize = 16;
    const REQUESTS: usize = 50;
    let (router, backend) = (
        Router::builder().with("go_max_procs", 4).start(),
        Backend::answering(|_| ok("here")),
    );
    router.register(&Registration::of("app.test", &backend));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let router = &router;
            scope.spawn(move || {
                let mut connection = router.client();
                for request in 0..REQUESTS {
                    assert_eq!(
                        connection
                            .get("app.test", &format!("/{client}/{request}"))
                            .status,
                        200
                    );
                }
            });
        }
    });
    let lines = router.access_log().wait_for(CLIENTS * REQUESTS);
    let mut requests: Vec<_> = lines.iter().map(|line| line.request.clone()).collect();
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), CLIENTS * REQUESTS);
}
