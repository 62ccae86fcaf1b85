//! How long the configured certificates are good for.

use cloverleaf_config::pem::{dns_names, subject, trust_bundle, validity};
use rustls_pki_types::CertificateDer;

use super::Config;

/// The certificate of a key that is the first to expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateLife {
    /// Path of the key, such as `tls_pem[0].cert_chain`, wherever the text came from.
    pub key: String,
    /// The first host name that the certificate proves, else its common name; empty without either.
    pub name: String,
    /// Its last second, in Unix time.
    pub not_after: i64,
}

impl CertificateLife {
    /// Of those that stand at `key`.
    pub(super) fn first(
        key: String,
        certificates: &[CertificateDer<'_>],
    ) -> Option<CertificateLife> {
        let (not_after, first) = certificates
            .iter()
            .filter_map(|certificate| Some((*validity(certificate).ok()?.end(), certificate)))
            .min_by_key(|(not_after, _)| *not_after)?;
        Some(CertificateLife {
            key,
            name: name(first),
            not_after,
        })
    }

    /// Days that are left at `now`, in seconds of Unix time; negative when it has expired.
    pub fn days_left(&self, now: u64) -> f64 {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        self.not_after.saturating_sub(now) as f64 / 86_400.0
    }
}

impl Config {
    /// For each key that holds certificates and is in use, the one that expires first. Those in files that are read by
    /// others are not among them ([`MetricsTls::certificates`](super::MetricsTls::certificates)).
    pub fn certificates(&self) -> Vec<CertificateLife> {
        let mut texts: Vec<(String, &str)> = Vec::new();
        if self.enable_ssl {
            for (index, pem) in self.tls_pem.iter().enumerate() {
                texts.push((format!("tls_pem[{index}].cert_chain"), &pem.cert_chain));
            }
            for (index, domain) in self.domains.iter().enumerate() {
                texts.push((format!("domains[{index}].ca_certs"), &domain.ca_certs));
            }
            texts.push(("client_ca_certs".to_owned(), &self.client_ca_certs));
        }
        for (index, pem) in self.ca_certs.iter().enumerate() {
            texts.push((format!("ca_certs[{index}]"), pem));
        }
        let (nats, api) = (&self.nats, &self.routing_api);
        for (key, text, is_used) in [
            ("backends.cert_chain", &self.backends.cert_chain, true),
            (
                "route_services.cert_chain",
                &self.route_services.cert_chain,
                true,
            ),
            ("status.tls.certificate", &self.status.tls.certificate, true),
            ("nats.ca_certs", &nats.ca_certs, nats.tls_enabled),
            ("nats.cert_chain", &nats.cert_chain, nats.tls_enabled),
            ("routing_api.ca_certs", &api.ca_certs, api.is_enabled()),
            ("routing_api.cert_chain", &api.cert_chain, api.is_enabled()),
        ] {
            if is_used {
                texts.push((key.to_owned(), text));
            }
        }
        let lives = texts.into_iter().filter_map(|(key, text)| {
            let certificates = trust_bundle(text).ok()?;
            CertificateLife::first(key, &certificates)
        });
        lives.collect()
    }
}

fn name(certificate: &CertificateDer<'_>) -> String {
    /// Common name (X.520).
    const COMMON_NAME: &str = "2.5.4.3";
    let proved = dns_names(certificate)
        .unwrap_or_default()
        .into_iter()
        .next();
    proved.unwrap_or_else(|| {
        let attributes = subject(certificate).unwrap_or_default();
        let named = attributes.into_iter().find(|(id, _)| id == COMMON_NAME);
        named.map(|(_, name)| name).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn until(name: &str, year: i32) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }

    #[test]
    fn of_several_certificates_under_one_key_the_first_to_expire_counts() {
        let mut config = Config::default();
        config.backends.cert_chain = until("a.test", 2040) + &until("b.test", 2031);
        config.nats.ca_certs = until("c.test", 2030);
        let lives = config.certificates();
        assert_eq!(lives.len(), 1, "NATS is spoken to without TLS: {lives:?}");
        assert_eq!(
            (lives[0].key.as_str(), lives[0].name.as_str()),
            ("backends.cert_chain", "b.test")
        );
        let (end, day) = (u64::try_from(lives[0].not_after).unwrap(), 86_400);
        assert_eq!(lives[0].days_left(end - 3 * day), 3.0);
        assert_eq!(lives[0].days_left(end + day), -1.0);
    }
}
