//! A time that is measured over and over, in the form in which it is scraped.
//!
//! GoRouter showed such times as histograms and shows them as gauges now, each with the latest value (spec 14.7). Gauges
//! are the default here; `prometheus.meters` in the configuration brings the histograms back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cell::{Line, get, lines};
use super::histogram::{Bounds, Histogram, Total};

/// How measured times are kept.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// The latest only.
    Gauge(Arc<Turn>),
    /// Counted in buckets.
    Histogram,
}

/// The number of scrapes so far. Several writers keep a latest value each; which of them is the latest of all is told by
/// the turn in which it was written, so that no writer has to read a clock.
#[derive(Debug)]
pub(super) struct Turn(AtomicU64);

impl Form {
    /// Gauges.
    pub(super) fn gauge() -> Form {
        // 0 is "never written".
        Form::Gauge(Arc::new(Turn(AtomicU64::new(1))))
    }

    /// Begins a new turn: what is written from now on is later than what was written before.
    pub(super) fn next_turn(&self) {
        if let Form::Gauge(turn) = self {
            turn.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One writer's part of a measured time.
#[derive(Debug)]
pub(super) enum Meter {
    /// See [`Form::Gauge`]: the value in nanoseconds, and its turn.
    Gauge(Box<[Line]>, Arc<Turn>),
    /// See [`Form::Histogram`].
    Histogram(Histogram),
}

const VALUE: usize = 0;
const TURN: usize = 1;

impl Meter {
    pub(super) fn new(form: &Form, bounds: &Arc<Bounds>) -> Meter {
        match form {
            Form::Gauge(turn) => Meter::Gauge(lines(2), Arc::clone(turn)),
            Form::Histogram => Meter::Histogram(Histogram::new(bounds)),
        }
    }

    /// Takes one time, in nanoseconds. By the owner's thread only.
    #[inline]
    pub(super) fn observe(&self, ns: u64) {
        match self {
            Meter::Gauge(cells, turn) => {
                Line::cell(cells, VALUE).store(ns, Ordering::Relaxed);
                Line::cell(cells, TURN).store(get(&turn.0), Ordering::Relaxed);
            }
            Meter::Histogram(histogram) => histogram.observe(ns),
        }
    }

    /// Adds what was measured so far to `total`.
    pub(super) fn add_to(&self, total: &mut Measured) {
        match self {
            Meter::Gauge(cells, _) => {
                let turn = get(Line::cell(cells, TURN));
                if turn > total.turn {
                    total.turn = turn;
                    total.latest_ns = get(Line::cell(cells, VALUE));
                }
            }
            Meter::Histogram(histogram) => histogram.add_to(&mut total.histogram),
        }
    }
}

/// What several writers measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) histogram: Total,
    /// The latest value, or that of any writer when several wrote in the latest turn.
    pub(super) latest_ns: u64,
    turn: u64,
}

impl Measured {
    /// Whether anything was measured at all.
    pub(super) fn is_empty(&self) -> bool {
        self.turn == 0 && self.histogram.count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::histogram::unit;

    fn measured(meters: &[&Meter]) -> Measured {
        let mut measured = Measured::default();
        for meter in meters {
            meter.add_to(&mut measured);
        }
        measured
    }

    #[test]
    fn a_gauge_shows_what_was_written_last_by_any_writer() {
        let bounds = Bounds::new(unit::MILLISECOND, &[]);
        let form = Form::gauge();
        let (one, other) = (Meter::new(&form, &bounds), Meter::new(&form, &bounds));
        assert!(measured(&[&one, &other]).is_empty());
        other.observe(7);
        assert_eq!(measured(&[&one, &other]).latest_ns, 7);
        form.next_turn();
        one.observe(3);
        one.observe(4);
        assert_eq!(measured(&[&one, &other]).latest_ns, 4);
        assert_eq!(measured(&[&other, &one]).latest_ns, 4);
        form.next_turn();
        assert_eq!(measured(&[&one, &other]).latest_ns, 4, "nothing newer");
        other.observe(0);
        assert_eq!(measured(&[&one, &other]).latest_ns, 0);
        assert!(!measured(&[&one, &other]).is_empty());
    }

    #[test]
    fn a_histogram_counts_all_of_them() {
        let bounds = Bounds::new(unit::NANOSECOND, &[5.0]);
        let (one, other) = (
            Meter::new(&Form::Histogram, &bounds),
            Meter::new(&Form::Histogram, &bounds),
        );
        one.observe(4);
        other.observe(6);
        assert_eq!(measured(&[&one, &other]).histogram.count(), 2);
    }
}
