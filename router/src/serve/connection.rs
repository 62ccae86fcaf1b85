//! The keep-alive loop of a client connection.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Next;
use super::client::Client;
use super::request::serve_request;
use crate::callers::Verified;
use crate::worker::{Buffer, Share, Size, Streams, Timer, Upgraded, Worker};

/// Bytes that a connection which is being closed may still send before it is cut.
const LINGER_LIMIT: usize = 1024 * 1024;

/// Who is at the other end.
#[derive(Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// Its IP address in text form, as it is written into headers.
    pub ip: Box<str>,
    /// Whether it speaks TLS with us.
    pub tls: bool,
    /// The streams of its connection, where it speaks HTTP/2.
    pub streams: Option<Rc<Streams>>,
    /// Whether it showed a certificate that was verified.
    pub has_certificate: bool,
    /// That certificate as one line of base64, where the configuration wants it shown; else empty.
    pub certificate: Box<str>,
    /// What the handshake of a domain found out; `None` anywhere else.
    pub verified: Option<Verified>,
    /// The name that the client asked for in its handshake, where the log shows it; else empty.
    pub server_name: Box<str>,
}

impl Peer {
    /// A client at `address`; an IPv4 address in IPv6 form is shown as IPv4.
    pub fn new(address: SocketAddr, tls: bool) -> Peer {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        Peer {
            address,
            ip: address.ip().to_string().into(),
            tls,
            streams: None,
            has_certificate: false,
            certificate: Box::default(),
            verified: None,
            server_name: Box::default(),
        }
    }
}

impl Peer {
    /// Counts what has become a tunnel, its connection or one stream of that, for as long as the value lives.
    pub(super) fn upgrade(&self, worker: &Worker) -> Upgraded {
        match &self.streams {
            None => Upgraded::Connection(worker.handover.upgrade()),
            Some(streams) => Upgraded::Stream(streams.upgrade()),
        }
    }
}

/// How long a connection may be quiet before it gives back what it needs for requests, some 2 KiB. Short, since as many of
/// these as were ever in use at a time stay with the allocator.
const QUIET: Duration = Duration::from_millis(200);

/// Serves a connection until it ends; `_share` counts it until then.
///
/// Safe to drop at any point: the connection is then cut.
pub fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Peer,
    share: Share,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    serve_client(Client::new(stream), Box::new(peer), share, worker)
}

/// As [`serve`], where the connection's first bytes have been read already.
pub fn serve_read_ahead<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    ahead: Option<Buffer>,
    peer: Peer,
    share: Share,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    let mut client = Client::new(stream);
    client.inbound = ahead;
    serve_client(client, Box::new(peer), share, worker)
}

/// Serves a stream of HTTP/2: a connection with one request, which is already there.
pub async fn serve_stream<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: &Peer,
    worker: &Worker,
) {
    let mut client = Client::new(stream);
    let timer = worker.wheel.timer();
    if let Waited::Bytes(buffer) = next_bytes(&mut client, worker, &timer).await {
        client.inbound = Some(buffer);
        serve_request(&mut client, peer, worker, &timer).await;
    }
}

/// What is an argument here is kept twice while the connection lives, so these are few and small.
async fn serve_client<S: AsyncRead + AsyncWrite + Unpin>(
    mut client: Client<S>,
    peer: Box<Peer>,
    _share: Share,
    mut worker: Rc<Worker>,
) {
    let timer = worker.wheel.timer();
    timer.arm(worker.policy.frontend_idle_timeout);
    while let Some(buffer) = idle(&mut client, &worker, &timer).await {
        client.inbound = Some(buffer);
        worker = worker.latest();
        // In a box of its own, so that an idle connection's task is small; kept while requests follow each other closely.
        match Box::pin(session(&mut client, &peer, &worker, &timer)).await {
            Pause::Quiet => timer.arm(worker.policy.frontend_idle_timeout.saturating_sub(QUIET)),
            Pause::Ended(Next::Close) => return close(&mut client, &timer).await,
            Pause::Ended(_) => return,
        }
        if worker.policy.frontend_idle_timeout <= QUIET
            && !worker.policy.frontend_idle_timeout.is_zero()
        {
            return;
        }
    }
}

/// Why a session paused.
enum Pause {
    /// No further request came for a while, or the next one comes under new settings.
    Quiet,
    /// The connection ends.
    Ended(Next),
}

/// Serves requests as long as they follow each other closely.
async fn session<S>(client: &mut Client<S>, peer: &Peer, worker: &Worker, timer: &Timer) -> Pause
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let patience = match worker.policy.frontend_idle_timeout {
        limit if limit.is_zero() => QUIET,
        limit => limit.min(QUIET),
    };
    loop {
        match serve_request(client, peer, worker, timer).await {
            Next::Keep => {}
            next => return Pause::Ended(next),
        }
        if worker.is_superseded() {
            return Pause::Quiet;
        }
        timer.arm(patience);
        if client.inbound.is_none() {
            match next_bytes(client, worker, timer).await {
                Waited::Bytes(buffer) => client.inbound = Some(buffer),
                Waited::Quiet => return Pause::Quiet,
                Waited::Gone => return Pause::Ended(Next::Abort),
            }
        }
    }
}

/// Waits for the first bytes of a request; `None` when there will be none. Owns no buffer meanwhile.
async fn idle<S>(client: &mut Client<S>, worker: &Worker, timer: &Timer) -> Option<Buffer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if client.inbound.is_some() {
        return client.inbound.take();
    }
    match next_bytes(client, worker, timer).await {
        Waited::Bytes(buffer) => Some(buffer),
        Waited::Quiet | Waited::Gone => None,
    }
}

/// What a wait for bytes came to.
enum Waited {
    Bytes(Buffer),
    /// The timer's deadline passed.
    Quiet,
    /// The client has left, or the router is draining.
    Gone,
}

async fn next_bytes<S>(client: &mut Client<S>, worker: &Worker, timer: &Timer) -> Waited
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(
        |cx| match Buffer::poll_read(cx, &mut client.stream, Size::Small) {
            Poll::Ready(Ok(buffer)) if !buffer.is_empty() => Poll::Ready(Waited::Bytes(buffer)),
            Poll::Ready(_) => Poll::Ready(Waited::Gone),
            Poll::Pending if worker.is_draining() => Poll::Ready(Waited::Gone),
            Poll::Pending if timer.has_expired(cx) => Poll::Ready(Waited::Quiet),
            Poll::Pending => Poll::Pending,
        },
    )
    .await
}

/// Ends our side and reads on for a moment: closing a socket with unread bytes would reset it, and the client might lose
/// the answer that it was about to read (RFC 9112 section 9.6).
async fn close<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>, timer: &Timer) {
    client.inbound = None;
    if client.stream.shutdown().await.is_err() {
        return;
    }
    timer.arm(Worker::LINGER);
    let mut total = 0;
    poll_fn(|cx| {
        loop {
            match Buffer::poll_read(cx, &mut client.stream, Size::Small) {
                Poll::Ready(Ok(buffer)) if !buffer.is_empty() && total < LINGER_LIMIT => {
                    total += buffer.unread().len()
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if timer.has_expired(cx) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_a_small_task() {
        fn size<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> usize {
            std::mem::size_of::<F>()
        }
        let idle = size(serve::<tokio::net::TcpStream>);
        assert!(idle <= 512, "{idle} bytes");
    }
}
