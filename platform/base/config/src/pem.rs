//! Certificates and keys in PEM text: do they load, and do they belong together.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::{Error, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

/// How a line begins with which a block begins.
const BEGIN: &str = "-----BEGIN ";
/// How a line begins with which one ends.
const END: &str = "-----END ";

/// Why PEM text is not usable. The text itself is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No certificate that can be read.
    #[error("holds no certificate that can be read")]
    NoCertificate,
    /// The first certificate of a chain, or a later one, cannot be read.
    #[error("holds a certificate that cannot be read")]
    BadCertificate,
    /// A block of PEM that does not end, or an end without a beginning: half a file.
    #[error("holds a part of a block")]
    TornBlock,
    /// No private key.
    #[error("holds no private key")]
    NoKey,
    /// A private key that needs a passphrase.
    #[error("holds an encrypted private key")]
    EncryptedKey,
    /// A private key of an unknown type or in a broken encoding.
    #[error("holds a private key that cannot be used")]
    BadKey,
    /// Certificate and key are fine but belong to different pairs.
    #[error("is not the key of the certificate")]
    Mismatch,
}

impl PemError {
    /// Whether the key is to blame rather than the certificate.
    pub fn is_about_key(self) -> bool {
        !matches!(
            self,
            Self::NoCertificate | Self::BadCertificate | Self::TornBlock
        )
    }
}

/// A certificate chain with its private key, known to match. `Debug` shows no key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Loads a chain (the leaf first) and the first private key of `key`: PKCS#1, SEC1 (also after
    /// an `EC PARAMETERS` block) or PKCS#8.
    ///
    /// # Errors
    /// What is unusable about either, or that they do not match.
    pub fn load(chain: &str, key: &str) -> Result<Self, PemError> {
        let chain = certificate_chain(chain)?;
        let key = signing_key(key)?;
        let leaf = chain.first().ok_or(PemError::NoCertificate)?;
        let (_, parsed) = parse_x509_certificate(leaf).map_err(|_| PemError::BadCertificate)?;
        // Compared here rather than by rustls, which refuses certificates of version 1.
        let matches = key
            .public_key()
            .is_none_or(|public| public.as_ref() == parsed.public_key().raw);
        if !matches {
            return Err(PemError::Mismatch);
        }
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain, key)),
        })
    }

    /// The pair as rustls takes it.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.certified.cert.len())
            .finish_non_exhaustive()
    }
}

/// The certificates of a trust bundle. Blocks that are no certificates or cannot be read are
/// skipped, as Go does.
///
/// # Errors
/// [`PemError::NoCertificate`] when none is left.
pub fn trust_bundle(pem: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates: Vec<_> = blocks(pem)
        .into_iter()
        .filter_map(|block| authority(block).ok().flatten())
        .collect();
    if certificates.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(certificates)
}

/// Whether [`trust_bundle`] gives all that a bundle was meant to hold. Text around the blocks and whole blocks of another
/// kind do no harm.
///
/// # Errors
/// What it would skip although it is there, or is there in part.
pub fn whole_trust_bundle(pem: &str) -> Result<(), PemError> {
    let blocks = blocks(pem);
    for block in &blocks {
        authority(block)?;
    }
    let ends = pem.lines().filter(|line| line.starts_with(END)).count();
    let last = pem.lines().next_back().unwrap_or_default();
    let is_cut = !last.is_empty() && BEGIN.starts_with(last);
    match ends == blocks.len() && !is_cut {
        true => Ok(()),
        false => Err(PemError::TornBlock),
    }
}

/// The attributes of a certificate's subject as (object identifier in dots, text), in the order of
/// the certificate. Attributes that are no text are left out.
///
/// # Errors
/// [`PemError::BadCertificate`] when the certificate cannot be read.
pub fn subject(certificate: &CertificateDer<'_>) -> Result<Vec<(String, String)>, PemError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| PemError::BadCertificate)?;
    Ok(attributes(parsed.subject()))
}

/// The attributes of a certificate's issuer, as [`subject`] gives those of its subject.
///
/// # Errors
/// [`PemError::BadCertificate`] when the certificate cannot be read.
pub fn issuer(certificate: &CertificateDer<'_>) -> Result<Vec<(String, String)>, PemError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| PemError::BadCertificate)?;
    Ok(attributes(parsed.issuer()))
}

/// The host names that a certificate proves, wildcards too: its alternative names, or its common name where it has no
/// alternative names at all.
///
/// # Errors
/// [`PemError::BadCertificate`] when the certificate cannot be read.
pub fn dns_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, PemError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| PemError::BadCertificate)?;
    let alternative = parsed.subject_alternative_name();
    let names = match alternative.map_err(|_| PemError::BadCertificate)? {
        Some(alternative) => alternative
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect(),
        None => parsed
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect(),
    };
    Ok(names)
}

/// The first and the last second of a certificate's life, in Unix time.
///
/// # Errors
/// [`PemError::BadCertificate`] when the certificate cannot be read.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<RangeInclusive<i64>, PemError> {
    let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| PemError::BadCertificate)?;
    let validity = parsed.validity();
    Ok(validity.not_before.timestamp()..=validity.not_after.timestamp())
}

fn attributes(name: &X509Name<'_>) -> Vec<(String, String)> {
    name.iter_attributes()
        .filter_map(|attribute| {
            let text = attribute.as_str().ok()?;
            Some((attribute.attr_type().to_id_string(), text.to_owned()))
        })
        .collect()
}

/// Each block with all up to the next one: a block that does not end takes no other with it.
fn blocks(pem: &str) -> Vec<&str> {
    let begins_line = |at: usize| at == 0 || pem.as_bytes().get(at - 1) == Some(&b'\n');
    let found = pem.match_indices(BEGIN).map(|(at, _)| at);
    let mut starts: Vec<usize> = found.filter(|at| begins_line(*at)).collect();
    starts.push(pem.len());
    starts
        .iter()
        .zip(starts.iter().skip(1))
        .filter_map(|(from, to)| pem.get(*from..*to))
        .collect()
}

/// The certificate of a block; `None` for a whole block of another kind.
fn authority(block: &str) -> Result<Option<CertificateDer<'static>>, PemError> {
    match CertificateDer::pem_slice_iter(block.as_bytes()).next() {
        None => Ok(None),
        Some(Ok(certificate)) => match parse_x509_certificate(&certificate) {
            Ok(_) => Ok(Some(certificate)),
            Err(_) => Err(PemError::BadCertificate),
        },
        Some(Err(Error::MissingSectionEnd { .. } | Error::IllegalSectionStart { .. })) => {
            Err(PemError::TornBlock)
        }
        Some(Err(_)) => Err(PemError::BadCertificate),
    }
}

fn certificate_chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| PemError::BadCertificate)?;
    if chain.is_empty() {
        return Err(PemError::NoCertificate);
    }
    Ok(chain)
}

fn signing_key(pem: &str) -> Result<Arc<dyn SigningKey>, PemError> {
    if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        Error::NoItemsFound => PemError::NoKey,
        _ => PemError::BadKey,
    })?;
    any_supported_type(&key).map_err(|_| PemError::BadKey)
}

#[cfg(test)]
mod tests;
