//! One backend address with all that a registration said about it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::backend::Backend;
use super::options::RouteOptions;
use super::registration::{ModificationTag, Protocol, Registration};
use super::tags::{self, Tags};
use super::{Algorithm, Millis};

use text::{
    ALGORITHM, APPLICATION_ID, AVAILABILITY_ZONE, HOST, INSTANCE_ID, INSTANCE_INDEX,
    ISOLATION_SEGMENT, PORT, ROUTE_POLICY_SCOPE, ROUTE_POLICY_SOURCES, ROUTE_SERVICE_URL,
    SERVER_CERT_DOMAIN_SAN, TAG_GUID, Text,
};

mod health;
mod text;

/// One backend `host:port` as last registered.
///
/// Immutable but for its counters, which outlive it: when a registration changes something about
/// an endpoint, a new one takes its place in the pool and, with address, TLS flag and certificate
/// name unchanged, also its in-flight number, its failure mark and its pooled connections.
#[derive(Debug)]
pub struct Endpoint {
    text: Text,
    ttl: Millis,
    updated_at_ns: i64,
    backend: Arc<Backend>,
    options: Option<Box<RouteOptions<'static>>>,
    tag_index: u32,
    /// The host when it is an IPv4 address, so that nothing is parsed for a request; else 0.
    ipv4: u32,
    port: u16,
    /// Where in the text the value of the tag `component` stands in its encoded form; 0 = nowhere, or too far away.
    component_at: u16,
    protocol: Protocol,
    algorithm: Option<Algorithm>,
    tls: bool,
    flags: u8,
}

/// The registration had tags, if only an empty map.
const HAS_TAGS: u8 = 1;
/// Address, application and instance hold no control characters.
const PRINTABLE: u8 = 2;

impl Endpoint {
    /// `ttl` is the effective one; `backend` may be that of an endpoint whose place this takes.
    pub(crate) fn new(
        registration: &Registration<'_>,
        ttl: Millis,
        backend: Arc<Backend>,
    ) -> Arc<Self> {
        let (text, component_at) = Text::new(registration);
        let named = text.until(INSTANCE_INDEX);
        let printable = !named.bytes().any(|byte| byte.is_ascii_control());
        let has_tags = registration.tags_present || !registration.tags.is_empty();
        let ipv4 = registration.host.parse().map_or(0, Ipv4Addr::to_bits);
        Arc::new(Self {
            text,
            ttl,
            updated_at_ns: registration.updated_at_ns,
            backend,
            options: registration
                .options
                .map(|options| Box::new(options.to_owned())),
            tag_index: registration.modification_tag.index,
            ipv4,
            component_at: u16::try_from(component_at).unwrap_or_default(),
            port: registration.port,
            protocol: registration.protocol,
            algorithm: registration.algorithm,
            tls: registration.tls,
            flags: (HAS_TAGS * u8::from(has_tags)) | (PRINTABLE * u8::from(printable)),
        })
    }

    /// Whether `registration` says nothing new about this endpoint (spec 2.3; also the zone).
    pub(crate) fn is_described_by(&self, registration: &Registration<'_>, ttl: Millis) -> bool {
        self.is_at(registration.host, registration.port)
            && self.tls == registration.tls
            && self.protocol == registration.protocol
            && self.ttl == ttl
            && self.updated_at_ns == registration.updated_at_ns
            && self.algorithm == registration.algorithm
            && self.modification_tag() == registration.modification_tag
            && self.application_id() == registration.app
            && self.instance_id() == registration.instance_id
            && self.instance_index() == registration.instance_index
            && self.server_cert_domain_san() == registration.server_cert_domain_san
            && self.isolation_segment() == registration.isolation_segment
            && self.availability_zone() == registration.availability_zone
            && self.route_service_url() == registration.route_service_url
            && self.text.field(ALGORITHM) == registration.algorithm_text
            && self.options() == registration.options
            && self.route_policy_scope() == registration.route_policy_scope
            && self.route_policy_sources() == registration.route_policy_sources
            && self
                .tags()
                .eq(registration.tags.iter().map(|(k, v)| (&**k, &**v)))
    }

    /// Whether an endpoint of `registration`'s description may go on with this one's connections.
    pub(crate) fn shares_backend_with(&self, registration: &Registration<'_>) -> bool {
        self.tls == registration.tls
            && self.server_cert_domain_san() == registration.server_cert_domain_san
            && self.is_at(registration.host, registration.port)
    }

