//! Addresses that no route service may have (spec 14.5): whoever may name a service could otherwise have the router ask
//! what only the router can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Network;

/// The blocked networks; asked for the address of every connection to a service, behind the look-up of its name.
#[derive(Clone, Debug, Default)]
pub struct Blocklist(Box<[Network]>);

impl Blocklist {
    /// Of networks as address/length. What is none is passed over: the configuration's checks have refused it.
    pub fn new(networks: &[String]) -> Blocklist {
        Blocklist(networks.iter().flat_map(|text| text.parse()).collect())
    }

    /// Whether nothing may be sent to `address`; an IPv4 address in IPv6 form counts as IPv4. The unspecified address is
    /// this machine: the system connects it to the loopback address.
    pub fn blocks(&self, address: IpAddr) -> bool {
        let contains = |address| self.0.iter().any(|network| network.contains(address));
        let address = address.to_canonical();
        contains(address)
            || address.is_unspecified()
                && (contains(Ipv4Addr::LOCALHOST.into()) || contains(Ipv6Addr::LOCALHOST.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_any_of_the_networks_is_blocked() {
        let networks = ["10.0.0.0/8", "169.254.0.0/16", "fd00::/8"].map(String::from);
        let blocklist = Blocklist::new(&networks);
        let blocks = |text: &str| blocklist.blocks(text.parse().unwrap());
        assert!(blocks("10.1.2.3") && blocks("169.254.169.254") && blocks("fd00::1"));
        assert!(blocks("::ffff:10.1.2.3"));
        assert!(!blocks("11.0.0.1") && !blocks("127.0.0.1") && !blocks("::1"));
        assert!(!blocks("0.0.0.0") && !blocks("::"));
        for loopback in ["127.0.0.0/8", "::1/128"] {
            let blocklist = Blocklist::new(&[loopback.to_owned()]);
            for unspecified in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
                assert!(blocklist.blocks(unspecified.parse().unwrap()));
            }
        }
        assert!(!Blocklist::default().blocks(IpAddr::from([10, 0, 0, 1])));
    }
}
