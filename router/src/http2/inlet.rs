//! What arrives on a stream, as the bytes of an HTTP/1.1 message.

use std::io::{self, Write};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::RecvStream;
use tokio::io::ReadBuf;

use super::{broken, memory, text};

/// How the body is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is: its length was said, or the stream is a tunnel.
    Plain,
    /// In the chunked coding, with trailers behind it.
    Chunked,
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) struct Inlet {
    stream: RecvStream,
    coding: Coding,
    /// A head, or framing: goes first.
    text: Vec<u8>,
    shown: usize,
    /// Content behind it.
    content: Bytes,
    ended: bool,
}

impl Inlet {
    /// Shows `head`, and then what arrives on `stream`.
    pub(super) fn new(head: Vec<u8>, stream: RecvStream, coding: Coding) -> Inlet {
        Inlet {
            ended: stream.is_end_stream(),
            stream,
            coding,
            text: head,
            shown: 0,
            content: Bytes::new(),
        }
        .with_end()
    }

    /// A message that ends with its head: nothing of the chunked coding follows.
    fn with_end(mut self) -> Inlet {
        if self.ended {
            self.coding = Coding::Plain;
        }
        self
    }

    /// Whether everything was shown.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended && self.shown == self.text.len() && self.content.is_empty()
    }

    /// Fills `buf` as far as there are bytes; leaves it empty at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            if self.shown < self.text.len() {
                let rest = &self.text[self.shown..];
                let count = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..count]);
                self.shown += count;
                continue;
            }
            if !self.content.is_empty() {
                let count = self.content.len().min(buf.remaining());
                buf.put_slice(&self.content[..count]);
                self.content.advance(count);
                // Only now may the other side send as much again.
                drop(self.stream.flow_control().release_capacity(count));
                if self.content.is_empty() && self.coding == Coding::Chunked {
                    self.say(|text| text.extend_from_slice(b"\r\n"));
                }
                continue;
            }
            if self.ended {
                break;
            }
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(content))) => self.show(content),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(broken(error))),
                Poll::Ready(None) => ready!(self.poll_end(cx))?,
                Poll::Pending if buf.filled().len() > before => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn show(&mut self, content: Bytes) {
        if self.coding == Coding::Chunked && !content.is_empty() {
            let length = content.len();
            // Writing to a vector cannot fail.
            self.say(|text| drop(write!(text, "{length:x}\r\n")));
        }
        self.content = content;
    }

    /// Behind the last byte of content.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(broken)?;
        self.ended = true;
        if self.coding == Coding::Chunked {
            self.say(|text| {
                text.extend_from_slice(b"0\r\n");
                if let Some(trailers) = &trailers {
                    text::trailers(trailers, text);
                }
                text.extend_from_slice(b"\r\n");
            });
        }
        Poll::Ready(Ok(()))
    }

    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.text.clear();
        self.shown = 0;
        write(&mut self.text);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        memory::give_back(std::mem::take(&mut self.text));
    }
}
