//! The one place through which the routing table changes.
//!
//! Every source (NATS, the embedded bus, the Routing API) and every failure that removes an endpoint comes through
//! here, one after the other, so there is one writer and one order. Each change is told to the component log and the
//! metrics.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cloverleaf_model::RegistryMessage;
use cloverleaf_telemetry::Json;

use super::{Segments, options};
use crate::observe::registry::{Action, Metrics, RegistryCounters};
use crate::table::{
    Algorithm, Change, Endpoint, Event, Millis, ModificationTag, Outcome, PolicySource, Pool,
    Protocol, Registration, SLOTS, SourceId, Table, Writer, sources,
};

/// Owns the table's writer.
pub struct Registrar {
    changing: Mutex<Changing>,
    table: Arc<Table>,
    segments: Segments,
    /// Whether backends are spoken to in HTTP/2 at all.
    http2: bool,
    /// What counts for registrations that name no algorithm.
    default_algorithm: Algorithm,
    started: Instant,
}

/// What only one thread at a time may touch.
struct Changing {
    writer: Writer,
    counters: RegistryCounters,
}

impl Registrar {
    /// A registrar for `table`. `started` is zero of all [`Millis`].
    pub fn new(
        (table, writer): (Arc<Table>, Writer),
        segments: Segments,
        http2: bool,
        started: Instant,
        metrics: &Metrics,
    ) -> Arc<Registrar> {
        let default_algorithm = writer.default_algorithm();
        let changing = Mutex::new(Changing {
            writer,
            counters: metrics.registry(),
        });
        Arc::new(Registrar {
            changing,
            table,
            segments,
            http2,
            default_algorithm,
            started,
        })
    }

    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Names a source of registrations.
    pub fn source(&self, name: &str) -> SourceId {
        self.changing().writer.source(name)
    }

    /// An endpoint is there, or still there.
    pub fn register(&self, source: SourceId, message: &RegistryMessage<'_>) {
        if !self.segments.include(&message.isolation_segment) {
            return;
        }
        let tags: Vec<_> = message
            .tags
            .iter()
            .flatten()
            .map(|(key, value)| (borrow(key), borrow(value)))
            .collect();
        let algorithm_text = &*message.options.loadbalancing;
        let algorithm = match algorithm_text {
            // On the bus no algorithm stands for the router's own, so that dropping the option has an effect.
            "" => Some(self.default_algorithm),
            text => Algorithm::from_name(text),
        };
        if algorithm.is_none() {
            // the pool keeps the algorithm that it has.
            tracing::error!(target: "registry", algorithm = algorithm_text, uris.json = %Json(&message.uris),
                "invalid-load-balancing-algorithm");
        }
        let options = options::of(&message.options, algorithm, |option| {
            self.changing().counters.option_ignored();
            tracing::debug!(target: "registry", option, uris.json = %Json(&message.uris), "route-option-ignored");
        });
        let registration = Registration {
            host: &message.host,
            port: message.backend_port(),
            tls: message.uses_tls(),
            protocol: if message.protocol == "http2" && self.http2 {
                Protocol::Http2
            } else {
                Protocol::Http1
            },
            app: &message.app,
            instance_id: &message.private_instance_id,
            instance_index: &message.private_instance_index,
            server_cert_domain_san: &message.server_cert_domain_san,
            isolation_segment: &message.isolation_segment,
            availability_zone: &message.availability_zone,
            ttl: u64::try_from(message.stale_threshold_in_seconds)
                .unwrap_or(0)
                .saturating_mul(1000),
            route_service_url: &message.route_service_url,
            tags: &tags,
            tags_present: message.tags.is_some(),
            updated_at_ns: message.endpoint_updated_at_ns,
            modification_tag: ModificationTag::default(),
            algorithm,
            algorithm_text,
            options: options.as_ref(),
            route_policy_scope: &message.options.route_policy_scope,
            route_policy_sources: &message.options.route_policy_sources,
        };
        self.apply(Change::Register {
            source,
            uris: &message.uris,
            registration: &registration,
        });
    }

    /// An endpoint has left some routes.
    pub fn unregister(&self, source: SourceId, message: &RegistryMessage<'_>) {
        if !self.segments.include(&message.isolation_segment) {
            return;
        }
        let component = message
            .tags
            .as_ref()
            .and_then(|tags| tags.get("component"))
            .map_or("", |text| text);
        for _ in &message.uris {
            self.changing().counters.unregistered(component);
        }
        self.apply(Change::Unregister {
            source,
            uris: &message.uris,
            host: &message.host,
            port: message.backend_port(),
            modification_tag: ModificationTag::default(),
        });
    }

