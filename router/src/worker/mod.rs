//! Thread per core: everything that one worker owns.
//!
//! A request lives and dies on one worker. What is in here is touched by that worker's thread alone, so there are cells
//! where others have locks; what workers share (table, health, endpoint gauges) is behind an `Arc` and lock-free.

mod buffer;
mod clock;
mod handover;
pub mod ring;
mod streams;
mod thread;
mod wheel;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

pub use buffer::{Buffer, Size};
pub use clock::Clock;
pub use handover::{Accepted, Handover, Inbox, Scheme, Share, handovers};
pub use streams::{OpenStream, Streams, Upgraded};
pub use thread::{Phase, spawn};
pub use wheel::{TICK, Timer, Wheel};

use crate::accept::{FrontEnd, admit_inside};
use crate::control::Health;
use crate::exchange::{Exchange, RequestId, TraceIds};
use crate::filters::Filters;
use crate::observe::access_log::WorkerLog;
use crate::observe::counters::WorkerCounters;
use crate::policy::Policy;
use crate::table::{Endpoint, Millis, Pool, Table};
use crate::upstream::{Connector, Idle, Services, Shared};

/// Spare exchanges that a worker keeps.
const SPARE: usize = 1024;
/// Bytes that a connection to the worker itself holds, each way.
const HAIRPIN: usize = 64 * 1024;
/// How often idle backend connections are looked through, in milliseconds.
const SWEEP: Millis = 1_000;

/// One worker's world, as a connection or a request sees it: what the thread owns, under the settings of one moment.
///
/// New settings make a new value over the same [`Own`]; see [`Worker::latest`].
pub struct Worker {
    /// Settings.
    pub policy: Arc<Policy>,
    /// The rules that every request passes.
    pub filters: Filters,
    /// How clients are spoken to over TLS, where they are.
    pub front_end: Option<FrontEnd>,
    /// Makes TLS connections to backends.
    pub connector: Connector,
    /// Route services, where they are on.
    pub services: Option<Arc<Services>>,
    superseded: Cell<bool>,
    own: Rc<Own>,
}

/// What a worker's thread owns, whatever the settings.
pub struct Own {
    /// The routing table, shared by all workers.
    pub table: Arc<Table>,
    /// Whether the router is healthy, shared with the control plane.
    pub health: Arc<Health>,
    /// Coarse time.
    pub clock: Clock,
    /// Deadlines of connections.
    pub wheel: Rc<Wheel>,
    /// Idle backend connections.
    pub idle: RefCell<Idle>,
    /// Backend connections that carry many requests.
    pub shared: RefCell<Shared>,
    /// Access-log records on their way to the log thread.
    pub log: RefCell<WorkerLog>,
    /// Counters, summed with the other workers' at a scrape.
    pub counters: WorkerCounters,
    /// The other workers' inboxes, and our share of the connections.
    pub handover: Handover,
    failures: UnboundedSender<FailedEndpoint>,
    leaving: Cell<bool>,
    draining: Cell<bool>,
    random: RefCell<SmallRng>,
    // Boxed, so that a connection's task holds a pointer and not the buffers themselves.
    #[allow(clippy::vec_box)]
    spare: RefCell<Vec<Box<Exchange>>>,
    swept: Cell<Millis>,
    /// The worker under the latest settings; the thread keeps it alive.
    latest: RefCell<Weak<Worker>>,
}

impl Deref for Worker {
    type Target = Own;

    fn deref(&self) -> &Own {
        &self.own
    }
}

/// What may change while a worker runs.
#[derive(Clone)]
pub struct Settings {
    /// See [`Worker::policy`].
    pub policy: Arc<Policy>,
    /// See [`Worker::filters`].
    pub filters: Filters,
    /// See [`Worker::front_end`].
    pub front_end: Option<FrontEnd>,
    /// See [`Worker::connector`].
    pub connector: Connector,
    /// See [`Worker::services`].
    pub services: Option<Arc<Services>>,
}

