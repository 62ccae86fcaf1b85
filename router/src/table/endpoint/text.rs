//! The strings of an endpoint in one piece of memory.

use std::ops::Range;

use crate::table::registration::Registration;
use crate::table::tags;

/// All strings one after the other in the order of the field numbers below, then the tags.
#[derive(Debug)]
pub(super) struct Text {
    all: Box<str>,
    ends: Ends,
}

pub(super) const HOST: usize = 0;
/// Colon and port number: with the host before it, the address.
pub(super) const PORT: usize = 1;
pub(super) const APPLICATION_ID: usize = 2;
pub(super) const INSTANCE_ID: usize = 3;
pub(super) const INSTANCE_INDEX: usize = 4;
pub(super) const SERVER_CERT_DOMAIN_SAN: usize = 5;
pub(super) const ISOLATION_SEGMENT: usize = 6;
pub(super) const AVAILABILITY_ZONE: usize = 7;
pub(super) const ROUTE_SERVICE_URL: usize = 8;
pub(super) const TAG_GUID: usize = 9;
pub(super) const ALGORITHM: usize = 10;
pub(super) const ROUTE_POLICY_SCOPE: usize = 11;
pub(super) const ROUTE_POLICY_SOURCES: usize = 12;
const FIELDS: usize = 13;

impl Text {
    /// The strings of a registration, and where among them the value of the tag `component` stands
    /// in its encoded form; 0 = nowhere.
    pub(super) fn new(registration: &Registration<'_>) -> (Self, usize) {
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
        let mut all = String::new();
        let ends = fields.map(|field| {
            all.push_str(field);
            all.len()
        });
        let component_at = tags::encode(
            registration.tags,
            registration.app,
            registration.instance_id,
            &mut all,
        );
        let text = Self {
            all: all.into_boxed_str(),
            ends: Ends::new(ends),
        };
        (text, component_at)
    }

    /// One field; not the first one, which is what there is until its end.
    pub(super) fn field(&self, field: usize) -> &str {
        self.slice(self.end(field - 1)..self.end(field))
    }

    /// Everything up to the end of a field.
    pub(super) fn until(&self, field: usize) -> &str {
        self.slice(0..self.end(field))
    }

    /// Everything from a byte on.
    pub(super) fn rest(&self, start: usize) -> &str {
        self.slice(start..self.all.len())
    }

    /// The tags in their encoded form.
    pub(super) fn tags(&self) -> &str {
        self.rest(self.end(FIELDS - 1))
    }

    pub(super) fn end(&self, field: usize) -> usize {
        self.ends.get(field)
    }

    fn slice(&self, range: Range<usize>) -> &str {
        self.all.get(range).unwrap_or_default()
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
