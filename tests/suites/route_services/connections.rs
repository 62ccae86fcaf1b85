//! Who is connected to, and who is trusted.

use cloverleaf_tests::{Authority, RefusedPort, Registration, Router, Start, TlsFront};
use serde_json::json;

use super::{GOOD, SECRET, Town, ask};

//
#[test]
fn without_a_secret_a_route_with_a_service_serves_nobody() {
    let town = Town::new();
    let router = town.open(Router::builder());
    for lines in ["", GOOD] {
        let response = ask(&mut router.client(), "/p", lines);
        assert_eq!(response.status, 502);
        assert_eq!(
            response.header("X-Cf-RouterError"),
            Some("route_service_unsupported")
        );
        assert_eq!(
            response.text(),
            "502 Bad Gateway: Support for route services is disabled.\n"
        );
    }
    assert!(town.app.requests().is_empty() && town.front.connections() == 0);
    // Other routes are served as ever, whatever a client sends.
    router.register(&Registration::of("plain.test", &town.app));
    let mut client = router.client();
    client.send(format!("GET /p HTTP/1.1\r\nHost: plain.test\r\n{GOOD}\r\n"));
    assert_eq!(client.response().text(), "app");
}

//
#[test]
fn a_service_that_refuses_connections_is_tried_as_often_as_configured() {
    let (town, refused) = (Town::new(), RefusedPort::new());
    let router = town
        .router()
        .with("route_services", json!({ "max_attempts": 5 }))
        .start();
    let url = format!("https://localhost:{}/", refused.number());
    router.register(&Registration::of("app.test", &town.app).with("route_service_url", url));
    let response = router.get("app.test", "/");
    assert_eq!(response.status, 502);
    let error = response.header("X-Cf-RouterError").unwrap_or_default();
    assert!(
        error.starts_with("endpoint_failure (dial tcp localhost:"),
        "{error}"
    );
    router.wait_for_event("route-service-connection-failed");
    let failures = router.log().with_message("route-service-connection-failed");
    assert_eq!(failures.len(), 5);
    assert!(failures[4].text.contains("\"attempt\":5"), "{failures:?}");
    // The route's own endpoints have nothing to do with it.
    assert!(router.shows(&Registration::of("app.test", &town.app)));
    assert_eq!(router.access_log().line().field("app_id"), "-");
    assert!(town.app.requests().is_empty());
}

#[test]
fn what_stands_before_the_host_of_a_service_is_in_no_log() {
    let (town, refused) = (Town::new(), RefusedPort::new());
    let router = town.router().start();
    let mut client = router.client();
    for port in [town.front.port(), refused.number()] {
        let url = format!("https://user:unspeakable@localhost:{port}/elsewhere");
        let registration = Registration::of("app.test", &town.app);
        router.register(&registration.with("route_service_url", url));
        router.settle();
        ask(&mut client, "/", "");
    }
    router.wait_for_event("route-service-connection-failed");
    let events = router.log().events();
    assert!(
        events
            .iter()
            .any(|event| event.text.contains("//localhost:"))
    );
    let telling = events
        .iter()
        .find(|event| event.text.contains("unspeakable"));
    assert!(telling.is_none(), "{telling:?}");
}

//
#[test]
fn a_service_has_to_be_vouched_for_unless_that_is_switched_off() {
    let town = Town::new();
    let distrustful = Router::builder().with("route_services_secret", SECRET);
    let router = town.open(distrustful);
    let response = ask(&mut router.client(), "/", "");
    assert_eq!(response.status, 526);
    assert!(town.service.requests().is_empty());
    let trusting = Router::builder()
        .with("route_services_secret", SECRET)
        .with("skip_ssl_validation", true);
    let router = town.open(trusting);
    assert_eq!(ask(&mut router.client(), "/", "").text(), "checked");
}

#[test]
fn a_service_may_ask_for_the_certificate_that_is_configured_for_services() {
    let town = Town::new();
    let (guests, us) = (
        Authority::new("guests"),
        town.authority.identity(&["localhost"]),
    );
    let guarded = TlsFront::guarded(&guests, &town.service, &us);
    let identity = guests.identity(&["router.test"]);
    let router = town
        .router()
        .with(
            "route_services",
            json!({ "cert_chain": identity.certificate, "private_key": identity.key }),
        )
        .start();
    let url = format!("https://localhost:{}/", guarded.port());
    let registration = Registration::of("app.test", &town.app).with("route_service_url", url);
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").text(), "checked");
    let unknown = town.router().start();
    unknown.register(&registration);
    assert!([496, 525].contains(&unknown.get("app.test", "/").status));
}

//
#[test]
fn a_service_that_wants_a_higher_version_than_allowed_is_a_bad_gateway() {
    let town = Town::new();
    let identity = town.authority.identity(&["localhost"]);
    let modern = TlsFront::modern(&town.service, &identity);
    let url = format!("https://localhost:{}/", modern.port());
    let registration = Registration::of("app.test", &town.app).with("route_service_url", url);
    let router = town.router().start();
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").status, 502);
}

//
#[test]
fn a_blocked_address_is_not_connected_to_by_whatever_name() {
    let town = Town::new();
    let blocking = town.router().with(
        "route_services",
        json!({ "max_attempts": 2, "egress_blocklist": ["127.0.0.0/8", "::1/128"] }),
    );
    let router = town.open(blocking);
    for host in [
        "localhost",
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        // What the system connects to the loopback address.
        "0.0.0.0",
        "[::]",
    ] {
        let url = format!("https://{host}:{}/", town.front.port());
        let registration = Registration::of("app.test", &town.app);
        router.register(&registration.with("route_service_url", url));
        router.settle();
        let response = ask(&mut router.client(), "/", "");
        assert_eq!(response.status, 502, "{host}");
        let error = response.header("X-Cf-RouterError").unwrap_or_default();
        assert!(error.ends_with(" not allowed)"), "{error}");
    }
    assert_eq!(town.front.connections(), 0);
    // Backends are the operator's own matter.
    router.register(&Registration::of("plain.test", &town.app));
    assert_eq!(router.get("plain.test", "/").text(), "app");

    let open = town
        .router()
        .with("route_services", json!({ "egress_blocklist": [] }));
    let router = town.open(open);
    assert_eq!(ask(&mut router.client(), "/", "").text(), "checked");
}

//
#[test]
fn a_block_list_that_is_none_ends_the_start_and_is_named() {
    let config = "route_services: {egress_blocklist: [10.0.0.0/8, 10.0.0.0/33]}\n";
    let finished = Start::run(config, &["-c", "gorouter.yml"]);
    assert_eq!(finished.status.code(), Some(1));
    for part in ["route_services.egress_blocklist[1]", "10.0.0.0/33"] {
        assert!(finished.output.contains(part), "{}", finished.output);
    }
}
