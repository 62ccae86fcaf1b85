//! Which certificate a client is shown (spec 6.1).

use std::collections::HashMap;
use std::sync::Arc;

use cloverleaf_config::pem::{Identity, PemError, dns_names};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsPem;

/// The configured identities, by the names that they prove.
#[derive(Debug)]
pub(super) struct Certificates {
    /// Names in lower case; those for any one label begin with `*.`.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    all: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Of two identities for one name the later one counts.
    pub(super) fn new(entries: &[TlsPem]) -> Result<Certificates, PemError> {
        let (mut by_name, mut all) = (HashMap::new(), Vec::new());
        for entry in entries {
            let identity = Identity::load(&entry.cert_chain, &entry.private_key)?.certified_key();
            if let Some(leaf) = identity.cert.first() {
                for name in dns_names(leaf)? {
                    by_name.insert(name.to_ascii_lowercase(), Arc::clone(&identity));
                }
            }
            all.push(identity);
        }
        Ok(Certificates { by_name, all })
    }

    /// The exact name before a wildcard, in whatever order they are configured.
    fn named(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        self.by_name.get(name).or_else(|| {
            let (_, rest) = name.split_once('.')?;
            self.by_name.get(&format!("*.{rest}"))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.named(name));
        let schemes = hello.signature_schemes();
        let usable = |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(schemes).is_some();
        named
            .or_else(|| self.all.iter().find(usable))
            .or_else(|| self.all.first())
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn entry(cn: &str, names: &[&str]) -> TlsPem {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, cn);
        let key = KeyPair::generate().unwrap();
        TlsPem {
            cert_chain: params.self_signed(&key).unwrap().pem(),
            private_key: key.serialize_pem(),
            ..TlsPem::default()
        }
    }

    //
    #[test]
    fn the_exact_name_beats_a_wildcard_wherever_it_stands_and_a_wildcard_is_one_label() {
        let wildcard = entry("w", &["*.a.test"]);
        let exact = entry("e", &["X.a.test"]);
        let by_cn = entry("cn.test", &[]);
        let all = Certificates::new(&[wildcard, exact, by_cn]).unwrap();
        let shown = |name: &str| {
            let named = all.named(name)?;
            all.all.iter().position(|other| Arc::ptr_eq(other, named))
        };
        assert_eq!(shown("x.A.test"), Some(1));
        assert_eq!(shown("y.a.test"), Some(0));
        assert_eq!(shown("z.y.a.test"), None);
        assert_eq!(shown("a.test"), None);
        assert_eq!(shown("cn.test"), Some(2));
    }

    #[test]
    fn of_two_certificates_for_one_name_the_later_one_counts() {
        let all = Certificates::new(&[entry("a", &["a.test"]), entry("b", &["a.test"])]).unwrap();
        assert!(Arc::ptr_eq(all.named("a.test").unwrap(), &all.all[1]));
    }
}
