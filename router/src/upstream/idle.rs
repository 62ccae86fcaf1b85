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
}

/// What a connection is good for. Two plain endpoints at one address are the same process, in whatever routes they stand;
/// where an identity was proved, or a name looked up, a connection belongs to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A plain endpoint's address.
    Plain(SocketAddr),
    /// An endpoint's [`Endpoint::connection_id`].
    Endpoint(u64),
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
    pub fn put(&mut self, endpoint: &Arc<Endpoint>, mut connection: Connection, now: Millis) {
        if endpoint.is_gone() {
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
        if stack.resting.len() < self.per_endpoint {
            connection.reused = true;
            stack.resting.push(Resting {
                connection,
                since: now,
            });
        }
    }

    /// Closes what has become useless: called now and then by the worker.
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
