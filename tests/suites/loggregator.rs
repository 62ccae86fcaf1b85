//! What metron is told: log lines of applications, start-stop events, metrics of version 1.

use std::collections::BTreeSet;
use std::time::Duration;

use cloverleaf_tests::{
    Authority, Backend, Client, EventType, Metron, RefusedPort, Registration, Router, Start,
    TlsClient, eventually, ok, remains,
};
use serde_json::json;

const APP: &str = "0b8e5c0e-1111-2222-3333-444455556666";

/// A router that tells `metron` of requests and of nothing else.
fn of_requests(metron: &Metron) -> Start {
    Router::builder()
        .with("logging.metron_address", metron.address())
        .with("logging.loggregator_enabled", true)
        .with("enable_envelope_v1_metrics", false)
        .with("index", 7)
}

fn tagged(uri: &str, backend: &Backend) -> Registration {
    Registration::of(uri, backend).with(
        "tags",
        json!({ "component": "shop", "source_id": APP, "process_type": "web" }),
    )
}

#[test]
fn an_access_log_line_goes_to_the_log_of_its_application() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron).start();
    router.register(&tagged("app.test", &backend));
    assert_eq!(router.get("app.test", "/a?b=c").status, 200);
    metron.wait_for(EventType::LogMessage, 1);
    let envelope = metron.envelopes(EventType::LogMessage).remove(0);
    assert_eq!(envelope.text(1), "gorouter");
    assert!(envelope.number(6).is_some(), "a timestamp");
    let tags = envelope.tags();
    assert_eq!(tags["component"], "shop");
    assert_eq!((tags["source_id"].as_str(), tags.len()), (APP, 3));

    let message = envelope.message(8).expect("a log message");
    let line = message.text(1);
    let written = router.access_log().line();
    assert_eq!(line, written.text, "the same line as in the file");
    assert!(line.contains("\"GET /a?b=c HTTP/1.1\" 200"), "{line}");
    assert_eq!(message.number(2), Some(1), "standard output");
    assert_eq!(message.text(4), APP);
    assert_eq!(
        (message.text(5), message.text(6)),
        ("RTR".into(), "7".into())
    );
}

//
#[test]
fn what_reached_no_application_is_in_no_log_of_one() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron).start();
    router.register(&Registration::of("app.test", &backend));
    router.register(&Registration::of("nobody.test", &backend).with("app", json!(null)));
    assert_eq!(router.get("missing.test", "/").status, 404);
    assert_eq!(router.get("nobody.test", "/").status, 200);
    assert_eq!(router.get("app.test", "/last").status, 200);
    // Handled in order: what comes last has everything before it.
    let lines = metron.wait_for(EventType::LogMessage, 1);
    metron.wait_for(EventType::HttpStartStop, 5);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].text(1).contains("GET /last"), "{lines:?}");
}

#[test]
fn each_request_is_an_event_as_the_client_saw_it_and_one_as_the_backend_did() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron)
        .with("tracing.enable_w3c", true)
        .start();
    router.register(&tagged("app.test", &backend).with("private_instance_index", "3"));
    let mut client = router.client();
    let peer = client.wire().local_address().to_string();
    client.send(
        "POST /path?secret=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: probe/1\r\n\
         X-Forwarded-For: 203.0.113.7\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    metron.wait_for(EventType::HttpStartStop, 2);
    let envelopes = metron.envelopes(EventType::HttpStartStop);
    let side = |peer_type: u64| {
        let of_side = |envelope: &&cloverleaf_tests::Fields| {
            envelope.message(7).and_then(|event| event.number(4)) == Some(peer_type)
        };
        let envelope = envelopes
            .iter()
            .find(of_side)
            .expect("an event of this side");
        (envelope.tags(), envelope.message(7).expect("an event"))
    };
    let (tags, server) = side(2);
    assert_eq!(tags["process_type"], "web");
    assert_eq!((tags["trace_id"].len(), tags["span_id"].len()), (32, 16));
    assert!(server.number(1) <= server.number(2), "start and stop");
    assert_eq!(server.number(5), Some(2), "POST");
    assert_eq!(server.text(6), "http://app.test/path");
    assert_eq!(server.text(7), peer);
    assert_eq!(server.text(8), "probe/1");
    assert_eq!((server.number(9), server.number(10)), (Some(200), Some(4)));
    let app = server.message(12).expect("an application");
    assert_eq!(app.number(1), Some(0x2222_1111_0e5c_8e0b), "{app:?}");
    assert_eq!(server.number(13), Some(3));
    assert!(server.text(14).starts_with("instance-"));
    assert_eq!(server.texts(15), ["203.0.113.7"]);

    let (tags, client) = side(1);
    assert!(tags.is_empty(), "{tags:?}");
    assert_eq!(client.text(6), "http://app.test/path");
    assert_eq!(client.message(3), server.message(3), "the same request");
    assert!(client.number(1) >= server.number(1));
    assert_eq!(client.texts(15), ["203.0.113.7", "127.0.0.1"]);
}

