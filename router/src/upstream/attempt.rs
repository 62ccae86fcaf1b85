//! One attempt: a connection to one endpoint, the request on it, and the head of the answer.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::classify::{Cause, Failure, Sent};
use super::connection::Connection;
use super::deadlines::FirstByte;
use super::dial::{dial, speaks_http2};
use super::idle::Target;
use super::{Answer, Downstream, UploadError, deadlines};
use crate::exchange::Exchange;
use crate::http1::{Parsed, Progress, response, write};
use crate::http2::Unprocessed;
use crate::message::{Name, Version};
use crate::table::Endpoint;
use crate::worker::{Buffer, Size, Timer, Worker};

/// How long a client that expects a 100 waits for the backend's; then the router sends one (spec 4.8).
const CONTINUE_WAIT: Duration = Duration::from_secs(1);
/// Interim answers to one request that are passed on. The client of HTTP/2 that they go to cannot hold them back.
const MOST_INTERIM: u32 = 32;

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
    let connection = match waiting(worker, exchange, endpoint, target, source).await {
        Some(connection) => connection,
        None => Box::pin(dial(worker, exchange, endpoint, target, timer))
            .await
            .map_err(Failure::unsent)?,
    };
    converse(worker, exchange, connection, down, timer).await
}

/// Sends the request over `connection` and waits for the final response head.
pub(super) async fn converse<D: Downstream>(
    worker: &Worker,
    exchange: &mut Exchange,
    mut connection: Connection,
    down: &mut D,
    timer: &Timer,
) -> Result<Answer, Failure> {
    // Read only where something depends on it.
    let began = exchange.limiter.is_some().then(Instant::now);
    let router = worker.policy.endpoint_timeout.of(exchange.notes.http2);
    let limits = exchange.limiter.as_ref().map(|limiter| *limiter.limits());
    let first_byte = limits.zip(began);
    let mut first_byte =
        first_byte.and_then(|(limits, began)| FirstByte::of(&limits, began, router));
    match waits_for_continue(worker, exchange) {
        true => timer.arm(CONTINUE_WAIT),
        false => deadlines::arm(timer, exchange, limit(worker, exchange)),
    }
    let mut sent = Sent::Nothing;
    let result = match send(&exchange.out, &mut connection, down, timer, &mut sent).await {
        Ok(()) => {
            let first_byte = first_byte.as_mut();
            answer(worker, exchange, &mut connection, down, timer, first_byte).await
        }
        Err(cause) => Err(cause),
    };
    match result {
        Ok((buffer, response)) => {
            if let (Some(limits), Some(began)) = (limits, began) {
                deadlines::head_arrived(timer, &limits, began, router);
            }
            Ok(Answer {
                connection,
                buffer,
                response,
            })
        }
        Err(cause) => {
            let late = matches!(cause, Cause::Timeout);
            let cause = match late {
                true => deadlines::cause(timer, first_byte.as_ref()),
                false => cause,
            };
            let local_address = connection.local_address();
            let unseen = connection.has_refused()
                || matches!(&cause, Cause::Io(error) if Unprocessed::is(error));
            if unseen && !down.has_given() {
                // It has gone out and was not looked at, or not even gone out.
                sent = Sent::Nothing;
            }
            Err(Failure {
                cause,
                sent,
                reused: connection.reused,
                given: down.has_given(),
                client_slow: late && down.is_awaited(),
                local_address,
            })
        }
    }
}

/// A connection that is there already.
async fn waiting(
    worker: &Worker,
    exchange: &Exchange,
    endpoint: &Endpoint,
    target: Target,
    source: Source,
) -> Option<Connection> {
    if source == Source::New || worker.policy.close_backends {
        return None;
    }
    if speaks_http2(worker, endpoint) {
        let (trust, tunnel) = (worker.connector.trust(), exchange.notes.upgrade.is_some());
        let mut shared = worker.shared.borrow_mut();
        let stream = shared.take(target, trust, tunnel, worker.clock.now());
        if stream.is_some() {
            return stream;
        }
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
                Poll::Ready(Err(error)) => return Poll::Ready(Err(connection.cause(error))),
                Poll::Pending if connection.is_late(timer, cx) => {
                    return Poll::Ready(Err(Cause::Timeout));
                }
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
        match Pin::new(&mut *connection).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|error| connection.cause(error))),
            Poll::Pending if connection.is_late(timer, cx) => Poll::Ready(Err(Cause::Timeout)),
            Poll::Pending => Poll::Pending,
        }
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
    mut first_byte: Option<&mut FirstByte>,
) -> Result<(Buffer, response::Response), Cause> {
    let to_head = exchange.record.get(crate::observe::record::Text::Method) == b"HEAD";
    let limits = worker.policy.response_limits;
    let mut read: Option<Buffer> = None;
    let mut progress = Progress::default();
    let (mut interims, mut interim_bytes) = (0, 0);
    // The body may still be on its way when the backend has stopped reading: then only its answer matters.
    let mut uploading = true;
    loop {
        if let Some(buffer) = &mut read {
            if progress.worth_parsing(buffer.unread()) {
                match response::parse(buffer.unread(), &mut exchange.reply, to_head, limits) {
                    Parsed::Complete(response) if is_interim(exchange.reply.status) => {
                        interims += 1;
                        interim_bytes += response.head_length;
                        if interims > MOST_INTERIM || interim_bytes > limits.bytes {
                            return Err(Cause::Unusable(response::Unusable::TooManyInterim));
                        }
                        pass_interim(worker, exchange, connection, buffer, down, timer).await?;
                        buffer.consume(response.head_length);
                        progress = Progress::default();
                        read = read.filter(|buffer| !buffer.is_empty());
                        continue;
                    }
                    Parsed::Complete(response) => {
                        return read.map(|buffer| (buffer, response)).ok_or(Cause::Eof);
                    }
                    Parsed::Refused(unusable) => return Err(Cause::Unusable(unusable)),
                    Parsed::Partial => {}
                }
            }
            if !buffer.make_room(limits.bytes) {
                return Err(Cause::Unusable(response::Unusable::TooLarge(limits.bytes)));
            }
        }
        let filled = fill(&mut read, connection, down, timer, &mut uploading, || {
            if let Some(first_byte) = &mut first_byte {
                first_byte.start(timer);
            }
        });
        let filled = filled.await;
        // The timer has another end from then on.
        exchange.notes.expects_continue &= !first_byte.as_ref().is_some_and(|it| it.is_running());
        match filled {
            Err(Cause::Timeout) if waits_for_continue(worker, exchange) => {
                exchange.notes.expects_continue = false;
                let rest = limit(worker, exchange).saturating_sub(CONTINUE_WAIT);
                deadlines::arm(timer, exchange, rest);
                if uploading {
                    exchange.notes.continued = true;
                    tell(connection, down, b"HTTP/1.1 100 Continue\r\n\r\n", timer).await?;
                }
            }
            filled => filled?,
        }
    }
}

