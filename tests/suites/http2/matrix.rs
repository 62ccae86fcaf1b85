//! Every version in front before every version behind, each in plain text and over TLS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_tests::{Broken, eventually, remains};

use super::asked::{Asked, Length};
use super::caller::Ask;
use super::world::{BACKS, Back, FRONTS, Front, World};

const MIB: usize = 1024 * 1024;

fn pairs() -> impl Iterator<Item = (Front, Back)> {
    let backs = |front| BACKS.into_iter().map(move |back| (front, back));
    FRONTS.into_iter().flat_map(backs)
}

/// Bytes in which every place can be told from the next ones.
fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Takes the request in and says what it was.
fn describe(asked: &mut Asked<'_>) -> Result<(), Broken> {
    let body = asked.body()?;
    let same = pattern(body.len()) == body;
    let text = format!(
        "{} {} at {} with {} {same} from {} {} x={} te={} length={}",
        asked.method(),
        asked.target(),
        asked.host(),
        body.len(),
        asked.header("x-forwarded-for"),
        asked.header("x-forwarded-proto"),
        asked.header("x-mixed-case"),
        asked.header("transfer-encoding"),
        asked.header("content-length"),
    );
    asked.answer(
        200,
        &[("X-Answer", "one"), ("x-answer", "two")],
        Length::Known(text.len()),
    )?;
    asked.send(text)?;
    asked.end(&[])
}

//
#[test]
fn a_request_without_a_body_passes_with_its_fields_and_so_does_its_answer() {
    let world = World::new(describe);
    for (front, back) in pairs() {
        let ask = Ask {
            fields: &[("X-Mixed-Case", "Value"), ("Connection", "x-none")],
            ..Ask::get(back.host(), "/path?query=1")
        };
        let ask = match front.is_http2() {
            true => Ask {
                fields: &ask.fields[..1],
                ..ask
            },
            false => ask,
        };
        let (head, rest) = world.call(front, &ask).answer();
        let name = format!("{front:?} -> {back:?}");
        assert_eq!(
            (head.status, head.header("x-answer").as_str()),
            (200, "one|two"),
            "{name}"
        );
        let proto = if front.is_tls() { "https" } else { "http" };
        assert_eq!(
            rest.text(),
            format!(
                "GET /path?query=1 at {} with 0 true from 127.0.0.1 {proto} x=Value te= length=",
                back.host()
            ),
            "{name}"
        );
        let connection = head.header("connection") + &head.header("transfer-encoding");
        assert_eq!(connection, "", "{name}");
    }
    let lines = world.router.access_log().wait_for(16);
    for (line, (front, _)) in lines.iter().zip(pairs()) {
        let version = if front.is_http2() {
            "HTTP/2.0"
        } else {
            "HTTP/1.1"
        };
        assert_eq!(line.request, format!("GET /path?query=1 {version}"));
        assert_eq!(
            (line.status.as_str(), line.request_bytes.as_str()),
            ("200", "0")
        );
    }
}

#[test]
fn a_large_body_goes_up_with_a_length_and_without_one() {
    let world = World::new(describe);
    let body = pattern(MIB + 7);
    for (front, back) in pairs() {
        for length in [Length::Known(body.len()), Length::Unknown] {
            let mut call = world.call(front, &Ask::post(back.host(), "/", length));
            for piece in body.chunks(100_001) {
                call.send(body.slice_ref(piece));
            }
            call.end();
            let (head, rest) = call.answer();
            let name = format!("{front:?} -> {back:?} {length:?}");
            assert_eq!(head.status, 200, "{name}");
            let told = match (length, back.is_http2()) {
                (Length::Known(count), _) => format!("te= length={count}"),
                (_, false) => "te=chunked length=".to_owned(),
                (_, true) => "te= length=".to_owned(),
            };
            let text = rest.text();
            assert!(
                text.contains(&format!(" with {} true from ", body.len())),
                "{name}: {text}"
            );
            assert!(text.ends_with(&told), "{name}: {text}");
        }
    }
    let lines = world.router.access_log().wait_for(32);
    let bytes = body.len().to_string();
    assert!(
        lines.iter().all(|line| line.request_bytes == bytes),
        "{lines:#?}"
    );
}

