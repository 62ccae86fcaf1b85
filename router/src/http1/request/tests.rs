//! Each rule for requests once; the lines of the specification that they come from stand beside them.

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
    assert_eq!((head.method.of(bytes), head.target.of(bytes)), (&b"POST"[..], &b"/a?b"[..]));
    assert_eq!((head.version, head.status), (Version::Http10, 0));
    assert_eq!(request.target.path.of(bytes), b"/a");
    assert_eq!(request.host.of(bytes), b"h.test:80");
    assert_eq!(&text[request.head_length..], "rest");
    let lines: Vec<_> = head.fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes))).collect();
    assert_eq!(lines, [(&b"Host"[..], &b"h.test:80"[..]), (b"x-a", b"b"), (b"X-Empty", b"")]);
}

#[test]
fn a_head_is_partial_until_its_last_byte() {
    let text = with("GET / HTTP/1.1", &["X-A: 1"]);
    for length in 0..text.len() {
        assert!(is_partial(&text.as_bytes()[..length]), "{length}");
    }
    accept(&text);
}

// R-156, RFC 9112 section 6.3
#[test]
fn content_length_and_chunked_frame_a_body_and_neither_means_none() {
    assert_eq!(accept(&with("GET / HTTP/1.1", &[])).0.framing, Framing::None);
    assert_eq!(accept(&with("GET / HTTP/1.1", &["Content-Length: 5"])).0.framing, Framing::Length(5));
    assert_eq!(accept(&with("GET / HTTP/1.0", &["content-length:007"])).0.framing, Framing::Length(7));
    for coding in ["chunked", "CHUNKED", "Chunked\t"] {
        let line = format!("Transfer-Encoding: {coding}");
        assert_eq!(accept(&with("POST / HTTP/1.1", &[&line])).0.framing, Framing::Chunked);
    }
}

// R-292, spec 4.2
#[test]
fn a_content_length_that_is_no_plain_number_is_malformed() {
    for value in ["", "-5", "+5", "five", "5, 5", "5,", "0x5", "5 5", "5.0", "\u{665}", "99999999999999999999"] {
        assert_eq!(refuse_lines(&[&format!("Content-Length: {value}")]), Refusal::Malformed, "{value}");
    }
}

#[test]
fn a_content_length_beyond_63_bits_is_malformed() {
    let largest = accept(&with("POST / HTTP/1.1", &["Content-Length: 9223372036854775807"])).0.framing;
    assert_eq!(largest, Framing::Length(i64::MAX as u64));
    assert_eq!(refuse_lines(&["Content-Length: 9223372036854775808"]), Refusal::Malformed);
    assert_eq!(refuse_lines(&["Content-Length: 18446744073709551617"]), Refusal::Malformed);
}

// RFC 9112 section 6.3; spec 4.2 lets us refuse equal ones
#[test]
fn a_second_content_length_is_malformed_even_when_equal() {
    assert_eq!(refuse_lines(&["Content-Length: 5", "Content-Length: 6"]), Refusal::Malformed);
    assert_eq!(refuse_lines(&["Content-Length: 5", "Content-Length: 5"]), Refusal::Malformed);
}

// RFC 9112 section 6.1
#[test]
fn content_length_together_with_chunked_is_malformed_in_either_order() {
    assert_eq!(refuse_lines(&["Content-Length: 5", "Transfer-Encoding: chunked"]), Refusal::Malformed);
    assert_eq!(refuse_lines(&["Transfer-Encoding: chunked", "Content-Length: 5"]), Refusal::Malformed);
}

// RFC 9112 section 6.1: HTTP/1.0 has no transfer codings
#[test]
fn chunked_in_http_1_0_is_malformed() {
    assert_eq!(refuse(with("POST / HTTP/1.0", &["Transfer-Encoding: chunked"])), Refusal::Malformed);
}

// Spec 4.2
#[test]
fn any_transfer_encoding_but_one_chunked_is_unsupported() {
    for value in ["gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "", "\"chunked\"", "chunked;a=b", "xchunked"] {
        assert_eq!(refuse_lines(&[&format!("Transfer-Encoding: {value}")]), Refusal::TransferEncoding, "{value}");
    }
    assert_eq!(refuse_lines(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]), Refusal::TransferEncoding);
    assert_eq!(refuse_lines(&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]), Refusal::TransferEncoding);
}

