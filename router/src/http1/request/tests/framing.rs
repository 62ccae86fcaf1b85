//! Where a body ends, and what becomes of the connection.

use super::*;

// R-156, RFC 9112 section 6.3
#[test]
fn content_length_and_chunked_frame_a_body_and_neither_means_none() {
    assert_eq!(
        accept(&with("GET / HTTP/1.1", &[])).0.framing,
        Framing::None
    );
    assert_eq!(
        accept(&with("GET / HTTP/1.1", &["Content-Length: 5"]))
            .0
            .framing,
        Framing::Length(5)
    );
    assert_eq!(
        accept(&with("GET / HTTP/1.0", &["content-length:007"]))
            .0
            .framing,
        Framing::Length(7)
    );
    for coding in ["chunked", "CHUNKED", "Chunked\t"] {
        let line = format!("Transfer-Encoding: {coding}");
        assert_eq!(
            accept(&with("POST / HTTP/1.1", &[&line])).0.framing,
            Framing::Chunked
        );
    }
}

// R-292, spec 4.2
#[test]
fn a_content_length_that_is_no_plain_number_is_malformed() {
    for value in [
        "",
        "-5",
        "+5",
        "five",
        "5, 5",
        "5,",
        "0x5",
        "5 5",
        "5.0",
        "\u{665}",
        "99999999999999999999",
    ] {
        assert_eq!(
            refuse_lines(&[&format!("Content-Length: {value}")]),
            Refusal::Malformed,
            "{value}"
        );
    }
}

#[test]
fn a_content_length_beyond_63_bits_is_malformed() {
    let largest = accept(&with(
        "POST / HTTP/1.1",
        &["Content-Length: 9223372036854775807"],
    ))
    .0
    .framing;
    assert_eq!(largest, Framing::Length(i64::MAX as u64));
    assert_eq!(
        refuse_lines(&["Content-Length: 9223372036854775808"]),
        Refusal::Malformed
    );
    assert_eq!(
        refuse_lines(&["Content-Length: 18446744073709551617"]),
        Refusal::Malformed
    );
}

// RFC 9112 section 6.3; spec 4.2 lets us refuse equal ones
#[test]
fn a_second_content_length_is_malformed_even_when_equal() {
    assert_eq!(
        refuse_lines(&["Content-Length: 5", "Content-Length: 6"]),
        Refusal::Malformed
    );
    assert_eq!(
        refuse_lines(&["Content-Length: 5", "Content-Length: 5"]),
        Refusal::Malformed
    );
}

// RFC 9112 section 6.1
#[test]
fn content_length_together_with_chunked_is_malformed_in_either_order() {
    assert_eq!(
        refuse_lines(&["Content-Length: 5", "Transfer-Encoding: chunked"]),
        Refusal::Malformed
    );
    assert_eq!(
        refuse_lines(&["Transfer-Encoding: chunked", "Content-Length: 5"]),
        Refusal::Malformed
    );
}

// RFC 9112 section 6.1: HTTP/1.0 has no transfer codings
#[test]
fn chunked_in_http_1_0_is_malformed() {
    assert_eq!(
        refuse(with("POST / HTTP/1.0", &["Transfer-Encoding: chunked"])),
        Refusal::Malformed
    );
}

// Spec 4.2
#[test]
fn any_transfer_encoding_but_one_chunked_is_unsupported() {
    for value in [
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "identity",
        "",
        "\"chunked\"",
        "chunked;a=b",
        "xchunked",
    ] {
        assert_eq!(
            refuse_lines(&[&format!("Transfer-Encoding: {value}")]),
            Refusal::TransferEncoding,
            "{value}"
        );
    }
    assert_eq!(
        refuse_lines(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        Refusal::TransferEncoding
    );
    assert_eq!(
        refuse_lines(&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]),
        Refusal::TransferEncoding
    );
}

// R-182, RFC 9112 section 9.3
#[test]
fn connection_options_decide_whether_the_connection_is_kept() {
    let keeps = |version: &str, lines: &[&str]| {
        accept(&with(&format!("GET / {version}"), lines))
            .0
            .keep_alive
    };
    assert!(keeps("HTTP/1.1", &[]));
    assert!(!keeps("HTTP/1.1", &["Connection: close"]));
    assert!(!keeps(
        "HTTP/1.1",
        &["Connection: X-A , CLOSE,", "Connection: keep-alive"]
    ));
    assert!(keeps("HTTP/1.1", &["Connection: closed"]));
    assert!(!keeps("HTTP/1.0", &[]));
    assert!(keeps("HTTP/1.0", &["Connection: Keep-Alive"]));
    assert!(!keeps("HTTP/1.0", &["Connection: keep-alive, close"]));
}

// R-165, spec 4.2 and 4.8
#[test]
fn only_100_continue_can_be_expected_and_only_in_http_1_1() {
    assert_eq!(
        accept(&with("POST / HTTP/1.1", &["Expect: 100-Continue"]))
            .0
            .expect,
        Expect::Continue
    );
    assert_eq!(
        accept(&with("POST / HTTP/1.0", &["Expect: 100-continue"]))
            .0
            .expect,
        Expect::Nothing
    );
    assert_eq!(
        accept(&with("POST / HTTP/1.1", &["Expect:"])).0.expect,
        Expect::Nothing
    );
    assert_eq!(refuse_lines(&["Expect: 200-ok"]), Refusal::Expectation);
    assert_eq!(
        refuse_lines(&["Expect: 100-continue", "Expect: x"]),
        Refusal::Expectation
    );
}

#[test]
fn what_makes_a_request_unreadable_counts_more_than_an_expectation() {
    assert_eq!(
        refuse_lines(&["Expect: x", "Transfer-Encoding: gzip"]),
        Refusal::TransferEncoding
    );
    assert_eq!(
        refuse("GET / HTTP/1.1\r\nExpect: x\r\n\r\n"),
        Refusal::HostMissing
    );
}

// R-211, spec 4.9
#[test]
fn an_upgrade_needs_the_option_and_a_protocol() {
    let upgrades =
        |version: &str, lines: &[&str]| accept(&with(&format!("GET / {version}"), lines)).0.upgrade;
    assert!(upgrades(
        "HTTP/1.1",
        &["Connection: keep-alive, Upgrade", "Upgrade: websocket"]
    ));
    assert!(upgrades(
        "HTTP/1.1",
        &[
            "Connection: keep-alive",
            "connection: UPGRADE",
            "upgrade: x"
        ]
    ));
    assert!(!upgrades("HTTP/1.1", &["Upgrade: websocket"]));
    assert!(!upgrades("HTTP/1.1", &["Connection: upgrade"]));
    assert!(!upgrades("HTTP/1.1", &["Connection: upgrade", "Upgrade:"]));
    assert!(!upgrades(
        "HTTP/1.0",
        &["Connection: upgrade", "Upgrade: websocket"]
    ));
}
