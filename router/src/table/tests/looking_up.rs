//! Which pool answers (spec 3.1, 3.2).

use super::world::{World, plain};
use crate::table::{EmptyPool, Settings};

fn world(uris: &[&str]) -> World {
    let mut world = World::new();
    world.register(uris, &plain(1));
    world
}

#[track_caller]
fn check(world: &World, expected: &[(&str, &str, Option<&str>)]) {
    for (host, path, uri) in expected {
        assert_eq!(world.route(host, path).as_deref(), *uri, "{host} {path}");
    }
}

//
#[test]
fn an_unknown_host_has_no_route() {
    let world = world(&["a.test"]);
    check(
        &world,
        &[("b.test", "/", None), ("", "/", None), (":80", "/", None)],
    );
}

// R-076, and the recorded trailing dot, underscore and IPv6 literal
#[test]
fn a_port_plays_no_part_and_everything_else_does() {
    let world = world(&["app.test", "my_app.test"]);
    check(
        &world,
        &[
            ("app.test:1234", "/", Some("app.test")),
            ("aPP.exAMPle.test", "/", None),
            ("aPP.TEST:", "/", Some("app.test")),
            ("app.test.", "/", None),
            ("my_app.test", "/", Some("my_app.test")),
            ("[2001:db8::1]:80", "/", None),
        ],
    );
}

//
#[test]
fn the_longest_context_path_wins_by_whole_segments_in_any_case() {
    let world = world(&["app.test", "app.test/x"]);
    check(
        &world,
        &[
            ("app.test", "/x/y", Some("app.test/x")),
            ("app.test", "/xy", Some("app.test")),
            ("app.test", "/X", Some("app.test/x")),
            ("app.test", "/", Some("app.test")),
            ("app.test", "", Some("app.test")),
        ],
    );
}

#[test]
fn nested_context_paths_answer_deepest_first() {
    let world = world(&["app.test", "app.test/a/b", "app.test/a/b/c/d"]);
    check(
        &world,
        &[
            ("app.test", "/a", Some("app.test")),
            ("app.test", "/a/b/c", Some("app.test/a/b")),
            ("app.test", "/a/b/c/d/e", Some("app.test/a/b/c/d")),
            ("app.test", "/a/b-c", Some("app.test")),
        ],
    );
}

#[test]
fn a_route_with_a_path_does_not_answer_for_the_bare_host() {
    let world = world(&["app.test/p"]);
    check(
        &world,
        &[
            ("app.test", "/", None),
            ("app.test", "/p", Some("app.test/p")),
            ("app.test", "*", None),
        ],
    );
}

//
#[test]
fn a_trailing_slash_makes_no_difference() {
    let world = world(&["app.test/x/"]);
    check(
        &world,
        &[
            ("app.test", "/x", Some("app.test/x")),
            ("app.test", "/x/", Some("app.test/x")),
        ],
    );
}

//
#[test]
fn a_wildcard_matches_any_number_of_labels_but_not_its_parent() {
    let world = world(&["*.b.test"]);
    check(
        &world,
        &[
            ("a.b.test", "/", Some("*.b.test")),
            ("C.A.B.TEST", "/", Some("*.b.test")),
            ("b.test", "/", None),
            ("*.b.test", "/", Some("*.b.test")),
            ("xb.test", "/", None),
        ],
    );
}

//
#[test]
fn the_exact_host_comes_before_wildcards_and_the_longer_before_the_shorter() {
    let world = world(&["*.b.test", "*.a.b.test", "y.b.test"]);
    check(
        &world,
        &[
            ("y.b.test", "/", Some("y.b.test")),
            ("x.a.b.test", "/", Some("*.a.b.test")),
            ("x.c.b.test", "/", Some("*.b.test")),
        ],
    );
}

//
#[test]
fn a_wildcard_may_have_a_path() {
    let world = world(&["*.b.test/p"]);
    check(
        &world,
        &[
            ("a.b.test", "/p/q", Some("*.b.test/p")),
            ("a.b.test", "/", None),
        ],
    );
}

//
#[test]
fn an_exact_host_that_has_only_a_path_leaves_the_root_to_the_wildcard() {
    let world = world(&["*.b.test", "a.b.test/p"]);
    check(
        &world,
        &[
            ("a.b.test", "/", Some("*.b.test")),
            ("a.b.test", "/p", Some("a.b.test/p")),
        ],
    );
}

