//! Datagrams to metron. Nobody waits for it, and nobody hears whether it is there.

use std::io::{self, ErrorKind, IoSlice};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use super::envelope::Datagrams;

/// Datagrams that the system is handed at a time.
const AT_A_TIME: usize = 64;

/// Sends datagrams to one address; any thread may.
#[derive(Debug)]
pub(super) struct Emitter {
    /// `logging.metron_address`, host and port.
    address: Box<str>,
    /// `None` until the name has been looked up.
    to: ArcSwapOption<Target>,
    lost: AtomicU64,
}

#[derive(Debug)]
struct Target {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Emitter {
    /// An address that is no name can be sent to at once.
    pub(super) fn new(address: &str) -> Emitter {
        let emitter = Emitter {
            address: address.into(),
            to: ArcSwapOption::empty(),
            lost: AtomicU64::new(0),
        };
        if let Ok(address) = address.parse::<SocketAddr>()
            && let Ok(target) = Target::open(address)
        {
            emitter.to.store(Some(Arc::new(target)));
        }
        emitter
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Datagrams that were not sent.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Looks the name up, which may take seconds. Where it cannot be found what is known of it stays.
    pub(super) fn look_up(&self) -> io::Result<()> {
        let mut found = self.address.to_socket_addrs()?;
        let address = found.next().ok_or(ErrorKind::AddrNotAvailable)?;
        let known = self.to.load();
        if known.as_ref().is_none_or(|known| known.address != address) {
            self.to.store(Some(Arc::new(Target::open(address)?)));
        }
        Ok(())
    }

    /// Sends them. What the system does not take at once is lost and counted.
    pub(super) fn send(&self, datagrams: &Datagrams) {
        if datagrams.is_empty() {
            return;
        }
        let sent = match &*self.to.load() {
            Some(target) => target.send(datagrams),
            None => 0,
        };
        let lost = (datagrams.ends.len() as u64).saturating_sub(sent);
        if lost > 0 {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

impl Target {
    fn open(address: SocketAddr) -> io::Result<Target> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // Not connected: then nothing is told of a metron that is away.
        Ok(Target { socket, address })
    }

    /// How many were sent.
    fn send(&self, datagrams: &Datagrams) -> u64 {
        let address = self.address.as_any();
        let mut pieces = Vec::with_capacity(datagrams.ends.len());
        let mut start = 0;
        for &end in &datagrams.ends {
            let piece = datagrams.bytes.get(start..end).unwrap_or_default();
            pieces.push([IoSlice::new(piece)]);
            start = end;
        }
        pieces
            .chunks(AT_A_TIME)
            .map(|chunk| send_chunk(&self.socket, &address, chunk))
            .sum()
    }
}

fn send_chunk(socket: &UdpSocket, address: &SocketAddrAny, pieces: &[[IoSlice<'_>; 1]]) -> u64 {
    let mut controls: Vec<_> = pieces
        .iter()
        .map(|_| SendAncillaryBuffer::default())
        .collect();
    let mut messages: Vec<_> = pieces
        .iter()
        .zip(&mut controls)
        .map(|(piece, control)| MMsgHdr::new_with_addr(address, piece, control))
        .collect();
    let mut sent = 0;
    let mut rest = &mut messages[..];
    while !rest.is_empty() {
        match sendmmsg(socket, rest, SendFlags::empty()) {
            // What stands first cannot be sent, such as one that is too long for a datagram.
            Ok(0) | Err(_) => rest = &mut rest[1..],
            Ok(count) => {
                sent += count as u64;
                rest = &mut rest[count..];
            }
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn metron() -> UdpSocket {
        let metron = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let limit = Duration::from_secs(20);
        metron.set_read_timeout(Some(limit)).unwrap();
        metron
    }

    #[test]
    fn each_envelope_is_a_datagram_and_one_that_is_too_long_costs_no_other() {
        let metron = metron();
        let emitter = Emitter::new(&metron.local_addr().unwrap().to_string());
        let mut datagrams = Datagrams::default();
        for number in 0..100 {
            datagrams.counter(1, &format!("c{number}"), 1);
            if number == 70 {
                datagrams.counter(1, &"x".repeat(70_000), 1);
            }
        }
        emitter.send(&datagrams);
        let mut buffer = [0; 2048];
        for number in 0..100 {
            let length = metron.recv(&mut buffer).unwrap();
            let name = format!("c{number}");
            let text = String::from_utf8_lossy(&buffer[..length]);
            assert!(text.contains(&name), "{name} in {text}");
        }
        assert_eq!(emitter.lost(), 1);
    }

    #[test]
    fn nothing_is_sent_before_a_name_is_looked_up() {
        let metron = metron();
        let port = metron.local_addr().unwrap().port();
        let emitter = Emitter::new(&format!("localhost:{port}"));
        let mut datagrams = Datagrams::default();
        datagrams.counter(1, "lost", 1);
        emitter.send(&datagrams);
        assert_eq!(emitter.lost(), 1);
    }

    #[test]
    fn a_name_that_nobody_knows_changes_nothing() {
        let emitter = Emitter::new("no-such-host.invalid:1");
        assert!(emitter.look_up().is_err());
        assert_eq!(emitter.address(), "no-such-host.invalid:1");
    }

    #[test]
    fn nobody_there_is_nothing_lost() {
        let gone = metron().local_addr().unwrap();
        let emitter = Emitter::new(&gone.to_string());
        let mut datagrams = Datagrams::default();
        datagrams.counter(1, "sent", 1);
        for _ in 0..3 {
            emitter.send(&datagrams);
        }
        assert_eq!(emitter.lost(), 0);
    }
}
