//! The application that a client certificate names.

use cloverleaf_config::pem::subject;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

/// X.520: organizational unit.
const UNIT: &str = "2.5.4.11";

/// An application that calls another, as its instance's certificate says: by the organizational units of the subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Caller {
    /// GUID of the application; never empty.
    pub app: Box<str>,
    /// GUID of its space; empty if the certificate does not say.
    pub space: Box<str>,
    /// GUID of its organization; empty if the certificate does not say.
    pub org: Box<str>,
}

impl Caller {
    /// The caller that `leaf` names. `None` without an application, and where the certificate names two of a kind: nobody
    /// can say then which one counts.
    pub fn of(leaf: &CertificateDer<'_>) -> Option<Caller> {
        let subject = subject(leaf).ok()?;
        let units = subject.iter().filter(|(kind, _)| kind == UNIT);
        Caller::named(units.map(|(_, unit)| unit.as_str()))
    }

    fn named<'a>(units: impl Iterator<Item = &'a str>) -> Option<Caller> {
        let mut caller = Caller::default();
        for unit in units {
            let (place, guid) = match unit.split_once(':') {
                Some(("app", guid)) => (&mut caller.app, guid),
                Some(("space", guid)) => (&mut caller.space, guid),
                Some(("organization", guid)) => (&mut caller.org, guid),
                _ => continue,
            };
            if !place.is_empty() && **place != *guid {
                return None;
            }
            *place = guid.into();
        }
        (!caller.app.is_empty()).then_some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_named_by_its_units_in_any_order() {
        let named = |units: &[&str]| Caller::named(units.iter().copied());
        let caller = named(&["organization:o", "app:a", "other", "space:s", "x:y"]).unwrap();
        assert_eq!(
            (&*caller.app, &*caller.space, &*caller.org),
            ("a", "s", "o")
        );
        let alone = named(&["app:a"]).unwrap();
        assert_eq!((&*alone.space, &*alone.org), ("", ""));
    }

    //
    #[test]
    fn without_one_application_there_is_no_caller() {
        let named = |units: &[&str]| Caller::named(units.iter().copied());
        assert_eq!(named(&[]), None);
        assert_eq!(named(&["space:s", "organization:o"]), None);
        assert_eq!(named(&["app:", "space:s"]), None);
        assert_eq!(named(&["app"]), None);
        assert_eq!(named(&["APP:a"]), None);
        assert_eq!(named(&["app:a", "app:b"]), None);
        assert_eq!(named(&["app:a", "space:s", "space:t"]), None);
    }
}
