//! Each rule of the coding once (RFC 9112 section 7.1); any mixture of them is in `tests/http1/chunked.rs`.

use super::*;
use crate::http1::{Body, Form, Framing};

/// What an `AsIs` relay writes for a body in these pieces, and how many bytes of the last piece were left.
fn relay(pieces: &[&str]) -> Result<(String, usize), Malformed> {
    let mut body = Body::new(Framing::Chunked);
    let (mut out, mut left, mut content) = (Vec::new(), 0, 0);
    for piece in pieces {
        let mut rest = piece.as_bytes();
        while !rest.is_empty() && !body.is_done() {
            let take = body.take(rest, Form::AsIs, &mut content)?;
            assert!(!take.is_empty(), "no progress");
            out.extend_from_slice(&rest[take.skip..take.len()]);
            rest = &rest[take.len()..];
        }
        left = rest.len();
    }
    if let Some(fields) = body.owed_end() {
        out.extend_from_slice(fields);
        out.extend_from_slice(b"\r\n");
    }
    assert!(body.is_done(), "not at its end: {pieces:?}");
    Ok((String::from_utf8(out).unwrap(), left))
}

/// What is wrong with a body, in one piece and byte by byte.
fn refuse(bytes: &str) -> Malformed {
    let whole = relay(&[bytes]).unwrap_err();
    let single: Vec<&str> = bytes.split_inclusive(|_| true).collect();
    assert_eq!(relay(&single).unwrap_err(), whole, "{bytes:?}");
    whole
}

// R-153
#[test]
fn chunks_go_on_as_they_came() {
    let body = "5\r\nhello\r\nA\r\n0123456789\r\n00c\r\n abcdefghijk\r\n0\r\n\r\n";
    assert_eq!(relay(&[body]), Ok((body.to_owned(), 0)));
}

#[test]
fn what_follows_the_last_chunk_is_not_touched() {
    assert_eq!(
        relay(&["0\r\n\r\nGET / HTTP/1.1\r\n\r\n"]),
        Ok(("0\r\n\r\n".to_owned(), 18))
    );
}

#[test]
fn the_last_line_end_may_be_cut_with_another_request_behind_it() {
    let expected = Ok(("0\r\n\r\n".to_owned(), 18));
    assert_eq!(relay(&["0\r\n\r", "\nGET / HTTP/1.1\r\n\r\n"]), expected);
    assert_eq!(
        relay(&["0\r\n", "\r", "\nGET / HTTP/1.1\r\n\r\n"]),
        expected
    );
    assert_eq!(relay(&["0\r\n\r", "\n"]), Ok(("0\r\n\r\n".to_owned(), 0)));
}

#[test]
fn extensions_are_read_and_not_passed_on() {
    for extension in [
        ";a",
        ";a=b",
        " ; a=\"b;c\"",
        "\t;a;b",
        " ",
        "\t ",
        ";\u{e4}",
        ";",
    ] {
        let body = format!("2{extension}\r\nhi\r\n0{extension}\r\n\r\n");
        assert_eq!(
            relay(&[&body]).unwrap().0,
            "2\r\nhi\r\n0\r\n\r\n",
            "{extension:?}"
        );
    }
}

#[test]
fn a_size_is_one_to_fifteen_hexadecimal_digits() {
    assert!(relay(&["000000000000002\r\nhi\r\n0\r\n\r\n"]).is_ok());
    for size in [
        "",
        "zz",
        "0x2",
        "-2",
        "+2",
        " 2",
        "2g",
        "0000000000000002",
        "fffffffffffffffff",
        "2.",
        "2,",
        "2\0",
        "\u{662}",
    ] {
        assert_eq!(
            refuse(&format!("{size}\r\nhi\r\n0\r\n\r\n")),
            Malformed::Size,
            "{size:?}"
        );
    }
}

// Some read "5 5" as 5, some as 0x55
#[test]
fn nothing_but_an_extension_follows_white_space_behind_a_size() {
    for size in ["2 2", "2 x", "2\t2;a", "2 \u{e4}"] {
        assert_eq!(
            refuse(&format!("{size}\r\nhi\r\n0\r\n\r\n")),
            Malformed::Size,
            "{size:?}"
        );
    }
}

// The text is the one of spec 4.10's X-Cf-RouterError
#[test]
fn lines_end_in_crlf_and_nothing_else() {
    for body in [
        "2\nhi\r\n0\r\n\r\n",
        "2;a\nhi\r\n",
        "2 \nhi\r\n",
        "2\r\rhi",
        "2\rhi",
        "0\r\n\n",
        "0\r\nX: y\n\r\n\r\n",
    ] {
        assert_eq!(refuse(body), Malformed::LineEnd, "{body:?}");
    }
    assert_eq!(
        Malformed::LineEnd.to_string(),
        "chunked line ends with bare LF"
    );
}

