//! A connection to a syslog server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use super::frame::Frames;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the server may leave what it is sent unread.
const STALL: Duration = Duration::from_secs(1);

/// `udp` or `tcp`, with a `4` or a `6` behind it where only one kind of address will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    stream: bool,
    version: Option<u8>,
}

impl Network {
    /// Whether messages follow each other in a stream.
    pub(super) fn is_stream(self) -> bool {
        self.stream
    }

    fn has(self, address: &SocketAddr) -> bool {
        match self.version {
            Some(4) => address.is_ipv4(),
            Some(_) => address.is_ipv6(),
            None => true,
        }
    }
}

impl FromStr for Network {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Network> {
        let (stream, version) = match text {
            "udp" => (false, None),
            "udp4" => (false, Some(4)),
            "udp6" => (false, Some(6)),
            "tcp" => (true, None),
            "tcp4" => (true, Some(4)),
            "tcp6" => (true, Some(6)),
            _ => {
                let error = format!("logging.syslog_network {text:?}: expected udp or tcp");
                return Err(io::Error::new(ErrorKind::InvalidInput, error));
            }
        };
        Ok(Network { stream, version })
    }
}

/// What became of some messages.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Messages that are on their way.
    pub(super) sent: usize,
    /// Messages that could not be sent and never will be.
    pub(super) lost: usize,
    /// Why no more can be sent through this connection.
    pub(super) broken: Option<io::Error>,
}

/// The connection.
#[derive(Debug)]
pub(super) enum Connection {
    Datagrams(UdpSocket),
    Stream(TcpStream),
}

impl Connection {
    /// Connects to one of the server's addresses; blocks for two seconds each.
    pub(super) fn open(network: Network, addresses: &[SocketAddr]) -> io::Result<Connection> {
        let mut last = None;
        for &address in addresses.iter().filter(|found| network.has(found)) {
            let opened = match network.stream {
                true => stream(address).map(Connection::Stream),
                false => datagrams(address).map(Connection::Datagrams),
            };
            match opened {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into()))
    }

    /// Whether this is a datagram socket that sends to none of the addresses: what it is sent is lost without a word,
    /// where a stream breaks.
    pub(super) fn is_astray(&self, addresses: &[SocketAddr]) -> bool {
        match self {
            Connection::Stream(_) => false,
            Connection::Datagrams(socket) => socket
                .peer_addr()
                .is_ok_and(|peer| !addresses.contains(&peer)),
        }
    }

    /// Sends the messages from number `first` on.
    pub(super) fn send(&mut self, frames: &Frames, first: usize) -> Sent {
        match self {
            Connection::Datagrams(socket) => send_datagram(socket, frames.one(first)),
            Connection::Stream(stream) => send_stream(stream, frames, first),
        }
    }
}

fn stream(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_write_timeout(Some(STALL))?;
    Ok(stream)
}

fn datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_write_timeout(Some(STALL))?;
    Ok(socket)
}

fn send_datagram(socket: &UdpSocket, message: &[u8]) -> Sent {
    // The first error may be about an earlier message: that nobody listened then.
    let sent = match socket.send(message) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => socket.send(message),
        sent => sent,
    };
    match sent {
        Ok(_) => Sent {
            sent: 1,
            ..Sent::default()
        },
        Err(_) => Sent {
            lost: 1,
            ..Sent::default()
        },
    }
}

fn send_stream(stream: &mut TcpStream, frames: &Frames, first: usize) -> Sent {
    let bytes = frames.from(first);
    let skipped = frames.text.len() - bytes.len();
    let mut written = 0;
    let mut broken = is_closed(stream).err();
    while broken.is_none() && written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(0) => broken = Some(ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => broken = Some(error),
        }
    }
    // A message that was cut off is sent again as a whole, on the next connection.
    let end = skipped + written;
    let whole = frames.ends.partition_point(|&at| at <= end);
    Sent {
        sent: whole.saturating_sub(first),
        lost: 0,
        broken,
    }
}

/// An error when the server has closed the connection: what is written to it then is lost without a word.
fn is_closed(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let read = stream.read(&mut [0; 512]);
    stream.set_nonblocking(false)?;
    match read {
        Ok(0) => Err(ErrorKind::ConnectionAborted.into()),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
