//! `proxy_protocol`: whose word is taken for where a client comes from.

use std::net::IpAddr;
use std::str::FromStr;

use cloverleaf_config::section;

section! {
    /// `proxy_protocol`: whose PROXY protocol headers count. GoRouter has no such keys, and passes over them.
    pub struct ProxyProtocol {
        /// Whether a connection without a header is closed.
        required: bool => Works,
        /// Networks, as address/length, whose headers count; empty is all. Connections from elsewhere are served without looking for a header, or closed with `required`.
        trusted: Vec<String> => Works,
    }
}

/// A network of IP addresses, written as address/length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// What is said is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no network as address/length, such as 10.0.0.0/8")]
pub struct NoNetwork;

impl Network {
    /// Whether `address` lies in it; an IPv4 address in IPv6 form counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differ >= u32::from(self.length)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    /// The length has to be one that the address has room for. IPv4 in IPv6 form becomes IPv4, as the addresses do that are
    /// compared with it.
    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let (address, length) = text.split_once('/').ok_or(NoNetwork)?;
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let length: u8 = length.parse().map_err(|_| NoNetwork)?;
        let room = if address.is_ipv4() { 32 } else { 128 };
        if length > room {
            return Err(NoNetwork);
        }
        let canonical = address.to_canonical();
        if canonical != address
            && let Some(length) = length.checked_sub(96)
        {
            let address = canonical;
            return Ok(Network { address, length });
        }
        Ok(Network { address, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network: Network = network.parse().unwrap();
        network.contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_a_network_when_its_first_bits_are() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(contains("10.1.2.3/8", "10.0.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("192.0.2.7/32", "192.0.2.7"));
        assert!(!contains("192.0.2.7/32", "192.0.2.6"));
        assert!(contains("0.0.0.0/0", "255.1.2.3"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(!contains("::/0", "10.0.0.1"));
        assert!(contains("::ffff:10.0.0.0/104", "10.255.0.1"));
        assert!(contains("::ffff:10.0.0.0/104", "::ffff:10.0.0.1"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.0.0.1"));
        assert!(!contains("::ffff:10.0.0.0/104", "::1"));
        assert!(contains("::ffff:0.0.0.0/96", "203.0.113.7"));
    }

    #[test]
    fn anything_else_is_no_network() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "host/8",
            "::/129",
            "10.0.0/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text:?}");
        }
    }
}
