//! The top of the configuration: every key that stands outside a section.

use std::time::Duration;

use cloverleaf_config::section;

use super::balancing::Balancing;
use super::logging::{AccessLog, Logging, Tracing};
use super::nats::Nats;
use super::prometheus::Prometheus;
use super::proxy_protocol::ProxyProtocol;
use super::rewrite::HttpRewrite;
use super::route_options::RouteOptions;
use super::routing::{AzPreference, BalancingAlgorithm, ForwardedClientCert, ShardingMode};
use super::services::{Oauth, RoutingApi};
use super::status::Status;
use super::tls::{
    CipherSuites, ClientCertValidation, Domain, MaxTlsVersion, MetadataRule, MinTlsVersion, TlsPem,
};
use super::upgrade::Upgrade;
use super::upstream::{Backends, RouteServices};

section! {
    /// The router's configuration, after the rules that derive one key from others.
    /// `Config::default()` is what runs without a file.
    pub struct Config {
        "Process" {
            /// Number of this instance. It goes into ids and into the source of log envelopes.
            index: u32 = 0 => Works,
            /// Availability zone of this router.
            zone: String => Works,
            /// Number of worker threads; -1 is one for each CPU.
            go_max_procs: i32 = -1 => Works,
            /// Whether connections without TLS are read and written through io_uring, where the kernel has it (6.1) and allows it. GoRouter has no such key. See performance.md.
            io_uring: bool => Works,
            /// Address (host:port) of the debug server with `/log-level`.
            debug_addr: String => Works,
            /// File for the process id.
            pid_file: String => Accepted("the supervisor writes the file"),
            /// Component log.
            logging: Logging => Works,
            /// Access log.
            access_log: AccessLog => Works,
        }
        "Listeners" {
            /// Port of the HTTP listener, on all addresses.
            port: u16 = 8081 => Works,
            /// Whether to go without the HTTP listener. Needs `enable_ssl`.
            disable_http: bool => Works,
            /// Whether to open the HTTPS listener.
            enable_ssl: bool => Works,
            /// Port of the HTTPS listener, on all addresses.
            ssl_port: u16 = 443 => Works,
            /// Whether HTTP/2 is spoken with clients over TLS and with backends that ask for it.
            enable_http2: bool = true => Works,
            /// Whether a client may also begin to speak HTTP/2 without TLS (prior knowledge, RFC 9113 section 3.3). Needs `enable_http2`.
            enable_http2_prior_knowledge: bool => Works,
            /// Whether an HTTP/1 response may flow while the request body is still being read.
            enable_http1_concurrent_read_write: bool => Works,
            /// Whether a PROXY protocol header may come before a connection's first byte, on both listeners.
            enable_proxy: bool => Works,
            /// Whose headers count, and whether there must be one.
            proxy_protocol: ProxyProtocol => Works,
            /// Status listeners: health, routes.
            status: Status => Works,
        }
        "Front-end TLS" {
            /// Certificates of the HTTPS listener; the first is served to clients without a matching server name.
            tls_pem: Vec<TlsPem> => Works,
            /// Colon-separated cipher suites for TLS 1.2, by OpenSSL or RFC name. Required with `enable_ssl`, not read without.
            cipher_suites: CipherSuites => Works,
            /// Lowest TLS version. Read only with `enable_ssl`.
            min_tls_version: MinTlsVersion => Works,
            /// Highest TLS version. Read only with `enable_ssl`.
            max_tls_version: MaxTlsVersion => Works,
            /// Whether clients are asked for a certificate (`request`: verified when given). Required with `enable_ssl`, not read without.
            client_cert_validation: ClientCertValidation => Works shown "empty",
            /// Certificates of the authorities that client certificates are verified against, one PEM text.
            client_ca_certs: String => Works,
            /// File with them, in place of `client_ca_certs`; watched.
            client_ca_certs_file: String => Works,
            /// Whether the system's authorities are left out when client certificates are verified.
            only_trust_client_ca_certs: bool => Works,
            /// Whether `verify_client_certificate_metadata` is applied.
            enable_verify_client_certificate_metadata: bool => Works,
            /// Which subjects a client certificate may have when its chain holds a certain authority.
            verify_client_certificate_metadata: Vec<MetadataRule> => Works,
            /// Hosts whose clients must show a certificate of authorities of their own. See route-policies.md.
            domains: Vec<Domain> => Works,
        }
        "Request headers" {
            /// What becomes of `X-Forwarded-Client-Cert`: passed on, passed on from clients with a certificate only, or set from the certificate.
            forwarded_client_cert: ForwardedClientCert => Works,
            /// Whether `X-Forwarded-Proto` is always `https`.
            force_forwarded_proto_https: bool => Works,
            /// Whether a client's `X-Forwarded-Proto` is replaced.
            sanitize_forwarded_proto: bool => Works,
            /// Header names that a client's `Connection` header cannot remove.
            hop_by_hop_headers_to_filter: Vec<String> => Works,
            /// Largest request head in bytes; values below 1 or above 1 MiB are 1 MiB.
            max_request_header_bytes: usize = 1 << 20 => Works also "max_header_bytes" shown "1048576",
            /// Most header lines of a request; 0 is no limit.
            max_request_headers: usize => Works,
            /// Distributed tracing headers.
            tracing: Tracing => Works,
            /// Value of `X-Vcap-Trace` that turns on trace headers in the response; empty is off.
            trace_key: String => Works,
            /// `User-Agent` of requests that are answered as health checks on any path.
            healthcheck_user_agent: String = "HTTP-Monitor/1.1".to_owned() => Works,
        }
        "Responses" {
            /// Largest response head in bytes; 0 is 10 MiB.
            max_response_header_bytes: usize => Works,
            /// Most header lines of a response; 0 is no limit.
            max_response_headers: usize => Works,
            /// Changes to response headers.
            http_rewrite: HttpRewrite => Works,
            /// Template for the router's own error pages: a subset of Go's html/template language, see error-pages.md.
            html_error_template_file: String => Works,
        }
        "Routing" {
            /// Isolation segments that this router serves.
            isolation_segments: Vec<String> => Works,
            /// Which registrations are taken: all, only those of the segments, or those of the segments and the ones without.
            routing_table_sharding_mode: ShardingMode => Works,
            /// How an endpoint is chosen where a route does not say.
            balancing_algorithm: BalancingAlgorithm => Works,
            /// Whether endpoints in the router's own zone go first.
            balancing_algorithm_az_preference: AzPreference => Works,
            /// How new and failing endpoints are treated.
            balancing: Balancing => Works,
            /// Limits of routes whose registrations say nothing of them.
            route_options: RouteOptions => Works,
            /// Whether a route without endpoints answers 503 instead of 404.
            empty_pool_response_code_503: bool => Works,
            /// How long a route without endpoints is kept for that answer.
            empty_pool_timeout: Duration => Works,
        }
        "Registrations" {
            /// The message bus that registrations arrive on.
            nats: Nats => Works,
            /// Interval of pings to NATS; two without an answer end the connection.
            nats_client_ping_interval: Duration = secs(20) => Works,
            /// Whether routes stay while NATS cannot be reached.
            suspend_pruning_if_nats_unavailable: bool => Works,
            /// Interval at which stale endpoints are removed; 0 is never.
            prune_stale_droplets_interval: Duration = secs(30) => Works,
            /// Longest time that an endpoint stays without being registered again; at least `start_response_delay_interval`.
            droplet_stale_threshold: Duration = secs(120) => Works,
            /// Wait between subscribing and opening the listeners; also the registration interval that is asked for.
            start_response_delay_interval: Duration = secs(5) => Works,
            /// Interval of `router.active_apps` messages; 0 is never.
            publish_active_apps_interval: Duration => Works,
            /// Interval of repeated `router.start` messages.
            publish_start_message_interval: Duration = secs(30) => Accepted("`router.start` is sent at every connection only"),
            /// The Routing API as a source of routes.
            routing_api: RoutingApi => Works,
            /// Where tokens for the Routing API come from.
            oauth: Oauth => Works,
            /// Attempts to get a token.
            token_fetcher_max_retries: u32 = 3 => Works,
            /// Wait between attempts to get a token.
            token_fetcher_retry_interval: Duration = secs(5) => Works,
            /// Seconds before its expiry at which a token is fetched anew.
            token_fetcher_expiration_buffer_time: usize = 30 => Works,
        }
        "Backends" {
            /// Attempts, connections and client identity.
            backends: Backends => Works,
            /// Authorities trusted for backends and route services beside the system's, one PEM text each.
            ca_certs: Vec<String> => Works,
            /// File with more of them, beside those in `ca_certs`; watched.
            ca_certs_file: String => Works,
            /// Whether a connection to a backend is closed after each request.
            disable_keep_alives: bool = true => Works,
            /// Idle connections kept in all; in effect for each endpoint.
            max_idle_conns: usize = 100 => Works,
            /// Idle connections kept for each endpoint.
            max_idle_conns_per_host: usize = 2 => Works,
            /// Interval of TCP keep-alive probes to backends.
            endpoint_keep_alive_probe_interval: Duration = secs(1) => Works,
            /// Whether connections are kept after requests with `Expect: 100-continue`.
            keep_alive_100_continue_requests: bool => Works,
        }
        "Timeouts" {
            /// Longest time for one attempt, body included; 0 is no limit.
            endpoint_timeout: Duration = secs(60) => Works,
            /// The same for HTTP/1 clients; 0 is `endpoint_timeout`.
            http_1_endpoint_timeout: Duration => Works,
            /// The same for HTTP/2 clients; 0 is `endpoint_timeout`.
            http_2_endpoint_timeout: Duration => Works,
            /// Time to connect to a backend.
            endpoint_dial_timeout: Duration = secs(5) => Works,
            /// Time to connect for a WebSocket; 0 is `endpoint_dial_timeout`.
            websocket_dial_timeout: Duration = secs(5) => Accepted("`endpoint_dial_timeout` holds for WebSockets too") shown "as `endpoint_dial_timeout`",
            /// Time for the TLS handshake with a backend.
            tls_handshake_timeout: Duration = secs(10) => Works,
            /// How long an idle client connection is kept.
            frontend_idle_timeout: Duration = secs(900) => Works,
            /// Time to receive a request's head; 0 is no limit.
            read_header_timeout: Duration => Works,
        }
        "Shutdown" {
            /// How long a drain goes on serving new requests with health already failing.
            drain_wait: Duration => Works,
            /// How long requests in flight may take after that; 0 is `endpoint_timeout`.
            drain_timeout: Duration = secs(60) => Works shown "as `endpoint_timeout`",
            /// How the next process takes over.
            upgrade: Upgrade => Works,
            /// How long a load balancer needs to see the router as healthy.
            load_balancer_healthy_threshold: Duration => Accepted("the supervisor does the waiting"),
        }
        "Sticky sessions" {
            /// Whether the router's session cookie is always `Secure`.
            secure_cookies: bool => Works,
            /// Cookies of apps that start a sticky session. A list replaces the default.
            sticky_session_cookie_names: Vec<String> = vec!["JSESSIONID".to_owned()] => Works,
            /// Whether `Authorization: Negotiate` starts one too.
            sticky_sessions_for_auth_negotiate: bool => Works,
        }
        "Route services" {
            /// Secret that signs requests to route services; without it they are off.
            route_services_secret: String => Works,
            /// Former secret, accepted still.
            route_services_secret_decrypt_only: String => Works,
            /// How long a signature is valid.
            route_services_timeout: Duration = secs(60) => Works,
            /// Whether the URL given to a route service begins with https.
            route_services_recommend_https: bool => Works,
            /// Whether route services that are apps of this router are called without leaving it.
            route_services_hairpinning: bool => Works,
            /// Hosts for which that is done: a name, or `*.` and a name; empty is all.
            route_services_hairpinning_allowlist: Vec<String> => Works,
            /// Port for those calls.
            route_services_internal_server_port: u16 = 7070 => Accepted("such calls stay in the process and need no port"),
            /// Attempts, signature checks and client identity.
            route_services: RouteServices => Works,
            /// Whether certificates of route services go unverified. Backends are always verified.
            skip_ssl_validation: bool => Works,
        }
        "Logs and metrics" {
            /// Request headers to add to the access log.
            extra_headers_to_log: Vec<String> => Works,
            /// The metrics listener.
            prometheus: Prometheus => Works,
            /// Whether latency, lookup and router time are measured for each request.
            per_request_metrics_reporting: bool = true => Works,
            /// Whether `http_latency_seconds` is kept for each app.
            per_app_prometheus_http_metrics_reporting: bool => Works,
            /// Whether metrics go to metron as version 1 envelopes.
            enable_envelope_v1_metrics: bool = true => Works,
            /// Whether an HttpStartStop envelope is sent for each request.
            send_http_start_stop_server_event: bool = true => Works,
            /// Whether an HttpStartStop envelope is sent for each attempt.
            send_http_start_stop_client_event: bool = true => Works,
            /// How long after the start the registration latency is left out of the envelopes; `/metrics` has it at once.
            route_latency_metric_muzzle_duration: Duration = secs(20) => Works,
            /// Interval of health polls.
            healthcheck_poll_interval: Duration = secs(10) => Accepted("nothing reads it"),
            /// Time-out of health polls.
            healthcheck_timeout: Duration = secs(5) => Accepted("nothing reads it"),
        }
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Config {
    /// How many worker threads to run: `go_max_procs`, or the CPUs of this machine.
    pub fn workers(&self) -> usize {
        match usize::try_from(self.go_max_procs) {
            Ok(count) if count > 0 => count,
            _ => Config::cpus(),
        }
    }

    /// The CPUs that this process may use.
    pub fn cpus() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}
