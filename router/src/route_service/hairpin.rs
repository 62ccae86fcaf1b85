//! Services that are applications of this router, and are reached without leaving it (spec 8.6).

use super::service::Service;
use crate::table::Table;

/// Which services are reached so.
#[derive(Clone, Debug)]
pub(super) struct Hairpin {
    /// In lower case; empty is all.
    hosts: Box<[Box<str>]>,
}

impl Hairpin {
    /// Of host names, each perhaps with `*.` before it.
    pub(super) fn new(hosts: &[String]) -> Hairpin {
        let hosts = hosts.iter().map(|host| host.to_lowercase().into());
        Hairpin {
            hosts: hosts.collect(),
        }
    }

    /// Whether `service` is a route of this router, and one that may be reached so.
    pub(super) fn reaches(&self, service: &Service, table: &Table) -> bool {
        let target = service.target();
        let path = &target[..target.find('?').unwrap_or(target.len())];
        table
            .lookup(service.host().as_bytes(), path.as_bytes())
            .is_some_and(|pool| self.allows(pool.host()))
    }

    /// Whether the host of a route, in lower case, is listed: itself, or with `*.` in place of its first label.
    fn allows(&self, host: &str) -> bool {
        let listed = |listed: &str| match listed.strip_prefix("*.") {
            _ if listed == host => true,
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
            None => false,
        };
        self.hosts.is_empty() || self.hosts.iter().any(|host| listed(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::world::{World, plain};

    fn hairpin(hosts: &[&str]) -> Hairpin {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Hairpin::new(&hosts)
    }

    //
    #[test]
    fn a_star_stands_for_exactly_one_label() {
        let listed = hairpin(&["*.X.com", "exact.test"]);
        assert!(listed.allows("a.x.com") && listed.allows("*.x.com"));
        assert!(!listed.allows("a.b.x.com") && !listed.allows("x.com"));
        assert!(!listed.allows("ax.com") && !listed.allows(".x.com"));
        assert!(listed.allows("exact.test") && !listed.allows("in.exact.test"));
        assert!(hairpin(&[]).allows("any.test"));
    }

    #[test]
    fn a_service_is_reached_inside_when_its_host_and_path_are_a_route() {
        let mut world = World::new();
        world.register(&["rs.test/check", "*.wild.test"], &plain(1));
        let reaches = |hosts: &[&str], url: &str| {
            let service = Service::parse(url).unwrap();
            hairpin(hosts).reaches(&service, &world.table)
        };
        assert!(reaches(&[], "https://RS.test:443/check/it?x=/"));
        assert!(!reaches(&[], "https://rs.test/other"));
        assert!(!reaches(&[], "https://elsewhere.test/check"));
        assert!(!reaches(&["other.test"], "https://rs.test/check"));
        // The list is about routes.
        assert!(reaches(&["*.wild.test"], "https://a.b.wild.test/"));
        assert!(!reaches(&["a.b.wild.test"], "https://a.b.wild.test/"));
    }
}
