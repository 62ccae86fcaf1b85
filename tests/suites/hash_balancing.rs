//! Routes whose requests go to the owner of a header's value (`loadbalancing: hash`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloverleaf_tests::{Backend, Gate, RefusedPort, Registration, Router, eventually, ok};
use serde_json::{Value, json};

const IDS: [&str; 3] = ["instance-a", "instance-b", "instance-c"];

/// An instance of `app.test` with an id, balanced by `X-Tenant`.
fn hashed(port: u16, id: &str) -> Registration {
    with_options(
        port,
        id,
        json!({ "loadbalancing": "hash", "hash_header": "X-Tenant" }),
    )
}

fn with_options(port: u16, id: &str, options: Value) -> Registration {
    Registration::at("app.test", port)
        .with("private_instance_id", id)
        .with("options", options)
}

/// Who answers a request with these header lines.
fn answer(router: &Router, lines: &str) -> String {
    let mut client = router.client();
    client.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"));
    client.response().text()
}

fn tenant(router: &Router, value: &str) -> String {
    answer(router, &format!("X-Tenant: {value}\r\n"))
}

/// The three instances of the reference's vectors, each answering with its id.
fn three() -> [Backend; 3] {
    IDS.map(Backend::saying)
}

/// As [`three`]; a request for `/held` waits for the gate.
fn three_that_wait(gate: &Arc<Gate>) -> [Backend; 3] {
    IDS.map(|id| {
        let (gate, answer) = (Arc::clone(gate), ok(id));
        Backend::answering(move |request| {
            if request.target() == "/held" {
                gate.wait();
            }
            answer.clone()
        })
    })
}

//
#[test]
fn values_go_where_the_reference_sends_them_and_the_listing_shows_the_options() {
    let router = Router::start();
    let backends = three();
    let gone = Backend::saying("gone");
    // Neither the order nor what was there before leaves a trace.
    router.register(&hashed(gone.port(), "gone"));
    for (backend, id) in backends.iter().zip(IDS).rev() {
        router.register(&hashed(backend.port(), id));
    }
    router.unregister(&hashed(gone.port(), "gone"));
    for (value, owner) in [
        ("tenant-1", "instance-b"),
        ("tenant-42", "instance-b"),
        ("alice", "instance-b"),
        ("\u{c4}\u{d6}", "instance-a"),
        ("x", "instance-c"),
    ] {
        assert_eq!(tenant(&router, value), owner, "{value}");
        assert_eq!(answer(&router, &format!("x-TENANT: {value}\r\n")), owner);
    }
    let endpoint = router.routes()["app.test"][0].clone();
    assert_eq!(endpoint["load_balancing_algorithm"], "hash");
    assert_eq!(endpoint["hash_header"], "X-Tenant");
    assert_eq!(endpoint["hash_balance"], 0.0);
}

//
#[test]
fn one_value_stays_at_one_endpoint_and_many_reach_all() {
    let router = Router::start();
    let backends = ["one", "two"].map(Backend::saying);
    for backend in &backends {
        router.register(&hashed(backend.port(), &backend.address()));
    }
    let mut client = router.client();
    let mut ask = |value: &str| {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nX-Tenant: {value}\r\n\r\n"
        ));
        client.response().text()
    };
    let same: BTreeSet<_> = (0..100).map(|_| ask("same")).collect();
    assert_eq!(same.len(), 1, "{same:?}");
    let all: BTreeSet<_> = (0..1000).map(|value| ask(&value.to_string())).collect();
    assert_eq!(all.len(), 2, "{all:?}");
}

//
#[test]
fn without_a_value_or_a_header_to_look_at_the_router_wide_algorithm_counts() {
    let router = Router::start();
    let backends = three();
    let spread = |lines: &str| {
        let answers = (0..6).map(|_| answer(&router, lines));
        answers.fold(BTreeMap::new(), |mut counts, who| {
            *counts.entry(who).or_insert(0) += 1;
            counts
        })
    };
    let even = BTreeMap::from(IDS.map(|id| (id.to_owned(), 2)));
    for (backend, id) in backends.iter().zip(IDS) {
        router.register(&hashed(backend.port(), id));
    }
    assert_eq!(spread(""), even);
    assert_eq!(spread("X-Tenant:\r\n"), even);
    // A header that is taken out on the way is not seen by the backend either.
    assert_eq!(spread("X-Tenant: x\r\nConnection: x-tenant\r\n"), even);
    for (backend, id) in backends.iter().zip(IDS) {
        let options = json!({ "loadbalancing": "hash" });
        router.register(&with_options(backend.port(), id, options));
    }
    router.settle();
    assert_eq!(spread("X-Tenant: x\r\n"), even);
}

