//! Who may connect: clients' certificates and the rules about their subjects (spec 6.2, 6.3).

use std::sync::Arc;

use cloverleaf_config::pem::{issuer, subject, trust_bundle};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::VerifierBuilderError;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, RootCertStore};

use crate::config::{CertSubject, ClientCertValidation, Config, Domain, MetadataRule};
use crate::tls::{judge_of_clients, verify_signatures};

/// What judges clients; `None` where they are not asked for a certificate.
pub(super) fn verifier(
    config: &Config,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, VerifierBuilderError> {
    let required = match config.client_cert_validation {
        ClientCertValidation::Unset | ClientCertValidation::None => return Ok(None),
        ClientCertValidation::Request => false,
        ClientCertValidation::Require => true,
    };
    // The configuration was checked: what is no certificate was refused.
    let authorities = trust_bundle(&config.client_ca_certs).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    if !config.only_trust_client_ca_certs {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let algorithms = provider.signature_verification_algorithms;
    let verifier = judge_of_clients(roots, provider, required)?;
    Ok(Some(ruled(config, verifier, algorithms, authorities)))
}

/// What judges the clients of `domain`: its own authorities and no others (spec 14.3).
pub(super) fn of_domain(
    config: &Config,
    domain: &Domain,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let authorities = trust_bundle(&domain.ca_certs).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    let algorithms = provider.signature_verification_algorithms;
    let verifier = judge_of_clients(roots, provider, true)?;
    Ok(ruled(config, verifier, algorithms, authorities))
}

/// `verifier` with the rules about subjects, where there are any.
fn ruled(
    config: &Config,
    verifier: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    authorities: Vec<CertificateDer<'static>>,
) -> Arc<dyn ClientCertVerifier> {
    if !config.enable_verify_client_certificate_metadata {
        return verifier;
    }
    Arc::new(Ruled {
        verifier,
        algorithms,
        authorities,
        rules: config.verify_client_certificate_metadata.clone(),
    })
}

/// A verifier whose clients have to obey rules as well.
#[derive(Debug)]
struct Ruled {
    verifier: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    /// The configured authorities; rules name some of them.
    authorities: Vec<CertificateDer<'static>>,
    rules: Vec<MetadataRule>,
}

impl Ruled {
    /// Whether the rules let a verified leaf pass: each rule whose issuer is in the leaf's chain must list its subject.
    fn allows(&self, leaf: &CertificateDer<'_>, sent: &[CertificateDer<'_>]) -> Option<()> {
        let subject = CertSubject::of(leaf).ok()?;
        let chain = self.issuers(leaf, sent)?;
        let applies = |rule: &&MetadataRule| chain.contains(&rule.issuer_in_chain);
        let mut rules = self.rules.iter().filter(applies);
        rules
            .all(|rule| rule.valid_cert_subjects.contains(&subject))
            .then_some(())
    }

    /// The subjects of the authorities above `leaf` on every way up that is known here: the client chooses what it sends,
    /// and must not hide one way behind another.
    fn issuers(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
    ) -> Option<Vec<CertSubject>> {
        let known = sent.iter().chain(&self.authorities);
        let mut known: Vec<_> = known
            .filter_map(|certificate| {
                let named = (subject(certificate).ok()?, issuer(certificate).ok()?);
                Some((named, CertSubject::of(certificate).ok()?))
            })
            .collect();
        let mut above = Vec::new();
        let mut wanted = vec![issuer(leaf).ok()?];
        while let Some(name) = wanted.pop() {
            let found = known.extract_if(.., |((subject, _), _)| *subject == name);
            for ((_, issuer), subject) in found {
                above.push(subject);
                wanted.push(issuer);
            }
        }
        Some(above)
    }
}

impl ClientCertVerifier for Ruled {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .verifier
            .verify_client_cert(end_entity, intermediates, now)?;
        match self.allows(end_entity, intermediates) {
            Some(()) => Ok(verified),
            // Told to the client as "bad certificate", as the original does.
            None => Err(CertificateError::NotValidForName.into()),
        }
    }

    verify_signatures!();
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    fn authority(name: &str) -> CertificateParams {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn named(name: &str) -> CertSubject {
        CertSubject {
            common_name: name.into(),
            ..CertSubject::default()
        }
    }

    //
    #[test]
    fn a_rule_cannot_be_hidden_behind_another_certificate_of_the_same_name() {
        let [root_key, middle_key, leaf_key, other_key] =
            [(); 4].map(|()| KeyPair::generate().unwrap());
        let root_pem = authority("root").self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(authority("root"), root_key);
        let middle = authority("middle").signed_by(&middle_key, &root).unwrap();
        let issuer = Issuer::new(authority("middle"), middle_key);
        let leaf = params("mallory").signed_by(&leaf_key, &issuer).unwrap();
        // It leads nowhere, and stands first.
        let decoy = authority("middle").self_signed(&other_key).unwrap();
        let config = |allowed: &str| Config {
            client_cert_validation: ClientCertValidation::Require,
            client_ca_certs: root_pem.clone(),
            only_trust_client_ca_certs: true,
            enable_verify_client_certificate_metadata: true,
            verify_client_certificate_metadata: vec![MetadataRule {
                issuer_in_chain: named("root"),
                valid_cert_subjects: vec![named(allowed)],
            }],
            ..Config::default()
        };
        let judge = |allowed: &str, sent: &[CertificateDer<'_>]| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let verifier = verifier(&config(allowed), provider).unwrap().unwrap();
            let judged = verifier.verify_client_cert(leaf.der(), sent, UnixTime::now());
            judged.map(drop)
        };
        let (middle, decoy) = (middle.der().clone(), decoy.der().clone());
        for sent in [
            vec![middle.clone()],
            vec![decoy.clone(), middle.clone()],
            vec![middle, decoy],
        ] {
            assert_eq!(judge("mallory", &sent), Ok(()));
            let refused = Err(CertificateError::NotValidForName.into());
            assert_eq!(judge("alice", &sent), refused);
        }
    }
}
