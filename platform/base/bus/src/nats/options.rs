//! What a connection to NATS needs to be told.

use std::fmt;
use std::time::Duration;

use crate::queue::PendingLimits;

/// How to connect to NATS; the defaults are GoRouter's (http-router 2.6).
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// The servers (`nats.hosts`); those that they announce are used as well.
    pub servers: Vec<ServerAddress>,
    /// User and password (`nats.user`, `nats.pass`); a server that asks for none ignores them.
    pub credentials: Option<NatsCredentials>,
    /// Mutual TLS (`nats.tls_enabled` and the three PEM texts).
    pub tls: Option<NatsTls>,
    /// How this client calls itself in the servers' monitoring.
    pub client_name: Option<String>,
    /// How long one connection attempt may take, 2 s.
    pub connect_timeout: Duration,
    /// How often the whole list is tried at the start, 3.
    pub start_tries: u32,
    /// The pause between these tries, 100 ms.
    pub start_wait: Duration,
    /// The pause between rounds through the list when a connection was lost, 2 s. Some jitter is
    /// added: up to 100 ms, with TLS up to 1 s.
    pub reconnect_wait: Duration,
    /// How often the server is pinged, 20 s (`nats_client_ping_interval`). With two pings
    /// unanswered when the next is due, the server counts as dead.
    pub ping_interval: Duration,
    /// How much may wait for each subscriber.
    pub pending: PendingLimits,
}

impl Default for NatsOptions {
    fn default() -> NatsOptions {
        NatsOptions {
            servers: Vec::new(),
            credentials: None,
            tls: None,
            client_name: None,
            connect_timeout: Duration::from_secs(2),
            start_tries: 3,
            start_wait: Duration::from_millis(100),
            reconnect_wait: Duration::from_secs(2),
            ping_interval: Duration::from_secs(20),
            pending: PendingLimits::default(),
        }
    }
}

/// A server's name and port. Displays as `host:port`, the name as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// A host name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare_ipv6 = self.host.contains(':') && !self.host.starts_with('[');
        if bare_ipv6 {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsCredentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for NatsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsCredentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Mutual TLS with NATS, as PEM text.
#[derive(Clone, PartialEq, Eq)]
pub struct NatsTls {
    /// Who may have signed the servers' certificates (`nats.ca_certs`).
    pub ca_certs: String,
    /// The client's certificate and those that lead to it (`nats.cert_chain`).
    pub cert_chain: String,
    /// The client's key: PKCS#1, PKCS#8 or SEC1 (`nats.private_key`).
    pub private_key: String,
}

impl fmt::Debug for NatsTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsTls").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(host: &str) -> String {
        ServerAddress {
            host: host.to_owned(),
            port: 4222,
        }
        .to_string()
    }

    #[test]
    fn an_address_shows_the_host_as_written() {
        assert_eq!(shown("localhost"), "localhost:4222");
        assert_eq!(shown("NATS.service.internal"), "NATS.service.internal:4222");
        assert_eq!(shown("::1"), "[::1]:4222");
        assert_eq!(shown("[::1]"), "[::1]:4222");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let options = NatsOptions {
            credentials: Some(NatsCredentials {
                user: "nats".to_owned(),
                password: "s3cret".to_owned(),
            }),
            tls: Some(NatsTls {
                ca_certs: String::new(),
                cert_chain: String::new(),
                private_key: "s3cret".to_owned(),
            }),
            ..NatsOptions::default()
        };
        assert!(!format!("{options:?}").contains("s3cret"));
    }
}