#[test]
fn a_large_body_comes_down_with_a_length_and_without_one() {
    let body = pattern(2 * MIB + 7);
    let sent = body.clone();
    let world = World::new(move |asked| {
        let length = match asked.target().as_str() {
            "/known" => Length::Known(sent.len()),
            _ => Length::Unknown,
        };
        asked.answer(200, &[], length)?;
        for piece in sent.chunks(70_001) {
            asked.send(sent.slice_ref(piece))?;
        }
        asked.end(&[])
    });
    for (front, back) in pairs() {
        for (target, length) in [
            ("/known", body.len().to_string()),
            ("/unknown", String::new()),
        ] {
            let (head, rest) = world.call(front, &Ask::get(back.host(), target)).answer();
            let name = format!("{front:?} -> {back:?} {target}");
            assert_eq!(
                (head.status, head.header("content-length")),
                (200, length),
                "{name}"
            );
            assert!(rest.body == body, "{name}: {} bytes", rest.body.len());
        }
    }
    let lines = world.router.access_log().wait_for(32);
    let bytes = body.len().to_string();
    assert!(
        lines.iter().all(|line| line.response_bytes == bytes),
        "{lines:#?}"
    );
}

#[test]
fn a_client_that_does_not_read_holds_its_backend_back_and_loses_nothing() {
    const BODY: usize = 40 * MIB;
    /// What the system and the router may hold on the way.
    const HELD: usize = 20 * MIB;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let world = World::new(move |asked| {
        asked.answer(200, &[], Length::Known(BODY))?;
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        for _ in 0..BODY / piece.len() {
            asked.send(piece.clone())?;
            counter.fetch_add(piece.len(), Ordering::AcqRel);
        }
        asked.end(&[])
    });
    for (front, back) in [
        (Front::Http2, Back::Http1),
        (Front::Http2Tls, Back::Http2Tls),
        (Front::Http1, Back::Http2),
    ] {
        sent.store(0, Ordering::Release);
        let ask = Ask {
            small_buffer: true,
            ..Ask::get(back.host(), "/")
        };
        let mut call = world.call(front, &ask);
        call.head();
        let name = format!("{front:?} -> {back:?}");
        let before = eventually("the backend to be held back", || {
            let before = sent.load(Ordering::Acquire);
            std::thread::sleep(Duration::from_millis(200));
            (before > 0 && sent.load(Ordering::Acquire) == before).then_some(before)
        });
        assert!(before < HELD, "{name}: {before} bytes went out");
        remains(Duration::from_millis(300), "held back", || {
            sent.load(Ordering::Acquire) == before
        });
        let rest = call.rest();
        assert!(
            rest.is_whole && rest.body.len() == BODY,
            "{name}: {}",
            rest.body.len()
        );
    }
}

#[test]
fn both_sides_stream_at_once() {
    let world = World::new(|asked| {
        asked.answer(200, &[], Length::Unknown)?;
        asked.send("begin")?;
        while let Some(piece) = asked.piece()? {
            asked.send(piece)?;
        }
        asked.end(&[])
    });
    for (front, back) in pairs() {
        let mut call = world.call(front, &Ask::post(back.host(), "/", Length::Unknown));
        // The answer begins before the request has a body at all.
        assert_eq!(call.head().status, 200, "{front:?} -> {back:?}");
        assert_eq!(call.exactly(5), b"begin");
        for number in 0..5 {
            let piece = format!("piece {number}");
            call.send(piece.clone());
            assert_eq!(
                call.exactly(piece.len()),
                piece.as_bytes(),
                "{front:?} -> {back:?}"
            );
        }
        call.end();
        let rest = call.rest();
        assert!(
            rest.is_whole && rest.body.is_empty(),
            "{front:?} -> {back:?}: {rest:?}"
        );
    }
}

//
#[test]
fn trailers_come_behind_a_body_and_in_place_of_one() {
    let world = World::new(|asked| {
        let fields = [
            ("content-type", "application/grpc"),
            ("Trailer", "Grpc-Status"),
        ];
        if asked.target() == "/alone" {
            return asked.answer(200, &[("Grpc-Status", "12"), fields[0]], Length::None);
        }
        asked.answer(200, &fields, Length::Unknown)?;
        asked.send("message")?;
        asked.end(&[("Grpc-Status", "0"), ("Grpc-Message", "fine, really")])
    });
    for (front, back) in pairs() {
        let name = format!("{front:?} -> {back:?}");
        let (_, rest) = world.call(front, &Ask::get(back.host(), "/")).answer();
        assert_eq!(rest.text(), "message", "{name}");
        assert_eq!(rest.trailer("grpc-status"), "0", "{name}: {rest:?}");
        assert_eq!(rest.trailer("grpc-message"), "fine, really", "{name}");
        let (head, rest) = world.call(front, &Ask::get(back.host(), "/alone")).answer();
        assert_eq!(head.header("grpc-status"), "12", "{name}");
        assert!(
            rest.body.is_empty() && rest.trailers.is_empty(),
            "{name}: {rest:?}"
        );
    }
}

