use super::*;
use crate::http1::{Parsed, request};
use crate::message::Name;

/// The field lines of a request with the lines given, after an edit.
fn written(lines: &str, edit: impl FnOnce(&mut Head)) -> String {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut head = Head::default();
    let parsed = request::parse(text.as_bytes(), &mut head);
    assert!(matches!(parsed, Parsed::Complete(_)), "{parsed:?}");
    edit(&mut head);
    let mut out = Vec::new();
    fields(text.as_bytes(), &head, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn untouched_lines_go_on_as_they_came_in_their_order() {
    assert_eq!(
        written("x-B:c\r\nX-B:   d\r\nX-A: e\r\n", |_| {}),
        "Host: a\r\nx-B:c\r\nX-B:   d\r\nX-A: e\r\n"
    );
}

#[test]
fn dropped_lines_are_left_out_wherever_they_stand() {
    let lines = "Cookie: 1\r\nX-A: b\r\nCookie: 2\r\n";
    assert_eq!(
        written(lines, |head| head.remove(Name::Cookie)),
        "Host: a\r\nX-A: b\r\n"
    );
    assert_eq!(written(lines, |head| head.remove(Name::Host)), lines);
    assert_eq!(
        written(lines, |head| head
            .fields
            .iter_mut()
            .for_each(|field| field.keep = false)),
        ""
    );
}

#[test]
fn added_lines_come_behind_the_kept_ones() {
    let edit = |head: &mut Head| {
        head.remove(Name::Host);
        head.add("X-New", b"1");
        head.add("X-Newer", b"");
    };
    assert_eq!(
        written("X-A: b\r\n", edit),
        "X-A: b\r\nX-New: 1\r\nX-Newer: \r\n"
    );
}

#[test]
fn white_space_behind_a_value_ends_a_run_and_is_left_out() {
    for blank in [" ", "\t", "  \t"] {
        let lines = format!("X-A: b{blank}\r\nX-B: c\r\n");
        assert_eq!(written(&lines, |_| {}), "Host: a\r\nX-A: b\r\nX-B: c\r\n");
    }
}

#[test]
fn a_line_without_a_value_stays() {
    assert_eq!(
        written("X-A:\r\nX-B: \t\r\nX-C: d\r\n", |_| {}),
        "Host: a\r\nX-A: \r\nX-B: \r\nX-C: d\r\n"
    );
}

// Spec 4.2, 4.3
#[test]
fn a_request_line_holds_the_target_as_it_came_and_version_1_1() {
    let mut out = Vec::new();
    request_line(b"GET", b"/%2f?\xff", &mut out);
    assert_eq!(out, b"GET /%2f?\xff HTTP/1.1\r\n");
}

// R-157, spec 4.6
#[test]
fn a_status_line_holds_the_clients_version_and_the_standard_phrase() {
    let line = |version, code| {
        let mut out = Vec::new();
        status_line(version, code, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(line(Version::Http11, 200), "HTTP/1.1 200 OK\r\n");
    assert_eq!(line(Version::Http10, 404), "HTTP/1.0 404 Not Found\r\n");
    assert_eq!(
        line(Version::Http11, 299),
        "HTTP/1.1 299 status code 299\r\n"
    );
}
