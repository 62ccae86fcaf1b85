//! What only a bus over NATS servers can meet: lost servers, credentials, TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what tests share may panic as they may"
)]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use cloverleaf_bus::{
    Bus, BusError, ConnectError, Health, Message, NatsCredentials, NatsOptions, ServerAddress,
    Status, StatusEvents, Subscription,
};
use support::certificates::Certificates;
use support::{LONG, NatsServer, options_for};

async fn event(events: &mut StatusEvents) -> Status {
    tokio::time::timeout(LONG, events.next())
        .await
        .expect("no event comes")
        .expect("no more events")
}

/// Takes events until the connection stands again, and says with whom.
async fn reconnected(events: &mut StatusEvents) -> String {
    loop {
        match event(events).await {
            Status::Reconnected { host, .. } => return host,
            Status::Disconnected => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn message(subscription: &mut Subscription) -> Message {
    tokio::time::timeout(LONG, subscription.next())
        .await
        .expect("nothing comes")
        .expect("ended")
}

fn unreachable_for(error: ConnectError) -> Vec<(String, String)> {
    match error {
        ConnectError::Unreachable { failures, .. } => failures
            .into_iter()
            .map(|failure| (failure.server, failure.reason))
            .collect(),
        other => panic!("{other}"),
    }
}

/// An address where nobody listens any more.
fn deserted() -> ServerAddress {
    let mut server = NatsServer::start(&[]);
    server.kill();
    server.address()
}

#[tokio::test]
async fn the_host_is_told_as_configured_and_the_address_as_resolved() {
    let server = NatsServer::start(&[]);
    let bus = Bus::connect(server.options()).await.unwrap();
    let Status::Connected { host, addr } = event(&mut bus.status()).await else {
        panic!("not connected");
    };
    assert_eq!(host, format!("localhost:{}", server.port()));
    let addr = addr.expect("resolved");
    assert!(addr.ip().is_loopback());
    assert_eq!(addr.port(), server.port());

    let by_address = ServerAddress {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port: server.port(),
    };
    let bus = Bus::connect(options_for([by_address])).await.unwrap();
    assert_eq!(
        event(&mut bus.status()).await,
        Status::Connected {
            host: format!("127.0.0.1:{}", server.port()),
            addr: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))),
        }
    );
}

#[tokio::test]
async fn r_032_a_restarted_server_is_found_again_and_subscriptions_with_it() {
    let mut server = NatsServer::start(&[]);
    let bus = Bus::connect(server.options()).await.unwrap();
    let mut events = bus.status();
    assert!(matches!(event(&mut events).await, Status::Connected { .. }));
    let mut messages = bus.subscribe("router.*").await.unwrap();
    for _ in 0..2 {
        server.kill();
        assert_eq!(event(&mut events).await, Status::Disconnected);
        assert_eq!(bus.health(), Health::Disconnected);
        server.restart();
        assert_eq!(
            reconnected(&mut events).await,
            format!("localhost:{}", server.port())
        );
        assert_eq!(bus.health(), Health::Connected);
        // The subscription is renewed before anything that is published from now on.
        bus.publish("router.start", "again").await.unwrap();
        assert_eq!(&*message(&mut messages).await.payload, b"again");
    }
    // Who looks later sees a connection, not its history.
    assert!(matches!(
        event(&mut bus.status()).await,
        Status::Connected { .. }
    ));
}

#[tokio::test]
async fn what_is_published_without_a_connection_is_kept_for_later() {
    let mut server = NatsServer::start(&[]);
    let bus = Bus::connect(server.options()).await.unwrap();
    let mut events = bus.status();
    let mut messages = bus.subscribe("router.*").await.unwrap();
    bus.flush(LONG).await.unwrap();
    server.kill();
    while event(&mut events).await != Status::Disconnected {}
    bus.publish("router.start", "kept").await.unwrap();
    let limit = Duration::from_millis(20);
    assert!(matches!(
        bus.flush(limit).await,
        Err(BusError::TimedOut { .. })
    ));
    server.restart();
    assert_eq!(&*message(&mut messages).await.payload, b"kept");
}

