//! A table, its writer and a clock to play with.

use std::borrow::Cow;
use std::sync::Arc;

use crate::table::{
    Change, Endpoint, Event, Millis, ModificationTag, Pool, Registration, Settings, SourceId,
    Table, Writer,
};

/// Short names for what tests do all the time. Events are kept as lines of text.
pub(crate) struct World {
    pub(crate) table: Arc<Table>,
    pub(crate) writer: Writer,
    pub(crate) source: SourceId,
    pub(crate) now: Millis,
    pub(crate) events: Vec<String>,
}

/// A registration of `10.0.0.1:PORT`.
pub(crate) fn plain(port: u16) -> Registration<'static> {
    Registration {
        host: "10.0.0.1",
        port,
        ..Registration::default()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        // Making and dropping thousands of shards would be most of what tests do.
        Self::with(Settings {
            shards: 8,
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let (table, mut writer) = Table::new(settings);
        let source = writer.source("nats");
        Self {
            table,
            writer,
            source,
            now: 1_000_000,
            events: Vec::new(),
        }
    }

    pub(crate) fn apply(&mut self, change: Change<'_>) {
        let events = &mut self.events;
        self.writer
            .apply(change, self.now, &mut |event| events.push(line(&event)));
    }

    /// Registers, and returns what happened.
    pub(crate) fn register(
        &mut self,
        uris: &[&str],
        registration: &Registration<'_>,
    ) -> Vec<String> {
        let uris: Vec<_> = uris.iter().map(|uri| Cow::Borrowed(*uri)).collect();
        self.apply(Change::Register {
            source: self.source,
            uris: &uris,
            registration,
        });
        std::mem::take(&mut self.events)
    }

    /// Unregisters `10.0.0.1:PORT`, and returns what happened.
    pub(crate) fn unregister(&mut self, uri: &str, port: u16) -> Vec<String> {
        self.unregister_tagged(uri, port, ModificationTag::default())
    }

    pub(crate) fn unregister_tagged(
        &mut self,
        uri: &str,
        port: u16,
        modification_tag: ModificationTag<'_>,
    ) -> Vec<String> {
        self.apply(Change::Unregister {
            source: self.source,
            uris: &[Cow::Borrowed(uri)],
            host: "10.0.0.1",
            port,
            modification_tag,
        });
        std::mem::take(&mut self.events)
    }

    /// Lets time pass, prunes, and returns what happened.
    pub(crate) fn expire_after(&mut self, millis: Millis) -> Vec<String> {
        self.now += millis;
        self.apply(Change::Expire);
        std::mem::take(&mut self.events)
    }

    /// The pool that answers for a host and a path.
    pub(crate) fn lookup(&self, host: &str, path: &str) -> Option<Arc<Pool>> {
        self.table.lookup(host.as_bytes(), path.as_bytes())
    }

    /// The name of that pool.
    pub(crate) fn route(&self, host: &str, path: &str) -> Option<String> {
        self.lookup(host, path).map(|pool| pool.uri().to_owned())
    }

    /// The pool of exactly this uri.
    pub(crate) fn pool(&self, uri: &str) -> Option<Arc<Pool>> {
        let mut pools = self.table.pools().into_iter();
        pools.find(|pool| pool.uri() == uri)
    }

    /// The only endpoint of this uri.
    pub(crate) fn endpoint(&self, uri: &str) -> Arc<Endpoint> {
        let pool = self.pool(uri).unwrap();
        let endpoints = pool.endpoints();
        assert_eq!(endpoints.len(), 1);
        Arc::clone(endpoints[0].endpoint())
    }

    /// Ports of the endpoints of this uri, in order.
    pub(crate) fn ports(&self, uri: &str) -> Vec<u16> {
        let pool = self.pool(uri).unwrap();
        let endpoints = pool.endpoints();
        endpoints
            .iter()
            .map(|slot| slot.endpoint().port())
            .collect()
    }
}

fn line(event: &Event<'_>) -> String {
    let of = |pool: &Pool, endpoint: &Endpoint| format!("{} {}", pool.uri(), endpoint.port());
    match event {
        Event::RouteRegistered { pool } => format!("route-registered {}", pool.uri()),
        Event::EndpointRegistered {
            pool,
            endpoint,
            outcome,
        } => format!("{outcome:?} {}", of(pool, endpoint)).to_lowercase(),
        Event::EndpointNotRegistered { pool, endpoint } => {
            format!("endpoint-not-registered {}", of(pool, endpoint))
        }
        Event::EndpointUnregistered { pool, endpoint } => {
            format!("endpoint-unregistered {}", of(pool, endpoint))
        }
        Event::EndpointNotUnregistered { uri } => format!("endpoint-not-unregistered {uri}"),
        Event::RouteUnregistered { pool } => format!("route-unregistered {}", pool.uri()),
        Event::EndpointFailed { pool, endpoint } => format!("failed {}", of(pool, endpoint)),
        Event::Pruned { pool, endpoints } => {
            let ports = endpoints.iter().map(|endpoint| endpoint.port());
            let ports: Vec<_> = ports.collect();
            format!("pruned {} {ports:?}", pool.uri())
        }
        Event::EmptyRoutePruned { pool } => format!("empty-route-pruned {}", pool.uri()),
        Event::PruneSuspended { .. } => "prune-suspended".to_owned(),
        Event::UriIgnored { uri } => format!("uri-ignored {uri}"),
    }
}
