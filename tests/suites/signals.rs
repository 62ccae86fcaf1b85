//! How a router ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloverleaf_tests::{
    Backend, Client, End, Gate, LIMIT, Registration, Router, break_listener, eventually, ok,
};
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
    assert_eq!(router.log().with_message("router.drain.timed-out").len(), 1);
}

#[test]
fn a_drain_is_told_step_by_step() {
    let (backend, gate) = held();
    let mut router = Router::builder()
        .with("drain_wait", "200ms")
        .with("drain_timeout", "15s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let idle: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = router.client();
            assert_eq!(client.get("unknown.test", "/").status, 404);
            client
        })
        .collect();
    let mut busy = in_flight(&router, &backend);
    router.process().signal(Signal::USR1);
    let draining = router.wait_for_event("gorouter-draining");
    assert_eq!(draining.data("wait_seconds").as_f64(), Some(0.2));
    assert_eq!(draining.data("timeout_seconds").as_f64(), Some(15.0));
    router.wait_for_event("Draining with 1 outstanding active connections");
    router.wait_for_event("Draining with 3 outstanding idle connections");
    drop(idle);
    gate.open();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(router.process().wait().code(), Some(0));
    let stopped = router.log().with_message("gorouter.stopped");
    assert!(stopped[0].data("took").as_u64().expect("nanoseconds") > 0);
    assert!(
        router
            .log()
            .with_message("router.drain.timed-out")
            .is_empty()
    );
}

//
#[test]
fn no_request_fails_during_the_drain_wait_under_load() {
    const WAIT: Duration = Duration::from_millis(1500);
    let backend = Backend::saying("here");
    let mut router = Router::builder()
        .with("drain_wait", "1500ms")
        .with("drain_timeout", "15s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let port = router.port();
    // Half of the clients keep their connection, as a load balancer does; the others make one for each request.
    let clients: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let mut served = 0_u32;
                let mut kept = None;
                loop {
                    match one_request(port, &mut kept) {
                        Ok(()) => served += 1,
                        Err(error) => return (served, Instant::now(), error),
                    }
                    if number % 2 == 0 {
                        kept = None;
                    }
                }
            })
        })
        .collect();
    eventually("load", || {
        (router.access_log().lines().len() >= 500).then_some(())
    });
    let signalled = Instant::now();
    router.process().signal(Signal::USR1);
    for client in clients {
        let (served, failed, error) = client.join().expect("a client");
        assert!(served > 0);
        let after = failed.duration_since(signalled);
        assert!(after >= WAIT, "{error} after {after:?}");
    }
    assert_eq!(router.process().wait().code(), Some(0));
    let lines = router.access_log().lines();
    assert!(lines.iter().all(|line| line.status == "200"));
}

/// One request on the connection that is kept, else on a new one, which is kept then unless the router ends it. Connections
/// that end in order before anything was sent on them are no failure: another is made.
fn one_request(port: u16, kept: &mut Option<TcpStream>) -> std::io::Result<()> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => TcpStream::connect(("127.0.0.1", port))?,
    };
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    while !answer.ends_with(b"here") {
        match stream.read(&mut bytes)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&bytes[..count]),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    if !text.contains("Connection: close") {
        *kept = Some(stream);
    }
    Ok(())
}

//
#[test]
fn connections_that_wait_to_be_accepted_when_the_drain_begins_are_served() {
    let backend = Backend::saying("here");
    let mut router = Router::builder()
        .with("go_max_procs", 1)
        .with("drain_wait", "0s")
        .with("drain_timeout", "15s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    // A process that stands still accepts nothing, while the kernel completes connections on its behalf.
    router.process().signal(Signal::STOP);
    let mut clients: Vec<Client> = (0..400)
        .map(|_| {
            let mut client = router.client();
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client
        })
        .collect();
    router.process().signal(Signal::USR1);
    router.process().signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(client.response().text(), "here");
    }
    assert_eq!(router.process().wait().code(), Some(0));
}

#[test]
fn upgraded_connections_do_not_hold_a_drain_up() {
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        peer.wire().more()
    });
    let mut router = Router::builder().with("drain_timeout", "60s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    assert_eq!(client.head().status, 101);
    router.process().signal(Signal::USR1);
    assert_eq!(
        router.process().wait_for(Duration::from_secs(10)).code(),
        Some(0)
    );
    assert_ne!(client.end(), End::Silent);
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

#[test]
fn a_listener_that_fails_drains_the_router_and_ends_it_with_code_1() {
    let (backend, gate) = held();
    let mut router = Router::builder().with("drain_timeout", "15s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut busy = in_flight(&router, &backend);
    let port = router.port();
    break_listener(router.process(), port);
    let failed = router.wait_for_event("listener-failed");
    assert_eq!(
        (failed.level(), failed.source()),
        (3, Some("gorouter.router"))
    );
    router.wait_for_event("gorouter-draining");
    assert_eq!(router.status("/health").status, 503);
    gate.open();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(router.process().wait().code(), Some(1));
    router.wait_for_event("gorouter.exited");
}
