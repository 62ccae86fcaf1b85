//! How the router calls the Routing API and the UAA (spec 2.7): as a client, away from the data path.

use std::io;
use std::sync::Arc;

use cloverleaf_config::pem::{Identity, trust_bundle};
use rustls::client::VerifierBuilderError;
use rustls::crypto::aws_lc_rs;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::{Unverified, judge_of_servers};
use crate::config::{Config, PemError};

/// Why a server cannot be called over TLS.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// `routing_api.cert_chain` and `routing_api.private_key`.
    #[error("routing_api: the pair {0}")]
    Identity(PemError),
    /// A bundle of authorities.
    #[error("{key}: {error}")]
    Authorities {
        /// Where it is configured.
        key: &'static str,
        /// What is wrong with it.
        error: PemError,
    },
    /// The file with the UAA's authorities.
    #[error("oauth.ca_certs {file}: {error}")]
    File {
        /// Its path.
        file: String,
        /// What reading it came to.
        error: io::Error,
    },
    /// The authorities cannot judge anybody.
    #[error("authorities: {0}")]
    Trust(#[from] VerifierBuilderError),
    /// Nothing to speak.
    #[error(transparent)]
    Offer(#[from] rustls::Error),
}

/// Mutual TLS with the Routing API: its authorities are those of `routing_api.ca_certs` and no others.
///
/// # Errors
/// See [`CallsError`].
pub fn to_routing_api(config: &Config) -> Result<ClientConfig, CallsError> {
    let api = &config.routing_api;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let identity =
        Identity::load(&api.cert_chain, &api.private_key).map_err(CallsError::Identity)?;
    let roots = roots("routing_api.ca_certs", &api.ca_certs)?;
    let verifier = judge_of_servers(roots, Arc::clone(&provider))?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let identity = SingleCertAndKey::from(identity.certified_key());
    Ok(client.with_client_cert_resolver(Arc::new(identity)))
}

/// TLS with the UAA. Reads files: not for a worker's thread.
///
/// # Errors
/// See [`CallsError`].
pub fn to_uaa(config: &Config) -> Result<ClientConfig, CallsError> {
    let oauth = &config.oauth;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    if oauth.skip_ssl_validation {
        let verifier = Arc::new(Unverified::new(&provider));
        let client = client.dangerous();
        return Ok(client
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth());
    }
    let roots = match oauth.authorities() {
        None => system_roots(),
        Some(pem) => {
            let pem = pem.map_err(|error| CallsError::File {
                file: oauth.ca_certs.clone(),
                error,
            })?;
            roots("oauth.ca_certs", &pem)?
        }
    };
    let verifier = judge_of_servers(roots, provider)?;
    let client = client.dangerous();
    Ok(client
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn roots(key: &'static str, pem: &str) -> Result<RootCertStore, CallsError> {
    let authorities = trust_bundle(pem).map_err(|error| CallsError::Authorities { key, error })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(target: "router", %error, "system-certificate-skipped");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system.certs);
    roots
}
