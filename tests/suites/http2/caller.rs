//! A request as a client makes it, whatever its version.

use bytes::Bytes;
use cloverleaf_tests::{Client, Conversation, Ended, Http2Client, Incoming, Response, request};

use super::asked::Length;
use super::world::{Front, World};

/// A request and its answer.
pub struct Call {
    side: Side,
    head_only: bool,
}

enum Side {
    Http1 {
        client: Client,
        chunked: bool,
        head: Option<Response>,
    },
    Http2 {
        /// Its connection lives as long.
        client: Http2Client,
        conversation: Conversation,
        down: Option<Incoming>,
    },
    Gone,
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    /// The statuses of the interim answers before it.
    pub interim: Vec<u16>,
    fields: Vec<(String, String)>,
}

/// What comes behind it.
#[derive(Debug)]
pub struct Rest {
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    pub is_whole: bool,
}

impl Head {
    /// The values of a field, joined by `|`.
    pub fn header(&self, name: &str) -> String {
        let fits = self
            .fields
            .iter()
            .filter(|field| field.0.eq_ignore_ascii_case(name));
        let values: Vec<&str> = fits.map(|field| field.1.as_str()).collect();
        values.join("|")
    }
}

impl Rest {
    pub fn trailer(&self, name: &str) -> &str {
        let fits = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.trailers
            .iter()
            .find(fits)
            .map_or("", |field| field.1.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request to be made.
pub struct Ask<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub target: &'a str,
    pub fields: &'a [(&'a str, &'a str)],
    pub length: Length,
    /// For a client that reads slowly.
    pub small_buffer: bool,
}

impl<'a> Ask<'a> {
    pub fn get(host: &'a str, target: &'a str) -> Ask<'a> {
        Ask {
            method: "GET",
            host,
            target,
            fields: &[],
            length: Length::None,
            small_buffer: false,
        }
    }

    pub fn post(host: &'a str, target: &'a str, length: Length) -> Ask<'a> {
        Ask {
            method: "POST",
            length,
            ..Ask::get(host, target)
        }
    }
}

impl World {
    /// A connection of HTTP/2.
    #[track_caller]
    pub fn http2_client(&self, front: Front) -> Http2Client {
        match front.is_tls() {
            false => Http2Client::connect(self.router.port()),
            true => Http2Client::over_tls(self.tls_port.number(), self.http2_config())
                .expect("HTTP/2 over TLS"),
        }
    }

    /// Sends the head of a request on a connection of its own.
    #[track_caller]
    pub fn call(&self, front: Front, ask: &Ask<'_>) -> Call {
        let mut fields = ask.fields.to_vec();
        let count = match ask.length {
            Length::Known(count) => count.to_string(),
            _ => String::new(),
        };
        if !count.is_empty() {
            fields.push(("content-length", &count));
        }
        let side = if front.is_http2() {
            let mut client = self.http2_client(front);
            let head = request(ask.method, ask.host, ask.target, &fields);
            let conversation = client.open(head, ask.length == Length::None);
            Side::Http2 {
                client,
                conversation: conversation.expect("a stream"),
                down: None,
            }
        } else {
            let port = self.http1_port(front);
            let mut client = match ask.small_buffer {
                true => Client::connect_with_receive_buffer(port, 64 * 1024),
                false => Client::connect(port),
            };
            let chunked = ask.length == Length::Unknown;
            if chunked {
                fields.push(("Transfer-Encoding", "chunked"));
            }
            let lines: String = fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let Ask {
                method,
                host,
                target,
                ..
            } = ask;
            client.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"
            ));
            Side::Http1 {
                client,
                chunked,
                head: None,
            }
        };
        Call {
            side,
            head_only: ask.method == "HEAD",
        }
    }

    /// Asks for a WebSocket.
    #[track_caller]
    pub fn websocket(&self, front: Front, host: &str) -> Call {
        let upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let ask = Ask {
            fields: &upgrade,
            ..Ask::get(host, "/chat")
        };
        if !front.is_http2() {
            return self.call(front, &ask);
        }
        let mut client = self.http2_client(front);
        // What the router says of itself comes before its first answer.
        client.get("nowhere.test", "/");
        assert!(client.takes_tunnels());
        let mut head = request("CONNECT", host, "/chat", &[upgrade[3]]);
        head.extensions_mut()
            .insert(h2::ext::Protocol::from_static("websocket"));
        let conversation = client.open(head, false).expect("a stream");
        Call {
            side: Side::Http2 {
                client,
                conversation,
                down: None,
            },
            head_only: false,
        }
    }
}

impl Call {
    /// Sends a piece of the body.
    #[track_caller]
    pub fn send(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        match &mut self.side {
            Side::Http1 {
                client,
                chunked: true,
                ..
            } => {
                client.send(format!("{:x}\r\n", bytes.len()));
                client.send(bytes);
                client.send("\r\n");
            }
            Side::Http1 { client, .. } => client.send(bytes),
            Side::Http2 { conversation, .. } => {
                conversation.up.send(bytes).expect("the router takes it");
            }
            Side::Gone => {}
        }
    }

