//! The control plane: where routes come from, the listeners for operators, the end of the process.
//!
//! It runs on a runtime of its own and changes the table through one place, the [`Registrar`].

mod active_apps;
mod call;
mod component;
mod credentials;
mod failures;
mod listener;
mod loggregator;
mod options;
mod registrar;
mod routing_api;
mod segments;
mod subscriber;

pub mod debug;
pub mod health;
pub mod metrics;
pub mod routes;
pub mod status_server;
pub mod tls;
pub mod varz;

pub use active_apps::publish_active_apps;
pub use call::CallTls;
pub use component::{announce, answer_discovery};
pub use credentials::{Credentials, nats_tls};
pub use failures::watch_failures;
pub use health::Health;
pub use listener::{Gate, Listener, TlsSettings, Transport};
pub use loggregator::report_to_loggregator;
pub use options::default_limits;
pub use registrar::Registrar;
pub use routing_api::{ConnectError, RoutingApi};
pub use segments::Segments;
pub use subscriber::{Identity, Subscriber};
