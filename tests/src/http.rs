//! HTTP/1 messages as they are on the wire: no repairs, no defaults.

use crate::wire::{End, Wire};

/// Header lines in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By its own framing.
    Complete,
    /// Cut short.
    Cut(End),
}

/// A request as a backend got it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The first line.
    pub line: String,
    /// Header lines.
    pub headers: Headers,
    /// The body without its framing; empty when only the head was read.
    pub body: Vec<u8>,
    /// Number of the connection that it came on, counted from 1 for each backend.
    pub connection: usize,
}

/// A response as a client got it.
#[derive(Clone, Debug)]
pub struct Response {
    /// Heads of the interim responses before it.
    pub interim: Vec<String>,
    /// The first line.
    pub line: String,
    /// The status code.
    pub status: u16,
    /// Header lines.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailer lines.
    pub trailers: Headers,
    /// How it ended.
    pub ended: Ended,
}

/// A 200 response with `body` and its length.
pub fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Headers {
    /// The first value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let fits = move |line: &&(String, String)| line.0.eq_ignore_ascii_case(name);
        self.0.iter().filter(fits).map(|line| line.1.as_str())
    }

    /// Names and values in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    fn parse(text: &str) -> Headers {
        let lines = text.split("\r\n").filter(|line| !line.is_empty());
        let field = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        };
        Headers(lines.map(field).collect())
    }

    fn is_chunked(&self) -> bool {
        self.all("Transfer-Encoding")
            .any(|value| value.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.get("Content-Length")
            .and_then(|value| value.parse().ok())
    }
}

impl Request {
    /// Its method.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Its target as sent.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The length that the head announces; none for a body in chunks and for no body.
    pub fn length(&self) -> Option<u64> {
        self.headers.length()
    }

    /// Reads a head.
    pub(crate) fn read_head(wire: &mut Wire, connection: usize) -> Result<Request, End> {
        let (line, headers) = head(wire)?;
        Ok(Request {
            line,
            headers,
            body: Vec::new(),
            connection,
        })
    }

    /// Reads the body behind the head.
    pub(crate) fn read_body(&mut self, wire: &mut Wire) -> Result<(), End> {
        let is_chunked = self.headers.is_chunked();
        match (is_chunked, self.headers.length()) {
            (true, _) => chunks(wire, &mut self.body).map(drop),
            (false, Some(length)) => {
                self.body = wire.exactly(usize::try_from(length).unwrap_or(usize::MAX))?;
                Ok(())
            }
            (false, None) => Ok(()),
        }
    }
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether all of it came.
    pub fn is_complete(&self) -> bool {
        self.ended == Ended::Complete
    }

    /// Reads interim heads and the final one; the body stays on the wire.
    pub(crate) fn read_head(wire: &mut Wire) -> Result<Response, End> {
        let mut interim = Vec::new();
        loop {
            let (line, headers) = head(wire)?;
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0);
            if (100..200).contains(&status) && status != 101 {
                interim.push(line);
                continue;
            }
            let (body, trailers) = (Vec::new(), Headers::default());
            return Ok(Response {
                interim,
                line,
                status,
                headers,
                body,
                trailers,
                ended: Ended::Complete,
            });
        }
    }

    /// Reads the body of the answer to a request with this method.
    pub(crate) fn read_body(&mut self, wire: &mut Wire, method: &str) {
        if method == "HEAD" || matches!(self.status, 101 | 204 | 304) {
            return;
        }
        let read = match (self.headers.is_chunked(), self.headers.length()) {
            (true, _) => chunks(wire, &mut self.body).map(|trailers| self.trailers = trailers),
            (false, Some(length)) => loop {
                let missing = usize::try_from(length).unwrap_or(usize::MAX) - self.body.len();
                let here = missing.min(wire.unread().len());
                self.body.extend(wire.exactly(here).unwrap_or_default());
                if here == missing {
                    break Ok(());
                }
                if let Err(end) = wire.more() {
                    break Err(end);
                }
            },
            (false, None) => match wire.rest() {
                (body, End::Closed) => {
                    self.body = body;
                    Ok(())
                }
                (body, end) => {
                    self.body = body;
                    Err(end)
                }
            },
        };
        if let Err(end) = read {
            self.ended = Ended::Cut(end);
        }
    }
}

fn head(wire: &mut Wire) -> Result<(String, Headers), End> {
    let bytes = wire.until(b"\r\n\r\n")?;
    let text: String = bytes.into_iter().map(char::from).collect();
    let (line, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    Ok((line.to_owned(), Headers::parse(rest)))
}

/// Reads a body in chunks into `body` and gives the trailer lines.
fn chunks(wire: &mut Wire, body: &mut Vec<u8>) -> Result<Headers, End> {
    loop {
        let part = chunk(wire)?;
        if part.is_empty() {
            let mut trailers = String::new();
            loop {
                let line = wire.until(b"\r\n")?;
                if line == b"\r\n" {
                    return Ok(Headers::parse(&trailers));
                }
                trailers.extend(line.into_iter().map(char::from));
            }
        }
        body.extend(part);
    }
}

/// Reads one chunk; an empty one is the last, with the trailer section still on the wire.
pub(crate) fn chunk(wire: &mut Wire) -> Result<Vec<u8>, End> {
    let line = wire.until(b"\r\n")?;
    let digits: String = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .map(|byte| char::from(*byte))
        .collect();
    let size = usize::from_str_radix(&digits, 16).map_err(|_| End::Reset)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    let part = wire.exactly(size)?;
    wire.exactly(2)?;
    Ok(part)
}