#[test]
fn interim_answers_are_passed_on() {
    let world = World::new(|asked| {
        asked.interim(103, &[("Link", "</style.css>; rel=preload")])?;
        asked.interim(103, &[("Link", "</script.js>; rel=preload")])?;
        asked.answer_with(200, "late")
    });
    for (front, back) in pairs() {
        let (head, rest) = world.call(front, &Ask::get(back.host(), "/")).answer();
        let name = format!("{front:?} -> {back:?}");
        assert_eq!((head.status, head.interim), (200, vec![103, 103]), "{name}");
        assert_eq!(rest.text(), "late", "{name}");
    }
}

#[test]
fn interim_answers_without_an_end_are_a_bad_gateway() {
    let world = World::new(|asked| {
        let count = if asked.target() == "/some" { 32 } else { 1000 };
        for _ in 0..count {
            asked.interim(103, &[("Link", "</style.css>; rel=preload")])?;
        }
        asked.answer_with(200, "at last")
    });
    for (front, back) in pairs() {
        for (target, status) in [("/some", 200), ("/many", 502)] {
            let (head, _) = world.call(front, &Ask::get(back.host(), target)).answer();
            let name = format!("{front:?} -> {back:?} {target}");
            assert_eq!(head.status, status, "{name}");
            // A client of HTTP/2 that looks late sees only the last word.
            let told = head.interim.len();
            assert!(
                told == 32 || front.is_http2() && told < 32,
                "{name}: {told}"
            );
            if status == 502 {
                let error = head.header("x-cf-routererror");
                assert!(error.contains("too many 1xx"), "{name}: {error}");
            }
        }
    }
}

#[test]
fn a_client_that_expects_a_100_gets_the_backends() {
    let world = World::new(|asked| {
        assert_eq!(asked.header("expect"), "100-continue");
        asked.interim(100, &[])?;
        let body = asked.body()?;
        asked.answer_with(200, body)
    });
    for (front, back) in pairs() {
        let ask = Ask {
            fields: &[("Expect", "100-continue")],
            ..Ask::post(back.host(), "/", Length::Known(5))
        };
        let mut call = world.call(front, &ask);
        call.wait_for_interim(100);
        call.send("12345");
        call.end();
        let (head, rest) = call.answer();
        assert_eq!(
            (head.status, rest.text().as_str()),
            (200, "12345"),
            "{front:?} -> {back:?}"
        );
    }
}

