//! How often an endpoint has failed in a row, and until when it is left out for that.

use super::Millis;
use super::atomic::{AtomicU64, Ordering};

/// When an endpoint is left out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row that lead to it, at least 1.
    pub consecutive_errors: u8,
    /// How long the first one lasts, in milliseconds. Each further one lasts twice as long as the one before.
    pub base_time: Millis,
    /// The longest one. An endpoint that was in service again for that long has a clean record.
    pub longest_time: Millis,
    /// Most endpoints of a pool that are left out at a time, in percent; with more than that none is.
    pub most_percent: u8,
}

/// One endpoint's record, shared by all threads: the failures in a row in the lowest byte, the ejections so far in the
/// next, and in the other six the end of the latest one in milliseconds.
#[derive(Debug)]
pub(crate) struct Strikes(AtomicU64);

#[derive(Clone, Copy)]
struct Record {
    errors: u8,
    ejections: u8,
    until: Millis,
}

impl Strikes {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether the endpoint is left out.
    pub(crate) fn is_ejected(&self, now: Millis) -> bool {
        self.get().until > now
    }

    /// A request went well.
    pub(crate) fn forget_errors(&self) {
        // Most of the time there is nothing to forget, and the cache line stays shared.
        while self.get().errors > 0 {
            let record = self.get();
            if self.replace(
                record,
                Record {
                    errors: 0,
                    ..record
                },
            ) {
                return;
            }
        }
    }

    /// A request failed. Says for how long the endpoint is left out if this was one too many and `may` agrees.
    pub(crate) fn count_error(
        &self,
        now: Millis,
        ejection: &Ejection,
        may: impl Fn() -> bool,
    ) -> Option<Millis> {
        loop {
            let record = self.get();
            // What was under way when the endpoint was left out says nothing new.
            if record.until > now {
                return None;
            }
            let errors = record.errors.saturating_add(1);
            if errors < ejection.consecutive_errors.max(1) || !may() {
                if self.replace(record, Record { errors, ..record }) {
                    return None;
                }
                continue;
            }
            let clean = now.saturating_sub(record.until) >= ejection.longest_time;
            let ejections = if clean { 0 } else { record.ejections };
            let factor = 1_u64.checked_shl(ejections.into()).unwrap_or(Millis::MAX);
            let time = ejection.base_time.saturating_mul(factor);
            let time = time.min(ejection.longest_time).max(1);
            let ejected = Record {
                errors: 0,
                ejections: ejections.saturating_add(1),
                until: now.saturating_add(time),
            };
            if self.replace(record, ejected) {
                return Some(time);
            }
        }
    }

    fn get(&self) -> Record {
        Record::unpack(self.0.load(Ordering::Relaxed))
    }

    fn replace(&self, old: Record, new: Record) -> bool {
        let (old, new) = (old.pack(), new.pack());
        let swapped = self
            .0
            .compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }
}

impl Record {
    fn unpack(packed: u64) -> Self {
        let [errors, ejections, ..] = packed.to_le_bytes();
        Self {
            errors,
            ejections,
            until: packed >> 16,
        }
    }

    fn pack(self) -> u64 {
        self.until << 16 | u64::from(self.ejections) << 8 | u64::from(self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Ejection = Ejection {
        consecutive_errors: 2,
        base_time: 1_000,
        longest_time: 3_000,
        most_percent: 50,
    };

    fn error(strikes: &Strikes, now: Millis) -> Option<Millis> {
        strikes.count_error(now, &TWO, || true)
    }

    #[test]
    fn only_errors_in_a_row_count() {
        let strikes = Strikes::new();
        assert_eq!(error(&strikes, 1), None);
        strikes.forget_errors();
        assert_eq!(error(&strikes, 2), None);
        assert!(!strikes.is_ejected(2));
        assert_eq!(error(&strikes, 3), Some(1_000));
        assert!(strikes.is_ejected(3) && strikes.is_ejected(1_002));
        assert!(!strikes.is_ejected(1_003));
    }

    #[test]
    fn each_time_is_twice_as_long_up_to_the_longest() {
        let strikes = Strikes::new();
        let mut now = 0;
        let mut times = Vec::new();
        for _ in 0..4 {
            assert_eq!(error(&strikes, now), None);
            let time = error(&strikes, now).unwrap();
            times.push(time);
            assert_eq!(error(&strikes, now), None, "what was still under way");
            now += time;
        }
        assert_eq!(times, [1_000, 2_000, 3_000, 3_000]);
        now += 3_000;
        assert_eq!(error(&strikes, now), None);
        assert_eq!(error(&strikes, now), Some(1_000), "a clean record");
    }

    #[test]
    fn one_that_may_not_be_left_out_is_so_as_soon_as_it_may() {
        let strikes = Strikes::new();
        for _ in 0..1_000 {
            assert_eq!(strikes.count_error(5, &TWO, || false), None);
        }
        assert_eq!(error(&strikes, 5), Some(1_000));
    }

    #[test]
    fn a_record_is_packed_and_unpacked() {
        let record = Record {
            errors: 255,
            ejections: 17,
            until: (1 << 48) - 1,
        };
        let unpacked = Record::unpack(record.pack());
        assert_eq!(
            (unpacked.errors, unpacked.ejections, unpacked.until),
            (255, 17, (1 << 48) - 1)
        );
    }
}
