//! Counters of the data path: one set for each worker, added up at a scrape.
//!
//! Each set has one writer, its worker's thread, so counting is a load and a store on a cache line that nobody else
//! writes. A scrape reads while the workers count on: each number is right, but they are not all of the same instant.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Line, get, increase, lines};
use super::histogram::{Bounds, Histogram, Total, unit};
use super::labelled::{Labelled, Members, OTHER};
use super::meter::{Form, Measured, Meter};
use super::names::{self, Metric};
use crate::config::Config;

/// Components told apart; more than any platform has.
const COMPONENTS: usize = 1_000;
/// Applications told apart in `http_latency_seconds`.
const APPS: usize = 10_000;
/// Applications whose requests are counted one by one: some 200 bytes each and worker.
const COUNTED_APPS: usize = 100_000;

/// Counters without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// A request that no route answers for.
    RejectedRequests,
    /// A request that ended with 502 because every attempt failed.
    BadGateways,
    /// A request with an empty Content-Length header.
    EmptyContentLengthHeader,
    /// An attempt that met a backend with another identity than registered.
    BackendInvalidId,
    /// An attempt that met a backend whose certificate did not verify.
    BackendInvalidTlsCert,
    /// An attempt whose TLS handshake with the backend failed.
    BackendTlsHandshakeFailed,
    /// A request refused because all endpoints had their most connections.
    BackendExhaustedConns,
    /// A WebSocket request that a backend answered.
    WebsocketUpgrades,
    /// A WebSocket request that failed.
    WebsocketFailures,
    /// An endpoint that is left out for its failures.
    EndpointsEjected,
    /// A request refused because its route has the most requests under way.
    ConcurrencyLimited,
    /// A request refused because its route got too many lately.
    RateLimited,
    /// A request refused because its client has sent its route too many lately.
    ClientRateLimited,
    /// A request whose content is larger than its route takes.
    OversizedBodies,
    /// A request that was not sent again because its route's retry budget was spent.
    RetriesDenied,
}

impl Count {
    pub(super) const ALL: [(Count, Metric); 15] = [
        (Count::RejectedRequests, names::REJECTED_REQUESTS),
        (Count::BadGateways, names::BAD_GATEWAYS),
        (
            Count::EmptyContentLengthHeader,
            names::EMPTY_CONTENT_LENGTH_HEADER,
        ),
        (Count::BackendInvalidId, names::BACKEND_INVALID_ID),
        (
            Count::BackendInvalidTlsCert,
            names::BACKEND_INVALID_TLS_CERT,
        ),
        (
            Count::BackendTlsHandshakeFailed,
            names::BACKEND_TLS_HANDSHAKE_FAILED,
        ),
        (Count::BackendExhaustedConns, names::BACKEND_EXHAUSTED_CONNS),
        (Count::WebsocketUpgrades, names::WEBSOCKET_UPGRADES),
        (Count::WebsocketFailures, names::WEBSOCKET_FAILURES),
        (Count::EndpointsEjected, names::ENDPOINTS_EJECTED),
        (Count::ConcurrencyLimited, names::CONCURRENCY_LIMITED),
        (Count::RateLimited, names::RATE_LIMITED),
        (Count::ClientRateLimited, names::CLIENT_RATE_LIMITED),
        (Count::OversizedBodies, names::OVERSIZED_BODIES),
        (Count::RetriesDenied, names::RETRIES_DENIED),
    ];
}

/// Groups of `responses`; 1xx counts as the last.
pub(super) const STATUS_GROUPS: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "xxx"];

const RESPONSES: usize = Count::ALL.len();
const OF_ROUTE_SERVICES: usize = RESPONSES + STATUS_GROUPS.len();
const CELLS: usize = OF_ROUTE_SERVICES + STATUS_GROUPS.len();

