//! Values that follow from other values (1.2, drop-in 1.2).

use cloverleaf_config::Reader;

use super::nats::NatsHost;
use super::{CipherSuites, ClientCertValidation, Config, MaxTlsVersion, MinTlsVersion};

/// Largest request head that can be configured, and the default.
const LARGEST_REQUEST_HEAD: usize = 1 << 20;

/// Applies the rules to what was read. `reader` tells what the file sets.
pub(super) fn derive(config: &mut Config, reader: &mut Reader<'_>) {
    timeouts(config, reader);
    let bytes = config.max_request_header_bytes;
    if !(1..=LARGEST_REQUEST_HEAD).contains(&bytes) {
        config.max_request_header_bytes = LARGEST_REQUEST_HEAD;
    }
    config.backends.max_attempts = config.backends.max_attempts.max(1);
    config.route_services.max_attempts = config.route_services.max_attempts.max(1);
    if config.nats.hosts.is_empty() {
        config.nats.hosts = vec![NatsHost::local()];
    }
    // The key is younger than the port, which alone turned metrics on before.
    if !reader.is_set("prometheus.enabled") {
        config.prometheus.enabled = config.prometheus.port != 0;
    }
    // Releases that took buckets had histograms; later ones have gauges and no such key (14.7).
    if !reader.is_set("prometheus.histograms") {
        config.prometheus.histograms = reader.is_set("prometheus.meters");
    }
    if !config.enable_ssl {
        forget_front_end_tls(config, reader);
    }
}

fn timeouts(config: &mut Config, reader: &Reader<'_>) {
    if config.drain_timeout.is_zero() || !reader.is_set("drain_timeout") {
        config.drain_timeout = config.endpoint_timeout;
    }
    if config.upgrade.drain_timeout.is_zero() || !reader.is_set("upgrade.drain_timeout") {
        config.upgrade.drain_timeout = config.drain_timeout;
    }
    if config.websocket_dial_timeout.is_zero() || !reader.is_set("websocket_dial_timeout") {
        config.websocket_dial_timeout = config.endpoint_dial_timeout;
    }
    config.droplet_stale_threshold = config
        .droplet_stale_threshold
        .max(config.start_response_delay_interval);
}

/// Without `enable_ssl` these keys are not even looked at: they may hold anything. The versions
/// still count for route services, with their defaults.
fn forget_front_end_tls(config: &mut Config, reader: &mut Reader<'_>) {
    for key in [
        "client_cert_validation",
        "min_tls_version",
        "max_tls_version",
        "cipher_suites",
    ] {
        reader.waive(key);
    }
    config.client_cert_validation = ClientCertValidation::default();
    config.min_tls_version = MinTlsVersion::default();
    config.max_tls_version = MaxTlsVersion::default();
    config.cipher_suites = CipherSuites::default();
}
