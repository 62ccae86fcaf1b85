//! Streams put together by chance: the router and a strict reader must find the same requests in them.

use std::time::Instant;

use cloverleaf_tests::End;

use super::Scene;
use super::dice::{Dice, time};
use super::pieces::Pieces;
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

/// Pieces of requests.
fn pieces() -> Pieces {
    Pieces::with(
        &[
            "Content-Length: 60\r\n",
            "Content-Length: +5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\n",
            "Host: app.test\r\n",
            "X-Empty:\r\n",
            "X: a\rb\r\n",
        ],
        &[
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "0005\r\nhello\r\n00\r\n\r\n",
            "GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ],
        &["Transfer-Encoding: chunked\r\n\r\n"],
    )
}

/// One to four requests, more or less right, then damaged now and then.
fn stream(pieces: &Pieces, dice: &mut Dice, number: usize) -> Vec<u8> {
    let mut text = String::new();
    for part in 0..=dice.roll(4) {
        let method = dice.pick(&["GET", "POST", "POST", "PUT"]);
        let version = dice.pick(&["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0"]);
        text += &format!("{method} /{number}-{part} HTTP/{version}\r\nHost: app.test\r\n");
        pieces.finish(dice, &mut text);
    }
    pieces.damage(dice, &mut text);
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
    let (pieces, mut streams, mut found) = (pieces(), 0, 0);
    while began.elapsed() < time() {
        let bytes = stream(&pieces, &mut dice, streams);
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
