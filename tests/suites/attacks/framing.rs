//! Heads that frame a message in two ways, or that are none.

use super::{BAD, SMUGGLED, Scene, UNSUPPORTED};

/// A POST with these lines, and what an attacker puts behind its head.
fn post(lines: &str, rest: &str) -> String {
    format!("POST /attack HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n{rest}")
}

#[test]
fn lengths_that_could_be_read_in_two_ways_are_refused() {
    let scene = Scene::new();
    let hidden = format!("0\r\n\r\n{SMUGGLED}");
    for (name, lines) in [
        (
            "CL.TE",
            "Content-Length: 60\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "TE.CL",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        ),
        (
            "TE and length 0",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        ),
        ("two lengths", "Content-Length: 5\r\nContent-Length: 60\r\n"),
        (
            "two equal lengths",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
        ),
        (
            "two lengths, other case",
            "content-length: 5\r\nCONTENT-LENGTH: 6\r\n",
        ),
        ("a list", "Content-Length: 5, 60\r\n"),
        ("a list of equals", "Content-Length: 5,5\r\n"),
        ("a plus sign", "Content-Length: +5\r\n"),
        ("a minus sign", "Content-Length: -5\r\n"),
        ("minus zero", "Content-Length: -0\r\n"),
        ("empty", "Content-Length: \r\n"),
        ("hexadecimal", "Content-Length: 0x5\r\n"),
        ("an exponent", "Content-Length: 1e1\r\n"),
        ("a fraction", "Content-Length: 5.0\r\n"),
        ("a blank inside", "Content-Length: 5 5\r\n"),
        ("a semicolon", "Content-Length: 5;\r\n"),
        ("quotes", "Content-Length: \"5\"\r\n"),
        ("an underscore", "Content-Length: 1_0\r\n"),
        ("other digits", "Content-Length: \u{0665}\r\n"),
        ("above 63 bits", "Content-Length: 9223372036854775808\r\n"),
        ("above 64 bits", "Content-Length: 18446744073709551621\r\n"),
        (
            "far above",
            "Content-Length: 00000000000000000000000005\r\n",
        ),
        (
            "TE, vertical tab before",
            "Transfer-Encoding: \u{b}chunked\r\n",
        ),
        ("TE, NUL behind", "Transfer-Encoding: chunked\0\r\n"),
        ("TE folded", "Transfer-Encoding:\r\n chunked\r\n"),
        (
            "TE, folded behind",
            "Transfer-Encoding: chunked\r\n , identity\r\n",
        ),
        (
            "TE behind a bare CR",
            "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ),
        (
            "TE behind a bare LF",
            "X: y\nTransfer-Encoding: chunked\r\n",
        ),
        ("a length that ends in LF", "Content-Length: 5\n"),
    ] {
        scene.refuses(name, post(lines, &hidden), BAD);
    }
}

#[test]
fn transfer_codings_other_than_one_plain_chunked_are_not_implemented() {
    let scene = Scene::new();
    let hidden = format!("0\r\n\r\n{SMUGGLED}");
    for coding in [
        "gzip",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, identity",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "\"chunked\"",
        "'chunked'",
        "chu nked",
        "",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
        "x\r\ntransfer-encoding: chunked",
        "gzip\r\nContent-Length: 5",
    ] {
        let lines = format!("Transfer-Encoding: {coding}\r\n");
        scene.refuses(coding, post(&lines, &hidden), UNSUPPORTED);
    }
    let old = format!(
        "POST /attack HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n{hidden}"
    );
    scene.refuses("chunks in HTTP/1.0", old, BAD);
}

#[test]
fn lines_that_are_not_plain_are_refused() {
    let scene = Scene::new();
    let named = "HTTP/1.1 400 Bad Request: invalid header name";
    for (name, head, answer) in [
        ("only LF", "GET / HTTP/1.1\nHost: app.test\n\n", BAD),
        (
            "LF behind the first line",
            "GET / HTTP/1.1\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "LF behind a field",
            "GET / HTTP/1.1\r\nHost: app.test\nX: y\r\n\r\n",
            BAD,
        ),
        (
            "LF behind the last field",
            "GET / HTTP/1.1\r\nHost: app.test\n\r\n",
            BAD,
        ),
        (
            "LF as the empty line",
            "GET / HTTP/1.1\r\nHost: app.test\r\n\n",
            BAD,
        ),
        (
            "CR as a line end",
            "GET / HTTP/1.1\rHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "CR behind a field",
            "GET / HTTP/1.1\r\nHost: app.test\rX: y\r\n\r\n",
            BAD,
        ),
        ("two CR", "GET / HTTP/1.1\r\nHost: app.test\r\r\n\r\n", BAD),
        (
            "CR in the empty line",
            "GET / HTTP/1.1\r\nHost: app.test\r\n\rX\r\n\r\n",
            BAD,
        ),
        (
            "an empty line first",
            "\r\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "LF first",
            "\nGET / HTTP/1.1\r\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "a folded line",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\r\n b\r\n\r\n",
            BAD,
        ),
        (
            "folded by a tab",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\r\n\tb\r\n\r\n",
            BAD,
        ),
        (
            "a fold that hides a field",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\r\n Content-Length: 60\r\n\r\n",
            BAD,
        ),
        (
            "white space first",
            "GET / HTTP/1.1\r\n X: y\r\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "NUL in a value",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\0b\r\n\r\n",
            BAD,
        ),
        (
            "NUL in a name",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX\0: y\r\n\r\n",
            BAD,
        ),
        (
            "NUL in the target",
            "GET /\0 HTTP/1.1\r\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "NUL in the method",
            "GE\0T / HTTP/1.1\r\nHost: app.test\r\n\r\n",
            BAD,
        ),
        (
            "a control character",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\u{1}b\r\n\r\n",
            BAD,
        ),
        (
            "DEL in a value",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX: a\u{7f}b\r\n\r\n",
            BAD,
        ),
        (
            "a space before the colon",
            "GET / HTTP/1.1\r\nHost: app.test\r\nContent-Length : 5\r\n\r\n",
            named,
        ),
        (
            "a tab before the colon",
            "GET / HTTP/1.1\r\nHost: app.test\r\nContent-Length\t: 5\r\n\r\n",
            BAD,
        ),
        (
            "a space in a name",
            "GET / HTTP/1.1\r\nHost: app.test\r\nContent Length: 5\r\n\r\n",
            named,
        ),
        (
            "no colon",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX\r\n\r\n",
            BAD,
        ),
        (
            "no name",
            "GET / HTTP/1.1\r\nHost: app.test\r\n: y\r\n\r\n",
            BAD,
        ),
        (
            "a name with brackets",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX[a]: y\r\n\r\n",
            BAD,
        ),
        (
            "a name beyond ASCII",
            "GET / HTTP/1.1\r\nHost: app.test\r\nX\u{e9}: y\r\n\r\n",
            BAD,
        ),
    ] {
        scene.refuses(name, format!("{head}{SMUGGLED}"), answer);
    }
}

#[test]
fn request_lines_that_are_none_are_refused() {
    let scene = Scene::new();
    let other = "HTTP/1.1 505 HTTP Version Not Supported";
    for (line, answer) in [
        ("GET /", BAD),
        ("GET", BAD),
        ("", BAD),
        ("GET  / HTTP/1.1", BAD),
        ("GET /  HTTP/1.1", BAD),
        (" GET / HTTP/1.1", BAD),
        ("GET / HTTP/1.1 ", BAD),
        ("GET\t/\tHTTP/1.1", BAD),
        ("GET / HTTP/1.1 HTTP/1.1", BAD),
        ("GET / a HTTP/1.1", BAD),
        ("GET / http/1.1", BAD),
        ("GET / HTTP/11", BAD),
        ("GET / HTTP/1.11", BAD),
        ("GET / HTTP/+1.1", BAD),
        ("GET / HTTPS/1.1", BAD),
        ("GET / HTTP/1,1", BAD),
        ("GET / ICY/1.1", BAD),
        ("G(T / HTTP/1.1", BAD),
        ("GET: / HTTP/1.1", BAD),
        ("GET / HTTP/0.9", other),
        ("GET / HTTP/2.0", other),
        ("GET / HTTP/9.9", other),
        ("GET / HTTP/1.2", "HTTP/1.0 400 Bad Request"),
    ] {
        let bytes = format!("{line}\r\nHost: app.test\r\n\r\n{SMUGGLED}");
        scene.refuses(line, bytes, answer);
    }
    scene.refuses("HTTP/0.9", "GET /\r\n", BAD);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
    scene.refuses("the preface of HTTP/2", preface, BAD);
    scene.refuses("TLS", b"\x16\x03\x01\x00\x05hello\r\n\r\n", BAD);
}

#[test]
fn expectations_other_than_100_continue_fail() {
    let scene = Scene::new();
    for value in ["101-upgrade", "100-continue, other", "100-continuex", "100"] {
        let lines = format!("Expect: {value}\r\nContent-Length: {}\r\n", SMUGGLED.len());
        let answer = "HTTP/1.1 417 Expectation Failed";
        scene.refuses(value, post(&lines, SMUGGLED), answer);
    }
}

#[test]
fn what_only_looks_odd_passes_clean() {
    let scene = Scene::new();
    for (name, lines, body) in [
        (
            "a length with zeros in front",
            "Content-Length: 05\r\n",
            "hello",
        ),
        ("a length without blank", "Content-Length:5\r\n", "hello"),
        (
            "a length between blanks",
            "Content-Length: \t 5 \t \r\n",
            "hello",
        ),
        (
            "a coding in upper case",
            "TRANSFER-ENCODING: CHUNKED\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "a coding between blanks",
            "Transfer-Encoding: \tchunked \r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
    ] {
        let seen = scene.passes(name, post(lines, body));
        assert_eq!(seen.body, b"hello", "{name}");
    }
    let hidden = format!("Content-Length: {}\r\n", SMUGGLED.len());
    let seen = scene.passes("a request as a body", post(&hidden, SMUGGLED));
    assert_eq!(seen.body, SMUGGLED.as_bytes());
    let get = format!("GET /attack HTTP/1.1\r\nHost: app.test\r\n{hidden}\r\n{SMUGGLED}");
    let seen = scene.passes("a GET with a request as a body", get);
    assert_eq!(seen.body, SMUGGLED.as_bytes());
}
