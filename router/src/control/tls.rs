//! TLS of the listeners for operators.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};

use crate::config::{Config, MetricsTls, PemError};
use crate::tls;

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
pub fn health(config: &Config) -> Result<Option<ServerConfig>, TlsError> {
    let Some(identity) = config.status.tls.identity() else {
        return Ok(None);
    };
    let offer = tls::Offer::new(config);
    let shown = Arc::new(SingleCertAndKey::from(identity?.certified_key()));
    let mut server = offer
        .server()?
        .with_no_client_auth()
        .with_cert_resolver(offer.showing(shown));
    if config.enable_http2 {
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    Ok(Some(server))
}

/// The metrics listener's: TLS 1.2 and 1.3, and only clients with a certificate of the given authorities.
///
/// # Errors
/// When an authority cannot be used.
pub fn metrics(files: &MetricsTls) -> Result<ServerConfig, TlsError> {
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
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_tls_without_a_certificate() {
        assert!(health(&Config::default()).unwrap().is_none());
    }
}
