//! Versions and cipher suites that are offered and accepted.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ConfigBuilder, Error, ServerConfig, SupportedProtocolVersion, WantsVerifier,
};

use crate::config::{Config, MaxTlsVersion, MinTlsVersion};

/// What servers offer: versions and cipher suites of the front end. Where the configuration leaves nothing, every handshake
/// is refused, as in the original: the rest of the router works all the same.
pub struct Offer {
    provider: Arc<CryptoProvider>,
    versions: Vec<&'static SupportedProtocolVersion>,
    is_empty: bool,
}

impl Offer {
    /// As `config` says.
    pub fn new(config: &Config) -> Offer {
        let versions = versions(config);
        match versions.is_empty() {
            false => Offer {
                provider: Arc::new(provider(config)),
                versions,
                is_empty: false,
            },
            // A server has to speak something before it can refuse.
            true => Offer {
                provider: Arc::new(aws_lc_rs::default_provider()),
                versions: vec![&TLS12],
                is_empty: true,
            },
        }
    }

    /// The suites, and what else there is of cryptography.
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// How a server begins.
    ///
    /// # Errors
    /// When no suite is one of the versions'.
    pub fn server(&self) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, Error> {
        ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&self.versions)
    }

    /// What a server shows of `certificates`: none where nothing is offered, which ends the handshake.
    pub fn showing(
        &self,
        certificates: Arc<dyn ResolvesServerCert>,
    ) -> Arc<dyn ResolvesServerCert> {
        match self.is_empty {
            true => Arc::new(NoCertificate),
            false => certificates,
        }
    }
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// The versions of the front end (spec 6.2). Older ones than 1.2 are not to be had, and 1.2 is not where the suites are those
/// of 1.3 alone. Where the configuration leaves none, no client can connect.
pub fn versions(config: &Config) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if config.max_tls_version == MaxTlsVersion::Tls13 {
        versions.push(&TLS13);
    }
    if config.min_tls_version != MinTlsVersion::Tls13 && config.cipher_suites.allow_tls12() {
        versions.push(&TLS12);
    }
    versions
}

/// All suites that there are, with those of TLS 1.2 narrowed to the configured ones. Where none of these can be served
/// all are: an old configuration must not keep the edge down (the start says so). A list of suites of TLS 1.3 alone is not
/// old: it leaves none of 1.2, as in the original. In the order of preference: AES with 128
/// bits first, as in the original; it is safe, and its handshake with SHA-256 costs a sixth less than the one with SHA-384.
pub fn provider(config: &Config) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let named = &config.cipher_suites;
    if named.tls12().next().is_some() || !named.allow_tls12() {
        provider.cipher_suites.retain(|suite| {
            let id = u16::from(suite.suite());
            suite.tls13().is_some() || named.tls12().any(|named| named.id == id)
        });
    }
    provider
        .cipher_suites
        .sort_by_key(|suite| match suite.suite() {
            CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => 2,
            _ => 1,
        });
    provider
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CipherSuite as Named, CipherSuites};

    #[test]
    fn versions_are_those_of_the_front_end() {
        let versions = |min_tls_version, max_tls_version| {
            let config = Config {
                min_tls_version,
                max_tls_version,
                ..Config::default()
            };
            versions(&config)
        };
        assert_eq!(
            versions(MinTlsVersion::Tls12, MaxTlsVersion::Tls12),
            [&TLS12]
        );
        assert_eq!(
            versions(MinTlsVersion::Tls10, MaxTlsVersion::Tls13),
            [&TLS13, &TLS12]
        );
        assert_eq!(
            versions(MinTlsVersion::Tls13, MaxTlsVersion::Tls13),
            [&TLS13]
        );
        assert!(versions(MinTlsVersion::Tls13, MaxTlsVersion::Tls12).is_empty());
    }

    #[test]
    fn aes_with_128_bits_comes_first() {
        let suites = provider(&Config::default()).cipher_suites;
        let newest = suites.iter().find(|suite| suite.tls13().is_some());
        let newest = newest.map(|suite| suite.suite());
        assert_eq!(newest, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
    }

    fn suites_of_tls12(names: &[&str]) -> Vec<u16> {
        let suites = names.iter().filter_map(|name| Named::from_name(name));
        let config = Config {
            cipher_suites: CipherSuites(suites.collect()),
            ..Config::default()
        };
        let offered = provider(&config).cipher_suites;
        assert!(offered.iter().any(|suite| suite.tls13().is_some()));
        let old = offered.iter().filter(|suite| suite.tls13().is_none());
        old.map(|suite| suite.suite().into()).collect()
    }

    #[test]
    fn cipher_suites_are_narrowed_where_they_are_configured() {
        let named = Named::from_name("ECDHE-RSA-AES128-GCM-SHA256").unwrap();
        assert_eq!(suites_of_tls12(&[named.name, "RC4-SHA"]), [named.id]);
        assert!(suites_of_tls12(&[]).len() > 1);
    }

    #[test]
    fn suites_of_tls_1_3_alone_leave_no_older_version() {
        let named = ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];
        assert!(suites_of_tls12(&named).is_empty());
        let versions_of = |max_tls_version| {
            let suites = named.iter().filter_map(|name| Named::from_name(name));
            versions(&Config {
                cipher_suites: CipherSuites(suites.collect()),
                max_tls_version,
                ..Config::default()
            })
        };
        assert_eq!(versions_of(MaxTlsVersion::Tls13), [&TLS13]);
        assert!(versions_of(MaxTlsVersion::Tls12).is_empty());
        assert!(!suites_of_tls12(&["TLS_AES_128_GCM_SHA256", "RC4-SHA"]).is_empty());
    }

    #[test]
    fn suites_of_which_none_can_be_served_stand_for_all_that_can() {
        assert_eq!(suites_of_tls12(&["RC4-SHA"]), suites_of_tls12(&[]));
    }
}
