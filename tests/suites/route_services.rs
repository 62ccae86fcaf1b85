//! Route services: requests that go to a service first, and come back with its signature.

use std::sync::Arc;

use cloverleaf_tests::{
    Authority, Backend, Client, End, Gate, Port, RefusedPort, Registration, Request, Response,
    Router, Start, TlsClient, TlsFront, eventually, ok,
};
use rustix::process::Signal;
use serde_json::json;

const SECRET: &str = "compat secret";

/// Made by GoRouter with this secret, for `http://app.test/p`, valid until 2099.
const GOOD: &str = "X-CF-Proxy-Signature: uep5fbqXGQlNkl75nvs-hkk7lVAYDvcgLqz9ZBhzUVs1oFiuTl2VlYORwKEv8ihsFVuX6q6QQm1NXpWDD9ia5_w6Cj_2_zT80burJf1U5PDWozvI0nE8_fEr7qEeaNvYfVqTJufsJQ==\r\nX-CF-Proxy-Metadata: eyJub25jZSI6Ing4bXQyTzBVcUZUWkFPQkMifQ==\r\n";
/// The same for 2020.
const EXPIRED: &str = "X-CF-Proxy-Signature: q8ykUwLzC28DbhkwtbF0TMSfIo2ZI9KeVvHL-xU0ev6lPKK-mJNOFBbFNv4SACQTZuv4Cgq602h26A5NnyTbIYi7Joaftchczj9jjolMGwI6GulRxvyH1QGwcJeJ\r\nX-CF-Proxy-Metadata: eyJub25jZSI6InJMUmNWWGhTblk4eWFMbnEifQ==\r\n";
/// With `previous secret`.
const FORMER: &str = "X-CF-Proxy-Signature: wcllVdn-3vS2f41DQ5am-VGGBNRqtkItiAXb5K8aK1bqP2K49QlIfcFpfdJ3SpAHswcUHARqQ5i96uwWpVpTBC9O4V3U-Wjhy9l57DpxvARmh-LJ4C9U591de1md\r\nX-CF-Proxy-Metadata: eyJub25jZSI6Im5UVE1tVkU0NnBaMXZ5UVkifQ==\r\n";

const HEADERS: [&str; 3] = [
    "X-CF-Forwarded-Url",
    "X-CF-Proxy-Metadata",
    "X-CF-Proxy-Signature",
];

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: app.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An application, the service before it, and who vouches for the service.
struct Town {
    authority: Authority,
    app: Backend,
    service: Backend,
    front: TlsFront,
}

impl Town {
    fn new() -> Town {
        Town::with(Backend::answering(|_| ok("checked")))
    }

    fn with(service: Backend) -> Town {
        let authority = Authority::new("service authority");
        let identity = authority.identity(&["localhost", "127.0.0.1"]);
        Town {
            app: Backend::saying("app"),
            front: TlsFront::before(&service, &identity),
            service,
            authority,
        }
    }

    /// Settings of a router that knows the secret and trusts the authority.
    fn router(&self) -> Start {
        Router::builder()
            .with("route_services_secret", SECRET)
            .with("ca_certs", json!([self.authority.certificate()]))
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/check?by=rs", self.front.port())
    }

    /// Starts the router with the route.
    fn open(&self, start: Start) -> Router {
        let router = start.start();
        let registration = Registration::of("app.test", &self.app);
        router.register(&registration.with("route_service_url", self.url()));
        router
    }
}

fn ask(client: &mut Client, target: &str, lines: &str) -> Response {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n"
    ));
    client.response()
}

/// The header lines with which a service sends a request back.
fn headers_of(request: &Request) -> String {
    let line = |name: &&str| format!("{name}: {}\r\n", request.header(name).unwrap_or_default());
    HEADERS.iter().map(line).collect()
}

fn sees_none(request: &Request) -> bool {
    HEADERS.iter().all(|name| request.header(name).is_none())
}

