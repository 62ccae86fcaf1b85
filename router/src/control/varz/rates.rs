//! Rates over one, five and fifteen minutes.

use std::time::Duration;

const MINUTES: [f64; 3] = [1.0, 5.0, 15.0];

/// Moving averages of a count that only grows, each with the weight of a sample falling off exponentially, as in the load
/// averages of an operating system.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    seen: Option<u64>,
    /// Empty before the first sample.
    averages: Option<[f64; MINUTES.len()]>,
}

impl Rates {
    /// Takes the count as it is `time` after the last sample.
    pub(super) fn sample(&mut self, count: u64, time: Duration) {
        let seconds = time.as_secs_f64();
        let new = count.saturating_sub(self.seen.replace(count).unwrap_or(0)) as f64 / seconds;
        match &mut self.averages {
            None => self.averages = Some([new; MINUTES.len()]),
            Some(averages) => {
                for (average, minutes) in averages.iter_mut().zip(MINUTES) {
                    let weight = 1.0 - (-seconds / 60.0 / minutes).exp();
                    *average += weight * (new - *average);
                }
            }
        }
    }

    /// The rates, shortest time first.
    pub(super) fn per_second(&self) -> [f64; MINUTES.len()] {
        self.averages.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(5);

    #[test]
    fn a_steady_count_has_its_rate_from_the_first_sample_on() {
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(), [0.0; 3]);
        for sample in 1..100 {
            rates.sample(sample * 50, TICK);
            for rate in rates.per_second() {
                assert!((rate - 10.0).abs() < 1e-9, "{rate}");
            }
        }
    }

    #[test]
    fn a_rate_falls_as_fast_as_its_minutes_say() {
        let mut rates = Rates::default();
        rates.sample(50, TICK);
        for _ in 0..12 {
            rates.sample(50, TICK);
        }
        let [one, five, fifteen] = rates.per_second();
        // A minute later: a share of 1/e is left of the shortest.
        assert!((one - 10.0 * (-1.0_f64).exp()).abs() < 1e-9, "{one}");
        assert!((five - 10.0 * (-0.2_f64).exp()).abs() < 1e-9, "{five}");
        assert!(fifteen > five);
    }
}
