//! Routes over NATS: what a message does to the table.

use std::time::Duration;

use cloverleaf_tests::{Backend, Registration, Router, eventually, remains};
use serde_json::json;

// covers: R-030 R-018
#[test]
fn the_router_announces_itself_once_subscribed() {
    let bus = cloverleaf_tests::NatsServer::start();
    let mut client = bus.client();
    client.subscribe("router.start");
    let router = Router::builder()
        .with("index", 7)
        .with("start_response_delay_interval", "2s")
        .with("droplet_stale_threshold", "1s")
        .with_bus(bus)
        .start();
    let messages = client.messages("router.start");
    assert_eq!(messages.len(), 1);
    let start = messages[0].json();
    let id = start["id"].as_str().expect("an id");
    assert!(id.starts_with("7-") && id.len() == "7-".len() + 36, "{id}");
    assert_eq!(start["hosts"].as_array().map(Vec::len), Some(1));
    assert_eq!(start["minimumRegisterIntervalInSeconds"], 2);
    assert_eq!(
        start["pruneThresholdInSeconds"], 2,
        "raised to the start delay"
    );
    drop(router);
}

//
#[test]
fn a_greeting_is_answered_with_what_was_announced() {
    let router = Router::start();
    let mut client = router.bus().client();
    client.subscribe("replies");
    client.request("router.greet", "replies", "");
    let reply = eventually("an answer to the greeting", || {
        client.messages("replies").into_iter().next()
    });
    let answer = reply.json();
    assert!(
        answer["id"].as_str().is_some_and(|id| id.starts_with("0-")),
        "{answer}"
    );
    assert_eq!(answer["pruneThresholdInSeconds"], 120);
}

// covers: R-033 R-034 R-035 R-038
#[test]
fn a_registered_route_is_served_until_it_is_unregistered() {
    let (router, backend) = (Router::start(), Backend::saying("here"));
    let route =
        Registration::of("App.Test", &backend).with("uris", json!(["App.Test", "other.test/path"]));
    router.register(&route);
    assert_eq!(router.get("app.test", "/").text(), "here");
    assert_eq!(router.get("APP.test", "/").text(), "here");
    assert_eq!(router.get("other.test", "/path/below").text(), "here");

    router.unregister(&route);
    let gone = router.get("app.test", "/");
    assert_eq!(
        (gone.status, gone.header("X-Cf-RouterError")),
        (404, Some("unknown_route"))
    );
    assert_eq!(backend.requests().len(), 3);
}

// covers: R-036 R-037
#[test]
fn the_same_endpoint_registered_again_stays_one_entry() {
    let (router, backend) = (Router::start(), Backend::saying("here"));
    let route = Registration::of("app.test/path?x=1", &backend);
    router.register(&route);
    router.register(&route);
    router.settle();
    let table = router.routes();
    assert_eq!(
        table["app.test/path"].as_array().map(Vec::len),
        Some(1),
        "{table}"
    );
}

// covers: R-039 R-040 R-041
#[test]
fn unregistering_takes_away_just_what_it_names() {
    let (router, one, two) = (
        Router::start(),
        Backend::saying("one"),
        Backend::saying("two"),
    );
    router.register(&Registration::of("app.test", &one));
    router.register(&Registration::of("app.test/path", &two));

    router.publish(
        "router.unregister",
        Registration::of("app.test", &two).message(),
    );
    router.settle();
    assert_eq!(router.get("app.test", "/").text(), "one", "another port");

    router.unregister(&Registration::of("APP.test", &one));
    assert_eq!(router.get("app.test", "/").status, 404);
    assert_eq!(
        router.get("app.test", "/path").text(),
        "two",
        "a deeper route"
    );
}

