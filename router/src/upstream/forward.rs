//! The attempts of one request: choose, try, and decide what a failure means.

use std::sync::Arc;
use std::time::Instant;

use super::attempt::{Source, attempt};
use super::classify::{Cause, Failure, Fault};
use super::retry::{Bounds, Next, Replay, decide};
use super::{Answer, Downstream};
use crate::balance::{Bond, NoEndpoint, Selection, Session, Verdict, note_verdict};
use crate::callers::Access;
use crate::exchange::{Exchange, Pin, nanoseconds};
use crate::observe::counters::Count;
use crate::observe::record::Text;
use crate::table::{Endpoint, Pool};
use crate::worker::{FailedEndpoint, Timer, Worker};

/// What became of a request.
pub enum Outcome {
    /// The head of an answer, and the rest behind it.
    Answered(Answer),
    /// All endpoints are at their connection limit; nothing was sent.
    Overloaded,
    /// The pool has no endpoints.
    Empty,
    /// The route's policy keeps the caller out; nothing was sent.
    Denied,
    /// The last attempt's failure.
    Failed(Failure),
}

/// Sends the request in `exchange.out` (all but the lines that depend on the endpoint) to an endpoint of `pool`.
pub async fn forward<D: Downstream>(
    worker: &Worker,
    exchange: &mut Exchange,
    pool: &Arc<Pool>,
    down: &mut D,
    timer: &Timer,
    replay: Replay,
) -> Outcome {
    let policy = &worker.policy;
    let mut selection = Selection::new().with_value(exchange.notes.hashed);
    let limiter = exchange.limiter.clone();
    let bounds = Bounds::of(limiter.as_deref(), policy.max_attempts);
    let mut last: Option<Failure> = None;
    let mut number = 1;
    // The clock was read when the route had been found.
    let mut began = exchange.times.proxied.unwrap_or_else(Instant::now);
    loop {
        let session = exchange.notes.pin.as_ref().map(session);
        let (rules, now) = (&policy.rules, worker.clock.now());
        let picked = match selection.next(pool, rules, session, now, || worker.random()) {
            Ok(picked) => picked,
            Err(none) => {
                return match (last, none) {
                    // What went wrong before says more than that nothing is left.
                    (Some(failure), _) => Outcome::Failed(failure),
                    (None, NoEndpoint::Overloaded) => Outcome::Overloaded,
                    (None, NoEndpoint::Empty) => Outcome::Empty,
                    (None, NoEndpoint::Unbound | NoEndpoint::AllTried | NoEndpoint::NobodyLeft) => {
                        Outcome::Failed(unselected(exchange, pool))
                    }
                };
            }
        };
        let endpoint = picked.endpoint;
        if exchange.guard.is_some() && !lets_in(worker, exchange, &endpoint) {
            exchange.endpoint = Some(endpoint);
            exchange.record.entry.unasked = true;
            return Outcome::Denied;
        }
        // Counted until the head of the answer is there (spec 3.4).
        let in_flight = picked.in_flight;
        address_to(exchange, &endpoint);
        exchange.endpoint = Some(Arc::clone(&endpoint));
        let mut source = Source::Any;
        let failure = loop {
            worker.counters.request(endpoint.component());
            match attempt(worker, exchange, &endpoint, down, timer, source).await {
                Ok(answer) => {
                    if policy.rules.ejection.is_some() {
                        let verdict = match exchange.reply.status {
                            502..=504 => Verdict::Failed,
                            _ => Verdict::Served,
                        };
                        judge(worker, pool, &endpoint, verdict);
                    }
                    if policy.times_attempts {
                        succeeded(worker, exchange, &answer, began);
                    }
                    return Outcome::Answered(answer);
                }
                Err(failure) => {
                    match decide(&failure, replay, number, bounds, source == Source::New) {
                        Next::SameEndpoint => source = Source::New,
                        next => break (failure, next),
                    }
                }
            }
        };
        drop(in_flight);
        let (failure, next) = failure;
        note(worker, exchange, pool, &endpoint, &failure, number, next);
        if next.is_final() {
            return Outcome::Failed(failure);
        }
        last = Some(failure);
        number += 1;
        began = Instant::now();
    }
}

/// Whether the route's policy lets the caller reach this endpoint (spec 14.3); the log shows why.
#[cold]
fn lets_in(worker: &Worker, exchange: &mut Exchange, endpoint: &Endpoint) -> bool {
    let Some(guard) = &exchange.guard else {
        return true;
    };
    let (access, rule) = guard.judge(endpoint);
    if worker.policy.logs_callers {
        let rule = rule.parts().concat();
        exchange.record.set(Text::RoutePolicy, rule.as_bytes());
    }
    access == Access::Allowed
}

/// There are endpoints, but none for this request.
#[cold]
fn unselected(exchange: &Exchange, pool: &Pool) -> Failure {
    let failure = Failure::unsent(Cause::NoEndpoint);
    tracing::error!(target: "router", { vcap_request_id = %exchange.request_id, host = pool.uri(),
        error = %failure.cause }, "select-endpoint-failed");
    failure
}

