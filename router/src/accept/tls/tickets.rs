//! Session tickets that are worth nothing any more when the client's certificate has expired.
//!
//! A session that is resumed is not judged again, and each resumption gives the client another ticket: without an end, a
//! certificate would let its owner in for as long as it keeps coming back. A ticket that has come to its end is passed over,
//! so that the handshake goes on as one without, in which the client may show a newer certificate.

use std::sync::Arc;

use cloverleaf_config::pem::validity;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;

/// Stands before a session: the last second of the certificate in it.
const END: usize = size_of::<u64>();

/// Seals and opens tickets with the keys of another.
#[derive(Debug)]
pub(super) struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    pub(super) fn new(keys: Arc<dyn ProducesTickets>) -> Tickets {
        Tickets(keys)
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let end = certificate_end(session).unwrap_or(u64::MAX);
        self.0.encrypt(&[&end.to_be_bytes(), session].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = self.0.decrypt(ticket)?;
        let end = u64::from_be_bytes(*sealed.first_chunk::<END>()?);
        (UnixTime::now().as_secs() <= end).then(|| sealed.split_off(END))
    }
}

/// The last second of the client's certificate in a session: the first certificate there, if there is one. It stands behind
/// its length, in three bytes (RFC 8446 section 4.4.2).
fn certificate_end(session: &[u8]) -> Option<u64> {
    memchr::memmem::find_iter(session, &[0x30, 0x82]).find_map(|at| {
        let length = session.get(at.checked_sub(3)?..at)?;
        let length = length
            .iter()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let certificate = CertificateDer::from(session.get(at..at.checked_add(length)?)?);
        let valid = validity(&certificate).ok()?;
        Some(u64::try_from(*valid.end()).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn tickets() -> Tickets {
        Tickets::new(rustls::crypto::aws_lc_rs::Ticketer::new().unwrap())
    }

    /// A session with a certificate in it, as rustls writes them.
    fn session(end: SystemTime) -> Vec<u8> {
        let mut params = CertificateParams::new(["client.test".to_owned()]).unwrap();
        params.not_after = end.into();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let length = u32::try_from(certificate.der().len())
            .unwrap()
            .to_be_bytes();
        // Bytes that only look like a certificate come first.
        [
            b"secret 0\x820\x82 more",
            &length[1..],
            certificate.der(),
            b"rest",
        ]
        .concat()
    }

    #[test]
    fn a_ticket_opens_until_the_certificate_in_it_has_expired() {
        let (tickets, day) = (tickets(), Duration::from_secs(86_400));
        let now = SystemTime::now();
        let open = |session: &[u8]| tickets.decrypt(&tickets.encrypt(session).unwrap());
        let good = session(now + day);
        assert_eq!(open(&good), Some(good));
        assert_eq!(open(&session(now - day)), None);
        assert_eq!(open(b"no certificate"), Some(b"no certificate".to_vec()));
        assert_eq!(open(b""), Some(Vec::new()));
        let others = super::tests::tickets();
        assert_eq!(others.decrypt(&tickets.encrypt(b"x").unwrap()), None);
    }
}
