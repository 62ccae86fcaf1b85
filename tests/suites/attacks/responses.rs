//! Backends that try to have one client's answer read by another.

use std::sync::Arc;

use cloverleaf_tests::{Backend, Ended, Registration, Response, Router, eventually, ok};

/// Answers `/attack` with these bytes and goes on; other targets get their own name.
fn hostile(bytes: &[u8]) -> Backend {
    let bytes: Arc<[u8]> = bytes.into();
    Backend::scripted(move |peer| {
        loop {
            let request = peer.request()?;
            if request.target() == "/attack" {
                peer.send(&bytes)?;
            } else {
                let answer = ok(request.target());
                let is_head = request.method() == "HEAD";
                let length = if is_head {
                    answer.len() - request.target().len()
                } else {
                    answer.len()
                };
                peer.send(&answer[..length])?;
            }
        }
    })
}

struct Scene {
    router: Router,
    victims: std::cell::Cell<usize>,
}

impl Scene {
    fn new() -> Scene {
        let router = Router::builder()
            .with("go_max_procs", 1)
            .with("endpoint_timeout", "2s")
            .start();
        Scene {
            router,
            victims: std::cell::Cell::new(0),
        }
    }

    /// What the client gets who asked for it; the next two clients must get their own answers.
    #[track_caller]
    fn answer(&self, name: &str, method: &str, bytes: &[u8]) -> (Response, Backend) {
        let backend = hostile(bytes);
        let host = format!("app-{}.test", self.victims.get());
        self.router.register(&Registration::of(&host, &backend));
        let mut client = self.router.client();
        client.send(format!("{method} /attack HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.response_to(method);
        for _ in 0..2 {
            let number = self.victims.replace(self.victims.get() + 1);
            let target = format!("/victim-{number}");
            let answer = self.router.get(&host, &target);
            assert_eq!(answer.text(), target, "{name}: the next client's answer");
            assert_eq!(answer.interim, [""; 0], "{name}");
        }
        (response, backend)
    }
}

const STRAY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";

#[test]
fn a_head_that_could_be_read_in_two_ways_is_a_bad_gateway() {
    let scene = Scene::new();
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\nhello{STRAY}");
    for (name, bytes) in [
        (
            "two lengths",
            head("Content-Length: 5\r\nContent-Length: 60\r\n"),
        ),
        ("a list of lengths", head("Content-Length: 5, 5\r\n")),
        ("a signed length", head("Content-Length: +5\r\n")),
        ("a negative length", head("Content-Length: -1\r\n")),
        ("an empty length", head("Content-Length:\r\n")),
        ("a hexadecimal length", head("Content-Length: 0x5\r\n")),
        (
            "a length above 63 bits",
            head("Content-Length: 9223372036854775808\r\n"),
        ),
        ("gzip as coding", head("Transfer-Encoding: gzip\r\n")),
        (
            "gzip, chunked",
            head("Transfer-Encoding: gzip, chunked\r\n"),
        ),
        (
            "two codings",
            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ),
        ("an empty coding", head("Transfer-Encoding:\r\n")),
        (
            "identity",
            head("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"),
        ),
        (
            "a folded coding",
            head("Transfer-Encoding:\r\n chunked\r\n"),
        ),
        ("a folded line", head("X: a\r\n Content-Length: 5\r\n")),
        (
            "a bare LF",
            "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello".to_owned(),
        ),
        ("a bare LF in the head", head("X: a\nContent-Length: 5\r\n")),
        (
            "a bare LF as the empty line",
            format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello{STRAY}"),
        ),
        ("a bare CR", head("X: a\rContent-Length: 5\r\n")),
        ("NUL", head("X: a\0\r\nContent-Length: 5\r\n")),
        (
            "a control character",
            head("X: a\u{1}\r\nContent-Length: 5\r\n"),
        ),
        ("a space before the colon", head("Content-Length : 5\r\n")),
        ("a line without colon", head("X\r\nContent-Length: 5\r\n")),
        ("a line without name", head(": x\r\nContent-Length: 5\r\n")),
        ("an empty line first", format!("\r\n{STRAY}")),
        ("no status line", "hello\r\n\r\n".to_owned()),
        ("two digits", STRAY.replace("200", "20")),
        ("four digits", STRAY.replace("200", "2000")),
        ("a signed status", STRAY.replace("200", "+20")),
        ("status 0", STRAY.replace("200", "000")),
        ("status 99", STRAY.replace("200", "099")),
        ("another version", STRAY.replace("HTTP/1.1", "HTTP/2.0")),
        ("no version", STRAY.replace("HTTP/1.1", "ICY")),
        (
            "a lower-case version",
            STRAY.replace("HTTP/1.1", "http/1.1"),
        ),
        (
            "chunks in HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .to_owned(),
        ),
        (
            "a switch",
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n{STRAY}"
            ),
        ),
    ] {
        let (response, backend) = scene.answer(name, "GET", bytes.as_bytes());
        assert_eq!(response.status, 502, "{name}: {response:?}");
        assert!(!response.text().contains("stray"), "{name}");
        let requests = backend.requests();
        assert_eq!(requests.len(), 3, "{name}: nothing is sent twice");
        assert_ne!(requests[0].connection, requests[1].connection, "{name}");
    }
}

#[test]
fn an_answer_that_is_followed_by_bytes_of_its_own_spoils_only_its_connection() {
    let scene = Scene::new();
    for (name, method, bytes, body) in [
        (
            "another answer",
            "GET",
            format!("{}{STRAY}", ok("mine")),
            "mine",
        ),
        ("a line end", "GET", format!("{}\r\n", ok("mine")), "mine"),
        ("one byte", "GET", format!("{}x", ok("mine")), "mine"),
        (
            "behind chunks",
            "GET",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n{STRAY}"
            ),
            "mine",
        ),
        (
            "a body of 204",
            "GET",
            format!("HTTP/1.1 204 No Content\r\n\r\n{STRAY}"),
            "",
        ),
        (
            "a length of 204",
            "GET",
            format!("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n{STRAY}"),
            "",
        ),
        (
            "a body of 304",
            "GET",
            format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n{STRAY}"),
            "",
        ),
        ("a body for HEAD", "HEAD", ok("mine"), ""),
        (
            "chunks for HEAD",
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n"
                .to_owned(),
            "",
        ),
    ] {
        let (response, backend) = scene.answer(name, method, bytes.as_bytes());
        assert_eq!(
            (response.text().as_str(), response.ended),
            (body, Ended::Complete),
            "{name}"
        );
        let requests = backend.requests();
        assert_ne!(requests[0].connection, requests[1].connection, "{name}");
    }
}

