//! An authority, a server's and a client's certificate, made anew for each test.

use cloverleaf_bus::NatsTls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

use super::Scratch;

/// One authority and what it has signed, as PEM text.
pub struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
    scratch: Scratch,
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
            scratch: Scratch::new(),
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

    /// A server's configuration that demands a client certificate of this authority. It names files
    /// that are gone with this.
    pub fn server_config(&self, more: &str) -> String {
        let authority = self.scratch.file("ca.pem", &self.authority);
        let certificate = self.scratch.file("cert.pem", &self.server.0);
        let key = self.scratch.file("key.pem", &self.server.1);
        format!(
            "{more}\ntls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {authority:?}, verify: true }}\n"
        )
    }
}