/// The session that a client's cookies tell of.
fn session(pin: &Pin) -> Session<'_> {
    Session {
        instance: &pin.instance,
        bond: match pin.required {
            true => Bond::Required,
            false => Bond::Preferred,
        },
    }
}

/// Notes what the log shows of the attempt that succeeded.
#[cold]
fn succeeded(worker: &Worker, exchange: &mut Exchange, answer: &Answer, began: Instant) {
    exchange.times.attempted = Some(began);
    let attempts = &mut exchange.record.entry.attempts;
    // A connection that was there already took no time to make.
    for time in [
        &mut attempts.dns_ns,
        &mut attempts.dial_ns,
        &mut attempts.tls_ns,
    ] {
        time.get_or_insert(0);
    }
    if worker.policy.logs_local_address
        && let Some(address) = answer.connection.local_address()
    {
        let text = address.to_string();
        exchange.record.set(Text::LocalAddress, text.as_bytes());
    }
}

/// The endpoint that a request would have been sent to, for the log of one that is not sent.
pub fn likely(worker: &Worker, pool: &Pool) -> Option<Arc<Endpoint>> {
    let rules = &worker.policy.rules;
    let picked = Selection::new().next(pool, rules, None, worker.clock.now(), || worker.random());
    picked.ok().map(|picked| picked.endpoint)
}

/// Ends the outgoing head with the lines that name the endpoint (spec 4.4).
fn address_to(exchange: &mut Exchange, endpoint: &Endpoint) {
    let out = &mut exchange.out;
    out.truncate(exchange.common);
    let instance = match endpoint.instance_id() {
        "" => endpoint.address(),
        id => id,
    };
    let (application, index) = (endpoint.application_id(), endpoint.instance_index());
    // A registration is not a peer that may write header lines.
    let push = match endpoint.is_printable() {
        true => |out: &mut Vec<u8>, value: &str| out.extend_from_slice(value.as_bytes()),
        false => |out: &mut Vec<u8>, value: &str| {
            out.extend(value.bytes().filter(|byte| !byte.is_ascii_control()));
        },
    };
    out.reserve(80 + application.len() + index.len() + instance.len());
    out.extend_from_slice(b"X-CF-ApplicationID: ");
    push(out, application);
    out.extend_from_slice(b"\r\nX-CF-InstanceIndex: ");
    push(out, index);
    out.extend_from_slice(b"\r\nX-CF-InstanceID: ");
    push(out, instance);
    out.extend_from_slice(b"\r\n\r\n");
}

/// Keeps the endpoint's record, and says when it is left out for it.
#[cold]
fn judge(worker: &Worker, pool: &Pool, endpoint: &Endpoint, verdict: Verdict) {
    let (rules, now) = (&worker.policy.rules, worker.clock.now());
    if let Some(time) = note_verdict(&pool.endpoints(), endpoint, verdict, rules, now) {
        worker.counters.count(Count::EndpointsEjected);
        tracing::warn!(target: "router", { uri = pool.uri(), backend = endpoint.address(),
            application_id = endpoint.application_id(), instance_id = endpoint.instance_id(),
            seconds = time as f64 / 1_000.0 }, "endpoint-ejected");
    }
}

fn note(
    worker: &Worker,
    exchange: &mut Exchange,
    pool: &Arc<Pool>,
    endpoint: &Arc<Endpoint>,
    failure: &Failure,
    number: u32,
    next: Next,
) {
    let attempts = &mut exchange.record.entry.attempts;
    attempts.failed += 1;
    attempts.failed_time_ns = exchange
        .times
        .received
        .map(|received| nanoseconds(received.elapsed()));
    (attempts.dns_ns, attempts.dial_ns, attempts.tls_ns) = (None, None, None);
    if failure.fault() != Fault::Backend {
        return;
    }
    if next == Next::BudgetSpent {
        worker.counters.count(Count::RetriesDenied);
    }
    if worker.policy.rules.ejection.is_some() && !failure.client_slow {
        judge(worker, pool, endpoint, Verdict::Failed);
    }
    // What goes wrong with an instance that was asked for is no reason to send others elsewhere (spec 3.3).
    let narrowed = pool.endpoints().is_narrowed();
    let marked = failure.marks() && !narrowed;
    if marked {
        endpoint.mark_failed(worker.clock.now());
    }
    worker.report(FailedEndpoint {
        pool: Arc::clone(pool),
        endpoint: Arc::clone(endpoint),
        remove: failure.removes() && endpoint.tls() && !narrowed,
        marked,
        error: failure.cause.to_string(),
        is_timeout: matches!(
            failure.cause,
            Cause::Timeout | Cause::FirstByte | Cause::Idle
        ),
        attempt: number,
        request_id: exchange.request_id,
        trace: exchange.notes.trace.clone(),
        got_connection: !matches!(failure.cause, Cause::Dial { .. }),
        wrote_headers: failure.sent == super::Sent::Head,
        reused: failure.reused,
        local_address: failure.local_address,
        retriable: next == Next::OtherEndpoint,
    });
}
