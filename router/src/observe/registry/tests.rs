use super::*;
use crate::observe::counters::Count;

fn metrics() -> Metrics {
    Metrics::new(&Config::default(), Instant::now())
}

/// As with `prometheus.meters` in the configuration.
fn histograms() -> Metrics {
    let mut config = Config::default();
    config.prometheus.histograms = true;
    Metrics::new(&config, Instant::now())
}

/// What is scraped, without comments, file descriptors and uptime.
fn samples(metrics: &Metrics) -> Vec<String> {
    let text = metrics.render().unwrap();
    let varies = |line: &&str| line.starts_with("file_descriptors ") || line.starts_with("uptime ");
    text.lines()
        .filter(|line| !line.starts_with('#') && !varies(line))
        .map(str::to_owned)
        .collect()
}

fn sample(metrics: &Metrics, name: &str) -> String {
    let samples = samples(metrics);
    let found = samples
        .iter()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("{name} not in {samples:#?}"))
        .to_owned()
}

/// R-289: what others look for, with a type, before anything has happened.
#[test]
fn metrics_without_a_label_are_there_from_the_start() {
    let text = metrics().render().unwrap();
    for (name, kind) in [
        ("promhttp_metric_handler_errors_total", "counter"),
        ("rejected_requests", "counter"),
        ("bad_gateways", "counter"),
        ("empty_content_length_header", "counter"),
        ("backend_invalid_id", "counter"),
        ("backend_invalid_tls_cert", "counter"),
        ("backend_tls_handshake_failed", "counter"),
        ("backend_exhausted_conns", "counter"),
        ("websocket_upgrades", "counter"),
        ("websocket_failures", "counter"),
        ("responses", "counter"),
        ("routes_pruned", "counter"),
        ("routes_registered", "counter"),
        ("routes_unregistered", "counter"),
        ("route_lookup_time", "gauge"),
        ("gorouter_time", "gauge"),
        ("route_registration_latency", "gauge"),
        ("total_routes", "gauge"),
        ("ms_since_last_registry_update", "gauge"),
        ("file_descriptors", "gauge"),
        ("buffered_messages", "gauge"),
        ("total_dropped_messages", "gauge"),
        ("access_log_dropped_records", "counter"),
        ("access_log_failed_records", "counter"),
        ("access_log_unstreamed_records", "counter"),
    ] {
        assert!(
            text.contains(&format!("\n# TYPE {name} {kind}\n")),
            "{name}"
        );
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
    assert!(text.contains("\npromhttp_metric_handler_errors_total{cause=\"encoding\"} 0\n"));
}

/// R-290, R-291
#[test]
fn a_rejected_request_is_no_response() {
    let metrics = metrics();
    metrics.worker().count(Count::RejectedRequests);
    assert_eq!(sample(&metrics, "rejected_requests"), "1");
    let responses: Vec<_> = samples(&metrics)
        .into_iter()
        .filter(|line| line.starts_with("responses{"))
        .collect();
    assert_eq!(responses.len(), 5);
    assert!(
        responses.iter().all(|line| line.ends_with(" 0")),
        "{responses:?}"
    );
}

/// Spec 14.7: what was measured last, in the metric's unit.
#[test]
fn times_are_gauges_of_the_latest_value() {
    let metrics = metrics();
    let (worker, other) = (metrics.worker(), metrics.worker());
    worker.latency("api", 200, 5_000_000);
    worker.latency("api", 200, 4_500_000);
    worker.route_lookup(25_000);
    worker.gorouter_time(1_000_000);
    metrics.registry().latency(600_000);
    for (name, value) in [
        ("latency{component=\"api\"}", "4.5"),
        ("route_lookup_time", "25000"),
        ("gorouter_time", "0.001"),
        ("route_registration_latency", "0.6"),
    ] {
        assert_eq!(sample(&metrics, name), value, "{name}");
    }
    other.latency("api", 200, 1_000_000);
    assert_eq!(sample(&metrics, "latency{component=\"api\"}"), "1");
    let text = metrics.render().unwrap();
    assert!(text.contains("\n# TYPE latency gauge\n"), "{text}");
}

#[test]
fn the_data_path_is_shown_with_its_labels() {
    let metrics = histograms();
    let worker = metrics.worker();
    worker.request("api");
    worker.request("api");
    worker.request("");
    worker.response(204);
    worker.latency("api", 200, 5_000_000);
    worker.route_lookup(25_000);
    worker.gorouter_time(1_000_000);
    for (name, value) in [
        ("total_requests{component=\"api\"}", "2"),
        ("total_requests{component=\"\"}", "1"),
        ("responses{status_group=\"2xx\"}", "1"),
        ("latency_bucket{component=\"api\",le=\"4\"}", "0"),
        ("latency_bucket{component=\"api\",le=\"6\"}", "1"),
        ("latency_bucket{component=\"api\",le=\"+Inf\"}", "1"),
        ("latency_sum{component=\"api\"}", "5"),
        ("latency_count{component=\"api\"}", "1"),
        ("route_lookup_time_bucket{le=\"20000\"}", "0"),
        ("route_lookup_time_bucket{le=\"30000\"}", "1"),
        ("gorouter_time_bucket{le=\"1\"}", "1"),
        ("gorouter_time_sum", "0.001"),
    ] {
        assert_eq!(sample(&metrics, name), value, "{name}");
    }
    assert!(
        !samples(&metrics)
            .iter()
            .any(|line| line.starts_with("latency_count{component=\"\""))
    );
}

#[test]
fn the_control_plane_is_shown_with_its_labels() {
    let metrics = histograms();
    assert_eq!(sample(&metrics, "ms_since_last_registry_update"), "-1");
    let registry = metrics.registry();
    registry.registered("emitter", Action::Added);
    registry.registered("emitter", Action::Refreshed);
    registry.registered("emitter", Action::Refreshed);
    registry.registered("emitter", Action::Unmodified);
    registry.route_registered();
    registry.route_unregistered();
    registry.route_unregistered();
    registry.unregistered("other");
    registry.pruned(3);
    registry.latency(600_000);
    metrics.set(Gauge::TotalRoutes, 7);
    for (name, value) in [
        (
            "registry_message{action=\"added\",component=\"emitter\"}",
            "1",
        ),
        (
            "registry_message{action=\"refreshed\",component=\"emitter\"}",
            "2",
        ),
        (
            "registry_message{action=\"unmodified\",component=\"emitter\"}",
            "1",
        ),
        ("routes_registered", "1"),
        ("routes_unregistered", "2"),
        ("unregistry_message{component=\"other\"}", "1"),
        ("routes_pruned", "3"),
        ("route_registration_latency_bucket{le=\"0.5\"}", "0"),
        ("route_registration_latency_bucket{le=\"1\"}", "1"),
        ("total_routes", "7"),
    ] {
        assert_eq!(sample(&metrics, name), value, "{name}");
    }
    let samples = samples(&metrics);
    assert!(
        !samples
            .iter()
            .any(|line| line.contains("updated") || line.contains("component=\"other\","))
    );
}

#[test]
fn labels_cannot_break_out_of_their_quotes() {
    let metrics = metrics();
    metrics.worker().request("a\"} 1\nx{y=\"\\");
    assert_eq!(
        sample(&metrics, r#"total_requests{component="a\"} 1\nx{y=\"\\"}"#),
        "1"
    );
}

#[test]
fn times_of_requests_are_left_out_when_they_are_not_counted() {
    let config = Config {
        per_request_metrics_reporting: false,
        ..Config::default()
    };
    let text = Metrics::new(&config, Instant::now()).render().unwrap();
    assert!(!text.contains("route_lookup_time") && !text.contains("gorouter_time"));
}
