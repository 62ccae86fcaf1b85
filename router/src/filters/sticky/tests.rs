use proptest::prelude::*;

use super::*;
use crate::exchange::RequestId;
use crate::http1::response::Limits;
use crate::http1::{Parsed, request, response};
use crate::message::Head;
use crate::table::tests::world::{World, plain};
use crate::table::{Endpoint, Registration};
use std::sync::Arc;

const NOW: u64 = 1_700_000_000;

fn sticky(config: &str) -> Sticky {
    Sticky::new(&Config::from_text(config, "test.yml").unwrap().config)
}

/// The pin that these header lines of a request make.
fn pin(config: &str, lines: &str) -> Option<Pin> {
    let text = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n");
    let mut head = Head::default();
    let parsed = request::parse(text.as_bytes(), &mut head);
    assert!(matches!(parsed, Parsed::Complete(_)), "{parsed:?}");
    let (mut notes, view) = (Notes::default(), view(&mut head, text.as_bytes()));
    sticky(config).look(&view, &mut notes);
    notes.pin
}

fn view<'a>(head: &'a mut Head, bytes: &'a [u8]) -> View<'a> {
    View { head, bytes }
}

/// What a pin's instance is, if there is one.
fn instance(config: &str, lines: &str) -> Option<String> {
    let pin = pin(config, lines)?;
    Some(String::from_utf8_lossy(&pin.instance).into_owned())
}

fn endpoint(instance_id: &str) -> Arc<Endpoint> {
    let mut world = World::new();
    let registration = Registration {
        instance_id,
        ..plain(1)
    };
    world.register(&["a.test"], &registration);
    let pool = world.pool("a.test").unwrap();
    let endpoints = pool.endpoints();
    Arc::clone(endpoints[0].endpoint())
}

/// The cookies that are added to an answer with these header lines from the instance `me`.
fn added(config: &str, pin: Option<Pin>, lines: &str) -> Vec<String> {
    answered(config, pin, lines, &endpoint("me"), "/")
}

fn answered(
    config: &str,
    pin: Option<Pin>,
    lines: &str,
    endpoint: &Endpoint,
    cookie_path: &str,
) -> Vec<String> {
    let text = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
    let mut head = Head::default();
    let parsed = response::parse(text.as_bytes(), &mut head, false, Limits::default());
    assert!(matches!(parsed, Parsed::Complete(_)), "{parsed:?}");
    let notes = Notes {
        pin,
        ..Notes::default()
    };
    let mut view = view(&mut head, text.as_bytes());
    let facts = Answered {
        notes: &notes,
        request_id: &RequestId::new(1),
        endpoint: Some(endpoint),
        cookie_path,
        now: NOW,
    };
    sticky(config).reply(&mut view, &facts);
    let added = String::from_utf8(head.added).unwrap();
    let cookies = added.split_terminator("\r\n");
    let cookie = |line: &str| line.strip_prefix("Set-Cookie: ").unwrap().to_owned();
    cookies.map(cookie).collect()
}

fn stale(meta: Option<&str>) -> Option<Pin> {
    Some(Pin {
        instance: b"gone".as_slice().into(),
        meta: meta.map(|meta| meta.as_bytes().into()),
        required: false,
    })
}

fn held() -> Option<Pin> {
    Some(Pin {
        instance: b"me".as_slice().into(),
        ..stale(None).unwrap()
    })
}

const NEGOTIATE: &str = "sticky_sessions_for_auth_negotiate: true";

