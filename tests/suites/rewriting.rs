//! Response headers that the operator adds and removes.

use cloverleaf_tests::{Backend, Registration, Router};
use serde_json::{Value, json};

fn router(remove: Value, add: Value) -> Router {
    Router::builder()
        .with("http_rewrite.responses.remove_headers", remove)
        .with("http_rewrite.responses.add_headers_if_not_present", add)
        .start()
}

//
#[test]
fn missing_headers_are_added_to_answers_errors_and_health_checks() {
    let router = router(
        json!([]),
        json!([{ "name": "X-Added", "value": "one" }, { "name": "x-added", "value": "two" }, { "name": "X-There", "value": "new" }]),
    );
    let backend =
        Backend::answering(|_| "HTTP/1.1 200 OK\r\nX-There: app\r\nContent-Length: 2\r\n\r\nok");
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    let check = "GET / HTTP/1.1\r\nHost: app.test\r\nUser-Agent: HTTP-Monitor/1.1\r\n\r\n";
    for (request, status, there) in [
        ("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", 200, "app"),
        ("GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n", 404, "new"),
        (check, 200, "new"),
    ] {
        client.send(request);
        let answer = client.response();
        assert_eq!(answer.status, status);
        let added: Vec<&str> = answer.headers.all("X-Added").collect();
        assert_eq!(added, ["one", "two"]);
        let values: Vec<&str> = answer.headers.all("X-There").collect();
        assert_eq!(values, [there]);
    }
}

//
#[test]
fn headers_are_removed_also_those_that_the_router_sets() {
    let router = router(
        json!([{ "name": "x-vcap-request-id" }, { "name": "X-CF-ROUTERERROR" }, { "name": "Server" }]),
        json!([{ "name": "Server", "value": "new" }]),
    );
    let backend = Backend::answering(
        |_| "HTTP/1.1 200 OK\r\nServer: old\r\nX-Cf-RouterError: app\r\nContent-Length: 2\r\n\r\nok",
    );
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    let answer = client.get("app.test", "/");
    assert_eq!(answer.header("X-Vcap-Request-Id"), None);
    assert_eq!(answer.header("X-Cf-RouterError"), None);
    let server: Vec<&str> = answer.headers.all("Server").collect();
    assert_eq!(server, ["new"], "removing comes first");
    assert_eq!(
        client.get("unknown.test", "/").header("X-Cf-RouterError"),
        None
    );
    for line in router.access_log().wait_for(2) {
        assert_eq!(line.field("x_cf_routererror"), "-", "as the client sees it");
    }
}

//
#[test]
fn a_signature_never_reaches_the_client() {
    let (router, backend) = (
        Router::start(),
        Backend::answering(
            |_| "HTTP/1.1 200 OK\r\nX-CF-Proxy-Signature: s\r\nContent-Length: 2\r\n\r\nok",
        ),
    );
    router.register(&Registration::of("app.test", &backend));
    let answer = router.get("app.test", "/");
    assert_eq!(
        (answer.status, answer.header("X-CF-Proxy-Signature")),
        (200, None)
    );
}

//
#[test]
fn interim_answers_and_upgrades_are_changed_as_well() {
    let router = router(
        json!([{ "name": "X-Secret" }]),
        json!([{ "name": "X-Added", "value": "one" }]),
    );
    let backend = Backend::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 103 Early Hints\r\nX-Secret: s\r\nLink: <a>\r\n\r\n")?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        peer.request()?;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nX-Secret: s\r\n\r\n")
    });
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
    for line in ["HTTP/1.1 103 ", "HTTP/1.1 200 ", "HTTP/1.1 101 "] {
        let head = client.wire().until(b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with(line), "{head}");
        assert!(head.contains("X-Added: one\r\n"), "{head}");
        assert!(!head.contains("X-Secret"), "{head}");
        if line.contains("200") {
            client.send(
                "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            );
        }
    }
}

#[test]
fn rules_about_framing_are_ignored_and_said_to_be() {
    let router = router(
        json!([{ "name": "Content-Length" }, { "name": "Connection" }]),
        json!([{ "name": "Transfer-Encoding", "value": "chunked" }]),
    );
    let backend = Backend::saying("here");
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    for _ in 0..2 {
        let answer = client.get("app.test", "/");
        assert_eq!(answer.header("Content-Length"), Some("4"));
        assert_eq!(answer.header("Transfer-Encoding"), None);
        assert_eq!(answer.text(), "here");
    }
    let notices = router.log().with_message("config-notice");
    let about = notices
        .iter()
        .filter(|event| event.data("note") == "is not for rules to change, ignored");
    assert_eq!(about.count(), 3);
}
