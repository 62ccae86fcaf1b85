//! Each rule for responses once; the lines of the specification that they come from stand beside them.

use super::*;

fn read(bytes: &[u8], to_head: bool, limits: Limits) -> (Parsed<Response, Unusable>, Head) {
    let mut head = Head::default();
    (parse(bytes, &mut head, to_head, limits), head)
}

fn accept_for(text: &str, to_head: bool) -> Response {
    match read(text.as_bytes(), to_head, Limits::default()) {
        (Parsed::Complete(response), _) => response,
        (other, _) => panic!("{text:?}: {other:?}"),
    }
}

/// A response with this status line and these lines, to a GET.
fn accept(status_line: &str, lines: &[&str]) -> Response {
    accept_for(&text(status_line, lines), false)
}

fn text(status_line: &str, lines: &[&str]) -> String {
    let mut text = format!("{status_line}\r\n");
    lines.iter().for_each(|line| text += &format!("{line}\r\n"));
    text + "\r\n"
}

fn refuse(bytes: impl AsRef<[u8]>) -> Unusable {
    match read(bytes.as_ref(), false, Limits::default()).0 {
        Parsed::Refused(unusable) => unusable,
        other => panic!("{}: {other:?}", bytes.as_ref().escape_ascii()),
    }
}

const OK: &str = "HTTP/1.1 200 OK";

#[test]
fn a_head_is_cut_into_its_parts() {
    let text = "HTTP/1.0 404 Gone missing\r\nX-A: b\r\n\r\nrest";
    let (parsed, head) = read(text.as_bytes(), false, Limits::default());
    let Parsed::Complete(response) = parsed else {
        panic!("{parsed:?}")
    };
    assert_eq!((head.version, head.status), (Version::Http10, 404));
    assert_eq!(&text[response.head_length..], "rest");
    assert_eq!(head.fields[0].value.of(text.as_bytes()), b"b");
    assert!(head.method.is_empty() && head.target.is_empty());
}

#[test]
fn a_head_is_partial_until_its_last_byte() {
    let text = text(OK, &["Content-Length: 5"]);
    for length in 0..text.len() {
        assert!(
            matches!(
                read(&text.as_bytes()[..length], false, Limits::default()).0,
                Parsed::Partial
            ),
            "{length}"
        );
    }
}

// Spec 4.6: the phrase is not passed on anyway
#[test]
fn the_reason_phrase_may_be_anything_or_nothing() {
    for line in [
        "HTTP/1.1 200",
        "HTTP/1.1 200 ",
        "HTTP/1.1 200 two words",
        "HTTP/1.1 299 \u{e4}",
    ] {
        accept(line, &["Content-Length: 0"]);
    }
}

#[test]
fn a_status_of_three_digits_from_100_on_is_passed_and_no_other() {
    assert_eq!(
        accept("HTTP/1.1 999 x", &["Content-Length: 0"]).framing,
        Framing::Length(0)
    );
    for line in [
        "HTTP/1.1 099 x",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 2x0 OK",
        "nonsense",
    ] {
        assert_eq!(refuse(text(line, &[])), Unusable::Malformed, "{line}");
    }
}

#[test]
fn other_versions_than_1_0_and_1_1_are_malformed() {
    for line in [
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
    ] {
        assert_eq!(refuse(text(line, &[])), Unusable::Malformed, "{line}");
    }
}

// R-153, RFC 9112 section 6.3
#[test]
fn a_body_is_framed_by_chunked_or_a_length_or_ends_with_the_connection() {
    assert_eq!(
        accept(OK, &["Transfer-Encoding: CHUNKED"]).framing,
        Framing::Chunked
    );
    assert_eq!(
        accept(OK, &["Content-Length: 5"]).framing,
        Framing::Length(5)
    );
    assert_eq!(accept(OK, &[]).framing, Framing::UntilClose);
    assert!(!accept(OK, &[]).keep_alive);
}

// R-152, RFC 9112 section 6.3
#[test]
fn answers_to_head_and_1xx_204_and_304_have_no_body_whatever_the_fields_say() {
    for lines in [
        &["Content-Length: 5"][..],
        &["Transfer-Encoding: chunked"],
        &[],
    ] {
        for status in [
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 103 x",
            "HTTP/1.1 204 x",
            "HTTP/1.1 304 x",
        ] {
            let response = accept(status, lines);
            assert_eq!(response.framing, Framing::None, "{status}");
            assert!(response.keep_alive, "{status}");
        }
        assert_eq!(accept_for(&text(OK, lines), true).framing, Framing::None);
    }
    assert_eq!(
        accept("HTTP/1.1 205 x", &["Content-Length: 5"]).framing,
        Framing::Length(5)
    );
}

#[test]
fn a_length_that_describes_a_body_is_told_also_when_none_follows() {
    assert_eq!(
        accept_for(&text(OK, &["Content-Length: 10"]), true).content_length,
        Some(10)
    );
    assert_eq!(
        accept(OK, &["Content-Length: 10", "Transfer-Encoding: chunked"]).content_length,
        None
    );
}