#[test]
fn each_attempt_is_an_event_of_its_own() {
    let (metron, backend, nobody) = (Metron::start(), Backend::saying("here"), RefusedPort::new());
    let router = of_requests(&metron)
        .with("send_http_start_stop_server_event", false)
        .with(
            "logging.extra_access_log_fields",
            json!(["failed_attempts"]),
        )
        .start();
    router.register(&Registration::at("gone.test", nobody.number()));
    assert_eq!(router.get("gone.test", "/").status, 502);
    let statuses = |count: usize| -> Vec<Option<u64>> {
        let events = metron.wait_for(EventType::HttpStartStop, count);
        assert!(events.iter().all(|event| event.number(4) == Some(1)));
        events.iter().map(|event| event.number(9)).collect()
    };
    let line = router.access_log().line();
    let failed: usize = line.field("failed_attempts").parse().expect("a number");
    assert!(failed > 0);
    assert_eq!(statuses(failed), vec![Some(0); failed]);

    // One of two instances is gone: each of them is the first to be asked in turn.
    router.register(&Registration::at("app.test", nobody.number()));
    router.register(&Registration::of("app.test", &backend));
    for _ in 0..2 {
        assert_eq!(router.get("app.test", "/").status, 200);
    }
    let lines = router.access_log().wait_for(3);
    let retried: usize = lines[1..]
        .iter()
        .map(|line| {
            line.field("failed_attempts")
                .parse::<usize>()
                .expect("a number")
        })
        .sum();
    let all = statuses(failed + retried + 2);
    let answered = all.iter().filter(|status| **status == Some(200)).count();
    assert_eq!((retried, answered, all.len()), (1, 2, failed + 3));
}

#[test]
fn a_request_without_a_route_is_an_event_of_the_client_alone() {
    let metron = Metron::start();
    let router = of_requests(&metron).start();
    assert_eq!(router.get("missing.test", "/").status, 404);
    let events = metron.wait_for(EventType::HttpStartStop, 1);
    remains(Duration::from_millis(200), "one event", || {
        metron.events(EventType::HttpStartStop).len() == 1
    });
    assert_eq!(
        (events[0].number(4), events[0].number(9)),
        (Some(2), Some(404))
    );
    assert_eq!(events[0].message(12), None);
}

#[test]
fn an_endpoint_that_was_not_asked_saw_nothing() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron)
        .with(
            "prometheus.meters",
            json!({ "routing_response_latency_histogram_buckets": [0.5, 5000] }),
        )
        .start();
    let registration = Registration::of("app.test", &backend).with(
        "options",
        json!({ "rate_limit": "1/h", "max_body_size": 3 }),
    );
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").status, 200);
    assert_eq!(router.get("app.test", "/").status, 429);
    let mut client = router.client();
    client.send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.response().status, 413);
    let seen = || -> Vec<_> {
        let events = metron.events(EventType::HttpStartStop);
        let mut seen: Vec<_> = events
            .iter()
            .map(|event| (event.number(4), event.number(9)))
            .collect();
        seen.sort_unstable();
        seen
    };
    let expected = [(1, 200), (2, 200), (2, 413), (2, 429)];
    let expected = expected.map(|(peer, status)| (Some(peer), Some(status)));
    metron.wait_for(EventType::HttpStartStop, expected.len());
    remains(Duration::from_millis(200), "the same events", || {
        seen() == expected
    });
    // The log of the application has all of them.
    metron.wait_for(EventType::LogMessage, 3);
    eventually("the latency of the only answer", || {
        (router.metrics().sum("latency_count") == 1.0).then_some(())
    });
}

