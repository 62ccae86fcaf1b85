//! The data path's numbers as the deprecated status server needs them.

use std::collections::BTreeMap;

use super::counters::{Count, Counters, STATUS_GROUPS, Totals};

/// Everything of this moment.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Requests that no route answers for.
    pub bad_requests: u64,
    /// Requests that ended with 502 because every attempt failed.
    pub bad_gateways: u64,
    /// All endpoints together.
    pub all: Traffic,
    /// By the endpoints' tag `component`; those without one are left out.
    pub components: BTreeMap<String, Traffic>,
    /// Upper bounds of the latency's buckets, in nanoseconds, ascending.
    pub bounds_ns: Vec<u64>,
}

/// Requests and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Attempts.
    pub requests: u64,
    /// Responses by the first digit of their status: 2xx, 3xx, 4xx, 5xx, others.
    pub responses: [u64; STATUS_GROUPS.len()],
    /// How many requests took how long: one number for each bucket and one for what is above all. Empty when none was
    /// measured.
    pub latency: Vec<u64>,
}

impl Summary {
    pub(super) fn new(counters: &Counters) -> Summary {
        let totals = counters.totals();
        let details = counters.scope().details.as_ref();
        Summary {
            bad_requests: totals.count(Count::RejectedRequests),
            bad_gateways: totals.count(Count::BadGateways),
            all: all(&totals),
            components: components(&totals),
            bounds_ns: details.map_or_else(Vec::new, |bounds| bounds.ns().to_vec()),
        }
    }
}

fn all(totals: &Totals) -> Traffic {
    let mut all = Traffic::default();
    all.responses.copy_from_slice(totals.responses());
    for component in totals.components.values() {
        all.requests += component.requests;
        let counts = component.detailed_latency.counts();
        all.latency.resize(all.latency.len().max(counts.len()), 0);
        for (sum, count) in all.latency.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    all
}

fn components(totals: &Totals) -> BTreeMap<String, Traffic> {
    let named = totals
        .components
        .iter()
        .filter(|(name, _)| !name.is_empty());
    named
        .map(|(name, total)| {
            let traffic = Traffic {
                requests: total.requests,
                responses: total.responses,
                latency: total.detailed_latency.counts().to_vec(),
            };
            (name.clone(), traffic)
        })
        .collect()
}
