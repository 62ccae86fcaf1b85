//! Waiting for conditions.

use std::panic::Location;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take. Far above what is needed, for machines that are busy with something else.
pub const LIMIT: Duration = Duration::from_secs(20);

const FIRST_LOOK: Duration = Duration::from_millis(2);
const SLOWEST_LOOK: Duration = Duration::from_millis(50);

/// Looks again and again until `condition` gives a value.
///
/// # Panics
/// When that takes longer than [`LIMIT`]; `what` says what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    let caller = Location::caller();
    poll(LIMIT, condition)
        .unwrap_or_else(|| panic!("{caller}: waited {LIMIT:?} in vain for {what}"))
}

/// Looks again and again for as long as `time` whether `condition` still holds: for what must *not* happen.
///
/// # Panics
/// As soon as it does not.
#[track_caller]
pub fn remains(time: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let caller = Location::caller();
    let ended = poll(time, || (!condition()).then_some(()));
    assert!(ended.is_none(), "{caller}: it did not stay so: {what}");
}

/// The value of `condition` as soon as it has one, or `None` after `limit`.
pub(crate) fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(SLOWEST_LOOK);
    }
}

/// Holds a backend until the test opens it.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Lets everyone through from now on.
    pub fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Waits until the gate is open, or for [`LIMIT`].
    pub fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_timeout_while(open, LIMIT, |open| !*open));
    }
}
