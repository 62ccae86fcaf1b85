//! A histogram of times with one writer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::cell::{Line, get, increase, lines};

/// Upper bounds of the buckets of a histogram, and its unit.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Nanoseconds in one unit.
    unit: f64,
    /// In the unit, as configured and as shown.
    shown: Vec<f64>,
    /// In nanoseconds.
    ns: Vec<u64>,
}

/// Nanoseconds of the units that the metrics have.
pub(super) mod unit {
    pub(in crate::observe) const NANOSECOND: f64 = 1.0;
    pub(in crate::observe) const MILLISECOND: f64 = 1e6;
    pub(in crate::observe) const SECOND: f64 = 1e9;
}

impl Bounds {
    /// Bounds in multiples of `unit` nanoseconds. Sorted here; what is no number is left out.
    pub(super) fn new(unit: f64, bounds: &[f64]) -> Arc<Bounds> {
        let mut shown: Vec<f64> = bounds
            .iter()
            .copied()
            .filter(|bound| bound.is_finite())
            .collect();
        shown.sort_unstable_by(f64::total_cmp);
        shown.dedup();
        // `as` keeps to the range of the type.
        let ns = shown
            .iter()
            .map(|bound| (bound * unit).round() as u64)
            .collect();
        Arc::new(Bounds { unit, shown, ns })
    }

    /// Nanoseconds in the unit.
    pub(super) fn in_unit(&self, ns: u64) -> f64 {
        ns as f64 / self.unit
    }

    /// The bounds in nanoseconds.
    pub(super) fn ns(&self) -> &[u64] {
        &self.ns
    }
}

/// Counts times by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    bounds: Arc<Bounds>,
    /// One for each bound, one for what is above, and the sum in nanoseconds.
    cells: Box<[Line]>,
}

impl Histogram {
    pub(super) fn new(bounds: &Arc<Bounds>) -> Histogram {
        Histogram {
            bounds: Arc::clone(bounds),
            cells: lines(bounds.ns.len() + 2),
        }
    }

    /// Counts one time. By the owner's thread only.
    #[inline]
    pub(super) fn observe(&self, ns: u64) {
        let ns_bounds = &self.bounds.ns;
        let bucket = ns_bounds
            .iter()
            .position(|&bound| ns <= bound)
            .unwrap_or(ns_bounds.len());
        increase(self.cell(bucket), 1);
        increase(self.cell(ns_bounds.len() + 1), ns);
    }

    /// Adds what was counted so far to `total`.
    pub(super) fn add_to(&self, total: &mut Total) {
        let sum = self.bounds.ns.len() + 1;
        total.counts.resize(sum, 0);
        for (bucket, count) in total.counts.iter_mut().enumerate() {
            *count += get(self.cell(bucket));
        }
        total.sum_ns += u128::from(get(self.cell(sum)));
    }

    fn cell(&self, number: usize) -> &AtomicU64 {
        Line::cell(&self.cells, number)
    }
}

/// The sum over several histograms with the same bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    /// By bucket, not cumulative.
    counts: Vec<u64>,
    sum_ns: u128,
}

impl Total {
    /// How many times were counted.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// By bucket, not cumulative; the last is what is above all bounds. Empty when nothing was added up.
    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// As a scrape shows it.
    pub(super) fn shown(&self, bounds: &Bounds) -> prometheus::proto::Histogram {
        let mut count = 0;
        let buckets = bounds
            .shown
            .iter()
            .zip(&self.counts)
            .map(|(&bound, &more)| {
                count += more;
                let mut bucket = prometheus::proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            });
        let mut shown = prometheus::proto::Histogram::default();
        shown.set_bucket(buckets.collect());
        shown.set_sample_count(self.count());
        shown.set_sample_sum(self.sum_ns as f64 / bounds.unit);
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_in_the_first_bucket_that_holds_them() {
        let bounds = Bounds::new(unit::MILLISECOND, &[4.0, 1.0, f64::NAN, 2.0, 2.0]);
        let (one, other) = (Histogram::new(&bounds), Histogram::new(&bounds));
        for ns in [0, 1_000_000, 1_000_001, 4_000_000] {
            one.observe(ns);
        }
        other.observe(4_000_001);
        let mut total = Total::default();
        one.add_to(&mut total);
        other.add_to(&mut total);
        let shown = total.shown(&bounds);
        let buckets: Vec<_> = shown
            .get_bucket()
            .iter()
            .map(|b| (b.upper_bound(), b.cumulative_count()))
            .collect();
        assert_eq!(buckets, [(1.0, 2), (2.0, 3), (4.0, 4)]);
        assert_eq!(shown.get_sample_count(), 5);
        assert!((shown.get_sample_sum() - 10.000_002).abs() < 1e-9);
    }

    #[test]
    fn a_histogram_without_bounds_counts_and_sums() {
        let bounds = Bounds::new(unit::SECOND, &[]);
        let histogram = Histogram::new(&bounds);
        histogram.observe(1_500_000_000);
        let mut total = Total::default();
        histogram.add_to(&mut total);
        let shown = total.shown(&bounds);
        assert_eq!(
            (
                shown.get_bucket().len(),
                shown.get_sample_count(),
                shown.get_sample_sum()
            ),
            (0, 1, 1.5)
        );
    }
}
