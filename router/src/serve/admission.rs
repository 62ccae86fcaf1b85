//! Whether a request may go on to a route that has limits (docs/route-options.md).

use std::net::IpAddr;
use std::sync::Arc;

use super::connection::Peer;
use crate::exchange::Exchange;
use crate::http1::{Framing, Request};
use crate::message::{Name, View, list};
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::respond::Answer;
use crate::table::{Limiter, Refusal};
use crate::worker::Worker;

/// What a client is known by where a route limits each one: its connection's address, or the last one in
/// `X-Forwarded-For` where the router believes it.
pub(super) fn client(worker: &Worker, view: &View<'_>, peer: &Peer) -> IpAddr {
    let forwarded = || {
        let last = view.values(Name::ForwardedFor).last()?;
        let address = str::from_utf8(list(last).last()?).ok()?;
        address.parse().ok()
    };
    let trusted = worker.policy.clients_are_forwarded;
    let forwarded = trusted.then(forwarded).flatten();
    forwarded.unwrap_or_else(|| peer.address.ip())
}

/// Lets a request in, which then holds its permit until the exchange is over. To be called once for each request, and not
/// for one that has come back from a route service.
///
/// # Errors
/// The answer to one that is turned away.
pub(super) fn admit(
    worker: &Worker,
    limiter: &Arc<Limiter>,
    client: IpAddr,
    request: &Request,
    exchange: &mut Exchange,
) -> Result<(), Answer> {
    let most = limiter.limits().max_body_size.unwrap_or(0);
    if let Framing::Length(length) = request.framing
        && most > 0
        && length > most
    {
        return Err(body_too_large(worker, exchange));
    }
    match limiter.admit(client, worker.clock.now()) {
        Ok(permit) => {
            exchange.permit = permit;
            Ok(())
        }
        Err(refusal) => Err(turned_away(worker, exchange, refusal)),
    }
}

/// The content is larger than the route takes; nothing more of it is read.
#[cold]
pub(super) fn body_too_large(worker: &Worker, exchange: &Exchange) -> Answer {
    worker.counters.count(Count::OversizedBodies);
    note(exchange, "max_body_size");
    Answer::body_too_large(exchange.record.get(Text::Host))
}

#[cold]
fn turned_away(worker: &Worker, exchange: &Exchange, refusal: Refusal) -> Answer {
    let host = exchange.record.get(Text::Host);
    let (count, limit, answer) = match refusal {
        Refusal::Concurrency => (
            Count::ConcurrencyLimited,
            "max_concurrent_requests",
            Answer::concurrency_limit(host),
        ),
        Refusal::Rate(wait) => (
            Count::RateLimited,
            "rate_limit",
            Answer::rate_limit(host, seconds(wait)),
        ),
        Refusal::ClientRate(wait) => (
            Count::ClientRateLimited,
            "client_rate_limit",
            Answer::client_rate_limit(host, seconds(wait)),
        ),
    };
    worker.counters.count(count);
    note(exchange, limit);
    answer
}

/// At debug: it is a client's doing, and may come as often as one likes.
fn note(exchange: &Exchange, limit: &str) {
    tracing::debug!(target: "router", { vcap_request_id = %exchange.request_id,
        host = %String::from_utf8_lossy(exchange.record.get(Text::Host)), limit }, "route-limit-reached");
}

fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1_000).max(1)
}
