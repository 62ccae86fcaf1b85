//! A head that comes in the smallest pieces costs few parses and is ready no later than one that comes at once.

use cloverleaf_router::http1::{Parsed, Progress, request, response};
use cloverleaf_router::message::Head;

/// How often `parse` was called, and after how many bytes it had the head.
fn byte_by_byte(
    bytes: &[u8],
    mut is_complete: impl FnMut(&[u8]) -> bool,
) -> (usize, Option<usize>) {
    let mut progress = Progress::default();
    let mut parses = 0;
    for length in 1..=bytes.len() {
        if progress.worth_parsing(&bytes[..length]) {
            parses += 1;
            if is_complete(&bytes[..length]) {
                return (parses, Some(length));
            }
        }
    }
    (parses, None)
}

fn request_is_complete(bytes: &[u8]) -> bool {
    match request::parse(bytes, &mut Head::default()) {
        Parsed::Complete(_) => true,
        Parsed::Partial => false,
        Parsed::Refused(refusal) => panic!("{refusal}"),
    }
}

/// Each parse but the last finds at least half as much again as the one before.
fn allowed(length: usize) -> usize {
    4 + ((length as f64).ln() / 1.5_f64.ln()).ceil() as usize
}

#[test]
fn a_head_byte_by_byte_costs_parses_by_the_logarithm_of_its_length() {
    for count in [0, 1, 5, 63, 64, 65, 500, 3000] {
        let mut bytes = b"GET / HTTP/1.1\r\nHost: a.test\r\n".to_vec();
        (0..count).for_each(|at| bytes.extend_from_slice(format!("X-{at}: {at}\r\n").as_bytes()));
        bytes.extend_from_slice(b"\r\n");
        let (parses, complete) = byte_by_byte(&bytes, request_is_complete);
        assert_eq!(complete, Some(bytes.len()), "{count} fields");
        assert!(
            parses <= allowed(bytes.len()),
            "{parses} parses for {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn a_head_is_ready_at_its_last_byte_wherever_the_pieces_end() {
    let head = b"GET /path HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\n\r\n";
    let bytes = [&head[..], b"body \r\n\r\n more"].concat();
    for first in 1..head.len() {
        for second in first + 1..bytes.len() {
            let mut progress = Progress::default();
            let mut complete = None;
            for length in [first, second, bytes.len()] {
                if complete.is_none()
                    && progress.worth_parsing(&bytes[..length])
                    && request_is_complete(&bytes[..length])
                {
                    complete = Some(length);
                }
            }
            let expected = if second >= head.len() {
                second
            } else {
                bytes.len()
            };
            assert_eq!(
                complete,
                Some(expected),
                "pieces end at {first} and {second}"
            );
        }
    }
}

#[test]
fn a_response_head_byte_by_byte_is_ready_at_its_last_byte() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: a\r\n\r\n";
    let (parses, complete) = byte_by_byte(bytes, |bytes| {
        matches!(
            response::parse(
                bytes,
                &mut Head::default(),
                false,
                response::Limits::default()
            ),
            Parsed::Complete(_)
        )
    });
    assert_eq!(complete, Some(bytes.len()));
    assert!(parses <= allowed(bytes.len()));
}

#[test]
fn a_line_that_never_ends_costs_few_parses_too() {
    for begin in [
        "GET /",
        "GET / HTTP/1.1\r\nX: ",
        "GET /x y HTTP/1.1",
        "GET /\u{e4}\u{f6} ",
    ] {
        let bytes = [begin.as_bytes(), &[b'a'; 20_000]].concat();
        let (parses, _) = byte_by_byte(&bytes, |bytes| {
            let _verdict = request::parse(bytes, &mut Head::default());
            false
        });
        assert!(
            parses <= allowed(bytes.len()),
            "{parses} parses behind {begin:?}"
        );
    }
}

#[test]
fn bare_line_feeds_are_looked_at_as_soon_as_they_could_end_a_head() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a.test\nX-A: aaaaaaaaaaaaaaa\n\n";
    let mut progress = Progress::default();
    let last = (1..=bytes.len())
        .filter(|&length| progress.worth_parsing(&bytes[..length]))
        .last();
    assert_eq!(last, Some(bytes.len()));
}
