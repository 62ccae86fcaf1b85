//! What a registration does to the table (spec 2.3).

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Millis;
use super::backend::Backend;
use super::change::{Event, Outcome};
use super::endpoint::Endpoint;
use super::expiry::{Calendar, NEVER};
use super::extras::{Extras, Terms};
use super::host::FoldedHost;
use super::name::Name;
use super::pool::{Endpoints, Pool};
use super::registration::Registration;
use super::route_policy::RoutePolicy;
use super::slot::Slot;
use super::source::SourceId;
use super::uri::RouteUri;
use super::writer::Writer;

/// One registration on its way through its uris.
struct Arrival<'a> {
    source: SourceId,
    uris: &'a [Cow<'a, str>],
    registration: &'a Registration<'a>,
    /// The effective one.
    ttl: Millis,
    address_tag: u16,
    now: Millis,
    /// What the uris share; made, or found, when the first one needs it.
    endpoint: Option<Arc<Endpoint>>,
}

impl Writer {
    pub(super) fn register(
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
        let Some(pool) = shard.find(hash, &host, route.path.as_bytes()) else {
            let pool = self.new_pool(route, arrival);
            table.wildcards.add(pool.host_bytes());
            shard.add(hash, &host, &pool);
            table.routes.fetch_add(1, Ordering::Relaxed);
            events(Event::RouteRegistered { pool: &pool });
            tell(&pool, 0, Outcome::Added, events);
            return;
        };
        let endpoints = pool.endpoints();
        let Registration { host, port, .. } = *arrival.registration;
        let Some(position) = endpoints.position(arrival.address_tag, host, port) else {
            self.append(&pool, &endpoints, arrival);
            tell(&pool, endpoints.len(), Outcome::Added, events);
            return;
        };
        let Some(slot) = endpoints.get(position) else {
            return;
        };
        let endpoint = slot.endpoint();
        if endpoint.is_described_by(arrival.registration, arrival.ttl) {
            slot.refresh(arrival.source, arrival.now);
            let outcome = Outcome::Unmodified;
            events(Event::EndpointRegistered {
                pool: &pool,
                endpoint,
                outcome,
            });
        } else if endpoint
            .modification_tag()
            .succeeded_by(&arrival.registration.modification_tag)
        {
            self.replace(&pool, &endpoints, position, slot, arrival);
            tell(&pool, position, Outcome::Updated, events);
        } else {
            events(Event::EndpointNotRegistered {
                pool: &pool,
                endpoint,
            });
        }
    }

    fn new_pool(&mut self, route: &RouteUri<'_>, arrival: &mut Arrival<'_>) -> Arc<Pool> {
        let slot = self.new_slot(arrival);
        let due = slot.due();
        let endpoints = self.assemble(vec![slot], None, arrival.registration);
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
        pool.publish(self.assemble(slots, Some(endpoints), arrival.registration));
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
        pool.publish(self.assemble(slots, Some(endpoints), arrival.registration));
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

    /// Slots together with what the registration asks of the pool, which was as `before`.
    fn assemble(
        &self,
        slots: Vec<Slot>,
        before: Option<&Endpoints>,
        registration: &Registration<'_>,
    ) -> Endpoints {
        let default = self.settings.default_algorithm;
        let current = before.map_or(default, Endpoints::algorithm);
        let algorithm = registration.algorithm.unwrap_or(current);
        let terms = Terms {
            algorithm,
            fallback: default,
            limits: &self.settings.limits,
            clients: &self.clients,
        };
        let extras = Extras::new(registration, &terms, &slots, before);
        let url = before.and_then(Endpoints::route_service_url);
        let policy = before.and_then(Endpoints::route_policy);
        Endpoints::new(
            slots,
            route_service(registration, url),
            RoutePolicy::of(registration, policy),
            algorithm,
            extras,
        )
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
