//! Clients that open streams only to reset them (CVE-2023-44487): each costs a request to a backend and no answer.

use std::cell::Cell;
use std::time::Duration;

/// Resets of unanswered streams that a connection may make at once. A page that is left in the middle resets what it had
/// asked for, which is as many streams as may be open.
const BURST: u32 = 256;
/// Resets a second that it may make all the time.
const RATE: u32 = 32;
/// Requests that it may have reset while they still are under way to a backend, beyond those that may be open.
const BACKLOG: usize = 128;
/// How long a connection that has gone too far is held before it ends. Who begins anew has as many resets at once as before,
/// and gains nothing by it when they would have come back in the same time.
pub(super) const HOLD: Duration = Duration::from_secs((BURST / RATE) as u64);

/// What one connection has done. Time is in milliseconds.
#[derive(Debug)]
pub(super) struct Abuse {
    left: Cell<u32>,
    resets: Cell<u32>,
    answered: Cell<u32>,
    counted: Cell<u64>,
    /// Resets were noted since somebody asked.
    noted: Cell<bool>,
}

impl Abuse {
    /// A connection that begins at `now`.
    pub(super) fn new(now: u64) -> Abuse {
        Abuse {
            left: Cell::new(BURST),
            resets: Cell::new(0),
            answered: Cell::new(0),
            counted: Cell::new(now),
            noted: Cell::new(false),
        }
    }

    /// The client has reset a stream before it was answered.
    pub(super) fn note_reset(&self) {
        self.resets.set(self.resets.get() + 1);
        self.noted.set(true);
    }

    /// A stream was answered to its end: it makes up for one that was not. A balancer that carries many users on one
    /// connection carries the impatient ones, too.
    pub(super) fn note_answer(&self) {
        self.answered.set(self.answered.get().saturating_add(1));
    }

    /// Whether there were resets since this was asked last.
    pub(super) fn take_noted(&self) -> bool {
        self.noted.take()
    }

    /// Whether it has gone too far by `now`; `unseen` resets were made that will be noted later.
    pub(super) fn is_too_much(&self, now: u64, unseen: usize) -> bool {
        let resets = self.resets.take();
        let passed = now.saturating_sub(self.counted.get());
        let regained = (passed * u64::from(RATE) / 1000).min(u64::from(BURST)) as u32;
        if regained > 0 {
            self.counted.set(now);
        }
        let regained = regained.saturating_add(self.answered.take());
        let left = self.left.get().saturating_add(regained).min(BURST);
        self.left.set(left.saturating_sub(resets));
        resets as usize + unseen > left as usize || unseen > BACKLOG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resets(abuse: &Abuse, count: u32) {
        (0..count).for_each(|_| abuse.note_reset());
    }

    #[test]
    fn a_page_that_is_left_is_no_abuse_and_a_flood_is() {
        let abuse = Abuse::new(0);
        resets(&abuse, BURST);
        assert!(!abuse.is_too_much(1, 0));
        resets(&abuse, 1);
        assert!(abuse.is_too_much(2, 0));
    }

    #[test]
    fn resets_that_nobody_has_noted_yet_count_and_are_not_used_up() {
        let abuse = Abuse::new(0);
        resets(&abuse, BURST - 10);
        assert!(!abuse.is_too_much(0, 10));
        assert!(!abuse.is_too_much(0, 10));
        assert!(abuse.is_too_much(0, 11));
        let abuse = Abuse::new(0);
        assert!(!abuse.is_too_much(0, BACKLOG));
        assert!(abuse.is_too_much(0, BACKLOG + 1));
    }

    #[test]
    fn answers_make_up_for_as_many_resets_and_save_up_nothing() {
        let abuse = Abuse::new(0);
        for _ in 0..100 {
            (0..200).for_each(|_| abuse.note_answer());
            resets(&abuse, 200);
            assert!(!abuse.is_too_much(0, 0));
        }
        (0..100_000).for_each(|_| abuse.note_answer());
        resets(&abuse, BURST + 1);
        assert!(abuse.is_too_much(0, 0));
    }

    #[test]
    fn what_was_used_up_comes_back_with_time() {
        let abuse = Abuse::new(0);
        resets(&abuse, BURST);
        assert!(!abuse.is_too_much(0, 0));
        for second in 1..100 {
            resets(&abuse, RATE);
            assert!(!abuse.is_too_much(second * 1000, 0), "{second}");
        }
        resets(&abuse, RATE + 1);
        assert!(abuse.is_too_much(100_000, 0));
    }
}
