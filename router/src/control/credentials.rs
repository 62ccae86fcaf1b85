//! Who the router is to NATS and the Routing API, and whom it trusts there.

use cloverleaf_bus::{Bus, NatsTls};

use super::CallTls;
use crate::config::Config;
use crate::tls::to_routing_api;

/// Credentials that may change while connections are up: the next handshake follows.
pub struct Credentials {
    bus: Bus,
    routing_api: Option<CallTls>,
}

/// Who we are to NATS, and whom we trust; `None` without TLS.
pub fn nats_tls(config: &Config) -> Option<NatsTls> {
    let nats = &config.nats;
    nats.tls_enabled.then(|| NatsTls {
        ca_certs: nats.ca_certs.clone(),
        cert_chain: nats.cert_chain.clone(),
        private_key: nats.private_key.clone(),
    })
}

impl Credentials {
    /// Of the bus, and of the Routing API where it is spoken to over TLS.
    pub fn new(bus: Bus, routing_api: Option<CallTls>) -> Credentials {
        Credentials { bus, routing_api }
    }

    /// Changes what is good of `config`, and says what is not: the section, and what is wrong with it.
    pub fn renew(&self, config: &Config) -> Vec<(&'static str, String)> {
        let mut refused = Vec::new();
        if let Some(tls) = nats_tls(config)
            && let Err(error) = self.bus.renew_tls(&tls)
        {
            refused.push(("nats", error.to_string()));
        }
        if let Some(tls) = &self.routing_api {
            match to_routing_api(config) {
                Ok(client) => tls.replace(client),
                Err(error) => refused.push(("routing_api", error.to_string())),
            }
        }
        refused
    }
}
