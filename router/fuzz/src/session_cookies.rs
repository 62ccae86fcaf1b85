//! Sticky sessions: whatever a client and an application say in their cookies, what the router adds are whole lines that
//! name the instance, and a client that brings them back is understood.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use cloverleaf_router::config::Config;
use cloverleaf_router::exchange::{Notes, Pin, RequestId};
use cloverleaf_router::filters::{Answered, Context, Filters};
use cloverleaf_router::http1::response::{self, Limits};
use cloverleaf_router::http1::{Parsed, request};
use cloverleaf_router::message::{Head, View};
use cloverleaf_router::observe::record::Record;
use cloverleaf_router::policy::Policy;
use cloverleaf_router::table::{Change, Endpoint, Registration, Settings, Table};

const INSTANCE: &[u8] = b"4b5e2c1f-0";
const NAME: &[u8] = b"Set-Cookie: ";
const NOW: u64 = 1_700_000_000;

/// Made once: there are many inputs.
static FILTERS: LazyLock<Filters> = LazyLock::new(|| {
    let text = "{sticky_sessions_for_auth_negotiate: true, sticky_session_cookie_names: [S]}";
    let config = Config::from_text(text, "fuzz.yml").unwrap().config;
    let policy = Policy::new(&config, [127, 0, 0, 1].into(), Vec::new());
    Filters::new(&config, &policy)
});

static ENDPOINT: LazyLock<Arc<Endpoint>> = LazyLock::new(|| {
    let (table, mut writer) = Table::new(Settings::default());
    let source = writer.source("fuzz");
    let registration = Registration {
        host: "192.0.2.1",
        port: 8080,
        instance_id: std::str::from_utf8(INSTANCE).unwrap(),
        ..Registration::default()
    };
    let change = Change::Register {
        source,
        uris: &[Cow::Borrowed("a.test")],
        registration: &registration,
    };
    writer.apply(change, 0, &mut |_| {});
    let pool = table.lookup(b"a.test", b"/").unwrap();
    let endpoints = pool.endpoints();
    Arc::clone(endpoints[0].endpoint())
});

/// The lines of a request's head, and behind a zero those of an answer.
pub fn check(bytes: &[u8]) {
    let (asked, answered) = match bytes.iter().position(|&byte| byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &b""[..]),
    };
    let added = cookies(asked_for(asked), answered);
    let mut pins = 0;
    for line in added.split_inclusive(|&byte| byte == b'\n') {
        let shown = line.escape_ascii();
        let line = line.strip_suffix(b"\r\n");
        let line = line.unwrap_or_else(|| panic!("no line: {shown}"));
        let is_text = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        assert!(is_text, "{shown}");
        let pin = [b"Set-Cookie: __VCAP_ID__=", INSTANCE, b"; Path=/ctx; "].concat();
        let is_pin = line.starts_with(&pin);
        assert!(
            is_pin || line.starts_with(b"Set-Cookie: __VCAP_ID_META__="),
            "{shown}"
        );
        pins += usize::from(is_pin);
    }
    if pins == 0 {
        return;
    }
    // The client brings back what it got: it stays, and nobody has to tell it again.
    let mut cookie = b"Cookie: S=x".to_vec();
    for line in added.split(|&byte| byte == b'\n') {
        let pair = line.split(|&byte| byte == b';').next().unwrap();
        if let Some(pair) = pair.strip_prefix(NAME) {
            cookie.extend_from_slice(b"; ");
            cookie.extend_from_slice(pair);
        }
    }
    cookie.extend_from_slice(b"\r\n");
    let next = asked_for(&cookie).unwrap();
    assert_eq!(*next.instance, *INSTANCE);
    assert!(cookies(Some(next), b"").is_empty());
}

/// The pin of a request with these lines.
fn asked_for(lines: &[u8]) -> Option<Pin> {
    let bytes = [b"GET / HTTP/1.1\r\nHost: a.test\r\n", lines, b"\r\n"].concat();
    let mut head = Head::default();
    let Parsed::Complete(request) = request::parse(&bytes, &mut head) else {
        return None;
    };
    let (mut notes, mut record) = (Notes::default(), Record::default());
    let mut context = Context {
        request: &request,
        client_ip: "192.0.2.7",
        has_certificate: false,
        client_certificate: "",
        of_domain: None,
        tls: false,
        request_id: &RequestId::new(7),
        received_unix_ms: NOW * 1000,
        notes: &mut notes,
        record: &mut record,
    };
    let mut view = View {
        head: &mut head,
        bytes: &bytes,
    };
    FILTERS.routed(&mut view, &mut context);
    notes.pin
}

/// The cookies that are added to an answer with these lines.
fn cookies(pin: Option<Pin>, lines: &[u8]) -> Vec<u8> {
    let bytes = [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n"].concat();
    let mut head = Head::default();
    let parsed = response::parse(&bytes, &mut head, false, Limits::default());
    if !matches!(parsed, Parsed::Complete(_)) {
        return Vec::new();
    }
    let notes = Notes {
        pin,
        ..Notes::default()
    };
    let facts = Answered {
        notes: &notes,
        request_id: &RequestId::new(7),
        endpoint: Some(&ENDPOINT),
        cookie_path: "/ctx",
        now: NOW,
    };
    let mut view = View {
        head: &mut head,
        bytes: &bytes,
    };
    FILTERS.answered(&mut view, &facts);
    // In front of the cookies stands the request's id.
    let mut places = head.added.windows(NAME.len());
    let at = places.position(|place| place == NAME);
    head.added.split_off(at.unwrap_or(head.added.len()))
}
