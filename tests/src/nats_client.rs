//! The few NATS commands that the suites need, spoken on a plain or a TLS connection.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};

use crate::bus::BusAccess;
use crate::eventually::LIMIT;

/// A message from a subscription.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it was published to.
    pub subject: String,
    /// Its bytes.
    pub payload: Vec<u8>,
}

impl Message {
    /// The payload as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).expect("a payload in JSON")
    }
}

/// One connection to a NATS server. It reads only when asked to: see [`NatsClient::messages`].
pub struct NatsClient {
    stream: BufReader<Stream>,
    received: VecDeque<Message>,
    subscriptions: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl NatsClient {
    /// Connects and has the server confirm it.
    ///
    /// # Errors
    /// When the server does not listen, or does not let us in.
    pub fn connect(port: u16, access: &BusAccess) -> io::Result<NatsClient> {
        let plain = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        plain.set_nodelay(true)?;
        plain.set_read_timeout(Some(LIMIT))?;
        let mut greeting = BufReader::with_capacity(1, plain);
        // The server's INFO comes first, before any TLS.
        greeting.read_line(&mut String::new())?;
        let plain = greeting.into_inner();
        let stream = match access.tls() {
            Some(config) => Stream::Tls(Box::new(tls(plain, config)?)),
            None => Stream::Plain(plain),
        };
        let mut client = NatsClient {
            stream: BufReader::new(stream),
            received: VecDeque::new(),
            subscriptions: 0,
        };
        let mut options =
            json!({ "verbose": false, "pedantic": false, "lang": "rust", "version": "1" });
        if let Some((user, password)) = access.credentials() {
            options["user"] = user.into();
            options["pass"] = password.into();
        }
        client.write(format!("CONNECT {options}\r\n").as_bytes())?;
        client.flush()?;
        Ok(client)
    }

    /// Publishes and waits until the server has it.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn publish(&mut self, subject: &str, payload: impl AsRef<[u8]>) {
        self.request(subject, "", payload);
    }

    /// Publishes with a subject for replies, and waits until the server has it.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn request(&mut self, subject: &str, reply: &str, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref();
        let mut bytes = format!("PUB {subject} {reply} {}\r\n", payload.len()).into_bytes();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes)
            .and_then(|()| self.flush())
            .expect("the NATS server takes a message");
    }

    /// Subscribes to a subject.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn subscribe(&mut self, subject: &str) {
        self.subscriptions += 1;
        let command = format!("SUB {subject} {}\r\n", self.subscriptions);
        self.write(command.as_bytes())
            .and_then(|()| self.flush())
            .expect("the NATS server takes a subscription");
    }

    /// All messages on this subject that the server has passed on by now.
    ///
    /// # Panics
    /// When the connection is gone.
    pub fn messages(&mut self, subject: &str) -> Vec<Message> {
        self.flush().expect("the NATS server answers");
        self.received
            .iter()
            .filter(|message| message.subject == subject)
            .cloned()
            .collect()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Sends PING and takes all that comes before the PONG.
    fn flush(&mut self) -> io::Result<()> {
        self.write(b"PING\r\n")?;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("PONG") => return Ok(()),
                Some("PING") => self.write(b"PONG\r\n")?,
                Some("MSG") => {
                    let subject = words.next().unwrap_or_default().to_owned();
                    let length = words
                        .next_back()
                        .and_then(|word| word.parse().ok())
                        .unwrap_or(0);
                    let mut payload = vec![0; length + 2];
                    self.stream.read_exact(&mut payload)?;
                    payload.truncate(length);
                    self.received.push_back(Message { subject, payload });
                }
                Some("-ERR") => return Err(io::Error::other(line)),
                _ => {}
            }
        }
    }
}

fn tls(
    plain: TcpStream,
    config: Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(
        config,
        ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST)),
    )
    .map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, plain))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
