//! Which endpoint gets a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_tests::{Backend, Gate, RefusedPort, Registration, Router, eventually, ok};
use serde_json::json;

/// Names of those who answered `count` requests, each on a connection of its own, with how often.
fn answers(router: &Router, count: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        *answers
            .entry(router.get("app.test", "/").text())
            .or_default() += 1;
    }
    answers
}

/// Answers its first request when the gate is open, others at once.
fn held(name: &str) -> (Backend, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let (shared, answer) = (Arc::clone(&gate), ok(name));
    let backend = Backend::answering(move |request| {
        if request.target() == "/held" {
            shared.wait();
        }
        answer.clone()
    });
    (backend, gate)
}

//
#[test]
fn round_robin_gives_each_endpoint_its_turn_whatever_worker_serves() {
    let router = Router::builder().with("go_max_procs", 3).start();
    let backends = ["one", "two", "three"].map(Backend::saying);
    backends
        .iter()
        .for_each(|backend| router.register(&Registration::of("app.test", backend)));
    let counts = answers(&router, 9);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [3, 3, 3]);
}

// covers: R-111 R-060
#[test]
fn least_connection_avoids_an_endpoint_that_is_still_thinking() {
    let router = Router::builder()
        .with("balancing_algorithm", "least-connection")
        .start();
    let (slow, gate) = held("slow");
    let idle = Backend::saying("idle");
    router.register(&Registration::of("app.test", &slow));
    let mut waiting = router.client();
    waiting.send("GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n");
    slow.wait_for_requests(1);
    router.register(&Registration::of("app.test", &idle));
    assert_eq!(
        answers(&router, 10),
        BTreeMap::from([("idle".to_owned(), 10)])
    );
    gate.open();
    assert_eq!(waiting.response().text(), "slow");
}

//
#[test]
fn least_connection_counts_an_endpoint_that_has_answered_as_free() {
    let router = Router::builder()
        .with("balancing_algorithm", "least-connection")
        .start();
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let streaming = Backend::scripted(move |peer| {
        while let Ok(request) = peer.request() {
            if request.target() == "/stream" {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")?;
                shared.wait();
                peer.send("2")?;
            } else {
                peer.send(ok("streaming"))?;
            }
        }
        Ok(())
    });
    router.register(&Registration::of("app.test", &streaming));
    let mut client = router.client();
    client.send("GET /stream HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.head().status, 200);

    let other = Backend::saying("other");
    router.register(&Registration::of("app.test", &other));
    eventually("a request for the one that streams", || {
        answers(&router, 5).contains_key("streaming").then_some(())
    });
    gate.open();
}

// covers: R-113 R-114 R-115
#[test]
fn endpoints_of_the_own_zone_come_first_and_others_when_there_is_none_or_it_fails() {
    let start = || {
        Router::builder()
            .with("zone", "z1")
            .with("balancing_algorithm_az_preference", "locally-optimistic")
            .start()
    };
    let (local, remote, dead) = (
        Backend::saying("local"),
        Backend::saying("remote"),
        RefusedPort::new(),
    );
    let zoned =
        |port: u16, zone: &str| Registration::at("app.test", port).with("availability_zone", zone);

    let router = start();
    router.register(&zoned(remote.port(), "z2"));
    assert_eq!(
        answers(&router, 2),
        BTreeMap::from([("remote".to_owned(), 2)]),
        "none in our zone"
    );
    router.register(&zoned(local.port(), "z1"));
    assert_eq!(
        answers(&router, 6),
        BTreeMap::from([("local".to_owned(), 6)])
    );

    let router = start();
    router.register(&zoned(dead.number(), "z1"));
    router.register(&zoned(remote.port(), "z2"));
    assert_eq!(
        answers(&router, 4),
        BTreeMap::from([("remote".to_owned(), 4)]),
        "the local one refuses"
    );
}

//
#[test]
fn an_endpoint_that_refused_is_left_out_for_a_quarter_of_the_threshold() {
    let router = Router::builder()
        .with("droplet_stale_threshold", "8s")
        .with("logging.level", "info")
        .start();
    let (alive, dead) = (Backend::saying("alive"), RefusedPort::new());
    router.register(&Registration::of("app.test", &alive));
    router.register(&Registration::at("app.test", dead.number()));
    let failures = || router.log().with_message("backend-endpoint-failed").len();
    answers(&router, 6);
    assert_eq!(failures(), 1, "tried once in six requests");
    eventually("another try two seconds later", || {
        answers(&router, 2);
        (failures() > 1).then_some(())
    });
}

//
#[test]
fn when_all_endpoints_are_marked_all_are_tried() {
    let router = Router::start();
    let dead = [RefusedPort::new(), RefusedPort::new()];
    dead.iter()
        .for_each(|port| router.register(&Registration::at("app.test", port.number())));
    for tries in 1..=2 {
        assert_eq!(router.get("app.test", "/").status, 502);
        eventually("both to be tried", || {
            (router.log().with_message("backend-endpoint-failed").len() == 2 * tries).then_some(())
        });
    }
}

// covers: R-118 R-119 R-120
#[test]
fn an_endpoint_at_its_connection_limit_gets_no_more() {
    for limit in [1, 0] {
        let router = Router::builder().with("backends.max_conns", limit).start();
        let (slow, gate) = held("slow");
        router.register(&Registration::of("app.test", &slow));
        let mut waiting = router.client();
        waiting.send("GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n");
        slow.wait_for_requests(1);

        let response = router.get("app.test", "/");
        if limit == 0 {
            assert_eq!(response.text(), "slow");
        } else {
            assert_eq!(
                (response.status, response.header("X-Cf-RouterError")),
                (503, Some("Connection Limit Reached"))
            );
            assert_eq!(
                response.text(),
                "503 Service Unavailable: Requested route ('app.test') has reached the connection limit.\n"
            );
            let other = Backend::saying("other");
            router.register(&Registration::of("app.test", &other));
            assert_eq!(
                answers(&router, 4),
                BTreeMap::from([("other".to_owned(), 4)])
            );
            eventually("the counter", || {
                (router.metrics().sum("backend_exhausted_conns") == 1.0).then_some(())
            });
        }
        gate.open();
        assert_eq!(waiting.response().text(), "slow");
    }
}

//
#[test]
fn one_dead_endpoint_among_three_is_never_seen_by_clients() {
    let (router, dead) = (Router::start(), RefusedPort::new());
    let backends = ["one", "two"].map(Backend::saying);
    backends
        .iter()
        .for_each(|backend| router.register(&Registration::of("app.test", backend)));
    router.register(&Registration::at("app.test", dead.number()));
    let counts = answers(&router, 12);
    assert_eq!(counts.values().sum::<usize>(), 12);
    assert_eq!(counts.keys().collect::<Vec<_>>(), ["one", "two"]);
}

//
#[test]
fn a_tls_endpoint_that_refuses_is_removed_and_a_plain_one_stays() {
    let (router, plain, tls) = (Router::start(), RefusedPort::new(), RefusedPort::new());
    let plain = Registration::at("plain.test", plain.number());
    let tls = Registration::at("tls.test", tls.number())
        .with("port", json!(null))
        .with("tls_port", tls.number());
    router.register(&plain);
    router.register(&tls);
    assert_eq!(router.get("plain.test", "/").status, 502);
    assert_eq!(router.get("tls.test", "/").status, 502);
    eventually("the TLS endpoint to go", || {
        (!router.shows(&tls)).then_some(())
    });
    assert!(router.shows(&plain));
}
