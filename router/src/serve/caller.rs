//! Requests where hosts have client authorities of their own (spec 14.3): is this the right connection, and who calls?

use std::sync::Arc;

use super::connection::Peer;
use crate::callers::{Caller, Guard, Rule};
use crate::config::ForwardedClientCert;
use crate::observe::record::{Record, Text};
use crate::respond::Answer;
use crate::table::Pool;
use crate::worker::Worker;

/// The answer where a request for `host` has no business on this connection: it was made for another domain than the
/// host's, or for none while the host is on one. `host` is without its port.
#[inline]
pub(super) fn misdirected(worker: &Worker, host: &[u8], peer: &Peer) -> Option<Answer> {
    let domains = worker.policy.domains.as_ref()?;
    let made_for = peer.verified.as_ref().map(|verified| &verified.domain);
    (domains.find(host) != made_for).then(|| {
        let answer = Answer::misdirected();
        worker.counters.response(answer.status);
        answer
    })
}

/// What becomes of the client's certificate on the domain that the connection was made for.
pub(super) fn forwarding(peer: &Peer) -> Option<ForwardedClientCert> {
    let verified = peer.verified.as_ref()?;
    Some(verified.domain.forwarded)
}

/// Who calls: as the client's certificate says, or where the request has come `back` from a route service, as the router
/// said when it sent the request there. What the service itself shows does not count, and neither does a header.
pub(super) fn of(peer: &Peer, back: Option<Option<Caller>>) -> Option<Arc<Caller>> {
    let verified = peer.verified.as_ref()?;
    match back {
        Some(caller) => caller.map(Arc::new),
        None => verified.caller.clone(),
    }
}

/// Notes who calls. Gives what stands before the route's endpoints where it has a policy.
///
/// # Errors
/// The answer, where the route wants to know and the client's certificate does not say. Nobody is asked then; the log is to
/// name who would have been.
#[cold]
pub(super) fn admit(
    worker: &Worker,
    peer: &Peer,
    pool: &Pool,
    caller: Option<&Arc<Caller>>,
    record: &mut Record,
) -> Result<Option<Guard>, Answer> {
    let logs = worker.policy.logs_callers;
    if let Some(caller) = caller.filter(|_| logs) {
        for (which, guid) in [
            (Text::CallerApp, &caller.app),
            (Text::CallerOrg, &caller.org),
            (Text::CallerSpace, &caller.space),
        ] {
            record.set(which, guid.as_bytes());
        }
    }
    let Some(policy) = pool.endpoints().route_policy().map(Arc::clone) else {
        return Ok(None);
    };
    if peer.verified.is_some() && caller.is_none() {
        if logs {
            let rule = Rule::NoIdentity.parts().concat();
            record.set(Text::RoutePolicy, rule.as_bytes());
        }
        return Err(Answer::no_identity());
    }
    Ok(Some(Guard {
        policy,
        caller: caller.cloned(),
    }))
}
