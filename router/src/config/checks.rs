//! What a configuration must fulfil across its keys (1.3, drop-in 1.3). Every violation is reported.

use cloverleaf_config::{GoDuration, Reader};

use super::pairs::{Bundles, Pair};
use super::{
    Config, ExtraLogField, ForwardedClientCert, Network, ShardingMode, XfccFormat, front_end_tls,
    is_rewritable,
};

/// Bytes of a Unix socket's path (108), less those of a process id behind it.
const LONGEST_SOCKET: usize = 96;

/// Reports everything that keeps the router from starting with this configuration.
pub(super) fn check(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    health(config, reader);
    front_end_tls::check(config, bundles, reader);
    control_plane(config, bundles, reader);
    routing(config, reader);
    upstream(config, bundles, reader);
    proxy_protocol(config, reader);
    balancing(config, reader);
    domains(config, bundles, reader);
    logging(config, reader);
    rewriting(config, reader);
    if config.upgrade.socket.len() > LONGEST_SOCKET {
        let expected = format!("a path of at most {LONGEST_SOCKET} bytes");
        reader.refuse("upgrade.socket", expected);
    }
    let threshold = reader.text("load_balancer_healthy_threshold");
    let negative = threshold
        .and_then(|text| text.parse::<GoDuration>().ok())
        .is_some_and(|threshold| threshold.nanoseconds() < 0);
    if negative {
        reader.refuse(
            "load_balancer_healthy_threshold",
            "a duration of zero or more",
        );
    }
}

fn health(config: &Config, reader: &mut Reader<'_>) {
    let tls = &config.status.tls;
    if !tls.is_enabled() {
        if !config.status.enable_nontls_health_checks {
            let expected =
                "true, or status.tls with certificate and key: one health listener is needed";
            reader.refuse("status.enable_nontls_health_checks", expected);
        }
        return;
    }
    if tls.port == 0 {
        reader.refuse("status.tls.port", "a port, because status.tls is given");
    }
    Pair {
        chain_key: "status.tls.certificate",
        private_key: "status.tls.key",
        chain: &tls.certificate,
        private: &tls.key,
    }
    .require("status.tls is given", reader);
}

fn control_plane(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    let nats = &config.nats;
    if nats.tls_enabled {
        let reason = "nats.tls_enabled is true";
        Pair {
            chain_key: "nats.cert_chain",
            private_key: "nats.private_key",
            chain: &nats.cert_chain,
            private: &nats.private_key,
        }
        .require(reason, reader);
        bundles.check("nats.ca_certs", &nats.ca_certs, reason, reader);
    }
    for (host, index) in nats.hosts.iter().zip(reader.indexes("nats.hosts")) {
        if host.hostname.is_empty() || host.port == 0 {
            let text = "has no hostname or no port and cannot be reached";
            reader.note(&format!("nats.hosts[{index}]"), text);
        }
    }
    let api = &config.routing_api;
    if api.is_enabled() {
        let reason = "routing_api has uri and port";
        Pair {
            chain_key: "routing_api.cert_chain",
            private_key: "routing_api.private_key",
            chain: &api.cert_chain,
            private: &api.private_key,
        }
        .require(reason, reader);
        bundles.check("routing_api.ca_certs", &api.ca_certs, reason, reader);
    }
}

fn routing(config: &Config, reader: &mut Reader<'_>) {
    let segments = config.routing_table_sharding_mode == ShardingMode::Segments;
    if segments && config.isolation_segments.is_empty() {
        let expected = "at least one segment, because routing_table_sharding_mode is segments";
        reader.refuse("isolation_segments", expected);
    }
    let list = "route_services_hairpinning_allowlist";
    let entries = &config.route_services_hairpinning_allowlist;
    for (entry, index) in entries.iter().zip(reader.indexes(list)) {
        let key = format!("{list}[{index}]");
        if is_host_pattern(entry) {
            if !can_be_met(entry) {
                reader.note(&key, "is no host that is ever asked for, ignored: a letter beyond ASCII is written in xn--");
            }
            continue;
        }
        let expected = "a host name, or *. and a host name";
        if config.route_services_hairpinning {
            reader.refuse(&key, expected);
        } else {
            reader.note(&key, format!("is not {expected}"));
        }
    }
}

/// An exact host, or `*.` and a host. Nothing else of a URL.
fn is_host_pattern(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    !host.is_empty()
        && host.split('.').all(|label| {
            let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            !label.is_empty() && label.chars().all(allowed)
        })
}

/// Whether there can be a request for a host of a pattern: letters beyond ASCII come as `xn--`, and names of DNS have an end.
fn can_be_met(pattern: &str) -> bool {
    const LONGEST: usize = 253;
    pattern.is_ascii() && pattern.len() <= LONGEST
}

