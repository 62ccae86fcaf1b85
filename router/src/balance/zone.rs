//! Availability zones: stay in one's own as long as that works.

use super::{Rules, ZonePreference};
use crate::table::Endpoint;

/// The zone that an attempt is to stay in if it can: the router's own, for the first attempt only
///
pub(super) fn preferred(rules: &Rules, attempts_before: usize) -> Option<&str> {
    let first = attempts_before == 0;
    let local = rules.zone_preference == ZonePreference::LocallyOptimistic;
    (first && local).then_some(&*rules.zone)
}

/// Whether `endpoint` may be chosen when `zone` is asked for.
pub(super) fn allows(zone: Option<&str>, endpoint: &Endpoint) -> bool {
    zone.is_none_or(|zone| endpoint.availability_zone() == zone)
}
