//! The response body on its way back, by its framing, with back-pressure, while the request's body may still be coming.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Client;
use crate::http1::chunked::Malformed;
use crate::http1::{Body, Form};
use crate::table::Permit;
use crate::upstream::{Answer, BodyError, Downstream, UploadError};
use crate::worker::{Buffer, Size, Timer};

/// Bytes of a body that are copied behind the head.
const COPIED: usize = 8 * 1024;

/// What the client gets of the body's framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// The framing as it came.
    AsIs,
    /// Content only; the end of the connection ends it (an HTTP/1.0 client and a chunked body).
    Unwrap,
    /// In the chunked coding (a body that ends with the backend's connection).
    Wrap,
}

/// A relay broke off: a side is gone, the backend's framing is malformed, or time ran out. The client's connection is
/// cut, so that it sees an answer that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Bytes of content that were passed on, or about to be.
    pub content: u64,
    /// Why.
    pub cut: Cut,
}

/// What ended a relay early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client left, or broke its own framing.
    Client,
    /// The request's body turned out to be larger than the route takes.
    TooLarge,
    /// The backend left, or broke its framing.
    Backend,
    /// Time ran out.
    Late,
}

/// A relay under way.
pub(super) struct Relay<'a> {
    answer: &'a mut Answer,
    body: Body,
    coding: Coding,
    /// Bytes that go out first: the head, later framing of our own.
    out: &'a mut Vec<u8>,
    written: usize,
    /// Bytes at the front of the answer's buffer that go out behind them.
    pass: usize,
    /// Bytes of content passed on or about to be.
    content: u64,
    uploading: bool,
    size: Size,
    ended: bool,
    /// What counts the request as under way.
    permit: Option<&'a mut Option<Permit>>,
}

/// How a relay ended well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relayed {
    /// Bytes of content.
    pub content: u64,
    /// Whether the backend's connection is at the end of a message, with nothing unread.
    pub in_step: bool,
}

