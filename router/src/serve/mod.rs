//! One client connection: requests in, answers out, in order.
//!
//! ```text
//! connection ──► request: parse, filters, look-up ──► upstream::forward ──► relay
//!     ▲                        │ answer of our own                            │
//!     └────────────────────────┴──────────── keep-alive ◄─────────────────────┘
//! ```
//!
//! - [`connection`]: the keep-alive loop, idle time, the end of a connection
//! - [`request`]: one request, from its head to its log line
//! - [`head`]: the head of a request, read or refused
//! - [`prepare`]: checks, look-up, filters: all before the first byte goes out
//! - [`admission`]: routes with limits, and who is turned away
//! - [`instance`]: requests for one instance of an application
//! - [`caller`]: requests for hosts with client authorities of their own
//! - [`client`]: the client's side as `upstream` sees it: body in, interim answers out
//! - [`outgoing`]: the head that goes to an endpoint or a route service
//! - [`service`]: requests that a route service has a part in
//! - [`reply`]: a backend's answer: its head rewritten, its body relayed
//! - [`relay`]: the response body on its way back
//! - [`tunnel`]: bytes both ways behind a 101

mod admission;
mod caller;
mod client;
mod connection;
mod head;
mod instance;
mod outgoing;
mod prepare;
mod relay;
mod reply;
mod request;
mod service;
mod tunnel;

pub use connection::{Peer, serve, serve_read_ahead, serve_stream};

/// What happens to the client's connection behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It takes the next request.
    Keep,
    /// It ends; the client may still be sending, so it is given time to read the answer.
    Close,
    /// It ends at once, so that the client sees a transfer that broke off.
    Abort,
}