#[tokio::test]
async fn r_055_with_two_servers_the_second_takes_over() {
    let servers = [NatsServer::start(&[]), NatsServer::start(&[])];
    let options = options_for(servers.iter().map(NatsServer::address));
    let bus = Bus::connect(options).await.unwrap();
    let mut events = bus.status();
    let Status::Connected { host: first, .. } = event(&mut events).await else {
        panic!("not connected");
    };
    let mut messages = bus.subscribe("router.*").await.unwrap();
    let (mut connected, other): (Vec<_>, Vec<_>) = servers
        .into_iter()
        .partition(|server| server.address().to_string() == first);
    connected[0].kill();
    assert_eq!(
        reconnected(&mut events).await,
        other[0].address().to_string()
    );
    bus.publish("router.start", "again").await.unwrap();
    assert_eq!(&*message(&mut messages).await.payload, b"again");
}

#[tokio::test]
async fn one_server_that_is_down_at_the_start_does_not_matter() {
    let server = NatsServer::start(&[]);
    let down = deserted();
    for _ in 0..8 {
        let bus = Bus::connect(options_for([down.clone(), server.address()]))
            .await
            .unwrap();
        assert!(matches!(
            event(&mut bus.status()).await,
            Status::Connected { host, .. } if host == server.address().to_string()
        ));
    }
}

#[tokio::test]
async fn servers_learned_from_the_cluster_are_used() {
    let cluster = "cluster { name: c, listen: \"127.0.0.1:-1\" ";
    let mut first = NatsServer::start_with(&format!("{cluster}}}"));
    let routes = first.port_in_cluster();
    let second = NatsServer::start_with(&format!(
        "{cluster}, routes: [\"nats-route://127.0.0.1:{routes}\"] }}"
    ));
    first.wait_until_announced(second.port());

    let bus = Bus::connect(first.options()).await.unwrap();
    let mut events = bus.status();
    assert!(matches!(event(&mut events).await, Status::Connected { .. }));
    first.kill();
    assert_eq!(
        reconnected(&mut events).await,
        format!("127.0.0.1:{}", second.port())
    );
}

