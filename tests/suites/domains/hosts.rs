//! Which hosts a connection may ask for.

use cloverleaf_tests::{Authority, Backend, Registration};
use serde_json::json;

use super::{World, ask};

// covers: R-321 R-331
#[test]
fn a_host_on_a_domain_is_served_on_connections_of_that_domain_alone() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    router.register(&Registration::of("a.apps.identity", &backend));
    let hosts = [
        "a.apps.identity",
        "A.Apps.IDENTITY",
        "a.apps.identity:443",
        "A.apps.identity:8443",
    ];
    let mut names = Vec::new();
    for name in ["plain.test", ""] {
        let mut client = world.connect(name, world.anonymous()).expect("a client");
        for host in hosts {
            // Each on the same connection: a refusal does not end it.
            let answer = ask(&mut client, host).expect("an answer");
            assert_eq!((answer.status, &*answer.body), (421, ""), "{name} {host}");
            assert!(!answer.head.contains("X-Cf-Routererror"), "{}", answer.head);
            names.push(if name.is_empty() { "-" } else { name });
        }
    }
    for host in hosts {
        let answer = router.get(host, "/");
        assert_eq!((answer.status, answer.text().as_str()), (421, ""), "{host}");
        names.push("-");
    }
    let member = world.members.instance("app-1", "space-1", "org-1");
    for host in hosts {
        let answer = world
            .ask("a.apps.identity", host, world.showing(&member))
            .expect("an answer");
        assert_eq!(answer.status, 200, "{host}");
        names.push("a.apps.identity");
    }
    let lines = router.access_log().wait_for(names.len());
    for (line, name) in lines.iter().zip(names) {
        assert_eq!(line.field("tls_sni"), name, "{}", line.text);
        let refused = if line.status == "421" { "-" } else { "app-1" };
        assert_eq!(line.field("caller_cf_app"), refused, "{}", line.text);
    }
    assert_eq!(backend.requests().len(), hosts.len());
}

//
#[test]
fn a_connection_of_a_domain_serves_no_host_beside_it() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world
        .router(&["*.apps.identity", "exact.apps.identity", "*.other.identity"])
        .start();
    for host in [
        "a.apps.identity",
        "b.apps.identity",
        "exact.apps.identity",
        "a.other.identity",
        "plain.test",
    ] {
        router.register(&Registration::of(host, &backend));
    }
    let member = world.members.instance("app-1", "space-1", "org-1");
    for (name, host, status) in [
        ("a.apps.identity", "plain.test", 421),
        ("a.apps.identity", "b.apps.identity", 200),
        ("a.apps.identity", "exact.apps.identity", 421),
        ("exact.apps.identity", "exact.apps.identity", 200),
        ("exact.apps.identity", "a.apps.identity", 421),
        ("a.apps.identity", "a.other.identity", 421),
        ("plain.test", "plain.test", 200),
    ] {
        let answer = world.ask(name, host, world.showing(&member));
        assert_eq!(answer.expect("an answer").status, status, "{name} {host}");
    }
}

//
#[test]
fn a_wildcard_covers_one_label_and_an_exact_entry_goes_before_it() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let vip = Authority::new("authority of one host");
    let exact = json!({ "name": "exact.apps.identity", "ca_certs": vip.certificate() });
    let router = world
        .router_with(vec![world.domain("*.apps.identity"), exact])
        .start();
    for host in [
        "a.apps.identity",
        "deep.in.apps.identity",
        "apps.identity",
        "exact.apps.identity",
    ] {
        router.register(&Registration::of(host, &backend));
    }
    let ask = |host: &str, config| world.ask(host, host, config);
    for open in ["deep.in.apps.identity", "apps.identity"] {
        let answer = ask(open, world.anonymous()).expect("an answer");
        assert_eq!(answer.status, 200, "{open}");
    }
    assert!(ask("a.apps.identity", world.anonymous()).is_err());
    let member = world.members.instance("app-1", "space-1", "org-1");
    assert!(ask("a.apps.identity", world.showing(&member)).is_ok());
    assert!(ask("exact.apps.identity", world.showing(&member)).is_err());
    let guest = vip.instance("app-1", "space-1", "org-1");
    assert!(ask("exact.apps.identity", world.showing(&guest)).is_ok());
}
