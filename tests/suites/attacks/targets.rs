//! Hosts and targets: what routes a request must be what the backend is told.

use super::{BAD, SMUGGLED, Scene};

#[test]
fn more_than_one_host_or_none_is_refused() {
    let scene = Scene::new();
    let missing = "HTTP/1.1 400 Bad Request: missing required Host header";
    let malformed = "HTTP/1.1 400 Bad Request: malformed Host header";
    for (name, lines, answer) in [
        ("two hosts", "Host: app.test\r\nHost: other.test\r\n", BAD),
        (
            "two equal hosts",
            "Host: app.test\r\nHost: app.test\r\n",
            BAD,
        ),
        ("an empty second host", "Host: app.test\r\nHost:\r\n", BAD),
        (
            "another case",
            "Host: app.test\r\nhost: other.test\r\n",
            BAD,
        ),
        ("none", "X: y\r\n", missing),
        (
            "other spellings only",
            "Host_: app.test\r\nX-Host: app.test\r\n",
            missing,
        ),
        ("a folded host", "Host:\r\n app.test\r\n", BAD),
        ("a space", "Host: app.test evil.test\r\n", malformed),
        (
            "a list with a blank",
            "Host: app.test, evil.test\r\n",
            malformed,
        ),
        ("a tab", "Host: app.test\tevil.test\r\n", malformed),
        ("a path", "Host: app.test/evil\r\n", malformed),
        ("a backslash", "Host: app.test\\evil\r\n", malformed),
        ("user information", "Host: evil@app.test\r\n", malformed),
        ("markup", "Host: <script>\r\n", malformed),
        ("a question mark", "Host: app.test?x\r\n", malformed),
        ("a fragment", "Host: app.test#x\r\n", malformed),
        ("quotes", "Host: \"app.test\"\r\n", malformed),
        ("letters beyond ASCII", "Host: \u{e4}pp.test\r\n", malformed),
    ] {
        scene.refuses(
            name,
            format!("GET / HTTP/1.1\r\n{lines}\r\n{SMUGGLED}"),
            answer,
        );
    }
}

#[test]
fn a_target_that_is_neither_path_nor_url_is_refused() {
    let scene = Scene::new();
    for target in [
        "attack",
        "app.test/attack",
        "app.test:80",
        "..",
        "**",
        "http:attack",
        "http:/attack",
        "://app.test/",
        "1http://app.test/",
        "http://evil@app.test/",
        "http://app.test:80:80/",
        "http://app.test:x/",
        "http://[::1/",
        "http://app.test\\evil/",
        "http://app.test#x",
        "http://app%2etest/",
        "/%",
        "/%4",
        "/%zz",
        "/\u{1}",
        "/\u{7f}",
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n{SMUGGLED}");
        scene.refuses(target, bytes, BAD);
    }
}

#[test]
fn the_authority_of_an_absolute_target_is_the_only_host_that_the_backend_sees() {
    let scene = Scene::new();
    let seen = scene.passes(
        "a conflict",
        "GET http://app.test/attack HTTP/1.1\r\nHost: other.test\r\n\r\n",
    );
    assert_eq!(seen.target, "http://app.test/attack");
    assert_eq!(seen.all("Host"), ["app.test"]);
    // The other way round nothing of it reaches the app whose name is in Host alone.
    let mut client = scene.router.client();
    client.send("GET http://other.test/attack HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(client.response().status, 404);
    assert_eq!(client.get("app.test", "/next").text(), "/next");
    assert_eq!(scene.aftermath("another authority").len(), 1);
    // A conflict is no way around the checks of the Host field.
    for host in ["a b", "Host: x\r\nHost: y", "evil@app.test"] {
        let line = if host.starts_with("Host") {
            ""
        } else {
            "Host: "
        };
        let bytes = format!("GET http://app.test/attack HTTP/1.1\r\n{line}{host}\r\n\r\n");
        scene.refuses(host, bytes, BAD);
    }
}

#[test]
fn connect_opens_no_tunnel() {
    let scene = Scene::new();
    let refused = "HTTP/1.1 405 Method Not Allowed";
    for target in ["app.test:443", "127.0.0.1:22", "/", "*", "http://app.test/"] {
        let bytes = format!("CONNECT {target} HTTP/1.1\r\nHost: app.test\r\n\r\n{SMUGGLED}");
        scene.refuses(target, bytes, refused);
    }
    let with_body = format!(
        "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );
    scene.refuses("a body", with_body, refused);
    let with_upgrade = format!(
        "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n{SMUGGLED}"
    );
    scene.refuses("an upgrade", with_upgrade, refused);
}

#[test]
fn a_look_up_by_one_path_never_sends_another() {
    let scene = Scene::new();
    for target in [
        "/a/../b",
        "/%2e%2e/b",
        "/a%2f..%2fb",
        "//a//b",
        "/a;x=y/b",
        "/.",
        "/a%00b",
        "/a%0d%0aX: y",
    ] {
        let target = target.replace(' ', "%20");
        let seen = scene.passes(
            &target,
            format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n"),
        );
        assert_eq!(seen.target, target);
    }
}
