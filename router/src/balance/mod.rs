//! The choice of an endpoint: one request's attempts over a pool.
//!
//! Knows the [`table`](crate::table) and nothing else; time and chance are arguments.

use std::sync::Arc;

use crate::table::{Algorithm, Endpoint, Endpoints, Hash, InFlight, Pool};

mod eligible;
mod hash;
mod least_connection;
mod round_robin;
mod sticky;
mod verdict;
mod zone;

pub use sticky::{Bond, Session};
pub use verdict::{Verdict, note_verdict};

pub use crate::table::{Ejection, Millis};

/// What the configuration says about choosing.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Most attempts under way at one endpoint, 0 = no limit.
    pub max_conns: u32,
    /// How long a failed endpoint is passed by, in milliseconds.
    pub mark_ttl: Millis,
    /// The router's own availability zone.
    pub zone: Box<str>,
    /// Whether endpoints in that zone come first.
    pub zone_preference: ZonePreference,
    /// How long a new endpoint gets less than its share, in milliseconds; 0 is not at all.
    pub slow_start: Millis,
    /// When failing endpoints are left out; `None` is never.
    pub ejection: Option<Ejection>,
}

/// Whether the availability zone plays a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZonePreference {
    /// `none`
    None,
    /// `locally-optimistic`: the first attempt stays in the zone if it can.
    LocallyOptimistic,
}

/// One request's way over the endpoints of a pool, one [`Selection::next`] an attempt.
#[derive(Debug, Default)]
pub struct Selection {
    attempts: usize,
    /// Where round robin goes on; the request's own, so that others do not disturb it.
    position: Option<usize>,
    /// Hash of the value that the pool's `hash_header` has in this request.
    value: Option<u64>,
    /// The slot of the table that led to the last endpoint.
    slot: Option<usize>,
    tried: Tried,
}

/// An endpoint for one attempt.
#[derive(Debug)]
pub struct Picked {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Counts the attempt; to be dropped when its response headers have arrived.
    pub in_flight: InFlight,
}

/// Why there is no endpoint for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEndpoint {
    /// The pool is empty.
    Empty,
    /// All endpoints are at `max_conns`.
    Overloaded,
    /// The session's endpoint is gone or at `max_conns`, and no other will do.
    Unbound,
    /// No owner of the value is below its limits and was not tried yet (spec 14.1).
    NobodyLeft,
    /// The choice fell on an endpoint that was tried before, after as many attempts as the pool
    /// has endpoints (spec 4.12).
    AllTried,
}

impl Selection {
    /// For one request; costs nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a request that has this value, as [`fnv1a`](crate::table::fnv1a) hashes it, in the header that pools with
    /// the algorithm `hash` go by. Without one the router-wide algorithm counts.
    pub fn with_value(self, value: Option<u64>) -> Self {
        Self { value, ..self }
    }

    /// Chooses an endpoint for the next attempt and counts the attempt there. `random` is called
    /// at most once. A session that only prefers its instance does so for the first attempt.
    pub fn next(
        &mut self,
        pool: &Pool,
        rules: &Rules,
        session: Option<Session<'_>>,
        now: Millis,
        random: impl FnOnce() -> u64,
    ) -> Result<Picked, NoEndpoint> {
        let endpoints = pool.endpoints();
        if endpoints.is_empty() {
            return Err(NoEndpoint::Empty);
        }
        let zone = zone::preferred(rules, self.attempts);
        let first = self.attempts == 0;
        self.attempts += 1;
        let pinned = session
            .filter(|session| first || session.bond == Bond::Required)
            .and_then(|session| self.pinned(&endpoints, rules, session));
        let picked = match (pinned, session) {
            (Some(picked), _) => picked,
            (
                None,
                Some(Session {
                    bond: Bond::Required,
                    ..
                }),
            ) => return Err(NoEndpoint::Unbound),
            (None, _) => match (self.value, endpoints.hash()) {
                (Some(value), Some(hash)) => self
                    .hashed(&endpoints, hash, value, rules, now)
                    .ok_or(NoEndpoint::NobodyLeft)?,
                (_, hash) => match hash.map_or(endpoints.algorithm(), Hash::fallback) {
                    Algorithm::LeastConnection => {
                        self.least_connection(&endpoints, rules, zone, now, random)
                    }
                    Algorithm::RoundRobin | Algorithm::Hash => {
                        self.round_robin(pool, &endpoints, rules, zone, now)
                    }
                }
                .ok_or(NoEndpoint::Overloaded)?,
            },
        };
        let id = picked.endpoint.connection_id();
        if self.attempts > endpoints.len() && self.tried.contains(id) {
            return Err(NoEndpoint::AllTried);
        }
        self.tried.add(id);
        Ok(picked)
    }
}

/// Whether every endpoint has `max_conns` attempts under way: then a request is refused before
/// anything is sent. An empty pool is not overloaded.
pub fn overloaded(endpoints: &Endpoints, max_conns: u32) -> bool {
    let full = |in_flight| max_conns > 0 && in_flight >= max_conns;
    let mut slots = endpoints.iter();
    !endpoints.is_empty() && slots.all(|slot| full(slot.endpoint().in_flight()))
}

/// The connection ids of the endpoints that were tried, without memory of their own as long as
/// they are few.
#[derive(Debug, Default)]
struct Tried {
    first: [u64; 8],
    count: usize,
    more: Vec<u64>,
}

impl Tried {
    fn contains(&self, id: u64) -> bool {
        self.first.iter().take(self.count).any(|&other| other == id) || self.more.contains(&id)
    }

    fn add(&mut self, id: u64) {
        match self.first.get_mut(self.count) {
            Some(place) => {
                *place = id;
                self.count += 1;
            }
            None => self.more.push(id),
        }
    }
}

#[cfg(test)]
mod tests;
