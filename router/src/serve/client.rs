//! The client's side of a request: its stream, what was read ahead, and how far its body has got.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::http1::{Body, Form, Framing};
use crate::upstream::{BodyError, Connection, Downstream, UploadError};
use crate::worker::{Buffer, Size, Timer, Worker};

/// Bytes of an unwanted body that are read and dropped to keep a connection in step; a longer one ends it.
const DISCARD_LIMIT: u64 = 256 * 1024;

/// What ends a chunked body whose own end was held back.
const LAST_LINE: &[u8] = b"\r\n";

/// A client connection.
pub(super) struct Client<S> {
    /// The stream.
    pub stream: S,
    /// Read but not yet used: the rest of a body, or the next requests.
    pub inbound: Option<Buffer>,
    /// The body of the request at hand.
    pub body: Body,
    /// Bytes of content of that body seen so far.
    pub received: u64,
    /// Most bytes of content that are passed on.
    most: u64,
    /// Bytes at the front of `inbound` that go to the backend next.
    ready: usize,
    /// Whether bytes of that body have gone to a backend.
    given: bool,
    /// Whether the next bytes of that body are still to come from the client.
    awaited: bool,
    /// Bytes of [`LAST_LINE`] that are still to be sent.
    tail: u8,
    size: Size,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) fn new(stream: S) -> Client<S> {
        Client {
            stream,
            inbound: None,
            body: Body::Empty,
            received: 0,
            most: u64::MAX,
            ready: 0,
            given: false,
            awaited: false,
            tail: 0,
            size: Size::Small,
        }
    }

    /// Writes `bytes` to the client.
    ///
    /// # Errors
    /// When the client is gone, or does not read them before the timer's deadline.
    pub(super) async fn send(&mut self, bytes: &[u8], timer: &Timer) -> io::Result<()> {
        let mut at = 0;
        let stream = &mut self.stream;
        poll_fn(|cx| {
            while at < bytes.len() {
                match Pin::new(&mut *stream).poll_write(cx, &bytes[at..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => at += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending if timer.has_expired(cx) => {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            Pin::new(&mut *stream).poll_flush(cx)
        })
        .await
    }

    /// A request with this framing begins, of whose content so many bytes may be passed on; 0 is no limit.
    pub(super) fn begin(&mut self, framing: Framing, most: u64) {
        self.most = if most > 0 { most } else { u64::MAX };
        self.body = Body::new(framing);
        self.received = 0;
        self.ready = 0;
        self.given = false;
        self.tail = 0;
        self.size = Size::Small;
    }

    /// Whether all of the body was passed on.
    pub(super) fn is_uploaded(&self) -> bool {
        self.body.is_done() && self.ready == 0 && self.tail == 0
    }

    /// Drops what is left of the body. `false` when that would take too long, or the router is draining: the connection has
    /// to end.
    pub(super) async fn discard_body(&mut self, worker: &Worker, timer: &Timer) -> bool {
        let mut dropped = 0;
        if self.ready > 0 {
            dropped = self.ready as u64;
            self.sent(self.ready);
        }
        self.tail = 0;
        while !self.body.is_done() {
            if let Some(buffer) = &mut self.inbound {
                let Ok(take) = self.body.take(buffer.unread(), Form::AsIs, &mut dropped) else {
                    return false;
                };
                buffer.consume(take.len());
                if buffer.is_empty() {
                    self.inbound = None;
                }
                if dropped > DISCARD_LIMIT {
                    return false;
                }
                continue;
            }
            let stream = &mut self.stream;
            let read = poll_fn(|cx| match Buffer::poll_read(cx, stream, Size::Small) {
                Poll::Ready(read) => Poll::Ready(read.ok()),
                Poll::Pending if worker.is_draining() || timer.has_expired(cx) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match read.await {
                Some(buffer) if !buffer.is_empty() => self.inbound = Some(buffer),
                _ => return false,
            }
        }
        true
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Downstream for Client<S> {
    fn ready_bytes(&mut self) -> Result<&[u8], BodyError> {
        self.awaited = false;
        while self.ready == 0 && !self.body.is_done() {
            let Some(buffer) = &mut self.inbound else {
                break;
            };
            let take = self
                .body
                .take(buffer.unread(), Form::AsIs, &mut self.received)?;
            if self.received > self.most {
                return Err(BodyError::TooLarge);
            }
            buffer.consume(take.skip);
            self.ready = take.pass;
            if self.body.owed_end().is_some() {
                // Trailer fields of a request are not passed on (recorded: the original drops them), its end is.
                self.tail = LAST_LINE.len() as u8;
            }
            if buffer.is_empty() {
                self.inbound = None;
            }
        }
        Ok(match &self.inbound {
            Some(buffer) => &buffer.unread()[..self.ready],
            None => &[],
        })
    }

    fn sent(&mut self, count: usize) {
        self.given |= count > 0;
        if let Some(buffer) = &mut self.inbound {
            buffer.consume(count);
            self.ready -= count.min(self.ready);
            if buffer.is_empty() {
                self.inbound = None;
            }
        }
    }

    fn has_given(&self) -> bool {
        self.given
    }

    fn is_awaited(&self) -> bool {
        self.awaited
    }

    fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        backend: &mut Connection,
    ) -> Poll<Result<(), UploadError>> {
        loop {
            self.ready_bytes().map_err(UploadError::Body)?;
            let bytes = match &self.inbound {
                Some(buffer) if self.ready > 0 => &buffer.unread()[..self.ready],
                _ => &LAST_LINE[LAST_LINE.len() - usize::from(self.tail)..],
            };
            if !bytes.is_empty() {
                let count = ready!(Pin::new(&mut *backend).poll_write(cx, bytes))
                    .map_err(UploadError::Backend)?;
                if self.ready > 0 {
                    self.sent(count);
                } else {
                    self.tail -= count as u8;
                    self.given = true;
                }
                continue;
            }
            // What TLS holds back goes out before this waits for more.
            ready!(Pin::new(&mut *backend).poll_flush(cx)).map_err(UploadError::Backend)?;
            if self.body.is_done() {
                return Poll::Ready(Ok(()));
            }
            self.awaited = true;
            let buffer = ready!(Buffer::poll_read(cx, &mut self.stream, self.size))
                .map_err(|_| UploadError::Client)?;
            if buffer.is_empty() {
                return Poll::Ready(Err(UploadError::Client));
            }
            self.size = if buffer.is_full() {
                Size::Large
            } else {
                self.size
            };
            self.inbound = Some(buffer);
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inbound.is_some() {
            // The next request is waiting already; one more read ahead would have to be kept somewhere.
            return Poll::Pending;
        }
        match ready!(Buffer::poll_read(cx, &mut self.stream, Size::Small)) {
            Ok(buffer) if !buffer.is_empty() => {
                self.inbound = Some(buffer);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    async fn interim(&mut self, head: &[u8], timer: &Timer) -> io::Result<()> {
        self.send(head, timer).await
    }
}
