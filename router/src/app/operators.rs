//! The listeners for operators: health, routes, metrics.

use std::sync::Arc;
use std::time::Instant;

use cloverleaf_bus::Bus;
use rustls::ServerConfig;
use tokio::task::JoinSet;

use super::{Ports, Sockets, StartError};
use crate::config::{CertificateLife, Config, MetricsTls, MetricsTlsError};
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
const CA_PATH: &str = "prometheus.ca_path";

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
            let made = made.metrics?;
            changeable.metrics = made.map(|(server, files)| (TlsSettings::new(server), files));
            let settings = changeable.metrics.as_ref();
            if let Some(error) = settings.and_then(|(_, files)| files.passed_over) {
                let note = format!("{error}, which is passed over: its authority is not trusted");
                tracing::warn!(target: "main", { key = CA_PATH, note }, "config-notice");
            }
            let settings = settings.map(|(settings, _)| settings.clone());
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
#[derive(Debug, Default)]
pub(super) struct OperatorTls {
    health: Option<TlsSettings>,
    /// With what it was made of.
    metrics: Option<(TlsSettings, MetricsTls)>,
}

/// What a configuration says about it.
pub(super) struct Made {
    health: Result<Option<ServerConfig>, Unusable>,
    metrics: Result<Option<(ServerConfig, MetricsTls)>, Unusable>,
}

/// A listener that cannot speak TLS for what stands at a key.
struct Unusable {
    key: String,
    listener: &'static str,
    error: Box<dyn std::error::Error + Send + Sync>,
}

impl From<Unusable> for StartError {
    fn from(unusable: Unusable) -> StartError {
        StartError::Tls {
            listener: unusable.listener,
            error: unusable.error,
        }
    }
}

/// A part of a change that is not good: what it is about goes on as before.
#[derive(Debug)]
pub struct Refused {
    /// Where it is configured.
    pub key: String,
    /// What is wrong.
    pub error: String,
}

impl From<Unusable> for Refused {
    fn from(unusable: Unusable) -> Refused {
        Refused {
            key: unusable.key.clone(),
            error: StartError::from(unusable).to_string(),
        }
    }
}

impl Made {
    /// Reads the files of `prometheus`.
    pub(super) fn new(config: &Config) -> Made {
        let health = tls::health(config).map_err(|error| Unusable {
            key: "status.tls".to_owned(),
            listener: HEALTH,
            error: error.into(),
        });
        let metrics = config.prometheus.tls().map(|files| {
            let files = files.map_err(unusable_file)?;
            match tls::metrics(&files) {
                Ok(server) => Ok((server, files)),
                Err(error) => Err(Unusable {
                    key: CA_PATH.to_owned(),
                    listener: METRICS,
                    error: error.into(),
                }),
            }
        });
        Made {
            health,
            metrics: metrics.transpose(),
        }
    }
}

fn unusable_file(error: MetricsTlsError) -> Unusable {
    Unusable {
        key: error.key(),
        listener: METRICS,
        error: error.into(),
    }
}

impl OperatorTls {
    /// Changes what is good of `made`, and gives what is not. Whether files have changed that the configuration only names
    /// is said, too.
    pub(super) fn renew(&mut self, made: Made) -> (bool, Vec<Refused>) {
        let (mut changed, mut refused) = (false, Vec::new());
        match (&self.health, made.health) {
            (Some(settings), Ok(Some(server))) => settings.replace(server),
            (Some(_), Err(error)) => refused.push(error.into()),
            _ => {}
        }
        match (&mut self.metrics, made.metrics) {
            (Some((settings, in_force)), Ok(Some((server, files)))) => {
                if files.authorities != in_force.authorities
                    && let Some(error) = files.passed_over
                {
                    let key = "ca_path";
                    refused.push(unusable_file(MetricsTlsError::Content { key, error }).into());
                } else if files != *in_force {
                    settings.replace(server);
                    *in_force = files;
                    changed = true;
                }
            }
            (Some(_), Err(error)) => refused.push(error.into()),
            _ => {}
        }
        (changed, refused)
    }

    /// How long the certificates are good for that the configuration only names.
    pub(super) fn certificates(&self) -> Vec<CertificateLife> {
        self.metrics
            .iter()
            .flat_map(|(_, files)| files.certificates())
            .collect()
    }
}
