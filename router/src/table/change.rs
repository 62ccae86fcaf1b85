//! What goes into the writer, and what it tells about it.

use std::borrow::Cow;
use std::sync::Arc;

use super::endpoint::Endpoint;
use super::pool::Pool;
use super::registration::{ModificationTag, Registration};
use super::source::SourceId;

/// One change of the table.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// An endpoint is there, or still there (spec 2.3).
    Register {
        /// Who says so.
        source: SourceId,
        /// Its routes.
        uris: &'a [Cow<'a, str>],
        /// What it is.
        registration: &'a Registration<'a>,
    },
    /// An endpoint has left these routes (spec 2.3).
    Unregister {
        /// Who says so.
        source: SourceId,
        /// The routes, exactly: paths below them stay.
        uris: &'a [Cow<'a, str>],
        /// Host of the endpoint's address.
        host: &'a str,
        /// Port of the endpoint's address.
        port: u16,
        /// Ignored where the registered tag is newer.
        modification_tag: ModificationTag<'a>,
    },
    /// An endpoint failed in a way that removes it (spec 3.5; the caller has classified the
    /// failure). The pool stays, perhaps empty, until the next [`Change::Expire`].
    Fail {
        /// The pool it was chosen from.
        pool: &'a Arc<Pool>,
        /// The endpoint; an endpoint with other connections that has taken its place stays.
        endpoint: &'a Arc<Endpoint>,
    },
    /// One prune pass (spec 2.4): what has not been confirmed for its TTL goes, then empty pools.
    Expire,
    /// A source cannot be heard.
    SourceDown(SourceId),
    /// A source can be heard again.
    SourceUp(SourceId),
}

/// What a change did, for logs and metrics. Names are those of the log lines where there is one.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// `route-registered`: a new pool. Its first endpoint follows.
    RouteRegistered {
        /// The pool.
        pool: &'a Arc<Pool>,
    },
    /// An endpoint was registered.
    EndpointRegistered {
        /// Its pool.
        pool: &'a Arc<Pool>,
        /// The endpoint as it now is.
        endpoint: &'a Arc<Endpoint>,
        /// Whether that changed anything.
        outcome: Outcome,
    },
    /// `endpoint-not-registered`: the registered modification tag is newer.
    EndpointNotRegistered {
        /// The pool.
        pool: &'a Arc<Pool>,
        /// The endpoint that stays.
        endpoint: &'a Arc<Endpoint>,
    },
    /// `endpoint-unregistered`.
    EndpointUnregistered {
        /// The pool that it left.
        pool: &'a Arc<Pool>,
        /// The endpoint.
        endpoint: &'a Arc<Endpoint>,
    },
    /// `endpoint-not-unregistered`: no such route or address, or a newer tag.
    EndpointNotUnregistered {
        /// The uri as sent.
        uri: &'a str,
    },
    /// `route-unregistered`: the last endpoint was unregistered and the pool is gone.
    RouteUnregistered {
        /// The pool.
        pool: &'a Arc<Pool>,
    },
    /// `prune-failed-endpoint`: removed by [`Change::Fail`].
    EndpointFailed {
        /// The pool that it left.
        pool: &'a Arc<Pool>,
        /// The endpoint.
        endpoint: &'a Arc<Endpoint>,
    },
    /// `pruned-route`: endpoints that had not been confirmed for their TTL.
    Pruned {
        /// The pool that they left.
        pool: &'a Arc<Pool>,
        /// The endpoints, at least one.
        endpoints: &'a [Arc<Endpoint>],
    },
    /// An empty pool was removed by a prune pass.
    EmptyRoutePruned {
        /// The pool.
        pool: &'a Arc<Pool>,
    },
    /// `prune-suspended`: a prune pass kept the endpoints of a source that is down.
    PruneSuspended {
        /// The source.
        source: SourceId,
    },
    /// A uri without a host: there is no such route.
    UriIgnored {
        /// The uri as sent.
        uri: &'a str,
    },
}

/// What a registration did to a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new address.
    Added,
    /// Something about the endpoint changed.
    Updated,
    /// Nothing but the time of its last confirmation changed.
    Unmodified,
}
