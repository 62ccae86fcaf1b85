//! TLS of the listeners for operators.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use super::Transport;
use crate::config::{Config, MaxTlsVersion, MetricsTls, MinTlsVersion, PemError};

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Certificate, key or authorities.
    #[error("{0}")]
    Pem(#[from] PemError),
    /// The versions or cipher suites leave nothing to speak.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    /// The authorities cannot verify anybody.
    #[error("{0}")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
}

/// The health listener's: versions and cipher suites of the front end, no client certificates (spec 9.1). `None` when the
/// configuration has no such listener.
///
/// # Errors
/// When nothing can be spoken.
pub fn health(config: &Config) -> Result<Option<Transport>, TlsError> {
    let Some(identity) = config.status.tls.identity() else {
        return Ok(None);
    };
    let mut server = ServerConfig::builder_with_provider(Arc::new(front_end_provider(config)))
        .with_protocol_versions(&front_end_versions(config))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity?.certified_key())));
    if config.enable_http2 {
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Some(transport(server)))
}

/// The metrics listener's: TLS 1.2 and 1.3, and only clients with a certificate of the given authorities.
///
/// # Errors
/// When an authority cannot be used.
pub fn metrics(files: &MetricsTls) -> Result<Transport, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(files.authorities.iter().cloned());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()?;
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(
            files.identity.certified_key(),
        )));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(transport(server))
}

fn transport(server: ServerConfig) -> Transport {
    Transport::Tls(TlsAcceptor::from(Arc::new(server)))
}

fn front_end_versions(config: &Config) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if config.max_tls_version == MaxTlsVersion::Tls13 {
        versions.push(&TLS13);
    }
    if config.min_tls_version != MinTlsVersion::Tls13 {
        versions.push(&TLS12);
    }
    versions
}

/// All suites that there are, with those of TLS 1.2 narrowed to the configured ones where any are.
fn front_end_provider(config: &Config) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if !config.cipher_suites.0.is_empty() {
        provider.cipher_suites.retain(|suite| {
            let id = u16::from(suite.suite());
            suite.tls13().is_some() || config.cipher_suites.tls12().any(|named| named.id == id)
        });
    }
    provider
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CipherSuite;
    use crate::config::CipherSuites;

    #[test]
    fn versions_are_those_of_the_front_end() {
        let versions = |min_tls_version, max_tls_version| {
            let config = Config {
                min_tls_version,
                max_tls_version,
                ..Config::default()
            };
            front_end_versions(&config)
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
    fn cipher_suites_are_narrowed_where_they_are_configured() {
        let all = front_end_provider(&Config::default()).cipher_suites.len();
        let named = CipherSuite::from_name("ECDHE-RSA-AES128-GCM-SHA256").unwrap();
        let config = Config {
            cipher_suites: CipherSuites(vec![named]),
            ..Config::default()
        };
        let suites = front_end_provider(&config).cipher_suites;
        let tls12: Vec<u16> = suites
            .iter()
            .filter(|suite| suite.tls13().is_none())
            .map(|suite| suite.suite().into())
            .collect();
        assert_eq!(tls12, [named.id]);
        assert!(suites.len() > 1 && suites.len() < all);
    }

    #[test]
    fn there_is_no_tls_without_a_certificate() {
        assert!(health(&Config::default()).unwrap().is_none());
    }
}
