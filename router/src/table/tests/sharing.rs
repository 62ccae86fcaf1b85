//! What endpoints share with each other and with those whose place they take.

use std::sync::Arc;

use super::world::{World, plain};
use crate::table::{Change, Registration};

#[test]
fn the_uris_of_one_registration_share_an_endpoint() {
    let mut world = World::new();
    world.register(&["a.test", "b.test"], &plain(1));
    let (a, b) = (world.endpoint("a.test"), world.endpoint("b.test"));
    assert!(Arc::ptr_eq(&a, &b));
    // A new uri joins them, wherever it stands in the list.
    world.register(&["c.test", "b.test"], &plain(1));
    assert!(Arc::ptr_eq(&a, &world.endpoint("c.test")));
    world.register(&["b.test", "d.test"], &plain(1));
    assert!(Arc::ptr_eq(&a, &world.endpoint("d.test")));
    // An update reaches them all.
    let changed = Registration {
        app: "app",
        ..plain(1)
    };
    world.register(&["a.test", "b.test"], &changed);
    let (a, b) = (world.endpoint("a.test"), world.endpoint("b.test"));
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!(a.application_id(), "app");
    assert_eq!(world.endpoint("c.test").application_id(), "");
}

#[test]
fn counters_and_connections_outlive_a_change_of_the_description() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let old = world.endpoint("a.test");
    let attempt = old.begin(0).unwrap();
    old.mark_failed(7);
    let changed = Registration {
        app: "app",
        ..plain(1)
    };
    world.register(&["a.test"], &changed);
    let new = world.endpoint("a.test");
    assert!(!Arc::ptr_eq(&old, &new));
    assert_eq!(new.connection_id(), old.connection_id());
    assert_eq!(new.in_flight(), 1);
    assert_eq!(new.failed_at(), Some(7));
    drop(attempt);
    assert_eq!(new.in_flight(), 0);
}

#[test]
fn a_new_route_of_the_same_registration_shares_the_counters_too() {
    let mut world = World::new();
    world.register(&["old.test"], &plain(1));
    let old = world.endpoint("old.test");
    let changed = Registration {
        app: "app",
        ..plain(1)
    };
    world.register(&["new.test", "old.test"], &changed);
    let new = world.endpoint("new.test");
    assert!(Arc::ptr_eq(&new, &world.endpoint("old.test")));
    assert_eq!(new.connection_id(), old.connection_id());
}

#[test]
fn another_tls_flag_or_certificate_name_means_other_connections() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let mut before = world.endpoint("a.test");
    let _attempt = before.begin(0);
    let tls = Registration {
        tls: true,
        ..plain(1)
    };
    let san = Registration {
        server_cert_domain_san: "san",
        ..tls
    };
    for registration in [tls, san, plain(1)] {
        world.register(&["a.test"], &registration);
        let after = world.endpoint("a.test");
        assert_ne!(after.connection_id(), before.connection_id());
        assert_eq!(after.in_flight(), 0);
        assert!(before.is_gone() && !after.is_gone());
        before = after;
    }
}

#[test]
fn an_endpoint_is_gone_when_its_last_pool_has_lost_it() {
    let mut world = World::new();
    world.register(&["a.test", "b.test", "c.test"], &plain(1));
    let endpoint = world.endpoint("a.test");
    world.unregister("a.test", 1);
    let pool = world.pool("b.test").unwrap();
    world.apply(Change::Fail {
        pool: &pool,
        endpoint: &endpoint,
    });
    assert!(!endpoint.is_gone());
    world.expire_after(120_001);
    assert!(endpoint.is_gone());
}

#[test]
fn an_attempt_is_counted_up_to_the_limit_and_until_it_is_dropped() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let endpoint = world.endpoint("a.test");
    let first = endpoint.begin(2).unwrap();
    let _second = endpoint.begin(2).unwrap();
    assert!(endpoint.begin(2).is_none());
    assert_eq!(endpoint.in_flight(), 2);
    let _unlimited = endpoint.begin(0).unwrap();
    assert_eq!(endpoint.in_flight(), 3);
    drop(first);
    assert!(endpoint.begin(3).is_some());
}

//
#[test]
fn a_mark_lasts_as_long_as_it_is_asked_for() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let endpoint = world.endpoint("a.test");
    assert!(!endpoint.is_failed(0, 30_000));
    for now in [0, 5_000] {
        endpoint.mark_failed(now);
        assert_eq!(endpoint.failed_at(), Some(now));
        assert!(endpoint.is_failed(now + 30_000, 30_000));
        assert!(!endpoint.is_failed(now + 30_001, 30_000));
    }
    endpoint.clear_mark();
    assert_eq!(endpoint.failed_at(), None);
}

// Spec 3.3
#[test]
fn a_narrowed_pool_holds_the_chosen_endpoints_and_stands_for_itself() {
    let mut world = World::new();
    for port in 1..=4 {
        world.register(&["a.test/P"], &plain(port));
    }
    let pool = world.pool("a.test/p").unwrap();
    assert!(pool.narrowed(0, |_| false).is_none());
    let narrowed = pool
        .narrowed(0, |endpoint| endpoint.port() % 2 == 0)
        .unwrap();
    assert_eq!(narrowed.uri(), "a.test/p");
    assert_eq!(narrowed.cookie_path(), "/P");
    assert!(narrowed.endpoints().is_narrowed());
    let endpoint = Arc::clone(narrowed.endpoints()[1].endpoint());
    assert_eq!(endpoint.port(), 4);
    world.apply(Change::Fail {
        pool: &narrowed,
        endpoint: &endpoint,
    });
    assert_eq!(narrowed.endpoints().len(), 2);
    assert_eq!(world.ports("a.test/p"), [1, 2, 3, 4]);
}
