//! The beginning of a connection on which a load balancer may say whose it is.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;

use super::proxy_protocol::{Header, Preamble, parse};
use crate::worker::{Buffer, Size, Timer, Worker};

/// Time for a header that has begun, where `read_header_timeout` does not say.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose connection it is, and what came behind the header.
#[derive(Debug)]
pub struct Arrival {
    /// The client: the header's source, or the peer itself.
    pub client: SocketAddr,
    /// The client's first bytes, read together with the header.
    pub ahead: Option<Buffer>,
}

/// Reads the PROXY protocol's header from a connection's beginning; `None` when the connection is to be closed. Comes before
/// everything else, a TLS handshake too. Reads nothing where the protocol is off, or where the peer is nobody whose word
/// counts. Safe to drop at any point.
pub async fn arrive<S: AsyncRead + Unpin>(
    stream: &mut S,
    peer: SocketAddr,
    worker: &Worker,
) -> Option<Arrival> {
    let untouched = Arrival {
        client: peer,
        ahead: None,
    };
    let Some(rules) = &worker.policy.proxy_protocol else {
        return Some(untouched);
    };
    if !rules.trusts(peer.ip()) {
        if rules.required {
            refused(peer, "the peer is none of proxy_protocol.trusted");
            return None;
        }
        return Some(untouched);
    }
    let limit = match worker.policy.read_header_timeout {
        none if none.is_zero() => HEADER_TIMEOUT,
        limit => limit,
    };
    let timer = worker.wheel.timer();
    // A client may be silent for as long as any other; a load balancer that must speak first does so at once.
    timer.arm(match rules.required {
        true => limit,
        false => worker.policy.frontend_idle_timeout,
    });
    let mut buffer = first_bytes(stream, worker, &timer).await?;
    timer.arm(limit);
    loop {
        let preamble = parse(buffer.unread());
        let client = match preamble {
            Preamble::Undecided | Preamble::Incomplete => {
                match more(stream, &mut buffer, &timer).await {
                    More::Bytes => continue,
                    // A slow client whose first letters are those of a header.
                    More::Late if preamble == Preamble::Undecided && !rules.required => peer,
                    More::Late | More::Gone => return None,
                }
            }
            Preamble::Absent if rules.required => {
                refused(peer, "there is no header");
                return None;
            }
            Preamble::Absent => peer,
            Preamble::Header(Header { length, source }) => {
                buffer.consume(length);
                source.unwrap_or(peer)
            }
            Preamble::Refused(refusal) => {
                refused(peer, refusal);
                return None;
            }
        };
        let ahead = (!buffer.is_empty()).then_some(buffer);
        return Some(Arrival { client, ahead });
    }
}

/// Waits for the first bytes without a buffer; `None` when there will be none.
pub(super) async fn first_bytes<S>(stream: &mut S, worker: &Worker, timer: &Timer) -> Option<Buffer>
where
    S: AsyncRead + Unpin,
{
    poll_fn(|cx| match Buffer::poll_read(cx, stream, Size::Small) {
        Poll::Ready(read) => Poll::Ready(read.ok().filter(|buffer| !buffer.is_empty())),
        Poll::Pending if worker.is_draining() || timer.has_expired(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What waiting for more bytes came to.
enum More {
    Bytes,
    Late,
    Gone,
}

/// A header is shorter than a buffer, so there is room.
async fn more<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Buffer, timer: &Timer) -> More {
    poll_fn(|cx| match buffer.poll_fill(cx, stream) {
        Poll::Ready(Ok(1..)) => Poll::Ready(More::Bytes),
        Poll::Ready(_) => Poll::Ready(More::Gone),
        Poll::Pending if timer.has_expired(cx) => Poll::Ready(More::Late),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Whoever scans ports causes this: it is for those who look for it.
#[cold]
fn refused(peer: SocketAddr, error: impl std::fmt::Display) {
    tracing::debug!(target: "router", { client = %peer, error = %error }, "proxy-protocol-refused");
}
