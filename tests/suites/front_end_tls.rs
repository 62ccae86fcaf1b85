//! Clients over TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use cloverleaf_tests::{
    Authority, Backend, Gate, Identity, LIMIT, Port, Registration, Router, Start, TlsClient,
    TlsFront, eventually, ok,
};
use rustix::process::Signal;
use rustls::ProtocolVersion;
use serde_json::json;

struct Edge {
    authority: Authority,
    port: Port,
}

impl Edge {
    fn new() -> Edge {
        Edge {
            authority: Authority::new("edge authority"),
            port: Port::reserve(),
        }
    }

    /// A router with one identity, whose chain has the authority's certificate behind the leaf.
    fn router(&self) -> Start {
        let identity = self.authority.identity(&["127.0.0.1"]);
        let chain = format!("{}{}", identity.certificate, self.authority.certificate());
        Router::builder()
            .with("enable_ssl", true)
            .with("ssl_port", self.port.number())
            .with("client_cert_validation", "none")
            .with(
                "cipher_suites",
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
            )
            .with(
                "tls_pem",
                json!([{ "cert_chain": chain, "private_key": identity.key }]),
            )
    }

    #[track_caller]
    fn client(&self) -> TlsClient {
        let config = self.authority.anonymous_client_config(&[]);
        TlsClient::connect(self.port.number(), config).expect("a TLS connection")
    }

    #[track_caller]
    fn client_with(&self, identity: &Identity) -> TlsClient {
        let config = self.authority.client_config(identity);
        TlsClient::connect(self.port.number(), config).expect("a TLS connection")
    }

    fn plain(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number()));
        let stream = stream.expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
        stream
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

#[test]
fn without_the_plain_listener_clients_are_served_over_tls_alone() {
    let (edge, backend) = (Edge::new(), Backend::saying("here"));
    let router = edge.router().with("disable_http", true).start();
    router.register(&Registration::of("app.test", &backend));
    let (head, body) = edge.client().ask(GET).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, b"here");
    assert!(router.refuses());
    let log = router.log();
    assert_eq!(log.with_message("tcp-listener-disabled").len(), 1);
    assert!(log.with_message("tcp-listener-started").is_empty());
}

// covers: R-235 R-237 R-136
#[test]
fn requests_are_served_over_tls_1_2_with_an_ecdsa_certificate_and_its_whole_chain() {
    let edge = Edge::new();
    let backend = Backend::saying("hello");
    let router = edge.router().start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = edge.client();
    assert_eq!(client.version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(client.certificates(), 2);
    for _ in 0..3 {
        let (head, body) = client.ask(GET).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, b"hello");
    }
    assert_eq!(
        backend.requests()[0].header("x-forwarded-proto"),
        Some("https")
    );
    assert_eq!(router.get("app.test", "/").body, b"hello", "plain as well");
}

//
#[test]
fn tls_1_3_is_spoken_where_it_is_allowed_and_sessions_are_resumed() {
    let edge = Edge::new();
    let _router = edge.router().with("max_tls_version", "TLSv1.3").start();
    let config = edge.authority.anonymous_client_config(&[]);
    let connect = || {
        let client = TlsClient::connect(edge.port.number(), Arc::clone(&config));
        client.expect("a TLS connection")
    };
    let mut first = connect();
    assert_eq!(first.version(), Some(ProtocolVersion::TLSv1_3));
    assert!(!first.is_resumed());
    // The ticket comes before the answer.
    first.ask(GET).expect("an answer");
    assert!(connect().is_resumed());
}

