//! From a chosen route to the head of an answer.
//!
//! ```text
//! forward ──► balance: choose ──► attempt: idle or dial, send, wait for the head
//!    ▲                                │ failure
//!    └──── retry: decide ◄── classify ┘
//! ```

mod attempt;
mod classify;
mod connection;
mod deadlines;
mod dial;
mod forward;
mod idle;
mod retry;
mod service;
mod shared;
mod tls;

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

pub use classify::{Cause, DialError, Failure, Fault, Sent};
pub use connection::Connection;
pub use deadlines::upgraded;
pub use forward::{Outcome, forward, likely};
pub use idle::Idle;
pub use retry::{Replay, replay};
pub use service::{Services, ServicesError, forward_to_service};
pub use shared::Shared;
pub use tls::{Connector, ConnectorError, TlsFailure};

use crate::http1::chunked::Malformed;
use crate::http1::response::Response;
use crate::worker::{Buffer, Timer};

/// A backend's answer: its head is in [`Exchange::reply`](crate::exchange::Exchange), at the beginning of `buffer`.
pub struct Answer {
    /// Where the rest of the body comes from.
    pub connection: Connection,
    /// What was read so far, the head first.
    pub buffer: Buffer,
    /// What the head says.
    pub response: Response,
}

/// Why the request's body did not get through.
#[derive(Debug)]
pub enum UploadError {
    /// The client ended or broke its side.
    Client,
    /// The body is none that can be passed on.
    Body(BodyError),
    /// The backend does not take any more.
    Backend(io::Error),
}

/// Why a request's body cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Its framing is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is larger than the route takes.
    #[error("request body too large")]
    TooLarge,
}

/// The side that asked: where the body comes from, and who is waiting.
pub trait Downstream {
    /// Bytes of the body that are at hand and can go out with the head. Empty when there are none.
    fn ready_bytes(&mut self) -> Result<&[u8], BodyError>;

    /// `count` of the ready bytes were sent.
    fn sent(&mut self, count: usize);

    /// Whether anything of the body was sent: it is not kept, so the request is then whole no more.
    fn has_given(&self) -> bool;

    /// Whether nothing of the body was at hand when it was asked for last: the client is slow, not the backend.
    fn is_awaited(&self) -> bool;

    /// Moves the body on; ready when all of it was sent.
    fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        backend: &mut Connection,
    ) -> Poll<Result<(), UploadError>>;

    /// Ready when the client has left. Called only once the body was sent.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Passes an interim response on, given as a complete HTTP/1.1 head, before the timer's deadline.
    fn interim(&mut self, head: &[u8], timer: &Timer) -> impl Future<Output = io::Result<()>>;
}
