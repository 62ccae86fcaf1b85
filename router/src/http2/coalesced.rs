//! One write for the frames of many streams.
//!
//! The frames of a connection are written one by one as its streams have something to say. Here they gather until the
//! connection is flushed, which is when nobody has anything to say any more, or until they fill a buffer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered at most; as many as two records of TLS hold.
const GATHERED: usize = 32 * 1024;

/// A stream whose writes are gathered. Owns no memory for that while it has nothing to write.
#[derive(Debug)]
pub(super) struct Coalesced<S> {
    stream: S,
    gathered: Vec<u8>,
    written: usize,
}

impl<S> Coalesced<S> {
    pub(super) fn new(stream: S) -> Coalesced<S> {
        Coalesced {
            stream,
            gathered: Vec::new(),
            written: 0,
        }
    }
}

impl<S: AsyncWrite + Unpin> Coalesced<S> {
    /// Writes all that was gathered.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(cx, &self.gathered[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.gathered.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coalesced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coalesced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.gathered.len() + buf.len() > GATHERED {
            ready!(self.poll_empty(cx))?;
        }
        let count = buf.len().min(GATHERED);
        self.gathered.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.gathered.capacity() > 0 {
            self.gathered = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_goes_out_when_it_is_flushed_or_too_much() {
        let (near, mut far) = tokio::io::duplex(4 * GATHERED);
        let mut near = Coalesced::new(near);
        near.write_all(b"ab").await.unwrap();
        near.write_all(b"cd").await.unwrap();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut byte = [0; 8];
        let mut room = ReadBuf::new(&mut byte);
        assert!(
            Pin::new(&mut far)
                .poll_read(&mut cx, &mut room)
                .is_pending()
        );
        near.flush().await.unwrap();
        let mut read = [0; 4];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
        assert_eq!(near.gathered.capacity(), 0);
        near.write_all(&vec![b'x'; GATHERED + 1]).await.unwrap();
        let mut read = vec![0; GATHERED];
        far.read_exact(&mut read).await.unwrap();
    }
}