fn upstream(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    let (backends, services) = (&config.backends, &config.route_services);
    Pair {
        chain_key: "backends.cert_chain",
        private_key: "backends.private_key",
        chain: &backends.cert_chain,
        private: &backends.private_key,
    }
    .check_if_given(reader);
    Pair {
        chain_key: "route_services.cert_chain",
        private_key: "route_services.private_key",
        chain: &services.cert_chain,
        private: &services.private_key,
    }
    .check_if_given(reader);
    for (pem, index) in config.ca_certs.iter().zip(reader.indexes("ca_certs")) {
        bundles.check(&format!("ca_certs[{index}]"), pem, "", reader);
    }
    if let (false, Some(of_file)) = (config.ca_certs_file.is_empty(), config.ca_certs.last()) {
        bundles.check("ca_certs", of_file, "", reader);
    }
    let list = "route_services.egress_blocklist";
    for (entry, index) in services.egress_blocklist.iter().zip(reader.indexes(list)) {
        network(&format!("{list}[{index}]"), entry, reader);
    }
}

fn network(key: &str, text: &str, reader: &mut Reader<'_>) {
    if text.parse::<Network>().is_err() {
        reader.refuse(key, "a network as address/length, such as 10.0.0.0/8");
    }
}

/// A router that does not read headers must not look as if it took some people's only.
fn proxy_protocol(config: &Config, reader: &mut Reader<'_>) {
    let keys = &config.proxy_protocol;
    let list = "proxy_protocol.trusted";
    for (entry, index) in keys.trusted.iter().zip(reader.indexes(list)) {
        network(&format!("{list}[{index}]"), entry, reader);
    }
    let is_used = keys.required || !keys.trusted.is_empty();
    if is_used && !config.enable_proxy {
        let expected = "true, because proxy_protocol says which headers count";
        reader.refuse("enable_proxy", expected);
    }
}

/// Out of range is refused, not cut down to what fits.
fn balancing(config: &Config, reader: &mut Reader<'_>) {
    let ejection = &config.balancing.ejection;
    if ejection.consecutive_errors > 255 {
        let expected = "a whole number from 0 to 255";
        reader.refuse("balancing.ejection.consecutive_errors", expected);
    }
    if ejection.most_percent > 100 {
        let expected = "a percentage from 0 to 100";
        reader.refuse("balancing.ejection.most_percent", expected);
    }
}

fn domains(config: &Config, bundles: &mut Bundles<'_>, reader: &mut Reader<'_>) {
    if !config.domains.is_empty() && !config.enable_ssl {
        let text =
            "clients can show certificates only with enable_ssl: without it these hosts answer 421";
        reader.note("domains", text);
    }
    let mut names: Vec<String> = Vec::new();
    for (domain, index) in config.domains.iter().zip(reader.indexes("domains")) {
        let key = |name: &str| format!("domains[{index}].{name}");
        // A name that no host can have would leave its hosts open.
        if !is_host_pattern(&domain.domain) || !can_be_met(&domain.domain) {
            // As the file spells it, so that the value is shown.
            let spelt = match reader.is_set(&key("domain")) {
                true => key("domain"),
                false if reader.is_set(&key("name")) => key("name"),
                false => key("domain"),
            };
            reader.refuse(&spelt, "a host, or *. and a host");
        }
        let name = domain.domain.to_ascii_lowercase();
        if let Some(first) = names.iter().position(|other| *other == name) {
            let text = format!("takes the place of domains[{first}], which has the same name");
            reader.note(&key("domain"), text);
        }
        names.push(name);
        bundles.check(
            &key("ca_certs"),
            &domain.ca_certs,
            "the domain verifies clients",
            reader,
        );
        let forwards = domain.forwarded_client_cert == ForwardedClientCert::AlwaysForward;
        if forwards && domain.xfcc_format != XfccFormat::Raw {
            let expected = "raw, because forwarded_client_cert is always_forward";
            reader.refuse(&key("xfcc_format"), expected);
        }
    }
}

fn logging(config: &Config, reader: &mut Reader<'_>) {
    let list = "logging.extra_access_log_fields";
    let fields = &config.logging.extra_access_log_fields;
    for (field, index) in fields.iter().zip(reader.indexes(list)) {
        if ExtraLogField::from_word(field).is_none() {
            reader.note(&format!("{list}[{index}]"), "unknown field, ignored");
        }
    }
}

fn rewriting(config: &Config, reader: &mut Reader<'_>) {
    let rules = &config.http_rewrite.responses;
    let added = rules.add_headers_if_not_present.iter();
    let removed = rules.remove_headers.iter();
    for (list, names) in [
        (
            "http_rewrite.responses.add_headers_if_not_present",
            added.map(|header| header.name.as_str()).collect::<Vec<_>>(),
        ),
        (
            "http_rewrite.responses.remove_headers",
            removed.map(|header| header.name.as_str()).collect(),
        ),
    ] {
        for (name, index) in names.into_iter().zip(reader.indexes(list)) {
            if !is_rewritable(name) {
                let text = "is not for rules to change, ignored";
                reader.note(&format!("{list}[{index}].name"), text);
            }
        }
    }
}
