//! Counters of the control plane: what registrations came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cell::{Line, get, increase, lines};
use super::histogram::{Bounds, Histogram, Total};
use super::labelled::{Labelled, Members};

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
    Unmodified,
}

impl Action {
    pub(super) const ALL: [(Action, &str); 3] = [
        (Action::Added, "added"),
        (Action::Updated, "updated"),
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
}

#[derive(Debug)]
struct Plain {
    pruned: Box<[Line]>,
    latency: Histogram,
}

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
        increase(Line::cell(&self.plain.pruned, 0), endpoints);
    }

    /// Counts how long the news of a new endpoint took to arrive, in nanoseconds.
    pub fn latency(&self, ns: u64) {
        self.plain.latency.observe(ns);
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
    writers: Mutex<Vec<Writer>>,
}

/// One writer's counters as scrapes see them.
#[derive(Clone, Debug)]
struct Writer {
    plain: Arc<Plain>,
    components: Arc<Members<Box<[Line]>>>,
}

impl Registrations {
    pub(super) fn new(bounds: Arc<Bounds>) -> Registrations {
        Registrations {
            bounds,
            writers: Mutex::default(),
        }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(super) fn counters(&self) -> RegistryCounters {
        let plain = Arc::new(Plain {
            pruned: lines(1),
            latency: Histogram::new(&self.bounds),
        });
        let counters = RegistryCounters {
            plain,
            components: Labelled::new(COMPONENTS),
        };
        let writer = Writer {
            plain: Arc::clone(&counters.plain),
            components: counters.components.members(),
        };
        self.lock().push(writer);
        counters
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let writers = self.lock().clone();
        for writer in writers {
            totals.pruned += get(Line::cell(&writer.plain.pruned, 0));
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

    fn lock(&self) -> MutexGuard<'_, Vec<Writer>> {
        // A list is whole at any time.
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts of one component.
pub(super) type Cells = [u64; CELLS];

/// The sums over all writers.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) components: BTreeMap<String, Cells>,
    pub(super) pruned: u64,
    pub(super) latency: Total,
}

impl Totals {
    pub(super) fn registered(cells: &Cells, action: Action) -> u64 {
        cells[action as usize]
    }

    pub(super) fn unregistered(cells: &Cells) -> u64 {
        cells[UNREGISTERED]
    }
}
