//! What few pools have, kept where the others pay a pointer for it.

use std::sync::Arc;

use super::Algorithm;
use super::hash::Hash;
use super::limiter::Limiter;
use super::limits::Limits;
use super::pool::Endpoints;
use super::rate::Clients;
use super::registration::Registration;
use super::slot::Slot;

/// What a pool has beside its endpoints because its registrations, or the configuration, ask for it.
#[derive(Debug)]
pub struct Extras {
    /// With the algorithm `hash`.
    pub(super) hash: Option<Hash>,
    /// With limits of its own.
    pub(super) limiter: Option<Arc<Limiter>>,
}

/// What counts beside the registration itself.
pub(super) struct Terms<'a> {
    /// The pool's algorithm.
    pub(super) algorithm: Algorithm,
    /// The algorithm for requests that `hash` has no value for.
    pub(super) fallback: Algorithm,
    /// Limits that the registration may leave out.
    pub(super) limits: &'a Limits,
    /// Where clients' rates are kept.
    pub(super) clients: &'a Arc<Clients>,
}

impl Extras {
    /// What `registration` asks for a pool that has these slots from now on, and that was as `before`.
    pub(super) fn new(
        registration: &Registration<'_>,
        terms: &Terms<'_>,
        slots: &[Slot],
        before: Option<&Endpoints>,
    ) -> Option<Arc<Extras>> {
        let hash = (terms.algorithm == Algorithm::Hash).then(|| {
            let before = before.and_then(Endpoints::hash);
            let (header, balance) = match (registration.algorithm, registration.options, before) {
                // A registration that names no algorithm, or none that is known, leaves them (spec 14.1).
                (None, _, Some(before)) => (before.header(), before.balance()),
                (_, Some(options), _) => (&*options.hash_header, options.hash_balance),
                (_, None, _) => ("", 0.0),
            };
            Hash::new(header, balance, terms.fallback, slots, before)
        });
        let own = registration.options.map(|options| options.limits);
        let limits = own.unwrap_or_default().or(terms.limits);
        let before = before.and_then(Endpoints::limiter);
        let limiter = Limiter::new(limits, before, terms.clients);
        let any = hash.is_some() || limiter.is_some();
        any.then(|| Arc::new(Extras { hash, limiter }))
    }

    /// The same for other slots.
    pub(super) fn with_slots(self: &Arc<Self>, slots: &[Slot]) -> Arc<Extras> {
        match &self.hash {
            None => Arc::clone(self),
            Some(hash) => Arc::new(Extras {
                hash: Some(hash.with_slots(slots)),
                limiter: self.limiter.clone(),
            }),
        }
    }
}
