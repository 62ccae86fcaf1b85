//! Loggregator: what applications and operators see of requests in Cloud Foundry's own log and metric streams, as envelopes
//! over UDP to metron (spec 10.4 and 11).
//!
//! ```text
//! worker: Record --> log thread: sink::Envelopes ---> Emitter --> metron
//! control plane: Reporter, registration latency ----^
//! ```
//!
//! Nothing here runs on a worker; with all of it off nothing is kept for it either.

mod breaks;
mod emitter;
mod envelope;
mod message;
mod reporter;
mod request;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::Config;
use emitter::Emitter;

pub(super) use breaks::Breaks;
pub(super) use envelope::{Datagrams, PeerType, Seen};
pub use reporter::Reporter;
pub(super) use request::{Described, Request};

/// Where envelopes go, and which.
#[derive(Debug)]
pub struct Loggregator {
    emitter: Emitter,
    pub(super) scope: Scope,
    /// From when on the registration latency is told (R-293).
    muzzled_until: Option<Instant>,
}

/// Which envelopes there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `logging.loggregator_enabled`
    pub(super) app_logs: bool,
    /// `send_http_start_stop_server_event`
    pub(super) server_events: bool,
    /// `send_http_start_stop_client_event`
    pub(super) client_events: bool,
    /// `enable_envelope_v1_metrics`
    pub(super) metrics: bool,
    /// The times of each request too.
    pub(super) per_request: bool,
    /// `index`, which names the source of log lines.
    pub(super) index: String,
}

impl Scope {
    fn new(config: &Config) -> Scope {
        Scope {
            app_logs: config.logging.loggregator_enabled,
            server_events: config.send_http_start_stop_server_event,
            client_events: config.send_http_start_stop_client_event,
            metrics: config.enable_envelope_v1_metrics,
            per_request: config.enable_envelope_v1_metrics && config.per_request_metrics_reporting,
            index: config.index.to_string(),
        }
    }

    /// Whether a request leaves any envelope.
    pub(super) fn has_requests(&self) -> bool {
        self.app_logs || self.server_events || self.client_events || self.per_request
    }

    /// Whether such an envelope has the endpoint's tags in it, or the trace.
    pub(super) fn reads_tags(&self) -> bool {
        self.app_logs || self.server_events || self.per_request
    }
}

impl Loggregator {
    /// What `config` asks for; `None` where it asks for nothing, or names nobody to tell.
    pub(super) fn new(config: &Config, started: Instant) -> Option<Arc<Loggregator>> {
        let scope = Scope::new(config);
        let address = &config.logging.metron_address;
        if address.is_empty() || !(scope.has_requests() || scope.metrics) {
            return None;
        }
        Some(Arc::new(Loggregator {
            emitter: Emitter::new(address),
            scope,
            muzzled_until: started.checked_add(config.route_latency_metric_muzzle_duration),
        }))
    }

    /// Looks metron's name up, which may take seconds. To be called from time to time: nothing is sent before the first
    /// time.
    ///
    /// # Errors
    /// When the name is not known; then the address that was found before goes on being used.
    pub fn look_up(&self) -> io::Result<()> {
        self.emitter.look_up()
    }

    /// `logging.metron_address`
    pub fn address(&self) -> &str {
        self.emitter.address()
    }

    /// Envelopes that could not be sent.
    pub(super) fn lost(&self) -> u64 {
        self.emitter.lost()
    }

    /// Sends a few.
    pub(super) fn send(&self, datagrams: &Datagrams) {
        self.send_with(datagrams, &mut Breaks::over(Duration::ZERO, 0));
    }

    /// Sends many. It waits, but no longer than the breaks allow: the system takes a datagram at once or not at all.
    pub(super) fn send_with(&self, datagrams: &Datagrams, breaks: &mut Breaks) {
        self.emitter.send(datagrams, breaks);
    }

    /// Tells how long the news of a new endpoint took, in nanoseconds.
    pub(super) fn registration_latency(&self, ns: u64) {
        let is_due = self
            .muzzled_until
            .is_some_and(|then| Instant::now() >= then);
        if self.scope.metrics && is_due {
            let mut datagrams = Datagrams::default();
            let ms = milliseconds(ns);
            datagrams.value(
                now_ns(),
                super::names::ROUTE_REGISTRATION_LATENCY.name.as_bytes(),
                ms,
                "ms",
            );
            self.send(&datagrams);
        }
    }
}

pub(super) fn milliseconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64() * 1e3
}

/// Nanoseconds since 1970.
pub(super) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
