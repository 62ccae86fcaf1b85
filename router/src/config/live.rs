//! Which keys take effect while the router runs, and what becomes of the others (docs/reload-and-upgrade.md).

use cloverleaf_config::{Change, Document, Reader, Report, Value};

use super::pairs::Bundles;
use super::{Config, checks};

/// Keys that are behind swaps, each with all below it. What is not here needs a restart.
pub(super) const LIVE: &[&str] = &[
    "logging.level",
    // The front end's TLS.
    "tls_pem",
    "cipher_suites",
    "min_tls_version",
    "max_tls_version",
    "client_cert_validation",
    "client_ca_certs",
    "client_ca_certs_file",
    "only_trust_client_ca_certs",
    "enable_verify_client_certificate_metadata",
    "verify_client_certificate_metadata",
    "domains",
    // Clients and requests.
    "enable_proxy",
    "proxy_protocol",
    "forwarded_client_cert",
    "force_forwarded_proto_https",
    "sanitize_forwarded_proto",
    "hop_by_hop_headers_to_filter",
    "max_request_header_bytes",
    "max_request_headers",
    "trace_key",
    "healthcheck_user_agent",
    "max_response_header_bytes",
    "max_response_headers",
    "http_rewrite",
    "html_error_template_file",
    "secure_cookies",
    "sticky_session_cookie_names",
    "sticky_sessions_for_auth_negotiate",
    // Backends and route services.
    "backends",
    "ca_certs",
    "ca_certs_file",
    "balancing_algorithm_az_preference",
    "disable_keep_alives",
    "max_idle_conns",
    "max_idle_conns_per_host",
    "endpoint_keep_alive_probe_interval",
    "keep_alive_100_continue_requests",
    "route_services",
    "route_services_secret",
    "route_services_secret_decrypt_only",
    "route_services_timeout",
    "route_services_recommend_https",
    "route_services_hairpinning",
    "route_services_hairpinning_allowlist",
    "skip_ssl_validation",
    // Times.
    "endpoint_timeout",
    "endpoint_dial_timeout",
    "tls_handshake_timeout",
    "frontend_idle_timeout",
    "read_header_timeout",
    "drain_wait",
    "drain_timeout",
    "upgrade.drain_timeout",
    "http_1_endpoint_timeout",
    "http_2_endpoint_timeout",
    // NATS and the Routing API, where they are spoken to over TLS.
    "nats.ca_certs",
    "nats.ca_certs_file",
    "nats.cert_chain",
    "nats.cert_chain_file",
    "nats.private_key",
    "nats.private_key_file",
    "routing_api.ca_certs",
    "routing_api.ca_certs_file",
    "routing_api.cert_chain",
    "routing_api.cert_chain_file",
    "routing_api.private_key",
    "routing_api.private_key_file",
    // Listeners for operators, where they speak TLS.
    "status.tls.certificate",
    "status.tls.certificate_file",
    "status.tls.key",
    "status.tls.key_file",
];

/// What a newer configuration changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What takes effect now.
    pub live: Vec<Change>,
    /// What takes effect at the next start; until then the former values hold.
    pub after_restart: Vec<Change>,
}

impl Config {
    /// Takes over from `newer` what can change while the router runs.
    pub fn take_live(&mut self, newer: &Config) -> Changes {
        let mut changes = Changes::default();
        // What is not spoken over TLS has no certificate that could change.
        let secured = |is_so: fn(&Config) -> bool| is_so(self) && is_so(newer);
        let over_tls = [
            (
                "status.tls.",
                secured(|config| config.status.tls.is_enabled()),
            ),
            ("nats.", secured(|config| config.nats.tls_enabled)),
            (
                "routing_api.",
                secured(|config| config.routing_api.is_enabled()),
            ),
        ];
        self.merge(newer, "", &mut |change| {
            let mut of_section = over_tls
                .iter()
                .filter(|(name, _)| change.key.starts_with(name));
            let is_live = is_live(&change.key) && of_section.all(|(_, is_so)| *is_so);
            match is_live {
                true => changes.live.push(change),
                false => changes.after_restart.push(change),
            }
            is_live
        });
        changes
    }

    /// What cannot be together in this configuration, which was put together from two.
    pub fn contradictions(&self) -> Option<Report> {
        let document = Document::parse("").ok()?;
        let (_, mut reader) = Reader::read::<Config>(&document);
        checks::check(self, &mut Bundles::at_start(), &mut reader);
        reader.finish("the configuration").report
    }

    /// Whether clients that this configuration lets in are those that `other` lets in.
    pub fn judges_clients_as(&self, other: &Config) -> bool {
        let judged = |config: &Config| {
            (
                config.client_cert_validation,
                config.client_ca_certs.clone(),
                config.only_trust_client_ca_certs,
                config.enable_verify_client_certificate_metadata,
                config.verify_client_certificate_metadata.clone(),
                config.domains.clone(),
            )
        };
        judged(self) == judged(other)
    }
}

fn is_live(key: &str) -> bool {
    LIVE.iter().any(|live| {
        let below = key.strip_prefix(live);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

#[cfg(test)]
mod tests {
    use cloverleaf_config::rows;

    use super::*;

    #[test]
    fn every_live_key_is_a_key() {
        let paths: Vec<String> = rows(Config::KEYS).into_iter().map(|row| row.path).collect();
        for live in LIVE {
            let below = format!("{live}.");
            let is_key = |path: &String| path == live || path.starts_with(&below);
            assert!(paths.iter().any(is_key), "{live}");
        }
    }

    #[test]
    fn what_needs_a_restart_keeps_its_value_and_is_told_each_time() {
        let mut config = Config::default();
        let newer = Config {
            port: 9000,
            drain_wait: std::time::Duration::from_secs(3),
            ..Config::default()
        };
        let changes = config.take_live(&newer);
        assert_eq!(changes.live[0].key, "drain_wait");
        assert_eq!(
            changes.after_restart[0].to_owned(),
            Change::new("port", "8081", "9000")
        );
        assert_eq!((config.port, config.drain_wait), (8081, newer.drain_wait));
        let again = config.take_live(&newer);
        assert_eq!(
            (again.live, again.after_restart),
            (vec![], changes.after_restart)
        );
    }
}
