//! The head that goes to an endpoint or a route service.

use super::reply::binds_connection;
use crate::exchange::Exchange;
use crate::http1::request::Expect;
use crate::http1::target::Form;
use crate::http1::{Framing, Request, write};
use crate::message::Name;
use crate::worker::Worker;

/// Writes the head for the backend into `exchange.out`, all but the lines that name the endpoint; for a route service the
/// whole head.
pub(super) fn outgoing(bytes: &[u8], worker: &Worker, exchange: &mut Exchange, request: &Request) {
    let Exchange {
        head,
        out,
        notes,
        service,
        ..
    } = exchange;
    let method = head.method.of(bytes);
    let bodiless = matches!(request.framing, Framing::None | Framing::Length(0));
    if bodiless {
        // One spelling of "no body": a length of 0 where the method leads the backend to expect a body, else none.
        head.remove(Name::ContentLength);
        if matches!(method, b"POST" | b"PUT" | b"PATCH") {
            head.add("Content-Length", b"0");
        }
    } else if request.framing == Framing::Chunked {
        head.add("Transfer-Encoding", b"chunked");
    }
    notes.asked_continue = request.expect == Expect::Continue;
    notes.expects_continue = notes.asked_continue;
    notes.login = head
        .find(Name::Authorization)
        .is_some_and(|field| binds_connection(field.value.of(bytes)));
    // A backend that was asked to upgrade and did not is not asked anything else on that connection.
    notes.close_backend =
        worker.policy.close_backends || closes_behind(worker, request) || notes.upgrade.is_some();
    if notes.close_backend && notes.upgrade.is_none() {
        head.add("Connection", b"close");
    }
    let authority_counts =
        request.target.form == Form::Absolute && !request.target.authority.is_empty();
    let (target, host) = match service {
        Some(service) => (
            service.target().as_bytes(),
            Some(service.authority().as_bytes()),
        ),
        None => (
            head.target.of(bytes),
            authority_counts.then(|| request.host.of(bytes)),
        ),
    };
    if host.is_some() {
        head.remove(Name::Host);
    }
    out.clear();
    write::request_line(method, target, out);
    if let Some(host) = host {
        out.extend_from_slice(b"Host: ");
        out.extend_from_slice(host);
        out.extend_from_slice(b"\r\n");
    }
    write::fields(bytes, head, out);
    if service.is_some() {
        out.extend_from_slice(b"\r\n");
    }
    exchange.common = exchange.out.len();
}

/// A backend connection that saw `Expect: 100-continue` is not used again (spec 4.8).
fn closes_behind(worker: &Worker, request: &Request) -> bool {
    request.expect == Expect::Continue && !worker.policy.keep_alive_100_continue
}
