//! Registering and unregistering (spec 2.3).

use std::sync::Arc;

use super::world::{World, plain};
use crate::table::{
    Algorithm, Limits, ModificationTag, Protocol, Registration, RouteOptions, Settings,
};

//
#[test]
fn every_uri_of_a_registration_becomes_a_route() {
    let mut world = World::new();
    let events = world.register(&["one.test", "two.test/p"], &plain(1));
    let expected = [
        "route-registered one.test",
        "added one.test 1",
        "route-registered two.test/p",
        "added two.test/p 1",
    ];
    assert_eq!(events, expected);
    assert_eq!(world.route("one.test", "/").unwrap(), "one.test");
    assert_eq!(world.route("two.test", "/p").unwrap(), "two.test/p");
    assert_eq!(world.table.route_count(), 2);
    assert_eq!(world.table.endpoint_count(), 1);
    assert_eq!(world.writer.stats().slots, 2);
}

//
#[test]
fn the_name_of_a_route_is_lower_case_without_query_and_trailing_slash() {
    let mut world = World::new();
    world.register(&["Foo.Example.COM/Path/?x=1"], &plain(1));
    let pool = world.pool("foo.example.com/path").unwrap();
    assert_eq!(pool.host(), "foo.example.com");
    assert_eq!(pool.context_path(), "/path");
    assert_eq!(pool.cookie_path(), "/Path/");
    world.register(&["bare.test"], &plain(1));
    assert_eq!(world.pool("bare.test").unwrap().cookie_path(), "/");
}

#[test]
fn a_uri_without_a_host_is_ignored() {
    let mut world = World::new();
    let events = world.register(&["", "a.test", "/"], &plain(1));
    assert_eq!(events[0], "uri-ignored ");
    assert_eq!(events[3], "uri-ignored /");
    assert_eq!(world.table.route_count(), 1);
}

//
#[test]
fn registering_the_same_endpoint_again_only_refreshes_it() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    let first = world.endpoint("a.test");
    world.now += 500;
    assert_eq!(
        world.register(&["A.test/"], &plain(1)),
        ["unmodified a.test 1"]
    );
    assert_eq!(world.ports("a.test"), [1]);
    assert!(std::sync::Arc::ptr_eq(&first, &world.endpoint("a.test")));
    let pool = world.pool("a.test").unwrap();
    assert_eq!(pool.endpoints()[0].last_seen(), world.now);
    assert_eq!(pool.endpoints()[0].first_seen(), world.now - 500);
    assert_eq!(world.table.last_registration(), Some(world.now));
}

//
#[test]
fn unregistering_removes_the_address_from_exactly_that_route() {
    let mut world = World::new();
    world.register(&["a.test", "a.test/path"], &plain(1));
    let none = world.unregister("a.test", 2);
    assert_eq!(none, ["endpoint-not-unregistered a.test"]);
    let none = world.unregister("b.test", 1);
    assert_eq!(none, ["endpoint-not-unregistered b.test"]);
    assert!(world.lookup("a.test", "/").is_some());
    let gone = world.unregister("A.TEST/", 1);
    let expected = [
        "endpoint-unregistered a.test 1",
        "route-unregistered a.test",
    ];
    assert_eq!(gone, expected);
    assert!(world.lookup("a.test", "/").is_none());
    assert_eq!(world.route("a.test", "/path").unwrap(), "a.test/path");
    world.unregister("a.TEST/PATH", 1);
    assert_eq!(world.table.route_count(), 0);
    assert_eq!(world.writer.stats().slots, 0);
}

//
#[test]
fn the_same_port_as_tls_takes_the_place_of_the_plain_one() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    world.register(&["a.test"], &plain(2));
    let tls = Registration {
        tls: true,
        ..plain(1)
    };
    assert_eq!(world.register(&["a.test"], &tls), ["updated a.test 1"]);
    assert_eq!(world.ports("a.test"), [1, 2]);
    let pool = world.pool("a.test").unwrap();
    assert!(pool.endpoints()[0].endpoint().tls());
    world.register(&["a.test"], &plain(1));
    assert!(!pool.endpoints()[0].endpoint().tls());
}

//
#[test]
fn the_ttl_is_the_threshold_at_most_and_by_default() {
    let mut world = World::new();
    for (given, effective) in [(0, 120_000), (999_000, 120_000), (7_000, 7_000)] {
        let registration = Registration {
            ttl: given,
            ..plain(1)
        };
        world.register(&["a.test"], &registration);
        assert_eq!(world.endpoint("a.test").ttl(), effective);
    }
}