#[test]
fn answers_that_have_no_body_end_with_their_head() {
    let world = World::new(|asked| match asked.target().as_str() {
        "/204" => asked.answer(204, &[], Length::None),
        "/304" => asked.answer(304, &[("ETag", "\"1\"")], Length::None),
        "/empty" => asked.answer(200, &[], Length::None),
        _ => asked.answer(200, &[("Content-Length", "1000")], Length::None),
    });
    for (front, back) in pairs() {
        for (method, target, status) in [
            ("GET", "/204", 204),
            ("GET", "/304", 304),
            ("GET", "/empty", 200),
        ] {
            let ask = Ask {
                method,
                ..Ask::get(back.host(), target)
            };
            let (head, rest) = world.call(front, &ask).answer();
            let name = format!("{front:?} -> {back:?} {target}");
            assert_eq!(head.status, status, "{name}");
            assert!(rest.body.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_answer_to_head_has_a_length_and_no_body() {
    let world = World::new(|asked| {
        assert_eq!(asked.method(), "HEAD");
        match asked {
            Asked::Http1 { peer, .. } => peer
                .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                .map_err(super::asked::broken),
            Asked::Http2 { .. } => asked.answer(200, &[("content-length", "1000")], Length::None),
        }
    });
    for (front, back) in pairs() {
        let ask = Ask {
            method: "HEAD",
            ..Ask::get(back.host(), "/")
        };
        let (head, rest) = world.call(front, &ask).answer();
        let name = format!("{front:?} -> {back:?}");
        assert_eq!(
            (head.status, head.header("content-length").as_str()),
            (200, "1000"),
            "{name}"
        );
        assert!(rest.body.is_empty(), "{name}");
    }
}

#[test]
fn a_client_that_leaves_is_known_to_the_backend_and_the_log() {
    let (say, heard) = mpsc::channel();
    let world = World::new(move |asked| {
        match asked.target().as_str() {
            "/unanswered" => {}
            "/uploading" => assert!(asked.piece()?.is_some()),
            _ => {
                asked.answer(200, &[], Length::Unknown)?;
                asked.send("begin")?;
            }
        }
        say.send(None).ok();
        say.send(Some(asked.given_up())).ok();
        Err(Broken::Lost)
    });
    let next = || {
        heard
            .recv_timeout(cloverleaf_tests::LIMIT)
            .expect("the backend's word")
    };
    let mut count = 0;
    for (front, back) in pairs() {
        for target in ["/unanswered", "/uploading", "/answering"] {
            let name = format!("{front:?} -> {back:?} {target}");
            let mut call = match target {
                "/uploading" => {
                    let mut call =
                        world.call(front, &Ask::post(back.host(), target, Length::Unknown));
                    call.send("begin");
                    call
                }
                _ => world.call(front, &Ask::get(back.host(), target)),
            };
            if target == "/answering" {
                assert_eq!(call.head().status, 200, "{name}");
                assert_eq!(call.exactly(5), b"begin", "{name}");
            }
            assert_eq!(next(), None, "{name}");
            call.cancel();
            let broken = next();
            let expected = match back.is_http2() {
                true => Broken::Reset(h2::Reason::CANCEL),
                false => Broken::Lost,
            };
            assert_eq!(broken, Some(expected), "{name}");
            count += 1;
            let lines = world.router.access_log().wait_for(count);
            let line = &lines[count - 1];
            assert!(line.request.contains(target), "{name}: {}", line.text);
            if target == "/answering" {
                assert_eq!(line.status, "200", "{name}: {}", line.text);
                assert_eq!(
                    line.field("x_cf_routererror"),
                    "client-conn-closed-during-response-streaming",
                    "{name}"
                );
            } else {
                assert_eq!(line.status, "499", "{name}: {}", line.text);
            }
        }
    }
}

#[test]
fn a_backend_that_dies_before_the_head_of_its_answer_is_a_bad_gateway() {
    let world = World::new(|asked| {
        asked.body()?;
        match asked.target().as_str() {
            "/before" => asked.answer_with(200, "here"),
            _ => asked.die(),
        }
    });
    for (front, back) in pairs() {
        for method in ["GET", "POST"] {
            let name = format!("{front:?} -> {back:?} {method}");
            // On a connection that was used before, and on a new one.
            let ask = Ask::get(back.host(), "/before");
            assert_eq!(world.call(front, &ask).answer().0.status, 200, "{name}");
            for _ in 0..2 {
                let ask = match method {
                    "GET" => Ask::get(back.host(), "/dies"),
                    _ => Ask::post(back.host(), "/dies", Length::Known(4)),
                };
                let mut call = world.call(front, &ask);
                if method == "POST" {
                    call.send("body");
                    call.end();
                }
                let (head, _) = call.answer();
                let error = head.header("x-cf-routererror");
                assert_eq!(head.status, 502, "{name}");
                assert!(error.starts_with("endpoint_failure ("), "{name}: {error}");
            }
        }
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let world = World::new(|asked| {
        let length = match asked.target().as_str() {
            "/before" => {
                asked.body()?;
                return asked.answer_with(200, "here");
            }
            "/known" => Length::Known(1000),
            _ => Length::Unknown,
        };
        asked.answer(200, &[], length)?;
        asked.send("begin")?;
        // Not before the client has it: what breaks off may take along what was on its way.
        asked.piece()?;
        asked.die()
    });
    for (front, back) in pairs() {
        for target in ["/known", "/unknown"] {
            let name = format!("{front:?} -> {back:?} {target}");
            // Not on the connection that has just died, of which the router may not have heard yet.
            let before = Ask::get(back.host(), "/before");
            assert_eq!(world.call(front, &before).answer().0.status, 200, "{name}");
            let mut call = world.call(front, &Ask::post(back.host(), target, Length::Unknown));
            assert_eq!(call.head().status, 200, "{name}");
            call.send("now");
            let rest = call.rest();
            assert!(!rest.is_whole, "{name}: {rest:?}");
            assert!(b"begin".starts_with(&rest.body[..]), "{name}: {rest:?}");
        }
    }
}

#[test]
fn an_answer_before_the_end_of_an_upload_reaches_the_client() {
    let world = World::new(|asked| {
        assert!(asked.piece()?.is_some());
        asked.answer_with(413, "too much")?;
        // As servers do that do not read on.
        Err(Broken::Lost)
    });
    for (front, back) in pairs() {
        let mut call = world.call(front, &Ask::post(back.host(), "/", Length::Unknown));
        call.send("begin");
        let (head, rest) = call.answer();
        let name = format!("{front:?} -> {back:?}");
        assert_eq!(
            (head.status, rest.text().as_str()),
            (413, "too much"),
            "{name}"
        );
    }
}
