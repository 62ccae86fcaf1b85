//! A new connection to an endpoint: its name looked up, connected, and secured where it is registered so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;

use super::classify::{Cause, DialError};
use super::connection::Connection;
use super::idle::Target;
use super::tls::TlsFailure;
use crate::exchange::{Exchange, nanoseconds};
use crate::http2::Multiplexed;
use crate::route_service::Blocklist;
use crate::table::{Endpoint, Protocol};
use crate::worker::{Timer, Worker};

/// Whether HTTP/2 is spoken with `endpoint`, if it likes: over TLS it is asked, without it has to be known (spec 4.7).
pub(super) fn speaks_http2(worker: &Worker, endpoint: &Endpoint) -> bool {
    endpoint.protocol() == Protocol::Http2 && (endpoint.tls() || worker.policy.http2_plain_backends)
}

/// Connects to `endpoint`. Safe to drop at any point: what is open by then is closed.
pub(super) async fn dial(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Arc<Endpoint>,
    target: Target,
    timer: &Timer,
) -> Result<Connection, Cause> {
    let attempts = &mut exchange.record.entry.attempts;
    (attempts.dns_ns, attempts.tls_ns) = (Some(0), Some(0));
    let tunnel = exchange.notes.upgrade.is_some();
    let http2 = speaks_http2(worker, endpoint)
        && !(tunnel && worker.shared.borrow().refuses_tunnels(target));
    let mut guard = None;
    if http2 && !tunnel && !worker.policy.close_backends {
        if let Some(stream) = made_by_another(worker, target).await {
            return Ok(stream);
        }
        guard = Some(worker.shared.borrow_mut().begin(target));
    }
    let made = make(worker, exchange, endpoint, target, timer, http2).await?;
    let made = match made {
        Made::Connection(connection) => return Ok(connection),
        Made::Multiplexed(connection) => connection,
    };
    let usable = !tunnel || made.takes_tunnels();
    let stream = match worker.policy.close_backends {
        // It ends with its only stream.
        true => Connection::stream(target, &made, false),
        false => {
            let (trust, now) = (worker.connector.trust(), worker.clock.now());
            worker.shared.borrow_mut().add(endpoint, made, trust, now)
        }
    };
    if let Some(guard) = guard {
        guard.made();
    }
    if usable {
        return Ok(stream);
    }
    // Most that speak HTTP/2 take upgrades in HTTP/1.1 alone.
    drop(stream);
    match make(worker, exchange, endpoint, target, timer, false).await? {
        Made::Connection(connection) => Ok(connection),
        Made::Multiplexed(_) => Err(Cause::Io(io::ErrorKind::InvalidData.into())),
    }
}

/// A stream on a connection that another request is making at the moment: those that come at once need one, not one each.
async fn made_by_another(worker: &Worker, target: Target) -> Option<Connection> {
    loop {
        let dialing = worker.shared.borrow().dialing(target)?;
        if !dialing.made().await {
            return None;
        }
        let (trust, now) = (worker.connector.trust(), worker.clock.now());
        let stream = worker.shared.borrow_mut().take(target, trust, false, now);
        if stream.is_some() {
            return stream;
        }
    }
}

/// A new connection.
enum Made {
    /// For one request at a time.
    Connection(Connection),
    /// For many.
    Multiplexed(Multiplexed),
}

async fn make(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    target: Target,
    timer: &Timer,
    http2: bool,
) -> Result<Made, Cause> {
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
    let local = stream.local_addr().ok();
    timer.arm(worker.policy.tls_handshake_timeout);
    if !endpoint.tls() {
        return Ok(match http2 {
            true => {
                let begun = Multiplexed::begin(stream, local, false, worker);
                Made::Multiplexed(timer.within(begun).await.ok_or(Cause::Timeout)??)
            }
            false => Made::Connection(Connection::plain(target, stream)?),
        });
    }
    let began = Instant::now();
    let secured = worker.connector.handshake(endpoint, stream, http2);
    let secured = timer.within(secured).await;
    exchange.record.entry.attempts.tls_ns = Some(nanoseconds(began.elapsed()));
    let stream = match secured {
        Some(Ok(stream)) => stream,
        // As if it had closed before an answer: an instance may accept before its application listens.
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Cause::Eof),
        Some(Err(error)) => return Err(error.into()),
        None => return Err(Cause::Tls(TlsFailure::Timeout)),
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let begun = Multiplexed::begin(stream, local, true, worker);
        let begun = timer.within(begun).await.ok_or(Cause::Timeout)?;
        let begun = begun.map_err(|error| Cause::behind_handshake(error, false))?;
        return Ok(Made::Multiplexed(begun));
    }
    let connection = Connection::over_tls(target, stream);
    Ok(Made::Connection(connection.under(worker.connector.trust())))
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
