//! Rates of requests, kept without a lock and in a fixed amount of memory.
//!
//! The generic cell rate algorithm: all there is to remember is when the next request would be due if they came evenly. A
//! request may come before that by as much as the burst allows, and moves the time on by the distance of two requests.
//! Times are in microseconds.

use std::net::IpAddr;
use std::sync::OnceLock;

use super::Millis;
use super::atomic::{AtomicU64, Ordering};
use super::limits::Rate;

/// How far the clocks of two threads may be apart: somebody who comes second must not seem to come first and be turned
/// away for that.
const SKEW: u64 = 50_000;

/// Clocks are never so far apart: a time that lies ahead by more than a rate can bring about and this is none of that rate's.
const LAG: u64 = 1_000_000;

/// No rate brings a time so far ahead: the longest period is an hour, and the finest distance a microsecond.
const FARTHEST: u64 = 2 * 3_600 * 1_000_000;

/// Distance and burst of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// Between two requests that come evenly; at least 1.
    distance: u64,
    /// How far the time of the next request may lie ahead.
    ahead: u64,
}

impl Pace {
    fn of(rate: Rate) -> Option<Pace> {
        let period = rate.period.checked_mul(1_000)?;
        let requests = u64::from(rate.requests);
        let distance = period.checked_div(requests)?.max(1);
        Some(Pace {
            distance,
            ahead: distance * (requests - 1),
        })
    }

    /// How far ahead the time of the next request can lie, clocks that differ included.
    fn farthest(&self) -> u64 {
        self.ahead + self.distance + SKEW + LAG
    }

    /// The time of the next request once this one is let in; otherwise how long it would have to wait.
    fn next(&self, due: u64, now: u64) -> Result<u64, u64> {
        let due = due.max(now);
        match (due - now).saturating_sub(self.ahead) {
            wait if wait <= SKEW.min(self.distance / 2) => Ok(due + self.distance),
            wait => Err(wait),
        }
    }
}

/// The rate of one route.
#[derive(Debug)]
pub(super) struct Bucket {
    pace: Pace,
    due: AtomicU64,
}

impl Bucket {
    /// `None` for a rate that is no limit.
    pub(super) fn new(rate: Rate) -> Option<Bucket> {
        Some(Bucket {
            pace: Pace::of(rate)?,
            due: AtomicU64::new(0),
        })
    }

    pub(super) fn is_for(&self, rate: Rate) -> bool {
        Pace::of(rate) == Some(self.pace)
    }

    /// Lets a request in, or says in how many milliseconds one would be.
    pub(super) fn take(&self, now: Millis) -> Result<(), Millis> {
        let now = now.saturating_mul(1_000);
        let mut due = self.due.load(Ordering::Relaxed);
        loop {
            let next = self.pace.next(due, now).map_err(in_millis)?;
            match self
                .due
                .compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(other) => due = other,
            }
        }
    }
}

/// Clients that are remembered at a time, over all routes.
const PLACES: usize = 1 << 16;
/// Places that a client may stand in.
const WAYS: usize = 4;
/// Bits of a place that hold the time; the others say whose it is.
const TIME_BITS: u32 = 44;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The rates of clients on all routes that limit them: 512 KiB, taken when the first one does. When more clients come
/// than there is room for, those who are the nearest to being let in again are forgotten, and start anew.
#[derive(Debug)]
pub(super) struct Clients {
    places: OnceLock<Box<[AtomicU64]>>,
    seed: u64,
    routes: AtomicU64,
}

impl Clients {
    /// `seed` keeps others from finding addresses that share a place.
    pub(super) fn new(seed: u64) -> Clients {
        Clients {
            places: OnceLock::new(),
            seed,
            routes: AtomicU64::new(0),
        }
    }

    /// A number for a route that limits its clients.
    pub(super) fn route(&self) -> u64 {
        self.routes.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets a client's request for a route in, or says in how many milliseconds one would be.
    pub(super) fn take(
        &self,
        route: u64,
        client: IpAddr,
        rate: Rate,
        now: Millis,
    ) -> Result<(), Millis> {
        let Some(pace) = Pace::of(rate) else {
            return Ok(());
        };
        let key = mixed(mixed(network(client) ^ self.seed) ^ route);
        let places = self
            .places
            .get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect());
        let first = key as usize % (PLACES / WAYS) * WAYS;
        let Some(places) = places.get(first..first + WAYS) else {
            return Ok(());
        };
        let (tag, now) = (key & !TIME, now.saturating_mul(1_000));
        loop {
            let (place, held) = choose(places, tag, now);
            let due = match held & !TIME == tag {
                true => now + ahead(held, now, pace.farthest()),
                false => 0,
            };
            let next = pace.next(due, now).map_err(in_millis)?;
            let new = tag | next & TIME;
            let swapped =
                place.compare_exchange_weak(held, new, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                return Ok(());
            }
        }
    }
}

/// The client's place, else the one whose owner would be let in first, with what it holds.
fn choose(places: &[AtomicU64], tag: u64, now: u64) -> (&AtomicU64, u64) {
    let mut chosen = (&places[0], places[0].load(Ordering::Relaxed));
    for place in places {
        let held = place.load(Ordering::Relaxed);
        if held & !TIME == tag {
            return (place, held);
        }
        // Whose rate it was is not known here.
        if ahead(held, now, FARTHEST) < ahead(chosen.1, now, FARTHEST) {
            chosen = (place, held);
        }
    }
    chosen
}

/// How far the time in a place lies ahead. Times wrap around after half a year, so one that seems to lie ahead further than
/// `farthest` is past; or it is of a slower rate that the route had before, and counts no more.
fn ahead(held: u64, now: u64, farthest: u64) -> u64 {
    let ahead = (held & TIME).wrapping_sub(now & TIME) & TIME;
    if ahead > farthest { 0 } else { ahead }
}

/// A client's address; of IPv6 the network, since a client has all addresses of its own.
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_bits().into(),
        // The first half; no IPv4 address looks like it.
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64 | 1 << 32,
    }
}

/// A bijection that spreads (the finisher of SplitMix64).
fn mixed(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn in_millis(microseconds: u64) -> Millis {
    microseconds.div_ceil(1_000)
}

#[cfg(test)]
mod tests;
