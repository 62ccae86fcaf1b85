//! The PROXY protocol: a load balancer says whose connection it passes on.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_tests::{
    Authority, Backend, Client, End, Gate, Port, Registration, Response, Router, Start, TlsClient,
    eventually, ok,
};
use rustix::process::Signal;
use serde_json::json;

const LINE: &str = "PROXY TCP4 203.0.113.7 192.0.2.1 5555 80\r\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// 203.0.113.7:5555 to 192.0.2.1:80, in version 2.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\x15\xb3\0\x50";
/// A sender that speaks for itself, in version 2.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn proxied() -> Start {
    Router::builder().with("enable_proxy", true)
}

/// A router with an application, and the backend that serves it.
fn serving(start: Start) -> (Router, Backend) {
    let (router, backend) = (start.start(), Backend::saying("ok"));
    router.register(&Registration::of("app.test", &backend));
    (router, backend)
}

/// The client that the latest request at the backend was said to come from.
fn forwarded_for(backend: &Backend) -> String {
    let requests = backend.requests();
    let latest = requests.last().expect("a request came");
    latest.header("X-Forwarded-For").unwrap_or_default().into()
}

fn ask(client: &mut Client, before: impl AsRef<[u8]>) -> Response {
    client.send([before.as_ref(), REQUEST.as_bytes()].concat());
    client.response()
}

//
#[test]
fn a_header_of_either_version_names_the_client_for_all_requests_behind_it() {
    let (router, backend) = serving(proxied());
    for header in [LINE.as_bytes(), BINARY] {
        let mut client = router.client();
        assert_eq!(ask(&mut client, header).status, 200);
        assert_eq!(ask(&mut client, "").status, 200);
        assert_eq!(forwarded_for(&backend), "203.0.113.7");
    }
    let mut client = router.client();
    assert_eq!(
        ask(&mut client, "PROXY TCP6 2001:db8::7 ::1 5555 80\r\n").status,
        200
    );
    assert_eq!(forwarded_for(&backend), "2001:db8::7");
    let lines = router.access_log().wait_for(5);
    assert!(
        lines.iter().any(|line| line.client == "203.0.113.7:5555"),
        "{lines:?}"
    );
}

//
#[test]
fn without_a_header_the_peer_is_the_client_and_nothing_of_the_request_is_lost() {
    let (router, backend) = serving(proxied());
    assert_eq!(ask(&mut router.client(), "").status, 200);
    assert_eq!(forwarded_for(&backend), "127.0.0.1");
    // The first letter could be a header's.
    let mut client = router.client();
    client.send("P");
    assert!(client.is_silent(Duration::from_millis(150)));
    client.send("UT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(client.response().status, 200);
    let requests = backend.requests();
    let request = requests.last().expect("a request came");
    assert_eq!((request.method(), request.text().as_str()), ("PUT", "hi"));
    // A sender's own health check, in version 2.
    assert_eq!(ask(&mut router.client(), LOCAL).status, 200);
    assert_eq!(forwarded_for(&backend), "127.0.0.1");
}

//
#[test]
fn a_header_that_does_not_name_a_client_closes_the_connection() {
    let (router, backend) = serving(proxied());
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"PROXY TCP4 nonsense 192.0.2.1 5555 80\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 80 \r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xcb\0\x71\x07\xc0\0\x02\x01\x15\xb3\0\x50",
    ] {
        let mut client = router.client();
        client.send([header, REQUEST.as_bytes()].concat());
        let end = client.end();
        assert!(matches!(end, End::Closed | End::Reset), "{end:?}");
    }
    assert_eq!(backend.requests().len(), 0);
    eventually("each refusal to be in the log", || {
        let refused = router.log().with_message("proxy-protocol-refused");
        (refused.len() == 4).then_some(())
    });
}

#[test]
fn a_header_may_come_in_pieces_with_requests_and_bodies_right_behind_it() {
    let (router, backend) = serving(proxied());
    let behind =
        format!("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc{REQUEST}");
    for header in [LINE.as_bytes(), BINARY] {
        let before = backend.requests().len();
        let mut client = router.client();
        let (last, first) = header.split_last().expect("bytes");
        for byte in first {
            client.send([*byte]);
        }
        client.send([&[*last], behind.as_bytes()].concat());
        assert_eq!(
            (client.response().status, client.response().status),
            (200, 200)
        );
        let requests = backend.requests();
        assert_eq!(requests[before].text(), "abc");
        assert_eq!(
            requests[before + 1].header("X-Forwarded-For"),
            Some("203.0.113.7")
        );
    }
}

#[test]
fn a_header_that_does_not_end_closes_the_connection_after_the_header_time() {
    let (router, _backend) = serving(proxied().with("read_header_timeout", "200ms"));
    for header in [&LINE.as_bytes()[..20], &BINARY[..20]] {
        let mut client = router.client();
        client.send(header);
        assert_eq!(client.end(), End::Closed);
    }
    // Only one that has begun: until then it is a client like others.
    let mut client = router.client();
    assert!(client.is_silent(Duration::from_millis(500)));
    assert_eq!(ask(&mut client, LINE).status, 200);
}

