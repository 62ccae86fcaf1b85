//! Listening sockets that are there already.

use std::collections::HashMap;
use std::net::{IpAddr, TcpListener};

use listenfd::ListenFd;

/// Listening sockets of the process before, until somebody takes them.
#[derive(Debug, Default)]
pub struct Inherited {
    by_port: HashMap<u16, Vec<TcpListener>>,
}

impl Inherited {
    /// The sockets that a supervisor has opened for this process (`LISTEN_FDS`, as systemd does).
    pub fn from_supervisor() -> Inherited {
        let mut inherited = Inherited::default();
        let mut given = ListenFd::from_env();
        for number in 0..given.len() {
            match given.take_tcp_listener(number) {
                Ok(Some(listener)) => inherited.add(listener),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(target: "main", { number, error = %error }, "socket-of-supervisor-unusable");
                }
            }
        }
        inherited
    }

    /// Keeps a socket; one that listens on no port is of no use.
    pub fn add(&mut self, listener: TcpListener) {
        if let Ok(address) = listener.local_addr() {
            self.by_port
                .entry(address.port())
                .or_default()
                .push(listener);
        }
    }

    /// The sockets that listen on this port, and on this address where it matters; none for port 0.
    pub fn take(&mut self, port: u16, address: Option<IpAddr>) -> Vec<TcpListener> {
        let fits = |listener: &TcpListener| {
            let there = listener.local_addr().map(|there| there.ip().to_canonical());
            address.is_none_or(|wanted| there.is_ok_and(|there| there == wanted))
        };
        match self.by_port.get(&port) {
            Some(listeners) if listeners.iter().all(fits) => {
                self.by_port.remove(&port).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Whether something listens on one of these ports.
    pub fn has_one_of(&self, ports: &[u16]) -> bool {
        ports.iter().any(|port| self.by_port.contains_key(port))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_port.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_port.is_empty()
    }
}