//
#[test]
fn the_latest_valid_algorithm_is_that_of_the_pool() {
    let mut world = World::new();
    let with = |port, text| Registration {
        algorithm: Algorithm::from_name(text),
        algorithm_text: text,
        ..plain(port)
    };
    world.register(&["a.test"], &plain(1));
    let pool = world.pool("a.test").unwrap();
    assert_eq!(pool.algorithm(), Algorithm::RoundRobin);
    world.register(&["a.test"], &with(2, "least-connection"));
    assert_eq!(pool.algorithm(), Algorithm::LeastConnection);
    world.register(&["a.test"], &plain(3));
    assert_eq!(pool.algorithm(), Algorithm::LeastConnection);
    world.register(&["a.test"], &with(4, "bogus"));
    assert_eq!(pool.algorithm(), Algorithm::LeastConnection);
    let shown = pool.endpoints()[3]
        .endpoint()
        .load_balancing_algorithm()
        .to_owned();
    assert_eq!(shown, "bogus");
    world.register(&["a.test"], &with(4, "round-robin"));
    assert_eq!(pool.algorithm(), Algorithm::RoundRobin);
}

#[test]
fn the_latest_registration_says_who_may_call() {
    let mut world = World::new();
    let with = |port, scope, sources| Registration {
        route_policy_scope: scope,
        route_policy_sources: sources,
        ..plain(port)
    };
    let policy = |world: &World| {
        let pool = world.pool("a.test").unwrap();
        pool.endpoints().route_policy().cloned()
    };
    world.register(&["a.test"], &with(1, "", "cf:any"));
    assert_eq!(policy(&world), None, "a scope is what turns it on");
    world.register(&["a.test"], &with(2, "org", " cf:app:g ,, bad,"));
    let first = policy(&world).unwrap();
    assert_eq!(first.scope(), "org");
    assert_eq!(first.sources(), [Box::from("cf:app:g"), Box::from("bad")]);
    world.register(&["a.test"], &with(3, "org", "cf:app:g,bad"));
    let same = policy(&world).unwrap();
    assert!(
        Arc::ptr_eq(&first, &same),
        "it is kept while it is the same"
    );
    world.register(&["a.test"], &with(3, "any", "cf:app:g,bad"));
    assert_eq!(policy(&world).unwrap().scope(), "any");
    world.register(&["a.test"], &plain(2));
    assert_eq!(policy(&world), None);
}

#[test]
fn a_new_pool_has_the_default_algorithm() {
    let mut world = World::with(Settings {
        default_algorithm: Algorithm::LeastConnection,
        ..Settings::default()
    });
    world.register(&["a.test"], &plain(1));
    let pool = world.pool("a.test").unwrap();
    assert_eq!(pool.algorithm(), Algorithm::LeastConnection);
}

//
#[test]
fn registering_again_after_unregistering_brings_the_route_back() {
    let mut world = World::new();
    for _ in 0..2 {
        world.register(&["a.test"], &plain(1));
        world.unregister("a.test", 1);
    }
    world.register(&["a.test"], &plain(1));
    assert_eq!(world.ports("a.test"), [1]);
}

