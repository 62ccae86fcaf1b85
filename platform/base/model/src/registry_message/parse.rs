//! Reads the message with hand-written visitors: keys are compared without allocation, texts are
//! borrowed, and the key at fault is known when a value is refused.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde_json::Value;

use super::text::{Text, TextMap, Texts};
use super::{MessageError, RegistryMessage, RouteOptions};
use crate::go_text;

/// Reads `json`, mending its text if it does not parse without.
pub(super) fn parse(json: &[u8]) -> Result<RegistryMessage<'_>, MessageError> {
    let refused = match str::from_utf8(json).map(parse_text) {
        Ok(Ok(message)) => return Ok(message),
        Ok(Err(error)) => error,
        Err(error) => MessageError::Json(error.to_string()),
    };
    match go_text::mend(json) {
        Some(mended) => parse_text(&mended).map(RegistryMessage::into_owned),
        None => Err(refused),
    }
}

fn parse_text(text: &str) -> Result<RegistryMessage<'_>, MessageError> {
    let at = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_option(MessageVisitor { at: &at })
        .and_then(|message| deserializer.end().map(|()| message))
        .map_err(|error| match at.get() {
            Some(key) => MessageError::Value {
                key,
                reason: error.to_string(),
            },
            None => MessageError::Json(error.to_string()),
        })
}

/// The keys of one kind of object.
trait Key: Copy {
    /// The key that `text` spells.
    fn of(text: &str) -> Option<Self>;
    /// How errors name the key.
    fn name(self) -> &'static str;
}

macro_rules! keys {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $spelling:literal as $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        enum $type {
            $($variant,)+
        }

        impl Key for $type {
            /// The exact spelling is the common one; any letter case will do.
            fn of(text: &str) -> Option<$type> {
                match text {
                    $($spelling => Some($type::$variant),)+
                    $(_ if text.eq_ignore_ascii_case($spelling) => Some($type::$variant),)+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)+
                }
            }
        }
    };
}

keys! {
    /// Keys of the message.
    MessageKey {
        Host = "host" as "host",
        Port = "port" as "port",
        TlsPort = "tls_port" as "tls_port",
        Protocol = "protocol" as "protocol",
        Uris = "uris" as "uris",
        App = "app" as "app",
        PrivateInstanceId = "private_instance_id" as "private_instance_id",
        PrivateInstanceIndex = "private_instance_index" as "private_instance_index",
        ServerCertDomainSan = "server_cert_domain_san" as "server_cert_domain_san",
        StaleThreshold = "stale_threshold_in_seconds" as "stale_threshold_in_seconds",
        RouteServiceUrl = "route_service_url" as "route_service_url",
        IsolationSegment = "isolation_segment" as "isolation_segment",
        AvailabilityZone = "availability_zone" as "availability_zone",
        Tags = "tags" as "tags",
        EndpointUpdatedAt = "endpoint_updated_at_ns" as "endpoint_updated_at_ns",
        Options = "options" as "options",
    }
}

keys! {
    /// Keys of `options`.
    OptionKey {
        LoadBalancing = "loadbalancing" as "options.loadbalancing",
        HashHeader = "hash_header" as "options.hash_header",
        HashBalance = "hash_balance" as "options.hash_balance",
        RoutePolicyScope = "route_policy_scope" as "options.route_policy_scope",
        RoutePolicySources = "route_policy_sources" as "options.route_policy_sources",
        RequestTimeout = "request_timeout" as "options.request_timeout",
        FirstByteTimeout = "first_byte_timeout" as "options.first_byte_timeout",
        IdleTimeout = "idle_timeout" as "options.idle_timeout",
        MaxBodySize = "max_body_size" as "options.max_body_size",
        MaxConcurrentRequests = "max_concurrent_requests" as "options.max_concurrent_requests",
        RateLimit = "rate_limit" as "options.rate_limit",
        ClientRateLimit = "client_rate_limit" as "options.client_rate_limit",
        MaxAttempts = "max_attempts" as "options.max_attempts",
        RetryBudget = "retry_budget" as "options.retry_budget",
    }
}

/// Reads the next member's name; `Some(None)` for one that nobody asks for.
fn next_key<'de, K: Key, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Option<K>>, A::Error> {
    map.next_key_seed(KeySeed(PhantomData))
}

struct KeySeed<K>(PhantomData<K>);

impl<'de, K: Key> DeserializeSeed<'de> for KeySeed<K> {
    type Value = Option<K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<K>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<K: Key> Visitor<'_> for KeySeed<K> {
    type Value = Option<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<K>, E> {
        Ok(K::of(text))
    }
}

/// Takes the next member's value, read as `W`; `null` leaves what is there (http-router 2.2).
fn read<'de, W, T, A>(map: &mut A, slot: &mut T) -> Result<(), A::Error>
where
    W: Deserialize<'de> + Into<T>,
    A: MapAccess<'de>,
{
    if let Some(value) = map.next_value::<Option<W>>()? {
        *slot = value.into();
    }
    Ok(())
}

