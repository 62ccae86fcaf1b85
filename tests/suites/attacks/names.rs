//! Header fields that applications trust: a client can neither forge them by another spelling nor have them stripped.

use serde_json::json;

use super::reference::Request;
use super::{BAD, Scene};
use cloverleaf_tests::Router;

/// What the router vouches for.
const TRUSTED: [&str; 7] = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Client-Cert",
    "X-Vcap-Request-Id",
    "X-CF-ApplicationID",
    "X-CF-InstanceID",
    "X-CF-InstanceIndex",
];
/// What it sets for each request, whatever the client said.
const ALWAYS_SET: [&str; 4] = [
    "X-Vcap-Request-Id",
    "X-CF-ApplicationID",
    "X-CF-InstanceID",
    "X-CF-InstanceIndex",
];

fn get(scene: &Scene, lines: &str) -> Request {
    scene.passes(
        lines,
        format!("GET /attack HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"),
    )
}

/// Every way to write a name that some application stack takes for it.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = Vec::new();
    for [first, other] in [
        ['_', '_'],
        ['.', '.'],
        ['_', '-'],
        ['-', '_'],
        ['.', '-'],
        ['-', '.'],
        ['_', '.'],
    ] {
        let mut count = 0;
        let spelled: String = name
            .chars()
            .map(|character| match character {
                '-' => {
                    count += 1;
                    if count % 2 == 1 { first } else { other }
                }
                character => character,
            })
            .collect();
        if spelled != name {
            spellings.push(spelled.to_uppercase());
            spellings.push(spelled.to_lowercase());
            spellings.push(spelled);
        }
    }
    spellings.sort();
    spellings.dedup();
    spellings
}

#[test]
fn another_spelling_of_a_trusted_field_never_reaches_an_application() {
    let scene = Scene::new();
    for name in TRUSTED {
        for spelling in spellings(name) {
            let seen = get(&scene, &format!("{spelling}: forged\r\n"));
            let forged = seen.fields.iter().find(|field| field.1.contains("forged"));
            assert_eq!(forged, None, "{spelling}");
        }
    }
}

#[test]
fn what_the_router_sets_is_there_exactly_once_whatever_the_client_sends() {
    let scene = Scene::new();
    for name in ALWAYS_SET {
        for sent in [
            format!("{name}: forged\r\n"),
            format!("{}: forged\r\n", name.to_uppercase()),
            format!("{name}: forged\r\n{}: forged\r\n", name.to_lowercase()),
            format!("{name}:\r\n"),
        ] {
            let seen = get(&scene, &sent);
            let values = seen.all(name);
            assert_eq!(values.len(), 1, "{sent}: {seen:?}");
            assert!(
                !values[0].is_empty() && !values[0].contains("forged"),
                "{sent}: {seen:?}"
            );
        }
    }
    let two = get(
        &scene,
        "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n",
    );
    assert_eq!(two.all("X-Forwarded-For"), ["1.1.1.1, 2.2.2.2, 127.0.0.1"]);
}

#[test]
fn connection_cannot_strip_what_the_router_sets() {
    let scene = Scene::new();
    for name in ALWAYS_SET {
        for list in [
            name.to_owned(),
            format!("close, {name}"),
            format!("{}, keep-alive", name.to_lowercase()),
            format!("\t{name} ,,"),
            format!("x\r\nConnection: {name}"),
        ] {
            let bytes = format!(
                "GET /attack HTTP/1.1\r\nHost: app.test\r\n{name}: forged\r\nConnection: {list}\r\n\r\n"
            );
            let mut client = scene.router.client();
            client.send(bytes);
            assert_eq!(client.response().status, 200, "{list}");
            let requests = scene.aftermath(&list);
            let values = requests[0].all(name);
            assert!(
                values.len() == 1 && !values[0].contains("forged"),
                "{list}: {requests:?}"
            );
        }
    }
    let seen = get(
        &scene,
        "X-Forwarded-For: 1.1.1.1\r\nConnection: x-forwarded-for\r\n",
    );
    assert_eq!(
        seen.all("X-Forwarded-For"),
        ["127.0.0.1"],
        "begun anew, never missing"
    );
}

