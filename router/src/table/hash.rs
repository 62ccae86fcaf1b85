//! Which endpoint owns which part of the values of a header (spec 14.1, RFC-0042 of Cloud Foundry).
//!
//! The table is GoRouter's, slot for slot: several routers in front of one application, of either make, send the same
//! value to the same instance.

use std::sync::Arc;

use super::Algorithm;
use super::slot::Slot;

/// Slots of a table. A prime, so that every preference visits all of them.
pub const SLOTS: usize = 3001;

/// How a pool chooses by hash.
#[derive(Debug)]
pub struct Hash {
    header: Box<str>,
    balance: f64,
    fallback: Algorithm,
    ring: Arc<Ring>,
    /// Where in the pool the owner of each number of the ring stands.
    positions: Box<[u16]>,
}

/// Who owns which slot. It follows from the sorted ids alone: how the pool came to have them leaves no trace.
#[derive(Debug)]
struct Ring {
    /// The hash of each id, in the order of the ids.
    hashes: Box<[u64]>,
    /// For each slot the number of its owner in that order.
    slots: Box<[u16]>,
}

impl Hash {
    /// `fallback` is what counts for requests without a value. `before` is what the pool had so far.
    pub(super) fn new(
        header: &str,
        balance: f64,
        fallback: Algorithm,
        slots: &[Slot],
        before: Option<&Hash>,
    ) -> Hash {
        let mut ids: Vec<(&str, u16)> = (0..=u16::MAX)
            .zip(slots)
            .map(|(position, slot)| (id(slot), position))
            .collect();
        ids.sort_unstable();
        // Of several with one id the one that was registered last gets all, as with GoRouter.
        ids.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
        ids.truncate(SLOTS);
        let hashes: Box<[u64]> = ids.iter().map(|(id, _)| fnv1a(id.as_bytes())).collect();
        let ring = match before {
            Some(before) if before.ring.hashes == hashes => Arc::clone(&before.ring),
            _ => Arc::new(Ring::new(hashes)),
        };
        Hash {
            header: header.into(),
            balance,
            fallback,
            ring,
            positions: ids.iter().map(|(_, position)| *position).collect(),
        }
    }

    /// The same settings for other endpoints.
    pub(super) fn with_slots(&self, slots: &[Slot]) -> Hash {
        Hash::new(&self.header, self.balance, self.fallback, slots, Some(self))
    }

    /// Name of the request header whose value is hashed; empty when the registration named none.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// How many times the mean number of attempts under way an endpoint may have; 0 is no limit.
    pub fn balance(&self) -> f64 {
        self.balance
    }

    /// The algorithm for requests without a value.
    pub fn fallback(&self) -> Algorithm {
        self.fallback
    }

    /// How many owners there are.
    pub fn owners(&self) -> usize {
        self.positions.len()
    }

    /// The number of the owner of a slot, below [`Hash::owners`]; `slot` is taken modulo [`SLOTS`].
    pub fn owner(&self, slot: usize) -> Option<usize> {
        self.ring.slots.get(slot % SLOTS).copied().map(usize::from)
    }

    /// Where in the pool an owner stands.
    pub fn position(&self, owner: usize) -> Option<usize> {
        self.positions.get(owner).copied().map(usize::from)
    }
}

impl Ring {
    /// Round after round, each id takes the first slot of its preference that nobody has, until all are taken.
    fn new(hashes: Box<[u64]>) -> Ring {
        const FREE: u16 = u16::MAX;
        const SIZE: u64 = SLOTS as u64;
        let mut slots = vec![FREE; SLOTS].into_boxed_slice();
        let mut preferences: Vec<_> = hashes
            .iter()
            .map(|hash| (hash % SIZE, hash % (SIZE - 1) + 1))
            .collect();
        let mut left = if hashes.is_empty() { 0 } else { SLOTS };
        while left > 0 {
            for (owner, (at, skip)) in (0..FREE).zip(&mut preferences) {
                // Ends: somebody is still to come to every free slot.
                while left > 0 {
                    let slot = slots.get_mut(*at as usize);
                    *at = (*at + *skip) % SIZE;
                    if let Some(slot) = slot.filter(|slot| **slot == FREE) {
                        *slot = owner;
                        left -= 1;
                        break;
                    }
                }
            }
        }
        Ring { hashes, slots }
    }
}

/// What the table knows an endpoint by: its instance id, without one its address.
fn id(slot: &Slot) -> &str {
    match slot.endpoint().instance_id() {
        "" => slot.endpoint().address(),
        id => id,
    }
}

/// FNV-1a with 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
