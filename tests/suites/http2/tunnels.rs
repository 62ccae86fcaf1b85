//! WebSockets: an upgrade in HTTP/1.1, an extended CONNECT in HTTP/2 (RFC 8441), and each behind the other.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_tests::flag::NONE;
use cloverleaf_tests::{
    Backend, Broken, Client, FrameClient, Gate, Http2Backend, Outcome, Registration, Router,
    eventually, ok,
};
use rustix::process::Signal;

use super::asked::{Asked, Length};
use super::caller::Call;
use super::world::{BACKS, FRONTS, World};

/// Takes a WebSocket, gives lines back, and ends behind `bye`.
fn echo(asked: &mut Asked<'_>) -> Result<(), Broken> {
    if asked.upgrade() != "websocket" {
        return asked.answer_with(400, "no WebSocket");
    }
    assert_eq!(asked.header("sec-websocket-version"), "13");
    match asked {
        Asked::Http1 { .. } => {
            assert!(asked.header("sec-websocket-key").len() >= 24);
            asked.answer(
                101,
                &[
                    ("Connection", "Upgrade"),
                    ("Upgrade", "websocket"),
                    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                    ("X-Answer", "here"),
                ],
                Length::None,
            )?;
        }
        Asked::Http2 { .. } => {
            assert_eq!(asked.method(), "CONNECT");
            assert_eq!(asked.header("sec-websocket-key"), "");
            asked.answer(200, &[("x-answer", "here")], Length::Unknown)?;
        }
    }
    loop {
        let line = asked.exactly(5)?;
        asked.send(line.clone())?;
        if line == b"bye!\n" {
            return asked.end(&[]).and(Err(Broken::Lost));
        }
    }
}

#[track_caller]
fn say(call: &mut Call, line: &str) {
    call.send(line.to_owned());
    assert_eq!(call.exactly(line.len()), line.as_bytes());
}

//
#[test]
fn a_websocket_passes_whatever_is_spoken_on_either_side() {
    let world = World::new(echo);
    let mut count = 0;
    for front in FRONTS {
        for back in BACKS {
            let name = format!("{front:?} -> {back:?}");
            let mut call = world.websocket(front, back.host());
            let head = call.head();
            let status = if front.is_http2() { 200 } else { 101 };
            assert_eq!(head.status, status, "{name}: {head:?}");
            assert_eq!(head.header("x-answer"), "here", "{name}");
            let accept = head.header("sec-websocket-accept");
            let (expected, upgrade) = match front.is_http2() {
                true => ("", ""),
                false => ("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "websocket"),
            };
            assert_eq!(accept, expected, "{name}");
            assert_eq!(head.header("upgrade"), upgrade, "{name}");
            say(&mut call, "ping\n");
            say(&mut call, "pong\n");
            call.send("bye!\n");
            assert_eq!(call.rest_of_tunnel(), b"bye!\n", "{name}");
            // A client of HTTP/2 was told of tunnels with the answer to another request.
            count += if front.is_http2() { 2 } else { 1 };
            let lines = world.router.access_log().wait_for(count);
            assert_eq!(lines[count - 1].status, "101", "{name}");
        }
    }
    eventually("the counter", || {
        (world.router.metrics().sum("websocket_upgrades") == 16.0).then_some(())
    });
}

#[test]
fn the_end_of_either_side_of_a_websocket_reaches_the_other() {
    let world = World::new(|asked| match asked {
        Asked::Http1 { peer, .. } => {
            let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            peer.send(head).map_err(super::asked::broken)?;
            // All that comes until the client's end, and then the last words.
            let text = peer.wire().rest().0;
            peer.send(text).map_err(super::asked::broken)?;
            Err(Broken::Lost)
        }
        Asked::Http2 { .. } => {
            asked.answer(200, &[], Length::Unknown)?;
            let mut text = Vec::new();
            while let Some(piece) = asked.piece()? {
                text.extend_from_slice(&piece);
            }
            asked.send(text)?;
            asked.end(&[])
        }
    });
    for front in FRONTS {
        for back in BACKS {
            let mut call = world.websocket(front, back.host());
            call.head();
            call.send("last words");
            call.end_tunnel();
            assert_eq!(
                call.rest_of_tunnel(),
                b"last words",
                "{front:?} -> {back:?}"
            );
        }
    }
}

#[test]
fn an_upgrade_that_is_refused_is_answered_as_any_request() {
    let world = World::new(|asked| asked.answer_with(403, "not here"));
    for front in FRONTS {
        for back in BACKS {
            let (head, rest) = world.websocket(front, back.host()).answer();
            let name = format!("{front:?} -> {back:?}");
            assert_eq!(
                (head.status, rest.text().as_str()),
                (403, "not here"),
                "{name}"
            );
        }
    }
}

#[test]
fn a_backend_that_takes_no_tunnels_is_asked_for_an_upgrade_in_http_1() {
    let world = World::new(echo);
    let plain = Http2Backend::scripted(|request| request.answer_with(200, &[], "two"));
    let both = super::world::Both::of(&world.http1, plain.port());
    let registration = Registration::at("both.test", both.port()).with("protocol", "http2");
    world.router.register(&registration);
    for front in FRONTS {
        for _ in 0..5 {
            let mut call = world.websocket(front, "both.test");
            let status = if front.is_http2() { 200 } else { 101 };
            assert_eq!(call.head().status, status, "{front:?}");
            say(&mut call, "ping\n");
        }
        assert_eq!(
            world.router.get("both.test", "/").text(),
            "two",
            "{front:?}"
        );
    }
    assert_eq!(world.http1.connections(), 20);
    // Each worker has asked once.
    assert!(plain.connections() <= 2, "{}", plain.connections());
}

#[test]
fn a_drain_waits_for_requests_and_not_for_tunnels_whatever_carries_them() {
    const TUNNEL: [(&str, &str); 5] = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "app.test"),
    ];
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let backend = Backend::scripted(move |peer| {
        if peer.request()?.header("Upgrade").is_some() {
            peer.send("HTTP/1.1 101 Status\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
            return peer.wire().more();
        }
        held.wait();
        peer.send(ok("finished"))
    });
    let mut router = Router::builder()
        .with("enable_http2_prior_knowledge", true)
        .with("drain_timeout", "60s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let mut tunnels = FrameClient::connect(router.port());
    let mut mixed = FrameClient::connect(router.port());
    for stream in [1, 3, 5, 7, 9] {
        for client in [&mut tunnels, &mut mixed] {
            client.head(stream, &TUNNEL, NONE);
            assert_eq!(client.outcome(stream), Outcome::Answer(200));
        }
    }
    mixed.get(11, "/");
    let mut busy: Vec<Client> = (0..4).map(|_| router.client()).collect();
    for client in &mut busy {
        client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    backend.wait_for_requests(15);
    router.process().signal(Signal::USR1);
    router.wait_for_event("Draining with 5 outstanding active connections");
    gate.open();
    for client in &mut busy {
        assert_eq!(client.response().text(), "finished");
    }
    assert_eq!(mixed.outcome(11), Outcome::Answer(200));
    let ended = router.process().wait_for(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0));
}
