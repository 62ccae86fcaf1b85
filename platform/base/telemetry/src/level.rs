//! Levels, and the filter that can be changed while the process runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter};

use crate::origin::Origin;

/// The least severe events that are shown (`logging.level`).
///
/// The names are GoRouter's; `dpanic` and `panic` are read as [`Level::Fatal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Everything, `log_level` 0 and up.
    Debug = 0,
    /// `log_level` 1 and up.
    Info = 1,
    /// `log_level` 2 and up.
    Warn = 2,
    /// `log_level` 3 only.
    Error = 3,
    /// `log_level` 3 only: a fatal condition is logged as an error, and the process then ends.
    Fatal = 4,
}

impl Level {
    fn from_number(number: u8) -> Level {
        match number {
            0 => Level::Debug,
            1 => Level::Info,
            2 => Level::Warn,
            3 => Level::Error,
            _ => Level::Fatal,
        }
    }

    fn filter(self) -> LevelFilter {
        match self {
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error | Level::Fatal => LevelFilter::ERROR,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        })
    }
}

impl FromStr for Level {
    type Err = LevelError;

    /// Reads a level's name, in any letter case.
    fn from_str(name: &str) -> Result<Level, LevelError> {
        let named = [
            ("debug", Level::Debug),
            ("info", Level::Info),
            ("warn", Level::Warn),
            ("error", Level::Error),
            ("fatal", Level::Fatal),
            ("dpanic", Level::Fatal),
            ("panic", Level::Fatal),
        ];
        named
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, level)| level)
            .ok_or_else(|| LevelError(name.to_owned()))
    }
}

/// A text that names no level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log level `{0}`: expected debug, info, warn, error or fatal")]
pub struct LevelError(String);

/// The level in force, shared by the filter and by those who may change it.
#[derive(Clone, Debug)]
pub(crate) struct SharedLevel(Arc<AtomicU8>);

impl SharedLevel {
    pub(crate) fn new(level: Level) -> SharedLevel {
        SharedLevel(Arc::new(AtomicU8::new(level as u8)))
    }

    pub(crate) fn get(&self) -> Level {
        Level::from_number(self.0.load(Ordering::Relaxed))
    }

    /// Changes the level everywhere: `tracing` keeps each call site's verdict, so it is asked anew.
    pub(crate) fn set(&self, level: Level) {
        self.0.store(level as u8, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn shows(&self, metadata: &Metadata<'_>) -> bool {
        let filter = self.get().filter();
        metadata.is_event()
            && match Origin::of(metadata) {
                Origin::Main | Origin::Component(_) => *metadata.level() <= filter,
                Origin::Library(_) => *metadata.level() <= filter.min(LevelFilter::WARN),
            }
    }
}

impl<S> Filter<S> for SharedLevel {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.shows(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.shows(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.get().filter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_configuration_is_read() {
        for (name, level) in [
            ("debug", Level::Debug),
            ("INFO", Level::Info),
            ("warn", Level::Warn),
            ("error", Level::Error),
            ("fatal", Level::Fatal),
            ("dpanic", Level::Fatal),
            ("panic", Level::Fatal),
        ] {
            assert_eq!(name.parse(), Ok(level));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_what_was_expected() {
        let error = "verbose".parse::<Level>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "log level `verbose`: expected debug, info, warn, error or fatal"
        );
    }
}
