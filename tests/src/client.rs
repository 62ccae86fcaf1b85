//! A client that says exactly what the test says, and sees exactly what came.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::http::{Response, chunk};
use crate::wire::{End, Wire};

/// One client connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
}

impl Client {
    /// Connects to a port of this machine.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(port: u16) -> Client {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => Client {
                wire: Wire::new(stream),
            },
            Err(error) => panic!("port {port}: {error}"),
        }
    }

    /// Connects with a receive buffer of about so many bytes, for a client that reads slowly.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect_with_receive_buffer(port: u16, bytes: usize) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket
            .set_recv_buffer_size(bytes)
            .expect("a receive buffer");
        socket
            .connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
            .expect("a connection");
        Client {
            wire: Wire::new(socket.into()),
        }
    }

    /// The bytes of the connection.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Our address as the router sees it.
    pub fn address(&self) -> SocketAddr {
        self.wire.local_address()
    }

    /// Sends these bytes.
    ///
    /// # Panics
    /// When the router does not take them.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire
            .send(bytes)
            .expect("the router takes what a client sends");
    }

    /// Reads the next final response, with the interim ones before it.
    ///
    /// # Panics
    /// When the connection ends before its head. A body that is cut short shows in [`Response::ended`].
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// As [`Client::response`], for a method whose answers have no body.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.head();
        response.read_body(&mut self.wire, method);
        response
    }

    /// Reads the body behind `head`, the answer to a request with this method.
    pub fn body_of(&mut self, head: &mut Response, method: &str) {
        head.read_body(&mut self.wire, method);
    }

    /// Reads the next final response up to the end of its head.
    ///
    /// # Panics
    /// When the connection ends before that.
    #[track_caller]
    pub fn head(&mut self) -> Response {
        match Response::read_head(&mut self.wire) {
            Ok(response) => response,
            Err(end) => panic!(
                "no response: {end:?} behind {:?}",
                self.wire.unread().escape_ascii().to_string()
            ),
        }
    }

    /// Reads the next chunk of a body in chunks; empty at its end.
    ///
    /// # Panics
    /// When the connection ends before that.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        chunk(&mut self.wire).unwrap_or_else(|end| panic!("no chunk: {end:?}"))
    }

    /// Sends a GET and reads the answer.
    #[track_caller]
    pub fn get(&mut self, host: &str, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.response()
    }

    /// Waits for the end of the connection and says how it ended; nothing may come before.
    ///
    /// # Panics
    /// When something comes.
    #[track_caller]
    pub fn end(&mut self) -> End {
        let (rest, end) = self.wire.rest();
        assert!(
            rest.is_empty(),
            "unexpected: {:?}",
            rest.escape_ascii().to_string()
        );
        end
    }

    /// Whether nothing comes and nothing ends within `time`.
    pub fn is_silent(&mut self, time: Duration) -> bool {
        self.wire.more_within(time) == Err(End::Silent)
    }

    /// Breaks the connection off.
    pub fn reset(self) {
        self.wire.break_off_when_dropped();
    }
}
