//! Bodies whose chunks could be read in two ways.

use cloverleaf_tests::eventually;

use super::{BAD, SMUGGLED, Scene, assert_one_answer};

const HEAD: &str = "POST /attack HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What is wrong with a body in chunks.
fn malformed() -> Vec<(&'static str, String)> {
    let mut cases: Vec<(&str, String)> = Vec::new();
    for (name, size_line) in [
        ("a size that is no number", "G\r\n"),
        ("no size", "\r\n"),
        ("a prefix", "0x5\r\n"),
        ("a plus sign", "+5\r\n"),
        ("a minus sign", "-5\r\n"),
        ("a blank before", " 5\r\n"),
        ("a tab before", "\t5\r\n"),
        ("an underscore", "0_5\r\n"),
        ("two numbers", "5 5\r\n"),
        ("a comma", "5,5\r\n"),
        ("a fraction", "5.0\r\n"),
        ("quotes", "\"5\"\r\n"),
        ("64 bits", "10000000000000000\r\n"),
        ("an overflow to 5", "10000000000000005\r\n"),
        ("the largest of 64 bits", "ffffffffffffffff\r\n"),
        ("a sign bit", "8000000000000005\r\n"),
        ("many zeros", "00000000000000005\r\n"),
        ("a bare LF", "5\n"),
        ("a bare CR", "5\r"),
        ("two CR", "5\r\r\n"),
        ("NUL", "5\0\r\n"),
        ("a bare LF behind an extension", "5;a=b\n"),
        ("a bare LF within an extension", "5;a\nb\r\n"),
        ("a bare CR within an extension", "5;a\rb\r\n"),
        ("a line end in quotes", "5;a=\"\n\"\r\n"),
        ("NUL in an extension", "5;a\0\r\n"),
        ("DEL in an extension", "5;\u{7f}\r\n"),
        ("an extension without semicolon", "5 a\r\n"),
        ("no size before an extension", ";a\r\n"),
        ("a vertical tab", "5\u{b}\r\n"),
    ] {
        cases.push((name, format!("{size_line}hello\r\n0\r\n\r\n{SMUGGLED}")));
    }
    for (name, body) in [
        ("data that is too long", "5\r\nhello!\r\n0\r\n\r\n"),
        ("data without line end", "5\r\nhello0\r\n\r\n"),
        ("data with LF behind", "5\r\nhello\n0\r\n\r\n"),
        ("data with CR behind", "5\r\nhello\r0\r\n\r\n"),
        ("data with two CR behind", "5\r\nhello\r\r\n0\r\n\r\n"),
        ("data with LF CR behind", "5\r\nhello\n\r0\r\n\r\n"),
        ("a last chunk with LF", "0\n\r\n"),
        ("an end with LF", "0\r\n\n"),
        ("an end with CR", "0\r\n\rX\r\n\r\n"),
        (
            "a request as a trailer",
            "0\r\nGET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ),
        ("a length as a trailer", "0\r\nContent-Length: 60\r\n\r\n"),
        (
            "a coding as a trailer",
            "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("a host as a trailer", "0\r\nHost: other.test\r\n\r\n"),
        (
            "a trusted name as a trailer",
            "0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        ),
        (
            "its other spelling",
            "0\r\nX_Forwarded_For: 1.2.3.4\r\n\r\n",
        ),
        ("a trailer with LF", "0\r\nX: y\n\r\n"),
        ("a trailer without colon", "0\r\nX\r\n\r\n"),
        ("a trailer without name", "0\r\n: y\r\n\r\n"),
        ("a folded trailer", "0\r\nX: y\r\n z\r\n\r\n"),
        (
            "a trailer with a space before the colon",
            "0\r\nX : y\r\n\r\n",
        ),
        ("NUL in a trailer", "0\r\nX: \0\r\n\r\n"),
    ] {
        cases.push((name, format!("{body}{SMUGGLED}")));
    }
    cases.push((
        "extensions without end",
        format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(40_000)),
    ));
    cases.push((
        "many chunks with extensions",
        format!("{}0\r\n\r\n", "1;xxxxxxxxxxxx\r\na\r\n".repeat(2_000)),
    ));
    cases.push((
        "a trailer section without end",
        format!("0\r\n{}\r\n", "X: y\r\n".repeat(10_000)),
    ));
    cases
}

#[test]
fn malformed_chunks_behind_their_head_never_make_a_request_at_the_backend() {
    let scene = Scene::new();
    for (name, body) in malformed() {
        let (answer, end) = scene.attack(format!("{HEAD}{body}"));
        assert_one_answer(name, &answer, end, BAD);
        assert_eq!(scene.aftermath(name), [], "{name}");
    }
}

#[test]
fn malformed_chunks_that_come_late_cut_the_request_off() {
    let scene = Scene::new();
    for (name, body) in malformed() {
        let mut client = scene.router.client();
        let begun = scene.witness.seen().begun;
        client.send(format!("{HEAD}3\r\nabc\r\n"));
        eventually("the head at the backend", || {
            (scene.witness.seen().begun > begun).then_some(())
        });
        client.wire().send(&body).ok();
        let (answer, end) = client.wire().rest();
        assert_one_answer(name, &answer, end, BAD);
        assert_eq!(scene.aftermath(name), [], "{name}");
    }
}

#[test]
fn malformed_chunks_of_a_request_that_the_router_answers_itself_end_the_connection() {
    let scene = Scene::new();
    for (name, body) in malformed() {
        let bytes = format!(
            "POST / HTTP/1.1\r\nHost: unknown.test\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        );
        let (answer, end) = scene.attack(bytes);
        assert_one_answer(name, &answer, end, "HTTP/1.1 404 Not Found");
        assert_eq!(scene.aftermath(name), [], "{name}");
    }
}

#[test]
fn extensions_and_trailers_do_not_go_on() {
    let scene = Scene::new();
    for (name, body) in [
        ("plain", "5\r\nhello\r\n0\r\n\r\n"),
        ("an extension", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        ("a quoted one", "5;a=\"b;c\"\r\nhello\r\n0;d\r\n\r\n"),
        ("blanks before it", "5 \t;a\r\nhello\r\n0\r\n\r\n"),
        ("a blank behind the size", "5 \r\nhello\r\n0\r\n\r\n"),
        ("upper and lower case", "0\u{35}\r\nhello\r\n000\r\n\r\n"),
        (
            "trailers",
            "5\r\nhello\r\n0\r\nX-Sum: 7\r\nX-Other: 8\r\n\r\n",
        ),
        (
            "many chunks",
            "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n",
        ),
    ] {
        let seen = scene.passes(name, format!("{HEAD}{body}"));
        assert_eq!(seen.body, b"hello", "{name}");
        assert!(seen.all("X-Sum").is_empty(), "{name}");
    }
    // The same with every byte in a segment of its own: state must survive between reads.
    let mut client = scene.router.client();
    for byte in format!("{HEAD}5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.response().status, 200);
    assert_eq!(scene.aftermath("byte by byte")[0].body, b"hello");
}