//
#[test]
fn a_request_goes_to_the_service_first_and_comes_back_with_its_signature() {
    let town = Town::new();
    let router = town.open(town.router());
    let mut client = router.client();
    client.send(
        "POST /p?q=%20&x=1;2 HTTP/1.1\r\nHost: app.test:8080\r\nX-CF-Proxy-Metadata: forged\r\n\
         X-CF-ApplicationID: forged\r\nX-Own: 1\r\nContent-Length: 5\r\n\r\nhello",
    );
    let response = client.response();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "checked")
    );
    assert!(town.app.requests().is_empty());
    let asked = town.service.request();
    assert_eq!(asked.line, "POST /check?by=rs HTTP/1.1");
    let host = format!("localhost:{}", town.front.port());
    assert_eq!(asked.header("Host"), Some(&*host));
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("http://app.test/p?q=%20&x=1;2")
    );
    assert_eq!(
        (asked.header("X-Own"), &*asked.text()),
        (Some("1"), "hello")
    );
    for name in HEADERS {
        assert_eq!(asked.headers.all(name).count(), 1, "{name}");
    }
    for name in [
        "X-CF-ApplicationID",
        "X-CF-InstanceID",
        "X-CF-InstanceIndex",
    ] {
        assert_eq!(asked.header(name), None, "{name}");
    }

    let back = ask(&mut router.client(), "/p", &headers_of(&asked));
    assert_eq!(back.text(), "app");
    let served = town.app.request();
    assert!(sees_none(&served), "{served:?}");
    assert!(served.header("X-CF-InstanceID").is_some());

    let lines = router.access_log().wait_for(2);
    assert_eq!((&*lines[0].endpoint, lines[0].field("app_id")), ("-", "-"));
    assert_eq!(lines[1].endpoint, town.app.address());
    let metrics = router.metrics();
    // The leg to the service is no request of an application.
    assert_eq!(metrics.sum("total_requests"), 1.0);
    assert_eq!(metrics.sum("responses"), 1.0);
    assert_eq!(metrics.sum("responses_route_services"), 1.0);
    assert_eq!(
        metrics.labelled("responses_route_services", "status_group=\"2xx\""),
        1.0
    );
}

//
#[test]
fn each_request_to_a_service_has_a_connection_of_its_own() {
    let town = Town::new();
    let router = town.open(town.router());
    let mut client = router.client();
    for _ in 0..3 {
        assert_eq!(ask(&mut client, "/", "").status, 200);
    }
    assert_eq!(town.front.connections(), 3);
    assert_eq!(town.service.connections(), 3);
}

//
#[test]
fn the_scheme_is_the_recommended_one_and_a_port_makes_no_difference() {
    let town = Town::new();
    let router = town.open(town.router().with("route_services_recommend_https", true));
    assert_eq!(ask(&mut router.client(), "/p", "").status, 200);
    let asked = town.service.request();
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("https://app.test/p")
    );
    let mut client = router.client();
    client.send(format!(
        "GET /p HTTP/1.1\r\nHost: app.test:4443\r\n{}\r\n",
        headers_of(&asked)
    ));
    assert_eq!(client.response().text(), "app");
}

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
fn without_a_secret_a_route_with_a_service_serves_nobody() {
    let town = Town::new();
    let router = town.open(Router::builder());
    for lines in ["", GOOD] {
        let response = ask(&mut router.client(), "/p", lines);
        assert_eq!(response.status, 502);
        assert_eq!(
            response.header("X-Cf-RouterError"),
            Some("route_service_unsupported")
        );
        assert_eq!(
            response.text(),
            "502 Bad Gateway: Support for route services is disabled.\n"
        );
    }
    assert!(town.app.requests().is_empty() && town.front.connections() == 0);
    // Other routes are served as ever, whatever a client sends.
    router.register(&Registration::of("plain.test", &town.app));
    let mut client = router.client();
    client.send(format!("GET /p HTTP/1.1\r\nHost: plain.test\r\n{GOOD}\r\n"));
    assert_eq!(client.response().text(), "app");
}

