//! The listeners for operators: health, routes, metrics.

use std::sync::Arc;
use std::time::Instant;

use cloverleaf_bus::Bus;
use tokio::task::JoinSet;

use super::{Ports, Sockets, StartError};
use crate::config::Config;
use crate::control::status_server::{self, Served};
use crate::control::varz::Varz;
use crate::control::{
    Health, Identity, Transport, announce, answer_discovery, health, metrics, routes, tls,
};
use crate::observe::registry::Metrics;
use crate::table::Table;

const EVERYWHERE: &str = "0.0.0.0";
const LOOPBACK: &str = "127.0.0.1";

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
    ) -> Result<Ports, StartError> {
        let mut ports = Ports::default();
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
        let transport = tls::health(self.config).map_err(|error| StartError::Tls {
            listener: "TLS health listener",
            error: error.into(),
        })?;
        if let Some(transport) = transport {
            let address = (EVERYWHERE, status.tls.port);
            let listener = sockets.bind("TLS health listener", address).await?;
            ports.tls_health = listener.port();
            let health = Arc::clone(self.health);
            tasks.spawn(health::serve(listener, transport, health));
        }
        let address = (LOOPBACK, status.routes.port);
        let listener = sockets.bind("routes listener", address).await?;
        ports.routes = listener.port().unwrap_or(status.routes.port);
        let table = Arc::clone(self.table);
        tasks.spawn(routes::serve(listener, table, self.access(), self.started));
        if self.config.prometheus.enabled && self.config.prometheus.port != 0 {
            ports.metrics = self.metrics(sockets, tasks).await?;
        }
        Ok(ports)
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
        sockets: &mut Sockets,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<u16>, StartError> {
        let name = "metrics listener";
        let refused = |error| StartError::Tls {
            listener: name,
            error,
        };
        let prometheus = &self.config.prometheus;
        let (host, transport) = match prometheus.tls() {
            None => (LOOPBACK, Transport::Plain),
            Some(files) => {
                let files = files.map_err(|error| refused(error.into()))?;
                let transport = tls::metrics(&files).map_err(|error| refused(error.into()))?;
                (EVERYWHERE, transport)
            }
        };
        let listener = sockets.bind(name, (host, prometheus.port)).await?;
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
