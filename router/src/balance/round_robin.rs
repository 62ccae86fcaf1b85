//! One endpoint after the other.

use std::sync::Arc;

use super::eligible::Eligible;
use super::{Picked, Rules, Selection, overloaded};
use crate::table::{Endpoints, Millis, Pool};

/// Whether endpoints that are marked as failed are passed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Respected,
    Ignored,
}

impl Selection {
    /// The next endpoint from this request's position on that is neither marked as failed nor at
    /// its limit. When a circle finds none, all marks are taken away, the zone is given up and a
    /// second circle begins (spec 3.4, R-117); `None` when all endpoints are at their limits.
    pub(super) fn round_robin(
        &mut self,
        pool: &Pool,
        endpoints: &Endpoints,
        rules: &Rules,
        zone: Option<&str>,
        now: Millis,
    ) -> Option<Picked> {
        let length = endpoints.len();
        let retry = self.position;
        let start = match retry {
            // The end of the list, or the list has become shorter since the last attempt.
            Some(position) if position < length => position,
            Some(_) => 0,
            None => pool.advance() as usize % length,
        };
        self.position = Some(start);
        let mut circle = |eligible, marks| {
            let (index, picked) = circle(endpoints, rules, start, eligible, marks, now)?;
            if retry.is_none() {
                // The next request begins behind the chosen one, or the neighbours of endpoints that are passed
                // over would get their share.
                pool.pass_over((index + length - start) % length);
            }
            self.position = Some(index + 1);
            Some(picked)
        };
        let marks = match endpoints.is_narrowed() {
            true => Marks::Ignored,
            false => Marks::Respected,
        };
        let all = Eligible::new(zone).without_ejected(endpoints, &self.tried, rules, now);
        // The cursor is another one for each request; a retry takes whoever comes next.
        let first = match retry {
            None => all.ramping(rules, now, u64::from(pool.cursor())),
            Some(_) => all,
        };
        let picked = circle(first, marks).or_else(|| circle(first.settled()?, marks));
        if picked.is_some() || overloaded(endpoints, rules.max_conns) {
            return picked;
        }
        if marks == Marks::Respected {
            endpoints
                .iter()
                .for_each(|slot| slot.endpoint().clear_mark());
        }
        circle(all.anywhere(), Marks::Ignored)
            .or_else(|| circle(Eligible::new(None), Marks::Ignored))
    }
}

/// The first usable endpoint from `start` on, and where it stands.
fn circle(
    endpoints: &Endpoints,
    rules: &Rules,
    start: usize,
    eligible: Eligible<'_>,
    marks: Marks,
    now: Millis,
) -> Option<(usize, Picked)> {
    for index in (start..endpoints.len()).chain(0..start) {
        let slot = endpoints.get(index)?;
        let endpoint = slot.endpoint();
        let usable = eligible.allows(slot)
            && !(marks == Marks::Respected && endpoint.is_failed(now, rules.mark_ttl));
        let reserved = usable.then(|| endpoint.begin(rules.max_conns)).flatten();
        if let Some(in_flight) = reserved {
            let endpoint = Arc::clone(endpoint);
            return Some((
                index,
                Picked {
                    endpoint,
                    in_flight,
                },
            ));
        }
    }
    None
}