//
#[test]
fn a_service_that_refuses_connections_is_tried_as_often_as_configured() {
    let (town, refused) = (Town::new(), RefusedPort::new());
    let router = town
        .router()
        .with("route_services", json!({ "max_attempts": 5 }))
        .start();
    let url = format!("https://localhost:{}/", refused.number());
    router.register(&Registration::of("app.test", &town.app).with("route_service_url", url));
    let response = router.get("app.test", "/");
    assert_eq!(response.status, 502);
    let error = response.header("X-Cf-RouterError").unwrap_or_default();
    assert!(
        error.starts_with("endpoint_failure (dial tcp localhost:"),
        "{error}"
    );
    router.wait_for_event("route-service-connection-failed");
    let failures = router.log().with_message("route-service-connection-failed");
    assert_eq!(failures.len(), 5);
    assert!(failures[4].text.contains("\"attempt\":5"), "{failures:?}");
    // The route's own endpoints have nothing to do with it.
    assert!(router.shows(&Registration::of("app.test", &town.app)));
    assert_eq!(router.access_log().line().field("app_id"), "-");
    assert!(town.app.requests().is_empty());
}

//
#[test]
fn a_service_has_to_be_vouched_for_unless_that_is_switched_off() {
    let town = Town::new();
    let distrustful = Router::builder().with("route_services_secret", SECRET);
    let router = town.open(distrustful);
    let response = ask(&mut router.client(), "/", "");
    assert_eq!(response.status, 526);
    assert!(town.service.requests().is_empty());
    let trusting = Router::builder()
        .with("route_services_secret", SECRET)
        .with("skip_ssl_validation", true);
    let router = town.open(trusting);
    assert_eq!(ask(&mut router.client(), "/", "").text(), "checked");
}

#[test]
fn a_service_may_ask_for_the_certificate_that_is_configured_for_services() {
    let town = Town::new();
    let (guests, us) = (
        Authority::new("guests"),
        town.authority.identity(&["localhost"]),
    );
    let guarded = TlsFront::guarded(&guests, &town.service, &us);
    let identity = guests.identity(&["router.test"]);
    let router = town
        .router()
        .with(
            "route_services",
            json!({ "cert_chain": identity.certificate, "private_key": identity.key }),
        )
        .start();
    let url = format!("https://localhost:{}/", guarded.port());
    let registration = Registration::of("app.test", &town.app).with("route_service_url", url);
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").text(), "checked");
    let unknown = town.router().start();
    unknown.register(&registration);
    assert!([496, 525].contains(&unknown.get("app.test", "/").status));
}

//
#[test]
fn a_service_that_wants_a_higher_version_than_allowed_is_a_bad_gateway() {
    let town = Town::new();
    let identity = town.authority.identity(&["localhost"]);
    let modern = TlsFront::modern(&town.service, &identity);
    let url = format!("https://localhost:{}/", modern.port());
    let registration = Registration::of("app.test", &town.app).with("route_service_url", url);
    let router = town.router().start();
    router.register(&registration);
    assert_eq!(router.get("app.test", "/").status, 502);
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

#[test]
fn what_a_service_answers_is_the_answer_and_is_logged_when_it_is_no_success() {
    let teapot =
        "HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: JSESSIONID=x\r\nContent-Length: 2\r\n\r\nno";
    let town = Town::with(Backend::answering(move |_| teapot));
    let router = town.open(town.router());
    let response = ask(&mut router.client(), "/", "");
    assert_eq!((response.status, &*response.text()), (418, "no"));
    let cookies: Vec<_> = response.headers.all("Set-Cookie").collect();
    assert_eq!(cookies, ["JSESSIONID=x"]);
    let event = router.wait_for_event("route-service-response");
    assert!(event.text.contains("\"status-code\":418"), "{}", event.text);
    assert_eq!(
        router
            .metrics()
            .labelled("responses_route_services", "status_group=\"4xx\""),
        1.0
    );
}

//
#[test]
fn a_blocked_address_is_not_connected_to_by_whatever_name() {
    let town = Town::new();
    let blocking = town.router().with(
        "route_services",
        json!({ "max_attempts": 2, "egress_blocklist": ["127.0.0.0/8", "::1/128"] }),
    );
    let router = town.open(blocking);
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let url = format!("https://{host}:{}/", town.front.port());
        let registration = Registration::of("app.test", &town.app);
        router.register(&registration.with("route_service_url", url));
        router.settle();
        let response = ask(&mut router.client(), "/", "");
        assert_eq!(response.status, 502, "{host}");
        let error = response.header("X-Cf-RouterError").unwrap_or_default();
        assert!(error.ends_with(" not allowed)"), "{error}");
    }
    assert_eq!(town.front.connections(), 0);
    // Backends are the operator's own matter.
    router.register(&Registration::of("plain.test", &town.app));
    assert_eq!(router.get("plain.test", "/").text(), "app");

    let open = town
        .router()
        .with("route_services", json!({ "egress_blocklist": [] }));
    let router = town.open(open);
    assert_eq!(ask(&mut router.client(), "/", "").text(), "checked");
}

