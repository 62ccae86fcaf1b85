//! Connections that change their protocol.

use std::time::Duration;

use cloverleaf_tests::{Backend, Client, End, RefusedPort, Registration, Router, eventually};

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Switches and then gives back what it gets, until it gets `bye`.
fn echo() -> Backend {
    Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        loop {
            let line = peer.wire().until(b"\n")?;
            if line == b"bye\n" {
                return Ok(());
            }
            peer.send(line)?;
        }
    })
}

fn say(client: &mut Client, line: &str) {
    client.send(line);
    assert_eq!(
        client.wire().exactly(line.len()),
        Ok(line.as_bytes().to_vec())
    );
}

// covers: R-210 R-214 R-215
#[test]
fn bytes_go_both_ways_behind_a_101_until_one_side_closes() {
    let (router, backend) = (Router::start(), echo());
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    let response = client.head();
    assert_eq!(
        (response.status, response.header("Upgrade")),
        (101, Some("websocket"))
    );
    let seen = backend.request();
    assert_eq!(
        (seen.header("Connection"), seen.header("Upgrade")),
        (Some("Upgrade"), Some("websocket"))
    );
    say(&mut client, "ping\n");
    say(&mut client, "pong\n");
    assert!(
        router.access_log().lines().is_empty(),
        "the exchange is not over"
    );
    assert!(client.is_silent(Duration::from_millis(300)));
    client.send("bye\n");
    assert_eq!(client.end(), End::Closed);
    let line = router.access_log().line();
    assert_eq!(line.status, "101");
    let seconds: f64 = line
        .field("response_time")
        .parse()
        .expect("a number of seconds");
    assert!(
        seconds >= 0.3,
        "the whole time of the connection: {}",
        line.text
    );
    eventually("the counters", || {
        let metrics = router.metrics();
        (metrics.sum("websocket_upgrades") == 1.0
            && metrics.labelled("responses", "status_group=\"xxx\"") == 1.0)
            .then_some(())
    });
}

//
#[test]
fn the_backend_sees_a_client_that_hangs_up() {
    let (router, backend) = (Router::start(), echo());
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    say(&mut client, "ping\n");
    drop(client);
    eventually("the backend's connection to end", || {
        (backend.ended_connections() == 1).then_some(())
    });
    assert_eq!(router.access_log().line().status, "101");
}

//
#[test]
fn an_upgrade_may_be_asked_for_in_any_spelling_of_connection() {
    let (router, backend) = (Router::start(), echo());
    router.register(&Registration::of("app.test", &backend));
    for connection in [
        "Connection: keep-alive, Upgrade",
        "Connection: keep-alive\r\nConnection: upgrade",
    ] {
        let mut client = router.client();
        client.send(UPGRADE.replace("Connection: Upgrade", connection));
        assert_eq!(client.head().status, 101, "{connection}");
        say(&mut client, "ping\n");
    }
}

//
#[test]
fn an_app_that_does_not_switch_has_answered() {
    let backend = Backend::answering(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nown");
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (404, "own"));
    assert_eq!(
        client.get("app.test", "/").text(),
        "own",
        "the connection goes on"
    );
}

//
#[test]
fn an_upgrade_that_no_backend_takes_is_a_bad_gateway() {
    let (router, dead) = (Router::start(), RefusedPort::new());
    router.register(&Registration::at("app.test", dead.number()));
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.response().status, 502);
    eventually("the counter", || {
        (router.metrics().sum("websocket_failures") == 1.0).then_some(())
    });
}

//
#[test]
fn an_upgraded_connection_outlives_the_endpoint_timeout() {
    let (router, backend) = (
        Router::builder().with("endpoint_timeout", "200ms").start(),
        echo(),
    );
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    assert!(client.is_silent(Duration::from_millis(600)));
    say(&mut client, "still here\n");
}

/// Switches, reads until the other side has ended its direction, and only then says how much that was.
fn late() -> Backend {
    Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let (bytes, end) = peer.wire().rest();
        if end != End::Closed {
            return Err(end);
        }
        // Nothing comes any more: this is a wait.
        peer.wire().more_within(Duration::from_millis(100)).ok();
        peer.send(format!("{} bytes", bytes.len()))
    })
}

#[test]
fn a_client_that_has_said_all_still_hears_the_end() {
    let (router, backend) = (Router::start(), late());
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client.send("x".repeat(100_000));
    client.wire().half_close();
    let (heard, end) = client.wire().rest();
    assert_eq!(
        (String::from_utf8_lossy(&heard).as_ref(), end),
        ("100000 bytes", End::Closed)
    );
    assert_eq!(router.access_log().line().status, "101");
}

#[test]
fn what_a_backend_said_before_it_closed_arrives_whole() {
    let backend = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let piece = vec![b'x'; 1024 * 1024];
        (0..8).try_for_each(|_| peer.send(&piece))
    });
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = Client::connect_with_receive_buffer(router.port(), 16 * 1024);
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    // The backend has long closed when the client begins to read.
    eventually("the backend to have sent what it can", || {
        (backend.ended_connections() == 1 || client.is_silent(Duration::from_millis(200)))
            .then_some(())
    });
    let (heard, end) = client.wire().rest();
    assert_eq!((heard.len(), end), (8 * 1024 * 1024, End::Closed));
}

#[test]
fn a_silent_upgraded_connection_outlives_the_idle_timeout_of_clients() {
    let (router, backend) = (
        Router::builder()
            .with("frontend_idle_timeout", "300ms")
            .with("read_header_timeout", "300ms")
            .start(),
        echo(),
    );
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    assert!(client.is_silent(Duration::from_millis(1_500)));
    say(&mut client, "still here\n");
}

#[test]
fn an_end_of_the_backend_is_logged_and_the_client_told() {
    let (router, backend) = (Router::start(), echo());
    router.register(&Registration::of("app.test", &backend));
    let mut clients = [(); 3].map(|()| router.client());
    for client in &mut clients {
        client.send(UPGRADE);
        assert_eq!(client.head().status, 101);
    }
    drop(backend);
    for client in &mut clients {
        let (rest, end) = client.wire().rest();
        assert!(rest.is_empty() && end != End::Silent, "{end:?}");
    }
    let lines = router.access_log().wait_for(3);
    assert!(lines.iter().all(|line| line.status == "101"), "{lines:#?}");
}
