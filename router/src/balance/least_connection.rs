//! The endpoint with the fewest attempts under way.

use std::sync::Arc;

use super::eligible::{Eligible, mixed};
use super::{Picked, Rules, Selection};
use crate::table::{Endpoint, Endpoints, Millis};

impl Selection {
    /// The endpoint with the fewest attempts under way below the limit, a random one of several
    /// (spec 3.4, R-111). Failure marks play no part; but a retry goes to an endpoint that was
    /// not tried yet if there is one, since a dead endpoint always has the fewest attempts.
    pub(super) fn least_connection(
        &self,
        endpoints: &Endpoints,
        rules: &Rules,
        zone: Option<&str>,
        now: Millis,
        random: impl FnOnce() -> u64,
    ) -> Option<Picked> {
        let mut random = random();
        let all = Eligible::new(zone).without_ejected(endpoints, &self.tried, rules, now);
        // A retry takes whoever was not tried.
        let first = match self.tried.count {
            0 => all.ramping(rules, now, random),
            _ => all,
        };
        // Another thread may take the last place between our look and our reservation; each time
        // there is one endpoint less to choose from, unless others give places back.
        for _ in 0..=endpoints.len() {
            let mut fewest = |eligible| self.fewest(endpoints, rules, eligible, &mut random);
            let chosen = fewest(first)
                .or_else(|| fewest(first.settled()?))
                .or_else(|| fewest(all.anywhere()))
                .or_else(|| fewest(Eligible::new(None)))?;
            if let Some(in_flight) = chosen.begin(rules.max_conns) {
                let endpoint = Arc::clone(chosen);
                return Some(Picked {
                    endpoint,
                    in_flight,
                });
            }
        }
        None
    }

    fn fewest<'a>(
        &self,
        endpoints: &'a Endpoints,
        rules: &Rules,
        eligible: Eligible<'_>,
        random: &mut u64,
    ) -> Option<&'a Arc<Endpoint>> {
        let mut chosen = None;
        let mut fewest = (true, u32::MAX);
        let mut equals = 0;
        for slot in endpoints.iter() {
            let endpoint = slot.endpoint();
            let in_flight = endpoint.in_flight();
            let full = rules.max_conns > 0 && in_flight >= rules.max_conns;
            if full || !eligible.allows(slot) {
                continue;
            }
            let load = (self.tried.contains(endpoint.connection_id()), in_flight);
            if chosen.is_none() || load < fewest {
                (chosen, fewest, equals) = (Some(endpoint), load, 1);
            } else if load == fewest {
                // Each of n equal endpoints stays chosen with a chance of 1/n.
                equals += 1;
                if step(random).is_multiple_of(equals) {
                    chosen = Some(endpoint);
                }
            }
        }
        chosen
    }
}

/// The next number of the sequence that begins with `random` (SplitMix64).
fn step(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed(*random)
}
