//! Route services: a request goes to a service first, which sends it back with a signature that opens the way to the
//! application (spec 8).
//!
//! ```text
//! client ──► router ──► service          to the service: three headers are made
//!              │ ▲         │
//!   app ◄──────┘ └─────────┘             back from it: they are judged and taken out
//! ```
//!
//! - [`crypto`]: what the headers hold, sealed and opened
//! - [`service`]: where a service is
//! - [`leg`]: what a request is: for the service, back from it, or forged
//! - [`egress`]: addresses that no service may have
//! - [`hairpin`]: services that are applications of this router
//!
//! No sockets and no clock here: `serve` asks, and `upstream` makes the calls.

mod crypto;
mod egress;
mod hairpin;
mod leg;
mod service;

use std::time::Duration;

use crate::config::Config;
use hairpin::Hairpin;

pub use crypto::{Invalid, NoSignature, Opened, Secrets, Signed};
pub use egress::Blocklist;
pub use leg::{Asked, Denial, Departure, Leg, Verdict, strip};
pub use service::{NoService, Service, Way};

/// Route services as configured; there is none while they are off.
#[derive(Debug)]
pub struct RouteServices {
    secrets: Secrets,
    /// How long a signature is valid.
    lifetime: Duration,
    /// Scheme of the URLs that services send requests back to.
    scheme: &'static str,
    /// Whether upgrades to WebSocket pass through services.
    websockets: bool,
    /// Whether a signature on a route without a service must hold too.
    strict: bool,
    /// Services that are reached without leaving the router, where any are.
    hairpin: Option<Hairpin>,
    /// Attempts on a service, at least 1.
    pub max_attempts: u32,
    /// Where no service may be.
    pub blocklist: Blocklist,
}

impl RouteServices {
    /// What `config` asks for; `None` without a secret. Derives keys, which takes some tens of milliseconds: not for a
    /// worker's thread.
    ///
    /// # Errors
    /// When the system does not make keys.
    pub fn new(config: &Config) -> Result<Option<RouteServices>, NoSignature> {
        if config.route_services_secret.is_empty() {
            return Ok(None);
        }
        let keys = &config.route_services;
        Ok(Some(RouteServices {
            secrets: Secrets::derive(
                &config.route_services_secret,
                &config.route_services_secret_decrypt_only,
            )?,
            lifetime: config.route_services_timeout,
            scheme: match config.route_services_recommend_https {
                true => "https",
                false => "http",
            },
            websockets: keys.enable_websockets,
            strict: keys.strict_signature_validation,
            hairpin: config
                .route_services_hairpinning
                .then(|| Hairpin::new(&config.route_services_hairpinning_allowlist)),
            max_attempts: u32::try_from(keys.max_attempts).unwrap_or(u32::MAX).max(1),
            blocklist: Blocklist::new(&keys.egress_blocklist),
        }))
    }
}
