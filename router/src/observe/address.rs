//! Addresses as the log shows them.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::seconds::push_number;

/// Appends address and port. A socket for both families shows IPv4 clients as mapped addresses; what they are is shown.
#[inline]
pub(super) fn push_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut text = Short::default();
            for octet in ip.octets() {
                text.put_octet(octet);
            }
            out.extend_from_slice(text.but_the_last_mark());
            out.push(b':');
            push_number(out, u64::from(address.port()));
        }
        IpAddr::V6(_) => {
            // Writing to memory does not fail.
            write!(out, "{address}").ok();
        }
    }
}

/// Octets, each with a `.` behind it.
#[derive(Default)]
struct Short {
    text: [u8; 4 * 4],
    length: usize,
}

/// How each octet is shown, with a `.` behind it; there may be less of it than four bytes.
const OCTETS: [[u8; 4]; 256] = {
    let mut octets = [*b"0.  "; 256];
    let mut octet = 1;
    while octet < 256 {
        let ones = b'0' + (octet % 10) as u8;
        let tens = b'0' + (octet / 10 % 10) as u8;
        let hundreds = b'0' + (octet / 100) as u8;
        octets[octet] = match octet {
            0..10 => [ones, b'.', b' ', b' '],
            10..100 => [tens, ones, b'.', b' '],
            _ => [hundreds, tens, ones, b'.'],
        };
        octet += 1;
    }
    octets
};

impl Short {
    #[inline]
    fn put_octet(&mut self, octet: u8) {
        // Four octets fit.
        if let Some(places) = self.text.get_mut(self.length..self.length + 4) {
            places.copy_from_slice(&OCTETS[usize::from(octet)]);
            self.length += 2 + usize::from(octet >= 10) + usize::from(octet >= 100);
        }
    }

    #[inline]
    fn but_the_last_mark(&self) -> &[u8] {
        self.text
            .get(..self.length.saturating_sub(1))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str) -> String {
        let mut out = Vec::new();
        push_address(&mut out, address.parse().unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn clients_are_shown_with_their_own_address_family() {
        for (address, expected) in [
            ("[::ffff:10.0.0.255]:80", "10.0.0.255:80"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert_eq!(shown(address), expected);
        }
    }

    #[test]
    fn octets_have_no_leading_zeros() {
        for octet in 0..=u8::MAX {
            let address = format!("{octet}.0.{octet}.{octet}:65535");
            assert_eq!(shown(&address), address);
        }
    }
}
