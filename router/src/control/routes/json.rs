//! The table as JSON text.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::table::{Algorithm, Endpoint, Limits, Millis, Pool, Slot, Source, Table, sources};

/// How much is told of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What GoRouter tells.
    Plain,
    /// Also where the endpoint is known from.
    Provenance,
}

/// Bytes that a route takes mostly; no more than a hint.
const EXPECTED: usize = 256;

/// All routes as they are now, with a line break behind them.
pub(super) fn render(table: &Table, detail: Detail, now: Millis) -> serde_json::Result<Vec<u8>> {
    let sources = table.sources();
    let scope = Scope {
        sources: (detail == Detail::Provenance).then_some(&sources),
        now,
    };
    let routes = table.pools();
    let mut json = Vec::with_capacity(routes.len() * EXPECTED);
    let mut serializer = serde_json::Serializer::new(&mut json);
    serializer.collect_map(
        routes
            .iter()
            .map(|pool| (pool.uri(), Route { pool, scope })),
    )?;
    json.push(b'\n');
    Ok(json)
}

#[derive(Clone, Copy)]
struct Scope<'a> {
    /// With provenance only.
    sources: Option<&'a Vec<Source>>,
    now: Millis,
}

struct Route<'a> {
    pool: &'a Arc<Pool>,
    scope: Scope<'a>,
}

impl Serialize for Route<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let endpoints = self.pool.endpoints();
        serializer.collect_seq(endpoints.iter().map(|slot| Place {
            slot,
            scope: self.scope,
        }))
    }
}

struct Place<'a> {
    slot: &'a Slot,
    scope: Scope<'a>,
}

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let endpoint = self.slot.endpoint();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("address", endpoint.address())?;
        map.serialize_entry("availability_zone", endpoint.availability_zone())?;
        map.serialize_entry("protocol", endpoint.protocol().as_str())?;
        map.serialize_entry("tls", &endpoint.tls())?;
        map.serialize_entry("ttl", &(endpoint.ttl() / 1000))?;
        entry_unless_empty(&mut map, "route_service_url", endpoint.route_service_url())?;
        map.serialize_entry("tags", &Tags(endpoint))?;
        entry_unless_empty(&mut map, "isolation_segment", endpoint.isolation_segment())?;
        entry_unless_empty(&mut map, "private_instance_id", endpoint.instance_id())?;
        entry_unless_empty(
            &mut map,
            "server_cert_domain_san",
            endpoint.server_cert_domain_san(),
        )?;
        entry_unless_empty(
            &mut map,
            "load_balancing_algorithm",
            endpoint.load_balancing_algorithm(),
        )?;
        if endpoint.algorithm() == Some(Algorithm::Hash) {
            let options = endpoint.options();
            let (header, balance) = options.map_or(("", 0.0), |options| {
                (&*options.hash_header, options.hash_balance)
            });
            entry_unless_empty(&mut map, "hash_header", header)?;
            map.serialize_entry("hash_balance", &balance)?;
        }
        let limits = endpoint.options().map(|options| options.limits);
        if let Some(limits) = limits.filter(|limits| !limits.is_empty()) {
            map.serialize_entry("limits", &Shown(limits))?;
        }
        entry_unless_empty(
            &mut map,
            "route_policy_scope",
            endpoint.route_policy_scope(),
        )?;
        if !endpoint.route_policy_sources().is_empty() {
            map.serialize_entry("route_policies", &Sources(endpoint.route_policy_sources()))?;
        }
        if let Some(sources) = self.scope.sources {
            let source = sources
                .iter()
                .find(|source| source.id == self.slot.source());
            let age = |then: Millis| self.scope.now.saturating_sub(then) as f64 / 1000.0;
            map.serialize_entry("source", source.map_or("", |source| &source.name))?;
            map.serialize_entry("first_seen", &age(self.slot.first_seen()))?;
            map.serialize_entry("last_seen", &age(self.slot.last_seen()))?;
        }
        map.end()
    }
}

fn entry_unless_empty<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: &str,
) -> Result<(), M::Error> {
    if value.is_empty() {
        Ok(())
    } else {
        map.serialize_entry(key, value)
    }
}

/// The limits that a registration has, times in seconds. GoRouter has none, and no such key.
struct Shown(Limits);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Shown(limits) = self;
        let mut map = serializer.serialize_map(None)?;
        for (key, time) in [
            ("request_timeout", limits.request_timeout),
            ("first_byte_timeout", limits.first_byte_timeout),
            ("idle_timeout", limits.idle_timeout),
        ] {
            if let Some(time) = time {
                map.serialize_entry(key, &(time as f64 / 1_000.0))?;
            }
        }
        let count = |count: Option<u32>| count.map(u64::from);
        for (key, number) in [
            ("max_body_size", limits.max_body_size),
            (
                "max_concurrent_requests",
                count(limits.max_concurrent_requests),
            ),
            ("max_attempts", count(limits.max_attempts)),
            ("retry_budget", count(limits.retry_budget)),
        ] {
            if let Some(number) = number {
                map.serialize_entry(key, &number)?;
            }
        }
        for (key, rate) in [
            ("rate_limit", limits.rate),
            ("client_rate_limit", limits.client_rate),
        ] {
            if let Some(rate) = rate {
                let per_second = f64::from(rate.requests) * 1_000.0 / rate.period.max(1) as f64;
                map.serialize_entry(key, &per_second)?;
            }
        }
        map.end()
    }
}

/// A list of callers.
struct Sources<'a>(&'a str);

impl Serialize for Sources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sources(self.0))
    }
}

/// A map, or `null` when the registration had none.
struct Tags<'a>(&'a Endpoint);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.has_tags() {
            true => serializer.collect_map(self.0.tags()),
            false => serializer.serialize_none(),
        }
    }
}