#[test]
fn data_is_followed_by_crlf() {
    for body in [
        "2\r\nhiXX0\r\n\r\n",
        "2\r\nhi\n0\r\n\r\n",
        "2\r\nhi\rX",
        "3\r\nhi\r\n0\r\n\r\n",
    ] {
        assert_eq!(refuse(body), Malformed::DataEnd, "{body:?}");
    }
}

#[test]
fn control_characters_in_an_extension_are_malformed() {
    for byte in ["\0", "\u{b}", "\u{7f}", "\u{1b}"] {
        assert_eq!(
            refuse(&format!("2;a{byte}\r\nhi\r\n0\r\n\r\n")),
            Malformed::Extension
        );
    }
}

#[test]
fn extensions_have_a_limit_over_the_whole_body() {
    let chunk = |length: usize| format!("1;{}\r\nx\r\n", "a".repeat(length - 1));
    let end = "0\r\n\r\n";
    let many = chunk(64).repeat(EXTENSION_LIMIT as usize / 64);
    assert!(relay(&[&many, end]).is_ok());
    assert_eq!(relay(&[&many, &chunk(2), end]), Err(Malformed::Extension));
    assert_eq!(
        relay(&[&chunk(EXTENSION_LIMIT as usize + 1), end]),
        Err(Malformed::Extension)
    );
}

// R-155
#[test]
fn trailer_fields_are_held_back_until_they_are_whole() {
    let mut body = Body::new(Framing::Chunked);
    let mut content = 0;
    let begin = b"0\r\nX-T: v\r\nGrpc-Status: 0\r\n";
    let take = body.take(begin, Form::AsIs, &mut content).unwrap();
    assert_eq!((take.skip, take.pass), (0, 3));
    assert_eq!(
        body.take(&begin[3..], Form::AsIs, &mut content)
            .unwrap()
            .pass,
        0
    );
    assert_eq!(body.owed_end(), None);
    let take = body.take(b"\r\nnext", Form::AsIs, &mut content).unwrap();
    assert_eq!((take.skip, take.pass), (2, 0));
    assert_eq!(body.owed_end(), Some(&b"X-T: v\r\nGrpc-Status: 0\r\n"[..]));
}

// R-155
#[test]
fn trailer_fields_arrive_wherever_the_pieces_end() {
    let body = "2\r\nhi\r\n0\r\nX-T: v\r\nX-U:\r\n\r\n";
    for cut in 0..body.len() {
        let (first, second) = body.split_at(cut);
        assert_eq!(
            relay(&[first, &format!("{second}GET")]),
            Ok((body.to_owned(), 3)),
            "{cut}"
        );
    }
}

// RFC 9110 section 6.5.1
#[test]
fn a_trailer_that_would_frame_route_or_identify_a_message_is_malformed() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Host",
        "Connection",
        "Trailer",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "X-Forwarded-For",
        "x_forwarded_for",
        "X-Forwarded-Client-Cert",
        "X-Vcap-Request-Id",
    ] {
        assert_eq!(
            refuse(&format!("0\r\nX-T: v\r\n{name}: 1\r\n\r\n")),
            Malformed::Trailer,
            "{name}"
        );
    }
}

#[test]
fn a_trailer_section_is_a_list_of_fields() {
    for section in [
        "nonsense\r\n\r\n",
        "X-T : v\r\n\r\n",
        "X: y\r\n folded\r\n\r\n",
        ": v\r\n\r\n",
        "X: a\0b\r\n\r\n",
        "\rX: y\r\n\r\n",
    ] {
        assert_eq!(
            refuse(&format!("0\r\n{section}")),
            Malformed::Trailer,
            "{section:?}"
        );
    }
}

#[test]
fn a_trailer_section_has_a_limit_in_bytes_and_in_fields() {
    let long = |length: usize| format!("0\r\nX: {}\r\n\r\n", "a".repeat(length));
    assert!(relay(&[&long(TRAILER_LIMIT - 5)]).is_ok());
    assert_eq!(refuse(&long(TRAILER_LIMIT + 1)), Malformed::Trailer);
    let endless = "X: y\r\n".repeat(TRAILER_LIMIT);
    assert_eq!(relay(&["0\r\n", &endless]), Err(Malformed::Trailer));
    let many = |count: usize| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(relay(&[&many(64)]).is_ok());
    assert_eq!(relay(&[&many(65)]), Err(Malformed::Trailer));
}
