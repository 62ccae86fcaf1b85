//! `cloverleaf up`: router and demo app in one process, the bus between them in memory.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use cloverleaf_bus::{Bus, PendingLimits};
use cloverleaf_router::app::{Router, StartError};
use cloverleaf_router::config::Config;
use cloverleaf_telemetry::{Colour, Format, Level, LogHandle, Settings};
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
    /// Port of the metrics, on the loopback interface only; 0 for none.
    #[arg(long, default_value_t = 8083)]
    metrics_port: u16,
    /// Worker threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
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
        let result = runtime.block_on(self.serve(&log));
        runtime.shutdown_timeout(FLUSH);
        log.flush(FLUSH);
        result
    }

    async fn serve(self, log: &LogHandle) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("signals")?;
        let bus = Bus::in_process(PendingLimits::default());
        let demo = Demo::bind().await?;
        let registration = demo.registration();
        let password = uuid::Uuid::new_v4().simple().to_string();

        let router = Router::start(self.config(&password), bus.clone(), "in-process").await;
        let router = router.map_err(with_advice)?;
        // What ends in here was meant to run as long as the process.
        let mut parts = JoinSet::new();
        parts.spawn(demo.serve());
        parts.spawn(keep_registered(bus, registration));
        // What to try comes behind what was logged so far.
        log.flush(FLUSH);
        say(&self.explanation(&router, &password));

        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            Some(ended) = parts.join_next() => ended.context("demo app")??,
        }
        say(&format!(
            "\nStopping: busy connections have {} seconds, a second Ctrl-C ends them now.\n",
            DRAIN.as_secs()
        ));
        tokio::select! {
            () = router.drain() => say("Stopped.\n"),
            _ = interrupt.recv() => say("Stopped at once.\n"),
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
            config.go_max_procs = i32::from(workers);
        }
        if let Some(file) = &self.access_log {
            config.access_log.file = file.display().to_string();
        }
        config
    }

    fn explanation(&self, router: &Router, password: &str) -> String {
        let ports = router.ports();
        let port = ports.http.unwrap_or(self.port);
        let health = ports.health.unwrap_or(self.health_port);
        let routes = ports.routes;
        let metrics = ports
            .metrics
            .map(|port| format!("  metrics   curl http://127.0.0.1:{port}/metrics\n"));
        format!(
            "\nCloverleaf is up. Try:\n\n  \
             curl http://{ROUTE}:{port}\n  \
             curl -H 'Host: {ROUTE}' http://127.0.0.1:{port}/any/path\n\n  \
             health    curl http://127.0.0.1:{health}/health\n  \
             routes    curl -u {USER}:{password} http://127.0.0.1:{routes}/routes\n\
             {metrics}\n\
             Ctrl-C stops it.\n\n",
            metrics = metrics.unwrap_or_default(),
        )
    }
}

/// Writes to standard output. Whoever read it may have gone, as `head` does: that ends nothing.
fn say(text: &str) {
    drop(std::io::stdout().write_all(text.as_bytes()));
}

/// A port that is taken is the likeliest trouble: says which flag chooses another one.
fn with_advice(error: StartError) -> anyhow::Error {
    let flag = match &error {
        StartError::Listener {
            listener, error, ..
        } if error.kind() == ErrorKind::AddrInUse => match listener.split(' ').next() {
            Some("http") => Some("--port".to_owned()),
            Some(name) => Some(format!("--{name}-port")),
            None => None,
        },
        _ => None,
    };
    match flag {
        Some(flag) => anyhow::anyhow!("{error}; {flag} chooses another port"),
        None => error.into(),
    }
}