#[test]
fn a_connection_that_has_switched_protocols_is_not_used_again() {
    assert!(
        !accept(
            "HTTP/1.1 101 x",
            &["Connection: keep-alive, upgrade", "Upgrade: websocket"]
        )
        .keep_alive
    );
}

// RFC 9112 section 6.3: chunked counts, but somebody may have read the other
#[test]
fn content_length_with_chunked_is_read_as_chunked_and_ends_the_connection() {
    for lines in [
        ["Content-Length: 3", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 3"],
    ] {
        let response = accept(OK, &lines);
        assert_eq!(response.framing, Framing::Chunked);
        assert!(!response.keep_alive);
    }
}

// RFC 9112 section 6.3
#[test]
fn equal_content_lengths_are_one_and_different_ones_malformed() {
    assert_eq!(
        accept(OK, &["Content-Length: 5", "Content-Length: 5"]).framing,
        Framing::Length(5)
    );
    assert_eq!(
        refuse(text(OK, &["Content-Length: 3", "Content-Length: 2"])),
        Unusable::Malformed
    );
    for value in ["", "5, 5", "-1", "+5", "0x5", "9223372036854775808"] {
        assert_eq!(
            refuse(text(OK, &[&format!("Content-Length: {value}")])),
            Unusable::Malformed,
            "{value}"
        );
    }
}

// RFC 9112 section 6.1
#[test]
fn any_transfer_encoding_but_one_chunked_is_unsupported() {
    for value in ["gzip, chunked", "identity", "", "chunked;q=1"] {
        let line = format!("Transfer-Encoding: {value}");
        assert_eq!(
            refuse(text(OK, &[&line])),
            Unusable::TransferEncoding,
            "{value}"
        );
    }
    let twice = ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"];
    assert_eq!(refuse(text(OK, &twice)), Unusable::TransferEncoding);
}

// RFC 9112 section 6.1
#[test]
fn a_chunked_body_in_http_1_0_is_faulty_framing() {
    assert_eq!(
        refuse(text("HTTP/1.0 200 OK", &["Transfer-Encoding: chunked"])),
        Unusable::TransferEncoding
    );
    assert_eq!(
        accept("HTTP/1.0 304 x", &["Transfer-Encoding: chunked"]).framing,
        Framing::None
    );
}

// R-164, RFC 9112 section 9.3
#[test]
fn connection_options_decide_whether_the_connection_is_kept() {
    let keeps = |version: &str, line: &str| {
        accept(&format!("{version} 200 OK"), &["Content-Length: 0", line]).keep_alive
    };
    assert!(keeps("HTTP/1.1", "X: y"));
    assert!(!keeps("HTTP/1.1", "Connection: x, Close"));
    assert!(!keeps("HTTP/1.0", "X: y"));
    assert!(keeps("HTTP/1.0", "Connection: Keep-Alive"));
    assert!(!keeps("HTTP/1.0", "Connection: keep-alive, close"));
}

#[test]
fn a_malformed_head_is_malformed() {
    for head in [
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\rb\r\n\r\n",
        "HTTP/1.1 200 a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\nX-A: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: 1\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: 1\r\n\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(refuse(head), Unusable::Malformed, "{head:?}");
    }
}

//
#[test]
fn a_head_of_more_bytes_than_configured_is_refused_as_soon_as_that_shows() {
    let text = text(OK, &["X-A: aaaaaaaaaa"]);
    let exact = Limits {
        bytes: text.len(),
        lines: None,
    };
    let short = Limits {
        bytes: text.len() - 1,
        lines: None,
    };
    assert!(matches!(
        read(text.as_bytes(), false, exact).0,
        Parsed::Complete(_)
    ));
    assert!(matches!(
        read(text.as_bytes(), false, short).0,
        Parsed::Refused(Unusable::TooLarge(_))
    ));
    let begin = &text.as_bytes()[..text.len() - 1];
    assert!(matches!(
        read(begin, false, short).0,
        Parsed::Refused(Unusable::TooLarge(_))
    ));
    assert!(matches!(
        read(&begin[..begin.len() - 1], false, short).0,
        Parsed::Partial
    ));
    let shown = Unusable::TooLarge(80).to_string();
    assert!(
        shown.ends_with("server response headers exceeded 80 bytes; aborted"),
        "{shown}"
    );
}

//
#[test]
fn more_lines_than_configured_are_refused() {
    let lines: Vec<String> = (0..70).map(|at| format!("X-{at}: 1")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let limits = Limits {
        lines: Some(70),
        ..Limits::default()
    };
    assert!(matches!(
        read(text(OK, &lines).as_bytes(), false, limits).0,
        Parsed::Complete(_)
    ));
    let limits = Limits {
        lines: Some(69),
        ..Limits::default()
    };
    let refused = read(text(OK, &lines).as_bytes(), false, limits).0;
    assert!(matches!(refused, Parsed::Refused(Unusable::TooMany)));
    assert_eq!(Unusable::TooMany.to_string(), "Too many response headers");
}
