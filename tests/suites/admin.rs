//! The listeners for operators.

use cloverleaf_tests::{Backend, Client, RefusedPort, Registration, Router, eventually};

//
#[test]
fn the_health_listener_answers_503_during_the_start_delay_and_200_afterwards() {
    let router = Router::builder()
        .with("start_response_delay_interval", "3s")
        .launch();
    let early = router.status("/health");
    assert_eq!((early.status, early.text().as_str()), (503, ""));
    assert_eq!(early.header("Cache-Control"), Some("private, max-age=0"));
    assert_eq!(early.header("Expires"), Some("0"));
    let alive = router.status("/is-process-alive-do-not-use-for-loadbalancing");
    assert_eq!((alive.status, alive.text().as_str()), (200, "ok\n"));
    assert!(
        router.refuses(),
        "no proxy listener before the delay is over"
    );
    assert!(
        router.log().with_message("gorouter.started").is_empty(),
        "all of that was before the start"
    );

    router.wait_until_started();
    let healthy = eventually("a healthy router", || {
        Some(router.status("/health")).filter(|answer| answer.status == 200)
    });
    assert_eq!(healthy.text(), "ok\n");
    assert_eq!(healthy.header("Cache-Control"), Some("private, max-age=0"));
    assert_eq!(router.status("/other").status, 404);
    assert!(!router.refuses());
}

//
#[test]
fn the_route_listing_asks_for_credentials() {
    let router = Router::start();
    for token in [
        None,
        Some("d3Jvbmc6d3Jvbmc="),
        Some("!"),
        Some("c3RhdHVzLXVzZXI6"),
    ] {
        let response = router.routes_with(token);
        assert_eq!(
            (response.status, response.text().as_str()),
            (401, "401 Unauthorized\n"),
            "{token:?}"
        );
        assert_eq!(response.header("WWW-Authenticate"), Some("Basic"));
    }
    let response = router.routes_with(Some("c3RhdHVzLXVzZXI6c3RhdHVzLXBhc3M="));
    assert_eq!((response.status, response.text().as_str()), (200, "{}\n"));
    assert_eq!(response.header("Content-Type"), Some("application/json"));
    assert_eq!(response.header("Connection"), Some("close"));
}

//
#[test]
fn the_route_listing_is_on_the_loopback_interface_only() {
    let router = Router::start();
    // All of 127.0.0.0/8 is this machine: a listener on all addresses would answer here.
    let elsewhere = std::net::TcpStream::connect(("127.0.0.2", router.routes_port()));
    assert!(elsewhere.is_err());
    assert!(std::net::TcpStream::connect(("127.0.0.2", router.status_port())).is_ok());
}

#[test]
fn the_route_listing_shows_all_of_an_endpoint() {
    let router = Router::start();
    router.register(
        &Registration::at("app.test/path", 4001)
            .with("availability_zone", "z1")
            .with("isolation_segment", "segment")
            .with("server_cert_domain_san", "san.test")
            .with("stale_threshold_in_seconds", 30)
            .with("tags", serde_json::json!({ "component": "app" })),
    );
    router.register(&Registration::at("bare.test", 4002).with("private_instance_id", ""));
    let table = router.routes();
    let endpoint = &table["app.test/path"][0];
    assert_eq!(endpoint["address"], "127.0.0.1:4001");
    assert_eq!(endpoint["availability_zone"], "z1");
    assert_eq!(
        (&endpoint["protocol"], &endpoint["tls"], &endpoint["ttl"]),
        (&"http1".into(), &false.into(), &30.into())
    );
    assert_eq!(endpoint["isolation_segment"], "segment");
    assert_eq!(endpoint["private_instance_id"], "instance-4001");
    assert_eq!(endpoint["server_cert_domain_san"], "san.test");
    assert_eq!(endpoint["tags"]["component"], "app");
    let bare = table["bare.test"][0].as_object().expect("an endpoint");
    for name in [
        "route_service_url",
        "isolation_segment",
        "private_instance_id",
        "server_cert_domain_san",
    ] {
        assert!(!bare.contains_key(name), "{name} in {bare:?}");
    }
    assert!(bare.contains_key("tags"), "{bare:?}");
}