#[test]
fn connection_cannot_strip_what_is_configured_to_stay() {
    let names = [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Request-Start",
        "X-Forwarded-Client-Cert",
        "B3",
        "X-B3-TraceID",
    ];
    let scene = Scene::with(Router::builder().with("hop_by_hop_headers_to_filter", json!(names)));
    for name in names {
        for list in [name.to_owned(), format!("close,{},x", name.to_uppercase())] {
            let mut client = scene.router.client();
            client.send(format!(
                "GET /attack HTTP/1.1\r\nHost: app.test\r\n{name}: 7\r\nConnection: {list}\r\n\r\n"
            ));
            assert_eq!(client.response().status, 200, "{list}");
            let requests = scene.aftermath(&list);
            let values = requests[0].all(name);
            assert!(
                values.len() == 1 && values[0].starts_with('7'),
                "{list}: {requests:?}"
            );
        }
    }
}

#[test]
fn connection_cannot_strip_what_frames_or_routes_a_message() {
    let scene = Scene::new();
    for list in [
        "Host",
        "Content-Length",
        "host, content-length",
        "Transfer-Encoding",
    ] {
        let seen = scene.passes(
            list,
            format!("POST /attack HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: {list}\r\n\r\nhello"),
        );
        assert_eq!(
            (seen.all("Host"), seen.body.as_slice()),
            (vec!["app.test"], &b"hello"[..]),
            "{list}"
        );
        let seen = scene.passes(
            list,
            format!("POST /attack HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: {list}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        );
        assert_eq!(
            (seen.all("Host"), seen.body.as_slice()),
            (vec!["app.test"], &b"hello"[..]),
            "{list}"
        );
    }
}

#[test]
fn a_value_cannot_bring_a_line_of_its_own() {
    let scene = Scene::new();
    for bytes in ["\r", "\n", "\0", "\r\n\t"] {
        for name in ["X", "X-Forwarded-For", "Connection", "User-Agent", "Host"] {
            let attack = format!(
                "GET / HTTP/1.1\r\nHost: app.test\r\n{name}: a{bytes}X-CF-InstanceID: forged\r\n\r\n"
            );
            let attack = match name {
                "Host" => attack.replacen("Host: app.test\r\n", "", 1),
                _ => attack,
            };
            scene.refuses(&format!("{name} {bytes:?}"), attack, BAD);
        }
    }
    // Escaped line ends stay escaped.
    let seen = get(&scene, "X: a%0d%0aX-CF-InstanceID: forged\r\n");
    assert_eq!(seen.all("X"), ["a%0d%0aX-CF-InstanceID: forged"]);
}

#[test]
fn what_a_client_says_cannot_forge_a_line_of_the_log() {
    let scene = Scene::with(Router::builder().with("extra_headers_to_log", json!(["X-Mine"])));
    let hostile: [&[u8]; 7] = [
        b"\" 200 0 0 \"-\" \"-\" x_cf_routererror:\"forged",
        b"\\\" x_cf_routererror:\"forged\\",
        b"\x9b31mred",
        b"\xff\xfe\xc0\x80",
        "\u{85}\u{2028}next line".as_bytes(),
        "\u{202e}backwards".as_bytes(),
        "\u{7f6e}plain".as_bytes(),
    ];
    for value in hostile {
        let before = scene.router.access_log().lines().len();
        let mut bytes = b"GET /attack".to_vec();
        bytes.extend(value.iter().filter(|byte| !b" \"\\".contains(byte)));
        bytes.extend(b" HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n");
        for name in [
            "Referer",
            "User-Agent",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Mine",
        ] {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        let (answer, _) = scene.attack(&bytes);
        let name = value.escape_ascii().to_string();
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{name}: {}",
            answer.escape_ascii()
        );
        // Reading the log is a test of its form: a forged part would not parse, or be a field too many.
        let line = cloverleaf_tests::eventually("its line", || {
            scene.router.access_log().lines().into_iter().nth(before)
        });
        assert_eq!(line.names().len(), 10, "{}", line.text);
        assert_eq!(line.field("x_cf_routererror"), "-", "{}", line.text);
        assert_eq!(line.status, "200", "{}", line.text);
        let is_invisible = |character: char| {
            character.is_control() || matches!(character, '\u{2028}' | '\u{202e}' | '\u{fffd}')
        };
        assert!(!line.text.contains(is_invisible), "{:?}", line.text);
    }
}