#[test]
fn a_pin_counts_together_with_a_session_cookie_only() {
    for lines in [
        "Cookie: JSESSIONID=x; __VCAP_ID__=i\r\n",
        "Cookie: __VCAP_ID__=i; other=y; JSESSIONID\r\n",
        "Cookie: __VCAP_ID__=\"i\"\r\nCookie: JSESSIONID=\r\n",
        "Cookie: __Host-JSESSIONID=x;__VCAP_ID__=i;__VCAP_ID__=j\r\n",
    ] {
        assert_eq!(instance("{}", lines).as_deref(), Some("i"), "{lines:?}");
    }
    for lines in [
        "",
        "Cookie: JSESSIONID=x\r\n",
        "Cookie: __VCAP_ID__=i\r\n",
        "Cookie: __VCAP_ID__=i; jsessionid=x\r\n",
        "Cookie: __VCAP_ID__=i; __host-JSESSIONID=x\r\n",
        "Cookie: __VCAP_ID__=i; __Host-__Host-JSESSIONID=x\r\n",
        "Cookie: __VCAP_ID__=; JSESSIONID=x\r\n",
        "Cookie: X__VCAP_ID__=i; JSESSIONID=x\r\n",
        "Cookie: __vcap_id__=i; JSESSIONID=x\r\n",
        "Cookie: a=JSESSIONID=x; b=__VCAP_ID__=i\r\n",
    ] {
        assert_eq!(instance("{}", lines), None, "{lines:?}");
    }
}

#[test]
fn the_partner_of_the_pin_comes_with_it() {
    let lines = "Cookie: __VCAP_ID_META__=secure&maxage=5; JSESSIONID=x; __VCAP_ID__=i\r\n";
    let pin = pin("{}", lines).unwrap();
    assert_eq!(pin.meta.as_deref(), Some(&b"secure&maxage=5"[..]));
    assert!(!pin.required);
}

#[test]
fn configured_names_take_the_place_of_the_default_with_their_prefix() {
    let config = "sticky_session_cookie_names: [SESSION, __Host-OTHER]";
    let with = |name: &str| instance(config, &format!("Cookie: {name}=x; __VCAP_ID__=i\r\n"));
    for name in ["SESSION", "__Host-SESSION", "__Host-OTHER"] {
        assert!(with(name).is_some(), "{name}");
    }
    for name in ["JSESSIONID", "session", "OTHER"] {
        assert!(with(name).is_none(), "{name}");
    }
}

#[test]
fn a_login_with_negotiate_needs_the_pin_alone_and_requires_it() {
    let lines = "Authorization: NEGOTIATE abc\r\nCookie: __VCAP_ID__=i\r\n";
    assert!(pin(NEGOTIATE, lines).unwrap().required);
    assert_eq!(pin("{}", lines), None);
    let both = "Authorization: Basic abc\r\nCookie: __VCAP_ID__=i; JSESSIONID=x\r\n";
    assert!(!pin(NEGOTIATE, both).unwrap().required);
    assert_eq!(pin(NEGOTIATE, "Authorization: Negotiate abc\r\n"), None);
}

#[test]
fn a_session_cookie_of_the_application_brings_a_pair() {
    let lines = "Set-Cookie: JSESSIONID=x; Max-Age=60; SameSite=None; Secure; Partitioned\r\n";
    let attributes = "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=None; Partitioned";
    assert_eq!(
        added("{}", None, lines),
        [
            format!("__VCAP_ID__=me{attributes}"),
            format!(
                "__VCAP_ID_META__=secure&partitioned&maxage=1700000060&samesite=none{attributes}"
            )
        ]
    );
    assert_eq!(added("{}", None, "Set-Cookie: OTHER=x\r\n"), [""; 0]);
    assert_eq!(
        added(
            "secure_cookies: true",
            held(),
            "Set-Cookie: JSESSIONID=x\r\n"
        ),
        [
            "__VCAP_ID__=me; Path=/; HttpOnly; Secure",
            "__VCAP_ID_META__=; Path=/; HttpOnly; Secure"
        ]
    );
}

#[test]
fn each_session_cookie_brings_its_own_pair_in_order() {
    let lines = "Set-Cookie: JSESSIONID=x; Max-Age=0\r\nSet-Cookie: a=b\r\nSet-Cookie: __Host-JSESSIONID=y; Secure; Path=/\r\n";
    assert_eq!(
        added("{}", None, lines),
        [
            "__VCAP_ID__=me; Path=/; Max-Age=0; HttpOnly",
            "__VCAP_ID_META__=maxage=-1; Path=/; Max-Age=0; HttpOnly",
            "__VCAP_ID__=me; Path=/; HttpOnly; Secure",
            "__VCAP_ID_META__=secure; Path=/; HttpOnly; Secure",
        ]
    );
}

