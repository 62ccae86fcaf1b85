//! Who gets a connection, by the name that is asked for.

use cloverleaf_tests::{Backend, Registration};

use super::World;

//
#[test]
fn on_a_domain_only_certificates_of_its_own_authority_are_let_in() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let world = World::new();
        let backend = Backend::saying("hello");
        let router = world
            .router(&["*.apps.identity"])
            .with("max_tls_version", version)
            .with("client_ca_certs", world.edge.certificate())
            .start();
        router.register(&Registration::of("a.apps.identity", &backend));
        let member = world.members.instance("app-1", "space-1", "org-1");
        let answer = world.get("a.apps.identity", &member);
        assert_eq!((answer.status, &*answer.body), (200, "hello"), "{version}");
        let stranger = world.edge.instance("app-1", "space-1", "org-1");
        for config in [world.anonymous(), world.showing(&stranger)] {
            let refused = world.ask("a.apps.identity", "a.apps.identity", config);
            assert!(refused.is_err(), "{version}: {refused:?}");
        }
        assert_eq!(backend.requests().len(), 1);
    }
}

//
#[test]
fn other_names_are_not_asked_for_a_certificate() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world
        .router(&["*.apps.identity"])
        .with("forwarded_client_cert", "sanitize_set")
        .start();
    router.register(&Registration::of("plain.test", &backend));
    let member = world.members.instance("app-1", "space-1", "org-1");
    for name in ["plain.test", ""] {
        for config in [world.anonymous(), world.showing(&member)] {
            let answer = world.ask(name, "plain.test", config).expect("an answer");
            assert_eq!(answer.status, 200, "{name}");
        }
    }
    for request in backend.requests() {
        assert_eq!(request.header("x-forwarded-client-cert"), None);
    }
}

//
#[test]
fn other_names_are_under_the_rules_of_the_listener() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world
        .router(&["*.apps.identity"])
        .with("client_cert_validation", "require")
        .with("client_ca_certs", world.edge.certificate())
        .with("only_trust_client_ca_certs", true)
        .start();
    router.register(&Registration::of("plain.test", &backend));
    router.register(&Registration::of("a.apps.identity", &backend));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let known = world.edge.identity(&["client.test"]);
    let ask = |name: &str, identity| world.ask(name, name, world.showing(identity));
    assert!(ask("plain.test", &known).is_ok());
    assert!(ask("plain.test", &member).is_err());
    assert!(ask("a.apps.identity", &member).is_ok());
    assert!(ask("a.apps.identity", &known).is_err());
}
