//! Who judges the other side's certificate by its authority, and who does where there is no authority to be had: a system
//! without a store of certificates must not keep the router down.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, RootCertStore};

use super::verify_signatures;

/// Judges servers by `roots`.
///
/// # Errors
/// See [`rustls::client::VerifierBuilderError`].
pub fn judge_of_servers(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, rustls::client::VerifierBuilderError> {
    if roots.is_empty() {
        return Ok(Arc::new(NoAuthority::new(&provider, true)));
    }
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    Ok(judge)
}

/// Judges clients by `roots`; those that show no certificate pass unless it is `required`.
///
/// # Errors
/// See [`rustls::server::VerifierBuilderError`].
pub fn judge_of_clients(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::server::VerifierBuilderError> {
    if roots.is_empty() {
        return Ok(Arc::new(NoAuthority::new(&provider, required)));
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    match required {
        true => builder.build(),
        false => builder.allow_unauthenticated().build(),
    }
}

/// Knows nobody.
#[derive(Debug)]
struct NoAuthority {
    algorithms: WebPkiSupportedAlgorithms,
    /// Whether clients have to show a certificate.
    required: bool,
}

impl NoAuthority {
    fn new(provider: &CryptoProvider, required: bool) -> NoAuthority {
        NoAuthority {
            algorithms: provider.signature_verification_algorithms,
            required,
        }
    }
}

impl ServerCertVerifier for NoAuthority {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    verify_signatures!();
}

impl ClientCertVerifier for NoAuthority {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    verify_signatures!();
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs;

    use super::*;

    #[test]
    fn without_authorities_nobody_is_known_and_everything_starts() {
        let provider = || Arc::new(aws_lc_rs::default_provider());
        let key = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let unknown = Error::from(CertificateError::UnknownIssuer);
        let (leaf, now) = (key.cert.der(), UnixTime::now());
        let servers = judge_of_servers(RootCertStore::empty(), provider()).unwrap();
        let name = ServerName::try_from("a.test").unwrap();
        let judged = servers.verify_server_cert(leaf, &[], &name, &[], now);
        assert_eq!(judged.map(drop), Err(unknown.clone()));
        for required in [true, false] {
            let clients = judge_of_clients(RootCertStore::empty(), provider(), required).unwrap();
            assert_eq!(clients.client_auth_mandatory(), required);
            let judged = clients.verify_client_cert(leaf, &[], now);
            assert_eq!(judged.map(drop), Err(unknown.clone()));
        }
    }
}