/// What a worker needs from outside.
pub struct Parts {
    /// The settings to begin with, and those that come later.
    pub settings: watch::Receiver<Settings>,
    /// See [`Own::table`].
    pub table: Arc<Table>,
    /// See [`Own::health`].
    pub health: Arc<Health>,
    /// When the process started: zero of all [`Millis`].
    pub started: Instant,
    /// See [`Own::log`].
    pub log: WorkerLog,
    /// See [`Own::counters`].
    pub counters: WorkerCounters,
    /// See [`Own::handover`].
    pub handover: Handover,
    /// Where failed attempts are reported.
    pub failures: UnboundedSender<FailedEndpoint>,
    /// Whether plain connections go over a ring.
    pub io_uring: bool,
}

/// A failed attempt, for the component log and the table; handled off the data path.
#[derive(Debug)]
pub struct FailedEndpoint {
    /// The route.
    pub pool: Arc<Pool>,
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Whether the endpoint leaves the table (spec 3.5).
    pub remove: bool,
    /// Whether the endpoint is passed over for a while (spec 3.5).
    pub marked: bool,
    /// The error's text.
    pub error: String,
    /// The endpoint did not answer in time.
    pub is_timeout: bool,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The request.
    pub request_id: RequestId,
    /// The trace that it belongs to.
    pub trace: Option<Box<TraceIds>>,
    /// A connection was made or reused.
    pub got_connection: bool,
    /// The request's head was written.
    pub wrote_headers: bool,
    /// The connection had served before.
    pub reused: bool,
    /// Our side of the connection.
    pub local_address: Option<SocketAddr>,
    /// Whether another endpoint was tried.
    pub retriable: bool,
}

impl Worker {
    /// A worker for the thread that calls this.
    pub fn new(parts: Parts) -> Rc<Worker> {
        let settings = parts.settings.borrow().clone();
        let mut idle = Idle::new(settings.policy.idle_per_endpoint);
        idle.trust(settings.connector.trust());
        let own = Own {
            idle: RefCell::new(idle),
            shared: RefCell::default(),
            table: parts.table,
            health: parts.health,
            clock: Clock::new(parts.started),
            wheel: Wheel::new(),
            log: RefCell::new(parts.log),
            counters: parts.counters,
            handover: parts.handover,
            failures: parts.failures,
            leaving: Cell::new(false),
            draining: Cell::new(false),
            random: RefCell::new(SmallRng::from_rng(&mut rand::rng())),
            spare: RefCell::default(),
            swept: Cell::new(0),
            latest: RefCell::default(),
        };
        Worker::under(settings, Rc::new(own))
    }

    /// Whoever looks at [`Worker::latest`] from now on finds this thread under `settings`; what goes on under the former ones
    /// ends under them. The value is to be kept until the next change.
    pub fn renew(&self, settings: Settings) -> Rc<Worker> {
        self.idle
            .borrow_mut()
            .limit(settings.policy.idle_per_endpoint);
        self.idle.borrow_mut().trust(settings.connector.trust());
        if let Some(former) = self.own.latest.borrow().upgrade() {
            former.superseded.set(true);
        }
        Worker::under(settings, Rc::clone(&self.own))
    }

    fn under(settings: Settings, own: Rc<Own>) -> Rc<Worker> {
        let worker = Rc::new(Worker {
            policy: settings.policy,
            filters: settings.filters,
            front_end: settings.front_end,
            connector: settings.connector,
            services: settings.services,
            superseded: Cell::new(false),
            own,
        });
        *worker.own.latest.borrow_mut() = Rc::downgrade(&worker);
        worker
    }

    /// Whether there are newer settings.
    #[inline]
    pub fn is_superseded(&self) -> bool {
        self.superseded.get()
    }

