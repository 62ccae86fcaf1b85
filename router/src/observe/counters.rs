//! Counters of the data path: one set for each worker, added up at a scrape.
//!
//! Each set has one writer, its worker's thread, so counting is a load and a store on a cache line that nobody else
//! writes. A scrape reads while the workers count on: each number is right, but they are not all of the same instant.

mod count;
mod scope;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Line, get};
use super::histogram::Total;
use super::labelled::{Members, OTHER};
use super::meter::{Measured, Meter};
use worker::{Component, Plain};

pub use count::Count;
pub(super) use scope::Scope;
pub use worker::WorkerCounters;

/// Groups of `responses`; 1xx counts as the last.
pub(super) const STATUS_GROUPS: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "xxx"];

const RESPONSES: usize = Count::ALL.len();
const OF_ROUTE_SERVICES: usize = RESPONSES + STATUS_GROUPS.len();
const CELLS: usize = OF_ROUTE_SERVICES + STATUS_GROUPS.len();

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
mod tests;
