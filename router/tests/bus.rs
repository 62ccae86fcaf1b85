//! A whole router on the bus that lives in the process.

use std::time::Duration;

use cloverleaf_bus::{Bus, PendingLimits};
use cloverleaf_router::app::Router;
use cloverleaf_router::config::Config;

/// A configuration with free ports and no delays.
fn config() -> Config {
    let mut config = Config {
        port: 0,
        start_response_delay_interval: Duration::ZERO,
        go_max_procs: 1,
        ..Config::default()
    };
    config.status.port = 0;
    config.status.routes.port = 0;
    config
}

#[tokio::test]
async fn a_bus_that_is_closed_for_good_is_noticed() {
    let bus = Bus::in_process(PendingLimits::default());
    let router = Router::start(config(), bus.clone(), "in-process")
        .await
        .unwrap();
    let open = tokio::time::timeout(Duration::from_millis(20), router.bus_closed()).await;
    assert!(open.is_err(), "the bus is open");
    bus.close().await;
    tokio::time::timeout(Duration::from_secs(10), router.bus_closed())
        .await
        .unwrap();
    router.stop().await;
}

#[tokio::test]
async fn open_ports_are_told() {
    let bus = Bus::in_process(PendingLimits::default());
    let router = Router::start(config(), bus, "in-process").await.unwrap();
    let ports = router.ports();
    assert!(ports.http.is_some_and(|port| port > 0));
    assert!(ports.health.is_some_and(|port| port > 0) && ports.routes > 0);
    assert_eq!((ports.tls_health, ports.metrics), (None, None));
    router.drain().await;
}
