//! Idle backend connections of one worker: a stack per endpoint, last in, first out.
//!
//! A connection is used again only when it is surely alive: nothing has arrived on it since its last answer, it is
//! younger than the idle limit, and younger than the age at which this backend was seen to close idle connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::connection::Connection;
use crate::table::{Endpoint, Millis};

/// How long a connection may be idle, in milliseconds (spec 4.7).
const IDLE_LIMIT: Millis = 90_000;
/// An observed close at a lower age says more about that one connection than about the backend's idle time-out.
const TELLING_AGE: Millis = 1_000;

/// The idle connections, by what they are connected to.
#[derive(Debug)]
pub struct Idle {
    stacks: HashMap<Target, Stack, foldhash::fast::RandomState>,
    per_endpoint: usize,
    trust: u64,
}

/// What a connection is good for. Two plain endpoints at one address are the same process, in whatever routes they stand;
/// where an identity was proved, or a name looked up, a connection belongs to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A plain endpoint's address.
    Plain(SocketAddr),
    /// An endpoint's [`Endpoint::connection_id`].
    Endpoint(u64),
    /// One request to a route service.
    Service,
}

impl Target {
    /// What connections to `endpoint` are good for.
    pub fn of(endpoint: &Endpoint) -> Target {
        match endpoint.socket_addr() {
            Some(address) if !endpoint.tls() => Target::Plain(address),
            _ => Target::Endpoint(endpoint.connection_id()),
        }
    }
}

#[derive(Debug)]
struct Stack {
    endpoint: Arc<Endpoint>,
    resting: Vec<Resting>,
    /// The lowest age at which the backend closed an idle connection.
    closes_at: Option<Millis>,
}

#[derive(Debug)]
struct Resting {
    connection: Connection,
    since: Millis,
}

impl Idle {
    /// Keeps at most `per_endpoint` connections for each endpoint; 0 keeps none.
    pub fn new(per_endpoint: usize) -> Idle {
        Idle {
            stacks: HashMap::default(),
            per_endpoint,
            trust: 0,
        }
    }

    /// Keeps at most `per_endpoint` connections for each endpoint from the next sweep on.
    pub fn limit(&mut self, per_endpoint: usize) {
        self.per_endpoint = per_endpoint;
    }

    /// Keeps only connections over TLS that are made under this [`Connector::trust`](super::Connector::trust); those that
    /// are made under another one end now, or behind their request.
    pub fn trust(&mut self, trust: u64) {
        if std::mem::replace(&mut self.trust, trust) != trust {
            for stack in self.stacks.values_mut() {
                stack
                    .resting
                    .retain(|resting| resting.connection.is_under(trust));
            }
        }
    }

    /// The most recently used connection to `target` that is surely alive.
    pub fn take(
        &mut self,
        target: Target,
        now: Millis,
        cx: &mut Context<'_>,
    ) -> Option<Connection> {
        let stack = self.stacks.get_mut(&target)?;
        while let Some(mut resting) = stack.resting.pop() {
            let age = now.saturating_sub(resting.since);
            if age >= stack.trusted_age() {
                // Those below are older still.
                stack.resting.clear();
                return None;
            }
            if !resting.connection.is_stale(cx) {
                return Some(resting.connection);
            }
            stack.saw_close(age);
        }
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    ///
    /// The limit is kept by [`Idle::sweep`], not here: with more requests under way than the limit allows idle connections,
    /// each of them would close one connection and open another.
    pub fn put(&mut self, endpoint: &Arc<Endpoint>, mut connection: Connection, now: Millis) {
        if connection.is_stream()
            || endpoint.is_gone()
            || self.per_endpoint == 0
            || !connection.is_under(self.trust)
        {
            return;
        }
        let stack = self
            .stacks
            .entry(connection.target)
            .or_insert_with(|| Stack {
                endpoint: Arc::clone(endpoint),
                resting: Vec::new(),
                closes_at: None,
            });
        connection.reused = true;
        stack.resting.push(Resting {
            connection,
            since: now,
        });
    }

    /// Closes what has become useless, and of the others the oldest beyond the limit: called once a second by the worker.
    pub fn sweep(&mut self, now: Millis) {
        let mut cx = Context::from_waker(Waker::noop());
        self.stacks.retain(|_, stack| {
            let Stack {
                endpoint,
                resting,
                closes_at,
            } = stack;
            let trusted = trusted_age(*closes_at);
            resting.retain_mut(|resting| {
                let age = now.saturating_sub(resting.since);
                let stale = resting.connection.is_stale(&mut cx);
                if stale && age >= TELLING_AGE {
                    *closes_at = Some(closes_at.map_or(age, |before| before.min(age)));
                }
                !stale && age < trusted
            });
            let beyond = resting.len().saturating_sub(self.per_endpoint);
            resting.drain(..beyond);
            !endpoint.is_gone() && (!resting.is_empty() || closes_at.is_some())
        });
    }

    /// Number of idle connections.
    pub fn len(&self) -> usize {
        self.stacks.values().map(|stack| stack.resting.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Stack {
    fn trusted_age(&self) -> Millis {
        trusted_age(self.closes_at)
    }

    fn saw_close(&mut self, age: Millis) {
        if age >= TELLING_AGE {
            self.closes_at = Some(self.closes_at.map_or(age, |before| before.min(age)));
        }
    }
}

/// A tenth below the observed age, since the sweep sees a close up to a second late and the request is on its way for a
/// while.
fn trusted_age(closes_at: Option<Millis>) -> Millis {
    closes_at
        .map_or(IDLE_LIMIT, |age| {
            (age - age / 10).saturating_sub(1_000).max(250)
        })
        .min(IDLE_LIMIT)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::table::{Change, Registration, Settings, Table};

    /// Connections to a listener of the test's own, and an endpoint that stands for it.
    async fn connections(count: usize) -> (Arc<Endpoint>, Vec<Connection>, Box<dyn Send>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (table, mut writer) = Table::new(Settings::default());
        let source = writer.source("test");
        let registration = Registration {
            host: "127.0.0.1",
            port: address.port(),
            ..Registration::default()
        };
        let change = Change::Register {
            source,
            uris: &["a.test".into()],
            registration: &registration,
        };
        writer.apply(change, 0, &mut |_| ());
        let pool = table.lookup(b"a.test", b"/").unwrap();
        let endpoint = Arc::clone(pool.endpoints()[0].endpoint());
        let (mut open, mut accepted) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let target = Target::of(&endpoint);
            let stream = Connection::dial(address, Duration::ZERO).await.unwrap();
            open.push(Connection::plain(target, stream).unwrap());
            accepted.push(listener.accept().await.unwrap());
        }
        (endpoint, open, Box::new((table, writer, accepted)))
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_used_again_until_the_next_sweep() {
        let (endpoint, open, _kept) = connections(5).await;
        let target = Target::of(&endpoint);
        let mut idle = Idle::new(2);
        let mut cx = Context::from_waker(Waker::noop());
        for connection in open {
            idle.put(&endpoint, connection, 0);
        }
        let taken: Vec<_> = std::iter::from_fn(|| idle.take(target, 10, &mut cx)).collect();
        assert_eq!(taken.len(), 5);
        for connection in taken {
            idle.put(&endpoint, connection, 20);
        }
        idle.sweep(30);
        assert_eq!(idle.len(), 2);
    }

    #[tokio::test]
    async fn a_limit_of_none_keeps_none() {
        let (endpoint, open, _kept) = connections(1).await;
        let mut idle = Idle::new(0);
        for connection in open {
            idle.put(&endpoint, connection, 0);
        }
        assert!(idle.is_empty());
    }
}
