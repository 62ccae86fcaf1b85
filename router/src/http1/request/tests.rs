//! Each rule for requests once; the lines of the specification that they come from stand beside them.

mod framing;
mod lines;

use super::*;

/// A request with this request line, `Host: app.test` and further lines.
fn with(request_line: &str, lines: &[&str]) -> String {
    let mut text = format!("{request_line}\r\nHost: app.test\r\n");
    lines.iter().for_each(|line| text += &format!("{line}\r\n"));
    text + "\r\n"
}

fn accept(text: &str) -> (Request, Head) {
    let mut head = Head::default();
    match parse(text.as_bytes(), &mut head) {
        Parsed::Complete(request) => (request, head),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refuse(bytes: impl AsRef<[u8]>) -> Refusal {
    match parse(bytes.as_ref(), &mut Head::default()) {
        Parsed::Refused(refusal) => refusal,
        other => panic!("{}: {other:?}", bytes.as_ref().escape_ascii()),
    }
}

fn is_partial(bytes: &[u8]) -> bool {
    matches!(parse(bytes, &mut Head::default()), Parsed::Partial)
}

/// The refusal of a `POST` with these lines.
fn refuse_lines(lines: &[&str]) -> Refusal {
    refuse(with("POST / HTTP/1.1", lines))
}

#[test]
fn a_head_is_cut_into_its_parts() {
    let text = "POST /a?b HTTP/1.0\r\nHost: h.test:80\r\nx-a:  b \r\nX-Empty:\r\n\r\nrest";
    let (request, head) = accept(text);
    let bytes = text.as_bytes();
    assert_eq!(
        (head.method.of(bytes), head.target.of(bytes)),
        (&b"POST"[..], &b"/a?b"[..])
    );
    assert_eq!((head.version, head.status), (Version::Http10, 0));
    assert_eq!(request.target.path.of(bytes), b"/a");
    assert_eq!(request.host.of(bytes), b"h.test:80");
    assert_eq!(&text[request.head_length..], "rest");
    let lines: Vec<_> = head
        .fields
        .iter()
        .map(|field| (field.name.of(bytes), field.value.of(bytes)))
        .collect();
    assert_eq!(
        lines,
        [
            (&b"Host"[..], &b"h.test:80"[..]),
            (b"x-a", b"b"),
            (b"X-Empty", b"")
        ]
    );
}

#[test]
fn a_head_is_partial_until_its_last_byte() {
    let text = with("GET / HTTP/1.1", &["X-A: 1"]);
    for length in 0..text.len() {
        assert!(is_partial(&text.as_bytes()[..length]), "{length}");
    }
    accept(&text);
}

//
#[test]
fn http_1_1_without_host_is_refused_by_name() {
    assert_eq!(refuse("GET / HTTP/1.1\r\n\r\n"), Refusal::HostMissing);
    assert_eq!(
        refuse("GET http://a.test/ HTTP/1.1\r\n\r\n"),
        Refusal::HostMissing
    );
}

// the answer comes from the look-up
#[test]
fn http_1_0_may_come_without_host_and_1_1_with_an_empty_one() {
    assert!(accept("GET / HTTP/1.0\r\n\r\n").0.host.is_empty());
    assert!(accept("GET / HTTP/1.1\r\nHost:\r\n\r\n").0.host.is_empty());
}

// Spec 4.2, RFC 9112 section 3.2
#[test]
fn a_second_host_is_malformed_even_when_equal() {
    assert_eq!(refuse_lines(&["Host: other.test"]), Refusal::Malformed);
    assert_eq!(refuse_lines(&["hOST: app.test"]), Refusal::Malformed);
}

//
#[test]
fn a_host_that_none_can_have_is_refused_by_name() {
    for host in [
        "<script>",
        "a b",
        "user@a.test",
        "a/b",
        "a\\b",
        "a\"b",
        "a#b",
        "a?b",
        "a\tb",
        "\u{e4}.test",
    ] {
        assert_eq!(
            refuse(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
            Refusal::HostMalformed,
            "{host}"
        );
    }
}

// Spec 4.3, R-076
#[test]
fn the_authority_of_an_absolute_target_counts_unless_it_is_empty() {
    let host = |target: &str| {
        let text = with(&format!("GET {target} HTTP/1.1"), &[]);
        String::from_utf8_lossy(accept(&text).0.host.of(text.as_bytes())).into_owned()
    };
    assert_eq!(host("http://other.test:81/x"), "other.test:81");
    assert_eq!(host("ftp://other.test/x"), "other.test");
    assert_eq!(host("http:///x"), "app.test");
    assert_eq!(host("/x"), "app.test");
}

// Design invariant 7
#[test]
fn another_spelling_of_a_vouched_name_does_not_go_on() {
    let (_, head) = accept(&with(
        "GET / HTTP/1.1",
        &[
            "X_Forwarded_For: 1",
            "X-Forwarded-For: 2",
            "X_Under_score: 3",
        ],
    ));
    assert_eq!(
        head.fields
            .iter()
            .map(|field| field.keep)
            .collect::<Vec<_>>(),
        [true, false, true, true]
    );
}

#[test]
fn more_lines_than_usual_are_read_and_far_too_many_refused() {
    let lines = |count: usize| {
        (0..count)
            .map(|at| format!("X-{at}: {at}\r\n"))
            .collect::<String>()
    };
    for count in [63, 64, 65, 1000, 16_383] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(count));
        assert_eq!(accept(&text).1.fields.len(), count + 1);
    }
    assert_eq!(
        refuse(format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            lines(16_384)
        )),
        Refusal::TooLarge
    );
}

// Spec 4.10
#[test]
fn a_head_that_does_not_end_within_the_limit_is_too_large() {
    let endless = |begin: &str| [begin.as_bytes(), &vec![b'a'; HEAD_LIMIT - begin.len()]].concat();
    for begin in ["GET /", "GET / HTTP/1.1\r\nX-A: ", "GET / HTTP/1.1\r\nX A"] {
        let bytes = endless(begin);
        assert!(is_partial(&bytes[..HEAD_LIMIT - 1]), "{begin:?}");
        assert_eq!(refuse(&bytes), Refusal::TooLarge, "{begin:?}");
    }
}

#[test]
fn a_head_is_used_again_without_a_trace_of_the_message_before() {
    let mut head = Head::default();
    let first = "POST /x HTTP/1.0\r\nHost: a\r\nX: y\r\n\r\n";
    assert!(matches!(
        parse(first.as_bytes(), &mut head),
        Parsed::Complete(_)
    ));
    head.add("X-Added", b"1");
    assert!(matches!(parse(b"GET", &mut head), Parsed::Partial));
    assert!(
        head.fields.is_empty()
            && head.added.is_empty()
            && head.method.is_empty()
            && head.target.is_empty()
    );
    assert_eq!(head.version, Version::Http11);
}
