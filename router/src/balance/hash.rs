//! The owner of a header's value.

use std::sync::Arc;

use super::eligible::Eligible;
use super::{Picked, Rules, Selection};
use crate::table::{Endpoint, Endpoints, Hash, Millis, SLOTS};

impl Selection {
    /// The first owner from the value's slot on that is below its limits; on a retry from behind the one that was tried,
    /// and none that was tried before (spec 14.1). Failure marks and zones play no part. `None` when nobody is left.
    pub(super) fn hashed(
        &mut self,
        endpoints: &Endpoints,
        hash: &Hash,
        value: u64,
        rules: &Rules,
        now: Millis,
    ) -> Option<Picked> {
        let everybody = Eligible::new(None);
        let eligible = everybody.without_ejected(endpoints, &self.tried, rules, now);
        let (slot, picked) = self
            .walk(endpoints, hash, value, rules, eligible)
            // Before nobody gets it, one does that is left out.
            .or_else(|| match rules.ejection {
                Some(_) => self.walk(endpoints, hash, value, rules, everybody),
                None => None,
            })?;
        self.slot = Some(slot);
        Some(picked)
    }

    fn walk(
        &self,
        endpoints: &Endpoints,
        hash: &Hash,
        value: u64,
        rules: &Rules,
        eligible: Eligible<'_>,
    ) -> Option<(usize, Picked)> {
        let start = match self.slot {
            Some(last) => last + 1,
            None => (value % SLOTS as u64) as usize,
        };
        let mut load = Load::new(endpoints, hash.balance());
        let mut seen = Seen::default();
        for slot in (start..).take(SLOTS) {
            let owner = hash.owner(slot)?;
            if !seen.is_new(owner) {
                continue;
            }
            let position = hash.position(owner)?;
            let endpoint = endpoints.get(position)?.endpoint();
            let usable = !self.tried.contains(endpoint.connection_id())
                && !load.is_imbalanced(endpoint)
                && !eligible.is_ejected(endpoint);
            let reserved = usable.then(|| endpoint.begin(rules.max_conns)).flatten();
            if let Some(in_flight) = reserved {
                let endpoint = Arc::clone(endpoint);
                let picked = Picked {
                    endpoint,
                    in_flight,
                };
                return Some((slot % SLOTS, picked));
            }
            if seen.count == hash.owners() {
                break;
            }
        }
        None
    }
}

/// Compares endpoints with the mean of their pool.
struct Load<'a> {
    endpoints: &'a Endpoints,
    /// 0: nobody is compared.
    balance: f64,
    /// Attempts under way over the whole pool, counted when it is asked for.
    sum: Option<u64>,
}

impl<'a> Load<'a> {
    fn new(endpoints: &'a Endpoints, balance: f64) -> Self {
        // The only one there is gets all, whatever the factor.
        let balance = if endpoints.len() > 1 { balance } else { 0.0 };
        Self {
            endpoints,
            balance,
            sum: None,
        }
    }

    /// Whether it has more than its share. While nothing is under way nobody has.
    fn is_imbalanced(&mut self, endpoint: &Endpoint) -> bool {
        if self.balance <= 0.0 {
            return false;
        }
        let slots = self.endpoints.iter();
        let count = |sum: u64, in_flight: u32| sum + u64::from(in_flight);
        let sum = *self
            .sum
            .get_or_insert_with(|| slots.map(|slot| slot.endpoint().in_flight()).fold(0, count));
        let mean = sum as f64 / self.endpoints.len() as f64;
        mean > 0.0 && f64::from(endpoint.in_flight()) / mean > self.balance
    }
}

/// Owners that were looked at, a bit each.
struct Seen {
    bits: [u64; SLOTS.div_ceil(64)],
    count: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            bits: [0; SLOTS.div_ceil(64)],
            count: 0,
        }
    }
}

impl Seen {
    fn is_new(&mut self, owner: usize) -> bool {
        let bit = 1 << (owner % 64);
        let new = self
            .bits
            .get(owner / 64)
            .is_some_and(|bits| bits & bit == 0);
        if let Some(bits) = self.bits.get_mut(owner / 64) {
            *bits |= bit;
        }
        self.count += usize::from(new);
        new
    }
}
