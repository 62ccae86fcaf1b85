//! Endpoints that nobody confirms any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Millis;
use super::change::Event;
use super::pool::Pool;
use super::slot::Slot;
use super::source::Source;
use super::writer::Writer;

/// When to look at which pool. A slot is in the bucket of its earliest possible expiry; refreshing
/// it does not move it: it is put into a later bucket when its own comes up. So a heartbeat costs
/// nothing here, and a pass looks at those endpoints only that were registered, or last looked
/// at, one TTL ago.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    buckets: BTreeMap<u32, Vec<Arc<Pool>>>,
    /// Pools in all buckets, including those whose slot has gone since.
    entries: usize,
    /// Slots that are due some time.
    timed: usize,
}

/// For slots that are not in the calendar: TLS endpoints.
pub(super) const NEVER: u32 = u32::MAX;
/// For slots about to be removed.
const EXPIRED: u32 = u32::MAX - 1;
/// Entries too many that are put up with before the calendar is swept.
const SLACK: usize = 4096;

impl Calendar {
    /// The bucket of a moment. About a second wide: prune passes are seconds apart.
    pub(super) fn bucket(at: Millis) -> u32 {
        u32::try_from(at >> 10).unwrap_or(EXPIRED).min(EXPIRED - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Enters a slot that was not due before.
    pub(super) fn add(&mut self, due: u32, pool: &Arc<Pool>) {
        if due != NEVER {
            self.timed += 1;
            self.file(due, pool);
        }
    }

    /// Takes note that a slot has gone, or is not due any more. Its entry stays for the time being.
    pub(super) fn remove(&mut self, due: u32) {
        if due != NEVER {
            self.timed -= 1;
        }
    }

    fn file(&mut self, due: u32, pool: &Arc<Pool>) {
        let bucket = self.buckets.entry(due).or_default();
        bucket.push(Arc::clone(pool));
        self.entries += 1;
        if self.entries > 2 * self.timed + SLACK {
            self.sweep();
        }
    }

    /// Removes entries whose slot has gone, and keeps one per bucket and pool. Without this,
    /// registering and unregistering in quick succession would fill the memory.
    fn sweep(&mut self) {
        self.buckets.retain(|due, pools| {
            deduplicate(pools);
            pools.retain(|pool| pool.endpoints().iter().any(|slot| slot.due() == *due));
            pools.shrink_to_fit();
            !pools.is_empty()
        });
        self.entries = self.buckets.values().map(Vec::len).sum();
    }

    fn take_due(&mut self, now: Millis) -> BTreeMap<u32, Vec<Arc<Pool>>> {
        let later = self.buckets.split_off(&(Self::bucket(now) + 1));
        let mut due = std::mem::replace(&mut self.buckets, later);
        for pools in due.values_mut() {
            self.entries -= pools.len();
            deduplicate(pools);
        }
        due
    }
}

fn deduplicate(pools: &mut Vec<Arc<Pool>>) {
    pools.sort_unstable_by_key(Arc::as_ptr);
    pools.dedup_by(|a, b| Arc::ptr_eq(a, b));
}

impl Writer {
    /// One prune pass (spec 2.4).
    pub(super) fn expire(&mut self, now: Millis, events: &mut dyn FnMut(Event<'_>)) {
        let sources = self.table.sources.load_full();
        for source in sources.iter() {
            if self.is_suspended(source) {
                events(Event::PruneSuspended { source: source.id });
            }
        }
        for (due, pools) in self.calendar.take_due(now) {
            for pool in pools {
                self.expire_slots(&pool, due, &sources, now, events);
            }
        }
        self.remove_emptied(now, events);
    }

    fn is_suspended(&self, source: &Source) -> bool {
        self.settings.suspend_when_source_down && source.down_since.is_some()
    }

    /// Looks at the slots of `pool` that are in the bucket `due`.
    fn expire_slots(
        &mut self,
        pool: &Arc<Pool>,
        due: u32,
        sources: &[Source],
        now: Millis,
        events: &mut dyn FnMut(Event<'_>),
    ) {
        let endpoints = pool.endpoints();
        let mut gone = Vec::new();
        let mut filed = None;
        for slot in endpoints.iter().filter(|slot| slot.due() == due) {
            let ttl = slot.endpoint().ttl();
            let seen = match sources.get(usize::from(slot.source().0)) {
                // Looked at again in a TTL, which is early enough whenever the source comes back.
                Some(source) if self.is_suspended(source) => now,
                Some(source) => slot.last_seen().max(source.back_since),
                None => slot.last_seen(),
            };
            if now.saturating_sub(seen) > ttl {
                slot.set_due(EXPIRED);
                self.calendar.remove(due);
                gone.push(Arc::clone(slot.endpoint()));
            } else {
                let later = Calendar::bucket(seen.saturating_add(ttl));
                slot.set_due(later);
                // Instances of one application mostly come up together.
                if filed.replace(later) != Some(later) {
                    self.calendar.file(later, pool);
                }
            }
        }
        if gone.is_empty() {
            return;
        }
        let staying = endpoints.iter().filter(|slot| slot.due() != EXPIRED);
        let staying = staying.map(Slot::copy).collect();
        self.slots -= gone.len();
        for endpoint in &gone {
            endpoint.backend().let_go();
        }
        pool.publish(endpoints.with_slots(staying));
        events(Event::Pruned {
            pool,
            endpoints: &gone,
        });
        self.note_if_emptied(pool, now);
    }

    /// Removes the pools that have been empty for long enough (spec 3.6).
    fn remove_emptied(&mut self, now: Millis, events: &mut dyn FnMut(Event<'_>)) {
        let keep = self.keep_empty_for();
        let stays = |since: Millis| keep.is_some_and(|keep| now.saturating_sub(since) <= keep);
        let mut emptied = std::mem::take(&mut self.emptied);
        emptied.retain(|_, (pool, since)| {
            if !pool.is_empty() {
                return false;
            }
            if stays(*since) {
                return true;
            }
            if self.remove_route(pool) {
                events(Event::EmptyRoutePruned { pool });
            }
            false
        });
        self.emptied = emptied;
    }
}
