//! Answers put together by chance: whatever a backend says to one client, the next gets its own answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cloverleaf_tests::{Backend, End, Registration, Router, ok};

use super::dice::{Dice, time};
use super::lock;
use super::pieces::Pieces;

/// How long the backend waits for a next request before it takes what it said for incomplete.
const PATIENCE: Duration = Duration::from_millis(15);

const STATUS: &[&str] = &[
    "200 OK",
    "200 OK",
    "200 OK",
    "204 No Content",
    "304 Not Modified",
    "100 Continue",
    "103 Early Hints",
    "101 Switching Protocols",
    "500 Oops",
    "099 Low",
];

/// Pieces of answers.
fn pieces() -> Pieces {
    Pieces::with(
        &[
            "Content-Length: 38\r\n",
            "Content-Length: -1\r\n",
            "Trailer: X\r\n",
        ],
        &[
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstray\r\n0\r\n\r\n",
        ],
        &[],
    )
}

/// What a backend might say.
fn answer(pieces: &Pieces, dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.roll(2) {
        let version = dice.pick(&["1.1", "1.1", "1.1", "1.1", "1.0", "2.0"]);
        text += &format!("HTTP/{version} {}\r\n", dice.pick(STATUS));
        pieces.finish(dice, &mut text);
    }
    pieces.damage(dice, &mut text);
    text
}

/// Says what it is told to on `/attack`, and its own name of each other target; waits no longer than it has patience.
fn puppet(words: &Arc<Mutex<String>>) -> Backend {
    let words = Arc::clone(words);
    Backend::scripted(move |peer| {
        loop {
            let request = peer.request()?;
            let is_attack = request.target() == "/attack";
            let answer = match is_attack {
                true => lock(&words).clone(),
                false => ok(request.target()),
            };
            peer.send(answer)?;
            if is_attack {
                peer.wire().more_within(PATIENCE)?;
            }
        }
    })
}

/// The head that the client got can be read in one way only.
fn is_plain(head: &str) -> bool {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let fields: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let count = |name: &str| fields.iter().filter(|field| field.0 == name).count();
    let is_interim = status.get(9..10) == Some("1");
    (status.starts_with("HTTP/1.1 ") || status.starts_with("HTTP/1.0 "))
        && !head.replace("\r\n", "").contains(['\r', '\n', '\0'])
        && (is_interim || count("content-length") + count("transfer-encoding") <= 1)
        && fields
            .iter()
            .filter(|field| field.0 == "content-length")
            .all(|field| is_interim || field.1.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn no_answer_of_a_backend_reaches_anybody_but_who_asked() {
    let (pieces, words) = (pieces(), Arc::new(Mutex::new(String::new())));
    let backend = puppet(&words);
    let router = Router::builder()
        .with("go_max_procs", 1)
        .with("endpoint_timeout", "5s")
        .start();
    router.register(&Registration::of("app.test", &backend));
    let ((mut dice, seed), began, mut answers) = (Dice::new(), Instant::now(), 0);
    while began.elapsed() < time() {
        let said = answer(&pieces, &mut dice);
        lock(&words).clone_from(&said);
        let mut client = router.client();
        let upgrade = match dice.roll(3) {
            0 => "Upgrade: websocket\r\nConnection: Upgrade\r\n",
            _ => "Connection: close\r\n",
        };
        client.send(format!(
            "GET /attack HTTP/1.1\r\nHost: app.test\r\n{upgrade}\r\n"
        ));
        let head = client.wire().until(b"\r\n\r\n");
        let victims =
            [(); 2].map(|()| router.get("app.test", &format!("/victim-{answers}")).text());
        let name = format!(
            "answer {answers} of seed {seed}: {}",
            said.as_bytes().escape_ascii()
        );
        let own = format!("/victim-{answers}");
        assert_eq!(victims, [own.as_str(); 2], "{name}");
        match head {
            Ok(head) => {
                let head = String::from_utf8_lossy(&head).into_owned();
                assert!(is_plain(head.trim_end_matches("\r\n")), "{name}\n{head:?}");
            }
            Err(end) => assert_ne!(end, End::Silent, "{name}"),
        }
        answers += 1;
    }
    println!("{answers} answers");
    assert!(answers > 100, "{answers} answers");
}
