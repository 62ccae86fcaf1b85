//! Both forms on whole heads; what is recorded of the original is played by the scenarios.

use crate::config::Config;
use crate::exchange::{Notes, RequestId};
use crate::filters::tracing::Tracing;
use crate::http1::{Parsed, request};
use crate::message::{Head, View};
use crate::observe::record::Record;
use crate::policy::Policy;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

struct Traced {
    lines: String,
    id: RequestId,
    ids: Option<(String, String)>,
}

/// What a filter with the switches (Zipkin, W3C) makes of a request with these lines.
fn traced(switches: (bool, bool), lines: &str) -> Traced {
    let mut config = Config::default();
    (config.tracing.enable_zipkin, config.tracing.enable_w3c) = switches;
    let policy = Policy::new(&config, [127, 0, 0, 1].into(), Vec::new());
    let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut head = Head::default();
    let parsed = request::parse(bytes.as_bytes(), &mut head);
    assert!(matches!(parsed, Parsed::Complete(_)), "{parsed:?}");
    let mut view = View {
        head: &mut head,
        bytes: bytes.as_bytes(),
    };
    let (mut id, mut notes, mut record) = (RequestId::new(1), Notes::default(), Record::default());
    let tracing = Tracing::new(&config, &policy).unwrap();
    tracing.apply(&mut view, &mut id, &mut notes, &mut record, &mut || 0xabc);
    let mut out = Vec::new();
    crate::http1::write::fields(bytes.as_bytes(), &head, &mut out);
    Traced {
        lines: String::from_utf8(out).unwrap().replace("Host: a\r\n", ""),
        id,
        ids: notes.trace.map(|ids| (ids.trace.into(), ids.span.into())),
    }
}

#[test]
fn a_trace_id_that_is_a_uuid_becomes_the_request_id() {
    let request = traced(
        (false, true),
        &format!("traceparent: 00-{TRACE}-{SPAN}-01\r\n"),
    );
    assert_eq!(
        request.id.as_bytes(),
        b"4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
    );
    assert_eq!(request.ids, Some((TRACE.into(), "0000000000000abc".into())));
    // The 13th digit of a UUID is its version.
    let other = TRACE.replace('4', "a");
    let request = traced(
        (false, true),
        &format!("traceparent: 00-{other}-{SPAN}-01\r\n"),
    );
    assert_eq!(request.id.as_bytes(), RequestId::new(1).as_bytes());
}

#[test]
fn ids_of_zipkin_win_for_the_log() {
    let lines = format!(
        "b3: {TRACE}-{SPAN}\r\ntraceparent: 00-{}-{SPAN}-00\r\n",
        "1".repeat(32)
    );
    let request = traced((true, true), &lines);
    assert_eq!(request.ids, Some((TRACE.into(), SPAN.into())));
    assert!(request.lines.contains(&format!("b3: {TRACE}-{SPAN}\r\n")));
    let parent = format!("traceparent: 00-{}-0000000000000abc-00\r\n", "1".repeat(32));
    assert!(request.lines.contains(&parent), "{}", request.lines);
}

#[test]
fn ids_that_cannot_be_understood_go_on_untouched() {
    let lines = "X-B3-TraceId: zz\r\nX-B3-SpanId: 1\r\n";
    let request = traced((true, false), lines);
    assert_eq!((request.lines.as_str(), request.ids), (lines, None));
}

#[test]
fn a_state_that_is_too_long_or_without_pairs_is_dropped() {
    let parent = format!("traceparent: 00-{TRACE}-{SPAN}-01\r\n");
    let own = "tracestate: gorouter=0000000000000abc";
    for (sent, expected) in [
        (format!("a={}", "b".repeat(2047)), format!("{own}\r\n")),
        (
            format!("a={}", "b".repeat(2046)),
            format!("{own},a={}\r\n", "b".repeat(2046)),
        ),
        ("nonsense,, =".to_owned(), format!("{own},=\r\n")),
        (
            "a=1\r\ntracestate: gorouter=2,b=3".to_owned(),
            format!("{own},a=1,b=3\r\n"),
        ),
    ] {
        let request = traced((false, true), &format!("{parent}tracestate: {sent}\r\n"));
        assert!(request.lines.ends_with(&expected), "{}", request.lines);
    }
}
