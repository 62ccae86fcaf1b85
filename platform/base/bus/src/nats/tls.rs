//! Mutual TLS towards NATS: TLS 1.2 and 1.3, only the given authorities trusted.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::error::ConnectError;
use crate::nats::NatsTls;

/// Makes the configuration that every connection attempt uses.
pub(super) fn client_config(tls: &NatsTls) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("ca_certs", &tls.ca_certs)? {
        roots
            .add(authority)
            .map_err(|error| unusable("ca_certs", error))?;
    }
    let chain = certificates("cert_chain", &tls.cert_chain)?;
    let key = PrivateKeyDer::from_pem_slice(tls.private_key.as_bytes())
        .map_err(|error| unusable("private_key", error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable("ca_certs", error))?;
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| unusable("protocol versions", error))?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable("cert_chain and private_key", error))
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
}
