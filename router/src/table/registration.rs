//! One registration as a source describes it.

use std::borrow::Cow;

use super::options::RouteOptions;
use super::{Algorithm, Millis};

/// What a source says about one endpoint, borrowed from its message.
///
/// Nothing of it is copied unless it changes the table. The fields are those of the
/// `router.register` message (spec 2.2) and of a Routing API entry (spec 2.7), already checked:
/// the port is the TLS port when `tls` is set, a route service is empty or begins with `https`.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    /// Address of the backend: an IP literal or a name.
    pub host: &'a str,
    /// Port to connect to.
    pub port: u16,
    /// Whether the backend is spoken to over TLS. Such an endpoint never expires by age.
    pub tls: bool,
    /// HTTP version towards the backend.
    pub protocol: Protocol,
    /// Application id (`app`).
    pub app: &'a str,
    /// Instance id (`private_instance_id`), also the sticky cookie's value.
    pub instance_id: &'a str,
    /// Instance index (`private_instance_index`).
    pub instance_index: &'a str,
    /// Name that a TLS backend must prove.
    pub server_cert_domain_san: &'a str,
    /// Isolation segment; the caller filters by it (spec 2.5).
    pub isolation_segment: &'a str,
    /// Availability zone, compared with the router's own.
    pub availability_zone: &'a str,
    /// Time to live without a refresh. 0 stands for the table's threshold, which is also the
    /// longest.
    pub ttl: Millis,
    /// Route service of the pool; empty clears it.
    pub route_service_url: &'a str,
    /// Tags, sorted by key, each key once.
    pub tags: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// Whether the message had tags at all: the listing shows `null` or `{}`.
    pub tags_present: bool,
    /// When the endpoint was last changed at its origin, in nanoseconds since 1970; 0 = unknown.
    pub updated_at_ns: i64,
    /// Orders registrations of the same address.
    pub modification_tag: ModificationTag<'a>,
    /// The algorithm that `algorithm_text` names, if it is a known one.
    pub algorithm: Option<Algorithm>,
    /// `options.loadbalancing` as sent.
    pub algorithm_text: &'a str,
    /// The options that few registrations have; `None` when there are none.
    pub options: Option<&'a RouteOptions<'a>>,
    /// `options.route_policy_scope`: how far away the pool's callers may be; empty is no matter.
    pub route_policy_scope: &'a str,
    /// `options.route_policy_sources`: the pool's callers, separated by commas.
    pub route_policy_sources: &'a str,
}

impl Default for Registration<'_> {
    /// A plain HTTP/1 endpoint without address.
    fn default() -> Self {
        Self {
            host: "",
            port: 0,
            tls: false,
            protocol: Protocol::Http1,
            app: "",
            instance_id: "",
            instance_index: "",
            server_cert_domain_san: "",
            isolation_segment: "",
            availability_zone: "",
            ttl: 0,
            route_service_url: "",
            tags: &[],
            tags_present: false,
            updated_at_ns: 0,
            modification_tag: ModificationTag::default(),
            algorithm: None,
            algorithm_text: "",
            options: None,
            route_policy_scope: "",
            route_policy_sources: "",
        }
    }
}

/// HTTP version towards a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, `http1` in messages and listings.
    Http1,
    /// HTTP/2, `http2`.
    Http2,
}

impl Protocol {
    /// Name in messages and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }
}

/// Version of a route in the Routing API; empty in NATS messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModificationTag<'a> {
    /// Changes when the route was made anew; empty = not versioned.
    pub guid: &'a str,
    /// Grows with every change under one guid.
    pub index: u32,
}

impl ModificationTag<'_> {
    /// Whether `newer` may replace what carries this tag (spec 2.3): either guid is empty, the
    /// guids differ, or the index is greater.
    pub fn succeeded_by(&self, newer: &ModificationTag<'_>) -> bool {
        self.guid.is_empty()
            || newer.guid.is_empty()
            || self.guid != newer.guid
            || newer.index > self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_tag_is_succeeded_by_an_empty_a_foreign_and_a_greater_one() {
        let tag = |guid, index| ModificationTag { guid, index };
        assert!(tag("", 5).succeeded_by(&tag("a", 0)));
        assert!(tag("a", 5).succeeded_by(&tag("", 0)));
        assert!(tag("a", 5).succeeded_by(&tag("b", 0)));
        assert!(tag("a", 5).succeeded_by(&tag("a", 6)));
        assert!(!tag("a", 5).succeeded_by(&tag("a", 5)));
        assert!(!tag("a", 5).succeeded_by(&tag("a", 4)));
    }
}