#[test]
fn the_value_is_the_one_that_the_backend_sees() {
    let router = Router::start();
    let backends = three();
    for (backend, id) in backends.iter().zip(IDS) {
        let options = json!({ "loadbalancing": "hash", "hash_header": "x-forwarded-for" });
        router.register(&with_options(backend.port(), id, options));
    }
    // The peer is added to what the client sent, so these two are the same value.
    let with_peer = |list: &str| answer(&router, &format!("X-Forwarded-For: {list}\r\n"));
    for list in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"] {
        let first = with_peer(list);
        assert!((0..3).all(|_| with_peer(list) == first), "{list}");
    }
}

//
#[test]
fn an_owner_at_its_limit_gives_way_and_gets_its_own_back() {
    let router = Router::builder().with("backends.max_conns", 1).start();
    let gate = Arc::new(Gate::default());
    let backends = three_that_wait(&gate);
    for (backend, id) in backends.iter().zip(IDS) {
        router.register(&hashed(backend.port(), id));
    }
    let mut waiting = router.client();
    waiting.send("GET /held HTTP/1.1\r\nHost: app.test\r\nX-Tenant: tenant-1\r\n\r\n");
    backends[1].wait_for_requests(1);
    assert_eq!(tenant(&router, "tenant-1"), "instance-c");
    gate.open();
    assert_eq!(waiting.response().text(), "instance-b");
    assert_eq!(tenant(&router, "tenant-1"), "instance-b");
}

//
#[test]
fn an_owner_with_more_than_its_share_gives_way_only_with_a_balance_factor() {
    for (balance, next) in [
        (json!("1.25"), "instance-c"),
        (json!(1.25), "instance-c"),
        (json!("0"), "instance-b"),
        (json!(null), "instance-b"),
    ] {
        let router = Router::start();
        let gate = Arc::new(Gate::default());
        let backends = three_that_wait(&gate);
        let options =
            json!({ "loadbalancing": "hash", "hash_header": "X-Tenant", "hash_balance": balance });
        for (backend, id) in backends.iter().zip(IDS) {
            router.register(&with_options(backend.port(), id, options.clone()));
        }
        let shown = router.routes()["app.test"][0]["hash_balance"].as_f64();
        assert_eq!(shown, Some(if next == "instance-c" { 1.25 } else { 0.0 }));
        let mut waiting = router.client();
        waiting.send("GET /held HTTP/1.1\r\nHost: app.test\r\nX-Tenant: tenant-1\r\n\r\n");
        backends[1].wait_for_requests(1);
        assert_eq!(tenant(&router, "tenant-1"), next, "{balance}");
        gate.open();
        assert_eq!(waiting.response().text(), "instance-b");
        assert_eq!(tenant(&router, "tenant-1"), "instance-b", "{balance}");
    }
}

//
#[test]
fn an_owner_that_refuses_gives_way_to_the_next_and_the_walk_ends() {
    let router = Router::builder()
        .with("backends.max_attempts", 3)
        .with("backends.max_conns", 1)
        .start();
    let gate = Arc::new(Gate::default());
    let [first, _, third] = three_that_wait(&gate);
    let refused = RefusedPort::new();
    router.register(&hashed(first.port(), IDS[0]));
    router.register(&hashed(refused.number(), IDS[1]));
    router.register(&hashed(third.port(), IDS[2]));
    assert_eq!(tenant(&router, "tenant-1"), "instance-c");
    assert_eq!(tenant(&router, "tenant-42"), "instance-a");

    let mut waiting = Vec::new();
    for (value, backend) in [("tenant-1", &third), ("tenant-42", &first)] {
        let mut client = router.client();
        let served = backend.requests().len();
        client.send(format!(
            "GET /held HTTP/1.1\r\nHost: app.test\r\nX-Tenant: {value}\r\n\r\n"
        ));
        backend.wait_for_requests(served + 1);
        waiting.push(client);
    }
    let response = {
        let mut client = router.client();
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Tenant: tenant-1\r\n\r\n");
        client.response()
    };
    assert_eq!(response.status, 502, "all others are full");
    gate.open();
    for (client, id) in waiting.iter_mut().zip(["instance-c", "instance-a"]) {
        assert_eq!(client.response().text(), id);
    }
}