/// A router where `rs.route.test` is a route, and the service of `app.test`.
struct Inside {
    router: Router,
    app: Backend,
    service: Backend,
}

impl Inside {
    fn with(start: Start, service: Backend) -> Inside {
        let router = start.start();
        let app = Backend::saying("app");
        router.register(&Registration::of("rs.route.test", &service));
        let registration = Registration::of("app.test", &app);
        router.register(&registration.with("route_service_url", "https://rs.route.test/check?x=1"));
        Inside {
            router,
            app,
            service,
        }
    }
}

fn hairpinning() -> Start {
    Router::builder()
        .with("route_services_secret", SECRET)
        .with("route_services_hairpinning", true)
}

//
#[test]
fn a_service_that_is_a_route_here_is_reached_without_leaving() {
    // What lies inside is not looked up, so that no list matters.
    let start = hairpinning().with(
        "route_services",
        json!({ "egress_blocklist": ["0.0.0.0/0", "::/0"] }),
    );
    let inside = Inside::with(start, Backend::saying("checked"));
    let router = &inside.router;
    let mut client = router.client();
    client.send(
        "POST /p HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Proto: https\r\nContent-Length: 5\r\n\r\nhello",
    );
    assert_eq!(client.response().text(), "checked");
    let asked = inside.service.request();
    assert_eq!(asked.line, "POST /check?x=1 HTTP/1.1");
    assert_eq!(
        (asked.header("Host"), &*asked.text()),
        (Some("rs.route.test"), "hello")
    );
    assert_eq!(
        asked.header("X-CF-Forwarded-Url"),
        Some("http://app.test/p")
    );
    assert_eq!(
        asked.header("X-Forwarded-For"),
        Some("127.0.0.1, 127.0.0.1")
    );
    assert_eq!(asked.header("X-Forwarded-Proto"), Some("https"));
    assert!(asked.header("X-CF-InstanceID").is_some());
    // A line for each time that the request passed.
    let lines = router.access_log().wait_for(2);
    assert_eq!(
        (&*lines[0].host, &*lines[0].endpoint),
        ("rs.route.test", &*inside.service.address())
    );
    assert_eq!((&*lines[1].host, &*lines[1].endpoint), ("app.test", "-"));
    assert_ne!(
        lines[0].field("vcap_request_id"),
        lines[1].field("vcap_request_id")
    );
    let back = ask(&mut client, "/p", &headers_of(&asked));
    assert_eq!(back.text(), "app");
    assert!(sees_none(&inside.app.request()));
}

//
#[test]
fn only_listed_routes_are_reached_without_leaving() {
    for (list, status) in [
        ("*.route.test", 200),
        ("RS.route.test", 200),
        ("*.test", 502),
        ("route.test", 502),
    ] {
        let start = hairpinning().with("route_services_hairpinning_allowlist", json!([list]));
        let inside = Inside::with(start, Backend::saying("checked"));
        let response = ask(&mut inside.router.client(), "/p", "");
        assert_eq!(response.status, status, "{list}");
        let reached = inside.service.requests().len();
        assert_eq!(reached, usize::from(status == 200), "{list}");
        if status == 502 {
            // It was looked for outside, where no such name is.
            let error = response.header("X-Cf-RouterError").unwrap_or_default();
            assert!(error.contains("rs.route.test"), "{error}");
        }
    }
}

#[test]
fn without_hairpinning_every_service_is_outside() {
    let start = Router::builder().with("route_services_secret", SECRET);
    let inside = Inside::with(start, Backend::saying("checked"));
    assert_eq!(ask(&mut inside.router.client(), "/p", "").status, 502);
    assert!(inside.service.requests().is_empty());
}

