//! `status`: the listeners that tell how the router is.

use cloverleaf_config::pem::{Identity, PemError};
use cloverleaf_config::section;

section! {
    /// `status`: the listeners that tell how the router is.
    pub struct Status {
        /// Address of the deprecated status server. The health listeners are on all addresses.
        host: String = "0.0.0.0".to_owned() => Works,
        /// Port of the plain health listener.
        port: u16 = 8080 => Works,
        /// User name for `/routes` and `/varz`.
        user: String => Works,
        /// Password for `/routes` and `/varz`.
        pass: String => Works,
        /// Whether the plain health listener is opened.
        enable_nontls_health_checks: bool = true => Works,
        /// Whether the old status server (`/health`, `/healthz`, `/varz`, `/routes`) takes its place.
        enable_deprecated_varz_healthz_endpoints: bool => Works,
        /// Health over TLS. Absent when exactly as the default.
        tls: StatusTls => Works,
        /// The `/routes` listener.
        routes: StatusRoutes => Works,
    }
}

section! {
    /// `status.tls`: health over TLS.
    pub struct StatusTls {
        /// Port of the TLS health listener.
        port: u16 = 8443 => Works,
        /// Certificate chain, PEM text.
        certificate: String => Works,
        /// Private key, PEM text.
        key: String => Works,
        /// File with the chain, in place of `certificate`; watched.
        certificate_file: String => Works,
        /// File with the private key, in place of `key`; watched.
        key_file: String => Works,
    }
}

section! {
    /// `status.routes`: the routing table as JSON.
    pub struct StatusRoutes {
        /// Port of the `/routes` listener, on 127.0.0.1 only.
        port: u16 = 8082 => Works,
    }
}

impl StatusTls {
    /// Whether there is a TLS health listener. It counts as absent when nothing differs from the
    /// default; anything else was checked to be complete.
    pub fn is_enabled(&self) -> bool {
        *self != Self::default()
    }
    /// Its certificate and key; `None` without a listener.
    ///
    /// # Errors
    /// When they cannot be used, which the checks have ruled out.
    pub fn identity(&self) -> Option<Result<Identity, PemError>> {
        self.is_enabled()
            .then(|| Identity::load(&self.certificate, &self.key))
    }
}
