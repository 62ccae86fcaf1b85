//! A client that speaks TLS.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, StreamOwned};

use crate::eventually::LIMIT;

/// One TLS connection to a port of this machine.
pub struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsClient {
    /// Connects and shakes hands, for the name `127.0.0.1`.
    ///
    /// # Errors
    /// When nobody listens, or the handshake fails. With TLS 1.3 a server's refusal of our certificate shows only at the
    /// first read.
    pub fn connect(port: u16, config: Arc<ClientConfig>) -> io::Result<TlsClient> {
        TlsClient::connect_behind(b"", port, config)
    }

    /// As [`TlsClient::connect`], for this name: the server is told it, and must prove it.
    ///
    /// # Errors
    /// As [`TlsClient::connect`], and when the name is none.
    pub fn connect_to(name: &str, port: u16, config: Arc<ClientConfig>) -> io::Result<TlsClient> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsClient::open(b"", name, port, config)
    }

    /// As [`TlsClient::connect`], with these bytes before the handshake.
    ///
    /// # Errors
    /// As [`TlsClient::connect`].
    pub fn connect_behind(
        preface: &[u8],
        port: u16,
        config: Arc<ClientConfig>,
    ) -> io::Result<TlsClient> {
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        TlsClient::open(preface, name, port, config)
    }

    fn open(
        preface: &[u8],
        name: ServerName<'static>,
        port: u16,
        config: Arc<ClientConfig>,
    ) -> io::Result<TlsClient> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(preface)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsClient { stream })
    }

    /// The protocol above TLS that both agreed on.
    pub fn alpn(&self) -> Option<String> {
        let name = self.stream.conn.alpn_protocol()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// The version that both agreed on.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.stream.conn.protocol_version()
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// When the connection ends before.
    pub fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The server's certificate, as it was sent.
    ///
    /// # Panics
    /// When it sent none.
    pub fn certificate(&self) -> Vec<u8> {
        let sent = self.stream.conn.peer_certificates();
        let leaf = sent.and_then(<[_]>::first).expect("a certificate");
        leaf.to_vec()
    }

    /// How many certificates the server sent.
    pub fn certificates(&self) -> usize {
        self.stream.conn.peer_certificates().map_or(0, <[_]>::len)
    }

    /// Whether an earlier session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends a request and gives the head of the answer and its body, by Content-Length.
    ///
    /// # Errors
    /// When the connection ends before.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> io::Result<(String, Vec<u8>)> {
        self.send(request)?;
        self.answer()
    }

    /// The next answer: its head, and its body by Content-Length.
    ///
    /// # Errors
    /// When the connection ends before.
    pub fn answer(&mut self) -> io::Result<(String, Vec<u8>)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.exactly(1)?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().ok())?
        });
        let body = self.exactly(length.unwrap_or(0))?;
        Ok((head, body))
    }

    /// Whether the server ends the connection without another byte.
    pub fn is_ended(&mut self) -> bool {
        !matches!(self.stream.read(&mut [0]), Ok(1))
    }

    /// Asks for `path` over HTTP/1.1 and gives all that comes until the server closes.
    ///
    /// # Errors
    /// When the connection is broken off.
    pub fn get(mut self, path: &str) -> io::Result<String> {
        self.send(format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        ))?;
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
