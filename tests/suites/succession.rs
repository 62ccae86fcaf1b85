//! The upgrade of the binary: a next process takes the place of the one that serves.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cloverleaf_tests::soak::Upgrade;
use cloverleaf_tests::{
    Authority, Backend, Client, ComponentLog, End, Gate, Http2Client, Port, Registration, Router,
    Start, TlsClient, eventually, ok, remains, request,
};
use rustix::process::Signal;
use serde_json::json;

fn upgradable() -> Start {
    Router::builder()
        .with("upgrade.socket", "upgrade.sock")
        .with("upgrade.drain_timeout", "60s")
}

#[test]
fn under_load_nobody_is_refused_nobody_is_cut_and_websockets_go_on() {
    let proof = Upgrade {
        websockets: 40,
        newcomers: 3,
        regulars: 3,
        times: 2,
    };
    proof.run().must_hold();
}

/// A router with an idle connection, and with one whose request waits at its instance.
struct Busy {
    /// What the instance waits for.
    gate: Arc<Gate>,
    router: Router,
    idle: Client,
    busy: Client,
    backend: Backend,
}

impl Busy {
    fn new() -> Busy {
        let gate = Arc::new(Gate::default());
        let held = Arc::clone(&gate);
        let backend = Backend::answering(move |_| {
            held.wait();
            ok("finished")
        });
        let router = upgradable().start();
        router.register(&Registration::of("app.test", &backend));
        let mut idle = router.client();
        assert_eq!(idle.get("unknown.test", "/").status, 404);
        let mut busy = router.client();
        busy.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
        backend.wait_for_requests(1);
        Busy {
            gate,
            router,
            idle,
            busy,
            backend,
        }
    }
}

