//! One request, from its head to its log line.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Next;
use super::admission;
use super::client::Client;
use super::connection::Peer;
use super::head::{self, Ended};
use super::prepare::{empty_pool, note_overload, prepare};
use super::reply::pass_on;
use super::service;
use crate::exchange::Exchange;
use crate::http1::request::Expect;
use crate::http1::{Framing, Request};
use crate::message::View;
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::respond::{Answer, Recipient};
use crate::upstream::{self, BodyError, Outcome, forward, forward_to_service, replay};
use crate::worker::{Timer, Worker};

/// Serves the request whose first bytes are in `client.inbound`.
pub(super) async fn serve_request<S>(
    client: &mut Client<S>,
    peer: &Peer,
    worker: &Worker,
    timer: &Timer,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut exchange = worker.exchange();
    let request = match head::read(client, &mut exchange, worker, timer).await {
        Ok(request) => request,
        Err(Ended::Refused(refusal)) => {
            return head::refuse(client, refusal, peer, worker, timer, exchange).await;
        }
        Err(Ended::Gone) => {
            worker.take_back(exchange);
            return Next::Abort;
        }
    };
    let next = exchange_one(client, peer, worker, timer, &mut exchange, &request).await;
    worker.finish(exchange);
    next
}

async fn exchange_one<S>(
    client: &mut Client<S>,
    peer: &Peer,
    worker: &Worker,
    timer: &Timer,
    exchange: &mut Exchange,
    request: &Request,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(mut inbound) = client.inbound.take() else {
        return Next::Abort;
    };
    let bytes = inbound.unread();
    exchange.begin(bytes, request, &worker.policy.extra_headers, &worker.clock);
    if peer.streams.is_some() {
        exchange.record.set(Text::Protocol, b"HTTP/2.0");
        exchange.notes.http2 = true;
    }
    exchange.request_id = worker.request_id();
    let mut view = View {
        head: &mut exchange.head,
        bytes,
    };
    let (id, notes) = (&mut exchange.request_id, &mut exchange.notes);
    worker
        .filters
        .identified(&mut view, id, notes, &mut exchange.record, || {
            worker.random()
        });
    exchange
        .record
        .set(Text::RequestId, exchange.request_id.as_bytes());
    tracing::debug!(target: "router", VcapRequestIdHeader = %exchange.request_id, "vcap-request-id-header-set");
    exchange.record.entry.peer = Some(peer.address);
    exchange.record.entry.secure = peer.tls;
    if !peer.server_name.is_empty() {
        exchange
            .record
            .set(Text::ServerName, peer.server_name.as_bytes());
    }
    let answer = prepare(bytes, peer, worker, exchange, request);
    let replay = {
        let view = View {
            head: &mut exchange.head,
            bytes,
        };
        replay(
            &view,
            !matches!(request.framing, Framing::None | Framing::Length(0)),
        )
    };
    inbound.consume(request.head_length);
    let limits = exchange.limiter.as_ref().map(|limiter| limiter.limits());
    let most = limits.and_then(|limits| limits.max_body_size);
    client.begin(request.framing, most.unwrap_or(0));
    if !inbound.is_empty() {
        client.inbound = Some(inbound);
    } else {
        drop(inbound);
    }
    let recipient = Recipient {
        version: exchange.head.version,
        keep_alive: request.keep_alive && !worker.is_leaving(),
        head_only: exchange.record.get(Text::Method) == b"HEAD",
    };
    let pool = match answer {
        Some(answer) => {
            return respond(
                client,
                worker,
                timer,
                exchange,
                request.expect,
                recipient,
                answer,
            )
            .await;
        }
        None => exchange.pool.take(),
    };
    let Some(pool) = pool else { return Next::Abort };
    let outcome = match (exchange.service.clone(), &worker.services) {
        (Some(service), Some(services)) => {
            let asked =
                forward_to_service(worker, services, exchange, &service, client, timer, replay);
            Box::pin(asked).await
        }
        _ => forward(worker, exchange, &pool, client, timer, replay).await,
    };
    let failure = match outcome {
        Outcome::Answered(answer) => {
            if is_websocket(exchange) {
                worker.counters.count(Count::WebsocketUpgrades);
            }
            // The way back depends on the route, too.
            exchange.pool = Some(pool);
            return pass_on(client, peer, worker, timer, exchange, recipient, answer).await;
        }
        Outcome::Denied => {
            let answer = Answer::forbidden();
            worker.counters.response(answer.status);
            answer
        }
        Outcome::Overloaded => {
            note_overload(worker, exchange);
            Answer::connection_limit(exchange.record.get(Text::Host))
        }
        Outcome::Empty => {
            // It had endpoints when the route was found.
            tracing::error!(target: "router", { vcap_request_id = %exchange.request_id, host = pool.uri(),
                error = "no endpoints" }, "select-endpoint-failed");
            empty_pool(worker, exchange)
        }
        Outcome::Failed(failure) => {
            let answer = match &failure.cause {
                upstream::Cause::ClientBody(BodyError::TooLarge) => {
                    admission::body_too_large(worker, exchange)
                }
                _ => Answer::endpoint_failure(&failure),
            };
            exchange.record.entry.request_bytes = client.received;
            if is_websocket(exchange) {
                worker.counters.count(Count::WebsocketFailures);
            }
            match answer.status {
                502 => worker.counters.count(Count::BadGateways),
                503 => worker.counters.count(Count::BackendInvalidId),
                525 => worker.counters.count(Count::BackendTlsHandshakeFailed),
                526 => worker.counters.count(Count::BackendInvalidTlsCert),
                _ => {}
            }
            service::count(worker, exchange, answer.status);
            if matches!(failure.cause, upstream::Cause::ClientGone) {
                // Nobody is there to read it; it is what the log shows.
                note_answer(exchange, &answer);
                exchange.record.entry.response_bytes = 22;
                return Next::Abort;
            }
            answer
        }
    };
    respond(
        client,
        worker,
        timer,
        exchange,
        request.expect,
        recipient,
        failure,
    )
    .await
}

