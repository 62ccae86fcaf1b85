//! What the data path needs of the configuration, resolved once at start.

use std::net::IpAddr;
use std::time::Duration;

use crate::balance::{Ejection, Millis, Rules, ZonePreference};
use crate::callers::Domains;
use crate::config::{AzPreference, ClientAddress, Config, ExtraLogField, Network};
use crate::http1::response::Limits;
use crate::respond::Page;

/// Settings of the data path. Zero durations mean no limit, as in the configuration.
#[derive(Debug)]
pub struct Policy {
    /// How endpoints are chosen.
    pub rules: Rules,
    /// Attempts on backends, at least 1.
    pub max_attempts: u32,
    /// Time for a whole attempt, to the last byte of the body, by the version that the client speaks.
    pub endpoint_timeout: EndpointTimeout,
    /// Time to connect.
    pub dial_timeout: Duration,
    /// Time for a TLS handshake with a backend.
    pub tls_handshake_timeout: Duration,
    /// Interval of TCP keep-alive probes to backends.
    pub keep_alive_probes: Duration,
    /// Whose PROXY protocol headers count; `None` when there are none.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whether HTTP/2 may begin on the port without TLS.
    pub http2_prior_knowledge: bool,
    /// Whether HTTP/2 is spoken with plain backends that are registered for it.
    pub http2_plain_backends: bool,
    /// Client connections at a time; more wait to be accepted.
    pub max_clients: usize,
    /// How long a client connection may be idle.
    pub frontend_idle_timeout: Duration,
    /// Time for a request head.
    pub read_header_timeout: Duration,
    /// Whether every request gets a backend connection of its own.
    pub close_backends: bool,
    /// Idle connections kept for each endpoint.
    pub idle_per_endpoint: usize,
    /// An empty pool answers 503, not 404.
    pub empty_pool_503: bool,
    /// Whether a connection is used again behind a request with `Expect: 100-continue`.
    pub keep_alive_100_continue: bool,
    /// Whether the access log shows how long attempts took.
    pub times_attempts: bool,
    /// Whether the access log shows our own address towards the endpoint.
    pub logs_local_address: bool,
    /// Whether the access log shows who calls, and by which right.
    pub logs_callers: bool,
    /// Hosts with client authorities of their own; `None` where there are none.
    pub domains: Option<Domains>,
    /// Whether latency is measured for each application.
    pub per_app_metrics: bool,
    /// Bounds of a response head.
    pub response_limits: Limits,
    /// Whether clients are known by the last address in `X-Forwarded-For`.
    pub clients_are_forwarded: bool,
    /// Request headers that the access log shows, as configured.
    pub extra_headers: Vec<Box<str>>,
    /// What errors are shown in, where the operator has a page.
    pub error_page: Option<Page>,
    /// Our own address, for `X-Vcap-Router`.
    pub local_ip: IpAddr,
}

/// Whose word counts for where a client comes from.
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    /// Whether a connection without a header is closed.
    pub required: bool,
    trusted: Vec<Network>,
}

impl ProxyProtocol {
    fn new(config: &Config) -> ProxyProtocol {
        let keys = &config.proxy_protocol;
        // The checks have refused what is no network.
        let trusted = keys.trusted.iter().filter_map(|text| text.parse().ok());
        ProxyProtocol {
            required: keys.required,
            trusted: trusted.collect(),
        }
    }

    /// Whether headers from `peer` count.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let mut networks = self.trusted.iter();
        self.trusted.is_empty() || networks.any(|network| network.contains(peer))
    }
}

impl Policy {
    /// Resolves `config`. `extra_headers` are those of the access log.
    pub fn new(config: &Config, local_ip: IpAddr, extra_headers: Vec<Box<str>>) -> Policy {
        let mark_ttl = config.droplet_stale_threshold / 4;
        let fields = config.logging.extra_fields();
        let logs = |which: fn(ExtraLogField) -> bool| fields.iter().copied().any(which);
        Policy {
            rules: Rules {
                max_conns: u32::try_from(config.backends.max_conns).unwrap_or(u32::MAX),
                mark_ttl: millis(mark_ttl),
                zone: config.zone.as_str().into(),
                zone_preference: match config.balancing_algorithm_az_preference {
                    AzPreference::None => ZonePreference::None,
                    AzPreference::LocallyOptimistic => ZonePreference::LocallyOptimistic,
                },
                slow_start: millis(config.balancing.slow_start),
                ejection: ejection(config),
            },
            max_attempts: u32::try_from(config.backends.max_attempts)
                .unwrap_or(1)
                .max(1),
            endpoint_timeout: EndpointTimeout::new(config),
            dial_timeout: config.endpoint_dial_timeout,
            tls_handshake_timeout: config.tls_handshake_timeout,
            keep_alive_probes: config.endpoint_keep_alive_probe_interval,
            proxy_protocol: config.enable_proxy.then(|| ProxyProtocol::new(config)),
            http2_prior_knowledge: config.enable_http2 && config.enable_http2_prior_knowledge,
            http2_plain_backends: config.enable_http2
                && config.backends.enable_http2_prior_knowledge,
            max_clients: usize::MAX,
            frontend_idle_timeout: config.frontend_idle_timeout,
            read_header_timeout: config.read_header_timeout,
            close_backends: config.disable_keep_alives,
            idle_per_endpoint: config.max_idle_conns_per_host.min(config.max_idle_conns),
            empty_pool_503: config.empty_pool_response_code_503,
            keep_alive_100_continue: config.keep_alive_100_continue_requests,
            times_attempts: logs(ExtraLogField::is_of_attempts),
            logs_local_address: logs(|field| field == ExtraLogField::LocalAddress),
            logs_callers: logs(ExtraLogField::is_of_callers),
            per_app_metrics: config.per_app_prometheus_http_metrics_reporting,
            response_limits: response_limits(config),
            clients_are_forwarded: config.route_options.client_address
                == ClientAddress::ForwardedFor,
            extra_headers,
            error_page: None,
            domains: Domains::new(&config.domains),
            local_ip,
        }
    }
}

/// When failing endpoints are left out.
fn ejection(config: &Config) -> Option<Ejection> {
    let keys = &config.balancing.ejection;
    (keys.consecutive_errors > 0).then(|| Ejection {
        consecutive_errors: u8::try_from(keys.consecutive_errors).unwrap_or(u8::MAX),
        base_time: millis(keys.base_time),
        longest_time: millis(keys.longest_time.max(keys.base_time)),
        most_percent: u8::try_from(keys.most_percent).unwrap_or(100).min(100),
    })
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// How long an attempt may take.
#[derive(Clone, Copy, Debug)]
pub struct EndpointTimeout {
    http1: Duration,
    http2: Duration,
}

impl EndpointTimeout {
    fn new(config: &Config) -> EndpointTimeout {
        let or_for_all = |limit: Duration| match limit.is_zero() {
            true => config.endpoint_timeout,
            false => limit,
        };
        EndpointTimeout {
            http1: or_for_all(config.http_1_endpoint_timeout),
            http2: or_for_all(config.http_2_endpoint_timeout),
        }
    }

    /// For a client of HTTP/2, or of an older version.
    pub fn of(self, is_http2: bool) -> Duration {
        match is_http2 {
            true => self.http2,
            false => self.http1,
        }
    }
}

fn response_limits(config: &Config) -> Limits {
    let lines = config.max_response_headers;
    let mut limits = Limits {
        lines: (lines > 0).then_some(lines),
        ..Limits::default()
    };
    if config.max_response_header_bytes > 0 {
        limits.bytes = config.max_response_header_bytes;
    }
    limits
}
