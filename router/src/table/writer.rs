//! The one place where the table changes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::backend::Backend;
use super::change::{Change, Event, Outcome};
use super::endpoint::Endpoint;
use super::expiry::{Calendar, NEVER};
use super::host::FoldedHost;
use super::name::Name;
use super::pool::{Endpoints, Pool, Slot};
use super::registration::{ModificationTag, Registration};
use super::source::{Source, SourceId};
use super::uri::RouteUri;
use super::{Millis, Settings, Table};

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

/// One registration on its way through its uris.
struct Arrival<'a> {
    source: SourceId,
    uris: &'a [Cow<'a, str>],
    registration: &'a Registration<'a>,
    /// The effective one.
    ttl: Millis,
    address_tag: u16,
    now: Millis,
    /// What the uris share; made when the first one needs it, so never by a mere refresh.
    endpoint: Option<Arc<Endpoint>>,
}

impl Writer {
    pub(super) fn new(table: Arc<Table>, settings: Settings) -> Self {
        Self {
            table,
            settings,
            calendar: Calendar::default(),
            emptied: HashMap::new(),
            slots: 0,
        }
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

    fn register(
        &mut self,
        source: SourceId,
        uris: &[Cow<'_, str>],
        registration: &Registration<'_>,
        now: Millis,
        events: &mut dyn FnMut(Event<'_>),
    ) {
        let stamp = now.saturating_add(1);
        self.table.registered.store(stamp, Ordering::Relaxed);
        let longest = self.settings.stale_threshold;
        let mut arrival = Arrival {
            source,
            uris,
            registration,
            ttl: match registration.ttl {
                0 => longest,
                ttl => ttl.min(longest),
            },
            address_tag: self.address_tag(registration.host, registration.port),
            now,
            endpoint: None,
        };
        for uri in uris {
            match RouteUri::parse(uri) {
                Some(route) => self.register_route(&route, &mut arrival, events),
                None => events(Event::UriIgnored { uri }),
            }
        }
    }

    fn register_route(
        &mut self,
        route: &RouteUri<'_>,
        arrival: &mut Arrival<'_>,
        events: &mut dyn FnMut(Event<'_>),
    ) {
        let table = Arc::clone(&self.table);
        let host = FoldedHost::new(route.host.as_bytes());
        let host = host.exact();
        let Some((shard, hash)) = table.shard(&host) else {
            return;
        };
        let hosts = shard.load();
        let Some(pool) = hosts.find(hash, &host, route.path.as_bytes()) else {
            let pool = self.new_pool(route, arrival);
            table.wildcards.add(pool.host_bytes());
            shard.store(Arc::new(hosts.with(hash, &host, &pool)));
            table.routes.fetch_add(1, Ordering::Relaxed);
            events(Event::RouteRegistered { pool: &pool });
            tell(&pool, 0, Outcome::Added, events);
            return;
        };
        let endpoints = pool.endpoints();
        let Registration { host, port, .. } = *arrival.registration;
        let Some(position) = endpoints.position(arrival.address_tag, host, port) else {
            self.append(pool, &endpoints, arrival);
            tell(pool, endpoints.len(), Outcome::Added, events);
            return;
        };
        let Some(slot) = endpoints.get(position) else {
            return;
        };
        let endpoint = slot.endpoint();
        if endpoint.is_described_by(arrival.registration, arrival.ttl) {
            slot.refresh(arrival.source, arrival.now);
            if arrival.uris.len() > 1 {
                arrival.endpoint.get_or_insert_with(|| Arc::clone(endpoint));
            }
            let outcome = Outcome::Unmodified;
            events(Event::EndpointRegistered {
                pool,
                endpoint,
                outcome,
            });
        } else if endpoint
            .modification_tag()
            .succeeded_by(&arrival.registration.modification_tag)
        {
            self.replace(pool, &endpoints, position, slot, arrival);
            tell(pool, position, Outcome::Updated, events);
        } else {
            events(Event::EndpointNotRegistered { pool, endpoint });
        }
    }

    fn new_pool(&mut self, route: &RouteUri<'_>, arrival: &mut Arrival<'_>) -> Arc<Pool> {
        let slot = self.new_slot(arrival);
        let due = slot.due();
        let registration = arrival.registration;
        let endpoints = Endpoints::new(
            vec![slot],
            route_service(registration, None),
            registration
                .algorithm
                .unwrap_or(self.settings.default_algorithm),
        );
        // The hasher is seeded at random, so routers begin at different endpoints.
        let cursor = self.table.hasher.hash_one((route.host, arrival.now)) as u32;
        let pool = Pool::new(Name::new(route), endpoints, cursor);
        self.calendar.add(due, &pool);
        pool
    }

    fn append(&mut self, pool: &Arc<Pool>, endpoints: &Endpoints, arrival: &mut Arrival<'_>) {
        let slot = self.new_slot(arrival);
        let due = slot.due();
        let mut slots = Vec::with_capacity(endpoints.len() + 1);
        slots.extend(endpoints.iter().map(Slot::copy));
        slots.push(slot);
        publish(pool, endpoints, slots, arrival);
        self.calendar.add(due, pool);
    }

    fn replace(
        &mut self,
        pool: &Arc<Pool>,
        endpoints: &Endpoints,
        position: usize,
        old: &Slot,
        arrival: &mut Arrival<'_>,
    ) {
        let endpoint = self.endpoint(arrival, Some(old.endpoint()));
        endpoint.backend().hold();
        old.endpoint().backend().let_go();
        let due = due(&endpoint, arrival.now);
        // The slot is looked at soon enough where it is, unless the TTL has become shorter.
        let stays = due != NEVER && old.due() <= due;
        let kept = if stays { old.due() } else { due };
        let new = old.replaced(endpoint, arrival.source, arrival.now, kept);
        let before = endpoints.iter().take(position);
        let after = endpoints.iter().skip(position + 1);
        let mut slots = Vec::with_capacity(endpoints.len());
        slots.extend(before.map(Slot::copy));
        slots.push(new);
        slots.extend(after.map(Slot::copy));
        publish(pool, endpoints, slots, arrival);
        if !stays {
            self.calendar.remove(old.due());
            self.calendar.add(due, pool);
        }
    }

    fn new_slot(&mut self, arrival: &mut Arrival<'_>) -> Slot {
        let endpoint = self.endpoint(arrival, None);
        endpoint.backend().hold();
        self.slots += 1;
        let due = due(&endpoint, arrival.now);
        let tag = arrival.address_tag;
        Slot::new(endpoint, tag, arrival.source, arrival.now, due)
    }

    /// The endpoint that all uris of a registration share.
    fn endpoint(&self, arrival: &mut Arrival<'_>, old: Option<&Arc<Endpoint>>) -> Arc<Endpoint> {
        if let Some(endpoint) = &arrival.endpoint {
            return Arc::clone(endpoint);
        }
        let registration = arrival.registration;
        let (endpoint, backend) = match arrival.uris {
            [_only] => (None, old.and_then(|old| shared_backend(old, registration))),
            _ => self.known(arrival),
        };
        let endpoint = endpoint.unwrap_or_else(|| {
            let backend = backend.unwrap_or_else(Backend::new);
            Endpoint::new(registration, arrival.ttl, backend)
        });
        Arc::clone(arrival.endpoint.insert(endpoint))
    }

    /// What the uris of a registration hold already: an endpoint just like it, and a backend that
    /// it may go on with.
    fn known(&self, arrival: &Arrival<'_>) -> (Option<Arc<Endpoint>>, Option<Arc<Backend>>) {
        let registration = arrival.registration;
        let mut backend = None;
        for uri in arrival.uris {
            let (host, port) = (registration.host, registration.port);
            let Some((pool, position)) = self.locate(uri, arrival.address_tag, host, port) else {
                continue;
            };
            let endpoints = pool.endpoints();
            let Some(slot) = endpoints.get(position) else {
                continue;
            };
            if slot.endpoint().is_described_by(registration, arrival.ttl) {
                return (Some(Arc::clone(slot.endpoint())), backend);
            }
            backend = backend.or_else(|| shared_backend(slot.endpoint(), registration));
        }
        (None, backend)
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
        let Some(without) = shard.load().without(hash, &host, pool) else {
            return false;
        };
        shard.store(Arc::new(without));
        self.table.routes.fetch_sub(1, Ordering::Relaxed);
        true
    }

    pub(super) fn keep_empty_for(&self) -> Option<Millis> {
        self.settings.empty_pool.keep_for.filter(|keep| *keep > 0)
    }

    /// The pool of exactly this route, and the position of this address in it.
    fn locate(&self, uri: &str, tag: u16, host: &str, port: u16) -> Option<(Arc<Pool>, usize)> {
        let route = RouteUri::parse(uri)?;
        let folded = FoldedHost::new(route.host.as_bytes());
        let sought = folded.exact();
        let (shard, hash) = self.table.shard(&sought)?;
        let hosts = shard.load();
        let pool = hosts.find(hash, &sought, route.path.as_bytes())?;
        let position = pool.endpoints().position(tag, host, port)?;
        Some((Arc::clone(pool), position))
    }

    fn address_tag(&self, host: &str, port: u16) -> u16 {
        self.table.hasher.hash_one((host, port)) as u16
    }
}

/// Publishes new slots together with what the registration asks of the pool.
fn publish(pool: &Pool, endpoints: &Endpoints, slots: Vec<Slot>, arrival: &Arrival<'_>) {
    let registration = arrival.registration;
    pool.publish(Endpoints::new(
        slots,
        route_service(registration, endpoints.route_service_url()),
        registration.algorithm.unwrap_or(endpoints.algorithm()),
    ));
}

fn route_service(registration: &Registration<'_>, current: Option<&Arc<str>>) -> Option<Arc<str>> {
    match registration.route_service_url {
        "" => None,
        url => match current {
            Some(current) if **current == *url => Some(Arc::clone(current)),
            _ => Some(url.into()),
        },
    }
}

fn due(endpoint: &Endpoint, now: Millis) -> u32 {
    if endpoint.tls() {
        NEVER
    } else {
        Calendar::bucket(now.saturating_add(endpoint.ttl()))
    }
}

fn shared_backend(old: &Endpoint, registration: &Registration<'_>) -> Option<Arc<Backend>> {
    let shares = old.shares_backend_with(registration);
    shares.then(|| Arc::clone(old.backend()))
}

fn tell(pool: &Arc<Pool>, position: usize, outcome: Outcome, events: &mut dyn FnMut(Event<'_>)) {
    if let Some(slot) = pool.endpoints().get(position) {
        events(Event::EndpointRegistered {
            pool,
            endpoint: slot.endpoint(),
            outcome,
        });
    }
}
