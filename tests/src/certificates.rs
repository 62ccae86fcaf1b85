//! Certificates made for one test.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

use crate::folder::Folder;

/// An authority that signs identities.
pub struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its key, as PEM text.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Identity {
    /// The certificate as it is sent.
    ///
    /// # Panics
    /// When it is none.
    pub fn der(&self) -> Vec<u8> {
        pem(&self.certificate).to_vec()
    }

    /// Writes both as `NAME.crt` and `NAME.key`.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn write(&self, folder: &Folder, name: &str) {
        folder.write(&format!("{name}.crt"), &self.certificate);
        folder.write(&format!("{name}.key"), &self.key);
    }
}

impl Authority {
    /// An authority with this common name.
    ///
    /// # Panics
    /// When there is no randomness for a key.
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("parameters without names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Authority {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// An identity for these names and addresses, for servers and clients alike.
    ///
    /// # Panics
    /// When a name is none.
    pub fn identity(&self, names: &[&str]) -> Identity {
        self.identity_for(names, None)
    }

    /// The same, whose last day is so many days from now.
    ///
    /// # Panics
    /// When a name is none.
    pub fn identity_until(&self, names: &[&str], days: i64) -> Identity {
        self.identity_for(names, Some(days))
    }

    fn identity_for(&self, names: &[&str], days: Option<i64>) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = leaf(names);
        if let Some(days) = days {
            let day = Duration::from_secs(24 * 60 * 60);
            let span = day * u32::try_from(days.unsigned_abs()).expect("a number of days");
            let now = SystemTime::now();
            params.not_after = match days < 0 {
                true => (now - span).into(),
                false => (now + span).into(),
            };
        }
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        Identity {
            certificate,
            key: key.serialize_pem(),
        }
    }

    /// Its own certificate, as PEM text.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Settings of a TLS client that trusts this authority and shows `identity`.
    ///
    /// # Panics
    /// When the identity is none.
    pub fn client_config(&self, identity: &Identity) -> Arc<ClientConfig> {
        let config = self.client().with_client_auth_cert(
            vec![pem(&identity.certificate)],
            PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key in PEM"),
        );
        Arc::new(config.expect("a client configuration"))
    }

    /// Settings of a TLS client that trusts this authority, shows no certificate, and asks for one of these protocols
    /// above TLS.
    ///
    /// # Panics
    /// When the authority is none.
    pub fn anonymous_client_config(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut config = self.client().with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }

    /// As [`Authority::anonymous_client_config`], of a client that does not know TLS 1.3.
    ///
    /// # Panics
    /// When the authority is none.
    pub fn client_of_tls_1_2(&self) -> Arc<ClientConfig> {
        let client = self.client_speaking(&[&rustls::version::TLS12]);
        Arc::new(client.with_no_client_auth())
    }

    fn client(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        self.client_speaking(rustls::DEFAULT_VERSIONS)
    }

    fn client_speaking(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(pem(&self.certificate)).expect("an authority");
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .expect("TLS versions")
            .with_root_certificates(roots)
    }
}

/// A certificate for servers and clients alike.
pub(crate) fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names for a certificate");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}

fn pem(text: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(text.as_bytes()).expect("a certificate in PEM")
}
