//! The forms of `X-Forwarded-Client-Cert` that the router makes itself.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloverleaf_config::pem::subject;
use rustls_pki_types::CertificateDer;

/// Attributes of a subject that are shown, by their X.520 types, in the order in which they are.
const SHOWN: [(&str, &str); 6] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.11", "OU"),
    ("2.5.4.10", "O"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.6", "C"),
];

/// The whole certificate as one line of base64.
pub fn raw(leaf: &CertificateDer<'_>) -> Box<str> {
    STANDARD.encode(leaf).into()
}

/// Hash and subject, as Envoy writes them: `Hash=<SHA-256>;Subject="CN=..,OU=.."`.
///
/// A comma, quote or backslash inside a name has a backslash before it, so that no name can pretend to be two; control
/// characters are left out.
pub fn envoy(leaf: &CertificateDer<'_>) -> Box<str> {
    let mut text = String::from("Hash=");
    for byte in digest(&SHA256, leaf).as_ref() {
        // Writing to memory does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text.push_str(";Subject=\"");
    push_subject(&mut text, &subject(leaf).unwrap_or_default());
    text.push('"');
    text.into()
}

fn push_subject(out: &mut String, subject: &[(String, String)]) {
    let start = out.len();
    for (kind, name) in SHOWN {
        for (_, value) in subject.iter().filter(|(found, _)| found == kind) {
            if out.len() > start {
                out.push(',');
            }
            out.push_str(name);
            out.push('=');
            for character in value.chars().filter(|character| !character.is_control()) {
                if matches!(character, ',' | '"' | '\\') {
                    out.push('\\');
                }
                out.push(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(subject: &[(&str, &str)]) -> String {
        let owned = |(kind, value): &(&str, &str)| ((*kind).to_owned(), (*value).to_owned());
        let subject: Vec<_> = subject.iter().map(owned).collect();
        let mut out = "=".to_owned();
        push_subject(&mut out, &subject);
        out
    }

    // R-324
    #[test]
    fn the_hash_is_that_of_the_whole_certificate() {
        // No certificate, so that there is no subject. The vector is that of FIPS 180-2.
        assert_eq!(
            &*envoy(&CertificateDer::from(b"abc".as_slice())),
            "Hash=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad;Subject=\"\""
        );
    }

    #[test]
    fn a_subject_has_its_order_and_only_what_is_shown() {
        let subject = [
            ("2.5.4.6", "DE"),
            ("2.5.4.11", "space:s"),
            ("2.5.4.5", "serial"),
            ("2.5.4.11", "app:a"),
            ("2.5.4.10", "o"),
            ("2.5.4.3", "cn"),
        ];
        assert_eq!(shown(&subject), "=CN=cn,OU=space:s,OU=app:a,O=o,C=DE");
        assert_eq!(shown(&[]), "=");
    }

    #[test]
    fn a_name_cannot_pretend_to_be_two_nor_end_the_line() {
        let smuggled = shown(&[("2.5.4.3", "x,OU=app:victim\";\\\r\nEvil: 1")]);
        assert_eq!(smuggled, r#"=CN=x\,OU=app:victim\";\\Evil: 1"#);
    }
}
