//! One attempt: a connection to one endpoint, the request on it, and the head of the answer.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::classify::{Cause, DialError, Failure, Sent};
use super::connection::Connection;
use super::idle::Target;
use super::{Answer, Downstream, UploadError};
use crate::exchange::{Exchange, nanoseconds};
use crate::http1::{Parsed, Progress, response, write};
use crate::message::Version;
use crate::table::Endpoint;
use crate::worker::{Buffer, Size, Timer, Worker};

/// Where an attempt's connection may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An idle one if there is one, else a new one.
    Any,
    /// A new one: an idle one has just died.
    New,
}

/// Sends the request in `exchange.out` and what `down` has of the body to `endpoint`, and waits for the final response
/// head. Safe to drop at any point: the connection is then closed.
pub async fn attempt<D: Downstream>(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Arc<Endpoint>,
    down: &mut D,
    timer: &Timer,
    source: Source,
) -> Result<Answer, Failure> {
    let target = Target::of(endpoint);
    let mut connection = match idle(worker, target, source).await {
        Some(connection) => connection,
        None => Box::pin(dial(worker, exchange, endpoint, target, timer))
            .await
            .map_err(Failure::unsent)?,
    };
    timer.arm(worker.policy.endpoint_timeout);
    let mut sent = Sent::Nothing;
    let result = match send(&exchange.out, &mut connection, down, timer, &mut sent).await {
        Ok(()) => answer(worker, exchange, &mut connection, down, timer).await,
        Err(cause) => Err(cause),
    };
    match result {
        Ok((buffer, response)) => Ok(Answer {
            connection,
            buffer,
            response,
        }),
        Err(cause) => {
            let local_address = connection.local_address();
            Err(Failure {
                cause,
                sent,
                reused: connection.reused,
                local_address,
            })
        }
    }
}

async fn idle(worker: &Worker, target: Target, source: Source) -> Option<Connection> {
    if source == Source::New || worker.policy.close_backends {
        return None;
    }
    poll_fn(|cx| {
        Poll::Ready(
            worker
                .idle
                .borrow_mut()
                .take(target, worker.clock.now(), cx),
        )
    })
    .await
}

async fn dial(
    worker: &Worker,
    exchange: &mut Exchange,
    endpoint: &Arc<Endpoint>,
    target: Target,
    timer: &Timer,
) -> Result<Connection, Cause> {
    let failed = |error| Cause::Dial {
        address: endpoint.address().to_owned(),
        error,
    };
    timer.arm(worker.policy.dial_timeout);
    let began = Instant::now();
    let attempts = &mut exchange.record.entry.attempts;
    (attempts.dns_ns, attempts.tls_ns) = (Some(0), Some(0));
    let addresses: Vec<SocketAddr> = match (target, endpoint.socket_addr()) {
        (Target::Plain(address), _) | (_, Some(address)) => vec![address],
        (_, None) => {
            let found = within(timer, tokio::net::lookup_host(endpoint.address())).await;
            let found = found.ok_or_else(|| failed(DialError::Timeout))?;
            let found = found
                .map_err(|error| failed(DialError::Lookup(error)))?
                .collect();
            attempts.dns_ns = Some(nanoseconds(began.elapsed()));
            found
        }
    };
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match within(
            timer,
            Connection::open(target, address, worker.policy.keep_alive_probes),
        )
        .await
        {
            Some(Ok(connection)) => {
                attempts.dial_ns = Some(nanoseconds(began.elapsed()));
                return Ok(connection);
            }
            Some(Err(refused)) => error = refused,
            None => return Err(failed(DialError::Timeout)),
        }
    }
    Err(failed(DialError::Io(error)))
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

