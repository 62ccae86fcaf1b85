//! Counters of the control plane: what registrations came to.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Line, get, increase, lines};
use super::histogram::Bounds;
use super::labelled::{Labelled, Members};
use super::loggregator::Loggregator;
use super::meter::{Form, Measured, Meter};

/// Components told apart; more than any platform has.
const COMPONENTS: usize = 1_000;

/// What a registration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new endpoint.
    Added,
    /// A known endpoint with other properties.
    Updated,
    /// A known endpoint, confirmed as it is.
    Refreshed,
    /// A known endpoint, by a message that is older than what is known: nothing was done.
    Unmodified,
}

impl Action {
    pub(super) const ALL: [(Action, &str); 4] = [
        (Action::Added, "added"),
        (Action::Updated, "updated"),
        (Action::Refreshed, "refreshed"),
        (Action::Unmodified, "unmodified"),
    ];
}

const UNREGISTERED: usize = Action::ALL.len();
const CELLS: usize = UNREGISTERED + 1;

/// The counters of whoever changes the table. They have one writer: counting is a load and a store.
#[derive(Debug)]
pub struct RegistryCounters {
    plain: Arc<Plain>,
    components: Labelled<Box<[Line]>>,
    loggregator: Option<Arc<Loggregator>>,
    /// Whether a size is kept at all: most routers have no pool to keep one of.
    keeps_sizes: Cell<bool>,
    sizes: Arc<Mutex<Sizes>>,
}

/// Number of endpoints by route.
pub(super) type Sizes = BTreeMap<Box<str>, u64>;

#[derive(Debug)]
struct Plain {
    cells: Box<[Line]>,
    latency: Meter,
}

const PRUNED: usize = 0;
const ROUTES_REGISTERED: usize = 1;
const ROUTES_UNREGISTERED: usize = 2;
const OPTIONS_IGNORED: usize = 3;
const PLAIN_CELLS: usize = 4;

impl RegistryCounters {
    /// Counts a registration for one route, by its tag `component` (empty without one).
    #[inline]
    pub fn registered(&self, component: &str, action: Action) {
        self.component(component, action as usize);
    }

    /// Counts an unregistration for one route, by its tag `component` (empty without one).
    pub fn unregistered(&self, component: &str) {
        self.component(component, UNREGISTERED);
    }

    /// Counts endpoints that were removed because nothing had renewed them.
    pub fn pruned(&self, endpoints: u64) {
        increase(Line::cell(&self.plain.cells, PRUNED), endpoints);
    }

    /// Counts a route that is new.
    pub fn route_registered(&self) {
        increase(Line::cell(&self.plain.cells, ROUTES_REGISTERED), 1);
    }

    /// Counts a route that went with the unregistration of its last endpoint.
    pub fn route_unregistered(&self) {
        increase(Line::cell(&self.plain.cells, ROUTES_UNREGISTERED), 1);
    }

    /// Notes how many endpoints a route has whose size is shown, or with `None` that it is not shown (any more).
    pub fn size(&self, route: &str, endpoints: Option<usize>) {
        if endpoints.is_none() && !self.keeps_sizes.get() {
            return;
        }
        let mut sizes = lock(&self.sizes);
        match endpoints {
            Some(endpoints) => drop(sizes.insert(route.into(), endpoints as u64)),
            None => drop(sizes.remove(route)),
        }
        self.keeps_sizes.set(!sizes.is_empty());
    }

    /// Counts an option of a registration that nobody knows, or whose value cannot be read.
    pub fn option_ignored(&self) {
        increase(Line::cell(&self.plain.cells, OPTIONS_IGNORED), 1);
    }

    /// Counts how long the news of a new endpoint took to arrive, in nanoseconds.
    pub fn latency(&self, ns: u64) {
        self.plain.latency.observe(ns);
        if let Some(loggregator) = &self.loggregator {
            loggregator.registration_latency(ns);
        }
    }

    #[inline]
    fn component(&self, component: &str, cell: usize) {
        self.components.with(
            component,
            || lines(CELLS),
            |cells| increase(Line::cell(cells, cell), 1),
        );
    }
}

/// All such counters.
#[derive(Debug)]
pub(super) struct Registrations {
    bounds: Arc<Bounds>,
    form: Form,
    writers: Mutex<Vec<Writer>>,
    sizes: Arc<Mutex<Sizes>>,
}

/// One writer's counters as scrapes see them.
#[derive(Clone, Debug)]
struct Writer {
    plain: Arc<Plain>,
    components: Arc<Members<Box<[Line]>>>,
}

impl Registrations {
    pub(super) fn new(bounds: Arc<Bounds>, form: Form) -> Registrations {
        Registrations {
            bounds,
            form,
            writers: Mutex::default(),
            sizes: Arc::default(),
        }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(super) fn counters(&self, loggregator: Option<Arc<Loggregator>>) -> RegistryCounters {
        let plain = Arc::new(Plain {
            cells: lines(PLAIN_CELLS),
            latency: Meter::new(&self.form, &self.bounds),
        });
        let counters = RegistryCounters {
            plain,
            components: Labelled::new(COMPONENTS),
            loggregator,
            keeps_sizes: Cell::new(false),
            sizes: Arc::clone(&self.sizes),
        };
        let writer = Writer {
            plain: Arc::clone(&counters.plain),
            components: counters.components.members(),
        };
        lock(&self.writers).push(writer);
        counters
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let writers = lock(&self.writers).clone();
        for writer in writers {
            let cell = |number| get(Line::cell(&writer.plain.cells, number));
            totals.pruned += cell(PRUNED);
            totals.routes_registered += cell(ROUTES_REGISTERED);
            totals.routes_unregistered += cell(ROUTES_UNREGISTERED);
            totals.options_ignored += cell(OPTIONS_IGNORED);
            writer.plain.latency.add_to(&mut totals.latency);
            writer.components.each(|name, cells| {
                let total = totals.components.entry(name.to_owned()).or_default();
                for (number, total) in total.iter_mut().enumerate() {
                    *total += get(Line::cell(cells, number));
                }
            });
        }
        totals
    }

    pub(super) fn sizes(&self) -> Sizes {
        lock(&self.sizes).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A collection is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts of one component.
pub(super) type Cells = [u64; CELLS];

/// The sums over all writers.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) components: BTreeMap<String, Cells>,
    pub(super) pruned: u64,
    pub(super) routes_registered: u64,
    pub(super) routes_unregistered: u64,
    pub(super) options_ignored: u64,
    pub(super) latency: Measured,
}

impl Totals {
    pub(super) fn registered(cells: &Cells, action: Action) -> u64 {
        cells[action as usize]
    }

    pub(super) fn unregistered(cells: &Cells) -> u64 {
        cells[UNREGISTERED]
    }
}
