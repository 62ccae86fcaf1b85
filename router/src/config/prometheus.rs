//! `prometheus`: the metrics listener.

use cloverleaf_config::section;

section! {
    /// `prometheus`: the metrics listener.
    pub struct Prometheus {
        /// Whether metrics are served. When not given: whether `port` is.
        enabled: bool => Works shown "as `port` given",
        /// Port of the metrics listener.
        port: u16 => Works,
        /// File with the certificate chain. With it metrics are served over TLS to clients with a certificate.
        cert_path: String => Later,
        /// File with the private key.
        key_path: String => Later,
        /// File with the authorities that clients' certificates are verified against.
        ca_path: String => Later,
        /// Upper bounds of histogram buckets.
        meters: Meters => Later,
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

fn latency() -> Vec<f64> {
    vec![
        1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 50.0, 100.0, 500.0, 1000.0,
    ]
}
