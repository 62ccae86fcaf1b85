//! What becomes of the connection: events, the state now, and counters.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::queue::Depth;

/// Dropped messages are announced at most this often: each announcement makes every emitter of
/// routes repeat what it has, which must not become a flood of its own.
const DROP_REPORTS_APART: Duration = Duration::from_secs(1);
/// How many events a watcher may be behind before it misses the oldest.
const EVENTS_KEPT: usize = 256;

/// Something that happened to the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The connection stands for the first time.
    Connected {
        /// `host:port` as configured, or as learned from the cluster.
        host: String,
        /// What the name resolves to, if it is known.
        addr: Option<SocketAddr>,
    },
    /// The connection is lost; new ones are attempted without end.
    Disconnected,
    /// The connection stands again and every subscription is renewed. What was published meanwhile
    /// is lost: a router publishes `router.start` now.
    Reconnected {
        /// `host:port` as configured, or as learned from the cluster.
        host: String,
        /// What the name resolves to, if it is known.
        addr: Option<SocketAddr>,
    },
    /// So many messages were dropped since the last event of this kind, for a subscriber did not
    /// keep up. At most one event a second; the one after the last drop is never missing.
    MessagesDropped(u64),
    /// The bus is closed for good.
    Closed,
}

/// The state of the connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Messages come and go.
    Connected,
    /// The connection is lost for the time being.
    Disconnected,
    /// The bus is closed for good.
    Closed,
}

/// Counters over all subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that wait for their subscribers now (`buffered_messages`).
    pub pending: u64,
    /// Messages dropped since the start (`total_dropped_messages`).
    pub dropped: u64,
}

/// The events from now on, beginning with the state now.
#[derive(Debug)]
pub struct StatusEvents {
    first: Option<Status>,
    rest: broadcast::Receiver<Status>,
}

impl StatusEvents {
    /// The next event: first [`Status::Connected`], [`Status::Disconnected`] or [`Status::Closed`]
    /// for the state at the time of [`Bus::status`](crate::Bus::status), then what happens. `None`
    /// when the bus is no more. Safe to cancel.
    pub async fn next(&mut self) -> Option<Status> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            match self.rest.recv().await {
                Ok(status) => return Some(status),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Where a bus keeps its state and its counters, shared with its subscriptions.
#[derive(Debug)]
pub(crate) struct Board {
    /// The event that describes the state now.
    state: Mutex<Status>,
    events: broadcast::Sender<Status>,
    depths: Mutex<Vec<Weak<Depth>>>,
    dropped: AtomicU64,
    dropped_some: Notify,
}

impl Board {
    pub(crate) fn new(state: Status) -> Arc<Board> {
        Arc::new(Board {
            state: Mutex::new(state),
            events: broadcast::Sender::new(EVENTS_KEPT),
            depths: Mutex::default(),
            dropped: AtomicU64::new(0),
            dropped_some: Notify::new(),
        })
    }

    /// Tells every watcher. After `Closed` nothing is told any more.
    pub(crate) fn tell(&self, status: Status) {
        let mut state = lock(&self.state);
        if *state == Status::Closed {
            return;
        }
        match &status {
            Status::MessagesDropped(_) => {}
            Status::Reconnected { host, addr } => {
                *state = Status::Connected {
                    host: host.clone(),
                    addr: *addr,
                };
            }
            Status::Connected { .. } | Status::Disconnected | Status::Closed => {
                *state = status.clone();
            }
        }
        // Without a watcher there is nobody to tell.
        self.events.send(status).ok();
    }

    pub(crate) fn watch(&self) -> StatusEvents {
        let state = lock(&self.state);
        StatusEvents {
            first: Some(state.clone()),
            rest: self.events.subscribe(),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match &*lock(&self.state) {
            Status::Closed => Health::Closed,
            Status::Disconnected => Health::Disconnected,
            Status::Connected { .. } | Status::Reconnected { .. } | Status::MessagesDropped(_) => {
                Health::Connected
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut depths = lock(&self.depths);
        let mut pending = 0;
        depths.retain(|depth| match depth.upgrade() {
            Some(depth) => {
                pending += depth.messages();
                true
            }
            None => false,
        });
        Stats {
            pending,
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Counts a new subscription's messages in.
    pub(crate) fn include(&self, depth: &Arc<Depth>) {
        let mut depths = lock(&self.depths);
        depths.retain(|depth| depth.strong_count() > 0);
        depths.push(Arc::downgrade(depth));
    }

    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.dropped_some.notify_one();
    }

    /// Tells of dropped messages until it is cancelled.
    pub(crate) async fn report_drops(self: Arc<Board>) {
        let mut reported = 0;
        loop {
            self.dropped_some.notified().await;
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped > reported {
                self.tell(Status::MessagesDropped(dropped - reported));
                reported = dropped;
                tokio::time::sleep(DROP_REPORTS_APART).await;
            }
        }
    }
}

/// A thread that panicked with one of these locks held has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
