//! `backends` and `route_services`: what requests are passed on to.

use cloverleaf_config::section;

section! {
    /// `backends`: apps and components.
    pub struct Backends {
        /// Most requests and upgraded connections at a time for each endpoint; 0 is no limit.
        max_conns: usize => Works,
        /// Attempts for a request, at least 1, never more than the route has endpoints.
        max_attempts: usize = 1 => Works,
        /// Client certificate chain for TLS backends that ask for one, PEM text.
        cert_chain: String => Works,
        /// Its private key, PEM text.
        private_key: String => Works,
        /// File with the chain, in place of `cert_chain`; watched.
        cert_chain_file: String => Works,
        /// File with the private key, in place of `private_key`; watched.
        private_key_file: String => Works,
        /// Whether a backend with `protocol: http2` and no TLS port is spoken to in HTTP/2 (prior knowledge), not HTTP/1.1.
        enable_http2_prior_knowledge: bool => Works,
    }
}

section! {
    /// `route_services`: calls to route services.
    pub struct RouteServices {
        /// Attempts for a request, at least 1.
        max_attempts: usize = 1 => Works,
        /// Client certificate chain for route services that ask for one, PEM text.
        cert_chain: String => Works,
        /// Its private key, PEM text.
        private_key: String => Works,
        /// File with the chain, in place of `cert_chain`; watched.
        cert_chain_file: String => Works,
        /// File with the private key, in place of `private_key`; watched.
        private_key_file: String => Works,
        /// Whether a signature on a route without a service must be valid too.
        strict_signature_validation: bool => Works,
        /// Whether WebSockets pass through route services.
        enable_websockets: bool = true => Works,
        /// Networks, as address/length, that no external route service may be in.
        egress_blocklist: Vec<String> => Works,
    }
}
