//! Signatures that hold, and those that do not.

use cloverleaf_tests::{Backend, Port, Registration, Router, TlsClient};
use serde_json::json;

use super::{EXPIRED, FORMER, GOOD, SECRET, Town, ask, headers_of};

//
#[test]
fn a_signature_that_does_not_hold_opens_no_way() {
    let town = Town::new();
    let router = town.open(town.router());
    router.register(
        &Registration::of("app.test/other", &town.app).with("route_service_url", town.url()),
    );
    let mut client = router.client();
    assert_eq!(ask(&mut client, "/p", "").status, 200);
    let headers = headers_of(&town.service.request());
    let metadata = GOOD.split_once("\r\n").map_or("", |(_, metadata)| metadata);
    let without_metadata = GOOD.replace(metadata, "");
    for (target, lines, status, cause) in [
        ("/p", &*without_metadata, 502, "No metadata found"),
        (
            "/p",
            &format!("X-CF-Proxy-Signature: ///\r\n{metadata}"),
            502,
            "illegal base64 data at input byte 0",
        ),
        ("/p", EXPIRED, 504, "route service request expired"),
        ("/p", FORMER, 502, "cipher: message authentication failed"),
        (
            "/other/p",
            &headers,
            502,
            "original request URL app.test/p belongs to another route",
        ),
    ] {
        let response = ask(&mut client, target, lines);
        assert_eq!(response.status, status, "{cause}");
        let expected = format!(": Failed to validate Route Service Signature: {cause}\n");
        assert!(response.text().ends_with(&expected), "{response:?}");
        assert_eq!(response.header("X-Cf-RouterError"), None);
    }
    assert!(town.app.requests().is_empty());
    assert_eq!(town.service.requests().len(), 1);
    router.wait_for_event("signature-validation-failed");
}

//
#[test]
fn signatures_of_gorouter_and_of_the_previous_secret_are_understood() {
    let town = Town::new();
    let router = town.open(
        town.router()
            .with("route_services_secret_decrypt_only", "previous secret"),
    );
    for lines in [GOOD, FORMER] {
        assert_eq!(ask(&mut router.client(), "/p", lines).text(), "app");
    }
    // The other way round: what is signed now is for routers that know the secret only as the previous one.
    assert_eq!(ask(&mut router.client(), "/p", "").text(), "checked");
    let headers = headers_of(&town.service.request());
    let next = Router::builder()
        .with("route_services_secret", "next secret")
        .with("route_services_secret_decrypt_only", SECRET);
    let next = town.open(next);
    assert_eq!(ask(&mut next.client(), "/p", &headers).text(), "app");
    assert_eq!(ask(&mut next.client(), "/p", FORMER).status, 502);
}

//
#[test]
fn on_a_route_without_a_service_only_strict_mode_minds_a_signature() {
    let backend = Backend::saying("app");
    let lax = Router::builder().with("route_services_secret", SECRET);
    let strict = Router::builder()
        .with("route_services_secret", SECRET)
        .with(
            "route_services",
            json!({ "strict_signature_validation": true }),
        );
    let forged = "X-CF-Proxy-Signature: forged\r\n";
    let router = lax.start();
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(ask(&mut router.client(), "/", forged).status, 200);
    let seen = backend.request();
    assert_eq!(seen.header("X-CF-Proxy-Signature"), Some("forged"));

    let router = strict.start();
    router.register(&Registration::of("app.test", &backend));
    let mut client = router.client();
    for (lines, status, error) in [
        (forged, 400, "invalid_route_service_signature"),
        (
            "X-CF-Proxy-Signature:\r\n",
            400,
            "invalid_route_service_signature",
        ),
        (EXPIRED, 504, "expired_route_service_signature"),
    ] {
        let response = ask(&mut client, "/", lines);
        assert_eq!(response.status, status, "{lines}");
        assert_eq!(response.header("X-Cf-RouterError"), Some(error));
    }
    assert_eq!(backend.requests().len(), 1);
    // An application that is a service gets what it has to send back.
    assert_eq!(ask(&mut client, "/", GOOD).text(), "app");
    let seen = backend.requests().pop().expect("a request came");
    assert_eq!(
        headers_of(&seen)
            .replace("X-CF-Forwarded-Url: \r\n", "")
            .len(),
        GOOD.len()
    );
    assert_eq!(ask(&mut client, "/", "").text(), "app");
}

//
#[test]
fn what_a_service_says_of_the_client_counts_and_what_a_forger_says_does_not() {
    let town = Town::new();
    let router = town.open(town.router().with("sanitize_forwarded_proto", true));
    let says = "X-CF-Forwarded-Url: http://app.test/p\r\nX-Forwarded-Proto: https\r\n";
    let signed = format!("{GOOD}{says}");
    assert_eq!(ask(&mut router.client(), "/p", &signed).text(), "app");
    assert_eq!(
        town.app.request().header("X-Forwarded-Proto"),
        Some("https")
    );
    // Where nobody checks the signature it vouches for nothing.
    router.register(&Registration::of("plain.test", &town.app));
    let mut client = router.client();
    client.send(format!(
        "GET /p HTTP/1.1\r\nHost: plain.test\r\nX-CF-Proxy-Signature: forged\r\n{says}\r\n"
    ));
    assert_eq!(client.response().text(), "app");
    let seen = town.app.requests().pop().expect("a request came");
    assert_eq!(seen.header("X-Forwarded-Proto"), Some("http"));
}

#[test]
fn a_client_certificate_that_was_judged_before_the_service_is_not_judged_again() {
    let says = "X-CF-Forwarded-Url: http://app.test/p\r\nX-Forwarded-Client-Cert: sent\r\n";
    for (mode, over_tls) in [("sanitize_set", Some("sent")), ("forward", None)] {
        let (town, port) = (Town::new(), Port::reserve());
        let identity = town.authority.identity(&["127.0.0.1"]);
        let start = town
            .router()
            .with("enable_ssl", true)
            .with("ssl_port", port.number())
            .with("client_cert_validation", "none")
            .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
            .with("forwarded_client_cert", mode)
            .with(
                "tls_pem",
                json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
            );
        let router = town.open(start);
        let latest = || {
            let request = town.app.requests().pop().expect("a request came");
            request.header("X-Forwarded-Client-Cert").map(str::to_owned)
        };
        let over = |lines: &str| {
            let config = town.authority.anonymous_client_config(&[]);
            let mut client = TlsClient::connect(port.number(), config).expect("a TLS connection");
            client
                .send(format!("GET /p HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"))
                .expect("a request");
            assert_eq!(client.exactly(15).expect("an answer"), b"HTTP/1.1 200 OK");
        };
        over(&format!("{GOOD}{says}"));
        assert_eq!(latest().as_deref(), over_tls, "{mode}");
        assert_eq!(
            ask(&mut router.client(), "/p", &format!("{GOOD}{says}")).status,
            200
        );
        assert_eq!(latest(), None, "{mode}");
    }
}