#[test]
fn a_slow_client_whose_first_letters_are_those_of_a_header_is_served() {
    let (router, backend) = serving(proxied().with("read_header_timeout", "2s"));
    let mut client = router.client();
    client.send("P");
    assert!(client.is_silent(Duration::from_millis(2_400)));
    client.send("OST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(backend.request().method(), "POST");
}

#[test]
fn without_the_option_a_header_is_no_request() {
    let (router, backend) = serving(Router::builder());
    for header in [LINE.as_bytes(), BINARY] {
        let answer = ask(&mut router.client(), header);
        assert_eq!(answer.status, 400);
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn where_a_header_is_required_a_connection_without_one_is_closed() {
    let start = proxied()
        .with("proxy_protocol", json!({ "required": true }))
        .with("read_header_timeout", "1s");
    let (router, backend) = serving(start);
    let mut client = router.client();
    client.send(REQUEST);
    let end = client.end();
    assert!(matches!(end, End::Closed | End::Reset), "{end:?}");
    // Nor is one waited for that says nothing.
    assert_eq!(router.client().end(), End::Closed);
    assert_eq!(backend.requests().len(), 0);
    assert_eq!(ask(&mut router.client(), LINE).status, 200);
    assert_eq!(ask(&mut router.client(), LOCAL).status, 200);
}

#[test]
fn headers_count_from_trusted_networks_only() {
    let trusting = |networks: &[&str], required: bool| {
        let keys = json!({ "required": required, "trusted": networks });
        serving(proxied().with("proxy_protocol", keys))
    };
    let (router, backend) = trusting(&["10.0.0.0/8", "127.0.0.0/8"], true);
    assert_eq!(ask(&mut router.client(), LINE).status, 200);
    assert_eq!(forwarded_for(&backend), "203.0.113.7");

    let (router, backend) = trusting(&["10.0.0.0/8"], false);
    assert_eq!(ask(&mut router.client(), "").status, 200);
    assert_eq!(forwarded_for(&backend), "127.0.0.1");
    assert_eq!(ask(&mut router.client(), LINE).status, 400);

    let (router, backend) = trusting(&["10.0.0.0/8"], true);
    for before in ["", LINE] {
        let mut client = router.client();
        client.send(format!("{before}{REQUEST}"));
        let end = client.end();
        assert!(matches!(end, End::Closed | End::Reset), "{end:?}");
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_drain_does_not_wait_for_connections_that_have_said_nothing() {
    let mut router = proxied().start();
    let gate = Arc::new(Gate::default());
    let backend = {
        let gate = Arc::clone(&gate);
        Backend::answering(move |_| {
            gate.wait();
            ok("late")
        })
    };
    router.register(&Registration::of("app.test", &backend));
    let (mut silent, mut busy) = (router.client(), router.client());
    busy.send(format!("{LINE}{REQUEST}"));
    backend.wait_for_requests(1);
    router.process().signal(Signal::USR1);
    assert_eq!(silent.end(), End::Closed);
    gate.open();
    assert_eq!(busy.response().text(), "late");
}

#[test]
fn where_a_header_is_required_nothing_is_said_over_tls_without_one_or_from_elsewhere() {
    let (authority, port) = (Authority::new("edge authority"), Port::reserve());
    let refused = |client: std::io::Result<TlsClient>| {
        let error = client.map(drop).expect_err("no handshake").to_string();
        assert!(!error.contains("alert"), "not a word of TLS: {error}");
    };
    for (networks, is_trusted) in [
        (json!(["127.0.0.0/8"]), true),
        (json!(["10.0.0.0/8"]), false),
    ] {
        let keys = json!({ "required": true, "trusted": networks });
        let start = over_tls(&authority, &port)
            .with("read_header_timeout", "1s")
            .with("proxy_protocol", keys);
        let (router, backend) = serving(start);
        let connect = |header: &[u8]| {
            let config = authority.anonymous_client_config(&[]);
            TlsClient::connect_behind(header, port.number(), config)
        };
        refused(connect(b""));
        let mut silent = Client::connect(port.number());
        assert!(matches!(silent.end(), End::Closed | End::Reset));
        for header in [LINE.as_bytes(), BINARY] {
            let client = connect(header);
            if !is_trusted {
                refused(client);
                continue;
            }
            let answer = client.expect("a TLS connection").ask(REQUEST);
            let (head, _) = answer.expect("an answer");
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert_eq!(forwarded_for(&backend), "203.0.113.7");
        }
        let served = if is_trusted { 2 } else { 0 };
        assert_eq!(backend.requests().len(), served);
        drop(router);
    }
}

/// A router that listens over TLS as well.
fn over_tls(authority: &Authority, port: &Port) -> Start {
    let identity = authority.identity(&["127.0.0.1"]);
    let pem = json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]);
    proxied()
        .with("enable_ssl", true)
        .with("ssl_port", port.number())
        .with("client_cert_validation", "none")
        .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
        .with("tls_pem", pem)
}

//
#[test]
fn a_header_comes_before_the_handshake_and_leaves_the_scheme_alone() {
    let (authority, port) = (Authority::new("edge authority"), Port::reserve());
    let (router, backend) = serving(over_tls(&authority, &port));
    let connect = |header: &[u8]| {
        let config = authority.anonymous_client_config(&[]);
        TlsClient::connect_behind(header, port.number(), config)
    };
    for (header, client) in [
        (LINE.as_bytes(), "203.0.113.7"),
        (BINARY, "203.0.113.7"),
        (b"", "127.0.0.1"),
    ] {
        let mut connection = connect(header).expect("a TLS connection");
        let (head, _) = connection.ask(REQUEST).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(forwarded_for(&backend), client);
        let requests = backend.requests();
        let latest = requests.last().expect("a request came");
        assert_eq!(latest.header("X-Forwarded-Proto"), Some("https"));
    }
    assert!(connect(b"PROXY UNKNOWN\r\n").is_err());
    let lines = router.access_log().wait_for(3);
    assert_eq!(lines[0].client, "203.0.113.7:5555");
}
