//! One write for the frames of many streams.
//!
//! Who drives a connection of HTTP/2 flushes it for each larger frame. Here the frames gather until its task has done all
//! that it can do at the moment, and then go out as one, in as few records of TLS and system calls as they fit into.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered before some have to go out.
const GATHERED: usize = 64 * 1024;
/// Bytes that memory to gather in has at first.
const SPARE_SIZE: usize = 16 * 1024;
/// Pieces of such memory that a worker keeps.
const SPARES: usize = 64;

/// A stream whose writes are gathered; flushing it does nothing, [`Drain`] does.
#[derive(Debug)]
pub(super) struct Coalesced<S>(Rc<RefCell<Gathering<S>>>);

/// Lets out what a stream has gathered.
#[derive(Debug)]
pub(super) struct Drain<S>(Rc<RefCell<Gathering<S>>>);

#[derive(Debug)]
struct Gathering<S> {
    stream: S,
    gathered: Vec<u8>,
    written: usize,
}

impl<S> Coalesced<S> {
    pub(super) fn new(stream: S) -> (Coalesced<S>, Drain<S>) {
        let shared = Rc::new(RefCell::new(Gathering {
            stream,
            gathered: Vec::new(),
            written: 0,
        }));
        (Coalesced(Rc::clone(&shared)), Drain(shared))
    }
}

impl<S: AsyncWrite + Unpin> Drain<S> {
    /// Writes all that was gathered. What the other side does not take now is written by the next call, for which the
    /// task is woken.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_empty(cx)
    }
}

impl<S: AsyncWrite + Unpin> Gathering<S> {
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.gathered.len() {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(cx, &self.gathered[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        give_back(std::mem::take(&mut self.gathered));
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    /// Memory that no connection needs at the moment.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Memory to gather in; a connection owns some only while there is something to write.
fn memory() -> Vec<u8> {
    SPARE
        .with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(SPARE_SIZE))
}

fn give_back(mut memory: Vec<u8>) {
    memory.clear();
    // At the end of the thread the list may be gone already.
    let _gone = SPARE.try_with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < SPARES && memory.capacity() <= 2 * GATHERED {
            spare.push(memory);
        }
    });
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalesced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalesced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gathering = &mut *self.0.borrow_mut();
        if gathering.gathered.len() >= GATHERED {
            ready!(gathering.poll_empty(cx))?;
        }
        if gathering.gathered.capacity() == 0 {
            gathering.gathered = memory();
        }
        let before = gathering.gathered.len();
        for piece in pieces {
            gathering.gathered.extend_from_slice(piece);
        }
        Poll::Ready(Ok(gathering.gathered.len() - before))
    }

    /// A frame's content is taken from where it is, then, and not gathered by who writes it.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let gathering = &mut *self.0.borrow_mut();
        ready!(gathering.poll_empty(cx))?;
        Pin::new(&mut gathering.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_goes_out_when_it_is_drained_or_too_much() {
        let (near, mut far) = tokio::io::duplex(4 * GATHERED);
        let (mut near, drain) = Coalesced::new(near);
        near.write_all(b"ab").await.unwrap();
        near.flush().await.unwrap();
        near.write_all(b"cd").await.unwrap();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut byte = [0; 8];
        let mut room = ReadBuf::new(&mut byte);
        assert!(
            Pin::new(&mut far)
                .poll_read(&mut cx, &mut room)
                .is_pending()
        );
        poll_fn(|cx| drain.poll(cx)).await.unwrap();
        let mut read = [0; 4];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        near.write_all(&vec![b'x'; GATHERED]).await.unwrap();
        near.write_all(b"y").await.unwrap();
        let mut read = vec![0; GATHERED];
        far.read_exact(&mut read).await.unwrap();
    }
}