fn tagged(port: u16, guid: &'static str, index: u32) -> Registration<'static> {
    Registration {
        modification_tag: ModificationTag { guid, index },
        ..plain(port)
    }
}

//
#[test]
fn an_older_modification_tag_changes_nothing_at_all() {
    let mut world = World::new();
    world.register(&["a.test"], &tagged(1, "g", 5));
    let seen = world.now;
    world.now += 500;
    let older = Registration {
        route_service_url: "https://rs.test",
        ..tagged(1, "g", 4)
    };
    let ignored = world.register(&["a.test"], &older);
    assert_eq!(ignored, ["endpoint-not-registered a.test 1"]);
    let pool = world.pool("a.test").unwrap();
    assert_eq!(pool.route_service_url(), None);
    assert_eq!(pool.endpoints()[0].last_seen(), seen);
    assert_eq!(world.endpoint("a.test").modification_tag().index, 5);
    // The same tag with other data is not newer either.
    let same = Registration {
        app: "other",
        ..tagged(1, "g", 5)
    };
    let ignored = world.register(&["a.test"], &same);
    assert_eq!(ignored, ["endpoint-not-registered a.test 1"]);
    for newer in [
        tagged(1, "g", 6),
        tagged(1, "h", 0),
        plain(1),
        tagged(1, "g", 1),
    ] {
        assert_eq!(world.register(&["a.test"], &newer), ["updated a.test 1"]);
    }
}

//
#[test]
fn unregistering_with_an_older_index_is_ignored() {
    let mut world = World::new();
    let tag = |guid, index| ModificationTag { guid, index };
    world.register(&["a.test"], &tagged(1, "g", 5));
    world.unregister_tagged("a.test", 1, tag("g", 4));
    assert_eq!(world.ports("a.test"), [1]);
    for (guid, index) in [("g", 5), ("g", 6), ("h", 0), ("", 0)] {
        world.register(&["a.test"], &tagged(1, "g", 5));
        world.unregister_tagged("a.test", 1, tag(guid, index));
        assert!(world.pool("a.test").is_none(), "{guid} {index}");
    }
}

//
#[test]
fn the_latest_registration_decides_the_route_service() {
    let mut world = World::new();
    let with = |port, route_service_url| Registration {
        route_service_url,
        ..plain(port)
    };
    world.register(&["a.test"], &with(1, "https://one.test"));
    let pool = world.pool("a.test").unwrap();
    assert_eq!(
        pool.route_service_url().as_deref(),
        Some("https://one.test")
    );
    world.register(&["a.test"], &with(2, "https://two.test"));
    assert_eq!(
        pool.route_service_url().as_deref(),
        Some("https://two.test")
    );
    world.register(&["a.test"], &with(1, ""));
    assert_eq!(pool.route_service_url(), None);
}

// Spec 2.3, and the availability zone, which the reference forgets.
const NO_LIMITS: Limits = Limits {
    request_timeout: None,
    first_byte_timeout: None,
    idle_timeout: None,
    max_body_size: None,
    max_concurrent_requests: None,
    rate: None,
    client_rate: None,
    max_attempts: None,
    retry_budget: None,
};

const BALANCED: RouteOptions<'static> = RouteOptions {
    hash_header: std::borrow::Cow::Borrowed(""),
    hash_balance: 1.5,
    limits: NO_LIMITS,
};

