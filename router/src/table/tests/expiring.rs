//! Endpoints that are not confirmed any more (spec 2.4).

use super::world::{World, plain};
use crate::table::{Change, Registration, Settings};

fn living(ttl: u64, port: u16) -> Registration<'static> {
    Registration { ttl, ..plain(port) }
}

//
#[test]
fn an_endpoint_goes_when_it_was_not_confirmed_for_longer_than_its_ttl() {
    let mut world = World::new();
    world.register(&["a.test"], &living(1_000, 1));
    assert!(world.expire_after(1_000).is_empty());
    let expected = ["pruned a.test [1]", "empty-route-pruned a.test"];
    assert_eq!(world.expire_after(1), expected);
    assert!(world.lookup("a.test", "/").is_none());
    assert_eq!(world.writer.stats().slots, 0);
    assert_eq!(world.writer.stats().timers, 0);
}

#[test]
fn only_the_stale_endpoints_of_a_pool_go() {
    let mut world = World::new();
    for port in 1..=5 {
        world.register(&["a.test"], &living(1_000, port));
    }
    world.now += 900;
    for port in [2, 4] {
        world.register(&["a.test"], &living(1_000, port));
    }
    assert_eq!(world.expire_after(101), ["pruned a.test [1, 3, 5]"]);
    assert_eq!(world.ports("a.test"), [2, 4]);
}

//
#[test]
fn a_refreshed_endpoint_is_never_pruned() {
    let mut world = World::new();
    world.register(&["a.test"], &living(1_000, 1));
    for _ in 0..50 {
        assert!(world.expire_after(700).is_empty());
        world.register(&["a.test"], &living(1_000, 1));
    }
    assert_eq!(world.writer.stats().timers, 1);
    assert_eq!(world.expire_after(1_001).len(), 2);
}

//
#[test]
fn a_tls_endpoint_is_never_pruned_by_age() {
    let mut world = World::new();
    let tls = Registration {
        tls: true,
        ..living(1_000, 1)
    };
    world.register(&["a.test"], &tls);
    assert!(world.expire_after(1_000_000).is_empty());
    // It is when it turns plain, and not any more when it turns back.
    world.register(&["a.test"], &living(1_000, 1));
    world.register(&["a.test"], &tls);
    assert!(world.expire_after(1_000_000).is_empty());
    world.register(&["a.test"], &living(1_000, 1));
    assert_eq!(world.expire_after(1_001).len(), 2);
}

#[test]
fn a_ttl_that_became_shorter_is_kept_to() {
    let mut world = World::new();
    world.register(&["a.test"], &living(100_000, 1));
    world.register(&["a.test"], &living(1_000, 1));
    assert!(world.expire_after(1_000).is_empty());
    assert_eq!(world.expire_after(1).len(), 2);
    // And a longer one too.
    world.register(&["a.test"], &living(1_000, 1));
    world.register(&["a.test"], &living(100_000, 1));
    assert!(world.expire_after(100_000).is_empty());
    assert_eq!(world.expire_after(1).len(), 2);
}

fn suspending() -> World {
    World::with(Settings {
        suspend_when_source_down: true,
        ..Settings::default()
    })
}

//
#[test]
fn endpoints_of_a_silent_source_stay_and_get_a_full_ttl_when_it_is_back() {
    let mut world = suspending();
    world.register(&["a.test"], &living(1_000, 1));
    world.apply(Change::SourceDown(world.source));
    for _ in 0..10 {
        assert_eq!(world.expire_after(5_000), ["prune-suspended"]);
    }
    world.now += 5_000;
    world.apply(Change::SourceUp(world.source));
    assert!(world.expire_after(1_000).is_empty());
    assert_eq!(world.expire_after(1).len(), 2);
}

#[test]
fn endpoints_of_other_sources_expire_meanwhile() {
    let mut world = suspending();
    let nats = world.source;
    world.register(&["a.test"], &living(1_000, 1));
    world.source = world.writer.source("routing-api");
    world.register(&["b.test"], &living(1_000, 1));
    world.apply(Change::SourceDown(nats));
    let expected = [
        "prune-suspended",
        "pruned b.test [1]",
        "empty-route-pruned b.test",
    ];
    assert_eq!(world.expire_after(1_001), expected);
    assert!(world.table.sources()[0].down_since.is_some());
}

//
#[test]
fn without_suspension_they_go_and_no_time_is_added() {
    let mut world = World::new();
    world.register(&["a.test", "b.test"], &living(1_000, 1));
    world.apply(Change::SourceDown(world.source));
    world.now += 900;
    world.apply(Change::SourceUp(world.source));
    assert_eq!(world.expire_after(101).len(), 4);
    world.apply(Change::SourceDown(world.source));
    world.register(&["a.test"], &living(1_000, 1));
    assert_eq!(world.expire_after(1_001).len(), 2);
}

#[test]
fn coming_and_going_in_quick_succession_does_not_fill_the_calendar() {
    let mut world = World::new();
    for round in 0..50_000_u32 {
        let port = (round % 7) as u16;
        world.register(&["a.test"], &plain(port));
        world.unregister("a.test", port);
        world.now += 1;
    }
    assert!(world.writer.stats().timers < 5_000);
    assert_eq!(world.writer.stats().slots, 0);
}

#[test]
fn a_thousand_instances_of_one_route_take_one_entry_a_bucket() {
    let mut world = World::new();
    for port in 0..1000 {
        world.register(&["a.test"], &plain(port));
    }
    world.now += 60_000;
    for port in 0..1000 {
        world.register(&["a.test"], &plain(port));
    }
    assert!(world.expire_after(60_001).is_empty());
    assert!(world.writer.stats().timers < 10);
    assert_eq!(world.expire_after(60_000).len(), 2);
}
