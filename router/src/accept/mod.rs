//! Listeners: one per worker and port, spread by the kernel (`SO_REUSEPORT`).

mod preface;
mod proxied;
pub mod proxy_protocol;
mod tls;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::DuplexStream;

use crate::serve::{Peer, serve};
use crate::worker::{Accepted, Inbox, Scheme, Share, Worker, ring};
use preface::serve_plain;
use proxied::{Arrival, arrive};

pub use tls::{FrontEnd, FrontEndError};

/// Connections that the kernel queues for one listener; it caps the number itself.
const BACKLOG: i32 = 4096;
/// Pause after an error such as running out of file descriptors, in which connections that end make room.
const BREATHE: Duration = Duration::from_millis(50);

/// Listeners on `port` of all addresses, one for each worker.
///
/// # Errors
/// When the port is taken, also by another process that would share it.
pub fn listen(port: u16, workers: usize) -> io::Result<Vec<TcpListener>> {
    // A first listener that shares with nobody: a port that another process shares looks free otherwise.
    let address = bind(port, Sharing::Refused)?
        .local_addr()?
        .as_socket()
        .map_or(port, |address| address.port());
    (0..workers).map(|_| share(address)).collect()
}

/// Adds listeners to `there`, which are some on `port`, until there is one for each worker.
///
/// # Errors
/// When the port cannot be shared.
pub fn listen_beside(
    mut there: Vec<TcpListener>,
    port: u16,
    workers: usize,
) -> io::Result<Vec<TcpListener>> {
    for listener in &there {
        listener.set_nonblocking(true)?;
    }
    while there.len() < workers {
        let another = match (share(port), there.first()) {
            // Opened by somebody who does not share the port: then the workers share the socket.
            (Err(error), Some(first)) if error.kind() == io::ErrorKind::AddrInUse => {
                first.try_clone()
            }
            (shared, _) => shared,
        };
        there.push(another?);
    }
    Ok(there)
}

fn share(port: u16) -> io::Result<TcpListener> {
    let socket = bind(port, Sharing::Allowed)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Refused,
    Allowed,
}

/// A socket bound to `port` on IPv6 and IPv4, or on IPv4 alone where the machine has no IPv6.
fn bind(port: u16, sharing: Sharing) -> io::Result<Socket> {
    let bind = |address: SocketAddr| -> io::Result<Socket> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(sharing == Sharing::Allowed)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    match bind((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => bind((Ipv4Addr::UNSPECIFIED, port).into()),
        bound => bound,
    }
}

/// Accepts until the task is dropped.
pub async fn accept(listener: tokio::net::TcpListener, scheme: Scheme, mut worker: Rc<Worker>) {
    loop {
        worker = worker.latest();
        if worker.handover.open() >= worker.policy.max_clients {
            // They wait in the kernel's queue, and those who are here are served.
            tokio::time::sleep(BREATHE).await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                worker = worker.latest();
                // Registered with this runtime already: that is undone only for the few that change hands.
                match worker.handover.is_over_share() {
                    None => admit(stream, peer, scheme, worker.handover.share(), &worker),
                    Some(other) => match stream.into_std() {
                        Ok(stream) => {
                            if let Some(stream) = worker.handover.pass(other, stream, peer, scheme)
                            {
                                adopt(
                                    Accepted {
                                        stream,
                                        peer,
                                        scheme,
                                        share: worker.handover.share(),
                                    },
                                    &worker,
                                );
                            }
                        }
                        Err(error) => tracing::debug!(target: "router", %error, "accept-failed"),
                    },
                }
            }
            Err(error) if is_broken(&error) => {
                tracing::error!(target: "router", { %error, scheme = ?scheme }, "listener-failed");
                // The other workers' listeners may be well, but the share of this one is lost: better all begins anew.
                return worker.health.break_down();
            }
            Err(error) => {
                tracing::warn!(target: "router", %error, "accept-failed");
                tokio::time::sleep(BREATHE).await;
            }
        }
    }
}

