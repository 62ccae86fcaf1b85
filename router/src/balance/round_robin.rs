//! One endpoint after the other.

use std::sync::Arc;

use super::{Picked, Rules, Selection, overloaded, zone};
use crate::table::{Endpoints, Millis, Pool};

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
        let first = self.position.is_none();
        let start = match self.position {
            // The end of the list, or the list has become shorter since the last attempt.
            Some(position) if position < length => position,
            Some(_) => 0,
            None => pool.advance() as usize % length,
        };
        self.position = Some(start);
        let marks = !endpoints.is_narrowed();
        for (zone, marks) in [(zone, marks), (None, false)] {
            for index in (start..length).chain(0..start) {
                let endpoint = endpoints.get(index)?.endpoint();
                let usable = zone::allows(zone, endpoint)
                    && !(marks && endpoint.is_failed(now, rules.mark_ttl));
                let reserved = usable.then(|| endpoint.begin(rules.max_conns)).flatten();
                if let Some(in_flight) = reserved {
                    if first {
                        // The next request begins behind the chosen one, or the neighbours of endpoints that are passed
                        // over would get their share.
                        pool.pass_over((index + length - start) % length);
                    }
                    self.position = Some(index + 1);
                    let endpoint = Arc::clone(endpoint);
                    return Some(Picked {
                        endpoint,
                        in_flight,
                    });
                }
            }
            if overloaded(endpoints, rules.max_conns) {
                return None;
            }
            if !endpoints.is_narrowed() {
                endpoints
                    .iter()
                    .for_each(|slot| slot.endpoint().clear_mark());
            }
        }
        None
    }
}
