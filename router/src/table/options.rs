//! What a registration asks of its route beyond GoRouter's first options (spec 14.2, docs/route-options.md).

use std::borrow::Cow;

use super::limits::Limits;

/// Options of a route, as a registration has them. They hold for the whole pool; the latest registration that changed
/// anything counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteOptions<'a> {
    /// Name of the header that `hash` goes by; empty with other algorithms.
    pub hash_header: Cow<'a, str>,
    /// How many times the mean load an endpoint may have under `hash`; 0 is no limit.
    pub hash_balance: f64,
    /// The route's limits.
    pub limits: Limits,
}

impl RouteOptions<'_> {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same options, borrowing nothing.
    pub(crate) fn to_owned(&self) -> RouteOptions<'static> {
        RouteOptions {
            hash_header: Cow::Owned(self.hash_header.clone().into_owned()),
            hash_balance: self.hash_balance,
            limits: self.limits,
        }
    }
}
