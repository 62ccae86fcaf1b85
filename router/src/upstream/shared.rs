//! Connections of one worker to backends that speak HTTP/2: each carries many requests at a time.

use std::collections::HashMap;
use std::sync::Arc;

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
}

#[derive(Debug)]
struct Entry {
    endpoint: Arc<Endpoint>,
    connection: Multiplexed,
    /// The [`Connector::trust`](super::Connector::trust) under which it was made.
    trust: u64,
    used: Millis,
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
