//! A request as a backend sees it, whatever its version.

use bytes::Bytes;
use cloverleaf_tests::{Broken, End, Http2Request, Outgoing, Peer, Request};

use super::world::Script;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is none.
    None,
    /// It was said before.
    Known(usize),
    /// By its end.
    Unknown,
}

/// A request and the answer to it.
pub enum Asked<'a> {
    Http1 {
        peer: &'a mut Peer,
        head: Request,
        /// Bytes to come, where they were announced.
        left: Option<usize>,
        chunked: bool,
        answers_chunked: bool,
    },
    Http2 {
        request: &'a mut Http2Request,
        down: Option<Outgoing>,
    },
}

pub fn broken(end: End) -> Broken {
    match end {
        End::Closed | End::Reset => Broken::Lost,
        End::Silent => panic!("nothing comes"),
    }
}

impl Asked<'_> {
    /// Reads the next request of a connection and runs `script` for it.
    pub fn http1(peer: &mut Peer, script: &Script) -> Result<(), End> {
        let head = peer.head()?;
        let chunked = head.header("transfer-encoding").is_some();
        let left = (!chunked).then(|| head.length().unwrap_or(0) as usize);
        let mut asked = Asked::Http1 {
            peer,
            head,
            left,
            chunked,
            answers_chunked: false,
        };
        script(&mut asked).map_err(|_| End::Reset)
    }

    pub fn http2(request: &mut Http2Request) -> Asked<'_> {
        Asked::Http2 {
            request,
            down: None,
        }
    }

    pub fn target(&self) -> String {
        match self {
            Asked::Http1 { head, .. } => head.target().to_owned(),
            Asked::Http2 { request, .. } => request.target().to_owned(),
        }
    }

    pub fn method(&self) -> String {
        match self {
            Asked::Http1 { head, .. } => head.method().to_owned(),
            Asked::Http2 { request, .. } => request.head.method().to_string(),
        }
    }

    pub fn host(&self) -> String {
        match self {
            Asked::Http1 { head, .. } => head.header("host").unwrap_or_default().to_owned(),
            Asked::Http2 { request, .. } => request
                .head
                .uri()
                .authority()
                .map_or_else(String::new, ToString::to_string),
        }
    }

    /// The values of a field, joined by `|`.
    pub fn header(&self, name: &str) -> String {
        let values: Vec<&str> = match self {
            Asked::Http1 { head, .. } => head.headers.all(name).collect(),
            Asked::Http2 { request, .. } => {
                let values = request.head.headers().get_all(name).iter();
                values.filter_map(|value| value.to_str().ok()).collect()
            }
        };
        values.join("|")
    }

    /// The protocol that the client asks for.
    pub fn upgrade(&self) -> String {
        match self {
            Asked::Http1 { head, .. } => head.header("upgrade").unwrap_or_default().to_owned(),
            Asked::Http2 { request, .. } => {
                let protocol = request.head.extensions().get::<h2::ext::Protocol>();
                protocol.map_or_else(String::new, |protocol| protocol.as_str().to_owned())
            }
        }
    }

    /// The next piece of the body.
    pub fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        match self {
            Asked::Http2 { request, .. } => request.body.piece(),
            Asked::Http1 {
                peer,
                left,
                chunked: false,
                ..
            } => {
                let missing = left.unwrap_or(0);
                if missing == 0 {
                    return Ok(None);
                }
                if peer.wire().unread().is_empty() {
                    peer.wire().more().map_err(broken)?;
                }
                let here = peer.wire().unread().len().min(missing);
                *left = Some(missing - here);
                Ok(Some(peer.wire().exactly(here).map_err(broken)?.into()))
            }
            Asked::Http1 { peer, .. } => {
                let line = peer.wire().until(b"\r\n").map_err(broken)?;
                let digits = String::from_utf8_lossy(&line).trim_end().to_owned();
                let size = usize::from_str_radix(&digits, 16).map_err(|_| Broken::Lost)?;
                let mut piece = peer.wire().exactly(size + 2).map_err(broken)?;
                piece.truncate(size);
                Ok((size > 0).then(|| piece.into()))
            }
        }
    }

    /// Exactly so many bytes of a tunnel.
    pub fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Broken> {
        match self {
            Asked::Http1 { peer, .. } => peer.wire().exactly(count).map_err(broken),
            Asked::Http2 { request, .. } => request.body.exactly(count),
        }
    }

    /// The whole body.
    pub fn body(&mut self) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece()? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    pub fn interim(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), Broken> {
        match self {
            Asked::Http1 { peer, .. } => {
                let text = format!("HTTP/1.1 {status} Interim\r\n{}\r\n", lines(fields));
                peer.send(text).map_err(broken)
            }
            Asked::Http2 { request, .. } => request.interim(status, fields),
        }
    }

    /// Begins an answer.
    pub fn answer(
        &mut self,
        status: u16,
        fields: &[(&str, &str)],
        length: Length,
    ) -> Result<(), Broken> {
        let count = match length {
            Length::Known(count) => count.to_string(),
            _ => String::new(),
        };
        let mut fields = fields.to_vec();
        if !count.is_empty() {
            fields.push(("content-length", &count));
        }
        match self {
            Asked::Http1 {
                peer,
                answers_chunked,
                ..
            } => {
                *answers_chunked = length == Length::Unknown;
                if *answers_chunked {
                    fields.push(("Transfer-Encoding", "chunked"));
                } else if length == Length::None && !matches!(status, 101 | 204 | 304) {
                    fields.push(("Content-Length", "0"));
                }
                let text = format!("HTTP/1.1 {status} Status\r\n{}\r\n", lines(&fields));
                peer.send(text).map_err(broken)
            }
            Asked::Http2 { request, down } => match length {
                Length::None => request.answer_head(status, &fields),
                _ => {
                    *down = Some(request.answer(status, &fields)?);
                    Ok(())
                }
            },
        }
    }

    pub fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), Broken> {
        let bytes = bytes.into();
        match self {
            Asked::Http1 {
                peer,
                answers_chunked: true,
                ..
            } => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend_from_slice(&bytes);
                chunk.extend_from_slice(b"\r\n");
                peer.send(chunk).map_err(broken)
            }
            Asked::Http1 { peer, .. } => peer.send(bytes).map_err(broken),
            Asked::Http2 { down, .. } => down.as_mut().ok_or(Broken::Lost)?.send(bytes),
        }
    }

    /// Ends the body, with trailers where its length was not said.
    pub fn end(&mut self, trailers: &[(&str, &str)]) -> Result<(), Broken> {
        match self {
            Asked::Http1 {
                peer,
                answers_chunked: true,
                ..
            } => {
                let text = format!("0\r\n{}\r\n", lines(trailers));
                peer.send(text).map_err(broken)
            }
            Asked::Http1 { .. } => Ok(()),
            Asked::Http2 { down, .. } => {
                let down = down.as_mut().ok_or(Broken::Lost)?;
                match trailers.is_empty() {
                    true => down.end(),
                    false => down.trailers(trailers),
                }
            }
        }
    }

    /// A whole answer.
    pub fn answer_with(&mut self, status: u16, body: impl Into<Bytes>) -> Result<(), Broken> {
        let body = body.into();
        self.answer(status, &[], Length::Known(body.len()))?;
        self.send(body)?;
        self.end(&[])
    }

    /// Breaks the connection off.
    pub fn die(&mut self) -> Result<(), Broken> {
        match self {
            Asked::Http1 { peer, .. } => peer.reset().map_err(broken),
            Asked::Http2 { request, .. } => {
                request.cut_connection();
                Err(Broken::Lost)
            }
        }
    }

    /// Waits until the router gives the request up; whatever still comes of it is dropped.
    pub fn given_up(&mut self) -> Broken {
        match self {
            Asked::Http1 { peer, .. } => broken(peer.wire().rest().1),
            Asked::Http2 { request, down } => {
                let reset = match down {
                    Some(down) => down.reset_by_peer(),
                    None => request.reset_by_peer(),
                };
                reset.map_or_else(|broken| broken, Broken::Reset)
            }
        }
    }
}

fn lines(fields: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
    fields.iter().map(line).collect()
}