#[test]
fn a_change_of_any_field_is_an_update_in_place() {
    let tags = [("component".into(), "c".into())];
    let tag = ModificationTag {
        guid: "g",
        index: 0,
    };
    let changes: [fn(&mut Registration<'_>); 15] = [
        |r| r.app = "app",
        |r| r.protocol = Protocol::Http2,
        |r| r.server_cert_domain_san = "san",
        |r| r.instance_id = "id",
        |r| r.ttl = 5_000,
        |r| r.route_service_url = "https://rs.test",
        |r| r.instance_index = "3",
        |r| r.isolation_segment = "segment",
        |r| r.tls = true,
        |r| r.updated_at_ns = 17,
        |r| r.algorithm_text = "x",
        |r| r.options = Some(&BALANCED),
        |r| r.availability_zone = "z1",
        |r| r.route_policy_scope = "any",
        |r| r.route_policy_sources = "cf:any",
    ];
    let mut world = World::new();
    let mut registration = plain(1);
    world.register(&["a.test"], &plain(0));
    world.register(&["a.test"], &registration);
    world.register(&["a.test"], &plain(2));
    for change in changes {
        change(&mut registration);
        assert_eq!(
            world.register(&["a.test"], &registration),
            ["updated a.test 1"]
        );
        assert_eq!(
            world.register(&["a.test"], &registration),
            ["unmodified a.test 1"]
        );
    }
    registration.tags = &tags;
    assert_eq!(
        world.register(&["a.test"], &registration),
        ["updated a.test 1"]
    );
    registration.modification_tag = tag;
    assert_eq!(
        world.register(&["a.test"], &registration),
        ["updated a.test 1"]
    );
    assert_eq!(
        world.register(&["a.test"], &registration),
        ["unmodified a.test 1"]
    );
    assert_eq!(world.ports("a.test"), [0, 1, 2]);
}

#[test]
fn an_endpoint_shows_every_field_of_its_registration() {
    let tags = [
        ("component".into(), "c".into()),
        ("process_id".into(), "app".into()),
    ];
    let options = RouteOptions {
        hash_balance: 2.0,
        ..RouteOptions::default()
    };
    let registration = Registration {
        host: "10.0.0.1",
        port: 61_001,
        tls: true,
        protocol: Protocol::Http2,
        app: "app",
        instance_id: "instance",
        instance_index: "7",
        server_cert_domain_san: "san",
        isolation_segment: "segment",
        availability_zone: "zone",
        ttl: 5_000,
        route_service_url: "https://rs.test",
        tags: &tags,
        tags_present: true,
        updated_at_ns: -17,
        modification_tag: ModificationTag {
            guid: "guid",
            index: 9,
        },
        algorithm: Some(Algorithm::LeastConnection),
        algorithm_text: "least-connection",
        options: Some(&options),
        route_policy_scope: "org",
        route_policy_sources: "cf:any",
    };
    let mut world = World::new();
    world.register(&["a.test"], &registration);
    let endpoint = world.endpoint("a.test");
    assert_eq!(endpoint.address(), "10.0.0.1:61001");
    assert_eq!(endpoint.host(), "10.0.0.1");
    assert_eq!(endpoint.port(), 61_001);
    assert_eq!(endpoint.socket_addr(), "10.0.0.1:61001".parse().ok());
    assert_eq!(endpoint.application_id(), "app");
    assert_eq!(endpoint.instance_id(), "instance");
    assert_eq!(endpoint.instance_index(), "7");
    assert_eq!(endpoint.server_cert_domain_san(), "san");
    assert_eq!(endpoint.isolation_segment(), "segment");
    assert_eq!(endpoint.availability_zone(), "zone");
    assert_eq!(endpoint.route_service_url(), "https://rs.test");
    assert_eq!(endpoint.load_balancing_algorithm(), "least-connection");
    assert_eq!(endpoint.options(), Some(&options));
    assert_eq!(endpoint.route_policy_scope(), "org");
    assert_eq!(endpoint.route_policy_sources(), "cf:any");
    assert_eq!(endpoint.modification_tag(), registration.modification_tag);
    let all: Vec<_> = endpoint.tags().collect();
    assert_eq!(all, [("component", "c"), ("process_id", "app")]);
    assert_eq!(endpoint.tag("process_id"), Some("app"));
    assert_eq!(endpoint.tag("process"), None);
    assert!(endpoint.has_tags());
    assert_eq!(endpoint.protocol(), Protocol::Http2);
    assert!(endpoint.tls());
    assert_eq!(endpoint.ttl(), 5_000);
    assert_eq!(endpoint.updated_at_ns(), -17);
}

#[test]
fn only_an_ip_literal_has_a_socket_address() {
    let mut world = World::new();
    for (host, expected) in [
        ("10.1.2.3", Some("10.1.2.3:80")),
        ("2001:db8::1", Some("[2001:db8::1]:80")),
        ("[2001:db8::1]", Some("[2001:db8::1]:80")),
        ("backend.internal", None),
        ("", None),
    ] {
        let registration = Registration {
            host,
            port: 80,
            ..Registration::default()
        };
        let uri = format!("x{}.test", host.len());
        world.register(&[&uri], &registration);
        let address = world.endpoint(&uri).socket_addr();
        assert_eq!(address, expected.map(|address| address.parse().unwrap()));
        assert_eq!(world.endpoint(&uri).address(), format!("{host}:80"));
    }
}

#[test]
fn tags_may_be_absent_or_just_empty() {
    let mut world = World::new();
    world.register(&["a.test"], &plain(1));
    assert!(!world.endpoint("a.test").has_tags());
    let empty = Registration {
        tags_present: true,
        ..plain(2)
    };
    world.register(&["b.test"], &empty);
    assert!(world.endpoint("b.test").has_tags());
}

#[test]
fn strings_of_any_length_are_kept() {
    let mut world = World::new();
    for length in [65_510, 65_600, 300_000] {
        let long = "x".repeat(length);
        let tags = [("tag".into(), long.clone().into())];
        let registration = Registration {
            app: &long[1..],
            instance_id: "id",
            isolation_segment: &long,
            tags: &tags,
            ..plain(1)
        };
        world.register(&["a.test"], &registration);
        assert_eq!(
            world.register(&["a.test"], &registration),
            ["unmodified a.test 1"]
        );
        let endpoint = world.endpoint("a.test");
        assert_eq!(endpoint.application_id(), &long[1..]);
        assert_eq!(endpoint.instance_id(), "id");
        assert_eq!(endpoint.isolation_segment(), long);
        assert_eq!(endpoint.tag("tag"), Some(&*long));
    }
}

#[test]
fn a_source_keeps_its_number_and_is_shown_with_its_endpoints() {
    let mut world = World::new();
    let api = world.writer.source("routing-api");
    assert_ne!(api, world.source);
    assert_eq!(world.writer.source("nats"), world.source);
    world.register(&["a.test"], &plain(1));
    let pool = world.pool("a.test").unwrap();
    assert_eq!(pool.endpoints()[0].source(), world.source);
    world.source = api;
    world.register(&["a.test"], &plain(1));
    assert_eq!(pool.endpoints()[0].source(), api);
    let names: Vec<_> = world.table.sources().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["nats".into(), "routing-api".into()]);
}
