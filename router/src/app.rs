//! The only file that wires the rest: from a configuration and a bus to a running router, and back.

mod debug;
mod ending;
mod error;
mod listening;
mod operators;
mod reload;
mod settings;
mod sockets;

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cloverleaf_bus::Bus;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::control::{
    Credentials, Health, Identity, Registrar, RoutingApi, Segments, Subscriber,
    publish_active_apps, report_to_loggregator, watch_failures,
};
use crate::observe::access_log::{AccessLog, LogSettings};
use crate::observe::registry::Metrics;
use crate::table::{self, Table};
use crate::worker::{Handover, Parts, Phase, Settings, handovers, spawn};
use operators::{OperatorTls, Operators};
use settings::{Fixed, error_page, settings, table_settings};

pub use crate::control::nats_tls;
pub use debug::DebugServer;
pub use error::StartError;
pub use listening::Ports;
pub use operators::Refused;
pub use reload::{ReloadError, Reloaded, Reloader};
pub use sockets::Sockets;

/// A running router. Dropping it cuts everything off; [`Router::drain`] and [`Router::stop`] end it in order.
pub struct Router {
    config: Arc<Config>,
    health: Arc<Health>,
    registrar: Arc<Registrar>,
    phase: watch::Sender<Phase>,
    settings: watch::Sender<Settings>,
    fixed: Fixed,
    metrics: Arc<Metrics>,
    loads: Option<Handover>,
    workers: Vec<JoinHandle<()>>,
    log: AccessLog,
    ports: Ports,
    operator_tls: OperatorTls,
    credentials: Credentials,
    sockets: Sockets,
    /// Whether the bus is closed for good.
    bus_closed: watch::Receiver<bool>,
    /// Subscriptions, listeners for operators, pruning: they end with the router.
    tasks: JoinSet<()>,
}

impl Router {
    /// Starts a router that takes its routes from `bus`, which is connected and
    /// is called `source` in their provenance. Returns when the proxy's listener is open,
    /// which is `start_response_delay_interval` after the first registrations were asked for.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then.
    pub async fn start(config: Config, bus: Bus, source: &str) -> Result<Router, StartError> {
        Router::start_on(config, bus, source, Sockets::default()).await
    }

