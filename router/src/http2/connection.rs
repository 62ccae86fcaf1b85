//! A client's connection.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection};
use tokio::io::{AsyncRead, AsyncWrite};

use super::STREAM_WINDOW;
use super::abuse::Abuse;
use super::coalesced::{Coalesced, Drain};
use super::crew::{self, Job};
use super::served::Served;
use crate::serve::Peer;
use crate::worker::{Share, Timer, Worker};

/// What a client sends first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that a client may have open at a time.
const STREAMS: u32 = 128;
/// Bytes that it may send on all of them before the router has passed them on: what a connection can make us hold.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of a head, as RFC 9113 section 6.5.2 counts them; a longer one is answered 431.
const HEADER_LIST: u32 = 256 * 1024;
/// Bytes of an answer's body that wait on one stream for the client's window.
const SEND_BUFFER: usize = 64 * 1024;

/// Serves a connection until it ends; `_share` counts it until then. Safe to drop at any point: it is then cut.
pub async fn serve<S>(stream: S, mut peer: Peer, _share: Share, worker: Rc<Worker>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    peer.http2 = true;
    let timer = worker.wheel.timer();
    timer.arm(worker.policy.frontend_idle_timeout);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        // Those that are reset before they were looked at; how many more may come of them is up to `Abuse`.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .enable_connect_protocol();
    let (stream, drain) = Coalesced::new(stream);
    let mut handshake = pin!(builder.handshake::<_, Bytes>(stream));
    let handshake = poll_fn(|cx| {
        let shaken = handshake.as_mut().poll(cx);
        // The settings go out before the client has said anything.
        match drain.poll(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(None),
            _ => shaken.map(Result::ok),
        }
    });
    let Some(Some(connection)) = timer.within(handshake).await else {
        return;
    };
    let mut front = Front {
        connection,
        drain,
        abuse: Rc::new(Abuse::new(worker.clock.now())),
        open: Rc::new(Cell::new(0)),
        active: false,
        ending: false,
        peer: Rc::new(peer),
        worker,
    };
    poll_fn(|cx| front.poll(cx, &timer)).await;
}

/// A connection behind its handshake.
struct Front<S> {
    connection: Connection<Coalesced<S>, Bytes>,
    drain: Drain<S>,
    abuse: Rc<Abuse>,
    /// Streams that are being served.
    open: Rc<Cell<usize>>,
    /// Whether a stream was opened since the timer was set.
    active: bool,
    /// No more streams are wanted.
    ending: bool,
    peer: Rc<Peer>,
    worker: Rc<Worker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Front<S> {
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>, timer: &Timer) -> Poll<()> {
        loop {
            if self.worker.is_leaving() && !std::mem::replace(&mut self.ending, true) {
                self.connection.graceful_shutdown();
            }
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    if self.abuse.is_too_much(self.worker.clock.now()) {
                        tracing::debug!(target: "router", { client = %self.peer.address }, "http2-too-many-resets");
                        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                        self.ending = true;
                    } else {
                        self.open(request, respond);
                    }
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    // The client is told why, if it still listens.
                    drop(self.drain.poll(cx));
                    tracing::debug!(target: "router", { client = %self.peer.address, %error }, "http2-connection-failed");
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if let Poll::Ready(Err(_)) = self.drain.poll(cx) {
                return Poll::Ready(());
            }
            if !timer.has_expired(cx) {
                return Poll::Pending;
            }
            // Looked at now and then: idle is a connection on which nothing was open for the whole time.
            let idle = self.open.get() == 0 && !std::mem::take(&mut self.active);
            if !idle {
                timer.arm(self.worker.policy.frontend_idle_timeout);
            } else if std::mem::replace(&mut self.ending, true) {
                return Poll::Ready(());
            } else {
                self.connection.graceful_shutdown();
                timer.arm(Worker::LINGER);
            }
        }
    }

    fn open(
        &mut self,
        request: http::Request<h2::RecvStream>,
        respond: h2::server::SendResponse<Bytes>,
    ) {
        // Each request comes under the settings of its time.
        let worker = self.worker.latest();
        let random = || u128::from(worker.random()) << 64 | u128::from(worker.random());
        let Some(stream) = Served::new(request, respond, Rc::clone(&self.abuse), random) else {
            return;
        };
        self.active = true;
        crew::serve(Job {
            stream,
            peer: Rc::clone(&self.peer),
            worker,
            open: Open::new(&self.open),
        });
    }
}

/// Counts a stream for as long as it is served.
pub(super) struct Open(Rc<Cell<usize>>);

impl Open {
    fn new(count: &Rc<Cell<usize>>) -> Open {
        count.set(count.get() + 1);
        Open(Rc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
