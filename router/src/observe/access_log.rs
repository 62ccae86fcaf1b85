//! The access log: from a worker's records to lines in a file, without the worker ever waiting.
//!
//! ```text
//! worker: Record --push--> batch --(64 KiB, or 20 ms)--> bounded channel --> log thread: Format --> sinks
//!            ^________________ empty batches come back _______________________|
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::format::Format;
use super::loggregator::Loggregator;
use super::losses::Losses;
use super::record::Record;
use super::sink::{self, Sink};
use super::writer::{self, Message};
use crate::config::{Config, ExtraLogField, RedactQueryParams};

pub use super::sink::Streaming;

/// The least time between two batches that are not full. The log thread adds 50 ms, in which it puts the workers' records
/// in order: in all, a line is in the file within 100 ms.
const MIN_WAIT: Duration = Duration::from_millis(20);
/// Batches that may wait for the log thread: 16 MiB, some 30,000 records, unless heads are huge. Behind a disk that stalls
/// for longer, records are dropped.
const WAITING: usize = 256;
/// Empty batches that may wait for their worker.
const RETURNING: usize = 32;

/// What the access log shows, and where it goes.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// File to append to.
    pub file: Option<PathBuf>,
    /// Syslog server to stream to.
    pub streaming: Option<Streaming>,
    /// `logging.disable_log_forwarded_for`
    pub hides_forwarded_for: bool,
    /// `logging.disable_log_source_ip`
    pub hides_source_ip: bool,
    /// `logging.redact_query_params`
    pub redact: RedactQueryParams,
    /// Fields before `x_cf_routererror`, in this order.
    pub extra_fields: Vec<ExtraLogField>,
    /// Names of the request headers behind `x_cf_routererror`, in this order. A record has their values in the same
    /// order: see [`Record::push_extra`].
    pub extra_headers: Vec<Box<str>>,
    /// Who is told of requests as Loggregator has it.
    pub loggregator: Option<Arc<Loggregator>>,
}

