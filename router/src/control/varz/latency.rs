//! Percentiles of how long requests took lately.

use std::time::Duration;

/// What is shown, by name and as a share of all requests.
pub(super) const SHARES: [(&str, f64); 5] = [
    ("50", 0.50),
    ("75", 0.75),
    ("90", 0.90),
    ("95", 0.95),
    ("99", 0.99),
];

/// How fast the past loses its weight: to a half in 46 seconds, as in GoRouter's sample.
const FORGETTING_PER_SECOND: f64 = 0.015;

/// Requests by bucket, each with a weight that falls off with its age.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    seen: Vec<u64>,
    weights: Vec<f64>,
}

impl Latency {
    /// Takes the counts by bucket as they are `time` after the last sample.
    pub(super) fn sample(&mut self, counts: &[u64], time: Duration) {
        let kept = (-FORGETTING_PER_SECOND * time.as_secs_f64()).exp();
        let weights = self.weighted(counts).map(|weight| weight * kept).collect();
        self.weights = weights;
        self.seen = counts.to_vec();
    }

    /// The percentiles of [`SHARES`] in seconds, with what came since the last sample: `counts` are those of now. Zeros
    /// when there is nothing to tell of.
    pub(super) fn percentiles(&self, counts: &[u64], bounds_ns: &[u64]) -> [f64; SHARES.len()] {
        let weights: Vec<f64> = self.weighted(counts).collect();
        let total: f64 = weights.iter().sum();
        SHARES.map(|(_, share)| match total > 0.0 {
            true => at(share * total, &weights, bounds_ns) / 1e9,
            false => 0.0,
        })
    }

    fn weighted(&self, counts: &[u64]) -> impl Iterator<Item = f64> {
        counts.iter().enumerate().map(|(bucket, &count)| {
            let new = count.saturating_sub(self.seen.get(bucket).copied().unwrap_or(0));
            self.weights.get(bucket).copied().unwrap_or(0.0) + new as f64
        })
    }
}

/// The time in nanoseconds below which so much weight lies. Within a bucket the requests are taken to be spread evenly.
fn at(wanted: f64, weights: &[f64], bounds_ns: &[u64]) -> f64 {
    let mut below = 0.0;
    let mut lower = 0.0;
    for (weight, &bound) in weights.iter().zip(bounds_ns) {
        let upper = bound as f64;
        if *weight > 0.0 && below + weight >= wanted {
            return lower + (upper - lower) * ((wanted - below) / weight).clamp(0.0, 1.0);
        }
        below += weight;
        lower = upper;
    }
    // Above all bounds nothing better is known than the highest of them.
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [u64; 3] = [1_000_000, 10_000_000, 100_000_000];
    const TICK: Duration = Duration::from_secs(5);

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(Latency::default().percentiles(&[], &BOUNDS), [0.0; 5]);
        assert_eq!(
            Latency::default().percentiles(&[0, 0, 0, 0], &BOUNDS),
            [0.0; 5]
        );
    }

    #[test]
    fn percentiles_lie_within_their_bucket() {
        let [median, p75, p90, p95, p99] = Latency::default().percentiles(&[80, 14, 5, 1], &BOUNDS);
        assert!((0.000_6..0.000_7).contains(&median), "{median}");
        assert!(median < p75 && p75 <= 0.001, "{p75}");
        assert!((0.001..0.01).contains(&p90), "{p90}");
        assert!((0.01..0.1).contains(&p95) && p95 < p99, "{p95} {p99}");
        let above = Latency::default().percentiles(&[0, 0, 0, 1], &BOUNDS);
        assert_eq!(above, [0.1; 5]);
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut latency = Latency::default();
        let slow = [0, 0, 1_000, 0];
        latency.sample(&slow, TICK);
        assert!(latency.percentiles(&slow, &BOUNDS)[0] > 0.01);
        for _ in 0..120 {
            latency.sample(&slow, TICK);
        }
        let now = [10, 0, 1_000, 0];
        assert!(latency.percentiles(&now, &BOUNDS)[0] <= 0.001);
    }
}
