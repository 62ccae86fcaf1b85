//! What stays the same behind an endpoint while its description changes.

use std::sync::Arc;

use super::Millis;
use super::atomic::{AtomicU32, Ordering};
use super::gauge::{Gauge, Mark};
use super::strikes::Strikes;

/// A backend's connections and health. An endpoint that is replaced by one with the same address,
/// TLS flag and certificate name hands it on.
#[derive(Debug)]
pub(crate) struct Backend {
    connection_id: u64,
    in_flight: Gauge,
    failed: Mark,
    strikes: Strikes,
    /// How many slots of pools hold it; changed by the writer only.
    held: AtomicU32,
}

impl Backend {
    pub(crate) fn new() -> Arc<Self> {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        Arc::new(Self {
            connection_id: NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            in_flight: Gauge::new(),
            failed: Mark::new(),
            strikes: Strikes::new(),
            held: AtomicU32::new(0),
        })
    }

    pub(crate) fn connection_id(&self) -> u64 {
        self.connection_id
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.get()
    }

    pub(crate) fn begin(self: &Arc<Self>, max: u32) -> Option<InFlight> {
        let reserved = self.in_flight.reserve(max);
        reserved.then(|| InFlight(Arc::clone(self)))
    }

    pub(crate) fn failed(&self) -> &Mark {
        &self.failed
    }

    pub(crate) fn strikes(&self) -> &Strikes {
        &self.strikes
    }

    pub(crate) fn failed_at(&self) -> Option<Millis> {
        self.failed.get()
    }

    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn let_go(&self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }
}

/// One attempt under way at an endpoint, counted until this is dropped.
///
/// An attempt counts from its choice until its response headers have arrived (spec 3.4): drop it
/// then, not at the end of the body.
#[derive(Debug)]
#[must_use = "the attempt is counted only while this is held"]
pub struct InFlight(Arc<Backend>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.release();
    }
}
