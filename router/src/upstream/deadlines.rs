//! The time-outs of an attempt where a route has its own (docs/route-options.md).
//!
//! While the request goes out only its own end counts, then up to the head of the answer the nearer of two, that of the
//! request and that of the first byte; behind it what is left for the request. With an idle time-out the timer runs in short
//! steps in between and asks whether anything has moved.

use std::time::{Duration, Instant};

use super::classify::Cause;
use crate::exchange::Exchange;
use crate::table::{Limits, Millis};
use crate::worker::Timer;

/// The time for the first byte of an answer. It begins when the request has gone out: how long that takes is up to the
/// client.
#[derive(Debug)]
pub(super) struct FirstByte {
    limits: Limits,
    began: Instant,
    router: Duration,
    running: bool,
    /// It ends before the time for the whole does.
    nearer: bool,
}

impl FirstByte {
    /// For an attempt that began at `began`; `None` where there is no limit. `router` is the router's own time for an
    /// attempt.
    pub(super) fn of(limits: &Limits, began: Instant, router: Duration) -> Option<FirstByte> {
        (!time(limits.first_byte_timeout).is_zero()).then_some(FirstByte {
            limits: *limits,
            began,
            router,
            running: false,
            nearer: false,
        })
    }

    /// The request has gone out.
    pub(super) fn start(&mut self, timer: &Timer) {
        let rest = rest(&self.limits, self.began, self.router);
        let own = time(self.limits.first_byte_timeout);
        self.running = true;
        self.nearer = rest.is_zero() || own < rest;
        let end = if self.nearer { own } else { rest };
        timer.pace(end, time(self.limits.idle_timeout));
    }

    /// Whether it has begun.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }
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
    timer.pace(rest(limits, began, router), time(limits.idle_timeout));
}

/// What is left of the time for an attempt that began at `began`; zero is no limit.
fn rest(limits: &Limits, began: Instant, router: Duration) -> Duration {
    let whole = whole(limits, router);
    match whole.is_zero() {
        true => whole,
        // Nothing left is not the same as no limit.
        false => whole
            .saturating_sub(began.elapsed())
            .max(Duration::from_millis(1)),
    }
}

/// Why an attempt ended before the head of its answer when the timer ended it.
pub(super) fn cause(timer: &Timer, first_byte: Option<&FirstByte>) -> Cause {
    if timer.was_idle() {
        Cause::Idle
    } else if first_byte.is_some_and(|first_byte| first_byte.nearer) {
        Cause::FirstByte
    } else {
        Cause::Timeout
    }
}

/// Sets the timer for an upgraded connection: only silence ends it.
pub fn upgraded(timer: &Timer, exchange: &Exchange) {
    arm(timer, exchange, Duration::ZERO);
}

/// Time for the attempt; zero is no limit. `router` is the router's own.
pub(super) fn whole(limits: &Limits, router: Duration) -> Duration {
    limits.request_timeout.map_or(router, Duration::from_millis)
}

fn time(limit: Option<Millis>) -> Duration {
    Duration::from_millis(limit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::Wheel;

    #[test]
    fn the_nearer_end_counts_and_zero_is_none() {
        let router = Duration::from_secs(60);
        for (request, first_byte, nearer) in [
            (None, 1_000, true),
            (Some(0), 1_000, true),
            (Some(500), 1_000, false),
            (None, 90_000, false),
        ] {
            let limits = Limits {
                request_timeout: request,
                first_byte_timeout: Some(first_byte),
                ..Limits::default()
            };
            let mut clock = FirstByte::of(&limits, Instant::now(), router).unwrap();
            let timer = Wheel::new().timer();
            assert!(matches!(cause(&timer, Some(&clock)), Cause::Timeout));
            clock.start(&timer);
            assert_eq!(clock.nearer, nearer, "{request:?} {first_byte}");
        }
        for none in [None, Some(0)] {
            let limits = Limits {
                first_byte_timeout: none,
                ..Limits::default()
            };
            assert!(FirstByte::of(&limits, Instant::now(), router).is_none());
        }
        for (request, whole) in [(None, 60_000), (Some(5_000), 5_000), (Some(90_000), 90_000)] {
            let limits = Limits {
                request_timeout: request,
                ..Limits::default()
            };
            assert_eq!(super::whole(&limits, router), Duration::from_millis(whole));
        }
    }
}
