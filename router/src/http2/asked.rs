//! A stream that the router has opened to a backend, as a connection that carries one request and its answer.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use http::header::{self, HeaderMap};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::broken;
use super::inlet::{Coding, Inlet};
use super::lines::{self, Lines};
use super::multiplexed::Lease;
use super::outlet::Outlet;
use super::text::{self, Extra};
use crate::http1::Framing;
use crate::http1::response::Unusable;

/// Interim answers that wait to be read.
const MOST_UNREAD: usize = 32;
/// Bytes of all of them.
const MOST_UNREAD_BYTES: usize = 1024 * 1024;

/// One stream. The request is written, its head in one piece; then the answer is read.
#[derive(Debug)]
pub struct Asked {
    sender: SendRequest<Bytes>,
    tls: bool,
    head_only: bool,
    upgrade: Option<Upgrade>,
    outlet: Option<Outlet>,
    response: Option<ResponseFuture>,
    /// The head of an interim answer.
    interim: Vec<u8>,
    shown: usize,
    /// Further ones, which have come while nobody could read.
    unread: VecDeque<Vec<u8>>,
    inlet: Option<Inlet>,
    lease: Lease,
}

/// What a request for an upgrade became.
#[derive(Debug)]
struct Upgrade {
    protocol: String,
    /// The answer to the WebSocket's key, which HTTP/2 has none of.
    accept: Option<String>,
}

impl Asked {
    pub(super) fn new(sender: SendRequest<Bytes>, tls: bool, lease: Lease) -> Asked {
        Asked {
            sender,
            tls,
            head_only: false,
            upgrade: None,
            outlet: None,
            response: None,
            interim: Vec::new(),
            shown: 0,
            unread: VecDeque::new(),
            inlet: None,
            lease,
        }
    }

    /// Sends the head at the beginning of `bytes`, and says how long it was.
    fn ask(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = lines::head(bytes)?;
        let mut parts = lines.first.splitn(3, |&byte| byte == b' ');
        let method = parts.next().unwrap_or_default();
        let target = parts.next().unwrap_or_default();
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method).map_err(invalid)?;
        *request.uri_mut() = self.uri(target, &mut lines.fields)?;
        let mut framing = lines.framing;
        if let Some(protocol) = lines.upgrade.take() {
            let upgrade = Upgrade::of(&protocol, &mut lines)?;
            *request.method_mut() = Method::CONNECT;
            let protocol = Protocol::from(upgrade.protocol.as_str());
            request.extensions_mut().insert(protocol);
            self.upgrade = Some(upgrade);
            framing = Framing::UntilClose;
        }
        self.head_only = request.method() == Method::HEAD;
        *request.headers_mut() = lines.fields;
        let ends = matches!(framing, Framing::None | Framing::Length(0));
        let (response, stream) = self.sender.send_request(request, ends).map_err(broken)?;
        self.response = Some(response);
        self.outlet = Some(Outlet::new(stream, framing));
        Ok(lines.length)
    }

    fn uri(&self, target: &[u8], fields: &mut HeaderMap) -> io::Result<Uri> {
        let host = fields.remove(header::HOST);
        let host = host.as_ref().map_or(&b""[..], |host| host.as_bytes());
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(match self.tls {
            true => Scheme::HTTPS,
            false => Scheme::HTTP,
        });
        parts.authority = Some(Authority::try_from(host).map_err(invalid)?);
        let path = PathAndQuery::try_from(target)
            .or_else(|_| PathAndQuery::try_from(escaped(target).as_slice()));
        parts.path_and_query = Some(path.map_err(invalid)?);
        Uri::from_parts(parts).map_err(invalid)
    }

    /// Ready when the head of an answer can be read.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(response) = &mut self.response else {
            return Poll::Pending;
        };
        if let Some(interim) = self.unread.pop_front() {
            self.interim = interim;
            self.shown = 0;
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            self.interim = text::response(&interim.map_err(broken)?, Extra::None);
            self.shown = 0;
            return Poll::Ready(Ok(()));
        }
        let answer = ready!(Pin::new(response).poll(cx)).map_err(|error| {
            if error.is_go_away() {
                self.lease.close();
            }
            let error = broken(error);
            match error.kind() {
                // So the library says that the connection has ended in order.
                io::ErrorKind::BrokenPipe => io::ErrorKind::UnexpectedEof.into(),
                _ => error,
            }
        })?;
        self.response = None;
        let ends = answer.body().is_end_stream();
        let (extra, coding) = self.form(&answer, ends);
        let head = text::response(&answer, extra);
        self.inlet = Some(Inlet::new(head, answer.into_body(), coding));
        Poll::Ready(Ok(()))
    }

    /// Takes in the interim answers that have come, while nobody can read them: no window holds them back, so this is what
    /// bounds them.
    ///
    /// # Errors
    /// When there are too many; the stream is to be given up.
    pub fn take_in(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(response) = &mut self.response
            && let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx)
        {
            self.unread.push_back(text::response(&interim, Extra::None));
            let bytes: usize = self.unread.iter().map(Vec::len).sum();
            if self.unread.len() > MOST_UNREAD || bytes > MOST_UNREAD_BYTES {
                return Err(io::Error::other(Unusable::TooManyInterim));
            }
        }
        Ok(())
    }

    /// What `polled` is while interim answers may come.
    fn beside_interims<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            self.take_in(cx)?;
        }
        polled
    }

    /// How the body of `answer` is shown.
    fn form<T>(&self, answer: &Response<T>, ends: bool) -> (Extra<'_>, Coding) {
        let status = answer.status();
        if let Some(Upgrade { protocol, accept }) = &self.upgrade
            && status.is_success()
        {
            let accept = accept.as_deref();
            return (Extra::Upgraded { protocol, accept }, Coding::Plain);
        }
        let bodiless =
            self.head_only || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (answer.headers().contains_key(header::CONTENT_LENGTH), ends) {
            _ if bodiless => (Extra::None, Coding::Plain),
            (true, _) => (Extra::None, Coding::Plain),
            (false, true) => (Extra::Empty, Coding::Plain),
            (false, false) => (Extra::Chunked, Coding::Chunked),
        }
    }
}