#[test]
fn what_is_in_flight_is_answered_by_the_former_process_which_then_ends() {
    let Busy {
        gate,
        mut router,
        mut idle,
        mut busy,
        backend: _backend,
    } = Busy::new();
    let mut former = router.succeed();
    let handed_over = ComponentLog::wait_for(&former, "upgrade-handed-over");
    assert_eq!(handed_over.data("connections"), 2);
    assert!(
        idle.is_silent(Duration::from_millis(300)),
        "its next request may be on its way"
    );
    let last = idle.get("unknown.test", "/");
    assert_eq!(
        (last.status, last.header("Connection")),
        (404, Some("close"))
    );
    assert_eq!(idle.end(), End::Closed);
    assert!(former.ended().is_none(), "a request is in flight");
    gate.open();
    let response = busy.response();
    assert_eq!(
        (response.text().as_str(), response.header("Connection")),
        ("finished", Some("close"))
    );
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn operators_are_answered_by_the_next_process_alone_and_see_no_gap() {
    let backend = Backend::saying("here");
    let mut router = upgradable().with("debug_addr", "127.0.0.1:0").start();
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").status, 200);
    assert_eq!(
        router
            .metrics()
            .labelled("responses", "status_group=\"2xx\""),
        1.0
    );
    // It keeps the former process there.
    let mut idle = router.client();
    assert_eq!(idle.get("app.test", "/").status, 200);
    let mut former = router.succeed();
    ComponentLog::wait_for(&former, "upgrade-handed-over");
    for _ in 0..20 {
        assert_eq!(router.status("/health").status, 200);
        assert_eq!(
            router
                .metrics()
                .labelled("responses", "status_group=\"2xx\""),
            0.0
        );
    }
    router.register(&Registration::of("app.test", &backend));
    assert!(former.ended().is_none());
    drop(idle);
    assert_eq!(former.wait().code(), Some(0));
}

#[test]
fn health_is_200_for_every_check_and_every_request_is_answered_all_through_an_upgrade() {
    let backend = Backend::saying("here");
    let mut router = upgradable()
        .with("start_response_delay_interval", "2s")
        .with("enable_http2_prior_knowledge", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut emitter = router.bus().client();
    let message = Registration::of("app.test", &backend).message();
    let (health, port, over) = (router.status_port(), router.port(), AtomicBool::new(false));
    let checks = AtomicUsize::new(0);
    thread::scope(|scope| {
        let over = &over;
        // As emitters do: the next process hears of the route while it waits for its time.
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                emitter.publish("router.register", &message);
                thread::sleep(Duration::from_millis(50));
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let answer = Client::connect(health).get("127.0.0.1", "/health");
                assert_eq!(answer.status, 200);
                checks.fetch_add(1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            let mut kept = Client::connect(health);
            while !over.load(Ordering::Relaxed) {
                let answer = kept.get("127.0.0.1", "/health");
                assert_eq!(answer.status, 200);
                if answer.header("Connection") == Some("close") {
                    kept = Client::connect(health);
                }
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let mut client = Http2Client::connect(port);
                let mut conversation = client
                    .open(request("GET", "app.test", "/", &[]), true)
                    .expect("a stream");
                assert_eq!(conversation.answer().text(), "here");
            }
        });
        let mut former = router.succeed();
        assert_eq!(former.wait().code(), Some(0));
        over.store(true, Ordering::Relaxed);
    });
    assert!(checks.load(Ordering::Relaxed) > 100);
}

#[test]
fn when_the_process_before_is_killed_meanwhile_the_next_one_says_how_it_is() {
    let mut router = upgradable()
        .with("start_response_delay_interval", "3s")
        .start();
    let next = router.next_process();
    ComponentLog::wait_for(&next, "subscriber-started");
    router.process().kill();
    assert_eq!(router.status("/health").status, 503);
    assert!(
        ComponentLog::of(&next)
            .with_message("gorouter.started")
            .is_empty()
    );
    ComponentLog::wait_for(&next, "upgrade-completed");
    assert_eq!(router.status("/health").status, 200);
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn a_next_process_that_cannot_start_changes_nothing() {
    let mut router = upgradable().start();
    router.configure(
        "nats.hosts",
        json!([{ "hostname": "127.0.0.1", "port": 1 }]),
    );
    let mut next = router.next_process();
    assert_eq!(next.wait().code(), Some(1));
    router.wait_for_event("upgrade-not-completed");
    assert_eq!(router.get("unknown.test", "/").status, 404);
    assert!(router.is_running());
    let own = json!([{ "hostname": "127.0.0.1", "port": router.bus().port() }]);
    router.configure("nats.hosts", own);
    let mut former = router.succeed();
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn what_is_still_open_at_the_end_of_the_time_is_cut() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        )?;
        peer.wire().until(b"\n").map(drop)
    });
    let mut router = upgradable().with("upgrade.drain_timeout", "1s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    assert_eq!(client.head().status, 101);
    let mut idle = router.client();
    assert_eq!(idle.get("unknown.test", "/").status, 404);
    let mut former = router.succeed();
    ComponentLog::wait_for(&former, "upgrade-handed-over");
    assert!(client.is_silent(Duration::from_millis(300)));
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(
        ComponentLog::of(&former)
            .with_message("router.drain.timed-out")
            .len(),
        1
    );
    assert!(matches!(client.end(), End::Closed | End::Reset));
    assert_eq!(idle.end(), End::Closed);
}

#[test]
fn the_number_of_workers_may_change_and_both_listeners_pass_over() {
    let (authority, port) = (Authority::new("edge"), Port::reserve());
    let identity = authority.identity(&["127.0.0.1"]);
    let mut router = upgradable()
        .with("go_max_procs", 3)
        .with("enable_ssl", true)
        .with("ssl_port", port.number())
        .with("client_cert_validation", "none")
        .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
        .with(
            "tls_pem",
            json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
        )
        .start();
    for workers in [1, 4] {
        router.configure("go_max_procs", workers);
        let mut former = router.succeed();
        assert_eq!(former.wait().code(), Some(0));
        let taken = router.wait_for_event("upgrade-taking-over");
        assert!(taken.data("listeners").as_u64() >= Some(8), "{taken:?}");
        for _ in 0..40 {
            assert_eq!(router.get("unknown.test", "/").status, 404);
            let config = authority.anonymous_client_config(&[]);
            let client = TlsClient::connect(port.number(), config);
            let mut client = client.expect("a TLS connection");
            let (head, _) = client
                .ask("GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n")
                .expect("an answer");
            assert!(head.starts_with("HTTP/1.1 404"), "{head}");
        }
    }
}

