//! The one place where the table changes.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::change::{Change, Event};
use super::endpoint::Endpoint;
use super::expiry::Calendar;
use super::host::FoldedHost;
use super::pool::{Endpoints, Pool};
use super::rate::Clients;
use super::registration::ModificationTag;
use super::slot::Slot;
use super::source::{Source, SourceId};
use super::uri::RouteUri;
use super::{Algorithm, Millis, Settings, Table};

/// Applies changes from every source in order. There is one per table.
#[derive(Debug)]
pub struct Writer {
    pub(super) table: Arc<Table>,
    pub(super) settings: Settings,
    pub(super) calendar: Calendar,
    /// Pools that lost their last endpoint, by their place in memory, and since when they are
    /// empty. They may have got another one since, or have left the table.
    pub(super) emptied: HashMap<usize, (Arc<Pool>, Millis)>,
    /// Endpoints over all pools, an endpoint of two pools counted twice.
    pub(super) slots: usize,
    /// What clients of routes with a rate for each have asked lately.
    pub(super) clients: Arc<Clients>,
}

/// How much the table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Pools.
    pub routes: usize,
    /// Endpoints over all pools, an endpoint of two pools counted twice.
    pub slots: usize,
    /// Entries in the calendar of expiries.
    pub timers: usize,
}

impl Writer {
    pub(super) fn new(table: Arc<Table>, settings: Settings) -> Self {
        let clients = Arc::new(Clients::new(table.hasher.hash_one("clients")));
        Self {
            clients,
            table,
            settings,
            calendar: Calendar::default(),
            emptied: HashMap::new(),
            slots: 0,
        }
    }

    /// Balancing algorithm of pools whose registrations name none.
    pub fn default_algorithm(&self) -> Algorithm {
        self.settings.default_algorithm
    }

    /// The number of the source of this name, a new one the first time it is asked for. A new
    /// source counts as up.
    pub fn source(&mut self, name: &str) -> SourceId {
        let mut sources = self.table.sources();
        if let Some(source) = sources.iter().find(|source| &*source.name == name) {
            return source.id;
        }
        let id = SourceId(u16::try_from(sources.len()).unwrap_or(u16::MAX));
        sources.push(Source {
            id,
            name: name.into(),
            down_since: None,
            back_since: 0,
        });
        self.table.sources.store(Arc::new(sources));
        id
    }

