//! The metrics as the scrape format has them: families of samples, sorted by name.

use prometheus::proto::{
    Counter, Gauge as GaugeValue, Histogram, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use super::cell::get;
use super::counters::{Count, STATUS_GROUPS};
use super::histogram::{Bounds, Total};
use super::names::{self, Metric};
use super::registrations::{Action, Totals as RegistryTotals};
use super::registry::{Gauge, Metrics};

/// Everything there is at this moment. A family without a sample is left out.
pub(super) fn families(metrics: &Metrics) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    data_path(metrics, &mut families);
    registry(metrics, &mut families);
    for (gauge, metric) in Gauge::ALL {
        let mut value = GaugeValue::default();
        value.set_value(metrics.gauge(gauge) as f64);
        families.push(family(
            metric,
            MetricType::GAUGE,
            vec![Sample::from_gauge(value)],
        ));
    }
    let losses = &metrics.losses;
    families.push(counter(names::LOG_DROPPED, losses.dropped_records()));
    families.push(counter(names::LOG_FAILED, losses.failed_records()));
    let causes = [("encoding", get(&metrics.failed_scrapes)), ("gathering", 0)];
    families.push(counters(
        names::HANDLER_ERRORS,
        causes.map(|(cause, value)| (vec![label("cause", cause)], value)),
    ));
    families.retain(|family| !family.get_metric().is_empty());
    families.sort_by(|a, b| a.name().cmp(b.name()));
    families
}

fn data_path(metrics: &Metrics, families: &mut Vec<MetricFamily>) {
    let totals = metrics.data_path.totals();
    let scope = metrics.data_path.scope();
    families.extend(Count::ALL.map(|(count, metric)| counter(metric, totals.count(count))));
    let responses = STATUS_GROUPS.iter().zip(totals.responses());
    let responses = responses.map(|(group, &value)| (vec![label("status_group", group)], value));
    families.push(counters(names::RESPONSES, responses));
    let requests = totals
        .components
        .iter()
        .filter(|(_, (requests, _))| *requests > 0);
    let requests =
        requests.map(|(name, (requests, _))| (vec![label("component", name)], *requests));
    families.push(counters(names::TOTAL_REQUESTS, requests));
    if scope.per_request {
        let latency = totals
            .components
            .iter()
            .map(|(name, (_, latency))| (vec![label("component", name)], latency));
        families.push(histograms(
            names::LATENCY,
            &scope.latency,
            latency.filter(|(_, total)| total.count() > 0),
        ));
        families.push(histograms(
            names::ROUTE_LOOKUP_TIME,
            &scope.route_lookup,
            [(vec![], &totals.route_lookup)],
        ));
        families.push(histograms(
            names::GOROUTER_TIME,
            &scope.gorouter,
            [(vec![], &totals.gorouter)],
        ));
    }
    let apps = totals
        .apps
        .iter()
        .map(|(name, total)| (vec![label("source_id", name)], total));
    families.push(histograms(names::HTTP_LATENCY, &scope.http_latency, apps));
}

fn registry(metrics: &Metrics, families: &mut Vec<MetricFamily>) {
    let totals = metrics.registrations.totals();
    let components = &totals.components;
    let registered = components.iter().flat_map(|(name, cells)| {
        Action::ALL.map(|(action, shown)| {
            (
                vec![label("action", shown), label("component", name)],
                RegistryTotals::registered(cells, action),
            )
        })
    });
    families.push(counters(
        names::REGISTRY_MESSAGE,
        registered.filter(|(_, value)| *value > 0),
    ));
    let unregistered = components.iter().map(|(name, cells)| {
        (
            vec![label("component", name)],
            RegistryTotals::unregistered(cells),
        )
    });
    families.push(counters(
        names::UNREGISTRY_MESSAGE,
        unregistered.filter(|(_, value)| *value > 0),
    ));
    families.push(counter(names::ROUTES_PRUNED, totals.pruned));
    let bounds = metrics.registrations.bounds();
    families.push(histograms(
        names::ROUTE_REGISTRATION_LATENCY,
        bounds,
        [(vec![], &totals.latency)],
    ));
}

fn counter(metric: Metric, value: u64) -> MetricFamily {
    counters(metric, [(vec![], value)])
}

fn counters(
    metric: Metric,
    values: impl IntoIterator<Item = (Vec<LabelPair>, u64)>,
) -> MetricFamily {
    let samples = values.into_iter().map(|(labels, value)| {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut sample = Sample::from_label(labels);
        sample.set_counter(counter);
        sample
    });
    family(metric, MetricType::COUNTER, samples.collect())
}

fn histograms<'a>(
    metric: Metric,
    bounds: &Bounds,
    totals: impl IntoIterator<Item = (Vec<LabelPair>, &'a Total)>,
) -> MetricFamily {
    let samples = totals.into_iter().map(|(labels, total)| {
        let shown: Histogram = total.shown(bounds);
        let mut sample = Sample::from_label(labels);
        sample.set_histogram(shown);
        sample
    });
    family(metric, MetricType::HISTOGRAM, samples.collect())
}

fn family(metric: Metric, kind: MetricType, samples: Vec<Sample>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}
