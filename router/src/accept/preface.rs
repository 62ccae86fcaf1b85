//! The beginning of a connection without TLS on which a client may speak either version of HTTP.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use tokio::net::TcpStream;

use super::proxied::first_bytes;
use super::tls::Begun;
use crate::http2::{self, PREFACE};
use crate::serve::{Peer, serve, serve_read_ahead};
use crate::worker::{Buffer, Share, Timer, Worker};

/// Serves a connection whose first bytes say which version it is, where prior knowledge of HTTP/2 is allowed; `ahead` are
/// those that were read already.
pub(super) async fn serve_plain(
    mut stream: TcpStream,
    ahead: Option<Buffer>,
    peer: Peer,
    share: Share,
    worker: Rc<Worker>,
) {
    if !worker.policy.http2_prior_knowledge {
        return match ahead {
            None => serve(stream, peer, share, worker).await,
            ahead => serve_read_ahead(stream, ahead, peer, share, worker).await,
        };
    }
    let timer = worker.wheel.timer();
    timer.arm(worker.policy.frontend_idle_timeout);
    let ahead = match ahead {
        Some(ahead) => Some(ahead),
        None => first_bytes(&mut stream, &worker, &timer).await,
    };
    let Some(ahead) = ahead else { return };
    // As for a head in text.
    timer.arm(match worker.policy.read_header_timeout {
        none if none.is_zero() => worker.policy.frontend_idle_timeout,
        limit => limit,
    });
    let Some(ahead) = undecided(ahead, &mut stream, &timer).await else {
        return;
    };
    drop(timer);
    match ahead.unread().starts_with(PREFACE) {
        true => Box::pin(http2::serve(Begun::new(ahead, stream), peer, share, worker)).await,
        false => serve_read_ahead(stream, Some(ahead), peer, share, worker).await,
    }
}

/// Reads on while the bytes may become a preface; `None` when the client does not go on.
async fn undecided(mut ahead: Buffer, stream: &mut TcpStream, timer: &Timer) -> Option<Buffer> {
    while ahead.unread().len() < PREFACE.len() && PREFACE.starts_with(ahead.unread()) {
        let more = poll_fn(|cx| match ahead.poll_fill(cx, stream) {
            Poll::Ready(read) => Poll::Ready(read.unwrap_or(0)),
            Poll::Pending if timer.has_expired(cx) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
        });
        if more.await == 0 {
            return None;
        }
    }
    Some(ahead)
}
