//! TLS with backends: when it is spoken, on which connections, and what happens where something is wrong with it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use cloverleaf_tests::{
    Authority, Backend, Gate, Registration, Response, Router, Start, TlsFront, eventually, ok,
};
use serde_json::json;

fn router(authority: &Authority) -> Start {
    Router::builder().with("ca_certs", json!([authority.certificate()]))
}

/// `app.test` at this port over TLS, where `instance-1` must be proved.
fn over_tls(port: u16) -> Registration {
    Registration::at("app.test", port)
        .with("tls_port", port)
        .with("server_cert_domain_san", "instance-1")
}

fn error(response: &Response) -> &str {
    response.header("X-Cf-RouterError").unwrap_or_default()
}

/// Whether the route has lost its endpoint.
fn is_emptied(router: &Router) -> bool {
    let table = router.routes();
    table["app.test"].as_array().is_none_or(Vec::is_empty)
}

//
#[test]
fn an_instance_that_gets_a_tls_port_is_spoken_to_over_tls_from_then_on() {
    let authority = Authority::new("instances");
    let backend = Backend::saying("hello");
    let secured = TlsFront::before(&backend, &authority.identity(&["instance-1"]));
    let router = router(&authority).start();
    router.register(&Registration::at("app.test", secured.port()));
    // What listens there does not understand a request in plain text.
    assert_eq!(router.get("app.test", "/").status, 502);

    router.register(&over_tls(secured.port()));
    eventually("TLS to be spoken", || {
        (router.get("app.test", "/").text() == "hello").then_some(())
    });
    let table = router.routes();
    assert_eq!(table["app.test"].as_array().map(Vec::len), Some(1));
}

//
#[test]
fn connections_over_tls_are_used_again_also_after_a_registration() {
    let authority = Authority::new("instances");
    let backend = Backend::saying("hello");
    let secured = TlsFront::before(&backend, &authority.identity(&["instance-1"]));
    let router = router(&authority).start();
    router.register(&over_tls(secured.port()));
    let mut client = router.client();
    for _ in 0..5 {
        assert_eq!(client.get("app.test", "/").text(), "hello");
        router.register(&over_tls(secured.port()));
    }
    assert_eq!((backend.requests().len(), secured.connections()), (5, 1));
}

//
#[test]
fn an_instance_is_known_by_its_name_and_by_no_other() {
    let authority = Authority::new("instances");
    let backend = Backend::saying("hello");
    let router = router(&authority).start();
    let right = TlsFront::before(&backend, &authority.identity(&["instance-1"]));
    router.register(&over_tls(right.port()));
    assert_eq!(router.get("app.test", "/").text(), "hello");
    router.unregister(&over_tls(right.port()));

    let wrong = TlsFront::before(&backend, &authority.identity(&["instance-2"]));
    router.register(&over_tls(wrong.port()));
    let response = router.get("app.test", "/");
    assert_eq!(response.status, 503);
    assert!(
        error(&response).starts_with("endpoint_failure (x509: "),
        "{response:?}"
    );
    assert_eq!(backend.requests().len(), 1);
    eventually("the endpoint to be gone", || {
        is_emptied(&router).then_some(())
    });
}

//
#[test]
fn what_a_certificate_says_cannot_end_a_line_of_the_answer() {
    let authority = Authority::new("instances");
    let stranger = Authority::new("stranger");
    let backend = Backend::saying("hello");
    let router = router(&authority).start();
    // Nobody has verified it when its names are looked at.
    let long = "y".repeat(20_000);
    let names = ["x\r\nSet-Cookie: evil=1\r\n\r\n<script>", &long];
    let front = TlsFront::before(&backend, &stranger.identity(&names));
    router.register(&over_tls(front.port()));
    let response = router.get("app.test", "/");
    assert_eq!(
        (response.status, response.text().as_str()),
        (503, "503 Service Unavailable\n")
    );
    assert_eq!(response.header("Set-Cookie"), None);
    assert!(
        error(&response).contains("xSet-Cookie: evil=1<script>"),
        "{response:?}"
    );
    assert!(error(&response).len() < 1000, "{response:?}");
    let line = router.access_log().line();
    assert!(line.field("x_cf_routererror").contains("evil=1<script>"));
}

