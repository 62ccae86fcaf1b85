//! The hosts of a shard that have no place of their own in it.

use std::ptr;
use std::sync::Arc;

use super::host::SoughtHost;
use super::paths::Paths;
use super::pool::Pool;
use super::uri::is_within;

/// Immutable map of hosts with several routes, and of those that came when all places were taken.
#[derive(Debug, Default)]
pub(crate) struct Others {
    hosts: Hosts,
}

/// Usually there are few; those lie beside the reference count, so that a look-up comes to the
/// host in one step.
#[derive(Debug)]
enum Hosts {
    Few([Option<Host>; FEW]),
    /// Sorted by hash.
    Many(Box<[Host]>),
}

/// As many as make one cache line.
const FEW: usize = 3;

/// A host with one route needs no list of paths.
#[derive(Debug, Clone)]
enum Host {
    One { hash: u32, pool: Arc<Pool> },
    Many { hash: u32, paths: Arc<Paths> },
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Few([const { None }; FEW])
    }
}

impl Others {
    fn new(mut hosts: Vec<Host>) -> Self {
        let hosts = if hosts.len() > FEW {
            hosts.sort_unstable_by_key(Host::hash);
            Hosts::Many(hosts.into_boxed_slice())
        } else {
            let mut hosts = hosts.into_iter();
            Hosts::Few(std::array::from_fn(|_| hosts.next()))
        };
        Self { hosts }
    }

    /// The deepest pool for `path` (any case, without a trailing slash) at exactly this host.
    pub(crate) fn deepest(
        &self,
        hash: u32,
        host: &SoughtHost<'_>,
        path: &[u8],
    ) -> Option<&Arc<Pool>> {
        match self.host(hash, host)? {
            Host::One { pool, .. } => is_within(pool.path_bytes(), path).then_some(pool),
            Host::Many { paths, .. } => paths.deepest(path),
        }
    }

    /// The pool of exactly this host and path (any case).
    pub(crate) fn find(&self, hash: u32, host: &SoughtHost<'_>, path: &[u8]) -> Option<&Arc<Pool>> {
        match self.host(hash, host)? {
            Host::One { pool, .. } => pool.path_bytes().eq_ignore_ascii_case(path).then_some(pool),
            Host::Many { paths, .. } => paths.find(path),
        }
    }

    /// Whether exactly this host is among them.
    pub(crate) fn has(&self, hash: u32, host: &SoughtHost<'_>) -> bool {
        self.host(hash, host).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hosts().next().is_none()
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.hosts().flat_map(Host::pools)
    }

    /// A copy with `pool`, whose route must not be there yet.
    pub(crate) fn with(&self, hash: u32, host: &SoughtHost<'_>, pool: &Arc<Pool>) -> Self {
        let old = self.host(hash, host);
        let new = match old {
            None => {
                let pool = Arc::clone(pool);
                Host::One { hash, pool }
            }
            Some(Host::One { pool: other, .. }) => Host::of_paths(hash, Paths::pair(other, pool)),
            Some(Host::Many { paths, .. }) => Host::of_paths(hash, paths.with(pool)),
        };
        self.replacing(old, Some(new))
    }

    /// A copy without `pool`; `None` if it is not there.
    pub(crate) fn without(
        &self,
        hash: u32,
        host: &SoughtHost<'_>,
        pool: &Arc<Pool>,
    ) -> Option<Self> {
        let old = self.host(hash, host)?;
        old.pools().find(|other| Arc::ptr_eq(other, pool))?;
        let new = match old {
            Host::One { .. } => None,
            Host::Many { paths, .. } => Some(Host::of_paths(hash, paths.without(pool))),
        };
        Some(self.replacing(Some(old), new))
    }

    #[inline]
    fn host(&self, hash: u32, host: &SoughtHost<'_>) -> Option<&Host> {
        let this = |other: &&Host| other.hash() == hash && host.is(other.name());
        match &self.hosts {
            Hosts::Few(hosts) => hosts.iter().flatten().find(this),
            Hosts::Many(hosts) => {
                let first = hosts.partition_point(|other| other.hash() < hash);
                let equal = hosts.iter().skip(first);
                equal.take_while(|other| other.hash() == hash).find(this)
            }
        }
    }

    fn hosts(&self) -> impl Iterator<Item = &Host> {
        let (few, many) = match &self.hosts {
            Hosts::Few(hosts) => (hosts.as_slice(), [].as_slice()),
            Hosts::Many(hosts) => ([].as_slice(), &**hosts),
        };
        few.iter().flatten().chain(many)
    }

    fn replacing(&self, old: Option<&Host>, new: Option<Host>) -> Self {
        let stays = |host: &&Host| old.is_none_or(|old| !ptr::eq(old, *host));
        Self::new(self.hosts().filter(stays).cloned().chain(new).collect())
    }
}

impl Host {
    fn of_paths(hash: u32, paths: Paths) -> Self {
        let pool = match paths.only() {
            Some(pool) => Arc::clone(pool),
            None => {
                let paths = Arc::new(paths);
                return Self::Many { hash, paths };
            }
        };
        Self::One { hash, pool }
    }

    fn hash(&self) -> u32 {
        match self {
            Self::One { hash, .. } | Self::Many { hash, .. } => *hash,
        }
    }

    fn name(&self) -> &[u8] {
        match self {
            Self::One { pool, .. } => pool.host_bytes(),
            Self::Many { paths, .. } => paths.host(),
        }
    }

    fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        let (one, many) = match self {
            Self::One { pool, .. } => (Some(pool), None),
            Self::Many { paths, .. } => (None, Some(paths.pools())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_hosts_are_one_cache_line_with_their_counts() {
        assert_eq!(size_of::<Option<Host>>(), 16);
        assert!(2 * size_of::<usize>() + size_of::<Others>() <= 64);
    }
}
