//! All metrics of the process, and how they are scraped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::TextEncoder;

use super::counters::{Counters, Scope, WorkerCounters};
use super::histogram::{Bounds, unit};
use super::loggregator::Loggregator;
use super::losses::Losses;
use super::names::{self, Metric};
use super::registrations::Registrations;
use super::reloads::Reloads;
use super::summary::Summary;
use super::{descriptors, scrape};
use crate::config::Config;

pub use super::registrations::{Action, RegistryCounters};

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    pub(super) data_path: Counters,
    pub(super) registrations: Registrations,
    pub(super) losses: Arc<Losses>,
    loggregator: Option<Arc<Loggregator>>,
    gauges: [AtomicI64; Gauge::ALL.len()],
    incidents: [AtomicU64; Incident::ALL.len()],
    pub(super) failed_scrapes: AtomicU64,
    /// Changes of certificates and configuration.
    pub reloads: Reloads,
}

/// Numbers that go up and down, set by whoever knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// Routes in the table.
    TotalRoutes,
    /// Milliseconds since the last registration; -1 before the first.
    MsSinceLastRegistryUpdate,
    /// Messages of the bus that wait to be handled.
    BufferedMessages,
    /// Messages of the bus that were dropped.
    TotalDroppedMessages,
    /// Open file descriptors; a scrape sets it.
    FileDescriptors,
    /// Seconds since the start; a scrape sets it.
    Uptime,
}

impl Gauge {
    pub(super) const ALL: [(Gauge, Metric); 6] = [
        (Gauge::TotalRoutes, names::TOTAL_ROUTES),
        (
            Gauge::MsSinceLastRegistryUpdate,
            names::MS_SINCE_LAST_REGISTRY_UPDATE,
        ),
        (Gauge::BufferedMessages, names::BUFFERED_MESSAGES),
        (Gauge::TotalDroppedMessages, names::TOTAL_DROPPED_MESSAGES),
        (Gauge::FileDescriptors, names::FILE_DESCRIPTORS),
        (Gauge::Uptime, names::UPTIME),
    ];
}

/// What the control plane meets with other services, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// There was no token to be had.
    TokenFetch,
    /// The events of the Routing API could not be subscribed to.
    SubscribeEvents,
}

impl Incident {
    pub(super) const ALL: [(Incident, Metric); 2] = [
        (Incident::TokenFetch, names::TOKEN_FETCH_ERRORS),
        (Incident::SubscribeEvents, names::SUBSCRIBE_EVENTS_ERRORS),
    ];
}

impl Metrics {
    /// Metrics as `config` wants them. `started` is when the process was.
    pub fn new(config: &Config, started: Instant) -> Metrics {
        let buckets = &config
            .prometheus
            .meters
            .route_registration_latency_histogram_buckets;
        let scope = Scope::new(config);
        let form = scope.form.clone();
        let metrics = Metrics {
            started,
            data_path: Counters::new(scope),
            registrations: Registrations::new(Bounds::new(unit::MILLISECOND, buckets), form),
            losses: Arc::default(),
            loggregator: Loggregator::new(config, started),
            gauges: Default::default(),
            incidents: Default::default(),
            failed_scrapes: AtomicU64::new(0),
            reloads: Reloads::default(),
        };
        metrics.set(Gauge::MsSinceLastRegistryUpdate, -1);
        metrics
    }

    /// Counters for a new worker.
    pub fn worker(&self) -> WorkerCounters {
        self.data_path.worker()
    }

    /// Counters for the task that changes the table.
    pub fn registry(&self) -> RegistryCounters {
        self.registrations.counters(self.loggregator())
    }

    /// What the access log lost, for [`AccessLog::start`](super::access_log::AccessLog::start).
    pub fn losses(&self) -> Arc<Losses> {
        Arc::clone(&self.losses)
    }

    /// Who is told of requests and metrics as Loggregator has it; `None` where nobody is.
    pub fn loggregator(&self) -> Option<Arc<Loggregator>> {
        self.loggregator.clone()
    }

    /// Sets a gauge.
    pub fn set(&self, gauge: Gauge, value: i64) {
        self.gauges[gauge as usize].store(value, Ordering::Relaxed);
    }

    /// Counts an incident.
    pub fn incident(&self, incident: Incident) {
        self.incidents[incident as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn incidents(&self, incident: Incident) -> u64 {
        self.incidents[incident as usize].load(Ordering::Relaxed)
    }

    /// Sets the gauge of open file descriptors.
    pub(super) fn count_descriptors(&self) {
        if let Some(open) = descriptors::open() {
            self.set(Gauge::FileDescriptors, open);
        }
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn gauge(&self, gauge: Gauge) -> i64 {
        self.gauges[gauge as usize].load(Ordering::Relaxed)
    }

    /// What the deprecated status server shows of the data path.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.data_path)
    }

    /// Requests by application so far, by application id; empty unless someone was to be told
    /// (`publish_active_apps_interval`, the deprecated status server).
    pub fn requests_by_app(&self) -> HashMap<Arc<str>, u64> {
        self.data_path.requests_by_app()
    }

    /// All metrics in Prometheus text form (version 0.0.4), sorted by name.
    ///
    /// Looks at the process's file descriptors, which may take milliseconds on old kernels: not for a worker.
    ///
    /// # Errors
    /// None that is known of; one is counted as a failed scrape.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.count_descriptors();
        self.set(Gauge::Uptime, self.uptime().as_secs().cast_signed());
        let text = TextEncoder::new().encode_to_string(&scrape::families(self));
        if text.is_err() {
            self.failed_scrapes.fetch_add(1, Ordering::Relaxed);
        }
        text
    }
}

#[cfg(test)]
mod tests;