struct MessageVisitor<'k> {
    /// The key whose value is being read.
    at: &'k Cell<Option<&'static str>>,
}

impl<'de> Visitor<'de> for MessageVisitor<'_> {
    type Value = RegistryMessage<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(RegistryMessage::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut message = RegistryMessage::default();
        while let Some(key) = next_key(&mut map)? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.at.set(Some(MessageKey::name(key)));
            let (map, m) = (&mut map, &mut message);
            match key {
                MessageKey::Host => read::<Text, _, _>(map, &mut m.host),
                MessageKey::Port => read::<u16, _, _>(map, &mut m.port),
                MessageKey::TlsPort => read::<u16, _, _>(map, &mut m.tls_port),
                MessageKey::Protocol => read::<Text, _, _>(map, &mut m.protocol),
                MessageKey::Uris => read::<Texts, _, _>(map, &mut m.uris),
                MessageKey::App => read::<Text, _, _>(map, &mut m.app),
                MessageKey::PrivateInstanceId => {
                    read::<Text, _, _>(map, &mut m.private_instance_id)
                }
                MessageKey::PrivateInstanceIndex => {
                    read::<Text, _, _>(map, &mut m.private_instance_index)
                }
                MessageKey::ServerCertDomainSan => {
                    read::<Text, _, _>(map, &mut m.server_cert_domain_san)
                }
                MessageKey::StaleThreshold => {
                    read::<i64, _, _>(map, &mut m.stale_threshold_in_seconds)
                }
                MessageKey::RouteServiceUrl => read::<Text, _, _>(map, &mut m.route_service_url),
                MessageKey::IsolationSegment => read::<Text, _, _>(map, &mut m.isolation_segment),
                MessageKey::AvailabilityZone => read::<Text, _, _>(map, &mut m.availability_zone),
                MessageKey::Tags => read::<TextMap, _, _>(map, &mut m.tags),
                MessageKey::EndpointUpdatedAt => {
                    read::<i64, _, _>(map, &mut m.endpoint_updated_at_ns)
                }
                MessageKey::Options => map
                    .next_value_seed(OptionsSeed { at: self.at })
                    .map(|options| m.options = options.unwrap_or(mem::take(&mut m.options))),
            }?;
            self.at.set(None);
        }
        Ok(message)
    }
}

struct OptionsSeed<'k> {
    at: &'k Cell<Option<&'static str>>,
}

impl<'de> DeserializeSeed<'de> for OptionsSeed<'_> {
    type Value = Option<RouteOptions<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OptionsSeed<'_> {
    type Value = Option<RouteOptions<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut options = RouteOptions::default();
        let whole = self.at.get();
        while let Some(name) = map.next_key::<Text>()? {
            let name = Cow::from(name);
            let Some(key) = OptionKey::of(&name) else {
                map.next_value::<IgnoredAny>()?;
                options.ignored.push(name);
                continue;
            };
            self.at.set(Some(OptionKey::name(key)));
            let (map, o) = (&mut map, &mut options);
            let limit = match key {
                OptionKey::RequestTimeout => Some(&mut o.request_timeout),
                OptionKey::FirstByteTimeout => Some(&mut o.first_byte_timeout),
                OptionKey::IdleTimeout => Some(&mut o.idle_timeout),
                OptionKey::MaxBodySize => Some(&mut o.max_body_size),
                OptionKey::MaxConcurrentRequests => Some(&mut o.max_concurrent_requests),
                OptionKey::RateLimit => Some(&mut o.rate_limit),
                OptionKey::ClientRateLimit => Some(&mut o.client_rate_limit),
                OptionKey::MaxAttempts => Some(&mut o.max_attempts),
                OptionKey::RetryBudget => Some(&mut o.retry_budget),
                _ => None,
            };
            if let Some(limit) = limit {
                match loose(map.next_value()?) {
                    Some(text) => *limit = text,
                    None => o.ignored.push(name),
                }
                self.at.set(whole);
                continue;
            }
            match key {
                OptionKey::LoadBalancing => read::<Text, _, _>(map, &mut o.loadbalancing),
                OptionKey::HashHeader => read::<Text, _, _>(map, &mut o.hash_header),
                OptionKey::HashBalance => {
                    map.next_value().map(|value| match hash_balance(&value) {
                        Some(balance) => o.hash_balance = balance,
                        None => o.ignored.push(name),
                    })
                }
                OptionKey::RoutePolicyScope => read::<Text, _, _>(map, &mut o.route_policy_scope),
                OptionKey::RoutePolicySources => {
                    read::<Text, _, _>(map, &mut o.route_policy_sources)
                }
                _ => Ok(()),
            }?;
            self.at.set(whole);
        }
        Ok(Some(options))
    }
}

/// The text of a text or a number; `null` is empty.
fn loose(value: Value) -> Option<Cow<'static, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Null => Some("".into()),
        _ => None,
    }
}

/// The number of a number or of a text that holds one; nothing is zero.
fn hash_balance(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Null => Some(0.0),
        Value::String(text) if text.is_empty() => Some(0.0),
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    };
    number.filter(|number| number.is_finite())
}
