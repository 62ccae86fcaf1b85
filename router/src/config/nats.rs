//! `nats`: the message bus.

use cloverleaf_config::section;

section! {
    /// `nats`: the message bus that registrations arrive on.
    pub struct Nats {
        /// Servers, tried in turn. A list replaces the default, an empty one does not.
        hosts: Vec<NatsHost> = vec![NatsHost::local()] => Works shown "[{hostname: localhost, port: 4222}]",
        /// User name.
        user: String => Works,
        /// Password.
        pass: String => Works,
        /// Whether to connect with mutual TLS. Needs `ca_certs`, `cert_chain` and `private_key`.
        tls_enabled: bool => Works,
        /// Authorities that the servers' certificates are verified against, PEM text.
        ca_certs: String => Works,
        /// Certificate chain of the router, PEM text.
        cert_chain: String => Works,
        /// Private key of the router, PEM text.
        private_key: String => Works,
        /// File with the authorities, in place of `ca_certs`; watched.
        ca_certs_file: String => Works,
        /// File with the chain, in place of `cert_chain`; watched.
        cert_chain_file: String => Works,
        /// File with the private key, in place of `private_key`; watched.
        private_key_file: String => Works,
    }
}

section! {
    /// An entry of `nats.hosts`.
    pub struct NatsHost {
        /// Name or address.
        hostname: String => Works shown "required",
        /// Port.
        port: u16 => Works shown "required",
    }
}

impl NatsHost {
    /// The server that is tried when none is configured.
    pub(super) fn local() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            port: 4222,
        }
    }
}