    pub(crate) fn is_at(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host() == host
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// `host:port`, the endpoint's identity within a pool.
    pub fn address(&self) -> &str {
        self.text.until(PORT)
    }

    /// Host part of the address: an IP literal or a name.
    pub fn host(&self) -> &str {
        self.text.until(HOST)
    }

    /// Port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address when its host is an IP literal (IPv6 with or without brackets); a name has to
    /// be resolved.
    #[inline]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        if self.ipv4 != 0 {
            return Some((Ipv4Addr::from_bits(self.ipv4), self.port).into());
        }
        self.parsed_addr()
    }

    fn parsed_addr(&self) -> Option<SocketAddr> {
        let host = self.host();
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let ip: IpAddr = literal.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// Application id; empty if unknown.
    pub fn application_id(&self) -> &str {
        self.text.field(APPLICATION_ID)
    }

    /// Instance id; empty if unknown.
    pub fn instance_id(&self) -> &str {
        self.text.field(INSTANCE_ID)
    }

    /// Instance index in decimal; empty if unknown.
    pub fn instance_index(&self) -> &str {
        self.text.field(INSTANCE_INDEX)
    }

    /// Name that the backend's certificate must prove; empty if none.
    pub fn server_cert_domain_san(&self) -> &str {
        self.text.field(SERVER_CERT_DOMAIN_SAN)
    }

    /// Isolation segment; empty = shared.
    pub fn isolation_segment(&self) -> &str {
        self.text.field(ISOLATION_SEGMENT)
    }

    /// Availability zone; empty if unknown.
    pub fn availability_zone(&self) -> &str {
        self.text.field(AVAILABILITY_ZONE)
    }

    /// Route service that this registration asked for; the pool's own is what counts.
    pub fn route_service_url(&self) -> &str {
        self.text.field(ROUTE_SERVICE_URL)
    }

    /// The same for logs: without a user, whose password would be in there.
    pub fn shown_service_url(&self) -> Cow<'_, str> {
        without_user(self.route_service_url())
    }

    /// Balancing algorithm as registered, valid or not, or what its source stands for without naming it; empty if
    /// unknown. The pool's own is what counts.
    pub fn load_balancing_algorithm(&self) -> &str {
        match (self.text.field(ALGORITHM), self.algorithm) {
            ("", Some(algorithm)) => algorithm.as_str(),
            (text, _) => text,
        }
    }

    /// The algorithm that was registered, if it is a known one.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The options that few registrations have; the pool's own are what counts.
    pub fn options(&self) -> Option<&RouteOptions<'_>> {
        self.options.as_deref()
    }

    /// Scope of callers that this registration asked for, empty if none; the pool's own is what counts.
    pub fn route_policy_scope(&self) -> &str {
        self.text.field(ROUTE_POLICY_SCOPE)
    }

    /// Callers that this registration listed, separated by commas; the pool's own are what counts.
    pub fn route_policy_sources(&self) -> &str {
        self.text.field(ROUTE_POLICY_SOURCES)
    }

    /// Version of the registration.
    pub fn modification_tag(&self) -> ModificationTag<'_> {
        ModificationTag {
            guid: self.text.field(TAG_GUID),
            index: self.tag_index,
        }
    }

    /// Tags as (key, value), sorted by key.
    pub fn tags(&self) -> Tags<'_> {
        Tags {
            text: self.text.tags(),
            application_id: self.application_id(),
            instance_id: self.instance_id(),
        }
    }

    /// Value of one tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The tag `component`, by which requests are counted; empty if there is none.
    pub fn component(&self) -> &str {
        match self.component_at {
            0 => self.tag("component").unwrap_or_default(),
            at => tags::literal(self.text.rest(at.into()))
                .or_else(|| self.tag("component"))
                .unwrap_or_default(),
        }
    }

    /// Address, application id, instance id and index in one piece, and where each of them ends.
    pub fn identity(&self) -> (&str, [usize; 4]) {
        let fields = [PORT, APPLICATION_ID, INSTANCE_ID, INSTANCE_INDEX];
        let ends = fields.map(|field| self.text.end(field));
        (self.text.until(INSTANCE_INDEX), ends)
    }

    /// Whether the registration had tags at all, if only an empty map.
    pub fn has_tags(&self) -> bool {
        self.flags & HAS_TAGS != 0
    }

    /// Whether address, application and instance hold no control characters, so that they can stand in header lines as
    /// they are.
    #[inline]
    pub fn is_printable(&self) -> bool {
        self.flags & PRINTABLE != 0
    }

    /// HTTP version towards the backend.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the backend is spoken to over TLS.
    pub fn tls(&self) -> bool {
        self.tls
    }

    /// How long it stays without a refresh, in milliseconds (not applied to TLS endpoints).
    pub fn ttl(&self) -> Millis {
        self.ttl
    }

    /// When it last changed at its origin, in nanoseconds since 1970; 0 = unknown.
    pub fn updated_at_ns(&self) -> i64 {
        self.updated_at_ns
    }
}

/// A URL as it is, but for the user before its host.
pub fn without_user(url: &str) -> Cow<'_, str> {
    let from = url.find("://").map_or(0, |at| at + "://".len());
    let rest = url.get(from..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest.get(..end).and_then(|authority| authority.rfind('@')) {
        None => Cow::Borrowed(url),
        Some(at) => {
            let mut shown = url.to_owned();
            shown.replace_range(from..=from + at, "");
            Cow::Owned(shown)
        }
    }
}
