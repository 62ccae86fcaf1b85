//! Upgrades: bytes behind one belong to nobody until the backend has switched.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_tests::{Backend, End, Gate, Registration, Router, ok};

use super::{SMUGGLED, Scene};

fn upgrade(protocol: &str, lines: &str) -> String {
    format!(
        "GET /attack HTTP/1.1\r\nHost: app.test\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n{lines}\r\n"
    )
}

#[test]
fn bytes_behind_an_upgrade_are_not_passed_on_before_the_101() {
    for protocol in ["websocket", "h2c", "other/1"] {
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        let backend = Backend::scripted(move |peer| {
            loop {
                let head = peer.head()?;
                if head.target() == "/attack" {
                    shared.wait();
                    // Whatever came before the answer is unread now.
                    let early = peer.wire().more_within(Duration::from_millis(100));
                    let bytes = peer.wire().unread().len();
                    let verdict = if early == Err(End::Silent) {
                        bytes
                    } else {
                        999
                    };
                    peer.send(ok(&format!("{verdict} bytes early")))?;
                } else {
                    peer.send(ok(head.target()))?;
                }
            }
        });
        let router = Router::builder().with("go_max_procs", 1).start();
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        client.send(format!("{}{SMUGGLED}", upgrade(protocol, "")));
        backend.wait_for_requests(1);
        gate.open();
        assert_eq!(client.response().text(), "0 bytes early", "{protocol}");
        // The app did not switch, so what followed is the client's own next request: with all that the router adds to
        // one, and on a connection on which nobody asked for an upgrade.
        assert_eq!(client.response().text(), "/smuggled", "{protocol}");
        let requests = backend.requests();
        assert_eq!(requests.len(), 2, "{protocol}: {requests:?}");
        assert_ne!(requests[0].connection, requests[1].connection, "{protocol}");
        assert_eq!(requests[1].header("X-Forwarded-For"), Some("127.0.0.1"));
    }
}

#[test]
fn an_upgrade_with_a_body_never_shares_its_backend_connection() {
    let scene = Scene::new();
    let length = format!("Content-Length: {}\r\n", SMUGGLED.len());
    let chunks = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
    for (name, bytes) in [
        (
            "a length",
            format!("{}{SMUGGLED}", upgrade("websocket", &length)),
        ),
        (
            "chunks",
            format!(
                "{}{chunks}",
                upgrade("websocket", "Transfer-Encoding: chunked\r\n")
            ),
        ),
        ("h2c", format!("{}{SMUGGLED}", upgrade("h2c", &length))),
    ] {
        let before = scene.witness.backend.connections();
        let seen = scene.passes(name, bytes);
        assert_eq!(seen.body, SMUGGLED.as_bytes(), "{name}");
        assert!(
            scene.witness.backend.connections() > before,
            "{name}: the connection of the upgrade was used again"
        );
    }
}

#[test]
fn a_body_of_an_upgrade_that_the_app_ignores_is_nobodys_request() {
    // Switches at once and reads on as the new protocol; the old one's body is still on its way.
    let backend = Backend::scripted(|peer| {
        loop {
            let head = peer.head()?;
            if head.target() == "/attack" {
                peer.send(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                )?;
                peer.wire().until(b"bye")?;
                return Ok(());
            }
            peer.send(ok(head.target()))?;
        }
    });
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    let lines = format!("Content-Length: {}\r\n", SMUGGLED.len());
    client.send(upgrade("websocket", &lines));
    assert_eq!(client.head().status, 101);
    client.send(format!("{SMUGGLED}bye"));
    assert_eq!(client.end(), End::Closed);
    assert_eq!(router.get("app.test", "/victim").text(), "/victim");
    let targets: Vec<_> = backend
        .requests()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    assert_eq!(targets, ["/attack", "/victim"]);
}

#[test]
fn a_switch_that_was_not_asked_for_is_a_bad_gateway() {
    for (name, request, answer) in [
        (
            "unasked",
            "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n".to_owned(),
            "websocket",
        ),
        ("another protocol", upgrade("websocket", ""), "h2c"),
        ("a list", upgrade("websocket", ""), "websocket, h2c"),
        (
            "no Connection",
            "GET / HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\n\r\n".to_owned(),
            "websocket",
        ),
        (
            "HTTP/1.0",
            upgrade("websocket", "").replace("HTTP/1.1", "HTTP/1.0"),
            "websocket",
        ),
    ] {
        let backend = Backend::scripted(move |peer| {
            peer.head()?;
            peer.send(format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {answer}\r\n\r\n{}",
                ok("hidden")
            ))?;
            peer.wire().more()
        });
        let router = Router::start();
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        client.send(request);
        let response = client.response();
        assert_eq!(
            (response.status, response.text().as_str()),
            (502, ""),
            "{name}"
        );
        // Whatever the backend takes the connection for now, nobody else gets it.
        client.wire().send(SMUGGLED).ok();
        cloverleaf_tests::eventually("the backend's connection to end", || {
            (backend.ended_connections() > 0).then_some(())
        });
    }
}
