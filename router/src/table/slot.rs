//! An endpoint's place in a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::Millis;
use super::endpoint::Endpoint;
use super::source::SourceId;

/// An endpoint's place in a pool, and where it is known from.
#[derive(Debug)]
pub struct Slot {
    endpoint: Arc<Endpoint>,
    first_seen: Millis,
    last_seen: AtomicU64,
    /// In which bucket of the calendar the slot is to be looked at; see `expiry`.
    due: AtomicU32,
    source: AtomicU16,
    /// Part of the hash of the address: finds a slot among hundreds without touching them all.
    address_tag: u16,
}

impl Slot {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        address_tag: u16,
        source: SourceId,
        now: Millis,
        due: u32,
    ) -> Self {
        Self {
            endpoint,
            first_seen: now,
            last_seen: AtomicU64::new(now),
            due: AtomicU32::new(due),
            source: AtomicU16::new(source.0),
            address_tag,
        }
    }

    /// The same place for another list. Only the writer changes slots, so nothing is lost between
    /// copying one and publishing its list; the copy of a narrowed pool may be outdated.
    pub(crate) fn copy(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            first_seen: self.first_seen,
            last_seen: AtomicU64::new(self.last_seen()),
            due: AtomicU32::new(self.due()),
            source: AtomicU16::new(self.source().0),
            address_tag: self.address_tag,
        }
    }

    /// The same place with another endpoint, confirmed `now`.
    pub(crate) fn replaced(
        &self,
        endpoint: Arc<Endpoint>,
        source: SourceId,
        now: Millis,
        due: u32,
    ) -> Self {
        Self {
            endpoint,
            first_seen: self.first_seen,
            last_seen: AtomicU64::new(now),
            due: AtomicU32::new(due),
            source: AtomicU16::new(source.0),
            address_tag: self.address_tag,
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// When this address was first registered in this pool.
    pub fn first_seen(&self) -> Millis {
        self.first_seen
    }

    /// When a registration last confirmed it.
    pub fn last_seen(&self) -> Millis {
        self.last_seen.load(Ordering::Relaxed)
    }

    /// Who last confirmed it.
    pub fn source(&self) -> SourceId {
        SourceId(self.source.load(Ordering::Relaxed))
    }

    pub(crate) fn refresh(&self, source: SourceId, now: Millis) {
        self.last_seen.store(now, Ordering::Relaxed);
        if self.source() != source {
            self.source.store(source.0, Ordering::Relaxed);
        }
    }

    pub(crate) fn address_tag(&self) -> u16 {
        self.address_tag
    }

    pub(crate) fn due(&self) -> u32 {
        self.due.load(Ordering::Relaxed)
    }

    pub(crate) fn set_due(&self, due: u32) {
        self.due.store(due, Ordering::Relaxed);
    }
}