#[test]
fn each_kind_of_event_can_be_left_out() {
    for (key, kept) in [
        ("send_http_start_stop_server_event", 1),
        ("send_http_start_stop_client_event", 2),
    ] {
        let (metron, backend) = (Metron::start(), Backend::saying("here"));
        let router = of_requests(&metron).with(key, false).start();
        router.register(&Registration::of("app.test", &backend));
        assert_eq!(router.get("app.test", "/").status, 200);
        assert_eq!(router.get("app.test", "/").status, 200);
        metron.wait_for(EventType::LogMessage, 2);
        let events = metron.wait_for(EventType::HttpStartStop, 2);
        assert_eq!(events.len(), 2, "{key}");
        assert!(events.iter().all(|event| event.number(4) == Some(kept)));
    }
}

#[test]
fn without_any_of_it_nothing_is_sent() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron)
        .with("logging.loggregator_enabled", false)
        .with("send_http_start_stop_server_event", false)
        .with("send_http_start_stop_client_event", false)
        .start();
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").status, 200);
    router.access_log().wait_for(1);
    for event in [
        EventType::HttpStartStop,
        EventType::LogMessage,
        EventType::ValueMetric,
        EventType::CounterEvent,
    ] {
        assert!(metron.events(event).is_empty(), "{event:?}");
    }
}

#[test]
fn a_line_that_no_datagram_can_hold_is_cut() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron)
        .with("extra_headers_to_log", json!(["X-Long", "X-Last"]))
        .start();
    router.register(&Registration::of("app.test", &backend));
    let (agent, long) = ("u".repeat(60_000), "l".repeat(60_000));
    let mut client = router.client();
    client.send(format!(
        "GET /{} HTTP/1.1\r\nHost: app.test\r\nUser-Agent: {agent}\r\nX-Long: {long}\r\n\r\n",
        "p".repeat(30_000)
    ));
    assert_eq!(client.response().status, 200);
    let line = metron.wait_for(EventType::LogMessage, 1).remove(0).text(1);
    for mark in [
        "p...REQUEST-URI-TOO-LONG-TO-LOG--TRUNCATED HTTP/1.1\" 200",
        "u...USER-AGENT-TOO-LONG-TO-LOG--TRUNCATED\"",
        "x_cf_routererror:\"-\"...EXTRA-REQUEST-HEADERS-TOO-LONG-TO-LOG--TRUNCATED",
    ] {
        assert!(line.contains(mark), "{mark} in {line}");
    }
    let written = router.access_log().line();
    assert!(written.text.len() > 150_000, "the file has all of it");
}

#[test]
fn clients_over_tls_have_another_scheme() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let authority = Authority::new("front authority");
    let identity = authority.identity(&["app.test"]);
    let port = cloverleaf_tests::Port::reserve();
    let router = of_requests(&metron)
        .with("enable_ssl", true)
        .with("ssl_port", port.number())
        .with("client_cert_validation", "none")
        .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
        .with(
            "tls_pem",
            json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
        )
        .start();
    router.register(&Registration::of("app.test", &backend));
    let config = authority.anonymous_client_config(&[]);
    let client = TlsClient::connect_to("app.test", port.number(), config);
    let answer = client.expect("a connection").get("/x").expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let events = metron.wait_for(EventType::HttpStartStop, 1);
    assert!(events[0].text(6).starts_with("https://"), "{events:?}");
}

#[test]
fn counters_and_values_are_told_under_their_old_names() {
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = Router::builder()
        .with("logging.metron_address", metron.address())
        .with("send_http_start_stop_server_event", false)
        .with("send_http_start_stop_client_event", false)
        .start();
    router.register(&tagged("app.test", &backend));
    for _ in 0..3 {
        assert_eq!(router.get("app.test", "/").status, 200);
    }
    assert_eq!(router.get("missing.test", "/").status, 404);
    for (name, count) in [
        ("total_requests", 3),
        ("requests.shop", 3),
        ("responses", 3),
        ("responses.2xx", 3),
        ("rejected_requests", 1),
        ("registry_message.shop", 1),
        // Told though nothing has happened.
        ("bad_gateways", 0),
        ("websocket_failures", 0),
    ] {
        eventually(&format!("{count} {name}"), || {
            (metron.counted(name) == Some(count)).then_some(())
        });
    }
    assert_eq!(metron.counted("token_fetch_errors"), None);
    for (name, count) in [
        ("latency", 3),
        ("latency.shop", 3),
        ("gorouter_time", 3),
        ("route_lookup_time", 4),
    ] {
        let values = eventually(name, || {
            Some(metron.values(name)).filter(|values| values.len() >= count)
        });
        assert_eq!(values.len(), count, "{name}");
        assert!(
            values.iter().all(|value| *value >= 0.0),
            "{name}: {values:?}"
        );
    }
    assert!(metron.values("uptime").len() > 2, "every second");
    assert_eq!(metron.values("total_routes").last(), Some(&1.0));
    for name in [
        "file_descriptors",
        "buffered_messages",
        "ms_since_last_registry_update",
    ] {
        assert!(!metron.values(name).is_empty(), "{name}");
    }
    assert!(metron.events(EventType::LogMessage).is_empty());
}

