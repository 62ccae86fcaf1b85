//! What can go wrong on the bus.

use std::fmt;
use std::time::Duration;

/// Why a message could not be sent, or no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The subject or pattern is malformed.
    #[error("subject `{0}`: expected words separated by points, without blanks")]
    Subject(String),
    /// The payload is above what the server takes.
    #[error("subject `{subject}`: {size} bytes are more than the server takes")]
    TooLarge {
        /// What it was to be published to.
        subject: String,
        /// The payload's length.
        size: usize,
    },
    /// Nobody listens to the subject of a request.
    #[error("subject `{0}`: nobody listens")]
    NoResponders(String),
    /// No answer came in time, or the connection took nothing for that long.
    #[error("subject `{subject}`: timed out after {limit:?}")]
    TimedOut {
        /// What it was published to.
        subject: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The bus is closed.
    #[error("the bus is closed")]
    Closed,
}

/// Why there is no connection to NATS.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The list of servers is empty.
    #[error("nats: no servers are configured")]
    NoServers,
    /// A server's name cannot be part of an address.
    #[error("nats server `{server}`: not a host and port")]
    Address {
        /// As configured.
        server: String,
        /// What is wrong with it.
        #[source]
        source: std::io::Error,
    },
    /// The certificates or the key cannot be used.
    #[error("nats tls: {what}")]
    Tls {
        /// Which text, by its configuration key.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every server was tried, as often as configured.
    #[error("nats: no connection in {tries} tries: {}", Joined(failures))]
    Unreachable {
        /// How often the whole list was tried.
        tries: u32,
        /// What happened in the last round, in the order of trying.
        failures: Vec<Failure>,
    },
}

/// One server that could not be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `host:port` as configured.
    pub server: String,
    /// What went wrong, such as `authorization violation`.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.reason)
    }
}

struct Joined<'a>(&'a [Failure]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            failure.fmt(f)?;
        }
        Ok(())
    }
}
