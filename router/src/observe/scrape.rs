//! The metrics as the scrape format has them: families of samples, sorted by name.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::{
    Counter, Gauge as GaugeValue, LabelPair, Metric as Sample, MetricFamily, MetricType,
};

use super::cell::get;
use super::counters::{Count, STATUS_GROUPS};
use super::histogram::Bounds;
use super::meter::{Form, Measured};
use super::names::{self, Metric};
use super::registrations::{Action, Totals as RegistryTotals};
use super::registry::{Gauge, Incident, Metrics};
use super::reloads::{Outcome, Reload, Reloads};

/// Everything there is at this moment. A family without a sample is left out.
pub(super) fn families(metrics: &Metrics) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    data_path(metrics, &mut families);
    registry(metrics, &mut families);
    for (which, metric) in Gauge::ALL {
        let sample = Sample::from_gauge(gauge(metrics.gauge(which) as f64));
        families.push(family(metric, MetricType::GAUGE, vec![sample]));
    }
    families.extend(
        Incident::ALL.map(|(incident, metric)| counter(metric, metrics.incidents(incident))),
    );
    let losses = &metrics.losses;
    families.push(counter(names::LOG_DROPPED, losses.dropped_records()));
    families.push(counter(names::LOG_FAILED, losses.failed_records()));
    families.push(counter(names::LOG_UNSTREAMED, losses.unstreamed_records()));
    if let Some(loggregator) = metrics.loggregator() {
        families.push(counter(names::ENVELOPES_LOST, loggregator.lost()));
    }
    reloads(&metrics.reloads, &mut families);
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
    for (metric, responses) in [
        (names::RESPONSES, totals.responses()),
        (
            names::RESPONSES_ROUTE_SERVICES,
            totals.route_service_responses(),
        ),
    ] {
        let by_group = STATUS_GROUPS.iter().zip(responses);
        let by_group = by_group.map(|(group, &value)| (vec![label("status_group", group)], value));
        families.push(counters(metric, by_group));
    }
    let requests = totals
        .components
        .iter()
        .filter(|(_, total)| total.requests > 0)
        .map(|(name, total)| (vec![label("component", name)], total.requests));
    families.push(counters(names::TOTAL_REQUESTS, requests));
    let form = &scope.form;
    if scope.per_request {
        let latency = totals
            .components
            .iter()
            .filter(|(_, total)| !total.latency.is_empty())
            .map(|(name, total)| (vec![label("component", name)], &total.latency));
        families.push(meters(names::LATENCY, form, &scope.latency, latency));
        for (metric, bounds, measured) in [
            (
                names::ROUTE_LOOKUP_TIME,
                &scope.route_lookup,
                &totals.route_lookup,
            ),
            (names::GOROUTER_TIME, &scope.gorouter, &totals.gorouter),
        ] {
            families.push(meters(metric, form, bounds, [(vec![], measured)]));
        }
    }
    let apps = totals
        .apps
        .iter()
        .map(|(name, measured)| (vec![label("source_id", name)], measured));
    families.push(meters(names::HTTP_LATENCY, form, &scope.http_latency, apps));
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
    families.push(endpoints_per_pool(metrics));
    families.push(counter(names::ROUTES_PRUNED, totals.pruned));
    families.push(counter(names::ROUTES_REGISTERED, totals.routes_registered));
    families.push(counter(
        names::ROUTES_UNREGISTERED,
        totals.routes_unregistered,
    ));
    families.push(counter(names::OPTIONS_IGNORED, totals.options_ignored));
    families.push(meters(
        names::ROUTE_REGISTRATION_LATENCY,
        &metrics.data_path.scope().form,
        metrics.registrations.bounds(),
        [(vec![], &totals.latency)],
    ));
}

/// The only algorithm whose pools GoRouter shows is `hash` (14.7).
fn endpoints_per_pool(metrics: &Metrics) -> MetricFamily {
    let sizes = metrics.registrations.sizes();
    let samples = sizes.iter().map(|(route, size)| {
        let mut sample =
            Sample::from_label(vec![label("lb_algorithm", "hash"), label("route", route)]);
        sample.set_gauge(gauge(*size as f64));
        sample
    });
    let samples = samples.collect();
    family(names::ENDPOINTS_PER_POOL, MetricType::GAUGE, samples)
}

fn reloads(reloads: &Reloads, families: &mut Vec<MetricFamily>) {
    for (metric, reload) in [
        (names::CERTIFICATE_RELOADS, Reload::Files),
        (names::CONFIG_RELOADS, Reload::Config),
    ] {
        let counted = Outcome::ALL.map(|(outcome, result)| {
            let value = reloads.counted(reload, outcome);
            (vec![label("result", result)], value)
        });
        families.push(counters(metric, counted));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let lives = reloads.certificates();
    let samples = lives.iter().map(|life| {
        let labels = vec![label("key", &life.key), label("name", &life.name)];
        let mut sample = Sample::from_label(labels);
        sample.set_gauge(gauge(life.days_left(now)));
        sample
    });
    let metric = names::CERTIFICATE_DAYS_LEFT;
    families.push(family(metric, MetricType::GAUGE, samples.collect()));
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

/// Gauges of the latest values, or histograms of all of them.
fn meters<'a>(
    metric: Metric,
    form: &Form,
    bounds: &Bounds,
    measured: impl IntoIterator<Item = (Vec<LabelPair>, &'a Measured)>,
) -> MetricFamily {
    let samples = measured.into_iter().map(|(labels, measured)| {
        let mut sample = Sample::from_label(labels);
        match form {
            Form::Gauge(_) => sample.set_gauge(gauge(bounds.in_unit(measured.latest_ns))),
            Form::Histogram => sample.set_histogram(measured.histogram.shown(bounds)),
        }
        sample
    });
    let kind = match form {
        Form::Gauge(_) => MetricType::GAUGE,
        Form::Histogram => MetricType::HISTOGRAM,
    };
    family(metric, kind, samples.collect())
}

fn gauge(value: f64) -> GaugeValue {
    let mut gauge = GaugeValue::default();
    gauge.set_value(value);
    gauge
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
