//! How a server's certificate is judged: by its names, its authority, or because it is listed itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use cloverleaf_config::pem::{trust_bundle, validity};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::{judge_of_servers, verify_signatures};
use crate::config::Config;

/// Trusts the system's authorities and those of `ca_certs` (spec 6.5).
///
/// The name is checked first, so that a wrong name is told from an unknown authority as the original tells them apart
/// (spec 4.10). A certificate that is itself in `ca_certs` is trusted as it stands, whatever it says about being an
/// authority (drop-in 1.2).
#[derive(Debug)]
pub struct ServerTrust {
    by_authority: Arc<dyn ServerCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    listed: Vec<CertificateDer<'static>>,
    fingerprint: u64,
}

impl ServerTrust {
    /// Reads the system's authorities from its files: not for a worker's thread.
    ///
    /// # Errors
    /// See [`judge_of_servers`].
    pub fn new(
        config: &Config,
        provider: Arc<CryptoProvider>,
    ) -> Result<ServerTrust, rustls::client::VerifierBuilderError> {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(target: "router", %error, "system-certificate-skipped");
        }
        // The configuration was checked: each entry holds a certificate.
        let listed: Vec<_> = config
            .ca_certs
            .iter()
            .flat_map(|pem| trust_bundle(pem).unwrap_or_default())
            .collect();
        let mut hasher = DefaultHasher::new();
        for certificate in system.certs.iter().chain(&listed) {
            certificate.as_ref().hash(&mut hasher);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system.certs.into_iter().chain(listed.iter().cloned()));
        let algorithms = provider.signature_verification_algorithms;
        Ok(ServerTrust {
            by_authority: judge_of_servers(roots, provider)?,
            algorithms,
            listed,
            fingerprint: hasher.finish(),
        })
    }

    /// The same for the same certificates: tells whether two of them trust the same servers.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        if !self.listed.contains(end_entity) {
            let trust = &self.by_authority;
            return trust.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
        }
        let valid = validity(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < *valid.start() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > *valid.end() {
            return Err(CertificateError::Expired.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures!();
}

#[cfg(test)]
mod tests;
