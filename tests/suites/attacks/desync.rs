//! Streams put together by chance: the router and a strict reader must find the same requests in them.

use std::time::Instant;

use cloverleaf_tests::End;

use super::Scene;
use super::dice::{Dice, time};
use super::reference::{Read, Side, request};

/// What a stream comes to.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Targets of the whole requests for the app, in order.
    targets: Vec<String>,
    /// Requests for other hosts, which the router answers itself.
    others: usize,
    /// Whether the connection ends behind them without the client's doing.
    closes: bool,
}

/// What the reference finds in a stream.
fn verdict(mut bytes: &[u8]) -> Verdict {
    let mut verdict = Verdict {
        targets: Vec::new(),
        others: 0,
        closes: true,
    };
    loop {
        match request(bytes, Side::Client) {
            Read::One(request, length) => {
                match request.host.as_str() {
                    "app.test" => verdict.targets.push(request.target),
                    _ => verdict.others += 1,
                }
                if request.closes {
                    return verdict;
                }
                bytes = &bytes[length..];
            }
            Read::Bad(_) => return verdict,
            Read::More => {
                verdict.closes = false;
                return verdict;
            }
        }
    }
}

const LINES: &[&str] = &[
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 60\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding: chunked\n",
    "Connection: keep-alive\r\n",
    "Connection: close\r\n",
    "Connection: content-length, transfer-encoding\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Host: app.test\r\n",
    "X-Mine: yes\r\n",
    "X-Empty:\r\n",
    " folded\r\n",
    "X: a\rb\r\n",
    "no colon\r\n",
];
const BODIES: &[&str] = &[
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "5\r\nhello\r\n0\r\n",
    "0\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "0005\r\nhello\r\n00\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n",
    "",
];
/// One to four requests, more or less right, then damaged now and then.
fn stream(dice: &mut Dice, number: usize) -> Vec<u8> {
    let mut text = String::new();
    for part in 0..=dice.roll(4) {
        let method = dice.pick(&["GET", "POST", "POST", "PUT"]);
        let version = dice.pick(&["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0"]);
        text += &format!("{method} /{number}-{part} HTTP/{version}\r\nHost: app.test\r\n");
        for _ in 0..dice.roll(3) {
            text += dice.pick(LINES);
        }
        // Mostly what belongs together.
        text += match dice.roll(4) {
            0 => "Content-Length: 5\r\n\r\nhello",
            1 => "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            2 => "\r\n",
            _ => "Transfer-Encoding: chunked\r\n\r\n",
        };
        if dice.roll(3) == 0 {
            text += dice.pick(BODIES);
        }
    }
    dice.damage(&mut text, &[LINES, BODIES]);
    text.into_bytes()
}

/// Sends a stream, reads as many answers as the reference finds requests, and looks what else comes.
fn play(scene: &Scene, bytes: &[u8], expected: &Verdict, dice: &mut Dice) -> (Vec<u8>, End) {
    let mut client = scene.router.client();
    // In one piece, or cut anywhere.
    let cut = if dice.roll(2) == 0 {
        bytes.len()
    } else {
        dice.roll(bytes.len())
    };
    client.wire().send(&bytes[..cut]).ok();
    client.wire().send(&bytes[cut..]).ok();
    let wire = client.wire();
    while answers(wire.unread()) < expected.targets.len() + expected.others && wire.more().is_ok() {
    }
    if !expected.closes {
        wire.half_close();
    }
    wire.rest()
}

/// Status lines in a stream; bodies here hold none.
fn answers(bytes: &[u8]) -> usize {
    bytes
        .windows(7)
        .filter(|window| *window == b"HTTP/1.")
        .count()
}

#[test]
fn no_stream_holds_more_requests_or_fewer_for_the_router_than_for_a_strict_reader() {
    let (scene, (mut dice, seed), began) = (Scene::new(), Dice::new(), Instant::now());
    let (mut streams, mut found) = (0, 0);
    while began.elapsed() < time() {
        let bytes = stream(&mut dice, streams);
        let expected = verdict(&bytes);
        let (answered, end) = play(&scene, &bytes, &expected, &mut dice);
        let name = format!(
            "stream {streams} of seed {seed}: {}\nexpected {expected:?}\nanswers ({end:?}) {}",
            bytes.escape_ascii(),
            answered.escape_ascii()
        );
        assert_ne!(end, End::Silent, "{name}");
        let reached: Vec<String> = scene
            .aftermath(&name)
            .into_iter()
            .map(|request| request.target)
            .collect();
        assert_eq!(reached, expected.targets, "{name}");
        let text = String::from_utf8_lossy(&answered);
        let good = text.matches(" 200 OK").count();
        assert_eq!(good, expected.targets.len(), "{name}");
        streams += 1;
        found += reached.len();
    }
    println!("{streams} streams with {found} requests");
    assert!(
        streams > 200 && found > streams / 3,
        "{streams} streams with {found} requests"
    );
}