impl Upgrade {
    fn of(protocol: &http::HeaderValue, lines: &mut Lines) -> io::Result<Upgrade> {
        /// RFC 6455 section 1.3.
        const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        let key = lines.fields.remove("sec-websocket-key");
        let accept = key.map(|key| {
            let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(MAGIC);
            STANDARD.encode(digest.finalize())
        });
        Ok(Upgrade {
            protocol: protocol.to_str().map_err(invalid)?.to_owned(),
            accept,
        })
    }
}

/// A target in which what HTTP/2 has no place for is escaped.
fn escaped(target: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(target.len() + 32);
    for &byte in target {
        match byte {
            b'<' | b'>' | b'"' | b'`' | b'^' | b'\\' | b'|' | b'{' | b'}' | b'#' | 0x80.. => {
                escaped.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            _ => escaped.push(byte),
        }
    }
    escaped
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl AsyncRead for Asked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.shown < self.interim.len() {
                let rest = &self.interim[self.shown..];
                let count = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..count]);
                self.shown += count;
                return Poll::Ready(Ok(()));
            }
            if let Some(inlet) = &mut self.inlet {
                return inlet.poll_read(cx, buf);
            }
            ready!(self.poll_answer(cx))?;
        }
    }
}

impl AsyncWrite for Asked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(outlet) = &mut self.outlet {
            let written = outlet.poll_write(cx, bytes);
            return self.beside_interims(cx, written);
        }
        ready!(self.sender.poll_ready(cx)).map_err(|error| {
            self.lease.close();
            broken(error)
        })?;
        Poll::Ready(self.ask(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Outlet::poll_flush_of(&mut self.outlet, cx);
        self.beside_interims(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Outlet::poll_end_of(&mut self.outlet, cx)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.response.is_some() {
            self.lease.doubt();
        }
        if let Some(outlet) = self.outlet.as_mut().filter(|outlet| !outlet.is_ended()) {
            outlet.reset(h2::Reason::CANCEL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http_2_has_no_place_for_in_a_target_is_escaped() {
        let target = "/a<b>?q=\u{e4}\"^`";
        let escaped = escaped(target.as_bytes());
        assert_eq!(escaped, b"/a%3Cb%3E?q=%C3%A4%22%5E%60");
        assert!(PathAndQuery::try_from(escaped.as_slice()).is_ok());
    }
}
