//! The two values that worker threads change at the same time.
//!
//! Kept apart from the rest so that the model checker can build this file with its own atomics.

use super::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counts what is going on at the moment, never above a limit.
#[derive(Debug)]
pub(crate) struct Gauge(AtomicU32);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more unless that would exceed `max` (0 = no limit). Says whether it did; every
    /// success needs one [`Gauge::release`].
    // Relaxed is enough: only the number itself is shared, and read-modify-write operations on one
    // atomic happen in one order for all threads.
    pub(crate) fn reserve(&self, max: u32) -> bool {
        if max == 0 {
            self.0.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        let mut count = self.get();
        while count < max {
            match self.0.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
        false
    }

    pub(crate) fn release(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A moment that may be set, read and forgotten by any thread: the last one to write wins.
#[derive(Debug)]
pub(crate) struct Mark(AtomicU64);

impl Mark {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Milliseconds, or `None` when not set.
    pub(crate) fn get(&self) -> Option<u64> {
        // One more than the time, so that 0 can stand for "not set".
        self.0.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(crate) fn set(&self, now: u64) {
        self.0.store(now.saturating_add(1), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        // Looking first keeps the cache line shared: most clears find nothing to clear.
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}
