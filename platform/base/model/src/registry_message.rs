//! The message on `router.register` and `router.unregister` (http-router 2.2).

mod parse;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

/// Where an app's instance answers, and for which routes.
///
/// Texts are borrowed from the message where it holds them as they are. A key that a message does
/// not have, or has as `null`, is the type's default: an empty text, zero, no list.
///
/// Written as JSON (`serde::Serialize`), empty members are left out, as route emitters do; `host`,
/// `port` and `uris` are always there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegistryMessage<'a> {
    /// The endpoint's address, without a port.
    pub host: Cow<'a, str>,
    /// The plain port; see [`backend_port`](Self::backend_port).
    pub port: u16,
    /// If not zero, the port to speak TLS to; it takes the place of `port`.
    #[serde(skip_serializing_if = "is_default")]
    pub tls_port: u16,
    /// `http1` (also when empty) or `http2`.
    #[serde(skip_serializing_if = "is_default")]
    pub protocol: Cow<'a, str>,
    /// The routes: host with optional path each, as written by the emitter.
    pub uris: Vec<Cow<'a, str>>,
    /// The application's id.
    #[serde(skip_serializing_if = "is_default")]
    pub app: Cow<'a, str>,
    /// The instance's id.
    #[serde(skip_serializing_if = "is_default")]
    pub private_instance_id: Cow<'a, str>,
    /// The instance's index, a number written as text.
    #[serde(skip_serializing_if = "is_default")]
    pub private_instance_index: Cow<'a, str>,
    /// The name that a TLS backend's certificate must show.
    #[serde(skip_serializing_if = "is_default")]
    pub server_cert_domain_san: Cow<'a, str>,
    /// The endpoint's own time to live in seconds; zero and less mean the router's.
    #[serde(skip_serializing_if = "is_default")]
    pub stale_threshold_in_seconds: i64,
    /// The route service, empty or with a URL that begins with `https`.
    #[serde(skip_serializing_if = "is_default")]
    pub route_service_url: Cow<'a, str>,
    /// The isolation segment; empty is the shared one.
    #[serde(skip_serializing_if = "is_default")]
    pub isolation_segment: Cow<'a, str>,
    /// The zone that the instance runs in.
    #[serde(skip_serializing_if = "is_default")]
    pub availability_zone: Cow<'a, str>,
    /// Metric tags by name; `None` when the message has no such key, or `null`.
    #[serde(skip_serializing_if = "is_default")]
    pub tags: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    /// When the endpoint last changed, in nanoseconds since 1970; zero when not known.
    #[serde(skip_serializing_if = "is_default")]
    pub endpoint_updated_at_ns: i64,
    /// Per-route options.
    #[serde(skip_serializing_if = "is_default")]
    pub options: RouteOptions<'a>,
}

/// What `options` may hold (http-router 14.2, docs/route-options.md); other options are ignored.
///
/// The limits, from `request_timeout` on, are this project's own: each is a text or a number, kept as the text of it,
/// and empty when not given. A value of another type is ignored like an unknown option: it never costs the message. Those
/// that original routers know are texts, and one that is none costs the message, as there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RouteOptions<'a> {
    /// The balancing algorithm: `round-robin`, `least-connection`, `hash`, or what else was sent.
    #[serde(skip_serializing_if = "is_default")]
    pub loadbalancing: Cow<'a, str>,
    /// The request header that `hash` goes by.
    #[serde(skip_serializing_if = "is_default")]
    pub hash_header: Cow<'a, str>,
    /// How much more than the mean load an endpoint may carry under `hash`; zero ignores the load.
    /// Read from a number or from a text that holds one, written as a text. What is neither is
    /// ignored: routers that were stricter threw whole registrations away.
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub hash_balance: f64,
    /// `any`, `org`, `space`, or empty for no enforcement.
    #[serde(skip_serializing_if = "is_default")]
    pub route_policy_scope: Cow<'a, str>,
    /// The allowed sources, separated by commas.
    #[serde(skip_serializing_if = "is_default")]
    pub route_policy_sources: Cow<'a, str>,
    /// Time for an attempt, to the last byte of the answer.
    #[serde(skip_serializing_if = "is_default")]
    pub request_timeout: Cow<'a, str>,
    /// Time from the request to the head of its answer.
    #[serde(skip_serializing_if = "is_default")]
    pub first_byte_timeout: Cow<'a, str>,
    /// Time without a byte to or from the endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub idle_timeout: Cow<'a, str>,
    /// Bytes of a request's content.
    #[serde(skip_serializing_if = "is_default")]
    pub max_body_size: Cow<'a, str>,
    /// Requests under way.
    #[serde(skip_serializing_if = "is_default")]
    pub max_concurrent_requests: Cow<'a, str>,
    /// Requests in a time, of all clients together.
    #[serde(skip_serializing_if = "is_default")]
    pub rate_limit: Cow<'a, str>,
    /// The same for each client.
    #[serde(skip_serializing_if = "is_default")]
    pub client_rate_limit: Cow<'a, str>,
    /// Attempts for a request.
    #[serde(skip_serializing_if = "is_default")]
    pub max_attempts: Cow<'a, str>,
    /// Retries for each hundred requests.
    #[serde(skip_serializing_if = "is_default")]
    pub retry_budget: Cow<'a, str>,
    /// Names of the options that are none of these, or have a value of a wrong type.
    #[serde(skip)]
    pub ignored: Vec<Cow<'a, str>>,
}

