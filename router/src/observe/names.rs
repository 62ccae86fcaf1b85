//! The names of all metrics, and what they tell (spec 11).

/// Name and help text of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name as scraped.
    pub name: &'static str,
    /// What it tells, in a sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($(#[doc = $doc:literal] $id:ident = $name:literal, $help:literal;)*) => {
        $(#[doc = $doc] pub const $id: Metric = Metric { name: $name, help: $help };)*
        /// All of them, each with its type, unit and labels.
        #[cfg(test)]
        const ALL: &[(Metric, &str)] = &[$(($id, $doc)),*];
    };
}

metrics! {
    // Fed by the data path.

    /// Counter: component.
    TOTAL_REQUESTS = "total_requests", "Attempts to send a request to an endpoint, by the endpoint's component tag.";
    /// Counter.
    REJECTED_REQUESTS = "rejected_requests", "Requests that no route answers for.";
    /// Counter.
    BAD_GATEWAYS = "bad_gateways", "Requests that ended with 502 because every attempt failed.";
    /// Counter.
    EMPTY_CONTENT_LENGTH_HEADER = "empty_content_length_header", "Requests with an empty Content-Length header.";
    /// Counter.
    BACKEND_INVALID_ID = "backend_invalid_id", "Attempts that met a backend with another identity than registered.";
    /// Counter.
    BACKEND_INVALID_TLS_CERT = "backend_invalid_tls_cert", "Attempts that met a backend whose certificate did not verify.";
    /// Counter.
    BACKEND_TLS_HANDSHAKE_FAILED = "backend_tls_handshake_failed", "Attempts whose TLS handshake with the backend failed.";
    /// Counter.
    BACKEND_EXHAUSTED_CONNS = "backend_exhausted_conns", "Requests refused because all endpoints had their most connections.";
    /// Counter.
    WEBSOCKET_UPGRADES = "websocket_upgrades", "WebSocket requests that a backend answered.";
    /// Counter.
    WEBSOCKET_FAILURES = "websocket_failures", "WebSocket requests that failed.";
    /// Counter.
    CONCURRENCY_LIMITED = "concurrency_limited_requests", "Requests refused with 503 because their route has the most requests under way that it may have.";
    /// Counter.
    RATE_LIMITED = "rate_limited_requests", "Requests refused with 429 because their route got too many lately.";
    /// Counter.
    CLIENT_RATE_LIMITED = "client_rate_limited_requests", "Requests refused with 429 because their client has sent their route too many lately.";
    /// Counter.
    OVERSIZED_BODIES = "oversized_request_bodies", "Requests refused or broken off because their content is larger than their route takes.";
    /// Counter.
    RETRIES_DENIED = "retries_denied", "Requests that were not sent again because the retry budget of their route was spent.";
    /// Counter.
    ENDPOINTS_EJECTED = "endpoints_ejected", "Times that an endpoint was left out for failing again and again.";
    /// Counter: status_group.
    RESPONSES = "responses", "Responses to requests that had an endpoint, by the first digit of their status.";
    /// Counter: status_group.
    RESPONSES_ROUTE_SERVICES = "responses_route_services", "Responses of route services, by the first digit of their status.";
    /// Gauge or histogram, milliseconds: component.
    LATENCY = "latency", "Time from a request's arrival to the end of its response, in milliseconds, by the endpoint's component tag.";
    /// Gauge or histogram, nanoseconds.
    ROUTE_LOOKUP_TIME = "route_lookup_time", "Time to find the route of a request, in nanoseconds.";
    /// Gauge or histogram, seconds.
    GOROUTER_TIME = "gorouter_time", "The part of a request's time that the router itself took, in seconds.";
    /// Gauge or histogram, seconds: source_id.
    HTTP_LATENCY = "http_latency_seconds", "Time from a request's arrival to the end of its response, in seconds, by the endpoint's source_id tag.";

    // Fed by the control plane.

    /// Counter: component, action.
    REGISTRY_MESSAGE = "registry_message", "Registrations of an endpoint for a route, by component and by what they came to.";
    /// Counter: component.
    UNREGISTRY_MESSAGE = "unregistry_message", "Unregistrations of an endpoint for a route, by component.";
    /// Counter.
    ROUTES_REGISTERED = "routes_registered", "Routes that got their first endpoint.";
    /// Counter.
    ROUTES_UNREGISTERED = "routes_unregistered", "Routes that went with the unregistration of their last endpoint.";
    /// Counter.
    ROUTES_PRUNED = "routes_pruned", "Endpoints removed because nothing had renewed them in time.";
    /// Counter.
    OPTIONS_IGNORED = "route_options_ignored", "Options of registrations that nobody knows, or whose value cannot be read.";
    /// Gauge: lb_algorithm, route.
    ENDPOINTS_PER_POOL = "endpoints_per_pool", "Endpoints of each route that is balanced by hash.";
    /// Gauge.
    TOTAL_ROUTES = "total_routes", "Routes in the table.";
    /// Gauge, milliseconds.
    MS_SINCE_LAST_REGISTRY_UPDATE = "ms_since_last_registry_update", "Milliseconds since the last registration; -1 before the first.";
    /// Gauge or histogram, milliseconds.
    ROUTE_REGISTRATION_LATENCY = "route_registration_latency", "Time from an endpoint's update to its arrival in the table, in milliseconds, of new endpoints.";
    /// Gauge.
    FILE_DESCRIPTORS = "file_descriptors", "Open file descriptors of the process.";
    /// Gauge.
    BUFFERED_MESSAGES = "buffered_messages", "NATS messages that wait to be processed.";
    /// Gauge.
    TOTAL_DROPPED_MESSAGES = "total_dropped_messages", "NATS messages dropped because processing fell behind.";
    /// Gauge, seconds.
    UPTIME = "uptime", "Seconds since the process started.";
    /// Counter: cause.
    HANDLER_ERRORS = "promhttp_metric_handler_errors_total", "Scrapes that failed, by cause.";

    // Fed by the Routing API's client; GoRouter sends these to metron only.

    /// Counter.
    TOKEN_FETCH_ERRORS = "token_fetch_errors", "Times that no token could be had from the UAA, all tries taken together.";
    /// Counter.
    SUBSCRIBE_EVENTS_ERRORS = "subscribe_events_errors", "Times that the Routing API's events could not be subscribed to, all tries taken together.";

    // Fed by changes of certificates and configuration; GoRouter has no counterpart.

    /// Gauge, days: key, name.
    CERTIFICATE_DAYS_LEFT = "certificate_days_left", "Days until a certificate expires, of each key the one that expires first; negative afterwards.";
    /// Counter: result.
    CERTIFICATE_RELOADS = "certificate_reloads", "Changes of files with certificates, keys and authorities, by whether they are in force or were refused.";
    /// Counter: result.
    CONFIG_RELOADS = "config_reloads", "Changes of the configuration by SIGHUP, by whether they are in force or were refused.";

    // Fed by the access log; GoRouter has no counterpart.

    /// Counter.
    LOG_DROPPED = "access_log_dropped_records", "Access log records dropped because the log thread was too far behind.";
    /// Counter.
    LOG_FAILED = "access_log_failed_records", "Access log records that could not be written to the file.";
    /// Counter.
    LOG_UNSTREAMED = "access_log_unstreamed_records", "Access log records that were not streamed because the syslog server was away or too slow.";

    // Fed by what is sent to Loggregator; GoRouter has no counterpart.

    /// Counter.
    ENVELOPES_LOST = "loggregator_lost_envelopes", "Envelopes for Loggregator that could not be sent to metron's address.";
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const INTRODUCTION: &str = "\
# Metrics of the HTTP router

<!-- Generated from router/src/observe/names.rs. To renew it: UPDATE_DOCS=1 cargo test -p cloverleaf-router metrics_page -->

`http://127.0.0.1:PORT/metrics` with `prometheus.port: PORT`. With `prometheus.cert_path`, `key_path` and `ca_path` the
listener is on all addresses, speaks TLS, and lets in only clients with a certificate of an authority in `ca_path`.

Names, units and labels are GoRouter's. Times are gauges with the latest value, as in GoRouter since 2026; with
`prometheus.meters` in the configuration (or `prometheus.histograms: true`) they are histograms, as before. The `action` of
`registry_message` is `added`, `updated` (something changed), `refreshed` (nothing did) or `unmodified` (the message was
older than what is known). A metric with a label appears with its first value.

| Name | Type, unit: labels | Meaning |
|---|---|---|
";

    const MISSING: &str = "
`empty_content_length_header` stays 0: such a request is refused with 400 before it is counted, as with GoRouter's newer
releases.

Only here, not in GoRouter: `uptime`, `endpoints_ejected`, `retries_denied`, `route_options_ignored`,
`concurrency_limited_requests`, `rate_limited_requests`, `client_rate_limited_requests`, `oversized_request_bodies`,
`token_fetch_errors`, `subscribe_events_errors`, `certificate_days_left`, `certificate_reloads`, `config_reloads`,
`loggregator_lost_envelopes` and the three `access_log_...` counters.
";

    fn page() -> String {
        let mut rows: Vec<String> = ALL
            .iter()
            .map(|(Metric { name, help }, kind)| {
                format!(
                    "| `{name}` | {} | {help} |\n",
                    kind.trim().trim_end_matches('.')
                )
            })
            .collect();
        rows.sort_unstable();
        format!("{INTRODUCTION}{}{MISSING}", rows.concat())
    }

    #[test]
    fn metrics_page_is_up_to_date() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&file, page()).unwrap();
        }
        let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            checked_in == page(),
            "docs/metrics.md differs from the names; renew it with UPDATE_DOCS=1"
        );
    }

    #[test]
    fn names_are_unique_and_help_is_a_sentence() {
        let mut names: Vec<_> = ALL.iter().map(|(metric, _)| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for (Metric { name, help }, _) in ALL {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{name}"
            );
            assert!(
                help.ends_with('.') && help.starts_with(char::is_uppercase),
                "{name}: {help}"
            );
        }
    }
}
