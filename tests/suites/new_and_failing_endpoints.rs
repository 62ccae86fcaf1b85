//! Endpoints that are new get their share bit by bit, endpoints that fail again and again are left out for a while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloverleaf_tests::{Backend, Registration, Router, eventually, ok};

/// How many of so many requests each endpoint answered, by status and body.
fn spread(router: &Router, requests: usize) -> BTreeMap<(u16, String), usize> {
    let mut counts = BTreeMap::new();
    let mut client = router.client();
    for _ in 0..requests {
        let response = client.get("app.test", "/");
        *counts
            .entry((response.status, response.text()))
            .or_insert(0) += 1;
    }
    counts
}

fn served(router: &Router, requests: usize, name: &str) -> usize {
    let counts = spread(router, requests);
    counts.get(&(200, name.to_owned())).copied().unwrap_or(0)
}

/// Answers 503 while it is ill.
fn sickly(name: &str) -> (Backend, Arc<AtomicBool>) {
    let ill = Arc::new(AtomicBool::new(true));
    let (shared, answer) = (Arc::clone(&ill), ok(name));
    let backend = Backend::answering(move |_| match shared.load(Ordering::Acquire) {
        true => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nill".to_owned(),
        false => answer.clone(),
    });
    (backend, ill)
}

#[test]
fn a_new_endpoint_gets_little_at_first_and_its_share_in_the_end() {
    for algorithm in ["round-robin", "least-connection"] {
        let router = Router::builder()
            .with("balancing_algorithm", algorithm)
            .with("balancing.slow_start", "3s")
            .start();
        let (old, new) = (Backend::saying("old"), Backend::saying("new"));
        router.register(&Registration::of("app.test", &old));
        eventually("the first endpoint to be no longer new", || {
            // Requests while it is the only one, new or not, are all its own.
            assert_eq!(served(&router, 1, "old"), 1);
            let seen = &router.routes_query("provenance")["app.test"][0]["first_seen"];
            (seen.as_f64().unwrap_or(0.0) > 3.1).then_some(())
        });
        router.register(&Registration::of("app.test", &new));
        let first = served(&router, 100, "new");
        assert!(first < 35, "{algorithm}: {first} of 100 at first");
        eventually("half of the requests", || {
            let later = served(&router, 60, "new");
            (20..=40).contains(&later).then_some(())
        });
    }
}

#[test]
fn an_endpoint_that_fails_again_and_again_is_left_out_and_comes_back() {
    for algorithm in ["round-robin", "least-connection"] {
        let router = Router::builder()
            .with("balancing_algorithm", algorithm)
            .with("balancing.ejection.consecutive_errors", 3)
            .with("balancing.ejection.base_time", "2s")
            .start();
        let (ill, is_ill) = sickly("recovered");
        let sound = Backend::saying("sound");
        router.register(&Registration::of("app.test", &ill));
        router.register(&Registration::of("app.test", &sound));
        eventually("three failures", || {
            spread(&router, 1);
            (ill.requests().len() >= 3).then_some(())
        });
        assert_eq!(served(&router, 30, "sound"), 30);
        assert_eq!(ill.requests().len(), 3);
        let event = router.wait_for_event("endpoint-ejected");
        assert_eq!(event.data("backend"), ill.address().as_str());
        assert_eq!(event.data("seconds"), 2.0);
        assert_eq!(router.metrics().sum("endpoints_ejected"), 1.0);
        is_ill.store(false, Ordering::Release);
        eventually("the endpoint to be asked again", || {
            (served(&router, 4, "recovered") > 0).then_some(())
        });
    }
}

#[test]
fn endpoints_that_do_not_answer_at_all_are_left_out_as_well() {
    let router = Router::builder()
        .with("balancing.ejection.consecutive_errors", 2)
        .with("backends.max_attempts", 1)
        .start();
    let silent = Backend::scripted(|peer| peer.request().map(drop));
    let sound = Backend::saying("sound");
    router.register(&Registration::of("app.test", &silent));
    router.register(&Registration::of("app.test", &sound));
    eventually("two failures", || {
        router.get("app.test", "/");
        (router.metrics().sum("endpoints_ejected") == 1.0).then_some(())
    });
    assert_eq!(served(&router, 20, "sound"), 20);
}

#[test]
fn an_endpoint_is_not_left_out_for_a_client_that_sends_slowly() {
    let router = Router::builder()
        .with("balancing.ejection.consecutive_errors", 1)
        .with("endpoint_timeout", "500ms")
        .start();
    let backends = [(); 2].map(|()| {
        Backend::scripted(|peer| {
            let request = peer.request()?;
            match request.target() {
                "/silent" => peer.wire().more(),
                _ => peer.send(ok("whole")),
            }
        })
    });
    for backend in &backends {
        router.register(&Registration::of("app.test", backend));
    }
    let ask = |target: &str, body: &str| {
        let mut client = router.client();
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\n{body}"
        ));
        client.response()
    };
    for body in ["", "bo"] {
        for _ in 0..2 {
            let response = ask("/", body);
            let error = response.header("X-Cf-RouterError");
            assert_eq!(
                (response.status, error),
                (502, Some("endpoint_failure (context deadline exceeded)"))
            );
        }
    }
    assert_eq!(ask("/", "body").text(), "whole");
    assert_eq!(router.metrics().sum("endpoints_ejected"), 0.0);
    // Who has the whole request is to answer it.
    assert_eq!(ask("/silent", "body").status, 502);
    assert_eq!(router.metrics().sum("endpoints_ejected"), 1.0);
}

#[test]
fn half_of_a_route_s_endpoints_stay_whatever_they_answer() {
    let router = Router::builder()
        .with("balancing.ejection.consecutive_errors", 1)
        .start();
    let ill = [sickly("one"), sickly("two"), sickly("three")];
    for (backend, _) in &ill {
        router.register(&Registration::of("app.test", backend));
    }
    let counts = spread(&router, 20);
    assert_eq!(counts, BTreeMap::from([((503, "ill".to_owned()), 20)]));
    let asked = ill
        .iter()
        .filter(|(backend, _)| backend.requests().len() > 1);
    assert_eq!(asked.count(), 2);
    let alone = sickly("alone");
    router.register(&Registration::of("alone.test", &alone.0));
    for _ in 0..5 {
        assert_eq!(router.get("alone.test", "/").status, 503);
    }
    alone.1.store(false, Ordering::Release);
    assert_eq!(router.get("alone.test", "/").text(), "alone");
}

#[test]
fn without_the_option_nobody_is_left_out() {
    let router = Router::start();
    let (ill, _) = sickly("never");
    let sound = Backend::saying("sound");
    router.register(&Registration::of("app.test", &ill));
    router.register(&Registration::of("app.test", &sound));
    assert_eq!(served(&router, 40, "sound"), 20);
    assert_eq!(router.metrics().sum("endpoints_ejected"), 0.0);
}
