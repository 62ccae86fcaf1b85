//! What the configuration wants counted.

use std::sync::Arc;

use super::super::histogram::{Bounds, unit};
use super::super::meter::Form;
use crate::config::Config;

/// What is counted, and in which buckets.
#[derive(Clone, Debug)]
pub(in crate::observe) struct Scope {
    /// `per_request_metrics_reporting`: the times of each request.
    pub(in crate::observe) per_request: bool,
    /// `per_app_prometheus_http_metrics_reporting`
    pub(in crate::observe) per_app: bool,
    /// Whether requests are counted by application: for `router.active_apps` and for the deprecated status server.
    pub(super) by_app: bool,
    /// Buckets of what only the deprecated status server shows; `None` while it is off.
    pub(in crate::observe) details: Option<Arc<Bounds>>,
    pub(in crate::observe) form: Form,
    pub(in crate::observe) latency: Arc<Bounds>,
    pub(in crate::observe) route_lookup: Arc<Bounds>,
    pub(in crate::observe) gorouter: Arc<Bounds>,
    pub(in crate::observe) http_latency: Arc<Bounds>,
}

impl Scope {
    pub(in crate::observe) fn new(config: &Config) -> Scope {
        let meters = &config.prometheus.meters;
        let status_server = config.status.enable_deprecated_varz_healthz_endpoints;
        Scope {
            per_request: config.per_request_metrics_reporting,
            per_app: config.per_app_prometheus_http_metrics_reporting,
            by_app: status_server || !config.publish_active_apps_interval.is_zero(),
            details: status_server.then(|| Bounds::new(unit::MILLISECOND, &fine())),
            form: match config.prometheus.histograms {
                true => Form::Histogram,
                false => Form::gauge(),
            },
            latency: Bounds::new(
                unit::MILLISECOND,
                &meters.routing_response_latency_histogram_buckets,
            ),
            route_lookup: Bounds::new(
                unit::NANOSECOND,
                &meters.route_lookup_time_histogram_buckets,
            ),
            gorouter: Bounds::new(unit::SECOND, &meters.gorouter_time_histogram_buckets),
            http_latency: Bounds::new(unit::SECOND, &meters.http_latency_histogram_buckets),
        }
    }
}

/// Each bucket a fifth wider than the one before, from 0.1 ms to a quarter of an hour: percentiles within a tenth.
fn fine() -> Vec<f64> {
    std::iter::successors(Some(0.1), |bound| Some(bound * 1.2))
        .take_while(|bound| *bound < 1e6)
        .collect()
}