// covers: R-042 R-043 R-044 R-045
#[test]
fn a_message_that_cannot_be_right_is_logged_and_changes_nothing() {
    let (mut router, backend) = (Router::start(), Backend::saying("here"));
    let route = |uri: &str| Registration::of(uri, &backend);
    let refused = [
        "{\"host\":".to_owned(),
        "[]".to_owned(),
        route("port.test").with("port", 70_000).message(),
        route("index.test")
            .with("private_instance_index", 1)
            .message(),
        route("service.test")
            .with("route_service_url", "http://service.test")
            .message(),
    ];
    for message in &refused {
        router.publish("router.register", message);
    }
    router.register(&route("good.test"));
    let table = router.routes();
    assert_eq!(
        table.as_object().map(serde_json::Map::len),
        Some(1),
        "{table}"
    );
    assert_eq!(
        router.log().with_message("validation-error").len(),
        refused.len()
    );
    assert!(router.is_running());
}

// covers: R-048 R-049 R-050 R-051
#[test]
fn an_endpoint_lives_for_its_own_time_without_refresh_but_never_longer_than_the_threshold() {
    let router = Router::builder()
        .with("prune_stale_droplets_interval", "50ms")
        .start();
    let (short, kept, long) = (
        Backend::saying("short"),
        Backend::saying("kept"),
        Backend::saying("long"),
    );
    let route = |uri: &str, backend: &Backend, ttl: u64| {
        Registration::of(uri, backend).with("stale_threshold_in_seconds", ttl)
    };
    let kept_route = route("kept.test", &kept, 1);
    router.register(&route("short.test", &short, 1));
    router.register(&kept_route);
    router.register(&route("long.test", &long, 999));
    router.register(&route("default.test", &long, 0));
    let table = router.routes();
    assert_eq!(table["short.test"][0]["ttl"], 1);
    assert_eq!(table["long.test"][0]["ttl"], 120);
    assert_eq!(table["default.test"][0]["ttl"], 120);

    let mut bus = router.bus().client();
    eventually("the route without refresh to go", || {
        bus.publish("router.register", kept_route.message());
        router.routes()["short.test"].is_null().then_some(())
    });
    assert_eq!(router.get("short.test", "/").status, 404);
    assert_eq!(router.get("kept.test", "/").text(), "kept");
    router.wait_for_event("pruned-route");
    eventually("the prune counter", || {
        (router.metrics().sum("routes_pruned") >= 1.0).then_some(())
    });
}

//
#[test]
fn a_tls_endpoint_does_not_go_stale() {
    let router = Router::builder()
        .with("prune_stale_droplets_interval", "50ms")
        .start();
    let ttl = |uri: &str| Registration::at(uri, 4001).with("stale_threshold_in_seconds", 1);
    let tls = ttl("tls.test")
        .with("port", json!(null))
        .with("tls_port", 4002);
    router.register(&tls);
    router.register(&ttl("plain.test"));
    eventually("the plain route to go stale", || {
        router.routes()["plain.test"].is_null().then_some(())
    });
    remains(
        Duration::from_millis(300),
        "the TLS endpoint is listed",
        || router.shows(&tls),
    );
}

// covers: R-046 R-047
#[test]
fn the_tls_port_counts_where_both_are_given_and_replaces_the_plain_one() {
    let router = Router::start();
    router.register(&Registration::at("app.test", 4001));
    router.register(&Registration::at("app.test", 4000).with("tls_port", 4001));
    let tls = || (router.routes()["app.test"][0]["tls"] == json!(true)).then_some(());
    eventually("the endpoint to be one with TLS", tls);
    let table = router.routes();
    assert_eq!(
        table["app.test"].as_array().map(Vec::len),
        Some(1),
        "{table}"
    );
    assert_eq!(table["app.test"][0]["address"], "127.0.0.1:4001");
}

//
#[test]
fn the_protocol_is_shown_as_it_will_be_spoken() {
    let router = Router::start();
    router.register(&Registration::at("plain.test", 4001));
    router.register(&Registration::at("h2.test", 4002).with("protocol", "http2"));
    let table = router.routes();
    assert_eq!(table["plain.test"][0]["protocol"], "http1");
    assert_eq!(table["h2.test"][0]["protocol"], "http2");

    let without = Router::builder().with("enable_http2", false).start();
    without.register(&Registration::at("h2.test", 4002).with("protocol", "http2"));
    assert_eq!(without.routes()["h2.test"][0]["protocol"], "http1");
}

