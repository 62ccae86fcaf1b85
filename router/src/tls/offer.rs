//! Versions and cipher suites that are offered and accepted.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use crate::config::{Config, MaxTlsVersion, MinTlsVersion};

/// The versions of the front end (spec 6.2). Older ones than 1.2 are not to be had; where the configuration leaves none,
/// no client can connect.
pub fn versions(config: &Config) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if config.max_tls_version == MaxTlsVersion::Tls13 {
        versions.push(&TLS13);
    }
    if config.min_tls_version != MinTlsVersion::Tls13 {
        versions.push(&TLS12);
    }
    versions
}

/// All suites that there are, with those of TLS 1.2 narrowed to the configured ones. Where none of these can be served
/// all are: an old configuration must not keep the edge down (the start says so). In the order of preference: AES with 128
/// bits first, as in the original; it is safe, and its handshake with SHA-256 costs a sixth less than the one with SHA-384.
pub fn provider(config: &Config) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if config.cipher_suites.tls12().next().is_some() {
        provider.cipher_suites.retain(|suite| {
            let id = u16::from(suite.suite());
            suite.tls13().is_some() || config.cipher_suites.tls12().any(|named| named.id == id)
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
    fn suites_of_which_none_can_be_served_stand_for_all_that_can() {
        assert_eq!(suites_of_tls12(&["RC4-SHA"]), suites_of_tls12(&[]));
    }
}