/// Writes the head, together with the first bytes of the body where they are at hand.
async fn send<D: Downstream>(
    head: &[u8],
    connection: &mut Connection,
    down: &mut D,
    timer: &Timer,
    sent: &mut Sent,
) -> Result<(), Cause> {
    let mut at = 0;
    poll_fn(|cx| {
        while at < head.len() {
            let body = down.ready_bytes().map_err(Cause::ClientBody)?;
            let stream = Pin::new(&mut *connection);
            let written = if body.is_empty() {
                stream.poll_write(cx, &head[at..])
            } else {
                stream.poll_write_vectored(cx, &[IoSlice::new(&head[at..]), IoSlice::new(body)])
            };
            let count = match written {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(Cause::Io(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Cause::Io(error))),
                Poll::Pending if timer.has_expired(cx) => return Poll::Ready(Err(Cause::Timeout)),
                Poll::Pending => return Poll::Pending,
            };
            let of_head = count.min(head.len() - at);
            at += of_head;
            *sent = if at == head.len() {
                Sent::Head
            } else {
                Sent::PartOfHead
            };
            down.sent(count - of_head);
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Waits for the final response head while the body of the request goes on, and while the client is still there. Interim
/// responses are passed on.
async fn answer<D: Downstream>(
    worker: &Worker,
    exchange: &mut Exchange,
    connection: &mut Connection,
    down: &mut D,
    timer: &Timer,
) -> Result<(Buffer, response::Response), Cause> {
    let to_head = exchange.record.get(crate::observe::record::Text::Method) == b"HEAD";
    let limits = worker.policy.response_limits;
    let mut buffer: Option<Buffer> = None;
    let mut progress = Progress::default();
    // The body may still be on its way when the backend has stopped reading: then only its answer matters.
    let mut uploading = true;
    loop {
        let mut buffer_now = match buffer.take() {
            Some(buffer) if !buffer.is_empty() => buffer,
            _ => fill(None, connection, down, timer, &mut uploading).await?,
        };
        loop {
            if progress.worth_parsing(buffer_now.unread()) {
                match response::parse(buffer_now.unread(), &mut exchange.reply, to_head, limits) {
                    Parsed::Complete(response)
                        if (100..200).contains(&exchange.reply.status)
                            && exchange.reply.status != 101 =>
                    {
                        interim(worker, exchange, &buffer_now);
                        down.interim(&exchange.reply.added, timer)
                            .await
                            .map_err(|_| Cause::ClientGone)?;
                        buffer_now.consume(response.head_length);
                        progress = Progress::default();
                        buffer = Some(buffer_now);
                        break;
                    }
                    Parsed::Complete(response) => return Ok((buffer_now, response)),
                    Parsed::Refused(unusable) => return Err(Cause::Unusable(unusable)),
                    Parsed::Partial => {}
                }
            }
            if !buffer_now.make_room(limits.bytes) {
                return Err(Cause::Unusable(response::Unusable::TooLarge(limits.bytes)));
            }
            buffer_now = fill(Some(buffer_now), connection, down, timer, &mut uploading).await?;
        }
    }
}

/// Reads once from the backend, behind what is in `buffer`.
async fn fill<D: Downstream>(
    mut buffer: Option<Buffer>,
    connection: &mut Connection,
    down: &mut D,
    timer: &Timer,
    uploading: &mut bool,
) -> Result<Buffer, Cause> {
    poll_fn(|cx| {
        if *uploading {
            match down.poll_upload(cx, connection) {
                Poll::Ready(Ok(())) | Poll::Ready(Err(UploadError::Backend(_))) => {
                    *uploading = false
                }
                Poll::Ready(Err(UploadError::Client)) => {
                    return Poll::Ready(Err(Cause::ClientGone));
                }
                Poll::Ready(Err(UploadError::Malformed(malformed))) => {
                    return Poll::Ready(Err(Cause::ClientBody(malformed)));
                }
                Poll::Pending => {}
            }
        }
        let read = match &mut buffer {
            Some(buffer) => buffer.poll_fill(cx, connection),
            None => match Buffer::poll_read(cx, connection, Size::Small) {
                Poll::Ready(Ok(read)) => {
                    let count = read.unread().len();
                    buffer = Some(read);
                    Poll::Ready(Ok(count))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            },
        };
        match read {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Cause::Eof)),
            Poll::Ready(Ok(_)) => Poll::Ready(buffer.take().ok_or(Cause::Eof)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(Cause::Io(error))),
            Poll::Pending if timer.has_expired(cx) => Poll::Ready(Err(Cause::Timeout)),
            Poll::Pending if !*uploading => {
                ready!(down.poll_gone(cx));
                Poll::Ready(Err(Cause::ClientGone))
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Leaves a complete interim head in `exchange.reply.added`.
fn interim(worker: &Worker, exchange: &mut Exchange, buffer: &Buffer) {
    let reply = &mut exchange.reply;
    for field in &mut reply.fields {
        field.keep &= !field.id.hop_by_hop();
    }
    let mut out = Vec::with_capacity(256);
    write::status_line(Version::Http11, reply.status, &mut out);
    write::fields(buffer.unread(), reply, &mut out);
    out.extend_from_slice(b"\r\n");
    worker.filters.finished(&mut out, &mut exchange.record);
    reply.added = out;
}
