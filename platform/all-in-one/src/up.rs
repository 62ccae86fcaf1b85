//! `cloverleaf up`: router and demo app in one process, the bus between them in memory.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use cloverleaf_bus::{Bus, PendingLimits};
use cloverleaf_router::app::Router;
use cloverleaf_router::config::Config;
use cloverleaf_telemetry::{Colour, Format, Level, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::demo::{Demo, ROUTE, keep_registered};

/// How long busy connections get after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the end waits for the last log lines.
const FLUSH: Duration = Duration::from_secs(1);
/// User of the route listing.
const USER: &str = "admin";

/// Start everything: the router, and a demo app behind it.
///
/// Needs nothing else installed: the message bus is in the process. Try it with the command that it prints, and stop it
/// with Ctrl-C: connections that are busy are then finished first.
#[derive(Debug, Args)]
pub struct Up {
    /// Port for HTTP requests; 0 for any free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of the health endpoint; 0 for any free one.
    #[arg(long, default_value_t = 8081)]
    health_port: u16,
    /// Port of the route listing, on the loopback interface only; 0 for any free one.
    #[arg(long, default_value_t = 8082)]
    routes_port: u16,
    /// Port of the metrics, on the loopback interface only.
    #[arg(long, default_value_t = 8083)]
    metrics_port: u16,
    /// Worker threads; by default one for each core.
    #[arg(long)]
    workers: Option<std::num::NonZeroU16>,
    /// Append the access log to this file.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Show everything that happens.
    #[arg(short, long)]
    verbose: bool,
}

impl Up {
    /// Runs until Ctrl-C.
    pub fn run(self) -> anyhow::Result<()> {
        let log = cloverleaf_telemetry::start(Settings {
            source: "cloverleaf".to_owned(),
            level: if self.verbose {
                Level::Debug
            } else {
                Level::Info
            },
            format: Format::Terminal(Colour::detect()),
        })?;
        cloverleaf_router::cli::raise_file_limit();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("runtime")?;
        let result = runtime.block_on(self.serve());
        runtime.shutdown_timeout(FLUSH);
        log.flush(FLUSH);
        result
    }

    async fn serve(self) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("signals")?;
        let bus = Bus::in_process(PendingLimits::default());
        let demo = Demo::bind().await?;
        let registration = demo.registration();
        let password = uuid::Uuid::new_v4().simple().to_string();

        let router = Router::start(self.config(&password), bus.clone(), "in-process").await?;
        // What ends in here was meant to run as long as the process.
        let mut parts = JoinSet::new();
        parts.spawn(demo.serve());
        parts.spawn(keep_registered(bus, registration));
        self.explain(&router, &password);

        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(ended) = parts.join_next() => ended.context("demo app")??,
        }
        println!(
            "\nStopping: busy connections have {} seconds, a second Ctrl-C ends them now.",
            DRAIN.as_secs()
        );
        tokio::select! {
            () = router.drain() => println!("Stopped."),
            _ = interrupt.recv() => println!("Stopped at once."),
        }
        Ok(())
    }

    fn config(&self, password: &str) -> Config {
        let mut config = Config {
            port: self.port,
            // Routes come from this process: there is nothing to wait for.
            start_response_delay_interval: Duration::ZERO,
            disable_keep_alives: false,
            max_idle_conns_per_host: 100,
            drain_wait: Duration::ZERO,
            drain_timeout: DRAIN,
            // No Loggregator on this machine.
            enable_envelope_v1_metrics: false,
            send_http_start_stop_server_event: false,
            send_http_start_stop_client_event: false,
            ..Config::default()
        };
        config.status.port = self.health_port;
        config.status.routes.port = self.routes_port;
        config.status.user = USER.to_owned();
        config.status.pass = password.to_owned();
        config.prometheus.enabled = true;
        config.prometheus.port = self.metrics_port;
        if let Some(workers) = self.workers {
            config.go_max_procs = i32::from(workers.get());
        }
        if let Some(file) = &self.access_log {
            config.access_log.file = file.display().to_string();
        }
        config
    }

    fn explain(&self, router: &Router, password: &str) {
        let ports = router.ports();
        let port = ports.http.unwrap_or(self.port);
        println!();
        println!("Cloverleaf is up. Try:");
        println!();
        println!("  curl http://{ROUTE}:{port}");
        println!("  curl -H 'Host: {ROUTE}' http://127.0.0.1:{port}/any/path");
        println!();
        println!(
            "  health    curl http://127.0.0.1:{}/health",
            ports.health.unwrap_or(self.health_port)
        );
        println!(
            "  routes    curl -u {USER}:{password} http://127.0.0.1:{}/routes",
            ports.routes
        );
        if let Some(metrics) = ports.metrics {
            println!("  metrics   curl http://127.0.0.1:{metrics}/metrics");
        }
        println!();
        println!("Ctrl-C stops it.");
        println!();
    }
}