//
#[test]
fn register_unregister_register_in_quick_succession_leaves_the_route_there() {
    let (router, backend) = (Router::start(), Backend::saying("here"));
    let route = Registration::of("app.test", &backend);
    let mut bus = router.bus().client();
    for subject in ["router.register", "router.unregister", "router.register"] {
        bus.publish(subject, route.message());
    }
    router.settle();
    assert!(router.shows(&route));
    assert_eq!(router.get("app.test", "/").text(), "here");
}

// covers: R-056 R-057 R-058 R-059
#[test]
fn isolation_segments_decide_which_endpoints_are_taken() {
    let route =
        |uri: &str, segment: &str| Registration::at(uri, 4001).with("isolation_segment", segment);
    let message = |uri, segment| route(uri, segment).message();
    for (mode, expected) in [
        ("all", &["mine.test", "none.test", "other.test"][..]),
        ("segments", &["mine.test"]),
        ("shared-and-segments", &["mine.test", "none.test"]),
    ] {
        let router = Router::builder()
            .with("routing_table_sharding_mode", mode)
            .with("isolation_segments", json!(["mine"]))
            .start();
        router.publish("router.register", message("other.test", "foreign"));
        router.publish("router.register", message("none.test", ""));
        router.register(&route("mine.test", "mine"));
        let table = router.routes();
        let keys: Vec<_> = table
            .as_object()
            .into_iter()
            .flat_map(|table| table.keys())
            .collect();
        assert_eq!(keys, expected, "{mode}");
        if mode == "segments" {
            router.publish("router.unregister", message("mine.test", "foreign"));
            router.publish("router.unregister", message("settled.test", "mine"));
            router.register(&route("last.test", "mine"));
            assert!(
                router.shows(&route("mine.test", "mine")),
                "unregistered by a foreign segment"
            );
        }
    }
}

// covers: R-060 R-062
#[test]
fn an_algorithm_that_there_is_not_is_logged_and_changes_nothing() {
    let router = Router::start();
    let option = |port: u16, algorithm: &str| {
        Registration::at("app.test", port).with("options", json!({ "loadbalancing": algorithm }))
    };
    let algorithms = || -> Vec<_> {
        let table = router.routes();
        let endpoints = table["app.test"].as_array().cloned().unwrap_or_default();
        endpoints
            .iter()
            .map(|endpoint| endpoint["load_balancing_algorithm"].clone())
            .collect()
    };
    router.register(&Registration::at("app.test", 4001));
    router.register(&option(4002, "least-connection"));
    router.settle();
    let after = algorithms();
    assert!(after.contains(&json!("least-connection")), "{after:?}");
    router.register(&option(4003, "bogus"));
    router.settle();
    assert_eq!(
        algorithms(),
        ["round-robin", "least-connection", "bogus"].map(|name| json!(name))
    );
    let errors: Vec<_> = router
        .log()
        .events()
        .into_iter()
        .filter(|event| event.level() == 3)
        .collect();
    assert!(
        errors.iter().any(|event| event.text.contains("bogus")),
        "{errors:?}"
    );
}

#[test]
fn a_new_route_and_a_new_endpoint_are_logged_once() {
    let router = Router::start();
    let route = Registration::at("app.test", 4001);
    router.register(&route);
    router.register(&route);
    router.unregister(&route);
    let log = router.log();
    assert_eq!(log.with_message("route-registered").len(), 1);
    assert_eq!(
        log.with_message("endpoint-registered")
            .iter()
            .filter(|event| event.level() == 1)
            .count(),
        1
    );
    assert_eq!(
        log.with_message("endpoint-registered")[0].data("uri"),
        "app.test"
    );
    assert_eq!(log.with_message("endpoint-unregistered").len(), 1);
    assert_eq!(log.with_message("route-unregistered").len(), 1);
}