#[tokio::test]
async fn r_017_without_any_server_the_start_fails_after_all_tries() {
    let servers = [deserted(), deserted()];
    let options = NatsOptions {
        start_wait: Duration::from_millis(30),
        ..options_for(servers.clone())
    };
    let started = Instant::now();
    let error = Bus::connect(options).await.unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(60));
    assert!(
        error
            .to_string()
            .starts_with("nats: no connection in 3 tries: ")
    );
    let failures = unreachable_for(error);
    assert_eq!(failures.len(), 2);
    for server in servers {
        let server = server.to_string();
        let (_, reason) = failures.iter().find(|(name, _)| *name == server).unwrap();
        assert!(reason.contains("refused"), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ServerAddress {
        host: "127.0.0.1".to_owned(),
        port: silent.local_addr().unwrap().port(),
    };
    let options = NatsOptions {
        connect_timeout: Duration::from_millis(20),
        ..options_for([address])
    };
    let failures = unreachable_for(Bus::connect(options).await.unwrap_err());
    assert_eq!(failures[0].1, "timed out");
}

#[tokio::test]
async fn a_server_that_stops_answering_pings_is_left() {
    let silent = NatsServer::start(&[]);
    let options = NatsOptions {
        ping_interval: Duration::from_millis(20),
        connect_timeout: Duration::from_millis(200),
        ..silent.options()
    };
    let bus = Bus::connect(options).await.unwrap();
    let mut events = bus.status();
    assert!(matches!(event(&mut events).await, Status::Connected { .. }));
    silent.freeze();
    assert_eq!(event(&mut events).await, Status::Disconnected);
    silent.thaw();
    reconnected(&mut events).await;
}

#[tokio::test]
async fn credentials_are_checked_and_wrong_ones_named_as_the_reason() {
    let server = NatsServer::start(&["--user", "nats", "--pass", "p:@/ ss"]);
    let with = |user: &str, password: &str| NatsOptions {
        credentials: Some(NatsCredentials {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
        ..server.options()
    };
    let bus = Bus::connect(with("nats", "p:@/ ss")).await.unwrap();
    bus.flush(LONG).await.unwrap();

    for options in [
        with("nats", "wrong"),
        with("who", "p:@/ ss"),
        server.options(),
    ] {
        let failures = unreachable_for(Bus::connect(options).await.unwrap_err());
        let (name, reason) = &failures[0];
        assert_eq!(*name, server.address().to_string());
        assert!(reason.contains("authorization violation"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_us_for_a_while_is_tried_again() {
    let mut server = NatsServer::start(&[]);
    let bus = Bus::connect(server.options()).await.unwrap();
    let mut events = bus.status();
    assert!(matches!(event(&mut events).await, Status::Connected { .. }));
    server.kill();
    server.restart_with(&["--user", "nats", "--pass", "nats"]);
    // More than one attempt fails for want of credentials.
    for _ in 0..2 {
        tokio::task::block_in_place(|| server.wait_for_log("authentication error"));
    }
    server.kill();
    server.restart_with(&[] as &[&str]);
    reconnected(&mut events).await;
}

#[tokio::test]
async fn credentials_do_not_disturb_a_server_that_asks_for_none() {
    let server = NatsServer::start(&[]);
    let options = NatsOptions {
        credentials: Some(NatsCredentials {
            user: "nats".to_owned(),
            password: "nats".to_owned(),
        }),
        ..server.options()
    };
    let bus = Bus::connect(options).await.unwrap();
    bus.flush(LONG).await.unwrap();
}

#[tokio::test]
async fn a_payload_above_the_servers_limit_is_refused() {
    let server = NatsServer::start_with("max_payload: 100");
    let bus = Bus::connect(server.options()).await.unwrap();
    let refused = bus.publish("a", vec![0; 101]).await;
    let subject = "a".to_owned();
    assert_eq!(refused, Err(BusError::TooLarge { subject, size: 101 }));
    bus.publish("a", vec![0; 100]).await.unwrap();
}

#[tokio::test]
async fn mutual_tls_carries_messages_and_reconnects() {
    let certificates = Certificates::make();
    let mut server = NatsServer::start_with(&certificates.server_config(""));
    let options = NatsOptions {
        tls: Some(certificates.client()),
        ..server.options()
    };
    let bus = Bus::connect(options).await.unwrap();
    let mut events = bus.status();
    assert!(matches!(event(&mut events).await, Status::Connected { .. }));
    let mut messages = bus.subscribe("router.*").await.unwrap();
    bus.publish("router.start", "secret").await.unwrap();
    assert_eq!(&*message(&mut messages).await.payload, b"secret");
    server.kill();
    server.restart();
    reconnected(&mut events).await;
    bus.publish("router.start", "again").await.unwrap();
    assert_eq!(&*message(&mut messages).await.payload, b"again");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_on_either_side() {
    let (ours, theirs) = (Certificates::make(), Certificates::make());
    let server = NatsServer::start_with(&theirs.server_config(""));
    let mut tls = ours.client();
    let options = NatsOptions {
        tls: Some(tls.clone()),
        ..server.options()
    };
    let failures = unreachable_for(Bus::connect(options).await.unwrap_err());
    let reason = &failures[0].1;
    assert!(reason.contains("invalid peer certificate"), "{reason}");

    // Now we trust the server, but it does not trust us.
    tls.ca_certs = theirs.client().ca_certs;
    let options = NatsOptions {
        tls: Some(tls),
        ..server.options()
    };
    unreachable_for(Bus::connect(options).await.unwrap_err());
}

#[tokio::test]
async fn closing_while_the_server_is_gone_does_not_hang() {
    let mut server = NatsServer::start(&[]);
    let bus = Bus::connect(server.options()).await.unwrap();
    let mut events = bus.status();
    server.kill();
    while event(&mut events).await != Status::Disconnected {}
    tokio::time::timeout(LONG, bus.close())
        .await
        .expect("hangs");
    assert_eq!(event(&mut events).await, Status::Closed);
    assert_eq!(bus.health(), Health::Closed);
}
