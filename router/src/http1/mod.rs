//! The HTTP/1.1 codec: bytes in, bytes out, no sockets.
//!
//! Strict where a router must be: what two implementations could read in two ways is refused (users of the wire see 400
//! and a closed connection), so a message's framing is beyond doubt before a byte of it goes on (design invariant 3).
//!
//! - [`request`], [`response`]: heads into a [`Head`](crate::message::Head), with the framing of what follows
//! - [`target`], [`host`]: the request target and the Host value, checked and cut
//! - [`body`], [`chunked`]: which bytes of the stream belong to a body, by framing
//! - [`mod@write`]: heads back into bytes, in runs
//! - [`status`]: reason phrases

pub mod body;
pub mod chunked;
pub mod host;
pub mod request;
pub mod response;
pub mod status;
pub mod target;
pub mod write;

mod scan;

pub use body::{Body, Form, Framing, Take};
pub use request::{Refusal, Request};
pub use response::Response;
pub use scan::Progress;

/// What parsing a head came to.
#[derive(Debug)]
pub enum Parsed<T, E> {
    /// The head is not complete yet.
    Partial,
    /// A complete head.
    Complete(T),
    /// Nothing that goes on; the connection ends.
    Refused(E),
}
