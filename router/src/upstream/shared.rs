//! Connections of one worker to backends that speak HTTP/2: each carries many requests at a time.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use tokio::sync::Notify;

use super::connection::Connection;
use super::idle::Target;
use crate::http2::Multiplexed;
use crate::table::{Endpoint, Millis};

/// How long a connection may carry nothing, in milliseconds; as for those that carry one request at a time.
const IDLE_LIMIT: Millis = 90_000;

/// The connections, by what they are connected to.
#[derive(Debug, Default)]
pub struct Shared {
    connections: HashMap<Target, Vec<Entry>, foldhash::fast::RandomState>,
    dialing: HashMap<Target, Weak<Dialing>, foldhash::fast::RandomState>,
}

#[derive(Debug)]
struct Entry {
    endpoint: Arc<Endpoint>,
    connection: Multiplexed,
    /// The [`Connector::trust`](super::Connector::trust) under which it was made.
    trust: u64,
    used: Millis,
}

/// A connection that is being made: many requests can wait for one.
#[derive(Debug, Default)]
pub struct Dialing {
    outcome: Cell<Outcome>,
    ended: Notify,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Open,
    Made,
    Failed,
}

/// Held by the one who makes it; however that ends, the others go on when it is dropped.
#[derive(Debug)]
pub struct DialGuard(Rc<Dialing>);

impl Dialing {
    /// Waits for the end, and says whether there is a connection. Safe to drop at any point.
    pub async fn made(&self) -> bool {
        // Whoever ends it has done so on this thread, so nothing is lost between the look and the wait.
        if self.outcome.get() == Outcome::Open {
            self.ended.notified().await;
        }
        self.outcome.get() == Outcome::Made
    }
}

impl DialGuard {
    /// The connection is there, and takes more than one request.
    pub fn made(self) {
        self.0.outcome.set(Outcome::Made);
    }
}

impl Drop for DialGuard {
    fn drop(&mut self) {
        if self.0.outcome.get() == Outcome::Open {
            self.0.outcome.set(Outcome::Failed);
        }
        self.0.ended.notify_waiters();
    }
}

impl Shared {
    /// A stream on a connection to `target` that has room for one more, made under `trust`. With `tunnel` it is one whose
    /// streams can become tunnels. The first such connection, so that those which are not needed become idle.
    pub fn take(
        &mut self,
        target: Target,
        trust: u64,
        tunnel: bool,
        now: Millis,
    ) -> Option<Connection> {
        let entries = self.connections.get_mut(&target)?;
        let entry = entries.iter_mut().find(|entry| {
            let connection = &entry.connection;
            entry.trust == trust && connection.has_room() && (!tunnel || connection.takes_tunnels())
        })?;
        entry.used = now;
        Some(Connection::stream(target, &entry.connection, true))
    }

    /// Whether it is known that `target` makes no tunnels of streams.
    pub fn refuses_tunnels(&self, target: Target) -> bool {
        let refuses =
            |entry: &Entry| entry.connection.is_open() && !entry.connection.takes_tunnels();
        self.connections
            .get(&target)
            .is_some_and(|entries| entries.iter().any(refuses))
    }

    /// The connection to `target` that is being made.
    pub fn dialing(&self, target: Target) -> Option<Rc<Dialing>> {
        let dialing = self.dialing.get(&target)?.upgrade()?;
        Some(dialing).filter(|dialing| dialing.outcome.get() == Outcome::Open)
    }

    /// Begins to make a connection to `target`, for which others can wait as long as the guard lives.
    pub fn begin(&mut self, target: Target) -> DialGuard {
        let dialing = Rc::new(Dialing::default());
        self.dialing.insert(target, Rc::downgrade(&dialing));
        DialGuard(dialing)
    }

    /// Keeps a new connection, and gives its first stream.
    pub fn add(
        &mut self,
        endpoint: &Arc<Endpoint>,
        connection: Multiplexed,
        trust: u64,
        now: Millis,
    ) -> Connection {
        let target = Target::of(endpoint);
        let first = Connection::stream(target, &connection, false);
        self.connections.entry(target).or_default().push(Entry {
            endpoint: Arc::clone(endpoint),
            connection,
            trust,
            used: now,
        });
        first
    }

    /// Lets go of what is closed, idle for too long, made under another `trust`, or leads to an endpoint that is gone; what
    /// it carries is carried to its end. Called once a second by the worker.
    pub fn sweep(&mut self, trust: u64, now: Millis) {
        self.dialing.retain(|_, dialing| dialing.strong_count() > 0);
        self.connections.retain(|_, entries| {
            entries.retain(|entry| {
                entry.connection.is_open()
                    && !entry.endpoint.is_gone()
                    && entry.trust == trust
                    && (entry.connection.load() > 0 || now.saturating_sub(entry.used) < IDLE_LIMIT)
            });
            !entries.is_empty()
        });
    }
}
