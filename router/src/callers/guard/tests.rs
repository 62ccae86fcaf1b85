//! Policies against callers.

use super::*;
use crate::table::Registration;
use crate::table::tests::world::{World, plain};

fn judged(scope: &str, sources: &str, caller: Option<[&str; 3]>) -> (Access, String) {
    let mut world = World::new();
    let tags = [
        ("organization_id".into(), "org-1".into()),
        ("space_id".into(), "space-1".into()),
    ];
    let registration = Registration {
        route_policy_scope: scope,
        route_policy_sources: sources,
        tags: &tags,
        ..plain(1)
    };
    world.register(&["a.test"], &registration);
    let pool = world.pool("a.test").unwrap();
    let caller = caller.map(|[app, space, org]| {
        Arc::new(Caller {
            app: app.into(),
            space: space.into(),
            org: org.into(),
        })
    });
    let policy = Arc::clone(pool.endpoints().route_policy().unwrap());
    let guard = Guard { policy, caller };
    let (access, rule) = guard.judge(&world.endpoint("a.test"));
    (access, rule.parts().concat())
}

#[track_caller]
fn allows(scope: &str, sources: &str, caller: [&str; 3], rule: &str) {
    let expected = (Access::Allowed, rule.to_owned());
    assert_eq!(judged(scope, sources, Some(caller)), expected);
}

#[track_caller]
fn denies(scope: &str, sources: &str, caller: [&str; 3], rule: &str) {
    let expected = (Access::Denied, rule.to_owned());
    assert_eq!(judged(scope, sources, Some(caller)), expected);
}

const NEIGHBOUR: [&str; 3] = ["app-2", "space-1", "org-1"];
const COLLEAGUE: [&str; 3] = ["app-3", "space-3", "org-1"];
const STRANGER: [&str; 3] = ["app-4", "space-4", "org-4"];
const NAMELESS: [&str; 3] = ["app-5", "", ""];

//
#[test]
fn a_scope_keeps_out_whoever_is_too_far_from_the_endpoint() {
    allows("any", "cf:any", STRANGER, "route:cf:any");
    allows("org", "cf:any", COLLEAGUE, "route:cf:any");
    denies("org", "cf:any", STRANGER, "domain:scope=org:post-selection");
    denies("org", "cf:any", NAMELESS, "domain:scope=org:post-selection");
    allows("space", "cf:any", NEIGHBOUR, "route:cf:any");
    denies(
        "space",
        "cf:any",
        COLLEAGUE,
        "domain:scope=space:post-selection",
    );
    denies(
        "space",
        "cf:any",
        NAMELESS,
        "domain:scope=space:post-selection",
    );
    denies(
        "Any",
        "cf:any",
        NEIGHBOUR,
        "domain:scope=unknown:post-selection",
    );
}

//
#[test]
fn a_caller_gets_in_by_the_first_source_that_means_it() {
    denies("any", "", NEIGHBOUR, "route:no_route_policies");
    denies("any", " , ", NEIGHBOUR, "route:no_route_policies");
    denies("any", "cf:app:app-9,bad", NEIGHBOUR, "route:route_policies");
    allows(
        "any",
        " cf:app:app-2 , bad",
        NEIGHBOUR,
        "route:cf:app:app-2",
    );
    allows(
        "any",
        "bad,cf:space:space-1,cf:any",
        NEIGHBOUR,
        "route:cf:space:space-1",
    );
    allows("any", "cf:org:org-1", COLLEAGUE, "route:cf:org:org-1");
    denies("any", "cf:space:,cf:org:", NAMELESS, "route:route_policies");
    denies("any", "cf:app:app", NEIGHBOUR, "route:route_policies");
}

#[test]
fn who_is_nobody_does_not_get_in() {
    let (access, rule) = judged("any", "cf:any", None);
    assert_eq!(
        (access, &*rule),
        (Access::Denied, "domain:no_caller_identity")
    );
}
