//! Counters with one writer and any number of readers.

use std::sync::atomic::{AtomicU64, Ordering};

/// A cache line of counters: what one worker writes shares no line with what another writes.
#[repr(align(64))]
#[derive(Debug, Default)]
pub(super) struct Line([AtomicU64; PER_LINE]);

const PER_LINE: usize = 8;

/// Memory for so many counters, all 0.
pub(super) fn lines(counters: usize) -> Box<[Line]> {
    (0..counters.div_ceil(PER_LINE))
        .map(|_| Line::default())
        .collect()
}

impl Line {
    /// The counter with this number, which must be below what the lines were made for.
    #[inline]
    pub(super) fn cell(lines: &[Line], number: usize) -> &AtomicU64 {
        &lines[number / PER_LINE].0[number % PER_LINE]
    }
}

/// Adds to a counter. By its owner's thread only: load and store instead of a locked add.
#[inline]
pub(super) fn increase(cell: &AtomicU64, by: u64) {
    cell.store(
        cell.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}

/// The value, by any thread.
pub(super) fn get(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}