#[test]
fn an_exact_host_without_path_beats_a_wildcard_with_path() {
    let world = world(&["*.b.test/p", "a.b.test"]);
    check(&world, &[("a.b.test", "/p", Some("a.b.test"))]);
}

#[test]
fn dots_in_the_path_are_not_labels_of_the_host() {
    let world = world(&["*.bar", "*.b/x"]);
    check(
        &world,
        &[("localhost", "/foo.bar", None), ("a.c", "/x.b/x", None)],
    );
}

//
#[test]
fn escapes_are_compared_as_they_are() {
    let world = world(&["app.test", "app.test/a%20b", "app.test/a"]);
    check(
        &world,
        &[
            ("app.test", "/a%20b/c", Some("app.test/a%20b")),
            ("app.test", "/a+b", Some("app.test")),
            ("app.test", "/a%2fb", Some("app.test")),
            ("app.test", "/%61", Some("app.test")),
        ],
    );
}

#[test]
fn dot_segments_and_empty_segments_are_segments_like_others() {
    let world = world(&["app.test", "app.test/a/b", "app.test/c//"]);
    check(
        &world,
        &[
            ("app.test", "/x/../a/b", Some("app.test")),
            ("app.test", "/a/b/../x", Some("app.test/a/b")),
            ("app.test", "/a//b", Some("app.test")),
            ("app.test", "/a/b//", Some("app.test/a/b")),
            ("app.test", "//something.io", Some("app.test")),
            ("app.test", "/c/", Some("app.test")),
            ("app.test", "/c//x", Some("app.test/c/")),
        ],
    );
}

//
#[test]
fn an_empty_pool_gives_way_to_a_shallower_one_with_endpoints() {
    let mut world = keeping_empty_pools();
    world.register(&["app.test", "app.test/x", "app.test/x/y"], &plain(1));
    world.unregister("app.test/x", 1);
    world.unregister("app.test/x/y", 1);
    check(&world, &[("app.test", "/x/y/z", Some("app.test"))]);
    // None has endpoints: the deepest answers, empty.
    world.unregister("app.test", 1);
    check(&world, &[("app.test", "/x/y/z", Some("app.test/x/y"))]);
    assert!(world.lookup("app.test", "/x/y/z").unwrap().is_empty());
}

//
#[test]
fn a_kept_empty_pool_of_the_exact_host_stops_the_search() {
    let mut world = keeping_empty_pools();
    world.register(&["a.b.test", "*.b.test"], &plain(1));
    world.unregister("a.b.test", 1);
    check(&world, &[("a.b.test", "/", Some("a.b.test"))]);
}

fn keeping_empty_pools() -> World {
    let keep_for = Some(5_000);
    World::with(Settings {
        empty_pool: EmptyPool { keep_for },
        ..Settings::default()
    })
}

#[test]
fn hosts_longer_than_dns_allows_match_if_registered() {
    let long = format!("{}.test", "x".repeat(300));
    let wildcard = format!("*.{long}");
    let world = world(&[&long, &wildcard, "*.test"]);
    check(
        &world,
        &[
            (&long.to_uppercase(), "/", Some(&long)),
            (&format!("a.b.{long}"), "/", Some(&wildcard)),
            (&format!("y{}", &long[1..]), "/", Some("*.test")),
            (
                &format!("{}.test", "y".repeat(100_000)),
                "/",
                Some("*.test"),
            ),
        ],
    );
}

#[test]
fn many_routes_in_one_shard_are_told_apart() {
    let mut world = World::with(Settings {
        shards: 1,
        ..Settings::default()
    });
    let uris: Vec<_> = (0..1000).map(|n| format!("h{}.test/p{n}", n / 3)).collect();
    for uri in &uris {
        world.register(&[uri], &plain(1));
    }
    for uri in &uris {
        let (host, path) = uri.split_at(uri.find('/').unwrap());
        assert_eq!(world.route(host, path).as_deref(), Some(&**uri));
    }
    let mut sorted = uris.clone();
    sorted.sort();
    let pools = world.table.pools();
    assert!(pools.iter().map(|pool| pool.uri()).eq(&sorted));
    for uri in &uris {
        world.unregister(uri, 1);
        let (host, path) = uri.split_at(uri.find('/').unwrap());
        assert_eq!(world.route(host, path), None);
    }
    assert_eq!(world.table.route_count(), 0);
    assert!(world.table.pools().is_empty());
}
