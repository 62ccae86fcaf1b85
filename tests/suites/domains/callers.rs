//! What routes let their callers do.

use cloverleaf_tests::{Backend, RefusedPort, Registration};
use serde_json::json;

use super::{World, caller, guarded};

const HOST: &str = "a.apps.identity";

/// Tags of an application in this space.
fn tagged(registration: Registration, space: &str, org: &str) -> Registration {
    let tags = json!({ "space_id": space, "organization_id": org, "component": "app" });
    registration.with("tags", tags)
}

//
#[test]
fn a_certificate_that_names_no_application_does_not_pass_a_policy() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    router.register(&guarded(HOST, &backend, "any", "cf:any"));
    for subject in [
        &[("CN", "nobody"), ("OU", "space:space-1")][..],
        &[("CN", "x,OU=app:app-1")],
        &[("OU", "app:app-1"), ("OU", "app:app-2")],
    ] {
        let answer = world.get(HOST, &world.members.named(subject));
        assert_eq!((answer.status, &*answer.body), (403, ""), "{subject:?}");
        assert!(!answer.head.contains("X-Cf-Routererror"), "{}", answer.head);
    }
    for line in router.access_log().wait_for(3) {
        assert_eq!(caller(&line), ["-", "-", "-", "identity_extraction"]);
        assert_eq!(line.field("app_id"), "0b8e5c0e-1111-2222-3333-444455556666");
        assert_eq!(line.status, "403");
    }
    assert!(backend.requests().is_empty());
}

//
#[test]
fn a_scope_lets_in_only_who_is_near_enough() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    let near = world.members.instance("app-1", "space-1", "org-1");
    let colleague = world.members.instance("app-2", "space-2", "org-1");
    let stranger = world.members.instance("app-3", "space-3", "org-3");
    for (scope, allowed, denied, rule) in [
        (
            "org",
            &[&near, &colleague][..],
            &[&stranger][..],
            "domain:scope=org:post-selection",
        ),
        (
            "space",
            &[&near],
            &[&colleague, &stranger],
            "domain:scope=space:post-selection",
        ),
        (
            "galaxy",
            &[],
            &[&near, &stranger],
            "domain:scope=unknown:post-selection",
        ),
        ("any", &[&near, &stranger], &[], ""),
    ] {
        let host = format!("{scope}.apps.identity");
        let registration = guarded(&host, &backend, scope, "cf:any");
        router.register(&tagged(registration, "space-1", "org-1"));
        for identity in allowed {
            let answer = world.get(&host, identity);
            assert_eq!((answer.status, &*answer.body), (200, "hello"), "{scope}");
        }
        for identity in denied {
            let answer = world.get(&host, identity);
            assert_eq!(
                (answer.status, &*answer.body),
                (403, "Forbidden"),
                "{scope}"
            );
        }
        let lines = router.access_log().lines();
        let refused = lines
            .iter()
            .filter(|line| line.host == host && line.status == "403");
        for line in refused {
            assert_eq!(line.field("route_policy"), rule);
        }
    }
    assert_eq!(backend.requests().len(), 5);
}

//
#[test]
fn a_caller_gets_in_by_a_source_that_means_it() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    let member = world.members.instance("g", "s", "o");
    let cases = [
        ("", 403, "route:no_route_policies"),
        ("cf:any", 200, "route:cf:any"),
        ("cf:app:g", 200, "route:cf:app:g"),
        ("cf:space:x,cf:space:s", 200, "route:cf:space:s"),
        ("cf:org:o,cf:any", 200, "route:cf:org:o"),
        (" cf:app:g , bad", 200, "route:cf:app:g"),
        (
            "bad,cf:app:h,,cf:space:,cf:org:g",
            403,
            "route:route_policies",
        ),
    ];
    for (number, (sources, status, _)) in cases.iter().enumerate() {
        let host = format!("r{number}.apps.identity");
        router.register(&guarded(&host, &backend, "any", sources));
        let answer = world.get(&host, &member);
        assert_eq!(answer.status, *status, "{sources}");
        let body = if answer.status == 200 {
            "hello"
        } else {
            "Forbidden"
        };
        assert_eq!(answer.body, body, "{sources}");
    }
    let lines = router.access_log().wait_for(cases.len());
    for (line, (_, _, rule)) in lines.iter().zip(cases) {
        assert_eq!(caller(line), ["g", "o", "s", rule]);
    }
    let warning = router.wait_for_event("malformed-route-policy");
    assert_eq!(warning.data("policy"), "bad");
}