#[test]
fn large_bodies_pass_whole_in_both_directions() {
    let edge = Edge::new();
    let backend = Backend::answering(|request| {
        let length = request.body.len();
        let mut answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        answer.extend_from_slice(&request.body);
        answer
    });
    let router = edge.router().start();
    router.register(&Registration::of("app.test", &backend));
    let body: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut request = format!(
        "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let (head, echoed) = edge.client().ask(request).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(echoed == body, "what came back is what was sent");
}

// covers: R-242 R-243
#[test]
fn the_application_sees_the_certificate_that_was_presented_whatever_the_client_says() {
    let edge = Edge::new();
    let backend = Backend::saying("hello");
    let router = edge
        .router()
        .with("client_cert_validation", "request")
        .with("client_ca_certs", edge.authority.certificate())
        .with("forwarded_client_cert", "sanitize_set")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let lies = "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Client-Cert: lie\r\n\
        X_Forwarded_Client_Cert: lie\r\nConnection: X-Forwarded-Client-Cert\r\n\r\n";
    let identity = edge.authority.identity(&["client.test"]);
    let (head, _) = edge.client_with(&identity).ask(lies).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let seen = backend.request();
    let pem: String = identity
        .certificate
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    assert_eq!(seen.header("x-forwarded-client-cert"), Some(pem.as_str()));
    assert_eq!(seen.header("x_forwarded_client_cert"), None);

    edge.client().ask(lies).expect("an answer");
    let seen = &backend.requests()[1];
    assert_eq!(seen.header("x-forwarded-client-cert"), None);
    assert_eq!(seen.header("x_forwarded_client_cert"), None);
}

// covers: R-239 R-240
#[test]
fn a_required_certificate_of_another_authority_ends_the_handshake() {
    let edge = Edge::new();
    let stranger = Authority::new("stranger");
    let _router = edge
        .router()
        .with("client_cert_validation", "require")
        .with("client_ca_certs", edge.authority.certificate())
        .with("only_trust_client_ca_certs", true)
        .with("ca_certs", json!([stranger.certificate()]))
        .start();
    let good = edge.authority.identity(&["client.test"]);
    assert!(edge.client_with(&good).ask(GET).is_ok());
    let bad = stranger.identity(&["client.test"]);
    for config in [
        edge.authority.client_config(&bad),
        edge.authority.anonymous_client_config(&[]),
    ] {
        let refused =
            TlsClient::connect(edge.port.number(), config).and_then(|mut client| client.ask(GET));
        assert!(refused.is_err());
    }
}

#[test]
fn a_handshake_that_does_not_go_on_is_cut() {
    let edge = Edge::new();
    let _router = edge.router().with("read_header_timeout", "200ms").start();
    let mut stream = edge.plain();
    // The beginning of a record that says that 512 bytes follow.
    stream.write_all(&[22, 3, 1, 2, 0]).expect("a write");
    let rest = until_the_end(&mut stream);
    assert!(rest.len() < 16, "no more than an alert: {rest:?}");
}

/// All that comes before the end, which may be a reset: what was sent last may not have been read. A connection that stays
/// open is a failure.
#[track_caller]
fn until_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection does not end: {error}"),
    }
    rest
}

#[test]
fn bytes_that_are_neither_tls_nor_http_end_the_connection_and_hurt_nobody() {
    let edge = Edge::new();
    let backend = Backend::saying("hello");
    let router = edge.router().start();
    router.register(&Registration::of("app.test", &backend));
    for bytes in [
        &b"\0\0\0\0\0\0\0\0"[..],
        b"\x16\x03\x01\xff\xff\x01",
        b"\x80\x80\x80",
        b"\r\n\r\n",
    ] {
        let mut stream = edge.plain();
        stream.write_all(bytes).expect("a write");
        stream.shutdown(std::net::Shutdown::Write).expect("an end");
        let rest = until_the_end(&mut stream);
        assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    }
    let (_, body) = edge.client().ask(GET).expect("an answer");
    assert_eq!(body, b"hello");
}

//
#[test]
fn a_drain_ends_idle_connections_and_finishes_what_is_in_flight_over_tls_too() {
    let edge = Edge::new();
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Backend::answering(move |_| {
        held.wait();
        ok("finished")
    });
    let mut router = edge.router().with("drain_timeout", "15s").start();
    router.register(&Registration::of("app.test", &backend));
    let mut idle = edge.client();
    let (head, _) = idle
        .ask("GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n")
        .expect("an answer");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let mut busy = edge.client();
    busy.send(GET).expect("a request");
    backend.wait_for_requests(1);
    router.process().signal(Signal::USR1);
    assert!(idle.is_ended());
    eventually("a closed port", || {
        TcpStream::connect_timeout(
            &(Ipv4Addr::LOCALHOST, edge.port.number()).into(),
            Duration::from_secs(1),
        )
        .is_err()
        .then_some(())
    });
    gate.open();
    let (head, body) = busy.answer().expect("an answer");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(body, b"finished");
    assert_eq!(router.process().wait().code(), Some(0));
}

//
#[test]
fn a_websocket_goes_through_tls_both_ways_until_one_side_ends() {
    let edge = Edge::new();
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        // The first bytes come together with the head.
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi\n")?;
        loop {
            let line = peer.wire().until(b"\n")?;
            if line == b"bye\n" {
                return peer.send("farewell\n");
            }
            peer.send(line)?;
        }
    });
    for version in ["TLSv1.2", "TLSv1.3"] {
        let router = edge.router().with("max_tls_version", version).start();
        router.register(&Registration::of("app.test", &backend));
        let mut client = edge.client();
        client
            .send(
                "GET /chat HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\
                 early\n",
            )
            .expect("a request");
        let (head, _) = client.answer().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(client.exactly(9).expect("bytes"), b"hi\nearly\n");
        // More than one record.
        let long = format!("{}\n", "x".repeat(100_000));
        client.send(&long).expect("bytes");
        assert_eq!(client.exactly(long.len()).expect("bytes"), long.as_bytes());
        client.send("bye\n").expect("bytes");
        assert_eq!(client.exactly(9).expect("bytes"), b"farewell\n");
        assert!(client.is_ended());
        let line = router.access_log().line();
        assert_eq!(line.status, "101");
        let asked = backend.requests().pop().expect("a request");
        assert_eq!(asked.header("x-forwarded-proto"), Some("https"));
    }
}

