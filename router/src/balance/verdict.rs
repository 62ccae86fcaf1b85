//! What becomes of an endpoint by how its requests end.

use super::Rules;
use super::eligible::{ejected, most_ejected};
use crate::table::{Endpoint, Endpoints, Millis};

/// How a request to an endpoint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// With an answer of the application, whatever it said of the request.
    Served,
    /// Without an answer by the endpoint's fault, or with one that stands for that: 502, 503, 504.
    Failed,
}

/// Keeps the endpoint's record. Says for how many milliseconds it is left out if this was one failure too many.
pub fn note_verdict(
    endpoints: &Endpoints,
    endpoint: &Endpoint,
    verdict: Verdict,
    rules: &Rules,
    now: Millis,
) -> Option<Millis> {
    let ejection = rules.ejection.as_ref()?;
    // What goes wrong with an instance that was asked for is no reason to send others elsewhere (spec 3.3).
    if endpoints.is_narrowed() {
        return None;
    }
    match verdict {
        Verdict::Served => {
            endpoint.forget_errors();
            None
        }
        Verdict::Failed => {
            let may = || ejected(endpoints, now) < most_ejected(endpoints, rules);
            endpoint.count_error(now, ejection, may)
        }
    }
}
