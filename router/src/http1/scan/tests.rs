use super::*;

#[test]
fn only_crlf_ends_a_line() {
    assert!(only_crlf(b"a\r\nb\r\n\r\n"));
    assert!(only_crlf(b"a\rb"));
    for text in ["\n", "a\n", "\r\n\n", "a\r\nb\nc\r\n"] {
        assert!(!only_crlf(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn a_span_is_where_a_part_lies() {
    let whole = b"abcdef";
    assert_eq!(span(whole, &whole[2..4]), Span { start: 2, end: 4 });
    assert!(span(whole, &whole[3..3]).is_empty());
    assert!(span(whole, b"").is_empty());
}

#[test]
fn room_is_made_for_as_many_lines_as_there_are_and_never_for_more_than_is_read() {
    let rooms = |lines: usize| {
        let mut rooms = Vec::new();
        let result: Result<(), _> = with_header_room(&b"\n".repeat(lines), |room| {
            rooms.push(room.len());
            Err(httparse::Error::TooManyHeaders)
        });
        assert_eq!(result, Err(httparse::Error::TooManyHeaders));
        rooms
    };
    assert_eq!(rooms(70), [ON_STACK, 70]);
    assert_eq!(rooms(2 * AT_MOST), [ON_STACK, AT_MOST]);
}

#[test]
fn a_parse_is_worth_it_when_a_head_may_have_ended_or_much_has_come() {
    let mut progress = Progress::default();
    let mut worth = |text: &str| progress.worth_parsing(text.as_bytes());
    assert!(worth("GET / HTTP/1.1\r\n"));
    assert!(!worth("GET / HTTP/1.1\r\nA: b\r\n"));
    assert!(!worth("GET / HTTP/1.1\r\nA: b\r\n\r"));
    assert!(worth("GET / HTTP/1.1\r\nA: b\r\n\r\n"));
}
