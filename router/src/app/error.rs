//! Why a router does not start.

use std::io;

use crate::accept::FrontEndError;
use crate::control::ConnectError;
use crate::observe::access_log;
use crate::upstream::{ConnectorError, ServicesError};

/// Why a router did not start. Each kind has a log message of its own that operators know (spec drop-in 1.3).
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No default route: the router cannot say where it is.
    #[error("no address of our own: {0}")]
    LocalAddress(io::Error),
    /// The access log cannot be written.
    #[error("{0}")]
    AccessLog(access_log::StartError),
    /// The error page cannot be read, or not be shown.
    #[error("html_error_template_file {file}: {error}")]
    ErrorPage {
        /// The file as configured.
        file: String,
        /// What is wrong with it.
        error: String,
    },
    /// The Routing API gives no routes, or the UAA no token for it.
    #[error("{0}")]
    RoutingApi(#[from] ConnectError),
    /// The bus does not take our subscription.
    #[error("{0}")]
    Subscribe(cloverleaf_bus::BusError),
    /// A listener's port is taken, or not ours to open.
    #[error("{listener} on port {port}: {error}")]
    Listener {
        /// Which listener.
        listener: &'static str,
        /// Its port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// A listener for operators cannot speak TLS.
    #[error("{listener}: {error}")]
    Tls {
        /// Which listener.
        listener: &'static str,
        /// What is wrong with its certificates, or with what it is to speak.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Clients cannot be spoken to over TLS.
    #[error("{0}")]
    FrontEnd(#[from] FrontEndError),
    /// Route services cannot be called.
    #[error("{0}")]
    Services(#[from] ServicesError),
    /// Backends cannot be spoken to over TLS.
    #[error("TLS to backends: {0}")]
    Backends(#[from] ConnectorError),
    /// A worker's thread cannot be started.
    #[error("worker: {0}")]
    Worker(io::Error),
}
