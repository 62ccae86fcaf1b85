//! The metrics that are told from time to time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Datagrams, Loggregator, now_ns};
use crate::observe::counters::{Count, STATUS_GROUPS};
use crate::observe::names;
use crate::observe::registrations::{Action, Totals};
use crate::observe::registry::{Gauge, Incident, Metrics};

/// Tells metron how the router's counters have grown.
#[derive(Debug)]
pub struct Reporter {
    metrics: Arc<Metrics>,
    to: Arc<Loggregator>,
    told: BTreeMap<String, u64>,
}

/// Components of this kind are applications on cells of an older kind.
const OF_CELLS: &str = "dea-";

impl Reporter {
    /// `None` where version 1 metrics are off.
    pub fn new(metrics: &Arc<Metrics>) -> Option<Reporter> {
        let to = metrics.loggregator().filter(|to| to.scope.metrics)?;
        Some(Reporter {
            metrics: Arc::clone(metrics),
            to,
            told: BTreeMap::new(),
        })
    }

    /// Tells how long the process has been running.
    pub fn uptime(&self) {
        let mut out = Datagrams::default();
        let seconds = self.metrics.uptime().as_secs_f64().floor();
        out.value(now_ns(), names::UPTIME.name.as_bytes(), seconds, "seconds");
        self.to.send(&out);
    }

    /// Tells all gauges, and the growth of all counters since the last time. Looks at the process's file descriptors, which
    /// may take milliseconds on old kernels: not for a worker.
    pub fn all(&mut self) {
        let now = now_ns();
        let mut out = Datagrams::default();
        self.metrics.count_descriptors();
        for (gauge, metric) in Gauge::ALL {
            let unit = match gauge {
                Gauge::TotalRoutes => "",
                Gauge::MsSinceLastRegistryUpdate => "ms",
                Gauge::BufferedMessages | Gauge::TotalDroppedMessages => "message",
                Gauge::FileDescriptors => "file",
                // Told more often.
                Gauge::Uptime => continue,
            };
            out.value(
                now,
                metric.name.as_bytes(),
                self.metrics.gauge(gauge) as f64,
                unit,
            );
        }
        for (name, total) in counters(&self.metrics) {
            let told = self.told.entry(name);
            let name = told.key().clone();
            let told = told.or_default();
            let grown = total.saturating_sub(*told);
            *told = total;
            if grown > 0 || is_told_at_zero(&name) {
                out.counter(now, &name, grown);
            }
        }
        self.to.send(&out);
    }
}

/// Those that dashboards expect though nothing has happened (spec 11).
fn is_told_at_zero(name: &str) -> bool {
    const ALWAYS: [&str; 16] = [
        "bad_gateways",
        "backend_exhausted_conns",
        "backend_invalid_id",
        "backend_invalid_tls_cert",
        "backend_tls_handshake_failed",
        "rejected_requests",
        "total_requests",
        "responses",
        "responses.2xx",
        "responses.3xx",
        "responses.4xx",
        "responses.5xx",
        "responses.xxx",
        "routed_app_requests",
        "routes_pruned",
        "websocket_upgrades",
    ];
    ALWAYS.contains(&name) || name == "websocket_failures"
}

/// All counters by their names of version 1, where labels are part of the name.
fn counters(metrics: &Metrics) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let data_path = metrics.data_path.totals();
    for (count, metric) in Count::ALL {
        all.insert(metric.name.to_owned(), data_path.count(count));
    }
    for (prefix, groups) in [
        ("responses", data_path.responses()),
        (
            "responses.route_services",
            data_path.route_service_responses(),
        ),
    ] {
        all.insert(prefix.to_owned(), groups.iter().sum());
        for (group, &value) in STATUS_GROUPS.iter().zip(groups) {
            all.insert(format!("{prefix}.{group}"), value);
        }
    }
    let (mut requests, mut of_cells) = (0, 0);
    for (component, total) in &data_path.components {
        requests += total.requests;
        if component.is_empty() {
            continue;
        }
        if component.starts_with(OF_CELLS) {
            of_cells += total.requests;
        }
        all.insert(format!("requests.{component}"), total.requests);
    }
    all.insert(names::TOTAL_REQUESTS.name.to_owned(), requests);
    all.insert("routed_app_requests".to_owned(), of_cells);
    registrations(&metrics.registrations.totals(), &mut all);
    for (incident, metric) in Incident::ALL {
        all.insert(metric.name.to_owned(), metrics.incidents(incident));
    }
    all
}

fn registrations(totals: &Totals, all: &mut BTreeMap<String, u64>) {
    all.insert(names::ROUTES_PRUNED.name.to_owned(), totals.pruned);
    for (component, cells) in &totals.components {
        let name = |metric: names::Metric| match component.as_str() {
            "" => metric.name.to_owned(),
            component => format!("{}.{component}", metric.name),
        };
        let registered = Action::ALL.map(|(action, _)| Totals::registered(cells, action));
        all.insert(name(names::REGISTRY_MESSAGE), registered.iter().sum());
        all.insert(name(names::UNREGISTRY_MESSAGE), Totals::unregistered(cells));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::Config;

    #[test]
    fn labels_become_part_of_the_name() {
        let metrics = Metrics::new(&Config::default(), Instant::now());
        let worker = metrics.worker();
        worker.request("");
        worker.request("dea-1");
        worker.request("api");
        worker.response(204);
        worker.route_service_response(500);
        let registry = metrics.registry();
        registry.registered("", Action::Added);
        registry.registered("api", Action::Added);
        registry.registered("api", Action::Unmodified);
        registry.unregistered("api");
        registry.pruned(3);
        metrics.incident(Incident::TokenFetch);
        let all = counters(&metrics);
        for (name, value) in [
            ("total_requests", 3),
            ("requests.api", 1),
            ("requests.dea-1", 1),
            ("routed_app_requests", 1),
            ("responses", 1),
            ("responses.2xx", 1),
            ("responses.4xx", 0),
            ("responses.route_services", 1),
            ("responses.route_services.5xx", 1),
            ("registry_message", 1),
            ("registry_message.api", 2),
            ("unregistry_message.api", 1),
            ("routes_pruned", 3),
            ("token_fetch_errors", 1),
            ("bad_gateways", 0),
        ] {
            assert_eq!(all.get(name), Some(&value), "{name}");
        }
        assert!(!all.contains_key("requests."));
    }
}
