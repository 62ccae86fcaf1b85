//! A route's endpoints.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::Algorithm;
use super::endpoint::Endpoint;
use super::extras::Extras;
use super::hash::Hash;
use super::limiter::Limiter;
use super::name::Name;
use super::route_policy::RoutePolicy;
use super::slot::Slot;

/// All endpoints of one route, and what the route asks for.
///
/// Lives as long as the route; a reader may hold it longer and will then see it empty.
// In this order, so that the name lies beside the reference count: a look-up that compares the one
// and raises the other then mostly touches one cache line (1.3 instead of 2.4 misses, measured).
#[derive(Debug)]
#[repr(C)]
pub struct Pool {
    name: Name,
    endpoints: ArcSwap<Endpoints>,
    /// Where the next round-robin request begins; taken modulo the number of endpoints.
    cursor: AtomicU32,
}

impl Pool {
    pub(crate) fn new(name: Name, endpoints: Endpoints, cursor: u32) -> Arc<Self> {
        Arc::new(Self {
            name,
            endpoints: ArcSwap::from_pointee(endpoints),
            cursor: AtomicU32::new(cursor),
        })
    }

    /// Host in lower case, perhaps a wildcard such as `*.example.com`.
    pub fn host(&self) -> &str {
        self.name.host()
    }

    /// Context path in lower case: empty, or such as `/x`.
    pub fn context_path(&self) -> &str {
        self.name.path()
    }

    /// Context path as first registered, in its letter case and with its trailing slash, `/` if
    /// there is none: the `Path` of sticky cookies, which browsers compare with regard to case.
    pub fn cookie_path(&self) -> &str {
        match self.name.path_as_registered() {
            "" => "/",
            path => path,
        }
    }

    /// Host and context path, the route's name in listings and logs.
    pub fn uri(&self) -> &str {
        self.name.uri()
    }

    /// The endpoints at this moment. Cheap; meant for a few lines of code: keep an
    /// `Arc<Endpoint>` rather than this while waiting for anything.
    pub fn endpoints(&self) -> Guard<Arc<Endpoints>> {
        self.endpoints.load()
    }

    /// Whether there is no endpoint.
    pub fn is_empty(&self) -> bool {
        self.endpoints().is_empty()
    }

    /// Balancing algorithm: that of the latest registration that named a valid one, else the
    /// table's.
    pub fn algorithm(&self) -> Algorithm {
        self.endpoints().algorithm
    }

    /// Route service: that of the latest registration that changed anything.
    pub fn route_service_url(&self) -> Option<Arc<str>> {
        self.endpoints().route_service_url.clone()
    }

    /// A pool of those endpoints that `keep` accepts, for requests that address an instance (spec
    /// 3.3); `None` when there are none. It stands outside the table: it does not change any
    /// more, and marks play no part in it. Round robin begins at `start`, taken modulo the number
    /// of endpoints: each request has a pool of its own, so only a random start spreads them.
    pub fn narrowed(
        &self,
        start: u32,
        mut keep: impl FnMut(&Endpoint) -> bool,
    ) -> Option<Arc<Pool>> {
        let all = self.endpoints();
        let kept = all.iter().filter(|slot| keep(slot.endpoint()));
        let slots: Vec<_> = kept.map(Slot::copy).collect();
        if slots.is_empty() {
            return None;
        }
        let endpoints = Endpoints {
            narrowed: true,
            ..all.with_slots(slots)
        };
        Some(Self::new(self.name.clone(), endpoints, start))
    }

    /// Moves the cursor on by one and returns where it was.
    pub(crate) fn advance(&self) -> u32 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the cursor is.
    pub(crate) fn cursor(&self) -> u32 {
        self.cursor.load(Ordering::Relaxed)
    }

    /// Moves the cursor on by so many endpoints that were not chosen.
    pub(crate) fn pass_over(&self, count: usize) {
        if count > 0 {
            self.cursor.fetch_add(count as u32, Ordering::Relaxed);
        }
    }

    pub(crate) fn publish(&self, endpoints: Endpoints) {
        self.endpoints.store(Arc::new(endpoints));
    }

    pub(crate) fn host_bytes(&self) -> &[u8] {
        self.name.host_bytes()
    }

    pub(crate) fn path_bytes(&self) -> &[u8] {
        self.name.path_bytes()
    }
}

/// The endpoints of a pool at one moment, in the order of their registration, with what the pool
/// asks for. Use it as a slice of [`Slot`]s.
#[derive(Debug)]
pub struct Endpoints {
    slots: Slots,
    route_service_url: Option<Arc<str>>,
    route_policy: Option<Arc<RoutePolicy>>,
    extras: Option<Arc<Extras>>,
    algorithm: Algorithm,
    narrowed: bool,
}

/// Most pools have one endpoint, which then needs no memory of its own.
#[derive(Debug)]
enum Slots {
    One(Slot),
    Many(Box<[Slot]>),
}

impl Endpoints {
    pub(crate) fn new(
        slots: Vec<Slot>,
        route_service_url: Option<Arc<str>>,
        route_policy: Option<Arc<RoutePolicy>>,
        algorithm: Algorithm,
        extras: Option<Arc<Extras>>,
    ) -> Self {
        Self {
            slots: slots.into(),
            route_service_url,
            route_policy,
            extras,
            algorithm,
            narrowed: false,
        }
    }

    /// The same but for the slots.
    pub(crate) fn with_slots(&self, slots: Vec<Slot>) -> Self {
        let extras = self.extras.as_ref();
        Self {
            extras: extras.map(|extras| extras.with_slots(&slots)),
            slots: slots.into(),
            route_service_url: self.route_service_url.clone(),
            route_policy: self.route_policy.clone(),
            algorithm: self.algorithm,
            narrowed: self.narrowed,
        }
    }

    /// Balancing algorithm of the pool.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Route service of the pool.
    pub fn route_service_url(&self) -> Option<&Arc<str>> {
        self.route_service_url.as_ref()
    }

    /// What the pool asks of its callers: that of the latest registration that changed anything.
    pub fn route_policy(&self) -> Option<&Arc<RoutePolicy>> {
        self.route_policy.as_ref()
    }

    /// What few pools have; `None` costs a request one branch.
    #[inline]
    pub fn extras(&self) -> Option<&Arc<Extras>> {
        self.extras.as_ref()
    }

    /// The table of the algorithm `hash`.
    pub fn hash(&self) -> Option<&Hash> {
        self.extras.as_ref().and_then(|extras| extras.hash.as_ref())
    }

    /// The route's limits, where there are any.
    #[inline]
    pub fn limiter(&self) -> Option<&Arc<Limiter>> {
        self.extras
            .as_ref()
            .and_then(|extras| extras.limiter.as_ref())
    }

    /// Whether this is the selection of [`Pool::narrowed`], where marks play no part.
    pub fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    /// Position of the endpoint at `host:port`, whose hash is `tag`.
    pub(crate) fn position(&self, tag: u16, host: &str, port: u16) -> Option<usize> {
        self.iter()
            .position(|slot| slot.address_tag() == tag && slot.endpoint().is_at(host, port))
    }
}

impl Deref for Endpoints {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        match &self.slots {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        }
    }
}

impl From<Vec<Slot>> for Slots {
    fn from(mut slots: Vec<Slot>) -> Self {
        match (slots.pop(), slots.is_empty()) {
            (Some(only), true) => Self::One(only),
            (last, _) => {
                slots.extend(last);
                Self::Many(slots.into_boxed_slice())
            }
        }
    }
}
