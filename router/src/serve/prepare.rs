//! A request before anything of it goes out: checks, look-up, filters, the outgoing head.

use std::time::Instant;

use super::admission;
use super::caller;
use super::connection::Peer;
use super::instance::Addressed;
use super::outgoing::outgoing;
use super::service;
use crate::balance::overloaded;
use crate::exchange::{Exchange, nanoseconds};
use crate::filters::Context;
use crate::http1::target::Form;
use crate::http1::{Request, host};
use crate::message::{Head, Name, View};
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::respond::Answer;
use crate::route_service::Leg;
use crate::table::{Pool, fnv1a};
use crate::upstream;
use crate::worker::Worker;

/// Does all that. Gives the router's own answer where there is one, else leaves the route in `exchange.pool` and the head in
/// `exchange.out`.
pub(super) fn prepare(
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
    let began = worker.counters.times_lookups().then(Instant::now);
    let found = worker.table.lookup(name, request.target.path.of(bytes));
    let looked_up = Instant::now();
    if let Some(began) = began {
        let lookup = nanoseconds(looked_up.saturating_duration_since(began));
        worker.counters.route_lookup(lookup);
        exchange.record.entry.lookup_ns = lookup;
    }
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
    exchange.limiter = endpoints.limiter().cloned();
    drop(endpoints);
    if let Some(answer) = worker.filters.found(&view, request) {
        // Nobody is asked; the log names who would have been (spec 4.11).
        unasked(worker, &pool, exchange);
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
                unasked(worker, &pool, exchange);
                worker.counters.response(answer.status);
                return Some(answer);
            }
        }
    }
    if let Some(limiter) = exchange.limiter.clone()
        && leg.as_ref().is_ok_and(|leg| *leg != Leg::Returned)
    {
        let client = admission::client(worker, &view, peer);
        if let Err(answer) = admission::admit(worker, &limiter, client, request, exchange) {
            // Nobody is asked; the log names the application that it was for.
            unasked(worker, &pool, exchange);
            worker.counters.response(answer.status);
            return Some(answer);
        }
        view = View {
            head: &mut exchange.head,
            bytes,
        };
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

/// Nobody is asked: the log names who would have been.
#[cold]
fn unasked(worker: &Worker, pool: &Pool, exchange: &mut Exchange) {
    exchange.endpoint = upstream::likely(worker, pool);
    exchange.record.entry.unasked = true;
}

/// All endpoints of the route have the most connections that are allowed.
#[cold]
pub(super) fn note_overload(worker: &Worker, exchange: &Exchange) {
    worker.counters.count(Count::BackendExhaustedConns);
    tracing::info!(target: "router", { vcap_request_id = %exchange.request_id,
        host = %String::from_utf8_lossy(exchange.record.get(Text::Host)) }, "connection-limit-reached");
}

pub(super) fn empty_pool(worker: &Worker, exchange: &Exchange) -> Answer {
    let host = exchange.record.get(Text::Host);
    if worker.policy.empty_pool_503 {
        Answer::no_endpoints(host)
    } else {
        worker.counters.count(Count::RejectedRequests);
        Answer::unknown_route(host)
    }
}