//
#[test]
fn the_registration_latency_is_silent_for_a_while() {
    let register = |router: &Router, host: &str| {
        router.register(&Registration::at(host, 4001).with("endpoint_updated_at_ns", 1));
    };
    let metron = Metron::start();
    let start = || Router::builder().with("logging.metron_address", metron.address());
    let muzzled = start()
        .with("route_latency_metric_muzzle_duration", "1h")
        .start();
    register(&muzzled, "app.test");
    let told = || metron.values("route_registration_latency").len();
    // One report later.
    eventually("a report", || {
        metron
            .counted("registry_message")
            .filter(|count| *count > 0)
    });
    assert_eq!(told(), 0);
    assert!(muzzled.metrics().sum("route_registration_latency") > 0.0);
    drop(muzzled);

    let router = start()
        .with("route_latency_metric_muzzle_duration", "0s")
        .start();
    register(&router, "app.test");
    eventually("the latency", || (told() == 1).then_some(()));
    // The same again is nothing new.
    register(&router, "app.test");
    register(&router, "other.test");
    eventually("the other latency", || (told() == 2).then_some(()));
}

#[test]
fn each_of_many_envelopes_arrives_whole_and_alone() {
    // What one round leaves fits in the buffer of metron's socket, however long it takes until it is read.
    const ROUNDS: usize = 20;
    const CLIENTS: usize = 8;
    const EACH: usize = 5;
    let (metron, backend) = (Metron::start(), Backend::saying("here"));
    let router = of_requests(&metron).start();
    router.register(&tagged("app.test", &backend));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| router.client()).collect();
    // Paths of several lengths, each of which many have.
    let path = |round: usize, client: usize, request: usize| {
        format!("/{round}/{client}/{request}/{}", "x".repeat(client % 3))
    };
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            for (number, client) in clients.iter_mut().enumerate() {
                scope.spawn(move || {
                    for request in 0..EACH {
                        let answer = client.get("app.test", &path(round, number, request));
                        assert_eq!(answer.status, 200);
                    }
                });
            }
        });
        metron.wait_for(EventType::HttpStartStop, 2 * CLIENTS * EACH * (round + 1));
        metron.wait_for(EventType::LogMessage, CLIENTS * EACH * (round + 1));
    }
    let mut expected = BTreeSet::new();
    for (round, client) in (0..ROUNDS).flat_map(|round| (0..CLIENTS).map(move |c| (round, c))) {
        expected.extend((0..EACH).map(|request| path(round, client, request)));
    }
    let events = metron.events(EventType::HttpStartStop);
    assert_eq!(events.len(), 2 * expected.len());
    for side in [1, 2] {
        let of_side = events.iter().filter(|event| event.number(4) == Some(side));
        let told: BTreeSet<String> = of_side
            .map(|event| event.text(6).replace("http://app.test", ""))
            .collect();
        assert_eq!(told, expected, "side {side}");
    }
    // Lines come in the order of the log.
    let lines = metron.events(EventType::LogMessage);
    let told: Vec<String> = lines.iter().map(|line| line.text(1)).collect();
    let written = router.access_log().wait_for(expected.len());
    let written: Vec<String> = written.into_iter().map(|line| line.text).collect();
    assert_eq!(told, written);
    assert_eq!(router.metrics().sum("loggregator_lost_envelopes"), 0.0);
}

#[test]
fn metron_may_be_named_and_may_be_away() {
    let (metron, backend) = (Metron::start(), Backend::answering(|_| ok("here")));
    let port = metron.address().rsplit(':').next().map(str::to_owned);
    let named = format!("localhost:{}", port.expect("a port"));
    let router = of_requests(&metron)
        .with("logging.metron_address", named)
        .start();
    router.register(&Registration::of("app.test", &backend));
    eventually("a first envelope", || {
        assert_eq!(router.get("app.test", "/").status, 200);
        (!metron.events(EventType::LogMessage).is_empty()).then_some(())
    });
    drop(metron);
    let mut client = Client::connect(router.port());
    for _ in 0..20 {
        assert_eq!(client.get("app.test", "/").status, 200);
    }
}
