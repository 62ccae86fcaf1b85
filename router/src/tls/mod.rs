//! What both sides' TLS have in common: what is offered, and who is trusted.
//!
//! - [`offer`]: versions and cipher suites as configured
//! - [`trust`]: authorities of servers, and how a server's certificate is judged
//! - [`unverified`]: servers whose certificates are not judged at all
//!
//! The handshakes themselves are where the connections are: with clients in `accept`, with backends in `upstream`, with
//! operators in `control`.

mod offer;
mod trust;
mod unverified;

pub use offer::{provider, versions};
pub use trust::ServerTrust;
pub use unverified::Unverified;
