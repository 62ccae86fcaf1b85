//! The routes of one host that has several.

use std::cmp::Ordering;
use std::sync::Arc;

use super::pool::Pool;
use super::uri::{common_prefix, ends_segment, is_within};

/// Immutable list of a host's routes, sorted by context path, the longest match of which is found
/// in one binary search.
///
/// In the order used here a slash comes before every other byte, so that a path is directly
/// followed by all paths below it. Whatever is above a requested path is then also above, or is,
/// the last registered path that does not come after it; from there on each path knows the
/// nearest one above itself.
#[derive(Debug)]
pub(crate) struct Paths {
    /// The host and then all paths: a search stays within a few cache lines.
    text: Box<[u8]>,
    host: u32,
    routes: Box<[Route]>,
}

#[derive(Debug)]
struct Route {
    start: u32,
    length: u32,
    /// Index of the longest path above this one.
    parent: Option<u32>,
    pool: Arc<Pool>,
}

impl Paths {
    /// The paths of a host that had only one until now.
    pub(crate) fn pair(a: &Arc<Pool>, b: &Arc<Pool>) -> Self {
        let mut pools = [a, b].map(|pool| (pool.path_bytes(), pool));
        pools.sort_by(|a, b| order(a.0, b.0));
        Self::sorted(a.host_bytes(), pools)
    }

    /// A copy with `pool`, whose path must not be there yet.
    pub(crate) fn with(&self, pool: &Arc<Pool>) -> Self {
        let path = pool.path_bytes();
        let at = self
            .routes
            .partition_point(|route| order(self.path(route), path).is_lt());
        let before = self.entries().take(at);
        let after = self.entries().skip(at);
        Self::sorted(self.host(), before.chain([(path, pool)]).chain(after))
    }

    /// A copy without `pool`.
    pub(crate) fn without(&self, pool: &Arc<Pool>) -> Self {
        let others = self
            .entries()
            .filter(|(_, other)| !Arc::ptr_eq(other, pool));
        Self::sorted(self.host(), others)
    }

    /// The pool if there is just one.
    pub(crate) fn only(&self) -> Option<&Arc<Pool>> {
        match &*self.routes {
            [route] => Some(&route.pool),
            _ => None,
        }
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], &Arc<Pool>)> {
        self.routes
            .iter()
            .map(|route| (self.path(route), &route.pool))
    }

    fn sorted<'a>(
        host: &[u8],
        entries: impl IntoIterator<Item = (&'a [u8], &'a Arc<Pool>)>,
    ) -> Self {
        let mut text = host.to_vec();
        let mut routes = Vec::new();
        // The paths above the one that comes next.
        let mut above: Vec<(u32, &[u8])> = Vec::new();
        for (path, pool) in entries {
            while above
                .pop_if(|(_, parent)| !is_within(parent, path))
                .is_some()
            {}
            let parent = above.last().map(|(index, _)| *index);
            above.push((index(routes.len()), path));
            routes.push(Route {
                start: index(text.len()),
                length: index(path.len()),
                parent,
                pool: Arc::clone(pool),
            });
            text.extend_from_slice(path);
        }
        Self {
            text: text.into_boxed_slice(),
            host: index(host.len()),
            routes: routes.into_boxed_slice(),
        }
    }

    pub(crate) fn host(&self) -> &[u8] {
        self.text.get(..self.host as usize).unwrap_or_default()
    }

    pub(crate) fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.routes.iter().map(|route| &route.pool)
    }

    /// The pool of exactly this path (any case).
    pub(crate) fn find(&self, path: &[u8]) -> Option<&Arc<Pool>> {
        let (route, common) = self.last_not_after(path)?;
        let all = common == path.len() && common == route.length as usize;
        all.then_some(&route.pool)
    }

    /// The deepest pool at or above `path` that has endpoints, else the deepest one (spec 3.2,
    ///
    pub(crate) fn deepest(&self, path: &[u8]) -> Option<&Arc<Pool>> {
        let (last, common) = self.last_not_after(path)?;
        let mut next = Some(last);
        let mut deepest = None;
        while let Some(route) = next {
            let length = route.length as usize;
            if length <= common && ends_segment(path, length) {
                if !route.pool.is_empty() {
                    return Some(&route.pool);
                }
                deepest = deepest.or(Some(&route.pool));
            }
            next = route
                .parent
                .and_then(|parent| self.routes.get(parent as usize));
        }
        deepest
    }

    /// The last route whose path does not come after `path`, and how many bytes they share.
    fn last_not_after(&self, path: &[u8]) -> Option<(&Route, usize)> {
        let after = self
            .routes
            .partition_point(|route| order(self.path(route), path) != Ordering::Greater);
        let route = self.routes.get(after.checked_sub(1)?)?;
        Some((route, common_prefix(self.path(route), path)))
    }

    fn path(&self, route: &Route) -> &[u8] {
        let start = route.start as usize;
        let range = start..start + route.length as usize;
        self.text.get(range).unwrap_or_default()
    }
}

/// `lower` (lower case) before or after `any` (any case): the end of a path comes first, then a
/// slash, then all other bytes.
fn order(lower: &[u8], any: &[u8]) -> Ordering {
    let rank = |byte: Option<&u8>| match byte {
        None => 0,
        Some(b'/') => 1,
        Some(byte) => 2 + u16::from(byte.to_ascii_lowercase()),
    };
    let common = common_prefix(lower, any);
    rank(lower.get(common)).cmp(&rank(any.get(common)))
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