//
#[test]
fn stray_bytes_in_place_of_a_handshake_are_525_and_cost_the_endpoint_its_place() {
    let authority = Authority::new("instances");
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"220 mail.test ESMTP\r\n",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x16\x03\x03\xff\xff\x02",
    ] {
        let router = router(&authority).start();
        let backend = Backend::scripted(move |peer| {
            peer.send(bytes)?;
            // Until the router has had enough of it.
            peer.wire().until(b"never").map(drop)
        });
        router.register(&over_tls(backend.port()));
        let response = router.get("app.test", "/");
        assert_eq!(
            (response.status, response.text().as_str()),
            (525, "525 SSL Handshake Failed\n"),
            "{bytes:?}"
        );
        assert_eq!(
            error(&response),
            "endpoint_failure (tls: first record does not look like a TLS handshake)"
        );
        eventually("the endpoint to be gone", || {
            is_emptied(&router).then_some(())
        });
        assert_eq!(router.metrics().sum("backend_tls_handshake_failed"), 1.0);
    }
}

#[test]
fn a_backend_that_does_not_go_on_with_the_handshake_is_given_up() {
    let authority = Authority::new("instances");
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let silent = Backend::scripted(move |_| {
        held.wait();
        Ok(())
    });
    let router = router(&authority)
        .with("tls_handshake_timeout", "200ms")
        .start();
    router.register(&over_tls(silent.port()));
    let began = std::time::Instant::now();
    let response = router.get("app.test", "/");
    assert_eq!(response.status, 502);
    assert_eq!(
        error(&response),
        "endpoint_failure (net/http: TLS handshake timeout)"
    );
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    gate.open();
}

#[test]
fn a_silent_backend_costs_a_request_nothing_but_time_where_there_is_another() {
    let authority = Authority::new("instances");
    let backend = Backend::saying("hello");
    let front = TlsFront::before(&backend, &authority.identity(&["instance-1"]));
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let silent = Backend::scripted(move |_| {
        held.wait();
        Ok(())
    });
    let router = router(&authority)
        .with("tls_handshake_timeout", "200ms")
        .start();
    router.register(&over_tls(silent.port()));
    router.register(&over_tls(front.port()));
    for _ in 0..4 {
        assert_eq!(router.get("app.test", "/").text(), "hello");
    }
    gate.open();
}

//
#[test]
fn what_was_proved_for_one_name_is_not_used_for_another_at_the_same_address() {
    let authority = Authority::new("instances");
    let backend = Backend::saying("hello");
    let identity = authority.identity(&["instance-1", "instance-2"]);
    let front = TlsFront::before(&backend, &identity);
    let router = router(&authority).with("go_max_procs", 1).start();
    let named = |host: &str, name: &str| {
        let registration = Registration::at(host, front.port());
        registration
            .with("tls_port", front.port())
            .with("server_cert_domain_san", name)
    };
    router.register(&named("one.test", "instance-1"));
    router.register(&named("two.test", "instance-2"));
    router.register(&named("stale.test", "instance-3"));
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(client.get("one.test", "/").text(), "hello");
        assert_eq!(client.get("two.test", "/").text(), "hello");
    }
    assert_eq!((backend.requests().len(), front.connections()), (6, 2));
    // Both of these connections are there and idle, and neither will do.
    assert_eq!(client.get("stale.test", "/").status, 503);
    assert_eq!(backend.requests().len(), 6);
}