impl<'a> RegistryMessage<'a> {
    /// Reads a message, by the rules that original routers follow: keys in any letter case, the
    /// last of several equal ones counts, unknown ones are ignored; text that is not UTF-8 is mended
    /// and not refused; `null` for the whole message is one without content.
    ///
    /// # Errors
    ///
    /// [`MessageError`] for anything but one JSON object, a value of a wrong type, a port above
    /// 65535, or a route service that is not https. The message is then to
    /// be ignored as a whole.
    pub fn parse(json: &'a [u8]) -> Result<RegistryMessage<'a>, MessageError> {
        let message = parse::parse(json)?;
        let url = &message.route_service_url;
        if !url.is_empty() && !url.starts_with("https") {
            return Err(MessageError::Value {
                key: "route_service_url",
                reason: format!("{url:?}: expected a url that begins with https"),
            });
        }
        Ok(message)
    }

    /// The port to connect to: `tls_port` unless it is zero, else `port`.
    pub fn backend_port(&self) -> u16 {
        if self.uses_tls() {
            self.tls_port
        } else {
            self.port
        }
    }

    /// Whether the endpoint is spoken to over TLS.
    pub fn uses_tls(&self) -> bool {
        self.tls_port != 0
    }

    /// The same message, borrowing nothing.
    pub fn into_owned(self) -> RegistryMessage<'static> {
        RegistryMessage {
            host: owned(self.host),
            port: self.port,
            tls_port: self.tls_port,
            protocol: owned(self.protocol),
            uris: self.uris.into_iter().map(owned).collect(),
            app: owned(self.app),
            private_instance_id: owned(self.private_instance_id),
            private_instance_index: owned(self.private_instance_index),
            server_cert_domain_san: owned(self.server_cert_domain_san),
            stale_threshold_in_seconds: self.stale_threshold_in_seconds,
            route_service_url: owned(self.route_service_url),
            isolation_segment: owned(self.isolation_segment),
            availability_zone: owned(self.availability_zone),
            tags: self.tags.map(|tags| {
                tags.into_iter()
                    .map(|(name, value)| (owned(name), owned(value)))
                    .collect()
            }),
            endpoint_updated_at_ns: self.endpoint_updated_at_ns,
            options: self.options.into_owned(),
        }
    }
}

impl RouteOptions<'_> {
    /// The same options, borrowing nothing.
    pub fn into_owned(self) -> RouteOptions<'static> {
        RouteOptions {
            loadbalancing: owned(self.loadbalancing),
            hash_header: owned(self.hash_header),
            hash_balance: self.hash_balance,
            route_policy_scope: owned(self.route_policy_scope),
            route_policy_sources: owned(self.route_policy_sources),
            request_timeout: owned(self.request_timeout),
            first_byte_timeout: owned(self.first_byte_timeout),
            idle_timeout: owned(self.idle_timeout),
            max_body_size: owned(self.max_body_size),
            max_concurrent_requests: owned(self.max_concurrent_requests),
            rate_limit: owned(self.rate_limit),
            client_rate_limit: owned(self.client_rate_limit),
            max_attempts: owned(self.max_attempts),
            retry_budget: owned(self.retry_budget),
            ignored: self.ignored.into_iter().map(owned).collect(),
        }
    }
}

/// Why a message is ignored as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is not one JSON object.
    #[error("not a json object: {0}")]
    Json(String),
    /// A key's value is not what the key wants.
    #[error("{key}: {reason}")]
    Value {
        /// The key as the specification writes it, with a point before an option's name.
        key: &'static str,
        /// What was found, and what was expected.
        reason: String,
    },
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn as_text<S: serde::Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests;
