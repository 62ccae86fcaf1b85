//! Requests that HTTP/2 can say and HTTP/1.1 cannot, or would understand in another way: none of them gets through.

use cloverleaf_tests::flag::{END_STREAM, NONE};
use cloverleaf_tests::frame_kind::DATA;
use cloverleaf_tests::{Backend, FrameClient, Outcome, Registration, Router, ok};

/// RST_STREAM with PROTOCOL_ERROR: the message is malformed (RFC 9113 section 8.1.1).
const MALFORMED: Outcome = Outcome::Reset(1);
/// GOAWAY with PROTOCOL_ERROR: the library takes it for a broken header block.
const BROKEN: Outcome = Outcome::GoneAway(1);
const BAD: Outcome = Outcome::Answer(400);
const SERVED: Outcome = Outcome::Answer(200);

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", "/attack");
const AUTHORITY: (&str, &str) = (":authority", "app.test");

/// A name, the fields, and what becomes of them.
type Attack<'a> = (&'a str, &'a [(&'a str, &'a str)], Outcome);

struct Scene {
    router: Router,
    backend: Backend,
}

impl Scene {
    fn new() -> Scene {
        // One worker, so that an attack and what comes behind it share a connection to the backend.
        let router = Router::builder()
            .with("enable_http2_prior_knowledge", true)
            .with("go_max_procs", 1)
            .with("forwarded_client_cert", "sanitize_set")
            .start();
        let backend = Backend::answering(|request| ok(request.target()));
        router.register(&Registration::of("app.test", &backend));
        Scene { router, backend }
    }

    /// Sends a head with a body behind it, each on a connection of its own; gives what became of it, and the requests that
    /// the backend saw.
    fn attack(&self, fields: &[(&str, &str)], body: Option<&[u8]>) -> (Outcome, Vec<String>) {
        let before = self.backend.requests().len();
        let mut client = FrameClient::connect(self.router.port());
        match body {
            None => client.head(1, fields, END_STREAM),
            Some(body) => {
                client.head(1, fields, NONE);
                client.send(DATA, END_STREAM, 1, body);
            }
        }
        let outcome = client.outcome(1);
        // The connection and everyone else are served on, but for what broke the connection itself.
        let others = match outcome {
            Outcome::GoneAway(_) | Outcome::Closed => &["GET /victim HTTP/1.1"][..],
            _ => {
                client.get(3, "/behind");
                assert_eq!(client.outcome(3), SERVED, "{fields:?}");
                &["GET /behind HTTP/1.1", "GET /victim HTTP/1.1"]
            }
        };
        assert_eq!(
            self.router.get("app.test", "/victim").text(),
            "/victim",
            "{fields:?}"
        );
        let lines = self.backend.requests();
        let mut lines: Vec<String> = lines[before..]
            .iter()
            .map(|seen| seen.line.clone())
            .collect();
        let own = lines.len().saturating_sub(others.len());
        assert_eq!(lines[own..], *others, "{fields:?}");
        lines.truncate(own);
        (outcome, lines)
    }

    /// Nothing of these reaches the backend.
    #[track_caller]
    fn refuses(&self, attacks: &[Attack<'_>]) {
        let mut failures = Vec::new();
        for (name, fields, expected) in attacks {
            let (outcome, lines) = self.attack(fields, None);
            if outcome != *expected || !lines.is_empty() {
                failures.push(format!("{name}: {outcome:?}, not {expected:?}: {lines:?}"));
            }
        }
        assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    }
}

/// A request with one more field.
fn with<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 5] {
    [METHOD, SCHEME, PATH, AUTHORITY, (name, value)]
}

// RFC 9113 section 8.2.2
#[test]
fn fields_that_mean_a_connection_are_malformed() {
    let scene = Scene::new();
    scene.refuses(&[
        ("connection", &with("connection", "close"), MALFORMED),
        (
            "hidden field",
            &with("connection", "x-forwarded-for"),
            MALFORMED,
        ),
        ("coding", &with("transfer-encoding", "chunked"), MALFORMED),
        (
            "coding twice",
            &with("transfer-encoding", "gzip, chunked"),
            MALFORMED,
        ),
        ("keep-alive", &with("keep-alive", "timeout=5"), MALFORMED),
        (
            "proxy-connection",
            &with("proxy-connection", "keep-alive"),
            MALFORMED,
        ),
        ("upgrade", &with("upgrade", "websocket"), MALFORMED),
        ("te", &with("te", "gzip"), MALFORMED),
    ]);
}

