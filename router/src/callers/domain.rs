//! Hosts with client authorities of their own.

use std::collections::HashMap;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::xfcc;
use crate::config::{self, ForwardedClientCert, XfccFormat};

/// Longest name that can be on a domain: DNS ends at 253.
const LONGEST: usize = 255;

/// The configured domains; there is none of these where none are configured.
#[derive(Debug)]
pub struct Domains {
    /// Exact hosts, in lower case.
    exact: HashMap<Box<[u8]>, Arc<Domain>>,
    /// What follows the star, such as `.apps.identity`.
    wildcard: HashMap<Box<[u8]>, Arc<Domain>>,
}

/// One of them. Two are equal when all that is configured for them is, wherever that stands: a connection that was made
/// under an older configuration is then as good as one that is made now.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its number in the configuration, from 0.
    pub place: usize,
    /// Host, or `*.` and a host, in lower case.
    name: Box<str>,
    /// Who signs its clients' certificates, as PEM text.
    authorities: Box<str>,
    /// What becomes of `X-Forwarded-Client-Cert`.
    pub forwarded: ForwardedClientCert,
    format: XfccFormat,
}

impl Domains {
    /// Of the configured entries; of two with one name the later counts. `None` where there are none.
    pub fn new(entries: &[config::Domain]) -> Option<Domains> {
        if entries.is_empty() {
            return None;
        }
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (place, entry) in entries.iter().enumerate() {
            let domain = Domain {
                place,
                name: entry.domain.to_ascii_lowercase().into(),
                authorities: entry.ca_certs.as_str().into(),
                forwarded: entry.forwarded_client_cert,
                format: entry.xfcc_format,
            };
            let (names, key) = match domain.name.strip_prefix('*') {
                Some(rest) => (&mut wildcard, rest),
                None => (&mut exact, &*domain.name),
            };
            names.insert(key.as_bytes().into(), Arc::new(domain));
        }
        Some(Domains { exact, wildcard })
    }

    /// The domain that a host without its port is on: the exact one before the wildcard, in any letter case. A wildcard
    /// stands for one label.
    pub fn find(&self, host: &[u8]) -> Option<&Arc<Domain>> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut folded = [0; LONGEST];
        let folded = folded.get_mut(..host.len())?;
        folded.copy_from_slice(host);
        folded.make_ascii_lowercase();
        let folded = &*folded;
        self.exact.get(folded).or_else(|| {
            // An empty label is none.
            let dot = memchr::memchr(b'.', folded).filter(|&dot| dot > 0)?;
            self.wildcard.get(folded.get(dot..)?)
        })
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Domain) -> bool {
        // So that a new member is not forgotten here.
        let Domain {
            place: _,
            name,
            authorities,
            forwarded,
            format,
        } = self;
        *name == other.name
            && *authorities == other.authorities
            && *forwarded == other.forwarded
            && *format == other.format
    }
}

impl Eq for Domain {}

impl Domain {
    /// What applications are told of a client that has shown `leaf`; empty where they are told nothing by the router.
    pub fn shown(&self, leaf: &CertificateDer<'_>) -> Box<str> {
        match (self.forwarded, self.format) {
            (ForwardedClientCert::SanitizeSet, XfccFormat::Raw) => xfcc::raw(leaf),
            (ForwardedClientCert::SanitizeSet, XfccFormat::Envoy) => xfcc::envoy(leaf),
            _ => Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(names: &[&str]) -> Domains {
        let entry = |name: &&str| config::Domain {
            domain: (*name).to_owned(),
            ..config::Domain::default()
        };
        let entries: Vec<_> = names.iter().map(entry).collect();
        Domains::new(&entries).unwrap()
    }

    //
    #[test]
    fn a_wildcard_stands_for_one_label_and_an_exact_name_goes_before_it() {
        let domains = domains(&["*.A.b", "x.a.b", "plain.test"]);
        let find = |host: &str| domains.find(host.as_bytes()).map(|domain| domain.place);
        assert_eq!(find("y.a.b"), Some(0));
        assert_eq!(find("Y.A.B"), Some(0));
        assert_eq!(find("x.a.b"), Some(1));
        assert_eq!(find("X.a.b."), Some(1));
        assert_eq!(find("plain.test"), Some(2));
        for host in [
            "x.y.a.b",
            "a.b",
            ".a.b",
            "",
            ".",
            "xa.b",
            "*",
            "plain.test.",
            "in.plain.test",
        ] {
            let expected = (host == "plain.test.").then_some(2);
            assert_eq!(find(host), expected, "{host}");
        }
    }

    #[test]
    fn a_host_that_is_longer_than_any_name_is_on_no_domain() {
        let domains = domains(&["*.a.b"]);
        let host = |label: usize| format!("{}.a.b", "x".repeat(label));
        assert!(domains.find(host(LONGEST - 4).as_bytes()).is_some());
        assert!(domains.find(host(LONGEST).as_bytes()).is_none());
    }

    #[test]
    fn of_two_entries_with_one_name_the_later_counts() {
        let domains = domains(&["a.test", "A.test"]);
        assert_eq!(domains.find(b"a.test").map(|domain| domain.place), Some(1));
    }

    #[test]
    fn a_domain_is_the_same_under_another_configuration_if_nothing_about_it_changed() {
        let entry = |name: &str, authorities: &str| config::Domain {
            domain: name.into(),
            ca_certs: authorities.into(),
            ..config::Domain::default()
        };
        let of = |authorities: &str| Domains::new(&[entry("*.a.test", authorities)]).unwrap();
        let (old, same, other) = (of("one"), of("one"), of("two"));
        let found = |domains: &Domains| domains.find(b"x.a.test").map(Arc::clone);
        assert_eq!(found(&old), found(&same));
        assert_ne!(found(&old), found(&other));
        let behind = Domains::new(&[entry("*.b.test", "one"), entry("*.a.test", "one")]).unwrap();
        assert_eq!(found(&old), found(&behind));
        assert_ne!(found(&old), behind.find(b"x.b.test").map(Arc::clone));
    }

    #[test]
    fn without_entries_there_are_no_domains() {
        assert!(Domains::new(&[]).is_none());
    }
}
