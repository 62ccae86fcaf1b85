//! The connection to NATS itself: what happens when servers come and go.

use std::time::Duration;

use cloverleaf_tests::{Backend, BusAccess, NatsServer, Registration, Router, eventually, remains};

/// Pings so often that a lost connection shows at once, and stale routes go quickly.
fn restless() -> cloverleaf_tests::Start {
    Router::builder()
        .with("nats_client_ping_interval", "50ms")
        .with("prune_stale_droplets_interval", "50ms")
}

//
#[test]
fn after_a_restart_of_nats_the_router_announces_itself_and_takes_routes_again() {
    let (mut router, backend) = (restless().start(), Backend::saying("here"));
    router.register(&Registration::of("before.test", &backend));

    router.bus_mut(0).kill();
    router.wait_for_event("nats-connection-disconnected");
    router.wait_for_event("nats-connection-still-disconnected");
    assert_eq!(
        router.get("before.test", "/").text(),
        "here",
        "while NATS is down"
    );

    router.bus_mut(0).resume();
    let mut client = router.bus().client();
    client.subscribe("router.start");
    router.wait_for_event("nats-connection-reconnected");
    eventually("the second announcement", || {
        client.messages("router.start").pop()
    });
    router.register(&Registration::of("after.test", &backend));
    assert_eq!(router.get("before.test", "/").text(), "here");
    assert_eq!(router.get("after.test", "/").text(), "here");

    let told = || {
        router
            .log()
            .with_message("nats-connection-still-disconnected")
            .len()
    };
    let before = told();
    remains(
        Duration::from_millis(300),
        "no more news of a lost connection",
        || told() == before,
    );
}

//
#[test]
fn when_the_server_in_use_is_killed_the_next_one_is_used() {
    let mut router = restless()
        .with_bus(NatsServer::start())
        .with_bus(NatsServer::start())
        .start();
    let backend = Backend::saying("here");
    let connected = router.wait_for_event("Successfully-connected-to-nats");
    let used = connected.data("host").as_str().expect("a host").to_owned();
    let in_use = router
        .buses()
        .iter()
        .position(|bus| used == format!("127.0.0.1:{}", bus.port()));
    let in_use = in_use.expect("the server is shown as configured");

    let route = Registration::of("app.test", &backend);
    router.buses()[in_use]
        .client()
        .publish("router.register", route.message());
    router.wait_for_route(&route);

    router.bus_mut(in_use).kill();
    router.wait_for_event("nats-connection-reconnected");
    let later = Registration::of("later.test", &backend);
    let mut other = router.buses()[1 - in_use].client();
    eventually("a route over the other server", || {
        other.publish("router.register", later.message());
        router.shows(&later).then_some(())
    });
    assert_eq!(router.get("app.test", "/").text(), "here");
    assert_eq!(router.get("later.test", "/").text(), "here");
}

//
#[test]
fn a_server_that_is_down_at_the_start_does_not_stop_it() {
    for _ in 0..3 {
        let router = Router::builder()
            .with_bus(NatsServer::reserve())
            .with_bus(NatsServer::start())
            .start();
        let connected = router.wait_for_event("Successfully-connected-to-nats");
        assert_eq!(
            connected.data("host"),
            format!("127.0.0.1:{}", router.buses()[1].port()).as_str()
        );
        assert!(connected.data("addr").is_string(), "{}", connected.text);
    }
}

//
#[test]
fn with_suspended_pruning_routes_stay_while_nats_is_down_and_get_their_full_time_afterwards() {
    let start = restless()
        .with("suspend_pruning_if_nats_unavailable", true)
        .with("droplet_stale_threshold", "2s");
    let (mut router, backend) = (start.start(), Backend::saying("here"));
    let route = Registration::of("app.test", &backend);
    router.register(&route);
    router.bus_mut(0).kill();
    router.wait_for_event("nats-connection-disconnected");
    remains(Duration::from_millis(2500), "the route is served", || {
        router.shows(&route)
    });
    assert_eq!(router.get("app.test", "/").text(), "here");

    router.bus_mut(0).resume();
    router.wait_for_event("nats-connection-reconnected");
    remains(
        Duration::from_millis(1200),
        "the route has its full time again",
        || router.shows(&route),
    );
    eventually("the route to go stale in the end", || {
        (!router.shows(&route)).then_some(())
    });
}

//
#[test]
fn without_suspended_pruning_routes_go_stale_while_nats_is_down() {
    let start = restless()
        .with("suspend_pruning_if_nats_unavailable", false)
        .with("droplet_stale_threshold", "1s");
    let (mut router, backend) = (start.start(), Backend::saying("here"));
    let route = Registration::of("app.test", &backend);
    router.register(&route);
    router.bus_mut(0).kill();
    eventually("the route to go", || (!router.shows(&route)).then_some(()));
    assert_eq!(router.get("app.test", "/").status, 404);
}

#[test]
fn user_and_password_let_the_router_in() {
    let bus = NatsServer::start_with(BusAccess::password("router", "p@ss:w/rd"));
    let (router, backend) = (
        Router::builder().with_bus(bus).start(),
        Backend::saying("here"),
    );
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").text(), "here");
}

#[test]
fn credentials_do_not_disturb_a_server_that_asks_for_none() {
    let router = Router::builder()
        .with("nats.user", "router")
        .with("nats.pass", "secret")
        .start();
    router.register(&Registration::at("app.test", 4001));
}

#[test]
fn a_wrong_password_ends_the_start() {
    let bus = NatsServer::start_with(BusAccess::password("router", "right"));
    let mut router = Router::builder()
        .with_bus(bus)
        .with("nats.pass", "wrong")
        .launch();
    assert_eq!(router.process().wait().code(), Some(1));
    let error = router.wait_for_event("nats-connection-error");
    assert_eq!((error.level(), error.source()), (3, Some("gorouter.nats")));
    assert!(
        !error.text.contains("wrong"),
        "a password in the log: {}",
        error.text
    );
}

#[test]
fn certificates_on_both_sides_let_the_router_in() {
    let bus = NatsServer::start_with(BusAccess::mutual_tls());
    let (mut router, backend) = (restless().with_bus(bus).start(), Backend::saying("here"));
    router.register(&Registration::of("app.test", &backend));
    assert_eq!(router.get("app.test", "/").text(), "here");

    router.bus_mut(0).kill();
    router.wait_for_event("nats-connection-disconnected");
    router.bus_mut(0).resume();
    router.wait_for_event("nats-connection-reconnected");
    router.register(&Registration::of("later.test", &backend));
}

#[test]
fn a_server_whose_certificate_is_signed_by_another_authority_is_not_trusted() {
    let bus = NatsServer::start_with(BusAccess::mutual_tls());
    let other = BusAccess::mutual_tls()
        .config()
        .remove("ca_certs")
        .expect("an authority");
    let mut router = Router::builder()
        .with_bus(bus)
        .with("nats.ca_certs", other)
        .launch();
    assert_eq!(router.process().wait().code(), Some(1));
    router.wait_for_event("nats-connection-error");
}
