//! The router's configuration: GoRouter's keys, defaults, rules and refusals.
//!
//! Each key is defined once, in the file of its section; [`Config`] in `keys.rs` is the top. A key's
//! status there, `Works`, `Later` or `Accepted`, is the one place that says whether the router acts
//! on it: flip the word when a feature arrives. `docs/configuration.md` is made from the definitions.
//!
//! A file becomes a [`Config`] in three steps: the sections read themselves, `rules` derives what
//! follows from other keys, `checks` reports what cannot run. [`Config::check`] also looks for what
//! would end the process later (`late`).

mod balancing;
mod certificates;
mod checks;
mod ciphers;
mod command_line;
mod files;
mod front_end_tls;
mod inert;
mod keys;
mod late;
mod live;
mod load;
mod logging;
mod nats;
mod origin;
mod pairs;
mod prometheus;
mod proxy_protocol;
mod reference;
mod rewrite;
mod route_options;
mod routing;
mod rules;
mod services;
mod status;
mod tls;
mod upgrade;
mod upstream;
mod watch;

pub use balancing::{Balancing, Ejection};
pub use certificates::CertificateLife;
pub use cloverleaf_config::GoDuration;
pub use cloverleaf_config::pem::PemError;
pub use command_line::Arguments;
pub use keys::Config;
pub use live::Changes;
pub use load::{Check, Loaded, TemplateCheck};
pub use logging::{
    AccessLog, ExtraLogField, LogFormat, LogLevel, Logging, RedactQueryParams, Tracing,
};
pub use nats::{Nats, NatsHost};
pub use origin::{Origin, Refreshed};
pub use prometheus::{Meters, MetricsTls, MetricsTlsError, Prometheus};
pub use proxy_protocol::{Network, NoNetwork, ProxyProtocol};
pub use reference::reference;
pub use rewrite::{HeaderToAdd, HeaderToRemove, HttpRewrite, RewriteResponses, is_rewritable};
pub use route_options::{ByteSize, ClientAddress, RateLimit, RouteOptions};
pub use routing::{AzPreference, BalancingAlgorithm, ForwardedClientCert, ShardingMode};
pub use services::{Oauth, RoutingApi};
pub use status::{Status, StatusRoutes, StatusTls};
pub use tls::{
    CertSubject, CipherSuite, CipherSuites, ClientCertValidation, Domain, MaxTlsVersion,
    MetadataRule, MinTlsVersion, TlsPem, XfccFormat,
};
pub use upgrade::Upgrade;
pub use upstream::{Backends, RouteServices};
pub use watch::FileWatch;

pub use cloverleaf_config::{Change, Report};

#[cfg(test)]
mod tests;
