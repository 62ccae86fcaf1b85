//! A route as the Routing API has it (routing-api 6.1).

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::table::{ModificationTag, Registration};

/// One address of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// Route, address and port.
    #[serde(flatten)]
    pub(super) key: Key,
    /// Seconds that it stays without being confirmed.
    #[serde(deserialize_with = "or_default")]
    pub(super) ttl: i64,
    /// The application.
    #[serde(deserialize_with = "or_default")]
    pub(super) log_guid: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) route_service_url: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) modification_tag: Tag,
}

/// What makes an entry the same as another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(super) struct Key {
    #[serde(deserialize_with = "or_default")]
    pub(super) route: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) ip: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) port: u16,
}

/// The version of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Tag {
    #[serde(deserialize_with = "or_default")]
    pub(super) guid: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) index: u32,
}

/// What is `null` counts as absent.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Entry {
    /// Whether it can be routed to at all: there is an address, and a route service is asked over TLS only (R-045).
    pub(super) fn is_usable(&self) -> bool {
        let service = &self.route_service_url;
        !self.key.ip.is_empty()
            && self.key.port != 0
            && (service.is_empty() || service.starts_with("https"))
    }

    /// The route alone, as the table takes it.
    pub(super) fn uris(&self) -> [Cow<'_, str>; 1] {
        self.key.uris()
    }

    /// A plain HTTP/1 endpoint (spec 2.7).
    pub(super) fn registration(&self) -> Registration<'_> {
        Registration {
            host: &self.key.ip,
            port: self.key.port,
            app: &self.log_guid,
            server_cert_domain_san: &self.log_guid,
            ttl: u64::try_from(self.ttl).unwrap_or(0).saturating_mul(1000),
            route_service_url: &self.route_service_url,
            modification_tag: self.modification_tag.borrowed(),
            ..Registration::default()
        }
    }
}

impl Key {
    /// The route alone, as the table takes it.
    pub(super) fn uris(&self) -> [Cow<'_, str>; 1] {
        [Cow::Borrowed(&self.route)]
    }
}

impl Tag {
    pub(super) fn borrowed(&self) -> ModificationTag<'_> {
        ModificationTag {
            guid: &self.guid,
            index: self.index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Entry, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_entry_becomes_a_plain_endpoint() {
        let entry = parse(
            r#"{"route":"a.test/p","port":61000,"ip":"10.0.0.7","ttl":90,"log_guid":"app",
                "route_service_url":"https://svc.test","modification_tag":{"guid":"g","index":4},"new":[1]}"#,
        )
        .unwrap();
        assert!(entry.is_usable());
        let registration = entry.registration();
        assert_eq!(
            (registration.host, registration.port, registration.tls),
            ("10.0.0.7", 61_000, false)
        );
        assert_eq!((registration.app, registration.ttl), ("app", 90_000));
        assert_eq!(registration.server_cert_domain_san, "app");
        assert_eq!(registration.route_service_url, "https://svc.test");
        assert_eq!(
            registration.modification_tag,
            ModificationTag {
                guid: "g",
                index: 4
            }
        );
        assert_eq!(entry.uris(), ["a.test/p"]);
    }

    #[test]
    fn null_is_absent_and_what_is_absent_is_empty() {
        let entry = parse(r#"{"route":"a.test","port":1,"ip":"b","ttl":null,"log_guid":null}"#);
        let entry = entry.unwrap();
        assert_eq!((entry.registration().ttl, entry.is_usable()), (0, true));
        assert!(!parse("{}").unwrap().is_usable());
    }

    #[test]
    fn what_cannot_be_routed_to_is_told() {
        assert!(parse(r#"{"port":70000}"#).is_err());
        for json in [
            r#"{"route":"a","port":0,"ip":"b"}"#,
            r#"{"route":"a","port":1,"ip":""}"#,
            r#"{"route":"a","port":1,"ip":"b","route_service_url":"http://svc.test"}"#,
        ] {
            assert!(!parse(json).unwrap().is_usable(), "{json}");
        }
    }
}