    /// Applies one change and tells what it did.
    pub fn apply(&mut self, change: Change<'_>, now: Millis, events: &mut dyn FnMut(Event<'_>)) {
        match change {
            Change::Register {
                source,
                uris,
                registration,
            } => self.register(source, uris, registration, now, events),
            Change::Unregister {
                source: _,
                uris,
                host,
                port,
                modification_tag,
            } => {
                for uri in uris {
                    let left = self.unregister(uri, host, port, &modification_tag, now, events);
                    if left.is_none() {
                        events(Event::EndpointNotUnregistered { uri });
                    }
                }
            }
            Change::Fail { pool, endpoint } => self.fail(pool, endpoint, now, events),
            Change::Expire => self.expire(now, events),
            Change::SourceDown(id) => self.update_source(id, |source, _| {
                source.down_since.get_or_insert(now);
            }),
            Change::SourceUp(id) => self.update_source(id, |source, settings| {
                if source.down_since.take().is_some() && settings.suspend_when_source_down {
                    source.back_since = now;
                }
            }),
        }
    }

    /// How much the table holds at the moment.
    pub fn stats(&self) -> Stats {
        Stats {
            routes: self.table.route_count(),
            slots: self.slots,
            timers: self.calendar.len(),
        }
    }

    fn update_source(&mut self, id: SourceId, update: impl FnOnce(&mut Source, &Settings)) {
        let mut sources = self.table.sources();
        if let Some(source) = sources.get_mut(usize::from(id.0)) {
            update(source, &self.settings);
            self.table.sources.store(Arc::new(sources));
        }
    }

    fn unregister(
        &mut self,
        uri: &str,
        host: &str,
        port: u16,
        tag: &ModificationTag<'_>,
        now: Millis,
        events: &mut dyn FnMut(Event<'_>),
    ) -> Option<()> {
        let address_tag = self.address_tag(host, port);
        let (pool, position) = self.locate(uri, address_tag, host, port)?;
        let endpoints = pool.endpoints();
        let registered = endpoints.get(position)?.endpoint().modification_tag();
        if registered != *tag && !registered.succeeded_by(tag) {
            return None;
        }
        let endpoint = self.remove(&pool, &endpoints, position)?;
        events(Event::EndpointUnregistered {
            pool: &pool,
            endpoint: &endpoint,
        });
        if self.keep_empty_for().is_none() && pool.is_empty() && self.remove_route(&pool) {
            events(Event::RouteUnregistered { pool: &pool });
        } else {
            self.note_if_emptied(&pool, now);
        }
        Some(())
    }

    fn fail(
        &mut self,
        pool: &Arc<Pool>,
        endpoint: &Arc<Endpoint>,
        now: Millis,
        events: &mut dyn FnMut(Event<'_>),
    ) {
        let endpoints = pool.endpoints();
        let same = |slot: &Slot| Arc::ptr_eq(slot.endpoint().backend(), endpoint.backend());
        let Some(position) = endpoints.iter().position(same) else {
            return;
        };
        if endpoints.is_narrowed() {
            return;
        }
        if let Some(endpoint) = self.remove(pool, &endpoints, position) {
            let endpoint = &endpoint;
            events(Event::EndpointFailed { pool, endpoint });
            self.note_if_emptied(pool, now);
        }
    }

    /// Takes the slot at `position` out of a pool, which may then be empty.
    fn remove(
        &mut self,
        pool: &Pool,
        endpoints: &Endpoints,
        position: usize,
    ) -> Option<Arc<Endpoint>> {
        let slot = endpoints.get(position)?;
        let before = endpoints.iter().take(position);
        let staying = before.chain(endpoints.iter().skip(position + 1));
        let staying = staying.map(Slot::copy).collect();
        pool.publish(endpoints.with_slots(staying));
        slot.endpoint().backend().let_go();
        self.slots -= 1;
        self.calendar.remove(slot.due());
        Some(Arc::clone(slot.endpoint()))
    }

    pub(super) fn note_if_emptied(&mut self, pool: &Arc<Pool>, now: Millis) {
        if pool.is_empty() {
            let entry = (Arc::clone(pool), now);
            self.emptied.insert(Arc::as_ptr(pool).addr(), entry);
        }
    }

    /// Takes a pool out of the table; says whether it was there.
    pub(super) fn remove_route(&mut self, pool: &Arc<Pool>) -> bool {
        let host = FoldedHost::new(pool.host_bytes());
        let host = host.exact();
        let Some((shard, hash)) = self.table.shard(&host) else {
            return false;
        };
        let removed = shard.remove(hash, &host, pool);
        if removed {
            self.table.routes.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    pub(super) fn keep_empty_for(&self) -> Option<Millis> {
        self.settings.empty_pool.keep_for.filter(|keep| *keep > 0)
    }

    /// The pool of exactly this route, and the position of this address in it.
    pub(super) fn locate(
        &self,
        uri: &str,
        tag: u16,
        host: &str,
        port: u16,
    ) -> Option<(Arc<Pool>, usize)> {
        let route = RouteUri::parse(uri)?;
        let folded = FoldedHost::new(route.host.as_bytes());
        let sought = folded.exact();
        let (shard, hash) = self.table.shard(&sought)?;
        let pool = shard.find(hash, &sought, route.path.as_bytes())?;
        let position = pool.endpoints().position(tag, host, port)?;
        Some((pool, position))
    }

    pub(super) fn address_tag(&self, host: &str, port: u16) -> u16 {
        self.table.hasher.hash_one((host, port)) as u16
    }
}
