//! An upgraded connection: bytes both ways (spec 4.9, RFC 9110 section 7.8).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Client;
use crate::upstream::Connection;
use crate::worker::{Buffer, Size, Timer};

/// How long a side may be silent once the other has said all.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// A client and a backend that talk to each other.
pub(super) struct Tunnel<'a, S> {
    client: &'a mut S,
    backend: Connection,
    up: Direction,
    down: Direction,
}

/// One way through a tunnel.
struct Direction {
    /// Read and not yet passed on.
    pending: Option<Buffer>,
    /// The sender has said all.
    said: bool,
    /// The receiver knows that.
    ended: bool,
    /// Whether anything has moved since this was last set back.
    moved: bool,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Tunnel<'a, S> {
    /// Between `client` and `backend`. `ahead` is what the backend sent right behind its 101; what the client sent before
    /// it had that is in its own read-ahead.
    pub(super) fn new(
        client: &'a mut Client<S>,
        backend: Connection,
        ahead: Buffer,
    ) -> Tunnel<'a, S> {
        let direction = |pending: Option<Buffer>| Direction {
            pending: pending.filter(|buffer| !buffer.is_empty()),
            said: false,
            ended: false,
            moved: false,
        };
        Tunnel {
            up: direction(client.inbound.take()),
            down: direction(Some(ahead)),
            client: &mut client.stream,
            backend,
        }
    }

    /// Carries bytes until a side has ended its direction and all of that was passed on. `false` when the connection
    /// broke, or was silent for longer than its route allows.
    pub(super) async fn carry(&mut self, timer: &Timer) -> bool {
        poll_fn(|cx| match self.poll(cx) {
            Err(_) => Poll::Ready(false),
            Ok(()) if self.up.ended || self.down.ended => Poll::Ready(true),
            Ok(()) if self.backend.is_late(timer, cx) => Poll::Ready(false),
            Ok(()) => Poll::Pending,
        })
        .await
    }

    /// Lets the other side have its last words too.
    pub(super) async fn finish(&mut self, timer: &Timer) {
        timer.arm(LAST_WORDS);
        poll_fn(|cx| {
            loop {
                match self.poll(cx) {
                    Err(_) => return Poll::Ready(()),
                    Ok(()) if self.up.ended && self.down.ended => return Poll::Ready(()),
                    Ok(()) if !timer.has_expired(cx) => return Poll::Pending,
                    Ok(()) => {}
                }
                let moved =
                    [&mut self.up, &mut self.down].map(|way| std::mem::take(&mut way.moved));
                if moved == [false, false] {
                    return Poll::Ready(());
                }
                timer.arm(LAST_WORDS);
            }
        })
        .await;
    }

    /// Moves what can be moved now.
    fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let up = self.up.poll(cx, self.client, &mut self.backend);
        let down = self.down.poll(cx, &mut self.backend, self.client);
        for way in [up, down] {
            if let Poll::Ready(ended) = way {
                ended?;
            }
        }
        Ok(())
    }
}

impl Direction {
    /// Ready when it has ended, and the receiver knows.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while !self.ended {
            if let Some(buffer) = &mut self.pending {
                while !buffer.is_empty() {
                    let written = ready!(Pin::new(&mut *to).poll_write(cx, buffer.unread()))?;
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    buffer.consume(written);
                    self.moved = true;
                }
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
                self.pending = None;
            }
            if self.said {
                // TLS may have to wait for room to say so. A receiver that is gone by now has ended as well.
                drop(ready!(Pin::new(&mut *to).poll_shutdown(cx)));
                self.ended = true;
                break;
            }
            let buffer = ready!(Buffer::poll_read(cx, from, Size::Small))?;
            self.said = buffer.is_empty();
            self.pending = Some(buffer).filter(|buffer| !buffer.is_empty());
        }
        Poll::Ready(Ok(()))
    }
}
