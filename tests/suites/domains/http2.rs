//! The same over HTTP/2, where one connection may ask for many hosts.

use std::sync::Arc;

use cloverleaf_tests::{Backend, Http2Client, Identity, Registration, request};
use rustls::ClientConfig;

use super::{World, caller, guarded};

/// Settings that offer HTTP/2 and show `identity`.
fn offering(world: &World, identity: &Identity) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&world.showing(identity));
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

// covers: R-321, R-322, R-324, R-328, R-331
#[test]
fn a_connection_of_a_domain_serves_its_hosts_and_judges_its_callers() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let mut domain = world.domain("*.apps.identity");
    domain["xfcc_format"] = "envoy".into();
    let router = world.router_with(vec![domain]).start();
    router.register(&guarded("a.apps.identity", &backend, "any", "cf:app:app-1"));
    router.register(&guarded("b.apps.identity", &backend, "any", "cf:app:other"));
    router.register(&Registration::of("plain.test", &backend));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let port = world.port.number();
    let mut client = Http2Client::over_tls_to("a.apps.identity", port, offering(&world, &member))
        .expect("HTTP/2");
    let lie = [("x-forwarded-client-cert", "lie")];
    let answer = client.ask(request("GET", "A.apps.identity:443", "/", &lie));
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    let answer = client.get("b.apps.identity", "/");
    assert_eq!((answer.status, answer.text().as_str()), (403, "Forbidden"));
    let answer = client.get("plain.test", "/");
    assert_eq!((answer.status, answer.text().as_str()), (421, ""));

    let mut other =
        Http2Client::over_tls_to("plain.test", port, offering(&world, &member)).expect("HTTP/2");
    assert_eq!(other.get("plain.test", "/").status, 200);
    assert_eq!(other.get("a.apps.identity", "/").status, 421);

    let seen = &backend.requests()[0];
    let shown = seen.header("x-forwarded-client-cert").expect("a header");
    assert!(shown.ends_with(r#"OU=organization:org-1""#), "{shown}");
    let lines = router.access_log().wait_for(5);
    let rules = [
        ["app-1", "org-1", "space-1", "route:cf:app:app-1"],
        ["app-1", "org-1", "space-1", "route:route_policies"],
        ["-"; 4],
        ["-"; 4],
        ["-"; 4],
    ];
    for (line, rule) in lines.iter().zip(rules) {
        assert_eq!(caller(line), rule, "{}", line.text);
    }
    assert_eq!(lines[4].field("tls_sni"), "plain.test");
}