/// Whether an error is about the listener itself, which will never accept again, and not about a connection or about what
/// the system is short of.
fn is_broken(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let broken = [Errno::BADF, Errno::INVAL, Errno::NOTSOCK, Errno::OPNOTSUPP];
    error
        .raw_os_error()
        .is_some_and(|code| broken.iter().any(|errno| errno.raw_os_error() == code))
}

/// Serves the connections that wait to be accepted now. For a listener that is about to be closed: the kernel would reset
/// them, and their clients take them for established.
pub fn accept_waiting(listener: &TcpListener, scheme: Scheme, worker: &Rc<Worker>) {
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok() {
            let share = worker.handover.share();
            adopt(
                Accepted {
                    stream,
                    peer,
                    scheme,
                    share,
                },
                worker,
            );
        }
    }
}

/// Serves what other workers pass on, until the task is dropped.
pub async fn receive(mut inbox: Inbox, mut worker: Rc<Worker>) {
    while let Some(accepted) = inbox.recv().await {
        worker = worker.latest();
        adopt(accepted, &worker);
    }
}

fn adopt(accepted: Accepted, worker: &Rc<Worker>) {
    match tokio::net::TcpStream::from_std(accepted.stream) {
        Ok(stream) => admit(
            stream,
            accepted.peer,
            accepted.scheme,
            accepted.share,
            worker,
        ),
        Err(error) => tracing::debug!(target: "router", %error, "accept-failed"),
    }
}

fn admit(
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    scheme: Scheme,
    share: Share,
    worker: &Rc<Worker>,
) {
    // A client that is gone already shows at the first read.
    drop(stream.set_nodelay(true));
    if scheme == Scheme::Https {
        tokio::task::spawn_local(tls::serve_tls(stream, peer, share, Rc::clone(worker)));
        return;
    }
    if worker.policy.proxy_protocol.is_some() {
        tokio::task::spawn_local(serve_proxied(stream, peer, share, Rc::clone(worker)));
        return;
    }
    let peer = Peer::new(peer, false);
    if worker.policy.http2_prior_knowledge {
        let served = serve_plain(stream, None, peer, share, Rc::clone(worker));
        tokio::task::spawn_local(served);
        return;
    }
    if ring::is_on() {
        match stream.into_std().and_then(ring::Stream::new) {
            Ok(stream) => {
                tokio::task::spawn_local(serve(stream, peer, share, Rc::clone(worker)));
            }
            Err(error) => tracing::debug!(target: "router", %error, "accept-failed"),
        }
        return;
    }
    tokio::task::spawn_local(serve(stream, peer, share, Rc::clone(worker)));
}

/// Serves what the router asks of itself (spec 8.6). As if it came over TLS from this machine, and without a port.
pub fn admit_inside(stream: DuplexStream, worker: &Rc<Worker>) {
    let peer = Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), true);
    let share = worker.handover.share();
    tokio::task::spawn_local(serve(stream, peer, share, Rc::clone(worker)));
}

/// Serves a connection whose client a load balancer may name.
async fn serve_proxied(
    mut stream: tokio::net::TcpStream,
    peer: SocketAddr,
    share: Share,
    worker: Rc<Worker>,
) {
    if let Some(Arrival { client, ahead }) = arrive(&mut stream, peer, &worker).await {
        let peer = Peer::new(client, false);
        serve_plain(stream, ahead, peer, share, worker).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_broken_by_what_is_about_itself_alone() {
        for (code, expected) in [
            (9, true),
            (22, true),
            (24, false),
            (103, false),
            (11, false),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_broken(&error), expected, "{error}");
        }
        assert!(!is_broken(&io::ErrorKind::InvalidInput.into()));
    }

    #[test]
    fn a_port_that_another_process_shares_is_taken() {
        let listeners = listen(0, 2).unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        assert_eq!(listeners[1].local_addr().unwrap().port(), port);
        assert_eq!(
            listen(port, 1).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
    }
}
