//! What both sides' TLS have in common: what is offered, and who is trusted.
//!
//! - [`authorities`]: who judges certificates, also where there is no authority
//! - [`calls`]: how the control plane calls other services
//! - [`offer`]: versions and cipher suites as configured
//! - [`signatures`]: that the other side has the key of its certificate
//! - [`trust`]: authorities of servers, and how a server's certificate is judged
//! - [`unverified`]: servers whose certificates are not judged at all
//!
//! The handshakes themselves are where the connections are: with clients in `accept`, with backends in `upstream`, with
//! operators in `control`.

mod authorities;
mod calls;
mod offer;
mod signatures;
mod trust;
mod unverified;

pub use authorities::{judge_of_clients, judge_of_servers};
pub use calls::{CallsError, to_routing_api, to_uaa};
pub use offer::{Offer, provider, versions};
pub(crate) use signatures::verify_signatures;
pub use trust::ServerTrust;
pub use unverified::Unverified;