//
#[test]
fn a_route_without_a_scope_takes_every_certificate_of_the_domain() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    router.register(&guarded(HOST, &backend, "", "cf:app:other"));
    let named = world.members.instance("g", "s", "o");
    let nobody = world.members.named(&[("CN", "nobody")]);
    for identity in [&named, &nobody] {
        assert_eq!(world.get(HOST, identity).status, 200);
    }
    let lines = router.access_log().wait_for(2);
    assert_eq!(caller(&lines[0]), ["g", "o", "s", "-"]);
    assert_eq!(caller(&lines[1]), ["-"; 4]);
}

//
#[test]
fn what_a_client_says_about_itself_does_not_count() {
    for mode in ["forward", "always_forward", "sanitize_set"] {
        let world = World::new();
        let backend = Backend::saying("hello");
        let mut domain = world.domain("*.apps.identity");
        domain["forwarded_client_cert"] = mode.into();
        let router = world.router_with(vec![domain]).start();
        router.register(&guarded(HOST, &backend, "any", "cf:app:victim"));
        let victim = world.members.instance("victim", "s", "o");
        let raw: String = victim
            .certificate
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let thief = world.members.instance("thief", "s", "o");
        for lie in [raw.as_str(), "Hash=00;Subject=\"CN=x,OU=app:victim\""] {
            let mut client = world
                .connect(HOST, world.showing(&thief))
                .expect("a client");
            let (head, body) = client
                .ask(format!(
                    "GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Client-Cert: {lie}\r\n\r\n"
                ))
                .expect("an answer");
            assert!(head.starts_with("HTTP/1.1 403 "), "{mode}: {head}");
            assert_eq!(body, b"Forbidden");
        }
        for line in router.access_log().wait_for(2) {
            assert_eq!(caller(&line), ["thief", "o", "s", "route:route_policies"]);
        }
        assert_eq!(world.get(HOST, &victim).status, 200);
    }
}

//
#[test]
fn a_denial_is_final_and_no_fault_of_the_endpoint() {
    let world = World::new();
    let (near, far) = (Backend::saying("near"), Backend::saying("far"));
    let router = world.router(&["*.apps.identity"]).start();
    // A route that two spaces share.
    router.register(&tagged(
        guarded(HOST, &near, "space", "cf:any"),
        "space-1",
        "org-1",
    ));
    router.register(&tagged(
        guarded(HOST, &far, "space", "cf:any"),
        "space-2",
        "org-1",
    ));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let mut client = world
        .connect(HOST, world.showing(&member))
        .expect("a client");
    let mut statuses = [0, 0];
    for _ in 0..10 {
        let answer = super::ask(&mut client, HOST).expect("an answer");
        match answer.status {
            200 => statuses[0] += 1,
            403 => statuses[1] += 1,
            other => panic!("status {other}"),
        }
    }
    // Round robin: a mark on the far one would keep requests away from it.
    assert_eq!(statuses, [5, 5]);
    assert_eq!((near.requests().len(), far.requests().len()), (5, 0));
    let table = router.routes();
    assert_eq!(table[HOST].as_array().map(Vec::len), Some(2));
    assert_eq!(table[HOST][0]["route_policy_scope"], "space");
    assert_eq!(table[HOST][0]["route_policies"], json!(["cf:any"]));
}

#[test]
fn every_attempt_is_judged_anew() {
    let world = World::new();
    let (dead, far) = (RefusedPort::new(), Backend::saying("far"));
    let router = world.router(&["*.apps.identity"]).start();
    let options = json!({ "route_policy_scope": "space", "route_policy_sources": "cf:any" });
    let near = Registration::at(HOST, dead.number()).with("options", options);
    router.register(&tagged(near, "space-1", "org-1"));
    router.register(&tagged(
        guarded(HOST, &far, "space", "cf:any"),
        "space-2",
        "org-1",
    ));
    let member = world.members.instance("app-1", "space-1", "org-1");
    for _ in 0..4 {
        assert_eq!(world.get(HOST, &member).status, 403);
    }
    assert!(far.requests().is_empty());
}

#[test]
fn a_policy_on_a_host_without_a_domain_lets_nobody_in() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&["*.apps.identity"]).start();
    router.register(&guarded("plain.test", &backend, "any", "cf:any"));
    let member = world.members.instance("app-1", "space-1", "org-1");
    let answer = world.get("plain.test", &member);
    assert_eq!((answer.status, &*answer.body), (403, "Forbidden"));
    assert_eq!(router.get("plain.test", "/").status, 403);
    for line in router.access_log().wait_for(2) {
        assert_eq!(caller(&line), ["-", "-", "-", "domain:no_caller_identity"]);
    }
}

#[test]
fn without_domains_policies_are_not_looked_at() {
    let world = World::new();
    let backend = Backend::saying("hello");
    let router = world.router(&[]).start();
    router.register(&guarded("plain.test", &backend, "any", ""));
    assert_eq!(router.get("plain.test", "/").status, 200);
}
