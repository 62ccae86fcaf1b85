//! Backend connections that belong to one client: what it proved about itself must not be lent to the next.

use cloverleaf_tests::{Backend, Registration, Router, ok};

use super::SMUGGLED;

/// A backend that logs a connection in, as servers with NTLM and Negotiate do: whoever uses it later is taken for the
/// same user.
fn with_logins() -> Backend {
    Backend::scripted(|peer| {
        let mut user = "nobody".to_owned();
        loop {
            let request = peer.request()?;
            if let Some(token) = request.header("Authorization") {
                user = token.to_owned();
            }
            peer.send(ok(&user))?;
        }
    })
}

#[test]
fn a_login_that_belongs_to_a_connection_is_not_lent_to_another_client() {
    for scheme in ["NTLM", "Negotiate", "negotiate"] {
        let backend = with_logins();
        let router = Router::builder().with("go_max_procs", 1).start();
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nAuthorization: {scheme} TlRMTVNTUAAD\r\n\r\n"
        ));
        assert_eq!(client.response().text(), format!("{scheme} TlRMTVNTUAAD"));
        assert_eq!(router.get("app.test", "/").text(), "nobody", "{scheme}");
    }
}

#[test]
fn a_login_that_belongs_to_a_request_ends_with_it() {
    // Basic and Bearer are said anew with each request; the backend here takes them for the request alone.
    let backend =
        Backend::answering(|request| ok(request.header("Authorization").unwrap_or("nobody")));
    let router = Router::builder().with("go_max_procs", 1).start();
    router.register(&Registration::of("app.test", &backend));
    for login in ["Basic dXNlcjpwYXNz", "Bearer token"] {
        let mut client = router.client();
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: app.test\r\nAuthorization: {login}\r\n\r\n"
        ));
        assert_eq!(client.response().text(), login);
        assert_eq!(router.get("app.test", "/").text(), "nobody");
    }
    assert_eq!(backend.connections(), 1, "such connections are shared");
}

/// A backend that answers as soon as it has seen a head, and takes whatever comes behind it for the next request.
fn hasty() -> Backend {
    Backend::scripted(|peer| {
        loop {
            let head = peer.head()?;
            peer.send(ok(head.target()))?;
        }
    })
}

#[test]
fn a_body_that_comes_behind_its_answer_is_nobodys_request() {
    for framing in [
        format!("Content-Length: {}\r\n", SMUGGLED.len()),
        "Transfer-Encoding: chunked\r\n".to_owned(),
        format!(
            "Expect: 100-continue\r\nContent-Length: {}\r\n",
            SMUGGLED.len()
        ),
    ] {
        let backend = hasty();
        let router = Router::builder().with("go_max_procs", 1).start();
        router.register(&Registration::of("app.test", &backend));
        let mut client = router.client();
        client.send(format!(
            "POST /attack HTTP/1.1\r\nHost: app.test\r\n{framing}\r\n"
        ));
        assert_eq!(client.response().text(), "/attack", "{framing}");
        // The answer is there; the body comes, or what an attacker would have taken for one.
        client.wire().send(SMUGGLED).ok();
        assert_eq!(
            router.get("app.test", "/victim").text(),
            "/victim",
            "{framing}"
        );
        let (rest, _) = client.wire().rest();
        assert_eq!(rest, b"", "{framing}: {}", rest.escape_ascii());
        let requests = backend.requests();
        let targets: Vec<_> = requests.iter().map(|request| request.target()).collect();
        assert_eq!(targets, ["/attack", "/victim"], "{framing}");
        assert_ne!(requests[0].connection, requests[1].connection, "{framing}");
    }
}