/// What is counted, and in which buckets.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// `per_request_metrics_reporting`: the times of each request.
    pub(super) per_request: bool,
    /// `per_app_prometheus_http_metrics_reporting`
    pub(super) per_app: bool,
    /// Whether requests are counted by application: for `router.active_apps` and for the deprecated status server.
    by_app: bool,
    /// Buckets of what only the deprecated status server shows; `None` while it is off.
    pub(super) details: Option<Arc<Bounds>>,
    pub(super) form: Form,
    pub(super) latency: Arc<Bounds>,
    pub(super) route_lookup: Arc<Bounds>,
    pub(super) gorouter: Arc<Bounds>,
    pub(super) http_latency: Arc<Bounds>,
}

impl Scope {
    pub(super) fn new(config: &Config) -> Scope {
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

/// The counters of one worker. Stays on that worker's thread.
#[derive(Debug)]
pub struct WorkerCounters {
    scope: Arc<Scope>,
    plain: Arc<Plain>,
    components: Labelled<Component>,
    apps: Labelled<Meter>,
    requests_by_app: Labelled<AtomicU64>,
}

/// What has no label, or few values of it.
#[derive(Debug)]
struct Plain {
    cells: Box<[Line]>,
    route_lookup: Meter,
    gorouter: Meter,
}

#[derive(Debug)]
struct Component {
    requests: Box<[Line]>,
    latency: Meter,
    details: Option<Details>,
}

/// What the deprecated status server shows of a component.
#[derive(Debug)]
struct Details {
    responses: Box<[Line]>,
    latency: Histogram,
}

impl WorkerCounters {
    fn new(scope: &Arc<Scope>) -> WorkerCounters {
        let plain = Plain {
            cells: lines(CELLS),
            route_lookup: Meter::new(&scope.form, &scope.route_lookup),
            gorouter: Meter::new(&scope.form, &scope.gorouter),
        };
        WorkerCounters {
            scope: Arc::clone(scope),
            plain: Arc::new(plain),
            components: Labelled::new(COMPONENTS),
            apps: Labelled::new(APPS),
            requests_by_app: Labelled::new(COUNTED_APPS),
        }
    }

    /// Counts one of the events without a label.
    #[inline]
    pub fn count(&self, what: Count) {
        increase(Line::cell(&self.plain.cells, what as usize), 1);
    }

    /// Counts an attempt at an endpoint, by its tag `component` (empty without one).
    #[inline]
    pub fn request(&self, component: &str) {
        self.component(component, |counters| {
            increase(Line::cell(&counters.requests, 0), 1)
        });
    }

    /// Counts the response to a request that had an endpoint.
    #[inline]
    pub fn response(&self, status: u16) {
        increase(Line::cell(&self.plain.cells, RESPONSES + group(status)), 1);
    }

    /// Counts the response of a route service.
    #[inline]
    pub fn route_service_response(&self, status: u16) {
        let cell = OF_ROUTE_SERVICES + group(status);
        increase(Line::cell(&self.plain.cells, cell), 1);
    }

    /// Counts the whole time of a request, in nanoseconds, by its endpoint's tag `component`, and what it was answered.
    #[inline]
    pub fn latency(&self, component: &str, status: u16, ns: u64) {
        let Scope {
            per_request,
            details,
            ..
        } = &*self.scope;
        if !per_request && details.is_none() {
            return;
        }
        self.component(component, |counters| {
            if *per_request {
                counters.latency.observe(ns);
            }
            if let Some(details) = &counters.details {
                increase(Line::cell(&details.responses, group(status)), 1);
                details.latency.observe(ns);
            }
        });
    }

    /// Counts a request of this application, where anybody wants to know.
    #[inline]
    pub fn app(&self, application_id: &str) {
        if self.scope.by_app && !application_id.is_empty() {
            let count = |cell: &AtomicU64| increase(cell, 1);
            self.requests_by_app
                .with(application_id, AtomicU64::default, count);
        }
    }

    /// Counts the time of a route look-up, in nanoseconds.
    #[inline]
    pub fn route_lookup(&self, ns: u64) {
        if self.scope.per_request {
            self.plain.route_lookup.observe(ns);
        }
    }

    /// Counts the router's own part of a request's time, in nanoseconds.
    #[inline]
    pub fn gorouter_time(&self, ns: u64) {
        if self.scope.per_request {
            self.plain.gorouter.observe(ns);
        }
    }

    /// Counts the whole time of a request, in nanoseconds, by its endpoint's tag `source_id`, or `gorouter` without one.
    #[inline]
    pub fn http_latency(&self, source_id: &str, ns: u64) {
        if self.scope.per_app {
            let source_id = if source_id.is_empty() {
                "gorouter"
            } else {
                source_id
            };
            self.apps.with(
                source_id,
                || Meter::new(&self.scope.form, &self.scope.http_latency),
                |meter| meter.observe(ns),
            );
        }
    }

    #[inline]
    fn component(&self, name: &str, with: impl FnOnce(&Component)) {
        let make = || Component {
            requests: lines(1),
            latency: Meter::new(&self.scope.form, &self.scope.latency),
            details: self.scope.details.as_ref().map(|bounds| Details {
                responses: lines(STATUS_GROUPS.len()),
                latency: Histogram::new(bounds),
            }),
        };
        self.components.with(name, make, with);
    }
}

/// Number of a status's group in [`STATUS_GROUPS`].
fn group(status: u16) -> usize {
    match status {
        200..=599 => usize::from(status / 100 - 2),
        _ => STATUS_GROUPS.len() - 1,
    }
}

/// All workers' counters.
#[derive(Debug)]
pub(super) struct Counters {
    scope: Arc<Scope>,
    workers: Mutex<Vec<Worker>>,
}

/// A worker as scrapes see it.
#[derive(Clone, Debug)]
struct Worker {
    plain: Arc<Plain>,
    components: Arc<Members<Component>>,
    apps: Arc<Members<Meter>>,
    requests_by_app: Arc<Members<AtomicU64>>,
}

impl Counters {
    pub(super) fn new(scope: Scope) -> Counters {
        Counters {
            scope: Arc::new(scope),
            workers: Mutex::default(),
        }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn worker(&self) -> WorkerCounters {
        let counters = WorkerCounters::new(&self.scope);
        self.lock().push(Worker {
            plain: Arc::clone(&counters.plain),
            components: counters.components.members(),
            apps: counters.apps.members(),
            requests_by_app: counters.requests_by_app.members(),
        });
        counters
    }

    /// The sums so far. What is measured behind it counts as later than what was measured before.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let workers = self.lock().clone();
        for worker in workers {
            for (number, total) in totals.cells.iter_mut().enumerate() {
                *total += get(Line::cell(&worker.plain.cells, number));
            }
            worker.plain.route_lookup.add_to(&mut totals.route_lookup);
            worker.plain.gorouter.add_to(&mut totals.gorouter);
            worker.components.each(|name, counters| {
                let total = totals.components.entry(name.to_owned()).or_default();
                total.requests += get(Line::cell(&counters.requests, 0));
                counters.latency.add_to(&mut total.latency);
                if let Some(details) = &counters.details {
                    for (group, responses) in total.responses.iter_mut().enumerate() {
                        *responses += get(Line::cell(&details.responses, group));
                    }
                    details.latency.add_to(&mut total.detailed_latency);
                }
            });
            worker
                .apps
                .each(|name, meter| meter.add_to(totals.apps.entry(name.to_owned()).or_default()));
        }
        self.scope.form.next_turn();
        totals
    }

    /// Requests by application so far; those beyond the most that are told apart are left out.
    pub(super) fn requests_by_app(&self) -> HashMap<Arc<str>, u64> {
        let mut totals: HashMap<Arc<str>, u64> = HashMap::new();
        let workers = self.lock().clone();
        for worker in workers {
            worker.requests_by_app.each_named(|name, cell| {
                if **name != *OTHER {
                    *totals.entry(Arc::clone(name)).or_default() += get(cell);
                }
            });
        }
        totals
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Worker>> {
        // A list is whole at any time.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sums over all workers.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    cells: [u64; CELLS],
    pub(super) components: BTreeMap<String, ComponentTotal>,
    pub(super) route_lookup: Measured,
    pub(super) gorouter: Measured,
    /// Latency by source id.
    pub(super) apps: BTreeMap<String, Measured>,
}

/// The sums of one component.
#[derive(Clone, Debug, Default)]
pub(super) struct ComponentTotal {
    /// Attempts.
    pub(super) requests: u64,
    pub(super) latency: Measured,
    /// By group; 0 while the deprecated status server is off.
    pub(super) responses: [u64; STATUS_GROUPS.len()],
    /// In the buckets of [`Scope::details`].
    pub(super) detailed_latency: Total,
}

impl Totals {
    pub(super) fn count(&self, what: Count) -> u64 {
        self.cells[what as usize]
    }

    /// By group, in the order of [`STATUS_GROUPS`].
    pub(super) fn responses(&self) -> &[u64] {
        &self.cells[RESPONSES..OF_ROUTE_SERVICES]
    }

    /// Of route services, by group.
    pub(super) fn route_service_responses(&self) -> &[u64] {
        &self.cells[OF_ROUTE_SERVICES..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(change: impl FnOnce(&mut Config)) -> Counters {
        let mut config = Config::default();
        change(&mut config);
        Counters::new(Scope::new(&config))
    }

    #[test]
    fn workers_count_apart_and_are_added_up() {
        let counters = counters(|config| config.prometheus.histograms = true);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let worker = counters.worker();
                std::thread::spawn(move || {
                    for _ in 0..1000 {
                        worker.request("a");
                        worker.count(Count::WebsocketUpgrades);
                        worker.latency("b", 200, 1_000_000);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let totals = counters.totals();
        assert_eq!(totals.count(Count::WebsocketUpgrades), 3000);
        assert_eq!(totals.count(Count::WebsocketFailures), 0);
        assert_eq!(totals.components["a"].requests, 3000);
        assert_eq!(totals.components["b"].latency.histogram.count(), 3000);
    }

    #[test]
    fn every_count_has_its_own_cell() {
        for (number, (count, _)) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, number);
        }
    }

    #[test]
    fn responses_are_grouped_by_their_first_digit() {
        let counters = counters(|_| {});
        let worker = counters.worker();
        for status in [200, 299, 301, 404, 499, 500, 599, 101, 600, 0] {
            worker.response(status);
        }
        assert_eq!(counters.totals().responses(), [2, 1, 2, 2, 3]);
    }

    #[test]
    fn times_are_not_counted_when_that_is_off() {
        let counters = counters(|config| config.per_request_metrics_reporting = false);
        let worker = counters.worker();
        worker.latency("a", 200, 1);
        worker.route_lookup(1);
        worker.gorouter_time(1);
        worker.http_latency("app", 1);
        worker.app("app");
        let totals = counters.totals();
        assert!(totals.components.is_empty() && totals.apps.is_empty());
        assert!(totals.route_lookup.is_empty() && totals.gorouter.is_empty());
        assert!(counters.requests_by_app().is_empty());
    }

    #[test]
    fn the_status_server_has_details_by_component_and_application() {
        let counters = counters(|config| {
            config.per_request_metrics_reporting = false;
            config.status.enable_deprecated_varz_healthz_endpoints = true;
        });
        let (one, other) = (counters.worker(), counters.worker());
        one.latency("a", 204, 5_000_000);
        other.latency("a", 500, 5_000_000);
        one.app("app");
        one.app("");
        other.app("app");
        other.app("second");
        let totals = counters.totals();
        let a = &totals.components["a"];
        assert_eq!(
            (a.responses, a.detailed_latency.count()),
            ([1, 0, 0, 1, 0], 2)
        );
        assert!(a.latency.is_empty());
        let apps = counters.requests_by_app();
        assert_eq!((apps.len(), apps["app"], apps["second"]), (2, 2, 1));
    }

    #[test]
    fn latency_by_application_is_counted_when_asked_for() {
        let counters = counters(|config| {
            config.per_app_prometheus_http_metrics_reporting = true;
            config.prometheus.histograms = true;
        });
        let worker = counters.worker();
        worker.http_latency("app", 150_000_000);
        worker.http_latency("", 1);
        let apps = counters.totals().apps;
        assert_eq!(apps.keys().collect::<Vec<_>>(), ["app", "gorouter"]);
        assert_eq!(
            apps["app"]
                .histogram
                .shown(&counters.scope.http_latency)
                .get_sample_sum(),
            0.15
        );
    }
}