    /// As [`Router::start`], with sockets that may be there already.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then, and a process whose sockets these are goes on serving.
    pub async fn start_on(
        config: Config,
        bus: Bus,
        source: &str,
        mut sockets: Sockets,
    ) -> Result<Router, StartError> {
        let config = Arc::new(config);
        let started = Instant::now();
        let local_ip = local_ip().map_err(StartError::LocalAddress)?;
        let workers = config.workers();

        // Told before anything is opened.
        drop(error_page(&config)?);
        let metrics = Arc::new(Metrics::new(&config, started));
        let registrar = Registrar::new(
            Table::new(table_settings(&config)),
            Segments::new(&config),
            config.enable_http2,
            started,
            &metrics,
        );
        let table = Arc::clone(registrar.table());
        let health = Arc::new(Health::default());
        let mut log_settings = LogSettings::from(&*config);
        log_settings.loggregator = metrics.loggregator();
        // Names may have to be looked up and a connection made.
        let log = {
            let (settings, losses) = (log_settings.clone(), metrics.losses());
            tokio::task::spawn_blocking(move || AccessLog::start(&settings, losses))
        };
        let log = log
            .await
            .map_err(|error| StartError::Worker(error.into()))?;
        let log = log.map_err(StartError::AccessLog)?;
        let routing_api = RoutingApi::connect(&config, Arc::clone(&metrics)).await?;
        let calls = routing_api.as_ref().and_then(RoutingApi::tls);
        let credentials = Credentials::new(bus.clone(), calls);
        let mut tasks = JoinSet::new();
        let identity = Identity::new(&config, local_ip);
        let operators = Operators {
            config: &config,
            identity: &identity,
            health: &health,
            table: &table,
            metrics: &metrics,
            started,
        };
        let opened = operators.open(&bus, &mut sockets, &mut tasks).await?;
        let (ports, operator_tls) = opened;

        let (failures, reports) = mpsc::unbounded_channel();
        tasks.spawn(watch_failures(reports, Arc::clone(&registrar)));
        let subscriber = Subscriber::start(
            bus.clone(),
            source,
            Arc::clone(&registrar),
            identity,
            config.nats_client_ping_interval,
        );
        let subscriber = subscriber.await.map_err(StartError::Subscribe)?;
        tasks.spawn(report_to_loggregator(
            Arc::clone(&metrics),
            Arc::clone(&table),
            started,
        ));
        if let Some(routing_api) = routing_api {
            tasks.spawn(routing_api.run(Arc::clone(&registrar)));
        }
        let (closed, bus_closed) = watch::channel(false);
        let of_subscriber = Arc::clone(&metrics);
        tasks.spawn(async move {
            subscriber.run(of_subscriber).await;
            closed.send_replace(true);
        });
        if !config.publish_active_apps_interval.is_zero() {
            let interval = config.publish_active_apps_interval;
            tasks.spawn(publish_active_apps(bus, Arc::clone(&metrics), interval));
        }
        if !config.prune_stale_droplets_interval.is_zero() {
            tasks.spawn(prune(
                Arc::clone(&registrar),
                config.prune_stale_droplets_interval,
            ));
        }

        let fixed = Fixed {
            local_ip,
            extra_headers: log_settings.extra_headers,
        };
        // The system's authorities are read from files.
        let first = {
            let (config, fixed) = (Arc::clone(&config), fixed.clone());
            tokio::task::spawn_blocking(move || settings(&config, &fixed))
        };
        let first = first.await;
        let first = first.map_err(|error| StartError::Worker(error.into()))??;

        let delay = config.start_response_delay_interval;
        tracing::debug!(target: "router", { "sleep_time_seconds" = delay.as_secs_f64() },
            "Sleeping before returning success on /health endpoint to preload routing table");
        tokio::time::sleep(delay).await;

        let (settings, of_workers) = watch::channel(first);
        let (phase, phases) = watch::channel(Phase::Serve);
        let mut router = Router {
            config,
            health,
            registrar,
            phase,
            settings,
            fixed,
            metrics: Arc::clone(&metrics),
            loads: None,
            workers: Vec::new(),
            log,
            ports,
            operator_tls,
            credentials,
            sockets,
            bus_closed,
            tasks,
        };
        let mut listeners = router.listeners(workers)?;
        for (number, (handover, inbox)) in handovers(workers).into_iter().enumerate() {
            router.loads.get_or_insert_with(|| handover.clone());
            let parts = Parts {
                settings: of_workers.clone(),
                table: Arc::clone(&table),
                health: Arc::clone(&router.health),
                started,
                log: router.log.worker(),
                counters: metrics.worker(),
                handover,
                failures: failures.clone(),
                io_uring: router.config.io_uring,
            };
            let listeners = listeners.pop().unwrap_or_default();
            let thread = spawn(number, parts, listeners, inbox, phases.clone())
                .map_err(StartError::Worker)?;
            router.workers.push(thread);
        }
        router.look_at_certificates();
        router.health.set_healthy();
        tracing::info!(target: "main", "gorouter.started");
        router.sockets.serving();
        Ok(router)
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The open ports.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Where the routes are.
    pub fn registrar(&self) -> &Arc<Registrar> {
        &self.registrar
    }

    /// Waits until something has broken that the router cannot do without, such as a listener. Safe to cancel.
    pub async fn broken(&self) {
        self.health.broken().await;
    }

    /// Waits until the bus is closed for good, which leaves the router without news of any route. Safe to cancel.
    pub async fn bus_closed(&self) {
        let mut closed = self.bus_closed.clone();
        // An error means that its task is gone, and that only happens when everything ends.
        if closed.wait_for(|closed| *closed).await.is_err() {
            std::future::pending().await
        }
    }
}

/// The source address of the default route: what the kernel would use, nothing is sent (spec 1.1).
fn local_ip() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(("1.2.3.4", 1))?;
    Ok(socket.local_addr()?.ip())
}

async fn prune(registrar: Arc<Registrar>, interval: Duration) {
    let mut passes = tokio::time::interval(interval);
    passes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        passes.tick().await;
        registrar.apply(table::Change::Expire);
    }
}
