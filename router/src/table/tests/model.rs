//! The table against a model that is too simple to be wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::table::{
    Algorithm, Change, EmptyPool, Millis, ModificationTag, Registration, Settings, SourceId, Table,
};

const URIS: &[&str] = &[
    "a.com",
    "A.com/P",
    "a.com/p/",
    "a.com/p/Q",
    "a.com/p/q/r",
    "a.com/p-x",
    "a.com/pq?x=/p",
    "a.com//",
    "a.com/p//q",
    "a.com/a-longer-path/than-all-others/in-this-list",
    "*.com",
    "*.com/p",
    "*.b.com",
    "x.b.com",
    "x.b.com/p/q",
    "*",
    "b.com/%2F",
];

const HOSTS: &[&str] = &[
    "a.com",
    "A.COM:80",
    "x.b.com",
    "y.x.b.com",
    "b.com",
    "c.b.Com",
    "com",
    "*.com",
    "",
];

const PATHS: &[&str] = &[
    "",
    "/",
    "/p",
    "/P/",
    "/p/q",
    "/p/Q/r/s",
    "/p-x/y",
    "/pq",
    "/pqr",
    "//",
    "//x",
    "/p//q",
    "/p/",
    "/p//",
    "/%2f",
    "/a-longer-path/THAN-all-others/in-this-list/x",
    "/a-longer-path/than-all",
    "*",
];

#[derive(Debug, Clone)]
enum Step {
    Register {
        uris: Vec<&'static str>,
        port: u16,
        source: usize,
        description: Description,
    },
    Unregister {
        uri: &'static str,
        port: u16,
        guid: &'static str,
        index: u32,
    },
    Fail {
        uri: &'static str,
        slot: usize,
    },
    Wait(Millis),
    Expire,
    Down(usize),
    Up(usize),
}

/// What may differ between registrations of one address.
#[derive(Debug, Clone, PartialEq)]
struct Description {
    app: &'static str,
    tls: bool,
    ttl: Millis,
    route_service: &'static str,
    algorithm: &'static str,
    policy_scope: &'static str,
    guid: &'static str,
    index: u32,
}

