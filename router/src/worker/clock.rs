//! The worker's coarse clock: read once a tick, not once an operation.

use std::cell::{Cell, RefCell};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::exchange::nanoseconds;
use crate::table::Millis;

/// Time as of the last tick.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// A point in time on both clocks, taken anew each tick so that the wall clock may be set.
    wall: Cell<(Instant, u64)>,
    now: Cell<Millis>,
    second: Cell<u64>,
    date: RefCell<String>,
}

impl Clock {
    /// A clock that counts from `started`, which all workers and the control plane share.
    pub fn new(started: Instant) -> Clock {
        let wall = Cell::new((started, 0));
        let clock = Clock {
            started,
            wall,
            now: Cell::new(0),
            second: Cell::new(0),
            date: RefCell::default(),
        };
        clock.advance(Instant::now());
        clock
    }

    /// Milliseconds since the start.
    #[inline]
    pub fn now(&self) -> Millis {
        self.now.get()
    }

    /// Nanoseconds since 1970 at `then`, without asking the system.
    #[inline]
    pub fn unix_ns(&self, then: Instant) -> u64 {
        let (at, unix_ns) = self.wall.get();
        match then.checked_duration_since(at) {
            Some(later) => unix_ns.saturating_add(nanoseconds(later)),
            None => unix_ns.saturating_sub(nanoseconds(at - then)),
        }
    }

    /// Seconds since 1970.
    #[inline]
    pub fn unix_seconds(&self) -> u64 {
        self.second.get()
    }

    /// Calls `with` with the value of a Date field (RFC 9110 section 6.6.1), 29 bytes.
    #[inline]
    pub fn with_date<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        with(self.date.borrow().as_bytes())
    }

    /// Moves the clock; called by the worker once a tick.
    pub fn advance(&self, now: Instant) {
        let since = now.saturating_duration_since(self.started);
        self.now
            .set(u64::try_from(since.as_millis()).unwrap_or(Millis::MAX));
        let wall = SystemTime::now();
        let unix = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.wall.set((now, nanoseconds(unix)));
        let second = unix.as_secs();
        if second != self.second.replace(second) {
            *self.date.borrow_mut() = httpdate::fmt_http_date(wall);
        }
    }
}
