//! Who is considered at all: new endpoints come in slowly, failing ones stay out for a while.

use super::{Rules, Tried, zone};
use crate::table::{Endpoint, Endpoints, Millis, Slot};

/// The smallest part of its share that a new endpoint gets, in thousandths.
const LEAST: u64 = 100;

/// One look over the endpoints of a pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eligible<'a> {
    zone: Option<&'a str>,
    ramp: Option<Ramp>,
    /// Endpoints that are left out until after this moment are passed over; `None`: nobody is.
    ejected_at: Option<Millis>,
    /// These are passed over as well: rather one that is left out than one that has just failed.
    tried: Option<&'a Tried>,
}

#[derive(Debug, Clone, Copy)]
struct Ramp {
    length: Millis,
    now: Millis,
    dice: u64,
}

impl<'a> Eligible<'a> {
    /// Everybody in the zone.
    pub(super) fn new(zone: Option<&'a str>) -> Self {
        Self {
            zone,
            ramp: None,
            ejected_at: None,
            tried: None,
        }
    }

    /// Without those that are left out, unless these are more than `rules` allow of the pool.
    #[inline]
    pub(super) fn without_ejected(
        self,
        endpoints: &Endpoints,
        tried: &'a Tried,
        rules: &Rules,
        now: Millis,
    ) -> Self {
        match rules.ejection {
            Some(_) if !endpoints.is_narrowed() => {
                self.without_few_ejected(endpoints, tried, rules, now)
            }
            _ => self,
        }
    }

    #[cold]
    fn without_few_ejected(
        self,
        endpoints: &Endpoints,
        tried: &'a Tried,
        rules: &Rules,
        now: Millis,
    ) -> Self {
        let ejected = ejected(endpoints, now);
        let leaves_out = ejected > 0 && ejected <= most_ejected(endpoints, rules);
        Self {
            ejected_at: leaves_out.then_some(now),
            tried: leaves_out.then_some(tried),
            ..self
        }
    }

    /// With new endpoints only as often as their age allows; `dice` decides, and has to be another number for each
    /// request.
    pub(super) fn ramping(self, rules: &Rules, now: Millis, dice: u64) -> Self {
        let length = rules.slow_start;
        Self {
            ramp: (length > 0).then_some(Ramp { length, now, dice }),
            ..self
        }
    }

    /// Whether to look at everybody in the zone again, since new endpoints were turned away.
    pub(super) fn settled(self) -> Option<Self> {
        self.ramp.is_some().then_some(Self { ramp: None, ..self })
    }

    /// The same for all zones.
    pub(super) fn anywhere(self) -> Self {
        Self { zone: None, ..self }
    }

    #[inline]
    pub(super) fn allows(&self, slot: &Slot) -> bool {
        let endpoint = slot.endpoint();
        zone::allows(self.zone, endpoint)
            && self.ejected_at.is_none_or(|now| !endpoint.is_ejected(now))
            && self.ramp.is_none_or(|ramp| ramp.lets_in(slot))
            && self
                .tried
                .is_none_or(|tried| !tried.contains(endpoint.connection_id()))
    }

    /// Whether the endpoint is left out.
    pub(super) fn is_ejected(&self, endpoint: &Endpoint) -> bool {
        self.ejected_at.is_some_and(|now| endpoint.is_ejected(now))
    }
}

impl Ramp {
    fn lets_in(&self, slot: &Slot) -> bool {
        let age = self.now.saturating_sub(slot.first_seen());
        if age >= self.length {
            return true;
        }
        let share = (age.saturating_mul(1_000) / self.length).max(LEAST);
        // Each endpoint has its own luck with one request.
        mixed(self.dice ^ slot.endpoint().connection_id().rotate_left(32)) % 1_000 < share
    }
}

/// How many endpoints are left out at the moment.
pub(super) fn ejected(endpoints: &Endpoints, now: Millis) -> usize {
    let slots = endpoints.iter();
    slots.filter(|slot| slot.endpoint().is_ejected(now)).count()
}

/// How many may be.
pub(super) fn most_ejected(endpoints: &Endpoints, rules: &Rules) -> usize {
    let percent = rules.ejection.map_or(0, |ejection| ejection.most_percent);
    // One that is alone is never left out.
    (endpoints.len() * usize::from(percent) / 100).min(endpoints.len().saturating_sub(1))
}

/// A number that looks like chance (the finisher of SplitMix64).
pub(super) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
