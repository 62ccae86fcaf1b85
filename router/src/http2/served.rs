//! A stream that a client has opened, as a connection that carries one request and its answer.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::abuse::Abuse;
use super::inlet::{Coding, Inlet};
use super::lines::{self, Lines};
use super::outlet::Outlet;
use super::{broken, text};
use crate::http1::Framing;

/// One stream. Reading gives the request, and after it nothing until the client is gone; what is written is the answer, its
/// head in one piece, interim answers before it.
#[derive(Debug)]
pub(super) struct Served {
    inlet: Inlet,
    respond: SendResponse<Bytes>,
    /// There once the head of the answer is out.
    outlet: Option<Outlet>,
    head_only: bool,
    /// The client opens a tunnel with an extended CONNECT.
    tunnel: bool,
    reset: bool,
    abuse: Rc<Abuse>,
}

impl Served {
    /// A stream with its request; `random` goes into a WebSocket's key. `None` when the request is malformed: the stream is
    /// reset.
    pub(super) fn new(
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        abuse: Rc<Abuse>,
        random: impl FnOnce() -> u128,
    ) -> Option<Served> {
        let has_body = !request.body().is_end_stream();
        let key = || STANDARD.encode(random().to_ne_bytes());
        let text = match text::request(&request, has_body, key) {
            Ok(text) => text,
            Err(reason) => {
                respond.send_reset(reason);
                return None;
            }
        };
        let tunnel = request.extensions().get::<Protocol>().is_some();
        let has_length = || request.headers().contains_key(header::CONTENT_LENGTH);
        let plain = !has_body || tunnel || request.method() == Method::CONNECT || has_length();
        let coding = match plain {
            true => Coding::Plain,
            false => Coding::Chunked,
        };
        Some(Served {
            head_only: request.method() == Method::HEAD,
            inlet: Inlet::new(text, request.into_body(), coding),
            respond,
            outlet: None,
            tunnel,
            reset: false,
            abuse,
        })
    }

    fn is_answered(&self) -> bool {
        self.outlet.as_ref().is_some_and(Outlet::is_ended)
    }

    /// Ready when the client does not want an answer any more.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(match &mut self.outlet {
            Some(outlet) => outlet.poll_reset(cx),
            None => self.respond.poll_reset(cx).map(drop),
        });
        self.reset = true;
        Poll::Ready(())
    }

    /// Sends the head at the beginning of `bytes`, and says how long it was.
    fn answer(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Lines {
            first,
            mut fields,
            framing,
            length,
            ..
        } = lines::head(bytes)?;
        let code = first.get(9..12).unwrap_or_default();
        let mut status = StatusCode::from_bytes(code)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
        if upgraded {
            // RFC 8441 section 4: the tunnel stands with a 2xx, and knows no key.
            fields.remove("sec-websocket-accept");
            status = StatusCode::OK;
        }
        if status.is_informational() {
            let sent = self.respond.send_informational(head(status, fields));
            return sent.map(|()| length).map_err(broken);
        }
        let framing = match (upgraded && self.tunnel, status) {
            (true, _) => Framing::UntilClose,
            _ if self.head_only => Framing::None,
            (_, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Framing::None,
            _ => framing,
        };
        let ends = matches!(framing, Framing::None | Framing::Length(0));
        let stream = self.respond.send_response(head(status, fields), ends);
        self.outlet = Some(Outlet::new(stream.map_err(broken)?, framing));
        Ok(length)
    }
}

fn head(status: StatusCode, fields: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

impl AsyncRead for Served {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_answered() && !self.tunnel {
            // As a connection that the client closes behind the answer; what it still sends is not wanted.
            return Poll::Ready(Ok(()));
        }
        if !self.inlet.is_at_end() {
            let before = buf.filled().len();
            let read = ready!(self.inlet.poll_read(cx, buf));
            self.reset |= read.is_err();
            if read.is_err() || buf.filled().len() > before {
                return Poll::Ready(read);
            }
            // The end of a body whose length was said may come by itself; that is no end of the connection.
        }
        if self.tunnel {
            return Poll::Ready(Ok(()));
        }
        self.poll_reset(cx).map(Ok)
    }
}

impl AsyncWrite for Served {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(outlet) = &mut self.outlet {
            return outlet.poll_write(cx, bytes);
        }
        let head = self.answer(bytes)?;
        let body = match &mut self.outlet {
            Some(outlet) if head < bytes.len() => match outlet.poll_write(cx, &bytes[head..]) {
                Poll::Ready(count) => count?,
                Poll::Pending => 0,
            },
            _ => 0,
        };
        Poll::Ready(Ok(head + body))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Outlet::poll_flush_of(&mut self.outlet, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Outlet::poll_end_of(&mut self.outlet, cx)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.is_answered() {
            return self.abuse.note_answer();
        }
        // Who writes an answer hears of a reset only as an error.
        let noop = &mut Context::from_waker(Waker::noop());
        if self.reset || self.poll_reset(noop).is_ready() {
            self.abuse.note_reset();
        }
        // An answer that broke off must not look whole.
        match &mut self.outlet {
            Some(outlet) => outlet.reset(Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }
}
