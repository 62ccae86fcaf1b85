//! The listening sockets of the process: taken over from the one before, and offered to the next.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tokio::sync::watch;

use super::StartError;
use crate::accept::{listen, listen_beside};
use crate::config::Config;
use crate::control::Listener;
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
    /// Whether listeners for operators accept no more.
    retired: watch::Sender<bool>,
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
            retired: watch::Sender::new(false),
        }
    }
}

impl Sockets {
    /// Takes what the supervisor has opened, or takes over the sockets of the process that serves, where `config` says how one
    /// is found. May wait for that process.
    pub fn take_over(config: &Config) -> Sockets {
        let given = Inherited::from_supervisor();
        if !given.is_empty() {
            tracing::info!(target: "main", { listeners = given.len() }, "sockets-of-supervisor");
        }
        let mut sockets = Sockets {
            inherited: given,
            ..Sockets::default()
        };
        if !config.upgrade.socket.is_empty() {
            let place = PathBuf::from(&config.upgrade.socket);
            if let Some((take_over, inherited)) = ask(config, &place) {
                sockets.predecessor = Some(take_over);
                sockets.inherited = inherited;
            }
            sockets.place = Some(place);
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
        let socket = bound.map_err(failed)?;
        Ok(Listener::new(socket, self.retired.subscribe()))
    }

    async fn bind_any(&mut self, host: &str, port: u16) -> io::Result<tokio::net::TcpListener> {
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let socket = match self.inherited.take(port, address).pop() {
            Some(there) => {
                there.set_nonblocking(true)?;
                there
            }
            None => tokio::net::TcpListener::bind((host, port))
                .await?
                .into_std()?,
        };
        self.keep(socket.try_clone())?;
        tokio::net::TcpListener::from_std(socket)
    }

    /// A listener at `HOST:PORT`.
    pub(super) async fn bind_at(&mut self, address: &str) -> io::Result<Listener> {
        let parsed: Option<SocketAddr> = address.parse().ok();
        let socket = match parsed {
            Some(address) => {
                self.bind_any(&address.ip().to_string(), address.port())
                    .await?
            }
            None => tokio::net::TcpListener::bind(address).await?,
        };
        Ok(Listener::new(socket, self.retired.subscribe()))
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
        self.retired.send_replace(true);
        self.close();
    }

    /// The sockets are offered to nobody any more, so that they end when the workers close theirs.
    pub(super) fn close(&mut self) {
        self.offer = None;
        self.copies.clear();
    }
}

/// What the process that serves has to give. Where it has none of the proxy's ports it is another router, and is left alone.
fn ask(config: &Config, place: &Path) -> Option<(TakeOver, Inherited)> {
    let socket = place.display().to_string();
    let asked = TakeOver::attempt(place).unwrap_or_else(|error| {
        tracing::error!(target: "main", { socket, error = %error }, "upgrade-not-possible");
        None
    });
    let (take_over, inherited) = asked?;
    if !inherited.has_one_of(&[config.port, config.ssl_port]) {
        tracing::error!(target: "main", { socket }, "upgrade-of-another-router");
        return None;
    }
    let listeners = inherited.len();
    tracing::info!(target: "main", { socket, listeners }, "upgrade-taking-over");
    Some((take_over, inherited))
}
