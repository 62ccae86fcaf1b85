//! Chunked bodies (RFC 9112 section 7.1): cut and spelled in any way, and broken in any place.

use cloverleaf_router::http1::{Form, Framing};
use proptest::prelude::*;

use crate::chunked_body::check_in_pieces;
use crate::generate::{cases, chunked_body, mutation, sizes};
use crate::naive::{self, End};
use crate::relay::relay;

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn a_body_that_goes_on_is_the_body_that_came_without_its_extensions(
        body in chunked_body(),
        behind in prop_oneof![Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()), prop::collection::vec(any::<u8>(), 0..20)],
        sizes in sizes(),
    ) {
        let bytes = [&body.bytes[..], &behind].concat();
        let sent_on = relay(Framing::Chunked, &bytes, &sizes, Form::AsIs);
        prop_assert_eq!(sent_on.end, Ok(true));
        prop_assert_eq!(sent_on.consumed, body.bytes.len());
        prop_assert_eq!(sent_on.content, body.content.len() as u64);
        let read = naive::read(&sent_on.output);
        prop_assert_eq!(read.end, End::Whole(sent_on.output.len()));
        prop_assert_eq!(read.content, body.content);
        prop_assert_eq!(read.trailers, body.trailers);
        prop_assert!(!read.extended);
    }

    #[test]
    fn an_unwrapped_body_is_its_content(body in chunked_body(), behind in prop::collection::vec(any::<u8>(), 0..20), sizes in sizes()) {
        let bytes = [&body.bytes[..], &behind].concat();
        let content = relay(Framing::Chunked, &bytes, &sizes, Form::Unwrapped);
        prop_assert_eq!(content.end, Ok(true));
        prop_assert_eq!(content.consumed, body.bytes.len());
        prop_assert_eq!(content.content, body.content.len() as u64);
        prop_assert_eq!(content.output, body.content);
    }

    #[test]
    fn a_body_without_its_last_bytes_is_neither_whole_nor_malformed(body in chunked_body(), cut in any::<usize>(), sizes in sizes()) {
        let bytes = &body.bytes[..cut % body.bytes.len()];
        for form in [Form::AsIs, Form::Unwrapped] {
            prop_assert_eq!(relay(Framing::Chunked, bytes, &sizes, form).end, Ok(false));
        }
        check_in_pieces(bytes, &sizes);
    }
}

proptest! {
    #![proptest_config(cases(2500))]

    #[test]
    fn a_changed_byte_leads_to_no_output_that_another_reader_understands_differently(
        body in chunked_body(),
        index in any::<usize>(),
        mutation in mutation(),
        sizes in sizes(),
    ) {
        let mut bytes = body.bytes;
        mutation.apply(index, &mut bytes);
        check_in_pieces(&bytes, &sizes);
    }

    #[test]
    fn bytes_that_only_look_like_chunks_lead_to_no_output_that_another_reader_understands_differently(
        bytes in prop::collection::vec(prop::sample::select(b"\r\r\r\n\n\n0012aF;; \tX:".to_vec()), 0..40),
        sizes in sizes(),
    ) {
        check_in_pieces(&bytes, &sizes);
    }
}

#[test]
fn lengths_are_counted_and_what_follows_stays() {
    let whole = relay(Framing::Length(5), b"helloGET", &[2], Form::AsIs);
    assert_eq!(
        (whole.output.as_slice(), whole.consumed, whole.end),
        (&b"hello"[..], 5, Ok(true))
    );
    let cut = relay(Framing::Length(5), b"hell", &[3], Form::AsIs);
    assert_eq!((cut.content, cut.end), (4, Ok(false)));
    assert_eq!(relay(Framing::None, b"GET", &[], Form::AsIs).consumed, 0);
    let open = relay(Framing::UntilClose, b"hello", &[2], Form::AsIs);
    assert_eq!((open.consumed, open.end), (5, Ok(false)));
}
