//! Response heads: what is accepted can be read in one way only, whoever reads it next.

use cloverleaf_router::http1::response::{Limits, Response, Unusable, parse};
use cloverleaf_router::http1::{Form, Framing, Parsed, Progress, write};
use cloverleaf_router::message::{Head, Version};

use super::head::{self, Line};
use super::relay::relay;

/// Any bytes that a backend may send; the lowest bit of the first one says whether the request was HEAD.
pub fn check(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let to_head = first & 1 == 1;
    let mut head = Head::default();
    let whole = parse(bytes, &mut head, to_head, Limits::default());
    assert_eq!(
        outcome(&whole),
        in_small_pieces(bytes, to_head),
        "what counts is what comes, not how it is cut"
    );
    if let Parsed::Complete(response) = whole {
        accepted(bytes, &head, &response, to_head);
    }
    bounded(bytes, to_head);
}

fn accepted(bytes: &[u8], head: &Head, response: &Response, to_head: bool) {
    let lines = head::lines(bytes, head);
    head::is_well_formed(&bytes[..response.head_length], &lines);
    assert!((100..=999).contains(&head.status));

    let values = |name: &str| -> Vec<&[u8]> {
        lines
            .iter()
            .filter(|line| line.is(name))
            .map(|line| line.value)
            .collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(codings.len() <= 1);
    let bodiless = to_head || head.status < 200 || matches!(head.status, 204 | 304);
    match response.framing {
        Framing::None => assert!(bodiless),
        Framing::Length(length) => {
            assert!(codings.is_empty() && !lengths.is_empty());
            for digits in lengths {
                let digits = std::str::from_utf8(digits).unwrap();
                assert!(digits.bytes().all(|digit| digit.is_ascii_digit()));
                assert_eq!(digits.parse::<i64>().unwrap() as u64, length);
            }
        }
        Framing::Chunked => {
            assert!(codings[0].eq_ignore_ascii_case(b"chunked") && head.version == Version::Http11);
            assert!(
                lengths.is_empty() || !response.keep_alive,
                "two framings on a connection that is used again"
            );
        }
        Framing::UntilClose => {
            assert!(codings.is_empty() && lengths.is_empty() && !response.keep_alive)
        }
    }
    assert!(bodiless || response.framing != Framing::None);
    assert!(head.status != 101 || !response.keep_alive);

    // The head that goes on says the same.
    let mut sent_on = Vec::new();
    write::status_line(head.version, head.status, &mut sent_on);
    write::fields(bytes, head, &mut sent_on);
    sent_on.extend_from_slice(b"\r\n");
    let mut again = Head::default();
    match parse(&sent_on, &mut again, to_head, Limits::default()) {
        Parsed::Complete(next) => {
            assert_eq!(next.head_length, sent_on.len());
            assert_eq!(
                (next.framing, next.keep_alive),
                (response.framing, response.keep_alive)
            );
            assert_eq!((again.status, again.version), (head.status, head.version));
            let kept: Vec<Line<'_>> = lines.into_iter().filter(|line| line.keep).collect();
            assert_eq!(head::lines(&sent_on, &again), kept);
        }
        other => panic!("not accepted again: {other:?}"),
    }

    let body = relay(
        response.framing,
        &bytes[response.head_length..],
        &[],
        Form::Unwrapped,
    );
    assert_eq!(body.output.len() as u64, body.content);
}

/// Limits are kept to, and change nothing below them.
fn bounded(bytes: &[u8], to_head: bool) {
    let mut head = Head::default();
    let limits = Limits {
        bytes: 60,
        lines: Some(2),
    };
    match parse(bytes, &mut head, to_head, limits) {
        Parsed::Complete(response) => assert!(response.head_length <= 60 && head.fields.len() <= 2),
        Parsed::Partial => assert!(bytes.len() < 60),
        Parsed::Refused(_) => {}
    }
}

/// The verdict and, where there is one, the length of the head.
fn outcome(parsed: &Parsed<Response, Unusable>) -> (Option<Unusable>, Option<usize>) {
    match parsed {
        Parsed::Partial => (None, None),
        Parsed::Complete(response) => (None, Some(response.head_length)),
        Parsed::Refused(unusable) => (Some(*unusable), None),
    }
}

/// The verdict on a head that comes byte by byte, parsed when that is worth it and once at the end.
fn in_small_pieces(bytes: &[u8], to_head: bool) -> (Option<Unusable>, Option<usize>) {
    let mut head = Head::default();
    let mut progress = Progress::default();
    for length in 1..=bytes.len() {
        if progress.worth_parsing(&bytes[..length]) {
            match parse(&bytes[..length], &mut head, to_head, Limits::default()) {
                Parsed::Partial => {}
                parsed => return outcome(&parsed),
            }
        }
    }
    outcome(&parse(bytes, &mut head, to_head, Limits::default()))
}
