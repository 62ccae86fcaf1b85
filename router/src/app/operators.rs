//! The listeners for operators: health, routes, metrics.

use std::sync::Arc;
use std::time::Instant;

use cloverleaf_bus::Bus;
use rustls::ServerConfig;
use tokio::task::JoinSet;

use super::{Ports, Sockets, StartError};
use crate::config::Config;
use crate::control::status_server::{self, Served};
use crate::control::varz::Varz;
use crate::control::{
    Health, Identity, TlsSettings, Transport, announce, answer_discovery, health, metrics, routes,
    tls,
};
use crate::observe::registry::Metrics;
use crate::table::Table;

const EVERYWHERE: &str = "0.0.0.0";
const LOOPBACK: &str = "127.0.0.1";
const HEALTH: &str = "TLS health listener";
const METRICS: &str = "metrics listener";

/// What operators are shown.
pub(super) struct Operators<'a> {
    pub(super) config: &'a Config,
    pub(super) identity: &'a Identity,
    pub(super) health: &'a Arc<Health>,
    pub(super) table: &'a Arc<Table>,
    pub(super) metrics: &'a Arc<Metrics>,
    /// Zero of the table's times.
    pub(super) started: Instant,
}

impl Operators<'_> {
    /// Opens all that the configuration asks for; they are served on `tasks`.
    pub(super) async fn open(
        &self,
        bus: &Bus,
        sockets: &mut Sockets,
        tasks: &mut JoinSet<()>,
    ) -> Result<(Ports, OperatorTls), StartError> {
        let (mut ports, mut changeable) = (Ports::default(), OperatorTls::default());
        let status = &self.config.status;
        if status.enable_deprecated_varz_healthz_endpoints {
            ports.health = self.status_server(bus, sockets, tasks).await?;
        } else if status.enable_nontls_health_checks {
            let address = (EVERYWHERE, status.port);
            let listener = sockets.bind("health listener", address).await?;
            ports.health = listener.port();
            let health = Arc::clone(self.health);
            tasks.spawn(health::serve(listener, Transport::Plain, health));
        }
        let made = Made::new(self.config);
        if let Some(server) = made.health? {
            let settings = TlsSettings::new(server);
            changeable.health = Some(settings.clone());
            let address = (EVERYWHERE, status.tls.port);
            let listener = sockets.bind(HEALTH, address).await?;
            ports.tls_health = listener.port();
            let health = Arc::clone(self.health);
            tasks.spawn(health::serve(listener, Transport::Tls(settings), health));
        }
        let address = (LOOPBACK, status.routes.port);
        let listener = sockets.bind("routes listener", address).await?;
        ports.routes = listener.port().unwrap_or(status.routes.port);
        let table = Arc::clone(self.table);
        tasks.spawn(routes::serve(listener, table, self.access(), self.started));
        if self.config.prometheus.enabled && self.config.prometheus.port != 0 {
            changeable.metrics = made.metrics?.map(TlsSettings::new);
            let settings = changeable.metrics.clone();
            ports.metrics = self.metrics(settings, sockets, tasks).await?;
        }
        Ok((ports, changeable))
    }

    async fn status_server(
        &self,
        bus: &Bus,
        sockets: &mut Sockets,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<u16>, StartError> {
        let status = &self.config.status;
        let host = if status.host.is_empty() {
            EVERYWHERE
        } else {
            &status.host
        };
        let listener = sockets.bind("status listener", (host, status.port)).await?;
        let port = listener.port();
        let varz = Arc::new(Varz::new(
            self.config,
            self.identity.id(),
            Arc::clone(self.metrics),
            Arc::clone(self.table),
            self.started,
        ));
        let served = Served {
            health: Arc::clone(self.health),
            table: Arc::clone(self.table),
            started: self.started,
            varz: Arc::clone(&varz),
            access: self.access(),
        };
        tasks.spawn(status_server::serve(listener, served));
        tasks.spawn(Arc::clone(&varz).sample());
        let questions = announce(bus, &varz).await.map_err(StartError::Subscribe)?;
        tasks.spawn(answer_discovery(bus.clone(), questions, varz));
        Ok(port)
    }

    /// With TLS it is on all addresses, for whoever has a certificate; without, for this machine alone.
    async fn metrics(
        &self,
        settings: Option<TlsSettings>,
        sockets: &mut Sockets,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<u16>, StartError> {
        let (host, transport) = match settings {
            None => (LOOPBACK, Transport::Plain),
            Some(settings) => (EVERYWHERE, Transport::Tls(settings)),
        };
        let address = (host, self.config.prometheus.port);
        let listener = sockets.bind(METRICS, address).await?;
        let port = listener.port();
        let (metrics, table) = (Arc::clone(self.metrics), Arc::clone(self.table));
        tasks.spawn(metrics::serve(
            listener,
            transport,
            metrics,
            table,
            self.started,
        ));
        Ok(port)
    }

    fn access(&self) -> routes::Access {
        routes::Access::new(&self.config.status.user, &self.config.status.pass)
    }
}

/// The TLS of the listeners that are open, to be changed.
#[derive(Clone, Debug, Default)]
pub(super) struct OperatorTls {
    health: Option<TlsSettings>,
    metrics: Option<TlsSettings>,
}

/// What a configuration says about it.
pub(super) struct Made {
    health: Result<Option<ServerConfig>, StartError>,
    metrics: Result<Option<ServerConfig>, StartError>,
}

impl Made {
    /// Reads the files of `prometheus`.
    pub(super) fn new(config: &Config) -> Made {
        let refused = |listener| {
            move |error: Box<dyn std::error::Error + Send + Sync>| StartError::Tls {
                listener,
                error,
            }
        };
        let health = tls::health(config).map_err(|error| refused(HEALTH)(error.into()));
        let metrics = config.prometheus.tls().map(|files| {
            let files = files.map_err(|error| refused(METRICS)(error.into()))?;
            tls::metrics(&files).map_err(|error| refused(METRICS)(error.into()))
        });
        Made {
            health,
            metrics: metrics.transpose(),
        }
    }
}

impl OperatorTls {
    /// Changes what is good of `made`, and gives what is not: that listener goes on as before.
    pub(super) fn renew(&self, made: Made) -> Vec<StartError> {
        let mut refused = Vec::new();
        for (settings, made) in [(&self.health, made.health), (&self.metrics, made.metrics)] {
            match (settings, made) {
                (Some(settings), Ok(Some(server))) => settings.replace(server),
                (Some(_), Err(error)) => refused.push(error),
                _ => {}
            }
        }
        refused
    }
}