#[test]
fn both_framings_are_read_as_chunks_and_the_connection_is_not_used_again() {
    let scene = Scene::new();
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 60\r\n",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n4\r\nmine\r\n0\r\n\r\n");
        let (response, backend) = scene.answer(lines, "GET", bytes.as_bytes());
        assert_eq!(response.text(), "mine");
        assert_eq!(
            response.header("Content-Length"),
            None,
            "one framing goes on"
        );
        let requests = backend.requests();
        assert_ne!(requests[0].connection, requests[1].connection);
    }
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nmine";
    let (response, _) = scene.answer("equal lengths", "GET", twice.as_bytes());
    assert_eq!(
        response.headers.all("Content-Length").collect::<Vec<_>>(),
        ["4"]
    );
}

#[test]
fn a_body_whose_framing_breaks_is_cut_and_never_ends_well() {
    let scene = Scene::new();
    for (name, chunks) in [
        ("a size that is none", "4\r\nmine\r\nG\r\nx\r\n0\r\n\r\n"),
        ("a bare LF", "4\r\nmine\r\n1\nx\r\n0\r\n\r\n"),
        (
            "an overflow",
            "4\r\nmine\r\n10000000000000001\r\nx\r\n0\r\n\r\n",
        ),
        ("data that is too long", "4\r\nmine\r\n1\r\nxx\r\n0\r\n\r\n"),
        (
            "a trailer that frames",
            "4\r\nmine\r\n0\r\nContent-Length: 5\r\n\r\n",
        ),
        (
            "an answer as a trailer",
            "4\r\nmine\r\n0\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\n",
        ),
        ("a bare LF behind a trailer", "4\r\nmine\r\n0\r\nX: y\n\r\n"),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{STRAY}");
        let backend = hostile(bytes.as_bytes());
        let host = format!(
            "cut-{}.test",
            scene.victims.replace(scene.victims.get() + 1)
        );
        scene.router.register(&Registration::of(&host, &backend));
        let mut client = scene.router.client();
        client.send(format!("GET /attack HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let (answer, _) = client.wire().rest();
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.ends_with("0\r\n\r\n"), "{name}: {text:?}");
        assert!(
            !text.contains("stray") && text.matches("HTTP/1.").count() <= 1,
            "{name}: {text:?}"
        );
        assert_eq!(
            scene.router.get(&host, "/victim").text(),
            "/victim",
            "{name}"
        );
    }
}

#[test]
fn an_answer_that_comes_before_its_question_is_nobodys() {
    // Says something more once its connection rests: too late to belong to the request, too early for the next one.
    let backend = Backend::scripted(|peer| {
        let request = peer.request()?;
        peer.send(ok(request.target()))?;
        peer.send(STRAY)?;
        peer.wire().more()
    });
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    for number in 0..3 {
        let target = format!("/{number}");
        assert_eq!(router.get("app.test", &target).text(), target);
        // By then the stray bytes have come, and the connection is not lent to the next.
        eventually("an end of the connection", || {
            (backend.ended_connections() == number + 1).then_some(())
        });
    }
    assert_eq!(backend.connections(), 3);
}

#[test]
fn interim_answers_do_not_shift_the_final_ones() {
    let scene = Scene::new();
    let flood = format!(
        "{}{}",
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(32),
        ok("mine")
    );
    let (response, _) = scene.answer("a flood of 100", "GET", flood.as_bytes());
    assert_eq!(response.text(), "mine");
    let hints = format!(
        "{}{}",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </x>\r\n\r\n".repeat(3),
        ok("mine")
    );
    let (response, _) = scene.answer("lengths of 103", "GET", hints.as_bytes());
    assert_eq!(response.text(), "mine");
    let chunked = format!(
        "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        ok("mine")
    );
    let (response, _) = scene.answer("chunks of 103", "GET", chunked.as_bytes());
    assert_eq!(response.text(), "mine");
    assert!(
        response
            .interim
            .iter()
            .all(|line| line.starts_with("HTTP/1.1 103")),
        "{response:?}"
    );
}

#[test]
fn interim_answers_say_nothing_of_a_length() {
    let backend = hostile(
        format!(
            "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </x>\r\n\r\n{}",
            ok("mine")
        )
        .as_bytes(),
    );
    let router = Router::start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET /attack HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let interim = client.wire().until(b"\r\n\r\n").expect("early hints");
    let interim = String::from_utf8_lossy(&interim).to_ascii_lowercase();
    assert!(
        interim.contains("link: </x>") && !interim.contains("content-length"),
        "{interim:?}"
    );
}

#[test]
fn a_flood_of_interim_answers_ends_at_once() {
    let backend = Backend::scripted(|peer| {
        let request = peer.request()?;
        if request.target() != "/attack" {
            return peer.send(ok(request.target()));
        }
        let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
        loop {
            peer.send(&flood)?;
        }
    });
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    let before = router.peak_memory();
    let mut client = router.client();
    client.send("GET /attack HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(
        router.get("app.test", "/victim").text(),
        "/victim",
        "others are served meanwhile"
    );
    let response = client.response();
    assert_eq!((response.status, response.interim.len()), (502, 32));
    let grown = router.peak_memory() - before;
    assert!(grown < 4 * 1024, "{grown} KiB more");
    eventually("the backend's connections to end", || {
        (backend.ended_connections() == backend.connections()).then_some(())
    });
}