#[test]
fn behind_an_upgrade_a_drain_closes_the_port_as_ever() {
    let mut router = upgradable().start();
    let mut former = router.succeed();
    assert_eq!(former.wait().code(), Some(0));
    router.process().signal(Signal::USR1);
    assert_eq!(router.process().wait().code(), Some(0));
    assert!(router.refuses());
    assert!(!router.folder().path().join("upgrade.sock").exists());
}

#[test]
fn a_former_process_that_is_told_to_stop_stops() {
    let mut router = upgradable().start();
    let mut idle = router.client();
    assert_eq!(idle.get("unknown.test", "/").status, 404);
    let mut former = router.succeed();
    ComponentLog::wait_for(&former, "upgrade-handed-over");
    former.signal(Signal::TERM);
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(idle.end(), End::Closed);
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn a_former_process_that_is_told_to_drain_drains_and_a_hangup_is_ignored() {
    let Busy {
        gate,
        mut router,
        mut idle,
        mut busy,
        backend: _backend,
    } = Busy::new();
    let mut former = router.succeed();
    ComponentLog::wait_for(&former, "upgrade-handed-over");
    former.signal(Signal::HUP);
    let ignored = ComponentLog::wait_for(&former, "gorouter.signal.ignored");
    assert_eq!(ignored.data("signal"), "hangup");
    former.signal(Signal::USR1);
    assert_eq!(idle.end(), End::Closed);
    assert!(former.ended().is_none(), "a request is in flight");
    gate.open();
    assert_eq!(busy.response().text(), "finished");
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn another_router_with_the_same_socket_is_left_alone() {
    let mut router = upgradable().start();
    let mut other = upgradable()
        .with(
            "upgrade.socket",
            router
                .folder()
                .path()
                .join("upgrade.sock")
                .display()
                .to_string(),
        )
        .start();
    other.wait_for_event("upgrade-of-another-router");
    router.wait_for_event("upgrade-not-completed");
    remains(
        Duration::from_millis(300),
        "the first router serves",
        || router.is_running() && router.get("unknown.test", "/").status == 404,
    );
    eventually("the other one", || {
        (other.get("unknown.test", "/").status == 404).then_some(())
    });
    other.process().signal(Signal::TERM);
    assert_eq!(other.process().wait().code(), Some(0));
    let mut former = router.succeed();
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn streams_of_http2_finish_on_the_former_process_and_their_connections_are_told_to_go() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Backend::answering(move |_| {
        held.wait();
        ok("finished")
    });
    let mut router = upgradable()
        .with("enable_http2_prior_knowledge", true)
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = Http2Client::connect(router.port());
    let head = request("GET", "app.test", "/", &[]);
    let mut conversation = client.open(head, true).expect("a stream");
    backend.wait_for_requests(1);
    let mut former = router.succeed();
    ComponentLog::wait_for(&former, "upgrade-handed-over");
    gate.open();
    let answer = conversation.answer();
    assert_eq!(answer.text(), "finished");
    assert_eq!(former.wait().code(), Some(0));
    assert_eq!(router.get("unknown.test", "/").status, 404);
}

#[test]
fn a_socket_of_the_supervisors_is_listened_on_by_all_workers_and_outlives_the_router() {
    let socket = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
    let port = socket.local_addr().expect("an address").port();
    let kept = socket.try_clone().expect("a socket");
    let mut router = Router::builder()
        .with("port", port)
        .with_socket(socket)
        .start();
    let given = router.wait_for_event("sockets-of-supervisor");
    assert_eq!(given.data("listeners"), 1);
    for _ in 0..20 {
        assert_eq!(Client::connect(port).get("unknown.test", "/").status, 404);
    }
    router.process().signal(Signal::TERM);
    assert_eq!(router.process().wait().code(), Some(0));
    // As it waits for the next process.
    let waiting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    assert!(waiting.is_ok());
    drop(kept);
}
