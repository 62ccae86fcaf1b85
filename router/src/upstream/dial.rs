//! A new connection to an endpoint: its name looked up, connected, and secured where it is registered so.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Instant;

use tokio::net::TcpStream;

use super::classify::{Cause, DialError};
use super::connection::Connection;
use super::idle::Target;
use super::tls::TlsFailure;
use crate::exchange::{Exchange, nanoseconds};
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
    let stream = connect(worker, exchange, endpoint, timer)
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
    let secured = within(timer, secured).await;
    exchange.record.entry.attempts.tls_ns = Some(nanoseconds(began.elapsed()));
    match secured {
        Some(Ok(connection)) => Ok(connection),
        // As if it had closed before an answer: an instance may accept before its application listens.
        Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cause::Eof),
        Some(Err(error)) => Err(error.into()),
        None => Err(Cause::Tls(TlsFailure::Timeout)),
    }
}

async fn connect(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Endpoint,
    timer: &Timer,
) -> Result<TcpStream, DialError> {
    timer.arm(worker.policy.dial_timeout);
    let began = Instant::now();
    let attempts = &mut exchange.record.entry.attempts;
    let mut resolved = 0;
    let addresses: Vec<SocketAddr> = match endpoint.socket_addr() {
        Some(address) => vec![address],
        None => {
            let found = within(timer, tokio::net::lookup_host(endpoint.address())).await;
            let found = found
                .ok_or(DialError::Timeout)?
                .map_err(DialError::Lookup)?;
            resolved = nanoseconds(began.elapsed());
            attempts.dns_ns = Some(resolved);
            found.collect()
        }
    };
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let dialled = Connection::dial(address, worker.policy.keep_alive_probes);
        match within(timer, dialled).await {
            Some(Ok(stream)) => {
                attempts.dial_ns = Some(nanoseconds(began.elapsed()).saturating_sub(resolved));
                return Ok(stream);
            }
            Some(Err(refused)) => error = refused,
            None => return Err(DialError::Timeout),
        }
    }
    Err(DialError::Io(error))
}

/// `None` when the timer's deadline passes first.
async fn within<T>(timer: &Timer, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if timer.has_expired(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}