    /// This thread's worker under the latest settings: for who is between two requests or two connections.
    #[inline]
    pub fn latest(self: &Rc<Worker>) -> Rc<Worker> {
        match self.is_superseded() {
            false => Rc::clone(self),
            // Only when the thread ends is there none.
            true => self
                .own
                .latest
                .borrow()
                .upgrade()
                .unwrap_or_else(|| Rc::clone(self)),
        }
    }

    /// Keeps time: runs until the worker's runtime ends.
    pub async fn tick(mut self: Rc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let now = Instant::now();
            self.clock.advance(now);
            self.wheel.advance(now);
            self.log.borrow_mut().flush_if_due(now);
            if self.clock.now() >= self.swept.get() + SWEEP {
                self.swept.set(self.clock.now());
                self.idle.borrow_mut().sweep(self.clock.now());
                // So that former settings, and the keys in them, do not stay for this alone.
                self = self.latest();
                let trust = self.connector.trust();
                self.shared.borrow_mut().sweep(trust, self.clock.now());
            }
        }
    }

    /// A random number.
    pub fn random(&self) -> u64 {
        self.random.borrow_mut().random()
    }

    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        RequestId::new(self.random.borrow_mut().random())
    }

    /// An empty exchange.
    pub fn exchange(&self) -> Box<Exchange> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Writes the exchange's log record and takes the exchange back.
    pub fn finish(&self, mut exchange: Box<Exchange>) {
        self.conclude(&mut exchange);
        self.take_back(exchange);
    }

    /// Writes the exchange's log record and counts it, once.
    pub fn conclude(&self, exchange: &mut Exchange) {
        if !std::mem::replace(&mut exchange.notes.unlogged, true) {
            exchange.finish();
            let mut log = self.log.borrow_mut();
            if log.keeps_tags() {
                exchange.note_tags();
            }
            log.push(&exchange.record);
            drop(log);
            self.count(exchange);
        }
    }

    /// Counts what a finished exchange with an endpoint took (spec 11).
    fn count(&self, exchange: &Exchange) {
        let Some(endpoint) = &exchange.endpoint else {
            return;
        };
        let entry = &exchange.record.entry;
        if !entry.unasked {
            self.counters.gorouter_time(entry.gorouter_time_ns);
            self.counters.app(endpoint.application_id());
        }
        // An upgraded connection may have lasted for days, which is not the time of an answer.
        if entry.status == 101 {
            return;
        }
        let took = entry.response_time_ns;
        if !entry.unasked {
            self.counters
                .latency(endpoint.component(), entry.status, took);
        }
        if self.policy.per_app_metrics {
            let source_id = endpoint.tag("source_id").unwrap_or("gorouter");
            self.counters.http_latency(source_id, took);
        }
    }

    /// Takes an exchange back that leaves no record.
    pub fn take_back(&self, mut exchange: Box<Exchange>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE {
            exchange.clear();
            spare.push(exchange);
        }
    }

    /// Tells the control plane of a failed attempt.
    pub fn report(&self, failure: FailedEndpoint) {
        // The control plane outlives the workers; should it be gone, so is the reader of this.
        drop(self.failures.send(failure));
    }

    /// A connection to this worker itself, over which it serves requests as over any other.
    pub fn hairpin(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(HAIRPIN);
        if let Some(latest) = self.own.latest.borrow().upgrade() {
            admit_inside(far, &latest);
        }
        near
    }

    /// Whether connections end behind the request that they carry, HTTP/2 ones behind all that were asked.
    pub fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    /// Whether idle connections end too.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Ends connections behind the request that they carry. Idle ones stay: their next request may be on its way.
    pub fn leave(&self) {
        self.leaving.set(true);
        self.wheel.wake_all();
    }

    /// Closes idle client connections, and each busy one when it becomes idle.
    pub fn drain(&self) {
        self.leaving.set(true);
        self.draining.set(true);
        self.wheel.wake_all();
    }

    /// How long a connection that is being closed may go on sending.
    pub const LINGER: Duration = Duration::from_millis(500);
}
