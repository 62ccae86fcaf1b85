//! What a failed attempt means: whose fault it was, and what certainly did not reach the application (spec 3.5, 4.10).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::BodyError;
use super::tls::TlsFailure;
use crate::http1::response::Unusable;

/// Why an attempt failed.
#[derive(Debug)]
pub enum Cause {
    /// No connection was made.
    Dial {
        /// The endpoint as registered, `host:port`.
        address: String,
        /// What the system said.
        error: DialError,
    },
    /// TLS with the backend failed.
    Tls(TlsFailure),
    /// The backend closed before the first byte of an answer.
    Eof,
    /// The backend reset the connection, or another error while reading or writing.
    Io(io::Error),
    /// The answer is none that can be passed on.
    Unusable(Unusable),
    /// `endpoint_timeout` ran out, or the route's `request_timeout`.
    Timeout,
    /// The route's `first_byte_timeout` ran out.
    FirstByte,
    /// The route's `idle_timeout` ran out.
    Idle,
    /// The client left.
    ClientGone,
    /// The client's body was malformed.
    ClientBody(BodyError),
    /// No endpoint was left to try.
    NoEndpoint,
}

/// Why no connection was made.
#[derive(Debug)]
pub enum DialError {
    /// Refused, unreachable, out of ports, ...
    Io(io::Error),
    /// `endpoint_dial_timeout` ran out.
    Timeout,
    /// The name has no address.
    Lookup(io::Error),
    /// A route service is at an address where none may be (spec 14.5).
    Blocked(IpAddr),
}

/// A failed attempt.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// How far the request had got.
    pub sent: Sent,
    /// Whether the connection had answered another request before.
    pub reused: bool,
    /// Bytes of the request's body went out: they are not kept, so it is not whole any more.
    pub given: bool,
    /// Time ran out while the client had still to send a part of the body.
    pub client_slow: bool,
    /// The other side, once connected.
    pub local_address: Option<SocketAddr>,
}

/// How much of the request certainly did not reach the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// No connection, or not a byte written.
    Nothing,
    /// A part of the head.
    PartOfHead,
    /// The whole head, and maybe a body.
    Head,
}

/// Whose fault a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's: no endpoint is marked, nothing is tried again.
    Client,
    /// The backend's.
    Backend,
    /// Ours, or nobody's.
    Router,
}

impl Failure {
    /// A failure before anything was sent.
    pub fn unsent(cause: Cause) -> Failure {
        Failure {
            cause,
            sent: Sent::Nothing,
            reused: false,
            given: false,
            client_slow: false,
            local_address: None,
        }
    }

    /// Whose fault it was.
    pub fn fault(&self) -> Fault {
        match &self.cause {
            Cause::ClientGone | Cause::ClientBody(_) => Fault::Client,
            Cause::NoEndpoint => Fault::Router,
            Cause::Dial {
                error: DialError::Io(error),
                ..
            } if is_shortage(error) => Fault::Router,
            _ => Fault::Backend,
        }
    }

    /// Whether the endpoint is left out for a while.
    pub fn marks(&self) -> bool {
        match &self.cause {
            Cause::Dial { .. } => self.fault() == Fault::Backend,
            Cause::Tls(failure) => failure.is_conclusive(),
            Cause::Io(error) => is_reset(error) && !self.reused,
            _ => false,
        }
    }

    /// Whether a TLS endpoint is taken out of the table; a plain one is only marked.
    pub fn removes(&self) -> bool {
        match &self.cause {
            Cause::Dial { .. } => self.fault() == Fault::Backend,
            Cause::Tls(failure) => failure.is_conclusive(),
            _ => false,
        }
    }

    /// Whether the backend ended the connection before a byte of its answer came.
    pub fn is_closed_unanswered(&self) -> bool {
        match &self.cause {
            Cause::Eof => true,
            Cause::Io(error) => is_reset(error),
            _ => false,
        }
    }
}

impl From<io::Error> for Cause {
    /// What an error is in a handshake.
    fn from(error: io::Error) -> Cause {
        match TlsFailure::of(&error) {
            Some(failure) => Cause::Tls(failure),
            None => Cause::Io(error),
        }
    }
}

impl Cause {
    /// What an error is behind the handshake, before the head of an answer. With TLS 1.3 a backend says only there that it
    /// does not like our certificate; `heard` says that it has answered on this connection, and so does like it.
    pub fn behind_handshake(error: io::Error, heard: bool) -> Cause {
        match TlsFailure::of(&error) {
            Some(failure) => Cause::Tls(failure.behind_handshake(&error, heard)),
            // Closed without the word that TLS has for it.
            None if error.kind() == io::ErrorKind::UnexpectedEof => Cause::Eof,
            None => Cause::Io(error),
        }
    }
}

/// Whether the router's own machine has no more of something: file descriptors, ports, memory. No backend is to blame.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::ADDRNOTAVAIL,
        Errno::NOBUFS,
        Errno::NOMEM,
    ];
    let code = error.raw_os_error();
    shortages
        .iter()
        .any(|errno| Some(errno.raw_os_error()) == code)
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}

/// The low-level text that operators know from `X-Cf-RouterError`.
impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Dial {
                address,
                error: DialError::Timeout,
            } => write!(out, "dial tcp {address}: i/o timeout"),
            Cause::Dial {
                address,
                error: DialError::Lookup(_),
            } => {
                let host = address
                    .rsplit_once(':')
                    .map_or(address.as_str(), |(host, _)| host);
                write!(out, "dial tcp: lookup {host}: no such host")
            }
            Cause::Dial {
                address,
                error: DialError::Blocked(ip),
            } => write!(out, "dial tcp {address}: connection to {ip} not allowed"),
            Cause::Dial {
                address,
                error: DialError::Io(error),
            } => write!(out, "dial tcp {address}: connect: {}", reason(error)),
            Cause::Tls(failure) => failure.fmt(out),
            Cause::Eof => out.write_str("EOF"),
            Cause::Io(error) => out.write_str(&reason(error)),
            Cause::Unusable(unusable) => unusable.fmt(out),
            Cause::Timeout => out.write_str("context deadline exceeded"),
            Cause::FirstByte => out.write_str("net/http: timeout awaiting response headers"),
            Cause::Idle => out.write_str("idle timeout"),
            Cause::ClientGone => out.write_str("context canceled"),
            Cause::ClientBody(error) => error.fmt(out),
            Cause::NoEndpoint => out.write_str("No endpoints available"),
        }
    }
}

/// The system's own words, in lower case and without the number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_ascii_lowercase()
}