/// Whether the client asks for a WebSocket; each is counted once, by whether an endpoint answered (spec 11).
fn is_websocket(exchange: &Exchange) -> bool {
    exchange
        .notes
        .upgrade
        .as_deref()
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

fn note_answer(exchange: &mut Exchange, answer: &Answer) {
    exchange.record.entry.status = answer.status;
    exchange.record.set(
        Text::RouterError,
        answer
            .router_error
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
    );
}

/// Sends an answer of our own. An unread body is skipped, so that the connection stays in step.
pub(super) async fn respond<S>(
    client: &mut Client<S>,
    worker: &Worker,
    timer: &Timer,
    exchange: &mut Exchange,
    expect: Expect,
    mut recipient: Recipient,
    answer: Answer,
) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Who waits for a 100 has not sent the body and may never do so: where the next request begins is then unknown.
    recipient.keep_alive &= expect == Expect::Nothing || client.is_uploaded();
    note_answer(exchange, &answer);
    exchange.out.clear();
    let page = worker.policy.error_page.as_ref();
    let length = worker
        .clock
        .with_date(|date| answer.write(&recipient, date, page, &mut exchange.out));
    worker
        .filters
        .finished(&mut exchange.out, &mut exchange.record);
    exchange.record.entry.response_bytes = length as u64;
    exchange.record.entry.request_bytes = client.received;
    // Who has seen the answer is not turned away for this request.
    exchange.permit = None;
    timer.arm(worker.policy.frontend_idle_timeout);
    if client.send(&exchange.out, timer).await.is_err() {
        return Next::Abort;
    }
    let keep = recipient.keep_alive && !answer.close && client.discard_body(worker, timer).await;
    if keep { Next::Keep } else { Next::Close }
}
