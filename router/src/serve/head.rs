//! The head of a request: read until it is complete, or refused.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Next;
use super::client::Client;
use super::connection::Peer;
use crate::exchange::Exchange;
use crate::http1::request::{self, HEAD_LIMIT};
use crate::http1::{Parsed, Progress, Refusal, Request};
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::respond::{self, Answer};
use crate::worker::{Timer, Worker};

/// Why there is no request.
pub(super) enum Ended {
    /// What came is none.
    Refused(Refusal),
    /// The client left, or took too long.
    Gone,
}

/// Reads on until the head in `client.inbound` is complete.
pub(super) async fn read<S>(
    client: &mut Client<S>,
    exchange: &mut Exchange,
    worker: &Worker,
    timer: &Timer,
) -> Result<Request, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut progress = Progress::default();
    let mut timed = false;
    loop {
        let Some(buffer) = &mut client.inbound else {
            return Err(Ended::Gone);
        };
        if progress.worth_parsing(buffer.unread()) {
            match request::parse(buffer.unread(), &mut exchange.head) {
                Parsed::Complete(request) => return Ok(request),
                Parsed::Refused(refusal) => return Err(Ended::Refused(refusal)),
                Parsed::Partial => {}
            }
        }
        if !timed {
            timed = true;
            timer.arm(match worker.policy.read_header_timeout {
                none if none.is_zero() => worker.policy.frontend_idle_timeout,
                limit => limit,
            });
        }
        if !buffer.make_room(HEAD_LIMIT) {
            return Err(Ended::Refused(Refusal::TooLarge));
        }
        let stream = &mut client.stream;
        let read = poll_fn(|cx| match buffer.poll_fill(cx, stream) {
            Poll::Ready(read) => Poll::Ready(read.unwrap_or(0)),
            Poll::Pending if timer.has_expired(cx) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
        });
        if read.await == 0 {
            return Err(Ended::Gone);
        }
    }
}

/// Answers what is no request, and ends the connection behind it.
pub(super) async fn refuse<S>(
    client: &mut Client<S>,
    refusal: Refusal,
    peer: &Peer,
    worker: &Worker,
    timer: &Timer,
    mut exchange: Box<Exchange>,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let page = worker.policy.error_page.as_ref();
    let mut bytes = worker
        .clock
        .with_date(|date| respond::refusal(refusal, date, page));
    if refusal == Refusal::Http2Preface {
        // The one that the original makes behind its filters.
        worker.filters.finished(&mut bytes, &mut exchange.record);
    }
    timer.arm(worker.policy.frontend_idle_timeout);
    let next = match client.send(&bytes, timer).await {
        Ok(()) => Next::Close,
        Err(_) => Next::Abort,
    };
    match (refusal, &client.inbound) {
        // The two that the original takes for requests, and therefore logs (spec 4.2).
        (Refusal::MinorVersion | Refusal::Http2Preface, Some(inbound)) => {
            note(&mut exchange, inbound.unread(), worker);
            exchange.record.entry.peer = Some(peer.address);
            exchange.record.entry.secure = peer.tls;
            if refusal == Refusal::Http2Preface {
                let answer = Answer::empty_host();
                worker.counters.count(Count::RejectedRequests);
                exchange.record.entry.status = answer.status;
                let head = memchr::memmem::find(&bytes, b"\r\n\r\n")
                    .map_or(0, |end| end + b"\r\n\r\n".len());
                exchange.record.entry.response_bytes = (bytes.len() - head) as u64;
                exchange.record.set(
                    Text::RouterError,
                    answer
                        .router_error
                        .as_deref()
                        .unwrap_or_default()
                        .as_bytes(),
                );
            }
            worker.finish(exchange);
        }
        _ => worker.take_back(exchange),
    }
    next
}

/// Notes the first line and the Host of a head that was not parsed.
fn note(exchange: &mut Exchange, bytes: &[u8], worker: &Worker) {
    let now = Instant::now();
    exchange.times.received = Some(now);
    let record = &mut exchange.record;
    record.entry.received_unix_ns = worker.clock.unix_ns(now);
    record.set(Text::RequestId, worker.request_id().as_bytes());
    let mut lines = bytes
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    let line = lines.next().unwrap_or_default();
    for (text, part) in [Text::Method, Text::Target, Text::Protocol]
        .into_iter()
        .zip(line.splitn(3, |&byte| byte == b' '))
    {
        record.set(text, part);
    }
    let host = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_at_checked(b"Host:".len())?;
        name.eq_ignore_ascii_case(b"Host:")
            .then(|| value.trim_ascii())
    });
    record.set(Text::Host, host.unwrap_or_default());
}
