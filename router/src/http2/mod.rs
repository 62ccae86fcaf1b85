//! HTTP/2 at both edges of the router; in between every message has the form that HTTP/1.1 gives it.
//!
//! A stream of HTTP/2 is shown to the rest of the router as a connection that carries one message of HTTP/1.1: the head as
//! text, the body with a length or in the chunked coding, trailers behind it. So each rule (parsing, filters, retries, relay,
//! upgrades) exists once, is as strict for one version as for the other, and any version in front meets any version behind.
//! What this costs is a pass over the head and a copy of the body, less than HTTP/2's own framing.
//!
//! - [`connection`]: a client's connection: its settings, its streams, its end
//! - [`abuse`]: clients that open streams to reset them
//! - [`crew`]: the tasks that serve streams
//! - [`served`]: a stream that a client has opened
//! - [`multiplexed`]: a connection to a backend
//! - [`asked`]: a stream that the router has opened to a backend
//! - [`ration`]: how much of a connection is read before others have their turn
//! - [`inlet`], [`outlet`]: the two directions of a stream as bytes
//! - [`text`], [`lines`]: heads into text, and back
//! - [`coalesced`]: frames of many streams in one write
//! - [`memory`]: what streams keep heads and contents in

mod abuse;
mod asked;
mod coalesced;
mod connection;
mod crew;
mod inlet;
mod lines;
mod memory;
mod multiplexed;
mod outlet;
mod ration;
mod served;
mod text;

pub use asked::Asked;
pub use connection::{PREFACE, serve};
pub use lines::{Lines, head as read_head};
pub use multiplexed::Multiplexed;
pub use text::request as write_request;

use std::io;

/// Bytes of an answer's body that a backend may send on one stream before the router has passed them on.
const STREAM_WINDOW: u32 = 128 * 1024;

/// A stream that certainly was not processed by the backend (RFC 9113 section 8.7): the request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stream refused by the backend")]
pub struct Unprocessed;

impl Unprocessed {
    /// Whether this is what `error` says.
    pub fn is(error: &io::Error) -> bool {
        error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Unprocessed>)
    }
}

/// What an error of a stream is to those who think in connections.
fn broken(error: h2::Error) -> io::Error {
    if error.is_remote()
        && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    {
        return io::Error::new(io::ErrorKind::ConnectionReset, Unprocessed);
    }
    if error.is_io() {
        return error
            .into_io()
            .unwrap_or_else(|| io::ErrorKind::ConnectionReset.into());
    }
    io::Error::other(error)
}
