//! Routes from the Routing API (spec 2.7): a list from time to time, and a stream of events in between.
//!
//! ```text
//! subscription: connects, reads events, begins anew --Notice--> this task: list + events --> Registrar
//! ```
//!
//! A list is the whole truth of its moment, an event is news. What the two say of the same time is put together in
//! [`known`]: nothing that an event has brought is taken back by a list that was asked for before.

mod client;
mod entry;
mod events;
mod known;
mod subscription;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use super::Registrar;
use super::call::CallTls;
use crate::config::Config;
use crate::observe::registry::{Incident, Metrics};
use crate::table::{Change, SourceId};
use client::{Client, ClientError};
use entry::Entry;
use known::Known;
use subscription::{Notice, subscribe};

pub use client::ConnectError;

/// The source's name in the provenance of routes.
pub const SOURCE: &str = "routing-api";

/// Between two lists where pruning is off and gives no measure.
const INTERVAL: Duration = Duration::from_secs(15);
/// Events that may wait; behind them the connection stands still, and the API ends it when it has to keep too many.
const WAITING: usize = 1024;
/// Entries that are handled before other work of the control plane gets its turn.
const BATCH: usize = 256;

/// A Routing API that has answered once.
pub struct RoutingApi {
    client: Arc<Client>,
    interval: Duration,
    metrics: Arc<Metrics>,
}

impl RoutingApi {
    /// Gets a token and asks for the list of routes, which proves that the API can be used; `None` where none is
    /// configured.
    ///
    /// # Errors
    /// When there is no token, or no list.
    pub async fn connect(
        config: &Arc<Config>,
        metrics: Arc<Metrics>,
    ) -> Result<Option<RoutingApi>, ConnectError> {
        if !config.routing_api.is_enabled() {
            return Ok(None);
        }
        tracing::info!(target: "main", "setting-up-routing-api");
        let client = Client::connect(config).await?;
        let half = config.prune_stale_droplets_interval / 2;
        Ok(Some(RoutingApi {
            client: Arc::new(client),
            interval: if half.is_zero() { INTERVAL } else { half },
            metrics,
        }))
    }

    /// How TLS is spoken with it, to be changed; `None` where it is not.
    pub fn tls(&self) -> Option<CallTls> {
        self.client.tls().cloned()
    }

    /// Keeps the table in step until the future is dropped.
    pub async fn run(self, registrar: Arc<Registrar>) {
        let (notices, inbox) = mpsc::channel(WAITING);
        let mut tasks = JoinSet::new();
        tasks.spawn(subscribe(
            Arc::clone(&self.client),
            notices,
            Arc::clone(&self.metrics),
        ));
        let mut lists = tokio::time::interval(self.interval);
        lists.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = Follower {
            source: registrar.source(SOURCE),
            registrar,
            known: Known::default(),
            metrics: self.metrics,
            is_away: false,
        };
        follower.run(self.client, inbox, lists).await;
    }
}

/// Applies what is heard.
struct Follower {
    registrar: Arc<Registrar>,
    source: SourceId,
    known: Known,
    metrics: Arc<Metrics>,
    /// Whether the table has been told that the source is away.
    is_away: bool,
}

type List = Result<Vec<Entry>, ClientError>;

impl Follower {
    async fn run(
        mut self,
        client: Arc<Client>,
        mut inbox: mpsc::Receiver<Notice>,
        mut lists: Interval,
    ) {
        // One list at a time is asked for, beside the events.
        let mut asked: JoinSet<List> = JoinSet::new();
        let mut again = false;
        loop {
            tokio::select! {
                Some(list) = asked.join_next() => {
                    match list {
                        Ok(list) => self.listed(list).await,
                        Err(error) => tracing::error!(target: "route-fetcher", %error, "failed-to-fetch-routes"),
                    }
                    if std::mem::take(&mut again) {
                        self.ask(&client, &mut asked);
                    }
                }
                notice = inbox.recv() => match notice {
                    Some(Notice::Subscribed) if asked.is_empty() => self.ask(&client, &mut asked),
                    // The list under way may lack what happened just before the subscription.
                    Some(Notice::Subscribed) => again = true,
                    Some(Notice::Upsert(entry)) => self.upsert(entry),
                    Some(Notice::Delete(entry)) => self.delete(&entry),
                    Some(Notice::Failed) => self.away(),
                    None => return,
                },
                _ = lists.tick(), if asked.is_empty() => self.ask(&client, &mut asked),
            }
        }
    }

    fn ask(&mut self, client: &Arc<Client>, asked: &mut JoinSet<List>) {
        self.known.list_asked();
        let client = Arc::clone(client);
        asked.spawn(async move { client.routes().await });
    }

    async fn listed(&mut self, list: List) {
        let list = match list {
            Ok(list) => list,
            Err(error) => {
                if error.is_about_token() {
                    self.metrics.incident(Incident::TokenFetch);
                }
                tracing::error!(target: "route-fetcher", %error, "failed-to-fetch-routes");
                return self.away();
            }
        };
        let count = list.len();
        let mut handled = 0;
        for entry in list {
            if self.known.list_confirms(&entry) {
                self.register(&entry);
            }
            handled += 1;
            if handled % BATCH == 0 {
                tokio::task::yield_now().await;
            }
        }
        for (key, tag) in self.known.list_ended() {
            self.registrar.unregister_entry(
                self.source,
                &key.uris(),
                (&key.ip, key.port),
                tag.borrowed(),
            );
        }
        if std::mem::take(&mut self.is_away) {
            tracing::info!(target: "route-fetcher", "routing-api-is-back");
            self.registrar.apply(Change::SourceUp(self.source));
        }
        tracing::debug!(target: "route-fetcher", routes = count, "routes-fetched");
    }

    fn upsert(&mut self, entry: Entry) {
        self.register(&entry);
        self.known.upserted(entry);
    }

    fn delete(&mut self, entry: &Entry) {
        let key = &entry.key;
        self.registrar.unregister_entry(
            self.source,
            &key.uris(),
            (&key.ip, key.port),
            entry.modification_tag.borrowed(),
        );
        self.known.deleted(entry);
    }

    fn register(&self, entry: &Entry) {
        if !entry.is_usable() {
            let key = &entry.key;
            tracing::error!(target: "route-fetcher", { uri = key.route, ip = key.ip, port = key.port },
                "unusable-route");
            return;
        }
        let registration = entry.registration();
        self.registrar
            .register_entry(self.source, &entry.uris(), &registration);
    }

    /// The API cannot be heard: its routes do not grow old meanwhile, where the configuration says so.
    fn away(&mut self) {
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!(target: "route-fetcher", "routing-api-is-away");
            self.registrar.apply(Change::SourceDown(self.source));
        }
    }
}
