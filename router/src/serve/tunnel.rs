//! An upgraded connection: bytes both ways until one side ends (spec 4.9, RFC 9110 section 7.8).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Client;
use crate::upstream::Connection;
use crate::worker::{Buffer, Size};

/// Carries bytes until either side ends or breaks; what had arrived until then is passed on. `ahead` is what the backend
/// sent right behind its 101; what the client sent before it had that is in its own read-ahead.
pub(super) async fn carry<S>(client: &mut Client<S>, mut backend: Connection, ahead: Buffer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = client.inbound.take();
    let mut down = Some(ahead).filter(|buffer| !buffer.is_empty());
    poll_fn(|cx| {
        let stream = &mut client.stream;
        let upward = poll_one_way(cx, stream, &mut backend, &mut up);
        let downward = poll_one_way(cx, &mut backend, stream, &mut down);
        if upward.is_ready() || downward.is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Ready when this direction has ended, well or badly.
fn poll_one_way<R, W>(
    cx: &mut Context<'_>,
    from: &mut R,
    to: &mut W,
    pending: &mut Option<Buffer>,
) -> Poll<io::Result<()>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        if let Some(buffer) = pending {
            while !buffer.is_empty() {
                let written = ready!(Pin::new(&mut *to).poll_write(cx, buffer.unread()))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                buffer.consume(written);
            }
            ready!(Pin::new(&mut *to).poll_flush(cx))?;
            *pending = None;
        }
        let buffer = ready!(Buffer::poll_read(cx, from, Size::Small))?;
        if buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        *pending = Some(buffer);
    }
}