fn description() -> impl Strategy<Value = Description> {
    let tag = prop_oneof![3 => Just(""), 1 => Just("g"), 1 => Just("h")];
    (
        select(vec!["one", "two"]),
        prop::bool::weighted(0.2),
        select(vec![0, 0, 0, 2_000, 5_000, 900_000]),
        select(vec!["", "", "https://rs.test"]),
        select(vec!["", "", "round-robin", "least-connection", "bogus"]),
        select(vec!["", "", "any", "org"]),
        tag,
        0..3_u32,
    )
        .prop_map(
            |(app, tls, ttl, route_service, algorithm, policy_scope, guid, index)| Description {
                app,
                tls,
                ttl,
                route_service,
                algorithm,
                policy_scope,
                guid,
                index,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let uri = || select(URIS);
    let port = || 1..4_u16;
    prop_oneof![
        6 => (subsequence(URIS, 1..4), port(), 0..2_usize, description()).prop_map(
            |(uris, port, source, description)| Step::Register { uris, port, source, description }
        ),
        4 => (uri(), port(), select(vec!["", "g"]), 0..3_u32).prop_map(
            |(uri, port, guid, index)| Step::Unregister { uri, port, guid, index }
        ),
        1 => (uri(), 0..3_usize).prop_map(|(uri, slot)| Step::Fail { uri, slot }),
        3 => (0..4_000_u64).prop_map(Step::Wait),
        2 => Just(Step::Expire),
        1 => (0..2_usize).prop_map(Step::Down),
        1 => (0..2_usize).prop_map(Step::Up),
    ]
}

proptest! {
    #[test]
    fn the_table_does_what_the_model_does(
        steps in prop::collection::vec(step(), 1..60),
        shards in select(vec![1_usize, 4, 64]),
        keep_for in select(vec![None, Some(0), Some(1_500)]),
        suspend in any::<bool>(),
    ) {
        let settings = Settings {
            shards,
            stale_threshold: 10_000,
            empty_pool: EmptyPool { keep_for },
            suspend_when_source_down: suspend,
            ..Settings::default()
        };
        let (table, mut writer) = Table::new(settings.clone());
        let sources = [writer.source("nats"), writer.source("routing-api")];
        let mut model = Model { settings, pools: BTreeMap::new(), sources: Default::default() };
        let mut now = 50_000;
        for step in &steps {
            if let Step::Wait(millis) = step {
                now += millis;
            }
            perform(step, &table, &mut writer, &sources, now);
            model.perform(step, now);
            model.compare(&table, &sources)?;
            prop_assert_eq!(writer.stats().slots, model.slots());
        }
        // In the end everything plain goes.
        for source in sources {
            writer.apply(Change::SourceUp(source), now, &mut |_| {});
        }
        for _ in 0..2 {
            now += 100_000;
            writer.apply(Change::Expire, now, &mut |_| {});
        }
        for pool in table.pools() {
            prop_assert!(!pool.is_empty());
            prop_assert!(pool.endpoints().iter().all(|slot| slot.endpoint().tls()));
        }
    }
}

fn perform(
    step: &Step,
    table: &Arc<Table>,
    writer: &mut crate::table::Writer,
    sources: &[SourceId; 2],
    now: Millis,
) {
    let mut apply = |change: Change<'_>| writer.apply(change, now, &mut |_| {});
    match step {
        Step::Register {
            uris,
            port,
            source,
            description,
        } => {
            let uris: Vec<_> = uris.iter().map(|uri| Cow::Borrowed(*uri)).collect();
            apply(Change::Register {
                source: sources[*source],
                uris: &uris,
                registration: &Registration {
                    host: "10.0.0.1",
                    port: *port,
                    app: description.app,
                    tls: description.tls,
                    ttl: description.ttl,
                    route_service_url: description.route_service,
                    algorithm: Algorithm::from_name(description.algorithm),
                    algorithm_text: description.algorithm,
                    route_policy_scope: description.policy_scope,
                    modification_tag: tag(description.guid, description.index),
                    ..Registration::default()
                },
            });
        }
        Step::Unregister {
            uri,
            port,
            guid,
            index,
        } => apply(Change::Unregister {
            source: sources[0],
            uris: &[Cow::Borrowed(*uri)],
            host: "10.0.0.1",
            port: *port,
            modification_tag: tag(guid, *index),
        }),
        Step::Fail { uri, slot } => {
            let pools = table.pools();
            let pool = pools.iter().find(|pool| pool.uri() == key(uri));
            let endpoint = pool.and_then(|pool| {
                let endpoints = pool.endpoints();
                endpoints.get(*slot).map(|slot| Arc::clone(slot.endpoint()))
            });
            if let (Some(pool), Some(endpoint)) = (pool, &endpoint) {
                apply(Change::Fail { pool, endpoint });
            }
        }
        Step::Wait(_) => {}
        Step::Expire => apply(Change::Expire),
        Step::Down(source) => apply(Change::SourceDown(sources[*source])),
        Step::Up(source) => apply(Change::SourceUp(sources[*source])),
    }
}

fn tag(guid: &str, index: u32) -> ModificationTag<'_> {
    ModificationTag { guid, index }
}

/// A map of lists, searched from end to end.
struct Model {
    settings: Settings,
    pools: BTreeMap<String, ModelPool>,
    sources: [ModelSource; 2],
}

struct ModelPool {
    endpoints: Vec<ModelEndpoint>,
    route_service: &'static str,
    policy_scope: &'static str,
    algorithm: Algorithm,
    changed: Millis,
}

struct ModelEndpoint {
    port: u16,
    description: Description,
    source: usize,
    seen: Millis,
}

#[derive(Default)]
struct ModelSource {
    down: bool,
    back: Millis,
}

impl Model {
    fn perform(&mut self, step: &Step, now: Millis) {
        match step {
            Step::Register {
                uris,
                port,
                source,
                description,
            } => {
                for uri in uris {
                    self.register(&key(uri), *port, *source, description, now);
                }
            }
            Step::Unregister {
                uri,
                port,
                guid,
                index,
            } => self.unregister(&key(uri), *port, &tag(guid, *index), now),
            Step::Fail { uri, slot } => {
                if let Some(pool) = self.pools.get_mut(&key(uri))
                    && *slot < pool.endpoints.len()
                {
                    pool.endpoints.remove(*slot);
                    pool.changed = now;
                }
            }
            Step::Wait(_) => {}
            Step::Expire => self.expire(now),
            Step::Down(source) => self.sources[*source].down = true,
            Step::Up(source) => {
                let source = &mut self.sources[*source];
                if source.down && self.settings.suspend_when_source_down {
                    source.back = now;
                }
                source.down = false;
            }
        }
    }

    fn register(
        &mut self,
        key: &str,
        port: u16,
        source: usize,
        description: &Description,
        now: Millis,
    ) {
        let pool = self.pools.entry(key.to_owned()).or_insert(ModelPool {
            endpoints: Vec::new(),
            route_service: "",
            policy_scope: "",
            algorithm: Algorithm::RoundRobin,
            changed: now,
        });
        let new = ModelEndpoint {
            port,
            description: description.clone(),
            source,
            seen: now,
        };
        match pool.endpoints.iter_mut().find(|old| old.port == port) {
            Some(old) => {
                let same = effective(&old.description) == effective(description);
                let old_tag = tag(old.description.guid, old.description.index);
                if !same && !old_tag.succeeded_by(&tag(description.guid, description.index)) {
                    return;
                }
                *old = new;
                if same {
                    return;
                }
            }
            None => pool.endpoints.push(new),
        }
        pool.route_service = description.route_service;
        pool.policy_scope = description.policy_scope;
        let algorithm = Algorithm::from_name(description.algorithm);
        pool.algorithm = algorithm.unwrap_or(pool.algorithm);
    }

    fn unregister(&mut self, key: &str, port: u16, given: &ModificationTag<'_>, now: Millis) {
        let Some(pool) = self.pools.get_mut(key) else {
            return;
        };
        let before = pool.endpoints.len();
        pool.endpoints.retain(|old| {
            let tag = tag(old.description.guid, old.description.index);
            old.port != port || (tag != *given && !tag.succeeded_by(given))
        });
        if pool.endpoints.len() < before {
            pool.changed = now;
            if pool.endpoints.is_empty()
                && self
                    .settings
                    .empty_pool
                    .keep_for
                    .is_none_or(|keep| keep == 0)
            {
                self.pools.remove(key);
            }
        }
    }

    fn expire(&mut self, now: Millis) {
        let suspend = self.settings.suspend_when_source_down;
        let keep_for = self.settings.empty_pool.keep_for.unwrap_or(0);
        let sources = &self.sources;
        self.pools.retain(|_, pool| {
            let before = pool.endpoints.len();
            pool.endpoints.retain(|endpoint| {
                let source = &sources[endpoint.source];
                let seen = endpoint.seen.max(source.back);
                endpoint.description.tls
                    || (suspend && source.down)
                    || now - seen <= effective(&endpoint.description).ttl
            });
            if pool.endpoints.len() < before {
                pool.changed = now;
            }
            let kept = keep_for > 0 && now - pool.changed <= keep_for;
            !pool.endpoints.is_empty() || kept
        });
    }

    fn slots(&self) -> usize {
        self.pools.values().map(|pool| pool.endpoints.len()).sum()
    }

    fn compare(&self, table: &Table, sources: &[SourceId; 2]) -> Result<(), TestCaseError> {
        let pools = table.pools();
        prop_assert_eq!(table.route_count(), self.pools.len());
        let uris: Vec<_> = pools.iter().map(|pool| pool.uri()).collect();
        prop_assert_eq!(uris, self.pools.keys().collect::<Vec<_>>());
        for (pool, expected) in pools.iter().zip(self.pools.values()) {
            let route_service = pool.route_service_url();
            prop_assert_eq!(
                route_service.as_deref().unwrap_or_default(),
                expected.route_service
            );
            prop_assert_eq!(pool.algorithm(), expected.algorithm);
            let endpoints = pool.endpoints();
            let policy = endpoints.route_policy();
            let scope = policy.map_or("", |policy| policy.scope());
            prop_assert_eq!(scope, expected.policy_scope);
            prop_assert_eq!(endpoints.len(), expected.endpoints.len());
            for (slot, expected) in endpoints.iter().zip(&expected.endpoints) {
                let endpoint = slot.endpoint();
                prop_assert_eq!(endpoint.port(), expected.port);
                prop_assert_eq!(endpoint.application_id(), expected.description.app);
                prop_assert_eq!(endpoint.tls(), expected.description.tls);
                prop_assert_eq!(slot.last_seen(), expected.seen);
                prop_assert_eq!(slot.source(), sources[expected.source]);
                prop_assert!(!endpoint.is_gone());
            }
        }
        for host in HOSTS {
            for path in PATHS {
                let found = table.lookup(host.as_bytes(), path.as_bytes());
                let found = found.as_ref().map(|pool| pool.uri());
                prop_assert_eq!(found, self.lookup(host, path), "{} {}", host, path);
            }
        }
        Ok(())
    }

    fn lookup(&self, host: &str, path: &str) -> Option<&str> {
        let host = host.split(':').next().unwrap().to_lowercase();
        if host.is_empty() {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path).to_lowercase();
        let labels: Vec<_> = host.split('.').collect();
        let wildcards = (1..labels.len()).map(|n| format!("*.{}", labels[n..].join(".")));
        [host.clone()]
            .into_iter()
            .chain(wildcards)
            .find_map(|host| self.deepest(&host, &path))
    }

    fn deepest(&self, host: &str, path: &str) -> Option<&str> {
        let wanted: Vec<_> = path.split('/').collect();
        let mut matching: Vec<_> = self
            .pools
            .iter()
            .filter_map(|(uri, pool)| {
                let context = uri.strip_prefix(host)?;
                let context: Vec<_> = context.split('/').collect();
                let matches = context[0].is_empty() && wanted.starts_with(&context);
                matches.then_some((!pool.endpoints.is_empty(), context.len(), &**uri))
            })
            .collect();
        matching.sort();
        matching.last().map(|(_, _, uri)| *uri)
    }
}

/// With the TTL that counts.
fn effective(description: &Description) -> Description {
    let ttl = match description.ttl {
        0 => 10_000,
        ttl => ttl.min(10_000),
    };
    Description {
        ttl,
        ..description.clone()
    }
}

/// The name of a route.
fn key(uri: &str) -> String {
    let uri = uri.split('?').next().unwrap().to_lowercase();
    uri.strip_suffix('/').unwrap_or(&uri).to_owned()
}
