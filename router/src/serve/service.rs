//! Requests that a route service has a part in (spec 8).

use std::borrow::Cow;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::callers::Caller;
use crate::exchange::{Exchange, RequestId};
use crate::http1::{Request, host};
use crate::message::{Name, View};
use crate::respond::Answer;
use crate::route_service::{Asked, Denial, Departure, Leg, Service, Verdict, strip};
use crate::table::Pool;
use crate::worker::Worker;

/// What a request on a route with a service, or with a signature, is. `received` is in nanoseconds of Unix time.
#[cold]
pub(super) fn judge(
    worker: &Worker,
    view: &View<'_>,
    request: &Request,
    pool: &Pool,
    service_url: Option<&str>,
    received: u64,
) -> Verdict {
    let Some(services) = &worker.services else {
        return Verdict {
            leg: match service_url {
                Some(_) => Err(Denial::Disabled),
                None => Ok(Leg::App),
            },
            from_service: false,
            caller: None,
        };
    };
    let protocol = view.value(Name::Upgrade).unwrap_or_default();
    let asked = Asked {
        pool,
        service_url,
        websocket: request.upgrade && protocol.eq_ignore_ascii_case(b"websocket"),
        now: time(received),
    };
    services.rules.judge(view, &asked, &worker.table)
}

/// Makes the headers what this leg carries, and gives the service that is asked.
#[cold]
pub(super) fn set_out(
    worker: &Worker,
    view: &mut View<'_>,
    request: &Request,
    leg: Leg,
    received: u64,
    caller: Option<&Caller>,
) -> Result<Option<Arc<Service>>, Denial> {
    let service = match (leg, &worker.services) {
        (Leg::Service(service), Some(services)) => (service, services),
        (Leg::Returned, _) => {
            strip(view);
            return Ok(None);
        }
        _ => return Ok(None),
    };
    let (service, services) = service;
    let name = host::without_port(request.host.of(view.bytes));
    let target = match request.target.origin.of(view.bytes) {
        b"" => b"/",
        target => target,
    };
    let departure = Departure {
        host: name,
        target,
        caller,
        now: time(received),
    };
    let signed = services.rules.sign(view, &departure);
    signed.map_err(|_| Denial::Failed)?;
    Ok(Some(service))
}

/// Says that a request goes nowhere.
#[cold]
pub(super) fn refuse(id: &RequestId, denial: &Denial) -> Answer {
    let cause: Cow<'_, str> = match denial {
        Denial::Signature(invalid) | Denial::Strict(invalid) => invalid.to_string().into(),
        Denial::Failed => "no URL of a route service".into(),
        Denial::Disabled | Denial::Websocket => "".into(),
    };
    if !cause.is_empty() {
        let message = match denial {
            Denial::Failed => "request-to-route-service-failed",
            _ => "signature-validation-failed",
        };
        tracing::error!(target: "router", { error = %cause, vcap_request_id = %id }, "{message}");
    } else {
        tracing::info!(target: "router", { vcap_request_id = %id }, "route-service-unsupported");
    }
    Answer::route_service(denial)
}

/// Counts what a client was answered; what a route service answers was counted with its leg.
#[inline]
pub(super) fn count(worker: &Worker, exchange: &Exchange, status: u16) {
    if exchange.service.is_none() {
        worker.counters.response(status);
    }
}

fn time(unix_ns: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ns))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
