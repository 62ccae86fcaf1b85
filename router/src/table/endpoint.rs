//! One backend address with all that a registration said about it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use super::backend::{Backend, InFlight};
use super::options::RouteOptions;
use super::registration::{ModificationTag, Protocol, Registration};
use super::strikes::Ejection;
use super::tags::{self, Tags};
use super::{Algorithm, Millis};

/// One backend `host:port` as last registered.
///
/// Immutable but for its counters, which outlive it: when a registration changes something about
/// an endpoint, a new one takes its place in the pool and, with address, TLS flag and certificate
/// name unchanged, also its in-flight number, its failure mark and its pooled connections.
#[derive(Debug)]
pub struct Endpoint {
    /// All strings one after the other in the order of the field numbers below, then the tags.
    text: Box<str>,
    /// Where each field ends in the text.
    ends: Ends,
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

const HOST: usize = 0;
/// Colon and port number: with the host before it, the address.
const PORT: usize = 1;
const APPLICATION_ID: usize = 2;
const INSTANCE_ID: usize = 3;
const INSTANCE_INDEX: usize = 4;
const SERVER_CERT_DOMAIN_SAN: usize = 5;
const ISOLATION_SEGMENT: usize = 6;
const AVAILABILITY_ZONE: usize = 7;
const ROUTE_SERVICE_URL: usize = 8;
const TAG_GUID: usize = 9;
const ALGORITHM: usize = 10;
const ROUTE_POLICY_SCOPE: usize = 11;
const ROUTE_POLICY_SOURCES: usize = 12;
const FIELDS: usize = 13;

impl Endpoint {
    /// `ttl` is the effective one; `backend` may be that of an endpoint whose place this takes.
    pub(crate) fn new(
        registration: &Registration<'_>,
        ttl: Millis,
        backend: Arc<Backend>,
    ) -> Arc<Self> {
        let port = format!(":{}", registration.port);
        let fields: [&str; FIELDS] = [
            registration.host,
            &port,
            registration.app,
            registration.instance_id,
            registration.instance_index,
            registration.server_cert_domain_san,
            registration.isolation_segment,
            registration.availability_zone,
            registration.route_service_url,
            registration.modification_tag.guid,
            registration.algorithm_text,
            registration.route_policy_scope,
            registration.route_policy_sources,
        ];
        let mut text = String::new();
        let ends = fields.map(|field| {
            text.push_str(field);
            text.len()
        });
        let component_at = tags::encode(
            registration.tags,
            registration.app,
            registration.instance_id,
            &mut text,
        );
        let named = text.get(..ends[INSTANCE_INDEX]).unwrap_or_default();
        let printable = !named.bytes().any(|byte| byte.is_ascii_control());
        let has_tags = registration.tags_present || !registration.tags.is_empty();
        let ipv4 = registration.host.parse().map_or(0, Ipv4Addr::to_bits);
        Arc::new(Self {
            text: text.into_boxed_str(),
            ends: Ends::new(ends),
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
            && self.field(ALGORITHM) == registration.algorithm_text
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
        self.slice(0..self.end(PORT))
    }

    /// Host part of the address: an IP literal or a name.
    pub fn host(&self) -> &str {
        self.slice(0..self.end(HOST))
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
        self.field(APPLICATION_ID)
    }

    /// Instance id; empty if unknown.
    pub fn instance_id(&self) -> &str {
        self.field(INSTANCE_ID)
    }

    /// Instance index in decimal; empty if unknown.
    pub fn instance_index(&self) -> &str {
        self.field(INSTANCE_INDEX)
    }

    /// Name that the backend's certificate must prove; empty if none.
    pub fn server_cert_domain_san(&self) -> &str {
        self.field(SERVER_CERT_DOMAIN_SAN)
    }

    /// Isolation segment; empty = shared.
    pub fn isolation_segment(&self) -> &str {
        self.field(ISOLATION_SEGMENT)
    }

    /// Availability zone; empty if unknown.
    pub fn availability_zone(&self) -> &str {
        self.field(AVAILABILITY_ZONE)
    }

    /// Route service that this registration asked for; the pool's own is what counts.
    pub fn route_service_url(&self) -> &str {
        self.field(ROUTE_SERVICE_URL)
    }

    /// Balancing algorithm as registered, valid or not, or what its source stands for without naming it; empty if
    /// unknown. The pool's own is what counts.
    pub fn load_balancing_algorithm(&self) -> &str {
        match (self.field(ALGORITHM), self.algorithm) {
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
        self.field(ROUTE_POLICY_SCOPE)
    }

    /// Callers that this registration listed, separated by commas; the pool's own are what counts.
    pub fn route_policy_sources(&self) -> &str {
        self.field(ROUTE_POLICY_SOURCES)
    }

    /// Version of the registration.
    pub fn modification_tag(&self) -> ModificationTag<'_> {
        ModificationTag {
            guid: self.field(TAG_GUID),
            index: self.tag_index,
        }
    }

    /// Tags as (key, value), sorted by key.
    pub fn tags(&self) -> Tags<'_> {
        self.encoded(self.end(FIELDS - 1)..self.text.len())
    }

    /// Value of one tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// The tag `component`, by which requests are counted; empty if there is none.
    pub fn component(&self) -> &str {
        match self.component_at {
            0 => self.tag("component").unwrap_or_default(),
            at => tags::literal(self.slice(at.into()..self.text.len()))
                .or_else(|| self.tag("component"))
                .unwrap_or_default(),
        }
    }

    /// Address, application id, instance id and index in one piece, and where each of them ends.
    pub fn identity(&self) -> (&str, [usize; 4]) {
        let ends = [PORT, APPLICATION_ID, INSTANCE_ID, INSTANCE_INDEX].map(|field| self.end(field));
        (self.slice(0..ends[3]), ends)
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

    /// Attempts that wait for their response headers, over all threads.
    pub fn in_flight(&self) -> u32 {
        self.backend.in_flight()
    }

    /// Counts an attempt unless `max` are under way already (0 = no limit); never above `max`.
    pub fn begin(&self, max: u32) -> Option<InFlight> {
        self.backend.begin(max)
    }

    /// When the last marking failure was, whether or not the mark has expired.
    pub fn failed_at(&self) -> Option<Millis> {
        self.backend.failed_at()
    }

    /// Marks the endpoint as failed: round robin passes it by for a while (spec 3.5).
    pub fn mark_failed(&self, now: Millis) {
        self.backend.failed().set(now);
    }

    /// Takes the mark away.
    pub fn clear_mark(&self) {
        self.backend.failed().clear();
    }

    /// Whether there is a mark that is not older than `mark_ttl`.
    pub fn is_failed(&self, now: Millis, mark_ttl: Millis) -> bool {
        self.failed_at()
            .is_some_and(|at| now.saturating_sub(at) <= mark_ttl)
    }

    /// Whether the endpoint is left out for its failures in a row.
    pub fn is_ejected(&self, now: Millis) -> bool {
        self.backend.strikes().is_ejected(now)
    }

    /// A request went well: failures before it do not count any more.
    pub fn forget_errors(&self) {
        self.backend.strikes().forget_errors();
    }

    /// A request failed. Says for how many milliseconds the endpoint is left out if this was one too many and `may`
    /// agrees, which may be asked several times.
    pub fn count_error(
        &self,
        now: Millis,
        ejection: &Ejection,
        may: impl Fn() -> bool,
    ) -> Option<Millis> {
        self.backend.strikes().count_error(now, ejection, may)
    }

    /// Number of the pooled connections to this backend, unique in the process. Kept when a
    /// registration replaces the endpoint by one with the same address, TLS flag and certificate
    /// name; otherwise the old connections must not be used for the new endpoint.
    pub fn connection_id(&self) -> u64 {
        self.backend.connection_id()
    }

    /// Whether no pool holds this endpoint's backend any more: its connections can be closed.
    pub fn is_gone(&self) -> bool {
        self.backend.is_gone()
    }

    fn encoded(&self, range: Range<usize>) -> Tags<'_> {
        Tags {
            text: self.slice(range),
            application_id: self.application_id(),
            instance_id: self.instance_id(),
        }
    }

    fn field(&self, field: usize) -> &str {
        self.slice(self.end(field - 1)..self.end(field))
    }

    fn end(&self, field: usize) -> usize {
        self.ends.get(field)
    }

    fn slice(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

/// Two bytes a field but for endpoints with unreasonably long strings.
#[derive(Debug)]
enum Ends {
    Short([u16; FIELDS]),
    Long(Box<[usize; FIELDS]>),
}

impl Ends {
    fn new(ends: [usize; FIELDS]) -> Self {
        let mut short = [0; FIELDS];
        for (short, end) in short.iter_mut().zip(ends) {
            match u16::try_from(end) {
                Ok(end) => *short = end,
                Err(_) => return Self::Long(Box::new(ends)),
            }
        }
        Self::Short(short)
    }

    fn get(&self, field: usize) -> usize {
        let end = match self {
            Self::Short(ends) => ends.get(field).copied().map(usize::from),
            Self::Long(ends) => ends.get(field).copied(),
        };
        end.unwrap_or_default()
    }
}
