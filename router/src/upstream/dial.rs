//! A new connection to an endpoint: its name looked up, connected, and secured where it is registered so.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::TcpStream;

use super::classify::{Cause, DialError};
use super::connection::Connection;
use super::idle::Target;
use super::tls::TlsFailure;
use crate::exchange::{Exchange, nanoseconds};
use crate::route_service::Blocklist;
use crate::table::Endpoint;
use crate::worker::{Timer, Worker};

/// Connects to `endpoint`. Safe to drop at any point: what is open by then is closed.
pub(super) async fn dial(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    target: Target,
    timer: &Timer,
) -> Result<Connection, Cause> {
    let attempts = &mut exchange.record.entry.attempts;
    (attempts.dns_ns, attempts.tls_ns) = (Some(0), Some(0));
    let to = To {
        literal: endpoint.socket_addr(),
        address: endpoint.address(),
        blocklist: None,
    };
    let stream = connect(worker, exchange, &to, timer)
        .await
        .map_err(|error| Cause::Dial {
            address: endpoint.address().to_owned(),
            error,
        })?;
    if !endpoint.tls() {
        return Ok(Connection::plain(target, stream));
    }
    timer.arm(worker.policy.tls_handshake_timeout);
    let began = Instant::now();
    let secured = Connection::secure(target, stream, endpoint, &worker.connector);
    let secured = timer.within(secured).await;
    exchange.record.entry.attempts.tls_ns = Some(nanoseconds(began.elapsed()));
    match secured {
        Some(Ok(connection)) => Ok(connection),
        // As if it had closed before an answer: an instance may accept before its application listens.
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cause::Eof),
        Some(Err(error)) => Err(error.into()),
        None => Err(Cause::Tls(TlsFailure::Timeout)),
    }
}

/// What to connect to.
pub(super) struct To<'a> {
    /// The address, where nothing is to be looked up.
    pub(super) literal: Option<SocketAddr>,
    /// `host:port`
    pub(super) address: &'a str,
    /// Addresses to keep away from.
    pub(super) blocklist: Option<&'a Blocklist>,
}

/// Connects to the first address that can be had.
pub(super) async fn connect(
    worker: &Worker,
    exchange: &mut Exchange,
    to: &To<'_>,
    timer: &Timer,
) -> Result<TcpStream, DialError> {
    timer.arm(worker.policy.dial_timeout);
    let began = Instant::now();
    let attempts = &mut exchange.record.entry.attempts;
    let mut resolved = 0;
    let addresses: Vec<SocketAddr> = match to.literal {
        Some(address) => vec![address],
        None => {
            let found = timer.within(tokio::net::lookup_host(to.address));
            let found = found.await;
            let found = found
                .ok_or(DialError::Timeout)?
                .map_err(DialError::Lookup)?;
            resolved = nanoseconds(began.elapsed());
            attempts.dns_ns = Some(resolved);
            found.collect()
        }
    };
    let mut error = DialError::Io(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        // Of the address that is connected to, so that a name cannot mean another one meanwhile.
        if to.blocklist.is_some_and(|list| list.blocks(address.ip())) {
            error = DialError::Blocked(address.ip().to_canonical());
            continue;
        }
        let dialled = Connection::dial(address, worker.policy.keep_alive_probes);
        match timer.within(dialled).await {
            Some(Ok(stream)) => {
                attempts.dial_ns = Some(nanoseconds(began.elapsed()).saturating_sub(resolved));
                return Ok(stream);
            }
            Some(Err(refused)) => error = DialError::Io(refused),
            None => return Err(DialError::Timeout),
        }
    }
    Err(error)
}
