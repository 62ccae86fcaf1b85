//! The proxy's listeners.

use std::net::{SocketAddr, TcpListener};

use cloverleaf_telemetry::Json;

use super::{Router, StartError};
use crate::worker::Scheme;

/// The ports that are open, where the configuration may have said 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// HTTP requests.
    pub http: Option<u16>,
    /// HTTP requests over TLS.
    pub https: Option<u16>,
    /// `/health`
    pub health: Option<u16>,
    /// `/health` over TLS
    pub tls_health: Option<u16>,
    /// `/routes`
    pub routes: u16,
    /// `/metrics`
    pub metrics: Option<u16>,
}

impl Router {
    /// Opens the proxy's listeners: for each worker one of each kind, or more where a process before had more workers.
    pub(super) fn listeners(
        &mut self,
        workers: usize,
    ) -> Result<Vec<Vec<(Scheme, TcpListener)>>, StartError> {
        let mut of_workers: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
        if self.config.disable_http {
            tracing::info!(target: "router", "tcp-listener-disabled");
        } else {
            let (shown, listeners) = self.open("http listener", self.config.port, workers)?;
            self.ports.http = Some(shown.port());
            let shown = address_json(shown);
            tracing::info!(target: "router", { "address.json" = %Json(&shown) }, "tcp-listener-started");
            for (number, listener) in listeners.into_iter().enumerate() {
                of_workers[number % workers].push((Scheme::Http, listener));
            }
        }
        if !self.config.enable_ssl {
            tracing::info!(target: "router", "tls-listener-not-enabled");
        } else {
            let (shown, listeners) = self.open("https listener", self.config.ssl_port, workers)?;
            self.ports.https = Some(shown.port());
            let shown = address_json(shown);
            tracing::info!(target: "router", { "address.json" = %Json(&shown) }, "tls-listener-started");
            for (number, listener) in listeners.into_iter().enumerate() {
                of_workers[number % workers].push((Scheme::Https, listener));
            }
        }
        Ok(of_workers)
    }

    /// Listeners on one port, and their address.
    fn open(
        &mut self,
        listener: &'static str,
        port: u16,
        workers: usize,
    ) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
        let failed = |error| StartError::Listener {
            listener,
            port,
            error,
        };
        let listeners = self.sockets.of_workers(port, workers).map_err(failed)?;
        let address = match listeners.first() {
            Some(listener) => listener.local_addr().map_err(failed)?,
            None => SocketAddr::from(([0, 0, 0, 0], port)),
        };
        Ok((address, listeners))
    }
}

/// An address as the original logs it.
fn address_json(address: SocketAddr) -> serde_json::Value {
    serde_json::json!({ "IP": address.ip(), "Port": address.port(), "Zone": "" })
}
