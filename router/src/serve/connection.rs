//! The keep-alive loop of a client connection.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Next;
use super::client::Client;
use super::request::serve_request;
use crate::worker::{Buffer, Size, Timer, Worker};

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
}

impl Peer {
    /// A client at `address`; an IPv4 address in IPv6 form is shown as IPv4.
    pub fn new(address: SocketAddr, tls: bool) -> Peer {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        Peer { address, ip: address.ip().to_string().into(), tls }
    }
}

/// Serves a connection until it ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, peer: Peer, worker: Rc<Worker>) {
    let _share = worker.handover.share();
    let timer = worker.wheel.timer();
    let mut client = Client::new(stream);
    let next = loop {
        timer.arm(worker.policy.frontend_idle_timeout);
        if client.inbound.is_none() {
            match idle(&mut client, &worker, &timer).await {
                Some(buffer) => client.inbound = Some(buffer),
                None => return,
            }
        }
        match serve_request(&mut client, &peer, &worker, &timer).await {
            Next::Keep => {}
            next => break next,
        }
    };
    if next == Next::Close {
        close(&mut client, &timer).await;
    }
}

/// Waits for the first bytes of a request; `None` when there will be none. Owns no buffer meanwhile.
async fn idle<S: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<S>, worker: &Worker, timer: &Timer) -> Option<Buffer> {
    poll_fn(|cx| match Buffer::poll_read(cx, &mut client.stream, Size::Small) {
        Poll::Ready(read) => Poll::Ready(read.ok().filter(|buffer| !buffer.is_empty())),
        Poll::Pending if worker.is_draining() || timer.has_expired(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
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
                Poll::Ready(Ok(buffer)) if !buffer.is_empty() && total < LINGER_LIMIT => total += buffer.unread().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if timer.has_expired(cx) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
}
