//! The routing table: which pool of endpoints answers for a host and a path.
//!
//! Readers share a [`Table`] and never wait: it is an array of shards by host hash, each a cache
//! line of atomic pointers to pools, and to an immutable map of the hosts that have no place there.
//! A pool's list of endpoints is behind a pointer of its own, so that a new instance swaps one list
//! and only a new or gone route changes a shard. All changes go through the one [`Writer`], in
//! order.
//!
//! The table knows no sockets, no HTTP and no clock: time is an argument.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use foldhash::quality::RandomState;

use host::{FoldedHost, SoughtHost};
use shard::Shard;

mod host;
mod name;
mod others;
mod paths;
mod shard;
mod uri;
mod wildcards;

mod backend;
mod endpoint;
mod extras;
mod gauge;
mod hash;
mod limiter;
mod limits;
mod options;
mod pool;
mod rate;
mod registration;
mod route_policy;
mod slot;
mod source;
mod strikes;
mod tags;

mod change;
mod expiry;
mod register;
mod writer;

mod atomic {
    //! What `gauge` builds on; the model checker gives it something else.
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

pub use backend::InFlight;
pub use change::{Change, Event, Outcome};
pub use endpoint::{Endpoint, without_user};
pub use extras::Extras;
pub use hash::{Hash, SLOTS, fnv1a};
pub use limiter::{Limiter, Permit, Refusal, RetryBudget};
pub use limits::{Limits, Rate};
pub use options::RouteOptions;
pub use pool::{Endpoints, Pool};
pub use registration::{ModificationTag, Protocol, Registration};
pub use route_policy::{PolicySource, RoutePolicy, sources};
pub use slot::Slot;
pub use source::{Source, SourceId};
pub use strikes::Ejection;
pub use tags::Tags;
pub use writer::{Stats, Writer};

/// Milliseconds on the process's monotonic clock. Always an argument.
pub type Millis = u64;

/// Where requests find their pools. Shared by all threads; changed through its [`Writer`] only.
#[derive(Debug)]
pub struct Table {
    hasher: RandomState,
    /// A power of two of them.
    shards: Box<[Shard]>,
    wildcards: wildcards::Wildcards,
    routes: AtomicUsize,
    /// One more than the time of the last registration; 0 = never.
    registered: AtomicU64,
    sources: ArcSwap<Vec<Source>>,
}

impl Table {
    /// An empty table and the one who may change it.
    pub fn new(settings: Settings) -> (Arc<Table>, Writer) {
        let shards = settings.shards.clamp(1, 1 << 20).next_power_of_two();
        let table = Arc::new(Self {
            hasher: RandomState::default(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            wildcards: wildcards::Wildcards::default(),
            routes: AtomicUsize::new(0),
            registered: AtomicU64::new(0),
            sources: ArcSwap::default(),
        });
        (Arc::clone(&table), Writer::new(table, settings))
    }

    /// The pool that answers for a request, perhaps an empty one (spec 3.2).
    ///
    /// `host` as sent, with or without a port; `path` as received, without the query. First the
    /// exact host, then wildcards from the longest to the shortest; within a host the deepest
    /// context path that has endpoints, else the deepest one.
    pub fn lookup(&self, host: &[u8], path: &[u8]) -> Option<Arc<Pool>> {
        let port = memchr::memchr(b':', host).unwrap_or(host.len());
        let host = host.get(..port).unwrap_or_default();
        if host.is_empty() {
            return None;
        }
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut folded = FoldedHost::new(host);
        if let Some(pool) = self.deepest(&folded.exact(), path) {
            return Some(pool);
        }
        for dot in self.wildcards.dots(host) {
            if let Some(pool) = self.deepest(&folded.wildcard(dot), path) {
                return Some(pool);
            }
        }
        None
    }

    /// All pools, sorted by uri.
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        let mut pools = Vec::with_capacity(self.route_count());
        for shard in &self.shards {
            shard.collect(&mut pools);
        }
        pools.sort_unstable_by(|a, b| a.uri().cmp(b.uri()));
        pools
    }

    /// Number of routes, which is the number of pools.
    pub fn route_count(&self) -> usize {
        self.routes.load(Ordering::Relaxed)
    }

    /// Number of distinct addresses over all pools. Walks the whole table.
    pub fn endpoint_count(&self) -> usize {
        let pools = self.pools();
        let lists: Vec<_> = pools.iter().map(|pool| pool.endpoints()).collect();
        let slots = lists.iter().flat_map(|list| list.iter());
        slots
            .map(|slot| slot.endpoint().address())
            .collect::<HashSet<_>>()
            .len()
    }

    /// When the last registration came, whether or not it changed anything.
    pub fn last_registration(&self) -> Option<Millis> {
        self.registered.load(Ordering::Relaxed).checked_sub(1)
    }

    /// The sources and their health.
    pub fn sources(&self) -> Vec<Source> {
        self.sources.load().to_vec()
    }

    fn deepest(&self, host: &SoughtHost<'_>, path: &[u8]) -> Option<Arc<Pool>> {
        let (shard, hash) = self.shard(host)?;
        shard.deepest(hash, host, path)
    }

    /// The shard for a host, and the part of the hash to look for within it.
    fn shard(&self, host: &SoughtHost<'_>) -> Option<(&Shard, u32)> {
        let hash = self.hasher.hash_one(host.hashed());
        // The two halves are independent of each other, so a shard's hosts are well spread.
        let [.., b3, b2, b1, b0] = hash.to_be_bytes();
        let low = u32::from_be_bytes([b3, b2, b1, b0]);
        let shard = self.shards.get(low as usize & (self.shards.len() - 1))?;
        Some((shard, (hash >> 32) as u32))
    }
}

/// What the table is to do, from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of shards, rounded up to a power of two. Each has place for six hosts and costs 64
    /// bytes; hosts without a place cost a look-up one or two more trips to memory.
    pub shards: usize,
    /// Balancing algorithm of a pool until a registration names one, and of requests that `hash` has no value for.
    pub default_algorithm: Algorithm,
    /// TTL of registrations that name none, and the longest that one may name.
    pub stale_threshold: Millis,
    /// What becomes of a pool without endpoints.
    pub empty_pool: EmptyPool,
    /// Whether the endpoints of a source that is down stay.
    pub suspend_when_source_down: bool,
    /// Limits of routes whose registrations say nothing of them.
    pub limits: Limits,
}

impl Default for Settings {
    /// The documented defaults: round robin, 120 s, empty pools go at once, no suspension.
    fn default() -> Self {
        Self {
            shards: 32_768,
            default_algorithm: Algorithm::RoundRobin,
            stale_threshold: 120_000,
            empty_pool: EmptyPool::default(),
            suspend_when_source_down: false,
            limits: Limits::default(),
        }
    }
}

/// What becomes of a pool without endpoints (spec 3.6).
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyPool {
    /// How long it is kept after its last endpoint went. `None` or 0: it goes at once when the
    /// endpoint is unregistered, in the next prune pass when it failed.
    pub keep_for: Option<Millis>,
}

/// How a pool chooses among its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// One after the other, `round-robin`.
    RoundRobin,
    /// The one with the fewest attempts under way, `least-connection`.
    LeastConnection,
    /// The one that owns a header's value, `hash`. Only for routes that ask for it.
    Hash,
}

impl Algorithm {
    /// The algorithm of this name in messages and configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "round-robin" => Some(Self::RoundRobin),
            "least-connection" => Some(Self::LeastConnection),
            "hash" => Some(Self::Hash),
            _ => None,
        }
    }

    /// Name in messages and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::LeastConnection => "least-connection",
            Self::Hash => "hash",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
