//! Keys that are set but would not matter, because what they belong to is off.

use super::Config;

/// Whether the key at this path has no effect in this configuration, so that nobody needs to hear
/// that the router does not act on it yet. Deployment tools set most keys whether used or not.
pub(super) fn is_inert(config: &Config, path: &str) -> bool {
    let top = path.split(['.', '[']).next().unwrap_or(path);
    match top {
        "ssl_port"
        | "tls_pem"
        | "cipher_suites"
        | "min_tls_version"
        | "max_tls_version"
        | "client_cert_validation"
        | "client_ca_certs"
        | "only_trust_client_ca_certs"
        | "enable_verify_client_certificate_metadata"
        | "verify_client_certificate_metadata"
        | "domains" => !config.enable_ssl,
        "prometheus" => !config.prometheus.enabled,
        "routing_api"
        | "oauth"
        | "token_fetcher_max_retries"
        | "token_fetcher_retry_interval"
        | "token_fetcher_expiration_buffer_time" => !config.routing_api.is_enabled(),
        "route_services_hairpinning_allowlist" if !config.route_services_hairpinning => true,
        "route_services"
        | "route_services_timeout"
        | "route_services_recommend_https"
        | "route_services_hairpinning"
        | "route_services_hairpinning_allowlist"
        | "route_services_internal_server_port"
        | "route_services_secret_decrypt_only"
        | "skip_ssl_validation" => config.route_services_secret.is_empty(),
        "logging" => path.starts_with("logging.syslog_") && !config.access_log.enable_streaming,
        "status" => {
            path == "status.host" && !config.status.enable_deprecated_varz_healthz_endpoints
        }
        _ => false,
    }
}