// With TLS 1.3 a backend says only behind the handshake that it does not like the router's certificate: the request is on
// its way by then.
#[test]
fn a_request_whose_body_has_begun_to_go_out_is_not_sent_elsewhere_without_it() {
    let (instances, clients) = (Authority::new("instances"), Authority::new("clients"));
    let (backend, own) = (Backend::saying("hello"), clients.identity(&["router"]));
    let identity = instances.identity(&["instance-1"]);
    let sound = TlsFront::guarded(&clients, &backend, &identity);
    let stale = TlsFront::guarded(&Authority::new("stale"), &backend, &identity);
    // Two requests to a router that knows both: one of them goes to each.
    let statuses = |rest: &str| {
        let router = router(&instances)
            .with("backends.cert_chain", own.certificate.clone())
            .with("backends.private_key", own.key.clone())
            .start();
        router.register(&over_tls(stale.port()));
        router.register(&over_tls(sound.port()));
        let mut statuses = [(); 2].map(|()| {
            let mut client = router.client();
            client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{rest}"));
            client.response().status
        });
        statuses.sort_unstable();
        statuses
    };
    for _ in 0..4 {
        let known = statuses("Content-Length: 4\r\n\r\nbody");
        let chunked = statuses("Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        assert_eq!((known, chunked), ([200, 496], [200, 496]));
    }
    assert!(backend.requests().iter().all(|seen| seen.text() == "body"));
    // What has no body is whole all the same.
    assert_eq!(statuses("Content-Length: 0\r\n\r\n"), [200, 200]);
}

/// A way to `port`; once the switch is on, the router gets what is no TLS behind all that it sends.
fn garbling(port: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let own = listener.local_addr().expect("a bound listener").port();
    let switch = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&switch);
    thread::spawn(move || {
        for router in listener.incoming().flatten() {
            let switch = Arc::clone(&shared);
            thread::spawn(move || garble(router, port, &switch).ok());
        }
    });
    (own, switch)
}

fn garble(mut router: TcpStream, port: u16, switch: &AtomicBool) -> io::Result<()> {
    let mut backend = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (mut from_backend, mut to_router) = (backend.try_clone()?, router.try_clone()?);
    thread::spawn(move || io::copy(&mut from_backend, &mut to_router).ok());
    let mut bytes = [0; 64 * 1024];
    loop {
        let count = router.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        backend.write_all(&bytes[..count])?;
        if switch.load(Ordering::Acquire) {
            router.write_all(b"no record of TLS")?;
        }
    }
}

#[test]
fn a_record_that_is_none_behind_an_answer_is_the_end_of_a_connection_and_of_no_endpoint() {
    let authority = Authority::new("instances");
    let backend = Backend::scripted(|peer| {
        loop {
            let request = peer.request()?;
            if request.target() == "/unanswered" {
                peer.wire().rest();
                return Ok(());
            }
            peer.send(ok("hello"))?;
        }
    });
    let front = TlsFront::before(&backend, &authority.identity(&["instance-1"]));
    let router = router(&authority).with("go_max_procs", 1).start();
    let ways = [garbling(front.port()), garbling(front.port())];
    for (port, _) in &ways {
        router.register(&over_tls(*port));
    }
    for _ in 0..4 {
        assert_eq!(router.get("app.test", "/").text(), "hello");
    }
    for (_, switch) in &ways {
        switch.store(true, Ordering::Release);
    }
    let mut client = router.client();
    client.send("POST /unanswered HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 502);
    assert!(
        error(&response).starts_with("endpoint_failure (tls: "),
        "{response:?}"
    );
    backend.wait_for_requests(5);
    let asked = backend.requests();
    let asked = asked.iter().filter(|seen| seen.target() == "/unanswered");
    assert_eq!(asked.count(), 1, "it was sent once");
    router.settle();
    let table = router.routes();
    assert_eq!(table["app.test"].as_array().map(Vec::len), Some(2));
}

//
#[test]
fn a_connection_that_is_closed_without_the_word_of_tls_is_closed_all_the_same() {
    let authority = Authority::new("instances");
    let identity = authority.identity(&["instance-1"]);
    let router = router(&authority).start();
    // Closes each connection as soon as a second request is on it: too late for the router to have seen it coming.
    let stale = Backend::scripted(|peer| {
        peer.request()?;
        peer.send(ok("first"))?;
        peer.request().map(drop)
    });
    let front = TlsFront::abrupt(&stale, &identity);
    router.register(&over_tls(front.port()));
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(client.get("app.test", "/").text(), "first");
    }
    router.unregister(&over_tls(front.port()));

    let closing = Backend::scripted(|peer| peer.request().map(drop));
    let front = TlsFront::abrupt(&closing, &identity);
    router.register(&over_tls(front.port()));
    let response = router.get("app.test", "/");
    assert_eq!(
        (response.status, error(&response)),
        (502, "endpoint_failure (EOF)")
    );
    let alive = Backend::saying("alive");
    let other = TlsFront::before(&alive, &identity);
    router.register(&over_tls(other.port()));
    for _ in 0..4 {
        assert_eq!(router.get("app.test", "/").text(), "alive");
    }
}
