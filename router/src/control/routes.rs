//! The listing of the routing table (spec 9.2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, Serializer};
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use crate::table::{Endpoint, Millis, Pool, Slot, Source, Table};

/// Who may see the listing: one user, by basic authentication.
#[derive(Clone)]
pub struct Access {
    expected: Arc<[u8]>,
}

impl Access {
    /// `status.user` and `status.pass`.
    pub fn new(user: &str, password: &str) -> Access {
        Access { expected: format!("{user}:{password}").into_bytes().into() }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, token)) = sent.and_then(|value| value.split_once(' ')) else { return false };
        let Ok(given) = STANDARD.decode(token.trim()) else { return false };
        scheme.eq_ignore_ascii_case("basic") && given.ct_eq(&self.expected).into()
    }
}

#[derive(Clone)]
struct Listing {
    table: Arc<Table>,
    access: Access,
    started: Instant,
}

/// Serves `/routes` until the task is dropped. `started` is zero of the table's times.
pub async fn serve(listener: TcpListener, table: Arc<Table>, access: Access, started: Instant) {
    let app = Router::new().route("/routes", get(list)).with_state(Listing { table, access, started });
    super::serve_forever(listener, app, "routes").await;
}

async fn list(State(listing): State<Listing>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if !listing.access.admits(&headers) {
        let headers = [(header::WWW_AUTHENTICATE, "Basic"), (header::CONNECTION, "close")];
        return (StatusCode::UNAUTHORIZED, headers, "401 Unauthorized\n").into_response();
    }
    let provenance = query.as_deref().is_some_and(|query| query.split('&').any(|part| part == "provenance"));
    // A large table takes a while to write: registrations go on meanwhile.
    let rendered = tokio::task::spawn_blocking(move || listing.render(provenance)).await;
    let Ok(Ok(body)) = rendered else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    ([(header::CONTENT_TYPE, "application/json"), (header::CONNECTION, "close")], body).into_response()
}

impl Listing {
    fn render(&self, provenance: bool) -> serde_json::Result<Vec<u8>> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let sources = if provenance { self.table.sources() } else { Vec::new() };
        let mut out = Vec::new();
        let mut json = serde_json::Serializer::new(&mut out);
        let mut map = json.serialize_map(None)?;
        for pool in self.table.pools() {
            map.serialize_entry(pool.uri(), &entries(&pool, &sources, now))?;
        }
        SerializeMap::end(map)?;
        out.push(b'\n');
        Ok(out)
    }
}

fn entries(pool: &Pool, sources: &[Source], now: Millis) -> Vec<Entry> {
    pool.endpoints().iter().map(|slot| Entry::new(slot, sources, now)).collect()
}

/// One endpoint, with the keys and the order of the original.
#[derive(Serialize)]
struct Entry {
    address: String,
    availability_zone: String,
    protocol: &'static str,
    tls: bool,
    /// Seconds.
    ttl: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    route_service_url: String,
    tags: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    isolation_segment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    private_instance_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    server_cert_domain_san: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    load_balancing_algorithm: String,
    #[serde(flatten)]
    provenance: Option<Provenance>,
}

/// Who says that the endpoint is there, and since when; only on demand.
#[derive(Serialize)]
struct Provenance {
    source: String,
    first_seen_ms_ago: Millis,
    last_seen_ms_ago: Millis,
}

impl Entry {
    fn new(slot: &Slot, sources: &[Source], now: Millis) -> Entry {
        let endpoint: &Endpoint = slot.endpoint();
        let tags = || endpoint.tags().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let source = sources.iter().find(|source| source.id == slot.source());
        Entry {
            address: endpoint.address().to_owned(),
            availability_zone: endpoint.availability_zone().to_owned(),
            protocol: endpoint.protocol().as_str(),
            tls: endpoint.tls(),
            ttl: endpoint.ttl() / 1000,
            route_service_url: endpoint.route_service_url().to_owned(),
            tags: endpoint.has_tags().then(tags),
            isolation_segment: endpoint.isolation_segment().to_owned(),
            private_instance_id: endpoint.instance_id().to_owned(),
            server_cert_domain_san: endpoint.server_cert_domain_san().to_owned(),
            load_balancing_algorithm: endpoint.load_balancing_algorithm().to_owned(),
            provenance: source.map(|source| Provenance {
                source: source.name.to_string(),
                first_seen_ms_ago: now.saturating_sub(slot.first_seen()),
                last_seen_ms_ago: now.saturating_sub(slot.last_seen()),
            }),
        }
    }
}
