//! Pools without endpoints (spec 3.6), and removal by failure (spec 3.5).

use super::world::{World, plain};
use crate::table::{Change, EmptyPool, Registration, Settings};

fn keeping(keep_for: u64) -> World {
    World::with(Settings {
        empty_pool: EmptyPool {
            keep_for: Some(keep_for),
        },
        ..Settings::default()
    })
}

fn fail(world: &mut World, uri: &str) -> Vec<String> {
    let pool = world.pool(uri).unwrap();
    let endpoint = world.endpoint(uri);
    world.apply(Change::Fail {
        pool: &pool,
        endpoint: &endpoint,
    });
    std::mem::take(&mut world.events)
}

//
#[test]
fn an_emptied_pool_is_kept_for_the_time_asked_for() {
    let mut world = keeping(5_000);
    world.register(&["a.test"], &plain(1));
    let events = world.unregister("a.test", 1);
    assert_eq!(events, ["endpoint-unregistered a.test 1"]);
    assert!(world.lookup("a.test", "/").unwrap().is_empty());
    assert!(world.expire_after(5_000).is_empty());
    assert!(world.lookup("a.test", "/").is_some());
    assert_eq!(world.expire_after(1), ["empty-route-pruned a.test"]);
    assert!(world.lookup("a.test", "/").is_none());
}

#[test]
fn the_time_begins_when_the_last_endpoint_goes() {
    let mut world = keeping(5_000);
    world.register(&["a.test"], &plain(1));
    world.unregister("a.test", 1);
    world.now += 4_000;
    world.register(&["a.test"], &plain(1));
    let kept = world.pool("a.test").unwrap();
    assert!(world.expire_after(4_000).is_empty());
    world.unregister("a.test", 1);
    assert!(world.expire_after(4_000).is_empty());
    assert!(std::sync::Arc::ptr_eq(
        &kept,
        &world.pool("a.test").unwrap()
    ));
    assert_eq!(world.expire_after(1_001), ["empty-route-pruned a.test"]);
}

#[test]
fn an_expired_pool_is_kept_too() {
    let mut world = keeping(5_000);
    world.register(&["a.test"], &plain(1));
    assert_eq!(world.expire_after(120_001), ["pruned a.test [1]"]);
    assert!(world.expire_after(5_000).is_empty());
    assert_eq!(world.expire_after(1), ["empty-route-pruned a.test"]);
}

//
#[test]
fn with_no_time_to_keep_it_an_emptied_pool_goes_at_once() {
    for mut world in [World::new(), keeping(0)] {
        world.register(&["a.test"], &plain(1));
        assert_eq!(world.unregister("a.test", 1).len(), 2);
        assert!(world.lookup("a.test", "/").is_none());
    }
}

//
#[test]
fn a_failed_endpoint_goes_and_its_pool_stays_until_the_next_pass() {
    for mut world in [World::new(), keeping(0)] {
        world.register(&["a.test"], &plain(1));
        assert_eq!(fail(&mut world, "a.test"), ["failed a.test 1"]);
        assert!(world.lookup("a.test", "/").unwrap().is_empty());
        assert_eq!(world.expire_after(0), ["empty-route-pruned a.test"]);
        assert!(world.lookup("a.test", "/").is_none());
    }
}

#[test]
fn a_pool_that_got_an_endpoint_in_time_stays() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    fail(&mut world, "a.test");
    world.register(&["a.test"], &plain(2));
    assert!(world.expire_after(0).is_empty());
    assert_eq!(world.ports("a.test"), [2]);
}

#[test]
fn a_pool_of_the_same_name_made_since_stays() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    fail(&mut world, "a.test");
    world.register(&["a.test"], &plain(2));
    world.unregister("a.test", 2);
    world.register(&["a.test"], &plain(3));
    assert!(world.expire_after(0).is_empty());
    assert_eq!(world.ports("a.test"), [3]);
}

#[test]
fn a_failure_of_the_endpoint_before_removes_its_successor_only_on_the_same_connections() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let (pool, old) = (world.pool("a.test").unwrap(), world.endpoint("a.test"));
    let tls = Registration {
        tls: true,
        ..plain(1)
    };
    world.register(&["a.test"], &tls);
    let fail = |endpoint| Change::Fail {
        pool: &pool,
        endpoint,
    };
    world.apply(fail(&old));
    assert_eq!(world.ports("a.test"), [1]);
    let old = world.endpoint("a.test");
    let described = Registration { app: "app", ..tls };
    world.register(&["a.test"], &described);
    world.apply(fail(&old));
    assert!(pool.is_empty());
}
