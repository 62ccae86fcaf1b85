//! What few pools have, kept where the others pay a pointer for it.

use std::sync::Arc;

use super::Algorithm;
use super::hash::Hash;
use super::pool::Endpoints;
use super::registration::Registration;
use super::slot::Slot;

/// What a pool has beside its endpoints because its registrations ask for it.
#[derive(Debug)]
pub struct Extras {
    /// With the algorithm `hash`.
    pub(super) hash: Option<Hash>,
}

impl Extras {
    /// What `registration` asks for a pool that has these slots and this algorithm from now on, and that was as `before`.
    pub(super) fn new(
        registration: &Registration<'_>,
        algorithm: Algorithm,
        fallback: Algorithm,
        slots: &[Slot],
        before: Option<&Endpoints>,
    ) -> Option<Arc<Extras>> {
        let hash = (algorithm == Algorithm::Hash).then(|| {
            let before = before.and_then(Endpoints::hash);
            let (header, balance) = match (registration.algorithm, registration.options, before) {
                // A registration that names no algorithm, or none that is known, leaves them (spec 14.1).
                (None, _, Some(before)) => (before.header(), before.balance()),
                (_, Some(options), _) => (&*options.hash_header, options.hash_balance),
                (_, None, _) => ("", 0.0),
            };
            Hash::new(header, balance, fallback, slots, before)
        });
        hash.is_some().then(|| Arc::new(Extras { hash }))
    }

    /// The same for other slots.
    pub(super) fn with_slots(self: &Arc<Self>, slots: &[Slot]) -> Arc<Extras> {
        match &self.hash {
            None => Arc::clone(self),
            Some(hash) => Arc::new(Extras {
                hash: Some(hash.with_slots(slots)),
            }),
        }
    }
}
