//! Breaks between bursts of datagrams.

use std::thread;
use std::time::{Duration, Instant};

use super::socket::AT_A_TIME;

/// What is left of the time for breaks. What comes faster than metron reads has to fit in its socket's buffer, some hundred
/// datagrams unless its system is set up otherwise, and is lost without a word where it does not.
#[derive(Debug)]
pub(in crate::observe) struct Breaks {
    each: Duration,
    left: Duration,
    taken: Duration,
}

impl Breaks {
    /// The least that a system sleeps anyway.
    const SHORTEST: Duration = Duration::from_micros(50);
    /// With longer ones a few envelopes would come late for nothing.
    const LONGEST: Duration = Duration::from_millis(1);

    /// Breaks that take about so long in all, between so many datagrams.
    pub(in crate::observe) fn over(time: Duration, datagrams: usize) -> Breaks {
        let bursts = u32::try_from(datagrams / AT_A_TIME).unwrap_or(u32::MAX);
        let each = time / bursts.max(1);
        Breaks {
            each: each.clamp(Breaks::SHORTEST, Breaks::LONGEST),
            left: time,
            taken: Duration::ZERO,
        }
    }

    /// How long they took so far.
    pub(in crate::observe) fn taken(&self) -> Duration {
        self.taken
    }

    /// Waits, unless there is no time for it.
    pub(super) fn take_one(&mut self) {
        if self.left >= self.each {
            let began = Instant::now();
            thread::sleep(self.each);
            let took = began.elapsed();
            self.left = self.left.saturating_sub(took);
            self.taken += took;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_share_the_time_for_them_and_end_with_it() {
        let ms = Duration::from_millis(1);
        assert_eq!(Breaks::over(4 * ms, 8 * AT_A_TIME).each, ms / 2);
        assert_eq!(Breaks::over(80 * ms, 8 * AT_A_TIME).each, ms);
        assert_eq!(Breaks::over(80 * ms, 0).each, ms);
        for (time, is_taken) in [(Duration::ZERO, false), (ms / 10, true)] {
            let mut breaks = Breaks::over(time, 8 * AT_A_TIME);
            for _ in 0..3 {
                breaks.take_one();
            }
            assert!(breaks.left < Breaks::SHORTEST);
            assert_eq!(breaks.left < time, is_taken);
            assert!(breaks.taken() >= time - breaks.left);
        }
    }
}
