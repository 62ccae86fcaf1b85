//! A connection to a backend that carries many requests at a time.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};

use super::asked::Asked;
use super::coalesced::{Coalesced, Drain};
use super::{STREAM_WINDOW, broken};
use crate::worker::{Timer, Worker};

/// Requests that share a connection. With their windows they fit into the connection's, so that a client that does not read
/// its answer never keeps another one waiting.
const STREAMS: usize = 100;
/// Bytes of a body that wait on one stream for the backend's window.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of an answer's head, as RFC 9113 section 6.5.2 counts them.
const HEADER_LIST: u32 = 1024 * 1024;
/// How often a connection is looked at on which a request was not answered, and how long it has to show that it is alive.
const DOUBT: Duration = Duration::from_secs(5);

/// A handle on such a connection; it is closed when the last handle and the last stream are gone.
#[derive(Debug)]
pub struct Multiplexed {
    sender: SendRequest<Bytes>,
    state: Rc<State>,
    /// Our own address on it.
    pub local_address: Option<SocketAddr>,
    tls: bool,
}

/// What the handle, the streams and the task that drives the connection share.
#[derive(Debug, Default)]
pub(super) struct State {
    open: Cell<usize>,
    /// No more requests on it.
    closed: Cell<bool>,
    /// A request was given up on it before any answer.
    doubted: Cell<bool>,
}

impl Multiplexed {
    /// Begins to speak HTTP/2 over `stream`, on the worker's own thread. The backend's settings are waited for, which say
    /// how many streams it takes and whether they can be tunnels.
    ///
    /// # Errors
    /// When the stream is gone.
    pub async fn begin<S>(
        stream: S,
        local_address: Option<SocketAddr>,
        tls: bool,
        worker: &Worker,
    ) -> io::Result<Multiplexed>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(STREAM_WINDOW * STREAMS as u32)
            .max_header_list_size(HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER);
        let (stream, drain) = Coalesced::new(stream);
        // Says its settings and waits for nothing.
        let (sender, mut connection) = builder.handshake(stream).await.map_err(broken)?;
        let mut pings = connection.ping_pong();
        if let Some(pings) = &mut pings {
            settle(&mut connection, &drain, pings).await?;
        }
        let state = Rc::new(State::default());
        let timer = worker.wheel.timer();
        tokio::task::spawn_local(drive(connection, drain, pings, Rc::clone(&state), timer));
        Ok(Multiplexed {
            sender,
            state,
            local_address,
            tls,
        })
    }

    /// Whether it takes requests at all.
    pub fn is_open(&self) -> bool {
        !self.state.closed.get()
    }

    /// Requests that it is carrying.
    pub fn load(&self) -> usize {
        self.state.open.get()
    }

    /// Whether it takes one more now.
    pub fn has_room(&self) -> bool {
        self.is_open() && self.load() < STREAMS.min(self.sender.current_max_send_streams())
    }

    /// Whether its streams can become tunnels (RFC 8441).
    pub fn takes_tunnels(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }

    /// A stream for one request.
    pub fn stream(&self) -> Asked {
        let lease = Lease::new(&self.state);
        Asked::new(self.sender.clone(), self.tls, lease)
    }
}

/// Counts a stream for as long as it lives.
#[derive(Debug)]
pub(super) struct Lease(Rc<State>);

impl Lease {
    fn new(state: &Rc<State>) -> Lease {
        state.open.set(state.open.get() + 1);
        Lease(Rc::clone(state))
    }

    /// The request was given up unanswered: maybe nobody is there any more.
    pub(super) fn doubt(&self) {
        self.0.doubted.set(true);
    }

    /// The connection takes no more requests.
    pub(super) fn close(&self) {
        self.0.closed.set(true);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// Waits until the backend has answered a ping: its settings come before anything else that it says.
async fn settle<S>(
    connection: &mut Connection<Coalesced<S>, Bytes>,
    drain: &Drain<S>,
    pings: &mut PingPong,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pings.send_ping(Ping::opaque()).map_err(broken)?;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut *connection).poll(cx) {
            let error = ended.map_or_else(broken, |()| io::ErrorKind::UnexpectedEof.into());
            return Poll::Ready(Err(error));
        }
        if let Poll::Ready(Err(error)) = drain.poll(cx) {
            return Poll::Ready(Err(error));
        }
        pings.poll_pong(cx).map_ok(drop).map_err(broken)
    })
    .await
}

/// Moves the connection's bytes until it ends.
async fn drive<S>(
    connection: Connection<Coalesced<S>, Bytes>,
    drain: Drain<S>,
    mut pings: Option<PingPong>,
    state: Rc<State>,
    timer: Timer,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = pin!(connection);
    let mut waiting = false;
    timer.arm(DOUBT);
    let ended = poll_fn(|cx| {
        // What was gathered in the turn before goes first: a backend that says more and more would use up the whole turn.
        if let Poll::Ready(Err(error)) = drain.poll(cx) {
            return Poll::Ready(Err(error));
        }
        let polled = connection.as_mut().poll(cx);
        let drained = drain.poll(cx);
        if let Poll::Ready(ended) = polled {
            return Poll::Ready(ended.map_err(broken));
        }
        if let Poll::Ready(Err(error)) = drained {
            return Poll::Ready(Err(error));
        }
        if let Some(pings) = &mut pings {
            watch(pings, &state, &mut waiting, cx, &timer);
        }
        Poll::Pending
    });
    if let Err(error) = ended.await {
        tracing::debug!(target: "router", %error, "http2-backend-connection-failed");
    }
    state.closed.set(true);
}

/// Asks a doubted connection for a sign of life; without one it gets no further requests.
fn watch(
    pings: &mut PingPong,
    state: &State,
    waiting: &mut bool,
    cx: &mut Context<'_>,
    timer: &Timer,
) {
    if *waiting && pings.poll_pong(cx).is_ready() {
        *waiting = false;
    }
    while timer.has_expired(cx) {
        if *waiting {
            state.closed.set(true);
        } else if state.doubted.take() {
            *waiting = pings.send_ping(Ping::opaque()).is_ok();
        }
        timer.arm(DOUBT);
    }
}