#[test]
fn an_applications_own_pin_is_left_alone() {
    let lines = "Set-Cookie: JSESSIONID=x\r\nSet-Cookie: __VCAP_ID__=mine; Path=/\r\n";
    assert_eq!(added("{}", stale(None), lines), [""; 0]);
    assert_eq!(added(NEGOTIATE, None, lines), [""; 0]);
}

#[test]
fn an_endpoint_whose_id_is_missing_or_no_cookie_is_not_named() {
    for id in ["", "a b", "a;b", "a\r\nb", "a\"b", "ä"] {
        let endpoint = endpoint(id);
        let lines = "Set-Cookie: JSESSIONID=x\r\n";
        assert_eq!(answered("{}", stale(None), lines, &endpoint, "/"), [""; 0]);
    }
}

#[test]
fn the_path_is_that_of_the_route_and_nothing_else() {
    let path = |path| answered("{}", stale(None), "", &endpoint("me"), path);
    assert_eq!(
        path("/Some/ctx"),
        ["__VCAP_ID__=me; Path=/Some/ctx; HttpOnly"]
    );
    assert_eq!(
        path("/a;b\r\nX: y\u{e9}"),
        ["__VCAP_ID__=me; Path=/abX: y; HttpOnly"]
    );
}

#[test]
fn a_stale_pin_is_renewed_alone_with_what_is_left_of_its_attributes() {
    assert_eq!(
        added("{}", stale(None), ""),
        ["__VCAP_ID__=me; Path=/; HttpOnly"]
    );
    assert_eq!(
        added(
            "{}",
            stale(Some("secure&maxage=1700000020&samesite=lax")),
            ""
        ),
        ["__VCAP_ID__=me; Path=/; Max-Age=20; HttpOnly; Secure; SameSite=Lax"]
    );
    assert_eq!(
        added("{}", stale(Some("maxage=1600000000&bad&partitioned")), ""),
        ["__VCAP_ID__=me; Path=/; Max-Age=0; HttpOnly; Partitioned"]
    );
    assert_eq!(
        added("secure_cookies: true", stale(Some("")), ""),
        ["__VCAP_ID__=me; Path=/; HttpOnly; Secure"]
    );
    assert_eq!(added("{}", held(), ""), [""; 0]);
}

#[test]
fn a_challenge_to_negotiate_pins_for_a_minute_without_a_partner() {
    let challenge = "WWW-Authenticate: nEgOtIaTe abc\r\nSet-Cookie: JSESSIONID=x; Secure\r\n";
    let pin = "__VCAP_ID__=me; Path=/; Max-Age=60; HttpOnly; SameSite=Strict";
    assert_eq!(added(NEGOTIATE, None, challenge), [pin]);
    assert_eq!(added(NEGOTIATE, stale(Some("secure")), challenge), [pin]);
    // It has that pin already, so the session counts.
    assert_eq!(added(NEGOTIATE, held(), challenge).len(), 2);
    assert_eq!(added("{}", None, challenge).len(), 2);
    // Only the first challenge is looked at.
    let second = "WWW-Authenticate: Basic\r\nWWW-Authenticate: Negotiate\r\n";
    assert_eq!(added(NEGOTIATE, None, second), [""; 0]);
}

proptest! {
    #[test]
    fn whatever_both_sides_say_a_cookie_is_one_line_and_names_the_instance(
        cookie in "[ -:<-~]{0,20}",
        session in "(JSESSIONID|__Host-JSESSIONID|OTHER)=[ -~]{0,30}(; ?[ -~]{0,12}){0,3}",
        meta in prop::option::of("[ -:<-~]{0,40}"),
        path in "/[^\\x00]{0,12}",
    ) {
        let lines = format!("Set-Cookie: {session}\r\nSet-Cookie: {cookie}\r\n");
        for line in answered(NEGOTIATE, stale(meta.as_deref()), &lines, &endpoint("me"), &path) {
            prop_assert!(line.starts_with("__VCAP_ID__=me; Path=/") || line.starts_with("__VCAP_ID_META__="), "{}", line);
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", line);
            prop_assert!(!line.contains("Domain"), "{}", line);
        }
    }
}
