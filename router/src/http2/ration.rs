//! How much of one connection is read before others have their turn.
//!
//! Who drives a connection of HTTP/2 reads and handles frames for as long as there are some, and a client can send them faster
//! than that. Here it meets an end after some bytes. They are few at first, and after each stream that was reset before its
//! answer; they become more as long as nothing of the kind happens.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes in the first turn: a page's requests, and 160 streams that are opened and reset.
const LEAST: usize = 4 * 1024;
/// Bytes in a turn of a connection that gave no reason for less.
pub(super) const MOST: usize = 32 * 1024;

/// A stream that gives so much in a turn and then nothing, without waking anybody.
#[derive(Debug)]
pub(super) struct Rationed<S> {
    stream: S,
    ration: Rc<Ration>,
}

/// What a connection may read.
#[derive(Debug)]
pub(super) struct Ration {
    left: Cell<usize>,
    turn: Cell<usize>,
    wanted: Cell<bool>,
    closed: Cell<bool>,
}

impl Ration {
    /// A turn begins; `in_order` says that nothing speaks against a larger one than the last.
    pub(super) fn renew(&self, in_order: bool) {
        if self.closed.get() {
            return;
        }
        let turn = match in_order {
            true => (self.turn.get() * 2).min(MOST),
            false => LEAST,
        };
        self.turn.set(turn);
        self.left.set(turn);
        self.wanted.set(false);
    }

    /// Whether there was more to read in this turn: the task has to ask for another one.
    pub(super) fn is_spent(&self) -> bool {
        self.wanted.get() && !self.closed.get()
    }

    /// Nothing is read any more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.left.set(0);
    }
}

impl<S> Rationed<S> {
    pub(super) fn new(stream: S) -> (Rationed<S>, Rc<Ration>) {
        let ration = Rc::new(Ration {
            left: Cell::new(LEAST),
            turn: Cell::new(LEAST / 2),
            wanted: Cell::new(false),
            closed: Cell::new(false),
        });
        let shared = Rc::clone(&ration);
        (Rationed { stream, ration }, shared)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rationed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.ration.left.get();
        if left == 0 {
            self.ration.wanted.set(true);
            return Poll::Pending;
        }
        let count = match buf.remaining() > left {
            false => {
                let before = buf.filled().len();
                ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
                buf.filled().len() - before
            }
            true => {
                let mut part = ReadBuf::new(buf.initialize_unfilled_to(left));
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
                let count = part.filled().len();
                buf.advance(count);
                count
            }
        };
        self.ration.left.set(left - count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rationed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// How much a turn gives.
    async fn turn(stream: &mut Rationed<tokio::io::DuplexStream>) -> usize {
        let mut room = vec![0; 10_000];
        let mut count = 0;
        poll_fn(|cx| {
            let mut room = ReadBuf::new(&mut room);
            while let Poll::Ready(read) = Pin::new(&mut *stream).poll_read(cx, &mut room) {
                read.unwrap();
                count += room.filled().len();
                room.clear();
            }
            Poll::Ready(())
        })
        .await;
        count
    }

    #[tokio::test]
    async fn a_turn_gives_more_as_long_as_nothing_speaks_against_it() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let (mut near, ration) = Rationed::new(near);
        far.write_all(&vec![0; 1 << 19]).await.unwrap();
        for (in_order, expected) in [
            (true, LEAST),
            (true, 2 * LEAST),
            (true, 4 * LEAST),
            (true, MOST),
            (true, MOST),
            (false, LEAST),
            (true, 2 * LEAST),
        ] {
            ration.renew(in_order);
            assert_eq!(turn(&mut near).await, expected);
            assert!(ration.is_spent());
        }
        ration.close();
        ration.renew(true);
        assert_eq!(turn(&mut near).await, 0);
        assert!(!ration.is_spent());
    }
}
