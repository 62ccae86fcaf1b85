//! Who calls: hosts whose clients prove who they are, and what routes let them do (spec 14.3).
//!
//! ```text
//! handshake: the server name is on a domain ──► its authorities alone verify the client ──► Verified
//! request:   its host is on the same domain (else 421) ──► the route's policy judges the Caller ──► 403, or on
//! ```
//!
//! - [`domain`]: which hosts are on which domain
//! - [`caller`]: the application that a client certificate names
//! - [`xfcc`]: what the application is told of that certificate
//! - [`guard`]: what a route's policy says of a caller
//!
//! Without configured domains none of this is ever asked. No sockets and no HTTP here: `accept` shakes hands, `serve` and
//! `upstream` ask.

mod caller;
mod domain;
mod guard;
mod xfcc;

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

pub use caller::Caller;
pub use domain::{Domain, Domains};
pub use guard::{Access, Guard, Rule};
pub use xfcc::raw;

/// What the handshake found out about a client on a domain: its certificate was required, and verified against the
/// domain's authorities alone.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The domain of the handshake.
    pub domain: Arc<Domain>,
    /// The application that the certificate names, if it names one.
    pub caller: Option<Arc<Caller>>,
}

impl Verified {
    /// A client that has shown `leaf` on `domain`.
    pub fn new(domain: &Arc<Domain>, leaf: &CertificateDer<'_>) -> Verified {
        Verified {
            domain: Arc::clone(domain),
            caller: Caller::of(leaf).map(Arc::new),
        }
    }
}
