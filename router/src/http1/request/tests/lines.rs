//! Request lines and field lines that can be read in more than one way, or in none.

use super::*;

// Spec 4.2
#[test]
fn a_malformed_request_line_is_malformed() {
    for line in [
        "GET",
        "GET /",
        "GET /  HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        " GET / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "GET / HTTP/1,1",
        "GE(T / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET /a\u{1}b HTTP/1.1",
        "GET foo HTTP/1.1",
        "GET /%4 HTTP/1.1",
        "GET /\u{7f} HTTP/1.1",
        "\u{e4} / HTTP/1.1",
    ] {
        assert_eq!(refuse(with(line, &[])), Refusal::Malformed, "{line:?}");
    }
    assert_eq!(refuse("\u{16}\u{3}\u{1}\0\u{5}hello"), Refusal::Malformed);
}

// Spec 4.2, RFC 9112 section 2.2
#[test]
fn an_empty_line_before_the_request_line_is_malformed() {
    for begin in ["\r\n", "\n", "\r"] {
        assert_eq!(
            refuse(format!("{begin}{}", with("GET / HTTP/1.1", &[]))),
            Refusal::Malformed
        );
    }
}

// Spec 4.2: a method in lower case or unusual
#[test]
fn any_token_is_a_method() {
    for method in ["get", "M-SEARCH", "PRI", "!#$%&'*+-.^_`|~"] {
        accept(&with(&format!("{method} / HTTP/1.1"), &[]));
    }
}

// Spec 4.3
#[test]
fn a_target_in_another_encoding_than_utf_8_is_kept_as_it_is() {
    let bytes = b"GET /caf\xe9?\xff HTTP/1.1\r\nHost: app.test\r\nX: \xe9\r\n\r\n";
    let mut head = Head::default();
    let Parsed::Complete(request) = parse(bytes, &mut head) else {
        panic!("refused")
    };
    assert_eq!(head.target.of(bytes), b"/caf\xe9?\xff");
    assert_eq!(request.target.path.of(bytes), b"/caf\xe9");
    assert_eq!(request.head_length, bytes.len());
    assert!((0..bytes.len()).all(|length| is_partial(&bytes[..length])));
    for target in [&b"http://\xe9/"[..], b"/%\xe9\xe9", b"\xe9://a/", b"\xe9"] {
        let line = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(
            refuse(line),
            Refusal::Malformed,
            "{}",
            target.escape_ascii()
        );
    }
    assert_eq!(
        refuse(b"GET /\xe9\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal::Malformed
    );
    assert_eq!(
        refuse(b"G\xe9T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refusal::Malformed
    );
}

// R-158
#[test]
fn an_unknown_minor_version_an_unknown_major_version_and_the_preface_of_http_2_are_told_apart() {
    assert_eq!(refuse(with("GET / HTTP/1.5", &[])), Refusal::MinorVersion);
    assert_eq!(refuse(with("GET / HTTP/1.2", &[])), Refusal::MinorVersion);
    assert_eq!(refuse(with("GET / HTTP/0.9", &[])), Refusal::MajorVersion);
    assert_eq!(refuse(with("GET / HTTP/3.0", &[])), Refusal::MajorVersion);
    assert_eq!(
        refuse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Refusal::Http2Preface
    );
    assert_eq!(refuse(with("GET /x y HTTP/1.5", &[])), Refusal::Malformed);
    assert_eq!(refuse(with("GET / HTTP/2.00", &[])), Refusal::Malformed);
}

#[test]
fn a_wrong_version_is_judged_when_its_line_is_there_or_too_long() {
    assert!(is_partial(b"GET / HTTP/1."));
    assert!(is_partial(b"GET / HTTP/1.5\r"));
    assert!(is_partial(b"PRI * HTTP/2.0"));
    assert_eq!(refuse("GET / y HTTP/1.5"), Refusal::Malformed);
}

// Spec 4.2
#[test]
fn a_malformed_header_line_is_malformed() {
    for line in [
        " X-A: folded",
        "\tX-A: folded",
        "nonsense",
        ": v",
        "X(A): v",
        "X-A\t: v",
        " : v",
        "X\u{e4}: v",
        "X-A",
        "\u{b}X: v",
    ] {
        assert_eq!(
            refuse(with("GET / HTTP/1.1", &["X-B: 1", line])),
            Refusal::Malformed,
            "{line:?}"
        );
        assert_eq!(
            refuse(format!("GET / HTTP/1.1\r\n{line}\r\n\r\n")),
            Refusal::Malformed,
            "{line:?}"
        );
    }
}

// Spec 4.2, RFC 9112 section 5.1
#[test]
fn a_space_in_a_header_name_has_an_answer_of_its_own() {
    assert_eq!(refuse_lines(&["X-A : 1"]), Refusal::HeaderName);
    assert_eq!(
        refuse_lines(&["Transfer-Encoding : chunked"]),
        Refusal::HeaderName
    );
    assert_eq!(refuse_lines(&["X A: 1"]), Refusal::HeaderName);
    // Only the line at which reading stopped counts.
    assert_eq!(refuse_lines(&["X(A): 1", "X-A : 1"]), Refusal::Malformed);
    assert!(is_partial(b"GET / HTTP/1.1\r\nX-A "));
}

// Spec 4.2, RFC 9110 section 5.5
#[test]
fn control_characters_in_a_value_are_malformed() {
    for value in ["a\0b", "a\rb", "\u{b}chunked", "a\u{7f}"] {
        assert_eq!(
            refuse_lines(&[&format!("X-A: {value}")]),
            Refusal::Malformed,
            "{value:?}"
        );
    }
    accept(&with("GET / HTTP/1.1", &["X-A: a\tb\u{e4}"]));
}

// RFC 9112 section 2.2; spec 4.2 lets us refuse
#[test]
fn a_bare_line_feed_anywhere_is_malformed() {
    for text in [
        "GET / HTTP/1.1\nHost: app.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.test\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.test\r\n\n",
        "GET / HTTP/1.1\r\nHost: app.test\r\nX: 1\nContent-Length: 5\r\n\r\n",
    ] {
        assert_eq!(refuse(text), Refusal::Malformed, "{text:?}");
    }
}
