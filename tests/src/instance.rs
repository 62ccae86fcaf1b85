//! Certificates whose subjects have several attributes of a kind, as those of application instances do.

use std::time::Duration;

use rcgen::{KeyPair, SigningKey};
use time::OffsetDateTime;

use crate::base64::base64;
use crate::certificates::{Authority, Identity, leaf};

/// Longer than any test.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8: u8 = 0x0c;
const OBJECT: u8 = 0x06;
const BITS: u8 = 0x03;
/// Where the subject stands in the signed part of a certificate (RFC 5280 section 4.1).
const SUBJECT: usize = 5;

impl Authority {
    /// The identity of an instance of an application.
    pub fn instance(&self, app: &str, space: &str, org: &str) -> Identity {
        let units = [
            format!("app:{app}"),
            format!("space:{space}"),
            format!("organization:{org}"),
        ];
        self.named(&[
            ("CN", "instance-1"),
            ("OU", &units[0]),
            ("OU", &units[1]),
            ("OU", &units[2]),
        ])
    }

    /// An identity with this subject: attributes in their order, by their short names.
    pub fn named(&self, subject: &[(&str, &str)]) -> Identity {
        self.named_for(DAY, subject)
    }

    /// As [`Authority::named`], for so long from now.
    ///
    /// # Panics
    /// When there is no randomness for a key.
    pub fn named_for(&self, lifetime: Duration, subject: &[(&str, &str)]) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = leaf(&[]);
        params.not_after = OffsetDateTime::now_utc() + lifetime;
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let parts = parts(content(certificate.der()));
        let mut signed = parts_of(parts[0]);
        let subject = name(subject);
        signed[SUBJECT] = &subject;
        let signed = wrap(SEQUENCE, &signed.concat());
        let signature = self.issuer.key().sign(&signed).expect("a signature");
        let signature = wrap(BITS, &[&[0], &*signature].concat());
        let whole = wrap(SEQUENCE, &[&*signed, parts[1], &signature].concat());
        Identity {
            certificate: format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                base64(&whole)
            ),
            key: key.serialize_pem(),
        }
    }
}

/// A distinguished name (RFC 5280 section 4.1.2.4).
fn name(attributes: &[(&str, &str)]) -> Vec<u8> {
    let sets = attributes.iter().map(|(short, value)| {
        let kind = match *short {
            "CN" => 3,
            "serialNumber" => 5,
            "C" => 6,
            "L" => 7,
            "ST" => 8,
            "O" => 10,
            "OU" => 11,
            other => panic!("no attribute {other}"),
        };
        let pair = [wrap(OBJECT, &[0x55, 4, kind]), wrap(UTF8, value.as_bytes())];
        wrap(SET, &wrap(SEQUENCE, &pair.concat()))
    });
    wrap(SEQUENCE, &sets.collect::<Vec<_>>().concat())
}

/// One DER element.
fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match content.len() {
        short @ ..128 => out.push(short as u8),
        _ => {
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Lengths of the first element's head and content.
fn lengths(bytes: &[u8]) -> (usize, usize) {
    let short = usize::from(bytes[1]);
    if short < 128 {
        return (2, short);
    }
    let count = short & 127;
    let number = bytes[2..2 + count].iter();
    let length = number.fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    (2 + count, length)
}

fn content(element: &[u8]) -> &[u8] {
    let (head, length) = lengths(element);
    &element[head..head + length]
}

/// The elements that stand one after the other in `bytes`.
fn parts(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (head, length) = lengths(bytes);
        let (part, rest) = bytes.split_at(head + length);
        parts.push(part);
        bytes = rest;
    }
    parts
}

fn parts_of(element: &[u8]) -> Vec<&[u8]> {
    parts(content(element))
}