// R-079
#[test]
fn http_1_1_without_host_is_refused_by_name() {
    assert_eq!(refuse("GET / HTTP/1.1\r\n\r\n"), Refusal::HostMissing);
    assert_eq!(refuse("GET http://a.test/ HTTP/1.1\r\n\r\n"), Refusal::HostMissing);
}

// R-077: the answer comes from the look-up
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

// R-079
#[test]
fn a_host_that_none_can_have_is_refused_by_name() {
    for host in ["<script>", "a b", "user@a.test", "a/b", "a\\b", "a\"b", "a#b", "a?b", "a\tb", "\u{e4}.test"] {
        assert_eq!(refuse(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), Refusal::HostMalformed, "{host}");
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

// Spec 4.2
#[test]
fn a_malformed_request_line_is_malformed() {
    for line in [
        "GET", "GET /", "GET /  HTTP/1.1", "GET  / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", " GET / HTTP/1.1", "GET / http/1.1",
        "GET / HTTP/1.1 ", "GET / HTTP/1.10", "GET / HTTP/11", "GET / HTTP/1,1", "GE(T / HTTP/1.1", "GET / x HTTP/1.1", "GET /a\u{1}b HTTP/1.1",
        "GET foo HTTP/1.1", "GET /%4 HTTP/1.1", "GET /\u{7f} HTTP/1.1", "\u{e4} / HTTP/1.1",
    ] {
        assert_eq!(refuse(with(line, &[])), Refusal::Malformed, "{line:?}");
    }
    assert_eq!(refuse("\u{16}\u{3}\u{1}\0\u{5}hello"), Refusal::Malformed);
}

// Spec 4.2, RFC 9112 section 2.2
#[test]
fn an_empty_line_before_the_request_line_is_malformed() {
    for begin in ["\r\n", "\n", "\r"] {
        assert_eq!(refuse(format!("{begin}{}", with("GET / HTTP/1.1", &[]))), Refusal::Malformed);
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
    let Parsed::Complete(request) = parse(bytes, &mut head) else { panic!("refused") };
    assert_eq!(head.target.of(bytes), b"/caf\xe9?\xff");
    assert_eq!(request.target.path.of(bytes), b"/caf\xe9");
    assert_eq!(request.head_length, bytes.len());
    assert!((0..bytes.len()).all(|length| is_partial(&bytes[..length])));
    for target in [&b"http://\xe9/"[..], b"/%\xe9\xe9", b"\xe9://a/", b"\xe9"] {
        let line = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        assert_eq!(refuse(line), Refusal::Malformed, "{}", target.escape_ascii());
    }
    assert_eq!(refuse(b"GET /\xe9\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refuse(b"G\xe9T / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
}

// R-158
#[test]
fn an_unknown_minor_version_an_unknown_major_version_and_the_preface_of_http_2_are_told_apart() {
    assert_eq!(refuse(with("GET / HTTP/1.5", &[])), Refusal::MinorVersion);
    assert_eq!(refuse(with("GET / HTTP/1.2", &[])), Refusal::MinorVersion);
    assert_eq!(refuse(with("GET / HTTP/0.9", &[])), Refusal::MajorVersion);
    assert_eq!(refuse(with("GET / HTTP/3.0", &[])), Refusal::MajorVersion);
    assert_eq!(refuse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Refusal::Http2Preface);
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
    for line in [" X-A: folded", "\tX-A: folded", "nonsense", ": v", "X(A): v", "X-A\t: v", " : v", "X\u{e4}: v", "X-A", "\u{b}X: v"] {
        assert_eq!(refuse(with("GET / HTTP/1.1", &["X-B: 1", line])), Refusal::Malformed, "{line:?}");
        assert_eq!(refuse(format!("GET / HTTP/1.1\r\n{line}\r\n\r\n")), Refusal::Malformed, "{line:?}");
    }
}

// Spec 4.2, RFC 9112 section 5.1
#[test]
fn a_space_in_a_header_name_has_an_answer_of_its_own() {
    assert_eq!(refuse_lines(&["X-A : 1"]), Refusal::HeaderName);
    assert_eq!(refuse_lines(&["Transfer-Encoding : chunked"]), Refusal::HeaderName);
    assert_eq!(refuse_lines(&["X A: 1"]), Refusal::HeaderName);
    // Only the line at which reading stopped counts.
    assert_eq!(refuse_lines(&["X(A): 1", "X-A : 1"]), Refusal::Malformed);
    assert!(is_partial(b"GET / HTTP/1.1\r\nX-A "));
}

// Spec 4.2, RFC 9110 section 5.5
#[test]
fn control_characters_in_a_value_are_malformed() {
    for value in ["a\0b", "a\rb", "\u{b}chunked", "a\u{7f}"] {
        assert_eq!(refuse_lines(&[&format!("X-A: {value}")]), Refusal::Malformed, "{value:?}");
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

// R-182, RFC 9112 section 9.3
#[test]
fn connection_options_decide_whether_the_connection_is_kept() {
    let keeps = |version: &str, lines: &[&str]| accept(&with(&format!("GET / {version}"), lines)).0.keep_alive;
    assert!(keeps("HTTP/1.1", &[]));
    assert!(!keeps("HTTP/1.1", &["Connection: close"]));
    assert!(!keeps("HTTP/1.1", &["Connection: X-A , CLOSE,", "Connection: keep-alive"]));
    assert!(keeps("HTTP/1.1", &["Connection: closed"]));
    assert!(!keeps("HTTP/1.0", &[]));
    assert!(keeps("HTTP/1.0", &["Connection: Keep-Alive"]));
    assert!(!keeps("HTTP/1.0", &["Connection: keep-alive, close"]));
}

// R-165, spec 4.2 and 4.8
#[test]
fn only_100_continue_can_be_expected_and_only_in_http_1_1() {
    assert_eq!(accept(&with("POST / HTTP/1.1", &["Expect: 100-Continue"])).0.expect, Expect::Continue);
    assert_eq!(accept(&with("POST / HTTP/1.0", &["Expect: 100-continue"])).0.expect, Expect::Nothing);
    assert_eq!(accept(&with("POST / HTTP/1.1", &["Expect:"])).0.expect, Expect::Nothing);
    assert_eq!(refuse_lines(&["Expect: 200-ok"]), Refusal::Expectation);
    assert_eq!(refuse_lines(&["Expect: 100-continue", "Expect: x"]), Refusal::Expectation);
}

#[test]
fn what_makes_a_request_unreadable_counts_more_than_an_expectation() {
    assert_eq!(refuse_lines(&["Expect: x", "Transfer-Encoding: gzip"]), Refusal::TransferEncoding);
    assert_eq!(refuse("GET / HTTP/1.1\r\nExpect: x\r\n\r\n"), Refusal::HostMissing);
}

// R-211, spec 4.9
#[test]
fn an_upgrade_needs_the_option_and_a_protocol() {
    let upgrades = |version: &str, lines: &[&str]| accept(&with(&format!("GET / {version}"), lines)).0.upgrade;
    assert!(upgrades("HTTP/1.1", &["Connection: keep-alive, Upgrade", "Upgrade: websocket"]));
    assert!(upgrades("HTTP/1.1", &["Connection: keep-alive", "connection: UPGRADE", "upgrade: x"]));
    assert!(!upgrades("HTTP/1.1", &["Upgrade: websocket"]));
    assert!(!upgrades("HTTP/1.1", &["Connection: upgrade"]));
    assert!(!upgrades("HTTP/1.1", &["Connection: upgrade", "Upgrade:"]));
    assert!(!upgrades("HTTP/1.0", &["Connection: upgrade", "Upgrade: websocket"]));
}

// Design invariant 7
#[test]
fn another_spelling_of_a_vouched_name_does_not_go_on() {
    let (_, head) = accept(&with("GET / HTTP/1.1", &["X_Forwarded_For: 1", "X-Forwarded-For: 2", "X_Under_score: 3"]));
    assert_eq!(head.fields.iter().map(|field| field.keep).collect::<Vec<_>>(), [true, false, true, true]);
}

#[test]
fn more_lines_than_usual_are_read_and_far_too_many_refused() {
    let lines = |count: usize| (0..count).map(|at| format!("X-{at}: {at}\r\n")).collect::<String>();
    for count in [63, 64, 65, 1000, 16_383] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(count));
        assert_eq!(accept(&text).1.fields.len(), count + 1);
    }
    assert_eq!(refuse(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", lines(16_384))), Refusal::TooLarge);
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
    assert!(matches!(parse(first.as_bytes(), &mut head), Parsed::Complete(_)));
    head.add("X-Added", b"1");
    assert!(matches!(parse(b"GET", &mut head), Parsed::Partial));
    assert!(head.fields.is_empty() && head.added.is_empty() && head.method.is_empty() && head.target.is_empty());
    assert_eq!(head.version, Version::Http11);
}