#[test]
fn bodies_and_upgrades_of_any_size_pass_a_service_inside() {
    let body = "0123456789abcdef".repeat(40_000);
    let echo = Backend::answering(|request| ok(&request.text()));
    let inside = Inside::with(hairpinning(), echo);
    let mut client = inside.router.client();
    client.send(format!(
        "POST /p HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.response().text(), body);

    let chat = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let line = peer.wire().until(b"\n")?;
        peer.send(line)
    });
    let inside = Inside::with(hairpinning(), chat);
    let mut client = inside.router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client.send("ping\n");
    assert_eq!(client.wire().exactly(5), Ok(b"ping\n".to_vec()));
    assert_eq!(client.end(), End::Closed);
}

#[test]
fn a_drain_waits_for_a_service_inside() {
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let service = Backend::answering(move |_| {
        held.wait();
        ok("checked")
    });
    let start = hairpinning().with("drain_timeout", "15s");
    let mut inside = Inside::with(start, service);
    let mut client = inside.router.client();
    client.send("GET /p HTTP/1.1\r\nHost: app.test\r\n\r\n");
    inside.service.wait_for_requests(1);
    inside.router.process().signal(Signal::USR1);
    eventually("no more connections", || {
        inside.router.refuses().then_some(())
    });
    gate.open();
    assert_eq!(client.response().text(), "checked");
    assert_eq!(inside.router.process().wait().code(), Some(0));
    assert_eq!(inside.router.access_log().lines().len(), 2);
}

//
#[test]
fn without_a_plain_listener_services_inside_are_reached_too() {
    let (authority, port) = (Authority::new("edge authority"), Port::reserve());
    let identity = authority.identity(&["127.0.0.1"]);
    let start = hairpinning()
        .with("disable_http", true)
        .with("enable_ssl", true)
        .with("ssl_port", port.number())
        .with("client_cert_validation", "none")
        .with("cipher_suites", "ECDHE-ECDSA-AES128-GCM-SHA256")
        .with(
            "tls_pem",
            json!([{ "cert_chain": identity.certificate, "private_key": identity.key }]),
        );
    let inside = Inside::with(start, Backend::saying("checked"));
    let config = authority.anonymous_client_config(&[]);
    let mut client = TlsClient::connect(port.number(), config).expect("a TLS connection");
    client
        .send("GET /p HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n")
        .expect("a request");
    let answer = client.exactly(15).expect("an answer");
    assert_eq!(answer, b"HTTP/1.1 200 OK");
    assert_eq!(
        inside.service.request().header("X-Forwarded-Proto"),
        Some("https")
    );
}

//
#[test]
fn a_block_list_that_is_none_ends_the_start_and_is_named() {
    let config = "route_services: {egress_blocklist: [10.0.0.0/8, 10.0.0.0/33]}\n";
    let finished = Start::run(config, &["-c", "gorouter.yml"]);
    assert_eq!(finished.status.code(), Some(1));
    for part in ["route_services.egress_blocklist[1]", "10.0.0.0/33"] {
        assert!(finished.output.contains(part), "{}", finished.output);
    }
}

//
#[test]
fn upgrades_pass_services_where_they_may() {
    let service = Backend::scripted(|peer| {
        peer.head()?;
        peer.send(SWITCHING)?;
        let line = peer.wire().until(b"\n")?;
        peer.send(line)
    });
    let town = Town::with(service);
    let router = town.open(town.router());
    let mut client = router.client();
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client.send("ping\n");
    assert_eq!(client.wire().exactly(5), Ok(b"ping\n".to_vec()));
    assert_eq!(client.end(), End::Closed);
    let asked = town.service.request();
    assert_eq!(asked.header("Upgrade"), Some("websocket"));
    assert!(asked.header("X-CF-Proxy-Signature").is_some());

    let without = town
        .router()
        .with("route_services", json!({ "enable_websockets": false }));
    let router = town.open(without);
    let mut client = router.client();
    client.send(UPGRADE);
    let response = client.response();
    assert_eq!(response.status, 503);
    assert_eq!(
        response.header("X-Cf-RouterError"),
        Some("route_service_unsupported")
    );
}