//
#[test]
fn a_session_wins_over_the_hash_and_zones_play_no_part() {
    let router = Router::builder()
        .with("zone", "z1")
        .with("balancing_algorithm_az_preference", "locally-optimistic")
        .start();
    let backends = three();
    for ((backend, id), zone) in backends.iter().zip(IDS).zip(["z1", "z2", "z3"]) {
        router.register(&hashed(backend.port(), id).with("availability_zone", zone));
    }
    assert_eq!(tenant(&router, "tenant-1"), "instance-b");
    assert_eq!(tenant(&router, "x"), "instance-c");
    let cookies = "Cookie: JSESSIONID=1; __VCAP_ID__=instance-a\r\nX-Tenant: tenant-1\r\n";
    assert_eq!(answer(&router, cookies), "instance-a");
}

//
#[test]
fn a_pool_turns_to_hash_as_a_whole_and_back_with_a_message_that_names_nothing() {
    let router = Router::start();
    let backends = three();
    let plain = |number: usize| {
        Registration::of("app.test", &backends[number]).with("private_instance_id", IDS[number])
    };
    let size = || router.metrics().sum("endpoints_per_pool");
    (0..3).for_each(|number| router.register(&plain(number)));
    assert_eq!(size(), 0.0);
    router.register(&hashed(backends[0].port(), IDS[0]));
    router.settle();
    let found: BTreeSet<_> = ["tenant-1", "\u{c4}\u{d6}", "x"]
        .map(|value| tenant(&router, value))
        .into();
    assert_eq!(found, IDS.map(str::to_owned).into(), "all at once");
    assert_eq!(size(), 3.0);
    let metrics = router.metrics();
    assert_eq!(
        metrics.labelled("endpoints_per_pool", "route=\"app.test\""),
        3.0
    );
    assert_eq!(
        metrics.labelled("endpoints_per_pool", "lb_algorithm=\"hash\""),
        3.0
    );
    router.register(&plain(0));
    router.settle();
    let answers: BTreeSet<_> = (0..3).map(|_| tenant(&router, "same")).collect();
    assert_eq!(answers.len(), 3, "round robin again: {answers:?}");
    assert!(!router.metrics().text().contains("endpoints_per_pool{"));
    let listed = router.routes()["app.test"].clone();
    assert!(listed.as_array().into_iter().flatten().all(|endpoint| {
        endpoint["load_balancing_algorithm"] == "round-robin" && endpoint["hash_balance"].is_null()
    }));
}

//
#[test]
fn registrations_are_counted_and_logged_by_what_they_came_to() {
    let router = Router::start();
    let backend = Backend::saying("one");
    let registration = Registration::of("app.test", &backend);
    let action = |action: &str| {
        let label = format!("action=\"{action}\"");
        router.metrics().labelled("registry_message", &label)
    };
    router.register(&registration);
    assert_eq!((action("added"), action("refreshed")), (1.0, 0.0));
    router.publish("router.register", registration.message());
    eventually("a refresh", || (action("refreshed") == 1.0).then_some(()));
    let refreshed = router.wait_for_event("endpoint-refreshed");
    assert_eq!(refreshed.level(), 0, "debug");
    assert_eq!(refreshed.data("uri"), "app.test");
    router.register(&registration.clone().with("app", "another"));
    eventually("an update", || (action("updated") == 1.0).then_some(()));
    assert_eq!(action("unmodified"), 0.0);
    router.unregister(&registration);
    let metrics = router.metrics();
    assert_eq!(metrics.sum("routes_registered"), 1.0);
    assert_eq!(metrics.sum("routes_unregistered"), 1.0);
}
