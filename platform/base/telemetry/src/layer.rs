//! Joins the parts: a `tracing` layer, the handle that steers it, and the start of a process's log.

use std::cell::RefCell;
use std::io::{self, Write};
use std::time::Duration;

use time::OffsetDateTime;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::level::{Level, SharedLevel};
use crate::line::{Format, LineFormat, Scratch};
use crate::queue::{self, Observer, Sender};

/// What a process's log is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name that `source` begins with: `gorouter.stdout`, or what `logging.syslog` says.
    pub source: String,
    /// The least severe events that are shown.
    pub level: Level,
    /// How lines look.
    pub format: Format,
}

/// Starts the process's log on standard output.
///
/// # Errors
///
/// [`StartError`]; nothing is logged then.
pub fn start(settings: Settings) -> Result<LogHandle, StartError> {
    let (log, handle) =
        ComponentLog::new(settings, Box::new(io::stdout())).map_err(StartError::Thread)?;
    tracing::subscriber::set_global_default(Registry::default().with(log.into_layer()))?;
    Ok(handle)
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system gave no thread for the writer.
    #[error("log writer: cannot start its thread")]
    Thread(#[source] io::Error),
    /// The process has a log already.
    #[error("log: started a second time")]
    Twice(#[from] SetGlobalDefaultError),
}

/// The log as a layer, for a process that puts other layers beside it.
#[derive(Debug)]
pub struct ComponentLog {
    lines: LineFormat,
    queue: Sender,
    level: SharedLevel,
}

impl ComponentLog {
    /// Makes a log that writes to `out` on a thread of its own, which ends when the log is dropped.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread.
    pub fn new(
        settings: Settings,
        out: Box<dyn Write + Send>,
    ) -> io::Result<(ComponentLog, LogHandle)> {
        let lines = LineFormat {
            source: settings.source.into(),
            format: settings.format,
        };
        let of_writer = lines.clone();
        let queue = queue::start(queue::CAPACITY, out, move |line, dropped| {
            let field = ("count", dropped);
            of_writer.write_own(line, OffsetDateTime::now_utc(), "log-lines-dropped", field);
        })?;
        let level = SharedLevel::new(settings.level);
        let handle = LogHandle {
            level: level.clone(),
            queue: queue.observer(),
        };
        let log = ComponentLog {
            lines,
            queue,
            level,
        };
        Ok((log, handle))
    }

    /// The layer with its filter, which does not touch what other layers see.
    pub fn into_layer<S>(self) -> impl Layer<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let filter = self.level.clone();
        self.with_filter(filter)
    }
}

impl<S: Subscriber> Layer<S> for ComponentLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let write = |scratch: &mut Scratch| {
            let at = OffsetDateTime::now_utc();
            self.queue.send(self.lines.event(scratch, at, event));
        };
        SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut scratch) => write(&mut scratch),
            // A value that logs while it is being shown.
            Err(_) => write(&mut Scratch::default()),
        });
    }
}

/// Steers a log and asks after it.
#[derive(Clone, Debug)]
pub struct LogHandle {
    level: SharedLevel,
    queue: Observer,
}

impl LogHandle {
    /// The level in force.
    pub fn level(&self) -> Level {
        self.level.get()
    }

    /// Changes the level for all threads, from the next event on.
    pub fn set_level(&self, level: Level) {
        self.level.set(level);
    }

    /// How many lines were dropped since the start because the output was slower than the events.
    pub fn dropped_lines(&self) -> u64 {
        self.queue.dropped()
    }

    /// Waits until every line logged so far is written, at most for `limit`. Says whether it is.
    /// For the end of a process; it blocks the thread.
    pub fn flush(&self, limit: Duration) -> bool {
        self.queue.flush(limit)
    }
}

#[cfg(test)]
mod tests;