/// Whether an answer with this status has another one behind it.
fn is_interim(status: u16) -> bool {
    (100..200).contains(&status) && status != 101
}

/// Time for the attempt; zero is none.
pub(super) fn limit(worker: &Worker, exchange: &Exchange) -> Duration {
    let router = worker.policy.endpoint_timeout.of(exchange.notes.http2);
    match &exchange.limiter {
        None => router,
        Some(limiter) => deadlines::whole(limiter.limits(), router),
    }
}

/// Whether the client gets a 100 from the router if the backend sends none within [`CONTINUE_WAIT`].
fn waits_for_continue(worker: &Worker, exchange: &Exchange) -> bool {
    let limit = limit(worker, exchange);
    exchange.notes.expects_continue && (limit.is_zero() || limit > CONTINUE_WAIT)
}

/// Passes on the interim answer at the beginning of `buffer`; a 100 behind one of the router's own is not passed on.
async fn pass_interim<D: Downstream>(
    worker: &Worker,
    exchange: &mut Exchange,
    connection: &mut Connection,
    buffer: &Buffer,
    down: &mut D,
    timer: &Timer,
) -> Result<(), Cause> {
    if exchange.reply.status == 100 {
        if exchange.notes.continued {
            return Ok(());
        }
        if std::mem::take(&mut exchange.notes.expects_continue) {
            deadlines::arm(timer, exchange, limit(worker, exchange));
        }
    }
    interim(worker, exchange, buffer);
    tell(connection, down, &exchange.reply.added, timer).await
}

/// Sends the head of an interim answer to the client, while more of them may come.
async fn tell<D: Downstream>(
    connection: &mut Connection,
    down: &mut D,
    head: &[u8],
    timer: &Timer,
) -> Result<(), Cause> {
    let mut sent = pin!(down.interim(head, timer));
    poll_fn(|cx| match sent.as_mut().poll(cx) {
        Poll::Ready(sent) => Poll::Ready(sent.map_err(|_| Cause::ClientGone)),
        Poll::Pending => match connection.take_in(cx) {
            Ok(()) => Poll::Pending,
            // It may have a part of a head, behind which no other answer can follow.
            Err(_) => Poll::Ready(Err(Cause::ClientGone)),
        },
    })
    .await
}

/// Reads once from the backend, behind what is in `buffer`. Says when the whole request has gone out.
async fn fill<D: Downstream>(
    buffer: &mut Option<Buffer>,
    connection: &mut Connection,
    down: &mut D,
    timer: &Timer,
    uploading: &mut bool,
    mut uploaded: impl FnMut(),
) -> Result<(), Cause> {
    poll_fn(|cx| {
        if *uploading {
            match down.poll_upload(cx, connection) {
                Poll::Ready(Ok(())) | Poll::Ready(Err(UploadError::Backend(_))) => {
                    *uploading = false;
                    uploaded();
                }
                Poll::Ready(Err(UploadError::Client)) => {
                    return Poll::Ready(Err(Cause::ClientGone));
                }
                Poll::Ready(Err(UploadError::Body(error))) => {
                    return Poll::Ready(Err(Cause::ClientBody(error)));
                }
                Poll::Pending => {}
            }
        }
        let read = match buffer {
            Some(buffer) => buffer.poll_fill(cx, connection),
            None => match Buffer::poll_read(cx, connection, Size::Small) {
                Poll::Ready(Ok(read)) => {
                    let count = read.unread().len();
                    *buffer = Some(read);
                    Poll::Ready(Ok(count))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            },
        };
        match read {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Cause::Eof)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(connection.cause(error))),
            Poll::Pending if connection.is_late(timer, cx) => Poll::Ready(Err(Cause::Timeout)),
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
        // It says nothing about a body, which an interim answer has none of.
        field.keep &= !field.id.hop_by_hop() && field.id != Name::ContentLength;
    }
    let mut out = Vec::with_capacity(256);
    write::status_line(Version::Http11, reply.status, &mut out);
    write::fields(buffer.unread(), reply, &mut out);
    out.extend_from_slice(b"\r\n");
    worker.filters.finished(&mut out, &mut exchange.record);
    reply.added = out;
}
