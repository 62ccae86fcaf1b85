//! What the access log lost.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cell::get;

/// Counts of lost records, by where they were lost.
#[derive(Debug, Default)]
pub struct Losses {
    dropped: AtomicU64,
    failed: AtomicU64,
    unstreamed: AtomicU64,
}

impl Losses {
    pub(super) fn dropped(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, records: u64) {
        self.failed.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn unstreamed(&self, records: u64) {
        self.unstreamed.fetch_add(records, Ordering::Relaxed);
    }

    /// Records dropped because the log thread was too far behind.
    pub fn dropped_records(&self) -> u64 {
        get(&self.dropped)
    }

    /// Records that could not be written to the file.
    pub fn failed_records(&self) -> u64 {
        get(&self.failed)
    }

    /// Records that were not streamed because the syslog server was away or too slow.
    pub fn unstreamed_records(&self) -> u64 {
        get(&self.unstreamed)
    }
}