    /// Ends the body.
    #[track_caller]
    pub fn end(&mut self) {
        match &mut self.side {
            Side::Http1 {
                client,
                chunked: true,
                ..
            } => client.send("0\r\n\r\n"),
            Side::Http1 { .. } | Side::Gone => {}
            Side::Http2 { conversation, .. } => conversation.up.end().expect("the router takes it"),
        }
    }

    /// Ends our side of a tunnel.
    pub fn end_tunnel(&mut self) {
        match &mut self.side {
            Side::Http1 { client, .. } => client.wire().half_close(),
            Side::Http2 { conversation, .. } => conversation.up.end().expect("the router takes it"),
            Side::Gone => {}
        }
    }

    /// Waits for an interim answer.
    #[track_caller]
    pub fn wait_for_interim(&mut self, status: u16) {
        match &mut self.side {
            Side::Http1 { client, .. } => {
                let head = client.wire().until(b"\r\n\r\n").expect("a head");
                let head = String::from_utf8_lossy(&head).into_owned();
                assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            }
            Side::Http2 { conversation, .. } => {
                conversation.interim(status).expect("an interim answer");
            }
            Side::Gone => {}
        }
    }

    /// Waits for the head of the answer.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        match &mut self.side {
            Side::Http1 { client, head, .. } => {
                let answer = client.head();
                let code = |line: &String| line.split(' ').nth(1)?.parse().ok();
                let fields = answer.headers.iter();
                let seen = Head {
                    status: answer.status,
                    interim: answer.interim.iter().filter_map(code).collect(),
                    fields: fields.cloned().collect(),
                };
                *head = Some(answer);
                seen
            }
            Side::Http2 {
                conversation, down, ..
            } => {
                let (status, headers, body) = conversation.head().expect("an answer");
                *down = Some(body);
                Head {
                    status,
                    interim: conversation.interims(),
                    fields: fields(&headers),
                }
            }
            Side::Gone => panic!("the client has left"),
        }
    }

    /// Exactly so many bytes of a body without a length, or of a tunnel.
    #[track_caller]
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        match &mut self.side {
            Side::Http1 { client, head, .. } => {
                let mut bytes = Vec::new();
                let head = head.as_ref().expect("the head was read");
                let is_chunked = head.header("Transfer-Encoding").is_some();
                while is_chunked && bytes.len() < count {
                    bytes.extend(client.chunk());
                }
                if !is_chunked {
                    bytes = client.wire().exactly(count).expect("so many bytes");
                }
                bytes
            }
            Side::Http2 { down, .. } => {
                let down = down.as_mut().expect("the head was read");
                down.exactly(count).expect("so many bytes")
            }
            Side::Gone => panic!("the client has left"),
        }
    }

    /// All that is left of the answer.
    #[track_caller]
    pub fn rest(&mut self) -> Rest {
        match &mut self.side {
            Side::Http1 { client, head, .. } => {
                let mut answer = head.take().expect("the head was read");
                let method = if self.head_only { "HEAD" } else { "GET" };
                client.body_of(&mut answer, method);
                Rest {
                    trailers: answer.trailers.iter().cloned().collect(),
                    is_whole: answer.ended == Ended::Complete,
                    body: answer.body,
                }
            }
            Side::Http2 { down, .. } => {
                let down = down.as_mut().expect("the head was read");
                let (body, trailers, ended) = down.rest();
                Rest {
                    body,
                    trailers: fields(&trailers),
                    is_whole: ended.is_ok(),
                }
            }
            Side::Gone => panic!("the client has left"),
        }
    }

    /// All that comes through a tunnel until the other side ends it.
    pub fn rest_of_tunnel(&mut self) -> Vec<u8> {
        match &mut self.side {
            Side::Http1 { client, .. } => client.wire().rest().0,
            Side::Http2 { down, .. } => down.as_mut().expect("the head was read").rest().0,
            Side::Gone => Vec::new(),
        }
    }

    /// Head and body.
    #[track_caller]
    pub fn answer(&mut self) -> (Head, Rest) {
        let head = self.head();
        let rest = self.rest();
        assert!(rest.is_whole, "{head:?}");
        (head, rest)
    }

    /// Leaves: a stream is reset, a connection broken off.
    pub fn cancel(&mut self) {
        match std::mem::replace(&mut self.side, Side::Gone) {
            Side::Http1 { client, .. } => client.reset(),
            Side::Http2 {
                mut conversation,
                client,
                down,
            } => {
                conversation.up.reset(h2::Reason::CANCEL);
                // The connection stays, so that it is not what the router notices.
                self.side = Side::Http2 {
                    conversation,
                    client,
                    down,
                };
            }
            Side::Gone => {}
        }
    }
}

fn fields(map: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect()
}