// RFC 9113 section 8.2.1
#[test]
fn names_and_values_that_are_none_are_refused() {
    let scene = Scene::new();
    let mut failures = Vec::new();
    for (name, value) in [
        ("X-Upper", "1"),
        ("x space", "1"),
        ("x\ttab", "1"),
        ("x:colon", "1"),
        ("", "1"),
        ("x\r\nget /smuggled http/1.1", "1"),
        ("x\0", "1"),
        ("x\u{e4}", "1"),
        ("x-value", "1\r\nX-Smuggled: 2"),
        (
            "x-value",
            "1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ),
        ("x-value", "1\nX-Smuggled: 2"),
        ("x-value", "1\rX-Smuggled: 2"),
        ("x-value", "1\0"),
        ("x-value", "1\u{7f}"),
        ("cookie", "a=1\r\nX-Smuggled: 2"),
        ("host", "app.test\r\nX-Smuggled: 2"),
    ] {
        // What is no field at all may be taken for a broken header block, which ends the connection.
        let mut client = FrameClient::connect(scene.router.port());
        client.head(1, &with(name, value), END_STREAM);
        let outcome = client.outcome(1);
        let is_refused = matches!(
            outcome,
            Outcome::Reset(1) | Outcome::GoneAway(1 | 9) | Outcome::Closed
        );
        if !is_refused {
            failures.push(format!("{name:?}: {value:?}: {outcome:?}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert_eq!(scene.router.get("app.test", "/victim").text(), "/victim");
    assert_eq!(scene.backend.request().target(), "/victim");
}

// RFC 9113 section 8.3
#[test]
fn pseudo_fields_come_once_first_and_all() {
    let scene = Scene::new();
    scene.refuses(&[
        ("unknown", &with(":unknown", "1"), BROKEN),
        ("of an answer", &with(":status", "200"), MALFORMED),
        (
            "behind a field",
            &[METHOD, SCHEME, PATH, ("x", "1"), AUTHORITY],
            MALFORMED,
        ),
        ("method twice", &with(":method", "POST"), MALFORMED),
        ("path twice", &with(":path", "/other"), MALFORMED),
        (
            "authority twice",
            &with(":authority", "other.test"),
            MALFORMED,
        ),
        ("scheme twice", &with(":scheme", "https"), MALFORMED),
        ("no method", &[SCHEME, PATH, AUTHORITY], MALFORMED),
        ("no scheme", &[METHOD, PATH, AUTHORITY], MALFORMED),
        ("no path", &[METHOD, SCHEME, AUTHORITY], MALFORMED),
        (
            "protocol without CONNECT",
            &with(":protocol", "websocket"),
            MALFORMED,
        ),
        (
            "method with a blank",
            &[(":method", "GET /smuggled"), SCHEME, PATH, AUTHORITY],
            BROKEN,
        ),
        (
            "method with a line break",
            &[(":method", "GET\r\n"), SCHEME, PATH, AUTHORITY],
            BROKEN,
        ),
        (
            "empty method",
            &[(":method", ""), SCHEME, PATH, AUTHORITY],
            BROKEN,
        ),
    ]);
}

// RFC 9113 section 8.3.1
#[test]
fn paths_that_are_none_are_refused() {
    let scene = Scene::new();
    let mut failures = Vec::new();
    for path in [
        "",
        "attack",
        "/a b",
        "/ HTTP/1.1\r\nHost: other.test\r\n\r\nGET /smuggled",
        "/a\tb",
        "/a\0b",
        "/a\r\nb",
        "http://other.test/",
        "//other.test/ HTTP/1.1",
        "?query",
        "*",
    ] {
        let (outcome, lines) = scene.attack(&[METHOD, SCHEME, (":path", path), AUTHORITY], None);
        if !matches!(outcome, MALFORMED | BAD | Outcome::Answer(404)) || !lines.is_empty() {
            failures.push(format!("{path:?}: {outcome:?}: {lines:?}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    // A fragment is nothing that a client sends; nobody gets to see it.
    let path = (":path", "/attack#fragment");
    let (outcome, lines) = scene.attack(&[METHOD, SCHEME, path, AUTHORITY], None);
    assert_eq!(
        (outcome, &lines[..]),
        (SERVED, &["GET /attack HTTP/1.1".to_owned()][..])
    );
}

// RFC 9113 section 8.3.1
#[test]
fn a_request_names_one_host() {
    let scene = Scene::new();
    let named = |authority: &'static str| [METHOD, SCHEME, PATH, (":authority", authority)];
    let mut failures = Vec::new();
    for authority in [
        "user@app.test",
        "user:password@app.test",
        "app.test/path",
        "app.test?query",
        "app.test other.test",
        "app.test,other.test",
        "app.test\r\nX-Smuggled: 1",
        "",
    ] {
        let (outcome, lines) = scene.attack(&named(authority), None);
        if !matches!(outcome, MALFORMED | BAD | Outcome::Answer(404)) || !lines.is_empty() {
            failures.push(format!("{authority:?}: {outcome:?}: {lines:?}"));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    scene.refuses(&[
        ("another host", &with("host", "other.test"), MALFORMED),
        ("another port", &with("host", "app.test:81"), MALFORMED),
        (
            "two hosts",
            &[
                METHOD,
                SCHEME,
                PATH,
                ("host", "app.test"),
                ("host", "other.test"),
            ],
            MALFORMED,
        ),
        (
            "one host twice",
            &[
                METHOD,
                SCHEME,
                PATH,
                ("host", "app.test"),
                ("host", "app.test"),
            ],
            MALFORMED,
        ),
        ("no host", &[METHOD, SCHEME, PATH], BAD),
    ]);
    for fields in [
        &with("host", "app.test")[..],
        &with("host", "APP.test"),
        &[METHOD, SCHEME, PATH, ("host", "app.test")],
        &named("app.test:80"),
        &named("App.Test"),
    ] {
        let (outcome, lines) = scene.attack(fields, None);
        assert_eq!(outcome, SERVED, "{fields:?}");
        assert_eq!(lines, ["GET /attack HTTP/1.1"], "{fields:?}");
        let seen = scene.backend.requests();
        let seen = &seen[seen.len() - 3];
        assert_eq!(seen.headers.all("Host").count(), 1, "{seen:?}");
    }
}

// RFC 9113 section 8.1.1
#[test]
fn a_length_that_is_a_lie_ends_the_stream() {
    let scene = Scene::new();
    let mut failures = Vec::new();
    for (length, body) in [
        ("10", None),
        ("10", Some(&b"short"[..])),
        ("3", Some(b"longer than that")),
        ("0", Some(b"something")),
        ("5, 5", Some(b"12345")),
        ("+5", Some(b"12345")),
        ("-5", Some(b"12345")),
        ("0x5", Some(b"12345")),
        ("5 ", Some(b"12345")),
        ("99999999999999999999999", Some(b"12345")),
        ("", Some(b"12345")),
    ] {
        let fields = [
            (":method", "POST"),
            SCHEME,
            PATH,
            AUTHORITY,
            ("content-length", length),
        ];
        let mut client = FrameClient::connect(scene.router.port());
        match body {
            None => client.head(1, &fields, END_STREAM),
            Some(body) => {
                client.head(1, &fields, NONE);
                client.send(DATA, END_STREAM, 1, body);
            }
        }
        let outcome = client.outcome(1);
        if !matches!(outcome, MALFORMED | BAD) && length != "5 " {
            failures.push(format!("{length:?}: {outcome:?}"));
        }
        assert_eq!(
            scene.router.get("app.test", "/victim").text(),
            "/victim",
            "{length:?}"
        );
    }
    let two = [
        (":method", "POST"),
        SCHEME,
        PATH,
        AUTHORITY,
        ("content-length", "5"),
        ("content-length", "6"),
    ];
    let (outcome, lines) = scene.attack(&two, Some(b"12345"));
    if !matches!(outcome, MALFORMED | BAD) || !lines.is_empty() {
        failures.push(format!("two lengths: {outcome:?}: {lines:?}"));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    // No part of a lie was taken for a whole request.
    let seen = scene.backend.requests();
    let attacks = seen.iter().filter(|seen| seen.target() == "/attack");
    assert!(
        attacks
            .clone()
            .all(|seen| seen.body == b"12345" || seen.body.len() < 6),
        "{seen:?}"
    );
}

#[test]
fn what_looks_like_framing_in_a_body_is_a_body() {
    let scene = Scene::new();
    let smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let length = smuggled.len().to_string();
    let post = [(":method", "POST"), SCHEME, PATH, AUTHORITY];
    for fields in [
        &post[..],
        &[
            post[0],
            post[1],
            post[2],
            post[3],
            ("content-length", &length),
        ],
    ] {
        let (outcome, lines) = scene.attack(fields, Some(smuggled));
        assert_eq!(outcome, SERVED);
        assert_eq!(lines, ["POST /attack HTTP/1.1"]);
        let seen = scene.backend.requests();
        assert_eq!(seen[seen.len() - 3].body, smuggled);
    }
}

#[test]
fn fields_that_the_router_vouches_for_are_its_own_in_http_2_too() {
    let scene = Scene::new();
    let fields = [
        METHOD,
        SCHEME,
        PATH,
        AUTHORITY,
        ("x-cf-applicationid", "forged"),
        ("x-cf-instanceid", "forged"),
        ("x_forwarded_client_cert", "forged"),
        ("x-forwarded-client-cert", "forged"),
        ("x-vcap-request-id", "forged"),
    ];
    let (outcome, _) = scene.attack(&fields, None);
    assert_eq!(outcome, SERVED);
    let seen = scene.backend.requests();
    let seen = &seen[seen.len() - 3];
    for (name, value) in seen.headers.iter() {
        assert_ne!(value, "forged", "{name}");
    }
}

#[test]
fn connect_makes_no_tunnel_to_where_the_client_likes() {
    let scene = Scene::new();
    let connect = (":method", "CONNECT");
    scene.refuses(&[
        ("with a path", &[connect, PATH, AUTHORITY], MALFORMED),
        ("with a scheme", &[connect, SCHEME, AUTHORITY], MALFORMED),
        (
            "protocol without a path",
            &[connect, (":protocol", "websocket"), SCHEME, AUTHORITY],
            MALFORMED,
        ),
    ]);
    for authority in ["app.test:443", "127.0.0.1:22"] {
        let (outcome, lines) = scene.attack(&[connect, (":authority", authority)], None);
        assert!(matches!(outcome, Outcome::Answer(400..)), "{outcome:?}");
        assert_eq!(lines, [""; 0]);
    }
}
