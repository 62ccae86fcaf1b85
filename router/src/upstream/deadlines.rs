//! The time-outs of an attempt where a route has its own (docs/route-options.md).
//!
//! Up to the head of the answer the nearer of two ends counts, that of the request and that of the first byte; behind it
//! what is left for the request. With an idle time-out the timer runs in short steps in between and asks whether anything
//! has moved.

use std::time::{Duration, Instant};

use super::classify::Cause;
use crate::exchange::Exchange;
use crate::table::{Limits, Millis};
use crate::worker::Timer;

/// Time up to the head of the answer; zero is no limit. `router` is the router's own time for an attempt.
pub(super) fn until_head(limits: &Limits, router: Duration) -> Duration {
    let ends = [whole(limits, router), time(limits.first_byte_timeout)];
    let ends = ends.into_iter().filter(|end| !end.is_zero());
    ends.min().unwrap_or_default()
}

/// Sets the timer to `after`, for as long as the backend is not silent for too long.
#[inline]
pub(super) fn arm(timer: &Timer, exchange: &Exchange, after: Duration) {
    match &exchange.limiter {
        None => timer.arm(after),
        Some(limiter) => timer.pace(after, time(limiter.limits().idle_timeout)),
    }
}

/// Sets the timer for what comes behind the head of the answer to an attempt that began at `began`.
pub(super) fn head_arrived(timer: &Timer, limits: &Limits, began: Instant, router: Duration) {
    if time(limits.first_byte_timeout).is_zero() {
        return;
    }
    let whole = whole(limits, router);
    let rest = match whole.is_zero() {
        true => whole,
        // Nothing left is not the same as no limit.
        false => whole
            .saturating_sub(began.elapsed())
            .max(Duration::from_millis(1)),
    };
    timer.pace(rest, time(limits.idle_timeout));
}

/// Why an attempt ended before the head of its answer when the timer ended it.
pub(super) fn cause(timer: &Timer, limits: &Limits, router: Duration) -> Cause {
    let (whole, first_byte) = (whole(limits, router), time(limits.first_byte_timeout));
    if timer.was_idle() {
        Cause::Idle
    } else if !first_byte.is_zero() && (whole.is_zero() || first_byte < whole) {
        Cause::FirstByte
    } else {
        Cause::Timeout
    }
}

/// Sets the timer for an upgraded connection: only silence ends it.
pub fn upgraded(timer: &Timer, exchange: &Exchange) {
    arm(timer, exchange, Duration::ZERO);
}

fn whole(limits: &Limits, router: Duration) -> Duration {
    limits.request_timeout.map_or(router, Duration::from_millis)
}

fn time(limit: Option<Millis>) -> Duration {
    Duration::from_millis(limit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_end_counts_and_zero_is_none() {
        let limits = |request_timeout, first_byte_timeout| Limits {
            request_timeout,
            first_byte_timeout,
            ..Limits::default()
        };
        let router = Duration::from_secs(60);
        for (request, first_byte, end) in [
            (None, None, 60_000),
            (Some(5_000), None, 5_000),
            (Some(90_000), None, 90_000),
            (Some(0), None, 0),
            (None, Some(1_000), 1_000),
            (None, Some(0), 60_000),
            (Some(0), Some(1_000), 1_000),
            (Some(500), Some(1_000), 500),
        ] {
            let end = Duration::from_millis(end);
            assert_eq!(until_head(&limits(request, first_byte), router), end);
        }
    }
}
