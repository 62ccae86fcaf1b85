//! Mutual TLS towards NATS: TLS 1.2 and 1.3, only the given authorities trusted.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::error::ConnectError;
use crate::nats::NatsTls;

/// Who we are and whom we trust, which may change while a connection is up: the next handshake follows.
#[derive(Debug)]
pub(super) struct Credentials {
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    trust: Arc<WebPkiServerVerifier>,
    identity: Arc<CertifiedKey>,
}

impl Credentials {
    pub(super) fn new(tls: &NatsTls) -> Result<Arc<Credentials>, ConnectError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(Current::new(tls, &provider)?);
        Ok(Arc::new(Credentials { provider, current }))
    }

    /// Changes them; those of before stay when these cannot be used.
    pub(super) fn renew(&self, tls: &NatsTls) -> Result<(), ConnectError> {
        let newer = Current::new(tls, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = newer;
        Ok(())
    }

    /// Makes the configuration that every connection attempt uses.
    pub(super) fn config(self: &Arc<Credentials>) -> Result<ClientConfig, ConnectError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| unusable("protocol versions", error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesClientCert>);
        // A session that is resumed is one of the credentials that it began with.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn current(&self) -> Current {
        // It is whole at any time.
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Current {
    fn new(tls: &NatsTls, provider: &Arc<CryptoProvider>) -> Result<Current, ConnectError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates("ca_certs", &tls.ca_certs)? {
            roots
                .add(authority)
                .map_err(|error| unusable("ca_certs", error))?;
        }
        let chain = certificates("cert_chain", &tls.cert_chain)?;
        let key = PrivateKeyDer::from_pem_slice(tls.private_key.as_bytes())
            .map_err(|error| unusable("private_key", error))?;
        let trust =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| unusable("ca_certs", error))?;
        let identity = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| unusable("cert_chain and private_key", error))?;
        Ok(Current {
            trust,
            identity: Arc::new(identity),
        })
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let identity = self.current().identity;
        identity.key.choose_scheme(schemes)?;
        Some(identity)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ServerCertVerifier for Credentials {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = self.current().trust;
        trust.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let trust = self.current().trust;
        trust.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let trust = self.current().trust;
        trust.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.current().trust.supported_verify_schemes()
    }
}

fn certificates(
    what: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(what, error))?;
    if certificates.is_empty() {
        return Err(unusable(what, "no certificate in it"));
    }
    Ok(certificates)
}

fn unusable(
    what: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ConnectError {
    ConnectError::Tls {
        what,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{ClientConnection, ProtocolVersion, ServerConfig, ServerConnection};

    fn client_config(tls: &NatsTls) -> Result<ClientConfig, ConnectError> {
        Credentials::new(tls)?.config()
    }

    fn made() -> NatsTls {
        let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        NatsTls {
            ca_certs: made.cert.pem(),
            cert_chain: made.cert.pem(),
            private_key: made.signing_key.serialize_pem(),
        }
    }

    fn refused(tls: &NatsTls) -> &'static str {
        match client_config(tls) {
            Err(ConnectError::Tls { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    /// Shakes hands in memory with a server that speaks `version` only.
    fn agreed_version(version: &'static rustls::SupportedProtocolVersion) -> ProtocolVersion {
        let tls = made();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                certificates("cert_chain", &tls.cert_chain).unwrap(),
                PrivateKeyDer::from_pem_slice(tls.private_key.as_bytes()).unwrap(),
            )
            .unwrap();
        let client = Arc::new(client_config(&tls).unwrap());
        let mut client = ClientConnection::new(client, "client".try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        client.protocol_version().unwrap()
    }

    #[test]
    fn both_versions_of_tls_are_spoken() {
        assert_eq!(
            agreed_version(&rustls::version::TLS12),
            ProtocolVersion::TLSv1_2
        );
        assert_eq!(
            agreed_version(&rustls::version::TLS13),
            ProtocolVersion::TLSv1_3
        );
    }

    #[test]
    fn the_text_at_fault_is_named() {
        let good = made();
        for text in [
            "",
            "not pem",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            let text = text.to_owned();
            let ca_certs = NatsTls {
                ca_certs: text.clone(),
                ..good.clone()
            };
            assert_eq!(refused(&ca_certs), "ca_certs");
            let cert_chain = NatsTls {
                cert_chain: text.clone(),
                ..good.clone()
            };
            assert_eq!(refused(&cert_chain), "cert_chain");
            let private_key = NatsTls {
                private_key: text,
                ..good.clone()
            };
            assert_eq!(refused(&private_key), "private_key");
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let mixed = NatsTls {
            private_key: made().private_key,
            ..made()
        };
        assert_eq!(refused(&mixed), "cert_chain and private_key");
    }

    #[test]
    fn credentials_change_for_the_next_handshake_and_stay_when_the_new_ones_are_bad() {
        let (old, new) = (made(), made());
        let credentials = Credentials::new(&old).unwrap();
        let shown = || {
            let scheme = [SignatureScheme::ECDSA_NISTP256_SHA256];
            let identity = credentials.resolve(&[], &scheme).unwrap();
            identity.cert.clone()
        };
        let of = |tls: &NatsTls| certificates("cert_chain", &tls.cert_chain).unwrap();
        assert_eq!(shown(), of(&old));
        let mixed = NatsTls {
            private_key: old.private_key.clone(),
            ..new.clone()
        };
        assert!(credentials.renew(&mixed).is_err());
        assert_eq!(shown(), of(&old));
        credentials.renew(&new).unwrap();
        assert_eq!(shown(), of(&new));
        let trusts = |tls: &NatsTls| {
            let name = "client".try_into().unwrap();
            let leaf = &of(tls)[0];
            let judged = credentials.verify_server_cert(leaf, &[], &name, &[], UnixTime::now());
            judged.is_ok()
        };
        assert!(trusts(&new) && !trusts(&old));
    }
}
