use super::*;

/// What a receiver of this form gets of a body that comes at once, the content's size, and the bytes behind the body.
fn relay(framing: Framing, bytes: &[u8], form: Form) -> (Vec<u8>, u64, usize) {
    let mut body = Body::new(framing);
    let (mut out, mut content, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() && !body.is_done() {
        let take = body.take(&bytes[at..], form, &mut content).unwrap();
        assert!(!take.is_empty(), "no progress");
        out.extend_from_slice(&bytes[at + take.skip..at + take.len()]);
        at += take.len();
    }
    (out, content, bytes.len() - at)
}

// RFC 9112 section 6.2
#[test]
fn a_body_of_known_length_ends_there() {
    let mut body = Body::new(Framing::Length(5));
    let mut content = 0;
    assert_eq!(
        body.take(b"hel", Form::AsIs, &mut content),
        Ok(Take { skip: 0, pass: 3 })
    );
    assert!(!body.is_done());
    assert_eq!(
        body.take(b"loGET /", Form::Unwrapped, &mut content),
        Ok(Take { skip: 0, pass: 2 })
    );
    assert!(body.is_done());
    assert_eq!(content, 5);
    assert_eq!(
        body.take(b"GET /", Form::AsIs, &mut content),
        Ok(Take::default())
    );
}

#[test]
fn no_body_and_a_length_of_zero_are_done_at_once() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut body = Body::new(framing);
        assert!(body.is_done());
        assert_eq!(body.take(b"GET /", Form::AsIs, &mut 0), Ok(Take::default()));
    }
}

// RFC 9112 section 6.3
#[test]
fn a_body_that_ends_with_the_connection_takes_everything_and_is_never_done() {
    assert_eq!(
        relay(Framing::UntilClose, b"all of it", Form::AsIs),
        (b"all of it".to_vec(), 9, 0)
    );
    assert!(!Body::new(Framing::UntilClose).is_done());
}

//
#[test]
fn a_chunked_body_passes_in_one_stretch_when_nothing_of_it_is_dropped() {
    let bytes = b"2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\nGET /";
    let mut body = Body::new(Framing::Chunked);
    let mut content = 0;
    assert_eq!(
        body.take(bytes, Form::AsIs, &mut content),
        Ok(Take { skip: 0, pass: 20 })
    );
    assert!(body.is_done());
    assert_eq!(content, 5);
    assert_eq!(body.owed_end(), None);
}

//
#[test]
fn an_unwrapped_chunked_body_is_its_content() {
    let bytes = b"2;a=b\r\nhi\r\n3\r\nyou\r\n0\r\nX-T: v\r\n\r\nGET /";
    assert_eq!(
        relay(Framing::Chunked, bytes, Form::Unwrapped),
        (b"hiyou".to_vec(), 5, 5)
    );
}

#[test]
fn a_stretch_is_dropped_bytes_and_then_passed_ones() {
    let mut body = Body::new(Framing::Chunked);
    let mut content = 0;
    assert_eq!(
        body.take(b"2;a\r\nhi\r\n2;b", Form::AsIs, &mut content),
        Ok(Take { skip: 0, pass: 1 })
    );
    assert_eq!(
        body.take(b";a\r\nhi\r\n2;b", Form::AsIs, &mut content),
        Ok(Take { skip: 2, pass: 7 })
    );
    assert_eq!(content, 2);
    assert_eq!(
        body.take(b";b", Form::AsIs, &mut content),
        Ok(Take { skip: 2, pass: 0 })
    );
}

#[test]
fn a_malformed_body_is_an_error_and_owes_nothing() {
    let mut body = Body::new(Framing::Chunked);
    assert_eq!(
        body.take(b"zz\r\n", Form::AsIs, &mut 0),
        Err(Malformed::Size)
    );
    assert_eq!(body.owed_end(), None);
    assert!(!body.is_done());
}
