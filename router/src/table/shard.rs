//! One of the cache lines that the table consists of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use super::host::SoughtHost;
use super::others::Others;
use super::pool::Pool;
use super::uri::is_within;

/// Hosts whose hashes share the bits that chose the shard.
///
/// Nearly every host has one route, and then the shard leads straight to its pool. A host moves to
/// the others when a second route of it comes, and stays there as long as it has any. It is
/// published there before it leaves its place, and readers go the same way; whoever does not find
/// it in its place finds it there.
///
/// Only the writer may call what changes a shard.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Shard {
    /// A byte for each place: part of the hash of the host there, so that nothing is fetched for
    /// hosts that are not looked for; 0 = free. A hint: the pool's name decides.
    tags: AtomicU64,
    places: [ArcSwapOption<Pool>; PLACES],
    others: ArcSwapOption<Others>,
}

/// As many as make a shard one cache line.
const PLACES: usize = 6;

/// The tag of a free place.
const FREE: u8 = 0;

impl Shard {
    /// The deepest pool for `path` (any case, without a trailing slash) at exactly this host.
    #[inline]
    pub(crate) fn deepest(
        &self,
        hash: u32,
        host: &SoughtHost<'_>,
        path: &[u8],
    ) -> Option<Arc<Pool>> {
        if let Some((_, pool)) = self.placed(hash, host) {
            return only(pool, |pool| is_within(pool.path_bytes(), path));
        }
        let others = self.others.load();
        others.as_ref()?.deepest(hash, host, path).cloned()
    }

    /// The pool of exactly this host and path (any case).
    pub(crate) fn find(&self, hash: u32, host: &SoughtHost<'_>, path: &[u8]) -> Option<Arc<Pool>> {
        if let Some((_, pool)) = self.placed(hash, host) {
            return only(pool, |pool| pool.path_bytes().eq_ignore_ascii_case(path));
        }
        let others = self.others.load();
        others.as_ref()?.find(hash, host, path).cloned()
    }

    /// Appends all pools of the shard, each once.
    pub(crate) fn collect(&self, pools: &mut Vec<Arc<Pool>>) {
        let first = pools.len();
        pools.extend(self.places.iter().filter_map(ArcSwapOption::load_full));
        // One that was among the others before its place was looked at may have moved meanwhile.
        if let Some(others) = &*self.others.load() {
            for pool in others.pools() {
                let mut placed = pools.iter().skip(first).take(PLACES);
                if !placed.any(|placed| Arc::ptr_eq(placed, pool)) {
                    pools.push(Arc::clone(pool));
                }
            }
        }
    }

    /// Adds a pool whose route must not be there yet.
    pub(crate) fn add(&self, hash: u32, host: &SoughtHost<'_>, pool: &Arc<Pool>) {
        let (none, others) = (Others::default(), self.others.load());
        let others = others.as_deref().unwrap_or(&none);
        if let Some((place, first)) = self.placed(hash, host)
            && let Some(first) = &*first
        {
            self.publish(others.with(hash, host, first).with(hash, host, pool));
            self.put(place, FREE, None);
        } else if let Some(place) = self.free()
            && !others.has(hash, host)
        {
            self.put(place, tag(hash), Some(Arc::clone(pool)));
        } else {
            self.publish(others.with(hash, host, pool));
        }
    }

    /// Removes a pool; says whether it was there.
    pub(crate) fn remove(&self, hash: u32, host: &SoughtHost<'_>, pool: &Arc<Pool>) -> bool {
        if let Some((place, placed)) = self.placed(hash, host) {
            let this = placed
                .as_ref()
                .is_some_and(|placed| Arc::ptr_eq(placed, pool));
            if this {
                self.put(place, FREE, None);
            }
            return this;
        }
        let others = self.others.load();
        let others = others.as_ref();
        let without = others.and_then(|others| others.without(hash, host, pool));
        without.map(|without| self.publish(without)).is_some()
    }

    /// The host's place and the pool in it, if it has one.
    #[inline]
    fn placed(
        &self,
        hash: u32,
        host: &SoughtHost<'_>,
    ) -> Option<(usize, Guard<Option<Arc<Pool>>>)> {
        let tags = self.tags.load(Ordering::Acquire).to_le_bytes();
        let places = self.places.iter().zip(tags).enumerate();
        let alike = places.filter(|(_, (_, other))| *other == tag(hash));
        alike
            .map(|(index, (place, _))| (index, place.load()))
            .find(|(_, pool)| pool.as_ref().is_some_and(|pool| host.is(pool.host_bytes())))
    }

    fn free(&self) -> Option<usize> {
        let tags = self.tags.load(Ordering::Relaxed).to_le_bytes();
        tags.iter().take(PLACES).position(|tag| *tag == FREE)
    }

    fn publish(&self, others: Others) {
        let others = Some(others).filter(|others| !others.is_empty());
        self.others.store(others.map(Arc::new));
    }

    fn put(&self, index: usize, tag: u8, pool: Option<Arc<Pool>>) {
        let mut tags = self.tags.load(Ordering::Relaxed).to_le_bytes();
        if let (Some(place), Some(old)) = (self.places.get(index), tags.get_mut(index)) {
            // Before the tag: who sees the tag shall find the pool.
            place.store(pool);
            *old = tag;
            self.tags.store(u64::from_le_bytes(tags), Ordering::Release);
        }
    }
}

fn only(pool: Guard<Option<Arc<Pool>>>, meant: impl FnOnce(&Pool) -> bool) -> Option<Arc<Pool>> {
    let meant = pool.as_deref().is_some_and(meant);
    if meant { Guard::into_inner(pool) } else { None }
}

fn tag(hash: u32) -> u8 {
    (hash as u8).max(FREE + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_cache_line() {
        assert_eq!((size_of::<Shard>(), align_of::<Shard>()), (64, 64));
    }
}
