//! An authority, a server's and a client's certificate, made anew for each test.

use cloverleaf_bus::NatsTls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

use super::scratch_file;

/// One authority and what it has signed, as PEM text.
pub struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    /// Makes everything for a server that is called `localhost`.
    pub fn make() -> Certificates {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let signed = |name: &str, usage: ExtendedKeyUsagePurpose| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        Certificates {
            server: signed("localhost", ExtendedKeyUsagePurpose::ServerAuth),
            client: signed("client", ExtendedKeyUsagePurpose::ClientAuth),
            authority: authority.pem(),
        }
    }

    /// What the client is configured with.
    pub fn client(&self) -> NatsTls {
        NatsTls {
            ca_certs: self.authority.clone(),
            cert_chain: self.client.0.clone(),
            private_key: self.client.1.clone(),
        }
    }

    /// A server's configuration that demands a client certificate of this authority.
    pub fn server_config(&self, more: &str) -> String {
        let authority = scratch_file("ca.pem", &self.authority);
        let certificate = scratch_file("cert.pem", &self.server.0);
        let key = scratch_file("key.pem", &self.server.1);
        format!(
            "{more}\ntls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {authority:?}, verify: true }}\n"
        )
    }
}
