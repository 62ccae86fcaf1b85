//! TLS with clients: certificates, versions, client certificates.

use std::fmt;

use cloverleaf_config::pem::{PemError, subject};
use cloverleaf_config::{choice, section};
use rustls_pki_types::CertificateDer;

pub use super::ciphers::{CipherSuite, CipherSuites};
use super::routing::ForwardedClientCert;

section! {
    /// An entry of `tls_pem`.
    pub struct TlsPem {
        /// Certificate chain, the leaf first, PEM text.
        cert_chain: String => Works shown "required",
        /// Private key, PEM text.
        private_key: String => Works shown "required",
        /// File with the chain, in place of `cert_chain`; watched.
        cert_chain_file: String => Works,
        /// File with the private key, in place of `private_key`; watched.
        private_key_file: String => Works,
    }
}

section! {
    /// An entry of `verify_client_certificate_metadata`.
    pub struct MetadataRule {
        /// Subject of an authority in `client_ca_certs`. Chains without it pass.
        issuer_in_chain: CertSubject => Works,
        /// Subjects of which the client certificate must have one.
        valid_cert_subjects: Vec<CertSubject> => Works,
    }
}

section! {
    /// A distinguished name. Attributes that are not given must be absent.
    pub struct CertSubject {
        /// Country (C).
        country: Vec<String> => Works,
        /// Organization (O).
        organization: Vec<String> => Works,
        /// Organizational unit (OU).
        organizational_unit: Vec<String> => Works,
        /// Common name (CN).
        common_name: String => Works,
        /// Serial number (serialNumber) of the subject, not of the certificate.
        serial_number: String => Works,
        /// Locality (L).
        locality: Vec<String> => Works,
        /// Province or state (ST).
        province: Vec<String> => Works,
        /// Street address (STREET).
        street_address: Vec<String> => Works,
        /// Postal code (postalCode).
        postal_code: Vec<String> => Works,
    }
}

section! {
    /// An entry of `domains`: hosts whose clients are verified against authorities of their own.
    pub struct Domain {
        /// Exact host, or `*.` and a name for exactly one label more.
        domain: String => Works also "name" shown "required",
        /// Authorities, PEM text.
        ca_certs: String => Works shown "required",
        /// File with the authorities, in place of `ca_certs`; watched.
        ca_certs_file: String => Works,
        /// Takes the place of the global key for these hosts.
        forwarded_client_cert: ForwardedClientCert = ForwardedClientCert::SanitizeSet => Works,
        /// Form of `X-Forwarded-Client-Cert`.
        xfcc_format: XfccFormat => Works,
    }
}

choice! {
    /// `xfcc_format`: the form of `X-Forwarded-Client-Cert`.
    pub enum XfccFormat {
        /// The certificate in base64.
        #[default]
        Raw = "raw",
        /// Hash and subject, as Envoy writes them.
        Envoy = "envoy",
    }
}

choice! {
    /// `client_cert_validation`: whether clients are asked for a certificate.
    pub enum ClientCertValidation {
        /// Not given, which counts as `none` and is an error with `enable_ssl`.
        #[default]
        Unset = "",
        /// Not asked.
        None = "none",
        /// Asked, verified when given.
        Request = "request",
        /// Must be given.
        Require = "require",
    }
}

choice! {
    /// `min_tls_version`: the lowest version.
    pub enum MinTlsVersion {
        /// TLS 1.0.
        Tls10 = "TLSv1.0",
        /// TLS 1.1.
        Tls11 = "TLSv1.1",
        /// TLS 1.2.
        #[default]
        Tls12 = "TLSv1.2",
        /// TLS 1.3.
        Tls13 = "TLSv1.3",
    }
}

choice! {
    /// `max_tls_version`: the highest version.
    pub enum MaxTlsVersion {
        /// TLS 1.2.
        #[default]
        Tls12 = "TLSv1.2",
        /// TLS 1.3.
        Tls13 = "TLSv1.3",
    }
}

impl CertSubject {
    /// The subject of a certificate. Attributes that cannot be configured are left out, and of
    /// several common names or serial numbers the last counts, as in GoRouter's comparison.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, PemError> {
        let mut name = Self::default();
        for (identifier, text) in subject(certificate)? {
            // X.520 attribute types.
            match identifier.as_str() {
                "2.5.4.3" => name.common_name = text,
                "2.5.4.5" => name.serial_number = text,
                "2.5.4.6" => name.country.push(text),
                "2.5.4.7" => name.locality.push(text),
                "2.5.4.8" => name.province.push(text),
                "2.5.4.9" => name.street_address.push(text),
                "2.5.4.10" => name.organization.push(text),
                "2.5.4.11" => name.organizational_unit.push(text),
                "2.5.4.17" => name.postal_code.push(text),
                _ => {}
            }
        }
        Ok(name)
    }
}

impl fmt::Display for CertSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let single = |text: &String| (!text.is_empty()).then(|| vec![text.clone()]);
        let parts = [
            ("CN", single(&self.common_name).unwrap_or_default()),
            (
                "serialNumber",
                single(&self.serial_number).unwrap_or_default(),
            ),
            ("OU", self.organizational_unit.clone()),
            ("O", self.organization.clone()),
            ("postalCode", self.postal_code.clone()),
            ("street", self.street_address.clone()),
            ("L", self.locality.clone()),
            ("ST", self.province.clone()),
            ("C", self.country.clone()),
        ];
        let named: Vec<String> = parts
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}={value}")))
            .collect();
        write!(f, "{:?}", named.join(","))
    }
}
