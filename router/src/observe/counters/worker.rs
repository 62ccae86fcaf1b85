//! The counters that one worker writes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::super::cell::{Line, increase, lines};
use super::super::histogram::Histogram;
use super::super::labelled::Labelled;
use super::super::meter::Meter;
use super::count::Count;
use super::scope::Scope;
use super::{CELLS, OF_ROUTE_SERVICES, RESPONSES, STATUS_GROUPS};

/// Components told apart; more than any platform has.
const COMPONENTS: usize = 1_000;
/// Applications told apart in `http_latency_seconds`.
const APPS: usize = 10_000;
/// Applications whose requests are counted one by one: some 200 bytes each and worker.
const COUNTED_APPS: usize = 100_000;

/// The counters of one worker. Stays on that worker's thread.
#[derive(Debug)]
pub struct WorkerCounters {
    pub(super) scope: Arc<Scope>,
    pub(super) plain: Arc<Plain>,
    pub(super) components: Labelled<Component>,
    pub(super) apps: Labelled<Meter>,
    pub(super) requests_by_app: Labelled<AtomicU64>,
}

/// What has no label, or few values of it.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) cells: Box<[Line]>,
    pub(super) route_lookup: Meter,
    pub(super) gorouter: Meter,
}

#[derive(Debug)]
pub(super) struct Component {
    pub(super) requests: Box<[Line]>,
    pub(super) latency: Meter,
    pub(super) details: Option<Details>,
}

/// What the deprecated status server shows of a component.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) responses: Box<[Line]>,
    pub(super) latency: Histogram,
}

impl WorkerCounters {
    pub(super) fn new(scope: &Arc<Scope>) -> WorkerCounters {
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

    /// Whether anybody wants to know how long a route look-up takes.
    #[inline]
    pub fn times_lookups(&self) -> bool {
        self.scope.per_request
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
