//! Request heads: what is accepted can be read in one way only, whoever reads it next.

use cloverleaf_router::http1::request::{HEAD_LIMIT, Request, parse};
use cloverleaf_router::http1::{Form, Framing, Parsed, Progress, Refusal, write};
use cloverleaf_router::message::{Head, Version};

use super::head::{self, Line};
use super::relay::relay;

/// Any bytes that a client may send.
pub fn check(bytes: &[u8]) {
    let mut head = Head::default();
    let whole = parse(bytes, &mut head);
    assert_eq!(
        outcome(&whole),
        in_small_pieces(bytes),
        "what counts is what comes, not how it is cut"
    );
    match whole {
        Parsed::Complete(request) => accepted(bytes, &head, &request),
        Parsed::Refused(_) => {}
        Parsed::Partial => assert!(bytes.len() < HEAD_LIMIT),
    }
}

fn accepted(bytes: &[u8], head: &Head, request: &Request) {
    let text = &bytes[..request.head_length];
    let lines = head::lines(bytes, head);
    head::is_well_formed(text, &lines);

    let values = |name: &str| -> Vec<&[u8]> {
        lines
            .iter()
            .filter(|line| line.is(name))
            .map(|line| line.value)
            .collect()
    };
    let (hosts, lengths, codings) = (
        values("host"),
        values("content-length"),
        values("transfer-encoding"),
    );
    assert!(hosts.len() <= 1 && lengths.len() + codings.len() <= 1);
    assert!(head.version == Version::Http10 || hosts.len() == 1);
    match request.framing {
        Framing::None => assert!(lengths.is_empty() && codings.is_empty()),
        Framing::Length(length) => {
            let digits = std::str::from_utf8(lengths[0]).unwrap();
            assert!(digits.bytes().all(|digit| digit.is_ascii_digit()));
            assert_eq!(digits.parse::<i64>().unwrap() as u64, length);
        }
        Framing::Chunked => {
            assert!(codings[0].eq_ignore_ascii_case(b"chunked") && head.version == Version::Http11);
        }
        Framing::UntilClose => panic!("a request cannot end with its connection"),
    }

    let method = head.method.of(bytes);
    let target = head.target.of(bytes);
    assert!(!method.is_empty() && method.iter().all(|&byte| super::naive::is_token(byte)));
    assert!(!target.is_empty() && target.iter().all(|&byte| byte > b' ' && byte != 0x7f));
    assert!(
        request
            .host
            .of(bytes)
            .iter()
            .all(|&byte| byte.is_ascii_graphic() && !b"/@<>\"\\?#".contains(&byte))
    );

    // The head that goes on says the same.
    let mut sent_on = Vec::new();
    write::request_line(method, target, &mut sent_on);
    write::fields(bytes, head, &mut sent_on);
    sent_on.extend_from_slice(b"\r\n");
    let mut again = Head::default();
    match parse(&sent_on, &mut again) {
        Parsed::Complete(next) => {
            assert_eq!(next.head_length, sent_on.len());
            assert_eq!(next.framing, request.framing);
            assert_eq!(next.host.of(&sent_on), request.host.of(bytes));
            assert_eq!(again.method.of(&sent_on), method);
            assert_eq!(again.target.of(&sent_on), target);
            let kept: Vec<Line<'_>> = lines.into_iter().filter(|line| line.keep).collect();
            assert_eq!(head::lines(&sent_on, &again), kept);
        }
        // Where the client may leave Host out, the router does not send the request on.
        Parsed::Refused(Refusal::HostMissing) => {
            assert!(head.version == Version::Http10 && hosts.is_empty())
        }
        other => panic!("not accepted again: {other:?}"),
    }

    let body = relay(
        request.framing,
        &bytes[request.head_length..],
        &[],
        Form::AsIs,
    );
    assert!(body.consumed <= bytes.len() - request.head_length);
}

/// The verdict and, where there is one, the length of the head.
fn outcome(parsed: &Parsed<Request, Refusal>) -> (Option<Refusal>, Option<usize>) {
    match parsed {
        Parsed::Partial => (None, None),
        Parsed::Complete(request) => (None, Some(request.head_length)),
        Parsed::Refused(refusal) => (Some(*refusal), None),
    }
}

/// The verdict on a head that comes byte by byte, parsed when that is worth it and once at the end.
fn in_small_pieces(bytes: &[u8]) -> (Option<Refusal>, Option<usize>) {
    let mut head = Head::default();
    let mut progress = Progress::default();
    for length in 1..=bytes.len() {
        if progress.worth_parsing(&bytes[..length]) {
            match parse(&bytes[..length], &mut head) {
                Parsed::Partial => {}
                parsed => return outcome(&parsed),
            }
        }
    }
    outcome(&parse(bytes, &mut head))
}
