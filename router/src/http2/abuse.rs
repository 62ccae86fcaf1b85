//! Clients that open streams only to reset them (CVE-2023-44487): each costs a request to a backend and no answer.

use std::cell::Cell;

/// Resets of unanswered streams that a connection may make at once. A page that is left in the middle resets what it had
/// asked for, which is as many streams as may be open.
const BURST: u32 = 256;
/// Resets a second that it may make all the time.
const RATE: u32 = 32;

/// What one connection has done. Time is in milliseconds.
#[derive(Debug)]
pub(super) struct Abuse {
    left: Cell<u32>,
    resets: Cell<u32>,
    counted: Cell<u64>,
}

impl Abuse {
    /// A connection that begins at `now`.
    pub(super) fn new(now: u64) -> Abuse {
        Abuse {
            left: Cell::new(BURST),
            resets: Cell::new(0),
            counted: Cell::new(now),
        }
    }

    /// The client has reset a stream before it was answered.
    pub(super) fn note_reset(&self) {
        self.resets.set(self.resets.get() + 1);
    }

    /// Whether it has gone too far by `now`.
    pub(super) fn is_too_much(&self, now: u64) -> bool {
        let resets = self.resets.take();
        let passed = now.saturating_sub(self.counted.get());
        let regained = (passed * u64::from(RATE) / 1000).min(u64::from(BURST)) as u32;
        if regained > 0 {
            self.counted.set(now);
        }
        let left = (self.left.get() + regained).min(BURST);
        self.left.set(left.saturating_sub(resets));
        resets > left
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
        assert!(!abuse.is_too_much(1));
        resets(&abuse, 1);
        assert!(abuse.is_too_much(2));
    }

    #[test]
    fn what_was_used_up_comes_back_with_time() {
        let abuse = Abuse::new(0);
        resets(&abuse, BURST);
        assert!(!abuse.is_too_much(0));
        for second in 1..100 {
            resets(&abuse, RATE);
            assert!(!abuse.is_too_much(second * 1000), "{second}");
        }
        resets(&abuse, RATE + 1);
        assert!(abuse.is_too_much(100_000));
    }
}
