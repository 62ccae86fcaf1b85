//! `routing_api` and `oauth`: the Routing API and the UAA that gives tokens for it.

use cloverleaf_config::section;

section! {
    /// `routing_api`: used when both `uri` and `port` are given.
    pub struct RoutingApi {
        /// URL without port.
        uri: String => Works,
        /// Port.
        port: u16 => Works,
        /// Whether no token is needed.
        auth_disabled: bool => Works,
        /// Authorities that its certificate is verified against, PEM text.
        ca_certs: String => Works,
        /// Certificate chain of the router, PEM text.
        cert_chain: String => Works,
        /// Private key of the router, PEM text.
        private_key: String => Works,
    }
}

section! {
    /// `oauth`: the UAA.
    pub struct Oauth {
        /// Host, without scheme; always https.
        token_endpoint: String => Works,
        /// Port.
        port: i32 => Works,
        /// Whether its certificate goes unverified.
        skip_ssl_validation: bool => Works,
        /// Name of the client.
        client_name: String => Works,
        /// Secret of the client.
        client_secret: String => Works,
        /// File with the authorities that its certificate is verified against; read only when a token is needed.
        ca_certs: String => Works,
    }
}

impl RoutingApi {
    /// Whether the Routing API is a source of routes.
    pub fn is_enabled(&self) -> bool {
        !self.uri.is_empty() && self.port != 0
    }
}
