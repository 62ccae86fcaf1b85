//! The way to a service and back.

use cloverleaf_tests::{Backend, End};
use serde_json::json;

use super::{HEADERS, SWITCHING, Town, UPGRADE, ask, headers_of, sees_none};

//
#[test]
fn a_request_goes_to_the_service_first_and_comes_back_with_its_signature() {
    let town = Town::new();
    let router = town.open(town.router());
    let mut client = router.client();
    client.send(
        "POST /p?q=%20&x=1;2 HTTP/1.1\r\nHost: app.test:8080\r\nX-CF-Proxy-Metadata: forged\r\n\
         X-CF-ApplicationID: forged\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello",
    );
    let response = client.response();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "checked")
    );
    assert!(town.app.requests().is_empty());
    let asked = town.service.request();
    assert_eq!(asked.line, "POST /check?by=rs HTTP/1.1");
    let host = format!("localhost:{}", town.front.port());
    assert_eq!(asked.header("Host"), Some(&*host));
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("http://app.test/p?q=%20&x=1;2")
    );
    assert_eq!(
        (asked.header("X-Own"), &*asked.text()),
        (Some("1"), "hello")
    );
    for name in HEADERS {
        assert_eq!(asked.headers.all(name).count(), 1, "{name}");
    }
    for name in [
        "X-CF-ApplicationID",
        "X-CF-InstanceID",
        "X-CF-InstanceIndex",
    ] {
        assert_eq!(asked.header(name), None, "{name}");
    }

    let back = ask(&mut router.client(), "/p", &headers_of(&asked));
    assert_eq!(back.text(), "app");
    let served = town.app.request();
    assert!(sees_none(&served), "{served:?}");
    assert!(served.header("X-CF-InstanceID").is_some());

    let lines = router.access_log().wait_for(2);
    assert_eq!((&*lines[0].endpoint, lines[0].field("app_id")), ("-", "-"));
    assert_eq!(lines[1].endpoint, town.app.address());
    let metrics = router.metrics();
    // The leg to the service is no request of an application.
    assert_eq!(metrics.sum("total_requests"), 1.0);
    assert_eq!(metrics.sum("responses"), 1.0);
    assert_eq!(metrics.sum("responses_route_services"), 1.0);
    assert_eq!(
        metrics.labelled("responses_route_services", "status_group=\"2xx\""),
        1.0
    );
}

//
#[test]
fn each_request_to_a_service_has_a_connection_of_its_own() {
    let town = Town::new();
    let router = town.open(town.router());
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "/", "").status, 200);
    }
    assert_eq!(town.front.connections(), 3);
    assert_eq!(town.service.connections(), 3);
}

//
#[test]
fn the_scheme_is_the_recommended_one_and_a_port_makes_no_difference() {
    let town = Town::new();
    let router = town.open(town.router().with("route_services_recommend_https", true));
    assert_eq!(ask(&mut router.client(), "/p", "").status, 200);
    let asked = town.service.request();
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("https://app.test/p")
    );
    let mut client = router.client();
    client.send(format!(
        "GET /p HTTP/1.1\r\nHost: app.test:4443\r\n{}\r\n",
        headers_of(&asked)
    ));
    assert_eq!(client.response().text(), "app");
}

#[test]
fn what_a_service_answers_is_the_answer_and_is_logged_when_it_is_no_success() {
    let teapot =
        "HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: JSESSIONID=x\r\nContent-Length: 2\r\n\r\nno";
    let town = Town::with(Backend::answering(move |_| teapot));
    let router = town.open(town.router());
    let response = ask(&mut router.client(), "/", "");
    assert_eq!((response.status, &*response.text()), (418, "no"));
    let cookies: Vec<_> = response.headers.all("Set-Cookie").collect();
    assert_eq!(cookies, ["JSESSIONID=x"]);
    let event = router.wait_for_event("route-service-response");
    assert!(event.text.contains("\"status-code\":418"), "{}", event.text);
    assert_eq!(
        router
            .metrics()
            .labelled("responses_route_services", "status_group=\"4xx\""),
        1.0
    );
}

//
#[test]
fn upgrades_pass_services_where_they_may() {
    let service = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let line = peer.wire().until(b"\n")?;
        peer.send(line)
    });
    let town = Town::with(service);
    let router = town.open(town.router());
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client.send("ping\n");
    assert_eq!(client.wire().exactly(5), Ok(b"ping\n".to_vec()));
    assert_eq!(client.end(), End::Closed);
    let asked = town.service.request();
    assert_eq!(asked.header("Upgrade"), Some("websocket"));
    assert!(asked.header("X-CF-Proxy-Signature").is_some());

    let without = town
        .router()
        .with("route_services", json!({ "enable_websockets": false }));
    let router = town.open(without);
    let mut client = router.client();
    client.send(UPGRADE);
    let response = client.response();
    assert_eq!(response.status, 503);
    assert_eq!(
        response.header("X-Cf-RouterError"),
        Some("route_service_unsupported")
    );
}

#[test]
fn a_request_that_comes_back_is_not_counted_again_by_the_limits_of_its_route() {
    let town = Town::new();
    let limits = town
        .router()
        .with("route_options.rate_limit", "2/h")
        .with("route_options.max_concurrent_requests", 1);
    let router = town.open(limits);
    for _ in 0..2 {
        assert_eq!(ask(&mut router.client(), "/p", "").text(), "checked");
    }
    assert_eq!(ask(&mut router.client(), "/p", "").status, 429);
    let signed = headers_of(&town.service.requests()[0]);
    for _ in 0..3 {
        assert_eq!(ask(&mut router.client(), "/p", &signed).text(), "app");
    }
}
