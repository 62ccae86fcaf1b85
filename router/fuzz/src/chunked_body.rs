//! Chunked bodies: whatever comes, and however it is cut, nothing goes on that another reader takes for something else.

use cloverleaf_router::http1::chunked::Malformed;
use cloverleaf_router::http1::{Form, Framing};

use super::naive::{self, End};
use super::relay::relay;

/// The first bytes, up to a zero, are the sizes of the pieces in which the rest comes.
pub fn check(data: &[u8]) {
    let length = data
        .iter()
        .take(8)
        .position(|&size| size == 0)
        .unwrap_or(data.len().min(8));
    let (sizes, bytes) = data.split_at(length);
    let sizes: Vec<usize> = sizes.iter().map(|&size| size.into()).collect();
    check_in_pieces(bytes.strip_prefix(b"\0").unwrap_or(bytes), &sizes);
}

/// The same for a body in pieces of the sizes given (over and over).
pub fn check_in_pieces(bytes: &[u8], sizes: &[usize]) {
    let expected = naive::read(bytes);
    let as_is = relay(Framing::Chunked, bytes, sizes, Form::AsIs);
    let content = relay(Framing::Chunked, bytes, sizes, Form::Unwrapped);
    assert_eq!(as_is.end, content.end);
    if as_is.end.is_ok() {
        assert_eq!(
            (as_is.content, as_is.consumed),
            (content.content, content.consumed)
        );
        assert_eq!(content.output.len() as u64, content.content);
    }
    assert!(
        expected.content.starts_with(&content.output),
        "content that is not in the body"
    );

    let sent_on = naive::read(&as_is.output);
    assert!(!sent_on.extended, "an extension went on");
    assert!(
        content.output.starts_with(&sent_on.content),
        "the next hop reads something else"
    );
    match (as_is.end, expected.end) {
        (Ok(true), End::Whole(length)) => {
            assert_eq!(as_is.consumed, length);
            assert_eq!(content.output, expected.content);
            assert_eq!(sent_on.content, expected.content);
            assert_eq!(sent_on.end, End::Whole(as_is.output.len()));
            assert_eq!(sent_on.trailers, expected.trailers);
        }
        // What the plain reader knows nothing about: names that no trailer may have, and limits.
        (Err(Malformed::Trailer), End::Whole(_)) if !expected.trailers.is_empty() => {
            assert_eq!(sent_on.end, End::Cut)
        }
        (Err(Malformed::Extension), _) if expected.extended => assert_eq!(sent_on.end, End::Cut),
        (Ok(false), End::Cut) => {
            assert_eq!(content.output, expected.content);
            assert_eq!(sent_on.content, expected.content);
            assert_eq!(sent_on.end, End::Cut);
        }
        // Ours sees what is wrong with a line before the line has an end, but not always what is wrong with a trailer
        // section that has none.
        (Err(_), End::Cut | End::Broken) => assert_eq!(sent_on.end, End::Cut),
        (Ok(false), End::Broken) if expected.in_trailers => assert_eq!(sent_on.end, End::Cut),
        (ours, theirs) => panic!("{ours:?} where a plain reader finds {theirs:?}"),
    }
}