/// What the log says about this key at the start.
#[track_caller]
fn note_about(router: &Router, key: &str) -> String {
    let notices = router.log().with_message("config-notice");
    let found = notices.iter().find(|event| event.data("key") == key);
    let note = found.map(|event| event.data("note").to_string());
    note.unwrap_or_else(|| panic!("no note about {key}: {notices:?}"))
}

#[test]
fn a_list_of_old_cipher_suites_stands_for_all_that_there_are_and_the_start_says_so() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let edge = Edge::new();
        let router = edge
            .router()
            .with("cipher_suites", "ECDHE-RSA-AES128-SHA")
            .with("max_tls_version", version)
            .start();
        let client = TlsClient::connect(edge.port.number(), edge.authority.client_of_tls_1_2());
        let client = client.expect("a TLS connection");
        assert_eq!(client.version(), Some(ProtocolVersion::TLSv1_2));
        let notices = router.log().with_message("config-notice");
        let is_said = |text: &str| {
            let mut about = notices.iter();
            about.any(|event| {
                event.data("key") == "cipher_suites"
                    && event.data("note").to_string().contains(text)
            })
        };
        assert!(
            is_said("ALL the suites that can are offered"),
            "{notices:?}"
        );
        assert!(is_said("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is skipped"));
    }
}

#[test]
fn a_list_of_suites_of_tls_1_3_alone_leaves_clients_of_tls_1_2_outside() {
    let edge = Edge::new();
    let router = edge
        .router()
        .with("cipher_suites", "TLS_AES_128_GCM_SHA256")
        .with("max_tls_version", "TLSv1.3")
        .start();
    assert_eq!(edge.client().version(), Some(ProtocolVersion::TLSv1_3));
    let config = edge.authority.client_of_tls_1_2();
    assert!(TlsClient::connect(edge.port.number(), config).is_err());
    let note = note_about(&router, "cipher_suites");
    assert!(
        note.contains("no client can connect with TLS 1.2"),
        "{note}"
    );
}

#[test]
fn versions_that_leave_nothing_to_speak_refuse_handshakes_and_nothing_else() {
    let (edge, health) = (Edge::new(), Port::reserve());
    let backend = Backend::saying("hello");
    let identity = edge.authority.identity(&["127.0.0.1"]);
    let router = edge
        .router()
        .with("min_tls_version", "TLSv1.3")
        .with(
            "status.tls",
            json!({
                "port": health.number(),
                "certificate": identity.certificate, "key": identity.key,
            }),
        )
        .start();
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").body, b"hello");
    assert_eq!(router.status("/health").status, 200);
    for port in [edge.port.number(), health.number()] {
        for config in [
            edge.authority.client_of_tls_1_2(),
            edge.authority.anonymous_client_config(&[]),
        ] {
            let refused = TlsClient::connect(port, config).map(drop);
            let refused = refused.expect_err("a refusal");
            assert!(refused.to_string().contains("alert"), "{refused}");
        }
    }
    let note = note_about(&router, "min_tls_version");
    assert!(note.contains("no client can connect"), "{note}");
}

#[test]
fn without_any_authority_to_trust_a_router_starts_and_trusts_nobody() {
    let (edge, backend) = (Edge::new(), Backend::saying("hello"));
    let front = TlsFront::before(&backend, &edge.authority.identity(&["instance-1"]));
    for (mode, anonymous) in [("none", true), ("request", true), ("require", false)] {
        let router = edge
            .router()
            .with("client_cert_validation", mode)
            .with("route_services_secret", "secret")
            .with_variable("SSL_CERT_FILE", "/dev/null")
            .start();
        router.register(&Registration::of("app.test", &backend));
        assert_eq!(router.get("app.test", "/").body, b"hello");
        let secured = Registration::at("secured.test", front.port())
            .with("tls_port", front.port())
            .with("server_cert_domain_san", "instance-1");
        router.register(&secured);
        assert_eq!(router.get("secured.test", "/").status, 526);
        let asks = |config| {
            let client = TlsClient::connect(edge.port.number(), config);
            client.and_then(|mut client| client.ask(GET))
        };
        let config = edge.authority.anonymous_client_config(&[]);
        assert_eq!(asks(config).is_ok(), anonymous, "{mode}");
        let identity = edge.authority.identity(&["client.test"]);
        let config = edge.authority.client_config(&identity);
        assert_eq!(asks(config).is_ok(), mode == "none", "{mode}");
    }
}
