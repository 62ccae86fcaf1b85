//! How a router ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloverleaf_tests::{Backend, Client, End, Gate, Registration, Router, eventually, ok};
use rustix::process::Signal;

/// A backend whose answers wait for a gate.
fn held() -> (Backend, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let shared = Arc::clone(&gate);
    let backend = Backend::answering(move |_| {
        shared.wait();
        ok("finished")
    });
    (backend, gate)
}

/// A client whose request waits at the backend.
fn in_flight(router: &Router, backend: &Backend) -> Client {
    let before = backend.requests().len();
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    backend.wait_for_requests(before + 1);
    client
}

//
#[test]
fn term_and_int_end_the_router_at_once_with_code_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut router, (backend, _gate)) = (Router::start(), held());
        router.register(&Registration::of("app.test", &backend));
        let mut idle = router.client();
        assert_eq!(idle.get("unknown.test", "/").status, 404);
        let mut busy = in_flight(&router, &backend);
        let began = Instant::now();
        router.process().signal(signal);
        assert_eq!(router.process().wait().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(idle.end(), End::Closed);
        assert!(
            matches!(busy.wire().rest(), (rest, End::Closed | End::Reset) if rest.is_empty()),
            "no made-up answer"
        );
        assert!(router.refuses());
        for message in ["gorouter.stopping", "gorouter.stopped", "gorouter.exited"] {
            assert_eq!(router.log().with_message(message).len(), 1, "{message}");
        }
    }
}

// covers: R-273 R-278
#[test]
fn usr1_serves_on_for_the_drain_wait_then_finishes_what_is_in_flight() {
    let (backend, gate) = held();
    let mut router = Router::builder()
        .with("drain_wait", "1s")
        .with("drain_timeout", "15s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut idle = router.client();
    assert_eq!(idle.get("unknown.test", "/").status, 404);
    let mut busy = in_flight(&router, &backend);

    router.process().signal(Signal::USR1);
    eventually("an unhealthy router", || {
        (router.status("/health").status == 503).then_some(())
    });
    assert_eq!(router.get("unknown.test", "/").status, 404, "serves on");
    assert_eq!(
        router
            .status("/is-process-alive-do-not-use-for-loadbalancing")
            .status,
        200
    );
    router.wait_for_event("gorouter-draining");

    assert_eq!(idle.end(), End::Closed);
    eventually("no more connections", || router.refuses().then_some(()));
    assert!(router.is_running(), "a request is in flight");
    gate.open();
    let response = busy.response();
    assert_eq!(response.text(), "finished");
    assert_eq!(busy.end(), End::Closed);
    assert_eq!(router.process().wait().code(), Some(0));
    assert_eq!(
        router
            .access_log()
            .lines()
            .iter()
            .filter(|line| line.status == "200")
            .count(),
        1
    );
}

//
#[test]
fn a_request_that_outlives_the_drain_timeout_is_cut() {
    let (backend, _gate) = held();
    let mut router = Router::builder().with("drain_timeout", "300ms").start();
    router.register(&Registration::of("app.test", &backend));
    let mut busy = in_flight(&router, &backend);
    router.process().signal(Signal::USR1);
    assert_eq!(router.process().wait().code(), Some(0));
    let (rest, end) = busy.wire().rest();
    assert!(
        rest.is_empty() && end != End::Silent,
        "{end:?} {}",
        rest.escape_ascii()
    );
}

//
#[test]
fn a_second_signal_does_not_disturb_a_drain() {
    let (backend, gate) = held();
    let mut router = Router::builder().with("drain_timeout", "15s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut busy = in_flight(&router, &backend);
    router.process().signal(Signal::USR1);
    router.wait_for_event("gorouter-draining");
    for signal in [Signal::TERM, Signal::USR1, Signal::INT] {
        let told = router.log().with_message("gorouter.signal.ignored").len();
        router.process().signal(signal);
        eventually("the signal to be ignored", || {
            (router.log().with_message("gorouter.signal.ignored").len() > told).then_some(())
        });
    }
    gate.open();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(router.process().wait().code(), Some(0));
}

#[test]
fn term_during_the_start_delay_ends_the_router() {
    let mut router = Router::builder()
        .with("start_response_delay_interval", "60s")
        .launch();
    router.wait_for_event("subscriber-started");
    router.process().signal(Signal::TERM);
    assert_eq!(
        router.process().wait_for(Duration::from_secs(5)).code(),
        Some(0)
    );
}

#[test]
fn an_idle_router_drains_without_delay() {
    let mut router = Router::builder().with("drain_timeout", "60s").start();
    router.process().signal(Signal::USR1);
    assert_eq!(
        router.process().wait_for(Duration::from_secs(5)).code(),
        Some(0)
    );
}
