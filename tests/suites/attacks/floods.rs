//! Heads without end: each costs its sender more than the router.

use cloverleaf_tests::End;

use super::{SMUGGLED, Scene, assert_one_answer};

const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large";
const MIB: usize = 1024 * 1024;

#[test]
fn a_head_beyond_a_megabyte_is_refused_whatever_fills_it() {
    let scene = Scene::new();
    let before = scene.router.peak_memory();
    let long = "x".repeat(MIB + 8192);
    for (name, bytes) in [
        (
            "a value",
            format!("GET / HTTP/1.1\r\nHost: app.test\r\nX: {long}\r\n\r\n"),
        ),
        (
            "a name",
            format!("GET / HTTP/1.1\r\nHost: app.test\r\n{long}: y\r\n\r\n"),
        ),
        (
            "a target",
            format!("GET /{long} HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        ),
        (
            "a method",
            format!("{long} / HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        ),
        ("a host", format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n")),
        (
            "lines",
            format!(
                "GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n",
                "X: y\r\n".repeat(MIB / 4)
            ),
        ),
        (
            "empty lines",
            format!(
                "GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n",
                "X:\r\n".repeat(20_000)
            ),
        ),
        (
            "no end",
            format!("GET / HTTP/1.1\r\nHost: app.test\r\nX: {long}"),
        ),
    ] {
        let (answer, end) = scene.attack(format!("{bytes}{SMUGGLED}"));
        // A sender who is still sending may see a reset behind the answer.
        let end = if end == End::Reset { End::Closed } else { end };
        assert_one_answer(name, &answer, end, TOO_LARGE);
        assert_eq!(scene.aftermath(name), [], "{name}");
    }
    let grown = scene.router.peak_memory() - before;
    assert!(grown < 16 * 1024, "{grown} KiB more");
}

#[test]
fn a_large_head_in_bounds_passes_whole() {
    let scene = Scene::new();
    let lines: String = (0..2_000)
        .map(|number| format!("X-{number}: {number}\r\n"))
        .collect();
    let seen = scene.passes(
        "2,000 lines",
        format!("GET /attack HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"),
    );
    assert_eq!(seen.all("X-1999"), ["1999"]);
    let value = "v".repeat(900 * 1024);
    let seen = scene.passes(
        "900 KiB",
        format!("GET /attack HTTP/1.1\r\nHost: app.test\r\nX: {value}\r\n\r\n"),
    );
    assert_eq!(seen.all("X"), [value.as_str()]);
}

#[test]
fn answers_of_the_router_that_nobody_reads_do_not_pile_up() {
    let scene = Scene::new();
    let before = scene.router.peak_memory();
    let mut client = scene.router.client();
    // Each of these asks for an answer of about 300 bytes; the client reads none of them.
    let asked = "GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n".repeat(20_000);
    let taken = client
        .wire()
        .send_within(asked.as_bytes(), std::time::Duration::from_millis(500));
    assert!(taken > 0);
    assert_eq!(scene.aftermath("unread answers"), []);
    let grown = scene.router.peak_memory() - before;
    assert!(grown < 4 * 1024, "{grown} KiB more");
}