    /// An endpoint of a source without isolation segments is there, or still there.
    pub fn register_entry(
        &self,
        source: SourceId,
        uris: &[Cow<'_, str>],
        registration: &Registration<'_>,
    ) {
        if self.segments.include("") {
            self.apply(Change::Register {
                source,
                uris,
                registration,
            });
        }
    }

    /// Such an endpoint has left some routes.
    pub fn unregister_entry(
        &self,
        source: SourceId,
        uris: &[Cow<'_, str>],
        (host, port): (&str, u16),
        modification_tag: ModificationTag<'_>,
    ) {
        if !self.segments.include("") {
            return;
        }
        for _ in uris {
            self.changing().counters.unregistered("");
        }
        self.apply(Change::Unregister {
            source,
            uris,
            host,
            port,
            modification_tag,
        });
    }

    /// Applies a change now.
    pub fn apply(&self, change: Change<'_>) {
        let now = self.now();
        let Changing { writer, counters } = &mut *self.changing();
        writer.apply(change, now, &mut |event| tell(event, counters));
    }

    /// Milliseconds since the start.
    pub fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        // A change is applied whole or not at all; a panic in a log line leaves nothing half done.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the log and the metrics.
fn tell(event: Event<'_>, counters: &RegistryCounters) {
    match event {
        Event::RouteRegistered { pool } => {
            counters.route_registered();
            tracing::info!(target: "registry", uri = pool.uri(), "route-registered");
        }
        Event::RouteUnregistered { pool } => {
            counters.route_unregistered();
            counters.size(pool.uri(), None);
            tracing::info!(target: "registry", uri = pool.uri(), "route-unregistered");
        }
        Event::EndpointRegistered {
            pool,
            endpoint,
            outcome,
        } => endpoint_registered(pool, endpoint, outcome, counters),
        Event::EndpointNotRegistered { pool, endpoint } => {
            let component = endpoint.component();
            counters.registered(component, Action::Unmodified);
            log_endpoint!(debug, pool, endpoint, "endpoint-not-registered");
        }
        Event::EndpointUnregistered { pool, endpoint } => {
            note_size(pool, counters);
            log_endpoint!(info, pool, endpoint, "endpoint-unregistered");
        }
        Event::EndpointNotUnregistered { uri } => {
            tracing::debug!(target: "registry", uri, "endpoint-not-unregistered");
        }
        Event::EndpointFailed { pool, endpoint } => {
            note_size(pool, counters);
            log_endpoint!(info, pool, endpoint, "prune-failed-endpoint");
        }
        Event::Pruned { pool, endpoints } => {
            counters.pruned(endpoints.len() as u64);
            note_size(pool, counters);
            let addresses: Vec<_> = endpoints
                .iter()
                .map(|endpoint| endpoint.address())
                .collect();
            let segment = endpoints
                .first()
                .map_or("", |endpoint| endpoint.isolation_segment());
            tracing::info!(target: "registry", uri = pool.uri(), endpoints.json = %Json(&addresses),
                isolation_segment = dash(segment), "pruned-route");
        }
        Event::EmptyRoutePruned { pool } => {
            counters.size(pool.uri(), None);
            tracing::info!(target: "registry", uri = pool.uri(), "route-unregistered");
        }
        Event::PruneSuspended { .. } => tracing::info!(target: "registry", "prune-suspended"),
        Event::UriIgnored { uri } => {
            tracing::warn!(target: "registry", uri, error = "a route needs a host", "route-ignored");
        }
    }
}

fn endpoint_registered(
    pool: &Arc<Pool>,
    endpoint: &Arc<Endpoint>,
    outcome: Outcome,
    counters: &RegistryCounters,
) {
    let component = endpoint.component();
    if outcome != Outcome::Unmodified {
        warn_of_policy(pool, endpoint);
        warn_of_size(pool);
        note_size(pool, counters);
    }
    match outcome {
        Outcome::Added => {
            counters.registered(component, Action::Added);
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            let updated = endpoint.updated_at_ns();
            if updated > 0 {
                let latency = (now.as_nanos() as i128 - i128::from(updated)).max(0);
                counters.latency(u64::try_from(latency).unwrap_or(u64::MAX));
            }
            log_endpoint!(info, pool, endpoint, "endpoint-registered");
        }
        Outcome::Updated => {
            counters.registered(component, Action::Updated);
            log_endpoint!(debug, pool, endpoint, "endpoint-registered");
        }
        Outcome::Unmodified => {
            counters.registered(component, Action::Refreshed);
            log_endpoint!(debug, pool, endpoint, "endpoint-refreshed");
        }
    }
}

/// Says that there are more instances than the table for `hash` has slots: those behind the last slot get nothing.
fn warn_of_size(pool: &Pool) {
    let endpoints = pool.endpoints();
    if endpoints.hash().is_some() && endpoints.len() > SLOTS {
        tracing::warn!(target: "registry", uri = pool.uri(), endpoints = endpoints.len(), slots = SLOTS, "hash-table-full");
    }
}

/// Notes how large a pool is whose size is shown: those with the algorithm `hash` (spec 14.7).
fn note_size(pool: &Pool, counters: &RegistryCounters) {
    let endpoints = pool.endpoints();
    let shown = endpoints.algorithm() == Algorithm::Hash;
    counters.size(pool.uri(), shown.then_some(endpoints.len()));
}

/// Says which sources of a route policy let nobody in because they are none (spec 14.3). Once for each endpoint, and not
/// with every request.
fn warn_of_policy(pool: &Pool, endpoint: &Endpoint) {
    for policy in sources(endpoint.route_policy_sources()) {
        if PolicySource::parse(policy).is_none() {
            tracing::warn!(target: "registry", uri = pool.uri(), policy, "malformed-route-policy");
        }
    }
}

fn borrow(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The fields of spec 1.1 for everything that happens to an endpoint. Nothing is formatted below the level.
macro_rules! log_endpoint {
    ($level:ident, $pool:expr, $endpoint:expr, $message:literal) => {{
        let (pool, endpoint) = ($pool, $endpoint);
        let tag = endpoint.modification_tag();
        tracing::$level!(
            target: "registry",
            {
                uri = pool.uri(),
                route_service_url = &*endpoint.shown_service_url(),
                backend = endpoint.address(),
                application_id = endpoint.application_id(),
                instance_id = endpoint.instance_id(),
                server_cert_domain_san = endpoint.server_cert_domain_san(),
                protocol = endpoint.protocol().as_str(),
                "modification_tag.json" = %Json(&serde_json::json!({ "guid": tag.guid, "index": tag.index })),
                isolation_segment = dash(endpoint.isolation_segment()),
                isTLS = endpoint.tls(),
            },
            $message
        );
    }};
}
use log_endpoint;
