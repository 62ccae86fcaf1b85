//! A client's connection.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;

use super::abuse::{self, Abuse};
use super::coalesced::{Coalesced, Drain};
use super::crew::{self, Job};
use super::ration::{self, Ration, Rationed};
use super::served::Served;
use crate::serve::Peer;
use crate::worker::{Share, Streams, Timer, Worker};

/// What a client sends first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that a client may have open at a time.
const STREAMS: u32 = 128;
/// Bytes of a body that it may send on one of them before the router has passed them on.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same on all of them: what a connection can make us hold. With their windows all streams fit in, so that bodies which
/// no application takes never keep others waiting.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// Bytes of a head, as RFC 9113 section 6.5.2 counts them; a longer one is answered 431.
const HEADER_LIST: u32 = 256 * 1024;
/// Bytes of an answer's body that wait on one stream for the client's window.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that may be reset before they were looked at: more than one turn can bring, since what becomes of such a client is
/// up to [`Abuse`]. A stream and its reset take 26 bytes at least.
const UNSEEN: usize = ration::MOST / 26 + 1;

/// Serves a connection until it ends; `_share` counts it until then. Safe to drop at any point: it is then cut.
pub async fn serve<S>(stream: S, mut peer: Peer, _share: Share, worker: Rc<Worker>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let streams = Streams::new(&worker.handover);
    peer.streams = Some(Rc::clone(&streams));
    let timer = worker.wheel.timer();
    timer.arm(worker.policy.frontend_idle_timeout);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(UNSEEN)
        .enable_connect_protocol();
    let (stream, ration) = Rationed::new(stream);
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
        ration,
        stage: Stage::Open,
        abuse: Rc::new(Abuse::new(worker.clock.now())),
        streams,
        active: false,
        peer: Rc::new(peer),
        worker,
    };
    poll_fn(|cx| front.poll(cx, &timer)).await;
}

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// No more streams are wanted.
    Ending,
    /// Nothing is read any more, so that the client does not come again at once; what is open goes on.
    Held,
    /// The client was told that it has gone too far.
    Told,
}

/// A connection behind its handshake.
struct Front<S> {
    connection: Connection<Coalesced<Rationed<S>>, Bytes>,
    drain: Drain<Rationed<S>>,
    ration: Rc<Ration>,
    stage: Stage,
    abuse: Rc<Abuse>,
    /// Those that are being served.
    streams: Rc<Streams>,
    /// Whether a stream was opened since the timer was set.
    active: bool,
    peer: Rc<Peer>,
    worker: Rc<Worker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Front<S> {
    /// Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>, timer: &Timer) -> Poll<()> {
        self.ration.renew(!self.abuse.take_noted());
        loop {
            if self.worker.is_leaving() {
                match self.stage {
                    // One that is not there any more never answers to that.
                    Stage::Open => self.end(timer),
                    Stage::Held => self.tell(timer),
                    Stage::Ending | Stage::Told => {}
                }
            }
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accept(request, respond, timer);
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
                if self.ration.is_spent() {
                    // Comes behind who is ready now, and behind a look at the sockets.
                    if pin!(yield_now()).poll(cx).is_ready() {
                        cx.waker().wake_by_ref();
                    }
                }
                return Poll::Pending;
            }
            // Looked at now and then: idle is a connection on which nothing was open for the whole time.
            let idle = self.streams.open() == 0 && !std::mem::take(&mut self.active);
            match self.stage {
                Stage::Told => return Poll::Ready(()),
                Stage::Held => self.tell(timer),
                Stage::Ending if idle => return Poll::Ready(()),
                Stage::Ending => timer.arm(Worker::LINGER),
                Stage::Open if idle => self.end(timer),
                Stage::Open => {
                    self.worker = self.worker.latest();
                    timer.arm(self.worker.policy.frontend_idle_timeout);
                }
            }
        }
    }

    /// Tells the client that no more streams are wanted. What it has sent by then still comes, and is served.
    fn end(&mut self, timer: &Timer) {
        self.connection.graceful_shutdown();
        self.stage = Stage::Ending;
        timer.arm(Worker::LINGER);
    }

    fn tell(&mut self, timer: &Timer) {
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.stage = Stage::Told;
        timer.arm(Worker::LINGER);
    }

    fn accept(
        &mut self,
        request: http::Request<h2::RecvStream>,
        mut respond: h2::server::SendResponse<Bytes>,
        timer: &Timer,
    ) {
        if self.stage == Stage::Held {
            return respond.send_reset(Reason::REFUSED_STREAM);
        }
        // One that is over before it was looked at is not served.
        let noop = &mut Context::from_waker(Waker::noop());
        let is_reset = respond.poll_reset(noop).is_ready();
        if is_reset {
            self.abuse.note_reset();
        }
        // More are being served than may be open: the client has reset them, and their tasks have not had their turn.
        let unseen = self.streams.open().saturating_sub(STREAMS as usize);
        if self.abuse.is_too_much(self.worker.clock.now(), unseen) {
            tracing::debug!(target: "router", { client = %self.peer.address }, "http2-too-many-resets");
            respond.send_reset(Reason::REFUSED_STREAM);
            self.ration.close();
            self.stage = Stage::Held;
            // Many that came together do not come together again.
            let spread = Duration::from_millis(self.worker.random() % 2048);
            timer.arm(abuse::HOLD + spread);
        } else if !is_reset {
            self.open(request, respond, timer);
        }
    }

    fn open(
        &mut self,
        request: http::Request<h2::RecvStream>,
        respond: h2::server::SendResponse<Bytes>,
        timer: &Timer,
    ) {
        // Each request comes under the settings of its time.
        if self.worker.is_superseded() {
            self.worker = self.worker.latest();
            if self.stage == Stage::Open {
                timer.arm(self.worker.policy.frontend_idle_timeout);
            }
        }
        let worker = Rc::clone(&self.worker);
        let random = || u128::from(worker.random()) << 64 | u128::from(worker.random());
        let Some(stream) = Served::new(request, respond, Rc::clone(&self.abuse), random) else {
            return;
        };
        self.active = true;
        crew::serve(Job {
            stream,
            peer: Rc::clone(&self.peer),
            worker,
            _open: self.streams.begin(),
        });
    }
}
