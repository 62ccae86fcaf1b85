//! Domains that change while the router runs.

use cloverleaf_tests::{Authority, Backend, Registration, eventually};
use rustix::process::Signal;
use serde_json::json;

use super::{World, ask};

const HOST: &str = "a.apps.identity";

#[test]
fn another_authority_counts_at_once_and_for_those_who_are_there_already() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let mut router = world.router(&["*.apps.identity"]).start();
    router.register(&Registration::of(HOST, &backend));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let config = world.showing(&member);
    let mut there = world.connect(HOST, config.clone()).expect("a client");
    assert_eq!(ask(&mut there, HOST).expect("an answer").status, 200);

    let newer = Authority::new("newer authority");
    router.configure(
        "domains",
        json!([{ "domain": "*.apps.identity", "ca_certs": newer.certificate() }]),
    );
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-key-changed");
    // Nobody has judged it by the newer authority: it is to begin a connection anew, which it cannot.
    eventually("the old connection to be misdirected", || {
        (ask(&mut there, HOST).expect("an answer").status == 421).then_some(())
    });
    assert!(
        world.ask(HOST, HOST, config).is_err(),
        "nor is its session resumed"
    );
    let recruit = newer.instance("app-2", "space-1", "org-1");
    assert_eq!(world.get(HOST, &recruit).status, 200);
}

#[test]
fn a_domain_protects_its_hosts_from_the_moment_that_it_is_configured() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let mut router = world.router(&[]).start();
    router.register(&Registration::of(HOST, &backend));
    let mut there = world.connect(HOST, world.anonymous()).expect("a client");
    assert_eq!(ask(&mut there, HOST).expect("an answer").status, 200);
    router.configure("domains", json!([world.domain("*.apps.identity")]));
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-key-changed");
    eventually("the old connection to be misdirected", || {
        (ask(&mut there, HOST).expect("an answer").status == 421).then_some(())
    });
    assert!(world.ask(HOST, HOST, world.anonymous()).is_err());
    let member = world.members.instance("app-1", "space-1", "org-1");
    assert_eq!(world.get(HOST, &member).status, 200);
}

#[test]
fn an_entry_before_another_leaves_the_connections_of_the_other_alone() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let mut router = world.router(&["*.apps.identity"]).start();
    router.register(&Registration::of(HOST, &backend));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let config = world.showing(&member);
    let mut there = world.connect(HOST, config).expect("a client");
    assert_eq!(ask(&mut there, HOST).expect("an answer").status, 200);

    let first = "b.other.identity";
    router.register(&Registration::of(first, &backend));
    let domains = [
        world.domain("*.other.identity"),
        world.domain("*.apps.identity"),
    ];
    router.configure("domains", json!(domains));
    router.process().signal(Signal::HUP);
    router.wait_for_event("config-reloaded");
    eventually("the new entry", || {
        (ask(&mut there, first).expect("an answer").status == 421).then_some(())
    });
    assert_eq!(ask(&mut there, HOST).expect("an answer").status, 200);
    assert_eq!(world.get(HOST, &member).status, 200);
    assert_eq!(world.get(first, &member).status, 200);
}
