//! The body of an HTTP/1.1 message, put on a stream.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::SendStream;
use http::HeaderMap;

use super::{broken, lines, memory};
use crate::http1::{Body, Form, Framing};

/// Bytes of content that wait for the other side's window.
const PIECE: usize = 64 * 1024;
/// A body that ends within so many bytes is left to the connection at once, which keeps it until the window is there.
const SHORT: usize = 16 * 1024;

/// One direction of a stream, behind the head.
#[derive(Debug)]
pub(super) struct Outlet {
    stream: SendStream<Bytes>,
    body: Body,
    /// Content that was taken over and not yet sent.
    pending: Bytes,
    /// What is to be said behind it.
    end: End,
}

/// The end of a stream's direction.
#[derive(Debug)]
enum End {
    /// Content is to come.
    Open,
    /// Known, and not yet said.
    Due(Option<HeaderMap>),
    /// Said.
    Said,
}

impl Outlet {
    /// A body with this framing. Where there is none, the head has said already that nothing follows.
    pub(super) fn new(stream: SendStream<Bytes>, framing: Framing) -> Outlet {
        let body = Body::new(framing);
        Outlet {
            end: if body.is_done() { End::Said } else { End::Open },
            stream,
            body,
            pending: Bytes::new(),
        }
    }

    /// Whether the stream's end was said.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self.end, End::Said)
    }

    /// Takes over as many of `bytes` as fit into one piece, once the piece before it is gone: the other side's window is
    /// what holds the sender back.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !matches!(self.end, End::Open) {
            // Behind the end of the message: nobody is to get it.
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_flush(cx))?;
        let piece = &bytes[..bytes.len().min(PIECE)];
        let used = self.take_over(piece)?;
        if self.body.is_done() {
            let trailers = self.body.owed_end().filter(|lines| !lines.is_empty());
            self.end = End::Due(trailers.map(lines::trailers).transpose()?);
        }
        // What does not fit now goes out with the next call.
        if let Poll::Ready(flushed) = self.poll_flush(cx) {
            flushed?;
        }
        Poll::Ready(Ok(used))
    }

    /// Ready when all that was taken over is on its way.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pending.len() <= SHORT && matches!(self.end, End::Due(None)) {
            let content = std::mem::take(&mut self.pending);
            self.stream.send_data(content, true).map_err(broken)?;
            self.end = End::Said;
            return Poll::Ready(Ok(()));
        }
        while !self.pending.is_empty() {
            let room = ready!(self.poll_room(cx, self.pending.len()))?;
            let content = self.pending.split_to(room);
            let ends = self.pending.is_empty() && matches!(self.end, End::Due(None));
            self.stream.send_data(content, ends).map_err(broken)?;
            if ends {
                self.end = End::Said;
            }
        }
        if let End::Due(trailers) = &mut self.end {
            let said = match trailers.take() {
                Some(trailers) => self.stream.send_trailers(trailers),
                None => self.stream.send_data(Bytes::new(), true),
            };
            said.map_err(broken)?;
            self.end = End::Said;
        }
        Poll::Ready(Ok(()))
    }

    /// As [`Outlet::poll_flush`], for a stream that may have no head yet.
    pub(super) fn poll_flush_of(
        outlet: &mut Option<Outlet>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match outlet {
            Some(outlet) => outlet.poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// As [`Outlet::poll_end`], for a stream that may have no head yet.
    pub(super) fn poll_end_of(
        outlet: &mut Option<Outlet>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        match outlet {
            Some(outlet) => outlet.poll_end(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Says that nothing follows, where only that ends the body.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!((&self.end, &self.body), (End::Open, Body::UntilClose)) {
            self.end = End::Due(None);
        }
        self.poll_flush(cx)
    }

    /// Ready when the other side does not want the stream any more.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stream.poll_reset(cx).map(drop)
    }

    /// Gives the stream up.
    pub(super) fn reset(&mut self, reason: h2::Reason) {
        self.end = End::Said;
        self.stream.send_reset(reason);
    }

    /// How much the stream takes now, of `wanted` bytes.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.stream.reserve_capacity(wanted);
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    /// Keeps the content of `piece`, and says how many bytes of it were used.
    fn take_over(&mut self, piece: &[u8]) -> io::Result<usize> {
        if !matches!(self.body, Body::Chunked(_)) {
            let (start, end) = self.stretch(piece)?;
            self.pending = memory::content(&piece[start..end]);
            return Ok(end);
        }
        let (mut content, mut used) = (BytesMut::with_capacity(piece.len()), 0);
        while used < piece.len() && !self.body.is_done() {
            let (start, end) = self.stretch(&piece[used..])?;
            content.extend_from_slice(&piece[used + start..used + end]);
            used += end;
        }
        self.pending = content.freeze();
        Ok(used)
    }

    /// Where the next stretch of content begins and ends.
    fn stretch(&mut self, bytes: &[u8]) -> io::Result<(usize, usize)> {
        let mut content = 0;
        let take = self.body.take(bytes, Form::Unwrapped, &mut content);
        let take = take.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok((take.skip, take.len()))
    }
}