/// What the router's configuration asks for. The headers of the tracing that is on come behind the configured ones; what
/// is named twice, in whatever case, is shown once (spec 10.1).
impl From<&Config> for LogSettings {
    fn from(config: &Config) -> LogSettings {
        let zipkin: &[&str] = match config.tracing.enable_zipkin {
            true => &["X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "b3"],
            false => &[],
        };
        let w3c: &[&str] = match config.tracing.enable_w3c {
            true => &["traceparent", "tracestate"],
            false => &[],
        };
        let configured = config.extra_headers_to_log.iter().map(String::as_str);
        let mut extra_headers: Vec<Box<str>> = Vec::new();
        for name in configured
            .chain(zipkin.iter().copied())
            .chain(w3c.iter().copied())
        {
            if !extra_headers
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
            {
                extra_headers.push(name.into());
            }
        }
        let logging = &config.logging;
        LogSettings {
            file: Some(PathBuf::from(&config.access_log.file))
                .filter(|file| !file.as_os_str().is_empty()),
            streaming: config.access_log.enable_streaming.then(|| Streaming {
                network: logging.syslog_network.clone(),
                address: logging.syslog_addr.clone(),
                tag: logging.syslog.clone(),
                truncate: logging.syslog_truncate,
            }),
            hides_forwarded_for: logging.disable_log_forwarded_for,
            hides_source_ip: logging.disable_log_source_ip,
            redact: logging.redact_query_params,
            extra_fields: logging.extra_fields(),
            extra_headers,
            loggregator: None,
        }
    }
}

/// Why the access log did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be written.
    #[error("access log {}: {error}", file.display())]
    Open {
        /// The file as configured.
        file: PathBuf,
        /// What opening it came to.
        #[source]
        error: io::Error,
    },
    /// The syslog server cannot be streamed to.
    #[error("syslog server {address}: {error}")]
    Streaming {
        /// Its address as configured.
        address: String,
        /// What connecting came to.
        #[source]
        error: io::Error,
    },
    /// The log thread could not be started.
    #[error("access log thread: {0}")]
    Thread(#[source] io::Error),
}

/// The running access log. [`shutdown`](AccessLog::shutdown) ends it; one that is only dropped goes on until the last
/// worker's end of it is gone.
#[derive(Debug)]
pub struct AccessLog {
    running: Option<Running>,
    /// Whether records are to have the endpoints' tags.
    keeps_tags: bool,
    losses: Arc<Losses>,
}

#[derive(Debug)]
struct Running {
    sender: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl AccessLog {
    /// Opens what the settings name and starts the log thread; without anything to write to, nothing is started and
    /// records go nowhere. Records that get lost are counted in `losses`.
    ///
    /// # Errors
    /// When the file cannot be opened for writing, the syslog server not be reached, or the thread not be started.
    pub fn start(settings: &LogSettings, losses: Arc<Losses>) -> Result<AccessLog, StartError> {
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(file) = &settings.file {
            let open = sink::File::open(file, Arc::clone(&losses));
            sinks.push(Box::new(open.map_err(|error| StartError::Open {
                file: file.clone(),
                error,
            })?));
        }
        if let Some(to) = &settings.streaming {
            let start = sink::Syslog::start(to, Arc::clone(&losses));
            sinks.push(Box::new(start.map_err(|error| StartError::Streaming {
                address: to.address.clone(),
                error,
            })?));
        }
        let loggregator = settings.loggregator.as_ref();
        if let Some(to) = loggregator.filter(|to| to.scope.has_requests()) {
            let envelopes = sink::Envelopes::new(Arc::clone(to), Format::new(settings));
            sinks.push(Box::new(envelopes));
        }
        AccessLog::with_sinks(sinks, settings, losses)
    }

    fn with_sinks(
        sinks: Vec<Box<dyn Sink>>,
        settings: &LogSettings,
        losses: Arc<Losses>,
    ) -> Result<AccessLog, StartError> {
        if sinks.is_empty() {
            return Ok(AccessLog {
                running: None,
                keeps_tags: false,
                losses,
            });
        }
        let loggregator = settings.loggregator.as_ref();
        let (sender, messages) = sync_channel(WAITING);
        let format = Format::new(settings);
        let thread = Builder::new().name("access-log".to_owned());
        let thread = thread
            .spawn(move || writer::run(&messages, format, sinks))
            .map_err(StartError::Thread)?;
        Ok(AccessLog {
            running: Some(Running { sender, thread }),
            keeps_tags: loggregator.is_some_and(|to| to.scope.reads_tags()),
            losses,
        })
    }

    /// A worker's end of the log.
    pub fn worker(&self) -> WorkerLog {
        let open = self
            .running
            .as_ref()
            .map(|running| Open::new(running.sender.clone(), Arc::clone(&self.losses)));
        WorkerLog {
            open: open.map(Box::new),
            keeps_tags: self.keeps_tags,
        }
    }

    /// Writes everything that the workers have handed over and ends the log thread. Blocks for as long as the sinks do;
    /// workers that still run hand over in vain from now on.
    pub fn shutdown(self) {
        if let Some(running) = self.running {
            // Both fail only when the thread is gone, and then there is nothing left to write.
            drop(running.sender.send(Message::Stop));
            drop(running.thread.join());
        }
    }
}

/// A worker's end of the access log. Dropping it hands over what it holds.
#[derive(Debug, Default)]
pub struct WorkerLog {
    open: Option<Box<Open>>,
    keeps_tags: bool,
}

#[derive(Debug)]
struct Open {
    batch: Batch,
    handed_over: Option<Instant>,
    sender: SyncSender<Message>,
    home: SyncSender<Batch>,
    empty: Receiver<Batch>,
    losses: Arc<Losses>,
}

impl WorkerLog {
    /// Whether records are to have tags ([`Record::set_tags`]) and trace ids ([`Record::set_trace`]).
    #[inline]
    pub fn keeps_tags(&self) -> bool {
        self.keeps_tags
    }

    /// Keeps a copy of the record, and hands the batch over once it is worth it. Never waits: when the log thread is
    /// that far behind, the batch's records are dropped and counted. Without a sink this is one branch.
    #[inline]
    pub fn push(&mut self, record: &Record) {
        if let Some(open) = &mut self.open {
            open.batch.push(record);
            if open.batch.is_full() {
                open.hand_over();
            }
        }
    }

    /// Hands over what waits unless that was done less than 20 ms ago. To be called about every 25 ms.
    pub fn flush_if_due(&mut self, now: Instant) {
        if let Some(open) = &mut self.open
            && !open.batch.is_empty()
            && open
                .handed_over
                .is_none_or(|then| now.saturating_duration_since(then) >= MIN_WAIT)
        {
            open.handed_over = Some(now);
            open.hand_over();
        }
    }

    /// Hands over what waits.
    pub fn flush(&mut self) {
        if let Some(open) = &mut self.open
            && !open.batch.is_empty()
        {
            open.hand_over();
        }
    }
}

impl Drop for WorkerLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Open {
    fn new(sender: SyncSender<Message>, losses: Arc<Losses>) -> Open {
        let (home, empty) = sync_channel(RETURNING);
        Open {
            batch: Batch::default(),
            handed_over: None,
            sender,
            home,
            empty,
            losses,
        }
    }

    #[cold]
    fn hand_over(&mut self) {
        let empty = self.empty.try_recv().unwrap_or_default();
        let full = std::mem::replace(&mut self.batch, empty);
        match self
            .sender
            .try_send(Message::Batch(full, self.home.clone()))
        {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                if let Message::Batch(mut batch, _) = message {
                    self.losses.dropped(batch.len());
                    batch.clear();
                    self.batch = batch;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
