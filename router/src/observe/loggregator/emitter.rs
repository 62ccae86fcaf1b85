//! Datagrams to metron. Nobody waits for it, and nobody hears whether it is there.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::breaks::Breaks;
use super::envelope::Datagrams;
use super::socket::Socket;

/// Sends datagrams to one address; any thread may.
#[derive(Debug)]
pub(super) struct Emitter {
    /// `logging.metron_address`, host and port.
    address: Box<str>,
    /// `None` until the name has been looked up.
    to: ArcSwapOption<Socket>,
    lost: AtomicU64,
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
            && let Ok(socket) = Socket::open(address)
        {
            emitter.to.store(Some(Arc::new(socket)));
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
        if known
            .as_ref()
            .is_none_or(|known| known.address() != address)
        {
            self.to.store(Some(Arc::new(Socket::open(address)?)));
        }
        Ok(())
    }

    /// Sends them. What the system does not take at once is lost and counted.
    pub(super) fn send(&self, datagrams: &Datagrams, breaks: &mut Breaks) {
        if datagrams.is_empty() {
            return;
        }
        let sent = match &*self.to.load() {
            Some(socket) => socket.send(&datagrams.pieces(), breaks),
            None => 0,
        };
        let lost = (datagrams.ends.len() as u64).saturating_sub(sent);
        if lost > 0 {
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, UdpSocket};
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
        emitter.send(&datagrams, &mut Breaks::over(Duration::ZERO, 0));
        let mut buffer = [0; 2048];
        let received: BTreeSet<String> = (0..100)
            .map(|_| {
                let length = metron.recv(&mut buffer).unwrap();
                // Behind origin, type, time, the event's head and the name's: the name, and the counter.
                let name = &buffer[18..length - 2];
                String::from_utf8(name.to_vec()).unwrap()
            })
            .collect();
        let sent = (0..100).map(|number| format!("c{number}"));
        assert_eq!(received, sent.collect());
        assert_eq!(emitter.lost(), 1);
    }

    #[test]
    fn nothing_is_sent_before_a_name_is_looked_up() {
        let metron = metron();
        let port = metron.local_addr().unwrap().port();
        let emitter = Emitter::new(&format!("localhost:{port}"));
        let mut datagrams = Datagrams::default();
        datagrams.counter(1, "lost", 1);
        emitter.send(&datagrams, &mut Breaks::over(Duration::ZERO, 0));
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
            emitter.send(&datagrams, &mut Breaks::over(Duration::ZERO, 0));
        }
        assert_eq!(emitter.lost(), 0);
    }
}
