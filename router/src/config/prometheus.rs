//! `prometheus`: the metrics listener.

use std::{fs, io};

use cloverleaf_config::pem::{Identity, PemError, trust_bundle, whole_trust_bundle};
use cloverleaf_config::section;
use rustls_pki_types::CertificateDer;

use super::certificates::CertificateLife;

section! {
    /// `prometheus`: the metrics listener.
    pub struct Prometheus {
        /// Whether metrics are served. When not given: whether `port` is.
        enabled: bool => Works shown "as `port` given",
        /// Port of the metrics listener.
        port: u16 => Works,
        /// File with the certificate chain. With it metrics are served over TLS to clients with a certificate.
        cert_path: String => Works,
        /// File with the private key.
        key_path: String => Works,
        /// File with the authorities that clients' certificates are verified against.
        ca_path: String => Works,
        /// Whether times are shown as histograms rather than as gauges with the latest value. When not given: whether `meters` is.
        histograms: bool => Works shown "as `meters` given",
        /// Upper bounds of histogram buckets.
        meters: Meters => Works,
    }
}

section! {
    /// `prometheus.meters`: upper bounds of histogram buckets, ascending.
    pub struct Meters {
        /// For `route_lookup_time`, in nanoseconds.
        route_lookup_time_histogram_buckets: Vec<f64> = (1..=10).map(|n| f64::from(n) * 10_000.0).collect() => Works,
        /// For `route_registration_latency`, in milliseconds.
        route_registration_latency_histogram_buckets: Vec<f64> = vec![0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0] => Works,
        /// For `gorouter_time`, in seconds.
        gorouter_time_histogram_buckets: Vec<f64> = latency() => Works,
        /// For `latency`, in milliseconds.
        routing_response_latency_histogram_buckets: Vec<f64> = latency() => Works,
        /// For `http_latency_seconds`.
        http_latency_histogram_buckets: Vec<f64> = vec![0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6] => Works,
    }
}

/// What the files of `prometheus` hold.
#[derive(Clone, Debug)]
pub struct MetricsTls {
    /// Certificate and key of the listener.
    pub identity: Identity,
    /// Authorities of its clients, at least one.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What was passed over among the authorities.
    pub passed_over: Option<PemError>,
}

/// A file of `prometheus` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetricsTlsError {
    /// It cannot be read.
    #[error("prometheus.{key} {path}: {error}")]
    File {
        /// The key that names it.
        key: &'static str,
        /// Its path as configured.
        path: String,
        /// What reading it came to.
        #[source]
        error: io::Error,
    },
    /// It does not hold what it should.
    #[error("prometheus.{key}: the file {error}")]
    Content {
        /// The key that names it.
        key: &'static str,
        /// What is wrong.
        #[source]
        error: PemError,
    },
}

impl MetricsTlsError {
    /// Path of the key that names the file.
    pub fn key(&self) -> String {
        let (Self::File { key, .. } | Self::Content { key, .. }) = self;
        format!("prometheus.{key}")
    }
}

impl MetricsTls {
    /// For each key, the certificate that expires first.
    pub fn certificates(&self) -> Vec<CertificateLife> {
        let chain = self.identity.certified_key();
        [("cert_path", &chain.cert), ("ca_path", &self.authorities)]
            .into_iter()
            .filter_map(|(key, found)| CertificateLife::first(format!("prometheus.{key}"), found))
            .collect()
    }
}

/// A certificate has one key, so that nothing else tells two of them apart.
impl PartialEq for MetricsTls {
    fn eq(&self, other: &MetricsTls) -> bool {
        let chain = |files: &MetricsTls| files.identity.certified_key();
        chain(self).cert == chain(other).cert && self.authorities == other.authorities
    }
}

impl Prometheus {
    /// Reads the files; `None` when metrics are served without TLS. To be called once, at start: it blocks.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn tls(&self) -> Option<Result<MetricsTls, MetricsTlsError>> {
        (!self.cert_path.is_empty()).then(|| self.read_files())
    }

    fn read_files(&self) -> Result<MetricsTls, MetricsTlsError> {
        let chain = read("cert_path", &self.cert_path)?;
        let private_key = read("key_path", &self.key_path)?;
        let bundle = read("ca_path", &self.ca_path)?;
        let identity = Identity::load(&chain, &private_key).map_err(|error| {
            let key = match error.is_about_key() {
                true => "key_path",
                false => "cert_path",
            };
            MetricsTlsError::Content { key, error }
        })?;
        let authorities = trust_bundle(&bundle).map_err(|error| MetricsTlsError::Content {
            key: "ca_path",
            error,
        })?;
        Ok(MetricsTls {
            identity,
            authorities,
            passed_over: whole_trust_bundle(&bundle).err(),
        })
    }
}

fn read(key: &'static str, path: &str) -> Result<String, MetricsTlsError> {
    fs::read_to_string(path).map_err(|error| MetricsTlsError::File {
        key,
        path: path.to_owned(),
        error,
    })
}

fn latency() -> Vec<f64> {
    vec![
        1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 50.0, 100.0, 500.0, 1000.0,
    ]
}
