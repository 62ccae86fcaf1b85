//! Counters without a label.

use super::super::names::{self, Metric};

/// What is counted without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// A request that no route answers for.
    RejectedRequests,
    /// A request that ended with 502 because every attempt failed.
    BadGateways,
    /// A request with an empty Content-Length header.
    EmptyContentLengthHeader,
    /// An attempt that met a backend with another identity than registered.
    BackendInvalidId,
    /// An attempt that met a backend whose certificate did not verify.
    BackendInvalidTlsCert,
    /// An attempt whose TLS handshake with the backend failed.
    BackendTlsHandshakeFailed,
    /// A request refused because all endpoints had their most connections.
    BackendExhaustedConns,
    /// A WebSocket request that a backend answered.
    WebsocketUpgrades,
    /// A WebSocket request that failed.
    WebsocketFailures,
    /// An endpoint that is left out for its failures.
    EndpointsEjected,
    /// A request refused because its route has the most requests under way.
    ConcurrencyLimited,
    /// A request refused because its route got too many lately.
    RateLimited,
    /// A request refused because its client has sent its route too many lately.
    ClientRateLimited,
    /// A request whose content is larger than its route takes.
    OversizedBodies,
    /// A request that was not sent again because its route's retry budget was spent.
    RetriesDenied,
}

impl Count {
    pub(in crate::observe) const ALL: [(Count, Metric); 15] = [
        (Count::RejectedRequests, names::REJECTED_REQUESTS),
        (Count::BadGateways, names::BAD_GATEWAYS),
        (
            Count::EmptyContentLengthHeader,
            names::EMPTY_CONTENT_LENGTH_HEADER,
        ),
        (Count::BackendInvalidId, names::BACKEND_INVALID_ID),
        (
            Count::BackendInvalidTlsCert,
            names::BACKEND_INVALID_TLS_CERT,
        ),
        (
            Count::BackendTlsHandshakeFailed,
            names::BACKEND_TLS_HANDSHAKE_FAILED,
        ),
        (Count::BackendExhaustedConns, names::BACKEND_EXHAUSTED_CONNS),
        (Count::WebsocketUpgrades, names::WEBSOCKET_UPGRADES),
        (Count::WebsocketFailures, names::WEBSOCKET_FAILURES),
        (Count::EndpointsEjected, names::ENDPOINTS_EJECTED),
        (Count::ConcurrencyLimited, names::CONCURRENCY_LIMITED),
        (Count::RateLimited, names::RATE_LIMITED),
        (Count::ClientRateLimited, names::CLIENT_RATE_LIMITED),
        (Count::OversizedBodies, names::OVERSIZED_BODIES),
        (Count::RetriesDenied, names::RETRIES_DENIED),
    ];
}