impl<'a> Relay<'a> {
    /// A relay of `answer`, whose head was consumed from its buffer, with `out` as the head for the client.
    pub(super) fn new(
        answer: &'a mut Answer,
        coding: Coding,
        out: &'a mut Vec<u8>,
        uploading: bool,
    ) -> Relay<'a> {
        let body = Body::new(answer.response.framing);
        let ended = body.is_done();
        Relay {
            answer,
            body,
            coding,
            out,
            written: 0,
            pass: 0,
            content: 0,
            uploading,
            size: Size::Small,
            ended,
            permit: None,
        }
    }

    /// Gives `permit` back before the last bytes of the answer go out: who has seen its end is not turned away for it.
    pub(super) fn holding(mut self, permit: &'a mut Option<Permit>) -> Relay<'a> {
        self.permit = Some(permit).filter(|permit| permit.is_some());
        self
    }

    /// Runs to the end of the body.
    pub(super) async fn run<S>(
        mut self,
        client: &mut Client<S>,
        timer: &Timer,
    ) -> Result<Relayed, Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let result = poll_fn(|cx| self.poll(cx, client, timer)).await;
        match result {
            Ok(()) => Ok(Relayed {
                content: self.content,
                in_step: self.answer.buffer.is_empty() && !self.uploading,
            }),
            Err(cut) => Err(Broken {
                content: self.content,
                cut,
            }),
        }
    }

    fn poll<S>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client<S>,
        timer: &Timer,
    ) -> Poll<Result<(), Cut>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.uploading {
            match client.poll_upload(cx, &mut self.answer.connection) {
                Poll::Ready(Ok(()) | Err(UploadError::Backend(_))) => {
                    self.uploading = !client.is_uploaded()
                }
                Poll::Ready(Err(UploadError::Body(BodyError::TooLarge))) => {
                    return Poll::Ready(Err(Cut::TooLarge));
                }
                Poll::Ready(Err(UploadError::Client | UploadError::Body(_))) => {
                    return Poll::Ready(Err(Cut::Client));
                }
                Poll::Pending => {}
            }
        }
        loop {
            let written = self.written == 0 || self.written == self.out.len();
            if written
                && self.pass == 0
                && !self.ended
                && !self.answer.buffer.is_empty()
                && self.cut(client.stream.is_write_vectored()).is_err()
            {
                return Poll::Ready(Err(Cut::Backend));
            }
            if self.ended
                && let Some(permit) = self.permit.take()
            {
                *permit = None;
            }
            match self.poll_write(cx, &mut client.stream) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Cut::Client)),
                Poll::Pending if self.answer.connection.is_late(timer, cx) => {
                    return Poll::Ready(Err(Cut::Late));
                }
                Poll::Pending => return Poll::Pending,
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if !self.answer.buffer.is_empty() {
                continue;
            }
            match Buffer::poll_read(cx, &mut self.answer.connection, self.size) {
                Poll::Ready(Ok(buffer)) if !buffer.is_empty() => {
                    self.size = if buffer.is_full() {
                        Size::Large
                    } else {
                        self.size
                    };
                    self.answer.buffer = buffer;
                }
                Poll::Ready(Ok(_)) if matches!(self.body, Body::UntilClose) => self.end_at_close(),
                Poll::Ready(_) => return Poll::Ready(Err(Cut::Backend)),
                Poll::Pending if self.answer.connection.is_late(timer, cx) => {
                    return Poll::Ready(Err(Cut::Late));
                }
                Poll::Pending if !self.uploading => {
                    ready!(client.poll_gone(cx));
                    return Poll::Ready(Err(Cut::Client));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Finds the next bytes that go on. What must be written anew is appended to `out`, behind the head if that is still
    /// there. `vectored` says that the client's stream takes several pieces in one write.
    fn cut(&mut self, vectored: bool) -> Result<(), Malformed> {
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        let form = if self.coding == Coding::Unwrap {
            Form::Unwrapped
        } else {
            Form::AsIs
        };
        let buffer = &mut self.answer.buffer;
        let take = self.body.take(buffer.unread(), form, &mut self.content)?;
        buffer.consume(take.skip);
        self.pass = take.pass;
        self.ended = self.body.is_done();
        let end = self.body.owed_end().filter(|_| self.coding == Coding::AsIs);
        if self.coding == Coding::Wrap && take.pass > 0 {
            // Writing to a vector cannot fail.
            let _infallible = write!(self.out, "{:x}\r\n", take.pass);
        }
        // A short stretch behind the head costs less as a copy than as a second vector of one write. A stream that takes one
        // piece at a time makes a copy of its own.
        let joins_head = vectored && !self.out.is_empty() && take.pass <= COPIED;
        if self.coding == Coding::Wrap || end.is_some() || joins_head {
            self.out.extend_from_slice(&buffer.unread()[..take.pass]);
            buffer.consume(take.pass);
            self.pass = 0;
            if let Some(trailers) = end {
                self.out.extend_from_slice(trailers);
            }
            if self.coding == Coding::Wrap || end.is_some() {
                self.out.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    fn end_at_close(&mut self) {
        self.ended = true;
        if self.coding == Coding::Wrap {
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
    }

    /// Writes what is waiting: our own bytes first, then those of the body.
    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        while self.written < self.out.len() || self.pass > 0 {
            let own = &self.out[self.written..];
            let body = &self.answer.buffer.unread()[..self.pass];
            let stream = Pin::new(&mut *stream);
            let count = match (own.is_empty(), body.is_empty()) {
                (false, true) => ready!(stream.poll_write(cx, own))?,
                (true, _) => ready!(stream.poll_write(cx, body))?,
                (false, false) => ready!(
                    stream.poll_write_vectored(cx, &[IoSlice::new(own), IoSlice::new(body)])
                )?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_own = count.min(own.len());
            self.written += of_own;
            self.pass -= count - of_own;
            self.answer.buffer.consume(count - of_own);
        }
        Pin::new(stream).poll_flush(cx)
    }
}
