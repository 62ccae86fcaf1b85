//! One request, from its head to its log line.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Next;
use super::caller;
use super::client::Client;
use super::connection::Peer;
use super::head::{self, Ended};
use super::instance::Addressed;
use super::outgoing::outgoing;
use super::reply::pass_on;
use super::service;
use crate::balance::overloaded;
use crate::exchange::{Exchange, nanoseconds};
use crate::filters::Context;
use crate::http1::request::Expect;
use crate::http1::target::Form;
use crate::http1::{Framing, Request, host};
use crate::message::{Head, Name, View};
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::respond::{Answer, Recipient};
use crate::route_service::Leg;
use crate::table::{Pool, fnv1a};
use crate::upstream::{self, Outcome, forward, forward_to_service, replay};
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
    if peer.http2 {
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
    client.begin(request.framing);
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
            return pass_on(client, worker, timer, exchange, recipient, answer).await;
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
            let answer = Answer::endpoint_failure(&failure);
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

/// Everything before the first byte goes out: checks, look-up, filters, the outgoing head. Gives the router's own answer
/// where there is one, else leaves the route in `exchange.pool` and the head in `exchange.out`.
fn prepare(
    bytes: &[u8],
    peer: &Peer,
    worker: &Worker,
    exchange: &mut Exchange,
    request: &Request,
) -> Option<Answer> {
    if request.target.form == Form::Asterisk && exchange.head.method.of(bytes) == b"OPTIONS" {
        // Asked of the router itself (spec 4.2).
        exchange.notes.unlogged = true;
        return Some(Answer::bare(200));
    }
    let mut view = View {
        head: &mut exchange.head,
        bytes,
    };
    if let Some(answer) = worker.filters.arrived(&view, || worker.health.is_healthy()) {
        return Some(answer);
    }
    if memchr::memchr(b';', view.text(view.head.target)).is_some() {
        // Only the log shows it: the answer's head is not ours to change (spec 4.10).
        exchange
            .record
            .set(Text::RouterError, b"deprecated-semicolon-params");
        let id = exchange.request_id;
        let vcap_request_id = String::from_utf8_lossy(id.as_bytes());
        let trace = exchange.notes.trace.as_deref();
        let (trace_id, span_id) = (trace.map(|ids| &*ids.trace), trace.map(|ids| &*ids.span));
        tracing::warn!(target: "router", { vcap_request_id = %vcap_request_id, "trace-id" = trace_id, "span-id" = span_id },
            "deprecated-semicolon-params");
    }
    if request.target.form == Form::Authority {
        exchange.record.set(Text::Target, b"/");
        return Some(Answer::connect_refused());
    }
    let shown = request.host.of(bytes);
    let name = host::without_port(shown);
    if name.is_empty() || name == host::without_port(peer.ip.as_bytes()) {
        worker.counters.count(Count::RejectedRequests);
        return Some(Answer::empty_host());
    }
    let addressed = match Addressed::of(&view) {
        Ok(addressed) => addressed,
        Err(answer) => {
            worker.counters.count(Count::RejectedRequests);
            return Some(answer);
        }
    };
    let began = Instant::now();
    let found = worker.table.lookup(name, request.target.path.of(bytes));
    let looked_up = Instant::now();
    let lookup = nanoseconds(looked_up - began);
    worker.counters.route_lookup(lookup);
    exchange.record.entry.lookup_ns = lookup;
    let narrowed = match &addressed {
        None => found,
        Some(addressed) => found.and_then(|pool| {
            pool.narrowed(worker.random() as u32, |endpoint| {
                addressed.means(
                    endpoint.application_id(),
                    endpoint.instance_index(),
                    endpoint.tag("process_id"),
                )
            })
        }),
    };
    let Some(pool) = narrowed else {
        worker.counters.count(Count::RejectedRequests);
        return Some(match addressed {
            None => Answer::unknown_route(shown),
            Some(addressed) => addressed.missing(shown),
        });
    };
    let endpoints = pool.endpoints();
    if endpoints.is_empty() {
        return Some(empty_pool(worker, exchange));
    }
    if worker.policy.rules.max_conns > 0 && overloaded(&endpoints, worker.policy.rules.max_conns) {
        note_overload(worker, exchange);
        return Some(Answer::connection_limit(shown));
    }
    let service_url = endpoints.route_service_url().cloned();
    let plain = endpoints.extras().is_none();
    drop(endpoints);
    if let Some(answer) = worker.filters.found(&view, request) {
        // Nobody is asked; the log names who would have been (spec 4.11).
        exchange.endpoint = upstream::likely(worker, &pool);
        worker.counters.response(answer.status);
        return Some(answer);
    }
    if let Some(answer) = caller::misdirected(worker, name, peer) {
        return Some(answer);
    }
    let received = exchange.record.entry.received_unix_ns;
    let mut leg = Ok(Leg::App);
    let mut sealed = None;
    if service_url.is_some() || view.head.present.has(Name::CfProxySignature) {
        let verdict = service::judge(
            worker,
            &view,
            request,
            &pool,
            service_url.as_deref(),
            received,
        );
        leg = verdict.leg;
        exchange.notes.from_service = verdict.from_service;
        exchange.notes.returned = leg == Ok(Leg::Returned);
        sealed = verdict.caller;
    }
    let mut caller = None;
    if worker.policy.domains.is_some() {
        caller = caller::of(peer, exchange.notes.returned.then_some(sealed));
        match caller::admit(worker, peer, &pool, caller.as_ref(), &mut exchange.record) {
            Ok(guard) => exchange.guard = guard,
            Err(answer) => {
                exchange.endpoint = upstream::likely(worker, &pool);
                worker.counters.response(answer.status);
                return Some(answer);
            }
        }
    }
    let mut context = Context {
        request,
        client_ip: &peer.ip,
        tls: peer.tls,
        has_certificate: peer.has_certificate,
        client_certificate: &peer.certificate,
        of_domain: caller::forwarding(peer),
        request_id: &exchange.request_id,
        received_unix_ms: exchange.record.entry.received_unix_ns / 1_000_000,
        notes: &mut exchange.notes,
        record: &mut exchange.record,
    };
    let leg = match leg {
        Ok(leg) => leg,
        Err(denial) => {
            worker.filters.refused(&mut view, &mut context);
            return Some(service::refuse(&exchange.request_id, &denial));
        }
    };
    worker.filters.routed(&mut view, &mut context);
    if leg != Leg::App {
        match service::set_out(worker, &mut view, request, leg, received, caller.as_deref()) {
            Ok(service) => exchange.service = service,
            Err(denial) => return Some(service::refuse(&exchange.request_id, &denial)),
        }
    }
    if !plain {
        exchange.notes.hashed = hashed(bytes, &exchange.head, &pool);
    }
    outgoing(bytes, worker, exchange, request);
    exchange.pool = Some(pool);
    exchange.times.proxied = Some(looked_up);
    None
}

/// The value that the route's endpoints are chosen by, as the endpoint will see it; none where it is empty.
#[cold]
fn hashed(bytes: &[u8], head: &Head, pool: &Pool) -> Option<u64> {
    let endpoints = pool.endpoints();
    let header = endpoints.hash()?.header().as_bytes();
    let value = head.outgoing(bytes, header)?;
    (!value.is_empty()).then(|| fnv1a(value))
}

/// All endpoints of the route have the most connections that are allowed.
#[cold]
fn note_overload(worker: &Worker, exchange: &Exchange) {
    worker.counters.count(Count::BackendExhaustedConns);
    tracing::info!(target: "router", { vcap_request_id = %exchange.request_id,
        host = %String::from_utf8_lossy(exchange.record.get(Text::Host)) }, "connection-limit-reached");
}

fn empty_pool(worker: &Worker, exchange: &Exchange) -> Answer {
    let host = exchange.record.get(Text::Host);
    if worker.policy.empty_pool_503 {
        Answer::no_endpoints(host)
    } else {
        worker.counters.count(Count::RejectedRequests);
        Answer::unknown_route(host)
    }
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
    timer.arm(worker.policy.frontend_idle_timeout);
    if client.send(&exchange.out, timer).await.is_err() {
        return Next::Abort;
    }
    let keep = recipient.keep_alive && !answer.close && client.discard_body(timer).await;
    if keep { Next::Keep } else { Next::Close }
}
