//! `routing_api` and `oauth`: the Routing API and the UAA that gives tokens for it.

use std::io;

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
        /// File with the authorities, in place of `ca_certs`; watched.
        ca_certs_file: String => Works,
        /// File with the chain, in place of `cert_chain`; watched.
        cert_chain_file: String => Works,
        /// File with the private key, in place of `private_key`; watched.
        private_key_file: String => Works,
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

    /// What `uri` says: whether TLS is spoken, and the host. `None` when it is not `https://HOST` or `http://HOST`.
    pub fn scheme_and_host(&self) -> Option<(bool, &str)> {
        let secure = self.uri.strip_prefix("https://").map(|host| (true, host));
        let (tls, host) = secure.or_else(|| Some((false, self.uri.strip_prefix("http://")?)))?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._[:]".contains(&byte));
        is_host.then_some((tls, host))
    }
}

impl Oauth {
    /// The port, where it is one.
    pub fn tls_port(&self) -> Option<u16> {
        u16::try_from(self.port).ok().filter(|port| *port != 0)
    }

    /// Reads `ca_certs`; `None` where there is no such file configured.
    pub fn authorities(&self) -> Option<io::Result<String>> {
        (!self.ca_certs.is_empty()).then(|| std::fs::read_to_string(&self.ca_certs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_scheme_and_a_host() {
        let read = |uri: &str| {
            let api = RoutingApi {
                uri: uri.to_owned(),
                ..RoutingApi::default()
            };
            api.scheme_and_host()
                .map(|(tls, host)| (tls, host.to_owned()))
        };
        assert_eq!(read("https://api.test"), Some((true, "api.test".into())));
        assert_eq!(read("http://10.0.0.1/"), Some((false, "10.0.0.1".into())));
        for uri in [
            "api.test",
            "https://",
            "https://a b",
            "https://api.test/x",
            "ftp://api.test",
        ] {
            assert_eq!(read(uri), None, "{uri}");
        }
    }

    #[test]
    fn zero_and_below_are_no_port() {
        for (port, expected) in [(0, None), (-1, None), (70_000, None), (8443, Some(8443))] {
            let oauth = Oauth {
                port,
                ..Oauth::default()
            };
            assert_eq!(oauth.tls_port(), expected);
        }
    }
}
