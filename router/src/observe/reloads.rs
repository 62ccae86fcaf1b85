//! How changes of certificates and configuration went, and how long the certificates in force are good for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::CertificateLife;

/// What was read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Files with certificates, keys and authorities.
    Files,
    /// The configuration.
    Config,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Applied,
    /// It cannot be used; what was before stays in force.
    Refused,
}

impl Outcome {
    /// Each with the value of its label.
    pub(super) const ALL: [(Outcome, &str); 2] =
        [(Outcome::Applied, "applied"), (Outcome::Refused, "refused")];
}

/// Counted since the start.
#[derive(Debug, Default)]
pub struct Reloads {
    counts: [[AtomicU64; 2]; 2],
    certificates: Mutex<Vec<CertificateLife>>,
}

impl Reloads {
    /// Counts one.
    pub fn count(&self, reload: Reload, outcome: Outcome) {
        self.counts[reload as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The certificates that are in force from now on.
    pub fn certificates_are(&self, certificates: Vec<CertificateLife>) {
        *self.lock() = certificates;
    }

    pub(super) fn counted(&self, reload: Reload, outcome: Outcome) -> u64 {
        self.counts[reload as usize][outcome as usize].load(Ordering::Relaxed)
    }

    pub(super) fn certificates(&self) -> Vec<CertificateLife> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CertificateLife>> {
        // A list is whole at any time.
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
