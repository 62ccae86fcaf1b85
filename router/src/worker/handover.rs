//! Accepted sockets change hands when a worker is over its share.
//!
//! The kernel spreads connections over the workers' listeners by hash, which is uneven when there are few of them (a
//! load balancer with keep-alive in front). A worker that has clearly more than the least loaded one passes a socket on
//! right after accepting it, before anything is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A connection that is over the others by this many, or by a quarter of the least loaded worker's, changes hands.
const SLACK: usize = 2;

/// A socket that was accepted, not yet registered with any runtime.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking.
    pub stream: std::net::TcpStream,
    /// The client.
    pub peer: SocketAddr,
    /// What it speaks.
    pub scheme: Scheme,
    /// Counts for the worker that it is passed to, from now on.
    pub share: Share,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// Where a worker receives what others pass on.
pub type Inbox = UnboundedReceiver<Accepted>;

/// One worker's view of all workers' loads.
#[derive(Clone, Debug)]
pub struct Handover {
    me: usize,
    all: Arc<[Peer]>,
}

#[derive(Debug)]
struct Peer {
    open: AtomicUsize,
    upgraded: AtomicUsize,
    inbox: UnboundedSender<Accepted>,
}

/// Counts one open connection for as long as it lives.
#[derive(Debug)]
pub struct Share {
    handover: Handover,
}

/// Counts one upgraded connection for as long as it lives.
#[derive(Debug)]
pub struct Upgrade {
    handover: Handover,
}

/// For each of `workers` its view and its inbox.
pub fn handovers(workers: usize) -> Vec<(Handover, Inbox)> {
    let (peers, inboxes): (Vec<_>, Vec<_>) = (0..workers)
        .map(|_| {
            let (inbox, receiver) = unbounded_channel();
            (
                Peer {
                    open: AtomicUsize::new(0),
                    upgraded: AtomicUsize::new(0),
                    inbox,
                },
                receiver,
            )
        })
        .unzip();
    let all: Arc<[Peer]> = peers.into();
    inboxes
        .into_iter()
        .enumerate()
        .map(|(me, inbox)| {
            (
                Handover {
                    me,
                    all: Arc::clone(&all),
                },
                inbox,
            )
        })
        .collect()
}

impl Handover {
    /// The worker that should get the next connection, when that is not us.
    pub fn is_over_share(&self) -> Option<usize> {
        let mine = self.all[self.me].open.load(Ordering::Relaxed);
        let loads = self
            .all
            .iter()
            .map(|peer| peer.open.load(Ordering::Relaxed));
        let (least, load) = loads.enumerate().min_by_key(|(_, load)| *load)?;
        (least != self.me && mine > load + SLACK.max(load / 4)).then_some(least)
    }

    /// Passes a socket to `other`; gives it back when that worker has ended.
    pub fn pass(
        &self,
        other: usize,
        stream: std::net::TcpStream,
        peer: SocketAddr,
        scheme: Scheme,
    ) -> Option<std::net::TcpStream> {
        // Counted here and not when it arrives: the next decision may come before that.
        let accepted = Accepted {
            stream,
            peer,
            scheme,
            share: self.share_of(other),
        };
        self.all[other]
            .inbox
            .send(accepted)
            .err()
            .map(|returned| returned.0.stream)
    }

    /// Counts a connection of ours. To be called as soon as it is accepted: many may come before the first is served.
    pub fn share(&self) -> Share {
        self.share_of(self.me)
    }

    fn share_of(&self, worker: usize) -> Share {
        self.all[worker].open.fetch_add(1, Ordering::Relaxed);
        Share {
            handover: Handover {
                me: worker,
                all: Arc::clone(&self.all),
            },
        }
    }

    /// Counts a connection of ours as upgraded for as long as the value lives: it is one that no drain waits for.
    pub fn upgrade(&self) -> Upgrade {
        self.all[self.me].upgraded.fetch_add(1, Ordering::Relaxed);
        Upgrade {
            handover: self.clone(),
        }
    }

    /// Connections open on all workers.
    pub fn open(&self) -> usize {
        self.open_by_worker().sum()
    }

    /// Connections open on each worker.
    pub fn open_by_worker(&self) -> impl Iterator<Item = usize> {
        self.all
            .iter()
            .map(|peer| peer.open.load(Ordering::Relaxed))
    }

    /// How many of the open ones are upgraded.
    pub fn upgraded(&self) -> usize {
        let upgraded = self.all.iter();
        upgraded
            .map(|peer| peer.upgraded.load(Ordering::Relaxed))
            .sum()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.handover.all[self.handover.me]
            .open
            .fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        self.handover.all[self.handover.me]
            .upgraded
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> (std::net::TcpStream, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = stream.local_addr().unwrap();
        (stream, peer)
    }

    #[test]
    fn a_worker_over_its_share_passes_sockets_to_the_least_loaded() {
        let mut workers = handovers(2);
        let (other, mut inbox) = workers.pop().unwrap();
        let (me, _inbox) = workers.pop().unwrap();
        let shares: Vec<_> = (0..SLACK).map(|_| me.share()).collect();
        assert_eq!(me.is_over_share(), None, "within the slack");
        let over = me.share();
        assert_eq!(me.is_over_share(), Some(1));
        let (stream, peer) = accepted();
        assert!(me.pass(1, stream, peer, Scheme::Http).is_none());
        assert_eq!(
            me.is_over_share(),
            None,
            "what was passed on counts before it has arrived"
        );
        let passed = inbox.try_recv().unwrap();
        let _other = other.share();
        drop((shares, over));
        assert_eq!(me.open(), 2);
        drop(passed);
        assert_eq!(me.open(), 1);
    }

    #[test]
    fn a_socket_that_a_worker_does_not_take_any_more_comes_back() {
        let mut workers = handovers(2);
        drop(workers.pop());
        let (me, _inbox) = workers.pop().unwrap();
        let (stream, peer) = accepted();
        assert!(me.pass(1, stream, peer, Scheme::Http).is_some());
        assert_eq!(me.open(), 0);
    }
}