// covers: R-290 R-291
#[test]
fn metrics_count_what_happened() {
    let (router, backend) = (
        Router::builder()
            .with("empty_pool_response_code_503", true)
            .with("empty_pool_timeout", "60s")
            .start(),
        Backend::saying("here"),
    );
    let (route, empty) = (
        Registration::of("app.test", &backend),
        Registration::at("empty.test", 4001),
    );
    router.register(&route);
    router.register(&empty);
    router.unregister(&empty);
    assert_eq!(router.get("app.test", "/").status, 200);
    assert_eq!(router.get("app.test", "/").status, 200);
    assert_eq!(router.get("unknown.test", "/").status, 404);
    assert_eq!(router.get("empty.test", "/").status, 503);
    router.access_log().wait_for(4);

    let metrics = eventually("the counters to show", || {
        Some(router.metrics()).filter(|metrics| {
            metrics.sum("responses") >= 2.0 && metrics.sum("rejected_requests") >= 1.0
        })
    });
    assert_eq!(metrics.labelled("responses", "status_group=\"2xx\""), 2.0);
    assert_eq!(
        metrics.sum("responses"),
        2.0,
        "only what an endpoint answered"
    );
    assert_eq!(metrics.sum("rejected_requests"), 1.0);
    assert_eq!(metrics.sum("total_requests"), 2.0);
    assert_eq!(
        metrics.labelled("registry_message", "action=\"added\""),
        2.0
    );
    assert_eq!(metrics.sum("unregistry_message"), 1.0);
    for name in [
        "bad_gateways",
        "backend_exhausted_conns",
        "total_routes",
        "file_descriptors",
        "latency",
        "gorouter_time",
        "route_lookup_time",
        "routes_registered",
        "uptime",
    ] {
        assert!(
            metrics.text().lines().any(|line| line.starts_with(name)),
            "{name} in {}",
            metrics.text()
        );
    }
    assert!(
        metrics
            .text()
            .contains("promhttp_metric_handler_errors_total"),
        "{}",
        metrics.text()
    );
}

#[test]
fn times_are_gauges_and_with_meters_histograms() {
    let backend = Backend::saying("here");
    for (meters, kind, name) in [
        (serde_json::Value::Null, "gauge", "latency{"),
        (
            serde_json::json!({ "routing_response_latency_histogram_buckets": [0.5, 5000] }),
            "histogram",
            "latency_bucket{component=\"web\",le=\"5000\"} 1",
        ),
    ] {
        let router = Router::builder().with("prometheus.meters", meters).start();
        let route = Registration::of("app.test", &backend)
            .with("tags", serde_json::json!({ "component": "web" }));
        router.register(&route);
        assert_eq!(router.get("app.test", "/").status, 200);
        let text = eventually("the latency to show", || {
            let text = router.metrics().text().to_owned();
            text.contains(&format!("\n{name}")).then_some(text)
        });
        assert!(text.contains(&format!("# TYPE latency {kind}\n")), "{text}");
        assert!(
            text.contains(&format!("# TYPE gorouter_time {kind}\n")),
            "{text}"
        );
    }
}

#[test]
fn requests_that_no_backend_answers_are_measured_too() {
    let (router, refused) = (Router::start(), RefusedPort::new());
    let route = Registration::at("app.test", refused.number())
        .with("tags", serde_json::json!({ "component": "web" }));
    router.register(&route);
    assert_eq!(router.get("unknown.test", "/").status, 404);
    router.access_log().wait_for(1);
    assert!(
        router.metrics().text().contains("\ngorouter_time 0\n"),
        "it had no endpoint"
    );
    assert_eq!(router.get("app.test", "/").status, 502);
    router.access_log().wait_for(2);
    let metrics = router.metrics();
    assert!(metrics.labelled("latency", "component=\"web\"") > 0.0);
    assert!(metrics.sum("gorouter_time") > 0.0);
    assert_eq!(metrics.labelled("responses", "status_group=\"5xx\""), 1.0);
    assert_eq!(metrics.sum("bad_gateways"), 1.0);
}

#[test]
fn registrations_are_counted_by_what_they_came_to() {
    let router = Router::start();
    let tags = serde_json::json!({ "component": "emitter" });
    let route = Registration::at("app.test", 4001).with("tags", tags);
    router.register(&route);
    router.publish("router.register", route.message());
    router.publish("router.register", route.message());
    router.publish(
        "router.register",
        route.clone().with("private_instance_index", "1").message(),
    );
    router.unregister(&route);
    let metrics = router.metrics();
    for (action, count) in [("added", 1.0), ("refreshed", 2.0), ("updated", 1.0)] {
        let label = format!("action=\"{action}\"");
        assert_eq!(
            metrics.labelled("registry_message", &label),
            count,
            "{action}"
        );
    }
    assert_eq!(
        metrics.labelled("unregistry_message", "component=\"emitter\""),
        1.0
    );
    assert_eq!(metrics.sum("routes_registered"), 1.0);
    assert_eq!(metrics.sum("routes_unregistered"), 1.0);
    assert_eq!(metrics.sum("total_routes"), 0.0);
}

#[test]
fn admin_listeners_answer_while_the_proxy_is_busy() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.wire().more()
    });
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    let waiting: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = router.client();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client
        })
        .collect();
    backend.wait_for_requests(20);
    assert_eq!(router.status("/health").status, 200);
    assert!(router.routes()["app.test"].is_array());
    assert_eq!(router.get("unknown.test", "/").status, 404);
    drop(waiting);
}

#[test]
fn at_level_debug_the_log_names_each_request() {
    let router = Router::start();
    assert_eq!(router.get("unknown.test", "/").status, 404);
    let line = router.access_log().line();
    let id = line.field("vcap_request_id");
    let event = router.wait_for_event("vcap-request-id-header-set");
    assert_eq!(
        (event.level(), event.data("VcapRequestIdHeader")),
        (0, &serde_json::json!(id))
    );
}
