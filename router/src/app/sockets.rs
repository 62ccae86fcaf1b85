//! The listening sockets of the process: taken over from the one before, and offered to the next.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::StartError;
use crate::accept::{listen, listen_beside};
use crate::config::Config;
use crate::control::{Gate, Listener};
use crate::upgrade::{Inherited, Offer, TakeOver};

/// What listens, in this process and the one before it.
#[derive(Debug)]
pub struct Sockets {
    inherited: Inherited,
    /// The process before, until this one serves.
    predecessor: Option<TakeOver>,
    /// Where the next process asks; `None` when there is to be none.
    place: Option<PathBuf>,
    /// Copies for the next process, kept where there may be one.
    copies: Vec<TcpListener>,
    offer: Option<Offer>,
    /// When listeners for operators accept.
    gate: Gate,
}

impl Default for Sockets {
    /// All sockets new, and nobody to take them over.
    fn default() -> Sockets {
        Sockets {
            inherited: Inherited::default(),
            predecessor: None,
            place: None,
            copies: Vec::new(),
            offer: None,
            gate: Gate::default(),
        }
    }
}

impl Sockets {
    /// Takes what the supervisor has opened, or takes over the sockets of the process that serves, where `config` says how one
    /// is found. May wait for that process; to be called on a runtime's thread for what blocks.
    pub fn take_over(config: &Config) -> Sockets {
        let given = Inherited::from_supervisor();
        if !given.is_empty() {
            tracing::info!(target: "main", { listeners = given.len() }, "sockets-of-supervisor");
        }
        let mut sockets = Sockets {
            inherited: given,
            ..Sockets::default()
        };
        if config.upgrade.socket.is_empty() {
            return sockets;
        }
        let place = PathBuf::from(&config.upgrade.socket);
        match ask(config, &place) {
            Found::Nobody => sockets.place = Some(place),
            Found::Predecessor(take_over, inherited) => {
                sockets.gate.wait();
                // A process that is killed meanwhile answers nobody: then this one says how it is.
                match take_over.ended() {
                    Ok(ended) => {
                        let gate = sockets.gate.clone();
                        tokio::spawn(async move {
                            ended.await;
                            gate.open();
                        });
                    }
                    Err(_) => sockets.gate.open(),
                }
                sockets.predecessor = Some(take_over);
                sockets.inherited = inherited;
                sockets.place = Some(place);
            }
            // The place is its own: a next process of that router must find it there.
            Found::Another => {}
        }
        sockets
    }

    /// Listeners on `port` of all addresses for so many workers, at least one for each.
    pub(super) fn of_workers(&mut self, port: u16, workers: usize) -> io::Result<Vec<TcpListener>> {
        let listeners = match self.inherited.take(port, None) {
            none if none.is_empty() => listen(port, workers)?,
            there => listen_beside(there, port, workers)?,
        };
        for listener in &listeners {
            self.keep(listener.try_clone())?;
        }
        Ok(listeners)
    }

    /// A listener for operators.
    pub(super) async fn bind(
        &mut self,
        name: &'static str,
        (host, port): (&str, u16),
    ) -> Result<Listener, StartError> {
        let failed = |error| StartError::Listener {
            listener: name,
            port,
            error,
        };
        let bound = self.bind_any(host, port).await;
        bound.map_err(failed)
    }

    async fn bind_any(&mut self, host: &str, port: u16) -> io::Result<Listener> {
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let there = self.inherited.take(port, address).pop();
        let is_shared = there.is_some();
        let socket = match there {
            Some(there) => {
                there.set_nonblocking(true)?;
                there
            }
            None => tokio::net::TcpListener::bind((host, port))
                .await?
                .into_std()?,
        };
        self.keep(socket.try_clone())?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        Ok(Listener::new(socket, self.gate.clone(), is_shared))
    }

    /// A listener at `HOST:PORT`.
    pub(super) async fn bind_at(&mut self, address: &str) -> io::Result<Listener> {
        let parsed: Option<SocketAddr> = address.parse().ok();
        if let Some(address) = parsed {
            let (host, port) = (address.ip().to_string(), address.port());
            return self.bind_any(&host, port).await;
        }
        let socket = tokio::net::TcpListener::bind(address).await?;
        Ok(Listener::new(socket, self.gate.clone(), false))
    }

    fn keep(&mut self, copy: io::Result<TcpListener>) -> io::Result<()> {
        if self.place.is_some() {
            self.copies.push(copy?);
        }
        Ok(())
    }

    /// Everything listens: tells the process before, and offers the sockets to the next one.
    pub(super) fn serving(&mut self) {
        // What nobody wanted is not listened on any more.
        self.inherited = Inherited::default();
        self.gate.open();
        if let Some(predecessor) = self.predecessor.take() {
            match predecessor.serving() {
                Ok(()) => tracing::info!(target: "main", "upgrade-completed"),
                // It is gone, which is as good.
                Err(error) => {
                    tracing::info!(target: "main", { error = %error }, "upgrade-completed")
                }
            }
        }
        if let Some(place) = &self.place {
            let copies = std::mem::take(&mut self.copies);
            self.offer = Offer::open(place, copies)
                .inspect_err(|error| {
                    let socket = place.display().to_string();
                    tracing::error!(target: "main", { socket, error = %error }, "upgrade-socket-failed");
                })
                .ok();
        }
    }

    /// Waits until the next process serves on the sockets. Safe to cancel.
    pub(super) async fn taken(&self) {
        match &self.offer {
            Some(offer) => offer.taken().await,
            None => std::future::pending().await,
        }
    }

    /// Listeners for operators accept no more: the next process does.
    pub(super) fn retire(&mut self) {
        self.gate.close();
        self.close();
    }

    /// Connections of operators, once there is a next process.
    pub(super) fn operators(&self) -> usize {
        self.gate.connections()
    }

    /// The sockets are offered to nobody any more, so that they end when the workers close theirs.
    pub(super) fn close(&mut self) {
        self.offer = None;
        self.copies.clear();
    }
}

/// Who was found at the place where the next process asks.
enum Found {
    Nobody,
    Predecessor(TakeOver, Inherited),
    /// It has none of the proxy's ports.
    Another,
}

/// What the process that serves has to give.
fn ask(config: &Config, place: &Path) -> Found {
    let socket = place.display().to_string();
    let asked = TakeOver::attempt(place).unwrap_or_else(|error| {
        tracing::error!(target: "main", { socket, error = %error }, "upgrade-not-possible");
        None
    });
    let Some((take_over, inherited)) = asked else {
        return Found::Nobody;
    };
    if !inherited.has_one_of(&[config.port, config.ssl_port]) {
        tracing::error!(target: "main", { socket }, "upgrade-of-another-router");
        return Found::Another;
    }
    let listeners = inherited.len();
    tracing::info!(target: "main", { socket, listeners }, "upgrade-taking-over");
    Found::Predecessor(take_over, inherited)
}
