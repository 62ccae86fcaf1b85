//! Services that are routes of the same router.

use std::sync::Arc;

use cloverleaf_tests::{
    Authority, Backend, End, Gate, Port, Registration, Router, Start, TlsClient, eventually, ok,
};
use rustix::process::Signal;
use serde_json::json;

use super::{SECRET, SWITCHING, UPGRADE, ask, headers_of, sees_none};

/// A router where `rs.route.test` is a route, and the service of `app.test`.
struct Inside {
    router: Router,
    app: Backend,
    service: Backend,
}

impl Inside {
    fn with(start: Start, service: Backend) -> Inside {
        let router = start.start();
        let app = Backend::saying("app");
        router.register(&Registration::of("rs.route.test", &service));
        let registration = Registration::of("app.test", &app);
        router.register(&registration.with("route_service_url", "https://rs.route.test/check?x=1"));
        Inside {
            router,
            app,
            service,
        }
    }
}

fn hairpinning() -> Start {
    Router::builder()
        .with("route_services_secret", SECRET)
        .with("route_services_hairpinning", true)
}

//
#[test]
fn a_service_that_is_a_route_here_is_reached_without_leaving() {
    // What lies inside is not looked up, so that no list matters.
    let start = hairpinning().with(
        "route_services",
        json!({ "egress_blocklist": ["0.0.0.0/0", "::/0"] }),
    );
    let inside = Inside::with(start, Backend::saying("checked"));
    let router = &inside.router;
    let mut client = router.client();
    client.send(
        "POST /p HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Proto: https\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert_eq!(client.response().text(), "checked");
    let asked = inside.service.request();
    assert_eq!(asked.line, "POST /check?x=1 HTTP/1.1");
    assert_eq!(
        (asked.header("Host"), &*asked.text()),
        (Some("rs.route.test"), "hello")
    );
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("http://app.test/p")
    );
    assert_eq!(
        asked.header("X-Forwarded-For"),
        Some("127.0.0.1, 127.0.0.1")
    );
    assert_eq!(asked.header("X-Forwarded-Proto"), Some("https"));
    assert!(asked.header("X-CF-InstanceID").is_some());
    // A line for each time that the request passed.
    let lines = router.access_log().wait_for(2);
    assert_eq!(
        (&*lines[0].host, &*lines[0].endpoint),
        ("rs.route.test", &*inside.service.address())
    );
    assert_eq!((&*lines[1].host, &*lines[1].endpoint), ("app.test", "-"));
    assert_ne!(
        lines[0].field("vcap_request_id"),
        lines[1].field("vcap_request_id")
    );
    let back = ask(&mut client, "/p", &headers_of(&asked));
    assert_eq!(back.text(), "app");
    assert!(sees_none(&inside.app.request()));
}

//
#[test]
fn only_listed_routes_are_reached_without_leaving() {
    for (list, status) in [
        ("*.route.test", 200),
        ("RS.route.test", 200),
        ("*.test", 502),
        ("route.test", 502),
    ] {
        let start = hairpinning().with("route_services_hairpinning_allowlist", json!([list]));
        let inside = Inside::with(start, Backend::saying("checked"));
        let response = ask(&mut inside.router.client(), "/p", "");
        assert_eq!(response.status, status, "{list}");
        let reached = inside.service.requests().len();
        assert_eq!(reached, usize::from(status == 200), "{list}");
        if status == 502 {
            // It was looked for outside, where no such name is.
            let error = response.header("X-Cf-RouterError").unwrap_or_default();
            assert!(error.contains("rs.route.test"), "{error}");
        }
    }
}

#[test]
fn without_hairpinning_every_service_is_outside() {
    let start = Router::builder().with("route_services_secret", SECRET);
    let inside = Inside::with(start, Backend::saying("checked"));
    assert_eq!(ask(&mut inside.router.client(), "/p", "").status, 502);
    assert!(inside.service.requests().is_empty());
}

#[test]
fn bodies_and_upgrades_of_any_size_pass_a_service_inside() {
    let body = "0123456789abcdef".repeat(40_000);
    let echo = Backend::answering(|request| ok(&request.text()));
    let inside = Inside::with(hairpinning(), echo);
    let mut client = inside.router.client();
    client.send(format!(
        "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.response().text(), body);

    let chat = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let line = peer.wire().until(b"\n")?;
        peer.send(line)
    });
    let inside = Inside::with(hairpinning(), chat);
    let mut client = inside.router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client.send("ping\n");
    assert_eq!(client.wire().exactly(5), Ok(b"ping\n".to_vec()));
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_drain_waits_for_a_service_inside() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let service = Backend::answering(move |_| {
        held.wait();
        ok("checked")
    });
    let start = hairpinning().with("drain_timeout", "15s");
    let mut inside = Inside::with(start, service);
    let mut client = inside.router.client();
    client.send("GET /p HTTP/1.1\r\nHost: app.test\r\n\r\n");
    inside.service.wait_for_requests(1);
    inside.router.process().signal(Signal::USR1);
    eventually("no more connections", || {
        inside.router.refuses().then_some(())
    });
    gate.open();
    assert_eq!(client.response().text(), "checked");
    assert_eq!(inside.router.process().wait().code(), Some(0));
    assert_eq!(inside.router.access_log().lines().len(), 2);
}

//
#[test]
fn without_a_plain_listener_services_inside_are_reached_too() {
    let (authority, port) = (Authority::new("edge authority"), Port::reserve());
    let identity = authority.identity(&["127.0.0.1"]);
    let start = hairpinning()
        .with("disable_http", true)
        .with("enable_ssl", true)
        .with("ssl_port", port.number())
        .with("client_cert_validation", "none")
        .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
        .with(
            "tls_pem",
            json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
        );
    let inside = Inside::with(start, Backend::saying("checked"));
    let config = authority.anonymous_client_config(&[]);
    let mut client = TlsClient::connect(port.number(), config).expect("a TLS connection");
    client
        .send("GET /p HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let answer = client.exactly(15).expect("an answer");
    assert_eq!(answer, b"HTTP/1.1 200 OK");
    assert_eq!(
        inside.service.request().header("X-Forwarded-Proto"),
        Some("https")
    );
}
